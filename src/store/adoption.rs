//! Takes over a tree that somebody else made, as it is.
//!
//! [`survey`] examines a tree and changes nothing. Each file it finds either is an obstacle, which people have to clear
//! away, or may stay where it is: its bytes and times do not change, so its URL stays valid. [`secure`] then ensures
//! that only the daemon can change it: a file that belongs to somebody else, that others may write to, or that has a
//! second name, is replaced by a copy, hashed while it is copied. Whoever has the old file open keeps just that. (So
//! files need no `chown` beforehand; directories do.)
//!
//! None of this lists anything: the logbook decides what is listed, in one append. Until then everything can be
//! repeated; after it the daemon publishes the tree, and carries over whatever other data its metadata listed. The old
//! metadata is kept in the state directory until the tree is released, for [`put_back`].
//!
//! Rejected: adopting the upload tree. Whatever is in it is taken in as uploads anyway.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Seek as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::disk::{self, Access, AtPath as _, Disk, DiskError, Wanted};
use super::distribution::DistSettings;
use super::examination::{Answer, Known, Question, Terms};
use super::index::{Chunk, Index, IndexError};
use super::ownership;
use super::publication::{self, REPOMD, REPOMD_ASC};
use super::stamp::Stamp;
use super::strangers;
use super::thread_pool;
use super::tree::{self, REPODATA};
use crate::domain::checksum::Sha256;
use crate::domain::listing::{Catalog, Entry};
use crate::domain::names::{TreeId, TreeName};
use crate::domain::nevra::Nevra;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::trust::Accepted;
use crate::format::repomd::Repomd;

/// The largest metadata file that is kept for undoing; the largest known are a third of this.
const METADATA_MAX: u64 = 1 << 30;

/// The name of the file that is kept for undoing if the tree had no metadata.
const NO_METADATA: &str = "no-metadata";

/// Why a tree cannot be looked at or taken.
#[derive(Debug, thiserror::Error)]
pub enum AdoptionError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Something has to be fixed first.
    #[error("{0}")]
    First(String),
}

fn first<T>(why: String) -> Result<T, AdoptionError> {
    Err(AdoptionError::First(why))
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The tree.
    pub tree: &'a TreeName,
    /// Which signatures are required there.
    pub terms: Arc<Terms>,
    /// The refusal codes despite which packages may stay.
    pub excepted: BTreeSet<Code>,
    /// Whether packages that its metadata does not list are included, so that clients see more than before.
    pub also_unlisted: bool,
    /// Now.
    pub now: Timestamp,
}

/// A package that may stay.
#[derive(Clone, Debug)]
pub struct Stays {
    /// Its path in the tree.
    pub place: String,
    /// Identity.
    pub nevra: Nevra,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// Size of the file in bytes.
    pub size: u64,
    /// Who signed it; nobody if it stays by an exception.
    pub signed: Accepted,
    /// The refusal code, if it stays by an exception.
    pub excepted: Option<Code>,
    /// The state of its file when it was read.
    pub stamp: Stamp,
    /// Whether somebody else could write to the file.
    pub is_open: bool,
}

/// What was found in a tree.
#[derive(Debug, Default)]
pub struct Survey {
    /// The packages that may stay, by path.
    pub stay: Vec<Stays>,
    /// What must be removed or excepted first, by path.
    pub refused: Vec<(String, Refusal)>,
    /// Files that the metadata lists but that do not exist.
    pub missing: Vec<String>,
    /// Files that are not listed and stay as they are.
    pub unlisted: Vec<String>,
    /// The same package again: only the first path counts.
    pub again: Vec<(String, Nevra)>,
    /// The metadata that clients see, if any: its revision, the number of packages, its SHA-256.
    pub shown: Option<(u64, u64, Sha256)>,
}

impl Survey {
    /// Whether nothing prevents adopting the tree, and there is something to adopt.
    pub fn is_good(&self) -> bool {
        self.refused.is_empty() && self.missing.is_empty() && !self.stay.is_empty()
    }
}

