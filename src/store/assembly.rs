//! The three metadata files of a tree, assembled from cached blocks.
//!
//! This decides which blocks a file consists of; [`super::splice`] makes the missing ones and writes the file.
//!
//! Why the whole is well-formed although only changed blocks are parsed: a file is a head, blocks and a foot. Each
//! block was parsed as the only content of a file of its kind, so it is a run of complete package elements in that
//! namespace, as many as were counted. The block cache returns exactly those bytes (both forms are protected by a
//! CRC-32, checked on each read). In the head, only a number changes. Runs of complete elements in sequence, between
//! head and foot, are a well-formed file again.
//!
//! Rejected: reading each new file back from disk. That costs as much as everything else, grows with the tree, and
//! finds nothing that the checksums do not: a client compares what it fetched with the sums computed here from the
//! bytes passed to the kernel.
//!
//! What never happens: the sums of a file are of other bytes than were written.

use std::io::{self, Write};

use super::block_cache::BlockCache;
use super::blocks::{self, Block, Counter, Form, Members, Part, Sums};
use super::disk::{Disk, DiskError};
use super::index::Source;
use super::splice::{self, Both, Plan};
pub use super::splice::{AssemblyError, Tally};
use super::thread_pool;
use crate::format::compress::{self, Compression};

/// Decides which blocks a file consists of.
fn plan(form: Form, part: Part, source: &impl Source) -> Result<Plan, AssemblyError> {
    let packages = source.packages();
    let blocks = blocks::cut(form.compression, packages, |at| source.piece(part, at));
    let end = |text: &str| Both::new(form, text.as_bytes()).map_err(|source| AssemblyError::Write { part, source });
    let ends = [end(&part.head(packages))?, end(part.foot())?];
    Ok(Plan { part, blocks, ends })
}

/// The names of all blocks of a tree's files.
pub fn ids(form: Form, source: &impl Source) -> impl Iterator<Item = blocks::Id> {
    let cut = |part| blocks::cut(form.compression, source.packages(), |at| source.piece(part, at));
    let blocks: Vec<Block> = Part::ALL.into_iter().flat_map(cut).collect();
    blocks.into_iter().map(|block| block.id)
}

/// Writes the three files of a tree and returns what they are.
///
/// `outs` are the files in the order of [`Part::ALL`]; each is passed to `ended` as soon as it is complete, on a thread
/// of its own.
///
/// # Errors
/// Nothing that was written may be used then. [`BlockCacheError::Damaged`] can be resolved by forgetting the block.
pub fn assemble<W: Write + Send>(
    form: Form,
    disk: &dyn Disk,
    block_cache: &mut BlockCache,
    source: &impl Source,
    outs: [W; 3],
    ended: impl Fn(&mut W) -> Result<(), DiskError> + Sync,
) -> Result<(Vec<(Sums, W)>, Tally), AssemblyError> {
    if form.members == Members::One && form.compression != Compression::None {
        return Ok((one_member_each(form, source, outs, ended)?, Tally::default()));
    }
    let ((primary, filelists), other) = thread_pool::both(
        || thread_pool::both(|| plan(form, Part::Primary, source), || plan(form, Part::Filelists, source)),
        || plan(form, Part::Other, source),
    );
    let plans = [primary?, filelists?, other?];
    splice::splice(form, disk, block_cache, source, &plans, outs, ended)
}

/// Files of a single member, for clients that read only the first: everything is compressed again.
fn one_member_each<W: Write + Send>(
    form: Form,
    source: &impl Source,
    outs: [W; 3],
    ended: impl Fn(&mut W) -> Result<(), DiskError> + Sync,
) -> Result<Vec<(Sums, W)>, AssemblyError> {
    let [primary, filelists, other] = outs;
    let file = |part, out| one_member(form, part, source, out, &ended);
    let ((primary, filelists), other) = thread_pool::both(
        || thread_pool::both(|| file(Part::Primary, primary), || file(Part::Filelists, filelists)),
        || file(Part::Other, other),
    );
    Ok(vec![primary?, filelists?, other?])
}

