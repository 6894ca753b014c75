//! What can be done, whoever asks: a socket's command and a REST route come to the same function. Each reads as a
//! sentence: check the input, decide or let the log decide, answer.

pub(crate) mod live;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod notify;
pub(crate) mod presence;
pub(crate) mod rooms;

use starling_core::{
    Action, Authority, ClientId, Draft, EventId, Outcome, Refusal, RoomId, UserId,
    ports::{Charge, Unavailable, Verdict},
};
use starling_protocol::reply::Appended;

use crate::{audit::Act, node::Node, session::Actor};

/// What an operation costs its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    /// One command.
    Command,
    /// One command and one message.
    Message,
}

/// Takes from a user's budgets: all of what it costs, or nothing.
pub(crate) async fn charge(node: &Node, user: &UserId, cost: Cost) -> Result<(), Refusal> {
    let command = Charge::Command(user.clone(), node.config.limits.commands);
    let message = Charge::Message(user.clone(), node.config.messages.rate);
    let (charges, what) = match cost {
        Cost::Command => (vec![command], "commands"),
        Cost::Message => (vec![command, message], "messages"),
    };
    match node.backend.limits.take(&charges).await {
        Verdict::Granted => Ok(()),
        Verdict::RetryAfter(retry_after) => Err(Refusal::RateLimited { what, retry_after }),
    }
}

/// A store is away: told to the client as such, and to the log with its cause.
pub(crate) fn away(error: &Unavailable) -> Refusal {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        service = error.service,
        "a read failed"
    );
    Refusal::unavailable()
}

/// A limit of a list: the default, or what was asked, up to the most.
fn limit(asked: Option<usize>, default: usize, most: usize) -> Result<usize, Refusal> {
    match asked {
        Some(0) => Err(Refusal::InvalidMessage("limit is at least 1".into())),
        asked => Ok(asked.unwrap_or(default).min(most)),
    }
}

fn check_length(what: &str, text: &str, least: usize, most: usize) -> Result<(), Refusal> {
    let length = text.chars().count();
    if length < least || length > most {
        return Err(Refusal::InvalidMessage(format!(
            "{what} has {least} to {most} characters, not {length}"
        )));
    }
    Ok(())
}

/// In which capacity an actor acts on a room.
fn authority(actor: &Actor) -> Authority {
    if actor.identity.admin {
        Authority::Admin
    } else {
        Authority::Member
    }
}

/// A draft by an actor, with ids of our own making.
fn draft(node: &Node, actor: &Actor, room: RoomId, action: Action) -> Draft {
    let at = node.clock.now();
    let event_id = EventId::new(at, rand::random());
    Draft {
        room,
        sender: actor.user().clone(),
        sender_name: actor.identity.name.clone(),
        authority: authority(actor),
        client_id: ClientId::of_event(event_id),
        event_id,
        at,
        action,
    }
}

/// Appends one action and waits for it.
async fn append(node: &Node, actor: &Actor, room: RoomId, action: Action) -> Result<Appended, Refusal> {
    let act = Act::of(&action);
    let outcome = node.lanes.append(draft(node, actor, room.clone(), action)).await;
    if let Some(act) = act {
        act.decided(actor.user(), &room, &outcome);
    }
    match outcome? {
        Outcome::Committed(event) | Outcome::Repeated(event) => Ok(Appended {
            room_id: room,
            seq: Some(event.seq),
        }),
        Outcome::Unchanged => Ok(Appended {
            room_id: room,
            seq: None,
        }),
        Outcome::Refused(refusal) => Err(refusal),
    }
}

/// Bytes of a value as JSON.
fn json_len<T: serde::Serialize>(value: &T) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail, and a value read from the wire has a JSON form.
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
}
