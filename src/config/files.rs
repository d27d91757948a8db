//! Checks one file or directory: what it is, and who may access it.
//!
//! Nothing is created or changed here. Reads are bounded, and only regular files are read, so that a pipe in place of a
//! key blocks neither a check nor a reload. All files that the admin names are read by [`content`].

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::format::complaint::Trouble;
use crate::format::spelling::nearest;
use crate::store::disk;

/// Most names of a directory that are compared with a missing one.
const NEIGHBOURS_MAX: usize = 1000;

/// Write permission for everybody (`chmod(2)`).
const OTHERS_WRITE: u32 = 0o002;
/// The same for the group.
const GROUP_WRITE: u32 = 0o020;
/// The sticky bit of a directory: only owners may remove or rename.
const STICKY: u32 = 0o1000;
/// Any permission for everybody.
const OTHERS: u32 = 0o007;

fn trouble(what: String, hint: Option<String>) -> Trouble {
    Trouble { what, hint }
}

/// The content of a regular file of at most `most` bytes.
///
/// # Errors
/// Says what is there instead, or which name in that directory was probably meant.
pub fn content(path: &Path, most: usize) -> Result<(Vec<u8>, Metadata), Trouble> {
    let shown = path.display();
    let plain = |what: String| trouble(what, None);
    let (file, metadata) = match open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(absent(path)),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let hint = format!("the user that runs rolloutd must be able to read it: see `ls -l {shown}`");
            return Err(trouble(format!("{shown} cannot be read: {}", reason(&error)), Some(hint)));
        }
        Err(error) => return Err(plain(format!("{shown} cannot be read: {}", reason(&error)))),
    };
    if !metadata.is_file() {
        return Err(plain(format!("{shown} is {}; it must be a file", kind(&metadata))));
    }
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if let Err(error) = file.take(limit).read_to_end(&mut bytes) {
        return Err(plain(format!("{shown} cannot be read: {}", reason(&error))));
    }
    if bytes.len() > most {
        return Err(plain(format!("{shown} has more than {most} bytes")));
    }
    Ok((bytes, metadata))
}

/// Opens anything for reading without blocking: a pipe may have no writer, and a terminal nobody at it. Links are
/// followed, since the admin names the file. The metadata tells what it is.
fn open(path: &Path) -> std::io::Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(opened) => File::from(opened),
        // A socket, or a device without a driver, cannot even be opened.
        Err(Errno::NXIO | Errno::NODEV) => {
            return Err(std::io::Error::other("it is neither a file nor a directory"));
        }
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn absent(path: &Path) -> Trouble {
    let what = format!("{} does not exist", path.display());
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { return trouble(what, None) };
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let Ok(entries) = std::fs::read_dir(dir) else {
        return trouble(what, Some(format!("{} does not exist either, or cannot be read", dir.display())));
    };
    let names: Vec<String> =
        entries.take(NEIGHBOURS_MAX).flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let near = nearest(&name.to_string_lossy(), names.iter().map(String::as_str));
    trouble(what, near.map(|near| format!("did you mean {}?", dir.join(near).display())))
}

/// An error of the operating system without its number.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_lowercase()
}

fn kind(metadata: &Metadata) -> &'static str {
    if metadata.is_dir() {
        "a directory"
    } else if metadata.is_file() {
        "a file"
    } else {
        "neither a file nor a directory"
    }
}

/// Complains if everybody has any permission for a secret.
pub fn open_to_others(path: &Path, metadata: &Metadata) -> Option<Trouble> {
    let mode = metadata.mode() & 0o7777;
    (mode & OTHERS != 0).then(|| {
        let what = format!("everybody on this machine can read {} (mode {mode:04o})", path.display());
        trouble(what, Some(format!("chmod o= {}", path.display())))
    })
}

/// Complains if everybody may change a file, or replace it in its directory.
pub fn changeable_by_others(path: &Path) -> Option<Trouble> {
    std::iter::once(path).chain(path.parent()).find_map(|part| {
        let mode = std::fs::metadata(part).ok()?.mode() & 0o7777;
        let guarded = mode & OTHERS_WRITE == 0 || (part != path && mode & STICKY != 0);
        (!guarded).then(|| {
            let what = format!("everybody on this machine can change {} (mode {mode:04o})", part.display());
            // Others, and a group, may not write where only the daemon does.
            let bits = if mode & GROUP_WRITE != 0 && part == path && part.is_dir() { "go-w" } else { "o-w" };
            trouble(what, Some(format!("chmod {bits} {}", part.display())))
        })
    })
}

/// What a path leads to, as far as it exists.
#[derive(Debug)]
pub struct Directory {
    /// The existing part of the path, with symbolic links resolved.
    pub real: PathBuf,
    /// Whether all of it exists.
    pub exists: bool,
    /// Of the existing part.
    pub metadata: Metadata,
}

