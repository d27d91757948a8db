//! Makes the missing blocks and writes the three files, on all threads.
//!
//! A new block is compressed and proven: it is decompressed again and compared, and [`xml::prove()`] reads its XML
//! between a head and a foot. Writing the files takes six streams: for each file, its content is hashed, and its
//! compressed bytes are hashed and written. The threads first make blocks, the longest first, and then share the
//! streams in slices, always taking the one with the most left to do, so that no thread is left with a long one at the
//! end; a stream that reaches a block in the making waits as long as there is a stream that need not wait. A complete
//! file is synced while the others are still being hashed.
//!
//! What never happens: a stream waits for a block that nobody is making. Whatever ends the making early, an error or a
//! panic, releases the waiters of every block still missing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::block_cache::{BlockCache, BlockCacheError, Record};
use super::blocks::{Block, Counter, Form, Id, Part, Sums};
use super::disk::{Disk, DiskError};
use super::index::{IndexError, Source};
use super::thread_pool;
use crate::format::compress::{self, Compression, Press};
use crate::format::xml;

/// Bytes that a thread hashes before it chooses a stream again.
const SLICE: u64 = 1 << 20;

/// Why the files could not be written.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// A package's XML.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A block.
    #[error(transparent)]
    BlockCache(#[from] BlockCacheError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Compressing or writing.
    #[error("could not write the {} metadata", part.as_str())]
    Write {
        /// Which file.
        part: Part,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// New metadata was not accepted by a strict reader: a bug of ours.
    #[error("new {} metadata does not read back: {why}", part.as_str())]
    Proof {
        /// Which file.
        part: Part,
        /// What the reader said.
        why: String,
    },
}

/// How many blocks were reused and made for a tree's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Blocks found in the block cache.
    pub found: usize,
    /// Blocks that had to be compressed.
    pub made: usize,
}

/// One file to be written.
pub(super) struct Plan {
    /// Which.
    pub(super) part: Part,
    /// The blocks between head and foot.
    pub(super) blocks: Vec<Block>,
    /// Head and foot, plain and as members of their own.
    pub(super) ends: [Both; 2],
}

/// Some bytes, plain and as a compressed member.
pub(super) struct Both {
    open: Vec<u8>,
    packed: Vec<u8>,
}

impl Both {
    /// Compresses them.
    pub(super) fn new(form: Form, open: &[u8]) -> io::Result<Self> {
        let packed = match form.compression {
            Compression::None => Vec::new(),
            compression => compress::member(compression, open)?,
        };
        Ok(Self { open: open.to_vec(), packed })
    }

    /// Copies one of them into `buffer`, replacing its content.
    pub(super) fn put(&self, packed: bool, buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.extend_from_slice(if packed { &self.packed } else { &self.open });
    }
}

/// Makes the missing blocks and writes the three files; see [`super::assembly::assemble`].
///
/// # Errors
/// Nothing that was written may be used then.
pub(super) fn splice<W: Write + Send>(
    form: Form,
    disk: &dyn Disk,
    block_cache: &mut BlockCache,
    source: &impl Source,
    plans: &[Plan; 3],
    outs: [W; 3],
    ended: impl Fn(&mut W) -> Result<(), DiskError> + Sync,
) -> Result<(Vec<(Sums, W)>, Tally), AssemblyError> {
    let stock = Stock::new(block_cache, plans);
    let total: usize = plans.iter().map(|plan| plan.blocks.len()).sum();
    let tally = Tally { found: total - stock.missing.len(), made: stock.missing.len() };
    let files = work(form, disk, &stock, source, plans, outs, ended);
    for (id, record) in stock.made() {
        block_cache.know(id, record);
    }
    files.map(|files| (files, tally))
}

/// The blocks in the block cache, and those still being made.
struct Stock<'a> {
    block_cache: &'a BlockCache,
    missing: Vec<Missing<'a>>,
    at: HashMap<Id, usize>,
    /// Which missing block is made next.
    next: AtomicUsize,
}

