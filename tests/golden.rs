//! Frozen results: `golden/values.txt` holds what the library gives for fixed inputs, and every level
//! of the CPU that this runs on must give the same, to the last bit.
//!
//! The file is written anew by
//!
//! ```sh
//! cargo test --test golden -- --write
//! ```
//!
//! which refuses if levels disagree. A change of any value there changes the results of every user: it
//! belongs into the changelog as value-breaking.
//!
//! Inputs come from the library's keyed generators, which `keys.rs` freezes, and from integers: nothing
//! that a platform might compute otherwise. Floats are written with as many digits as it takes to read
//! the same bits back. A line ends with a hash (FNV-1a) of all results of its case, of which it shows
//! the first.

mod golden {
    pub(crate) mod decoding;
    pub(crate) mod draws;
    pub(crate) mod inputs;
    pub(crate) mod lines;
    pub(crate) mod schedules;
    pub(crate) mod shards;
}

use demask::Level;
use golden::lines::Lines;
use golden::{decoding, draws, schedules, shards};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::HashSet;
use std::fmt::Write;

/// What was frozen.
const FROZEN: &str = include_str!("golden/values.txt");

type Section = (&'static str, fn(Level) -> Lines);

const SECTIONS: [Section; 10] = [
    ("draws", draws::draws),
    ("constraints", draws::constraints),
    ("statistics", draws::statistics),
    ("races_of_shards", shards::races),
    ("shards", shards::rounds),
    ("hitting_times", schedules::hitting_times),
    ("noise_schedules", schedules::noise),
    ("size_schedules", schedules::sizes),
    ("size_tables", schedules::tables),
    ("decoding", decoding::policies),
];

fn main() {
    if std::env::args().any(|argument| argument == "--write") {
        return write();
    }
    let levels = Level::ALL.into_iter().filter(|level| level.is_available());
    let names: Vec<_> = levels.map(Level::name).collect();
    println!("levels that run here: {} ({})", names.join(", "), std::env::consts::ARCH);
    // A level that this CPU lacks shows as ignored.
    let trials = Level::ALL.into_iter().flat_map(|level| {
        SECTIONS.map(|(name, section)| {
            let run = move || compare(name, &section(level));
            Trial::test(name, run).with_kind(level.name()).with_ignored_flag(!level.is_available())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// The lines of a section of the file.
fn frozen(section: &str) -> impl Iterator<Item = &'static str> {
    let head = format!("[{section}]");
    let lines = FROZEN.lines().skip_while(move |line| *line != head).skip(1);
    lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty())
}

fn compare(name: &str, found: &Lines) -> Result<(), Failed> {
    let frozen: Vec<_> = frozen(name).collect();
    if frozen == found.all() {
        return Ok(());
    }
    let mut message = format!("{} lines, {} frozen\n", found.all().len(), frozen.len());
    let pairs = frozen.iter().zip(found.all()).filter(|(frozen, found)| *frozen != found);
    for (frozen, found) in pairs.take(10) {
        let _ = write!(message, "  frozen {frozen}\n  found  {found}\n");
    }
    Err(message.into())
}

fn write() {
    let mut text =
        String::from("# Written by cargo test --test golden -- --write; see golden.rs.\n");
    let mut levels = Level::ALL.into_iter().filter(|level| level.is_available());
    let first = levels.next().expect("the baseline");
    let levels: Vec<_> = levels.collect();
    for (name, section) in SECTIONS {
        let lines = section(first);
        for &level in &levels {
            for (a, b) in lines.all().iter().zip(section(level).all()) {
                assert!(a == b, "levels disagree:\n{first}: {a}\n{level}: {b}");
            }
        }
        let _ = write!(text, "\n[{name}]\n{}\n", lines.all().join("\n"));
    }
    let known: HashSet<_> = FROZEN.lines().collect();
    let changed = text.lines().filter(|line| !known.contains(line)).count();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/values.txt");
    if let Err(error) = std::fs::write(file, &text) {
        panic!("{file}: {error}");
    }
    println!("{} lines written, {changed} of them new", text.lines().count());
}
