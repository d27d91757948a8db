//! Runs a list of independent jobs on several threads.
//!
//! The kernel may refuse a thread when many are running or memory is short. The threads that could be started do the
//! work then, if need be only the calling one.
//!
//! What never happens: a job runs twice, or a result is lost between two threads. A panic in one thread is a panic of
//! the caller.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// How many jobs wait for the disk at the same time.
const WAITING: usize = 16;

/// How many threads the admin allows; 0 while unset.
static ALLOWED: AtomicUsize = AtomicUsize::new(0);

/// Sets the number of threads for the whole process: they share one machine, whatever they work on.
pub fn allow(threads: usize) {
    ALLOWED.store(threads, Ordering::Relaxed);
}

/// How many threads one list gets: the configured number, or as many as the machine has.
pub fn threads() -> usize {
    match ALLOWED.load(Ordering::Relaxed) {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        allowed => allowed,
    }
}

/// Starts a thread, unless the kernel refuses.
pub fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Option<ScopedJoinHandle<'scope, T>> {
    // What is said there belongs to the same work.
    let span = tracing::Span::current();
    Builder::new().spawn_scoped(scope, move || span.in_scope(work)).ok()
}

/// Runs two jobs in parallel, or in sequence if there is no thread for the second.
///
/// # Panics
/// If one of them does.
pub fn both<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    let one = Mutex::new(Some(one));
    let take = || one.lock().unwrap_or_else(PoisonError::into_inner).take().map(|one| one());
    std::thread::scope(|scope| {
        let thread = spawn(scope, take);
        let second = other();
        let first = match thread.map(ScopedJoinHandle::join) {
            Some(Ok(first)) => first,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => take(),
        };
        // It is run exactly once, by the thread or here.
        (first.expect("it was there"), second)
    })
}

/// Calls `work` for every item, on all threads, and passes each result to `done` on this one, in no particular order.
///
/// Each thread starts with its own value from `begin`. Results are passed on as they come, so few are in memory at
/// once.
///
/// # Errors
/// The first error of any job; no further job is started then.
pub fn each<T: Sync, S, R: Send, E: Send>(
    items: &[T],
    begin: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> Result<R, E> + Sync,
    done: impl FnMut(&T, R),
) -> Result<(), E> {
    each_on(threads(), items, begin, work, done)
}

/// The same for jobs that only wait for the disk: on more threads than there are processors, since a file system that is asked
/// to keep many files at once does it with few writes. Also on more than [`allow`] says: they compute nothing.
///
/// # Errors
/// As [`each`].
pub fn each_waiting<T: Sync, R: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
    done: impl FnMut(&T, R),
) -> Result<(), E> {
    each_on(threads().max(WAITING), items, || (), |(), item| work(item), done)
}

fn each_on<T: Sync, S, R: Send, E: Send>(
    threads: usize,
    items: &[T],
    begin: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> Result<R, E> + Sync,
    mut done: impl FnMut(&T, R),
) -> Result<(), E> {
    let threads = threads.min(items.len());
    if threads <= 1 {
        let mut own = begin();
        return items.iter().try_for_each(|item| work(&mut own, item).map(|result| done(item, result)));
    }
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        let (told, results) = mpsc::sync_channel(4 * threads);
        for _ in 0..threads {
            let (told, next, failed, begin, work) = (told.clone(), &next, &failed, &begin, &work);
            let thread = move || {
                let mut own = begin();
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match work(&mut own, item) {
                        // The receiver lives until the last of the threads has ended.
                        Ok(result) => drop(told.send((item, result))),
                        Err(error) => {
                            next.store(items.len(), Ordering::Relaxed);
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                            return;
                        }
                    }
                }
            };
            if spawn(scope, thread).is_none() {
                break;
            }
        }
        drop(told);
        for (item, result) in results {
            done(item, result);
        }
    });
    // Items are left only if no thread could be started.
    let mut own = begin();
    while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
        match work(&mut own, item) {
            Ok(result) => done(item, result),
            Err(error) => return Err(error),
        }
    }
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_item_is_done_once() {
        let items: Vec<u32> = (0..1000).collect();
        let mut seen = BTreeSet::new();
        let all: Result<(), ()> = each(
            &items,
            || 0,
            |_, item| Ok(*item),
            |item, result| {
                assert_eq!(*item, result);
                assert!(seen.insert(result));
            },
        );
        assert_eq!((all, seen.len()), (Ok(()), 1000));
    }

    #[test]
    fn those_that_wait_wait_together() {
        let (items, gate) = ([(); 4], std::sync::Barrier::new(4));
        let mut seen = 0;
        let all: Result<(), ()> = each_waiting(
            &items,
            |()| {
                gate.wait();
                Ok(())
            },
            |(), ()| seen += 1,
        );
        assert_eq!((all, seen), (Ok(()), 4));
    }

    #[test]
    fn both_are_done() {
        let mut other = 0;
        let done = both(
            || 7,
            || {
                other += 1;
                other
            },
        );
        assert_eq!(done, (7, 1));
    }

    #[test]
    fn the_first_error_ends_it() {
        let items: Vec<u32> = (0..100_000).collect();
        let mut seen = 0;
        let work = |(): &mut (), item: &u32| if *item == 10 { Err(*item) } else { Ok(()) };
        assert_eq!(each(&items, || (), work, |_, ()| seen += 1), Err(10));
        assert!(seen < 50_000, "{seen}");
        assert_eq!(each(&[1_u32; 0], || (), work, |_, ()| ()), Ok(()));
    }
}
