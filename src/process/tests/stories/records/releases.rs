//! Releases: their days, their scope, and what the board was told.

use super::changes::{asks_for, change, ties};
use super::*;
use crate::domain::names::ReleaseId;
use crate::domain::request::ChangeKind;
use crate::process::fact::bundle::BundleOpened;
use crate::process::fact::release::ReleasePlanned;

fn named(text: &str) -> ReleaseId {
    text.parse().expect("a name")
}

fn plans(on: &str, reason: &str) -> Ask {
    let planned = ReleasePlanned {
        release: named("UMD-3.1.0"),
        title: String::new(),
        on: on.parse().expect("a day"),
        every: Some(30 * 86_400),
    };
    Ask::PlanRelease { planned, reason: reason.into() }
}

fn scopes(rollouts: &[&str], bundles: &[&str]) -> Ask {
    let rollouts = rollouts.iter().map(|rollout| id(rollout)).collect();
    let bundles = bundles.iter().map(|bundle| bundle.parse().expect("an id")).collect();
    Ask::ScopeRelease { release: named("UMD-3.1.0"), rollouts, bundles, reason: String::new() }
}

fn told(on: Option<&str>) -> Ask {
    let on = on.map(|on| on.parse().expect("a day"));
    Ask::TellOfRelease { release: named("UMD-3.1.0"), on, reason: String::new() }
}

fn sue() -> Caller {
    person("sue", &[Role::SRM])
}

impl Story {
    /// `r` of bdii and `s` of dpm under a procedure that asks whether the board was told.
    fn scheduled() -> Self {
        let text = "name = \"scheduled\"\ninitial = \"Draft\"\nsubmit = [\"admin\"]\n\
            state = [{ name = \"Draft\" }, { name = \"Production\" }]\n\
            [[transition]]\nfrom = \"Draft\"\nto = \"Production\"\nwho = [\"admin\", \"tracker\"]\n\
            gates = [{ name = \"board_told\", notice = \"7d\" }]\nmove = { from = \"untested\", to = \"production\" }\n";
        let workflow = procedure::read(text, std::path::Path::new("scheduled.toml")).expect("legal").workflow;
        let mut story = Self::new();
        story.rules.distributions.values_mut().next().expect("one").workflow = workflow;
        story.arrives(BDII).arrives(DPM).submit("r", &[BDII]).submit("s", &[DPM]);
        // Noon of 2026-12-01.
        story.now = "2026-12-01T12:00:00Z".parse().expect("a time");
        story
    }
}

/// S0-14, S3-18: a release has a day and a scope, and a day that slips is on record.
#[test]
fn a_release_has_a_day_and_a_scope_and_what_slips_is_remembered() {
    let mut story = Story::scheduled();
    let eve = person("eve", &[Role::EA]);
    assert_eq!(story.refuses(&eve, plans("2027-01-25", "")), "role");
    story.records(&sue(), plans("2027-01-25", ""));
    assert!(story.refuses(&sue(), plans("2027-01-25", "")).contains("already planned like that"));
    assert_eq!(story.refuses(&sue(), plans("2027-02-01", " ")), "no_reason");
    story.records(&sue(), plans("2027-02-01", "the holidays"));
    let release = |story: &Story| story.world.releases.get(&named("UMD-3.1.0")).expect("planned").clone();
    assert_eq!(release(&story).on.to_string(), "2027-02-01");
    assert_eq!(release(&story).slipped.iter().map(ToString::to_string).collect::<Vec<_>>(), ["2027-01-25"]);
    assert_eq!(story.refuses(&sue(), scopes(&["nope"], &["B-9"])), "no_rollout no_bundle");
    assert_eq!(story.refuses(&sue(), told(None)), "no_scope");
    story
        .records(&sue(), Ask::OpenBundle(BundleOpened { bundle: "B-1".parse().expect("an id"), title: String::new() }));
    let join =
        Ask::JoinBundle { bundle: "B-1".parse().expect("an id"), rollouts: vec![id("s")], reason: String::new() };
    story.records(&sue(), join).records(&sue(), scopes(&["r"], &["B-1"]));
    assert!(story.refuses(&sue(), scopes(&["r"], &["B-1"])).contains("already"));
    let planned: Vec<_> = story.world.in_release(&release(&story)).map(ToString::to_string).collect();
    assert_eq!(planned, ["r", "s"]);
    assert!(["r", "s"].iter().all(|rollout| story.world.planned_for(&id(rollout)).count() == 1));
    let cancel = |reason: &str| Ask::CancelRelease { release: named("UMD-3.1.0"), reason: reason.into() };
    assert_eq!(story.refuses(&sue(), cancel("")), "no_reason");
    story.records(&sue(), cancel("nobody has the time"));
    assert!(story.refuses(&sue(), scopes(&["r"], &[])).contains("was cancelled"));
    assert_eq!(story.world.planned_for(&id("r")).count(), 0);
}

