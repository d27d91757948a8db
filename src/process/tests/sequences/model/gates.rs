//! The gates that a procedure names, asked a second time of the model.

use std::time::Duration;

use super::{Bundle, Check, Model, Package, Rollout, Task, ensure};
use crate::domain::calendar::windows::Verdict;
use crate::domain::names::{BundleId, RolloutId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::report::Outcome;
use crate::domain::task::TaskKind;
use crate::domain::terms::Gate;
use crate::domain::workflow::{Effect, Transition};
use crate::process::rules::Rules;

/// Whether a step may be taken that has been taken.
pub(super) fn pass(model: &Model, id: &RolloutId, known: &Rollout, step: &Transition, rules: &Rules) -> Check {
    for gate in &step.gates {
        let is_overridden = known.overridden.contains(&(step.to.to_string(), gate.name.to_owned()));
        // That one cannot be overridden, and what is withdrawn may be nowhere.
        if is_overridden && gate.name != "packages_present" {
            continue;
        }
        ensure(holds(model, id, known, (step, gate), rules), || format!("{} does not pass", gate.name))?;
    }
    Ok(())
}

fn holds(model: &Model, id: &RolloutId, known: &Rollout, (step, gate): (&Transition, &Gate), rules: &Rules) -> bool {
    let tree = match &step.effect {
        Effect::Move { from, .. } => Some(from),
        _ => gate.terms.tree(),
    };
    let bundle = || model.bundles.iter().find(|(_, bundle)| !bundle.closed && bundle.members.contains(id));
    // One that its own bundle does not announce is released with others that do, if these announce something of their own.
    let announces = |bundle: &Bundle, it: &RolloutId| bundle.announced.as_ref().is_some_and(|all| all.contains(it));
    let releasing = |it: &RolloutId| -> Vec<(&BundleId, &Bundle)> {
        let own = model.bundles.iter().find(|(_, bundle)| !bundle.closed && bundle.members.contains(it));
        let own_too = |bundle: &Bundle| bundle.members.iter().any(|member| announces(bundle, member));
        let others: Vec<_> =
            model.bundles.iter().filter(|(_, b)| !b.closed && announces(b, it) && own_too(b)).collect();
        let stays = others.is_empty() || own.is_some_and(|(_, bundle)| announces(bundle, it));
        if stays { own.into_iter().collect() } else { others }
    };
    // A team counts that is registered and not only observes.
    let teams = || known.teams.iter().filter(|(team, _)| model.teams.get(*team) == Some(&false)).map(|(_, said)| said);
    // A failure counts on, whatever becomes of its team.
    let fails = || {
        let counts = |team| model.teams.get(team) == Some(&false);
        let mut all = known.teams.iter().filter(|(_, said)| said.report == Some(Outcome::Fail));
        all.any(|(team, said)| counts(team) || said.counted)
    };
    let wanted = || gate.terms.count("teams").unwrap_or(1);
    match gate.name {
        "packages_present" => tree.is_some_and(|tree| model.has_been(known, tree, Duration::ZERO)),
        "exposure" => {
            let span = gate.terms.duration("for").expect("it has one") + known.extended;
            tree.is_some_and(|tree| model.has_been(known, tree, span))
        }
        "not_older" => match &step.effect {
            Effect::Move { to, .. } => known.packages.iter().all(|package| {
                let further = rules.distributions[&package.0].trees.iter().skip_while(|tree| *tree != to);
                further.into_iter().all(|tree| !is_older(model, known, package, tree))
            }),
            _ => true,
        },
        "calendar" => known.packages.iter().all(|(dist, _)| {
            let windows = &rules.distributions[dist].calendar.windows;
            windows.is_empty() || !matches!(windows.judge(model.wall), Verdict::Closed { .. })
        }),
        "acknowledged" => {
            let accepts = teams().filter(|said| said.report.is_some() || said.accepts == Some(true));
            accepts.filter(|said| said.asked.is_some()).count() >= wanted()
        }
        "reported" => {
            !fails() && teams().filter(|said| said.report.is_some() && said.asked.is_some()).count() >= wanted()
        }
        "show_stoppers" => {
            let is_open = known.issues.values().any(|stops| *stops);
            let fails = gate.terms.flag("failures") && fails();
            !is_open && !fails
        }
        "approvals" => gate.terms.roles("from").all(|wanted| {
            let of_role =
                known.approved.iter().filter(|((state, _), role)| state == step.to.as_str() && *role == wanted);
            let own = |by: &str| gate.terms.flag("four_eyes") && by == known.submitted_by;
            of_role.filter(|((_, by), _)| !own(by)).count() >= gate.terms.count("each").unwrap_or(1)
        }),
        "in_bundle" => bundle().is_some(),
        "bundle_ready" => bundle().is_some_and(|(_, bundle)| {
            let workflow = &rules.distributions[&known.packages.first().expect("one").0].workflow;
            let leads = |from: &str| workflow.transitions().iter().any(|t| t.from.as_str() == from && t.to == step.to);
            let is_further = |state: &str| state == step.to.as_str() || leads(state);
            let mut others = bundle.members.iter().filter(|other| *other != id).map(|other| &model.rollouts[other]);
            others.any(|other| other.state != known.state && is_further(&other.state))
        }),
        "bundle_complete" => {
            let state = |id: &RolloutId| model.rollouts[id].state.clone();
            let is_complete = |(own, bundle): &(&BundleId, &Bundle)| {
                let Some(announced) = &bundle.announced else { return false };
                let there = announced.iter().all(|id| [known.state.as_str(), step.to.as_str()].contains(&&*state(id)));
                let is_other = |id: &RolloutId| !releasing(id).iter().any(|(bundle, _)| bundle == own);
                let fits = |id: &RolloutId| state(id) != known.state || announced.contains(id) || is_other(id);
                there && bundle.members.iter().all(fits)
            };
            let all = releasing(id);
            !all.is_empty() && all.iter().all(is_complete)
        }
        "tasks_done" => bundle().is_some_and(|(bundle, _)| {
            let tasks = model.tasks.values().filter(|task| task.bundle == *bundle && task.kind == TaskKind::RollOut);
            let tasks: Vec<_> = tasks.collect();
            // Of each team all are done, and the one that was done last did not fail.
            let key = |task: &Task| (task.outcome.is_none(), task.ended);
            let last = |n: usize| {
                let mut others = tasks.iter().enumerate().filter(|(m, other)| *m != n && other.team == tasks[n].team);
                !others.any(|(m, other)| (key(other), m) > (key(tasks[n]), n))
            };
            let lasts: Vec<&Task> = (0..tasks.len()).filter(|n| last(*n)).map(|n| tasks[n]).collect();
            let counting: Vec<&&Task> =
                lasts.iter().filter(|task| model.teams.get(&task.team) == Some(&false)).collect();
            // At least one began when the packages were there.
            let lie = known.packages.iter().filter_map(|package| model.lies.get(package)).flatten();
            let since = lie.filter(|(tree, _)| ["testing", "delta"].contains(&tree.as_str())).map(|(_, since)| *since);
            let since = since.max().unwrap_or_default();
            let is_about_it = |task: &&&Task| task.begun.is_some_and(|begun| begun >= since);
            lasts.iter().all(|task| task.outcome != Some(Outcome::Fail))
                && counting.iter().all(|task| task.outcome.is_some())
                && counting.iter().any(is_about_it)
        }),
        "no_conflict" => known.packages.iter().all(|(dist, nevra)| {
            let own = bundle().map(|(bundle, _)| bundle);
            let others = model.bundles.iter().filter(|(other, bundle)| !bundle.closed && Some(*other) != own);
            let members = others.flat_map(|(_, bundle)| &bundle.members).filter(|id| !model.is_over(id));
            let mut rollouts = members.map(|id| &model.rollouts[id]);
            // Only what was taken in counts.
            let same =
                |other: &Package| other.0 == *dist && other.1.name() == nevra.name() && model.lies.contains_key(other);
            !rollouts.any(|other| other.packages.iter().any(same))
        }),
        _ => true,
    }
}

/// Whether a tree lists something newer that is no part of the rollout.
fn is_older(model: &Model, known: &Rollout, (dist, nevra): &Package, tree: &TreeName) -> bool {
    let version = |nevra: &Nevra| nevra.to_string().split('-').nth(1).and_then(|v| v.parse::<u32>().ok());
    model.lies.iter().any(|(other, trees)| {
        other.0 == *dist
            && (other.1.name(), other.1.arch()) == (nevra.name(), nevra.arch())
            && version(&other.1) > version(nevra)
            && trees.contains_key(tree)
            && !known.packages.contains(other)
    })
}
