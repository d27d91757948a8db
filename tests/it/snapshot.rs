//! A reader that takes whole snapshots of a tree, cheaply enough for a million of them.
//!
//! One snapshot is what a careful client does: the signature and `repomd.xml`, every file that it names
//! with size and checksum, and some packages with size and checksum, one of them now and then over two
//! connections, the second with a `Range`. Everything is fetched anew each time. Only what is certain
//! by the checksums of bytes is remembered, by all readers together: that a signature fits, and what a
//! `repomd.xml` and the files that it names say when they are unpacked (open sizes and checksums, the
//! same packages in all three lists).
//!
//! What is held against the server, and what is not:
//!
//! - A file that is missing, or is not what the metadata says, within the time for which it was promised
//!   is wrong. A snapshot that took longer than that (on a machine on which everybody wants the
//!   processor) says nothing and is counted apart.
//! - `repomd.xml` and its signature are two files. A pair that does not fit is fetched again, and is wrong
//!   when it does not fit after [`TORN_FOR`] (and the time for which a server keeps files open); the
//!   snapshot goes on with the pair that fits and is counted as torn, too.
//! - A revision that goes back is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;

use crate::judge::{TORN_FOR, Verdict, checksum, read_ids, read_primary, read_repomd, signed_by_us};
use crate::random::Random;

/// How a tree is reached.
#[derive(Clone)]
pub(crate) enum Way {
    /// Files of a directory.
    Disk(PathBuf),
    /// A web server behind a socket of the file system.
    Socket(PathBuf),
    /// A web server behind a port.
    Port(SocketAddr),
}

trait Conversation: Read + Write + Send {}
impl<T: Read + Write + Send> Conversation for T {}

/// A way with the connection that is open on it.
struct Line {
    way: Way,
    open: Option<BufReader<Box<dyn Conversation>>>,
}

/// Why a file was not read.
enum Miss {
    /// It is not there.
    Gone(String),
    /// No whole answer came.
    Broken(String),
}

impl Miss {
    fn words(self) -> String {
        match self {
            Self::Gone(why) | Self::Broken(why) => why,
        }
    }
}

/// The head of an answer.
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) length: usize,
    range: Option<String>,
}

impl Line {
    fn new(way: Way) -> Self {
        Self { way, open: None }
    }

    /// A whole file, or what of it comes from a byte on.
    fn get(&mut self, path: &str, from: u64) -> Result<Vec<u8>, Miss> {
        if let Way::Disk(root) = &self.way {
            let read = || {
                let mut file = std::fs::File::open(root.join(path))?;
                let mut bytes = Vec::new();
                file.seek(SeekFrom::Start(from))?;
                file.read_to_end(&mut bytes)?;
                Ok::<_, io::Error>(bytes)
            };
            return read().map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Miss::Gone(format!("{path}: {error}")),
                _ => Miss::Broken(format!("{path}: {error}")),
            });
        }
        // A server may close a connection between two requests, so an old one may be a dead one.
        let old = self.open.is_some();
        let (head, body) = match self.talk(path, from, None) {
            Err(_) if old => self.talk(path, from, None).map_err(|e| Miss::Broken(format!("{path}: {e}")))?,
            other => other.map_err(|e| Miss::Broken(format!("{path}: {e}")))?,
        };
        match (head.status, head.range) {
            (200, _) if from == 0 => Ok(body),
            (206, Some(range)) if range.starts_with(&format!("bytes {from}-")) => Ok(body),
            (404, _) => Err(Miss::Gone(format!("{path}: status 404"))),
            (status, range) => Err(Miss::Broken(format!("{path} from {from}: status {status}, range {range:?}"))),
        }
    }

    /// The first bytes of a file, after which the connection is given up.
    fn begin(&mut self, path: &str, bytes: usize) -> Result<Vec<u8>, Miss> {
        if let Way::Disk(_) = self.way {
            return self.get(path, 0).map(|mut all| {
                all.truncate(bytes);
                all
            });
        }
        self.open = None;
        let (head, body) = self.talk(path, 0, Some(bytes)).map_err(|e| Miss::Broken(format!("{path}: {e}")))?;
        self.open = None;
        match head.status {
            200 => Ok(body),
            404 => Err(Miss::Gone(format!("{path}: status 404"))),
            status => Err(Miss::Broken(format!("{path}: status {status}"))),
        }
    }

    fn talk(&mut self, path: &str, from: u64, at_most: Option<usize>) -> io::Result<(Head, Vec<u8>)> {
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => BufReader::new(self.connect()?),
        };
        let range = if from > 0 { format!("Range: bytes={from}-\r\n") } else { String::new() };
        stream.get_mut().write_all(format!("GET /{path} HTTP/1.1\r\nHost: reader\r\n{range}\r\n").as_bytes())?;
        let head = read_head(&mut stream)?;
        let mut body = vec![0; at_most.map_or(head.length, |most| most.min(head.length))];
        stream.read_exact(&mut body)?;
        self.open = Some(stream);
        Ok((head, body))
    }

    fn connect(&self) -> io::Result<Box<dyn Conversation>> {
        let patience = Some(Duration::from_mins(1));
        match &self.way {
            Way::Socket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(patience)?;
                Ok(Box::new(stream))
            }
            Way::Port(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(patience)?;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            Way::Disk(root) => unreachable!("{} is read without a connection", root.display()),
        }
    }
}

