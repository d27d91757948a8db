//! `rolloutd adopt` and `--undo` are killed, or the disk fails, at one call after the other, and again while they are run
//! once more.
//!
//! Each story begins at a tree that another program has made, or at one that was adopted, with or without a publication
//! since. One call that changes a file is struck: a kill before it, an error of the disk once or from there on, a sync that
//! only claims to have worked. Whatever is struck, no byte and no time of a package changes, clients see whole metadata
//! with the packages that they have seen, and the command says what was wrong. Run again, and struck again, and run to its
//! end, it comes to where it would have come undisturbed: an adopted tree is published by a daemon, with which `fsck` has
//! no quarrel, and can be let go; a tree that was let go has its metadata of before, byte for byte, and can be adopted.
//!
//! What sets the length, beside what `kill_sweep` and `fault_sweep` say of these variables:
//!
//! - `ROLLOUTD_SWEEP`: how many kills in each story (1; 20 in a long run), or `all`: before each call;
//! - `ROLLOUTD_FAULTS`: how many faults in each story (1; 20), or `all`: each call, each of its errors, once and lasting.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and does what an admin does")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use jiff::Timestamp;

use crate::adoption::{adopt, adopt_under, createrepo, lay, named, places, signed};
use crate::calls::{Calls, Order, can_be_counted};
use crate::disagreement::wait_until_well;
use crate::fault_sweep::{LIE, any_fault, errors};
use crate::fsck::fsck;
use crate::judge::{self, Source, TORN};
use crate::kill_sweep::{Campaign, Extent, Figures, Named, report};
use crate::peers;
use crate::site::{Site, Wish, files_below, keys, said, tell};

/// What the tree shows before it is adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// Nothing: packages, and no metadata.
    Nothing,
    /// What createrepo_c makes.
    Unsigned,
    /// The same with a signature beside it.
    Signed,
}

/// How far it is when the story begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// Found, and to be adopted.
    Found,
    /// Adopted, and to be let go.
    Adopted,
    /// Adopted, published, with the metadata of before removed, and to be let go.
    Published,
}

struct Story {
    name: &'static str,
    shows: Shows,
    from: From,
}

impl Named for Story {
    fn name(&self) -> &'static str {
        self.name
    }
}

const STORIES: [Story; 6] = [
    Story { name: "adopt", shows: Shows::Unsigned, from: From::Found },
    Story { name: "adopt what is not listed", shows: Shows::Nothing, from: From::Found },
    Story { name: "undo", shows: Shows::Unsigned, from: From::Adopted },
    Story { name: "undo, published", shows: Shows::Unsigned, from: From::Published },
    Story { name: "undo, published, signed before", shows: Shows::Signed, from: From::Published },
    Story { name: "undo, nothing listed before", shows: Shows::Nothing, from: From::Published },
];

/// The tree as it was found.
pub(crate) struct Found {
    shows: Shows,
    packages: BTreeMap<PathBuf, (Vec<u8>, i64, i64)>,
    /// What clients can fetch of `repodata/`.
    metadata: BTreeMap<PathBuf, Vec<u8>>,
    /// What is listed, and where.
    places: Vec<(String, String)>,
}

/// Bytes and time of each package below a directory.
fn packages(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, i64, i64)> {
    let all = files_below(dir).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rpm"));
    let state = |path: PathBuf| {
        let meta = fs::metadata(&path).unwrap();
        let value = (fs::read(&path).unwrap(), meta.mtime(), meta.mtime_nsec());
        (path, value)
    };
    all.map(state).collect()
}

impl Found {
    /// Lays a tree down: flat, nested, with a file that others can write to.
    pub(crate) fn lay(site: &Site, shows: Shows) -> Self {
        let all = [("a.rpm", &*signed("a", "1")), ("x/b.rpm", &signed("b", "1")), ("c.rpm", &signed("c", "1"))];
        let dir = lay(site, "production", &all);
        if shows != Shows::Nothing {
            createrepo(&dir);
        }
        if shows == Shows::Signed {
            let repomd = dir.join("repodata/repomd.xml");
            let asc = keys().ours.1.sign_detached_armored(&fs::read(&repomd).unwrap(), Timestamp::now()).unwrap();
            fs::write(repomd.with_extension("xml.asc"), asc).unwrap();
        }
        fs::set_permissions(dir.join("c.rpm"), fs::Permissions::from_mode(0o666)).unwrap();
        let metadata = files_below(&dir.join("repodata"));
        let places = match shows {
            Shows::Nothing => Vec::new(),
            _ => places(&judge::read_unsigned(&Source::Disk(dir.clone())).unwrap()),
        };
        Self {
            shows,
            packages: packages(&dir),
            metadata: metadata.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect(),
            places,
        }
    }

