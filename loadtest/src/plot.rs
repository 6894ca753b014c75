//! Plots as inline SVG: lines over two axes, coloured by the page's style sheet.

use std::fmt::Write;

/// A plot.
pub struct Plot<'a> {
    /// What it shows.
    pub title: &'a str,
    /// The horizontal axis.
    pub x: Axis<'a>,
    /// The vertical axis.
    pub y: Axis<'a>,
    /// At most [`COLOURS`] of them.
    pub lines: Vec<Line<'a>>,
}

/// An axis.
pub struct Axis<'a> {
    /// Of its numbers.
    pub unit: &'a str,
    /// Whether equal steps are equal factors. Then what is not above 0 is left out.
    pub is_log: bool,
    /// Where it ends, when it does not end with the largest number.
    pub max: Option<f64>,
}

/// A line.
pub struct Line<'a> {
    /// For the legend.
    pub name: &'a str,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// Lines that can be told apart: the style sheet has a class for each.
pub const COLOURS: usize = 4;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 34.0;

/// Numbers of an axis, and where they stand.
struct Scale {
    from: f64,
    to: f64,
    is_log: bool,
    ticks: Vec<f64>,
}

impl Scale {
    fn new(axis: &Axis<'_>, values: impl Iterator<Item = f64> + Clone) -> Self {
        let largest = axis.max.unwrap_or_else(|| values.clone().fold(0.0, f64::max));
        if axis.is_log {
            let smallest = values.filter(|value| *value > 0.0).fold(f64::INFINITY, f64::min);
            return Self::log(smallest, largest);
        }
        let largest = if largest > 0.0 { largest } else { 1.0 };
        let step = step(largest / 4.0);
        let count = (largest / step - 1e-9).ceil().max(1.0) as u32;
        Self {
            from: 0.0,
            // An axis that has its end keeps it.
            to: axis.max.unwrap_or(step * f64::from(count)),
            is_log: false,
            ticks: (0..=count)
                .map(|n| step * f64::from(n))
                .filter(|tick| *tick <= largest.max(step * f64::from(count)))
                .collect(),
        }
    }

    /// Whole powers of ten around the values.
    fn log(smallest: f64, largest: f64) -> Self {
        let (smallest, largest) = if smallest.is_finite() && largest > 0.0 {
            (smallest, largest)
        } else {
            (1.0, 10.0)
        };
        let first = smallest.log10().floor() as i32;
        let last = (largest.log10().ceil() as i32).max(first + 1);
        Self {
            from: 10_f64.powi(first),
            to: 10_f64.powi(last),
            is_log: true,
            ticks: (first..=last).map(|power| 10_f64.powi(power)).collect(),
        }
    }

    /// From 0 to 1; none for what has no place on it.
    fn place(&self, value: f64) -> Option<f64> {
        let place = match self.is_log {
            true if value <= 0.0 => return None,
            true => (value / self.from).log10() / (self.to / self.from).log10(),
            false => (value - self.from) / (self.to - self.from),
        };
        (-1e-9..=1.0 + 1e-9).contains(&place).then_some(place)
    }
}

/// 1, 2 or 5 times a power of ten: the first that is no smaller.
fn step(wanted: f64) -> f64 {
    let power = 10_f64.powf(wanted.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    steps
        .into_iter()
        .find(|step| *step >= wanted * (1.0 - 1e-9))
        .unwrap_or(wanted)
}

/// Without digits that say nothing: `12k`, `0.5`.
fn shown(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e4 => format!("{}k", value / 1e3),
        // The sum of steps such as 0.1 has digits behind the twelfth.
        value => format!("{}", (value * 1e9).round() / 1e9),
    }
}

