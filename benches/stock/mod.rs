//! Packages for the benches, and a distribution made of them.
//!
//! The packages are made here, once, and kept below `target/bench-repos`:
//!
//! ```text
//! key.asc, key.pub        who signs them
//! pool/<first>/…rpm       as many as were asked for so far; package n is always the same
//! more/…rpm               those that come one by one while something is measured
//! <name>/                 a directory of links to some of the pool, for one contender
//! ```
//!
//! Their metadata has the shape of a distribution's: 2.6 KB of primary, 2.5 KB of filelists and 2.5 KB of
//! other XML for each package on average. Half of them have a handful of files, one in a thousand has
//! thousands. Texts are made of words, so that they compress as texts do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use jiff::Timestamp;
use rolloutd::config::settings::Intake;
use rolloutd::domain::checksum::{ChecksumKind, Sha256};
use rolloutd::domain::listing::{Catalog as _, Inventory};
use rolloutd::domain::names::TreeName;
use rolloutd::domain::nevra::Nevra;
use rolloutd::domain::plan::{Item, Move, Plan};
use rolloutd::format::compress::Compression;
use rolloutd::format::openpgp::Keyring;
use rolloutd::format::sample::{Recipe, build};
use rolloutd::format::signing::{Signer, generate};
use rolloutd::store::blocks::{Form, Members};
use rolloutd::store::disk::Kernel;
use rolloutd::store::distribution::{DistSettings, Distribution};
use rolloutd::store::evidence::Evidence;
use rolloutd::store::examination::{Here, Terms};
use rolloutd::store::intake::{Arrival, Gate, Limits};

/// When everything here was made.
const MADE: i64 = 1_700_000_000;

/// How many packages there are to come one by one.
pub(crate) const MORE: usize = 1000;

/// The place where the benches keep what they made.
pub(crate) fn place() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target")).join("bench-repos")
}

fn at() -> Timestamp {
    Timestamp::from_second(MADE).expect("a time")
}

/// The key that signs all packages: its secret and its public part.
pub(crate) fn key() -> (String, String) {
    let (secret, public) = (place().join("key.asc"), place().join("key.pub"));
    if !secret.exists() {
        fs::create_dir_all(place()).expect("the target directory can be written");
        let made = generate("Bench <bench@example.org>", at()).expect("a key");
        fs::write(&public, &made.public).expect("written");
        fs::write(&secret, &made.secret).expect("written");
    }
    let read = |path: &Path| fs::read_to_string(path).expect("a key that was made here");
    (read(&secret), read(&public))
}

fn signer() -> Signer {
    Signer::read(key().0.as_bytes(), at() + Duration::from_hours(1)).expect("our key")
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xd1b5_4a32_d192_ed03)
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between 0 and 1, never 0.
    #[expect(clippy::cast_precision_loss, reason = "dice")]
    fn part(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Few, most often, and now and then very many: Pareto, with its smallest and largest value.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of files")]
    fn tail(&mut self, least: f64, power: f64, most: f64) -> usize {
        (least * self.part().powf(-power)).min(most) as usize
    }

    /// A word; some are much more frequent than others, as in any language.
    fn word(&mut self) -> String {
        const SYLLABLES: [&str; 24] = [
            "con", "fig", "lib", "ser", "ver", "data", "tool", "net", "gra", "phi", "core", "mod", "ule", "py", "thon",
            "doc", "plug", "in", "meta", "re", "po", "sys", "tem", "util",
        ];
        let number = self.tail(1.0, 1.1, 9000.0);
        let (a, b) = (SYLLABLES[number % 24], SYLLABLES[number / 24 % 24]);
        if number < 24 { a.to_owned() } else { format!("{a}{b}{}", ["", "s", "-ng", "2"][number / 576 % 4]) }
    }

    fn words(&mut self, number: usize) -> String {
        let words: Vec<String> = (0..number).map(|_| self.word()).collect();
        words.join(" ")
    }
}

