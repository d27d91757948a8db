//! `/api/v1/rollouts/{id}/...`: what people add to a rollout: approvals, an extension, overrides, notes and links.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, record, rollout_id};
use crate::domain::moment::Moment;
use crate::domain::names::{Actor, CheckName, RolloutId};
use crate::domain::naming::team::TeamName;
use crate::domain::people::People;
use crate::domain::report::Outcome;
use crate::engine::view::View;
use crate::format::quantity;
use crate::process::evidence::{Evidence, evidence};
use crate::process::fact::change::{Linked, Noted};
use crate::process::fact::{self, Fact, Subject};
use crate::process::input::Ask;
use crate::process::world::adopters::Adopter;
use crate::process::world::dossiers::{Approval, Note, Tick};
use crate::process::world::issues::Issue;
use crate::process::world::tasks::Task;
use crate::store::logbook::{Reader, Recorded};
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// What people have added to a rollout.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DossierBody {
    /// What was found out with it so far, if anybody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceBody>,
    /// The bundle that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// The update that releases it, such as `1 of gLite-3.2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
    /// The tasks of its bundle.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<BundleTaskBody>,
    /// Since when it is on hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled: Option<String>,
    /// Who put it on hold, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled_why: Option<String>,
    /// The change that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// The teams of early adopters that were asked to test it, or have reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<AdopterBody>,
    /// Its issues.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<KnownIssueBody>,
    /// Approvals of steps to come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalBody>,
    /// By how much its exposure in its present state is extended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended: Option<String>,
    /// Who extended it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_why: Option<String>,
    /// Gates that do not hold it up on its next step to a state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overridden: Vec<OverriddenBody>,
    /// What somebody has looked at, in the packages that it has now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ticks: Vec<TickedBody>,
    /// Addresses of documents, by what they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
    /// The newest notes, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NotedBody>,
    /// The number of its cycle, if a test has failed and it began anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<u64>,
    /// Reports of tests that have failed, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<NotedBody>,
}

/// What was found out with a rollout by the teams that count.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EvidenceBody {
    /// How many teams were asked.
    pub asked: usize,
    /// How many have accepted, whether they have reported or not.
    pub accepted: usize,
    /// How many do not test it.
    pub declined: usize,
    /// How many run it.
    pub installed: usize,
    /// How many have reported which outcome, on production services.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reported: BTreeMap<String, usize>,
    /// The same on services with the tag beta.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub beta: BTreeMap<String, usize>,
    /// For how long all packages have been in the tree in which they are now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposed: Option<String>,
    /// When reports are expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports_due: Option<String>,
    /// How long the exposure usually is, such as 1w, if the procedure says it; nothing waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<String>,
    /// When that time is over; missing on hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_until: Option<String>,
    /// Whether it is over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub usual_is_over: bool,
    /// Who has accepted, and should have reported by now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overdue: Vec<String>,
}

fn evidence_body(found: Evidence, now: Moment) -> EvidenceBody {
    let until = found.usual.and_then(|(_, ends)| ends);
    let words = |group: BTreeMap<Outcome, usize>| group.into_iter().map(|(what, n)| (what.to_string(), n)).collect();
    EvidenceBody {
        asked: found.asked,
        accepted: found.accepted,
        declined: found.declined,
        installed: found.installed,
        reported: words(found.reported),
        beta: words(found.beta),
        exposed: found.exposed.map(|span| quantity::show_duration(Duration::from_secs(span.as_secs() / 60 * 60))),
        reports_due: found.reports_due.map(|at| at.to_string()),
        usual: found.usual.map(|(span, _)| quantity::show_duration(span)),
        usual_until: until.map(|ends| ends.wall.to_string()),
        usual_is_over: until.is_some_and(|ends| ends.elapsed <= now.elapsed),
        overdue: found.overdue.iter().map(|(team, _)| team.to_string()).collect(),
    }
}

