//! One distribution on a real disk, and on one that fails at any call.

use std::io::{Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::domain::backlog::Kind;
use crate::domain::checksum::ChecksumKind;
use crate::domain::listing::Inventory;
use crate::domain::plan::{Before, Item, Move, Owner};
use crate::format::compress::{self, Compression};
use crate::format::sample::{self, Recipe};
use crate::format::signing;
use crate::store::blocks::Members;
use crate::store::disk::{Access, Kernel, failing::FailingDisk};
use crate::store::distribution::*;
use crate::store::evidence::{Bounds, Evidence};
use crate::store::examination::{Answer, Examiner, Here, Question};
use crate::store::intake::Limits;
use crate::store::publication::file_checksum;

fn now() -> Timestamp {
    Timestamp::from_second(1_795_000_000).expect("a time")
}

/// One key for all tests of this module: generating it is slow.
fn keys() -> &'static (signing::Generated, Signer) {
    static KEYS: OnceLock<(signing::Generated, Signer)> = OnceLock::new();
    KEYS.get_or_init(|| {
        let made = signing::generate("Tester <tester@example.org>", now()).expect("a key");
        let signer = Signer::read(made.secret.as_bytes(), now()).expect("it signs");
        (made, signer)
    })
}

fn package(name: &str, version: &str, signer: Option<&Signer>) -> Vec<u8> {
    let recipe = Recipe {
        name: name.into(),
        version: version.into(),
        release: "1".into(),
        arch: "noarch".into(),
        summary: "for a test".into(),
        files: vec![(format!("/usr/share/{name}"), b"content".to_vec())],
        build_time: now(),
        ..Recipe::default()
    };
    sample::build(&recipe, signer, now()).expect("built")
}

/// A package as the logbook knows it.
struct Listed {
    nevra: Nevra,
    sha256: Sha256,
    trees: Vec<TreeName>,
}

/// A distribution with what a logbook would know of it.
struct Kept {
    dist: Distribution,
    inventory: Inventory,
}

impl std::ops::Deref for Kept {
    type Target = Distribution;

    fn deref(&self) -> &Distribution {
        &self.dist
    }
}

impl std::ops::DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Distribution {
        &mut self.dist
    }
}

impl Kept {
    fn look(&mut self, now: Timestamp, clock: Instant) -> Result<Look, DistError> {
        let look = self.dist.look(&self.inventory, now, &|| clock)?;
        for arrival in &look.accepted {
            self.inventory.take_in(&tree("untested"), &arrival.nevra, arrival.sha256);
        }
        Ok(look)
    }

    fn publish(&mut self, tree: &TreeName, floor: u64, now: Timestamp) -> Result<Published, DistError> {
        let listing = self.inventory.listing(tree);
        self.dist.publish(&self.inventory, tree, &listing, floor, now)
    }

    fn inspect(
        &mut self,
        tree: &TreeName,
        expected: &Expected,
        now: Timestamp,
    ) -> Result<Option<Published>, DistError> {
        let Some((published, plan)) = self.dist.inspect(&self.inventory, tree, expected, now)? else {
            return Ok(None);
        };
        for (_, plan) in expected.begun.iter().filter(|(number, _)| plan == Some(*number)) {
            self.shows(plan, tree);
        }
        Ok(Some(published))
    }

    fn promote(
        &mut self,
        plan: &Plan,
        floors: &BTreeMap<TreeName, u64>,
        now: Timestamp,
    ) -> Result<Vec<(TreeName, Published)>, DistError> {
        self.dist.stage_plan(&self.inventory, plan, floors, now)?;
        let mut published = Vec::new();
        for tree in plan.trees().into_iter().map(|id| id.tree) {
            assert!(self.dist.staged(&self.inventory, plan, &tree).is_some(), "{tree} is staged");
            published.push((tree.clone(), self.dist.show_staged(&tree)?));
            self.shows(plan, &tree);
        }
        self.dist.tidy(&self.inventory)?;
        Ok(published)
    }

    fn shows(&mut self, plan: &Plan, tree: &TreeName) {
        let listing = plan.shown_in(&self.dist.id(tree), &self.inventory.listing(tree));
        self.inventory.show(tree, listing);
    }

    fn retire(&mut self, tree: &TreeName, files: &[String]) -> Result<Retired, DistError> {
        self.dist.retire(&self.inventory, tree, files)
    }

    fn identity(&self, nevra: &Nevra) -> Option<Sha256> {
        self.inventory.accepted(nevra)
    }

    fn listed(&self, name: &str) -> Vec<(Nevra, Sha256)> {
        self.inventory.listing(&tree(name)).iter().map(|(nevra, entry)| (nevra.clone(), entry.sha256)).collect()
    }
}

struct Site {
    dir: tempfile::TempDir,
    clock: Instant,
}

impl Site {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a directory"), clock: Instant::now() }
    }

    fn settings(&self) -> DistSettings {
        let root = self.dir.path().join("sw");
        let state = self.dir.path().join("state");
        let (made, _) = keys();
        let ring = Keyring::read(&[("key".to_owned(), made.public.clone().into_bytes())]).expect("a ring");
        let untested: TreeName = "untested".parse().expect("a name");
        DistSettings {
            path: "d".parse().expect("a path"),
            trees: ["untested", "testing"].iter().map(|t| t.parse().expect("a name")).collect(),
            retired: state.join("retired/d"),
            index: state.join("index/d.sqlite"),
            gate: Gate {
                dir: self.dir.path().join("incoming/d"),
                home: root.join("untested/d"),
                tree: untested,
                trees: ["untested", "testing"]
                    .iter()
                    .map(|tree| (tree.parse().expect("a name"), root.join(tree).join("d")))
                    .collect(),
                rejected: Arc::new(Evidence::new(
                    state.join("rejected/d"),
                    Bounds { keep: Duration::from_hours(24), files: 1_000, size: 1 << 30 },
                )),
                terms: Arc::new(Terms { ring, ..Terms::default() }),
                examiner: Arc::new(Here),
                limits: Limits {
                    max_package: 1 << 20,
                    quiet: Duration::from_secs(2),
                    incomplete_after: Duration::from_mins(1),
                    list_refused: false,
                },
            },
            root,
            form: Form { compression: Compression::Gz, members: Members::Blocks, checksum: ChecksumKind::Sha256 },
            signer: Signer::read(made.secret.as_bytes(), now()).ok().map(Arc::new),
            unsigned: true,
            base_url: "http://repository.example.org/sw".into(),
            key_urls: vec!["http://repository.example.org/key".into()],
            key_files: ["untested", "testing"]
                .map(|tree| {
                    let armored = made.public.clone().into_bytes();
                    let beside = BTreeMap::from([("RPM-GPG-KEY-test".to_owned(), armored)]);
                    (tree.parse().expect("a name"), beside)
                })
                .into(),
            metadata_key: None,
            companions: vec![],
        }
    }

    fn open(&self, disk: Arc<dyn Disk>, listed: Vec<Listed>) -> Result<Kept, DistError> {
        Self::open_as(self.settings(), disk, listed)
    }

    fn open_as(settings: DistSettings, disk: Arc<dyn Disk>, listed: Vec<Listed>) -> Result<Kept, DistError> {
        let mut inventory = Inventory::default();
        for Listed { nevra, sha256, trees } in listed {
            inventory.withdraw(&nevra, sha256);
            for tree in &trees {
                inventory.take_in(tree, &nevra, sha256);
            }
        }
        let dist = Distribution::restore(settings, disk, &inventory)?;
        Ok(Kept { dist, inventory })
    }

    fn fresh(&self) -> Kept {
        self.open(Arc::new(Kernel::default()), vec![]).expect("opened")
    }

    fn drop_file(&self, relative: &str, bytes: &[u8]) {
        Self::write(&self.incoming().join(relative), bytes);
    }

    /// What an admin does in the tree itself.
    fn put_into_tree(&self, relative: &str, bytes: &[u8]) {
        Self::write(&self.untested().join(relative), bytes);
    }

    fn write(path: &Path, bytes: &[u8]) {
        let disk = Kernel::default();
        disk.make_dir(path.parent().expect("a parent")).expect("made");
        disk::put(&disk, path, bytes, Access::Everybody).expect("written");
    }

    fn incoming(&self) -> PathBuf {
        self.dir.path().join("incoming/d")
    }

    fn untested(&self) -> PathBuf {
        self.dir.path().join("sw/untested/d")
    }

    /// Scans until nothing is left to settle: the first scan sees the files, the next ones read them, the last cleans
    /// up.
    fn settle(&self, dist: &mut Kept) -> (Vec<String>, Vec<String>) {
        let (mut accepted, mut refused) = (vec![], vec![]);
        for seconds in [0, 3, 6, 70, 73, 76] {
            let look = dist.look(now(), self.clock + Duration::from_secs(seconds)).expect("a look");
            accepted.extend(look.accepted.iter().map(|a| a.nevra.to_string()));
            refused.extend(look.refused.iter().map(|d| format!("{} {}", d.upload.display(), d.refusal.code)));
        }
        (accepted, refused)
    }
}

/// What a client sees: every file that repomd.xml lists, complete, and the packages that primary lists.
fn client_sees(tree: &Path) -> Option<Vec<String>> {
    let bytes = std::fs::read(tree.join("repodata/repomd.xml")).ok()?;
    let signature = std::fs::read(tree.join("repodata/repomd.xml.asc")).expect("signed");
    assert!(keys().1.made(&signature, &bytes), "the signature fits");
    let key = std::fs::read_to_string(tree.join("repodata/repomd.xml.key")).expect("beside the signature");
    assert_eq!(key, keys().1.public_key_armored());
    client_that_asks_for_no_signature_sees(tree)
}

