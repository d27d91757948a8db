//! Superseded metadata and withdrawn packages, removed when their time has come.
//!
//! Measured elsewhere: keeping a number of generations breaks a few readings in ten thousand, keeping
//! superseded files for a time broke none in a million (threats F10). So nothing is removed when it is
//! superseded; the logbook remembers since when, and this step runs later, on its own.
//!
//! What never happens: a file that the current `repomd.xml` or the index still names is not removed,
//! whoever asks for it.

use std::collections::BTreeSet;
use std::path::Path;

use super::disk::{Disk, DiskError};
use super::tree::{self, REPODATA};

/// What became of files whose time had come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// They are gone.
    pub gone: Vec<String>,
    /// They are named again, or are no paths of metadata or packages: they stay, and nobody need ask again.
    pub kept: Vec<String>,
}

/// Removes files below a tree; paths that are named, or that are no paths of metadata or packages,
/// are left alone.
///
/// # Errors
/// With the path at fault; what was removed before is gone and will be found gone the next time.
pub fn retire(disk: &dyn Disk, dir: &Path, files: &[String], named: &BTreeSet<String>) -> Result<Retired, DiskError> {
    let mut retired = Retired::default();
    let mut dirs = BTreeSet::new();
    for file in files {
        let parts: Vec<&str> = file.split('/').collect();
        let plain = parts.iter().all(|part| !part.is_empty() && *part != "." && *part != "..");
        let ours = match parts.as_slice() {
            [REPODATA, below @ ..] => below.len() == 1,
            // Packages lie anywhere in a tree that was taken under management.
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
