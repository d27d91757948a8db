//! Incidents from end to end, by the pages for service providers (S3-33, S3-34, S4-08): each has somebody who handles it, and
//! those that recur become one problem, whose ticket has theirs as children.

use crate::cast::{good, refused, site};

const PEOPLE: &[crate::cast::Actor] = &[("srm", "srm", None), ("eve", "ea", None)];

#[test]
fn incidents_that_recur_are_one_problem_with_their_tickets_as_children() {
    let (mut site, hands) = site("egi", PEOPLE);
    refused(&site, "srm", &["incident", "add", "publication", "nothing was published"], "(no_unit)");
    let units = "[incidents]\nsupport_unit = \"Software Provisioning\"\nproblem_unit = \"Operations\"\n";
    site.write_configuration(&format!("{}{units}", site.configuration()));
    site.kill();
    site.under = hands.under();
    site.up();
    refused(&site, "eve", &["incident", "add", "publication", "nothing was published"], "(role)");
    good(&site, "srm", &["incident", "add", "publication", "nothing was published", "--priority", "high"]);
    good(&site, "srm", &["incident", "set", "1", "--ticket", "https://ggus.eu/?ticket_id=99"]);
    let shown = good(&site, "srm", &["incident", "show", "1"]);
    for words in ["Subject: nothing was published\n", "Support unit: Software Provisioning\n", "Priority: high (3)\n"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    good(&site, "srm", &["incident", "close", "1", "--reason", "restarted"]);
    good(&site, "srm", &["incident", "add", "publication", "an hour late"]);
    assert!(good(&site, "srm", &["problem", "list"]).contains("There are no such problems."));
    let third = good(&site, "srm", &["incident", "add", "publication", "late again", "--ticket", "#101"]);
    assert!(
        third.contains("opened problem 1 for Operations: incidents 1, 2, 3 of the kind publication recur"),
        "{third}"
    );
    assert!(good(&site, "srm", &["todo"]).contains("problem show 1"));
    assert!(good(&site, "srm", &["notices"]).contains("Problem 1: incidents recur"), "the procedure tells operations");
    // All of it is there after a kill.
    site.kill();
    site.under = hands.under();
    site.up();
    let shown = good(&site, "srm", &["problem", "show", "1"]);
    for words in [
        "Support unit: Operations\n",
        "- https://ggus.eu/?ticket_id=99: nothing was published",
        "- incident 2, without a ticket: an hour late",
        "- #101: late again",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    good(&site, "srm", &["problem", "set", "1", "--ticket", "#102", "--cause", "the disk is too slow"]);
    assert!(!good(&site, "srm", &["todo"]).contains("problem show 1"));
    good(&site, "srm", &["problem", "close", "1", "--reason", "a faster disk"]);
    let list = good(&site, "srm", &["problem", "list"]);
    assert!(list.contains("solved") && list.contains("the disk is too slow"), "{list}");
    let open = good(&site, "srm", &["incident", "list", "--open", "--kind", "publication"]);
    assert!(open.contains("late again") && !open.contains("nothing was published"), "{open}");
}
