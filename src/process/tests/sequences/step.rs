//! What can happen, as small numbers that mean something only where it happens: so any sequence is a legal one, and a
//! shorter one that fails, too, is found by leaving steps out.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::Strategy;

use super::model::{ALLOWED, Cause, Check, Package};
use super::sample::{self, GATES, PACKAGES, PEOPLE, id, package};
use super::site::Site;
use crate::domain::backlog::Backlog;
use crate::domain::checksum::Sha256;
use crate::domain::incident;
use crate::domain::names::{BundleId, ChangeId, DistPath, MaintenanceId, RolloutId, TreeId};
use crate::domain::naming::team::TeamName;
use crate::domain::nevra::Nevra;
use crate::domain::report::{Outcome, Sections};
use crate::domain::request::{ChangeKind, Status, Wanted};
use crate::domain::rollout::{Changes, Part};
use crate::domain::task::TaskKind;
use crate::process::agenda::{Kind, Work, Wrong};
use crate::process::earlier::ToRestore;
use crate::process::fact::assignment::{Answered, Installed};
use crate::process::fact::bundle::BundleOpened;
use crate::process::fact::change::{Linked, Noted};
use crate::process::fact::issue::IssueNoted;
use crate::process::fact::maintenance::MaintenanceDeclared;
use crate::process::fact::package::Accepted;
use crate::process::fact::release::ReleasePlanned;
use crate::process::fact::report::Reported;
use crate::process::input::{Ask, Found, Hint, Input, Taken, ToClean, WorkEnd};
use crate::process::rules::{Standing, Trust};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Works,
    Passes,
    Uploads,
    Submits,
    Succeeds,
    Moves,
    Prepares,
    Drives,
    Hints,
    Begins,
    Ends,
    Fails,
    SetsClock,
    Edits,
    Cancels,
    Halts,
    EndsHalt,
    Overrides,
    Extends,
    Approves,
    Disapproves,
    Registers,
    RemovesTeam,
    Assigns,
    Unassigns,
    Answers,
    Installs,
    Reports,
    NotesIssue,
    ClosesIssue,
    Notes,
    OpensBundle,
    Joins,
    Leaves,
    Announces,
    ClosesBundle,
    MovesBundle,
    Numbers,
    CreatesTasks,
    BeginsTask,
    SaysOfTask,
    ExtendsTask,
    ReassignsTask,
    GoesWrong,
    SolvesProblem,
    EndsTask,
    RecordsChange,
    PutsChange,
    Ties,
    Stalls,
    Resumes,
    Dates,
    Declares,
    CallsOff,
    AnswersReview,
    Releases,
    Trusts,
    KeepsHours,
    GivesUp,
    Breaks,
    Mends,
    Loses,
    Allows,
    Cleans,
    Restores,
    DrivesBundle,
}

/// How often each happens, the simplest first.
const OFTEN: &[(u32, What)] = &[
    (20, What::Works),
    (12, What::Passes),
    (8, What::Uploads),
    (10, What::Submits),
    (2, What::Succeeds),
    (26, What::Moves),
    (6, What::Prepares),
    (40, What::Drives),
    (30, What::Hints),
    (6, What::Begins),
    (5, What::Ends),
    (4, What::Fails),
    (5, What::SetsClock),
    (3, What::Edits),
    (1, What::Cancels),
    (3, What::Halts),
    (6, What::EndsHalt),
    (4, What::Overrides),
    (2, What::Extends),
    (3, What::Approves),
    (2, What::Disapproves),
    (2, What::Registers),
    (2, What::RemovesTeam),
    (2, What::Assigns),
    (1, What::Unassigns),
    (2, What::Answers),
    (1, What::Installs),
    (2, What::Reports),
    (2, What::NotesIssue),
    (2, What::ClosesIssue),
    (1, What::Notes),
    (2, What::OpensBundle),
    (3, What::Joins),
    (1, What::Leaves),
    (3, What::Announces),
    (1, What::ClosesBundle),
    (4, What::MovesBundle),
    (1, What::Numbers),
    (3, What::CreatesTasks),
    (3, What::BeginsTask),
    (2, What::SaysOfTask),
    (1, What::ExtendsTask),
    (1, What::ReassignsTask),
    (2, What::GoesWrong),
    (1, What::SolvesProblem),
    (3, What::EndsTask),
    (3, What::RecordsChange),
    (5, What::PutsChange),
    (4, What::Ties),
    (2, What::Stalls),
    (4, What::Resumes),
    (5, What::Dates),
    (3, What::Declares),
    (2, What::CallsOff),
    (2, What::AnswersReview),
    (3, What::Releases),
    (3, What::Trusts),
    (3, What::KeepsHours),
    (4, What::GivesUp),
    (3, What::Breaks),
    (6, What::Mends),
    (3, What::Loses),
    (6, What::Allows),
    (4, What::Cleans),
    (8, What::Restores),
    (14, What::DrivesBundle),
];

