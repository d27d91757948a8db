//! All lines of the log about one request, from its receipt to the publication it leads to, are found by its id.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::disagreement::packages;
use crate::site::{Answer, Site, Wish};

/// The lines of a log in JSON that have something to do with a request, as what they say and in which spans.
fn about(site: &Site, id: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for line in site.log().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
        let spans = line["spans"].as_array().cloned().unwrap_or_default();
        if spans.iter().any(|span| span["request"] == *id) {
            let names = spans.iter().map(|span| span["name"].as_str().unwrap().to_owned()).collect();
            found.push((line["fields"]["message"].as_str().unwrap().to_owned(), names));
        }
    }
    found
}

fn words(lines: &[(String, Vec<String>)]) -> Vec<&str> {
    lines.iter().map(|(word, _)| word.as_str()).collect()
}

fn id(answer: &Answer) -> String {
    let id = answer.header("x-request-id").expect("every response has one").to_owned();
    assert!(id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    id
}

#[test]
fn every_line_of_a_webhook_is_found_by_its_id_from_receipt_to_publication() {
    let mut site = Site::prepare(&Wish::default());
    site.under = ["env", "ROLLOUTD_LOG_FORMAT=json"].map(str::to_owned).into();
    site.up();
    let first = site.drop_package("first", "1.0", &[]);
    site.wait("the package", |site| (packages(site, "untested") == 1).then_some(()));
    site.submit("1", &[&first]);
    let hook = |site: &Site, delivery: &str, rollout: &str, state: &str| {
        let answer = site.door.hook(&Site::hook_body(delivery, rollout, state)).unwrap();
        assert_eq!(answer.status, 202, "{}", answer.text());
        id(&answer)
    };
    let verified = hook(&site, "a", "1", "InVerification");
    let staged = hook(&site, "b", "1", "StageRollOut");
    site.wait("the move", |site| (packages(site, "testing") == 1 && site.door.rests("1")).then_some(()));
    assert_eq!(words(&about(&site, &verified)), ["heard", "moved"]);
    let lines = about(&site, &staged);
    assert_eq!(words(&lines), ["heard", "moved", "staged", "published", "published", "carried out"], "{lines:?}");

    // One that comes too early is taken when something else has happened, and is still the same.
    site.submit("2", &["second-1.0-1.noarch"]);
    hook(&site, "c", "2", "InVerification");
    let early = hook(&site, "d", "2", "StageRollOut");
    assert_eq!(words(&about(&site, &early)), ["heard", "awaited"]);
    site.drop_package("second", "1.0", &[]);
    site.wait("the move", |site| (packages(site, "testing") == 2 && site.door.rests("2")).then_some(()));
    let lines = about(&site, &early);
    let expected = ["heard", "awaited", "moved", "staged", "published", "published", "carried out"];
    assert_eq!(words(&lines), expected, "{lines:?}");
    assert!(lines.iter().any(|(word, spans)| word == "moved" && spans.iter().any(|name| name == "wish")), "{lines:?}");

    // Each request has an id of its own, whatever it is about.
    let some = ["/healthz", "/api/v1/trees", "/nothing", "/api/v1/rollouts/none"];
    let ids: BTreeSet<String> = some.iter().map(|path| id(&site.door.get(path).unwrap())).collect();
    assert_eq!(ids.len(), some.len());
    assert!(site.stop().success());
}
