//! Reviews of what was released and of emergencies.

use super::changes::{asks_for, change, developer, puts, ties};
use super::*;
use crate::domain::request::{ChangeKind, Status};
use crate::domain::review::Cause;
use crate::process::fact::review::ReviewOpened;

const WEEK: Duration = Duration::from_hours(7 * 24);

fn answers(review: u64, documented: bool, works: bool, note: &str) -> Ask {
    Ask::AnswerReview { review, documented, works, note: note.into() }
}

impl Story {
    /// The causes of the reviews that were opened, and what they are about.
    fn reviews(&self) -> Vec<(Cause, String)> {
        let opened = self.facts.iter().filter_map(|fact| match fact {
            Fact::ReviewOpened(ReviewOpened { cause, of, .. }) => Some((*cause, of.to_string())),
            _ => None,
        });
        opened.collect()
    }

    /// `r` comes into production under a procedure that wants reviews, or does not.
    fn releases(wants_reviews: bool) -> Self {
        let text = "name = \"short\"\ninitial = \"Draft\"\nsubmit = [\"admin\"]\n".to_owned()
            + if wants_reviews { "review = \"7d\"\n" } else { "" }
            + "state = [{ name = \"Draft\" }, { name = \"Testing\" }, { name = \"Production\" }]\n\
               [[transition]]\nfrom = \"Draft\"\nto = \"Testing\"\nwho = [\"admin\"]\n\
               move = { from = \"untested\", to = \"testing\" }\n\
               [[transition]]\nfrom = \"Testing\"\nto = \"Production\"\nwho = [\"admin\"]\n\
               move = { from = \"testing\", to = \"production\" }\n";
        let workflow = procedure::read(&text, std::path::Path::new("short.toml")).expect("legal").workflow;
        let mut story = Self::new();
        story.rules.distributions.values_mut().next().expect("one").workflow = workflow;
        story.rules.outgoing.insert("chat".parse().expect("a name"), ["review.overdue".to_owned()].into());
        story.arrives(BDII).submit("r", &[BDII]);
        story
    }

    fn goes_to(&mut self, state: &str) -> &mut Self {
        self.move_as(&[Role::ADMIN], "r", state).carried_out()
    }
}

/// S3-17.
#[test]
fn what_is_released_is_reviewed_within_a_week_and_whoever_is_late_is_told_of() {
    let mut story = Story::releases(true);
    story.goes_to("Testing");
    assert_eq!(story.reviews(), []);
    story.goes_to("Production");
    assert_eq!(story.reviews(), [(Cause::Release, "r".to_owned())]);
    let (eve, mary) = (person("eve", &[Role::EA]), person("mary", &[Role::MU]));
    assert_eq!(story.refuses(&mary, answers(1, true, true, "")), "role");
    assert_eq!(story.refuses(&eve, answers(2, true, true, "")), "there is no review 2");
    assert_eq!(story.refuses(&eve, answers(1, true, false, " ")), "no_reason");
    let said = |story: &Story| {
        let duties = todo(story.known(), &eve).into_iter();
        duties.map(|duty| format!("{:?} {} [{}]", duty.by, duty.what, duty.command)).collect::<Vec<_>>()
    };
    let what = "review 1 of r: is it documented, and does it work as expected? \
                [review answer 1 --documented yes --works yes]";
    assert_eq!(said(&story), [format!("Until(1970-01-08T00:00:00Z) {what}")]);
    // A minute before its time nothing happens; then it is written down, once, and somebody is told.
    story.passes(DAY * 6 + Duration::from_mins(24 * 60 - 1)).tell(&Input::Tick);
    let before = story.facts.len();
    story.passes(Duration::from_mins(1)).tell(&Input::Tick).tell(&Input::Tick);
    let told: Vec<String> = story.facts[before..].iter().map(ToString::to_string).collect();
    let overdue = "the review 1 of r is overdue: nobody has answered it";
    assert_eq!(told, [overdue.to_owned(), format!("chat is to be notified of entry {}", before + 1)]);
    story.passes(DAY);
    assert_eq!(said(&story), [format!("Overdue(1970-01-08T00:00:00Z) {what}")]);
    // Late is better than never; each person answers once, and may change their mind.
    story.records(&eve, answers(1, true, false, "it dies")).records(&eve, answers(1, true, true, ""));
    story.records(&person("otto", &[Role::OTAG]), answers(1, false, true, "no word of the new option"));
    let review = story.world.reviews.get(1).expect("it is there");
    let given: Vec<_> = review.answers.values().map(|answer| (answer.documented, answer.works)).collect();
    assert_eq!((given.len(), given.contains(&(true, true)), review.overdue.is_some()), (2, true, true));
    assert_eq!((said(&story).len(), story.world.reviews.open().count()), (0, 0));
}

