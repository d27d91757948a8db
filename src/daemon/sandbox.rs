//! Packages are read by confined processes, each file by one of them.
//!
//! A process that ends or hangs over a file gets one more try, as it may have been somebody else's doing: a kill by
//! hand, no memory left. The second time it is the file, which is refused ([`Code::ReaderFailed`]); all others go on
//! with a new process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::domain::refusal::{Code, Refusal};
use crate::link::confined::{NoAnswer, Pool};
use crate::store::examination::{Answer, Examiner, Question, Terms};

/// The hidden command that makes a process answer questions.
pub const COMMAND: &str = "gate";

/// How long a question about any file may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// And how many bytes are read each second at least, on a machine on which everybody wants the processor.
const BYTES_A_SECOND: u64 = 4 << 20;

/// The processes that read packages.
#[derive(Debug)]
pub struct Sandbox {
    pool: Pool,
    patience: Duration,
    /// The bytes of the terms that are in force, by where they lie.
    terms: Mutex<BTreeMap<usize, AsBytes>>,
}

/// Terms, as long as they are in force, and their bytes.
type AsBytes = (Weak<Terms>, Arc<[u8]>);

impl Sandbox {
    /// With processes of a program that knows [`COMMAND`]; a question takes no longer than `patience`, and the time for
    /// the bytes of the file.
    pub fn new(program: PathBuf, patience: Duration) -> Self {
        Self { pool: Pool::new(program, &[COMMAND]), patience, terms: Mutex::default() }
    }

    /// With processes of this same program, also when its file has been replaced since.
    pub fn of_this_program() -> Self {
        Self::new(PathBuf::from("/proc/self/exe"), PATIENCE)
    }

    /// Starts a first process and says in the log what confines it.
    pub fn open(&self) {
        match self.pool.try_one() {
            Ok(hello) if hello.contains("NOT") => {
                tracing::warn!(by = hello, "packages are read by a process that is not fully confined");
            }
            Ok(hello) => tracing::info!(by = hello, "packages are read by a confined process"),
            Err(error) => tracing::error!(why = %error, "packages cannot be read; uploads wait"),
        }
    }

    /// The same bytes for the same terms, so that a process is told once.
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

/// The process that ended has read from the same place.
fn rewind(mut file: &File) -> io::Result<()> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(0)).map(drop)
}
