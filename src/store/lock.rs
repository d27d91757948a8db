//! One daemon for each site: the locks.
//!
//! `<state>/lock` and `<root>/.rolloutd.lock` are locked with `flock` for as long as the daemon runs; the kernel
//! releases them when the process dies, so a lock is never stale. The files hold the process id and configuration of
//! the holder, for the error message of a second daemon, and they are never removed: a lock on a removed file would
//! protect nothing. Both are locked because two configurations may share the trees but not the state, or the reverse.
//!
//! # Several machines
//!
//! On NFS, `flock` locks at the server (Linux 2.6.12 and later), so a daemon on another machine that mounts the same
//! root is refused too; the holder names its machine. This fails where a mount has `nolock`, `local_lock=flock` or
//! `local_lock=all`, or where the server does not support locks: each machine then has its own locks, and nothing here
//! can tell. The remaining protection is that a daemon stops changing a tree whose metadata its logbook does not know.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Gid, Mode, OFlags, Uid};

use super::disk::{self, AtPath as _, DiskError};

/// Proof that this process is the only writer of a site; dropping it releases the locks.
#[derive(Debug)]
pub struct SiteLock {
    files: Vec<(PathBuf, File)>,
}

impl SiteLock {
    /// The lock file that no longer has its name: a second daemon would create a new one and lock that.
    pub fn lost(&self) -> Option<&Path> {
        let is_lost = |(path, file): &&(PathBuf, File)| {
            let (held, named) = (file.metadata(), std::fs::symlink_metadata(path));
            match (held, named) {
                (Ok(held), Ok(named)) => (held.dev(), held.ino()) != (named.dev(), named.ino()),
                (_, Err(error)) => error.kind() == std::io::ErrorKind::NotFound,
                (Err(_), _) => false,
            }
        };
        self.files.iter().find(is_lost).map(|(path, _)| path.as_path())
    }
}

/// Why the site cannot be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{} is held by another rolloutd ({holder}); stop it first, or give this one another site",
             path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What the holder wrote into it.
        holder: String,
    },
    /// The directory is part of a site.
    #[error("{} belongs to the site in {}; only its daemon writes metadata there", dir.display(), root.display())]
    Site {
        /// The directory.
        dir: PathBuf,
        /// The site's root.
        root: PathBuf,
    },
    /// It belongs to another user.
    #[error(
        "could not open {}: {} belongs to {owner}, but this runs as {me}: run it as {owner}; or, to give it to \
         {me}, as root, `chown -R --from={owner} {me} {}`", path.display(), dir.display(), dir.display()
    )]
    Anothers {
        /// The lock file.
        path: PathBuf,
        /// The site directory that it is in.
        dir: PathBuf,
        /// That directory's owner.
        owner: String,
        /// The user of this process.
        me: String,
    },
    /// The lock file cannot be opened.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Locks a site: its state directory and its root.
///
/// `who` is written into the lock files as one line, to be shown to a second daemon.
///
/// # Errors
/// Names the holder if there is one.
pub fn lock_site(state: &Path, root: &Path, who: &str) -> Result<SiteLock, LockError> {
    let files = [state.join("lock"), root.join(ROOT_LOCK)];
    let lock = |path: PathBuf| lock_file(&path, who).map(|file| (path, file));
    files.into_iter().map(lock).collect::<Result<_, _>>().map(|files| SiteLock { files })
}

/// The same where the root need not exist yet: nobody can use trees that do not exist.
///
/// # Errors
/// Names the holder if there is one.
pub fn lock_site_or_state(state: &Path, root: &Path, who: &str) -> Result<SiteLock, LockError> {
    if root.is_dir() {
        return lock_site(state, root, who);
    }
    let path = state.join("lock");
    Ok(SiteLock { files: vec![(path.clone(), lock_file(&path, who)?)] })
}

/// The lock file in the root of a site.
const ROOT_LOCK: &str = ".rolloutd.lock";

/// Locks what a program other than the daemon writes to: its state by a file, and a directory by itself.
///
/// # Errors
/// Names the holder if there is one; also if the directory belongs to a site, where only its daemon writes.
pub fn lock_folder(state: &Path, dir: &Path, who: &str) -> Result<SiteLock, LockError> {
    if let Some(root) = dir.ancestors().find(|above| above.join(ROOT_LOCK).exists()) {
        return Err(LockError::Site { dir: dir.to_owned(), root: root.to_owned() });
    }
    let file = lock_file(&state.join("lock"), who)?;
    let opened = rustix::fs::open(dir, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let folder = File::from(opened.at("open", dir)?);
    match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(SiteLock { files: vec![(state.join("lock"), file), (dir.to_owned(), folder)] }),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Held {
            path: dir.to_owned(),
            holder: "rolloutd index with another state directory".to_owned(),
        }),
        Err(error) => Err(DiskError::new("lock", dir, error.into()).into()),
    }
}

