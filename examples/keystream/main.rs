//! Writes the random words of neighbouring keys, for a battery of statistical tests.
//!
//! `cargo run --release --example keystream -- generators --along position | RNG_test stdin64`.
//! `docs/keys.md` says how to get PractRand's `RNG_test`, and what it found.

use clap::error::ErrorKind as ClapErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use demask::draw::oracle;
use demask::{Key, Purpose};
use rand_xoshiro::Xoshiro128PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::io::{ErrorKind, Result, Write};

/// Writes the random words of neighbouring keys to standard output, without end, for a battery of
/// statistical tests.
#[derive(Parser)]
#[command(name = "keystream")]
struct Arguments {
    what: What,

    /// How a key differs from the one before
    #[arg(long, value_name = "FIELD", default_value = "position")]
    along: Along,

    /// What the generators are for, by the number of the purpose, where keys do not differ in it
    #[arg(long, value_name = "NUMBER", default_value_t = 0,
          value_parser = clap::value_parser!(u8).range(..PURPOSES.len() as i64))]
    purpose: u8,

    /// How many words to take of a key: outputs of its generator, groups of 16 hitting times, or
    /// tokens of its race
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    words: u32,
}

/// The words that the library makes of a key.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// The outputs of a key's generator, 64 bits each
    Generators,
    /// What first-hitting times are made of: 64 bits for each of 16 lanes
    Hits,
    /// The high 16 bits of each token's noise in the exponential race
    RaceHigh,
    /// The low 64 bits of the same
    RaceLow,
}

/// A way to count keys.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Along {
    Seed,
    Stream,
    /// Carries into the position
    Step,
    /// Carries into the step
    Position,
    /// Carries into the position
    Draw,
    /// All purposes of a stream, then the next stream
    Purpose,
    /// Purposes, then 128 positions, then 64 streams, then steps: what a batch uses
    Batch,
    /// Seed, stream, step and position together
    Diagonal,
    /// Seeds by the odd constant that SplitMix64 counts with
    Golden,
}

const PURPOSES: [Purpose; 16] = [
    Purpose::Token,
    Purpose::Reveal,
    Purpose::Order,
    Purpose::Hit,
    Purpose::HitLane,
    Purpose::Race,
    Purpose::Sizes,
    Purpose::Predrawn,
    Purpose::RowReveal,
    Purpose::HitPosition,
    Purpose::Score,
    Purpose::ScoreNoise,
    Purpose::Remask,
    Purpose::Route,
    Purpose::NoiseToken,
    Purpose::FirstNoise,
];

impl Along {
    /// The key, the purpose and the draw that come `n`-th.
    #[inline(always)]
    fn key(self, n: u64, purpose: Purpose) -> (Key, Purpose, u32) {
        let (low, high) = (n as u32, (n >> 32) as u32);
        let of = |seed, stream, step, position| Key { seed, stream, step, position };
        match self {
            Self::Seed => (of(n, 0, 0, 0), purpose, 0),
            Self::Stream => (of(0, n, 0, 0), purpose, 0),
            Self::Step => (of(0, 0, low, high), purpose, 0),
            Self::Position => (of(0, 0, high, low), purpose, 0),
            Self::Draw => (of(0, 0, 0, high), purpose, low),
            Self::Purpose => (of(0, n / 16, 0, 0), PURPOSES[n as usize % 16], 0),
            Self::Batch => {
                let (place, position) = (n / 16, (n / 16 % 128) as u32);
                let (stream, step) = (place / 128 % 64, (place / (128 * 64)) as u32);
                (of(0, stream, step, position), PURPOSES[n as usize % 16], 0)
            }
            Self::Diagonal => (of(n, n, low, low), purpose, 0),
            Self::Golden => (of(n.wrapping_mul(0x9E37_79B9_7F4A_7C15), 0, 0, 0), purpose, 0),
        }
    }
}

impl Arguments {
    /// Whether the words depend on what is counted.
    fn varies(&self) -> bool {
        match (self.what, self.along) {
            (What::Hits, Along::Position | Along::Draw | Along::Purpose | Along::Batch) => false,
            (What::RaceHigh | What::RaceLow, Along::Purpose | Along::Batch) => false,
            (What::Generators | What::Hits | What::RaceHigh | What::RaceLow, _) => true,
        }
    }

    /// Appends the words of key `n`.
    #[inline(always)]
    fn append(&self, n: u64, bytes: &mut Vec<u8>) {
        let (key, purpose, draw) = self.along.key(n, PURPOSES[usize::from(self.purpose)]);
        match self.what {
            What::Generators => {
                let mut rng = key.draw_generator(purpose, draw);
                for _ in 0..self.words {
                    bytes.extend(rng.next_u64().to_le_bytes());
                }
            }
            What::Hits => {
                let mut lanes: [_; 16] = core::array::from_fn(|lane| lane_generator(key, lane));
                for _ in 0..self.words {
                    for rng in &mut lanes {
                        let (high, low) = (rng.next_u32(), rng.next_u32());
                        bytes.extend((u64::from(high) << 32 | u64::from(low)).to_le_bytes());
                    }
                }
            }
            What::RaceHigh => {
                for bits in oracle::race_bits(self.words as usize, key, draw) {
                    bytes.extend(((bits >> 64) as u16).to_le_bytes());
                }
            }
            What::RaceLow => {
                for bits in oracle::race_bits(self.words as usize, key, draw) {
                    bytes.extend((bits as u64).to_le_bytes());
                }
            }
        }
    }
}

/// A lane of `hitting::all`: it takes the place of the position.
#[inline(always)]
fn lane_generator(key: Key, lane: usize) -> Xoshiro128PlusPlus {
    let [first, second, ..] = Key { position: lane as u32, ..key }.state(Purpose::HitLane);
    let mut seed = [0; 16];
    seed[..8].copy_from_slice(&first.to_le_bytes());
    seed[8..].copy_from_slice(&second.to_le_bytes());
    Xoshiro128PlusPlus::from_seed(seed)
}

fn main() -> Result<()> {
    const BATCH: usize = 1 << 18;
    let arguments = Arguments::parse();
    if !arguments.varies() {
        let Arguments { what, along, .. } = arguments;
        let message = format!("{what:?} have the same words along {along:?}");
        Arguments::command().error(ClapErrorKind::ArgumentConflict, message).exit();
    }
    let mut out = std::io::stdout().lock();
    let mut bytes = Vec::with_capacity(2 * BATCH);
    for n in 0.. {
        arguments.append(n, &mut bytes);
        if bytes.len() >= BATCH {
            match out.write_all(&bytes) {
                // The reader has seen enough.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
                result => result?,
            }
            bytes.clear();
        }
    }
    Ok(())
}