/// The same without the signature, which one step of a publication leaves out of date (see `publication`: one call
/// cannot rename two names).
fn client_that_asks_for_no_signature_sees(tree: &Path) -> Option<Vec<String>> {
    let bytes = std::fs::read(tree.join("repodata/repomd.xml")).ok()?;
    let repomd = Repomd::read(&bytes).expect("readable");
    let mut names = vec![];
    for data in &repomd.data {
        let file = std::fs::File::open(tree.join(&data.location)).expect("named and there");
        assert_eq!(file_checksum(file, ChecksumKind::Sha256).expect("read"), data.checksum.hex);
        if data.kind == "primary" {
            let packed = std::fs::read(tree.join(&data.location)).expect("read");
            let xml = compress::open(Compression::Gz, &packed, 1 << 20).expect("opened");
            let xml = String::from_utf8(xml).expect("text");
            names =
                xml.split("<location href=\"").skip(1).filter_map(|s| s.split('"').next().map(str::to_owned)).collect();
        }
    }
    assert!(names.iter().all(|name| tree.join(name).is_file()), "every listed package is there");
    Some(names)
}

fn tree(name: &str) -> TreeName {
    name.parse().expect("a name")
}

fn plan(dist: &Kept, nevra: &str, target: Option<&str>, from: &str) -> Plan {
    let nevra: Nevra = nevra.parse().expect("a nevra");
    let sha256 = dist.identity(&nevra).expect("accepted");
    Plan {
        owner: Owner::Rollout("r".parse().expect("an id")),
        moves: vec![Move {
            dist: "d".parse().expect("a path"),
            target: target.map(tree),
            items: vec![Item { nevra, sha256, leaves: vec![tree(from)], was: None, of: None }],
        }],
    }
}

#[test]
fn what_is_dropped_anywhere_is_taken_in_under_its_own_name() {
    let site = Site::new();
    let mut dist = site.fresh();
    site.drop_file("deep/down/whatever.rpm", &package("b", "1", Some(&keys().1)));
    site.put_into_tree("Packages/a/a-1-1.noarch.rpm", &package("a", "1", Some(&keys().1)));
    let (accepted, refused) = site.settle(&mut dist);
    assert_eq!((accepted, refused), (vec!["b-1-1.noarch".to_owned(), "a-1-1.noarch".to_owned()], vec![]));
    dist.publish(&tree("untested"), 0, now()).expect("published");
    let seen = client_sees(&site.untested());
    assert_eq!(seen, Some(vec!["Packages/a/a-1-1.noarch.rpm".to_owned(), "Packages/b/b-1-1.noarch.rpm".to_owned()]));
    assert!(!site.incoming().join("deep/down/whatever.rpm").exists(), "the upload is gone");
}

#[test]
fn what_is_refused_is_moved_away_with_its_code() {
    let site = Site::new();
    let mut dist = site.fresh();
    site.drop_file("unsigned.rpm", &package("a", "1", None));
    site.drop_file("junk.rpm", b"<html>404</html>");
    std::os::unix::fs::symlink("/etc/passwd", site.incoming().join("link.rpm")).expect("linked");
    let (accepted, refused) = site.settle(&mut dist);
    assert_eq!(accepted, Vec::<String>::new());
    assert_eq!(refused, ["junk.rpm not_rpm", "link.rpm not_regular", "unsigned.rpm unsigned"]);
    let left = std::fs::read_dir(site.incoming())
        .expect("listed")
        .filter(|e| e.as_ref().expect("an entry").path().extension().is_some_and(|x| x == "rpm"));
    assert_eq!(left.count(), 0, "nothing of it stays in the tree");
}

#[test]
fn hidden_names_and_metadata_among_the_uploads_are_named_when_nobody_brings_them_any_more() {
    let site = Site::new();
    let mut dist = site.fresh();
    for name in [".a.rpm.x1B2", ".partial/a.rpm", "b/.b.rpm", "repodata/primary.xml.gz"] {
        site.drop_file(name, b"some of it");
        site.put_into_tree(name, b"some of it");
    }
    site.drop_file("repodata/c.rpm", &package("c", "1", Some(&keys().1)));
    let meta = std::fs::symlink_metadata(site.incoming().join(".a.rpm.x1B2")).expect("there");
    let changed = Timestamp::from_second(std::os::unix::fs::MetadataExt::ctime(&meta)).expect("a time");
    let minute = site.settings().gate.limits.incomplete_after;
    let told = |dist: &mut Kept, now: Timestamp, seconds: u64| {
        let look = dist.look(now, site.clock + Duration::from_secs(seconds)).expect("a look");
        let named = look.waiting.named().iter();
        let named: Vec<(String, Kind)> = named.map(|waits| (waits.path.clone(), waits.kind)).collect();
        (named, look.again.expect("another look"), look.accepted.len())
    };
    let (named, ..) = told(&mut dist, changed, 0);
    let metadata = ("repodata/primary.xml.gz".to_owned(), Kind::Suffix);
    assert_eq!(named, [metadata.clone(), ("repodata/c.rpm".to_owned(), Kind::New)]);
    assert_eq!(told(&mut dist, changed, 3).2, 1, "packages may lie anywhere");
    told(&mut dist, changed, 6);
    let (named, again, _) = told(&mut dist, changed, 9);
    assert_eq!(named, std::slice::from_ref(&metadata));
    assert!(again > minute / 2 && again <= minute, "{again:?}");
    let (mut named, again, _) = told(&mut dist, changed + minute + Duration::from_secs(1), 12);
    named.sort();
    let hidden = [".a.rpm.x1B2", ".partial", "b/.b.rpm"].map(|path| (path.to_owned(), Kind::Hidden));
    assert_eq!((&named[..3], &named[3..]), (&hidden[..], &[metadata][..]));
    assert!(again <= minute, "they may be gone: {again:?}");
}

#[test]
fn a_file_on_its_way_is_neither_read_early_nor_missed() {
    let site = Site::new();
    let mut dist = site.fresh();
    let bytes = package("a", "1", Some(&keys().1));
    // What rsync and careful people write first.
    site.drop_file(".a-1-1.noarch.rpm.Xy12", &bytes);
    site.drop_file(".~tmp~/a-1-1.noarch.rpm", &bytes);
    site.drop_file("a.rpm.part", &bytes);
    assert_eq!(site.settle(&mut dist), (vec![], vec![]));
    // Half of it, unchanged for long but not for ever; then the rest.
    let at = |seconds| site.clock + Duration::from_secs(seconds);
    site.drop_file("a.rpm", &bytes[..bytes.len() / 2]);
    for seconds in [100, 103, 150] {
        let look = dist.look(now(), at(seconds)).expect("a look");
        assert!(look.accepted.is_empty() && look.refused.is_empty(), "{seconds}");
        assert!(look.again.is_some(), "it is looked at again without a hint");
    }
    site.drop_file("a.rpm", &bytes);
    let accepted: usize = [151, 154].into_iter().map(|s| dist.look(now(), at(s)).expect("a look").accepted.len()).sum();
    assert_eq!(accepted, 1);
}

#[test]
fn a_file_that_never_gets_whole_is_refused_after_a_time() {
    let site = Site::new();
    let mut dist = site.fresh();
    let bytes = package("a", "1", Some(&keys().1));
    site.drop_file("a.rpm", &bytes[..bytes.len() - 1]);
    let (accepted, refused) = site.settle(&mut dist);
    assert_eq!(accepted.len(), 0);
    assert_eq!(refused.len(), 1, "{refused:?}");
}

/// A package that the index lists and the logbook never heard of would be published by nobody's decision.
#[test]
fn a_look_that_fails_at_any_step_reports_what_it_took_in_and_the_next_takes_the_rest() {
    for calls in 0.. {
        let site = Site::new();
        drop(site.fresh());
        // One of them already has the name that its copy will get.
        site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
        site.put_into_tree("Packages/b/b-1-1.noarch.rpm", &package("b", "1", Some(&keys().1)));
        let Ok(mut dist) = site.open(Arc::new(FailingDisk::after(calls)), vec![]) else { continue };
        let mut accepted = vec![];
        let mut failed = false;
        for seconds in [0, 3, 6] {
            let look = dist.look(now(), site.clock + Duration::from_secs(seconds)).expect("a look");
            accepted.extend(look.accepted.iter().map(|a| (a.nevra.clone(), a.sha256)));
            failed |= look.failed.is_some();
        }
        let listed = dist.listed("untested");
        accepted.sort();
        assert_eq!(listed, accepted, "after {calls} changes");
        let known = accepted.iter().map(|(nevra, sha256)| Listed {
            nevra: nevra.clone(),
            sha256: *sha256,
            trees: vec![tree("untested")],
        });
        let mut again = site.open(Arc::new(Kernel::default()), known.collect()).expect("opened");
        site.settle(&mut again);
        assert_eq!(again.listed("untested").len(), 2, "after {calls} changes");
        assert!(!site.incoming().join("a.rpm").exists());
        if !failed {
            return;
        }
    }
}

#[test]
fn a_look_that_panics_at_any_step_leaves_nothing_listed_that_nobody_was_told_of() {
    for calls in 0.. {
        let site = Site::new();
        drop(site.fresh());
        for name in ["a", "b", "c"] {
            site.drop_file(&format!("{name}.rpm"), &package(name, "1", Some(&keys().1)));
        }
        let opened = std::panic::catch_unwind(|| site.open(Arc::new(FailingDisk::panicking_after(calls)), vec![]));
        let Ok(Ok(mut dist)) = opened else { continue };
        let mut told = 0;
        let mut panicked = false;
        for seconds in [0, 3] {
            let look = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                dist.look(now(), site.clock + Duration::from_secs(seconds)).expect("a look").accepted.len()
            }));
            panicked |= look.is_err();
            told += look.unwrap_or_default();
        }
        assert_eq!(dist.listed("untested").len(), told, "after {calls} changes");
        let mut again = site.fresh();
        site.settle(&mut again);
        assert_eq!(again.listed("untested").len(), 3, "after {calls} changes");
        if !panicked {
            return;
        }
    }
}

/// Reads packages and says that one is another.
#[derive(Debug)]
struct Liar(Vec<u8>);

