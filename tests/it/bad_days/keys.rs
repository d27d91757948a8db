//! Bad days with keys: rows 14 to 19.
//!
//! | # | What happens | What the person sees | What clients see | The way back |
//! |---|---|---|---|---|
//! | 14 | a ring is replaced by the next key while trees list packages by the old one | `check` warns; `/readyz`, `rolloutctl check`, `fsck` name tree, number and key; moves are refused | all that was listed, and the new key | the old key beside the new one, reload |
//! | 15 | a revocation at the end, first, in a file of its own, of a subkey, armored or not, twice; of a key that is not there | it counts; else `check` and the reload name file, packet and key | all that was listed; the key with its revocation | `rolloutd keys`; take the packet out |
//! | 16 | a key expires: soon, yesterday, now | `check` says when; an upload is refused by the rule of time | all that was listed | the certificate with its new end |
//! | 17 | the metadata key is replaced; lost; has expired | a reload signs everything again; one that cannot be used is named, and the old one signs on | signed metadata at every time | the file back |
//! | 18 | a secret key in a ring; a public key as signing key; one with a passphrase | named, with the command that mends it | as before | that command |
//! | 19 | a key file that was edited, is binary, is several in one, has 3,000 keys; a pipe in its place | read as gpg reads it, or named | a file that `rpm --import` takes | the file saved as it should be |
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and puts files in place as people do")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use rolloutd::format::openpgp::Keyring;
use rolloutd::format::signing::{Generated, Signer};
use sequoia_openpgp::armor;
use sequoia_openpgp::cert::{Cert, CertParser, CertRevocationBuilder, SubkeyRevocationBuilder};
use sequoia_openpgp::packet::Key;
use sequoia_openpgp::packet::key::{Key4, PublicParts, SecretParts, SubordinateRole};
use sequoia_openpgp::packet::signature::SignatureBuilder;
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::serialize::SerializeInto as _;
use sequoia_openpgp::types::{Curve, KeyFlags, ReasonForRevocation, SignatureType};
use sequoia_openpgp::{Packet, PacketPile};

use crate::certs::armored;
use crate::disagreement::{packages, reasons, reload, settled, wait_for_reason, wait_until_well};
use crate::drill;
use crate::forge::{Draft, Hand, builder};
use crate::fsck::fsck;
use crate::judge::{self, Source};
use crate::peers;
use crate::site::{Site, Wish, keys, said};

const RING: &str = "keys/RPM-GPG-KEY-example";
const PRODUCTION: &str = "production/umd/3/sl6/x86_64";

/// What a command says, and its exit code.
fn rolloutd(site: &Site, words: &[&str]) -> (String, Option<i32>) {
    let out = site.rolloutd(words);
    (said(&out), out.status.code())
}

fn ring_file(site: &Site) -> PathBuf {
    site.path(RING)
}

fn write_ring(site: &Site, bytes: impl AsRef<[u8]>) {
    fs::write(ring_file(site), bytes).unwrap();
}

/// The key file that clients of a tree fetch.
fn fetched(site: &Site, tree: &str) -> Vec<u8> {
    fs::read(site.tree(tree).join("RPM-GPG-KEY-example")).unwrap_or_default()
}

/// Waits until clients of production get a key file of which this is so.
fn wait_for_key(site: &mut Site, what: &str, fits: impl Fn(&Keyring) -> bool) {
    site.wait(what, |site| {
        let ring = Keyring::read(&[("fetched".to_owned(), fetched(site, "production"))]).ok()?;
        fits(&ring).then_some(())
    });
}

fn count(ring: &Keyring) -> usize {
    ring.certs(Timestamp::now()).len()
}

fn revoked(ring: &Keyring) -> usize {
    ring.certs(Timestamp::now()).iter().filter(|cert| cert.revoked).count()
}

/// Of how many keys `rpm --import` of an empty system says that it has them after this file, if it takes it.
fn imported(bytes: &[u8]) -> Result<usize, String> {
    let root = std::env::var_os("ROLLOUTD_RPM_ROOT").map(PathBuf::from);
    let below = root.as_ref().map(|root| root.join("tmp"));
    let dir = below.map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap();
    let file = dir.path().join("key");
    fs::write(&file, bytes).unwrap();
    let inside = |path: &Path| match &root {
        Some(root) => Path::new("/").join(path.strip_prefix(root).unwrap()),
        None => path.to_owned(),
    };
    let run = |program: &str, words: &[&str]| {
        let mut command = match &root {
            Some(root) => {
                let mut command = Command::new("chroot");
                command.arg(root).arg(program);
                command
            }
            None => Command::new(program),
        };
        let db = inside(&dir.path().join("db"));
        command.arg("--dbpath").arg(db).args(words).env("LC_ALL", "C").stdin(Stdio::null()).output().unwrap()
    };
    fs::create_dir(dir.path().join("db")).unwrap();
    let out = run("rpmkeys", &["--import", inside(&file).to_str().unwrap()]);
    if !out.status.success() {
        return Err(said(&out));
    }
    let listed = run("rpm", &["-q", "gpg-pubkey", "--qf", "%{version}\n"]);
    Ok(String::from_utf8_lossy(&listed.stdout).lines().filter(|line| !line.contains("not installed")).count())
}

