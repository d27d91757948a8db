//! Our metadata in other people's hands: what createrepo_c, libsolv, dnf, zypper, zcat and Python make of
//! members that stand one after another, and whether a client finds a package whose name has `+`, `~`
//! and `^` in it.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest;
use jiff::Timestamp;
use rolloutd::domain::checksum::ChecksumKind;
use rolloutd::domain::nevra::Nevra;
use rolloutd::format::compress::{Compression, open};
use rolloutd::format::header::{Extent, Header, Part, extent};
use rolloutd::format::package::{Change, Dependencies, File, FileKind, Package, Placed};
use rolloutd::format::repomd::Repomd;
use rolloutd::format::sample::{Recipe, build};
use rolloutd::format::xml::prove;
use rolloutd::format::{filelists, other, primary};
use rolloutd::store::assembly::assemble;
use rolloutd::store::block_cache::BlockCache;
use rolloutd::store::blocks::{Form, Members, Part as Section, read_back};
use rolloutd::store::disk::Kernel;
use rolloutd::store::index::InMemory;
use tempfile::TempDir;

use crate::peers;

const LIMIT: u64 = 1 << 30;

const fn form(compression: Compression, members: Members) -> Form {
    Form { compression, members, checksum: ChecksumKind::Sha256 }
}

fn every_form() -> impl Iterator<Item = Form> {
    Compression::ALL.into_iter().flat_map(|kind| [Members::Blocks, Members::One].map(|members| form(kind, members)))
}

type Writer = fn(&mut Vec<u8>, &Package, &Placed);

/// Writes `repodata/` of these packages into `dir`; returns how many blocks there were.
fn publish(dir: &Path, form: Form, packages: &[(Package, Placed)]) -> usize {
    let repodata = dir.join("repodata");
    let _ = std::fs::remove_dir_all(&repodata);
    std::fs::create_dir_all(&repodata).expect("a directory");
    let xml = |write: Writer| {
        let one = |(package, placed): &(Package, Placed)| {
            let mut xml = Vec::new();
            write(&mut xml, package, placed);
            xml
        };
        packages.iter().map(one).collect()
    };
    let source = InMemory { xml: [xml(primary::write), xml(filelists::write), xml(other::write)] };
    let place = tempfile::tempdir().expect("a directory");
    let disk = Kernel::default();
    let mut block_cache = BlockCache::open(&disk, &place.path().join("block_cache")).expect("begun");
    let outs = [Vec::new(), Vec::new(), Vec::new()];
    let (files, tally) = assemble(form, &disk, &mut block_cache, &source, outs, |_| Ok(())).expect("memory takes it");
    let mut repomd = Repomd { revision: 7, ..Repomd::default() };
    for (part, (sums, out)) in Section::ALL.into_iter().zip(files) {
        let (kind, count) = (part.as_str(), packages.len() as u64);
        read_back(form, &sums, part.root(), count, out.as_slice()).expect("what was written");
        let name = format!("{}-{kind}.xml{}", sums.checksum, form.compression.extension());
        std::fs::write(repodata.join(&name), out).expect("written");
        repomd.data.push(sums.data(form, kind, &format!("repodata/{name}"), 1_700_000_000));
    }
    std::fs::write(repodata.join("repomd.xml"), repomd.write()).expect("written");
    tally.made
}

pub(crate) fn read(dir: &Path, kind: &str) -> Vec<u8> {
    let repomd = std::fs::read(dir.join("repodata/repomd.xml")).expect("repomd.xml");
    let repomd = Repomd::read(&repomd).expect("a repomd.xml that we would take over");
    let data = repomd.get(kind).expect("the data");
    let packed = std::fs::read(dir.join(&data.location)).expect("the file that it names");
    open(Compression::of_name(&data.location).expect("a known compression"), &packed, LIMIT).expect("readable")
}

