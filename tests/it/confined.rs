//! The process that reads packages: what it cannot do, what it says, and that its end is one file's misfortune.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use crate::disagreement::packages;
use crate::forge::{ARRIVES, Draft, Hand, Value, ring, time};
use crate::site::{Site, Wish, tell};
use rolloutd::daemon::sandbox::Sandbox;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::refusal::Code;
use rolloutd::domain::trust::{Legacy, Lifted, Policy};
use rolloutd::store::examination::{Answer, Examiner, Here, Question, Terms};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rolloutd");
/// Longer than any of these questions takes.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn what_somebody_would_try_who_had_taken_it_over_is_denied() {
    let out = Command::new(PROGRAM).args(["gate", "--probe"]).output().unwrap();
    let table = String::from_utf8(out.stdout).unwrap();
    tell(&format!("the confined process:\n{table}"));
    assert_eq!(out.status.code(), Some(0), "{table}{}", String::from_utf8_lossy(&out.stderr));
    assert!(!table.contains("POSSIBLE"), "{table}");
    // Each was possible for this test, so that a denial says something.
    let denied: Vec<&str> = table.lines().filter(|line| line.contains("denied")).collect();
    assert!(denied.len() >= 28, "{} attempts\n{table}", denied.len());
    // seccomp would do alone, and where there is Landlock, it would do alone for files and connections.
    let words = |line: &str| -> Vec<String> { line[30..].split_whitespace().map(str::to_owned).collect() };
    assert!(denied.iter().all(|line| words(line).last().is_some_and(|word| word == "denied")), "{table}");
    if !table.contains("NOT Landlock") {
        for what in
            ["read a file", "write into a file", "make a file", "remove a file", "connect by TCP", "run a program"]
        {
            let line = denied.iter().find(|line| line.starts_with(&format!("{what}  "))).unwrap();
            assert_eq!(words(line)[2], "denied", "{line}");
        }
    }
    let layers = table.lines().next().unwrap_or_default();
    assert!(
        layers.contains("seccomp") && !layers.contains("NOT limits") && !layers.contains("NOT seccomp"),
        "{layers}"
    );
}

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self, bytes: &[u8]) -> (File, u64) {
        let path = self.dir.path().join("package");
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).unwrap();
        (File::open(path).unwrap(), bytes.len() as u64)
    }

    /// A program that does something before it becomes the one under test, or instead.
    fn script(&self, words: &str) -> PathBuf {
        let path = self.dir.path().join("gate.sh");
        // By another process: a child of another test that is not yet the program it will be would have the file
        // open, and nobody could run it.
        let mut writer = Command::new("sh");
        writer
            .args(["-c", "printf '%s\\n' '#!/bin/sh' \"$2\" > \"$1\" && chmod 755 \"$1\"", "sh"])
            .arg(&path)
            .arg(words);
        assert!(writer.status().unwrap().success());
        path
    }
}

fn ask(examiner: &dyn Examiner, (file, size): (File, u64), terms: &Arc<Terms>, question: &Question) -> Answer {
    examiner.examine(file, size, terms, question).unwrap()
}

fn arrives() -> Question {
    Question::MayItComeIn { at: time(ARRIVES), file_time: 1_700_000_000 }
}

/// A package whose description has so many bytes.
fn wordy(by: &Hand, bytes: usize) -> Vec<u8> {
    let words = b"many words, all in one header; ".iter().copied().cycle().take(bytes).collect();
    Draft::new().set(1005, Some(Value::I18n(vec![words]))).signed(by).file()
}

#[test]
fn it_says_what_this_process_would_say() {
    let (ours, theirs) = (Hand::new("ours"), Hand::new("theirs"));
    let good = Draft::new().signed(&ours).file();
    let mut flipped = good.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    let old = Draft::old().with(1005, ours.sign(&Draft::old().both())).file();
    let files = [
        good.clone(),
        Draft::six().signed(&ours).file(),
        Draft::new().file(),
        Draft::new().signed(&theirs).file(),
        Draft::new().signed(&ours).signed(&theirs).file(),
        Draft::new().set(1004, Some(Value::I18n(vec![b"a \x07bell & <more>\xff".to_vec()]))).signed(&ours).file(),
        wordy(&ours, 3 << 20),
        old,
        flipped,
        good[..good.len() - 5].to_vec(),
        good[..90].to_vec(),
        b"not a package, and longer than what is looked at first".repeat(40_000),
        Vec::new(),
    ];
    let of = |ring, policy: Policy, checksum, arches: &[&str]| {
        let arches = arches.iter().map(|arch| (*arch).to_owned()).collect();
        Arc::new(Terms { ring, policy, checksum, arches })
    };
    let legacy = Legacy {
        fingerprint: ours.fingerprint(),
        until: time("2031-01-01T00:00:00Z"),
        allow: vec![Lifted::HeaderPayload, Lifted::Sha1],
    };
    let terms = [
        of(ring(&[&ours]), Policy::default(), ChecksumKind::Sha256, &[]),
        of(ring(&[&ours, &theirs]), Policy { legacy: vec![legacy], min_signers: 0 }, ChecksumKind::Sha1, &["noarch"]),
        of(ring(&[&ours, &theirs]), Policy { legacy: vec![], min_signers: 2 }, ChecksumKind::Sha512, &["x86_64"]),
    ];
    let sandbox = Sandbox::new(PROGRAM.into(), PATIENCE);
    let place = Files::new();
    let (mut good, mut refused) = (0, 0);
    for terms in &terms {
        for (number, bytes) in files.iter().enumerate() {
            for question in [arrives(), Question::WhatIsIt { file_time: 7, place: None }, Question::IsItABeginning] {
                let there = ask(&sandbox, place.file(bytes), terms, &question);
                let here = ask(&Here, place.file(bytes), terms, &question);
                assert_eq!(there, here, "file {number}, {question:?}");
                match here {
                    Answer::Good(_) => good += 1,
                    Answer::Refused(..) => refused += 1,
                    Answer::SoFar => {}
                }
            }
        }
    }
    assert!(good > 20 && refused > 20, "{good} good, {refused} refused");
}

