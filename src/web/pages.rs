//! Pages for people; they work without JavaScript.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;

use super::api::log::{self, LogQuery};
use super::api::rollouts::RolloutsQuery;
use super::api::uploads::{UploadsBody, waiting_in};
use super::auth;
use super::context::{Context, SiteFacts};
use super::health;
use super::problem::Problem;
use crate::domain::gate::Judgement;
use crate::domain::legible;
use crate::domain::names::RolloutId;
use crate::domain::people::People;
use crate::domain::refusal::Code;
use crate::domain::workflow;
use crate::engine::view::{RolloutView, TreeView};
use crate::process::fact::Subject;
use crate::process::fact::package::Refused;
use crate::store::logbook::Recorded;

/// Entries on one page.
const PAGE: usize = 100;

/// Refused files shown on the first page.
const REFUSED_SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    site: String,
    troubles: Vec<String>,
    rollouts: Vec<RolloutView>,
    /// The link to older ones.
    next: Option<String>,
    trees: Vec<TreeRow>,
    refused: Vec<(Timestamp, Refused)>,
}

#[derive(Template)]
#[template(path = "uploads.html")]
struct Uploads {
    site: String,
    waiting: Vec<UploadsBody>,
    none_waits: bool,
    refused: Vec<RefusedRow>,
}

/// A refused file as shown on a page.
struct RefusedRow {
    at: String,
    dist: String,
    upload: String,
    code: String,
    rule: &'static str,
    detail: String,
    remedy: &'static str,
}

impl RefusedRow {
    fn of((at, refused): &(Timestamp, Refused)) -> Self {
        // Of a code that only an older program had, nothing is known but itself.
        let code: Option<Code> = refused.code.parse().ok();
        Self {
            at: moment(*at),
            dist: refused.dist.to_string(),
            upload: refused.upload.clone(),
            code: refused.code.clone(),
            rule: code.map_or("", Code::rule),
            detail: refused.detail.clone(),
            remedy: code.map_or("", Code::remedy),
        }
    }
}

struct TreeRow {
    view: TreeView,
    /// The addresses of its `.repo` files, and their names.
    repos: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "rollout.html")]
struct Rollout {
    site: String,
    view: RolloutView,
    why: Vec<(workflow::State, Judgement)>,
    entries: Vec<EntryRow>,
}

#[derive(Template)]
#[template(path = "log.html")]
struct Log {
    site: String,
    entries: Vec<EntryRow>,
    older: Option<u64>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Wrong<'a> {
    site: String,
    problem: &'a Problem,
}

/// A time as shown to people.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// An entry as shown on a page.
struct EntryRow {
    seq: u64,
    at: String,
    who: String,
    why: String,
    says: String,
}

fn rows(entries: Vec<Recorded>, people: &People) -> Vec<EntryRow> {
    let row = |e: Recorded| EntryRow {
        seq: e.seq,
        at: moment(e.draft.at),
        says: log::says(&e),
        who: people.shown(&e.draft.who).into_owned(),
        why: e.draft.why,
    };
    entries.into_iter().map(row).collect()
}

/// An answer with a page of ours, which loads nothing but the style sheet and in which nothing runs.
pub(super) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            // Nothing on a page runs, and nothing is loaded from elsewhere.
            let policy =
                "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
            // The templates contain nothing that this escapes, so it changes only untrusted text.
            let html = legible::lines(&html).into_owned();
            ([("content-security-policy", policy), ("x-content-type-options", "nosniff")], Html(html)).into_response()
        }
        Err(error) => {
            let kind = StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(kind, "page", "The page cannot be built", error.to_string()).into_response()
        }
    }
}

/// The style sheet.
pub async fn style() -> Response {
    ([("content-type", "text/css; charset=utf-8")], include_str!("pages/style.css")).into_response()
}

/// A problem as a page, for a client that asked for one.
pub fn problem(context: &Context, problem: &Problem) -> Response {
    let mut response = page(&Wrong { site: context.site().name.clone(), problem });
    *response.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}

/// The findings that do not depend on the caller: a page is for everybody.
fn gates(mut why: Vec<(workflow::State, Judgement)>) -> Vec<(workflow::State, Judgement)> {
    for (_, judged) in &mut why {
        judged.findings.retain(|finding| finding.code != "role");
    }
    why
}