/// Each package's element in `primary.xml`, by location.
pub(crate) fn elements(xml: &[u8]) -> BTreeMap<String, String> {
    let xml = str::from_utf8(xml).expect("UTF-8");
    let start = xml.find("<package ").unwrap_or(xml.len());
    let element = |text: &str| {
        let (_, rest) = text.split_once("<location href=\"").expect("a location");
        (rest.split_once('"').expect("its end").0.to_owned(), text.to_owned())
    };
    xml[start..].split_inclusive("</package>\n").filter(|text| text.starts_with("<package ")).map(element).collect()
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.env("LC_ALL", "C.UTF-8").output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{}\n{said}", String::from_utf8_lossy(&output.stdout));
    output
}

/// Packages that a builder made: files on the disk below `dir`, and what we read of them.
fn samples(dir: &Path) -> Vec<(Package, Placed)> {
    let at: Timestamp = "2023-11-14T22:13:20Z".parse().expect("a time");
    let plain = |name: &str| Recipe {
        name: name.to_owned(),
        version: "1.0".to_owned(),
        release: "1".to_owned(),
        arch: "noarch".to_owned(),
        summary: format!("{name} & its <\"friends\">\n  second line"),
        build_time: at,
        ..Recipe::default()
    };
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    let recipes = [
        Recipe {
            epoch: Some(3),
            requires: words(&["tool-libs >= 2:1.0-1", "/bin/sh", "/usr/bin/tool", "self"]),
            provides: words(&["self", "tool(api) = 4"]),
            files: vec![
                ("/usr/bin/tool".to_owned(), b"#!/bin/sh\n".to_vec()),
                ("/etc/tool.conf".to_owned(), b"a = b\n".to_vec()),
                ("/usr/share/tool/data".to_owned(), vec![0; 5000]),
            ],
            changelog: (0..14)
                .map(|n| (at, format!("Some Body <some@body.example> - 1.0-{n}"), format!("- change {n} & <more>")))
                .collect(),
            ..plain("tool")
        },
        Recipe { version: "1.0~rc1+git20231114^2".to_owned(), release: "2.el6".to_owned(), ..plain("c++-tool") },
        Recipe { arch: "x86_64".to_owned(), ..plain("tool-libs") },
    ];
    let mut found = Vec::new();
    for recipe in recipes {
        let bytes = build(&recipe, None, at).expect("a package");
        let Extent::Known(layout) = extent(&bytes).expect("a header") else { panic!("a whole package") };
        let cut = |range: &std::ops::Range<u64>| {
            let index = |at: u64| usize::try_from(at).expect("a small file");
            &bytes[index(range.start)..index(range.end)]
        };
        let signature = Header::read(cut(&layout.signature), Part::Signature).expect("a signature header");
        let main = Header::read(cut(&layout.main), Part::Main).expect("a main header");
        let package = Package::read(&main, &signature, &layout).expect("a package");
        let location = format!("Packages/{}/{}", &recipe.name[..1], package.nevra.file_name());
        let path = dir.join(&location);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        std::fs::write(&path, &bytes).expect("written");
        std::fs::File::options().write(true).open(&path).expect("there").set_modified(at.into()).expect("a time");
        let placed = Placed {
            pkgid: hex::encode(digest::digest(&digest::SHA256, &bytes)),
            checksum: ChecksumKind::Sha256,
            file_time: u64::try_from(at.as_second()).expect("after 1970"),
            package_size: bytes.len() as u64,
            location,
        };
        found.push((package, placed));
    }
    found
}

