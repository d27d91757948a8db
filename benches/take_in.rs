//! What it costs that packages are read by a confined process: the same uploads, taken in with and without it.
//!
//! ```text
//! cargo bench --bench take_in
//! ```
//!
//! Both ways are the daemon's own: each file is copied, read, judged, synced and named. They take turns, on fresh
//! directories below `target/bench-repos`; figures are medians. Goal: at most 10 % slower.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench writes below target and prints")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rolloutd::config::settings::Intake;
use rolloutd::daemon::sandbox::Sandbox;
use rolloutd::domain::listing::Inventory;
use rolloutd::format::openpgp::Keyring;
use rolloutd::format::sample::{Recipe, build};
use rolloutd::format::signing::{Signer, generate};
use rolloutd::store::disk::Kernel;
use rolloutd::store::evidence::Evidence;
use rolloutd::store::examination::{Examiner, Here, Terms};
use rolloutd::store::index::Index;
use rolloutd::store::intake::{Clock, Gate, Limits, Uploads};

/// How often each way gets its turn.
const TURNS: usize = 9;

/// What is uploaded: what it is called, how many packages, and how many bytes each holds.
const LOADS: [(&str, usize, usize); 3] = [("small", 400, 4 << 10), ("usual", 120, 1 << 20), ("large", 6, 100 << 20)];

fn main() {
    // `cargo test --benches` asks for nothing.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let at = Timestamp::from_second(1_700_000_000).expect("a time");
    let made = generate("Bench <bench@example.org>", at).expect("a key");
    let signer = Signer::read(made.secret.as_bytes(), at + Duration::from_hours(1)).expect("our key");
    let ring = Keyring::read(&[("key".to_owned(), made.public.clone().into_bytes())]).expect("our key");
    let terms = Arc::new(Terms { ring, ..Terms::default() });
    let confined = Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_rolloutd")), Duration::from_mins(1));
    let ways: [(&str, Arc<dyn Examiner>); 2] = [("in this process", Arc::new(Here)), ("confined", Arc::new(confined))];
    println!("{:<24}{:>18}{:>18}{:>10}", "uploads", ways[0].0, ways[1].0, "ratio");
    for (name, number, bytes) in LOADS {
        let packages: Vec<Vec<u8>> = (0..number).map(|n| package(&format!("{name}{n}"), bytes, at, &signer)).collect();
        let mut times = [Vec::new(), Vec::new()];
        for turn in 0..=TURNS {
            for (times, (_, examiner)) in times.iter_mut().zip(&ways) {
                let time = take_in(&packages, &terms, examiner);
                // The first turn warms up.
                if turn > 0 {
                    times.push(time);
                }
            }
        }
        let [here, there] = times.map(median);
        let ratio = there.as_secs_f64() / here.as_secs_f64();
        let of = format!("{number} of {}", size(bytes));
        println!("{name:<7}{of:<17}{:>15.1} ms{:>15.1} ms{ratio:>9.2}x", ms(here), ms(there));
    }
}

fn package(name: &str, bytes: usize, at: Timestamp, signer: &Signer) -> Vec<u8> {
    // Bytes that do not compress: a generator of Lehmer's.
    let mut state = bytes as u64 | 1;
    let content = std::iter::repeat_with(|| {
        state = state.wrapping_mul(0xda94_2042_e4dd_58b5).rotate_left(17) | 1;
        (state >> 32).to_le_bytes()[0]
    });
    let recipe = Recipe {
        name: name.to_owned(),
        epoch: None,
        version: "1.0".to_owned(),
        release: "1".to_owned(),
        arch: "noarch".to_owned(),
        summary: "a package".to_owned(),
        requires: vec!["something >= 1.0".to_owned()],
        provides: Vec::new(),
        files: vec![(format!("/usr/share/{name}/filling"), content.take(bytes).collect())],
        changelog: Vec::new(),
        build_time: at,
    };
    build(&recipe, Some(signer), at).expect("a package")
}

/// Takes packages in on a fresh site, and says how long the look took that did it.
fn take_in(packages: &[Vec<u8>], terms: &Arc<Terms>, examiner: &Arc<dyn Examiner>) -> Duration {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let place =
        target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target")).join("bench-repos/take-in");
    let _ = fs::remove_dir_all(&place);
    let (dir, home) = (place.join("incoming"), place.join("untested"));
    for made in [&dir, &home] {
        fs::create_dir_all(made).expect("made");
    }
    for (n, bytes) in packages.iter().enumerate() {
        fs::write(dir.join(format!("{n}.rpm")), bytes).expect("written");
    }
    let disk = Kernel::default();
    let mut index = Index::open(&disk, &place.join("index.sqlite")).expect("an index");
    let tree: rolloutd::domain::names::TreeName = "untested".parse().expect("a name");
    let gate = Gate {
        dir,
        home: home.clone(),
        tree: tree.clone(),
        trees: vec![(tree, home)],
        rejected: Arc::new(Evidence::new(place.join("rejected"), Intake::default().rejected)),
        terms: Arc::clone(terms),
        examiner: Arc::clone(examiner),
        limits: Limits {
            max_package: 1 << 30,
            quiet: Duration::ZERO,
            incomplete_after: Duration::from_mins(1),
            list_refused: false,
        },
    };
    let mut uploads = Uploads::default();
    let (mut accepted, mut time) = (0, Duration::ZERO);
    while accepted < packages.len() {
        let begin = Instant::now();
        let clocks: (_, Clock<'_>) = (Timestamp::now(), &Instant::now);
        let look = uploads.look(&disk, &gate, &mut index, &Inventory::default(), clocks).expect("looked");
        assert!(look.refused.is_empty(), "{:?}", look.refused);
        // The look that only sees them waits for them to be quiet.
        if !look.accepted.is_empty() {
            time += begin.elapsed();
        }
        accepted += look.accepted.len();
    }
    let _ = fs::remove_dir_all(&place);
    time
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn size(bytes: usize) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}
