//! Trees that other programs have made come under management as they are.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and does what an admin does")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use crate::campaign;
use crate::clients::{Machine, run_as_root};
use crate::disagreement::{reasons, wait_until_well};
use crate::fsck::fsck;
use crate::judge::{self, Source};
use crate::peers;
use crate::site::{DISTRIBUTION, Site, Wish, files_below, keys, package, recipe, said, tell};

const COMPS: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<comps><group><id>grid</id><name>Grid</name>\
                     <packagelist><packagereq>demo</packagereq></packagelist></group></comps>\n";

/// The path of a tree below the root, as `adopt` is told it.
pub(crate) fn named(tree: &str) -> String {
    format!("{tree}/{DISTRIBUTION}")
}

/// `rolloutd adopt`, in words that may begin with those of a tracer.
pub(crate) fn adopt_under(site: &Site, under: &[String], words: &[&str]) -> Output {
    let config = site.config();
    let own = [env!("CARGO_BIN_EXE_rolloutd"), "adopt", "--config", config.to_str().unwrap()];
    let all: Vec<&str> = under.iter().map(String::as_str).chain(own).chain(words.iter().copied()).collect();
    Command::new(all[0]).args(&all[1..]).output().unwrap()
}

pub(crate) fn adopt(site: &Site, words: &[&str]) -> (Option<i32>, String) {
    let out = adopt_under(site, &[], words);
    (out.status.code(), said(&out))
}

/// What somebody's cron job has laid in a tree, and lists: flat, nested, and under any name.
pub(crate) fn lay(site: &Site, tree: &str, packages: &[(&str, &[u8])]) -> PathBuf {
    let dir = site.tree(tree);
    for (place, bytes) in packages {
        let path = dir.join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::new(1_400_000_000, 123_456_789);
        fs::File::options().append(true).open(&path).unwrap().set_modified(old).unwrap();
    }
    dir
}

pub(crate) fn createrepo(dir: &Path) {
    let comps = dir.parent().unwrap().join("comps.xml");
    fs::write(&comps, COMPS).unwrap();
    let out = Command::new("createrepo_c").args(["--no-database", "-g"]).arg(&comps).arg(dir).output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
}

/// Adds metadata that neither the daemon writes nor its readers open.
fn add_updateinfo(dir: &Path) {
    let updateinfo = dir.parent().unwrap().join("updateinfo.xml");
    let long = "<!-- longer than it is when it is packed -->\n".repeat(50);
    fs::write(&updateinfo, format!("<?xml version=\"1.0\"?>\n<updates>\n{long}</updates>\n")).unwrap();
    let words = ["--compress", "--compress-type=bz2"];
    let out = Command::new("modifyrepo_c").args(words).arg(&updateinfo).arg(dir.join("repodata")).output().unwrap();
    assert!(out.status.success(), "{}", said(&out));
}

/// Bytes, inode and time of each package below a directory.
fn state_of(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u64, SystemTime)> {
    let packages = files_below(dir).into_iter().filter(|path| path.extension().is_some_and(|e| e == "rpm"));
    let state = |path: PathBuf| {
        let meta = fs::metadata(&path).unwrap();
        let value = (fs::read(&path).unwrap(), meta.ino(), meta.modified().unwrap());
        (path, value)
    };
    packages.map(state).collect()
}

pub(crate) fn signed(name: &str, version: &str) -> Vec<u8> {
    package(&recipe(name, version, &[]), Some(&keys().ours.1))
}

/// Lets packages of production stay that the gate refuses for this reason.
fn exception(code: &str, until: &str) -> String {
    format!("[[distribution.adopted]]\ntree = \"production\"\ncode = \"{code}\"\nuntil = \"{until}\"\n")
}

/// What a tree lists, each with its place.
pub(crate) fn places(published: &judge::Published) -> Vec<(String, String)> {
    published.packages.iter().map(|(nevra, listed)| (nevra.clone(), listed.location.clone())).collect()
}

fn listed(site: &Site, tree: &str) -> judge::Published {
    judge::read(&Source::Disk(site.tree(tree))).unwrap().expect("published")
}

