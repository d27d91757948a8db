//! `rolloutctl move`: moves rollouts to another state, and their packages with them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::ask::{asks, confirm, escape, one, recorded, warned};
use super::words::{document, next_steps, own_name};
use crate::cli::client::Client;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::domain::workflow::{Effect, quoted};
use crate::link::clock::Clock;
use crate::process::fact::count;
use crate::web::api::asking::RecordedBody;
use crate::web::api::holds::{DateBody, NOW, ReasonBody};
use crate::web::api::moves::{MoveBody, MovedBody};
use crate::web::api::plan::{PlanBody, PlannedPackage, PlannedTree};
use crate::web::api::rollouts::RolloutBody;

/// How long `move` waits for the packages. Promoting a large bundle takes seconds.
const MOVE_PATIENCE: Duration = Duration::from_mins(1);

/// How much longer `move` waits after the daemon reports trouble: it has tried three times by then, and somebody has to
/// help.
const TROUBLE_PATIENCE: Duration = Duration::from_secs(5);

/// Most packages that are named after a move, of each tree; `rolloutctl diff` has all.
const NEWER_SHOWN: usize = 10;

/// Moves rollouts to another state, and their packages where the procedure says so
///
/// Several rollouts move one after the other; a refusal for one does not hold up the others. To move them together, put
/// them into a bundle.
///
/// To undo a move, take the step that withdraws it, which `rolloutctl show` names, or use `rolloutctl restore`;
/// machines follow with `dnf distro-sync`.
///
/// Exit codes: 0 the packages have moved, are where they should be, or will move as was asked for (--at,
/// --when-possible); 1 a step was refused, or it was accepted but the packages cannot be moved, with the reason. The
/// daemon then keeps trying.
///
/// Example: rolloutctl move rt-1234 Production --at 2026-12-01T08:00
#[derive(Debug, clap::Args)]
#[command(override_usage = "rolloutctl move [OPTIONS] ROLLOUT... STATE")]
pub struct MoveArgs {
    /// The rollouts, as `rolloutctl list` prints them, and the state to reach, whose spaces, dashes and case do not
    /// matter
    #[arg(required = true, num_args = 2.., value_names = ["ROLLOUT", "STATE"])]
    words: Vec<String>,
    /// Why; recorded in the logbook
    #[arg(long, default_value = "")]
    reason: String,
    /// At this time, or as soon afterwards as nothing is in the way; `never` cancels the date
    ///
    /// 2026-12-01T08:00Z, or without the Z in the calendar's time zone. Your rights are checked now, the gates then.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// As soon as nothing is in the way: a step that has to wait is kept as your wish
    #[arg(long, conflicts_with = "at")]
    when_possible: bool,
    /// Do not wait until the packages have moved
    #[arg(long)]
    no_wait: bool,
    /// Do not ask whether to go on, as is done at a terminal before packages are withdrawn
    #[arg(long)]
    yes: bool,
}

/// Runs it.
///
/// # Errors
/// If there is no daemon, it refuses, or the packages do not move.
pub async fn run(args: MoveArgs, client: &Client, json: bool) -> Result<Outcome, Failure> {
    let MoveArgs { mut words, reason, at, when_possible, no_wait, yes } = args;
    let state = words.pop().unwrap_or_default();
    if asks(yes) {
        for rollout in &words {
            if let Some(packages) = withdrawn(client, rollout, &state).await {
                confirm(
                    yes,
                    &format!("{packages} of {rollout} will be withdrawn; only an admin can let one in again."),
                )?;
            }
        }
    }
    let step = Step { state, reason, at, when_possible, no_wait };
    if let [rollout] = words.as_slice() {
        return step.take(rollout, client).await.map(|taken| taken.outcome(json));
    }
    let mut all = Vec::with_capacity(words.len());
    for rollout in words {
        let ended = step.take(&rollout, client).await;
        // What stands in the way of asking at all stands in the way of the others too.
        let goes_on = !matches!(&ended, Err(failure) if failure.exit != Exit::Refused);
        all.push((rollout, ended));
        if !goes_on {
            break;
        }
    }
    Ok(together(all, json))
}

/// What a step does to each tree. Whatever is wrong with the question is said of the step itself.
async fn planned(client: &Client, rollout: &str, state: &str) -> Vec<PlannedTree> {
    let path = format!("/api/v1/rollouts/{}/plan?state={}&limit=1000", escape(rollout), escape(state));
    client.get(&path).await.map(|plan: PlanBody| plan.trees).unwrap_or_default()
}

