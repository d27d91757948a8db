//! `/api/v1/rollouts/{id}/reports`: what teams have found, with the files that they report with.
//!
//! A file is kept before its report is recorded, so that the logbook names no file that is not there. What would be refused
//! is refused before.

use std::collections::BTreeSet;
use std::path::PathBuf;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, bearer, caller, line, parsed, problem, record, rollout_id};
use super::report_texts::{ReportsBody, incomplete, reports_of, summary, template};
use crate::domain::naming::report_file::Format;
use crate::domain::naming::team::TeamName;
use crate::domain::report::{Sections, mentions};
use crate::domain::rollout::Rollout;
use crate::engine::view::View;
use crate::format::report_file;
use crate::format::tar::{self, Member};
use crate::process::decide;
use crate::process::decision::Answer;
use crate::process::fact::report::{File, ReportPublished, Reported};
use crate::process::input::{Ask, Input};
use crate::process::who::Caller;
use crate::store::disk::Disk;
use crate::store::reports;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// The largest archive. It is put together in memory.
const ARCHIVE_MAX: u64 = 64 << 20;

/// The longest id of a document.
const DOCUMENT_MAX: usize = 64;

/// A team's report.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportBody {
    /// success, warning or fail.
    pub outcome: String,
    /// What the team says, in a few sentences.
    #[serde(default)]
    pub summary: String,
    /// Whether the release notes are right.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub release_notes: String,
    /// Which tests were made.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tests: String,
    /// What the load was, such as jobs or transfers a day.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metrics: String,
    /// Which virtual organisations use the service.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub vos: String,
    /// The file with the whole report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileBody>,
}

/// The file of a report.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FileBody {
    /// Its name, by the naming convention if the rollout's title follows it.
    pub name: String,
    /// Its bytes in base64; at most 4 MiB.
    pub content: String,
}

/// Whether everybody may read the file of a report.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishBody {
    /// Whether they may.
    pub published: bool,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// Which file of a team.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct FileQuery {
    /// One of earlier reports, by its SHA-256; the last if it is left out.
    pub sha256: Option<String>,
}

/// Which archive.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct ArchiveQuery {
    /// The id of the document that holds all reports; the rollout's own if it is left out.
    pub document: Option<String>,
    /// Also if reports are missing.
    #[serde(default)]
    pub incomplete: bool,
}

/// A team reports. A later report takes the place of an earlier one, whose file is kept.
#[utoipa::path(post, path = "/api/v1/rollouts/{id}/teams/{team}/report", tag = "teams", request_body = ReportBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout"), ("team" = String, Path, description = "The team")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn report(
    State(context): State<Context>,
    Path((id, team)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ReportBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let ReportBody { outcome, summary, release_notes, tests, metrics, vos, file } = asked;
    let texts = [&summary, &release_notes, &tests, &metrics, &vos];
    for (what, text) in ["summary", "release_notes", "tests", "metrics", "vos"].into_iter().zip(texts) {
        line(what, text)?;
    }
    let (rollout, team) = (rollout_id(&id)?, parsed(&team)?);
    let sections = Sections { release_notes, tests, metrics, vos };
    let (file, bytes) = match file.map(|file| decoded(&file)).transpose()? {
        Some((file, bytes)) => (Some(file), bytes),
        None => (None, vec![]),
    };
    let mut reported = Reported { rollout, team, outcome: parsed(&outcome)?, summary, sections, file };
    if reported.file.is_some() {
        would_be_recorded(&context, &caller, &Ask::Report(reported.clone()))?;
    }
    if let Some(file) = &mut reported.file {
        let known = |view: &View| view.world.issues.of(&reported.rollout).map(|(issue, _)| issue.to_owned()).collect();
        let issues = known(&context.engine.shared().read());
        kept(&context, file, bytes, issues).await?;
    }
    record(&context, caller, Ask::Report(reported)).await
}

/// Whether a report would be recorded now.
pub(super) fn would_be_recorded(context: &Context, caller: &Caller, ask: &Ask) -> Result<(), Problem> {
    let view = context.engine.shared().read();
    let would = decide(view.known(), &Input::Asked(caller.clone(), ask.clone()));
    match would.answer {
        Some(Answer::Recorded { .. }) => Ok(()),
        other => Err(other.map_or_else(|| Problem::bad_request("nothing would be recorded"), problem)),
    }
}

