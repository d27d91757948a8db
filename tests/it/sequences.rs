//! A long history gives the same bytes as none.
//!
//! A directory of packages lives through random steps: add, remove, replace, move; now and then somebody
//! looks at it and publishes, sometimes after a restart, sometimes after a state file was lost. In the end, what
//! clients get is compared with what comes out of the same directory and an empty state, byte for byte, and
//! for some of the histories with what createrepo_c says after every step.
//!
//! `ROLLOUTD_SEQUENCES` says how many histories there are. Nothing is synced, since no power is cut here.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof};
use proptest::test_runner::{TestCaseError, TestRunner};
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::format::compress::Compression;
use rolloutd::format::sample::{Recipe, build};
use rolloutd::store::blocks::{Form, Members};
use rolloutd::store::disk::{Access, Disk, DiskError, Fresh, Kernel};
use rolloutd::store::folder::{Folder, FolderError, Links, Terms};
use rolloutd::store::lock::LockError;
use tempfile::TempDir;

use crate::campaign;
use crate::index::check_against_createrepo_c;
use crate::peers;

/// How many histories createrepo_c is shown.
const SHOWN: u32 = 50;

/// Names under which packages come; each has several contents.
const NAMES: usize = 10;
/// Contents of a name.
const CONTENTS: usize = 3;

/// The kernel, without waiting for the disk.
#[derive(Debug, Default)]
struct Hasty(Kernel);

impl Disk for Hasty {
    fn fresh(&self, dir: &Path, access: Access) -> Result<Fresh, DiskError> {
        self.0.fresh(dir, access)
    }
    fn write(&self, file: &mut Fresh, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.write(file, bytes)
    }
    fn write_at(&self, file: &fs::File, path: &Path, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.0.write_at(file, path, offset, bytes)
    }
    fn sync(&self, _: &Fresh) -> Result<(), DiskError> {
        Ok(())
    }
    fn name(&self, file: Fresh, to: &Path) -> Result<fs::File, DiskError> {
        self.0.name(file, to)
    }
    fn name_new(&self, file: &mut Fresh, to: &Path) -> Result<(), DiskError> {
        self.0.name_new(file, to)
    }
    fn link_open(&self, file: &fs::File, to: &Path) -> Result<(), DiskError> {
        self.0.link_open(file, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.0.remove(path)
    }
    fn make_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.0.make_dir(dir)
    }
    fn sync_dir(&self, _: &Path) -> Result<(), DiskError> {
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A content comes under a name, or replaces what is there.
    Put(usize, usize),
    /// The same, into the very file that is there.
    Overwrite(usize, usize),
    Remove(usize),
    /// One name becomes another, in another directory.
    Move(usize, usize),
    Publish,
    /// Publishes after a restart.
    Restart,
    /// The n-th file of the state is lost before the next restart.
    Lose(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..NAMES, 0..CONTENTS).prop_map(|(name, content)| Step::Put(name, content)),
        1 => (0..NAMES, 0..CONTENTS).prop_map(|(name, content)| Step::Overwrite(name, content)),
        3 => (0..NAMES).prop_map(Step::Remove),
        2 => (0..NAMES, 0..NAMES).prop_map(|(from, to)| Step::Move(from, to)),
        3 => Just(Step::Publish),
        2 => Just(Step::Restart),
        1 => (0_usize..3).prop_map(Step::Lose),
    ]
}

/// Packages from small to larger than a block, so that every kind of cut is met.
fn contents() -> &'static [Vec<u8>] {
    static ALL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    ALL.get_or_init(|| (0..NAMES * CONTENTS).map(content).collect())
}

fn content(number: usize) -> Vec<u8> {
    let files = [1, 3, 40, 700, 6, 1800, 90, 2, 400, 12][number % 10] * (1 + number / 10);
    let mut state = number as u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:06x}", state >> 40)
    };
    let recipe = Recipe {
        name: format!("tool-{}", number % NAMES),
        version: format!("{}", number / NAMES),
        release: "1".to_owned(),
        arch: "noarch".to_owned(),
        summary: format!("a & b <{}>", word()),
        files: (0..files).map(|_| (format!("/usr/share/doc/{}/{}", word(), word()), Vec::new())).collect(),
        changelog: (0..number % 4)
            .map(|_| (Timestamp::UNIX_EPOCH, "A Person <a@example.org> - 1-1".to_owned(), word()))
            .collect(),
        ..Recipe::default()
    };
    build(&recipe, None, Timestamp::UNIX_EPOCH).unwrap()
}

fn location(name: usize) -> String {
    format!("{}/tool-{name}.rpm", ["a", "b", "c/d"][name % 3])
}

fn form(zst: bool) -> Form {
    let compression = if zst { Compression::Zst } else { Compression::Gz };
    Form { compression, members: Members::Blocks, checksum: ChecksumKind::Sha256 }
}

/// A time at which no file is so new that it would be read once more to be sure.
fn now() -> Timestamp {
    Timestamp::from_second(4_000_000_000).unwrap()
}

