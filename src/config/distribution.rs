//! `[[distribution]]`: what is rolled out, through which trees, trusted by which keys.
//!
//! Owns the meaning of every key in that section. `check` determines whether key files can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::calendar::windows;
use super::mentions::{AdoptedException, Exception, Notebook, Purpose};
use super::settings::{Adopted, Distribution, Grace, TREES};
use super::values::{Names, date, fingerprint, set_of, span, url, words};
use crate::domain::arch;
use crate::domain::calendar::windows::Rule;
use crate::domain::checksum::ChecksumKind;
use crate::domain::names::{DistPath, TreeName};
use crate::domain::refusal::Code;
use crate::domain::trust::{Legacy, Lifted};
use crate::format::complaint::Spot;
use crate::format::compress::Compression;
use crate::format::document::{Section, Value};
use crate::format::repofile::{self, Companion};
use crate::format::spelling::{did_you_mean, list_of};
use crate::process::procedure;

/// A longer grace period is a typing error that would fill disks unnoticed.
const GRACE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_hours(3660 * 24);

/// All valid distributions, in the order of the file, with their number in it.
///
/// Without a `[calendar]` (`has_clocks`) nobody knows by which clocks their windows are meant.
pub fn all(value: &Value<'_, '_>, has_clocks: bool, notebook: &mut Notebook) -> Vec<(usize, Distribution)> {
    let sections = value.sections();
    if sections.is_empty() && value.is_list() {
        value.complain("is an empty list, so there is nothing to do", None);
    }
    let mut seen: Vec<(DistPath, Spot)> = Vec::new();
    let mut distributions = Vec::new();
    for (number, mut section) in sections.into_iter().enumerate() {
        let place = section.need("path", "path = \"umd/3/sl6/x86_64\"");
        let path = place.as_ref().and_then(Value::parse::<DistPath>);
        if let (Some(place), Some(path)) = (place, &path) {
            if let Some(what) = seen.iter().find_map(|(other, at)| nested(path, other, at)) {
                place.complain(what, Some("no distribution may be inside another".to_owned()));
            }
            seen.push((path.clone(), place.spot()));
        }
        let distribution = one(section, number, path, has_clocks, notebook);
        distributions.extend(distribution.map(|distribution| (number, distribution)));
    }
    distributions
}

fn one(
    mut section: Section<'_, '_>,
    number: usize,
    path: Option<DistPath>,
    has_clocks: bool,
    notebook: &mut Notebook,
) -> Option<Distribution> {
    let trees = section.get("trees").map_or_else(default_trees, |v| trees(&v));
    let procedure = section
        .need("procedure", "procedure = \"egi\"")
        .and_then(|v| procedure(&v, number, trees.as_deref(), notebook));
    let checksums = ChecksumKind::ALL.map(|kind| (kind.as_str(), kind));
    let checksum = section.get("checksum").map_or(Some(ChecksumKind::default()), |v| v.one_of(&checksums));
    let compressions = Compression::ALL.map(|kind| (kind.as_str(), kind));
    let compression = section.get("compression").map_or(Some(Compression::Gz), |v| v.one_of(&compressions));
    let blocks = section.get("blocks").map_or(Some(true), |v| v.switch());
    let grace = section.get("grace").map_or_else(|| Some(Grace::default()), |v| grace(v.section()?));
    let arches = section.get("arches").and_then(|v| arches(&v));
    let min_signers = section.get("min_signers").and_then(|v| Some(min_signers(&v.section()?, trees.as_deref())));
    let keys = section
        .need("keys", "keys = { \"*\" = [\"/etc/rolloutd/keys/RPM-GPG-KEY-example\"] }")
        .and_then(|v| keys(&v, number, trees.as_deref(), notebook));
    let gpgkey_urls = section.get("gpgkey_url").map(|v| urls(&v));
    for exception in section.get("legacy").map(|v| v.sections()).unwrap_or_default() {
        legacy(exception, number, notebook);
    }
    for exception in section.get("adopted").map(|v| v.sections()).unwrap_or_default() {
        adopted(exception, number, trees.as_deref(), notebook);
    }
    let node_types = section.get("node_types").map_or_else(|| Some(BTreeSet::new()), |v| node_types(&v));
    let companions = section.get("companion").map(|v| v.sections()).unwrap_or_default();
    let companions = companions_of(companions, path.as_ref(), trees.as_deref().unwrap_or_default());
    let windows = section.get("window").map(|v| own_windows(&v, has_clocks)).unwrap_or_default();
    section.close();
    let (path, trees, keys) = (path?, trees?, keys.unwrap_or_default());
    let gpgkey_urls = gpgkey_urls.unwrap_or_default();
    let min_signers = min_signers.unwrap_or_default();
    let asked =
        |tree: &TreeName| (tree.clone(), min_signers.get(tree.as_str()).or(min_signers.get("*")).copied().unwrap_or(1));
    let legacy = notebook.exceptions.iter().filter(|e| e.distribution == number).map(|e| e.legacy.clone()).collect();
    let adopted = notebook.adopted.iter().filter(|e| e.distribution == number).map(|e| e.adopted.clone()).collect();
    // The default for an invalid value is never used, since there is a complaint about it. But the rest can still be
    // checked against the disk.
    Some(Distribution {
        path,
        procedure: procedure.unwrap_or_default(),
        checksum: checksum.unwrap_or_default(),
        compression: compression.unwrap_or(Compression::Gz),
        blocks: blocks.unwrap_or(true),
        grace: grace.unwrap_or_default(),
        keys,
        legacy,
        adopted,
        min_signers: trees.iter().map(asked).collect(),
        arches,
        windows,
        gpgkey_urls,
        node_types: node_types.unwrap_or_default(),
        companions,
        trees,
    })
}

