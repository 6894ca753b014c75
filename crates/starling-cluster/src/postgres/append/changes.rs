//! What a decided batch changes.

use std::collections::{BTreeMap, HashMap, HashSet};

use starling_core::{
    EventBody, Member, Room, RoomEvent, RoomId, Timestamp, UserId,
    event::{MessageCreated, MessageUpdated},
    rules::Plan,
};

use super::{
    columns::{
        AddedReactions, BatchRows, ErasedRows, EventRows, HeadRows, MemberRows, MentionRows, ProfileRows,
        ReactionCounts, RemovedReactions, StateRows,
    },
    load::Before,
};
use crate::postgres::rows::{int, standing_columns, storable};

/// Everything that a batch writes.
#[derive(Default)]
pub(super) struct Changes<'a> {
    /// Rooms that did not exist.
    pub(super) new_rooms: (ProfileRows<'a>, HeadRows<'a>),
    /// Rooms whose profile may have changed.
    pub(super) profiles: ProfileRows<'a>,
    /// Rooms that were appended to.
    pub(super) heads: HeadRows<'a>,
    /// Rooms that were closed.
    pub(super) closed: Vec<&'a str>,
    pub(super) members: MemberRows<'a>,
    pub(super) events: EventRows<'a>,
    pub(super) states: StateRows<'a>,
    pub(super) erased: ErasedRows<'a>,
    pub(super) removed_reactions: RemovedReactions<'a>,
    pub(super) added_reactions: AddedReactions<'a>,
    pub(super) reaction_counts: ReactionCounts<'a>,
    pub(super) mentions: MentionRows<'a>,
    /// Mentions in messages that were deleted.
    pub(super) dropped_mentions: MentionRows<'a>,
    pub(super) batch: BatchRows<'a>,
}

impl<'a> Changes<'a> {
    /// Reads them off the plan, and what was there before.
    pub(super) fn of(plan: &'a Plan, before: &'a Before) -> serde_json::Result<Self> {
        let mut changes = Self::default();
        let mut counts = before.message_counts.clone();
        let mut last_at: HashMap<&RoomId, Timestamp> = HashMap::new();
        let mut reshaped: HashSet<&RoomId> = HashSet::new();
        let mut messages = Messages {
            threads: before.threads.clone(),
            ..Messages::default()
        };
        // By room, each in its order: what goes to one page of an index goes there together.
        let mut events: Vec<&'a RoomEvent> = plan.events.iter().map(|event| &**event).collect();
        events.sort_by(|a, b| a.room.cmp(&b.room));
        for event in events {
            let count = counts.entry(event.room.clone()).or_default();
            *count += u64::from(matches!(event.body, EventBody::MessageCreated(_)));
            changes.events.push(event, *count)?;
            last_at.insert(&event.room, event.at);
            if changes_profile(&event.body) {
                reshaped.insert(&event.room);
            }
            if matches!(event.body, EventBody::RoomDeleted(_)) {
                changes.closed.push(event.room.as_str());
            }
            messages.note(event, &mut changes.mentions);
        }
        for room in &plan.rooms {
            let at = last_at.get(&room.id).copied();
            let count = counts.get(&room.id).copied().unwrap_or_default();
            if at.is_some() {
                changes.batch.rooms.push(room.id.as_str());
                changes.batch.seqs.push(int(room.last_seq));
            }
            if !before.message_counts.contains_key(&room.id) {
                changes.new_rooms.0.push(room)?;
                changes
                    .new_rooms
                    .1
                    .push(room, at.or(Some(room.created_at)), count);
                continue;
            }
            changes.heads.push(room, at, count);
            if reshaped.contains(&room.id) {
                changes.profiles.push(room)?;
            }
        }
        for member in &plan.members {
            changes.members.push(member);
        }
        for (room, seq) in messages.deleted() {
            let key = (room.clone(), seq);
            let message = before.messages.get(&key).or_else(|| written_by(plan, room, seq));
            changes.erased.push(room, seq, message)?;
            for user in message.iter().flat_map(|message| &message.mentions) {
                changes.dropped_mentions.push(room, user, seq);
            }
        }
        messages.finish(&mut changes);
        Ok(changes)
    }
}