fn one_member<W: Write>(
    form: Form,
    part: Part,
    source: &impl Source,
    out: W,
    ended: impl Fn(&mut W) -> Result<(), DiskError>,
) -> Result<(Sums, W), AssemblyError> {
    let write = |source| AssemblyError::Write { part, source };
    let packages = source.packages();
    let mut open = Counter::new(form.checksum);
    let mut file = Counted { out, counter: Counter::new(form.checksum) };
    let mut press = compress::single(form.compression, &mut file).map_err(write)?;
    let mut both = |bytes: &[u8]| {
        open.count(bytes);
        press.write_all(bytes).map_err(write)
    };
    both(part.head(packages).as_bytes())?;
    let mut xml = Vec::new();
    for at in 0..packages {
        xml.clear();
        source.append(part, at, &mut xml)?;
        both(&xml)?;
    }
    both(part.foot().as_bytes())?;
    press.finish().map_err(write)?;
    ended(&mut file.out)?;
    let ((open_checksum, open_size), (checksum, size)) = (open.finish(), file.counter.finish());
    Ok((Sums { open_checksum, open_size, checksum, size }, file.out))
}

/// Hashes and counts what is written through it.
struct Counted<W> {
    out: W,
    counter: Counter,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(bytes)?;
        self.counter.count(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::block_cache::BlockCacheError;
    use super::super::blocks::{Key, read_back, target};
    use super::super::disk::{Kernel, failing::FailingDisk};
    use super::super::index::{InMemory, IndexError};
    use super::*;
    use crate::domain::checksum::ChecksumKind;
    use crate::format::compress::open;
    use proptest::prelude::{Strategy as _, any};

    const GZ: Form = form(Compression::Gz, Members::Blocks);

    const fn form(compression: Compression, members: Members) -> Form {
        Form { compression, members, checksum: ChecksumKind::Sha256 }
    }

    fn every_form() -> impl Iterator<Item = Form> {
        Compression::ALL.into_iter().flat_map(|kind| [Members::Blocks, Members::One].map(|members| form(kind, members)))
    }

    /// The packages differ between the three files in their trailing white space.
    fn in_memory(xml: &[Vec<u8>]) -> InMemory {
        let part = |behind: &[u8]| xml.iter().map(|xml| [xml, behind].concat()).collect();
        InMemory { xml: [part(b""), part(b" \n"), part(b"  \n")] }
    }

    /// The XML of a package, by its number and length.
    fn package(number: u32, size: usize) -> Vec<u8> {
        let id = hex::encode(Key::of(&number.to_be_bytes()).0);
        let mut xml = format!("<package pkgid=\"{id}\" name=\"tool-{number}\">").into_bytes();
        let mut line = number;
        while xml.len() + 12 < size {
            line = line.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            xml.extend_from_slice(format!("<file>/usr/share/doc/{line:x}</file>\n").as_bytes());
        }
        xml.extend_from_slice(b"</package>\n");
        xml
    }

    struct Room {
        dir: tempfile::TempDir,
        block_cache: BlockCache,
    }

    impl Room {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let block_cache = BlockCache::open(&Kernel::default(), &dir.path().join("block_cache")).expect("begun");
            Self { dir, block_cache }
        }

        fn files(&mut self, form: Form, packages: &[Vec<u8>]) -> (Vec<(Sums, Vec<u8>)>, Tally) {
            let outs = [Vec::new(), Vec::new(), Vec::new()];
            let source = in_memory(packages);
            assemble(form, &Kernel::default(), &mut self.block_cache, &source, outs, |_| Ok(()))
                .expect("memory takes it")
        }

        fn block_cache_file(&self) -> std::path::PathBuf {
            self.dir.path().join("block_cache")
        }
    }

    fn fresh(form: Form, packages: &[Vec<u8>]) -> Vec<(Sums, Vec<u8>)> {
        Room::new().files(form, packages).0
    }

    #[test]
    fn files_are_what_their_sums_say_in_every_form() {
        let packages: Vec<_> = (0..300).map(|n| package(n, 500 + 13 * n as usize)).collect();
        for form in every_form() {
            for checksum in ChecksumKind::ALL {
                let form = Form { checksum, ..form };
                for (part, (sums, bytes)) in Part::ALL.into_iter().zip(fresh(form, &packages)) {
                    let xml = part.of(&in_memory(&packages).xml).concat();
                    let content = [part.head(300).as_bytes(), &xml, part.foot().as_bytes()].concat();
                    assert_eq!(open(form.compression, &bytes, 1 << 30).expect("readable"), content);
                    let mut counter = Counter::new(checksum);
                    counter.count(&bytes);
                    assert_eq!(counter.finish(), (sums.checksum.clone(), sums.size));
                    let proof = read_back(form, &sums, part.root(), 300, bytes.as_slice()).expect("as it was written");
                    assert_eq!((proof.packages, proof.open_size), (300, sums.open_size));
                }
            }
        }
    }

    #[test]
    fn an_empty_tree_is_a_head_and_a_foot() {
        for form in every_form() {
            for (part, (sums, bytes)) in Part::ALL.into_iter().zip(fresh(form, &[])) {
                read_back(form, &sums, part.root(), 0, bytes.as_slice()).expect("as it was written");
            }
        }
    }

