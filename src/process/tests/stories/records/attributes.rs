//! What is said of a rollout beside its title, and the gates that ask for it.

use super::*;
use crate::domain::attributes::{AttributeChanges, Attributes, Change, Importance, Level};
use crate::domain::request::Priority;
use crate::process::act::step;
use crate::process::fact::issue::IssueRanked;
use crate::process::outlook::outlook;
use crate::process::world::attributes::By;

const TITLE: &str = "Staged Rollout EMI-1.0 bdii 5.2.22-1 SL6 x86_64";

fn submitted(title: &str) -> Ask {
    Ask::Submit { rollout: id("r"), title: title.into(), parts: vec![part(DIST, &[BDII])] }
}

fn says(changes: AttributeChanges) -> Ask {
    Ask::Describe { rollout: id("r"), changes, reason: String::new() }
}

fn tick(check: &str, is_good: bool) -> Ask {
    Ask::Tick { rollout: id("r"), check: check.parse().expect("a name"), is_good, reason: String::new() }
}

impl Story {
    /// A site that follows the example procedure for software that is developed in the open.
    fn reviewed() -> Self {
        let mut story = Self::new();
        let text = include_str!("../../../../../fixtures/procedures/reviewed.toml");
        let flow = procedure::read(text, std::path::Path::new("reviewed.toml")).expect("legal").workflow;
        story.rules.distributions.values_mut().next().expect("one").workflow = flow;
        story.arrives(BDII).arrives(DPM);
        story
    }

    /// The sentence of what was refused last.
    fn sentence(&self) -> &str {
        let Some(Answer::Refused(judged)) = &self.answer else { panic!("{:?}", self.answer) };
        &judged.findings[0].sentence
    }
}

/// S0-54.
#[test]
fn a_title_follows_the_convention_where_the_procedure_asks_for_it() {
    let mary = person("mary", &[Role::MAINTAINER]);
    let mut story = Story::reviewed();
    for wrong in ["", "the new bdii", "Staged Rollout bdii new"] {
        assert_eq!(story.refuses(&mary, submitted(wrong)), "title", "{wrong}");
    }
    assert_eq!(
        story.sentence(),
        "`Staged Rollout bdii new` is not a rollout title: it has no version, which begins with a digit, as second or \
         third word; it should look like `Staged Rollout <SW stack-MajorVersion> <COMPONENT> <VERSION> <OS> <ARCH>`, for \
         example `Staged Rollout EMI-1.0 SE-DPM_mysql 1.8.0-1 SL5 x86_64`."
    );
    story.asks(&mary, submitted(TITLE));
    assert_eq!(story.answer, Some(Answer::Submitted(id("r"))));
    let edit = |title: &str| {
        let changes = Changes { title: Some(title.into()), ..Changes::default() };
        Ask::Edit { rollout: id("r"), changes, reason: String::new() }
    };
    assert_eq!(story.refuses(&mary, edit("the new bdii")), "title");
    story.records(&mary, edit("EMI.bdii.sl6.x86_64-5.2.22-1"));
    let found = |story: &Story, by, word: &str| story.world.attributes.with(by, word).is_some_and(|set| set.len() == 1);
    assert!(found(&story, By::Product, "EMI.bdii.sl6.x86_64") && found(&story, By::Component, "BDII"));
    // Where it does not ask, a title is what people like.
    Story::tested().records(&mary, edit("the new bdii"));
}

