//! Packages that were changed a little, judged by us and by rpm.
//!
//! Whoever accepts something that rpm refuses has let in what no site can install, or worse, what nobody signed.
//! Mutants are made of packages that both accept: bits, octets, fields of the headers, runs of octets that are
//! left out, doubled, moved or taken from another package, signature headers of one package on the rest of
//! another. Every one is judged by the whole gate and by `rpmkeys -K`. One that we accept and rpm does not fails
//! the test, unless it is of a format that this rpm does not know; those that rpm accepts and we do not are
//! counted by our reason.
//!
//! `ROLLOUTD_MUTANTS` says how many (4,000; 200,000 with `ROLLOUTD_LONG=1`), `ROLLOUTD_SEED` from which seed, and
//! `ROLLOUTD_RPM_ROOT` in which directory another system lies whose rpm is to be asked (root only).
//! `tests/newer-rpm` makes one.
#![expect(clippy::disallowed_methods, reason = "mutants are written for rpm to read")]

use crate::campaign;
use crate::corpus_verdicts::{Corpus, at, read};
use crate::gate::busy;
use crate::peers;
use crate::random::Random;
use crate::site::{keys, package, recipe, tell};
use rolloutd::domain::refusal::{Code, Refusal};
use rolloutd::domain::trust::{Accepted, Policy};
use rolloutd::format::openpgp::Keyring;
use rolloutd::format::package::Package;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Larger ones only cost time: what is attacked is at the beginning.
const SIZE_MAX: u64 = 40_000;
/// Packages of one key, at most, so that all kinds of signatures get their share.
const OF_ONE_KEY: usize = 6;
/// Mutants that rpm is shown at once.
const AT_ONCE: usize = 400;
/// Mutants that are kept to be looked at.
const KEPT: usize = 10;
/// No mutant may take longer.
const TIME_MAX: Duration = Duration::from_secs(2);

/// A package that both accept.
struct Good {
    bytes: Vec<u8>,
    /// Where its main header begins and ends.
    main: std::ops::Range<usize>,
}

/// rpm with a key ring of its own.
struct Rpm {
    /// Where its system lies, if that is not this one.
    root: Option<PathBuf>,
    keys: PathBuf,
}

impl Rpm {
    /// With an empty key ring in a directory, which is below its root.
    fn new(root: Option<PathBuf>, dir: &Path) -> Self {
        let keys = dir.join("keys");
        fs::create_dir(&keys).unwrap();
        Self { root, keys }
    }

    /// A file as it is called where this rpm runs.
    fn inside(&self, path: &Path) -> PathBuf {
        let Some(root) = &self.root else { return path.to_owned() };
        Path::new("/").join(path.strip_prefix(root).unwrap())
    }

    fn run(&self, words: &[&OsStr], files: &[PathBuf]) -> String {
        let mut command = match &self.root {
            None => Command::new("rpmkeys"),
            Some(root) => {
                let mut command = Command::new("chroot");
                command.arg(root).arg("rpmkeys");
                command
            }
        };
        command
            .arg("--dbpath")
            .arg(self.inside(&self.keys))
            .args(words)
            .args(files.iter().map(|file| self.inside(file)));
        let output = command.env("LC_ALL", "C").output().unwrap();
        crate::site::said(&output)
    }

    /// What it calls itself.
    fn version(&self) -> String {
        let said = self.run(&["--version".as_ref()], &[]);
        said.trim().trim_start_matches("RPM version ").to_owned()
    }

    /// Takes a key; rpm 4.18 cannot read every one, and then refuses what it has signed.
    fn import(&self, key: &Path) {
        self.run(&["--import".as_ref()], &[key.to_owned()]);
    }

    /// Which files it accepts with a good signature.
    ///
    /// It is asked for many at once. Now and then one of them makes it end early, so those of which it says
    /// nothing are asked for again, and one that is alone then and of which it still says nothing is refused.
    fn accepts(&self, files: &[PathBuf]) -> Vec<bool> {
        self.accepts_with(&[], files)
    }

    /// The same with settings that are not the usual ones.
    fn accepts_with(&self, settings: &[&OsStr], files: &[PathBuf]) -> Vec<bool> {
        let said = self.run(&[settings, &["-K".as_ref()]].concat(), files);
        let mut verdicts: BTreeMap<&str, bool> = BTreeMap::new();
        for line in said.lines() {
            if let Some((file, verdict)) = line.strip_prefix("error: ").unwrap_or(line).split_once(": ") {
                let good = verdict == "digests signatures OK";
                verdicts.entry(file).and_modify(|before| *before &= good).or_insert(good);
            }
        }
        let verdict = |file: &PathBuf| verdicts.get(self.inside(file).to_str().unwrap()).copied();
        let silent: Vec<PathBuf> = files.iter().filter(|file| verdict(file).is_none()).cloned().collect();
        let mut again = match silent.len() {
            0 => Vec::new(),
            1 if files.len() == 1 => vec![false],
            number => silent.chunks(number.div_ceil(2)).flat_map(|half| self.accepts_with(settings, half)).collect(),
        }
        .into_iter();
        files.iter().map(|file| verdict(file).unwrap_or_else(|| again.next().unwrap())).collect()
    }
}

