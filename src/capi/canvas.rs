//! The canvas: tokens, segments and policies in memory of the caller.

use super::boundary;
use super::constraints::{self, demask_constraints};
use super::context::demask_context;
use super::pointer::{self, Elements, Plain, c_struct, same_layout};
use super::policy::demask_policy;
use super::status::{DEMASK_ERR_ARGUMENT, DEMASK_ERR_CAPACITY, Refusal, demask_status};
use crate::canvas::{Canvas, Memory, PositionKind, PositionState, Segment};
use crate::policy::Policy;
use core::mem::offset_of;

/// Given by the user; never changed.
pub const DEMASK_KIND_FIXED: u8 = 0;
/// Still to be revealed.
pub const DEMASK_KIND_MASKED: u8 = 1;
/// Revealed by a step.
pub const DEMASK_KIND_COMMITTED: u8 = 2;
/// Not part of the sequence (padding, beyond the end).
pub const DEMASK_KIND_INACTIVE: u8 = 3;

const _: () = assert!(
    PositionKind::FIXED.0 == DEMASK_KIND_FIXED
        && PositionKind::MASKED.0 == DEMASK_KIND_MASKED
        && PositionKind::COMMITTED.0 == DEMASK_KIND_COMMITTED
        && PositionKind::INACTIVE.0 == DEMASK_KIND_INACTIVE
);

/// The active window of one request: the positions from `begin` to before `end`, and the state of
/// its decoding. Everything may differ between the segments of one canvas.
///
/// All zero, with `begin`, `end`, `seed` and `stream` set, is the start of a decoding with
/// policy 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_segment {
    /// The first position.
    pub begin: u32,
    /// One past the last position.
    pub end: u32,
    /// The seed of the request, see demask_key.
    pub seed: u64,
    /// The id of the request, see demask_key.
    pub stream: u64,
    /// How many steps have been made, below UINT32_MAX. Every step adds one.
    pub step: u32,
    /// The index of the segment's policy among the policies of the canvas.
    pub policy: u32,
    /// The position of `begin` within the request, for one that is decoded window by window.
    pub origin: u32,
    /// How many masks the segment had at its first step, on which sizes depend. 0 is the number that
    /// it has now; the next step writes it here.
    pub initial_masks: u32,
    /// The natural logarithm of the masked fraction at the current time, for first-hitting: at
    /// most 0, which is the start. A step that reveals something lowers it. For PREDRAWN_BERNOULLI,
    /// that of the probability to be still masked. No other policy looks at it.
    pub log_masked: f64,
    /// That of the masked fraction at the time of the latest network output, for extrapolating
    /// policies: at most 0, which is none yet.
    pub output_log_masked: f64,
    /// Set by a step: how many positions it revealed.
    pub revealed: u32,
    /// Set by a step: how many steps in a row have changed nothing; where all positions are looked at
    /// anew in every step, how many have left all of the likeliest tokens as they were.
    pub settled: u32,
    /// Set by a step: how many steps have been made that began without a mask.
    pub extra_steps: u32,
    /// Zero.
    pub reserved: u32,
    /// Set by a step: the mean entropy of its rows in nats, 0 if that was not computed. At least 0.
    pub mean_entropy: f64,
}
c_struct!(demask_segment: 80, grew from 56);

/// The tokens of a batch, and how each part of it is decoded. All memory is the caller's. A step
/// changes tokens, kinds, states, and of every segment the step and the fields after `origin`, in place,
/// if and only if it succeeds.
///
/// Segments stand in ascending order and do not overlap. Positions outside of them are never
/// touched.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_canvas {
    /// sizeof(demask_canvas), as the caller was compiled.
    pub struct_size: u32,
    /// The token that stands for a mask. It is never drawn. A value outside the vocabulary, such as
    /// -1, is fine.
    pub mask_token: i32,
    /// `n_positions` tokens, below 2^32.
    pub tokens: *mut i32,
    /// `n_positions` DEMASK_KIND_ numbers that say which positions are masked, or NULL: then a
    /// position is masked if it holds `mask_token`.
    pub kinds: *mut u8,
    /// How many tokens (and kinds) there are.
    pub n_positions: usize,
    /// `n_segments` segments, `segment_size` bytes apart.
    pub segments: *mut demask_segment,
    /// How many segments there are.
    pub n_segments: usize,
    /// `n_policies` policies, `policy_size` bytes apart. They may be shared by segments.
    pub policies: *const demask_policy,
    /// How many policies there are.
    pub n_policies: usize,
    /// sizeof(demask_segment), as the caller was compiled.
    pub segment_size: u32,
    /// sizeof(demask_policy), as the caller was compiled.
    pub policy_size: u32,
    /// NULL, or `n_positions` states in which a step notes when a position got its token, and how likely
    /// that was.
    pub states: *mut demask_position_state,
    /// NULL, or what tokens are drawn under beside that on the mask token; its `excluded` must be
    /// negative. Rows of allowed tokens are those of the step's logits. Only steps look at it.
    pub constraints: *const demask_constraints,
    /// NULL for 1, or `n_positions` finite numbers that scores are multiplied by, for the policies with
    /// score_priors.
    pub prior_multiply: *const f32,
    /// NULL for 0, or as many that are added to them then.
    pub prior_add: *const f32,
}
c_struct!(demask_canvas: 104, grew from 72);

