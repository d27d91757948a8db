//! What a daemon does, cut into scenarios that begin at a site at rest and come to an end that can be seen.
//!
//! Each is told by where it begins, what is asked, and how one sees that it is over; so it can be told again and
//! again from the same beginning while the daemon is killed, or its calls fail, at one place after the other. The
//! judge looks at the whole site, whatever the scenario was.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use crate::calls::{Calls, Order};
use crate::fsck::fsck;
use crate::judge::{self, Published, Source, TORN};
use crate::site::{DISTRIBUTION, Site, Wish, fact, files_below, keys, package, recipe};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const TREES: [&str; 4] = ["untested", "testing", "delta", "production"];
/// The packages that are moved.
const PACKAGES: [&str; 2] = ["demo-1.0-1.noarch", "demo-libs-1.0-1.noarch"];
/// A request whose answer was lost is made again after this long.
const ASK_AGAIN: Duration = Duration::from_millis(400);

/// One thing that a daemon does.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Brings a daemon that runs to where the scenario begins.
    before: fn(&mut Site),
    /// What is laid down after it was stopped.
    lay: fn(&mut Site),
    /// Whether it begins with the start of the daemon, and not when it is ready.
    pub(crate) from_start: bool,
    /// Whether all trees are whole when it begins.
    pub(crate) whole: bool,
    distributions: &'static [&'static str],
    /// What is done once.
    act: fn(&Site),
    /// What is asked until it is over, any number of times.
    ask: fn(&Site),
    over: fn(&Site) -> bool,
}

fn nothing(_: &Site) {}
fn nothing_first(_: &mut Site) {}

const QUIET: Scenario = Scenario {
    name: "",
    before: nothing_first,
    lay: nothing_first,
    from_start: false,
    whole: true,
    distributions: &[DISTRIBUTION],
    act: nothing,
    ask: nothing,
    over: |_| true,
};

/// Another distribution, and the rollout of both.
const SECOND: &str = "umd/3/sl5/i386";
const BOTH: &str = "8";

