//! Schedules of sizes by name.

use anyhow::Result;
use clap::ValueEnum;
use demask::schedule::sizes::{MarkovSizes, Overshoot, Profile, SizeList, SystematicSizes, Weight};
use demask::{Noise, Policy, Sizes};

/// The schemes; the first twelve are those of the printed table, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scheme {
    /// Step k of K ends at ⌊kL/K⌋
    Unif,
    /// Systematic sizes with equal gaps
    UnifRp,
    /// Bernoulli selection at even times
    Bern,
    /// The cosine of MaskGIT
    Cos,
    /// Geometric sizes, large ones first (Chen, Cong and Li)
    CclTc,
    /// Geometric sizes, large ones last
    CclDtc,
    /// Markov sizes
    TcEq,
    /// Markov sizes in reverse order
    TcEqRev,
    /// Systematic sizes for the total correlation
    SysTc,
    /// Systematic sizes for the dual total correlation
    SysDtc,
    /// Systematic sizes for the effective total correlation
    SysEtc,
    /// The best list for the profile of the law
    Opt,
    /// Equal parts of the root of the profile's drops
    Sqrt,
    /// Steps that grow with the odds of being revealed (Wainwright)
    Odds,
}

pub(crate) const TC: Weight = Weight::TotalCorrelation;
pub(crate) const DTC: Weight = Weight::DualTotalCorrelation;
pub(crate) const ETC: Weight = Weight::EffectiveTotalCorrelation;

impl Scheme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unif => "UNIF",
            Self::UnifRp => "UNIF-RP",
            Self::Bern => "BERN",
            Self::Cos => "COS",
            Self::CclTc => "CCL-TC",
            Self::CclDtc => "CCL-DTC",
            Self::TcEq => "TC-EQ",
            Self::TcEqRev => "TC-EQ-REV",
            Self::SysTc => "SYS-TC",
            Self::SysDtc => "SYS-DTC",
            Self::SysEtc => "SYS-ETC",
            Self::Opt => "OPT",
            Self::Sqrt => "SQRT",
            Self::Odds => "ODDS",
        }
    }

    /// Whether it looks at the profile of the law.
    pub(crate) fn knows_the_law(self) -> bool {
        matches!(self, Self::Opt | Self::Sqrt)
    }

    /// Whether its sizes are random.
    pub(crate) fn is_random(self) -> bool {
        use Scheme::{Bern, SysDtc, SysEtc, SysTc, TcEq, TcEqRev, UnifRp};
        matches!(self, UnifRp | Bern | TcEq | TcEqRev | SysTc | SysDtc | SysEtc)
    }

    /// Its sizes for laws of `profile` in at most `steps` steps; `None` if so few steps are none of
    /// its.
    pub(crate) fn plan(self, profile: &Profile, steps: u32) -> Result<Option<Planned>> {
        let masks = profile.masks();
        let steps = steps.min(masks);
        let list = |list| Table::List(list);
        let table = match self {
            Self::Unif => {
                let end = |step| (u64::from(step) * u64::from(masks) / u64::from(steps)) as u32;
                let sizes: Vec<u32> = (0..steps).map(|step| end(step + 1) - end(step)).collect();
                list(SizeList::new(&sizes)?)
            }
            Self::UnifRp => {
                let gap = f64::from(steps - 1) / f64::from((masks - 1).max(1));
                Table::Systematic(SystematicSizes::from_gaps(&vec![gap; masks as usize - 1])?)
            }
            Self::Bern => Table::Bernoulli(steps),
            Self::Cos => Table::Cosine(steps),
            Self::CclTc | Self::CclDtc => {
                let Some(found) = SizeList::largest_tc_geometric(masks, steps) else {
                    return Ok(None);
                };
                list(if self == Self::CclDtc { found.reversed() } else { found })
            }
            Self::TcEq => Table::Markov(MarkovSizes::tc(masks, steps)?, false),
            Self::TcEqRev => Table::Markov(MarkovSizes::tc(masks, steps)?, true),
            Self::SysTc => Table::Systematic(SystematicSizes::new(masks, steps, TC)?),
            Self::SysDtc => Table::Systematic(SystematicSizes::new(masks, steps, DTC)?),
            Self::SysEtc => Table::Systematic(SystematicSizes::new(masks, steps, ETC)?),
            Self::Opt => list(SizeList::optimal(profile, steps)?),
            Self::Sqrt => list(SizeList::square_root(profile, steps)?),
            Self::Odds => {
                // Two of its steps are single tokens.
                match steps.checked_sub(2).map(|blocks| SizeList::reveal_odds(masks, blocks)) {
                    Some(Ok(found)) => list(found),
                    _ => return Ok(None),
                }
            }
        };
        Ok(Some(Planned { masks, table }))
    }
}

/// A scheme for a number of masks.
pub(crate) struct Planned {
    masks: u32,
    table: Table,
}

enum Table {
    List(SizeList),
    /// Reversed or not.
    Markov(MarkovSizes, bool),
    Systematic(SystematicSizes),
    Cosine(u32),
    Bernoulli(u32),
}

impl Planned {
    pub(crate) fn steps(&self) -> u32 {
        match &self.table {
            Table::List(list) => list.steps(),
            Table::Markov(table, _) => table.steps(),
            Table::Systematic(table) => table.steps(),
            Table::Cosine(steps) | Table::Bernoulli(steps) => *steps,
        }
    }

    /// The rule for the sizes; Bernoulli selection has none.
    pub(crate) fn sizes(&self) -> Option<Sizes<'_>> {
        Some(match &self.table {
            Table::List(list) => Sizes::List(list),
            Table::Markov(table, false) => Sizes::Markov(table),
            Table::Markov(table, true) => Sizes::MarkovReversed(table),
            Table::Systematic(table) => Sizes::Systematic(table),
            Table::Cosine(_) => Sizes::COSINE,
            Table::Bernoulli(_) => return None,
        })
    }

    pub(crate) fn policy(&self) -> Policy<'_> {
        match self.sizes() {
            Some(sizes) => {
                let mut policy = Policy::random_order(self.steps());
                policy.schedule.sizes = sizes;
                policy
            }
            None => Policy::ancestral(Noise::Linear, self.steps()),
        }
    }

    /// E R(m), by the library.
    pub(crate) fn overshoot(&self) -> Result<Overshoot> {
        let steps = self.steps();
        Ok(match self.sizes() {
            Some(sizes) => Overshoot::new(sizes, self.masks, steps)?,
            None => {
                let times: Vec<f64> =
                    (1..=steps).map(|step| f64::from(step) / f64::from(steps)).collect();
                Overshoot::bernoulli(self.masks, &times)?
            }
        })
    }
}
