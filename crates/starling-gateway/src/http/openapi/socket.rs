//! The words of the socket, as schemas: so that a client in another language can be checked against them.
//!
//! OpenAPI describes requests, not sockets. Three schemas stand for the socket: each has one property for every `type`,
//! whose schema is that of the envelope's `data`. To add a command or an event, add its line to a table.

use starling_core::event;
use starling_protocol::{CloseCode, ErrorBody, command, event as told, reply};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, HttpMethod, PathItem, Ref, RefOr, ResponseBuilder, SecurityRequirement,
        path::{OperationBuilder, ParameterBuilder, ParameterIn},
        schema::{
            AllOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat,
            SchemaType, Type,
        },
    },
};

use super::needs_token;

type Found = Vec<(String, RefOr<Schema>)>;

/// The name of the schema of error codes.
pub(super) const ERROR_CODE: &str = "ErrorCode";
const ROOM_EVENT: &str = "RoomEvent";
const EVENT_HEAD: &str = "EventHead";

/// A page of durable events, as they are sent live.
pub(crate) enum EventsPage {}

impl PartialSchema for EventsPage {
    fn schema() -> RefOr<Schema> {
        let events = ArrayBuilder::new()
            .items(RefOr::Ref(Ref::from_schema_name(ROOM_EVENT)))
            .description(Some("Events in the order of their seq"));
        ObjectBuilder::new()
            .property("events", events)
            .required("events")
            .property("hasMore", boolean("Whether there are more"))
            .required("hasMore")
            .into()
    }
}

impl ToSchema for EventsPage {}

/// A reference to a type's schema, which is noted with all that it refers to.
fn of<T: ToSchema>(found: &mut Found) -> RefOr<Schema> {
    found.push((T::name().into_owned(), T::schema()));
    T::schemas(found);
    Ref::from_schema_name(T::name()).into()
}

macro_rules! schemas {
    ($found:ident, $($name:literal => $data:ty,)*) => { vec![$(($name, of::<$data>($found)),)*] };
}