/// Something that happens, to what, how, and by whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    what: What,
    a: usize,
    b: usize,
    who: usize,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let all: Vec<What> = OFTEN.iter().flat_map(|(often, what)| vec![*what; *often as usize]).collect();
    let parts = (proptest::sample::select(all), 0..24_usize, 0..24_usize, 0..18_usize);
    parts.prop_map(|(what, a, b, who)| Step { what, a, b, who })
}

fn reason(n: usize) -> String {
    if n % 7 == 6 { String::new() } else { "because".to_owned() }
}

fn parts(mask: usize) -> Vec<Part> {
    let chosen = PACKAGES.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1);
    let part = |(_, (dist, nevra)): (usize, &(&str, &str))| {
        let (dist, nevra) = package(dist, nevra);
        Part { dist, packages: vec![nevra] }
    };
    chosen.map(part).collect()
}

fn change(n: usize) -> ChangeId {
    ["C-1", "C-2"][n % 2].parse().expect("an id")
}

fn maintenance(n: usize) -> MaintenanceId {
    format!("M-{}", n % 8).parse().expect("an id")
}

fn team(n: usize) -> TeamName {
    ["ea-NGI_IT-T1", "ea-NGI_CH-T2"][n % 2].parse().expect("a team")
}

fn bundle(n: usize) -> BundleId {
    ["B-1", "B-2"][n % 2].parse().expect("an id")
}

/// A good end more often than a bad one.
fn outcome(n: usize) -> Outcome {
    Outcome::ALL[[0, 0, 1, 2][n % 4]]
}

fn kind(n: usize) -> TaskKind {
    if n % 5 == 4 { TaskKind::RollBack } else { TaskKind::RollOut }
}

const HOUR: Duration = Duration::from_hours(1);

impl Step {
    /// It happens.
    pub(super) fn happens(self, site: &mut Site, number: usize) -> Check {
        let Self { what, a, b, who } = self;
        let who = &sample::person(who);
        let rollout = id(a);
        match what {
            What::Works => site.works(),
            What::Begins => {
                site.begins(a);
                Ok(())
            }
            What::Ends => site.ends(None),
            What::Fails => {
                site.begins(a);
                site.ends(Some(b))
            }
            What::Passes => site.passes(HOUR * [1, 3, 20, 48, 121, 169, 200, 400][a % 8]),
            What::SetsClock => {
                let hours = [1, -1, 30, -30, 24 * 9, -24 * 9, 24 * 40, -24 * 40][a % 8];
                site.is_set(SignedDuration::from_hours(hours))
            }
            What::Uploads => uploads(site, &PACKAGES[a % PACKAGES.len()]),
            What::Mends => site.mends(),
            What::Breaks => breaks(site, a, b),
            What::Trusts => trusts(site, a, b),
            What::KeepsHours => {
                let dists: Vec<DistPath> = site.rules.distributions.keys().cloned().collect();
                let rules = site.rules.distributions.get_mut(&dists[a % dists.len()]).expect("one");
                rules.calendar = sample::calendar(b);
                site.changes()
            }
            What::Hints => hints(site, self, number),
            What::Prepares => prepares(site, &rollout),
            What::Drives => drives(site, &rollout, b),
            What::DrivesBundle => drives_bundle(site, &[id(a), id(a + 1)], b),
            _ => {
                let asks = asks(site, self, &rollout);
                asks.into_iter().try_for_each(|ask| site.asks(who, ask))
            }
        }
    }
}

