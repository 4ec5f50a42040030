//! How near is every kernel to merely reading the logits?
//!
//! ```text
//! cargo bench --bench roofline                  all, a few minutes
//! cargo bench --bench roofline -- --quick       the main cases, half a minute
//! cargo bench --bench roofline -- --kernel draw --vocab 131072 --threads 1 --resident cache
//! ```
//!
//! For each batch (type, vocabulary, shape of the rows, in cache or in memory) and number of
//! threads, the loops that only read and all kernels take turns on the same memory; every number
//! is the median of these repetitions. The fastest reading loop is "read", which the others are
//! divided by. "ns/token" is the time of one logit, all threads together; GB/s are bytes of logits.
//! "plain" kernels are loops over one row as engines have them today, without this library.
//!
//! In cache: 2 MB of logits. In memory: rows that do not fit any cache, all of them distinct, each
//! visited once by a call. Threads that read or run a plain loop have been started before the clock
//! is; those of the library are woken by each call, in the time that is shown.
//!
//! Before it is timed, each kernel's tokens are compared with the law in f64. The lines are written
//! to `target/roofline.json` as well, with each of the reading loops.

#![allow(unsafe_code, reason = "huge pages are asked for by a system call")]

mod kernels;
mod machine;
mod measure;
mod pages;
mod read;
mod report;
mod rivals;
mod rows;
mod timing;

use clap::{Parser, ValueEnum};
use demask::Level;
use indicatif::{ProgressBar, ProgressStyle};
use kernels::{KERNELS, Kernel, Work};
use machine::Busy;
use measure::{Entry, Visit};
use pages::{PageSize, Pages};
use report::Line;
use rows::{Batch, Dtype, Shape};
use std::path::Path;
use std::time::{Duration, Instant};
use timing::Samples;

const VOCABS: [usize; 6] = [33, 32_000, 50_257, 126_464, 131_072, 262_144];
const CACHE_BYTES: usize = 2 << 20;

/// Times every kernel beside merely reading the logits.
#[derive(Parser)]
#[command(name = "roofline")]
struct Arguments {
    /// Only these kernels: an exact name, or a part of several.
    #[arg(long, value_delimiter = ';')]
    kernel: Vec<String>,
    /// Only these vocabularies; any number will do.
    #[arg(long, value_delimiter = ',')]
    vocab: Vec<usize>,
    /// Only this level: baseline, avx2 or avx512.
    #[arg(long, value_parser = level)]
    level: Option<Level>,
    /// Only these numbers of threads.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    threads: Vec<usize>,
    /// Only rows in cache, or only rows in memory.
    #[arg(long)]
    resident: Option<Resident>,
    /// Only these types.
    #[arg(long, value_delimiter = ',')]
    dtype: Vec<Dtype>,
    /// Only these shapes of rows.
    #[arg(long, value_delimiter = ',')]
    shape: Vec<Shape>,
    /// Bytes of f32 logits that do not fit any cache, in units of 2^20; half of it for 16 bits.
    #[arg(long, default_value_t = 512)]
    megabytes: usize,
    /// How often each number is measured.
    #[arg(long, default_value_t = 7)]
    repetitions: usize,
    /// The main cases only: f32, three vocabularies, three repetitions.
    #[arg(long)]
    quick: bool,
    /// Checks every kernel on small batches, and measures nothing.
    #[arg(long)]
    test: bool,
    /// What cargo says when benchmarks are to be measured.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Resident {
    Cache,
    Memory,
}

impl Resident {
    const fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Memory => "memory",
        }
    }
}

fn level(name: &str) -> Result<Level, String> {
    let level = Level::ALL.into_iter().find(|level| level.name() == name);
    let level = level.ok_or("baseline, avx2 or avx512")?;
    if level.is_available() { Ok(level) } else { Err("not a level of this CPU".into()) }
}

/// One batch to be made.
#[derive(Clone, Copy)]
struct Case {
    resident: Resident,
    dtype: Dtype,
    shape: Shape,
    vocab: usize,
}

impl Arguments {
    fn cases(&self) -> Vec<Case> {
        let vocabs = match (&self.vocab[..], self.quick) {
            ([], true) => &[33, 50_257, 131_072],
            ([], false) => &VOCABS[..],
            (chosen, _) => chosen,
        };
        let dtypes = match (&self.dtype[..], self.quick) {
            ([], true) => &[Dtype::F32],
            ([], false) => Dtype::value_variants(),
            (chosen, _) => chosen,
        };
        let shapes = match &self.shape[..] {
            [] => Shape::value_variants(),
            chosen => chosen,
        };
        let mut cases = Vec::new();
        for resident in [Resident::Cache, Resident::Memory] {
            for &dtype in dtypes {
                for &shape in shapes {
                    // What a row looks like does not matter much where memory is waited for.
                    let telling = shape == Shape::MAIN
                        || resident == Resident::Cache
                        || dtype == Dtype::F32 && !self.quick;
                    let here = self.resident.is_none_or(|wanted| wanted == resident);
                    if here && (telling || !self.shape.is_empty()) {
                        let case = |&vocab| Case { resident, dtype, shape, vocab };
                        cases.extend(vocabs.iter().map(case));
                    }
                }
            }
        }
        cases
    }

