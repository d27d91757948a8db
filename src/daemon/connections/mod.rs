//! The connections of the web server: limited in number, and in how long each may do nothing.
//!
//! Every connection costs a descriptor, and taking packages in needs descriptors too. So there are never more than
//! [`Bounds::open`] connections. To keep anybody from holding one without using it, or from shutting others out:
//!
//! - A connection is closed when no request arrives in full within [`Bounds::head`]; this includes connections kept
//!   alive for another request. Clients expect that and reconnect. When all connections are in use, the one that has
//!   been idle longest is closed.
//! - A request holds a slot until its response is sent. Anonymous requests share [`Bounds::slots`] of them and wait for
//!   one for up to [`Bounds::head`]. Requests with a known token, webhooks and health checks have [`Bounds::reserved`]
//!   more each, so they always find one.
//! - Once half of the connections are in use, one address may have at most [`Bounds::each`] of them. This machine is
//!   exempt: behind a proxy on it, every request comes from there.
//! - The routes limit the time and the memory for the body of a request.
//! - A client must receive a response within [`Bounds::answer`]. A file may take hours, as long as the client receives
//!   [`Bounds::rate`] bytes a second; it can request the rest with a range. The kernel drops a client that accepts
//!   nothing at all for [`Bounds::stalled`].
//!
//! When the daemon stops, no new connection is accepted, and each one ends with the response in progress. That may take
//! as long as the engine takes to stop, since responses may wait for it, and [`Bounds::last_words`] more. Then all are
//! closed: a slow download must not delay the stop.
//!
//! This uses hyper directly because `axum::serve` has none of these limits.

/// Who gets a connection, and whose request is served next.
mod slots;
/// How fast a client receives its response.
mod pace;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::supervise::TaskGroup;
use crate::link::clock::Clock;
use crate::web::peer::Client;
use crate::web::problem::Problem;
use crate::web::trees::Download;

use pace::{AtEnd, Kind, Pace, Sample, TrackedBody, TrackedSocket};
use slots::{Class, Connection, Connections, Registered, unpoisoned};

/// Most connections, whatever the descriptor limit.
const OPEN_MAX: usize = 1024;

/// The pause after an `accept` that failed for lack of resources.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How often the log repeats that connections are used up.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// How soon idle connections are looked for again while all are in use.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// How often the speed of a client is checked.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Bytes read or written at once, and so the longest head of a request.
const BUFFER: usize = 64 * 1024;

/// The limits on connections, requests and responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most connections at a time.
    pub open: usize,
    /// Most anonymous requests at a time.
    pub slots: usize,
    /// Most further requests each with a known token, to webhooks, and for health.
    pub reserved: usize,
    /// Most connections from one address once half of all are in use.
    pub each: usize,
    /// How long the head of a request may take, counting the wait for it, and how long a request waits for a slot.
    pub head: Duration,
    /// How long a client may take to receive a response that is not a file.
    pub answer: Duration,
    /// Bytes of a file that a client must receive per second, averaged over [`Bounds::window`].
    pub rate: u64,
    /// The time over which that rate is measured.
    pub window: Duration,
    /// How long a client may accept nothing.
    pub stalled: Duration,
    /// How long responses may take after the engine has stopped.
    pub last_words: Duration,
}

impl Bounds {
    /// The limits for this process.
    pub fn of_this_process() -> Self {
        Self::for_descriptors(getrlimit(Resource::Nofile).current)
    }

