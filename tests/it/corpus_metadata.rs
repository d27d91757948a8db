//! Metadata of other people's packages against createrepo_c's, element by element and attribute by
//! attribute.
//!
//! The corpus has what createrepo_c 0.17.3 (Debian 12) and 1.2.1 (PyPI) made of its packages. All of it is
//! compared after parsing, but for the time of the file, which each copy has of its own. What differs
//! stands in [`DIFFERENCES`] with the reason: what is not there must be equal, and what is there must
//! differ exactly so.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use aws_lc_rs::digest;
use quick_xml::XmlVersion;
use quick_xml::events::Event;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::refusal::{Code, Refusal};
use rolloutd::format::compress::{Compression, Press, member, open};
use rolloutd::format::header::{Extent, Header, Part, extent};
use rolloutd::format::package::{Package, Placed};
use rolloutd::format::xml::prove;
use rolloutd::format::{filelists, other, primary};
use rolloutd::store::blocks::{self, Key, Piece, target};

use crate::peers;

/// Unpacked metadata of the corpus is below 30 MB a file.
const LIMIT: u64 = 64 << 20;

/// Where createrepo_c and we do not say the same, and why.
struct Difference {
    /// The end of the package's path in the corpus.
    package: &'static str,
    /// Elements as [`packages`] shows them that only createrepo_c has, and that only we have.
    theirs: &'static [&'static str],
    ours: &'static [&'static str],
    reason: &'static str,
}

const SHELL: &str = "format/rpm:requires/rpm:entry name=/bin/sh";
const SHELL_FIRST: &str = "format/rpm:requires/rpm:entry name=/bin/sh pre=1";

const OLD_TRANSACTION: &str = "0.17.3 does not take what `%pretrans` and `%posttrans` need for needed before \
    installation; 1.2.1 does, and so do we";
const OLD_RETROFIT: &str = "the librpm of 0.17.3 adds to packages of format 3 that they provide themselves, that \
    of 1.2.1 does not; clients know it anyway";
const NAMES_ALONE: &str = "before rpm 3.0.3 provides had no versions and no flags; 1.2.1 loses such provides, \
    0.17.3 and we keep them";

/// Of createrepo_c 1.2.1, in all three files.
const DIFFERENCES: &[Difference] = &[Difference {
    package: "libtermcap-2.0.8-2.i386.rpm",
    theirs: &[],
    ours: &["format/rpm:provides", "format/rpm:provides/rpm:entry name=libtermcap.so.2"],
    reason: NAMES_ALONE,
}];

const fn one_less(package: &'static str) -> Difference {
    Difference { package, theirs: &[SHELL], ours: &[], reason: OLD_TRANSACTION }
}

const fn one_first(package: &'static str) -> Difference {
    Difference { package, theirs: &[], ours: &[SHELL_FIRST], reason: OLD_TRANSACTION }
}

