//! A freeze: what waits for its end, what is never held up by it, and what people are told.

use jiff::tz::TimeZoneDatabase;

use super::*;
use crate::domain::calendar::windows::{Effect, Rule, Windows};

const FREEZE: (Effect, &str, &str) = (Effect::Deny, "end of the year", "2026-12-20..2027-01-07");
const HOURS: (Effect, &str, &str) = (Effect::Allow, "working hours", "Mon-Thu 09:00-16:00");

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn calendar(windows: &[(Effect, &str, &str)]) -> Calendar {
    let zone = TimeZoneDatabase::bundled().get("Europe/Zurich").expect("compiled in");
    let rule = |(effect, name, when): &(Effect, &str, &str)| Rule {
        effect: *effect,
        when: when.parse().expect("a time"),
        name: (*name).to_owned(),
    };
    let windows = Windows::new(windows.iter().map(rule).collect(), zone).expect("rules");
    Calendar { windows, ..Calendar::default() }
}

impl Story {
    /// A reload has other windows.
    fn keeps(&mut self, dist: &str, windows: &[(Effect, &str, &str)]) -> &mut Self {
        let dist: DistPath = dist.parse().expect("a path");
        self.rules.distributions.get_mut(&dist).expect("one").calendar = calendar(windows);
        self
    }

    /// The first sentence against the last request that is not passed.
    fn told(&self) -> Vec<(Verdict, String)> {
        let Some(Answer::Refused(judged)) = &self.answer else { return vec![] };
        let against = judged.findings.iter().filter(|finding| finding.verdict != Verdict::Pass);
        against.map(|finding| (finding.verdict, finding.sentence.clone())).collect()
    }

    /// Until when the rollout waits: by elapsed time, and by the calendar.
    fn waits(&self) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
        let wanted = self.world.rollouts[&id()].wanted.clone()?;
        Some((wanted.not_before.map(Elapsed::timestamp), wanted.opens))
    }
}

fn id() -> RolloutId {
    "r".parse().expect("an id")
}

/// A rollout by the simple procedure that has been in testing for long enough, at some time.
fn tested(now: &str, windows: &[(Effect, &str, &str)]) -> Story {
    let mut story = Story::new();
    story.rules.distributions.values_mut().next().expect("one").workflow =
        procedure::built_in("simple").expect("it ships");
    story.now = at(now).checked_sub(8 * DAY).expect("a time");
    story.arrives(A).submit("r", &[A]).move_as(&[Role::ADMIN], "r", "Testing").carried_out().is_approved();
    story.now = at(now);
    story.keeps(DIST, windows);
    story
}

#[test]
fn a_wish_waits_over_a_freeze_and_then_moves() {
    let mut story = tested("2026-12-22T12:00:00Z", &[FREEZE]);
    story.hint("1", "r", "Production");
    let Some(Fact::Awaits(Awaits { findings, .. })) = story.facts.last() else { panic!("it waits") };
    let sentence = "The calendar is closed until Fri 2027-01-08 00:00 Europe/Zurich: end of the year \
                    (2026-12-20..2027-01-07).";
    assert_eq!(*findings, [("calendar".to_owned(), sentence.to_owned())]);
    assert_eq!(story.waits(), Some((None, Some(at("2027-01-07T23:00:00Z")))));
    let opened = |story: &Story, after: &str| story.world.rollouts.opened(at(after), story.now).count();
    story.now = at("2027-01-07T22:59:59Z");
    story.judge_all();
    assert_eq!((story.state("r").as_str(), opened(&story, "2026-12-22T12:00:00Z")), ("Testing", 0));
    story.now = at("2027-01-07T23:00:00Z");
    assert_eq!(opened(&story, "2027-01-07T22:59:59Z"), 1, "it is judged again at that moment");
    story.judge_all().carried_out();
    assert_eq!((story.state("r"), story.trees(A)), ("Production".to_owned(), vec!["production".to_owned()]));
    assert_eq!(opened(&story, "2026-12-22T12:00:00Z"), 0);
}

#[test]
fn a_withdrawal_is_not_held_up() {
    let mut story = tested("2026-12-22T12:00:00Z", &[FREEZE]);
    story.move_as(&[Role::ADMIN], "r", "Withdrawn").carried_out();
    assert_eq!((story.state("r"), story.trees(A)), ("Withdrawn".to_owned(), vec![]));
    // Also where the procedure names the gate.
    let own = include_str!("../../../format/procedures/simple.toml")
        .replace("withdraw = true", "withdraw = true\ngates = [\"calendar\"]");
    let mut story = tested("2026-12-22T12:00:00Z", &[FREEZE]);
    story.rules.distributions.values_mut().next().expect("one").workflow =
        procedure::read(&own, std::path::Path::new("own")).expect("a table").workflow;
    story.move_as(&[Role::ADMIN], "r", "Withdrawn").carried_out();
    assert_eq!(story.state("r"), "Withdrawn");
}

