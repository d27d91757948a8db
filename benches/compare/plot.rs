//! How the time for one change grows with the tree: a plot with both scales logarithmic, as SVG.
//!
//! What was measured is remembered in `target/bench-repos/growth.tsv`, so that sizes can be measured one by one;
//! a new measurement of the same size takes the place of the old one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::stock;
use crate::table::Table;

/// How a line's row in the table begins, what it is called in the plot, and its colour.
const LINES: [(&str, &str, &str); 4] = [
    ("limit:", "limit: hash, write, sync", "#777777"),
    ("daemon: one package more", "rolloutd, daemon", "#0b6e4f"),
    ("rolloutd index, own process: one", "rolloutd index", "#2f6fb5"),
    ("createrepo_c --update", "createrepo_c --update", "#b5442f"),
];

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 460.0;
/// Around the plot: left, top, right, bottom.
const EDGE: [f64; 4] = [70.0, 40.0, 190.0, 55.0];

/// Milliseconds by line and size.
type Points = BTreeMap<(usize, usize), f64>;

fn file(name: &str) -> PathBuf {
    stock::place().join(name)
}

fn known() -> Points {
    let text = std::fs::read_to_string(file("growth.tsv")).unwrap_or_default();
    let point = |line: &str| {
        let mut words = line.split('\t');
        Some(((words.next()?.parse().ok()?, words.next()?.parse().ok()?), words.next()?.parse().ok()?))
    };
    text.lines().filter_map(point).collect()
}

/// Keeps what a table says for the plot.
pub(crate) fn remember(table: &Table) {
    let mut points = known();
    for (line, (begins, ..)) in LINES.iter().enumerate() {
        if let Some(row) = table.rows.iter().find(|row| row.what.starts_with(begins)) {
            points.insert((line, table.number), row.median.as_secs_f64() * 1000.0);
        }
    }
    let lines = points.iter().map(|((line, number), time)| format!("{line}\t{number}\t{time}\n"));
    std::fs::write(file("growth.tsv"), lines.collect::<String>()).expect("written");
}

/// Draws what is known and says where.
pub(crate) fn draw() -> PathBuf {
    let path = file("growth.svg");
    std::fs::write(&path, svg(&known())).expect("written");
    path
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

fn svg(points: &Points) -> String {
    let [left, top, right, bottom] = EDGE;
    let across = Scale::new(points.keys().map(|(_, number)| *number as f64), left, WIDTH - right);
    let up = Scale::new(points.values().copied(), HEIGHT - bottom, top);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{left}\" y=\"24\" font-size=\"15\">Time from one more package to new metadata</text>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">packages in the tree</text>\n",
        f64::midpoint(left, WIDTH - right),
        HEIGHT - 14.0,
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
    for (line, (_, name, colour)) in LINES.iter().enumerate() {
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
