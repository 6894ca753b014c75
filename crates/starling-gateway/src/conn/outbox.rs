//! What waits for one socket. Empty, it is a pointer and two flags: memory is taken by sockets that do not drain only.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    sync::atomic::Ordering::Relaxed,
};

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use super::{Class, Socket};
use crate::{config::ConnectionLimits, metrics::Metrics};

/// How much may wait. A quarter of it for ephemeral frames, half for durable ones, all of it for replies: so a socket
/// that fills its outbox loses typing first, then falls back to the log, and is closed only when replies do not fit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) bytes: usize,
    pub(crate) frames: usize,
}

impl Bounds {
    pub(crate) fn of(limits: &ConnectionLimits) -> Self {
        Self {
            bytes: limits.outbox_bytes,
            frames: limits.outbox_frames,
        }
    }

    /// Bytes of one write at most: what the kernel does not take of it waits, and leaves room for replies.
    pub(crate) fn write(&self) -> usize {
        self.bytes / 2
    }
}

/// The queue of one socket, after the kernel's buffer is full.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Option<Box<Waiting>>,
    /// The socket is gone, or its close frame is on its way: nothing more is taken.
    ended: bool,
    /// Who is about to send more: see [`Cork`](super::Cork).
    corks: u8,
}

struct Waiting {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    since: Instant,
    /// The first chunk is partly with the kernel: it must be finished before anything else.
    started: bool,
    /// It waits for the frames behind it, and not for the kernel.
    held: bool,
}

