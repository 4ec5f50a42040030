//! Merely reading the logits: the physical limit that everything is divided by.
//!
//! Which loop reads fastest depends on the machine, so several are timed and the best counts.

use demask::{Level, draw};
use multiversion::multiversion;
use std::hint::black_box;

/// Reads all of a thread's share once.
pub(crate) type Read = fn(Level, &[u64]);

/// The loops. The sums take the words as integers, whatever the logits' type.
pub(crate) const READS: [(&str, Read); 4] = [
    ("read (sum)", |_, words| _ = black_box(sum(words))),
    ("read (sum, 2 streams)", |_, words| _ = black_box(sum_of_two(words))),
    ("read (sum, 4 streams)", |_, words| _ = black_box(sum_of_four(words))),
    ("read (max)", |level, words| {
        // Pieces of half a megabyte: the end of the loop does not count.
        for piece in bytemuck::cast_slice(words).chunks(1 << 17) {
            black_box(draw::largest(level, piece));
        }
    }),
];

/// The wrapping sum of all words.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
fn sum(words: &[u64]) -> u64 {
    words.iter().fold(0, |sum, &x| sum.wrapping_add(x))
}

/// The same, from the front of both halves at once.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
fn sum_of_two(words: &[u64]) -> u64 {
    let (low, high) = words.split_at(words.len() / 2);
    let (high, last) = high.split_at(low.len());
    let pairs =
        low.iter().zip(high).fold(0u64, |sum, (&a, &b)| sum.wrapping_add(a).wrapping_add(b));
    last.iter().fold(pairs, |sum, &x| sum.wrapping_add(x))
}

/// Four vectors of 64 bytes.
type Block = [u64; 32];

#[inline(always)]
fn add(sums: &mut Block, block: &Block) {
    for (sum, x) in sums.iter_mut().zip(block) {
        *sum = sum.wrapping_add(*x);
    }
}

/// The same, from the front of all quarters at once.
#[multiversion(targets(
    "x86_64+avx512f+avx512bw+avx512cd+avx512dq+avx512vl+avx2+fma",
    "x86_64+avx2+fma"
))]
fn sum_of_four(words: &[u64]) -> u64 {
    let (blocks, rest) = words.as_chunks::<32>();
    let (even, last) = blocks.as_chunks::<4>();
    let (low, high) = even.as_flattened().split_at(2 * even.len());
    let (first, second) = low.split_at(even.len());
    let (third, fourth) = high.split_at(even.len());
    let mut sums = [[0; 32]; 4];
    for (((a, b), c), d) in first.iter().zip(second).zip(third).zip(fourth) {
        add(&mut sums[0], a);
        add(&mut sums[1], b);
        add(&mut sums[2], c);
        add(&mut sums[3], d);
    }
    let rest = last.as_flattened().iter().chain(rest);
    sums.as_flattened().iter().chain(rest).fold(0, |a, &b| a.wrapping_add(b))
}

/// That the loops read every word: their sums are the plain one.
pub(crate) fn check() {
    let words: Vec<u64> = (0..1003u64).map(|x| x.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
    for len in [0, 1, 31, 32, 64, 127, 128, 129, 500, 1003] {
        let expected = words[..len].iter().fold(0u64, |a, &b| a.wrapping_add(b));
        assert_eq!(sum(&words[..len]), expected);
        assert_eq!(sum_of_two(&words[..len]), expected);
        assert_eq!(sum_of_four(&words[..len]), expected);
    }
}