impl Examiner for Liar {
    fn examine(&self, _: std::fs::File, _: u64, terms: &Arc<Terms>, question: &Question) -> std::io::Result<Answer> {
        let mut other = tempfile::tempfile()?;
        other.write_all(&self.0)?;
        other.rewind()?;
        Here.examine(other, self.0.len() as u64, terms, question)
    }
}

#[test]
fn whoever_reads_a_package_cannot_pass_its_bytes_off_as_others() {
    let site = Site::new();
    let mut dist = site.fresh();
    let good = package("a", "1", Some(&keys().1));
    site.drop_file("a.rpm", &good);
    site.settle(&mut dist);
    let promoted = plan(&dist, "a-1-1.noarch", Some("testing"), "untested");
    dist.promote(&promoted, &BTreeMap::new(), now()).expect("moved");
    let lost = site.dir.path().join("sw/testing/d/Packages/a/a-1-1.noarch.rpm");
    Kernel::default().remove(&lost).expect("removed");
    dist.settings.gate.examiner = Arc::new(Liar(good.clone()));
    let evil: Vec<u8> = good.iter().map(|byte| byte ^ 1).collect();
    for (name, bytes) in [("longer.rpm", [&good[..], b"!"].concat()), ("evil.rpm", evil)] {
        site.drop_file(name, &bytes);
        for seconds in [0, 3, 6] {
            let look = dist.look(now(), site.clock + Duration::from_secs(seconds)).expect("a look");
            assert_eq!((look.accepted.len(), look.repeated), (0, false), "{name}");
        }
        assert!(!lost.exists(), "{name}");
    }
    // The real package is accepted for what it is.
    for name in ["longer.rpm", "evil.rpm"] {
        Kernel::default().remove(&site.incoming().join(name)).expect("removed");
    }
    site.drop_file("again.rpm", &good);
    site.settle(&mut dist);
    assert_eq!(std::fs::read(&lost).expect("put back"), good);
}

#[test]
fn what_a_stopped_move_has_shown_stays_shown_whatever_else_happens_before_it_goes_on() {
    let site = Site::new();
    let mut dist = site.fresh();
    for name in ["a", "b"] {
        site.drop_file(&format!("{name}.rpm"), &package(name, "1", Some(&keys().1)));
    }
    site.settle(&mut dist);
    let moved = |dist: &mut Kept, nevra, target, from| {
        let plan = plan(dist, nevra, target, from);
        let shown: BTreeMap<TreeName, Published> =
            dist.promote(&plan, &BTreeMap::new(), now()).expect("moved").into_iter().collect();
        (plan, shown[&tree("testing")].clone())
    };
    let (_, before) = moved(&mut dist, "b-1-1.noarch", Some("testing"), "untested");
    let (stopped, _) = moved(&mut dist, "a-1-1.noarch", Some("testing"), "untested");
    // Nothing of the second one was recorded: the logbook has `a` where it was.
    let listed = |nevra: &str, trees: &[&str]| {
        let nevra: Nevra = nevra.parse().expect("a nevra");
        let sha256 = dist.identity(&nevra).expect("accepted");
        Listed { nevra, sha256, trees: trees.iter().map(|name| tree(name)).collect() }
    };
    let open = |known: Vec<Listed>| site.open(Arc::new(Kernel::default()), known).expect("opened");
    let last = |published: &Published, begun: &Plan| Expected {
        revision: published.revision,
        repomd: Some(published.repomd),
        planned: true,
        moving: begun.moves[0].items.iter().map(|item| item.nevra.clone()).collect(),
        begun: vec![(7, Arc::new(begun.clone()))],
        ..Expected::default()
    };
    let file = |name: &str| format!("Packages/{name}/{name}-1-1.noarch.rpm");
    let testing = site.dir.path().join("sw/testing/d");
    let mut again = open(vec![listed("a-1-1.noarch", &["untested"]), listed("b-1-1.noarch", &["testing"])]);
    let found = again.inspect(&tree("testing"), &last(&before, &stopped), now()).expect("as it is");
    let before = found.expect("it turns out to be shown");
    assert_eq!(again.listed("testing").len(), 2);
    let kept = again.retire(&tree("testing"), &[file("a")]).expect("looked at").kept;
    assert_eq!(kept, [file("a")], "it is listed there");
    let (recalled, _) = moved(&mut again, "b-1-1.noarch", None, "testing");
    assert_eq!(client_sees(&testing), Some(vec![file("a")]));
    // The same with a withdrawal: it does not come back for a while.
    let known = || vec![listed("a-1-1.noarch", &["testing"]), listed("b-1-1.noarch", &["testing"])];
    let mut again = open(known());
    let found = again.inspect(&tree("testing"), &last(&before, &recalled), now()).expect("as it is");
    let after = found.expect("it turns out to be shown");
    again.publish(&tree("testing"), 0, now()).expect("published");
    assert_eq!(client_sees(&testing), Some(vec![file("a")]));
    // A move that has shown nothing yet is not ahead of itself, and neither is one that is completely recorded.
    let mut later = stopped;
    later.moves[0].target = Some(tree("untested"));
    later.moves[0].items[0].leaves = vec![tree("testing")];
    let mut again = open(vec![listed("a-1-1.noarch", &["testing"])]);
    for begun in [&later, &recalled] {
        let found = again.inspect(&tree("testing"), &last(&after, begun), now()).expect("as it is");
        assert_eq!(found, None);
    }
    assert_eq!((again.listed("testing").len(), again.listed("untested").len()), (1, 0));
    // Nor is a tree trusted that shows anything but what was about to be shown.
    let mut again = open(known());
    again.index.will_show(&tree("testing"), Sha256([7; 32]), &Listing::default()).expect("kept");
    let found = again.inspect(&tree("testing"), &last(&before, &recalled), now()).expect("as it is");
    assert_eq!((found, again.listed("testing").len()), (None, 2));
}

#[test]
fn a_move_that_fails_before_clients_see_it_is_shown_by_nobody_elses() {
    let mut seen = BTreeSet::new();
    for calls in 0.. {
        let site = Site::new();
        let mut dist = site.fresh();
        for name in ["a", "b"] {
            site.drop_file(&format!("{name}.rpm"), &package(name, "1", Some(&keys().1)));
        }
        site.settle(&mut dist);
        let [first, second] =
            ["a-1-1.noarch", "b-1-1.noarch"].map(|nevra| plan(&dist, nevra, Some("testing"), "untested"));
        dist.disk = Arc::new(FailingDisk::after(calls));
        let ended = dist.promote(&first, &BTreeMap::new(), now());
        let testing = site.dir.path().join("sw/testing/d");
        let file = |name: &str| format!("Packages/{name}/{name}-1-1.noarch.rpm");
        let shown = client_that_asks_for_no_signature_sees(&testing).is_some_and(|all| all.contains(&file("a")));
        seen.insert((ended.is_ok(), shown));
        dist.disk = Arc::new(Kernel::default());
        // The engine has the trees inspected after a move has failed.
        let begun = vec![(7, Arc::new(first.clone()))];
        let moving = first.moves[0].items.iter().map(|item| item.nevra.clone()).collect();
        let expected = Expected { planned: true, moving, begun, ..Expected::default() };
        let ahead = dist.inspect(&tree("testing"), &expected, now()).expect("as it is");
        assert_eq!(ahead.is_some() || ended.is_ok(), shown, "after {calls} changes");
        dist.promote(&second, &BTreeMap::new(), now()).expect("moved");
        let both = client_sees(&testing).expect("published");
        assert_eq!(both.contains(&file("a")), shown, "after {calls} changes");
        assert!(both.contains(&file("b")));
        if ended.is_ok() {
            break;
        }
    }
    assert_eq!(seen, BTreeSet::from([(false, false), (false, true), (true, true)]));
}

#[test]
fn one_name_has_one_content() {
    let site = Site::new();
    let mut dist = site.fresh();
    site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
    assert_eq!(site.settle(&mut dist).0.len(), 1);
    let mut other = package("a", "1", Some(&keys().1));
    site.drop_file("again.rpm", &other);
    assert_eq!(site.settle(&mut dist), (vec![], vec![]), "the same bytes again are no news");
    assert!(!site.incoming().join("again.rpm").exists());
    let recipe = Recipe {
        name: "a".into(),
        version: "1".into(),
        release: "1".into(),
        arch: "noarch".into(),
        summary: "rebuilt".into(),
        build_time: now(),
        ..Recipe::default()
    };
    other = sample::build(&recipe, Some(&keys().1), now()).expect("built");
    site.drop_file("rebuilt.rpm", &other);
    assert_eq!(site.settle(&mut dist).1, ["rebuilt.rpm duplicate_nevra"]);
}

#[test]
fn what_an_admin_puts_over_the_published_file_gives_way_to_an_inode_of_ours() {
    let site = Site::new();
    let mut dist = site.fresh();
    let bytes = package("a", "1", Some(&keys().1));
    site.drop_file("a.rpm", &bytes);
    site.settle(&mut dist);
    site.put_into_tree("Packages/a/a-1-1.noarch.rpm", &bytes);
    let uploaded = std::fs::File::open(site.untested().join("Packages/a/a-1-1.noarch.rpm")).expect("there");
    site.settle(&mut dist);
    dist.publish(&tree("untested"), 0, now()).expect("published");
    assert_eq!(client_sees(&site.untested()).map(|seen| seen.len()), Some(1));
    let now_there = std::fs::metadata(site.untested().join("Packages/a/a-1-1.noarch.rpm")).expect("there");
    assert_ne!(uploaded.metadata().expect("open").ino(), now_there.ino());
}

#[test]
fn a_listed_package_that_is_gone_is_put_back_when_it_is_uploaded_again() {
    let site = Site::new();
    let mut dist = site.fresh();
    let bytes = package("a", "1", Some(&keys().1));
    site.drop_file("a.rpm", &bytes);
    site.settle(&mut dist);
    dist.publish(&tree("untested"), 0, now()).expect("published");
    Kernel::default().rename(&site.untested().join("Packages"), &site.dir.path().join("gone")).expect("moved away");
    site.drop_file("again.rpm", &bytes);
    assert_eq!(site.settle(&mut dist), (vec![], vec![]));
    assert_eq!(client_sees(&site.untested()).map(|seen| seen.len()), Some(1));
    // The same with other bytes under its name, which are refused and put aside.
    site.put_into_tree("Packages/a/a-1-1.noarch.rpm", b"other bytes");
    site.settle(&mut dist);
    site.drop_file("again.rpm", &bytes);
    site.settle(&mut dist);
    assert_eq!(client_sees(&site.untested()).map(|seen| seen.len()), Some(1));
    assert!(!site.incoming().join("again.rpm").exists());
}

