//! What may be written into the logbook, and its form there.
//!
//! A [`Fact`] is what the world folds. On disk it is one line of JSON,
//!
//! ```text
//! {"v":6,"kind":"rollout.moved","kv":1,"fact":{"rollout":"rt-1", ...}}
//! ```
//!
//! `v` is the format of this envelope and `kv` the version of the kind, which rises by one with every change to the
//! kind's form, also by an added field; [`Kind::upcast`] reads older ones. `elapsed` stands before `fact` where the
//! elapsed time was not the wall clock's. Up to format 5 there was one version for all, as in
//! `{"v":5,"steady":...,"fact":{"moved":{...}}}`. Samples of every version lie in `fixtures/logbook/` and are read for
//! ever.
//!
//! A kind more is a type with [`Kind`] in the file of its subject, its fold in `world/` and a line in the table below.
//! (Refused: an enum for each subject inside of an enum of subjects. Whoever asks what a fact is would say the subject
//! twice each time, and what one wants to know of all facts is asked through [`Kind`] anyway.)

/// Facts about the daemon itself.
pub mod daemon;
/// Facts about packages.
pub mod package;
/// Facts about trees.
pub mod tree;
/// Facts about rollouts.
pub mod rollout;
/// Facts about tickets.
pub mod ticket;
/// Facts about notices.
pub mod notice;
/// Facts about people.
pub mod person;
/// Facts about halts.
pub mod halt;
/// Facts about maintenances.
pub mod maintenance;
/// Facts about teams of early adopters.
pub mod team;
/// Facts about assignments of teams to rollouts.
pub mod assignment;
/// Facts about reports.
pub mod report;
/// Facts about issues.
pub mod issue;
/// Facts about what people add to a rollout.
pub mod change;
/// Facts about what a rollout is called beside its title.
pub mod attributes;
/// Facts about bundles.
pub mod bundle;
/// Facts about updates.
pub mod update;
/// Facts about tasks.
pub mod task;
/// Facts about what teams say of their tasks.
pub mod task_report;
/// Facts about changes that people ask for.
pub mod request;
/// Facts about reviews.
pub mod review;
/// Facts about releases.
pub mod release;
/// Facts about incidents and problems.
pub mod incident;

use std::fmt;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::moment::Elapsed;
use crate::domain::names::{BundleId, ChangeId, DistPath, ReleaseId, RolloutId, TreeId};
use crate::domain::naming::team::TeamName;
use crate::domain::nevra::Nevra;
use crate::domain::people::PersonId;

/// The format of the envelope.
pub const ENTRY_FORMAT: u32 = 6;

/// How an entry of this format begins.
const WRITTEN_FIRST: &str = "{\"v\":6,\"kind\":\"";

/// The last format in which all kinds had one version together.
const ONE_VERSION_FOR_ALL: u32 = 5;

/// What each kind of fact says of itself; its sentence for people has no full stop.
pub trait Kind: Serialize + DeserializeOwned + fmt::Display {
    /// Its name on the disk, `subject.what`. It never changes.
    const NAME: &'static str;

    /// The version of its form.
    const VERSION: u32 = 1;

    /// What it is about, so that the history of a thing is found without reading all others.
    fn about(&self) -> Vec<Subject>;

    /// Reads the form of an older version.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    fn upcast(version: u32, _body: &str) -> Result<Self, String> {
        Err(format!("there is no version {version} of {}", Self::NAME))
    }
}

/// A thing that has a history.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The daemon itself.
    Daemon,
    /// A rollout.
    Rollout(RolloutId),
    /// A package of a distribution.
    Package(DistPath, Nevra),
    /// A tree.
    Tree(TreeId),
    /// What people upload into a distribution.
    Uploads(DistPath),
    /// A person.
    Person(PersonId),
    /// All halts and maintenances together.
    Halts,
    /// All incidents and problems together.
    Incidents,
    /// A team of early adopters.
    Team(TeamName),
    /// A bundle.
    Bundle(BundleId),
    /// A change.
    Change(ChangeId),
    /// A release.
    Release(ReleaseId),
}

impl Subject {
    /// The rollout that it is, if it is one.
    pub fn into_rollout(self) -> Option<RolloutId> {
        match self {
            Self::Rollout(id) => Some(id),
            _ => None,
        }
    }

    /// The bundle that it is, if it is one.
    pub fn into_bundle(self) -> Option<BundleId> {
        match self {
            Self::Bundle(id) => Some(id),
            _ => None,
        }
    }

    /// The change that it is, if it is one.
    pub fn into_change(self) -> Option<ChangeId> {
        match self {
            Self::Change(id) => Some(id),
            _ => None,
        }
    }

    /// The team that it is, if it is one.
    pub fn into_team(self) -> Option<TeamName> {
        match self {
            Self::Team(name) => Some(name),
            _ => None,
        }
    }

    /// The rollout that somebody named, if it can be the name of one.
    pub fn rollout(named: &str) -> Option<Self> {
        named.parse().ok().map(Self::Rollout)
    }
}

/// The form in which a logbook keeps it.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon => f.write_str("daemon"),
            Self::Rollout(id) => write!(f, "rollout {id}"),
            Self::Package(dist, nevra) => write!(f, "package {dist} {nevra}"),
            Self::Tree(id) => write!(f, "tree {id}"),
            Self::Uploads(dist) => write!(f, "uploads {dist}"),
            Self::Person(id) => write!(f, "person {id}"),
            Self::Halts => f.write_str("halts"),
            Self::Incidents => f.write_str("incidents"),
            Self::Team(name) => write!(f, "team {name}"),
            Self::Bundle(id) => write!(f, "bundle {id}"),
            Self::Change(id) => write!(f, "change {id}"),
            Self::Release(id) => write!(f, "release {id}"),
        }
    }
}

/// One table of all kinds: the enum, and what is asked of each of them.
macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident($type:ty)$(, $before:literal)?;)*) => {
        /// One thing that happened, as the world folds it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Fact {
            $($(#[$doc])* $name($type),)*
        }

        $(impl From<$type> for Fact {
            fn from(fact: $type) -> Self {
                Self::$name(fact)
            }
        })*

        impl Fact {
            /// The names of all kinds.
            pub const KINDS: &[&str] = &[$(<$type as Kind>::NAME),*];

            /// The name of its kind.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => <$type as Kind>::NAME,)*
                }
            }

            /// What it is about.
            pub fn about(&self) -> Vec<Subject> {
                match self {
                    $(Self::$name(fact) => fact.about(),)*
                }
            }

            /// The version of its kind and its form on the disk.
            fn form(&self) -> (u32, Box<RawValue>) {
                match self {
                    $(Self::$name(fact) => (<$type as Kind>::VERSION, raw(fact)),)*
                }
            }

            /// The fact alone, as it lies on the disk.
            pub fn to_value(&self) -> serde_json::Value {
                let value = match self {
                    $(Self::$name(fact) => serde_json::to_value(fact),)*
                };
                value.expect("strings and numbers always have a JSON form")
            }

            fn read_kind(kind: &str, version: u32, body: &str) -> Result<Self, String> {
                match kind {
                    $(<$type as Kind>::NAME => read_version::<$type>(version, body).map(Self::$name),)*
                    _ => Err(format!("it has the kind `{}`, which this program does not know", kind.escape_default())),
                }
            }

            /// The kind that had this name when there was one version for all.
            fn kind_before(name: &str) -> Option<&'static str> {
                match name {
                    $($($before => Some(<$type as Kind>::NAME),)?)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for Fact {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name(fact) => fact.fmt(f),)*
                }
            }
        }
    };
}

