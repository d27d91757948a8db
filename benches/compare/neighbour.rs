//! Somebody else who writes to the same disk, as a mirror or a backup does.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::stock;

/// Bytes of a write, and of the file, which is synced when it is full and then written over.
const PIECE: usize = 1 << 20;
const FILE: u64 = 256 << 20;

/// A neighbour that writes as fast as it can.
pub(crate) struct Neighbour {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    since: Instant,
    path: PathBuf,
    writes: Option<JoinHandle<()>>,
}

impl Neighbour {
    /// Begins.
    pub(crate) fn start() -> Self {
        let path = stock::place().join("neighbour");
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (ends, counts, to) = (Arc::clone(&stop), Arc::clone(&written), path.clone());
        let writes = std::thread::spawn(move || {
            let mut file = File::create(to).expect("made");
            let piece: Vec<u8> = (0..PIECE).map(|n| n.to_le_bytes()[0]).collect();
            let mut here = 0;
            while !ends.load(Ordering::Relaxed) {
                file.write_all(&piece).expect("there is room");
                counts.fetch_add(PIECE as u64, Ordering::Relaxed);
                here += PIECE as u64;
                if here >= FILE {
                    file.sync_data().expect("synced");
                    file.rewind().expect("a file");
                    here = 0;
                }
            }
        });
        Self { stop, written, since: Instant::now(), path, writes: Some(writes) }
    }

    /// How many MiB it has written a second.
    pub(crate) fn speed(&self) -> f64 {
        self.written.load(Ordering::Relaxed) as f64 / f64::from(1 << 20) / self.since.elapsed().as_secs_f64()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(writes) = self.writes.take() {
            let _ = writes.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}