/// What somebody asks for.
fn asks(site: &Site, Step { what, a, b, who }: Step, rollout: &RolloutId) -> Option<Ask> {
    let (rollout, why) = (rollout.clone(), reason(who));
    Some(match what {
        What::Submits => Ask::Submit { rollout, title: String::new(), parts: parts([1, 4, 2, 9, 16, 5, 24, b][b % 8]) },
        What::Succeeds => {
            let (like, supersedes) = (b.is_multiple_of(3).then(|| sample::id(a)), Some(sample::id(b)));
            let (title, parts, change) = (String::new(), parts([1, 4, 2, 9, 16, 5, 24, a][a % 8]), None);
            Ask::SubmitAfter { rollout, title, parts, change, like, supersedes }
        }
        What::Edits => {
            let (add, remove) = (parts(b), parts(who));
            let title = (b.is_multiple_of(3)).then(|| format!("title {who}"));
            Ask::Edit { rollout, changes: Changes { title, add, remove }, reason: why }
        }
        What::Cancels => Ask::Cancel { rollout, reason: why },
        What::Moves => Ask::Move { state: state(site, &rollout, b), rollout, reason: why },
        What::Halts => Ask::Halt { dist: place(a), reason: why },
        What::EndsHalt => {
            let holds = site.model.halts.iter().nth(a % 2).or(site.model.halts.first());
            Ask::EndHalt { dist: holds.cloned().unwrap_or(place(a)), reason: why }
        }
        What::Overrides => {
            let gate = GATES[who % GATES.len()].to_owned();
            Ask::Override { state: state(site, &rollout, b), rollout, gate, reason: why }
        }
        What::Extends => Ask::Extend { rollout, by: HOUR * [24, 72, 0, 24 * 181][b % 4], reason: why },
        What::Approves => Ask::Approve { state: state(site, &rollout, b), rollout, role: None, reason: why },
        What::Disapproves => Ask::Disapprove { state: state(site, &rollout, b), rollout, reason: why },
        What::Registers => Ask::Register { team: sample::registered(team(a), b.is_multiple_of(3)), reason: why },
        What::RemovesTeam => Ask::RemoveTeam { team: team(a), reason: why },
        What::Assigns => Ask::Assign { rollout, teams: vec![team(b)], beta: who.is_multiple_of(2), reason: why },
        What::Unassigns => Ask::Unassign { rollout, team: team(b), reason: why },
        What::Installs => Ask::Install { installed: Installed { rollout, team: team(b) }, reason: why },
        What::Answers => {
            let answered = Answered { rollout, team: team(b), accepts: !b.is_multiple_of(3) };
            Ask::Answer { answered, reason: why }
        }
        What::Reports => {
            let (team, outcome) = (team(b), outcome(b / 2));
            Ask::Report(Reported {
                rollout,
                team,
                outcome,
                summary: String::new(),
                sections: Sections::default(),
                file: None,
            })
        }
        What::NotesIssue => {
            let (issue, title, workaround) = (format!("#{}", b % 2), "it breaks".to_owned(), String::new());
            let show_stopper = !b.is_multiple_of(3);
            let noted = IssueNoted { rollout, issue, title, show_stopper, workaround, criticality: String::new() };
            Ask::NoteIssue { noted, reason: why }
        }
        What::ClosesIssue => Ask::CloseIssue { rollout, issue: format!("#{}", b % 2), reason: why },
        What::Notes if b.is_multiple_of(2) => Ask::Note(Noted { rollout, note: why }),
        What::Notes => {
            let linked = Linked { rollout, what: "bugs".parse().ok()?, url: Some("https://bugs.example/".into()) };
            Ask::Link { linked, reason: why }
        }
        What::OpensBundle => Ask::OpenBundle(BundleOpened { bundle: bundle(b), title: why }),
        What::Joins => Ask::JoinBundle { bundle: bundle(b), rollouts: vec![rollout, id(who)], reason: why },
        What::Leaves => Ask::LeaveBundle { bundle: bundle(b), rollout, reason: why },
        What::Announces => {
            let rollouts = if b.is_multiple_of(3) { vec![] } else { vec![rollout, id(who)] };
            Ask::Announce { bundle: bundle(b), rollouts, reason: why }
        }
        What::ClosesBundle => Ask::CloseBundle { bundle: bundle(b), reason: why },
        What::MovesBundle => {
            let only = if who.is_multiple_of(3) { vec![rollout.clone()] } else { vec![] };
            Ask::MoveBundle { bundle: bundle(a), state: state(site, &rollout, b), only, reason: why }
        }
        What::Numbers => {
            let (series, bundle) = ("3.1".parse().ok()?, (b.is_multiple_of(2)).then(|| bundle(b)));
            Ask::NumberUpdate { series, bundle, rollouts: vec![rollout], reason: why }
        }
        What::CreatesTasks => {
            let quarantine = [None, Some(Duration::ZERO), Some(HOUR * 48), Some(HOUR)][b % 4];
            Ask::CreateTasks {
                services: [].into(),
                bundle: bundle(a),
                kind: kind(b),
                teams: vec![team(who)],
                quarantine,
                reason: why,
            }
        }
        What::SaysOfTask => {
            let (task, issue, area) = (a as u64 % 4, format!("#{}", b % 3), None);
            match b % 4 {
                0 => Ask::ReportTask { task, text: format!("see #{}", a % 3), file: None },
                1 => Ask::PublishTaskReport { task, published: a.is_multiple_of(2), reason: why },
                _ => Ask::NoteTaskIssue { task, issue, area, taken_back: b % 4 == 3, reason: why },
            }
        }
        What::BeginsTask => Ask::BeginTask { task: a as u64 % 4, outcome: outcome(b), reason: why },
        What::GoesWrong => {
            let kind = ["disk", "network"][b % 2].parse().expect("a kind");
            let unit = Some("Operations".to_owned());
            let (title, priority, ticket) = ("it does not answer".to_owned(), None, None);
            let rollout = b.is_multiple_of(3).then_some(rollout);
            let wanted = incident::Wanted { kind, title, unit, priority, ticket, rollout };
            Ask::RecordIncident { wanted, reason: why }
        }
        What::SolvesProblem => Ask::CloseProblem { problem: a as u64 % 4, reason: why },
        What::ReassignsTask => Ask::ReassignTask { task: a as u64 % 4, team: team(b), reason: why },
        What::ExtendsTask => Ask::ExtendTask { task: a as u64 % 4, by: HOUR * [1, 24, 72, 0][b % 4], reason: why },
        What::EndsTask => {
            Ask::EndTask { task: a as u64 % 4, outcome: outcome(b), early: b.is_multiple_of(5), reason: why }
        }
        What::RecordsChange => {
            let kind = [None, Some(ChangeKind::Emergency)][b % 2];
            let (title, origin, category, priority) = (why, String::new(), None, None);
            Ask::RecordChange(Wanted { change: change(a), title, origin, category, priority, kind })
        }
        What::PutsChange => {
            let status = [Status::Stalled, Status::New, Status::InProgress, Status::Rejected, Status::Accepted][b % 5];
            Ask::PutChange { change: change(a), status, reason: why }
        }
        What::Releases => {
            let release = "UMD-1".parse().ok()?;
            match b % 4 {
                0 => {
                    let on = ["2027-01-18", "2027-02-01"][a % 2].parse().ok()?;
                    let planned = ReleasePlanned { release, title: String::new(), on, every: None };
                    Ask::PlanRelease { planned, reason: why }
                }
                1 => Ask::ScopeRelease { release, rollouts: vec![rollout], bundles: vec![bundle(a)], reason: why },
                2 => Ask::TellOfRelease { release, on: None, reason: why },
                _ => Ask::TellOfEmergency { change: change(a), on: None, reason: why },
            }
        }
        What::AnswersReview => {
            let (documented, works) = (b.is_multiple_of(2), a.is_multiple_of(3));
            Ask::AnswerReview { review: a as u64 % 4, documented, works, note: why }
        }
        What::Ties if b.is_multiple_of(4) => Ask::Untie { change: change(b), rollout, reason: why },
        What::Ties if b % 4 == 1 => {
            let gate = GATES[who % GATES.len()].to_owned();
            Ask::Hasten { state: state(site, &rollout, b), rollout, gate, change: change(b), reason: why }
        }
        What::Ties => Ask::Tie { change: change(b), rollouts: vec![rollout], reason: why },
        What::Stalls => Ask::Stall { rollout, reason: why },
        What::Resumes => Ask::Resume { rollout, reason: why },
        What::Dates if b.is_multiple_of(6) => Ask::Unschedule { rollout, reason: why },
        What::Dates => {
            let at = site.wall().checked_add(HOUR * [1, 30, 170, 300, 0][b % 5]).ok()?;
            // The second after each has its own turn.
            let at = (b % 7 != 3).then_some(at);
            Ask::Schedule { state: state(site, &rollout, b), rollout, at, reason: why }
        }
        What::Declares => {
            let start = site.wall().checked_add(HOUR * [0, 1, 25, 100][b % 4]).ok()?;
            let end = start.checked_add(HOUR * [2, 24, 30, 0][who % 4]).ok()?;
            let (dist, title) = (place(b), "new disks".to_owned());
            Ask::DeclareMaintenance(MaintenanceDeclared {
                maintenance: maintenance(a),
                dist,
                title,
                start,
                end,
                justification: why,
            })
        }
        What::CallsOff => Ask::EndMaintenance { maintenance: maintenance(a), reason: why },
        What::GivesUp => Ask::GiveUp { rollout, reason: why },
        What::Loses => {
            let (dist, nevra) = PACKAGES[a % PACKAGES.len()];
            let (dist, nevra) = package(dist, nevra);
            Ask::Lose { nevra, dist: Some(dist), reason: why }
        }
        What::Allows => {
            let (dist, nevra) = PACKAGES[a % PACKAGES.len()];
            let (dist, nevra) = package(dist, nevra);
            if b.is_multiple_of(4) {
                Ask::Disallow { nevra, dist: Some(dist), reason: why }
            } else {
                Ask::Allow { nevra, dist: Some(dist), reason: why }
            }
        }
        What::Cleans => {
            let trees: Vec<_> = site.world.trees.iter().map(|(id, _)| id.clone()).collect();
            let tree = trees.get(a % trees.len().max(1))?.clone();
            let listed: Vec<Nevra> = site.world.trees.listing(&tree).nevras().cloned().collect();
            let what = match b % 4 {
                0 => Taken::AllBut(1),
                _ => Taken::Packages(listed.get(b % listed.len().max(1)).cloned().into_iter().collect()),
            };
            Ask::Clean(ToClean { tree, what, may_shrink: false, reason: why })
        }
        What::Restores => Ask::Restore(restored(site, a, b, why)?),
        _ => return None,
    })
}

