//! Packages' XML in independently compressed blocks.
//!
//! ```text
//! head member | block | block | … | block | foot member
//! ```
//!
//! A published file is a sequence of gzip members or zstd frames. A block holds some consecutive packages; the head is
//! separate because it contains the number of packages. When a package is added or removed, only its block and the head
//! are compressed again, and everything else is spliced in unchanged; what remains to be done for the whole file is
//! hashing and writing it.
//!
//! Only the packages decide where a block ends, never where the file was cut before, so the same packages give the same
//! bytes, whatever happened in between. A block ends:
//!
//! - After a package whose [`Key`], divided by its size, is the smallest within half of [`target`] bytes on both sides.
//!   So blocks have [`target`] bytes on average, whether packages are small or large, and all but those at either end
//!   of the file have at least half of that; and a change further away cannot move an end.
//! - Before and after a package of [`target`] bytes or more, so that it is never compressed again because of its
//!   neighbours.
//! - Where a block would otherwise exceed [`MAX`] times the target. Only this rule looks further back, to the last end
//!   by the first rule.
//!
//! Rejected: ending a block after each package whose key is below a threshold. That looks at one package only, but
//! block sizes vary so much that the block around a change is twice the average, and so is the cost of a change.
//!
//! What never happens: a block is used for packages it was not made of. Its name is a SHA-256 over the keys of its
//! packages, and a key is the SHA-256 of a package's XML.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

use aws_lc_rs::digest;

use crate::domain::checksum::ChecksumKind;
use crate::format::compress::{self, Compression};
use crate::format::package::{Package, Placed};
use crate::format::repomd::{Data, Sum};
use crate::format::xml::{self, Fault, Proof};
use crate::format::{filelists, other, primary};

/// Bytes of XML in a block, on average.
///
/// gzip has a window of 32 KiB, so cutting costs little: with 192 KiB the files of CentOS 7 and others grow by 0 % to 5
/// % compared to one stream, and compressing a block takes two milliseconds. zstd finds repetitions across megabytes
/// and loses some: with 3 MiB most files grow by 0 % to 5 %, and a block takes 8 ms for each of them. Where a few large
/// packages are similar and there is nothing else, one zstd stream gets them for free and blocks do not: four versions
/// of everything in 58 packages grow by three fifths, to less than half of gzip's size.
pub fn target(compression: Compression) -> usize {
    match compression {
        Compression::Gz | Compression::None => 192 * 1024,
        Compression::Zst => 3 * 1024 * 1024,
    }
}

/// A block of more than one package has at most this many times its [`target`] of XML; without this bound, two in a
/// hundred blocks would be larger.
pub const MAX: usize = 4;

/// The SHA-256 of a package's XML, computed once, when the XML is made.
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

/// One package's part of one file, as far as cutting needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The key of the XML; a wrong one would publish the wrong block, so it is checked whenever the XML is read.
    pub key: Key,
    /// Bytes of XML.
    pub len: usize,
}

impl Piece {
    /// A block ends after the package with the lowest rank. Twice the size makes it twice as likely.
    fn rank(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.key.0[..8]);
        u64::from_be_bytes(first) / (self.len.max(1) as u64)
    }

    fn stands_alone(&self, target: usize) -> bool {
        self.len >= target
    }
}

/// Which of the three files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `primary.xml`.
    Primary,
    /// `filelists.xml`.
    Filelists,
    /// `other.xml`.
    Other,
}

impl Part {
    /// All three, in the order in which `repomd.xml` names them.
    pub const ALL: [Self; 3] = [Self::Primary, Self::Filelists, Self::Other];

    /// The name of the type in `repomd.xml`, and of the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Filelists => "filelists",
            Self::Other => "other",
        }
    }

    /// The name of the root element.
    pub fn root(self) -> &'static str {
        match self {
            Self::Primary => "metadata",
            Self::Filelists => "filelists",
            Self::Other => "otherdata",
        }
    }

    /// The text before the first package, for this number of packages.
    pub fn head(self, packages: usize) -> String {
        match self {
            Self::Primary => primary::head(packages),
            Self::Filelists => filelists::head(packages),
            Self::Other => other::head(packages),
        }
    }

    /// The text after the last package.
    pub fn foot(self) -> &'static str {
        match self {
            Self::Primary => primary::foot(),
            Self::Filelists => filelists::foot(),
            Self::Other => other::foot(),
        }
    }

    /// The value for this part.
    pub fn of<T>(self, [primary, filelists, other]: &[T; 3]) -> &T {
        match self {
            Self::Primary => primary,
            Self::Filelists => filelists,
            Self::Other => other,
        }
    }
}

