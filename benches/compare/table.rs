//! The table, in Markdown.

use std::fmt;
use std::time::Duration;

/// What was measured for one size of tree.
pub(crate) struct Table {
    /// How many packages.
    pub(crate) number: usize,
    limit: Duration,
    reference: Option<Duration>,
    first: Option<Duration>,
    /// In the order in which they are shown.
    pub(crate) rows: Vec<Row>,
    sizes: Vec<String>,
}

/// One line of it.
pub(crate) struct Row {
    /// What was done.
    pub(crate) what: String,
    /// How long it took.
    pub(crate) median: Duration,
    slowest: Duration,
    peak: Option<u64>,
    against: Against,
}

/// What of createrepo_c a row is held against.
#[derive(Clone, Copy)]
enum Against {
    /// One package more.
    OneMore,
    /// All packages for the first time.
    FromNothing,
    /// It does no such thing.
    Nothing,
}

/// The middle one.
pub(crate) fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Three digits that count.
pub(crate) fn number(value: f64) -> String {
    match value {
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 1.0 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

fn milliseconds(time: Duration) -> String {
    number(time.as_secs_f64() * 1000.0)
}

impl Row {
    /// Something that was done several times, with the peak memory in KiB of who did it.
    pub(crate) fn new(what: &str, times: &[Duration], peak: Option<u64>) -> Self {
        let slowest = times.iter().max().copied().unwrap_or_default();
        Self { what: what.to_owned(), median: median(times), slowest, peak, against: Against::OneMore }
    }

    /// It began with nothing, so it is held against who began with nothing.
    pub(crate) fn first(self) -> Self {
        Self { against: Against::FromNothing, ..self }
    }

    /// createrepo_c has nothing to hold it against.
    pub(crate) fn alone(self) -> Self {
        Self { against: Against::Nothing, ..self }
    }
}

impl Table {
    /// Without lines; what they are held against.
    pub(crate) fn new(number: usize, limit: Duration, reference: Option<Duration>, first: Option<Duration>) -> Self {
        Self { number, limit, reference, first, rows: Vec::new(), sizes: Vec::new() }
    }

    /// One more line.
    pub(crate) fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// What is said of sizes.
    pub(crate) fn sizes(&mut self, lines: Vec<String>) {
        self.sizes = lines;
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| {} packages | median ms | slowest ms | times the limit | createrepo_c takes | peak MiB |",
            self.number
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|")?;
        for row in &self.rows {
            let limit = number(row.median.as_secs_f64() / self.limit.as_secs_f64());
            let reference = match row.against {
                Against::OneMore => self.reference,
                Against::FromNothing => self.first,
                Against::Nothing => None,
            };
            let times = reference.map(|time| format!("{} x", number(time.as_secs_f64() / row.median.as_secs_f64())));
            let peak = row.peak.map(|kib| number(kib as f64 / 1024.0));
            let Row { what, median, slowest, .. } = row;
            let (median, slowest) = (milliseconds(*median), milliseconds(*slowest));
            let [times, peak] = [times, peak].map(Option::unwrap_or_default);
            writeln!(f, "| {what} | {median} | {slowest} | {limit} | {times} | {peak} |")?;
        }
        writeln!(f)?;
        let sizes: Vec<String> = self.sizes.iter().map(|line| format!("- {line}")).collect();
        write!(f, "{}", sizes.join("\n"))
    }
}
