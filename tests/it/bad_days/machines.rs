//! Bad days of machines and settings: a port that is taken, an older program, trees that somebody opened to all.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and does what people do")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use rolloutd::store::disk::Kernel;
use rolloutd::store::logbook::{Draft, Logbook as _, SqliteLogbook};

use crate::disagreement::{packages, reasons, reload, settled, wait_for_reason, wait_until_well};
use crate::fsck::fsck;
use crate::judge::{self, Source};
use crate::site::Site;
use crate::strangers::{follow, remedy};

/// Runs the daemon until it ends, which it does at once.
fn run(site: &Site) -> (Option<i32>, String) {
    let out = site.rolloutd(&["run"]);
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

/// Row 25, while it runs: all of it opened to everybody, and put right by the words that are told.
#[test]
fn trees_that_are_opened_to_everybody_are_named_and_not_published_and_the_remedy_mends_all() {
    let mut site = settled();
    let before = |site: &Site| judge::read(&Source::Disk(site.tree("production"))).unwrap().unwrap();
    let shown = before(&site);
    let chmod = Command::new("chmod").args(["-R", "777"]).arg(site.path("root")).status().unwrap();
    assert!(chmod.success());
    reload(&site);
    wait_for_reason(&mut site, "can be changed by others");
    let out = site.ctl(&["move", "2", "Production"]);
    assert_eq!(packages(&site, "production"), 1, "{out:?}");
    assert_eq!(site.ctl(&["check"]).status.code(), Some(2), "monitoring is told");
    let (found, code) = fsck(&site, false);
    assert!(code == Some(1) && found.iter().any(|(_, what)| what.contains("others can change")), "{found:?}");
    follow(&remedy(&reasons(&site).join("\n")));
    reload(&site);
    wait_until_well(&mut site);
    let _ = site.ctl(&["move", "2", "Production"]);
    site.wait("the second in production", |site| (packages(site, "production") == 2).then_some(()));
    // Packages that everybody could write into are files of ours again, with the same bytes.
    let now = before(&site);
    for (nevra, package) in &shown.packages {
        let again = &now.packages[nevra];
        assert_eq!(package.location, again.location);
        let mode = fs::metadata(site.tree("production").join(&again.location)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o444, "{nevra}");
    }
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
}

/// Row 30: an older program after a newer one has written. It refuses in words, and changes nothing.
#[test]
fn an_entry_of_a_newer_program_is_refused_in_words_and_nothing_changes() {
    let mut site = settled();
    assert!(site.stop().success());
    let book = site.path("state/logbook.sqlite");
    let mut newer = SqliteLogbook::open_sealed(&book, Arc::new(Kernel::default())).unwrap();
    let body = r#"{"v":99,"kind":"moon.landed","kv":1}"#.to_owned();
    let draft = Draft { at: Timestamp::now(), who: "admin".to_owned(), why: String::new(), body, about: vec![] };
    newer.append(newer.head(), &[draft]).unwrap();
    drop(newer);
    let before = files(&site);
    let (code, said) = run(&site);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("format 99") && said.contains("use the newer rolloutd"), "{said}");
    assert_eq!(files(&site), before, "no tree was touched");
}

/// All that clients can fetch, with its checksum.
fn files(site: &Site) -> Vec<(PathBuf, String)> {
    let served = |path: &PathBuf| !path.ends_with(".rolloutd.lock");
    let sum = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, hex::encode(digest(&SHA256, &bytes)))
    };
    crate::site::files_below(&site.path("root")).into_iter().filter(served).map(sum).collect()
}

/// Row 33: another program has the port.
#[test]
fn a_port_that_another_program_has_is_named_and_nothing_changes() {
    let mut site = settled();
    assert!(site.stop().success());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    site.configure("127.0.0.1:0", &address.to_string());
    let before = files(&site);
    let (code, said) = run(&site);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&address.to_string()) && said.contains("another program"), "{said}");
    assert_eq!(files(&site), before);
    drop(taken);
    site.configure(&address.to_string(), "127.0.0.1:0");
    site.up();
    wait_until_well(&mut site);
}
