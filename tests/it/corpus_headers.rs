//! Headers of other people's packages: what we read is what rpm reads.
//!
//! Every package of the corpus is asked for its identity, sizes, dependencies, files and changelog
//! both here and by rpm, and the answers are compared byte for byte. Where rpm refuses to read a
//! file, so must we. Each difference stands in a table with its reason, and a row that no longer
//! applies fails the test as much as a difference that has none.
//!
//! Spoilt copies of the same packages are shown to both readers too: `ROLLOUTD_SPOIL_ROUNDS` says how
//! many of each, three when it says nothing.

#![expect(clippy::disallowed_methods, reason = "the test writes spoilt packages into a directory of its own")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use rolloutd::domain::refusal::{Code, Refusal};
use rolloutd::format::header::{Extent, Header, Layout, Part, agree, extent, kind, tag};

use crate::peers;

/// Between two fields and between two packages of rpm's answer; no value has these bytes in a row.
const FIELD: &str = "\x1c\x1c\x1d";
const PACKAGE: &str = "\x1d\x1e\x1e";
/// After each element of an array.
const ELEMENT: &str = "\x1f";

/// Where rpm's answer is not what stands in the header: end of the path, fields, reason.
const DIFFERENCES: &[(&str, &[&str], &str)] = &[
    ("libtermcap-2.0.8-2.i386.rpm", PROVIDES, ADDED),
    ("Scout24+yum-repo-server/tree-1.2-6.i386.rpm", PROVIDES, ADDED),
    ("devzero2000+RPM5/foo.i386.rpm", PROVIDES, ADDED),
    ("simplestRPMv3-1.0-2.aix5.3.noarch.rpm", PROVIDES, ADDED),
];
const PROVIDES: &[&str] = &["PROVIDEFLAGS", "PROVIDENAME", "PROVIDEVERSION"];
const ADDED: &str = "to a header without a region rpm adds that the package provides itself (`providePackageNVR`)";

/// How many files that begin like a package we refuse, by code; rpm refuses the same ones.
const REFUSED: &[(Code, usize)] =
    &[(Code::NotRpm, 2), (Code::Truncated, 16), (Code::HeaderEntry, 5), (Code::Region, 2)];

/// Files that rpm refuses to query although its verdict on them is about digests and signatures.
const ONLY_QUERY_REFUSES: &[(&str, &str)] = &[(
    "fxload-2002_04_11-212.1.src.rpm",
    "the data of its signature header has a gap, which rpm finds when it loads the header",
)];

/// A whole package, read by our reader.
struct Package {
    layout: Layout,
    signature: Header,
    main: Header,
}

impl Package {
    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let layout = match extent(bytes)? {
            Extent::Known(layout) => layout,
            Extent::More(needed) => return Err(Refusal::new(Code::Truncated, format!("{needed} bytes are needed"))),
        };
        let signature = Header::read(cut(bytes, &layout.signature), Part::Signature)?;
        let main = Header::read(cut(bytes, &layout.main), Part::Main)?;
        agree(&signature, cut(bytes, &layout.padding()), &main)?;
        Ok(Self { layout, signature, main })
    }
}

/// As much of the range as the file has.
fn cut<'a>(bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let end = usize::try_from(range.end).unwrap().min(bytes.len());
    bytes.get(usize::try_from(range.start).unwrap()..end).unwrap_or_default()
}

/// Where a field's value comes from in our two headers.
#[derive(Clone, Copy)]
enum Origin {
    /// A tag of the main header; the first element only.
    First(u32),
    /// A tag of the main header; all elements.
    All(u32),
    /// The wide tag of the main header, or the narrow one.
    Wide(u32, u32),
    /// A tag of the signature header.
    Signature(u32),
    /// The size of header and payload, wide or narrow.
    SignatureSize,
    /// The tag, which rpm adds to what looks like an old source package (`headerIsSourceHeuristic`).
    OldSource,
    /// The size of the uncompressed payload, which rpm takes from either header.
    ArchiveSize,
    /// Base names, directory names and indexes put together, or the whole names of older packages.
    Paths,
}

