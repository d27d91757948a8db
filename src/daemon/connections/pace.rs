//! How fast a client receives its response, and when it has all of it.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::Bounds;
use super::slots::{Connection, unpoisoned};
use crate::link::clock::Clock;

/// What kind of response it is, which decides how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Health,
    Download,
}

/// How fast a client receives the present response.
#[derive(Debug, Default)]
pub(super) struct Pace {
    clock: Clock,
    written: AtomicU64,
    /// The kernel accepts no more for now: the client is slower than the response.
    is_blocked: AtomicBool,
    /// The last byte of the response has been written.
    pub(super) is_last: AtomicBool,
    pub(super) answer: Mutex<Option<(Instant, Kind)>>,
    pub(super) slot: Mutex<Option<OwnedSemaphorePermit>>,
}

/// How much had been written at a certain time.
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) written: u64,
}

impl Pace {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }

    pub(super) fn is_too_slow(&self, last: &mut Sample, bounds: Bounds) -> bool {
        let written = self.written.load(Ordering::Relaxed);
        let Some((began, kind)) = *unpoisoned(&self.answer) else { return false };
        let is_blocked = self.is_blocked.load(Ordering::Relaxed);
        match kind {
            _ if !is_blocked => {
                *last = Sample { at: self.clock.monotonic(), written };
                false
            }
            Kind::Whole => self.clock.since(began) > bounds.answer,
            Kind::Health => self.clock.since(began) > bounds.answer / 10,
            Kind::Download => {
                let (since, taken) = (self.clock.since(last.at), written.saturating_sub(last.written));
                if since < bounds.window {
                    return false;
                }
                *last = Sample { at: self.clock.monotonic(), written };
                taken < bounds.rate.saturating_mul(since.as_secs().max(1))
            }
        }
    }

    /// Called when the kernel has all that was written: if that is the whole response, its slot is free.
    fn flushed(&self, connection: &Connection) {
        if self.is_last.swap(false, Ordering::Relaxed) {
            *unpoisoned(&self.answer) = None;
            *unpoisoned(&self.slot) = None;
            connection.wait();
        }
    }
}

/// The body of a response; hyper drops it after its last byte.
pub(super) struct TrackedBody {
    pub(super) body: Body,
    pub(super) _at_end: AtEnd,
}

/// Notes, when dropped, that the response is complete.
pub(super) struct AtEnd(pub(super) Arc<Pace>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        self.0.is_last.store(true, Ordering::Relaxed);
    }
}

impl hyper::body::Body for TrackedBody {
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

/// A socket that notes how fast the client receives what is written.
pub(super) struct TrackedSocket {
    pub(super) io: TokioIo<TcpStream>,
    pub(super) pace: Arc<Pace>,
    pub(super) connection: Arc<Connection>,
}

impl TrackedSocket {
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

impl Read for TrackedSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl Write for TrackedSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.note(&written);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.pace.flushed(&self.connection);
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