/// Package number `n`.
fn recipe(n: usize) -> Recipe {
    let mut dice = Dice::new(n as u64);
    let name = format!("{}-{}-{n:06}", dice.word(), dice.word());
    let version = format!("{}.{}.{}", dice.next() % 9, dice.next() % 30, dice.next() % 12);
    let release = format!("{}.el9", dice.next() % 40 + 1);
    let dependency = |dice: &mut Dice| match dice.next() % 4 {
        0 => format!("lib{}.so.{}()(64bit)", dice.word(), dice.next() % 9),
        1 => format!("{}-{} >= {}.{}", dice.word(), dice.word(), dice.next() % 9, dice.next() % 30),
        2 => format!("lib{}.so.{}(VERS_{}.{})(64bit)", dice.word(), dice.next() % 9, dice.next() % 5, dice.next() % 20),
        _ => format!("{}({})", dice.word(), dice.word()),
    };
    let (requires, provides) = (dice.tail(9.5, 0.5, 120.0), dice.tail(1.5, 0.6, 300.0));
    let mut files = BTreeMap::new();
    let mut dir = String::new();
    for number in 0..dice.tail(11.0, 0.76, 6000.0) {
        if number % 7 == 0 {
            let top = ["/usr/share", "/usr/lib64", "/usr/share/doc", "/usr/lib/python3.9/site-packages", "/usr/share"];
            dir = format!("{}/{name}/{}", top[(dice.next() % 5) as usize], dice.word());
        }
        let content = if number < 2 { dice.words(20).into_bytes() } else { Vec::new() };
        let path = match number {
            0 if dice.next().is_multiple_of(3) => format!("/usr/bin/{name}"),
            1 if dice.next().is_multiple_of(4) => format!("/etc/{name}.conf"),
            _ => format!("{dir}/{}_{}.{}", dice.word(), dice.word(), ["py", "h", "so", "html", "mo"][number % 5]),
        };
        files.insert(path, content);
    }
    let changelog = (0..dice.tail(8.0, 0.35, 30.0)).map(|entry| {
        let time = at() - Duration::from_hours(24 * 30 * (entry as u64 + 1));
        let author = format!("{} {} <{}@example.org> - {version}-{entry}", dice.word(), dice.word(), dice.word());
        (time, author, format!("- {}\n- {}", dice.words(15), dice.words(14)))
    });
    let changelog = changelog.collect();
    Recipe {
        version,
        release,
        arch: if dice.next().is_multiple_of(3) { "noarch" } else { "x86_64" }.to_owned(),
        summary: dice.words(40),
        requires: (0..requires).map(|_| dependency(&mut dice)).collect(),
        provides: (0..provides).map(|_| dependency(&mut dice)).collect(),
        files: files.into_iter().collect(),
        changelog,
        build_time: at(),
        name,
        epoch: None,
    }
}

/// The name of a package's file, below its directory `Packages`.
fn file(recipe: &Recipe) -> String {
    let Recipe { name, version, release, arch, .. } = recipe;
    format!("{}/{name}-{version}-{release}.{arch}.rpm", &name[..1])
}

/// Where package number `n` lies below [`place`].
pub(crate) fn pooled(n: usize) -> PathBuf {
    place().join("pool").join(file(&recipe(n)))
}

/// Does `work` for every number below `number`, on all threads.
fn each(number: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    match next.fetch_add(1, Ordering::Relaxed) {
                        n if n < number => work(n),
                        _ => break,
                    }
                }
            });
        }
    });
}