/// Reads the head of an answer on a connection that stays.
pub(crate) fn read_head(stream: &mut impl BufRead) -> io::Result<Head> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut head = Head { status: 0, length: 0, range: None };
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(bad("the head is cut off"));
        }
        let text = line.trim_end();
        if text.is_empty() {
            return if head.status == 0 { Err(bad("no status")) } else { Ok(head) };
        }
        if head.status == 0 {
            head.status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| bad("no status"))?;
        } else if let Some((name, value)) = text.split_once(':') {
            if name.eq_ignore_ascii_case("content-length") {
                head.length = value.trim().parse().map_err(|_| bad("no length"))?;
            } else if name.eq_ignore_ascii_case("content-range") {
                head.range = Some(value.trim().to_owned());
            }
        }
    }
}

/// A file with what is promised of it.
struct Promised {
    location: String,
    algorithm: String,
    checksum: String,
    size: u64,
}

impl Promised {
    fn check(&self, bytes: &[u8]) -> Verdict<()> {
        if bytes.len() as u64 == self.size && checksum(&self.algorithm, bytes)? == self.checksum {
            return Ok(());
        }
        Err(format!("{} is not what the metadata says ({} bytes of {})", self.location, bytes.len(), self.size))
    }
}

/// What a `repomd.xml` and all that it names say.
struct Contents {
    revision: u64,
    files: Vec<Promised>,
    packages: Vec<Promised>,
}

type Sum = [u8; 32];

fn sum(bytes: &[u8]) -> Sum {
    digest::digest(&digest::SHA256, bytes).as_ref().try_into().unwrap()
}

/// What checksums have made certain, for all readers.
#[derive(Default)]
pub(crate) struct Known {
    pairs: Mutex<BTreeSet<(Sum, Sum)>>,
    contents: Mutex<BTreeMap<Sum, Arc<Contents>>>,
}

/// What a set of readers has seen.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) snapshots: AtomicU64,
    /// Snapshots of which the first pair of `repomd.xml` and signature did not fit.
    pub(crate) torn: AtomicU64,
    /// The longest time until a pair fitted again, in microseconds.
    pub(crate) longest_torn: AtomicU64,
    /// Snapshots that took longer than what they fetched was promised.
    pub(crate) too_slow: AtomicU64,
    pub(crate) packages: AtomicU64,
    /// Packages that were fetched in two parts over two connections.
    pub(crate) resumed: AtomicU64,
    pub(crate) bad: AtomicU64,
}

/// A tree that is read.
#[derive(Clone)]
pub(crate) struct Place {
    /// Its path below the root, without a slash at the end.
    pub(crate) path: String,
    /// How long what a fetched `repomd.xml` names is promised to stay.
    pub(crate) promised: Duration,
}

/// How a set of readers reads.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// Whether there is a signature.
    pub(crate) signed: bool,
    /// Whether packages are fetched.
    pub(crate) packages: bool,
    /// For how long the server may show a file that has been replaced.
    pub(crate) stale: Duration,
}