    #[test]
    fn what_was_changed_after_writing_is_found() {
        let packages: Vec<_> = (0..40).map(|n| package(n, 1500)).collect();
        for form in every_form() {
            let (sums, bytes) = fresh(form, &packages).swap_remove(1);
            for at in (0..bytes.len()).step_by(bytes.len() / 40) {
                let mut wrong = bytes.clone();
                wrong[at] ^= 4;
                assert!(read_back(form, &sums, "filelists", 40, wrong.as_slice()).is_err(), "{form:?} at {at}");
            }
            assert!(read_back(form, &sums, "filelists", 40, &bytes[..bytes.len() - 1]).is_err(), "{form:?} cut");
            let more = [bytes.as_slice(), b"\n"].concat();
            assert!(read_back(form, &sums, "filelists", 40, more.as_slice()).is_err(), "{form:?} longer");
            assert!(read_back(form, &sums, "filelists", 41, bytes.as_slice()).is_err(), "{form:?} miscounted");
            let twice = [bytes.as_slice(), &bytes].concat();
            assert!(read_back(form, &sums, "filelists", 40, twice.as_slice()).is_err(), "{form:?} twice");
        }
    }

    #[test]
    fn what_is_no_run_of_packages_never_reaches_the_shelf() {
        let text = String::from_utf8(package(1, 300)).expect("text");
        let bad = [
            text.replace("</package>", ""),
            text.replace("<package", "</filelists><package"),
            format!("{text}{text}"),
            text.replace("</package>", "&nbsp;</package>"),
            "<other/>\n".to_owned(),
        ];
        for xml in bad {
            for form in [GZ, form(Compression::Zst, Members::Blocks), form(Compression::None, Members::Blocks)] {
                let mut room = Room::new();
                let packages = [xml.clone().into_bytes()];
                let outs = [Vec::new(), Vec::new(), Vec::new()];
                let source = in_memory(&packages);
                let made = assemble(form, &Kernel::default(), &mut room.block_cache, &source, outs, |_| Ok(()));
                assert!(matches!(made, Err(AssemblyError::Proof { .. })), "{xml}");
                assert!(room.block_cache.is_empty());
            }
        }
    }

    #[test]
    fn a_block_that_the_disk_has_changed_is_named_and_can_be_made_again() {
        let packages: Vec<_> = (0..200).map(|n| package(n, 2000)).collect();
        let mut room = Room::new();
        let (whole, _) = room.files(GZ, &packages);
        let mut bytes = std::fs::read(room.block_cache_file()).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::OpenOptions::new()
            .write(true)
            .open(room.block_cache_file())
            .and_then(|mut file| file.write_all(&bytes))
            .expect("written in place");
        let source = in_memory(&packages);
        let outs = [Vec::new(), Vec::new(), Vec::new()];
        let error = assemble(GZ, &Kernel::default(), &mut room.block_cache, &source, outs, |_| Ok(())).map(drop);
        let Err(AssemblyError::BlockCache(BlockCacheError::Damaged { id, .. })) = error else { panic!("{error:?}") };
        room.block_cache.forget(&id);
        let (again, tally) = room.files(GZ, &packages);
        assert!(again == whole);
        assert_eq!(tally.made, 1);
    }

    #[test]
    fn a_disk_that_fails_at_any_step_is_an_error_and_the_next_try_succeeds() {
        let packages: Vec<_> = (0..200).map(|n| package(n, 2000)).collect();
        let whole = fresh(GZ, &packages);
        for calls in 0.. {
            let mut room = Room::new();
            let source = in_memory(&packages);
            let outs = [Vec::new(), Vec::new(), Vec::new()];
            let disk = FailingDisk::after(calls);
            let done = assemble(GZ, &disk, &mut room.block_cache, &source, outs, |_| Ok(())).is_ok();
            assert!(room.files(GZ, &packages).0 == whole, "after {calls} steps");
            let block_cache = BlockCache::open(&Kernel::default(), &room.block_cache_file()).expect("opened");
            room.block_cache = block_cache;
            assert!(room.files(GZ, &packages).0 == whole, "after {calls} steps and a restart");
            if done {
                return;
            }
        }
    }

