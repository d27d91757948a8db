//! A tree as it would be, in a directory of its own, for a last test before clients get it (S1-36).
//!
//! Packages are copied, hashed on the way, and not linked: nobody outside holds a link to a file that clients fetch. The
//! metadata is written by the engine of [`rolloutd index`](super::folder), and other types of metadata are carried over. It
//! is not signed: what the key of the site signs can be served to sites.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::blocks::Form;
use super::disk::{self, Access, Disk, DiskError, Wanted};
use super::folder::{Folder, FolderError, Links, Terms};
use super::publication::{Published, REPOMD, is_about_packages};
use super::tree::{self, REPODATA};
use crate::domain::checksum::Sha256;
use crate::domain::nevra::Nevra;
use crate::format::repomd::{Data, REPOMD_MAX, Repomd};

/// A package that the tree would list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The package.
    pub nevra: Nevra,
    /// Its path in the tree.
    pub place: String,
    /// SHA-256 of the accepted bytes.
    pub sha256: Sha256,
    /// Where it lies now: the first of these that has these bytes is copied.
    pub from: Vec<PathBuf>,
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The metadata.
    #[error(transparent)]
    Index(#[from] FolderError),
    /// A package is nowhere.
    #[error("{0} is in none of the trees that list it, with the bytes that were accepted: run `rolloutd fsck`")]
    Missing(Nevra),
    /// The metadata does not list what it should.
    #[error("{} lists {found} packages instead of {wanted}; {why}", dir.display())]
    Differs {
        /// The directory.
        dir: PathBuf,
        /// How many it lists.
        found: u64,
        /// How many it should.
        wanted: u64,
        /// What was refused first.
        why: String,
    },
}

/// Builds a tree in an empty directory. `shown` is the tree that clients see, whose other metadata is carried over; `cache`
/// is left behind and can be removed. `copied` is called for each package.
///
/// # Errors
/// What could not be read or written, and the package that is missing.
pub fn build(
    disk: &dyn Disk,
    [shown, dir, cache]: [&Path; 3],
    items: &[Item],
    form: Form,
    now: Timestamp,
    mut copied: impl FnMut(),
) -> Result<Published, PreviewError> {
    disk.make_dir(dir)?;
    for item in items {
        let to = dir.join(&item.place);
        if let Some(parent) = to.parent() {
            disk.make_dir(parent)?;
        }
        if !bring(disk, item, &to)? {
            return Err(PreviewError::Missing(item.nevra.clone()));
        }
        copied();
    }
    carry(disk, &shown.join(REPODATA), &dir.join(REPODATA))?;
    let who = format!("pid {}, rolloutd preview {}", std::process::id(), dir.display());
    let mut folder = Folder::open(disk, dir, cache, Terms::unverified(form.checksum), Links::Left, &who)?;
    let found = folder.look(disk, now, |_, _| ())?;
    let published = folder.publish(disk, form, None, now)?;
    let wanted = items.len() as u64;
    if published.packages != wanted {
        let why = found.refused.first().map_or_else(String::new, |(path, why)| format!("{path}: {}", why.detail));
        return Err(PreviewError::Differs { dir: dir.to_owned(), found: published.packages, wanted, why });
    }
    Ok(published)
}

/// Copies a package; `false` if no file has its bytes.
fn bring(disk: &dyn Disk, item: &Item, to: &Path) -> Result<bool, DiskError> {
    for path in &item.from {
        let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let file = match tree::open_beneath(dir, Path::new(name)) {
            Ok(file) => file,
            Err(error) if error.is_not_found() || error.is_no_file() => continue,
            Err(error) => return Err(error),
        };
        if disk::copy_over(disk, &file, path, to, wanted(Some(item.sha256)))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Copies `repomd.xml` and the metadata that it names and that is not about packages, so that the next one names it, too.
fn carry(disk: &dyn Disk, from: &Path, to: &Path) -> Result<(), DiskError> {
    let Some(bytes) = tree::read_small(&from.join(REPOMD), REPOMD_MAX as u64) else { return Ok(()) };
    let Ok(repomd) = Repomd::read(&bytes) else { return Ok(()) };
    let others = repomd.data.iter().filter(|data| !is_about_packages(&data.kind));
    let others: Vec<&str> = others.map(Data::file_name).collect();
    if others.is_empty() {
        return Ok(());
    }
    disk.make_dir(to)?;
    for name in others {
        let file = tree::open_beneath(from, Path::new(name))?;
        disk::copy_over(disk, &file, &from.join(name), &to.join(name), wanted(None))?;
    }
    disk::put(disk, &to.join(REPOMD), &bytes, Access::Everybody)
}

/// A readable copy, with the time of the original.
fn wanted(sha256: Option<Sha256>) -> Wanted {
    Wanted { sha256, file_time: None, access: Access::Everybody }
}
