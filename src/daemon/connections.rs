//! The connections of the web server: bounded in number and in patience.
//!
//! Every connection costs a descriptor, and the same descriptors are needed to take packages in. So
//! there are never more than [`Bounds::open`] connections. That nobody holds a place for ever without using it, and
//! that nobody keeps others out:
//!
//! - A connection on which no request is complete within [`Bounds::head`] is closed, also when it is an
//!   old one that waits for its next request. Clients are used to that and connect again. When all places are
//!   taken, the one that has waited longest makes room.
//! - A request takes a seat from its head until its answer is out. Strangers have [`Bounds::seats`] of them and wait
//!   for one for [`Bounds::head`]. Whoever has a known token, trackers, and whoever asks whether the daemon is well have
//!   [`Bounds::kept`] of their own each. So there are always places left for these.
//! - When half of the places are taken, one address has no more than [`Bounds::each`] of them. That does not hold for
//!   this machine itself: behind a proxy on it, all requests come from there.
//! - The body of a request has the time and the memory that the routes give to it.
//! - An answer has to be taken within [`Bounds::answer`]. A file may take hours, as long as the client takes
//!   [`Bounds::rate`] bytes a second of it; it can ask for the rest with a range. The kernel cuts off whoever takes none
//!   at all for [`Bounds::stalled`].
//!
//! At a stop nothing new is accepted, and connections end with the answer that is under way. That may
//! take as long as the engine takes to end, since answers may wait for it, and [`Bounds::last_words`]
//! more. Then all are closed: whoever downloads slowly must not hold up the stop.
//!
//! This is hyper itself and not `axum::serve`, which has none of these bounds.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::supervise::Crowd;
use crate::web::peer::{Peer, Spoken};
use crate::web::problem::Problem;
use crate::web::trees::Download;

/// Most connections, whatever the limit of descriptors is.
const OPEN_MAX: usize = 1024;

/// The pause after an `accept` that failed for want of something that may come back.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How often the log is told that all places are taken.
const SAY_FULL_EVERY: Duration = Duration::from_mins(1);

/// How long a connection waits at least before another one may take its place.
const WAITS_FOR: Duration = Duration::from_secs(1);

/// How long a full house waits before it looks again for somebody who makes room.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How often it is looked at how fast a client takes its answer.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How much is read or written at once, and so the longest head of a request.
const BUFFER: usize = 64 * 1024;

/// How many connections there may be, and how long each may do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most connections at a time.
    pub open: usize,
    /// Most requests of strangers at a time.
    pub seats: usize,
    /// Most requests with a known token when these are taken, most of trackers, and most after the daemon's health.
    pub kept: usize,
    /// Most connections of one address when half of the places are taken.
    pub each: usize,
    /// How long the head of a request may take, with the wait for it, and how long a request waits for a seat.
    pub head: Duration,
    /// How long a client may take for an answer that is no file.
    pub answer: Duration,
    /// How many bytes of a file a client has to take in a second, on the average of [`Bounds::window`].
    pub rate: u64,
    /// Over which time that is looked at.
    pub window: Duration,
    /// How long a client may take no byte of an answer.
    pub stalled: Duration,
    /// How long answers may take after the engine has ended.
    pub last_words: Duration,
}

impl Bounds {
    /// Those of the daemon.
    pub fn of_this_process() -> Self {
        Self::for_descriptors(getrlimit(Resource::Nofile).current)
    }

    /// A quarter of the descriptors for connections: a download needs a second one for its file, and half
    /// of them are left for the work.
    fn for_descriptors(limit: Option<u64>) -> Self {
        let quarter = limit.map_or(OPEN_MAX, |limit| usize::try_from(limit / 4).unwrap_or(OPEN_MAX));
        let open = quarter.clamp(1, OPEN_MAX);
        let kept = (open / 16).max(1);
        Self {
            open,
            seats: open.saturating_sub(3 * kept).max(1),
            kept,
            each: (open / 4).max(1),
            head: Duration::from_secs(10),
            answer: Duration::from_mins(1),
            rate: 8 * 1024,
            window: Duration::from_mins(1),
            stalled: Duration::from_mins(2),
            last_words: Duration::from_secs(3),
        }
    }
}