type Table = Vec<(&'static str, RefOr<Schema>)>;

fn commands(found: &mut Found) -> Table {
    use command::{
        CreateRoom, DeleteMessage, EditMessage, Empty, FetchEvents, FetchHistory, InRoom, Invite, JoinRoom,
        ListMembers, ListRooms, MarkRead, Moderate, OnMember, React, SendMessage, SetPresence, SetRole,
        Signal, Subscribe, TokenData, Typing, Unsubscribe, UpdateRoom, WatchPresence,
    };
    schemas! { found,
        "authenticate" => TokenData,
        "refresh_token" => TokenData,
        "ping" => Empty,
        "create_room" => CreateRoom,
        "join_room" => JoinRoom,
        "leave_room" => InRoom,
        "subscribe" => Subscribe,
        "unsubscribe" => Unsubscribe,
        "update_room" => UpdateRoom,
        "delete_room" => InRoom,
        "invite" => Invite,
        "kick" => OnMember,
        "ban" => Moderate,
        "unban" => OnMember,
        "mute" => Moderate,
        "unmute" => OnMember,
        "set_role" => SetRole,
        "list_rooms" => ListRooms,
        "list_members" => ListMembers,
        "send_message" => SendMessage,
        "edit_message" => EditMessage,
        "delete_message" => DeleteMessage,
        "add_reaction" => React,
        "remove_reaction" => React,
        "mark_read" => MarkRead,
        "fetch_history" => FetchHistory,
        "fetch_events" => FetchEvents,
        "typing_start" => Typing,
        "typing_stop" => Typing,
        "signal" => Signal,
        "set_presence" => SetPresence,
        "watch_presence" => WatchPresence,
        "unwatch_presence" => WatchPresence,
    }
}

fn replies(found: &mut Found) -> Table {
    use command::{Empty, SetPresence};
    use reply::{
        Appended, Joined, MemberList, Messages, Pong, Read, Refreshed, RoomList, RoomView, Sent,
        SubscribedRooms,
    };
    use told::PresenceChanged;
    let user = ObjectBuilder::new()
        .property("userId", text("Whom the token names"))
        .required("userId");
    let mut table = schemas! { found,
        "refresh_token" => Refreshed,
        "ping" => Pong,
        "create_room" => RoomView,
        "join_room" => Joined,
        "leave_room" => Appended,
        "subscribe" => SubscribedRooms,
        "unsubscribe" => Empty,
        "update_room" => RoomView,
        "delete_room" => Appended,
        "invite" => Appended,
        "kick" => Appended,
        "ban" => Appended,
        "unban" => Appended,
        "mute" => Appended,
        "unmute" => Appended,
        "set_role" => Appended,
        "list_rooms" => RoomList,
        "list_members" => MemberList,
        "send_message" => Sent,
        "edit_message" => Appended,
        "delete_message" => Appended,
        "add_reaction" => Appended,
        "remove_reaction" => Appended,
        "mark_read" => Read,
        "fetch_history" => Messages,
        "fetch_events" => EventsPage,
        "typing_start" => Empty,
        "typing_stop" => Empty,
        "signal" => Empty,
        "set_presence" => SetPresence,
        "watch_presence" => PresenceChanged,
        "unwatch_presence" => Empty,
    };
    table.push(("authenticate", user.into()));
    table
}

/// Events that take a seq: the body of each.
fn durable(found: &mut Found) -> Table {
    use event::{
        MemberGone, MemberInvited, MemberJoined, MemberRef, MemberRestricted, MemberRole, MessageCreated,
        MessageDeleted, MessageUpdated, Notification, Reaction, RoomCreated, RoomDeleted, RoomUpdated,
    };
    schemas! { found,
        "message_created" => MessageCreated,
        "message_updated" => MessageUpdated,
        "message_deleted" => MessageDeleted,
        "reaction_added" => Reaction,
        "reaction_removed" => Reaction,
        "member_joined" => MemberJoined,
        "member_left" => MemberGone,
        "member_invited" => MemberInvited,
        "member_kicked" => MemberGone,
        "member_banned" => MemberRestricted,
        "member_unbanned" => MemberRef,
        "member_muted" => MemberRestricted,
        "member_unmuted" => MemberRef,
        "member_role_changed" => MemberRole,
        "room_created" => RoomCreated,
        "room_updated" => RoomUpdated,
        "room_deleted" => RoomDeleted,
        "notification" => Notification,
    }
}

/// Events that take none.
fn ephemeral(found: &mut Found) -> Table {
    use told::{
        Gap, Lagging, Migrate, PresenceChanged, ReadUpdated, SignalEvent, TokenExpiring, TypingEvent, Welcome,
    };
    schemas! { found,
        "welcome" => Welcome,
        "token_expiring" => TokenExpiring,
        "typing" => TypingEvent,
        "signal" => SignalEvent,
        "presence_changed" => PresenceChanged,
        "read_updated" => ReadUpdated,
        "gap" => Gap,
        "lagging" => Lagging,
        "migrate" => Migrate,
        "error" => ErrorBody,
    }
}

/// Adds all of it to the document.
pub(super) fn describe(components: &mut Components) {
    let mut found = Found::new();
    let command_table = commands(&mut found);
    let reply_table = replies(&mut found);
    let mut event_table = Table::new();
    let mut room_event = OneOfBuilder::new().description(Some("A durable event, in its envelope"));
    for (kind, body) in durable(&mut found) {
        let name = format!("{}Event", pascal(kind));
        let data = AllOfBuilder::new()
            .item(RefOr::Ref(Ref::from_schema_name(EVENT_HEAD)))
            .item(body);
        found.push((name.clone(), Schema::from(data).into()));
        let reference = RefOr::Ref(Ref::from_schema_name(name));
        room_event = room_event.item(envelope(kind, reference.clone()));
        event_table.push((kind, reference));
    }
    event_table.extend(ephemeral(&mut found));
    found.push((ROOM_EVENT.into(), Schema::from(room_event).into()));
    found.push((EVENT_HEAD.into(), event_head()));
    let maps = [
        (
            "SocketCommands",
            command_table,
            "What a client may send: `data` by `type`",
        ),
        (
            "SocketReplies",
            reply_table,
            "What a command is answered with: `data` of `ok` (of `pong` for `ping`), by the command's `type`",
        ),
        (
            "SocketEvents",
            event_table,
            "What the server sends by itself: `data` by `type`",
        ),
    ];
    for (name, table, about) in maps {
        let map = table
            .into_iter()
            .fold(ObjectBuilder::new(), |map, (kind, schema)| {
                map.property(kind, schema)
            })
            .description(Some(about));
        found.push((name.into(), map.into()));
    }
    found.push(("CloseCode".into(), close_codes()));
    components.schemas.extend(found);
}

fn envelope(kind: &str, data: RefOr<Schema>) -> ObjectBuilder {
    let tag = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .enum_values(Some([kind]));
    ObjectBuilder::new()
        .property("type", tag)
        .required("type")
        .property("data", data)
        .required("data")
}

/// What every durable event has beside its body.
fn event_head() -> RefOr<Schema> {
    let seq = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(1))
        .description(Some("Its place in the room's order"));
    let required = [
        ("roomId", text("The room")),
        ("seq", seq),
        ("cursor", text("Where a client stands that has seen it")),
        ("eventId", text("Its id")),
        ("senderId", text("Who caused it")),
        ("createdAt", text("When it was accepted")),
    ];
    let optional = [
        ("messageId", text("Of messages: the event id again")),
        ("senderName", text("The sender's display name at that time")),
        ("clientId", text("The sender's own id for it")),
    ];
    let head = required
        .into_iter()
        .fold(ObjectBuilder::new(), |head, (name, schema)| {
            head.property(name, schema).required(name)
        });
    let head = optional
        .into_iter()
        .fold(head, |head, (name, schema)| head.property(name, schema));
    head.description(Some("What every durable event has beside its own fields"))
        .into()
}

