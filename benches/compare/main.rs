//! The same work by rolloutd and by its peers, side by side in one run, as one Markdown table and one plot.
//!
//! ```text
//! cargo bench --bench compare -- [--packages N]… [--runs N]
//! ```
//!
//! Runs alternate, so that a machine that grows slower is slower for everybody. Medians are shown. The *limit* is
//! what no program can do without: hashing all bytes of the new metadata, compressed and open, with all
//! threads, and then writing and syncing the three files. Everything is in the page cache, for everybody.
//!
//! The daemon's work is done by the daemon's own layers in a process of its own, see `worker`.
#![expect(clippy::disallowed_methods, reason = "a bench writes below target and asks for the time")]
#![expect(clippy::print_stdout, reason = "the table")]
#![expect(clippy::cast_precision_loss, reason = "three digits are shown")]

#[path = "../stock/mod.rs"]
mod stock;

#[path = "../plot/mod.rs"]
mod plot;

#[path = "../../tests/it/configuration.rs"]
mod configuration;

mod limit;
mod neighbour;
mod table;
mod tracker;
mod worker;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rolloutd::format::compress::Compression;
use rolloutd::format::repomd::Repomd;

use neighbour::Neighbour;
use plot::Plot;
use table::{Row, Table};
use tracker::Tracker;
use worker::Worker;

/// How the time for one change grows with the tree.
const GROWTH: Plot = Plot {
    name: "growth",
    title: "Time from one more package to new metadata",
    across: "packages in the tree",
    lines: &[
        ("limit:", "limit: hash, write, sync", "#777777"),
        ("daemon: one package more", "rolloutd, daemon", "#0b6e4f"),
        ("rolloutd index, own process: one", "rolloutd index", "#2f6fb5"),
        ("createrepo_c --update", "createrepo_c --update", "#b5442f"),
    ],
};

/// What one run of something took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// From the beginning to the end.
    pub(crate) time: Duration,
    /// Peak memory in KiB, where it is known.
    pub(crate) peak: Option<u64>,
}

/// What was asked for.
struct Wish {
    packages: Vec<usize>,
    runs: Option<usize>,
}

impl Wish {
    fn read(mut words: impl Iterator<Item = String>) -> Self {
        let mut wish = Self { packages: Vec::new(), runs: None };
        while let Some(word) = words.next() {
            let mut number = || words.next().and_then(|n| n.parse().ok()).expect("a number follows");
            match word.as_str() {
                "--packages" => wish.packages.push(number()),
                "--runs" => wish.runs = Some(number()),
                // What cargo says to every bench.
                "--bench" => {}
                other => panic!("`{other}` is none of --packages N, --runs N"),
            }
        }
        if wish.packages.is_empty() {
            wish.packages = vec![1000, 10_000, 100_000];
        }
        wish
    }
}

fn main() {
    let mut words = std::env::args().skip(1).peekable();
    if words.peek().is_some_and(|word| word == worker::WORD) {
        worker::main(words.skip(1));
        return;
    }
    let wish = Wish::read(words);
    println!("{}\n", machine());
    for number in wish.packages {
        // A run of createrepo_c takes half a minute at 100,000.
        let runs = wish.runs.unwrap_or(if number > 20_000 { 3 } else { 9 });
        stock::make(number);
        let table = compare(number, runs);
        println!("{table}\n");
        GROWTH.remember(number, table.rows.iter().map(|row| (row.what.as_str(), row.median.as_secs_f64() * 1000.0)));
    }
    println!("{}", GROWTH.draw().display());
}

/// What this machine is, in one line.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |(_, m)| m);
    let flags = if cpu.contains(" sha_ni") { "with" } else { "without" };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let word = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let memory = word("/proc/meminfo").split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
    let peer = Command::new("createrepo_c").arg("--version").output().map(|out| {
        String::from_utf8_lossy(&out.stdout).split_whitespace().nth(1).map(str::to_owned).unwrap_or_default()
    });
    format!(
        "{model} ({threads} threads, {flags} SHA instructions), {} GiB, Linux {}, rolloutd {}, createrepo_c {}",
        memory >> 20,
        word("/proc/sys/kernel/osrelease"),
        env!("CARGO_PKG_VERSION"),
        peer.unwrap_or_else(|_| "not installed".to_owned()),
    )
}

