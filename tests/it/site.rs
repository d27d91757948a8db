//! A whole site on this machine: keys, configuration, the real daemon, the real `rolloutctl`.
//!
//! Waiting is always for a condition with a deadline, and a daemon that has ended fails the test at
//! once. What is started is ended by its process id when the [`Site`] goes out of scope; the log of
//! the daemon is shown when the test failed.
#![expect(clippy::disallowed_methods, reason = "tests write into their own temporary directories")]

use jiff::Timestamp;
use rolloutd::format::sample::{self, Recipe};
use rolloutd::format::signing::{Generated, Signer, generate};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) use crate::configuration::Wish;
use crate::configuration::{BRIEF, Places};

/// The distribution of the seed's example.
pub(crate) const DISTRIBUTION: &str = "umd/3/sl6/x86_64";
/// How long anything may take before the test fails; generous, as two busy cores must do.
const DEADLINE: Duration = Duration::from_mins(1);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(15);

/// The site's key, and one that its rings do not have; made once for all tests.
pub(crate) struct Keys {
    /// Signs packages and metadata.
    pub(crate) ours: (Generated, Signer),
    /// Signs packages that must stay out.
    pub(crate) foreign: (Generated, Signer),
}

pub(crate) fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let made = Timestamp::from_second(1_700_000_000).unwrap();
        let pair = |name: &str| {
            let key = generate(name, made).unwrap();
            let signer = Signer::read(key.secret.as_bytes(), Timestamp::now()).unwrap();
            (key, signer)
        };
        Keys {
            ours: pair("Example repository <repository@example.org>"),
            foreign: pair("Somebody else <somebody@example.com>"),
        }
    })
}

/// A noarch package with one file of its own; what it needs is given by the caller.
pub(crate) fn recipe(name: &str, version: &str, requires: &[&str]) -> Recipe {
    Recipe {
        name: name.to_owned(),
        version: version.to_owned(),
        release: "1".to_owned(),
        arch: "noarch".to_owned(),
        summary: format!("test package {name} <&> ü"),
        requires: requires.iter().map(|r| (*r).to_owned()).collect(),
        files: vec![(format!("/usr/share/{name}/version"), format!("{name} {version}\n").into_bytes())],
        changelog: vec![(
            Timestamp::from_second(1_650_000_000).unwrap(),
            format!("A Person <person@example.org> - {version}-1"),
            "- made for a test".to_owned(),
        )],
        build_time: Timestamp::from_second(1_700_000_000).unwrap(),
        ..Recipe::default()
    }
}

/// The package of a recipe, signed by `signer`.
pub(crate) fn package(recipe: &Recipe, signer: Option<&Signer>) -> Vec<u8> {
    sample::build(recipe, signer, Timestamp::from_second(1_700_000_500).unwrap()).unwrap()
}

/// Where the daemon listens now; threads of a test share it over restarts.
#[derive(Clone, Default)]
pub(crate) struct Door(Arc<Mutex<Option<SocketAddr>>>);

impl Door {
    fn set(&self, address: Option<SocketAddr>) {
        *self.0.lock().unwrap() = address;
    }

    /// The address, unless the daemon is down.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.0.lock().unwrap().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// A request of the API or of anything else below `/`.
    pub(crate) fn get(&self, path: &str) -> io::Result<Answer> {
        request(self.address()?, "GET", path, &[("Authorization", &format!("Bearer {TOKEN}"))], b"")
    }

