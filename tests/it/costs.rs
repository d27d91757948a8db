//! What strangers may cost: many slow connections, bodies that never end, credentials that are guessed.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::configuration::BRIEF;
use crate::disagreement::{packages, reload};
use crate::site::{DISTRIBUTION, Site, Wish, request, tell};

/// Longer than whoever waits for a place waits, and shorter than any download.
const SOON: Duration = Duration::from_secs(20);

/// What the daemon has in memory, in KiB.
fn resident(site: &Site) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", site.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn slow_readers_take_no_place_from_health_tokens_and_trackers() {
    let mut site = Site::prepare(&Wish::default());
    // A quarter of the descriptors are places: 64.
    site.under = ["prlimit", "--nofile=256:256"].map(str::to_owned).into();
    site.up();
    let tree = site.tree("testing");
    fs::create_dir_all(&tree).unwrap();
    fs::File::create(tree.join("large")).unwrap().set_len(256 << 20).unwrap();
    let slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut socket = TcpStream::connect(site.address()).unwrap();
            write!(socket, "GET /testing/{DISTRIBUTION}/large HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            socket
        })
        .collect();
    // The places are taken when one of them has bytes and a stranger gets none.
    let mut first = [0; 1];
    slow[0].set_read_timeout(Some(SOON)).unwrap();
    (&slow[0]).read_exact(&mut first).unwrap();
    site.wait("all places to be taken", |site| site.log().contains("all connections are in use").then_some(()));
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(request(site.address(), "GET", "/healthz", &[], b"").unwrap().status, 200);
        assert_eq!(request(site.address(), "GET", "/metrics", &[], b"").unwrap().status, 200);
        assert_eq!(site.door.get("/api/v1/trees").unwrap().status, 200);
        let hook = site.door.hook(&Site::hook_body("d-1", "1", "Production")).unwrap();
        assert_eq!(hook.status, 202, "{}", hook.text());
    }
    tell(&format!("200 slow readers: 20 answers within {:.1?}", began.elapsed()));
    drop(slow);
    site.wait("places for all again", |site| {
        let answer = request(site.address(), "GET", "/", &[], b"");
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    });
    assert!(site.stop().success());
}

#[test]
fn bodies_that_never_end_take_a_bounded_memory() {
    const BODIES: usize = 300;
    let site = Site::start(&Wish::default());
    let before = resident(&site);
    let half = vec![b' '; (1 << 20) - 10];
    let mut open = Vec::new();
    for _ in 0..BODIES {
        let mut socket = TcpStream::connect(site.address()).unwrap();
        socket.set_write_timeout(Some(SOON)).unwrap();
        let head = "POST /hooks/tracker HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n";
        // Whoever is sent away does not take all of it.
        let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&half));
        open.push(socket);
    }
    let after = resident(&site);
    tell(&format!("{BODIES} half-sent bodies of a mebibyte: from {before} KiB to {after} KiB"));
    // 16 MiB of bodies, as much again in their way, and what all these connections need.
    assert!(after.saturating_sub(before) < 100 * 1024, "{before} KiB, then {after} KiB");
    assert_eq!(site.door.get("/healthz").unwrap().status, 200);
    let token = site.door.post("/api/v1/rollouts", &serde_json::json!({})).unwrap();
    assert_eq!(token.status, 422, "whoever is known has room for his body: {}", token.text());
}

#[test]
fn guessing_is_logged_counted_and_slowed_down_and_whoever_knows_does_not_wait() {
    let mut site = Site::start(&Wish::default());
    let guess = |site: &Site| {
        let headers = [("Authorization", "Bearer not-this-one"), ("Content-Type", "application/json")];
        request(site.address(), "POST", "/api/v1/rollouts", &headers, b"{}").unwrap().status
    };
    let began = Instant::now();
    for _ in 0..6 {
        assert_eq!(guess(&site), 401);
    }
    let slow = began.elapsed();
    assert!(slow > Duration::from_millis(1700), "six guesses took {slow:?}");
    let why = |site: &Site| {
        let headers = [("Authorization", "Bearer not-this-one")];
        request(site.address(), "GET", "/api/v1/rollouts/1/why", &headers, b"").unwrap().status
    };
    assert_eq!(why(&site), 401, "what an answer to a token says of it is a guess, too");
    assert_eq!(site.door.hook_signed("{}", "sha256=00").unwrap().status, 401);
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(site.door.get("/api/v1/trees").unwrap().status, 200);
        assert_eq!(site.door.post("/api/v1/rollouts", &serde_json::json!({})).unwrap().status, 422);
    }
    let right = began.elapsed();
    assert!(right < slow, "ten right ones took {right:?}");
    let figures = site.door.get("/metrics").unwrap().text();
    for (kind, number) in [("token", 7), ("signature", 1)] {
        let line = format!("rolloutd_refused_credentials_total{{kind=\"{kind}\"}} {number}");
        assert!(figures.contains(&line), "{figures}");
        site.wait("a line in the log", |site| {
            let log = site.log();
            let mut lines = log.lines().filter(|line| line.contains("wrong credentials were refused"));
            lines.any(|line| line.contains(kind) && line.contains("127.0.0.1")).then_some(())
        });
    }
    assert!(site.log().matches("wrong credentials were refused").count() <= 3, "summed up");
}

