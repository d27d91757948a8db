//! `rolloutctl show`: one rollout, its packages and its next steps.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ask::one;
use super::words::{document, moment, moment_ago, next_steps, own_name};
use crate::cli::client::Client;
use crate::cli::exit::{Failure, Outcome};
use crate::process::fact::count;
use crate::web::api::attributes::AboutBody;
use crate::web::api::dossier::{ApprovalBody, BundleTaskBody, DossierBody, EvidenceBody, TickedBody};
use crate::web::api::rollouts::RolloutBody;

/// Shows one rollout: its state, its packages and their trees, and its next steps
///
/// Example: rolloutctl show rt-1234
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The rollout, as `rolloutctl list` prints it
    rollout: String,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, or it refuses.
pub async fn run(args: ShowArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let ShowArgs { rollout } = args;
    let one = one(client, &rollout).await?;
    Ok(Outcome::done(if json { document(&one) } else { show_rollout(&one, &own_name()) }))
}

fn show_rollout(r: &RolloutBody, program: &str) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "rollout       {}", r.id);
    let _ = writeln!(text, "title         {}", r.title);
    let _ = writeln!(text, "distribution  {}", r.distributions.join(", "));
    let moving = match (r.cancelled, r.moving) {
        (true, _) => "; it was cancelled",
        (false, true) => "; packages are being moved",
        (false, false) if r.delayed => "; it is delayed",
        (false, false) => "",
    };
    let _ = writeln!(text, "state         {} since {} by {}{moving}", r.state, moment_ago(&r.since), r.by);
    if let Some(by) = &r.superseded_by {
        let _ =
            writeln!(text, "superseded    by {by}: it can be withdrawn, or goes on if {by} is cancelled or rejected");
    }
    if !r.supersedes.is_empty() {
        let _ = writeln!(text, "supersedes    {}", r.supersedes.join(", "));
    }
    if let Some(why) = &r.trouble {
        let _ = writeln!(text, "trouble       {why}");
    }
    if let Some(wanted) = &r.wanted {
        let dated = r.dated.as_ref().map(|at| format!("from {}, ", moment(at))).unwrap_or_default();
        let _ = writeln!(text, "wanted        {wanted}, {dated}as soon as nothing is in the way");
    }
    for package in &r.packages {
        let trees = if package.trees.is_empty() { "no tree".to_owned() } else { package.trees.join(", ") };
        let of = if r.distributions.len() > 1 { format!(" of {}", package.distribution) } else { String::new() };
        let _ = writeln!(text, "package       {} in {trees}{of}", package.nevra);
    }
    for finding in &r.findings {
        let _ = writeln!(text, "restored      {}", finding.sentence);
    }
    if let Some(about) = &r.about {
        show_about(&mut text, about);
    }
    if let Some(dossier) = &r.dossier {
        show_dossier(&mut text, dossier);
    }
    text + &next_steps(r, program)
}

/// What is said of it.
fn show_about(text: &mut String, about: &AboutBody) {
    let sites = about.for_sites.as_ref().map(|word| format!("{word} for sites"));
    let node_types = (!about.node_types.is_empty()).then(|| about.node_types.join(", "));
    let rows = [
        ("product", about.product.clone()),
        ("component", about.component.clone()),
        ("node types", node_types),
        ("severity", about.severity.clone()),
        ("priority", about.priority.clone()),
        ("update", sites),
        ("impact", about.impact.clone()),
        ("risk", about.risk.clone()),
        ("importance", about.importance.clone()),
        ("reversal", about.reversal.clone()),
        ("GGUS subject", about.named.as_ref().map(|named| named.issue_subject.clone())),
        ("document", about.named.as_ref().map(|named| named.document.clone())),
        ("naming", about.unnamed.as_ref().map(|why| format!("the title is free text: {why}"))),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            let _ = writeln!(text, "{name:<13} {value}");
        }
    }
}