/// A team of a rollout.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AdopterBody {
    /// The team.
    pub team: String,
    /// assigned, accepted, declined or reported.
    pub standing: String,
    /// When it was asked, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Whether on services that carry the tag beta.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beta: bool,
    /// Whether what it says counts: it is registered, and does not only observe.
    pub counts: bool,
    /// What came of its test: success, warning or fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// When it reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<String>,
    /// What it says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
}

/// An issue of a rollout.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct KnownIssueBody {
    /// Its address or number.
    pub issue: String,
    /// One line for people.
    pub title: String,
    /// Whether the rollout cannot go on with it.
    pub show_stopper: bool,
    /// What sites can do until it is solved.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workaround: String,
    /// Whom it hits, and how badly.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub criticality: String,
    /// When it was noted.
    pub since: String,
    /// Whether it is not solved.
    pub open: bool,
    /// How urgent it is, if that was decided: none, low, normal, high or immediate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
}

/// An approval that counts.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ApprovalBody {
    /// The state that it is for.
    pub state: String,
    /// For which role.
    pub role: String,
    /// Whose.
    pub by: String,
    /// When.
    pub at: String,
}

/// Something that somebody has looked at.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TickedBody {
    /// What.
    pub check: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: String,
}

/// A gate that was overridden.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OverriddenBody {
    /// The state that the step leads to.
    pub state: String,
    /// The gate.
    pub gate: String,
    /// Who overrode it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A task of the bundle that a rollout is in.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BundleTaskBody {
    /// Its number.
    pub task: u64,
    /// roll-out or roll-back.
    pub kind: String,
    /// Who is to do it.
    pub team: String,
    /// New, In Progress or Done.
    pub status: String,
    /// What has come of it so far: success, warning or fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

/// A note.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NotedBody {
    /// When.
    pub at: String,
    /// By whom.
    pub by: String,
    /// It.
    pub note: String,
}

/// An issue.
pub(super) fn issue_body(name: &str, issue: &Issue) -> KnownIssueBody {
    KnownIssueBody {
        issue: name.to_owned(),
        title: issue.title.clone(),
        show_stopper: issue.show_stopper,
        workaround: issue.workaround.clone(),
        criticality: issue.criticality.clone(),
        since: issue.since.to_string(),
        open: issue.open,
        priority: issue.priority.map(|it| it.as_str().to_owned()),
    }
}

