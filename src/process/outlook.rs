//! What a step would do, for whoever asks before taking it: every tree that would change, and what becomes of each package
//! there.
//!
//! The plan is the one that the step itself would write down, and it is applied to the listings as a move applies it, so
//! the two cannot differ. It holds for the logbook as it is: packages that are on their way for other rollouts are not
//! there yet. A step that would be refused is shown as well, as if nothing were in its way.

use std::collections::{BTreeMap, BTreeSet};

use super::act::step::{self, Planned};
use super::known::Known;
use super::who::{Caller, Channel};
use super::world::{Tree, World};
use crate::domain::changes::{Amount, Fate, Pair, compare};
use crate::domain::gate::Judgement;
use crate::domain::listing::Listing;
use crate::domain::names::{Actor, TreeId};
use crate::domain::nevra::Nevra;
use crate::domain::people;
use crate::domain::plan::Plan;
use crate::domain::rollout::Rollout;
use crate::domain::workflow::{Effect, State};

/// What a step would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The state that the rollout is in.
    pub from: State,
    /// The state that it would reach, and the effect; `None` if the procedure has no such step.
    pub to: Option<(State, Effect)>,
    /// What stands in its way.
    pub judged: Judgement,
    /// The trees that it concerns, the targets first. None if nothing would move.
    pub trees: Vec<TreeOutlook>,
    /// What whoever takes it should know.
    pub warnings: Vec<String>,
    /// The last logbook entry that was taken into account.
    pub entry: u64,
}

/// What a step would do in one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeOutlook {
    /// Which.
    pub id: TreeId,
    /// What it lists now.
    pub before: Amount,
    /// What would come.
    pub added: Amount,
    /// What would go.
    pub removed: Amount,
    /// How many packages are there already and would stay.
    pub same: u64,
    /// What becomes of each package that the step concerns, in the order of a listing.
    pub packages: Vec<PackageOutlook>,
    /// How many of the packages that would come or go each certificate has signed, by fingerprint.
    pub signers: BTreeMap<String, u64>,
}

/// What would become of one package in one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageOutlook {
    /// The package.
    pub nevra: Nevra,
    /// `new`, `newer` and so on: see [`Fate`].
    pub fate: &'static str,
    /// The version that it is compared with.
    pub other: Option<String>,
    /// Its size.
    pub bytes: u64,
}

impl TreeOutlook {
    /// What it would list.
    pub fn after(&self) -> Amount {
        let after = |before: u64, added: u64, removed: u64| before.saturating_add(added).saturating_sub(removed);
        Amount {
            packages: after(self.before.packages, self.added.packages, self.removed.packages),
            bytes: after(self.before.bytes, self.added.bytes, self.removed.bytes),
        }
    }
}

/// What a step would do, and what stands in its way.
pub fn outlook(known: Known<'_>, caller: &Caller, rollout: &Rollout, state: &str) -> Outlook {
    let Planned { judged, step, plan, warnings } = step::planned(known, caller, rollout, state);
    let trees = plan.iter().flat_map(|plan| plan.trees().into_iter().map(|id| in_tree(known.world, plan, id)));
    Outlook {
        from: rollout.state.clone(),
        to: step.map(|step| (step.to.clone(), step.effect.clone())),
        judged,
        trees: trees.filter(|tree| !tree.packages.is_empty()).collect(),
        warnings,
        entry: known.world.last,
    }
}

/// What the trees would list if these rollouts went to a state together: of each tree that this concerns, the whole
/// listing. Whether they may go there is not asked.
///
/// # Errors
/// The rollout whose procedure has no such step.
pub fn listings<'r>(
    known: Known<'_>,
    rollouts: impl IntoIterator<Item = &'r Rollout>,
    state: &str,
) -> Result<BTreeMap<TreeId, Listing>, String> {
    let nobody = Caller::new(Actor::recorded(people::DAEMON), Channel::Api, []);
    let mut trees = BTreeMap::new();
    for rollout in rollouts {
        let Planned { step, plan, .. } = step::planned(known, &nobody, rollout, state);
        if step.is_none() {
            let (id, from) = (&rollout.id, &rollout.state);
            return Err(format!(
                "{id} is in {from}, and its procedure has no step from there to `{}`",
                state.escape_debug()
            ));
        }
        let Some(plan) = plan else { continue };
        for id in plan.trees() {
            let before = trees.remove(&id).unwrap_or_else(|| known.world.trees.listing(&id));
            trees.insert(id.clone(), plan.shown_in(&id, &before));
        }
    }
    Ok(trees)
}

/// What a plan would do in one tree.
pub fn in_tree(world: &World, plan: &Plan, id: TreeId) -> TreeOutlook {
    let before = world.trees.listing(&id);
    let after = plan.shown_in(&id, &before);
    let items = || plan.of(&id.dist).into_iter().flat_map(|one| &one.items);
    let names: BTreeSet<&str> = items().map(|item| item.nevra.name()).collect();
    let [was, is] = [&before, &after].map(|listing| names.iter().flat_map(move |name| listing.named(name)));
    let pairs: Vec<_> = compare(was, is).collect();
    let mut fates: Vec<(&Nevra, Fate<'_>)> = pairs.iter().flat_map(Pair::fates).collect();
    let stays = items().map(|item| &item.nevra).filter(|nevra| before.contains(nevra) && after.contains(nevra));
    fates.extend(stays.map(|nevra| (nevra, Fate::Same)));
    fates.sort_by_key(|(nevra, _)| *nevra);

    let amount = world.trees.get(&id).map(Tree::amount).unwrap_or_default();
    let (mut added, mut removed, mut same) = (Amount::default(), Amount::default(), 0);
    let (mut packages, mut signers) = (Vec::with_capacity(fates.len()), BTreeMap::<String, u64>::new());
    for (nevra, fate) in fates {
        let package = world.packages.get(&id.dist, nevra);
        let bytes = package.map_or(0, |package| package.size);
        match fate {
            Fate::Same => same += 1,
            _ if fate.comes() => added.add(bytes),
            _ => removed.add(bytes),
        }
        let signed = package.filter(|_| fate != Fate::Same).into_iter().flat_map(|package| &package.signers.certs);
        for cert in signed {
            *signers.entry(cert.clone()).or_default() += 1;
        }
        packages.push(PackageOutlook {
            nevra: nevra.clone(),
            fate: fate.as_str(),
            other: fate.other().map(Nevra::evr),
            bytes,
        });
    }
    TreeOutlook { id, before: amount, added, removed, same, packages, signers }
}
