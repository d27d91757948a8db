//! What repodata lists about a package, read from its header.
//!
//! The rules are those of createrepo_c as seen in its output (1.2.1; where 0.17.3 differs is listed in
//! `tests/it/corpus_metadata.rs`), since clients have relied on them for fifteen years:
//!
//! - Left out of the requirements: `rpmlib(...)`, whatever the package itself provides in the same words, and those of
//!   its own files that `primary.xml` lists; of several `libc.so.6(...)` only the highest is kept, and it comes last.
//! - A requirement that repeats the previous one of the same name is left out, so `/bin/sh` for several scripts appears
//!   at most once with `pre` and once without in a row.
//! - Only the newest ten changelog entries are listed, oldest first; of several with the same time, the newer ones are
//!   moved ahead by a second each, so that sorting by time keeps the order.
//!
//! Text is UTF-8, or else Latin-1. Characters that XML cannot represent refuse the package where they are part of an
//! identity (names, versions, dependencies, file names), and become U+FFFD elsewhere; the affected fields are named in
//! the report (threats N8 to N11).
//!
//! A package is never listed with less than its header says without a note about it.

mod texts;

mod files;

mod dependencies;

pub use dependencies::{Dependencies, Dependency, DependencyList};
pub use files::{File, FileKind, FileList};

use std::borrow::Cow;

use crate::domain::nevra::Nevra;
use crate::domain::refusal::{Code, Refusal, shown};
use crate::format::header::{Header, Layout, tag};
use crate::format::xml;

/// Changelog entries kept for `other.xml`, createrepo_c's default. A header may have 10^5.
pub const CHANGELOG_LIMIT: usize = 10;

/// A package as its header describes it, in the order and spelling of repodata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Identity; the architecture of a source package is `src`.
    pub nevra: Nevra,
    /// One line.
    pub summary: String,
    /// Any number of lines.
    pub description: String,
    /// Who packaged it.
    pub packager: String,
    /// Project URL.
    pub url: String,
    /// License.
    pub license: String,
    /// Vendor.
    pub vendor: String,
    /// Group.
    pub group: String,
    /// The host it was built on.
    pub build_host: String,
    /// File name of the source package; empty for a source package, and [`NO_SOURCE`] where nothing is said of it.
    pub source_rpm: String,
    /// Seconds since the epoch.
    pub build_time: u64,
    /// Installed size in bytes.
    pub installed_size: u64,
    /// Size of the uncompressed payload in bytes.
    pub archive_size: u64,
    /// First byte of the main header and first byte after it, counted from the beginning of the file.
    pub header_range: (u64, u64),
    /// What it requires, provides and so on.
    pub dependencies: Dependencies,
    /// Files in header order.
    pub files: FileList,
    /// Changelog entries in the order of `other.xml`, already limited.
    pub changelog: Vec<Change>,
    /// Names of the free-text fields in which characters were replaced, for the report.
    pub replaced_text: Vec<&'static str>,
}

/// One changelog entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Author with address and version, as written.
    pub author: String,
    /// Seconds since the epoch.
    pub time: i64,
    /// Text.
    pub text: String,
}

/// What the header cannot know: where the package is in a tree, and its checksum and size there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Checksum of the file, of the distribution's kind, in lower-case hex.
    pub pkgid: String,
    /// The kind of that checksum.
    pub checksum: crate::domain::checksum::ChecksumKind,
    /// Modification time of the file, seconds since the epoch.
    pub file_time: u64,
    /// Size of the file in bytes.
    pub package_size: u64,
    /// Path inside the tree, as clients fetch it, not yet escaped for XML.
    pub location: String,
}

/// What stands for the source package of a package whose header says nothing about it.
pub const NO_SOURCE: &str = "(none)";

impl Package {
    /// Reads what repodata lists about a package. `signature` is needed only for the size of the uncompressed payload,
    /// which format 4 keeps there.
    ///
    /// # Errors
    /// [`Code::Nevra`], [`Code::NevraChars`], [`Code::Arch`], [`Code::Text`], [`Code::DepList`], [`Code::FileList`],
    /// [`Code::FileName`] and [`Code::HeaderLimits`]: whatever makes it impossible to list the package as it is.
    pub fn read(header: &Header, signature: &Header, layout: &Layout) -> Result<Self, Refusal> {
        let mut free = FreeText { header, replaced: Vec::new() };
        let files = FileList::read(header, &mut free.replaced)?;
        let origin = Origin::of(header);
        let source_rpm = match origin {
            Origin::Unsaid => NO_SOURCE.to_owned(),
            Origin::Source | Origin::Built => free.field(tag::SOURCERPM, "sourcerpm"),
        };
        let mut package = Self {
            nevra: nevra(header, origin == Origin::Source)?,
            summary: free.field(tag::SUMMARY, "summary"),
            description: free.field(tag::DESCRIPTION, "description"),
            packager: free.field(tag::PACKAGER, "packager"),
            url: free.field(tag::URL, "url"),
            license: free.field(tag::LICENSE, "license"),
            vendor: free.field(tag::VENDOR, "vendor"),
            group: free.field(tag::GROUP, "group"),
            build_host: free.field(tag::BUILDHOST, "buildhost"),
            source_rpm,
            build_time: header.u64(tag::BUILDTIME).unwrap_or(0),
            installed_size: header.u64(tag::LONGSIZE).or_else(|| header.u64(tag::SIZE)).unwrap_or(0),
            archive_size: archive_size(header, signature),
            header_range: (layout.main.start, layout.main.end),
            dependencies: Dependencies::default(),
            files,
            changelog: Vec::new(),
            replaced_text: Vec::new(),
        };
        package.changelog = changelog(&mut free);
        package.dependencies = Dependencies::read(header, &package.files, &mut free.replaced)?;
        package.replaced_text = free.replaced;
        Ok(package)
    }
}