fn procedure(
    value: &Value<'_, '_>,
    distribution: usize,
    trees: Option<&[TreeName]>,
    notebook: &mut Notebook,
) -> Option<String> {
    let text = value.text()?;
    if let Some(workflow) = procedure::built_in(text) {
        for misfit in trees.map(|trees| workflow.misfits(trees)).unwrap_or_default() {
            value.complain(misfit.what, Some("name that tree in `trees`, or write your own procedure".to_owned()));
        }
        return Some(text.to_owned());
    }
    if text.contains('/') {
        return notebook.path(value, Purpose::Procedure { distribution }).map(|path| path.display().to_string());
    }
    let known = procedure::names();
    let hint = did_you_mean(text, known.clone())
        .unwrap_or_else(|| format!("use {}, or the path of a procedure file", list_of(known)));
    value.complain(format!("`{}` is not a procedure", text.escape_default()), Some(hint));
    None
}

/// Windows of its own.
fn own_windows(value: &Value<'_, '_>, has_clocks: bool) -> Vec<Rule> {
    if !has_clocks {
        let hint = "add [calendar] with timezone = \"Europe/Zurich\"".to_owned();
        value.complain("there is no [calendar], so the time zone is unknown", Some(hint));
    }
    windows(value)
}

/// One URL or a list of them.
fn urls(value: &Value<'_, '_>) -> Vec<String> {
    if value.is_list() {
        set_of(value, |v| v.read(url)).unwrap_or_default()
    } else {
        value.read(url).into_iter().collect()
    }
}

/// The node types for which a distribution is the repository (S1-51).
fn node_types(value: &Value<'_, '_>) -> Option<BTreeSet<String>> {
    Some(set_of(value, words)?.into_iter().collect())
}

/// `[[distribution.companion]]`: repositories of others that clients need beside this one (S0-16).
fn companions_of(sections: Vec<Section<'_, '_>>, path: Option<&DistPath>, trees: &[TreeName]) -> Vec<Companion> {
    let mut names = Names::default();
    let mut companions = Vec::new();
    for mut section in sections {
        let name = section.need("name", "name = \"epel\"").and_then(|v| {
            let name = v.read(repofile::companion_name)?;
            names.note(&name, &v, "is already the name of a companion");
            if path.is_some_and(|path| trees.iter().any(|tree| repofile::id(path, tree) == name)) {
                v.complain(format!("`{name}` is the section of a tree of this distribution"), None);
            }
            Some(name)
        });
        let url = section.need("url", "url = \"https://mirror.example.org/epel/6/x86_64/\"").and_then(|v| v.read(url));
        let gpgkeys = section.get("gpgkey").map(|v| urls(&v)).unwrap_or_default();
        section.close();
        if let (Some(name), Some(url)) = (name, url) {
            companions.push(Companion { name, url, gpgkeys });
        }
    }
    companions
}

