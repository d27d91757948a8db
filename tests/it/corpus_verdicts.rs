//! Other people's packages, judged by us and by rpm.
//!
//! Every package of the corpus is judged with all keys of the corpus but the awkward ones, at the time
//! at which rpm 4.18 and rpm 6.1 judged them. Nothing that we accept may have been refused there, and
//! each difference, in either direction, stands with its reason in `fixtures/corpus-verdicts.tsv`.

#![expect(clippy::disallowed_methods, reason = "altered packages are written for rpm to read")]

use crate::peers;
use jiff::Timestamp;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::refusal::{Code, Refusal};
use rolloutd::domain::trust::{Accepted, Legacy, Lifted, Policy};
use rolloutd::format::openpgp::Keyring;
use rolloutd::format::reading::{Contents, Reading};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The clock of the recorded verdicts.
const AT: &str = "2026-11-20T12:00:00Z";

/// The differences that are known and why they are right.
const KNOWN: &str = include_str!("../../fixtures/corpus-verdicts.tsv");

/// Key files that are refused, with what is said about them.
const NO_RINGS: &[(&str, &str)] = &[
    // An X.509 certificate.
    ("keys/RPM-GPG-KEY-EPEL-10-IMA", "no OpenPGP certificate"),
    ("keys/RPM-PGP-KEY-redhat-v3-a520e8f1cba29bf9.asc", "version that is not supported"),
    ("keys/awkward/conary/v3key2.gpg", "version that is not supported"),
    ("keys/suse/gpg-pubkey-3d25d3d9-36e12d04.asc", "version that is not supported"),
    ("keys/suse/gpg-pubkey-3d25d3d9-36e12d04.asc.97066e13", "version that is not supported"),
    // No key at all under that name.
    ("repos/SUSE+rmt/spec/fixtures/files/dummy_product/product/repodata/repomd.xml.key", "no OpenPGP certificate"),
];

pub(crate) struct Corpus {
    place: PathBuf,
    rows: Vec<BTreeMap<String, String>>,
}

impl Corpus {
    pub(crate) fn open() -> Option<Self> {
        let place = peers::corpus()?;
        let manifest = std::fs::read_to_string(place.join("MANIFEST.tsv")).unwrap();
        let mut lines = manifest.lines();
        let head: Vec<String> = lines.next().unwrap().split('\t').map(str::to_owned).collect();
        let row = |line: &str| head.iter().cloned().zip(line.split('\t').map(str::to_owned)).collect();
        Some(Self { rows: lines.map(row).collect(), place })
    }

    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&str, &BTreeMap<String, String>)> {
        self.rows.iter().filter(move |row| row["kind"] == kind).map(|row| (row["path"].as_str(), row))
    }

    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.place.join(path)).unwrap()
    }

    pub(crate) fn key_files(&self) -> Vec<(String, Vec<u8>)> {
        self.of_kind("openpgp-key").map(|(path, _)| (path.to_owned(), self.bytes(path))).collect()
    }

    /// All keys but the awkward ones, and whether those that cannot be read are the known ones.
    fn ring(&self) -> Keyring {
        let mut refused = Vec::new();
        let mut taken = Vec::new();
        for file in self.key_files() {
            match Keyring::read(std::slice::from_ref(&file)) {
                Ok(_) if file.0.starts_with("keys/awkward/") => {}
                Ok(_) => taken.push(file),
                Err(complaints) => refused.push((file.0, complaints[0].what.clone())),
            }
        }
        assert_eq!(refused.len(), NO_RINGS.len(), "{refused:#?}");
        for (path, what) in &refused {
            assert!(NO_RINGS.iter().any(|(known, says)| known == path && what.contains(says)), "{path}: {what}");
        }
        Keyring::read(&taken).unwrap()
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<Contents, Refusal> {
    let mut reading = Reading::new(ChecksumKind::Sha256);
    for piece in bytes.chunks(64 * 1024) {
        reading.push(piece)?;
    }
    reading.finish()
}

pub(crate) fn at() -> Timestamp {
    AT.parse().unwrap()
}

fn judge(bytes: &[u8], ring: &Keyring, policy: &Policy) -> Result<Accepted, Refusal> {
    read(bytes)?.judge(ring, policy, at())
}

fn word(verdict: &Result<Accepted, Refusal>) -> &'static str {
    verdict.as_ref().map_or_else(|refusal| refusal.code.as_str(), |_| "accepted")
}

