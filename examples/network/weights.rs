//! Weights, read from a safetensors file into f32.

use anyhow::{Context, Result, bail, ensure};
use half::f16;
use safetensors::{Dtype, SafeTensors};
use std::fs;
use std::path::{Path, PathBuf};

/// The contents of a safetensors file.
pub(crate) struct Weights {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Weights {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { path: path.to_owned(), bytes })
    }

    /// The tensor `name`, row by row. It must have exactly this shape.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let path = self.path.display();
        let file = SafeTensors::deserialize(&self.bytes)
            .with_context(|| format!("{path} is no safetensors file"))?;
        let tensor = file.tensor(name).with_context(|| format!("{path}, tensor {name}"))?;
        let found = tensor.shape();
        ensure!(found == shape, "{path}, tensor {name}: shape {found:?} instead of {shape:?}");
        Ok(match tensor.dtype() {
            Dtype::F16 => {
                let (halves, _) = tensor.data().as_chunks::<2>();
                halves.iter().map(|&bytes| f16::from_le_bytes(bytes).to_f32()).collect()
            }
            Dtype::F32 => {
                let (floats, _) = tensor.data().as_chunks::<4>();
                floats.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
            }
            other => bail!("{path}, tensor {name}: type {other} is not one of F16 and F32"),
        })
    }
}