    /// A quarter of the descriptors for connections: a download needs a second one for its file, and half
    /// remain for everything else.
    fn for_descriptors(limit: Option<u64>) -> Self {
        let quarter = limit.map_or(OPEN_MAX, |limit| usize::try_from(limit / 4).unwrap_or(OPEN_MAX));
        let open = quarter.clamp(1, OPEN_MAX);
        let reserved = (open / 16).max(1);
        Self {
            open,
            slots: open.saturating_sub(3 * reserved).max(1),
            reserved,
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

/// Whether the headers of a request carry a known token.
pub type Known = Arc<dyn Fn(&HeaderMap) -> bool + Send + Sync>;

/// Serves until `stop`, and then until the responses in progress are sent, or until [`Bounds::last_words`] after
/// `engine_over`. `known` says whose requests have slots of their own.
///
/// # Errors
/// Never; the type is that of a task.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    known: Known,
    clock: Clock,
    stop: CancellationToken,
    engine_over: CancellationToken,
) -> Result<(), Infallible> {
    let mut open = TaskGroup::default();
    let all = Arc::new(Connections::new(bounds, known, clock));
    let mut numbers = 0_u64..;
    let mut full_logged: Option<Instant> = None;
    let mut address_logged: Option<Instant> = None;
    while !stop.is_cancelled() {
        let full = open.len() >= bounds.open;
        if full && full_logged.is_none_or(|at| clock.since(at) > LOG_EVERY) {
            tracing::warn!(connections = open.len(), "all connections are in use; closing those that only wait");
            full_logged = Some(clock.monotonic());
        }
        if full {
            all.make_room();
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = open.one_ends() => {}
            () = sleep(RETRY_AFTER), if full => {}
            accepted = listener.accept(), if !full => match accepted {
                Ok((socket, address)) => {
                    let number = numbers.next().unwrap_or_default();
                    if let Some((connection, registered)) = all.enter(number, address.ip()) {
                        open.add(drive(socket, router.clone(), connection, registered, stop.clone()));
                    } else if address_logged.is_none_or(|at| clock.since(at) > LOG_EVERY) {
                        let (peer, most) = (address.ip(), bounds.each);
                        tracing::warn!(%peer, most, "one address has too many connections; closing some");
                        address_logged = Some(clock.monotonic());
                    }
                }
                Err(error) if ended_before_accept(&error) => {}
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

/// Whether the connection ended before it was accepted.
fn ended_before_accept(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Sets the socket options of a connection. Where the kernel refuses, responses are slower, nothing else.
fn tune(socket: &TcpStream, bounds: Bounds) {
    let stalled = u32::try_from(bounds.stalled.as_millis()).unwrap_or(u32::MAX);
    // Without it, a stalled client holds its connection longer.
    let _ = rustix::net::sockopt::set_tcp_user_timeout(socket, stalled);
    // The head of a response and a file's bytes are separate writes. Without this, the second waits until the client
    // has acknowledged the first, which takes clients 40 ms.
    let _ = socket.set_nodelay(true);
}

/// Runs one connection from its first request to its end.
async fn drive(
    socket: TcpStream,
    router: Router,
    connection: Arc<Connection>,
    registered: Registered,
    stop: CancellationToken,
) {
    let all = Arc::clone(&registered.all);
    let (bounds, clock) = (all.bounds, all.clock);
    tune(&socket, bounds);
    let pace = Arc::new(Pace::new(clock));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(bounds.head).max_buf_size(BUFFER);
    let io = TrackedSocket { io: TokioIo::new(socket), pace: Arc::clone(&pace), connection: Arc::clone(&connection) };
    let service = Limited { all, connection: Arc::clone(&connection), pace: Arc::clone(&pace), router };
    let mut http = pin!(builder.serve_connection(io, service));
    let mut samples = interval(SAMPLE_EVERY.min(bounds.answer));
    samples.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sample = Sample { at: clock.monotonic(), written: 0 };
    let ended = loop {
        tokio::select! {
            ended = http.as_mut() => break ended,
            () = stop.cancelled() => {
                http.as_mut().graceful_shutdown();
                break http.await;
            }
            () = connection.close.cancelled(), if connection.idle_for().is_some() => {
                // A request that waits for a slot is answered first.
                http.as_mut().graceful_shutdown();
                let _ = timeout(RETRY_AFTER, http).await;
                return;
            }
            _ = samples.tick() => if pace.is_too_slow(&mut sample, bounds) {
                tracing::debug!(peer = %connection.peer, "a client received its response too slowly");
                return;
            },
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection failed");
    }
    drop(registered);
}

/// Serves the requests of one connection, each in a slot.
struct Limited {
    all: Arc<Connections>,
    connection: Arc<Connection>,
    pace: Arc<Pace>,
    router: Router,
}

impl Service<Request<Incoming>> for Limited {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let (all, connection, pace) = (Arc::clone(&self.all), Arc::clone(&self.connection), Arc::clone(&self.pace));
        let service = TowerToHyperService::new(self.router.clone());
        Box::pin(async move {
            let class = all.class(&request);
            let Some(slot) = all.slot(class, &connection).await else { return Ok(busy()) };
            connection.serve();
            pace.is_last.store(false, Ordering::Relaxed);
            *unpoisoned(&pace.answer) = None;
            *unpoisoned(&pace.slot) = Some(slot);
            let client = Client::of(connection.peer, request.headers());
            request.extensions_mut().insert(client);
            let response = service.call(request).await?;
            let kind = match class {
                Class::Health => Kind::Health,
                _ if response.extensions().get::<Download>().is_some() => Kind::Download,
                _ => Kind::Whole,
            };
            *unpoisoned(&pace.answer) = Some((all.clock.monotonic(), kind));
            Ok(response.map(|body| Body::new(TrackedBody { body, _at_end: AtEnd(pace) })))
        })
    }
}

fn busy() -> Response {
    let why = "all connections are in use; try again in a moment";
    let mut response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Not now", why).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::Bytes;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;

    /// Long enough for a busy machine; what is tested ends by itself long before.
    const PATIENCE: Duration = Duration::from_secs(20);

    pub(super) const BOUNDS: Bounds = Bounds {
        open: 4,
        slots: 4,
        reserved: 1,
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
    pub(super) fn token() -> Known {
        Arc::new(|headers| headers.contains_key(header::AUTHORIZATION))
    }

    struct Running {
        address: SocketAddr,
        stop: CancellationToken,
        engine_over: CancellationToken,
        _server: TaskGroup,
        ended: mpsc::Receiver<()>,
    }

    async fn start(router: Router) -> Running {
        start_with(router, BOUNDS).await
    }

    async fn start_with(router: Router, bounds: Bounds) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, engine_over) = (CancellationToken::new(), CancellationToken::new());
        let serving = serve(listener, router, bounds, token(), Clock::System, stop.clone(), engine_over.clone());
        let (end, ended) = mpsc::channel(1);
        let mut server = TaskGroup::default();
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
            let mut sender = TaskGroup::default();
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
        _sender: TaskGroup,
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
        sleep(SAMPLE_EVERY * 3).await;
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
        let running = start_with(router, Bounds { open: 16, slots: 2, ..BOUNDS }).await;
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
            assert!(ask(WHOLE).await.ends_with("here"), "slots come back with the end of the answer");
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
    fn connections_leave_most_descriptors_to_the_work() {
        let all = [Some(1024), Some(16384), Some(2), None].map(Bounds::for_descriptors);
        assert_eq!(all.map(|bounds| bounds.open), [256, 1024, 1, 1024]);
        assert_eq!(all.map(|bounds| (bounds.slots, bounds.reserved)), [(208, 16), (832, 64), (1, 1), (832, 64)]);
    }
}