/// A message of the batch itself.
fn written_by<'a>(plan: &'a Plan, room: &RoomId, seq: u64) -> Option<&'a MessageCreated> {
    plan.events.iter().find_map(|event| match &event.body {
        EventBody::MessageCreated(message) if event.room == *room && event.seq == seq => Some(message),
        _ => None,
    })
}

/// Whether an event may come with another name, kind or settings of its room. A join may open a closed room anew.
fn changes_profile(body: &EventBody) -> bool {
    matches!(
        body,
        EventBody::RoomCreated(_)
            | EventBody::RoomUpdated(_)
            | EventBody::RoomDeleted(_)
            | EventBody::MemberJoined(_)
    )
}

impl<'a> ProfileRows<'a> {
    fn push(&mut self, room: &'a Room) -> serde_json::Result<()> {
        self.ids.push(room.id.as_str());
        self.kinds.push(room.kind.as_str());
        self.names.push(storable(&room.name));
        self.descriptions.push(storable(&room.description));
        self.max_members.push(room.max_members.into());
        self.settings.push(serde_json::to_string(&room.settings)?);
        self.created_by.push(room.created_by.as_str());
        self.created_at.push(room.created_at.as_millis());
        self.deleted.push(room.deleted);
        Ok(())
    }
}

impl<'a> HeadRows<'a> {
    fn push(&mut self, room: &'a Room, last_at: Option<Timestamp>, message_count: u64) {
        self.ids.push(room.id.as_str());
        self.member_counts.push(room.member_count.into());
        self.last_seqs.push(int(room.last_seq));
        self.min_seqs.push(int(room.min_seq));
        self.last_events.push(room.last_event.map(|id| id.0));
        self.last_at.push(last_at.map(Timestamp::as_millis));
        self.message_counts.push(int(message_count));
    }
}

impl<'a> MemberRows<'a> {
    fn push(&mut self, member: &'a Member) {
        let (standing, banned_until) = standing_columns(member.standing);
        self.rooms.push(member.room.as_str());
        self.users.push(member.user.as_str());
        self.names.push(member.name.as_deref().map(storable));
        self.standings.push(standing);
        self.banned_until.push(banned_until);
        self.roles.push(member.role.as_str());
        self.joined_at.push(member.joined_at.as_millis());
        self.joined_seqs.push(int(member.joined_seq));
        self.muted.push(member.muted.is_some());
        self.muted_until
            .push(member.muted.flatten().map(Timestamp::as_millis));
        self.wrote_at.push(member.wrote_at.map(Timestamp::as_millis));
    }
}

impl<'a> EventRows<'a> {
    fn push(&mut self, event: &'a RoomEvent, message_no: u64) -> serde_json::Result<()> {
        self.rooms.push(event.room.as_str());
        self.seqs.push(int(event.seq));
        self.ids.push(event.id.0);
        self.kinds.push(event.body.kind());
        self.senders.push(event.sender.as_str());
        self.sender_names.push(event.sender_name.as_deref().map(storable));
        self.client_ids.push(event.client_id.as_str());
        self.threads.push(event.thread().map(int));
        self.edits.push(match &event.body {
            EventBody::MessageUpdated(edit) => Some(int(edit.ref_seq)),
            _ => None,
        });
        self.at.push(event.at.as_millis());
        self.message_nos.push(int(message_no));
        self.bodies.push(event.body.to_json()?);
        Ok(())
    }
}

impl<'a> ErasedRows<'a> {
    fn push(
        &mut self,
        room: &'a RoomId,
        seq: u64,
        message: Option<&MessageCreated>,
    ) -> serde_json::Result<()> {
        let tombstone = MessageCreated {
            content: String::new(),
            content_type: message.map_or_else(String::new, |message| message.content_type.clone()),
            reply_to: message.and_then(|message| message.reply_to),
            thread: message.and_then(|message| message.thread),
            attachments: Vec::new(),
            mentions: Vec::new(),
            metadata: None,
        };
        let edit = MessageUpdated {
            ref_seq: seq,
            content: String::new(),
        };
        self.rooms.push(room.as_str());
        self.seqs.push(int(seq));
        self.messages.push(serde_json::to_string(&tombstone)?);
        self.edits.push(serde_json::to_string(&edit)?);
        Ok(())
    }
}

impl<'a> MentionRows<'a> {
    fn push(&mut self, room: &'a RoomId, user: &'a UserId, seq: u64) {
        self.rooms.push(room.as_str());
        self.users.push(user.as_str());
        self.seqs.push(int(seq));
    }
}