/// A package's element in each file, in the order of [`Part::ALL`].
pub fn xml_of(package: &Package, placed: &Placed) -> [Vec<u8>; 3] {
    let mut xml = [Vec::new(), Vec::new(), Vec::new()];
    let [of_primary, of_filelists, of_other] = &mut xml;
    primary::write(of_primary, package, placed);
    filelists::write(of_filelists, package, placed);
    other::write(of_other, package, placed);
    xml
}

/// How a file is cut into members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Members {
    /// In blocks, which change individually.
    Blocks,
    /// As one member, for clients that read only the first.
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

impl Form {
    /// Three words: compression, members, checksum.
    pub fn words(&self) -> String {
        let members = if self.members == Members::One { "one" } else { "blocks" };
        format!("{} {members} {}", self.compression, self.checksum)
    }

    /// Parses [`Form::words`].
    pub fn from_words(words: &str) -> Option<Self> {
        let mut words = words.split(' ');
        let compression = words.next()?.parse().ok()?;
        let members = match words.next()? {
            "one" => Members::One,
            "blocks" => Members::Blocks,
            _ => return None,
        };
        Some(Self { compression, members, checksum: words.next()?.parse().ok()? })
    }
}

/// What `repomd.xml` says about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// Checksum of the content, lower-case hexadecimal.
    pub open_checksum: String,
    /// Bytes of the content.
    pub open_size: u64,
    /// Checksum of the file, lower-case hexadecimal.
    pub checksum: String,
    /// Bytes of the file.
    pub size: u64,
}

impl Sums {
    /// The entry in `repomd.xml`. For an uncompressed file, file and content are the same.
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

/// Identifies a block: a SHA-256 over its compression and the keys of its packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; 32]);

/// Some consecutive packages of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its name in the block cache.
    pub id: Id,
    /// Its packages, by position in the file.
    pub packages: Range<usize>,
    /// Bytes of XML.
    pub len: usize,
}

/// Cuts packages into blocks.
pub fn cut(compression: Compression, packages: usize, piece: impl Fn(usize) -> Piece) -> Vec<Block> {
    let target = target(compression);
    let mut ends = ends(target, packages, &piece).into_iter().peekable();
    let mut blocks = Vec::new();
    let mut open = Gathering::new(compression, 0);
    for at in 0..packages {
        let piece = piece(at);
        let full = open.len.saturating_add(piece.len) > MAX * target;
        if open.begin < at && (full || piece.stands_alone(target)) {
            blocks.push(open.close(at));
            open = Gathering::new(compression, at);
        }
        open.keys.extend_from_slice(&piece.key.0);
        open.len = open.len.saturating_add(piece.len);
        let ends = ends.next_if_eq(&at).is_some();
        if ends || at + 1 == packages {
            blocks.push(open.close(at + 1));
            open = Gathering::new(compression, at + 1);
        }
    }
    blocks
}

/// The packages after which a block ends because of their rank, or because they are large enough for a block of their
/// own; in order.
fn ends(target: usize, packages: usize, piece: impl Fn(usize) -> Piece) -> Vec<usize> {
    let reach = target as u64 / 2;
    let mut ends = Vec::new();
    // A sliding-window minimum over the packages behind: rank and position.
    let mut least: VecDeque<(u64, u64)> = VecDeque::new();
    // The minimum so far, unless a smaller one follows within reach.
    let mut candidate: Option<(usize, u64)> = None;
    // Where the packages begin, or continue after a large one; no block ends within reach of that.
    let mut begin = 0_u64;
    let mut place = 0_u64;
    for at in 0..packages {
        let piece = piece(at);
        place = place.saturating_add(piece.len as u64);
        let is_out_of_reach = |other: u64| place.saturating_sub(other) >= reach;
        if piece.stands_alone(target) {
            ends.push(at);
            least.clear();
            candidate = None;
            begin = place;
            continue;
        }
        if let Some((best, _)) = candidate.take_if(|(_, place)| is_out_of_reach(*place)) {
            ends.push(best);
        }
        while least.pop_front_if(|(_, place)| is_out_of_reach(*place)).is_some() {}
        let rank = piece.rank();
        while least.pop_back_if(|(other, _)| *other > rank).is_some() {}
        if least.is_empty() {
            candidate = Some((at, place)).filter(|_| is_out_of_reach(begin));
        }
        least.push_back((rank, place));
    }
    ends
}