/// Of createrepo_c 0.17.3, in all three files.
const OLD_DIFFERENCES: &[Difference] = &[
    one_less("OpenIPMI-modalias-2.0.19-15.el7.x86_64.rpm"),
    one_less("abrt-addon-pstoreoops-2.1.11-45.el7.centos.x86_64.rpm"),
    one_less("container-selinux-2.205.0-2.module+el8.8.0+1265+fa25dd7a.noarch.rpm"),
    one_less("freeradius-server-3.2.3-3.1.x86_64.rpm"),
    one_less("nvme-cli-2.6-163.3.x86_64.rpm"),
    one_less("redshift-gtk-1.8-1.el7.x86_64.rpm"),
    one_first("gnome-shell-extension-mgse-userthemes-20111218-2.1.noarch.rpm"),
    one_first("libwbclient-4.4.4-14.el7_3.x86_64.rpm"),
    Difference {
        package: "SLES-release-16.0-160000.43.1.x86_64.rpm",
        theirs: &[SHELL],
        ours: &[SHELL_FIRST],
        reason: OLD_TRANSACTION,
    },
    Difference {
        package: "Archer-3.4.5-6.x86_64.rpm",
        theirs: &[
            "format/rpm:requires/rpm:entry epoch=0 flags=EQ name=foog ver=7",
            "format/rpm:requires/rpm:entry epoch=0 flags=EQ name=fooh ver=8",
        ],
        ours: &[
            "format/rpm:requires/rpm:entry epoch=0 flags=EQ name=foog pre=1 ver=7",
            "format/rpm:requires/rpm:entry epoch=0 flags=EQ name=fooh pre=1 ver=8",
        ],
        reason: OLD_TRANSACTION,
    },
    Difference {
        package: "devzero2000+RPM5/foo.i386.rpm",
        theirs: &[
            "format/rpm:provides",
            "format/rpm:provides/rpm:entry epoch=0 flags=EQ name=xemacs-extras rel=1 ver=21.1.3",
        ],
        ours: &[],
        reason: OLD_RETROFIT,
    },
    Difference {
        package: "Scout24+yum-repo-server/tree-1.2-6.i386.rpm",
        theirs: &["format/rpm:provides", "format/rpm:provides/rpm:entry epoch=0 flags=EQ name=tree rel=6 ver=1.2"],
        ours: &[],
        reason: OLD_RETROFIT,
    },
    Difference {
        package: "libtermcap-2.0.8-2.i386.rpm",
        theirs: &["format/rpm:provides/rpm:entry epoch=0 flags=EQ name=libtermcap rel=2 ver=2.0.8"],
        ours: &[],
        reason: OLD_RETROFIT,
    },
    Difference {
        package: "simplestRPMv3-1.0-2.aix5.3.noarch.rpm",
        theirs: &["format/rpm:provides/rpm:entry epoch=0 flags=EQ name=simplestRPMv3 rel=2 ver=1.0"],
        ours: &[],
        reason: OLD_RETROFIT,
    },
];

/// What neither of the two can list, and what we say of it.
const REFUSED: &[(Code, &[&str])] = &[
    (
        Code::NotRpm,
        &[
            "cassandra22-2.2.1-1.noarch.rpm.md5",
            "cassandra22-2.2.1-1.noarch.rpm.sha",
            "OpenMandrivaSoftware+urpmi/invalid-signature.rpm",
            "OpenMandrivaSoftware+urpmi/not-a-rpm.rpm",
            "blueberries-0.1-0.src.drpm",
            "scap-security-guide-satellite-4.3.4-1.el9sat.noarch.rpm.txt",
            "girl-8.4.2-1.fc24.src.rpm",
            "aboutcode-org+scancode-toolkit/broken.rpm",
            "dive-0.10.0.rpm",
            "98-file-corrupt.rpm",
            "99-file-rest.rpm",
            "testpkg-2.noarch.rpm.hdr",
            "testpkg-2.rpm.hdr",
            "testpkg-2.rpm.hdr.sig",
            "release-engineering+productmd/bash-5.2.26-3.fc41.x86_64.rpm",
            "drpm_test_file_2.drpm",
        ],
    ),
    (
        Code::Truncated,
        &[
            "Eterm-0.9.3-5mdv2007.0.rpm",
            "berry-mkdiscicons-0.07-b1.src.rpm",
            "firefox-3.5.6-b1.nosrc.rpm",
            "fping-2.4b2-10.fc12.x86_64.rpm",
            "fping-2.4b2-5.i586.rpm",
            "fping-2.4b2-8mdv2007.1.sparc.rpm",
            "libsqueeze0.2_0-0.2.3-8mdv2010.0.i586.a4485b0d.rpm",
            "m4ri-20081028-5.fc12.src.rpm",
            "mdcp-0.1.2-2.i686.rpm",
            "necsul-suse-devel-1.2.0-2.i586.rpm",
            "perl-Class-MethodMaker-1.06-1.7.3.noarch.rpm",
            "perl-Class-MethodMaker-1.06-1.8.0.noarch.rpm",
            "ping-0.17-30994cl.ppc.rpm",
            "ping-ss020927-54702cl.i386.rpm",
            "xsetup-0.28-b1.src.rpm",
            "00-file-top.rpm",
        ],
    ),
    (
        Code::HeaderEntry,
        &[
            "fxload-2002_04_11-212.1.src.rpm",
            "craigwblake+redline/test-invalid-1.0-1.noarch.rpm",
            "test1-1.0.0-0.201606241041-noarch.rpm",
            "another-artifact-0.0.1-1.noarch.rpm",
            "conflict-artifact-2.2-1.noarch.rpm",
        ],
    ),
    (Code::Region, &["foo-1.0-1.i686.b6c9955d.rpm", "poldek-pm+poldek/foo-lib-1.0-1.i686.rpm"]),
    // createrepo_c leaves it out without a word and ends with success.
    (Code::Text, &["SpecCheck4-0.0.1-0.x86_64.rpm"]),
];

