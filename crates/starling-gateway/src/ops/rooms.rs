//! Rooms: create, join, leave, change, list.

use starling_core::{
    Action, Authority, Member, Outcome, Refusal, Role, Room, RoomId, RoomKind, RoomSettings, draft::RoomSpec,
    event::RoomUpdated, room::Standing,
};
use starling_protocol::{
    command::{CreateRoom, ListRooms, ListScope, UpdateRoom},
    reply::{Appended, ListedRoom, RoomList, RoomView},
};
use uuid::Uuid;

use super::{append, away, check_length, draft, json_len, limit};
use crate::{node::Node, session::Actor};

const MAX_NAME: usize = 128;
const MAX_DESCRIPTION: usize = 1024;
const MAX_SETTINGS_BYTES: usize = 4 << 10;
const DEFAULT_PAGE: usize = 50;
const MAX_PAGE: usize = 200;

const RESERVED: &str = "room ids that begin with @ are made by the service; choose another id";

/// Creates a room; the actor becomes its owner.
pub(crate) async fn create(node: &Node, actor: &Actor, command: CreateRoom) -> Result<RoomView, Refusal> {
    let room = match command.room_id {
        Some(room) if room.is_reserved() => return Err(Refusal::InvalidMessage(RESERVED.into())),
        Some(room) => room,
        None => RoomId::parse(&Uuid::now_v7().to_string())?,
    };
    if command.kind == RoomKind::Direct {
        return Err(Refusal::InvalidMessage(
            "direct rooms come with their first message: send_message {recipientId}".into(),
        ));
    }
    check_length("name", &command.name, 1, MAX_NAME)?;
    check_length("description", &command.description, 0, MAX_DESCRIPTION)?;
    check_settings(&command.settings)?;
    let max = node.config.rooms.max_members;
    let spec = RoomSpec {
        name: command.name,
        kind: command.kind,
        description: command.description,
        max_members: check_max_members(command.max_members, max)?.unwrap_or(max),
        settings: command.settings,
    };
    let action = Action::CreateRoom {
        spec,
        max_rooms: node.config.rooms.max_per_user,
    };
    append(node, actor, room.clone(), action).await?;
    view(node, &room).await
}

fn check_settings(settings: &RoomSettings) -> Result<(), Refusal> {
    if json_len(settings) > MAX_SETTINGS_BYTES {
        return Err(Refusal::MessageTooLong {
            max: MAX_SETTINGS_BYTES,
            unit: "bytes of settings",
        });
    }
    Ok(())
}

fn check_max_members(asked: Option<u32>, most: u32) -> Result<Option<u32>, Refusal> {
    match asked {
        Some(0) => Err(Refusal::InvalidMessage("maxMembers is at least 1".into())),
        Some(n) if n > most => Err(Refusal::InvalidMessage(format!(
            "maxMembers is at most {most} on this server"
        ))),
        asked => Ok(asked),
    }
}

/// A room that is open.
async fn open_room(node: &Node, room: &RoomId) -> Result<Room, Refusal> {
    let found = node
        .backend
        .rooms
        .room(room)
        .await
        .map_err(|error| away(&error))?;
    found
        .filter(|room| !room.deleted)
        .ok_or(Refusal::NotFound("this room"))
}

async fn view(node: &Node, room: &RoomId) -> Result<RoomView, Refusal> {
    Ok(RoomView::from(&open_room(node, room).await?))
}

/// A room as its readers see it.
pub(crate) async fn get(node: &Node, actor: &Actor, room: &RoomId) -> Result<RoomView, Refusal> {
    let found = open_room(node, room).await?;
    if found.kind != RoomKind::Public {
        require_reader(node, actor, room).await?;
    }
    Ok(RoomView::from(&found))
}

/// Makes the actor a member, where they are none.
pub(crate) async fn join(node: &Node, actor: &Actor, room: &RoomId) -> Result<(Room, Role), Refusal> {
    if room.is_reserved() {
        return Err(Refusal::InvalidMessage(format!(
            "{RESERVED}; to follow your own, use subscribe"
        )));
    }
    if let Some(joined) = joined(node, actor, room).await? {
        return Ok(joined);
    }
    let spec = RoomSpec {
        name: room.to_string(),
        kind: RoomKind::Public,
        description: String::new(),
        max_members: node.config.rooms.max_members,
        settings: RoomSettings::default(),
    };
    let action = Action::Join {
        auto_create: node.config.rooms.auto_create.then_some(spec),
        max_rooms: node.config.rooms.max_per_user,
    };
    let mut draft = draft(node, actor, room.clone(), action);
    if draft.authority == Authority::Member && actor.identity.grants_room(room) {
        draft.authority = Authority::Grant;
    }
    match node.lanes.append(draft).await? {
        Outcome::Refused(refusal) => Err(refusal),
        _ => joined(node, actor, room).await?.ok_or(Refusal::NotMember),
    }
}