#[test]
fn a_person_is_told_which_window_it_is_and_when_the_next_one_opens() {
    let wait = |sentence: &str| vec![(Verdict::Wait, sentence.to_owned())];
    let mut story = tested("2026-12-17T15:30:00Z", &[FREEZE, HOURS]);
    story.move_as(&[Role::ADMIN], "r", "Production");
    assert_eq!(
        story.told(),
        wait(
            "The calendar is closed until Mon 2027-01-11 09:00 Europe/Zurich: outside the allowed times: working hours \
             (Mon-Thu 09:00-16:00)."
        )
    );
    let Some(Answer::Refused(judged)) = &story.answer else { panic!("it waits") };
    assert_eq!((judged.not_before(), judged.opens()), (None, Some(at("2027-01-11T08:00:00Z"))));
    story.now = at("2027-01-11T08:00:00Z");
    story.move_as(&[Role::ADMIN], "r", "Production").carried_out();
    assert_eq!(story.state("r"), "Production");
}

#[test]
fn what_never_opens_is_for_an_admin_to_change() {
    let always = (Effect::Deny, "closed down", "Mon-Sun");
    let mut story = tested("2026-12-22T12:00:00Z", &[always]);
    story.move_as(&[Role::ADMIN], "r", "Production");
    assert_eq!(story.codes(), ["calendar_never_opens"]);
    let sentence = "The calendar is closed and does not open within two years: closed down (Mon-Sun 00:00-24:00).";
    assert_eq!(story.told(), [(Verdict::NeedsAdmin, sentence.to_owned())]);
}

#[test]
fn a_reload_that_ends_a_freeze_lets_go_what_waits() {
    let mut story = tested("2026-12-22T12:00:00Z", &[FREEZE]);
    story.hint("1", "r", "Production");
    story.keeps(DIST, &[]).judge_all().carried_out();
    assert_eq!(story.state("r"), "Production");
    // And one that prolongs it has it wait longer.
    let mut story = tested("2026-12-22T12:00:00Z", &[FREEZE]);
    story.hint("1", "r", "Production");
    story.keeps(DIST, &[(Effect::Deny, "longer", "2026-12-20..2027-01-31")]).judge_all();
    assert_eq!(story.waits(), Some((None, Some(at("2027-01-31T23:00:00Z")))));
}

#[test]
fn time_in_testing_and_a_freeze_are_waited_for_each_by_its_own_clock() {
    let mut story = tested("2026-12-22T12:00:00Z", &[FREEZE]);
    // It came into testing eight days before, on the 14th, and has to be there for twenty.
    let own = include_str!("../../../format/procedures/simple.toml").replace("\"7d\"", "\"20d\"");
    story.rules.distributions.values_mut().next().expect("one").workflow =
        procedure::read(&own, std::path::Path::new("own")).expect("a table").workflow;
    story.hint("1", "r", "Production");
    let (exposed, opens) = (at("2027-01-03T12:00:00Z"), at("2027-01-07T23:00:00Z"));
    assert_eq!(story.waits(), Some((Some(exposed), Some(opens))));
    story.now = exposed;
    story.judge_all();
    assert_eq!(story.waits(), Some((None, Some(opens))));
    story.now = opens;
    story.judge_all().carried_out();
    assert_eq!(story.state("r"), "Production");
}

#[test]
fn each_distribution_of_a_rollout_has_its_own_calendar() {
    const OTHER: &str = "umd/4/el7/x86_64";
    let mut story = Story::new();
    story.rules.distributions.values_mut().next().expect("one").workflow =
        procedure::built_in("simple").expect("it ships");
    story.now = at("2026-12-14T12:00:00Z");
    story.has_too(OTHER).arrives(A).arrives_in(OTHER, A);
    story.submit_parts("r", vec![part(DIST, &[A]), part(OTHER, &[A])]);
    story.move_as(&[Role::ADMIN], "r", "Testing").carried_out().is_approved().passes(8 * DAY);
    story.keeps(OTHER, &[FREEZE]).move_as(&[Role::ADMIN], "r", "Production");
    let sentence = format!(
        "The calendar of {OTHER} is closed until Fri 2027-01-08 00:00 Europe/Zurich: end of the year \
         (2026-12-20..2027-01-07)."
    );
    assert_eq!(story.told(), [(Verdict::Wait, sentence)]);
    story.keeps(OTHER, &[]).move_as(&[Role::ADMIN], "r", "Production").carried_out();
    assert_eq!(story.state("r"), "Production");
}