#[test]
fn a_tree_of_a_cron_job_comes_under_management_as_it_is_and_clients_and_rollouts_go_on() {
    if !peers::have(&["createrepo_c", "dnf", "zypper", "gpgconf"]) || !run_as_root() {
        return;
    }
    let mut site = Site::prepare(&Wish { grace_metadata: "1h", ..Wish::default() });
    let (demo, libs, tool) = (signed("demo", "1.0"), signed("demo-libs", "1.0"), signed("tool", "3"));
    let dir = lay(
        &site,
        "production",
        &[
            ("demo-1.0-1.noarch.rpm", &demo),
            ("el6/libs/any.name.rpm", &libs),
            ("Packages/t/tool-3-1.noarch.rpm", &tool),
        ],
    );
    createrepo(&dir);
    add_updateinfo(&dir);
    lay(&site, "production", &[("old/left-1-1.noarch.rpm", &signed("left", "1"))]);
    let before = judge::read_unsigned(&Source::Disk(dir.clone())).unwrap();
    let (packages, repomd) = (state_of(&dir), fs::read(dir.join("repodata/repomd.xml")).unwrap());
    // A client of before has its metadata.
    let client = Machine::new();
    client.dnf_repo(&site.plain_url("production"), &site.key_url());
    let unsigned = "--setopt=*.repo_gpgcheck=0";
    assert!(client.dnf(&[unsigned, "install", "demo"]).status.success());

    let (code, words) = adopt(&site, &["--dry-run", &named("production")]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("not listed in the metadata, left alone: 1 (old/left-1-1.noarch.rpm)"), "{words}");
    assert!(words.contains("can be adopted: 3 packages"), "{words}");
    let made: Vec<_> = fs::read_dir(site.path("state")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(made, ["lock"], "nothing but the lock");

    let (code, words) = adopt(&site, &[&named("production"), "--reason", "the cron job is gone"]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("is now managed, with 3 packages left in place"), "{words}");
    assert_eq!(fs::read(dir.join("repodata/repomd.xml")).unwrap(), repomd, "clients see what they saw");
    assert_eq!(state_of(&dir), packages);
    let (code, words) = adopt(&site, &[&named("production")]);
    assert!(code == Some(1) && words.contains("is under management already, with 3 packages"), "{words}");

    site.up();
    wait_until_well(&mut site);
    let after =
        site.wait("the tree to be published", |site| judge::read(&Source::Disk(site.tree("production"))).ok()?);
    assert_eq!(places(&after), places(&before));
    assert!(after.revision > before.revision);
    for carried in ["comps", "updateinfo.xml.bz2"] {
        assert!(after.files.iter().any(|file| file.contains(carried)), "it is carried along: {:?}", after.files);
    }
    assert_eq!(state_of(&dir), packages, "no byte, no inode and no time of a package is another one");
    let (found, _) = fsck(&site, true);
    assert!(matches!(&found[..], [(_, what)] if what.contains("not listed")), "the one that was left: {found:?}");

    // The client of before ends well, and gets what a rollout brings.
    assert!(client.dnf(&["--refresh", "install", "tool"]).status.success());
    let newer = site.drop_package("demo", "2.0", &[]);
    site.submit("1", &[&newer]);
    site.go_through("1", &["InVerification", "StageRollOut", "Production"]);
    let now = listed(&site, "production");
    assert_eq!(now.packages.len(), 4);
    assert_eq!(now.packages[&newer].location, "Packages/d/demo-2.0-1.noarch.rpm");
    assert!(client.dnf(&["--refresh", "upgrade", "demo"]).status.success());
    assert!(client.has("demo", "2.0"));
    let other = Machine::new();
    other.zypper_repo(&site.plain_url("production"), &site.key_url());
    assert!(other.zypper(&["refresh", "--force"]).status.success());
    assert!(other.zypper(&["install", "demo-libs"]).status.success());
    assert!(other.has("demo-libs", "1.0"));
    // Another start knows all of it, also without the index.
    assert!(site.stop().success());
    fs::remove_dir_all(site.path("state/index")).unwrap();
    site.up();
    wait_until_well(&mut site);
    assert_eq!(places(&listed(&site, "production")), places(&now));
    let (code, words) = adopt(&site, &["--undo", &named("production")]);
    assert!(code == Some(1) && words.contains("another"), "the daemon runs: {words}");
    assert!(site.stop().success());
    let (code, words) = adopt(&site, &["--undo", &named("production")]);
    assert!(code == Some(1) && words.contains("has come into"), "{words}");
}

#[test]
fn what_the_gate_refuses_is_named_by_reason_and_stays_only_by_a_dated_exception() {
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    let mut site = Site::prepare(&Wish::default());
    let unsigned = package(&recipe("unsigned", "1", &[]), None);
    let foreign = package(&recipe("foreign", "1", &[]), Some(&keys().foreign.1));
    let dir = lay(&site, "production", &[("a.rpm", &signed("a", "1")), ("u.rpm", &unsigned), ("f.rpm", &foreign)]);
    createrepo(&dir);
    fs::write(dir.join("junk.rpm"), "junk").unwrap();
    let before = state_of(&dir);
    let (code, words) = adopt(&site, &[&named("production")]);
    assert_eq!(code, Some(1), "{words}");
    for part in ["unknown_key: 1 file (f.rpm)", "unsigned: 1 file (u.rpm)", "was not taken: 1 package could stay"] {
        assert!(words.contains(part), "{part}: {words}");
    }
    // What is not listed is not asked about, unless it is wanted.
    assert!(!words.contains("not_rpm"), "{words}");
    let (code, words) = adopt(&site, &["--also-unlisted", &named("production")]);
    assert!(code == Some(1) && words.contains("not_rpm: 1 file (junk.rpm)"), "{words}");
    // A listed file that is gone; other bytes under one name.
    fs::rename(dir.join("a.rpm"), site.path("a.rpm")).unwrap();
    let (code, words) = adopt(&site, &["--json", &named("production")]);
    let document: serde_json::Value = serde_json::from_str(&words).unwrap();
    assert_eq!(
        (code, &document["missing"], &document["adopted"]),
        (Some(1), &serde_json::json!(["a.rpm"]), &serde_json::json!(false))
    );
    fs::rename(site.path("a.rpm"), dir.join("a.rpm")).unwrap();
    assert_eq!(state_of(&dir), before);

    let exceptions = |until: &str| exception("unsigned", until) + &exception("unknown_key", until);
    let configuration = site.configuration();
    let with = |until: &str| site.write_configuration(&(configuration.clone() + &exceptions(until)));
    with("2020-01-01");
    let (code, words) = adopt(&site, &[&named("production")]);
    assert!(code == Some(1) && words.contains("unsigned: 1 file"), "an exception that is over lifts nothing: {words}");
    with("2099-01-01");
    let (code, words) = adopt(&site, &[&named("production")]);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("unsigned: 1 package stays by an exception and cannot move"), "{words}");
    site.up();
    wait_until_well(&mut site);
    assert_eq!(listed(&site, "production").packages.len(), 3);
    // A rollout that names such a package goes nowhere.
    site.submit("9", &["unsigned-1-1.noarch"]);
    site.ctl_good(&["move", "9", "InVerification"]);
    let why = site.ctl(&["why", "9"]);
    assert!(said(&why).contains("is in production"), "{}", said(&why));
    // When the exception is gone, people are told.
    site.write_configuration(&configuration);
    crate::disagreement::reload(&site);
    site.wait("to be told", |site| {
        reasons(site).iter().any(|why| why.contains("stayed by an exception for unsigned")).then_some(())
    });
}

