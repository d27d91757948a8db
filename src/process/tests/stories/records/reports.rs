//! Reports with their files: what they are called, what they say, and who may read them.

use super::*;
use crate::process::fact::report::{File, ReportPublished};

const IT: &str = "ea-NGI_IT-T1";
const CH: &str = "ea-NGI_CH-CSCS";
const TITLE: &str = "Staged Rollout EMI-1.0 bdii 5.2.22-1 SL6 x86_64";

fn file(name: &str, byte: u8) -> File {
    File { name: name.into(), sha256: Sha256([byte; 32]), size: 9, mentions: [].into() }
}

fn report(of: &str, summary: &str, file: Option<File>) -> Ask {
    let (outcome, sections) = (Outcome::Success, Sections::default());
    Ask::Report(Reported { rollout: id("r"), team: team(of), outcome, summary: summary.into(), sections, file })
}

fn titled(title: &str) -> Ask {
    let changes = Changes { title: Some(title.into()), ..Changes::default() };
    Ask::Edit { rollout: id("r"), changes, reason: String::new() }
}

fn publish(of: &str, published: bool) -> Ask {
    let published = ReportPublished { rollout: id("r"), team: team(of), published };
    Ask::PublishReport { published, reason: String::new() }
}

fn member(name: &str, of: &str) -> Caller {
    person(name, &[Role::EA]).of_teams([team(of)])
}

impl Story {
    fn names_of_files(&self, of: &str) -> Vec<u8> {
        self.world.adopters.files_of(&id("r"), &team(of)).map(|file| file.sha256.0[0]).collect()
    }
}

/// S0-47.
#[test]
fn the_file_of_a_report_is_called_as_the_convention_says_and_earlier_ones_stay() {
    let mut story = Story::tested();
    let (mary, tom) = (person("mary", &[Role::MAINTAINER]), member("tom", IT));
    story.in_testing();
    // Where the title does not say what it is about, any name will do that is one.
    assert_eq!(story.refuses(&tom, report(IT, "", Some(file("../report.odt", 1)))), "file_name");
    assert_eq!(story.refuses(&tom, report(IT, "", Some(file("report.pdf", 1)))), "file_name");
    story.records(&tom, report(IT, "", Some(file("report.odt", 1))));
    story.records(&mary, titled(TITLE));
    assert_eq!(story.refuses(&tom, report(IT, "", Some(file("report.odt", 2)))), "file_name");
    let Some(Answer::Refused(judged)) = &story.answer else { panic!("{:?}", story.answer) };
    assert_eq!(
        judged.findings[0].sentence,
        "`report.odt` is not the right file name: the team `ea-NGI_IT-T1` must come first; it should be \
         `ea-NGI_IT-T1-EMI-bdii-5.2.22-1.odt` (or .doc or .docx)."
    );
    assert_eq!(story.refuses(&member("ida", CH), report(IT, "", Some(file("report.odt", 2)))), "file_name role");
    let right = |byte| Some(file("ea-NGI_IT-T1-EMI-bdii-5.2.22-1.docx", byte));
    story.records(&tom, report(IT, "", right(2)));
    assert_eq!(story.names_of_files(IT), [1, 2]);
    for byte in 3..=200 {
        story.records(&tom, report(IT, "", right(byte)));
    }
    assert_eq!(story.refuses(&tom, report(IT, "", right(201))), "too_many_files");
    story.records(&tom, report(IT, "without a file", None));
    assert_eq!(story.world.adopters.files().count(), 200);
}

/// S1-35.
#[test]
fn a_report_is_published_by_whoever_may_until_another_one_comes() {
    let mut story = Story::tested();
    let (srm, tom) = (person("sue", &[Role::SRM]), member("tom", IT));
    story.in_testing();
    assert_eq!(story.refuses(&srm, publish(IT, true)), "ea-NGI_IT-T1 has sent no file about r");
    story.records(&tom, report(IT, "", Some(file("report.odt", 1))));
    assert_eq!(story.refuses(&tom, publish(IT, true)), "role");
    assert_eq!(story.refuses(&srm, publish(IT, false)), "the report of ea-NGI_IT-T1 on r is not published");
    story.records(&srm, publish(IT, true));
    assert_eq!(story.refuses(&srm, publish(IT, true)), "the report of ea-NGI_IT-T1 on r is published already");
    let is_published = |story: &Story| {
        let report = story.world.adopters.get(&id("r"), &team(IT)).and_then(|adopter| adopter.report.clone());
        report.expect("there is one").published
    };
    assert!(is_published(&story));
    story.records(&tom, report(IT, "", Some(file("report.odt", 2))));
    assert!(!is_published(&story), "nobody has looked at that one");
}

/// S1-25.
#[test]
fn an_issue_that_no_report_mentions_is_named_where_the_procedure_asks_for_it() {
    let mut story = Story::tested();
    let text = PROCEDURE.replace("name = \"reported\", teams = 1", "name = \"reported\", teams = 1, issues = true");
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::read(&text, std::path::Path::new("tested.toml")).expect("legal").workflow;
    let (srm, tom, ida) = (person("sue", &[Role::SRM]), member("tom", IT), member("ida", CH));
    story.in_testing();
    let (teams, reason) = (vec![team(IT), team(CH)], String::new());
    story.records(&srm, Ask::Assign { rollout: id("r"), teams, beta: false, reason });
    story
        .records(&tom, report(IT, "it works", None))
        .records(&ida, report(CH, "see https://ggus.eu/?ticket_id=99", None));
    for (issue, title) in [("https://ggus.eu/?ticket_id=99", "it dies"), ("bug-12", "slow")] {
        let (title, workaround) = (title.to_owned(), String::new());
        let noted = IssueNoted {
            rollout: id("r"),
            issue: issue.into(),
            title,
            show_stopper: false,
            workaround,
            criticality: String::new(),
        };
        story.records(&tom, Ask::NoteIssue { noted, reason: String::new() });
    }
    story.passes(DAY * 6);
    assert_eq!(story.stays(&srm, "Accepted"), "not_mentioned");
    let Some(Answer::Refused(judged)) = &story.answer else { panic!("{:?}", story.answer) };
    assert_eq!(judged.findings[0].sentence, "No report mentions the issue bug-12.");
    let close = Ask::CloseIssue { rollout: id("r"), issue: "bug-12".into(), reason: String::new() };
    story.clone().records(&srm, close).moves(&srm, "Accepted");
    // Its file may say so, or the report itself.
    let mut with_file = story.clone();
    let file = File { mentions: ["bug-12".to_owned()].into(), ..file("report.odt", 1) };
    with_file.records(&tom, report(IT, "it works", Some(file))).moves(&srm, "Accepted");
    let sections = Sections { tests: "as in bug-12, slowly".into(), ..Sections::default() };
    let (rollout, summary) = (id("r"), String::new());
    let reported = Reported { rollout, team: team(IT), outcome: Outcome::Warning, summary, sections, file: None };
    story.records(&tom, Ask::Report(reported)).moves(&srm, "Accepted");
}