facts! {
    /// The daemon began to run.
    Started(daemon::Started), "started";
    /// A package was accepted and lies in the upload tree.
    Accepted(package::Accepted), "took_in";
    /// A package that lay in a tree was taken under management where it lies.
    Adopted(package::Adopted), "adopted";
    /// A file was refused.
    Refused(package::Refused), "turned_away";
    /// Many files were refused at once for the same reason.
    RefusedTogether(package::RefusedTogether), "turned_away_together";
    /// An accepted package was given up, since its bytes are nowhere any more.
    Lost(package::Lost), "lost";
    /// A package that was withdrawn may come in again.
    Allowed(package::Allowed);
    /// That was taken back before it came.
    Disallowed(package::Disallowed);
    /// A tree shows new metadata.
    Published(tree::Published), "published";
    /// Files whose time had come were removed.
    Retired(tree::Retired), "retired";
    /// A tree is under management no longer.
    Released(tree::Released), "released";
    /// Something else has changed what clients get in a tree.
    Altered(tree::Altered);
    /// A tree is to list again what it listed before.
    Restored(tree::Restored);
    /// A rollout was created.
    Submitted(rollout::Submitted), "submitted";
    /// A step was asked for and not taken.
    Declined(rollout::Declined), "refused";
    /// A tracker wants a state that cannot be reached yet.
    Awaits(rollout::Awaits), "awaits";
    /// A rollout changed its state; with a plan when packages move.
    Moved(rollout::Moved), "moved";
    /// A rollout has been in a state for too long.
    Delayed(rollout::Delayed);
    /// All trees of a plan are ready to be shown.
    Staged(rollout::Staged), "staged";
    /// A plan was carried out.
    Done(rollout::Done), "done";
    /// A webhook was received and is remembered.
    Heard(ticket::Heard), "heard";
    /// Somebody has to be told of an entry.
    NoticeDue(notice::Due), "notice_due";
    /// A notice was taken by its receiver.
    NoticeSent(notice::Sent), "notice_sent";
    /// A notice will not be sent any more.
    NoticeGivenUp(notice::GivenUp), "notice_given_up";
    /// People have to be told something.
    Message(notice::Message);
    /// Somebody has told them.
    Told(notice::Told);
    /// Somebody was erased from the register of people.
    Erased(person::Erased), "erased";
    /// Promotions were halted.
    Halted(halt::Halted);
    /// A halt has ended.
    HaltEnded(halt::HaltEnded);
    /// A team of early adopters was registered.
    TeamRegistered(team::TeamRegistered);
    /// A team has left the registry.
    TeamLeft(team::TeamLeft);
    /// A team was asked to test a rollout.
    Assigned(assignment::Assigned);
    /// A team has answered.
    Answered(assignment::Answered);
    /// A team runs what it tests.
    Installed(assignment::Installed);
    /// A team is no longer asked.
    Unassigned(assignment::Unassigned);
    /// No team has accepted a rollout in time.
    Unanswered(assignment::Unanswered);
    /// A team has reported.
    Reported(report::Reported);
    /// Everybody may read the file of a report, or no longer.
    ReportPublished(report::ReportPublished);
    /// An issue was noted.
    IssueNoted(issue::IssueNoted);
    /// An issue is solved.
    IssueClosed(issue::IssueClosed);
    /// It was decided how urgent an issue is.
    IssueRanked(issue::IssueRanked);
    /// A rollout has other packages or another title.
    Edited(change::Edited);
    /// A rollout was cancelled before anything had moved.
    Cancelled(change::Cancelled);
    /// Another rollout has taken the place of one.
    Superseded(change::Superseded);
    /// A rollout is on hold.
    Stalled(change::Stalled);
    /// A rollout goes on.
    Resumed(change::Resumed);
    /// A rollout is to take a step at some time.
    Scheduled(change::Scheduled);
    /// It is not to take it any more.
    Unscheduled(change::Unscheduled);
    /// Somebody approves a step.
    Approved(change::Approved);
    /// Somebody takes their approval back.
    Disapproved(change::Disapproved);
    /// An exposure lasts longer.
    Extended(change::Extended);
    /// A gate does not hold a rollout up.
    Overridden(change::Overridden);
    /// Something to know about a rollout.
    Noted(change::Noted);
    /// A document about a rollout.
    Linked(change::Linked);
    /// Somebody has looked at something, and it is as it should be.
    Ticked(change::Ticked);
    /// Somebody takes that back.
    Unticked(change::Unticked);
    /// What is said of a rollout beside its title.
    Described(attributes::Described);
    /// A bundle was opened.
    BundleOpened(bundle::BundleOpened);
    /// A rollout joined a bundle.
    BundleJoined(bundle::BundleJoined);
    /// A rollout left a bundle.
    BundleLeft(bundle::BundleLeft);
    /// The release notes of a bundle list something.
    BundleAnnounced(bundle::BundleAnnounced);
    /// The packages of several rollouts of a bundle move together.
    BundleMoves(bundle::BundleMoves);
    /// A bundle was closed.
    BundleClosed(bundle::BundleClosed);
    /// An update got its number.
    UpdateNumbered(update::UpdateNumbered);
    /// A task was created.
    TaskCreated(task::TaskCreated);
    /// A task is in progress.
    TaskBegun(task::TaskBegun);
    /// The quarantine of a task is longer than it was.
    TaskExtended(task::TaskExtended);
    /// Another team has to do a task.
    TaskReassigned(task::TaskReassigned);
    /// The quarantine of a task is over.
    QuarantineOver(task::QuarantineOver);
    /// A task is done.
    TaskDone(task::TaskDone);
    /// A team has reported on its task.
    TaskReported(task_report::TaskReported);
    /// Everybody may read the report of a task, or no longer.
    TaskReportPublished(task_report::TaskReportPublished);
    /// A team has found an issue in its task.
    TaskIssue(task_report::TaskIssue);
    /// A maintenance was declared.
    MaintenanceDeclared(maintenance::MaintenanceDeclared);
    /// A maintenance was called off.
    MaintenanceEnded(maintenance::MaintenanceEnded);
    /// A change was recorded.
    ChangeRecorded(request::ChangeRecorded);
    /// Somebody says what work a change is.
    ChangeAssessed(request::ChangeAssessed);
    /// Somebody approves a change.
    ChangeApproved(request::ChangeApproved);
    /// Somebody takes their approval of a change back.
    ChangeDisapproved(request::ChangeDisapproved);
    /// A change has another status.
    ChangeWent(request::ChangeWent);
    /// A rollout carries a change out.
    ChangeTied(request::ChangeTied);
    /// A rollout does not carry a change out any more.
    ChangeUntied(request::ChangeUntied);
    /// A review was opened.
    ReviewOpened(review::ReviewOpened);
    /// Somebody has answered a review.
    ReviewAnswered(review::ReviewAnswered);
    /// Nobody has answered a review in time.
    ReviewOverdue(review::ReviewOverdue);
    /// A test of a rollout has failed.
    Failed(change::Failed);
    /// A release was planned.
    ReleasePlanned(release::ReleasePlanned);
    /// A release has this scope.
    ReleaseScoped(release::ReleaseScoped);
    /// The board was told of a release.
    ReleaseTold(release::ReleaseTold);
    /// A release will not be.
    ReleaseCancelled(release::ReleaseCancelled);
    /// The board was told of an emergency.
    EmergencyTold(release::EmergencyTold);
    /// An incident was recorded.
    IncidentRecorded(incident::IncidentRecorded);
    /// Something else is known of an incident.
    IncidentChanged(incident::IncidentChanged);
    /// An incident is over.
    IncidentClosed(incident::IncidentClosed);
    /// Incidents of one kind are a problem.
    ProblemOpened(incident::ProblemOpened);
    /// One more incident of a problem.
    ProblemRecurred(incident::ProblemRecurred);
    /// Something else is known of a problem.
    ProblemChanged(incident::ProblemChanged);
    /// A problem is solved.
    ProblemClosed(incident::ProblemClosed);
}

/// A number with its noun, in the plural where that is due.
pub fn count(n: impl fmt::Display, noun: &str) -> String {
    let n = n.to_string();
    let plural = if n == "1" { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

/// So many packages or reasons are named in a sentence; all of them stand in the entry itself.
pub(in crate::process) const TOLD_MOST: usize = 20;

/// What is said of those that are not named.
pub(in crate::process) fn more(all: usize) -> Option<String> {
    all.checked_sub(TOLD_MOST).filter(|more| *more > 0).map(|more| format!("and {more} more"))
}

/// An entry that this program cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("logbook entry {seq} ({at}) cannot be read: {why}")]
pub struct UnreadableEntry {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub at: Timestamp,
    /// What is wrong.
    pub why: String,
}

/// An entry in the form in which it lies on the disk.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OnDisk<'a> {
    v: u32,
    kind: &'a str,
    kv: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    elapsed: Option<Elapsed>,
    #[serde(borrow)]
    fact: &'a RawValue,
}

/// The same up to format 5.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnDiskBefore<'a> {
    v: u32,
    #[serde(default, rename = "steady")]
    elapsed: Option<Elapsed>,
    #[serde(borrow)]
    fact: std::collections::BTreeMap<&'a str, &'a RawValue>,
}

/// Of any format.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

fn raw(fact: &impl Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(fact).expect("strings and numbers always have a JSON form")
}

fn read_version<K: Kind>(version: u32, body: &str) -> Result<K, String> {
    match version {
        same if same == K::VERSION => serde_json::from_str(body).map_err(|e| e.to_string()),
        newer if newer > K::VERSION => Err(format!(
            "it has version {newer} of {}, and this program knows up to {}; use the newer rolloutd",
            K::NAME,
            K::VERSION
        )),
        older => K::upcast(older, body),
    }
}

/// The body of an entry for the logbook.
///
/// # Panics
/// Never: strings and numbers always have a JSON form.
pub fn write(fact: &Fact) -> String {
    write_at(fact, None)
}