/// What people have added to a rollout.
pub(super) fn dossier_of(view: &View, id: &RolloutId) -> DossierBody {
    let (world, who) = (&view.world, |by: &Actor| view.people.shown(by.as_str()).into_owned());
    let adopter = |(team, adopter): (&TeamName, &Adopter)| {
        let Adopter { asked, report, .. } = adopter;
        AdopterBody {
            team: team.to_string(),
            standing: adopter.standing().as_str().to_owned(),
            asked: asked.as_ref().map(|asked| asked.at.to_string()),
            beta: asked.as_ref().is_some_and(|asked| asked.beta),
            counts: world.teams.counts(team),
            outcome: report.as_ref().map(|report| report.outcome.to_string()),
            reported: report.as_ref().map(|report| report.at.to_string()),
            summary: report.as_ref().map(|report| report.summary.clone()).unwrap_or_default(),
        }
    };
    let dossier = world.dossiers.of(id).cloned().unwrap_or_default();
    let approval = |((state, by), approval): (&(String, Actor), &Approval)| ApprovalBody {
        state: state.clone(),
        role: approval.role.to_string(),
        by: who(by),
        at: approval.at.to_string(),
    };
    let tick = |(check, tick): (&CheckName, &Tick)| TickedBody {
        check: check.to_string(),
        by: who(&tick.by),
        at: tick.at.to_string(),
    };
    let overridden =
        |(state, gate): &(String, String)| OverriddenBody { state: state.clone(), gate: gate.clone(), why: None };
    let bundle = world.bundles.of(id).map(|(bundle, _)| bundle);
    let task = |(number, task): (u64, &Task)| BundleTaskBody {
        task: number,
        kind: task.kind.as_str().to_owned(),
        team: task.team.to_string(),
        status: task.status().to_owned(),
        outcome: task.outcome().map(|outcome| outcome.to_string()),
    };
    let note = |note: &Note| NotedBody { at: note.at.to_string(), by: who(&note.by), note: note.text.clone() };
    let tested = world.rollouts.get(id).filter(|_| world.adopters.of(id).next().is_some());
    DossierBody {
        evidence: tested.map(|rollout| evidence_body(evidence(view.known(), rollout), view.now)),
        bundle: bundle.map(ToString::to_string),
        update: world.bundles.update_of(id).map(|update| format!("{} of {}", update.number, update.series)),
        tasks: bundle.into_iter().flat_map(|bundle| world.tasks.of(bundle)).map(task).collect(),
        stalled: dossier.stalled.map(|since| since.to_string()),
        stalled_why: None,
        change: world
            .requests
            .of(id)
            .map(|(change, request)| format!("{change} ({}): {}", request.status, request.title)),
        teams: world.adopters.of(id).map(adopter).collect(),
        issues: world.issues.of(id).map(|(name, issue)| issue_body(name, issue)).collect(),
        approvals: dossier.approvals.iter().map(approval).collect(),
        extended: (!dossier.extended.is_zero()).then(|| quantity::show_duration(dossier.extended)),
        extended_why: None,
        overridden: dossier.overridden.iter().map(overridden).collect(),
        ticks: dossier.ticks.iter().map(tick).collect(),
        links: dossier.links.iter().map(|(what, url)| (what.to_string(), url.clone())).collect(),
        notes: dossier.notes.iter().map(note).collect(),
        cycle: dossier.cycle,
        failures: dossier.failures.iter().map(note).collect(),
    }
}

/// How many of its newest entries are looked at for reasons.
const REASONS_AMONG: usize = 500;

impl DossierBody {
    /// Whether there is something in it that somebody gave a reason for: the reasons stand in the logbook only.
    fn has_reasons(&self) -> bool {
        self.stalled.is_some() || self.extended.is_some() || !self.overridden.is_empty()
    }

    /// With the reasons that the entries about the rollout have, the oldest first.
    fn reasoned(mut self, entries: &[Recorded], people: &People) -> Self {
        for Recorded { draft, .. } in entries {
            let said =
                || Some(format!("{}: {}", people.shown(&draft.who), draft.why)).filter(|_| !draft.why.is_empty());
            match fact::read(&draft.body) {
                Ok(Fact::Stalled(_)) if self.stalled.is_some() => self.stalled_why = said(),
                Ok(Fact::Extended(_)) if self.extended.is_some() => self.extended_why = said(),
                Ok(Fact::Overridden(given)) => {
                    let mut all = self.overridden.iter_mut();
                    let its = all.find(|it| (&it.state, &it.gate) == (&given.state, &given.gate));
                    if let Some(its) = its {
                        its.why = said();
                    }
                }
                _ => {}
            }
        }
        self
    }
}

/// What people have added to a rollout, with the reasons from the logbook.
pub(super) async fn with_reasons(
    context: &Context,
    id: &RolloutId,
    dossier: DossierBody,
) -> Result<DossierBody, Problem> {
    if !dossier.has_reasons() {
        return Ok(dossier);
    }
    let subject = Subject::Rollout(id.clone()).to_string();
    let read = move |logbook: &Reader| logbook.about(&subject, None, REASONS_AMONG);
    let entries = context.read_logbook(read).await?;
    Ok(dossier.reasoned(&entries, &context.engine.shared().read().people))
}

/// An approval.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveBody {
    /// The state, in any spelling.
    pub state: String,
    /// For which role; by default, the first required role that you have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// An approval that is taken back.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisapproveBody {
    /// The state, in any spelling.
    pub state: String,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A longer exposure.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendBody {
    /// By how much in all, such as 2d.
    pub by: String,
    /// Why, for everybody who waits for the rollout.
    pub reason: String,
}

