//! A long history, and inputs that go on with it.
//!
//! Ten rollouts each are a bundle, which early adopters have rolled out before it went to production.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rolloutd::domain::backlog::Backlog;
use rolloutd::domain::calendar::site::Calendar;
use rolloutd::domain::checksum::Sha256;
use rolloutd::domain::names::{BundleId, DistPath, Role, RolloutId, TreeId, TreeName};
use rolloutd::domain::naming::team::TeamName;
use rolloutd::domain::nevra::Nevra;
use rolloutd::domain::people::PersonId;
use rolloutd::domain::plan::{Item, Move, Plan};
use rolloutd::domain::report::Outcome;
use rolloutd::domain::rollout::Part;
use rolloutd::domain::task::TaskKind;
use rolloutd::process::agenda::Work;
use rolloutd::process::fact::bundle::{BundleAnnounced, BundleClosed, BundleJoined, BundleOpened};
use rolloutd::process::fact::package::Accepted;
use rolloutd::process::fact::rollout::{Awaits, Done, Moved, Submitted};
use rolloutd::process::fact::task::{TaskBegun, TaskCreated, TaskDone};
use rolloutd::process::fact::team::TeamRegistered;
use rolloutd::process::fact::tree::Published;
use rolloutd::process::fact::{self, Fact};
use rolloutd::process::input::{Ask, Found, Hint, Input, WorkEnd};
use rolloutd::process::procedure;
use rolloutd::process::rules::{DistRules, Rules, Standing, Trust};
use rolloutd::process::who::{Caller, Channel};
use rolloutd::store::logbook::{Draft, Logbook as _, SqliteLogbook};

/// A procedure in which nothing has to wait, but for the gates of bundles.
const PROCEDURE: &str = include_str!("bundles.toml");
/// Entries that one rollout makes on its way, or a few more.
const EACH: usize = 10;
/// Rollouts of one bundle, and its tasks.
const BUNDLE: usize = 10;
/// Of so many rollouts the newest have only begun.
const OPEN: usize = 1_000;
/// Of so many a tracker wants something that cannot be done yet.
const WAIT: usize = 500;

const DISTRIBUTIONS: [&str; 4] = ["umd/3/sl5/x86_64", "umd/3/sl6/x86_64", "umd/4/el9/x86_64", "umd/4/el9/aarch64"];
/// Who has done all this.
const PEOPLE: u64 = 50;
/// Early adopters.
const TEAMS: usize = 50;
const TREES: [&str; 4] = ["untested", "testing", "delta", "production"];
const SIGNER: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

fn tree(name: &str) -> TreeName {
    name.parse().expect("a name")
}

fn dist(n: usize) -> DistPath {
    DISTRIBUTIONS[n % DISTRIBUTIONS.len()].parse().expect("a path")
}

/// The n-th package: a hundred versions of each name.
pub(crate) fn package(n: usize) -> Nevra {
    format!("middleware-{:05}-{}.{}-1.el6.x86_64", n / 400, n / 4 % 100 / 10, n / 4 % 10).parse().expect("a nevra")
}

fn id(n: usize) -> RolloutId {
    format!("rt-{n}").parse().expect("an id")
}

fn sum(n: usize) -> Sha256 {
    let mut sum = [0; 32];
    sum[..8].copy_from_slice(&(n as u64).to_be_bytes());
    Sha256(sum)
}

pub(crate) fn rules() -> Rules {
    let trust =
        Trust { certs: BTreeMap::from([(SIGNER.to_owned(), Standing::Good)]), min_signers: 1, ..Trust::default() };
    let of_one = || DistRules {
        workflow: procedure::read(PROCEDURE, Path::new("bundles.toml")).expect("a procedure").workflow,
        calendar: Calendar::default(),
        trees: TREES.map(tree).to_vec(),
        trust: TREES.iter().map(|name| (tree(name), trust.clone())).collect(),
        grace_metadata: Duration::from_hours(24),
        grace_packages: Duration::from_hours(24),
        node_types: std::collections::BTreeSet::new(),
    };
    let tracker =
        Caller::new("rt".parse().expect("an actor"), Channel::Hook("rt".parse().expect("a name")), [Role::TRACKER]);
    Rules {
        distributions: (0..DISTRIBUTIONS.len()).map(|n| (dist(n), of_one())).collect(),
        hooks: [("rt".parse().expect("a name"), tracker)].into(),
        ..Rules::default()
    }
}

pub(crate) fn admin() -> Caller {
    Caller::new("jane".parse().expect("an actor"), Channel::Api, [Role::ADMIN, Role::OU])
}

/// A rollout that went all its way, another one each turn.
pub(crate) fn rollout(entries: usize, turn: usize) -> RolloutId {
    id(turn * 7919 % (entries / EACH - OPEN.min(entries / EACH / 2)))
}

