//! The unit as a packager installs it: clean by systemd's own judgement, and started under a real
//! systemd, which is PID 1 of a container (`tests/nspawn`).

#![expect(clippy::disallowed_methods, reason = "what a package manager would install is written here")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rolloutd::format::sample::{Recipe, build};
use rolloutd::format::signing::{Signer, generate};
use tempfile::TempDir;

use crate::configuration::{Places, Wish};
use crate::peers;
use crate::site::DISTRIBUTION;

/// Above this the unit is less confined than it has to be, in `systemd-analyze security`'s points.
const EXPOSURE_MAX: f64 = 1.5;

/// How long something may take that usually takes less than a second.
const PATIENCE: Duration = Duration::from_mins(1);

fn unit(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(unit(file)).unwrap()
}

/// The unit files in a directory, with programs that exist on this machine.
fn copies(change: impl Fn(&str, String) -> String) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["rolloutd.service", "rolloutd.socket"] {
        let text = read(file).replace("/usr/bin/rolloutd", env!("CARGO_BIN_EXE_rolloutd"));
        fs::write(dir.path().join(file), change(file, text)).unwrap();
    }
    dir
}

#[track_caller]
fn verifies(dir: &TempDir) {
    let said = Command::new("systemd-analyze")
        .args(["verify", "--man=no", "--recursive-errors=no"])
        .args(["rolloutd.service", "rolloutd.socket"].map(|file| dir.path().join(file)))
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&said.stderr);
    // A key that is misspelt is only a warning.
    assert!(said.status.success() && words.is_empty(), "{}{words}", said.status);
}

/// The drop-in with its examples in force: `#Key=value` without the mark.
fn uncommented(drop_in: &str) -> String {
    let bare = |line: &str| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(char::is_uppercase) => rest.to_owned(),
        _ => line.to_owned(),
    };
    read(drop_in).lines().map(bare).collect::<Vec<_>>().join("\n")
}

#[test]
fn systemd_has_nothing_to_complain_of_in_the_units() {
    if peers::have(&["systemd-analyze"]) {
        verifies(&copies(|_, text| text));
    }
}

#[test]
fn every_example_in_the_drop_ins_is_understood() {
    if !peers::have(&["systemd-analyze"]) {
        return;
    }
    for drop_in in ["site.conf", "socket.conf"] {
        assert_ne!(uncommented(drop_in), read(drop_in), "{drop_in} has no example");
        verifies(&copies(|file, text| if file == "rolloutd.service" { text + &uncommented(drop_in) } else { text }));
    }
}

#[test]
fn the_daemon_is_confined_to_what_it_needs() {
    if !peers::have(&["systemd-analyze"]) {
        return;
    }
    let said = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(unit("rolloutd.service"))
        .output()
        .unwrap();
    let table = String::from_utf8_lossy(&said.stdout).into_owned();
    let exposure: f64 = table
        .split("Overall exposure level for rolloutd.service: ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|figure| figure.parse().ok())
        .unwrap_or_else(|| panic!("no figure in {table}"));
    eprintln!("exposure: {exposure}");
    assert!(exposure <= EXPOSURE_MAX, "{exposure}\n{table}");
}

/// A container with a systemd of its own, and rolloutd installed in it.
struct Machine {
    nspawn: Child,
    init: String,
    _stage: TempDir,
}

/// Whether containers can be had; says why not.
fn containers() -> bool {
    peers::have(&["systemd-nspawn", "nsenter", "unshare", "curl"]) && peers::root("a container with its own systemd")
}

/// A file below a directory.
fn put(dir: &TempDir, path: &str, bytes: &[u8], mode: u32) {
    let file = dir.path().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, bytes).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
}

