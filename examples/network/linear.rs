//! A linear layer: rows of inputs times a weight matrix, plus a bias.

use multiversion::multiversion;

/// The outputs that are computed side by side, one in a SIMD lane.
const LANES: usize = 16;
/// The rows that share one pass over the weights, so that a weight is loaded once for all of them.
const ROWS: usize = 4;

/// A weight matrix of `outputs` × `inputs`, and a bias.
///
/// It is kept in panels of 16 outputs, in which the 16 weights of one input lie together: the sums
/// of 16 outputs then grow side by side, each of them over the inputs in ascending order.
pub(crate) struct Linear {
    inputs: usize,
    outputs: usize,
    panels: Vec<[f32; LANES]>,
    bias: Vec<f32>,
}

impl Linear {
    /// From `weight`, a row of `inputs` weights for each output, and from `bias`, a number for each
    /// output, if there is one.
    pub(crate) fn new(weight: &[f32], inputs: usize, bias: Option<&[f32]>) -> Self {
        let outputs = weight.len() / inputs;
        let mut panels = vec![[0.0; LANES]; outputs.div_ceil(LANES) * inputs];
        for (output, weights) in weight.chunks_exact(inputs).enumerate() {
            let panel = &mut panels[output / LANES * inputs..][..inputs];
            for (lanes, &weight) in panel.iter_mut().zip(weights) {
                lanes[output % LANES] = weight;
            }
        }
        let bias = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
        Self { inputs, outputs, panels, bias }
    }

    /// The outputs of every row of `x` (rows × inputs): rows × outputs.
    pub(crate) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.inputs;
        let mut y = vec![0.0; rows * self.outputs];
        multiply(self, x, &mut y);
        y
    }
}

/// Compiled a second time for CPUs with AVX2. Wider vectors change no result: every output has a
/// lane and an order of its own, and a product and a sum are rounded one after the other.
#[multiversion(targets("x86_64+avx2"))]
fn multiply(layer: &Linear, x: &[f32], y: &mut [f32]) {
    let Linear { inputs, outputs, ref panels, ref bias } = *layer;
    for (panel, first) in panels.chunks_exact(inputs).zip((0..outputs).step_by(LANES)) {
        let lanes = first..outputs.min(first + LANES);
        let mut blocks = x.chunks_exact(ROWS * inputs);
        let mut y_blocks = y.chunks_exact_mut(ROWS * outputs);
        for (x, y) in blocks.by_ref().zip(y_blocks.by_ref()) {
            let sums = multiply_rows::<ROWS>(panel, x);
            write(&sums, &bias[lanes.clone()], y, outputs, first);
        }
        let rest = blocks.remainder().chunks_exact(inputs);
        for (x, y) in rest.zip(y_blocks.into_remainder().chunks_exact_mut(outputs)) {
            let sums = multiply_rows::<1>(panel, x);
            write(&sums, &bias[lanes.clone()], y, outputs, first);
        }
    }
}

/// The outputs of one panel for `N` rows.
#[inline(always)]
fn multiply_rows<const N: usize>(panel: &[[f32; LANES]], x: &[f32]) -> [[f32; LANES]; N] {
    let rows: [&[f32]; N] = core::array::from_fn(|row| &x[row * panel.len()..][..panel.len()]);
    let mut sums = [[0.0; LANES]; N];
    for (input, weights) in panel.iter().enumerate() {
        for row in 0..N {
            for lane in 0..LANES {
                sums[row][lane] += rows[row][input] * weights[lane];
            }
        }
    }
    sums
}

/// Writes the sums of a panel to its place in the rows of `y`, which starts at output `first`.
#[inline(always)]
fn write(sums: &[[f32; LANES]], bias: &[f32], y: &mut [f32], outputs: usize, first: usize) {
    for (sums, y) in sums.iter().zip(y.chunks_exact_mut(outputs)) {
        for ((y, sum), bias) in y[first..].iter_mut().zip(sums).zip(bias) {
            *y = sum + bias;
        }
    }
}

/// x += y, of a residual connection.
pub(crate) fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}