/// All of them.
pub(crate) const SCENARIOS: [Scenario; 15] = [
    Scenario {
        name: "first start",
        lay: |site| {
            // As if it had never run.
            empty(site);
        },
        from_start: true,
        over: |site| TREES.iter().all(|tree| published(site, tree).is_some_and(|shown| shown.packages.is_empty())),
        ..QUIET
    },
    Scenario {
        name: "restart after a kill",
        before: |site| reach(site, &["InVerification", "StageRollOut"]),
        lay: killed_in_a_promotion,
        from_start: true,
        ask: |site| ask_for(site, "Production"),
        over: |site| promoted(site, "Production", &["production"]),
        ..QUIET
    },
    Scenario {
        name: "new packages",
        act: |site| {
            site.drop_package("demo-libs", "1.0", &[]);
            site.drop_package("demo", "1.0", &["demo-libs >= 1.0"]);
        },
        over: |site| uploads(site) == 0 && lists(site, "untested", &PACKAGES),
        ..QUIET
    },
    Scenario {
        name: "repeated, duplicate, unsigned",
        before: |site| reach(site, &["InVerification", "StageRollOut"]),
        act: |site| {
            let place = site.tree("testing").join("Packages/d/demo-1.0-1.noarch.rpm");
            site.drop_file("batch/again.rpm", &fs::read(place).unwrap());
            let mut other = recipe("demo-libs", "1.0", &[]);
            "other content".clone_into(&mut other.summary);
            site.drop_file("batch/duplicate.rpm", &package(&other, Some(&keys().ours.1)));
            site.drop_file("batch/unsigned.rpm", &package(&recipe("nobodys", "1.0", &[]), None));
        },
        over: |site| {
            let codes: BTreeSet<String> = site.rejected().into_iter().map(|(code, _)| code).collect();
            let refused = codes.contains("duplicate_nevra") && codes.contains("unsigned");
            refused && uploads(site) == 0 && lists(site, "testing", &PACKAGES) && lists(site, "untested", &[])
        },
        ..QUIET
    },
    Scenario {
        name: "to testing",
        before: |site| reach(site, &["InVerification"]),
        ask: |site| ask_for(site, "StageRollOut"),
        over: |site| promoted(site, "StageRollOut", &["testing"]),
        ..QUIET
    },
    Scenario {
        name: "to production",
        before: |site| reach(site, &["InVerification", "StageRollOut"]),
        ask: |site| ask_for(site, "Production"),
        over: |site| promoted(site, "Production", &["production"]),
        ..QUIET
    },
    Scenario {
        name: "two distributions to testing",
        distributions: &[DISTRIBUTION, SECOND],
        before: |site| reach_in_both(site, &["InVerification"]),
        ask: |site| ask_for_rollout(site, BOTH, "StageRollOut"),
        over: |site| in_both(site, "StageRollOut", "testing"),
        ..QUIET
    },
    Scenario {
        name: "two distributions to production",
        distributions: &[DISTRIBUTION, SECOND],
        before: |site| reach_in_both(site, &["InVerification", "StageRollOut"]),
        ask: |site| ask_for_rollout(site, BOTH, "Production"),
        over: |site| in_both(site, "Production", "production"),
        ..QUIET
    },
    Scenario {
        name: "a bundle to testing",
        before: bundled,
        ask: |site| {
            if BUNDLED.iter().any(|id| site.door.state(id).as_deref() != Some("StageRollOut")) {
                // The answer is lost when the daemon dies meanwhile.
                let wanted = json!({"state": "StageRollOut", "reason": "the story goes on"});
                let _ = site.door.post("/api/v1/bundles/B-1/move", &wanted);
            }
        },
        over: |site| {
            let is_there = |id| site.door.state(id).as_deref() == Some("StageRollOut") && site.door.rests(id);
            BUNDLED.iter().all(|id| is_there(id)) && lists(site, "testing", &PACKAGES) && lists(site, "untested", &[])
        },
        ..QUIET
    },
    Scenario {
        name: "withdrawal",
        before: |site| reach(site, &["InVerification", "StageRollOut"]),
        ask: |site| ask_for(site, "Rejected"),
        over: |site| {
            let kept = files_below(&site.path("state/retired")).len() == PACKAGES.len();
            promoted(site, "Rejected", &[]) && kept
        },
        ..QUIET
    },
    Scenario {
        name: "a tree restored",
        before: changed_since,
        ask: |site| {
            if !lists(site, "production", &PACKAGES) {
                let revision: u64 = fs::read_to_string(site.path(EARLIER)).unwrap().parse().unwrap();
                let wanted = json!({"revision": revision, "reason": "the story goes on"});
                let _ = site.door.post("/api/v1/trees/production/restore", &wanted);
            }
        },
        over: |site| {
            let answer = site.door.get("/api/v1/trees").ok();
            let trees: Option<Vec<Value>> = answer.and_then(|answer| serde_json::from_slice(&answer.body).ok());
            let mut all = trees.iter().flatten();
            let is_at_rest = |tree: &Value| tree["tree"] == "production" && tree["restoring"].is_null();
            all.any(is_at_rest) && lists(site, "production", &PACKAGES)
        },
        ..QUIET
    },
    Scenario {
        name: "a lost package restored",
        before: |site| reach(site, &["InVerification", "StageRollOut", "Production"]),
        lay: |site| {
            let lost = site.tree("production").join("Packages/d/demo-1.0-1.noarch.rpm");
            let bytes = fs::read(&lost).unwrap();
            for tree in TREES {
                let _ = fs::remove_file(site.tree(tree).join("Packages/d/demo-1.0-1.noarch.rpm"));
            }
            let _ = fs::remove_dir_all(site.path("state/index"));
            site.drop_file("batch/found.rpm", &bytes);
        },
        from_start: true,
        whole: false,
        over: |site| uploads(site) == 0 && lists(site, "production", &PACKAGES),
        ..QUIET
    },
    Scenario {
        name: "files that others could change",
        before: |site| reach(site, &["InVerification", "StageRollOut", "Production"]),
        lay: |site| {
            for file in changeable(site) {
                fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
            }
        },
        from_start: true,
        over: |site| {
            let ours = |file: &PathBuf| fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o022 == 0);
            changeable(site).iter().all(ours) && lists(site, "production", &PACKAGES)
        },
        ..QUIET
    },
    Scenario {
        name: "to testing, by copies",
        before: |site| reach(site, &["InVerification"]),
        // Which inodes the daemon has made is forgotten with it.
        lay: |site| fs::remove_dir_all(site.path("state/index")).unwrap(),
        ask: |site| ask_for(site, "StageRollOut"),
        over: |site| promoted(site, "StageRollOut", &["testing"]),
        ..QUIET
    },
    Scenario {
        name: "retirement",
        before: |site| reach(site, &["InVerification", "StageRollOut", "Production"]),
        lay: |site| {
            site.configure(r#"metadata = "24h", packages = "7d""#, r#"metadata = "2s", packages = "2s""#);
        },
        from_start: true,
        over: |site| TREES.iter().all(|tree| bare(site, tree)) && lists(site, "production", &PACKAGES),
        ..QUIET
    },
];

