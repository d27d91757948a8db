//! Packages' XML gathered into independently compressed blocks.
//!
//! ```text
//! head member | block | block | … | block | foot member
//! ```
//!
//! A published file is members of gzip or frames of zstd, one after another. A block holds some
//! consecutive packages; the head stands alone because the number of packages is in it. When a package
//! comes or goes, the block around it and the head are compressed again and everything else is spliced
//! in as it was; what is left to do for the whole file is to hash and to write it.
//!
//! Where a block ends is decided by the packages alone, never by where the file was cut before, so the
//! same packages give the same bytes, whatever happened in between:
//!
//! - After a package whose [`Key`] is below a bar that rises with its size, so that a block has
//!   [`target`] bytes on average, whether packages are small or large. This asks one package only, so a
//!   change elsewhere cannot move it.
//! - Before and after a package of [`target`] bytes or more, so that it is never compressed again for
//!   the sake of its neighbours.
//! - Where a block would become larger than [`MAX`] of these. Only this looks back, and no further than
//!   to the last end of the first kind.
//!
//! There is no smallest block. A smallest size would make each end depend on the one before it, and
//! would gain nothing: the price of blocks is paid once for each, and their number stays the same
//! (measured on CentOS 7's `primary.xml` at 64 KiB: 10.3 % more bytes without, 10.1 % with one).
//!
//! What never happens: a cached block taken for packages it was not made of. Its name is a SHA-256 over
//! the keys of its packages, and a key is the SHA-256 of a package's XML.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use aws_lc_rs::digest;

use crate::domain::checksum::ChecksumKind;
use crate::format::compress::{self, Compression, Press, Single};
use crate::format::repomd::{Data, Sum};
use crate::format::xml::{self, Fault, Proof};

/// Bytes of XML in a block, on average.
///
/// gzip sees 32 KiB at a time, so little is lost by cutting: with 192 KiB the files of CentOS 7 and
/// others grow by 0 % to 5 % against one stream, and a block takes two milliseconds. zstd finds likeness
/// across megabytes and loses it: with 2 MiB most files grow by 0 % to 6 %, and a block takes 16 ms. Where
/// a few large packages are alike and nothing else is there, one zstd stream has them for nothing and
/// blocks do not: four versions of everything in 58 packages grow by four fifths, to half of what gzip
/// makes of them.
pub fn target(compression: Compression) -> usize {
    match compression {
        Compression::Gz | Compression::None => 192 * 1024,
        Compression::Zst => 2 * 1024 * 1024,
    }
}

/// A block of more than one package has at most so many times its [`target`] of XML; without a bound two
/// of a hundred blocks would be larger.
pub const MAX: usize = 4;

/// What a package's XML is: its SHA-256. Made once, when the XML is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// The key of one package's part of one file.
    pub fn of(xml: &[u8]) -> Self {
        Self(sha256(xml))
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// One package's part of one file.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// [`Key::of`] the XML; a wrong one publishes the wrong block, which [`read_back`] finds.
    pub key: Key,
    /// Whole elements, with the line end.
    pub xml: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Takes the key from the XML.
    pub fn new(xml: &'a [u8]) -> Self {
        Self { key: Key::of(xml), xml }
    }

    /// True with a probability of its size in `target`.
    fn ends_block(&self, target: usize) -> bool {
        let mut first = [0; 8];
        first.copy_from_slice(&self.key.0[..8]);
        let bar = (self.xml.len() as u128) << 64;
        u128::from(u64::from_be_bytes(first)) * (target as u128) < bar
    }

    fn stands_alone(&self, target: usize) -> bool {
        self.xml.len() >= target
    }
}

/// How a file is cut into members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Members {
    /// Blocks, which change one by one.
    Blocks,
    /// One member, for clients that read no more than one.
    One,
}

/// How the files of a distribution are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Form {
    /// Of each member.
    pub compression: Compression,
    /// One or several.
    pub members: Members,
    /// Kind of the checksums.
    pub checksum: ChecksumKind,
}

