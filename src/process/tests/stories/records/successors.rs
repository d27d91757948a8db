//! Rollouts that take over from others: what is said of them, and their place.

use super::bundles::{moves, named, patches};
use super::*;
use crate::domain::attributes::{Attributes, Level};
use crate::process::fact::attributes::Described;
use crate::process::fact::change::Superseded;

const NEWER: &str = "bdii-5.2.24-1.el6.noarch";

fn ann() -> Caller {
    person("ann", &[Role::ADMIN, Role::MU, Role::OU])
}

/// A rollout `n` of these packages that takes over.
fn submits(new: &str, packages: &[&str], like: Option<&str>, supersedes: Option<&str>) -> Ask {
    let (title, parts) = (String::new(), vec![part(DIST, packages)]);
    Ask::SubmitAfter {
        rollout: id(new),
        title,
        parts,
        change: None,
        like: like.map(id),
        supersedes: supersedes.map(id),
    }
}

impl Story {
    fn submitted(&mut self, who: &Caller, ask: Ask) -> &mut Self {
        self.asks(who, ask);
        assert!(matches!(self.answer, Some(Answer::Submitted(_))), "{:?}", self.answer);
        self
    }

    /// `r` has come to delta, and nothing but another rollout can keep it there.
    fn in_delta(&mut self) -> &mut Self {
        for state in ["Ready for Rollout", "Rolling out"] {
            self.records(&ann(), moves(state, &[]));
        }
        for gate in ["exposure", "tasks_done"] {
            let (rollout, state) = (id("r"), "Ready for Production".to_owned());
            self.records(&ann(), Ask::Override { rollout, state, gate: gate.into(), reason: "a test".into() });
        }
        self.carried_out()
    }

    fn speaks_against(&mut self, state: &str) -> String {
        self.refuses(&ann(), Ask::Move { rollout: id("r"), state: state.into(), reason: String::new() })
    }
}

#[test]
fn what_is_said_of_a_rollout_is_taken_over() {
    let mut story = patches();
    story.arrives(NEWER);
    for name in ["ea-NGI_IT-T1", "ea-NGI_CH-CSCS", "ea-NGI_UK-RAL"] {
        story.records(&ann(), registered(name, &name[3..9]));
    }
    // Nothing was said of it yet.
    story.clone().submitted(&person("mia", &[Role::MU]), submits("n", &[NEWER], Some("r"), None));
    let said = Attributes { risk: Some(Level::High), reversal: Some("go back".into()), ..Attributes::default() };
    let seq = story.world.last + 1;
    let described = Described { rollout: id("r"), attributes: said.clone() };
    story.world.apply(seq, story.now, "me", &described.into());
    let (what, url) = ("release-notes".parse().expect("a name"), Some("https://example.org/notes".to_owned()));
    story.records(&ann(), Ask::Link { linked: Linked { rollout: id("r"), what, url }, reason: String::new() });
    for (name, beta) in [("ea-NGI_IT-T1", true), ("ea-NGI_CH-CSCS", false), ("ea-NGI_UK-RAL", false)] {
        let teams = vec![team(name)];
        story.records(&ann(), Ask::Assign { rollout: id("r"), teams, beta, reason: String::new() });
    }
    // One has left the registry, and one has answered.
    story.records(&ann(), Ask::RemoveTeam { team: team("ea-NGI_UK-RAL"), reason: "gone".into() });
    let answered = Answered { rollout: id("r"), team: team("ea-NGI_CH-CSCS"), accepts: true };
    story.world.apply(story.world.last + 1, story.now, "me", &answered.into());
    let ask = || submits("n", &[NEWER], Some("r"), None);
    // Each part needs its right: the release team assigns nobody.
    assert_eq!(story.refuses(&person("mia", &[Role::MU]), ask()), "role");
    assert_eq!(story.refuses(&ann(), submits("n", &[NEWER], Some("x"), None)), "there is no rollout x");
    assert!(story.refuses(&ann(), submits("s", &[NEWER], Some("r"), None)).contains("exists already"));
    story.submitted(&ann(), ask());
    let new = &story.world.rollouts[&id("n")];
    assert_eq!((&new.title, new.state.as_str()), (&story.world.rollouts[&id("r")].title, "Verified"));
    assert_eq!(story.world.attributes.said(&id("n")), said);
    let links = |rollout| story.world.dossiers.of(&id(rollout)).map(|dossier| dossier.links.clone());
    assert_eq!(links("n"), links("r"));
    // They are asked anew.
    let n = id("n");
    let teams = story.world.adopters.of(&n);
    let teams: Vec<_> = teams
        .map(|(team, adopter)| (team.as_str(), adopter.asked.as_ref().map(|asked| asked.beta), adopter.answer))
        .collect();
    assert_eq!(teams, [("ea-NGI_CH-CSCS", Some(false), None), ("ea-NGI_IT-T1", Some(true), None)]);
}

