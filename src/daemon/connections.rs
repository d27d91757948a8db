//! The connections of the web server: bounded in number and in patience.
//!
//! Every connection costs a descriptor, and the same descriptors are needed to take packages in. So
//! there are never more than [`Bounds::open`] connections; those beyond wait in the kernel's queue until
//! one ends. That nobody holds a place for ever without using it:
//!
//! - A connection on which no request is complete within [`Bounds::head`] is closed, also when it is an
//!   old one that waits for its next request. Clients are used to that and connect again.
//! - The body of a request has the time that the routes give to the whole request.
//! - An answer may take hours, as large downloads do, as long as the client takes bytes. One that takes
//!   none for [`Bounds::stalled`] is cut off by the kernel; it can ask for the rest with a range.
//!
//! At a stop nothing new is accepted, and connections end with the answer that is under way. That may
//! take as long as the engine takes to end, since answers may wait for it, and [`Bounds::last_words`]
//! more. Then all are closed: whoever downloads slowly must not hold up the stop.
//!
//! This is hyper itself and not `axum::serve`, which has none of these bounds.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::supervise::Crowd;

/// Most connections, whatever the limit of descriptors is.
const OPEN_MAX: usize = 1024;

/// The pause after an `accept` that failed for want of something that may come back.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How often the log is told that all places are taken.
const SAY_FULL_EVERY: Duration = Duration::from_mins(1);

/// How many connections there may be, and how long each may do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Most connections at a time.
    pub open: usize,
    /// How long the head of a request may take, with the wait for it.
    pub head: Duration,
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
        Self {
            open: quarter.clamp(1, OPEN_MAX),
            head: Duration::from_secs(10),
            stalled: Duration::from_mins(2),
            last_words: Duration::from_secs(3),
        }
    }
}

/// Serves until `stop`, and then until the answers that are under way are out, or until
/// [`Bounds::last_words`] after `engine_over`.
///
/// # Errors
/// Never; the type is that of a task.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    stop: CancellationToken,
    engine_over: CancellationToken,
) -> Result<(), Infallible> {
    let mut open = Crowd::default();
    let mut said_full: Option<Instant> = None;
    while !stop.is_cancelled() {
        let full = open.len() >= bounds.open;
        if full && said_full.is_none_or(|at| at.elapsed() > SAY_FULL_EVERY) {
            tracing::warn!(connections = open.len(), "all places are taken; new connections wait");
            said_full = Some(Instant::now());
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = open.one_ends() => {}
            accepted = listener.accept(), if !full => match accepted {
                Ok((socket, _)) => open.add(converse(socket, router.clone(), bounds, stop.clone())),
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
        tracing::info!(connections = open.len(), "closed before their answers were out");
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
async fn converse(socket: TcpStream, router: Router, bounds: Bounds, stop: CancellationToken) {
    tune(&socket, bounds);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(bounds.head);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(socket), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection broke off");
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

    struct Running {
        address: SocketAddr,
        stop: CancellationToken,
        engine_over: CancellationToken,
        _server: Crowd,
        ended: mpsc::Receiver<()>,
    }

    async fn start(router: Router) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, engine_over) = (CancellationToken::new(), CancellationToken::new());
        let serving = serve(listener, router, BOUNDS, stop.clone(), engine_over.clone());
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

    #[test]
    fn connections_leave_most_descriptors_to_the_work() {
        let open = [Some(1024), Some(16384), Some(2), None].map(|limit| Bounds::for_descriptors(limit).open);
        assert_eq!(open, [256, 1024, 1, 1024]);
    }
}
