//! Verses on the screen: live on a terminal, a few states of each in plain lines elsewhere.

use crate::decoding::{Batch, count, exact};
use crate::kjv::MASK;
use crate::verse::Spelling;
use anyhow::Result;
use console::{Style, Term, measure_text_width, style};
use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

/// How long a state stays on a terminal, so that eyes can follow.
const FRAME: Duration = Duration::from_millis(100);
/// The longest line.
const WIDTH: usize = 100;

/// Shows a batch of verses while it is restored.
pub(crate) struct Display<'a> {
    spelling: &'a Spelling,
    damaged: &'a Batch,
    term: Term,
    /// The lines on the terminal that the next state replaces.
    shown: usize,
    /// The states so far, where they cannot be shown live.
    states: Vec<Vec<i32>>,
}

impl<'a> Display<'a> {
    /// For a batch that starts as `damaged`.
    pub(crate) fn new(spelling: &'a Spelling, damaged: &'a Batch) -> Self {
        Self { spelling, damaged, term: Term::stdout(), shown: 0, states: Vec::new() }
    }

    /// Takes in the tokens after a step that revealed the positions `revealed`.
    pub(crate) fn watch(&mut self, tokens: &[i32], revealed: &[u32]) -> Result<()> {
        let mut lines = Vec::new();
        for verse in 0..self.damaged.segments.len() {
            let words = self.words(verse, tokens).zip(self.positions(verse));
            lines.extend(wrap(
                "",
                words.map(|((text, ink), at)| {
                    let new = revealed.contains(&at);
                    (text, if new { Style::new().black().on_yellow() } else { ink })
                }),
            ));
            lines.push(String::new());
        }
        let (height, _) = self.term.size();
        if self.term.is_term() && lines.len() < usize::from(height) {
            self.replace(&lines)?;
            sleep(FRAME);
        } else {
            self.states.push(tokens.to_vec());
        }
        Ok(())
    }

    /// Shows what became of verses that were `originals`, and how, where it was not shown live.
    pub(crate) fn finish_verses(mut self, restored: &Batch, originals: &[Vec<i32>]) -> Result<()> {
        let mut lines = Vec::new();
        for (verse, original) in originals.iter().enumerate() {
            let left = |tokens: &[i32]| count(self.damaged.sequence_in(verse, tokens), MASK);
            let (damaged, tokens) = (self.damaged.sequence(verse), restored.sequence(verse));
            let total = count(damaged, MASK);
            let exact = exact(damaged, tokens, original, MASK);
            let heading = format!("{exact} of {total} masked tokens restored, others in brackets");
            lines.push(style(heading).bold().to_string());
            lines.extend(wrap("damaged   ", self.words(verse, &self.damaged.tokens)));
            for most in [total * 2 / 3, total / 3] {
                if let Some(state) = self.states.iter().find(|state| left(state) <= most) {
                    let label = format!("{:3} left  ", left(state));
                    lines.extend(wrap(&label, self.words(verse, state)));
                }
            }
            let differs = |i: usize| tokens.get(i) != original.get(i);
            let words = self.words(verse, &restored.tokens).enumerate().map(|(i, (text, ink))| {
                let (space, word) = text.split_at(usize::from(text.starts_with(' ')));
                let open = if differs(i) && !differs(i.wrapping_sub(1)) { "[" } else { "" };
                let close = if differs(i) && !differs(i + 1) { "]" } else { "" };
                let ink = if differs(i) { Style::new().red() } else { ink };
                (format!("{space}{open}{word}{close}"), ink)
            });
            lines.extend(wrap("restored  ", words));
            let text = original.iter().map(|&token| (self.spelling.text(token), Style::new()));
            lines.extend(wrap("original  ", text));
            lines.push(String::new());
        }
        self.replace(&lines)
    }

    /// Shows the fillings of a text.
    pub(crate) fn finish_samples(mut self, filled: &Batch) -> Result<()> {
        let mut lines = wrap("gaps       ", self.words(0, &self.damaged.tokens));
        for sample in 0..filled.segments.len() {
            let label = format!("sample {:<4}", sample + 1);
            lines.extend(wrap(&label, self.words(sample, &filled.tokens)));
        }
        lines.push(String::new());
        self.replace(&lines)
    }

    fn positions(&self, verse: usize) -> std::ops::Range<u32> {
        self.damaged.segments[verse].begin..self.damaged.segments[verse].end
    }

    /// The tokens of a verse as text, in colours: as given, masked, or revealed.
    fn words(&self, verse: usize, tokens: &[i32]) -> impl Iterator<Item = (String, Style)> {
        let tokens =
            self.damaged.sequence_in(verse, tokens).iter().zip(self.damaged.sequence(verse));
        tokens.map(|(&token, &was)| {
            let ink = match (was, token) {
                (MASK, MASK) => Style::new().dim(),
                (MASK, _) => Style::new().green(),
                _ => Style::new(),
            };
            (self.spelling.text(token), ink)
        })
    }

    /// Puts `lines` in the place of those shown last.
    fn replace(&mut self, lines: &[String]) -> Result<()> {
        self.term.clear_last_lines(self.shown)?;
        writeln!(self.term, "{}", lines.join("\n"))?;
        self.shown = lines.len();
        Ok(())
    }
}

/// Lines of words, the first one after `label`. A token that begins with a space begins a word.
fn wrap(label: &str, tokens: impl Iterator<Item = (String, Style)>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (text, ink) in tokens.filter(|(text, _)| !text.is_empty()) {
        let inked = ink.apply_to(text.trim_start()).to_string();
        match words.last_mut() {
            Some(word) if !text.starts_with(' ') => word.push_str(&inked),
            _ => words.push(inked),
        }
    }
    let width = Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| columns.into());
    let mut lines = Vec::new();
    let mut line = label.to_owned();
    let mut space = "";
    for word in words {
        if measure_text_width(&line) + 1 + measure_text_width(&word) > width.min(WIDTH) {
            lines.push(line);
            line = " ".repeat(label.len()) + &word;
        } else {
            line += &format!("{space}{word}");
        }
        space = " ";
    }
    lines.push(line);
    lines
}