/// All rollouts, trees and refused files.
pub async fn index(State(context): State<Context>, Query(query): Query<RolloutsQuery>) -> Result<Response, Problem> {
    let wanted = query.wanted(context.clock().now())?;
    let site = context.site();
    let template = {
        let inside = context.engine.shared().read();
        let (rollouts, next) = inside.rollouts(&wanted);
        let row = |view: TreeView| {
            let link = |name: String| (format!("{}{name}", site.tree_url(&view.id)), name);
            TreeRow { repos: SiteFacts::repo_files(&view).into_iter().map(link).collect(), view }
        };
        Index {
            site: site.name.clone(),
            troubles: health::reasons(&inside),
            rollouts,
            next: next.map(|next| query.link("/", &next)),
            trees: inside.trees().into_iter().map(row).collect(),
            refused: inside.world.packages.refused.iter().rev().take(REFUSED_SHOWN).cloned().collect(),
        }
    };
    Ok(page(&template))
}

/// One rollout with its history.
pub async fn rollout(State(context): State<Context>, Path(id): Path<String>) -> Result<Response, Problem> {
    let no_such = || Problem::not_found("there is no such rollout");
    let id: RolloutId = id.parse().map_err(|_| no_such())?;
    let (view, why) = {
        let inside = context.engine.shared().read();
        (inside.rollout(&id).ok_or_else(no_such)?, gates(inside.why(&id, &auth::nobody()).unwrap_or_default()))
    };
    let entries =
        context.read_logbook(move |logbook| logbook.about(&Subject::Rollout(id).to_string(), None, PAGE)).await?;
    let entries = rows(entries, &context.engine.shared().read().people);
    Ok(page(&Rollout { site: context.site().name.clone(), view, why, entries }))
}

/// What waits to be taken in, and what was refused, with what to do about it.
pub async fn uploads(State(context): State<Context>) -> Response {
    let site = context.site().name.clone();
    let inside = context.engine.shared().read();
    let mut waiting = waiting_in(&inside);
    for file in waiting.iter_mut().flat_map(|dist| &mut dist.files) {
        file.since = file.since.as_deref().and_then(|at| at.parse().ok()).map(moment);
    }
    let none_waits = waiting.iter().all(|dist| dist.total == 0);
    let refused = inside.world.packages.refused.iter().rev().take(PAGE).map(RefusedRow::of).collect();
    page(&Uploads { site, waiting, none_waits, refused })
}