/// The same of a moment at which elapsed time was not the wall clock's.
///
/// # Panics
/// Never, as above.
pub fn write_at(fact: &Fact, elapsed: Option<Elapsed>) -> String {
    let (kv, body) = fact.form();
    let on_disk = OnDisk { v: ENTRY_FORMAT, kind: fact.kind(), kv, elapsed, fact: &body };
    serde_json::to_string(&on_disk).expect("strings and numbers always have a JSON form")
}

/// Reads the body of an entry.
///
/// # Errors
/// A sentence that says what is wrong; a newer format is named as such.
pub fn read(body: &str) -> Result<Fact, String> {
    read_body(body).map(|(fact, ..)| fact)
}

/// The same of an entry that was written at `at`, with how late it was then by elapsed time; entries of formats 1 and 2
/// do not say. Where it is not written down, the wall clock agreed with it.
///
/// # Errors
/// As above.
pub fn read_at(body: &str, at: Timestamp) -> Result<(Fact, Option<Elapsed>), String> {
    let (fact, format, elapsed) = read_body(body)?;
    Ok((fact, elapsed.or((format >= 3).then_some(Elapsed::from_wall(at)))))
}

/// The kind, its version, the elapsed time and the fact of an entry as [`write_at`] puts them, without looking into the
/// fact. It takes the body for nothing that the envelope's own parser would not: a fact has to be one value of JSON up to
/// the last brace.
fn as_written(body: &str) -> Option<(&str, u32, Option<Elapsed>, &str)> {
    let (kind, rest) = body.strip_prefix(WRITTEN_FIRST)?.split_once('"')?;
    let (kv, rest) = rest.strip_prefix(",\"kv\":")?.split_once(',')?;
    let (elapsed, rest) = match rest.strip_prefix("\"elapsed\":\"") {
        Some(rest) => rest.split_once("\",").map(|(elapsed, rest)| (Some(elapsed), rest))?,
        None => (None, rest),
    };
    let fact = rest.strip_prefix("\"fact\":")?.strip_suffix('}')?;
    // A number of JSON has no sign and no zeros in front.
    let kv = kv.parse().ok().filter(|_| kv.starts_with(|c| matches!(c, '1'..='9')))?;
    Some((kind, kv, elapsed.map(str::parse).transpose().ok()?, fact))
}

/// The fact, the format and the time that is written down.
fn read_body(body: &str) -> Result<(Fact, u32, Option<Elapsed>), String> {
    // Nearly all entries are in the very form in which this program writes them, so it is tried first.
    if let Some((kind, kv, elapsed, fact)) = as_written(body)
        && let Ok(fact) = Fact::read_kind(kind, kv, fact)
    {
        return Ok((fact, ENTRY_FORMAT, elapsed));
    }
    read_any(body)
}

/// The same of any format, however it is written.
fn read_any(body: &str) -> Result<(Fact, u32, Option<Elapsed>), String> {
    let Version { v } = serde_json::from_str(body).map_err(|e| e.to_string())?;
    if v > ENTRY_FORMAT {
        return Err(format!("it has format {v}, and this program knows up to {ENTRY_FORMAT}; use the newer rolloutd"));
    }
    if v > ONE_VERSION_FOR_ALL {
        let OnDisk { v, kind, kv, elapsed, fact } = serde_json::from_str(body).map_err(|e| e.to_string())?;
        return Ok((Fact::read_kind(kind, kv, fact.get())?, v, elapsed));
    }
    let OnDiskBefore { v, elapsed, fact } = serde_json::from_str(body).map_err(|e| e.to_string())?;
    let mut facts = fact.into_iter();
    let (Some((name, body)), None) = (facts.next(), facts.next()) else {
        return Err("it does not hold one fact".to_owned());
    };
    let kind = Fact::kind_before(name).ok_or_else(|| format!("there is no fact `{}`", name.escape_default()))?;
    Ok((Fact::read_kind(kind, 1, body.get())?, v, elapsed))
}

#[cfg(test)]
pub(crate) mod samples {
    //! One of every fact, for tests of reading, folding and showing.

    use std::collections::BTreeSet;

    use super::daemon::Started;
    use super::package::{Accepted, Allowed, Disallowed, Lost};
    use super::rollout::{Awaits, Declined, Done, Moved, Staged, StagedTree, Submitted};
    use super::ticket::Heard;
    use super::tree::{Published, Retired};
    use super::*;
    use crate::domain::checksum::Sha256;
    use crate::domain::names::TreeName;
    use crate::domain::plan::{Item, Move, Plan};
    use crate::domain::rollout::Part;

    pub(crate) fn every_fact() -> Vec<Fact> {
        let dist: DistPath = "umd/3/sl6/x86_64".parse().expect("a path");
        let tree = |name: &str| name.parse::<TreeName>().expect("a name");
        let nevra: Nevra = "bdii-1:5.2.22-1.el6.noarch".parse().expect("a nevra");
        let rollout: RolloutId = "rt-1".parse().expect("an id");
        let id = TreeId { dist: dist.clone(), tree: tree("testing") };
        vec![
            Fact::Started(Started { version: "0.1.0".into(), alive: None }),
            Fact::Accepted(Accepted {
                dist: dist.clone(),
                tree: tree("untested"),
                nevra: nevra.clone(),
                sha256: Sha256([7; 32]),
                size: 1234,
                signers: vec!["ABCD".into()],
                keys: vec![],
                notes: vec!["legacy: v3".into()],
                source: None,
                upload: "incoming/x.rpm".into(),
            }),
            Fact::Refused(package::Refused {
                dist: dist.clone(),
                upload: "bad.rpm".into(),
                sha256: None,
                code: "unsigned".into(),
                detail: "no signature".into(),
            }),
            Fact::Submitted(Submitted {
                rollout: rollout.clone(),
                title: "Staged Rollout EMI-1.0 bdii".into(),
                parts: vec![Part { dist: dist.clone(), packages: vec![nevra.clone()] }],
                state: "Unverified".into(),
            }),
            Fact::Heard(Heard {
                hook: "rt".parse().expect("a name"),
                delivery: "rt-55".into(),
                rollout: "rt-1".into(),
                state: "InVerification".into(),
                at: None,
            }),
            Fact::Declined(Declined {
                rollout: "rt-1".into(),
                state: "Production".into(),
                findings: vec![("no_arrow".into(), "No.".into())],
            }),
            Fact::Awaits(Awaits {
                rollout: rollout.clone(),
                state: "StageRollOut".into(),
                hook: None,
                not_before: None,
                opens: None,
                findings: vec![("packages_missing".into(), "Not there yet.".into())],
            }),
            Fact::Moved(Moved {
                rollout: rollout.clone(),
                from: "InVerification".into(),
                to: "StageRollOut".into(),
                plan: Some(Plan {
                    owner: rollout.into(),
                    moves: vec![Move {
                        dist,
                        target: Some(tree("testing")),
                        items: vec![Item {
                            nevra,
                            sha256: Sha256([7; 32]),
                            leaves: vec![tree("untested")],
                            was: None,
                            of: None,
                        }],
                    }],
                }),
            }),
            Fact::Done(Done { plan: 8, rollout: None }),
            Fact::Published(Published {
                tree: id.clone(),
                revision: 1_795_172_517,
                packages: 1,
                repomd: Sha256([9; 32]),
                superseded: vec!["abc-primary.xml.gz".into()],
                plan: None,
            }),
            Fact::Retired(Retired { tree: id, files: vec!["repodata/abc-primary.xml.gz".into()], kept: vec![] }),
        ]
    }

    /// What format 5 added.
    pub(crate) fn of_format_5() -> Vec<Fact> {
        let dist = "umd/3/sl6/x86_64".parse().expect("a path");
        let nevra = "bdii-1:5.2.22-1.el6.noarch".parse().expect("a nevra");
        let took = every_fact().into_iter().find_map(|fact| match fact {
            Fact::Accepted(took) => Some(Fact::Accepted(Accepted { keys: vec!["CDEF".into()], ..took })),
            _ => None,
        });
        [Fact::Lost(Lost { dist, nevra, sha256: Sha256([7; 32]) })].into_iter().chain(took).collect()
    }

    /// What adoption added.
    pub(crate) fn of_adoption() -> Vec<Fact> {
        let dist: crate::domain::names::DistPath = "umd/3/sl6/x86_64".parse().expect("a path");
        let adopted = |excepted: Option<&str>, signers: &[&str]| {
            Fact::Adopted(super::package::Adopted {
                dist: dist.clone(),
                tree: "production".parse().expect("a name"),
                place: "old/dpm-1.8.0-1.x86_64.rpm".into(),
                nevra: "dpm-1.8.0-1.x86_64".parse().expect("a nevra"),
                sha256: Sha256([5; 32]),
                size: 77,
                signers: signers.iter().map(|signer| (*signer).to_owned()).collect(),
                keys: signers.iter().map(|signer| (*signer).to_owned()).collect(),
                notes: vec![],
                excepted: excepted.map(str::to_owned),
            })
        };
        let tree = "production".parse().expect("a name");
        let released = Fact::Released(super::tree::Released { dist: dist.clone(), tree });
        vec![adopted(None, &["ABCD"]), adopted(Some("unsigned"), &[]), released]
    }

