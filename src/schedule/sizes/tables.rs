//! Tables of sizes that were made once, to be looked up.

use super::{SystematicSizes, Weight};
use crate::error::Error;
use std::collections::BTreeMap;

/// Systematic tables by masks, steps and weight, for a client whose segments have many lengths.
///
/// Make what a batch needs before its policies borrow it:
///
/// ```
/// use demask::Sizes;
/// use demask::schedule::sizes::{SizeTables, Weight};
///
/// # fn main() -> Result<(), demask::Error> {
/// let mut tables = SizeTables::default();
/// for masks in [100, 257, 100] {
///     tables.prepare(masks, 16, Weight::TotalCorrelation)?; // solved twice, not three times
/// }
/// let table = tables.get(257, 16, Weight::TotalCorrelation).expect("prepared");
/// assert_eq!(Sizes::Systematic(table).check(257, 16), Ok(()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct SizeTables {
    tables: BTreeMap<(u32, u32, Weight), SystematicSizes>,
}

impl SizeTables {
    /// Makes a table, unless it is there.
    ///
    /// # Errors
    /// As [`SystematicSizes::new`].
    pub fn prepare(
        &mut self,
        masks: u32,
        steps: u32,
        weight: Weight,
    ) -> Result<&SystematicSizes, Error> {
        use std::collections::btree_map::Entry;
        match self.tables.entry((masks, steps, weight)) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => Ok(entry.insert(SystematicSizes::new(masks, steps, weight)?)),
        }
    }

    /// The table, if it was made.
    #[must_use]
    pub fn get(&self, masks: u32, steps: u32, weight: Weight) -> Option<&SystematicSizes> {
        self.tables.get(&(masks, steps, weight))
    }

    /// How many tables there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}