/// Keeps the bytes of a file, and notes which of these issues it mentions. To read it takes a while, so that is done for
/// those alone who may report, and beside the other requests.
pub(super) async fn kept(
    context: &Context,
    file: &mut File,
    bytes: Vec<u8>,
    issues: Vec<String>,
) -> Result<(), Problem> {
    let (state, format) = (context.site().state.clone(), Format::of(&file.name).ok());
    let read = move |disk: &dyn Disk| {
        reports::put(disk, &state, &bytes)?;
        let text = format.map(|format| report_file::text(format, &bytes)).unwrap_or_default();
        Ok(issues.into_iter().filter(|issue| mentions(&text, issue)).collect())
    };
    file.mentions = context.at_reports(read).await?;
    Ok(())
}

/// A file as the logbook names it, and its bytes.
pub(super) fn decoded(FileBody { name, content }: &FileBody) -> Result<(File, Vec<u8>), Problem> {
    let too_large = || {
        let why = format!("a report has at most {} bytes", reports::FILE_MAX);
        Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE, why)
    };
    let bytes = STANDARD
        .decode(content)
        .map_err(|error| Problem::bad_request(format!("the file is not valid base64: {error}")))?;
    let size = bytes.len() as u64;
    if size > reports::FILE_MAX {
        return Err(too_large());
    }
    let unreadable = |why: String| Problem::of_status(StatusCode::UNPROCESSABLE_ENTITY, why);
    let format = Format::of(name).map_err(|why| unreadable(format!("`{}`: {why}", name.escape_debug())))?;
    report_file::check(format, &bytes).map_err(|why| unreadable(format!("the file {} {why}", name.escape_debug())))?;
    Ok((File { name: name.clone(), sha256: reports::sum(&bytes), size, mentions: BTreeSet::new() }, bytes))
}

/// The reports of a rollout.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}/reports", tag = "reports",
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Its reports", body = ReportsBody), (status = 404, body = Problem)))]
pub async fn reports(State(context): State<Context>, Path(id): Path<String>) -> Result<Json<ReportsBody>, Problem> {
    let view = context.engine.shared().read();
    Ok(Json(reports_of(&view, known(&view, &id)?)))
}

/// The draft of a summary of all reports of a rollout.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}/reports/summary", tag = "reports",
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Plain text", body = String), (status = 404, body = Problem)))]
pub async fn report_summary(State(context): State<Context>, Path(id): Path<String>) -> Result<String, Problem> {
    let view = context.engine.shared().read();
    Ok(summary(&reports_of(&view, known(&view, &id)?)))
}

/// A report for a team to fill in: a page that word processors open.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}/teams/{team}/report/template", tag = "reports",
    params(("id" = String, Path, description = "The rollout"), ("team" = String, Path, description = "The team")),
    responses((status = 200, description = "HTML", body = String), (status = 404, body = Problem)))]
pub async fn report_template(
    State(context): State<Context>,
    Path((id, team)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (view, team) = (context.engine.shared().read(), parsed::<TeamName>(&team)?);
    let page = template(&view, known(&view, &id)?, &team);
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}

/// The file of a team's report. Only those that were published can be read without a token.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}/teams/{team}/report/file", tag = "reports", params(FileQuery,
    ("id" = String, Path, description = "The rollout"), ("team" = String, Path, description = "The team")),
    responses((status = 200, description = "The bytes of the file", body = Vec<u8>), (status = 401, body = Problem),
        (status = 404, body = Problem)))]
pub async fn report_file(
    State(context): State<Context>,
    Path((id, team)): Path<(String, String)>,
    Query(query): Query<FileQuery>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let who = bearer(&context, client, &headers).await?;
    let (file, is_published) = {
        let (view, team) = (context.engine.shared().read(), parsed::<TeamName>(&team)?);
        let rollout = known(&view, &id)?;
        let mut all = view.world.adopters.files_of(&rollout.id, &team);
        let report = view.world.adopters.get(&rollout.id, &team).and_then(|adopter| adopter.report.as_ref());
        let last = report.and_then(|report| report.file.clone());
        let file = match &query.sha256 {
            Some(sha256) => all.find(|file| file.sha256.to_hex() == *sha256).cloned(),
            None => last.clone(),
        };
        let is_published = report.is_some_and(|report| report.published) && file == last;
        let none = || Problem::not_found(format!("{team} has sent no such file about {id}"));
        (file.ok_or_else(none)?, is_published)
    };
    if who.is_none() && !is_published {
        return Err(Problem::unauthorized("the report is not published; send a token to read it"));
    }
    let name = file.name.clone();
    let bytes = bytes(&context, file).await?;
    Ok(attached(&name, "application/octet-stream", bytes))
}

