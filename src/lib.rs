//! The sampling step of masked (absorbing) diffusion language models, on the CPU.
//!
//! A masked diffusion model writes a text by filling in masks. At each step the network turns the
//! *canvas*, tokens with masks among them, into logits; then the *sampling step* turns logits and
//! canvas into the next canvas. demask is that second half, for any runtime: it owns no model, no
//! tokenizer and no file format.
//!
//! ```text
//!            ┌────────────────────── repeat until plan.active() is 0 ──────────────────────┐
//!            ▼                                                                              │
//!  canvas ─► plan ─► rows() ─► network, only these rows ─► logits ─► step_planned ─► canvas ┘
//!            which positions    (none: no network call)              draw a token for each,
//!            move now?                                               write it, advance time
//! ```
//!
//! # The loop
//!
//! For the samplers here the positions that move do not depend on the logits, so
//! [`Sampler::plan`] chooses them *before* the network runs. The network then computes only those
//! rows of its output layer, or is not called at all in a step in which nothing moves. The law of
//! the output is exactly the same. A client that has all logits anyway calls [`Sampler::step`]; one
//! with threads of its own, or an accelerator that describes rows, makes the step in two halves:
//! [`Sampler::step_rows`] and [`Sampler::advance`].
//!
//! ```
//! use demask::{Canvas, Logits, Noise, Plan, Policy, Sampler, Segment};
//!
//! # fn main() -> Result<(), demask::Error> {
//! const MASK: i32 = 0;
//! let vocab = 5;
//! // A network that thinks every position repeats the token before it, or is a 1.
//! let network = |tokens: &[i32], rows: &[u32]| -> Vec<f32> {
//!     let mut logits = vec![0.0; rows.len() * vocab];
//!     for (row, &at) in logits.chunks_mut(vocab).zip(rows) {
//!         let before = tokens[..at as usize].iter().rev().find(|&&token| token != MASK);
//!         row[*before.unwrap_or(&1) as usize] = 4.0;
//!     }
//!     logits
//! };
//!
//! // Two sequences of six positions on one canvas, all masked but the first.
//! let mut tokens = [3, MASK, MASK, MASK, MASK, MASK, 2, MASK, MASK, MASK, MASK, MASK];
//! let mut segments = [
//!     Segment { begin: 0, end: 6, seed: 42, stream: 0, ..Segment::default() },
//!     Segment { begin: 6, end: 12, seed: 42, stream: 1, ..Segment::default() },
//! ];
//! let policies = [Policy::first_hitting(Noise::Linear)];
//! let mut sampler = Sampler::builder(tokens.len(), segments.len()).build()?;
//! let mut plan = Plan::with_capacity(tokens.len(), segments.len());
//! loop {
//!     let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies)?;
//!     sampler.plan(&canvas, &mut plan)?;
//!     if plan.active() == 0 {
//!         break;
//!     }
//!     let data = network(canvas.tokens(), plan.rows());
//!     let logits = Logits::f32(&data, plan.rows().len(), vocab)?;
//!     sampler.step_planned(&mut canvas, &plan, &logits)?;
//! }
//! assert!(!tokens.contains(&MASK));
//! # Ok(())
//! # }
//! ```
//!
//! # The parts
//!
//! A decoding rule is a [`Policy`], a plain value made of independent choices:
//!
//! | choice | question | here |
//! |---|---|---|
//! | [`policy::Draw`] | which token would a position get? | temperature, top-k, top-p, min-p, method |
//! | [`policy::Score`] | how sure is it? | probability, margin, entropy and others, with Gumbel noise |
//! | [`Select`] | which positions move now? | first-hitting, Bernoulli, random order; top-k, thresholds, factor and entropy bound by score |
//! | [`Update`] | what happens to them? | reveal; remask, edit, or compare anew committed ones; random tokens in place of masks |
//! | [`policy::Schedule`] | when, and how many? | [`Noise`] schedules, a time grid, a transition rule, [`Sizes`] |
//! | [`policy::Stop`] | when is it done? | [`Finish`] for masks that are left; end tokens, after which they are filled; rest |
//!
//! Its presets carry the names of samplers: [`Policy::first_hitting`], [`Policy::euler`],
//! [`Policy::ancestral`], [`Policy::tau_leaping`], [`Policy::theta_trapezoidal`],
//! [`Policy::random_order`], [`Policy::tc_adaptive`], [`Policy::llada`], [`Policy::dream`],
//! [`Policy::maskgit`], [`Policy::fast_dllm`], [`Policy::entropy_bound`] and their relatives
//! (`docs/decoding.md` lists them by the project that uses them).
//! Every [`Segment`] of a [`Canvas`] has its own policy, seed, stream and step, so requests of any
//! kind share one batch. First-hitting times are in [`schedule::hitting`].
//!
//! # The draw alone
//!
//! [`Sampler::draw`] and [`Sampler::draw_many`] draw tokens from rows, under [`Constraints`];
//! [`Sampler::draw_with_statistics`] also describes their laws ([`RowStatistics`]). For vocabularies
//! that are spread over several machines there are [`Sampler::race_shard`] and [`draw::shard`].
//!
//! # Guarantees
//!
//! * **Exact law.** The probability of a token is softmax(z/T) to a relative error below 2e-6 for
//!   every token of probability 2^-80 or more, whatever the vocabulary; −∞ has probability exactly
//!   0. No float32 noise, no flat float32 running sum, no sort. See [`draw`] for how.
//! * **Same bits everywhere.** Tokens depend on logits, policy and [`Key`] alone: not on the number
//!   of threads, the rest of the batch, the order of rows, alignment, or instruction set
//!   ([`Level`]); nor on whether the calling thread flushes subnormal numbers to zero. Rust expects
//!   that it rounds to nearest: otherwise statistics may be rounded otherwise, and tokens with them.
//!   A call from C sets the mode that it needs, and puts the caller's back.
//! * **Bad input is refused by name, bad rows are data.** An [`Error`] names the argument and its
//!   value, and nothing has been changed. A row with NaN, +∞ or no finite logit is marked
//!   [`RowState::Bad`], its position stays masked, and the other rows are unaffected.
//! * **Ties**: the largest logit of lowest id. Positions are chosen without replacement.
//! * **No surprises inside a step**: with one thread it does not allocate, lock, print, read the
//!   environment or start threads. More threads use a pool that the sampler owns.
//!
//! # Features
//!
//! `threads` (default): samplers with more than one thread, through rayon. `capi` (default): the C
//! functions of `include/demask.h`. `header`: regenerates that file, for maintainers.

