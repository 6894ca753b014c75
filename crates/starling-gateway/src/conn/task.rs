//! The connection's future. Small on purpose: 100,000 of them wait at once. It reads into one scratch buffer per thread,
//! hands whole bursts of commands to the session, drains the outbox, and keeps the socket's times.

use std::{
    cell::RefCell,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use starling_core::Timestamp;
use starling_protocol::{
    CloseCode,
    command::{Bad, Incoming},
    event::TokenExpiring,
    ws::{self, Decoder, Message, Opcode},
};
use tokio::time::{Instant, Sleep};

use super::{Class, Conn, Cork};
use crate::{
    node::Node,
    session::{self, Session},
};

/// Bytes read at once. One command rarely exceeds a kilobyte; a flood is read in steps of this size, and what is not
/// read waits in the kernel, which slows the sender.
const SCRATCH: usize = 16 << 10;
/// How long a peer may take to answer our close frame.
const CLOSE_WAIT: Duration = Duration::from_secs(3);
/// `token_expiring` comes so long before the end.
const EXPIRY_WARNING: Duration = Duration::from_secs(60);

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

/// A frame as the session gets it.
pub(crate) type Received = Result<Incoming, Bad>;

/// What a burst of commands came to.
pub(crate) enum Flow {
    /// Go on.
    Continue,
    /// The first frame was a good token.
    Authenticated(Arc<Session>),
}

/// See the module.
pub(crate) struct ConnTask {
    node: Arc<Node>,
    conn: Arc<Conn>,
    session: Option<Arc<Session>>,
    decoder: Decoder,
    /// Bytes that came with the handshake.
    leftover: Option<Bytes>,
    /// Commands being carried out; until they are, nothing more is read from this socket.
    work: Option<BoxFuture<'static, Flow>>,
    sleep: Pin<Box<Sleep>>,
    heard_at: Instant,
    pinged_at: Instant,
    /// Until when a token must come.
    authenticate_by: Instant,
    /// The expiry that the client was warned of.
    warned: Timestamp,
    bad_frames: u32,
    bad_since: Instant,
    phase: Phase,
    /// The peer's close frame was read; our answer has this code.
    peer_closed: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our close frame is out; until this time the peer may answer it.
    Closing(Instant),
}

impl ConnTask {
    pub(crate) fn new(
        node: Arc<Node>,
        conn: Arc<Conn>,
        session: Option<Arc<Session>>,
        leftover: Bytes,
    ) -> Self {
        let now = Instant::now();
        let config = &node.config;
        let frame_bytes = u32::try_from(config.limits.frame_bytes).unwrap_or(u32::MAX);
        let limits = ws::Limits {
            max_frame: frame_bytes,
            max_message: frame_bytes,
            ..ws::Limits::default()
        };
        // The first ping comes at a random point of the interval, so that a storm of connects is not a storm of pings.
        let first_ping = config.heartbeat.mul_f64(rand::random::<f64>());
        let authenticate_by = now + config.authenticate_timeout;
        let mut task = Self {
            pinged_at: now + first_ping - config.heartbeat,
            node,
            conn,
            session,
            decoder: Decoder::new(ws::Role::Server, limits),
            leftover: Some(leftover).filter(|bytes| !bytes.is_empty()),
            work: None,
            sleep: Box::pin(tokio::time::sleep_until(now)),
            heard_at: now,
            authenticate_by,
            warned: Timestamp::default(),
            bad_frames: 0,
            bad_since: now,
            phase: Phase::Open,
            peer_closed: None,
        };
        task.schedule();
        task
    }

    /// The node, and the key of the connection on it.
    pub(crate) fn belongs_to(&self) -> (Arc<Node>, u64) {
        (self.node.clone(), self.conn.key)
    }

    /// When something is due next.
    fn next_due(&self) -> Instant {
        if let Phase::Closing(until) = self.phase {
            return until;
        }
        let now = Instant::now();
        if self.conn.closing().is_some() {
            // Commands are being carried out, whose end wakes us; nothing else counts any more.
            return now + CLOSE_WAIT;
        }
        let config = &self.node.config;
        let mut next = self.pinged_at + config.heartbeat;
        if let Some(session) = &self.session {
            let expires_at = session.expires_at();
            let left = expires_at.since(self.node.clock.now());
            let left = if self.warned == expires_at {
                left
            } else {
                left.saturating_sub(EXPIRY_WARNING)
            };
            next = next.min(now + left);
        } else {
            next = next.min(self.authenticate_by);
        }
        if let Some(since) = self.conn.waiting_since() {
            next = next.min(since + config.limits.slow_consumer_timeout);
        }
        next
    }

    /// Sets the timer earlier where something is due before it. Moving a timer takes a lock of the runtime: one that is
    /// early only looks around and goes back to sleep. One that has ended is left to be seen: if it were set anew here,
    /// what is due would be put off for ever.
    fn schedule(&mut self) {
        let next = self.next_due();
        if next < self.sleep.deadline() && !self.sleep.is_elapsed() {
            self.sleep.as_mut().reset(next);
        }
    }

    fn on_timer(&mut self) {
        let now = Instant::now();
        let heartbeat = self.node.config.heartbeat;
        if self.session.is_none() && now >= self.authenticate_by {
            self.conn.close(CloseCode::NotAuthenticated);
        }
        if let Some(session) = &self.session {
            let expires_at = session.expires_at();
            let left = expires_at.since(self.node.clock.now());
            if left.is_zero() {
                self.conn.close(CloseCode::TokenExpired);
            } else if left <= EXPIRY_WARNING && self.warned != expires_at {
                self.warned = expires_at;
                self.conn
                    .send_event("token_expiring", &TokenExpiring { expires_at }, Class::Reply);
            }
        }
        let timeout = self.node.config.limits.slow_consumer_timeout;
        if self
            .conn
            .waiting_since()
            .is_some_and(|since| now >= since + timeout)
        {
            self.conn.close(CloseCode::SlowConsumer);
        }
        if now >= self.pinged_at + heartbeat {
            // Nothing was heard since the ping before: not even its pong.
            if now >= self.heard_at + heartbeat + heartbeat {
                self.conn.close(CloseCode::Idle);
            } else {
                self.pinged_at = now;
                self.conn.send(&PING, Class::Reply);
            }
        }
    }

    /// `Ready(None)` when the peer is gone, otherwise what was read.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Vec<Received>>> {
        if let Some(bytes) = self.leftover.take() {
            let mut bytes = Vec::from(bytes);
            return Poll::Ready(Some(self.take(&mut bytes)));
        }
        loop {
            match self.conn.stream.poll_read_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(None),
                Poll::Ready(Ok(())) => {}
            }
            let read = BUFFER.with_borrow_mut(|buffer| match self.conn.stream.try_read(buffer) {
                Ok(0) => Some(None),
                Ok(n) => Some(Some(self.take(&mut buffer[..n]))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(_) => Some(None),
            });
            if let Some(read) = read {
                return Poll::Ready(read);
            }
        }
    }

    /// Decodes a burst: control frames are answered at once, commands are handed on.
    fn take(&mut self, bytes: &mut [u8]) -> Vec<Received> {
        self.heard_at = Instant::now();
        let mut received = Vec::new();
        let mut input = bytes;
        let codec = self.conn.codec;
        loop {
            match self.decoder.decode(&mut input) {
                Ok(None) => return received,
                Ok(Some(Message::Text(text))) => {
                    received.push(session::read(codec, Opcode::Text, text.as_bytes()))
                }
                Ok(Some(Message::Binary(bytes))) => {
                    received.push(session::read(codec, Opcode::Binary, bytes))
                }
                Ok(Some(Message::Ping(payload))) => {
                    let mut pong = Vec::with_capacity(payload.len() + 2);
                    ws::encode(Opcode::Pong, payload, &mut pong);
                    self.conn.send(&pong.into(), Class::Reply);
                }
                Ok(Some(Message::Pong(_))) => {}
                Ok(Some(Message::Close { code, .. })) => {
                    // The commands before it are carried out first.
                    self.peer_closed = Some(code.unwrap_or(CloseCode::Done.code()));
                    return received;
                }
                Err(error) => {
                    self.conn.close(match error.close_code() {
                        1007 => CloseCode::InvalidText,
                        1009 => CloseCode::TooBig,
                        _ => CloseCode::ProtocolViolation,
                    });
                    return received;
                }
            }
        }
    }

    fn count_bad(&mut self, received: &[Received]) {
        let bad = received.iter().filter(|frame| frame.is_err()).count();
        if bad == 0 {
            return;
        }
        let now = Instant::now();
        if now - self.bad_since > Duration::from_secs(60) {
            (self.bad_since, self.bad_frames) = (now, 0);
        }
        self.bad_frames += u32::try_from(bad).unwrap_or(u32::MAX);
        if self.bad_frames >= self.node.config.limits.bad_frames_per_minute {
            self.conn.close(CloseCode::BadFrames);
        }
    }

    fn start_closing(&mut self, code: u16, reason: &str, drop_queue: bool) {
        self.phase = Phase::Closing(Instant::now() + CLOSE_WAIT);
        self.conn
            .finish_with(ws::close_frame(code, reason).into(), drop_queue);
    }

    /// Ends the open phase when somebody asked for it, a part of ours or the peer. The frames before it were handed to the session already, so
    /// their errors are told first.
    fn observe_close(&mut self) {
        if self.phase != Phase::Open {
            return;
        }
        if let Some(code) = self.conn.closing() {
            let known = CloseCode::ALL.into_iter().find(|known| known.code() == code);
            let drop_queue = known == Some(CloseCode::SlowConsumer);
            self.start_closing(code, known.map_or("", CloseCode::reason), drop_queue);
        } else if let Some(code) = self.peer_closed {
            self.start_closing(code, "", false);
        }
    }
}

