//! The masked positions of a segment, a bit each.

use crate::canvas::{Canvas, PositionKind, Segment};
use crate::lanes::{Kernel, Lanes, Level, run};

/// The masked positions of a segment: bit i % 64 of word i / 64 is position `begin` + i.
pub(crate) struct Masked<'a> {
    begin: u32,
    words: &'a [u64],
    count: u32,
}

impl<'a> Masked<'a> {
    /// How many words the positions of a segment take.
    pub(crate) fn words_of(positions: usize) -> usize {
        positions.div_ceil(64)
    }

    /// Finds the positions of a kind instead; none without kinds.
    pub(crate) fn find_kind(
        canvas: &Canvas<'_>,
        segment: &Segment,
        kind: PositionKind,
        room: &'a mut [u64],
    ) -> Self {
        let positions = segment.begin as usize..segment.end as usize;
        let words = &mut room[..Self::words_of(positions.len())];
        match canvas.kinds() {
            Some(kinds) => by_kind(&kinds[positions], kind, words),
            None => words.fill(0),
        }
        let count = words.iter().map(|word| word.count_ones()).sum();
        Self { begin: segment.begin, words, count }
    }

    /// Finds the positions that are masked or committed; all of the segment without kinds.
    pub(crate) fn find_open(canvas: &Canvas<'_>, segment: &Segment, room: &'a mut [u64]) -> Self {
        let positions = segment.end - segment.begin;
        let words = &mut room[..Self::words_of(positions as usize)];
        for (first, word) in (segment.begin..segment.end).step_by(64).zip(&mut *words) {
            let bits = (first..segment.end.min(first.saturating_add(64))).zip(0..);
            *word = bits.fold(0, |word, (at, bit)| word | u64::from(canvas.is_open(at)) << bit);
        }
        let count = words.iter().map(|word| word.count_ones()).sum();
        Self { begin: segment.begin, words, count }
    }

    /// Finds them; `room` holds as many words as the segment takes, or more.
    pub(crate) fn find(
        level: Level,
        canvas: &Canvas<'_>,
        segment: &Segment,
        room: &'a mut [u64],
    ) -> Self {
        let positions = segment.begin as usize..segment.end as usize;
        let words = &mut room[..Self::words_of(positions.len())];
        match canvas.kinds() {
            Some(kinds) => by_kind(&kinds[positions], PositionKind::MASKED, words),
            None => {
                let (tokens, mask) = (&canvas.tokens()[positions], canvas.mask_token());
                run(level, ByToken { tokens, mask, words });
            }
        }
        let count = words.iter().map(|word| word.count_ones()).sum();
        Self { begin: segment.begin, words, count }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The words of bits.
    pub(crate) fn words(&self) -> &'a [u64] {
        self.words
    }

    /// The canvas position of a bit.
    pub(crate) fn position(&self, bit: usize) -> u32 {
        self.begin + bit as u32
    }

    /// Appends the positions of some bits of word `word`, ascending.
    pub(crate) fn push(&self, word: usize, mut bits: u64, rows: &mut Vec<u32>) {
        let first = self.position(64 * word);
        if bits == u64::MAX {
            return rows.extend(first..first + 64);
        }
        while bits != 0 {
            rows.push(first + bits.trailing_zeros());
            bits &= bits - 1;
        }
    }

    /// Appends all of them, ascending.
    pub(crate) fn push_all(&self, rows: &mut Vec<u32>) {
        for (word, &bits) in self.words.iter().enumerate() {
            self.push(word, bits, rows);
        }
    }
}

/// Positions by their kinds, eight at a time.
fn by_kind(kinds: &[PositionKind], kind: PositionKind, words: &mut [u64]) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    for (word, kinds) in words.iter_mut().zip(kinds.chunks(64)) {
        *word = 0;
        for (k, kinds) in kinds.chunks(8).enumerate() {
            // What is past the end is of another kind.
            let mut bytes = [!kind.0 & 3; 8];
            bytes[..kinds.len()].copy_from_slice(bytemuck::cast_slice(kinds));
            // 0 where it is that kind, at most 3 elsewhere: its two bits together tell.
            let other = u64::from_le_bytes(bytes) ^ (ONES * u64::from(kind.0));
            let masked = !(other | other >> 1) & ONES;
            // The product has bit i of byte i in its highest byte.
            *word |= (masked.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * k);
        }
    }
}

