//! A copy of a logbook, made while somebody may be writing to it.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::chain::Chain;
use super::trouble::LogbookError;

/// Pages that are copied between two reports of progress.
const PAGES_AT_ONCE: i32 = 256;

impl Chain {
    /// Copies one state of the logbook, whoever writes meanwhile, into a new file that needs no other beside it;
    /// `progress` is told how many pages of how many are copied. No writer has to wait: a reader holds the state.
    ///
    /// # Errors
    /// The new file is then not whole.
    pub(super) fn copy_to(&self, to: &Path, progress: impl Fn(u64, u64)) -> Result<(), LogbookError> {
        let copied = || {
            let held = self.db.unchecked_transaction()?;
            held.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))?;
            let mut copy = Connection::open(to)?;
            copy.pragma_update(None, "synchronous", "FULL")?;
            let backup = Backup::new(&self.db, &mut copy)?;
            loop {
                let step = backup.step(PAGES_AT_ONCE)?;
                let seen = backup.progress();
                let pages = |n: i32| u64::try_from(n).unwrap_or_default();
                progress(pages(seen.pagecount - seen.remaining), pages(seen.pagecount));
                match step {
                    StepResult::Done => break,
                    StepResult::More => {}
                    _ => std::thread::sleep(Duration::from_millis(20)),
                }
            }
            drop(backup);
            copy.pragma_update(None, "journal_mode", "DELETE")?;
            copy.close().map_err(|(_, error)| error)
        };
        copied().map_err(LogbookError::database("copy", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{draft, open_and_running};
    use super::super::{Logbook as _, SqliteLogbook};

    #[test]
    fn a_copy_is_one_state_whoever_writes_meanwhile() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, mut book) = open_and_running(dir.path());
        let writing = std::sync::Mutex::new(&mut book);
        let reader = SqliteLogbook::open_to_read(&path).expect("whole");
        let copy = dir.path().join("copy.sqlite");
        let write = |_, _| {
            let mut book = writing.lock().expect("alone");
            let head = book.head();
            book.append(head, &[draft("meanwhile")]).expect("nobody waits");
        };
        reader.copy_to(&copy, write).expect("copied");
        assert_eq!(SqliteLogbook::open_to_read(&copy).expect("whole").head(), reader.head());
        assert!(book.head().seq > reader.head().seq);
    }
}
