//! Stores what a batch comes to.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Transaction, params};
use starling_core::{
    ClientId, EventBody, Member, Role, Room, RoomEvent, RoomId, Timestamp, room::Standing, rules::Plan,
};

use super::{
    append::Known,
    effects,
    once::Digest,
    place::{RoomNumber, signed},
    rows,
};

/// Stores a plan behind the event with this number, and answers the digests of its events and the number of the last.
pub(super) fn store(
    tx: &Transaction<'_>,
    known: Known,
    last_event: i64,
    plan: &Plan,
) -> rusqlite::Result<(Vec<Digest>, i64)> {
    let mut last_at = HashMap::with_capacity(plan.rooms.len());
    for event in &plan.events {
        last_at.insert(&event.room, event.at.as_millis());
    }
    let mut rooms = Rooms { tx, known };
    for room in &plan.rooms {
        let at = last_at.get(&room.id).copied().unwrap_or_default();
        rooms.store(room, at)?;
    }
    for event in &plan.events {
        if matches!(event.body, EventBody::RoomDeleted(_)) {
            rooms.reset_members(&event.room)?;
        }
    }
    for member in &plan.members {
        rooms.store_member(member)?;
    }
    let mut events = Events::behind(tx, last_event)?;
    for event in &plan.events {
        events.store(rooms.number(&event.room)?, event)?;
    }
    Ok((events.digests, events.last_event))
}

struct Rooms<'a> {
    tx: &'a Transaction<'a>,
    known: Known,
}

impl Rooms<'_> {
    fn number(&self, room: &RoomId) -> rusqlite::Result<RoomNumber> {
        let known = self.known.get(room).map(|(number, _)| *number);
        known.ok_or(rusqlite::Error::QueryReturnedNoRows)
    }

    fn store(&mut self, room: &Room, last_at: i64) -> rusqlite::Result<()> {
        match self.known.get(&room.id) {
            Some((number, before)) if differ_by_head_only(before, room) => {
                self.move_head(*number, room, last_at)
            }
            Some((number, _)) => self.replace_room(*number, room, last_at),
            None => {
                let number = self.insert_room(room, last_at)?;
                self.known.insert(room.id.clone(), (number, room.clone()));
                Ok(())
            }
        }
    }

    /// What an ordinary message does to its room.
    fn move_head(&self, number: RoomNumber, room: &Room, last_at: i64) -> rusqlite::Result<()> {
        let mut update = self.tx.prepare_cached(
            "UPDATE room SET last_seq = ?2, last_event = ?3, last_at = ?4 WHERE number = ?1",
        )?;
        let last_event = room.last_event.as_ref().map(|id| id.0.as_bytes().as_slice());
        update.execute(params![number.0, signed(room.last_seq), last_event, last_at])?;
        Ok(())
    }

    fn replace_room(&self, number: RoomNumber, room: &Room, last_at: i64) -> rusqlite::Result<()> {
        let mut update = self.tx.prepare_cached(
            "UPDATE room SET kind = ?2, name = ?3, description = ?4, max_members = ?5, settings = ?6, created_by = ?7, \
             created_at = ?8, deleted = ?9, member_count = ?10, min_seq = ?11 WHERE number = ?1",
        )?;
        update.execute(params![
            number.0,
            room.kind.as_str(),
            room.name,
            room.description,
            room.max_members,
            serde_json::to_string(&room.settings).map_err(rows::unwritable)?,
            room.created_by.as_str(),
            room.created_at.as_millis(),
            room.deleted,
            room.member_count,
            signed(room.min_seq),
        ])?;
        self.move_head(number, room, last_at)
    }

    fn insert_room(&self, room: &Room, last_at: i64) -> rusqlite::Result<RoomNumber> {
        let mut insert = self.tx.prepare_cached(
            "INSERT INTO room (id, kind, name, description, max_members, settings, created_by, created_at, deleted, \
             member_count, min_seq, last_seq, last_event, last_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?;
        let number = insert.insert(params![
            room.id.as_str(),
            room.kind.as_str(),
            room.name,
            room.description,
            room.max_members,
            serde_json::to_string(&room.settings).map_err(rows::unwritable)?,
            room.created_by.as_str(),
            room.created_at.as_millis(),
            room.deleted,
            room.member_count,
            signed(room.min_seq),
            signed(room.last_seq),
            room.last_event.as_ref().map(|id| id.0.as_bytes().as_slice()),
            last_at,
        ])?;
        Ok(RoomNumber(number))
    }

    /// Takes every row of a closed room back to a stranger's, as [`Member::reset`] does to one.
    fn reset_members(&self, room: &RoomId) -> rusqlite::Result<()> {
        let mut update = self.tx.prepare_cached(
            "UPDATE member SET standing = ?2, banned_until = NULL, role = ?3, muted = 0, muted_until = NULL, \
             wrote_at = NULL WHERE room = ?1",
        )?;
        let (standing, _) = rows::standing(Standing::Gone);
        update.execute(params![self.number(room)?.0, standing, Role::Member.as_str()])?;
        Ok(())
    }

    fn store_member(&self, member: &Member) -> rusqlite::Result<()> {
        // The read marker is not the plan's to change.
        let mut upsert = self.tx.prepare_cached(
            "INSERT INTO member (room, user, reserved, name, standing, banned_until, role, joined_at, joined_seq, muted, \
             muted_until, wrote_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
             ON CONFLICT (room, user) DO UPDATE SET name = ?4, standing = ?5, banned_until = ?6, role = ?7, \
             joined_at = ?8, joined_seq = ?9, muted = ?10, muted_until = ?11, wrote_at = ?12",
        )?;
        let (standing, banned_until) = rows::standing(member.standing);
        upsert.execute(params![
            self.number(&member.room)?.0,
            member.user.as_str(),
            member.room.is_reserved(),
            member.name.as_deref(),
            standing,
            banned_until,
            member.role.as_str(),
            member.joined_at.as_millis(),
            signed(member.joined_seq),
            member.muted.is_some(),
            member.muted.flatten().map(Timestamp::as_millis),
            member.wrote_at.map(Timestamp::as_millis),
        ])?;
        Ok(())
    }
}

