//! Service levels: when the daemon was not there, and how long things took (S3-39, S3-41).

use super::*;
use crate::domain::calendar::maintenance;
use crate::domain::levels::LevelPolicy;
use crate::process::decision::{Decision, Entry};
use crate::process::fact::daemon::Started;
use crate::process::fact::maintenance::MaintenanceDeclared;
use crate::process::levels::{Level, Was, report};

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

/// The daemon starts, and knows until when the one before it has run.
fn starts(story: &mut Story, alive: Option<Timestamp>) {
    let fact = Started { version: "0.1.0".into(), alive };
    story.take(Decision { entries: vec![Entry::of_daemon(fact)], answer: None });
}

/// It is away for a time.
fn is_away(story: &mut Story, span: Duration) {
    let alive = story.now;
    story.passes(span);
    starts(story, Some(alive));
}

fn level(story: &Story, what: &str) -> Level {
    report(story.known(), None).levels.into_iter().find(|level| level.what == what).expect("there is such a level")
}

fn share(story: &Story, what: &str) -> (Option<u32>, Option<bool>) {
    let level = level(story, what);
    let share = match level.was {
        Some(Was::Share(share)) => Some(share),
        _ => None,
    };
    (share, level.is_kept())
}

/// How many there were, how many in time, and whether that is what was agreed.
fn timely(story: &Story, what: &str) -> Option<(usize, usize, Option<bool>)> {
    let level = level(story, what);
    match level.was? {
        Was::Timely(timely) => Some((timely.all, timely.in_time, level.is_kept())),
        Was::Share(_) => panic!("{what} is a share"),
    }
}

#[test]
fn the_time_in_which_the_daemon_was_away_counts_and_announced_maintenance_excuses_it() {
    let mut story = Story::new();
    let ann = person("ann", &[Role::ADMIN]);
    assert_eq!(share(&story, "availability"), (None, None), "it was never there");
    starts(&mut story, None);
    story.rules.levels = LevelPolicy { availability: Some(9_900), reliability: Some(9_900), ..LevelPolicy::default() };
    story.passes(99 * HOUR);
    assert_eq!(share(&story, "availability"), (Some(10_000), Some(true)));
    is_away(&mut story, HOUR);
    assert_eq!(share(&story, "availability"), (Some(9_900), Some(true)));
    // Of a maintenance that was announced in time everything is excused, and of another one nothing.
    let declare = |story: &mut Story, id: &str, from: Duration, until: Duration| {
        let at = |span: Duration| story.now.checked_add(span).expect("a time");
        let (start, end, title) = (at(from), at(until), "new disks".to_owned());
        let (maintenance, dist, justification) =
            (id.parse().expect("an id"), None, "the old ones are broken".to_owned());
        let declared = MaintenanceDeclared { maintenance, dist, title, start, end, justification };
        story.records(&ann, Ask::DeclareMaintenance(declared));
    };
    declare(&mut story, "disks", 48 * HOUR, 58 * HOUR);
    declare(&mut story, "more-disks", 60 * HOUR, 62 * HOUR);
    story.passes(50 * HOUR);
    is_away(&mut story, 5 * HOUR);
    // 6 of 155 hours; of the 7 hours of maintenance so far it was there for 2.
    assert_eq!(share(&story, "availability"), (Some(9_612), Some(false)));
    assert_eq!(share(&story, "reliability"), (Some(147 * 10_000 / 148), Some(true)));
    // What is called off was not needed: from then on it counts again.
    let end = Ask::EndMaintenance { maintenance: "disks".parse().expect("an id"), reason: "done".into() };
    story.records(&ann, end);
    is_away(&mut story, 2 * HOUR);
    assert_eq!(share(&story, "reliability"), (Some(147 * 10_000 / 150), Some(false)));
    // After a month nobody speaks of it any more.
    story.passes(720 * HOUR);
    assert_eq!(share(&story, "availability"), (Some(10_000), Some(true)));
    assert_eq!(maintenance::NOTICE.as_hours(), 24);
    // One that was declared an hour before it began excuses nothing, nor does one of a distribution.
    declare(&mut story, "late", HOUR, 20 * HOUR);
    story.passes(2 * HOUR);
    is_away(&mut story, 7 * HOUR);
    let (of_all, of_rest) = (share(&story, "availability").0, share(&story, "reliability").0);
    assert_eq!((of_all, of_rest), (Some(713 * 10_000 / 720), Some(713 * 10_000 / 720)));
}