/// A program over a directory that grows by one package with each run.
struct Contender {
    dir: PathBuf,
    program: &'static str,
    words: Vec<String>,
    runs: Vec<Taken>,
}

impl Contender {
    fn new(number: usize, name: &str, program: &'static str, words: &[&str]) -> Self {
        let dir = stock::place().join(format!("{number}-{name}"));
        let _ = std::fs::remove_dir_all(&dir);
        stock::link(&dir.join("Packages"), number);
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { dir, program, words, runs: Vec::new() }
    }

    fn run(&self) -> Taken {
        run(Command::new(self.program).args(&self.words).arg(&self.dir))
    }

    fn forget(&self) {
        let _ = std::fs::remove_dir_all(self.dir.join("repodata"));
        if let Some(at) = self.words.iter().position(|word| word == "--state") {
            let _ = std::fs::remove_dir_all(&self.words[at + 1]);
        }
    }

    fn one_more(&mut self, n: usize) {
        let (name, bytes) = stock::more(n);
        let path = self.dir.join("Packages").join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, bytes).expect("written");
        self.runs.push(self.run());
    }

    fn anew(&mut self) {
        self.forget();
        self.runs.push(self.run());
    }
}

/// Runs a program to its end and watches its memory.
fn run(command: &mut Command) -> Taken {
    let begin = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let watch = std::thread::spawn(move || {
        let mut peak = None;
        // A process that has ended has no memory any more, so the last word before that counts.
        while let Some(now) = peak_of(&status) {
            peak = Some(now);
            std::thread::sleep(Duration::from_millis(2));
        }
        peak
    });
    let ended = child.wait().expect("it ends");
    let time = begin.elapsed();
    assert!(ended.success(), "{command:?}: {ended}");
    Taken { time, peak: watch.join().expect("nothing to fail") }
}

fn peak_of(status: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
}

