//! XML: any text goes through our writers and comes back the same from other readers.
//!
//! An input is cut at every octet FF, which no UTF-8 has, and its parts become all the texts that a package can
//! have; what they may not be (identities) they are not here, `headers` sees to that. And the input as it is is
//! shown to the strict reader that looks at finished files.
//!
//! - `primary.xml`, `filelists.xml` and `other.xml` say element by element what the package says.
//! - The strict reader takes all three, and finds the packages in the same order in them.
//! - The reader of the audit sees the same package.
//! - In which pieces the strict reader gets its bytes changes nothing.

use std::io::BufReader;

use rolloutd::audit::metadata;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::nevra::Nevra;
use rolloutd::format::package::{Change, Dependencies, DependencyList, File, FileKind, Package, Placed};
use rolloutd::format::xml::{Proof, prove};
use rolloutd::format::{filelists, other, primary};

use super::markup::{Element, carried, elements};
use super::{Dice, Outcome};

/// Parts of an input that become texts; each stands in several places.
const PARTS_MAX: usize = 500;

/// Shorter inputs stand in every place of a package.
const SHORT: usize = 400;

pub fn target(data: &[u8]) -> Outcome {
    let (package, placed) = package(data);
    says_all(&package, &placed);
    reads_in_pieces(data)
}

/// A package all of whose free texts come from `data`.
fn package(data: &[u8]) -> (Package, Placed) {
    let cut = data.split(|byte| *byte == 0xff).take(PARTS_MAX);
    let parts: Vec<String> = cut.map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    // A long text stands in one place, so that the files grow with the input and not with its square.
    let times = if data.len() <= SHORT { usize::MAX } else { parts.len() };
    let mut next = parts.iter().cloned().cycle().take(times);
    let mut text = || next.next().unwrap_or_default();
    let mut dice = Dice::of(data);
    let file = |path: String| File { path, kind: [FileKind::Plain, FileKind::Dir, FileKind::Ghost][dice.below(3)] };
    let files = parts.iter().cloned().map(file).collect();
    let mut list = || {
        let mut list = DependencyList::default();
        for _ in 0..2 {
            let flags = [0, 2, 4, 8, 10, 12][dice.below(6)];
            let mut word = || if dice.below(3) > 0 { text() } else { String::new() };
            let evr = format!("{}:{}-{}", word(), word(), word());
            let evr = if evr == ":-" { "" } else { &evr };
            list.push(&text(), flags, evr, dice.below(2) == 0);
        }
        list
    };
    let dependencies = Dependencies {
        provides: list(),
        requires: list(),
        conflicts: list(),
        obsoletes: list(),
        suggests: list(),
        enhances: list(),
        recommends: list(),
        supplements: list(),
    };
    let changelog = parts.iter().map(|part| Change { author: part.clone(), time: -7, text: text() }).collect();
    let package = Package {
        nevra: Nevra::new("a+b", 1, "2~3", "4^5", "noarch").expect("an identity"),
        summary: text(),
        description: text(),
        packager: text(),
        url: text(),
        license: text(),
        vendor: text(),
        group: text(),
        build_host: text(),
        source_rpm: text(),
        build_time: u64::MAX,
        installed_size: 0,
        archive_size: 1,
        header_range: (280, 2000),
        dependencies,
        files,
        changelog,
        replaced_text: Vec::new(),
    };
    let placed = Placed {
        pkgid: "0123456789abcdef".to_owned(),
        checksum: ChecksumKind::Sha256,
        file_time: 3,
        package_size: data.len() as u64,
        location: text(),
    };
    (package, placed)
}

/// Writes all three files of one package and holds them against the package itself.
///
/// # Panics
/// When a reader cannot read one, or sees in it something else.
pub fn says_all(package: &Package, placed: &Placed) {
    let whole = |head: String, write: fn(&mut Vec<u8>, &Package, &Placed), foot: &str| {
        let mut out = head.into_bytes();
        write(&mut out, package, placed);
        out.extend_from_slice(foot.as_bytes());
        out
    };
    let first = whole(primary::head(1), primary::write, primary::foot());
    let second = whole(filelists::head(1), filelists::write, filelists::foot());
    let third = whole(other::head(1), other::write, other::foot());
    same(&first, &in_primary(package, placed));
    same(&second, &in_filelists(package));
    same(&third, &in_other(package));

    let files = [(&first, "metadata"), (&second, "filelists"), (&third, "otherdata")];
    let proofs = files.map(|(xml, root)| prove(xml.as_slice(), root, 1).expect("our own files are fit to be read"));
    for (proof, (xml, _)) in proofs.iter().zip(&files) {
        assert_eq!((proof.open_size, proof.packages, proof.order), (xml.len() as u64, 1, proofs[0].order));
    }
    let mut listed = Vec::new();
    let keep = |one| {
        listed.push(one);
        Ok(())
    };
    metadata::primary(first.as_slice(), keep).expect("our own list");
    let wanted = metadata::Listed {
        nevra: package.nevra.to_string(),
        algorithm: placed.checksum.to_string(),
        checksum: placed.pkgid.clone(),
        size: placed.package_size,
        location: carried(&placed.location),
    };
    assert_eq!(listed, [wanted]);
    for xml in [&second, &third] {
        let mut ids = Vec::new();
        metadata::ids(xml.as_slice(), |id| ids.push(id)).expect("our own list");
        assert_eq!(ids, [placed.pkgid.as_str()]);
    }
}