/// A tree and what it listed at some time, or what it lists now.
fn restored(site: &Site, a: usize, b: usize, reason: String) -> Option<ToRestore> {
    let (tree, earlier) = site.history.get((a * 24 + b) % site.history.len().max(1)).cloned()?;
    let earlier = if a.is_multiple_of(5) { site.earlier(&tree) } else { earlier };
    Some(ToRestore {
        tree,
        earlier,
        missing: BTreeSet::new(),
        also_rejected: b.is_multiple_of(3),
        may_shrink: false,
        reason,
    })
}

fn place(n: usize) -> Option<DistPath> {
    [None, Some(sample::DIST), Some(sample::OTHER)][n % 3].map(|dist| dist.parse().expect("a path"))
}

/// Where a rollout can go next, or somewhere else.
fn state(site: &Site, rollout: &RolloutId, n: usize) -> String {
    let workflow = &site.rules.distributions.values().next().expect("one").workflow;
    let known = site.model.rollouts.get(rollout).map(|known| known.state.clone());
    let next: Vec<_> = workflow.transitions().iter().filter(|t| Some(t.from.as_str()) == known.as_deref()).collect();
    // Forward more often than out.
    let usual = next.iter().filter(|t| t.effect != crate::domain::workflow::Effect::Withdraw).collect::<Vec<_>>();
    match n {
        // The last arrow that does not withdraw leads to production, in all tables.
        0..12 if !usual.is_empty() => usual[usual.len() - 1].to.to_string(),
        12..16 if !usual.is_empty() => usual[n % usual.len()].to.to_string(),
        0..21 if !next.is_empty() => next[n % next.len()].to.to_string(),
        23 => "Nowhere".to_owned(),
        _ => workflow.states()[n % workflow.states().len()].to_string(),
    }
}