/// A gate that is not to hold a rollout up.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OverrideBody {
    /// The state, in any spelling.
    pub state: String,
    /// The gate, as the procedure names it.
    pub gate: String,
    /// The emergency for which it is overridden; it is the reason then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// Why; shown wherever the step is.
    #[serde(default)]
    pub reason: String,
}

/// Something to know about a rollout.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteBody {
    /// It.
    pub note: String,
}

/// The address of a document.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    /// It.
    pub url: String,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// A link that is removed.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UnlinkBody {
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Approves that a rollout goes to a state. Each person counts once, and for the packages that it has now.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/approvals", tag = "approvals", request_body = ApproveBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn approve(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ApproveBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let ApproveBody { state, role, reason } = asked;
    line("state", &state)?;
    let (rollout, role) = (rollout_id(&id)?, role.as_deref().map(parsed).transpose()?);
    line("reason", &reason)?;
    record(&context, caller, Ask::Approve { rollout, state, role, reason }).await
}

/// Takes your approval back.
#[utoipa::path(delete, path = "/api/v1/rollouts/{id}/approvals", tag = "approvals", request_body = DisapproveBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn disapprove(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<DisapproveBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let DisapproveBody { state, reason } = asked;
    line("state", &state)?;
    let rollout = rollout_id(&id)?;
    line("reason", &reason)?;
    record(&context, caller, Ask::Disapprove { rollout, state, reason }).await
}

/// Extends the exposure in the rollout's present state.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/extension", tag = "approvals", request_body = ExtendBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn extend(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ExtendBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let ExtendBody { by, reason } = asked;
    let rollout = rollout_id(&id)?;
    let by = quantity::duration(&by).map_err(|e| Problem::bad_request(e.to_string()))?;
    line("reason", &reason)?;
    record(&context, caller, Ask::Extend { rollout, by, reason }).await
}

/// Overrides a gate for a rollout's next step to a state.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/overrides", tag = "approvals", request_body = OverrideBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn overrule(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<OverrideBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let OverrideBody { state, gate, change, reason } = asked;
    line("state", &state)?;
    line("gate", &gate)?;
    let rollout = rollout_id(&id)?;
    line("reason", &reason)?;
    let ask = match change.as_deref().map(parsed).transpose()? {
        Some(change) => Ask::Hasten { rollout, state, gate, change, reason },
        None => Ask::Override { rollout, state, gate, reason },
    };
    record(&context, caller, ask).await
}

/// Adds a note.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/notes", tag = "notes", request_body = NoteBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn note(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<NoteBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    line("note", &asked.note)?;
    let noted = Noted { rollout: rollout_id(&id)?, note: asked.note };
    record(&context, caller, Ask::Note(noted)).await
}

/// Sets the address of a document.
#[utoipa::path(put, path = "/api/v1/rollouts/{id}/links/{what}", tag = "notes", request_body = LinkBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout"), ("what" = String, Path, description = "What it is: release-notes, installation, configuration, bugs, documentation, or another word")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn link(
    State(context): State<Context>,
    Path((id, what)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<LinkBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let LinkBody { url, reason } = asked;
    line("address", &url)?;
    let linked = Linked { rollout: rollout_id(&id)?, what: parsed(&what)?, url: Some(url) };
    line("reason", &reason)?;
    record(&context, caller, Ask::Link { linked, reason }).await
}

/// Removes the address of a document.
#[utoipa::path(delete, path = "/api/v1/rollouts/{id}/links/{what}", tag = "notes", request_body = UnlinkBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout"), ("what" = String, Path, description = "What it is: release-notes, installation, configuration, bugs, documentation, or another word")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn unlink(
    State(context): State<Context>,
    Path((id, what)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<UnlinkBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let linked = Linked { rollout: rollout_id(&id)?, what: parsed(&what)?, url: None };
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Link { linked, reason: asked.reason }).await
}