/// What people have added to it.
fn show_dossier(text: &mut String, dossier: &DossierBody) {
    if let Some(since) = &dossier.stalled {
        let why = dossier.stalled_why.as_ref().map(|why| format!(", by {why}")).unwrap_or_default();
        let _ = writeln!(text, "on hold       since {}{why}", moment(since));
    }
    if let Some(bundle) = &dossier.bundle {
        let _ = writeln!(text, "bundle        {bundle}");
    }
    if let Some(update) = &dossier.update {
        let _ = writeln!(text, "numbered      update {update}");
    }
    for BundleTaskBody { task, kind, team, status, outcome } in &dossier.tasks {
        let outcome = outcome.as_ref().map(|outcome| format!(", {outcome}")).unwrap_or_default();
        let _ = writeln!(text, "task          {task}, {kind} by {team}: {status}{outcome}");
    }
    if let Some(evidence) = &dossier.evidence {
        let _ = writeln!(text, "evidence      {}", evidence_words(evidence));
    }
    if let Some(change) = &dossier.change {
        let _ = writeln!(text, "change        {change}");
    }
    for team in &dossier.teams {
        let beta = if team.beta { ", beta" } else { "" };
        let counts = if team.counts { "" } else { ", does not count" };
        let outcome = team.outcome.as_ref().map(|outcome| format!(" {outcome}")).unwrap_or_default();
        let summary = if team.summary.is_empty() { String::new() } else { format!(": {}", team.summary) };
        let _ = writeln!(text, "team          {} {}{outcome}{beta}{counts}{summary}", team.team, team.standing);
    }
    for issue in &dossier.issues {
        let kind = if issue.show_stopper { "show-stopper, " } else { "" };
        let open = if issue.open { "open" } else { "closed" };
        let workaround =
            if issue.workaround.is_empty() { String::new() } else { format!("; workaround: {}", issue.workaround) };
        let criticality = if issue.criticality.is_empty() { String::new() } else { format!("; {}", issue.criticality) };
        let rank = issue.priority.as_ref().map(|it| format!(", priority {it}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "issue         {} ({kind}{open}{rank}): {}{criticality}{workaround}",
            issue.issue, issue.title
        );
    }
    for approval in &dossier.approvals {
        let ApprovalBody { state, role, by, .. } = approval;
        let _ = writeln!(text, "approval      {state} by {by} for {role}");
    }
    for TickedBody { check, by, .. } in &dossier.ticks {
        let _ = writeln!(text, "ticked        {check} by {by}");
    }
    if let Some(by) = &dossier.extended {
        let why = dossier.extended_why.as_ref().map(|why| format!(", by {why}")).unwrap_or_default();
        let _ = writeln!(text, "exposure      extended by {by}{why}");
    }
    for overridden in &dossier.overridden {
        let why = overridden.why.as_ref().map(|why| format!(", by {why}")).unwrap_or_default();
        let _ = writeln!(text, "override      {} for the step to {}{why}", overridden.gate, overridden.state);
    }
    for (what, url) in &dossier.links {
        let _ = writeln!(text, "link          {what}: {url}");
    }
    if let Some(cycle) = dossier.cycle {
        let _ = writeln!(text, "cycle         {cycle}");
    }
    for failure in &dossier.failures {
        let _ = writeln!(text, "failure       {} {}: {}", moment(&failure.at), failure.by, failure.note);
    }
    for note in &dossier.notes {
        let _ = writeln!(text, "note          {} {}: {}", moment(&note.at), note.by, note.note);
    }
}

/// What speaks for it so far, in one line.
fn evidence_words(found: &EvidenceBody) -> String {
    let EvidenceBody { asked, accepted, declined, installed, reported, beta, exposed, overdue, .. } = found;
    let mut words = vec![format!("{accepted} of {} accepted", count(*asked, "team"))];
    let group = |all: &BTreeMap<String, usize>| {
        let each: Vec<String> = all.iter().map(|(outcome, n)| format!("{n} {outcome}")).collect();
        (!each.is_empty()).then(|| each.join(", "))
    };
    words.extend((*declined > 0).then(|| format!("{declined} declined")));
    words.extend((*installed > 0).then(|| format!("{installed} run it")));
    words.extend(group(reported).map(|each| format!("reported: {each}")));
    words.extend(group(beta).map(|each| format!("on beta services: {each}")));
    words.extend(exposed.as_ref().map(|span| format!("exposed for {span}")));
    words.extend(found.usual.as_ref().map(|span| match &found.usual_until {
        Some(_) if found.usual_is_over => format!("the usual {span} have passed"),
        Some(until) => format!("usually {span}, until {}", moment(until)),
        None => format!("usually {span}"),
    }));
    words.extend((!overdue.is_empty()).then(|| format!("overdue: {}", overdue.join(", "))));
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ctl::words::tests::{held_up, waiting};
    use crate::domain::attributes::{Attributes, Level};
    use crate::domain::request::Priority;
    use crate::web::api::attributes;
    use crate::web::api::dossier::{AdopterBody, KnownIssueBody, NotedBody, OverriddenBody};

    #[test]
    fn a_rollout_is_shown() {
        insta::assert_snapshot!(show_rollout(&waiting(), "rolloutctl"));
    }

    #[test]
    fn what_people_have_added_is_shown() {
        let at = || "2026-11-29T09:00:00Z".to_owned();
        let team = |team: &str, standing: &str, outcome: Option<&str>| AdopterBody {
            team: team.into(),
            standing: standing.into(),
            asked: Some(at()),
            beta: outcome.is_none(),
            counts: outcome.is_some(),
            outcome: outcome.map(str::to_owned),
            reported: outcome.map(|_| at()),
            summary: outcome.map(|_| "installed on three WNs".to_owned()).unwrap_or_default(),
        };
        let issue = |issue: &str, open| KnownIssueBody {
            issue: issue.into(),
            title: "it dies at start".into(),
            show_stopper: open,
            workaround: if open { "start it twice".into() } else { String::new() },
            criticality: if open { "all sites with a WN".into() } else { String::new() },
            since: at(),
            open,
            priority: open.then(|| "high".to_owned()),
        };
        let (state, by) = ("Accepted".to_owned(), "jane".to_owned());
        let dossier = DossierBody {
            bundle: Some("BUNDLE-1".into()),
            update: Some("3 of gLite-3.2".into()),
            tasks: vec![BundleTaskBody {
                task: 4,
                kind: "roll-out".into(),
                team: "ea-NGI_CH-CSCS".into(),
                status: "Done".into(),
                outcome: Some("warning".into()),
            }],
            stalled_why: Some("jane: the developers have to answer".into()),
            extended_why: Some("jane: it needs more load".into()),
            stalled: Some(at()),
            evidence: Some(EvidenceBody {
                asked: 3,
                accepted: 2,
                declined: 1,
                installed: 1,
                reported: [("warning".to_owned(), 1)].into(),
                beta: BTreeMap::new(),
                exposed: Some("3d4h".into()),
                reports_due: Some(at()),
                usual: Some("1w".into()),
                usual_until: Some(at()),
                usual_is_over: true,
                overdue: vec!["ea-NGI_CH-CSCS".into()],
            }),
            change: Some("rt-4711 (Accepted): a view of all sites".into()),
            teams: vec![
                team("ea-NGI_CH-CSCS", "assigned", None),
                team("ea-NGI_IT-INFN-T1", "reported", Some("warning")),
            ],
            issues: vec![issue("https://ggus.eu/?ticket_id=99", true), issue("#12", false)],
            approvals: vec![ApprovalBody { state: state.clone(), role: "srm".into(), by: by.clone(), at: at() }],
            extended: Some("2d".into()),
            ticks: vec![TickedBody { check: "documentation-reviewed".into(), by: by.clone(), at: at() }],
            overridden: vec![OverriddenBody { state, gate: "reported".into(), why: Some("jane: it is urgent".into()) }],
            links: [("release-notes".to_owned(), "https://example.org/notes".to_owned())].into(),
            notes: vec![NotedBody { at: at(), by: by.clone(), note: "restart it after the update".into() }],
            cycle: Some(2),
            failures: vec![NotedBody { at: at(), by, note: "it does not start".into() }],
        };
        let dated = Some("2026-12-01T08:00:00Z".to_owned());
        let shown = show_rollout(&RolloutBody { dossier: Some(dossier), dated, ..waiting() }, "rolloutctl");
        insta::assert_snapshot!(shown);
        let cancelled = RolloutBody { cancelled: true, next: vec![], ..waiting() };
        insta::assert_snapshot!(show_rollout(&cancelled, "rolloutctl"));
        let superseded = RolloutBody {
            superseded_by: Some("rt-1235".into()),
            supersedes: vec!["rt-1232".into(), "rt-1233".into()],
            next: vec![],
            ..waiting()
        };
        insta::assert_snapshot!(show_rollout(&superseded, "rolloutctl"));
    }

    #[test]
    fn what_is_said_of_a_rollout_is_shown() {
        let said = Attributes {
            node_types: ["UI", "WN"].map(|label| label.parse().expect("a label")).into(),
            severity: Some(Priority::Low),
            priority: Some(Priority::Immediate),
            impact: Some(Level::High),
            reversal: Some("yum downgrade bdii".into()),
            ..Attributes::default()
        };
        let shown = |title: &str, said: &Attributes| {
            let about = Some(attributes::about(title, said));
            show_rollout(&RolloutBody { about, title: title.into(), ..waiting() }, "rolloutctl")
        };
        let titled = shown("Staged Rollout EMI-1.0 SE-DPM_mysql 1.8.0-1 SL5 x86_64", &said);
        insta::assert_snapshot!([titled, shown("the new bdii", &Attributes::default())].join("\n"));
    }

    #[test]
    fn a_rollout_that_is_held_up_is_shown() {
        insta::assert_snapshot!(show_rollout(&held_up(Some("no room")), "rolloutctl"));
    }
}
