//! What people have added to each rollout: approvals, an extension, overrides, notes and links, and when it is on hold.

use std::sync::Arc;
use std::time::Duration;

use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Stamp;
use super::pauses::Pauses;
use crate::domain::moment::Elapsed;
use crate::domain::names::{Actor, CheckName, LinkName, Role, RolloutId};
use crate::process::fact::change::{
    Approved, Disapproved, Edited, Extended, Failed, Linked, Noted, Overridden, Resumed, Stalled, Ticked, Unticked,
};
use crate::process::fact::request::ChangeUntied;
use crate::process::fact::rollout::Moved;

/// Notes that are kept of one rollout; the logbook has all of them.
const NOTES_KEPT: usize = 100;

/// What people have added to a rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dossier {
    /// Approvals by state and person, of the packages that the rollout has now.
    pub approvals: OrdMap<(String, Actor), Approval>,
    /// By how much its exposure in its present state is extended.
    pub extended: Duration,
    /// States with gates that do not hold it up on its next step there.
    pub overridden: OrdSet<(String, String)>,
    /// Whether a gate was ever overridden for an emergency.
    pub hastened: bool,
    /// Notes, the newest last.
    pub notes: Vector<Note>,
    /// Addresses of documents, by what they are.
    pub links: OrdMap<LinkName, String>,
    /// Reports of tests that have failed, the newest last.
    pub failures: Vector<Note>,
    /// The number of its cycle, if it is not the first.
    pub cycle: Option<u64>,
    /// What somebody has looked at and found to be as it should be, in the packages that the rollout has now.
    pub ticks: OrdMap<CheckName, Tick>,
    /// Since when it is on hold, by the wall clock.
    pub stalled: Option<Timestamp>,
    /// When it was.
    pub(super) pauses: Pauses,
    /// When it last went on after it was on hold.
    pub resumed: Option<Timestamp>,
}

impl Dossier {
    /// It goes on, if it was on hold.
    fn goes_on(&mut self, stamp: Stamp<'_>) {
        self.stalled = None;
        if self.pauses.end(stamp.since) {
            self.resumed = Some(stamp.at);
        }
    }
}

/// Something that somebody has looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// An approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// For which role.
    pub role: Role,
    /// When.
    pub at: Timestamp,
}

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// It.
    pub text: String,
}

/// What people have added to all rollouts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dossiers {
    by_rollout: OrdMap<RolloutId, Arc<Dossier>>,
}

impl Dossiers {
    /// What was added to a rollout.
    pub fn of(&self, rollout: &RolloutId) -> Option<&Dossier> {
        self.by_rollout.get(rollout).map(|dossier| &**dossier)
    }

    fn change(&mut self, rollout: &RolloutId, how: impl FnOnce(&mut Dossier)) {
        how(Arc::make_mut(self.by_rollout.entry(rollout.clone()).or_default()));
    }

    pub(super) fn approved(&mut self, stamp: Stamp<'_>, Approved { rollout, state, role }: &Approved) {
        let approval = Approval { role: role.clone(), at: stamp.at };
        let key = (state.clone(), Actor::recorded(stamp.who));
        self.change(rollout, |dossier| drop(dossier.approvals.insert(key, approval)));
    }

    pub(super) fn disapproved(&mut self, stamp: Stamp<'_>, Disapproved { rollout, state }: &Disapproved) {
        let key = (state.clone(), Actor::recorded(stamp.who));
        self.change(rollout, |dossier| drop(dossier.approvals.remove(&key)));
    }

    /// An approval holds for the packages that were seen, so it lapses when they change; and so does what was ticked, and a gate
    /// that was overridden. The same if it is of another stack from now on, or in other distributions.
    pub(super) fn edited(&mut self, Edited { rollout, parts, .. }: &Edited, leaves: bool) {
        if (!parts.is_empty() || leaves) && self.by_rollout.contains_key(rollout) {
            self.change(rollout, |dossier| {
                dossier.approvals = OrdMap::new();
                dossier.ticks = OrdMap::new();
                dossier.overridden = OrdSet::new();
            });
        }
    }

