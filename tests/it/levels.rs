//! Service levels on a running daemon (S3-39, S3-41): it was away, and knows for how long; what it did is counted.

use serde_json::Value;

use crate::cast::{good, listed, site};
use crate::hands::Hands;
use crate::site::{Site, said};

const HOUR: i64 = 60 * 60;

fn level(site: &Site, what: &str) -> Value {
    let all = site.document("/api/v1/levels");
    all["levels"].as_array().unwrap().iter().find(|level| level["what"] == what).unwrap().clone()
}

/// It is not there from one time to another, since its first start.
fn is_away(site: &mut Site, hands: &Hands, (from, until): (i64, i64), ends: impl FnOnce(&mut Site)) {
    hands.have_passed(from * HOUR);
    // It has lived until then, as its seal says.
    let seal = site.path("state/logbook.head");
    let sealed = || std::fs::metadata(&seal).unwrap().modified().unwrap();
    let before = sealed();
    site.wait("a seal", |_| (sealed() != before).then_some(()));
    ends(site);
    hands.have_passed(until * HOUR);
    site.under = hands.under();
    site.up();
}

#[test]
fn what_was_agreed_is_compared_with_what_there_was() {
    let (mut site, hands) = site("egi", &[("ann", "admin", None)]);
    let agreed = "[service_levels]\navailable = \"99%\"\nreliable = \"90%\"\npromote_within = \"1h\"\n";
    site.write_configuration(&format!("{}{agreed}", site.configuration()));
    is_away(&mut site, &hands, (95, 100), |site| {
        let _ = site.stop();
    });
    let percent = |site: &Site| level(site, "availability")["percent"].as_f64().unwrap();
    assert!((94.9..=95.1).contains(&percent(&site)), "{}", percent(&site));
    assert_eq!(
        (&level(&site, "availability")["kept"], &level(&site, "reliability")["kept"]),
        (&false.into(), &true.into())
    );
    // The same after a kill, which it cannot write down before: at most ten minutes are lost.
    is_away(&mut site, &hands, (190, 200), Site::kill);
    assert!((92.3..=92.6).contains(&percent(&site)), "{}", percent(&site));
    // What it does is counted from the decision until clients see it.
    assert_eq!(level(&site, "promoted")["done"], Value::Null);
    let nevra = site.drop_package("bdii", "1.0", &[]);
    site.wait("the package", |site| (listed(site, "untested").len() == 1).then_some(()));
    good(&site, "ann", &["submit", "r", &nevra]);
    for state in ["Unverified", "InVerification", "StageRollOut"] {
        good(&site, "ann", &["move", "r", state]);
    }
    site.wait("the rollout", |site| site.door.rests("r").then_some(()));
    let promoted = level(&site, "promoted");
    assert_eq!(
        (&promoted["done"]["all"], &promoted["done"]["in_time"], &promoted["kept"]),
        (&1.into(), &1.into(), &true.into())
    );
    let out = site.ctl_as("ann", &["levels"]);
    assert_eq!(out.status.code(), Some(1), "something was not kept");
    let text = said(&out);
    assert!(text.contains("availability") && text.contains("NO") && text.contains("1 of 1; half within"), "{text}");
    let one_day = site.ctl_as("ann", &["levels", "--days", "1", "--json"]);
    let days: Value = serde_json::from_slice(&one_day.stdout).unwrap();
    assert!((9.0..=11.0).contains(&(days["down_seconds"].as_f64().unwrap() / 3_600.0)), "{days}");
    let figures = site.door.get("/metrics").unwrap().text();
    for line in [
        "rolloutd_availability_ratio 0.92",
        "rolloutd_promotion_seconds_count 1",
        "rolloutd_promotion_seconds_bucket{le=\"+Inf\"} 1",
    ] {
        assert!(figures.contains(line), "{line}: {figures}");
    }
}