/// One vectored write takes so many chunks; more gains nothing with chunks of this size.
const CHUNKS_A_WRITE: usize = 16;
/// Bytes that are held back for the frames behind them at most: answers are small, and what is large gains nothing.
const HELD_BYTES: usize = 16 << 10;

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether a chunk is to wait for the frames behind it.
    pub(crate) fn holds(&self, len: usize) -> bool {
        self.corks > 0
            && match &self.waiting {
                None => len <= HELD_BYTES,
                Some(waiting) => {
                    waiting.held && waiting.bytes + len <= HELD_BYTES && waiting.chunks.len() < CHUNKS_A_WRITE
                }
            }
    }

    /// What waits could go out at once: it was held back.
    pub(crate) fn is_held(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.held)
    }

    pub(crate) fn cork(&mut self) {
        self.corks += 1;
    }

    /// Whether this was the last cork.
    pub(crate) fn uncork(&mut self) -> bool {
        self.corks -= 1;
        self.corks == 0
    }

    pub(crate) fn since(&self) -> Option<Instant> {
        self.waiting.as_ref().map(|waiting| waiting.since)
    }

    pub(crate) fn has_room(&self, len: usize, class: Class, bounds: &Bounds) -> bool {
        let Some(waiting) = &self.waiting else { return true };
        let share = match class {
            Class::Ephemeral => 4,
            Class::Durable => 2,
            Class::Reply => 1,
        };
        waiting.bytes + len <= bounds.bytes / share && waiting.chunks.len() < bounds.frames / share
    }

    /// Takes what the kernel did not; `started`: it took a part of it.
    pub(crate) fn push(&mut self, chunk: Bytes, started: bool, metrics: &Metrics) {
        self.put(chunk, started, false, metrics);
    }

    /// Takes what is to wait for the frames behind it.
    pub(crate) fn hold(&mut self, chunk: Bytes, metrics: &Metrics) {
        self.put(chunk, false, true, metrics);
    }

    fn put(&mut self, chunk: Bytes, started: bool, held: bool, metrics: &Metrics) {
        if self.ended {
            return;
        }
        metrics.outbox_bytes.fetch_add(chunk.len() as u64, Relaxed);
        let waiting = self.waiting.get_or_insert_with(|| {
            Box::new(Waiting {
                chunks: VecDeque::new(),
                bytes: 0,
                since: Instant::now(),
                started,
                held,
            })
        });
        waiting.bytes += chunk.len();
        waiting.chunks.push_back(chunk);
    }

    /// One write; what the kernel took is forgotten, and the memory freed with the last of it.
    pub(crate) fn write_to(&mut self, stream: &impl Socket, metrics: &Metrics) -> io::Result<()> {
        let Some(waiting) = &mut self.waiting else {
            return Ok(());
        };
        waiting.held = false;
        let mut slices = [IoSlice::new(&[]); CHUNKS_A_WRITE];
        let count = waiting.chunks.len().min(CHUNKS_A_WRITE);
        for (slice, chunk) in slices.iter_mut().zip(&waiting.chunks) {
            *slice = IoSlice::new(chunk);
        }
        let mut written = stream.try_write_vectored(&slices[..count])?;
        metrics.outbox_bytes.fetch_sub(written as u64, Relaxed);
        waiting.bytes -= written;
        while let Some(first) = waiting.chunks.front_mut() {
            if written < first.len() {
                first.advance(written);
                waiting.started |= written > 0;
                break;
            }
            written -= first.len();
            waiting.chunks.pop_front();
            waiting.started = false;
        }
        if waiting.chunks.is_empty() {
            self.waiting = None;
        }
        Ok(())
    }

    /// Forgets everything but a chunk that is half written.
    pub(crate) fn drop_unstarted(&mut self, metrics: &Metrics) {
        let Some(waiting) = &mut self.waiting else { return };
        let keep = usize::from(waiting.started);
        let dropped: usize = waiting.chunks.iter().skip(keep).map(Bytes::len).sum();
        waiting.chunks.truncate(keep);
        waiting.bytes -= dropped;
        metrics.outbox_bytes.fetch_sub(dropped as u64, Relaxed);
        if waiting.chunks.is_empty() {
            self.waiting = None;
        }
    }

    /// What waits still goes out; nothing more is taken.
    pub(crate) fn refuse_more(&mut self) {
        self.ended = true;
    }

    /// The socket is gone.
    pub(crate) fn end(&mut self, metrics: &Metrics) {
        self.ended = true;
        if let Some(waiting) = self.waiting.take() {
            metrics.outbox_bytes.fetch_sub(waiting.bytes as u64, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncReadExt,
        net::{TcpListener, TcpSocket},
    };

    use super::*;

    const BOUNDS: Bounds = Bounds {
        bytes: 4000,
        frames: 100,
    };

    fn chunk(len: usize) -> Bytes {
        vec![7; len].into()
    }

    #[test]
    fn classes_share_the_bound() {
        let metrics = Metrics::default();
        let mut out = Outbox::default();
        assert!(
            out.has_room(9000, Class::Ephemeral, &BOUNDS),
            "the first chunk always fits"
        );
        out.push(chunk(900), false, &metrics);
        assert!(out.has_room(100, Class::Ephemeral, &BOUNDS));
        assert!(!out.has_room(101, Class::Ephemeral, &BOUNDS));
        assert!(out.has_room(1100, Class::Durable, &BOUNDS));
        assert!(!out.has_room(1101, Class::Durable, &BOUNDS));
        assert!(out.has_room(3100, Class::Reply, &BOUNDS));
        assert!(!out.has_room(3101, Class::Reply, &BOUNDS));
        let few = Bounds {
            bytes: 4000,
            frames: 1,
        };
        assert!(!out.has_room(1, Class::Reply, &few));
    }

    #[test]
    fn dropping_keeps_a_half_written_chunk() {
        let metrics = Metrics::default();
        let mut out = Outbox::default();
        out.push(chunk(10), true, &metrics);
        out.push(chunk(20), false, &metrics);
        out.drop_unstarted(&metrics);
        assert_eq!(out.waiting.as_ref().unwrap().bytes, 10);
        let mut fresh = Outbox::default();
        fresh.push(chunk(20), false, &metrics);
        fresh.drop_unstarted(&metrics);
        assert!(fresh.is_empty());
        out.end(&metrics);
        assert_eq!(metrics.outbox_bytes.load(Relaxed), 0);
        out.push(chunk(5), false, &metrics);
        assert!(out.is_empty(), "nothing is taken after the end");
    }

    #[tokio::test]
    async fn what_waits_is_written_in_order_and_freed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpSocket::new_v4().unwrap();
        client.set_recv_buffer_size(4096).unwrap();
        let (mut client, server) = tokio::try_join!(client.connect(listener.local_addr().unwrap()), async {
            Ok(listener.accept().await?.0)
        })
        .unwrap();
        let metrics = Metrics::default();
        let mut out = Outbox::default();
        let mut expected = Vec::new();
        for n in 0..40_u8 {
            let body = vec![n; 50_000];
            expected.extend_from_slice(&body);
            out.push(body.into(), false, &metrics);
        }
        let reader = tokio::spawn(async move {
            let mut got = vec![0; 40 * 50_000];
            client.read_exact(&mut got).await.unwrap();
            got
        });
        while !out.is_empty() {
            server.writable().await.unwrap();
            match out.write_to(&server, &metrics) {
                Ok(()) => {}
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        assert_eq!(metrics.outbox_bytes.load(Relaxed), 0);
        assert!(
            reader.await.unwrap() == expected,
            "the bytes arrive as they were queued"
        );
    }
}
