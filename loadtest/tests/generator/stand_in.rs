//! A small server that speaks as much of the protocol as the generator uses, and makes faults on demand. It shows that
//! the generator's account is right before a real server is measured with it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use starling_protocol::{
    Codec, Command,
    command::Incoming,
    ws::{self, Decoder, Limits, Message, Opcode, Role},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::mpsc::{Receiver, Sender, channel},
};

/// Frames that may wait for one connection: more than any test has outstanding. One that is full loses frames, which
/// the test then finds.
const OUTBOX: usize = 4096;

/// What goes wrong, once, with the third event of each room, for its last follower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    Lose,
    Repeat,
    /// The third comes behind the fourth.
    Swap,
    /// Messages are refused.
    Refuse,
    /// Every connection is closed when the third is sent.
    Close,
    /// With the third, every connection is asked to move.
    Migrate,
    /// Of what a client has missed, the last is left out.
    LoseMissed,
    /// Of what a client has missed, the last comes twice.
    RepeatMissed,
}

/// The server; it ends when it is dropped.
pub(crate) struct StandIn {
    pub(crate) addr: SocketAddr,
    _runtime: Runtime,
}

#[derive(Default)]
struct Room {
    seq: u64,
    /// Messages and signals since the room began, which the faults go by.
    events: u64,
    followers: Vec<(u64, Sender<Vec<u8>>)>,
    kept_back: Option<Vec<u8>>,
    /// Messages, for those who come back.
    log: Vec<(u64, Vec<u8>)>,
    /// By client id: the seq of its message.
    known: HashMap<String, u64>,
}

struct Server {
    rooms: Mutex<HashMap<String, Room>>,
    fault: Fault,
}

impl StandIn {
    pub(crate) fn start(fault: Fault) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let server = Arc::new(Server {
            rooms: Mutex::default(),
            fault,
        });
        runtime.spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(Arc::clone(&server), connection, stream));
            }
        });
        Self {
            addr,
            _runtime: runtime,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.addr)
    }
}

async fn serve(server: Arc<Server>, connection: u64, mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    if !upgrade(&mut stream).await {
        return;
    }
    let (mut reader, mut writer) = stream.into_split();
    let (outbox, mut frames): (_, Receiver<Vec<u8>>) = channel(OUTBOX);
    tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            if writer.write_all(&frame).await.is_err() {
                return;
            }
        }
    });
    push(&outbox, text(&welcome()));
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let mut scratch = vec![0; 16 << 10];
    loop {
        let Ok(len @ 1..) = reader.read(&mut scratch).await else {
            return;
        };
        let mut input = &mut scratch[..len];
        while let Some(message) = decoder.decode(&mut input).unwrap() {
            match message {
                Message::Text(text) => {
                    let incoming = Incoming::decode(Codec::Json, text.as_bytes()).unwrap();
                    server.answer(connection, &outbox, &incoming);
                }
                Message::Close { .. } => {
                    push(&outbox, ws::close_frame(1000, "done"));
                    server.forget(connection);
                    return;
                }
                other => assert!(matches!(other, Message::Pong(_)), "{other:?}"),
            }
        }
    }
}

/// Answers the upgrade; refuses one without a token.
async fn upgrade(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(1..) => {}
            _ => return false,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let answer = match (field("Authorization: Bearer "), field("Sec-WebSocket-Key: ")) {
        (Some(_), Some(key)) => format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: starling.v1.json\r\n\r\n",
            ws::accept_key(key)
        ),
        _ => "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_owned(),
    };
    stream.write_all(answer.as_bytes()).await.unwrap();
    answer.starts_with("HTTP/1.1 101")
}

