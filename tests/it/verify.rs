//! `rolloutd verify`, from arguments to lines, JSON and exit code.

#![expect(clippy::disallowed_methods, reason = "files to be verified are made here")]

use crate::forge::{ARRIVES, Draft, Hand, Raw, time};
use clap::Parser as _;
use rolloutd::cli::verify::{VerifyArgs, VerifyError, run};
use sequoia_openpgp::serialize::SerializeInto as _;
use std::os::unix::fs::symlink;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: VerifyArgs,
}

struct Place {
    dir: tempfile::TempDir,
    by: Hand,
}

impl Place {
    /// A directory with a ring of one key, a good package and one by a stranger.
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap(), by: Hand::new("a") };
        std::fs::create_dir(place.path("ring")).unwrap();
        place.write("ring/key", &place.by.public());
        place.write("good.rpm", &Draft::new().signed(&place.by).file());
        place.write("stranger.rpm", &Draft::new().signed(&Hand::new("b")).file());
        place
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn run(&self, words: &[&str]) -> Result<(u8, String), VerifyError> {
        let words: Vec<String> = words
            .iter()
            .map(|word| if word.starts_with('-') || word.contains('Z') { (*word).to_owned() } else { self.path(word) })
            .collect();
        let line = Line::parse_from(std::iter::once("verify".to_owned()).chain(words));
        let mut out = Vec::new();
        let code = run(&line.args, time(ARRIVES), &mut out)?;
        let text = String::from_utf8(out).unwrap().replace(&format!("{}/", self.dir.path().display()), "");
        Ok((code, text.replace(&self.by.fingerprint(), "KEY")))
    }
}

#[test]
fn each_file_gets_a_line_and_the_worst_one_the_exit_code() {
    let place = Place::new();
    let (code, text) = place.run(&["--keyring", "ring/key", "good.rpm"]).unwrap();
    assert_eq!((code, text.as_str()), (0, "good.rpm: accepted tool-1.0-1.noarch by KEY\n"));

    let (code, text) = place.run(&["--keyring", "ring", "good.rpm", "stranger.rpm", "good.rpm"]).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((code, lines.len()), (1, 3));
    assert!(lines[1].starts_with("stranger.rpm: refused unknown_key tag 268 "), "{text}");
    assert!(
        lines[1].ends_with("Sign with a key of the ring, or add the key to the ring of this tree, and reload."),
        "{text}"
    );
}

#[test]
fn json_is_one_document_with_every_file() {
    let place = Place::new();
    let (code, text) = place.run(&["--keyring", "ring", "--json", "good.rpm", "stranger.rpm", "gone.rpm"]).unwrap();
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, all.as_array().unwrap().len()), (2, 3));
    let (good, stranger, gone) = (&all[0], &all[1], &all[2]);
    assert_eq!(good["verdict"], "accepted");
    assert_eq!(good["nevra"], "tool-1.0-1.noarch");
    assert_eq!(good["fingerprints"], serde_json::json!(["KEY"]));
    assert_eq!(good["sha256"].as_str().unwrap().len(), 64);
    assert!(good["code"].is_null() && good["remedy"].is_null());
    assert_eq!((&stranger["verdict"], &stranger["code"]), (&"refused".into(), &"unknown_key".into()));
    assert!(stranger["rule"].is_string() && stranger["detail"].is_string() && stranger["remedy"].is_string());
    assert_eq!(stranger["nevra"], "tool-1.0-1.noarch");
    assert_eq!(gone["verdict"], "unreadable");
}

#[test]
fn nothing_but_a_regular_file_is_opened() {
    let place = Place::new();
    symlink(place.path("good.rpm"), place.path("link.rpm")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, place.path("pipe.rpm"), rustix::fs::Mode::RWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("socket.rpm")).unwrap();
    for name in ["link.rpm", "pipe.rpm", "socket.rpm", "ring"] {
        let (code, text) = place.run(&["--keyring", "ring", name]).unwrap();
        assert_eq!(code, 1);
        assert!(text.starts_with(&format!("{name}: refused not_regular ")), "{text}");
    }
    assert_eq!(place.run(&["--keyring", "ring", "/dev/null"]).map(|(code, _)| code).unwrap(), 1);
    let (code, text) = place.run(&["--keyring", "ring", "gone.rpm", "good.rpm"]).unwrap();
    assert_eq!(code, 2);
    assert!(text.starts_with("gone.rpm: unreadable "), "{text}");
    assert!(text.ends_with("good.rpm: accepted tool-1.0-1.noarch by KEY\n"), "{text}");
}