fn allowing(fingerprint: &str, allow: &[Lifted]) -> Legacy {
    Legacy {
        fingerprint: fingerprint.to_owned(),
        until: "2030-01-01T00:00:00Z".parse().unwrap(),
        allow: allow.to_vec(),
    }
}

#[test]
fn every_difference_to_rpm_stands_in_the_table_and_nothing_else_does() {
    let Some(corpus) = Corpus::open() else { return };
    let ring = corpus.ring();
    let strict = Policy::default();
    let everything = Policy {
        legacy: ring.certs(at()).iter().map(|cert| allowing(&cert.fingerprint, &Lifted::ALL)).collect(),
        min_signers: 0,
    };
    let mut differences = BTreeSet::new();
    let mut accepted = BTreeMap::from([("default", 0), ("legacy", 0)]);
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut packages = 0;
    for (path, row) in corpus.of_kind("rpm") {
        let columns = ["rpm_verdict", "rpm61_verdict", "rpm61_legacy_verdict"].map(|column| row[column].as_str());
        let contents = read(&corpus.bytes(path));
        let mut compare = |name: &'static str, policy: &Policy, agrees: &dyn Fn(bool) -> bool| {
            let verdict = match &contents {
                Ok(contents) => contents.judge(&ring, policy, at()),
                Err(refusal) => Err(refusal.clone()),
            };
            *accepted.entry(name).or_default() += u32::from(verdict.is_ok());
            if !agrees(verdict.is_ok()) {
                differences.insert([&[name, path, word(&verdict)], &columns[..]].concat().join("\t"));
            }
            word(&verdict)
        };
        let ours = compare("default", &strict, &|ours| columns.iter().all(|theirs| (*theirs == "OK_SIGNED") == ours));
        let good_enough = matches!(columns[2], "OK_SIGNED" | "SIG_OK_BUT_RC1");
        compare("legacy", &everything, &|ours| (columns[0] == "OK_SIGNED") == ours && (good_enough || !ours));
        *codes.entry(ours).or_default() += 1;
        packages += 1;
    }
    eprintln!("{packages} packages, accepted: {accepted:?}; by default: {codes:?}");
    assert!(packages > 800 && accepted["default"] > 80 && accepted["legacy"] > 180, "{accepted:?}");

    let mut known = BTreeSet::new();
    for line in KNOWN.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let (difference, reason) = line.rsplit_once('\t').unwrap();
        assert!(reason.len() > 20, "no reason: {line}");
        assert!(known.insert(difference.to_owned()), "twice: {line}");
    }
    let missing: Vec<_> = differences.difference(&known).collect();
    let stale: Vec<_> = known.difference(&differences).collect();
    assert!(missing.is_empty() && stale.is_empty(), "not in the table: {missing:#?}\nno longer so: {stale:#?}");
}

#[test]
fn what_we_accept_and_rpm_does_not_was_looked_at_one_by_one() {
    let rows = KNOWN.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect::<Vec<_>>());
    let alone: BTreeSet<&str> =
        rows.filter(|row| row[0] == "default" && row[2] == "accepted").map(|row| row[1]).collect();
    assert_eq!(
        alone,
        BTreeSet::from([
            "rpms/rpm-rs+rpm/rpm-basic-multiple-signatures-2.3.4-5.el9.noarch.rpm",
            "rpms/rpm-rs+rpm/rpm-basic-with-ecdsa-2.3.4-5.el9.noarch.rpm",
            "rpms/rpm-rs+rpm/rpm-basic-with-mldsa65-ed25519-2.3.4-5.el9.noarch.rpm",
        ])
    );
}

