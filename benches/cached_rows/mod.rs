//! Normal logits that are read from cache: 2 MiB of them, on one huge page where the system has them.
//! With small pages times depend on which ones the process happened to get, by a fifth.

#![allow(unsafe_code, reason = "huge pages are asked for by a system call")]
#![allow(dead_code, reason = "not every benchmark needs every part")]

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId};
use demask::draw::largest;
use demask::{Key, Level};
use std::hint::black_box;

const HUGE_PAGE: usize = 2 << 20;

/// Logits within one huge page.
pub(crate) struct Rows {
    memory: Vec<f32>,
    start: usize,
}

impl Rows {
    fn new(len: usize, logits: impl Iterator<Item = f32>) -> Self {
        assert!(4 * len <= HUGE_PAGE, "one page is enough");
        let mut memory = Vec::<f32>::with_capacity(2 * HUGE_PAGE / 4);
        let start = memory.as_ptr().align_offset(HUGE_PAGE);
        #[cfg(target_os = "linux")]
        // SAFETY: a hint about memory of ours that nothing has touched yet.
        unsafe {
            let page = memory.as_mut_ptr().add(start);
            libc::madvise(page.cast(), HUGE_PAGE, libc::MADV_HUGEPAGE);
        }
        memory.resize(start, 0.0);
        memory.extend(logits.take(len));
        Self { memory, start }
    }

    pub(crate) fn logits(&self) -> &[f32] {
        &self.memory[self.start..]
    }
}

/// Normal logits with standard deviation `sigma`, from a fixed seed.
pub(crate) fn normal_logits(len: usize, sigma: f64) -> Rows {
    let mut state = 7u64;
    let mut uniform = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    };
    let mut normal = |_| {
        let radius = (-2.0 * uniform().ln()).sqrt();
        (sigma * radius * (core::f64::consts::TAU * uniform()).cos()) as f32
    };
    Rows::new(len, (0..len).map(&mut normal))
}

/// So many sets of keys that the number of proposals averages out.
pub(crate) fn key_sets(rows: usize) -> Vec<Vec<Key>> {
    let keys = |step| (0..rows as u64).map(move |stream| Key { stream, step, ..Key::default() });
    (0..64).map(|step| keys(step).collect()).collect()
}

/// Times `read`: the plainest vector maximum of every row.
pub(crate) fn time_read(
    group: &mut BenchmarkGroup<'_, WallTime>,
    level: Level,
    logits: &[f32],
    vocab: usize,
) {
    let exact = logits[..vocab].iter().copied().fold(f32::NEG_INFINITY, f32::max);
    assert_eq!(largest(level, &logits[..vocab]), exact, "it finds the maximum");
    group.bench_function(BenchmarkId::new("read", level), |b| {
        b.iter(|| {
            for row in black_box(logits).chunks_exact(vocab) {
                black_box(largest(level, row));
            }
        });
    });
}