#[test]
fn a_file_name_cannot_write_a_line_of_its_own() {
    let place = Place::new();
    let name = "x\ngood.rpm: accepted tool-1.0-1.noarch by KEY\u{1b}[2K.rpm";
    place.write(name, b"no package");
    let (code, text) = place.run(&["--keyring", "ring", name]).unwrap();
    assert_eq!((code, text.lines().count()), (1, 1), "{text}");
    assert!(!text.contains('\u{1b}') && text.starts_with("x\\ngood.rpm"), "{text}");
}

#[test]
fn a_package_that_cannot_be_listed_is_refused_although_it_is_signed() {
    let place = Place::new();
    let evil = Draft::new().set(1000, Some(crate::forge::text("../../evil"))).signed(&place.by);
    place.write("evil.rpm", &evil.file());
    let (code, text) = place.run(&["--keyring", "ring", "evil.rpm"]).unwrap();
    assert_eq!(code, 1);
    assert!(text.starts_with("evil.rpm: refused nevra_chars "), "{text}");
}

#[test]
fn the_policy_file_lifts_what_it_names_until_its_date() {
    let place = Place::new();
    let draft = Draft::new();
    let three = place.by.raw(&Raw::three(&place.by, 8), &draft.header());
    place.write("old.rpm", &draft.with(268, three).file());
    let policy = |until: &str, allow: &str| {
        let text = format!("[[legacy]]\nkey = \"{}\"\nuntil = {until}\nallow = [{allow}]\n", place.by.fingerprint());
        place.write("policy.toml", text.as_bytes());
        place.run(&["--keyring", "ring", "--policy", "policy.toml", "old.rpm"]).map(|(code, _)| code)
    };
    assert_eq!(policy("\"2026-11-20\"", "\"v3\"").unwrap(), 0, "that whole day");
    assert_eq!(policy("2026-11-20", "\"v3\"").unwrap(), 0, "a date without quotes");
    assert_eq!(policy("\"2026-11-19\"", "\"v3\"").unwrap(), 1, "over");
    assert_eq!(policy("\"2026-11-20T12:00:01Z\"", "\"v3\"").unwrap(), 0);
    assert_eq!(policy("\"2026-11-20T12:00:00Z\"", "\"v3\"").unwrap(), 1);
    assert_eq!(policy("\"2027-01-01\"", "\"sha1\", \"weak_key\"").unwrap(), 1, "others");

    let at = ["--keyring", "ring", "--policy", "policy.toml", "--at", "2028-01-01T00:00:00Z", "old.rpm"];
    policy("\"2027-01-01\"", "\"v3\"").unwrap();
    assert_eq!(place.run(&at).map(|(code, _)| code).unwrap(), 1, "over by then");

    place.write("policy.toml", b"min_signers = 2\n");
    let (code, text) = place.run(&["--keyring", "ring", "--policy", "policy.toml", "good.rpm"]).unwrap();
    assert!(code == 1 && text.contains("too_few_signers"), "{text}");
}

#[track_caller]
fn complains(result: Result<(u8, String), VerifyError>, about: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(about), "{error}");
}

