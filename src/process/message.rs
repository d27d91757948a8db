//! What people have to be told: a procedure says when, whom and by which template.
//!
//! A message is an entry in the same append as what it tells of, like a [notice](super::notice) to a program. It has the
//! values that its template needs, as they were at that time, and not the text: a template may be improved, and the
//! logbook does not grow by the same sentences again and again. No value names a person, who may want to be erased.
//!
//! The text is sent by nobody yet. It is listed until somebody says that people were told.

use std::collections::BTreeSet;

use super::decision::{Decision, Entry};
use super::fact::assignment::Assigned;
use super::fact::incident::{ProblemOpened, ProblemRecurred};
use super::fact::notice::Message;
use super::fact::rollout::{Done, Moved, Submitted};
use super::fact::task::{QuarantineOver, TaskBegun, TaskCreated, TaskDone, TaskReassigned};
use super::fact::{Fact, Kind as _, Subject, halt, review};
use super::gate::{acknowledged, exposure};
use super::known::Known;
use super::rules::DistRules;
use super::world::World;
use super::world::adopters::Standing;
use super::world::bundles::Update;
use crate::domain::message::{Field, Group, Values};
use crate::domain::names::{BundleId, DistPath, RolloutId};
use crate::domain::naming::team::TeamName;
use crate::domain::refusal::Refusal;
use crate::domain::request::Priority;
use crate::domain::rollout::Rollout;
use crate::domain::workflow::{Notice, Occasion, State};
use crate::format::quantity;

/// Lines of a value; a rollout may have thousands of packages.
const LINES_MAX: usize = 100;

/// A decision with the messages that its entries call for.
pub(super) fn with_messages(known: Known<'_>, mut decision: Decision) -> Decision {
    let is_occasion =
        |entry: &Entry| known.rules.distributions.values().any(|rules| notices(rules, &entry.fact).next().is_some());
    if !decision.entries.iter().any(is_occasion) {
        return decision;
    }
    // People are told how things are when all of it is written down.
    let mut world = known.world.clone();
    world.elapsed = Some(known.now.elapsed);
    let first = world.last + 1;
    for (entry, seq) in decision.entries.iter().zip(first..) {
        world.apply(seq, known.now.wall, entry.who.as_str(), &entry.fact);
    }
    let after = Known { world: &world, ..known };
    let update = |entry: &Entry| match &entry.fact {
        Fact::Done(Done { rollout: Some(rollout), .. }) | Fact::Moved(Moved { rollout, plan: None, .. }) => {
            world.bundles.update_of(rollout)
        }
        _ => None,
    };
    // Of an update whose rollouts come out together, the last one releases it.
    let releases = |n: usize| {
        let own = update(&decision.entries[n]);
        own.is_none() || !decision.entries[n + 1..].iter().any(|later| update(later) == own)
    };
    let entries = decision.entries.iter().zip(first..).enumerate();
    let due: Vec<Message> =
        entries.flat_map(|(n, (entry, cause))| messages(after, &entry.fact, cause, releases(n))).collect();
    decision.entries.extend(due.into_iter().map(Entry::of_daemon));
    decision
}

/// The lines of a procedure for which a fact may be the occasion, as far as the fact itself says.
fn notices<'r>(rules: &'r DistRules, fact: &Fact) -> impl Iterator<Item = &'r Notice> {
    let (kind, enters) = (fact.kind(), may_enter(fact));
    let is_suspicious = suspicious(fact).is_some();
    let releases = matches!(fact, Fact::Done(_) | Fact::UpdateNumbered(_) | Fact::Moved(Moved { plan: None, .. }));
    rules.workflow.notices().iter().filter(move |notice| match &notice.when {
        Occasion::Entered(..) => enters,
        Occasion::UpdateReleased => releases,
        Occasion::Security => is_suspicious,
        Occasion::Fact(of, _) => *of == kind || (enters && *of == Assigned::NAME),
    })
}

