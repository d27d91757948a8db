//! How long it takes from a change to new metadata, by size of the tree and kind of change.
//!
//! ```text
//! cargo bench --bench rebuild
//! ```
//!
//! The daemon's layers do the work, as they do it when they have been running for a while. The packages come from
//! `stock`; the comparison with other programs is `compare`.
#![expect(clippy::disallowed_methods, reason = "a bench writes below target and asks for the time")]

mod stock;

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard};

use divan::Bencher;
use rolloutd::format::compress::Compression;
use stock::{Daemon, Site};

const PACKAGES: [usize; 3] = [1000, 10_000, 100_000];

/// Samples of one kind of change; there are packages for so many in each tree.
const SAMPLES: u32 = 20;

fn main() {
    divan::main();
}

/// A daemon with so many packages, made when it is first asked for.
fn daemon(number: usize) -> MutexGuard<'static, Daemon> {
    static ALL: LazyLock<Mutex<HashMap<usize, &'static Mutex<Daemon>>>> = LazyLock::new(Mutex::default);
    let mut all = ALL.lock().expect("nobody failed");
    let daemon = all.entry(number).or_insert_with(|| {
        stock::make(number);
        let site = Site::at(&format!("{number}-rebuild"), number, Compression::Gz);
        site.make();
        let (mut daemon, _) = site.start();
        daemon.publish("first");
        daemon.publish("second");
        Box::leak(Box::new(Mutex::new(daemon)))
    });
    daemon.lock().expect("nobody failed")
}

#[divan::bench(args = PACKAGES, sample_count = SAMPLES, sample_size = 1)]
fn add_one(bencher: Bencher<'_, '_>, packages: usize) {
    let add = || daemon(packages).upload(1);
    bencher.with_inputs(add).bench_local_values(|_| daemon(packages).publish("first"));
}

#[divan::bench(args = PACKAGES, sample_count = SAMPLES, sample_size = 1)]
fn remove_one(bencher: Bencher<'_, '_>, packages: usize) {
    let one = || {
        let mut daemon = daemon(packages);
        let (items, _) = daemon.upload(1);
        daemon.publish("first");
        items
    };
    bencher.with_inputs(one).bench_local_values(|items| daemon(packages).take_out(items, None));
}

#[divan::bench(args = PACKAGES, sample_count = SAMPLES, sample_size = 1)]
fn replace_one(bencher: Bencher<'_, '_>, packages: usize) {
    let old_and_new = || {
        let mut daemon = daemon(packages);
        let (old, _) = daemon.upload(1);
        daemon.publish("first");
        daemon.upload(1);
        old
    };
    // The new one has come and nobody has seen it yet; the old one goes, and both are shown at once.
    bencher.with_inputs(old_and_new).bench_local_values(|old| daemon(packages).take_out(old, None));
}

#[divan::bench(args = PACKAGES, sample_count = SAMPLES, sample_size = 1)]
fn move_one_between_two_trees(bencher: Bencher<'_, '_>, packages: usize) {
    let one = || {
        let mut daemon = daemon(packages);
        let (items, _) = daemon.upload(1);
        daemon.publish("first");
        items
    };
    bencher.with_inputs(one).bench_local_values(|items| daemon(packages).take_out(items, Some("second")));
}

#[divan::bench(args = PACKAGES, sample_count = 5, sample_size = 1)]
fn add_100_at_once(bencher: Bencher<'_, '_>, packages: usize) {
    let add = || daemon(packages).upload(100);
    bencher.with_inputs(add).bench_local_values(|_| daemon(packages).publish("first"));
}

#[divan::bench(args = PACKAGES, sample_count = SAMPLES, sample_size = 1)]
fn nothing_changed(bencher: Bencher<'_, '_>, packages: usize) {
    bencher.with_inputs(|| drop(daemon(packages))).bench_local_values(|()| daemon(packages).publish("first"));
}