#[test]
fn no_octet_of_what_only_we_accept_can_change() {
    let Some(corpus) = Corpus::open() else { return };
    let ring = corpus.ring();
    for line in KNOWN.lines().filter(|line| line.starts_with("default\t")) {
        let fields: Vec<&str> = line.split('\t').collect();
        if fields[2] != "accepted" {
            continue;
        }
        let file = corpus.bytes(fields[1]);
        let layout = read(&file).unwrap().layout;
        assert!(judge(&file, &ring, &Policy::default()).is_ok());
        let start = usize::try_from(layout.main.start).unwrap();
        for at in (start..file.len()).step_by(97) {
            let mut altered = file.clone();
            altered[at] ^= 4;
            assert!(judge(&altered, &ring, &Policy::default()).is_err(), "{} octet {at}", fields[1]);
        }
    }
}

/// Everything before the main header is unsigned: lead, signature header, padding. An octet of it may
/// change without our minding only where rpm does not mind either; else a file could be let in here
/// and fail at the sites.
#[test]
fn rpm_accepts_every_altered_package_that_we_accept() {
    let Some(corpus) = Corpus::open() else { return };
    if !peers::have(&["rpmkeys"]) {
        return;
    }
    let strict = Policy::default();
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    let rpmkeys = |words: &[&std::ffi::OsStr]| {
        let mut command = std::process::Command::new("rpmkeys");
        command.arg("--dbpath").arg(&keys).args(words).env("LC_ALL", "C").output().unwrap()
    };
    let mut rings = Vec::new();
    for (path, bytes) in corpus.key_files() {
        if let Ok(ring) = Keyring::read(&[(path.clone(), bytes)]) {
            rings.push((path, ring));
        }
    }
    let (mut tried, mut accepted, mut styles) = (0, 0, BTreeSet::new());
    for (path, row) in corpus.of_kind("rpm") {
        if row["rpm_verdict"] != "OK_SIGNED" || row["size"].parse::<u64>().unwrap() > 40_000 {
            continue;
        }
        let file = corpus.bytes(path);
        // One of each kind of signature is enough.
        let style = row["signatures"].split('/').take(3).collect::<Vec<_>>().join("/");
        let Some((key, ring)) = rings.iter().find(|(_, ring)| judge(&file, ring, &strict).is_ok()) else { continue };
        let imported = rpmkeys(&["--import".as_ref(), corpus.place.join(key).as_os_str()]);
        if !imported.status.success() || !styles.insert(style) || styles.len() > 4 {
            continue;
        }
        let main = usize::try_from(read(&file).unwrap().layout.main.start).unwrap();
        let mut names = vec![dir.path().join("whole.rpm")];
        std::fs::write(&names[0], &file).unwrap();
        for at in 0..main {
            // The room that rpm leaves for later signatures is long and empty.
            let in_the_empty_room = at > 8 && file[at - 8..main.min(at + 8)].iter().all(|octet| *octet == 0);
            if in_the_empty_room && at % 61 != 0 {
                continue;
            }
            let mut altered = file.clone();
            altered[at] ^= if at % 2 == 0 { 0x01 } else { 0xff };
            tried += 1;
            if judge(&altered, ring, &strict).is_ok() {
                names.push(dir.path().join(format!("{at}.rpm")));
                std::fs::write(names.last().unwrap(), altered).unwrap();
            }
        }
        accepted += names.len();
        for some in names.chunks(200) {
            let words: Vec<&std::ffi::OsStr> =
                std::iter::once("-K".as_ref()).chain(some.iter().map(|name| name.as_os_str())).collect();
            let said = rpmkeys(&words);
            let all = crate::site::said(&said);
            let bad: Vec<&str> = all.lines().filter(|line| !line.ends_with("digests signatures OK")).collect();
            assert!(said.status.success() && bad.is_empty(), "{path}: {bad:#?}");
        }
        for name in names {
            std::fs::remove_file(name).unwrap();
        }
    }
    eprintln!("{tried} altered packages of {styles:?}, {accepted} accepted here and by rpm");
    assert!(tried > 1500 && accepted > 100 && styles.len() > 2, "{tried} {accepted} {styles:?}");
}