/// What `repomd.xml` says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Of the content, lower-case hexadecimal.
    pub open_checksum: String,
    /// Bytes of the content.
    pub open_size: u64,
    /// Of the file, lower-case hexadecimal.
    pub checksum: String,
    /// Bytes of the file.
    pub size: u64,
}

impl Sums {
    /// The entry in `repomd.xml`. A file that is not compressed has no content apart from itself.
    pub fn data(&self, form: Form, kind: &str, location: &str, timestamp: u64) -> Data {
        let sum = |hex: &str| Sum { kind: form.checksum.to_string(), hex: hex.to_owned() };
        let compressed = form.compression != Compression::None;
        Data {
            kind: kind.to_owned(),
            checksum: sum(&self.checksum),
            open_checksum: compressed.then(|| sum(&self.open_checksum)),
            header_checksum: None,
            location: location.to_owned(),
            timestamp,
            size: Some(self.size),
            open_size: compressed.then_some(self.open_size),
            header_size: None,
            database_version: None,
        }
    }
}

/// Writes a whole file and says what it is. Blocks that `cache` has are taken from it.
pub fn assemble<'a>(
    form: Form,
    head: &str,
    chunks: impl IntoIterator<Item = Chunk<'a>>,
    foot: &str,
    out: &mut impl Write,
    cache: &mut BlockCache,
) -> io::Result<Sums> {
    let chunks = chunks.into_iter();
    let mut open = Hashed::new(form.checksum, io::sink());
    let mut packed = Hashed::new(form.checksum, out);
    if form.members == Members::One || form.compression == Compression::None {
        let mut press = compress::single(form.compression, &mut packed)?;
        one_member(&mut press, &mut open, head, chunks, foot)?;
        press.finish()?;
    } else {
        cache.begin_run();
        let mut blocks = Blocks { form, press: Press::new(form.compression)?, cache, open, packed: &mut packed };
        blocks.alone(head.as_bytes())?;
        for block in cut(target(form.compression), chunks) {
            blocks.block(&block)?;
        }
        blocks.alone(foot.as_bytes())?;
        open = blocks.open;
    }
    packed.flush()?;
    let ((open_checksum, open_size), (checksum, size)) = (open.finish(), packed.finish());
    Ok(Sums { open_checksum, open_size, checksum, size })
}

/// Gathers packages into blocks.
fn cut<'a>(target: usize, chunks: impl Iterator<Item = Chunk<'a>>) -> impl Iterator<Item = Vec<Chunk<'a>>> {
    let mut chunks = chunks.peekable();
    std::iter::from_fn(move || {
        let mut block = Vec::new();
        let mut size = 0_usize;
        while let Some(chunk) = chunks.next_if(|next| {
            let full = size.saturating_add(next.xml.len()) > MAX * target;
            block.is_empty() || !(full || next.stands_alone(target))
        }) {
            block.push(chunk);
            size = size.saturating_add(chunk.xml.len());
            if chunk.ends_block(target) {
                break;
            }
        }
        Some(block).filter(|block| !block.is_empty())
    })
}

fn one_member<'a, W: Write>(
    press: &mut Single<W>,
    open: &mut impl Write,
    head: &str,
    chunks: impl Iterator<Item = Chunk<'a>>,
    foot: &str,
) -> io::Result<()> {
    let mut both = |bytes: &[u8]| {
        open.write_all(bytes)?;
        press.write_all(bytes)
    };
    both(head.as_bytes())?;
    for chunk in chunks {
        both(chunk.xml)?;
    }
    both(foot.as_bytes())
}

struct Blocks<'c, 'o, W> {
    form: Form,
    press: Press,
    cache: &'c mut BlockCache,
    open: Hashed<io::Sink>,
    packed: &'o mut Hashed<W>,
}

impl<W: Write> Blocks<'_, '_, W> {
    fn alone(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.open.write_all(bytes)?;
        let member = self.press.member(bytes)?;
        self.packed.write_all(&member)
    }

