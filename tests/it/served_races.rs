//! Whoever exchanges names in a tree while others fetch from it shows them nothing else, and holds up nothing.
//!
//! A thread exchanges names (`renameat2` with `EXCHANGE`) below a served tree without a pause: a file of ours with
//! links to a secret, with pipes, with files that somebody else owns or can write, and its directory with links to
//! directories that have a secret under the same name. Others fetch meanwhile, whole and in parts. Each answer is
//! bytes of the file of ours, or 404.
//!
//! `ROLLOUTD_RACES` sets how many requests there are; the whole campaign has 100,000:
//!
//! ```text
//! ROLLOUTD_RACES=100000 cargo test --test it -- --exact \
//!     served_races::whoever_exchanges_names_during_requests_shows_nothing_of_his_own
//! ```
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, RenameFlags, mknodat, renameat_with};

use crate::campaign::{Course, Ending, count, is_long, seed};
use crate::random::Random;
use crate::site::{DISTRIBUTION, Site, Wish, request, tell};

/// Longer than two pieces that the daemon reads at once.
const LENGTH: usize = 300_000;
/// What a request may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const CLIENTS: u64 = 4;

fn ours() -> Vec<u8> {
    (0..LENGTH).map(|n| b'A' + u8::try_from(n % 23).unwrap()).collect()
}

/// Of everything that must not be seen.
const SECRET: u8 = b'#';

fn exchange(one: &Path, other: &Path) {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
}

/// One request on a connection of its own; the status and the body.
fn fetch(address: SocketAddr, path: &str, range: Option<(usize, usize)>) -> Result<(u16, Vec<u8>), String> {
    let mut socket = TcpStream::connect(address).map_err(|e| e.to_string())?;
    socket.set_read_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
    let range = range.map(|(from, to)| format!("Range: bytes={from}-{to}\r\n")).unwrap_or_default();
    let head = format!("GET {path} HTTP/1.0\r\nHost: x\r\n{range}\r\n");
    socket.write_all(head.as_bytes()).map_err(|e| e.to_string())?;
    let mut all = Vec::new();
    socket.read_to_end(&mut all).map_err(|e| format!("no end of the answer: {e}"))?;
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").ok_or("no head")?;
    let status = String::from_utf8_lossy(&all[..end]).split(' ').nth(1).and_then(|s| s.parse().ok());
    Ok((status.ok_or("no status")?, all.split_off(end + 4)))
}

