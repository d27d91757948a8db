//! Copies an upload to an inode of our own: hashed and judged while it is copied, then synced together with others.
//!
//! Afterwards, only what was learned about the copy counts.

use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;

use super::gate::Gate;
use super::look::IntakeError;
use super::search::Found;
use crate::domain::checksum::Sha256;
use crate::domain::listing::Entry;
use crate::domain::nevra::Nevra;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::Accepted;
use crate::store::disk::{self, Access, AtPath as _, Disk, DiskError, READ_UPLOAD};
use crate::store::examination::{Answer, BEGINNING, Known, Question};
use crate::store::index::Chunk;
use crate::store::stamp::Stamp;
use crate::store::thread_pool;
use crate::store::timed_read::TimedReader;
use crate::store::tree;

/// Smaller files may have any holes, in bytes.
const HOLES_BELOW: u64 = 1 << 20;

/// The smallest part of a larger file that must have been written.
const HOLES_SHARE: u64 = 64;

/// The largest file that is read to its end although it does not begin like a package.
const SUM_MAX: u64 = 64 << 20;

/// A file that was copied and judged, and has no name yet.
pub(super) enum Copied {
    /// It is good as it is.
    Good(Box<Good>),
    /// It vanished meanwhile.
    Vanished,
    Refused(Refusal, Option<Sha256>),
}

/// A copy that may come in.
pub(super) struct Good {
    pub(super) copy: disk::Fresh,
    pub(super) nevra: Nevra,
    pub(super) signed: Accepted,
    pub(super) replaced_text: Vec<String>,
    pub(super) source: Option<Nevra>,
    pub(super) chunk: Chunk,
}

/// Syncs all copies that may come in, before any of them gets its name. One that cannot be synced is an error from then on.
pub(super) fn sync(disk: &dyn Disk, copies: &mut [Option<Result<Copied, IntakeError>>]) {
    let mut good: Vec<(usize, &disk::Fresh)> = Vec::new();
    for (at, copied) in copies.iter().enumerate() {
        if let Some(Ok(Copied::Good(one))) = copied {
            good.push((at, &one.copy));
        }
    }
    let mut failed: Vec<(usize, DiskError)> = Vec::new();
    let keep = |(at, _): &(usize, &disk::Fresh), synced: Result<(), DiskError>| {
        failed.extend(synced.err().map(|error| (*at, error)));
    };
    let work = |(_, copy): &(usize, &disk::Fresh)| Ok::<_, std::convert::Infallible>(disk.sync(copy));
    match thread_pool::each_waiting(&good, work, keep) {
        Ok(()) => {}
        Err(never) => match never {},
    }
    for (at, error) in failed {
        if let Some(copied) = copies.get_mut(at) {
            *copied = Some(Err(error.into()));
        }
    }
}

/// Copies, hashes, checks and judges an upload; afterwards, only what is returned here counts. The copy is not synced yet.
pub(super) fn copy(
    disk: &dyn Disk,
    gate: &Gate,
    file: &Found,
    stamp: Stamp,
    now: Timestamp,
) -> Result<Copied, IntakeError> {
    let refused = |code, detail: String| Ok(Copied::Refused(Refusal::new(code, detail), None));
    if !file.is_file {
        return refused(Code::NotRegular, "a link, pipe, socket or device".to_owned());
    }
    let upload = match tree::open_beneath(&gate.dir, &file.relative) {
        Ok(upload) => upload,
        Err(error) if error.is_not_found() => return Ok(Copied::Vanished),
        // Links, sockets and devices; anything else may change in a moment.
        Err(error) if error.is_no_file() => return refused(Code::NotRegular, error.sentence()),
        Err(error) => return Err(error.into()),
    };
    let label = gate.dir.join(&file.relative);
    let meta = upload.metadata().at("look at", &label)?;
    if !meta.is_file() || meta.nlink() != 1 {
        return refused(Code::NotRegular, format!("{} names lead to it", meta.nlink()));
    }
    if meta.size() > gate.limits.max_package {
        return refused(
            Code::TooLarge,
            format!("{} bytes; at most {} are allowed", meta.size(), gate.limits.max_package),
        );
    }
    if Stamp::of(&meta) != stamp {
        return Ok(Copied::Refused(Refusal::new(Code::Unstable, "it changed before it was read"), None));
    }
    if let Some(there) = holes(&meta) {
        let detail = format!("it is mostly holes: of {} bytes {there} have been written", meta.size());
        return refused(Code::Truncated, detail);
    }

    let mut copy = disk.fresh(&gate.home, Access::Sealed)?;
    let ours = copy.file.metadata().at("look at the copy of", &label)?;
    let mut uploaded: Box<dyn Read> = if meta.dev() == ours.dev() {
        Box::new(&upload)
    } else {
        let again = upload.try_clone().at(READ_UPLOAD, &label)?;
        Box::new(TimedReader::begin(again).at(READ_UPLOAD, &label)?)
    };
    let mut buffer = vec![0; 1 << 20];
    let mut sum = digest::Context::new(&digest::SHA256);
    let size = meta.size();
    let mut left = size;
    let ask = |copy: &disk::Fresh, size, question: &Question| {
        let file = read_only(copy).at("open again the copy of", &label)?;
        let answer = gate.examiner.examine(file, size, &gate.terms, question).at("have examined", &label)?;
        Ok::<_, DiskError>(answer)
    };
    loop {
        let n = uploaded.read(&mut buffer).at(READ_UPLOAD, &label)?;
        let bytes = buffer.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        let before = size.saturating_sub(left);
        left = match left.checked_sub(bytes.len() as u64) {
            Some(left) => left,
            None => return refused(Code::Unstable, "it grew while it was read".to_owned()),
        };
        disk.write(&mut copy, bytes)?;
        sum.update(bytes);
        // What is not a package need not be copied to its end.
        let here = size.saturating_sub(left);
        if before < BEGINNING
            && (BEGINNING..size).contains(&here)
            && let Answer::Refused(refusal, _) = ask(&copy, here, &Question::IsItABeginning)?
        {
            // Nor is it examined further; its checksum tells whether the same bytes come again.
            let sum = (size <= SUM_MAX).then(|| sum_to_the_end(&mut uploaded, &mut buffer, sum, left)).flatten();
            return Ok(Copied::Refused(refusal, sum));
        }
    }
    let after = upload.metadata().at("look at", &label)?;
    if Stamp::of(&after) != stamp {
        return refused(Code::Unstable, "it changed while it was read".to_owned());
    }
    // The copy gets the time of arrival; every tree shows the same one.
    let file_time = now.as_second().max(0).unsigned_abs();
    let sum = sum.finish().as_ref().try_into().map(Sha256).ok();
    let known = match ask(&copy, size, &Question::MayItComeIn { at: now, file_time })? {
        // The digest is computed here and believed from nobody else: it identifies the package from now on.
        Answer::Good(known) if Some(known.sha256) == sum && known.size == size => known,
        Answer::Refused(refusal, sha256) => return Ok(Copied::Refused(refusal, sha256.or(sum))),
        Answer::Good(_) | Answer::SoFar => {
            return Err(DiskError::new("have examined", &label, not_an_answer()).into());
        }
    };
    set_time(&copy, file_time, &label)?;
    let Known { nevra, sha256, pkgid, size, signed, replaced_text, source, xml } = *known;
    let chunk = Chunk { sha256, place: None, pkgid, size, file_time, xml };
    Ok(Copied::Good(Box::new(Good { copy, nevra, signed, replaced_text, source, chunk })))
}

