//! Noise schedules by a table: piecewise linear in the masked fraction, exactly.

use super::relative;
use demask::schedule::NoiseTable;
use demask::{Error, Noise};

/// Entries that rise unevenly, stay for a while, and do not reach 1.
const TIMES: [f64; 7] = [0.0, 0.01, 0.1, 0.5, 0.75, 0.8, 2.0];
const MASKED: [f64; 7] = [0.0, 1e-6, 0.05, 0.05, 0.4, 0.625, 0.96875];

/// 1 − α(t) and its slope on the way up to t.
fn masked(t: f64) -> (f64, f64) {
    let after = (1..TIMES.len()).find(|&k| t <= TIMES[k]).expect("within the table");
    let slope = (MASKED[after] - MASKED[after - 1]) / (TIMES[after] - TIMES[after - 1]);
    (MASKED[after - 1] + slope * (t - TIMES[after - 1]), slope)
}

fn looked_at() -> impl Iterator<Item = f64> {
    let powers = (0..300).map(|k| 2.0 * 10f64.powf(-0.05 * f64::from(k)));
    powers.chain((1..=1000).map(|k| f64::from(k) / 500.0)).chain(TIMES).filter(|&t| t > 0.0)
}

#[test]
fn a_table_is_linear_between_its_entries() {
    let table = NoiseTable::new(&TIMES, &MASKED).expect("a fine table");
    let noise = Noise::Table(&table);
    assert_eq!((noise.last_time(), noise.horizon()), (2.0, 2.0));
    assert_eq!((noise.alpha(0.0), noise.log_masked(0.0)), (1.0, f64::NEG_INFINITY));
    assert_eq!((noise.rate(0.0), noise.time(f64::NEG_INFINITY)), (f64::INFINITY, 0.0));
    assert_eq!((noise.time(0.0), noise.time((0.97f64).ln())), (2.0, 2.0));
    assert_eq!(noise.rate(0.3), 0.0, "it stays");
    assert!(relative(noise.time(MASKED[2].ln()), 0.5) < 1e-15, "the later end of a flat piece");
    for (t, m) in TIMES.into_iter().zip(MASKED) {
        assert_eq!(noise.alpha(t), 1.0 - m, "at {t}");
    }
    for t in looked_at() {
        let (m, slope) = masked(t);
        assert!((noise.alpha(t) - (1.0 - m)).abs() < 2e-16, "α at {t}");
        assert!(relative(noise.log_masked(t), m.ln()) < 1e-14, "ln(1 − α) at {t}");
        assert!(relative(noise.rate(t), slope / m) < 1e-14, "rate at {t}");
        assert_eq!(noise.reveal_probability(t, t), 0.0);
        assert_eq!(noise.reveal_probability(t, 0.0), 1.0);
        if m != MASKED[2] {
            let back = noise.time(noise.log_masked(t));
            let worth = noise.log_masked(t).abs() / (noise.rate(t) * t);
            let allowed = f64::EPSILON * (4.0 + 3.0 * worth + m / (slope * t));
            assert!(relative(back, t) < allowed, "{back} for {t}");
        }
        for s in [0.999_999, 0.999, 0.9, 0.5, 0.1, 1e-3].map(|part| part * t) {
            let p = noise.reveal_probability(t, s);
            let apart = (p - (m - masked(s).0) / m).abs();
            assert!(apart < 4.0 * f64::EPSILON, "from {t} to {s}: {p}");
            // Within a piece the digits are all there.
            if TIMES.iter().all(|knot| !(s..t).contains(knot)) {
                assert!(relative(p, slope * (t - s) / m) < 1e-14, "from {t} to {s}: {p}");
            }
        }
    }
    for sides in looked_at().collect::<Vec<_>>().windows(3) {
        let mut sides = [sides[0], sides[1], sides[2]];
        sides.sort_by(f64::total_cmp);
        let [s, u, t] = sides;
        let kept = |t, s| 1.0 - noise.reveal_probability(t, s);
        assert!((kept(t, u) * kept(u, s) - kept(t, s)).abs() < 1e-15, "{t}, {u}, {s}");
    }
}

#[test]
fn two_entries_are_the_linear_schedule() {
    let table = NoiseTable::new(&[0.0, 1.0], &[0.0, 1.0]).expect("a fine table");
    let noise = Noise::Table(&table);
    for k in 1..=1000 {
        let t = f64::from(k) / 1000.0;
        let h = t / 3.0;
        assert_eq!(noise.rate(t), Noise::Linear.rate(t), "at {t}");
        assert_eq!(noise.euler_probability(t, h), Noise::Linear.euler_probability(t, h), "at {t}");
        assert_eq!(noise.euler_probability(t, t), 1.0, "at {t}");
        let p = noise.reveal_probability(t, t - h);
        assert_eq!(p, Noise::Linear.reveal_probability(t, t - h), "at {t}");
        assert_eq!(noise.alpha(t), 1.0 - t, "at {t}");
        let l = Noise::Linear.log_masked(t);
        assert!(relative(noise.log_masked(t), l) < 4e-16, "at {t}");
        assert!(relative(noise.time(l), t) < f64::EPSILON * (1.0 + l.abs()), "at {t}");
    }
}

