//! Who owns a tree, and who else could change it: clients fetch only what nobody but the daemon can change.
//!
//! Strangers write into the drop directory, which is not served. From the site's root down to the last directory of a
//! tree, everything belongs to the daemon's user (or to root, who can do anything anyway), and nobody else may write
//! there. Whoever can write to a directory can replace its files, whatever their own modes, between the moment the
//! daemon looks and the moment a client fetches. So a tree that others can write to is not published, and nothing moves
//! into or out of it.
//!
//! A file is *guarded* if only the daemon and root can write to it, and *sealed* if the daemon made it so itself: its
//! own user, mode 0444. Only a sealed file whose inode the index knows ([`super::index::Index::made`]) is linked
//! onward. A `chown` gives a stranger's file to the daemon but leaves the stranger's open descriptor.
//!
//! Group bits also cover access lists: where there is one, they are its mask (`acl(5)`).

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::disk::{AtPath as _, DiskError, me};
use super::tree::{self, PACKAGES, REPODATA};
use crate::domain::names::TreeId;

/// Write permission for the group and for everybody.
const OTHERS_WRITE: u32 = 0o022;
/// The permission bits of a mode.
const PERMISSIONS: u32 = 0o7777;
/// The mode of a file that is never written again.
const SEALED: u32 = 0o444;

/// Whether only the daemon and root can write.
pub fn guarded(uid: u32, mode: u32) -> bool {
    guarded_by(me(), uid, mode)
}

/// The same for a given daemon user.
pub fn guarded_by(owner: u32, uid: u32, mode: u32) -> bool {
    (uid == owner || uid == 0) && mode & OTHERS_WRITE == 0
}

/// Whether a regular file is in the state in which the daemon leaves each package.
pub fn sealed(meta: &std::fs::Metadata) -> bool {
    meta.is_file() && meta.uid() == me() && meta.mode() & PERMISSIONS == SEALED
}

/// The daemon's user, as seen by another process: for root, the owner of the state directory.
pub fn of_site(state: &Path) -> u32 {
    let meta = std::fs::metadata(state).ok().filter(|_| me() == 0);
    meta.map_or_else(me, |meta| meta.uid())
}

/// A tree that others can write to.
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
    /// The expected owner.
    owner: u32,
    /// Whether one of them belongs to somebody else.
    foreign: bool,
    /// Whether the group or everybody may write to one of them.
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

    /// The command that fixes it, for directories only: a file that somebody else could write to is recognised by its
    /// owner and mode, and is replaced by a copy; a `chown` would leave open descriptors.
    pub fn remedy(&self) -> String {
        let dir = self.dir.display();
        let chown = self.foreign.then(|| format!(" -exec chown {} {{}} +", self.owner));
        let chmod = self.writable.then_some(" -exec chmod go-w {} +");
        format!("find {dir} -type d{}{}", chown.unwrap_or_default(), chmod.unwrap_or_default())
    }
}

/// Which directories are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Only our own: cheap enough for each publication.
    AtOurs,
    /// Every directory in the tree, whoever made it.
    AtAll,
}

/// Most directories of a tree that are checked, and how deep; ours have some dozens, two levels deep.
const DIRECTORIES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 16;

/// Checks the directories of a tree, from the root down; all should belong to `owner`. A tree that does not exist yet
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
    // Using the directory entries, instead of looking at each one, takes a third of the time.
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

/// All directories below one. Links are not followed; directories that cannot be listed are left to whoever reads them.
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

/// The files directly in a directory that somebody else can write to.
///
/// # Errors
/// With the path that failed; a missing directory has none.
pub fn open_files(dir: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.at("list", dir)?,
    };
    let mut open = Vec::new();
    for entry in entries {
        let entry = entry.at("list", dir)?;
        // Whatever vanishes meanwhile is skipped.
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
        // One that somebody else made there.
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
