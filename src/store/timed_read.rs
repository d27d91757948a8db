//! Reads that may never return.
//!
//! A file on another file system than the trees' (a network share, or one that a program provides) can block its reader
//! for ever, and only that file system can end the wait. So such a file is read by a separate thread, which is
//! abandoned on timeout; it ends by itself if it ever gets an answer.
//!
//! What never happens: a distribution's work waits for ever for the bytes of an uploaded file. What still can happen:
//! it waits for a directory or for a file's metadata. The kernel mostly caches these, and only the administrator mounts
//! file systems below the uploads.

use std::io::{self, Read};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// How long one piece may take; failing local disks take some seconds.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes read at once.
const PIECE: usize = 1 << 20;

/// Most threads that may wait at a time: retrying blocked files must not use up all threads.
const WAITING_MAX: usize = 64;

/// How many threads are reading or waiting.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// A file, read by a thread that can be abandoned.
#[derive(Debug)]
pub struct TimedReader {
    pieces: Receiver<io::Result<Vec<u8>>>,
    /// The unread part of the last piece: its bytes, and where it begins.
    rest: (Vec<u8>, usize),
    timeout: Duration,
}

impl TimedReader {
    /// Begins to read from the file's current position.
    ///
    /// # Errors
    /// When too many threads are waiting already, or no thread can be started.
    pub fn begin(from: impl Read + Send + 'static) -> io::Result<Self> {
        Self::with(from, TIMEOUT)
    }

    fn with(mut from: impl Read + Send + 'static, timeout: Duration) -> io::Result<Self> {
        let place = Place::take().ok_or_else(|| {
            let why = format!("the file systems of {WAITING_MAX} files do not respond");
            io::Error::new(io::ErrorKind::TimedOut, why)
        })?;
        let (said, pieces) = sync_channel(1);
        let work = move || {
            send_all(&mut from, &said);
            drop(place);
        };
        std::thread::Builder::new().name("timeout".to_owned()).spawn(work)?;
        Ok(Self { pieces, rest: (Vec::new(), 0), timeout })
    }
}

/// Sends a file in pieces until the receiver is gone; the last piece is an error or empty.
fn send_all(from: &mut impl Read, to: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let read = match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read,
        };
        let is_last = !matches!(read, Ok(1..));
        let piece = read.map(|length| {
            piece.truncate(length);
            piece
        });
        if to.send(piece).is_err() || is_last {
            return;
        }
    }
}

impl Read for TimedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (piece, place) = &mut self.rest;
        if *place == piece.len() {
            (*piece, *place) = match self.pieces.recv_timeout(self.timeout) {
                Ok(piece) => (piece?, 0),
                Err(RecvTimeoutError::Disconnected) => (Vec::new(), 0),
                Err(RecvTimeoutError::Timeout) => {
                    let why = format!("its file system has not responded for {} seconds", self.timeout.as_secs());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                }
            };
        }
        let length = piece.get(*place..).unwrap_or_default().read(buffer)?;
        *place += length;
        Ok(length)
    }
}

/// One of the threads that may wait, counted.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let one_more = |taken| (taken < WAITING_MAX).then_some(taken + 1);
        WAITING.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn everything_comes_in_order_and_then_nothing() {
        let bytes: Vec<u8> = (0..3 * PIECE + 7).map(|n| u8::try_from(n % 251).expect("small")).collect();
        let mut read = Vec::new();
        let mut patient = TimedReader::begin(io::Cursor::new(bytes.clone())).expect("a thread");
        assert_eq!(patient.read_to_end(&mut read).expect("read"), bytes.len());
        assert!(read == bytes);
        assert_eq!(patient.read(&mut [0; 9]).expect("the end"), 0);
    }

    #[test]
    fn an_error_comes_after_what_was_read_before_it() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let mut patient = TimedReader::begin(io::Cursor::new(b"abc").chain(Broken)).expect("a thread");
        let mut read = Vec::new();
        assert_eq!(patient.read_to_end(&mut read).expect_err("broken").kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(read, b"abc");
    }

    #[test]
    fn whoever_never_answers_is_left_behind() {
        // Nobody writes into the other end.
        let (silent, other) = UnixStream::pair().expect("a pair");
        let mut patient = TimedReader::with(silent, Duration::from_millis(50)).expect("a thread");
        let error = patient.read(&mut [0; 9]).expect_err("nothing comes");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(other);
    }
}
