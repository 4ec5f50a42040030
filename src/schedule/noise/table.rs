//! A noise schedule by a table of the caller.

use super::Curve;
use crate::error::{Error, shape};
use libm::{exp, expm1, log, log1p};

/// A noise schedule given by entries (time, masked fraction): between two neighbours the masked
/// fraction 1 − α is linear in time.
///
/// Everything else follows from that rule, exactly: the inverse is linear in 1 − α too, and the
/// rate on the way up to an entry is 1/(t − t₀), where t₀ is the time at which the line through it
/// and the one before reaches 0. The table (0, 0), (1, 1) is the linear schedule, to the last bit of
/// its rates and probabilities.
///
/// ```
/// use demask::schedule::NoiseTable;
/// use demask::{Noise, Policy};
///
/// let table = NoiseTable::new(&[0.0, 0.5, 1.0], &[0.0, 0.2, 1.0])?;
/// let noise = Noise::Table(&table);
/// assert_eq!(noise.alpha(0.25), 0.9);
/// assert!(Policy::first_hitting(noise).check().is_ok());
///
/// let falling = NoiseTable::new(&[0.0, 0.5, 1.0], &[0.0, 0.2, 0.1]);
/// assert_eq!(
///     falling.unwrap_err().to_string(),
///     "masked fraction, entry 2, is 0.1, but must be at least the one before it",
/// );
/// # Ok::<(), demask::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct NoiseTable {
    knots: Vec<Knot>,
    last_time: f64,
}

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Knot {
    time: f64,
    masked: f64,
    /// 1 − `masked`, with the digits that a logarithm near 0 has.
    alpha: f64,
}

impl Knot {
    /// The rise of the masked fraction from `self` to `later`, without cancellation near 1.
    fn rise(&self, later: &Self) -> f64 {
        if self.masked < 0.5 { later.masked - self.masked } else { self.alpha - later.alpha }
    }
}

impl NoiseTable {
    /// How many bytes an entry takes.
    #[cfg(feature = "capi")]
    pub(crate) const ENTRY_SIZE: usize = size_of::<Knot>();

    /// A table of masked fractions 1 − α at `times`.
    ///
    /// The first entry is (0, 0). Times rise, the later fractions are above 0 and do not fall. The
    /// last one may be below 1: then some tokens are still clean at the last time.
    ///
    /// # Errors
    /// Fewer than two entries, another number of fractions than of times, or the first entry that
    /// is out of range or order, by name and index.
    pub fn new(times: &[f64], masked: &[f64]) -> Result<Self, Error> {
        let range = "above 0 and at most 1";
        check(times, masked, "masked fraction", 0.0, |m| m > 0.0 && m <= 1.0, range)?;
        Ok(Self::of(times, masked, |masked| (masked, 1.0 - masked)))
    }

    /// A table of ln(1 − α) at `times`, which keeps the digits of an α close to 0. The first entry
    /// is (0, −∞), the later ones are at least −700. It is the masked fraction that is linear
    /// between entries, not its logarithm.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn from_log_masked(times: &[f64], log_masked: &[f64]) -> Result<Self, Error> {
        let (range, first) = ("from -700 to 0", f64::NEG_INFINITY);
        let within = |l| (-700.0..=0.0).contains(&l);
        check(times, log_masked, "log-masked fraction", first, within, range)?;
        Ok(Self::of(times, log_masked, |l| (exp(l), -expm1(l))))
    }

    /// The entries, which are checked, with the masked fraction and α of each.
    fn of(times: &[f64], values: &[f64], fractions: impl Fn(f64) -> (f64, f64)) -> Self {
        let knot = |(&time, &value): (&f64, &f64)| {
            let (masked, alpha) = fractions(value);
            Knot { time, masked, alpha }
        };
        let knots: Vec<_> = times.iter().zip(values).map(knot).collect();
        Self { last_time: times[times.len() - 1], knots }
    }

    /// The time of the last entry.
    #[must_use]
    pub const fn last_time(&self) -> f64 {
        self.last_time
    }

    /// The two entries around `t`: after the first, up to the second.
    fn around(&self, t: f64) -> (&Knot, &Knot) {
        let after = self.knots.partition_point(|knot| knot.time < t);
        let after = after.clamp(1, self.knots.len() - 1);
        (&self.knots[after - 1], &self.knots[after])
    }

    fn masked(&self, t: f64) -> f64 {
        let (a, b) = self.around(t);
        (a.masked + a.rise(b) * ((t - a.time) / (b.time - a.time))).min(b.masked)
    }

    /// The reciprocal of the rate at `t`: the time since the line that leads there left 0.
    fn time_since_zero(&self, t: f64) -> f64 {
        let (a, b) = self.around(t);
        // A width by one of the least rises may be infinite.
        let before = if a.masked == 0.0 { 0.0 } else { a.masked * ((b.time - a.time) / a.rise(b)) };
        (t - a.time) + before
    }
}