/// The checksum of a file whose beginning was already read, if the rest is as long as announced.
fn sum_to_the_end(rest: &mut dyn Read, buffer: &mut [u8], mut sum: digest::Context, mut left: u64) -> Option<Sha256> {
    loop {
        let n = rest.read(buffer).ok()?;
        let bytes = buffer.get(..n)?;
        left = left.checked_sub(n as u64)?;
        sum.update(bytes);
        if bytes.is_empty() {
            return sum.finish().as_ref().try_into().map(Sha256).ok().filter(|_| left == 0);
        }
    }
}

/// How many bytes of a file were really written, if it is mostly holes. Otherwise a file of a few KiB could have
/// gigabytes written and examined again and again. Packages are compressed already, so no file system stores one that
/// compactly.
fn holes(meta: &std::fs::Metadata) -> Option<u64> {
    let there = meta.blocks().saturating_mul(512);
    (meta.size() > HOLES_BELOW && there < meta.size() / HOLES_SHARE).then_some(there)
}

/// Opens a copy again, from its beginning and read-only, for a reader that must not change it.
fn read_only(copy: &disk::Fresh) -> std::io::Result<std::fs::File> {
    use std::os::fd::AsRawFd as _;
    std::fs::File::open(format!("/proc/self/fd/{}", copy.file.as_raw_fd()))
}

fn not_an_answer() -> std::io::Error {
    std::io::Error::other("the answer was to another question, or of another file")
}

/// Sets a copy's modification time, which every tree shows.
pub(super) fn set_time(copy: &disk::Fresh, seconds: u64, label: &Path) -> Result<(), DiskError> {
    let time = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
    copy.file.set_modified(time).at("set the time of the copy of", label)
}

/// Reads a package in a tree again, for an index that has lost it.
///
/// # Errors
/// If the file does not exist, or is no longer the accepted bytes.
pub fn read_again(gate: &Gate, path: &Path, nevra: &Nevra, entry: &Entry) -> Result<Chunk, DiskError> {
    let (expected, place) = (entry.sha256, entry.place.clone());
    let unfit = |why: String| DiskError::new("use", path, std::io::Error::other(why));
    let dir = path.parent().unwrap_or(Path::new("."));
    let file = tree::open_beneath(dir, Path::new(path.file_name().unwrap_or_default()))?;
    let meta = file.metadata().at("look at", path)?;
    if !meta.is_file() {
        return Err(unfit("it is not a regular file".to_owned()));
    }
    let file_time = u64::try_from(meta.mtime()).unwrap_or_default();
    // The file stays where it lies, even if a package of these bytes would be named otherwise today.
    let question = Question::WhatIsIt { file_time, place: Some(entry.location(nevra)) };
    match gate.examiner.examine(file, meta.len(), &gate.terms, &question).at("read", path)? {
        Answer::Good(known) if known.sha256 == expected => {
            let Known { sha256, pkgid, size, xml, .. } = *known;
            Ok(Chunk { sha256, place, pkgid, size, file_time, xml })
        }
        Answer::Good(known) => Err(unfit(format!("its SHA-256 is {}, but {expected} was accepted", known.sha256))),
        Answer::Refused(refusal, _) => Err(unfit(refusal.to_string())),
        Answer::SoFar => Err(unfit(not_an_answer().to_string())),
    }
}
