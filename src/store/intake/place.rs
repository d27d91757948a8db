//! Gives a copy its canonical name, or restores what a tree had lost.
//!
//! If something else has the name, it is moved aside and examined like any upload. A name is durable once its directory
//! was synced, once for all names of a scan; only then may the upload that had the name be removed.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::aside::take_aside;
use super::copy::{Copied, Good, set_time};
use super::gate::Gate;
use super::look::{Arrival, IntakeError};
use super::search::Found;
use crate::domain::checksum::Sha256;
use crate::domain::listing::{Catalog, Entry, Listing};
use crate::domain::names::TreeName;
use crate::domain::nevra::Nevra;
use crate::domain::refusal::{Code, Refusal};
use crate::store::disk::{self, Access, AtPath as _, Disk, DiskError};
use crate::store::index::Index;
use crate::store::ownership;
use crate::store::stamp::Stamp;
use crate::store::thread_pool;

/// The result for one file.
pub(super) enum Examined {
    Accepted(Box<Arrival>),
    /// The same bytes are in a tree already.
    Known,
    /// It vanished meanwhile.
    Vanished,
    Refused(Refusal, Option<Sha256>),
}

/// The result for a copy, and the name it was given, which is not durable yet.
pub(super) struct Settled {
    pub(super) examined: Examined,
    pub(super) named: Option<Named>,
}

impl From<Examined> for Settled {
    fn from(examined: Examined) -> Self {
        Self { examined, named: None }
    }
}

/// What is known while the files of one scan are settled: the logbook, and the packages just accepted, which the
/// logbook will be told of. If the scan panics, the logbook never hears of these, and they are uploads like any other.
#[derive(Debug)]
pub struct Met<'a> {
    catalog: &'a dyn Catalog,
    tree: &'a TreeName,
    new: BTreeMap<Nevra, Sha256>,
}

impl<'a> Met<'a> {
    /// The catalog, extended by packages that were just accepted into a tree.
    pub fn with(catalog: &'a dyn Catalog, tree: &'a TreeName, came: &[Arrival]) -> Self {
        let new = came.iter().map(|arrival| (arrival.nevra.clone(), arrival.sha256)).collect();
        Self { catalog, tree, new }
    }
}

impl Catalog for Met<'_> {
    fn accepted(&self, nevra: &Nevra) -> Option<Sha256> {
        self.new.get(nevra).copied().or_else(|| self.catalog.accepted(nevra))
    }

    fn may_come_again(&self, nevra: &Nevra) -> bool {
        !self.new.contains_key(nevra) && self.catalog.may_come_again(nevra)
    }

    fn of_name(&self, name: &str) -> Vec<Nevra> {
        let new = self.new.range(Nevra::first_of(name)..).map(|(nevra, _)| nevra);
        let new = new.take_while(|nevra| nevra.name() == name).cloned();
        new.chain(self.catalog.of_name(name)).collect()
    }

    fn listing(&self, tree: &TreeName) -> Listing {
        let mut listing = self.catalog.listing(tree);
        for (nevra, sha256) in self.new.iter().filter(|_| tree == self.tree) {
            listing.insert(nevra.clone(), Entry::of(*sha256));
        }
        listing
    }

    fn waits_for_removal(&self, place: &str) -> bool {
        self.catalog.waits_for_removal(place)
    }

    fn published(&self, tree: &TreeName) -> Option<Sha256> {
        self.catalog.published(tree)
    }

    fn lists(&self, tree: &TreeName, nevra: &Nevra) -> bool {
        (tree == self.tree && self.new.contains_key(nevra)) || self.catalog.lists(tree, nevra)
    }
}

/// A name that was given to a copy.
#[derive(Debug)]
pub(super) struct Named {
    /// The directory of the name.
    pub(super) dir: PathBuf,
    /// The upload that had the name before: its present path, and its state then.
    upload: Option<(PathBuf, Stamp)>,
}

impl Named {
    /// Makes the name durable; only then may the upload be removed.
    fn keep(&self, disk: &dyn Disk) -> Result<(), DiskError> {
        disk.sync_dir(&self.dir)?;
        self.let_upload_go(disk)
    }

    /// Removes the upload, unless somebody has written to it since: then the next scan reads it.
    fn let_upload_go(&self, disk: &dyn Disk) -> Result<(), DiskError> {
        let Some((upload, stamp)) = &self.upload else { return Ok(()) };
        let now = std::fs::symlink_metadata(upload).map(|meta| Stamp::of(&meta));
        if now.is_ok_and(|now| now == *stamp) { disk.remove(upload) } else { Ok(()) }
    }
}

