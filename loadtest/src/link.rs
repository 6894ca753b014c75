//! One connection while it is set up: upgrade, commands and their replies, one after another.

use std::{
    io::{Read, Write},
    net::TcpStream,
    str::FromStr,
};

use anyhow::{Context, Result, bail};
use serde::{Serialize, de::DeserializeOwned};
use starling_protocol::{
    Codec, CommandId,
    codec::Envelope as Outgoing,
    command::{JoinRoom, Unsubscribe},
    event::Welcome,
    reply::Joined,
    ws::{self, Decoder, Limits, Message, Opcode, Role},
};

use crate::{
    envelope::{Envelope, shown},
    random::Random,
    target::{Sources, Target, begin_to_connect, connect},
    token::Signer,
};

/// Section 1.3 of RFC 6455. A load test has nothing to gain from a fresh key.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The head of the answer to an upgrade is shorter; a longer one is not from a WebSocket server.
const MAX_HEAD: usize = 16 << 10;

/// Messages from the server: a `batch` may be longer than a client's frame.
pub const INCOMING: Limits = Limits {
    max_frame: 4 << 20,
    max_message: 4 << 20,
    max_fragments: 1024,
};

/// How to open connections.
pub struct Dial {
    /// Where: connections take turns.
    pub targets: Vec<Target>,
    /// From which addresses.
    pub sources: Sources,
    /// Signs the users' tokens.
    pub signer: Signer,
}

/// Masking keys: different for every frame, so that the server unmasks for real.
#[derive(Debug, Clone)]
pub struct Masks(Random);

impl Masks {
    /// Keys that differ from those of other seeds.
    #[must_use]
    pub fn new(seed: usize) -> Self {
        Self(Random::new(seed))
    }

    /// The next key.
    pub fn key(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.0.number().to_le_bytes();
        [a, b, c, d]
    }
}

/// Appends a command as a client's frame.
pub fn push_command<T: Serialize>(
    kind: &str,
    id: Option<&CommandId>,
    data: &T,
    masks: &mut Masks,
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut payload = Vec::with_capacity(256);
    Codec::Json.encode_into(&Outgoing { kind, id, data }, &mut payload)?;
    ws::encode_masked(Opcode::Text, &payload, masks.key(), out);
    Ok(())
}

/// A connection that waits for each answer.
pub struct Link {
    stream: TcpStream,
    decoder: Decoder,
    masks: Masks,
    next_id: i64,
}

impl Dial {
    /// Connects, upgrades as this user and waits for `welcome`. Connections with different indexes come from different
    /// source addresses.
    pub fn open(&self, index: usize, user: &str) -> Result<(Link, Welcome)> {
        let target = self.target(index);
        let request = self.request(target, user)?;
        let mut link = Link {
            stream: connect(target.addr, self.sources, index)?,
            decoder: Decoder::new(Role::Client, INCOMING),
            masks: Masks::new(index),
            next_id: 0,
        };
        link.stream.write_all(&request)?;
        let rest = link.read_head()?;
        let welcome = link.receive(rest, |envelope| {
            if envelope.kind != "welcome" {
                bail!("expected welcome, got {}", envelope.kind);
            }
            envelope.data().map(Some)
        })?;
        Ok((link, welcome))
    }

    /// Begins to connect as this user, without waiting: the stream, and the upgrade to send on it. None when nobody
    /// listens there. Each attempt goes to the next target.
    pub fn begin(&self, index: usize, attempt: usize, user: &str) -> Result<Option<(TcpStream, Vec<u8>)>> {
        let target = self.target(index.wrapping_add(attempt));
        let Some(stream) = begin_to_connect(target.addr, self.sources, index)? else {
            return Ok(None);
        };
        Ok(Some((stream, self.request(target, user)?)))
    }

    fn target(&self, turn: usize) -> &Target {
        &self.targets[turn % self.targets.len()]
    }

    fn request(&self, target: &Target, user: &str) -> Result<Vec<u8>> {
        let token = self.signer.sign(user)?;
        let Target { host, path, .. } = target;
        let protocol = Codec::Json.subprotocol();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: {protocol}\r\n\
             Authorization: Bearer {token}\r\n\r\n"
        );
        Ok(request.into_bytes())
    }
}

/// Where the answer to an upgrade ends; none while it is incomplete. An answer that is no upgrade is an error.
pub fn upgraded(head: &[u8]) -> Result<Option<usize>> {
    let Some(end) = memchr::memmem::find(head, b"\r\n\r\n") else {
        if head.len() > MAX_HEAD {
            bail!("no answer to the upgrade, only: {}", shown(head));
        }
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&head[..end]);
    if !text.starts_with("HTTP/1.1 101") {
        bail!("the server refused the upgrade: {}", shown(head));
    }
    if !text.contains(&ws::accept_key(KEY)) {
        bail!("the upgrade was accepted for another key: {}", shown(head));
    }
    Ok(Some(end + 4))
}

impl Link {
    /// Reads the answer to the upgrade; returns what came behind it.
    fn read_head(&mut self) -> Result<Vec<u8>> {
        let mut head = Vec::with_capacity(1024);
        loop {
            if let Some(end) = upgraded(&head)? {
                return Ok(head.split_off(end));
            }
            let mut chunk = [0; 2048];
            let len = self.stream.read(&mut chunk).context("no answer to the upgrade")?;
            if len == 0 {
                bail!("no answer to the upgrade, only: {}", shown(&head));
            }
            head.extend_from_slice(&chunk[..len]);
        }
    }