#[test]
fn createrepo_c_on_this_machine_writes_the_same_of_the_same_packages() {
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    let (theirs, ours) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    samples(theirs.path());
    run(Command::new("createrepo_c").args(["--quiet", "--no-database"]).arg(theirs.path()));
    let packages = samples(ours.path());
    publish(ours.path(), form(Compression::Gz, Members::Blocks), &packages);
    let (theirs, ours) = (theirs.path(), ours.path());
    assert_eq!(elements(&read(ours, "primary")), elements(&read(theirs, "primary")));
    for kind in ["filelists", "other"] {
        let lines = |dir: &Path| -> BTreeSet<String> {
            let xml = String::from_utf8(read(dir, kind)).expect("UTF-8");
            xml.split_inclusive("</package>\n").map(str::to_owned).map(|text| text.replace('\r', "")).collect()
        };
        let body = |dir: &Path| -> BTreeSet<String> {
            let start = |text: String| text.find("<package ").map(|at| text[at..].to_owned());
            lines(dir).into_iter().filter_map(start).collect()
        };
        assert_eq!(body(ours), body(theirs), "{kind}");
    }
}

#[test]
fn createrepo_c_updates_what_we_published_and_finds_every_package_unchanged() {
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    for form in every_form().filter(|form| createrepo_c_reads(form.compression)) {
        let dir = TempDir::new().expect("a directory");
        let packages = samples(dir.path());
        publish(dir.path(), form, &packages);
        let before = elements(&read(dir.path(), "primary"));
        let output = run(Command::new("createrepo_c").args(["--verbose", "--update", "--no-database"]).arg(dir.path()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let complaint = said.lines().find(|line| line.contains("WARNING") || line.contains("CRITICAL"));
        assert_eq!(complaint, None, "{form:?}\n{said}");
        assert!(said.contains("Loaded information about 3 packages"), "{form:?}\n{said}");
        assert_eq!(elements(&read(dir.path(), "primary")), before, "{form:?}");
    }
}

/// Enough for several blocks of either kind.
const PACKAGES: usize = 9000;

/// Packages with names, texts and files of their own.
fn many() -> Vec<(Package, Placed)> {
    let mut state = 1_u64;
    let mut word = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:x}", state >> 40)
    };
    let nevra = |n: usize| Nevra::new(&format!("tool-{n:05}"), 0, "1.0", "1", "noarch").expect("plain");
    (0..PACKAGES)
        .map(|n| {
            let nevra = nevra(n);
            let mut dependencies = Dependencies::default();
            dependencies.provides.push(nevra.name(), 8, "1.0-1", false);
            let text: Vec<String> = (0..80).map(|_| word()).collect();
            let file = |_| File { path: format!("/usr/share/{}/{}", word(), n), kind: FileKind::Plain };
            let placed = Placed {
                pkgid: hex::encode(digest::digest(&digest::SHA256, nevra.name().as_bytes())),
                checksum: ChecksumKind::Sha256,
                file_time: 1,
                package_size: 1000,
                location: format!("Packages/t/{}", nevra.file_name()),
            };
            let package = Package {
                summary: format!("tool {n}"),
                description: text.join(" "),
                packager: String::new(),
                url: String::new(),
                license: "MIT".to_owned(),
                vendor: String::new(),
                group: String::new(),
                build_host: String::new(),
                source_rpm: format!("tool-{n:05}-1.0-1.src.rpm"),
                build_time: 1,
                installed_size: 1,
                archive_size: 1,
                header_range: (1, 2),
                dependencies,
                files: (0..30).map(file).collect(),
                changelog: vec![Change { author: "a".to_owned(), time: 1, text: text.concat() }],
                replaced_text: Vec::new(),
                nevra,
            };
            (package, placed)
        })
        .collect()
}

fn file_of(dir: &Path, kind: &str) -> PathBuf {
    let repomd = std::fs::read(dir.join("repodata/repomd.xml")).expect("repomd.xml");
    dir.join(&Repomd::read(&repomd).expect("readable").get(kind).expect("the data").location)
}

