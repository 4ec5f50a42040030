//! The table of what is timed. A new kernel is one entry here.

use crate::rivals::{self, Rival};
use demask::Statistics;
use demask::draw::oracle;
use demask::policy::DrawMethod;
use demask::{Constraints, Draw, Drawn, Key, Logits, RowOutputs, RowState, RowStatistics, Sampler};
use std::cell::RefCell;
use std::hint::black_box;

/// A kernel of the library or a plain loop.
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    /// On rows of every shape, not of the main one alone.
    pub(crate) every_shape: bool,
    pub(crate) work: Work,
    /// Panics if the outcome of many keys cannot be that of this row.
    pub(crate) check: fn(&Outcome<'_>, &[f32]),
}

pub(crate) enum Work {
    /// A call for a batch of rows, with its keys.
    Library(Call),
    /// A loop over one row of f32.
    Plain(Rival),
}

/// Makes one call of the library.
pub(crate) type Call = for<'a> fn(&'a mut Sampler, &Logits<'_>, &[Key]) -> Outcome<'a>;

/// What a call returned, by row.
pub(crate) enum Outcome<'a> {
    Drawn(&'a [Drawn]),
    Tokens(&'a [usize]),
}

impl Outcome<'_> {
    fn tokens(&self) -> Vec<usize> {
        match self {
            Self::Drawn(drawn) => drawn
                .iter()
                .map(|drawn| {
                    assert_eq!(drawn.state, RowState::Drawn, "a good row was refused");
                    drawn.token as usize
                })
                .collect(),
            Self::Tokens(tokens) => tokens.to_vec(),
        }
    }
}

pub(crate) const KERNELS: &[Kernel] = &[
    Kernel {
        name: "draw",
        every_shape: true,
        work: Work::Library(|s, logits, keys| draw(s, logits, keys, &Draw::at(1.0))),
        check: |outcome, row| follows(outcome, &softmax(row, 1.0)),
    },
    Kernel {
        name: "greedy",
        every_shape: false,
        work: Work::Library(|s, logits, keys| draw(s, logits, keys, &Draw::at(0.0))),
        check: |outcome, row| follows(outcome, &softmax(row, 0.0)),
    },
    Kernel {
        name: "draw, top-k 50",
        every_shape: true,
        work: Work::Library(|s, logits, keys| {
            draw(s, logits, keys, &Draw { top_k: 50, ..Draw::at(1.0) })
        }),
        check: |outcome, row| follows(outcome, &top_k(softmax(row, 1.0), 50)),
    },
    Kernel {
        name: "draw, min-p 0.05",
        every_shape: true,
        work: Work::Library(|s, logits, keys| {
            draw(s, logits, keys, &Draw { min_p: 0.05, ..Draw::at(1.0) })
        }),
        check: |outcome, row| follows(outcome, &min_p(softmax(row, 1.0), 0.05)),
    },
    Kernel {
        name: "draw, top-p 0.9",
        every_shape: true,
        work: Work::Library(|s, logits, keys| {
            draw(s, logits, keys, &Draw { top_p: 0.9, ..Draw::at(1.0) })
        }),
        check: |outcome, row| follows(outcome, &top_p(softmax(row, 1.0), 0.9)),
    },
    Kernel {
        name: "draw, top-k 50, top-p 0.9",
        every_shape: false,
        work: Work::Library(|s, logits, keys| {
            draw(s, logits, keys, &Draw { top_k: 50, top_p: 0.9, ..Draw::at(1.0) })
        }),
        check: |outcome, row| follows(outcome, &top_p(top_k(softmax(row, 1.0), 50), 0.9)),
    },
    Kernel {
        name: "race",
        every_shape: true,
        work: Work::Library(|s, logits, keys| {
            let method = DrawMethod::ExponentialRace;
            draw(s, logits, keys, &Draw { method, ..Draw::at(1.0) })
        }),
        check: |outcome, row| follows(outcome, &softmax(row, 1.0)),
    },
    Kernel {
        name: "statistics + greedy",
        every_shape: true,
        work: Work::Library(|s, logits, keys| describe(s, logits, keys, &Draw::at(0.0))),
        check: |outcome, row| follows(outcome, &softmax(row, 0.0)),
    },
    Kernel {
        name: "statistics + draw",
        every_shape: false,
        work: Work::Library(|s, logits, keys| describe(s, logits, keys, &Draw::at(0.8))),
        check: |outcome, row| follows(outcome, &softmax(row, 0.8)),
    },
    Kernel {
        name: "plain softmax + CDF",
        every_shape: false,
        work: Work::Plain(rivals::softmax_cdf),
        check: |outcome, row| follows(outcome, &softmax(row, 1.0)),
    },
    Kernel {
        name: "plain race, f32",
        every_shape: false,
        work: Work::Plain(rivals::race_f32),
        check: |outcome, row| follows(outcome, &softmax(row, 1.0)),
    },
    Kernel {
        name: "plain Gumbel, f64",
        every_shape: false,
        work: Work::Plain(rivals::gumbel_f64),
        check: |outcome, row| follows(outcome, &softmax(row, 1.0)),
    },
    Kernel {
        name: "plain sort, top-p 0.9",
        every_shape: false,
        work: Work::Plain(rivals::sort_top_p),
        check: |outcome, row| follows(outcome, &top_p(softmax(row, 1.0), 0.9)),
    },
    Kernel {
        name: "plain greedy + confidence",
        every_shape: false,
        work: Work::Plain(rivals::greedy_confidence),
        check: |outcome, row| follows(outcome, &softmax(row, 0.0)),
    },
];

