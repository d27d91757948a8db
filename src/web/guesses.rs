//! Wrong credentials: counted, logged, and answered more and more slowly.
//!
//! Each wrong guess from an address delays the next answer more, and few guesses may be pending at once; beyond that,
//! requests are refused before anything is compared. Right credentials never wait, even behind the same proxy: a proxy
//! on this machine that does not name its clients has no limit on pending guesses, and only its wrong ones wait.
//!
//! The log gets one line at once and then one a minute with the number since.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::peer::{Client, Peer};
use crate::link::clock::Clock;

/// This many wrong ones are answered at once: people mistype, and scripts have old tokens.
const FREE: u32 = 3;

/// The delay of the first answer after that; it doubles each time.
const FIRST_DELAY: Duration = Duration::from_millis(250);

/// The longest delay of an answer.
const DELAY_MAX: Duration = Duration::from_secs(4);

/// Most guesses of one address that may wait for their answers.
const WAITING_MAX: u32 = 8;

/// After this time without a wrong guess, an address starts afresh.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(10);

/// Most addresses remembered.
const PEERS_MAX: usize = 4096;

/// How often wrong guesses are logged.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// The kind of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A token of the API.
    Token,
    /// The signature of a webhook.
    Signature,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Token, Self::Signature];

    /// Its name in the log and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Signature => "signature",
        }
    }
}

/// Who has guessed, and how often.
#[derive(Debug, Default)]
pub struct Guesses {
    clock: Clock,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    peers: BTreeMap<Peer, Guesser>,
    of_kind: BTreeMap<Kind, Count>,
}

#[derive(Debug)]
struct Guesser {
    wrong: u32,
    waiting: u32,
    last: Instant,
}

#[derive(Debug, Default)]
struct Count {
    all: u64,
    /// Guesses that are not logged yet, and when they were last logged.
    unsaid: u64,
    last: Option<Peer>,
    said: Option<Instant>,
}

/// Too many guesses of an address wait for their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl Guesses {
    /// Nobody has guessed yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether credentials from a client are checked now.
    ///
    /// # Errors
    /// If the client must first wait for the answers to earlier guesses.
    pub fn may_try(&self, client: Option<Client>) -> Result<(), TooMany> {
        let Some(Client(peer)) = client.filter(|client| !client.0.is_shared()) else { return Ok(()) };
        let waiting = self.lock().peers.get(&peer).map_or(0, |guesser| guesser.waiting);
        if waiting >= WAITING_MAX { Err(TooMany) } else { Ok(()) }
    }

    /// Counts a wrong guess; returns when it may be answered.
    pub async fn wrong(self: &Arc<Self>, kind: Kind, client: Option<Client>) {
        let delay = self.note(kind, client, self.clock.monotonic());
        if let Some(Client(peer)) = client.filter(|_| !delay.is_zero()) {
            let _waits = Waits::begin(Arc::clone(self), peer);
            sleep(delay).await;
        }
    }

    /// Counts a wrong guess; returns how long its answer has to wait.
    fn note(&self, kind: Kind, client: Option<Client>, now: Instant) -> Duration {
        let mut inner = self.lock();
        let count = inner.of_kind.entry(kind).or_default();
        count.all += 1;
        count.unsaid += 1;
        count.last = client.map(|client| client.0);
        if count.said.is_none_or(|said| now.duration_since(said) >= SAY_EVERY) {
            count.say(kind, now);
        }
        let Some(Client(peer)) = client else { return Duration::ZERO };
        if !inner.peers.contains_key(&peer) && inner.peers.len() >= PEERS_MAX {
            let oldest = inner.peers.iter().filter(|(_, guesser)| guesser.waiting == 0).min_by_key(|(_, g)| g.last);
            match oldest.map(|(peer, _)| *peer) {
                Some(oldest) => drop(inner.peers.remove(&oldest)),
                None => return DELAY_MAX,
            }
        }
        let guesser = inner.peers.entry(peer).or_insert(Guesser { wrong: 0, waiting: 0, last: now });
        if now.duration_since(guesser.last) >= FORGOTTEN_AFTER {
            guesser.wrong = 0;
        }
        guesser.wrong = guesser.wrong.saturating_add(1);
        guesser.last = now;
        match guesser.wrong.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(more) => FIRST_DELAY.saturating_mul(2_u32.saturating_pow(more)).min(DELAY_MAX),
        }
    }

    /// Logs what is not logged yet, once a minute.
    pub fn say(&self) {
        let now = self.clock.monotonic();
        for (kind, count) in &mut self.lock().of_kind {
            if count.unsaid > 0 && count.said.is_none_or(|said| now.duration_since(said) >= SAY_EVERY) {
                count.say(*kind, now);
            }
        }
    }

    /// How many there were of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        self.lock().of_kind.get(&kind).map_or(0, |count| count.all)
    }
}

