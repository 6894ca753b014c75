//! One line for each command.

use std::sync::Arc;

use starling_core::{Authority, Draft, Refusal, RoomId};
use starling_protocol::{
    CloseCode, Command, CommandId,
    codec::Envelope,
    command::{Incoming, SendMessage, Signal},
    reply::{Pong, Refreshed},
};
use tokio::time::Instant;

use super::{Actor, Session, follow};
use crate::{
    audit,
    conn::{
        Class, Conn,
        task::{Flow, Received},
    },
    hub::SharedFrame,
    lanes::{Item, Tell},
    node::Node,
    ops::{self, Cost},
};

/// Rate-limited commands in a minute after which the socket is closed: the client does not listen.
const MAX_LIMITED: u32 = 300;

/// Carries out a burst of commands, in order.
pub(crate) async fn carry_out(
    node: Arc<Node>,
    conn: Arc<Conn>,
    session: Option<Arc<Session>>,
    received: Vec<Received>,
) -> Flow {
    let mut session = session;
    let mut flow = Flow::Continue;
    let mut burst = Burst {
        accepted: Instant::now(),
        signals: Vec::new(),
    };
    for frame in received {
        if conn
            .closing()
            .is_some_and(|code| code != CloseCode::BadFrames.code())
        {
            break;
        }
        let incoming = match frame {
            Ok(incoming) => incoming,
            Err(bad) => {
                conn.refuse(bad.id.as_ref(), &bad.refusal);
                continue;
            }
        };
        node.metrics.commands.inc();
        if !matches!(incoming.command, Command::Signal(_)) {
            burst.tell_signals(&node).await;
        }
        match &session {
            Some(session) => one(&node, session, incoming, &mut burst).await,
            None => {
                if let Some(opened) = authenticate(&node, &conn, incoming).await {
                    session = Some(opened.clone());
                    flow = Flow::Authenticated(opened);
                }
            }
        }
    }
    burst.tell_signals(&node).await;
    flow
}

/// What the commands of a burst have in common.
struct Burst {
    accepted: Instant,
    /// Signals in a row are told to the hub together: else the first of them would be on its way to all members, alone,
    /// while the others are still read.
    signals: Vec<(RoomId, SharedFrame)>,
}

impl Burst {
    async fn tell_signals(&mut self, node: &Node) {
        if !self.signals.is_empty() {
            node.hub.ephemeral(std::mem::take(&mut self.signals)).await;
        }
    }
}

/// Before the token came there is one command.
async fn authenticate(node: &Arc<Node>, conn: &Arc<Conn>, incoming: Incoming) -> Option<Arc<Session>> {
    let Command::Authenticate(data) = incoming.command else {
        let refusal = Refusal::Unauthenticated("send authenticate {token} first");
        conn.refuse(incoming.id.as_ref(), &refusal);
        return None;
    };
    match node.verifier.verify(&data.token) {
        Ok(identity) => {
            let opened = super::open(node, conn, identity).await?;
            conn.reply(
                incoming.id.as_ref(),
                &serde_json::json!({ "userId": opened.user }),
            );
            Some(opened)
        }
        Err(refusal) => {
            audit::refused("token", refusal.code());
            conn.refuse(incoming.id.as_ref(), &refusal);
            conn.close(CloseCode::InvalidToken);
            None
        }
    }
}