/// What has changed for the clients of a tree: how many packages of which kind, and which newer or older ones.
fn changed(tree: &PlannedTree) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for package in tree.packages.iter().filter(|package| package.change != "same") {
        *kinds.entry(&package.change).or_default() += 1;
    }
    let mut words: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    words.extend((tree.more > 0).then(|| format!("{} more", tree.more)));
    let words = if words.is_empty() { "nothing changed".to_owned() } else { words.join(", ") };
    let mut text = format!("clients of {}/{}: {words}\n", tree.tree, tree.distribution);
    let replaced = tree.packages.iter().filter(|package| ["newer", "older"].contains(&package.change.as_str()));
    for PlannedPackage { change, nevra, other, .. } in replaced.take(NEWER_SHOWN) {
        let _ = writeln!(text, "  {nevra} is {change} than {}", other.as_deref().unwrap_or_default());
    }
    text
}

/// How many packages a step withdraws, if it does. Whatever is wrong with the question is said of the step itself.
async fn withdrawn(client: &Client, rollout: &str, state: &str) -> Option<String> {
    let path = format!("/api/v1/rollouts/{}/plan?state={}&limit=1", escape(rollout), escape(state));
    let plan: PlanBody = client.get(&path).await.ok()?;
    let withdraws = plan.effect.is_some_and(|effect| effect == Effect::Withdraw.to_string());
    let packages = one(client, rollout).await.ok()?.packages.len();
    (withdraws && !plan.trees.is_empty()).then(|| count(packages, "package"))
}

/// What is to be done with each rollout.
struct Step {
    state: String,
    reason: String,
    at: Option<String>,
    when_possible: bool,
    no_wait: bool,
}

impl Step {
    async fn take(&self, rollout: &str, client: &Client) -> Result<Taken, Failure> {
        if let Some(at) = &self.at {
            return self.date(rollout, at, client).await;
        }
        let path = format!("/api/v1/rollouts/{}/move", escape(rollout));
        let body = MoveBody { state: self.state.clone(), reason: self.reason.clone() };
        let planned = if self.no_wait { vec![] } else { planned(client, rollout, &self.state).await };
        let moved: MovedBody = match client.post(&path, &body).await {
            Ok(moved) => moved,
            Err(failure) if is_there(&failure) => {
                // Its packages may still be on their way.
                let now = one(client, rollout).await?;
                MovedBody { id: now.id, state: now.state, packages: 0, warnings: vec![] }
            }
            Err(failure) if self.when_possible && only_waits(&failure) => return self.date(rollout, NOW, client).await,
            Err(failure) => return Err(may_wait(failure, rollout, &self.state, &own_name())),
        };
        let after = if self.no_wait { one(client, rollout).await? } else { at_rest(client, rollout).await? };
        if after.moving && !self.no_wait {
            return Err(not_moved(&after, &own_name()));
        }
        let changed = if moved.packages == 0 { vec![] } else { planned };
        Ok(Taken::Moved(moved, Box::new(after), changed))
    }

    /// Gives the step a date, or takes it back.
    async fn date(&self, rollout: &str, at: &str, client: &Client) -> Result<Taken, Failure> {
        let path = format!("/api/v1/rollouts/{}/date", escape(rollout));
        let (state, reason) = (self.state.clone(), self.reason.clone());
        let done: RecordedBody = match at {
            "never" => client.delete(&path, &ReasonBody { reason }).await?,
            at => client.put(&path, &DateBody { state, at: at.to_owned(), reason }).await?,
        };
        Ok(Taken::Dated(done))
    }
}

/// What became of a step.
enum Taken {
    /// It was taken; the rollout afterwards, and what became of the trees.
    Moved(MovedBody, Box<RolloutBody>, Vec<PlannedTree>),
    /// It will be.
    Dated(RecordedBody),
}

impl Taken {
    fn outcome(&self, json: bool) -> Outcome {
        match self {
            Self::Moved(moved, ..) if json => Outcome::done(document(moved)),
            Self::Moved(moved, after, trees) => Outcome::done(show_moved(moved, after, trees, &own_name())),
            Self::Dated(done) => recorded(done, json),
        }
    }

    fn value(&self) -> serde_json::Result<serde_json::Value> {
        match self {
            Self::Moved(moved, ..) => serde_json::to_value(moved),
            Self::Dated(done) => serde_json::to_value(done),
        }
    }
}

/// Whether a step was refused because the rollout is where it should go.
fn is_there(failure: &Failure) -> bool {
    failure.problem.iter().flat_map(|problem| &problem.findings).any(|finding| finding.code == "already")
}

