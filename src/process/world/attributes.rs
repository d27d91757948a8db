//! What is said of each rollout, and which rollouts something is said of.
//!
//! A title that follows the naming convention says the product and the component, too, unless somebody has said
//! otherwise.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use crate::domain::attributes::Attributes;
use crate::domain::names::{Label, RolloutId};
use crate::domain::naming::title::Title;
use crate::process::fact::attributes::Described;

/// By what rollouts are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum By {
    /// The product.
    Product,
    /// The component.
    Component,
    /// A node type.
    NodeType,
    /// How urgent it is.
    Priority,
    /// How bad is what it mends.
    Severity,
}

/// What is known of a rollout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    said: Attributes,
    /// The product and the component that its title names.
    titled: Option<(Label, Label)>,
}

/// What is said of all rollouts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Descriptions {
    by_rollout: OrdMap<RolloutId, Arc<Known>>,
    /// The rollouts of which each word is said, in lower case.
    words: OrdMap<(By, String), OrdSet<RolloutId>>,
}

impl Known {
    /// With what the title says.
    fn all(&self) -> Attributes {
        let mut all = self.said.clone();
        if let Some((product, component)) = &self.titled {
            all.product.get_or_insert_with(|| product.clone());
            all.component.get_or_insert_with(|| component.clone());
        }
        all
    }

    fn words(&self) -> BTreeSet<(By, String)> {
        let all = self.all();
        let labels = [(By::Product, &all.product), (By::Component, &all.component)];
        let labels = labels.into_iter().filter_map(|(by, label)| Some((by, label.as_ref()?.as_str())));
        let node_types = all.node_types.iter().map(|label| (By::NodeType, label.as_str()));
        let ranks = [(By::Priority, all.priority), (By::Severity, all.severity)];
        let ranks = ranks.into_iter().filter_map(|(by, rank)| Some((by, rank?.as_str())));
        labels.chain(node_types).chain(ranks).map(|(by, word)| (by, word.to_lowercase())).collect()
    }
}

impl Descriptions {
    /// What is said of a rollout, by people or by its title.
    pub fn of(&self, rollout: &RolloutId) -> Attributes {
        self.by_rollout.get(rollout).map(|known| known.all()).unwrap_or_default()
    }

    /// What people have said of it.
    pub fn said(&self, rollout: &RolloutId) -> Attributes {
        self.by_rollout.get(rollout).map(|known| known.said.clone()).unwrap_or_default()
    }

    /// The rollouts of which this is said, in whatever case.
    pub fn with(&self, by: By, word: &str) -> Option<&OrdSet<RolloutId>> {
        self.words.get(&(by, word.to_lowercase()))
    }

    fn change(&mut self, rollout: &RolloutId, how: impl FnOnce(&mut Known)) {
        let mut known = self.by_rollout.get(rollout).map(|known| Known::clone(known)).unwrap_or_default();
        let before = known.words();
        how(&mut known);
        let after = known.words();
        for word in before.difference(&after) {
            if let Some(rollouts) = self.words.get_mut(word) {
                rollouts.remove(rollout);
            }
        }
        for word in after.difference(&before) {
            self.words.entry(word.clone()).or_default().insert(rollout.clone());
        }
        if known == Known::default() {
            self.by_rollout.remove(rollout);
        } else {
            self.by_rollout.insert(rollout.clone(), Arc::new(known));
        }
    }

    /// A rollout has this title.
    pub(super) fn titled(&mut self, rollout: &RolloutId, title: &str) {
        let label = |text: &str| text.parse::<Label>().ok();
        let title = title.parse::<Title>().ok();
        let titled =
            title.and_then(|title| Some((label(title.product().as_str())?, label(title.subject.component.as_str())?)));
        if titled.is_some() || self.by_rollout.contains_key(rollout) {
            self.change(rollout, |known| known.titled = titled);
        }
    }

    pub(super) fn described(&mut self, Described { rollout, attributes }: &Described) {
        self.change(rollout, |known| known.said = attributes.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rollouts_are_found_by_what_is_said_of_them_now() {
        let mut all = Descriptions::default();
        let (one, two) = ("r1".parse().expect("an id"), "r2".parse().expect("an id"));
        all.titled(&one, "Staged Rollout EMI-1.0 bdii-site 1.0.1 sl5 x86_64");
        all.titled(&two, "something else");
        let found = |all: &Descriptions, by, word: &str| {
            let found = all.with(by, word).into_iter().flatten().map(ToString::to_string);
            found.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(found(&all, By::Product, "emi.BDII-site.sl5.x86_64"), "r1");
        let said = Attributes { component: "BDII-site".parse().ok(), ..Attributes::default() };
        all.described(&Described { rollout: two.clone(), attributes: said.clone() });
        assert_eq!(found(&all, By::Component, "bdii-site"), "r1 r2");
        all.described(&Described {
            rollout: one.clone(),
            attributes: Attributes { product: "BDII".parse().ok(), ..said },
        });
        assert_eq!(found(&all, By::Product, "emi.bdii-site.sl5.x86_64"), "", "it was said otherwise");
        all.titled(&one, "Staged Rollout CA 1.38");
        assert_eq!((found(&all, By::Product, "bdii"), found(&all, By::Product, "ca")), ("r1".into(), String::new()));
        for rollout in [&one, &two] {
            all.described(&Described { rollout: rollout.clone(), attributes: Attributes::default() });
        }
        assert_eq!(
            (found(&all, By::Component, "bdii-site"), found(&all, By::Component, "CA")),
            (String::new(), "r1".into())
        );
        assert_eq!(all.of(&two), Attributes::default());
    }
}