async fn one(node: &Arc<Node>, session: &Arc<Session>, incoming: Incoming, burst: &mut Burst) {
    let Incoming { id, command } = incoming;
    let result = match charge(node, session, &command).await {
        Ok(()) => dispatch(node, session, id.as_ref(), command, burst).await,
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = result {
        session.conn.refuse(id.as_ref(), &refusal);
    }
}

/// Takes from the user's budgets.
async fn charge(node: &Node, session: &Session, command: &Command) -> Result<(), Refusal> {
    let cost = match command {
        // A heartbeat costs nothing, and a token must get through.
        Command::Ping(_) | Command::Authenticate(_) | Command::RefreshToken(_) => return Ok(()),
        Command::SendMessage(_) => Cost::Message,
        _ => Cost::Command,
    };
    let charged = ops::charge(node, &session.user, cost).await;
    if charged.is_err() && session.count_limited(node.clock.now()) > MAX_LIMITED {
        session.conn.close(CloseCode::RateLimited);
    }
    charged
}

async fn dispatch(
    node: &Arc<Node>,
    session: &Arc<Session>,
    id: Option<&CommandId>,
    command: Command,
    burst: &mut Burst,
) -> Result<(), Refusal> {
    let actor = Actor {
        identity: session.identity(),
    };
    let conn = &session.conn;
    let nothing = serde_json::json!({});
    match command {
        Command::SendMessage(data) => return send(node, &actor, session, (id, data), burst.accepted),
        Command::Ping(_) => conn.pong(
            id,
            &Pong {
                server_time: node.clock.now(),
            },
        ),
        Command::Authenticate(_) => {
            return Err(Refusal::InvalidMessage(
                "this session has its token; use refresh_token".into(),
            ));
        }
        Command::RefreshToken(data) => return refresh(node, session, id, &data.token),
        Command::JoinRoom(data) => return follow::join(node, &actor, session, id, data).await,
        Command::Subscribe(data) => return follow::subscribe(node, &actor, session, id, data).await,
        Command::Unsubscribe(data) => {
            follow::unsubscribe(node, session, data).await;
            conn.reply(id, &nothing);
        }
        Command::CreateRoom(data) => conn.reply(id, &ops::rooms::create(node, &actor, data).await?),
        Command::LeaveRoom(data) => {
            let appended = ops::rooms::leave(node, &actor, &data.room_id).await?;
            follow::detach_by(node, session, &data.room_id, appended.seq).await;
            conn.reply(id, &appended);
        }
        Command::UpdateRoom(data) => conn.reply(id, &ops::rooms::update(node, &actor, data).await?),
        Command::DeleteRoom(data) => conn.reply(id, &ops::rooms::delete(node, &actor, data.room_id).await?),
        Command::Invite(data) => conn.reply(id, &ops::members::invite(node, &actor, data).await?),
        Command::Kick(data) => conn.reply(id, &ops::members::kick(node, &actor, data).await?),
        Command::Ban(data) => conn.reply(id, &ops::members::ban(node, &actor, data).await?),
        Command::Unban(data) => conn.reply(id, &ops::members::unban(node, &actor, data).await?),
        Command::Mute(data) => conn.reply(id, &ops::members::mute(node, &actor, data).await?),
        Command::Unmute(data) => conn.reply(id, &ops::members::unmute(node, &actor, data).await?),
        Command::SetRole(data) => conn.reply(id, &ops::members::set_role(node, &actor, data).await?),
        Command::ListRooms(data) => conn.reply(id, &ops::rooms::list(node, &actor, data).await?),
        Command::ListMembers(data) => conn.reply(id, &ops::members::list(node, &actor, data).await?),
        Command::EditMessage(data) => conn.reply(id, &ops::messages::edit(node, &actor, data).await?),
        Command::DeleteMessage(data) => conn.reply(id, &ops::messages::delete(node, &actor, data).await?),
        Command::AddReaction(data) => conn.reply(id, &ops::messages::react(node, &actor, data, true).await?),
        Command::RemoveReaction(data) => {
            conn.reply(id, &ops::messages::react(node, &actor, data, false).await?)
        }
        Command::MarkRead(data) => conn.reply(id, &ops::messages::mark_read(node, &actor, data).await?),
        Command::FetchHistory(data) => conn.reply(id, &ops::messages::history(node, &actor, data).await?),
        Command::FetchEvents(data) => {
            let page = ops::messages::events(node, &actor, data).await?;
            conn.reply(id, &page.as_reply());
        }
        Command::TypingStart(data) => {
            typing(node, &actor, session, data.room_id, true).await?;
            conn.reply(id, &nothing);
        }
        Command::TypingStop(data) => {
            typing(node, &actor, session, data.room_id, false).await?;
            conn.reply(id, &nothing);
        }
        Command::Signal(data) => {
            burst.signals.push(signal(node, &actor, session, data)?);
            conn.reply(id, &nothing);
        }
        Command::SetPresence(data) => {
            conn.reply(id, &ops::presence::set(node, session, data)?);
        }
        Command::WatchPresence(data) => {
            conn.reply(id, &ops::presence::watch(node, session, data.user_ids).await?)
        }
        Command::UnwatchPresence(data) => {
            node.presence.unwatch(session, session.unwatch(&data.user_ids));
            conn.reply(id, &nothing);
        }
    }
    Ok(())
}

/// Hands a message to its lane, which writes the reply: the next command does not wait for the commit.
fn send(
    node: &Arc<Node>,
    actor: &Actor,
    session: &Arc<Session>,
    (id, data): (Option<&CommandId>, SendMessage),
    accepted: Instant,
) -> Result<(), Refusal> {
    let echo = data.echo;
    let draft: Draft = ops::messages::draft(node, actor, data)?;
    debug_assert!(draft.authority != Authority::Grant, "a grant is for joining");
    session.count_unacked(node.config.messages.max_unacked)?;
    node.metrics.messages_in.inc();
    let trace = node.trace(&draft.room, accepted, None);
    let tell = Tell::Sender {
        session: session.clone(),
        id: id.cloned(),
    };
    let skip = (!echo).then_some(session.conn.key);
    node.lanes
        .submit(Item {
            draft,
            tell,
            skip,
            accepted,
            trace,
        })
        .inspect_err(|_| {
            session.acked();
        })
}

fn refresh(node: &Node, session: &Session, id: Option<&CommandId>, token: &str) -> Result<(), Refusal> {
    let identity = match node.verifier.verify(token) {
        Ok(identity) if identity.user == session.user => identity,
        Ok(_) => {
            return Err(Refusal::Unauthenticated(
                "the token names another user; open a new connection for them",
            ));
        }
        Err(refusal) => {
            session.conn.refuse(id, &refusal);
            session.conn.close(CloseCode::InvalidToken);
            return Ok(());
        }
    };
    let expires_at = identity.expires_at;
    session.refresh(identity);
    session.conn.reply(id, &Refreshed { expires_at });
    Ok(())
}

async fn typing(
    node: &Node,
    actor: &Actor,
    session: &Session,
    room: RoomId,
    is_typing: bool,
) -> Result<(), Refusal> {
    require_follower(session, &room)?;
    ops::live::typing(node, actor, room, is_typing, Some(session.conn.key)).await
}

/// What the hub is to be told of a signal.
fn signal(
    node: &Node,
    actor: &Actor,
    session: &Session,
    data: Signal,
) -> Result<(RoomId, SharedFrame), Refusal> {
    require_follower(session, &data.room_id)?;
    ops::live::signal(node, actor, data, Some(session.conn.key))
}

/// Ephemeral commands go to who follows the room live, by who does.
fn require_follower(session: &Session, room: &RoomId) -> Result<(), Refusal> {
    if session.follows(room) {
        Ok(())
    } else {
        Err(Refusal::NotMember)
    }
}

impl Conn {
    /// The answer to `ping` is a `pong`, with or without an id.
    fn pong(&self, id: Option<&CommandId>, pong: &Pong) {
        self.send_envelope(
            &Envelope {
                kind: "pong",
                id,
                data: pong,
            },
            Class::Reply,
        );
    }
}
