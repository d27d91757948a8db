//! `/api/v1/rollouts/{id}/attributes`: what is said of a rollout beside its title, and what follows from its title.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use super::asking::{RecordedBody, caller, line, parsed, record, rollout_id};
use crate::domain::attributes::{AttributeChanges, Attributes, Change};
use crate::domain::naming::document::Document;
use crate::domain::naming::issue_subject::IssueSubject;
use crate::domain::naming::report_file::{Author, ReportFile};
use crate::domain::naming::title::Title;
use crate::process::input::Ask;
use crate::web::context::Context;
use crate::web::object::Object;
use crate::web::peer::Client;
use crate::web::problem::Problem;

/// What is said of a rollout, by people or by its title.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AboutBody {
    /// The product, such as EMI.bdii-site.sl5.x86_64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The node types that it concerns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_types: Vec<String>,
    /// How bad is what it fixes: none, low, normal, high or immediate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// How urgent it is: none, low, normal, high or immediate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// The word by which sites are told how urgent it is: Normal, HIGH or URGENT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_sites: Option<String>,
    /// low or high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<String>,
    /// low or high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// minor, normal or major.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<String>,
    /// The steps that reverse it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal: Option<String>,
    /// What its title names, if that follows the naming convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<NamedBody>,
    /// Why its title does not follow the naming convention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unnamed: Option<String>,
}

/// What a title names, and what else is called after it.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NamedBody {
    /// The stack, with its major version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// The component.
    pub component: String,
    /// Its version.
    pub version: String,
    /// The operating system; all if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// The architecture; all if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// The beginning of the subject of its issues, in GGUS or elsewhere.
    pub issue_subject: String,
    /// The description of the document with all its reports.
    pub document: String,
    /// The name of the file with their summary.
    pub summary_file: String,
}

/// What is to be said of a rollout; an empty text takes back what was said.
#[derive(Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DescribeBody {
    /// The product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// All node types that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_types: Option<Vec<String>>,
    /// How bad is what it fixes: none, low, normal, high or immediate, or its number from 0 to 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// How urgent it is: none, low, normal, high or immediate, or its number from 0 to 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// low or high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<String>,
    /// low or high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<String>,
    /// minor, normal or major.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub importance: Option<String>,
    /// The steps that reverse it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal: Option<String>,
    /// Why; recorded in the logbook.
    #[serde(default)]
    pub reason: String,
}

/// What is said of a rollout with this title.
pub(crate) fn about(title: &str, said: &Attributes) -> AboutBody {
    fn text(it: Option<&impl Display>) -> Option<String> {
        it.map(ToString::to_string)
    }
    let read = title.parse::<Title>();
    AboutBody {
        product: text(said.product.as_ref()),
        component: text(said.component.as_ref()),
        node_types: said.node_types.iter().map(ToString::to_string).collect(),
        severity: said.severity.map(|it| it.as_str().to_owned()),
        priority: said.priority.map(|it| it.as_str().to_owned()),
        for_sites: said.urgency().map(|it| it.for_sites().to_owned()),
        impact: text(said.impact.as_ref()),
        risk: text(said.risk.as_ref()),
        importance: text(said.importance.as_ref()),
        reversal: said.reversal.clone(),
        unnamed: read.as_ref().err().map(|wrong| wrong.why.clone()),
        named: read.ok().map(|title| NamedBody {
            stack: text(title.subject.stack.as_ref()),
            component: title.subject.component.to_string(),
            version: title.subject.version.to_string(),
            os: text(title.os.as_ref()),
            arch: text(title.arch.as_ref()),
            issue_subject: IssueSubject::of(&title).to_string(),
            document: Document::of(&title.subject).to_string(),
            summary_file: ReportFile::new(Author::Manager, &title.subject).to_string(),
        }),
    }
}

/// What is to be said from now on, or that it is taken back.
fn change<T: FromStr<Err: Display>>(what: &str, text: Option<&String>) -> Result<Change<T>, Problem> {
    let Some(text) = text else { return Ok(Change::Stays) };
    line(what, text)?;
    if text.is_empty() { Ok(Change::To(None)) } else { parsed(text).map(|it| Change::To(Some(it))) }
}

/// Says something of a rollout beside its title. What is left out stays as it is.
#[utoipa::path(patch, path = "/api/v1/rollouts/{id}/attributes", tag = "rollouts", request_body = DescribeBody, security(("token" = [])),
    params(("id" = String, Path, description = "The rollout")),
    responses((status = 200, description = "Recorded", body = RecordedBody), (status = 400, body = Problem),
        (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub async fn describe(
    State(context): State<Context>,
    Path(id): Path<String>,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
    read: Result<Object<DescribeBody>, Problem>,
) -> Result<Json<RecordedBody>, Problem> {
    let caller = caller(&context, client, &headers).await?;
    let Object(asked) = read?;
    let rollout = rollout_id(&id)?;
    let node_types = asked.node_types.map(|all| all.iter().map(|one| parsed(one)).collect::<Result<BTreeSet<_>, _>>());
    let changes = AttributeChanges {
        product: change("product", asked.product.as_ref())?,
        component: change("component", asked.component.as_ref())?,
        node_types: node_types.transpose()?,
        severity: change("severity", asked.severity.as_ref())?,
        priority: change("priority", asked.priority.as_ref())?,
        impact: change("impact", asked.impact.as_ref())?,
        risk: change("risk", asked.risk.as_ref())?,
        importance: change("importance", asked.importance.as_ref())?,
        reversal: change("reversal", asked.reversal.as_ref())?,
    };
    line("reason", &asked.reason)?;
    record(&context, caller, Ask::Describe { rollout, changes, reason: asked.reason }).await
}
