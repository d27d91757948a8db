//! Packages are read by confined processes, each file by one of them.
//!
//! If a process dies or hangs over a file, the file gets one more try, since the cause may be something else: a manual
//! kill, or lack of memory. The second time the file is to blame and is refused ([`Code::ReaderFailed`]); all others
//! continue with a new process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::domain::refusal::{Code, Refusal};
use crate::link::confined::{NoAnswer, Pool};
use crate::store::examination::{Answer, Examiner, Question, Terms};

/// The hidden command that starts a process which answers questions.
pub const COMMAND: &str = "gate";

/// How long a question about any file may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The additional time allows for this many bytes a second, on a busy machine.
const BYTES_A_SECOND: u64 = 4 << 20;

/// The processes that read packages.
#[derive(Debug)]
pub struct Sandbox {
    pool: Pool,
    patience: Duration,
    /// The encoded terms that are in use, by their address.
    terms: Mutex<BTreeMap<usize, AsBytes>>,
}

/// Terms, while they are in use, and their encoding.
type AsBytes = (Weak<Terms>, Arc<[u8]>);

impl Sandbox {
    /// Runs processes of a program that knows [`COMMAND`]; a question may take `patience`, plus the time for reading
    /// the file.
    pub fn new(program: PathBuf, patience: Duration) -> Self {
        Self { pool: Pool::new(program, &[COMMAND]), patience, terms: Mutex::default() }
    }

    /// Runs processes of this same program, even if its file has been replaced.
    pub fn of_this_program() -> Self {
        Self::new(PathBuf::from("/proc/self/exe"), PATIENCE)
    }

    /// Starts a first process and logs how it is confined.
    pub fn open(&self) {
        match self.pool.try_one() {
            Ok(hello) if hello.contains("NOT") => {
                tracing::warn!(by = hello, "packages are read by a process that is not fully confined");
            }
            Ok(hello) => tracing::info!(by = hello, "packages are read by a confined process"),
            Err(error) => tracing::error!(why = %error, "packages cannot be read; uploads wait"),
        }
    }

    /// The same bytes for the same terms, so that each process gets them once.
    fn bytes_of(&self, terms: &Arc<Terms>) -> Arc<[u8]> {
        let mut known = self.terms.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (terms, _)| terms.strong_count() > 0);
        let place = Arc::as_ptr(terms) as usize;
        let (_, bytes) = known.entry(place).or_insert_with(|| (Arc::downgrade(terms), terms.to_bytes().into()));
        Arc::clone(bytes)
    }
}

impl Examiner for Sandbox {
    fn examine(&self, file: File, size: u64, terms: &Arc<Terms>, question: &Question) -> io::Result<Answer> {
        let within = self.patience + Duration::from_secs(size / BYTES_A_SECOND);
        let (bytes, question) = (self.bytes_of(terms), question.to_bytes());
        let mut first = None;
        loop {
            let answer = match first {
                None => self.pool.ask(&file, &bytes, &question, within),
                Some(_) => self.pool.ask_another(&file, &bytes, &question, within),
            };
            let error = match answer {
                Ok(answer) => match Answer::from_bytes(&answer, terms.checksum) {
                    Ok(answer) => return Ok(answer),
                    Err(error) => error.to_string(),
                },
                Err(error @ (NoAnswer::NotStarted(_) | NoAnswer::Unread(_))) => {
                    return Err(io::Error::other(error.to_string()));
                }
                Err(error @ (NoAnswer::Ended(_) | NoAnswer::Late(_))) => error.to_string(),
            };
            tracing::warn!(why = error, again = first.is_none(), "a package could not be read");
            let Some(before) = first.replace(error.clone()) else {
                rewind(&file)?;
                continue;
            };
            let detail = if before == error { format!("twice: {error}") } else { format!("{before}; then {error}") };
            return Ok(Answer::Refused(Refusal::new(Code::ReaderFailed, detail), None));
        }
    }
}

/// The process that ended has moved the shared file offset.
fn rewind(mut file: &File) -> io::Result<()> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(0)).map(drop)
}