#[test]
fn many_entries_approach_the_schedule_that_they_are_taken_from() {
    for other in [Noise::Cosine, Noise::MaskgitCosine, Noise::Logarithmic] {
        let times: Vec<f64> = (0..=10_000).map(|k| f64::from(k) / 1e4).collect();
        let logs: Vec<f64> = times.iter().map(|&t| other.log_masked(t)).collect();
        let table = NoiseTable::from_log_masked(&times, &logs).expect("a fine table");
        let noise = Noise::Table(&table);
        for k in 39..777 {
            let t = f64::from(k) / 777.0;
            assert!((noise.alpha(t) - other.alpha(t)).abs() < 1e-8, "{other:?} at {t}");
            // Where a schedule is flat, a time is as uncertain as its slope is small.
            let apart = (noise.time(other.log_masked(t)) - t).abs();
            let rate = other.rate(t);
            let allowed = if rate < 1.0 { 1e-8 / rate } else { 1e-7 };
            assert!(apart < allowed, "{other:?} at {t}: {apart}");
            let (p, q) =
                (noise.reveal_probability(t, 0.4 * t), other.reveal_probability(t, 0.4 * t));
            assert!((p - q).abs() < 1e-5, "{other:?} at {t}: {p}, {q}");
        }
    }
}

/// From fractions, α would be 0 from t = 37 on.
#[test]
fn a_table_of_logarithms_keeps_a_small_alpha() {
    let times: Vec<f64> = (0..=700).map(f64::from).collect();
    let logs: Vec<f64> = times.iter().map(|&t| Noise::UnitRate.log_masked(t)).collect();
    let table = NoiseTable::from_log_masked(&times, &logs).expect("a fine table");
    let noise = Noise::Table(&table);
    for &t in &times[1..] {
        assert!(relative(noise.alpha(t), (-t).exp()) < 1e-15, "at {t}");
        assert!(relative(noise.log_masked(t), Noise::UnitRate.log_masked(t)) < 1e-15, "at {t}");
        // An α off by an ULP moves the inverse by α/α′ = 1 − e^−1 ULP of 1.
        assert!(
            (noise.time(Noise::UnitRate.log_masked(t)) - t).abs() < 1e-15 * t.max(4.0),
            "at {t}"
        );
        // α falls from e^(1−t) to e^−t.
        let p = noise.reveal_probability(t, t - 0.5);
        let expected = 0.5 * 1f64.exp_m1() * (-t).exp() / -(-t).exp_m1();
        assert!(relative(p, expected) < 1e-14, "at {t}: {p:e}");
    }
}

#[test]
fn a_table_is_refused_by_entry() {
    let refused = |times: &[f64], masked: &[f64]| {
        let error = NoiseTable::new(times, masked).unwrap_err();
        match error {
            Error::Entry { name, index, .. } => (name, index),
            Error::Shape { name, value, .. } => (name, value as usize),
            _ => panic!("{error}"),
        }
    };
    assert_eq!(refused(&[], &[]), ("times of a noise table", 0));
    assert_eq!(refused(&[0.0], &[0.0]), ("times of a noise table", 1));
    assert_eq!(refused(&[0.0, 1.0], &[0.0]), ("values of a noise table", 1));
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    for bad in [nan, -1.0, 0.1] {
        assert_eq!(refused(&[bad, 1.0], &[0.0, 1.0]), ("time", 0));
        assert_eq!(refused(&[0.0, 1.0], &[bad, 1.0]), ("masked fraction", 0));
    }
    for bad in [nan, inf, 0.5, 0.4, -1.0] {
        assert_eq!(refused(&[0.0, 0.5, bad], &[0.0, 0.5, 1.0]), ("time", 2));
    }
    for bad in [nan, inf, 1.5, 0.4, 0.0, -1.0] {
        assert_eq!(refused(&[0.0, 0.5, 1.0], &[0.0, 0.5, bad]), ("masked fraction", 2));
    }
    let logs = |values: [f64; 3]| NoiseTable::from_log_masked(&[0.0, 0.5, 1.0], &values);
    assert!(logs([-inf, -700.0, 0.0]).is_ok());
    for bad in [nan, 1e-300, -701.0, -2.0, -inf] {
        let error = logs([-inf, -1.0, bad]).unwrap_err();
        assert!(matches!(error, Error::Entry { name: "log-masked fraction", index: 2, .. }));
    }
    let error = logs([-800.0, -1.0, 0.0]).unwrap_err();
    assert_eq!(error.to_string(), "log-masked fraction, entry 0, is -800, but must be -inf");
}
