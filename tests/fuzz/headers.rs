//! Whole packages: both headers, digests, the verdict, and what repodata says of them.
//!
//! - In which pieces a file comes changes nothing: facts, faults, notes and verdicts are equal.
//! - Size and checksums are those of the bytes; the headers lie where the layout says, and are kept as they were.
//! - A header that was read is read again from its own bytes, with the same entries.
//! - An identity is written and read back to the same identity.
//! - Whatever can be listed is listed in XML that three readers understand, see `listing`.
//! - What is accepted, also with every exception granted, is a package that one of the keys has signed.

use std::io::Cursor;

use aws_lc_rs::digest;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::nevra::Nevra;
use rolloutd::domain::refusal::Refusal;
use rolloutd::domain::trust::Policy;
use rolloutd::format::header::{Header, Part};
use rolloutd::format::package::{Package, Placed};
use rolloutd::format::reading::{Contents, Reading, Unread};

use super::genuine::{self, RING};
use super::{Dice, Outcome, listing};

/// Longest piece in which a file is torn; most end within a header.
const PIECE_MAX: usize = 300;

pub fn target(data: &[u8]) -> Outcome {
    let mut dice = Dice::of(data);
    let kind = ChecksumKind::ALL[dice.below(ChecksumKind::ALL.len())];
    let whole = in_pieces(kind, data, usize::MAX, &mut dice);
    let longest = 1 + dice.below(PIECE_MAX);
    let torn = in_pieces(kind, data, longest, &mut dice);
    let mut buffer = vec![0; longest];
    let read = match Reading::new(kind).whole(&mut Cursor::new(data), &mut buffer) {
        Ok(contents) => Ok(contents),
        Err(Unread::Refused(refusal)) => Err(refusal),
        Err(Unread::Failed(error)) => panic!("memory can be read: {error}"),
    };
    for other in [torn, read] {
        agree(&whole, &other);
    }
    let Ok(contents) = whole else { return Outcome::Refused };
    facts(kind, data, &contents);
    for header in [&contents.header, &contents.signature_header] {
        reads_again(header);
    }
    let _ = verdicts(data, &contents);
    let Ok(package) = Package::read(&contents.header, &contents.signature_header, &contents.layout) else {
        return Outcome::Refused;
    };
    let again = package.nevra.to_string().parse::<Nevra>();
    assert_eq!(again.as_ref(), Ok(&package.nevra), "an identity is read back as it was written");
    let placed = Placed {
        pkgid: contents.pkgid.clone(),
        checksum: kind,
        file_time: 1_700_000_000,
        package_size: contents.size,
        location: format!("Packages/{}", package.nevra.file_name()),
    };
    listing::says_all(&package, &placed);
    Outcome::Taken
}

fn in_pieces(kind: ChecksumKind, data: &[u8], longest: usize, dice: &mut Dice) -> Result<Contents, Refusal> {
    let mut reading = Reading::new(kind);
    let mut rest = data;
    while !rest.is_empty() {
        let length = if longest == usize::MAX { rest.len() } else { (1 + dice.below(longest)).min(rest.len()) };
        let (piece, after) = rest.split_at(length);
        if let Err(refusal) = reading.push(piece) {
            let again = reading.push(after);
            assert_eq!(again.as_ref(), Err(&refusal), "after a refusal nothing more is taken");
            return Err(refusal);
        }
        rest = after;
    }
    reading.finish()
}

fn agree(one: &Result<Contents, Refusal>, other: &Result<Contents, Refusal>) {
    match (one, other) {
        (Ok(one), Ok(other)) => {
            assert_eq!(format!("{one:?}"), format!("{other:?}"), "pieces do not matter");
            assert_eq!((&one.pkgid, &one.notes), (&other.pkgid, &other.notes), "pieces do not matter");
            assert_eq!(one.header.raw(), other.header.raw(), "pieces do not matter");
            let at = genuine::arrival();
            let verdicts = [one, other].map(|contents| contents.judge(&RING, &Policy::default(), at));
            assert_eq!(verdicts[0], verdicts[1], "pieces do not matter");
        }
        (Err(one), Err(other)) => assert_eq!(one, other, "pieces do not matter"),
        _ => panic!("pieces matter: {one:?} and {other:?}"),
    }
}

fn facts(kind: ChecksumKind, data: &[u8], contents: &Contents) {
    let algorithm = match kind {
        ChecksumKind::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        ChecksumKind::Sha256 => &digest::SHA256,
        ChecksumKind::Sha512 => &digest::SHA512,
    };
    assert_eq!(contents.size, data.len() as u64);
    assert_eq!(contents.sha256.0.as_slice(), genuine::sha256(data));
    assert_eq!(contents.pkgid, hex::encode(digest::digest(algorithm, data)));
    let layout = &contents.layout;
    assert!(layout.signature.start == 96 && layout.padding().count() < 8, "{layout:?}");
    let part = |range: &std::ops::Range<u64>| {
        let ends = usize::try_from(range.start).and_then(|start| Ok(start..usize::try_from(range.end)?));
        data.get(ends.expect("inside the file")).expect("inside the file")
    };
    assert_eq!(contents.signature_header.raw(), part(&layout.signature), "hashed is what was read");
    assert_eq!(contents.header.raw(), part(&layout.main), "hashed is what was read");
}

fn reads_again(header: &Header) {
    let part = header.part();
    let again = Header::read(header.raw(), part).expect("what was a header is one");
    assert!(again.entries().eq(header.entries()), "the same entries");
    for (tag, _, count) in header.entries() {
        assert!(header.has(tag) && header.count(tag) == count, "tag {tag}");
        assert!(header.strings(tag).count() <= count as usize, "tag {tag}");
        assert!(header.u64s(tag).count() <= count as usize, "tag {tag}");
    }
    let other = if part == Part::Main { Part::Signature } else { Part::Main };
    // Whatever it is as the other part, asking must not fail.
    let _ = Header::read(header.raw(), other);
}

/// The verdicts without and with every exception, and that nobody is let in who has no key.
pub fn verdicts(data: &[u8], contents: &Contents) -> [Result<(), Refusal>; 2] {
    let at = genuine::arrival();
    let start = usize::try_from(contents.layout.main.start).expect("inside the file");
    let verdicts = [&Policy::default(), &*genuine::LENIENT].map(|policy| contents.judge(&RING, policy, at));
    for accepted in verdicts.iter().flatten() {
        assert!(contents.faults.is_empty(), "accepted with {:?}", contents.faults);
        assert!(!accepted.fingerprints.is_empty(), "accepted and signed by nobody");
        assert!(genuine::is_genuine(&data[start..]), "accepted, and none of the keys has signed it: {accepted:?}");
    }
    let [strict, lenient] = verdicts;
    assert!(strict.is_err() || lenient.is_ok(), "exceptions let in what is in anyway");
    assert!(contents.judge(&rolloutd::format::openpgp::Keyring::default(), &Policy::default(), at).is_err());
    [strict, lenient].map(|verdict| verdict.map(|_| ()))
}