/// Whether a step was refused only because it has to wait.
fn only_waits(failure: &Failure) -> bool {
    let findings = || failure.problem.iter().flat_map(|problem| &problem.findings);
    findings().any(|finding| finding.verdict == "wait")
        && findings().all(|finding| matches!(finding.verdict.as_str(), "wait" | "pass"))
}

/// A refusal, with what can be done where the step only has to wait.
fn may_wait(failure: Failure, rollout: &str, state: &str, program: &str) -> Failure {
    if !only_waits(&failure) {
        return failure;
    }
    let command = format!("{program} move {rollout} {} --when-possible", quoted(state));
    failure.hint(format!("nothing was recorded; `{command}` takes the step when it can be taken"))
}

/// One outcome of several.
fn together(all: Vec<(String, Result<Taken, Failure>)>, json: bool) -> Outcome {
    let failed = all.iter().filter_map(|(_, ended)| Some(ended.as_ref().err()?.exit));
    // What ended it all weighs more than a refusal.
    let exit = failed.reduce(|a, b| if a == Exit::Refused { b } else { a }).unwrap_or(Exit::Done);
    if json {
        let one = |(rollout, ended): (String, Result<Taken, Failure>)| match ended {
            Ok(taken) => serde_json::json!({ "rollout": rollout, "moved": taken.value().unwrap_or_default() }),
            Err(failure) => serde_json::json!({ "rollout": rollout, "problem": failure.document() }),
        };
        return Outcome { text: document(&all.into_iter().map(one).collect::<Vec<_>>()), exit };
    }
    let one = |(rollout, ended): (String, Result<Taken, Failure>)| match ended {
        Ok(taken) => taken.outcome(false).text,
        Err(Failure { message, hint, .. }) => {
            let hint = hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
            format!("{rollout}: {message}\n{hint}")
        }
    };
    Outcome { text: all.into_iter().map(one).collect::<Vec<_>>().join("\n"), exit }
}