/// Why a key file cannot be published in a tree under its own name.
fn unpublishable(file: &Path, others: &[PathBuf]) -> Option<String> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if name.is_empty()
        || name.starts_with('.')
        || matches!(name, "repodata" | "Packages")
        || matches!(extension, "rpm" | "repo")
    {
        return Some(format!("`{}` is not a valid name for a key that is published in a tree", name.escape_default()));
    }
    let other = others.iter().find(|other| other.file_name().is_some_and(|other| other == name))?;
    Some(format!("has the same file name as {}, and both are published in a tree", other.display()))
}

/// The key rings of all trees.
fn keys(
    value: &Value<'_, '_>,
    number: usize,
    trees: Option<&[TreeName]>,
    notebook: &mut Notebook,
) -> Option<BTreeMap<TreeName, Vec<PathBuf>>> {
    let section = value.section()?;
    let entries = section.entries();
    let own: BTreeSet<&str> = entries.iter().map(|(name, _)| name.text).filter(|text| *text != "*").collect();
    let known = trees.unwrap_or_default();
    let mut rings: BTreeMap<TreeName, Vec<PathBuf>> = BTreeMap::new();
    for (name, files) in &entries {
        let covered: Vec<TreeName> = known
            .iter()
            .filter(|t| if name.text == "*" { !own.contains(t.as_str()) } else { t.as_str() == name.text })
            .cloned()
            .collect();
        if covered.is_empty() && trees.is_some() && name.text != "*" {
            name.complain("is not a tree of this distribution", Some(tree_hint(name.text, known)));
        }
        let Some(list) = files.list() else { continue };
        if list.is_empty() {
            files.complain("is an empty list, so nothing can be accepted", None);
        }
        let mut paths: Vec<PathBuf> = Vec::new();
        for file in &list {
            let purpose = Purpose::Ring { distribution: number, trees: covered.clone() };
            let Some(path) = notebook.path(file, purpose) else { continue };
            if paths.contains(&path) {
                file.complain("is listed twice", None);
            } else if let Some(what) = unpublishable(&path, &paths) {
                file.complain(what, None);
            }
            paths.push(path);
        }
        rings.extend(covered.into_iter().map(|tree| (tree, paths.clone())));
    }
    if !entries.iter().any(|(name, _)| name.text == "*") {
        let bare: Vec<&str> = known.iter().map(TreeName::as_str).filter(|tree| !own.contains(tree)).collect();
        if !bare.is_empty() {
            let what = format!("lacks a ring for {}", list_of(bare));
            section.complain(what, Some("\"*\" = [..] is the ring of all other trees".to_owned()));
        }
    }
    Some(rings)
}

fn legacy(mut section: Section<'_, '_>, distribution: usize, notebook: &mut Notebook) {
    let key = section.need("key", "key = \"<fingerprint, 40 digits>\"");
    let key_at = key.as_ref().map_or_else(|| section.spot(), Value::spot);
    let fingerprint = key.and_then(|v| v.read(fingerprint));
    let until = section.need("until", "until = \"2027-06-30\"");
    let at = until.as_ref().map_or_else(|| section.spot(), Value::spot);
    let until = until.and_then(|v| date(&v));
    let allow = section.need("allow", "allow = [\"v3\", \"header_payload\"]").and_then(|v| {
        if v.list().is_some_and(|list| list.is_empty()) {
            v.complain("is empty, so the exception has no effect", None);
            return None;
        }
        let words = Lifted::ALL.map(|lifted| (lifted.as_str(), lifted));
        set_of(&v, |v| v.one_of(&words))
    });
    section.close();
    if let (Some(fingerprint), Some(until), Some(allow)) = (fingerprint, until, allow) {
        notebook.exceptions.push(Exception { distribution, legacy: Legacy { fingerprint, until, allow }, key_at, at });
    }
}

/// What can be excepted for packages that were already in a tree: how they are signed, and by whom. A file that was
/// altered, or for which no metadata can be made, cannot stay in any tree.
const LIFTED: &[Code] = &[
    Code::Unsigned,
    Code::PartiallySigned,
    Code::LegacySignature,
    Code::UnknownKey,
    Code::KeyExpired,
    Code::KeyExpiredAtArrival,
    Code::KeyRevoked,
    Code::SignatureExpired,
    Code::SignatureBeforeKey,
    Code::NotSigningKey,
    Code::UnboundKey,
    Code::WeakHash,
    Code::WeakKey,
    Code::UnknownAlgorithm,
    Code::SignatureVersion,
    Code::TooFewSigners,
    Code::PayloadDigestFormat,
    Code::WrongKind,
];