    /// A POST to the API with the admin's token.
    pub(crate) fn post(&self, path: &str, body: &Value) -> io::Result<Answer> {
        let bearer = format!("Bearer {TOKEN}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        request(self.address()?, "POST", path, &headers, body.to_string().as_bytes())
    }

    /// A webhook as the tracker sends it, signed over its raw body.
    pub(crate) fn hook(&self, body: &str) -> io::Result<Answer> {
        self.hook_signed(body, &hook_mac(body))
    }

    /// A webhook with a signature of the caller's choice.
    pub(crate) fn hook_signed(&self, body: &str, mac: &str) -> io::Result<Answer> {
        let headers = [("X-Hub-Signature-256", mac), ("Content-Type", "application/json")];
        request(self.address()?, "POST", "/hooks/tracker", &headers, body.as_bytes())
    }

    /// A rollout as the API shows it.
    fn rollout(&self, id: &str) -> Option<Value> {
        let answer = self.get(&format!("/api/v1/rollouts/{id}")).ok()?;
        serde_json::from_slice(&answer.body).ok()
    }

    /// The state in which the API shows a rollout.
    pub(crate) fn state(&self, id: &str) -> Option<String> {
        Some(self.rollout(id)?.get("state")?.as_str()?.to_owned())
    }

    /// Whether a rollout is shown, and nothing is being moved for it.
    pub(crate) fn rests(&self, id: &str) -> bool {
        self.rollout(id).and_then(|shown| shown.get("moving")?.as_bool()) == Some(false)
    }
}

/// A running site.
pub(crate) struct Site {
    dir: TempDir,
    daemon: Option<Child>,
    /// The way in to the daemon.
    pub(crate) door: Door,
    /// A plain web server over the root, as most sites have one.
    files: FileServer,
    /// How often the daemon was started.
    pub(crate) starts: usize,
    /// Words before the daemon's own for the next start, such as a tracer that becomes the daemon.
    pub(crate) under: Vec<String>,
    /// Paths of distributions.
    pub(crate) distributions: Vec<&'static str>,
}

const HOOK_SECRET: &[u8] = b"a secret that tracker and daemon share, 0123456789";
const TOKEN: &str = "a-token-for-tests-0123456789abcdef0123456789";

impl Site {
    /// Makes keys, directories and configuration, starts everything and waits until it is ready.
    pub(crate) fn start(wish: &Wish) -> Self {
        let mut site = Self::prepare(wish);
        site.up();
        site
    }

    /// All but starting the daemon.
    pub(crate) fn prepare(wish: &Wish) -> Self {
        Self::prepare_in(&std::env::temp_dir(), wish)
    }

    /// The same in a directory of the caller's, such as another file system.
    pub(crate) fn prepare_in(parent: &Path, wish: &Wish) -> Self {
        let dir = TempDir::with_prefix_in("rolloutd-site-", parent).unwrap();
        let at = dir.path();
        // dnf and zypper drop privileges for some things, and then must reach their files.
        fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["root", "state", "keys"] {
            fs::create_dir(at.join(name)).unwrap();
        }
        for path in &wish.distributions {
            fs::create_dir_all(at.join("incoming").join(path)).unwrap();
        }
        let keys = keys();
        fs::write(at.join("keys/RPM-GPG-KEY-example"), &keys.ours.0.public).unwrap();
        secret(&at.join("keys/signing.asc"), keys.ours.0.secret.as_bytes());
        secret(&at.join("keys/hook"), HOOK_SECRET);
        secret(&at.join("keys/token"), TOKEN.as_bytes());
        let files = FileServer::start(&at.join("root"));
        let distributions = wish.distributions.clone();
        let (door, under) = (Door::default(), Vec::new());
        let site = Self { dir, daemon: None, door, files, starts: 0, under, distributions };
        site.write_configuration(&wish.configuration(&site.places()));
        site
    }

    fn places(&self) -> Places {
        let at = |name: &str| self.path(name).display().to_string();
        Places {
            root: at("root"),
            state: at("state"),
            base_url: self.files.url(),
            listen: Some("127.0.0.1:0"),
            procedure: BRIEF,
            ring: at("keys/RPM-GPG-KEY-example"),
            signing: Some(at("keys/signing.asc")),
            hook: ("tracker", at("keys/hook")),
            token: Some(at("keys/token")),
        }
    }

    /// The configuration file.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("rolloutd.toml")
    }

    /// What it says now.
    pub(crate) fn configuration(&self) -> String {
        fs::read_to_string(self.config()).unwrap()
    }

    /// Makes it say something else.
    pub(crate) fn write_configuration(&self, text: &str) {
        fs::write(self.config(), text).unwrap();
    }

    /// Exchanges some words in it, which must be there.
    #[track_caller]
    pub(crate) fn configure(&self, from: &str, to: &str) {
        let text = self.configuration();
        assert!(text.contains(from), "{from} is not in {text}");
        self.write_configuration(&text.replace(from, to));
    }

    /// Runs a command of `rolloutd` with this site's configuration; one that does not end is ended, with the exit code 124.
    pub(crate) fn rolloutd(&self, words: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.args([&DEADLINE.as_secs().to_string(), env!("CARGO_BIN_EXE_rolloutd")]).args(words);
        command.arg("--config").arg(self.config()).env("NO_COLOR", "1").stdin(Stdio::null()).output().unwrap()
    }