#[test]
fn an_adoption_is_undone_until_something_has_moved_and_the_tree_is_as_it_was() {
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    let mut site = Site::prepare(&Wish { grace_metadata: "1s", ..Wish::default() });
    let dir = lay(&site, "production", &[("a.rpm", &signed("a", "1")), ("x/b.rpm", &signed("b", "1"))]);
    createrepo(&dir);
    let before = judge::read_unsigned(&Source::Disk(dir.clone())).unwrap();
    let (repomd, packages) = (fs::read(dir.join("repodata/repomd.xml")).unwrap(), state_of(&dir));
    for published in [false, true] {
        let (code, words) = adopt(&site, &[&named("production")]);
        assert_eq!(code, Some(0), "{words}");
        if published {
            site.up();
            wait_until_well(&mut site);
            site.wait("the metadata of before to be removed", |_| {
                let left = files_below(&dir.join("repodata"));
                let lists = before.files.iter().filter(|file| file.contains("primary"));
                left.iter().all(|file| !lists.clone().any(|old| file.ends_with(old))).then_some(())
            });
            assert!(site.stop().success());
        }
        let (code, words) = adopt(&site, &["--undo", &named("production")]);
        assert!(code == Some(0) && words.contains("2 packages are unchanged"), "{words}");
        assert_eq!(fs::read(dir.join("repodata/repomd.xml")).unwrap(), repomd, "published {published}");
        assert_eq!(judge::read_unsigned(&Source::Disk(dir.clone())).unwrap(), before);
        assert_eq!(state_of(&dir), packages);
        let (code, words) = adopt(&site, &["--undo", &named("production")]);
        assert!(code == Some(1) && words.contains("lists nothing"), "{words}");
    }
    // The daemon knows nothing of it and leaves it alone.
    crate::disagreement::up_with_trouble(&mut site);
    site.wait("the tree to be held", |site| {
        reasons(site).iter().any(|why| why.contains("unknown to this logbook")).then_some(())
    });
    assert_eq!(fs::read(dir.join("repodata/repomd.xml")).unwrap(), repomd);
}

