//! What no program can do without: hashing, and then writing and syncing. A program that does both at once may
//! come below the sum.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use rolloutd::format::compress::{Compression, open};
use rolloutd::format::repomd::Repomd;

/// Hashes the three files of a tree and what is in them with all threads, then writes and syncs the three.
pub(crate) fn run(dir: &Path) -> Duration {
    let repomd = std::fs::read(dir.join("repodata/repomd.xml")).expect("published");
    let data = Repomd::read(&repomd).expect("ours").data;
    let packed: Vec<Vec<u8>> = data.iter().map(|d| std::fs::read(dir.join(&d.location)).expect("published")).collect();
    let content = |packed: &Vec<u8>| open(Compression::Gz, packed, 1 << 40).expect("ours");
    let mut all: Vec<Vec<u8>> = packed.iter().map(content).collect();
    all.extend(packed.iter().cloned());
    // The longest first is how the threads end at about the same time.
    all.sort_by_key(Vec::len);
    let begin = Instant::now();
    let rest = Mutex::new(all.iter().collect::<Vec<_>>());
    let hash = || {
        while let Some(bytes) = { rest.lock().expect("nobody failed").pop() } {
            std::hint::black_box(digest(&SHA256, bytes));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(hash);
        }
        hash();
    });
    let out = dir.join("limit");
    std::thread::scope(|scope| {
        for (n, bytes) in packed.iter().enumerate() {
            let path = out.with_extension(n.to_string());
            scope.spawn(move || {
                let mut file = File::create(path).expect("made");
                file.write_all(bytes).and_then(|()| file.sync_all()).expect("written");
            });
        }
    });
    let taken = begin.elapsed();
    for n in 0..packed.len() {
        std::fs::remove_file(out.with_extension(n.to_string())).expect("removed");
    }
    taken
}