#[test]
fn a_rollout_that_has_moved_nothing_is_cancelled_and_its_packages_are_free() {
    let mut story = patches();
    story.arrives(NEWER);
    let ask = || submits("n", &[BDII, NEWER], None, Some("r"));
    assert_eq!(story.refuses(&person("olga", &[Role::OU]), ask()), "role role");
    story.submitted(&person("mia", &[Role::MU]), ask());
    assert!(story.world.rollouts[&id("r")].cancelled && !story.world.rollouts[&id("n")].cancelled);
    assert!(!story.world.bundles.get(&named("B-1")).expect("it is there").members.contains(&id("r")));
    assert_eq!(story.refuses(&ann(), submits("m", &[DPM], None, Some("r"))), "r was cancelled");
}

#[test]
fn a_rollout_that_has_moved_is_superseded_until_the_other_one_comes_to_nothing() {
    let mut story = patches();
    story.arrives(NEWER).in_delta();
    story.clone().records(&ann(), moves("Ready for Production", &["r"]));
    // What it has brought to delta is not in question.
    assert_eq!(
        story.refuses(&ann(), submits("n", &[BDII, NEWER], None, Some("r"))),
        "in_other_rollout already_rolled_out"
    );
    story.submitted(&ann(), submits("n", &[NEWER], None, Some("r")));
    assert_eq!(story.speaks_against("Ready for Production"), "superseded");
    assert_eq!(story.refuses(&ann(), submits("m", &[DPM], None, Some("r"))), "r is superseded by n already");
    let mut withdrawn = story.clone();
    withdrawn.move_as(&[Role::OU], "r", "Rejected").carried_out();
    assert_eq!(withdrawn.state("r"), "Rejected");
    // What a tracker wants of it waits until the other one was cancelled, or rejected.
    story.hint("1", "r", "Ready for Production");
    let (mut cancelled, mut rejected) = (story.clone(), story.clone());
    cancelled.records(&ann(), Ask::Cancel { rollout: id("n"), reason: "it is broken".into() }).judge_all();
    rejected.move_as(&[Role::OU], "n", "Rejected").carried_out().judge_all();
    for story in [&cancelled, &rejected] {
        assert_eq!(story.state("r"), "Ready for Production");
    }
    // A third one takes the place of the second, and of the first with it.
    let newest = "bdii-5.2.25-1.el6.noarch";
    story.arrives(newest).submitted(&ann(), submits("m", &[newest], None, Some("n")));
    assert!(story.world.rollouts[&id("n")].cancelled);
    assert_eq!(story.world.successors.of(&id("r")), Some(&id("m")));
    assert_eq!(story.speaks_against("Ready for Production"), "superseded");
    // What has come to its end has no place to take.
    rejected.arrives(newest);
    assert_eq!(rejected.refuses(&ann(), submits("m", &[newest], None, Some("n"))), "has_ended");
}

#[test]
fn a_logbook_in_which_nothing_is_superseded_by_itself_or_by_nothing() {
    let mut story = patches();
    for (rollout, by) in [("r", "r"), ("r", "x"), ("x", "r")] {
        let seq = story.world.last + 1;
        story.world.apply(seq, story.now, "me", &Superseded { rollout: id(rollout), by: id(by) }.into());
    }
    let said: Vec<&str> = story.world.mismatches.iter().filter_map(|why| why.split("does not fit: ").nth(1)).collect();
    assert_eq!(said, ["r cannot supersede itself", "there is no rollout x", "there is no rollout x"]);
}
