//! A plan carried out on the trees, from any point, any number of times.
//!
//! The order is what keeps a package in at least one tree at every instant (*no loss*):
//!
//! 1. every package's bytes are hashed and compared with what was accepted;
//! 2. the target gets them (a link, or a synced copy on another file system), its directories are synced;
//! 3. the target is published with them;
//! 4. for a withdrawal, the bytes are kept in `<state>/retired/<distribution>/` first;
//! 5. the trees that they leave are published without them.
//!
//! The files in the trees that they leave stay for the grace time and are removed by `retirement`.
//! Each step looks at what is there before it acts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::disk::{self, AtPath as _, Disk, DiskError};
use super::publication::file_checksum;
use super::tree;
use crate::domain::checksum::{ChecksumKind, Sha256};
use crate::domain::names::{TreeId, TreeName};
use crate::domain::plan::{Item, Plan};

/// Where the pieces of a plan lie.
#[derive(Clone, Debug)]
pub struct Places {
    /// The site's root.
    pub root: PathBuf,
    /// Where withdrawn packages are kept.
    pub retired: PathBuf,
}

/// Puts the packages of a plan into its target, or aside for a withdrawal; nothing is taken away.
///
/// # Errors
/// When a package is not where it was, or is no longer the bytes that were accepted.
pub fn bring(disk: &dyn Disk, places: &Places, plan: &Plan) -> Result<(), DiskError> {
    let mut dirs = BTreeSet::new();
    for item in &plan.items {
        let to = match &plan.target {
            Some(target) => tree::dir(&places.root, &id(plan, target)).join(tree::location(&item.nevra)),
            None => places.retired.join(format!("{}-{}", item.sha256.to_hex(), item.nevra.file_name())),
        };
        let dir = to.parent().unwrap_or(Path::new(".")).to_owned();
        if !has(&to, item.sha256)? {
            let from = source(places, plan, item)?;
            disk.make_dir(&dir)?;
            disk::link_over(disk, &from, &to)?;
        }
        // Also when an earlier run made the link: it may have been stopped before it synced it.
        dirs.insert(dir);
    }
    dirs.iter().try_for_each(|dir| disk.sync_dir(dir))
}

fn id(plan: &Plan, tree: &TreeName) -> TreeId {
    TreeId { dist: plan.dist.clone(), tree: tree.clone() }
}

/// Whether a file is there and has these bytes.
///
/// # Errors
/// When it cannot be read.
pub fn has(path: &Path, sha256: Sha256) -> Result<bool, DiskError> {
    match open_plain(path) {
        Ok(file) => Ok(file_checksum(file, ChecksumKind::Sha256).at("read", path)? == sha256.to_hex()),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

fn open_plain(path: &Path) -> Result<std::fs::File, DiskError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    tree::open_beneath(dir, Path::new(path.file_name().unwrap_or_default()))
}

/// A tree that still has the accepted bytes.
fn source(places: &Places, plan: &Plan, item: &Item) -> Result<PathBuf, DiskError> {
    let mut last = None;
    for tree in &item.leaves {
        let id = id(plan, tree);
        tree::plain(&places.root, &id)?;
        let path = tree::dir(&places.root, &id).join(tree::location(&item.nevra));
        if has(&path, item.sha256)? {
            return Ok(path);
        }
        last = Some(path);
    }
    let path = last.unwrap_or_else(|| places.root.clone());
    let why = format!(
        "{} should lie there with SHA-256 {}, and does not; put the accepted file back",
        item.nevra, item.sha256
    );
    Err(DiskError::new("use", &path, std::io::Error::other(why)))
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Access, Kernel, failing::FailingDisk, put};
    use super::*;

    struct Site {
        dir: tempfile::TempDir,
        plan: Plan,
    }

    fn site(target: Option<&str>) -> Site {
        let dir = tempfile::tempdir().expect("a directory");
        let bytes = b"the accepted bytes";
        let mut sum = [0; 32];
        sum.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
        let nevra = "a-1-1.noarch".parse().expect("a nevra");
        let at = dir.path().join("root/untested/d").join(tree::location(&nevra));
        let disk = Kernel::default();
        disk.make_dir(at.parent().expect("a parent")).expect("made");
        put(&disk, &at, bytes, Access::Everybody).expect("written");
        let plan = Plan {
            rollout: "r".parse().expect("an id"),
            dist: "d".parse().expect("a path"),
            target: target.map(|t| t.parse().expect("a name")),
            items: vec![Item { nevra, sha256: Sha256(sum), leaves: vec!["untested".parse().expect("a name")] }],
        };
        Site { dir, plan }
    }

    impl Site {
        fn places(&self) -> Places {
            Places { root: self.dir.path().join("root"), retired: self.dir.path().join("retired") }
        }
    }

    #[test]
    fn a_plan_that_fails_at_any_step_can_be_carried_out_again() {
        for calls in 0.. {
            let site = site(Some("testing"));
            let result = bring(&FailingDisk::after(calls), &site.places(), &site.plan);
            bring(&Kernel::default(), &site.places(), &site.plan).expect("the next try succeeds");
            let there = site.dir.path().join("root/testing/d/Packages/a/a-1-1.noarch.rpm");
            assert_eq!(std::fs::read(there).expect("there"), b"the accepted bytes");
            assert!(site.dir.path().join("root/untested/d/Packages/a/a-1-1.noarch.rpm").exists());
            if result.is_ok() {
                return;
            }
        }
    }

    #[test]
    fn bytes_that_were_not_accepted_are_not_promoted() {
        let site = site(Some("testing"));
        let at = site.dir.path().join("root/untested/d/Packages/a/a-1-1.noarch.rpm");
        put(&Kernel::default(), &at, b"other bytes", Access::Everybody).expect("written");
        let refused = bring(&Kernel::default(), &site.places(), &site.plan).expect_err("not these");
        assert!(refused.sentence().contains("put the accepted file back"), "{}", refused.sentence());
        assert!(!site.dir.path().join("root/testing").exists());
    }

    #[test]
    fn a_foreign_file_under_the_name_is_replaced_by_the_accepted_one() {
        let site = site(Some("testing"));
        let at = site.dir.path().join("root/testing/d/Packages/a/a-1-1.noarch.rpm");
        Kernel::default().make_dir(at.parent().expect("a parent")).expect("made");
        put(&Kernel::default(), &at, b"foreign", Access::Everybody).expect("written");
        bring(&Kernel::default(), &site.places(), &site.plan).expect("brought");
        assert_eq!(std::fs::read(at).expect("there"), b"the accepted bytes");
    }

    #[test]
    fn what_an_earlier_run_has_brought_is_made_durable_by_the_next() {
        for target in [Some("testing"), None] {
            let Site { dir, plan } = site(target);
            let places = Places { root: dir.path().join("root"), retired: dir.path().join("retired") };
            bring(&Kernel::default(), &places, &plan).expect("brought");
            assert!(bring(&FailingDisk::after(0), &places, &plan).is_err(), "{target:?}: its directory is synced");
            bring(&FailingDisk::after(1), &places, &plan).expect("and nothing else is done");
        }
    }

    #[test]
    fn a_withdrawn_package_is_kept_aside() {
        let site = site(None);
        bring(&Kernel::default(), &site.places(), &site.plan).expect("brought");
        let name = format!("{}-a-1-1.noarch.rpm", site.plan.items[0].sha256.to_hex());
        assert_eq!(std::fs::read(site.places().retired.join(name)).expect("there"), b"the accepted bytes");
    }
}
