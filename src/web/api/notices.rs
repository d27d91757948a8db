//! `/api/v1/notices`: what people have to be told.

use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, encoded, line, next_page, parsed, record};
use crate::domain::message::{Group, Template};
use crate::domain::names::RolloutId;
use crate::engine::view::View;
use crate::process::fact::notice::Message;
use crate::process::input::Ask;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// How many are in a page.
const AT_ONCE: usize = 100;

/// Most of them in a page.
const MOST: usize = 1_000;

/// What people have to be told.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NoticeBody {
    /// Its number.
    pub notice: u64,
    /// Who is to be told, by groups.
    pub to: Vec<String>,
    /// The teams that the groups `team` and `early-adopters` were at that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// The name of the template in the procedure.
    pub template: String,
    /// Its subject, filled in.
    pub subject: String,
    /// Its text, filled in; only of a single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Since when it is due.
    pub since: String,
    /// The logbook entry that it tells of.
    pub entry: u64,
    /// The rollout that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// The bundle that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
}

/// Which of them.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct NoticesQuery {
    /// Only those to this group.
    pub to: Option<String>,
    /// Only those about this rollout.
    pub rollout: Option<String>,
    /// Only those after this number.
    pub after: Option<u64>,
    /// How many at most; 100 by default, and 1,000 at most.
    pub limit: Option<usize>,
}

/// That people were told.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToldBody {
    /// How; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// What people have to be told, the oldest first, a page at a time: `Link: <...>; rel="next"` leads to the next one.
#[utoipa::path(get, path = "/api/v1/notices", tag = "outbox", params(NoticesQuery),
    responses((status = 200, description = "A page of notices, without their texts", body = Vec<NoticeBody>),
        (status = 400, body = Problem)))]
pub async fn notices(
    State(context): State<Context>,
    Query(query): Query<NoticesQuery>,
) -> Result<(HeaderMap, Json<Vec<NoticeBody>>), Problem> {
    let to: Option<Group> = query.to.as_deref().map(parsed).transpose()?;
    let rollout: Option<RolloutId> = query.rollout.as_deref().map(parsed).transpose()?;
    let limit = query.limit.unwrap_or(AT_ONCE).clamp(1, MOST);
    let view = context.engine.shared().read();
    let fits = |message: &Message| {
        to.as_ref().is_none_or(|to| message.to.contains(to))
            && rollout.as_ref().is_none_or(|rollout| message.rollout.as_ref() == Some(rollout))
    };
    let mut rest = view.world.messages.after(query.after).filter(|(.., message)| fits(message));
    let page = rest.by_ref().take(limit).map(|(number, since, message)| body(&view, number, since, message, false));
    let page: Vec<NoticeBody> = page.collect();
    let last = page.last().filter(|_| rest.next().is_some());
    let word = |name: &str, value: Option<&str>| value.map(|v| format!("&{name}={}", encoded(v))).unwrap_or_default();
    let more = [word("to", query.to.as_deref()), word("rollout", query.rollout.as_deref())].concat();
    let next = last.map(|last| format!("/api/v1/notices?after={}&limit={limit}{more}", last.notice));
    Ok((next_page(next), Json(page)))
}

/// One of them, with its text.
#[utoipa::path(get, path = "/api/v1/notices/{notice}", tag = "outbox", params(("notice" = u64, Path, description = "Its number")),
    responses((status = 200, description = "The notice", body = NoticeBody), (status = 404, body = Problem)))]
pub async fn notice(State(context): State<Context>, Path(number): Path<String>) -> Result<Json<NoticeBody>, Problem> {
    let view = context.engine.shared().read();
    let found = number.parse().ok().and_then(|number| {
        let (since, message) = view.world.messages.get(number)?;
        Some(body(&view, number, since, message, true))
    });
    found.map(Json).ok_or_else(|| Problem::not_found(format!("no notice {} is waiting", number.escape_debug())))
}

/// Says that people were told: it is not listed any more.
#[utoipa::path(post, path = "/api/v1/notices/{notice}/told", tag = "outbox", request_body = ToldBody, security(("token" = [])),
    params(("notice" = u64, Path, description = "Its number")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 413, body = Problem), (status = 503, body = Problem)))]
pub async fn notice_told(
    State(context): State<Context>,
    Path(number): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<ToldBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    line("reason", &asked.reason)?;
    let message =
        number.parse().map_err(|_| Problem::not_found(format!("no notice {} is waiting", number.escape_debug())))?;
    record(&context, caller, Ask::Told { message, reason: asked.reason }).await
}

fn body(view: &View, number: u64, since: Timestamp, message: &Message, with_text: bool) -> NoticeBody {
    let subject = template(view, message).map(|template| template.subject.fill(&message.values));
    NoticeBody {
        notice: number,
        to: message.to.iter().map(ToString::to_string).collect(),
        teams: message.teams.iter().map(ToString::to_string).collect(),
        template: message.template.to_string(),
        subject: subject.unwrap_or_else(|| message.template.to_string()),
        text: with_text.then(|| text(view, message)),
        since: since.to_string(),
        entry: message.cause,
        rollout: message.rollout.as_ref().map(ToString::to_string),
        bundle: message.bundle.as_ref().map(ToString::to_string),
    }
}

/// The template as the procedure has it now; `None` if it has it no longer.
fn template<'v>(view: &'v View, message: &Message) -> Option<&'v Template> {
    let mut all = view.rules.distributions.values().map(|rules| &rules.workflow);
    all.find(|workflow| workflow.name() == message.procedure)?.template(&message.template)
}

/// The text, or the values alone where there is no template any more.
fn text(view: &View, message: &Message) -> String {
    if let Some(template) = template(view, message) {
        return template.body.fill(&message.values);
    }
    let lines: Vec<String> = message.values.iter().map(|(field, value)| format!("{field}: {value}")).collect();
    lines.join("\n")
}
