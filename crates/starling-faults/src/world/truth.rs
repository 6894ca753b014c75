//! What the database says: the log, and what was counted from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::World;
use crate::client::{digest, history::Room};

/// An event of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) seq: u64,
    pub(crate) id: u128,
    pub(crate) kind: String,
    pub(crate) sender: String,
    /// Empty where the client gave none.
    pub(crate) client_id: String,
    pub(crate) digest: u64,
    /// Whether its content was taken away since: then copies made before differ, and may.
    pub(crate) erased: bool,
    /// Whom it is about: who joined, left or was kicked.
    pub(crate) about: Option<String>,
    /// The message that it changes.
    pub(crate) refers: Option<u64>,
    pub(crate) mentions: Vec<String>,
}

/// A member's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberRow {
    pub(crate) joined: bool,
    pub(crate) joined_seq: u64,
    pub(crate) read_seq: u64,
}

/// The final log of every room.
#[derive(Debug, Clone, Default)]
pub(crate) struct Truth {
    /// In the order of their seqs.
    pub(crate) rooms: Vec<Vec<Logged>>,
    pub(crate) members: HashMap<(Room, String), MemberRow>,
}

impl Truth {
    /// The event with this seq.
    pub(crate) fn get(&self, room: Room, seq: u64) -> Option<&Logged> {
        let events = self.rooms.get(usize::from(room))?;
        let at = events.binary_search_by_key(&seq, |event| event.seq).ok()?;
        events.get(at)
    }

    pub(crate) fn head(&self, room: Room) -> u64 {
        self.rooms
            .get(usize::from(room))
            .and_then(|events| events.last())
            .map_or(0, |last| last.seq)
    }

    /// Reads all of it.
    pub(crate) async fn read(world: &World, rooms: &[String]) -> Result<Self> {
        let text = world
            .sql(
                "SELECT json_build_array(room_id, seq, event_id, kind, sender_id, client_id, body) \
                 FROM room_event ORDER BY room_id, seq",
            )
            .await?;
        let mut truth = Self {
            rooms: vec![Vec::new(); rooms.len()],
            members: HashMap::new(),
        };
        let number = |name: &Value| rooms.iter().position(|room| name == room.as_str());
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).context("a row of the log")?;
            if let Some(room) = number(&row[0]) {
                truth.rooms[room].push(logged(&row)?);
            }
        }
        for events in &mut truth.rooms {
            mark_erased(events);
        }
        let text = world
            .sql("SELECT json_build_array(room_id, user_id, standing = 'joined', joined_seq, read_seq) FROM member")
            .await?;
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).context("a row of the members")?;
            let Some(room) = number(&row[0]) else { continue };
            let member = MemberRow {
                joined: row[2] == true,
                joined_seq: row[3].as_u64().unwrap_or_default(),
                read_seq: row[4].as_u64().unwrap_or_default(),
            };
            let user = row[1].as_str().unwrap_or_default().to_owned();
            truth.members.insert((Room::try_from(room)?, user), member);
        }
        Ok(truth)
    }

    /// Where every room stands.
    pub(crate) async fn heads(world: &World, rooms: &[String]) -> Result<Vec<u64>> {
        let text = world.sql("SELECT room_id || ' ' || last_seq FROM room").await?;
        let heads: BTreeMap<&str, u64> = text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(room, seq)| Some((room, seq.parse().ok()?)))
            .collect();
        Ok(rooms
            .iter()
            .map(|room| heads.get(room.as_str()).copied().unwrap_or_default())
            .collect())
    }
}

fn logged(row: &Value) -> Result<Logged> {
    let text = |n: usize| row[n].as_str().unwrap_or_default();
    let body: Value = serde_json::from_str(text(6)).context("the body of an event")?;
    let client_id = if text(5).starts_with('~') { "" } else { text(5) };
    let mentions = body["mentions"].as_array().into_iter().flatten();
    Ok(Logged {
        seq: row[1].as_u64().context("a seq")?,
        id: uuid::Uuid::parse_str(text(2))?.as_u128(),
        kind: text(3).to_owned(),
        sender: text(4).to_owned(),
        client_id: client_id.to_owned(),
        digest: digest::of_parts(text(3), text(4), client_id, &body),
        erased: false,
        about: body["userId"].as_str().map(str::to_owned),
        refers: body["refSeq"].as_u64(),
        mentions: mentions
            .filter_map(|user| user.as_str().map(str::to_owned))
            .collect(),
    })
}

/// A deletion takes the content of a message and of its edits.
pub(crate) fn mark_erased(events: &mut [Logged]) {
    let deletions = events.iter().filter(|event| event.kind == "message_deleted");
    let deleted: BTreeSet<u64> = deletions.filter_map(|event| event.refers).collect();
    for event in events {
        let edits = event.kind == "message_updated" && event.refers.is_some_and(|seq| deleted.contains(&seq));
        event.erased = edits || (event.kind == "message_created" && deleted.contains(&event.seq));
    }
}