/// The distribution in which a file was refused that looks tampered with.
fn suspicious(fact: &Fact) -> Option<&DistPath> {
    let (dist, code) = match fact {
        Fact::Refused(refused) => (&refused.dist, &refused.code),
        Fact::RefusedTogether(refused) => (&refused.dist, &refused.code),
        _ => return None,
    };
    Refusal::is_suspicious(code).then_some(dist)
}

/// Whether a rollout may have come into a state by it.
fn may_enter(fact: &Fact) -> bool {
    matches!(fact, Fact::Submitted(_) | Fact::Done(_) | Fact::Moved(Moved { plan: None, .. }))
}

/// The messages that a fact calls for in the world after it; `releases` says whether it may release an update.
fn messages(known: Known<'_>, fact: &Fact, cause: u64, releases: bool) -> Vec<Message> {
    let event = Event::of(known, fact);
    // Several distributions with one procedure are told once.
    let mut seen: Vec<(&str, &Notice)> = Vec::new();
    let mut all = Vec::new();
    for rules in event.procedures() {
        let procedure = rules.workflow.name();
        for notice in notices(rules, fact).filter(|notice| event.is_occasion(&notice.when)) {
            if !releases && matches!(notice.when, Occasion::UpdateReleased) {
                continue;
            }
            if seen.contains(&(procedure, notice)) {
                continue;
            }
            seen.push((procedure, notice));
            // Whoever uploads such files must not bury other messages under theirs: who reads one finds the rest.
            if notice.when == Occasion::Security && is_waiting(known, procedure, notice) {
                continue;
            }
            // Who was asked beforehand is told when there is something to test.
            if matches!(&notice.when, Occasion::Fact(of, _) if *of == Assigned::NAME && *of != fact.kind()) {
                let teams = event.waiting().cloned().map(Some);
                all.extend(teams.filter_map(|team| Event { team, ..event.clone() }.message(rules, notice, cause)));
                continue;
            }
            // What is told of an update is about all of its rollouts.
            let is_update = notice.when == Occasion::UpdateReleased;
            let rollout = event.rollout.filter(|_| !is_update);
            all.extend(Event { rollout, is_released: is_update, ..event.clone() }.message(rules, notice, cause));
        }
    }
    all
}

/// Whether the same is to be told already.
fn is_waiting(known: Known<'_>, procedure: &str, notice: &Notice) -> bool {
    let is_same = |message: &Message| message.procedure == procedure && message.template == notice.template;
    known.world.messages.after(None).any(|(.., message)| is_same(message))
}

/// What has happened, and the things that it is about.
#[derive(Clone)]
struct Event<'a> {
    known: Known<'a>,
    fact: &'a Fact,
    rollout: Option<&'a Rollout>,
    bundle: Option<BundleId>,
    team: Option<TeamName>,
    update: Option<&'a Update>,
    /// Whether it is told that the update is released: only what is released belongs to it then.
    is_released: bool,
}

impl<'a> Event<'a> {
    fn of(known: Known<'a>, fact: &'a Fact) -> Self {
        let world: &'a World = known.world;
        let mut event = Self { known, fact, rollout: None, bundle: None, team: None, update: None, is_released: false };
        for subject in fact.about() {
            match subject {
                Subject::Rollout(id) if event.rollout.is_none() => event.rollout = world.rollouts.get(&id),
                Subject::Bundle(id) => event.bundle = Some(id),
                Subject::Team(team) if event.team.is_none() => event.team = Some(team),
                _ => {}
            }
        }
        event.bundle = event.bundle.or_else(|| Some(world.bundles.of(&event.rollout?.id)?.0.clone()));
        event.update = match fact {
            Fact::UpdateNumbered(numbered) => world.bundles.update(&numbered.series, numbered.number),
            _ => event.rollout.and_then(|rollout| world.bundles.update_of(&rollout.id)),
        };
        event
    }

