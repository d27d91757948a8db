//! Blocks ready to be published: their XML and their compressed bytes.
//!
//! One file for each distribution, a sequence of records, so that a restart finds what was compressed before, and no
//! package XML is kept in memory:
//!
//! ```text
//! record: magic 8 | id 32 | packages 4 | open length 4 | packed length 4 | open crc 4 | packed crc 4
//!         | crc of all that 4 | open bytes | packed bytes                       (little endian)
//! ```
//!
//! A block is proven once, when it is stored (see [`super::assembly`]). From then on its two CRC-32 stand for that
//! proof and are checked on every read: a block that changed on disk is dropped and made again. The file holds nothing
//! that the packages do not; it can be removed at any time.
//!
//! What never happens: bytes are returned other than the proven ones (as far as a CRC-32 tells, against disk errors; an
//! attacker who can write here can write to the trees as well).

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::append_file::AppendFile;
use super::blocks::Id;
use super::disk::{Disk, DiskError};
use crate::format::compress::crc32;

/// Begins a record. The last byte is incremented whenever the same packages would give other bytes.
const MAGIC: [u8; 8] = *b"rolloud\x01";

/// Bytes before a record's content.
const RECORD: usize = 8 + 32 + 5 * 4 + 4;

/// A block cache is rewritten when more than this is unused, and more than is used.
const WASTE_MAX: u64 = 64 << 20;

/// The blocks of a distribution.
#[derive(Debug)]
pub struct BlockCache {
    append_file: AppendFile,
    records: HashMap<Id, Record>,
    /// The length of the append file when its owner was last asked which blocks are in use.
    asked: u64,
}

/// Where a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    at: u64,
    packages: u32,
    open: Run,
    packed: Run,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    len: u32,
    crc: u32,
}

/// Why a block is not available.
#[derive(Debug, thiserror::Error)]
pub enum BlockCacheError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// It is missing or damaged. After [`BlockCache::forget`] it can be made again.
    #[error("a block of {} is damaged", path.display())]
    Damaged {
        /// The block cache.
        path: std::path::PathBuf,
        /// The block.
        id: Id,
    },
    /// Larger than any block may be.
    #[error("a block of {len} bytes is too large for {}", path.display())]
    TooLong {
        /// The block cache.
        path: std::path::PathBuf,
        /// Its length.
        len: usize,
    },
}

impl BlockCache {
    /// Opens a block cache, or creates one. Everything after a torn record is discarded.
    ///
    /// # Errors
    /// With the path that failed.
    pub fn open(disk: &dyn Disk, path: &Path) -> Result<Self, DiskError> {
        let mut append_file = AppendFile::open(disk, path)?;
        let mut records = HashMap::new();
        let mut at = 0;
        let mut head = Vec::with_capacity(RECORD);
        while at < append_file.end() {
            head.clear();
            let read = append_file.read(at, RECORD, &mut head);
            let Some((id, record)) = read.ok().and_then(|()| Record::read(at, &head)) else { break };
            if record.end() > append_file.end() {
                break;
            }
            at = record.end();
            records.insert(id, record);
        }
        append_file.end_at(at);
        Ok(Self { append_file, records, asked: 0 })
    }

    /// Where a block is.
    pub fn find(&self, id: &Id) -> Option<Record> {
        self.records.get(id).copied()
    }

    /// The error for a block that is missing or damaged.
    pub fn lacks(&self, id: &Id) -> BlockCacheError {
        BlockCacheError::Damaged { path: self.append_file.path().to_owned(), id: *id }
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Writes a proven block. It can be found after [`BlockCache::know`].
    ///
    /// # Errors
    /// With the path that failed.
    pub fn write(
        &self,
        disk: &dyn Disk,
        id: Id,
        packages: usize,
        open: &[u8],
        packed: &[u8],
    ) -> Result<Record, BlockCacheError> {
        let run = |bytes: &[u8]| {
            let len = u32::try_from(bytes.len())
                .map_err(|_| BlockCacheError::TooLong { path: self.append_file.path().to_owned(), len: bytes.len() })?;
            Ok::<_, BlockCacheError>(Run { len, crc: crc32(bytes) })
        };
        let packages = u32::try_from(packages)
            .map_err(|_| BlockCacheError::TooLong { path: self.append_file.path().to_owned(), len: packages })?;
        let mut record = Record { at: 0, packages, open: run(open)?, packed: run(packed)? };
        record.at = self.append_file.append(disk, &[&record.write(id), open, packed])?;
        Ok(record)
    }

    /// Makes a block findable.
    pub fn know(&mut self, id: Id, record: Record) {
        self.records.insert(id, record);
    }

    /// Forgets a block because it is damaged.
    pub fn forget(&mut self, id: &Id) {
        self.records.remove(id);
    }

    /// Reads the XML of a block into `out`, replacing its content.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn open_bytes(&self, id: &Id, record: Record, out: &mut Vec<u8>) -> Result<(), BlockCacheError> {
        self.bytes(id, record.at.saturating_add(RECORD as u64), record.open, out)
    }

