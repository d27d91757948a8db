//! Whose a tree is: clients fetch only what nobody but the daemon can change.
//!
//! Strangers write into the drop directory, which nobody serves. From the site's root down to the last directory of
//! a tree, everything belongs to the daemon's user (or to root, who can do anything anyhow), and nobody else may
//! write there. Whoever can write into a directory can exchange what lies in it, whatever the files themselves allow,
//! between the moment at which the daemon looks and the moment at which a client fetches. So a tree that others can
//! write is not published and nothing moves into or out of it.
//!
//! A file is *guarded* when nobody but the daemon and root can write into it, and *sealed* when the daemon made it so
//! itself: its own user, mode 0444. Only a sealed file whose inode the index knows ([`super::index::Index::made`]) is
//! linked onward. A `chown` gives a stranger's file to the daemon, and leaves the descriptor that he still has open.
//!
//! Group bits stand for access lists, too: where there is one, they are its mask (`acl(5)`).

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::disk::{AtPath as _, DiskError, me};
use super::tree::{self, PACKAGES, REPODATA};
use crate::domain::names::TreeId;

/// Write access of the group and of everybody.
const OTHERS_WRITE: u32 = 0o022;
/// Who may do what.
const PERMISSIONS: u32 = 0o7777;
/// Of a file that nobody writes to any more.
const SEALED: u32 = 0o444;

/// Whether nobody but the daemon and root can write.
pub fn guarded(uid: u32, mode: u32) -> bool {
    guarded_by(me(), uid, mode)
}

/// The same, of the daemon's user.
pub fn guarded_by(owner: u32, uid: u32, mode: u32) -> bool {
    (uid == owner || uid == 0) && mode & OTHERS_WRITE == 0
}

/// Whether a regular file is as the daemon leaves each package.
pub fn sealed(meta: &std::fs::Metadata) -> bool {
    meta.is_file() && meta.uid() == me() && meta.mode() & PERMISSIONS == SEALED
}

/// The daemon's user, as somebody who is not the daemon knows him: root asks for whoever has the state directory.
pub fn of_site(state: &Path) -> u32 {
    let meta = std::fs::metadata(state).ok().filter(|_| me() == 0);
    meta.map_or_else(me, |meta| meta.uid())
}

/// A tree that others can write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The first such directory, from the root down.
    pub dir: PathBuf,
    /// Its owner.
    pub uid: u32,
    /// Its permissions.
    pub mode: u32,
    /// How many more there are.
    pub more: usize,
    /// To whom they should belong.
    owner: u32,
    /// Whether one of them belongs to somebody else.
    foreign: bool,
    /// Whether the group or everybody may write in one of them.
    writable: bool,
}

impl Open {
    /// What is wrong, in one sentence.
    pub fn what(&self) -> String {
        let more = match self.more {
            0 => String::new(),
            1 => " and 1 more directory".to_owned(),
            more => format!(" and {more} more directories"),
        };
        format!("{}{more} can be changed by others (owner {}, mode {:04o})", self.dir.display(), self.uid, self.mode)
    }

    /// What mends it. Of the directories alone: a file that somebody else could write into is known by its owner and
    /// its mode, and is replaced by a copy; to give it away would leave whoever has it open.
    pub fn remedy(&self) -> String {
        let dir = self.dir.display();
        let chown = self.foreign.then(|| format!(" -exec chown {} {{}} +", self.owner));
        let chmod = self.writable.then_some(" -exec chmod go-w {} +");
        format!("find {dir} -type d{}{}", chown.unwrap_or_default(), chmod.unwrap_or_default())
    }
}

/// How far a look goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// At the directories that are ours: cheap enough for each publication.
    AtOurs,
    /// At every directory in the tree, whoever has made it.
    AtAll,
}

/// Most directories of a tree that are looked at, and how deep; ours has some dozens, two deep.
const DIRECTORIES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 16;

/// Looks at the directories of a tree, from the root down; all should belong to `owner`. A tree that is not there yet
/// has none.
///
/// # Errors
/// With the path that cannot be looked at.
pub fn look(root: &Path, id: &TreeId, owner: u32, how: Look) -> Result<Option<Open>, DiskError> {
    let mut dirs = vec![root.to_owned()];
    let mut path = root.to_owned();
    for part in [id.tree.as_str()].into_iter().chain(id.dist.parts()) {
        path.push(part);
        dirs.push(path.clone());
    }
    dirs.push(path.join(REPODATA));
    dirs.push(path.join(PACKAGES));
    // What is known of these from reading the directory above them takes a third of the time.
    let mut packages = Vec::new();
    tree::each_package_dir(&path, |entry| packages.push((entry.path(), entry.metadata())))?;
    if how == Look::AtAll {
        let known: BTreeSet<PathBuf> = dirs.iter().chain(packages.iter().map(|(dir, _)| dir)).cloned().collect();
        dirs.extend(below(&path)?.into_iter().filter(|dir| !known.contains(dir)));
    }
    let mut found: Option<Open> = None;
    let asked = dirs.into_iter().map(|dir| {
        let meta = std::fs::symlink_metadata(&dir);
        (dir, meta)
    });
    for (dir, meta) in asked.chain(packages) {
        let meta = match meta {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other.at("look at", &dir)?,
        };
        if !meta.is_dir() || guarded_by(owner, meta.uid(), meta.mode()) {
            continue;
        }
        let (uid, mode) = (meta.uid(), meta.mode() & PERMISSIONS);
        let first = found.is_none();
        let open = found.get_or_insert(Open { dir, uid, mode, more: 0, owner, foreign: false, writable: false });
        open.more += usize::from(!first);
        open.foreign |= uid != owner && uid != 0;
        open.writable |= mode & OTHERS_WRITE != 0;
    }
    Ok(found)
}

