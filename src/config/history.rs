//! What the logbook has and the configuration no longer mentions: reported before it takes effect.
//!
//! None of this is an error by itself, so these are notes. Whatever a file no longer mentions stays as it is, in the
//! logbook and in the trees, and continues where it was when it is mentioned again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::files;
use super::settings::{Distribution, Settings};
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::rollout::Rollout;
use crate::domain::workflow::Workflow;
use crate::format::complaint::{Complaint, Level, Spot};
use crate::process::fact::count;
use crate::process::procedure;
use crate::process::world::World;

/// What these settings mean for the content of the logbook.
pub fn notes(settings: &Settings, world: &World) -> Vec<Complaint> {
    let mut said = Vec::new();
    let known: BTreeMap<&DistPath, &Distribution> =
        settings.distributions.iter().map(|dist| (&dist.path, dist)).collect();
    for path in world.packages.distributions() {
        match known.get(path) {
            Some(dist) => {
                trees(dist, world, &mut said);
                said.extend(workflow(dist).and_then(|workflow| stranded(dist, &workflow, world)));
            }
            None => {
                said.extend(gone(
                    path,
                    world.packages.of(path).filter(|(nevra, _)| world.is_listed(path, nevra)).count(),
                    world,
                ));
            }
        }
    }
    let note = |(what, hint): (String, String)| Complaint {
        level: Level::Note,
        file: settings.source.clone(),
        at: Spot { line: 1, column: 1, key: "distribution".to_owned() },
        what,
        hint: Some(hint),
    };
    said.into_iter().map(note).collect()
}

/// The procedure of a distribution. Errors in its file are complaints elsewhere.
fn workflow(dist: &Distribution) -> Option<Workflow> {
    procedure::built_in(&dist.procedure).or_else(|| {
        let (bytes, _) = files::content(Path::new(&dist.procedure), procedure::FILE_MAX).ok()?;
        procedure::read(&String::from_utf8_lossy(&bytes), Path::new(&dist.procedure)).ok().map(|read| read.workflow)
    })
}

/// Rollouts in states that the procedure no longer has.
fn stranded(dist: &Distribution, workflow: &Workflow, world: &World) -> Option<(String, String)> {
    let is_here = |rollout: &Rollout| rollout.dists().any(|path| *path == dist.path);
    let lost = |rollout: &&Rollout| is_here(rollout) && workflow.state(rollout.state.as_str()).is_err();
    let mut lost: Vec<&Rollout> = world.rollouts.iter().filter(lost).collect();
    lost.sort_by(|a, b| a.id.cmp(&b.id));
    let first = lost.first()?;
    let states: BTreeSet<&str> = lost.iter().map(|rollout| rollout.state.as_str()).collect();
    let what = format!(
        "{} of {} {} in a state that the procedure `{}` does not have ({} in {}): nobody can move {}",
        count(lost.len(), "rollout"),
        dist.path,
        if lost.len() == 1 { "is" } else { "are" },
        workflow.name(),
        first.id,
        states.into_iter().collect::<Vec<_>>().join(", "),
        if lost.len() == 1 { "it" } else { "them" },
    );
    Some((what, "restore the state's old name, or add it again with a transition out of it".to_owned()))
}

/// A distribution that is no longer in the file; without packages it does not matter.
fn gone(path: &DistPath, packages: usize, world: &World) -> Option<(String, String)> {
    let rollouts = world.rollouts.states().filter(|(dist, ..)| *dist == path).map(|(.., number)| number).sum::<u64>();
    (packages > 0).then(|| {
        let what = format!(
            "the logbook has {} and {} of {path}, which is not in this file: from the next start its trees stay \
             as they are, and nothing is taken in, moved or published there",
            count(packages, "package"),
            count(rollouts, "rollout"),
        );
        (what, format!("if it was renamed by mistake, give it the path {path} again"))
    })
}

/// Trees of a distribution that are no longer in the file, and uploads that would go elsewhere.
fn trees(dist: &Distribution, world: &World, said: &mut Vec<(String, String)>) {
    let path = &dist.path;
    let all = world.trees.ids().filter(|id| id.dist == *path && !dist.trees.contains(&id.tree));
    for id in all {
        let listed = world.trees.listed(id);
        if listed > 0 {
            let what = format!(
                "the logbook has {} in {id}, a tree that is not in this file: from the next start it stays as it \
                 is, and its packages are neither maintained nor moved",
                count(listed, "package"),
            );
            said.push((
                what,
                format!("put `{}` back into the trees of {path}, or move its packages on first", id.tree),
            ));
        }
    }
    let first: Option<&TreeName> = dist.trees.first();
    if let (Some(before), Some(first)) = (world.packages.arrives.get(path), first)
        && before != first
    {
        let waiting = world.trees.listed(&TreeId { dist: path.clone(), tree: before.clone() });
        let what = format!(
            "uploads to {path} go to {before} now, and will go to {first} from the next start; {before} has {}",
            count(waiting, "package"),
        );
        said.push((what, format!("uploads go to the first tree; put `{before}` first unless this is intended")));
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::config::reader;
    use crate::process::fact::samples::every_fact;

    /// The notes about a distribution with these trees, if one package is in testing that came through untested.
    fn said(path: &str, trees: &str) -> Vec<String> {
        let mut world = World::default();
        for (n, fact) in every_fact().iter().enumerate() {
            world.apply(n as u64 + 1, Timestamp::UNIX_EPOCH, "me", fact);
        }
        let text = format!(
            "[site]\nname = \"a\"\nroot = \"/r/root\"\nstate = \"/r/state\"\nbase_url = \"http://a.example.org/\"\n\
             [[distribution]]\npath = \"{path}\"\nprocedure = \"/r/own.toml\"\ntrees = [{trees}]\n\
             [distribution.keys]\n\"*\" = [\"/r/key\"]\n"
        );
        let outcome = reader::read(&text, Path::new("rolloutd.toml"));
        let settings = outcome.settings.unwrap_or_else(|| panic!("{:?}", outcome.complaints));
        notes(&settings, &world).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_would_be_left_alone_is_told_with_the_way_back() {
        let all = r#""untested", "testing", "delta", "production""#;
        assert_eq!(said("umd/3/sl6/x86_64", all), Vec::<String>::new());
        let renamed = said("umd/3/sl6/x86", all);
        assert!(
            renamed.len() == 1 && renamed[0].contains("1 package and 1 rollout of umd/3/sl6/x86_64"),
            "{renamed:?}"
        );
        assert!(renamed[0].contains("give it the path umd/3/sl6/x86_64 again"), "{renamed:?}");
        let removed = said("umd/3/sl6/x86_64", r#""untested", "delta", "production""#);
        assert!(removed.len() == 1 && removed[0].contains("1 package in testing/umd/3/sl6/x86_64"), "{removed:?}");
        let turned = said("umd/3/sl6/x86_64", r#""testing", "untested", "delta", "production""#);
        assert!(turned.len() == 1 && turned[0].contains("put `untested` first"), "{turned:?}");
    }
}
