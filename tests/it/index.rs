//! `rolloutd index`: the real program over directories that change, judged by createrepo_c and dnf.
//!
//! What can be asked of the layer below is asked there (`store/folder.rs`), and whether a long history gives
//! the same bytes as none is asked in `sequences.rs`.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rolloutd::format::header::tag;
use rolloutd::format::repomd::Repomd;
use rolloutd::format::sample::Recipe;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::forge::{self, Draft, text, texts};
use crate::metadata_readers::{elements, read};
use crate::peers;
use crate::site::{files_below, keys, package, recipe};

const LONG: Duration = Duration::from_mins(1);

/// A directory of packages, and one for states, keys and copies beside it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::with_prefix("rolloutd-index-").unwrap());
        for name in ["packages", "ring"] {
            fs::create_dir(place.path(name)).unwrap();
        }
        place
    }

    /// With three packages in two directories and at the top.
    fn with_packages() -> Self {
        let place = Self::new();
        place.put("top-1.rpm", &signed("top", "1"));
        place.put("a/left-1.rpm", &signed("left", "1"));
        place.put("b/c/right-1.rpm", &signed("right", "1"));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn packages(&self) -> PathBuf {
        self.path("packages")
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.packages().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
    }

    /// Waits until no file is so new that the next run would read it again to be sure.
    fn settle(&self) {
        let newest = |path: &PathBuf| fs::metadata(path).ok().map(|m| (m.ctime(), m.ctime_nsec()));
        let newest = files_below(&self.packages()).iter().filter_map(newest).max();
        let Some((seconds, rest)) = newest else { return };
        let newest = SystemTime::UNIX_EPOCH + Duration::new(seconds.unsigned_abs(), u32::try_from(rest).unwrap());
        wait("the files to be old", || newest.elapsed().is_ok_and(|age| age > Duration::from_millis(100)));
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rolloutd"));
        command.arg("index").args(words).arg(self.packages());
        command.env("XDG_CACHE_HOME", self.path("cache")).env("LC_ALL", "C.UTF-8").current_dir(self.0.path());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.settle();
        self.command(words).output().unwrap()
    }

    /// Runs it; all packages must be listed.
    #[track_caller]
    fn index(&self, words: &[&str]) -> String {
        let out = self.run(words);
        assert_eq!(out.status.code(), Some(0), "{}", said(&out));
        String::from_utf8(out.stdout).unwrap()
    }

    /// What one run says as JSON, with its exit code.
    #[track_caller]
    fn json(&self, words: &[&str]) -> (Option<i32>, Value) {
        let out = self.run(&[&["--json"], words].concat());
        let document = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&out)));
        (out.status.code(), document)
    }

    fn repomd(&self) -> Repomd {
        Repomd::read(&fs::read(self.packages().join("repodata/repomd.xml")).unwrap()).unwrap()
    }

    /// Names, sizes and sums of the three files, without the times at which they were made.
    fn files(&self) -> Vec<(String, String, Option<u64>, Option<String>)> {
        let data = self.repomd().data.into_iter();
        data.map(|d| (d.location, d.checksum.hex, d.size, d.open_checksum.map(|sum| sum.hex))).collect()
    }

    /// What the same directory gives from nothing, metadata and state.
    fn files_from_nothing(&self) -> Vec<(String, String, Option<u64>, Option<String>)> {
        let fresh = TempDir::with_prefix("rolloutd-index-").unwrap();
        let copy = fresh.path().join("packages");
        let out = Command::new("cp").arg("-a").arg(self.packages()).arg(&copy).output().unwrap();
        assert!(out.status.success(), "{}", said(&out));
        fs::remove_dir_all(copy.join("repodata")).unwrap();
        let fresh = Self(fresh);
        fresh.run(&[]);
        fresh.files()
    }

    fn listed(&self) -> BTreeSet<String> {
        elements(&read(&self.packages(), "primary")).into_keys().collect()
    }

    /// Every file of `repodata/`: its inode and the time of its last change.
    fn inodes(&self) -> BTreeMap<PathBuf, (u64, i64, i64)> {
        let all = files_below(&self.packages().join("repodata")).into_iter();
        let of = |path: PathBuf| fs::metadata(&path).map(|m| (path, (m.ino(), m.ctime(), m.ctime_nsec()))).unwrap();
        all.map(of).collect()
    }

    fn state(&self) -> Option<PathBuf> {
        let mut dirs = fs::read_dir(self.path("cache/rolloutd/index")).ok()?;
        let state = dirs.next()?.unwrap().path();
        assert!(dirs.next().is_none(), "one directory, one state");
        Some(state)
    }

    /// A file with our secret key.
    fn key(&self) -> String {
        let path = self.path("signing.asc");
        fs::write(&path, keys().ours.0.secret.as_bytes()).unwrap();
        path.display().to_string()
    }
}

