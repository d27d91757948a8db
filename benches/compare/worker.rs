//! The daemon's layers in a process of their own, so that their memory is theirs.
//!
//! The worker is this program, called with [`WORD`]. It says how long its start took, then reads lines, does what
//! they say, and answers with the milliseconds it took.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use rolloutd::format::compress::Compression;

use crate::stock::Site;

/// Calls the worker.
pub(crate) const WORD: &str = "worker";

/// Uploads that come at once.
const BURST: usize = 100;

/// The worker, seen from the other side.
pub(crate) struct Worker {
    child: Child,
    words: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    dir: PathBuf,
    /// How long it took to be ready, with all packages known.
    pub(crate) started: Duration,
}

impl Worker {
    /// Starts two workers: the first makes the site, the second finds it made.
    pub(crate) fn start(number: usize, compression: Compression) -> Self {
        drop(Self::call("make", number, compression));
        Self::call("again", number, compression)
    }

    fn call(how: &str, number: usize, compression: Compression) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args([WORD, how, &number.to_string(), compression.as_str()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let words = child.stdin.take().expect("piped");
        let mut answers = BufReader::new(child.stdout.take().expect("piped")).lines();
        let started = time(&answers.next().expect("a worker says when it is ready").expect("text"));
        let dir = Site::at(&name(number), number, compression).root("first");
        Self { child, words, answers, dir, started }
    }

    fn ask(&mut self, words: &str) -> String {
        writeln!(self.words, "{words}").expect("it listens");
        self.answers.next().expect("it answers").expect("text")
    }

    /// The tree that takes uploads.
    pub(crate) fn dir(&self) -> PathBuf {
        self.dir.clone()
    }

    /// One upload: the look that takes it in, and the publication.
    pub(crate) fn upload(&mut self) -> [Duration; 2] {
        let answer = self.ask("upload");
        let (look, publish) = answer.split_once(' ').expect("two times");
        [time(look), time(publish)]
    }

    /// Publishes once more.
    pub(crate) fn same(&mut self) -> Duration {
        time(&self.ask("same"))
    }

    /// Moves the package that came last to the second tree.
    pub(crate) fn moved(&mut self) -> Duration {
        time(&self.ask("move"))
    }

    /// Many uploads at once, from look to shown.
    pub(crate) fn burst(&mut self) -> Duration {
        time(&self.ask("burst"))
    }

    /// Its peak memory until now, in KiB.
    pub(crate) fn peak(&self) -> Option<u64> {
        crate::peak_of(&Path::new("/proc").join(self.child.id().to_string()).join("status"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = writeln!(self.words, "end");
        let _ = self.child.wait();
    }
}

fn name(number: usize) -> String {
    format!("{number}-site")
}

fn time(milliseconds: &str) -> Duration {
    Duration::from_secs_f64(milliseconds.parse::<f64>().expect("milliseconds") / 1000.0)
}

fn said(time: Duration) -> String {
    format!("{:.4}", time.as_secs_f64() * 1000.0)
}

/// The worker itself.
pub(crate) fn main(mut words: impl Iterator<Item = String>) {
    let mut word = || words.next().expect("make or again, how many, how compressed");
    let (how, number, compression) = (word(), word(), word());
    let (number, compression) = (number.parse().expect("a number"), compression.parse().expect("a compression"));
    let site = Site::at(&name(number), number, compression);
    if how == "make" {
        site.make();
    }
    let (mut daemon, started) = site.start();
    daemon.publish("first");
    daemon.publish("second");
    println!("{}", said(started));
    let mut last = Vec::new();
    for line in std::io::stdin().lines() {
        match line.expect("text").as_str() {
            "upload" => {
                let (items, look) = daemon.upload(1);
                println!("{} {}", said(look), said(daemon.publish("first")));
                last = items;
            }
            "burst" => {
                let (_, look) = daemon.upload(BURST);
                println!("{}", said(look + daemon.publish("first")));
            }
            "same" => println!("{}", said(daemon.publish("first"))),
            "move" => println!("{}", said(daemon.take_out(std::mem::take(&mut last), Some("second")))),
            _ => break,
        }
    }
}