/// All directories below one. Links are not followed; what cannot be listed is left to whoever reads it.
fn below(dir: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let mut found = Vec::new();
    let mut todo = vec![(dir.to_owned(), 0)];
    while let Some((dir, depth)) = todo.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Err(_) if depth > 0 => continue,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            other => other.at("list", &dir)?,
        };
        for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            found.push(entry.path());
            if found.len() == DIRECTORIES_MAX {
                return Ok(found);
            }
            if depth < DEPTH_MAX {
                todo.push((entry.path(), depth + 1));
            }
        }
    }
    Ok(found)
}

/// Files in a directory, and not below it, into which somebody else can write.
///
/// # Errors
/// With the path at fault; a directory that is not there has none.
pub fn open_files(dir: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.at("list", dir)?,
    };
    let mut open = Vec::new();
    for entry in entries {
        let entry = entry.at("list", dir)?;
        // What vanishes meanwhile is nobody's.
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_file() && !guarded(meta.uid(), meta.mode()) {
            open.push(entry.path());
        }
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::disk::{Disk as _, Kernel};
    use super::*;

    fn id() -> TreeId {
        TreeId { dist: "umd/3".parse().expect("a path"), tree: "testing".parse().expect("a name") }
    }

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("changed");
    }

    #[test]
    fn each_directory_from_the_root_down_is_the_daemons_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("sw");
        assert_eq!(look(&root, &id(), me(), Look::AtOurs).expect("looked at"), None, "there is none yet");
        Kernel::default().make_dir(&root.join("testing/umd/3/Packages/a")).expect("made");
        Kernel::default().make_dir(&root.join("testing/umd/3/repodata")).expect("made");
        assert_eq!(look(&root, &id(), me(), Look::AtOurs).expect("looked at"), None);
        for below in
            ["", "testing", "testing/umd", "testing/umd/3", "testing/umd/3/repodata", "testing/umd/3/Packages/a"]
        {
            for mode in [0o775, 0o757, 0o1777, 0o2775] {
                let place = root.join(below);
                chmod(&place, mode);
                let open = look(&root, &id(), me(), Look::AtOurs).expect("looked at").expect("others can write");
                assert_eq!((open.dir.join(""), open.mode, open.more), (place.join(""), mode, 0));
                assert_eq!(open.remedy(), format!("find {} -type d -exec chmod go-w {{}} +", open.dir.display()));
                chmod(&place, 0o755);
            }
        }
        // One that somebody else has made there.
        let foreign = root.join("testing/umd/3/rd2/deep");
        Kernel::default().make_dir(&foreign).expect("made");
        chmod(&foreign, 0o777);
        assert_eq!(look(&root, &id(), me(), Look::AtOurs).expect("looked at"), None);
        let open = look(&root, &id(), me(), Look::AtAll).expect("looked at").expect("others can write");
        assert_eq!(open.dir, foreign);
        chmod(&foreign, 0o755);
        chmod(&root, 0o777);
        chmod(&root.join("testing"), 0o777);
        let open = look(&root, &id(), me(), Look::AtOurs).expect("looked at").expect("others can write");
        assert_eq!((open.dir.as_path(), open.more), (root.as_path(), 1));
        assert!(open.what().contains("and 1 more directory can be changed by others"), "{}", open.what());
    }

    #[test]
    fn a_directory_of_somebody_else_is_not_the_daemons() {
        if me() != 0 {
            eprintln!("left out: only root can give a directory away");
            return;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let place = dir.path().join("testing/umd/3/Packages");
        Kernel::default().make_dir(&place).expect("made");
        std::os::unix::fs::chown(&place, Some(60002), None).expect("given away");
        let open = look(dir.path(), &id(), me(), Look::AtOurs).expect("looked at").expect("it is his");
        assert_eq!(open.remedy(), format!("find {} -type d -exec chown 0 {{}} +", place.display()));
        assert_eq!(look(dir.path(), &id(), 60002, Look::AtOurs).expect("looked at"), None, "he is the daemon");
    }

    #[test]
    fn a_package_is_sealed_when_nobody_writes_to_it_any_more() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.rpm");
        std::fs::File::create(&path).expect("made");
        for (mode, is_guarded, is_sealed) in [
            (0o444, true, true),
            (0o644, true, false),
            (0o664, false, false),
            (0o446, false, false),
            (0o4444, true, false),
        ] {
            chmod(&path, mode);
            let meta = std::fs::symlink_metadata(&path).expect("there");
            assert_eq!((guarded(meta.uid(), meta.mode()), sealed(&meta)), (is_guarded, is_sealed), "{mode:o}");
        }
    }
}
