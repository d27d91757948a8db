//! What is told without anybody asking: what takes too long, what was found out, what does not agree.

use super::*;
use crate::domain::calendar::weekdays::Weekdays;
use crate::domain::calendar::working_days::WorkingDays;
use crate::process::act::correct::corrections;
use crate::process::act::step;
use crate::process::delays::delays;
use crate::process::evidence::evidence;
use crate::process::fact::change::Edited;
use crate::process::follow_up::attention;
use crate::process::todo::Deadline;
use jiff::tz::TimeZone;

#[test]
fn a_verification_of_more_than_a_week_is_delayed_and_that_is_said_once() {
    let mut story = Story::new();
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::built_in("egi").expect("it ships");
    let admin = person("ann", &[Role::ADMIN]);
    story.arrives(BDII).submit("r", &[BDII]).moves(&admin, "Unverified").moves(&admin, "InVerification");
    let said = |story: &Story| delays(story.known()).entries.len();
    story.passes(Duration::from_secs(7 * 86_400 - 1));
    assert_eq!(said(&story), 0);
    // On hold no deadline passes, and a week begins again afterwards.
    let mut held = story.clone();
    held.records(&admin, Ask::Stall { rollout: id("r"), reason: "they have to answer".into() }).passes(DAY * 10);
    assert_eq!(said(&held), 0);
    held.records(&admin, Ask::Resume { rollout: id("r"), reason: String::new() }).passes(DAY * 6);
    assert_eq!(said(&held), 0);
    held.passes(DAY);
    assert_eq!(said(&held), 1);
    story.passes(Duration::from_secs(1)).tell(&Input::Tick);
    let delayed = |fact: &&Fact| matches!(fact, Fact::Delayed(_));
    let Some(Fact::Delayed(delayed)) = story.facts.iter().find(delayed) else { panic!("it is said") };
    assert_eq!((delayed.state.as_str(), story.world.rollouts[&id("r")].delayed), ("InVerification", true));
    story.passes(DAY).tell(&Input::Tick);
    assert_eq!(said(&story), 0, "once is enough");
    let duty = todo(story.known(), &admin).into_iter().find(|duty| duty.what.contains("should leave InVerification"));
    assert!(matches!(duty.map(|duty| duty.by), Some(Deadline::Overdue(_))));
    story.moves(&admin, "Rejected");
    assert!(!story.world.rollouts[&id("r")].delayed);
}

#[test]
fn what_speaks_for_a_rollout_is_counted_and_who_is_overdue_is_named() {
    let mut story = Story::tested();
    story.in_testing();
    let srm = person("sue", &[Role::SRM]);
    let (one, two) = (team("ea-NGI_IT-T1"), team("ea-NGI_CH-CSCS"));
    let assign = |teams: &[&TeamName], beta| Ask::Assign {
        rollout: id("r"),
        teams: teams.iter().copied().cloned().collect(),
        beta,
        reason: String::new(),
    };
    story.records(&srm, assign(&[&one], false)).records(&srm, assign(&[&two], true));
    let count = |story: &Story| evidence(story.known(), &story.world.rollouts[&id("r")]);
    assert_eq!((count(&story).asked, count(&story).accepted), (2, 0));
    let of_one = person("ina", &[]).of_teams([one.clone()]);
    let installed = |team: &TeamName| Installed { rollout: id("r"), team: team.clone() };
    let install = |team: &TeamName| Ask::Install { installed: installed(team), reason: String::new() };
    assert_eq!(story.refuses(&of_one, install(&two)), "role");
    story.records(&of_one, install(&one));
    assert!(story.refuses(&of_one, install(&one)).contains("already"));
    let standing = story.world.adopters.get(&id("r"), &one).map(|adopter| adopter.standing().as_str());
    assert_eq!(standing, Some("exposed"), "and it accepts by that");
    let answered = Answered { rollout: id("r"), team: two.clone(), accepts: true };
    story.records(&srm, Ask::Answer { answered, reason: String::new() });
    let reported = |team: &TeamName, outcome| {
        Ask::Report(Reported {
            rollout: id("r"),
            team: team.clone(),
            outcome,
            summary: String::new(),
            sections: Sections::default(),
            file: None,
        })
    };
    story.records(&srm, reported(&two, Outcome::Warning));
    let found = count(&story);
    assert_eq!((found.accepted, found.installed, found.overdue.len()), (2, 1, 0));
    assert_eq!((found.reported.len(), found.beta.get(&Outcome::Warning)), (0, Some(&1)), "beta is counted apart");
    let due = todo(story.known(), &of_one).into_iter().find(|duty| duty.what.contains("report what came of it"));
    assert!(matches!(due.map(|duty| duty.by), Some(Deadline::Until(_))), "at the end of the exposure");
    story.passes(DAY * 5);
    let found = count(&story);
    assert_eq!(
        (found.overdue.iter().map(|(team, _)| team.clone()).collect::<Vec<_>>(), found.exposed),
        (vec![one.clone()], Some(DAY * 5))
    );
    let asks = todo(story.known(), &srm).into_iter().any(|duty| duty.what.contains("has accepted r but not reported"));
    assert!(asks, "the manager is told");
    // Who declines does not run it, and who is asked anew has to install it anew.
    let mut declined = story.clone();
    let answered = Answered { rollout: id("r"), team: one.clone(), accepts: false };
    declined.records(&of_one, Ask::Answer { answered, reason: String::new() });
    assert_eq!((count(&declined).installed, count(&declined).declined, count(&declined).overdue.len()), (0, 1, 0));
    let unassign = Ask::Unassign { rollout: id("r"), team: one.clone(), reason: String::new() };
    declined.records(&of_one, reported(&one, Outcome::Success)).records(&srm, unassign);
    assert_eq!(declined.world.adopters.get(&id("r"), &one).and_then(|adopter| adopter.installed), None);
    story.records(&of_one, reported(&one, Outcome::Success));
    assert_eq!((count(&story).overdue.len(), count(&story).reported.get(&Outcome::Success)), (0, Some(&1)));
}