/// rpm's name for each field that is compared, and where we find it.
type Fields = [(&'static str, Origin)];

/// What makes a package what it is, and what repodata tells about it.
const FIELDS: &Fields = &[
    ("NAME", Origin::First(tag::NAME)),
    ("EPOCH", Origin::First(tag::EPOCH)),
    ("VERSION", Origin::First(tag::VERSION)),
    ("RELEASE", Origin::First(tag::RELEASE)),
    ("ARCH", Origin::First(tag::ARCH)),
    ("OS", Origin::First(tag::OS)),
    ("SOURCERPM", Origin::First(tag::SOURCERPM)),
    ("SOURCEPACKAGE", Origin::OldSource),
    ("SUMMARY", Origin::First(tag::SUMMARY)),
    ("DESCRIPTION", Origin::First(tag::DESCRIPTION)),
    ("GROUP", Origin::First(tag::GROUP)),
    ("LICENSE", Origin::First(tag::LICENSE)),
    ("VENDOR", Origin::First(tag::VENDOR)),
    ("PACKAGER", Origin::First(tag::PACKAGER)),
    ("URL", Origin::First(tag::URL)),
    ("DISTRIBUTION", Origin::First(tag::DISTRIBUTION)),
    ("BUILDHOST", Origin::First(tag::BUILDHOST)),
    ("BUILDTIME", Origin::First(tag::BUILDTIME)),
    ("RPMVERSION", Origin::First(tag::RPMVERSION)),
    ("PAYLOADFORMAT", Origin::First(tag::PAYLOADFORMAT)),
    ("PAYLOADCOMPRESSOR", Origin::First(tag::PAYLOADCOMPRESSOR)),
    ("FILEDIGESTALGO", Origin::First(tag::FILEDIGESTALGO)),
    ("PAYLOADDIGESTALGO", Origin::First(tag::PAYLOADDIGESTALGO)),
    ("PAYLOADDIGEST", Origin::All(tag::PAYLOADSHA256)),
    ("PAYLOADDIGESTALT", Origin::All(tag::PAYLOADSHA256ALT)),
    ("MODULARITYLABEL", Origin::First(tag::MODULARITYLABEL)),
    ("ENCODING", Origin::First(tag::ENCODING)),
    ("SOURCEPKGID", Origin::First(tag::SOURCEPKGID)),
    ("HEADERI18NTABLE", Origin::All(tag::HEADERI18NTABLE)),
    ("LONGSIZE", Origin::Wide(tag::LONGSIZE, tag::SIZE)),
    ("LONGARCHIVESIZE", Origin::ArchiveSize),
    ("PROVIDENAME", Origin::All(tag::PROVIDENAME)),
    ("PROVIDEFLAGS", Origin::All(tag::PROVIDEFLAGS)),
    ("PROVIDEVERSION", Origin::All(tag::PROVIDEVERSION)),
    ("REQUIRENAME", Origin::All(tag::REQUIRENAME)),
    ("REQUIREFLAGS", Origin::All(tag::REQUIREFLAGS)),
    ("REQUIREVERSION", Origin::All(tag::REQUIREVERSION)),
    ("CONFLICTNAME", Origin::All(tag::CONFLICTNAME)),
    ("CONFLICTFLAGS", Origin::All(tag::CONFLICTFLAGS)),
    ("CONFLICTVERSION", Origin::All(tag::CONFLICTVERSION)),
    ("OBSOLETENAME", Origin::All(tag::OBSOLETENAME)),
    ("OBSOLETEFLAGS", Origin::All(tag::OBSOLETEFLAGS)),
    ("OBSOLETEVERSION", Origin::All(tag::OBSOLETEVERSION)),
    ("RECOMMENDNAME", Origin::All(tag::RECOMMENDNAME)),
    ("RECOMMENDFLAGS", Origin::All(tag::RECOMMENDFLAGS)),
    ("RECOMMENDVERSION", Origin::All(tag::RECOMMENDVERSION)),
    ("SUGGESTNAME", Origin::All(tag::SUGGESTNAME)),
    ("SUGGESTFLAGS", Origin::All(tag::SUGGESTFLAGS)),
    ("SUGGESTVERSION", Origin::All(tag::SUGGESTVERSION)),
    ("SUPPLEMENTNAME", Origin::All(tag::SUPPLEMENTNAME)),
    ("SUPPLEMENTFLAGS", Origin::All(tag::SUPPLEMENTFLAGS)),
    ("SUPPLEMENTVERSION", Origin::All(tag::SUPPLEMENTVERSION)),
    ("ENHANCENAME", Origin::All(tag::ENHANCENAME)),
    ("ENHANCEFLAGS", Origin::All(tag::ENHANCEFLAGS)),
    ("ENHANCEVERSION", Origin::All(tag::ENHANCEVERSION)),
    ("OLDSUGGESTSNAME", Origin::All(tag::OLDSUGGESTSNAME)),
    ("OLDSUGGESTSFLAGS", Origin::All(tag::OLDSUGGESTSFLAGS)),
    ("OLDSUGGESTSVERSION", Origin::All(tag::OLDSUGGESTSVERSION)),
    ("OLDENHANCESNAME", Origin::All(tag::OLDENHANCESNAME)),
    ("OLDENHANCESFLAGS", Origin::All(tag::OLDENHANCESFLAGS)),
    ("OLDENHANCESVERSION", Origin::All(tag::OLDENHANCESVERSION)),
    ("FILENAMES", Origin::Paths),
    ("LONGFILESIZES", Origin::Wide(tag::LONGFILESIZES, tag::FILESIZES)),
    ("FILEMODES", Origin::All(tag::FILEMODES)),
    ("FILEFLAGS", Origin::All(tag::FILEFLAGS)),
    ("FILEMTIMES", Origin::All(tag::FILEMTIMES)),
    ("FILERDEVS", Origin::All(tag::FILERDEVS)),
    ("FILEDIGESTS", Origin::All(tag::FILEDIGESTS)),
    ("FILELINKTOS", Origin::All(tag::FILELINKTOS)),
    ("FILEUSERNAME", Origin::All(tag::FILEUSERNAME)),
    ("FILEGROUPNAME", Origin::All(tag::FILEGROUPNAME)),
    ("CHANGELOGTIME", Origin::All(tag::CHANGELOGTIME)),
    ("CHANGELOGNAME", Origin::All(tag::CHANGELOGNAME)),
    ("CHANGELOGTEXT", Origin::All(tag::CHANGELOGTEXT)),
    ("SIGSIZE", Origin::Signature(tag::sig::SIZE)),
    ("LONGSIGSIZE", Origin::SignatureSize),
    ("SIGMD5", Origin::Signature(tag::sig::MD5)),
    ("SIGPGP", Origin::Signature(tag::sig::PGP)),
    ("SIGGPG", Origin::Signature(tag::sig::GPG)),
    ("DSAHEADER", Origin::Signature(tag::sig::DSA)),
    ("RSAHEADER", Origin::Signature(tag::sig::RSA)),
    ("SHA1HEADER", Origin::Signature(tag::sig::SHA1)),
    ("SHA256HEADER", Origin::Signature(tag::sig::SHA256)),
];

impl Origin {
    fn is_array(self) -> bool {
        match self {
            Self::All(_) | Self::Paths => true,
            Self::Wide(wide, _) => wide == tag::LONGFILESIZES,
            Self::First(_) | Self::Signature(_) | Self::SignatureSize | Self::OldSource | Self::ArchiveSize => false,
        }
    }

    /// The value as rpm prints it.
    fn answer(self, package: &Package) -> Vec<u8> {
        let (header, tag) = match self {
            Self::First(tag) | Self::All(tag) => (&package.main, tag),
            Self::Wide(wide, narrow) => (&package.main, if package.main.has(wide) { wide } else { narrow }),
            Self::Signature(tag) => (&package.signature, tag),
            Self::ArchiveSize => [
                (&package.main, tag::ARCHIVESIZE),
                (&package.signature, tag::sig::LONGARCHIVESIZE),
                (&package.signature, tag::sig::PAYLOADSIZE),
            ]
            .into_iter()
            .find(|(header, tag)| header.has(*tag))
            .unwrap_or((&package.main, tag::ARCHIVESIZE)),
            Self::SignatureSize if package.signature.has(tag::sig::LONGSIZE) => {
                (&package.signature, tag::sig::LONGSIZE)
            }
            Self::SignatureSize => (&package.signature, tag::sig::SIZE),
            Self::OldSource if looks_like_source(&package.main) => return b"1".to_vec(),
            Self::OldSource => (&package.main, tag::SOURCEPACKAGE),
            Self::Paths => return joined(&paths(&package.main)),
        };
        let values = values(header, tag);
        if self.is_array() { joined(&values) } else { values.into_iter().next().unwrap_or_else(|| b"(none)".to_vec()) }
    }
}

fn joined(values: &[Vec<u8>]) -> Vec<u8> {
    values.iter().flat_map(|value| [value, ELEMENT.as_bytes()].concat()).collect()
}

/// Every element of a tag as rpm prints it.
fn values(header: &Header, tag: u32) -> Vec<Vec<u8>> {
    match header.kind(tag) {
        Some(kind::CHAR..=kind::INT64) => header.u64s(tag).map(|n| n.to_string().into_bytes()).collect(),
        Some(kind::BIN) => header.bin(tag).iter().map(|bytes| hex::encode(bytes).into_bytes()).collect(),
        _ => header.strings(tag).map(<[u8]>::to_vec).collect(),
    }
}

fn looks_like_source(main: &Header) -> bool {
    !main.has(tag::SOURCERPM) && paths(main).iter().all(|path| !path.contains(&b'/'))
}

fn paths(main: &Header) -> Vec<Vec<u8>> {
    let dirs: Vec<&[u8]> = main.strings(tag::DIRNAMES).collect();
    let indexes = main.u32s(tag::DIRINDEXES);
    let names = main.strings(tag::BASENAMES).zip(indexes);
    let whole = main.strings(tag::OLDFILENAMES).map(<[u8]>::to_vec);
    names.map(|(name, dir)| [dirs.get(dir as usize).copied().unwrap_or(b"?"), name].concat()).chain(whole).collect()
}

/// The corpus files that are packages or pretend to be, by their path below the corpus.
fn candidates(corpus: &Path) -> Vec<String> {
    let manifest = std::fs::read_to_string(corpus.join("MANIFEST.tsv")).expect("the corpus has a manifest");
    let lines = manifest.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    let packages =
        lines.filter(|columns| matches!(columns[3], "rpm" | "rpm-delta" | "not-an-rpm" | "not-an-rpm-delta"));
    packages.map(|columns| columns[0].to_owned()).collect()
}

/// Each file's fields as rpm prints them, or rpm's complaint when it does not read it as a package.
fn rpm_answers(files: &[PathBuf], fields: &Fields) -> Vec<Result<Vec<Vec<u8>>, String>> {
    let format: String = fields
        .iter()
        .map(|(name, from)| {
            let array = from.is_array().then(|| format!("%|{name}?{{[%{{{name}}}{ELEMENT}]}}|"));
            array.unwrap_or_else(|| format!("%{{{name}}}")) + FIELD
        })
        .collect();
    let out = Command::new("rpm")
        .args(["-qp", "--nosignature", "--nodigest", "--qf", &format!("{format}{PACKAGE}")])
        .args(files)
        .env_clear()
        .env("LC_ALL", "C")
        .output()
        .expect("rpm runs");
    let complaints = String::from_utf8_lossy(&out.stderr);
    let complaint = |file: &PathBuf| {
        let begins = format!("error: {}: ", file.display());
        complaints.lines().find_map(|line| line.strip_prefix(&begins))
    };
    let mut records = split(&out.stdout, PACKAGE);
    assert_eq!(records.pop().map(<[u8]>::len), Some(0), "{complaints}");
    let read = files.iter().filter(|file| complaint(file).is_none()).count();
    assert_eq!(records.len(), read, "rpm's answers cannot be told apart: {complaints}");
    let mut records = records.into_iter();
    let answer = |file: &PathBuf| {
        if let Some(complaint) = complaint(file) {
            return Err(complaint.to_owned());
        }
        let mut values: Vec<Vec<u8>> =
            split(records.next().unwrap_or_default(), FIELD).into_iter().map(<[u8]>::to_vec).collect();
        values.pop();
        assert_eq!(values.len(), fields.len(), "{}", file.display());
        Ok(values)
    };
    files.iter().map(answer).collect()
}

fn split<'a>(mut bytes: &'a [u8], at: &str) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(place) = bytes.windows(at.len()).position(|window| window == at.as_bytes()) {
        parts.push(&bytes[..place]);
        bytes = &bytes[place + at.len()..];
    }
    parts.push(bytes);
    parts
}

