//! `/api/v1/log` and `/api/v1/log/verify`: entries of the logbook, and whether its chain is intact.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::asking::{self, next_page, page_path, parsed};
use crate::domain::names::DistPath;
use crate::domain::nevra::Nevra;
use crate::domain::people::{People, PersonId};
use crate::engine::view::View;
use crate::format::spelling::did_you_mean;
use crate::process::fact::{self, Fact, Subject};
use crate::store::logbook::{LogbookError, Reader, Recorded};
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
    /// Only those by this person or program.
    pub who: Option<String>,
    /// Only those of this kind, such as `rollout.moved`, or of all kinds that begin with this word, such as `rollout`.
    pub kind: Option<String>,
    /// Only those since: a time, a day, or how long ago, such as 7d.
    pub since: Option<String>,
    /// Only those before this number; taken from the link to the next page.
    pub before: Option<u64>,
}

/// Most entries that are looked through for one response.
const LOOKED_THROUGH: u64 = 100_000;

/// Whether a kind is this one, or one of those that begin with this word.
fn begins_with(kind: &str, words: &str) -> bool {
    kind.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What entries have to be like.
struct Sieve {
    who: Option<String>,
    kind: Option<String>,
    since: Option<Timestamp>,
    before: Option<u64>,
    people: People,
}

impl Sieve {
    fn lets_through(&self, entry: &Recorded) -> bool {
        let draft = &entry.draft;
        let is_by = |who: &String| *who == draft.who || *self.people.shown(&draft.who) == **who;
        let is_of = |kind: &String| {
            let fact = fact::read(&draft.body);
            fact.is_ok_and(|fact| begins_with(fact.kind(), kind))
        };
        self.who.as_ref().is_none_or(is_by) && self.kind.as_ref().is_none_or(is_of)
    }

    /// The newest that fit, oldest first, and from which number on older ones have not been looked at.
    fn newest(&self, logbook: &Reader, last: u64, limit: usize) -> Result<(Vec<Recorded>, Option<u64>), LogbookError> {
        let mut found = Vec::new();
        let begin = self.before.unwrap_or(u64::MAX).min(last.saturating_add(1));
        let mut end = begin;
        while end > 1 && begin - end < LOOKED_THROUGH {
            let from = end.saturating_sub(LOG_AT_ONCE as u64).max(1);
            let number = usize::try_from(end - from).unwrap_or_default();
            for entry in logbook.read(from, number)?.into_iter().rev() {
                if self.since.is_some_and(|since| entry.draft.at < since) {
                    found.reverse();
                    return Ok((found, None));
                }
                if self.lets_through(&entry) {
                    let seq = entry.seq;
                    found.push(entry);
                    if found.len() == limit {
                        found.reverse();
                        return Ok((found, (seq > 1).then_some(seq)));
                    }
                }
            }
            end = from;
        }
        found.reverse();
        Ok((found, (end > 1).then_some(end)))
    }
}

impl LogQuery {
    /// What entries have to be like, if that was said.
    fn sieve(&self, view: &View, now: Timestamp) -> Result<Option<Sieve>, Problem> {
        let since = self.since.as_deref().map(|text| asking::since(text, now)).transpose()?;
        let (who, kind, before) = (self.who.clone(), self.kind.clone(), self.before);
        if let Some(kind) = &kind
            && !Fact::KINDS.iter().any(|known| begins_with(known, kind))
        {
            let words = Fact::KINDS.iter().flat_map(|known| [*known, known.split('.').next().unwrap_or_default()]);
            let near = did_you_mean(kind, words)
                .unwrap_or_else(|| "a kind looks like `rollout.moved` or `package`".to_owned());
            return Err(Problem::bad_request(format!(
                "there are no entries of the kind `{}`: {near}",
                kind.escape_debug()
            )));
        }
        let is_wanted = who.is_some() || kind.is_some() || since.is_some() || before.is_some();
        Ok(is_wanted.then(|| Sieve { who, kind, since, before, people: view.people.clone() }))
    }

    /// The address of the entries before a number.
    fn link(&self, before: u64) -> String {
        let (limit, before) = (self.limit.map(|limit| limit.to_string()), before.to_string());
        let parts = [
            ("who", self.who.as_ref()),
            ("kind", self.kind.as_ref()),
            ("since", self.since.as_ref()),
            ("limit", limit.as_ref()),
            ("before", Some(&before)),
        ];
        page_path("/api/v1/log", &parts)
    }

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
                let one = "name only one of a rollout, a bundle, a team, a change, a tree and a package";
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

/// Entries of the logbook, oldest first. Where they are chosen by person, kind or time, the next page has older ones; a page
/// may have none, since not all are looked through for one.
#[utoipa::path(get, path = "/api/v1/log", tag = "log", params(LogQuery),
    responses((status = 200, description = "Entries", body = Vec<EntryBody>), (status = 400, body = Problem),
        (status = 404, description = "The logbook has never heard of it", body = Problem), (status = 500, body = Problem)))]
pub async fn log(
    State(context): State<Context>,
    Query(query): Query<LogQuery>,
) -> Result<(HeaderMap, Json<Vec<EntryBody>>), Problem> {
    let limit = query.limit.unwrap_or(100).min(LOG_AT_ONCE);
    let view = context.engine.shared().read();
    let newest = (view.world.last + 1).saturating_sub(limit as u64);
    let (about, last) = (query.about(&view)?, view.world.last);
    let sieve = query.sieve(&view, context.clock().now())?;
    drop(view);
    if let Some(sieve) = sieve {
        if query.from.is_some() || matches!(about, About::One(..)) {
            let why = "choose entries by what they are about, or by `who`, `kind` and `since`, but not by both";
            return Err(Problem::bad_request(why));
        }
        let limit = limit.max(1);
        let (entries, next) = context.read_logbook(move |logbook| sieve.newest(logbook, last, limit)).await?;
        let view = context.engine.shared().read();
        let next = next_page(next.map(|before| query.link(before)));
        return Ok((next, Json(entries.iter().map(|entry| entry_body(entry, &view.people)).collect())));
    }
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
    Ok((HeaderMap::new(), Json(entries.iter().map(|entry| entry_body(entry, &view.people)).collect())))
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