    /// What restores of trees added: one package comes back and another goes, and then it is given up.
    pub(crate) fn of_restores() -> Vec<Fact> {
        let took = every_fact().into_iter().find_map(|fact| match fact {
            Fact::Accepted(took) => Some(took),
            _ => None,
        });
        let took = took.expect("one is taken in");
        let other: Nevra = "dpm-1.8.0-1.x86_64".parse().expect("a nevra");
        let (dist, tree, rollout) = (took.dist.clone(), took.tree.clone(), "rt-1".parse().ok());
        let listed = |nevra: &Nevra, n, brought: &Option<RolloutId>, place: Option<&str>| tree::Relisted {
            nevra: nevra.clone(),
            sha256: Sha256([n; 32]),
            brought: brought.clone(),
            place: place.map(str::to_owned),
        };
        let restored = tree::Restored {
            dist,
            tree,
            to: 1_795_172_400,
            published: 10,
            from: 1_795_172_517,
            comes: vec![listed(&other, 5, &None, Some("old/dpm-1.8.0-1.x86_64.rpm"))],
            goes: vec![listed(&took.nevra, 7, &rollout, None)],
            rejected: vec![other.clone()],
            gives_up: None,
        };
        let given_up = tree::Restored {
            to: restored.from,
            from: restored.from,
            comes: restored.goes.clone(),
            goes: restored.comes.clone(),
            rejected: vec![],
            gives_up: Some(3),
            ..restored.clone()
        };
        let other_tree = "delta".parse::<TreeName>().expect("a name");
        let arrival = |n, nevra: &Nevra, tree: &TreeName| Accepted {
            nevra: nevra.clone(),
            sha256: Sha256([n; 32]),
            tree: tree.clone(),
            ..took.clone()
        };
        let published = tree::Published {
            tree: restored.id(),
            revision: 1_795_172_600,
            packages: 1,
            repomd: Sha256([9; 32]),
            superseded: vec![],
            plan: Some(3),
        };
        let done = |plan| Fact::Done(Done { plan, rollout: None });
        let again = Fact::Published(tree::Published { revision: 1_795_172_700, plan: Some(6), ..published.clone() });
        vec![
            arrival(7, &took.nevra, &took.tree).into(),
            arrival(5, &other, &other_tree).into(),
            restored.clone().into(),
            published.into(),
            done(3),
            given_up.into(),
            again,
            done(6),
        ]
    }

    /// What plans of several distributions added.
    pub(crate) fn of_several() -> Vec<Fact> {
        let dist = |path: &str| path.parse::<DistPath>().expect("a path");
        let tree = |name: &str| name.parse::<TreeName>().expect("a name");
        let nevra = |text: &str| text.parse::<Nevra>().expect("a nevra");
        let rollout: RolloutId = "rt-2".parse().expect("an id");
        let part = |path: &str, text: &str| Part { dist: dist(path), packages: vec![nevra(text)] };
        let one = |path: &str, text: &str| Move {
            dist: dist(path),
            target: Some(tree("testing")),
            items: vec![Item {
                nevra: nevra(text),
                sha256: Sha256([7; 32]),
                leaves: vec![tree("untested")],
                was: None,
                of: None,
            }],
        };
        let both = [("umd/3/sl5/i386", "bdii-5.2.22-1.el5.i386"), ("umd/3/sl6/x86_64", "bdii-5.2.22-1.el6.x86_64")];
        let staged = |path: &str, name: &str| StagedTree {
            dist: dist(path),
            tree: tree(name),
            revision: 1_795_172_517,
            repomd: Sha256([9; 32]),
        };
        let trees = ["testing", "untested"].into_iter().flat_map(|name| both.map(|(path, _)| staged(path, name)));
        vec![
            Fact::Submitted(Submitted {
                rollout: rollout.clone(),
                title: "bdii".into(),
                parts: both.map(|(path, text)| part(path, text)).into(),
                state: "Unverified".into(),
            }),
            Fact::Moved(Moved {
                rollout: rollout.clone(),
                from: "InVerification".into(),
                to: "StageRollOut".into(),
                plan: Some(Plan {
                    owner: rollout.clone().into(),
                    moves: both.map(|(path, text)| one(path, text)).into(),
                }),
            }),
            Fact::Staged(Staged { plan: 2, rollout, trees: trees.collect() }),
        ]
    }

    /// What people record beside steps.
    pub(crate) fn of_records() -> Vec<Fact> {
        use super::change::EditedPart;
        let rollout: RolloutId = "rt-1".parse().expect("an id");
        let team: TeamName = "ea-NGI_IT-INFN-T1".parse().expect("a team");
        let dist: DistPath = "umd/3/sl6/x86_64".parse().expect("a path");
        let (state, names) = ("Accepted".to_owned(), |name: &str| [name.to_owned()].into());
        let url = Some("https://example.org/".to_owned());
        let what: crate::domain::names::LinkName = "release-notes".parse().expect("a name");
        let (link, packages) = (rollout.clone(), vec!["bdii-1:5.2.22-1.el6.noarch".parse().expect("a nevra")]);
        vec![
            halt::Halted { dist: None, reason: "the key may be stolen".into() }.into(),
            halt::HaltEnded { dist: Some(dist.clone()) }.into(),
            team::TeamRegistered {
                team: team.clone(),
                ngi: "NGI_IT".into(),
                products: names("bdii"),
                stacks: names("EMI"),
                node_types: names("UI"),
                contacts: BTreeSet::new(),
                observer: true,
            }
            .into(),
            team::TeamLeft { team: team.clone() }.into(),
            assignment::Assigned { rollout: rollout.clone(), team: team.clone(), beta: true }.into(),
            assignment::Answered { rollout: rollout.clone(), team: team.clone(), accepts: false }.into(),
            assignment::Unassigned { rollout: rollout.clone(), team: team.clone() }.into(),
            report::Reported {
                rollout: rollout.clone(),
                team,
                outcome: crate::domain::report::Outcome::Warning,
                summary: "2,000 jobs a day".into(),
                sections: crate::domain::report::Sections::default(),
                file: Some(report::File {
                    name: "report.odt".into(),
                    sha256: Sha256([3; 32]),
                    size: 1234,
                    mentions: [].into(),
                }),
            }
            .into(),
            issue::IssueNoted {
                rollout: rollout.clone(),
                issue: "#12".into(),
                title: "it dies".into(),
                show_stopper: true,
                workaround: "start it twice".into(),
                criticality: String::new(),
            }
            .into(),
            issue::IssueClosed { rollout: rollout.clone(), issue: "#12".into() }.into(),
            change::Edited {
                rollout: rollout.clone(),
                title: Some("bdii".into()),
                parts: vec![EditedPart { dist, packages }],
            }
            .into(),
            change::Approved { rollout: rollout.clone(), state: state.clone(), role: crate::domain::names::Role::SRM }
                .into(),
            change::Disapproved { rollout: rollout.clone(), state: state.clone() }.into(),
            change::Extended { rollout: rollout.clone(), seconds: 172_800 }.into(),
            change::Overridden { rollout: rollout.clone(), state, gate: "reported".into(), change: None }.into(),
            change::Noted { rollout: rollout.clone(), note: "restart it".into() }.into(),
            change::Linked { rollout: link.clone(), what: what.clone(), url }.into(),
            change::Linked { rollout: link, what, url: None }.into(),
            change::Cancelled { rollout }.into(),
        ]
    }

    /// What is said of a rollout beside its title, and what is ticked.
    pub(crate) fn of_attributes() -> Vec<Fact> {
        use crate::domain::attributes::{Attributes, Importance, Level};
        use crate::domain::request::Priority;
        let rollout: RolloutId = "rt-1".parse().expect("an id");
        let check: crate::domain::names::CheckName = "documentation-reviewed".parse().expect("a name");
        let all = Attributes {
            product: "EMI.bdii-site.sl5.x86_64".parse().ok(),
            component: "bdii-site".parse().ok(),
            node_types: ["UI", "WN"].map(|label| label.parse().expect("a label")).into(),
            severity: Some(Priority::Immediate),
            priority: Some(Priority::None),
            impact: Some(Level::High),
            risk: Some(Level::Low),
            importance: Some(Importance::Minor),
            reversal: Some("yum downgrade bdii".into()),
        };
        vec![
            attributes::Described { rollout: rollout.clone(), attributes: all }.into(),
            attributes::Described { rollout: rollout.clone(), attributes: Attributes::default() }.into(),
            change::Ticked { rollout: rollout.clone(), check: check.clone() }.into(),
            change::Unticked { rollout: rollout.clone(), check }.into(),
            issue::IssueRanked { rollout, issue: "#12".into(), priority: Priority::High }.into(),
        ]
    }

