//! The metadata of a directory of packages that rolloutd does not manage: `rolloutd index`.
//!
//! Packages are not taken in here. They stay where they are, at any depth, and the metadata lists them there. What was
//! learned of a file is kept in a separate state directory and reused as long as the file has the same inode, size and
//! times:
//!
//! ```text
//! <state>/files.sqlite      the XML of each file, and under which terms
//! <state>/packages.xml      the XML, see `append_file`
//! <state>/blocks            compressed blocks, see `block_cache`
//! <state>/lock              one process at a time
//! ```
//!
//! All of it can be removed at any time, and whatever is torn is regenerated: the resulting metadata is the same as
//! from an empty state. So nothing in it is trusted. A file's row counts only while the file has the row's times; the
//! lengths and keys of a row are checked against the XML, or against a block of exactly these keys; a block has
//! checksums.
//!
//! A file that changed a moment ago is listed, and read again by the next scan: another change within the same tick of
//! the file system's clock would leave the times unchanged.
//!
//! What never happens: a link is followed that leads out of the directory, or any link unless it was asked for; a file
//! is listed that the gate, if there is one, refuses, or that changed while it was read.

/// The files in a directory.
mod walk;
/// The database of what is known about them.
mod state;
/// Reads one of them and makes its XML.
mod reader;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;

use reader::Reader;
use state::{Files, Shown, State};
pub use walk::Links;
use walk::{Stamp, Walk};

use super::append_file::AppendFile;
use super::assembly::{self, AssemblyError, Tally};
use super::block_cache::{BlockCache, BlockCacheError};
use super::blocks::{Form, Members, Part, Piece};
use super::disk::{self, Disk, DiskError};
use super::index::{IndexError, Place, Source, may_pass};
use super::lock::{LockError, SiteLock, lock_folder};
use super::publication::{self, Outcome, PublishError, Published, Spec};
use super::retirement;
use super::thread_pool;
use super::tree::REPODATA;
use crate::domain::checksum::ChecksumKind;
use crate::domain::refusal::Refusal;
use crate::domain::trust::Policy;
use crate::format::openpgp::Keyring;
use crate::format::signing::Signer;

/// The XML is rewritten when more than this is unused, and more than is used.
const WASTE_MAX: u64 = 64 << 20;

/// Where a check of a file system puts what it finds.
const LOST_AND_FOUND: &str = "lost+found";

/// What is required of the packages.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The kind of checksum.
    pub checksum: ChecksumKind,
    /// Whose signatures are required, and which; without it, packages are listed unverified.
    pub gate: Option<(Keyring, Policy)>,
    /// Identifies all of this: packages that were read under other terms are read again.
    pub name: String,
}

impl Terms {
    /// Packages are listed whoever signed them.
    pub fn unverified(checksum: ChecksumKind) -> Self {
        Self { checksum, gate: None, name: format!("{checksum} unverified") }
    }
}

