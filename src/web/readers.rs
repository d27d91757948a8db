//! Threads that read the disk for requests.
//!
//! A read may hang for as long as its file system likes, and clients decide how many reads there are. So they have
//! threads of their own, separate from those on which packages are taken in and moved, and a fixed number of them.
//! Nobody waits longer than [`PATIENCE`] for one: then the answer is an error, while the thread is left until the disk
//! responds. A stop does not wait for it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a request waits for a thread, and then for the disk.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The disk did not respond in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the disk does not respond; try again in a moment")]
pub struct NoAnswer;

/// A limited number of threads that read.
#[derive(Debug)]
pub struct Readers {
    places: Arc<Semaphore>,
    /// Only its threads for blocking work are used. It is `None` only during the drop.
    threads: Option<Runtime>,
    patience: Duration,
}

impl Readers {
    /// At most this many threads; they are started when needed.
    pub fn new(most: usize) -> Self {
        Self::with(most, PATIENCE)
    }

    fn with(most: usize, patience: Duration) -> Self {
        let built = Builder::new_current_thread().max_blocking_threads(most.max(1)).thread_name("reader").build();
        if let Err(error) = &built {
            tracing::error!(error = %error, "cannot read anything for clients; restart the daemon");
        }
        Self { places: Arc::new(Semaphore::new(most)), threads: built.ok(), patience }
    }

    /// Runs `work` on one of the threads.
    ///
    /// # Errors
    /// If there was no thread, or no result, within [`PATIENCE`] each. `work` may still be running then.
    pub async fn read<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, NoAnswer> {
        let threads = self.threads.as_ref().ok_or(NoAnswer)?;
        let waiting = timeout(self.patience, Arc::clone(&self.places).acquire_owned()).await;
        let place = waiting.ok().and_then(Result::ok).ok_or(NoAnswer)?;
        let work = move || {
            // Held until the work is done, even if nobody waits for it any more.
            let _place = place;
            work()
        };
        timeout(self.patience, threads.spawn_blocking(work)).await.ok().and_then(Result::ok).ok_or(NoAnswer)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

impl From<NoAnswer> for io::Error {
    fn from(error: NoAnswer) -> Self {
        Self::new(io::ErrorKind::TimedOut, error)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn reads_that_hang_take_no_more_threads_than_there_are_and_nothing_else_waits_for_them() {
        // One thread for the engine's work, which readers do not take.
        let runtime = Builder::new_current_thread().enable_time().max_blocking_threads(1).build();
        runtime.expect("a runtime").block_on(reads_that_hang());
    }

    async fn reads_that_hang() {
        let readers = Readers::with(2, Duration::from_millis(100));
        let (hold, held) = mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let (began, mut begun) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..5 {
            let (held, began) = (Arc::clone(&held), began.clone());
            let hangs = readers.read(move || {
                let _ = began.send(());
                drop(held.lock().map(|held| held.recv()));
            });
            assert_eq!(hangs.await, Err(NoAnswer));
        }
        let both = [begun.try_recv(), begun.try_recv(), begun.try_recv()].map(|begun| begun.is_ok());
        assert_eq!(both, [true, true, false]);
        let work = timeout(Duration::from_secs(10), tokio::task::spawn_blocking(|| 7)).await;
        assert_eq!(work.expect("it waits for no reader").expect("done"), 7);
        drop(hold);
        // The threads are available again once the disk has responded.
        while readers.read(|| ()).await.is_err() {}
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_a_read_that_hangs() {
        let readers = Readers::with(1, Duration::from_millis(50));
        let (hold, held) = mpsc::channel::<()>();
        let hangs = readers.read(move || held.recv().is_ok()).await;
        assert_eq!(hangs, Err(NoAnswer));
        // Without this it would never return.
        drop(readers);
        drop(hold);
    }
}
