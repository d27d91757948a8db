//! A site that follows a procedure as it ships, by clocks that the test moves, with a token for each of the people in it.

use std::fmt::Write as _;

use crate::hands::Hands;
use crate::judge::{self, Source};
use crate::site::{Site, Wish, said, secret};

/// A name, its role, and the team of early adopters that it belongs to.
pub(crate) type Actor = (&'static str, &'static str, Option<&'static str>);

/// A running site with a procedure that ships, and its clocks.
pub(crate) fn site(procedure: &str, people: &[Actor]) -> (Site, Hands) {
    let mut site = Site::prepare(&Wish::default());
    let hands = Hands::make(&site.path("keys"));
    site.under = hands.under();
    let mut text = site.configuration().replace(crate::configuration::BRIEF, procedure);
    for (actor, role, team) in people {
        let file = site.path("keys").join(actor);
        secret(&file, format!("a-token-for-tests-of-{actor}-0123456789").as_bytes());
        let teams = team.map(|team| format!("teams = [\"{team}\"]\n")).unwrap_or_default();
        let secret = file.display();
        let _ = writeln!(
            text,
            "[[token]]\nactor = \"{actor}\"\nroles = [\"{role}\"]\n{teams}secret = {{ file = \"{secret}\" }}"
        );
    }
    site.write_configuration(&text);
    site.up();
    (site, hands)
}

/// Somebody does something, and it has to work.
#[track_caller]
pub(crate) fn good(site: &Site, who: &str, words: &[&str]) -> String {
    let out = site.ctl_as(who, words);
    assert!(out.status.success(), "{who}: {words:?}: {}", said(&out));
    String::from_utf8(out.stdout).unwrap()
}

/// Somebody is refused something, and this word is said.
#[track_caller]
pub(crate) fn refused(site: &Site, who: &str, words: &[&str], code: &str) {
    let out = site.ctl_as(who, words);
    assert!(!out.status.success() && said(&out).contains(code), "{who}: {words:?}: {}", said(&out));
}

/// The codes of what keeps a rollout from a state.
pub(crate) fn why(site: &Site, rollout: &str, state: &str) -> Vec<String> {
    let steps = site.document(&format!("/api/v1/rollouts/{rollout}/why"));
    let step = steps.as_array().unwrap().iter().find(|step| step["state"] == state).expect("a way there");
    let findings = step["findings"].as_array().unwrap().iter().filter(|f| f["verdict"] != "pass");
    // Whoever has no token may do nothing, which is no news.
    findings.map(|f| f["code"].as_str().unwrap().to_owned()).filter(|code| code != "role").collect()
}

/// What a tree lists.
pub(crate) fn listed(site: &Site, tree: &str) -> Vec<String> {
    let published = judge::read(&Source::Disk(site.tree(tree))).unwrap_or_else(|e| panic!("{tree}: {e}"));
    published.unwrap_or_default().packages.into_keys().collect()
}

/// The templates of what people have to be told, in order.
pub(crate) fn notices(site: &Site) -> Vec<String> {
    let all = site.document("/api/v1/notices?limit=1000");
    all.as_array().unwrap().iter().map(|notice| notice["template"].as_str().unwrap().to_owned()).collect()
}