    #[test]
    fn a_file_is_handed_over_when_it_is_whole_and_what_goes_wrong_then_is_told() {
        let packages: Vec<_> = (0..50).map(|n| package(n, 2000)).collect();
        let source = in_memory(&packages);
        for form in every_form() {
            let mut room = Room::new();
            let whole = std::sync::Mutex::new(Vec::new());
            let outs = [Vec::new(), Vec::new(), Vec::new()];
            let see = |file: &mut Vec<u8>| {
                whole.lock().expect("nobody failed").push(file.len());
                Ok(())
            };
            let (files, _) =
                assemble(form, &Kernel::default(), &mut room.block_cache, &source, outs, see).expect("memory");
            let mut sizes: Vec<_> = files.iter().map(|(_, bytes)| bytes.len()).collect();
            let mut seen = whole.into_inner().expect("nobody panics");
            sizes.sort_unstable();
            seen.sort_unstable();
            assert_eq!(seen, sizes);
            let fail = |_: &mut Vec<u8>| Err(DiskError::new("sync", std::path::Path::new("f"), io::Error::other("no")));
            let outs = [Vec::new(), Vec::new(), Vec::new()];
            let failed = assemble(form, &Kernel::default(), &mut room.block_cache, &source, outs, fail).map(drop);
            assert!(matches!(failed, Err(AssemblyError::Disk(_))), "{failed:?}");
        }
    }

    /// Packages of which one is not available.
    struct WithoutOne<'a> {
        source: &'a InMemory,
        one: usize,
        panics: bool,
    }

    impl Source for WithoutOne<'_> {
        fn packages(&self) -> usize {
            self.source.packages()
        }

        fn piece(&self, part: Part, at: usize) -> blocks::Piece {
            self.source.piece(part, at)
        }

        fn append(&self, part: Part, at: usize, out: &mut Vec<u8>) -> Result<(), IndexError> {
            assert!(!(self.panics && at == self.one), "a panic on purpose");
            if at == self.one {
                return Err(IndexError::Lost { path: "index".into(), package: "one".to_owned() });
            }
            self.source.append(part, at, out)
        }
    }

    #[test]
    fn nobody_waits_for_a_block_that_will_not_be_made() {
        let packages: Vec<_> = (0..600).map(|n| package(n, 3000)).collect();
        let whole = in_memory(&packages);
        for one in [0, 1, 150, 300, 599] {
            for panics in [false, true] {
                let mut room = Room::new();
                let source = WithoutOne { source: &whole, one, panics };
                let outs = [Vec::new(), Vec::new(), Vec::new()];
                let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    assemble(GZ, &Kernel::default(), &mut room.block_cache, &source, outs, |_| Ok(())).map(drop)
                }));
                match ended {
                    Ok(ended) => assert!(!panics && matches!(ended, Err(AssemblyError::Index(_))), "{ended:?}"),
                    Err(_) => assert!(panics),
                }
                let (files, tally) = room.files(GZ, &packages);
                assert!(files == fresh(GZ, &packages), "what was made before it is good");
                assert!(panics || tally.made > 0);
            }
        }
    }

    #[test]
    fn a_change_compresses_few_blocks_again() {
        let mut packages: Vec<_> = (0..1500).map(|n| package(n, 2000)).collect();
        let mut room = Room::new();
        let (_, tally) = room.files(GZ, &packages);
        let expected = 1500 * 2000 / target(Compression::Gz);
        assert!(tally.made > expected / 2, "{tally:?}");
        packages.remove(700);
        packages.insert(300, package(5000, 2500));
        let (_, tally) = room.files(GZ, &packages);
        assert!(tally.made <= 3 * 6, "{tally:?}");
        assert_eq!(room.files(GZ, &packages).1.made, 0);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(8))]

        #[test]
        fn incremental_is_full(
            start in 0_u32..300,
            steps in proptest::collection::vec((any::<bool>(), 0_u32..600, (1_u32..60).prop_map(|n| n * n * 20)), 1..12),
            zst in any::<bool>(),
        ) {
            let form = if zst { form(Compression::Zst, Members::Blocks) } else { GZ };
            let mut room = Room::new();
            let mut set: std::collections::BTreeMap<u32, Vec<u8>> = (0..start).map(|n| (2 * n, package(2 * n, 2500))).collect();
            for (add, number, size) in steps {
                if add { set.insert(number, package(number, size as usize)); } else { set.remove(&number); }
                let packages: Vec<Vec<u8>> = set.values().cloned().collect();
                let (files, _) = room.files(form, &packages);
                proptest::prop_assert!(files == fresh(form, &packages));
                for (part, (sums, bytes)) in Part::ALL.into_iter().zip(files) {
                    let back = read_back(form, &sums, part.root(), packages.len() as u64, bytes.as_slice());
                    proptest::prop_assert!(back.is_ok());
                }
            }
        }
    }
}
