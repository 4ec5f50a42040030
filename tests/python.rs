//! `examples/python` reads the C header as a C compiler does, and gives the same tokens as Rust.
//!
//! It needs python3 with numpy: $PYTHON, `python3` or `/usr/bin/python3`. Without one the tests show
//! as ignored, and fail if CI is true.

use demask::{
    Canvas, Constraints, Draw, Finish, Key, Logits, LogitsData, Noise, Plan, Policy, Sampler,
    Segment, bf16, f16, policy::DrawMethod,
};
use libtest_mimic::{Arguments, Trial};
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let python = python();
    let ignored = python.is_none() && std::env::var("CI").as_deref() != Ok("true");
    let trial = |name, test: fn(&Path)| {
        let python = python.clone();
        let run = move || {
            test(&python.ok_or("neither $PYTHON nor python3 has numpy")?);
            Ok(())
        };
        Trial::test(name, run).with_kind("python3 with numpy").with_ignored_flag(ignored)
    };
    let trials = vec![
        trial("the_header_is_read_as_in_c", the_header_is_read_as_in_c),
        trial("arrays_are_taken_as_they_lie", arrays_are_taken_as_they_lie),
        trial("python_draws_the_same_tokens", python_draws_the_same_tokens),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A Python that has numpy.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("PYTHON").map(PathBuf::from);
    let found = ["python3", "/usr/bin/python3"].map(PathBuf::from);
    named.into_iter().chain(found).find(|python| {
        let tried = Command::new(python).args(["-c", "import numpy"]).output();
        tried.is_ok_and(|output| output.status.success())
    })
}

/// What a script of `examples/python` prints, with the release library.
fn printed(python: &Path, script: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let build = Command::new(std::env::var_os("CARGO").expect("cargo runs the tests"))
        .args(["build", "--release", "--quiet"])
        .current_dir(root)
        .status();
    assert!(build.expect("cargo is there").success(), "the library does not build");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp");
    let names = ["libdemask.so", "libdemask.dylib", "demask.dll"];
    let library = names.map(|name| target.join("release").join(name));
    let output = Command::new(python)
        .args(["-B", "-W", "error"])
        .arg(root.join("examples/python").join(script))
        .env("DEMASK_LIBRARY", library.iter().find(|path| path.exists()).expect("a shared library"))
        .env("DEMASK_HEADER", root.join("include/demask.h"))
        .output()
        .expect("python was found");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed:\n{errors}");
    String::from_utf8(output.stdout).expect("names and numbers")
}

fn the_header_is_read_as_in_c(python: &Path) {
    let report = printed(python, "check_layout.py");
    assert!(report.ends_with("are as in C\n"), "{report}");
}

fn arrays_are_taken_as_they_lie(python: &Path) {
    assert_eq!(printed(python, "check_arrays.py"), "arrays are taken as they lie, or refused\n");
}

fn python_draws_the_same_tokens(python: &Path) {
    let from_rust = draws() + &generations();
    assert_eq!(from_rust.lines().count(), 5 * 4 + 5 * 2, "20 draws, 10 generations");
    let from_python = printed(python, "same_tokens.py");
    for (python, rust) in from_python.lines().zip(from_rust.lines()) {
        assert_eq!(python, rust);
    }
    assert_eq!(from_python, from_rust);
}

fn line(name: &str, tokens: &[i32]) -> String {
    let texts: Vec<_> = tokens.iter().map(i32::to_string).collect();
    format!("{name}: {}\n", texts.join(" "))
}