    fn block(&mut self, chunks: &[Chunk<'_>]) -> io::Result<()> {
        let mut name = digest::Context::new(&digest::SHA256);
        name.update(self.form.compression.as_str().as_bytes());
        for chunk in chunks {
            self.open.write_all(chunk.xml)?;
            name.update(&chunk.key.0);
        }
        let mut id = [0; 32];
        id.copy_from_slice(name.finish().as_ref());
        if let Some(member) = self.cache.get(&id) {
            return self.packed.write_all(member);
        }
        let bytes = chunks.iter().map(|chunk| chunk.xml).collect::<Vec<_>>().concat();
        let member = self.press.member(&bytes)?;
        self.packed.write_all(&member)?;
        self.cache.put(id, member);
        Ok(())
    }
}

/// Compressed blocks, by what they are made of.
///
/// Bounded by bytes. A full cache takes a new block only in the place of one that the last [`RECENT`]
/// files did not need; so a file larger than the cache still finds in it what fits, where a cache that
/// always gives up its oldest would have thrown away each block just before it is asked for.
#[derive(Debug)]
pub struct BlockCache {
    most: usize,
    bytes: usize,
    run: u64,
    blocks: HashMap<[u8; 32], Cached>,
    tally: Tally,
}

/// Files that may be written before a block that none of them needed gives way. Eight trees of three
/// files each, and some more.
pub const RECENT: u64 = 64;

#[derive(Debug)]
struct Cached {
    used: u64,
    member: Vec<u8>,
}

/// What the cache was good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Blocks that were there.
    pub found: u64,
    /// Blocks that had to be compressed.
    pub made: u64,
}

impl BlockCache {
    /// A cache of at most `most` bytes of compressed blocks; with 0 nothing is kept.
    pub fn new(most: usize) -> Self {
        Self { most, bytes: 0, run: 0, blocks: HashMap::new(), tally: Tally::default() }
    }

    /// Since the cache was made.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Bytes of compressed blocks.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn begin_run(&mut self) {
        self.run = self.run.saturating_add(1);
    }

    fn get(&mut self, id: &[u8; 32]) -> Option<&[u8]> {
        let Some(cached) = self.blocks.get_mut(id) else {
            self.tally.made += 1;
            return None;
        };
        self.tally.found += 1;
        cached.used = self.run;
        Some(&cached.member)
    }

    fn put(&mut self, id: [u8; 32], member: Vec<u8>) {
        if self.bytes.saturating_add(member.len()) > self.most {
            let before = self.run.saturating_sub(RECENT);
            self.blocks.retain(|_, cached| cached.used >= before);
            self.bytes = self.blocks.values().map(|cached| cached.member.len()).sum();
        }
        if self.bytes.saturating_add(member.len()) <= self.most {
            self.bytes += member.len();
            if let Some(old) = self.blocks.insert(id, Cached { used: self.run, member }) {
                self.bytes = self.bytes.saturating_sub(old.member.len());
            }
        }
    }
}