/// Examines a tree. `catalog` knows what the distribution accepted before; `index` gets the XML of what is read, if it
/// is to be used; `progress` is called with how many packages were read, and of how many.
///
/// # Errors
/// What has to be fixed before it can be examined; nothing has changed in any case.
pub fn survey(
    settings: &DistSettings,
    catalog: &dyn Catalog,
    wish: &Wish<'_>,
    mut index: Option<(&dyn Disk, &mut Index)>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Survey, AdoptionError> {
    let id = TreeId { dist: settings.path.clone(), tree: wish.tree.clone() };
    let dir = tree::dir(&settings.root, &id);
    if *wish.tree == settings.gate.tree {
        return first(format!("{id} is the upload tree: its packages are taken in automatically when the daemon runs"));
    }
    if !std::fs::symlink_metadata(&dir).is_ok_and(|meta| meta.is_dir()) {
        return first(format!("there is no directory {}", dir.display()));
    }
    tree::plain(&settings.root, &id)?;
    if let Some(open) = ownership::look(&settings.root, &id, disk::me(), ownership::Look::AtAll)? {
        return first(format!("{}; run first: {}", open.what(), open.remedy()));
    }
    let (shown, listed) = listed(&dir)?;
    let mut survey = Survey { shown, ..Survey::default() };
    let there = strangers::files(&dir, |_| false);
    if there.len() >= strangers::FILES_MAX {
        return first(format!("{id} has {} packages or more, which is too many", strangers::FILES_MAX));
    }
    let mut wanted = Vec::new();
    for place in there {
        let is_listed = listed.as_ref().is_some_and(|listed| listed.contains(&place));
        if is_listed || wish.also_unlisted {
            wanted.push(place);
        } else {
            survey.unlisted.push(place);
        }
    }
    let known: BTreeSet<&String> = wanted.iter().collect();
    survey.missing = listed.into_iter().flatten().filter(|place| !known.contains(place)).collect();
    let all = wanted.len() as u64;
    let (mut read, mut put) = (0, Ok(()));
    thread_pool::each(
        &wanted,
        || (),
        |(): &mut (), place| examine(settings, wish, &dir, place),
        |place, outcome| {
            read += 1;
            progress(read, all);
            match outcome {
                Ok((stays, chunk)) => {
                    if let Some((disk, index)) = index.as_mut().filter(|_| put.is_ok()) {
                        put = index.put(*disk, &chunk);
                    }
                    survey.stay.push(stays);
                }
                Err(refusal) => survey.refused.push((place.clone(), refusal)),
            }
        },
    )?;
    put?;
    survey.stay.sort_by(|a, b| (&a.nevra, &a.place).cmp(&(&b.nevra, &b.place)));
    compare(&mut survey, catalog);
    survey.refused.sort_by(|a, b| (a.1.code, &a.0).cmp(&(b.1.code, &b.0)));
    Ok(survey)
}

/// What the metadata of a tree shows, and which paths it lists.
#[expect(clippy::type_complexity, reason = "two things that are read together")]
fn listed(dir: &Path) -> Result<(Option<(u64, u64, Sha256)>, Option<BTreeSet<String>>), AdoptionError> {
    let path = dir.join(REPODATA).join(REPOMD);
    let unread = |why: &str| {
        let path = path.display();
        format!(
            "{path} cannot be read ({why}), so it is unknown what clients see; fix it, or remove it and use \
             --also-unlisted"
        )
    };
    let bytes = match publication::shown(&dir.join(REPODATA)) {
        Ok(None) => return Ok((None, None)),
        Ok(Some(bytes)) => bytes,
        Err(why) => return first(unread(&why)),
    };
    let repomd = match Repomd::read(&bytes) {
        Ok(repomd) => repomd,
        Err(why) => return first(unread(&why.to_string())),
    };
    match strangers::locations(dir, &repomd) {
        Ok(Some(listed)) => {
            let shown = (repomd.revision, listed.len() as u64, publication::sha256(&bytes));
            Ok((Some(shown), Some(listed)))
        }
        Ok(None) => first(unread("the package list it names is missing")),
        Err(why) => first(unread(&why)),
    }
}

/// Reads one package and decides whether it may stay.
fn examine(
    settings: &DistSettings,
    wish: &Wish<'_>,
    dir: &Path,
    place: &str,
) -> Result<Result<(Stays, Chunk), Refusal>, DiskError> {
    let path = dir.join(place);
    let refused = |code, why: &str| Ok(Err(Refusal::new(code, why.to_owned())));
    let Ok(file) = tree::open_beneath(dir, Path::new(place)) else {
        return refused(Code::NotRegular, "it is a link, or cannot be opened");
    };
    let meta = file.metadata().at("look at", &path)?;
    if !meta.is_file() {
        return refused(Code::NotRegular, "it is not a regular file");
    }
    let stamp = Stamp::of(&meta);
    let file_time = u64::try_from(meta.mtime()).unwrap_or_default();
    let ask = |question: &Question| {
        let mut file = file.try_clone().at("open again", &path)?;
        // Both share one file offset, and the previous question has read to the end.
        file.rewind().at("read", &path)?;
        settings.gate.examiner.examine(file, meta.len(), &wish.terms, question).at("have examined", &path)
    };
    let answer = ask(&Question::MayItStay { at: wish.now, file_time, place: place.to_owned() })?;
    let (known, excepted) = match answer {
        Answer::Good(known) => (known, None),
        Answer::SoFar => return refused(Code::ReaderFailed, "no answer"),
        Answer::Refused(refusal, _) if wish.excepted.contains(&refusal.code) => {
            match ask(&Question::WhatIsIt { file_time, place: Some(place.to_owned()) })? {
                Answer::Good(known) => (known, Some(refusal.code)),
                Answer::Refused(refusal, _) => return Ok(Err(refusal)),
                Answer::SoFar => return refused(Code::ReaderFailed, "no answer"),
            }
        }
        Answer::Refused(refusal, _) => return Ok(Err(refusal)),
    };
    if Stamp::of(&file.metadata().at("look at", &path)?) != stamp {
        return refused(Code::Unstable, "it changed while it was being read");
    }
    let is_open = !ownership::guarded(meta.uid(), meta.mode()) || meta.nlink() > 1;
    let Known { nevra, sha256, pkgid, size, xml, signed, .. } = *known;
    let chunk = Chunk { sha256, place: Entry::elsewhere(&nevra, place), pkgid, size, file_time, xml };
    Ok(Ok((Stays { place: place.to_owned(), nevra, sha256, size, signed, excepted, stamp, is_open }, chunk)))
}

/// One NEVRA has one content, in the tree and in the distribution.
fn compare(survey: &mut Survey, catalog: &dyn Catalog) {
    let mut stay: Vec<Stays> = Vec::new();
    for next in std::mem::take(&mut survey.stay) {
        let (nevra, sha256) = (&next.nevra, next.sha256);
        if let Some(before) = stay.last().filter(|before| before.nevra == *nevra) {
            if before.sha256 == sha256 {
                survey.again.push((next.place, next.nevra));
            } else {
                let why = format!("{nevra} is in {} with other bytes; clients see either", before.place);
                survey.refused.push((next.place, Refusal::new(Code::DuplicateNevra, why)));
            }
            continue;
        }
        match catalog.accepted(nevra) {
            Some(other) if other != sha256 => {
                let why = format!("{nevra} was accepted in this distribution with other bytes ({other})");
                survey.refused.push((next.place, Refusal::new(Code::DuplicateNevra, why)));
            }
            Some(_) | None => stay.push(next),
        }
    }
    survey.stay = stay;
}

/// Where the old metadata is kept for undoing.
pub fn kept(state: &Path, id: &TreeId) -> PathBuf {
    state.join("adopted").join(format!("{}-{}", id.tree, id.dist.flat()))
}

/// Ensures that only the daemon can change what stays, and that the old metadata, kept in `keep`, can be restored.
///
/// # Errors
/// With the path that failed, or a file that has changed; everything can be repeated.
pub fn secure(
    disk: &dyn Disk,
    dir: &Path,
    stay: &[Stays],
    keep: &Path,
    index: &mut Index,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), AdoptionError> {
    keep_metadata(disk, dir, keep)?;
    let mut copied = BTreeSet::new();
    for (number, stays) in stay.iter().enumerate() {
        let path = dir.join(&stays.place);
        let changed = || format!("{} changed a moment ago; run the command again", path.display());
        let file = tree::open_beneath(dir, Path::new(&stays.place))?;
        let meta = file.metadata().at("look at", &path)?;
        if stays.is_open {
            let wanted = Wanted { sha256: Some(stays.sha256), file_time: None, access: Access::Sealed };
            let Some(copy) = disk::copy_over(disk, &file, &path, &path, wanted)? else { return first(changed()) };
            index.has_made(stays.sha256, copy.metadata().at("look at", &path)?.ino())?;
            copied.extend(path.parent().map(Path::to_owned));
        } else if Stamp::of(&meta) != stays.stamp {
            return first(changed());
        }
        progress(number as u64 + 1, stay.len() as u64);
    }
    Ok(copied.iter().try_for_each(|dir| disk.sync_dir(dir))?)
}

/// Copies what `repomd.xml` lists, and then itself, or notes that there is none.
fn keep_metadata(disk: &dyn Disk, dir: &Path, keep: &Path) -> Result<(), AdoptionError> {
    disk::remove_all(keep)?;
    disk.make_dir(keep)?;
    let repodata = dir.join(REPODATA);
    let Some(repomd) = bytes_of(&repodata.join(REPOMD), publication::REPOMD_MAX)? else {
        return Ok(disk::put(disk, &keep.join(NO_METADATA), b"", Access::Owner)?);
    };
    for name in names(&repomd) {
        // What is not there leads nobody anywhere.
        if let Some(bytes) = bytes_of(&repodata.join(&name), METADATA_MAX)? {
            disk::put(disk, &keep.join(&name), &bytes, Access::Owner)?;
        }
    }
    if let Some(signature) = bytes_of(&repodata.join(REPOMD_ASC), publication::REPOMD_MAX)? {
        disk::put(disk, &keep.join(REPOMD_ASC), &signature, Access::Owner)?;
    }
    Ok(disk::put(disk, &keep.join(REPOMD), &repomd, Access::Owner)?)
}

/// The content of a file; `None` if it does not exist. A file that cannot be read could not be restored, so that is an
/// error.
fn bytes_of(path: &Path, most: u64) -> Result<Option<Vec<u8>>, DiskError> {
    if let Some(bytes) = tree::read_small(path, most) {
        return Ok(Some(bytes));
    }
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        _ => {
            let why = format!("it is not a readable file, or is longer than {most} bytes");
            Err(DiskError::new("read", path, std::io::Error::other(why)))
        }
    }
}