/// What somebody else could change in production.
fn changeable(site: &Site) -> Vec<PathBuf> {
    let tree = site.tree("production");
    let names = ["Packages/d/demo-1.0-1.noarch.rpm", "Packages/d/demo-libs-1.0-1.noarch.rpm", "repodata/repomd.xml"];
    names.iter().map(|name| tree.join(name)).collect()
}

/// Takes the packages in and moves their rollout through these states.
fn reach(site: &mut Site, states: &[&str]) {
    site.drop_package("demo-libs", "1.0", &[]);
    site.drop_package("demo", "1.0", &["demo-libs >= 1.0"]);
    site.wait("the packages to be taken in", |site| lists(site, "untested", &PACKAGES).then_some(()));
    site.submit("7", &PACKAGES);
    site.go_through("7", states);
}

/// Where the revision is noted to which production is restored.
const EARLIER: &str = "earlier";

/// What was in production was set aside, and something else is there: a restore brings the one back and takes the other away.
fn changed_since(site: &mut Site) {
    let revision = |site: &Site| published(site, "production").expect("it is published").revision.to_string();
    reach(site, &["InVerification", "StageRollOut"]);
    let empty = revision(site);
    site.go_through("7", &["Production"]);
    fs::write(site.path(EARLIER), revision(site)).unwrap();
    site.ctl_good(&["restore", "production", "--to", &empty, "--reason", "the story begins"]);
    let other = site.drop_package("other", "1.0", &[]);
    site.wait("it to be taken in", |site| lists(site, "untested", &[other.as_str()]).then_some(()));
    site.submit("9", &[&other]);
    site.go_through("9", &["InVerification", "StageRollOut", "Production"]);
    assert!(lists(site, "production", &[other.as_str()]));
}

/// The rollouts of a bundle.
const BUNDLED: [&str; 2] = ["1", "2"];

/// Takes the packages in, each for a rollout of its own, and both rollouts are a bundle.
fn bundled(site: &mut Site) {
    site.drop_package("demo-libs", "1.0", &[]);
    site.drop_package("demo", "1.0", &["demo-libs >= 1.0"]);
    site.wait("the packages to be taken in", |site| lists(site, "untested", &PACKAGES).then_some(()));
    for (id, package) in BUNDLED.iter().zip(PACKAGES) {
        site.submit(id, &[package]);
    }
    site.ctl_good(&["bundle", "open", "B-1"]);
    site.ctl_good(&["bundle", "add", "B-1", BUNDLED[0], BUNDLED[1]]);
    for id in BUNDLED {
        site.go_through(id, &["InVerification"]);
    }
}

/// Takes a package in in each of two distributions and moves the rollout of both through these states.
fn reach_in_both(site: &mut Site, states: &[&str]) {
    let package = package(&recipe("demo", "1.0", &[]), Some(&keys().ours.1));
    for dist in [DISTRIBUTION, SECOND] {
        fs::write(site.incoming_of(dist).join("demo.rpm"), &package).unwrap();
    }
    let is_in = |site: &Site, dist| lists_in(site, dist, "untested", &PACKAGES[..1]);
    site.wait("the packages to be taken in", |site| (is_in(site, DISTRIBUTION) && is_in(site, SECOND)).then_some(()));
    let other = format!("{SECOND}={}", PACKAGES[0]);
    site.ctl_good(&["submit", BOTH, "--distribution", DISTRIBUTION, PACKAGES[0], &other]);
    for state in states {
        site.ctl_good(&["move", BOTH, state]);
        let is_there = |site: &Site| site.door.state(BOTH).as_deref() == Some(*state) && site.door.rests(BOTH);
        site.wait(state, |site| is_there(site).then_some(()));
    }
}