/// What somebody installs by hand, and a configuration for one distribution.
fn stage(drop_ins: &[(&str, &str)]) -> TempDir {
    let dir = configured(drop_ins);
    let put = |path: &str, bytes: &[u8], mode: u32| put(&dir, path, bytes, mode);
    put("usr/bin/rolloutd", &fs::read(env!("CARGO_BIN_EXE_rolloutd")).unwrap(), 0o755);
    for (file, place) in [
        ("rolloutd.service", "usr/lib/systemd/system/rolloutd.service"),
        ("rolloutd.socket", "usr/lib/systemd/system/rolloutd.socket"),
        ("rolloutd.sysusers.conf", "usr/lib/sysusers.d/rolloutd.conf"),
        ("rolloutd.tmpfiles.conf", "usr/lib/tmpfiles.d/rolloutd.conf"),
    ] {
        put(place, read(file).as_bytes(), 0o644);
    }
    dir
}

/// A configuration for one distribution, and its keys.
fn configured(drop_ins: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |path: &str, bytes: &[u8], mode: u32| put(&dir, path, bytes, mode);
    for (name, text) in drop_ins {
        put(&format!("etc/systemd/system/rolloutd.service.d/{name}"), text.as_bytes(), 0o644);
    }
    let key = generate("Example <packages@example.org>", Timestamp::now()).unwrap();
    put("etc/rolloutd/keys/RPM-GPG-KEY-example", key.public.as_bytes(), 0o644);
    put("etc/rolloutd/secrets/signing.asc", key.secret.as_bytes(), 0o600);
    put("etc/rolloutd/secrets/rt-hook", b"a secret of the tracker and ours\n", 0o600);
    put("etc/rolloutd/rolloutd.toml", configuration().as_bytes(), 0o644);
    let signer = Signer::read(key.secret.as_bytes(), Timestamp::now()).unwrap();
    put("root/tool-1.0-1.noarch.rpm", &package(&signer), 0o644);
    dir
}

fn package(signer: &Signer) -> Vec<u8> {
    let recipe = Recipe {
        name: "tool".to_owned(),
        version: "1.0".to_owned(),
        release: "1".to_owned(),
        arch: "noarch".to_owned(),
        summary: "A tool".to_owned(),
        files: vec![("/usr/share/tool".to_owned(), b"tool\n".to_vec())],
        build_time: Timestamp::now(),
        ..Recipe::default()
    };
    build(&recipe, Some(signer), Timestamp::now()).unwrap()
}

fn configuration() -> String {
    let credential = |name: &str| format!("/run/credentials/rolloutd.service/{name}");
    Wish::default().configuration(&Places {
        root: "/srv/repo/sw".to_owned(),
        state: "/var/lib/rolloutd".to_owned(),
        base_url: "http://localhost/sw".to_owned(),
        listen: None,
        procedure: "egi",
        ring: "/etc/rolloutd/keys/RPM-GPG-KEY-example".to_owned(),
        signing: Some(credential("signing.asc")),
        hook: ("rt", credential("rt-hook")),
        token: None,
    })
}

const SECRETS: (&str, &str) = (
    "secrets.conf",
    "[Service]\nLoadCredential=rt-hook:/etc/rolloutd/secrets/rt-hook\n\
     LoadCredential=signing.asc:/etc/rolloutd/secrets/signing.asc\n",
);

impl Machine {
    fn boot(drop_ins: &[(&str, &str)]) -> Self {
        let machine = Self::boot_with(stage(drop_ins));
        machine.does(&["systemd-sysusers"]);
        machine.does(&["systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/rolloutd.conf"]);
        machine
    }