/// What is known of a position's token, kept by the caller from step to step; all zero at the start.
/// This struct never grows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_position_state {
    /// The step of its segment in which the position got its token, counted from 1; 0 if it has none
    /// from a step.
    pub step: u32,
    /// The token's probability in that step, in the law of the policy's score; 0 if that was not
    /// computed.
    pub probability: f32,
    /// Of a masked position, for how many steps in a row its law has hardly changed (STABLE); else 0.
    pub stable: u32,
    /// The most likely token of the position in step `step`, where that was computed; else 0.
    pub argmax: i32,
}
c_struct!(demask_position_state: 16);
same_layout!(PositionState, demask_position_state: step, probability, stable, argmax);

/// Gives every position of a segment that is masked or committed (without kinds, every position of a
/// segment) a random token, uniform among the first `tokens` ids, at least 1: what decoding without masks
/// starts from (RENOISE, UNIFORM_STATE). Keyed by seed, stream, step and position, as all draws are.
///
/// Errors: NULL, STRUCT, SHAPE (also for `tokens`), ALIGN, ARGUMENT, CAPACITY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_randomize(
    context: *mut demask_context,
    canvas: *const demask_canvas,
    tokens: u32,
) -> demask_status {
    // SAFETY: the caller's promise.
    unsafe {
        boundary::call_on(context, |context| {
            Ok(OpenCanvas::new(canvas, &mut context.room)?.view.randomize(tokens)?)
        })
    }
}

/// Room for the segments and policies of one call, taken when the context is made.
pub(super) struct Room {
    segments: Vec<Segment>,
    policies: Vec<Policy<'static>>,
    max_segments: usize,
    max_policies: usize,
}

impl Room {
    pub(super) const SEGMENT_SIZE: usize = size_of::<Segment>();
    pub(super) const POLICY_SIZE: usize = size_of::<Policy>();

    pub(super) fn with_capacity(max_segments: usize, max_policies: usize) -> Self {
        Self {
            segments: Vec::with_capacity(max_segments),
            policies: Vec::with_capacity(max_policies),
            max_segments,
            max_policies,
        }
    }
}

/// What a call does to a canvas.
#[derive(Clone, Copy)]
enum Access {
    Read,
    Write,
}

impl Access {
    /// An array of the caller.
    ///
    /// # Safety
    /// The caller's promise for `first`, as long as the result lives.
    unsafe fn memory<'a, T: Plain>(
        self,
        first: *mut T,
        count: usize,
    ) -> Result<Memory<'a, T>, Refusal> {
        // SAFETY: the caller's promise.
        unsafe {
            Ok(match self {
                Self::Read => Memory::Read(pointer::slice(first, count)?),
                Self::Write => Memory::Written(pointer::slice_mut(first, count)?),
            })
        }
    }
}

/// A canvas of the caller: the view that steps work on, and where the state of its segments goes.
pub(super) struct OpenCanvas<'a> {
    pub(super) view: Canvas<'a>,
    segments: Elements<demask_segment>,
    constraints: *const demask_constraints,
}

impl<'a> OpenCanvas<'a> {
    /// Checks a canvas that is to be changed, and copies its segments and policies into `room`.
    ///
    /// # Safety
    /// The caller's promise for `canvas`, as long as the result lives.
    pub(super) unsafe fn new(
        canvas: *const demask_canvas,
        room: &'a mut Room,
    ) -> Result<Self, Refusal> {
        // SAFETY: the caller's promise.
        unsafe { Self::open(canvas, room, Access::Write) }
    }

    /// The same for a canvas that is only read, by other calls on other contexts too.
    ///
    /// # Safety
    /// The caller's promise for `canvas`, as long as the result lives.
    pub(super) unsafe fn read(
        canvas: *const demask_canvas,
        room: &'a mut Room,
    ) -> Result<Self, Refusal> {
        // SAFETY: the caller's promise.
        unsafe { Self::open(canvas, room, Access::Read) }
    }

