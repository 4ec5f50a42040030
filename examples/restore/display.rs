//! Verses on the screen: live on a terminal, a few states of each in plain lines elsewhere.

use crate::kjv::MASK;
use crate::verse::{Page, Spelling, exact, masks};
use anyhow::Result;
use console::{Style, Term, measure_text_width, style};
use std::thread::sleep;
use std::time::Duration;

/// How long a state stays on a terminal, so that eyes can follow.
const FRAME: Duration = Duration::from_millis(120);
/// The widest line.
const WIDTH: usize = 100;

/// Shows a page while it is restored.
pub(crate) struct Display<'a> {
    spelling: &'a Spelling,
    damaged: &'a Page,
    originals: Option<&'a [Vec<i32>]>,
    term: Term,
    /// The lines on a terminal that the next state replaces.
    shown: usize,
    /// The states so far, for a display that is no terminal.
    states: Vec<Vec<i32>>,
}

impl<'a> Display<'a> {
    /// For the page `damaged`, whose verses were `originals`, if that is known.
    pub(crate) fn new(
        spelling: &'a Spelling,
        damaged: &'a Page,
        originals: Option<&'a [Vec<i32>]>,
    ) -> Self {
        Self { spelling, damaged, originals, term: Term::stdout(), shown: 0, states: Vec::new() }
    }

    /// Takes in the tokens after a step that revealed the positions `revealed`.
    pub(crate) fn watch(&mut self, tokens: &[i32], revealed: &[u32]) -> Result<()> {
        if !self.term.is_term() {
            self.states.push(tokens.to_vec());
            return Ok(());
        }
        let mut lines = Vec::new();
        for verse in 0..self.damaged.segments.len() {
            lines.extend(self.paragraph("", verse, tokens, revealed));
            lines.push(String::new());
        }
        self.replace(&lines)?;
        sleep(FRAME);
        Ok(())
    }

    /// Shows what became of the verses, and how, where that could not be watched.
    pub(crate) fn finish(mut self, restored: &Page) -> Result<()> {
        let mut lines = Vec::new();
        for verse in 0..self.damaged.segments.len() {
            let left = |tokens: &Vec<i32>| masks(self.damaged.verse_in(verse, tokens));
            let total = left(&self.damaged.tokens);
            lines.push(style(self.heading(verse, restored)).bold().to_string());
            lines.extend(self.paragraph("damaged   ", verse, &self.damaged.tokens, &[]));
            for most in [total * 2 / 3, total / 3] {
                if let Some(state) = self.states.iter().find(|state| left(state) <= most) {
                    let label = format!("{:2} left   ", left(state));
                    lines.extend(self.paragraph(&label, verse, state, &[]));
                }
            }
            lines.extend(self.paragraph("restored  ", verse, &restored.tokens, &[]));
            if let Some(originals) = self.originals {
                let text = originals[verse].iter().map(|&token| self.spelling.text(token));
                lines.extend(wrap("original  ", text.map(|text| (text, Style::new()))));
            }
            lines.push(String::new());
        }
        self.replace(&lines)
    }

    fn heading(&self, verse: usize, restored: &Page) -> String {
        let Some(originals) = self.originals else {
            return format!("sample {}", verse + 1);
        };
        let damaged = self.damaged.verse(verse);
        let exact = exact(damaged, restored.verse(verse), &originals[verse]);
        let masks = masks(damaged);
        format!("verse {}: {exact} of {masks} masked tokens as they were, the rest in [ ]", verse + 1)
    }

    /// A verse in colours: masks, words revealed by this step, words revealed before; in the end,
    /// words that differ from the original stand in brackets.
    fn paragraph(&self, label: &str, verse: usize, tokens: &[i32], revealed: &[u32]) -> Vec<String> {
        let begin = self.damaged.segments[verse].begin as usize;
        let done = masks(self.damaged.verse_in(verse, tokens)) == 0;
        let words = self.damaged.verse(verse).iter().enumerate().map(|(i, &was)| {
            let token = tokens[begin + i];
            let word = self.spelling.text(token);
            if was != MASK {
                (word, Style::new())
            } else if token == MASK {
                (word, Style::new().dim())
            } else if revealed.contains(&((begin + i) as u32)) {
                (word, Style::new().black().on_yellow())
            } else if done && self.originals.is_some_and(|all| all[verse][i] != token) {
                (bracketed(&word), Style::new().red())
            } else {
                (word, Style::new().green())
            }
        });
        wrap(label, words)
    }

    /// Puts `lines` in the place of those shown last.
    fn replace(&mut self, lines: &[String]) -> Result<()> {
        self.term.clear_last_lines(self.shown)?;
        for line in lines {
            self.term.write_line(line)?;
        }
        self.shown = if self.term.is_term() { lines.len() } else { 0 };
        Ok(())
    }
}

/// The word in brackets, but not the space before it.
fn bracketed(word: &str) -> String {
    match word.strip_prefix(' ') {
        Some(word) => format!(" [{word}]"),
        None => format!("[{word}]"),
    }
}

/// Lines of words, the first one after `label`. A token that begins with a space begins a word.
fn wrap(label: &str, tokens: impl Iterator<Item = (String, Style)>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (text, style) in tokens.filter(|(text, _)| !text.is_empty()) {
        let styled = style.apply_to(text.trim_start()).to_string();
        match words.last_mut() {
            Some(word) if !text.starts_with(' ') => word.push_str(&styled),
            _ => words.push(styled),
        }
    }
    let width = Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| columns.into());
    let mut lines = vec![label.to_owned()];
    let mut space = "";
    for word in words {
        let line = lines.last_mut().expect("there is one from the start");
        if measure_text_width(line) + 1 + measure_text_width(&word) > width.min(WIDTH) {
            lines.push(" ".repeat(label.len()) + &word);
        } else {
            *line += &format!("{space}{word}");
        }
        space = " ";
    }
    lines
}
