//! `/api/v1/packages`: accepted packages, where each of them is, and which rollouts name it.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use glob::Pattern;
use serde::{Deserialize, Serialize};

use super::asking::{next_page, page_path, parsed};
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::engine::view::View;
use crate::process::world::packages::{Package, Packages};
use crate::web::context::Context;
use crate::web::problem::Problem;

/// Packages on a page.
const AT_ONCE: usize = 100;

/// The most that can be asked for.
const MOST: usize = 1_000;

/// An accepted package.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PackageBody {
    /// Its distribution.
    pub distribution: String,
    /// `name-[epoch:]version-release.arch`.
    pub nevra: String,
    /// The trees that list it.
    pub trees: Vec<String>,
    /// `listed`, or why no tree lists it: `withdrawn`, `restored` (a restore has taken it out) or `lost`.
    pub status: String,
    /// The rollouts that name it, the newest first.
    pub rollouts: Vec<NamedBy>,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// When it was accepted.
    pub accepted: String,
    /// Fingerprints of the certificates that signed it.
    pub signers: Vec<String>,
    /// The source package that it was built from, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A rollout that names a package.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NamedBy {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: String,
}

/// Which packages.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
pub struct PackagesQuery {
    /// Only those of this distribution.
    pub distribution: Option<String>,
    /// Only those that this tree lists: `testing`, or `testing/umd/3/sl6/x86_64`.
    pub tree: Option<String>,
    /// Only those of this name, or this one: `bdii` or `bdii-5.2.22-1.el6.noarch`.
    pub name: Option<String>,
    /// Only those that this pattern fits, as `bdii-*`.
    pub like: Option<String>,
    /// Only those after this place; taken from the link to the next page.
    pub after: Option<String>,
    /// How many at most; 100 by default, no more than 1,000.
    pub limit: Option<usize>,
}

/// The same, parsed.
#[derive(Debug, Default)]
struct Wanted {
    dist: Option<DistPath>,
    tree: Option<TreeName>,
    name: Option<String>,
    like: Option<Pattern>,
    after: Option<(DistPath, Nevra)>,
    limit: usize,
}

impl PackagesQuery {
    fn wanted(&self) -> Result<Wanted, Problem> {
        let mut dist: Option<DistPath> = self.distribution.as_deref().map(parsed).transpose()?;
        let tree = match self.tree.as_deref() {
            Some(tree) if tree.contains('/') => {
                let id: TreeId = parsed(tree)?;
                if dist.as_ref().is_some_and(|dist| *dist != id.dist) {
                    return Err(Problem::bad_request(format!("{tree} is not a tree of {}", id.dist)));
                }
                dist = Some(id.dist);
                Some(id.tree)
            }
            other => other.map(parsed).transpose()?,
        };
        let no_pattern = |error| Problem::bad_request(format!("`like` is not a valid pattern: {error}"));
        let like = self.like.as_deref().map(Pattern::new).transpose().map_err(no_pattern)?;
        let after = self.after.as_deref().map(|after| {
            let (dist, nevra) = after.rsplit_once('/').unwrap_or(("", after));
            Ok::<_, Problem>((parsed(dist)?, parsed(nevra)?))
        });
        let limit = self.limit.unwrap_or(AT_ONCE).clamp(1, MOST);
        Ok(Wanted { dist, tree, name: self.name.clone(), like, after: after.transpose()?, limit })
    }

    fn link(&self, last: &PackageBody) -> String {
        let limit = self.limit.map(|limit| limit.to_string());
        let after = format!("{}/{}", last.distribution, last.nevra);
        let parts = [
            ("distribution", self.distribution.as_ref()),
            ("tree", self.tree.as_ref()),
            ("name", self.name.as_ref()),
            ("like", self.like.as_ref()),
            ("limit", limit.as_ref()),
            ("after", Some(&after)),
        ];
        page_path("/api/v1/packages", &parts)
    }
}

/// Accepted packages, in order, in pages.
#[utoipa::path(get, path = "/api/v1/packages", tag = "trees", params(PackagesQuery),
    responses((status = 200, description = "The packages; `Link` leads to the next page", body = Vec<PackageBody>),
        (status = 400, body = Problem), (status = 404, description = "There is no such tree or distribution", body = Problem)))]