/// One that is still under way.
pub(crate) fn open_rollout(entries: usize, turn: usize) -> RolloutId {
    let rollouts = entries / EACH;
    id(rollouts - 1 - turn % open(rollouts).saturating_sub(waiting(rollouts)))
}

/// A bundle of which all rollouts are under way.
fn open_bundle(entries: usize, turn: usize) -> BundleId {
    let rollouts = entries / EACH;
    let last = (rollouts - 1) / BUNDLE;
    let bundles = open(rollouts).saturating_sub(waiting(rollouts)) / BUNDLE;
    bundle((last - turn % bundles) * BUNDLE)
}

fn open(rollouts: usize) -> usize {
    OPEN.min(rollouts / 2)
}

fn waiting(rollouts: usize) -> usize {
    WAIT.min(open(rollouts) / 2)
}

/// Writes the history of so many entries, or a few more.
pub(crate) fn write(path: &Path, entries: usize) {
    let rollouts = entries / EACH;
    let began = Timestamp::from_second(1_700_000_000).expect("a time");
    let mut book = SqliteLogbook::open(path).expect("a new logbook");
    let mut drafts: Vec<Draft> = Vec::new();
    let mut seq = 0_u64;
    let mut put = |book: &mut SqliteLogbook, fact: Fact, last: bool| {
        seq += 1;
        let at = began + jiff::SignedDuration::from_secs(i64::try_from(seq).expect("few"));
        let about = fact.about().iter().map(ToString::to_string).collect();
        let who = PersonId::new(seq / EACH as u64 % PEOPLE).to_string();
        drafts.push(Draft { at, who, why: String::new(), body: fact::write(&fact), about });
        if drafts.len() == 10_000 || last {
            book.append(book.head(), &drafts).expect("appended");
            drafts.clear();
        }
        seq
    };
    for n in 0..TEAMS {
        put(&mut book, registered(n).into(), false);
    }
    for n in 0..rollouts {
        let is_open = n + open(rollouts) >= rollouts;
        let waits = is_open && n + open(rollouts) < rollouts + waiting(rollouts);
        let (rollout, nevra) = (id(n), if is_open { open_package(n) } else { package(n) });
        if n % BUNDLE == 0 {
            put(&mut book, BundleOpened { bundle: bundle(n), title: String::new() }.into(), false);
        }
        if !waits {
            put(&mut book, accepted(n, &nevra).into(), false);
        }
        let (title, state) = (format!("Staged Rollout of {nevra}"), "InVerification".to_owned());
        let parts = vec![Part { dist: dist(n), packages: vec![nevra.clone()] }];
        put(&mut book, Submitted { rollout: rollout.clone(), title, parts, state }.into(), false);
        put(&mut book, BundleJoined { bundle: bundle(n), rollout: rollout.clone() }.into(), false);
        if waits {
            let findings = vec![("package_missing".to_owned(), format!("{nevra} is not there yet."))];
            let (state, hook, not_before, opens) = ("StageRollOut".into(), "rt".parse().ok(), None, None);
            put(&mut book, Awaits { rollout: rollout.clone(), state, hook, not_before, opens, findings }.into(), false);
        }
        if n % BUNDLE == BUNDLE - 1 {
            let rollouts = (n + 1 - BUNDLE..=n).map(id).collect();
            put(&mut book, BundleAnnounced { bundle: bundle(n), rollouts }.into(), false);
        }
        put(&mut book, task(n).into(), n + 1 == rollouts);
        if is_open {
            continue;
        }
        let plan = put(&mut book, moved(n, ("InVerification", "StageRollOut"), ("untested", "testing")).into(), false);
        put(&mut book, Done { plan, rollout: Some(rollout.clone()) }.into(), false);
        let TaskCreated { task, bundle: of, team, .. } = task(n);
        let outcome = Outcome::Success;
        put(&mut book, TaskBegun { task, bundle: of.clone(), team: team.clone(), outcome }.into(), false);
        put(&mut book, TaskDone { task, bundle: of.clone(), team, outcome }.into(), false);
        let plan = put(&mut book, moved(n, ("StageRollOut", "Production"), ("testing", "production")).into(), false);
        put(&mut book, Done { plan, rollout: Some(rollout) }.into(), false);
        if n % BUNDLE == BUNDLE - 1 {
            for name in ["testing", "production"] {
                put(&mut book, published(n, name).into(), false);
            }
            put(&mut book, BundleClosed { bundle: of }.into(), false);
        }
    }
}

/// The bundle of a rollout.
pub(crate) fn bundle(n: usize) -> BundleId {
    format!("B-{}", n / BUNDLE).parse().expect("an id")
}

/// A package of a rollout that is still under way: no other bundle has it.
fn open_package(n: usize) -> Nevra {
    format!("open-{n:06}-1.0-1.el6.x86_64").parse().expect("a nevra")
}

