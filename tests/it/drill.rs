//! The day on which a key turns out to be compromised.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and puts files in place as people do")]

use std::fs;

use sequoia_openpgp::Cert;
use sequoia_openpgp::Packet;
use sequoia_openpgp::cert::CertRevocationBuilder;
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::ReasonForRevocation;
use serde_json::Value;

use crate::disagreement::{packages, reasons, reload, settled, up_with_trouble, wait_for_reason, wait_until_well};
use crate::fsck::fsck;
use crate::site::{Site, keys, said};

fn asked(site: &Site, words: &[&str]) -> (String, Option<i32>) {
    let output = site.rolloutd(&[&["keys"], words].concat());
    (said(&output), output.status.code())
}

/// The word that the secret of our certificate was stolen.
pub(crate) fn revocation() -> Packet {
    let cert = Cert::from_bytes(keys().ours.0.secret.as_bytes()).unwrap();
    let mut signer = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let revocation = CertRevocationBuilder::new()
        .set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"it was stolen")
        .unwrap()
        .build(&mut signer, &cert, None)
        .unwrap();
    revocation.into()
}

/// Our certificate with it.
fn revoked() -> Vec<u8> {
    let cert = Cert::from_bytes(keys().ours.0.secret.as_bytes()).unwrap();
    let (cert, _) = cert.insert_packets(vec![revocation()]).unwrap();
    cert.strip_secret_key_material().armored().to_vec().unwrap()
}

#[test]
fn of_a_compromised_key_everything_is_known_and_nothing_moves_any_more() {
    let mut site = settled();
    let (all, code) = asked(&site, &["--json"]);
    assert_eq!(code, Some(0), "{all}");
    let all: Value = serde_json::from_str(&all).unwrap();
    let key = all["keys"][0]["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!((all["keys"].as_array().unwrap().len(), &all["keys"][0]["worry"]), (1, &Value::Null));

    fs::write(site.path("keys/RPM-GPG-KEY-example"), revoked()).unwrap();
    let (list, code) = asked(&site, &[&key[24..]]);
    assert_eq!(code, Some(1), "{list}");
    let owner = "Example repository <repository@example.org>";
    let then = "reject these; `rolloutctl show ROLLOUT` names the step that withdraws";
    let wanted = format!(
        "{key} {owner}\nrevoked\nproduction/umd/3/sl6/x86_64 first-1.0-1.noarch\n\
         testing/umd/3/sl6/x86_64 second-1.0-1.noarch\n2 listed, 0 withdrawn\nrollout 1 (Production)\n\
         rollout 2 (StageRollOut)\n{then}\n"
    );
    assert_eq!(list, wanted);

    reload(&site);
    let held = |site: &Site| {
        let output = site.ctl(&["move", "2", "Production"]);
        let said = said(&output);
        (!output.status.success() && said.contains("which is revoked")).then_some(())
    };
    let why = |site: &Site| {
        let output = site.ctl(&["why", "2"]);
        String::from_utf8_lossy(&output.stdout).contains("which is revoked").then_some(())
    };
    site.wait("the reload", why);
    site.wait("the hold", held);
    assert_eq!(site.door.state("2").as_deref(), Some("StageRollOut"));

    // What was listed stays listed until somebody decides otherwise; what was not taken back is named.
    site.ctl_good(&["move", "2", "Rejected"]);
    site.wait("the withdrawal", |site| site.door.rests("2").then_some(()));
    let (list, _) = asked(&site, &[&key]);
    assert!(list.contains("withdrawn second-1.0-1.noarch\n1 listed, 1 withdrawn\nrollout 1 (Production)\n"), "{list}");
    assert!(!list.contains("rollout 2"), "{list}");
}

#[test]
fn a_move_that_waits_when_the_key_is_revoked_is_held_and_can_only_be_given_up() {
    let mut site = settled();
    // A file where the directory of the packages should be: what is asked for has to wait.
    let place = site.tree("production").join("Packages");
    let aside = place.with_file_name("aside");
    fs::rename(&place, &aside).unwrap();
    fs::write(&place, "in the way").unwrap();
    let output = site.ctl(&["move", "2", "Production"]);
    assert_eq!(output.status.code(), Some(1), "it cannot have been carried out");
    fs::write(site.path("keys/RPM-GPG-KEY-example"), revoked()).unwrap();
    reload(&site);
    wait_for_reason(&mut site, "which is revoked. Nothing is moved for 2; withdraw it, or trust the key again");
    fs::remove_file(&place).unwrap();
    fs::rename(&aside, &place).unwrap();
    reload(&site);
    // Nothing else is in the way any more, also not after a start.
    let held = |site: &Site| {
        let reasons = reasons(site);
        (reasons.len() == 1 && reasons[0].contains("Nothing is moved for 2")).then_some(())
    };
    site.wait("the tree to be well again", held);
    assert!(site.stop().success());
    up_with_trouble(&mut site);
    site.wait("the move to be held", held);
    assert_eq!((packages(&site, "production"), packages(&site, "testing")), (1, 1));
    // The trees of the move are looked after as ever.
    fs::remove_dir_all(site.tree("production").join("repodata")).unwrap();
    reload(&site);
    site.wait("the metadata to be made again", |site| (packages(site, "production") == 1).then_some(()));
    let why = String::from_utf8(site.ctl(&["why", "2"]).stdout).unwrap();
    assert!(why.contains("is given up") && why.contains("which is revoked"), "{why}");
    site.ctl_good(&["move", "2", "Rejected"]);
    wait_until_well(&mut site);
    assert_eq!((packages(&site, "production"), packages(&site, "testing")), (1, 0));
    site.ctl_good(&["log", "--verify"]);
    assert_eq!(fsck(&site, true), (Vec::new(), Some(0)));
}

#[test]
fn a_mistake_in_the_configuration_does_not_keep_a_revocation_out() {
    let mut site = settled();
    fs::write(site.path("keys/RPM-GPG-KEY-example"), revoked()).unwrap();
    site.write_configuration(&(site.configuration() + "\n[nonsense]\n"));
    reload(&site);
    site.wait("the hold", |site| {
        let output = site.ctl(&["why", "2"]);
        String::from_utf8_lossy(&output.stdout).contains("which is revoked").then_some(())
    });
    assert!(!site.ctl(&["move", "2", "Production"]).status.success());
    // That the configuration was refused is not forgotten over this.
    site.wait("the reason", |site| {
        let answer = site.door.get("/readyz").ok()?;
        String::from_utf8_lossy(&answer.body).contains("nonsense").then_some(())
    });
}

#[test]
fn a_fingerprint_that_nobody_has_is_said_to_be_none() {
    let site = Site::start(&crate::site::Wish::default());
    for (words, says) in [
        ("ABCDEF01", "no known key ends in ABCDEF01"),
        ("12", "give at least its last 8 digits"),
        ("nonsense", "is not a fingerprint"),
    ] {
        let (said, code) = asked(&site, &[words]);
        assert!(said.contains(says) && code == Some(2), "{said}");
    }
}