/// Makes the first `number` packages, as far as they are not there, and those that come one by one.
pub(crate) fn make(number: usize) {
    let signer = signer();
    let write = |n: usize, to: &Path| {
        let recipe = recipe(n);
        let path = to.join(file(&recipe));
        if !path.exists() {
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            let package = build(&recipe, Some(&signer), at()).expect("a package");
            let beside = path.with_extension("new");
            fs::write(&beside, package).expect("written");
            fs::rename(&beside, &path).expect("named");
        }
    };
    let begin = Instant::now();
    each(number, |n| write(n, &place().join("pool")));
    each(MORE, |n| write(10_000_000 + n, &place().join("more")));
    if begin.elapsed() > Duration::from_secs(5) {
        eprintln!("{number} packages made in {:.0} s", begin.elapsed().as_secs_f64());
    }
}

/// The n-th package that comes while something is measured.
pub(crate) fn more(n: usize) -> (String, Vec<u8>) {
    let name = file(&recipe(10_000_000 + n % MORE));
    let bytes = fs::read(place().join("more").join(&name)).expect("a package that was made here");
    (name, bytes)
}

/// Gives the first `number` packages names below `to`.
pub(crate) fn link(to: &Path, number: usize) {
    each(number, |n| {
        let name = file(&recipe(n));
        let path = to.join(&name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::hard_link(place().join("pool").join(&name), path).expect("linked");
    });
}

/// How metadata is written in the benches.
fn form(compression: Compression) -> Form {
    Form { compression, members: Members::Blocks, checksum: ChecksumKind::Sha256 }
}

fn tree(name: &str) -> TreeName {
    name.parse().expect("a name")
}

/// A distribution of two trees that list all packages; uploads come into the first.
pub(crate) struct Site {
    dir: PathBuf,
    number: usize,
    compression: Compression,
}

impl Site {
    /// As it lies there.
    pub(crate) fn at(name: &str, number: usize, compression: Compression) -> Self {
        Self { dir: place().join(name), number, compression }
    }

    /// Makes it anew, with its packages and without metadata.
    pub(crate) fn make(&self) {
        let _ = fs::remove_dir_all(&self.dir);
        for tree in ["first", "second"] {
            link(&self.root(tree).join("Packages"), self.number);
        }
    }

    /// The directory of one of its trees.
    pub(crate) fn root(&self, tree: &str) -> PathBuf {
        self.dir.join("sw").join(tree).join("d")
    }

    fn settings(&self) -> DistSettings {
        let (root, state) = (self.dir.join("sw"), self.dir.join("state"));
        let ring = Keyring::read(&[("key".to_owned(), key().1.into_bytes())]).expect("our key");
        let trees = ["first", "second"].map(tree);
        DistSettings {
            path: "d".parse().expect("a path"),
            retired: state.join("retired"),
            index: state.join("d.sqlite"),
            gate: Gate {
                dir: self.dir.join("incoming"),
                home: self.root("first"),
                tree: trees[0].clone(),
                trees: trees.iter().map(|tree| (tree.clone(), self.root(tree.as_str()))).collect(),
                rejected: Arc::new(Evidence::new(state.join("rejected"), Intake::default().rejected)),
                terms: Arc::new(Terms { ring, ..Terms::default() }),
                examiner: Arc::new(Here),
                limits: Limits {
                    max_package: 1 << 30,
                    quiet: Duration::ZERO,
                    incomplete_after: Duration::from_mins(1),
                    list_refused: false,
                },
            },
            trees: trees.to_vec(),
            root,
            form: form(self.compression),
            // createrepo_c signs nothing.
            signer: None,
            unsigned: true,
            base_url: "http://repository.example.org/sw".to_owned(),
            key_urls: Vec::new(),
            key_files: BTreeMap::new(),
            metadata_key: None,
            companions: vec![],
        }
    }

    /// What the logbook would say is listed: the packages of the pool.
    fn listed(&self) -> Inventory {
        let inventory = std::sync::Mutex::new(Inventory::default());
        each(self.number, |n| {
            let path = pooled(n);
            let bytes = fs::read(&path).expect("a package that was made here");
            let mut sum = [0; 32];
            sum.copy_from_slice(digest::digest(&digest::SHA256, &bytes).as_ref());
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
            let nevra: Nevra = name.parse().expect("a package's");
            let mut inventory = inventory.lock().expect("nobody failed");
            for tree in ["first", "second"].map(tree) {
                inventory.take_in(&tree, &nevra, Sha256(sum));
            }
        });
        inventory.into_inner().expect("nobody failed")
    }

    /// Starts what the daemon has of it, and says how long that took.
    pub(crate) fn start(self) -> (Daemon, Duration) {
        fs::create_dir_all(self.dir.join("state")).expect("made");
        let inventory = self.listed();
        let begin = Instant::now();
        let dist = Distribution::restore(self.settings(), Arc::new(Kernel::default()), &inventory);
        let dist = dist.expect("a distribution");
        (Daemon { site: self, dist, inventory, next: 0 }, begin.elapsed())
    }
}

/// The daemon's layers for one distribution.
pub(crate) struct Daemon {
    site: Site,
    dist: Distribution,
    /// What its logbook would have.
    inventory: Inventory,
    /// The package that comes next.
    next: usize,
}

impl Daemon {
    /// Uploads packages that are new, and says what came in and how long the looks took that read them.
    pub(crate) fn upload(&mut self, number: usize) -> (Vec<Item>, Duration) {
        let dir = self.site.root("first").join("incoming");
        fs::create_dir_all(&dir).expect("made");
        for _ in 0..number {
            let (name, bytes) = more(self.next);
            self.next += 1;
            fs::write(dir.join(name.split_once('/').expect("a directory").1), bytes).expect("written");
        }
        let (mut items, mut taken) = (Vec::new(), Duration::ZERO);
        while items.len() < number {
            let begin = Instant::now();
            let look = self.dist.look(&self.inventory, Timestamp::now(), &Instant::now).expect("looked");
            assert!(look.refused.is_empty(), "{:?}", look.refused);
            // The look that only sees them is behind the daemon when they are quiet.
            if !look.accepted.is_empty() {
                taken += begin.elapsed();
            }
            for arrival in &look.accepted {
                self.inventory.take_in(&tree("first"), &arrival.nevra, arrival.sha256);
            }
            let item = |arrival: Arrival| Item {
                nevra: arrival.nevra,
                sha256: arrival.sha256,
                leaves: vec![tree("first")],
                was: None,
                of: None,
            };
            items.extend(look.accepted.into_iter().map(item));
        }
        // The uploads are cleared away when the logbook has heard of them.
        self.dist.look(&self.inventory, Timestamp::now(), &Instant::now).expect("looked");
        (items, taken)
    }

    /// Publishes a tree and says how long it took.
    pub(crate) fn publish(&mut self, name: &str) -> Duration {
        let begin = Instant::now();
        let (tree, inventory) = (tree(name), &self.inventory);
        self.dist.publish(inventory, &tree, &inventory.listing(&tree), 0, Timestamp::now()).expect("published");
        begin.elapsed()
    }

    /// Moves packages out of the first tree, to another or away, publishes all trees that this changes, and
    /// says how long it took.
    pub(crate) fn take_out(&mut self, items: Vec<Item>, target: Option<&str>) -> Duration {
        let one = Move { dist: "d".parse().expect("a path"), target: target.map(tree), items };
        let plan =
            Plan { owner: rolloutd::domain::plan::Owner::Rollout("bench".parse().expect("an id")), moves: vec![one] };
        let begin = Instant::now();
        self.dist.stage_plan(&self.inventory, &plan, &BTreeMap::new(), Timestamp::now()).expect("staged");
        for id in plan.trees() {
            self.dist.show_staged(&id.tree).expect("shown");
            let listing = plan.shown_in(&id, &self.inventory.listing(&id.tree));
            self.inventory.show(&id.tree, listing);
        }
        self.dist.tidy(&self.inventory).expect("tidied");
        begin.elapsed()
    }
}