/// Packages of which something could not be written as it is, and which fields; createrepo_c loses the
/// same and does not say so.
const REPLACED: &[(&str, &[&str])] = &[
    ("rpm-with-non-utf-8-1-1.fc25.noarch.rpm", &["description"]),
    ("balicek-iso88592-1.1.1-1.x86_64.rpm", &["summary", "description", "changelog author", "changelog text"]),
    ("arbitrarytag-1.0-2.noarch.rpm", &["provides"]),
    ("probes-test-1-0.src.rpm", &["requires"]),
];

/// `createrepo_c` writes a package into all three files, and each of them has a root of its own.
const FILES: [(&str, &str); 3] = [("primary", "metadata"), ("filelists", "filelists"), ("other", "otherdata")];

type Writer = fn(&mut Vec<u8>, &Package, &Placed);
const WRITERS: [Writer; 3] = [primary::write, filelists::write, other::write];

fn read_package(bytes: &[u8]) -> Result<Package, Refusal> {
    let layout = match extent(bytes)? {
        Extent::Known(layout) => layout,
        Extent::More(needed) => return Err(Refusal::new(Code::Truncated, format!("{needed} bytes are needed"))),
    };
    let signature = Header::read(cut(bytes, &layout.signature), Part::Signature)?;
    let main = Header::read(cut(bytes, &layout.main), Part::Main)?;
    Package::read(&main, &signature, &layout)
}

fn cut<'a>(bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let index = |at: u64| usize::try_from(at).expect("a small file");
    bytes.get(index(range.start)..index(range.end)).unwrap_or_default()
}

/// What we make of the corpus.
struct Ours {
    packages: usize,
    /// In the order of [`FILES`].
    files: [Vec<u8>; 3],
    refused: BTreeMap<String, Refusal>,
    /// Packages with text that could not be written as it is.
    replaced: BTreeMap<String, Vec<&'static str>>,
}

fn ours(corpus: &Path) -> Ours {
    let list = std::fs::read_to_string(corpus.join("ref/pkglist.txt")).expect("the list of packages");
    let (mut files, mut refused, mut replaced) = ([const { Vec::new() }; 3], BTreeMap::new(), BTreeMap::new());
    let mut count = 0;
    for path in list.lines() {
        let bytes = std::fs::read(corpus.join(path)).expect("a package of the list");
        let package = match read_package(&bytes) {
            Ok(package) => package,
            Err(refusal) => {
                refused.insert(path.to_owned(), refusal);
                continue;
            }
        };
        if !package.replaced_text.is_empty() {
            replaced.insert(path.to_owned(), package.replaced_text.clone());
        }
        let placed = Placed {
            pkgid: hex::encode(digest::digest(&digest::SHA256, &bytes)),
            checksum: ChecksumKind::Sha256,
            file_time: 0,
            package_size: bytes.len() as u64,
            location: path.to_owned(),
        };
        count += 1;
        for (out, write) in files.iter_mut().zip(WRITERS) {
            write(out, &package, &placed);
        }
    }
    let heads = [primary::head(count), filelists::head(count), other::head(count)];
    let feet = [primary::foot(), filelists::foot(), other::foot()];
    for ((file, head), foot) in files.iter_mut().zip(heads).zip(feet) {
        *file = [head.as_bytes(), file, foot.as_bytes()].concat();
    }
    Ours { packages: count, files, refused, replaced }
}