    /// What reports say beside their outcome.
    pub(crate) fn of_reports() -> Vec<Fact> {
        use crate::domain::report::{Outcome, Sections};
        let (rollout, team): (RolloutId, TeamName) =
            ("rt-1".parse().expect("an id"), "ea-NGI_IT-INFN-T1".parse().expect("a team"));
        let sections = Sections {
            release_notes: "correct".into(),
            tests: "installed on three WNs".into(),
            metrics: "2,000 jobs a day".into(),
            vos: "atlas, cms".into(),
        };
        let reported = report::Reported {
            rollout: rollout.clone(),
            team: team.clone(),
            outcome: Outcome::Success,
            summary: String::new(),
            sections,
            file: None,
        };
        let published = |published| report::ReportPublished { rollout: rollout.clone(), team: team.clone(), published };
        vec![reported.into(), published(true).into(), published(false).into()]
    }

    /// What bundles added.
    pub(crate) fn of_bundles() -> Vec<Fact> {
        use crate::domain::report::Outcome;
        use crate::domain::task::TaskKind;
        let bundle: BundleId = "BUNDLE-2011-12".parse().expect("an id");
        let rollout: RolloutId = "rt-1".parse().expect("an id");
        let team: TeamName = "ea-NGI_IT-INFN-T1".parse().expect("a team");
        let rollouts = std::collections::BTreeSet::from([rollout.clone(), "rt-2".parse().expect("an id")]);
        vec![
            bundle::BundleOpened { bundle: bundle.clone(), title: "VOMS 2".into() }.into(),
            bundle::BundleJoined { bundle: bundle.clone(), rollout: rollout.clone() }.into(),
            bundle::BundleLeft { bundle: bundle.clone(), rollout }.into(),
            bundle::BundleAnnounced { bundle: bundle.clone(), rollouts: rollouts.clone() }.into(),
            update::UpdateNumbered {
                series: "gLite-3.2".parse().expect("a series"),
                number: 14,
                rollouts,
                bundle: Some(bundle.clone()),
            }
            .into(),
            task::TaskCreated {
                task: 1,
                kind: TaskKind::RollBack,
                bundle: bundle.clone(),
                team: team.clone(),
                quarantine: 259_200,
                services: [].into(),
            }
            .into(),
            task::TaskBegun { task: 1, bundle: bundle.clone(), team: team.clone(), outcome: Outcome::Fail }.into(),
            task::TaskDone { task: 1, bundle: bundle.clone(), team, outcome: Outcome::Success }.into(),
            bundle::BundleClosed { bundle }.into(),
        ]
    }

    /// A package of which it is known what it was built from.
    pub(crate) fn of_sources() -> Vec<Fact> {
        let took = every_fact().into_iter().find_map(|fact| match fact {
            Fact::Accepted(took) => Some(Accepted { source: "bdii-5.2.22-1.el6.src".parse().ok(), ..took }.into()),
            _ => None,
        });
        took.into_iter().collect()
    }

    /// What stops for a time.
    pub(crate) fn of_holds() -> Vec<Fact> {
        let rollout: RolloutId = "rt-1".parse().expect("an id");
        let maintenance: crate::domain::names::MaintenanceId = "2026-12-disks".parse().expect("an id");
        let at = |hour: i8| jiff::civil::date(2026, 12, 1).at(hour, 0, 0, 0).in_tz("UTC").expect("a time").timestamp();
        vec![
            maintenance::MaintenanceDeclared {
                maintenance: maintenance.clone(),
                dist: Some("umd/3/sl6/x86_64".parse().expect("a path")),
                title: "new disks".into(),
                start: at(8),
                end: at(12),
                justification: "the old ones fail".into(),
            }
            .into(),
            maintenance::MaintenanceEnded { maintenance }.into(),
            change::Stalled { rollout: rollout.clone() }.into(),
            change::Resumed { rollout: rollout.clone() }.into(),
            change::Scheduled {
                rollout: rollout.clone(),
                state: "Accepted".into(),
                at: at(8),
                roles: vec![crate::domain::names::Role::SRM],
            }
            .into(),
            change::Unscheduled { rollout: rollout.clone() }.into(),
            rollout::Delayed { rollout: rollout.clone(), state: "InVerification".into(), since: at(8) }.into(),
            assignment::Installed { rollout, team: "ea-NGI_IT-INFN-T1".parse().expect("a team") }.into(),
        ]
    }

    /// What changes added.
    pub(crate) fn of_changes() -> Vec<Fact> {
        use crate::domain::names::Role;
        use crate::domain::request::{ChangeKind, Priority, Status};
        let change: ChangeId = "rt-4711".parse().expect("an id");
        let rollout: RolloutId = "rt-1".parse().expect("an id");
        let category = "Accounting Portal".parse().ok();
        let recorded = |change: &ChangeId, kind, rule: Option<&str>| request::ChangeRecorded {
            change: change.clone(),
            title: "a new view".into(),
            origin: rule.map(|_| "WLCG".to_owned()).unwrap_or_default(),
            category: "Accounting Portal".parse().ok().filter(|_| rule.is_some()),
            priority: Priority::None,
            kind,
            rule: rule.map(str::to_owned),
        };
        vec![
            recorded(&"rt-4710".parse().expect("an id"), ChangeKind::Standard, Some("views")).into(),
            recorded(&change, ChangeKind::Normal, None).into(),
            request::ChangeAssessed {
                change: change.clone(),
                assessment: "two days".into(),
                priority: Priority::High,
                category,
            }
            .into(),
            request::ChangeApproved { change: change.clone(), role: Role::OMB }.into(),
            request::ChangeDisapproved { change: change.clone() }.into(),
            request::ChangeTied { change: change.clone(), rollout: rollout.clone() }.into(),
            request::ChangeWent { change: change.clone(), from: Status::New, to: Status::Stalled }.into(),
            request::ChangeWent { change: change.clone(), from: Status::Stalled, to: Status::New }.into(),
            request::ChangeUntied { change: change.clone(), rollout: rollout.clone() }.into(),
            change::Overridden { rollout, state: "Accepted".into(), gate: "exposure".into(), change: Some(change) }
                .into(),
        ]
    }

    /// What longer quarantines added.
    pub(crate) fn of_extensions() -> Vec<Fact> {
        let (bundle, team) = ("BUNDLE-2011-12".parse().expect("an id"), "ea-NGI_IT-INFN-T1".parse().expect("a team"));
        vec![super::task::TaskExtended { task: 1, bundle, team, by: 259_200 }.into()]
    }

    /// What waiting for early adopters in vain added, and tasks that go to another team.
    pub(crate) fn of_silence() -> Vec<Fact> {
        let bundle = "BUNDLE-2011-12".parse().expect("an id");
        let (team, from) = ("ea-NGI_CH-CSCS".parse().expect("a team"), "ea-NGI_IT-INFN-T1".parse().expect("a team"));
        vec![
            super::assignment::Unanswered { rollout: "rt-1".parse().expect("an id") }.into(),
            super::task::TaskReassigned { task: 1, bundle, team, from, services: None }.into(),
        ]
    }

    /// What reports and issues of tasks added.
    pub(crate) fn of_task_reports() -> Vec<Fact> {
        use super::task_report::{TaskIssue, TaskReportPublished, TaskReported};
        let bundle = || "BUNDLE-2011-12".parse::<BundleId>().expect("an id");
        let team = || "ea-NGI_IT-INFN-T1".parse::<TeamName>().expect("a team");
        let issue = || "https://ggus.eu/?ticket_id=99".to_owned();
        let file = super::report::File { name: "a.txt".into(), sha256: Sha256([7; 32]), size: 9, mentions: [].into() };
        let (text, area) = ("see #99".to_owned(), Some("Beta Service".to_owned()));
        vec![
            TaskIssue { task: 1, bundle: bundle(), team: team(), issue: issue(), area, taken_back: false }.into(),
            TaskReported { task: 1, bundle: bundle(), team: team(), text, file: Some(file) }.into(),
            TaskReportPublished { task: 1, bundle: bundle(), team: team(), published: true }.into(),
            TaskIssue { task: 1, bundle: bundle(), team: team(), issue: issue(), area: None, taken_back: true }.into(),
        ]
    }

    /// What reminders of tasks added.
    pub(crate) fn of_together() -> Vec<Fact> {
        let bundle = "BUNDLE-2011-12".parse().expect("an id");
        let rollouts = ["rt-1", "rt-2"].iter().map(|id| id.parse().expect("an id")).collect();
        vec![bundle::BundleMoves { bundle, rollouts }.into()]
    }