    /// How an adoption is asked for.
    fn words(&self) -> &'static [&'static str] {
        if self.shows == Shows::Nothing { &["--also-unlisted"] } else { &[] }
    }

    /// No byte and no time of a package is another one, and clients see whole metadata with what they have seen; of a
    /// tree that showed nothing, all or nothing.
    pub(crate) fn seen(&self, site: &Site, is_listed: bool) {
        let dir = site.tree("production");
        assert!(packages(&dir) == self.packages, "a package is another one");
        let source = Source::Disk(dir.clone());
        if self.shows == Shows::Nothing {
            if dir.join("repodata/repomd.xml").exists() {
                assert!(is_listed, "metadata where there was none");
                assert_eq!(judge::read_unsigned(&source).unwrap().packages.len(), self.packages.len());
            }
            return;
        }
        assert_eq!(places(&judge::read_unsigned(&source).unwrap()), self.places);
        if self.shows == Shows::Signed {
            let seen = judge::read(&source);
            assert!(seen.as_ref().err().is_none_or(|why| why.contains(TORN)), "{seen:?}");
        }
    }

    /// The tree shows what it showed, byte for byte.
    pub(crate) fn is_back(&self, site: &Site) {
        self.seen(site, false);
        let dir = site.tree("production").join("repodata");
        for (path, bytes) in &self.metadata {
            assert!(fs::read(path).is_ok_and(|found| found == *bytes), "{} is not as it was", path.display());
        }
        for name in ["repomd.xml", "repomd.xml.asc"] {
            let path = dir.join(name);
            assert_eq!(path.exists(), self.metadata.contains_key(&path), "{name}");
        }
    }

    /// Adopts the tree, or sees that it was adopted; gives whether it had to be.
    pub(crate) fn adopt(&self, site: &Site) -> bool {
        let (code, words) = adopt(site, &[self.words(), &[&named("production")]].concat());
        let had_to = code == Some(0);
        assert!(had_to || words.contains("is under management already, with 3 packages"), "{words}");
        had_to
    }

    /// Lets it go, or sees that it was let go.
    pub(crate) fn undo(&self, site: &Site) {
        let (code, words) = adopt(site, &["--undo", &named("production")]);
        assert!(code == Some(0) || words.contains("lists nothing"), "{words}");
        self.is_back(site);
        let (code, words) = adopt(site, &[self.words(), &["--dry-run", &named("production")]].concat());
        assert!(code == Some(0) && words.contains("can be adopted: 3 packages"), "{words}");
    }

    /// A daemon publishes the adopted tree, and all agree about it.
    pub(crate) fn is_published(&self, site: &mut Site) {
        site.up();
        wait_until_well(site);
        let shown = site.wait("the tree to be published", |site| {
            judge::read(&Source::Disk(site.tree("production"))).ok()?.filter(|shown| shown.packages.len() == 3)
        });
        if self.shows != Shows::Nothing {
            assert_eq!(places(&shown), self.places);
        }
        assert_eq!(fsck(site, true), (Vec::new(), Some(0)), "fsck --full");
        self.seen(site, true);
    }
}

/// Copies the trees and the state: with inodes of their own, as a second name would make an adoption copy each package.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for part in ["root", "state"] {
        let _ = fs::remove_dir_all(to.join(part));
        assert!(Command::new("cp").arg("-a").arg(from.join(part)).arg(to).status().unwrap().success());
    }
}

impl Story {
    /// A site at which it can begin, kept as "before".
    fn site(&self) -> (Site, Found) {
        let mut site = Site::prepare(&Wish { grace_metadata: "1s", ..Wish::default() });
        let found = Found::lay(&site, self.shows);
        if self.from != From::Found {
            found.adopt(&site);
        }
        if self.from == From::Published {
            found.is_published(&mut site);
            site.wait("the metadata of before to be removed", |_| {
                let mut names = found.metadata.keys().filter(|path| !path.to_string_lossy().contains("repomd.xml"));
                names.all(|path| path.to_string_lossy().contains("comps") || !path.exists()).then_some(())
            });
            assert!(site.stop().success());
        }
        copy(&site.path(""), &site.path("before"));
        (site, found)
    }