/// Makes names durable, with one sync for each directory, and removes the uploads that had them. Returns the
/// directories that could not be synced, and why.
pub(super) fn make_durable(disk: &dyn Disk, names: &[&Named]) -> BTreeMap<PathBuf, DiskError> {
    let dirs: BTreeSet<&Path> = names.iter().map(|named| named.dir.as_path()).collect();
    let dirs: Vec<&Path> = dirs.into_iter().collect();
    let mut lost = BTreeMap::new();
    let keep = |dir: &&Path, synced: Result<(), DiskError>| {
        if let Err(error) = synced {
            lost.insert(dir.to_path_buf(), error);
        }
    };
    let synced = thread_pool::each_waiting(&dirs, |dir| Ok::<_, std::convert::Infallible>(disk.sync_dir(dir)), keep);
    match synced {
        Ok(()) => {}
        Err(never) => match never {},
    }
    for named in names.iter().filter(|named| !lost.contains_key(&named.dir)) {
        if let Err(error) = named.let_upload_go(disk) {
            // It is examined again like any upload, and found to be known.
            tracing::warn!(why = error.sentence(), "an upload that was taken in stays");
        }
    }
    lost
}

/// What a package is that may be there under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody had the name before, or these very bytes may come in again.
    Welcome,
    /// A tree lists these very bytes.
    Listed,
}

/// What a package is by its name: what was accepted under it, whether a tree lists that, and whether it may come in again.
///
/// # Errors
/// If it must not come in under that name.
pub fn standing(
    (nevra, sha256): (&Nevra, Sha256),
    accepted: Option<Sha256>,
    is_listed: bool,
    may_come_again: impl FnOnce() -> bool,
) -> Result<Standing, Refusal> {
    match accepted {
        Some(known) if known != sha256 => {
            Err(Refusal::new(Code::DuplicateNevra, format!("{nevra} is known as {known}, this is {sha256}")))
        }
        Some(_) if is_listed => Ok(Standing::Listed),
        Some(_) if !may_come_again() => {
            Err(Refusal::new(Code::Withdrawn, format!("{nevra} came in before and is in no tree any more")))
        }
        Some(_) | None => Ok(Standing::Welcome),
    }
}

/// That another package has the file name that this one would get.
pub fn has_file_of_another(nevra: &Nevra, of_that_file: &[Nevra]) -> Option<Refusal> {
    let other = of_that_file.iter().find(|other| *other != nevra)?;
    Some(Refusal::new(Code::FileNameTaken, format!("{nevra} would have the same file as {other}")))
}