/// A block that is not in the block cache.
struct Missing<'a> {
    part: Part,
    block: &'a Block,
    /// `None` if it will not be made.
    made: OnceLock<Option<Record>>,
}

enum Found {
    Here(Record),
    InTheMaking(usize),
}

impl<'a> Stock<'a> {
    fn new(block_cache: &'a BlockCache, plans: &'a [Plan; 3]) -> Self {
        let all = plans.iter().flat_map(|plan| plan.blocks.iter().map(move |block| (plan.part, block)));
        // A block of these packages but another length: one of the packages' lengths is wrong, and reading their XML
        // will say whose.
        let fits =
            |block: &Block| block_cache.find(&block.id).is_some_and(|record| record.sizes().0 == block.len as u64);
        let mut missing: Vec<Missing<'_>> = all
            .filter(|(_, block)| !fits(block))
            .map(|(part, block)| Missing { part, block, made: OnceLock::new() })
            .collect();
        // The longest first, so that no thread is left with it at the end.
        missing.sort_by_key(|missing| std::cmp::Reverse(missing.block.len));
        let mut at = HashMap::with_capacity(missing.len());
        missing.retain(|missing| match at.entry(missing.block.id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(0);
                true
            }
        });
        for (place, missing) in missing.iter().enumerate() {
            at.insert(missing.block.id, place);
        }
        Self { block_cache, missing, at, next: AtomicUsize::new(0) }
    }

    fn find(&self, block: &Block) -> Result<Found, BlockCacheError> {
        let Some(place) = self.at.get(&block.id) else {
            return self.block_cache.find(&block.id).map(Found::Here).ok_or_else(|| self.block_cache.lacks(&block.id));
        };
        match self.missing.get(*place).and_then(|missing| missing.made.get()) {
            None => Ok(Found::InTheMaking(*place)),
            Some(Some(record)) => Ok(Found::Here(*record)),
            Some(None) => Err(self.block_cache.lacks(&block.id)),
        }
    }

    /// The next block to make.
    fn next(&self) -> Option<&Missing<'a>> {
        self.missing.get(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits until a block is made, or will certainly not be.
    fn wait(&self, missing: usize) {
        self.missing.get(missing).map(|missing| missing.made.wait());
    }

    /// Releases everybody who waits.
    fn give_up(&self) {
        self.next.store(self.missing.len(), Ordering::Relaxed);
        for missing in &self.missing {
            missing.made.get_or_init(|| None);
        }
    }

    fn made(self) -> Vec<(Id, Record)> {
        let made = self.missing.into_iter().filter_map(|missing| Some((missing.block.id, missing.made.into_inner()??)));
        made.collect()
    }
}

/// Releases the waiters of a thread that panics.
struct Leaving<'a, 'b>(&'a Stock<'b>);

impl Drop for Leaving<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up();
        }
    }
}

/// Makes blocks, one after another.
struct Maker {
    form: Form,
    press: Option<Press>,
    open: Vec<u8>,
}

impl Maker {
    fn new(form: Form) -> Self {
        Self { form, press: None, open: Vec::new() }
    }

    fn make(
        &mut self,
        disk: &dyn Disk,
        block_cache: &BlockCache,
        source: &impl Source,
        part: Part,
        block: &Block,
    ) -> Result<Record, AssemblyError> {
        self.open.clear();
        for at in block.packages.clone() {
            source.append(part, at, &mut self.open)?;
        }
        let packed = match self.form.compression {
            Compression::None => Vec::new(),
            _ => self.pack().map_err(|source| AssemblyError::Write { part, source })?,
        };
        self.prove(part, block, &packed).map_err(|why| AssemblyError::Proof { part, why })?;
        Ok(block_cache.write(disk, block.id, block.packages.len(), &self.open, &packed)?)
    }

    fn pack(&mut self) -> io::Result<Vec<u8>> {
        let press = match &mut self.press {
            Some(press) => press,
            none => none.insert(Press::new(self.form.compression)?),
        };
        press.member(&self.open)
    }

