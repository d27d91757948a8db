//! A tracker that tells the real daemon to promote, and waits until both trees show it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use crate::configuration::{BRIEF, Places, Wish};
use crate::stock;

const SECRET: &[u8] = b"a secret that tracker and daemon share, 0123456789";
const TOKEN: &str = "a-token-for-benches-0123456789abcdef0123456789";
/// Packages in a rollout, at most.
const AT_ONCE: usize = 5000;

/// A daemon that runs, and its tracker.
pub(crate) struct Tracker {
    daemon: Child,
    address: SocketAddr,
    root: PathBuf,
    /// Packages that can be promoted.
    waiting: Vec<String>,
    told: usize,
}

impl Tracker {
    /// Starts a daemon of which two trees list so many packages each.
    pub(crate) fn start(number: usize) -> Self {
        stock::make(2 * number);
        let dir = stock::place().join(format!("{number}-tracker"));
        let _ = fs::remove_dir_all(&dir);
        let root = dir.join("root");
        let uploads = dir.join("incoming/d");
        fs::create_dir_all(&uploads).expect("made");
        for (name, content) in [("hook", SECRET), ("token", TOKEN.as_bytes())] {
            fs::write(dir.join(name), content).expect("written");
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o600)).expect("ours");
        }
        fs::write(dir.join("rolloutd.toml"), configuration(&dir)).expect("written");
        let mut first = copies(&uploads.join("a"), 0..number);
        let daemon = Command::new(env!("CARGO_BIN_EXE_rolloutd"))
            .args(["run", "--config"])
            .arg(dir.join("rolloutd.toml"))
            .env_remove("NOTIFY_SOCKET")
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.join("daemon.log")).expect("made"))
            .spawn()
            .expect("it starts");
        let address = dir.join("state/http.addr");
        let address = wait(|| fs::read_to_string(&address).ok()?.trim().parse().ok());
        let mut tracker = Self { daemon, address, root, waiting: Vec::new(), told: 0 };
        tracker.until_listed("untested", number);
        while !first.is_empty() {
            let some = first.split_off(first.len().saturating_sub(AT_ONCE));
            tracker.promote(&some);
        }
        tracker.until_listed("testing", number);
        tracker.waiting = copies(&uploads.join("b"), number..2 * number);
        tracker.until_listed("untested", number);
        tracker
    }

    /// Peak memory of the daemon, in KiB.
    pub(crate) fn peak(&self) -> Option<u64> {
        crate::peak_of(&Path::new("/proc").join(self.daemon.id().to_string()).join("status"))
    }

    /// Sends the webhook that promotes one package: the time until both trees show new metadata.
    pub(crate) fn one(&mut self) -> Duration {
        let package = self.waiting.pop().expect("enough of them");
        self.promote(&[package])
    }

    fn promote(&mut self, packages: &[String]) -> Duration {
        self.told += 1;
        let id = format!("r{}", self.told);
        let body = json!({"id": id, "distribution": "d", "packages": packages}).to_string();
        let bearer = format!("Authorization: Bearer {TOKEN}");
        let (status, answer) = self.ask("POST /api/v1/rollouts", &bearer, &body);
        assert_eq!(status, 201, "{answer}");
        self.hook(&id, "InVerification");
        let trees = ["untested", "testing"].map(|tree| self.root.join(tree).join("d/repodata/repomd.xml"));
        let before = trees.each_ref().map(|path| state(path));
        let begin = Instant::now();
        self.hook(&id, "StageRollOut");
        wait(|| (0..2).all(|at| state(&trees[at]) != before[at]).then_some(()));
        let taken = begin.elapsed();
        wait(|| (self.document(&format!("/api/v1/rollouts/{id}"))["moving"] == json!(false)).then_some(()));
        taken
    }

    fn hook(&mut self, rollout: &str, state: &str) {
        let now = jiff::Timestamp::now().to_string();
        let delivery = format!("{rollout}-{state}");
        let body = json!({"delivery": delivery, "rollout": rollout, "state": state, "actor": "manager", "at": now});
        let body = body.to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET);
        let mac = hex::encode(hmac::sign(&key, body.as_bytes()));
        let (status, answer) = self.ask("POST /hooks/tracker", &format!("X-Hub-Signature-256: sha256={mac}"), &body);
        assert!((200..300).contains(&status), "{status} {answer}");
    }

    fn until_listed(&self, tree: &str, number: usize) {
        let listed = |trees: &Value| {
            let mut trees = trees.as_array().into_iter().flatten();
            trees.any(|shown| shown["tree"] == tree && shown["packages"] == number && shown["dirty"] == false)
        };
        wait(|| listed(&self.document("/api/v1/trees")).then_some(()));
    }

    fn document(&self, path: &str) -> Value {
        let (_, body) = self.ask(&format!("GET {path}"), &format!("Authorization: Bearer {TOKEN}"), "");
        serde_json::from_str(&body).unwrap_or_default()
    }

    /// A request, and what comes back: status and body.
    fn ask(&self, what: &str, header: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let length = body.len();
        let kind = "Content-Type: application/json";
        let head = format!("{what} HTTP/1.0\r\nContent-Length: {length}\r\n{kind}\r\n{header}\r\n\r\n");
        stream.write_all((head + body).as_bytes()).expect("it listens");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, body.to_owned())
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn configuration(dir: &Path) -> String {
    let at = |name: &str| dir.join(name).display().to_string();
    let wish = Wish { distributions: vec!["d"], ..Wish::default() };
    wish.configuration(&Places {
        root: at("root"),
        state: at("state"),
        base_url: "http://repository.example.org/sw".to_owned(),
        listen: Some("127.0.0.1:0"),
        procedure: BRIEF,
        ring: stock::place().join("key.pub").display().to_string(),
        signing: None,
        hook: ("tracker", at("hook")),
        token: Some(at("token")),
    })
}

/// Uploads copies of some packages below `to`, and says which they are.
fn copies(to: &Path, numbers: std::ops::Range<usize>) -> Vec<String> {
    fs::create_dir_all(to).expect("made");
    let one = |n: usize| {
        let from = stock::pooled(n);
        let name = from.file_name().and_then(|name| name.to_str()).expect("a name");
        let hidden = to.join(format!(".{name}"));
        fs::copy(&from, &hidden).expect("copied");
        fs::rename(hidden, to.join(name)).expect("named");
        name.strip_suffix(".rpm").expect("a package").to_owned()
    };
    numbers.map(one).collect()
}

/// What tells one `repomd.xml` from the next.
fn state(path: &Path) -> Option<(u64, i64, i64)> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.ino(), meta.mtime(), meta.mtime_nsec()))
}

fn wait<T>(mut seen: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = seen() {
            return found;
        }
        assert!(begin.elapsed() < Duration::from_mins(10), "it takes for ever");
        std::thread::sleep(Duration::from_micros(500));
    }
}
