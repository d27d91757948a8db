//! What people are told, and by which words: the texts themselves are snapshots.

use super::bundles::{approves, moves, named, patches};
use super::*;
use crate::domain::attributes::{AttributeChanges, Change};
use crate::domain::message::Group;
use crate::domain::refusal::Code;
use crate::domain::request::Priority;
use crate::process::agenda::{Kind, Work, Wrong};
use crate::process::decision::{Decision, Entry};
use crate::process::fact::notice::Message;
use crate::process::fact::package::{Refused, RefusedTogether};
use crate::process::fact::tree::Altered;
use crate::process::input::{Found, WorkEnd};
use crate::process::message::with_messages;

/// The messages that are due, each with its text.
fn letters(story: &Story) -> String {
    let one = |(_, _, message): (u64, _, &Message)| {
        let workflow = &story.rules.distributions.values().next().expect("one").workflow;
        let template = workflow.template(&message.template).expect("it has one");
        let groups: Vec<&str> = message.to.iter().map(Group::as_str).collect();
        let teams: Vec<&str> = message.teams.iter().map(TeamName::as_str).collect();
        let (subject, body) = (template.subject.fill(&message.values), template.body.fill(&message.values));
        format!("To: {} ({})\nSubject: {subject}\n\n{body}", groups.join(", "), teams.join(", "))
    };
    story.world.messages.after(None).map(one).collect::<Vec<_>>().join("\n----\n")
}

/// The templates of the messages that are due.
fn due(story: &Story) -> Vec<&str> {
    story.world.messages.after(None).map(|(.., message)| message.template.as_str()).collect()
}

/// S0-03, S0-31, S0-34 to S0-36, S0-45, S3-17.
#[test]
fn in_a_staged_rollout_everybody_is_told_what_to_do() {
    let mut story = Story::new();
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::built_in("egi").expect("it ships");
    story.arrives(BDII);
    let (ann, srm) = (person("ann", &[Role::ADMIN]), person("sue", &[Role::SRM]));
    let title = "Staged Rollout EMI-1.0 bdii-site 1.0.1 SL5 x86_64".to_owned();
    story.asks(&ann, Ask::Submit { rollout: id("r"), title, parts: vec![part(DIST, &[BDII])] });
    story.moves(&ann, "Unverified").moves(&ann, "InVerification");
    assert_eq!(due(&story), [""; 0]);
    story.moves(&ann, "StageRollOut");
    assert_eq!(due(&story), [""; 0], "nobody is told before it is there");
    story.carried_out();
    assert_eq!(due(&story), ["staged-rollout-begins"]);
    story.records(&srm, registered("ea-NGI_IT-T1", "NGI_IT"));
    let assign =
        || Ask::Assign { rollout: id("r"), teams: vec![team("ea-NGI_IT-T1")], beta: false, reason: "because".into() };
    let (what, url) = ("release-notes".parse().expect("a name"), "https://example.org/notes".into());
    let link = Ask::Link { linked: Linked { rollout: id("r"), what, url: Some(url) }, reason: String::new() };
    story.records(&srm, link).records(&srm, assign());
    // Somebody who is asked is not asked again.
    story.asks(&srm, assign());
    assert_eq!(due(&story), ["staged-rollout-begins", "request-to-test"]);
    insta::assert_snapshot!("a staged rollout begins", letters(&story));
    // Whoever has told them says so, and it is listed no longer.
    let first = story.world.messages.after(None).next().expect("one").0;
    let told = |message| Ask::Told { message, reason: "by mail".into() };
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), told(first)), "role");
    story.records(&srm, told(first));
    assert_eq!(due(&story), ["request-to-test"]);
    assert!(story.refuses(&srm, told(first)).starts_with(&format!("no message {first} is waiting")));
    let mut rejected = story.clone();
    rejected.moves(&srm, "Rejected").carried_out();
    let last = rejected.world.messages.after(None).last().expect("one").2;
    assert_eq!((last.template.as_str(), last.teams.len()), ("rejected", 1));
    insta::assert_snapshot!("a rollout was rejected", letters(&rejected));
}