/// The plot, as a figure.
#[must_use]
pub fn render(plot: &Plot<'_>) -> String {
    let points = || plot.lines.iter().flat_map(|line| line.points.iter());
    let x = Scale::new(&plot.x, points().map(|(x, _)| *x));
    let y = Scale::new(&plot.y, points().map(|(_, y)| *y));
    let at_x = |place: f64| LEFT + place * (WIDTH - LEFT - RIGHT);
    let at_y = |place: f64| HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{0}\">",
        plot.title
    );
    for (value, place) in placed(&y) {
        let (line, text) = (at_y(place), at_y(place) + 4.0);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{line:.1}\" y2=\"{line:.1}\"/>\
             <text class=\"tick\" x=\"{}\" y=\"{text:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - RIGHT,
            LEFT - 7.0,
            shown(value)
        );
    }
    for (value, place) in placed(&x) {
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            at_x(place),
            HEIGHT - BOTTOM + 16.0,
            shown(value)
        );
    }
    let _ = write!(
        svg,
        "<text class=\"unit\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
         <text class=\"unit\" x=\"{}\" y=\"{}\">{}</text>",
        WIDTH - RIGHT,
        HEIGHT - 3.0,
        plot.x.unit,
        LEFT,
        TOP - 10.0,
        plot.y.unit
    );
    for (colour, line) in plot.lines.iter().enumerate() {
        let places = line.points.iter().filter_map(|(px, py)| {
            let (px, py) = (x.place(*px)?, y.place(*py)?);
            Some(format!("{:.1},{:.1}", at_x(px), at_y(py)))
        });
        let places: Vec<String> = places.collect();
        let _ = write!(
            svg,
            "<polyline class=\"c{}\" points=\"{}\"/>",
            colour % COLOURS,
            places.join(" ")
        );
    }
    svg.push_str("</svg><div class=\"legend\">");
    for (colour, line) in plot.lines.iter().enumerate() {
        let _ = write!(svg, "<span class=\"c{}\">{}</span>", colour % COLOURS, line.name);
    }
    svg.push_str("</div></figure>\n");
    svg
}

fn placed(scale: &Scale) -> impl Iterator<Item = (f64, f64)> + '_ {
    scale
        .ticks
        .iter()
        .filter_map(|tick| Some((*tick, scale.place(*tick)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(is_log: bool) -> Axis<'static> {
        Axis {
            unit: "ms",
            is_log,
            max: None,
        }
    }

    #[test]
    fn an_axis_has_round_numbers_and_holds_all_values() {
        let scale = Scale::new(&axis(false), [3.0, 870.0].into_iter());
        assert_eq!(scale.ticks, [0.0, 500.0, 1000.0]);
        assert_eq!(scale.place(500.0), Some(0.5));
        let scale = Scale::new(&axis(true), [0.0, 0.7, 42.0].into_iter());
        assert_eq!(scale.ticks, [0.1, 1.0, 10.0, 100.0]);
        assert_eq!((scale.place(0.0), scale.place(100.0)), (None, Some(1.0)));
        let fixed = Axis {
            max: Some(100.0),
            ..axis(false)
        };
        assert_eq!(Scale::new(&fixed, [3.0].into_iter()).ticks, [0.0, 50.0, 100.0]);
    }

    #[test]
    fn nothing_to_show_is_no_fault() {
        for is_log in [false, true] {
            let scale = Scale::new(&axis(is_log), std::iter::empty());
            assert!(scale.to > scale.from && scale.ticks.len() >= 2);
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.1 + 0.2, 50.0, 25_000.0, 2e6].map(shown),
            ["0.3", "50", "25k", "2M"]
        );
    }

    #[test]
    fn every_line_is_drawn_and_named() {
        let line = |name| Line {
            name,
            points: vec![(0.0, 1.0), (1.0, 2.0)],
        };
        let svg = render(&Plot {
            title: "t",
            x: axis(false),
            y: axis(false),
            lines: vec![line("one"), line("two")],
        });
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("class=\"c1\">two<"));
        assert!(svg.starts_with("<figure>") && svg.ends_with("</figure>\n"));
    }
}
