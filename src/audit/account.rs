//! Compares what the logbook says should be there with what is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::tree::Tree;
use crate::domain::checksum::Sha256;
use crate::domain::names::{DistPath, TreeId};
use crate::domain::people::{People, Person};
use crate::domain::plan::{Owner, Plan};
use crate::process::fact::count;
use crate::process::fact::report::File;
use crate::process::world::World;

/// A plan takes seconds; one this old is waiting for something.
const PLAN_TAKES: Duration = Duration::from_mins(10);

/// How many findings of the same kind are named; the rest is counted.
const NAMED_MOST: usize = 10;

/// The findings, summed up where there are many.
#[derive(Default)]
struct Findings(BTreeMap<String, Vec<String>>);

impl Findings {
    fn say(&mut self, name: &str, what: impl Into<String>) {
        self.0.entry(what.into()).or_default().push(name.to_owned());
    }

    fn told(self) -> Vec<(String, String)> {
        let mut told = Vec::new();
        for (what, names) in self.0 {
            let more = names.len().saturating_sub(NAMED_MOST);
            let first = names.into_iter().take(NAMED_MOST);
            told.extend(first.map(|name| (name, what.clone())));
            if more > 0 {
                told.push((format!("{more} more"), what));
            }
        }
        told.sort();
        told
    }
}

/// Where a tree and the logbook disagree, each with the path of a file in the tree or a package.
///
/// Packages on their way into or out of the tree may be there or not; everything else is compared, even while plans
/// wait. `takes_uploads` says that unlisted files in this tree are uploads.
pub fn of_tree(world: &World, id: &TreeId, tree: &Tree, takes_uploads: bool) -> Vec<(String, String)> {
    let known = world.trees.get(id).cloned().unwrap_or_default();
    let moves = world.rollouts.plans_in(&id.dist).filter_map(|(_, plan)| plan.of(&id.dist));
    let here = moves.flat_map(|one| one.items.iter().filter(|item| one.touches(item, &id.tree)));
    let moving: BTreeMap<String, String> = here.map(|item| (item.nevra.to_string(), item.nevra.file_name())).collect();
    let on_its_way = !moving.is_empty() || known.dirty;
    let mut wrong = Findings::default();
    match (&tree.shows, known.repomd) {
        (Some((shown, revision)), Some(published)) if *shown != published.to_hex() && !on_its_way => {
            let last = known.revision;
            wrong.say(
                "repodata/repomd.xml",
                format!("it is not the latest publication: revision {revision}, not {last}"),
            );
        }
        (Some((_, revision)), None) => {
            let what = format!("revision {revision} was never published according to the logbook");
            wrong.say("repodata/repomd.xml", what);
        }
        _ => {}
    }
    let listed = world.trees.get(id).into_iter().flat_map(|tree| tree.listing().nevras());
    let wanted = listed.filter_map(|nevra| Some((nevra, world.packages.get(&id.dist, nevra)?)));
    let mut expected = BTreeSet::new();
    let (mut to_come, mut to_go) = (0, 0);
    for (nevra, package) in wanted {
        let nevra = nevra.to_string();
        match tree.listed.get(&nevra) {
            None if moving.contains_key(&nevra) => {}
            None if known.dirty => to_come += 1,
            None => wrong.say(&nevra, "the logbook has it in this tree, but it is not listed"),
            Some(listed) if listed.size != package.size => {
                wrong.say(&nevra, format!("accepted with {} bytes, listed with {}", package.size, listed.size));
            }
            Some(listed) if listed.algorithm == "sha256" && listed.checksum != package.sha256.to_hex() => {
                wrong.say(&nevra, "listed with other bytes than were accepted");
            }
            Some(_) => {}
        }
        expected.insert(nevra);
    }
    let accepted: BTreeSet<String> = if known.dirty {
        world.packages.of(&id.dist).map(|(nevra, _)| nevra.to_string()).collect()
    } else {
        BTreeSet::new()
    };
    for nevra in tree.listed.keys().filter(|nevra| !expected.contains(*nevra) && !moving.contains_key(*nevra)) {
        if accepted.contains(nevra) {
            to_go += 1;
        } else {
            wrong.say(nevra, "it is listed, but the logbook does not have it in this tree");
        }
    }
    if to_come + to_go > 0 {
        // The numbers and the revision change as the move progresses.
        let what = format!(
            "since revision {} {} to be shown and {to_go} to be hidden; `rolloutctl check` says why",
            known.revision,
            match to_come {
                1 => "1 package waits".to_owned(),
                n => format!("{n} packages wait"),
            },
        );
        wrong.say("repodata/repomd.xml", what);
    }
    if !takes_uploads {
        let leaving: BTreeSet<String> =
            known.leaving.keys().map(|place| file_of(place).to_owned()).chain(moving.into_values()).collect();
        for name in &tree.unlisted {
            let file = file_of(name);
            if !leaving.contains(file) {
                wrong.say(
                    name,
                    "it is in the tree but not listed, and no rollout left it behind; upload it, and remove it here",
                );
            }
        }
    }
    wrong.told()
}

