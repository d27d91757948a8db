//! What is told of a rollout's reports: as a body, as the draft of a summary, as a template for a report.

use std::fmt::Write as _;

use askama::Template;
use serde::{Deserialize, Serialize};

use crate::domain::names::RolloutId;
use crate::domain::naming::document::Document;
use crate::domain::naming::issue_subject::IssueSubject;
use crate::domain::naming::report_file::{Author, ReportFile};
use crate::domain::naming::team::TeamName;
use crate::domain::naming::title::Title;
use crate::domain::report::Sections;
use crate::domain::rollout::Rollout;
use crate::engine::view::View;
use crate::process::world::adopters::{Adopter, Report, Standing};
use crate::process::world::issues::Issue;

/// The reports of a rollout.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ReportsBody {
    /// The rollout.
    pub rollout: String,
    /// Its title.
    pub title: String,
    /// The description of the document with all of them, if the title follows the naming convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The name of the file with their summary.
    pub summary_file: String,
    /// The last report of each team, by name.
    pub reports: Vec<SentBody>,
    /// Teams that have accepted the rollout and have not reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<String>,
    /// Teams that have reported without a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_file: Vec<String>,
    /// The issues of the rollout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<MentionedBody>,
    /// Whether there is a report, with its file, of every team that has accepted.
    pub complete: bool,
}

/// A report.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SentBody {
    /// The team.
    pub team: String,
    /// Whether it counts: the team is registered, and does not only observe.
    pub counts: bool,
    /// success, warning or fail.
    pub outcome: String,
    /// When it came.
    pub at: String,
    /// What the team says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Whether the release notes are right.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub release_notes: String,
    /// Which tests were made.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tests: String,
    /// What the load was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metrics: String,
    /// Which virtual organisations use the service.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vos: String,
    /// What nothing is said of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The file with the whole report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<KeptBody>,
    /// Whether everybody may read the file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub published: bool,
}

/// A file that is kept.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct KeptBody {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub sha256: String,
}

/// An issue, and whether a report mentions it.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MentionedBody {
    /// Its address or number.
    pub issue: String,
    /// One line for people.
    pub title: String,
    /// Whether it is not solved.
    pub open: bool,
    /// Whether the rollout cannot go on with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub show_stopper: bool,
    /// What sites can do until it is solved.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workaround: String,
    /// Whom it hits, and how badly.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub criticality: String,
    /// Whether a report mentions it.
    pub mentioned: bool,
}

/// What is told of the reports of a rollout.
pub(super) fn reports_of(view: &View, rollout: &Rollout) -> ReportsBody {
    let (world, id) = (&view.world, &rollout.id);
    let sent = |(team, adopter): (&TeamName, &Adopter)| {
        let Report { at, outcome, summary, sections, file, published, .. } = adopter.report.as_ref()?;
        let Sections { release_notes, tests, metrics, vos } = sections.clone();
        Some(SentBody {
            team: team.to_string(),
            counts: world.teams.counts(team),
            outcome: outcome.to_string(),
            at: at.to_string(),
            summary: summary.clone(),
            missing: sections.missing().map(str::to_owned).collect(),
            release_notes,
            tests,
            metrics,
            vos,
            file: file.as_ref().map(|file| KeptBody {
                name: file.name.clone(),
                size: file.size,
                sha256: file.sha256.to_hex(),
            }),
            published: *published,
        })
    };
    let reports: Vec<SentBody> = world.adopters.of(id).filter_map(sent).collect();
    let waiting =
        world.adopters.of(id).filter(|(_, it)| matches!(it.standing(), Standing::Accepted | Standing::Exposed));
    let waiting: Vec<String> = waiting.map(|(team, _)| team.to_string()).collect();
    let without_file: Vec<String> =
        reports.iter().filter(|sent| sent.file.is_none()).map(|sent| sent.team.clone()).collect();
    let issue = |(name, issue): (&str, &Issue)| MentionedBody {
        issue: name.to_owned(),
        title: issue.title.clone(),
        open: issue.open,
        show_stopper: issue.show_stopper,
        workaround: issue.workaround.clone(),
        criticality: issue.criticality.clone(),
        mentioned: world.adopters.of(id).filter_map(|(_, adopter)| adopter.report.as_ref()).any(|it| it.mentions(name)),
    };
    let title = rollout.title.parse::<Title>().ok();
    ReportsBody {
        rollout: id.to_string(),
        title: rollout.title.clone(),
        description: title.as_ref().map(|title| Document::of(&title.subject).to_string()),
        summary_file: title.as_ref().map_or_else(
            || plain_name(id, "summary"),
            |title| ReportFile::new(Author::Manager, &title.subject).to_string(),
        ),
        complete: !reports.is_empty() && waiting.is_empty() && without_file.is_empty(),
        issues: world.issues.of(id).map(issue).collect(),
        reports,
        waiting,
        without_file,
    }
}

