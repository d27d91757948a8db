//! What teams say of their tasks: services, reports and issues (S1-09, S1-25, S1-35, S1-48).

use super::bundles::named;
use super::*;
use crate::domain::attributes::AttributeChanges;
use crate::domain::task::TaskKind;
use crate::process::fact::bundle::BundleOpened;
use crate::process::fact::report::File;

const GGUS: &str = "https://ggus.eu/?ticket_id=99";

fn issue(issue: &str, area: Option<&str>, taken_back: bool) -> Ask {
    let (issue, area) = (issue.to_owned(), area.map(str::to_owned));
    Ask::NoteTaskIssue { task: 1, issue, area, taken_back, reason: String::new() }
}

fn report(text: &str, file: Option<(&str, u8)>) -> Ask {
    let file =
        file.map(|(name, byte)| File { name: name.into(), sha256: Sha256([byte; 32]), size: 9, mentions: [].into() });
    Ask::ReportTask { task: 1, text: text.into(), file }
}

fn publish(published: bool) -> Ask {
    Ask::PublishTaskReport { task: 1, published, reason: String::new() }
}

/// That a team is registered whose site runs these node types.
fn runs(name: &str, ngi: &str, node_types: &[&str]) -> Ask {
    let Ask::Register { team, reason } = registered(name, ngi) else { panic!("it registers") };
    let node_types = node_types.iter().map(ToString::to_string).collect();
    Ask::Register { team: TeamRegistered { node_types, ..team }, reason }
}

/// What whoever asked should know beside what was recorded.
fn warnings(story: &Story) -> Vec<String> {
    match &story.answer {
        Some(Answer::Recorded { warnings, .. }) => warnings.clone(),
        other => panic!("{other:?}"),
    }
}

/// A bundle with one rollout, and a task of a team that runs some of its node types.
fn with_task(services: &[&str]) -> Story {
    let mut story = Story::new();
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::built_in("glite").expect("it ships");
    let (ann, ou) = (person("ann", &[Role::ADMIN]), person("olga", &[Role::OU]));
    story.arrives(BDII);
    story.asks(&ann, Ask::Submit { rollout: id("r"), title: String::new(), parts: vec![part(DIST, &[BDII])] });
    let node_types = ["CE", "BDII"].map(|name| name.parse().expect("a name")).into();
    let changes = AttributeChanges { node_types: Some(node_types), ..AttributeChanges::default() };
    story.records(&ann, Ask::Describe { rollout: id("r"), changes, reason: String::new() });
    story.records(&ou, runs("ea-NGI_IT-T1", "NGI_IT", &["CE", "WMS"]));
    story.records(&ou, Ask::OpenBundle(BundleOpened { bundle: named("B-1"), title: String::new() }));
    let join = Ask::JoinBundle { bundle: named("B-1"), rollouts: vec![id("r")], reason: String::new() };
    story.records(&ou, join);
    super::bundles::deployed(&mut story);
    let (kind, teams) = (TaskKind::RollOut, vec![super::team("ea-NGI_IT-T1")]);
    let services = services.iter().map(|name| (*name).to_owned()).collect();
    let create =
        Ask::CreateTasks { bundle: named("B-1"), kind, teams, quarantine: None, services, reason: String::new() };
    story.records(&ou, create);
    story
}

fn member() -> Caller {
    person("tim", &[]).of_teams([team("ea-NGI_IT-T1")])
}

#[test]
fn a_task_is_about_the_services_that_the_bundle_changes_at_its_site_or_that_somebody_names() {
    let services =
        |story: &Story| -> Vec<String> { story.world.tasks.get(1).expect("there").services.iter().cloned().collect() };
    assert_eq!(services(&with_task(&[])), ["CE"]);
    assert_eq!(services(&with_task(&["top BDII", "CE"])), ["CE", "top BDII"]);
    // A task that another team gets is about that team's services, unless somebody has named them.
    for (named, then) in [(&[][..], &["BDII"][..]), (&["top BDII"], &["top BDII"])] {
        let mut story = with_task(named);
        let ou = person("olga", &[Role::OU]);
        story.records(&ou, runs("ea-NGI_CH-T2", "NGI_CH", &["BDII"]));
        let reassign = Ask::ReassignTask { task: 1, team: team("ea-NGI_CH-T2"), reason: "the first is closed".into() };
        story.records(&ou, reassign);
        assert_eq!(services(&story), then);
    }
    let mut story = with_task(&[]);
    let (kind, teams) = (TaskKind::RollBack, vec![team("ea-NGI_IT-T1")]);
    let services = ["a\nb".to_owned()].into();
    let create =
        Ask::CreateTasks { bundle: named("B-1"), kind, teams, quarantine: None, services, reason: String::new() };
    assert_eq!(story.refuses(&person("olga", &[Role::OU]), create), "nothing_left no_service");
}

