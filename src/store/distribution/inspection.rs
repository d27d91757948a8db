//! Compares a tree with the logbook, and regenerates or restores what is missing.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::super::disk::{self, Access, AtPath as _, Wanted};
use super::super::presence::Presence;
use super::super::publication::{self, Published};
use super::super::tree::{self, REPODATA};
use super::super::{ownership, promotion, strangers};
use super::{Alteration, Ask, DistError, Distribution, Expected};
use crate::domain::listing::{Catalog, Listing};
use crate::domain::names::TreeName;
use crate::domain::nevra::Nevra;

impl Distribution {
    /// Compares a tree with the logbook and publishes it if only the metadata is missing, or is in another form than
    /// the settings require. `None` if pending work will publish it anyway. The second value is the number of a plan
    /// that the tree turns out to show.
    ///
    /// # Errors
    /// [`DistError::Disagrees`] if a listed package is gone or changed, [`DistError::Strange`] if the tree shows or
    /// holds what the logbook does not know; nothing has changed then, and nothing should be published there until it
    /// is fixed.
    pub fn inspect(
        &mut self,
        catalog: &dyn Catalog,
        tree: &TreeName,
        expected: &Expected,
        now: Timestamp,
    ) -> Result<Option<(Published, Option<u64>)>, DistError> {
        self.is_ours_alone(tree, ownership::Look::AtAll)?;
        self.uploads.forget_dirs();
        let listing = catalog.listing(tree);
        // It may already show a plan without the logbook having recorded it.
        let ahead = self.ahead(tree, &listing, expected);
        let listing = ahead.as_ref().map_or(&listing, |(_, shown)| shown);
        self.all_there(catalog, tree, listing, Ask::Everything, now)?;
        if ahead.is_none()
            && let Some(why) = self.doubt(catalog, tree, listing, expected)
        {
            return Err(DistError::Strange(why));
        }
        if expected.repomd.is_some() {
            self.take_over(catalog, tree, listing)?;
        }
        if ahead.is_none() && !expected.settled() {
            return Ok(None);
        }
        let published = self.publish(catalog, tree, listing, expected.revision, now)?;
        Ok(Some((published, ahead.map(|(plan, _)| plan))))
    }

    /// The plan that a tree shows without a record of it, and the resulting listing: the work was interrupted between
    /// the two. Until it is carried out, other work on the tree must neither drop a package from the only tree that
    /// shows it nor bring back one that was withdrawn. A tree shows at most one such plan, since it is inspected after
    /// one has failed.
    fn ahead(&self, tree: &TreeName, listing: &Listing, expected: &Expected) -> Option<(u64, Listing)> {
        let bytes = publication::shown(&self.dir(tree).join(REPODATA)).ok()??;
        let repomd = publication::sha256(&bytes);
        if expected.begun.is_empty() || expected.repomd == Some(repomd) || self.index.showing(tree) != Some(repomd) {
            return None;
        }
        let shown = expected.begun.iter().map(|(number, plan)| (*number, plan.shown_in(&self.id(tree), listing)));
        shown.into_iter().find(|(_, shown)| self.index.would_show(tree, repomd, shown))
    }

    /// Restores packages that a tree has lost, if another tree or the directory of withdrawn packages has their bytes;
    /// returns those that are nowhere. If a tree shows nothing at all, a file system may not be mounted, and nothing is
    /// written there.
    fn put_back(
        &mut self,
        catalog: &dyn Catalog,
        tree: &TreeName,
        missing: BTreeSet<Nevra>,
    ) -> Result<BTreeSet<Nevra>, DistError> {
        let dir = self.dir(tree);
        if !std::fs::symlink_metadata(dir.join(REPODATA)).is_ok_and(|meta| meta.is_dir()) {
            return Ok(missing);
        }
        let (mut nowhere, mut restored) = (BTreeSet::new(), Vec::new());
        for nevra in missing {
            let Some(sha256) = catalog.accepted(&nevra) else { continue };
            let place = |tree: &TreeName| self.dir(tree).join(catalog.listing(tree).location(&nevra));
            let others = self.settings.trees.iter().filter(|other| *other != tree);
            let mut from: Vec<PathBuf> = others.map(place).collect();
            from.push(self.settings.retired.join(format!("{}-{}", sha256.to_hex(), nevra.file_name())));
            let to = place(tree);
            if promotion::put_back(self.disk.as_ref(), &mut self.index, &from, &to, sha256)? {
                tracing::warn!(%nevra, path = %to.display(), "restored a file that a tree had lost");
                restored.push(nevra);
            } else {
                nowhere.insert(nevra);
            }
        }
        let why = match restored.as_slice() {
            [] => return Ok(nowhere),
            [_] => "its file was missing or changed, and is restored".to_owned(),
            all => {
                let names: Vec<String> = all.iter().map(ToString::to_string).collect();
                format!("the files of {} were missing or changed, and are restored", strangers::some(&names))
            }
        };
        let nevra = restored.pop().filter(|_| restored.is_empty());
        self.alterations.push(Alteration { tree: tree.clone(), nevra, why });
        Ok(nowhere)
    }