#[test]
fn a_file_that_needs_more_memory_than_there_is_is_refused_alone() {
    let ours = Hand::new("ours");
    let terms = Arc::new(Terms { ring: ring(&[&ours]), ..Terms::default() });
    let place = Files::new();
    let (small, large) = (Draft::new().signed(&ours).file(), wordy(&ours, 24 << 20));
    let verdict = |kib: u32, bytes: &[u8]| {
        let script = place.script(&format!("ulimit -v {kib}; exec {PROGRAM} gate"));
        let sandbox = Sandbox::new(script, PATIENCE);
        let first = ask(&sandbox, place.file(bytes), &terms, &arrives());
        // Whatever became of it, the next file is none the worse for it.
        assert!(matches!(ask(&sandbox, place.file(&small), &terms, &arrives()), Answer::Good(_)), "with {kib} KiB");
        first
    };
    let mut refused = Vec::new();
    // The program itself, without optimisation, has to fit in, too.
    for mib in [96, 128, 192, 256, 384, 512, 1024] {
        match verdict(mib << 10, &large) {
            Answer::Good(_) => {}
            Answer::Refused(refusal, None) if refusal.code == Code::ReaderFailed => {
                assert!(refusal.detail.contains("signal 6: memory allocation of "), "{refusal}");
                refused.push(mib);
            }
            other => panic!("with {mib} MiB: {other:?}"),
        }
    }
    tell(&format!("a header of 24 MiB: more than {:?} MiB are needed, 1024 are enough", refused.last()));
    assert!(refused.contains(&96) && !refused.contains(&1024), "{refused:?}");
}

#[test]
fn a_process_that_hangs_is_ended() {
    let ours = Hand::new("ours");
    let terms = Arc::new(Terms { ring: ring(&[&ours]), ..Terms::default() });
    let place = Files::new();
    // It says hello, hears everything, and has no answer.
    let script = place.script("printf 'H\\000\\000\\000\\000' >&0; exec cat >/dev/null");
    let sandbox = Sandbox::new(script, Duration::from_millis(300));
    let bytes = Draft::new().signed(&ours).file();
    match ask(&sandbox, place.file(&bytes), &terms, &arrives()) {
        Answer::Refused(refusal, None) => {
            assert_eq!(refusal.code, Code::ReaderFailed);
            assert!(refusal.detail.contains("timed out"), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_process_that_cannot_be_started_is_no_fault_of_the_file() {
    let terms = Arc::new(Terms::default());
    let place = Files::new();
    let mute = "printf 'X\\000\\000\\000\\000' >&0; exec cat >/dev/null";
    for words in [None, Some("exit 3"), Some(mute)] {
        let program = words.map_or_else(|| PathBuf::from("/nonexistent"), |words| place.script(words));
        let sandbox = Sandbox::new(program, PATIENCE);
        let (file, size) = place.file(b"anything");
        let error = sandbox.examine(file, size, &terms, &arrives()).unwrap_err();
        assert!(error.to_string().starts_with("could not start the process that reads packages: "), "{error}");
    }
}

/// The processes that a process has started and that run.
fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_task = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    tasks
        .map(of_task)
        .flat_map(|text| text.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>())
        .collect()
}

fn stopped(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|text| text.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
}

#[test]
fn the_daemon_goes_on_when_they_are_killed_and_leaves_none_behind() {
    let mut site = Site::start(&Wish::default());
    assert!(site.log().contains("packages are read by a confined process"), "{}", site.log());
    let first = children(site.pid());
    assert!(!first.is_empty(), "there is one");
    let status = fs::read_to_string(format!("/proc/{}/status", first[0])).unwrap();
    assert!(status.contains("Seccomp:\t2"), "{status}");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    // What it can reach, as the kernel sees it.
    let open: Vec<PathBuf> = fs::read_dir(format!("/proc/{}/fd", first[0]))
        .unwrap()
        .map(|entry| fs::read_link(entry.unwrap().path()).unwrap_or_default())
        .collect();
    let known = |path: &Path| {
        let name = path.to_string_lossy();
        // Its own complaints go into a pipe; others are what whoever runs the tests has left open for everybody.
        name.starts_with("socket:") || name.starts_with("pipe:") || name == "/dev/null"
    };
    assert!(open.iter().all(|path| known(path)), "{open:?}");

    // As many as there are threads to ask them.
    for number in 0..8 {
        site.drop_package(&format!("many{number}"), "1.0", &[]);
    }
    site.wait("all of them", |site| (packages(site, "untested") == 8).then_some(()));
    for round in 0..3 {
        for pid in children(site.pid()) {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        let nevra = site.drop_package(&format!("round{round}"), "1.0", &[]);
        site.wait("the package", |site| site.log().contains(&format!("nevra={nevra}")).then_some(()));
    }
    assert_eq!(site.rejected().len(), 0);

    let last = children(site.pid());
    assert!(!last.is_empty());
    site.kill();
    let began = Instant::now();
    while last.iter().any(|pid| Path::new(&format!("/proc/{pid}/fd/0")).exists() && !stopped(*pid)) {
        assert!(began.elapsed() < Duration::from_mins(1), "{last:?} outlive the daemon");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