/// The whole gate: what is asked of the package itself, and of its signatures.
fn judge(bytes: &[u8], ring: &Keyring) -> Result<Accepted, Refusal> {
    let contents = read(bytes)?;
    Package::read(&contents.header, &contents.signature_header, &contents.layout)?;
    contents.judge(ring, &Policy::default(), at())
}

/// Whether it was accepted by the rule of rpm 6, which passes over tags of old formats in packages of format 6.
/// rpm 4.18 knows no such format and looks at them (catalogue H26).
fn by_format_6(accepted: &Accepted) -> bool {
    accepted.notes.iter().any(|note| note.ends_with("ignored, as rpm does in packages of format 6"))
}

/// What makes rpm 6.1 accept packages with no digest of their header but by SHA-1 or MD5. We go by the signature
/// (catalogue S15); rpm 6.1 passes over such digests and then lacks one, but for those who set this to install
/// packages that were made before rpm 4.14.
const WITH_OLD_DIGESTS: [&str; 2] = ["--define", "_pkgverify_flags 0x0"];

/// Packages that both accept, of the corpus and our own, and the ring of their keys.
fn good(dir: &Path, rpm: &Rpm) -> (Vec<Good>, Keyring) {
    let mut files = vec![("ours".to_owned(), keys().ours.0.public.clone().into_bytes())];
    let mut candidates: Vec<Vec<u8>> = (0..4)
        .map(|n| package(&recipe(&format!("made{n}"), "1.0", &["bash", "coreutils"]), Some(&keys().ours.1)))
        .collect();
    if let Some(corpus) = Corpus::open() {
        let readable = corpus.key_files().into_iter().filter(|(path, bytes)| {
            !path.starts_with("keys/awkward/") && Keyring::read(&[(path.clone(), bytes.clone())]).is_ok()
        });
        files.extend(readable);
        let small = corpus
            .of_kind("rpm")
            .filter(|(_, row)| row["rpm_verdict"] == "OK_SIGNED" && row["size"].parse::<u64>().unwrap() <= SIZE_MAX);
        candidates.extend(small.map(|(path, _)| corpus.bytes(path)));
    }
    for (n, (_, bytes)) in files.iter().enumerate() {
        let path = dir.join(format!("key{n}"));
        fs::write(&path, bytes).unwrap();
        rpm.import(&path);
    }
    let ring = Keyring::read(&files).unwrap();
    let mut by_key: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    let mut all = Vec::new();
    for (n, bytes) in candidates.into_iter().enumerate() {
        let Ok(contents) = read(&bytes) else { continue };
        let Ok(accepted) = contents.judge(&ring, &Policy::default(), at()) else { continue };
        let path = dir.join(format!("whole{n}.rpm"));
        fs::write(&path, &bytes).unwrap();
        let of_this_key = by_key.entry(accepted.fingerprints).or_default();
        if *of_this_key < OF_ONE_KEY && rpm.accepts(std::slice::from_ref(&path)) == [true] {
            *of_this_key += 1;
            let place = |at: u64| usize::try_from(at).unwrap();
            let main = place(contents.layout.main.start)..place(contents.layout.main.end);
            all.push(Good { bytes, main });
        }
    }
    (all, ring)
}