/// A block that is still open.
struct Gathering {
    /// The keys of its packages.
    keys: Vec<u8>,
    begin: usize,
    len: usize,
}

impl Gathering {
    fn new(compression: Compression, begin: usize) -> Self {
        Self { keys: compression.as_str().as_bytes().to_vec(), begin, len: 0 }
    }

    fn close(self, end: usize) -> Block {
        Block { id: Id(sha256(&self.keys)), packages: self.begin..end, len: self.len }
    }
}

/// Why a file that was just written must not be published.
#[derive(Debug, thiserror::Error)]
pub enum NotWhatWasWritten {
    /// It cannot be decompressed.
    #[error("could not be read back")]
    Read(#[from] io::Error),
    /// It can be decompressed, but is not metadata.
    #[error("is not metadata")]
    Form(#[from] Fault),
    /// Its checksums or sizes differ from those counted while writing.
    #[error("has the checksums {found:?} instead of {wanted:?}")]
    Sums {
        /// As read.
        found: Box<Sums>,
        /// As written.
        wanted: Box<Sums>,
    },
}

/// Reads a published file back from disk: sizes and checksums of file and content must be those counted while writing,
/// and the content must pass [`xml::prove()`] (row 49).
pub fn read_back(
    form: Form,
    wanted: &Sums,
    root: &str,
    packages: u64,
    file: impl Read,
) -> Result<Proof, NotWhatWasWritten> {
    let mut packed = Hashed { inner: file, counter: Counter::new(form.checksum) };
    let mut open = Counter::new(form.checksum);
    let proof = {
        let packed = BufReader::with_capacity(128 * 1024, &mut packed);
        // One byte more than expected is enough to notice.
        let limit = wanted.open_size.saturating_add(1);
        let content = compress::reader(form.compression, packed, limit)?;
        xml::prove(Tee { content, open: &mut open }, root, packages)?
    };
    let ((open_checksum, open_size), (checksum, size)) = (open.finish(), packed.counter.finish());
    let found = Sums { open_checksum, open_size, checksum, size };
    if found == *wanted {
        Ok(proof)
    } else {
        Err(NotWhatWasWritten::Sums { found: Box::new(found), wanted: Box::new(wanted.clone()) })
    }
}

/// Hashes and counts.
pub struct Counter {
    context: digest::Context,
    size: u64,
}

impl Counter {
    /// Nothing counted yet.
    pub fn new(kind: ChecksumKind) -> Self {
        let algorithm = match kind {
            ChecksumKind::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            ChecksumKind::Sha256 => &digest::SHA256,
            ChecksumKind::Sha512 => &digest::SHA512,
        };
        Self { context: digest::Context::new(algorithm), size: 0 }
    }

    /// Counts more bytes.
    pub fn count(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.size = self.size.saturating_add(bytes.len() as u64);
    }

    /// The checksum in hexadecimal, and the number of bytes.
    pub fn finish(self) -> (String, u64) {
        (hex::encode(self.context.finish()), self.size)
    }
}

/// Hashes and counts whatever is read through it.
struct Hashed<R> {
    inner: R,
    counter: Counter,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.counter.count(buf.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// Passes content through and counts it in `open`.
struct Tee<'a, R> {
    content: R,
    open: &'a mut Counter,
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
        // What `fill_buf` returned before, which a buffered reader still holds.
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
    use std::collections::BTreeSet;

    /// For gzip.
    const TARGET: usize = 192 * 1024;

    fn pieces(sizes: impl IntoIterator<Item = usize>) -> Vec<Piece> {
        let key = |n: usize| Key::of(&n.to_be_bytes());
        sizes.into_iter().enumerate().map(|(n, len)| Piece { key: key(n), len }).collect()
    }

    fn cut_gz(pieces: &[Piece]) -> Vec<Block> {
        cut(Compression::Gz, pieces.len(), |at| pieces[at])
    }

    fn ids(pieces: &[Piece]) -> BTreeSet<Id> {
        cut_gz(pieces).into_iter().map(|block| block.id).collect()
    }

    #[test]
    fn blocks_follow_one_another_and_hold_everything() {
        let all = pieces((0..5000).map(|n| 300 + n * n % 7919));
        let blocks = cut_gz(&all);
        let mut end = 0;
        for block in &blocks {
            assert_eq!(block.packages.start, end);
            end = block.packages.end;
            assert_eq!(block.len, all[block.packages.clone()].iter().map(|piece| piece.len).sum::<usize>());
        }
        assert_eq!(end, all.len());
        assert!(cut_gz(&[]).is_empty());
    }

    #[test]
    fn a_name_tells_apart_what_differs_in_anything() {
        let all = pieces([500; 40]);
        let whole = cut_gz(&all[..1]);
        assert_ne!(whole, cut_gz(&all[1..2]), "another package");
        assert_ne!(whole[0].id, cut(Compression::Zst, 1, |_| all[0])[0].id, "another compression");
        let (one, two) = (cut_gz(&[all[0], all[1]]), cut_gz(&[all[1], all[0]]));
        assert_ne!(one, two, "another order");
    }

    #[test]
    fn a_package_that_comes_or_goes_changes_only_the_blocks_around_it() {
        let all = pieces((0..20_000).map(|n| 300 + n * n % 7919));
        let before = ids(&all);
        let (mut bytes, mut changes) = (0, 0);
        for gone in (0..all.len()).step_by(97) {
            let mut rest = all.clone();
            rest.remove(gone);
            let after = ids(&rest);
            let (old, new) = (before.difference(&after).count(), after.difference(&before).count());
            // Usually one for one. Two become one if the package ended a block; when it is gone, others may be the
            // lowest within reach.
            assert!(old <= 4 && new <= 4, "without package {gone}: {old} blocks become {new}");
            bytes +=
                cut_gz(&rest).iter().filter(|block| !before.contains(&block.id)).map(|block| block.len).sum::<usize>();
            changes += 1;
        }
        assert!(bytes / changes < TARGET * 3 / 2, "a change costs {} bytes", bytes / changes);
    }

    /// [`ends`], computed naively.
    fn slow_ends(pieces: &[Piece]) -> Vec<usize> {
        let place = |at: usize| pieces[..=at].iter().map(|piece| piece.len).sum::<usize>();
        let reach = |one: usize, other: usize| {
            let (low, high) = (one.min(other), one.max(other));
            let giants = pieces[low..=high].iter().any(|piece| piece.stands_alone(TARGET));
            place(high) - place(low) < TARGET / 2 && !giants
        };
        // How much is between a package and the next large one, or the end, in either direction.
        let small = |piece: &&Piece| !piece.stands_alone(TARGET);
        let total = |some: &mut dyn Iterator<Item = &Piece>| some.map(|piece| piece.len).sum::<usize>();
        let least = |at: usize| {
            let smaller = |other: usize| pieces[other].rank() < pieces[at].rank();
            let before = total(&mut pieces[..=at].iter().rev().take_while(small));
            let behind = total(&mut pieces[at + 1..].iter().take_while(small));
            pieces[at].stands_alone(TARGET)
                || (before.min(behind) >= TARGET / 2
                    && (0..pieces.len()).all(|other| !reach(at, other) || !smaller(other)))
        };
        (0..pieces.len()).filter(|at| least(*at)).collect()
    }

    proptest::proptest! {
        #[test]
        fn a_block_ends_after_the_least_within_reach(
            sizes in proptest::collection::vec(proptest::prop_oneof![1..400_usize, 400..60_000_usize, 20_000..2 * TARGET], 0..60),
        ) {
            let all = pieces(sizes);
            assert_eq!(ends(TARGET, all.len(), |at| all[at]), slow_ends(&all));
        }
    }

    #[test]
    fn blocks_have_the_size_that_was_aimed_at() {
        assert_eq!(target(Compression::Gz), TARGET);
        let sizes: [Box<dyn Fn(usize) -> usize>; 4] =
            [Box::new(|_| 300), Box::new(|_| 2700), Box::new(|_| 20_000), Box::new(|n| 300 + n * n % 7919)];
        for (which, size) in sizes.iter().enumerate() {
            let all = pieces((0..20_000).map(size));
            let total: usize = all.iter().map(|piece| piece.len).sum();
            let blocks = cut_gz(&all);
            let mean = total / blocks.len();
            assert!((TARGET * 2 / 3..TARGET * 4 / 3).contains(&mean), "{which}: {mean} bytes in a block");
            assert!(blocks.iter().all(|block| block.len <= MAX * TARGET));
        }
    }

    #[test]
    fn a_giant_stands_alone() {
        let all = pieces([100, 100, 2 * MAX * TARGET, 100, TARGET, TARGET - 1, 100]);
        let blocks = cut_gz(&all);
        let alone = |at: usize| blocks.iter().any(|block| block.packages == (at..at + 1));
        assert!(alone(2) && alone(4), "{blocks:?}");
    }
}
