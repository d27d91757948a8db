//! Several byte ranges in one request: what curl gets from the daemon is what nginx gives it for the same file.
#![expect(clippy::disallowed_methods, reason = "a test is no part of the daemon")]

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::nginx::Nginx;
use crate::peers;
use crate::random::Random;
use crate::site::{DISTRIBUTION, Site, Wish, said};

/// Longer than two pieces that the daemon reads at once.
const LENGTH: usize = 300_000;

/// Status, headers that say what the body is, and the body, of an answer that curl has got.
#[derive(PartialEq, Eq)]
struct Got {
    status: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    fn boundary(&self) -> Option<&str> {
        self.header("content-type").strip_prefix("multipart/byteranges; boundary=")
    }

    /// The same with another boundary, and with the length that the body has then.
    fn with_boundary(self, new: &str) -> Self {
        let Some(old) = self.boundary().map(str::to_owned) else { return self };
        let mut body = Vec::new();
        let mut rest = &self.body[..];
        while let Some(at) = rest.windows(old.len()).position(|w| w == old.as_bytes()) {
            body.extend_from_slice(&rest[..at]);
            body.extend_from_slice(new.as_bytes());
            rest = &rest[at + old.len()..];
        }
        body.extend_from_slice(rest);
        let new_length = body.len().to_string();
        let headers = self.headers.into_iter().map(|(name, value)| match &*name {
            "content-type" => (name, value.replace(&old, new)),
            "content-length" => (name, new_length.clone()),
            _ => (name, value),
        });
        Self { headers: headers.collect(), body, ..self }
    }
}

/// Fetches ranges with curl; with `more` words.
fn curl(range: &str, url: &str, more: &[&str]) -> Got {
    let dir = TempDir::with_prefix("rolloutd-curl-").unwrap();
    let [head, body] = ["head", "body"].map(|name| dir.path().join(name));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60", "--range", range]).args(more);
    let out = curl.arg("--dump-header").arg(&head).arg("--output").arg(&body).arg(url).output().unwrap();
    assert!(out.status.success(), "curl of {range}: {}", said(&out));
    let head = fs::read_to_string(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().to_owned();
    let mut headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .filter(|(name, _)| ["content-type", "content-length", "content-range"].contains(&name.as_str()))
        .collect();
    headers.sort();
    Got { status, headers, body: fs::read(body).unwrap_or_default() }
}

/// A site with one file of random bytes in a tree, and where the file lies below the root.
fn with_file() -> (Site, String, Vec<u8>) {
    let site = Site::start(&Wish::default());
    let dir = site.tree("testing").join("extra");
    fs::create_dir_all(&dir).unwrap();
    let mut random = Random(1);
    let bytes: Vec<u8> = (0..LENGTH).map(|_| u8::try_from(random.below(256)).unwrap()).collect();
    fs::write(dir.join("a.rpm"), &bytes).unwrap();
    (site, format!("testing/{DISTRIBUTION}/extra/a.rpm"), bytes)
}

fn nginx(root: &Path) -> Nginx {
    Nginx::start("types { application/x-rpm rpm; }\n", &format!("root {};\n", root.display()))
}

#[test]
fn curl_gets_the_same_parts_as_from_nginx() {
    if !peers::have(&["curl", "nginx"]) {
        return;
    }
    let (mut site, path, _) = with_file();
    let nginx = nginx(&site.path("root"));
    let socket = nginx.socket();
    let there = ["--unix-socket", socket.to_str().unwrap()];
    for (range, status) in [
        ("0-9,20-29", "206"),
        ("20-29,0-9", "206"),
        ("0-9,-5,150000-299000", "206"),
        ("0-9, 20-29, -10", "206"),
        // Outside of the file.
        ("0-9,400000-,20-29", "206"),
        ("400000-,0-9", "206"),
        ("300000-,400000-500000", "416"),
        // More than the file.
        ("0-,0-", "200"),
        ("0-299998,5-10", "200"),
        // One range, as ever.
        ("0-9", "206"),
        ("-10", "206"),
        ("300000-", "416"),
    ] {
        let ours = curl(range, &format!("http://{}/{path}", site.address()), &[]);
        let theirs = curl(range, &format!("http://nginx/{path}"), &there);
        assert_eq!(ours.status, status, "{range}");
        assert_eq!(ours.header("content-length"), ours.body.len().to_string(), "{range}");
        assert_eq!(ours.boundary().is_some(), theirs.boundary().is_some(), "{range}");
        let ours = ours.with_boundary("b");
        let theirs = theirs.with_boundary("b");
        assert_eq!((&ours.status, ours.header("content-range")), (&theirs.status, theirs.header("content-range")));
        // An error has a page of its own from each.
        assert!(status == "416" || ours == theirs, "{range}: {:?} and {:?}", ours.headers, theirs.headers);
    }
    assert!(site.stop().success());
}

#[test]
fn whoever_asks_for_many_small_parts_or_for_the_same_ones_gets_the_file_once() {
    if !peers::have(&["curl"]) {
        return;
    }
    let (mut site, path, bytes) = with_file();
    let url = format!("http://{}/{path}", site.address());
    let every_other = |count: usize| (0..count).map(|n| format!("{0}-{0}", 2 * n)).collect::<Vec<_>>().join(",");
    // As long as the head of a request may be.
    for range in [every_other(17), every_other(4000), vec!["0-"; 10_000].join(","), vec!["5-299999"; 4000].join(",")] {
        let got = curl(&range, &url, &[]);
        assert_eq!((got.status.as_str(), got.boundary()), ("200", None));
        assert!(got.body == bytes);
    }
    let got = curl(&every_other(16), &url, &[]);
    assert!(got.status == "206" && got.boundary().is_some());
    let got = curl(&vec!["7-7"; 4000].join(","), &url, &[]);
    assert_eq!(
        (got.status.as_str(), got.header("content-range"), &got.body[..]),
        ("206", "bytes 7-7/300000", &bytes[7..8])
    );
    assert!(site.stop().success());
}