/// S1-13, S1-20, S1-22, S1-33, S1-40, S1-42, S1-52, S1-58 to S1-60.
#[test]
fn a_bundle_and_its_update_are_announced_by_the_templates_of_the_procedure() {
    let mut story = patches();
    let (mu, ou) = (person("mary", &[Role::MU]), person("olga", &[Role::OU]));
    assert_eq!(due(&story), ["patch-is-verified"; 3]);
    insta::assert_snapshot!("a patch is verified", letters(&story).split("\n----\n").next().expect("one"));
    for number in story.world.messages.after(None).map(|(number, ..)| number).collect::<Vec<_>>() {
        story.records(&mu, Ask::Told { message: number, reason: String::new() });
    }
    let announced = Ask::Announce { bundle: named("B-1"), rollouts: vec![], reason: String::new() };
    story.records(&mu, announced);
    story.records(&ou, moves("Ready for Rollout", &[])).records(&mu, moves("Rolling out", &[])).carried_out();
    assert_eq!(due(&story), ["patch-is-rolling-out"; 2]);
    // What has changed has to settle first (S1-23).
    story.records(&ou, registered("ea-NGI_IT-T1", "NGI_IT")).passes(Duration::from_hours(2));
    let tasks = Ask::CreateTasks {
        services: [].into(),
        bundle: named("B-1"),
        kind: TaskKind::RollOut,
        teams: vec![team("ea-NGI_IT-T1")],
        quarantine: None,
        reason: "because".into(),
    };
    story.records(&ou, tasks);
    assert_eq!(due(&story).last(), Some(&"task"));
    // Rejected: one mail to those who made it, and one to those who test it (S1-42, S1-52).
    let mut back = story.clone();
    back.moves(&ou, "Rejected").carried_out();
    assert_eq!(due(&back)[3..], ["patch-is-rejected", "synchronise"]);
    insta::assert_snapshot!("a bundle is rolling out and a patch of it is rejected", letters(&back));
    let tom = person("tom", &[Role::EA]).of_teams([team("ea-NGI_IT-T1")]);
    story.records(&tom, Ask::BeginTask { task: 1, outcome: Outcome::Success, reason: String::new() }).passes(DAY * 8);
    story.records(&tom, Ask::EndTask { task: 1, outcome: Outcome::Success, early: false, reason: String::new() });
    story.records(&ou, moves("Ready for Production", &[]));
    let number = Ask::NumberUpdate {
        series: "gLite-3.2".parse().expect("a series"),
        bundle: Some(named("B-1")),
        rollouts: vec![],
        reason: String::new(),
    };
    story.records(&mu, number);
    assert_eq!(due(&story)[3..], ["update-is-numbered"]);
    story.records(&ou, approves());
    // Nor is one announced for each of its rollouts.
    let mut whole = story.clone();
    whole.records(&mu, moves("In Production", &[])).carried_out();
    assert_eq!(due(&whole)[3..], ["update-is-numbered", "broadcast"]);
    // Half of an update is not announced.
    story.records(&mu, moves("In Production", &["r"])).carried_out();
    assert_eq!(due(&story)[3..], ["update-is-numbered"]);
    let before = story.clone();
    // What goes back to the early adopters is not waited for (S1-53), and comes with no update of its own later.
    let mut part = story.clone();
    part.move_as(&[Role::OU], "s", "Rolling out");
    assert_eq!(due(&part).last(), Some(&"broadcast"));
    part.moves(&ou, "Rejected").carried_out();
    assert_eq!(due(&part).iter().filter(|template| **template == "broadcast").count(), 1, "it was told already");
    story.records(&mu, moves("In Production", &["s"])).carried_out();
    assert_eq!(due(&story)[3..], ["update-is-numbered", "broadcast"]);
    // What is taken back from production, every site hears of, and nobody is told of delta.
    let mut back = story.clone();
    back.moves(&ou, "Rejected").carried_out();
    assert_eq!(due(&back)[5..], ["patch-is-rejected", "withdrawn"]);
    insta::assert_snapshot!(
        "a patch is taken back from production",
        letters(&back).split("\n----\n").last().expect("one")
    );
    // How urgent it is follows from the most urgent of its patches (S1-59, S1-61).
    let subject = |story: &Story| {
        let all = letters(story);
        all.lines().rfind(|line| line.starts_with("Subject:")).map(str::to_owned)
    };
    for (priority, word) in [(Priority::High, "HIGH"), (Priority::Immediate, "**URGENT**")] {
        let mut urgent = before.clone();
        let changes = AttributeChanges { priority: Change::To(Some(priority)), ..AttributeChanges::default() };
        urgent.records(&ou, Ask::Describe { rollout: id("r"), changes, reason: String::new() });
        urgent.records(&mu, moves("In Production", &["s"])).carried_out();
        assert_eq!(subject(&urgent).map(|said| said.contains(word)), Some(true), "{:?}", subject(&urgent));
    }
    let all = letters(&story);
    insta::assert_snapshot!(
        "an update is announced",
        all.split("\n----\n").skip(3).collect::<Vec<_>>().join("\n----\n")
    );
}