    fn prove(&self, part: Part, block: &Block, packed: &[u8]) -> Result<(), String> {
        use std::io::Read as _;
        if !packed.is_empty() {
            let limit = self.open.len() as u64 + 1;
            let back = compress::open(self.form.compression, packed, limit).map_err(|e| e.to_string())?;
            if back != self.open {
                return Err("a block does not decompress to its original content".to_owned());
            }
        }
        let head = part.head(block.packages.len());
        let whole = head.as_bytes().chain(self.open.as_slice()).chain(part.foot().as_bytes());
        xml::prove(whole, part.root(), block.packages.len() as u64).map(drop).map_err(|e| e.to_string())
    }
}

/// Which bytes of a file a stream reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// The content, to hash it.
    Open,
    /// The file, to hash and write it. For uncompressed files it is the content as well.
    File,
}

/// A stream between two slices.
struct Stream<W> {
    part: Part,
    side: Side,
    out: Option<W>,
    counter: Counter,
    /// 0 is the head, then the blocks, then the foot.
    next: usize,
    left: u64,
    /// The missing block that it has reached.
    waits: Option<usize>,
}

/// How a slice ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// There is more to do.
    More,
    /// There is more to do once a block is made.
    Waits,
    /// The stream is finished.
    Through,
}

impl<W: Write> Stream<W> {
    /// Runs one slice.
    fn slice(
        &mut self,
        form: Form,
        plan: &Plan,
        stock: &Stock<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Turn, AssemblyError> {
        let packed = self.side == Side::File && form.compression != Compression::None;
        let [head, foot] = &plan.ends;
        let mut done = 0;
        while done < SLICE {
            let block = self.next.checked_sub(1).map(|at| plan.blocks.get(at));
            match block {
                Some(Some(block)) => match stock.find(block)? {
                    Found::Here(record) if packed => stock.block_cache.packed_bytes(&block.id, record, buffer)?,
                    Found::Here(record) => stock.block_cache.open_bytes(&block.id, record, buffer)?,
                    Found::InTheMaking(missing) => {
                        self.waits = Some(missing);
                        return Ok(Turn::Waits);
                    }
                },
                None => head.put(packed, buffer),
                Some(None) => foot.put(packed, buffer),
            }
            self.counter.count(buffer);
            if let Some(out) = &mut self.out {
                out.write_all(buffer).map_err(|source| AssemblyError::Write { part: self.part, source })?;
            }
            done += buffer.len() as u64;
            self.left = self.left.saturating_sub(buffer.len() as u64);
            self.next += 1;
            if matches!(block, Some(None)) {
                return Ok(Turn::Through);
            }
        }
        Ok(Turn::More)
    }
}

/// The streams that the threads share.
struct Rest<W> {
    streams: Vec<Stream<W>>,
    ended: Vec<Stream<W>>,
    failed: Option<AssemblyError>,
}

impl<W> Rest<W> {
    /// The next stream that need not wait: streams that write first, since their files are synced while the rest is
    /// hashed; then the longest.
    fn next(&mut self, stock: &Stock<'_>) -> Option<Stream<W>> {
        let ready = |at: usize| stock.missing.get(at).is_none_or(|missing| missing.made.get().is_some());
        let order = |stream: &Stream<W>| (stream.waits.is_none_or(ready), stream.side == Side::File, stream.left);
        let place = (0..self.streams.len()).max_by_key(|at| self.streams.get(*at).map(order))?;
        Some(self.streams.swap_remove(place))
    }