/// What lies in a directory of keys and has none for the ring.
#[test]
fn in_a_directory_of_keys_what_is_unusable_is_named_and_left_out() {
    let place = Place::new();
    place.write("ring/README", b"about these keys");
    // An X.509 certificate, as Fedora has them for IMA; a key of 1992; a secret key of somebody else; a pipe; a link.
    place.write("ring/RPM-GPG-KEY-EPEL-10-IMA", &[0x30, 0x82, 0x03, 0x00]);
    place.write("ring/old", &crate::forge::framed(6, &[3, 0x30, 0, 0, 0, 0, 0, 1, 0, 8, 0xff, 0, 2, 3]));
    place.write("ring/secret", &Hand::new("s").cert.as_tsk().to_vec().unwrap());
    rustix::fs::mkfifoat(rustix::fs::CWD, place.path("ring/pipe"), rustix::fs::Mode::RWXU).unwrap();
    symlink("nowhere", place.path("ring/link")).unwrap();
    // Hidden files are an editor's.
    place.write("ring/.key.swp", b"x");
    let (code, text) = place.run(&["--keyring", "ring", "--json", "good.rpm"]).unwrap();
    assert_eq!(code, 0, "{text}");
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    let left_out: Vec<&str> = all[0]["keys_left_out"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).collect();
    for (file, says) in [
        ("ring/README", "holds no OpenPGP certificate"),
        ("ring/RPM-GPG-KEY-EPEL-10-IMA", "neither armor nor text"),
        ("ring/old", "a key of a version that is not supported"),
        ("ring/secret", "holds a secret key"),
        ("ring/pipe", "neither a file nor a directory"),
        ("ring/link", "does not exist"),
    ] {
        let named =
            left_out.iter().find(|words| words.starts_with(&format!("{file}: "))).unwrap_or_else(|| panic!("{file}"));
        assert!(named.contains(says), "{named}");
    }
    assert_eq!(left_out.len(), 6, "{left_out:?}");
    // Named by itself it is an error.
    complains(place.run(&["--keyring", "ring", "--keyring", "ring/README", "good.rpm"]), "README: holds no OpenPGP");
    // A revocation alone is no unusable file: it counts.
    let revocation = sequoia_openpgp::cert::CertRevocationBuilder::new()
        .build(&mut place.by.primary().1, &place.by.cert, None)
        .unwrap();
    place.write("ring/zz.rev", &sequoia_openpgp::Packet::from(revocation).to_vec().unwrap());
    let (code, text) = place.run(&["--keyring", "ring", "good.rpm"]).unwrap();
    assert!(code == 1 && text.contains("key_revoked"), "{text}");
    // One that could not be placed is an error, also in a directory.
    let stranger = Hand::new("stranger");
    let revocation = sequoia_openpgp::cert::CertRevocationBuilder::new()
        .build(&mut stranger.primary().1, &stranger.cert, None)
        .unwrap();
    place.write("ring/zz.rev", &sequoia_openpgp::Packet::from(revocation).to_vec().unwrap());
    complains(place.run(&["--keyring", "ring", "good.rpm"]), &stranger.fingerprint());
}

#[test]
fn a_ring_or_a_policy_that_cannot_be_read_gives_no_verdict() {
    let place = Place::new();
    complains(place.run(&["--keyring", "gone", "good.rpm"]), "could not read");
    std::fs::create_dir(place.path("empty")).unwrap();
    complains(place.run(&["--keyring", "empty", "good.rpm"]), "no certificate");
    place.write("README", b"about these keys");
    complains(place.run(&["--keyring", "README", "good.rpm"]), "README: holds no OpenPGP certificate");
    rustix::fs::mkfifoat(rustix::fs::CWD, place.path("pipe"), rustix::fs::Mode::RWXU).unwrap();
    complains(place.run(&["--keyring", "pipe", "good.rpm"]), "neither a file nor a directory");
    complains(place.run(&["--keyring", "ring", "--policy", "pipe", "good.rpm"]), "neither a file nor a directory");

    let key = place.by.fingerprint();
    for (text, about) in [
        ("min_singers = 2".to_owned(), "unknown field `min_singers`"),
        (
            format!("[[legacy]]\nkey = \"{key}\"\nuntil = \"2027-01-01\"\nallow = [\"all\"]"),
            "not a rule that can be waived",
        ),
        (format!("[[legacy]]\nkey = \"{key}\"\nuntil = \"soon\"\nallow = []"), "is not a date"),
        ("[[legacy]]\nkey = \"F4A80EB5\"\nuntil = \"2027-01-01\"\nallow = []".to_owned(), "key id"),
        (format!("[[legacy]]\nkey = \"{key}\"\nallow = []"), "missing field `until`"),
        (format!("[[legacy]]\nkey = \"{key}\"\nuntil = \"2027-01-01\"\nallow = []\nfor = 1"), "unknown field `for`"),
        ("legacy = 1".to_owned(), "invalid type"),
    ] {
        place.write("policy.toml", text.as_bytes());
        complains(place.run(&["--keyring", "ring", "--policy", "policy.toml", "good.rpm"]), about);
    }
    complains(place.run(&["--keyring", "ring", "--policy", "gone", "good.rpm"]), "could not read");
}
