//! Many connections while they are measured: one thread, one epoll loop, one buffer.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream as Blocking,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Registry, Token, Waker, event::Event, net::TcpStream};
use socket2::SockRef;
use starling_protocol::ws::{self, Decoder, Message, Opcode, Role};

use crate::{
    frames::{FrameCounter, Seen},
    link::{INCOMING, Masks, upgraded},
};

/// Events that one wait may return: a pass over many sockets, short enough to send again in between.
const EVENTS: usize = 1024;

/// What one read takes. A socket that has more is read again at once.
const SCRATCH: usize = 64 << 10;

/// The token that is no socket.
const WAKE: Token = Token(usize::MAX);

/// How a connection's bytes are followed.
enum Reader {
    /// The answer to an upgrade, as far as it has come.
    Head(Vec<u8>),
    /// Every message is handed over.
    Whole(Decoder),
    /// Messages are counted only.
    Count(FrameCounter),
}

/// What happens on the sockets. An error ends the measurement.
pub trait Sink {
    /// A message.
    fn message(&mut self, socket: usize, at: Instant, payload: &[u8]) -> Result<()>;

    /// So many messages, on a socket that is counted only.
    fn counted(&mut self, socket: usize, at: Instant, messages: u64) -> Result<()>;

    /// The server closed the connection, or it broke; why, in words.
    fn ended(&mut self, socket: usize, why: &str) -> Result<()>;
}

struct Socket {
    stream: TcpStream,
    reader: Reader,
    /// What the kernel did not take. A scenario bounds what a socket has outstanding, and so this.
    unsent: Vec<u8>,
}

/// The connections.
pub struct Herd {
    poll: Poll,
    events: Events,
    /// By index; the place of an ended connection stays empty.
    sockets: Vec<Option<Socket>>,
    scratch: Vec<u8>,
    masks: Masks,
    waker: Arc<Waker>,
    /// Bytes read from all sockets.
    pub bytes: u64,
    /// Pings answered.
    pub pings: u64,
}

