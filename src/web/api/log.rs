//! `/api/v1/log` and `/api/v1/log/verify`: entries of the logbook, and whether its chain is intact.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::asking::parsed;
use crate::domain::names::DistPath;
use crate::domain::nevra::Nevra;
use crate::domain::people::{People, PersonId};
use crate::engine::view::View;
use crate::process::fact::{self, Subject};
use crate::store::logbook::{Reader, Recorded};
use crate::web::context::Context;
use crate::web::problem::Problem;

/// Most logbook entries in one response.
pub const LOG_AT_ONCE: usize = 1_000;

/// An entry of the logbook.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EntryBody {
    /// Its number.
    pub seq: u64,
    /// When.
    pub at: String,
    /// Who: the identity, or that it was erased or is unknown.
    pub who: String,
    /// The same as recorded in the logbook and covered by the hash, if that is an id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Why.
    pub why: String,
    /// What, in one sentence.
    pub says: String,
    /// What, as recorded in the logbook.
    pub what: BTreeMap<String, serde_json::Value>,
    /// The hash of the chain up to and including this entry.
    pub hash: String,
}

/// The result of verifying the logbook's chain.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct VerifiedBody {
    /// How many entries there are.
    pub entries: u64,
    /// The hash of the last one.
    pub head: String,
}

/// Which entries of the logbook.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct LogQuery {
    /// The first number; without it, the newest entries.
    pub from: Option<u64>,
    /// How many at most; 100 by default.
    pub limit: Option<usize>,
    /// Only those about this rollout.
    pub rollout: Option<String>,
    /// Only those about this bundle.
    pub bundle: Option<String>,
    /// Only those about this team of early adopters.
    pub team: Option<String>,
    /// Only those about this change.
    pub change: Option<String>,
    /// Only those about this tree, as `production/umd/3/sl6/x86_64`.
    pub tree: Option<String>,
    /// Only those about this package, `name-[epoch:]version-release.arch`.
    pub package: Option<String>,
    /// The distribution of that package; may be left out if only one has it.
    pub distribution: Option<String>,
}

impl LogQuery {
    fn about(&self, view: &View) -> Result<About, Problem> {
        let all = [
            ("rollout", &self.rollout),
            ("bundle", &self.bundle),
            ("team", &self.team),
            ("change", &self.change),
            ("tree", &self.tree),
            ("package", &self.package),
        ];
        let named: Vec<(&str, &String)> =
            all.into_iter().filter_map(|(what, name)| Some((what, name.as_ref()?))).collect();
        let (what, name) = match named[..] {
            [] => return Ok(About::Anything),
            [one] => one,
            _ => {
                let one = "name a rollout, a bundle, a team, a change, a tree or a package, and not several";
                return Err(Problem::bad_request(one));
            }
        };
        // What cannot be the name of a thing, nothing is about.
        let subject = match what {
            "rollout" => Subject::rollout(name),
            "bundle" => name.parse().ok().map(Subject::Bundle),
            "team" => name.parse().ok().map(Subject::Team),
            "change" => name.parse().ok().map(Subject::Change),
            "tree" => name.parse().ok().map(Subject::Tree),
            _ => self.package(name, view).map(|(dist, nevra)| Some(Subject::Package(dist, nevra)))?,
        };
        Ok(About::One(subject, format!("{what} {name}")))
    }

    /// A package and its distribution.
    fn package(&self, package: &str, view: &View) -> Result<(DistPath, Nevra), Problem> {
        let nevra: Nevra = parsed(package)?;
        if let Some(dist) = &self.distribution {
            return Ok((parsed(dist)?, nevra));
        }
        let packages = &view.world.packages;
        let of: Vec<&DistPath> = packages.distributions().filter(|dist| packages.get(dist, &nevra).is_some()).collect();
        match of[..] {
            [dist] => Ok((dist.clone(), nevra)),
            [] => Err(Problem::not_found(format!("no package {nevra} was ever accepted"))),
            _ => {
                let names: Vec<&str> = of.iter().map(|dist| dist.as_str()).collect();
                Err(Problem::bad_request(format!("name the `distribution` of {nevra}: {}", names.join(" or "))))
            }
        }
    }
}

/// What the entries are to be about.
enum About {
    Anything,
    /// One thing, if there can be such a thing, and the words of whoever asked.
    One(Option<Subject>, String),
}

/// Entries of the logbook, oldest first.
#[utoipa::path(get, path = "/api/v1/log", tag = "log", params(LogQuery),
    responses((status = 200, description = "Entries", body = Vec<EntryBody>), (status = 400, body = Problem),
        (status = 404, description = "The logbook has never heard of it", body = Problem), (status = 500, body = Problem)))]
pub async fn log(
    State(context): State<Context>,
    Query(query): Query<LogQuery>,
) -> Result<Json<Vec<EntryBody>>, Problem> {
    let limit = query.limit.unwrap_or(100).min(LOG_AT_ONCE);
    let view = context.engine.shared().read();
    let newest = (view.world.last + 1).saturating_sub(limit as u64);
    let about = query.about(&view)?;
    drop(view);
    let from = query.from;
    let read = move |logbook: &Reader| match about {
        About::One(subject, named) => {
            let subject = subject.map(|subject| subject.to_string());
            let Some(subject) = subject else { return Ok(Err(named)) };
            let entries = logbook.about(&subject, from, limit)?;
            // Nothing since a number is something else than nothing at all.
            let is_known = !entries.is_empty() || !logbook.about(&subject, None, 1)?.is_empty();
            Ok(if is_known { Ok(entries) } else { Err(named) })
        }
        About::Anything => logbook.read(from.unwrap_or(newest), limit).map(Ok),
    };
    let entries = context.read_logbook(read).await?;
    let entries = entries.map_err(|named| Problem::not_found(format!("the logbook has no entry about the {named}")))?;
    // Read after the entries, so that it knows everybody in them.
    let view = context.engine.shared().read();
    Ok(Json(entries.iter().map(|entry| entry_body(entry, &view.people)).collect()))
}

/// Verifies the whole chain of the logbook, which must contain everything that the running daemon wrote.
#[utoipa::path(get, path = "/api/v1/log/verify", tag = "log",
    responses((status = 200, description = "The chain is intact", body = VerifiedBody), (status = 500, description = "It is not", body = Problem)))]
pub async fn verify_log(State(context): State<Context>) -> Result<Json<VerifiedBody>, Problem> {
    let written = context.engine.shared().read().head;
    let head = context.read_logbook(move |logbook| logbook.verify(written)).await?;
    Ok(Json(VerifiedBody { entries: head.seq, head: head.hash.to_hex() }))
}

/// An entry as a sentence; as raw text if it cannot be parsed.
pub fn says(entry: &Recorded) -> String {
    fact::read(&entry.draft.body).map_or_else(|_| entry.draft.body.clone(), |fact| fact.to_string())
}

fn entry_body(entry: &Recorded, people: &People) -> EntryBody {
    let who = entry.draft.who.as_str();
    EntryBody {
        seq: entry.seq,
        at: entry.draft.at.to_string(),
        who: people.shown(who).into_owned(),
        person: PersonId::read(who).map(|id| id.to_string()),
        why: entry.draft.why.clone(),
        says: says(entry),
        what: serde_json::from_str(&entry.draft.body).unwrap_or_default(),
        hash: entry.hash.to_hex(),
    }
}