/// What happens to messages in the course of a batch, summed up for each. Sorted, as everything that is written.
#[derive(Default)]
struct Messages<'a> {
    states: BTreeMap<(&'a RoomId, u64), State>,
    reactions: BTreeMap<(&'a RoomId, u64, &'a str, &'a UserId), Reacted>,
    /// Threads of messages that were there before, or were written in the batch.
    threads: HashMap<(RoomId, u64), u64>,
}

#[derive(Default)]
struct State {
    edited: Option<u64>,
    deleted: Option<Timestamp>,
    replies: i64,
}

/// What a batch did with one reaction: it may come and go several times.
struct Reacted {
    was_there: bool,
    added_at: Option<u64>,
}

impl<'a> Messages<'a> {
    fn note(&mut self, event: &'a RoomEvent, mentions: &mut MentionRows<'a>) {
        let room = &event.room;
        match &event.body {
            EventBody::MessageCreated(message) => {
                if let Some(thread) = message.thread {
                    self.threads.insert((room.clone(), event.seq), thread);
                    self.states.entry((room, thread)).or_default().replies += 1;
                }
                let mut named = HashSet::new();
                for user in message.mentions.iter().filter(|user| **user != event.sender) {
                    if named.insert(user) {
                        mentions.push(room, user, event.seq);
                    }
                }
            }
            EventBody::MessageUpdated(edit) => {
                self.states.entry((room, edit.ref_seq)).or_default().edited = Some(event.seq);
            }
            EventBody::MessageDeleted(deletion) => {
                self.states.entry((room, deletion.ref_seq)).or_default().deleted = Some(event.at);
                if let Some(thread) = self.threads.get(&(room.clone(), deletion.ref_seq)) {
                    self.states.entry((room, *thread)).or_default().replies -= 1;
                }
            }
            EventBody::ReactionAdded(reaction) => {
                let key = (room, reaction.ref_seq, reaction.emoji.as_str(), &event.sender);
                let reacted = self.reactions.entry(key).or_insert(Reacted {
                    was_there: false,
                    added_at: None,
                });
                reacted.added_at = Some(event.seq);
            }
            EventBody::ReactionRemoved(reaction) => {
                let key = (room, reaction.ref_seq, reaction.emoji.as_str(), &event.sender);
                let reacted = self.reactions.entry(key).or_insert(Reacted {
                    was_there: true,
                    added_at: None,
                });
                reacted.added_at = None;
            }
            _ => {}
        }
    }

    fn deleted(&self) -> impl Iterator<Item = (&'a RoomId, u64)> {
        let states = self.states.iter().filter(|(_, state)| state.deleted.is_some());
        states.map(|(key, _)| *key)
    }

    fn finish(self, changes: &mut Changes<'a>) {
        let states = &mut changes.states;
        for ((room, seq), state) in self.states {
            states.rooms.push(room.as_str());
            states.seqs.push(int(seq));
            states.edited.push(state.edited.map(int));
            states.deleted.push(state.deleted.map(Timestamp::as_millis));
            states.replies.push(state.replies);
        }
        let (removed, added) = (&mut changes.removed_reactions, &mut changes.added_reactions);
        let mut counts: BTreeMap<(&'a str, i64, String), i64> = BTreeMap::new();
        for ((room, seq, emoji, user), reacted) in self.reactions {
            let (room, seq, emoji, user) = (room.as_str(), int(seq), storable(emoji), user.as_str());
            let change = i64::from(reacted.added_at.is_some()) - i64::from(reacted.was_there);
            *counts.entry((room, seq, emoji.clone())).or_default() += change;
            if reacted.was_there {
                removed.rooms.push(room);
                removed.seqs.push(seq);
                removed.emojis.push(emoji.clone());
                removed.users.push(user);
            }
            if let Some(at) = reacted.added_at {
                added.rooms.push(room);
                added.seqs.push(seq);
                added.emojis.push(emoji);
                added.users.push(user);
                added.at_seqs.push(int(at));
            }
        }
        for ((room, seq, emoji), change) in counts {
            changes.reaction_counts.rooms.push(room);
            changes.reaction_counts.seqs.push(seq);
            changes.reaction_counts.emojis.push(emoji);
            changes.reaction_counts.changes.push(change);
        }
    }
}