#[test]
fn a_procedure_that_wants_no_reviews_has_none() {
    let mut story = Story::releases(false);
    story.goes_to("Testing").goes_to("Production");
    assert_eq!((story.reviews(), story.trees(BDII)), (vec![], vec!["production".to_owned()]));
    let reviewed = |name: &str| procedure::built_in(name).expect("it ships").review();
    assert_eq!(["egi", "glite", "simple"].map(reviewed), [Some(WEEK), None, None]);
}

/// S3-12: whatever the procedure says, and once for each emergency.
#[test]
fn an_emergency_is_reviewed_also_if_its_procedure_wants_no_reviews() {
    for wants in [false, true] {
        let mut story = Story::releases(wants);
        story.records(&person("sue", &[Role::SRM]), asks_for("e", "CVE-2026-1", Some(ChangeKind::Emergency), None));
        story.records(&person("sue", &[Role::SRM]), ties("e", "r"));
        assert_eq!(story.reviews(), []);
        story.goes_to("Testing");
        let emergency = vec![(Cause::Emergency, "r and the change e".to_owned())];
        assert_eq!(story.reviews(), emergency);
        story.goes_to("Production").records(&developer(), puts("e", Status::InProgress));
        assert_eq!(story.reviews(), emergency, "one is enough");
        assert_eq!(story.world.reviews.get(1).map(|review| review.due), (Timestamp::UNIX_EPOCH + WEEK).into());
    }
    // What was answered when it came into testing says nothing of production.
    let mut story = Story::releases(true);
    story.records(&person("sue", &[Role::SRM]), asks_for("e", "CVE-2026-1", Some(ChangeKind::Emergency), None));
    story.records(&person("sue", &[Role::SRM]), ties("e", "r")).goes_to("Testing");
    story.records(&person("eve", &[Role::EA]), answers(1, true, true, "")).goes_to("Production");
    let of = || "r and the change e".to_owned();
    assert_eq!(story.reviews(), [(Cause::Emergency, of()), (Cause::Emergency, of())]);
    // Also where nothing else is reviewed, and of another rollout that is hurried for it later.
    let mut story = Story::releases(false);
    story.records(&person("sue", &[Role::SRM]), asks_for("e", "CVE-2026-1", Some(ChangeKind::Emergency), None));
    story.records(&person("sue", &[Role::SRM]), ties("e", "r")).goes_to("Testing");
    story.records(&person("eve", &[Role::EA]), answers(1, true, true, "")).goes_to("Production");
    assert_eq!(story.world.reviews.open().count(), 1);
}

/// One that nobody carries out with a rollout is reviewed as well, and its review is due and told of like any other.
#[test]
fn an_emergency_without_a_rollout_is_reviewed_when_it_is_worked_on() {
    let mut story = Story::releases(true);
    story.records(&person("sue", &[Role::SRM]), asks_for("e", "CVE-2026-1", Some(ChangeKind::Emergency), None));
    story.records(&developer(), asks_for("c", "a new view", None, None));
    story.records(&developer(), puts("e", Status::InProgress)).records(&developer(), puts("e", Status::Resolved));
    assert_eq!(story.reviews(), [(Cause::Emergency, "the change e".to_owned())]);
    story.passes(WEEK).tell(&Input::Tick);
    let due = story.world.notices.all().map(|(_, _, notice)| (notice.rollout.clone(), notice.change.clone()));
    assert_eq!(due.collect::<Vec<_>>(), [(None, Some(change("e")))]);
}