/// Somebody else's files: one that he owns, one that others may write, one with a second name.
#[test]
fn a_file_that_somebody_else_could_write_into_becomes_a_copy_and_its_directory_is_asked_for_first() {
    if !peers::have(&["createrepo_c"]) || !run_as_root() {
        return;
    }
    let site = Site::prepare(&Wish::default());
    let dir = lay(
        &site,
        "production",
        &[
            ("his.rpm", &signed("a", "1")),
            ("open.rpm", &signed("b", "1")),
            ("two.rpm", &signed("c", "1")),
            ("d.rpm", &signed("d", "1")),
        ],
    );
    createrepo(&dir);
    let path = |name: &str| dir.join(name);
    std::os::unix::fs::chown(path("his.rpm"), Some(60002), None).unwrap();
    fs::set_permissions(path("open.rpm"), fs::Permissions::from_mode(0o666)).unwrap();
    fs::hard_link(path("two.rpm"), site.path("second")).unwrap();
    let before = state_of(&dir);
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
    let (code, words) = adopt(&site, &[&named("production")]);
    assert!(
        code == Some(1) && words.contains("can be changed by others") && words.contains("-exec chmod go-w"),
        "{words}"
    );
    crate::strangers::follow(&crate::strangers::remedy(&words));
    let mut his = fs::File::options().append(true).open(path("his.rpm")).unwrap();
    let (code, words) = adopt(&site, &[&named("production")]);
    assert!(code == Some(0) && words.contains("3 files that others could write to: replaced by copies"), "{words}");
    std::io::Write::write_all(&mut his, b"afterwards").unwrap();
    fs::write(site.path("second"), b"another").unwrap();
    for (file, (bytes, inode, time)) in state_of(&dir) {
        let (was, old, then) = &before[&file];
        assert_eq!((&bytes, &time), (was, then), "{}", file.display());
        assert_eq!(inode == *old, file.ends_with("d.rpm"), "{}", file.display());
        let meta = fs::metadata(&file).unwrap();
        assert!(meta.uid() == 0 && meta.mode() & 0o022 == 0);
    }
}

/// The repositories of the corpus whose packages are all there.
fn corpora() -> Vec<PathBuf> {
    let Some(corpus) = peers::corpus() else { return Vec::new() };
    let repos = fs::read_dir(corpus.join("repos")).map(|all| all.flatten().map(|e| e.path()).collect::<Vec<_>>());
    let mut found = Vec::new();
    for repo in repos.unwrap_or_default() {
        let tops = files_below(&repo).into_iter().filter(|file| file.ends_with("repodata/repomd.xml"));
        found.extend(tops.filter_map(|file| Some(file.parent()?.parent()?.to_owned())));
    }
    found.retain(|top| judge::read_unsigned(&Source::Disk(top.clone())).is_ok_and(|tree| tree.packages.len() > 1));
    found.sort();
    found
}

