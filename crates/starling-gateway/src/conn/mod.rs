//! One socket: writing from any task, and one small future that reads it and drains what waits for it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`cork`] | several answers by one write |
//! | [`outbox`] | what waits after the kernel said "not now": bounded, with three classes |
//! | [`task`] | the connection's future: reading, draining, pings, closing |

mod cork;
pub(crate) mod outbox;
pub(crate) mod task;

use std::{
    io::{self, IoSlice},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use serde::Serialize;
use starling_core::Refusal;
use starling_protocol::{CloseCode, Codec, CommandId, ErrorBody, codec::Envelope};
use tokio::{net::TcpStream, time::Instant};

pub(crate) use self::cork::Cork;
use self::outbox::{Bounds, Outbox};
use crate::metrics::Metrics;

/// What a frame is worth when the socket does not drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Typing, presence, signals: shed first.
    Ephemeral,
    /// Room events: left to the log when the outbox fills; the socket catches up from there.
    Durable,
    /// Replies and control frames: when even these do not fit, the socket is closed.
    Reply,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Given to the kernel or queued; or the socket is gone, and nobody waits for it.
    Taken,
    /// Left out.
    Shed,
    /// Not taken: a durable frame to be read from the log later.
    Full,
}

/// What takes a connection's bytes without waiting for the peer: a socket of the kernel.
pub(crate) trait Socket: Send + Sync + 'static {
    /// Takes as many bytes as there is room for; `WouldBlock` where there is none.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;
    /// The same for several pieces.
    fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize>;
}

impl Socket for TcpStream {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(bytes)
    }

    fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(pieces)
    }
}

/// The handle by which every task writes to a socket.
pub(crate) struct Conn<K = TcpStream> {
    /// Unique on this node.
    pub(crate) key: u64,
    pub(crate) codec: Codec,
    stream: K,
    out: Mutex<Outbox>,
    /// Wakes the connection's future: something waits to be drained, or the socket shall close.
    waker: AtomicWaker,
    /// Close code; 0 while open.
    closing: AtomicU16,
    bounds: Bounds,
    metrics: Arc<Metrics>,
}

impl<K: Socket> Conn<K> {
    pub(crate) fn new(key: u64, codec: Codec, stream: K, bounds: Bounds, metrics: Arc<Metrics>) -> Self {
        Self {
            key,
            codec,
            stream,
            out: Mutex::default(),
            waker: AtomicWaker::new(),
            closing: AtomicU16::new(0),
            bounds,
            metrics,
        }
    }

    /// Writes a frame, or as much of it as the kernel takes; the rest waits in the outbox.
    pub(crate) fn send(&self, frame: &Bytes, class: Class) -> Sent {
        let mut out = self.out.lock();
        let sent = if self.is_taken_whole(&mut out, frame) {
            Sent::Taken
        } else {
            self.queue(&mut out, frame, class)
        };
        drop(out);
        if sent == Sent::Full && class == Class::Reply {
            self.close(CloseCode::SlowConsumer);
        }
        sent
    }

    /// Writes several frames that belong together: `whole` is their concatenation, for the common case that nothing
    /// waits. `Err(n)`: the n-th part, a durable one, and those behind it were not taken.
    pub(crate) fn send_batch<'a>(
        &self,
        whole: &Bytes,
        parts: impl Iterator<Item = (&'a Bytes, Class)>,
    ) -> Result<(), usize> {
        let mut out = self.out.lock();
        if self.is_taken_whole(&mut out, whole) {
            return Ok(());
        }
        for (n, (frame, class)) in parts.enumerate() {
            if self.queue(&mut out, frame, class) == Sent::Full {
                return Err(n);
            }
        }
        Ok(())
    }

    /// Bytes that one write of many frames has at most.
    pub(crate) fn write_bytes(&self) -> usize {
        self.bounds.write()
    }

    /// Nothing waits.
    pub(crate) fn is_clear(&self) -> bool {
        self.out.lock().is_empty()
    }

    /// Nothing waits for the kernel: what is sent now goes out, and nobody will be told that the socket has drained.
    pub(crate) fn is_drained(&self) -> bool {
        let out = self.out.lock();
        out.is_empty() || out.is_held()
    }