impl Server {
    fn answer(&self, connection: u64, outbox: &Sender<Vec<u8>>, incoming: &Incoming) {
        let id = serde_json::to_value(&incoming.id).unwrap();
        let mut rooms = self.rooms.lock().unwrap();
        let reply = match &incoming.command {
            Command::JoinRoom(join) => {
                let room = rooms.entry(join.room_id.to_string()).or_default();
                room.seq += 1;
                let event = text(&member_joined(room.seq));
                for (_, follower) in &room.followers {
                    push(follower, event.clone());
                }
                room.followers.push((connection, outbox.clone()));
                joined(join.room_id.as_str(), room.seq)
            }
            Command::Unsubscribe(unsubscribe) => {
                for room in &unsubscribe.room_ids {
                    let room = rooms.get_mut(room.as_str()).unwrap();
                    room.followers.retain(|(other, _)| *other != connection);
                }
                json!({})
            }
            Command::Subscribe(subscribe) if subscribe.all => {
                let all = rooms.iter_mut().map(|(name, room)| {
                    room.followers.push((connection, outbox.clone()));
                    live(name, room.seq)
                });
                json!({"rooms": all.collect::<Vec<_>>()})
            }
            Command::Subscribe(subscribe) => {
                let name = subscribe.rooms[0].room_id.to_string();
                let room = rooms.get_mut(&name).unwrap();
                let reply = json!({"rooms": [live(&name, room.seq)]});
                push(outbox, ok(&id, &reply));
                if let Some(cursor) = &subscribe.rooms[0].cursor {
                    room.replay(self.fault, cursor, outbox);
                }
                room.followers.push((connection, outbox.clone()));
                return;
            }
            Command::SendMessage(_) if self.fault == Fault::Refuse => {
                let error = json!({"code": "rate_limited", "message": "wait", "retryAfterMs": 1000});
                return push(
                    outbox,
                    text(&format!(r#"{{"type":"error","id":{id},"data":{error}}}"#)),
                );
            }
            Command::SendMessage(message) => {
                let name = message.room_id.as_ref().unwrap().to_string();
                let room = rooms.get_mut(&name).unwrap();
                let client_id = message.client_id.as_ref().unwrap().as_str();
                if let Some(seq) = room.known.get(client_id) {
                    return push(outbox, ok(&id, &sent(&name, *seq)));
                }
                room.seq += 1;
                room.known.insert(client_id.to_owned(), room.seq);
                let event = message_created(&name, room.seq, client_id, &message.message.content);
                let frame = text(&event);
                room.log.push((room.seq, frame.clone()));
                room.emit(self.fault, None, &frame);
                sent(&name, room.seq)
            }
            Command::Signal(signal) => {
                let name = signal.room_id.to_string();
                let data =
                    json!({"roomId": name, "senderId": "u", "name": signal.name, "payload": signal.payload});
                let room = rooms.get_mut(&name).unwrap();
                return room.emit(self.fault, Some(connection), &text(&envelope("signal", &data)));
            }
            other => panic!("the stand-in does not know {}", other.name()),
        };
        push(outbox, ok(&id, &reply));
    }

    fn forget(&self, connection: u64) {
        for room in self.rooms.lock().unwrap().values_mut() {
            room.followers.retain(|(other, _)| *other != connection);
        }
    }
}

impl Room {
    /// Sends what came behind a cursor.
    fn replay(&self, fault: Fault, cursor: &str, outbox: &Sender<Vec<u8>>) {
        let (seq, _) = cursor.split_once('.').unwrap();
        let seq: u64 = seq.parse().unwrap();
        let missed = self.log.iter().filter(|(other, _)| *other > seq);
        let mut frames: Vec<_> = missed.map(|(_, frame)| frame.clone()).collect();
        match fault {
            Fault::LoseMissed => drop(frames.pop()),
            Fault::RepeatMissed => frames.extend(frames.last().cloned()),
            _ => {}
        }
        for frame in frames {
            push(outbox, frame);
        }
    }

    /// Sends an event to all followers but one, and makes the fault.
    fn emit(&mut self, fault: Fault, skip: Option<u64>, frame: &[u8]) {
        self.events += 1;
        let strikes = self.events == 3;
        let receivers: Vec<_> = self
            .followers
            .iter()
            .filter(|(key, _)| Some(*key) != skip)
            .collect();
        for (at, (_, follower)) in receivers.iter().enumerate() {
            let last = receivers.len() - 1;
            let mut frames = vec![frame.to_vec()];
            match fault {
                Fault::Lose if strikes && at == last => frames.clear(),
                Fault::Repeat if strikes && at == last => frames.push(frame.to_vec()),
                Fault::Swap if strikes && at == last => self.kept_back = frames.pop(),
                Fault::Swap if at == last => frames.extend(self.kept_back.take()),
                Fault::Migrate if strikes => frames.push(text(r#"{"type":"migrate","data":{"afterMs":5}}"#)),
                Fault::Close if strikes => frames = vec![ws::close_frame(4010, "reads too slowly")],
                _ => {}
            }
            for frame in frames {
                push(follower, frame);
            }
        }
    }
}

fn push(outbox: &Sender<Vec<u8>>, frame: Vec<u8>) {
    // A closed outbox is that of a client that has gone.
    let _ = outbox.try_send(frame);
}

fn text(payload: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    ws::encode(Opcode::Text, payload.as_bytes(), &mut frame);
    frame
}

fn ok(id: &Value, reply: &Value) -> Vec<u8> {
    text(&format!(r#"{{"type":"ok","id":{id},"data":{reply}}}"#))
}

/// An envelope with its fields in the order of the protocol, which [`Value`] does not keep.
fn envelope(kind: &str, data: &Value) -> String {
    format!(r#"{{"type":"{kind}","data":{data}}}"#)
}

fn welcome() -> String {
    let limits = json!({
        "maxFrameBytes": 65536, "maxContentLength": 10000, "commandsPerMinute": 0, "messagesPerMinute": 0,
        "connectionsPerUser": 5, "maxUnacked": 50, "roomsPerSession": 1000, "maxWatched": 500,
        "replayEventsPerConnection": 5000,
    });
    let data = json!({
        "sessionId": "s", "userId": "u", "nodeId": "n", "serverTime": "2026-11-20T12:00:00.000Z",
        "heartbeatMs": 25000, "resumeWindow": 500, "limits": limits,
    });
    envelope("welcome", &data)
}

fn member_joined(seq: u64) -> String {
    envelope("member_joined", &json!({"roomId": "r", "seq": seq}))
}

fn message_created(room: &str, seq: u64, client_id: &str, content: &str) -> String {
    let cursor = format!("{seq}.00000000");
    let data = json!({
        "roomId": room, "seq": seq, "cursor": cursor, "senderId": "u", "clientId": client_id, "content": content,
    });
    envelope("message_created", &data)
}

fn joined(room: &str, head: u64) -> Value {
    let view = json!({
        "roomId": room, "name": room, "kind": "public", "description": "", "maxMembers": 100, "memberCount": 1,
        "settings": {}, "createdBy": "u", "createdAt": "2026-11-20T12:00:00.000Z", "head": head,
    });
    json!({
        "room": view, "role": "member", "head": head, "cursor": format!("{head}.00000000"), "messages": [],
        "onlineCount": 1, "unread": 0, "mentions": 0,
    })
}

fn live(room: &str, head: u64) -> Value {
    json!({"roomId": room, "head": head, "cursor": format!("{head}.00000000"), "unread": 0, "mentions": 0})
}

fn sent(room: &str, seq: u64) -> Value {
    json!({
        "roomId": room, "seq": seq, "messageId": "0191d0a0-0000-7000-8000-000000000000",
        "createdAt": "2026-11-20T12:00:00.000Z", "duplicate": false,
    })
}