    /// The rules of the distributions that it concerns; of all if it concerns none in particular.
    fn procedures(&self) -> Vec<&'a DistRules> {
        let rules = &self.known.rules.distributions;
        let members = self.bundle.as_ref().and_then(|bundle| self.known.world.bundles.get(bundle));
        let of_members = members.into_iter().flat_map(|bundle| &bundle.members);
        let of_members = of_members.filter_map(|id| self.known.world.rollouts.get(id)).flat_map(Rollout::dists);
        let own = self.rollout.into_iter().flat_map(Rollout::dists);
        let dists: BTreeSet<&DistPath> = match self.rollout {
            Some(_) => own.collect(),
            None => of_members.chain(self.place()).collect(),
        };
        if dists.is_empty() {
            rules.values().collect()
        } else {
            dists.into_iter().filter_map(|d| rules.get(d)).collect()
        }
    }

    /// The distribution in which nothing is promoted, a file was refused, or a tree was changed.
    fn place(&self) -> Option<&'a DistPath> {
        match self.fact {
            Fact::Halted(halt::Halted { dist, .. }) | Fact::HaltEnded(halt::HaltEnded { dist, .. }) => dist.as_ref(),
            Fact::MaintenanceDeclared(declared) => declared.dist.as_ref(),
            Fact::Altered(altered) => Some(&altered.dist),
            Fact::MaintenanceEnded(ended) => self.known.world.maintenances.get(&ended.maintenance)?.dist.as_ref(),
            fact => suspicious(fact),
        }
    }

    fn is_occasion(&self, when: &Occasion) -> bool {
        let is_in = |state: &State| self.rollout.is_some_and(|rollout| rollout.state == *state);
        match when {
            Occasion::Entered(_, from) if !from.is_empty() && !self.left().is_some_and(|left| from.contains(left)) => {
                false
            }
            Occasion::Entered(state, _) => match self.fact {
                Fact::Submitted(Submitted { state: entered, .. }) | Fact::Moved(Moved { to: entered, .. }) => {
                    entered == state.as_str()
                }
                // What was overtaken by another plan is done when that is.
                _ => is_in(state) && self.rollout.is_some_and(|rollout| rollout.plan.is_none()),
            },
            // What went back to early adopters, or was rejected, is not waited for (S1-53).
            Occasion::UpdateReleased => self.update.is_some_and(|update| {
                let comes =
                    |id| self.known.world.rollouts.get(id).is_some_and(|it| self.known.is_ready_for_release(it));
                let (released, other): (Vec<_>, Vec<_>) =
                    self.known.world.bundles.released_by(update).partition(|id| self.known.is_released(id));
                !released.is_empty() && !other.into_iter().any(comes) && self.is_about_its_release()
            }),
            Occasion::Security => true,
            Occasion::Fact(of, state) => {
                let is_early =
                    *of == Assigned::NAME && !self.rollout.is_some_and(|it| acknowledged::is_in_test(self.known, it));
                state.as_ref().is_none_or(is_in) && !is_early
            }
        }
    }

    /// The state in which the rollout was before.
    fn left(&self) -> Option<&'a State> {
        self.rollout?.left.as_ref()
    }

    /// Whether this may be what an update waited for: a rollout of it has come to everybody, or comes no more. What happens to it
    /// afterwards is other news.
    fn is_about_its_release(&self) -> bool {
        match (self.fact, self.rollout) {
            (Fact::UpdateNumbered(_), _) => true,
            (Fact::Moved(moved), Some(rollout)) => {
                let mut before = rollout.clone();
                before.state = State::recorded(&moved.from);
                self.known.is_ready_for_release(&before)
            }
            (Fact::Done(_), Some(rollout)) => self.known.is_released(&rollout.id),
            _ => false,
        }
    }

    /// The teams that were asked before the rollout came where it is tested, if it has just come there.
    fn waiting(&self) -> impl Iterator<Item = &'a TeamName> {
        // Also on hold: nobody tells them later.
        let asks = |rollout: &Rollout| {
            let asks = |rules: &DistRules| acknowledged::asks(&rules.workflow, &rollout.state);
            self.known.rules.of(&rollout.parts).is_ok_and(asks)
        };
        let came = self.rollout.filter(|rollout| match self.fact {
            Fact::Done(_) | Fact::Moved(_) => rollout.plan.is_none() && !rollout.cancelled && asks(rollout),
            _ => false,
        });
        let asked = came.into_iter().flat_map(|rollout| {
            let of_it = self.known.world.adopters.of(&rollout.id);
            of_it.filter(|(_, adopter)| {
                adopter.standing() == Standing::Assigned
                    && adopter.asked.as_ref().is_some_and(|asked| asked.at < rollout.since)
            })
        });
        asked.map(|(team, _)| team)
    }

    /// `None` if it would be for nobody.
    fn message(&self, rules: &DistRules, notice: &Notice, cause: u64) -> Option<Message> {
        let mut teams: BTreeSet<TeamName> = BTreeSet::new();
        let mut others = false;
        for group in &notice.to {
            match group.as_str() {
                // Whoever had a task is told, too, that another team has it now.
                Group::TEAM => teams.extend(self.team.clone().into_iter().chain(self.before())),
                Group::EARLY_ADOPTERS => teams.extend(self.testers().cloned()),
                _ => others = true,
            }
        }
        if teams.is_empty() && !others {
            return None;
        }
        let fields = rules.workflow.template(&notice.template)?.fields();
        let values: Values = fields.into_iter().filter_map(|field| Some((field, self.value(rules, field)?))).collect();
        Some(Message {
            to: notice.to.clone(),
            teams: teams.into_iter().collect(),
            procedure: rules.workflow.name().to_owned(),
            template: notice.template.clone(),
            values,
            cause,
            rollout: self.rollout.map(|rollout| rollout.id.clone()),
            bundle: self.bundle.clone(),
        })
    }

    /// The team that had a task which another one has now.
    fn before(&self) -> Option<TeamName> {
        match self.fact {
            Fact::TaskReassigned(given) => Some(given.from.clone()),
            _ => None,
        }
    }

    /// The teams that test the rollout or have a task of the bundle.
    fn testers(&self) -> impl Iterator<Item = &'a TeamName> {
        let world = self.known.world;
        let adopters = self.rollout.into_iter().flat_map(|rollout| world.adopters.of(&rollout.id));
        let asked = adopters.filter(|(_, adopter)| adopter.standing() != Standing::Declined).map(|(team, _)| team);
        let tasks = self.bundle.iter().flat_map(|bundle| world.tasks.of(bundle)).map(|(_, task)| &task.team);
        asked.chain(tasks)
    }

    /// The rollouts of the update or of the bundle.
    fn members(&self) -> impl Iterator<Item = &'a RolloutId> {
        let bundle = self.bundle.as_ref().and_then(|bundle| self.known.world.bundles.get(bundle));
        let of_update = self.update.into_iter().flat_map(|update| self.known.world.bundles.released_by(update));
        let of_bundle = bundle.filter(|_| self.update.is_none()).into_iter().flat_map(|bundle| bundle.members.iter());
        of_update.chain(of_bundle).filter(|id| !self.is_released || self.known.is_released(id))
    }

    /// A value, if there is one.
    fn value(&self, rules: &DistRules, field: Field) -> Option<String> {
        let Self { known, rollout, .. } = *self;
        let world = known.world;
        let task = match self.fact {
            Fact::TaskCreated(TaskCreated { task, .. })
            | Fact::TaskReassigned(TaskReassigned { task, .. })
            | Fact::TaskBegun(TaskBegun { task, .. })
            | Fact::QuarantineOver(QuarantineOver { task, .. })
            | Fact::TaskDone(TaskDone { task, .. }) => Some(*task),
            _ => None,
        };
        let of_task = || world.tasks.get(task?);
        let review = match self.fact {
            Fact::ReviewOpened(review::ReviewOpened { review, .. })
            | Fact::ReviewAnswered(review::ReviewAnswered { review, .. })
            | Fact::ReviewOverdue(review::ReviewOverdue { review, .. }) => Some(*review),
            _ => None,
        };
        let adopter = || world.adopters.get(&rollout?.id, self.team.as_ref()?);
        match field {
            Field::Rollout => Some(rollout?.id.to_string()),
            Field::Title => Some(rollout?.title.clone()).filter(|title| !title.is_empty()),
            Field::State => Some(rollout?.state.to_string()),
            Field::Distributions => {
                let own = rollout.into_iter().flat_map(Rollout::dists);
                let all: Vec<String> = own.chain(self.place()).map(DistPath::to_string).collect();
                (!all.is_empty()).then(|| all.join(", "))
            }
            Field::Packages => lines(rollout?.packages().map(|(_, nevra)| nevra.to_string())),
            Field::Links => {
                let own = rollout.map(|rollout| vec![&rollout.id]);
                let all = own.unwrap_or_else(|| self.members().collect());
                let dossiers = all.into_iter().filter_map(|id| world.dossiers.of(id));
                let links: BTreeSet<String> =
                    dossiers.flat_map(|it| it.links.iter().map(|(what, url)| format!("{what}: {url}"))).collect();
                lines(links.into_iter())
            }
            Field::Issues => {
                lines(world.issues.of(&rollout?.id).filter(|(_, issue)| issue.open).map(|(name, issue)| {
                    let show_stopper = issue.show_stopper.then_some("show-stopper");
                    let workaround = Some(issue.workaround.as_str()).filter(|text| !text.is_empty());
                    let criticality = Some(issue.criticality.as_str()).filter(|text| !text.is_empty());
                    let more: Vec<&str> = show_stopper.into_iter().chain(criticality).chain(workaround).collect();
                    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
                    format!("{name}: {}{more}", issue.title)
                }))
            }
            Field::Teams => lines(self.testers().map(TeamName::to_string)),
            Field::Team => Some(self.team.as_ref()?.to_string()),
            Field::AnswerBy => Some(format!(
                "{:.0}",
                acknowledged::answer_by(known, rules, &rollout?.id, (self.team.as_ref()?, adopter()?))?
            )),
            Field::Outcome => match of_task() {
                Some(task) => task.outcome().map(|outcome| outcome.to_string()),
                None => match adopter()?.standing() {
                    Standing::Reported(outcome) => Some(outcome.to_string()),
                    _ => None,
                },
            },
            Field::ExposureEnds => Some(format!("{:.0}", exposure::ends(known, rollout?)?.wall)),
            Field::Bundle => Some(self.bundle.as_ref()?.to_string()),
            Field::Members => {
                let title = |id| world.rollouts.get(id).map(|rollout| rollout.title.as_str());
                lines(self.members().map(|id| match title(id) {
                    None | Some("") => id.to_string(),
                    Some(title) => format!("{id}: {title}"),
                }))
            }
            Field::Task => Some(task?.to_string()),
            Field::TaskKind => Some(of_task()?.kind.as_str().to_owned()),
            Field::Quarantine => Some(quantity::show_duration(of_task()?.quarantine)),
            Field::Reversal => {
                let said = |id| Some((id, world.attributes.said(id).reversal?));
                lines(self.members().filter_map(said).map(|(id, how)| format!("{id}: {how}")))
            }
            Field::Series => Some(self.update?.series.to_string()),
            Field::Update => Some(self.update?.number.to_string()),
            Field::Priority => {
                let urgency = self.update?.urgency(&world.attributes).unwrap_or(Priority::Normal);
                // The seed's template marks it so.
                Some(match urgency.for_sites() {
                    "URGENT" => "**URGENT**".to_owned(),
                    word => word.to_owned(),
                })
            }
            Field::Review => Some(review?.to_string()),
            Field::ReviewBy => Some(format!("{:.0}", world.reviews.get(review?)?.due)),
            Field::Problem => match self.fact {
                Fact::ProblemOpened(ProblemOpened { problem, .. })
                | Fact::ProblemRecurred(ProblemRecurred { problem, .. }) => Some(problem.to_string()),
                _ => None,
            },
            Field::Event => Some(self.fact.to_string()),
        }
    }
}

/// One on a line; `None` if there is none.
fn lines(all: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = all.collect();
    let more = all.len().checked_sub(LINES_MAX).filter(|more| *more > 0).map(|more| format!("and {more} more"));
    let text = all.into_iter().take(LINES_MAX).chain(more).collect::<Vec<_>>().join("\n");
    (!text.is_empty()).then_some(text)
}