/// S0-37: the manager is told, and those who may help, once for each time at which teams were asked.
#[test]
fn it_is_said_once_that_nobody_has_accepted_in_time() {
    let mut story = Story::tested();
    story.in_testing();
    let srm = person("sue", &[Role::SRM]);
    let (one, two) = (team("ea-NGI_IT-T1"), team("ea-NGI_CH-CSCS"));
    let assign = |team: &TeamName| Ask::Assign {
        rollout: id("r"),
        teams: vec![team.clone()],
        beta: false,
        reason: String::new(),
    };
    let answer = |team: &TeamName, accepts| {
        let answered = Answered { rollout: id("r"), team: team.clone(), accepts };
        Ask::Answer { answered, reason: "no time".into() }
    };
    let said = |story: &mut Story| {
        story.tell(&Input::Tick).tell(&Input::Tick);
        story.facts.iter().filter(|fact| matches!(fact, Fact::Unanswered(_))).count()
    };
    // Nobody was asked, and nobody is late.
    story.passes(DAY * 9);
    assert_eq!(said(&mut story), 0);
    story.records(&srm, assign(&one)).passes(Duration::from_secs(86_399)).records(&srm, assign(&two));
    story.passes(DAY * 3);
    assert_eq!(said(&mut story.clone()), 1);
    let mut accepted = story.clone();
    accepted.records(&srm, answer(&two, true));
    assert_eq!(said(&mut accepted), 0);
    // Who takes the teams out of the registry knows that nobody is left.
    let mut gone = story.clone();
    for team in [&one, &two] {
        gone.records(&srm, Ask::RemoveTeam { team: team.clone(), reason: "closed".into() });
    }
    assert_eq!(said(&mut gone), 0);
    // On hold nobody is late; afterwards there is another day.
    let mut held = story.clone();
    held.records(&srm, Ask::Stall { rollout: id("r"), reason: "wait".into() });
    assert_eq!(said(&mut held), 0);
    held.records(&srm, Ask::Resume { rollout: id("r"), reason: String::new() });
    assert_eq!(said(&mut held), 0);
    // One has time left: the other one declines, and all of them do.
    let mut asked = Story::tested();
    asked.in_testing().records(&srm, assign(&one)).records(&srm, assign(&two));
    asked.records(&srm, answer(&one, false));
    assert_eq!(said(&mut asked), 0);
    asked.records(&srm, answer(&two, false));
    assert_eq!(said(&mut asked), 1, "nobody is left who may accept");
    story.records(&srm, answer(&one, false));
    assert_eq!(said(&mut story), 1);
    story.records(&srm, answer(&two, false));
    assert_eq!(said(&mut story), 1, "once is enough");
    let third = team("ea-NGI_DE-KIT");
    story.records(&srm, registered(third.as_str(), "NGI_DE")).records(&srm, assign(&third));
    assert_eq!(said(&mut story), 1);
    story.passes(DAY * 4);
    assert_eq!(said(&mut story), 2);
    // An observer is welcome to look at it, and is no early adopter.
    let mut watched = Story::tested();
    watched.in_testing().records(&srm, assign(&one));
    let (products, stacks, node_types) = Default::default();
    let (name, ngi) = (team("ea-NGI_FR-WLCG"), "NGI_FR".to_owned());
    let observer = TeamRegistered {
        team: name.clone(),
        ngi,
        products,
        stacks,
        node_types,
        contacts: BTreeSet::new(),
        observer: true,
    };
    watched.records(&srm, Ask::Register { team: observer, reason: String::new() }).records(&srm, assign(&name));
    watched.records(&srm, answer(&name, true)).records(&srm, answer(&one, false));
    assert_eq!(said(&mut watched), 1);
    // What has gone on waits for nobody, and neither does what was asked long ago.
    let mut old = Story::tested();
    old.in_testing().records(&srm, assign(&one)).passes(DAY * 40);
    assert_eq!(said(&mut old), 0);
    let mut gone = Story::tested();
    gone.in_testing().records(&srm, assign(&one)).moves(&srm, "Withdrawn").carried_out().passes(DAY * 9);
    assert_eq!(said(&mut gone), 0);
}