#[test]
fn packages_of_el5_and_el6_come_in_by_their_exceptions_and_not_without() {
    use Lifted::{Expired, HeaderPayload, Sha1, V3, WeakKey};
    let Some(corpus) = Corpus::open() else { return };
    let ring = corpus.ring();
    for (path, fingerprint, code, allow) in [
        (
            // Scientific Linux: DSA of 1024 bits, SHA-1.
            "rpms/intel+vsm-dependencies/python-jinja2-2.2.1-1.el6.x86_64.rpm",
            "40D4223E36733C2E1B24E755B0B4183F192A7D7D",
            Code::UnboundKey,
            &[HeaderPayload, Sha1, WeakKey][..],
        ),
        (
            // CentOS 5: the same in version 3, and the key ended in 2017.
            "rpms/cavaliergopher+rpm/centos-release-5-0.0.el5.centos.2.x86_64.rpm",
            "473D66D5212271FD51CC17B1A8A447DCE8562897",
            Code::UnboundKey,
            &[V3, HeaderPayload, Sha1, WeakKey, Expired],
        ),
        (
            // CentOS 6: RSA and SHA-1 in version 3, and the key ended in 2021.
            "rpms/aboutcode-org+scancode-toolkit/libproxy-bin-0.3.0-4.el6_3.x86_64.rpm",
            "C1DAC52D1664E8A4386DBA430946FCA2C105B9DE",
            Code::UnboundKey,
            &[V3, HeaderPayload, Sha1, Expired],
        ),
        (
            // CentOS 7: RSA and SHA-256 in version 3; the key is bound by SHA-1.
            "rpms/02strich+pyrpm/compat-libcap1-1.10-7.el7.x86_64.rpm",
            "6341AB2753D78A78A7C27BB124C6A8A7F4A80EB5",
            Code::UnboundKey,
            &[HeaderPayload, Sha1],
        ),
    ] {
        let file = corpus.bytes(path);
        let with = |allow: &[Lifted]| Policy { legacy: vec![allowing(fingerprint, allow)], min_signers: 0 };
        assert_eq!(judge(&file, &ring, &Policy::default()).map_err(|r| r.code), Err(code), "{path}");
        let accepted = judge(&file, &ring, &with(allow)).unwrap();
        assert_eq!(accepted.fingerprints, [fingerprint], "{path}");
        for left_out in allow {
            let fewer: Vec<Lifted> = allow.iter().copied().filter(|lifted| lifted != left_out).collect();
            assert!(judge(&file, &ring, &with(&fewer)).is_err(), "{path} without {left_out}");
        }
        // What the refusal says about it is what works.
        let said = judge(&file, &ring, &Policy::default()).unwrap_err().detail;
        let names: Vec<&str> = allow.iter().map(|lifted| lifted.as_str()).collect();
        assert!(said.contains(&format!("would have to allow {}", names.join(", "))), "{said}");
        let mut altered = file.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert!(judge(&altered, &ring, &with(allow)).is_err());
    }
}

#[test]
fn awkward_keys_let_nothing_in_that_they_should_not() {
    let Some(corpus) = Corpus::open() else { return };
    let awkward: Vec<_> = corpus
        .key_files()
        .into_iter()
        .filter(|file| file.0.starts_with("keys/awkward/") && Keyring::read(std::slice::from_ref(file)).is_ok())
        .collect();
    assert!(awkward.len() > 10);
    let ring = Keyring::read(&awkward).unwrap();
    let certs = ring.certs(at());
    let usable: Vec<&str> = certs.iter().filter(|c| c.can_sign).map(|c| c.fingerprint.as_str()).collect();
    let mut in_by: BTreeMap<String, usize> = BTreeMap::new();
    for (path, _) in corpus.of_kind("rpm") {
        if let Ok(accepted) = judge(&corpus.bytes(path), &ring, &Policy::default()) {
            for fingerprint in accepted.fingerprints {
                assert!(usable.contains(&fingerprint.as_str()), "{path} by {fingerprint}");
                *in_by.entry(fingerprint).or_default() += 1;
            }
        }
    }
    eprintln!("usable: {usable:?}, accepted: {in_by:?}");
    // Two keys of rpm's own tests with the same 64-bit id are two keys.
    let colliding = certs.iter().filter(|c| c.fingerprint.ends_with("42655A75156B3DE0")).count();
    assert_eq!(colliding, 2);
}
