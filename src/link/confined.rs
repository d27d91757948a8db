//! Questions about an open file, answered by a process of the same program that can access nothing else.
//!
//! ```text
//! asks:     Terms   the terms of later questions, once for each process
//!           Ask     a question, with the file's descriptor
//! answers:  Hello   how it is confined (`confinement`), before any question
//!           Answer  the answer, or
//!           Failed  why the file could not be read
//! ```
//!
//! Each frame is a byte for its kind, four bytes for the length, and the content. Here the content is just bytes; its
//! meaning is up to the caller.
//!
//! - A process that dies or times out costs only that one file: it is killed, and the next question goes to a new one.
//! - There are never more of them than questions at the same time. They end when the socket closes, so none outlives
//!   the daemon, however it ends.
//! - They inherit neither the environment nor the daemon's descriptors. Whatever a process prints before it dies is
//!   included in the error.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};

use super::clock::Clock;

const TERMS: u8 = b'T';
const ASK: u8 = b'Q';
const HELLO: u8 = b'H';
const ANSWER: u8 = b'A';
const FAILED: u8 = b'F';

/// The longest frame, in bytes. The XML of a package can be several times as long as its largest header.
const FRAME_MAX: u32 = 512 << 20;

/// How long a new process may take to say hello. On a busy machine it is slow.
const HELLO_WITHIN: Duration = Duration::from_secs(30);

/// How many bytes of a dying process's output are read.
const WORDS_MAX: u64 = 512;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// No process could be started; no file is to blame.
    #[error("could not start the process that reads packages: {0}")]
    NotStarted(io::Error),
    /// It ended instead of answering.
    #[error("the process that reads packages ended: {0}")]
    Ended(String),
    /// It did not answer in time.
    #[error("the process that reads packages timed out after {0:?}")]
    Late(Duration),
    /// The file could not be read.
    #[error("{0}")]
    Unread(String),
}

/// A pool of processes that answer questions.
#[derive(Debug)]
pub struct Pool {
    program: PathBuf,
    words: Vec<String>,
    idle: Mutex<Vec<Answerer>>,
}

impl Pool {
    /// Uses processes of this program with these arguments. None is started before there is a question.
    pub fn new(program: PathBuf, words: &[&str]) -> Self {
        Self { program, words: words.iter().map(|word| (*word).to_owned()).collect(), idle: Mutex::default() }
    }

    /// Asks one of them about a file, which it may read, and waits for the answer. `terms` are sent first unless the
    /// process has them: the same `Arc` means the same terms.
    ///
    /// # Errors
    /// Why there is no answer. A process that has failed is gone then.
    pub fn ask(&self, file: &File, terms: &Arc<[u8]>, question: &[u8], within: Duration) -> Result<Vec<u8>, NoAnswer> {
        let idle = self.idle().pop();
        self.ask_one(idle.map_or_else(|| self.start(), Ok)?, file, terms, question, within)
    }

    /// Asks a new process: idle ones may have died unnoticed.
    ///
    /// # Errors
    /// As [`Pool::ask`].
    pub fn ask_another(
        &self,
        file: &File,
        terms: &Arc<[u8]>,
        question: &[u8],
        within: Duration,
    ) -> Result<Vec<u8>, NoAnswer> {
        self.ask_one(self.start()?, file, terms, question, within)
    }