pub async fn packages(
    State(context): State<Context>,
    Query(query): Query<PackagesQuery>,
) -> Result<(HeaderMap, Json<Vec<PackageBody>>), Problem> {
    let wanted = query.wanted()?;
    let view = context.engine.shared().read();
    known(&view, &wanted)?;
    let (page, is_last) = page(&view, &wanted);
    let next = page.last().filter(|_| !is_last).map(|last| query.link(last));
    Ok((next_page(next), Json(page)))
}

/// Whether there are such trees at all: a name with a typing error is not an empty tree.
fn known(view: &View, wanted: &Wanted) -> Result<(), Problem> {
    let Wanted { dist, tree, .. } = wanted;
    let rules = view.rules.distributions.iter().filter(|(path, _)| dist.as_ref().is_none_or(|dist| dist == *path));
    let mut of_dist = rules.map(|(_, rules)| &rules.trees).peekable();
    match (dist, tree) {
        (Some(dist), _) if of_dist.peek().is_none() => Err(Problem::not_found(view.rules.no_distribution(dist))),
        (_, Some(tree)) if !of_dist.any(|trees| trees.contains(tree)) => {
            Err(Problem::not_found(format!("there is no tree {tree}")))
        }
        _ => Ok(()),
    }
}

fn page(view: &View, wanted: &Wanted) -> (Vec<PackageBody>, bool) {
    let world = &view.world;
    let fits = |(dist, found, _): &(&DistPath, &Nevra, &Package)| {
        wanted.dist.as_ref().is_none_or(|dist_wanted| dist_wanted == *dist)
            && wanted.tree.as_ref().is_none_or(|tree| world.lists(dist, tree, found))
            && wanted.like.as_ref().is_none_or(|like| like.matches(&found.to_string()))
    };
    let all: Box<dyn Iterator<Item = _>> = match &wanted.name {
        Some(name) => Box::new(named(&world.packages, name, wanted.after.as_ref())),
        None => Box::new(world.packages.after(wanted.after.as_ref())),
    };
    let mut found = all.filter(fits);
    let page =
        found.by_ref().take(wanted.limit).map(|(dist, nevra, package)| body(view, dist, nevra, package)).collect();
    (page, found.next().is_none())
}

/// The packages of this name, or the one that it is the whole name of, in every distribution.
fn named<'p>(
    packages: &'p Packages,
    name: &'p str,
    after: Option<&'p (DistPath, Nevra)>,
) -> impl Iterator<Item = (&'p DistPath, &'p Nevra, &'p Package)> {
    let whole: Option<Nevra> = name.parse().ok();
    let of_dist = move |dist: &'p DistPath| {
        // A name can look like a whole one, so there may be both, and they come in the order of their names.
        let mut found: Vec<(&Nevra, &Package)> = packages.named(dist, name).collect();
        let one =
            whole.as_ref().and_then(|whole| packages.from(dist, whole.clone()).next().filter(|(it, _)| *it == whole));
        found.extend(one);
        found.sort_by_key(|(nevra, _)| *nevra);
        found.into_iter().map(move |(nevra, package)| (dist, nevra, package))
    };
    let is_after = move |(dist, nevra, _): &(&DistPath, &Nevra, &Package)| {
        after.is_none_or(|(last, seen)| (*dist, *nevra) > (last, seen))
    };
    packages.distributions().flat_map(of_dist).filter(is_after)
}

fn body(view: &View, dist: &DistPath, nevra: &Nevra, package: &Package) -> PackageBody {
    let world = &view.world;
    let trees: Vec<String> = world.listed_in(dist, nevra).map(ToString::to_string).collect();
    let status = if !trees.is_empty() {
        "listed"
    } else if world.packages.lost.contains(&(dist.clone(), nevra.clone())) {
        "lost"
    } else if world.packages.may_come_again(dist, nevra) {
        "allowed"
    } else if world.packages.set_aside(dist, nevra).is_some() {
        "restored"
    } else {
        "withdrawn"
    };
    let mut rollouts: Vec<_> = world.rollouts.naming(dist, nevra).collect();
    rollouts.sort_by(|a, b| (b.since, &b.id).cmp(&(a.since, &a.id)));
    PackageBody {
        distribution: dist.to_string(),
        nevra: nevra.to_string(),
        trees,
        status: status.to_owned(),
        rollouts: rollouts
            .into_iter()
            .map(|rollout| NamedBy { id: rollout.id.to_string(), state: rollout.state.to_string() })
            .collect(),
        sha256: package.sha256.to_hex(),
        size: package.size,
        accepted: package.accepted.to_string(),
        signers: package.signers.certs.clone(),
        source: package.source.as_ref().map(ToString::to_string),
    }
}