#[test]
fn a_list_of_values_is_no_body() {
    let site = Site::start(&Wish::default());
    let list = serde_json::json!(["1", DISTRIBUTION, "title", ["a-1-1.noarch"]]);
    assert_eq!(site.door.post("/api/v1/rollouts", &list).unwrap().status, 400);
    site.submit("1", &["a-1-1.noarch"]);
    let list = serde_json::json!(["InVerification", "reason"]);
    assert_eq!(site.door.post("/api/v1/rollouts/1/move", &list).unwrap().status, 400);
    assert_eq!(site.door.state("1").as_deref(), Some("Unverified"));
}

/// A state's name as a terminal would carry it out, and a title that reads as another one.
const HOSTILE: &str = "\u{1b}[31mStaged\u{202e}";

#[test]
fn text_that_steers_or_deceives_is_written_out_wherever_it_is_shown() {
    let mut site = Site::prepare(&Wish::default());
    let procedure = site.path("hostile.toml");
    let name = HOSTILE.replace('\u{1b}', "\\u001b").replace('\u{202e}', "\\u202e");
    let text = include_str!("../../fixtures/procedures/brief.toml").replace("\"Unverified\"", &format!("\"{name}\""));
    fs::write(&procedure, text).unwrap();
    site.configure(BRIEF, &procedure.display().to_string());
    site.up();
    site.drop_package("any", "1.0", &[]);
    site.wait("a package", |site| (packages(site, "untested") == 1).then_some(()));
    let title = "safe \u{202e}gpj.exe";
    site.ctl_good(&["submit", "rt-1", "--distribution", DISTRIBUTION, "--title", title, "a-1-1.noarch"]);
    site.ctl_good(&["submit", "rt-2", "--distribution", DISTRIBUTION, "--title", title, "b-1-1.noarch"]);
    site.ctl_good(&["move", "rt-2", "InVerification", "--reason", "\u{2066}because"]);
    let mut shown = Vec::new();
    for words in [&["list"][..], &["show", "rt-1"], &["why", "rt-1"], &["log"], &["--json", "show", "rt-1"]] {
        shown.push(("rolloutctl", site.ctl_good(words)));
    }
    for path in ["/", "/rollouts/rt-1", "/log"] {
        let headers = [("Accept", "text/html")];
        shown.push((path, request(site.address(), "GET", path, &headers, b"").unwrap().text()));
    }
    // A state that the procedure has lost is named in the log.
    fs::write(&procedure, include_str!("../../fixtures/procedures/brief.toml")).unwrap();
    reload(&site);
    let lost = "in a state that the procedure `egi` does not have (rt-1 in \\u{1b}[31mStaged\\u{202e})";
    site.wait("the log to name the state", |site| site.log().contains("does not have (rt-1 in").then_some(()));
    assert!(site.log().contains(lost), "{:?}", site.log());
    shown.push(("the log of the daemon", site.log()));
    for (place, text) in &shown {
        let hostile = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{2069}').contains(&c);
        assert!(!text.contains(hostile), "{place}: {text:?}");
    }
    let seen = shown.iter().filter(|(_, text)| text.contains("202e")).count();
    assert!(seen >= 8, "it is shown, written out: {shown:#?}");
    let document: serde_json::Value = serde_json::from_str(&shown[4].1).unwrap();
    assert_eq!(document["title"], title, "programs get what it is");
}