/// The rollout once nothing is being moved for it, or its present state if that takes too long.
pub(super) async fn at_rest(client: &Client, rollout: &str) -> Result<RolloutBody, Failure> {
    let (clock, asked) = (Clock::System, Clock::System.monotonic());
    let mut in_trouble: Option<Instant> = None;
    loop {
        let now = one(client, rollout).await?;
        in_trouble = now.trouble.as_ref().map(|_| in_trouble.unwrap_or_else(|| clock.monotonic()));
        let hopeless = in_trouble.is_some_and(|since| clock.since(since) > TROUBLE_PATIENCE);
        if !now.moving || hopeless || clock.since(asked) > MOVE_PATIENCE {
            return Ok(now);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The failure of a step that was accepted while its packages did not move.
pub(super) fn not_moved(after: &RolloutBody, program: &str) -> Failure {
    let why = after.trouble.as_deref().unwrap_or("it is taking longer than a minute, for no known reason");
    let words = format!("{} is in {}, but its packages have not moved yet: {why}", after.id, after.state);
    let give_up = format!("; if it cannot be resolved: `{program} give-up {} --reason WHY`", after.id);
    let give_up = after.trouble.as_ref().map_or("", |_| &give_up);
    let hint = format!("the daemon keeps trying; `{program} show {}` shows the progress{give_up}", after.id);
    Failure::new(Exit::Refused, words).hint(hint)
}

fn show_moved(moved: &MovedBody, after: &RolloutBody, trees: &[PlannedTree], program: &str) -> String {
    let (count, plural) = (moved.packages, if moved.packages == 1 { "package" } else { "packages" });
    let packages = match (count, after.moving) {
        (0, _) => "nothing moved".to_owned(),
        (_, false) if after.packages.iter().all(|package| package.trees.is_empty()) => {
            format!("{count} {plural} withdrawn")
        }
        (_, false) => format!("{count} {plural} moved"),
        (_, true) => format!("{count} {plural} moving; `{program} show {}` shows the progress", moved.id),
    };
    let (MovedBody { id, state, warnings, .. }, next) = (moved, next_steps(after, program));
    let trees: String = trees.iter().map(changed).collect();
    format!("{id} is in {state}; {packages}.\n{trees}{}{next}", warned(warnings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ctl::words::tests::{held_up, waiting};
    use crate::web::api::rollouts::RolloutPackage;
    use crate::web::problem::{FindingBody, Problem};

    fn refused(verdict: &str, code: &str) -> Failure {
        let finding = FindingBody {
            verdict: verdict.into(),
            code: code.into(),
            sentence: "Wait for 2 more days.".into(),
            not_before: None,
        };
        let problem = Problem {
            kind: "/problems/refused".into(),
            title: "The step has to wait".into(),
            status: 409,
            detail: String::new(),
            findings: vec![finding],
        };
        Failure::new(Exit::Refused, "The step has to wait").because(problem)
    }

    #[test]
    fn what_has_to_wait_can_be_kept_as_a_wish_and_what_is_there_is_no_failure() {
        let hint = |verdict, code| may_wait(refused(verdict, code), "rt-1234", "Production", "rolloutctl").hint;
        let offered = "nothing was recorded; `rolloutctl move rt-1234 Production --when-possible` takes the step when it can \
                       be taken";
        assert_eq!((hint("wait", "exposure").as_deref(), hint("reject", "not_older")), (Some(offered), None));
        assert!(is_there(&refused("reject", "already")) && !is_there(&refused("wait", "exposure")));
    }

    #[test]
    fn several_moves_are_one_outcome() {
        let all = || {
            let moved = MovedBody { id: "a".into(), state: "Testing".into(), packages: 0, warnings: vec![] };
            let moved = Ok(Taken::Moved(moved, Box::new(held_up(None)), vec![]));
            vec![("a".to_owned(), moved), ("b".to_owned(), Err(refused("wait", "exposure")))]
        };
        let text = together(all(), false).text;
        assert!(text.starts_with("a is in Testing; ") && text.ends_with("\n\nb: The step has to wait\n"), "{text}");
        assert_eq!((together(all(), false).exit, together(all(), true).exit), (Exit::Refused, Exit::Refused));
        let documents: serde_json::Value = serde_json::from_str(&together(all(), true).text).expect("one document");
        assert_eq!((&documents[0]["moved"]["state"], &documents[1]["rollout"]), (&"Testing".into(), &"b".into()));
        assert_eq!(documents[1]["problem"]["findings"][0]["code"], "exposure");
        let lost = Failure::new(Exit::NoDaemon, "no daemon responds");
        let ended = together(all().into_iter().chain([("c".to_owned(), Err(lost))]).collect(), false);
        assert_eq!(ended.exit, Exit::NoDaemon);
    }

    fn failed(failure: Failure) -> String {
        assert_eq!(failure.exit, Exit::Refused);
        format!("{}\nhint: {}", failure.message, failure.hint.unwrap_or_default())
    }

    #[test]
    fn a_move_whose_packages_stay_where_they_are_is_not_done() {
        insta::assert_snapshot!(failed(not_moved(&held_up(Some("could not make the directory")), "rolloutctl")));
    }

    #[test]
    fn a_move_that_takes_too_long_is_not_done() {
        insta::assert_snapshot!(failed(not_moved(&held_up(None), "rolloutctl")));
    }

    #[test]
    fn a_move_is_reported() {
        let moved = |packages| MovedBody {
            id: "rt-1234".into(),
            state: "StageRollOut".into(),
            packages,
            warnings: (packages == 1)
                .then(|| "only a part of the bundle B-1 goes to testing".to_owned())
                .into_iter()
                .collect(),
        };
        let moving = RolloutBody { moving: true, ..waiting() };
        let nowhere = |package| RolloutPackage { trees: vec![], ..package };
        let gone = RolloutBody { packages: waiting().packages.into_iter().map(nowhere).collect(), ..waiting() };
        let all = [(0, waiting()), (1, waiting()), (2, moving), (2, gone)];
        let told = all.map(|(packages, after)| show_moved(&moved(packages), &after, &[], "rolloutctl"));
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn what_has_changed_for_clients_is_told() {
        let package = |change: &str, nevra: &str, other: Option<&str>| PlannedPackage {
            change: change.into(),
            nevra: nevra.into(),
            other: other.map(str::to_owned),
            bytes: 1,
        };
        let tree = |tree: &str, packages, more| PlannedTree {
            tree: tree.into(),
            distribution: "umd/3/sl6/x86_64".into(),
            packages,
            more,
            ..PlannedTree::default()
        };
        let newer = package("newer", "bdii-5.2.23-1.el6.noarch", Some("5.2.22-1.el6"));
        let told = [
            tree("testing", vec![newer, package("new", "dpm-1-1.x86_64", None)], 3),
            tree("untested", vec![package("gone", "dpm-1-1.x86_64", None)], 0),
            tree("delta", vec![package("same", "dpm-1-1.x86_64", None)], 0),
        ];
        insta::assert_snapshot!(told.iter().map(changed).collect::<String>());
    }
}
