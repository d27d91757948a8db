//! How the time for something grows: a plot with both scales logarithmic, as SVG.
//!
//! What was measured is remembered beside it, so that sizes can be measured one by one;
//! a new measurement of the same size takes the place of the old one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::stock;

/// What is drawn.
pub(crate) struct Plot {
    /// The name of its files below `target/bench-repos`, without an ending.
    pub(crate) name: &'static str,
    /// Above it.
    pub(crate) title: &'static str,
    /// What grows.
    pub(crate) across: &'static str,
    /// How the row of each line begins in a table, what the line is called, and its colour.
    pub(crate) lines: &'static [(&'static str, &'static str, &'static str)],
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 460.0;
/// Around the plot: left, top, right, bottom.
const EDGE: [f64; 4] = [70.0, 40.0, 190.0, 55.0];

/// Milliseconds by line and size.
type Points = BTreeMap<(usize, usize), f64>;

fn file(name: &str) -> PathBuf {
    stock::place().join(name)
}

impl Plot {
    fn known(&self) -> Points {
        let text = std::fs::read_to_string(file(&format!("{}.tsv", self.name))).unwrap_or_default();
        let point = |line: &str| {
            let mut words = line.split('\t');
            Some(((words.next()?.parse().ok()?, words.next()?.parse().ok()?), words.next()?.parse().ok()?))
        };
        text.lines().filter_map(point).collect()
    }

    /// Keeps what a table says: each row by its name and its milliseconds.
    pub(crate) fn remember<'r>(&self, number: usize, rows: impl Iterator<Item = (&'r str, f64)>) {
        let mut points = self.known();
        for (what, time) in rows {
            if let Some(line) = self.lines.iter().position(|(begins, ..)| what.starts_with(begins)) {
                points.insert((line, number), time);
            }
        }
        let lines = points.iter().map(|((line, number), time)| format!("{line}\t{number}\t{time}\n"));
        std::fs::write(file(&format!("{}.tsv", self.name)), lines.collect::<String>()).expect("written");
    }

    /// Draws what is known and says where.
    pub(crate) fn draw(&self) -> PathBuf {
        let path = file(&format!("{}.svg", self.name));
        std::fs::write(&path, self.svg(&self.known())).expect("written");
        path
    }
}

/// A power of ten, as people write it.
fn label(power: i32, unit: &str) -> String {
    match power {
        3.. if unit == "ms" => format!("{} s", 10_i64.pow(power.unsigned_abs() - 3)),
        0.. => format!("{} {unit}", 10_i64.pow(power.unsigned_abs())),
        _ => format!("{} {unit}", 10_f64.powi(power)),
    }
}

/// One of the two scales.
struct Scale {
    powers: std::ops::RangeInclusive<i32>,
    from: f64,
    to: f64,
}

impl Scale {
    #[expect(clippy::cast_possible_truncation, reason = "powers of ten are few")]
    fn new(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min).log10().floor() as i32;
        let most = values.fold(1.0, f64::max).log10().ceil() as i32;
        Self { powers: least..=most.max(least + 1), from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let (low, high) = (f64::from(*self.powers.start()), f64::from(*self.powers.end()));
        self.from + (value.log10() - low) / (high - low) * (self.to - self.from)
    }
}

impl Plot {
    fn svg(&self, points: &Points) -> String {
        let [left, top, right, bottom] = EDGE;
        let across = Scale::new(points.keys().map(|(_, number)| *number as f64), left, WIDTH - right);
        let up = Scale::new(points.values().copied(), HEIGHT - bottom, top);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{left}\" y=\"24\" font-size=\"15\">{}</text>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            self.title,
            f64::midpoint(left, WIDTH - right),
            HEIGHT - 14.0,
            self.across,
        );
        for power in across.powers.clone() {
            let x = across.place(10_f64.powi(power));
            let (y, low) = (HEIGHT - bottom, HEIGHT - bottom + 19.0);
            let text = label(power, "");
            let _ = writeln!(out, "<path d=\"M{x:.1} {top}V{y}\" stroke=\"#dddddd\"/>");
            let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{low}\" text-anchor=\"middle\">{}</text>", text.trim());
        }
        for power in up.powers.clone() {
            let y = up.place(10_f64.powi(power));
            let (x, end, text) = (left - 8.0, WIDTH - right, label(power, "ms"));
            let _ = writeln!(out, "<path d=\"M{left} {y:.1}H{end}\" stroke=\"#dddddd\"/>");
            let _ = writeln!(out, "<text x=\"{x}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", y + 4.0);
        }
        for (line, (_, name, colour)) in self.lines.iter().enumerate() {
            let places: Vec<(f64, f64)> = points
                .iter()
                .filter(|((which, _), _)| *which == line)
                .map(|((_, number), time)| (across.place(*number as f64), up.place(*time)))
                .collect();
            let Some((x, y)) = places.last() else { continue };
            let list: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                list.join(" ")
            );
            for (x, y) in &places {
                let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>");
            }
            // The limit and the daemon end close together.
            let shift = if line == 0 { 16.0 } else { 1.0 };
            let (x, y) = (x + 10.0, y + shift);
            let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{name}</text>");
        }
        out.push_str("</svg>\n");
        out
    }
}
