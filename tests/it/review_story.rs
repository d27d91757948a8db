//! Reviews from end to end, by the pages for service providers (S3-12, S3-17): what has come into production and what was an
//! emergency is asked about, and whoever should know is told if nobody answers. Its clocks are moved, so that a week takes no time.

use crate::cast::{good, listed, refused, site};
use crate::site::secret;

const DAY: i64 = 24 * 60 * 60;
const PEOPLE: &[crate::cast::Actor] = &[("verifier", "verifier", None), ("srm", "srm", None), ("otto", "otag", None)];

#[test]
fn what_was_released_is_reviewed_and_a_review_that_nobody_answers_is_told_of() {
    let (mut site, hands) = site("egi", PEOPLE);
    // Nobody listens there, so that what is due stays to be seen.
    let key = site.path("keys").join("chat");
    secret(&key, b"a secret that daemon and receiver share");
    let events = "[\"review.overdue\", \"change.recorded\"]";
    let text = format!(
        "{}[[outgoing]]\nname = \"chat\"\nurl = \"http://127.0.0.1:9/\"\nsecret = {{ file = \"{}\" }}\nevents = {events}\n",
        site.configuration(),
        key.display()
    );
    site.write_configuration(&text);
    site.kill();
    site.under = hands.under();
    site.up();
    let nevra = site.drop_package("portal", "1.0", &[]);
    site.wait("the package", |site| (listed(site, "untested").len() == 1).then_some(()));
    good(&site, "srm", &["submit", "rt-1", &nevra]);
    for state in ["Unverified", "InVerification", "StageRollOut"] {
        good(&site, "srm", &["move", "rt-1", state]);
    }
    for gate in ["exposure", "acknowledged", "reported"] {
        good(&site, "srm", &["override", "rt-1", "Accepted", gate, "--reason", "for the review"]);
    }
    for state in ["Accepted", "UMDStore", "Production"] {
        good(&site, "srm", &["move", "rt-1", state]);
    }
    assert_eq!(listed(&site, "production"), [nevra]);
    let shown = good(&site, "otto", &["review", "show", "1"]);
    for words in ["rollout   rt-1", "Were release notes and documentation sufficient?", "working as expected?"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // Nobody answers in time; also a restart in between does not hide it.
    site.kill();
    site.under = hands.under();
    site.up();
    hands.have_passed(7 * DAY - 3_600);
    assert!(!good(&site, "srm", &["log", "rt-1"]).contains("overdue"));
    hands.have_passed(7 * DAY);
    site.wait("a review that is overdue", |site| {
        good(site, "srm", &["log", "rt-1"]).contains("the review 1 of rt-1 is overdue").then_some(())
    });
    assert!(good(&site, "otto", &["review", "list"]).contains("OVERDUE"));
    let todo = good(&site, "otto", &["todo"]);
    assert!(todo.contains("overdue") && todo.contains("review answer 1"), "{todo}");
    assert!(good(&site, "srm", &["outbox"]).contains("chat is to be notified of entry"));
    // Those who use it answer, and say what was missing.
    refused(&site, "verifier", &["review", "answer", "1", "--documented", "yes", "--works", "yes"], "(role)");
    refused(&site, "otto", &["review", "answer", "1", "--documented", "no", "--works", "yes"], "(no_reason)");
    let no = ["review", "answer", "1", "--documented", "no", "--works", "yes", "--note", "no word of the new option"];
    good(&site, "otto", &no);
    let list = good(&site, "otto", &["review", "list", "--rollout", "rt-1"]);
    assert!(list.contains("answered") && list.contains("documented 0/1, works 1/1"), "{list}");

    // An emergency is reviewed without any rollout; somebody is told of what others ask for (S3-06).
    good(
        &site,
        "srm",
        &["change", "open", "rt-4713", "--title", "CVE-2026-1", "--kind", "emergency", "--origin", "WLCG"],
    );
    assert!(good(&site, "srm", &["outbox"]).contains("of rt-4713"));
    good(&site, "srm", &["change", "status", "rt-4713", "in progress"]);
    let shown = good(&site, "otto", &["review", "show", "2"]);
    assert!(shown.contains("review    2 (emergency)") && shown.contains("change    rt-4713"), "{shown}");
}