    /// What `rolloutd check` says, and its exit code.
    pub(crate) fn check(&self) -> (String, Option<i32>) {
        let out = self.rolloutd(&["check"]);
        (said(&out), out.status.code())
    }

    /// A path inside the site's directory.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Where a tree of the first distribution lies.
    pub(crate) fn tree(&self, tree: &str) -> PathBuf {
        self.tree_of(tree, DISTRIBUTION)
    }

    /// Where a tree of a distribution lies.
    pub(crate) fn tree_of(&self, tree: &str, distribution: &str) -> PathBuf {
        self.path("root").join(tree).join(distribution)
    }

    /// The drop directory of the first distribution.
    pub(crate) fn incoming(&self) -> PathBuf {
        self.incoming_of(DISTRIBUTION)
    }

    /// Where uploads of a distribution are dropped.
    pub(crate) fn incoming_of(&self, distribution: &str) -> PathBuf {
        self.path("incoming").join(distribution)
    }

    /// The URL of a tree at the plain web server.
    pub(crate) fn plain_url(&self, tree: &str) -> String {
        format!("{}/{tree}/{DISTRIBUTION}/", self.files.url())
    }

    /// The address of the plain web server, and the path of a tree there.
    pub(crate) fn plain_place(&self, tree: &str, distribution: &str) -> (SocketAddr, String) {
        (SocketAddr::from(([127, 0, 0, 1], self.files.port)), format!("/{tree}/{distribution}/"))
    }

    /// The URL of a tree at the daemon itself.
    pub(crate) fn served_url(&self, tree: &str) -> String {
        format!("http://{}/{tree}/{DISTRIBUTION}/", self.address())
    }

    /// The URL of the public key at the plain web server.
    pub(crate) fn key_url(&self) -> String {
        format!("file://{}", self.path("keys/RPM-GPG-KEY-example").display())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.door.address().expect("the daemon is not running")
    }

    /// Starts the daemon and waits until it is ready.
    pub(crate) fn up(&mut self) {
        self.spawn();
        self.ready();
    }

    /// Starts the daemon and does not wait.
    pub(crate) fn spawn(&mut self) {
        assert!(self.daemon.is_none(), "it runs already");
        let _ = fs::remove_file(self.path("state/http.addr"));
        self.door.set(None);
        self.starts += 1;
        let log = OpenOptions::new().create(true).append(true).open(self.path("daemon.log")).unwrap();
        let mut words = std::mem::take(&mut self.under);
        words.push(env!("CARGO_BIN_EXE_rolloutd").to_owned());
        let daemon = Command::new(&words[0])
            .args(&words[1..])
            .args(["run", "--config"])
            .arg(self.config())
            .env("NO_COLOR", "1")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.daemon = Some(daemon);
    }

    /// Waits until the daemon says that it is ready.
    pub(crate) fn ready(&mut self) {
        let file = self.path("state/http.addr");
        let address = self.wait("the daemon's address", |_| fs::read_to_string(&file).ok()?.trim().parse().ok());
        self.door.set(Some(address));
        self.wait("READY", |site| (site.door.get("/readyz").ok()?.status == 200).then_some(()));
    }

    /// Waits until `seen` gives something; a daemon that ended meanwhile is a failure.
    pub(crate) fn wait<T>(&mut self, what: &str, seen: impl FnMut(&Self) -> Option<T>) -> T {
        self.wait_for(DEADLINE, what, seen)
    }

