//! The daemon is killed at one system call after the other, in the middle of a promotion.
//!
//! Where the random kills of `kill_loop` find what is likely, this finds what is possible: strace
//! kills the daemon when it is about to make its first, second, third, ... call of a kind (rename,
//! link, unlink, fsync, write). Each time a package is taken in and promoted to production; whatever
//! was interrupted must come to its end after one restart, and the trees must be whole at each stop.
//!
//! strace counts the calls of each thread on its own, so a kind is done when a whole story passed
//! without a kill.
use crate::judge::{self, Source, TORN};
use crate::peers;
use crate::site::{Site, Wish, tell};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Kinds of calls, each with the names that strace knows on any machine.
const KINDS: [(&str, &str); 5] = [
    ("rename", "rename,renameat,renameat2"),
    ("link", "link,linkat"),
    ("unlink", "unlink,unlinkat"),
    ("fsync", "fsync,fdatasync"),
    ("write", "pwrite64,write,copy_file_range,ftruncate"),
];

const TREES: [&str; 3] = ["untested", "testing", "production"];
const PACKAGES: [&str; 2] = ["demo-1.0-1.noarch", "demo-libs-1.0-1.noarch"];

/// Reads all trees, which must be whole, and gives those that list each of the packages.
fn whole(site: &Site, when: &str, torn_allowed: bool) -> Vec<&'static str> {
    let mut lists = Vec::new();
    for tree in TREES {
        match judge::read(&Source::Disk(site.tree(tree))) {
            Ok(None) => {}
            Ok(Some(published)) => {
                if PACKAGES.iter().all(|p| published.packages.contains_key(*p)) {
                    lists.push(tree);
                }
            }
            Err(e) if torn_allowed && e.contains(TORN) => {}
            Err(e) => panic!("{when}: {tree}: {e}"),
        }
    }
    lists
}

/// Lets the story run to its end, restarting the daemon when it was killed; gives how often it was.
fn story(site: &mut Site, what: &str) -> usize {
    let began = Instant::now();
    let mut killed = 0;
    let mut asked: Option<(&str, Instant)> = None;
    loop {
        assert!(began.elapsed() < Duration::from_mins(2), "{what}: the story does not end");
        if let Some(status) = site.has_ended() {
            assert_eq!(status.signal(), Some(9), "{what}: the daemon ended by itself with {status}");
            killed += 1;
            whole(site, &format!("{what}: killed"), true);
            site.up();
            whole(site, &format!("{what}: back again"), false);
            asked = None;
            site.ctl_good(&["log", "--verify"]);
            continue;
        }
        site.look_for_door();
        let listed = whole(site, what, true);
        let next = match site.door.state("1201").as_deref() {
            None if listed.contains(&"untested") => Some("submit"),
            Some("Unverified") => Some("InVerification"),
            Some("InVerification") => Some("StageRollOut"),
            Some("StageRollOut") => Some("Production"),
            Some("Production") if listed == ["production"] => return killed,
            _ => None,
        };
        // Asked again when the answer may have been lost, so every word may arrive twice.
        if let Some(next) = next
            && asked.is_none_or(|(word, at)| word != next || at.elapsed() > Duration::from_millis(400))
        {
            let _ = if next == "submit" {
                let body = serde_json::json!({
                    "id": "1201", "distribution": crate::site::DISTRIBUTION, "title": "a story", "packages": PACKAGES,
                });
                site.door.post("/api/v1/rollouts", &body)
            } else {
                let body = serde_json::json!({"state": next, "reason": "the story goes on"});
                site.door.post("/api/v1/rollouts/1201/move", &body)
            };
            asked = Some((next, Instant::now()));
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// strace with the words that make it kill.
fn strace(calls: &str, point: usize) -> Vec<String> {
    let fixed = ["strace", "-f", "-qq", "-e", "signal=none", "-o", "/dev/null", "-e"].map(str::to_owned);
    let aim = [format!("trace={calls}"), "-e".to_owned(), format!("inject={calls}:signal=SIGKILL:when={point}")];
    fixed.into_iter().chain(aim).collect()
}

/// A tracer that was attached to a daemon that runs already.
struct Tracer(Child);

impl Tracer {
    fn attach(site: &mut Site, calls: &str, point: usize) -> Self {
        let words = strace(calls, point);
        let pid = site.pid();
        let tracer = Command::new(&words[0]).args(&words[1..]).args(["-p", &pid.to_string()]).spawn().unwrap();
        site.wait("strace to hold every thread", |_| {
            let held = |task: PathBuf| {
                fs::read_to_string(task.join("status")).is_ok_and(|text| !text.contains("TracerPid:\t0\n"))
            };
            let mut tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten();
            tasks.all(|task| held(task.path())).then_some(())
        });
        Self(tracer)
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One story with one kill, unless it ends before; gives how often the daemon was killed.
fn tell_story(kind: &str, calls: &str, point: usize, from_start: bool) -> usize {
    let what = format!("{kind} {point}{}", if from_start { " from the start" } else { "" });
    let mut site = Site::prepare(&Wish::default());
    let tracer = if from_start {
        // The tracer becomes the daemon's child, so that the process id is the daemon's.
        site.under = strace(calls, point);
        site.under.insert(1, "-D".to_owned());
        site.spawn();
        None
    } else {
        site.up();
        Some(Tracer::attach(&mut site, calls, point))
    };
    site.drop_package("demo-libs", "1.0", &[]);
    site.drop_package("demo", "1.0", &["demo-libs >= 1.0"]);
    let mut killed = story(&mut site, &what);
    let end = site.stop();
    if end.signal() == Some(9) {
        // The call that was waited for came with the orderly end.
        killed += 1;
        site.up();
        assert_eq!(whole(&site, &format!("{what}: killed while it stopped"), false), ["production"]);
        assert!(site.stop().success());
    } else {
        assert!(end.success(), "{what}: {end}");
    }
    drop(tracer);
    killed
}

#[test]
fn a_kill_at_any_system_call_is_recovered_from() {
    if !peers::have(&["strace"]) {
        return;
    }
    let long = std::env::var("ROLLOUTD_LONG").is_ok_and(|v| v == "1");
    let mut figures = Vec::new();
    for (kind, calls) in KINDS {
        let mut kills = 0;
        for from_start in [true, false] {
            // In a short run a few points of each kind, spread over the story.
            let few: &[usize] = if from_start { &[2, 9] } else { &[1, 2, 4, 7, 12] };
            let points: Vec<usize> = if long { (1..=400).collect() } else { few.to_vec() };
            for point in points {
                let killed = tell_story(kind, calls, point, from_start);
                kills += killed;
                if killed == 0 {
                    break;
                }
            }
        }
        assert!(kills > 0, "{kind}: no story was interrupted, so nothing was tried");
        figures.push(format!("{kind} {kills}"));
    }
    tell(&format!("kill points: stories interrupted at: {}", figures.join(", ")));
}
