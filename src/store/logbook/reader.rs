//! The logbook as whoever reads beside its writer has it: opened for each question, so each answer is of one moment.

use std::path::PathBuf;

use super::chain::Chain;
use super::entry::{Head, Recorded};
use super::sqlite::SqliteLogbook;
use super::trouble::{LogbookError, Witness};

/// Reads a logbook beside its writer; each answer is of one moment.
#[derive(Clone, Debug)]
pub struct Reader {
    path: PathBuf,
}

impl Reader {
    /// Of the logbook in this file.
    pub fn of(path: PathBuf) -> Self {
        Self { path }
    }

    /// Up to `limit` entries from number `from` on; the chain is checked within them.
    ///
    /// # Errors
    /// As [`SqliteLogbook::open`].
    pub fn read(&self, from: u64, limit: usize) -> Result<Vec<Recorded>, LogbookError> {
        Chain::open_to_read(&self.path)?.read(from, limit)
    }

    /// Up to `limit` entries about a thing, oldest first: those from number `from` on, or else the newest. Each is
    /// checked against the one before it.
    ///
    /// # Errors
    /// As [`SqliteLogbook::open`].
    pub fn about(&self, subject: &str, from: Option<u64>, limit: usize) -> Result<Vec<Recorded>, LogbookError> {
        Chain::open_to_read(&self.path)?.about(subject, from, limit)
    }

    /// The end of the chain, every entry of which is checked; it must have the entry `known`.
    ///
    /// # Errors
    /// As [`SqliteLogbook::open`], and an entry that is missing.
    pub fn verify(&self, known: Head) -> Result<Head, LogbookError> {
        let book = SqliteLogbook::open_to_read(&self.path)?;
        book.holds(known, Witness::Daemon)?;
        Ok(super::Logbook::head(&book))
    }
}
