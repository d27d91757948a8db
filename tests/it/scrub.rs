//! Bits that change on the disk are found by reading, and keys that are about to expire are named.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and breaks things as disks do")]

use crate::campaign;
use crate::forge::{Hand, builder};
use crate::fsck::flip;
use crate::random::Random;
use crate::site::{Site, Wish, fact, files_below, keys, package, recipe, tell};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

const PACKAGES: usize = 40;

fn scrubbed() -> Site {
    Site::prepare(&Wish { watch: "scrub_within = \"1s\"", ..Wish::default() })
}

fn packages(site: &Site) -> Vec<PathBuf> {
    let mut all = files_below(&site.tree("untested").join("Packages"));
    all.sort();
    all
}

fn reasons(site: &Site) -> String {
    site.door.get("/readyz").unwrap().text()
}

#[test]
fn every_bit_that_flips_is_found_within_the_period() {
    let mut site = scrubbed();
    for n in 0..PACKAGES {
        site.drop_file(&format!("p{n}.rpm"), &package(&recipe(&format!("p{n}"), "1.0", &[]), Some(&keys().ours.1)));
    }
    site.up();
    site.wait("all packages", |site| (packages(site).len() == PACKAGES).then_some(()));
    site.wait("a round without findings", |site| {
        site.log()
            .lines()
            .any(|line| line.contains("read all packages again") && line.contains("wrong=0"))
            .then_some(())
    });
    assert_eq!(site.door.get("/readyz").unwrap().status, 200);

    let seed = campaign::seed();
    tell(&format!("scrub: seed {seed}"));
    let mut random = Random(seed);
    for path in packages(&site) {
        let length = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
        flip(&path, random.place(length), random.place(8));
    }
    let named = |site: &Site| -> BTreeSet<String> {
        let log = site.log();
        let lines = log.lines().filter(|line| line.contains("a published package is not what was accepted"));
        lines.filter_map(|line| line.split("nevra=").nth(1)?.split(' ').next().map(str::to_owned)).collect()
    };
    site.wait("every flip to be found", |site| (named(site).len() == PACKAGES).then_some(()));
    site.wait("readiness to tell of it", |site| {
        let text = reasons(site);
        (text.contains("was accepted") && text.contains(&format!("and {} more", PACKAGES - 5))).then_some(())
    });

    // S3-37: one entry for all of them.
    let altered = |site: &Site| {
        let entries = site.entries_after(0);
        entries.iter().filter(|entry| fact(entry, "tree.altered")["nevra"].is_string()).count()
    };
    site.wait("the logbook to tell of it", |site| (altered(site) == 1).then_some(()));

    // What it advises: away with the file, and the package once more. First all files: what is taken in again in between
    // would be removed with them.
    for path in packages(&site) {
        fs::remove_file(path).unwrap();
    }
    for n in 0..PACKAGES {
        site.drop_file(&format!("p{n}.rpm"), &package(&recipe(&format!("p{n}"), "1.0", &[]), Some(&keys().ours.1)));
    }
    site.wait("all to be well again", |site| (site.door.get("/readyz").unwrap().status == 200).then_some(()));
    assert_eq!(packages(&site).len(), PACKAGES);
}

#[test]
fn where_it_got_to_survives_a_restart() {
    let mut site = scrubbed();
    site.drop_package("one", "1.0", &[]);
    site.up();
    site.wait("a round", |site| site.log().contains("read all packages again packages=1").then_some(()));
    assert!(site.stop().success());
    assert!(site.path("state/scrub").exists());
    fs::write(site.path("state/scrub"), "what is no checksum\n").unwrap();
    site.up();
    let before = site.log().matches("read all packages again packages=1").count();
    site.wait("another round", |site| {
        (site.log().matches("read all packages again packages=1").count() > before).then_some(())
    });
}

#[test]
fn a_daemon_that_never_runs_for_long_comes_round_all_the_same() {
    let mut site = Site::start(&Wish::default());
    for number in 0..3 {
        site.drop_package(&format!("p{number}"), "1.0", &[]);
    }
    site.wait("all of them", |site| (packages(site).len() == 3).then_some(()));
    // With a period of a week the next one would come in some days.
    let mut places = Vec::new();
    for _ in 0..3 {
        assert!(site.stop().success());
        site.up();
        let place = site.path("state/scrub");
        places.push(fs::read_to_string(place).unwrap_or_default());
    }
    assert!(site.stop().success());
    places.push(fs::read_to_string(site.path("state/scrub")).unwrap());
    places.dedup();
    assert!(places.len() > 2, "it stays where it is: {places:?}");
}

#[test]
fn a_key_that_is_about_to_expire_is_named() {
    let mut site = Site::prepare(&Wish::default());
    let made = SystemTime::now() - Duration::from_hours(24);
    let builder = builder("Short").set_creation_time(made).set_validity_period(Duration::from_hours(24 * 21 + 12));
    let hand = Hand::from_builder(builder);
    let path = site.path("short.key");
    fs::write(&path, hand.public()).unwrap();
    site.configure("\"*\" = [", &format!("\"*\" = [\"{}\", ", path.display()));
    site.up();
    let fingerprint = hand.fingerprint();
    site.wait("a word of it", |site| {
        let log = site.log();
        let said =
            |line: &str| line.contains(&format!("the key {fingerprint} expires on")) && line.contains("in 20 days");
        log.lines().any(said).then_some(())
    });
    let metrics = site.door.get("/metrics").unwrap().text();
    assert!(metrics.contains(&format!("rolloutd_key_expires_seconds{{key=\"{fingerprint}\"}} ")), "{metrics}");
}