#[test]
fn row_14_a_ring_that_was_replaced_while_trees_list_packages_by_the_old_key() {
    let mut site = settled();
    assert_eq!(site.check().1, Some(0));
    assert!(site.check().0.contains(" is fine: "), "{}", site.check().0);
    let (old, new) = (&keys().ours.0, &keys().foreign.0);
    write_ring(&site, &new.public);
    let sentence = |tree: &str| {
        let file = ring_file(&site).display().to_string();
        format!(
            "{tree}/umd/3/sl6/x86_64 lists 1 package that no key of its ring has signed (key {}), so sites refuse them \
             (GPG check FAILED); put the old key back beside the new one in {file}, and reload",
            old.fingerprint
        )
    };
    let (production, testing) = (sentence("production"), sentence("testing"));
    // Before it takes effect. The daemon would start, and so the exit code is 0.
    let (text, code) = site.check();
    assert_eq!(code, Some(0), "{text}");
    for line in [&production, &testing] {
        assert!(text.contains(&format!("warning: {line}\n")), "{line}\n---\n{text}");
    }
    assert!(text.contains("can be used, but see the warnings: no complaints, 2 warnings"), "{text}");
    reload(&site);
    let reason = format!("keys of {PRODUCTION}: {}", production.strip_prefix(PRODUCTION).unwrap().trim_start());
    wait_for_reason(&mut site, &reason);
    assert_eq!(reasons(&site).len(), 2, "{:?}", reasons(&site));
    let out = site.ctl(&["check"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(said(&out).contains("lists 1 package that no key of its ring has signed"), "{}", said(&out));
    assert!(site.log().contains("lists 1 package that no key of its ring has signed"));
    let (findings, code) = fsck(&site, false);
    assert_eq!((findings.len(), code), (2, Some(1)), "{findings:?}");
    // Nothing moves by it, and nothing is taken off the lists.
    let out = site.ctl(&["move", "2", "Production"]);
    assert!(!out.status.success() && said(&out).contains("of the keys in its ring"), "{}", said(&out));
    assert_eq!((packages(&site, "production"), packages(&site, "testing")), (1, 1));
    wait_for_key(&mut site, "the new key alone", |ring| format!("{ring:?}") == format!("[{:?}]", new.fingerprint));
    // It is no matter of this run of the daemon alone.
    assert!(site.stop().success());
    crate::disagreement::up_with_trouble(&mut site);
    wait_for_reason(&mut site, &reason);

    // The remedy, word for word.
    write_ring(&site, [old.public.as_bytes(), new.public.as_bytes()].concat());
    reload(&site);
    wait_until_well(&mut site);
    let (text, code) = site.check();
    assert!(code == Some(0) && text.contains(" is fine: "), "{text}");
    assert_eq!(fsck(&site, false), (Vec::new(), Some(0)));
    assert_eq!(site.ctl(&["check"]).status.code(), Some(0));
    wait_for_key(&mut site, "both keys", |ring| count(ring) == 2);
    if peers::have(&["rpm", "rpmkeys"]) {
        assert_eq!(imported(&fetched(&site, "production")), Ok(2));
    }
    site.ctl_good(&["move", "2", "Production"]);
    site.wait("the move", |site| (packages(site, "production") == 2).then_some(()));
}

/// The number of signers counts as well as who they are.
#[test]
fn row_14_a_tree_that_asks_for_more_signers_than_what_it_lists_has() {
    let mut site = settled();
    let (old, new) = (&keys().ours.0, &keys().foreign.0);
    write_ring(&site, [old.public.as_bytes(), new.public.as_bytes()].concat());
    let text = site.configuration();
    site.configure("[distribution.keys]", "min_signers = { production = 2 }\n[distribution.keys]");
    let words = "lists 1 package signed by fewer than the 2 signers that it requires";
    let (said, code) = site.check();
    assert!(code == Some(0) && said.contains(&format!("warning: {PRODUCTION} {words}")), "{said}");
    reload(&site);
    wait_for_reason(&mut site, words);
    site.write_configuration(&text);
    reload(&site);
    wait_until_well(&mut site);
}

/// The word that the site's key was stolen.
fn revocation_of_ours() -> Vec<u8> {
    drill::revocation().to_vec().unwrap()
}

fn binary(armored: &str) -> Vec<u8> {
    Cert::from_bytes(armored.as_bytes()).unwrap().to_vec().unwrap()
}

#[test]
fn row_15_a_revocation_wherever_it_stands() {
    let mut site = settled();
    let (ours, other) = (&keys().ours.0, &keys().foreign.0);
    let packet = revocation_of_ours();
    let as_text = armored(&packet, armor::Kind::PublicKey);
    let (a, b) = (ours.public.as_bytes(), other.public.as_bytes());
    let configuration = site.configuration();
    let alone = site.path("keys/stolen.asc");
    let two_files = configuration.replace(
        &format!("[\"{}\"]", ring_file(&site).display()),
        &format!("[\"{}\", \"{}\"]", ring_file(&site).display(), alone.display()),
    );
    assert_ne!(configuration, two_files);
    let held = |site: &Site| said(&site.ctl(&["why", "2"])).contains("which is revoked").then_some(());
    let free = |site: &Site| (!said(&site.ctl(&["why", "2"])).contains("which is revoked")).then_some(());
    let appended = [a, b, &as_text].concat();
    for (what, ring, beside) in [
        ("appended after several certificates, as README has it", appended, None),
        ("first", [&as_text[..], a, b].concat(), None),
        ("appended to a file without a line end", [a, b.trim_ascii_end(), as_text.trim_ascii_start()].concat(), None),
        ("binary, first", [packet.clone(), binary(&other.public), binary(&ours.public)].concat(), None),
        ("binary, at the end", [binary(&ours.public), binary(&other.public), packet.clone()].concat(), None),
        ("in a file of its own", [a, b].concat(), Some(as_text.clone())),
        ("in a file of its own, binary, and twice", [a, &as_text, b].concat(), Some(packet.repeat(2))),
        ("as gpg calls a detached one", [a, b].concat(), Some(armored(&packet, armor::Kind::Signature))),
    ] {
        write_ring(&site, ring);
        site.write_configuration(if beside.is_some() { &two_files } else { &configuration });
        if let Some(bytes) = &beside {
            fs::write(&alone, bytes).unwrap();
        }
        let (text, code) = site.check();
        assert_eq!(code, Some(0), "{what}: {text}");
        assert!(text.contains(&format!("{} (", ours.fingerprint)) && text.contains("was revoked"), "{what}: {text}");
        let at_once = beside.is_some() || text.contains("holds 2 certificates: 1 is trusted, 1 is revoked");
        assert!(at_once && !text.contains("all revoked"), "{what}: {text}");
        let warning =
            format!("warning: {PRODUCTION} lists 1 package signed by a revoked key (key {})", ours.fingerprint);
        assert!(text.contains(&warning), "{what}: {text}");
        reload(&site);
        site.wait(what, held);
        // Clients are told, too, and find all that they found before.
        wait_for_key(&mut site, what, |ring| (count(ring), revoked(ring)) == (2, 1));
        if peers::have(&["rpm", "rpmkeys"]) {
            assert_eq!(imported(&fetched(&site, "production")), Ok(2), "{what}");
        }
        assert_eq!((packages(&site, "production"), packages(&site, "testing")), (1, 1));
        let (listed, code) = rolloutd(&site, &["keys", &ours.fingerprint]);
        assert!(code == Some(1) && listed.contains("\nrevoked\n") && listed.contains("2 listed"), "{what}: {listed}");
        // Nobody is called out of bed for what stays listed on purpose.
        wait_until_well(&mut site);
        site.write_configuration(&configuration);
        write_ring(&site, [a, b].concat());
        reload(&site);
        site.wait("the key to be trusted again", free);
    }

    // Of a key that no ring has, and one that was damaged on its way: never in silence.
    let stranger = Hand::new("stranger");
    let of_stranger = CertRevocationBuilder::new().build(&mut stranger.primary().1, &stranger.cert, None).unwrap();
    let of_stranger = armored(&Packet::from(of_stranger).to_vec().unwrap(), armor::Kind::PublicKey);
    let mut damaged = packet.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let damaged = armored(&damaged, armor::Kind::PublicKey);
    for (bad, key, remedy) in [
        (&of_stranger, stranger.fingerprint(), "add the certificate of"),
        (&damaged, ours.fingerprint.clone(), "export the certificate again"),
    ] {
        write_ring(&site, [a, b, bad].concat());
        let (text, code) = site.check();
        assert_eq!(code, Some(1), "{text}");
        let parts = ["RPM-GPG-KEY-example: packet ", ", the revocation of a certificate by ", &key, remedy];
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        reload(&site);
        wait_for_reason(&mut site, &key);
        assert_eq!((packages(&site, "production"), packages(&site, "testing")), (1, 1));
        // The remedy: take the packet out.
        write_ring(&site, [a, b].concat());
        reload(&site);
        wait_until_well(&mut site);
    }
}

/// Something else that a reload reads is not to be had.
#[test]
fn row_15_a_revocation_counts_although_another_file_is_gone() {
    for gone in ["keys/signing.asc", "keys/token", "keys/hook"] {
        let mut site = settled();
        let revocation = armored(&revocation_of_ours(), armor::Kind::PublicKey);
        write_ring(&site, [keys().ours.0.public.as_bytes(), &revocation].concat());
        fs::rename(site.path(gone), site.path("aside")).unwrap();
        reload(&site);
        let held = |site: &Site| {
            let id = site.document("/api/v1/rollouts/2/why").to_string();
            id.contains("which is revoked").then_some(())
        };
        site.wait(gone, held);
        // Nor does anything by that key come in any more.
        site.drop_package("late", "1.0", &[]);
        site.wait_for_rejected("key_revoked", 1);
    }
}

#[test]
fn row_15_a_revocation_of_a_subkey() {
    let mut site = Site::start(&Wish::default());
    let by = Hand::from_builder(builder("s").add_subkey(KeyFlags::empty().set_signing(), None, None));
    let sub = by.subkey();
    let other = Hand::new("other");
    let certs = [by.public(), other.public()].concat();
    write_ring(&site, &certs);
    reload(&site);
    site.wait("the ring", |site| site.log().contains("reloaded settings and keys").then_some(()));
    site.drop_file("one.rpm", &Draft::new().signed(&sub).file());
    site.wait("the package", |site| (packages(site, "untested") == 1).then_some(()));
    let revocation = SubkeyRevocationBuilder::new()
        .set_reason_for_revocation(ReasonForRevocation::KeyCompromised, b"it was stolen")
        .unwrap()
        .build(&mut by.primary().1, &by.cert, by.cert.keys().subkeys().next().unwrap().key(), None)
        .unwrap();
    // After the certificate of somebody else.
    write_ring(&site, [certs, Packet::from(revocation).to_vec().unwrap()].concat());
    let (text, code) = site.check();
    assert!(code == Some(0) && text.contains("was revoked"), "{text}");
    reload(&site);
    site.wait("the second ring", |site| (site.log().matches("reloaded settings and keys").count() == 2).then_some(()));
    let again = Draft::new().set(1001, Some(crate::forge::text("2.0"))).signed(&sub).file();
    site.drop_file("two.rpm", &again);
    site.wait_for_rejected("key_revoked", 1);
    assert_eq!(packages(&site, "untested"), 1, "what is listed stays listed");
    let subkeys = |bytes: &[u8]| -> usize {
        CertParser::from_bytes(bytes).unwrap().map(|cert| cert.unwrap().keys().subkeys().count()).sum()
    };
    site.wait("both certificates, without that subkey", |site| {
        let bytes = fetched(site, "production");
        let ring = Keyring::read(&[("fetched".to_owned(), bytes.clone())]).ok()?;
        (count(&ring) == 2 && subkeys(&bytes) == 0).then_some(())
    });
}

/// rpm refuses a certificate that says that a subkey was revoked.
#[test]
fn row_15_rpm_takes_the_published_file_of_a_certificate_with_a_revoked_subkey() {
    if !peers::have(&["rpm", "rpmkeys"]) {
        return;
    }
    let cert = Cert::from_bytes(keys().ours.0.secret.as_bytes()).unwrap();
    let mut signer = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let made: Key4<SecretParts, SubordinateRole> = Key4::generate_ecc(true, Curve::Ed25519).unwrap();
    let subkey: Key<PublicParts, SubordinateRole> = Key::from(made).parts_into_public();
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_key_flags(KeyFlags::empty().set_authentication())
        .unwrap();
    let binding = subkey.bind(&mut signer, &cert, binding).unwrap();
    let revocation = SubkeyRevocationBuilder::new().build(&mut signer, &cert, &subkey, None).unwrap();
    let whole = |more: &[&Packet]| {
        let more = more.iter().flat_map(|packet| packet.to_vec().unwrap());
        cert.to_vec().unwrap().into_iter().chain(more).collect::<Vec<u8>>()
    };
    let (subkey, binding, revocation) = (Packet::from(subkey), Packet::from(binding), Packet::from(revocation));
    assert_eq!(imported(&armored(&whole(&[&subkey, &binding]), armor::Kind::PublicKey)), Ok(1));
    // So it is no vain precaution: as gpg exports it.
    let packets = whole(&[&subkey, &revocation, &binding]);
    imported(&armored(&packets, armor::Kind::PublicKey)).unwrap_err();
    let ring = Keyring::read(&[("key".to_owned(), packets)]).unwrap();
    assert_eq!(imported(&ring.for_clients("key").unwrap().unwrap()), Ok(1));
}

/// The word that the first subkey of somebody was revoked.
fn revocation_of_subkey(by: &Hand, reason: ReasonForRevocation) -> Vec<u8> {
    let revocation = SubkeyRevocationBuilder::new()
        .set_reason_for_revocation(reason, b"it was said so")
        .unwrap()
        .build(&mut by.primary().1, &by.cert, by.cert.keys().subkeys().next().unwrap().key(), None)
        .unwrap();
    Packet::from(revocation).to_vec().unwrap()
}

/// What it signed lies in testing since before; what another key of the same certificate signed moves on.
#[test]
fn row_15_what_a_subkey_signed_before_its_revocation_is_held() {
    let mut site = settled();
    let by = Hand::from_builder(builder("s").add_subkey(KeyFlags::empty().set_signing(), None, None));
    let sub = by.subkey();
    let (subkey, cert) = (sub.key.fingerprint().to_hex(), by.fingerprint());
    let ours = binary(&keys().ours.0.public);
    write_ring(&site, [ours.clone(), by.public()].concat());
    reload_and_wait(&mut site);
    for (id, version, hand) in [("3", "3.0", &sub), ("4", "4.0", &by)] {
        site.drop_file("one.rpm", &Draft::new().set(1001, Some(crate::forge::text(version))).signed(hand).file());
        site.wait("the package", |site| (packages(site, "untested") == 1).then_some(()));
        let listed = judge::read(&Source::Disk(site.tree("untested"))).unwrap().unwrap();
        let nevra = listed.packages.keys().next().unwrap().clone();
        site.submit(id, &[&nevra]);
        for state in ["InVerification", "StageRollOut"] {
            site.ctl_good(&["move", id, state]);
        }
        site.wait("the move", |site| (packages(site, "untested") == 0).then_some(()));
    }
    assert_eq!(packages(&site, "testing"), 3);
    assert!(!said(&site.ctl(&["why", "3"])).contains("revoked"));
    let (listed, code) = rolloutd(&site, &["keys", &subkey]);
    assert!(code == Some(0) && listed.contains("\n1 listed, 0 withdrawn\n"), "{listed}");

    // Whether it was stolen or only retired: it is known what it signed.
    for reason in [ReasonForRevocation::KeyRetired, ReasonForRevocation::KeyCompromised] {
        write_ring(&site, [ours.clone(), by.public(), revocation_of_subkey(&by, reason)].concat());
        let words = format!("lists 1 package signed by a revoked key (subkey {subkey} of {cert})");
        let (text, code) = site.check();
        assert!(code == Some(0) && text.contains(&words), "{text}");
        reload_and_wait(&mut site);
        site.wait("the word in the log", |site| site.log().contains(&words).then_some(()));
        let why = site.document("/api/v1/rollouts/3/why").to_string();
        let sentence = format!("is signed by the subkey {subkey} of {cert}, which is revoked.");
        assert!(why.contains("signer_revoked") && why.contains(&sentence), "{why}");
        let out = site.ctl(&["move", "3", "Production"]);
        assert!(!out.status.success() && said(&out).contains(&sentence), "{}", said(&out));
        let (listed, code) = rolloutd(&site, &["keys", &subkey]);
        assert!(code == Some(1) && listed.contains("\nrevoked\n"), "{listed}");
        assert!(listed.contains("\n1 listed, 0 withdrawn\n") && listed.contains(&cert), "{listed}");
        let (all, code) = rolloutd(&site, &["keys"]);
        assert!(code == Some(1) && all.contains(&subkey), "{all}");
        wait_until_well(&mut site);
    }
    // It is no matter of this run of the daemon alone.
    assert!(site.stop().success());
    site.up();
    let out = site.ctl(&["move", "3", "Production"]);
    assert!(!out.status.success() && said(&out).contains("which is revoked"), "{}", said(&out));
    assert!(!said(&site.ctl(&["why", "4"])).contains("revoked"));
    site.ctl_good(&["move", "4", "Production"]);
    site.wait("the move", |site| (packages(site, "production") == 2).then_some(()));
    assert_eq!(packages(&site, "testing"), 2);
}

/// The ring has one certificate, and of that one subkey signs.
#[test]
fn row_15_the_revocation_of_the_only_key_that_signs_is_a_note_and_counts() {
    let mut site = Site::prepare(&Wish::default());
    let certifies = builder("c").set_primary_key_flags(KeyFlags::empty().set_certification());
    let by = Hand::from_builder(certifies.add_subkey(KeyFlags::empty().set_signing(), None, None));
    write_ring(&site, by.public());
    site.up();
    site.drop_file("one.rpm", &Draft::new().signed(&by.subkey()).file());
    site.wait("the package", |site| (packages(site, "untested") == 1).then_some(()));
    let revocation = revocation_of_subkey(&by, ReasonForRevocation::KeyCompromised);
    write_ring(&site, [by.public(), revocation].concat());
    let (text, code) = site.check();
    assert!(code == Some(0) && text.contains("every key of this ring is revoked: nothing is accepted"), "{text}");
    assert!(text.contains(&format!("{} (", by.fingerprint())) && text.contains("was revoked"), "{text}");
    reload_and_wait(&mut site);
    assert!(site.stop().success());
    site.up();
    let again = Draft::new().set(1001, Some(crate::forge::text("2.0"))).signed(&by.subkey()).file();
    site.drop_file("two.rpm", &again);
    site.wait_for_rejected("key_revoked", 1);
    assert_eq!(packages(&site, "untested"), 1, "what is listed stays listed");
}

fn reloads(site: &Site) -> usize {
    site.log().matches("reloaded settings and keys").count()
}

fn reload_and_wait(site: &mut Site) {
    let before = reloads(site);
    reload(site);
    site.wait("the reload", |site| (reloads(site) > before).then_some(()));
}

/// A key that may sign until then.
fn ends(at: Timestamp) -> Hand {
    let born = crate::forge::system(crate::forge::BORN);
    let span = std::time::SystemTime::from(at).duration_since(born).unwrap();
    Hand::from_builder(builder("e").set_validity_period(span))
}

#[test]
fn row_16_a_key_that_expires() {
    let mut site = settled();
    let days = |n: i64| Timestamp::now() + jiff::SignedDuration::from_hours(24 * n);
    let ours = binary(&keys().ours.0.public);
    // Beforehand.
    let soon = ends(days(29));
    write_ring(&site, [ours.clone(), soon.public()].concat());
    let (text, code) = site.check();
    let day = days(29).strftime("%F");
    assert!(code == Some(0) && text.contains(&format!("{} (", soon.fingerprint())), "{text}");
    assert!(text.contains(&format!("expires on {day}")), "{text}");
    reload_and_wait(&mut site);
    let words = format!("the key {} expires on {day}", soon.fingerprint());
    site.wait("the word in the log", |site| site.log().contains(&words).then_some(()));
    // Yesterday.
    let gone = ends(days(-1));
    write_ring(&site, [ours.clone(), gone.public()].concat());
    let (text, code) = site.check();
    assert!(code == Some(0) && text.contains("cannot sign: ") && text.contains(" expired on "), "{text}");
    reload_and_wait(&mut site);
    site.drop_file("gone.rpm", &Draft::new().signed(&gone).file());
    site.wait_for_rejected("key_expired_at_arrival", 1);
    // While its package is listed.
    let now = ends(Timestamp::now() + jiff::SignedDuration::from_secs(15));
    write_ring(&site, [ours.clone(), now.public()].concat());
    reload_and_wait(&mut site);
    site.drop_file("now.rpm", &Draft::new().signed(&now).file());
    site.wait("the package", |site| (packages(site, "untested") == 1).then_some(()));
    site.wait("its key to expire", |site| {
        rolloutd(site, &["keys", &now.fingerprint()]).0.contains("\nexpired on ").then_some(())
    });
    let later = Draft::new().set(1001, Some(crate::forge::text("2.0"))).signed(&now).file();
    site.drop_file("later.rpm", &later);
    site.wait_for_rejected("key_expired_at_arrival", 2);
    reload_and_wait(&mut site);
    assert_eq!((packages(&site, "untested"), packages(&site, "production")), (1, 1), "what is listed stays listed");
    wait_until_well(&mut site);
    // A ring of nothing else is a complaint, and the old one stays in force.
    write_ring(&site, gone.public());
    let (text, code) = site.check();
    assert!(code == Some(1) && text.contains(" expired on "), "{text}");
    reload(&site);
    wait_for_reason(&mut site, " expired on ");
    write_ring(&site, &ours);
    reload(&site);
    // What the key that was taken out has signed is listed still.
    wait_for_reason(
        &mut site,
        &format!("lists 1 package that no key of its ring has signed (key {})", now.fingerprint()),
    );
}

const TREES: [&str; 4] = ["untested", "testing", "delta", "production"];

/// Whether the metadata of all trees is signed by this key.
fn all_signed_by(site: &Site, key: &Generated) -> bool {
    let signer = Signer::read(key.secret.as_bytes(), Timestamp::now()).unwrap();
    TREES.iter().all(|tree| {
        let repodata = site.tree(tree).join("repodata");
        let (Ok(repomd), Ok(signature)) =
            (fs::read(repodata.join("repomd.xml")), fs::read(repodata.join("repomd.xml.asc")))
        else {
            return false;
        };
        signer.made(&signature, &repomd)
    })
}

/// That clients lose the signature is said before it happens, and it does not happen without the admin's word.
#[test]
fn row_17_trees_that_are_signed_and_a_configuration_that_signs_nothing() {
    let mut site = settled();
    let text = site.configuration();
    let section = format!("[signing]\nkey = \"{}\"\n", site.path("keys/signing.asc").display());
    assert!(text.contains(&section), "{text}");
    site.write_configuration(&text.replace(&section, ""));
    let (said, code) = site.check();
    assert!(code == Some(0) && said.contains("no complaints, 4 warnings"), "{said}");
    assert!(
        said.contains(&format!(
            "warning: {PRODUCTION} is signed, but there is no longer a signing key: nothing is published"
        )),
        "{said}"
    );
    // It is reloaded all the same.
    let seen = |site: &Site| {
        TREES.map(|tree| {
            ["repomd.xml", "repomd.xml.asc"].map(|file| fs::read(site.tree(tree).join("repodata").join(file)).unwrap())
        })
    };
    let before = seen(&site);
    reload(&site);
    wait_for_reason(&mut site, "the configuration no longer has [signing]");
    site.drop_package("late", "1", &[]);
    site.wait("the upload to be taken in", |site| site.log().contains("late-1-1.noarch").then_some(()));
    assert!(seen(&site) == before, "clients see what they saw");
    site.write_configuration(&text);
    assert!(site.check().0.contains(" is fine: "), "{}", site.check().0);
    reload(&site);
    wait_until_well(&mut site);
    // The admin's word.
    site.write_configuration(&text.replace(&section, "[signing]\noff = true\n"));
    let (said, code) = site.check();
    assert!(code == Some(0) && said.contains("its metadata will have no signature"), "{said}");
    reload(&site);
    site.wait("the signatures to go", |site| {
        TREES.iter().all(|tree| !site.tree(tree).join("repodata/repomd.xml.asc").exists()).then_some(())
    });
    wait_until_well(&mut site);
}

/// How many packages a tree lists, whoever has signed its metadata.
fn listed(site: &Site, tree: &str) -> usize {
    judge::read_unsigned(&Source::Disk(site.tree(tree))).map_or(0, |published| published.packages.len())
}

#[test]
fn row_17_the_metadata_key_is_replaced_lost_or_has_expired() {
    let mut site = settled();
    let place = site.path("keys/signing.asc");
    let (old, new) = (&keys().ours.0, &keys().foreign.0);
    assert!(all_signed_by(&site, old));
    // Replaced: everything is signed again, and the public key lies beside.
    fs::write(&place, &new.secret).unwrap();
    assert_eq!(site.check().1, Some(0));
    reload(&site);
    site.wait("all trees to be signed by the new key", |site| all_signed_by(site, new).then_some(()));
    let right = format!("[{:?}]", new.fingerprint);
    site.wait("the new key beside the yum file", |site| {
        let beside = fs::read(site.tree("production").join("RPM-GPG-KEY-metadata")).ok()?;
        (format!("{:?}", Keyring::read(&[(String::new(), beside)]).ok()?) == right).then_some(())
    });
    wait_until_well(&mut site);
    // Lost, or expired: named, and the one in force signs on.
    let expired = ends(Timestamp::now() - jiff::SignedDuration::from_hours(24));
    let expired = armored(&expired.cert.as_tsk().to_vec().unwrap(), armor::Kind::SecretKey);
    for (bad, says) in [(None, "signing.asc does not exist"), (Some(expired), "Expired on ")] {
        match &bad {
            Some(bytes) => fs::write(&place, bytes).unwrap(),
            None => fs::remove_file(&place).unwrap(),
        }
        let (text, code) = site.check();
        assert!(code == Some(1) && text.contains("signing.asc") && text.contains(says), "{text}");
        reload(&site);
        wait_for_reason(&mut site, says);
        assert_eq!(site.ctl(&["check"]).status.code(), Some(2));
        let known = listed(&site, "untested");
        site.drop_package(if bad.is_some() { "third" } else { "fourth" }, "1.0", &[]);
        site.wait("the package", |site| (listed(site, "untested") == known + 1).then_some(()));
        assert!(all_signed_by(&site, new), "nothing is unsigned meanwhile");
        // Without it there is no start, and what is there stays.
        assert!(site.stop().success());
        site.spawn();
        let ended = loop {
            if let Some(ended) = site.has_ended() {
                break ended;
            }
            std::thread::yield_now();
        };
        assert!(!ended.success() && site.log().contains(says));
        assert!(all_signed_by(&site, new));
        // The file back, and all goes on.
        fs::write(&place, &new.secret).unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
        site.up();
        wait_until_well(&mut site);
        assert!(all_signed_by(&site, new));
    }
}

#[test]
fn row_18_the_wrong_kind_of_key_is_named_with_the_command_that_mends_it() {
    let mut site = settled();
    let ours = &keys().ours.0;
    let place = site.path("keys/signing.asc");
    let hand = Hand::new("p");
    let with_passphrase = {
        let cert = hand.cert.clone();
        let key = cert.primary_key().key().clone().parts_into_secret().unwrap();
        let key = key.encrypt_secret(&"open sesame".into()).unwrap();
        let cert = cert.insert_packets(vec![Packet::from(key)]).unwrap().0;
        armored(&cert.as_tsk().to_vec().unwrap(), armor::Kind::SecretKey)
    };
    for (file, bytes, says, command) in [
        (&ring_file(&site), ours.secret.clone().into_bytes(), "holds a secret key", "`gpg --armor --export KEY`"),
        (&place, ours.public.clone().into_bytes(), "is a public key only", "gpg --armor --export-secret-keys "),
        (&place, with_passphrase, "is protected by a passphrase", "`gpg --passwd "),
    ] {
        let before = fs::read(file).unwrap();
        fs::write(file, &bytes).unwrap();
        let (text, code) = site.check();
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(&file.display().to_string()) && text.contains(says) && text.contains(command), "{text}");
        reload(&site);
        wait_for_reason(&mut site, says);
        assert_eq!((packages(&site, "production"), packages(&site, "testing")), (1, 1));
        assert!(!String::from_utf8_lossy(&fetched(&site, "production")).contains("PRIVATE"));
        fs::write(file, before).unwrap();
        reload(&site);
        wait_until_well(&mut site);
    }
    if !peers::have(&["gpg"]) {
        return;
    }
    // The commands, word for word.
    let home = tempfile::tempdir().unwrap();
    let gpg = |words: &[&str]| {
        let out = Command::new("gpg").arg("--batch").args(words).env("GNUPGHOME", home.path()).output().unwrap();
        assert!(out.status.success(), "gpg {words:?}: {}", said(&out));
        out.stdout
    };
    fs::write(home.path().join("mine"), &ours.secret).unwrap();
    gpg(&["--import", home.path().join("mine").to_str().unwrap()]);
    write_ring(&site, gpg(&["--armor", "--export", &ours.fingerprint]));
    let exported = gpg(&["--armor", "--export-secret-keys", &ours.fingerprint]);
    let _ = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", home.path()).status();
    fs::write(&place, exported).unwrap();
    assert_eq!(site.check().1, Some(0), "{}", site.check().0);
}

#[test]
fn row_19_a_key_file_that_was_edited_is_published_as_rpm_takes_it_or_named() {
    let mut site = settled();
    let plain = keys().ours.0.public.clone();
    let other = keys().foreign.0.public.clone();
    let every_line =
        |before: &str, after: &str| -> String { plain.lines().flat_map(|line| [before, line, after, "\n"]).collect() };
    let both_in_one_block = {
        let packets = [binary(&plain), binary(&other)].concat();
        assert_eq!(
            PacketPile::from_bytes(&packets).unwrap().children().filter(|p| matches!(p, Packet::PublicKey(_))).count(),
            2
        );
        armored(&packets, armor::Kind::PublicKey)
    };
    let no_empty_line: String = plain.lines().filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect();
    let no_sum: String = plain.lines().filter(|line| !line.starts_with('=')).flat_map(|line| [line, "\n"]).collect();
    let words = plain.replacen("BLOCK-----\n", "BLOCK-----\nComment: Schlüssel\n", 1);
    let rpm = peers::have(&["rpm", "rpmkeys"]);
    for (what, bytes, number) in [
        ("CRLF", every_line("", "\r").into_bytes(), 1),
        ("a byte order mark", format!("\u{feff}{plain}").into_bytes(), 1),
        ("blanks after each line", every_line("", "  \t").into_bytes(), 1),
        ("indentation", every_line("    ", "").into_bytes(), 1),
        ("no empty line after the head", no_empty_line.into_bytes(), 1),
        ("no checksum", no_sum.into_bytes(), 1),
        ("binary", binary(&plain), 1),
        ("binary, two", [binary(&plain), binary(&other)].concat(), 2),
        ("concatenated", format!("{plain}{other}").into_bytes(), 2),
        ("two in one block", both_in_one_block, 2),
        ("the same twice", plain.repeat(2).into_bytes(), 1),
        ("words around", format!("The key of the project:\n{words}\nThe end.\n").into_bytes(), 1),
    ] {
        write_ring(&site, &bytes);
        let (text, code) = site.check();
        assert_eq!(code, Some(0), "{what}: {text}");
        reload_and_wait(&mut site);
        wait_for_key(&mut site, what, |ring| count(ring) == number);
        for tree in TREES {
            assert_eq!(fetched(&site, tree), fetched(&site, "production"), "{what}: {tree}");
        }
        if rpm {
            assert_eq!(imported(&fetched(&site, "production")), Ok(number), "{what}");
        }
        wait_until_well(&mut site);
    }
    let three_thousand: Vec<u8> = binary(&plain).repeat(3_000);
    for (what, bytes, says) in [
        ("3,000 keys", three_thousand, "more than 1024 keys or 20000 packets: put them into several files"),
        ("UTF-16", format!("\u{feff}{plain}").encode_utf16().flat_map(u16::to_le_bytes).collect(), "save it as UTF-8"),
        ("a quoted mail", every_line("> ", "").into_bytes(), "there is text before `-----` on line 1"),
        ("text and binary", [plain.as_bytes(), &binary(&other)].concat(), "put binary keys into a separate file"),
        ("binary and text", [&binary(&other), plain.as_bytes()].concat(), "text follows a binary key from byte "),
        (
            "dashes of a mail",
            format!("{plain}{}", other.replace("-----", "—–")).into_bytes(),
            "changed (by a mail program?)",
        ),
    ] {
        write_ring(&site, &bytes);
        let (text, code) = site.check();
        assert!(code == Some(1) && text.contains(says), "{what}: {text}");
        reload(&site);
        wait_for_reason(&mut site, says);
        write_ring(&site, &plain);
        reload(&site);
        wait_until_well(&mut site);
    }
}

/// A pipe in the place of each file that a reload reads: it is named, and neither the reload nor the stop waits for
/// somebody at its other end.
#[test]
fn row_19_a_pipe_in_the_place_of_a_key_secret_or_token_holds_nothing_up() {
    let mut site = settled();
    for name in [RING, "keys/signing.asc", "keys/hook", "keys/token", "rolloutd.toml"] {
        let place = site.path(name);
        let aside = place.with_extension("aside");
        fs::rename(&place, &aside).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &place, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        let (text, code) = site.check();
        assert!(code == Some(1) && text.contains("neither a file nor a directory"), "{name}: {text}");
        reload(&site);
        wait_for_reason(&mut site, "neither a file nor a directory");
        // Twice, since the first one is read with the settings in force as well.
        reload(&site);
        assert!(site.stop().success(), "{name}");
        fs::remove_file(&place).unwrap();
        fs::rename(&aside, &place).unwrap();
        site.up();
        wait_until_well(&mut site);
    }
}
