//! Distances that another program (numpy, f64) worked out, as it printed them.

use super::composition::Leftover;
use super::grid::uniform_grid;
use super::grid::{Noise, Rule, decaying_grid, decaying_grid_to, reveal_probabilities};
use super::target::Family;

/// A number as it was printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printed {
    pub(crate) value: f64,
    /// Half a unit of the last printed digit, and a little.
    pub(crate) tolerance: f64,
}

impl Printed {
    /// A number of `digits` significant digits.
    pub(crate) fn digits(value: f64, digits: i32) -> Self {
        let unit = 10f64.powi(value.log10().floor() as i32 + 1 - digits);
        Self { value, tolerance: 0.5001 * unit }
    }

    /// A number of twelve decimals, to be met to 1e-10.
    fn golden(value: f64) -> Self {
        Self { value, tolerance: 1e-10 }
    }

    pub(crate) fn is(self, value: f64) -> bool {
        (value - self.value).abs() <= self.tolerance
    }
}

/// A target by name, length and vocabulary.
pub(crate) type Subject = (Family, usize, usize);

/// The total variation between a sampler's output and its target.
#[derive(Clone, Debug)]
pub(crate) struct Distance {
    pub(crate) table: &'static str,
    pub(crate) subject: Subject,
    pub(crate) noise: Noise,
    pub(crate) rule: Rule,
    pub(crate) times: Vec<f64>,
    pub(crate) leftover: Leftover,
    pub(crate) tv: Printed,
    /// The probability that something is still masked, where it was printed.
    pub(crate) left: Option<Printed>,
}

impl Distance {
    pub(crate) fn reveal(&self) -> Vec<f64> {
        reveal_probabilities(self.noise, self.rule, &self.times)
    }
}

/// Every distance of a sampler on a time grid.
pub(crate) fn distances() -> Vec<Distance> {
    [golden(), linear(), unit_rate(), cosine()].concat()
}

/// Twelve decimals. "Sampled" is one more call that draws everything that is left; a last step of
/// probability 1 gives other numbers.
fn golden() -> Vec<Distance> {
    let hash = (Family::Hash, 4, 2);
    let markov = (Family::Markov, 4, 4);
    let linear = uniform_grid(1.0, 16);
    let unit = uniform_grid(8.0, 32);
    let decaying = decaying_grid(8.0, 0.389208279647, 32);
    type Row = (Noise, Rule, Vec<f64>, Leftover, [f64; 2], Option<f64>);
    let rows: [Row; 8] = [
        (
            Noise::Linear,
            Rule::Euler,
            linear.clone(),
            Leftover::Masked,
            [0.025582715133, 0.072458703874],
            None,
        ),
        (
            Noise::UnitRate,
            Rule::Euler,
            unit.clone(),
            Leftover::Masked,
            [0.154896272795, 0.170826678008],
            Some(0.124440637797),
        ),
        (
            Noise::UnitRate,
            Rule::Euler,
            unit.clone(),
            Leftover::Sampled,
            [0.052591303442, 0.086040857985],
            None,
        ),
        (
            Noise::UnitRate,
            Rule::Ancestral,
            unit.clone(),
            Leftover::Masked,
            [0.051130356030, 0.083044468246],
            None,
        ),
        (
            Noise::UnitRate,
            Rule::TauReject,
            unit.clone(),
            Leftover::Masked,
            [0.648871239694, 0.652939059711],
            Some(0.648726436325),
        ),
        (
            Noise::UnitRate,
            Rule::TauFirstJump,
            unit.clone(),
            Leftover::Masked,
            [0.437204336026, 0.446452700148],
            None,
        ),
        (
            Noise::UnitRate,
            Rule::Euler,
            decaying,
            Leftover::Masked,
            [0.044105464634, 0.102487154545],
            None,
        ),
        (
            Noise::Cosine,
            Rule::Euler,
            linear.clone(),
            Leftover::Masked,
            [0.032360858609, 0.104820002042],
            None,
        ),
    ];
    let row = |(noise, rule, times, leftover, tv, left): Row| {
        [hash, markov].into_iter().zip(tv).map(move |(subject, tv)| Distance {
            table: "golden values",
            subject,
            noise,
            rule,
            times: times.clone(),
            leftover,
            tv: Printed::golden(tv),
            left: left.map(Printed::golden),
        })
    };
    rows.into_iter().flat_map(row).collect()
}