/// Compares a copy with what is known, and gives it its name.
pub(super) fn settle(
    disk: &dyn Disk,
    gate: &Gate,
    (index, met): (&mut Index, &mut Met<'_>),
    file: &Found,
    stamp: Stamp,
    copied: Copied,
) -> Result<Settled, IntakeError> {
    let good = match copied {
        Copied::Good(good) => good,
        Copied::Vanished => return Ok(Examined::Vanished.into()),
        Copied::Refused(refusal, sha256) => return Ok(Examined::Refused(refusal, sha256).into()),
    };
    let Good { copy, nevra, signed, replaced_text, source, chunk } = *good;
    let sha256 = chunk.sha256;
    let accepted = met.accepted(&nevra);
    let is_listed = accepted.is_some() && gate.trees.iter().any(|(tree, _)| met.lists(tree, &nevra));
    match standing((&nevra, sha256), accepted, is_listed, || met.may_come_again(&nevra)) {
        Err(refusal) => return Ok(Examined::Refused(refusal, Some(sha256)).into()),
        Ok(Standing::Listed) => {
            if index.facts(&Entry::of(sha256)).is_none_or(|(size, _)| size != chunk.size) {
                // The index was lost, and so was every file to regenerate it from; or it is wrong.
                index.put(disk, &chunk)?;
            }
            restore(disk, gate, (index, &*met), file, stamp, (&nevra, sha256), copy)?;
            return Ok(Examined::Known.into());
        }
        Ok(Standing::Welcome) => {}
    }
    if let Some(refusal) = has_file_of_another(&nevra, &met.of_file(&nevra.file_name())) {
        return Ok(Examined::Refused(refusal, Some(sha256)).into());
    }
    let inode = inode(&copy, &file.relative)?;
    let place = gate.home.join(nevra.location());
    let is_upload = gate.dir.join(&file.relative) == place;
    // Where the same bytes lay before they left, their file stays for clients for a while.
    let is_ours = |meta: &std::fs::Metadata| ownership::sealed(meta) && index.made(sha256, meta.ino());
    let named = if !is_upload && std::fs::symlink_metadata(&place).is_ok_and(|meta| is_ours(&meta)) {
        disk.name(copy, &place)?;
        Named { dir: place.parent().unwrap_or(&gate.home).to_owned(), upload: None }
    } else {
        give_name(disk, gate, file, stamp, copy, &place)?
    };
    index.put(disk, &chunk)?;
    index.has_made(sha256, inode)?;
    met.new.insert(nevra.clone(), sha256);
    let size = chunk.size;
    let upload = file.relative.clone();
    let arrival = Arrival { nevra, sha256, size, signed, replaced_text, source, upload };
    Ok(Settled { examined: Examined::Accepted(Box::new(arrival)), named: Some(named) })
}

/// Gives a synced copy its canonical name. If something has the name already, it is moved aside: it is either the
/// upload that was copied, or a file that nobody has read yet, which the next scan examines.
fn give_name(
    disk: &dyn Disk,
    gate: &Gate,
    file: &Found,
    stamp: Stamp,
    mut copy: disk::Fresh,
    canonical: &Path,
) -> Result<Named, IntakeError> {
    let dir = canonical.parent().unwrap_or(&gate.home).to_owned();
    disk.make_dir(&dir)?;
    let is_upload = gate.dir.join(&file.relative) == canonical;
    let mut upload = None;
    loop {
        match disk.name_new(&mut copy, canonical) {
            Ok(()) => return Ok(Named { dir, upload }),
            Err(error) if error.is_taken() => {}
            Err(error) => return Err(error.into()),
        }
        if let Some((aside, now)) = take_aside(disk, canonical)?
            && is_upload
            && now.is_renamed(&stamp)
        {
            upload = Some((aside, now));
        }
    }
}

/// The inode number of a copy.
fn inode(copy: &disk::Fresh, label: &Path) -> Result<u64, DiskError> {
    Ok(copy.file.metadata().at("look at the copy of", label)?.ino())
}

/// Restores an inode of our own under the canonical name: where an upload has replaced it, and in every tree that lists
/// the package and has lost it.
///
/// In the first case the bytes are the same, but the inode is the uploader's, who may still have it open. In the
/// second, this upload may be the last copy.
fn restore(
    disk: &dyn Disk,
    gate: &Gate,
    (index, catalog): (&mut Index, &dyn Catalog),
    file: &Found,
    stamp: Stamp,
    (nevra, sha256): (&Nevra, Sha256),
    copy: disk::Fresh,
) -> Result<(), IntakeError> {
    let location = nevra.location();
    let known = index.facts(&Entry::of(sha256));
    let lies = |path: &Path, known| match std::fs::symlink_metadata(path) {
        Ok(meta) => {
            let is_as_accepted = meta.is_file() && known == Some(Stamp::of(&meta).facts());
            Ok(is_as_accepted && ownership::guarded(meta.uid(), meta.mode()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(DiskError::new("look at", path, error)),
    };
    let (mut missing, mut adopted) = (Vec::new(), Vec::new());
    for (tree, dir) in &gate.trees {
        match catalog.listing(tree).get(nevra) {
            Some(entry) if entry.place.is_some() => {
                let to = dir.join(entry.location(nevra));
                if !lies(&to, index.facts(entry))? {
                    adopted.push((to, index.facts(entry).map(|(_, time)| time)));
                }
            }
            Some(_) if !lies(&dir.join(&location), known)? => missing.push(dir.as_path()),
            Some(_) | None => {}
        }
    }
    let replaced = gate.is_home() && file.relative == Path::new(&location);
    if missing.is_empty() && adopted.is_empty() && !replaced {
        return Ok(());
    }
    let here = gate.home.join(&location);
    let file_time = known.map(|(_, file_time)| file_time);
    if let Some(time) = file_time {
        set_time(&copy, time, &here)?;
        disk.sync(&copy)?;
    }
    index.has_made(sha256, inode(&copy, &here)?)?;
    // The trees get the inode that was judged, whatever happens to its names meanwhile.
    let ours = copy.file.try_clone().at("open again the copy of", &here)?;
    let mut unnamed = Some(copy);
    if (replaced || missing.contains(&gate.home.as_path()))
        && let Some(copy) = unnamed.take()
    {
        give_name(disk, gate, file, stamp, copy, &here)?.keep(disk)?;
    }
    let others = missing.into_iter().filter(|dir| *dir != gate.home).map(|dir| (dir.join(&location), None));
    for (to, own_time) in others.chain(adopted.into_iter().map(|(to, time)| (to, Some(time)))) {
        let parent = to.parent().unwrap_or(Path::new("."));
        disk.make_dir(parent)?;
        // An adopted package has its own modification time.
        if own_time.is_some() || !disk::link_over(disk, &ours, &to)? {
            let file_time = own_time.unwrap_or(file_time);
            let wanted = disk::Wanted { sha256: Some(sha256), file_time, access: Access::Sealed };
            let copy = disk::copy_over(disk, &ours, &here, &to, wanted)?.ok_or_else(|| {
                DiskError::new("copy", &here, std::io::Error::other("it was read differently the second time"))
            })?;
            index.has_made(sha256, copy.metadata().at("look at", &to)?.ino())?;
        }
        disk.sync_dir(parent)?;
        tracing::warn!(%nevra, path = %to.display(), "put back what a tree had lost");
    }
    Ok(())
}