struct Events<'a> {
    tx: &'a Transaction<'a>,
    event: CachedStatement<'a>,
    entry: CachedStatement<'a>,
    last_event: i64,
    digests: Vec<Digest>,
}

impl<'a> Events<'a> {
    fn behind(tx: &'a Transaction<'a>, last_event: i64) -> rusqlite::Result<Self> {
        Ok(Self {
            tx,
            event: tx.prepare_cached(
                "INSERT INTO event (number, place, id, at, kind, sender, sender_name, client_id, body) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?,
            entry: tx.prepare_cached(
                "INSERT INTO entry (place, event, sender, thread, edits) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            last_event,
            digests: Vec::new(),
        })
    }

    fn store(&mut self, room: RoomNumber, event: &RoomEvent) -> rusqlite::Result<()> {
        let place = room.place(event.seq);
        self.last_event += 1;
        self.digests
            .push((room.digest(&event.sender, &event.client_id), place));
        let client_id = Some(&event.client_id).filter(|id| **id != ClientId::of_event(event.id));
        let body = event.body.to_json().map_err(rows::unwritable)?;
        self.event.execute(params![
            self.last_event,
            place,
            event.id.0.as_bytes().as_slice(),
            event.at.as_millis(),
            event.body.kind(),
            event.sender.as_str(),
            event.sender_name.as_deref(),
            client_id.map(ClientId::as_str),
            body,
        ])?;
        let (mut sender, mut thread, mut edits) = (None, None, None);
        match &event.body {
            EventBody::MessageCreated(message) => {
                sender = Some(event.sender.as_str());
                thread = message.thread.map(|seq| room.place(seq));
            }
            EventBody::MessageUpdated(edit) => edits = Some(room.place(edit.ref_seq)),
            _ => {}
        }
        self.entry
            .execute(params![place, self.last_event, sender, thread, edits])?;
        effects::apply(self.tx, room, event)
    }
}

/// Whether a room has changed by nothing but an event that was appended to it.
fn differ_by_head_only(before: &Room, now: &Room) -> bool {
    // Taken apart, so that a new field is not forgotten here.
    let Room {
        id: _,
        kind,
        name,
        description,
        max_members,
        settings,
        created_by,
        created_at,
        deleted,
        member_count,
        last_seq: _,
        min_seq,
        last_event: _,
    } = before;
    (
        *kind,
        *max_members,
        *created_at,
        *deleted,
        *member_count,
        *min_seq,
    ) == (
        now.kind,
        now.max_members,
        now.created_at,
        now.deleted,
        now.member_count,
        now.min_seq,
    ) && (name, description, settings, created_by)
        == (&now.name, &now.description, &now.settings, &now.created_by)
}