/// The linear schedule with N uniform steps, on which Euler and the ancestral sampler agree.
fn linear() -> Vec<Distance> {
    use Family::{Hash, Markov, Pairs, Parity, Repeated};
    const STEPS: [usize; 6] = [4, 16, 64, 256, 1024, 4096];
    #[rustfmt::skip]
    let rows: [(Subject, [f64; 6]); 11] = [
        ((Hash, 3, 2), [6.880e-2, 1.712e-2, 4.275e-3, 1.068e-3, 2.671e-4, 6.676e-5]),
        ((Hash, 4, 2), [1.029e-1, 2.558e-2, 6.394e-3, 1.598e-3, 3.996e-4, 9.989e-5]),
        ((Hash, 6, 2), [1.882e-1, 5.174e-2, 1.327e-2, 3.338e-3, 8.358e-4, 2.090e-4]),
        ((Hash, 8, 2), [2.318e-1, 6.480e-2, 1.671e-2, 4.210e-3, 1.055e-3, 2.638e-4]),
        ((Hash, 4, 4), [2.146e-1, 5.944e-2, 1.525e-2, 3.836e-3, 9.606e-4, 2.402e-4]),
        ((Markov, 4, 2), [1.801e-1, 4.613e-2, 1.159e-2, 2.901e-3, 7.256e-4, 1.814e-4]),
        ((Markov, 8, 2), [2.473e-1, 6.434e-2, 1.645e-2, 4.135e-3, 1.035e-3, 2.589e-4]),
        ((Markov, 4, 4), [2.701e-1, 7.246e-2, 1.841e-2, 4.621e-3, 1.156e-3, 2.892e-4]),
        ((Repeated, 4, 2), [2.480e-1, 6.247e-2, 1.562e-2, 3.906e-3, 9.766e-4, 2.441e-4]),
        ((Pairs, 8, 2), [4.138e-1, 1.193e-1, 3.089e-2, 7.790e-3, 1.952e-3, 4.882e-4]),
        ((Parity, 8, 2), [3.586e-1, 1.159e-1, 3.068e-2, 7.777e-3, 1.951e-3, 4.881e-4]),
    ];
    let row = |&(subject, printed): &(Subject, [f64; 6])| {
        STEPS.into_iter().zip(printed).map(move |(steps, tv)| Distance {
            table: "linear schedule",
            subject,
            noise: Noise::Linear,
            rule: Rule::Euler,
            times: uniform_grid(1.0, steps),
            leftover: Leftover::Masked,
            tv: Printed::digits(tv, 4),
            left: None,
        })
    };
    rows.iter().flat_map(row).collect()
}

/// α = e^−t from T = ln(10⁴·d), HASH, S = 2; leftovers count as errors.
#[expect(clippy::approx_constant, reason = "0.318 is a distance here, not 1/π")]
fn unit_rate() -> Vec<Distance> {
    const STEPS: [usize; 5] = [16, 64, 256, 1024, 4096];
    // Length, whether the steps decay (to 10⁻⁴/d), rule, TV, digits printed for each.
    type Row = (usize, bool, Rule, [f64; 5], [i32; 5]);
    #[rustfmt::skip]
    let rows: [Row; 11] = [
        (4, false, Rule::Euler, [5.70e-1, 8.19e-2, 1.149e-2, 2.315e-3, 5.445e-4], [3, 3, 4, 4, 4]),
        (4, false, Rule::Ancestral, [1.308e-1, 3.398e-2, 8.526e-3, 2.133e-3, 5.332e-4], [4; 5]),
        (4, false, Rule::TauReject, [8.97e-1, 5.22e-1, 1.889e-1, 5.359e-2, 1.392e-2], [3, 3, 4, 4, 4]),
        (4, false, Rule::TauFirstJump, [7.82e-1, 3.16e-1, 9.06e-2, 2.346e-2, 5.918e-3], [3, 3, 3, 4, 4]),
        (4, true, Rule::Euler, [1.125e-1, 2.862e-2, 7.172e-3, 1.850e-3, 5.224e-4], [4; 5]),
        (4, true, Rule::Ancestral, [1.335e-1, 2.922e-2, 7.205e-3, 1.851e-3, 5.223e-4], [4; 5]),
        (4, true, Rule::TauReject, [3.18e-1, 2.592e-2, 7.003e-3, 1.850e-3, 5.256e-4], [3, 4, 4, 4, 4]),
        (8, false, Rule::Euler, [8.63e-1, 2.180e-1, 3.798e-2, 8.259e-3, 1.988e-3], [3, 4, 4, 4, 4]),
        (8, false, Rule::Ancestral, [3.736e-1, 1.180e-1, 3.093e-2, 7.820e-3, 1.960e-3], [4; 5]),
        (8, true, Rule::Euler, [2.734e-1, 7.823e-2, 2.025e-2, 5.151e-3, 1.340e-3], [4; 5]),
        (8, true, Rule::Ancestral, [2.812e-1, 8.019e-2, 2.038e-2, 5.159e-3, 1.341e-3], [4; 5]),
    ];
    let row = |&(len, decays, rule, printed, digits): &Row| {
        let (start, end) = ((1e4 * len as f64).ln(), 1e-4 / len as f64);
        let times = move |steps| match decays {
            false => uniform_grid(start, steps),
            true => decaying_grid_to(start, end, steps),
        };
        STEPS.into_iter().zip(printed).zip(digits).map(move |((steps, tv), digits)| Distance {
            table: "unit rate",
            subject: (Family::Hash, len, 2),
            noise: Noise::UnitRate,
            rule,
            times: times(steps),
            leftover: Leftover::Masked,
            tv: Printed::digits(tv, digits),
            left: None,
        })
    };
    rows.iter().flat_map(row).collect()
}