fn unpackers_give_the_whole_file(dir: &Path, compression: Compression) {
    let programs: [(&str, &[&str]); 2] = match compression {
        Compression::Gz => [("zcat", &[]), ("python3", &["-c", PYTHON])],
        Compression::Zst => [("zstdcat", &[]), ("zstd", &["-dcq"])],
        Compression::None => return,
    };
    for (program, arguments) in programs.into_iter().filter(|(program, _)| peers::have(&[program])) {
        let output = run(Command::new(program).args(arguments).arg(file_of(dir, "primary")));
        assert!(output.stdout == read(dir, "primary"), "{program} gives {} bytes", output.stdout.len());
    }
}

const PYTHON: &str = "import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())";

/// Whether createrepo_c is new enough for zstd, which 0.17.3 of Debian 12 is not.
fn createrepo_c_reads(compression: Compression) -> bool {
    let output = run(Command::new("createrepo_c").arg("--version"));
    let old = String::from_utf8_lossy(&output.stdout).starts_with("Version: 0.");
    if old && compression == Compression::Zst {
        eprintln!("left out: this createrepo_c does not read zstd");
    }
    !old || compression != Compression::Zst
}

fn createrepo_c_reads_all(dir: &Path, compression: Compression) {
    if !peers::have(&["createrepo_c", "mergerepo_c"]) || !createrepo_c_reads(compression) {
        return;
    }
    let out = TempDir::new().expect("a directory");
    let mut command = Command::new("mergerepo_c");
    command.args(["--no-database", "--omit-baseurl", "--all", "--repo"]).arg(dir).arg("-o").arg(out.path());
    run(&mut command);
    let (ours, theirs) = (elements(&read(dir, "primary")), elements(&read(out.path(), "primary")));
    assert_eq!(theirs.len(), PACKAGES);
    assert!(ours.keys().eq(theirs.keys()));
}

fn libsolv_reads_all(dir: &Path) {
    if !peers::have(&["repo2solv", "rpmmd2solv", "dumpsolv"]) {
        return;
    }
    let out = TempDir::new().expect("a directory");
    let solv = out.path().join("all.solv");
    let count = || {
        let output = run(Command::new("dumpsolv").arg(&solv));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let size = text.lines().find_map(|line| line.strip_prefix("repo size: ")?.strip_suffix(" solvables"));
        size.and_then(|size| size.parse::<usize>().ok()).unwrap_or_else(|| panic!("{text}"))
    };
    let output = run(Command::new("repo2solv").arg("-o").arg(&solv).arg(dir));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(count(), PACKAGES);
    let plain = out.path().join("primary.xml");
    std::fs::write(&plain, read(dir, "primary")).expect("written");
    let output = run(Command::new("rpmmd2solv").stdin(std::fs::File::open(&plain).expect("there")));
    std::fs::write(&solv, output.stdout).expect("written");
    assert_eq!(count(), PACKAGES);
}

/// dnf that reads and writes nothing outside `dir`.
fn dnf(dir: &Path, url: &str) -> Command {
    for name in ["root", "cache", "log", "repos", "vars", "persist"] {
        std::fs::create_dir_all(dir.join(name)).expect("made");
    }
    let at = dir.display();
    let conf = format!(
        "[main]\ngpgcheck=0\nassumeyes=1\nreposdir={at}/repos\nvarsdir={at}/vars\ncachedir={at}/cache\n\
         persistdir={at}/persist\nlogdir={at}/log\nmodule_platform_id=platform:el9\nbest=1\n\
         skip_if_unavailable=0\nmetadata_expire=0\ninstall_weak_deps=0\nzchunk=0\nignorearch=1\n"
    );
    std::fs::write(dir.join("dnf.conf"), conf).expect("written");
    let repo = format!("[test]\nname=test\nbaseurl={url}\nenabled=1\n");
    std::fs::write(dir.join("repos/test.repo"), repo).expect("written");
    let mut command = Command::new("dnf");
    command.arg("-c").arg(dir.join("dnf.conf")).arg(format!("--installroot={at}/root"));
    command.args(["--releasever=9", "--disableplugin=*", "--quiet"]);
    command
}