/// Three patches of a bundle in delta.
fn rolling_out() -> Story {
    let mut story = bundles::patches();
    let (mu, ou) = (person("mia", &[Role::MU]), person("otto", &[Role::OU]));
    story.records(&ou, bundles::moves("Ready for Rollout", &[]));
    story.records(&mu, Ask::Announce { bundle: bundles::named("B-1"), rollouts: vec![], reason: String::new() });
    story.records(&mu, bundles::moves("Rolling out", &[])).carried_out();
    story
}

#[test]
fn a_bundle_and_its_notes_are_made_to_agree_by_one_command() {
    let mut story = rolling_out();
    let (mu, ou) = (person("mia", &[Role::MU]), person("otto", &[Role::OU, Role::MU]));
    let found = |story: &Story, withdraw| corrections(story.known(), &bundles::named("B-1"), withdraw).expect("open");
    let correct =
        |withdraw, reason: &str| Ask::CorrectBundle { bundle: bundles::named("B-1"), withdraw, reason: reason.into() };
    assert_eq!((found(&story, false).steps(), found(&story, true).steps()), (vec![], vec![]));
    assert!(story.refuses(&mu, correct(false, "")).contains("agree"));
    // The notes list only one of the two, and one that is in no bundle.
    let rollouts = vec![id("r"), id("t")];
    story.records(&mu, Ask::Announce { bundle: bundles::named("B-1"), rollouts, reason: String::new() });
    let words = found(&story, false).steps();
    assert_eq!(words, ["come off the release notes: t", "come on the release notes: s"]);
    let words = found(&story, true).steps();
    assert_eq!(words, ["come off the release notes: t", "s goes to Rejected"]);
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), correct(false, "")), "role");
    // Nobody sends sites to roll it out before (S1-21).
    story.records(&ou, registered("ea-NGI_IT-T1", "NGI_IT")).passes(DAY);
    let create = || {
        let (bundle, kind, teams) = (bundles::named("B-1"), TaskKind::RollOut, vec![team("ea-NGI_IT-T1")]);
        Ask::CreateTasks { services: [].into(), bundle, kind, teams, quarantine: None, reason: String::new() }
    };
    assert_eq!(story.refuses(&ou, create()), "bundle_incomplete bundle_incomplete");
    let mut listed = story.clone();
    listed.records(&mu, correct(false, ""));
    assert_eq!(found(&listed, false).steps(), Vec::<String>::new());
    listed.records(&ou, create());
    assert_eq!(story.refuses(&ou, correct(true, " ")), "no_reason");
    story.records(&ou, correct(true, "it is not ready")).carried_out();
    assert_eq!((story.state("s").as_str(), found(&story, true).steps().len()), ("Rejected", 0));
    assert_eq!(story.state("r"), "Rolling out");
}

