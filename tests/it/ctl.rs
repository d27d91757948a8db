//! What people and scripts hear from `rolloutctl` when things go well and when they do not.

use std::process::{Command, Output};

use serde_json::Value;

use crate::site::{Site, Wish};

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
