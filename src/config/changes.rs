//! `[changes]`: the categories of changes, who approves them, and which need no approval.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::values::{Names, set_of, words};
use crate::domain::names::Category;
use crate::domain::request::{ChangePolicy, StandardRule};
use crate::format::document::{Section, Value};

/// The longest text of a rule: people read it in a sentence.
const TEXT_MAX: usize = 200;

/// Most rules for standard changes.
const RULES_MAX: usize = 100;

/// How changes are handled.
pub fn policy(mut section: Section<'_, '_>) -> Option<ChangePolicy> {
    let fallback = ChangePolicy::default();
    let categories = section.get("categories").map_or_else(|| Some(BTreeSet::new()), |v| names(&v));
    let advisory = section.get("advisory").map_or_else(|| Some(fallback.advisory.clone()), |v| names(&v));
    let approvals = (fallback.from.clone(), fallback.each, fallback.four_eyes);
    let approvals = section.get("approvals").map_or(Some(approvals), |v| {
        let mut section = v.section()?;
        let from = section.need("from", "from = [\"pt\", \"omb\"]");
        let groups = from.as_ref().and_then(names);
        if let (Some(value), Some(groups)) = (&from, &groups)
            && groups.is_empty()
        {
            value.complain("is empty, so every change would be approved", None);
        }
        let each = section.get("each").map_or(Some(1), |v| v.number(1..=100)?.try_into().ok());
        let four_eyes = section.get("four_eyes").map_or(Some(false), |v| v.switch());
        section.close();
        Some((groups?, each?, four_eyes?))
    });
    let standard = section.get("standard").map(|v| rules(&v)).unwrap_or_default();
    section.close();
    let (from, each, four_eyes) = approvals?;
    Some(ChangePolicy { categories: categories?, from, each, four_eyes, advisory: advisory?, standard })
}

fn names<T: Ord + FromStr<Err: fmt::Display>>(value: &Value<'_, '_>) -> Option<BTreeSet<T>> {
    Some(set_of(value, one)?.into_iter().collect())
}

fn one<T: FromStr<Err: fmt::Display>>(value: &Value<'_, '_>) -> Option<T> {
    value.parse()
}

/// All valid rules, in the order of the file.
fn rules(value: &Value<'_, '_>) -> Vec<StandardRule> {
    let sections = value.sections();
    if sections.len() > RULES_MAX {
        value.complain(format!("has more than {RULES_MAX} rules"), None);
    }
    let mut known = Names::default();
    sections.into_iter().filter_map(|section| rule(section, &mut known)).collect()
}

fn rule(mut section: Section<'_, '_>, known: &mut Names) -> Option<StandardRule> {
    let id = section.need("id", "id = \"ca-update\"").and_then(|v| {
        let id = short(&v)?;
        known.note(&id, &v, "names two rules");
        Some(id)
    });
    let pattern = section.need("pattern", "pattern = \"CA update *\"").and_then(|v| v.parse());
    let category = section.get("category").map_or(Some(None), |v| v.parse::<Category>().map(Some));
    let example = "procedure = \"https://wiki.example.org/ca-update\"";
    let procedure = section.need("procedure", example).and_then(|v| short(&v));
    section.close();
    Some(StandardRule { id: id?, pattern: pattern?, category: category?, procedure: procedure? })
}

fn short(value: &Value<'_, '_>) -> Option<String> {
    let text = words(value)?;
    if text.len() > TEXT_MAX {
        value.complain(format!("is longer than {TEXT_MAX} bytes"), None);
    }
    Some(text)
}