/// zypper that reads and writes nothing outside `dir`.
fn zypper(dir: &Path, url: &str) -> Command {
    let repos = dir.join("zypp/etc/zypp/repos.d");
    std::fs::create_dir_all(&repos).expect("made");
    let repo = format!("[test]\nname=test\nbaseurl={url}\ntype=rpm-md\ngpgcheck=0\nenabled=1\nautorefresh=0\n");
    std::fs::write(repos.join("test.repo"), repo).expect("written");
    let mut command = Command::new("zypper");
    command.env("ZYPP_LOGFILE", dir.join("zypper.log")).arg("--root").arg(dir.join("zypp"));
    command.args(["--non-interactive", "--no-gpg-checks"]);
    command
}

fn clients_read_all(dir: &Path) {
    let url = format!("file://{}", dir.display());
    if peers::have(&["dnf"]) {
        let client = TempDir::new().expect("a directory");
        let output = run(dnf(client.path(), &url).args(["repoquery", "--available", "--qf", "%{name}"]));
        let names: BTreeSet<&str> = str::from_utf8(&output.stdout).expect("UTF-8").lines().collect();
        assert_eq!(names.len(), PACKAGES, "dnf");
        // A file that only `filelists` names, of a package in the last block.
        let list = String::from_utf8(read(dir, "filelists")).expect("UTF-8");
        let (_, last) = list.rsplit_once("<file>").expect("a file");
        let last = last.split_once('<').expect("its end").0;
        let output = run(dnf(client.path(), &url).args(["repoquery", "--qf", "%{name}", "--file", last]));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), format!("tool-{:05}", PACKAGES - 1), "dnf");
    }
    if peers::have(&["zypper"]) {
        let client = TempDir::new().expect("a directory");
        run(zypper(client.path(), &url).args(["refresh", "--force"]));
        let output = run(zypper(client.path(), &url).args(["search", "--details", "tool-"]));
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text.lines().filter(|line| line.contains("| package")).count(), PACKAGES, "zypper");
    }
}

fn everybody_reads_all(compression: Compression) {
    let dir = TempDir::new().expect("a directory");
    let blocks = publish(dir.path(), form(compression, Members::Blocks), &many());
    assert!(blocks > 5 || compression == Compression::None, "{blocks} blocks in three files test nothing");
    unpackers_give_the_whole_file(dir.path(), compression);
    createrepo_c_reads_all(dir.path(), compression);
    libsolv_reads_all(dir.path());
    clients_read_all(dir.path());
}

#[test]
fn everybody_reads_several_gzip_members_to_the_end() {
    everybody_reads_all(Compression::Gz);
}

#[test]
fn everybody_reads_several_zstd_frames_to_the_end() {
    everybody_reads_all(Compression::Zst);
}

#[test]
fn everybody_reads_metadata_that_is_not_compressed() {
    everybody_reads_all(Compression::None);
}

