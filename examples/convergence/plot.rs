//! Plots as SVG files: panels side by side, each with curves over two axes.

use anyhow::{Result, anyhow};
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use std::path::Path;

const PANEL: (u32, u32) = (640, 520);
const COLORS: [RGBColor; 10] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 80, 40),
    RGBColor(110, 110, 110),
    RGBColor(140, 0, 140),
    RGBColor(90, 140, 0),
];

/// How a curve is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Line,
    /// A reference: dashed and black.
    Dashed,
    Points,
    /// Points of another kind.
    Crosses,
}

/// Some points. Those that an axis cannot show (a logarithm of 0, not a number) are left out.
pub(crate) struct Curve {
    /// What the legend says; nothing if it is empty.
    pub(crate) name: String,
    pub(crate) mark: Mark,
    pub(crate) color: usize,
    pub(crate) points: Vec<(f64, f64)>,
    /// Half the length of each point's error bar, or empty.
    pub(crate) errors: Vec<f64>,
}

impl Curve {
    pub(crate) fn new(
        name: impl Into<String>,
        mark: Mark,
        color: usize,
        points: Vec<(f64, f64)>,
    ) -> Self {
        Self { name: name.into(), mark, color, points, errors: Vec::new() }
    }
}

/// One direction.
#[derive(Clone)]
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) log: bool,
    /// From where to where; otherwise as far as the curves go.
    pub(crate) range: Option<(f64, f64)>,
}

impl Axis {
    pub(crate) fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: false, range: None }
    }

    pub(crate) fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), log: true, range: None }
    }

    fn shows(&self, value: f64) -> bool {
        value.is_finite() && (!self.log || value > 0.0)
    }

    /// From where to where the axis goes, for these values.
    fn extent(&self, values: impl Iterator<Item = f64>) -> (f64, f64) {
        if let Some(range) = self.range {
            return range;
        }
        let scale = |value: f64| if self.log { value.ln() } else { value };
        let back = |value: f64| if self.log { value.exp() } else { value };
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|&value| self.shows(value)).map(scale) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            return if self.log { (0.1, 10.0) } else { (0.0, 1.0) };
        }
        let margin = (0.05 * (high - low)).max(1e-3 * high.abs()).max(1e-6);
        (back(low - margin), back(high + margin))
    }
}

pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) curves: Vec<Curve>,
    pub(crate) legend: SeriesLabelPosition,
}

/// Writes `panels`, `columns` in a row, to the SVG file `path`.
pub(crate) fn save(path: &Path, columns: usize, panels: &[Panel]) -> Result<()> {
    let rows = panels.len().div_ceil(columns);
    let size = (PANEL.0 * columns as u32, PANEL.1 * rows as u32);
    let failed = |error: &dyn std::fmt::Display| anyhow!("cannot draw {}: {error}", path.display());
    let area = SVGBackend::new(path, size).into_drawing_area();
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    for (area, panel) in area.split_evenly((rows, columns)).iter().zip(panels) {
        panel.draw(area).map_err(|error| failed(&error))?;
    }
    area.present().map_err(|error| failed(&error))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type Failure = Box<dyn std::error::Error>;

impl Panel {
    fn draw(&self, area: &Area<'_>) -> Result<(), Failure> {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let (x0, x1) = self.x.extent(points().map(|point| point.0));
        let (y0, y1) = self.y.extent(points().map(|point| point.1));
        let (x, y) = (x0..x1, y0..y1);
        match (self.x.log, self.y.log) {
            (false, false) => self.draw_on::<RangedCoordf64, RangedCoordf64>(area, x, y),
            (false, true) => self.draw_on(area, x, y.log_scale()),
            (true, false) => self.draw_on(area, x.log_scale(), y),
            (true, true) => self.draw_on(area, x.log_scale(), y.log_scale()),
        }
    }

    fn draw_on<X, Y>(
        &self,
        area: &Area<'_>,
        x: impl AsRangedCoord<CoordDescType = X, Value = f64>,
        y: impl AsRangedCoord<CoordDescType = Y, Value = f64>,
    ) -> Result<(), Failure>
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 17))
            .margin(12)
            .x_label_area_size(48)
            .y_label_area_size(72)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .axis_desc_style(("sans-serif", 15))
            .label_style(("sans-serif", 13))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_labels(7)
            .y_labels(9)
            .x_label_formatter(&|value| tick(*value))
            .y_label_formatter(&|value| tick(*value))
            .draw()?;
        for curve in &self.curves {
            let shown = |&&(x, y): &&(f64, f64)| self.x.shows(x) && self.y.shows(y);
            let points: Vec<(f64, f64)> = curve.points.iter().filter(shown).copied().collect();
            let color = match curve.mark {
                Mark::Dashed => BLACK,
                _ => COLORS[curve.color % COLORS.len()],
            };
            let style = color.stroke_width(2);
            let bars = curve.points.iter().zip(&curve.errors).filter(|(point, _)| shown(point));
            for (&(x, y), error) in bars {
                let low = if self.y.log { (y - error).max(1e-3 * y) } else { y - error };
                let bar = [(x, low), (x, y + error)];
                chart.draw_series([PathElement::new(bar.to_vec(), color)])?;
            }
            let series = match curve.mark {
                Mark::Line => chart.draw_series(LineSeries::new(points, style))?,
                Mark::Dashed => {
                    chart.draw_series(DashedLineSeries::new(points, 6, 4, color.stroke_width(1)))?
                }
                Mark::Points => chart
                    .draw_series(points.into_iter().map(|at| Circle::new(at, 4, color.filled())))?,
                Mark::Crosses => {
                    chart.draw_series(points.into_iter().map(|at| Cross::new(at, 5, style)))?
                }
            };
            if !curve.name.is_empty() {
                let mark = curve.mark;
                series.label(&curve.name).legend(move |(x, y)| match mark {
                    Mark::Points => Circle::new((x + 10, y), 4, color.filled()).into_dyn(),
                    Mark::Crosses => Cross::new((x + 10, y), 5, style).into_dyn(),
                    Mark::Line => PathElement::new([(x, y), (x + 20, y)], style).into_dyn(),
                    Mark::Dashed => {
                        let dashes = [(x, y), (x + 20, y)];
                        PathElement::new(dashes, color.stroke_width(1)).into_dyn()
                    }
                });
            }
        }
        if self.curves.iter().any(|curve| !curve.name.is_empty()) {
            chart
                .configure_series_labels()
                .position(self.legend.clone())
                .label_font(("sans-serif", 13))
                .background_style(WHITE.mix(0.85))
                .border_style(BLACK.mix(0.3))
                .margin(8)
                .draw()?;
        }
        Ok(())
    }
}

/// The text at a tick.
fn tick(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || magnitude < 1e-12 {
        "0".to_owned()
    } else if (0.01..99_999.0).contains(&magnitude) {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        let digits = format!("{value:.2e}");
        let (digits, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
        format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        for (value, text) in
            [(0.0, "0"), (0.25, "0.25"), (100.0, "100"), (-2.0, "-2"), (1e-3, "1e-3"), (2e6, "2e6")]
        {
            assert_eq!(tick(value), text);
        }
    }
}