/// What a header says of the source of its package, completed as rpm does it (`lib/package.cc`, `applyRetrofits`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A source package: it is marked as one, or has no mark, and its files are in no directory.
    Source,
    /// Built from a source package, which may be named.
    Built,
    /// Something other than rpmbuild has made it: it has neither mark nor name. rpm installs it, and says that its
    /// source is `(none)`.
    Unsaid,
}

/// Refuses a header whose two marks of a source package disagree. Whoever makes metadata goes by SOURCEPACKAGE, and rpm,
/// which installs the package, by the absence of SOURCERPM: nobody builds such a package, and each takes it for another one.
///
/// # Errors
/// [`Code::Nevra`], with what the header says.
pub fn has_one_kind(header: &Header) -> Result<(), Refusal> {
    let names_source = header.has(tag::SOURCERPM);
    let said = match header.u32(tag::SOURCEPACKAGE) {
        Some(0) if !names_source => {
            "it is marked as no source package (tag 1106) and names no source package (tag 1044)"
        }
        Some(1..) if names_source => {
            "it is marked as a source package (tag 1106) and names its source package (tag 1044)"
        }
        _ => return Ok(()),
    };
    Err(Refusal::new(Code::Nevra, format!("{said}: rpm and repositories take it for different packages")))
}

impl Origin {
    fn of(header: &Header) -> Self {
        match header.u32(tag::SOURCEPACKAGE) {
            Some(mark) if mark != 0 => Self::Source,
            _ if header.has(tag::SOURCEPACKAGE) || header.has(tag::SOURCERPM) => Self::Built,
            _ if FileList::are_sources(header) => Self::Source,
            _ => Self::Unsaid,
        }
    }
}

fn nevra(header: &Header, is_source: bool) -> Result<Nevra, Refusal> {
    let part = |number, name: &str| {
        let missing = || Refusal::new(Code::Nevra, format!("no {name}"));
        let bytes = header.string(number).filter(|bytes| !bytes.is_empty()).ok_or_else(missing)?;
        identity(bytes, name)
    };
    let name = part(tag::NAME, "name")?;
    let version = part(tag::VERSION, "version")?;
    let release = part(tag::RELEASE, "release")?;
    let arch = if is_source { Cow::Borrowed("src") } else { part(tag::ARCH, "architecture")? };
    let epoch = header.u32(tag::EPOCH).unwrap_or(0);
    let refuse = |code| move |bad: crate::domain::nevra::BadNevra| Refusal::new(code, bad.to_string());
    // With a valid architecture in its place, any remaining error is about the other parts.
    Nevra::new(&name, epoch, &version, &release, "noarch").map_err(refuse(Code::NevraChars))?;
    Nevra::new(&name, epoch, &version, &release, &arch).map_err(refuse(Code::Arch))
}

/// Format 3 keeps it in the main header, format 4 in the signature header (`headerMergeLegacySigs`). Format 6 has a new
/// tag for it, which createrepo_c does not read: it writes 0, and no client uses it.
fn archive_size(header: &Header, signature: &Header) -> u64 {
    signature
        .u64(tag::sig::LONGARCHIVESIZE)
        .or_else(|| header.u64(tag::sig::LONGARCHIVESIZE))
        .or_else(|| signature.u64(tag::sig::PAYLOADSIZE))
        .or_else(|| header.u64(tag::ARCHIVESIZE))
        .unwrap_or(0)
}

/// Text in which characters may be replaced; the names of such fields are recorded.
struct FreeText<'a> {
    header: &'a Header,
    replaced: Vec<&'static str>,
}

impl FreeText<'_> {
    fn field(&mut self, number: u32, name: &'static str) -> String {
        let bytes = self.header.string(number).unwrap_or_default();
        words(bytes, name, &mut self.replaced)
    }
}

fn words(bytes: &[u8], name: &'static str, replaced: &mut Vec<&'static str>) -> String {
    let (words, whole) = decode(bytes);
    if whole && xml::first_bad_char(&words).is_none() {
        return words.into_owned();
    }
    note(replaced, name);
    words.chars().map(|c| if xml::is_char(c) { c } else { xml::REPLACEMENT }).collect()
}

fn note(replaced: &mut Vec<&'static str>, name: &'static str) {
    if !replaced.contains(&name) {
        replaced.push(name);
    }
}

