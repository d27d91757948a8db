//! Procedures with the gates that there are: the table is read by `format/procedure`, and may name what `gate` has, and the
//! facts that people are told of.

use std::path::Path;

use super::fact::{
    Kind as _, assignment, bundle, change, halt, incident, issue, maintenance, release, report, review, rollout, task,
    tree, update,
};
use super::gate;
use crate::domain::workflow::Workflow;
use crate::format::complaint::Complaint;
use crate::format::procedure;
pub use crate::format::procedure::{BUILT_IN, FILE_MAX, Read};

/// The kinds of facts that people may be told of.
pub const TOLD_OF: &[&str] = &[
    rollout::Delayed::NAME,
    change::Cancelled::NAME,
    change::Stalled::NAME,
    change::Resumed::NAME,
    change::Extended::NAME,
    change::Overridden::NAME,
    change::Failed::NAME,
    assignment::Assigned::NAME,
    assignment::Answered::NAME,
    assignment::Unanswered::NAME,
    report::Reported::NAME,
    issue::IssueNoted::NAME,
    issue::IssueClosed::NAME,
    review::ReviewOpened::NAME,
    review::ReviewAnswered::NAME,
    review::ReviewOverdue::NAME,
    bundle::BundleAnnounced::NAME,
    task::TaskCreated::NAME,
    task::TaskReassigned::NAME,
    task::TaskBegun::NAME,
    task::QuarantineOver::NAME,
    task::TaskDone::NAME,
    update::UpdateNumbered::NAME,
    halt::Halted::NAME,
    halt::HaltEnded::NAME,
    maintenance::MaintenanceDeclared::NAME,
    maintenance::MaintenanceEnded::NAME,
    release::ReleasePlanned::NAME,
    release::ReleaseCancelled::NAME,
    incident::IncidentRecorded::NAME,
    incident::ProblemOpened::NAME,
    incident::ProblemRecurred::NAME,
    tree::Altered::NAME,
];

/// Reads a procedure file, which is called `file` in complaints.
///
/// # Errors
/// All complaints, in the order of the file.
pub fn read(text: &str, file: &Path) -> Result<Read, Vec<Complaint>> {
    procedure::read(text, file, &gate::forms(), TOLD_OF)
}

/// A procedure that ships with the program.
pub fn built_in(name: &str) -> Option<Workflow> {
    procedure::built_in(name, &gate::forms(), TOLD_OF)
}

/// The names of the procedures that ship with the program.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    procedure::BUILT_IN.iter().map(|(name, _)| *name)
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// The EGI procedure in brief, for tests in which nothing has to wait.
    pub(crate) fn brief() -> Workflow {
        let text = include_str!("../../fixtures/procedures/brief.toml");
        read(text, Path::new("brief.toml")).expect("a procedure").workflow
    }
}