/// The room is read before the member: so the membership holds as of the room's last seq, or later.
async fn joined(node: &Node, actor: &Actor, room: &RoomId) -> Result<Option<(Room, Role)>, Refusal> {
    let room = match open_room(node, room).await {
        Ok(room) => room,
        Err(Refusal::NotFound(_)) => return Ok(None),
        Err(refusal) => return Err(refusal),
    };
    let member = node
        .backend
        .rooms
        .member(&room.id, actor.user())
        .await
        .map_err(|error| away(&error))?;
    Ok(member.filter(Member::is_joined).map(|member| (room, member.role)))
}

/// Ends the actor's membership.
pub(crate) async fn leave(node: &Node, actor: &Actor, room: &RoomId) -> Result<Appended, Refusal> {
    append(node, actor, room.clone(), Action::Leave).await
}

/// Changes a room.
pub(crate) async fn update(node: &Node, actor: &Actor, command: UpdateRoom) -> Result<RoomView, Refusal> {
    let UpdateRoom {
        room_id,
        name,
        description,
        max_members,
        settings,
    } = command;
    if let Some(name) = &name {
        check_length("name", name, 1, MAX_NAME)?;
    }
    if let Some(description) = &description {
        check_length("description", description, 0, MAX_DESCRIPTION)?;
    }
    if let Some(settings) = &settings {
        check_settings(settings)?;
    }
    let max_members = check_max_members(max_members, node.config.rooms.max_members)?;
    let change = RoomUpdated {
        name,
        description,
        max_members,
        settings,
    };
    append(node, actor, room_id.clone(), Action::UpdateRoom(change)).await?;
    view(node, &room_id).await
}

/// Closes a room.
pub(crate) async fn delete(node: &Node, actor: &Actor, room: RoomId) -> Result<Appended, Refusal> {
    append(node, actor, room, Action::DeleteRoom).await
}

/// Lists rooms: those joined, with their counts, or public ones.
pub(crate) async fn list(node: &Node, actor: &Actor, command: ListRooms) -> Result<RoomList, Refusal> {
    let limit = limit(command.limit, DEFAULT_PAGE, MAX_PAGE)?;
    let after = command.after.as_ref();
    let store = &node.backend.rooms;
    let (rooms, has_more) = match command.scope {
        ListScope::Public => {
            let page = store
                .public_rooms(after, limit)
                .await
                .map_err(|error| away(&error))?;
            let listed = |room: &Room| ListedRoom {
                room: room.into(),
                role: None,
                unread: None,
                mentions: None,
            };
            (page.items.iter().map(listed).collect::<Vec<_>>(), page.has_more)
        }
        ListScope::Joined => {
            let page = store
                .rooms_of(actor.user(), after, limit)
                .await
                .map_err(|error| away(&error))?;
            let ids: Vec<RoomId> = page.items.iter().map(|(room, _)| room.id.clone()).collect();
            let counts = node
                .backend
                .markers
                .unread(actor.user(), &ids)
                .await
                .map_err(|error| away(&error))?;
            let listed = page
                .items
                .iter()
                .zip(counts)
                .map(|((room, member), counts)| ListedRoom {
                    room: room.into(),
                    role: Some(member.role),
                    unread: Some(counts.unread),
                    mentions: Some(counts.mentions),
                });
            (listed.collect(), page.has_more)
        }
    };
    let next = rooms
        .last()
        .filter(|_| has_more)
        .map(|listed| listed.room.room_id.clone());
    Ok(RoomList {
        rooms,
        has_more,
        next,
    })
}

/// Lets only those pass who read the room: its members, and for reserved rooms those whom the id names. The answer is
/// the seq of the room as of which they do: what an earlier event said of them is over.
pub(crate) async fn require_reader(node: &Node, actor: &Actor, room: &RoomId) -> Result<u64, Refusal> {
    if let Some(reserved) = room.reserved() {
        return if reserved.is_read_by(actor.user()) {
            Ok(u64::MAX)
        } else {
            Err(Refusal::Forbidden("this room belongs to other users"))
        };
    }
    // The room before the member, for the seq.
    let seq = match open_room(node, room).await {
        Ok(room) => Ok(room.last_seq),
        Err(refusal @ Refusal::NotFound(_)) => Err(refusal),
        Err(refusal) => return Err(refusal),
    };
    let member = node
        .backend
        .rooms
        .member(room, actor.user())
        .await
        .map_err(|error| away(&error))?;
    match member.map(|member| member.standing) {
        Some(Standing::Joined) => seq,
        Some(Standing::Banned { until }) if until.is_none_or(|until| until > node.clock.now()) => {
            let retry_after = until.map(|until| until.since(node.clock.now()));
            Err(Refusal::Banned { retry_after })
        }
        _ if actor.identity.admin => seq,
        _ => seq.and(Err(Refusal::NotMember)),
    }
}
