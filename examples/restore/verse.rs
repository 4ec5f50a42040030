//! Verses as tokens, and verses damaged on purpose.

use crate::decoding::choose;
use crate::kjv::MASK;
use anyhow::{Context, Result, anyhow, ensure};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use std::fs;
use std::path::Path;
use tokenizers::Tokenizer;

/// Text ↔ tokens.
pub(crate) struct Spelling {
    tokenizer: Tokenizer,
    newline: i32,
}

impl Spelling {
    /// Reads `tokenizer.json` in `folder`.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let tokenizer = Tokenizer::from_bytes(text)
            .map_err(|error| anyhow!("{} is no tokenizer: {error}", path.display()))?;
        let mut spelling = Self { tokenizer, newline: MASK };
        spelling.newline = spelling.tokens("\n")?[0];
        Ok(spelling)
    }

    fn tokens(&self, text: &str) -> Result<Vec<i32>> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| anyhow!(error))?;
        Ok(encoding.get_ids().iter().map(|&id| id as i32).collect())
    }

    /// The tokens of a text in which every `_` is one masked token and takes the space before it
    /// along, since a token that begins a word holds the space before the word.
    ///
    /// A line break stands at either end, as around the verses that the model was trained on.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<i32>> {
        let mut tokens = vec![self.newline];
        let mut pieces = text.split('_').peekable();
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                tokens.extend(self.tokens(piece)?);
            } else {
                tokens.extend(self.tokens(piece.strip_suffix(' ').unwrap_or(piece))?);
                tokens.push(MASK);
            }
        }
        tokens.push(self.newline);
        Ok(tokens)
    }

    /// The text of one token, empty for a line break.
    pub(crate) fn text(&self, token: i32) -> String {
        if token == MASK {
            return " ___".to_owned();
        }
        let text = self.tokenizer.decode(&[token as u32], false).unwrap_or_default();
        text.trim_matches('\n').to_owned()
    }
}

/// Verses that the model was not trained on, as they were and damaged.
pub(crate) struct HeldOut {
    pub(crate) originals: Vec<Vec<i32>>,
    pub(crate) damaged: Vec<Vec<i32>>,
}

impl HeldOut {
    /// Picks `count` verses of `held_out_verses.txt` in `folder`, one a line, and masks `fraction`
    /// of the tokens of each, but at least one. The line breaks at either end stay.
    pub(crate) fn pick(
        folder: &Path,
        spelling: &Spelling,
        count: usize,
        fraction: f64,
        seed: u64,
    ) -> Result<Self> {
        let path = folder.join("held_out_verses.txt");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let verses: Vec<&str> = text.lines().collect();
        let there = verses.len();
        ensure!(count <= there, "{count} verses wanted, but {} has {there}", path.display());

        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (mut originals, mut damaged) = (Vec::new(), Vec::new());
        for verse in choose(count, there, &mut rng) {
            let original = spelling.encode(verses[verse])?;
            let inner = original.len() - 2;
            let masks = ((fraction * inner as f64).round() as usize).max(1);
            let mut tokens = original.clone();
            for at in choose(masks, inner, &mut rng) {
                tokens[1 + at] = MASK;
            }
            originals.push(original);
            damaged.push(tokens);
        }
        Ok(Self { originals, damaged })
    }
}