    pub(crate) fn of_issues() -> Vec<Fact> {
        let (rollout, issue) = ("rt-1".parse().expect("an id"), "#12".to_owned());
        let (title, criticality) = ("it dies".to_owned(), "all sites with a WN".to_owned());
        let workaround = String::new();
        let team = team::TeamRegistered {
            team: "ea-NGI_IT-INFN-T1".parse().expect("a team"),
            ngi: "NGI_IT".into(),
            products: BTreeSet::new(),
            stacks: BTreeSet::new(),
            node_types: BTreeSet::new(),
            contacts: BTreeSet::from(["ea-ngi-it@example.org".to_owned()]),
            observer: false,
        };
        let noted = issue::IssueNoted { rollout, issue, title, show_stopper: false, workaround, criticality };
        vec![noted.into(), team.into()]
    }

    pub(crate) fn of_reminders() -> Vec<Fact> {
        let (bundle, team) = ("BUNDLE-2011-12".parse().expect("an id"), "ea-NGI_IT-INFN-T1".parse().expect("a team"));
        vec![super::task::QuarantineOver { task: 1, bundle, team }.into()]
    }

    /// What packages that may come in again added.
    pub(crate) fn of_allowances() -> Vec<Fact> {
        let dist = "umd/3/sl6/x86_64".parse().expect("a path");
        let nevra: Nevra = "bdii-1:5.2.22-1.el6.noarch".parse().expect("a nevra");
        let allowed = Allowed { dist, nevra, sha256: Sha256([7; 32]) };
        let taken_back = Disallowed { dist: allowed.dist.clone(), nevra: allowed.nevra.clone() };
        vec![allowed.into(), taken_back.into()]
    }

    /// What was changed by something else.
    pub(crate) fn of_alterations() -> Vec<Fact> {
        let (dist, tree) = ("umd/3/sl6/x86_64".parse().expect("a path"), "testing".parse().expect("a name"));
        let nevra = "bdii-1:5.2.22-1.el6.noarch".parse().ok();
        let tree = super::tree::Altered { dist, tree, nevra: None, why: "repomd.xml is not ours".into() };
        let package = super::tree::Altered { nevra, why: "other bytes".into(), ..tree.clone() };
        vec![tree.into(), package.into()]
    }

    /// What the files of reports mention.
    pub(crate) fn of_mentions() -> Vec<Fact> {
        let mentions = |fact: Fact| match fact {
            Fact::Reported(mut reported) => {
                reported.file.as_mut()?.mentions = ["#99".to_owned()].into();
                Some(Fact::Reported(reported))
            }
            Fact::TaskReported(mut reported) => {
                reported.file.as_mut()?.mentions = ["#99".to_owned(), "bug-7".to_owned()].into();
                Some(Fact::TaskReported(reported))
            }
            _ => None,
        };
        let all = [of_records(), of_task_reports()].concat();
        all.into_iter().filter_map(mentions).collect()
    }

    /// What rollouts that take the place of others added.
    pub(crate) fn of_successions() -> Vec<Fact> {
        let id = |text: &str| text.parse().expect("an id");
        vec![super::change::Superseded { rollout: id("rt-1"), by: id("rt-2") }.into()]
    }

    /// What reviews added, and notices that are about other things than rollouts.
    pub(crate) fn of_reviews() -> Vec<Fact> {
        use crate::domain::review::Cause;
        let rollout: RolloutId = "rt-1".parse().expect("an id");
        let change: ChangeId = "rt-4713".parse().expect("an id");
        let release = review::Reviewed { rollout: Some(rollout.clone()), change: None };
        let emergency = review::Reviewed { rollout: Some(rollout), change: Some(change.clone()) };
        let alone = review::Reviewed { rollout: None, change: Some(change.clone()) };
        let due = Timestamp::UNIX_EPOCH;
        let (to, why) = ("chat".parse::<crate::domain::names::HookName>().expect("a name"), "410 Gone".to_owned());
        let about = (None, Some(change));
        vec![
            review::ReviewOpened { review: 1, cause: Cause::Release, of: release.clone(), due }.into(),
            review::ReviewOpened { review: 2, cause: Cause::Emergency, of: emergency.clone(), due }.into(),
            review::ReviewAnswered {
                review: 1,
                of: release,
                documented: true,
                works: false,
                note: "it needs twice the memory".into(),
            }
            .into(),
            review::ReviewOverdue { review: 2, of: emergency }.into(),
            review::ReviewOpened { review: 3, cause: Cause::Emergency, of: alone, due }.into(),
            notice::Due { to: to.clone(), cause: 1, rollout: about.0.clone(), change: about.1.clone() }.into(),
            notice::GivenUp { to: to.clone(), notice: 6, rollout: about.0.clone(), change: about.1.clone(), why }
                .into(),
            notice::Due { to: to.clone(), cause: 1, rollout: about.0.clone(), change: about.1.clone() }.into(),
            notice::Sent { to, notice: 8, rollout: about.0, change: about.1 }.into(),
        ]
    }

    /// What people are told.
    pub(crate) fn of_messages() -> Vec<Fact> {
        use crate::domain::message::Field;
        let message = |rollout: Option<&str>, bundle: Option<&str>| notice::Message {
            to: vec!["early-adopters".parse().expect("a group"), "srm".parse().expect("a group")],
            teams: vec!["ea-NGI_IBERGRID-LIP-Lisbon".parse().expect("a team")],
            procedure: "egi".into(),
            template: "staged-rollout-begins".parse().expect("a name"),
            values: [(Field::Rollout, "rt-1".to_owned()), (Field::AnswerBy, "2026-12-01".to_owned())].into(),
            cause: 1,
            rollout: rollout.map(|id| id.parse().expect("an id")),
            bundle: bundle.map(|id| id.parse().expect("an id")),
        };
        vec![
            message(Some("rt-1"), None).into(),
            message(None, Some("BUNDLE-2011-12")).into(),
            notice::Told { message: 1, rollout: Some("rt-1".parse().expect("an id")), bundle: None }.into(),
        ]
    }

    /// What releases added.
    pub(crate) fn of_releases() -> Vec<Fact> {
        let release: ReleaseId = "UMD-3.1.0".parse().expect("a name");
        let planned = |on: &str, title: &str, every| release::ReleasePlanned {
            release: release.clone(),
            title: title.into(),
            on: on.parse().expect("a day"),
            every,
        };
        let rollouts = std::collections::BTreeSet::from(["rt-1".parse().expect("an id")]);
        let bundles = std::collections::BTreeSet::from(["BUNDLE-2011-12".parse().expect("an id")]);
        let on = "2027-01-18".parse().expect("a day");
        vec![
            planned("2027-01-25", "", None).into(),
            planned("2027-02-01", "the February release", Some(2_592_000)).into(),
            release::ReleaseScoped { release: release.clone(), rollouts, bundles }.into(),
            release::ReleaseTold { release: release.clone(), on }.into(),
            release::ReleaseCancelled { release }.into(),
            release::EmergencyTold { change: "rt-4713".parse().expect("an id"), on }.into(),
        ]
    }

    /// What incidents and problems added.
    pub(crate) fn of_incidents() -> Vec<Fact> {
        use crate::domain::request::Priority;
        let kind = || "publication".parse::<crate::domain::incident::IncidentKind>().expect("a kind");
        let recorded = |incident, ticket: Option<&str>, rollout: Option<&str>| incident::IncidentRecorded {
            incident,
            kind: kind(),
            title: "not published for an hour".into(),
            unit: "Software Provisioning".into(),
            priority: Priority::High,
            ticket: ticket.map(str::to_owned),
            rollout: rollout.map(|id| id.parse().expect("an id")),
        };
        let (unit, priority, ticket) = (Some("Monitoring".to_owned()), Some(Priority::Low), Some("#12".to_owned()));
        let opened = |problem, incidents: [u64; 2]| {
            let (kind, unit, incidents) = (kind(), "Operations".to_owned(), incidents.into());
            incident::ProblemOpened { problem, kind, unit, incidents }
        };
        let (cause, workaround) = (Some("the disk is full".to_owned()), Some("remove logs".to_owned()));
        vec![
            recorded(1, None, None).into(),
            recorded(2, Some("#11"), Some("rt-1")).into(),
            opened(1, [1, 2]).into(),
            incident::IncidentChanged { incident: 1, unit, priority, ticket: ticket.clone() }.into(),
            incident::IncidentChanged { incident: 2, unit: None, priority: None, ticket }.into(),
            recorded(3, None, None).into(),
            incident::ProblemRecurred { problem: 1, incident: 3 }.into(),
            incident::ProblemChanged { problem: 1, ticket: Some("#13".into()), cause, workaround }.into(),
            incident::ProblemChanged { problem: 1, ticket: None, cause: None, workaround: None }.into(),
            incident::IncidentClosed { incident: 1, solution: "restarted".into() }.into(),
            incident::ProblemClosed { problem: 1, solution: "a larger disk".into() }.into(),
            recorded(4, None, None).into(),
            recorded(5, None, None).into(),
            opened(2, [4, 5]).into(),
        ]
    }