fn uploads(site: &mut Site, (dist, nevra): &(&str, &str)) -> Check {
    let package: Package = package(dist, nevra);
    // What is known already is put back by the store, or refused.
    let gone = site.model.gone.get(&package);
    let may_come = gone.is_some_and(|gone| *gone == "lost" || ALLOWED.iter().any(|(_, allowed)| allowed == gone));
    if site.retires(&package.0) || site.model.lies.contains_key(&package) && !may_come {
        return Ok(());
    }
    let took = Accepted {
        dist: package.0.clone(),
        tree: "untested".parse().expect("a name"),
        nevra: package.1,
        sha256: Sha256([nevra.as_bytes()[0]; 32]),
        size: nevra.bytes().map(u64::from).sum(),
        signers: vec!["AA".into()],
        keys: vec![],
        notes: vec![],
        source: None,
        upload: String::new(),
    };
    let waiting = Backlog::default();
    let found = Found::Looked { took_in: vec![took], turned_away: vec![], stuck: vec![], waiting, repeated: false };
    site.hears(&Input::WorkEnded(Work::TakeIn(package.0), WorkEnd::done(found)), &Cause::Work)
}

fn breaks(site: &mut Site, a: usize, b: usize) -> Check {
    let (dist, nevra) = PACKAGES[a % PACKAGES.len()];
    let (dist, nevra) = package(dist, nevra);
    let trees = site.model.lies.get(&(dist.clone(), nevra.clone()));
    let here = trees.into_iter().flat_map(|trees| trees.keys().cloned());
    let named = ["untested", "testing", "delta", "production"][b % 4].parse().expect("a name");
    // Either its bytes are nowhere, or a tree is as nobody knows it.
    let (trees, what) = match b % 3 {
        0 => (vec![named], Kind::Strange),
        _ => (here.collect(), Kind::Missing(BTreeSet::from([nevra]))),
    };
    for tree in trees {
        let wrong = Wrong { why: "do this".to_owned(), what: what.clone() };
        site.wrong.insert(TreeId { dist: dist.clone(), tree }, wrong);
    }
    site.changes()
}