#[test]
fn equal_content_is_not_published_again_and_the_revision_never_goes_back() {
    let site = Site::new();
    let mut dist = site.fresh();
    let first = dist.publish(&tree("untested"), 0, now()).expect("published");
    let again = dist.publish(&tree("untested"), first.revision, now()).expect("published");
    assert_eq!(first.revision, again.revision);
    site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
    site.settle(&mut dist);
    let earlier = now() - jiff::SignedDuration::from_hours(24 * 400);
    // Our key was created after that time, so this one is unsigned.
    dist.settings.signer = None;
    let later = dist.publish(&tree("untested"), first.revision, earlier).expect("published");
    assert!(later.revision > first.revision, "also when the clock went back");
}

/// Whoever can write there could keep clients from an update, or make them refuse every later one.
#[test]
fn an_older_signed_repomd_of_the_same_packages_is_not_believed_and_the_revision_never_goes_back() {
    let site = Site::new();
    let mut dist = site.fresh();
    let untested = tree("untested");
    site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
    site.settle(&mut dist);
    let only_a = dist.inventory.listing(&untested);
    let first = dist.publish(&untested, 0, now()).expect("published");
    let repodata = site.untested().join("repodata");
    let old = ["repomd.xml.asc", "repomd.xml"].map(|name| (name, std::fs::read(repodata.join(name)).expect("read")));
    site.drop_file("b.rpm", &package("b", "1", Some(&keys().1)));
    site.settle(&mut dist);
    let second = dist.publish(&untested, first.revision, now()).expect("published");
    dist.inventory.show(&untested, only_a);
    let third = dist.publish(&untested, second.revision, now()).expect("published");
    assert_eq!((first.packages, second.packages, third.packages), (1, 2, 1));
    for (name, bytes) in old {
        disk::put(&Kernel::default(), &repodata.join(name), &bytes, Access::Everybody).expect("written");
    }
    let shown = dist.inspect(&untested, &settled(&third), now()).expect("all is well").expect("published");
    assert!(shown.revision > third.revision, "{} is not after {}", shown.revision, third.revision);
    assert_eq!(client_sees(&site.untested()).map(|seen| seen.len()), Some(1));
}

/// Mirrors and caches compare the times of files of the same size.
#[test]
fn the_time_of_the_metadata_is_its_revision_whatever_somebody_does_to_it() {
    let (site, untested) = (Site::new(), tree("untested"));
    let mut dist = site.fresh();
    let mut floor = 0;
    for name in ["a", "b"] {
        site.drop_file("upload.rpm", &package(name, "1", Some(&keys().1)));
        site.settle(&mut dist);
        let published = dist.publish(&untested, floor, now()).expect("published");
        assert!(published.revision > floor, "in the same second");
        floor = published.revision;
        let files = ["repomd.xml", "repomd.xml.asc"].map(|file| site.untested().join(REPODATA).join(file));
        let times = || files.each_ref().map(|file| std::fs::metadata(file).expect("there").mtime());
        let revision = i64::try_from(floor).expect("a time");
        assert_eq!(times(), [revision; 2], "{name}");
        // Somebody has touched it, or copied it back.
        let touch = || {
            for file in &files {
                let open = std::fs::File::options().append(true).open(file).expect("opened");
                open.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("touched");
            }
        };
        touch();
        dist.publish(&untested, floor, now()).expect("as it is");
        assert_eq!(times(), [revision; 2], "{name}: published again");
        // And the daemon starts again.
        touch();
        let listed = dist.listed("untested").into_iter();
        let listed = listed.map(|(nevra, sha256)| Listed { nevra, sha256, trees: vec![untested.clone()] }).collect();
        dist = site.open(Arc::new(Kernel::default()), listed).expect("opened");
        let expected = Expected { revision: floor, repomd: Some(published.repomd), ..Expected::default() };
        dist.inspect(&untested, &expected, now()).expect("as it is").expect("shown");
        assert_eq!(times(), [revision; 2], "{name}: inspected");
    }
}

#[test]
fn what_others_put_into_repodata_is_carried_along() {
    let site = Site::new();
    let mut dist = site.fresh();
    dist.publish(&tree("untested"), 0, now()).expect("published");
    let repodata = site.untested().join("repodata");
    let comps = b"<comps/>";
    disk::put(&Kernel::default(), &repodata.join("x-comps.xml"), comps, Access::Everybody).expect("written");
    let path = repodata.join("repomd.xml");
    let mut repomd = Repomd::read(&std::fs::read(&path).expect("read")).expect("readable");
    let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, comps);
    let mut data = repomd.data[0].clone();
    data.kind = "group".into();
    data.location = "repodata/x-comps.xml".into();
    data.checksum.hex = hex::encode(sum);
    repomd.data.push(data);
    disk::put(&Kernel::default(), &path, &repomd.write(), Access::Everybody).expect("written");
    site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
    site.settle(&mut dist);
    let published = dist.publish(&tree("untested"), 0, now()).expect("published");
    let repomd = Repomd::read(&std::fs::read(&path).expect("read")).expect("readable");
    assert_eq!(
        repomd.data.iter().map(|d| d.kind.as_str()).collect::<Vec<_>>(),
        ["primary", "filelists", "other", "group"]
    );
    assert!(!published.superseded.contains(&"x-comps.xml".to_owned()));
    // With other bytes than recorded it would break every client: no longer listed, and reported.
    disk::put(&Kernel::default(), &repodata.join("x-comps.xml"), b"<bad/>", Access::Everybody).expect("written");
    let published = dist.publish(&tree("untested"), 0, now()).expect("published");
    assert_eq!(published.notes.len(), 1, "{:?}", published.notes);
}

/// The heart of the matter: for each change to the disk, the work fails there; clients see the old state or the new
/// one, the package is listed somewhere, and the next attempt ends where it should.
#[test]
fn a_promotion_that_fails_at_any_step_is_seen_whole_and_carried_out_by_the_next_try() {
    let site = Site::new();
    let mut dist = site.fresh();
    site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
    site.settle(&mut dist);
    for name in ["untested", "testing"] {
        dist.publish(&tree(name), 0, now()).expect("published");
    }
    let plan = plan(&dist, "a-1-1.noarch", Some("testing"), "untested");
    let listed = |trees: &[&str]| {
        vec![Listed {
            nevra: plan.moves[0].items[0].nevra.clone(),
            sha256: plan.moves[0].items[0].sha256,
            trees: trees.iter().map(|t| tree(t)).collect(),
        }]
    };
    let mut back = plan.clone();
    back.moves[0].target = Some(tree("untested"));
    back.moves[0].items[0].leaves = vec![tree("testing")];
    let mut failed_at = 0;
    for calls in 0.. {
        // The directories exist, so opening needs no change; then every change counts.
        let disk = Arc::new(FailingDisk::after(calls));
        let Ok(mut broken) = site.open(disk, listed(&["untested"])) else { continue };
        let result = broken.promote(&plan, &BTreeMap::new(), now());
        let seen: Vec<Vec<String>> = ["untested", "testing"]
            .iter()
            .map(|name| site.dir.path().join("sw").join(name).join("d"))
            .map(|dir| client_that_asks_for_no_signature_sees(&dir).expect("metadata"))
            .collect();
        assert!(seen.iter().any(|names| !names.is_empty()), "after {calls} changes the package is nowhere");
        // A restart finds the plan without its `done` and carries it out.
        let mut next = site.open(Arc::new(Kernel::default()), listed(&["untested"])).expect("opened");
        next.promote(&plan, &BTreeMap::new(), now()).expect("carried out");
        assert_eq!(client_sees(&site.untested()), Some(vec![]), "after {calls} changes");
        assert_eq!(client_sees(&site.dir.path().join("sw/testing/d")).map(|n| n.len()), Some(1));
        if result.is_ok() {
            break;
        }
        failed_at += 1;
        // And back again for the next round.
        let mut again = site.open(Arc::new(Kernel::default()), listed(&["testing"])).expect("opened");
        again.promote(&back, &BTreeMap::new(), now()).expect("carried out");
    }
    assert!(failed_at > 20, "a promotion has more than {failed_at} steps that can fail");
}