impl Herd {
    /// No connections.
    pub fn new() -> Result<Self> {
        let poll = Poll::new().context("cannot make an epoll instance")?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            sockets: Vec::new(),
            scratch: vec![0; SCRATCH],
            masks: Masks::new(usize::MAX / 2),
            waker,
            bytes: 0,
            pings: 0,
        })
    }

    /// Takes a connection over, in a place of the caller's choice.
    pub fn put(&mut self, index: usize, stream: Blocking, decoder: Decoder) -> Result<()> {
        stream.set_nonblocking(true)?;
        self.seat(index, stream, Reader::Whole(decoder))
    }

    /// Takes a connection that is being opened, and sends the upgrade when it is.
    pub fn dial(&mut self, index: usize, stream: Blocking, upgrade: &[u8]) -> Result<()> {
        self.seat(index, stream, Reader::Head(Vec::new()))?;
        self.send(index, upgrade)
    }

    fn seat(&mut self, index: usize, stream: Blocking, reader: Reader) -> Result<()> {
        let mut stream = TcpStream::from_std(stream);
        self.poll
            .registry()
            .register(&mut stream, Token(index), Interest::READABLE)
            .context("cannot watch a socket")?;
        if self.sockets.len() <= index {
            self.sockets.resize_with(index + 1, || None);
        }
        self.sockets[index] = Some(Socket {
            stream,
            reader,
            unsent: Vec::new(),
        });
        Ok(())
    }

    /// Cuts a connection: the server gets a reset, and what was on the way is gone. Nobody is told here.
    pub fn cut(&mut self, index: usize) -> Result<()> {
        if let Some(mut socket) = self.sockets.get_mut(index).and_then(Option::take) {
            self.poll.registry().deregister(&mut socket.stream)?;
            SockRef::from(&socket.stream).set_linger(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    /// Closes a connection as the RFC asks; it ends when the server answers.
    pub fn close(&mut self, index: usize) -> Result<()> {
        let mut frame = Vec::new();
        let body = ws::close_payload(1000, "done");
        ws::encode_masked(Opcode::Close, &body, self.masks.key(), &mut frame);
        self.send(index, &frame)
    }

    /// From now on messages of this connection are counted only. Not while one has come in part: then it fails.
    pub fn count_only(&mut self, index: usize) -> Result<()> {
        if let Some(socket) = &mut self.sockets[index] {
            if matches!(&socket.reader, Reader::Whole(decoder) if decoder.buffered() > 0) {
                bail!("a message came while connecting: try again");
            }
            socket.reader = Reader::Count(FrameCounter::default());
        }
        Ok(())
    }

    /// Ends a [`turn`](Self::turn) from another thread.
    #[must_use]
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Waits for events, at most so long, and hands over what came.
    pub fn turn(&mut self, longest: Duration, sink: &mut impl Sink) -> Result<()> {
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(1));
        match self.poll.poll(&mut events, Some(longest)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("cannot wait for events"),
        }
        let outcome = events.iter().try_for_each(|event| self.on_event(event, sink));
        self.events = events;
        outcome
    }

    fn on_event(&mut self, event: &Event, sink: &mut impl Sink) -> Result<()> {
        let Token(index) = event.token();
        if event.token() == WAKE {
            return Ok(());
        }
        if event.is_writable()
            && let Some(socket) = &mut self.sockets[index]
        {
            socket.flush(index, self.poll.registry())?;
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(index, sink)?;
        }
        Ok(())
    }

    /// Reads until the kernel has no more. A read that leaves room in the buffer has emptied the socket (epoll(7)), so
    /// most sockets cost one call.
    fn read(&mut self, index: usize, sink: &mut impl Sink) -> Result<()> {
        while let Some(socket) = &mut self.sockets[index] {
            match socket.stream.read(&mut self.scratch) {
                Ok(0) => {
                    return self.end(
                        index,
                        "the server ended the connection without a close frame",
                        sink,
                    );
                }
                Ok(len) => {
                    self.bytes += len as u64;
                    self.take(index, len, sink)?;
                    if len < SCRATCH {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return self.end(index, &format!("the connection broke: {error}"), sink),
            }
        }
        Ok(())
    }

    /// Follows the first `len` bytes of the buffer.
    fn take(&mut self, index: usize, len: usize, sink: &mut impl Sink) -> Result<()> {
        let Some(socket) = &mut self.sockets[index] else {
            return Ok(());
        };
        let at = Instant::now();
        let mut pongs = Vec::new();
        let mut closed = None;
        let masks = &mut self.masks;
        let mut pong = |body: &[u8]| ws::encode_masked(Opcode::Pong, body, masks.key(), &mut pongs);
        let mut input = &mut self.scratch[..len];
        match &mut socket.reader {
            Reader::Head(head) => {
                head.extend_from_slice(input);
                let rest = match upgraded(head) {
                    Ok(None) => return Ok(()),
                    Ok(Some(end)) => head.split_off(end),
                    Err(error) => return self.end(index, &error.to_string(), sink),
                };
                socket.reader = Reader::Whole(Decoder::new(Role::Client, INCOMING));
                // The head was no longer than the buffer, nor is what came behind it.
                self.scratch[..rest.len()].copy_from_slice(&rest);
                return self.take(index, rest.len(), sink);
            }
            Reader::Whole(decoder) => {
                while let Some(message) = decoder.decode(&mut input)? {
                    match message {
                        Message::Text(text) => sink.message(index, at, text.as_bytes())?,
                        Message::Binary(bytes) => sink.message(index, at, bytes)?,
                        Message::Ping(body) => pong(body),
                        Message::Pong(_) => {}
                        Message::Close { code, reason } => {
                            closed = Some(format!("the server closed: {} {reason}", code.unwrap_or(1005)));
                        }
                    }
                }
            }
            Reader::Count(counter) => {
                let mut messages = 0;
                counter.feed(input, |seen| match seen {
                    Seen::Messages(count) => messages += count,
                    Seen::Ping(body) => pong(body),
                    Seen::Close(body) => closed = Some(close_text(body)),
                })?;
                if messages > 0 {
                    sink.counted(index, at, messages)?;
                }
            }
        }
        if !pongs.is_empty() {
            self.pings += 1;
            self.send(index, &pongs)?;
        }
        match closed {
            Some(why) => self.end(index, &why, sink),
            None => Ok(()),
        }
    }

    fn end(&mut self, index: usize, why: &str, sink: &mut impl Sink) -> Result<()> {
        if let Some(mut socket) = self.sockets[index].take() {
            self.poll.registry().deregister(&mut socket.stream)?;
        }
        sink.ended(index, why)
    }

    /// Sends bytes on a connection; what the kernel does not take follows when it does.
    pub fn send(&mut self, index: usize, bytes: &[u8]) -> Result<()> {
        let Some(socket) = self.sockets.get_mut(index).and_then(Option::as_mut) else {
            return Ok(());
        };
        let was_empty = socket.unsent.is_empty();
        socket.unsent.extend_from_slice(bytes);
        if was_empty {
            socket.flush(index, self.poll.registry())?;
        }
        Ok(())
    }
}

impl Socket {
    /// Writes what is unsent, and asks for an event when the kernel does not take it all.
    fn flush(&mut self, index: usize, registry: &Registry) -> Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(len) => drop(self.unsent.drain(..len)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    return Ok(registry.reregister(&mut self.stream, Token(index), interest)?);
                }
                // The read side says why, with the server's close frame where there is one.
                Err(_) => self.unsent.clear(),
            }
        }
        Ok(())
    }
}