/// A file name where the title of a rollout gives none.
fn plain_name(id: &RolloutId, author: &str) -> String {
    format!("{author}-{id}.odt")
}

/// The name of a team's report.
fn report_name(rollout: &Rollout, team: &TeamName) -> String {
    let title = rollout.title.parse::<Title>();
    title.map_or_else(
        |_| plain_name(&rollout.id, team.as_str()),
        |title| ReportFile::new(Author::Team(team.clone()), &title.subject).to_string(),
    )
}

/// Why not all reports are there; nothing if they are.
pub(super) fn incomplete(reports: &ReportsBody) -> Option<String> {
    let missing = [
        ("no team has reported", reports.reports.is_empty(), &vec![]),
        ("accepted but not reported", !reports.waiting.is_empty(), &reports.waiting),
        ("reported without a file", !reports.without_file.is_empty(), &reports.without_file),
    ];
    let said = missing.into_iter().filter(|(_, is_so, _)| *is_so).map(|(what, _, teams)| match teams.as_slice() {
        [] => what.to_owned(),
        teams => format!("{what}: {}", teams.join(", ")),
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// The draft of a summary of all reports.
pub(super) fn summary(all: &ReportsBody) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}\n", all.description.as_ref().unwrap_or(&all.title));
    let _ = writeln!(text, "Rollout: {} ({})", all.rollout, all.title);
    let _ = match incomplete(all) {
        None => writeln!(text, "Reports: {}, complete", all.reports.len()),
        Some(why) => writeln!(text, "Reports: {}; {why}", all.reports.len()),
    };
    for sent in &all.reports {
        let counts = if sent.counts { "" } else { ", observer" };
        let day = sent.at.get(.."2011-05-02".len()).unwrap_or(&sent.at);
        let _ = writeln!(text, "\n{}: {}{counts}, {day}", sent.team, sent.outcome);
        if !sent.summary.is_empty() {
            let _ = writeln!(text, "  {}", sent.summary);
        }
        let said = [&sent.release_notes, &sent.tests, &sent.metrics, &sent.vos];
        for ((heading, _), said) in Sections::ASKED.into_iter().zip(said).filter(|(_, said)| !said.is_empty()) {
            let _ = writeln!(text, "  {heading}: {said}");
        }
        if let Some(file) = &sent.file {
            let _ = writeln!(text, "  File: {}", file.name);
        }
    }
    if !all.issues.is_empty() {
        text.push_str("\nIssues\n");
    }
    for issue in &all.issues {
        let open = if issue.open { "open" } else { "closed" };
        let kind = if issue.show_stopper { ", show-stopper" } else { "" };
        let criticality = if issue.criticality.is_empty() { "" } else { "; " };
        let workaround = if issue.workaround.is_empty() { "" } else { "; workaround: " };
        let (title, critical, around) = (&issue.title, &issue.criticality, &issue.workaround);
        let _ = writeln!(text, "  {} ({open}{kind}): {title}{criticality}{critical}{workaround}{around}", issue.issue);
    }
    text
}

/// A report that is to be filled in, as a page that word processors open.
#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    title: String,
    file: String,
    rollout: String,
    team: String,
    rows: Vec<(&'static str, String)>,
    packages: Vec<String>,
    sections: [(&'static str, &'static str); 4],
    subject: String,
    issues: Vec<String>,
}

/// The report that a team fills in (S0-51).
pub(super) fn template(view: &View, rollout: &Rollout, team: &TeamName) -> String {
    let named = rollout.title.parse::<Title>().ok();
    let rows = named.as_ref().map(|title| {
        let subject = &title.subject;
        let all = "all";
        vec![
            ("Stack", subject.stack.as_ref().map_or_else(|| all.to_owned(), ToString::to_string)),
            ("Component", subject.component.to_string()),
            ("Version", subject.version.to_string()),
            ("Operating system", title.os.as_ref().map_or_else(|| all.to_owned(), ToString::to_string)),
            ("Architecture", title.arch.as_ref().map_or_else(|| all.to_owned(), ToString::to_string)),
        ]
    });
    let subject = named.as_ref().map(|title| IssueSubject::of(title).to_string());
    let document = named.as_ref().map(|title| Document::of(&title.subject).to_string());
    let page = ReportPage {
        title: document.unwrap_or_else(|| rollout.title.clone()),
        file: report_name(rollout, team),
        rollout: rollout.id.to_string(),
        team: team.to_string(),
        rows: rows.unwrap_or_default(),
        packages: rollout.packages().map(|(dist, nevra)| format!("{nevra} ({dist})")).collect(),
        sections: Sections::ASKED,
        subject: subject.unwrap_or_else(|| format!("Staged Rollout: {}", rollout.title)),
        issues: view.world.issues.of(&rollout.id).map(|(name, issue)| format!("{name}: {}", issue.title)).collect(),
    };
    // Nothing in it can fail.
    page.render().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(team: &str, file: bool) -> SentBody {
        SentBody {
            team: team.into(),
            counts: true,
            outcome: "success".into(),
            at: "2026-11-29T09:00:00Z".into(),
            summary: "see #12".into(),
            tests: "installed on three WNs".into(),
            missing: vec!["Release notes".into(), "Metrics".into(), "VOs".into()],
            file: file.then(|| KeptBody { name: format!("{team}-CA-1.38.odt"), size: 1, sha256: String::new() }),
            ..SentBody::default()
        }
    }

    fn all(reports: Vec<SentBody>, waiting: &[&str]) -> ReportsBody {
        let without_file = reports.iter().filter(|it| it.file.is_none()).map(|it| it.team.clone()).collect();
        let issue = |issue: &str, open| MentionedBody {
            issue: issue.into(),
            title: "it dies".into(),
            open,
            show_stopper: open,
            workaround: if open { "start it twice".into() } else { String::new() },
            criticality: if open { "all sites with a WN".into() } else { String::new() },
            mentioned: true,
        };
        ReportsBody {
            rollout: "rt-1".into(),
            title: "Staged Rollout CA 1.38".into(),
            description: Some("Staged rollout CA 1.38".into()),
            issues: vec![issue("#12", true), issue("#13", false)],
            reports,
            waiting: waiting.iter().map(ToString::to_string).collect(),
            without_file,
            ..ReportsBody::default()
        }
    }

    #[test]
    fn a_summary_has_all_reports_and_says_whose_is_missing() {
        let whole = all(vec![sent("ea-A-B", true)], &[]);
        let part = all(vec![sent("ea-A-B", true), sent("ea-C-D", false)], &["ea-E-F", "ea-G-H"]);
        assert_eq!(incomplete(&all(vec![], &[])).as_deref(), Some("no team has reported"));
        insta::assert_snapshot!([summary(&whole), summary(&part)].join("\n----\n"));
    }
}
