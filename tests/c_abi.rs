//! The C ABI from outside: `make -C ffi-tests check` passes, and a whole generation in C draws the
//! same tokens as in Rust.

#![cfg(target_os = "linux")]

use demask::{Canvas, Finish, Logits, Noise, Plan, Policy, Sampler, Segment};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

#[test]
fn c_programs_pass_and_draw_the_same_tokens() {
    let ffi_tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("ffi-tests");
    let check = Command::new("make")
        .arg("-C")
        .arg(ffi_tests)
        .arg("check")
        .output()
        .expect("make and a C compiler are installed");
    let report = String::from_utf8_lossy(&check.stdout);
    println!("{report}{}", String::from_utf8_lossy(&check.stderr));
    assert!(check.status.success(), "a check of ffi-tests failed; see above");
    assert!(report.contains(" passed, 0 failed"), "the checks were not made");

    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp");
    let program = target.join("ffi-tests/first_hitting-static");
    let from_c = Command::new(program).output().expect("ffi-tests built it");
    let from_c = String::from_utf8(from_c.stdout).expect("numbers and names");
    let from_rust = markov::report();
    assert_eq!(from_rust.lines().count(), 6 * 257, "six generations of 256 sequences");
    for (number, (c, rust)) in from_c.lines().zip(from_rust.lines()).enumerate() {
        assert_eq!(c, rust, "line {number}");
    }
    assert_eq!(from_c, from_rust);
}

/// The generations of `ffi-tests/first_hitting.c`, which says what they are.
mod markov {
    use super::*;

    const STATES: usize = 8;
    const MASK: i32 = STATES as i32;
    const VOCAB: usize = STATES + 1;
    const LENGTH: usize = 32;
    const SEQUENCES: usize = 256;
    const STAY: f64 = 0.9;

    /// ln(x) for 0 < x <= 1 from the four operations that every language rounds alike.
    fn natural_log(mut x: f64) -> f64 {
        let mut halvings = 0.0;
        while x < 0.75 {
            x *= 2.0;
            halvings += 1.0;
        }
        let z = (x - 1.0) / (x + 1.0);
        let terms = (1..=41).rev().step_by(2);
        let series = terms.fold(0.0, |series, k| series * (z * z) + 1.0 / f64::from(k));
        2.0 * z * series - halvings * core::f64::consts::LN_2
    }

    /// Logarithms of the entries of the powers of the transition matrix, off and on the diagonal.
    fn log_powers() -> [[f64; 2]; LENGTH] {
        let uniform = 1.0 / STATES as f64;
        let lambda = STAY - (1.0 - STAY) / (STATES - 1) as f64;
        let mut power = 1.0;
        let mut logs = [[f64::NEG_INFINITY, 0.0]; LENGTH];
        for log in &mut logs[1..] {
            power *= lambda;
            *log = [uniform - power * uniform, uniform + power * (1.0 - uniform)].map(natural_log);
        }
        logs
    }

    /// The logits of canvas position `at`.
    fn denoise(logs: &[[f64; 2]; LENGTH], tokens: &[i32], at: u32) -> [f32; VOCAB] {
        let (sequence, here) = (at as usize / LENGTH, at as usize % LENGTH);
        let sequence = &tokens[sequence * LENGTH..][..LENGTH];
        let left = (0..here).rev().find(|&i| sequence[i] != MASK);
        let right = (here + 1..LENGTH).find(|&i| sequence[i] != MASK);
        core::array::from_fn(|v| {
            if v == STATES {
                return 30.0;
            }
            let log = |i: usize| logs[i.abs_diff(here)][usize::from(sequence[i] == v as i32)];
            (left.map_or(0.0, log) + right.map_or(0.0, log)) as f32
        })
    }

    /// Generates, and prints what C prints.
    fn generate(
        name: &str,
        policies: &[Policy],
        policy_of: impl Fn(usize) -> usize,
    ) -> Result<String, demask::Error> {
        let logs = log_powers();
        let mut tokens = vec![MASK; SEQUENCES * LENGTH];
        let mut segments: Vec<_> = (0..SEQUENCES)
            .map(|i| Segment {
                begin: (i * LENGTH) as u32,
                end: ((i + 1) * LENGTH) as u32,
                seed: 2024,
                stream: i as u64,
                policy: policy_of(i) as u32,
                ..Segment::default()
            })
            .collect();
        let mut sampler = Sampler::builder(tokens.len(), SEQUENCES).build()?;
        let mut plan = Plan::with_capacity(tokens.len(), SEQUENCES);
        let (mut calls, mut rows) = (0, 0);
        loop {
            let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, policies)?;
            sampler.plan(&canvas, &mut plan)?;
            if plan.active() == 0 {
                break;
            }
            let row = |&at: &u32| denoise(&logs, canvas.tokens(), at);
            let data: Vec<f32> = plan.rows().iter().flat_map(row).collect();
            let logits = Logits::f32(&data, plan.rows().len(), VOCAB)?;
            sampler.step_planned(&mut canvas, &plan, &logits)?;
            calls += usize::from(!plan.rows().is_empty());
            rows += plan.rows().len();
        }

        let masks = tokens.iter().filter(|&&token| token == MASK).count();
        let pairs = tokens.chunks(LENGTH).flat_map(|sequence| sequence.windows(2));
        let stay = pairs.filter(|pair| pair[0] == pair[1] && pair[0] != MASK).count();
        let transitions = SEQUENCES * (LENGTH - 1);
        let mut lines = format!(
            "{name}: {calls} network calls, {rows} rows, {masks} masks left, \
             {stay} of {transitions} transitions stay\n"
        );
        for sequence in tokens.chunks(LENGTH) {
            let texts: Vec<_> = sequence.iter().map(i32::to_string).collect();
            writeln!(lines, "{}", texts.join(" ")).expect("a string takes all");
        }
        Ok(lines)
    }

    pub(super) fn report() -> String {
        let euler = |finish| {
            let mut policy = Policy::euler(Noise::Linear, 16);
            policy.schedule.end = 0.1;
            policy.stop.finish = finish;
            policy
        };
        let policies = [
            Policy::first_hitting(Noise::Linear),
            euler(Finish::None),
            euler(Finish::Sample),
            euler(Finish::Argmax),
            Policy::random_order(10),
        ];
        let names = ["first-hitting", "euler", "euler-sample", "euler-argmax", "random-order"];
        let pure = names.iter().enumerate().map(|(p, name)| generate(name, &policies, |_| p));
        pure.chain([generate("mixed", &policies, |i| i % policies.len())])
            .collect::<Result<String, _>>()
            .expect("good arguments")
    }
}
