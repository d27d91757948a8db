//! The checked settings: no `Option` that means "default".
//!
//! Plain values. `reader` creates them, `check` compares them with the disk, and the floors above only read them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::arch;
use crate::domain::calendar::weekdays::Weekdays;
use crate::domain::calendar::windows::Rule;
use crate::domain::checksum::ChecksumKind;
use crate::domain::incident::IncidentPolicy;
use crate::domain::levels::LevelPolicy;
use crate::domain::names::{Actor, DistPath, HookName, TreeName};
use crate::domain::refusal::Code;
use crate::domain::request::ChangePolicy;
use crate::domain::trust::{Legacy, Policy};
use crate::format::compress::Compression;
use crate::format::repofile::Companion;
use crate::link::watch::Mode;
use crate::process::who::Grant;
use crate::store::blocks::{Form, Members};
use crate::store::evidence::Bounds;

/// The name of the default drop directory beside the root.
pub const INCOMING: &str = "incoming";

/// The default trees of a distribution, in the order of a promotion.
pub const TREES: [&str; 4] = ["untested", "testing", "delta", "production"];

/// Everything an admin has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The configuration file.
    pub source: PathBuf,
    /// Where the trees and our own state are.
    pub site: Site,
    /// How people and trackers reach the daemon.
    pub http: Http,
    /// What is rolled out, in the order of the file; at least one.
    pub distributions: Vec<Distribution>,
    /// The key that signs metadata; `None` means unsigned metadata.
    pub signing: Option<Signing>,
    /// Whether metadata is published unsigned even if it was signed: `off` in `[signing]`.
    pub unsigned: bool,
    /// Trackers that may send hints.
    pub webhooks: Vec<Webhook>,
    /// Receivers of notices about rollouts.
    pub outgoing: Vec<Outgoing>,
    /// People and programs that may use the API.
    pub tokens: Vec<Token>,
    /// Who is identified by a web server in front of the daemon.
    pub sso: Option<Sso>,
    /// How new files are noticed.
    pub watch: Watch,
    /// How new files are taken in.
    pub intake: Intake,
    /// When people work and packages may move.
    pub calendar: Calendar,
    /// How changes are handled.
    pub changes: ChangePolicy,
    /// How incidents are handled.
    pub incidents: IncidentPolicy,
    /// The service levels that were agreed.
    pub levels: LevelPolicy,
}

/// `[calendar]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The name of the time zone by whose clocks all of it is meant, such as `Europe/Zurich`.
    pub timezone: String,
    /// The days of the week that are worked.
    pub working_days: Weekdays,
    /// Files with days off. Absolute.
    pub holidays: Vec<PathBuf>,
    /// The same of countries that have other ones, by their NGI.
    pub ngis: BTreeMap<String, Vec<PathBuf>>,
    /// When packages may move; the first that applies decides.
    pub windows: Vec<Rule>,
}

impl Default for Calendar {
    fn default() -> Self {
        let timezone = "UTC".to_owned();
        let working_days = Weekdays::WORKING;
        Self { timezone, working_days, holidays: Vec::new(), ngis: BTreeMap::new(), windows: Vec::new() }
    }
}

/// `[site]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// For pages and mails.
    pub name: String,
    /// `<root>/<tree>/<distribution path>/` is what the web server serves. Absolute.
    pub root: PathBuf,
    /// Logbook, index, rejected and retired files; never under `root`. Absolute.
    pub state: PathBuf,
    /// `<incoming>/<distribution path>/` is where people upload; never under `root` or `state`, and not served.
    /// Absolute.
    pub incoming: PathBuf,
    /// The URL of `root`, without a trailing slash.
    pub base_url: String,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Address and port; a socket from the service manager takes precedence.
    pub listen: SocketAddr,
    /// Whether this daemon serves `root` too.
    pub serve_trees: bool,
}

/// `[[distribution]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Path below each tree.
    pub path: DistPath,
    /// `egi`, `glite`, or the absolute path of a procedure file.
    pub procedure: String,
    /// At least two, in the order of a promotion; uploads are taken into the first.
    pub trees: Vec<TreeName>,
    /// For packages and metadata.
    pub checksum: ChecksumKind,
    /// For metadata.
    pub compression: Compression,
    /// `false`: one gzip member or zstd frame per metadata file.
    pub blocks: bool,
    /// How long superseded files are kept.
    pub grace: Grace,
    /// Key files of every tree, `"*"` already expanded.
    pub keys: BTreeMap<TreeName, Vec<PathBuf>>,
    /// Dated exceptions for old keys.
    pub legacy: Vec<Legacy>,
    /// Dated exceptions for packages that were in a tree when it was adopted.
    pub adopted: Vec<Adopted>,
    /// How many signers every tree requires; at least 1.
    pub min_signers: BTreeMap<TreeName, usize>,
    /// Architectures that may come in, if any are named.
    pub arches: Option<Vec<String>>,
    /// Windows of its own, asked before those of the calendar.
    pub windows: Vec<Rule>,
    /// `gpgkey=` of the generated `.repo` file; empty means the keys that the daemon puts beside it.
    pub gpgkey_urls: Vec<String>,
    /// The node types for which it is the repository; for all if there are none.
    pub node_types: BTreeSet<String>,
    /// Repositories of others in the `.repo` files for early adopters.
    pub companions: Vec<Companion>,
}