/// What a header field is set to.
const FIELDS: [u32; 14] = [0, 1, 2, 3, 6, 7, 8, 9, 62, 267, 268, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/// One mutant of a package; `other` gives what is taken from elsewhere.
fn mutant(of: &Good, other: &Good, dice: &mut Random) -> Vec<u8> {
    let mut bytes = of.bytes.clone();
    for _ in 0..=dice.place(4).saturating_sub(1) {
        change(&mut bytes, of, other, dice);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, of: &Good, other: &Good, dice: &mut Random) {
    // Most of it is about what stands before the payload.
    let end = if dice.place(8) == 0 { bytes.len() } else { of.main.end.min(bytes.len()) };
    let place = dice.place(end);
    let longest = if dice.place(4) == 0 { 2000 } else { 32 };
    let length = 1 + dice.place(longest);
    let stop = (place + length).min(bytes.len());
    match dice.place(12) {
        0..=2 => bytes[place] ^= 1 << dice.place(8),
        3 => bytes[place] = u8::try_from(dice.place(256)).unwrap(),
        4 | 5 => {
            // A field of an entry: tag, type, offset or count of either header, by its place.
            let header = if dice.place(2) == 0 { 96 } else { of.main.start };
            let at = header + 8 + 4 * dice.place(40);
            if at + 4 <= bytes.len() {
                let before = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
                let values =
                    [FIELDS[dice.place(FIELDS.len())], before.wrapping_add(1), before.wrapping_sub(1), !before];
                bytes[at..at + 4].copy_from_slice(&values[dice.place(4)].to_be_bytes());
            }
        }
        6 => {
            // Two entries change places.
            let header = if dice.place(2) == 0 { 96 } else { of.main.start };
            let (one, two) = (header + 16 + 16 * dice.place(12), header + 16 + 16 * dice.place(12));
            if one.max(two) + 16 <= bytes.len() {
                for n in 0..16 {
                    bytes.swap(one + n, two + n);
                }
            }
        }
        7 => drop(bytes.drain(place..stop)),
        8 => {
            let run = bytes[place..stop].to_vec();
            let at = dice.place(bytes.len());
            bytes.splice(at..at, run);
        }
        9 => {
            let from = dice.place(other.bytes.len());
            let run = &other.bytes[from..(from + length).min(other.bytes.len())];
            let stop = (place + run.len()).min(bytes.len());
            bytes.splice(place..stop, run.iter().copied());
        }
        10 => {
            // The signatures of one package on the rest of another, or the other way round.
            let spliced = if dice.place(2) == 0 {
                [&other.bytes[..other.main.start], &of.bytes[of.main.start..]].concat()
            } else {
                [&of.bytes[..of.main.end], &other.bytes[other.main.end..]].concat()
            };
            *bytes = spliced;
        }
        _ => {
            if dice.place(2) == 0 {
                bytes.truncate(dice.place(bytes.len()));
            } else {
                bytes.extend((0..length).map(|n| u8::try_from(n % 251).unwrap()));
            }
        }
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
}

#[test]
fn no_mutant_is_accepted_here_and_refused_by_rpm() {
    let root = std::env::var_os("ROLLOUTD_RPM_ROOT").map(PathBuf::from);
    if root.is_none() && !peers::have(&["rpmkeys"]) {
        return;
    }
    let wanted = campaign::number("ROLLOUTD_MUTANTS").unwrap_or(if campaign::is_long() { 200_000 } else { 4000 });
    let seed = campaign::number("ROLLOUTD_SEED").unwrap_or(20_261_121);
    let dir = match &root {
        None => tempfile::tempdir(),
        Some(root) => tempfile::tempdir_in(root.join("tmp")),
    };
    let dir = dir.unwrap();
    let rpm = Rpm::new(root, dir.path());
    let version = rpm.version();
    let old = version.starts_with("4.");
    let (good, ring) = good(dir.path(), &rpm);
    assert!(good.len() >= 3, "{} packages that both accept", good.len());
    let mut dice = Random(seed);
    let (mut both, mut neither, mut wrong) = (0_u64, 0_u64, Vec::new());
    let (mut format_6, mut old_digests) = (0_u64, 0_u64);
    let mut stricter: BTreeMap<Code, u64> = BTreeMap::new();
    let mut slowest = Duration::ZERO;
    let mut done = 0;
    while done < wanted {
        let some = AT_ONCE.min(usize::try_from(wanted - done).unwrap());
        let mut batch = Vec::with_capacity(some);
        for n in 0..some {
            let (of, other) = (&good[dice.place(good.len())], &good[dice.place(good.len())]);
            let bytes = mutant(of, other, &mut dice);
            let (verdict, took) = busy(|| judge(&bytes, &ring));
            slowest = slowest.max(took);
            let path = dir.path().join(format!("{n}.rpm"));
            fs::write(&path, &bytes).unwrap();
            batch.push((path, verdict));
        }
        let paths: Vec<PathBuf> = batch.iter().map(|(path, _)| path.clone()).collect();
        let mut doubtful = Vec::new();
        for ((path, verdict), rpm) in batch.into_iter().zip(rpm.accepts(&paths)) {
            match (verdict, rpm) {
                (Ok(_), true) => both += 1,
                (Err(_), false) => neither += 1,
                (Err(refusal), true) => *stricter.entry(refusal.code).or_default() += 1,
                (Ok(accepted), false) if old && by_format_6(&accepted) => format_6 += 1,
                (Ok(_), false) => doubtful.push(path),
            }
        }
        let leniently = rpm.accepts_with(&WITH_OLD_DIGESTS.map(OsStr::new), &doubtful);
        for (path, leniently) in doubtful.into_iter().zip(leniently) {
            if leniently && !old {
                old_digests += 1;
            } else if wrong.len() < KEPT {
                let kept = std::env::temp_dir().join(format!("rolloutd-mutant-{seed}-{}.rpm", wrong.len()));
                fs::copy(path, &kept).unwrap();
                wrong.push(kept);
            }
        }
        done += some as u64;
    }
    tell(&format!(
        "rpm {version}: {wanted} mutants of {} packages, seed {seed}: {both} accepted by both, {neither} by neither, {} \
         by rpm only, {} by us only; slowest verdict {slowest:?}",
        good.len(),
        stricter.values().sum::<u64>(),
        wrong.len()
    ));
    tell(&format!("  accepted here by S15 and by rpm with _pkgverify_flags 0x0: {old_digests}"));
    tell(&format!("  accepted here by the rule of rpm 6 for packages of format 6, which this rpm lacks: {format_6}"));
    for (code, number) in stricter {
        tell(&format!("  refused here and accepted by rpm: {number} {code}"));
    }
    assert!(wrong.is_empty(), "accepted here and refused by rpm: {wrong:?}");
    assert!(slowest < TIME_MAX, "a verdict took {slowest:?}");
    assert!(both > 0 && neither > wanted / 4, "too many or too few of them are broken");
}