/// S3-19, S3-20.
#[test]
fn nothing_is_released_before_the_board_has_known_of_it_for_a_week_but_an_emergency() {
    let mut story = Story::scheduled();
    let ann = person("ann", &[Role::ADMIN]);
    let said = |story: &mut Story| {
        story.stays(&ann, "Production");
        let Some(Answer::Refused(judged)) = &story.answer else { panic!("it stays") };
        let found = judged.findings.iter().find(|finding| finding.verdict != Verdict::Pass).expect("one");
        (found.sentence.clone(), found.not_before.map(|at| at.moment().wall.to_string()))
    };
    assert_eq!(said(&mut story), ("r is planned for no release.".into(), None));
    // A tracker's wish waits for the board, too.
    story.hint("d1", "r", "Production");
    story.records(&sue(), plans("2027-01-25", "")).records(&sue(), scopes(&["r"], &[]));
    assert_eq!(said(&mut story), ("The board has not been told of the release UMD-3.1.0 yet.".into(), None));
    assert_eq!(story.refuses(&sue(), told(Some("2026-12-02"))), "not_yet");
    assert_eq!(story.refuses(&person("paul", &[Role::PT]), told(None)), "role");
    story.records(&sue(), told(None));
    let until = |day: &str| {
        let sentence = "The board was told of the release UMD-3.1.0 on 2026-12-01; its notice of 1w ends at";
        (format!("{sentence} {day}."), Some(day.to_owned()))
    };
    assert_eq!(said(&mut story), until("2026-12-08T00:00:00Z"));
    // Whatever is new in it, the board does not know.
    let mut more = story.clone();
    more.records(&sue(), scopes(&["r", "s"], &[]));
    assert_eq!(said(&mut more).1, None);
    let mut less = more.records(&sue(), told(None)).clone();
    less.records(&sue(), scopes(&["r"], &[]));
    assert_eq!(said(&mut less), until("2026-12-08T00:00:00Z"));
    // A minute before midnight it waits, and then the tracker gets what it wanted.
    story.now = "2026-12-07T23:59:00Z".parse().expect("a time");
    assert_eq!(said(&mut story), until("2026-12-08T00:00:00Z"));
    story.passes(Duration::from_mins(1)).judge_all();
    assert_eq!(story.state("r"), "Production");

    // An emergency does not wait, and stands on the agenda until the board was told of it.
    story
        .records(&sue(), asks_for("e", "CVE-2026-1", Some(ChangeKind::Emergency), None))
        .records(&sue(), ties("e", "s"));
    let tell = |on: Option<&str>| {
        let on = on.map(|on| on.parse().expect("a day"));
        Ask::TellOfEmergency { change: change("e"), on, reason: String::new() }
    };
    assert!(story.refuses(&sue(), tell(None)).contains("need not be told"));
    let ask = Ask::Move { rollout: id("s"), state: "Production".into(), reason: String::new() };
    story.asks(&ann, ask);
    assert_eq!(story.state("s"), "Production");
    assert!(story.world.releases.untold().eq([&change("e")]));
    assert_eq!(story.refuses(&sue(), tell(Some("2026-12-09"))), "not_yet");
    story.records(&sue(), tell(None));
    assert_eq!(story.world.releases.untold().count(), 0);
}
