//! How a token is drawn, as plain numbers.

use super::boundary;
use super::numbered::{Numbered, numbered};
use super::pointer::{self, c_struct};
use super::status::{Refusal, demask_status};
use crate::policy::{Draw, DrawMethod, FilterOrder, NucleusEdge};

/// top_p and min_p look at the probabilities at the drawing temperature.
pub const DEMASK_FILTER_AFTER_TEMPERATURE: u32 = 0;
/// They look at those at temperature 1; the temperature acts on what is left.
pub const DEMASK_FILTER_BEFORE_TEMPERATURE: u32 = 1;

/// top_p keeps a token if those with larger logits have less than top_p of the probability.
pub const DEMASK_NUCLEUS_KEEP: u32 = 0;
/// It keeps a token if it and those with equal or larger logits have at most that, and the largest
/// logit always (BD3-LM, ReMDM).
pub const DEMASK_NUCLEUS_DROP: u32 = 1;

/// Rejection under the maxima of small cells: the fastest.
pub const DEMASK_METHOD_REJECTION: u32 = 0;
/// The keyed exponential race: the law is the same, the tokens are others; the noise of a token
/// depends on the key and its id alone. About three times slower.
pub const DEMASK_METHOD_RACE: u32 = 1;

/// How a token is drawn from its row: temperature and filters. A plain value: fill it with
/// demask_draw_rule_init, then change fields as wanted.
///
/// The filters that are on are applied in this order, whatever the temperature does: top-k, then
/// top-p over the renormalised rest, then min-p relative to the largest logit. The most likely token
/// always stays.
///
/// All zero but struct_size is the most likely token, without filters.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct demask_draw_rule {
    /// sizeof(demask_draw_rule), as the caller was compiled.
    pub struct_size: u32,
    /// Logits are divided by this: 0, or at least 1e-30; 1 by default. 0 takes the largest logit
    /// (ties: the lowest id), which no filter changes; INFINITY draws uniformly among the finite
    /// logits.
    pub temperature: f32,
    /// Keeps the so many largest logits, exactly (ties: the lowest ids); 0, the default, keeps all.
    pub top_k: u32,
    /// Keeps a token if the tokens with larger logits have less than this much probability
    /// together, so that equal logits are kept or dropped together. 0 to 1; 1, the default, keeps
    /// all, and 0 too.
    pub top_p: f32,
    /// Keeps the tokens that are at least this times as likely as the most likely one. 0 to 1; 0,
    /// the default, keeps all.
    pub min_p: f32,
    /// Which probabilities top_p and min_p look at: a DEMASK_FILTER_ number.
    pub filter_order: u32,
    /// Where the randomness enters: a DEMASK_METHOD_ number.
    pub method: u32,
    /// What happens to the logit at which top_p is crossed: a DEMASK_NUCLEUS_ number.
    pub nucleus_edge: u32,
}
c_struct!(demask_draw_rule: 32, grew from 28);

numbered!(FilterOrder:
    DEMASK_FILTER_AFTER_TEMPERATURE = AfterTemperature,
    DEMASK_FILTER_BEFORE_TEMPERATURE = BeforeTemperature);
numbered!(NucleusEdge: DEMASK_NUCLEUS_KEEP = Keep, DEMASK_NUCLEUS_DROP = Drop);
numbered!(DrawMethod: DEMASK_METHOD_REJECTION = Rejection, DEMASK_METHOD_RACE = ExponentialRace);

impl demask_draw_rule {
    /// The draw of these numbers, its parameters not yet checked.
    pub(super) fn draw(&self) -> Result<Draw, Refusal> {
        Ok(Draw {
            top_k: self.top_k,
            // So that a caller whose struct lacks the field filters nothing.
            top_p: if self.top_p == 0.0 { 1.0 } else { self.top_p },
            min_p: self.min_p,
            filter_order: FilterOrder::from_number(self.filter_order)?,
            method: DrawMethod::from_number(self.method)?,
            nucleus_edge: NucleusEdge::from_number(self.nucleus_edge)?,
            temperature: self.temperature,
        })
    }

    pub(super) fn new(draw: &Draw, struct_size: usize) -> Self {
        Self {
            struct_size: u32::try_from(struct_size).unwrap_or(0),
            temperature: draw.temperature,
            top_k: draw.top_k,
            top_p: draw.top_p,
            min_p: draw.min_p,
            filter_order: draw.filter_order.number(),
            method: draw.method.number(),
            nucleus_edge: draw.nucleus_edge.number(),
        }
    }
}

/// Fills `out` with the defaults: temperature 1, without filters. `struct_size` is
/// sizeof(demask_draw_rule).
///
/// Errors: NULL, ALIGN, STRUCT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn demask_draw_rule_init(
    out: *mut demask_draw_rule,
    struct_size: usize,
) -> demask_status {
    let rule = demask_draw_rule::new(&Draw::at(1.0), struct_size);
    // SAFETY: the caller's promise.
    boundary::call(|| unsafe { pointer::fill(out, struct_size, &rule) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capi::pointer::Plain;

    #[test]
    fn all_zero_is_greedy_without_filters() {
        let zero = demask_draw_rule::zeroed();
        assert_eq!(zero.draw(), Ok(Draw::at(0.0)));
    }
}
