//! One published tree: everything that `repomd.xml` names, and everything that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use aws_lc_rs::digest::{self, Context};
use rustix::fs::{Mode, OFlags};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::{Cert, Packet};

use super::metadata::{self, Data, Listed, Repomd};

/// `repomd.xml` is a few KiB; one this long is not valid.
const REPOMD_MAX: u64 = 4 << 20;

/// The deepest level of directories that is searched.
const DEPTH_MAX: usize = 16;

/// How closely packages are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Whether they exist, with their sizes.
    AtSizes,
    /// Whether they have their checksums: every byte is read.
    AtBytes,
}

/// What was found in a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// What is wrong with it by itself, each with a path in the tree.
    pub findings: Vec<(String, String)>,
    /// SHA-256 of `repomd.xml`, in hexadecimal, and its revision; `None` if there is no such file.
    pub shows: Option<(String, u64)>,
    /// The listed packages, by NEVRA.
    pub listed: BTreeMap<String, Listed>,
    /// RPM files anywhere in it that are not listed, by path.
    pub unlisted: Vec<String>,
}

impl Tree {
    fn complain(&mut self, name: &str, what: impl Into<String>) {
        self.findings.push((name.to_owned(), what.into()));
    }
}

/// Reads a tree. `signed_by` is the certificate that signs metadata, if any.
pub fn read(dir: &Path, look: Look, signed_by: Option<&Cert>) -> Tree {
    let mut tree = Tree::default();
    if let Err(why) = listed(dir, look, signed_by, &mut tree) {
        tree.complain("repodata/repomd.xml", why);
    }
    // Even if nothing is listed or can be read.
    walk(dir, &mut tree);
    tree
}

fn listed(dir: &Path, look: Look, signed_by: Option<&Cert>, tree: &mut Tree) -> Result<(), String> {
    let bytes = whole(dir, "repodata/repomd.xml")?;
    signature(dir, &bytes, signed_by, tree);
    let repomd = metadata::repomd(&bytes)?;
    tree.shows = Some((hex::encode(digest::digest(&digest::SHA256, &bytes)), repomd.revision));
    lists(dir, &repomd, tree);
    packages(dir, look, tree);
    Ok(())
}

/// Opens a file in a directory without following links on the way.
fn open(dir: &Path, name: &str) -> Result<File, String> {
    let mut path = dir.to_owned();
    for part in Path::new(name).components() {
        let Component::Normal(part) = part else { return Err("its path leads out of the tree".to_owned()) };
        path.push(part);
        let meta = std::fs::symlink_metadata(&path).map_err(|e| words(&e))?;
        if meta.is_symlink() {
            return Err("it is a link, or lies behind one".to_owned());
        }
    }
    // A pipe may have nobody at its other end.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(&path, flags, Mode::empty()).map_err(|e| words(&e.into()))?);
    let is_file = file.metadata().is_ok_and(|meta| meta.is_file());
    if is_file { Ok(file) } else { Err("it is not a regular file".to_owned()) }
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it is missing".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}

fn whole(dir: &Path, name: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    open(dir, name)?.take(REPOMD_MAX + 1).read_to_end(&mut bytes).map_err(|e| words(&e))?;
    if bytes.len() as u64 > REPOMD_MAX { Err("it is too long".to_owned()) } else { Ok(bytes) }
}

fn signature(dir: &Path, repomd: &[u8], signed_by: Option<&Cert>, tree: &mut Tree) {
    let name = "repodata/repomd.xml.asc";
    let there = whole(dir, name);
    match (signed_by, there) {
        (None, Err(_)) => {}
        (None, Ok(_)) => tree.complain(name, "it exists, but no metadata signing key is configured"),
        (Some(_), Err(why)) => tree.complain(name, why),
        (Some(cert), Ok(bytes)) => {
            let fits = match Packet::from_bytes(&bytes) {
                Ok(Packet::Signature(signature)) => {
                    cert.keys().any(|key| signature.clone().verify_message(key.key(), repomd).is_ok())
                }
                _ => false,
            };
            if !fits {
                tree.complain(name, "it is not a signature of repomd.xml by the configured key");
            }
        }
    }
}

/// Counts and hashes what is read through it.
struct Counted<R> {
    inner: R,
    sum: Context,
    bytes: u64,
}

impl<R: Read> Counted<R> {
    fn new(inner: R, algorithm: &str) -> Result<Self, String> {
        let algorithm = match algorithm {
            "sha" | "sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            "sha224" => &digest::SHA224,
            "sha256" => &digest::SHA256,
            "sha384" => &digest::SHA384,
            "sha512" => &digest::SHA512,
            other => return Err(format!("its checksum has the unknown type {}", other.escape_default())),
        };
        Ok(Self { inner, sum: Context::new(algorithm), bytes: 0 })
    }

    /// Reads the rest and returns checksum and number of bytes.
    fn finish(mut self) -> std::io::Result<(String, u64)> {
        std::io::copy(&mut self, &mut std::io::sink())?;
        Ok((hex::encode(self.sum.finish()), self.bytes))
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.sum.update(buffer.get(..n).unwrap_or_default());
        self.bytes += n as u64;
        Ok(n)
    }
}

/// Checks every file that `repomd.xml` names, and that the three lists contain the same packages.
fn lists(dir: &Path, repomd: &Repomd, tree: &mut Tree) {
    let mut ids: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for data in &repomd.data {
        let mut listed = Vec::new();
        let read = file(dir, data, |content| match data.kind.as_str() {
            "primary" => metadata::primary(content, |package| {
                listed.push(package);
                Ok(())
            }),
            "filelists" | "other" => {
                let mut found = BTreeSet::new();
                let mut twice = None;
                metadata::ids(content, |id| {
                    if !found.insert(id.clone()) {
                        twice = Some(id);
                    }
                })?;
                ids.insert(data.kind.as_str(), found);
                twice.map_or(Ok(()), |id| Err(format!("it lists {id} twice")))
            }
            _ => Ok(()),
        });
        if let Err(why) = read {
            tree.complain(&data.location, why);
        }
        for package in listed {
            let nevra = package.nevra.clone();
            if tree.listed.insert(nevra.clone(), package).is_some() {
                tree.complain(&data.location, format!("it lists {nevra} twice"));
            }
        }
    }
    for kind in ["primary", "filelists", "other"] {
        if !repomd.data.iter().any(|data| data.kind == kind) {
            tree.complain("repodata/repomd.xml", format!("it does not name {kind}"));
        }
    }
    let primary: BTreeSet<String> = tree.listed.values().map(|package| package.checksum.clone()).collect();
    for (kind, found) in ids {
        if found != primary {
            let differ = found.symmetric_difference(&primary).count();
            tree.complain("repodata/repomd.xml", format!("{kind} and primary differ in {differ} packages"));
        }
    }
}

/// Reads a file that `repomd.xml` names, once: checks its sizes and checksums, and reads its content.
fn file(dir: &Path, data: &Data, content: impl FnOnce(&mut dyn BufRead) -> Result<(), String>) -> Result<(), String> {
    let mut packed = Counted::new(open(dir, &data.location)?, &data.algorithm)?;
    let extension = Path::new(&data.location).extension().and_then(|e| e.to_str()).unwrap_or_default();
    let opened: Box<dyn Read + '_> = match extension {
        "gz" => Box::new(flate2::read::MultiGzDecoder::new(&mut packed)),
        "zst" => Box::new(zstd::stream::read::Decoder::new(&mut packed).map_err(|e| words(&e))?),
        _ => Box::new(&mut packed),
    };
    // Files of a tree that was adopted may be packed in other ways; of these, the bytes as they lie are checked.
    let is_opened = !matches!(extension, "bz2" | "xz" | "lzma" | "zck");
    let expected = if is_opened { data.open_size.or(data.size) } else { data.size };
    // One byte more than expected is enough to notice.
    let most = expected.map_or(u64::MAX, |size| size.saturating_add(1));
    let mut open = BufReader::with_capacity(1 << 16, Counted::new(opened.take(most), &data.algorithm)?);
    content(&mut open)?;
    let mut rest = [0; 4096];
    while open.read(&mut rest).map_err(|e| words(&e))? != 0 {}
    let (open_sum, open_size) = open.into_inner().finish().map_err(|e| words(&e))?;
    let (sum, size) = packed.finish().map_err(|e| words(&e))?;
    let wrong = |what: &str| Err(format!("{what} differs from repomd.xml"));
    if data.size.is_some_and(|said| said != size) {
        return wrong("its size");
    }
    if sum != data.checksum {
        return wrong("its checksum");
    }
    if is_opened && data.open_size.is_some_and(|said| said != open_size) {
        return wrong("the size of its content");
    }
    if is_opened && data.open_checksum.as_ref().is_some_and(|said| *said != open_sum) {
        return wrong("the checksum of its content");
    }
    Ok(())
}

