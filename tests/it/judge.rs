//! Reads a published tree as a suspicious client would, with none of the daemon's own code.
//!
//! `repomd.xml` and its signature, every file it names with both checksums and sizes, every package
//! in `primary` with size and checksum, and whether `filelists` and `other` speak of the same
//! packages. What does not fit is an error that says where.

use super::site::{keys, request};
use aws_lc_rs::digest;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use sequoia_openpgp::parse::Parse as _;
use sequoia_openpgp::{Cert, Packet};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What goes wrong is told in words.
pub(crate) type Verdict<T> = Result<T, String>;

/// Where the files of a tree come from.
pub(crate) enum Source {
    /// A directory.
    Disk(PathBuf),
    /// The address of a server, and the path of the tree there, which ends in a slash.
    Web(SocketAddr, String),
}

impl Source {
    fn fetch(&self, name: &str) -> Verdict<Vec<u8>> {
        match self {
            Self::Disk(dir) => fs::read(dir.join(name)).map_err(|e| format!("{name}: {e}")),
            Self::Web(address, path) => {
                let answer = request(*address, "GET", &format!("{path}{name}"), &[], b"")
                    .map_err(|e| format!("{name}: {UNREACHABLE} {e}"))?;
                if answer.status == 200 { Ok(answer.body) } else { Err(format!("{name}: status {}", answer.status)) }
            }
        }
    }
}

/// Marks what a reader cannot hold against a server that was killed meanwhile.
pub(crate) const UNREACHABLE: &str = "no whole answer:";

/// How long the two renames may be apart, on a machine on which everybody wants the processor.
pub(crate) const TORN_FOR: Duration = Duration::from_secs(2);

/// Marks a pair of repomd.xml and its signature that are not of one publication: a kill between the two
/// renames leaves them so until the daemon is back. A client sees a bad signature and installs nothing.
pub(crate) const TORN: &str = "does not fit repomd.xml";

/// A tree as it is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) revision: u64,
    /// NEVRA (epoch 0 left out) to package.
    pub(crate) packages: BTreeMap<String, Listed>,
    /// Where the metadata files lie below the tree.
    pub(crate) files: Vec<String>,
}

/// One package of `primary`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) location: String,
    pub(crate) checksum: String,
    pub(crate) size: u64,
    /// SHA-256 of the bytes that the location gave.
    pub(crate) sha256: String,
}

/// Reads a tree; `None` when nothing was ever published there.
///
/// The signature is fetched first and the pair again when it does not fit: the two files are
/// renamed one after the other, and between the two a reader sees an old and a new one (so does dnf,
/// which then fetches again).
pub(crate) fn read(source: &Source) -> Verdict<Option<Published>> {
    let began = Instant::now();
    loop {
        let signature = match source.fetch("repodata/repomd.xml.asc") {
            Err(e) if is_missing(&e) => {
                if source.fetch("repodata/repomd.xml").is_err() {
                    return Ok(None);
                }
                Err(e)
            }
            other => other,
        };
        let repomd = match source.fetch("repodata/repomd.xml") {
            // The first publication of a tree has nothing to tear but this.
            Err(e) if signature.is_ok() && is_missing(&e) => Err(format!("repomd.xml.asc {TORN}, which is missing")),
            other => Ok(other?),
        };
        let fits = |asc: Vec<u8>| repomd.clone().and_then(|repomd| signed_by_us(&repomd, &asc).map(|()| repomd));
        match signature.and_then(fits) {
            Ok(repomd) => return contents(source, &repomd).map(Some),
            Err(e) if began.elapsed() > TORN_FOR || e.contains(UNREACHABLE) => return Err(e),
            Err(_) => std::thread::park_timeout(Duration::from_millis(1)),
        }
    }
}

fn is_missing(error: &str) -> bool {
    error.contains("os error 2)") || error.contains("status 404")
}

/// Reads a tree that somebody else made, whose metadata nobody signed.
pub(crate) fn read_unsigned(source: &Source) -> Verdict<Published> {
    contents(source, &source.fetch("repodata/repomd.xml")?)
}

