//! What somebody means who names packages of the upload tree: a pattern, a source package, or everything new.

use glob::Pattern;

use super::act::submit::open_rollout_of;
use super::known::Known;
use crate::domain::names::{DistPath, TreeId};
use crate::domain::nevra::Nevra;

/// The packages of a distribution that are meant by this word: one package, which need not be there, or those of its upload
/// tree that a pattern with `*`, `?` or `[` fits, or a source package and what was built from it.
///
/// # Errors
/// A sentence for people.
pub fn meant(known: Known<'_>, dist: &DistPath, word: &str) -> Result<Vec<Nevra>, String> {
    let is_pattern = word.contains(['*', '?', '[']);
    let source = Nevra::of_source_file(word).or_else(|| word.parse::<Nevra>().ok().filter(Nevra::is_source));
    if !is_pattern && source.is_none() {
        return word
            .parse()
            .map(|nevra| vec![nevra])
            .map_err(|error: crate::domain::nevra::BadNevra| error.to_string());
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
            let pattern =
                Pattern::new(word).map_err(|error| format!("`{}` is no pattern: {error}", word.escape_debug()))?;
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

/// The upload tree of a distribution.
fn uploads(known: Known<'_>, dist: &DistPath) -> Result<TreeId, String> {
    let rules = known.rules.distributions.get(dist).ok_or_else(|| known.rules.no_distribution(dist))?;
    let tree = rules.trees.first().ok_or_else(|| format!("{dist} has no trees"))?;
    Ok(TreeId { dist: dist.clone(), tree: tree.clone() })
}
