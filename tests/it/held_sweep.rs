//! A site whose state directory is gone: its trees are held. Whatever is asked meanwhile, and at whatever call the
//! daemon is killed or the disk fails, clients see what they saw, and with its own state all goes on.
//!
//! `ROLLOUTD_SWEEP=all` strikes every call that changes a file; otherwise a sample of them is struck. The other
//! variables are those of `kill_sweep`.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and breaks things as people do")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::calls::{Calls, Order, can_be_counted};
use crate::disagreement::{packages, settled, wait_until_well};
use crate::fsck::fsck;
use crate::kill_sweep::{Campaign, Extent, Figures, Named, Part, report};
use crate::scenarios::{keep, restore};
use crate::site::{DISTRIBUTION, Site, files_below, keys, package, recipe};

/// How many calls of each story are struck in an ordinary run, in each of the two ways.
const SAMPLE: usize = 3;

/// How long a daemon is waited for that answers nothing, or cannot say that its trees are held.
const PATIENCE: Duration = Duration::from_secs(8);

/// Trees that are held: those that had packages.
type Held = &'static [&'static str];

/// What clients can fetch of the trees that are held, with every byte.
fn shown(site: &Site, trees: Held) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = trees.iter().flat_map(|tree| {
        let dir = site.tree(tree);
        [files_below(&dir.join("repodata")), files_below(&dir.join("Packages"))].concat()
    });
    files.map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// Uploads, submits, asks for moves and reloads, as people do who have not noticed yet. What dies meanwhile is asked no
/// more.
fn goes_on_as_usual(site: &mut Site, trees: Held) {
    let began = Instant::now();
    let alive = |site: &mut Site| site.has_ended().is_none();
    while alive(site) && site.door.address().is_err() && began.elapsed() < PATIENCE {
        site.look_for_door();
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let in_time = |began: Instant| began.elapsed() < PATIENCE;
    if !trees.contains(&"untested") {
        // The upload is taken in, and could be moved.
        while alive(site) && packages(site, "untested") == 0 && in_time(began) {
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
    let submission = json!({"id": "9", "distribution": DISTRIBUTION, "title": "", "packages": ["fourth-1.0-1.noarch"]});
    let _ = site.door.post("/api/v1/rollouts", &submission);
    for state in ["InVerification", "StageRollOut", "Production"] {
        let _ = site.door.post("/api/v1/rollouts/9/move", &json!({ "state": state }));
        let _ = site.door.hook(&Site::hook_body(state, "9", state));
    }
    let held = |site: &Site| {
        let said = crate::disagreement::reasons(site).join("\n");
        trees.iter().all(|tree| said.contains(&format!("{tree}/")))
    };
    // Whatever is decided for it all the same is carried out or waits.
    let asked = Instant::now();
    while alive(site) && !(held(site) && site.door.rests("9")) && in_time(asked) {
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Plays it once; gives the calls that were counted.
fn play(site: &mut Site, order: Order, trees: Held, before: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<String> {
    restore(site, "held");
    let calls = Calls::watch(site, order);
    site.spawn();
    goes_on_as_usual(site, trees);
    let counted = calls.counted();
    site.end();
    assert!(shown(site, trees) == *before, "{order:?}: what clients see has changed");
    // Once more, undisturbed: it is held as before.
    site.spawn();
    goes_on_as_usual(site, trees);
    site.end();
    assert!(shown(site, trees) == *before, "{order:?}, and after another start: what clients see has changed");
    counted
}

/// Which trees are held while people go on.
struct Story {
    name: &'static str,
    trees: Held,
}

impl Named for Story {
    fn name(&self) -> &'static str {
        self.name
    }
}

const STORIES: [Story; 2] = [
    Story { name: "all trees are held", trees: &["untested", "testing", "production"] },
    // So a package comes in, and a move into a tree that is held is asked for.
    Story { name: "the tree of uploads is new", trees: &["testing", "production"] },
];

#[test]
fn a_tree_that_is_held_stays_as_it_is_whatever_call_is_struck() {
    if !can_be_counted() {
        return;
    }
    let campaign = Campaign::of("ROLLOUTD_SWEEP", SAMPLE, 20);
    let found = campaign.each(&STORIES, STORIES.len(), |story, part| sweep(story, part, &campaign));
    report(&format!("a kill or a failing disk while trees are held (ROLLOUTD_SEED={})", campaign.seed), &found);
}

/// Strikes this part's calls, each in two ways.
fn sweep(story: &Story, part: Part, campaign: &Campaign) -> Figures {
    let trees = story.trees;
    let mut site = settled();
    site.drop_package("third", "1.0", &[]);
    site.wait("the third package", |site| (packages(site, "untested") == 1).then_some(()));
    assert!(site.stop().success());
    let (state, away) = (site.path("state"), site.path("away"));
    fs::rename(&state, &away).unwrap();
    fs::create_dir(&state).unwrap();
    let (untested, kept) = (site.tree("untested"), site.path("kept"));
    if !trees.contains(&"untested") {
        fs::rename(&untested, &kept).unwrap();
    }
    site.drop_file("fourth.rpm", &package(&recipe("fourth", "1.0", &[]), Some(&keys().ours.1)));
    keep(&site, "held");
    let before = shown(&site, trees);
    let mut figures = Figures { calls: play(&mut site, Order::Count, trees, &before).len(), ..Figures::default() };
    let mut struck: Vec<usize> = (1..=figures.calls).filter(|number| part.has(*number)).collect();
    if let Extent::Some(wanted) = campaign.extent {
        let mut random = part.random(campaign, story);
        while struck.len() > wanted {
            struck.swap_remove(random.place(struck.len()));
        }
    }
    for number in struck {
        for order in [Order::Kill(number), Order::FailFrom(["ENOSPC", "EIO"][number % 2], number)] {
            figures.points += 1;
            let what = format!("{}, {order:?}", story.name);
            figures.judge(&what, &mut site, |site| play(site, order, trees, &before));
        }
    }
    // With its own state all goes on.
    restore(&mut site, "held");
    fs::rename(&state, site.path("wrong")).unwrap();
    fs::rename(&away, &state).unwrap();
    if kept.exists() {
        fs::rename(&kept, &untested).unwrap();
    }
    site.up();
    wait_until_well(&mut site);
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the second in production", |site| (packages(site, "production") == 2).then_some(()));
    site.wait("the upload", |site| (packages(site, "untested") == 2).then_some(()));
    assert_eq!(fsck(&site, true), (vec![], Some(0)));
    figures
}
