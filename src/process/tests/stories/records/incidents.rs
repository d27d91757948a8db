//! Incidents and problems.

use super::*;
use crate::domain::incident::Wanted;
use crate::domain::request::Priority;
use crate::process::fact::incident::{IncidentChanged, ProblemChanged};

fn goes_wrong(kind: &str) -> Ask {
    let wanted = Wanted {
        kind: kind.parse().expect("a kind"),
        title: "it was not published for an hour".into(),
        unit: None,
        priority: None,
        ticket: None,
        rollout: None,
    };
    Ask::RecordIncident { wanted, reason: String::new() }
}

fn closes(incident: u64, reason: &str) -> Ask {
    Ask::CloseIncident { incident, reason: reason.into() }
}

fn solves(problem: u64, reason: &str) -> Ask {
    Ask::CloseProblem { problem, reason: reason.into() }
}

impl Story {
    fn with_support() -> Self {
        let mut story = Self::new();
        story.rules.incidents.support_unit = Some("Software Provisioning".into());
        story
    }

    /// The incidents of each problem.
    fn problems(&self) -> Vec<Vec<u64>> {
        self.world.incidents.problems().map(|(_, problem)| problem.incidents.iter().copied().collect()).collect()
    }
}

/// S3-33.
#[test]
fn an_incident_has_somebody_who_handles_it_and_a_priority() {
    let (sue, eve) = (person("sue", &[Role::SRM]), person("eve", &[Role::EA]));
    let mut story = Story::new();
    assert_eq!(story.refuses(&sue, goes_wrong("publication")), "no_unit");
    let mut story = Story::with_support();
    assert_eq!(story.refuses(&eve, goes_wrong("publication")), "role");
    story.records(&sue, goes_wrong("publication"));
    let seen = |story: &Story| {
        let incident = story.world.incidents.get(1).expect("there");
        (
            incident.unit.clone(),
            incident.priority,
            incident.ticket.clone(),
            incident.closed.as_ref().map(|closed| closed.1.clone()),
        )
    };
    assert_eq!(seen(&story), ("Software Provisioning".into(), Priority::Normal, None, None));
    let change = |unit: Option<&str>, priority, ticket: Option<&str>| {
        let (unit, ticket) = (unit.map(str::to_owned), ticket.map(str::to_owned));
        let changed = IncidentChanged { incident: 1, unit, priority, ticket };
        Ask::ChangeIncident { changed, reason: String::new() }
    };
    assert_eq!(story.refuses(&eve, change(Some("Network"), None, None)), "role");
    assert!(story.refuses(&sue, change(None, Some(Priority::Normal), None)).contains("incident 1 already says so"));
    story
        .records(&sue, change(None, Some(Priority::High), Some("#12")))
        .records(&sue, change(Some("Network"), None, None));
    assert_eq!(seen(&story), ("Network".into(), Priority::High, Some("#12".into()), None));
    assert_eq!(story.refuses(&sue, closes(1, " ")), "no_reason");
    story.records(&sue, closes(1, "the disk was changed"));
    assert_eq!(seen(&story).3.as_deref(), Some("the disk was changed"));
    assert_eq!(story.refuses(&sue, closes(1, "again")), "incident 1 is closed");
    // Its ticket may be made later, to be a child of a problem's.
    story.records(&sue, change(None, None, Some("#13")));
    assert_eq!(story.refuses(&sue, closes(7, "gone")), "there is no incident 7");
    // It may be about a rollout, which has to be there.
    let Ask::RecordIncident { wanted, reason } = goes_wrong("publication") else { unreachable!() };
    let about = |rollout: &str| Wanted { rollout: Some(id(rollout)), ..wanted.clone() };
    let asks = Ask::RecordIncident { wanted: about("r"), reason: reason.clone() };
    assert_eq!(story.refuses(&sue, asks.clone()), "there is no rollout r");
    story.arrives(BDII).submit("r", &[BDII]).records(&sue, asks);
    let untitled = Wanted { title: " ".into(), ..about("r") };
    assert_eq!(story.refuses(&sue, Ask::RecordIncident { wanted: untitled, reason }), "no_title");
}

/// S3-34, S4-08.
#[test]
fn incidents_that_recur_are_one_problem() {
    let (sue, eve) = (person("sue", &[Role::SRM]), person("eve", &[Role::EA]));
    let mut story = Story::with_support();
    // Of another kind, or too long ago: nothing recurs.
    story.records(&sue, goes_wrong("publication")).passes(DAY * 31);
    story.records(&sue, goes_wrong("publication")).records(&sue, goes_wrong("disk"));
    story.records(&sue, closes(2, "restarted")).passes(DAY * 20).records(&sue, goes_wrong("publication"));
    assert_eq!(story.problems(), [[0; 0]; 0]);
    // The third of its kind within 30 days, also if others are over.
    story.passes(DAY * 9).records(&sue, goes_wrong("publication"));
    assert_eq!(story.problems(), [vec![2, 4, 5]]);
    let problem = story.world.incidents.problem(1).expect("there");
    assert_eq!((problem.unit.as_str(), problem.ticket.as_deref()), ("Operations", None));
    let duty = |story: &Story, who: &Caller| {
        todo(story.known(), who).into_iter().find(|duty| duty.command.starts_with("problem")).map(|duty| duty.what)
    };
    assert_eq!(duty(&story, &sue).as_deref(), Some("problem 1 (publication) has no ticket for Operations"));
    assert_eq!(duty(&story, &eve), None);
    // One more belongs to it.
    story.passes(DAY * 90).records(&sue, goes_wrong("publication"));
    assert_eq!(story.problems(), [vec![2, 4, 5, 6]]);
    let change = |ticket: Option<&str>, cause: Option<&str>| {
        let (ticket, cause) = (ticket.map(str::to_owned), cause.map(str::to_owned));
        let changed = ProblemChanged { problem: 1, ticket, cause, workaround: None };
        Ask::ChangeProblem { changed, reason: String::new() }
    };
    assert_eq!(story.refuses(&eve, change(Some("#101"), None)), "role");
    assert!(story.refuses(&sue, change(None, None)).contains("problem 1 already says so"));
    story.records(&sue, change(Some("#101"), None)).records(&sue, change(None, Some("a slow disk")));
    let problem = story.world.incidents.problem(1).expect("there");
    assert_eq!((problem.ticket.as_deref(), problem.cause.as_deref()), (Some("#101"), Some("a slow disk")));
    assert_eq!(duty(&story, &sue), None);
    assert_eq!(story.refuses(&sue, solves(1, "")), "no_reason");
    story.records(&sue, solves(1, "a faster disk"));
    assert_eq!(story.refuses(&sue, solves(1, "twice")), "problem 1 is closed");
    assert_eq!(story.refuses(&sue, solves(2, "none")), "there is no problem 2");
    // What was a part of it counts no more.
    story.records(&sue, goes_wrong("publication")).records(&sue, goes_wrong("publication"));
    assert_eq!(story.problems().len(), 1);
    story.records(&sue, goes_wrong("publication"));
    assert_eq!(story.problems(), [vec![2, 4, 5, 6], vec![7, 8, 9]]);
    // A site may want more of them, or fewer.
    story.rules.incidents.recur = 2;
    story.records(&sue, goes_wrong("disk")).records(&sue, goes_wrong("disk"));
    assert_eq!(story.problems().last(), Some(&vec![10, 11]));
    assert_eq!(story.world.mismatches.len(), 0);
}