fn team(n: usize) -> TeamName {
    format!("ea-NGI_X-site-{}", n % TEAMS).parse().expect("a name")
}

fn registered(n: usize) -> TeamRegistered {
    let (products, stacks, node_types) = Default::default();
    TeamRegistered {
        team: team(n),
        ngi: "NGI_X".to_owned(),
        products,
        stacks,
        node_types,
        contacts: std::collections::BTreeSet::new(),
        observer: false,
    }
}

/// One task a rollout: so many teams roll out each bundle.
fn task(n: usize) -> TaskCreated {
    let (kind, quarantine) = (TaskKind::RollOut, 7 * 86_400);
    TaskCreated { task: n as u64 + 1, kind, bundle: bundle(n), team: team(n), quarantine, services: [].into() }
}

fn accepted(n: usize, nevra: &Nevra) -> Accepted {
    Accepted {
        dist: dist(n),
        tree: tree("untested"),
        nevra: nevra.clone(),
        sha256: sum(n),
        size: 1 << 20,
        signers: vec![SIGNER.to_owned()],
        keys: vec![SIGNER.to_owned()],
        notes: vec![],
        source: None,
        upload: nevra.file_name(),
    }
}

fn moved(n: usize, (from, to): (&str, &str), (source, target): (&str, &str)) -> Moved {
    let items = vec![Item { nevra: package(n), sha256: sum(n), leaves: vec![tree(source)], was: None, of: None }];
    let moves = vec![Move { dist: dist(n), target: Some(tree(target)), items }];
    let plan = Some(Plan { owner: id(n).into(), moves });
    Moved { rollout: id(n), from: from.to_owned(), to: to.to_owned(), plan }
}

fn published(n: usize, name: &str) -> Published {
    Published {
        tree: TreeId { dist: dist(n), tree: tree(name) },
        revision: 1_700_000_000 + n as u64,
        packages: n as u64,
        repomd: sum(n),
        superseded: vec![],
        plan: None,
    }
}

/// Makes an input for a turn.
pub(crate) type Make = Box<dyn Fn(usize) -> Input>;

/// Inputs of every kind, each of which writes something down.
pub(crate) fn inputs(entries: usize) -> Vec<(&'static str, Make)> {
    let submit = |packages: usize| -> Make {
        Box::new(move |turn| {
            let new = |n: usize| format!("new-{turn}-{n}-1.0-1.el6.x86_64").parse().expect("a nevra");
            let ask = Ask::Submit {
                rollout: format!("new-{turn}").parse().expect("an id"),
                title: String::new(),
                parts: vec![Part { dist: dist(turn), packages: (0..packages).map(new).collect() }],
            };
            Input::Asked(admin(), ask)
        })
    };
    vec![
        ("submit one package", submit(1)),
        ("submit 5,000 packages", submit(5_000)),
        (
            "move into testing",
            Box::new(move |turn| {
                let (rollout, reason) = (open_rollout(entries, turn), String::new());
                Input::Asked(admin(), Ask::Move { rollout, state: "StageRollOut".to_owned(), reason })
            }),
        ),
        (
            "a bundle moves into testing",
            Box::new(move |turn| {
                let bundle = open_bundle(entries, turn);
                let (state, only, reason) = ("StageRollOut".to_owned(), vec![], String::new());
                Input::Asked(admin(), Ask::MoveBundle { bundle, state, only, reason })
            }),
        ),
        (
            "a task is begun",
            Box::new(move |turn| {
                let task = (entries / EACH - turn % open(entries / EACH)) as u64;
                Input::Asked(admin(), Ask::BeginTask { task, outcome: Outcome::Success, reason: String::new() })
            }),
        ),
        (
            "a tracker's word",
            Box::new(move |turn| {
                Input::Heard(Hint {
                    hook: "rt".parse().expect("a name"),
                    delivery: format!("now-{turn}"),
                    rollout: open_rollout(entries, turn).to_string(),
                    state: "StageRollOut".to_owned(),
                    actor: "jane".to_owned(),
                    at: None,
                })
            }),
        ),
        (
            "an upload was taken in",
            Box::new(move |turn| {
                let nevra = format!("new-{turn}-1.0-1.el6.x86_64").parse().expect("a nevra");
                let end = WorkEnd::done(Found::Looked {
                    took_in: vec![accepted(turn, &nevra)],
                    turned_away: vec![],
                    stuck: vec![],
                    waiting: Backlog::default(),
                    repeated: false,
                });
                Input::WorkEnded(Work::TakeIn(dist(turn)), end)
            }),
        ),
        (
            "a tree was published",
            Box::new(move |turn| {
                let mut shown = published(turn, "testing");
                shown.revision = 3_000_000_000;
                Input::WorkEnded(
                    Work::Publish(dist(turn), vec![tree("testing")]),
                    WorkEnd::done(Found::Published(vec![shown])),
                )
            }),
        ),
    ]
}