    /// Reads until `pick` takes a message. Others are dropped: what counts comes after the set-up.
    fn receive<T>(
        &mut self,
        mut bytes: Vec<u8>,
        mut pick: impl FnMut(&Envelope<'_>) -> Result<Option<T>>,
    ) -> Result<T> {
        let mut picked = None;
        loop {
            let mut input = bytes.as_mut_slice();
            while let Some(message) = self.decoder.decode(&mut input)? {
                match message {
                    Message::Text(_) if picked.is_some() => {}
                    Message::Text(text) => picked = pick(&Envelope::parse(text.as_bytes())?)?,
                    Message::Ping(body) => {
                        let mut pong = Vec::new();
                        ws::encode_masked(Opcode::Pong, body, self.masks.key(), &mut pong);
                        self.stream.write_all(&pong)?;
                    }
                    Message::Pong(_) => {}
                    Message::Binary(_) => bail!("a binary frame on a JSON connection"),
                    Message::Close { code, reason } => {
                        bail!("the server closed the connection: {code:?} {reason}")
                    }
                }
            }
            if let Some(picked) = picked {
                return Ok(picked);
            }
            bytes.resize(16 << 10, 0);
            let len = self
                .stream
                .read(&mut bytes)
                .context("no answer from the server")?;
            if len == 0 {
                bail!("the server ended the connection without a close frame");
            }
            bytes.truncate(len);
        }
    }

    /// Sends a command and waits for its reply.
    pub fn call<R: DeserializeOwned>(&mut self, kind: &str, data: &impl Serialize) -> Result<R> {
        self.next_id += 1;
        let id = CommandId::Number(self.next_id);
        let mut frame = Vec::new();
        push_command(kind, Some(&id), data, &mut self.masks, &mut frame)?;
        self.stream.write_all(&frame)?;
        self.receive(Vec::new(), |envelope| {
            if envelope.id.as_ref() == Some(&id) || envelope.id.is_none() {
                envelope.check()?;
            }
            match envelope.id == Some(id.clone()) {
                true => envelope.data().map(Some),
                false => Ok(None),
            }
        })
        .with_context(|| format!("{kind} failed"))
    }

    /// Becomes a member of a room, without following it.
    ///
    /// Whoever joins while others follow is told to each of them: ten thousand joins of one room would be fifty
    /// million deliveries. So a crowd becomes members first, and follows when all are.
    pub fn enrol(&mut self, room: &str) -> Result<()> {
        let join = JoinRoom {
            room_id: id(room)?,
            cursor: None,
            history: Some(0),
        };
        let _: Joined = self.call("join_room", &join)?;
        let stop = Unsubscribe {
            room_ids: vec![id(room)?],
        };
        let _: serde_json::Value = self.call("unsubscribe", &stop)?;
        Ok(())
    }

    /// Closes as the RFC asks: a close frame, and waiting for the server's.
    pub fn close(mut self) -> Result<()> {
        let mut frame = Vec::new();
        let body = ws::close_payload(1000, "done");
        ws::encode_masked(Opcode::Close, &body, self.masks.key(), &mut frame);
        self.stream.write_all(&frame)?;
        let mut bytes = vec![0; 4096];
        loop {
            let len = self.stream.read(&mut bytes).context("no close from the server")?;
            if len == 0 {
                return Ok(());
            }
            let mut input = &mut bytes[..len];
            while let Some(message) = self.decoder.decode(&mut input)? {
                if let Message::Close { .. } = message {
                    return Ok(());
                }
            }
        }
    }

    /// The connection, and its decoder: between two messages or within one.
    #[must_use]
    pub fn into_parts(self) -> (TcpStream, Decoder) {
        (self.stream, self.decoder)
    }
}

/// A room id, or any other id of the protocol.
pub fn id<T: FromStr>(text: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().with_context(|| format!("{text} cannot be an id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_an_upgrade_is_read_as_far_as_it_goes() {
        let accept = ws::accept_key(KEY);
        let whole = format!("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: {accept}\r\n\r\nbehind");
        for end in [0, 20, whole.len() - 8] {
            assert_eq!(upgraded(&whole.as_bytes()[..end]).unwrap(), None);
        }
        assert_eq!(upgraded(whole.as_bytes()).unwrap(), Some(whole.len() - 6));
        for refused in ["HTTP/1.1 503 x\r\n\r\n", "HTTP/1.1 101 x\r\n\r\n"] {
            assert!(upgraded(refused.as_bytes()).is_err(), "{refused}");
        }
        assert!(upgraded(&[b'x'; MAX_HEAD + 1]).is_err());
    }

    #[test]
    fn masking_keys_differ_from_frame_to_frame_and_link_to_link() {
        let (mut one, mut two) = (Masks::new(1), Masks::new(2));
        let keys = [one.key(), one.key(), two.key(), two.key()];
        for (at, key) in keys.iter().enumerate() {
            assert_ne!(*key, [0; 4]);
            assert!(!keys[..at].contains(key));
        }
    }
}