fn adopted(mut section: Section<'_, '_>, distribution: usize, trees: Option<&[TreeName]>, notebook: &mut Notebook) {
    let tree = section.need("tree", "tree = \"production\"").and_then(|v| {
        let name = v.parse::<TreeName>()?;
        if trees.is_some_and(|trees| !trees.contains(&name)) {
            v.complain(format!("this distribution has no tree `{name}`"), None);
            return None;
        }
        Some(name)
    });
    let codes: Vec<(&str, Code)> = LIFTED.iter().map(|code| (code.as_str(), *code)).collect();
    let code = section.need("code", "code = \"unsigned\"").and_then(|v| v.one_of(&codes));
    let until = section.need("until", "until = \"2027-06-30\"");
    let at = until.as_ref().map_or_else(|| section.spot(), Value::spot);
    let until = until.and_then(|v| date(&v));
    section.close();
    if let (Some(tree), Some(code), Some(until)) = (tree, code, until) {
        notebook.adopted.push(AdoptedException { distribution, adopted: Adopted { tree, code, until }, at });
    }
}

fn grace(mut section: Section<'_, '_>) -> Option<Grace> {
    let fallback = Grace::default();
    let metadata = span(&mut section, "metadata", fallback.metadata, &GRACE);
    let packages = span(&mut section, "packages", fallback.packages, &GRACE);
    section.close();
    Some(Grace { metadata: metadata?, packages: packages? })
}

fn default_trees() -> Option<Vec<TreeName>> {
    TREES.iter().map(|tree| tree.parse().ok()).collect()
}

fn trees(value: &Value<'_, '_>) -> Option<Vec<TreeName>> {
    let list = value.list()?;
    let mut trees = Vec::new();
    for element in &list {
        let Some(tree) = element.parse::<TreeName>() else { continue };
        if trees.contains(&tree) {
            element.complain(format!("`{tree}` is listed twice"), None);
        } else {
            trees.push(tree);
        }
    }
    if list.len() < 2 {
        value.complain("must name at least two trees, or nothing can be promoted", None);
    }
    (!trees.is_empty()).then_some(trees)
}

fn tree_hint(name: &str, known: &[TreeName]) -> String {
    let names = known.iter().map(TreeName::as_str);
    did_you_mean(name, names.clone()).unwrap_or_else(|| format!("its trees: {}", list_of(names)))
}

fn min_signers(section: &Section<'_, '_>, trees: Option<&[TreeName]>) -> BTreeMap<String, usize> {
    let mut numbers = BTreeMap::new();
    for (name, value) in section.entries() {
        if let Some(known) = trees
            && name.text != "*"
            && !known.iter().any(|tree| tree.as_str() == name.text)
        {
            name.complain("is not a tree of this distribution", Some(tree_hint(name.text, known)));
        }
        if let Some(number) = value.number(1..=16).and_then(|number| usize::try_from(number).ok()) {
            numbers.insert(name.text.to_owned(), number);
        }
    }
    numbers
}

fn arches(value: &Value<'_, '_>) -> Option<Vec<String>> {
    if value.list().is_some_and(|list| list.is_empty()) {
        value.complain("is empty, so nothing could come in", None);
        return None;
    }
    set_of(value, |element| {
        element.read(
            |text| if arch::is_arch(text) { Ok(text.to_owned()) } else { Err("is not the name of an architecture") },
        )
    })
}

/// How the paths of two distributions overlap, if they do.
fn nested(path: &DistPath, other: &DistPath, at: &Spot) -> Option<String> {
    let line = at.line;
    let inside = |inner: &DistPath, outer: &DistPath| {
        inner.as_str().strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('/'))
    };
    if path == other {
        Some(format!("`{path}` is already the path of the distribution on line {line}"))
    } else if inside(path, other) {
        Some(format!("`{path}` is inside `{other}` on line {line}"))
    } else if inside(other, path) {
        Some(format!("`{path}` contains `{other}` on line {line}"))
    } else {
        None
    }
}