#[test]
fn tasks_that_somebody_should_look_at_are_named_until_somebody_has() {
    let mut story = bundles::patches();
    let (ou, name) = (person("otto", &[Role::OU]), team("ea-NGI_IT-T1"));
    let (products, stacks, node_types) = Default::default();
    let new = TeamRegistered {
        team: name.clone(),
        ngi: "NGI_IT".into(),
        products,
        stacks,
        node_types,
        contacts: BTreeSet::new(),
        observer: false,
    };
    story.records(&ou, Ask::Register { team: new, reason: String::new() });
    let create = || Ask::CreateTasks {
        services: [].into(),
        bundle: bundles::named("B-1"),
        kind: TaskKind::RollOut,
        teams: vec![name.clone()],
        quarantine: None,
        reason: String::new(),
    };
    let says = |story: &Story, number| {
        attention(story.known(), number, story.world.tasks.get(number).expect("it is there")).unwrap_or_default()
    };
    let begin = |task, outcome| Ask::BeginTask { task, outcome, reason: String::new() };
    let end = |outcome| Ask::EndTask { task: 1, outcome, early: false, reason: String::new() };
    let of_team = person("ina", &[]).of_teams([name.clone()]);
    bundles::deployed(&mut story);
    story.records(&ou, create()).passes(DAY * 2);
    assert_eq!(says(&story, 1), "");
    story.passes(Duration::from_secs(1));
    assert_eq!(says(&story, 1), "nobody has begun it for two days");
    story.records(&of_team, begin(1, Outcome::Warning));
    assert_eq!(says(&story, 1), "the change: warning");
    let mut good = story.clone();
    story.passes(DAY * 7).records(&of_team, end(Outcome::Fail));
    assert_eq!(says(&story, 1), "it ended with fail");
    // Another one of the same team resolves it, and so does the end of the bundle.
    story.records(&ou, create()).records(&of_team, begin(2, Outcome::Success));
    assert_eq!((says(&story, 1), says(&story, 2)), (String::new(), String::new()));
    story.passes(DAY * 7);
    assert_eq!(says(&story, 2), "its quarantine is over");
    story.records(&ou, bundles::moves("Rejected", &[])).carried_out();
    let close = Ask::CloseBundle { bundle: bundles::named("B-1"), reason: "it is over".into() };
    story.records(&person("mia", &[Role::MU]), close);
    assert_eq!(says(&story, 2), "");
    good.passes(DAY * 7).records(&of_team, end(Outcome::Success));
    assert_eq!(says(&good, 1), "");
}