impl Count {
    fn say(&mut self, kind: Kind, now: Instant) {
        let from = self.last.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
        let (kind, number, all) = (kind.as_str(), self.unsaid, self.all);
        tracing::warn!(kind, number, all, last_from = from, "wrong credentials were refused");
        self.unsaid = 0;
        self.said = Some(now);
    }
}

/// A wrong guess that waits for its answer, until this is dropped.
struct Waits {
    guesses: Arc<Guesses>,
    peer: Peer,
}

impl Waits {
    fn begin(guesses: Arc<Guesses>, peer: Peer) -> Self {
        if let Some(guesser) = guesses.lock().peers.get_mut(&peer) {
            guesser.waiting += 1;
        }
        Self { guesses, peer }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if let Some(guesser) = self.guesses.lock().peers.get_mut(&self.peer) {
            guesser.waiting = guesser.waiting.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Client {
        Client(Peer::of(address.parse().expect("an address")))
    }

    #[test]
    fn each_wrong_one_of_an_address_is_answered_later_up_to_a_bound() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let delays = |address, now| guesses.note(Kind::Token, Some(from(address)), now).as_millis();
        let all: Vec<u128> = (0..10).map(|_| delays("192.0.2.1", now)).collect();
        assert_eq!(all, [0, 0, 0, 250, 500, 1000, 2000, 4000, 4000, 4000]);
        assert_eq!(delays("192.0.2.2", now), 0, "another one has done nothing");
        assert_eq!(delays("192.0.2.1", now + FORGOTTEN_AFTER), 0, "it is forgotten in the end");
        assert_eq!((guesses.count(Kind::Token), guesses.count(Kind::Signature)), (12, 0));
    }

    #[test]
    fn the_log_is_told_at_once_and_then_once_a_minute() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        let unsaid = || guesses.lock().of_kind[&Kind::Signature].unsaid;
        guesses.note(Kind::Signature, None, now);
        assert_eq!(unsaid(), 0);
        for _ in 0..1000 {
            guesses.note(Kind::Signature, None, now + SAY_EVERY / 2);
        }
        assert_eq!(unsaid(), 1000);
        guesses.note(Kind::Signature, None, now + SAY_EVERY);
        assert_eq!(unsaid(), 0);
    }

    #[test]
    fn so_many_addresses_are_remembered_and_no_more() {
        let (guesses, now) = (Guesses::default(), Instant::now());
        for n in 0..u32::try_from(PEERS_MAX).expect("few") + 100 {
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).to_string();
            guesses.note(Kind::Token, Some(from(&address)), now + Duration::from_millis(n.into()));
        }
        assert_eq!(guesses.lock().peers.len(), PEERS_MAX);
        assert!(!guesses.lock().peers.contains_key(&from("10.0.0.0").0), "the oldest has gone");
    }

    #[test]
    fn whoever_has_many_guesses_under_way_is_sent_away_and_a_proxy_is_not() {
        let guesses = Arc::new(Guesses::default());
        for address in ["192.0.2.1", "127.0.0.1"] {
            guesses.note(Kind::Token, Some(from(address)), Instant::now());
            let waiting: Vec<_> =
                (0..WAITING_MAX).map(|_| Waits::begin(Arc::clone(&guesses), from(address).0)).collect();
            let wanted = if address == "127.0.0.1" { Ok(()) } else { Err(TooMany) };
            assert_eq!(guesses.may_try(Some(from(address))), wanted, "{address}");
            assert_eq!(guesses.may_try(Some(from("192.0.2.2"))), Ok(()));
            drop(waiting);
            assert_eq!(guesses.may_try(Some(from(address))), Ok(()));
        }
    }
}
