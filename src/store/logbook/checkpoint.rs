//! A checkpoint: what the entries up to some number fold to, kept beside the logbook, so that a start folds only those
//! that came after.
//!
//! It may be thrown away at any time: without it, a start folds all entries and comes to the same. The file is
//! `<state>/logbook.checkpoint`: a mark, the number and hash of the last entry that was folded, the SHA-256 of the program that
//! wrote it, that of the rest and its length, and the rest, which only that program understands. It is used if
//!
//! - the rest has its checksum,
//! - the running program is the one that wrote it: another version may fold otherwise,
//! - and the logbook has that entry with that hash. A start checks the chain of all entries all the same.
//!
//! Whoever can write this file can write the logbook, too. `rolloutd fsck` folds all entries and compares.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256, digest};
use rustix::fs::{Mode, OFlags};

use super::super::disk::{self, Access, Disk, DiskError};
use super::entry::Head;
use crate::domain::checksum::Sha256;

/// The first bytes of the file.
const MARK: &[u8; 8] = b"rolloutC";

/// Bytes before the fold.
const HEADER: usize = 8 + 8 + 32 + 32 + 32 + 8;

/// The largest checkpoint. A million packages take some 300 MiB.
const SIZE_MAX: u64 = 1 << 30;

/// The program that runs. It is under this name also when a newer one has taken its place.
const PROGRAM: &str = "/proc/self/exe";

/// What the first entries fold to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last of these entries.
    pub head: Head,
    /// The fold, in a form that only the program that wrote it understands.
    pub fold: Vec<u8>,
}

/// Where checkpoints of a logbook are put.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// The last entry of the one that this program has used.
    pub used: u64,
}

impl Checkpoints {
    /// Those of a logbook in this file.
    pub(super) fn beside(logbook: &Path, disk: Arc<dyn Disk>) -> Self {
        Self { disk, path: file(logbook), used: 0 }
    }

    /// Puts a checkpoint in the place of the last one.
    ///
    /// # Errors
    /// The last one is still there.
    pub fn put(&self, checkpoint: &Checkpoint) -> Result<(), DiskError> {
        let failed = |error| DiskError::new("write", &self.path, error);
        let Checkpoint { head, fold } = checkpoint;
        if fold.len() as u64 > SIZE_MAX {
            return Err(failed(io::Error::other(format!(
                "it would have {} bytes; {SIZE_MAX} are allowed",
                fold.len()
            ))));
        }
        let program = program().map_err(failed)?;
        let mut bytes = Vec::with_capacity(HEADER + fold.len());
        bytes.extend_from_slice(MARK);
        bytes.extend_from_slice(&head.seq.to_be_bytes());
        let length = (fold.len() as u64).to_be_bytes();
        for part in [&head.hash.0[..], &program, digest(&SHA256, fold).as_ref(), &length, fold] {
            bytes.extend_from_slice(part);
        }
        disk::put(self.disk.as_ref(), &self.path, &bytes, Access::Owner)
    }
}

/// The checkpoint beside a logbook, or `None` if there is none.
///
/// # Errors
/// Why there is one that cannot be used, in words.
pub(super) fn beside(logbook: &Path) -> Result<Option<Checkpoint>, String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut file = match rustix::fs::open(file(logbook), flags, Mode::empty()).map_err(io::Error::from) {
        Ok(fd) => File::from(fd),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let damaged = || "it is damaged".to_owned();
    let mut header = [0; HEADER];
    file.read_exact(&mut header).map_err(|_| damaged())?;
    let Header { head, by, sum, length } = header_of(&header).ok_or_else(damaged)?;
    // Nothing more is read before it is known to be worth it.
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    if length > SIZE_MAX || size != HEADER as u64 + length {
        return Err(damaged());
    }
    let program = program().map_err(|error| format!("{PROGRAM} cannot be read: {error}"))?;
    if by != program {
        return Err("another version of the program wrote it".to_owned());
    }
    let mut fold = Vec::new();
    file.take(length + 1).read_to_end(&mut fold).map_err(|error| error.to_string())?;
    if fold.len() as u64 != length || digest(&SHA256, &fold).as_ref() != sum {
        return Err(damaged());
    }
    Ok(Some(Checkpoint { head, fold }))
}