    /// Reads the compressed bytes of a block into `out`, replacing its content.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn packed_bytes(&self, id: &Id, record: Record, out: &mut Vec<u8>) -> Result<(), BlockCacheError> {
        let behind = RECORD as u64 + u64::from(record.open.len);
        self.bytes(id, record.at.saturating_add(behind), record.packed, out)
    }

    fn bytes(&self, id: &Id, at: u64, run: Run, out: &mut Vec<u8>) -> Result<(), BlockCacheError> {
        // Existing bytes need not be zeroed first.
        out.resize(run.len as usize, 0);
        let read = self.append_file.fill(at, out);
        if read.is_err() || crc32(out) != run.crc {
            return Err(self.lacks(id));
        }
        Ok(())
    }

    /// Rewrites the block cache with only the blocks in use, if too much of it is unused.
    ///
    /// `wanted` is only called if enough was added since the last call. Returns whether it was rewritten.
    ///
    /// # Errors
    /// With the path that failed; the old block cache remains.
    pub fn tidy(&mut self, disk: &dyn Disk, wanted: impl FnOnce() -> HashSet<Id>) -> Result<bool, BlockCacheError> {
        if self.append_file.end().saturating_sub(self.asked) <= WASTE_MAX {
            return Ok(false);
        }
        self.asked = self.append_file.end();
        let wanted = wanted();
        let kept = |id: &&Id| wanted.contains(*id);
        let size: u64 = self.records.iter().filter(|(id, _)| kept(id)).map(|(_, record)| record.size()).sum();
        if self.append_file.end().saturating_sub(size) <= WASTE_MAX.max(size) {
            return Ok(false);
        }
        self.rewrite(disk, &wanted)?;
        Ok(true)
    }

    fn rewrite(&mut self, disk: &dyn Disk, wanted: &HashSet<Id>) -> Result<(), BlockCacheError> {
        let mut order: Vec<(Id, Record)> =
            self.records.iter().filter(|(id, _)| wanted.contains(*id)).map(|(id, record)| (*id, *record)).collect();
        order.sort_by_key(|(_, record)| record.at);
        let path = self.append_file.path().to_owned();
        let mut beside = path.clone().into_os_string();
        beside.push(".new");
        let beside = Path::new(&beside);
        let new = Self { append_file: AppendFile::begin(disk, beside)?, records: HashMap::new(), asked: 0 };
        let mut records = HashMap::with_capacity(order.len());
        let (mut open, mut packed) = (Vec::new(), Vec::new());
        for (id, record) in order {
            // Damaged blocks are left behind and made again.
            if self.open_bytes(&id, record, &mut open).is_ok() && self.packed_bytes(&id, record, &mut packed).is_ok() {
                records.insert(id, new.write(disk, id, record.packages as usize, &open, &packed)?);
            }
        }
        disk.rename(beside, &path)?;
        drop(new);
        let append_file = AppendFile::open(disk, &path)?;
        *self = Self { asked: append_file.end(), append_file, records };
        Ok(())
    }
}

impl Record {
    /// Bytes of the block: as XML, and compressed.
    pub fn sizes(&self) -> (u64, u64) {
        (u64::from(self.open.len), u64::from(self.packed.len))
    }

    fn size(&self) -> u64 {
        RECORD as u64 + u64::from(self.open.len) + u64::from(self.packed.len)
    }

    fn end(&self) -> u64 {
        self.at.saturating_add(self.size())
    }