/// Whether the headers of a request have a token that is known.
pub type Known = Arc<dyn Fn(&HeaderMap) -> bool + Send + Sync>;

/// Whose request it is, as far as it has to be known before it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guest {
    Stranger,
    Known,
    Hook,
    Health,
}

/// The connections that there are.
struct House {
    bounds: Bounds,
    known: Known,
    seats: [Arc<Semaphore>; 4],
    inside: Mutex<BTreeMap<u64, Arc<Visit>>>,
}

/// One connection, as the others have to know it.
#[derive(Debug)]
struct Visit {
    peer: Peer,
    /// Since when it has waited for a head or for a seat; nothing while it is served.
    waits: Mutex<Option<Instant>>,
    /// Somebody else needs the place.
    leave: CancellationToken,
}

impl Visit {
    fn wait(&self) {
        *unpoisoned(&self.waits) = Some(Instant::now());
    }

    fn serve(&self) {
        *unpoisoned(&self.waits) = None;
    }

    fn waited(&self) -> Option<Duration> {
        unpoisoned(&self.waits).map(|since| since.elapsed())
    }
}

fn unpoisoned<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl House {
    fn new(bounds: Bounds, known: Known) -> Self {
        let seats = [bounds.seats, bounds.kept, bounds.kept, bounds.kept].map(|most| Arc::new(Semaphore::new(most)));
        Self { bounds, known, seats, inside: Mutex::default() }
    }

    /// Lets a connection in, unless its address has enough of them.
    fn enter(self: &Arc<Self>, number: u64, address: IpAddr) -> Option<(Arc<Visit>, Entered)> {
        let peer = Peer::of(address);
        let mut inside = unpoisoned(&self.inside);
        if inside.len() >= self.bounds.open / 2 && !peer.is_shared() {
            let same = inside.values().filter(|visit| visit.peer == peer).count();
            if same >= self.bounds.each {
                return None;
            }
        }
        let waits = Mutex::new(Some(Instant::now()));
        let visit = Arc::new(Visit { peer, waits, leave: CancellationToken::new() });
        inside.insert(number, Arc::clone(&visit));
        Some((visit, Entered { house: Arc::clone(self), number }))
    }

    /// Asks the connections that have waited longest to make room.
    fn make_room(&self) {
        let inside = unpoisoned(&self.inside);
        let waiting = inside.values().filter_map(|visit| Some((visit.waited()?, visit)));
        let mut longest: Vec<_> = waiting.filter(|(waited, _)| *waited >= WAITS_FOR).collect();
        longest.sort_by_key(|(waited, _)| std::cmp::Reverse(*waited));
        for (_, visit) in longest.iter().take(self.bounds.kept) {
            visit.leave.cancel();
        }
    }

    fn guest<B>(&self, request: &Request<B>) -> Guest {
        match request.uri().path() {
            "/healthz" | "/readyz" | "/metrics" => Guest::Health,
            path if path.starts_with("/hooks/") => Guest::Hook,
            _ if (self.known)(request.headers()) => Guest::Known,
            _ => Guest::Stranger,
        }
    }

    /// A seat, if one becomes free in time and nobody else needs the place meanwhile.
    async fn seat(&self, guest: Guest, visit: &Visit) -> Option<OwnedSemaphorePermit> {
        let [strangers, known, hooks, health] = &self.seats;
        if let Ok(free) = Arc::clone(strangers).try_acquire_owned() {
            return Some(free);
        }
        let seats = match guest {
            Guest::Stranger => strangers,
            Guest::Known => known,
            Guest::Hook => hooks,
            Guest::Health => health,
        };
        let free = timeout(self.bounds.head, Arc::clone(seats).acquire_owned());
        tokio::select! {
            free = free => free.ok()?.ok(),
            () = visit.leave.cancelled() => None,
        }
    }
}