/// S3-30, S3-16.
#[test]
fn what_is_risky_says_how_to_go_back_before_it_goes_to_production() {
    let (mary, eve) = (person("mary", &[Role::MAINTAINER]), person("eve", &[Role::EA]));
    let mut story = Story::reviewed();
    story.asks(&mary, submitted(TITLE)).in_testing_reviewed(&mary);
    let level = |impact, risk| AttributeChanges { impact, risk, ..AttributeChanges::default() };
    let (high, low) = (Change::To(Some(Level::High)), Change::To(Some(Level::Low)));
    let only = |story: &mut Story| {
        story.passes(DAY * 8);
        let codes = story.stays(&mary, "Production");
        codes.split(' ').filter(|code| *code != "reported").collect::<Vec<_>>().join(" ")
    };
    assert_eq!(only(&mut story), "not_assessed");
    assert_eq!(story.refuses(&eve, says(level(high, Change::Stays))), "role");
    story.records(&mary, says(level(high, Change::Stays)));
    assert_eq!(only(&mut story), "not_assessed");
    story.records(&mary, says(level(Change::Stays, high)));
    assert_eq!(only(&mut story), "not_reversible");
    let mut safe = story.clone();
    assert_eq!(only(safe.records(&mary, says(level(Change::Stays, low)))), "");
    let reversal = |text: &str| {
        let reversal = if text.is_empty() { None } else { Some(text.to_owned()) };
        says(AttributeChanges { reversal: Change::To(reversal), ..AttributeChanges::default() })
    };
    assert_eq!(story.refuses(&mary, reversal("  ")), "no_reversal");
    assert_eq!(story.refuses(&mary, reversal(&"x".repeat(501))), "no_reversal");
    story.records(&mary, reversal("yum downgrade bdii"));
    assert!(story.refuses(&mary, reversal("yum downgrade bdii")).contains("already has this description"));
    assert_eq!(only(&mut story), "");
    story.records(&mary, reversal(""));
    assert_eq!(only(&mut story), "not_reversible");
}

impl Story {
    /// Everything is linked and ticked, and it is in testing.
    fn in_testing_reviewed(&mut self, by: &Caller) -> &mut Self {
        for what in ["source-tag", "release-notes"] {
            let (what, url) = (what.parse().expect("a name"), Some("https://example.org/v1".into()));
            self.records(by, Ask::Link { linked: Linked { rollout: id("r"), what, url }, reason: String::new() });
        }
        for check in ["documentation-reviewed", "license-named", "tests-passed"] {
            self.records(by, tick(check, true));
        }
        self.moves(by, "Testing").carried_out()
    }
}

/// S3-27, S4-04, S3-21.
#[test]
fn what_a_procedure_asks_somebody_to_look_at_is_ticked_for_these_packages_only() {
    let (mary, eve) = (person("mary", &[Role::MAINTAINER]), person("eve", &[Role::EA]));
    let mut story = Story::reviewed();
    story.asks(&mary, submitted(TITLE));
    assert_eq!(story.stays(&mary, "Testing"), "not_linked not_checked");
    let Some(Answer::Refused(judged)) = &story.answer else { panic!("{:?}", story.answer) };
    let said: Vec<&str> = judged.findings.iter().map(|finding| finding.sentence.as_str()).collect();
    assert!(said.contains(&"No link to: release-notes, source-tag."), "{said:?}");
    assert!(said.contains(&"Not ticked yet: documentation-reviewed, license-named, tests-passed."), "{said:?}");
    assert_eq!(story.refuses(&eve, tick("tests-passed", true)), "role");
    assert_eq!(story.refuses(&mary, tick("horoscope", true)), "not_asked");
    assert_eq!(
        story.sentence(),
        "The procedure of r does not ask for horoscope; it asks for documentation-reviewed, license-named, tests-passed."
    );
    assert_eq!(story.refuses(&mary, tick("tests-passed", false)), "tests-passed of r is not ticked");
    story.records(&mary, tick("tests-passed", true));
    assert_eq!(story.refuses(&mary, tick("tests-passed", true)), "tests-passed of r is ticked already");
    let tick_of = |story: &Story| {
        let dossier = story.world.dossiers.of(&id("r")).expect("there");
        dossier.ticks.iter().map(|(check, tick)| format!("{check} {}", tick.by)).collect::<Vec<_>>()
    };
    assert_eq!(tick_of(&story).len(), 1);
    story.records(&mary, tick("tests-passed", false)).records(&mary, tick("tests-passed", true));
    let changes = Changes { add: vec![part(DIST, &[DPM])], ..Changes::default() };
    story.records(&mary, Ask::Edit { rollout: id("r"), changes, reason: String::new() });
    assert!(tick_of(&story).is_empty(), "they were other packages");
    story.in_testing_reviewed(&mary);
}