/// Positions by their tokens, sixteen at a time.
struct ByToken<'a> {
    tokens: &'a [i32],
    mask: i32,
    words: &'a mut [u64],
}

impl Kernel for ByToken<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, s: L) {
        let Self { tokens, mask, words } = self;
        let mask = s.splat_u32(mask.cast_unsigned());
        let bits = |tokens: &[i32; 16]| {
            let tokens = s.load_u32(bytemuck::must_cast_ref(tokens));
            u64::from(s.bits(s.equal_u32(tokens, mask)))
        };
        let whole = tokens.as_chunks::<64>().0;
        for (word, tokens) in words.iter_mut().zip(whole) {
            let [a, b, c, d] = tokens.as_chunks::<16>().0 else { return };
            *word = bits(a) | bits(b) << 16 | bits(c) << 32 | bits(d) << 48;
        }
        if let Some(word) = words.get_mut(whole.len()) {
            *word = 0;
            for (k, tokens) in tokens[64 * whole.len()..].chunks(16).enumerate() {
                let mut padded = [0; 16];
                padded[..tokens.len()].copy_from_slice(tokens);
                let in_row = (1u64 << tokens.len()) - 1;
                *word |= (bits(&padded) & in_row) << (16 * k);
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::Masked;
    use crate::canvas::{Canvas, PositionKind, Segment};
    use crate::lanes::Level;

    /// Random tokens, of which about `share` in 256 are masks.
    pub(in crate::select) fn tokens(length: usize, share: u64, mask: i32) -> Vec<i32> {
        let token = |i: usize| {
            let word = crate::rng::mix(i as u64 ^ share << 32);
            if word % 256 < share { mask } else { (word >> 32) as i32 | 1 << 20 }
        };
        (0..length).map(token).collect()
    }

    /// Calls `check` with the masked positions of a segment of these tokens.
    pub(in crate::select) fn with_masked<R>(
        level: Level,
        tokens: &mut [i32],
        begin: u32,
        check: impl FnOnce(&Masked<'_>) -> R,
    ) -> R {
        let end = tokens.len() as u32;
        let mut segments = [Segment { begin, end, ..Segment::default() }];
        let policies = [crate::policy::Policy::random_order(3)];
        let mut room = vec![!0; Masked::words_of(tokens.len())];
        let canvas = Canvas::new(tokens, 9, &mut segments, &policies).expect("a canvas");
        check(&Masked::find(level, &canvas, &canvas.segments()[0], &mut room))
    }

    #[test]
    fn masked_positions_are_found_by_token_and_by_kind() {
        for length in (0..70).chain([127, 128, 129, 1_000]) {
            for share in [0, 20, 200, 256] {
                for begin in [0, 1, 17] {
                    let mut tokens = tokens(length + begin as usize, share, 9);
                    // A neighbour in bits: the sign and the low bit.
                    for (at, token) in tokens.iter_mut().enumerate().filter(|(at, _)| at % 7 == 3) {
                        *token = [9 | i32::MIN, 8, 9 ^ 1 << 16][at % 3];
                    }
                    let own = tokens.clone();
                    let expected: Vec<u32> =
                        (begin..own.len() as u32).filter(|&at| own[at as usize] == 9).collect();
                    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
                        with_masked(level, &mut tokens, begin, |masked| {
                            let mut rows = Vec::new();
                            masked.push_all(&mut rows);
                            assert_eq!(rows, expected, "{length} positions, {level}");
                            assert_eq!(masked.count() as usize, expected.len());
                        });
                    }
                    let mut kinds: Vec<_> =
                        (0..own.len()).map(|at| PositionKind([0, 2, 3][at % 3])).collect();
                    for &at in &expected {
                        kinds[at as usize] = PositionKind::MASKED;
                    }
                    let end = own.len() as u32;
                    let mut segments = [Segment { begin, end, ..Segment::default() }];
                    let policies = [crate::policy::Policy::random_order(3)];
                    let canvas = Canvas::new(&mut tokens, 77, &mut segments, &policies)
                        .and_then(|canvas| canvas.with_kinds(&mut kinds))
                        .expect("a canvas");
                    let mut room = vec![!0; Masked::words_of(length)];
                    let segment = &canvas.segments()[0];
                    let masked = Masked::find(Level::detect(), &canvas, segment, &mut room);
                    let mut rows = Vec::new();
                    masked.push_all(&mut rows);
                    assert_eq!(rows, expected, "{length} positions by kind");
                }
            }
        }
    }
}
