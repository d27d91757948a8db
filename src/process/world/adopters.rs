//! Early adopters of each rollout: which teams were asked, what they answered, and what they reported.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Stamp, Teams};
use crate::domain::names::{Actor, RolloutId};
use crate::domain::naming::team::TeamName;
use crate::domain::report::{self, Outcome, Sections};
use crate::process::fact::assignment::{Answered, Assigned, Installed, Unanswered, Unassigned};
use crate::process::fact::report::{File, ReportPublished, Reported};

/// What a team has to do with a rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopter {
    /// The assignment, if there is one: a team may report unasked.
    pub asked: Option<Asked>,
    /// Its answer, and when it came.
    pub answer: Option<(bool, Timestamp)>,
    /// When it had installed what it tests.
    pub installed: Option<Timestamp>,
    /// Its last report.
    pub report: Option<Report>,
}

/// An assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// Whether on services that carry the tag *beta*.
    pub beta: bool,
}

/// A report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When it came.
    pub at: Timestamp,
    /// Who sent it.
    pub by: Actor,
    /// What came of the test.
    pub outcome: Outcome,
    /// What the team says.
    pub summary: String,
    /// What it says of each thing that it is asked.
    pub sections: Sections,
    /// The whole report.
    pub file: Option<File>,
    /// Whether everybody may read the file.
    pub published: bool,
    /// Whether the team counted when it reported, and did not only observe.
    pub counted: bool,
}

impl Report {
    /// Whether it mentions an issue (S1-25).
    pub fn mentions(&self, issue: &str) -> bool {
        let texts = std::iter::once(self.summary.as_str()).chain(self.sections.said());
        texts.into_iter().any(|text| report::mentions(text, issue))
            || self.file.as_ref().is_some_and(|file| file.mentions(issue))
    }
}

/// Where an assignment stands (S0-40).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It was asked and has not answered.
    Assigned,
    /// It accepted, and installs it.
    Accepted,
    /// It runs it, and has not reported.
    Exposed,
    /// It does not test.
    Declined,
    /// It has reported.
    Reported(Outcome),
}

impl Standing {
    /// Whether the team tests the rollout, or has.
    pub fn accepts(self) -> bool {
        matches!(self, Self::Accepted | Self::Exposed | Self::Reported(_))
    }

    /// One word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Exposed => "exposed",
            Self::Declined => "declined",
            Self::Reported(_) => "reported",
        }
    }
}

impl Adopter {
    /// Where it stands.
    pub fn standing(&self) -> Standing {
        match (&self.report, self.answer) {
            (Some(report), _) => Standing::Reported(report.outcome),
            (None, Some((true, _))) if self.installed.is_some() => Standing::Exposed,
            (None, Some((true, _))) => Standing::Accepted,
            (None, Some((false, _))) => Standing::Declined,
            (None, None) => Standing::Assigned,
        }
    }
}

/// The early adopters of all rollouts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Adopters {
    by_rollout: OrdMap<RolloutId, OrdMap<TeamName, Arc<Adopter>>>,
    /// The rollouts that each team has to do with.
    by_team: OrdMap<TeamName, OrdSet<RolloutId>>,
    /// The files of all reports, also of earlier ones, in the order in which they came.
    files: OrdMap<RolloutId, OrdMap<TeamName, Vector<File>>>,
    /// Rollouts that teams were asked to test and that none has accepted, by when one was asked last.
    unaccepted: OrdSet<(Timestamp, RolloutId)>,
    /// The same by rollout.
    indexed: OrdMap<RolloutId, Timestamp>,
    /// Those of which it was said that nobody has accepted, until another team is asked.
    said: OrdSet<RolloutId>,
}

impl Adopters {
    /// One team of a rollout.
    pub fn get(&self, rollout: &RolloutId, team: &TeamName) -> Option<&Adopter> {
        self.by_rollout.get(rollout).and_then(|teams| teams.get(team)).map(|adopter| &**adopter)
    }

    /// All teams of a rollout, by name.
    pub fn of(&self, rollout: &RolloutId) -> impl Iterator<Item = (&TeamName, &Adopter)> {
        let teams = self.by_rollout.get(rollout);
        teams.into_iter().flat_map(|teams| teams.iter().map(|(name, adopter)| (name, &**adopter)))
    }

    /// The rollouts that a team has to do with.
    pub fn rollouts(&self, team: &TeamName) -> impl Iterator<Item = &RolloutId> {
        self.by_team.get(team).into_iter().flat_map(OrdSet::iter)
    }

    /// The files of a team's reports about a rollout, the first one first.
    pub fn files_of(&self, rollout: &RolloutId, team: &TeamName) -> impl Iterator<Item = &File> {
        self.files.get(rollout).and_then(|teams| teams.get(team)).into_iter().flat_map(Vector::iter)
    }

    /// How many files of a rollout there are.
    pub fn number_of_files(&self, rollout: &RolloutId) -> usize {
        self.files.get(rollout).map_or(0, |teams| teams.values().map(Vector::len).sum())
    }

    /// All files, each with its rollout and its team.
    pub fn files(&self) -> impl Iterator<Item = (&RolloutId, &TeamName, &File)> {
        let of_rollout = |(rollout, teams)| {
            let teams: &OrdMap<TeamName, Vector<File>> = teams;
            teams.iter().flat_map(move |(team, files)| files.iter().map(move |file| (rollout, team, file)))
        };
        self.files.iter().flat_map(of_rollout)
    }

