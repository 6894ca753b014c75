//! The present state of messages, as events change it.

use std::collections::HashSet;

use rusqlite::{OptionalExtension as _, Transaction, params};
use starling_core::{
    EventBody, RoomEvent,
    event::{MessageCreated, MessageUpdated, Reaction},
};

use super::place::{RoomNumber, signed};

/// Applies what an event does to messages. It has its entry already.
pub(super) fn apply(tx: &Transaction<'_>, room: RoomNumber, event: &RoomEvent) -> rusqlite::Result<()> {
    match &event.body {
        EventBody::MessageCreated(message) => create(tx, room, event, message),
        EventBody::MessageUpdated(edit) => update(tx, room, event, edit),
        EventBody::MessageDeleted(deleted) => delete(tx, room.place(deleted.ref_seq), event),
        EventBody::ReactionAdded(reaction) => react(tx, room, event, reaction),
        EventBody::ReactionRemoved(reaction) => unreact(tx, room, event, reaction),
        _ => Ok(()),
    }
}

fn create(
    tx: &Transaction<'_>,
    room: RoomNumber,
    event: &RoomEvent,
    message: &MessageCreated,
) -> rusqlite::Result<()> {
    if let Some(thread) = message.thread {
        count_reply(tx, room.place(thread), 1)?;
    }
    let others: HashSet<_> = message
        .mentions
        .iter()
        .filter(|user| **user != event.sender)
        .collect();
    for user in others {
        tx.prepare_cached("INSERT INTO mention (user, place) VALUES (?1, ?2)")?
            .execute(params![user.as_str(), room.place(event.seq)])?;
    }
    Ok(())
}

fn count_reply(tx: &Transaction<'_>, thread: i64, by: i64) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE entry SET replies = replies + ?2 WHERE place = ?1")?
        .execute([thread, by])?;
    Ok(())
}

fn update(
    tx: &Transaction<'_>,
    room: RoomNumber,
    event: &RoomEvent,
    edit: &MessageUpdated,
) -> rusqlite::Result<()> {
    tx.prepare_cached("UPDATE entry SET content = ?2, edited_at = ?3 WHERE place = ?1")?
        .execute(params![
            room.place(edit.ref_seq),
            edit.content,
            event.at.as_millis()
        ])?;
    Ok(())
}

/// Removes what a message said from its row, from its own event and from those of its edits. The places remain.
fn delete(tx: &Transaction<'_>, place: i64, event: &RoomEvent) -> rusqlite::Result<()> {
    for forget in [
        "DELETE FROM mention WHERE (user, place) IN (SELECT value, ?1 FROM event, json_each(event.body, '$.mentions') \
         WHERE event.number = (SELECT event FROM entry WHERE place = ?1))",
        "DELETE FROM reaction WHERE place = ?1",
        "DELETE FROM reaction_count WHERE place = ?1",
        "UPDATE event SET body = \
         json_remove(json_set(body, '$.content', ''), '$.attachments', '$.mentions', '$.metadata') \
         WHERE number = (SELECT event FROM entry WHERE place = ?1)",
        "UPDATE event SET body = json_set(body, '$.content', '') \
         WHERE number IN (SELECT event FROM entry WHERE edits = ?1)",
    ] {
        tx.prepare_cached(forget)?.execute([place])?;
    }
    let thread = tx
        .prepare_cached("UPDATE entry SET content = NULL, deleted_at = ?2 WHERE place = ?1 RETURNING thread")?
        .query_row([place, event.at.as_millis()], |row| row.get::<_, Option<i64>>(0))
        .optional()?;
    match thread.flatten() {
        Some(thread) => count_reply(tx, thread, -1),
        None => Ok(()),
    }
}

fn react(
    tx: &Transaction<'_>,
    room: RoomNumber,
    event: &RoomEvent,
    reaction: &Reaction,
) -> rusqlite::Result<()> {
    let place = room.place(reaction.ref_seq);
    tx.prepare_cached("INSERT INTO reaction (place, user, emoji, seq) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            place,
            event.sender.as_str(),
            reaction.emoji,
            signed(event.seq)
        ])?;
    tx.prepare_cached(
        "INSERT INTO reaction_count (place, emoji, count) VALUES (?1, ?2, 1) \
         ON CONFLICT (place, emoji) DO UPDATE SET count = count + 1",
    )?
    .execute(params![place, reaction.emoji])?;
    Ok(())
}

fn unreact(
    tx: &Transaction<'_>,
    room: RoomNumber,
    event: &RoomEvent,
    reaction: &Reaction,
) -> rusqlite::Result<()> {
    let place = room.place(reaction.ref_seq);
    tx.prepare_cached("DELETE FROM reaction WHERE place = ?1 AND user = ?2 AND emoji = ?3")?
        .execute(params![place, event.sender.as_str(), reaction.emoji])?;
    tx.prepare_cached("UPDATE reaction_count SET count = count - 1 WHERE place = ?1 AND emoji = ?2")?
        .execute(params![place, reaction.emoji])?;
    tx.prepare_cached("DELETE FROM reaction_count WHERE place = ?1 AND emoji = ?2 AND count = 0")?
        .execute(params![place, reaction.emoji])?;
    Ok(())
}