fn installed(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

const CREATEREPO_C: &str = "createrepo_c --update --no-database";

fn compare(number: usize, runs: usize) -> Table {
    let rolloutd = env!("CARGO_BIN_EXE_rolloutd");
    let state = |name: &str| stock::place().join(format!("{number}-{name}-state")).display().to_string();
    let (cold, first, judged) = (state("index"), state("first"), state("judged"));
    let key = stock::place().join("key.pub").display().to_string();
    let mut index = Contender::new(number, "index", rolloutd, &["index", "--keep", "0s", "--state", &cold]);
    let mut whole = Contender::new(number, "first", rolloutd, &["index", "--state", &first]);
    let mut gate = Contender::new(number, "judged", rolloutd, &["index", "--keyring", &key, "--state", &judged]);
    let quiet = ["--quiet", "--no-database"];
    let mut peers = Vec::new();
    for (program, update) in
        [("createrepo_c", &["--quiet", "--no-database", "--update"][..]), ("createrepo_rs", &["--update"])]
    {
        if installed(program) {
            peers.push(Contender::new(number, program, program, update));
        }
    }
    let has_c = installed("createrepo_c");
    // Before anybody looks: a link changes the times of a file, and who looks at them reads it again.
    let mut daemon = Worker::start(number, Compression::Gz);
    let zst_state = state("zst");
    let zst = ["index", "--compression", "zst", "--state", &zst_state];
    let zst = Contender::new(number, "zst", rolloutd, &zst);
    let mut nothing = has_c.then(|| Contender::new(number, "createrepo_c-first", "createrepo_c", &quiet));

    eprintln!("{number}: everybody sees the packages for the first time");
    index.forget();
    index.run();
    for peer in &peers {
        peer.run();
    }
    let sizes = [daemon.dir(), index.dir.clone()].map(|dir| sizes(&dir));
    assert_eq!(sizes[0], sizes[1], "daemon and index agree");

    let mut times = Times::default();
    for n in 0..runs {
        eprintln!("{number}: run {} of {runs}", n + 1);
        quiet_disk();
        times.limit.push(limit::run(&daemon.dir()));
        quiet_disk();
        let [look, publish] = daemon.upload();
        times.publish.push(publish);
        times.upload.push(look + publish);
        times.same.push(daemon.same());
        quiet_disk();
        index.one_more(n);
        times.index_same.push(index.run().time);
        for peer in &mut peers {
            quiet_disk();
            peer.one_more(n);
        }
        quiet_disk();
        times.moved.push(daemon.moved());
    }
    for _ in 0..3 {
        quiet_disk();
        times.burst.push(daemon.burst());
    }
    // Of the larger trees the first time of all is long enough to be measured once.
    for _ in 0..if number > 20_000 { 1 } else { 3 } {
        whole.anew();
        gate.anew();
        if let Some(nothing) = &mut nothing {
            nothing.anew();
        }
    }
    let daemon_peak = daemon.peak();
    let hooks = (number <= PROMOTED_MOST).then(|| promoted(number, &daemon.dir()));
    let reference = peers.iter().find(|peer| peer.program == "createrepo_c").map(|peer| table::median(&taken(peer)));
    let first = nothing.as_ref().map(|peer| table::median(&taken(peer)));
    let mut table = Table::new(number, table::median(&times.limit), reference, first);
    let row = |what: &str, times: &[Duration], peak| Row::new(what, times, peak);
    table.push(row("limit: hash everything with all threads, then write and sync", &times.limit, None));
    table.push(row("daemon: one package more is listed, publish", &times.publish, daemon_peak));
    table.push(row("daemon: one upload, from the look that takes it in to shown", &times.upload, daemon_peak));
    table.push(row("daemon: nothing changed", &times.same, daemon_peak).alone());
    table.push(row("daemon: one package moves, two trees shown", &times.moved, daemon_peak));
    table.push(row("daemon: 100 uploads at once", &times.burst, daemon_peak));
    if let Some(Promoted { quiet, busy, limit, speed, peak }) = &hooks {
        let slow = |times: &[Duration]| {
            let mut sorted = times.to_vec();
            sorted.sort();
            [sorted[(sorted.len() * 99).div_ceil(100) - 1]]
        };
        let what = format!("whole daemon: from webhook to new repomd.xml in both trees ({} times)", quiet.len());
        table.push(row(&what, quiet, *peak));
        table.push(row("the same, 99 of 100 are faster", &slow(quiet), *peak));
        let who = format!("a neighbour that writes {speed:.0} MiB/s to the same disk");
        table.push(row(&format!("the limit beside {who}"), limit, None));
        table.push(row(
            &format!("from webhook to both trees beside that neighbour ({} times)", busy.len()),
            busy,
            *peak,
        ));
        table.push(row("the same, 99 of 100 are faster", &slow(busy), *peak));
    }
    table.push(row("daemon: start, all packages known", &[daemon.started], daemon_peak).alone());
    table.push(row("rolloutd index, own process: one package more", &taken(&index), peak(&index)));
    table.push(row("rolloutd index, own process: nothing changed", &times.index_same, peak(&index)).alone());
    for peer in &peers {
        let what = if peer.program == "createrepo_c" { CREATEREPO_C } else { peer.program };
        table.push(row(&format!("{what}: one package more"), &taken(peer), peak(peer)));
    }
    table.push(row("rolloutd index: from nothing", &taken(&whole), peak(&whole)).first());
    table.push(row("rolloutd index --keyring: from nothing", &taken(&gate), peak(&gate)).first());
    if let Some(nothing) = &nothing {
        table.push(row("createrepo_c --no-database: from nothing", &taken(nothing), peak(nothing)).first());
    }
    table.sizes(compare_sizes(number, sizes[0], nothing.as_ref(), &zst));
    table
}

/// Waits until what others wrote is on the disk, so that nobody's sync waits for his neighbour's files.
fn quiet_disk() {
    rustix::fs::sync();
}

/// In trees of more packages than this nothing is promoted by webhook: filling them takes too long.
const PROMOTED_MOST: usize = 20_000;

/// How often something is promoted by webhook.
const PROMOTIONS: usize = 300;

/// What promotions by webhook took.
struct Promoted {
    /// While nobody else writes.
    quiet: Vec<Duration>,
    /// Beside a neighbour.
    busy: Vec<Duration>,
    /// The limit beside that neighbour.
    limit: Vec<Duration>,
    /// How many MiB the neighbour wrote a second.
    speed: f64,
    /// The daemon's peak memory.
    peak: Option<u64>,
}

fn promoted(number: usize, dir: &Path) -> Promoted {
    eprintln!("{number}: a daemon takes in {} packages and promotes half of them", 2 * number);
    let mut tracker = Tracker::start(number);
    let quiet = (0..PROMOTIONS).map(|_| tracker.one()).collect();
    eprintln!("{number}: the same beside a neighbour that writes");
    let neighbour = Neighbour::start();
    let (mut busy, mut limit) = (Vec::new(), Vec::new());
    for n in 0..PROMOTIONS {
        // They alternate, as the neighbour is not always as loud.
        if n % LIMIT_EVERY == 0 {
            limit.push(limit::run(dir));
        }
        busy.push(tracker.one());
    }
    Promoted { quiet, busy, limit, speed: neighbour.speed(), peak: tracker.peak() }
}

/// After so many promotions beside a neighbour the limit is measured once.
const LIMIT_EVERY: usize = 15;

/// What was measured of the daemon.
#[derive(Default)]
struct Times {
    limit: Vec<Duration>,
    publish: Vec<Duration>,
    upload: Vec<Duration>,
    same: Vec<Duration>,
    moved: Vec<Duration>,
    burst: Vec<Duration>,
    index_same: Vec<Duration>,
}

fn taken(contender: &Contender) -> Vec<Duration> {
    contender.runs.iter().map(|run| run.time).collect()
}

fn peak(contender: &Contender) -> Option<u64> {
    contender.runs.iter().filter_map(|run| run.peak).max()
}

/// Bytes of the three files as clients fetch them, and of what is in them.
fn sizes(dir: &Path) -> [u64; 2] {
    let repomd = std::fs::read(dir.join("repodata/repomd.xml")).expect("published");
    let data = Repomd::read(&repomd).expect("a repomd.xml that we would take over").data;
    let ours = data.iter().filter(|data| ["primary", "filelists", "other"].contains(&data.kind.as_str()));
    ours.fold([0, 0], |[packed, open], data| {
        [packed + data.size.unwrap_or_default(), open + data.open_size.or(data.size).unwrap_or_default()]
    })
}

/// Sizes of gz and zst, beside what one stream has.
fn compare_sizes(number: usize, [gz, open]: [u64; 2], nothing: Option<&Contender>, zst: &Contender) -> Vec<String> {
    let mib = |bytes: u64| table::number(bytes as f64 / f64::from(1 << 20));
    let per = |bytes: u64| table::number(bytes as f64 / number as f64);
    let against = |ours: u64, theirs: u64| format!("{:+.1} %", (ours as f64 / theirs as f64 - 1.0) * 100.0);
    let mut lines = vec![format!("XML: {} MiB, {} bytes a package", mib(open), per(open))];
    if let Some(nothing) = nothing {
        let [theirs, _] = sizes(&nothing.dir);
        lines.push(format!("gz: {} MiB, createrepo_c {} MiB: {}", mib(gz), mib(theirs), against(gz, theirs)));
    }
    zst.forget();
    zst.run();
    let [ours, _] = sizes(&zst.dir);
    let theirs = one_frame_each(&zst.dir);
    let said = against(ours, theirs);
    lines.push(format!("zst: {} MiB, one frame of level {LEVEL} each {} MiB: {said}", mib(ours), mib(theirs)));
    lines
}

/// The level at which createrepo_c compresses with zstd, since it can.
const LEVEL: i32 = 10;

fn one_frame_each(dir: &Path) -> u64 {
    let repomd = std::fs::read(dir.join("repodata/repomd.xml")).expect("published");
    let data = Repomd::read(&repomd).expect("ours").data;
    let size = |location: &str| {
        let file = std::fs::File::open(dir.join(location)).expect("published");
        let mut frame = Vec::new();
        zstd::stream::copy_encode(zstd::Decoder::new(file).expect("zstd"), &mut frame, LEVEL).expect("memory takes it");
        frame.len() as u64
    };
    data.iter().map(|data| size(&data.location)).sum()
}
