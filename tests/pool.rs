//! When a sampler's threads exist, and when they are woken: from what the kernel of the system counts
//! for each of them. Nothing here depends on time, beyond waiting for threads to fall asleep.

#![cfg(all(target_os = "linux", feature = "threads"))]

mod rows;

use demask::{Canvas, Constraints, Draw, Logits, LogitsData, Policy, Sampler, Segment};
use rows::{keys, normal_row};
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// How often each thread of this process went to sleep or was interrupted, by its id; only those
/// whose name begins with `name`.
fn switches(name: &str) -> BTreeMap<u64, u64> {
    let mut all = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").expect("threads are listed") {
        let path = task.expect("a thread").path();
        // A thread may end meanwhile.
        let Ok(status) = fs::read_to_string(path.join("status")) else { continue };
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(str::trim).unwrap_or_default()
        };
        if field("Name:").starts_with(name) {
            let number = |name| field(name).parse::<u64>().expect("a number");
            let count = number("voluntary_ctxt_switches:") + number("nonvoluntary_ctxt_switches:");
            all.insert(number("Pid:"), count);
        }
    }
    all
}

/// The same, once all of them sleep: no count changes in a tenth of a second.
fn asleep(name: &str) -> BTreeMap<u64, u64> {
    let mut before = switches(name);
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let now = switches(name);
        if now == before {
            return now;
        }
        before = now;
    }
}

// The only test of this file, since the threads of others would be counted too.
#[test]
fn threads_are_made_and_woken_only_for_large_batches() {
    let (rows, vocab) = (64, 20_000);
    let data = normal_row(rows * vocab, 1.0, 0.0, 1);
    let small = Logits::f32(&data, 2, vocab).expect("a view");
    let large = Logits::f32(&data, rows, vocab).expect("a view");
    let row = Logits::new(LogitsData::F32(&data), 1, 1 << 20, 1 << 20, None).expect("a view");
    let (draw, none) = (Draw::at(1.0), Constraints::NONE);

    // One thread is the caller's: no other is made, neither ours nor rayon's.
    let threads = switches("").len();
    let mut alone = Sampler::builder(rows, 1).vocab(1 << 20).build().expect("a sampler");
    for _ in 0..5 {
        alone.draw(&large, &draw, &none, &keys(rows, 1)).expect("a draw");
    }
    assert_eq!(switches("").len(), threads, "threads that were there before");
    assert!(switches("demask-").is_empty());

    let builder = Sampler::builder(1 << 15, 1).threads(3).vocab(1 << 20);
    let mut sampler = builder.build().expect("a sampler");
    let before = asleep("demask-");
    assert_eq!(before.len(), 3, "the pool");
    for _ in 0..2_000 {
        sampler.draw(&small, &draw, &none, &keys(2, 1)).expect("a draw");
    }
    // One row is the work of one thread, however long and however often it is drawn from.
    sampler.draw(&row, &draw, &none, &keys(1, 1)).expect("a draw");
    sampler.draw_many(&row, &draw, &none, &keys(1, 1), 1 << 15).expect("a draw");
    let (mut tokens, policies) = ([-1; 2], [Policy::random_order(1)]);
    let mut segments = [Segment { end: 2, ..Segment::default() }];
    let mut canvas = Canvas::new(&mut tokens, -1, &mut segments, &policies).expect("a canvas");
    sampler.step(&mut canvas, &small).expect("a step");
    assert_eq!(switches("demask-"), before, "no thread of the pool was woken");

    sampler.draw(&large, &draw, &none, &keys(rows, 1)).expect("a draw");
    assert!(asleep("demask-").iter().any(|(id, count)| *count > before[id]), "now some were");
}