/// Whether a name is that of a file in one directory, and not a hidden one.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains('/')
}

/// The files in `repodata/` that a `repomd.xml` lists.
fn names(repomd: &[u8]) -> Vec<String> {
    let data = Repomd::read(repomd).map(|repomd| repomd.data).unwrap_or_default();
    let inside = data.iter().filter_map(|data| data.location.strip_prefix("repodata/"));
    inside.filter(|name| is_plain(name)).map(str::to_owned).collect()
}

/// What clients see of a released tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutBack {
    /// The old metadata.
    Restored,
    /// None, as before.
    Removed,
    /// What they saw last: the old metadata is no longer in the state directory.
    NotKept,
}

/// Restores the old metadata: the files it lists first, then the signature and `repomd.xml`, back to back.
///
/// # Errors
/// With the path at fault; it can be done again.
pub fn put_back(disk: &dyn Disk, dir: &Path, keep: &Path) -> Result<PutBack, DiskError> {
    let repodata = dir.join(REPODATA);
    let (repomd_path, signature_path) = (repodata.join(REPOMD), repodata.join(REPOMD_ASC));
    let Some(repomd) = bytes_of(&keep.join(REPOMD), publication::REPOMD_MAX)? else {
        if !keep.join(NO_METADATA).exists() {
            return Ok(PutBack::NotKept);
        }
        if repodata.exists() {
            disk::sweep(disk, &repodata)?;
            disk.remove(&repomd_path)?;
            disk.remove(&signature_path)?;
            disk.sync_dir(&repodata)?;
        }
        return Ok(PutBack::Removed);
    };
    disk.make_dir(&repodata)?;
    disk::sweep(disk, &repodata)?;
    for name in names(&repomd) {
        if let Some(bytes) = bytes_of(&keep.join(&name), METADATA_MAX)? {
            disk::put(disk, &repodata.join(&name), &bytes, Access::Everybody)?;
        }
    }
    let ready = |bytes: &[u8]| {
        let mut file = disk.fresh(&repodata, Access::Everybody)?;
        disk.write(&mut file, bytes)?;
        disk.sync(&file)?;
        Ok::<_, DiskError>(file)
    };
    let signature =
        bytes_of(&keep.join(REPOMD_ASC), publication::REPOMD_MAX)?.map(|bytes| ready(&bytes)).transpose()?;
    let repomd = ready(&repomd)?;
    match signature {
        Some(signature) => drop(disk.name(signature, &signature_path)?),
        None => disk.remove(&signature_path)?,
    }
    disk.name(repomd, &repomd_path)?;
    disk.sync_dir(&repodata)?;
    Ok(PutBack::Restored)
}