/// Whether the rollout of both has come to its end in both.
fn in_both(site: &Site, state: &str, tree: &str) -> bool {
    let there = site.door.state(BOTH).as_deref() == Some(state) && site.door.rests(BOTH);
    let listed = |name: &str| if name == tree { &PACKAGES[..1] } else { &[] };
    let trees = || TREES.iter().flat_map(|name| [(DISTRIBUTION, *name), (SECOND, *name)]);
    there && trees().all(|(dist, name)| lists_in(site, dist, name, listed(name)))
}

/// Leaves the site as a daemon does that died half way through a promotion.
fn killed_in_a_promotion(site: &mut Site) {
    let calls = Calls::watch(site, Order::Off);
    site.up();
    // Some calls after the step is in the logbook and before the tree is shown.
    calls.order(Order::Kill(24));
    ask_for(site, "Production");
    let deadline = Instant::now() + Duration::from_mins(1);
    while site.has_ended().is_none() {
        assert!(Instant::now() < deadline, "it is not killed");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    assert!(!lists(site, "production", &PACKAGES), "the promotion was over before the kill");
}

fn ask_for(site: &Site, state: &str) {
    ask_for_rollout(site, "7", state);
}

fn ask_for_rollout(site: &Site, id: &str, state: &str) {
    if site.door.state(id).as_deref() != Some(state) {
        // The answer is lost when the daemon dies meanwhile.
        let path = format!("/api/v1/rollouts/{id}/move");
        let _ = site.door.post(&path, &json!({"state": state, "reason": "the story goes on"}));
    }
}

fn promoted(site: &Site, state: &str, listed: &[&str]) -> bool {
    let there = site.door.state("7").as_deref() == Some(state) && site.door.rests("7");
    there && TREES.iter().all(|tree| lists(site, tree, if listed.contains(tree) { &PACKAGES } else { &[] }))
}

fn published(site: &Site, tree: &str) -> Option<Published> {
    published_in(site, DISTRIBUTION, tree)
}

fn published_in(site: &Site, dist: &str, tree: &str) -> Option<Published> {
    judge::read(&Source::Disk(site.tree_of(tree, dist))).ok().flatten()
}

/// All trees of all distributions.
fn all_trees(site: &Site) -> impl Iterator<Item = PathBuf> {
    TREES.iter().flat_map(|tree| site.distributions.iter().map(|dist| site.tree_of(tree, dist)))
}

fn lists(site: &Site, tree: &str, packages: &[&str]) -> bool {
    lists_in(site, DISTRIBUTION, tree, packages)
}

fn lists_in(site: &Site, dist: &str, tree: &str, packages: &[&str]) -> bool {
    published_in(site, dist, tree).is_some_and(|shown| shown.packages.keys().eq(packages))
}

/// Whether nothing lies in a tree that its metadata does not name.
fn bare(site: &Site, tree: &str) -> bool {
    let dir = site.tree(tree);
    let Some(shown) = published(site, tree) else { return false };
    let mut named: BTreeSet<_> = shown.packages.values().map(|package| dir.join(&package.location)).collect();
    named.extend(shown.files.iter().map(|file| dir.join(file)));
    named.extend(["repomd.xml", "repomd.xml.asc", "repomd.xml.key"].map(|name| dir.join("repodata").join(name)));
    let there = [files_below(&dir.join("repodata")), files_below(&dir.join("Packages"))].concat();
    there.into_iter().all(|file| named.contains(&file))
}

/// What of a site changes while it runs.
const PARTS: [&str; 3] = ["root", "state", "incoming"];

/// How many uploads wait.
fn uploads(site: &Site) -> usize {
    files_below(&site.incoming()).iter().filter(|file| file.extension() == Some("rpm".as_ref())).count()
}

fn empty(site: &Site) {
    for name in PARTS {
        let _ = fs::remove_dir_all(site.path(name));
        fs::create_dir(site.path(name)).unwrap();
    }
}

/// Keeps what lies on the disk under a name.
pub(crate) fn keep(site: &Site, name: &str) {
    let to = site.path(name);
    let _ = fs::remove_dir_all(&to);
    fs::create_dir(&to).unwrap();
    copy(&site.path(""), &to);
}

/// Brings back what was kept; the log of the daemon begins anew.
pub(crate) fn restore(site: &mut Site, name: &str) {
    site.end();
    let from = site.path(name);
    for part in PARTS {
        let _ = fs::remove_dir_all(site.path(part));
    }
    copy(&from, &site.path(""));
    let _ = fs::remove_file(site.path("daemon.log"));
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for part in PARTS {
        // Links stay links: trees share their packages. Nothing in them is ever written in place, and a copy of a
        // package would be none that the daemon made.
        let how = if part == "root" { "-al" } else { "-a" };
        let mut cp = Command::new("cp");
        let done = cp.args([how, "--"]).arg(from.join(part)).arg(to).stdin(Stdio::null()).status().unwrap();
        assert!(done.success(), "cp: {done}");
    }
}

/// How a story went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The daemon was killed.
    Killed,
    /// It came to its end first.
    Over,
}