/// The file beside a logbook.
fn file(logbook: &Path) -> PathBuf {
    logbook.with_extension("checkpoint")
}

/// What stands before the fold.
struct Header {
    head: Head,
    /// The program that wrote it.
    by: [u8; 32],
    /// The SHA-256 of the fold.
    sum: [u8; 32],
    /// The bytes of the fold.
    length: u64,
}

/// `None` if these are other bytes.
fn header_of(bytes: &[u8; HEADER]) -> Option<Header> {
    let (mark, rest) = bytes.split_first_chunk::<8>()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    let (by, rest) = rest.split_first_chunk::<32>()?;
    let (sum, rest) = rest.split_first_chunk::<32>()?;
    let length = u64::from_be_bytes(rest.try_into().ok()?);
    let head = Head { seq: u64::from_be_bytes(*seq), hash: Sha256(*hash) };
    (mark == MARK).then_some(Header { head, by: *by, sum: *sum, length })
}

/// The SHA-256 of the running program.
fn program() -> io::Result<[u8; 32]> {
    let (mut file, mut sum) = (File::open(PROGRAM)?, Context::new(&SHA256));
    let mut room = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut room)?;
        if read == 0 {
            break;
        }
        sum.update(room.get(..read).unwrap_or_default());
    }
    let mut bytes = [0; 32];
    bytes.copy_from_slice(sum.finish().as_ref());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{draft, filled, kernel};
    use super::super::{Logbook as _, SqliteLogbook};
    use super::*;

    /// A logbook of six entries with a checkpoint of all of them.
    fn kept(dir: &Path) -> (SqliteLogbook, Checkpoint) {
        let book = SqliteLogbook::open_sealed(&filled(dir), kernel()).expect("whole");
        let checkpoint = Checkpoint { head: book.head(), fold: b"what they fold to".to_vec() };
        book.checkpoints().expect("the daemon's").put(&checkpoint).expect("written");
        (book, checkpoint)
    }

    #[test]
    fn it_is_there_again_also_when_more_was_appended() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut book, checkpoint) = kept(dir.path());
        assert_eq!(book.checkpoint(), Ok(Some(checkpoint.clone())));
        book.append(book.head(), &[draft("more")]).expect("appended");
        assert_eq!(book.checkpoint(), Ok(Some(checkpoint.clone())));
        let mut only_read = SqliteLogbook::open_to_read(&dir.path().join("logbook.sqlite")).expect("open");
        assert_eq!(only_read.checkpoint(), Ok(Some(checkpoint)));
        kernel().remove(&dir.path().join("logbook.checkpoint")).expect("removed");
        assert_eq!(book.checkpoint(), Ok(None));
    }

    #[test]
    fn not_a_byte_of_it_can_be_another_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut book, _) = kept(dir.path());
        let path = dir.path().join("logbook.checkpoint");
        let right = std::fs::read(&path).expect("read");
        for place in 0..right.len() {
            let mut wrong = right.clone();
            wrong[place] ^= 1;
            disk::put(kernel().as_ref(), &path, &wrong, Access::Owner).expect("written");
            book.checkpoint().expect_err("a byte is another one");
        }
        for end in 0..right.len() {
            disk::put(kernel().as_ref(), &path, &right[..end], Access::Owner).expect("written");
            assert_eq!(book.checkpoint(), Err("it is damaged".to_owned()), "cut off at {end}");
        }
    }

    #[test]
    fn one_of_another_program_or_logbook_is_not_used() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut book, Checkpoint { head, fold }) = kept(dir.path());
        for other in [Head { seq: 7, ..head }, Head { seq: 5, ..head }, Head { hash: Sha256([7; 32]), ..head }] {
            let checkpoint = Checkpoint { head: other, fold: fold.clone() };
            book.checkpoints().expect("the daemon's").put(&checkpoint).expect("written");
            assert_eq!(book.checkpoint(), Err(format!("the logbook has no such entry {}", other.seq)));
        }
        let path = dir.path().join("logbook.checkpoint");
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[50] ^= 1;
        disk::put(kernel().as_ref(), &path, &bytes, Access::Owner).expect("written");
        assert_eq!(book.checkpoint(), Err("another version of the program wrote it".to_owned()));
    }
}
