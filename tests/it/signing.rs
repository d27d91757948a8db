//! What we sign, judged by gpg and rpm themselves.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use crate::peers;
use jiff::Timestamp;
use rolloutd::format::sample::{self, Recipe};
use rolloutd::format::signing::{Signer, generate};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// Runs a program in `dir` with everything it might write kept there.
fn run(dir: &Path, program: &str, args: &[&str]) -> Output {
    let out = Command::new(program)
        .args(args)
        .current_dir(dir)
        .env("HOME", dir)
        .env("GNUPGHOME", dir.join("gnupg"))
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    eprintln!("{program} {}: {}", args.join(" "), out.status);
    if out.stdout.len() < 10_000 {
        eprint!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    }
    out
}

fn good(dir: &Path, program: &str, args: &[&str]) -> String {
    let out = run(dir, program, args);
    assert!(out.status.success(), "{program} {args:?}");
    crate::site::said(&out)
}

/// A directory with a private key ring of gpg; its agent ends with it.
struct Gnupg(TempDir);

impl Gnupg {
    fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = TempDir::new().unwrap();
        fs::create_dir(dir.path().join("gnupg")).unwrap();
        fs::set_permissions(dir.path().join("gnupg"), fs::Permissions::from_mode(0o700)).unwrap();
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Gnupg {
    fn drop(&mut self) {
        run(self.path(), "gpgconf", &["--kill", "all"]);
    }
}

#[test]
fn gpg_verifies_what_a_generated_key_signed_and_refuses_other_bytes() {
    if !peers::have(&["gpg"]) {
        return;
    }
    let home = Gnupg::new();
    let dir = home.path();
    let made = generate("Example repository <repository@example.org>", at(1_700_000_000)).unwrap();
    let signer = Signer::read(made.secret.as_bytes(), at(1_700_000_001)).unwrap();
    fs::write(dir.join("key.asc"), &made.public).unwrap();
    fs::write(dir.join("secret.asc"), &made.secret).unwrap();
    fs::write(dir.join("repomd.xml"), "<repomd/>\n").unwrap();
    let signature = signer.sign_detached_armored(b"<repomd/>\n", at(1_700_000_002)).unwrap();
    fs::write(dir.join("repomd.xml.asc"), signature).unwrap();
    fs::write(dir.join("other.xml"), "<repomd></repomd>\n").unwrap();

    good(dir, "gpg", &["--batch", "--import", "key.asc"]);
    let said = good(dir, "gpg", &["--batch", "--status-fd", "1", "--verify", "repomd.xml.asc", "repomd.xml"]);
    assert!(said.contains(&format!("VALIDSIG {} 2023-11-14 1700000002 0 4 0 1 8 00", made.fingerprint)), "{said}");
    assert!(!run(dir, "gpg", &["--batch", "--verify", "repomd.xml.asc", "other.xml"]).status.success());
    let listed = good(dir, "gpg", &["--batch", "--with-colons", "--list-keys"]);
    assert!(listed.contains("uid:"), "{listed}");
    assert!(listed.contains(":scESC:") || listed.contains(":scSC:"), "signs and certifies: {listed}");
    // The secret half is one that gpg can use too, so a site may take its key along.
    good(dir, "gpg", &["--batch", "--import", "secret.asc"]);
    good(dir, "gpg", &["--batch", "--yes", "--detach-sign", "other.xml"]);
}

#[test]
fn keys_made_by_gpg_sign_for_us_and_those_that_cannot_are_refused() {
    if !peers::have(&["gpg"]) {
        return;
    }
    let home = Gnupg::new();
    let dir = home.path();
    let key = |algorithm: &str, usage: &str, passphrase: &str| {
        let name = format!("{algorithm} {usage} {passphrase} <x@example.org>");
        let batch = ["--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase];
        good(dir, "gpg", &[&batch[..], &["--quick-gen-key", &name, algorithm, usage, "never"]].concat());
        let listed = good(dir, "gpg", &["--batch", "--with-colons", "--list-keys", &format!("={name}")]);
        let fingerprint = listed.lines().find(|l| l.starts_with("fpr")).unwrap().split(':').nth(9).unwrap().to_owned();
        if usage == "cert" {
            let sub = [&batch[..], &["--quick-add-key", &fingerprint, algorithm, "sign", "never"]].concat();
            good(dir, "gpg", &sub);
        }
        let file = format!("{fingerprint}.asc");
        let armored = ["--armor", "--output", &file, "--export-secret-keys", &fingerprint];
        good(dir, "gpg", &[&batch[..], &armored[..]].concat());
        fs::read(dir.join(file)).unwrap()
    };
    fs::write(dir.join("text"), "text").unwrap();
    for (algorithm, usage) in [
        ("rsa2048", "sign"),
        ("rsa4096", "cert"),
        ("ed25519", "sign"),
        ("nistp256/ecdsa", "cert"),
        ("nistp384/ecdsa", "sign"),
    ] {
        let secret = key(algorithm, usage, "");
        let now = Timestamp::now();
        let signer = Signer::read(&secret, now).unwrap();
        assert_eq!(signer.fingerprint() == signer.signing_fingerprint(), usage == "sign");
        fs::write(dir.join("text.asc"), signer.sign_detached_armored(b"text", now).unwrap()).unwrap();
        let said = good(dir, "gpg", &["--batch", "--status-fd", "1", "--verify", "text.asc", "text"]);
        assert!(said.contains(&format!("VALIDSIG {}", signer.signing_fingerprint())), "{algorithm}: {said}");
    }
    for (algorithm, passphrase, word) in [
        ("dsa2048", "", "DSA"),
        ("rsa1024", "", "RSA1024 is not considered secure"),
        ("rsa2048", "open sesame", "passphrase"),
    ] {
        let refused = Signer::read(&key(algorithm, "sign", passphrase), Timestamp::now()).unwrap_err().to_string();
        assert!(refused.contains(word), "{algorithm}: {refused}");
    }
}

#[test]
fn rpm_reads_checks_and_unpacks_a_sample_package() {
    if !peers::have(&["rpm", "rpmkeys", "rpm2cpio"]) {
        return;
    }
    let home = Gnupg::new();
    let dir = home.path();
    let db = dir.join("rpmdb");
    let db = db.to_str().unwrap();
    let made = generate("Example repository <repository@example.org>", at(1_700_000_000)).unwrap();
    let signer = Signer::read(made.secret.as_bytes(), at(1_700_000_001)).unwrap();
    let recipe = Recipe {
        name: "demo".to_owned(),
        epoch: Some(2),
        version: "1.0".to_owned(),
        release: "1.el6".to_owned(),
        arch: "noarch".to_owned(),
        summary: "A sample".to_owned(),
        requires: vec!["demo-libs >= 1.0".to_owned()],
        provides: vec!["demo-interface = 3".to_owned()],
        files: vec![
            ("/usr/share/demo/version".to_owned(), b"1.0\n".to_vec()),
            ("/usr/share/demo/more".to_owned(), vec![b'x'; 10_000]),
        ],
        changelog: vec![(at(1_600_000_000), "A Person <a@example.org> - 1.0-1".to_owned(), "- first".to_owned())],
        build_time: at(1_700_000_000),
    };
    let package = sample::build(&recipe, Some(&signer), at(1_700_000_002)).unwrap();
    fs::write(dir.join("demo.rpm"), &package).unwrap();
    fs::write(dir.join("key.asc"), &made.public).unwrap();
    let mut tampered = package.clone();
    *tampered.last_mut().unwrap() ^= 1;
    fs::write(dir.join("tampered.rpm"), tampered).unwrap();
    fs::write(dir.join("unsigned.rpm"), sample::build(&recipe, None, at(1_700_000_002)).unwrap()).unwrap();

    let format = "%{NEVRA}|%{SIZE}|%{SUMMARY}|[%{FILENAMES},]|[%{REQUIRENEVRS},]|%{RSAHEADER:pgpsig}\n";
    let said = good(dir, "rpm", &["--dbpath", db, "-qp", "--qf", format, "demo.rpm"]);
    assert!(said.contains("demo-2:1.0-1.el6.noarch|10004|A sample|"), "{said}");
    assert!(said.contains("/usr/share/demo/more,/usr/share/demo/version,"), "{said}");
    assert!(said.contains("demo-libs >= 1.0,"), "{said}");
    assert!(said.to_lowercase().contains("rsa/sha256"), "{said}");
    assert!(said.to_lowercase().contains(&made.fingerprint[24..].to_lowercase()), "{said}");
    let log = good(dir, "rpm", &["--dbpath", db, "-qp", "--changelog", "demo.rpm"]);
    assert!(log.contains("- first"), "{log}");

    assert!(!run(dir, "rpmkeys", &["--dbpath", db, "-K", "demo.rpm"]).status.success(), "the key is not known yet");
    good(dir, "rpmkeys", &["--dbpath", db, "--import", "key.asc"]);
    let checked = good(dir, "rpmkeys", &["--dbpath", db, "-Kv", "demo.rpm"]);
    assert!(checked.contains("Header V4 RSA/SHA256 Signature, key ID"), "{checked}");
    assert!(checked.contains("Payload SHA256 digest: OK"), "{checked}");
    assert!(!checked.contains("BAD") && !checked.contains("NOKEY"), "{checked}");
    let brief = good(dir, "rpmkeys", &["--dbpath", db, "-K", "demo.rpm"]);
    assert!(brief.contains("demo.rpm: digests signatures OK"), "{brief}");
    assert!(!run(dir, "rpmkeys", &["--dbpath", db, "-K", "tampered.rpm"]).status.success());
    let unsigned = good(dir, "rpmkeys", &["--dbpath", db, "-K", "unsigned.rpm"]);
    assert!(unsigned.contains("digests OK") && !unsigned.contains("signatures"), "{unsigned}");

    let archive = run(dir, "rpm2cpio", &["demo.rpm"]);
    assert!(archive.status.success() && archive.stdout.starts_with(b"070701"), "a cpio archive of the new kind");
    assert!(archive.stdout.windows(24).any(|bytes| bytes == b"/usr/share/demo/version\0"));
}