/// What a scan found.
#[derive(Debug, Default)]
pub struct Found {
    /// Packages listed now.
    pub listed: usize,
    /// How many of these were read in this scan.
    pub read: usize,
    /// Packages that are no longer listed.
    pub gone: usize,
    /// Links to packages and directories that were not followed, and why, if that was asked for.
    pub links: Vec<(String, Option<&'static str>)>,
    /// Directories that could not be read, but for `lost+found`, which is root's own in each file system.
    pub unread: Vec<String>,
    /// Files that are not listed, by their path, and why.
    pub refused: Vec<(String, Refusal)>,
    /// Remarks about what was read now.
    pub notes: Vec<String>,
}

/// Why a directory cannot be processed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Another process works on it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The state database.
    #[error("could not {what} {}", path.display())]
    Database {
        /// What was attempted, as a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The metadata.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// A directory and what is known about it.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    state: State,
    append_file: AppendFile,
    block_cache: BlockCache,
    /// By relative path, which is the order of the metadata.
    files: Files,
    /// What clients see, as long as the listing is unchanged.
    shown: Option<(Form, Published)>,
    terms: Terms,
    links: Links,
    _lock: SiteLock,
}

impl Folder {
    /// Opens a directory with its state, which is created if it is missing, torn, or of other terms.
    ///
    /// `who` is shown to another process that tries to lock it.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn open(
        disk: &dyn Disk,
        dir: &Path,
        state: &Path,
        terms: Terms,
        links: Links,
        who: &str,
    ) -> Result<Self, FolderError> {
        disk.make_dir(state)?;
        let lock = lock_folder(state, dir, who)?;
        disk::sweep(disk, state)?;
        let database = state.join("files.sqlite");
        let xml_path = state.join("packages.xml");
        let mut append_file = AppendFile::open(disk, &xml_path)?;
        let (known, files) = match State::open(&database, &terms.name, append_file.end()) {
            Ok(usable) => usable,
            Err(source) if may_pass(&source) => {
                return Err(FolderError::Database { what: "open", path: database, source });
            }
            Err(_) => {
                let empty = State::begin(disk, &database, &terms.name)?;
                append_file = AppendFile::begin(disk, &xml_path)?;
                empty
            }
        };
        let block_cache = BlockCache::open(disk, &state.join("blocks"))?;
        let mut folder = Self {
            dir: dir.to_owned(),
            state: known,
            append_file,
            block_cache,
            files,
            shown: None,
            terms,
            links,
            _lock: lock,
        };
        folder.shown = folder.recall();
        Ok(folder)
    }