    /// Rollouts that teams were asked to test after some time, that none has accepted, and of which that was not said; those that were asked last come first.
    pub fn unaccepted(&self, after: Timestamp) -> impl Iterator<Item = &RolloutId> {
        self.unaccepted.iter().rev().take_while(move |(asked, _)| *asked > after).map(|(_, rollout)| rollout)
    }

    /// When a team was asked last to test a rollout that nobody has accepted, as long as that was not said. Observers are
    /// nobody here.
    fn asked_in_vain(&self, rollout: &RolloutId, teams: &Teams) -> Option<Timestamp> {
        let counting = || self.of(rollout).filter(|(team, _)| teams.counts(team));
        if counting().any(|(_, adopter)| adopter.standing().accepts()) || self.said.contains(rollout) {
            return None;
        }
        counting().filter_map(|(_, adopter)| Some(adopter.asked.as_ref()?.at)).max()
    }

    /// Changes something about a rollout, and the index with it.
    fn of_rollout(&mut self, rollout: &RolloutId, teams: &Teams, how: impl FnOnce(&mut Self)) {
        // The registry may have changed since, so that what is in the index is looked for, and not reckoned.
        if let Some(last) = self.indexed.remove(rollout) {
            self.unaccepted.remove(&(last, rollout.clone()));
        }
        how(self);
        if let Some(last) = self.asked_in_vain(rollout, teams) {
            self.unaccepted.insert((last, rollout.clone()));
            self.indexed.insert(rollout.clone(), last);
        }
    }

    fn change(&mut self, rollout: &RolloutId, team: &TeamName, teams: &Teams, how: impl FnOnce(&mut Adopter)) {
        self.of_rollout(rollout, teams, |all| {
            let adopters = all.by_rollout.entry(rollout.clone()).or_default();
            how(Arc::make_mut(adopters.entry(team.clone()).or_default()));
        });
        self.by_team.entry(team.clone()).or_default().insert(rollout.clone());
    }

    pub(super) fn unanswered(&mut self, teams: &Teams, Unanswered { rollout }: &Unanswered) {
        self.of_rollout(rollout, teams, |all| drop(all.said.insert(rollout.clone())));
    }

    pub(super) fn assigned(&mut self, stamp: Stamp<'_>, teams: &Teams, Assigned { rollout, team, beta }: &Assigned) {
        let asked = Asked { at: stamp.at, by: Actor::recorded(stamp.who), beta: *beta };
        self.change(rollout, team, teams, |adopter| adopter.asked = Some(asked));
        self.of_rollout(rollout, teams, |all| drop(all.said.remove(rollout)));
    }

    pub(super) fn answered(&mut self, stamp: Stamp<'_>, teams: &Teams, Answered { rollout, team, accepts }: &Answered) {
        self.change(rollout, team, teams, |adopter| adopter.answer = Some((*accepts, stamp.at)));
    }

    pub(super) fn installed(&mut self, stamp: Stamp<'_>, teams: &Teams, Installed { rollout, team }: &Installed) {
        self.change(rollout, team, teams, |adopter| adopter.installed = Some(stamp.at));
    }

    pub(super) fn unassigned(&mut self, teams: &Teams, Unassigned { rollout, team }: &Unassigned) {
        self.of_rollout(rollout, teams, |all| {
            let Some(adopters) = all.by_rollout.get_mut(rollout) else { return };
            // What it has reported stays.
            match adopters.get_mut(team).map(Arc::make_mut) {
                Some(adopter) if adopter.report.is_some() => {
                    (adopter.asked, adopter.answer, adopter.installed) = (None, None, None);
                }
                _ => {
                    adopters.remove(team);
                    if let Some(rollouts) = all.by_team.get_mut(team) {
                        rollouts.remove(rollout);
                    }
                }
            }
        });
    }

    pub(super) fn published(&mut self, teams: &Teams, ReportPublished { rollout, team, published }: &ReportPublished) {
        self.change(rollout, team, teams, |adopter| {
            if let Some(report) = &mut adopter.report {
                report.published = *published;
            }
        });
    }

    /// What was answered and reported was of other packages.
    pub(super) fn edited(&mut self, rollout: &RolloutId, teams: &Teams) {
        self.of_rollout(rollout, teams, |all| {
            let Some(adopters) = all.by_rollout.get_mut(rollout) else { return };
            let (asked, others): (Vec<_>, Vec<_>) = adopters
                .iter()
                .map(|(team, adopter)| (team.clone(), adopter.asked.clone()))
                .partition(|(_, asked)| asked.is_some());
            let anew = |(team, asked)| (team, Arc::new(Adopter { asked, ..Adopter::default() }));
            *adopters = asked.into_iter().map(anew).collect();
            for (team, _) in others {
                if let Some(rollouts) = all.by_team.get_mut(&team) {
                    rollouts.remove(rollout);
                }
            }
        });
    }

    pub(super) fn reported(&mut self, stamp: Stamp<'_>, teams: &Teams, reported: &Reported) {
        let Reported { rollout, team, outcome, summary, sections, file } = reported.clone();
        if let Some(file) = &file {
            let files = self.files.entry(rollout.clone()).or_default();
            files.entry(team.clone()).or_default().push_back(file.clone());
        }
        let by = Actor::recorded(stamp.who);
        let counted = teams.counts(&team);
        let report = Report { at: stamp.at, by, outcome, summary, sections, file, published: false, counted };
        self.change(&rollout, &team, teams, |adopter| adopter.report = Some(report));
    }
}