    /// Since when something waits without a break.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        self.out.lock().since()
    }

    /// Answers a command; without an id there is nobody to answer.
    pub(crate) fn reply<T: Serialize>(&self, id: Option<&CommandId>, data: &T) {
        if let Some(id) = id {
            self.send_envelope(&Envelope::ok(id, data), Class::Reply);
        }
    }

    /// Answers with an error, with or without an id.
    pub(crate) fn refuse(&self, id: Option<&CommandId>, refusal: &Refusal) {
        self.metrics.refused(refusal);
        self.send_envelope(
            &Envelope {
                kind: "error",
                id,
                data: ErrorBody::from(refusal),
            },
            Class::Reply,
        );
    }

    /// Sends something that only this socket gets.
    pub(crate) fn send_event<T: Serialize>(&self, kind: &str, data: &T, class: Class) {
        self.send_envelope(&Envelope::event(kind, data), class);
    }

    pub(crate) fn send_envelope<T: Serialize>(&self, envelope: &Envelope<'_, T>, class: Class) {
        match self.codec.frame(envelope) {
            Ok(frame) => {
                if self.send(&frame, class) == Sent::Shed {
                    self.metrics.shed.inc();
                }
            }
            Err(error) => {
                // A reply that cannot be encoded would leave the client waiting for ever.
                tracing::error!(%error, kind = envelope.kind, "cannot encode an envelope; closing the connection");
                self.close(CloseCode::Internal);
            }
        }
    }

    /// Asks for the socket to be closed; the first code given stands.
    pub(crate) fn close(&self, code: CloseCode) {
        if self
            .closing
            .compare_exchange(0, code.code(), Relaxed, Relaxed)
            .is_ok()
        {
            self.waker.wake();
        }
    }

    /// The code by which the socket shall close.
    pub(crate) fn closing(&self) -> Option<u16> {
        Some(self.closing.load(Relaxed)).filter(|code| *code != 0)
    }

    /// Writes bytes or holds them, unless the socket does not drain.
    fn is_taken_whole(&self, out: &mut Outbox, bytes: &Bytes) -> bool {
        if out.holds(bytes.len()) {
            out.hold(bytes.clone(), &self.metrics);
            return true;
        }
        if out.is_held() {
            self.flush(out);
        }
        let is_clear = out.is_empty();
        if is_clear {
            self.write_through(out, bytes);
        }
        is_clear
    }

    fn write_through(&self, out: &mut Outbox, frame: &Bytes) {
        if out.is_ended() {
            return;
        }
        match self.stream.try_write(frame) {
            Ok(written) if written == frame.len() => {}
            Ok(written) => {
                out.push(frame.slice(written..), written > 0, &self.metrics);
                self.waker.wake();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                out.push(frame.clone(), false, &self.metrics);
                self.waker.wake();
            }
            Err(_) => {
                // The reading side learns the reason; nothing can be written any more.
                out.end(&self.metrics);
                self.waker.wake();
            }
        }
    }

    fn queue(&self, out: &mut Outbox, frame: &Bytes, class: Class) -> Sent {
        if out.is_ended() {
            return Sent::Taken;
        }
        if out.has_room(frame.len(), class, &self.bounds) {
            out.push(frame.clone(), false, &self.metrics);
            return Sent::Taken;
        }
        match class {
            Class::Ephemeral => {
                self.metrics.shed.inc();
                Sent::Shed
            }
            Class::Durable | Class::Reply => Sent::Full,
        }
    }

    /// Writes what waits, as much as is taken now; `true` when nothing is left.
    pub(crate) fn drain(&self) -> bool {
        self.write_waiting(&mut self.out.lock())
    }

    fn write_waiting(&self, out: &mut Outbox) -> bool {
        match out.write_to(&self.stream, &self.metrics) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => out.end(&self.metrics),
        }
        out.is_empty()
    }

    /// Writes what was held; what is left waits for the kernel.
    fn flush(&self, out: &mut Outbox) {
        if !self.write_waiting(out) || out.is_ended() {
            self.waker.wake();
        }
    }

    /// The socket is gone: nothing waits for it any more.
    pub(crate) fn end(&self) {
        self.out.lock().end(&self.metrics);
    }

    /// The last frame: after it nothing is taken. A slow consumer's queue is dropped but for the frame that is half
    /// written, so that the stream stays readable up to the close frame.
    fn finish_with(&self, close_frame: Bytes, drop_queue: bool) {
        let mut out = self.out.lock();
        if drop_queue {
            out.drop_unstarted(&self.metrics);
        }
        if out.is_empty() {
            self.write_through(&mut out, &close_frame);
        } else if !out.is_ended() {
            out.push(close_frame, false, &self.metrics);
        }
        out.refuse_more();
    }
}

impl Conn {
    /// Writes what waits. `Ready(true)` when the last of it went out just now, `Ready(false)` when nothing waited.
    fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.is_clear() {
            return Poll::Ready(false);
        }
        loop {
            match self.stream.poll_write_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => {
                    self.out.lock().end(&self.metrics);
                    return Poll::Ready(true);
                }
                Poll::Ready(Ok(())) => {}
            }
            if self.drain() {
                return Poll::Ready(true);
            }
        }
    }
}