    /// The same of what takes long on any machine.
    pub(crate) fn wait_for<T>(&mut self, most: Duration, what: &str, mut seen: impl FnMut(&Self) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = seen(self) {
                return found;
            }
            if let Some(ended) = self.daemon.as_mut().and_then(|d| d.try_wait().unwrap()) {
                self.daemon = None;
                panic!("waiting for {what}: the daemon ended with {ended}");
            }
            assert!(began.elapsed() < most, "waited {most:?} for {what}");
            std::thread::park_timeout(LOOK);
        }
    }

    /// The daemon's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.daemon.as_ref().expect("it does not run").id()
    }

    /// Whether the daemon has ended by itself; it then counts as stopped.
    pub(crate) fn has_ended(&mut self) -> Option<ExitStatus> {
        let status = self.daemon.as_mut()?.try_wait().unwrap()?;
        self.daemon = None;
        self.door.set(None);
        Some(status)
    }

    /// The daemon's address, as soon as it has written it down.
    pub(crate) fn look_for_door(&self) {
        if self.door.address().is_err()
            && let Some(address) =
                fs::read_to_string(self.path("state/http.addr")).ok().and_then(|t| t.trim().parse().ok())
        {
            self.door.set(Some(address));
        }
    }

    /// kill -9, by process id. The daemon must have been alive until then.
    pub(crate) fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("it does not run");
        self.door.set(None);
        let alone = daemon.try_wait().unwrap();
        assert!(alone.is_none(), "the daemon had ended by itself with {alone:?}");
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// Ends the daemon if it runs, however.
    pub(crate) fn end(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        self.door.set(None);
    }

    /// SIGTERM, and waits for the orderly end.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let mut daemon = self.daemon.take().expect("it does not run");
        self.door.set(None);
        let pid = rustix::process::Pid::from_child(&daemon);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let began = Instant::now();
        loop {
            if let Some(status) = daemon.try_wait().unwrap() {
                return status;
            }
            if began.elapsed() > DEADLINE {
                let _ = daemon.kill();
                let _ = daemon.wait();
                panic!("SIGTERM did not end the daemon within {DEADLINE:?}");
            }
            std::thread::park_timeout(LOOK);
        }
    }

    /// Writes a file into the drop directory as an upload does: below any directory, under any name.
    pub(crate) fn drop_file(&self, name: &str, bytes: &[u8]) {
        let place = self.incoming().join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, bytes).unwrap();
    }

    /// Builds, signs with the site's key and drops a package; gives its NEVRA.
    pub(crate) fn drop_package(&self, name: &str, version: &str, requires: &[&str]) -> String {
        let bytes = package(&recipe(name, version, requires), Some(&keys().ours.1));
        self.drop_file(&format!("batch/{name}-{version}.rpm"), &bytes);
        format!("{name}-{version}-1.noarch")
    }

    /// A document of the API.
    pub(crate) fn document(&self, path: &str) -> Value {
        let answer = self.door.get(path).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The entries of the logbook after the first `known`, without a gap.
    pub(crate) fn entries_after(&self, known: usize) -> Vec<Value> {
        let mut found = Vec::new();
        loop {
            let from = known + found.len() + 1;
            let Value::Array(some) = self.document(&format!("/api/v1/log?from={from}&limit=1000")) else {
                panic!("the log is no list")
            };
            if some.is_empty() {
                return found;
            }
            for entry in some {
                assert_eq!(entry["seq"].as_u64(), Some((known + found.len() + 1) as u64), "an entry is missing");
                found.push(entry);
            }
        }
    }

    /// The body of a generic webhook.
    pub(crate) fn hook_body(delivery: &str, rollout: &str, state: &str) -> String {
        serde_json::json!({
            "delivery": delivery, "rollout": rollout, "state": state, "actor": "manager",
            "at": Timestamp::now().to_string(),
        })
        .to_string()
    }

    /// Runs `rolloutctl` against the daemon, as an admin.
    pub(crate) fn ctl(&self, words: &[&str]) -> Output {
        self.ctl_as("token", words)
    }

    /// Runs `rolloutctl` with the token in this file below `keys`.
    pub(crate) fn ctl_as(&self, token: &str, words: &[&str]) -> Output {
        let out = Command::new(env!("CARGO_BIN_EXE_rolloutctl"))
            .args(["--url", &format!("http://{}", self.address()), "--token-file"])
            .arg(self.path("keys").join(token))
            .args(words)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        eprintln!(
            "rolloutctl {}: {}\n{}{}",
            words.join(" "),
            out.status,
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        out
    }

    /// Runs `rolloutctl`, which must say that all is done, and gives what it printed.
    pub(crate) fn ctl_good(&self, words: &[&str]) -> String {
        let out = self.ctl(words);
        assert!(out.status.success(), "rolloutctl {words:?}: {}", out.status);
        String::from_utf8(out.stdout).unwrap()
    }

    /// Submits a rollout of these packages of the first distribution.
    pub(crate) fn submit(&self, id: &str, packages: &[&str]) {
        self.ctl_good(&[&["submit", id, "--distribution", DISTRIBUTION], packages].concat());
    }

    /// Moves a rollout through some states, one after the other, until each move is carried out.
    pub(crate) fn go_through(&mut self, id: &str, states: &[&str]) {
        for state in states {
            self.wait(&format!("{id} to move to {state}"), |site| {
                site.ctl(&["move", id, state]).status.success().then_some(())
            });
            self.wait(&format!("{id} to be carried out"), |site| site.door.rests(id).then_some(()));
        }
    }

    /// What lies in `rejected/`: the code of each refusal, and the file. Only what is complete counts:
    /// the refused bytes and the reason beside them.
    pub(crate) fn rejected(&self) -> Vec<(String, PathBuf)> {
        let mut found = Vec::new();
        for why in files_below(&self.path("state/rejected")) {
            let file = why.with_extension("");
            let text = fs::read_to_string(&why).unwrap_or_default();
            if why.extension().is_some_and(|e| e == "why")
                && file.is_file()
                && let Some(code) = text.lines().find_map(|line| line.strip_prefix("code:"))
            {
                found.push((code.trim().to_owned(), file));
            }
        }
        found
    }

    /// Waits until so many files lie in `rejected/` under a code.
    pub(crate) fn wait_for_rejected(&mut self, code: &str, number: usize) {
        self.wait(&format!("{number} files rejected as {code}"), |site| {
            (site.rejected().iter().filter(|(found, _)| found == code).count() >= number).then_some(())
        });
    }

    /// The log of the daemon so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("daemon.log")).unwrap_or_default()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            eprintln!("--- the end of the daemon's log ---");
            tail.iter().rev().for_each(|line| eprintln!("{line}"));
        }
        if std::env::var_os("ROLLOUTD_KEEP").is_some() {
            // Left for the person who asked for it.
            let kept = std::mem::replace(&mut self.dir, TempDir::new().unwrap()).keep();
            tell(&format!("kept: {}", kept.display()));
        }
    }
}

