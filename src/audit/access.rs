//! Who else could change what clients fetch: every directory from the root down, and every file in the tree.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The deepest level of directories that is searched.
const DEPTH_MAX: usize = 16;

/// What others than `owner` and root can write to, from `root` down to the tree `below` it and everything in it: the
/// first one, and how many more. `None` if there is nothing.
pub fn open_to_others(root: &Path, below: &Path, owner: u32) -> Option<String> {
    let mut open = Vec::new();
    let mut look = |path: &Path| -> Option<bool> {
        let meta = std::fs::symlink_metadata(path).ok()?;
        let theirs = (meta.uid() != owner && meta.uid() != 0) || meta.mode() & 0o022 != 0;
        if theirs && !meta.is_symlink() {
            open.push(format!("{} (owner {}, mode {:04o})", path.display(), meta.uid(), meta.mode() & 0o7777));
        }
        Some(meta.is_dir())
    };
    let mut path = root.to_owned();
    look(&path);
    for part in below.components() {
        path.push(part);
        look(&path);
    }
    let mut todo: Vec<(PathBuf, usize)> = vec![(path, 0)];
    while let Some((dir, depth)) = todo.pop() {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if look(&path) == Some(true) && depth < DEPTH_MAX {
                todo.push((path, depth + 1));
            }
        }
    }
    let first = open.first()?;
    let more = match open.len() {
        1 => String::new(),
        number => format!(" and {} more", number - 1),
    };
    Some(format!("others can change {first}{more}; `rolloutd check` names the fix"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn whatever_others_can_write_is_found_and_counted() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("sw");
        let below = Path::new("testing/umd/3");
        let packages = root.join(below).join("Packages/a");
        std::fs::DirBuilder::new().recursive(true).create(&packages).expect("made");
        let file = packages.join("a.rpm");
        std::fs::File::create(&file).expect("made");
        let me = std::fs::metadata(&root).expect("there").uid();
        let chmod = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("changed");
        };
        assert_eq!(open_to_others(&root, below, me), None);
        for path in [&root, &root.join("testing"), &packages, &file] {
            let before = std::fs::metadata(path).expect("there").mode();
            chmod(path, 0o777);
            let found = open_to_others(&root, below, me).expect("found");
            assert!(
                found.starts_with(&format!("others can change {} (owner {me}, mode 0777);", path.display())),
                "{found}"
            );
            chmod(path, before);
        }
        chmod(&packages, 0o775);
        chmod(&file, 0o664);
        let found = open_to_others(&root, below, me).expect("found");
        assert!(found.contains("and 1 more"), "{found}");
        assert!(open_to_others(&root, below, me + 1).is_some_and(|found| me == 0 || found.contains("and 6 more")));
    }
}
