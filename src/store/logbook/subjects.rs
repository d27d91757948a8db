//! Which entries are about a thing: the index over the chain, and up to which entry it goes.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

/// The tables of the index.
pub(super) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS about(
        subject TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(subject, seq)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS indexed(seq INTEGER NOT NULL) STRICT;
    INSERT INTO indexed(seq) SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM indexed);";

/// The number of the last entry whose subjects are known.
pub(super) fn last_known(db: &Connection) -> rusqlite::Result<u64> {
    let seq: i64 = db.query_row("SELECT seq FROM indexed", [], |row| row.get(0))?;
    Ok(u64::try_from(seq).unwrap_or_default())
}

/// Notes what one entry is about.
pub(super) fn note(tx: &Transaction<'_>, seq: u64, about: &[String]) -> rusqlite::Result<()> {
    let mut note = tx.prepare_cached("INSERT OR IGNORE INTO about(subject, seq) VALUES(?1, ?2)")?;
    for subject in about {
        note.execute(params![subject, i64::try_from(seq).unwrap_or(i64::MAX)])?;
    }
    Ok(())
}

/// Notes that the subjects of all entries up to this one are known.
pub(super) fn note_last(tx: &Transaction<'_>, seq: u64) -> rusqlite::Result<()> {
    tx.execute("UPDATE indexed SET seq = ?1", [i64::try_from(seq).unwrap_or(i64::MAX)]).map(|_| ())
}

/// Notes the subjects of entries that a program wrote without noting them, in the order of the entries.
pub(super) fn note_all(db: &mut Connection, entries: &[(u64, Vec<String>)]) -> rusqlite::Result<()> {
    let Some((last, _)) = entries.last() else { return Ok(()) };
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (seq, about) in entries {
        note(&tx, *seq, about)?;
    }
    note_last(&tx, *last)?;
    tx.commit()
}

/// The numbers of up to `limit` entries about a thing, in order: those from number `from` on, or else the newest.
pub(super) fn numbers(db: &Connection, subject: &str, from: Option<u64>, limit: usize) -> rusqlite::Result<Vec<u64>> {
    let sql = match from {
        Some(_) => "SELECT seq FROM about WHERE subject = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3",
        None => "SELECT seq FROM about WHERE subject = ?1 AND seq >= ?2 ORDER BY seq DESC LIMIT ?3",
    };
    let from = i64::try_from(from.unwrap_or(0)).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![subject, from, limit], |row| row.get::<_, i64>(0))?;
    let number = |row: rusqlite::Result<i64>| row.map(|seq| u64::try_from(seq).unwrap_or_default());
    let mut numbers = rows.map(number).collect::<Result<Vec<u64>, _>>()?;
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::super::tests::draft;
    use super::super::{Draft, Logbook as _, LogbookError, Reader, SqliteLogbook};
    use super::*;

    /// The bodies of entries about a thing.
    fn about(book: &SqliteLogbook, subject: &str, from: Option<u64>, limit: usize) -> Vec<String> {
        book.about(subject, from, limit).expect("read").into_iter().map(|entry| entry.draft.body).collect()
    }

    #[test]
    fn the_newest_entries_about_a_thing_are_shown_in_order_unless_a_beginning_is_asked_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut book = SqliteLogbook::open(&dir.path().join("logbook.sqlite")).expect("a new logbook");
        let drafts: Vec<Draft> = (1..=9)
            .map(|n| Draft { about: vec![(if n % 2 == 0 { "a" } else { "b" }).to_owned()], ..draft(&n.to_string()) })
            .collect();
        book.append(book.head(), &drafts).expect("appended");
        assert_eq!(about(&book, "a", None, 2), ["6", "8"]);
        assert_eq!(about(&book, "a", Some(3), 2), ["4", "6"]);
        assert_eq!(about(&book, "b", Some(8), 10), ["9"]);
        assert_eq!(about(&book, "c", None, 10), Vec::<String>::new());
        assert_eq!(about(&book, "a", None, 0), Vec::<String>::new());
        let reader = Reader::of(dir.path().join("logbook.sqlite"));
        assert_eq!(reader.about("a", None, 1).expect("read")[0].seq, 8);
        Connection::open(dir.path().join("logbook.sqlite"))
            .expect("open")
            .execute_batch("UPDATE entry SET who = 'mean' WHERE seq = 8")
            .expect("tampered");
        assert!(matches!(reader.about("a", None, 1), Err(LogbookError::Broken { seq: 8, .. })));
    }

    #[test]
    fn what_an_older_program_has_appended_is_indexed_later_and_nothing_is_noted_behind_the_gap() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("logbook.sqlite");
        let noted = |text: &str| Draft { about: vec!["a".to_owned()], ..draft(text) };
        let mut book = SqliteLogbook::open(&path).expect("a new logbook");
        book.append(book.head(), &[noted("one")]).expect("appended");
        // It knows nothing of the index, or there is none yet.
        book.append(book.head(), &[noted("two")]).expect("appended");
        Connection::open(&path)
            .expect("open")
            .execute_batch("DELETE FROM about WHERE seq = 2; UPDATE indexed SET seq = 1")
            .expect("as the older one has it");
        book.append(book.head(), &[noted("three")]).expect("appended");
        assert_eq!((book.indexed().expect("read"), about(&book, "a", None, 9)), (1, vec!["one".to_owned()]));
        book.index(&[(2, vec!["a".to_owned()]), (3, vec!["a".to_owned()])]).expect("indexed");
        book.append(book.head(), &[noted("four")]).expect("appended");
        assert_eq!(book.indexed().expect("read"), 4);
        assert_eq!(about(&book, "a", None, 9), ["one", "two", "three", "four"]);
    }
}
