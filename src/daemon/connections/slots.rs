//! Who gets a connection, and whose request is served next, when more come than can be served at once.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Bounds, Known};
use crate::link::clock::Clock;
use crate::web::peer::Peer;

/// How long a connection must be idle before it is closed to make room.
const IDLE_MIN: Duration = Duration::from_secs(1);

/// What kind of request it is, as its path and headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Anonymous,
    Known,
    Hook,
    Health,
}

/// The open connections, and the slots for their requests.
pub(super) struct Connections {
    pub(super) bounds: Bounds,
    pub(super) clock: Clock,
    known: Known,
    slots: [Arc<Semaphore>; 4],
    open: Mutex<BTreeMap<u64, Arc<Connection>>>,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) peer: Peer,
    clock: Clock,
    /// Since when it has waited for a head or a slot; `None` while a request is served.
    idle_since: Mutex<Option<Instant>>,
    /// Cancelled when somebody else needs the connection.
    pub(super) close: CancellationToken,
}

impl Connection {
    pub(super) fn wait(&self) {
        *unpoisoned(&self.idle_since) = Some(self.clock.monotonic());
    }

    pub(super) fn serve(&self) {
        *unpoisoned(&self.idle_since) = None;
    }

    pub(super) fn idle_for(&self) -> Option<Duration> {
        unpoisoned(&self.idle_since).map(|since| self.clock.since(since))
    }
}

pub(super) fn unpoisoned<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    pub(super) fn new(bounds: Bounds, known: Known, clock: Clock) -> Self {
        let slots = [bounds.slots, bounds.reserved, bounds.reserved, bounds.reserved]
            .map(|most| Arc::new(Semaphore::new(most)));
        Self { bounds, clock, known, slots, open: Mutex::default() }
    }

    /// Registers a connection, unless its address has too many.
    pub(super) fn enter(self: &Arc<Self>, number: u64, address: IpAddr) -> Option<(Arc<Connection>, Registered)> {
        let peer = Peer::of(address);
        let mut open = unpoisoned(&self.open);
        if open.len() >= self.bounds.open / 2 && !peer.is_shared() {
            let same = open.values().filter(|connection| connection.peer == peer).count();
            if same >= self.bounds.each {
                return None;
            }
        }
        let idle_since = Mutex::new(Some(self.clock.monotonic()));
        let close = CancellationToken::new();
        let connection = Arc::new(Connection { peer, clock: self.clock, idle_since, close });
        open.insert(number, Arc::clone(&connection));
        Some((connection, Registered { all: Arc::clone(self), number }))
    }

    /// Asks the connections that have been idle longest to close.
    pub(super) fn make_room(&self) {
        let open = unpoisoned(&self.open);
        let waiting = open.values().filter_map(|connection| Some((connection.idle_for()?, connection)));
        let mut longest: Vec<_> = waiting.filter(|(waited, _)| *waited >= IDLE_MIN).collect();
        longest.sort_by_key(|(waited, _)| std::cmp::Reverse(*waited));
        for (_, connection) in longest.iter().take(self.bounds.reserved) {
            connection.close.cancel();
        }
    }

    pub(super) fn class<B>(&self, request: &Request<B>) -> Class {
        match request.uri().path() {
            "/healthz" | "/readyz" | "/metrics" => Class::Health,
            path if path.starts_with("/hooks/") => Class::Hook,
            _ if (self.known)(request.headers()) => Class::Known,
            _ => Class::Anonymous,
        }
    }

    /// A slot, if one becomes free in time and the connection is not needed for somebody else meanwhile.
    pub(super) async fn slot(&self, class: Class, connection: &Connection) -> Option<OwnedSemaphorePermit> {
        let [anonymous, known, hooks, health] = &self.slots;
        if let Ok(free) = Arc::clone(anonymous).try_acquire_owned() {
            return Some(free);
        }
        let slots = match class {
            Class::Anonymous => anonymous,
            Class::Known => known,
            Class::Hook => hooks,
            Class::Health => health,
        };
        let free = timeout(self.bounds.head, Arc::clone(slots).acquire_owned());
        tokio::select! {
            free = free => free.ok()?.ok(),
            () = connection.close.cancelled() => None,
        }
    }
}

/// Removes its connection from the open ones when dropped.
pub(super) struct Registered {
    pub(super) all: Arc<Connections>,
    number: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        unpoisoned(&self.all.open).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::connections::tests::{BOUNDS, token};

    #[test]
    fn one_address_has_no_more_than_its_share_when_half_of_the_places_are_taken() {
        let all = Arc::new(Connections::new(Bounds { open: 8, each: 3, ..BOUNDS }, token(), Clock::System));
        let mut open = Vec::new();
        let mut enter = |n: u64, address: &str| {
            let registered = all.enter(n, address.parse().expect("an address"));
            registered.map(|(_, registered)| open.push(registered)).is_some()
        };
        let of_one: Vec<bool> = (0..6).map(|n| enter(n, "192.0.2.1")).collect();
        assert_eq!(of_one, [true, true, true, true, false, false]);
        assert!(enter(10, "192.0.2.2"), "others come in");
        assert!((20..29).all(|n| enter(n, "127.0.0.1")), "a proxy on connection machine speaks for many");
        open.clear();
        assert!(all.enter(30, "192.0.2.1".parse().expect("an address")).is_some());
    }
}