fn trusts(site: &mut Site, a: usize, b: usize) -> Check {
    let standing = if b % 4 == 3 { Standing::Revoked } else { Standing::Good };
    let tree = ["testing", "delta", "production"][a % 3].parse().expect("a name");
    let min_signers = if b % 5 == 4 { 2 } else { 1 };
    for rules in site.rules.distributions.values_mut() {
        let certs = [("AA".to_owned(), standing)].into();
        rules
            .trust
            .insert(crate::domain::names::TreeName::clone(&tree), Trust { certs, min_signers, ..Trust::default() });
    }
    site.changes()
}

fn hints(site: &mut Site, Step { a, b, who, .. }: Step, number: usize) -> Check {
    // Some come again, some late, and some from a clock that is ahead.
    let delivery = if who == 0 { "again".to_owned() } else { number.to_string() };
    let at = match who {
        1 => site.wall().checked_sub(HOUR * 2).ok(),
        2 => site.wall().checked_add(HOUR).ok(),
        3..8 => Some(site.wall()),
        _ => None,
    };
    let rollout = if who == 9 { "nobody".to_owned() } else { id(a).to_string() };
    let (hook, actor) = ("rt".parse().expect("a name"), "jane".to_owned());
    let hint = Hint { hook, delivery, rollout, state: state(site, &id(a), b), actor, at };
    site.hears(&Input::Heard(hint), &Cause::Tracker)
}

/// A rollout is taken one step on, with all that it needs: few sequences come far by chance.
fn drives(site: &mut Site, rollout: &RolloutId, b: usize) -> Check {
    let by = &sample::person(PEOPLE);
    let Some(known) = site.model.rollouts.get(rollout) else {
        let parts = parts([1, 4, 8, 16, 9, 2][b % 6]);
        return site.asks(by, Ask::Submit { rollout: rollout.clone(), title: String::new(), parts });
    };
    let packages = known.packages.clone();
    for place in PACKAGES.iter().filter(|(dist, nevra)| packages.contains(&package(dist, nevra))) {
        uploads(site, place)?;
    }
    if !b.is_multiple_of(3) {
        prepares(site, rollout)?;
    }
    if !b.is_multiple_of(4) {
        site.passes(HOUR * 170)?;
    }
    let ask = Ask::Move { rollout: rollout.clone(), state: state(site, rollout, 0), reason: String::new() };
    site.asks(by, ask)?;
    if b.is_multiple_of(5) { Ok(()) } else { site.works() }
}

/// Two rollouts are taken some steps on together; sometimes that fails, and one of them goes another way.
fn drives_bundle(site: &mut Site, rollouts: &[RolloutId; 2], b: usize) -> Check {
    for _ in 0..=b % 4 {
        site.works()?;
        goes_on_together(site, rollouts, b)?;
    }
    if b % 3 == 2 {
        site.works()?;
    } else {
        let by = &sample::person(PEOPLE);
        site.begins(b);
        site.ends(Some(b))?;
        let rollout = rollouts[b % 2].clone();
        let reason = "because".to_owned();
        let ask = match b % 3 {
            0 => Ask::GiveUp { rollout, reason },
            _ => Ask::Move { state: "Rejected".to_owned(), rollout, reason },
        };
        site.asks(by, ask)?;
    }
    Ok(())
}