#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used))]

mod canvas;
#[cfg(feature = "capi")]
mod capi;
mod constraints;
pub mod draw;
mod error;
mod lanes;
mod logits;
mod plan;
pub mod policy;
mod rng;
mod sampler;
pub mod schedule;
mod score;
mod select;
mod step;
mod stop;
mod threads;
mod update;

pub use canvas::{Canvas, PositionKind, PositionState, Segment};
pub use constraints::{AllowedTokens, Constraints, RowBias};
pub use draw::{Drawn, RowRecord, RowState, RowStatistics, Statistics, TopToken};
pub use draw::{RaceResult, RaceState};
pub use error::Error;
pub use half::{bf16, f16};
pub use lanes::Level;
pub use logits::{Logits, LogitsData, MAX_VOCAB};
pub use plan::Plan;
pub use policy::{Draw, Policy};
pub use rng::{Key, Purpose};
pub use sampler::{RowOutputs, Sampler, SamplerBuilder};
pub use schedule::{Grid, MultiJump, Noise, Sizes, TimeGrid, Transition};
pub use select::Select;
pub use step::StepReport;
pub use stop::Finish;
pub use update::Update;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Those of the page about decoding rules, too.
#[cfg(doctest)]
#[doc = include_str!("../docs/decoding.md")]
struct Decoding;