/// Each package's elements in their order, as `path attribute=value … | text`, attributes by name; by
/// location for `primary`, by id for the other two.
fn packages(xml: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut reader = quick_xml::Reader::from_str(str::from_utf8(xml).expect("UTF-8"));
    let (mut path, mut texts): (Vec<String>, Vec<(usize, String)>) = (Vec::new(), Vec::new());
    let (mut found, mut lines, mut name) = (BTreeMap::new(), Vec::<String>::new(), String::new());
    loop {
        let event = reader.read_event().expect("well-formed");
        let (tag, empty) = match &event {
            Event::Start(tag) => (tag, false),
            Event::Empty(tag) => (tag, true),
            Event::Text(words) => {
                if let Some((_, text)) = texts.last_mut() {
                    text.push_str(words);
                }
                continue;
            }
            Event::GeneralRef(reference) => {
                let entity = format!("&{};", &**reference);
                let known = quick_xml::escape::unescape(&entity).expect("a known entity");
                texts.last_mut().expect("inside an element").1.push_str(&known);
                continue;
            }
            Event::End(_) => {
                path.pop();
                let (at, text) = texts.pop().expect("an element to end");
                // Between elements there are only blanks; what has elements in it has no text of its own.
                if at == lines.len() && at > 0 {
                    lines[at - 1] = [&lines[at - 1], " | ", &text].concat();
                }
                if path.len() == 1 {
                    let package: Vec<String> = std::mem::take(&mut lines);
                    found.entry(std::mem::take(&mut name)).or_insert_with(Vec::new).extend(package);
                }
                continue;
            }
            Event::Eof => return found,
            _ => continue,
        };
        path.push(tag.name().as_ref().to_owned());
        let mut attributes = BTreeMap::new();
        for one in tag.attributes() {
            let one = one.expect("an attribute");
            let value = one.normalized_value(XmlVersion::Implicit1_0).expect("known references").into_owned();
            attributes.insert(one.key.as_ref().to_owned(), value);
        }
        match path.last().map(String::as_str) {
            Some("location") => name.clone_from(&attributes["href"]),
            Some("package") => name = attributes.get("pkgid").cloned().unwrap_or_default(),
            Some("time") => _ = attributes.remove("file"),
            _ => {}
        }
        if path.len() > 1 {
            let mut line = path[2..].join("/");
            for (key, value) in &attributes {
                line = format!("{line} {key}={value}");
            }
            lines.push(line);
        }
        if empty {
            path.pop();
        } else {
            texts.push((lines.len(), String::new()));
        }
    }
}

/// What stands in `a` and not in `b`, counted.
fn without<'a>(a: &'a [String], b: &[String]) -> Vec<&'a str> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for line in b {
        *left.entry(line).or_default() += 1;
    }
    a.iter()
        .map(String::as_str)
        .filter(|line| match left.get_mut(line) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        })
        .collect()
}

/// The same elements in the same order, but for those that one has more.
fn same_order(a: &[String], b: &[String]) -> bool {
    let common = |x: &[String], y: &[String]| {
        let more: BTreeSet<String> = without(x, y).into_iter().map(str::to_owned).collect();
        x.iter().filter(|line| !more.contains(*line)).cloned().collect::<Vec<_>>()
    };
    // An element that both have and one has more often is left out of both.
    let (mut a, mut b) = (common(a, b), common(b, a));
    let shared: BTreeSet<String> = a.iter().filter(|line| b.contains(*line)).cloned().collect();
    a.retain(|line| shared.contains(line));
    b.retain(|line| shared.contains(line));
    a == b
}

fn compare(version: &str, listed: &[Difference]) {
    let Some(corpus) = peers::corpus() else { return };
    let (mut unlisted, mut used, mut compared) = (Vec::new(), BTreeSet::new(), 0);
    for ((file, _), ours) in FILES.into_iter().zip(ours(&corpus).files) {
        let path = corpus.join(format!("ref/createrepo_c-{version}/{file}.xml.gz"));
        let theirs = open(Compression::Gz, &std::fs::read(path).expect("the reference"), LIMIT).expect("readable");
        let (theirs, ours) = (packages(&theirs), packages(&ours));
        assert_eq!(theirs.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>(), "{file} lists other packages");
        compared += theirs.len();
        for (package, theirs) in &theirs {
            let ours = &ours[package];
            if theirs == ours {
                continue;
            }
            let (more, less) = (without(theirs, ours), without(ours, theirs));
            let row = listed.iter().position(|row| package.ends_with(row.package));
            match row.map(|at| (at, &listed[at])) {
                Some((at, row)) if row.theirs == more && row.ours == less && same_order(theirs, ours) => {
                    assert!(used.insert(at), "{} is listed for one file, and another differs too", row.package);
                }
                _ => unlisted.push(format!("{file} of {package}\n  theirs {more:?}\n  ours   {less:?}")),
            }
        }
    }
    assert!(unlisted.is_empty(), "{} differences are not listed:\n{}", unlisted.len(), unlisted.join("\n"));
    for (at, row) in listed.iter().enumerate() {
        assert!(used.contains(&at), "{} does not differ any more ({})", row.package, row.reason);
    }
    eprintln!("{compared} packages of createrepo_c {version} compared, {} differ as listed", listed.len());
}