/// UTF-8, or else Latin-1, and whether it was complete.
///
/// For Latin-1, createrepo_c drops 0x80 to 0xBF: the lower half of these are control characters, so such text is most
/// likely in another code page, and then the upper half means other characters too.
fn decode(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    if let Ok(words) = str::from_utf8(bytes) {
        return (Cow::Borrowed(words), true);
    }
    let known = |byte: &u8| !(0x80..0xc0).contains(byte);
    let words = bytes.iter().copied().filter(known).map(char::from).collect();
    (Cow::Owned(words), bytes.iter().all(known))
}

/// Text in which nothing may be lost.
fn identity<'a>(bytes: &'a [u8], name: &str) -> Result<Cow<'a, str>, Refusal> {
    match decode(bytes) {
        (words, true) if xml::first_bad_char(&words).is_none() => Ok(words),
        _ => Err(Refusal::new(Code::Text, format!("{name} `{}`", shown(bytes)))),
    }
}

/// Whether `primary.xml` lists a file too: what other packages may require by path.
///
/// `bin/` anywhere in the path, as yum has always done it.
pub fn is_primary(path: &str) -> bool {
    path.starts_with("/etc/") || path == "/usr/lib/sendmail" || path.contains("bin/")
}

/// The newest entries, oldest first, no two with the same time (N14).
fn changelog(free: &mut FreeText<'_>) -> Vec<Change> {
    let header = free.header;
    let times = header.u32s(tag::CHANGELOGTIME);
    let said = header.strings(tag::CHANGELOGNAME).zip(header.strings(tag::CHANGELOGTEXT));
    let mut changes: Vec<Change> = Vec::new();
    let mut last = 0;
    for (time, (author, text)) in times.zip(said).take(CHANGELOG_LIMIT) {
        let time = i64::from(time);
        // Entries are newest first, and an older one with the same time moves the newer ones ahead, as long as the time
        // fits into the `int` that createrepo_c uses.
        if time == last && i32::try_from(time).is_ok() {
            for (taken, newer) in (time..).zip(changes.iter_mut().rev()) {
                if newer.time != taken {
                    break;
                }
                newer.time += 1;
            }
        }
        last = time;
        let author = words(author, "changelog author", &mut free.replaced);
        let text = words(text, "changelog text", &mut free.replaced);
        changes.push(Change { author: author.trim_end_matches(' ').to_owned(), time, text });
    }
    changes.reverse();
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::header::{Part, kind};

    #[derive(Clone)]
    enum Value<'a> {
        Text(&'a [u8]),
        Texts(&'a [&'a [u8]]),
        Numbers(&'a [u32]),
        Modes(&'a [u16]),
        Long(u64),
    }
    use Value::{Long, Modes, Numbers, Text, Texts};

    fn small(length: usize) -> u32 {
        u32::try_from(length).expect("a small header")
    }

    /// A header as rpm wrote it before version 4, without a region.
    fn header(part: Part, entries: &[(u32, Value<'_>)]) -> Header {
        let (mut index, mut data) = (Vec::new(), Vec::new());
        let mut sorted: Vec<_> = entries.iter().collect();
        sorted.sort_by_key(|(tag, _)| *tag);
        for (tag, value) in sorted {
            let (kind, count, align) = match value {
                Text(_) if matches!(*tag, tag::SUMMARY | tag::DESCRIPTION | tag::GROUP) => (kind::I18NSTRING, 1, 1),
                Text(_) => (kind::STRING, 1, 1),
                Texts(texts) => (kind::STRING_ARRAY, texts.len(), 1),
                Numbers(numbers) => (kind::INT32, numbers.len(), 4),
                Modes(modes) => (kind::INT16, modes.len(), 2),
                Long(_) => (kind::INT64, 1, 8),
            };
            while data.len() % align != 0 {
                data.push(0);
            }
            for number in [*tag, kind, small(data.len()), small(count)] {
                index.extend_from_slice(&number.to_be_bytes());
            }
            match value {
                Text(text) => data.extend_from_slice(&[*text, b"\0"].concat()),
                Texts(texts) => texts.iter().for_each(|text| data.extend_from_slice(&[*text, b"\0"].concat())),
                Numbers(numbers) => numbers.iter().for_each(|n| data.extend_from_slice(&n.to_be_bytes())),
                Modes(modes) => modes.iter().for_each(|n| data.extend_from_slice(&n.to_be_bytes())),
                Long(number) => data.extend_from_slice(&number.to_be_bytes()),
            }
        }
        let mut bytes = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
        bytes.extend_from_slice(&small(entries.len()).to_be_bytes());
        bytes.extend_from_slice(&small(data.len()).to_be_bytes());
        bytes.extend_from_slice(&index);
        bytes.extend_from_slice(&data);
        Header::read(&bytes, part).expect("a header that rpm would read")
    }

    fn layout() -> Layout {
        Layout { signature: 96..280, main: 280..2000 }
    }

    fn read_with<'a>(more: impl IntoIterator<Item = (u32, Value<'a>)>) -> Result<Package, Refusal> {
        let mut entries: Vec<(u32, Value<'a>)> = more.into_iter().collect();
        let base = [
            (tag::NAME, Text(b"tool")),
            (tag::VERSION, Text(b"1.0")),
            (tag::RELEASE, Text(b"2")),
            (tag::ARCH, Text(b"noarch")),
            (tag::SOURCERPM, Text(b"tool-1.0-2.src.rpm")),
            (tag::SUMMARY, Text(b"a tool")),
        ];
        for (number, value) in base {
            if !entries.iter().any(|(tag, _)| *tag == number) {
                entries.push((number, value));
            }
        }
        let signature = header(Part::Signature, &[(tag::sig::PAYLOADSIZE, Numbers(&[448]))]);
        Package::read(&header(Part::Main, &entries), &signature, &layout())
    }

    #[track_caller]
    fn refuse<'a>(more: impl IntoIterator<Item = (u32, Value<'a>)>, code: Code) {
        assert_eq!(read_with(more).map(|p| p.nevra.to_string()).map_err(|refusal| refusal.code), Err(code));
    }

    /// `name flags version` of each, as `primary.xml` shows them.
    fn show(list: &DependencyList) -> Vec<String> {
        let show = |d: Dependency<'_>| {
            let parts = [Some(d.name), d.flags, d.epoch, d.version, d.release];
            let pre = d.pre.then_some("pre");
            parts.into_iter().chain([pre]).flatten().collect::<Vec<_>>().join(" ")
        };
        list.iter().map(show).collect()
    }

    fn requires(list: &[(&str, u32, &str)]) -> Vec<String> {
        let names: Vec<&[u8]> = list.iter().map(|one| one.0.as_bytes()).collect();
        let flags: Vec<u32> = list.iter().map(|one| one.1).collect();
        let versions: Vec<&[u8]> = list.iter().map(|one| one.2.as_bytes()).collect();
        let package = read_with([
            (tag::REQUIRENAME, Texts(&names)),
            (tag::REQUIREFLAGS, Numbers(&flags)),
            (tag::REQUIREVERSION, Texts(&versions)),
            (tag::PROVIDENAME, Texts(&[b"tool", b"virtual"])),
            (tag::PROVIDEFLAGS, Numbers(&[8, 0])),
            (tag::PROVIDEVERSION, Texts(&[b"1.0-2", b""])),
            (tag::BASENAMES, Texts(&[b"tool", b"data"])),
            (tag::DIRNAMES, Texts(&[b"/usr/bin/", b"/usr/share/"])),
            (tag::DIRINDEXES, Numbers(&[0, 1])),
            (tag::FILEMODES, Modes(&[0o100_755, 0o100_644])),
            (tag::FILEFLAGS, Numbers(&[0, 0])),
        ]);
        show(&package.expect("a package").dependencies.requires)
    }

    #[test]
    fn a_package_is_read_as_its_header_says() {
        let package = read_with([
            (tag::EPOCH, Numbers(&[u32::MAX])),
            (tag::BUILDTIME, Numbers(&[u32::MAX])),
            (tag::LONGSIZE, Long(u64::MAX)),
            (tag::VENDOR, Text(b"Caf\xc3\xa9")),
        ])
        .expect("a package");
        assert_eq!(package.nevra.to_string(), "tool-4294967295:1.0-2.noarch");
        assert_eq!(package.build_time, u64::from(u32::MAX));
        assert_eq!((package.installed_size, package.archive_size), (u64::MAX, 448));
        assert_eq!(package.header_range, (280, 2000));
        assert_eq!(package.vendor, "Café");
        assert_eq!(package.replaced_text, Vec::<&str>::new());
    }

    #[test]
    fn a_package_is_a_source_where_its_tag_says_so() {
        let plain = [
            (tag::NAME, Text(b"a")),
            (tag::VERSION, Text(b"1")),
            (tag::RELEASE, Text(b"1")),
            (tag::ARCH, Text(b"noarch")),
        ];
        let signature = header(Part::Signature, &[(tag::sig::SIZE, Numbers(&[1]))]);
        let said = |marks: &[(u32, Value<'_>)]| {
            let entries: Vec<_> = plain.iter().chain(marks).cloned().collect();
            let package = Package::read(&header(Part::Main, &entries), &signature, &layout()).expect("a package");
            (package.nevra.arch().to_owned(), package.source_rpm)
        };
        let pair = |arch: &str, source: &str| (arch.to_owned(), source.to_owned());
        assert_eq!(said(&[]), pair("noarch", "(none)"));
        assert_eq!(said(&[(tag::SOURCEPACKAGE, Numbers(&[0]))]), pair("noarch", ""));
        assert_eq!(said(&[(tag::SOURCEPACKAGE, Numbers(&[1]))]), pair("src", ""));
        let one = |names: &'static [&'static [u8]], dirs: &'static [&'static [u8]]| {
            let (modes, zeros) = (Modes(&[0o100_644]), Numbers(&[0]));
            let tags = [(tag::BASENAMES, Texts(names)), (tag::DIRNAMES, Texts(dirs)), (tag::DIRINDEXES, zeros.clone())];
            [&tags[..], &[(tag::FILEMODES, modes), (tag::FILEFLAGS, zeros)]].concat()
        };
        assert_eq!(said(&one(&[b"tool.spec"], &[b""])), pair("src", ""), "as old rpm made them");
        assert_eq!(said(&one(&[b"tool"], &[b"/usr/bin/"])), pair("noarch", "(none)"));
        let package = read_with([(tag::SOURCEPACKAGE, Numbers(&[1]))]).expect("a package");
        assert_eq!((package.nevra.arch(), package.source_rpm.as_str()), ("src", "tool-1.0-2.src.rpm"));
        let mark = |mark: &'static [u32]| (tag::SOURCEPACKAGE, Numbers(mark));
        let named = || (tag::SOURCERPM, Text(b"a-1-1.src.rpm"));
        let kind = |tags: &[(u32, Value<'_>)]| {
            let entries: Vec<_> = plain.iter().chain(tags).cloned().collect();
            has_one_kind(&header(Part::Main, &entries)).map_err(|refusal| refusal.code)
        };
        for good in [&[mark(&[1])][..], &[named()], &[mark(&[0]), named()], &[]] {
            assert_eq!(kind(good), Ok(()));
        }
        assert_eq!((kind(&[mark(&[0])]), kind(&[mark(&[1]), named()])), (Err(Code::Nevra), Err(Code::Nevra)));
    }

    #[test]
    fn an_identity_that_cannot_be_written_is_refused() {
        refuse([(tag::NAME, Text(b""))], Code::Nevra);
        refuse([(tag::NAME, Text(b"../../evil"))], Code::NevraChars);
        refuse([(tag::VERSION, Text(b"1-1"))], Code::NevraChars);
        refuse([(tag::NAME, Text(b"a\x1bb"))], Code::Text);
        refuse([(tag::RELEASE, Text(b"1\x80"))], Code::Text);
        refuse([(tag::ARCH, Text(b"x86-64"))], Code::Arch);
        refuse([(tag::ARCH, Text(b"x86_64/../.."))], Code::Arch);
    }

    #[test]
    fn free_text_loses_what_xml_cannot_carry_and_says_so() {
        let text = "a\u{1}b\u{fffe}c\td\n".as_bytes();
        let package = read_with([(tag::SUMMARY, Text(text)), (tag::URL, Text(b"caf\xe9"))]).expect("a package");
        assert_eq!(package.summary, "a\u{fffd}b\u{fffd}c\td\n");
        assert_eq!(package.url, "café", "Latin-1 that loses nothing is not worth a word");
        assert_eq!(package.replaced_text, ["summary"]);

        let package = read_with([(tag::DESCRIPTION, Text(b"it\x92s caf\xe9"))]).expect("a package");
        assert_eq!((package.description.as_str(), package.replaced_text), ("its café", vec!["description"]));
        // Reported once, however often it happens.
        let package = read_with([
            (tag::CHANGELOGTIME, Numbers(&[2, 1])),
            (tag::CHANGELOGNAME, Texts(&[b"who", b"who"])),
            (tag::CHANGELOGTEXT, Texts(&[b"\x01", b"\x02"])),
        ]);
        assert_eq!(package.map(|package| package.replaced_text), Ok(vec!["changelog text"]));
        // Encoded surrogates and overlong forms are not UTF-8, so they are read as Latin-1.
        let package = read_with([(tag::SUMMARY, Text(b"\xed\xa0\x80\xc0\x80"))]).expect("a package");
        assert_eq!(package.summary, "\u{ed}\u{c0}");
    }

    #[test]
    fn requirements_that_no_repository_can_or_need_fulfil_are_left_out() {
        assert_eq!(
            requires(&[
                ("rpmlib(CompressedFileNames)", 0x0100_000a, "3.0.4-1"),
                ("/usr/bin/tool", 0, ""),
                ("/usr/share/data", 0, ""),
                ("tool", 8, "1.0-2"),
                ("tool", 12, "1.0-2"),
                ("virtual", 0, ""),
                ("other", 0, ""),
            ]),
            ["/usr/share/data", "tool GE 0 1.0 2", "other"]
        );
    }

    #[test]
    fn what_installation_needs_is_marked_and_what_removal_needs_is_not() {
        // POSTTRANS, PREREQ, PRETRANS, SCRIPT_PRE and SCRIPT_POST; then INTERP, SCRIPT_PREUN and SCRIPT_POSTUN.
        for (bits, right) in [(&[5, 6, 7, 9, 10][..], "a pre"), (&[8, 11, 12], "a")] {
            for bit in bits {
                assert_eq!(requires(&[("a", 1 << bit, "")]), [right], "bit {bit}");
            }
        }
    }

    #[test]
    fn a_requirement_twice_in_a_row_is_listed_once() {
        assert_eq!(
            requires(&[
                ("/bin/sh", 0x500, ""),
                ("/bin/sh", 0x900, ""),
                ("/bin/sh", 0x1100, ""),
                ("/bin/sh", 0x120, ""),
                ("a", 8, "1"),
                ("a", 8, "1"),
                ("a", 8, "2"),
            ]),
            ["/bin/sh pre", "/bin/sh", "/bin/sh pre", "a EQ 0 1", "a EQ 0 2"]
        );
    }

    #[test]
    fn only_the_highest_libc_is_required_and_it_comes_last() {
        assert_eq!(
            requires(&[
                ("libc.so.6()(64bit)", 0x4000, ""),
                ("libc.so.6(GLIBC_2.14)(64bit)", 0x4000, ""),
                ("libc.so.6(GLIBC_2.4)(64bit)", 0x4000, ""),
                ("z", 0, ""),
            ]),
            ["z", "libc.so.6(GLIBC_2.14)(64bit)"]
        );
        let private = ("libc.so.6(GLIBC_PRIVATE)(64bit)", 0, "");
        assert_eq!(requires(&[("libc.so.6()(64bit)", 0, ""), private]), [private.0]);
        assert_eq!(requires(&[("libc.so.6(", 0, ""), ("libc.so.6", 0, "")]), ["libc.so.6("]);
        assert_eq!(requires(&[("libc.so.6", 0, ""), ("libc.so.6()", 0, "")]), ["libc.so.6()"]);
    }

    #[test]
    fn versions_of_dependencies_fall_into_three() {
        assert_eq!(
            requires(&[
                ("a", 2, "1:2-3"),
                ("b", 4, "2"),
                ("c", 10, ":2-3-4"),
                ("d", 8, "00:2"),
                ("e", 0, "2-3"),
                ("f", 6, "2"),
                ("g", 8, "x:2"),
                ("(h if i)", 0, ""),
            ]),
            ["a LT 1 2 3", "b GT 0 2", "c LE 0 2 3-4", "d EQ 00 2", "e 0 2 3", "f 0 2", "(h if i)"]
        );
    }

    #[test]
    fn weak_dependencies_of_all_ages_find_their_place() {
        let weak = |name, flags, version| {
            [(name, Texts(&[b"a", b"b"])), (flags, Numbers(&[0, 1 << 27])), (version, Texts(&[b"", b""]))]
        };
        let old = weak(tag::OLDSUGGESTSNAME, tag::OLDSUGGESTSFLAGS, tag::OLDSUGGESTSVERSION);
        let older = weak(tag::OLDENHANCESNAME, tag::OLDENHANCESFLAGS, tag::OLDENHANCESVERSION);
        let oldest = [
            (tag::REQUIRENAME, Texts(&[b"m", b"n"])),
            (tag::REQUIREFLAGS, Numbers(&[1 << 19, 0])),
            (tag::REQUIREVERSION, Texts(&[b"", b""])),
        ];
        let package = read_with(old.into_iter().chain(older).chain(oldest)).expect("a package");
        assert_eq!(
            (show(&package.dependencies.suggests), show(&package.dependencies.enhances)),
            (vec!["a".to_owned()], vec!["a".to_owned()])
        );
        assert_eq!(show(&package.dependencies.recommends), ["m", "b"]);
        assert_eq!(
            (show(&package.dependencies.supplements), show(&package.dependencies.requires)),
            (vec!["b".to_owned()], vec!["n".to_owned()])
        );

        let package = read_with(weak(tag::RECOMMENDNAME, tag::RECOMMENDFLAGS, tag::RECOMMENDVERSION));
        assert_eq!(show(&package.expect("a package").dependencies.recommends), ["a", "b"]);
    }

    #[test]
    fn a_dependency_without_a_name_or_with_an_epoch_that_is_no_number_is_left_out_and_that_is_told() {
        let required = ("requires", [tag::REQUIRENAME, tag::REQUIREFLAGS, tag::REQUIREVERSION]);
        let provided = ("provides", [tag::PROVIDENAME, tag::PROVIDEFLAGS, tag::PROVIDEVERSION]);
        for (what, [names, flags, versions]) in [required, provided] {
            for (name, version) in [(&b""[..], &b""[..]), (b"a", b"x:1")] {
                let entries = [(names, Texts(&[name])), (flags, Numbers(&[8])), (versions, Texts(&[version]))];
                let package = read_with(entries).expect("a package");
                assert!(package.dependencies.lists().iter().all(|(_, list)| list.is_empty()));
                assert_eq!(package.replaced_text, [what]);
            }
        }
    }

    #[test]
    fn each_kind_of_dependency_is_listed_under_its_name() {
        let kinds = [
            ("provides", tag::PROVIDENAME),
            ("requires", tag::REQUIRENAME),
            ("conflicts", tag::CONFLICTNAME),
            ("obsoletes", tag::OBSOLETENAME),
            ("suggests", tag::SUGGESTNAME),
            ("enhances", tag::ENHANCENAME),
            ("recommends", tag::RECOMMENDNAME),
            ("supplements", tag::SUPPLEMENTNAME),
        ];
        let names = kinds.map(|(name, _)| [name.as_bytes()]);
        let entries = kinds.iter().zip(&names).map(|((_, tag), name)| (*tag, Texts(name)));
        let package = read_with(entries).expect("a package");
        let listed = package.dependencies.lists().map(|(name, list)| (name, show(list)));
        assert_eq!(listed, kinds.map(|(name, _)| (name, vec![name.to_owned()])));
        assert!(package.dependencies.lists().iter().all(|(_, list)| !list.is_empty()));
    }

    #[test]
    fn dependency_lists_of_different_lengths_are_refused() {
        let names = Texts(&[b"a", b"b"]);
        refuse(
            [(tag::PROVIDENAME, names), (tag::PROVIDEFLAGS, Numbers(&[0, 0])), (tag::PROVIDEVERSION, Texts(&[b""]))],
            Code::DepList,
        );
        refuse([(tag::PROVIDEFLAGS, Numbers(&[0])), (tag::PROVIDEVERSION, Texts(&[b""]))], Code::DepList);
        let name = || (tag::PROVIDENAME, Texts(&[b"a"]));
        refuse([name(), (tag::PROVIDEFLAGS, Numbers(&[0]))], Code::DepList);
        refuse([name(), (tag::PROVIDEVERSION, Texts(&[b""]))], Code::DepList);
        let old = read_with([(tag::PROVIDENAME, Texts(&[b"lib.so.2"]))]).expect("names alone are the oldest form");
        assert_eq!(show(&old.dependencies.provides), ["lib.so.2"]);
    }

    #[test]
    fn dependency_names_must_be_text() {
        let bad: [&[u8]; 4] = [b"a\x01", b"a\xef\xbf\xbe", b"\x92a\xe9", b"a\x7f\x1f"];
        for name in bad {
            let flags = (tag::CONFLICTFLAGS, Numbers(&[0]));
            refuse([(tag::CONFLICTNAME, Texts(&[name])), flags, (tag::CONFLICTVERSION, Texts(&[b""]))], Code::Text);
        }
    }

    #[test]
    fn more_dependencies_than_can_be_compared_are_refused() {
        let with = |provides: usize, requires: usize| {
            let (names, versions): (Vec<&[u8]>, Vec<&[u8]>) = (vec![b"a"; provides], vec![b""; provides]);
            let (needs, needed): (Vec<&[u8]>, Vec<&[u8]>) = (vec![b"b"; requires], vec![b""; requires]);
            let package = read_with([
                (tag::PROVIDENAME, Texts(&names)),
                (tag::PROVIDEFLAGS, Numbers(&vec![0; provides])),
                (tag::PROVIDEVERSION, Texts(&versions)),
                (tag::REQUIRENAME, Texts(&needs)),
                (tag::REQUIREFLAGS, Numbers(&vec![0; requires])),
                (tag::REQUIREVERSION, Texts(&needed)),
            ]);
            package
                .map(|p| (p.dependencies.provides.len(), p.dependencies.requires.len()))
                .map_err(|refusal| refusal.code)
        };
        assert_eq!(with(1 << 17, 1 << 17), Ok((1 << 17, 1)));
        assert_eq!(with(1 << 17, (1 << 17) + 1), Err(Code::HeaderLimits));
    }

    #[test]
    fn a_file_of_its_own_is_no_requirement_however_it_is_written() {
        let listed = |requirement: &[u8], name: &[u8]| {
            let package = read_with([
                (tag::REQUIRENAME, Texts(&[requirement])),
                (tag::REQUIREFLAGS, Numbers(&[0])),
                (tag::REQUIREVERSION, Texts(&[b""])),
                (tag::BASENAMES, Texts(&[name])),
                (tag::DIRNAMES, Texts(&[b"/etc/"])),
                (tag::DIRINDEXES, Numbers(&[0])),
                (tag::FILEMODES, Modes(&[0o100_644])),
                (tag::FILEFLAGS, Numbers(&[0])),
            ]);
            package.expect("a package").dependencies.requires.len()
        };
        // UTF-8 and Latin-1.
        let [new, old]: [&[u8]; 2] = [b"caf\xc3\xa9", b"caf\xe9"];
        for (required, there) in [(new, new), (new, old), (old, new), (old, old)] {
            assert_eq!(listed(&[b"/etc/", required].concat(), there), 0);
        }
        assert_eq!(listed(b"/etc/cafe", new), 1);
    }

    type Lists<'a> = (&'a [&'a [u8]], &'a [&'a [u8]], &'a [u32], &'a [u16], &'a [u32]);

    fn with_files((names, dirs, indexes, modes, flags): Lists<'_>) -> Result<Package, Refusal> {
        read_with([
            (tag::BASENAMES, Texts(names)),
            (tag::DIRNAMES, Texts(dirs)),
            (tag::DIRINDEXES, Numbers(indexes)),
            (tag::FILEMODES, Modes(modes)),
            (tag::FILEFLAGS, Numbers(flags)),
        ])
    }

    #[test]
    fn files_are_of_three_kinds() {
        let package = with_files((
            &[b"a", b"b", b"c", b"d"],
            &[b"/x/", b"/y/"],
            &[1, 0, 0, 1],
            &[0o100_644, 0o040_755, 0o100_644, 0o040_755],
            &[0, 0, 0x40, 0x40],
        ))
        .expect("a package");
        let files: Vec<_> = package.files.iter().map(|file| (file.path, file.kind)).collect();
        let kinds = [FileKind::Plain, FileKind::Dir, FileKind::Ghost, FileKind::Dir];
        assert_eq!(
            files,
            ["/y/a", "/x/b", "/x/c", "/y/d"].map(str::to_owned).into_iter().zip(kinds).collect::<Vec<_>>()
        );
    }

    #[test]
    fn file_lists_that_do_not_fit_together_are_refused() {
        let (names, dirs): (&[&[u8]], &[&[u8]]) = (&[b"a", b"b"], &[b"/x/"]);
        let code = |list: Lists<'_>| with_files(list).map(|p| p.files).map_err(|refusal| refusal.code);
        assert_eq!(code((names, dirs, &[0, 1], &[0, 0], &[0, 0])), Err(Code::FileList), "no such directory");
        assert_eq!(code((names, dirs, &[0, u32::MAX], &[0, 0], &[0, 0])), Err(Code::FileList));
        assert_eq!(code((names, dirs, &[0], &[0, 0], &[0, 0])), Err(Code::FileList));
        assert_eq!(code((names, dirs, &[0, 0], &[0], &[0, 0])), Err(Code::FileList));
        assert_eq!(code((names, dirs, &[0, 0], &[0, 0], &[0, 0, 0])), Err(Code::FileList));
        assert_eq!(code((names, &[b"x/"], &[0, 0], &[0, 0], &[0, 0])).map(|files| files.len()), Ok(2), "relative");
        assert_eq!(code((&[b"a\n\x02"], dirs, &[0], &[0], &[0])), Err(Code::FileName));
        let odd = with_files((&[b"it\x92s"], dirs, &[0], &[0], &[0])).expect("listed as createrepo_c lists it");
        assert_eq!(odd.files.iter().map(|file| file.path).collect::<String>(), "/x/its");
        assert_eq!(odd.replaced_text, ["file names"]);
        let odd = code((&[b"a\n\"'//../ \xe9"], dirs, &[0], &[0], &[0])).expect("representable");
        assert_eq!(odd.iter().map(|file| file.path).collect::<String>(), "/x/a\n\"'//../ é");
    }

    #[test]
    fn a_long_directory_of_many_files_is_refused_before_the_names_are_put_together() {
        let dir = vec![b'd'; 1 << 20];
        let with = |files: usize| {
            let names: Vec<&[u8]> = vec![b""; files];
            let file = with_files((&names, &[&dir], &vec![0; files], &vec![0; files], &vec![0; files]));
            file.map(|package| package.files.len()).map_err(|refusal| refusal.code)
        };
        assert_eq!(with(64), Ok(64));
        assert_eq!(with(65), Err(Code::HeaderLimits));
        // 100 GB.
        assert_eq!(with(100_000), Err(Code::HeaderLimits));
    }

    #[test]
    fn whole_file_names_of_the_oldest_packages_are_read() {
        let package = read_with([
            (tag::OLDFILENAMES, Texts(&[b"/usr/bin/a", b"/usr/doc"])),
            (tag::FILEMODES, Modes(&[0o100_755, 0o040_755])),
            (tag::FILEFLAGS, Numbers(&[0, 0])),
        ])
        .expect("a package");
        assert_eq!(package.files.iter().map(|f| f.path).collect::<Vec<_>>(), ["/usr/bin/a", "/usr/doc"]);
        assert_eq!(package.files, package.files.iter().collect(), "as a list that is put together");
    }

    #[test]
    fn a_package_may_have_no_file_and_say_nothing_of_others() {
        let package = read_with([]).expect("a package");
        assert!(package.files.is_empty());
        assert!(package.dependencies.lists().iter().all(|(_, list)| list.is_empty()));
        let package = with_files((&[b"a"], &[b"/"], &[0], &[0], &[0])).expect("a package");
        assert!(!package.files.is_empty());
    }

    fn changes(times: &[u32]) -> Vec<(i64, String)> {
        let texts: Vec<String> = (0..times.len()).map(|n| n.to_string()).collect();
        let texts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let names: Vec<&[u8]> = vec![b" who\t  "; times.len()];
        let package = read_with([
            (tag::CHANGELOGTIME, Numbers(times)),
            (tag::CHANGELOGNAME, Texts(&names)),
            (tag::CHANGELOGTEXT, Texts(&texts)),
        ])
        .expect("a package");
        assert!(package.changelog.iter().all(|change| change.author == " who\t"), "blanks at the end only");
        package.changelog.into_iter().map(|change| (change.time, change.text)).collect()
    }

    #[test]
    fn the_newest_ten_changes_come_oldest_first() {
        let times: Vec<u32> = (0..15).map(|n| 1000 - n).collect();
        let listed = changes(&times);
        assert_eq!(listed.len(), CHANGELOG_LIMIT);
        assert_eq!((listed[0].clone(), listed[9].clone()), ((991, "9".to_owned()), (1000, "0".to_owned())));
    }

    #[test]
    fn changes_at_the_same_time_are_moved_apart() {
        let times = |times: &[u32]| changes(times).into_iter().map(|(time, _)| time).collect::<Vec<_>>();
        assert_eq!(times(&[50, 50, 50, 40]), [40, 50, 51, 52]);
        assert_eq!(times(&[51, 50, 50]), [50, 51, 52], "and what is in the way is moved too");
        assert_eq!(times(&[60, 50, 50]), [50, 51, 60], "and nothing else is");
        assert_eq!(times(&[u32::MAX, u32::MAX]), [i64::from(u32::MAX), i64::from(u32::MAX)]);
    }

    #[test]
    fn primary_files_are_those_that_yum_expects() {
        for path in ["/etc/a", "/usr/bin/a", "/opt/x/sbin/y", "/usr/lib/sendmail", "/usr/share/robin/x"] {
            assert!(is_primary(path), "{path}");
        }
        for path in ["/usr/lib/sendmail2", "/usr/etc/a", "/usr/bin", "/home/x"] {
            assert!(!is_primary(path), "{path}");
        }
    }
}