/// S3-37: whoever answers for security is told of what looks tampered with, and nobody can bury other messages by it.
#[test]
fn those_who_answer_for_security_are_told_of_files_that_look_tampered_with() {
    let mut story = Story::new();
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::built_in("egi").expect("it ships");
    let refused = |code: Code, upload: &str| {
        let (code, detail) = (code.as_str().to_owned(), "the signature does not match".to_owned());
        let (dist, upload, sha256) = (DIST.parse().expect("a path"), upload.to_owned(), None);
        Entry::of_daemon(Refused { dist, upload, sha256, code, detail })
    };
    let told = |story: &mut Story, entries: Vec<Entry>| {
        let decision = with_messages(story.known(), Decision { entries, answer: None });
        for entry in &decision.entries {
            story.world.apply(story.world.last + 1, story.now, entry.who.as_str(), &entry.fact);
        }
        decision.entries.iter().filter(|entry| matches!(entry.fact, Fact::Message(_))).count()
    };
    assert_eq!(told(&mut story, vec![refused(Code::Unsigned, "a.rpm"), refused(Code::Truncated, "b.rpm")]), 0);
    assert_eq!(told(&mut story, vec![refused(Code::BadSignature, "evil-1-1.noarch.rpm")]), 1);
    insta::assert_snapshot!("a package looks tampered with", letters(&story));
    // One is waiting, which says where the others are.
    assert_eq!(told(&mut story, vec![refused(Code::PayloadDigest, "c.rpm")]), 0);
    let first = story.world.messages.after(None).next().expect("one").0;
    story.records(&person("ann", &[Role::ADMIN]), Ask::Told { message: first, reason: String::new() });
    let files = vec![("d.rpm".to_owned(), None), ("e.rpm".to_owned(), None)];
    let (dist, code) = (DIST.parse().expect("a path"), Code::KeyRevoked.as_str().to_owned());
    let many = RefusedTogether { dist, code, detail: "revoked".into(), files, more: 7 };
    assert_eq!(told(&mut story, vec![Entry::of_daemon(many)]), 1);
}