#[test]
fn metadata_of_the_corpus_equals_that_of_createrepo_c_1_2_1() {
    compare("1.2.1", DIFFERENCES);
}

#[test]
fn metadata_of_the_corpus_equals_that_of_createrepo_c_0_17_3_but_for_what_has_changed_since() {
    compare("0.17.3", OLD_DIFFERENCES);
}

#[test]
fn what_createrepo_c_can_list_we_can_list_and_what_not_we_refuse_with_a_reason() {
    let Some(corpus) = peers::corpus() else { return };
    let Ours { packages, mut refused, mut replaced, .. } = ours(&corpus);
    for (code, paths) in REFUSED {
        for path in *paths {
            let found = refused.keys().find(|found| found.ends_with(path)).cloned();
            let found = found.unwrap_or_else(|| panic!("{path} is not refused, or listed twice"));
            let refusal = refused.remove(&found).expect("found");
            assert_eq!(refusal.code, *code, "{found}: {refusal}");
        }
    }
    assert!(refused.is_empty(), "refused and not listed: {refused:#?}");
    for (path, fields) in REPLACED {
        let found = replaced.keys().find(|found| found.ends_with(path)).cloned();
        let found = found.unwrap_or_else(|| panic!("nothing is said of {path}"));
        assert_eq!(replaced.remove(&found).as_deref(), Some(*fields), "{path}");
    }
    assert!(replaced.is_empty(), "replaced and not listed: {replaced:?}");
    eprintln!("{packages} packages listed");
}

#[test]
fn metadata_of_the_corpus_passes_the_proof_and_the_proof_reads_createrepo_cs_too() {
    let Some(corpus) = peers::corpus() else { return };
    let ours = ours(&corpus);
    let mut orders = BTreeSet::new();
    for ((file, root), xml) in FILES.into_iter().zip(&ours.files) {
        let proof = prove(xml.as_slice(), root, ours.packages as u64).unwrap_or_else(|fault| panic!("{file}: {fault}"));
        orders.insert(proof.order);
        for version in ["0.17.3", "1.2.1"] {
            let path = corpus.join(format!("ref/createrepo_c-{version}/{file}.xml.gz"));
            let theirs = open(Compression::Gz, &std::fs::read(path).expect("the reference"), LIMIT).expect("readable");
            prove(theirs.as_slice(), root, 791).unwrap_or_else(|fault| panic!("{file} of {version}: {fault}"));
        }
    }
    assert_eq!(orders.len(), 1, "the three files list the same packages in the same order");
}

#[test]
fn whatever_is_read_of_a_spoilt_package_passes_the_proof() {
    let Some(corpus) = peers::corpus() else { return };
    let list = std::fs::read_to_string(corpus.join("ref/pkglist.txt")).expect("the list of packages");
    let mut state = 1_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let (mut read, mut refused) = (0, 0);
    for path in list.lines().step_by(9) {
        let bytes = std::fs::read(corpus.join(path)).expect("a package of the list");
        let Ok(Extent::Known(layout)) = extent(&bytes) else { continue };
        let end = usize::try_from(layout.main.end).expect("a small file");
        let start = usize::try_from(layout.main.start).expect("a small file");
        if end - start > 20_000 || end > bytes.len() {
            continue;
        }
        for _ in 0..60 {
            let mut spoilt = bytes[..end].to_vec();
            for _ in 0..=random(4) {
                let at = start + 16 + random(end - start - 16);
                // Most often something that is forbidden in XML, or begins something that is.
                spoilt[at] =
                    [1, 0x1b, 0xef, 0xbf, 0xbe, 0xff, 0x80, b'<', b'&', b':', b'\r', spoilt[at] ^ 1][random(12)];
            }
            let Ok(package) = read_package(&spoilt) else {
                refused += 1;
                continue;
            };
            read += 1;
            let placed = Placed {
                pkgid: "00".to_owned(),
                checksum: ChecksumKind::Sha256,
                file_time: 0,
                package_size: 1,
                location: package.nevra.file_name(),
            };
            let heads = [primary::head(1), filelists::head(1), other::head(1)];
            let feet = [primary::foot(), filelists::foot(), other::foot()];
            for ((write, (_, root)), (head, foot)) in WRITERS.into_iter().zip(FILES).zip(heads.into_iter().zip(feet)) {
                let mut xml = head.into_bytes();
                write(&mut xml, &package, &placed);
                xml.extend_from_slice(foot.as_bytes());
                prove(xml.as_slice(), root, 1).unwrap_or_else(|fault| panic!("{path}: {fault}"));
            }
        }
    }
    eprintln!("{read} spoilt packages read, {refused} refused");
    assert!(read > 500 && refused > 500, "{read} read, {refused} refused");
}