/// A connection that is in the house until this goes out of scope.
struct Entered {
    house: Arc<House>,
    number: u64,
}

impl Drop for Entered {
    fn drop(&mut self) {
        unpoisoned(&self.house.inside).remove(&self.number);
    }
}

/// Serves until `stop`, and then until the answers that are under way are out, or until
/// [`Bounds::last_words`] after `engine_over`. `known` tells whose requests have seats of their own.
///
/// # Errors
/// Never; the type is that of a task.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    known: Known,
    stop: CancellationToken,
    engine_over: CancellationToken,
) -> Result<(), Infallible> {
    let mut open = Crowd::default();
    let house = Arc::new(House::new(bounds, known));
    let mut numbers = 0_u64..;
    let mut said_full: Option<Instant> = None;
    let mut said_each: Option<Instant> = None;
    while !stop.is_cancelled() {
        let full = open.len() >= bounds.open;
        if full && said_full.is_none_or(|at| at.elapsed() > SAY_FULL_EVERY) {
            tracing::warn!(connections = open.len(), "all connections are in use; closing those that only wait");
            said_full = Some(Instant::now());
        }
        if full {
            house.make_room();
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = open.one_ends() => {}
            () = sleep(LOOK_AGAIN), if full => {}
            accepted = listener.accept(), if !full => match accepted {
                Ok((socket, address)) => {
                    let number = numbers.next().unwrap_or_default();
                    if let Some((visit, entered)) = house.enter(number, address.ip()) {
                        open.add(converse(socket, router.clone(), visit, entered, stop.clone()));
                    } else if said_each.is_none_or(|at| at.elapsed() > SAY_FULL_EVERY) {
                        let (peer, most) = (address.ip(), bounds.each);
                        tracing::warn!(%peer, most, "one address has too many connections; closing some");
                        said_each = Some(Instant::now());
                    }
                }
                Err(error) if is_over(&error) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "could not accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let all_out = async {
        while !open.is_empty() {
            open.one_ends().await;
        }
    };
    let too_late = async {
        engine_over.cancelled().await;
        sleep(bounds.last_words).await;
    };
    tokio::select! {
        () = all_out => {}
        () = too_late => {}
    }
    if !open.is_empty() {
        tracing::info!(connections = open.len(), "connections closed before their responses were complete");
    }
    Ok(())
}

/// Whether the error is that of a connection which ended before it was accepted.
fn is_over(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What the kernel is told about a connection. Where it refuses, answers are slower and nothing else.
fn tune(socket: &TcpStream, bounds: Bounds) {
    let stalled = u32::try_from(bounds.stalled.as_millis()).unwrap_or(u32::MAX);
    // Without it a stalled client holds its place longer.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(socket, stalled);
    // The head of an answer and a file's bytes are written one after the other. Without this the second waits
    // until the client has confirmed the first, and clients take 40 ms for that.
    let _ = socket.set_nodelay(true);
}

/// One connection from its first request to its end.
async fn converse(socket: TcpStream, router: Router, visit: Arc<Visit>, entered: Entered, stop: CancellationToken) {
    let house = Arc::clone(&entered.house);
    let bounds = house.bounds;
    tune(&socket, bounds);
    let pace = Arc::new(Pace::default());
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(bounds.head).max_buf_size(BUFFER);
    let io = Paced { io: TokioIo::new(socket), pace: Arc::clone(&pace), visit: Arc::clone(&visit) };
    let service = Seated { house, visit: Arc::clone(&visit), pace: Arc::clone(&pace), router };
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut looks = interval(LOOK_EVERY.min(bounds.answer));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut glance = Glance { at: Instant::now(), written: 0 };
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                break connection.await;
            }
            () = visit.leave.cancelled(), if visit.waited().is_some() => {
                // With a request that waits for a seat: it is told, and then all ends.
                connection.as_mut().graceful_shutdown();
                let _ = timeout(LOOK_AGAIN, connection).await;
                return;
            }
            _ = looks.tick() => if pace.is_too_slow(&mut glance, bounds) {
                tracing::debug!(peer = %visit.peer, "a client received its response too slowly");
                return;
            },
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection broke off");
    }
    drop(entered);
}

/// How an answer is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Whole,
    Health,
    Download,
}