fn draw<'a>(
    sampler: &'a mut Sampler,
    logits: &Logits<'_>,
    keys: &[Key],
    draw: &Draw,
) -> Outcome<'a> {
    let drawn = sampler.draw(logits, draw, &Constraints::NONE, keys);
    Outcome::Drawn(drawn.expect("a fine draw"))
}

/// A draw with the full statistics of the law at temperature 1.
fn describe<'a>(
    sampler: &'a mut Sampler,
    logits: &Logits<'_>,
    keys: &[Key],
    draw: &Draw,
) -> Outcome<'a> {
    STATISTICS.with_borrow_mut(|statistics| {
        statistics.resize(keys.len(), RowStatistics::BAD);
        let into = RowOutputs { statistics, top: &mut [] };
        let (none, wanted) = (Constraints::NONE, Statistics::default());
        let drawn = sampler.draw_with_statistics(logits, draw, &none, keys, &wanted, into);
        black_box(&*statistics);
        Outcome::Drawn(drawn.expect("a fine draw"))
    })
}

thread_local! {
    /// Where statistics go.
    static STATISTICS: RefCell<Vec<RowStatistics>> = const { RefCell::new(Vec::new()) };
}

fn softmax(row: &[f32], temperature: f64) -> Vec<f64> {
    oracle::probabilities(row, temperature, None).expect("a usable row")
}

/// The tokens of a law from the most likely, ties from the lowest id.
fn ordered(law: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..law.len()).collect();
    order.sort_by(|&a, &b| law[b].total_cmp(&law[a]));
    order
}

/// What is left of a law if tokens less likely than `share` of the most likely one are dropped.
fn min_p(law: Vec<f64>, share: f64) -> Vec<f64> {
    let least = share * law.iter().fold(0.0f64, |a, &b| a.max(b));
    normalised(law.into_iter().map(|p| if p >= least { p } else { 0.0 }).collect())
}

/// What is left if the `k` most likely tokens stay.
fn top_k(mut law: Vec<f64>, k: usize) -> Vec<f64> {
    for token in ordered(&law).into_iter().skip(k) {
        law[token] = 0.0;
    }
    normalised(law)
}

/// What is left if those tokens stay before which there is less mass than `p`; equals together.
fn top_p(law: Vec<f64>, p: f64) -> Vec<f64> {
    let mut mass = 0.0;
    let mut least = 0.0;
    for token in ordered(&law) {
        if mass >= p {
            break;
        }
        least = law[token];
        mass += law[token];
    }
    normalised(law.into_iter().map(|p| if p >= least { p } else { 0.0 }).collect())
}

fn normalised(mut law: Vec<f64>) -> Vec<f64> {
    let sum: f64 = law.iter().sum();
    law.iter_mut().for_each(|p| *p /= sum);
    law
}

/// The outcomes must be possible, and on the whole as likely as the law says: the mean of −ln p
/// over independent draws estimates the entropy.
fn follows(outcome: &Outcome<'_>, law: &[f64]) {
    let tokens = outcome.tokens();
    let possible = || law.iter().filter(|&&p| p > 0.0);
    let entropy: f64 = possible().map(|p| -p * p.ln()).sum();
    let moment: f64 = possible().map(|p| p * p.ln() * p.ln()).sum();
    let surprises = tokens.iter().map(|&token| {
        assert!(law[token] > 0.0, "token {token} is impossible");
        -law[token].ln()
    });
    let mean = surprises.sum::<f64>() / tokens.len() as f64;
    let error = ((moment - entropy * entropy).max(0.0) / tokens.len() as f64).sqrt();
    assert!((mean - entropy).abs() < 6.0 * error + 1e-6, "mean −ln p {mean}, entropy {entropy}");
}