fn contents(source: &Source, repomd: &[u8]) -> Verdict<Published> {
    let (revision, data) = read_repomd(repomd)?;
    let mut lists: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut files = Vec::new();
    for entry in &data {
        let bytes = source.fetch(&entry.location)?;
        let open = entry.check(&bytes)?;
        files.push(entry.location.clone());
        if lists.insert(entry.kind.clone(), open).is_some() {
            return Err(format!("repomd.xml names two files of kind {}", entry.kind));
        }
    }
    let list = |kind: &str| lists.get(kind).ok_or_else(|| format!("repomd.xml names no {kind}"));
    let mut packages = read_primary(list("primary")?)?;
    let ids: BTreeSet<String> = packages.values().map(|p| p.checksum.clone()).collect();
    for kind in ["filelists", "other"] {
        let found = read_ids(list(kind)?).map_err(|e| format!("{kind}: {e}"))?;
        if found != ids {
            return Err(format!("{kind} and primary list different packages"));
        }
    }
    let algorithm = data.iter().find(|d| d.kind == "primary").map(|d| d.algorithm.clone()).unwrap_or_default();
    for (nevra, package) in &mut packages {
        let bytes = source.fetch(&package.location).map_err(|e| format!("{nevra} is listed, but {e}"))?;
        let found = checksum(&algorithm, &bytes)?;
        if bytes.len() as u64 != package.size || found != package.checksum {
            return Err(format!("{nevra}: {} is not what primary says it is", package.location));
        }
        package.sha256 = checksum("sha256", &bytes)?;
    }
    Ok(Published { revision, packages, files })
}

pub(crate) fn signed_by_us(repomd: &[u8], asc: &[u8]) -> Verdict<()> {
    let cert = Cert::from_bytes(keys().ours.0.public.as_bytes()).map_err(|e| e.to_string())?;
    match Packet::from_bytes(asc) {
        Ok(Packet::Signature(signature)) => signature
            .verify_message(cert.primary_key().key(), repomd)
            .map_err(|e| format!("repomd.xml.asc {TORN}: {e}")),
        other => Err(format!("repomd.xml.asc is no signature: {other:?}")),
    }
}

/// One `<data>` of `repomd.xml`.
#[derive(Default)]
pub(crate) struct Data {
    pub(crate) kind: String,
    pub(crate) location: String,
    pub(crate) algorithm: String,
    pub(crate) checksum: String,
    open_checksum: String,
    pub(crate) size: u64,
    open_size: u64,
}

impl Data {
    /// Compares with the bytes and gives them uncompressed.
    pub(crate) fn check(&self, bytes: &[u8]) -> Verdict<Vec<u8>> {
        let wrong = |what: &str| Err(format!("{}: {what} differs from repomd.xml", self.location));
        if bytes.len() as u64 != self.size {
            return wrong("its size");
        }
        if checksum(&self.algorithm, bytes)? != self.checksum {
            return wrong("its checksum");
        }
        let mut open = Vec::new();
        let suffix = self.location.rsplit('.').next().unwrap_or_default();
        let opened = if suffix == "gz" {
            flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut open)
        } else if suffix == "zst" {
            zstd::stream::read::Decoder::new(bytes).and_then(|mut d| d.read_to_end(&mut open))
        } else {
            open.extend_from_slice(bytes);
            Ok(open.len())
        };
        opened.map_err(|e| format!("{}: {e}", self.location))?;
        // What an adopted tree brought along may be packed in a way that this judge does not open.
        if ["gz", "zst"].contains(&suffix) || (suffix != "bz2" && !self.open_checksum.is_empty()) {
            if open.len() as u64 != self.open_size {
                return wrong("its open size");
            }
            if checksum(&self.algorithm, &open)? != self.open_checksum {
                return wrong("its open checksum");
            }
        }
        Ok(open)
    }
}

pub(crate) fn checksum(algorithm: &str, bytes: &[u8]) -> Verdict<String> {
    let algorithm = match algorithm {
        "sha" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "sha256" => &digest::SHA256,
        "sha512" => &digest::SHA512,
        other => return Err(format!("checksums of type {other:?}")),
    };
    Ok(hex::encode(digest::digest(algorithm, bytes)))
}

/// Walks over XML: each element with the names of those around it, its attributes and its text.
fn walk(xml: &[u8], mut each: impl FnMut(&[String], &BTreeMap<String, String>, &str) -> Verdict<()>) -> Verdict<()> {
    let mut reader = Reader::from_reader(xml);
    let config = reader.config_mut();
    config.check_end_names = true;
    config.expand_empty_elements = true;
    let mut names: Vec<String> = Vec::new();
    let mut open: Vec<(BTreeMap<String, String>, String)> = Vec::new();
    let mut buffer = Vec::new();
    loop {
        match reader.read_event_into(&mut buffer).map_err(|e| format!("at byte {}: {e}", reader.buffer_position()))? {
            Event::Start(start) => {
                names.push(start.name().as_ref().to_owned());
                open.push((attributes(&start)?, String::new()));
            }
            Event::Text(text) => {
                if let Some((_, inside)) = open.last_mut() {
                    inside.push_str(&text);
                }
            }
            Event::End(_) => {
                let (attributes, text) = open.pop().ok_or("an end tag without a start tag")?;
                each(&names, &attributes, text.trim())?;
                names.pop();
            }
            Event::Eof => break,
            _ => {}
        }
        buffer.clear();
    }
    if names.is_empty() { Ok(()) } else { Err(format!("it ends inside <{}>", names.join("><"))) }
}

