//! A room with somebody of every role and every standing in it.

use crate::{EventBody, Role, RoomKind};

use super::{
    actions::{ban, create, invite, join, leave, mute, send, set_role},
    world::{World, by},
};

/// Everybody who has a role in the lobby, by that role; those of the second column are there to be acted upon.
///
/// | | acts | is acted upon |
/// |---|---|---|
/// | owner | olga | omar |
/// | admin | adam | anna |
/// | moderator | mona | mike |
/// | member | mary | vera |
/// | member, muted | mia | |
/// | guest | gus | |
/// | invited, as a member | ines | |
/// | invited, as an admin | | ivan |
/// | left, was a member | leo | |
/// | left, was an admin | | alan |
/// | left, was an owner | | orla |
/// | banned | ben | |
/// | never there | zoe | |
///
/// All who are or were in the room wrote one message there, vera at [`VERAS`].
pub(super) fn cast(kind: RoomKind) -> World {
    let mut world = World::empty();
    world.commits(by("olga", create(kind)));
    world.commits(by("olga", send("by olga")));
    for (who, role) in [
        ("vera", Role::Member),
        ("adam", Role::Admin),
        ("anna", Role::Admin),
        ("alan", Role::Admin),
        ("mona", Role::Moderator),
        ("mike", Role::Moderator),
        ("mary", Role::Member),
        ("mia", Role::Member),
        ("leo", Role::Member),
        ("ben", Role::Member),
        ("omar", Role::Member),
        ("orla", Role::Member),
        ("gus", Role::Member),
    ] {
        enters(&mut world, who, role);
        world.commits(by(who, send(&format!("by {who}"))));
    }
    assert_eq!(message_by(&world, "vera"), Some(VERAS));
    for owner in ["omar", "orla"] {
        world.commits(by("olga", set_role(owner, Role::Owner)));
    }
    world.commits(by("olga", set_role("gus", Role::Guest)));
    world.commits(by("olga", mute("mia", None)));
    world.commits(by("olga", ban("ben", None)));
    world.commits(by("olga", invite("ines", Role::Member)));
    world.commits(by("olga", invite("ivan", Role::Admin)));
    for gone in ["leo", "alan", "orla"] {
        world.commits(by(gone, leave()));
    }
    world
}

/// Seq of vera's message.
pub(super) const VERAS: u64 = 5;

/// Becomes a member of the lobby on olga's invitation.
pub(super) fn enters(world: &mut World, who: &str, role: Role) {
    world.commits(by("olga", invite(who, role)));
    world.commits(by(who, join()));
}

/// The lobby with its owner olga and some members.
pub(super) fn lobby<const N: usize>(members: [&str; N]) -> World {
    let mut world = World::empty();
    world.commits(by("olga", create(RoomKind::Public)));
    for who in members {
        world.commits(by(who, join()));
    }
    world
}

/// Seq of the first message of theirs.
pub(super) fn message_by(world: &World, who: &str) -> Option<u64> {
    let mut events = world.stored.log.iter();
    let is_message = |body: &EventBody| matches!(body, EventBody::MessageCreated(_));
    let first = events.find(|event| event.sender.as_str() == who && is_message(&event.body));
    first.map(|event| event.seq)
}