/// All reports of a rollout in one archive (tar), with the draft of their summary and the description of the document.
#[utoipa::path(get, path = "/api/v1/rollouts/{id}/reports/archive", tag = "reports", params(ArchiveQuery,
    ("id" = String, Path, description = "The rollout")), security(("token" = [])),
    responses((status = 200, description = "The archive", body = Vec<u8>), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem)))]
pub async fn report_archive(
    State(context): State<Context>,
    Path(id): Path<String>,
    Query(ArchiveQuery { document, incomplete: also_incomplete }): Query<ArchiveQuery>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller(&context, client, &headers).await?;
    let document = document.unwrap_or_else(|| id.clone());
    is_document(&document)?;
    let (told, files) = {
        let view = context.engine.shared().read();
        let rollout = known(&view, &id)?;
        let reports = view.world.adopters.of(&rollout.id).filter_map(|(team, adopter)| {
            let file = adopter.report.as_ref()?.file.clone()?;
            Some((team.clone(), file))
        });
        (reports_of(&view, rollout), reports.collect::<Vec<_>>())
    };
    if let Some(why) = incomplete(&told).filter(|_| !also_incomplete) {
        return Err(Problem::new(StatusCode::CONFLICT, "incomplete", "Reports are missing", why));
    }
    if files.iter().map(|(_, file)| file.size).sum::<u64>() > ARCHIVE_MAX {
        let why = format!("the reports have more than {ARCHIVE_MAX} bytes together; fetch them one by one");
        return Err(Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE, why));
    }
    let description = told.description.clone().unwrap_or_else(|| told.title.clone());
    let text_name = told.summary_file.replace(".odt", ".txt");
    let member = |name: &str, bytes| Member { name: format!("{document}/{name}"), bytes };
    let mut members = vec![
        member("description.txt", format!("{description}\n").into_bytes()),
        member(&text_name, summary(&told).into_bytes()),
    ];
    let mut names = BTreeSet::new();
    for (team, file) in files {
        // Names that follow the convention have the team in them; others may be the same.
        let is_new = names.insert(file.name.clone());
        let name = if is_new { file.name.clone() } else { format!("{team}-{}", file.name) };
        members.push(member(&name, bytes(&context, file).await?));
    }
    let now = context.clock().now().as_second();
    let archive = tar::archive(&members, u64::try_from(now).unwrap_or_default());
    Ok(attached(&format!("{document}.tar"), "application/x-tar", archive))
}

/// Lets everybody read the file of a team's last report, or no longer.
#[utoipa::path(put, path = "/api/v1/rollouts/{id}/teams/{team}/report/published", tag = "reports", request_body = PublishBody,
    security(("token" = [])),
    params(("id" = String, Path, description = "The rollout"), ("team" = String, Path, description = "The team")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn publish_report(
    State(context): State<Context>,
    Path((id, team)): Path<(String, String)>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<PublishBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(PublishBody { published, reason }) = read?;
    line("reason", &reason)?;
    let published = ReportPublished { rollout: rollout_id(&id)?, team: parsed(&team)?, published };
    record(&context, caller, Ask::PublishReport { published, reason }).await
}

fn known<'v>(view: &'v View, id: &str) -> Result<&'v Rollout, Problem> {
    let id = rollout_id(id)?;
    view.world.rollouts.get(&id).ok_or_else(|| Problem::not_found(format!("there is no rollout {id}")))
}

/// The bytes of a file that the logbook names.
pub(super) async fn bytes(context: &Context, file: File) -> Result<Vec<u8>, Problem> {
    let state: PathBuf = context.site().state.clone();
    let (name, sha256) = (file.name, file.sha256);
    let read = context.at_reports(move |_| reports::read(&state, &sha256)).await?;
    read.ok_or_else(|| {
        let why = format!("the bytes of {name} are missing or were changed on the disk; `rolloutd fsck` names them");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "disk", "The report cannot be read", why)
    })
}

/// The id of a document is part of names in an archive.
fn is_document(id: &str) -> Result<(), Problem> {
    let is_word = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if is_word && id.starts_with(|c: char| c.is_ascii_alphanumeric()) && id.len() <= DOCUMENT_MAX {
        return Ok(());
    }
    let why = format!("the id of a document has at most {DOCUMENT_MAX} letters, digits and . _ -");
    Err(Problem::bad_request(why))
}

/// A file that is saved and not shown.
pub(super) fn attached(name: &str, kind: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = ([(header::CONTENT_TYPE, kind)], bytes).into_response();
    // Names were checked: they have no quotes and no control characters.
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