/// A ping without payload.
static PING: Bytes = Bytes::from_static(&[0x89, 0x00]);

/// How a connection ended.
pub(crate) struct Ended {
    pub(crate) session: Option<Arc<Session>>,
    /// The code that we closed with; `None` when the peer went first.
    pub(crate) code: Option<u16>,
}

impl Future for ConnTask {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let this = &mut *self;
        loop {
            this.conn.waker.register(cx.waker());
            if let Poll::Ready(true) = this.conn.poll_drain(cx)
                && let Some(session) = &this.session
            {
                session.on_drained(&this.node);
            }
            if let Some(work) = &mut this.work {
                let cork = Cork::new(&this.conn);
                let worked = work.as_mut().poll(cx);
                drop(cork);
                match worked {
                    Poll::Ready(flow) => {
                        this.work = None;
                        if let Flow::Authenticated(session) = flow {
                            this.session = Some(session);
                        }
                        this.schedule();
                        continue;
                    }
                    // While commands are carried out, closing waits for them: their replies come first.
                    Poll::Pending => {}
                }
            } else {
                this.observe_close();
            }
            if this.peer_closed.is_some() && this.phase != Phase::Open && this.conn.is_clear() {
                return Poll::Ready(this.ended());
            }
            this.schedule();
            if this.sleep.as_mut().poll(cx).is_ready() {
                if let Phase::Closing(until) = this.phase {
                    if Instant::now() >= until {
                        return Poll::Ready(this.ended());
                    }
                } else {
                    this.on_timer();
                }
                let next = this.next_due();
                this.sleep.as_mut().reset(next);
                continue;
            }
            if this.work.is_some() {
                return Poll::Pending;
            }
            match this.poll_read(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(this.ended()),
                Poll::Ready(Some(received)) => {
                    if this.phase == Phase::Open && !received.is_empty() {
                        this.count_bad(&received);
                        let (node, conn) = (this.node.clone(), this.conn.clone());
                        this.work = Some(Box::pin(session::carry_out(
                            node,
                            conn,
                            this.session.clone(),
                            received,
                        )));
                    }
                }
            }
        }
    }
}

impl ConnTask {
    fn ended(&mut self) -> Ended {
        self.conn.end();
        Ended {
            session: self.session.take(),
            code: self.conn.closing(),
        }
    }
}
