//! What people and scripts hear from `rolloutctl` when things go well and when they do not.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use percent_encoding::NON_ALPHANUMERIC;
use serde_json::Value;

use crate::site::{DISTRIBUTION, Site, Wish};

/// The first two columns of a table, without its head.
fn rows_of(text: &str) -> Vec<String> {
    text.lines().skip(1).map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect()
}

/// The one document on standard output.
#[track_caller]
fn document(out: &Output) -> Value {
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"))
}

#[test]
fn what_is_refused_is_a_document_with_the_findings() {
    let site = Site::start(&Wish::default());
    site.submit("rt-1", &["never-came-1-1.noarch"]);
    site.ctl_good(&["move", "rt-1", "InVerification"]);
    let out = site.ctl(&["--json", "move", "rt-1", "StageRollOut"]);
    let refused = document(&out);
    assert_eq!((out.status.code(), refused["status"].as_u64()), (Some(1), Some(409)), "{refused}");
    let codes: Vec<&str> = refused["findings"].as_array().unwrap().iter().filter_map(|f| f["code"].as_str()).collect();
    assert!(codes.contains(&"package_missing"), "{refused}");
    for words in [["show", "nope"], ["why", "nope"]] {
        let out = site.ctl(&[&["--json"], words.as_slice()].concat());
        assert_eq!((out.status.code(), &document(&out)["type"]), (Some(1), &Value::from("/problems/not-found")));
    }
}

#[test]
fn without_a_daemon_there_is_a_document_too() {
    // Nothing listens on the port of discarded bytes.
    let ctl = |words: &[&str]| {
        let mut call = Command::new(env!("CARGO_BIN_EXE_rolloutctl"));
        call.args(["--url", "http://127.0.0.1:9", "--json"]).args(words).output().unwrap()
    };
    let out = ctl(&["list"]);
    assert_eq!((out.status.code(), &document(&out)["type"]), (Some(3), &Value::from("/problems/no-daemon")));
    let out = ctl(&["check"]);
    assert_eq!((out.status.code(), &document(&out)["ready"]), (Some(3), &Value::from(false)));
}

#[test]
fn a_logbook_that_was_cut_off_is_found_out_while_running_and_at_the_next_start() {
    let mut site = Site::start(&Wish::default());
    let newest = site.document("/api/v1/log?limit=1")[0]["seq"].as_u64().unwrap();
    let seal = site.path("state/logbook.head");
    let sealed = |seal: &Path| fs::read_to_string(seal).ok()?.split(' ').next()?.parse::<u64>().ok();
    site.wait("the seal of the publications", |_| (sealed(&seal) == Some(newest)).then_some(()));
    assert!(site.ctl_good(&["log", "--verify"]).starts_with(&format!("the logbook is intact: {newest} entries")));

    let logbook = rusqlite::Connection::open(site.path("state/logbook.sqlite")).unwrap();
    logbook.execute("DELETE FROM entry WHERE seq = ?1", [i64::try_from(newest).unwrap()]).unwrap();
    drop(logbook);
    let out = site.ctl(&["log", "--verify"]);
    let words = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1));
    assert!(words.contains(&format!("the running daemon has an entry {newest}")), "{words}");

    site.kill();
    site.spawn();
    let began = std::time::Instant::now();
    let ended = loop {
        if let Some(status) = site.has_ended() {
            break status;
        }
        assert!(began.elapsed().as_secs() < 60, "it starts on a logbook that was cut off");
        std::thread::park_timeout(std::time::Duration::from_millis(15));
    };
    assert_eq!(ended.code(), Some(1));
    assert!(site.log().contains(&format!("remove {} and start again", seal.display())), "{}", site.log());

    fs::remove_file(&seal).unwrap();
    site.up();
    assert!(site.stop().success());
    assert!(sealed(&seal).is_some_and(|seq| seq >= newest), "sealed at the stop");
}

#[test]
fn a_move_that_cannot_be_carried_out_is_not_done_and_says_why() {
    let mut site = Site::start(&Wish::default());
    let nevra = site.drop_package("held-up", "1.0", &[]);
    site.wait("the package", |site| (site.document("/api/v1/trees")[0]["packages"] == 1).then_some(()));
    site.submit("rt-1", &[&nevra]);
    site.ctl_good(&["move", "rt-1", "InVerification"]);
    // A file lies where the packages of the target are to lie.
    let packages = site.tree("testing").join("Packages");
    let _ = fs::remove_dir_all(&packages);
    fs::write(&packages, "in the way").unwrap();
    let out = site.ctl(&["move", "rt-1", "StageRollOut"]);
    let words = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{words}");
    assert!(words.contains("rt-1 is in StageRollOut, but its packages have not moved yet: "), "{words}");
    assert!(words.contains(&packages.display().to_string()), "{words}");
    for command in ["show", "why"] {
        assert!(site.ctl_good(&[command, "rt-1"]).contains(&packages.display().to_string()), "{command}");
    }
    fs::remove_file(&packages).unwrap();
    site.wait("the packages to move", |site| site.door.rests("rt-1").then_some(()));
}