impl Distribution {
    /// The form of its metadata.
    pub fn form(&self) -> Form {
        let members = if self.blocks { Members::Blocks } else { Members::One };
        Form { compression: self.compression, members, checksum: self.checksum }
    }

    /// Architectures that may come in: those that are named, or those that the path allows. Empty if the path does not
    /// end with an architecture; then it is whatever rpm knows.
    pub fn arches(&self) -> Vec<String> {
        let allowed = || arch::allowed_below(self.path.as_str()).unwrap_or_default();
        self.arches.clone().unwrap_or_else(|| allowed().into_iter().map(str::to_owned).collect())
    }

    /// What `tree` requires of a package's signatures.
    pub fn policy(&self, tree: &TreeName) -> Policy {
        let min_signers = self.min_signers.get(tree).copied().unwrap_or(1);
        Policy { legacy: self.legacy.clone(), min_signers }
    }
}

/// `[[distribution.adopted]]`: packages that the gate would refuse for this reason may stay in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The tree in which they may stay.
    pub tree: TreeName,
    /// The reason.
    pub code: Code,
    /// Before this moment.
    pub until: Timestamp,
}

/// `grace` of a distribution
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// Superseded metadata.
    pub metadata: Duration,
    /// Withdrawn packages.
    pub packages: Duration,
}

/// `[signing]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signing {
    /// A secret OpenPGP key without passphrase. Absolute.
    pub key: PathBuf,
}

/// `[[webhook]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// The last part of `/hooks/<name>`.
    pub name: HookName,
    /// One file with the shared secret, or two while it is being replaced.
    pub secrets: Vec<PathBuf>,
    /// What may be done in its name, and where.
    pub grants: Vec<Grant>,
}

/// `[[outgoing]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its name.
    pub name: HookName,
    /// Where its notices are sent.
    pub url: String,
    /// The file with the signing key.
    pub secret: PathBuf,
    /// The kinds of logbook entries that it is notified of.
    pub events: BTreeSet<String>,
}

/// `[[token]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The actor.
    pub actor: Actor,
    /// What the actor may do, and where; also as a member of a team of early adopters.
    pub grants: Vec<Grant>,
    /// The file that holds the token. Absolute.
    pub file: PathBuf,
}

/// `[sso]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sso {
    /// The file with the secret that the web server sends. Absolute.
    pub secret: PathBuf,
    /// The header that names the person, in lower case.
    pub user: String,
    /// The header that lists their groups, in lower case.
    pub groups: Option<String>,
    /// What the members of a group may do. Members of a group that is called like a team belong to the team.
    pub by_group: BTreeMap<String, Vec<Grant>>,
}

/// `[watch]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Events, polling, or whatever the file system can.
    pub mode: Mode,
    /// How long a file must be unchanged before it is examined.
    pub quiet: Duration,
    /// The time between two scans without events.
    pub poll_every: Duration,
    /// The time between two complete scans, which find what events missed.
    pub scan_every: Duration,
    /// The time within which every listed package is read again and compared with what was accepted.
    pub scrub_within: Duration,
}

/// Beyond this the disk is the limit, and every job holds a file open and a buffer.
const JOBS_DEFAULT_MAX: usize = 8;

/// `[intake]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intake {
    /// Larger files are refused before they are read, in bytes.
    pub max_package: u64,
    /// Packages taken in at the same time; at least 1, by default one for each core.
    pub jobs: usize,
    /// How long a file that is shorter than its headers say, or that does not match its digests, may stay unchanged
    /// before it is refused.
    pub incomplete_after: Duration,
    /// How many refused files are kept for each distribution.
    pub rejected: Bounds,
    /// Whether uploaders find a list of them in the drop directory.
    pub list_refused: bool,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            mode: Mode::Auto,
            quiet: Duration::from_secs(2),
            poll_every: Duration::from_secs(30),
            scan_every: Duration::from_mins(10),
            scrub_within: Duration::from_hours(7 * 24),
        }
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self {
            max_package: 8 << 30,
            // An interrupted transfer is usually resumed within minutes; an hour is generous to people on trains.
            incomplete_after: Duration::from_hours(1),
            // A release takes weeks, and somebody may ask for a broken upload after that.
            rejected: Bounds { keep: Duration::from_hours(90 * 24), files: 10_000, size: 10 << 30 },
            list_refused: true,
            jobs: std::thread::available_parallelism().map_or(2, |cores| cores.get().min(JOBS_DEFAULT_MAX)),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8640)), serve_trees: false }
    }
}

impl Default for Grace {
    fn default() -> Self {
        Self { metadata: Duration::from_hours(24), packages: Duration::from_hours(7 * 24) }
    }
}
