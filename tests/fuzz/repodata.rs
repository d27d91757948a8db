//! Metadata that somebody else wrote: `repomd.xml`, lists of packages, packed or not.
//!
//! - A `repomd.xml` that is taken over is written again, read again to the same, and written the same once more; the
//!   reader of the audit finds the same files in it.
//! - Nothing in it leads out of `repodata/`, and no type stands twice.
//! - In which pieces a list comes changes nothing of what is found in it.
//! - Of something packed never more comes out than may.

use std::io::BufReader;

use rolloutd::audit::metadata::{self, Listed};
use rolloutd::format::compress::{self, Compression};
use rolloutd::format::repomd::{REPOMD_MAX, Repomd};

use super::{Dice, Outcome};

/// What may come out of packed bytes here: more than the largest list of a corpus, and quick to fill.
const LIMIT: u64 = 1 << 20;

pub fn target(data: &[u8]) -> Outcome {
    let opened = unpack(data);
    let xml = opened.as_deref().unwrap_or(data);
    let taken = [index(xml), list(xml)].contains(&Outcome::Taken);
    if taken { Outcome::Taken } else { Outcome::Refused }
}

fn unpack(data: &[u8]) -> Option<Vec<u8>> {
    let compression = match data {
        [0x1f, 0x8b, ..] => Compression::Gz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zst,
        _ => return None,
    };
    let opened = compress::open(compression, data, LIMIT).ok()?;
    let size = opened.len() as u64;
    assert!(size <= LIMIT, "{size} bytes came out");
    let exactly = compress::open(compression, data, size).expect("as much as there is may come out");
    assert_eq!(exactly, opened);
    if let Some(less) = size.checked_sub(1) {
        assert!(compress::open(compression, data, less).is_err(), "more came out than may");
    }
    let again = compress::member(compression, &opened).expect("memory takes it");
    assert_eq!(compress::open(compression, &again, size).expect("what we packed"), opened);
    Some(opened)
}

fn index(xml: &[u8]) -> Outcome {
    let foreign = metadata::repomd(xml);
    let Ok(read) = Repomd::read(xml) else { return Outcome::Refused };
    assert!(xml.len() <= REPOMD_MAX);
    for (at, data) in read.data.iter().enumerate() {
        let name = data.location.strip_prefix("repodata/").expect("beneath repodata/");
        let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '%', '\0', '?', '#']);
        assert!(plain && !name.starts_with("repomd.xml"), "{name:?}");
        assert_eq!(data.file_name(), name);
        assert_eq!(read.get(&data.kind), Some(data), "no type stands twice");
        assert!(read.data[..at].iter().all(|other| other.kind != data.kind), "no type stands twice");
    }
    let written = read.write();
    let again = Repomd::read(&written).expect("what we write we read");
    assert_eq!(again, read, "read, written and read");
    assert_eq!(again.write(), written, "written twice");

    let audited = metadata::repomd(&written).expect("the audit reads what we write");
    assert_eq!(audited.revision, read.revision);
    assert_eq!(audited.data.len(), read.data.len());
    for (theirs, ours) in audited.data.iter().zip(&read.data) {
        assert_eq!((&theirs.kind, &theirs.location), (&ours.kind, &ours.location));
        assert_eq!((&theirs.algorithm, &theirs.checksum), (&ours.checksum.kind, &ours.checksum.hex));
        assert_eq!(theirs.open_checksum.as_ref(), ours.open_checksum.as_ref().map(|sum| &sum.hex));
        assert_eq!((theirs.size, theirs.open_size), (ours.size, ours.open_size));
    }
    // Of the file as it came, two readers must not see two different locations.
    if let Ok(foreign) = foreign {
        let locations = |kind: &str| foreign.data.iter().find(|data| data.kind == kind).map(|data| &data.location);
        for data in &read.data {
            assert_eq!(locations(&data.kind), Some(&data.location), "two readers see two files");
        }
    }
    Outcome::Taken
}

fn list(xml: &[u8]) -> Outcome {
    let mut dice = Dice::of(xml);
    let capacity = 1 + dice.below(64);
    let packages = |reader: &mut dyn std::io::BufRead| {
        let mut all: Vec<Listed> = Vec::new();
        let keep = |one| {
            all.push(one);
            Ok(())
        };
        metadata::primary(reader, keep).map(|()| all)
    };
    let whole = packages(&mut &*xml).ok();
    assert_eq!(whole, packages(&mut BufReader::with_capacity(capacity, xml)).ok(), "pieces do not matter");
    let ids = |reader: &mut dyn std::io::BufRead| {
        let mut all: Vec<String> = Vec::new();
        metadata::ids(reader, |id| all.push(id)).map(|()| all)
    };
    let named = ids(&mut &*xml).ok();
    assert_eq!(named, ids(&mut BufReader::with_capacity(capacity, xml)).ok(), "pieces do not matter");
    if whole.is_some() || named.is_some() { Outcome::Taken } else { Outcome::Refused }
}