/// Why a file that was just written is not published.
#[derive(Debug, thiserror::Error)]
pub enum NotWhatWasWritten {
    /// It cannot be unpacked.
    #[error("could not be read back")]
    Read(#[from] io::Error),
    /// It can be unpacked and is no metadata.
    #[error("is no metadata")]
    Form(#[from] Fault),
    /// It has other checksums or sizes than were counted while writing.
    #[error("has the sums {found:?} and should have {wanted:?}")]
    Sums {
        /// As read.
        found: Box<Sums>,
        /// As written.
        wanted: Box<Sums>,
    },
}

/// Reads a file that [`assemble`] has written, from wherever it lies now: sizes and checksums of file
/// and content must be those that were counted while writing, and the content must pass
/// [`xml::prove`] (row 49).
pub fn read_back(
    form: Form,
    wanted: &Sums,
    root: &str,
    packages: u64,
    file: impl Read,
) -> Result<Proof, NotWhatWasWritten> {
    let mut packed = Hashed::new(form.checksum, file);
    let mut open = Hashed::new(form.checksum, ());
    let proof = {
        let packed = BufReader::with_capacity(128 * 1024, &mut packed);
        // One byte more than there should be is enough to see that something is wrong.
        let limit = wanted.open_size.saturating_add(1);
        let content = compress::reader(form.compression, packed, limit)?;
        xml::prove(Tee { content, open: &mut open }, root, packages)?
    };
    let ((open_checksum, open_size), (checksum, size)) = (open.finish(), packed.finish());
    let found = Sums { open_checksum, open_size, checksum, size };
    if found == *wanted {
        Ok(proof)
    } else {
        Err(NotWhatWasWritten::Sums { found: Box::new(found), wanted: Box::new(wanted.clone()) })
    }
}

/// Hashes and counts what passes.
struct Hashed<T> {
    inner: T,
    context: digest::Context,
    size: u64,
}

impl<T> Hashed<T> {
    fn new(kind: ChecksumKind, inner: T) -> Self {
        let algorithm = match kind {
            ChecksumKind::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            ChecksumKind::Sha256 => &digest::SHA256,
            ChecksumKind::Sha512 => &digest::SHA512,
        };
        Self { inner, context: digest::Context::new(algorithm), size: 0 }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.size = self.size.saturating_add(bytes.len() as u64);
    }

    fn finish(self) -> (String, u64) {
        (hex::encode(self.context.finish()), self.size)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.count(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.count(buf.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Lets content through and counts it in `open`.
struct Tee<'a, R> {
    content: R,
    open: &'a mut Hashed<()>,
}

impl<R: BufRead> Read for Tee<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buf)?;
        self.open.count(buf.get(..read).unwrap_or_default());
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Tee<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.content.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What `fill_buf` gave before, which a buffered reader still has.
        if amount > 0
            && let Ok(bytes) = self.content.fill_buf()
        {
            self.open.count(bytes.get(..amount).unwrap_or(bytes));
        }
        self.content.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::compress::open;
    use proptest::prelude::{Strategy as _, any};
    use std::collections::BTreeSet;

    /// Of gzip's blocks.
    const TARGET: usize = 192 * 1024;

    const GZ: Form = form(Compression::Gz, Members::Blocks);

    const fn form(compression: Compression, members: Members) -> Form {
        Form { compression, members, checksum: ChecksumKind::Sha256 }
    }

    fn every_form() -> impl Iterator<Item = Form> {
        Compression::ALL.into_iter().flat_map(|kind| [Members::Blocks, Members::One].map(|members| form(kind, members)))
    }

    /// `number` of a package and how long its XML is.
    fn package(number: u32, size: usize) -> Vec<u8> {
        let id = hex::encode(sha256(&number.to_be_bytes()));
        let mut xml = format!("<package pkgid=\"{id}\" name=\"tool-{number}\">").into_bytes();
        let mut line = number;
        while xml.len() + 12 < size {
            line = line.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            xml.extend_from_slice(format!("<file>/usr/share/doc/{line:x}</file>\n").as_bytes());
        }
        xml.extend_from_slice(b"</package>\n");
        xml
    }

    fn head(packages: usize) -> String {
        crate::format::filelists::head(packages)
    }

    fn file(form: Form, packages: &[Vec<u8>], cache: &mut BlockCache) -> (Vec<u8>, Sums) {
        let mut out = Vec::new();
        let chunks = packages.iter().map(|xml| Chunk::new(xml));
        let foot = crate::format::filelists::foot();
        let sums = assemble(form, &head(packages.len()), chunks, foot, &mut out, cache).expect("memory takes it");
        (out, sums)
    }

    fn fresh(form: Form, packages: &[Vec<u8>]) -> (Vec<u8>, Sums) {
        file(form, packages, &mut BlockCache::new(0))
    }

    #[test]
    fn a_file_is_what_its_sums_say_in_every_form() {
        let packages: Vec<_> = (0..300).map(|n| package(n, 500 + 13 * n as usize)).collect();
        let content = [head(300).into_bytes(), packages.concat(), b"</filelists>\n".to_vec()].concat();
        for form in every_form() {
            for checksum in ChecksumKind::ALL {
                let form = Form { checksum, ..form };
                let (bytes, sums) = fresh(form, &packages);
                assert_eq!(open(form.compression, &bytes, 1 << 30).expect("readable"), content);
                assert_eq!((sums.open_size, sums.size), (content.len() as u64, bytes.len() as u64));
                let proof = read_back(form, &sums, "filelists", 300, bytes.as_slice()).expect("as it was written");
                assert_eq!((proof.packages, proof.open_size), (300, sums.open_size));
            }
        }
        let (bytes, sums) = fresh(GZ, &packages);
        assert_eq!(sums.checksum, hex::encode(sha256(&bytes)));
        assert_eq!(sums.open_checksum, hex::encode(sha256(&content)));
    }

    #[test]
    fn an_empty_repository_is_a_head_and_a_foot() {
        for form in every_form() {
            let (bytes, sums) = fresh(form, &[]);
            read_back(form, &sums, "filelists", 0, bytes.as_slice()).expect("as it was written");
        }
    }

    #[test]
    fn what_was_changed_after_writing_is_found() {
        let packages: Vec<_> = (0..40).map(|n| package(n, 1500)).collect();
        for form in every_form() {
            let (bytes, sums) = fresh(form, &packages);
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
    fn a_block_that_was_made_of_other_packages_is_found() {
        let (one, other) = (package(1, 3000), package(2, 3000));
        let mut cache = BlockCache::new(1 << 20);
        let lie = |xml: &'static [u8]| Chunk { key: Key([0xff; 32]), xml };
        let (one, other): (&'static [u8], &'static [u8]) = (one.leak(), other.leak());
        let mut write = |xml| {
            let mut out = Vec::new();
            let sums = assemble(GZ, &head(1), [lie(xml)], "</filelists>\n", &mut out, &mut cache).expect("memory");
            read_back(GZ, &sums, "filelists", 1, out.as_slice())
        };
        assert!(write(one).is_ok());
        assert!(matches!(write(other), Err(NotWhatWasWritten::Sums { .. })));
    }

    #[test]
    fn a_cache_tells_apart_what_differs_in_anything() {
        // Packages whose keys begin alike, each a file of its own.
        let packages: Vec<Vec<u8>> = (0..8000).map(|n| package(n, 0)).collect();
        let alike: Vec<_> = packages.into_iter().filter(|xml| Key::of(xml).0[0] == 7).take(20).collect();
        let mut cache = BlockCache::new(1 << 20);
        for form in [GZ, form(Compression::Zst, Members::Blocks)] {
            for xml in &alike {
                let one = std::slice::from_ref(xml);
                assert_eq!(file(form, one, &mut cache), fresh(form, one));
            }
        }
        assert_eq!(cache.tally(), Tally { found: 0, made: 40 });
    }

    /// Packages for tests of the cutting alone; what is in them does not matter.
    fn chunks(sizes: impl IntoIterator<Item = usize>) -> Vec<Chunk<'static>> {
        static XML: [u8; 2 * MAX * TARGET] = [b' '; 2 * MAX * TARGET];
        let key = |n: usize| Key::of(&n.to_be_bytes());
        sizes.into_iter().enumerate().map(|(n, size)| Chunk { key: key(n), xml: &XML[..size] }).collect()
    }

    fn blocks_of(chunks: &[Chunk<'static>]) -> BTreeSet<Vec<Key>> {
        cut(TARGET, chunks.iter().copied()).map(|block| block.iter().map(|chunk| chunk.key).collect()).collect()
    }

    #[test]
    fn a_package_that_comes_or_goes_changes_only_the_blocks_around_it() {
        let all = chunks((0..20_000).map(|n| 300 + n * n % 7919));
        let before = blocks_of(&all);
        for gone in (0..all.len()).step_by(97) {
            let mut rest = all.clone();
            rest.remove(gone);
            let after = blocks_of(&rest);
            let (old, new) = (before.difference(&after).count(), after.difference(&before).count());
            // Most often one for one. Two become one when the package ended a block; more are touched
            // only in a run without an end of its own, where the largest size cuts.
            assert!(old <= 4 && new <= 4, "without package {gone}: {old} blocks become {new}");
        }
    }

    #[test]
    fn blocks_have_the_size_that_was_aimed_at() {
        assert_eq!(target(Compression::Gz), TARGET);
        let sizes: [Box<dyn Fn(usize) -> usize>; 4] =
            [Box::new(|_| 300), Box::new(|_| 2700), Box::new(|_| 20_000), Box::new(|n| 300 + n * n % 7919)];
        for (which, size) in sizes.iter().enumerate() {
            let all = chunks((0..20_000).map(size));
            let total: usize = all.iter().map(|chunk| chunk.xml.len()).sum();
            let blocks: Vec<Vec<Chunk<'_>>> = cut(TARGET, all.iter().copied()).collect();
            let mean = total / blocks.len();
            assert!((TARGET * 2 / 3..TARGET * 4 / 3).contains(&mean), "{which}: {mean} bytes in a block");
            for block in blocks {
                assert!(block.iter().map(|chunk| chunk.xml.len()).sum::<usize>() <= MAX * TARGET);
            }
        }
    }

    #[test]
    fn a_giant_stands_alone() {
        let all = chunks([100, 100, 2 * MAX * TARGET, 100, TARGET, TARGET - 1, 100]);
        let blocks = blocks_of(&all);
        assert!(blocks.contains(&vec![all[2].key]) && blocks.contains(&vec![all[4].key]), "{blocks:?}");
    }

    #[test]
    fn a_change_compresses_few_blocks_again() {
        let mut packages: Vec<_> = (0..1500).map(|n| package(n, 2000)).collect();
        let mut cache = BlockCache::new(1 << 30);
        file(GZ, &packages, &mut cache);
        let all = cache.tally().made;
        assert!(all > 8, "{all} blocks");
        packages.remove(700);
        packages.insert(300, package(5000, 2500));
        file(GZ, &packages, &mut cache);
        let again = cache.tally().made - all;
        assert!(again <= 6, "{again} blocks of {all} were made again");
    }

    #[test]
    fn a_cache_that_is_too_small_keeps_what_fits_and_changes_nothing() {
        let packages: Vec<_> = (0..1500).map(|n| package(n, 2000)).collect();
        let whole = fresh(GZ, &packages);
        let mut cache = BlockCache::new(whole.0.len() / 2);
        for _ in 0..3 {
            assert_eq!(file(GZ, &packages, &mut cache), whole);
            assert!(cache.bytes() <= whole.0.len() / 2);
        }
        let tally = cache.tally();
        assert!(tally.found >= 4, "{tally:?}");
        // After a while in which nobody asked for them, old blocks give way.
        let others: Vec<_> = (5000..6500).map(|n| package(n, 2000)).collect();
        for _ in 0..RECENT + 3 {
            file(GZ, &others[..150], &mut cache);
        }
        let before = cache.tally().found;
        file(GZ, &others, &mut cache);
        file(GZ, &others, &mut cache);
        assert!(cache.tally().found > before + 2);
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
            let mut cache = BlockCache::new(1 << 20);
            let mut set: std::collections::BTreeMap<u32, Vec<u8>> = (0..start).map(|n| (2 * n, package(2 * n, 2500))).collect();
            for (add, number, size) in steps {
                if add { set.insert(number, package(number, size as usize)); } else { set.remove(&number); }
                let packages: Vec<Vec<u8>> = set.values().cloned().collect();
                let (bytes, sums) = file(form, &packages, &mut cache);
                let full = fresh(form, &packages);
                proptest::prop_assert_eq!(&sums, &full.1);
                proptest::prop_assert!(bytes == full.0);
                proptest::prop_assert!(read_back(form, &sums, "filelists", packages.len() as u64, bytes.as_slice()).is_ok());
            }
        }
    }
}
