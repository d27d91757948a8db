//! Uploads by every method that people use: never read early, never missed.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon, and uploads as people do")]

use std::fs;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::disagreement::{packages, reasons, wait_until_well};
use crate::peers;
use crate::site::{DISTRIBUTION, Site, Wish, keys, package, recipe};

/// The names of packages that the upload tree lists, from the API.
fn listed(site: &Site) -> u64 {
    let trees = site.document("/api/v1/trees");
    let untested = trees.as_array().and_then(|all| all.iter().find(|tree| tree["tree"] == "untested").cloned());
    untested.and_then(|tree| tree["packages"].as_u64()).unwrap_or_default()
}

#[track_caller]
fn wait_until_listed(site: &mut Site, wanted: u64) {
    site.wait(&format!("{wanted} packages to be listed"), |site| (listed(site) == wanted).then_some(()));
    assert_eq!(site.rejected().len(), 0, "nothing was refused: {}", site.log());
}

fn bytes(name: &str) -> Vec<u8> {
    package(&recipe(name, "1.0", &[]), Some(&keys().ours.1))
}

/// A Site whose configuration has other words under `[watch]`.
fn with_watch(watch: &'static str) -> Site {
    Site::prepare(&Wish { watch, ..Wish::default() })
}

fn run(program: &str, words: &[&str]) {
    let out = Command::new(program).args(words).output().unwrap();
    assert!(out.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn what_came_while_the_daemon_was_down_is_found() {
    let mut site = Site::prepare(&Wish::default());
    site.drop_package("early", "1.0", &[]);
    site.up();
    wait_until_listed(&mut site, 1);
    assert!(site.stop().success());
    site.drop_package("later", "1.0", &[]);
    site.up();
    wait_until_listed(&mut site, 2);
}

#[test]
fn every_way_of_uploading_ends_with_the_package_taken_in() {
    if !peers::have(&["rsync"]) {
        return;
    }
    let mut site = Site::start(&Wish::default());
    let aside = tempfile::tempdir().unwrap();
    let from = |name: &str| {
        let path = aside.path().join(format!("{name}.rpm"));
        fs::write(&path, bytes(name)).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let to = format!("{}/", site.incoming().display());
    run("rsync", &["-a", &from("rsync-plain"), &to]);
    // Slow enough that the daemon looks while it is under way.
    run("rsync", &["-a", "--inplace", "--bwlimit=2", &from("rsync-inplace"), &to]);
    run("rsync", &["-a", "--delay-updates", &from("rsync-delayed"), &to]);
    run("rsync", &["-a", "--partial-dir=.partial", &from("rsync-partial"), &to]);
    run("rsync", &["-a", "--temp-dir=/dev/shm", &from("rsync-elsewhere"), &to]);
    run("cp", &[&from("copied"), &to]);
    run("mv", &[&from("moved"), &to]);
    run("install", &["-m", "0640", &from("installed"), &to]);
    wait_until_listed(&mut site, 8);
}

/// What scp and a browser do: the final name from the beginning, and the bytes as they come.
/// Nobody has made it, and nobody has to be told what it is for.
#[test]
fn the_daemon_makes_the_directory_of_uploads_with_a_folder_for_each_distribution() {
    let mut site = Site::prepare(&Wish { distributions: vec![DISTRIBUTION, "other/one"], ..Wish::default() });
    let incoming = site.path("incoming");
    fs::remove_dir_all(&incoming).unwrap();
    site.up();
    for distribution in [DISTRIBUTION, "other/one"] {
        assert!(site.incoming_of(distribution).is_dir(), "{distribution}");
    }
    let readme = incoming.join("README");
    let words = fs::read_to_string(&readme).unwrap();
    assert!(words.contains("Upload packages (*.rpm)") && words.contains("This directory is not served"), "{words}");
    site.drop_package("tool", "1.0", &[]);
    site.wait("the package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
    // An admin may have words of his own.
    fs::write(&readme, "ours").unwrap();
    assert!(site.stop().success());
    site.up();
    assert_eq!(fs::read_to_string(&readme).unwrap(), "ours");
}

#[test]
fn a_file_that_grows_slowly_is_not_read_before_it_is_whole() {
    let mut site = Site::start(&Wish::default());
    let bytes = bytes("slow");
    let mut file = fs::File::create(site.incoming().join("slow.rpm")).unwrap();
    let there = |site: &Site, name: &str| {
        let first = &name[..1];
        site.tree("untested").join(format!("Packages/{first}/{name}-1.0-1.noarch.rpm")).is_file().then_some(())
    };
    for (n, piece) in bytes.chunks(bytes.len() / 4 + 1).enumerate() {
        file.write_all(piece).unwrap();
        if n == 3 {
            break;
        }
        // A package that is dropped after the part goes all the way before the next part comes, so the
        // part has been looked at.
        let beside = format!("beside{n}");
        site.drop_package(&beside, "1.0", &[]);
        site.wait("the package beside it", |site| there(site, &beside));
        assert!(there(&site, "slow").is_none() && site.rejected().is_empty(), "nothing is decided on a part");
    }
    drop(file);
    site.wait("the slow package", |site| there(site, "slow"));
    assert_eq!(site.rejected().len(), 0, "{}", site.log());
}

#[test]
fn a_directory_that_appears_already_filled_is_found() {
    let mut site = Site::start(&Wish::default());
    let aside = site.path("filled");
    fs::create_dir_all(aside.join("el6/RPMS")).unwrap();
    for n in 0..20 {
        fs::write(aside.join(format!("el6/RPMS/{n}.rpm")), bytes(&format!("filled{n}"))).unwrap();
    }
    fs::rename(&aside, site.incoming().join("batch")).unwrap();
    wait_until_listed(&mut site, 20);
}

#[test]
fn without_events_uploads_are_found_by_polling() {
    let mut site = with_watch("mode = \"poll\"\npoll_every = \"200ms\"");
    site.up();
    assert!(site.log().contains("uploads are polled"), "{}", site.log());
    site.drop_package("polled", "1.0", &[]);
    wait_until_listed(&mut site, 1);
}

/// The watch stands on a directory that has lost its name; the new one of that name is watched instead.
#[test]
fn a_directory_that_was_replaced_is_watched_again() {
    let mut site = with_watch("poll_every = \"200ms\"");
    site.up();
    let incoming = site.incoming();
    fs::rename(&incoming, site.path("old")).unwrap();
    fs::create_dir(&incoming).unwrap();
    site.wait("the new directory to be watched", |site| site.log().contains("directory was replaced").then_some(()));
    site.drop_package("after", "1.0", &[]);
    let there = |site: &Site| site.tree("untested").join("Packages/a/after-1.0-1.noarch.rpm").is_file().then_some(());
    site.wait("the package in the new directory", there);
}

#[test]
fn a_burst_is_taken_in_whole_and_published_in_few_revisions() {
    const BURST: u64 = 300;
    let mut site = Site::start(&Wish::default());
    let aside = site.path("aside");
    fs::create_dir(&aside).unwrap();
    for n in 0..BURST {
        fs::write(aside.join(format!("{n}.rpm")), bytes(&format!("burst{n}"))).unwrap();
    }
    fs::rename(&aside, site.incoming().join("batch")).unwrap();
    wait_until_listed(&mut site, BURST);
    let log = site.ctl_good(&["log", "--limit", "1000"]);
    let published = log.lines().filter(|line| line.contains("published untested/")).count();
    assert!(published <= 12, "{published} publications for {BURST} packages: {log}");
}

/// A second daemon on the same site refuses and names the first.
#[test]
fn two_daemons_on_one_site_are_one_too_many() {
    let site = Site::start(&Wish::default());
    let (config, second) = (site.config(), site.rolloutd(&["run"]));
    let words = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{words}");
    assert!(words.contains(&format!("pid {}", site.pid())) && words.contains(&config.display().to_string()), "{words}");
    assert_eq!(site.document("/readyz")["ready"], true, "the first goes on");
}

/// A mounted file system that goes away with the value.
pub(crate) struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    pub(crate) fn tmpfs(at: &'a Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size},mode=755");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(at))
    }

    /// Shows a directory at another place, as a disk is.
    pub(crate) fn bind(from: &Path, at: &'a Path) -> Option<Self> {
        let mounted = Command::new("mount").arg("--bind").args([from, at]).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

/// A file system that tells of a file and never its content, and lets nobody wait for it.
struct Blocking<'a> {
    server: std::process::Child,
    said: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
    _mount: Mount<'a>,
}

impl<'a> Blocking<'a> {
    fn mount(at: &'a Path, name: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/blocking.py");
        let mut command = Command::new("python3");
        command.args(["-I", script]).arg(at).args([name, "5000"]).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let mut said = std::io::BufReader::new(server.stdout.take().unwrap()).lines();
        let mounted = said.next().is_some_and(|line| line.unwrap() == "mounted");
        let blocking = Self { server, said, _mount: Mount(at) };
        mounted.then_some(blocking)
    }

    /// Waits until somebody reads.
    fn is_asked(&mut self) {
        assert_eq!(self.said.next().unwrap().unwrap(), "asked");
    }
}

impl Drop for Blocking<'_> {
    fn drop(&mut self) {
        // Whoever still waits gets an error as soon as nobody can answer any more.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_file_system_that_never_answers_costs_one_file_and_holds_up_nothing_else() {
    const OTHER: &str = "other/el9/x86_64";
    let mut site = Site::prepare(&Wish { distributions: vec![crate::site::DISTRIBUTION, OTHER], ..Wish::default() });
    let place = site.incoming().join("far");
    let Some(mut blocking) = Blocking::mount(&place, "far.rpm") else {
        // The device is the kernel's, and cannot be installed.
        let required = std::env::var("ROLLOUTD_REQUIRE_PEERS").is_ok() && Path::new("/dev/fuse").exists();
        assert!(!required, "tests/run runs this as root");
        eprintln!("left out: mounting a file system of our own needs root and /dev/fuse");
        return;
    };
    site.up();
    blocking.is_asked();
    // Another distribution goes on, and so does everything that is asked of the daemon.
    fs::write(site.incoming_of(OTHER).join("a.rpm"), bytes("elsewhere")).unwrap();
    let repodata = site.tree_of("production", OTHER).join("repodata/repomd.xml");
    let before = fs::read(&repodata).unwrap();
    site.wait("the other package to be taken in", |site| {
        site.log().contains("nevra=elsewhere-1.0-1.noarch").then_some(())
    });
    site.ctl_good(&["submit", "1", "--distribution", OTHER, "elsewhere-1.0-1.noarch"]);
    for state in ["InVerification", "StageRollOut", "Production"] {
        site.ctl_good(&["move", "1", state]);
    }
    site.wait("the other package in production", |_| (fs::read(&repodata).unwrap() != before).then_some(()));
    assert!(!reasons(&site).iter().any(|reason| reason.contains("far.rpm")), "it is still being read: {}", site.log());
    // Its own distribution goes on when patience is over, and the file is named for as long as it is so.
    site.wait("the file to be named", |site| {
        site.document("/api/v1/uploads").to_string().contains("far.rpm").then_some(())
    });
    assert_eq!(reasons(&site), Vec::<String>::new(), "no client and no move suffers");
    site.drop_package("here", "1.0", &[]);
    site.wait("the next package to be taken in", |site| (packages(site, "untested") == 1).then_some(()));
    assert!(place.join("far.rpm").exists(), "it stays where it is");
    drop(blocking);
    // The next look, which any upload brings about, finds it gone.
    site.drop_package("last", "1.0", &[]);
    site.wait("it to be named no more", |site| {
        (!site.document("/api/v1/uploads").to_string().contains("far.rpm")).then_some(())
    });
    wait_until_well(&mut site);
    assert!(site.stop().success());
}

#[test]
fn trees_and_state_on_different_file_systems_work_by_copying() {
    let mut site = Site::prepare(&Wish::default());
    let (testing, state) = (site.path("root/testing"), site.path("state"));
    let (Some(_testing), Some(_state)) = (Mount::tmpfs(&testing, "64m"), Mount::tmpfs(&state, "64m")) else {
        assert!(std::env::var("ROLLOUTD_REQUIRE_PEERS").is_err(), "tests/run runs this as root");
        eprintln!("left out: mounting a file system needs root");
        return;
    };
    let (words, code) = site.check();
    assert!(code == Some(0) && words.contains("file system"), "check says so: {words}");
    site.up();
    let nevra = site.drop_package("far", "1.0", &[]);
    site.drop_file("unsigned.rpm", &package(&recipe("unsigned", "1.0", &[]), None));
    site.wait_for_rejected("unsigned", 1);
    site.submit("far", &[&nevra]);
    for (state, tree) in [("InVerification", "untested"), ("StageRollOut", "testing"), ("Production", "production")] {
        site.ctl_good(&["move", "far", state]);
        site.wait("the packages to come to rest", |site| site.door.rests("far").then_some(()));
        assert!(site.tree(tree).join("Packages/f/far-1.0-1.noarch.rpm").is_file(), "{tree}");
    }
    assert!(site.stop().success());
}

/// Uploaders without an account anywhere else read in their own directory what was refused, why, and what to do.
#[test]
fn a_list_of_refused_files_lies_where_they_were_uploaded_as_long_as_they_are_kept() {
    let mut site = Site::start(&Wish::default());
    let list = site.incoming().join("REFUSED.txt");
    site.drop_file("batch/unsigned.rpm", &package(&recipe("unsigned", "1.0", &[]), None));
    let text = site.wait("the list", |_| fs::read_to_string(&list).ok());
    assert!(
        text.contains("\nbatch/unsigned.rpm, refused 20") && text.contains("  unsigned: A package must be"),
        "{text}"
    );
    assert!(text.contains("  to do: Sign the package with a key of this tree's ring.\n"), "{text}");
    // It is no upload, and nobody is asked to remove it.
    assert_eq!(site.document("/api/v1/uploads")[0]["files"].as_array().map_or(0, Vec::len), 0);
    assert!(!site.log().contains("REFUSED.txt"), "{}", site.log());
    site.ctl_good(&["rejected", "drop", "--all"]);
    site.drop_package("good", "1.0", &[]);
    site.wait("the list to go", |_| (!list.exists()).then_some(()));
    site.wait("the package", |site| (packages(site, "untested") == 1).then_some(()));
}