/// Two rollouts with a package or two each are taken one step on together.
fn goes_on_together(site: &mut Site, rollouts: &[RolloutId; 2], b: usize) -> Check {
    let by = &sample::person(PEOPLE);
    for (rollout, parts) in rollouts.iter().zip([parts([1, 4, 9][b % 3]), parts([16, 20, 2][b % 3])]) {
        let Some(known) = site.model.rollouts.get(rollout) else {
            site.asks(by, Ask::Submit { rollout: rollout.clone(), title: String::new(), parts })?;
            continue;
        };
        let packages = known.packages.clone();
        for place in PACKAGES.iter().filter(|(dist, nevra)| packages.contains(&package(dist, nevra))) {
            uploads(site, place)?;
        }
        prepares(site, rollout)?;
    }
    site.passes(HOUR * 170)?;
    let has = |bundle: &super::model::Bundle| !bundle.closed && bundle.members.contains(&rollouts[0]);
    let bundle = site.model.bundles.iter().find(|(_, bundle)| has(bundle)).map(|(id, _)| id.clone());
    let Some(bundle) = bundle else { return Ok(()) };
    // What others have in it, too, may be somewhere else.
    let only = if b.is_multiple_of(4) { vec![] } else { rollouts.to_vec() };
    let state = state(site, &rollouts[0], 0);
    site.asks(by, Ask::MoveBundle { bundle, state, only, reason: "because".to_owned() })
}

/// Everything that people can do for a rollout is done, so that sequences get as far as production.
fn prepares(site: &mut Site, rollout: &RolloutId) -> Check {
    let (by, why) = (&sample::person(PEOPLE), || "because".to_owned());
    let (team, bundle) = (team(0), site.model.bundles.iter().find(|(_, b)| !b.closed).map(|(id, _)| id.clone()));
    let bundle = bundle.unwrap_or_else(|| self::bundle(rollout.as_str().len()));
    let id = || rollout.clone();
    let known = site.model.rollouts.get(rollout).map(|known| known.state.clone()).unwrap_or_default();
    let workflow = site.rules.distributions.values().next().expect("one").workflow.clone();
    let leaving: Vec<_> = workflow.transitions().iter().filter(|t| t.from.as_str() == known).collect();
    site.asks(by, Ask::Register { team: sample::registered(team.clone(), false), reason: why() })?;
    site.asks(by, Ask::Assign { rollout: id(), teams: vec![team.clone()], beta: false, reason: why() })?;
    let answered = Answered { rollout: id(), team: team.clone(), accepts: true };
    site.asks(by, Ask::Answer { answered, reason: why() })?;
    let (outcome, summary) = (Outcome::Success, String::new());
    site.asks(
        by,
        Ask::Report(Reported {
            rollout: id(),
            team: team.clone(),
            outcome,
            summary,
            sections: Sections::default(),
            file: None,
        }),
    )?;
    site.asks(by, Ask::OpenBundle(BundleOpened { bundle: bundle.clone(), title: String::new() }))?;
    site.asks(by, Ask::JoinBundle { bundle: bundle.clone(), rollouts: vec![id()], reason: why() })?;
    let all: Vec<RolloutId> = site.model.bundles.get(&bundle).iter().flat_map(|b| b.members.iter()).cloned().collect();
    site.asks(by, Ask::Announce { bundle: bundle.clone(), rollouts: all, reason: why() })?;
    site.passes(workflow.settling().unwrap_or_default())?;
    let (kind, teams, quarantine) = (TaskKind::RollOut, vec![team], Some(Duration::ZERO));
    site.asks(by, Ask::CreateTasks { services: [].into(), bundle, kind, teams, quarantine, reason: why() })?;
    let open: Vec<u64> = site.model.tasks.iter().filter(|(_, t)| t.outcome.is_none()).map(|(n, _)| *n).collect();
    for task in open {
        site.asks(by, Ask::BeginTask { task, outcome, reason: why() })?;
        site.asks(by, Ask::EndTask { task, outcome, early: false, reason: why() })?;
    }
    for step in leaving.iter().filter(|step| step.gates.iter().any(|gate| gate.name == "approvals")) {
        site.asks(by, Ask::Approve { rollout: id(), state: step.to.to_string(), role: None, reason: why() })?;
    }
    Ok(())
}