/// The logbook, newest page first.
pub async fn log(State(context): State<Context>, Query(query): Query<LogQuery>) -> Result<Response, Problem> {
    let last = context.engine.shared().read().world.last;
    let newest = (last + 1).saturating_sub(PAGE as u64).max(1);
    let from = query.from.unwrap_or(newest).max(1);
    let entries = context.read_logbook(move |logbook| logbook.read(from, PAGE)).await?;
    let older = (from > 1).then(|| from.saturating_sub(PAGE as u64).max(1));
    let entries = rows(entries, &context.engine.shared().read().people);
    Ok(page(&Log { site: context.site().name.clone(), entries, older }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attributes::Attributes;
    use crate::domain::gate::{Finding, Verdict};
    use crate::domain::names::TreeId;
    use crate::process::fact::{Fact, samples::every_fact};
    use crate::process::world::World;
    use crate::web::api::uploads::UploadBody;

    #[tokio::test]
    async fn a_title_that_reads_backwards_is_seen_as_what_it_is() {
        let problem = Problem::not_found("harmless \u{202e}gpj.exe \u{1b}[2J <b>");
        let answer = page(&Wrong { site: "x\u{2066}".to_owned(), problem: &problem });
        let html = axum::body::to_bytes(answer.into_body(), 1 << 20).await.expect("a page");
        let html = String::from_utf8(html.into()).expect("text");
        assert!(html.contains(r"harmless \u{202e}gpj.exe \u{1b}[2J &#60;b&#62;"), "{html}");
        assert!(html.contains(r"x\u{2066}"), "{html}");
    }

    /// A page with all of a rollout that depends on nothing but its own state.
    fn rollout_view() -> RolloutView {
        let nevra = |text: &str| text.parse::<crate::domain::nevra::Nevra>().expect("a package");
        let mut world = World::default();
        for (n, fact) in every_fact().iter().filter(|fact| matches!(fact, Fact::Submitted(_))).enumerate() {
            world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
        }
        let rollout = world.rollouts.iter().next().expect("there is one").clone();
        let dist: crate::domain::names::DistPath = "umd/3/sl6/x86_64".parse().expect("a path");
        let packages = vec![
            (dist.clone(), nevra("bdii-5.2.22-1.el6.noarch"), vec!["untested".to_owned(), "testing".to_owned()]),
            (dist.clone(), nevra("bdii-config-1.0-1.el6.noarch"), vec![]),
        ];
        let (attributes, trouble) = (Attributes::default(), Some("no room".to_owned()));
        let (superseded_by, supersedes) = ("rt-2".parse().ok(), vec![]);
        let by = "me".to_owned();
        RolloutView {
            rollout,
            packages,
            findings: vec![],
            next: vec![],
            attributes,
            trouble,
            by,
            superseded_by,
            supersedes,
        }
    }

    fn entries() -> Vec<EntryRow> {
        let row = |seq, why: &str| EntryRow {
            seq,
            at: moment(Timestamp::UNIX_EPOCH),
            who: "jane".to_owned(),
            why: why.to_owned(),
            says: "rt-1 was submitted.".to_owned(),
        };
        vec![row(9, ""), row(10, "by hand & <with> care")]
    }

    #[test]
    fn the_first_page_is_as_it_was() {
        let link =
            |name: &str| (format!("http://repository.example.org/sw/testing/umd/3/sl6/x86_64/{name}"), name.to_owned());
        let tree = |published| TreeRow {
            view: TreeView {
                production: None,
                id: TreeId {
                    dist: "umd/3/sl6/x86_64".parse().expect("a path"),
                    tree: "testing".parse().expect("a name"),
                },
                packages: 7,
                revision: 1_795_176_000,
                published,
                retiring: 0,
                dirty: false,
                restored: None,
                restoring: None,
            },
            repos: vec![link("a.repo"), link("a-with-production.repo")],
        };
        let refused = Refused {
            dist: "d".parse().expect("a path"),
            upload: "bad.rpm".to_owned(),
            sha256: None,
            code: "unsigned".to_owned(),
            detail: "no signature".to_owned(),
        };
        let page = Index {
            site: "Example software repository".to_owned(),
            troubles: vec!["logbook: the disk is full".to_owned()],
            rollouts: vec![rollout_view()],
            next: Some("/?after=x".to_owned()),
            trees: vec![tree(None), tree(Some(Timestamp::UNIX_EPOCH))],
            refused: vec![(Timestamp::UNIX_EPOCH, refused)],
        };
        insta::assert_snapshot!(page.render().expect("it renders"));
    }

    #[test]
    fn the_page_of_a_rollout_is_as_it_was() {
        let judgement = Judgement {
            verdict: Verdict::Wait,
            findings: vec![Finding::new(Verdict::Wait, "exposure", "Wait for 2 more days.")],
        };
        let state = rollout_view().rollout.state;
        let page = Rollout {
            site: "Example software repository".to_owned(),
            view: rollout_view(),
            why: vec![(state, judgement)],
            entries: entries(),
        };
        insta::assert_snapshot!(page.render().expect("it renders"));
    }

    #[test]
    fn the_page_of_the_logbook_is_as_it_was() {
        let page = Log { site: "Example software repository".to_owned(), entries: entries(), older: Some(7) };
        insta::assert_snapshot!(page.render().expect("it renders"));
    }

    #[test]
    fn the_page_of_uploads_says_what_waits_what_was_refused_and_what_to_do() {
        let file = UploadBody {
            path: "jane/<a>.rpm.part".to_owned(),
            kind: "suffix".to_owned(),
            why: "its name does not end with .rpm".to_owned(),
            since: Some(moment(Timestamp::UNIX_EPOCH)),
            remedy: "rename it".to_owned(),
        };
        let waiting =
            UploadsBody { distribution: "umd/3/sl6/x86_64".to_owned(), total: 3, troubles: 1, files: vec![file] };
        let refused = |code: &str| Refused {
            dist: "umd/3/sl6/x86_64".parse().expect("a path"),
            upload: "bad.rpm".to_owned(),
            sha256: None,
            code: code.to_owned(),
            detail: "no signature".to_owned(),
        };
        let row = |code| RefusedRow::of(&(Timestamp::UNIX_EPOCH, refused(code)));
        let site = || "Example software repository".to_owned();
        let rows = vec![row("unsigned"), row("a-code-of-yesterday")];
        let some = Uploads { site: site(), waiting: vec![waiting], none_waits: false, refused: rows };
        let none = Uploads { site: site(), waiting: vec![], none_waits: true, refused: vec![] };
        let pages = [some, none].map(|page| page.render().expect("it renders"));
        insta::assert_snapshot!(pages.join("\n"));
    }

    #[test]
    fn the_page_of_a_problem_is_as_it_was() {
        let problem = Problem::not_found("there is no such rollout");
        let page = Wrong { site: "Example software repository".to_owned(), problem: &problem };
        insta::assert_snapshot!(page.render().expect("it renders"));
    }
}