impl Scenario {
    /// A site at which the scenario can begin, kept as "before".
    pub(crate) fn site(&self) -> Site {
        let mut site = Site::start(&Wish { distributions: self.distributions.to_vec(), ..Wish::default() });
        (self.before)(&mut site);
        assert!(site.stop().success());
        (self.lay)(&mut site);
        keep(&site, "before");
        site
    }

    /// Begins, on a site as it was before, with a daemon whose calls are watched; the order holds from where the
    /// scenario begins.
    pub(crate) fn begin(&self, site: &mut Site, order: Order) -> Calls {
        let calls = Calls::watch(site, if self.from_start { order } else { Order::Off });
        site.spawn();
        if !self.from_start {
            site.ready();
            calls.order(order);
        }
        (self.act)(site);
        calls
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self, site: &Site) -> bool {
        (self.over)(site)
    }

    /// Asks for what may have been lost, and looks; gives whether it is over in time.
    pub(crate) fn goes_on(
        &self,
        site: &mut Site,
        patience: Duration,
        mut enough: impl FnMut(&mut Site) -> bool,
    ) -> bool {
        let began = Instant::now();
        let mut asked: Option<Instant> = None;
        while !enough(site) && began.elapsed() < patience {
            site.look_for_door();
            if asked.is_none_or(|at| at.elapsed() > ASK_AGAIN) {
                (self.ask)(site);
                asked = Some(Instant::now());
            }
            let ready = site.door.get("/readyz").is_ok_and(|answer| answer.status == 200);
            if ready && self.is_over(site) {
                return true;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        false
    }

    /// Until it is over or the daemon was killed, also while it is stopped in the end.
    pub(crate) fn run(&self, site: &mut Site) -> End {
        let mut ended = None;
        let over = self.goes_on(site, Duration::from_mins(1), |site| {
            ended = site.has_ended();
            ended.is_some()
        });
        let end = match ended {
            Some(status) => status,
            None if over => site.stop(),
            None => panic!("it does not come to its end"),
        };
        match std::os::unix::process::ExitStatusExt::signal(&end) {
            Some(9) => End::Killed,
            _ if end.success() => End::Over,
            _ => panic!("the daemon ended by itself with {end}"),
        }
    }

    /// After a start of the daemon: the site is whole, nothing is lost, and the scenario comes to its end.
    pub(crate) fn check(&self, site: &mut Site) {
        site.ready();
        whole(site);
        if !self.is_over(site) {
            assert!(self.goes_on(site, Duration::from_mins(1), |_| false), "it does not come to its end");
            whole(site);
        }
        assert!(site.stop().success(), "SIGTERM ends it in order");
        for file in [files_below(&site.path("root")), files_below(&site.path("state"))].concat() {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            assert!(!name.contains(".rolloutd-"), "{} was left behind", file.display());
        }
    }
}

/// fsck, the logbook's chain, the judge, and that what was accepted is somewhere.
pub(crate) fn whole(site: &Site) {
    assert_eq!(fsck(site, true), (Vec::new(), Some(0)), "fsck --full");
    site.ctl_good(&["log", "--verify"]);
    // What was taken in just now is on its way into a tree.
    let began = Instant::now();
    loop {
        let accepted = accepted(site);
        let somewhere = listed_or_kept(site);
        let nowhere: Vec<&String> = accepted.iter().filter(|nevra| !somewhere.contains(*nevra)).collect();
        if nowhere.is_empty() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "accepted, and nowhere: {nowhere:?}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    for tree in all_trees(site) {
        for dir in ["repodata", "Packages"] {
            let files = files_below(&tree.join(dir));
            let hollow = files.iter().find(|file| fs::metadata(file).is_ok_and(|meta| meta.len() == 0));
            assert_eq!(hollow, None, "an empty file was published");
        }
    }
}

/// What clients see while the daemon is down: whole trees, but for a signature that is not yet of its repomd.xml, as
/// the two are renamed one after the other. Gives how many are torn so.
pub(crate) fn seen_by_clients(site: &Site) -> usize {
    let torn = |tree: &PathBuf| match judge::read(&Source::Disk(tree.clone())) {
        Ok(_) => false,
        Err(why) if why.contains(TORN) => true,
        Err(why) => panic!("{}, while the daemon is down: {why}", tree.display()),
    };
    shown_after_staged(site);
    all_trees(site).filter(torn).count()
}

/// Where a plan is shown in one of several distributions, all of them were staged before.
fn shown_after_staged(site: &Site) {
    if site.distributions.len() < 2 {
        return;
    }
    let book = rusqlite::Connection::open(site.path("state/logbook.sqlite")).unwrap();
    let mut bodies = book.prepare("SELECT body FROM entry ORDER BY seq").unwrap();
    let bodies: Vec<String> = bodies.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let is_of = |kind: &'static str| move |body: &&String| body.contains(&format!("\"kind\":\"{kind}\""));
    let last_plan = bodies.iter().rev().find(|body| is_of("rollout.moved")(body) && body.contains("\"moves\""));
    let Some(target) = last_plan.and_then(|body| {
        let body: Value = serde_json::from_str(body).unwrap();
        body["fact"]["plan"]["moves"][0]["target"].as_str().map(str::to_owned)
    }) else {
        return;
    };
    let plans = bodies.iter().filter(|body| is_of("rollout.moved")(body) && body.contains("\"moves\"")).count();
    let staged = bodies.iter().filter(is_of("rollout.staged")).count();
    let shows = |dist: &&&str| lists_in(site, dist, &target, &PACKAGES[..1]);
    let shown = site.distributions.iter().filter(shows).count();
    assert!(shown == 0 || staged >= plans, "shown in {shown} distributions, and {staged} of {plans} plans were staged");
}

/// What the judge finds in the trees, each of which must be whole, and what was withdrawn and is kept.
fn listed_or_kept(site: &Site) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for tree in all_trees(site) {
        match judge::read(&Source::Disk(tree.clone())) {
            Ok(shown) => found.extend(shown.unwrap_or_default().packages.into_keys()),
            Err(why) => panic!("{}: {why}", tree.display()),
        }
    }
    for file in files_below(&site.path("state/retired")) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        // <sha256>-<nevra>.rpm
        found.extend(name.strip_suffix(".rpm").and_then(|name| Some(name.split_once('-')?.1.to_owned())));
    }
    found
}

/// The packages that the logbook has as taken in.
pub(crate) fn accepted(site: &Site) -> Vec<String> {
    let name = |entry: &Value| fact(entry, "package.accepted")["nevra"].as_str().map(str::to_owned);
    site.entries_after(0).iter().filter_map(name).collect()
}

/// For a scenario that submits something of its own.
pub(crate) fn submission(id: &str, packages: &[String]) -> Value {
    json!({"id": id, "distribution": DISTRIBUTION, "title": "a story", "packages": packages})
}