/// A close frame's body in words.
fn close_text(body: &[u8]) -> String {
    match body.split_first_chunk::<2>() {
        Some((code, reason)) => format!(
            "the server closed: {} {}",
            u16::from_be_bytes(*code),
            String::from_utf8_lossy(reason)
        ),
        None => "the server closed: 1005".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use starling_protocol::ws::Limits;

    use super::*;
    use crate::target::{Sources, begin_to_connect};

    #[derive(Default)]
    struct Seen {
        messages: Vec<(usize, Vec<u8>)>,
        counted: u64,
        ended: Vec<(usize, String)>,
    }

    impl Sink for Seen {
        fn message(&mut self, socket: usize, _: Instant, payload: &[u8]) -> Result<()> {
            self.messages.push((socket, payload.to_vec()));
            Ok(())
        }

        fn counted(&mut self, _: usize, _: Instant, messages: u64) -> Result<()> {
            self.counted += messages;
            Ok(())
        }

        fn ended(&mut self, socket: usize, why: &str) -> Result<()> {
            self.ended.push((socket, why.to_owned()));
            Ok(())
        }
    }

    fn pair() -> (Blocking, Blocking) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Blocking::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn unsent(herd: &Herd, index: usize) -> &[u8] {
        &herd.sockets[index].as_ref().unwrap().unsent
    }

    /// Turns until the condition holds.
    fn until(herd: &mut Herd, seen: &mut Seen, done: impl Fn(&Seen) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !done(seen) {
            assert!(Instant::now() < deadline, "nothing more came");
            herd.turn(Duration::from_secs(1), seen).unwrap();
        }
    }

    #[test]
    fn hands_over_counts_answers_pings_and_tells_of_the_end() {
        let ((one, mut far_one), (two, mut far_two)) = (pair(), pair());
        let mut herd = Herd::new().unwrap();
        for (index, stream) in [(1, two), (0, one)] {
            herd.put(index, stream, Decoder::new(Role::Client, Limits::default()))
                .unwrap();
        }
        herd.count_only(1).unwrap();
        let mut frames = Vec::new();
        ws::encode(Opcode::Text, b"hello", &mut frames);
        ws::encode(Opcode::Ping, b"there?", &mut frames);
        ws::encode(Opcode::Text, b"again", &mut frames);
        ws::encode(
            Opcode::Close,
            &[&1012_u16.to_be_bytes()[..], b"restart"].concat(),
            &mut frames,
        );
        let mut seen = Seen::default();
        for far in [&mut far_one, &mut far_two] {
            far.write_all(&frames).unwrap();
        }
        until(&mut herd, &mut seen, |seen| seen.ended.len() == 2);
        assert_eq!(seen.messages, [(0, b"hello".to_vec()), (0, b"again".to_vec())]);
        assert_eq!(seen.counted, 2);
        assert!(
            seen.ended
                .iter()
                .all(|(_, why)| why == "the server closed: 1012 restart")
        );
        assert_eq!(herd.pings, 2);
        for far in [&mut far_one, &mut far_two] {
            let mut pong = [0; 12];
            far.read_exact(&mut pong).unwrap();
            assert_eq!(pong[..2], [0x8a, 0x86]);
        }
    }

    /// The far end of a connection that is being opened, and its herd.
    fn dialled(answer: &[u8]) -> (Herd, Blocking) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let near = begin_to_connect(addr, Sources::new(1).unwrap(), 0)
            .unwrap()
            .unwrap();
        let mut herd = Herd::new().unwrap();
        herd.dial(3, near, b"upgrade, please").unwrap();
        let (mut far, _) = listener.accept().unwrap();
        while !unsent(&herd, 3).is_empty() {
            herd.turn(Duration::from_secs(10), &mut Seen::default()).unwrap();
        }
        let mut request = [0; 15];
        far.read_exact(&mut request).unwrap();
        assert_eq!(&request, b"upgrade, please");
        far.write_all(answer).unwrap();
        (herd, far)
    }

    #[test]
    fn a_connection_is_upgraded_and_may_be_refused_or_cut() {
        let accept = ws::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
        let mut answer = format!("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").into_bytes();
        ws::encode(Opcode::Text, b"welcome", &mut answer);
        let (mut herd, mut far) = dialled(&answer);
        let mut seen = Seen::default();
        until(&mut herd, &mut seen, |seen| !seen.messages.is_empty());
        assert_eq!(seen.messages, [(3, b"welcome".to_vec())]);
        herd.cut(3).unwrap();
        let error = far.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        herd.send(3, b"to nobody").unwrap();

        let (mut herd, _far) = dialled(b"HTTP/1.1 503 Service Unavailable\r\n\r\n");
        let mut seen = Seen::default();
        until(&mut herd, &mut seen, |seen| !seen.ended.is_empty());
        assert!(seen.ended[0].1.contains("503"), "{:?}", seen.ended);
    }

    #[test]
    fn what_the_kernel_does_not_take_follows() {
        let (near, mut far) = pair();
        let mut herd = Herd::new().unwrap();
        herd.put(0, near, Decoder::new(Role::Client, Limits::default()))
            .unwrap();
        let sent: Vec<u8> = (0..16 << 20).map(|n: u32| n.to_le_bytes()[2]).collect();
        herd.send(0, &sent).unwrap();
        assert!(!unsent(&herd, 0).is_empty(), "16 MiB fit into no socket buffer");
        let reader = std::thread::spawn(move || {
            let mut got = vec![0; 16 << 20];
            far.read_exact(&mut got).unwrap();
            (got, far)
        });
        let mut seen = Seen::default();
        until(&mut herd, &mut seen, |_| reader.is_finished());
        let (got, _far) = reader.join().unwrap();
        assert!(got == sent);
        assert!(unsent(&herd, 0).is_empty());
    }
}