/// Checks a directory that exists or will be created.
///
/// # Errors
/// If something else is in the way, or the directory can be neither used nor created.
pub fn directory(path: &Path) -> Result<Directory, Trouble> {
    let plain = |what: String| trouble(what, None);
    for part in path.ancestors() {
        let metadata = match std::fs::metadata(part) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if std::fs::symlink_metadata(part).is_ok() {
                    return Err(plain(format!("{} is a dangling symbolic link", part.display())));
                }
                continue;
            }
            // A file in place of a directory is found when its own turn comes.
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => continue,
            Err(error) => return Err(plain(format!("{} cannot be examined: {}", part.display(), reason(&error)))),
        };
        if !metadata.is_dir() {
            return Err(plain(format!("{} is {}; it must be a directory", part.display(), kind(&metadata))));
        }
        let exists = part == path;
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        if let Err(error) = rustix::fs::access(part, access) {
            let whose = if exists {
                format!("the user that runs rolloutd must be able to write to {}", part.display())
            } else {
                // The directory above it often belongs to the system.
                format!("create it for the user that runs rolloutd: {}", disk::remedy_of_missing(path))
            };
            let what = match (exists, reason(&error.into())) {
                (true, why) => format!("{} cannot be written to: {why}", part.display()),
                (false, why) => format!("{} cannot be created in {}: {why}", path.display(), part.display()),
            };
            return Err(trouble(what, Some(whose)));
        }
        let real = std::fs::canonicalize(part)
            .map_err(|error| plain(format!("{} cannot be examined: {}", part.display(), reason(&error))))?;
        return Ok(Directory { real, exists, metadata });
    }
    Err(plain(format!("no parent directory of {} exists", path.display())))
}

/// The first symbolic link on the way to `path`, after `from`, and where it leads.
pub fn link_on_the_way(from: &Path, path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut parts: Vec<&Path> = path.ancestors().take_while(|part| *part != from).collect();
    parts.reverse();
    parts.into_iter().find_map(|part| std::fs::read_link(part).ok().map(|to| (part.to_owned(), to)))
}

/// The file system of a directory, as a unique number.
pub fn file_system(metadata: &Metadata) -> u64 {
    metadata.dev()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "files to be looked at are made by the test itself")]

    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_file_that_is_not_there_has_a_neighbour() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("RPM-GPG-KEY-example"), "x").expect("written");
        let wanted = dir.path().join("RPM-GPG-KEY-exmaple");
        let absent = content(&wanted, 10).expect_err("absent");
        assert_eq!(absent.what, format!("{} does not exist", wanted.display()));
        assert!(absent.hint.expect("a hint").ends_with("RPM-GPG-KEY-example?"));
    }

    #[test]
    fn only_regular_files_of_bounded_size_are_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        std::fs::write(&file, "12345").expect("written");
        assert_eq!(content(&file, 5).map(|(bytes, _)| bytes), Ok(b"12345".to_vec()));
        assert!(content(&file, 4).is_err());
        assert!(content(dir.path(), 4).expect_err("a directory").what.ends_with("is a directory; it must be a file"));
        // Nobody writes to the pipe, and nobody listens on the socket.
        let (pipe, socket) = (dir.path().join("pipe"), dir.path().join("socket"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RWXU).expect("a pipe");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        symlink("pipe", dir.path().join("link")).expect("linked");
        for path in [pipe, socket, dir.path().join("link"), "/dev/null".into()] {
            let what = content(&path, 4).expect_err("no file").what;
            assert!(
                what.ends_with("neither a file nor a directory") || what.ends_with("; it must be a file"),
                "{what}"
            );
        }
    }

    #[test]
    fn access_of_everybody_is_told_with_its_cure() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        std::fs::write(&file, "x").expect("written");
        let mode = |mode| {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("changed");
            let metadata = std::fs::metadata(&file).expect("there");
            (open_to_others(&file, &metadata).is_some(), changeable_by_others(&file).is_some())
        };
        assert_eq!(mode(0o640), (false, false));
        assert_eq!(mode(0o644), (true, false));
        assert_eq!(mode(0o646), (true, true));
    }

    #[test]
    fn a_directory_is_there_or_can_be_made_or_something_is_in_the_way() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(directory(dir.path()).expect("there").exists);
        assert!(!directory(&dir.path().join("a/b")).expect("can be made").exists);
        let file = dir.path().join("file");
        std::fs::write(&file, "x").expect("written");
        for path in [&file, &file.join("a"), &file.join("a/b")] {
            let what = directory(path).expect_err("a file is in the way").what;
            assert_eq!(what, format!("{} is a file; it must be a directory", file.display()));
        }
        symlink("nowhere", dir.path().join("link")).expect("linked");
        let what = directory(&dir.path().join("link/a")).expect_err("a dangling link").what;
        assert!(what.ends_with("is a dangling symbolic link"), "{what}");
    }

    #[test]
    fn the_first_link_below_a_directory_is_found() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("a")).expect("made");
        symlink("a", root.join("b")).expect("linked");
        assert_eq!(link_on_the_way(&root, &root.join("b/c")), Some((root.join("b"), PathBuf::from("a"))));
        assert_eq!(link_on_the_way(&root, &root.join("a/c")), None);
    }
}
