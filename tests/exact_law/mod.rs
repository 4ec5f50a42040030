//! The exact output law of a masked diffusion sampler on a small target, in f64.
//!
//! # The idea
//!
//! Take a sampler that starts from `len` masks and reveals, at each step, a set of masked
//! positions at once, their tokens drawn independently from the denoiser's conditionals. If every
//! masked position has the same chance to be revealed (Euler, ancestral, tau-leaping,
//! first-hitting, random order), then the *sizes* of the sets say everything: given the sizes
//! (k₁, …, kᵣ), the sets are uniformly random. So
//!
//! ```text
//! P(output) = Σ over compositions (k₁, …, kᵣ) of len:  weight(k₁, …, kᵣ) · P(output | k₁, …, kᵣ)
//! ```
//!
//! * The weights come from the time grid alone ([`reveal_probabilities`], [`Weights`]).
//! * The law of a composition comes from the target alone ([`CompositionLaws`]); it is worked out
//!   once, and serves every grid.
//!
//! A composition is kept as the *set of its partial sums*: bit j − 1 is set if there is a moment
//! at which exactly j positions are revealed. (1, 2, 1) has the partial sums 1, 3 and 4, and is
//! `0b1101`. Revealing more sets a higher bit, so the numbers ascend along every path, and 2^len
//! numbers cover all that can happen. First-hitting and one-by-one random order are the single
//! composition of ones, of which the law is the target itself; parallel decoding with fixed sizes
//! is one composition too.
//!
//! # The rooms
//!
//! [`target`]: distributions over short sequences, their conditionals, imperfect denoisers.
//! [`grid`]: time grids and the probability with which each step reveals a position.
//! [`composition`]: weights and laws, put together. [`closed_form`]: distances at any length.
//! [`stepping`]: laws by plain enumeration, for samplers that treat positions differently.
//! [`statistics`]: distances and tests. [`reference`]: what another program found.
//!
//! Nothing here uses the library that it is a measure for.

#![allow(dead_code, unused_imports, reason = "each user of this module needs another part of it")]

pub(crate) mod closed_form;
pub(crate) mod composition;
pub(crate) mod grid;
pub(crate) mod reference;
pub(crate) mod statistics;
pub(crate) mod stepping;
pub(crate) mod target;

pub(crate) use composition::{CompositionLaws, Leftover, Weights, law_of_sizes};
pub(crate) use grid::decaying_grid_to;
pub(crate) use grid::{Noise, Rule, decaying_grid, reveal_probabilities, uniform_grid};
pub(crate) use statistics::{
    chi_square_tail, chi_square_test, expected_noise, frequencies, g_test, noise_deviation,
    total_variation,
};
pub(crate) use target::{Denoiser, Family, Perturbed, Space, Target};
