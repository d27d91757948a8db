//! What somebody means who names packages of the upload tree: a pattern, a source package, everything new, or the title of a
//! rollout.

use std::collections::BTreeMap;

use glob::Pattern;

use super::act::submit::open_rollout_of;
use super::known::Known;
use crate::domain::arch;
use crate::domain::names::{DistPath, TreeId};
use crate::domain::naming::part::{Arch, Os};
use crate::domain::naming::title::Title;
use crate::domain::nevra::Nevra;
use crate::domain::rollout::Part;

/// Whether a word stands for all packages that it fits, and not for one.
pub fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?', '['])
}

/// The packages of a distribution that are meant by this word: one package, which need not be there, or those of its upload
/// tree that a pattern with `*`, `?` or `[` fits, or a source package and what was built from it.
///
/// # Errors
/// A sentence for people.
pub fn meant(known: Known<'_>, dist: &DistPath, word: &str) -> Result<Vec<Nevra>, String> {
    let is_pattern = is_pattern(word);
    let source = Nevra::of_source_file(word).or_else(|| word.parse::<Nevra>().ok().filter(Nevra::is_source));
    if !is_pattern && source.is_none() {
        let nevra: Nevra = word.parse().map_err(|error: crate::domain::nevra::BadNevra| error.to_string())?;
        let packages = &known.world.packages;
        let is_there = || packages.get(dist, &nevra).is_some();
        let is_used = || packages.of(dist).any(|(other, _)| other.arch() == nevra.arch());
        if !arch::is_known(nevra.arch()) && !is_there() && !is_used() {
            return Err(format!(
                "`{}`: rpm knows no architecture `{}`, and no package for it was ever taken in; name the architecture \
                 after the last dot, or upload the package first",
                word.escape_debug(),
                nevra.arch()
            ));
        }
        return Ok(vec![nevra]);
    }
    let tree = uploads(known, dist)?;
    let built_from = |nevra: &Nevra, source: &Nevra| {
        let package = known.world.packages.get(dist, nevra);
        package.and_then(|package| package.source.as_deref()) == Some(source)
    };
    let listing = known.world.trees.listing(&tree);
    let found: Vec<Nevra> = match &source {
        Some(source) if !is_pattern => {
            listing.nevras().filter(|nevra| *nevra == source || built_from(nevra, source)).cloned().collect()
        }
        _ => {
            let pattern = Pattern::new(word)
                .map_err(|error| format!("`{}` is not a valid pattern: {error}", word.escape_debug()))?;
            listing.nevras().filter(|nevra| pattern.matches(&nevra.to_string())).cloned().collect()
        }
    };
    if found.is_empty() {
        let what = if is_pattern { "is like" } else { "was built from" };
        return Err(format!("nothing in {tree} {what} `{}`", word.escape_debug()));
    }
    Ok(found)
}

/// What lies in the upload tree of a distribution and no open rollout names.
///
/// # Errors
/// If that is nothing.
pub fn new(known: Known<'_>, dist: &DistPath) -> Result<Vec<Nevra>, String> {
    let tree = uploads(known, dist)?;
    let listing = known.world.trees.listing(&tree);
    let is_free = |nevra: &&Nevra| open_rollout_of(known.world, known.rules, dist, nevra).is_none();
    let found: Vec<Nevra> = listing.nevras().filter(is_free).cloned().collect();
    if found.is_empty() { Err(format!("there is nothing new in {tree}")) } else { Ok(found) }
}

/// What a title selects of all upload trees (S0-54): the packages of that name and version, and what was built from a source
/// package of that name and version, for its operating system and architecture, or for all if it names none.
///
/// A distribution is for the system and the architecture that its path names, as `umd/3/sl5/x86_64`; `only` names one.
///
/// # Errors
/// If that is nothing, or more than one version or release of a package.
pub fn titled(known: Known<'_>, title: &Title, only: Option<&DistPath>) -> Result<Vec<Part>, String> {
    if let Some(dist) = only {
        uploads(known, dist)?;
    }
    let (component, version) = (title.subject.component.as_str(), title.subject.version.as_str());
    // A release often ends with what it was built for: `1.8.0-1` is `1.8.0-1.el5`, too, and not `1.8.0-1.1`.
    let is_tag = |rest: &str| rest.is_empty() || rest.starts_with('.') && rest[1..].starts_with(char::is_alphabetic);
    let is_release = |nevra: &Nevra, release: &str| nevra.release().strip_prefix(release).is_some_and(is_tag);
    let is_it = |nevra: &Nevra| {
        let is_version = match version.rsplit_once('-') {
            None => nevra.version() == version,
            Some((version, release)) => nevra.version() == version && is_release(nevra, release),
        };
        nevra.name().eq_ignore_ascii_case(component) && is_version
    };
    let is_of = |dist: &DistPath, word: Option<&str>| {
        word.is_none_or(|word| dist.as_str().split('/').any(|part| part.eq_ignore_ascii_case(word)))
    };
    let (os, arch) = (title.os.as_ref().map(Os::as_str), title.arch.as_ref().map(Arch::as_str));
    let dists = known.rules.distributions.keys().filter(|dist| only.is_none_or(|only| only == *dist));
    let dists = dists.filter(|dist| is_of(dist, os) && is_of(dist, arch));
    let of_dist = |dist: &DistPath| {
        let listing = known.world.trees.listing(&uploads(known, dist).ok()?);
        let built_from_it = |nevra: &Nevra| {
            let package = known.world.packages.get(dist, nevra);
            package.and_then(|package| package.source.as_deref()).is_some_and(is_it)
        };
        let packages: Vec<Nevra> =
            listing.nevras().filter(|nevra| is_it(nevra) || built_from_it(nevra)).cloned().collect();
        (!packages.is_empty()).then(|| Part { dist: dist.clone(), packages })
    };
    let found: Vec<Part> = dists.filter_map(of_dist).collect();
    if found.is_empty() {
        let place = [os, arch].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let place = if place.is_empty() { String::new() } else { format!(" for {place}") };
        return Err(format!(
            "no upload tree{place} has {component} {version}, which the title names; name the packages"
        ));
    }
    for Part { dist, packages } in &found {
        let mut known: BTreeMap<(&str, &str), &Nevra> = BTreeMap::new();
        for nevra in packages {
            if let Some(other) = known.insert((nevra.name(), nevra.arch()), nevra) {
                return Err(format!("the title fits {other} and {nevra} in {dist}; name the packages"));
            }
        }
    }
    Ok(found)
}

/// The upload tree of a distribution.
fn uploads(known: Known<'_>, dist: &DistPath) -> Result<TreeId, String> {
    let rules = known.rules.distributions.get(dist).ok_or_else(|| known.rules.no_distribution(dist))?;
    let tree = rules.trees.first().ok_or_else(|| format!("{dist} has no trees"))?;
    Ok(TreeId { dist: dist.clone(), tree: tree.clone() })
}
