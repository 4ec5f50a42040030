//! The expected number of positions that the noise schedule reveals (dllm's α schedule).

/// n·P of n = `left` masks, rounded to the nearest integer, halves to the even one as `torch.round`
/// does. What is within 1e-9 of a half is that half, as 15/6 is.
pub(super) fn size(left: u32, probability: f64) -> u32 {
    let mean = f64::from(left) * probability;
    let whole = mean.floor();
    let rounded = match (mean - whole - 0.5).abs() < 1e-9 {
        true => whole + whole % 2.0,
        false => mean.round(),
    };
    (rounded as u32).min(left)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn halves_go_to_the_even_number() {
        let rounded = [(1, 0), (3, 2), (5, 2), (7, 4), (9, 4), (11, 6)];
        for (masks, expected) in rounded {
            assert_eq!(size(masks, 0.5), expected, "{masks}/2");
            assert_eq!(size(3 * masks, 1.0 / 6.0), expected, "{masks}·3/6");
            assert_eq!(size(masks, 0.5 - 1e-6), masks / 2);
            assert_eq!(size(masks, 0.5 + 1e-6), masks.div_ceil(2));
        }
        for masks in [0, 1, 7, u32::MAX] {
            assert_eq!((size(masks, 0.0), size(masks, 1.0)), (0, masks));
        }
    }
}