    fn ask_one(
        &self,
        mut answerer: Answerer,
        file: &File,
        terms: &Arc<[u8]>,
        question: &[u8],
        within: Duration,
    ) -> Result<Vec<u8>, NoAnswer> {
        match answerer.ask(file, terms, question, within) {
            Ok(answer) => {
                self.idle().push(answerer);
                Ok(answer)
            }
            Err(Trouble::Unread(why)) => {
                self.idle().push(answerer);
                Err(NoAnswer::Unread(why))
            }
            Err(Trouble::Broken(error)) if is_late(&error) => Err(NoAnswer::Late(within)),
            Err(Trouble::Broken(error)) => Err(NoAnswer::Ended(answerer.end(&error))),
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Answerer>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts one and waits until it is confined; returns its description of that.
    ///
    /// # Errors
    /// If that fails.
    pub fn try_one(&self) -> Result<String, NoAnswer> {
        let answerer = self.start()?;
        let hello = answerer.hello.clone();
        self.idle().push(answerer);
        Ok(hello)
    }

    fn start(&self) -> Result<Answerer, NoAnswer> {
        let started = || {
            let (ours, theirs) = UnixStream::pair()?;
            let child = Command::new(&self.program)
                .arg0("rolloutd")
                .args(&self.words)
                .env_clear()
                .current_dir("/")
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()?;
            Ok(Answerer { child, socket: ours, terms: None, hello: String::new() })
        };
        let mut answerer = started().map_err(NoAnswer::NotStarted)?;
        let hello = receive(&mut answerer.socket, Clock::System.monotonic() + HELLO_WITHIN);
        match hello {
            Ok((HELLO, hello)) => {
                answerer.hello = String::from_utf8_lossy(&hello).into_owned();
                Ok(answerer)
            }
            Ok((kind, _)) => Err(NoAnswer::NotStarted(io::Error::other(format!("it sent {kind} instead of hello")))),
            Err(error) => Err(NoAnswer::NotStarted(io::Error::other(answerer.end(&error)))),
        }
    }
}

/// Why there is no answer: the process is gone or useless, or the file is unreadable.
enum Trouble {
    Broken(io::Error),
    Unread(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// One process.
#[derive(Debug)]
struct Answerer {
    child: Child,
    socket: UnixStream,
    /// The terms that it has.
    terms: Option<Arc<[u8]>>,
    hello: String,
}

impl Answerer {
    fn ask(&mut self, file: &File, terms: &Arc<[u8]>, question: &[u8], within: Duration) -> Result<Vec<u8>, Trouble> {
        let until = Clock::System.monotonic() + within;
        self.socket.set_write_timeout(Some(within))?;
        if !self.terms.as_ref().is_some_and(|known| Arc::ptr_eq(known, terms)) {
            self.terms = None;
            send(&mut self.socket, TERMS, terms, None)?;
            self.terms = Some(Arc::clone(terms));
        }
        send(&mut self.socket, ASK, question, Some(file))?;
        match receive(&mut self.socket, until)? {
            (ANSWER, answer) => Ok(answer),
            (FAILED, why) => Err(Trouble::Unread(String::from_utf8_lossy(&why).into_owned())),
            (kind, _) => Err(Trouble::Broken(io::Error::other(format!("it sent {kind}, which is not an answer")))),
        }
    }

    /// How it ended, or what it did instead.
    fn end(&mut self, error: &io::Error) -> String {
        // It closes its socket when it ends, so it should be gone in a moment; otherwise it is killed here.
        let began = Clock::System.monotonic();
        while Clock::System.since(began) < Duration::from_secs(1) {
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    let how = match (status.signal(), status.code()) {
                        (Some(signal), _) => format!("killed by signal {signal}"),
                        (_, Some(code)) => format!("exit code {code}"),
                        _ => status.to_string(),
                    };
                    let words = self.last_words();
                    return if words.is_empty() { how } else { format!("{how}: {words}") };
                }
                Ok(None) => std::thread::park_timeout(Duration::from_millis(1)),
                Err(_) => break,
            }
        }
        error.to_string()
    }
}

impl Answerer {
    /// What it printed before it ended, on one line; by now nobody holds the other end.
    fn last_words(&mut self) -> String {
        let mut said = Vec::new();
        let pipe = self.child.stderr.take().map(|pipe| pipe.take(WORDS_MAX).read_to_end(&mut said));
        drop(pipe);
        let text = String::from_utf8_lossy(&said);
        let plain = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>();
        text.lines().map(|line| plain(line.trim())).find(|line| !line.is_empty()).unwrap_or_default()
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Sends one frame, with a descriptor attached to its first bytes; in one call unless it is long.
fn send(socket: &mut UnixStream, kind: u8, bytes: &[u8], file: Option<&File>) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= FRAME_MAX);
    let length = length.ok_or_else(|| io::Error::other("too long for a frame"))?.to_be_bytes();
    let head = [kind, length[0], length[1], length[2], length[3]];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files = file.map(|file| [file.as_fd()]);
    if let Some(files) = &files {
        control.push(SendAncillaryMessage::ScmRights(files));
    }
    let parts = [IoSlice::new(&head), IoSlice::new(bytes)];
    let sent = rustix::net::sendmsg(&*socket, &parts, &mut control, SendFlags::NOSIGNAL)?;
    socket.write_all(head.get(sent..).unwrap_or_default())?;
    socket.write_all(bytes.get(sent.saturating_sub(head.len())..).unwrap_or_default())
}

/// Receives one frame. Nothing follows it before the next question.
fn receive(socket: &mut UnixStream, until: Instant) -> io::Result<(u8, Vec<u8>)> {
    // Grows with what arrives, not with what is announced.
    let mut bytes = Vec::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        if let Some((kind, length)) = bytes.first_chunk().copied().map(head_of) {
            if length > u64::from(FRAME_MAX) {
                return Err(io::Error::other("too long for a frame"));
            }
            match (bytes.len() as u64).checked_sub(HEAD as u64 + length) {
                None => {}
                Some(0) => return Ok((kind, bytes.split_off(HEAD))),
                Some(_) => return Err(io::Error::other("it sent more than was asked")),
            }
        }
        let left = until.saturating_duration_since(Clock::System.monotonic());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut piece) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it sent nothing more")),
            Ok(n) => bytes.extend_from_slice(piece.get(..n).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The bytes before a frame's content.
const HEAD: usize = 5;

fn head_of([kind, length @ ..]: [u8; HEAD]) -> (u8, u64) {
    (kind, u64::from(u32::from_be_bytes(length)))
}

/// Answers questions from a socket until it closes. The other end is [`Pool::ask`].
///
/// `learn` decodes terms; `answer` answers a question about a file by them, or says why the file could not be read.
///
/// # Errors
/// If anything other than a question arrives.
pub fn serve<T>(
    socket: OwnedFd,
    hello: &str,
    mut learn: impl FnMut(&[u8]) -> io::Result<T>,
    mut answer: impl FnMut(File, &T, &[u8]) -> io::Result<Result<Vec<u8>, String>>,
) -> io::Result<()> {
    let mut socket = UnixStream::from(socket);
    send(&mut socket, HELLO, hello.as_bytes(), None)?;
    let mut terms = None;
    while let Some((kind, bytes, file)) = next(&mut socket)? {
        match (kind, file, &terms) {
            (TERMS, ..) => terms = Some(learn(&bytes)?),
            (ASK, Some(file), Some(terms)) => match answer(file, terms, &bytes)? {
                Ok(answer) => send(&mut socket, ANSWER, &answer, None)?,
                Err(why) => send(&mut socket, FAILED, why.as_bytes(), None)?,
            },
            _ => return Err(io::Error::other("a request without terms or file")),
        }
    }
    Ok(())
}

/// Its kind, its content, and the descriptor that came with it.
type Frame = (u8, Vec<u8>, Option<File>);

/// The next frame; `None` at the end.
fn next(socket: &mut UnixStream) -> io::Result<Option<Frame>> {
    let mut head = [0; HEAD];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut head)];
    let got = loop {
        match rustix::net::recvmsg(&*socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?.bytes,
        }
    };
    let mut file = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(files) = message {
            file = files.last().map(File::from);
        }
    }
    if got == 0 {
        return Ok(None);
    }
    socket.read_exact(head.get_mut(got..).unwrap_or_default())?;
    let (kind, length) = head_of(head);
    let mut bytes = Vec::new();
    if (&mut *socket).take(length).read_to_end(&mut bytes)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((kind, bytes, file)))
}
