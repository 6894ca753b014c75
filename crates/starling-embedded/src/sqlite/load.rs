//! Loads the facts that a batch is decided by.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, Transaction, params};
use starling_core::rules::{Facts, MessageFact, Needs};

use super::{
    append::Known,
    once::Tail,
    place::seq_of,
    rows::{self, event_columns, member_columns, room_columns},
};

/// Loads what a batch needs, and the rooms as they are in the file.
pub(super) fn load(tx: &Transaction<'_>, needs: &Needs, once: &Tail) -> rusqlite::Result<(Facts, Known)> {
    let mut facts = Facts::default();
    let mut known = Known::with_capacity(needs.rooms.len());
    facts.rooms.reserve(needs.rooms.len());
    let mut find = tx.prepare_cached(concat!("SELECT ", room_columns!(), " FROM room WHERE id = ?1"))?;
    for id in &needs.rooms {
        if let Some((number, room)) = find.query_row([id.as_str()], rows::room).optional()? {
            facts.rooms.insert(id.clone(), room.clone());
            known.insert(id.clone(), (number, room));
        }
    }
    load_members(tx, needs, &known, &mut facts)?;
    load_earlier(tx, needs, once, &known, &mut facts)?;
    load_messages(tx, needs, &known, &mut facts)?;
    let mut count = tx.prepare_cached(
        "SELECT count(*) FROM member WHERE user = ?1 AND reserved = 0 AND standing = 'joined'",
    )?;
    for user in &needs.joined {
        let joined = count.query_row([user.as_str()], |row| row.get(0))?;
        facts.joined.insert(user.clone(), joined);
    }
    Ok((facts, known))
}

fn load_members(
    tx: &Transaction<'_>,
    needs: &Needs,
    known: &Known,
    facts: &mut Facts,
) -> rusqlite::Result<()> {
    let mut find = tx.prepare_cached(concat!(
        "SELECT ",
        member_columns!(),
        " FROM member WHERE room = ?1 AND user = ?2"
    ))?;
    facts.members.reserve(needs.members.len());
    for key in &needs.members {
        let (room, user) = key;
        let Some((number, _)) = known.get(room) else {
            continue;
        };
        let member = find.query_row(params![number.0, user.as_str()], |row| rows::member(row, room, 0));
        if let Some(member) = member.optional()? {
            facts.members.insert(key.clone(), member);
        }
    }
    Ok(())
}

fn load_earlier(
    tx: &Transaction<'_>,
    needs: &Needs,
    once: &Tail,
    known: &Known,
    facts: &mut Facts,
) -> rusqlite::Result<()> {
    let mut look_up = once.look_up(tx)?;
    let mut find = tx.prepare_cached(concat!(
        "SELECT ",
        event_columns!(),
        " FROM entry JOIN event ON event.number = entry.event WHERE entry.place = ?1"
    ))?;
    for key in &needs.earlier {
        let (room, sender, client_id) = key;
        let Some((number, _)) = known.get(room) else {
            continue;
        };
        for place in look_up.places(number.digest(sender, client_id))? {
            let event = find.query_row([place], |row| rows::event(row, room)).optional()?;
            // One that was trimmed is found until its digest is forgotten.
            let Some(event) = event else { continue };
            // The digests of two client ids may be the same; the texts are not.
            if event.sender == *sender && event.client_id == *client_id {
                facts.earlier.insert(key.clone(), Arc::new(event));
                break;
            }
        }
    }
    Ok(())
}

fn load_messages(
    tx: &Transaction<'_>,
    needs: &Needs,
    known: &Known,
    facts: &mut Facts,
) -> rusqlite::Result<()> {
    let mut find = tx.prepare_cached(
        "SELECT sender, deleted_at IS NOT NULL, thread FROM entry WHERE place = ?1 AND sender IS NOT NULL",
    )?;
    for key in &needs.messages {
        let Some((number, _)) = known.get(&key.0) else {
            continue;
        };
        let fact = find.query_row([number.place(key.1)], |row| {
            Ok(MessageFact {
                sender: rows::id(row, 0)?,
                deleted: row.get(1)?,
                thread: row.get::<_, Option<i64>>(2)?.map(seq_of),
            })
        });
        if let Some(fact) = fact.optional()? {
            facts.messages.insert(key.clone(), fact);
        }
    }
    let mut find =
        tx.prepare_cached("SELECT 1 FROM reaction WHERE place = ?1 AND user = ?2 AND emoji = ?3")?;
    for key in &needs.reactions {
        let (room, seq, user, emoji) = key;
        let Some((number, _)) = known.get(room) else {
            continue;
        };
        if find.exists(params![number.place(*seq), user.as_str(), emoji])? {
            facts.reactions.insert(key.clone());
        }
    }
    Ok(())
}