#[test]
fn a_clock_that_was_wrong_makes_no_stop() {
    let mut story = Story::new();
    starts(&mut story, None);
    story.passes(10 * HOUR);
    // At boot it was years ahead, and then put right.
    let now = story.now;
    story.passes(HOUR * 50_000);
    starts(&mut story, Some(now));
    story.now = now;
    story.passes(MINUTE);
    assert_eq!(share(&story, "availability").0, Some(10_000));
    // It went back: nothing is known of how long it was away.
    let ahead = story.now.checked_add(HOUR).ok();
    starts(&mut story, ahead);
    assert_eq!(share(&story, "availability").0, Some(10_000));
    // Programs of before did not say it: nobody knows, and it is looked at from there.
    is_away(&mut story, 10 * HOUR);
    assert!(share(&story, "availability").0 < Some(10_000));
    story.passes(HOUR);
    starts(&mut story, None);
    let began = story.now;
    story.passes(9 * HOUR);
    is_away(&mut story, HOUR);
    assert_eq!((share(&story, "availability").0, report(story.known(), None).span.0), (Some(9_000), began));
}

#[test]
fn what_takes_too_long_is_counted() {
    let mut story = Story::new();
    story.rules.levels =
        LevelPolicy { promote_within: Some(10 * MINUTE), tell_within: Some(24 * HOUR), ..LevelPolicy::default() };
    starts(&mut story, None);
    let ann = person("ann", &[Role::ADMIN]);
    story.arrives(A).arrives(B).submit("r", &[A]).submit("s", &[B]);
    assert_eq!((timely(&story, "promoted"), timely(&story, "withdrawn")), (None, None));
    story.moves(&ann, "InVerification").moves(&ann, "StageRollOut");
    story.passes(5 * MINUTE).carried_out();
    assert_eq!(timely(&story, "promoted"), Some((1, 1, Some(true))));
    story.move_as(&[Role::ADMIN], "s", "InVerification").move_as(&[Role::ADMIN], "s", "StageRollOut");
    story.passes(11 * MINUTE).carried_out();
    assert_eq!(timely(&story, "promoted"), Some((2, 1, Some(false))));
    // People wait also while the daemon is away.
    let mut stuck = story.clone();
    stuck.arrives("c-1-1.noarch").submit("t", &["c-1-1.noarch"]);
    stuck.move_as(&[Role::ADMIN], "t", "InVerification").move_as(&[Role::ADMIN], "t", "StageRollOut");
    is_away(&mut stuck, HOUR);
    stuck.carried_out();
    assert_eq!(timely(&stuck, "promoted"), Some((3, 1, Some(false))));
    // A withdrawal is one of its own, and nothing was agreed of it.
    story.moves(&ann, "Rejected").passes(HOUR).carried_out();
    assert_eq!(timely(&story, "withdrawn"), Some((1, 1, None)));
    assert_eq!(timely(&story, "promoted"), Some((2, 1, Some(false))));
    // What was too long ago counts no longer.
    story.passes(721 * HOUR);
    assert_eq!(timely(&story, "promoted"), None);
}

#[test]
fn what_is_given_up_nobody_waits_for() {
    let mut story = half_way();
    starts(&mut story, None);
    fails(&mut story);
    let ask = Ask::GiveUp { rollout: id("r"), reason: "the disk is full".into() };
    story.asks(&person("ann", &[Role::ADMIN]), ask);
    assert!(matches!(story.answer, Some(Answer::Moved { .. })), "{:?}", story.answer);
    story.troubles.clear();
    story.passes(HOUR).carried_out();
    assert_eq!(story.state("r"), "StageRollOut");
    assert_eq!((timely(&story, "promoted"), timely(&story, "withdrawn")), (Some((1, 1, None)), None));
}

#[test]
fn how_long_people_wait_until_they_are_told_is_counted() {
    let mut story = Story::new();
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::built_in("egi").expect("it ships");
    story.rules.levels = LevelPolicy { tell_within: Some(24 * HOUR), ..LevelPolicy::default() };
    starts(&mut story, None);
    let ann = person("ann", &[Role::ADMIN]);
    let srm = person("sue", &[Role::SRM]);
    story.arrives(A).submit("r", &[A]);
    story.moves(&ann, "Unverified").moves(&ann, "InVerification").moves(&ann, "StageRollOut").carried_out();
    assert_eq!(timely(&story, "people told"), None);
    let message = story.world.messages.after(None).next().expect("somebody has to be told").0;
    story.passes(25 * HOUR).records(&srm, Ask::Told { message, reason: "by mail".into() });
    assert_eq!(timely(&story, "people told"), Some((1, 0, Some(false))));
}