/// A directory with its state.
struct Room {
    place: TempDir,
    disk: Hasty,
    form: Form,
    folder: Option<Folder>,
    /// Modification time of the next file, so that no two have the same times.
    tick: u64,
}

impl Room {
    fn new(form: Form) -> Self {
        let memory = Path::new("/dev/shm");
        let place =
            TempDir::with_prefix_in("rolloutd-sequences-", if memory.is_dir() { memory } else { Path::new("/tmp") });
        let place = place.unwrap();
        for dir in ["packages/a", "packages/b", "packages/c/d"] {
            fs::create_dir_all(place.path().join(dir)).unwrap();
        }
        Self { place, disk: Hasty::default(), form, folder: None, tick: 0 }
    }

    fn packages(&self) -> PathBuf {
        self.place.path().join("packages")
    }

    fn file(&self, name: usize) -> PathBuf {
        self.packages().join(location(name))
    }

    fn open(&self, dir: &Path, state: &str) -> Folder {
        let terms = Terms { checksum: self.form.checksum, gate: None, name: "any".to_owned() };
        loop {
            match Folder::open(&self.disk, dir, &self.place.path().join(state), terms.clone(), Links::Left, "a test") {
                // A program that another test has just started holds our files until it is another program.
                Err(FolderError::Lock(LockError::Held { .. })) => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    fn publish(&mut self) {
        let mut folder = self.folder.take().unwrap_or_else(|| self.open(&self.packages(), "state"));
        folder.look(&self.disk, now(), |_, _| {}).unwrap();
        folder.publish(&self.disk, self.form, None, now()).unwrap();
        self.folder = Some(folder);
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) {
        fs::write(path, bytes).unwrap();
        self.tick += 1;
        let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 + self.tick);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    fn go(&mut self, step: &Step) {
        match *step {
            Step::Put(name, content) => {
                let beside = self.packages().join(".new");
                self.write(&beside, &contents()[name + NAMES * content]);
                fs::rename(beside, self.file(name)).unwrap();
            }
            Step::Overwrite(name, content) => {
                let path = self.file(name);
                if path.exists() {
                    self.write(&path, &contents()[name + NAMES * content]);
                }
            }
            Step::Remove(name) => drop(fs::remove_file(self.file(name))),
            Step::Move(from, to) => drop(fs::rename(self.file(from), self.file(to))),
            Step::Publish => self.publish(),
            Step::Restart => {
                self.folder = None;
                self.publish();
            }
            Step::Lose(which) => {
                self.folder = None;
                let name = ["files.sqlite", "packages.xml", "blocks"][which];
                let _ = fs::remove_file(self.place.path().join("state").join(name));
            }
        }
    }

    /// The same packages, seen for the first time.
    fn files_from_nothing(&self) -> BTreeMap<String, Vec<u8>> {
        let fresh = Self::new(self.form);
        for name in 0..NAMES {
            if let Ok(meta) = fs::metadata(self.file(name)) {
                fs::copy(self.file(name), fresh.file(name)).unwrap();
                let time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(meta.mtime().unsigned_abs());
                fs::File::options().write(true).open(fresh.file(name)).unwrap().set_modified(time).unwrap();
            }
        }
        let mut fresh = fresh;
        fresh.publish();
        fresh.files()
    }

    /// What clients get: the files that `repomd.xml` names, with their bytes.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let repomd = fs::read(self.packages().join("repodata/repomd.xml")).unwrap();
        let repomd = rolloutd::format::repomd::Repomd::read(&repomd).unwrap();
        let read = |location: String| (location.clone(), fs::read(self.packages().join(location)).unwrap());
        repomd.data.into_iter().map(|data| read(data.location)).collect()
    }
}

/// How many histories are asked for.
fn histories(by_default: u32) -> u32 {
    let asked = campaign::number("ROLLOUTD_SEQUENCES");
    asked.map_or(by_default, |number| u32::try_from(number).expect("fewer histories"))
}

fn check(cases: u32, history: impl Fn(bool, &[Step]) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let steps = (proptest::bool::ANY, proptest::collection::vec(step(), 1..30));
    TestRunner::new(config).run(&steps, |(zst, steps)| history(zst, &steps)).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn any_history_gives_the_bytes_that_no_history_gives() {
    check(histories(24), |zst, steps| {
        let mut room = Room::new(form(zst));
        for step in steps {
            room.go(step);
        }
        room.publish();
        let (found, expected) = (room.files(), room.files_from_nothing());
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        proptest::prop_assert_eq!(names(&found), names(&expected));
        proptest::prop_assert!(found == expected);
        Ok(())
    });
}

#[test]
fn createrepo_c_says_the_same_after_any_step() {
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    check(histories(3).min(SHOWN), |_, steps| {
        let mut room = Room::new(form(false));
        for step in steps {
            room.go(step);
            if matches!(step, Step::Publish | Step::Restart) {
                check_against_createrepo_c(&room.packages());
            }
        }
        room.publish();
        check_against_createrepo_c(&room.packages());
        Ok(())
    });
}
