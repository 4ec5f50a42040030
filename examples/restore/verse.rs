//! Verses as tokens, and damage done to them.

use crate::decoding::choose;
use crate::kjv::MASK;
use anyhow::{Context, Result, anyhow, ensure};
use demask::Segment;
use rand_xoshiro::Xoshiro256PlusPlus;
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

/// Reads `held_out_verses.txt` in `folder`: verses that the model was not trained on, one a line.
pub(crate) fn read_held_out(folder: &Path) -> Result<Vec<String>> {
    let path = folder.join("held_out_verses.txt");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(!text.is_empty(), "{} is empty", path.display());
    Ok(text.lines().map(str::to_owned).collect())
}

/// `tokens` with `fraction` of them, but at least one, masked; the line breaks at either end stay.
pub(crate) fn damage(tokens: &[i32], fraction: f64, rng: &mut Xoshiro256PlusPlus) -> Vec<i32> {
    let inner = tokens.len() - 2;
    let masks = ((fraction * inner as f64).round() as usize).max(1);
    let mut damaged = tokens.to_vec();
    for at in choose(masks, inner, rng) {
        damaged[1 + at] = MASK;
    }
    damaged
}

/// Verses one after the other, each of them a segment.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) tokens: Vec<i32>,
    pub(crate) segments: Vec<Segment>,
}

impl Page {
    pub(crate) fn new(verses: &[Vec<i32>], seed: u64) -> Self {
        let mut tokens = Vec::new();
        let mut segments = Vec::new();
        for (stream, verse) in verses.iter().enumerate() {
            let begin = tokens.len() as u32;
            tokens.extend(verse);
            segments.push(Segment {
                begin,
                end: tokens.len() as u32,
                seed,
                stream: stream as u64,
                // Where the first-hitting sampler starts: the verse is partly filled in.
                log_masked: (masks(verse) as f64 / verse.len() as f64).ln(),
                ..Segment::default()
            });
        }
        Self { tokens, segments }
    }

    /// The tokens of verse `verse`.
    pub(crate) fn verse(&self, verse: usize) -> &[i32] {
        self.verse_in(verse, &self.tokens)
    }

    /// The tokens of verse `verse` in another state of the page.
    pub(crate) fn verse_in<'a>(&self, verse: usize, tokens: &'a [i32]) -> &'a [i32] {
        let Segment { begin, end, .. } = self.segments[verse];
        &tokens[begin as usize..end as usize]
    }
}

/// The number of masks.
pub(crate) fn masks(tokens: &[i32]) -> usize {
    tokens.iter().filter(|&&token| token == MASK).count()
}

/// How many of the tokens that were masked in `damaged` are in `restored` what they were.
pub(crate) fn exact(damaged: &[i32], restored: &[i32], original: &[i32]) -> usize {
    let tokens = damaged.iter().zip(restored).zip(original);
    tokens.filter(|((was, new), old)| **was == MASK && new == old).count()
}