/// S0-06, S0-35: nobody tests what is not there yet, whoever was asked beforehand is told when it is, and what was said of other
/// packages counts no more.
#[test]
fn early_adopters_answer_and_report_when_there_is_something_to_test() {
    let mut story = Story::new();
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::built_in("egi").expect("it ships");
    let (srm, admin) = (person("sue", &[Role::SRM]), person("ann", &[Role::ADMIN]));
    let (one, other) = (team("ea-NGI_IT-T1"), team("ea-NGI_CH-CSCS"));
    story.arrives(BDII).submit("r", &[BDII]);
    for (team, ngi) in [(&one, "NGI_IT"), (&other, "NGI_CH")] {
        story.records(&srm, registered(team.as_str(), ngi));
    }
    let assign = Ask::Assign { rollout: id("r"), teams: vec![one.clone()], beta: false, reason: String::new() };
    story.records(&srm, assign);
    let due =
        |story: &Story| story.world.messages.after(None).map(|(.., it)| it.template.to_string()).collect::<Vec<_>>();
    assert_eq!(due(&story), [""; 0], "there is nothing to test");
    let answer = |team: &TeamName| {
        let answered = Answered { rollout: id("r"), team: team.clone(), accepts: true };
        Ask::Answer { answered, reason: String::new() }
    };
    let report = |team: &TeamName, outcome| {
        let (rollout, team, summary, sections) = (id("r"), team.clone(), String::new(), Sections::default());
        Ask::Report(Reported { rollout, team, outcome, summary, sections, file: None })
    };
    for state in ["Unverified", "InVerification"] {
        story.moves(&admin, state);
        assert_eq!(story.refuses(&srm, answer(&one)), "not_in_test");
        assert_eq!(story.refuses(&srm, report(&one, Outcome::Success)), "not_in_test");
    }
    story.passes(DAY * 3).moves(&admin, "StageRollOut");
    assert_eq!(due(&story), [""; 0], "it is on its way");
    story.carried_out();
    assert_eq!(due(&story), ["staged-rollout-begins", "request-to-test"]);
    // The epoch was a Thursday, so this is a Sunday: it has to answer by the end of Monday.
    let duty = todo(story.known(), &person("tom", &[]).of_teams([one.clone()]));
    assert_eq!(format!("{:?}", duty[0].by), "Until(1970-01-06T00:00:00Z)");
    // A site in a country with other holidays has its own Monday (S0-35).
    let mut abroad = story.clone();
    let off = [("1970-01-05".parse().expect("a day"), "a feast".into())].into();
    let days = WorkingDays::new(Weekdays::WORKING, TimeZone::UTC).except(off);
    let rules = abroad.rules.distributions.values_mut().next().expect("one");
    rules.calendar.ngis = [("NGI_IT".to_owned(), days)].into();
    let duty = todo(abroad.known(), &person("tom", &[]).of_teams([one.clone()]));
    assert_eq!(format!("{:?}", duty[0].by), "Until(1970-01-07T00:00:00Z)");
    // Whoever was not asked has no vote, and is heard if something fails.
    let why = |story: &Story| {
        let judged = step::why(story.known(), &srm, &story.world.rollouts[&id("r")], "Accepted");
        let open = judged.findings.into_iter().filter(|finding| finding.verdict != Verdict::Pass);
        open.map(|finding| finding.code).collect::<Vec<_>>()
    };
    story.passes(DAY * 8).records(&srm, report(&other, Outcome::Success));
    assert_eq!(why(&story), ["acknowledged", "reported"]);
    let found = evidence(story.known(), &story.world.rollouts[&id("r")]);
    assert_eq!((found.asked, found.accepted, found.reported.len()), (1, 0, 0));
    let mut failed = story.clone();
    failed.records(&srm, report(&other, Outcome::Fail)).records(&srm, report(&one, Outcome::Success));
    assert_eq!(why(&failed), ["report_fails"]);
    story.records(&srm, report(&one, Outcome::Success));
    assert_eq!(why(&story), [""; 0]);
    // A logbook that has reports on other packages.
    let parts = vec![part(DIST, &[DPM]).into()];
    let edited = Edited { rollout: id("r"), title: None, parts };
    story.world.apply(story.world.last + 1, story.now, "me", &edited.into());
    let adopter = story.world.adopters.get(&id("r"), &one).expect("it is asked");
    assert!(adopter.asked.is_some() && adopter.report.is_none());
    assert!(story.world.adopters.get(&id("r"), &other).is_none(), "nobody has asked it");
}

/// S0-44: five to seven days.
#[test]
fn the_usual_time_of_an_exposure_is_said_and_nothing_waits_for_it() {
    let text = PROCEDURE.replacen("for = \"5d\"", "for = \"5d\", usual = \"7d\"", 1);
    let mut story = Story::tested();
    let flow = procedure::read(&text, std::path::Path::new("tested.toml")).expect("legal").workflow;
    story.rules.distributions.values_mut().next().expect("one").workflow = flow;
    let said = |story: &Story| {
        let sue = person("sue", &[Role::SRM]);
        let judged = step::why(story.known(), &sue, &story.world.rollouts[&id("r")], "Accepted");
        let found = judged.findings.into_iter().find(|finding| finding.code == "exposure").expect("it is asked");
        let until = evidence(story.known(), &story.world.rollouts[&id("r")]).usual.expect("the procedure says it");
        assert_eq!(until.0, DAY * 7);
        (found.verdict, found.sentence, until.1.map(|ends| ends.elapsed <= story.known().now.elapsed))
    };
    let says = |verdict, sentence: &str, is_over| (verdict, sentence.to_owned(), is_over);
    story.in_testing().passes(DAY * 2);
    let begun = "The packages have to be in testing for 5d, until 1970-01-06T00:00:00Z; usually 1w, until 1970-01-08T00:00:00Z.";
    assert_eq!(said(&story), says(Verdict::Wait, begun, Some(false)));
    story.passes(DAY * 3);
    let enough = "The packages have been in testing for 5d; usually 1w, until 1970-01-08T00:00:00Z.";
    assert_eq!(said(&story), says(Verdict::Pass, enough, Some(false)));
    let mut held = story.clone();
    held.records(&person("sue", &[Role::SRM]), Ask::Stall { rollout: id("r"), reason: "wait".into() });
    assert_eq!(said(&held), says(Verdict::Pass, "The packages have been in testing for 5d; usually 1w.", None));
    story.passes(DAY * 2);
    let over = "The packages have been in testing for 5d; the usual 1w have passed.";
    assert_eq!(said(&story), says(Verdict::Pass, over, Some(true)));
}