/// Whole repositories, as they were found: with databases, old checksums, packages that nobody has signed for us.
#[test]
fn whole_repositories_come_under_management_with_all_that_they_list() {
    let repos = corpora();
    if repos.is_empty() {
        eprintln!("left out: no corpus with whole repositories");
        return;
    }
    let mut done = 0;
    for repo in &repos {
        let mut site = Site::prepare(&Wish::default());
        let dir = site.tree("production");
        fs::create_dir_all(dir.parent().unwrap()).unwrap();
        assert!(Command::new("cp").arg("-a").arg(repo).arg(&dir).status().unwrap().success());
        assert!(Command::new("chown").args(["-R", "0:0"]).arg(&dir).status().unwrap().success());
        assert!(Command::new("chmod").args(["-R", "go-w"]).arg(&dir).status().unwrap().success());
        let before = judge::read_unsigned(&Source::Disk(dir.clone())).unwrap();
        let packages = state_of(&dir);
        // What it takes is what the first look says.
        let (_, words) = adopt(&site, &["--json", "--dry-run", &named("production")]);
        let document: serde_json::Value = serde_json::from_str(&words).unwrap_or_else(|e| panic!("{words}: {e}"));
        let refused = document["refused"].as_array().unwrap();
        let codes: std::collections::BTreeSet<&str> = refused.iter().filter_map(|one| one["code"].as_str()).collect();
        let mut configuration = site.configuration();
        for code in &codes {
            configuration.push_str(&exception(code, "2099-01-01"));
        }
        site.write_configuration(&configuration);
        let (code, words) = adopt(&site, &[&named("production")]);
        if code != Some(0) {
            tell(&format!("{}: {codes:?}: {}", repo.display(), words.lines().last().unwrap_or_default()));
            continue;
        }
        assert_eq!(state_of(&dir), packages, "{}", repo.display());
        site.up();
        wait_until_well(&mut site);
        let after =
            site.wait("the tree to be published", |site| judge::read(&Source::Disk(site.tree("production"))).ok()?);
        assert_eq!(places(&after), places(&before), "{}", repo.display());
        assert!(after.revision > before.revision);
        tell(&format!("{}: {} packages, by exceptions for {codes:?}", repo.display(), after.packages.len()));
        assert!(site.stop().success());
        done += 1;
    }
    tell(&format!("adopted {done} of {} whole repositories of the corpus", repos.len()));
    assert!(done >= 3, "{done}");
}

/// `ROLLOUTD_ADOPTED` says how many packages there are.
#[test]
fn a_tree_of_many_packages_is_adopted_and_published() {
    if !peers::have(&["createrepo_c"]) {
        return;
    }
    let many = campaign::count("ROLLOUTD_ADOPTED").unwrap_or(200);
    let mut site = Site::prepare(&Wish::default());
    let dir = site.tree("production");
    for n in 0..many {
        let place = dir.join(format!("{}/p{n:05}.rpm", n % 7));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, signed(&format!("p{n:05}"), "1")).unwrap();
    }
    createrepo(&dir);
    let before = judge::read_unsigned(&Source::Disk(dir)).unwrap();
    let began = std::time::Instant::now();
    let (code, words) = adopt(&site, &[&named("production")]);
    assert_eq!(code, Some(0), "{words}");
    let adopted = began.elapsed();
    let began = std::time::Instant::now();
    site.up();
    wait_until_well(&mut site);
    let after =
        site.wait("the tree to be published", |site| judge::read(&Source::Disk(site.tree("production"))).ok()?);
    tell(&format!("{many} packages adopted in {adopted:?}, ready and published after {:?}", began.elapsed()));
    assert_eq!(places(&after), places(&before));
    assert_eq!(after.packages.len(), many);
}

/// A site whose state is lost goes on with the trees that it had.
#[test]
fn a_site_whose_state_is_lost_goes_on_with_its_trees() {
    let many = 40;
    let mut site = Site::start(&Wish::default());
    let nevras: Vec<String> = (0..many).map(|n| site.drop_package(&format!("p{n:05}"), "1.0", &[])).collect();
    site.wait("all to be taken in", |site| (crate::disagreement::packages(site, "untested") == many).then_some(()));
    site.submit("1", &nevras.iter().map(String::as_str).collect::<Vec<_>>());
    site.go_through("1", &["InVerification", "StageRollOut", "Production"]);
    let before = listed(&site, "production");
    assert!(site.stop().success());
    fs::remove_dir_all(site.path("state")).unwrap();
    fs::create_dir(site.path("state")).unwrap();
    let (code, words) = adopt(&site, &[&named("production")]);
    assert_eq!(code, Some(0), "{words}");
    site.up();
    wait_until_well(&mut site);
    // What it shows is its own metadata, so there is nothing to publish.
    assert_eq!(listed(&site, "production"), before);
    // What testing waited to remove is nobody's now, and is named.
    let (found, _) = fsck(&site, true);
    assert!(found.iter().all(|(place, _)| !place.starts_with("production")), "{found:?}");
    // And it goes on from there.
    let newer = site.drop_package("p00000", "2.0", &[]);
    site.submit("2", &[&newer]);
    site.go_through("2", &["InVerification", "StageRollOut", "Production"]);
    let after = listed(&site, "production");
    assert!(after.revision > before.revision);
    assert_eq!(after.packages.len(), before.packages.len() + 1);
}
