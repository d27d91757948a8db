//! Carries out a plan on the trees; it can resume anywhere and be repeated.
//!
//! The order keeps a package in at least one tree at every instant (*no loss*), and keeps what cannot be done in one
//! distribution out of all others:
//!
//! 1. every package's bytes are hashed and compared with what was accepted;
//! 2. the target gets them (a link, or a synced copy on another file system), and its directories are synced; for a
//!    withdrawal they are kept in `<state>/retired/<distribution>/`, and so are those that leave the target by a restore;
//! 3. new metadata of all trees is staged, in all distributions;
//! 4. the targets are shown with the packages;
//! 5. the trees that they leave are shown without them.
//!
//! The files in the trees that packages leave stay for the grace period and are then removed by `retirement`. Each step
//! checks what is there before it acts.
//!
//! Only an inode that the daemon created moves on (see [`super::ownership`]); it is found, hashed and linked through
//! one descriptor. Any other is copied into a new inode and hashed while copying. So somebody who can exchange names,
//! or has a file open, cannot change what arrives.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::disk::{self, Access, AtPath as _, Disk, DiskError, Wanted};
use super::index::{Index, IndexError};
use super::ownership;
use super::publication::file_checksum;
use super::tree;
use crate::domain::checksum::{ChecksumKind, Sha256};
use crate::domain::listing::{Catalog, Entry, Listing};
use crate::domain::names::{DistPath, TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::plan::{Item, Move};

/// The directories that a plan uses.
#[derive(Clone, Debug)]
pub struct Places {
    /// The site's root.
    pub root: PathBuf,
    /// Where withdrawn packages are kept.
    pub retired: PathBuf,
}

impl Places {
    /// Where a withdrawn package is kept.
    fn kept(&self, item: &Item) -> PathBuf {
        self.retired.join(format!("{}-{}", item.sha256.to_hex(), item.nevra.file_name()))
    }

    /// Wherever a package that comes back may be: it was kept when it left, its file may not have been removed yet, and
    /// other trees may have it.
    fn of_earlier<'p>(
        &'p self,
        dist: &'p DistPath,
        item: &'p Item,
        trees: impl Iterator<Item = (&'p TreeName, String)> + 'p,
    ) -> impl Iterator<Item = PathBuf> + 'p {
        let dir = |tree: &TreeName| tree::dir(&self.root, &TreeId { dist: dist.clone(), tree: tree.clone() });
        let there = trees.map(move |(tree, place)| dir(tree).join(place));
        std::iter::once(self.kept(item)).chain(there)
    }
}

/// The packages of a plan that come back by a restore and whose bytes are nowhere: no file has the size. Their content is
/// compared when they are brought.
pub fn missing<'p>(
    places: &Places,
    trees: &[(TreeName, Listing)],
    one: &'p Move,
    size: impl Fn(&Nevra) -> Option<u64>,
) -> Vec<&'p Nevra> {
    let is_missing = |item: &&Item| {
        let here = trees.iter().map(|(tree, listing)| (tree, where_in(listing, one, tree, item)));
        let size = size(&item.nevra);
        let fits = |path: PathBuf| {
            std::fs::symlink_metadata(path)
                .is_ok_and(|meta| meta.is_file() && size.is_none_or(|size| meta.len() == size))
        };
        !places.of_earlier(&one.dist, item, here).any(fits)
    };
    let comes = one.items.iter().filter(|item| one.brings(item) && item.was.is_some());
    comes.filter(is_missing).map(|item| &item.nevra).collect()
}

/// Why a package could not be put in its place.
#[derive(Debug, thiserror::Error)]
pub enum BringError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// Puts the packages of a move into its target, or aside for a withdrawal; nothing is removed.
///
/// # Errors
/// If a package is not where it should be, or is no longer the accepted bytes.
pub fn bring(
    disk: &dyn Disk,
    places: &Places,
    index: &mut Index,
    (catalog, trees): (&dyn Catalog, &[TreeName]),
    one: &Move,
) -> Result<(), BringError> {
    let mut dirs = BTreeSet::new();
    for item in &one.items {
        let to = match &one.target {
            Some(target) if one.brings(item) => place(places, catalog, one, target, item),
            // A restore that is given up had not brought it yet, so it need not be kept once more.
            Some(target) if !catalog.lists(target, &item.nevra) => continue,
            _ => places.kept(item),
        };
        let dir = to.parent().unwrap_or(Path::new(".")).to_owned();
        let there = open_accepted(&to, item.sha256)?;
        if !there.as_ref().is_some_and(|there| is_made(index, there, item.sha256)) {
            let mut from: Vec<PathBuf> =
                item.leaves.iter().map(|tree| place(places, catalog, one, tree, item)).collect();
            if item.was.is_some() {
                let here = trees.iter().map(|tree| (tree, where_in(&catalog.listing(tree), one, tree, item)));
                from.extend(places.of_earlier(&one.dist, item, here).filter(|path| *path != to));
            }
            // A plan that shows withdrawn packages again has them nowhere else.
            from.extend(there.map(|_| to.clone()));
            bring_from(disk, index, &from, &to, item)?;
        }
        // Even if an earlier run made the link: it may have been stopped before syncing it.
        dirs.insert(dir);
    }
    Ok(dirs.iter().try_for_each(|dir| disk.sync_dir(dir))?)
}

