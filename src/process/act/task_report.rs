//! What teams say of their tasks: reports, their publication, and issues (S1-09, S1-25, S1-35, S1-48).

use super::recorded;
use super::task::{of_team, unmentioned, warn};
use crate::domain::gate::{Finding, Verdict};
use crate::domain::naming::report_file::Format;
use crate::process::decision::{Answer, Decision};
use crate::process::fact::report::File;
use crate::process::fact::task_report::{TaskIssue, TaskReportPublished, TaskReported};
use crate::process::known::Known;
use crate::process::rights;
use crate::process::who::Caller;

/// Where early adopters find issues, as the tracker's field says it (S1-25).
pub const BETA_SERVICE: &str = "Beta Service";

/// Most issues of one task.
const ISSUES_MAX: usize = 100;

/// Most files of reports on one task, those of earlier reports with them.
const FILES_MAX: usize = 20;

/// A team reports on its task. Reporting is no end: a task that is done can still get its report.
pub(in crate::process) fn report(
    known: Known<'_>,
    caller: &Caller,
    number: u64,
    (text, file): (&str, Option<&File>),
) -> Decision {
    let task = match of_team(known, caller, number) {
        Ok(task) => task,
        Err(decision) => return decision,
    };
    let mut findings = Vec::new();
    if task.begun.is_none() {
        let sentence = format!("Task {number} is New: there is nothing to report before the site was changed.");
        findings.push(Finding::new(Verdict::Reject, "not_begun", sentence));
    }
    if text.trim().is_empty() && file.is_none() {
        let sentence = "A report needs a text, a file, or both.";
        findings.push(Finding::new(Verdict::Reject, "no_report", sentence));
    }
    if let Some(why) = file.and_then(|file| Format::of(&file.name).err()) {
        findings.push(Finding::new(
            Verdict::Reject,
            "file_name",
            format!("The file name is not valid for a report: {why}."),
        ));
    }
    if file.is_some() && task.files().count() >= FILES_MAX {
        let sentence = format!("There are {FILES_MAX} files of reports on task {number} already.");
        findings.push(Finding::new(Verdict::Reject, "too_many_files", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let (bundle, team) = (task.bundle.clone(), task.team.clone());
    let reported = TaskReported { task: number, bundle, team, text: text.to_owned(), file: file.cloned() };
    let mut decision = recorded(known, caller, "", reported);
    warn(&mut decision, task.unmentioned(text, file).map(unmentioned));
    decision
}

/// Lets everybody read the report of a task, or no longer (S1-35).
pub(in crate::process) fn publish(
    known: Known<'_>,
    caller: &Caller,
    (number, published): (u64, bool),
    reason: &str,
) -> Decision {
    let Some(task) = known.world.tasks.get(number) else {
        return Decision::answered(Answer::NotFound(format!("there is no task {number}")));
    };
    if let Some(finding) = rights::PUBLISH.lacking(caller, []) {
        return Decision::refused(vec![finding]);
    }
    // What a text says, the logbook says to everybody.
    let Some(report) = task.report.as_ref().filter(|report| report.file.is_some()) else {
        return Decision::answered(Answer::NotFound(format!("{} has sent no file about task {number}", task.team)));
    };
    if report.published == published {
        let so = if published { "is published already" } else { "is not published" };
        return Decision::answered(Answer::Conflict(format!("the report on task {number} {so}")));
    }
    let (bundle, team) = (task.bundle.clone(), task.team.clone());
    recorded(known, caller, reason, TaskReportPublished { task: number, bundle, team, published })
}

/// A team has found an issue, or takes that back.
pub(in crate::process) fn issue(
    known: Known<'_>,
    caller: &Caller,
    (number, issue, area): (u64, &str, Option<&str>),
    taken_back: bool,
    reason: &str,
) -> Decision {
    let task = match of_team(known, caller, number) {
        Ok(task) => task,
        Err(decision) => return decision,
    };
    let issue = issue.trim();
    let known_area = task.issues.get(issue);
    if taken_back && known_area.is_none() {
        return Decision::answered(Answer::NotFound(format!("task {number} has no issue {issue}")));
    }
    if !taken_back && known_area.is_some_and(|known| known.as_deref() == area) {
        return Decision::answered(Answer::Conflict(format!("task {number} has the issue {issue} already")));
    }
    let mut findings = Vec::new();
    if task.begun.is_none() {
        let sentence = format!("Task {number} is New: nothing is found before the site was changed.");
        findings.push(Finding::new(Verdict::Reject, "not_begun", sentence));
    }
    if issue.is_empty() {
        let sentence = "An issue needs an address or number in its tracker.";
        findings.push(Finding::new(Verdict::Reject, "no_issue", sentence));
    }
    if !taken_back && known_area.is_none() && task.issues.len() >= ISSUES_MAX {
        let sentence = format!("Task {number} has {ISSUES_MAX} issues already.");
        findings.push(Finding::new(Verdict::Reject, "too_many_issues", sentence));
    }
    // Otherwise it is not found among those of early adopters.
    if let Some(area) = area.filter(|area| !taken_back && !area.trim().eq_ignore_ascii_case(BETA_SERVICE)) {
        let sentence = format!(
            "Issues of early adopters have the Bug Detection Area `{BETA_SERVICE}`, but this one has `{area}`."
        );
        findings.push(Finding::new(Verdict::Reject, "area", sentence));
    }
    if !findings.is_empty() {
        return Decision::refused(findings);
    }
    let (bundle, team) = (task.bundle.clone(), task.team.clone());
    let area = area.map(|_| BETA_SERVICE.to_owned());
    let found = TaskIssue { task: number, bundle, team, issue: issue.to_owned(), area, taken_back };
    let mut decision = recorded(known, caller, reason, found);
    let has_report = task.report.as_ref().filter(|_| !taken_back);
    let is_missing = has_report.is_some_and(|report| !report.mentions(issue));
    warn(&mut decision, is_missing.then(|| unmentioned(issue)));
    decision
}