    /// With these files in it.
    fn boot_with(stage: TempDir) -> Self {
        let mut nspawn = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nspawn"))
            .arg(stage.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut word = String::new();
        BufReader::new(nspawn.stdout.take().unwrap()).read_line(&mut word).unwrap();
        let init = word.trim().strip_prefix("ready ").expect("the container boots").to_owned();
        Self { nspawn, init, _stage: stage }
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new("nsenter")
            .args(["-t", &self.init, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--"])
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// What a command says that has to succeed.
    #[track_caller]
    fn does(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}: {}\n{said}{wrong}\n{}", output.status, self.journal());
        said
    }

    /// One property of the unit.
    fn shows(&self, property: &str) -> String {
        self.does(&["systemctl", "show", "--value", "-p", property, "rolloutd.service"]).trim().to_owned()
    }

    fn journal(&self) -> String {
        let output = self.run(&["journalctl", "--no-pager", "-o", "cat", "-u", "rolloutd.service"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[track_caller]
    fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let since = Instant::now();
        while !holds(self) {
            assert!(since.elapsed() < PATIENCE, "never came: {what}\n{}", self.journal());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn answers(&self, path: &str) {
        self.does(&["curl", "--silent", "--show-error", "--fail", &format!("http://127.0.0.1:8640{path}")]);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The end of its input ends the container.
        drop(self.nspawn.stdin.take());
        let _ = self.nspawn.wait();
    }
}

#[test]
fn started_by_systemd_it_works_confined_reloads_and_stops_in_order() {
    if !containers() {
        return;
    }
    let machine = Machine::boot(&[SECRETS]);
    machine.does(&["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "rolloutd.service"]);
    machine.does(&["systemctl", "enable", "rolloutd.service"]);

    // `start` returns when READY has come.
    machine.does(&["systemctl", "start", "rolloutd.service"]);
    assert_eq!(machine.shows("ActiveState"), "active");
    assert_ne!(machine.shows("StatusText"), "");
    machine.answers("/healthz");
    machine.answers("/readyz");

    let status = machine.does(&["cat", &format!("/proc/{}/status", machine.shows("MainPID"))]);
    let line = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned();
    let user = machine.does(&["id", "-u", "rolloutd"]).trim().to_owned();
    assert_eq!(line("Uid:"), [user.as_str(); 4].join("\t"));
    assert_eq!((line("CapEff:"), line("NoNewPrivs:"), line("Seccomp:")), ("0".repeat(16), "1".into(), "2".into()));

    let journal = machine.journal();
    // systemd-nspawn keeps Landlock away from what runs in it; the unit lets the rest through.
    assert!(journal.contains("packages are read by a") && !journal.contains("NOT limits"), "{journal}");
    assert!(!journal.contains("NOT seccomp"), "{journal}");
    // Each line has its priority, and the journal keeps that to itself.
    let urgent = machine.does(&["journalctl", "--no-pager", "-o", "cat", "-p", "warning", "-u", "rolloutd.service"]);
    assert!(
        journal.contains(" INFO ") && !urgent.contains(" INFO ") && !journal.contains("<6>"),
        "{journal}\n{urgent}"
    );

    // A package uploaded by somebody else is taken in, and clients can read what became of it.
    let tree = format!("/srv/repo/sw/untested/{DISTRIBUTION}");
    let incoming = format!("/srv/repo/incoming/{DISTRIBUTION}");
    machine.does(&["install", "-o", "12345", "-g", "12345", "-m", "644", "/root/tool-1.0-1.noarch.rpm", &incoming]);
    let placed = format!("{tree}/Packages/t/tool-1.0-1.noarch.rpm");
    machine.until("the package in its place", |m| m.run(&["test", "-e", &placed]).status.success());
    let listed = format!("zcat {tree}/repodata/*primary.xml.gz | grep -q '<name>tool</name>'");
    machine.until("the package in the metadata", |m| m.run(&["sh", "-c", &listed]).status.success());
    let modes = machine.does(&["stat", "-c", "%a %U", &placed, &format!("{tree}/repodata/repomd.xml"), &tree]);
    assert_eq!(modes, "444 rolloutd\n644 rolloutd\n755 rolloutd\n");
    assert_eq!(machine.does(&["stat", "-c", "%a %U", "/var/lib/rolloutd"]), "750 rolloutd\n");

    // A reload that cannot be is told of, and what was in force stays so.
    let before = machine.shows("MainPID");
    machine.does(&["sed", "-i", "s/procedure/procedur/", "/etc/rolloutd/rolloutd.toml"]);
    machine.does(&["systemctl", "reload", "rolloutd.service"]);
    machine.until("the status of a failed reload", |m| m.shows("StatusText").contains("procedur"));
    machine.does(&["sed", "-i", "s/procedur/procedure/", "/etc/rolloutd/rolloutd.toml"]);
    machine.does(&["systemctl", "reload", "rolloutd.service"]);
    machine.until("the end of the trouble", |m| !m.shows("StatusText").contains("procedur"));
    assert_eq!((machine.shows("SubState"), machine.shows("MainPID")), ("running".into(), before));
    machine.answers("/readyz");

    machine.does(&["systemctl", "stop", "rolloutd.service"]);
    assert_eq!(machine.shows("Result"), "success");
    assert_eq!((machine.shows("ExecMainCode"), machine.shows("ExecMainStatus")), ("1".into(), "0".into()));
    assert_eq!(machine.shows("NRestarts"), "0");
}

#[test]
fn a_daemon_that_hangs_or_is_killed_is_started_again() {
    if !containers() {
        return;
    }
    // A killed daemon's reader may outlive it by a moment. systemd then waits for the end of the
    // control group; a kernel that does not tell of that end lets it wait for `TimeoutStopSec`.
    let impatient = "[Service]\nWatchdogSec=8s\nRestartSec=100ms\nTimeoutStopSec=5s\n";
    let machine = Machine::boot(&[SECRETS, ("impatient.conf", impatient)]);
    machine.does(&["systemctl", "start", "rolloutd.service"]);
    for signal in ["STOP", "KILL"] {
        // On a loaded machine the short watchdog may have met a daemon before this test does, so
        // the restarts are counted from here on.
        let restarts = |m: &Machine| m.shows("NRestarts").parse::<u32>().unwrap();
        let (before, counted) = (machine.shows("MainPID"), restarts(&machine));
        machine.does(&["kill", &format!("-{signal}"), &before]);
        machine.until("another daemon", |m| {
            restarts(m) > counted && m.shows("SubState") == "running" && m.shows("MainPID") != before
        });
        machine.answers("/readyz");
    }
    let journal = machine.journal();
    assert!(journal.contains("Watchdog timeout"), "{journal}");
    assert!(journal.contains("'watchdog'") && journal.contains("'signal'"), "{journal}");
}

#[test]
fn behind_a_socket_of_systemd_it_starts_when_asked_and_needs_no_network() {
    if !containers() {
        return;
    }
    let machine = Machine::boot(&[SECRETS, ("socket.conf", &uncommented("socket.conf"))]);
    machine.does(&["systemctl", "start", "rolloutd.socket"]);
    assert_eq!(machine.shows("ActiveState"), "inactive");
    machine.answers("/healthz");
    machine.until("READY", |m| m.shows("ActiveState") == "active");
    assert_eq!(machine.shows("PrivateNetwork"), "yes");
    // The port stays open over a restart.
    machine.does(&["systemctl", "restart", "rolloutd.service"]);
    machine.answers("/readyz");
}

#[test]
fn a_broken_configuration_stops_the_start_and_the_journal_says_why() {
    if !containers() {
        return;
    }
    let machine = Machine::boot(&[SECRETS]);
    machine.does(&["sh", "-c", "sed -i 's/procedure/procedur/' /etc/rolloutd/rolloutd.toml"]);
    assert!(!machine.run(&["systemctl", "start", "rolloutd.service"]).status.success());
    let journal = machine.journal();
    assert!(journal.contains("procedur"), "{journal}");
    assert!(!machine.run(&["test", "-e", "/srv/repo/sw/untested"]).status.success(), "nothing was touched");
}

/// How a package is installed or upgraded, and how it is removed.
struct Manager {
    kind: &'static str,
    installs: &'static [&'static str],
    removes: &'static [&'static str],
}

const DPKG: Manager = Manager { kind: "deb", installs: &["dpkg", "-i"], removes: &["dpkg", "-r", "rolloutd"] };
/// On a system whose package manager it is not: it does not know that the C library is there.
const RPM: Manager = Manager {
    kind: "rpm",
    installs: &["rpm", "--force-debian", "--nodeps", "-U"],
    removes: &["rpm", "--force-debian", "-e", "rolloutd"],
};

impl Manager {
    /// A package of the programs under test.
    fn makes(&self, version: &str, dir: &TempDir) -> String {
        let programs = Path::new(env!("CARGO_BIN_EXE_rolloutd")).parent().unwrap();
        let out = Command::new(unit("package"))
            .arg(self.kind)
            .arg(dir.path().join("root"))
            .args(["--version", version, "--programs"])
            .arg(programs)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", crate::site::said(&out));
        let path = String::from_utf8(out.stdout).unwrap();
        format!("/root/{}", Path::new(path.trim()).file_name().unwrap().to_str().unwrap())
    }

    /// A package is installed, the service is started, upgraded and removed; what belongs to the site stays.
    fn is_good(&self) {
        let stage = configured(&[SECRETS]);
        let (first, second) = (self.makes("0.1.0", &stage), self.makes("0.1.1", &stage));
        let machine = Machine::boot_with(stage);
        let installs = |file: &str| machine.does(&[self.installs, &[file]].concat());
        installs(&first);
        machine.does(&["id", "-u", "rolloutd"]);
        for path in [
            "/usr/share/man/man8/rolloutd.8.gz",
            "/usr/share/man/man1/rolloutctl-submit.1.gz",
            "/usr/share/man/man5/rolloutd.toml.5.gz",
            "/usr/share/bash-completion/completions/rolloutctl",
            "/usr/share/doc/rolloutd/rolloutd.toml",
        ] {
            // A minimal Debian leaves documentation out.
            let leaves_out = machine.run(&["grep", "-rqs", "path-exclude", "/etc/dpkg/dpkg.cfg.d"]).status.success();
            assert!(leaves_out || machine.run(&["test", "-s", path]).status.success(), "{path}");
        }
        assert!(!machine.run(&["systemctl", "is-enabled", "--quiet", "rolloutd"]).status.success());
        machine.does(&["systemctl", "enable", "--now", "rolloutd"]);
        machine.answers("/readyz");
        machine.does(&["rolloutctl", "trees"]);
        let incoming = format!("/srv/repo/incoming/{DISTRIBUTION}");
        machine.does(&["install", "-m", "644", "/root/tool-1.0-1.noarch.rpm", &incoming]);
        let placed = format!("/srv/repo/sw/untested/{DISTRIBUTION}/Packages/t/tool-1.0-1.noarch.rpm");
        machine.until("the package in its place", |m| m.run(&["test", "-e", &placed]).status.success());

        let before = machine.shows("MainPID");
        installs(&second);
        machine.until("the new program", |m| m.shows("ActiveState") == "active" && m.shows("MainPID") != before);
        machine.answers("/readyz");

        machine.does(self.removes);
        assert_eq!(machine.shows("ActiveState"), "inactive");
        for path in
            ["/usr/bin/rolloutd", "/usr/lib/systemd/system/rolloutd.service", "/usr/share/man/man8/rolloutd.8.gz"]
        {
            assert!(!machine.run(&["test", "-e", path]).status.success(), "{path} stays");
        }
        for path in ["/etc/rolloutd/rolloutd.toml", "/var/lib/rolloutd/logbook.sqlite", &placed] {
            assert!(machine.run(&["test", "-e", path]).status.success(), "{path} is gone");
        }
        installs(&second);
        machine.does(&["systemctl", "start", "rolloutd"]);
        machine.answers("/readyz");
        assert!(machine.does(&["rolloutctl", "where", "tool"]).contains("untested"));
    }
}

#[test]
fn the_deb_is_installed_started_upgraded_and_removed() {
    if containers() && peers::have(&["dpkg", "dpkg-deb", "objdump"]) {
        DPKG.is_good();
    }
}

#[test]
fn the_rpm_is_installed_started_upgraded_and_removed() {
    if containers() && peers::have(&["rpm", "rpmbuild"]) {
        RPM.is_good();
    }
}
