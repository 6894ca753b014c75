//! What holds for any batch.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::Index, strategy::ValueTree, test_runner::TestRunner};

use crate::{
    Authority, Draft, EventBody, Member, Outcome, Role, RoomEvent,
    rules::{Needs, Plan, plan},
};

use super::{
    random::script,
    world::{Stored, World, word},
};

proptest! {
    /// However a batch is cut, the outcomes and the final state are the same.
    #[test]
    fn batches_may_be_cut_anywhere(drafts in script(), at in any::<Index>()) {
        let (whole, outcomes) = appended([&drafts[..]]);
        let (head, tail) = drafts.split_at(at.index(drafts.len() + 1));
        let (halves, outcomes_of_halves) = appended([head, tail]);
        prop_assert_eq!(&outcomes_of_halves, &outcomes);
        prop_assert_eq!(&halves.stored, &whole.stored);
        let (singly, outcomes_singly) = appended(drafts.chunks(1));
        prop_assert_eq!(&outcomes_singly, &outcomes);
        prop_assert_eq!(&singly.stored, &whole.stored);
    }

    /// What was committed is repeated by a retry, in one batch or in many, and changes nothing.
    #[test]
    fn a_retry_changes_nothing(drafts in script()) {
        let (mut world, outcomes) = appended([&drafts[..]]);
        let is_committed = |(_, outcome): &(Draft, Outcome)| matches!(outcome, Outcome::Committed(_));
        let (retried, first): (Vec<_>, Vec<_>) =
            drafts.into_iter().zip(outcomes).filter(is_committed).unzip();
        let stored = world.stored.clone();
        let again = world.append(&retried);
        prop_assert_eq!(&world.stored, &stored);
        for (first, again) in first.iter().zip(&again) {
            prop_assert_eq!(word(again), "repeated");
            prop_assert_eq!(first.event(), again.event());
        }
    }

    /// What is refused, or so already, leaves nothing to store.
    #[test]
    fn only_what_is_committed_changes_anything(drafts in script()) {
        let mut world = World::empty();
        for draft in &drafts {
            let before = world.stored.clone();
            let outcomes = world.append(std::slice::from_ref(draft));
            if !matches!(outcomes[0], Outcome::Committed(_)) {
                prop_assert_eq!(&world.stored, &before, "{:?} for {:?}", outcomes, draft);
            }
        }
    }

    /// [`Needs`] names all that matters: more facts lead to no other plan.
    #[test]
    fn nothing_is_decided_by_what_was_not_asked_for(drafts in script(), at in any::<Index>()) {
        let (head, tail) = drafts.split_at(at.index(drafts.len() + 1));
        let (world, _) = appended([head]);
        let needed = plan(tail, world.stored.load(&Needs::of(tail)));
        let all = plan(tail, world.stored.load_all());
        let parts = |plan: Plan| (plan.outcomes, plan.events, plan.rooms, plan.members);
        prop_assert_eq!(parts(needed), parts(all));
    }

    /// Told apart from the rules themselves: who acted was allowed to.
    #[test]
    fn members_act_within_their_roles(drafts in script()) {
        let mut world = World::empty();
        for draft in &drafts {
            let before = world.stored.clone();
            let outcomes = world.append(std::slice::from_ref(draft));
            if let (Outcome::Committed(event), Authority::Member) = (&outcomes[0], draft.authority) {
                prop_assert!(was_allowed(&before, event), "{:#?} after {:#?}", event, before);
                prop_assert!(gave_no_power_away(&before, &world.stored, event), "{:#?}", event);
            }
        }
    }
}

fn appended<'a>(parts: impl IntoIterator<Item = &'a [Draft]>) -> (World, Vec<Outcome>) {
    let mut world = World::empty();
    let outcomes = parts.into_iter().flat_map(|part| world.append(part)).collect();
    (world, outcomes)
}