/// S3-44.
#[test]
fn how_much_a_rollout_matters_decides_which_gates_are_asked() {
    let mary = person("mary", &[Role::MAINTAINER]);
    let mut story = Story::reviewed();
    story.asks(&mary, submitted(TITLE)).in_testing_reviewed(&mary);
    let low = Change::To(Some(Level::Low));
    story.records(&mary, says(AttributeChanges { impact: low, risk: low, ..AttributeChanges::default() }));
    let matters = |story: &Story, it: Option<Importance>, days: u32| {
        let mut story = story.clone();
        if let Some(it) = it {
            let importance = Change::To(Some(it));
            story.records(&mary, says(AttributeChanges { importance, ..AttributeChanges::default() }));
        }
        story
            .passes(DAY * days)
            .asks(&mary, Ask::Move { rollout: id("r"), state: "Production".into(), reason: String::new() });
        match &story.answer {
            Some(Answer::Refused(judged)) => {
                let bad = judged.findings.iter().filter(|finding| finding.verdict != Verdict::Pass);
                bad.map(|finding| finding.sentence.split(';').next().unwrap_or_default())
                    .collect::<Vec<_>>()
                    .join(" | ")
            }
            Some(Answer::Moved { .. }) => "moved".to_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(matters(&story, Some(Importance::Minor), 2), "moved");
    assert_eq!(matters(&story, None, 8), "0 of 1 report received");
    assert_eq!(matters(&story, Some(Importance::Normal), 8), "0 of 1 report received");
    assert_eq!(matters(&story, Some(Importance::Major), 8), "0 of 3 reports received | 0 of 1 approval for otag.");
    let early = matters(&story, Some(Importance::Major), 2);
    assert!(early.starts_with("The packages have to be in testing for 1w, until"), "{early}");
}

/// S3-24: of what is major there is a record of who has accepted it, for these packages.
#[test]
fn what_is_major_is_accepted_by_those_for_whom_it_is_made() {
    let (mary, olga) = (person("mary", &[Role::MAINTAINER]), person("olga", &[Role::OTAG]));
    let mut story = Story::reviewed();
    story.asks(&mary, submitted(TITLE)).in_testing_reviewed(&mary);
    let (low, importance) = (Change::To(Some(Level::Low)), Change::To(Some(Importance::Major)));
    story.records(&mary, says(AttributeChanges { impact: low, risk: low, importance, ..AttributeChanges::default() }));
    let overrides = Ask::Override {
        rollout: id("r"),
        state: "Production".into(),
        gate: "reported".into(),
        reason: "they have told us".into(),
    };
    story.records(&person("ann", &[Role::ADMIN]), overrides).passes(DAY * 8);
    assert_eq!(story.stays(&mary, "Production"), "approvals");
    let approve = |role: Option<Role>| {
        let reason = "all acceptance tests have passed".to_owned();
        Ask::Approve { rollout: id("r"), state: "Production".into(), role, reason }
    };
    assert_eq!(story.refuses(&mary, approve(None)), "role");
    story.records(&olga, approve(None));
    let dossier = story.world.dossiers.of(&id("r")).expect("there");
    assert_eq!(dossier.approvals.len(), 1, "the record of it");
    story.moves(&mary, "Production");
}

/// S3-23, S4-05: sources may be in a tree, in the rollout or anywhere else; without them there is a warning.
#[test]
fn sources_that_are_nowhere_are_a_warning() {
    let mary = person("mary", &[Role::MAINTAINER]);
    let mut story = Story::reviewed();
    let source = "dpm-1.8.0-1.el6.src";
    story.arrives_from("dpm-libs-1.8.0-1.el6.x86_64", Some(source));
    let ask = Ask::Submit {
        rollout: id("r"),
        title: TITLE.into(),
        parts: vec![part(DIST, &["dpm-libs-1.8.0-1.el6.x86_64"])],
    };
    story.asks(&mary, ask);
    let planned =
        |story: &Story| outlook(story.known(), &mary, &story.world.rollouts[&id("r")], "Testing").warnings.join("; ");
    let missing = "These source packages are in no tree and not in the rollout, and no link `sources` says where they are: \
                   dpm-1.8.0-1.el6.src";
    assert_eq!(planned(&story), missing);
    let found = |story: &Story| {
        let judged = step::why(story.known(), &mary, &story.world.rollouts[&id("r")], "Testing");
        let found = judged.findings.into_iter().find(|finding| finding.code.ends_with("sources")).expect("asked");
        (found.code, found.verdict)
    };
    assert_eq!(found(&story), ("no_sources", Verdict::Pass));
    let mut there = story.clone();
    there.arrives(source);
    assert_eq!((planned(&there).as_str(), found(&there)), ("", ("sources", Verdict::Pass)));
    let mut linked = story.clone();
    let (what, url) = ("sources".parse().expect("a name"), Some("https://example.org/dpm-1.8.0.tar.gz".into()));
    linked.records(&mary, Ask::Link { linked: Linked { rollout: id("r"), what, url }, reason: String::new() });
    assert_eq!((planned(&linked).as_str(), found(&linked)), ("", ("sources", Verdict::Pass)));
    // Where the procedure insists on them, the step waits.
    let strict = include_str!("../../../../../fixtures/procedures/reviewed.toml");
    let strict = strict.replace("    \"sources\",", "    { name = \"sources\", required = true },");
    let read = procedure::read(&strict, std::path::Path::new("strict.toml")).expect("legal");
    story.rules.distributions.values_mut().next().expect("one").workflow = read.workflow;
    assert_eq!((planned(&story).as_str(), found(&story)), ("", ("no_sources", Verdict::Wait)));
}

/// S0-07.
#[test]
fn the_dmsu_decides_priorities_and_nothing_else() {
    let dora = person("dora", &[Role::DMSU]);
    let mut story = Story::tested();
    let priority = Change::To(Some(Priority::Immediate));
    let urgent = AttributeChanges { priority, ..AttributeChanges::default() };
    let more = AttributeChanges { severity: Change::To(Some(Priority::High)), ..urgent.clone() };
    assert_eq!(story.refuses(&dora, says(more)), "role");
    assert_eq!(story.refuses(&person("eve", &[Role::EA]), says(urgent.clone())), "role");
    story.records(&dora, says(urgent));
    assert_eq!(story.world.attributes.said(&id("r")).priority, Some(Priority::Immediate));
}

/// S0-43.
#[test]
fn how_urgent_an_issue_is_is_decided_by_those_whose_task_that_is() {
    let (mary, admin) = (person("mary", &[Role::MAINTAINER]), person("ann", &[Role::ADMIN]));
    let dmsu = person("dora", &[Role::DMSU]);
    let mut story = Story::tested();
    let rank = |issue: &str, priority| {
        let ranked = IssueRanked { rollout: id("r"), issue: issue.into(), priority };
        Ask::RankIssue { ranked, reason: String::new() }
    };
    assert_eq!(story.refuses(&dmsu, rank("#12", Priority::High)), "r has no issue #12");
    let (title, workaround) = ("it dies".to_owned(), String::new());
    let noted = IssueNoted {
        rollout: id("r"),
        issue: "#12".into(),
        title,
        show_stopper: false,
        workaround,
        criticality: String::new(),
    };
    let note = Ask::NoteIssue { noted, reason: String::new() };
    story.records(&mary, note.clone());
    for other in [&mary, &admin] {
        assert_eq!(story.refuses(other, rank("#12", Priority::High)), "role");
    }
    story.records(&dmsu, rank("#12", Priority::High));
    assert!(story.refuses(&dmsu, rank("#12", Priority::High)).contains("that priority already"));
    // What is noted anew of it does not change that.
    story.records(&mary, note);
    assert_eq!(story.world.issues.get(&id("r"), "#12").expect("there").priority, Some(Priority::High));
}

#[test]
fn too_many_node_types_are_refused_and_what_is_said_is_taken_back() {
    let mary = person("mary", &[Role::MAINTAINER]);
    let mut story = Story::tested();
    let types = |n: usize| (0..n).map(|n| format!("type {n}").parse().expect("a label")).collect();
    let said = |n| says(AttributeChanges { node_types: Some(types(n)), ..AttributeChanges::default() });
    assert_eq!(story.refuses(&mary, said(51)), "too_many_node_types");
    story.records(&mary, said(50)).records(&mary, said(0));
    assert_eq!(story.world.attributes.of(&id("r")), Attributes::default());
}
