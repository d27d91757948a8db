//! Several threads for a list of independent pieces of work.
//!
//! The kernel may refuse a thread, where many run or memory is short. Then those that there are do the work, and be
//! it this one alone.
//!
//! What never happens: a piece is done twice, or a result is lost between two threads. A panic in one
//! thread is a panic of the whole.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// How many threads the admin allows; 0 as long as nobody has said.
static ALLOWED: AtomicUsize = AtomicUsize::new(0);

/// Allows so many threads, for the whole process: they share one machine, whatever they work on.
pub fn allow(threads: usize) {
    ALLOWED.store(threads, Ordering::Relaxed);
}

/// How many threads there are for one list: what is allowed, or as many as the machine has.
pub fn threads() -> usize {
    match ALLOWED.load(Ordering::Relaxed) {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        allowed => allowed,
    }
}

/// Starts a thread, unless the kernel has none to give.
pub fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Option<ScopedJoinHandle<'scope, T>> {
    Builder::new().spawn_scoped(scope, work).ok()
}

/// Does two pieces of work beside one another, or one after the other where there is no thread for the second.
///
/// # Panics
/// When one of them does.
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
        // It is taken once, by the thread or here.
        (first.expect("it was there"), second)
    })
}

/// Does `work` for every item, on all threads, and hands each result to `done` on this one, in no order.
///
/// Each thread begins with a value of its own from `begin`. Results wait only until they are taken, so few
/// of them are in memory at once.
///
/// # Errors
/// The first that any piece ends with; nothing more is begun then.
pub fn each<T: Sync, S, R: Send, E: Send>(
    items: &[T],
    begin: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &T) -> Result<R, E> + Sync,
    mut done: impl FnMut(&T, R),
) -> Result<(), E> {
    let threads = threads().min(items.len());
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
                        // Whoever listens does so until the last of us has ended.
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
    // Nothing is left unless there was no thread at all.
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