/// One reader.
pub(crate) struct Reader<'a> {
    line: Line,
    manner: Manner,
    known: &'a Known,
    tally: &'a Tally,
    random: Random,
    revisions: BTreeMap<String, u64>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(way: Way, manner: Manner, known: &'a Known, tally: &'a Tally, random: Random) -> Self {
        Self { line: Line::new(way), manner, known, tally, random, revisions: BTreeMap::new() }
    }

    /// Takes one snapshot and counts it.
    ///
    /// # Errors
    /// What is wrong with the tree.
    pub(crate) fn snapshot(&mut self, place: &Place) -> Verdict<()> {
        let count = |counter: &AtomicU64| {
            counter.fetch_add(1, Ordering::Relaxed);
        };
        let (repomd, fetched) = match self.pair(&place.path) {
            Ok(pair) => pair,
            Err(why) => {
                count(&self.tally.snapshots);
                count(&self.tally.bad);
                return Err(format!("{}: {why}", place.path));
            }
        };
        match self.all_of(place, &repomd) {
            Ok(()) => count(&self.tally.snapshots),
            Err(Miss::Gone(_)) if fetched.elapsed() + self.manner.stale >= place.promised => {
                count(&self.tally.too_slow);
            }
            Err(miss) => {
                count(&self.tally.snapshots);
                count(&self.tally.bad);
                let after = fetched.elapsed();
                return Err(format!("{}, {after:?} after its repomd.xml: {}", place.path, miss.words()));
            }
        }
        Ok(())
    }

    /// `repomd.xml` with a signature that fits, and when it was fetched.
    fn pair(&mut self, path: &str) -> Verdict<(Vec<u8>, Instant)> {
        let (xml, asc) = (format!("{path}/repodata/repomd.xml"), format!("{path}/repodata/repomd.xml.asc"));
        let mut torn_since = None;
        loop {
            let began = Instant::now();
            if !self.manner.signed {
                return Ok((self.line.get(&xml, 0).map_err(Miss::words)?, began));
            }
            // dnf asks for the signature last, zypper first.
            let (repomd, signature) = if self.random.below(2) == 0 {
                let repomd = self.line.get(&xml, 0).map_err(Miss::words)?;
                (repomd, self.line.get(&asc, 0).map_err(Miss::words)?)
            } else {
                let signature = self.line.get(&asc, 0).map_err(Miss::words)?;
                (self.line.get(&xml, 0).map_err(Miss::words)?, signature)
            };
            let fits = self.fits(&repomd, &signature);
            if let (Ok(()), Some(since)) = (&fits, torn_since) {
                let lasted = u64::try_from(began.saturating_duration_since(since).as_micros()).unwrap();
                self.tally.longest_torn.fetch_max(lasted, Ordering::Relaxed);
            }
            match fits {
                Ok(()) => return Ok((repomd, began)),
                Err(_) if torn_since.is_none() => {
                    torn_since = Some(began);
                    self.tally.torn.fetch_add(1, Ordering::Relaxed);
                }
                Err(why) if torn_since.is_some_and(|since| since.elapsed() > TORN_FOR + self.manner.stale) => {
                    return Err(why);
                }
                Err(_) => std::thread::park_timeout(Duration::from_millis(1)),
            }
        }
    }

    fn fits(&self, repomd: &[u8], signature: &[u8]) -> Verdict<()> {
        let pair = (sum(repomd), sum(signature));
        if self.known.pairs.lock().unwrap().contains(&pair) {
            return Ok(());
        }
        signed_by_us(repomd, signature)?;
        self.known.pairs.lock().unwrap().insert(pair);
        Ok(())
    }

    /// Everything that a `repomd.xml` names, and some of the packages.
    fn all_of(&mut self, place: &Place, repomd: &[u8]) -> Result<(), Miss> {
        let broken = |why: String| Miss::Broken(why);
        let known = self.known.contents.lock().unwrap().get(&sum(repomd)).cloned();
        let contents = match known {
            Some(contents) => {
                for file in &contents.files {
                    let bytes = self.line.get(&format!("{}/{}", place.path, file.location), 0)?;
                    file.check(&bytes).map_err(broken)?;
                }
                contents
            }
            None => self.unpack(place, repomd)?,
        };
        let last = self.revisions.insert(place.path.clone(), contents.revision).unwrap_or_default();
        if contents.revision < last {
            return Err(Miss::Broken(format!("the revision went back from {last} to {}", contents.revision)));
        }
        if self.manner.packages && !contents.packages.is_empty() {
            let package = &contents.packages[self.random.place(contents.packages.len())];
            let path = format!("{}/{}", place.path, package.location);
            let bytes = if self.random.below(8) == 0 {
                let first = self.random.place(usize::try_from(package.size).unwrap()).max(1);
                let mut bytes = self.line.begin(&path, first)?;
                bytes.extend(self.line.get(&path, bytes.len() as u64)?);
                self.tally.resumed.fetch_add(1, Ordering::Relaxed);
                bytes
            } else {
                self.line.get(&path, 0)?
            };
            package.check(&bytes).map_err(broken)?;
            self.tally.packages.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reads what nobody has read before, packed and open.
    fn unpack(&mut self, place: &Place, repomd: &[u8]) -> Result<Arc<Contents>, Miss> {
        let broken = |why: String| Miss::Broken(why);
        let (revision, data) = read_repomd(repomd).map_err(broken)?;
        let mut lists = BTreeMap::new();
        for entry in &data {
            let bytes = self.line.get(&format!("{}/{}", place.path, entry.location), 0)?;
            lists.insert(entry.kind.as_str(), entry.check(&bytes).map_err(broken)?);
        }
        let list = |kind: &str| lists.get(kind).ok_or_else(|| Miss::Broken(format!("repomd.xml names no {kind}")));
        let packages = read_primary(list("primary")?).map_err(broken)?;
        let ids: BTreeSet<String> = packages.values().map(|package| package.checksum.clone()).collect();
        for kind in ["filelists", "other"] {
            if read_ids(list(kind)?).map_err(broken)? != ids {
                return Err(Miss::Broken(format!("{kind} and primary list different packages")));
            }
        }
        let kind = data.iter().find(|d| d.kind == "primary").map(|d| d.algorithm.clone()).unwrap_or_default();
        let packages = packages.into_values().map(|package| Promised {
            location: package.location,
            algorithm: kind.clone(),
            checksum: package.checksum,
            size: package.size,
        });
        let packages = packages.collect();
        let files = data.into_iter().map(|d| Promised {
            location: d.location,
            algorithm: d.algorithm,
            checksum: d.checksum,
            size: d.size,
        });
        let contents = Arc::new(Contents { revision, files: files.collect(), packages });
        self.known.contents.lock().unwrap().insert(sum(repomd), Arc::clone(&contents));
        Ok(contents)
    }
}