/// A file that rpm may be asked about. What does not begin like a package it takes for a list of
/// packages, and fetches what it finds named there.
fn may_be_shown_to_rpm(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xed\xab\xee\xdb")
}

/// One file of the corpus with our reading of it.
struct Candidate {
    path: String,
    bytes: Vec<u8>,
    ours: Result<Package, Refusal>,
}

fn read_all(corpus: &Path) -> Vec<Candidate> {
    let read = |path: String| {
        let bytes = std::fs::read(corpus.join(&path)).expect("the manifest names files that are there");
        let ours = Package::read(&bytes);
        Candidate { path, bytes, ours }
    };
    candidates(corpus).into_iter().map(read).collect()
}

#[test]
fn every_package_of_the_corpus_reads_as_rpm_reads_it() {
    let Some(corpus) = peers::corpus().filter(|_| peers::have(&["rpm"])) else { return };
    let candidates = read_all(&corpus);
    let mut differences = BTreeMap::new();
    let mut refused = BTreeMap::new();
    let shown: Vec<&Candidate> = candidates.iter().filter(|file| may_be_shown_to_rpm(&file.bytes)).collect();
    for shown in shown.chunks(100) {
        let files: Vec<PathBuf> = shown.iter().map(|file| corpus.join(&file.path)).collect();
        for (file, theirs) in shown.iter().zip(rpm_answers(&files, FIELDS)) {
            let path = &file.path;
            match (&file.ours, theirs) {
                (Ok(ours), Ok(theirs)) => compare(path, FIELDS, ours, &theirs, &mut differences),
                (Err(refusal), Err(_)) => *refused.entry(refusal.code).or_insert(0) += 1,
                (Ok(_), Err(complaint)) => panic!("{path}: rpm refuses it, we read it: {complaint}"),
                (Err(refusal), Ok(_)) => panic!("{path}: rpm reads it, we refuse it: {refusal}"),
            }
        }
    }
    for (end, fields, reason) in DIFFERENCES {
        for field in *fields {
            let known = differences.extract_if(.., |(path, name), _| path.ends_with(end) && name == field).count();
            assert_eq!(known, 1, "no longer a difference: {end} {field}: {reason}");
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(refused.into_iter().collect::<Vec<_>>(), REFUSED);
}

type Differences = BTreeMap<(String, &'static str), String>;

fn compare(path: &str, fields: &Fields, ours: &Package, theirs: &[Vec<u8>], differences: &mut Differences) {
    for ((name, from), theirs) in fields.iter().zip(theirs) {
        let ours = from.answer(ours);
        if ours != *theirs {
            let (ours, theirs) = (String::from_utf8_lossy(&ours), String::from_utf8_lossy(theirs));
            differences.insert((path.to_owned(), *name), format!("ours {ours:.200?} rpm {theirs:.200?}"));
        }
    }
}

#[test]
fn what_rpm_called_unreadable_is_refused_and_nothing_else() {
    let Some(corpus) = peers::corpus() else { return };
    let manifest = std::fs::read_to_string(corpus.join("MANIFEST.tsv")).expect("the corpus has a manifest");
    let unreadable: BTreeSet<&str> = manifest
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|c| c[20] == "UNREADABLE")
        .map(|c| c[0])
        .collect();
    let mut unexplained = Vec::new();
    for file in read_all(&corpus) {
        if !may_be_shown_to_rpm(&file.bytes) {
            assert_eq!(file.ours.as_ref().err().map(|refusal| refusal.code), Some(Code::NotRpm), "{}", file.path);
        }
        if file.ours.is_err() != unreadable.contains(&*file.path) {
            unexplained.push(file.path);
        }
    }
    let explained = |path: &String| ONLY_QUERY_REFUSES.iter().any(|(end, _)| path.ends_with(end));
    assert!(unexplained.iter().all(explained), "{unexplained:?}");
    assert_eq!(unexplained.len(), ONLY_QUERY_REFUSES.len(), "a row no longer applies: {unexplained:?}");
}

#[test]
fn the_header_range_is_the_one_that_createrepo_c_writes() {
    let Some(corpus) = peers::corpus() else { return };
    for version in ["0.17.3", "1.2.1"] {
        let ranges = ranges(&corpus.join(format!("ref/createrepo_c-{version}/primary.xml.gz")));
        let mut seen = 0;
        for file in read_all(&corpus) {
            let Some(range) = ranges.get(&file.path) else { continue };
            let ours = file.ours.unwrap_or_else(|refusal| panic!("{}: {refusal}", file.path));
            assert_eq!(ours.layout.main, *range, "{}", file.path);
            seen += 1;
        }
        assert_eq!(seen, ranges.len(), "createrepo_c {version} lists what the manifest does not");
        assert!(seen > 700, "{seen}");
    }
}

/// The header range of each package in a `primary.xml.gz`, by its location.
fn ranges(primary: &Path) -> BTreeMap<String, Range<u64>> {
    let file = std::fs::File::open(primary).expect("the corpus has reference metadata");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("it is gzip and UTF-8");
    let attribute = |package: &str, mark: &str| {
        let (_, rest) = package.split_once(mark).expect("each package has it");
        rest.split_once('"').expect("an attribute ends").0.to_owned()
    };
    let number = |package: &str, mark: &str| attribute(package, mark).parse().expect("a number");
    text.split("<package type=\"rpm\">")
        .skip(1)
        .map(|package| {
            let start = number(package, "<rpm:header-range start=\"");
            (attribute(package, "<location href=\""), start..number(package, "\" end=\""))
        })
        .collect()
}

/// Tags whose values are compared in spoilt packages: as they stand, without what rpm derives.
const RAW_FIELDS: &Fields = &[
    ("NAME", Origin::First(tag::NAME)),
    ("EPOCH", Origin::First(tag::EPOCH)),
    ("VERSION", Origin::First(tag::VERSION)),
    ("RELEASE", Origin::First(tag::RELEASE)),
    ("ARCH", Origin::First(tag::ARCH)),
    ("BUILDTIME", Origin::First(tag::BUILDTIME)),
    ("SIZE", Origin::First(tag::SIZE)),
    ("REQUIRENAME", Origin::All(tag::REQUIRENAME)),
    ("REQUIREFLAGS", Origin::All(tag::REQUIREFLAGS)),
    ("CHANGELOGTIME", Origin::All(tag::CHANGELOGTIME)),
    ("CHANGELOGTEXT", Origin::All(tag::CHANGELOGTEXT)),
    ("FILEMODES", Origin::All(tag::FILEMODES)),
    ("FILEMTIMES", Origin::All(tag::FILEMTIMES)),
    ("PAYLOADDIGEST", Origin::All(tag::PAYLOADSHA256)),
    ("SIGMD5", Origin::Signature(tag::sig::MD5)),
    ("RSAHEADER", Origin::Signature(tag::sig::RSA)),
    ("SHA256HEADER", Origin::Signature(tag::sig::SHA256)),
];

/// Where we refuse what rpm 4.18 reads, and why.
const STRICTER: &[(Code, &str)] = &[
    (Code::DuplicateTag, "H22: readers differ in which of the two they take"),
    (Code::SigtagInHeader, "H20: rpm refuses those signature tags only that it would overwrite"),
    (Code::TagOrder, "H23: format 6 asks for it, rpm 4.18 does not know format 6"),
    (Code::HeaderEntry, "H15, H21: newer rpms know the types of more tags, also in the signature header"),
];

/// Numbers by chance that are the same in every run.
struct Dice(u64);

impl Dice {
    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

/// Spoils one to three places of the two headers: bytes, words of entries, or whole entries.
fn spoil(bytes: &mut [u8], layout: &Layout, dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        let header = if dice.below(4) == 0 { &layout.signature } else { &layout.main };
        let (start, end) = (usize::try_from(header.start).unwrap(), usize::try_from(header.end).unwrap());
        let entries = u32::from_be_bytes(bytes[start + 8..start + 12].try_into().unwrap()) as usize;
        let entries = entries.clamp(1, (end - start - 16) / 16);
        let entry = start + 16 + 16 * dice.below(entries);
        match dice.below(8) {
            0 => bytes[start + dice.below(end - start)] = u8::try_from(dice.below(256)).unwrap(),
            1 => {
                let other = start + 16 + 16 * dice.below(entries);
                bytes.copy_within(other..other + 16, entry);
            }
            2 => {
                let other = start + 16 + 16 * dice.below(entries);
                bytes.copy_within(other..other + 4, entry);
            }
            _ => {
                let word = entry + 4 * dice.below(4);
                let old = u32::from_be_bytes(bytes[word..word + 4].try_into().unwrap());
                let new = match dice.below(8) {
                    0 => old.wrapping_add(1),
                    1 => old.wrapping_sub(1),
                    2 => old ^ (1 << dice.below(32)),
                    3 => u32::try_from(dice.below(12)).unwrap(),
                    4 => u32::try_from(dice.below(320)).unwrap(),
                    5 => 990 + u32::try_from(dice.below(200)).unwrap(),
                    6 => u32::MAX - u32::try_from(dice.below(40)).unwrap(),
                    _ => old.wrapping_mul(2),
                };
                bytes[word..word + 4].copy_from_slice(&new.to_be_bytes());
            }
        }
    }
}

#[test]
fn no_spoilt_package_is_read_that_rpm_refuses() {
    let Some(corpus) = peers::corpus().filter(|_| peers::have(&["rpm"])) else { return };
    let rounds = std::env::var("ROLLOUTD_SPOIL_ROUNDS").map_or(3, |n| n.parse().expect("a number of rounds"));
    let dir = tempfile::tempdir().expect("a directory of our own");
    let small = |file: Candidate| {
        let layout = file.ours.ok()?.layout;
        // Neither of us looks at the payload here.
        let end = usize::try_from(layout.main.end).ok().filter(|end| *end < 20_000)?;
        Some((file.path, file.bytes.get(..end)?.to_vec(), layout))
    };
    let packages: Vec<_> = read_all(&corpus).into_iter().filter_map(small).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut both_read, mut both_refuse) = (0, 0);
    for packages in (0..rounds).flat_map(|_| packages.chunks(200)) {
        let (mut files, mut ours) = (Vec::new(), Vec::new());
        for (i, (path, bytes, layout)) in packages.iter().enumerate() {
            let mut bytes = bytes.clone();
            spoil(&mut bytes, layout, &mut dice);
            files.push(dir.path().join(format!("{i}.rpm")));
            std::fs::write(&files[i], &bytes).expect("room for a package");
            ours.push((path, Package::read(&bytes)));
        }
        for ((path, ours), theirs) in ours.into_iter().zip(rpm_answers(&files, RAW_FIELDS)) {
            match (ours, theirs) {
                (Ok(ours), Ok(theirs)) => {
                    let mut differences = BTreeMap::new();
                    compare(path, RAW_FIELDS, &ours, &theirs, &mut differences);
                    assert!(differences.is_empty(), "{differences:#?}");
                    both_read += 1;
                }
                (Err(_), Err(_)) => both_refuse += 1,
                (Ok(_), Err(complaint)) => panic!("{path}: rpm refuses it, we read it: {complaint}"),
                (Err(refusal), Ok(_)) => {
                    let known = STRICTER.iter().any(|(code, _)| *code == refusal.code);
                    assert!(known, "{path}: rpm reads it, we refuse it: {refusal}");
                }
            }
        }
    }
    assert!(both_read > 50 * rounds && both_refuse > 50 * rounds, "too few of a kind: {both_read} {both_refuse}");
}