/// The file name in a path.
fn file_of(place: &str) -> &str {
    place.rsplit('/').next().unwrap_or(place)
}

/// Plans that were decided long ago and are not carried out, each with its logbook entry.
pub fn waiting(world: &World, now: Timestamp) -> Vec<(String, String)> {
    let is_old = |plan: &Plan| {
        let since = match &plan.owner {
            Owner::Rollout(rollout) => world.rollouts.get(rollout).map(|rollout| rollout.since),
            Owner::Bundle { parts, .. } => {
                parts.keys().filter_map(|rollout| world.rollouts.get(rollout)).map(|rollout| rollout.since).min()
            }
            Owner::Restore { since, .. } => Some(*since),
        };
        since.is_none_or(|since| Duration::try_from(now.duration_since(since)).is_ok_and(|waited| waited > PLAN_TAKES))
    };
    let plans = world.rollouts.plans().filter(|(_, plan)| is_old(plan));
    let words = |(number, plan): (u64, &Arc<Plan>)| {
        let trees: Vec<String> = plan.trees().iter().map(ToString::to_string).collect();
        let (packages, trees) = (count(plan.packages(), "package"), trees.join(" and "));
        let what = match &plan.owner {
            Owner::Rollout(rollout) => format!(
                "{packages} of the rollout {rollout} should have moved in {trees} but did not; `rolloutctl show {rollout}` \
                 says why"
            ),
            Owner::Bundle { bundle, .. } => format!(
                "{packages} of the bundle {bundle} should have moved in {trees} but did not; `rolloutctl bundle show {bundle}` \
                 names its rollouts, and `rolloutctl show` of one says why"
            ),
            restore @ Owner::Restore { .. } => {
                format!("{packages} should have come or gone by {restore} but did not; `rolloutctl check` says why")
            }
        };
        (format!("logbook entry {number}"), what)
    };
    plans.map(words).collect()
}

/// People who are still in the register although the logbook says that they were erased.
pub fn of_people(world: &World, people: &People) -> Vec<String> {
    let erased = world.persons.erased().map(|(id, _)| id);
    let known = erased.filter(|id| matches!(people.get(*id), Some(Person { identity: Some(_), .. })));
    let words =
        |id| format!("{id} was erased, but the register still says who that was; the daemon erases it at its start");
    known.map(words).collect()
}