/// How fast a client takes what it is sent.
#[derive(Debug, Default)]
struct Pace {
    written: AtomicU64,
    /// The kernel has taken all that it wants for now: the client is slower than the answer.
    is_blocked: AtomicBool,
    /// The last byte of the answer is under way.
    is_last: AtomicBool,
    answer: Mutex<Option<(Instant, Manner)>>,
    seat: Mutex<Option<OwnedSemaphorePermit>>,
}

/// When it was looked at last how much was written.
struct Glance {
    at: Instant,
    written: u64,
}

impl Pace {
    fn is_too_slow(&self, last: &mut Glance, bounds: Bounds) -> bool {
        let written = self.written.load(Ordering::Relaxed);
        let Some((began, manner)) = *unpoisoned(&self.answer) else { return false };
        let is_blocked = self.is_blocked.load(Ordering::Relaxed);
        match manner {
            _ if !is_blocked => {
                *last = Glance { at: Instant::now(), written };
                false
            }
            Manner::Whole => began.elapsed() > bounds.answer,
            Manner::Health => began.elapsed() > bounds.answer / 10,
            Manner::Download => {
                let (since, taken) = (last.at.elapsed(), written.saturating_sub(last.written));
                if since < bounds.window {
                    return false;
                }
                *last = Glance { at: Instant::now(), written };
                taken < bounds.rate.saturating_mul(since.as_secs().max(1))
            }
        }
    }

    /// The answer is out: the kernel has all of it.
    fn over(&self, visit: &Visit) {
        if self.is_last.swap(false, Ordering::Relaxed) {
            *unpoisoned(&self.answer) = None;
            *unpoisoned(&self.seat) = None;
            visit.wait();
        }
    }
}

/// Requests of one connection, each on a seat.
struct Seated {
    house: Arc<House>,
    visit: Arc<Visit>,
    pace: Arc<Pace>,
    router: Router,
}

impl Service<Request<Incoming>> for Seated {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let (house, visit, pace) = (Arc::clone(&self.house), Arc::clone(&self.visit), Arc::clone(&self.pace));
        let service = TowerToHyperService::new(self.router.clone());
        Box::pin(async move {
            let guest = house.guest(&request);
            let Some(seat) = house.seat(guest, &visit).await else { return Ok(no_seat()) };
            visit.serve();
            pace.is_last.store(false, Ordering::Relaxed);
            *unpoisoned(&pace.answer) = None;
            *unpoisoned(&pace.seat) = Some(seat);
            let spoken = Spoken::of(visit.peer, request.headers());
            request.extensions_mut().insert(spoken);
            let response = service.call(request).await?;
            let manner = match guest {
                Guest::Health => Manner::Health,
                _ if response.extensions().get::<Download>().is_some() => Manner::Download,
                _ => Manner::Whole,
            };
            *unpoisoned(&pace.answer) = Some((Instant::now(), manner));
            Ok(response.map(|body| Body::new(Answer { body, _ending: Ending(pace) })))
        })
    }
}

fn no_seat() -> Response {
    let why = "all connections are in use; try again in a moment";
    let mut response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Not now", why).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The body of an answer; whoever sends it lets it go with its last byte.
struct Answer {
    body: Body,
    _ending: Ending,
}

struct Ending(Arc<Pace>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.is_last.store(true, Ordering::Relaxed);
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A socket that notes how fast its other end takes what is written.
struct Paced {
    io: TokioIo<TcpStream>,
    pace: Arc<Pace>,
    visit: Arc<Visit>,
}

impl Paced {
    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Pending => self.pace.is_blocked.store(true, Ordering::Relaxed),
            Poll::Ready(Ok(bytes)) => {
                self.pace.is_blocked.store(false, Ordering::Relaxed);
                self.pace.written.fetch_add(*bytes as u64, Ordering::Relaxed);
            }
            Poll::Ready(Err(_)) => {}
        }
    }
}