/// The cosine schedule, leftovers drawn by one more call: HASH, d = 8, S = 2.
fn cosine() -> Vec<Distance> {
    let rows = [
        (Rule::Ancestral, [7.109e-2, 1.855e-2, 4.686e-3, 1.175e-3, 2.938e-4]),
        (Rule::Euler, [7.295e-2, 1.866e-2, 4.693e-3, 1.175e-3, 2.939e-4]),
        (Rule::TauReject, [6.467e-2, 1.813e-2, 4.660e-3, 1.173e-3, 2.937e-4]),
    ];
    let row = |&(rule, printed): &(Rule, [f64; 5])| {
        [16, 64, 256, 1024, 4096].into_iter().zip(printed).map(move |(steps, tv)| Distance {
            table: "cosine schedule",
            subject: (Family::Hash, 8, 2),
            noise: Noise::Cosine,
            rule,
            times: uniform_grid(1.0, steps),
            leftover: Leftover::Sampled,
            tv: Printed::digits(tv, 4),
            left: None,
        })
    };
    rows.iter().flat_map(row).collect()
}

/// N·TV of the linear schedule with 4096 steps.
pub(crate) const RATES: [(Subject, f64); 11] = [
    ((Family::Hash, 3, 2), 0.2735),
    ((Family::Hash, 4, 2), 0.4091),
    ((Family::Hash, 6, 2), 0.8562),
    ((Family::Hash, 8, 2), 1.0806),
    ((Family::Hash, 4, 4), 0.9841),
    ((Family::Markov, 4, 2), 0.7430),
    ((Family::Markov, 8, 2), 1.0603),
    ((Family::Markov, 4, 4), 1.1845),
    ((Family::Repeated, 4, 2), 1.0000),
    ((Family::Pairs, 8, 2), 1.9996),
    ((Family::Parity, 8, 2), 1.9994),
];

/// Closed forms on the linear schedule: d, N, the distance on PRIV, the probability of a
/// collision, and the distance on REP with two tokens; `None` where it was not printed.
pub(crate) const CLOSED_FORMS: [(usize, usize, f64, f64, Option<f64>); 6] = [
    (4, 4096, 7.3223e-4, 1.4642e-3, Some(2.4414e-4)),
    (8, 4096, 3.4128e-3, 6.8168e-3, Some(4.8828e-4)),
    (16, 4096, 1.4547e-2, 2.8908e-2, Some(9.7656e-4)),
    (32, 4096, 5.8789e-2, 1.1433e-1, Some(1.9531e-3)),
    (64, 4096, 2.1841e-1, 3.9028e-1, Some(3.9062e-3)),
    (32, 65536, 3.7772e-3, 7.5410e-3, None),
];

/// The distance on PRIV by the Euler method at unit rate, d = 8, N = 1024, from T = ln(8·10⁴):
/// uniform steps, decaying ones to 10⁻⁴/d.
pub(crate) const PRIVATE_BITS_AT_UNIT_RATE: [f64; 2] = [7.5085e-2, 6.1925e-2];

/// The steps of the linear schedule that bring the distance on PRIV to 0.1, 0.03 and 0.01, good to
/// half a per cent.
pub(crate) const ERRORS: [f64; 3] = [0.1, 0.03, 0.01];
pub(crate) const PRIVATE_BITS_STEPS: [(usize, [usize; 3]); 4] =
    [(4, [29, 99, 299]), (8, [134, 462, 1396]), (16, [572, 1976, 5984]), (32, [2360, 8160, 24704])];

/// The distance of fixed sizes (first-hitting with several positions a call), d = 8, S = 2, at 2,
/// 4 and 8 positions a call; the number of digits.
pub(crate) const PARALLEL: [(Subject, [f64; 3], [i32; 3]); 3] = [
    ((Family::Hash, 8, 2), [1.4163e-1, 3.9221e-1, 5.9391e-1], [5; 3]),
    ((Family::Markov, 8, 2), [1.8731e-1, 4.6406e-1, 7.8781e-1], [5; 3]),
    ((Family::Repeated, 8, 2), [0.5, 0.875, 0.9922], [5, 5, 4]),
];

/// The distance of first-hitting with a wrong denoiser, which predicts a token of its own with
/// probability 0.1, 0.01 or 0.001; and the summed error of the predictions over that probability.
pub(crate) const WRONG: [f64; 3] = [1e-1, 1e-2, 1e-3];
pub(crate) const PERTURBED: [(Subject, [f64; 3], f64); 3] = [
    ((Family::Hash, 6, 2), [1.31978e-1, 1.42284e-2, 1.43540e-3], 3.13633),
    ((Family::Markov, 8, 2), [1.95622e-1, 2.07967e-2, 2.09276e-3], 4.0),
    ((Family::Point, 10, 2), [6.51322e-1, 9.56179e-2, 9.95512e-3], 10.0),
];

/// The token that the wrong denoiser of [`PERTURBED`] predicts by mistake at a position.
pub(crate) fn mistake(family: Family) -> fn(usize) -> usize {
    match family {
        Family::Point => |_| 1,
        _ => |position| (position + 1) % 2,
    }
}
