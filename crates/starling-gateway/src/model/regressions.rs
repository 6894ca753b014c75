//! What the model has found: each a plan that failed, by the name of what holds since.

use std::sync::Arc;

use starling_core::{
    ClientId, EventBody, EventId, RoomEvent, RoomId, Timestamp, UserId, event::MemberGone, ports::Head,
};
use tokio::time::Instant;

use super::{
    client::State,
    node::Node,
    pipe::Pipe,
    plan::{
        Fate::Stored,
        Heard::{Never, Once},
        Plan,
        Step::{
            self, Connect, Crash, Cut, Flow, Hear, Kick, Lane, Read, Send, Session, Shard, Subscribe, Sweep,
            Task, Tick,
        },
        Works::{Fails, Well},
    },
    run,
    session::ServerSession,
    world::World,
};
use crate::hub::{Attach, From, Moment, SharedEvent, ToShard};

fn holds(steps: &[&[Step]]) {
    run(&plan(steps));
}

fn plan(steps: &[&[Step]]) -> Plan {
    Plan {
        warm: false,
        replay: 1000,
        lossy: true,
        steps: steps.concat(),
    }
}

/// A node's sweep takes its first watermark.
const SWEPT: &[Step] = &[Sweep(0, Well), Sweep(0, Well)];
/// Client 0 follows room 0 on node 0, up to where the room is asked for.
const FOLLOWING: &[Step] = &[
    Connect(0, 0),
    Subscribe(0, 0),
    Session(0, 0),
    Session(0, 0),
    Shard(0, 8),
];
/// Client 1 writes on node 1, until node 0 may hear it.
const WRITTEN: &[Step] = &[
    Send(1, 0, 1),
    Session(1, 0),
    Lane(1, 0, Stored),
    Lane(1, 0, Stored),
    Lane(1, 0, Stored),
    Lane(1, 0, Stored),
    Lane(1, 0, Stored),
    Lane(1, 0, Stored),
    Lane(1, 0, Stored),
];

#[test]
fn a_hole_is_held_once_an_event_reveals_it() {
    let opened = [Flow(0); 4];
    let lost = [Hear(0, 0, Never)];
    let heard = [Hear(0, 0, Once), Shard(0, 8)];
    let writer = [Connect(1, 1)];
    holds(&[
        SWEPT, FOLLOWING, &opened, &writer, WRITTEN, &lost, WRITTEN, &heard,
    ]);
}

#[test]
fn a_room_that_could_not_open_leaves_no_subscription() {
    let opening = [Task(0, 0, Well), Task(0, 0, Fails)];
    holds(&[SWEPT, FOLLOWING, &opening]);
}

#[test]
fn what_is_appended_before_the_first_sweep_is_found() {
    // The dead node's message becomes visible behind the room's head and before the sweep's watermark.
    let orphan = [Connect(1, 0), Send(1, 0, 1), Flow(0), Crash(0)];
    let opening = [Task(0, 0, Well), Task(0, 0, Well)];
    holds(&[&orphan, FOLLOWING, &opening]);
}

#[test]
fn what_the_sweep_finds_while_a_room_opens_is_kept() {
    // The head is read and on its way, when somebody writes and the bus loses it.
    let opening = [Task(0, 0, Well), Task(0, 0, Well), Connect(1, 1)];
    let swept = [
        Hear(0, 0, Never),
        Sweep(0, Well),
        Sweep(0, Well),
        Shard(0, 8),
        Task(0, 0, Well),
    ];
    holds(&[SWEPT, FOLLOWING, &opening, WRITTEN, &swept]);
}

#[test]
fn who_is_removed_before_their_reply_is_told_behind_it() {
    let open = [Task(0, 0, Well), Task(0, 0, Well), Task(0, 0, Well), Shard(0, 8)];
    // The answer to the session is there; it writes the reply only after the room has ended its membership.
    let kick = [Connect(2, 0), Kick(2, 0), Session(0, 1)];
    let lane = [Lane(0, 0, Stored); 5];
    holds(&[SWEPT, FOLLOWING, &open, &kick, &lane, &[Shard(0, 8)]]);
}