/// Packages of a distribution that were accepted, are in no tree, and are not kept either.
pub fn lost(world: &World, dist: &DistPath, retired: &Path) -> Vec<(String, String)> {
    let mut lost = Vec::new();
    // A withdrawal is complete once it is recorded, and its packages are kept before that.
    for (nevra, package) in world.packages.of(dist).filter(|(nevra, _)| world.is_withdrawn(dist, nevra)) {
        let kept = retired.join(format!("{}-{}", package.sha256.to_hex(), nevra.file_name()));
        match std::fs::symlink_metadata(&kept) {
            Ok(meta) if meta.is_file() && meta.len() == package.size => {}
            Ok(_) => lost.push((kept.display().to_string(), format!("its bytes are not those withdrawn as {nevra}"))),
            Err(error) => {
                lost.push((
                    kept.display().to_string(),
                    format!("{nevra} was withdrawn but its file is not kept: {error}"),
                ));
            }
        }
    }
    lost
}

/// Files of reports that are not as the logbook says, and those that it does not know. `look` says what is wrong with a file,
/// and `unnamed` which ones there are beside those that have these hashes.
pub fn of_reports(
    world: &World,
    dir: &str,
    look: impl Fn(&File) -> Option<String>,
    unnamed: impl FnOnce(&BTreeSet<Sha256>) -> Result<Vec<String>, String>,
) -> Vec<(String, String)> {
    let mut wrong = Findings::default();
    let mut named = BTreeSet::new();
    for (about, team, file) in world.report_files() {
        if named.insert(file.sha256)
            && let Some(what) = look(file)
        {
            let what = format!("{what}: the report {} of {team} on {about}", file.name);
            wrong.say(&format!("{dir}/{}", file.sha256.to_hex()), what);
        }
    }
    match unnamed(&named) {
        Ok(names) => {
            for name in names {
                wrong.say(&format!("{dir}/{name}"), "no entry of the logbook names it");
            }
        }
        Err(why) => wrong.say(dir, why),
    }
    wrong.told()
}

#[cfg(test)]
mod tests {
    use super::super::metadata::Listed;
    use super::*;
    use crate::domain::names::Actor;
    use crate::domain::nevra::Nevra;
    use crate::process::fact::package::Accepted;
    use crate::process::fact::tree::Published;
    use crate::process::fact::{Fact, samples, samples::every_fact};

    /// The world up to a fact, and the distribution and the package of that fact.
    fn until(is_last: fn(&Fact) -> bool) -> (World, DistPath, String) {
        let mut world = World::default();
        let facts = every_fact();
        let last = facts.iter().position(is_last).expect("there is one");
        for (n, fact) in facts[..=last].iter().enumerate() {
            world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
        }
        (world, "umd/3/sl6/x86_64".parse().expect("a path"), "bdii-1:5.2.22-1.el6.noarch".to_owned())
    }

    fn id(dist: &DistPath, tree: &str) -> TreeId {
        TreeId { dist: dist.clone(), tree: tree.parse().expect("a name") }
    }

    fn listing(names: &[&str]) -> Tree {
        let listed = |nevra: &&str| {
            let listed = Listed { nevra: (*nevra).to_owned(), size: 1234, ..Listed::default() };
            ((*nevra).to_owned(), listed)
        };
        Tree { listed: names.iter().map(listed).collect(), shows: Some(("00".to_owned(), 7)), ..Tree::default() }
    }

