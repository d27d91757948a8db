//! Superseded metadata and withdrawn packages, removed after their grace period.
//!
//! As measured elsewhere, keeping a number of generations breaks a few reads in ten thousand, while keeping superseded
//! files for a time broke none in a million (threats F10). So nothing is removed when it is superseded; the logbook
//! remembers when that was, and this step runs later, separately.
//!
//! What never happens: a file that the current `repomd.xml` or the index still names is removed, whoever asks for it.

use std::collections::BTreeSet;
use std::path::Path;

use super::disk::{Disk, DiskError};
use super::tree::{self, REPODATA};

/// What became of the files to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// Removed.
    pub gone: Vec<String>,
    /// In use again, or not a path of metadata or packages: they stay, and need not be asked about again.
    pub kept: Vec<String>,
}

/// Removes files below a tree; paths in `named`, or that are not paths of metadata or packages, are left alone.
///
/// # Errors
/// With the path that failed; what was removed before that is gone, and the next attempt will find it gone.
pub fn retire(disk: &dyn Disk, dir: &Path, files: &[String], named: &BTreeSet<String>) -> Result<Retired, DiskError> {
    let mut retired = Retired::default();
    let mut dirs = BTreeSet::new();
    for file in files {
        let parts: Vec<&str> = file.split('/').collect();
        let plain = parts.iter().all(|part| !part.is_empty() && *part != "." && *part != "..");
        let ours = match parts.as_slice() {
            [REPODATA, below @ ..] => below.len() == 1,
            // In a tree that was taken over, packages are anywhere.
            [.., name] => tree::is_rpm(name),
            [] => false,
        };
        if !plain || !ours || named.contains(file) {
            retired.kept.push(file.clone());
            continue;
        }
        let path = dir.join(file);
        disk.remove(&path)?;
        dirs.extend(path.parent().map(Path::to_owned));
        retired.gone.push(file.clone());
    }
    for dir in dirs.iter().filter(|dir| dir.is_dir()) {
        disk.sync_dir(dir)?;
    }
    Ok(retired)
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Access, Kernel, put};
    use super::*;

    #[test]
    fn only_unnamed_files_of_the_tree_are_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = Kernel::default();
        let files = ["repodata/old.xml.gz", "repodata/new.xml.gz", "Packages/a/a-1-1.noarch.rpm", "secret"];
        for file in files {
            let path = dir.path().join(file);
            disk.make_dir(path.parent().expect("a parent")).expect("made");
            put(&disk, &path, b"", Access::Everybody).expect("written");
        }
        let ask: Vec<String> = files
            .iter()
            .map(|f| (*f).to_owned())
            .chain(["repodata/../secret".to_owned(), "repodata/gone".to_owned()])
            .collect();
        let named = BTreeSet::from(["repodata/new.xml.gz".to_owned()]);
        let Retired { gone, kept } = retire(&disk, dir.path(), &ask, &named).expect("removed");
        assert_eq!(gone, ["repodata/old.xml.gz", "Packages/a/a-1-1.noarch.rpm", "repodata/gone"]);
        assert_eq!(kept, ["repodata/new.xml.gz", "secret", "repodata/../secret"]);
        assert!(dir.path().join("secret").exists() && dir.path().join("repodata/new.xml.gz").exists());
    }
}