    pub(super) fn extended(&mut self, Extended { rollout, seconds }: &Extended) {
        self.change(rollout, |dossier| dossier.extended = Duration::from_secs(*seconds));
    }

    pub(super) fn overridden(&mut self, Overridden { rollout, state, gate, change }: &Overridden) {
        self.change(rollout, |dossier| {
            dossier.overridden.insert((state.clone(), gate.clone()));
            dossier.hastened |= change.is_some();
        });
    }

    pub(super) fn noted(&mut self, stamp: Stamp<'_>, Noted { rollout, note }: &Noted) {
        let note = Note { at: stamp.at, by: Actor::recorded(stamp.who), text: note.clone() };
        self.change(rollout, |dossier| {
            if dossier.notes.len() == NOTES_KEPT {
                dossier.notes.pop_front();
            }
            dossier.notes.push_back(note);
        });
    }

    pub(super) fn failed(&mut self, stamp: Stamp<'_>, Failed { rollout, report, cycle }: &Failed) {
        let report = Note { at: stamp.at, by: Actor::recorded(stamp.who), text: report.clone() };
        self.change(rollout, |dossier| {
            if dossier.failures.len() == NOTES_KEPT {
                dossier.failures.pop_front();
            }
            dossier.failures.push_back(report);
            dossier.cycle = Some(*cycle);
        });
    }

    pub(super) fn linked(&mut self, Linked { rollout, what, url }: &Linked) {
        self.change(rollout, |dossier| match url {
            Some(url) => drop(dossier.links.insert(what.clone(), url.clone())),
            None => drop(dossier.links.remove(what)),
        });
    }

    pub(super) fn stalled(&mut self, stamp: Stamp<'_>, Stalled { rollout }: &Stalled) {
        self.change(rollout, |dossier| {
            dossier.stalled.get_or_insert(stamp.at);
            dossier.pauses.begin(stamp.since);
        });
    }

    pub(super) fn resumed(&mut self, stamp: Stamp<'_>, Resumed { rollout }: &Resumed) {
        self.change(rollout, |dossier| dossier.goes_on(stamp));
    }

    /// Whatever a clock that was ahead has dated later than `now` counts from now on.
    pub(super) fn wait_from(&mut self, now: Elapsed) {
        let ahead = self.by_rollout.iter().filter(|(_, dossier)| dossier.pauses.is_ahead(now));
        let ahead: Vec<RolloutId> = ahead.map(|(id, _)| id.clone()).collect();
        for id in ahead {
            self.change(&id, |dossier| dossier.pauses.wait_from(now));
        }
    }

    pub(super) fn ticked(&mut self, stamp: Stamp<'_>, Ticked { rollout, check }: &Ticked) {
        let tick = Tick { by: Actor::recorded(stamp.who), at: stamp.at };
        self.change(rollout, |dossier| drop(dossier.ticks.insert(check.clone(), tick)));
    }

    pub(super) fn unticked(&mut self, Unticked { rollout, check }: &Unticked) {
        self.change(rollout, |dossier| drop(dossier.ticks.remove(check)));
    }

    /// What a rollout was hurried for is over, and so is what it allowed.
    pub(super) fn untied(&mut self, ChangeUntied { rollout, .. }: &ChangeUntied) {
        if self.by_rollout.contains_key(rollout) {
            self.change(rollout, |dossier| dossier.overridden = OrdSet::new());
        }
    }

    /// What held for one step is used up by it, and what was overridden for the next step by any; what goes back is on hold no
    /// longer.
    pub(super) fn moved(&mut self, stamp: Stamp<'_>, Moved { rollout, to, .. }: &Moved) {
        if self.by_rollout.contains_key(rollout) {
            self.change(rollout, |dossier| {
                dossier.goes_on(stamp);
                dossier.extended = Duration::ZERO;
                dossier.approvals = dossier.approvals.iter().filter(|((state, _), _)| state != to).map(own).collect();
                dossier.overridden = OrdSet::new();
            });
        }
    }
}

fn own<K: Clone, V: Clone>((key, value): (&K, &V)) -> (K, V) {
    (key.clone(), value.clone())
}
