//! Running one kernel on one batch, many times.

use crate::kernels::{Call, Kernel, Outcome, Work};
use crate::read::Read;
use crate::rivals::{Rival, Working};
use crate::rows::Batch;
use crate::timing::{Samples, together};
use demask::{Key, Level, Logits, Sampler};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A batch, and how often one call goes over its rows.
///
/// With several threads a call must be worth waking them for, so a batch in cache is named several
/// times by one call; every thread keeps to its own share of the rows.
pub(crate) struct Visit<'a> {
    pub(crate) batch: Batch<'a>,
    pub(crate) threads: usize,
    /// The physical row of each logical row of a call.
    index: Vec<u32>,
    passes: usize,
}

impl<'a> Visit<'a> {
    pub(crate) fn new(batch: Batch<'a>, threads: usize, passes: usize) -> Self {
        let shares = (0..threads).map(|thread| batch.share(thread, threads));
        let index = shares
            .flat_map(|share| (0..passes).flat_map(move |_| share.clone().map(|row| row as u32)));
        Self { batch, threads, index: index.collect(), passes }
    }

    fn logits<'b>(&'b self) -> Logits<'b>
    where
        'a: 'b,
    {
        let Batch { rows, vocab, .. } = self.batch;
        let index = (self.threads > 1 || self.passes > 1).then_some(&self.index[..]);
        Logits::new(self.batch.data(), rows, vocab, vocab, index).expect("a fine view")
    }
}

/// A kernel at a level with its memory, ready to run, and what was measured so far.
pub(crate) struct Entry<'a> {
    pub(crate) name: &'static str,
    pub(crate) level: String,
    pub(crate) samples: Samples,
    visit: &'a Visit<'a>,
    runner: Runner,
    /// Calls between two looks at the clock.
    calls: usize,
    latest: Duration,
}

enum Runner {
    Read(Read, Level),
    Library {
        call: Call,
        sampler: Box<Sampler>,
        keys: Vec<Vec<Key>>,
        next: usize,
    },
    Plain {
        rival: Rival,
        work: Vec<Mutex<(Working, Xoshiro256PlusPlus)>>,
        rows: usize,
        next: usize,
    },
}

impl<'a> Entry<'a> {
    pub(crate) fn read(name: &'static str, read: Read, level: Level, visit: &'a Visit<'a>) -> Self {
        Self::new(name, level.name(), visit, Runner::Read(read, level))
    }

    pub(crate) fn kernel(kernel: &Kernel, level: Level, visit: &'a Visit<'a>) -> Self {
        let threads = visit.threads;
        match kernel.work {
            Work::Library(call) => {
                let rows = visit.index.len();
                // So many sets of keys that the number of proposals averages out.
                let sets = (4096 / rows).clamp(1, 1024) as u32;
                let stream = |step| {
                    let key = move |stream| Key { stream, step, ..Key::default() };
                    (0..rows as u64).map(key).collect()
                };
                let builder = Sampler::builder(rows, 1).level(level).threads(threads);
                let sampler = builder.vocab(visit.batch.vocab).build().expect("a sampler");
                let runner = Runner::Library {
                    call,
                    sampler: Box::new(sampler),
                    keys: (0..sets).map(stream).collect(),
                    next: 0,
                };
                Self::new(kernel.name, level.name(), visit, runner)
            }
            Work::Plain(rival) => {
                let generator = |seed| Xoshiro256PlusPlus::seed_from_u64(seed);
                let work = (0..threads as u64)
                    .map(|seed| Mutex::new((Working::default(), generator(seed))));
                let runner = Runner::Plain { rival, work: work.collect(), rows: 1, next: 0 };
                Self::new(kernel.name, "plain", visit, runner)
            }
        }
    }

    fn new(name: &'static str, level: &str, visit: &'a Visit<'a>, runner: Runner) -> Self {
        Self {
            name,
            level: level.into(),
            samples: Samples::default(),
            visit,
            runner,
            calls: 1,
            latest: Duration::ZERO,
        }
    }