    #[test]
    fn a_plan_that_waits_hides_nothing_but_its_own_packages() {
        let (mut world, dist, nevra) = until(|fact| matches!(fact, Fact::Moved(_)));
        assert_eq!(world.rollouts.plans().count(), 1);
        for shown in [&[nevra.as_str()][..], &[]] {
            let told =
                of_tree(&world, &id(&dist, "testing"), &listing(&[&["strange-1-1.noarch"], shown].concat()), false);
            let of_strange: Vec<&(String, String)> =
                told.iter().filter(|(name, _)| name.starts_with("strange")).collect();
            assert_eq!(of_strange.len(), 1, "{told:?}");
            assert!(!told.iter().any(|(name, _)| *name == nevra), "{told:?}");
        }
        // Nor the loss of another package, nor of the same one in another distribution.
        let mut lists = |dist: &DistPath, nevra: &str| {
            let (mut accepted, mut published) = (None, None);
            for fact in every_fact() {
                match fact {
                    Fact::Accepted(fact) => accepted = Some(fact),
                    Fact::Published(fact) => published = Some(fact),
                    _ => {}
                }
            }
            let id = id(dist, "testing");
            let (dist, tree) = (dist.clone(), id.tree.clone());
            let nevra = nevra.parse().expect("a nevra");
            let accepted = Accepted { dist, tree, nevra, ..accepted.expect("one") };
            let published = Published { tree: id, ..published.expect("one") };
            for fact in [Fact::Accepted(accepted), Fact::Published(published)] {
                world.apply(world.last + 1, Timestamp::UNIX_EPOCH, "me", &fact);
            }
        };
        let other: DistPath = "other".parse().expect("a path");
        lists(&dist, "lost-1-1.noarch");
        lists(&other, &nevra);
        for (dist, lost) in [(&dist, "lost-1-1.noarch"), (&other, &nevra)] {
            let told = of_tree(&world, &id(dist, "testing"), &Tree::default(), false);
            let all: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(all, [lost], "{told:?}");
        }
        let minutes = |n: i64| Timestamp::from_second(n * 60).expect("a time");
        assert_eq!(waiting(&world, minutes(9)).len(), 0);
        let told = waiting(&world, minutes(11));
        assert!(told.len() == 1 && told[0].0 == "logbook entry 8" && told[0].1.contains("rt-1"), "{told:?}");
    }

    #[test]
    fn what_waits_to_be_shown_is_told_with_what_changes_while_it_goes_on() {
        let (world, dist, _) = until(|fact| matches!(fact, Fact::Accepted(_)));
        let told = of_tree(&world, &id(&dist, "untested"), &listing(&["strange-1-1.noarch"]), true);
        let all: Vec<&str> = told.iter().map(|(_, what)| what.as_str()).collect();
        assert!(all.iter().any(|what| what.starts_with("since revision 0 1 package waits to be shown")), "{told:?}");
        assert!(all.contains(&"it is listed, but the logbook does not have it in this tree"), "{told:?}");
    }

    #[test]
    fn files_that_nothing_lists_are_named_wherever_they_lie_and_summed_up() {
        let dist: DistPath = "d".parse().expect("a path");
        let unlisted = (0..3_000).map(|n| format!("{n:04}.rpm")).collect();
        let told = of_tree(&World::default(), &id(&dist, "production"), &Tree { unlisted, ..Tree::default() }, false);
        let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names.len(), names[0], names[10]), (11, "0000.rpm", "2990 more"));
    }

    #[test]
    fn whoever_was_erased_and_is_in_the_register_is_named_by_id() {
        let mut world = World::default();
        for fact in samples::of_people() {
            world.apply(1, Timestamp::UNIX_EPOCH, "me", &fact);
        }
        let id = world.persons.erased().next().expect("one").0;
        let mut people = People::default();
        assert_eq!(of_people(&world, &people), Vec::<String>::new());
        people.put(id, Person { identity: Some(Actor::recorded("rt:jane")), seen: Timestamp::UNIX_EPOCH });
        let told = of_people(&world, &people);
        assert!(told.len() == 1 && told[0].contains(&id.to_string()) && !told[0].contains("jane"), "{told:?}");
        people.erase(id);
        assert_eq!(of_people(&world, &people), Vec::<String>::new());
    }

    #[test]
    fn a_withdrawn_package_that_is_not_kept_is_lost_whatever_moves_elsewhere() {
        let (mut world, dist, nevra) = until(|fact| matches!(fact, Fact::Moved(_)));
        let other: DistPath = "other".parse().expect("a path");
        let nevra: Nevra = nevra.parse().expect("a nevra");
        let package = world.packages.get(&dist, &nevra).expect("accepted").clone();
        world.packages.put(&other, nevra, package);
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(lost(&world, &other, dir.path()).len(), 1);
    }
}