    fn fail(&mut self, stock: &Stock<'_>, error: AssemblyError) {
        self.streams.clear();
        self.failed.get_or_insert(error);
        stock.give_up();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn work<W: Write + Send>(
    form: Form,
    disk: &dyn Disk,
    stock: &Stock<'_>,
    source: &impl Source,
    plans: &[Plan; 3],
    outs: [W; 3],
    ended: impl Fn(&mut W) -> Result<(), DiskError> + Sync,
) -> Result<Vec<(Sums, W)>, AssemblyError> {
    let rest = Mutex::new(Rest { streams: streams(form, stock, plans, outs), ended: Vec::new(), failed: None });
    let finish = |mut stream: Stream<W>| {
        let synced = stream.out.as_mut().map_or(Ok(()), &ended);
        let mut rest = lock(&rest);
        match synced {
            Ok(()) => rest.ended.push(stream),
            Err(error) => rest.fail(stock, error.into()),
        }
    };
    let whole = Mutex::new(Vec::new());
    let finish_one = |whole: &Mutex<Vec<Stream<W>>>| {
        let stream = lock(whole).pop();
        stream.into_iter().for_each(&finish);
    };
    std::thread::scope(|scope| {
        let work = || {
            let _leaving = Leaving(stock);
            let mut maker = Maker::new(form);
            while let Some(missing) = stock.next() {
                match maker.make(disk, stock.block_cache, source, missing.part, missing.block) {
                    Ok(record) => drop(missing.made.set(Some(record))),
                    Err(error) => lock(&rest).fail(stock, error),
                }
            }
            drop(maker);
            let mut buffer = Vec::new();
            // If none waits here, every stream left has a thread already.
            while let Some(mut stream) = { lock(&rest).next(stock) } {
                if let Some(missing) = stream.waits.take() {
                    stock.wait(missing);
                }
                match stream.slice(form, stream.part.of(plans), stock, &mut buffer) {
                    Ok(Turn::More | Turn::Waits) => lock(&rest).streams.push(stream),
                    Ok(Turn::Through) if stream.out.is_some() => {
                        // A thread continues it, or this one if there is none.
                        lock(&whole).push(stream);
                        if thread_pool::spawn(scope, || finish_one(&whole)).is_none() {
                            finish_one(&whole);
                        }
                    }
                    Ok(Turn::Through) => finish(stream),
                    Err(error) => lock(&rest).fail(stock, error),
                }
            }
        };
        for _ in 1..thread_pool::threads().min(stock.missing.len().max(6)) {
            if thread_pool::spawn(scope, work).is_none() {
                break;
            }
        }
        work();
    });
    let Rest { ended, failed, .. } = rest.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or_else(|| Ok(sums(ended)), Err)
}

/// All streams at their start.
fn streams<W>(form: Form, stock: &Stock<'_>, plans: &[Plan; 3], outs: [W; 3]) -> Vec<Stream<W>> {
    let mut streams = Vec::with_capacity(6);
    for (plan, out) in plans.iter().zip(outs) {
        // A block that is not made yet is assumed to compress to a seventh.
        let sizes = plan.blocks.iter().map(|block| {
            stock.block_cache.find(&block.id).map_or((block.len as u64, block.len as u64 / 7), |record| record.sizes())
        });
        let (open, packed) = sizes.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        let stream = |side, left, out| Stream {
            part: plan.part,
            side,
            out,
            counter: Counter::new(form.checksum),
            next: 0,
            left,
            waits: None,
        };
        if form.compression == Compression::None {
            streams.push(stream(Side::File, open, Some(out)));
        } else {
            streams.push(stream(Side::File, packed, Some(out)));
            streams.push(stream(Side::Open, open, None));
        }
    }
    streams
}

/// The sums of each file, in the order of [`Part::ALL`].
fn sums<W>(mut ended: Vec<Stream<W>>) -> Vec<(Sums, W)> {
    ended.sort_by_key(|stream| (stream.part, stream.side == Side::Open));
    let mut all: Vec<(Sums, W)> = Vec::with_capacity(3);
    for Stream { out, counter, .. } in ended {
        let (checksum, size) = counter.finish();
        match (out, all.last_mut()) {
            // For an uncompressed file, file and content are the same.
            (Some(out), _) => {
                all.push((Sums { open_checksum: checksum.clone(), open_size: size, checksum, size }, out));
            }
            (None, Some((sums, _))) => (sums.open_checksum, sums.open_size) = (checksum, size),
            (None, None) => {}
        }
    }
    all
}
