//! nginx, listening on a socket of its own.
#![expect(clippy::disallowed_methods, reason = "a test starts what a site runs")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// It answers within a moment.
const STALLED: Duration = Duration::from_mins(1);

/// nginx, until this is dropped.
pub(crate) struct Nginx {
    child: Child,
    dir: TempDir,
}

impl Nginx {
    /// With these lines of its `http` section, and these of its only server.
    pub(crate) fn start(http: &str, server: &str) -> Self {
        let dir = TempDir::with_prefix("rolloutd-nginx-").unwrap();
        let at = dir.path().display();
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = kinds.map(|kind| format!("{kind}_temp_path {at}/{kind};\n")).concat();
        let conf = format!(
            "{user}\ndaemon off;\nmaster_process off;\nworker_processes 1;\npid {at}/pid;\nerror_log {at}/log warn;\n\
             events {{ worker_connections 256; }}\n\
             http {{\naccess_log off;\n{temporary}{http}server {{\nlisten unix:{at}/socket;\n{server}}}\n}}\n"
        );
        fs::write(dir.path().join("nginx.conf"), conf).unwrap();
        let child = Command::new("/usr/sbin/nginx")
            .args(["-e", "stderr", "-c"])
            .arg(dir.path().join("nginx.conf"))
            .args(["-p"])
            .arg(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.path().join("said")).unwrap())
            .spawn()
            .unwrap();
        let mut nginx = Self { child, dir };
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(nginx.socket()).is_err() {
            let ended = nginx.child.try_wait().unwrap();
            let words = fs::read_to_string(nginx.dir.path().join("said")).unwrap_or_default();
            assert!(ended.is_none() && began.elapsed() < STALLED, "nginx does not answer: {ended:?} {words}");
            thread::park_timeout(Duration::from_millis(5));
        }
        nginx
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