fn joined<'a>(stored: &'a Stored, event: &RoomEvent) -> Option<&'a Member> {
    let key = (event.room.clone(), event.sender.clone());
    stored.members.get(&key).filter(|member| member.is_joined())
}

/// Whether the sender's row, as it was, lets them do what the event says. As blunt as can be.
fn was_allowed(before: &Stored, event: &RoomEvent) -> bool {
    let row = joined(before, event);
    let role = row.map(|member| member.role);
    let is_muted = row
        .and_then(|member| member.muted)
        .is_some_and(|until| until.is_none_or(|until| until > event.at));
    let is_own = |seq: u64| before.messages[&(event.room.clone(), seq)].sender == event.sender;
    match &event.body {
        EventBody::MessageCreated(_) if event.room.is_reserved() => {
            event.room.reserved().unwrap().is_read_by(&event.sender)
        }
        EventBody::MessageCreated(_) => role >= Some(Role::Member) && !is_muted,
        EventBody::MessageUpdated(m) => role >= Some(Role::Member) && !is_muted && is_own(m.ref_seq),
        EventBody::MessageDeleted(m) => {
            role >= Some(Role::Moderator) || (role.is_some() && is_own(m.ref_seq))
        }
        EventBody::ReactionAdded(_) | EventBody::ReactionRemoved(_) => role.is_some() && !is_muted,
        EventBody::MemberJoined(_) | EventBody::RoomCreated(_) => role.is_none(),
        EventBody::MemberLeft(m) => role.is_some() && m.user_id == event.sender,
        EventBody::MemberRoleChanged(m) if m.user_id == event.sender => Some(m.role) < role,
        EventBody::MemberInvited(_)
        | EventBody::MemberKicked(_)
        | EventBody::MemberBanned(_)
        | EventBody::MemberUnbanned(_)
        | EventBody::MemberMuted(_)
        | EventBody::MemberUnmuted(_) => role >= Some(Role::Moderator),
        EventBody::MemberRoleChanged(_) | EventBody::RoomUpdated(_) => role >= Some(Role::Admin),
        EventBody::RoomDeleted(_) => role == Some(Role::Owner),
        EventBody::Notification(_) => false,
    }
}

/// Whether every other user whose row the event changed stood below the sender, and stands no higher than them now;
/// and whether the sender rose by an invitation, by opening the room, or not at all.
fn gave_no_power_away(before: &Stored, after: &Stored, event: &RoomEvent) -> bool {
    let own = joined(before, event).map(|member| member.role);
    let is_new = before.rooms.get(&event.room).is_none_or(|room| room.deleted);
    let is_over = matches!(event.body, EventBody::RoomDeleted(_));
    after.members.iter().all(|(key, row)| {
        let old = before.members.get(key);
        if old == Some(row) || is_new || is_over {
            return true;
        }
        let (was, is) = (old.map_or(Role::Member, |old| old.role), row.role);
        if key.1 == event.sender {
            is <= was
        } else {
            (Some(was) < own) && Some(is) <= own
        }
    })
}

/// The random batches would prove nothing if they were all refused.
#[test]
fn random_batches_reach_every_event_and_refusal() {
    let mut runner = TestRunner::deterministic();
    let (mut kinds, mut words) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..400 {
        let drafts = script().new_tree(&mut runner).unwrap().current();
        let (world, outcomes) = appended([&drafts[..]]);
        kinds.extend(world.stored.log.iter().map(|event| event.body.kind()));
        words.extend(outcomes.iter().map(word));
    }
    assert_eq!(kinds, EventBody::KINDS.iter().copied().collect());
    let wanted = [
        "ok",
        "same",
        "repeated",
        "banned",
        "conflict",
        "forbidden",
        "invalid_message",
        "muted",
        "not_found",
        "not_member",
        "room_exists",
        "room_full",
        "slow_mode",
        "too_many_rooms",
    ];
    assert_eq!(words, wanted.into());
}