fn text(about: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .description(Some(about))
}

fn boolean(about: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Boolean))
        .description(Some(about))
}

fn close_codes() -> RefOr<Schema> {
    let lines: Vec<String> = CloseCode::ALL
        .iter()
        .map(|code| format!("- {}: {}", code.code(), code.reason()))
        .collect();
    let about = format!(
        "Why the server closes a socket. 4000–4499: reconnect and resume; 4500–4999: do not come back as you are.\n{}",
        lines.join("\n")
    );
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .enum_values(Some(CloseCode::ALL.map(CloseCode::code)))
        .description(Some(about))
        .into()
}

/// `message_created` as `MessageCreated`.
fn pascal(kind: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    kind.split('_').map(word).collect()
}

/// The handshake.
pub(super) fn path() -> PathItem {
    let token = ParameterBuilder::new()
        .name("token")
        .parameter_in(ParameterIn::Query)
        .schema(Some(text("A JWT")))
        .description(Some(
            "The token, where no header can be set; or the first frame is `authenticate`",
        ));
    let answer = |about: &str| ResponseBuilder::new().description(about).build();
    let operation = OperationBuilder::new()
        .tag("socket")
        .operation_id(Some("openSocket"))
        .summary(Some("Open a socket"))
        .description(Some(
            "A WebSocket handshake (RFC 6455). The first frame from the server is `welcome`.",
        ))
        .parameter(token)
        // Without a token in the handshake it comes in the first frame.
        .securities(Some(
            [needs_token(), vec![SecurityRequirement::default()]].concat(),
        ))
        .response("101", answer("The socket is open"))
        .response("400", Ref::from_response_name("BadRequest"))
        .response("401", Ref::from_response_name("Unauthenticated"))
        .response("403", Ref::from_response_name("Forbidden"))
        .response(
            "426",
            answer("The request is not a WebSocket handshake of version 13"),
        )
        .response("429", Ref::from_response_name("TooManyRequests"))
        .response("503", Ref::from_response_name("Unavailable"));
    PathItem::new(HttpMethod::Get, operation)
}

#[cfg(test)]
mod tests {
    use starling_core::EventBody;
    use starling_protocol::Command;

    use super::*;

    fn names(table: &Table) -> Vec<&'static str> {
        let mut names: Vec<_> = table.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }

    fn sorted(names: &[&'static str]) -> Vec<&'static str> {
        let mut names = names.to_vec();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_command_reply_and_durable_event_is_described() {
        let mut found = Found::new();
        assert_eq!(names(&commands(&mut found)), sorted(Command::NAMES));
        assert_eq!(names(&replies(&mut found)), sorted(Command::NAMES));
        assert_eq!(names(&durable(&mut found)), sorted(EventBody::KINDS));
    }

    #[test]
    fn one_name_means_one_schema() {
        let mut found = Found::new();
        commands(&mut found);
        replies(&mut found);
        durable(&mut found);
        ephemeral(&mut found);
        for (name, schema) in &found {
            let mut same = found.iter().filter(|(other, _)| other == name);
            assert!(same.all(|(_, other)| other == schema), "{name}");
        }
    }
}
