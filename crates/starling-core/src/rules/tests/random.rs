//! Random drafts over few users, rooms, messages and seconds, so that they meet.

use std::time::Duration;

use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::{
    Action, Authority, Draft, Member, Role, RoomId, RoomKind, RoomSettings, Timestamp, draft::RoomSpec,
    event::MessageCreated, room::Standing,
};

use super::{
    actions::*,
    world::{Ask, Stored, World, by},
};

const LONGEST: usize = 80;

/// Drafts in the order of their times. The first ones open a room; where a later one is about a message, there mostly
/// is one by then. So more of them come to something.
pub(super) fn script() -> impl Strategy<Value = Vec<Draft>> {
    (
        spec_of_any_kind(),
        vec((ask(), select(vec![0, 0, 0, 1, 2])), 0..LONGEST),
    )
        .prop_map(|(spec, asks)| {
            let mut world = World::empty();
            let opening = [
                by("a", create_as(spec)),
                by("b", join_or_create()),
                by("c", join()),
                by("a", send("hi")),
            ]
            .map(|ask| ask.to("r"));
            let mut drafts: Vec<Draft> = opening.map(|ask| world.draft(ask)).into();
            world.append(&drafts);
            for (ask, pause) in asks {
                world.wait(pause);
                let mut draft = world.draft(ask);
                aim(&mut draft.action, &world.stored, &draft.room);
                world.append(std::slice::from_ref(&draft));
                drafts.push(draft);
            }
            drafts
        })
}

/// Makes a seq that was thrown like a die that of a message, three times in four; lets a ban or a mute be lifted where
/// there is one.
fn aim(action: &mut Action, stored: &Stored, room: &RoomId) {
    let seqs: Vec<u64> = stored
        .messages
        .keys()
        .filter(|(of, _)| of == room)
        .map(|(_, seq)| *seq)
        .collect();
    let of_a_message = |die: &mut u64| {
        if !die.is_multiple_of(4) && !seqs.is_empty() {
            *die = seqs[usize::try_from(*die).unwrap() % seqs.len()];
        }
    };
    let rows = || stored.members.values().filter(|row| row.room == *room);
    match action {
        Action::Send(MessageCreated { reply_to, thread, .. }) => {
            reply_to.iter_mut().chain(thread).for_each(of_a_message);
        }
        Action::Edit { ref_seq, .. }
        | Action::Delete { ref_seq }
        | Action::React { ref_seq, .. }
        | Action::Unreact { ref_seq, .. } => of_a_message(ref_seq),
        Action::Unban { user } => {
            let banned = |row: &&Member| matches!(row.standing, Standing::Banned { .. });
            *user = rows().find(banned).map_or(user.clone(), |row| row.user.clone());
        }
        Action::Unmute { user } => {
            let muted = |row: &&Member| row.muted.is_some();
            *user = rows().find(muted).map_or(user.clone(), |row| row.user.clone());
        }
        _ => {}
    }
}

fn ask() -> impl Strategy<Value = Ask> {
    let room = prop_oneof![
        16 => Just("r"),
        3 => Just("s"),
        2 => Just("@dm:a,b"),
        1 => select(vec!["@dm:c,c", "@a", "@all"]),
    ];
    let authority = prop_oneof![
        6 => Just(Authority::Member),
        1 => Just(Authority::Grant),
        2 => Just(Authority::Admin),
    ];
    let news = (who(), select(vec!["@a", "@all", "r"]))
        .prop_map(|(who, to)| by(who, notify("news")).to(to).for_the_service());
    let client_id = option::weighted(0.2, select(vec!["c0", "c1", "c2"]));
    let any = (who(), action(), room, authority, client_id).prop_map(
        |(who, action, room, authority, client_id)| {
            let ask = by(who, action).to(room).with(authority);
            match client_id {
                Some(id) => ask.under(id),
                None => ask,
            }
        },
    );
    prop_oneof![60 => any, 1 => news]
}

fn who() -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![4 => Just("a"), 3 => Just("b"), 2 => Just("c"), 1 => Just("d")]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => about_rooms(),
        4 => about_oneself(),
        8 => about_others(),
        14 => about_messages(),
    ]
}

fn about_rooms() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (spec_of_any_kind(), 1..4_u32).prop_map(|(spec, max)| at_most(create_as(spec), max)),
        6 => select(vec![rename("one"), rename("two"), slow_mode(0), slow_mode(5), max_members(3)]),
        1 => Just(close()),
        1 => Just(notify("news")),
    ]
}

fn about_oneself() -> impl Strategy<Value = Action> {
    let joins = (option::of(spec_of_any_kind()), 1..4_u32);
    prop_oneof![
        10 => joins.prop_map(|(auto_create, max_rooms)| Action::Join { auto_create, max_rooms }),
        1 => Just(leave()),
    ]
}

fn about_others() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => (who(), role()).prop_map(|(who, role)| invite(who, role)),
        3 => (who(), role()).prop_map(|(who, role)| set_role(who, role)),
        1 => who().prop_map(kick),
        2 => (who(), until()).prop_map(|(who, until)| ban(who, until)),
        4 => who().prop_map(unban),
        2 => (who(), until()).prop_map(|(who, until)| mute(who, until)),
        4 => who().prop_map(unmute),
    ]
}

fn about_messages() -> impl Strategy<Value = Action> {
    let (content, emoji) = (select(vec!["hi", "bye"]), Just("+1"));
    prop_oneof![
        4 => content.clone().prop_map(send),
        1 => (die(), content.clone()).prop_map(|(seq, content)| reply(seq, content)),
        2 => (die(), content.clone()).prop_map(|(seq, content)| in_thread(seq, content)),
        2 => (die(), content).prop_map(|(seq, content)| edit(seq, content)),
        1 => die().prop_map(delete),
        2 => (die(), emoji).prop_map(|(seq, emoji)| react(seq, emoji)),
        4 => (die(), emoji).prop_map(|(seq, emoji)| unreact(seq, emoji)),
    ]
}

/// Stands for the seq of a message: see [`aim`].
fn die() -> impl Strategy<Value = u64> + Clone {
    0..12_u64
}

fn role() -> impl Strategy<Value = Role> {
    select(vec![
        Role::Guest,
        Role::Member,
        Role::Moderator,
        Role::Admin,
        Role::Owner,
    ])
}

fn until() -> impl Strategy<Value = Option<Timestamp>> {
    let start = World::empty().now();
    option::of((0..60_u64).prop_map(move |seconds| start.plus(Duration::from_secs(seconds))))
}

fn spec_of_any_kind() -> impl Strategy<Value = RoomSpec> {
    let kinds = prop_oneof![3 => Just(RoomKind::Public), 1 => Just(RoomKind::Private)];
    (kinds, 2..5_u32, select(vec![0, 0, 5])).prop_map(|(kind, max_members, slow_mode_seconds)| RoomSpec {
        max_members,
        settings: RoomSettings {
            slow_mode_seconds,
            ..RoomSettings::default()
        },
        ..spec(kind)
    })
}