#[test]
fn a_team_reports_on_its_task_and_what_it_has_found_has_to_be_mentioned() {
    let mut story = with_task(&[]);
    let (team, stranger) = (member(), person("eve", &[Role::EA]));
    let begin = Ask::BeginTask { task: 1, outcome: Outcome::Warning, reason: String::new() };
    assert_eq!(story.refuses(&team, report("all is well", None)), "not_begun");
    assert_eq!(story.refuses(&team, issue(GGUS, None, false)), "not_begun");
    story.records(&team, begin);
    for ask in [report("all is well", None), issue(GGUS, None, false)] {
        assert_eq!(story.refuses(&stranger, ask), "role");
    }
    assert_eq!(story.refuses(&team, report(" ", None)), "no_report");
    assert_eq!(story.refuses(&team, report("", Some(("../report.odt", 1)))), "file_name");
    // S1-25: issues of early adopters are found by the Bug Detection Area.
    assert_eq!(story.refuses(&team, issue("bug #4711", Some("Configuration"), false)), "area");
    assert_eq!(story.refuses(&team, issue(" ", None, false)), "no_issue");
    story.records(&team, issue(" bug #4711 ", Some("beta service"), false)).records(&team, issue(GGUS, None, false));
    assert_eq!(story.refuses(&team, issue(GGUS, None, false)), format!("task 1 has the issue {GGUS} already"));
    let found = &story.world.tasks.get(1).expect("there").issues;
    assert_eq!(found.get("bug #4711"), Some(&Some("Beta Service".to_owned())));
    // What it has found and does not mention it is told.
    story.records(&team, report("it had to be restarted, see #99", None));
    assert_eq!(warnings(&story), ["the report does not mention the issue bug #4711"]);
    story.passes(Duration::from_hours(7 * 24));
    let done = Ask::EndTask { task: 1, outcome: Outcome::Success, early: false, reason: String::new() };
    let mut without = story.clone();
    story.records(&team, done.clone());
    assert_eq!(warnings(&story), ["the report does not mention the issue bug #4711"]);
    // A report can still come, and then it is in order.
    story.records(&team, report("see #99 and bug #4711", Some(("report.odt", 1))));
    assert_eq!(warnings(&story), [""; 0]);
    // What its file says counts, too.
    let mut by_file = report("it works", Some(("report.odt", 2)));
    let Ask::ReportTask { file: Some(file), .. } = &mut by_file else { panic!("it has a file") };
    file.mentions = [GGUS, "bug #4711"].map(str::to_owned).into();
    story.records(&team, by_file);
    assert_eq!(warnings(&story), [""; 0]);
    // One that turns out to be none is taken back; one that was never there is not.
    story.records(&team, issue(GGUS, None, true));
    assert_eq!(story.refuses(&team, issue(GGUS, None, true)), format!("task 1 has no issue {GGUS}"));
    story.records(&team, issue("#12", None, false));
    assert_eq!(warnings(&story), ["the report does not mention the issue #12"]);
    // Without a report a task can be done, and whoever ends it learns that there is none.
    without.world.tasks = with_task(&[]).world.tasks;
    without.records(&team, Ask::BeginTask { task: 1, outcome: Outcome::Success, reason: String::new() });
    without.passes(Duration::from_hours(7 * 24)).records(&team, done);
    assert_eq!(warnings(&without), ["there is no report on task 1: `task report 1 --text TEXT` or `--file FILE`"]);
}

#[test]
fn the_files_of_all_reports_on_a_task_stay_and_the_last_one_is_published_by_whoever_may() {
    let mut story = with_task(&[]);
    let (team, ou) = (member(), person("olga", &[Role::OU]));
    assert_eq!(story.refuses(&ou, publish(true)), "ea-NGI_IT-T1 has sent no file about task 1");
    story.records(&team, Ask::BeginTask { task: 1, outcome: Outcome::Success, reason: String::new() });
    for byte in 0..20 {
        story.records(&team, report("", Some(("report.odt", byte))));
    }
    let files = |story: &Story| -> Vec<u8> { story.world.report_files().map(|(.., file)| file.sha256.0[0]).collect() };
    assert_eq!(files(&story), (0..20).collect::<Vec<u8>>());
    assert_eq!(story.refuses(&team, report("", Some(("report.odt", 20)))), "too_many_files");
    assert_eq!(story.refuses(&team, publish(true)), "role");
    story.records(&ou, publish(true));
    assert_eq!(story.refuses(&ou, publish(true)), "the report on task 1 is published already");
    let is_published = |story: &Story| story.world.tasks.get(1).and_then(|task| Some(task.report.as_ref()?.published));
    assert_eq!(is_published(&story), Some(true));
    // Nobody has looked at a later one.
    story.records(&team, report("one more thing", None));
    assert_eq!(is_published(&story), Some(false));
    assert_eq!(files(&story).len(), 20, "those of before are kept");
}