#[test]
fn what_passes_the_proof_expat_and_libxml2_read_too() {
    let dir = TempDir::new().expect("a directory");
    let mut base = primary::head(3).into_bytes();
    for (package, placed) in &samples(dir.path()) {
        primary::write(&mut base, package, placed);
    }
    base.extend_from_slice(primary::foot().as_bytes());
    let mut state = 7_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % below
    };
    let pieces: &[&[u8]] = &[
        b"<",
        b">",
        b"/",
        b"&",
        b";",
        b"=",
        b"\"",
        b"'",
        b" ",
        b"]]>",
        b"&amp;",
        b"&#9;",
        b"&#1;",
        b"&x;",
        b"<a>",
        b"</a>",
        b"<a/>",
        b"<rpm:a/>",
        b"<x:a/>",
        b" a='b'",
        b" name='b'",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"<?a?>",
        b"\r\n",
        b"\x01",
        b"\xef\xbf\xbe",
        b"\xc3\xa9",
        b"\xff",
        b"xmlns=''",
        b":",
        b"\t",
        b"",
        b"a",
    ];
    let (mut passed, mut files) = (0, Vec::new());
    for n in 0..4000 {
        let mut bytes = base.clone();
        for _ in 0..=random(2) {
            let at = random(bytes.len());
            let cut = at + random(3).min(bytes.len() - at);
            bytes.splice(at..cut, pieces[random(pieces.len())].iter().copied());
        }
        if prove(bytes.as_slice(), "metadata", 3).is_ok() && bytes != base {
            passed += 1;
            let file = dir.path().join(format!("{n}.xml"));
            std::fs::write(&file, bytes).expect("written");
            files.push(file);
        }
    }
    eprintln!("{passed} of 4000 spoilt documents pass the proof");
    assert!(passed > 100, "{passed} documents are too few to say anything");
    if peers::have(&["xmllint"]) {
        let output = run(Command::new("xmllint").args(["--noout", "--nonet", "--huge"]).args(&files));
        // An unknown prefix is a complaint and not a failure.
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
    if peers::have(&["python3"]) {
        let script = "import sys, xml.parsers.expat as e\n\
                      for f in sys.argv[1:]: e.ParserCreate(namespace_separator=' ').Parse(open(f, 'rb').read(), True)";
        run(Command::new("python3").args(["-c", script]).args(&files));
    }
}

/// A web server of the plainest kind; tells which paths it was asked for, as they came.
fn serve(root: PathBuf) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (root, record) = (root.clone(), Arc::clone(&record));
            std::thread::spawn(move || stream.map(|stream| answer(stream, &root, &record)));
        }
    });
    (url, asked)
}

fn answer(stream: TcpStream, root: &Path, record: &Mutex<Vec<String>>) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    let request = lines.next()?.ok()?;
    while !lines.next()?.ok()?.is_empty() {}
    let mut words = request.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    record.lock().expect("not poisoned").push(path.to_owned());
    let mut parts = path.trim_start_matches('/').split('%');
    let mut name = parts.next()?.as_bytes().to_vec();
    for part in parts {
        name.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        name.extend_from_slice(part.get(2..)?.as_bytes());
    }
    let file = std::fs::read(root.join(String::from_utf8(name).ok()?));
    let (status, body) = file.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).ok()?;
    if method == "GET" {
        stream.write_all(&body).ok()?;
    }
    Some(())
}

#[test]
fn a_package_with_plus_tilde_and_caret_in_its_name_is_fetched_under_the_name_that_is_listed() {
    if !peers::have(&["dnf", "zypper"]) {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: dnf and zypper download only for root");
        return;
    }
    let dir = TempDir::new().expect("a directory");
    let packages = samples(dir.path());
    publish(dir.path(), form(Compression::Gz, Members::Blocks), &packages);
    let (url, asked) = serve(dir.path().to_owned());
    let name = "c++-tool-1.0~rc1+git20231114^2-2.el6.noarch.rpm";
    let fetched = || {
        let asked = asked.lock().expect("not poisoned");
        asked.iter().filter(|path| path.starts_with("/Packages/")).cloned().collect::<Vec<_>>()
    };

    let client = TempDir::new().expect("a directory");
    run(dnf(client.path(), &url).args(["install", "--downloadonly", "c++-tool"]));
    let by_dnf = fetched();
    assert_eq!(by_dnf.len(), 1, "{by_dnf:?}");

    let client = TempDir::new().expect("a directory");
    run(zypper(client.path(), &url).args(["refresh", "--force"]));
    run(zypper(client.path(), &url).args(["download", "c++-tool"]));
    let by_zypper = fetched();
    assert!(by_zypper.len() > 1, "{by_zypper:?}");
    eprintln!("listed as Packages/c/{name}, asked for as {by_zypper:?}");
}