    /// # Safety
    /// The caller's promise for `canvas`, as long as the result lives.
    unsafe fn open(
        canvas: *const demask_canvas,
        room: &'a mut Room,
        access: Access,
    ) -> Result<Self, Refusal> {
        // SAFETY: the caller's promise, here and below.
        let canvas = unsafe { pointer::read(canvas)? };
        // SAFETY: as above.
        let tokens = unsafe { access.memory(canvas.tokens, canvas.n_positions)? };
        // SAFETY: as above. Policies are only read.
        let (segments, policies) = unsafe {
            (
                Elements::new(canvas.segments, canvas.n_segments, canvas.segment_size)?,
                Elements::new(canvas.policies.cast_mut(), canvas.n_policies, canvas.policy_size)?,
            )
        };
        if canvas.n_segments > room.max_segments || canvas.n_policies > room.max_policies {
            return Err(Refusal(DEMASK_ERR_CAPACITY));
        }
        room.segments.clear();
        for segment in segments.read() {
            room.segments.push(segment?.segment()?);
        }
        room.policies.clear();
        for policy in policies.read() {
            // SAFETY: as above, for its noise table. It is not looked at after the call: the next
            // one begins by clearing the room.
            room.policies.push(unsafe { policy?.element(canvas.policy_size)? });
        }
        let mut view = Canvas::over(tokens, canvas.mask_token, &mut room.segments, &room.policies)?;
        if !canvas.kinds.is_null() {
            // SAFETY: as above; a kind is a byte.
            let kinds = unsafe { access.memory(canvas.kinds.cast(), canvas.n_positions)? };
            view = view.over_kinds(kinds)?;
        }
        if !canvas.states.is_null() {
            let states = canvas.states.cast::<PositionState>();
            // SAFETY: as above; they have one layout.
            view = view.over_states(unsafe { access.memory(states, canvas.n_positions)? })?;
        }
        let mut priors: [&[f32]; 2] = [&[]; 2];
        for (prior, at) in priors.iter_mut().zip([canvas.prior_multiply, canvas.prior_add]) {
            if !at.is_null() {
                // SAFETY: as above.
                *prior = unsafe { pointer::slice(at, canvas.n_positions)? };
            }
        }
        view = view.with_priors(priors[0], priors[1])?;
        Ok(Self { view, segments, constraints: canvas.constraints })
    }

    /// Puts the constraints over it, for a step on `rows` rows of `vocab` logits.
    ///
    /// # Safety
    /// The promise that this was made with, for the constraints.
    pub(super) unsafe fn constrain(self, rows: usize, vocab: usize) -> Result<Self, Refusal> {
        // SAFETY: the caller's promise.
        let constraints = unsafe { constraints::read(self.constraints, rows, vocab)? };
        Ok(Self { view: self.view.with_constraints(constraints)?, ..self })
    }

    /// Writes what a step changed in the segments back to the caller.
    pub(super) fn write_back(self) {
        let is_whole = self.segments.element_size() >= size_of::<demask_segment>();
        for (at, segment) in self.segments.pointers().zip(self.view.segments()) {
            // SAFETY: the promise that this was made with; the last four fields are in every version.
            unsafe {
                if is_whole {
                    (&raw mut (*at).revealed).write(segment.revealed);
                    (&raw mut (*at).settled).write(segment.settled);
                    (&raw mut (*at).extra_steps).write(segment.extra_steps);
                    (&raw mut (*at).mean_entropy).write(segment.mean_entropy);
                }
                (&raw mut (*at).step).write(segment.step);
                (&raw mut (*at).initial_masks).write(segment.initial_masks);
                (&raw mut (*at).log_masked).write(segment.log_masked);
                (&raw mut (*at).output_log_masked).write(segment.output_log_masked);
            }
        }
    }
}

impl demask_segment {
    fn segment(self) -> Result<Segment, Refusal> {
        let Self { begin, end, seed, stream, step, policy, origin, .. } = self;
        let Self { initial_masks, log_masked, output_log_masked, .. } = self;
        let Self { revealed, settled, extra_steps, mean_entropy, .. } = self;
        // One more step must be possible.
        if step == u32::MAX || extra_steps == u32::MAX || self.reserved != 0 {
            return Err(Refusal(DEMASK_ERR_ARGUMENT));
        }
        Ok(Segment {
            begin,
            end,
            seed,
            stream,
            step,
            policy,
            origin,
            log_masked,
            initial_masks,
            output_log_masked,
            revealed,
            settled,
            extra_steps,
            mean_entropy,
        })
    }
}