    /// Scans all files and reads those that are new or changed; `progress` is called with how many have been read, and
    /// of how many.
    ///
    /// # Errors
    /// If the directory or the state cannot be used; a bad file is not an error.
    pub fn look(
        &mut self,
        disk: &dyn Disk,
        now: Timestamp,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Found, FolderError> {
        let Walk { there, behind_links, links, unfit, closed } = Walk::through(&self.dir, self.links)?;
        let mut found = Found { links, refused: unfit, ..Found::default() };
        let unread = closed.iter().map(|(dir, _)| dir).filter(|dir| *dir != LOST_AND_FOUND);
        found.unread.extend(unread.cloned());
        found.notes.extend(closed.iter().map(|(dir, why)| {
            format!("{dir}: the directory cannot be read: {why}; what was listed of it stays listed")
        }));
        let mut gone = Vec::new();
        self.files.retain(|path, (stamp, _)| {
            // Files in a directory that cannot be listed now are not gone.
            let unseen = || {
                closed.iter().any(|(dir, _)| path.strip_prefix(dir.as_str()).is_some_and(|rest| rest.starts_with('/')))
            };
            let stays = there.get(path) == Some(stamp) || unseen();
            if !stays {
                gone.push(path.clone());
            }
            stays
        });
        let wanted: Vec<(&String, &Stamp)> = there.iter().filter(|(path, _)| !self.files.contains_key(*path)).collect();
        if !gone.is_empty() || !wanted.is_empty() {
            self.forget_shown()?;
        }
        let Self { dir, append_file, terms, .. } = &*self;
        let reader = Reader { disk, dir, behind_links: &behind_links, append_file, terms, now };
        let mut read = Vec::new();
        let mut seen = 0;
        thread_pool::each(
            &wanted,
            || vec![0; 256 * 1024],
            |buffer, (path, stamp)| reader.place(path, **stamp, buffer),
            |(path, stamp), outcome| {
                seen += 1;
                progress(seen, wanted.len());
                match outcome {
                    Ok((place, replaced)) => {
                        if !replaced.is_empty() {
                            let fields = replaced.join(", ");
                            found.notes.push(format!("{path}: text was replaced or omitted in its {fields}"));
                        }
                        let stamp = if stamp.is_fresh(now) { Stamp::NONE } else { **stamp };
                        read.push(((*path).clone(), stamp, place));
                    }
                    Err(refusal) => found.refused.push(((*path).clone(), refusal)),
                }
            },
        )?;
        found.read = read.len();
        found.refused.sort_by(|a, b| a.0.cmp(&b.0));
        found.notes.sort();
        self.keep(read, &gone)?;
        found.gone = gone.iter().filter(|path| !self.files.contains_key(*path)).count();
        found.listed = self.files.len();
        Ok(found)
    }

    /// Stores what was read and removes what no longer exists.
    fn keep(&mut self, read: Vec<(String, Stamp, Place)>, gone: &[String]) -> Result<(), FolderError> {
        if read.is_empty() && gone.is_empty() {
            return Ok(());
        }
        self.state.keep(&read, gone)?;
        self.files.extend(read.into_iter().map(|(path, stamp, place)| (path, (stamp, place))));
        Ok(())
    }

    /// Publishes what the last scan found.
    ///
    /// # Errors
    /// Clients still see the old metadata then.
    pub fn publish(
        &mut self,
        disk: &dyn Disk,
        form: Form,
        signer: Option<&Signer>,
        now: Timestamp,
    ) -> Result<Published, FolderError> {
        let spec = Spec { dir: self.dir.clone(), form, is_lent: true, anew: false };
        if let Some((seen, last)) = &self.shown
            && *seen == form
            && let Some(published) = publication::unchanged(&spec, signer, last)
        {
            return Ok(published);
        }
        let published = match self.stage(disk, &spec, signer, now)? {
            Outcome::Same(published) => published,
            Outcome::New(staged) => staged.publish(disk)?,
        };
        self.remember(form, &published)?;
        self.tidy(disk, form)?;
        Ok(published)
    }

    /// Removes metadata files that have been out of use for `keep`; returns how many.
    ///
    /// Only files whose names begin with a checksum are ours to remove.
    ///
    /// # Errors
    /// With the path that failed.
    pub fn retire(
        &mut self,
        disk: &dyn Disk,
        published: &Published,
        keep: Duration,
        now: Timestamp,
    ) -> Result<usize, FolderError> {
        let ours = |name: &&String| {
            let sum = name.split('-').next().unwrap_or_default();
            sum.len() >= 40 && sum.len() < name.len() && sum.bytes().all(|b| b.is_ascii_hexdigit())
        };
        let known = self.state.superseded()?;
        // A file that is in use again starts over when it is superseded again.
        let back = known.keys().filter(|name| !published.superseded.contains(*name));
        for name in back {
            self.state.forget_superseded(name)?;
        }
        let mut over = Vec::new();
        for name in published.superseded.iter().filter(ours) {
            let since = known.get(name).copied();
            if since.is_none() {
                self.state.supersede(name, now)?;
            }
            // A clock that was set back counts as no time at all.
            let waited = now.as_second().saturating_sub(since.unwrap_or(now.as_second()));
            if u64::try_from(waited).unwrap_or_default() >= keep.as_secs() {
                over.push(format!("{REPODATA}/{name}"));
            }
        }
        let gone = retirement::retire(disk, &self.dir, &over, &BTreeSet::new())?.gone;
        for file in &gone {
            self.state.forget_superseded(file.rsplit('/').next().unwrap_or_default())?;
        }
        Ok(gone.len())
    }

    fn stage(
        &mut self,
        disk: &dyn Disk,
        spec: &Spec,
        signer: Option<&Signer>,
        now: Timestamp,
    ) -> Result<Outcome, FolderError> {
        let mut mended = BTreeSet::new();
        loop {
            let source = listed(&self.append_file, &self.files);
            match publication::stage(disk, spec, &source, &mut self.block_cache, signer, 0, now) {
                Err(PublishError::Index(IndexError::Lost { .. })) if mended.insert(None) => {
                    self.read_lost_again(disk, now)?;
                }
                Err(PublishError::Assembly { dir, source }) => match *source {
                    AssemblyError::BlockCache(BlockCacheError::Damaged { id, .. }) if mended.insert(Some(id)) => {
                        self.block_cache.forget(&id);
                    }
                    source => return Err(PublishError::Assembly { dir, source: Box::new(source) }.into()),
                },
                other => return Ok(other?),
            }
        }
    }

    /// Forgets every file whose XML is lost, and scans again.
    fn read_lost_again(&mut self, disk: &dyn Disk, now: Timestamp) -> Result<(), FolderError> {
        let lost = |place: &Place| place.read_all(&self.append_file).is_none();
        let lost: Vec<String> =
            self.files.iter().filter(|(_, (_, place))| lost(place)).map(|(path, _)| path.clone()).collect();
        self.files.retain(|path, _| lost.binary_search(path).is_err());
        self.keep(Vec::new(), &lost)?;
        self.look(disk, now, |_, _| {}).map(drop)
    }

    /// Removes unused blocks and XML from time to time.
    fn tidy(&mut self, disk: &dyn Disk, form: Form) -> Result<(), FolderError> {
        if form.members == Members::Blocks {
            let wanted = || assembly::ids(form, &listed(&self.append_file, &self.files)).collect();
            match self.block_cache.tidy(disk, wanted) {
                Ok(_) => {}
                Err(BlockCacheError::Disk(error)) => return Err(error.into()),
                Err(error) => return Err(DiskError::new("tidy", &self.dir, std::io::Error::other(error)).into()),
            }
        }
        let wanted: u64 = self.files.values().map(|(_, place)| place.len()).sum();
        if self.append_file.end().saturating_sub(wanted) > WASTE_MAX.max(wanted) {
            self.rewrite_xml(disk)?;
        }
        Ok(())
    }

    fn rewrite_xml(&mut self, disk: &dyn Disk) -> Result<(), FolderError> {
        let path = self.append_file.path().to_owned();
        let beside = path.with_extension("xml.new");
        let new = AppendFile::begin(disk, &beside)?;
        let mut moved = Vec::with_capacity(self.files.len());
        for (file, (stamp, place)) in &self.files {
            // Damaged XML is left behind, and its file is read again by the next scan.
            if let Some(xml) = place.read_all(&self.append_file)
                && let Some(place) = Place::write(disk, &new, &xml)?
            {
                moved.push((file.clone(), *stamp, place));
            }
        }
        let all: Vec<String> = std::mem::take(&mut self.files).into_keys().collect();
        // After a crash between the two, the rows do not match their XML, and the files are read again.
        disk.rename(&beside, &path)?;
        self.append_file = AppendFile::open(disk, &path)?;
        self.keep(moved, &all)
    }

    /// What was last published, if the listing has not changed since.
    fn recall(&self) -> Option<(Form, Published)> {
        let Shown { form, listing, repomd } = self.state.shown()?;
        // Rows may have been lost since then, and the files they described may be gone too.
        if listing != self.listing() {
            return None;
        }
        let published = Published {
            revision: 0,
            packages: self.files.len() as u64,
            repomd,
            superseded: Vec::new(),
            notes: Vec::new(),
            blocks: Tally::default(),
            files: Vec::new(),
        };
        Some((form, published))
    }

    fn remember(&mut self, form: Form, published: &Published) -> Result<(), FolderError> {
        self.state.set_shown(&Shown { form, listing: self.listing(), repomd: published.repomd })?;
        self.shown = Some((form, published.clone()));
        Ok(())
    }

    /// A hash of the listing.
    fn listing(&self) -> [u8; 32] {
        let mut sum = digest::Context::new(&digest::SHA256);
        for (path, (_, place)) in &self.files {
            sum.update(&(path.len() as u64).to_le_bytes());
            sum.update(path.as_bytes());
            place.keys.iter().for_each(|key| sum.update(&key.0));
        }
        let mut listing = [0; 32];
        listing.copy_from_slice(sum.finish().as_ref());
        listing
    }

    fn forget_shown(&mut self) -> Result<(), FolderError> {
        self.shown = None;
        self.state.forget_shown()
    }
}

/// The packages of a directory, in the order of the metadata.
struct Listed<'a> {
    append_file: &'a AppendFile,
    files: Vec<(&'a String, &'a Place)>,
}