    fn kernels(&self) -> Vec<&'static Kernel> {
        let exact = |kernel: &&Kernel| self.kernel.iter().any(|name| name == kernel.name);
        let part = |kernel: &&Kernel| self.kernel.iter().any(|name| kernel.name.contains(name));
        if self.kernel.is_empty() {
            return KERNELS.iter().collect();
        }
        let chosen: Vec<_> = KERNELS.iter().filter(exact).collect();
        if chosen.is_empty() { KERNELS.iter().filter(part).collect() } else { chosen }
    }

    fn repetitions(&self) -> usize {
        if self.quick { self.repetitions.min(3) } else { self.repetitions.max(1) }
    }
}

impl Case {
    /// How many rows its batch has.
    fn rows(&self, megabytes: usize) -> usize {
        match self.resident {
            Resident::Cache => CACHE_BYTES / (self.vocab * self.dtype.bytes()),
            Resident::Memory => ((megabytes << 18) / self.vocab).min(1 << 20),
        }
    }

    fn describe(&self) -> String {
        format!("{} {} {} V {}", self.resident.name(), self.dtype, self.shape, self.vocab)
    }
}

fn available() -> impl DoubleEndedIterator<Item = Level> {
    Level::ALL.into_iter().rev().filter(|level| level.is_available())
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    read::check();
    if arguments.test || !arguments.bench {
        return test(&arguments);
    }
    let cases = arguments.cases();
    for (name, value) in machine::describe() {
        println!("{name:<12} {value}");
    }
    println!("{:<12} {} (best), of {:?}", "level", Level::detect(), Level::ALL.map(Level::name));
    let (start, before) = (Instant::now(), Busy::now());
    let bytes =
        cases.iter().map(|case| case.rows(arguments.megabytes) * case.vocab * case.dtype.bytes());
    let mut pages = Pages::new(bytes.max().unwrap_or(0), PageSize::Huge);
    if let Some(share) = pages.huge_share() {
        println!("{:<12} {:.0} % of the logits lie on pages of 2 MB", "pages", 100.0 * share);
    }

    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} {msg} ({elapsed}, {eta} left)")?;
    let bar = ProgressBar::new((cases.len() * arguments.threads.len()) as u64).with_style(style);
    let mut lines = Vec::new();
    for case in &cases {
        let rows = case.rows(arguments.megabytes);
        bar.set_message(case.describe());
        let batch = Batch::new(&mut pages, case.dtype, case.shape, case.vocab, rows);
        let mut checked = Vec::new();
        for &threads in &arguments.threads {
            if rows >= threads {
                let before = Busy::now();
                let measured = measure(&arguments, case, batch, threads, &mut checked);
                let others = Busy::others_since(before);
                bar.suspend(|| {
                    print!("{}", report::block(&measured));
                    if let Some(share) = others.filter(|&share| share > 0.1) {
                        let share = 100.0 * share;
                        println!("  {share:.0} % of the busy time was other processes': not to be trusted");
                    }
                });
                lines.extend(measured);
            }
            bar.inc(1);
        }
    }
    if arguments.resident != Some(Resident::Cache) && !cases.is_empty() {
        let small = small_pages(&arguments, &mut pages);
        bar.suspend(|| print!("{}", report::block(&small)));
        lines.extend(small);
    }
    bar.finish_and_clear();
    print!("{}", report::summary(&lines, arguments.level.unwrap_or_else(Level::detect).name()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/roofline.json");
    report::write(&lines, &path)?;
    println!("\n{} lines in {} after {:.0?}", lines.len(), path.display(), start.elapsed());
    if let Some(share) = Busy::others_since(before) {
        println!("{:.0} % of the busy time of the cores was other processes'", 100.0 * share);
    }
    Ok(())
}

/// All kernels that belong to this case, in turns.
fn measure(
    arguments: &Arguments,
    case: &Case,
    batch: Batch<'_>,
    threads: usize,
    checked: &mut Vec<(&'static str, Level)>,
) -> Vec<Line> {
    let best = arguments.level.unwrap_or_else(Level::detect);
    // Enough for the threads to be worth waking: 2^24 tokens, but not so many rows that their keys
    // leave the cache.
    let passes = if threads == 1 || case.resident == Resident::Memory {
        1
    } else {
        ((1 << 24) / (batch.rows * batch.vocab)).min((1 << 16) / batch.rows).max(1)
    };
    let visit = Visit::new(batch, threads, passes);
    let mut entries: Vec<_> =
        read::READS.map(|(name, read)| Entry::read(name, read, Level::detect(), &visit)).into();
    if batch.dtype != Dtype::F32 {
        entries.pop();
    }
    let reads = entries.len();
    let main = case.shape == Shape::MAIN;
    for kernel in arguments.kernels() {
        if !main && !kernel.every_shape && arguments.shape.is_empty() {
            continue;
        }
        let levels: Vec<_> = match kernel.work {
            Work::Plain(_) if batch.dtype != Dtype::F32 => continue,
            Work::Plain(_) => vec![best],
            Work::Library(_) => {
                let lower = case.resident == Resident::Cache && threads == 1 && main;
                let lower = lower && arguments.level.is_none();
                available().filter(|&level| level == best || lower).collect()
            }
        };
        for level in levels {
            if !checked.contains(&(kernel.name, level)) {
                measure::check(kernel, level, &batch);
                checked.push((kernel.name, level));
            }
            entries.push(Entry::kernel(kernel, level, &visit));
        }
    }
    let read = take_turns(&mut entries, reads, arguments);
    let line = |name: &str, level: &str, samples: &Samples| {
        let ratio = samples.median() / read.median();
        Line {
            kernel: name.into(),
            level: level.into(),
            ..Line::new(samples, &visit, case.resident.name(), ratio)
        }
    };
    let mut lines = vec![line("read", Level::detect().name(), &read)];
    lines.extend(entries.iter().map(|entry| line(entry.name, &entry.level, &entry.samples)));
    lines
}

/// Repeats all entries in turns; the samples of the fastest of the first `reads`.
fn take_turns(entries: &mut [Entry<'_>], reads: usize, arguments: &Arguments) -> Samples {
    let time = Duration::from_millis(if arguments.quick { 1 } else { 2 });
    for entry in &mut *entries {
        // A plain loop needs several rows, since its time depends on them.
        entry.calibrate(if entry.level == "plain" { 8 * time } else { time });
    }
    for repetition in 0..arguments.repetitions() {
        for entry in &mut *entries {
            if repetition < 3 || entry.latest() < Duration::from_millis(100) {
                entry.repeat();
            }
        }
    }
    let medians = entries[..reads].iter().map(|entry| &entry.samples);
    let fastest = medians.min_by(|a, b| a.median().total_cmp(&b.median()));
    fastest.cloned().unwrap_or_default()
}

/// What reading from memory costs with the usual pages of 4 KB, beside the larger ones.
fn small_pages(arguments: &Arguments, pages: &mut Pages) -> Vec<Line> {
    let vocab = 131_072;
    let case =
        Case { resident: Resident::Memory, dtype: Dtype::F32, shape: Shape::Constant, vocab };
    let rows = case.rows(arguments.megabytes);
    let mut small = Pages::new(4 * rows * vocab, PageSize::Small);
    let batches =
        [pages, &mut small].map(|pages| Batch::new(pages, case.dtype, case.shape, vocab, rows));
    let mut lines = Vec::new();
    for &threads in &arguments.threads {
        let visits = batches.map(|batch| Visit::new(batch, threads, 1));
        let reads =
            |visit| read::READS.map(|(name, read)| Entry::read(name, read, Level::detect(), visit));
        let mut entries: Vec<_> = visits.iter().flat_map(reads).collect();
        let huge = take_turns(&mut entries, read::READS.len(), arguments);
        let small = entries[read::READS.len()..].iter().map(|entry| &entry.samples);
        let small = small.min_by(|a, b| a.median().total_cmp(&b.median())).unwrap_or(&huge);
        for (name, samples) in [("read", &huge), ("read, pages of 4 KB", small)] {
            let ratio = samples.median() / huge.median();
            let line = Line::new(samples, &visits[0], case.resident.name(), ratio);
            lines.push(Line { kernel: name.into(), level: Level::detect().name().into(), ..line });
        }
    }
    lines
}

/// Every kernel at every level on small batches, against its law.
fn test(arguments: &Arguments) -> anyhow::Result<()> {
    let mut pages = Pages::new(1 << 20, PageSize::Huge);
    let mut checks = 0;
    for &dtype in Dtype::value_variants() {
        for &shape in Shape::value_variants() {
            for vocab in [33, 5_003] {
                let batch = Batch::new(&mut pages, dtype, shape, vocab, 8);
                for kernel in arguments.kernels() {
                    let plain = matches!(kernel.work, Work::Plain(_));
                    if plain && dtype != Dtype::F32 {
                        continue;
                    }
                    for level in available().filter(|&level| !plain || level == Level::detect()) {
                        measure::check(kernel, level, &batch);
                        for threads in [1, 2] {
                            let visit = Visit::new(batch, threads, 2);
                            let mut entry = Entry::kernel(kernel, level, &visit);
                            entry.calibrate(Duration::ZERO);
                            entry.repeat();
                            assert!(entry.samples.median() > 0.0, "time passes");
                        }
                        checks += 1;
                    }
                }
            }
        }
    }
    println!("roofline: {checks} checks of {} kernels passed", arguments.kernels().len());
    Ok(())
}