/// The same of a restore, which takes a package out of a tree and keeps it, and of the restore that brings it back when its
/// file is no longer in the tree.
#[test]
fn a_restore_that_fails_at_any_step_is_seen_whole_and_carried_out_by_the_next_try() {
    let site = Site::new();
    let mut dist = site.fresh();
    for name in ["a", "b"] {
        site.drop_file(&format!("{name}.rpm"), &package(name, "1", Some(&keys().1)));
    }
    site.settle(&mut dist);
    let mut revision = dist.publish(&tree("untested"), 0, now()).expect("published").revision;
    dist.publish(&tree("testing"), 0, now()).expect("published");
    let [a, b] = ["a-1-1.noarch", "b-1-1.noarch"].map(|nevra| nevra.parse::<Nevra>().expect("a nevra"));
    let [a, b] = [a, b].map(|nevra| (dist.identity(&nevra).expect("accepted"), nevra));
    let place = site.untested().join(b.1.location());
    let kept = site.dir.path().join("state/retired/d").join(format!("{}-{}", b.0.to_hex(), b.1.file_name()));
    let to = |leaves: &[&str], was| {
        let (owner, items) = (
            dist.id(&tree("untested")),
            vec![Item {
                nevra: b.1.clone(),
                sha256: b.0,
                leaves: leaves.iter().map(|t| tree(t)).collect(),
                was,
                of: None,
            }],
        );
        let owner = Owner::Restore { tree: owner, to: 1, from: 2, since: now() };
        Plan { owner, moves: vec![Move { dist: "d".parse().expect("a path"), target: Some(tree("untested")), items }] }
    };
    let brought: crate::domain::names::RolloutId = "r".parse().expect("an id");
    let (goes, comes) =
        (to(&["untested"], None), to(&[], Some(Before { brought: Some(brought.clone()), place: None })));
    let listed = |has_b: bool| {
        let trees = |is_there: bool| is_there.then(|| tree("untested")).into_iter().collect();
        [(&a, true), (&b, has_b)]
            .map(|(one, is_there)| Listed { nevra: one.1.clone(), sha256: one.0, trees: trees(is_there) })
            .into()
    };
    let mut failed_at = 0;
    for calls in 0.. {
        let mut is_over = true;
        for (plan, had) in [(&goes, true), (&comes, false)] {
            let disk = Arc::new(FailingDisk::after(calls));
            if let Ok(mut broken) = site.open(disk, listed(had)) {
                is_over &= broken.promote(plan, &BTreeMap::new(), now()).is_ok();
            } else {
                is_over = false;
            }
            let seen = client_that_asks_for_no_signature_sees(&site.untested()).expect("metadata").len();
            assert!([1, 2].contains(&seen), "after {calls} changes");
            let mut next = site.open(Arc::new(Kernel::default()), listed(had)).expect("opened");
            let shown = next.promote(plan, &BTreeMap::new(), now()).expect("carried out");
            assert!(shown[0].1.revision > revision, "after {calls} changes");
            revision = shown[0].1.revision;
            assert_eq!(client_sees(&site.untested()).map(|names| names.len()), Some(if had { 1 } else { 2 }));
            assert!(place.exists() && kept.exists(), "it is kept where it was, and aside");
            if had {
                next.retire(&tree("untested"), &[b.1.location()]).expect("removed");
                assert!(!place.exists() && kept.exists());
            } else {
                let listing = next.inventory.listing(&tree("untested"));
                assert_eq!(listing.get(&b.1).and_then(|entry| entry.brought.clone()), Some(brought.clone()));
            }
        }
        if is_over {
            break;
        }
        failed_at += 1;
    }
    assert!(failed_at > 10, "a restore has more than {failed_at} steps that can fail");
    // Somebody has removed the bytes: nothing is shown.
    let mut next = site.open(Arc::new(Kernel::default()), listed(true)).expect("opened");
    next.promote(&goes, &BTreeMap::new(), now()).expect("carried out");
    next.retire(&tree("untested"), &[b.1.location()]).expect("removed");
    Kernel::default().rename(&kept, &site.dir.path().join("gone")).expect("moved");
    let why = next.promote(&comes, &BTreeMap::new(), now()).expect_err("its bytes are nowhere").to_string();
    assert!(why.contains("b-1-1.noarch"), "{why}");
    assert_eq!(client_sees(&site.untested()).map(|names| names.len()), Some(1));
    // Given up: the tree shows what it lists, and what never came need not be kept.
    next.promote(&goes, &BTreeMap::new(), now()).expect("nothing is done");
    assert_eq!(client_sees(&site.untested()).map(|names| names.len()), Some(1));
}

#[test]
fn an_index_that_was_lost_is_made_again_from_the_packages() {
    let site = Site::new();
    let mut dist = site.fresh();
    site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
    site.settle(&mut dist);
    dist.publish(&tree("untested"), 0, now()).expect("published");
    let before = std::fs::read(site.untested().join("repodata/repomd.xml")).expect("read");
    let plan = plan(&dist, "a-1-1.noarch", Some("testing"), "untested");
    drop(dist);
    for entry in std::fs::read_dir(site.dir.path().join("state/index")).expect("listed") {
        Kernel::default().remove(&entry.expect("an entry").path()).expect("removed");
    }
    let item = &plan.moves[0].items[0];
    let listed = vec![Listed { nevra: item.nevra.clone(), sha256: item.sha256, trees: vec![tree("untested")] }];
    let mut dist = site.open(Arc::new(Kernel::default()), listed).expect("opened");
    dist.publish(&tree("untested"), 0, now()).expect("published");
    let after = std::fs::read(site.untested().join("repodata/repomd.xml")).expect("read");
    assert_eq!(before, after, "incremental = full");
}

#[test]
fn the_yum_file_and_the_keys_lie_in_every_tree() {
    let site = Site::new();
    let mut dist = site.fresh();
    for name in ["untested", "testing"] {
        dist.publish(&tree(name), 0, now()).expect("published");
        let dir = site.dir.path().join("sw").join(name).join("d");
        let repo = std::fs::read_dir(&dir).expect("listed").filter_map(|e| e.ok()?.file_name().into_string().ok());
        let repo: Vec<String> = repo.filter(|n| Path::new(n).extension().is_some_and(|x| x == "repo")).collect();
        assert_eq!(repo.len(), 1);
        let text = std::fs::read_to_string(dir.join(&repo[0])).expect("read");
        assert!(text.contains("gpgcheck=1\n") && text.contains("repo_gpgcheck=1\n"), "{text}");
        assert!(dir.join("RPM-GPG-KEY-test").is_file());
    }
}

/// S1-24, S0-16.
#[test]
fn early_adopters_find_one_file_with_production_beside_their_tree() {
    let site = Site::new();
    let trees = ["untested", "testing", "production"].map(tree);
    let (name, url) = ("epel".to_owned(), "http://mirror.example.org/epel/".to_owned());
    let companions = vec![Companion { name, url, gpgkeys: vec![] }];
    let mut settings = DistSettings { trees: trees.to_vec(), companions, ..site.settings() };
    settings.key_urls.clear();
    settings.key_files.insert(tree("production"), [("RPM-GPG-KEY-release".to_owned(), b"key".to_vec())].into());
    let mut dist = Site::open_as(settings, Arc::new(Kernel::default()), vec![]).expect("opened");
    for tree in &trees {
        dist.publish(tree, 0, now()).expect("published");
    }
    let beside = |tree: &str| {
        let dir = std::fs::read_dir(site.dir.path().join("sw").join(tree).join("d")).expect("there");
        let names = dir.map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned());
        names.filter(|name| name.contains("-with-")).collect::<Vec<_>>()
    };
    assert_eq!(
        ["untested", "testing", "production"].map(beside),
        [vec![], vec!["d_Testing-with-production.repo".to_owned()], vec![]]
    );
    let text = std::fs::read_to_string(site.dir.path().join("sw/testing/d/d_Testing-with-production.repo"));
    let text = text.expect("text");
    let sections: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(sections, ["[d_Production]", "[d_Testing]", "[epel]"]);
    // Each tree's keys lie in that tree.
    let keys: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("gpgkey=")).collect();
    let sw = "http://repository.example.org/sw";
    assert_eq!(keys, [format!("{sw}/production/d/RPM-GPG-KEY-release"), format!("{sw}/testing/d/RPM-GPG-KEY-test")]);
}

#[test]
fn a_tree_that_became_a_link_stops_the_work() {
    let site = Site::new();
    let mut dist = site.fresh();
    let (tree_dir, aside) = (site.dir.path().join("sw/testing/d"), site.dir.path().join("aside"));
    Kernel::default().rename(&tree_dir, &aside).expect("moved");
    std::os::unix::fs::symlink(&aside, &tree_dir).expect("linked");
    assert!(dist.publish(&tree("testing"), 0, now()).is_err());
}

/// What the logbook knows after a publication.
fn settled(published: &Published) -> Expected {
    Expected { revision: published.revision, repomd: Some(published.repomd), ..Expected::default() }
}