#[test]
fn what_was_read_for_a_closed_room_does_not_reach_its_next_opening() {
    let opened = [Flow(0), Flow(0), Flow(0), Flow(0), Read(0)];
    let hole = [Hear(0, 0, Never)];
    let filling = [
        Hear(0, 0, Once),
        Shard(0, 8),
        Tick(45),
        Shard(0, 8),
        Task(0, 0, Well),
    ];
    // The room closes while the answer is on its way, and opens again.
    let closed = [
        Cut(0),
        Session(0, 0),
        Shard(0, 8),
        Tick(600),
        Shard(0, 8),
        Tick(600),
        Shard(0, 8),
    ];
    let unsubscribed = [Task(0, 1, Well), Task(0, 1, Well), Task(0, 1, Well), Shard(0, 8)];
    let late = [Task(0, 0, Well), Shard(0, 8)];
    let opened_again = [Task(0, 0, Well), Task(0, 0, Well), Task(0, 0, Well), Shard(0, 8)];
    let heard = [Hear(0, 0, Once), Shard(0, 8)];
    holds(&[
        SWEPT,
        FOLLOWING,
        &opened,
        &[Connect(1, 1)],
        WRITTEN,
        &hole,
        WRITTEN,
        &filling,
        &closed,
        &unsubscribed,
        FOLLOWING,
        &late,
        WRITTEN,
        &opened_again,
        WRITTEN,
        &heard,
    ]);
}

/// Client 0 goes, and room 0 closes on node 0 when it has lingered.
const CLOSED: &[Step] = &[Cut(0), Session(0, 0), Shard(0, 8), Tick(600), Shard(0, 8)];

#[test]
fn a_resubscription_under_way_does_not_outlive_its_room() {
    // The bus does not take the subscription; it is tried again just when the room closes, and done behind its end.
    let open = [Task(0, 0, Fails), Task(0, 0, Well), Task(0, 0, Well), Shard(0, 8)];
    let answered = [Session(0, 0), Session(0, 0)];
    let reordered = [Task(0, 1, Well), Task(0, 0, Well)];
    let done = [Task(0, 0, Well), Task(0, 0, Well), Task(0, 0, Well), Shard(0, 8)];
    holds(&[
        SWEPT, FOLLOWING, &open, &answered, CLOSED, &reordered, &done, &done,
    ]);
}

#[test]
fn a_room_opens_again_while_its_last_subscription_is_still_ending() {
    let opened = [Flow(0), Flow(0), Flow(0), Flow(0), Read(0)];
    // The end of the subscription hangs: it is the first of the node's tasks, and never its turn.
    let opening = [
        Tick(600),
        Shard(0, 8),
        Task(0, 1, Well),
        Task(0, 1, Well),
        Task(0, 1, Well),
        Task(0, 1, Well),
        Shard(0, 8),
    ];
    let answered = [Session(0, 0), Session(0, 0), Shard(0, 8), Read(0)];
    let plan = plan(&[SWEPT, FOLLOWING, &opened, CLOSED, FOLLOWING, &opening, &answered]);
    let mut world = World::new(&plan);
    plan.steps.iter().for_each(|step| world.step(*step));
    let link = world.clients[0].link.as_ref().expect("a connection");
    assert_eq!(link.states[0], State::Live);
    run(&plan);
}

/// Found by a run of the whole gateway: a plan's detach does not follow its event so closely.
#[tokio::test]
async fn who_leaves_is_told_though_the_detach_is_right_behind_the_event() {
    let now = Instant::now();
    let (room, bob) = (RoomId::parse("r").unwrap(), UserId::parse("bob").unwrap());
    for (by, told) in [(Some(1), true), (Some(2), false), (None, false)] {
        let mut node = Node::new(1000, 1, now);
        let pipe = Pipe::default();
        let session = ServerSession::new(7, bob.clone(), pipe.clone(), node.metrics.clone()).session;
        let attach = Attach {
            room: room.clone(),
            session,
            from: From::Head,
            since: 0,
            reply: None,
        };
        node.shard.take(ToShard::Attach(attach), now);
        let opened = ToShard::Opened {
            rooms: vec![room.clone()],
            heads: Ok(vec![Head::EMPTY]),
            subscribed: true,
        };
        node.shard.take(opened, now);
        let event_id = EventId::new(Timestamp::from_millis(1), [0; 10]);
        let left = RoomEvent {
            room: room.clone(),
            seq: 1,
            id: event_id,
            sender: bob.clone(),
            sender_name: None,
            client_id: ClientId::of_event(event_id),
            at: Timestamp::from_millis(1),
            body: EventBody::MemberLeft(MemberGone {
                user_id: bob.clone(),
                reason: None,
            }),
        };
        let left = SharedEvent::own(Arc::new(left), None, now, None);
        node.shard.take(ToShard::Events(vec![left]), now);
        let detach = ToShard::Detach {
            room: room.clone(),
            key: 7,
            by,
        };
        node.shard.take(detach, now);
        let at = Timestamp::from_millis(1);
        node.shard.hand_out(|| Moment { instant: now, at }).await;
        let got = String::from_utf8_lossy(&pipe.read()).into_owned();
        assert_eq!(got.contains("member_left"), told, "{by:?}: {got}");
    }
}