/// The draws of `same_tokens.py`.
fn draws() -> String {
    const ROWS: usize = 24;
    const VOCAB: usize = 1003;
    const STRIDE: usize = 1010;

    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state
    };
    let data: Vec<f32> = (0..ROWS * STRIDE).map(|_| (next() >> 25) as f32 / 8.0).collect();
    let halves: Vec<f16> = data.iter().map(|&x| f16::from_f32(x)).collect();
    let brains: Vec<bf16> = data.iter().map(|&x| bf16::from_f32(x)).collect();
    let reverse: Vec<u32> = (0..ROWS as u32).rev().collect();
    let keys: Vec<Key> =
        (0..ROWS as u32).map(|position| Key { seed: 2024, stream: 7, step: 3, position }).collect();
    let f32s = LogitsData::F32(&data);
    let view =
        |data, index| Logits::new(data, ROWS, VOCAB, STRIDE, index).expect("the rows are there");
    let reversed = view(f32s, Some(&reverse));
    let views = [
        ("f32", view(f32s, None)),
        ("f16", view(LogitsData::F16(&halves), None)),
        ("bf16", view(LogitsData::Bf16(&brains), None)),
        ("reversed", reversed),
        ("guided", view(f32s, None).guided(&reversed, 1.75).expect("a fitting guide")),
    ];
    let plain = Draw::at(1.5);
    let rules = [
        ("plain", plain),
        ("greedy", Draw::at(0.0)),
        ("filters", Draw { top_k: 40, top_p: 0.95, min_p: 0.03125, ..plain }),
        ("race", Draw { method: DrawMethod::ExponentialRace, ..plain }),
    ];
    let mut sampler = Sampler::builder(ROWS, 1).build().expect("a sampler");
    let mut lines = String::new();
    for (view, logits) in &views {
        for (rule, draw) in &rules {
            let drawn = sampler.draw(logits, draw, &Constraints::NONE, &keys).expect("a draw");
            let tokens: Vec<i32> = drawn.iter().map(|drawn| drawn.token).collect();
            lines += &line(&format!("{view}, {rule}"), &tokens);
        }
    }
    lines
}

/// The generations of `same_tokens.py`.
fn generations() -> String {
    let mut ancestral = Policy::ancestral(Noise::Cosine, 9);
    ancestral.stop.finish = Finish::Sample;
    let mut random_order = Policy::random_order(6);
    random_order.draw.temperature = 0.5;
    let mut llada = Policy::llada(5);
    llada.draw.temperature = 1.0;
    let policies = [
        ("first-hitting", Policy::first_hitting(Noise::Linear)),
        ("random order", random_order),
        ("ancestral", ancestral),
        ("llada", llada),
        ("fast-dllm", Policy::fast_dllm(0.125)),
    ];
    let of = |(name, policy)| [true, false].map(|planned| generation(name, policy, planned));
    policies.into_iter().flat_map(of).collect()
}

const SEQUENCES: usize = 3;
const LENGTH: usize = 20;
const STATES: usize = 50;
const MASK: i32 = -1;

fn generation(name: &str, policy: Policy<'_>, planned: bool) -> String {
    let mut tokens = [MASK; SEQUENCES * LENGTH];
    let mut segments: [_; SEQUENCES] = core::array::from_fn(|i| Segment {
        begin: (i * LENGTH) as u32,
        end: ((i + 1) * LENGTH) as u32,
        seed: 2024,
        stream: i as u64,
        ..Segment::default()
    });
    let policies = [policy];
    let mut sampler = Sampler::builder(tokens.len(), SEQUENCES).build().expect("a sampler");
    let mut plan = Plan::with_capacity(tokens.len(), SEQUENCES);
    let mut canvas = Canvas::new(&mut tokens, MASK, &mut segments, &policies).expect("a canvas");
    let (mut calls, mut rows) = (0, 0);
    loop {
        sampler.plan(&canvas, &mut plan).expect("a plan");
        if plan.active() == 0 {
            return line(&format!("{name}, {calls} calls, {rows} rows"), canvas.tokens());
        }
        calls += usize::from(!plan.rows().is_empty());
        rows += plan.rows().len();
        let all: Vec<u32> = (0..canvas.tokens().len() as u32).collect();
        let named = if planned { plan.rows() } else { &all };
        let data: Vec<f32> = named.iter().flat_map(|&at| network(canvas.tokens(), at)).collect();
        let logits = Logits::f32(&data, named.len(), STATES).expect("the rows are there");
        if planned {
            sampler.step_planned(&mut canvas, &plan, &logits).expect("a step");
        } else {
            sampler.step(&mut canvas, &logits).expect("a step");
        }
    }
}

/// The logits of a position, which depend on it and on its two neighbours.
fn network(tokens: &[i32], at: u32) -> [f32; STATES] {
    let here = at as usize % LENGTH;
    let sequence = &tokens[at as usize - here..][..LENGTH];
    let token = |i: usize| sequence.get(i).copied().unwrap_or(MASK) as u32;
    let context = at
        .wrapping_mul(2_654_435_761)
        .wrapping_add(token(here.wrapping_sub(1)).wrapping_mul(40_503))
        .wrapping_add(token(here + 1).wrapping_mul(69_069));
    core::array::from_fn(|v| {
        let mixed = context.wrapping_add((v as u32).wrapping_mul(2_246_822_519));
        let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (mixed >> 25) as f32 / 16.0
    })
}
