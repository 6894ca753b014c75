//! A connection of a model's node: its commands one after the other, each step of them on its own, as `session::follow`
//! takes them.

use std::{collections::VecDeque, sync::Arc};

use serde::Serialize;
use starling_core::{Cursor, Draft, Refusal, RoomId, SessionId, Timestamp, UserId};
use starling_protocol::{Codec, CommandId};
use tokio::sync::oneshot;

use super::{
    log::Log,
    node::{Node, Ticket},
    pipe::Pipe,
};
use crate::{
    auth::Identity,
    conn::{Class, Conn, outbox},
    hub::{Attach, Attached, From, ToShard},
    lanes::Item,
    metrics::Metrics,
    session::Session,
};

/// Frames and bytes that wait for a socket.
pub(super) const OUTBOX: outbox::Bounds = outbox::Bounds {
    bytes: 6_000,
    frames: 8,
};

/// What a client asks.
pub(super) enum Command {
    Subscribe {
        id: i64,
        room: RoomId,
        cursor: Option<Cursor>,
    },
    Unsubscribe {
        room: RoomId,
    },
    Append {
        id: i64,
        lane: usize,
        draft: Box<Draft>,
    },
}

pub(super) struct ServerSession {
    pub(super) session: Arc<Session<Pipe>>,
    pub(super) commands: VecDeque<Command>,
    following: Option<Following>,
    /// The peer is gone.
    pub(super) is_cut: bool,
}

/// `subscribe`, step by step.
struct Following {
    id: i64,
    room: RoomId,
    next: Next,
}

enum Next {
    /// The user reads the room as of this seq.
    Checked { since: u64, cursor: Option<Cursor> },
    Attaching {
        since: u64,
        answer: oneshot::Receiver<Result<Attached, Refusal>>,
    },
    /// The reply is written.
    Activate,
}

#[derive(Serialize)]
struct Live {
    room: RoomId,
    head: Cursor,
}

impl ServerSession {
    pub(super) fn new(key: u64, user: UserId, pipe: Pipe, metrics: Arc<Metrics>) -> Self {
        let conn = Arc::new(Conn::new(key, Codec::Json, pipe, OUTBOX, metrics));
        let identity = Identity {
            user,
            name: None,
            admin: false,
            grants: Arc::new([]),
            expires_at: Timestamp::from_millis(i64::MAX),
        };
        let id = SessionId::parse(&format!("s{key}")).expect("a session id");
        let now = Timestamp::from_millis(1);
        Self {
            session: Arc::new(Session::new(id, conn, identity, 5000, now)),
            commands: VecDeque::new(),
            following: None,
            is_cut: false,
        }
    }

    pub(super) fn key(&self) -> u64 {
        self.session.conn.key
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.commands.is_empty() && self.following.is_none() && !self.is_over()
    }

    fn is_over(&self) -> bool {
        self.is_cut || self.session.conn.closing().is_some()
    }
}

impl Node {
    /// One step of a connection: it drains, goes on with a command, ends, or takes the next command.
    pub(super) fn run_session(&mut self, at: usize, log: &Log) {
        let entry = &mut self.sessions[at];
        let session = entry.session.clone();
        let key = entry.key();
        if !session.conn.is_clear() && session.conn.drain() {
            for room in session.take_lagging() {
                self.tell_later(ToShard::Resume { room, key });
            }
        }
        let entry = &mut self.sessions[at];
        if let Some(following) = entry.following.take() {
            self.sessions[at].following = self.follow(&session, following, log);
        } else if entry.is_over() {
            session.conn.end();
            let (rooms, _) = session.end();
            self.sessions.swap_remove(at);
            for room in rooms {
                self.tell(ToShard::Detach { room, key, by: None });
            }
        } else if let Some(command) = entry.commands.pop_front() {
            self.take(at, command, log);
        }
    }

    fn take(&mut self, at: usize, command: Command, log: &Log) {
        let entry = &mut self.sessions[at];
        match command {
            Command::Subscribe { id, room, cursor } => {
                if log.is_member(&room, &entry.session.user) {
                    let since = log.head(&room).cursor.seq;
                    let next = Next::Checked { since, cursor };
                    entry.following = Some(Following { id, room, next });
                } else {
                    refuse(&entry.session, id, &Refusal::NotMember);
                }
            }
            Command::Unsubscribe { room } => {
                let session = entry.session.clone();
                self.detach(&session, room);
            }
            Command::Append { id, lane, draft } => {
                let tell = Ticket {
                    key: entry.key(),
                    command: id,
                };
                self.lanes[lane].waiting.push_back(Item {
                    draft: *draft,
                    tell,
                    skip: None,
                    accepted: tokio::time::Instant::now(),
                    trace: None,
                });
            }
        }
    }

    fn follow(&mut self, session: &Arc<Session<Pipe>>, following: Following, log: &Log) -> Option<Following> {
        let Following { id, room, next } = following;
        let next = match next {
            Next::Checked { since, cursor } => {
                session.note_room(&room, 10).expect("few rooms");
                let (reply, answer) = oneshot::channel();
                self.tell(ToShard::Attach(Attach {
                    room: room.clone(),
                    session: session.clone(),
                    from: cursor.map_or(From::Head, From::Cursor),
                    since,
                    reply: Some(reply),
                }));
                Next::Attaching { since, answer }
            }
            Next::Attaching { since, mut answer } => match answer.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => Next::Attaching { since, answer },
                Err(oneshot::error::TryRecvError::Closed) => panic!("nobody answers who follows {room}"),
                Ok(answered) => {
                    let is_member = || log.is_member(&room, &session.user);
                    match answered {
                        Ok(attached) if attached.is_covered_by(since) || is_member() => {
                            reply(session, id, &room, attached);
                            Next::Activate
                        }
                        refused => {
                            let refusal = refused.err().unwrap_or(Refusal::NotMember);
                            refuse(session, id, &refusal);
                            self.detach(session, room);
                            return None;
                        }
                    }
                }
            },
            Next::Activate => {
                let key = session.conn.key;
                self.tell(ToShard::Activate { room, key });
                return None;
            }
        };
        Some(Following { id, room, next })
    }

    fn detach(&mut self, session: &Session<Pipe>, room: RoomId) {
        if session.forget_room(&room) {
            let key = session.conn.key;
            self.tell(ToShard::Detach { room, key, by: None });
        }
    }
}

fn reply(session: &Session<Pipe>, id: i64, room: &RoomId, attached: Attached) {
    let live = Live {
        room: room.clone(),
        head: attached.head,
    };
    session.conn.reply(Some(&CommandId::Number(id)), &live);
    if let Some(gap) = attached.gap {
        session.conn.send_event("gap", &gap, Class::Reply);
    }
}

fn refuse(session: &Session<Pipe>, id: i64, refusal: &Refusal) {
    session.conn.refuse(Some(&CommandId::Number(id)), refusal);
}