fn listed<'a>(append_file: &'a AppendFile, files: &'a Files) -> Listed<'a> {
    Listed { append_file, files: files.iter().map(|(path, (_, place))| (path, place)).collect() }
}

impl Source for Listed<'_> {
    fn packages(&self) -> usize {
        self.files.len()
    }

    fn piece(&self, part: Part, at: usize) -> Piece {
        self.files[at].1.piece(part)
    }

    fn append(&self, part: Part, at: usize, out: &mut Vec<u8>) -> Result<(), IndexError> {
        let (path, place) = self.files[at];
        if place.read(self.append_file, part, out) {
            return Ok(());
        }
        Err(IndexError::Lost { path: self.append_file.path().to_owned(), package: path.clone() })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::domain::refusal::Code;
    use crate::format::compress::Compression;
    use crate::format::repomd::Repomd;
    use crate::format::sample::{Recipe, build};
    use crate::store::disk::{Access, Kernel, put};

    const GZ: Form = Form { compression: Compression::Gz, members: Members::Blocks, checksum: ChecksumKind::Sha256 };

    fn package(name: &str) -> Vec<u8> {
        let recipe = Recipe {
            name: name.to_owned(),
            version: "1.0".to_owned(),
            release: "1".to_owned(),
            arch: "noarch".to_owned(),
            summary: format!("test package {name}"),
            files: vec![(format!("/usr/share/{name}/version"), b"1.0\n".to_vec())],
            ..Recipe::default()
        };
        build(&recipe, None, Timestamp::UNIX_EPOCH).expect("a package")
    }

    /// A directory of packages, and one for states.
    struct Room {
        dir: tempfile::TempDir,
        state: tempfile::TempDir,
    }

    impl Room {
        fn new() -> Self {
            let [dir, state] = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
            Self { dir, state }
        }

        fn of(names: &[&str]) -> Self {
            let room = Self::new();
            for name in names {
                room.put(&format!("{name}.rpm"), &package(name));
            }
            room
        }

        fn put(&self, name: &str, bytes: &[u8]) {
            let path = self.dir.path().join(name);
            Kernel::default().make_dir(path.parent().expect("a parent")).expect("made");
            put(&Kernel::default(), &path, bytes, Access::Everybody).expect("written");
        }

        fn open(&self, state: &str) -> Folder {
            let terms = Terms { checksum: ChecksumKind::Sha256, gate: None, name: "any".to_owned() };
            Folder::open(
                &Kernel::default(),
                self.dir.path(),
                &self.state.path().join(state),
                terms,
                Links::Left,
                "a test",
            )
            .expect("opened")
        }

        /// Late enough that no file counts as just changed.
        fn later() -> Timestamp {
            Timestamp::from_second(4_000_000_000).expect("a time")
        }

        fn look(&self, state: &str, now: Timestamp) -> (Folder, Found) {
            let mut folder = self.open(state);
            let found = folder.look(&Kernel::default(), now, |_, _| {}).expect("looked");
            (folder, found)
        }

        /// Scans and publishes.
        fn index(&self, state: &str) -> (Folder, Found, Published) {
            let (mut folder, found) = self.look(state, Self::later());
            let published = folder.publish(&Kernel::default(), GZ, None, Self::later()).expect("published");
            (folder, found, published)
        }

        /// What clients see: names, sizes and sums of the three files.
        fn shown(&self) -> Vec<crate::format::repomd::Data> {
            let bytes = std::fs::read(self.dir.path().join("repodata/repomd.xml")).expect("there");
            Repomd::read(&bytes).expect("ours").data
        }

        /// Removes the metadata, so that nothing of it can be carried over.
        fn hide_metadata(&self) {
            for entry in std::fs::read_dir(self.dir.path().join(REPODATA)).expect("listed") {
                Kernel::default().remove(&entry.expect("an entry").path()).expect("removed");
            }
        }

        fn state_files(&self, state: &str) -> Vec<(PathBuf, Vec<u8>)> {
            let all = std::fs::read_dir(self.state.path().join(state)).expect("listed");
            let file = |path: PathBuf| (path.clone(), std::fs::read(path).expect("read"));
            all.map(|entry| file(entry.expect("an entry").path())).collect()
        }

        /// Replaces a state by other files.
        fn put_state(&self, state: &str, files: &[(PathBuf, Vec<u8>)]) {
            for (path, _) in self.state_files(state) {
                Kernel::default().remove(&path).expect("removed");
            }
            for (path, bytes) in files {
                put(&Kernel::default(), path, bytes, Access::Owner).expect("written");
            }
        }
    }

    /// Checks that every torn state gives what an empty one gives.
    #[track_caller]
    fn check_torn(tears_of: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
        let room = Room::of(&["a", "b", "c"]);
        room.index("torn");
        let whole = room.state_files("torn");
        assert_eq!(whole.iter().filter(|(_, bytes)| !bytes.is_empty()).count(), 4, "{whole:?}");
        // One more package, so that every block changes and all XML is needed.
        room.put("d.rpm", &package("d"));
        room.hide_metadata();
        room.index("empty");
        let expected = room.shown();
        for (which, (path, bytes)) in whole.iter().enumerate() {
            for (number, torn) in tears_of(bytes).into_iter().enumerate() {
                let mut files = whole.clone();
                files[which].1 = torn;
                room.put_state("torn", &files);
                for _ in 0..2 {
                    room.hide_metadata();
                    let (folder, ..) = room.index("torn");
                    assert_eq!(room.shown(), expected, "{} torn in way {number}", path.display());
                    assert_eq!(folder.files.len(), 4);
                }
                let (_, found, _) = room.index("torn");
                assert_eq!((found.read, found.gone), (0, 0), "{} is mended", path.display());
            }
        }
    }

    #[test]
    fn what_a_crash_left_in_the_state_is_gone_after_the_next_run() {
        let room = Room::of(&["a"]);
        room.index("state");
        let left = room.state.path().join("state/.rolloutd-1-0");
        put(&Kernel::default(), &left, b"half a file", Access::Owner).expect("written");
        room.open("state");
        assert!(!left.exists());
    }

    #[test]
    fn a_state_with_a_byte_changed_anywhere_gives_what_an_empty_one_gives() {
        check_torn(|bytes| {
            // Zero bytes are skipped.
            let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
            let places = places.iter().copied().step_by((places.len() / 100).max(1));
            let flipped = |at: usize| {
                let mut bytes = bytes.to_vec();
                bytes[at] ^= 1 << (at % 8);
                bytes
            };
            places.map(flipped).collect()
        });
    }

    #[test]
    fn a_state_that_was_cut_off_anywhere_gives_what_an_empty_one_gives() {
        check_torn(|bytes| {
            let places = (0..bytes.len()).step_by((bytes.len() / 30).max(1));
            places.map(|at| bytes[..at].to_vec()).collect()
        });
    }

    #[test]
    fn a_state_full_of_zeros_gives_what_an_empty_one_gives() {
        check_torn(|bytes| {
            let middle = bytes.len() / 2;
            let [mut front, mut back] = [bytes.to_vec(), bytes.to_vec()];
            front[..middle].fill(0);
            back[middle..].fill(0);
            vec![vec![0; bytes.len()], front, back]
        });
    }

    #[test]
    fn what_was_lost_and_is_gone_as_well_is_listed_no_longer() {
        for name in ["files.sqlite", "packages.xml", "blocks"] {
            let room = Room::of(&["a", "b"]);
            room.index("s");
            Kernel::default().remove(&room.state.path().join("s").join(name)).expect("removed");
            Kernel::default().remove(&room.dir.path().join("a.rpm")).expect("removed");
            Kernel::default().remove(&room.dir.path().join("b.rpm")).expect("removed");
            assert_eq!(room.index("s").2.packages, 0);
            let shown = room.shown();
            room.hide_metadata();
            room.index("empty");
            assert_eq!(shown, room.shown(), "{name}");
        }
    }

    #[test]
    fn a_file_that_may_have_changed_within_one_tick_is_read_again() {
        let room = Room::of(&["a"]);
        let meta = std::fs::metadata(room.dir.path().join("a.rpm")).expect("there");
        let changed = Timestamp::new(meta.ctime(), i32::try_from(meta.ctime_nsec()).expect("small")).expect("a time");
        let read = |now| room.look("s", now).1.read;
        assert_eq!(read(changed), 1);
        assert_eq!(read(changed), 1, "once more, for nobody knows");
        let after = changed + Duration::from_mins(1);
        assert_eq!(read(after), 1);
        assert_eq!(read(after), 0);
        assert_eq!(room.look("other", changed - Duration::from_hours(1)).1.read, 1, "a clock that was set back");
        assert_eq!(room.look("other", changed).1.read, 0);
    }

    #[test]
    fn what_is_named_again_begins_anew_when_it_is_superseded_again() {
        let (room, disk, hour) = (Room::of(&["a"]), Kernel::default(), Duration::from_hours(1));
        let at = |hours| Room::later() + hour * hours;
        room.index("s");
        let first = room.shown()[0].location.clone();
        let there = || room.dir.path().join(&first).exists();
        let step = |hours| {
            let (mut folder, _, published) = room.index("s");
            folder.retire(&disk, &published, hour * 24, at(hours)).expect("retired")
        };
        room.put("b.rpm", &package("b"));
        assert_eq!(step(0), 0);
        // Moved away and back, so that it is the same file of the same time.
        let (here, away) = (room.dir.path().join("b.rpm"), room.dir.path().join("b.rpm.away"));
        disk.rename(&here, &away).expect("moved");
        assert_eq!(step(20), 0, "the first is named again");
        disk.rename(&away, &here).expect("moved");
        assert_eq!(step(30), 0);
        assert!(there(), "superseded since hour 30");
        assert_eq!(step(53), 0);
        assert_eq!((step(54), there()), (3, false));
    }

    #[test]
    fn names_that_cannot_be_listed_are_refused_and_not_passed_over() {
        use std::os::unix::ffi::OsStrExt as _;
        let room = Room::of(&["a"]);
        let odd = std::ffi::OsStr::from_bytes(b"b\xff/c.rpm");
        room.put("pipe.rpm/in a directory of that name.rpm", &package("p"));
        room.put(".hidden.rpm", &package("h"));
        room.put("a\u{1}.rpm", &package("x"));
        let path = room.dir.path().join(odd);
        Kernel::default().make_dir(path.parent().expect("a parent")).expect("made");
        put(&Kernel::default(), &path, &package("c"), Access::Everybody).expect("written");
        std::os::unix::fs::symlink("a.rpm", room.dir.path().join("link.rpm")).expect("linked");
        let pipe = room.dir.path().join("fifo.rpm");
        rustix::fs::mkfifoat(rustix::fs::CWD, pipe, rustix::fs::Mode::RWXU).expect("made");
        let (folder, found) = room.look("s", Room::later());
        let listed: Vec<&String> = folder.files.keys().collect();
        assert_eq!(listed, ["a.rpm", "pipe.rpm/in a directory of that name.rpm"]);
        let refused: Vec<(&str, Code)> = found.refused.iter().map(|(path, r)| (path.as_str(), r.code)).collect();
        let expected =
            [("a\u{1}.rpm", Code::FileName), ("b\u{fffd}/c.rpm", Code::FileName), ("fifo.rpm", Code::NotRegular)];
        assert_eq!((refused, found.links), (expected.to_vec(), vec![("link.rpm".to_owned(), None)]));
    }

    #[test]
    fn xml_written_anew_is_what_it_was() {
        let room = Room::of(&["a", "b", "c"]);
        let (mut folder, ..) = room.index("s");
        for name in ["a", "b"] {
            room.put(&format!("{name}.rpm"), &package(&format!("other-{name}")));
            folder.look(&Kernel::default(), Room::later(), |_, _| {}).expect("looked");
            room.put(&format!("{name}.rpm"), &package(name));
            folder.look(&Kernel::default(), Room::later(), |_, _| {}).expect("looked");
        }
        let before = folder.append_file.end();
        folder.rewrite_xml(&Kernel::default()).expect("written");
        assert!(folder.append_file.end() < before);
        assert_eq!(folder.files.len(), 3);
        drop(folder);
        Kernel::default().remove(&room.state.path().join("s/blocks")).expect("removed");
        room.hide_metadata();
        let (_, found, _) = room.index("s");
        let shown = room.shown();
        room.hide_metadata();
        room.index("empty");
        assert_eq!((found.read, shown), (0, room.shown()));
    }
}