fn attributes(start: &BytesStart<'_>) -> Verdict<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|e| e.to_string())?;
        found.insert(attribute.key.as_ref().to_owned(), attribute.value.into_owned());
    }
    Ok(found)
}

fn number(text: &str) -> Verdict<u64> {
    text.parse().map_err(|_| format!("{text:?} is no number"))
}

fn attribute(attributes: &BTreeMap<String, String>, key: &str) -> Verdict<String> {
    attributes.get(key).cloned().ok_or_else(|| format!("no attribute {key}"))
}

pub(crate) fn read_repomd(xml: &[u8]) -> Verdict<(u64, Vec<Data>)> {
    let mut revision = None;
    let mut all = Vec::new();
    let mut data = Data::default();
    walk(xml, |names, attributes, text| {
        match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["repomd", "revision"] => revision = Some(number(text)?),
            ["repomd", "data"] => {
                data.kind = attribute(attributes, "type")?;
                all.push(std::mem::take(&mut data));
            }
            ["repomd", "data", "location"] => data.location = attribute(attributes, "href")?,
            ["repomd", "data", "checksum"] => {
                data.algorithm = attribute(attributes, "type")?;
                text.clone_into(&mut data.checksum);
            }
            ["repomd", "data", "open-checksum"] => text.clone_into(&mut data.open_checksum),
            ["repomd", "data", "size"] => data.size = number(text)?,
            ["repomd", "data", "open-size"] => data.open_size = number(text)?,
            _ => {}
        }
        Ok(())
    })
    .map_err(|e| format!("repomd.xml: {e}"))?;
    Ok((revision.ok_or("repomd.xml has no revision")?, all))
}

pub(crate) fn read_primary(xml: &[u8]) -> Verdict<BTreeMap<String, Listed>> {
    let mut packages = BTreeMap::new();
    let (mut name, mut arch, mut evr) = (String::new(), String::new(), String::new());
    let mut package = Listed { location: String::new(), checksum: String::new(), size: 0, sha256: String::new() };
    let mut announced = None;
    walk(xml, |names, attributes, text| {
        match names.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["metadata"] => announced = Some(number(&attribute(attributes, "packages")?)?),
            ["metadata", "package"] => {
                let nevra = format!("{name}-{evr}.{arch}");
                if packages.insert(nevra.clone(), package.clone()).is_some() {
                    return Err(format!("{nevra} is listed twice"));
                }
            }
            ["metadata", "package", "name"] => text.clone_into(&mut name),
            ["metadata", "package", "arch"] => text.clone_into(&mut arch),
            ["metadata", "package", "version"] => {
                let epoch = attribute(attributes, "epoch")?;
                let (version, release) = (attribute(attributes, "ver")?, attribute(attributes, "rel")?);
                evr = if epoch == "0" { String::new() } else { format!("{epoch}:") } + &format!("{version}-{release}");
            }
            ["metadata", "package", "checksum"] => {
                if attribute(attributes, "pkgid")? != "YES" {
                    return Err("a checksum that is no pkgid".to_owned());
                }
                text.clone_into(&mut package.checksum);
            }
            ["metadata", "package", "size"] => package.size = number(&attribute(attributes, "package")?)?,
            ["metadata", "package", "location"] => package.location = attribute(attributes, "href")?,
            _ => {}
        }
        Ok(())
    })
    .map_err(|e| format!("primary: {e}"))?;
    if announced != Some(packages.len() as u64) {
        return Err(format!("primary announces {announced:?} packages and lists {}", packages.len()));
    }
    Ok(packages)
}

pub(crate) fn read_ids(xml: &[u8]) -> Verdict<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    let mut announced = None;
    walk(xml, |names, attributes, _| {
        match names.len() {
            1 => announced = Some(number(&attribute(attributes, "packages")?)?),
            2 if !ids.insert(attribute(attributes, "pkgid")?) => return Err("a package is listed twice".to_owned()),
            _ => {}
        }
        Ok(())
    })?;
    if announced != Some(ids.len() as u64) {
        return Err(format!("it announces {announced:?} packages and lists {}", ids.len()));
    }
    Ok(ids)
}
