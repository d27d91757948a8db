//! `/api/v1/diff`: what differs between two trees.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::asking::parsed;
use super::plan::AmountBody;
use crate::domain::changes::Class;
use crate::domain::names::TreeId;
use crate::process::difference::{Difference, Row, Shown};
use crate::web::context::Context;
use crate::web::problem::Problem;

/// Rows in one response, by default and at most.
pub const ROWS_AT_ONCE: usize = 100;
const ROWS_MOST: usize = 1_000;

/// Which trees, and which part of the answer.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct DiffQuery {
    /// The first tree, as `production/umd/3/sl6/x86_64`.
    pub from: String,
    /// The second tree, of the same distribution or of another.
    pub to: String,
    /// Only differences of this kind: `new`, `newer`, `older`, `rebuilt`, `beside`, `gone`, or `same`.
    pub change: Option<String>,
    /// Only those after this place; taken from `next`.
    pub after: Option<String>,
    /// How many at most; 100 by default, no more than 1,000.
    pub limit: Option<usize>,
}

/// What differs between two trees.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiffBody {
    /// The first tree.
    pub from: String,
    /// The second tree.
    pub to: String,
    /// What the first one lists.
    pub before: AmountBody,
    /// What the second one lists.
    pub after: AmountBody,
    /// What only the second one lists.
    pub added: AmountBody,
    /// What only the first one lists.
    pub removed: AmountBody,
    /// How many names and architectures there are of each kind, `same` too.
    pub changes: BTreeMap<String, u64>,
    /// The differences on this page, by name and architecture.
    pub rows: Vec<DiffRow>,
    /// How many more follow.
    pub more: u64,
    /// Where the next page begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The last logbook entry that was taken into account.
    pub entry: u64,
}

/// A name and architecture that the two trees do not list alike.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiffRow {
    /// How the newest version differs: `new` (only the second tree has any), `newer` or `older` (in the second tree),
    /// `rebuilt` (the same version, other bytes), `beside` (the same; other versions differ), or `gone` (only the first tree
    /// has any).
    pub change: String,
    /// The name.
    pub name: String,
    /// The architecture.
    pub arch: String,
    /// The newest version in the first tree, `[epoch:]version-release`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The newest version in the second tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What only the second tree lists.
    pub added: AmountBody,
    /// What only the first tree lists.
    pub removed: AmountBody,
    /// The versions that only the second tree lists, the newest first; no more than 10.
    pub comes: Vec<String>,
    /// The versions that only the first tree lists, the newest first; no more than 10.
    pub goes: Vec<String>,
}

/// What the second tree lists differently from the first, by name and architecture.
#[utoipa::path(get, path = "/api/v1/diff", tag = "trees", params(DiffQuery),
    responses((status = 200, description = "What differs", body = DiffBody), (status = 400, body = Problem),
        (status = 404, description = "There is no such tree", body = Problem), (status = 503, body = Problem)))]
pub async fn diff(State(context): State<Context>, Query(query): Query<DiffQuery>) -> Result<Json<DiffBody>, Problem> {
    let (from, to): (TreeId, TreeId) = (parsed(&query.from)?, parsed(&query.to)?);
    let shown = Shown {
        class: query.change.as_deref().map(parsed::<Class>).transpose()?,
        after: query.after.as_deref().map(place).transpose()?,
        limit: query.limit.unwrap_or(ROWS_AT_ONCE).clamp(1, ROWS_MOST),
    };
    let view = context.engine.shared().read();
    if let Some(id) = [&from, &to].into_iter().find(|id| !view.has_tree(id)) {
        return Err(Problem::not_found(format!("there is no tree {id}; /api/v1/trees lists all of them")));
    }
    let found = context.reckon(move || body(&view.difference([&from, &to], &shown), [&from, &to], view.world.last));
    Ok(Json(found.await?))
}

/// The place after `NAME.ARCH`.
fn place(text: &str) -> Result<(String, String), Problem> {
    let bad = || {
        Problem::bad_request(format!("`{}` is not a position in the list; take it from `next`", text.escape_debug()))
    };
    let (name, arch) = text.rsplit_once('.').ok_or_else(bad)?;
    Ok((name.to_owned(), arch.to_owned()))
}

fn body(found: &Difference, [from, to]: [&TreeId; 2], entry: u64) -> DiffBody {
    let [before, after] = found.listed;
    let last = found.page.last().filter(|_| found.more > 0);
    DiffBody {
        from: from.to_string(),
        to: to.to_string(),
        before: before.into(),
        after: after.into(),
        added: found.added.into(),
        removed: found.removed.into(),
        changes: found.classes.iter().map(|(class, number)| (class.to_string(), *number)).collect(),
        rows: found.page.iter().map(row_body).collect(),
        more: found.more,
        next: last.map(|row| format!("{}.{}", row.name, row.arch)),
        entry,
    }
}

fn row_body(row: &Row) -> DiffRow {
    let [from, to] = row.newest.clone();
    DiffRow {
        change: row.class.to_string(),
        name: row.name.clone(),
        arch: row.arch.clone(),
        from,
        to,
        added: row.added.into(),
        removed: row.removed.into(),
        comes: row.comes.clone(),
        goes: row.goes.clone(),
    }
}