    /// Whether every listed package is there as it was accepted. Size and time are compared, and the bytes where these
    /// differ, since the index may be wrong.
    pub(super) fn all_there(
        &mut self,
        catalog: &dyn Catalog,
        tree: &TreeName,
        listing: &Listing,
        ask: Ask,
        now: Timestamp,
    ) -> Result<(), DistError> {
        let dir = self.dir(tree);
        if !std::fs::symlink_metadata(&dir).is_ok_and(|meta| meta.is_dir()) {
            let why = "no longer exists; mount it again, or create the directory, and reload";
            return Err(DistError::Disagrees(format!("{} {why}", dir.display())));
        }
        let before = self.present.remove(tree).and_then(|before| match ask {
            Ask::Everything => None,
            Ask::WhereSomethingChanged => Some(before.later()),
            Ask::OnceMore => Some(before),
        });
        let look = Presence::look(before.as_ref(), &dir, &self.index, listing, now)?;
        let mut wrong = BTreeSet::new();
        for (nevra, entry) in &look.doubtful {
            let sha256 = entry.sha256;
            let path = dir.join(entry.location(nevra));
            let Ok(Some(file)) = promotion::open_accepted(&path, sha256) else {
                wrong.insert(nevra.clone());
                continue;
            };
            let meta = file.metadata().at("look at", &path)?;
            if !ownership::guarded(meta.uid(), meta.mode())
                && !promotion::seal(self.disk.as_ref(), &mut self.index, &path, sha256)?
            {
                wrong.insert(nevra.clone());
                continue;
            }
            if self.index.facts(entry).map(|(size, _)| size) != Some(meta.len()) {
                self.index.forget(entry);
                self.read_again(nevra, entry, std::slice::from_ref(tree))?;
            }
        }
        if wrong.is_empty() {
            self.present.insert(tree.clone(), look.good());
            return Ok(());
        }
        if ask == Ask::Everything {
            wrong = self.put_back(catalog, tree, wrong)?;
            if wrong.is_empty() {
                return Ok(());
            }
        }
        let names: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        let why = format!(
            "{} lists {}, whose files are missing or were changed; upload the accepted files again, or restore \
             them; `rolloutctl lost {} --reason WHY` takes lost packages off the lists{}",
            self.id(tree),
            strangers::some(&names),
            names.first().map_or("NEVRA", String::as_str),
            self.if_it_was_swept(tree),
        );
        Err(DistError::Missing { why, packages: wrong })
    }

    /// Replaces all other files of ours that somebody else could write to by our own copies: metadata, keys, and
    /// packages that have left the tree and await removal. Foreign files stay as they are and are reported: a copy of
    /// ours would be trusted.
    fn take_over(&self, catalog: &dyn Catalog, tree: &TreeName, listing: &Listing) -> Result<(), DistError> {
        let (disk, top) = (self.disk.as_ref(), self.dir(tree));
        let listed: BTreeSet<PathBuf> = listing.locations().map(|place| top.join(place)).collect();
        let repodata = top.join(REPODATA);
        for dir in [tree::package_dirs(&top)?, vec![repodata.clone(), top.clone()]].concat() {
            let mut copied = false;
            for path in ownership::open_files(&dir)?.into_iter().filter(|path| !listed.contains(path)) {
                let name = path.file_name().unwrap_or_default();
                let file = tree::open_beneath(&dir, Path::new(name))?;
                if !file.metadata().at("look at", &path)?.is_file() {
                    continue;
                }
                let name = name.to_string_lossy();
                let (is_ours, access) = if dir == repodata {
                    (publication::is_named_by_content(&name, &file), Access::Everybody)
                } else if dir == top {
                    (self.yum_files(tree).iter().any(|(ours, _)| *ours == name), Access::Everybody)
                } else {
                    let accepted = catalog.of_file(&name).first().and_then(|nevra| catalog.accepted(nevra));
                    let same = |sha256| promotion::open_accepted(&path, sha256).is_ok_and(|file| file.is_some());
                    (accepted.is_some_and(same), Access::Sealed)
                };
                if !is_ours {
                    tracing::warn!(path = %path.display(), "others could change a foreign file; remove it");
                    continue;
                }
                tracing::warn!(path = %path.display(), "others could change a file that clients fetch; replacing it \
                                                        with a copy");
                disk::copy_over(disk, &file, &path, &path, Wanted { sha256: None, file_time: None, access })?;
                copied = true;
            }
            if copied {
                disk.sync_dir(&dir)?;
            }
        }
        Ok(())
    }

    /// Whether only the daemon can change a tree, and none of its directories is a link.
    pub(super) fn is_ours_alone(&self, tree: &TreeName, how: ownership::Look) -> Result<(), DistError> {
        let id = self.id(tree);
        tree::plain(&self.settings.root, &id)?;
        match ownership::look(&self.settings.root, &id, disk::me(), how)? {
            None => Ok(()),
            Some(open) => Err(DistError::Disagrees(format!(
                "{}; nothing is published or moved in {id} until this is fixed: {}",
                open.what(),
                open.remedy()
            ))),
        }
    }
}

/// Which directories of a tree are checked for their owners: in one that was adopted, packages are anywhere.
pub(super) fn how(listing: &Listing) -> ownership::Look {
    if listing.is_adopted() { ownership::Look::AtAll } else { ownership::Look::AtOurs }
}