/// Removes what was kept for undoing.
///
/// # Errors
/// With the path that failed.
pub fn forget(keep: &Path) -> Result<(), DiskError> {
    disk::remove_all(keep)
}

/// How many packages stay for each reason, by exception.
pub fn exceptions(stay: &[Stays]) -> BTreeMap<Code, usize> {
    let mut all = BTreeMap::new();
    for code in stay.iter().filter_map(|stays| stays.excepted) {
        *all.entry(code).or_default() += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::disk::Kernel;
    use super::super::disk::failing::FailingDisk;
    use super::*;

    /// Metadata whose only file has this content, and so another name.
    fn show(dir: &Path, content: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let (disk, repodata) = (Kernel::default(), dir.join(REPODATA));
        let name = format!("{content}-comps.xml");
        let repomd = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<repomd xmlns=\"http://linux.duke.edu/metadata/repo\">\
             <revision>1</revision><data type=\"group\"><checksum type=\"sha256\">{}</checksum>\
             <location href=\"repodata/{name}\"/><timestamp>1</timestamp><size>{}</size></data></repomd>",
            publication::sha256(content.as_bytes()),
            content.len()
        );
        assert_eq!(names(repomd.as_bytes()), std::slice::from_ref(&name));
        disk.make_dir(&repodata).expect("made");
        for (name, bytes) in [(&*name, content), (REPOMD_ASC, content), (REPOMD, &repomd)] {
            disk::put(&disk, &repodata.join(name), bytes.as_bytes(), Access::Everybody).expect("written");
        }
        shown(dir)
    }

    /// What clients can fetch.
    fn shown(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let repodata = dir.join(REPODATA);
        let Ok(Some(repomd)) = publication::shown(&repodata) else { return BTreeMap::new() };
        let all = names(&repomd).into_iter().chain([REPOMD.to_owned(), REPOMD_ASC.to_owned()]);
        let read = |name: String| Some((repodata.join(&name), std::fs::read(repodata.join(&name)).ok()?));
        all.filter_map(read).collect()
    }

    fn without_signature(mut shown: BTreeMap<PathBuf, Vec<u8>>) -> BTreeMap<PathBuf, Vec<u8>> {
        shown.retain(|path, _| !path.ends_with(REPOMD_ASC));
        shown
    }

    #[test]
    fn metadata_of_before_comes_back_whole_wherever_the_disk_fails() {
        let dir = tempfile::tempdir().expect("a directory");
        let (tree, keep) = (dir.path().join("tree"), dir.path().join("keep"));
        let before = show(&tree, "before");
        keep_metadata(&Kernel::default(), &tree, &keep).expect("kept");
        for calls in 0.. {
            disk::remove_all(&tree).expect("removed");
            let after = show(&tree, "after");
            let tried = put_back(&FailingDisk::after(calls), &tree, &keep);
            let seen = without_signature(shown(&tree));
            assert!([&before, &after].iter().any(|whole| seen == without_signature((*whole).clone())), "{calls}");
            let failed = tried.is_err();
            assert_eq!(put_back(&Kernel::default(), &tree, &keep).expect("put back"), PutBack::Restored);
            assert_eq!(shown(&tree), before);
            if !failed {
                break;
            }
        }
    }

    #[test]
    fn a_tree_that_showed_nothing_shows_nothing_again_and_what_was_not_kept_is_not_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (disk, tree, keep) = (Kernel::default(), dir.path().join("tree"), dir.path().join("keep"));
        let after = show(&tree, "after");
        assert_eq!(put_back(&disk, &tree, &keep).expect("looked"), PutBack::NotKept);
        assert_eq!(shown(&tree), after);
        disk::remove_all(&tree).expect("removed");
        keep_metadata(&disk, &tree, &keep).expect("kept");
        assert_eq!(put_back(&disk, &tree, &keep).expect("no repodata at all"), PutBack::Removed);
        show(&tree, "after");
        for calls in 0.. {
            let tried = put_back(&FailingDisk::after(calls), &tree, &keep);
            if tried.is_ok() {
                break;
            }
        }
        assert!(shown(&tree).is_empty() && !tree.join(REPODATA).join(REPOMD_ASC).exists());
    }

    #[test]
    fn metadata_that_cannot_be_kept_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let (disk, tree, keep) = (Kernel::default(), dir.path().join("tree"), dir.path().join("keep"));
        show(&tree, "before");
        let comps = tree.join(REPODATA).join("before-comps.xml");
        disk.remove(&comps).expect("removed");
        keep_metadata(&disk, &tree, &keep).expect("what is not there leads nobody anywhere");
        disk.make_dir(&comps).expect("made");
        let why = keep_metadata(&disk, &tree, &keep).expect_err("it is a directory").to_string();
        assert!(why.contains("before-comps.xml"), "{why}");
    }
}
