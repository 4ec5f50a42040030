//! What was measured, what was expected, and whether that is good enough.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The probability with which a test of a law refuses a correct sampler.
pub(crate) const FALSE_POSITIVES: f64 = 1e-6;

/// How many standard errors a mean may be from its expectation: a normal one is farther with
/// probability 6e-7.
pub(crate) const STANDARD_ERRORS: f64 = 5.0;

/// A number that is to be `expected`, give or take `tolerance`.
struct Check {
    check: String,
    measured: f64,
    expected: f64,
    tolerance: f64,
}

impl Check {
    /// NaN passes nothing.
    fn pass(&self) -> bool {
        (self.measured - self.expected).abs() <= self.tolerance
    }

    fn json(&self) -> Value {
        let Self { check, measured, expected, tolerance } = self;
        let pass = self.pass();
        json!({
            "check": check, "measured": measured, "expected": expected, "tolerance": tolerance,
            "pass": pass,
        })
    }
}

/// The checks of a run, all of the form |measured − expected| ≤ tolerance.
#[derive(Default)]
pub(crate) struct Checks(Vec<Check>);

impl Checks {
    /// Passes if `measured` is `expected`, give or take `tolerance`.
    pub(crate) fn near(
        &mut self,
        check: impl Into<String>,
        measured: f64,
        expected: f64,
        tolerance: f64,
    ) {
        self.0.push(Check { check: check.into(), measured, expected, tolerance });
    }

    /// Passes if `measured` is `expected` to a relative error of `tolerance`.
    pub(crate) fn relative(
        &mut self,
        check: impl Into<String>,
        measured: f64,
        expected: f64,
        tolerance: f64,
    ) {
        self.near(check, measured, expected, tolerance * expected.abs());
    }

    /// Passes if `measured`, which is not negative, is at most `bound`.
    pub(crate) fn at_most(&mut self, check: impl Into<String>, measured: f64, bound: f64) {
        self.near(check, measured, 0.0, bound);
    }

    /// Passes if `measured` is from `low` to `high`.
    pub(crate) fn between(&mut self, check: impl Into<String>, measured: f64, low: f64, high: f64) {
        self.near(check, measured, 0.5 * (low + high), 0.5 * (high - low));
    }

    /// Passes if the p-value of a test is above [`FALSE_POSITIVES`].
    pub(crate) fn p_value(&mut self, check: impl Into<String>, p: f64) {
        self.near(check, p, 1.0, 1.0 - FALSE_POSITIVES);
    }

    /// Writes all checks to `path`, and tells on the terminal how many passed and which did not.
    /// True if all passed.
    pub(crate) fn finish(&self, path: &Path) -> Result<bool> {
        let list: Vec<Value> = self.0.iter().map(Check::json).collect();
        let text = serde_json::to_string_pretty(&list)?;
        fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        let failed: Vec<&Check> = self.0.iter().filter(|check| !check.pass()).collect();
        for Check { check, measured, expected, tolerance } in &failed {
            println!(
                "FAILED  {check}: {measured:.6e}, expected {expected:.6e} within {tolerance:.1e}"
            );
        }
        println!("{} of {} checks passed", self.0.len() - failed.len(), self.0.len());
        Ok(failed.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(add: impl Fn(&mut Checks)) -> bool {
        let mut checks = Checks::default();
        add(&mut checks);
        checks.0[0].pass()
    }

    #[test]
    fn a_check_can_fail() {
        assert!(passes(|checks| checks.near("", 1.0, 1.1, 0.11)));
        assert!(!passes(|checks| checks.near("", 1.0, 1.1, 0.09)));
        assert!(!passes(|checks| checks.near("", f64::NAN, 1.0, 1.0)));
        assert!(!passes(|checks| checks.near("", 1.0, 1.0, f64::NAN)));
        assert!(passes(|checks| checks.relative("", -2.0, -2.002, 1e-2)));
        assert!(!passes(|checks| checks.relative("", -2.0, -2.1, 1e-2)));
        assert!(passes(|checks| checks.at_most("", 0.5, 0.5)));
        assert!(!passes(|checks| checks.at_most("", 0.6, 0.5)));
        assert!(passes(|checks| checks.between("", 0.19, 0.18, 0.25)));
        assert!(!passes(|checks| checks.between("", 0.26, 0.18, 0.25)));
        assert!(passes(|checks| checks.p_value("", 1e-5)));
        assert!(!passes(|checks| checks.p_value("", 1e-7)));
    }
}