fn disagreement(found: Result<Option<Published>, DistError>) -> String {
    match found {
        Err(DistError::Disagrees(why) | DistError::Strange(why) | DistError::Missing { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_packages_whose_files_would_have_one_name_do_not_both_come_in() {
    let site = Site::new();
    let mut dist = site.fresh();
    let epoch = |epoch| {
        let recipe = Recipe {
            name: "a".into(),
            epoch,
            version: "1".into(),
            release: "1".into(),
            arch: "noarch".into(),
            summary: "for a test".into(),
            build_time: now(),
            ..Recipe::default()
        };
        sample::build(&recipe, Some(&keys().1), now()).expect("built")
    };
    site.drop_file("a.rpm", &epoch(None));
    site.settle(&mut dist);
    let first = std::fs::read(site.untested().join("Packages/a/a-1-1.noarch.rpm")).expect("there");
    site.drop_file("b.rpm", &epoch(Some(5)));
    let (accepted, refused) = site.settle(&mut dist);
    assert_eq!((accepted, refused), (vec![], vec!["b.rpm file_name_taken".to_owned()]));
    assert!(std::fs::read(site.untested().join("Packages/a/a-1-1.noarch.rpm")).expect("there") == first);
}

#[test]
fn an_upload_that_has_the_name_of_another_one_is_not_lost() {
    let site = Site::new();
    let mut dist = site.fresh();
    site.drop_file("A.rpm", &package("e", "1", Some(&keys().1)));
    site.put_into_tree("Packages/e/e-1-1.noarch.rpm", &package("g", "1", Some(&keys().1)));
    let (mut accepted, refused) = site.settle(&mut dist);
    accepted.sort();
    assert_eq!((accepted, refused), (vec!["e-1-1.noarch".to_owned(), "g-1-1.noarch".to_owned()], vec![]));
    dist.publish(&tree("untested"), 0, now()).expect("published");
    assert_eq!(client_sees(&site.untested()).map(|seen| seen.len()), Some(2));
}

#[test]
fn directories_of_published_packages_are_read_again_when_something_comes_there_and_at_inspections() {
    let site = Site::new();
    let mut dist = site.fresh();
    site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
    site.settle(&mut dist);
    // Long after all this was written, so that its times can be trusted.
    let later = Timestamp::from_second(1_895_000_000).expect("a time");
    let mut at = 1000;
    let mut looks = |dist: &mut Kept| {
        let mut found = Vec::new();
        for _ in 0..3 {
            at += 3;
            let look = dist.look(later, site.clock + Duration::from_secs(at)).expect("a look");
            found.extend(look.accepted.iter().map(|a| a.nevra.to_string()));
            found.extend(look.refused.iter().map(|d| d.refusal.code.to_string()));
        }
        found
    };
    assert!(looks(&mut dist).is_empty());
    site.put_into_tree("Packages/a/other.rpm", &package("other", "1", Some(&keys().1)));
    assert_eq!(looks(&mut dist), ["other-1-1.noarch"]);
    assert!(looks(&mut dist).is_empty());
    // Written in place: the directory does not change.
    let file = site.untested().join("Packages/a/a-1-1.noarch.rpm");
    let written = std::fs::OpenOptions::new().write(true).truncate(true).open(&file);
    written.and_then(|mut file| std::io::Write::write_all(&mut file, b"no package")).expect("root may");
    assert!(looks(&mut dist).is_empty());
    let found = dist.inspect(&tree("untested"), &Expected::default(), later);
    assert!(disagreement(found).contains("a-1-1.noarch"));
    assert_eq!(looks(&mut dist), ["not_rpm"]);
}

#[test]
fn a_directory_that_somebody_keeps_to_himself_holds_up_nothing_else() {
    let site = Site::new();
    let kept = site.incoming().join("kept");
    let mut dist = site.open(Arc::new(FailingDisk::but_not_in(&kept)), vec![]).expect("opened");
    site.drop_file("kept/a.rpm", &package("a", "1", Some(&keys().1)));
    site.drop_file("kept/bad.rpm", b"no package");
    site.drop_file("z.rpm", &package("z", "1", Some(&keys().1)));
    let (accepted, _) = site.settle(&mut dist);
    assert_eq!(accepted, ["a-1-1.noarch", "z-1-1.noarch"]);
    site.drop_file("zz.rpm", &package("zz", "1", Some(&keys().1)));
    assert_eq!(site.settle(&mut dist).0, ["zz-1-1.noarch"]);
    let look = dist.look(now(), site.clock).expect("a look");
    let stuck: Vec<&str> = look.waiting.named().iter().map(|waits| waits.path.as_str()).collect();
    assert_eq!(look.waiting.count(Kind::Stuck), 2);
    assert_eq!(stuck, ["kept/a.rpm", "kept/bad.rpm"]);
}

#[test]
fn of_a_heap_that_cannot_be_handled_some_are_tried_again_and_all_when_one_can() {
    let site = Site::new();
    let kept = site.incoming().join("kept");
    let mut dist = site.open(Arc::new(FailingDisk::but_not_in(&kept)), vec![]).expect("opened");
    for number in 0..200 {
        site.drop_file(&format!("kept/{number}.rpm"), format!("junk {number}").as_bytes());
    }
    let stuck = |dist: &mut Kept, seconds: u64| {
        let look = dist.look(now(), site.clock + Duration::from_secs(seconds)).expect("a look");
        (look.waiting.count(Kind::Stuck), look.again)
    };
    site.settle(&mut dist);
    for round in 2..5 {
        assert_eq!(stuck(&mut dist, round * 100).0, 200);
    }
    dist.disk = Arc::new(Kernel::default());
    let mut last = stuck(&mut dist, 500);
    assert!((1..200).contains(&last.0), "{last:?}");
    while last.0 > 0 {
        assert_eq!(last.1, Some(Duration::ZERO), "the others are tried at once");
        last = stuck(&mut dist, 500);
    }
    assert_eq!(std::fs::read_dir(&kept).expect("there").count(), 0);
}

#[test]
fn what_is_refused_and_cannot_be_moved_away_is_told_once_however_often_it_is_touched() {
    use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, mknodat, utimensat};
    let site = Site::new();
    let kept = site.incoming().join("kept");
    let mut dist = site.open(Arc::new(FailingDisk::but_not_in(&kept)), vec![]).expect("opened");
    site.drop_file("kept/bad.rpm", b"no package");
    mknodat(CWD, kept.join("pipe.rpm"), FileType::Fifo, Mode::RUSR, 0).expect("made");
    let mut told = Vec::new();
    for round in 1..=12_u32 {
        for name in ["bad.rpm", "pipe.rpm"] {
            let time = Timespec { tv_sec: 1_000_000 + i64::from(round), tv_nsec: 0 };
            let times = Timestamps { last_access: time, last_modification: time };
            utimensat(CWD, kept.join(name), &times, AtFlags::SYMLINK_NOFOLLOW).expect("touched");
        }
        for look in 0..3 {
            let clock = site.clock + Duration::from_secs(u64::from(round * 10 + look * 3));
            let look = dist.look(now(), clock).expect("a look");
            told.extend(look.refused.into_iter().map(|d| (round, d.upload.display().to_string())));
        }
    }
    let each = |round| [(round, "kept/bad.rpm".to_owned()), (round, "kept/pipe.rpm".to_owned())];
    assert_eq!(told, [each(1), each(10)].concat());
    assert_eq!(std::fs::read_dir(site.dir.path().join("state/rejected/d")).map_or(0, Iterator::count), 0);
}

#[test]
fn a_copy_that_a_crash_left_beside_packages_goes_and_stops_no_start() {
    let site = Site::new();
    let dir = site.untested().join("Packages/a");
    site.put_into_tree("Packages/a/.rolloutd-1-0", b"half a package");
    site.open(Arc::new(FailingDisk::but_not_in(&dir)), vec![]).expect("opened all the same");
    assert!(dir.join(".rolloutd-1-0").exists());
    site.fresh();
    assert!(!dir.join(".rolloutd-1-0").exists());
}

#[test]
fn a_file_of_ours_that_somebody_wrote_into_is_named_and_stays() {
    let site = Site::new();
    let mut dist = site.fresh();
    site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
    site.settle(&mut dist);
    let moved = dist
        .promote(&plan(&dist, "a-1-1.noarch", Some("testing"), "untested"), &BTreeMap::new(), now())
        .expect("moved");
    let file = site.untested().join("Packages/a/a-1-1.noarch.rpm");
    assert_eq!(std::fs::metadata(&file).expect("there").mode() & 0o777, 0o444, "nobody writes there by accident");
    std::fs::OpenOptions::new()
        .append(true)
        .open(&file)
        .and_then(|mut file| std::io::Write::write_all(&mut file, b"more"))
        .expect("root may");
    let look = dist.look(now(), site.clock).expect("a look");
    assert!(look.stuck[0].1.contains("a-1-1.noarch was changed in place"), "{:?}", look.stuck);
    let testing = moved.iter().find(|(name, _)| *name == tree("testing")).expect("published");
    let found = dist.inspect(&tree("testing"), &settled(&testing.1), now());
    assert!(disagreement(found).contains("a-1-1.noarch"));
}

fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("changed");
}

/// A site with one package in testing and one that waits.
fn with_two_packages() -> (Site, Kept, Plan) {
    let site = Site::new();
    let mut dist = site.fresh();
    for name in ["a", "b"] {
        site.drop_file(&format!("{name}.rpm"), &package(name, "1", Some(&keys().1)));
    }
    site.settle(&mut dist);
    dist.publish(&tree("untested"), 0, now()).expect("published");
    dist.promote(&plan(&dist, "a-1-1.noarch", Some("testing"), "untested"), &BTreeMap::new(), now()).expect("moved");
    let waits = plan(&dist, "b-1-1.noarch", Some("testing"), "untested");
    (site, dist, waits)
}

#[test]
fn a_tree_that_others_can_write_is_not_published_and_nothing_moves_there_until_it_is_put_right() {
    let (site, mut dist, waits) = with_two_packages();
    let testing = site.dir.path().join("sw/testing/d");
    let before = client_sees(&testing);
    for below in ["sw", "sw/testing", "sw/testing/d", "sw/testing/d/repodata", "sw/testing/d/Packages/a"] {
        let open = site.dir.path().join(below);
        chmod(&open, 0o2775);
        // There is something to publish.
        dist.shown.clear();
        let whys = [
            disagreement(dist.publish(&tree("testing"), 0, now()).map(Some)),
            disagreement(dist.inspect(&tree("testing"), &Expected::default(), now())),
            disagreement(dist.promote(&waits, &BTreeMap::new(), now()).map(|_| None)),
        ];
        for why in whys {
            let said = why.contains(&format!("{} can be changed by others", open.display()));
            assert!(
                said && why.ends_with(&format!("find {} -type d -exec chmod go-w {{}} +", open.display())),
                "{why}"
            );
        }
        chmod(&open, 0o755);
    }
    assert_eq!(client_sees(&testing), before);
    // The upload tree takes nothing in meanwhile.
    chmod(&site.untested(), 0o777);
    site.drop_file("c.rpm", &package("c", "1", Some(&keys().1)));
    assert!(matches!(dist.look(now(), site.clock), Err(DistError::Disagrees(_))));
    chmod(&site.untested(), 0o755);
    assert_eq!(site.settle(&mut dist).0, ["c-1-1.noarch"]);
    dist.promote(&waits, &BTreeMap::new(), now()).expect("moved");
    assert_eq!(client_sees(&testing).map(|all| all.len()), Some(2));
}

#[test]
fn a_listed_file_that_somebody_could_change_is_replaced_by_one_of_ours() {
    let (site, mut dist, _) = with_two_packages();
    let file = site.dir.path().join("sw/testing/d/Packages/a/a-1-1.noarch.rpm");
    let before = std::fs::metadata(&file).expect("there");
    chmod(&file, 0o664);
    let mut kept_open = std::fs::OpenOptions::new().append(true).open(&file).expect("opened");
    let repomd = site.dir.path().join("sw/testing/d/repodata/repomd.xml");
    chmod(&repomd, 0o666);
    let metadata = std::fs::metadata(&repomd).expect("there");
    let shown = client_sees(&site.dir.path().join("sw/testing/d"));
    let known = publication::sha256(&std::fs::read(&repomd).expect("read"));
    let expected = Expected { planned: true, repomd: Some(known), ..Expected::default() };
    dist.inspect(&tree("testing"), &expected, now()).expect("put right");
    let ours = std::fs::metadata(&repomd).expect("there");
    assert!(ours.ino() != metadata.ino() && ours.mode() & 0o7777 == 0o644);
    assert_eq!(client_sees(&site.dir.path().join("sw/testing/d")), shown);
    let after = std::fs::metadata(&file).expect("there");
    assert_ne!(after.ino(), before.ino());
    assert_eq!((after.mode() & 0o7777, after.mtime()), (0o444, before.mtime()));
    std::io::Write::write_all(&mut kept_open, b"afterwards").expect("written");
    dist.inspect(&tree("testing"), &expected, now()).expect("all is well");
}

#[test]
fn what_is_none_of_ours_is_no_copy_of_ours_afterwards_and_a_foreign_directory_is_found() {
    let (site, mut dist, _) = with_two_packages();
    let testing = site.dir.path().join("sw/testing/d");
    let foreign = ["evil.repo", "repodata/evil.xml", "repodata/0123456789012345678901234567890123456789-x.xml"];
    for name in foreign {
        disk::put(&Kernel::default(), &testing.join(name), b"evil", Access::Everybody).expect("written");
        chmod(&testing.join(name), 0o666);
    }
    let known = publication::sha256(&std::fs::read(testing.join("repodata/repomd.xml")).expect("read"));
    let expected = Expected { planned: true, repomd: Some(known), ..Expected::default() };
    dist.inspect(&tree("testing"), &expected, now()).expect("it is named in the log");
    for name in foreign {
        assert_eq!(std::fs::metadata(testing.join(name)).expect("there").mode() & 0o777, 0o666, "{name}");
    }
    Kernel::default().make_dir(&testing.join("rd2")).expect("made");
    chmod(&testing.join("rd2"), 0o777);
    let why = dist.inspect(&tree("testing"), &expected, now()).expect_err("others can write there");
    assert!(why.to_string().contains("rd2 can be changed by others"), "{why}");
}

#[test]
fn a_tree_that_holds_what_a_newer_logbook_has_accepted_does_not_become_smaller() {
    let (site, mut dist, _) = with_two_packages();
    let testing = site.dir.path().join("sw/testing/d");
    let published = dist.publish(&tree("testing"), 0, now()).expect("published");
    let expected = Expected { repomd: Some(published.repomd), revision: published.revision, ..Expected::default() };
    // The state is from yesterday, and somebody has followed the advice to remove the metadata.
    let later = testing.join("Packages/l/later-1-1.noarch.rpm");
    Site::write(&later, &package("later", "1", Some(&keys().1)));
    Kernel::default().remove(&testing.join("repodata/repomd.xml")).expect("removed");
    let why = dist.inspect(&tree("testing"), &expected, now()).expect_err("it is held");
    assert!(matches!(why, DistError::Strange(_)) && why.to_string().contains("holds 1 RPM file"), "{why}");
    assert!(dist.publish(&tree("testing"), 0, now()).is_err());
    assert!(!testing.join("repodata/repomd.xml").exists(), "nothing is published");
    Kernel::default().remove(&later).expect("moved away");
    dist.inspect(&tree("testing"), &expected, now()).expect("made again").expect("published");
    assert_eq!(client_sees(&testing).map(|all| all.len()), Some(1));
}

#[test]
fn a_file_that_is_mostly_holes_is_not_copied() {
    let site = Site::new();
    let mut settings = site.settings();
    settings.gate.limits.max_package = 1 << 40;
    let mut dist = Site::open_as(settings, Arc::new(Kernel::default()), vec![]).expect("opened");
    site.drop_file("big.rpm", &package("big", "1", Some(&keys().1)));
    let big = std::fs::OpenOptions::new().write(true).open(site.incoming().join("big.rpm")).expect("opened");
    big.set_len(1 << 36).expect("holes take no room");
    let began = Instant::now();
    let (accepted, refused) = site.settle(&mut dist);
    assert_eq!((accepted, refused), (vec![], vec!["big.rpm truncated".to_owned()]));
    assert!(began.elapsed() < Duration::from_mins(1), "64 GiB were read");
}

#[test]
fn a_link_in_the_upload_tree_leads_nowhere() {
    for link in ["repodata", "Packages", "Packages/c"] {
        let site = Site::new();
        let disk = Arc::new(Kernel::below(vec![site.dir.path().join("sw")]));
        let mut dist = site.open(disk, vec![]).expect("opened");
        let testing = site.dir.path().join("sw/testing/d");
        dist.publish(&tree("testing"), 0, now()).expect("published");
        let before = client_sees(&testing);
        let link = site.untested().join(link);
        Kernel::default().make_dir(link.parent().expect("a parent")).expect("made");
        std::os::unix::fs::symlink(testing.join("repodata"), &link).expect("linked");
        site.drop_file("c.rpm", &package("c", "1", Some(&keys().1)));
        for seconds in [0, 3, 6] {
            let _ = dist.look(now(), site.clock + Duration::from_secs(seconds));
        }
        let _ = dist.publish(&tree("untested"), 0, now());
        assert_eq!(client_sees(&testing), before, "{}", link.display());
        let names = std::fs::read_dir(testing.join("repodata")).expect("listed").map(|e| e.expect("entry").file_name());
        let foreign = names.filter(|name| name.to_string_lossy().ends_with(".rpm")).count();
        assert_eq!(foreign, 0, "{}", link.display());
    }
}

#[test]
fn a_pipe_where_the_yum_file_should_be_waits_for_nobody() {
    let site = Site::new();
    site.fresh().publish(&tree("testing"), 0, now()).expect("published");
    let dir = site.dir.path().join("sw/testing/d");
    for entry in std::fs::read_dir(&dir).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|x| x == "repo") {
            Kernel::default().remove(&path).expect("removed");
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("made");
            site.fresh().publish(&tree("testing"), 0, now()).expect("published");
            assert!(std::fs::symlink_metadata(&path).expect("there").is_file());
            return;
        }
    }
    panic!("there is no yum file");
}