/// What an entry of the logbook says, if it is of this kind.
pub(crate) fn fact<'e>(entry: &'e Value, kind: &str) -> &'e Value {
    const NOTHING: &Value = &Value::Null;
    if entry["what"]["kind"] == *kind { &entry["what"]["fact"] } else { NOTHING }
}

/// Every refusal that an entry of the logbook tells of, as if each stood alone.
pub(crate) fn refusals(entry: &Value) -> Vec<Value> {
    let together = fact(entry, "package.refused_together");
    let one = Some(fact(entry, "package.refused")).filter(|fact| !fact.is_null()).cloned();
    let files = together["files"].as_array().into_iter().flatten();
    let each = files.map(|file| {
        serde_json::json!({
            "dist": together["dist"], "code": together["code"], "detail": together["detail"],
            "upload": file[0], "sha256": file[1],
        })
    });
    one.into_iter().chain(each).collect()
}

/// The header that a body must come with.
pub(crate) fn hook_mac(body: &str) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, HOOK_SECRET);
    format!("sha256={}", hex::encode(aws_lc_rs::hmac::sign(&key, body.as_bytes())))
}

pub(crate) fn secret(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// All regular files below a directory.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![dir.to_path_buf()];
    while let Some(next) = waiting.pop() {
        // What vanishes while we look is not there.
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Python's file server: a plain web server that knows nothing of us.
struct FileServer {
    child: Child,
    port: u16,
}

impl FileServer {
    fn start(root: &Path) -> Self {
        let mut child = Command::new("/usr/bin/python3")
            .args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory"])
            .arg(root)
            .arg("0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // A log in the site's directory would keep its file system from being unmounted.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // "Serving HTTP on 127.0.0.1 port 41234 (http://127.0.0.1:41234/) ..."
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.split(" port ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        Self { child, port: port.unwrap_or_else(|| panic!("no port in {line:?}")) }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// What a header says.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One HTTP/1.0 request on a connection of its own: the body ends where the connection ends, and a
/// body shorter than announced is an error.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let patience = Duration::from_secs(20);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let mut head = format!("{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    stream.write_all((head + "\r\n").as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let bad = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").ok_or_else(|| bad("the head is cut off"))?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let body = answer.split_off(end + 4);
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| bad("no status"))?;
    let answer = Answer { status, head, body };
    let announced = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length != answer.body.len()) {
        return Err(bad("the body is cut off"));
    }
    Ok(answer)
}

/// All that a command said.
pub(crate) fn said(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

/// Says something that is seen of a test that passes, too.
pub(crate) fn tell(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}