    /// What tests that fail added.
    pub(crate) fn of_failures() -> Vec<Fact> {
        let rollout = "rt-1".parse().expect("an id");
        vec![change::Failed { rollout, report: "it does not start".into(), cycle: 2 }.into()]
    }

    /// What the register of people added.
    pub(crate) fn of_people() -> Vec<Fact> {
        vec![Fact::Erased(super::person::Erased { person: PersonId::new(0x0123_4567_89ab_cdef) })]
    }

    /// What format 2 added.
    pub(crate) fn of_format_2() -> Vec<Fact> {
        let tree = TreeId { dist: "d".parse().expect("a path"), tree: "testing".parse().expect("a name") };
        vec![
            Fact::Heard(Heard {
                hook: "rt".parse().expect("a name"),
                delivery: "rt-56".into(),
                rollout: "rt-1".into(),
                state: "StageRollOut".into(),
                at: Some(Timestamp::UNIX_EPOCH),
            }),
            Fact::Retired(Retired { tree, files: vec![], kept: vec!["Packages/a/a-1-1.noarch.rpm".into()] }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::daemon::Started;
    use super::package::RefusedTogether;
    use super::rollout::{Awaits, Done, Submitted};
    use super::tree::Published;
    use super::*;
    use crate::domain::checksum::Sha256;

    /// What format 4 added.
    fn of_format_4() -> Vec<Fact> {
        let files = vec![("a.rpm".into(), None), ("b.rpm".into(), Some(Sha256([7; 32])))];
        let (code, detail) = ("not_rpm".into(), "begins with `junk`".into());
        let dist = "d".parse().expect("a path");
        vec![Fact::RefusedTogether(RefusedTogether { dist, code, detail, files, more: 0 })]
    }

    /// The sample file holds what format 4 added; it is never rewritten.
    #[test]
    fn entries_of_format_4_are_read_for_ever() {
        let sample = include_str!("../../../fixtures/logbook/v4.jsonl");
        let facts: Vec<Fact> = sample.lines().map(|line| read(line).expect("readable")).collect();
        assert_eq!(facts, of_format_4());
        assert_eq!(facts[0].to_string(), "refused 2 files of d at once (not_rpm): begins with `junk`: a.rpm, b.rpm");
    }

    #[test]
    fn every_fact_reads_back_as_it_was_written() {
        for fact in samples::every_fact()
            .into_iter()
            .chain(samples::of_format_2())
            .chain(of_format_4())
            .chain(samples::of_format_5())
            .chain(samples::of_adoption())
            .chain(samples::of_several())
            .chain(samples::of_people())
            .chain(samples::of_records())
            .chain(samples::of_bundles())
            .chain(samples::of_holds())
            .chain(samples::of_changes())
            .chain(samples::of_reviews())
            .chain(samples::of_releases())
            .chain(samples::of_failures())
            .chain(samples::of_messages())
            .chain(samples::of_attributes())
            .chain(samples::of_reports())
            .chain(samples::of_extensions())
            .chain(samples::of_successions())
            .chain(samples::of_silence())
            .chain(samples::of_incidents())
            .chain(samples::of_reminders())
            .chain(samples::of_task_reports())
            .chain(samples::of_together())
            .chain(samples::of_issues())
            .chain(samples::of_allowances())
            .chain(samples::of_mentions())
            .chain(samples::of_alterations())
        {
            assert_eq!(read(&write(&fact)), Ok(fact));
        }
    }

    /// The sample file holds what format 5 added; it is never rewritten.
    #[test]
    fn entries_of_format_5_are_read_for_ever() {
        let sample = include_str!("../../../fixtures/logbook/v5.jsonl");
        let facts: Vec<Fact> = sample.lines().map(|line| read(line).expect("readable")).collect();
        assert_eq!(facts, samples::of_format_5());
        let said: Vec<String> = facts.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "gave up bdii-1:5.2.22-1.el6.noarch of umd/3/sl6/x86_64 as lost",
                "accepted bdii-1:5.2.22-1.el6.noarch into untested/umd/3/sl6/x86_64, signed by ABCD (legacy: v3)",
            ]
        );
    }

    /// The sample file holds every kind as format 6 has it; it is never rewritten.
    #[test]
    fn entries_of_format_6_are_read_for_ever() {
        let sample = include_str!("../../../fixtures/logbook/v6.jsonl");
        let facts: Vec<Fact> = sample.lines().map(|line| read(line).expect("readable")).collect();
        let mut all = samples::every_fact();
        all.extend(samples::of_format_2().into_iter().chain(of_format_4()).chain(samples::of_format_5()));
        all.push(Fact::Done(Done { plan: 8, rollout: "rt-1".parse().ok() }));
        let (rollout, hook) = ("rt-1".parse().expect("an id"), "rt".parse().ok());
        all.push(Fact::Awaits(Awaits {
            rollout,
            state: "StageRollOut".into(),
            hook,
            not_before: None,
            opens: None,
            findings: vec![],
        }));
        assert_eq!(facts, all);
        let written: Vec<String> = facts.iter().map(write).collect();
        // Kinds that have a newer version are written in that one.
        let is_as_then = |fact: &&Fact| fact.form().0 <= 1;
        let as_then: Vec<String> = facts.iter().filter(is_as_then).map(write).collect();
        let is_newer = |line: &&str| {
            let newer = ["package.accepted", "tree.published", "rollout.awaits", "rollout.submitted", "rollout.moved"];
            newer.iter().any(|kind| line.contains(&format!("\"kind\":\"{kind}\"")))
        };
        let lines = || sample.lines().filter(|line| !is_newer(line));
        assert_eq!(as_then, lines().collect::<Vec<_>>());
        let kinds: std::collections::BTreeSet<&str> = facts.iter().map(Fact::kind).collect();
        assert_eq!(kinds.len(), 13, "every kind of then has a sample");
        let at = write_at(&facts[0], Some(Elapsed::default()));
        assert_eq!(read_at(&at, AT), Ok((facts[0].clone(), Some(Elapsed::default()))));
        let newer = written[0].replace("\"kv\":1", "\"kv\":2");
        assert!(read(&newer).expect_err("newer").contains("version 2 of daemon.started"), "{newer}");
    }

    /// The sample file holds the versions of kinds that came after the first samples of format 6; it only grows.
    #[test]
    fn newer_versions_of_kinds_are_read_for_ever() {
        let sample = include_str!("../../../fixtures/logbook/v6-kinds.jsonl");
        let facts: Vec<Fact> = sample.lines().map(|line| read(line).expect("readable")).collect();
        let published = samples::every_fact().into_iter().find_map(|fact| match fact {
            Fact::Published(published) => Some(Fact::Published(Published { plan: Some(8), ..published })),
            _ => None,
        });
        let mut all = vec![published.expect("one")];
        all.extend(samples::of_adoption());
        let (rollout, hook) = ("rt-1".parse().expect("an id"), "rt".parse().ok());
        let not_before = "2026-12-06T08:00:00Z".parse().ok();
        let waits = Awaits { rollout, state: "Production".into(), hook, not_before, opens: None, findings: vec![] };
        all.push(Fact::Awaits(waits.clone()));
        all.extend(samples::of_several());
        all.extend(samples::of_people());
        all.push(Fact::Awaits(Awaits { opens: "2027-01-07T23:00:00Z".parse().ok(), ..waits }));
        all.extend(samples::of_records());
        all.extend(samples::of_bundles());
        all.extend(samples::of_holds());
        all.extend(samples::of_sources());
        all.extend(samples::of_changes());
        all.extend(samples::of_reviews());
        all.extend(samples::of_releases());
        all.extend(samples::of_failures());
        all.extend(samples::of_attributes());
        all.extend(samples::of_reports());
        all.extend(samples::of_messages());
        all.extend(samples::of_extensions());
        all.extend(samples::of_successions());
        all.extend(samples::of_restores().into_iter().filter(|fact| matches!(fact, Fact::Restored(_))));
        all.extend(samples::of_silence());
        all.extend(samples::of_incidents());
        all.extend(samples::of_reminders());
        all.extend(samples::of_task_reports());
        all.extend(samples::of_together());
        all.extend(samples::of_issues());
        all.extend(samples::of_allowances());
        all.extend(samples::of_mentions());
        all.extend(samples::of_alterations());
        let wanted: String = all.iter().map(|fact| write(fact) + "\n").collect();
        assert_eq!(facts, all, "the file should be\n{wanted}");
        // A kind that has a newer version is written in that one.
        let newer = [
            "rollout.awaits\",\"kv\":3",
            "rollout.overridden\",\"kv\":1",
            "report.added\",\"kv\":1",
            "report.added\",\"kv\":2",
            "task.reported\",\"kv\":1",
            "issue.noted\",\"kv\":1",
            "team.registered\",\"kv\":1",
        ];
        let is_as_then = |line: &&str| !newer.iter().any(|kind| line.contains(&format!("\"kind\":\"{kind}")));
        let written = facts.iter().zip(sample.lines()).filter(|(_, line)| is_as_then(line));
        let written: Vec<String> = written.map(|(fact, _)| write(fact)).collect();
        assert_eq!(written, sample.lines().filter(is_as_then).collect::<Vec<_>>());
    }

    /// What an entry is about is where its history is looked up, so it must not change.
    #[test]
    fn every_fact_says_what_it_is_about() {
        let facts = [samples::every_fact(), samples::of_people()].concat();
        let mut all: Vec<String> = facts.iter().flat_map(Fact::about).map(|subject| subject.to_string()).collect();
        all.dedup();
        assert_eq!(
            all,
            [
                "daemon",
                "package umd/3/sl6/x86_64 bdii-1:5.2.22-1.el6.noarch",
                "uploads umd/3/sl6/x86_64",
                "rollout rt-1",
                "tree testing/umd/3/sl6/x86_64",
                "person p-0123456789abcdef",
            ]
        );
    }

    const AT: Timestamp = Timestamp::constant(1_700_000_000, 0);

    /// The sample file holds what format 3 added; it is never rewritten.
    #[test]
    fn entries_of_format_3_are_read_for_ever() {
        let sample = include_str!("../../../fixtures/logbook/v3.jsonl");
        let entries: Vec<_> = sample.lines().map(|line| read_at(line, AT).expect("readable")).collect();
        let fact = Fact::Started(Started { version: "0.1.0".into(), alive: None });
        assert_eq!(entries, [(fact.clone(), Some(Elapsed::default()))]);
        assert_eq!(read_at(&write(&fact), AT), Ok((fact.clone(), Some(Elapsed::from_wall(AT)))));
        let of_format_2 = include_str!("../../../fixtures/logbook/v2.jsonl").lines().map(|line| read_at(line, AT));
        assert!(of_format_2.into_iter().all(|entry| entry.is_ok_and(|(_, elapsed)| elapsed.is_none())));
    }

    /// The sample file holds what format 2 added; it is never rewritten.
    #[test]
    fn entries_of_format_2_are_read_for_ever() {
        let sample = include_str!("../../../fixtures/logbook/v2.jsonl");
        let facts: Vec<Fact> = sample.lines().map(|line| read(line).expect("readable")).collect();
        assert_eq!(facts, samples::of_format_2());
    }

    /// The sample file holds one line for each fact of format 1; it is never rewritten.
    #[test]
    fn entries_of_format_1_are_read_for_ever() {
        let sample = include_str!("../../../fixtures/logbook/v1.jsonl");
        let facts: Vec<Fact> = sample.lines().map(|line| read(line).expect("readable")).collect();
        assert_eq!(facts, samples::every_fact());
    }

    #[test]
    fn every_fact_is_a_sentence() {
        let facts = [samples::every_fact(), samples::of_people()].concat();
        let said: Vec<String> = facts.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "rolloutd 0.1.0 started",
                "accepted bdii-1:5.2.22-1.el6.noarch into untested/umd/3/sl6/x86_64, signed by ABCD (legacy: v3)",
                "refused bad.rpm of umd/3/sl6/x86_64 (unsigned): no signature",
                "created rollout rt-1 in Unverified; umd/3/sl6/x86_64: bdii-1:5.2.22-1.el6.noarch",
                "rt requested that rt-1 move to InVerification",
                "did not move rt-1 to Production: No. (no_arrow)",
                "rt-1 waits for StageRollOut: Not there yet. (packages_missing)",
                "moved rt-1 from InVerification to StageRollOut; to testing: 1 package",
                "completed entry 8",
                "published testing/umd/3/sl6/x86_64 with 1 package, revision 1795172517",
                "removed 1 file from testing/umd/3/sl6/x86_64",
                "erased p-0123456789abcdef from the register of people",
            ]
        );
        let said: Vec<String> = samples::of_several().iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "created rollout rt-2 in Unverified; umd/3/sl5/i386: bdii-5.2.22-1.el5.i386; umd/3/sl6/x86_64: \
                 bdii-5.2.22-1.el6.x86_64",
                "moved rt-2 from InVerification to StageRollOut; to testing of umd/3/sl5/i386: 1 package; to testing of \
                 umd/3/sl6/x86_64: 1 package",
                "staged entry 2 in testing/umd/3/sl5/i386, testing/umd/3/sl6/x86_64, untested/umd/3/sl5/i386, \
                 untested/umd/3/sl6/x86_64",
            ]
        );
    }

    #[test]
    fn what_people_record_is_a_sentence() {
        let facts = [
            samples::of_records(),
            samples::of_bundles(),
            samples::of_holds(),
            samples::of_changes(),
            samples::of_reviews(),
            samples::of_releases(),
            samples::of_failures(),
            samples::of_messages(),
            samples::of_attributes(),
            samples::of_reports(),
            samples::of_extensions(),
            samples::of_successions(),
            samples::of_silence(),
            samples::of_incidents(),
            samples::of_reminders(),
            samples::of_task_reports(),
        ]
        .concat();
        let said: Vec<String> = facts.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn a_sentence_of_thousands_of_packages_or_reasons_names_some() {
        let rollout: RolloutId = "r".parse().expect("an id");
        let packages = (0..5_000).map(|n| format!("p{n}-1-1.noarch").parse().expect("a nevra")).collect();
        let parts = vec![crate::domain::rollout::Part { dist: "d".parse().expect("a path"), packages }];
        let (title, state) = (String::new(), "Unverified".to_owned());
        let made = Fact::Submitted(Submitted { rollout: rollout.clone(), title, parts, state }).to_string();
        assert!(made.len() < 1_000 && made.ends_with("p19-1-1.noarch and 4980 more"), "{made}");
        // As older versions have written it.
        let findings = (0..5_000).map(|n| ("missing".to_owned(), format!("{n}."))).collect();
        let waits = Fact::Awaits(Awaits {
            rollout,
            state: "StageRollOut".into(),
            hook: None,
            not_before: None,
            opens: None,
            findings,
        })
        .to_string();
        assert!(waits.len() < 1_000 && waits.ends_with("19. (missing) and 4980 more"), "{waits}");
    }

    #[test]
    fn a_newer_entry_is_refused_by_its_number() {
        let why = read(r#"{"v":99,"fact":{"moon":{}}}"#).expect_err("newer");
        assert!(why.contains("format 99"), "{why}");
    }

    /// What is looked for first takes a short way, which must not lead to anything else.
    #[test]
    fn an_envelope_is_read_the_same_on_the_short_way() {
        let mut bodies: Vec<String> = Vec::new();
        for fact in samples::every_fact().iter().chain(&samples::of_adoption()).chain(&samples::of_people()) {
            for elapsed in [None, Some(AT), Some(Timestamp::constant(1_700_000_000, 120_000_000))] {
                let elapsed = elapsed.map(Elapsed::recorded);
                let body = write_at(fact, elapsed);
                assert_eq!(
                    as_written(&body).map(|(kind, _, at, _)| (kind, at)),
                    Some((fact.kind(), elapsed)),
                    "{body}"
                );
                bodies.push(body);
            }
        }
        let whole = write_at(&Fact::Done(Done { plan: 8, rollout: None }), Some(Elapsed::recorded(AT)));
        for (part, other) in [
            ("\"kv\":1", "\"kv\":+1"),
            ("\"kv\":1", "\"kv\":01"),
            ("\"kv\":1", "\"kv\":0"),
            ("\"kv\":1", "\"kv\": 1 "),
            ("\"kv\":1", "\"kv\":1.0"),
            ("done", "d\\u006fne"),
            ("\"elapsed\":", "\"elapsed\":null,\"elapsed\":"),
            ("Z\"", "\""),
            ("Z\"", "Z\",\"more\":1"),
            ("{\"plan\":8}", "{\"plan\":8},\"fact\":{\"plan\":9}"),
            ("{\"plan\":8}", " {\"plan\":8} "),
            ("{\"plan\":8}", "{\"plan\":8}}"),
            ("{\"plan\":8}", "{\"plan\":8"),
            ("{\"plan\":8}", "{\"plan\":8},\"more\":1"),
        ] {
            bodies.push(whole.replace(part, other));
            assert_ne!(bodies.last(), Some(&whole), "{part}");
        }
        for body in bodies {
            assert_eq!(read_body(&body), read_any(&body), "{body}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(body in ".{0,200}") {
            let _ = read(&body);
        }
    }
}