/// Checks every listed package.
fn packages(dir: &Path, look: Look, tree: &mut Tree) {
    let all: Vec<&Listed> = tree.listed.values().collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = all.len().div_ceil(threads).max(1);
    let wrong: Vec<(String, String)> = std::thread::scope(|scope| {
        let check = |some: &[&Listed]| -> Vec<(String, String)> {
            let wrong = |package: &&Listed| Some((package.location.clone(), package_is(dir, package, look).err()?));
            some.iter().filter_map(wrong).collect()
        };
        let threads: Vec<_> = all.chunks(share).map(|some| scope.spawn(move || check(some))).collect();
        let joined = threads.into_iter().map(|thread| match thread.join() {
            Ok(wrong) => wrong,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    });
    tree.findings.extend(wrong);
}

fn package_is(dir: &Path, package: &Listed, look: Look) -> Result<(), String> {
    let file = open(dir, &package.location).map_err(|why| format!("{} is listed, but {why}", package.nevra))?;
    let size = file.metadata().map_err(|e| words(&e))?.len();
    if size != package.size {
        return Err(format!("it has {size} bytes, but primary says {}", package.size));
    }
    if look == Look::AtBytes {
        let (sum, _) = Counted::new(file, &package.algorithm)?.finish().map_err(|e| words(&e))?;
        if sum != package.checksum {
            return Err("its checksum differs from primary".to_owned());
        }
    }
    Ok(())
}

/// Finds files anywhere in the tree that are not listed.
fn walk(dir: &Path, tree: &mut Tree) {
    let locations: BTreeSet<&str> = tree.listed.values().map(|package| package.location.as_str()).collect();
    let (mut unlisted, mut wrong) = (Vec::new(), Vec::new());
    let mut todo = vec![(String::new(), 0)];
    while let Some((below, depth)) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(dir.join(&below)) else { continue };
        for entry in entries.flatten() {
            let name = format!("{below}{}", entry.file_name().to_string_lossy());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < DEPTH_MAX => todo.push((format!("{name}/"), depth + 1)),
                Ok(kind) if kind.is_symlink() && name.starts_with("Packages/") => {
                    wrong.push((name, "a link in a published tree".to_owned()));
                }
                _ if entry.file_name().as_bytes().ends_with(b".rpm") && !locations.contains(name.as_str()) => {
                    unlisted.push(name);
                }
                _ => {}
            }
        }
    }
    unlisted.sort();
    tree.unlisted = unlisted;
    tree.findings.extend(wrong);
}