    /// Warms up, and makes a repetition last about `time`: a call at least, for a plain loop a row
    /// of each thread.
    pub(crate) fn calibrate(&mut self, time: Duration) {
        // Twice, for the first is of cold memory.
        self.run();
        let (elapsed, _) = self.run();
        let times = (time.as_secs_f64() / elapsed.as_secs_f64().max(1e-9)).clamp(1.0, 1e5) as usize;
        match &mut self.runner {
            Runner::Plain { rows, .. } => {
                *rows = times.clamp(1, (self.visit.batch.rows / self.visit.threads).max(1));
            }
            _ => self.calls = times,
        }
    }

    /// One repetition.
    pub(crate) fn repeat(&mut self) {
        let (elapsed, tokens) = self.run();
        self.samples.push(elapsed.as_secs_f64() / tokens as f64);
        self.latest = elapsed;
    }

    /// How long the latest repetition took.
    pub(crate) fn latest(&self) -> Duration {
        self.latest
    }

    /// The time of one repetition, and how many tokens it looked at.
    fn run(&mut self) -> (Duration, usize) {
        let Self { visit, runner, calls, .. } = self;
        let (batch, threads) = (visit.batch, visit.threads);
        match runner {
            Runner::Read(read, level) => {
                let elapsed;
                let passes = *calls * visit.passes;
                let bytes = if visit.passes > 1 || threads == 1 {
                    // In cache every thread keeps to its share, which may be in a cache of its own.
                    let shares: Vec<_> =
                        (0..threads).map(|t| batch.words(batch.share(t, threads))).collect();
                    elapsed = together(threads, |thread| {
                        for _ in 0..passes {
                            read(*level, black_box(shares[thread]));
                        }
                    });
                    shares.iter().map(|share| 8 * share.len()).sum::<usize>()
                } else {
                    // In memory a thread that is held up leaves the rest to the others.
                    let words = batch.words(0..batch.rows);
                    let pieces: Vec<_> = words.chunks(words.len().div_ceil(32 * threads)).collect();
                    let taken = AtomicUsize::new(0);
                    elapsed = together(threads, |_| {
                        loop {
                            let piece = taken.fetch_add(1, Ordering::Relaxed);
                            if piece >= passes * pieces.len() {
                                break;
                            }
                            read(*level, black_box(pieces[piece % pieces.len()]));
                        }
                    });
                    8 * words.len()
                };
                (elapsed, passes * bytes / batch.dtype.bytes())
            }
            Runner::Library { call, sampler, keys, next } => {
                let logits = visit.logits();
                let start = Instant::now();
                for _ in 0..*calls {
                    black_box(call(sampler, black_box(&logits), &keys[*next % keys.len()]));
                    *next += 1;
                }
                (start.elapsed(), *calls * visit.index.len() * batch.vocab)
            }
            Runner::Plain { rival, work, rows, next } => {
                let logits = batch.f32().unwrap_or_default();
                let elapsed = together(threads, |thread| {
                    let mut work = work[thread].lock().expect("no thread panics");
                    let (work, rng) = &mut *work;
                    let share = batch.share(thread, threads);
                    for k in *next..*next + *rows {
                        let row = share.start + k % share.len();
                        let row = &logits[row * batch.vocab..(row + 1) * batch.vocab];
                        black_box(rival(work, black_box(row), rng));
                    }
                });
                *next += *rows;
                (elapsed, threads * *rows * batch.vocab)
            }
        }
    }
}

/// Lets a kernel's own check look at many outcomes for the first row.
pub(crate) fn check(kernel: &Kernel, level: Level, batch: &Batch<'_>) {
    let row = batch.first();
    // As many as take a few hundredths of a second.
    let count = ((1 << 22) / row.len()).clamp(16, 512);
    match kernel.work {
        Work::Library(call) => {
            let index = vec![0; count];
            let logits = Logits::new(batch.data(), 1, row.len(), row.len(), Some(&index));
            let keys: Vec<_> =
                (0..count as u64).map(|stream| Key { stream, ..Key::default() }).collect();
            let sampler = Sampler::builder(count, 1).level(level).vocab(row.len()).build();
            let mut sampler = sampler.expect("a sampler");
            (kernel.check)(&call(&mut sampler, &logits.expect("a fine view"), &keys), &row);
        }
        Work::Plain(rival) => {
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
            let mut work = Working::default();
            let tokens: Vec<_> = (0..count).map(|_| rival(&mut work, &row, &mut rng)).collect();
            (kernel.check)(&Outcome::Tokens(&tokens), &row);
        }
    }
}