impl Curve for NoiseTable {
    fn alpha(&self, t: f64) -> f64 {
        let (a, b) = self.around(t);
        if t <= a.time {
            return a.alpha;
        }
        (b.alpha + a.rise(b) * ((b.time - t) / (b.time - a.time))).min(a.alpha)
    }
    fn log_masked(&self, t: f64) -> f64 {
        let masked = self.masked(t);
        if masked < 0.5 { log(masked) } else { log1p(-self.alpha(t)) }
    }
    /// The latest time, where the fraction is the same for a while: going backwards, it comes first.
    fn time(&self, log_masked: f64) -> f64 {
        let (masked, alpha) = (exp(log_masked), -expm1(log_masked));
        let low = masked < 0.5;
        let reached = |knot: &Knot| if low { knot.masked <= masked } else { knot.alpha >= alpha };
        let after = self.knots.partition_point(reached);
        let Some(b) = self.knots.get(after) else {
            return self.last_time;
        };
        let a = &self.knots[after - 1];
        let width = b.time - a.time;
        if low {
            (a.time + width * ((masked - a.masked) / a.rise(b))).min(b.time)
        } else {
            (b.time - width * ((alpha - b.alpha) / a.rise(b))).max(a.time)
        }
    }
    fn jumps(&self, t: f64, h: f64) -> f64 {
        h / self.time_since_zero(t)
    }
    fn reveal_probability(&self, t: f64, s: f64) -> f64 {
        if s == 0.0 {
            return 1.0;
        }
        let (a, b) = self.around(t);
        if s >= a.time {
            return (t - s) / self.time_since_zero(t);
        }
        // The rises of three pieces: from s to an entry, to the one before t, to t.
        let (c, d) = self.around(s);
        let first = c.rise(d) * ((d.time - s) / (d.time - c.time));
        let last = a.rise(b) * ((t - a.time) / (b.time - a.time));
        (first + d.rise(a) + last) / self.masked(t)
    }
}

/// Checks a table of `values` at `times`.
fn check(
    times: &[f64],
    values: &[f64],
    name: &'static str,
    first: f64,
    within: impl Fn(f64) -> bool,
    range: &'static str,
) -> Result<(), Error> {
    let (len, times_len) = (values.len(), times.len());
    shape(times_len >= 2, "times of a noise table", times_len, "at least", 2)?;
    shape(len == times_len, "values of a noise table", len, "as many as the times,", times_len)?;
    let entry = |holds, name, index, value, expected| {
        if holds { Ok(()) } else { Err(Error::Entry { name, index, value, expected }) }
    };
    entry(times[0] == 0.0, "time", 0, times[0], "0")?;
    let start = if first == 0.0 { "0" } else { "-inf" };
    entry(values[0] == first, name, 0, values[0], start)?;
    for index in 1..len {
        let (t, value) = (times[index], values[index]);
        let later = t > times[index - 1] && t.is_finite();
        entry(later, "time", index, t, "finite and after the one before it")?;
        entry(within(value), name, index, value, range)?;
        entry(value >= values[index - 1], name, index, value, "at least the one before it")?;
    }
    Ok(())
}