/// S3-37: so they are of a tree that something else has changed, once until it is in order again.
#[test]
fn those_who_answer_for_security_are_told_of_trees_that_something_else_has_changed() {
    let mut story = Story::new();
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::built_in("egi").expect("it ships");
    story.arrives(BDII);
    let id: TreeId = format!("untested/{DIST}").parse().expect("a tree");
    let wrong = |what: Kind| vec![(id.clone(), Wrong { why: "repomd.xml is not the daemon's".into(), what })];
    let inspected = |story: &mut Story, wrong: Vec<(TreeId, Wrong)>| {
        let found = Found::Inspected { published: vec![], wrong: wrong.clone() };
        let work = Work::Inspect(DIST.parse().expect("a path"), vec![]);
        story.tell(&Input::WorkEnded(work, WorkEnd::done(found)));
        story.wrong = wrong.into_iter().collect();
    };
    inspected(&mut story, wrong(Kind::Other));
    assert_eq!(due(&story), [""; 0], "a disk that is not mounted is nobody's doing");
    inspected(&mut story, wrong(Kind::Strange));
    assert_eq!(due(&story), ["tree-altered"]);
    insta::assert_snapshot!("a tree was changed", letters(&story));
    inspected(&mut story, wrong(Kind::Strange));
    assert_eq!(due(&story), ["tree-altered"], "it is known");
    inspected(&mut story, vec![]);
    inspected(&mut story, wrong(Kind::Strange));
    assert_eq!(due(&story), ["tree-altered"; 2], "it is another time");
    inspected(&mut story, vec![]);
    // Packages that are missing, but not those of a disk that is not mounted.
    let one = Kind::Missing([BDII.parse().expect("a nevra")].into());
    story.arrives("dcap-2.47-1.x86_64");
    let all = story.world.trees.listing(&id).iter().map(|(nevra, _)| nevra.clone()).collect();
    inspected(&mut story, wrong(Kind::Missing(all)));
    assert_eq!(due(&story).len(), 2, "all of them");
    inspected(&mut story, vec![]);
    inspected(&mut story, wrong(one.clone()));
    inspected(&mut story, wrong(one));
    assert_eq!(due(&story).len(), 3, "one of two, once");
    let altered = |nevra: &str| {
        let (dist, tree) = (id.dist.clone(), id.tree.clone());
        Input::Altered(Altered { dist, tree, nevra: nevra.parse().ok(), why: "other bytes".into() })
    };
    story.tell(&altered(BDII));
    assert_eq!(due(&story).len(), 3, "the tree is held because of it");
    inspected(&mut story, vec![]);
    // A package counts as long as it is listed there.
    story.tell(&altered("gone-1-1.noarch"));
    assert_eq!(due(&story).len(), 3);
    story.tell(&altered(BDII));
    assert_eq!(due(&story).len(), 4);
    // What is put right at once.
    let put_right =
        Altered { dist: id.dist.clone(), tree: id.tree.clone(), nevra: None, why: "repomd.xml is gone".into() };
    let end = WorkEnd { altered: vec![put_right], ..WorkEnd::done(Found::Published(vec![])) };
    story.tell(&Input::WorkEnded(Work::Publish(id.dist.clone(), vec![]), end));
    assert_eq!(due(&story).len(), 5);
}

/// S0-37.
#[test]
fn others_are_asked_where_nobody_has_accepted() {
    let mut story = Story::new();
    let rules = story.rules.distributions.values_mut().next().expect("one");
    rules.workflow = procedure::built_in("egi").expect("it ships");
    story.arrives(BDII);
    let (ann, srm) = (person("ann", &[Role::ADMIN]), person("sue", &[Role::SRM]));
    let title = "Staged Rollout EMI-1.0 bdii-site 1.0.1 SL5 x86_64".to_owned();
    story.asks(&ann, Ask::Submit { rollout: id("r"), title, parts: vec![part(DIST, &[BDII])] });
    story.moves(&ann, "Unverified").moves(&ann, "InVerification").moves(&ann, "StageRollOut").carried_out();
    story.records(&srm, registered("ea-NGI_IT-T1", "NGI_IT"));
    let teams = vec![team("ea-NGI_IT-T1")];
    story.records(&srm, Ask::Assign { rollout: id("r"), teams, beta: false, reason: String::new() });
    story.passes(DAY * 4).tell(&Input::Tick).tell(&Input::Tick);
    assert_eq!(due(&story)[2..], ["early-adopters-wanted"]);
    insta::assert_snapshot!("nobody has accepted", letters(&story).rsplit("\n----\n").next().expect("one"));
}
