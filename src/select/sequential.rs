//! Sequential: from left to right, as many as the sizes say.

use super::Masked;

/// Appends the first `size` of `masked`.
pub(crate) fn choose(masked: &Masked<'_>, size: u32, rows: &mut Vec<u32>) {
    let mut left = size;
    for (word, &bits) in masked.words().iter().enumerate() {
        let (mut open, mut chosen) = (bits, 0);
        while left > 0 && open != 0 {
            chosen |= open & open.wrapping_neg();
            open &= open - 1;
            left -= 1;
        }
        masked.push(word, chosen, rows);
        if left == 0 {
            return;
        }
    }
}
