//! The other side of a comparison: a server that does nothing but call send().
//!
//! One thread. A socket names its room in a first line; whatever it sends afterwards goes, as it is, to every member of
//! that room, itself included. What has arrived for a room by the end of a pass over the ready sockets is sent as one:
//! one send() a member, which is the least that any server on these sockets can do. No frames, no encoding, no queues:
//! a socket that does not take all bytes at once ends the server, since the comparison would be void.

use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::SocketAddr,
};

use anyhow::{Context, Result, bail};
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};

use crate::plain::{JOIN, JOINED};

const LISTENER: Token = Token(usize::MAX);

/// A line that joins a room is shorter.
const MAX_LINE: usize = 256;

/// Events of one pass. All members' sockets together would be too long a pass for the senders that wait.
const EVENTS: usize = 1024;

#[derive(Default)]
struct Room {
    members: Vec<usize>,
    pending: Vec<u8>,
}

struct Member {
    stream: TcpStream,
    /// None until its line is complete.
    room: Option<usize>,
    line: Vec<u8>,
}

impl Member {
    /// Takes the line that names a room off the bytes; none while it is incomplete.
    fn line(&mut self, bytes: &mut &[u8]) -> Result<Option<String>> {
        let end = memchr::memchr(b'\n', bytes);
        let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        self.line.extend_from_slice(part);
        *bytes = rest;
        if self.line.len() > MAX_LINE {
            bail!("not the line that joins a room");
        }
        if end.is_none() {
            return Ok(None);
        }
        let line = String::from_utf8(std::mem::take(&mut self.line))?;
        match line.trim_end().split_once(' ') {
            Some((JOIN, name)) => Ok(Some(name.to_owned())),
            _ => bail!("expected `{JOIN} room`, got {line:?}"),
        }
    }
}

/// The server.
pub struct Baseline {
    poll: Poll,
    listener: TcpListener,
    /// By token; the place of a closed socket stays empty, since runs are short and tokens must not come again.
    members: Vec<Option<Member>>,
    rooms: Vec<Room>,
    names: HashMap<String, usize>,
    /// Rooms with something pending, in the order in which it came.
    due: Vec<usize>,
    scratch: Vec<u8>,
}

impl Baseline {
    /// Listens.
    pub fn bind(addr: SocketAddr) -> Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(addr).with_context(|| format!("cannot listen on {addr}"))?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            members: Vec::new(),
            rooms: Vec::new(),
            names: HashMap::new(),
            due: Vec::new(),
            scratch: vec![0; 64 << 10],
        })
    }

    /// Where it listens.
    pub fn addr(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until the process is ended.
    pub fn run(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            match self.poll.poll(&mut events, None) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(index) => self.read(index)?,
                }
            }
            self.send()?;
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("cannot accept a connection"),
            };
            stream.set_nodelay(true)?;
            let token = Token(self.members.len());
            self.poll
                .registry()
                .register(&mut stream, token, Interest::READABLE)?;
            self.members.push(Some(Member {
                stream,
                room: None,
                line: Vec::new(),
            }));
        }
    }

    fn read(&mut self, index: usize) -> Result<()> {
        while let Some(member) = &mut self.members[index] {
            match member.stream.read(&mut self.scratch) {
                Ok(0) => self.close(index),
                Ok(len) => {
                    self.take(index, len)?;
                    if len < self.scratch.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.close(index),
            }
        }
        Ok(())
    }

    /// Takes the first `len` bytes of the buffer: the line first, then what goes to the room.
    fn take(&mut self, index: usize, len: usize) -> Result<()> {
        let Some(member) = &mut self.members[index] else {
            return Ok(());
        };
        let mut bytes = &self.scratch[..len];
        let room = match member.room {
            Some(room) => room,
            None => {
                let Some(name) = member.line(&mut bytes)? else {
                    return Ok(());
                };
                let fresh = self.rooms.len();
                let room = *self.names.entry(name).or_insert(fresh);
                if room == fresh {
                    self.rooms.push(Room::default());
                }
                self.rooms[room].members.push(index);
                member.room = Some(room);
                member.stream.write_all(JOINED)?;
                room
            }
        };
        if !bytes.is_empty() {
            let pending = &mut self.rooms[room].pending;
            if pending.is_empty() {
                self.due.push(room);
            }
            pending.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn close(&mut self, index: usize) {
        if let Some(member) = self.members[index].take()
            && let Some(room) = member.room
        {
            self.rooms[room].members.retain(|other| *other != index);
        }
    }

    fn send(&mut self) -> Result<()> {
        for room in self.due.drain(..) {
            let Room { members, pending } = &mut self.rooms[room];
            for index in members.iter() {
                let Some(member) = &mut self.members[*index] else {
                    continue;
                };
                match member.stream.write(pending) {
                    Ok(len) if len == pending.len() => {}
                    Ok(len) => bail!(
                        "a socket took {len} of {} bytes: use a smaller window",
                        pending.len()
                    ),
                    // It was closed; reading will say so.
                    Err(error)
                        if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
                    Err(error) => return Err(error).context("a socket took nothing: use a smaller window"),
                }
            }
            pending.clear();
        }
        Ok(())
    }
}