/// Compares the elements that hold no others; of the others only that they are well-formed is known by then.
#[track_caller]
fn same(xml: &[u8], wanted: &[Element]) {
    let found: Vec<Element> = elements(xml).into_iter().filter(|element| !element.holds).collect();
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!(found, wanted);
    }
    assert_eq!(found.len(), wanted.len(), "as many elements as were meant");
}

fn leaf(name: &str, attributes: &[(&str, &str)], text: &str) -> Element {
    let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), carried(value))).collect();
    Element { name: name.to_owned(), attributes, text: carried(text), holds: false }
}

fn version(package: &Package) -> Element {
    let nevra = &package.nevra;
    let epoch = nevra.epoch().to_string();
    leaf("version", &[("epoch", &epoch), ("ver", nevra.version()), ("rel", nevra.release())], "")
}

fn file(file: &File) -> Element {
    match file.kind {
        FileKind::Plain => leaf("file", &[], &file.path),
        FileKind::Dir => leaf("file", &[("type", "dir")], &file.path),
        FileKind::Ghost => leaf("file", &[("type", "ghost")], &file.path),
    }
}

fn in_primary(package: &Package, placed: &Placed) -> Vec<Element> {
    let sizes = [placed.package_size, package.installed_size, package.archive_size].map(|n| n.to_string());
    let times = [placed.file_time, package.build_time].map(|n| n.to_string());
    let range = [package.header_range.0, package.header_range.1].map(|n| n.to_string());
    let mut all = vec![
        leaf("name", &[], package.nevra.name()),
        leaf("arch", &[], package.nevra.arch()),
        version(package),
        leaf("checksum", &[("type", placed.checksum.as_str()), ("pkgid", "YES")], &placed.pkgid),
        leaf("summary", &[], &package.summary),
        leaf("description", &[], &package.description),
        leaf("packager", &[], &package.packager),
        leaf("url", &[], &package.url),
        leaf("time", &[("file", &times[0]), ("build", &times[1])], ""),
        leaf("size", &[("package", &sizes[0]), ("installed", &sizes[1]), ("archive", &sizes[2])], ""),
        leaf("location", &[("href", &placed.location)], ""),
        leaf("rpm:license", &[], &package.license),
        leaf("rpm:vendor", &[], &package.vendor),
        leaf("rpm:group", &[], &package.group),
        leaf("rpm:buildhost", &[], &package.build_host),
        leaf("rpm:sourcerpm", &[], &package.source_rpm),
        leaf("rpm:header-range", &[("start", &range[0]), ("end", &range[1])], ""),
    ];
    let lists = package.dependencies.lists();
    all.extend(lists.into_iter().flat_map(|(_, list)| list.iter()).map(|one| {
        let mut attributes = vec![("name", one.name)];
        if let Some(flags) = one.flags {
            attributes.push(("flags", flags));
            attributes.extend(one.epoch.map(|epoch| ("epoch", epoch)));
            attributes.extend(one.version.map(|version| ("ver", version)));
            attributes.extend(one.release.map(|release| ("rel", release)));
        }
        attributes.extend(one.pre.then_some(("pre", "1")));
        leaf("rpm:entry", &attributes, "")
    }));
    let wanted = |path: &str| path.starts_with("/etc/") || path.contains("bin/") || path == "/usr/lib/sendmail";
    all.extend(package.files.iter().filter(|file| wanted(&file.path)).map(|one| file(&one)));
    all
}

fn in_filelists(package: &Package) -> Vec<Element> {
    std::iter::once(version(package)).chain(package.files.iter().map(|one| file(&one))).collect()
}

fn in_other(package: &Package) -> Vec<Element> {
    let change = |change: &Change| {
        leaf("changelog", &[("author", &change.author), ("date", &change.time.to_string())], &change.text)
    };
    std::iter::once(version(package)).chain(package.changelog.iter().map(change)).collect()
}

/// Shows `data` itself to the strict reader, whole and in pieces.
fn reads_in_pieces(data: &[u8]) -> Outcome {
    let mut dice = Dice::of(data);
    let packages = data.windows(9).filter(|window| window == b"<package ").count() as u64;
    let mut outcome = Outcome::Refused;
    for root in ["metadata", "filelists", "otherdata"] {
        let whole = prove(data, root, packages).ok();
        let torn = prove(BufReader::with_capacity(1 + dice.below(64), data), root, packages).ok();
        assert_eq!(whole, torn, "pieces do not matter");
        if let Some(Proof { open_size, .. }) = whole {
            assert_eq!(open_size, data.len() as u64, "read to its end");
            // What the strict reader takes, the second reader can read.
            assert_eq!(elements(data).first().map(|first| first.name.as_str()), Some(root));
            outcome = Outcome::Taken;
        }
    }
    outcome
}
