//! The bodies of requests, which take memory before the sender is known.
//!
//! All bodies being received share a limit in bytes, counted by what has arrived and not by what was announced; known
//! tokens have a limit of their own. One client gets at most a quarter of it. A body must arrive within [`TIME`], so
//! that a few that never end do not block the rest for long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::peer::{Client, Peer};

/// The longest body of a request. A tracker sends some KiB at most; the rest is room for long comments.
pub const BODY_MAX: usize = 1024 * 1024;

/// The longest body of a report, with a file of [`FILE_MAX`](crate::store::reports::FILE_MAX) in base64; only with a known
/// token.
pub const REPORT_MAX: usize = 6 * 1024 * 1024;

/// Bytes of all anonymous bodies being received.
const STRANGERS_MAX: usize = 16 * 1024 * 1024;

/// The same with a known token.
const KNOWN_MAX: usize = 8 * 1024 * 1024;

/// How long a body may take. A connection that needs longer for a megabyte is not a tracker's.
pub const TIME: Duration = Duration::from_secs(15);

/// The same of a report, which is larger.
pub const REPORT_TIME: Duration = Duration::from_secs(45);

/// Counts the bytes that bodies take.
#[derive(Debug)]
pub struct Bodies {
    strangers: Arc<Semaphore>,
    known: Arc<Semaphore>,
    of_each: Mutex<BTreeMap<Peer, usize>>,
    each_max: usize,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::with(STRANGERS_MAX, KNOWN_MAX)
    }
}

impl Bodies {
    fn with(strangers: usize, known: usize) -> Self {
        let [strangers_left, known] = [strangers, known].map(|most| Arc::new(Semaphore::new(most)));
        Self { strangers: strangers_left, known, of_each: Mutex::default(), each_max: strangers / 4 }
    }

    /// Begins a body that takes nothing yet.
    pub fn begin(self: &Arc<Self>, client: Option<Client>, is_known: bool) -> Held {
        // Behind a proxy that does not name its clients there may be many of them.
        let peer = client.map(|client| client.0).filter(|peer| !is_known && !peer.is_shared());
        Held { bodies: Arc::clone(self), is_known, peer, bytes: 0, permit: None }
    }
}

/// The bytes that one body takes, until this is dropped.
pub struct Held {
    bodies: Arc<Bodies>,
    is_known: bool,
    peer: Option<Peer>,
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Takes more; false if there is no more.
    pub fn take(&mut self, bytes: usize) -> bool {
        let left = if self.is_known { &self.bodies.known } else { &self.bodies.strangers };
        let Some(permit) = u32::try_from(bytes).ok().and_then(|n| Arc::clone(left).try_acquire_many_owned(n).ok())
        else {
            return false;
        };
        if let Some(peer) = self.peer {
            let mut all = self.bodies.of_each.lock().unwrap_or_else(PoisonError::into_inner);
            let of_it = all.entry(peer).or_default();
            if *of_it + bytes > self.bodies.each_max {
                return false;
            }
            *of_it += bytes;
        }
        self.bytes += bytes;
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(peer) = self.peer else { return };
        let mut all = self.bodies.of_each.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_it) = all.get_mut(&peer) {
            *of_it = of_it.saturating_sub(self.bytes);
            if *of_it == 0 {
                all.remove(&peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        Client(Peer::of(address.parse().expect("an address")))
    }

    #[test]
    fn all_bodies_together_have_so_many_bytes_and_one_guest_a_quarter_of_them() {
        let bodies = Arc::new(Bodies::with(100, 50));
        let mut first = bodies.begin(Some(client("192.0.2.1")), false);
        assert!(first.take(20) && first.take(5) && !first.take(1), "a quarter");
        let mut again = bodies.begin(Some(client("192.0.2.1")), false);
        assert!(!again.take(1), "in another request, too");
        let mut others: Vec<_> = (2..5).map(|n| bodies.begin(Some(client(&format!("192.0.2.{n}"))), false)).collect();
        assert!(others.iter_mut().all(|other| other.take(25)));
        let mut last = bodies.begin(Some(client("127.0.0.1")), false);
        assert!(!last.take(1), "there is no more");
        let mut known = bodies.begin(Some(client("192.0.2.1")), true);
        assert!(known.take(50) && !known.take(1), "whoever is known has his own");
        drop(first);
        assert!(last.take(25) && !last.take(1), "what is over comes back");
        drop((others, last, again, known));
        assert!(bodies.of_each.lock().expect("whole").is_empty());
        assert_eq!((bodies.strangers.available_permits(), bodies.known.available_permits()), (100, 50));
    }
}