/// Restores a package that a tree lost, from the first of several places that has it; returns whether one has.
///
/// # Errors
/// With the path that failed.
pub fn put_back(
    disk: &dyn Disk,
    index: &mut Index,
    from: &[PathBuf],
    to: &Path,
    sha256: Sha256,
) -> Result<bool, BringError> {
    for path in from {
        let Some(file) = open_accepted(path, sha256).unwrap_or_default() else { continue };
        disk.make_dir(to.parent().unwrap_or(Path::new(".")))?;
        if (is_made(index, &file, sha256) && disk::link_over(disk, &file, to)?)
            || copy(disk, index, (&file, path), to, sha256)?
        {
            disk.sync_dir(to.parent().unwrap_or(Path::new(".")))?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a file is an inode that we created for these bytes, and nobody can change it any more.
fn is_made(index: &Index, file: &File, sha256: Sha256) -> bool {
    file.metadata().is_ok_and(|meta| ownership::sealed(&meta) && index.made(sha256, meta.ino()))
}

/// Links or copies a package from the first of several places that has it.
fn bring_from(disk: &dyn Disk, index: &mut Index, from: &[PathBuf], to: &Path, item: &Item) -> Result<(), BringError> {
    for path in from {
        let Some(file) = open_plain(path)? else { continue };
        if hash(&file, path)? != item.sha256.to_hex() {
            continue;
        }
        disk.make_dir(to.parent().unwrap_or(Path::new(".")))?;
        if is_made(index, &file, item.sha256) && disk::link_over(disk, &file, to)? {
            return Ok(());
        }
        if copy(disk, index, (&file, path), to, item.sha256)? {
            return Ok(());
        }
    }
    let path = from.last().map_or(to, PathBuf::as_path);
    let why =
        format!("{} should be there with SHA-256 {}, but is not; restore the accepted file", item.nevra, item.sha256);
    Err(DiskError::new("use", path, std::io::Error::other(why)).into())
}

/// Copies a package into a new inode of ours; returns whether it has the wanted bytes.
fn copy(
    disk: &dyn Disk,
    index: &mut Index,
    (file, path): (&File, &Path),
    to: &Path,
    sha256: Sha256,
) -> Result<bool, BringError> {
    let file_time = index.facts(&Entry::of(sha256)).map(|(_, file_time)| file_time);
    let wanted = Wanted { sha256: Some(sha256), file_time, access: Access::Sealed };
    let Some(copy) = disk::copy_over(disk, file, path, to, wanted)? else { return Ok(false) };
    index.has_made(sha256, copy.metadata().at("look at", to)?.ino())?;
    Ok(true)
}

/// Replaces a file that somebody else could change by an inode of ours. Returns whether it had the accepted bytes;
/// otherwise it is unchanged.
///
/// # Errors
/// With the path that failed.
pub fn seal(disk: &dyn Disk, index: &mut Index, path: &Path, sha256: Sha256) -> Result<bool, BringError> {
    let Some(file) = open_plain(path)? else { return Ok(false) };
    tracing::warn!(path = %path.display(), "others could change a listed package; replacing it with a copy of the \
                                            accepted bytes");
    let sealed = copy(disk, index, (&file, path), path, sha256)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new(".")))?;
    Ok(sealed)
}

/// Opens a file if it exists and has these bytes.
///
/// # Errors
/// If it cannot be read.
pub fn open_accepted(path: &Path, sha256: Sha256) -> Result<Option<File>, DiskError> {
    let Some(file) = open_plain(path)? else { return Ok(None) };
    Ok((hash(&file, path)? == sha256.to_hex()).then_some(file))
}

fn hash(file: &File, path: &Path) -> Result<String, DiskError> {
    file.try_clone().and_then(|file| file_checksum(file, ChecksumKind::Sha256)).at("read", path)
}

/// Opens a regular file without following a link or waiting for a pipe.
fn open_plain(path: &Path) -> Result<Option<File>, DiskError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    match tree::open_beneath(dir, Path::new(path.file_name().unwrap_or_default())) {
        Ok(file) if file.metadata().at("look at", path)?.is_file() => Ok(Some(file)),
        Ok(_) => Ok(None),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The path of a package of a plan in a tree, present or future.
fn place(places: &Places, catalog: &dyn Catalog, one: &Move, tree: &TreeName, item: &Item) -> PathBuf {
    tree::dir(&places.root, &one.id(tree)).join(where_in(&catalog.listing(tree), one, tree, item))
}

/// The same below the tree, which lists this.
fn where_in(listing: &Listing, one: &Move, tree: &TreeName, item: &Item) -> String {
    match listing.get(&item.nevra) {
        Some(entry) => entry.location(&item.nevra),
        None if one.target.as_ref() == Some(tree) => item.location(),
        None => item.nevra.location(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Access, Kernel, failing::FailingDisk, put};
    use super::*;
    use crate::domain::listing::Inventory;

    struct Site {
        dir: tempfile::TempDir,
        plan: Move,
    }

    const ACCEPTED: &[u8] = b"the accepted bytes";

    fn site(target: Option<&str>) -> Site {
        let dir = tempfile::tempdir().expect("a directory");
        let mut sum = [0; 32];
        sum.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ACCEPTED).as_ref());
        let nevra: Nevra = "a-1-1.noarch".parse().expect("a nevra");
        let at = dir.path().join("root/untested/d").join(nevra.location());
        let disk = Kernel::default();
        disk.make_dir(at.parent().expect("a parent")).expect("made");
        put(&disk, &at, ACCEPTED, Access::Sealed).expect("written");
        let plan = Move {
            dist: "d".parse().expect("a path"),
            target: target.map(|t| t.parse().expect("a name")),
            items: vec![Item {
                nevra,
                sha256: Sha256(sum),
                leaves: vec!["untested".parse().expect("a name")],
                was: None,
                of: None,
            }],
        };
        Site { dir, plan }
    }

    impl Site {
        fn places(&self) -> Places {
            Places { root: self.dir.path().join("root"), retired: self.dir.path().join("retired") }
        }

        fn file(&self, tree: &str) -> PathBuf {
            self.dir.path().join("root").join(tree).join("d/Packages/a/a-1-1.noarch.rpm")
        }

        fn inode(&self, tree: &str) -> u64 {
            std::fs::symlink_metadata(self.file(tree)).expect("there").ino()
        }

        /// The daemon's index, which records the package in `untested` as made by us, or not.
        fn index(&self, made: bool) -> Index {
            let path = self.dir.path().join("index.sqlite");
            let mut index = Index::open(&Kernel::default(), &path).expect("opened");
            if made {
                index.has_made(self.plan.items[0].sha256, self.inode("untested")).expect("kept");
            }
            index
        }

        fn bring(&self, disk: &dyn Disk) -> Result<(), BringError> {
            bring(disk, &self.places(), &mut self.index(true), (&Inventory::default(), &[]), &self.plan)
        }
    }

    #[test]
    fn a_plan_that_fails_at_any_step_can_be_carried_out_again() {
        for made in [true, false] {
            for calls in 0.. {
                let site = site(Some("testing"));
                let result = bring(
                    &FailingDisk::after(calls),
                    &site.places(),
                    &mut site.index(made),
                    (&Inventory::default(), &[]),
                    &site.plan,
                );
                bring(
                    &Kernel::default(),
                    &site.places(),
                    &mut site.index(made),
                    (&Inventory::default(), &[]),
                    &site.plan,
                )
                .expect("the next try succeeds");
                assert_eq!(std::fs::read(site.file("testing")).expect("there"), ACCEPTED);
                assert!(site.file("untested").exists());
                if result.is_ok() {
                    break;
                }
            }
        }
    }

    #[test]
    fn bytes_that_were_not_accepted_are_not_promoted() {
        let site = site(Some("testing"));
        put(&Kernel::default(), &site.file("untested"), b"other bytes", Access::Sealed).expect("written");
        let refused = site.bring(&Kernel::default()).expect_err("not these");
        let BringError::Disk(refused) = refused else { panic!("{refused}") };
        assert!(refused.sentence().contains("restore the accepted file"), "{}", refused.sentence());
        assert!(!site.dir.path().join("root/testing").exists());
    }

    #[test]
    fn a_foreign_file_under_the_name_is_replaced_by_the_accepted_one() {
        // One of them has the right bytes, and whoever made it may have it open.
        for foreign in [&b"foreign"[..], ACCEPTED] {
            let site = site(Some("testing"));
            let at = site.file("testing");
            Kernel::default().make_dir(at.parent().expect("a parent")).expect("made");
            put(&Kernel::default(), &at, foreign, Access::Sealed).expect("written");
            site.bring(&Kernel::default()).expect("brought");
            assert_eq!(std::fs::read(at).expect("there"), ACCEPTED);
            assert_eq!(site.inode("testing"), site.inode("untested"));
        }
    }

    /// A file that somebody put in place of ours, and gave to the daemon with `chown`.
    #[test]
    fn only_an_inode_that_we_made_goes_onward_and_of_another_one_a_copy() {
        use std::io::Write as _;
        use std::os::unix::fs::PermissionsExt;
        for (made, mode, linked) in
            [(true, 0o444, true), (true, 0o644, false), (false, 0o444, false), (false, 0o666, false)]
        {
            let site = site(Some("testing"));
            let mut kept_open = std::fs::File::options().append(true).open(site.file("untested")).expect("opened");
            std::fs::set_permissions(site.file("untested"), PermissionsExt::from_mode(mode)).expect("changed");
            bring(&Kernel::default(), &site.places(), &mut site.index(made), (&Inventory::default(), &[]), &site.plan)
                .expect("brought");
            assert_eq!(site.inode("testing") == site.inode("untested"), linked, "made {made}, mode {mode:o}");
            let meta = std::fs::symlink_metadata(site.file("testing")).expect("there");
            assert_eq!(meta.mode() & 0o7777, 0o444);
            kept_open.write_all(b"afterwards").expect("written");
            assert_eq!(std::fs::read(site.file("testing")).expect("there") == ACCEPTED, !linked);
            assert!(site.index(false).made(site.plan.items[0].sha256, meta.ino()), "known from now on");
        }
    }

    #[test]
    fn what_lies_in_the_target_alone_stays_there_also_when_the_index_was_lost() {
        let mut site = site(Some("untested"));
        site.plan.items[0].leaves.clear();
        let before = site.inode("untested");
        let bring = || {
            bring(&Kernel::default(), &site.places(), &mut site.index(false), (&Inventory::default(), &[]), &site.plan)
        };
        bring().expect("copied");
        let ours = site.inode("untested");
        assert_ne!(ours, before);
        bring().expect("known");
        assert_eq!(site.inode("untested"), ours);
        assert_eq!(std::fs::read(site.file("untested")).expect("there"), ACCEPTED);
    }

    #[test]
    fn what_an_earlier_run_has_brought_is_made_durable_by_the_next() {
        for target in [Some("testing"), None] {
            let site = site(target);
            site.bring(&Kernel::default()).expect("brought");
            assert!(site.bring(&FailingDisk::after(0)).is_err(), "{target:?}: its directory is synced");
            site.bring(&FailingDisk::after(1)).expect("and nothing else is done");
        }
    }

    #[test]
    fn a_withdrawn_package_is_kept_aside() {
        let site = site(None);
        site.bring(&Kernel::default()).expect("brought");
        let name = format!("{}-a-1-1.noarch.rpm", site.plan.items[0].sha256.to_hex());
        assert_eq!(std::fs::read(site.places().retired.join(name)).expect("there"), ACCEPTED);
    }

    #[test]
    fn a_listed_file_that_others_can_change_is_replaced_by_a_copy_of_the_accepted_bytes() {
        let site = site(None);
        let (path, sha256) = (site.file("untested"), site.plan.items[0].sha256);
        let before = site.inode("untested");
        let mut index = site.index(false);
        assert!(seal(&Kernel::default(), &mut index, &path, sha256).expect("sealed"));
        assert_ne!(site.inode("untested"), before);
        assert_eq!(std::fs::read(&path).expect("there"), ACCEPTED);
        assert!(!seal(&Kernel::default(), &mut index, &path, Sha256([0; 32])).expect("looked at"), "other bytes");
        assert_eq!(std::fs::read(&path).expect("there"), ACCEPTED);
        Kernel::default().remove(&path).expect("removed");
        assert!(!seal(&Kernel::default(), &mut index, &path, sha256).expect("looked at"), "gone");
    }
}