#[test]
fn an_inspection_publishes_what_is_missing_or_in_another_form() {
    let site = Site::new();
    let mut dist = site.fresh();
    site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
    site.settle(&mut dist);
    let untested = tree("untested");
    let first = dist.publish(&untested, 0, now()).expect("published");
    let same = dist.inspect(&untested, &settled(&first), now()).expect("all is well");
    assert_eq!(same.map(|p| p.repomd), Some(first.repomd));
    // Somebody has removed it.
    for entry in std::fs::read_dir(site.untested().join("repodata")).expect("listed") {
        Kernel::default().remove(&entry.expect("an entry").path()).expect("removed");
    }
    let second = dist.inspect(&untested, &settled(&first), now()).expect("made again").expect("published");
    assert!(second.revision > first.revision);
    assert_eq!(client_sees(&site.untested()).map(|seen| seen.len()), Some(1));
    // The key beside the signature is gone, or another.
    for other in [None, Some("another key")] {
        let key = site.untested().join("repodata/repomd.xml.key");
        match other {
            None => Kernel::default().remove(&key).expect("removed"),
            Some(text) => disk::put(&Kernel::default(), &key, text.as_bytes(), Access::Everybody).expect("written"),
        }
        let same = dist.inspect(&untested, &settled(&second), now()).expect("put back");
        assert!(same.is_none_or(|same| same.revision == second.revision), "nothing else has changed");
        assert_eq!(client_sees(&site.untested()).map(|seen| seen.len()), Some(1));
    }
    // The settings have changed.
    let mut settings = site.settings();
    settings.form.compression = Compression::Zst;
    settings.signer = None;
    dist.reload(settings);
    let third = dist.inspect(&untested, &settled(&second), now()).expect("written anew").expect("published");
    let names: Vec<String> = std::fs::read_dir(site.untested().join("repodata"))
        .expect("listed")
        .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !third.superseded.contains(name))
        .collect();
    assert_eq!(names.iter().filter(|name| name.ends_with(".xml.zst")).count(), 3, "{names:?}");
    assert!(!names.iter().any(|name| ["repomd.xml.asc", "repomd.xml.key"].contains(&&**name)), "{names:?}");
}

#[test]
fn an_inspection_names_packages_that_are_gone_until_they_are_put_back() {
    let site = Site::new();
    let mut dist = site.fresh();
    let bytes = package("a", "1", Some(&keys().1));
    site.drop_file("a.rpm", &bytes);
    site.settle(&mut dist);
    let moved = dist.promote(&plan(&dist, "a-1-1.noarch", Some("testing"), "untested"), &BTreeMap::new(), now());
    let moved: BTreeMap<TreeName, Published> = moved.expect("moved").into_iter().collect();
    let testing = tree("testing");
    let expected = settled(&moved[&testing]);
    dist.inspect(&testing, &expected, now()).expect("all is well");
    let file = site.dir.path().join("sw/testing/d/Packages/a/a-1-1.noarch.rpm");
    for kept in ["sw/untested/d/Packages/a/a-1-1.noarch.rpm", "sw/testing/d/Packages/a/a-1-1.noarch.rpm"] {
        Kernel::default().remove(&site.dir.path().join(kept)).expect("removed");
    }
    let why = disagreement(dist.inspect(&testing, &expected, now()));
    assert!(why.contains("a-1-1.noarch") && why.contains("upload the accepted files"), "{why}");
    // It does not make a start fail.
    let item = Listed {
        nevra: "a-1-1.noarch".parse().expect("a nevra"),
        sha256: dist.identity(&"a-1-1.noarch".parse().expect("a nevra")).expect("known"),
        trees: vec![testing.clone()],
    };
    drop(dist);
    Kernel::default().remove(&site.settings().index).expect("removed");
    let mut dist = site.open(Arc::new(Kernel::default()), vec![item]).expect("opened");
    disagreement(dist.inspect(&testing, &expected, now()));
    assert!(dist.publish(&testing, 0, now()).is_err());
    site.drop_file("again.rpm", &bytes);
    site.settle(&mut dist);
    assert!(file.is_file(), "put back");
    dist.inspect(&testing, &expected, now()).expect("all is well again");
}