fn said(out: &Output) -> String {
    format!("{}\n{}{}", out.status, String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

#[track_caller]
fn wait(what: &str, mut seen: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !seen() {
        assert!(begin.elapsed() < LONG, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signed(name: &str, version: &str) -> Vec<u8> {
    package(&recipe(name, version, &["/bin/sh"]), Some(&keys().ours.1))
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// The same text without the references that createrepo_c writes for what is not ASCII.
fn plain(xml: &[u8]) -> String {
    let mut parts = str::from_utf8(xml).unwrap().split("&#x");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(';').unwrap();
        text.push(u32::from_str_radix(number, 16).ok().and_then(char::from_u32).unwrap());
        text.push_str(rest);
    }
    text
}

/// Checks that createrepo_c says the same of every package, in all three files. `ROLLOUTD_CREATEREPO_C` names another
/// one than the system's.
#[track_caller]
pub(crate) fn check_against_createrepo_c(dir: &Path) {
    compare_with_createrepo_c(dir, &["--skip-symlinks"]);
}

#[track_caller]
fn compare_with_createrepo_c(dir: &Path, more: &[&str]) {
    let theirs = TempDir::with_prefix("createrepo_c-").unwrap();
    let other = std::env::var_os("ROLLOUTD_CREATEREPO_C");
    let mut command = Command::new(other.as_deref().unwrap_or("createrepo_c".as_ref()));
    command.args(["--quiet", "--no-database"]).args(more).arg("--outputdir").arg(theirs.path()).arg(dir);
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
    for kind in ["primary", "filelists", "other"] {
        let packages = |dir: &Path| {
            let xml = plain(&read(dir, kind)).replace('\r', "");
            let element = |text: &str| text.split_once("</package>").map(|(element, _)| element.to_owned());
            let mut all: Vec<String> = xml.split("<package ").filter_map(element).collect();
            all.sort();
            all
        };
        let (ours, theirs) = (packages(dir), packages(theirs.path()));
        assert_eq!(ours.len(), theirs.len(), "{kind}: {}", said(&out));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{kind}");
        }
    }
}

#[test]
fn createrepo_c_says_the_same_of_a_directory_with_directories_in_it() {
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    let place = Place::with_packages();
    // What a name may be for a file system and must not be for XML.
    for name in ["R&D <beta> \"quoted\" 'and' so on", "tab\tand new\nline", "ümlaut 漢字", "100% #1?"] {
        place.put(&format!("{name}/{name}.rpm"), &signed("odd", "1"));
    }
    place.put("twice/odd.rpm", &signed("odd", "1"));
    let said = place.index(&[]);
    assert!(said.starts_with("8 listed, 8 of them read now, 0 gone, 0 refused; revision "), "{said}");
    check_against_createrepo_c(&place.packages());
}

/// Every tag that metadata shows, in the groups that come and go together.
fn shown_tags() -> Vec<(&'static str, Vec<(u32, forge::Value)>)> {
    use forge::Value::{Halves, I18n, Word, Words};
    let i18n = |value: &str| I18n(vec![value.as_bytes().to_vec()]);
    vec![
        ("i18n-table", vec![(tag::HEADERI18NTABLE, texts(&["C"]))]),
        ("epoch", vec![(tag::EPOCH, Word(2))]),
        ("summary", vec![(tag::SUMMARY, i18n("a tool"))]),
        ("description", vec![(tag::DESCRIPTION, i18n("It works."))]),
        ("build-time", vec![(tag::BUILDTIME, Word(1_600_000_000))]),
        ("build-host", vec![(tag::BUILDHOST, text("build.example"))]),
        ("size", vec![(tag::SIZE, Word(42))]),
        ("vendor", vec![(tag::VENDOR, text("a vendor"))]),
        ("license", vec![(tag::LICENSE, text("MIT"))]),
        ("packager", vec![(tag::PACKAGER, text("A Packager"))]),
        ("group", vec![(tag::GROUP, i18n("Tools"))]),
        ("url", vec![(tag::URL, text("https://tool.example"))]),
        ("os", vec![(tag::OS, text("linux"))]),
        ("source", vec![(tag::SOURCERPM, text("tool-1.0-1.src.rpm"))]),
        ("source-mark", vec![(tag::SOURCEPACKAGE, Word(0))]),
        (
            "files",
            vec![
                (tag::BASENAMES, texts(&["tool"])),
                (tag::DIRNAMES, texts(&["/usr/bin/"])),
                (tag::DIRINDEXES, Words(vec![0])),
                (tag::FILEMODES, Halves(vec![0o10_0755])),
                (tag::FILEFLAGS, Words(vec![0])),
                // rpm 6 and the createrepo_c that has it read no file without these.
                (tag::FILESIZES, Words(vec![3])),
                (tag::FILEMTIMES, Words(vec![1_600_000_000])),
                (tag::FILERDEVS, Halves(vec![0])),
                (tag::FILEDIGESTS, texts(&[""])),
                (tag::FILELINKTOS, texts(&[""])),
                (tag::FILEUSERNAME, texts(&["root"])),
                (tag::FILEGROUPNAME, texts(&["root"])),
                (tag::FILEDEVICES, Words(vec![1])),
                (tag::FILEINODES, Words(vec![1])),
                (tag::FILELANGS, texts(&[""])),
            ],
        ),
        (
            "provides",
            vec![
                (tag::PROVIDENAME, texts(&["tool"])),
                (tag::PROVIDEFLAGS, Words(vec![8])),
                (tag::PROVIDEVERSION, texts(&["2:1.0-1"])),
            ],
        ),
        (
            "requires",
            vec![
                (tag::REQUIRENAME, texts(&["/bin/sh"])),
                (tag::REQUIREFLAGS, Words(vec![0])),
                (tag::REQUIREVERSION, texts(&[""])),
            ],
        ),
        (
            "changelog",
            vec![
                (tag::CHANGELOGTIME, Words(vec![1_600_000_000])),
                (tag::CHANGELOGNAME, texts(&["A Packager <a@tool.example>"])),
                (tag::CHANGELOGTEXT, texts(&["- first"])),
            ],
        ),
    ]
}

#[test]
fn createrepo_c_says_the_same_of_packages_that_lack_what_a_package_may_lack() {
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    let place = Place::new();
    let groups = shown_tags();
    let without = |missing: &[&str]| {
        let with = groups.iter().filter(|(name, _)| !missing.contains(name));
        let all = groups.iter().flat_map(|(_, tags)| tags);
        let bare = all.fold(Draft::new(), |draft, (tag, _)| draft.set(*tag, None));
        with.flat_map(|(_, tags)| tags).fold(bare, |draft, (tag, value)| draft.set(*tag, Some(value.clone())))
    };
    for (name, _) in &groups {
        place.put(&format!("{name}.rpm"), &without(&[name]).file());
    }
    let source = Some(forge::Value::Word(1));
    for (name, draft) in [
        ("nothing", without(&groups.iter().map(|(name, _)| *name).collect::<Vec<_>>())),
        ("no word of a source", without(&["source", "source-mark"])),
        ("a source", without(&["source", "source-mark"]).set(tag::SOURCEPACKAGE, source.clone())),
        ("a source of a source", without(&["source-mark"]).set(tag::SOURCEPACKAGE, source)),
    ] {
        place.put(&format!("{name}.rpm"), &draft.file());
    }
    let said = place.index(&[]);
    assert!(said.starts_with("23 listed, 23 of them read now, 0 gone, 0 refused; revision "), "{said}");
    let primary = String::from_utf8(read(&place.packages(), "primary")).unwrap();
    assert_eq!(primary.matches("<arch>src</arch>").count(), 2, "only what is marked as a source is one");
    check_against_createrepo_c(&place.packages());
}

#[test]
fn createrepo_c_says_the_same_after_every_change() {
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    let place = Place::with_packages();
    place.index(&[]);
    let packages = place.packages();
    let check = |expected: BTreeSet<String>, said: &str| {
        let text = place.index(&[]);
        assert!(text.starts_with(said), "{text}");
        assert_eq!(place.listed(), expected);
        assert_eq!(place.files(), place.files_from_nothing());
        check_against_createrepo_c(&packages);
    };
    place.put("a/more-1.rpm", &signed("more", "1"));
    check(
        set(["a/left-1.rpm", "a/more-1.rpm", "b/c/right-1.rpm", "top-1.rpm"]),
        "4 listed, 1 of them read now, 0 gone",
    );
    fs::remove_file(packages.join("top-1.rpm")).unwrap();
    check(set(["a/left-1.rpm", "a/more-1.rpm", "b/c/right-1.rpm"]), "3 listed, 0 of them read now, 1 gone");
    place.put("a/left-1.rpm", &signed("left", "2"));
    check(set(["a/left-1.rpm", "a/more-1.rpm", "b/c/right-1.rpm"]), "3 listed, 1 of them read now, 0 gone");
    fs::rename(packages.join("b"), packages.join("z")).unwrap();
    fs::rename(packages.join("a/more-1.rpm"), packages.join("more-1.rpm")).unwrap();
    check(set(["a/left-1.rpm", "more-1.rpm", "z/c/right-1.rpm"]), "3 listed, 2 of them read now, 2 gone");
    fs::remove_dir_all(packages.join("z")).unwrap();
    fs::remove_dir_all(packages.join("a")).unwrap();
    fs::remove_file(packages.join("more-1.rpm")).unwrap();
    check(BTreeSet::new(), "0 listed, 0 of them read now, 3 gone");
}

#[test]
fn a_second_run_reads_nothing_and_writes_nothing() {
    let place = Place::with_packages();
    for words in [&[][..], &["--compression", "zst"], &["--compression", "none"], &["--single-stream"]] {
        place.index(words);
        let before = place.inodes();
        let said = place.index(words);
        assert!(said.starts_with("3 listed, 0 of them read now, 0 gone, 0 refused"), "{said}");
        assert_eq!(place.inodes(), before, "{words:?}");
    }
}

#[test]
fn a_state_that_is_gone_or_torn_gives_the_same_bytes() {
    let place = Place::with_packages();
    place.index(&[]);
    let (expected, before) = (place.files(), place.inodes());
    let state = place.state().unwrap();
    fs::remove_dir_all(&state).unwrap();
    assert!(place.index(&[]).starts_with("3 listed, 3 of them read now"));
    assert_eq!(place.inodes(), before, "the same bytes need not be written");
    for path in files_below(&state) {
        let good = fs::read(&path).unwrap();
        let flipped: Vec<u8> = good.iter().map(|byte| byte ^ 0x10).collect();
        let half = good.len() / 2;
        let mut middle = good.clone();
        middle[half..].iter_mut().take(64).for_each(|byte| *byte ^= 0x10);
        for torn in [&good[..half], &[], &flipped, &middle, &[0; 4096]] {
            fs::write(&path, torn).unwrap();
            fs::remove_dir_all(place.packages().join("repodata")).unwrap();
            place.index(&[]);
            assert_eq!(place.files(), expected, "{}", path.display());
        }
    }
}

#[test]
fn with_a_ring_only_what_it_has_signed_is_listed() {
    let place = Place::with_packages();
    fs::write(place.path("ring/key"), &keys().ours.0.public).unwrap();
    place.put("foreign.rpm", &package(&recipe("foreign", "1", &[]), Some(&keys().foreign.1)));
    place.put("unsigned.rpm", &package(&recipe("unsigned", "1", &[]), None));
    place.put("no-package.rpm", b"nothing of the kind");
    let ours = set(["a/left-1.rpm", "b/c/right-1.rpm", "top-1.rpm"]);

    let ring = place.path("ring").display().to_string();
    let (code, said) = place.json(&["--keyring", &ring]);
    assert_eq!((code, &said["packages"], &said["read"]), (Some(1), &json!(3), &json!(3)));
    let refused = |said: &Value| -> Vec<String> {
        let refused = said["refused"].as_array().unwrap().iter();
        refused.map(|r| format!("{} {}", r["file"].as_str().unwrap(), r["code"].as_str().unwrap())).collect()
    };
    assert_eq!(refused(&said), ["foreign.rpm unknown_key", "no-package.rpm not_rpm", "unsigned.rpm unsigned"]);
    assert_eq!(place.listed(), ours);

    // Another ring: everything is judged again, and what only the old one knew is gone.
    fs::write(place.path("ring/key"), &keys().foreign.0.public).unwrap();
    let (code, said) = place.json(&["--keyring", &ring]);
    assert_eq!((code, &said["packages"], &said["read"]), (Some(1), &json!(1), &json!(1)));
    assert_eq!(place.listed(), set(["foreign.rpm"]));

    // Without a ring nobody is asked who signed, and with it everybody is asked again.
    let (code, said) = place.json(&[]);
    assert_eq!((code, &said["packages"], refused(&said)), (Some(1), &json!(5), vec!["no-package.rpm not_rpm".into()]));
    fs::write(place.path("ring/key"), &keys().ours.0.public).unwrap();
    let (_, said) = place.json(&["--keyring", &ring]);
    assert_eq!(said["read"], 3);
    assert_eq!(place.listed(), ours);

    fs::write(place.path("ring/key"), "no key").unwrap();
    let before = place.inodes();
    assert_eq!(place.run(&["--keyring", &ring]).status.code(), Some(2));
    assert_eq!(place.inodes(), before, "clients still see what they saw");
}

#[test]
fn an_exception_of_the_policy_that_has_ended_is_judged_without() {
    let place = Place::with_packages();
    fs::write(place.path("ring/key"), &keys().ours.0.public).unwrap();
    let fingerprint = "00".repeat(20);
    let policy = |until: &str| {
        let text = format!("[[legacy]]\nkey = \"{fingerprint}\"\nuntil = {until}\nallow = [\"sha1\"]\n");
        fs::write(place.path("policy.toml"), text).unwrap();
        let [ring, policy] = ["ring", "policy.toml"].map(|name| place.path(name).display().to_string());
        let out = place.run(&["--json", "--keyring", &ring, "--policy", &policy]);
        let said: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(&out)));
        said["read"].as_u64().unwrap()
    };
    assert_eq!(policy("2090-01-01"), 3);
    assert_eq!(policy("2090-01-01"), 0);
    assert_eq!(policy("2020-01-01"), 3);
    assert_eq!(policy("2021-01-01"), 0, "it was over before as well");
}

#[test]
fn links_are_followed_where_that_is_asked_for_and_never_out_of_the_directory() {
    use std::os::unix::fs::symlink;
    let place = Place::with_packages();
    let (packages, outside) = (place.packages(), place.path("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret.rpm"), signed("secret", "1")).unwrap();
    symlink(&outside, packages.join("way-out")).unwrap();
    symlink(outside.join("secret.rpm"), packages.join("secret.rpm")).unwrap();
    symlink("top-1.rpm", packages.join("again.rpm")).unwrap();
    let run = |words: &[&str]| {
        let out = place.run(words);
        (out.status.code(), String::from_utf8(out.stdout).unwrap())
    };
    let (code, said) = run(&[]);
    let first =
        "3 links not followed, the first is again.rpm; --follow-links lists what lies behind them below DIR\n3 listed";
    assert!(said.starts_with(first), "{said}");
    assert_eq!((code, place.listed()), (Some(1), set(["a/left-1.rpm", "b/c/right-1.rpm", "top-1.rpm"])));

    // A directory that was listed and is a link now, to another one that is listed; and links in a circle.
    fs::rename(packages.join("a"), packages.join("real")).unwrap();
    symlink("real", packages.join("a")).unwrap();
    let (code, _) = run(&[]);
    assert_eq!((code, place.listed()), (Some(1), set(["b/c/right-1.rpm", "real/left-1.rpm", "top-1.rpm"])));
    symlink("../b", packages.join("real/to-b")).unwrap();
    symlink("../real", packages.join("b/to-real")).unwrap();
    symlink("nowhere.rpm", packages.join("nothing.rpm")).unwrap();
    symlink("repodata", packages.join("metadata")).unwrap();
    let (code, said) = run(&["--follow-links", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["refused"], json!([]));
    let refused: Vec<&str> = said["not_followed"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let circles = ["a/to-b/to-real", "b/to-real/to-b", "real/to-b/to-real"];
    let ends = ["metadata", "nothing.rpm", "secret.rpm", "way-out"];
    assert_eq!(refused.into_iter().collect::<BTreeSet<_>>(), circles.into_iter().chain(ends).collect::<BTreeSet<_>>());
    let all = [
        "a/left-1.rpm",
        "a/to-b/c/right-1.rpm",
        "again.rpm",
        "b/c/right-1.rpm",
        "b/to-real/left-1.rpm",
        "real/left-1.rpm",
        "real/to-b/c/right-1.rpm",
        "top-1.rpm",
    ];
    assert_eq!((code, place.listed()), (Some(1), set(all)));

    // Without what leads elsewhere, all is well, and nothing is read again.
    for link in ["way-out", "secret.rpm", "nothing.rpm", "metadata", "real/to-b", "b/to-real"] {
        fs::remove_file(packages.join(link)).unwrap();
    }
    let (code, said) = run(&["--follow-links"]);
    assert!(said.starts_with("5 listed, 0 of them read now, 3 gone, 0 refused"), "{said}");
    assert_eq!(code, Some(0));
    if peers::have(&["createrepo_c"]) {
        compare_with_createrepo_c(&packages, &[]);
    }
}

#[test]
fn a_directory_that_cannot_be_read_is_a_note_and_keeps_what_is_known_of_it() {
    if rustix::process::geteuid().is_root() && !peers::have(&["setpriv"]) {
        return;
    }
    let place = Place::with_packages();
    place.index(&[]);
    let closed = place.packages().join("lost+found");
    fs::create_dir(&closed).unwrap();
    let mode = |dir: &Path, mode| fs::set_permissions(dir, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    mode(&closed, 0o000);
    mode(&place.packages().join("a"), 0o000);
    // root reads everything, so it has to give that up first.
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]);
    let direct = place.command(&[]);
    command.arg(direct.get_program()).args(direct.get_args());
    for (name, value) in direct.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let out = command.output().unwrap();
    mode(&place.packages().join("a"), 0o755);
    mode(&closed, 0o755);
    let text = said(&out);
    assert!(text.contains("note: lost+found: the directory cannot be read: Permission denied"), "{text}");
    assert!(text.contains("note: a: the directory cannot be read"), "{text}");
    assert_eq!(out.status.code(), Some(1), "a is no lost+found: {text}");
    assert_eq!(place.listed(), set(["a/left-1.rpm", "b/c/right-1.rpm", "top-1.rpm"]));
}

/// A run that can be halted and let go again; it ends with the test.
struct Stopped(Child);

impl Stopped {
    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_second_of_two_at_once_names_the_first() {
    let place = Place::new();
    for n in 0..300 {
        place.put(&format!("{n}.rpm"), &signed("many", &n.to_string()));
    }
    place.settle();
    let child = place.command(&[]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let first = Stopped(child);
    let lock = || fs::read_to_string(place.state()?.join("lock")).ok();
    let pid = first.0.id();
    wait("the lock", || lock().is_some_and(|holder| holder.contains(&format!("pid {pid}, "))));
    first.signal(rustix::process::Signal::STOP);
    let second = place.run(&[]);
    let text = said(&second);
    assert_eq!(second.status.code(), Some(2), "{text}");
    let who = format!("pid {pid}, rolloutd index {}", place.packages().display());
    assert!(text.contains(&format!("is held by another rolloutd ({who})")), "{text}");
    first.signal(rustix::process::Signal::CONT);
    let mut first = first;
    assert!(first.0.wait().unwrap().success());
    assert_eq!(place.listed().len(), 300);
    assert_eq!(place.index(&[]).split(", ").nth(1), Some("0 of them read now"));
}

#[test]
fn json_is_one_document_with_these_words() {
    let place = Place::with_packages();
    let (code, mut said) = place.json(&["--signing-key", &place.key()]);
    assert_eq!(code, Some(0));
    let revision = said["revision"].take();
    assert_eq!(revision.as_u64(), Some(place.repomd().revision));
    assert_eq!(said["repomd"].take().as_str().map(str::len), Some(64));
    let expected = json!({
        "packages": 3, "read": 3, "gone": 0, "links": 0, "not_followed": [], "unread": [], "refused": [], "revision": null, "repomd": null,
        "notes": [], "blocks": {"found": 0, "made": 3}, "removed": 0,
    });
    assert_eq!(said, expected);
    assert!(place.packages().join("repodata/repomd.xml.asc").exists());
    // Whoever signs by hand does not lose his signature as long as it fits.
    let asc = place.packages().join("repodata/repomd.xml.asc");
    assert!(!place.index(&[]).contains("repomd.xml.asc"));
    assert!(asc.exists());
    place.put("more-1.rpm", &signed("more", "1"));
    assert!(
        place.index(&[]).contains("note: repomd.xml.asc no longer matches and is removed: sign repomd.xml again\n")
    );
    assert!(!asc.exists());
}

#[test]
fn what_others_have_written_is_carried_along_or_the_run_is_refused() {
    let place = Place::with_packages();
    let repodata = place.packages().join("repodata");
    fs::create_dir(&repodata).unwrap();
    let named = |location: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\" \
             xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n<revision>7</revision>\n<data type=\"group\">\n\
             <checksum type=\"sha256\">{}</checksum>\n<location {location}/>\n<timestamp>9</timestamp>\n\
             <size>8</size>\n</data>\n<data type=\"filelists-ext\">\n<checksum type=\"sha256\">{0}</checksum>\n\
             <location href=\"repodata/x-filelists-ext.xml\"/>\n<timestamp>9</timestamp>\n<size>8</size>\n</data>\n\
             </repomd>\n",
            "5a3c3a7d6ea7a4c3f1b6b3c9a02fbbb8d1ec1f7c4b1e0c11bd8c25a4c1d6a4ac"
        )
    };
    let repomd = repodata.join("repomd.xml");
    // A location that we do not understand.
    fs::write(&repomd, named("xml:base=\"http://elsewhere/\" href=\"repodata/comps.xml\"")).unwrap();
    let before = fs::read(&repomd).unwrap();
    let out = place.run(&[]);
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    assert!(said(&out).contains("what it names would be lost"), "{}", said(&out));
    assert_eq!(fs::read(&repomd).unwrap(), before);
    // What would describe an older state of the packages is let go without a word.
    fs::write(&repomd, named("href=\"repodata/comps.xml\"")).unwrap();
    let notes = place.index(&[]);
    assert!(notes.contains("repodata/comps.xml is no longer listed") && !notes.contains("filelists-ext"), "{notes}");
    assert_eq!(place.repomd().data.len(), 3);
}

#[test]
fn no_time_in_the_metadata_goes_back_with_the_clock() {
    let place = Place::with_packages();
    place.index(&[]);
    let newest = |place: &Place| place.repomd().data.iter().map(|data| data.timestamp).max().unwrap();
    let repomd = place.packages().join("repodata/repomd.xml");
    // As if the clock had been two hours ahead.
    let (now, ahead) = (newest(&place), newest(&place) + 7200);
    let text = fs::read_to_string(&repomd).unwrap();
    fs::write(&repomd, text.replace(&format!("<timestamp>{now}<"), &format!("<timestamp>{ahead}<"))).unwrap();
    assert_eq!(newest(&place), ahead);
    fs::remove_file(place.packages().join("top-1.rpm")).unwrap();
    place.index(&[]);
    assert_eq!(newest(&place), ahead);
    assert_eq!(place.listed().len(), 2);
}

#[test]
fn metadata_that_was_spoilt_in_place_is_made_again() {
    let place = Place::with_packages();
    place.index(&[]);
    let primary = place.repomd().get("primary").unwrap().location.clone();
    let path = place.packages().join(primary);
    let good = fs::read(&path).unwrap();
    let mut spoilt = good.clone();
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 0xff;
    fs::write(&path, spoilt).unwrap();
    place.index(&[]);
    assert!(fs::read(&path).unwrap() == good);
}

#[test]
fn text_that_is_left_out_is_named() {
    let place = Place::new();
    place.put("odd-1.rpm", &Draft::new().set(tag::SUMMARY, Some(text("a\u{1}b"))).file());
    let words = "odd-1.rpm: text was replaced or omitted in its summary";
    assert!(place.index(&[]).starts_with(&format!("note: {words}\n1 listed")));
    // Who has been told is not told again.
    assert!(place.index(&[]).starts_with("1 listed"));
}

#[test]
fn what_cannot_be_done_at_all_ends_with_two() {
    let place = Place::with_packages();
    let check = |words: &[&str], says: &str| {
        let out = place.run(words);
        assert_eq!((out.status.code(), out.stdout.len()), (Some(2), 0), "{}", said(&out));
        assert!(said(&out).contains(says), "{}", said(&out));
    };
    check(&["--keep", "soon"], "--keep soon");
    check(&["--signing-key", "nowhere"], "nowhere does not exist");
    check(&["--keyring", "nowhere"], "nowhere");
    check(&["--policy", "nowhere"], "--keyring");
    check(&["--state", "/proc/nowhere"], "/proc/nowhere");
    check(&["--checksum", "md5"], "md5");
    let out = place.command(&[]).env_remove("XDG_CACHE_HOME").env_remove("HOME").output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(said(&out).contains("--state"), "{}", said(&out));
    fs::remove_dir_all(place.packages()).unwrap();
    check(&[], "could not open");
}

#[test]
fn superseded_files_stay_until_they_are_old() {
    let place = Place::with_packages();
    place.index(&[]);
    let named = |place: &Place| -> BTreeSet<PathBuf> { place.inodes().into_keys().collect() };
    let old = named(&place);
    place.put("more.rpm", &signed("more", "1"));
    // Somebody else's file is nobody's business.
    fs::write(place.packages().join("repodata/notes.txt"), "kept").unwrap();
    place.index(&[]);
    let both = named(&place);
    assert!(both.is_superset(&old), "clients in the middle of the old set lose nothing");
    assert_eq!(both.len(), 8, "{both:?}");
    let (_, said) = place.json(&["--keep", "0s"]);
    assert_eq!((&said["removed"], &said["read"]), (&json!(3), &json!(0)));
    let mut left: BTreeSet<PathBuf> =
        place.files().into_iter().map(|(location, ..)| place.packages().join(location)).collect();
    left.extend(["repomd.xml", "notes.txt"].map(|name| place.packages().join("repodata").join(name)));
    assert_eq!(named(&place), left);
}

#[test]
fn a_file_that_is_still_being_written_is_refused_and_listed_later() {
    let place = Place::with_packages();
    let bytes = signed("slow", "1");
    let path = place.packages().join("slow.rpm");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(&bytes[..bytes.len() / 2]).unwrap();
    let (code, said) = place.json(&[]);
    assert_eq!((code, &said["packages"], &said["refused"][0]["file"]), (Some(1), &json!(3), &json!("slow.rpm")));
    file.write_all(&bytes[bytes.len() / 2..]).unwrap();
    let (code, said) = place.json(&[]);
    assert_eq!((code, &said["packages"], &said["read"]), (Some(0), &json!(4), &json!(1)));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_never_listed_as_it_was_not() {
    let place = Place::new();
    for n in 0..40 {
        place.put(&format!("{n}.rpm"), &signed("still", &n.to_string()));
    }
    let (one, two) = (signed("moving", "1"), signed("moving", "2"));
    let path = place.packages().join("moving.rpm");
    fs::write(&path, &one).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // In place, so that the inode stays and a reader can see half of each.
                for bytes in [&two, &one] {
                    fs::write(&path, bytes).unwrap();
                }
            }
        });
        for _ in 0..15 {
            let out = place.command(&["--json"]).output().unwrap();
            let said: Value = serde_json::from_slice(&out.stdout).unwrap();
            let refused = said["refused"].as_array().unwrap().len();
            assert_eq!(said["packages"].as_u64().unwrap() + refused as u64, 41, "{said}");
            assert_eq!(out.status.code(), Some(i32::from(refused > 0)));
            let shown = elements(&read(&place.packages(), "primary")).remove("moving.rpm");
            let sums = [&one, &two].map(|bytes| hex::encode(crate::forge::sha256(bytes)));
            assert!(shown.is_none_or(|xml| sums.iter().any(|sum| xml.contains(sum))), "neither of the two");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    // Whatever was believed meanwhile, the last state of the file is what is listed in the end.
    place.index(&[]);
    assert_eq!(place.files(), place.files_from_nothing());
}

#[test]
fn dnf_finds_every_package_of_a_directory_that_was_indexed_twice() {
    if !peers::have(&["dnf"]) || !peers::root("dnf download") {
        return;
    }
    let place = Place::with_packages();
    let Recipe { name, .. } = recipe("odd", "1", &[]);
    place.put("R&D/odd.rpm", &signed(&name, "1"));
    place.index(&["--compression", "zst"]);
    place.put("later.rpm", &signed("later", "1"));
    place.index(&["--compression", "zst"]);
    for part in ["cache", "root", "repos", "log"] {
        fs::create_dir_all(place.path("dnf").join(part)).unwrap();
    }
    let dnf = place.path("dnf").display().to_string();
    let conf = format!("[main]\ncachedir={dnf}/cache\nreposdir={dnf}/repos\nlogdir={dnf}/log\nassumeyes=1\nzchunk=0\n");
    fs::write(place.path("dnf/dnf.conf"), conf).unwrap();
    let mut command = Command::new("dnf");
    command.args([&format!("--config={dnf}/dnf.conf"), &format!("--installroot={dnf}/root"), "--releasever=6"]);
    command.args(["--disableplugin=*", "--nogpgcheck", "--repo=here", "--quiet"]);
    command.arg(format!("--repofrompath=here,file://{}", place.packages().display()));
    command.args(["repoquery", "--queryformat=%{name}-%{version} %{location}", "--all"]);
    let out = command.env("LC_ALL", "C.UTF-8").env("HOME", place.0.path()).output().unwrap();
    let found: BTreeSet<String> = String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect();
    let expected = ["later-1 later.rpm", "left-1 a/left-1.rpm", "odd-1 R&D/odd.rpm", "right-1 b/c/right-1.rpm"];
    let expected: BTreeSet<String> = expected.into_iter().chain(["top-1 top-1.rpm"]).map(str::to_owned).collect();
    assert_eq!(found, expected, "{}", said(&out));
}
