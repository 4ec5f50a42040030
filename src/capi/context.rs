//! The context: a sampler, and room for what calls convert.

use super::boundary;
use super::canvas::Room;
use super::level;
use super::pointer::{self, c_struct};
use super::status::{DEMASK_ERR_ARGUMENT, DEMASK_ERR_RESOURCES, Refusal, demask_status};
use crate::logits::MAX_VOCAB;
use crate::plan::Plan;
use crate::sampler::Sampler;

/// The most threads that a context may have.
pub const DEMASK_MAX_THREADS: u32 = 1024;

/// What draws: its memory, its threads and its level. Made by demask_create, freed by
/// demask_destroy.
///
/// It keeps nothing from one call for the next, no pointer and no random state. All memory is taken
/// when it is made: with one thread, no later call allocates, locks, prints, reads the environment
/// or makes a system call.
pub struct demask_context {
    pub(super) sampler: Sampler,
    /// The plan of the call under way.
    pub(super) plan: Plan,
    pub(super) room: Room,
    pub(super) dead: bool,
}

/// What a context is made with. Call demask_options_init first, then set the fields.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_options {
    /// sizeof(demask_options), as the caller was compiled.
    pub struct_size: u32,
    /// A DEMASK_LEVEL_ number. AUTO by default; a level that the CPU lacks is DEMASK_ERR_LEVEL.
    pub level: u32,
    /// 1, the default, draws on the caller's thread. More, up to DEMASK_MAX_THREADS, make a pool
    /// that the context owns; it is used where the rows are worth it. Results do not depend on it.
    pub threads: u32,
    /// The most positions that the segments of one call have together, and the most tokens of one
    /// demask_draw. 0 by default.
    pub max_positions: u32,
    /// The most segments of one call. 1 by default.
    pub max_segments: u32,
    /// The most policies of one call. 1 by default; 0 stands for max_segments.
    pub max_policies: u32,
    /// The widest rows of a call, in tokens, up to DEMASK_MAX_VOCAB; 0, the default, stands for
    /// 262144. Memory that no call needs is never touched.
    pub max_vocab: u32,
}
c_struct!(demask_options: 28, grew from 28);

/// Fills `out` with the defaults. `struct_size` is sizeof(demask_options).
///
/// Errors: NULL, ALIGN, STRUCT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_options_init(
    out: *mut demask_options,
    struct_size: usize,
) -> demask_status {
    let options = demask_options {
        struct_size: u32::try_from(struct_size).unwrap_or(0),
        level: level::DEMASK_LEVEL_AUTO,
        threads: 1,
        max_positions: 0,
        max_segments: 1,
        max_policies: 1,
        max_vocab: 0,
    };
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe { pointer::fill(out, struct_size, &options) })
}

/// Makes a context and writes it to `*out`. The caller owns it, and frees it with demask_destroy.
///
/// Errors: NULL, ALIGN, STRUCT, ARGUMENT (an unknown level, threads outside 1 to
/// DEMASK_MAX_THREADS, max_vocab above DEMASK_MAX_VOCAB), LEVEL, RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_create(
    options: *const demask_options,
    out: *mut *mut demask_context,
) -> demask_status {
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe {
        let options = pointer::read(options)?;
        let out = pointer::out(out)?;
        out.write(Box::into_raw(Box::new(create(&options)?)));
        Ok(())
    })
}

/// Frees a context. NULL is fine. Its threads, if it has any, end soon after.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_destroy(context: *mut demask_context) {
    // SAFETY: the caller's promise.
    unsafe { boundary::free(context) }
}

fn create(options: &demask_options) -> Result<demask_context, Refusal> {
    let level = level::level(options.level)?;
    if !(1..=DEMASK_MAX_THREADS).contains(&options.threads) {
        return Err(Refusal(DEMASK_ERR_ARGUMENT));
    }
    let positions = options.max_positions as usize;
    let segments = options.max_segments as usize;
    let policies = if options.max_policies == 0 { segments } else { options.max_policies as usize };
    probe(positions, segments, policies)?;
    let mut builder = Sampler::builder(positions, segments).threads(options.threads as usize);
    if options.max_vocab as usize > MAX_VOCAB {
        return Err(Refusal(DEMASK_ERR_ARGUMENT));
    }
    if options.max_vocab != 0 {
        builder = builder.vocab(options.max_vocab as usize);
    }
    if let Some(level) = level {
        builder = builder.level(level);
    }
    Ok(demask_context {
        sampler: builder.build()?,
        plan: Plan::with_capacity(positions, segments),
        room: Room::with_capacity(segments, policies),
        dead: false,
    })
}

/// Refuses sizes for which there is no memory.
fn probe(positions: usize, segments: usize, policies: usize) -> Result<(), Refusal> {
    // The sampler has a plan of its own.
    let position = Sampler::POSITION_SIZE + 2 * Plan::POSITION_SIZE;
    let segment = Room::SEGMENT_SIZE + Sampler::SEGMENT_SIZE + 2 * Plan::SEGMENT_SIZE;
    let bytes = positions.checked_mul(position).and_then(|bytes| {
        let segments = segments.checked_mul(segment)?;
        bytes.checked_add(segments)?.checked_add(policies.checked_mul(Room::POLICY_SIZE)?)
    });
    boundary::afford(bytes.ok_or(Refusal(DEMASK_ERR_RESOURCES))? as u64)
}