    fn write(&self, id: Id) -> Vec<u8> {
        let mut out = Vec::with_capacity(RECORD);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&id.0);
        for number in [self.packages, self.open.len, self.packed.len, self.open.crc, self.packed.crc] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let crc = crc32(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    fn read(at: u64, bytes: &[u8]) -> Option<(Id, Self)> {
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if crc32(content) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (magic, rest) = content.split_first_chunk::<8>()?;
        let (id, rest) = rest.split_first_chunk::<32>()?;
        let mut numbers = rest.chunks_exact(4).map(|chunk| chunk.try_into().map(u32::from_le_bytes));
        let mut next = || numbers.next()?.ok();
        let (packages, open, packed, open_crc, packed_crc) = (next()?, next()?, next()?, next()?, next()?);
        let record =
            Self { at, packages, open: Run { len: open, crc: open_crc }, packed: Run { len: packed, crc: packed_crc } };
        (*magic == MAGIC).then_some((Id(*id), record))
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Access, Kernel, put};
    use super::*;

    fn id(n: u8) -> Id {
        Id([n; 32])
    }

    fn shelf_of(path: &Path, blocks: u8) -> BlockCache {
        let disk = Kernel::default();
        let mut block_cache = BlockCache::open(&disk, path).expect("begun");
        for n in 0..blocks {
            let open = vec![n; 100 + usize::from(n)];
            let record = block_cache.write(&disk, id(n), 1, &open, &[n, n]).expect("written");
            block_cache.know(id(n), record);
        }
        block_cache
    }

    fn both(block_cache: &BlockCache, n: u8) -> Option<(Vec<u8>, Vec<u8>)> {
        let (mut open, mut packed) = (Vec::new(), Vec::new());
        let record = block_cache.find(&id(n))?;
        block_cache.open_bytes(&id(n), record, &mut open).ok()?;
        block_cache.packed_bytes(&id(n), record, &mut packed).ok()?;
        Some((open, packed))
    }

    #[test]
    fn blocks_are_found_again_after_a_restart() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("block_cache");
        drop(shelf_of(&path, 5));
        let block_cache = BlockCache::open(&Kernel::default(), &path).expect("opened");
        assert_eq!((block_cache.len(), block_cache.find(&id(4)).map(|record| record.sizes())), (5, Some((104, 2))));
        assert_eq!(both(&block_cache, 3), Some((vec![3; 103], vec![3, 3])));
        assert!(both(&block_cache, 9).is_none());
    }

    #[test]
    fn a_byte_that_changed_anywhere_is_never_handed_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("block_cache");
        drop(shelf_of(&path, 3));
        let good = std::fs::read(&path).expect("read");
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            put(&Kernel::default(), &path, &bytes, Access::Owner).expect("written");
            let block_cache = BlockCache::open(&Kernel::default(), &path).expect("opened");
            for n in 0..3 {
                let found = both(&block_cache, n);
                assert!(found.is_none_or(|found| found == (vec![n; 100 + usize::from(n)], vec![n, n])), "byte {at}");
            }
        }
        for length in 0..good.len() {
            put(&Kernel::default(), &path, &good[..length], Access::Owner).expect("written");
            let mut block_cache = BlockCache::open(&Kernel::default(), &path).expect("opened");
            assert!(block_cache.len() < 3);
            // A block stored now is found by the next start, over the torn end.
            let record = block_cache.write(&Kernel::default(), id(7), 1, b"seven", b"7").expect("written");
            block_cache.know(id(7), record);
            let again = BlockCache::open(&Kernel::default(), &path).expect("opened");
            assert_eq!(both(&again, 7), Some((b"seven".to_vec(), b"7".to_vec())), "cut at {length}");
        }
    }

    #[test]
    fn writing_anew_keeps_what_is_wanted_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("block_cache");
        let mut block_cache = shelf_of(&path, 9);
        assert!(!block_cache.tidy(&Kernel::default(), HashSet::new).expect("looked"), "a small one is left alone");
        let wanted: HashSet<Id> = [2, 5].map(id).into();
        block_cache.rewrite(&Kernel::default(), &wanted).expect("written");
        for block_cache in [block_cache, BlockCache::open(&Kernel::default(), &path).expect("opened")] {
            assert_eq!(block_cache.len(), 2);
            assert_eq!(both(&block_cache, 5), Some((vec![5; 105], vec![5, 5])));
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 1);
    }
}
