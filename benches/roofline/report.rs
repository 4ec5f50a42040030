//! The table, the summary, and the same for machines.

use crate::measure::Visit;
use crate::rows::{Dtype, Shape};
use crate::timing::Samples;
use console::style;
use std::fmt::Write;

/// One measured number with all that it depends on.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) kernel: String,
    pub(crate) dtype: Dtype,
    pub(crate) level: String,
    pub(crate) threads: usize,
    pub(crate) resident: &'static str,
    pub(crate) shape: Shape,
    pub(crate) vocab: usize,
    pub(crate) rows: usize,
    pub(crate) ns_per_token: f64,
    pub(crate) spread: f64,
    pub(crate) ratio_to_read: f64,
}

impl Line {
    /// A measured time of a kernel that is yet to be named.
    pub(crate) fn new(
        samples: &Samples,
        visit: &Visit<'_>,
        resident: &'static str,
        ratio: f64,
    ) -> Self {
        let batch = visit.batch;
        Self {
            kernel: String::new(),
            dtype: batch.dtype,
            level: String::new(),
            threads: visit.threads,
            resident,
            shape: batch.shape,
            vocab: batch.vocab,
            rows: batch.rows,
            ns_per_token: 1e9 * samples.median(),
            spread: samples.spread(),
            ratio_to_read: ratio,
        }
    }

    /// One of the loops among which the fastest is "read".
    fn is_loop(&self) -> bool {
        self.kernel.starts_with("read (")
    }

    fn gb_per_s(&self) -> f64 {
        self.dtype.bytes() as f64 / self.ns_per_token
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "kernel": self.kernel,
            "dtype": self.dtype.to_string(),
            "level": self.level,
            "threads": self.threads,
            "resident": self.resident,
            "shape": self.shape.to_string(),
            "vocab": self.vocab,
            "rows": self.rows,
            "ns_per_token": self.ns_per_token,
            "gb_per_s": self.gb_per_s(),
            "ratio_to_read": self.ratio_to_read,
            "spread": self.spread,
        })
    }
}

/// 131,072.
pub(crate) fn thousands(x: usize) -> String {
    let digits = x.to_string();
    let mut out = String::new();
    for (k, digit) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The lines of one batch on so many threads.
pub(crate) fn block(lines: &[Line]) -> String {
    let Some(first) = lines.first() else { return String::new() };
    let threads =
        if first.threads == 1 { "1 thread".into() } else { format!("{} threads", first.threads) };
    let title = format!(
        "{}, {threads}, {}, V = {} x {} rows, {}",
        first.resident,
        first.dtype,
        thousands(first.vocab),
        thousands(first.rows),
        first.shape
    );
    let mut out = format!("\n{}\n", style(title).bold());
    let head = format!(
        "  {:<28} {:<8} {:>9} {:>8} {:>9} {:>7}",
        "kernel", "level", "ns/token", "GB/s", "x read", "spread"
    );
    let _ = writeln!(out, "{}", style(head).dim());
    for line in lines.iter().filter(|line| !line.is_loop()) {
        let _ = writeln!(
            out,
            "  {:<28} {:<8} {:>9.4} {:>8.1} {:>8}x {:>6.0}%",
            line.kernel,
            line.level,
            line.ns_per_token,
            line.gb_per_s(),
            ratio(line.ratio_to_read),
            100.0 * line.spread
        );
    }
    out
}

/// Three digits at least.
fn ratio(x: f64) -> String {
    if x < 10.0 { format!("{x:.2}") } else { format!("{x:.0}") }
}

/// Every kernel at the best level as a multiple of the read, one column a vocabulary; for the read
/// itself GB/s.
pub(crate) fn summary(lines: &[Line], best: &str) -> String {
    let mut out = String::new();
    let lines: Vec<_> =
        lines.iter().filter(|line| line.level == best || line.level == "plain").collect();
    let mut blocks: Vec<_> = Vec::new();
    for line in &lines {
        let block = (line.resident, line.threads, line.dtype);
        if !blocks.contains(&block) {
            blocks.push(block);
        }
    }
    for (resident, threads, dtype) in blocks {
        let lines: Vec<_> = lines
            .iter()
            .filter(|line| (line.resident, line.threads, line.dtype) == (resident, threads, dtype))
            .collect();
        let mut vocabs: Vec<_> = lines.iter().map(|line| line.vocab).collect();
        vocabs.sort_unstable();
        vocabs.dedup();
        let mut names: Vec<(&str, Shape)> = Vec::new();
        for line in &lines {
            let name = (&line.kernel[..], line.shape);
            // The read is the same for all shapes.
            let again = line.kernel == "read" && names.iter().any(|name| name.0 == "read");
            if !again && !line.is_loop() && !names.contains(&name) {
                names.push(name);
            }
        }
        let title =
            format!("{resident}, {dtype}, threads: {threads}; time as a multiple of the read");
        let _ = write!(out, "\n{}\n  {:<30}", style(title).bold(), "V =");
        for &vocab in &vocabs {
            let _ = write!(out, " {:>9}", thousands(vocab));
        }
        out.push('\n');
        for (kernel, shape) in names {
            let read = kernel == "read";
            let name = match shape {
                _ if read => "read, GB/s".into(),
                Shape::MAIN => kernel.to_string(),
                _ => format!("{kernel}, {shape}"),
            };
            let _ = write!(out, "  {name:<30}");
            for &vocab in &vocabs {
                let line = lines.iter().find(|line| {
                    line.kernel == kernel && line.shape == shape && line.vocab == vocab
                });
                let cell = line.map_or("-".into(), |line| {
                    if read { format!("{:.1}", line.gb_per_s()) } else { ratio(line.ratio_to_read) }
                });
                let _ = write!(out, " {cell:>9}");
            }
            out.push('\n');
        }
    }
    out
}

/// Writes all lines as one JSON array.
pub(crate) fn write(lines: &[Line], path: &std::path::Path) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let values: Vec<_> = lines.iter().map(Line::json).collect();
    std::fs::write(path, serde_json::to_string_pretty(&values)? + "\n")?;
    Ok(())
}