#[test]
fn what_is_where_is_found_with_one_command() {
    let mut site = Site::start(&Wish::default());
    let [one, two] = ["one", "two"].map(|name| site.drop_package(name, "1.0", &[]));
    site.wait("the packages", |site| (site.document("/api/v1/trees")[0]["packages"] == 2).then_some(()));
    // A package that is not there is said when it is named, and what was probably meant.
    let misspelt = one.replace("-1.0-", "-1:1.0-");
    let said = site.ctl_good(&["submit", "rt-1", &misspelt, &two]);
    let missing = format!(
        "In no tree: 1 of 2 packages:\n  {misspelt} has not been taken into untested yet. Did you mean {one}?\n"
    );
    assert!(said.contains(&missing), "{said}");
    site.ctl_good(&["cancel", "rt-1", "--reason", "misspelt"]);
    site.submit("rt-2", &[&one]);
    site.submit("rt-3", &[&two]);
    site.ctl_good(&["move", "rt-2", "rt-3", "InVerification"]);
    site.ctl_good(&["move", "rt-2", "StageRollOut"]);
    let there = site.ctl_good(&["move", "rt-2", "StageRollOut"]);
    assert!(there.starts_with("rt-2 is in StageRollOut; nothing moved.\n"), "{there}");
    let there = document(&site.ctl(&["--json", "move", "rt-2", "StageRollOut"]));
    assert_eq!((there["state"].as_str(), there["packages"].as_u64()), (Some("StageRollOut"), Some(0)));
    assert_eq!(rows_of(&site.ctl_good(&["packages", "one-*"])), [format!("{one} testing")]);

    let rows = |words: &[&str]| {
        let text = site.ctl_good(words);
        text.lines()
            .skip(1)
            .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&["packages"]), [format!("{one} testing"), format!("{two} untested")]);
    assert_eq!(rows(&["packages", "testing"]), [format!("{one} testing")]);
    assert_eq!(rows(&["packages", "all", "tw*"]), [format!("{two} untested")]);
    let tree = format!("testing/{DISTRIBUTION}");
    let all = document(&site.ctl(&["--json", "packages", &tree, "--limit", "1"]));
    assert_eq!((all[0]["nevra"].as_str(), all[0]["rollouts"][0]["id"].as_str()), (Some(one.as_str()), Some("rt-2")));
    let first = site.door.get("/api/v1/packages?limit=1").unwrap();
    let next = format!(
        "</api/v1/packages?limit=1&after={}>; rel=\"next\"",
        percent_encoding::utf8_percent_encode(&format!("{DISTRIBUTION}/{one}"), NON_ALPHANUMERIC)
    );
    assert_eq!(first.header("link"), Some(next.as_str()));
    let place = site.ctl_good(&["where", "two"]);
    assert!(
        place.starts_with(&format!("{two} in {DISTRIBUTION}\n  trees:     untested\n  rollout:   rt-3,")),
        "{place}"
    );
    assert!(
        site.ctl_good(&["log", "--package", &two]).contains(&format!("accepted {two} into")),
        "what became of a package"
    );
    for (words, says) in [
        (&["where", "three"][..], "no package named `three` was ever accepted"),
        (&["submit", "rt-4", "one-1.0-1"], "no version between two dashes"),
        (&["submit", "rt-4", "one-1.0-1.el6"], "rpm knows no architecture `el6`"),
        (&["packages", "tseting"], "there is no tree tseting"),
        (&["log", "rt-9"], "the logbook has no entry about the rollout rt-9"),
        (&["log", "--package", "three-1-1.noarch"], "no package three-1-1.noarch was ever accepted"),
    ] {
        let out = site.ctl(words);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(1) && text.contains(says), "{words:?}: {text}");
    }
    let bare = site.address().to_string();
    let out = Command::new(env!("CARGO_BIN_EXE_rolloutctl")).args(["--url", &bare, "list"]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));

    // What has to wait now is kept as a wish, and taken when it can be.
    site.ctl_good(&["halt", "--reason", "wait"]);
    let out = site.ctl(&["move", "rt-3", "StageRollOut"]);
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        text.contains("nothing was recorded; ") && text.contains("move rt-3 StageRollOut --when-possible"),
        "{text}"
    );
    site.ctl_good(&["move", "rt-3", "StageRollOut", "--when-possible"]);
    let never = site.ctl(&["move", "rt-3", "Production", "--when-possible"]);
    assert_eq!(never.status.code(), Some(1), "there is no such step, now or later");
    site.ctl_good(&["halt", "--end", "--reason", "go on"]);
    site.wait("the wish", |site| (site.door.state("rt-3").as_deref() == Some("StageRollOut")).then_some(()));
}