/// Real metadata of others: path, and by how many percent it may grow in blocks of gzip and of
/// zstd. Where it is more than ten for zstd, few packages are most of the file and alike (kernels; four
/// versions of everything), which one zstd stream can use and blocks cannot.
const GROWTH: &[(&str, [u64; 2])] = &[
    ("sunxu+packer-centos-7.2.1511/repo/repodata/0e54cd65", [10, 10]),
    ("sunxu+packer-centos-7.2.1511/repo/repodata/bc7ac852", [10, 10]),
    ("osbuild+images/test/data/testrepo/repodata/7b999336", [10, 10]),
    ("geodentel+pgdg-common/repodata/6996fe16", [10, 10]),
    ("osbuild+images/test/data/testrepo/repodata/13049403", [10, 20]),
    ("The-Cloud-Source+elrepo-tools/repodata/cbe5ffac", [10, 90]),
];

#[test]
fn blocks_cost_less_than_a_tenth_of_a_file() {
    let Some(corpus) = peers::corpus() else { return };
    for (prefix, most) in GROWTH {
        let (dir, name) = prefix.rsplit_once('/').expect("a file");
        let entries = std::fs::read_dir(corpus.join("repodata").join(dir)).expect("a repository");
        let path = entries.map(|entry| entry.expect("readable").path());
        let path =
            path.into_iter().find(|path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(name)));
        let packed = std::fs::read(path.expect("the metadata")).expect("readable");
        let xml = String::from_utf8(open(Compression::Gz, &packed, LIMIT).expect("readable")).expect("UTF-8");
        let start = xml.find("<package ").expect("a package");
        let end = xml.rfind("</package>").expect("a package") + "</package>\n".len();
        let (head, foot) = (&xml[..start], &xml[end..]);
        let chunks: Vec<&str> = xml[start..end].split_inclusive("</package>\n").collect();
        for (compression, most) in [Compression::Gz, Compression::Zst].into_iter().zip(most) {
            let size = |xml: &str| member(compression, xml.as_bytes()).expect("memory takes it").len() as u64;
            let piece = |at: usize| Piece { key: Key::of(chunks[at].as_bytes()), len: chunks[at].len() };
            let blocks = blocks::cut(compression, chunks.len(), piece);
            let number = blocks.len();
            let one = size(&xml);
            let inside: u64 = blocks.iter().map(|block| size(&chunks[block.packages.clone()].concat())).sum();
            let blocks = size(head) + inside + size(foot);
            eprintln!(
                "{prefix} {compression}: {} bytes of XML, one stream {one}, {number} blocks {blocks}, {:+} per mille",
                xml.len(),
                (blocks.cast_signed() - one.cast_signed()) * 1000 / one.cast_signed()
            );
            assert!(blocks * 100 <= one * (100 + most), "{prefix} {compression} grows from {one} to {blocks}");
            let mean = chunks.iter().map(|xml| xml.len()).sum::<usize>() / number;
            assert!(mean < 4 * target(compression), "{mean} bytes in a block");
        }
    }
}

#[test]
fn a_member_of_the_references_own_content_is_read_like_the_reference() {
    let Some(corpus) = peers::corpus() else { return };
    let packed = std::fs::read(corpus.join("ref/createrepo_c-1.2.1/other.xml.gz")).expect("the reference");
    let content = open(Compression::Gz, &packed, LIMIT).expect("readable");
    for compression in Compression::ALL {
        let mut press = Press::new(compression).expect("a press");
        let members: Vec<u8> = content.chunks(50_000).flat_map(|part| press.member(part).expect("a member")).collect();
        assert!(open(compression, &members, LIMIT).expect("readable") == content, "{compression}");
    }
}