    fn words(&self, found: &Found) -> Vec<&'static str> {
        match self.from {
            From::Found => found.words().to_vec(),
            _ => vec!["--undo"],
        }
    }

    /// Runs the command while an order holds; gives what it said and the calls.
    fn run(&self, site: &mut Site, found: &Found, order: Order) -> (Output, Calls) {
        let calls = Calls::watch(site, order);
        let under = std::mem::take(&mut site.under);
        let out = adopt_under(site, &under, &[self.words(found), vec![&*named("production")]].concat());
        (out, calls)
    }

    fn count(&self, site: &mut Site, found: &Found) -> Vec<String> {
        copy(&site.path("before"), &site.path(""));
        let (out, calls) = self.run(site, found, Order::Count);
        assert!(out.status.success(), "{}", said(&out));
        calls.counted()
    }

    /// One call is struck, and of the run after it another one; gives whether the first was met.
    fn strike(&self, site: &mut Site, found: &Found, orders: [Order; 2], figures: &mut Figures) -> bool {
        let what = format!("{}, {orders:?}", self.name);
        let began = Instant::now();
        let struck = figures.judge(&what, site, |site| {
            copy(&site.path("before"), &site.path(""));
            let mut struck = 0;
            for order in orders {
                let (out, calls) = self.run(site, found, order);
                struck += usize::from(calls.struck().is_some());
                let killed = matches!(order, Order::Kill(_)) && calls.struck().is_some();
                // One that was struck at its end is over, and says so when it is run again.
                assert!(killed || matches!(out.status.code(), Some(0 | 1)), "{}: {}", out.status, said(&out));
                assert!(killed || !said(&out).trim().is_empty(), "it ended with {} and said nothing", out.status);
                found.seen(site, self.from != From::Found);
            }
            if self.from == From::Found {
                found.adopt(site);
                found.is_published(site);
                assert!(site.stop().success());
            }
            found.undo(site);
            found.adopt(site);
            found.undo(site);
            for file in [files_below(&site.path("root")), files_below(&site.path("state"))].concat() {
                assert!(!file.to_string_lossy().contains(".rolloutd-"), "{} was left behind", file.display());
            }
            struck
        });
        site.end();
        figures.slowest = figures.slowest.max(began.elapsed());
        match struck {
            Some(0) => figures.missed += 1,
            Some(both) => {
                figures.points += 1;
                figures.again += both - 1;
            }
            None => figures.points += 1,
        }
        struck != Some(0)
    }
}

#[test]
fn an_adoption_that_is_killed_before_any_call_is_run_again_and_so_is_its_undoing() {
    if !peers::have(&["createrepo_c"]) || !can_be_counted() {
        return;
    }
    let campaign = Campaign::of("ROLLOUTD_SWEEP", 1, 20);
    let all = campaign.each(&STORIES, STORIES.len(), |story, part| {
        let (mut figures, mut random) = (Figures::default(), part.random(&campaign, story));
        let (mut site, found) = story.site();
        let calls = story.count(&mut site, &found).len();
        figures.calls = calls;
        let points: Vec<usize> = match campaign.extent {
            Extent::All => (1..=calls).filter(|n| part.has(*n)).collect(),
            Extent::Some(kills) => (0..kills).map(|_| 1 + random.place(calls)).collect(),
        };
        for n in points {
            let again = Order::Kill(1 + random.place(calls));
            story.strike(&mut site, &found, [Order::Kill(n), again], &mut figures);
        }
        tell(&format!("{}: {} kills", story.name, figures.points));
        figures
    });
    report(&format!("adoption, kills: ROLLOUTD_SEED={}", campaign.seed), &all);
}

#[test]
fn an_error_of_the_disk_at_any_call_of_an_adoption_or_its_undoing_is_said_and_survived() {
    if !peers::have(&["createrepo_c"]) || !can_be_counted() {
        return;
    }
    let campaign = Campaign::of("ROLLOUTD_FAULTS", 1, 20);
    let all = campaign.each(&STORIES, STORIES.len(), |story, part| {
        let (mut figures, mut random) = (Figures::default(), part.random(&campaign, story));
        let (mut site, found) = story.site();
        let calls = story.count(&mut site, &found);
        let syncs = calls.iter().filter(|line| line.contains(" fsync ") || line.contains(" fdatasync ")).count();
        figures.calls = calls.len();
        let faults: Vec<Order> = match campaign.extent {
            Extent::All => {
                let both = |error, n| [Order::Fail(error, n), Order::FailFrom(error, n)];
                let each = |(n, call): (usize, &String)| errors(call).iter().flat_map(move |error| both(*error, n));
                let of_calls = (1..).zip(&calls).filter(|(n, _)| part.has(*n)).flat_map(each);
                of_calls.chain((1..=syncs).filter(|n| part.has(*n)).flat_map(|n| both(LIE, n))).collect()
            }
            Extent::Some(faults) => (0..faults).map(|_| any_fault(&mut random, &calls, syncs)).collect(),
        };
        for fault in faults {
            let again = any_fault(&mut random, &calls, syncs);
            story.strike(&mut site, &found, [fault, again], &mut figures);
        }
        tell(&format!("{}: {} faults", story.name, figures.points));
        figures
    });
    report(&format!("adoption, faults: ROLLOUTD_SEED={}", campaign.seed), &all);
}