fn lock_file(path: &Path, who: &str) -> Result<File, LockError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let opened = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR);
    if let Err(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) = opened
        && let Some(refusal) = anothers(path)
    {
        return Err(refusal);
    }
    let mut file = File::from(opened.at("open", path)?);
    belongs_to_the_site(&file, path);
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            // The holder writes one short line; anything longer is not from it.
            let mut holder = String::new();
            let _ = (&mut file).take(400).read_to_string(&mut holder);
            return Err(LockError::Held { path: path.to_owned(), holder: holder.trim().to_owned() });
        }
        Err(error) => return Err(DiskError::new("lock", path, error.into()).into()),
    }
    file.set_len(0).at("write to", path)?;
    file.rewind().at("write to", path)?;
    writeln!(file, "{who}").at("write to", path)?;
    Ok(file)
}

/// A site directory that belongs to another user, such as trees copied from another machine. One that belongs to root
/// does not count: whoever created it by mistake is told to change just its owner.
fn anothers(path: &Path) -> Option<LockError> {
    let (dir, me) = (path.parent()?, disk::me());
    let owner = std::fs::metadata(dir).ok()?.uid();
    let (path, dir) = (path.to_owned(), dir.to_owned());
    (owner != me && owner != 0).then(|| LockError::Anothers { path, dir, owner: disk::user(owner), me: disk::user(me) })
}

/// A lock file created by root would lock out the daemon's user for ever, so it is given to the owner of its directory.
fn belongs_to_the_site(file: &File, path: &Path) {
    let owner = path.parent().and_then(|dir| std::fs::metadata(dir).ok());
    if let Some(owner) = owner.filter(|owner| rustix::process::geteuid().is_root() && owner.uid() != 0) {
        // If that fails, the next start says who owns it.
        let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
        let _ = rustix::fs::fchown(file, Some(uid), Some(gid));
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Disk as _, Kernel};
    use super::*;

    #[test]
    fn the_second_daemon_refuses_and_names_the_first() {
        let (state, root) = (tempfile::tempdir().expect("state"), tempfile::tempdir().expect("root"));
        let first = lock_site(state.path(), root.path(), "pid 42, /etc/a.toml").expect("free");
        let refused = lock_site(state.path(), root.path(), "pid 43").expect_err("held");
        assert!(refused.to_string().contains("pid 42, /etc/a.toml"), "{refused}");
        drop(first);
        lock_site(state.path(), root.path(), "pid 44").expect("the lock dies with its holder");
    }

    #[test]
    fn a_directory_is_locked_whatever_the_state_is_and_never_below_a_site() {
        let (one, two, dir) = (
            tempfile::tempdir().expect("state"),
            tempfile::tempdir().expect("state"),
            tempfile::tempdir().expect("a directory"),
        );
        let first = lock_folder(one.path(), dir.path(), "pid 42").expect("free");
        assert!(matches!(lock_folder(one.path(), dir.path(), "pid 43"), Err(LockError::Held { .. })));
        assert!(matches!(lock_folder(two.path(), dir.path(), "pid 43"), Err(LockError::Held { .. })));
        drop(first);
        let root = tempfile::tempdir().expect("root");
        let tree = root.path().join("untested");
        std::fs::create_dir(&tree).expect("made");
        drop(lock_site(one.path(), root.path(), "pid 44").expect("free"));
        let refused = lock_folder(two.path(), &tree, "pid 45").expect_err("a site's");
        assert!(refused.to_string().contains("only its daemon"), "{refused}");
    }

    #[test]
    fn a_lock_file_that_was_removed_is_missed() {
        let (state, root) = (tempfile::tempdir().expect("state"), tempfile::tempdir().expect("root"));
        let first = lock_site(state.path(), root.path(), "pid 42").expect("free");
        assert_eq!(first.lost(), None);
        let path = root.path().join(ROOT_LOCK);
        Kernel::default().rename(&path, &root.path().join("aside")).expect("moved");
        assert_eq!(first.lost(), Some(path.as_path()));
        lock_site(state.path(), root.path(), "pid 43").expect_err("the other place still holds");
        let second = tempfile::tempdir().expect("state");
        lock_site(second.path(), root.path(), "pid 44").expect("this is what it is missed for");
        assert_eq!(first.lost(), Some(path.as_path()), "another file has its name");
        Kernel::default().rename(&root.path().join("aside"), &path).expect("moved back");
        assert_eq!(first.lost(), None);
    }

    #[test]
    fn two_states_cannot_share_one_root() {
        let (one, two, root) = (
            tempfile::tempdir().expect("state"),
            tempfile::tempdir().expect("state"),
            tempfile::tempdir().expect("root"),
        );
        let _first = lock_site(one.path(), root.path(), "pid 42").expect("free");
        assert!(matches!(lock_site(two.path(), root.path(), "pid 43"), Err(LockError::Held { .. })));
    }
}