impl Read for Paced {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.pace.over(&self.visit);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, pieces);
        self.note(&written);
        written
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::{Body, Bytes};
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;

    /// Long enough for a busy machine; what is tested ends by itself long before.
    const PATIENCE: Duration = Duration::from_secs(20);

    const BOUNDS: Bounds = Bounds {
        open: 4,
        seats: 4,
        kept: 1,
        each: 4,
        answer: Duration::from_mins(1),
        rate: 1,
        window: Duration::from_mins(1),
        head: Duration::from_millis(200),
        stalled: Duration::from_mins(2),
        last_words: Duration::from_millis(200),
    };

    #[tokio::test]
    async fn nothing_waits_for_the_client_to_confirm_what_came_before_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let _client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        let (socket, _) = listener.accept().await.expect("accepted");
        tune(&socket, BOUNDS);
        assert!(socket.nodelay().expect("an option"));
    }

    /// Whoever has any token is known.
    fn token() -> Known {
        Arc::new(|headers| headers.contains_key(header::AUTHORIZATION))
    }

    struct Running {
        address: SocketAddr,
        stop: CancellationToken,
        engine_over: CancellationToken,
        _server: Crowd,
        ended: mpsc::Receiver<()>,
    }

    async fn start(router: Router) -> Running {
        start_with(router, BOUNDS).await
    }

    async fn start_with(router: Router, bounds: Bounds) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, engine_over) = (CancellationToken::new(), CancellationToken::new());
        let serving = serve(listener, router, bounds, token(), stop.clone(), engine_over.clone());
        let (end, ended) = mpsc::channel(1);
        let mut server = Crowd::default();
        server.add(async move {
            let _ = serving.await;
            let _ = end.send(()).await;
        });
        Running { address, stop, engine_over, _server: server, ended }
    }

    async fn connect(address: SocketAddr, first: &str) -> TcpStream {
        let mut socket = TcpStream::connect(address).await.expect("connected");
        socket.write_all(first.as_bytes()).await.expect("sent");
        socket
    }

    async fn rest(socket: &mut TcpStream) -> String {
        let mut all = Vec::new();
        timeout(PATIENCE, socket.read_to_end(&mut all)).await.expect("it ends").expect("it is read");
        String::from_utf8(all).expect("text")
    }

    const WHOLE: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn half_a_request_does_not_hold_a_place_for_ever() {
        let running = start(Router::new().route("/", get(|| async { "here" }))).await;
        let mut half = Vec::new();
        for _ in 0..BOUNDS.open * 3 {
            half.push(connect(running.address, "GET / HTTP/1.1\r\nHost: x\r\n").await);
        }
        let mut whole = connect(running.address, WHOLE).await;
        assert!(rest(&mut whole).await.ends_with("here"), "it waited for a place and got one");
        for socket in &mut half {
            assert_eq!(rest(socket).await, "", "closed without an answer");
        }
    }

    #[tokio::test]
    async fn there_are_never_more_connections_than_places() {
        let (at_work, mut seen) = mpsc::unbounded_channel();
        let gate = CancellationToken::new();
        let wait = gate.clone();
        let handler = move || {
            let (at_work, wait) = (at_work.clone(), wait.clone());
            async move {
                at_work.send(()).expect("heard");
                wait.cancelled().await;
                "here"
            }
        };
        let running = start(Router::new().route("/", get(handler))).await;
        let mut clients = Vec::new();
        for _ in 0..=BOUNDS.open {
            clients.push(connect(running.address, WHOLE).await);
        }
        for _ in 0..BOUNDS.open {
            timeout(PATIENCE, seen.recv()).await.expect("served").expect("served");
        }
        // The last one is connected for the kernel and waits; it would be served at once were it accepted.
        assert!(timeout(BOUNDS.head, seen.recv()).await.is_err(), "one too many is served");
        gate.cancel();
        for client in &mut clients {
            assert!(rest(client).await.ends_with("here"));
        }
    }

    #[tokio::test]
    async fn a_download_may_take_longer_than_a_head() {
        let slow = || async {
            let (piece, pieces) = mpsc::channel::<Result<Bytes, Infallible>>(1);
            let mut sender = Crowd::default();
            sender.add(async move {
                for _ in 0..10 {
                    sleep(BOUNDS.head / 4).await;
                    let _ = piece.send(Ok(Bytes::from_static(b"piece "))).await;
                }
            });
            Body::new(Trickle { pieces, _sender: sender })
        };
        let running = start(Router::new().route("/", get(slow))).await;
        let mut client = connect(running.address, WHOLE).await;
        assert_eq!(rest(&mut client).await.matches("piece ").count(), 10);
    }

    /// A body whose pieces come as they come.
    struct Trickle {
        pieces: mpsc::Receiver<Result<Bytes, Infallible>>,
        _sender: Crowd,
    }

    impl hyper::body::Body for Trickle {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
            self.pieces.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(hyper::body::Frame::data)))
        }
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_does_not_hold_up_the_stop() {
        let large = || async { vec![b'x'; 64 << 20] };
        let mut running = start(Router::new().route("/", get(large))).await;
        let mut client = connect(running.address, WHOLE).await;
        let mut first = [0; 1];
        client.read_exact(&mut first).await.expect("the answer is under way");
        running.stop.cancel();
        assert!(timeout(BOUNDS.last_words * 3, running.ended.recv()).await.is_err(), "the engine may need it still");
        running.engine_over.cancel();
        timeout(PATIENCE, running.ended.recv()).await.expect("it ends").expect("in order");
    }

    #[tokio::test]
    async fn an_answer_under_way_is_finished_at_a_stop() {
        let (at_work, mut seen) = mpsc::unbounded_channel();
        let gate = CancellationToken::new();
        let wait = gate.clone();
        let handler = move || {
            let (at_work, wait) = (at_work.clone(), wait.clone());
            async move {
                at_work.send(()).expect("heard");
                wait.cancelled().await;
                "here"
            }
        };
        let mut running = start(Router::new().route("/", get(handler))).await;
        let mut client = connect(running.address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        timeout(PATIENCE, seen.recv()).await.expect("served").expect("served");
        running.stop.cancel();
        gate.cancel();
        assert!(rest(&mut client).await.ends_with("here"));
        timeout(PATIENCE, running.ended.recv()).await.expect("it ends").expect("although the engine runs on");
    }

    async fn unread(router: Router, bounds: Bounds) -> usize {
        let running = start_with(router, bounds).await;
        let mut client = connect(running.address, WHOLE).await;
        let mut first = [0; 1];
        client.read_exact(&mut first).await.expect("the answer is under way");
        // It takes no more until the other side has had enough of that.
        sleep(LOOK_EVERY * 3).await;
        let mut all = Vec::new();
        let _ = timeout(PATIENCE, client.read_to_end(&mut all)).await.expect("it ends");
        all.len()
    }

    const LARGE: usize = 64 << 20;

    #[tokio::test]
    async fn an_answer_has_its_time_and_a_file_has_a_rate() {
        let answer = || async { vec![b'x'; LARGE] };
        let file = || async { (axum::Extension(Download), vec![b'x'; LARGE]) };
        let [answer, file] = [Router::new().route("/", get(answer)), Router::new().route("/", get(file))];
        let short = Bounds { answer: Duration::from_millis(300), ..BOUNDS };
        assert!(unread(answer.clone(), short).await < LARGE, "its time was over");
        assert!(unread(answer, BOUNDS).await > LARGE, "there is time");
        assert!(unread(file.clone(), short).await > LARGE, "a file has another bound");
        let fast = Bounds { rate: 1 << 40, window: Duration::from_millis(300), ..BOUNDS };
        assert!(unread(file, fast).await < LARGE, "it was taken too slowly");
    }

    #[tokio::test]
    async fn whoever_is_known_and_whoever_asks_for_health_finds_a_seat_when_strangers_have_all_others() {
        let (at_work, mut seen) = mpsc::unbounded_channel();
        let gate = CancellationToken::new();
        let wait = gate.clone();
        let slow = move || {
            let (at_work, wait) = (at_work.clone(), wait.clone());
            async move {
                at_work.send(()).expect("heard");
                wait.cancelled().await;
                "slow"
            }
        };
        let router = Router::new().route("/slow", get(slow)).route("/", get(|| async { "here" }));
        let router = router.route("/healthz", get(|| async { "alive" }));
        let running = start_with(router, Bounds { open: 16, seats: 2, ..BOUNDS }).await;
        let mut strangers = Vec::new();
        for _ in 0..2 {
            strangers.push(connect(running.address, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await);
            timeout(PATIENCE, seen.recv()).await.expect("served").expect("served");
        }
        let ask = async |head: &str| rest(&mut connect(running.address, head).await).await;
        assert!(ask(WHOLE).await.starts_with("HTTP/1.1 503"), "a third stranger is sent away in the end");
        let known = WHOLE.replace("Host", "Authorization: Bearer x\r\nHost");
        for _ in 0..3 {
            assert!(ask(&known).await.ends_with("here"));
            assert!(ask(&WHOLE.replace("/ ", "/healthz ")).await.ends_with("alive"));
        }
        gate.cancel();
        for _ in 0..3 {
            assert!(ask(WHOLE).await.ends_with("here"), "seats come back with the end of the answer");
        }
    }

    #[tokio::test]
    async fn whoever_only_waits_makes_room_when_all_places_are_taken() {
        let patient = Bounds { head: PATIENCE * 10, ..BOUNDS };
        let running = start_with(Router::new().route("/", get(|| async { "here" })), patient).await;
        let mut waiting = Vec::new();
        for n in 0..BOUNDS.open * 3 {
            // Half of them have said something.
            waiting.push(connect(running.address, if n % 2 == 0 { "GET / HT" } else { "" }).await);
        }
        assert!(rest(&mut connect(running.address, WHOLE).await).await.ends_with("here"));
    }

    #[test]
    fn one_address_has_no_more_than_its_share_when_half_of_the_places_are_taken() {
        let house = Arc::new(House::new(Bounds { open: 8, each: 3, ..BOUNDS }, token()));
        let mut inside = Vec::new();
        let mut enter = |n: u64, address: &str| {
            let entered = house.enter(n, address.parse().expect("an address"));
            entered.map(|(_, entered)| inside.push(entered)).is_some()
        };
        let of_one: Vec<bool> = (0..6).map(|n| enter(n, "192.0.2.1")).collect();
        assert_eq!(of_one, [true, true, true, true, false, false]);
        assert!(enter(10, "192.0.2.2"), "others come in");
        assert!((20..29).all(|n| enter(n, "127.0.0.1")), "a proxy on this machine speaks for many");
        inside.clear();
        assert!(house.enter(30, "192.0.2.1".parse().expect("an address")).is_some());
    }

    #[test]
    fn connections_leave_most_descriptors_to_the_work() {
        let all = [Some(1024), Some(16384), Some(2), None].map(Bounds::for_descriptors);
        assert_eq!(all.map(|bounds| bounds.open), [256, 1024, 1, 1024]);
        assert_eq!(all.map(|bounds| (bounds.seats, bounds.kept)), [(208, 16), (832, 64), (1, 1), (832, 64)]);
    }
}
