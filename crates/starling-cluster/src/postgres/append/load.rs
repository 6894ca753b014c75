//! The first round trip of a batch: lock its rooms, load what its rules need.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use starling_core::{
    Action, Draft, RoomId,
    event::MessageCreated,
    rules::{Facts, MessageFact, Needs},
};
use tokio_postgres::{Client, Error, Row};

use super::{Statements, Step};
use crate::postgres::{
    error::Unreadable,
    pipeline::{ask, pipelined, tell},
    rows::{Cells, int, storable, uint},
    sql,
};

/// What was loaded: the facts for the rules, and what this backend keeps beside them.
pub(super) struct Loaded {
    pub(super) facts: Facts,
    pub(super) before: Before,
}

/// What it takes to store what follows from a batch.
#[derive(Default)]
pub(super) struct Before {
    /// How many messages each room has had. A room that is missing here does not exist.
    pub(super) message_counts: HashMap<RoomId, u64>,
    /// The threads of the messages referred to, where they are in one.
    pub(super) threads: HashMap<(RoomId, u64), u64>,
    /// The messages that are to be deleted.
    pub(super) messages: HashMap<(RoomId, u64), MessageCreated>,
}

/// Begins a transaction that holds the locks of the batch's rooms, and loads.
pub(super) async fn load(
    client: &Client,
    statements: &Statements,
    batch: &[Draft],
    needs: &Needs,
) -> Result<Loaded, Step> {
    let deletions = batch.iter().filter_map(|draft| match draft.action {
        Action::Delete { ref_seq } => Some((draft.room.clone(), ref_seq)),
        _ => None,
    });
    let replies = request(client, statements, needs, &deletions.collect())
        .await
        .map_err(Step::Driver)?;
    read(needs, &replies).map_err(Step::Unreadable)
}

struct Replies {
    rooms: Vec<Row>,
    members: Vec<Row>,
    earlier: Vec<Row>,
    messages: Vec<Row>,
    reactions: Vec<Row>,
    joined: Vec<Row>,
}

async fn request(
    client: &Client,
    st: &Statements,
    needs: &Needs,
    deletions: &HashSet<(RoomId, u64)>,
) -> Result<Replies, Error> {
    let rooms: Vec<&str> = needs.rooms.iter().map(RoomId::as_str).collect();
    let (member_rooms, member_users): (Vec<&str>, Vec<&str>) = needs
        .members
        .iter()
        .map(|(room, user)| (room.as_str(), user.as_str()))
        .unzip();
    let (mut rooms_of, mut senders, mut client_ids) = (Vec::new(), Vec::new(), Vec::new());
    for (room, sender, client_id) in &needs.earlier {
        rooms_of.push(room.as_str());
        senders.push(sender.as_str());
        client_ids.push(client_id.as_str());
    }
    let (message_rooms, message_seqs): (Vec<&str>, Vec<i64>) = needs
        .messages
        .iter()
        .map(|(room, seq)| (room.as_str(), int(*seq)))
        .unzip();
    let with_body: Vec<bool> = needs.messages.iter().map(|key| deletions.contains(key)).collect();
    let (mut in_rooms, mut on_seqs, mut by_users, mut emojis) = (vec![], vec![], vec![], vec![]);
    for (room, seq, user, emoji) in &needs.reactions {
        in_rooms.push(room.as_str());
        on_seqs.push(int(*seq));
        by_users.push(user.as_str());
        emojis.push(storable(emoji));
    }
    let joiners: Vec<&str> = needs.joined.iter().map(|user| user.as_str()).collect();
    let [_, rooms, members, earlier, messages, reactions, joined] = pipelined([
        tell(client, sql::BEGIN),
        ask(client, true, &st.lock_rooms, vec![&rooms]),
        ask(client, true, &st.load_members, vec![&member_rooms, &member_users]),
        ask(
            client,
            true,
            &st.load_earlier,
            vec![&rooms_of, &senders, &client_ids],
        ),
        ask(
            client,
            !message_rooms.is_empty(),
            &st.load_messages,
            vec![&message_rooms, &message_seqs, &with_body],
        ),
        ask(
            client,
            !in_rooms.is_empty(),
            &st.load_reactions,
            vec![&in_rooms, &on_seqs, &by_users, &emojis],
        ),
        ask(client, !joiners.is_empty(), &st.count_joined, vec![&joiners]),
    ])
    .await?;
    Ok(Replies {
        rooms,
        members,
        earlier,
        messages,
        reactions,
        joined,
    })
}

fn read(needs: &Needs, replies: &Replies) -> Result<Loaded, Unreadable> {
    let mut facts = Facts::default();
    let mut before = Before::default();
    for row in &replies.rooms {
        let mut cells = Cells::of(row);
        let room = cells.room()?;
        before.message_counts.insert(room.id.clone(), cells.uint()?);
        facts.rooms.insert(room.id.clone(), room);
    }
    for row in &replies.members {
        let member = Cells::of(row).member()?;
        facts
            .members
            .insert((member.room.clone(), member.user.clone()), member);
    }
    for row in &replies.earlier {
        let event = Arc::new(Cells::of(row).event()?);
        let key = (event.room.clone(), event.sender.clone(), event.client_id.clone());
        facts.earlier.insert(key, event);
    }
    let asked: Vec<_> = needs.messages.iter().collect();
    for row in &replies.messages {
        let mut cells = Cells::of(row);
        let key = asked_for(&asked, cells.place()?)?;
        let sender = cells.user_id()?;
        let thread = cells.next::<Option<i64>>()?.map(uint);
        let deleted = cells.next()?;
        before.threads.extend(thread.map(|thread| (key.clone(), thread)));
        if let Some(message) = cells.message_or_none()? {
            before.messages.insert(key.clone(), message);
        }
        let fact = MessageFact {
            sender,
            deleted,
            thread,
        };
        facts.messages.insert(key.clone(), fact);
    }
    let asked: Vec<_> = needs.reactions.iter().collect();
    for row in &replies.reactions {
        let key = asked_for(&asked, Cells::of(row).place()?)?;
        facts.reactions.insert(key.clone());
    }
    let asked: Vec<_> = needs.joined.iter().collect();
    for row in &replies.joined {
        let mut cells = Cells::of(row);
        let user = asked_for(&asked, cells.place()?)?;
        facts.joined.insert(user.clone(), cells.uint32()?);
    }
    Ok(Loaded { facts, before })
}

fn asked_for<'a, T>(asked: &[&'a T], place: usize) -> Result<&'a T, Unreadable> {
    asked.get(place).copied().ok_or_else(|| Unreadable::Value {
        what: "place",
        value: place.to_string(),
    })
}