#[test]
fn whoever_exchanges_names_during_requests_shows_nothing_of_his_own() {
    let mut site = Site::start(&Wish::default());
    let (requests, seed) = (count("ROLLOUTD_RACES").unwrap_or(if is_long() { 100_000 } else { 4_000 }), seed());
    let dir = site.tree("testing").join("extra");
    let elsewhere = site.path("elsewhere");
    for dir in [&dir, &elsewhere] {
        fs::create_dir_all(dir).unwrap();
    }
    let secret = vec![SECRET; LENGTH];
    fs::write(dir.join("file"), ours()).unwrap();
    fs::write(elsewhere.join("file"), &secret).unwrap();
    // What the name is exchanged with; each is hidden or beside it, and none is served by itself.
    let rivals: Vec<_> = ["link", "pipe", "theirs", "open"].map(|name| dir.join(format!(".rolloutd-{name}"))).into();
    symlink(site.path("keys/signing.asc"), &rivals[0]).unwrap();
    mknodat(CWD, &rivals[1], FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    for (rival, mode) in [(&rivals[2], 0o644), (&rivals[3], 0o666)] {
        fs::write(rival, &secret).unwrap();
        fs::set_permissions(rival, fs::Permissions::from_mode(mode)).unwrap();
    }
    chown(&rivals[2], Some(60_002), None).unwrap();
    let way = site.tree("testing").join(".rolloutd-way");
    symlink(&elsewhere, &way).unwrap();

    let course = Course::default();
    let (left, served, refused) = (AtomicUsize::new(requests), AtomicUsize::new(0), AtomicUsize::new(0));
    let (address, path, ours) = (site.address(), format!("/testing/{DISTRIBUTION}/extra/file"), ours());
    let exchanges = thread::scope(|scope| {
        let _ending = Ending(&course);
        let exchanger = scope.spawn(|| {
            let (mut random, mut done) = (Random(seed), 0_usize);
            let file = dir.join("file");
            while course.goes_on() {
                // There and back, so that the file of ours is there half of the time.
                let rival = &rivals[usize::try_from(random.below(4)).unwrap()];
                if random.below(5) == 0 {
                    exchange(&dir, &way);
                    exchange(&dir, &way);
                } else {
                    exchange(&file, rival);
                    exchange(&file, rival);
                }
                done += 2;
            }
            done
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let (course, left, served, refused, path, ours) = (&course, &left, &served, &refused, &path, &ours);
                scope.spawn(move || {
                    let mut random = Random(seed + 1 + n);
                    let one_less = |n: usize| n.checked_sub(1);
                    // Where requests hang, each takes all its patience.
                    let is_enough = || course.wrong().len() >= 20;
                    while !is_enough() && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
                        let mut within = |most: usize| usize::try_from(random.below(most as u64)).unwrap();
                        let from = within(LENGTH);
                        let range = (within(2) == 0).then(|| (from, from + within(LENGTH - from)));
                        let wanted = range.map_or(&ours[..], |(from, to)| &ours[from..=to]);
                        match fetch(address, path, range) {
                            Ok((200 | 206, body)) if body == wanted => served.fetch_add(1, Ordering::Relaxed),
                            Ok((404, _)) => refused.fetch_add(1, Ordering::Relaxed),
                            Ok((status, body)) => {
                                let foreign = if body.contains(&SECRET) { "foreign" } else { "unfit" };
                                course.complain(format!("{status}, {} {foreign} bytes", body.len()));
                                0
                            }
                            Err(why) => {
                                course.complain(why);
                                0
                            }
                        };
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        course.end();
        exchanger.join().unwrap()
    });
    let (served, refused) = (served.into_inner(), refused.into_inner());
    tell(&format!("{requests} requests during {exchanges} exchanges: {served} served, {refused} refused, seed {seed}"));
    assert_eq!(course.wrong().as_slice(), &[] as &[String]);
    assert_eq!(served + refused, requests);
    assert!(served > 0 && refused > 0, "both sides of the exchange are seen");
    assert!(site.stop().success());
}

#[test]
fn pipes_in_place_of_files_hold_up_no_move_and_no_stop() {
    let mut site = Site::start(&Wish::default());
    let package = site.drop_package("rolloutd-piped", "1.0", &[]);
    let listed = format!("/untested/{DISTRIBUTION}/Packages/r/{package}.rpm");
    site.wait("the package", |site| (site.door.get(&listed).ok()?.status == 200).then_some(()));
    for n in 0..30 {
        let pipe = site.tree("testing").join(format!("pipe{n}"));
        fs::create_dir_all(pipe.parent().unwrap()).unwrap();
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
    }
    for n in 0..30 {
        let answer = request(site.address(), "GET", &format!("/testing/{DISTRIBUTION}/pipe{n}"), &[], b"").unwrap();
        assert_eq!(answer.status, 404);
    }
    site.submit("rt-1", &[&package]);
    for state in ["InVerification", "StageRollOut"] {
        site.ctl_good(&["move", "rt-1", state]);
    }
    site.wait("the move", |site| site.door.rests("rt-1").then_some(()));
    let moved = format!("/testing/{DISTRIBUTION}/Packages/r/{package}.rpm");
    site.wait("the package in testing", |site| (site.door.get(&moved).ok()?.status == 200).then_some(()));
    assert!(site.stop().success());
}

#[test]
fn a_page_that_somebody_has_uploaded_is_no_page_of_this_site() {
    let site = Site::start(&Wish::default());
    let tree = site.tree("testing");
    fs::create_dir_all(&tree).unwrap();
    fs::write(tree.join("page.html"), "<script>alert(1)</script>").unwrap();
    let mut socket = TcpStream::connect(site.address()).unwrap();
    write!(socket, "GET /testing/{DISTRIBUTION}/page.html HTTP/1.0\r\nAccept: text/html\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let head = answer.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
    for line in [
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; sandbox",
        "content-disposition: attachment",
        "content-type: application/octet-stream",
    ] {
        assert!(head.lines().any(|found| found == line), "{line}: {head}");
    }
}
