//! The spine, seen by real clients: packages go untested -> testing -> production through the real
//! daemon, and dnf, zypper, createrepo_c and libsolv judge every tree on the way.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use crate::judge::{self, Published, Source};
use crate::peers;
use crate::site::{DISTRIBUTION, Site, Wish, files_below, hook_mac, keys, package, recipe, request, said};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const TREES: [&str; 4] = ["untested", "testing", "delta", "production"];

/// Runs a program that must write nothing outside `home`.
fn run(home: &Path, program: &str, args: &[&str]) -> Output {
    let out = Command::new(program)
        .args(args)
        .current_dir(home)
        .env("HOME", home)
        .env("LC_ALL", "C.UTF-8")
        .env("ZYPP_LOGFILE", home.join("zypper.log"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    eprintln!("{program} {}: {}\n{}", args.join(" "), out.status, said(&out));
    out
}

/// An early adopter's machine: its own root, caches and configuration.
pub(crate) struct Machine(TempDir);

impl Machine {
    pub(crate) fn new() -> Self {
        let dir = TempDir::with_prefix("rolloutd-client-").unwrap();
        let c = dir.path().display();
        for name in ["root/etc/zypp/repos.d", "cache", "log", "repos", "vars", "persist"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let conf = format!(
            "[main]\ngpgcheck=1\nrepo_gpgcheck=1\nassumeyes=1\nreposdir={c}/repos\nvarsdir={c}/vars\n\
             cachedir={c}/cache\npersistdir={c}/persist\nlogdir={c}/log\nmodule_platform_id=platform:el9\nbest=1\n\
             skip_if_unavailable=0\nmetadata_expire=0\nkeepcache=0\ninstall_weak_deps=0\nzchunk=0\nignorearch=1\n"
        );
        fs::write(dir.path().join("dnf.conf"), conf).unwrap();
        Self(dir)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    /// Points dnf at a tree.
    pub(crate) fn dnf_repo(&self, url: &str, key: &str) {
        let text = format!("[test]\nname=test\nbaseurl={url}\ngpgkey={key}\nenabled=1\n");
        fs::write(self.path("repos/test.repo"), text).unwrap();
    }

    /// Takes the one file that a tree has for early adopters, instead of all others (S1-24).
    pub(crate) fn repo_of_early_adopters(&self, tree: &Path) {
        for file in files_below(&self.path("repos")) {
            fs::remove_file(file).unwrap();
        }
        let mut files = fs::read_dir(tree).unwrap().map(|entry| entry.unwrap().path());
        self.repo_file(&files.find(|file| file.display().to_string().ends_with("-with-production.repo")).unwrap());
    }

    /// Takes a `.repo` file.
    pub(crate) fn repo_file(&self, file: &Path) {
        fs::copy(file, self.path("repos").join(file.file_name().unwrap())).unwrap();
    }

    pub(crate) fn dnf(&self, words: &[&str]) -> Output {
        let (conf, root) = (self.path("dnf.conf"), self.path("root"));
        let (conf, root) = (conf.display().to_string(), format!("--installroot={}", root.display()));
        let fixed = ["-c", &conf, &root, "--releasever=6", "--disableplugin=*"];
        run(self.0.path(), "/usr/bin/dnf", &[&fixed[..], words].concat())
    }

    pub(crate) fn zypper_repo(&self, url: &str, key: &str) {
        let text = format!(
            "[test]\nname=test\nbaseurl={url}\ntype=rpm-md\ngpgcheck=1\nrepo_gpgcheck=1\npkg_gpgcheck=1\n\
             gpgkey={key}\nenabled=1\nautorefresh=0\n"
        );
        fs::write(self.path("root/etc/zypp/repos.d/test.repo"), text).unwrap();
    }

    pub(crate) fn zypper(&self, words: &[&str]) -> Output {
        let root = self.path("root").display().to_string();
        let fixed = ["--root", &root, "--non-interactive", "--gpg-auto-import-keys"];
        run(self.0.path(), "/usr/bin/zypper", &[&fixed[..], words].concat())
    }

    /// Whether a package's file is on the machine, as that version put it there.
    pub(crate) fn has(&self, name: &str, version: &str) -> bool {
        let file = self.path("root").join(format!("usr/share/{name}/version"));
        fs::read_to_string(file).is_ok_and(|text| text == format!("{name} {version}\n"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // dnf and zypper leave agents of gpg behind, one for each home they made.
        let Ok(out) = Command::new("find").arg(self.0.path()).args(["-name", "S.gpg-agent"]).output() else { return };
        for socket in String::from_utf8_lossy(&out.stdout).lines() {
            if let Some(home) = Path::new(socket).parent() {
                let _ = Command::new("gpgconf").arg("--homedir").arg(home).args(["--kill", "all"]).output();
            }
        }
    }
}

/// What the trees of the first distribution list now, read from the disk with every package.
fn listed(site: &Site, tree: &str) -> Published {
    judge::read(&Source::Disk(site.tree(tree))).unwrap_or_else(|e| panic!("{tree}: {e}")).unwrap_or_default()
}

fn names(site: &Site, tree: &str) -> Vec<String> {
    listed(site, tree).packages.into_keys().collect()
}

/// Waits until a tree lists exactly these packages.
fn wait_for(site: &mut Site, tree: &str, packages: &[&str]) {
    let mut expected: Vec<String> = packages.iter().map(|p| (*p).to_owned()).collect();
    expected.sort();
    site.wait(&format!("{tree} to list {packages:?}"), |site| {
        // Where what nobody needs goes after a second, a slow reader may miss a file.
        let listed = judge::read(&Source::Disk(site.tree(tree))).ok()?.unwrap_or_default();
        listed.packages.into_keys().eq(expected.iter().cloned()).then_some(())
    });
}

fn wait_for_state(site: &mut Site, id: &str, state: &str) {
    site.wait(&format!("{id} to reach {state}"), |site| (site.door.state(id)? == state).then_some(()));
}

/// Sends a webhook and expects that it is accepted.
fn hook(site: &Site, delivery: &str, rollout: &str, state: &str) {
    let answer = site.door.hook(&Site::hook_body(delivery, rollout, state)).unwrap();
    assert_eq!(answer.status, 202, "{}", answer.text());
}

/// A site where `demo` and `demo-libs` are in testing, brought there by the tracker.
fn site_with_a_staged_rollout(wish: &Wish) -> Site {
    let mut site = Site::start(wish);
    let libs = site.drop_package("demo-libs", "1.0", &[]);
    let demo = site.drop_package("demo", "1.0", &["demo-libs >= 1.0"]);
    wait_for(&mut site, "untested", &[&demo, &libs]);
    site.submit("1201", &[&demo, &libs]);
    assert_eq!(site.door.state("1201").as_deref(), Some("Unverified"));
    hook(&site, "d-1", "1201", "InVerification");
    wait_for_state(&mut site, "1201", "InVerification");
    hook(&site, "d-2", "1201", "StageRollOut");
    wait_for(&mut site, "testing", &[&demo, &libs]);
    wait_for(&mut site, "untested", &[]);
    wait_for_state(&mut site, "1201", "StageRollOut");
    site
}

const CLIENTS: [&str; 6] = ["dnf", "zypper", "createrepo_c", "repo2solv", "installcheck", "gpgconf"];

/// `createrepo_c --update` on a copy, and libsolv, read a tree without complaint.
fn tools_read(site: &Site, tree: &str, wish: &Wish) {
    let home = TempDir::with_prefix("rolloutd-tools-").unwrap();
    let copy = home.path().join("tree");
    assert!(run(home.path(), "cp", &["-a", &site.tree(tree).display().to_string(), "tree"]).status.success());
    let before = listed(site, tree);

    let solv = run(home.path(), "repo2solv", &["-o", "tree.solv", "tree"]);
    assert!(solv.status.success() && said(&solv).is_empty(), "{tree}: repo2solv complains");
    let check = run(home.path(), "installcheck", &["noarch", "tree.solv"]);
    assert!(check.status.success() && !said(&check).contains("nothing provides"), "{tree}: installcheck complains");

    // createrepo_c lists what lies there, so what only waits for its removal has to go first.
    let named: Vec<PathBuf> = before.packages.values().map(|p| copy.join(&p.location)).collect();
    for package in files_below(&copy).iter().filter(|p| p.extension().is_some_and(|e| e == "rpm")) {
        if !named.contains(package) {
            fs::remove_file(package).unwrap();
        }
    }
    // With our metadata as its cache it must come to the same list without reading a package again.
    let kind = ["--checksum", wish.checksum];
    let update =
        run(home.path(), "createrepo_c", &[&["--update", "--verbose", "--no-database"][..], &kind, &["tree"]].concat());
    let words = said(&update).to_lowercase();
    if wish.compression == "zst" && words.contains("cannot detect compression type") {
        // Before 1.0 it reads everything but this; libsolv has read the tree above.
        eprintln!("left out: this createrepo_c does not know zstd");
        return;
    }
    assert!(update.status.success(), "{tree}: createrepo_c --update fails");
    for complaint in ["error", "critical", "cannot", "could not", "bad "] {
        let wrong: Vec<&str> = words.lines().filter(|l| l.contains(complaint)).collect();
        assert!(wrong.is_empty(), "{tree}: createrepo_c complains: {wrong:?}");
    }
    let hits = words.matches("cache hit").count();
    assert_eq!(hits, before.packages.len(), "{tree}: createrepo_c could not use our metadata as its cache");
    assert!(!words.contains("obsolete"), "{tree}: createrepo_c finds our metadata obsolete");
    let after = judge::read_unsigned(&Source::Disk(copy)).unwrap_or_else(|e| panic!("{tree} of createrepo_c: {e}"));
    let same = |published: &Published| -> Vec<(String, String)> {
        published.packages.values().map(|p| (p.location.clone(), p.sha256.clone())).collect()
    };
    assert_eq!(same(&after), same(&before), "{tree}: createrepo_c lists other packages than we do");
}

pub(crate) fn run_as_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    if !root {
        eprintln!("left out: installing with dnf and zypper needs root");
        assert!(std::env::var("ROLLOUTD_REQUIRE_PEERS").is_err(), "tests/run runs this as root");
    }
    root
}

/// zypper takes the key that lies beside the signature, where no `.repo` file names one.
#[test]
fn zypper_needs_no_repo_file() {
    if !peers::have(&CLIENTS) || !run_as_root() {
        return;
    }
    let site = site_with_a_staged_rollout(&Wish::default());
    let url = site.plain_url("testing");
    let refreshes = || {
        let machine = Machine::new();
        assert!(machine.zypper(&["addrepo", "--gpgcheck-strict", &url, "tested"]).status.success());
        (machine.zypper(&["refresh", "--force"]).status.success(), machine)
    };
    let (is_good, machine) = refreshes();
    assert!(is_good && machine.zypper(&["install", "demo"]).status.success() && machine.has("demo", "1.0"));
    fs::remove_file(site.tree("testing").join("repodata/repomd.xml.key")).unwrap();
    assert!(!refreshes().0, "without it nobody knows whose signature it is");
}

#[test]
fn dnf_and_zypper_install_from_testing_after_the_webhook_and_from_production_after_the_move() {
    if !peers::have(&CLIENTS) || !run_as_root() {
        return;
    }
    let wish = Wish { grace_metadata: "1s", grace_packages: "1s", ..Wish::default() };
    let mut site = site_with_a_staged_rollout(&wish);
    let key = site.key_url();

    // From the daemon's own server with dnf, from a plain web server with zypper.
    let (adopter, other) = (Machine::new(), Machine::new());
    adopter.dnf_repo(&site.served_url("testing"), &key);
    assert!(adopter.dnf(&["install", "demo"]).status.success());
    assert!(adopter.has("demo", "1.0") && adopter.has("demo-libs", "1.0"));
    other.zypper_repo(&site.plain_url("testing"), &key);
    assert!(other.zypper(&["refresh", "--force"]).status.success());
    assert!(other.zypper(&["install", "demo"]).status.success());
    assert!(other.has("demo", "1.0") && other.has("demo-libs", "1.0"));

    let early = Machine::new();
    early.dnf_repo(&site.served_url("production"), &key);
    assert!(!early.dnf(&["install", "demo"]).status.success(), "nothing is in production yet");

    site.ctl_good(&["move", "1201", "Production", "--reason", "reports of two early adopters are good"]);
    wait_for(&mut site, "production", &["demo-1.0-1.noarch", "demo-libs-1.0-1.noarch"]);
    wait_for(&mut site, "testing", &[]);
    wait_for_state(&mut site, "1201", "Production");

    let (site_a, site_b) = (Machine::new(), Machine::new());
    site_a.dnf_repo(&site.plain_url("production"), &key);
    assert!(site_a.dnf(&["install", "demo"]).status.success());
    assert!(site_a.has("demo", "1.0"));
    site_b.zypper_repo(&site.served_url("production"), &key);
    assert!(site_b.zypper(&["refresh", "--force"]).status.success());
    assert!(site_b.zypper(&["install", "demo"]).status.success());
    assert!(site_b.has("demo", "1.0"));

    for tree in ["untested", "testing"] {
        site.wait(&format!("the withdrawn files of {tree} to be retired"), |site| {
            let left = files_below(&site.tree(tree));
            left.iter().all(|f| f.extension().is_none_or(|e| e != "rpm")).then_some(())
        });
        assert!(names(&site, tree).is_empty());
    }
    for tree in TREES {
        if site.tree(tree).join("repodata").is_dir() {
            tools_read(&site, tree, &wish);
        }
    }
    assert!(site.stop().success(), "SIGTERM ends it in order");
}

#[test]
fn every_checksum_and_compression_is_read_by_the_clients_that_know_them() {
    if !peers::have(&CLIENTS) || !run_as_root() {
        return;
    }
    for (checksum, compression, blocks) in
        [("sha", "gz", false), ("sha256", "none", true), ("sha512", "zst", true), ("sha512", "gz", true)]
    {
        eprintln!("--- {checksum} {compression} blocks={blocks}");
        let wish = Wish { checksum, compression, blocks, ..Wish::default() };
        let site = site_with_a_staged_rollout(&wish);
        let suffix = match compression {
            "none" => "primary.xml",
            "zst" => "primary.xml.zst",
            _ => "primary.xml.gz",
        };
        let published = listed(&site, "testing");
        assert!(published.files.iter().any(|f| f.ends_with(suffix)), "{:?}", published.files);
        let length = published.packages.values().next().unwrap().checksum.len();
        assert_eq!(length, [("sha", 40), ("sha256", 64), ("sha512", 128)].iter().find(|c| c.0 == checksum).unwrap().1);

        let key = site.key_url();
        let machine = Machine::new();
        machine.dnf_repo(&site.plain_url("testing"), &key);
        assert!(machine.dnf(&["install", "demo"]).status.success());
        assert!(machine.has("demo", "1.0") && machine.has("demo-libs", "1.0"));
        let machine = Machine::new();
        machine.zypper_repo(&site.plain_url("testing"), &key);
        assert!(machine.zypper(&["refresh", "--force"]).status.success());
        assert!(machine.zypper(&["install", "demo"]).status.success());
        assert!(machine.has("demo", "1.0"));
        for tree in ["untested", "testing"] {
            tools_read(&site, tree, &wish);
        }
    }
}

#[test]
fn the_generated_repo_file_works_as_it_is() {
    if !peers::have(&["dnf", "gpgconf"]) || !run_as_root() {
        return;
    }
    let site = site_with_a_staged_rollout(&Wish::default());
    let file = site.tree("testing").join("UMD3_SL6_x86_64_Testing.repo");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("[UMD3_SL6_x86_64_Testing]\n"), "{text}");
    assert!(text.contains("gpgcheck=1\n") && text.contains("enabled=1\n"), "{text}");
    let machine = Machine::new();
    fs::copy(&file, machine.path("repos/UMD3_SL6_x86_64_Testing.repo")).unwrap();
    assert!(machine.dnf(&["install", "demo"]).status.success());
    assert!(machine.has("demo", "1.0"));
    let public = files_below(&site.path("root")).into_iter().find(|f| f.ends_with("RPM-GPG-KEY-example"));
    let public = fs::read_to_string(public.expect("the public key lies beside the trees")).unwrap();
    assert!(public.contains("BEGIN PGP PUBLIC KEY BLOCK"), "{public}");
}

#[test]
fn what_the_gate_refuses_is_in_no_tree_and_lies_in_rejected_with_its_code() {
    let mut site = Site::start(&Wish { incomplete_after: "1s", ..Wish::default() });
    let ours = Some(&keys().ours.1);
    let mut tampered = package(&recipe("tampered", "1.0", &[]), ours);
    let last = tampered.len() - 1;
    tampered[last] ^= 1;
    let mut header = package(&recipe("header", "1.0", &[]), ours);
    let text = header.windows(12).rposition(|w| w == b"test package").unwrap();
    header[text] ^= 0x20;
    let cases = [
        ("unsigned", package(&recipe("unsigned", "1.0", &[]), None)),
        ("unknown_key", package(&recipe("foreign", "1.0", &[]), Some(&keys().foreign.1))),
        ("header_digest", header),
        ("truncated", tampered[..tampered.len() / 2].to_vec()),
        ("payload_digest", tampered),
        ("not_rpm", b"this is no package at all".repeat(100)),
    ];
    for (code, bytes) in &cases {
        site.drop_file(&format!("batch/{code}.rpm"), bytes);
    }
    let good = site.drop_package("good", "1.0", &[]);
    wait_for(&mut site, "untested", &[&good]);
    for (code, bytes) in &cases {
        site.wait_for_rejected(code, 1);
        let (_, file) = site.rejected().into_iter().find(|(found, _)| found == code).unwrap();
        assert_eq!(&fs::read(file).unwrap(), bytes, "{code}: kept as it was uploaded");
    }
    wait_for(&mut site, "untested", &[&good]);
    for tree in TREES {
        for file in files_below(&site.tree(tree)) {
            let name = file.display().to_string();
            let refused = ["unsigned", "foreign", "tampered", "header", "not_rpm"];
            assert!(file.extension().is_none_or(|e| e != "rpm") || !refused.iter().any(|r| name.contains(r)), "{name}");
        }
    }
    // A second package under a name that is taken, with other bytes.
    let mut twin = recipe("good", "1.0", &[]);
    twin.summary = "the same name with other bytes".to_owned();
    site.drop_file("again/good.rpm", &package(&twin, ours));
    site.wait_for_rejected("duplicate_nevra", 1);
    wait_for(&mut site, "untested", &[&good]);
}

#[test]
fn the_same_webhook_twice_does_nothing_twice() {
    let mut site = site_with_a_staged_rollout(&Wish::default());
    let before: Vec<u64> = TREES.iter().map(|tree| listed(&site, tree).revision).collect();
    let entries = |site: &Site| site.document("/api/v1/log?from=0").to_string();
    let log = entries(&site);
    hook(&site, "d-2", "1201", "StageRollOut");
    hook(&site, "d-2", "1201", "StageRollOut");
    // The same delivery with other words is told, and does nothing.
    let reused = site.door.hook(&Site::hook_body("d-2", "1201", "Rejected")).unwrap();
    assert_eq!(reused.status, 409, "{}", reused.text());
    assert!(reused.text().contains("different content"), "{}", reused.text());
    // What is dated in the future changes nothing, and its id stays free.
    let ahead = jiff::Timestamp::now().checked_add(std::time::Duration::from_hours(1)).unwrap();
    let body = Site::hook_body("d-3", "1201", "Rejected");
    let dated = body.split("\"at\":\"").nth(1).unwrap().split('"').next().unwrap();
    let answer = site.door.hook(&body.replace(dated, &ahead.to_string())).unwrap();
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("future"), "{}", answer.text());
    // One that was overtaken is told so.
    let early = site.door.hook(&Site::hook_body("d-0", "1201", "Rejected").replace(dated.get(..4).unwrap(), "2001"));
    let early = early.unwrap();
    assert_eq!(early.status, 202);
    assert!(early.text().contains("\"overtaken\""), "{}", early.text());
    // The same wish under a new delivery: there is nothing left to do for it.
    hook(&site, "d-3", "1201", "Production");
    wait_for(&mut site, "production", &["demo-1.0-1.noarch", "demo-libs-1.0-1.noarch"]);
    hook(&site, "d-3", "1201", "Production");
    hook(&site, "d-2", "1201", "StageRollOut");
    wait_for(&mut site, "testing", &[]);
    wait_for_state(&mut site, "1201", "Production");
    let later = entries(&site);
    assert_eq!(later.matches("d-2").count(), log.matches("d-2").count(), "a repeated delivery left a trace: {later}");
    let after: Vec<u64> = TREES.iter().map(|tree| listed(&site, tree).revision).collect();
    assert_eq!(before[0], after[0], "untested had nothing to publish");
    assert!(after[1] > before[1] && after[3] > before[3], "testing and production did: {before:?} {after:?}");
}

#[test]
fn a_webhook_without_a_good_signature_is_refused_before_it_is_read() {
    let mut site = Site::start(&Wish::default());
    let demo = site.drop_package("demo", "1.0", &[]);
    wait_for(&mut site, "untested", &[&demo]);
    site.submit("1201", &[&demo]);
    let body = Site::hook_body("d-1", "1201", "InVerification");
    let good = hook_mac(&body);
    let flipped = good.replace(|c: char| c.is_ascii_digit(), "f");
    for mac in ["", "sha256=", "sha256=00", &flipped, &good[..good.len() - 2], &good.replace("sha256", "sha1")] {
        assert_eq!(site.door.hook_signed(&body, mac).unwrap().status, 401, "{mac:?}");
    }
    assert_eq!(site.door.hook_signed("no JSON", "sha256=00").unwrap().status, 401, "the signature is judged first");
    let none = request(site.address(), "POST", "/hooks/tracker", &[], body.as_bytes()).unwrap();
    assert_eq!(none.status, 401);
    assert_eq!(site.door.hook("no JSON").unwrap().status, 400);
    let large = format!("{{\"delivery\": \"{}\"}}", "x".repeat(2 << 20));
    match site.door.hook(&large) {
        Ok(answer) => assert_eq!(answer.status, 413),
        // It may also close the connection on somebody who goes on sending.
        Err(e) => {
            assert!(matches!(e.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe), "{e}");
        }
    }
    let nobody = request(site.address(), "POST", "/hooks/nobody", &[], b"{}").unwrap();
    assert_eq!(nobody.status, 401, "who has no secret is not told which webhooks there are");
    assert_eq!(site.door.state("1201").as_deref(), Some("Unverified"), "none of them did anything");
    assert_eq!(site.door.hook(&body).unwrap().status, 202);
    wait_for_state(&mut site, "1201", "InVerification");
}

#[test]
fn a_person_without_the_right_is_refused_with_the_reason() {
    let mut site = Site::start(&Wish::default());
    let demo = site.drop_package("demo", "1.0", &[]);
    wait_for(&mut site, "untested", &[&demo]);
    site.submit("1201", &[&demo]);
    let body = json!({"state": "InVerification"}).to_string();
    let path = "/api/v1/rollouts/1201/move";
    let json = ("Content-Type", "application/json");
    let address = site.address();
    assert_eq!(request(address, "POST", path, &[json], body.as_bytes()).unwrap().status, 401);
    let wrong = ("Authorization", "Bearer not-the-token-of-anybody-0123456789");
    assert_eq!(request(address, "POST", path, &[json, wrong], body.as_bytes()).unwrap().status, 401);
    // A step that the procedure does not have is refused with what would be possible.
    let answer = site.door.post(path, &json!({"state": "Production"})).unwrap();
    assert!(answer.status == 409 || answer.status == 422, "{}: {}", answer.status, answer.text());
    assert!(answer.text().contains("InVerification"), "it says what would be possible: {}", answer.text());
    let out = site.ctl(&["move", "1201", "Production", "--reason", "in a hurry"]);
    assert_eq!(out.status.code(), Some(1), "refused");
    assert_eq!(site.door.state("1201").as_deref(), Some("Unverified"));
}

#[test]
fn rolloutctl_prints_one_json_document_for_every_question() {
    let site = site_with_a_staged_rollout(&Wish::default());
    for words in [&["list"][..], &["show", "1201"], &["why", "1201"], &["log"], &["log", "1201"], &["trees"]] {
        let text = site.ctl_good(&[words, &["--json"]].concat());
        let document: serde_json::Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{words:?}: {e}: {text}"));
        assert!(document.is_object() || document.is_array(), "{words:?}: {text}");
        assert!(!site.ctl_good(words).trim().is_empty(), "{words:?} says nothing");
    }
    assert_eq!(site.ctl(&["show", "no-such-rollout"]).status.code(), Some(1));
    assert_eq!(site.ctl(&["show"]).status.code(), Some(2), "usage");
    site.ctl_good(&["log", "--verify"]);
    let nobody = Command::new(env!("CARGO_BIN_EXE_rolloutctl"))
        .args(["--url", "http://127.0.0.1:1", "--token-file"])
        .arg(site.path("keys/token"))
        .arg("list")
        .output()
        .unwrap();
    assert_eq!(nobody.status.code(), Some(3), "no daemon: {}", said(&nobody));
}

#[test]
fn a_withdrawn_rollout_leaves_every_tree_and_its_packages_do_not_come_back() {
    let wish = Wish { grace_metadata: "1s", grace_packages: "1s", ..Wish::default() };
    let mut site = site_with_a_staged_rollout(&wish);
    site.ctl_good(&["move", "1201", "Rejected", "--reason", "the service does not start"]);
    wait_for(&mut site, "testing", &[]);
    wait_for_state(&mut site, "1201", "Rejected");
    site.drop_package("demo", "1.0", &["demo-libs >= 1.0"]);
    site.wait_for_rejected("withdrawn", 1);
    assert!(TREES.iter().all(|tree| names(&site, tree).is_empty()));
}

/// The judge of these tests, judged: it reads what createrepo_c makes and sees what is bent.
#[test]
fn the_judge_accepts_a_good_repository_and_sees_every_damage() {
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    let home = TempDir::new().unwrap();
    let dir = home.path().join("repo");
    fs::create_dir(&dir).unwrap();
    for name in ["one", "two"] {
        fs::write(dir.join(format!("{name}.rpm")), package(&recipe(name, "1.0", &[]), Some(&keys().ours.1))).unwrap();
    }
    assert!(run(home.path(), "createrepo_c", &["--no-database", "--revision", "7", "repo"]).status.success());
    let sign = || {
        let repomd = fs::read(dir.join("repodata/repomd.xml")).unwrap();
        let asc = keys().ours.1.sign_detached_armored(&repomd, jiff::Timestamp::now()).unwrap();
        fs::write(dir.join("repodata/repomd.xml.asc"), asc).unwrap();
    };
    sign();
    let look = || judge::read(&Source::Disk(dir.clone()));
    let seen = look().unwrap().unwrap();
    assert_eq!(seen.revision, 7);
    assert_eq!(seen.packages.keys().collect::<Vec<_>>(), ["one-1.0-1.noarch", "two-1.0-1.noarch"]);
    assert!(judge::read(&Source::Disk(home.path().join("nothing"))).unwrap().is_none());

    for file in files_below(&dir) {
        let whole = fs::read(&file).unwrap();
        let mut bent = whole.clone();
        // Inside the base64 of the signature, elsewhere anywhere.
        let middle = bent.len() / 2;
        bent[middle] = if bent[middle] == b'A' { b'B' } else { b'A' };
        fs::write(&file, &bent).unwrap();
        assert!(look().is_err(), "{} was bent and nobody saw it", file.display());
        fs::remove_file(&file).unwrap();
        let gone = look();
        assert!(gone.is_err() || file.ends_with("repomd.xml"), "{} is gone and nobody saw it", file.display());
        fs::write(&file, &whole).unwrap();
    }
    look().unwrap().unwrap();
    // A list that is signed and consistent in itself, but speaks of fewer packages.
    let other = files_below(&dir).into_iter().find(|f| f.to_string_lossy().contains("other")).unwrap();
    fs::remove_file(dir.join("two.rpm")).unwrap();
    let kept = fs::read(&other).unwrap();
    assert!(run(home.path(), "createrepo_c", &["--no-database", "--revision", "8", "repo"]).status.success());
    sign();
    assert_eq!(look().unwrap().unwrap().packages.len(), 1);
    let newer = files_below(&dir).into_iter().find(|f| f.to_string_lossy().contains("other")).unwrap();
    fs::write(newer, kept).unwrap();
    assert!(look().is_err());
    assert_eq!(DISTRIBUTION.parse::<rolloutd::domain::names::DistPath>().unwrap().to_string(), DISTRIBUTION);
}
