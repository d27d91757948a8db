//! The list of refused files that uploaders find in their own directory, for those who have no account anywhere else.
//!
//! `<incoming>/<distribution>/REFUSED.txt` has the rule, the finding and the remedy of each refused file that is kept, the newest
//! first. It is written anew by the first scan after one has come or gone, and is removed with the last one. Whoever may write to
//! the directory can remove or replace it; the daemon never reads it, and replaces whatever lies under its name.
//!
//! Rejected: a file beside each refused one. They would be as many as the files, and an uploader's own file could have that name.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::gate::Gate;
use crate::store::disk::{self, Access, Disk, DiskError};
use crate::store::evidence::Kept;

/// Its name.
pub(super) const NAME: &str = "REFUSED.txt";

/// Most files in it; `rolloutctl rejected` has all.
const MOST: usize = 100;

/// What was written last.
#[derive(Debug, Default)]
pub struct RefusedList {
    /// The number of changes of the refused files by then.
    written: Option<u64>,
}

impl RefusedList {
    /// Brings the list up to date. Nothing depends on it, so what cannot be written is logged once and tried at the next change.
    pub fn follow(&mut self, disk: &dyn Disk, gate: &Gate) {
        let changes = gate.rejected.changes();
        if self.written == Some(changes) {
            return;
        }
        let is_first = self.written.replace(changes).is_none();
        let all = if gate.limits.list_refused { gate.rejected.list() } else { vec![] };
        if let Err(error) = write(disk, &gate.dir, &all, is_first) {
            tracing::warn!(%error, "could not write the list of refused files for uploaders");
        }
    }
}

fn write(disk: &dyn Disk, dir: &Path, all: &[Kept], is_first: bool) -> Result<(), DiskError> {
    let place = dir.join(NAME);
    if is_first {
        disk::sweep_own(disk, dir)?;
    }
    if !all.is_empty() {
        // A sync that fails stops all writing, and nothing depends on this file: the next start writes it again.
        let mut file = disk.fresh(dir, Access::Everybody)?;
        disk.write(&mut file, text(all).as_bytes())?;
        return disk.name(file, &place).map(drop);
    }
    match std::fs::symlink_metadata(&place) {
        Ok(meta) if !meta.is_dir() && meta.uid() == disk::me() => disk.remove(&place),
        _ => Ok(()),
    }
}

/// The list, for people.
fn text(all: &[Kept]) -> String {
    let mut text =
        "These files were refused. Each has the rule that it breaks, what was found, and what to do.\n".to_owned();
    for Kept { reason, .. } in all.iter().take(MOST) {
        let at = reason.refused_at.map(|at| format!(", refused {at:.0}")).unwrap_or_default();
        let _ = write!(text, "\n{}{at}\n  {}", reason.file, reason.code);
        if let Some((rule, remedy)) = reason.words() {
            let _ = write!(text, ": {rule}\n  found: {}\n  to do: {remedy}\n", reason.found);
        } else {
            let _ = write!(text, "\n  found: {}\n", reason.found);
        }
    }
    let more = all.len().saturating_sub(MOST);
    if more > 0 {
        let _ = write!(text, "\nand {more} more, which `rolloutctl rejected` lists\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::refusal::{Code, Refusal};
    use crate::store::disk::Kernel;
    use crate::store::rejected::Reason;

    fn kept(file: &str, code: Code, found: &str) -> Kept {
        let refusal = Refusal::new(code, found);
        let mut reason = Reason::new(Path::new(file), &refusal, 7, None);
        reason.refused_at = "2026-11-29T09:00:00Z".parse().ok();
        Kept::new(format!("0123-{file}"), 1, reason)
    }

    #[test]
    fn each_file_has_its_rule_what_was_found_and_what_to_do() {
        let all = [kept("a.rpm", Code::Unsigned, "no signature"), kept("b\n.rpm", Code::Text, "`\u{1b}` in the name")];
        insta::assert_snapshot!(text(&all));
        let many = vec![kept("a.rpm", Code::Unsigned, "no signature"); MOST + 2];
        assert!(text(&many).ends_with("and 2 more, which `rolloutctl rejected` lists\n"));
    }

    #[test]
    fn it_comes_and_goes_and_what_others_put_there_is_replaced_or_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let (disk, place) = (Kernel::default(), dir.path().join(NAME));
        let write = |all: &[Kept]| write(&disk, dir.path(), all, true).expect("written");
        write(&[]);
        assert!(!place.exists());
        // A link leads nowhere.
        let victim = dir.path().join("victim");
        disk::put(&disk, &victim, b"mine", Access::Owner).expect("written");
        std::os::unix::fs::symlink(&victim, &place).expect("linked");
        write(&[kept("a.rpm", Code::Unsigned, "no signature")]);
        assert!(std::fs::symlink_metadata(&place).expect("there").is_file());
        assert_eq!(std::fs::read(&victim).expect("there"), b"mine");
        let left = dir.path().join(format!("{}1-1", disk::TEMPORARY));
        disk::put(&disk, &left, b"half", Access::Owner).expect("written");
        write(&[]);
        assert!(!place.exists() && !left.exists() && victim.exists());
    }
}