#[test]
fn metadata_that_the_logbook_does_not_know_is_not_overwritten() {
    let site = Site::new();
    let mut dist = site.fresh();
    site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
    site.settle(&mut dist);
    let testing = tree("testing");
    let empty = dist.publish(&testing, 0, now()).expect("published");
    dist.promote(&plan(&dist, "a-1-1.noarch", Some("testing"), "untested"), &BTreeMap::new(), now()).expect("moved");
    drop(dist);
    // The state is an old copy, or a new one over old trees.
    let mut dist = site.fresh();
    let why = disagreement(dist.inspect(&testing, &settled(&empty), now()));
    assert!(why.contains("old copy"), "{why}");
    let why = disagreement(dist.inspect(&testing, &Expected::default(), now()));
    assert!(why.contains("unknown to this logbook"), "{why}");
    // Pending work proves nothing; but what it brings there may be shown already.
    for expected in [Expected::default(), settled(&empty)] {
        let dirty = Expected { planned: true, dirty: true, ..expected };
        disagreement(dist.inspect(&testing, &dirty, now()));
        let of_another = Expected { moving: BTreeSet::from(["b-1-1.noarch".parse().expect("a nevra")]), ..dirty };
        disagreement(dist.inspect(&testing, &of_another, now()));
        let own = BTreeSet::from(["a-1-1.noarch".parse().expect("a nevra")]);
        let under_way = Expected { moving: own, ..of_another };
        assert_eq!(dist.inspect(&testing, &under_way, now()).expect("no complaint"), None);
    }
}

/// Every file in a directory, with its bytes.
fn all_below(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut todo) = (BTreeMap::new(), vec![dir.to_owned()]);
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let bytes = std::fs::read(&path).expect("read");
                found.insert(path, bytes);
            }
        }
    }
    found
}

#[test]
fn whatever_is_done_to_a_tree_of_somebody_else_nothing_is_written_there() {
    let theirs = Site::new();
    let mut dist = theirs.fresh();
    for name in ["a", "b"] {
        theirs.drop_file(&format!("{name}.rpm"), &package(name, "1", Some(&keys().1)));
    }
    theirs.settle(&mut dist);
    for nevra in ["a-1-1.noarch", "b-1-1.noarch"] {
        dist.promote(&plan(&dist, nevra, Some("testing"), "untested"), &BTreeMap::new(), now()).expect("moved");
    }
    let from = theirs.dir.path().join("sw/testing/d");
    let bare = |file: &Path| file.extension().is_some_and(|x| x == "rpm");
    // A complete repository where nothing of ours was, or where ours was empty; and packages alone.
    for (was_ours, keep) in [(false, None), (true, None), (false, Some(bare))] {
        let site = Site::new();
        let mut dist = site.fresh();
        let testing = tree("testing");
        let published = was_ours.then(|| {
            let later = Timestamp::from_second(1_795_009_000).expect("a time");
            dist.publish(&testing, 0, later).expect("published")
        });
        let to = site.dir.path().join("sw/testing/d");
        let mut gone = 0;
        let mut away = |dir: &Path| {
            gone += 1;
            Kernel::default().rename(dir, &site.dir.path().join(format!("away{gone}"))).expect("moved away");
        };
        away(&to);
        for (path, bytes) in all_below(&from) {
            if keep.is_none_or(|keep| keep(&path)) {
                let path = to.join(path.strip_prefix(&from).expect("below"));
                Kernel::default().make_dir(path.parent().expect("a parent")).expect("made");
                disk::put(&Kernel::default(), &path, &bytes, Access::Everybody).expect("written");
            }
        }
        let before = all_below(&to);
        site.drop_file("c.rpm", &package("c", "1", Some(&keys().1)));
        site.settle(&mut dist);
        let coming = plan(&dist, "c-1-1.noarch", Some("testing"), "untested");
        let moving = BTreeSet::from([coming.moves[0].items[0].nevra.clone()]);
        let expected = Expected { planned: true, dirty: true, moving, ..Expected::default() };
        let expected = published.as_ref().map_or(expected.clone(), |published| Expected {
            repomd: Some(published.repomd),
            revision: published.revision,
            ..expected
        });
        let why = disagreement(dist.inspect(&testing, &expected, now()));
        assert!(why.contains("2 packages") || why.contains("2 RPM files"), "{why}");
        assert!(why.contains("Packages/a/a-1-1.noarch.rpm"), "{why}");
        if keep.is_none() {
            // Even if nobody has inspected it.
            assert!(matches!(dist.promote(&coming, &BTreeMap::new(), now()), Err(DistError::Strange(_))));
            assert!(matches!(dist.publish(&testing, 0, now()), Err(DistError::Strange(_))));
        }
        assert!(all_below(&to) == before, "{was_ours}: something was written");
        // As the message says: the metadata may go, or the files.
        away(&to.join(if keep.is_none() { "repodata" } else { "Packages" }));
        if keep.is_none() {
            let why = disagreement(dist.inspect(&testing, &expected, now()));
            assert!(why.contains("2 RPM files"), "{why}");
            away(&to.join("Packages"));
        }
        dist.inspect(&testing, &expected, now()).expect("all is well");
        dist.promote(&coming, &BTreeMap::new(), now()).expect("moved");
        assert_eq!(client_sees(&to), Some(vec!["Packages/c/c-1-1.noarch.rpm".to_owned()]));
    }
}

#[test]
fn a_publication_that_the_logbook_has_not_heard_of_yet_is_our_own() {
    let site = Site::new();
    let mut dist = site.fresh();
    let testing = tree("testing");
    let first = dist.publish(&testing, 0, now()).expect("published");
    let mut settings = site.settings();
    settings.form.compression = Compression::Zst;
    dist.reload(settings.clone());
    let second = dist.inspect(&testing, &settled(&first), now()).expect("published").expect("anew");
    assert!(second.revision > first.revision);
    drop(dist);
    // A kill came before the logbook had recorded it, and the settings were changed back before the next start.
    let mut again = site.fresh();
    again.inspect(&testing, &settled(&first), now()).expect("no complaint").expect("written anew");
    drop(again);
    let mut dist = Site::open_as(settings, Arc::new(Kernel::default()), vec![]).expect("opened");
    dist.inspect(&testing, &settled(&first), now()).expect("no complaint").expect("written anew");
    let third = dist.inspect(&testing, &settled(&first), now()).expect("no complaint").expect("shown");
    assert!(third.revision > second.revision);
}

#[test]
fn nothing_is_published_over_a_package_that_is_gone_or_a_tree_that_is_gone() {
    let site = Site::new();
    let mut dist = site.fresh();
    for name in ["a", "b"] {
        site.drop_file(&format!("{name}.rpm"), &package(name, "1", Some(&keys().1)));
    }
    site.settle(&mut dist);
    let (a, b) = ("a-1-1.noarch", "b-1-1.noarch");
    dist.promote(&plan(&dist, a, Some("testing"), "untested"), &BTreeMap::new(), now()).expect("moved");
    let testing = site.dir.path().join("sw/testing/d");
    let before = client_sees(&testing);
    // The file system that was mounted there is gone.
    let aside = site.dir.path().join("aside");
    Kernel::default().rename(&testing, &aside).expect("unmounted");
    let plan = plan(&dist, b, Some("testing"), "untested");
    assert!(matches!(
        dist.promote(&plan, &BTreeMap::new(), now()),
        Err(DistError::Disagrees(_) | DistError::Missing { .. })
    ));
    assert!(!testing.exists(), "it is not begun anew");
    Kernel::default().make_dir(&testing).expect("an empty mount point");
    assert!(matches!(
        dist.promote(&plan, &BTreeMap::new(), now()),
        Err(DistError::Disagrees(_) | DistError::Missing { .. })
    ));
    std::fs::remove_dir(&testing).expect("empty still");
    Kernel::default().rename(&aside, &testing).expect("mounted again");
    assert_eq!(client_sees(&testing), before);
    dist.promote(&plan, &BTreeMap::new(), now()).expect("moved");
    // One file is gone when the next one comes.
    Kernel::default().remove(&testing.join("Packages/a/a-1-1.noarch.rpm")).expect("removed");
    assert!(matches!(
        dist.publish(&tree("testing"), 0, now()),
        Ok(_) | Err(DistError::Disagrees(_) | DistError::Missing { .. })
    ));
    let mut left = dist.inventory.listing(&tree("testing"));
    left.remove(&b.parse().expect("a nevra"));
    dist.inventory.show(&tree("testing"), left);
    assert!(matches!(
        dist.publish(&tree("testing"), 0, now()),
        Err(DistError::Disagrees(_) | DistError::Missing { .. })
    ));
}

#[test]
fn an_index_that_errs_about_a_size_is_put_right_by_the_file() {
    let site = Site::new();
    let mut dist = site.fresh();
    site.drop_file("a.rpm", &package("a", "1", Some(&keys().1)));
    site.settle(&mut dist);
    let published = dist.publish(&tree("untested"), 0, now()).expect("published");
    let sha256 = dist.identity(&"a-1-1.noarch".parse().expect("a nevra")).expect("known");
    let right = dist.index.facts(&Entry::of(sha256)).expect("known");
    drop(dist);
    let db = rusqlite::Connection::open(site.settings().index).expect("opened");
    db.execute("UPDATE chunk SET size = size + 4096", []).expect("changed");
    drop(db);
    let listed = Listed { nevra: "a-1-1.noarch".parse().expect("a nevra"), sha256, trees: vec![tree("untested")] };
    let mut dist = site.open(Arc::new(Kernel::default()), vec![listed]).expect("opened");
    assert_ne!(dist.index.facts(&Entry::of(sha256)), Some(right));
    dist.inspect(&tree("untested"), &settled(&published), now()).expect("all is well");
    assert_eq!(dist.index.facts(&Entry::of(sha256)), Some(right));
}
