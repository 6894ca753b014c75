//! Each check can fail: a history that is sound passes all of them, and each way of doctoring it is found by its check.

use std::collections::BTreeSet;

use tokio::time::Duration;

use super::*;
use crate::{
    client::history::{Entry, Mine, Seen, Source, What},
    world::{
        truth::{Logged, MemberRow, mark_erased},
        vitals::NodeVitals,
    },
};

const ROOM: Room = 0;

fn logged(seq: u64, kind: &str, client_id: &str) -> Logged {
    Logged {
        seq,
        id: u128::from(seq) << 96,
        kind: kind.to_owned(),
        sender: "ann".to_owned(),
        client_id: client_id.to_owned(),
        digest: seq,
        erased: false,
        about: None,
        refers: None,
        mentions: Vec::new(),
    }
}

fn got(seq: u64) -> What {
    came(seq, Source::Pushed, Mine::Nothing)
}

fn came(seq: u64, source: Source, mine: Mine) -> What {
    let seen = Seen {
        room: ROOM,
        seq,
        id: u128::from(seq) << 96,
        digest: seq,
    };
    What::Event { seen, source, mine }
}

fn sent(client_id: &str) -> What {
    What::Sent {
        room: ROOM,
        client_id: client_id.to_owned(),
        twin: false,
    }
}

fn acked(client_id: &str, seq: u64) -> What {
    What::Acked {
        room: ROOM,
        client_id: client_id.to_owned(),
        seq,
        id: u128::from(seq) << 96,
        duplicate: false,
    }
}

fn refused(client_id: &str) -> What {
    What::Refused {
        room: ROOM,
        client_id: client_id.to_owned(),
        code: "unavailable".to_owned(),
    }
}

fn follows(after: u64) -> What {
    What::Follows {
        room: ROOM,
        after,
        head: after,
    }
}

fn lost() -> What {
    What::Lost {
        why: "a cut".to_owned(),
    }
}

fn history(device: &str, whats: Vec<What>) -> History {
    let entries = (0..).zip(whats).map(|(n, what)| Entry {
        at: Duration::from_millis(n),
        what,
    });
    History {
        device: device.to_owned(),
        user: "ann".to_owned(),
        entries: entries.collect(),
    }
}

/// Ann creates the room (1), and writes (2, 3, 4) and deletes (5) from one device, follows on another that is cut.
fn sound() -> Evidence {
    let mut events = vec![
        logged(1, "room_created", ""),
        logged(2, "message_created", "a"),
        logged(3, "message_created", "b"),
        logged(4, "message_created", "c"),
        Logged {
            refers: Some(4),
            ..logged(5, "message_deleted", "")
        },
    ];
    mark_erased(&mut events);
    let mut model = Model::default();
    for seq in [2, 3, 4] {
        model
            .messages
            .insert(seq, crate::client::model::Message::default());
    }
    let member = MemberRow {
        joined: true,
        joined_seq: 1,
        read_seq: 3,
    };
    let writer = vec![
        follows(1),
        sent("a"),
        sent("b"),
        acked("a", 2),
        got(2),
        acked("b", 3),
        got(3),
        sent("c"),
        refused("c"),
        sent("c"),
        got(4),
        acked("c", 4),
        What::Done {
            room: ROOM,
            kind: "delete_message",
            seq: 5,
        },
        got(5),
        What::Marked { room: ROOM, seq: 3 },
    ];
    let reader = vec![
        follows(1),
        got(2),
        lost(),
        follows(2),
        What::Gap {
            room: ROOM,
            from: 3,
            to: 4,
            rewind: false,
        },
        got(5),
        came(3, Source::Paged, Mine::Nothing),
        came(4, Source::Paged, Mine::Nothing),
    ];
    let node = NodeVitals {
        pid: 1,
        resident: 100 << 20,
        descriptors: 30,
        connections: 2,
        outbox_bytes: 0,
        lane_depth: 0,
    };
    let sample = Vitals {
        nodes: vec![Some(node)],
        redis_clients: 5,
        postgres_backends: 10,
    };
    Evidence {
        rooms: vec!["room-0".to_owned()],
        histories: vec![history("writer", writer), history("reader", reader)],
        stands: vec![vec![(ROOM, 2, 5, Some(model.clone()))], vec![(ROOM, 2, 5, None)]],
        truth: Truth {
            rooms: vec![events],
            members: HashMap::from([((ROOM, "ann".to_owned()), member)]),
        },
        fresh: vec![model],
        unread: vec![("ann".to_owned(), ROOM, 0, 0)],
        presence: vec![("node-0".to_owned(), "ann".to_owned(), "online".to_owned())],
        limits: Limits {
            connections: 2,
            redis_clients: 5,
            postgres_backends: 10,
            descriptors: 28,
        },
        vitals: vec![sample; 120],
    }
}

/// The checks that find something.
fn broken(evidence: &Evidence) -> BTreeSet<&'static str> {
    run(evidence)
        .into_iter()
        .map(|violation| violation.check)
        .collect()
}

fn doctored(doctor: impl FnOnce(&mut Evidence)) -> BTreeSet<&'static str> {
    let mut evidence = sound();
    doctor(&mut evidence);
    broken(&evidence)
}

/// Adds to the reader's history.
fn reader(evidence: &mut Evidence, whats: Vec<What>) {
    let more = history("", whats).entries;
    evidence.histories[1].entries.extend(more);
}

#[test]
fn a_sound_history_passes_and_is_accounted_for() {
    assert_eq!(run(&sound()), []);
    let mut evidence = sound();
    // The reader's last page comes late.
    let late = evidence.histories[1].entries.last_mut().expect("entries");
    late.at += Duration::from_secs(60);
    let account = delivery::Account::of(&evidence);
    assert!(account.all.max() >= 59_000, "{}", account.all.max());
    assert_eq!(
        (account.acked, account.stable, account.lost, account.never),
        (3, 3, 0, 0)
    );
}

#[test]
fn an_acknowledgement_that_is_not_in_the_log_is_found() {
    let lost_tail = doctored(|evidence| {
        evidence.truth.rooms[0].truncate(4);
    });
    assert!(
        lost_tail.contains("acked") && lost_tail.contains("logged"),
        "{lost_tail:?}"
    );
    let elsewhere = doctored(|evidence| evidence.truth.rooms[0][1].client_id = "x".into());
    assert_eq!(elsewhere, ["acked"].into());
    let anothers = doctored(|evidence| evidence.truth.rooms[0][1].sender = "bob".into());
    assert!(anothers.contains("acked"));
}

#[test]
fn a_message_that_is_there_twice_is_found() {
    let twice = doctored(|evidence| evidence.truth.rooms[0].push(logged(6, "message_created", "a")));
    assert!(twice.contains("once"));
    let told_twice = doctored(|evidence| reader(evidence, vec![acked("a", 3)]));
    assert!(told_twice.contains("once"));
}

#[test]
fn a_hole_in_the_log_is_found() {
    let hole = doctored(|evidence| {
        evidence.truth.rooms[0].remove(0);
    });
    assert!(hole.contains("dense"));
}

#[test]
fn an_event_that_is_not_as_in_the_log_is_found_unless_it_was_erased_since() {
    let other = doctored(|evidence| evidence.truth.rooms[0][1].digest = 99);
    assert_eq!(other, ["logged"].into());
    let erased = doctored(|evidence| evidence.truth.rooms[0][3].digest = 99);
    assert!(erased.is_empty(), "{erased:?}");
    let forged = doctored(|evidence| {
        for entry in &mut evidence.histories[1].entries {
            if let What::Event { seen, .. } = &mut entry.what
                && seen.seq == 2
            {
                seen.id = 7;
            }
        }
    });
    assert_eq!(forged, ["logged", "same-order"].into());
}

#[test]
fn repeats_and_gaps_in_a_stream_are_found() {
    assert_eq!(
        doctored(|evidence| reader(evidence, vec![got(5)])),
        ["no-repeat"].into()
    );
    let again = vec![lost(), follows(3), got(4), got(5)];
    assert!(
        doctored(|evidence| reader(evidence, again)).is_empty(),
        "a replay behind a cursor is none"
    );
    let left_out = vec![lost(), follows(3), got(5)];
    assert_eq!(doctored(|evidence| reader(evidence, left_out)), ["no-gap"].into());
}

#[test]
fn what_never_came_is_found_at_rest() {
    let missing = doctored(|evidence| {
        evidence.histories[1].entries.pop();
    });
    assert_eq!(missing, ["complete"].into());
    let behind = doctored(|evidence| evidence.stands[1][0].2 = 4);
    assert_eq!(behind, ["complete"].into());
    let account = {
        let mut evidence = sound();
        evidence.histories[1].entries.pop();
        delivery::Account::of(&evidence)
    };
    assert_eq!((account.stable, account.lost), (2, 1));
}

#[test]
fn what_comes_behind_a_kick_is_found() {
    let mut kicked = vec![lost(), follows(3), came(4, Source::Pushed, Mine::Ends), got(5)];
    let after = doctored(|evidence| reader(evidence, kicked.clone()));
    assert_eq!(after, ["after-kick"].into());
    let back = [
        &[lost(), What::Asked { room: ROOM }, follows(3)][..],
        &kicked[2..],
    ]
    .concat();
    let history = doctored(|evidence| {
        evidence.truth.rooms[0][3].kind = "member_kicked".into();
        reader(evidence, back);
        // The other device has seen it long before this one asked.
        for entry in &mut evidence.histories[1].entries {
            entry.at += Duration::from_secs(1);
        }
    });
    assert!(
        !history.contains("after-kick"),
        "an end before the return is history"
    );
    let at_the_head = What::Follows {
        room: ROOM,
        after: 3,
        head: 5,
    };
    let back = [&[lost(), at_the_head][..], &kicked[2..]].concat();
    assert!(
        doctored(|evidence| reader(evidence, back)).is_empty(),
        "so is one before the head of who follows as a member"
    );
    kicked.insert(3, follows(4));
    assert!(doctored(|evidence| reader(evidence, kicked)).is_empty());
}

#[test]
fn messages_of_one_device_out_of_order_are_found_unless_one_was_refused() {
    let swap = |evidence: &mut Evidence| {
        let entries = &mut evidence.histories[0].entries;
        (entries[3].what, entries[5].what) = (acked("a", 3), acked("b", 2));
    };
    assert!(doctored(swap).contains("device-order"));
    // The one that was stored later was refused in between.
    let again = |evidence: &mut Evidence, between: Vec<What>, at: usize| {
        swap(evidence);
        let between = between.into_iter().map(|what| Entry {
            at: Duration::ZERO,
            what,
        });
        evidence.histories[0].entries.splice(at..at, between);
    };
    let refused_first = doctored(|evidence| again(evidence, vec![refused("a"), sent("a")], 3));
    assert!(!refused_first.contains("device-order"));
    // Perhaps it was, and the connection ended before the refusal came: the other was stored at its first attempt.
    let came_again = |repeats: &'static [&'static str]| {
        doctored(|evidence| {
            again(evidence, vec![lost(), sent("a"), sent("b")], 3);
            for entry in &mut evidence.histories[0].entries {
                if let What::Acked {
                    duplicate, client_id, ..
                } = &mut entry.what
                {
                    *duplicate = repeats.contains(&client_id.as_str());
                }
            }
        })
    };
    assert!(!came_again(&["b"]).contains("device-order"));
    assert!(
        came_again(&["a", "b"]).contains("device-order"),
        "both at their first attempt"
    );
    assert!(came_again(&[]).contains("device-order"), "both at their last");
    let twins = doctored(|evidence| {
        swap(evidence);
        let twin = What::Sent {
            room: ROOM,
            client_id: "a".into(),
            twin: true,
        };
        reader(evidence, vec![twin]);
    });
    assert!(!twins.contains("device-order"));
}

#[test]
fn a_state_that_differs_from_a_fresh_one_is_found() {
    let edited = doctored(|evidence| {
        if let Some(message) = evidence.fresh[0].messages.get_mut(&3) {
            message.content = Some(9);
        }
    });
    assert_eq!(edited, ["state"].into());
    let gone = doctored(|evidence| {
        evidence.fresh[0].messages.remove(&3);
    });
    assert_eq!(gone, ["state"].into());
}

#[test]
fn wrong_counts_and_markers_are_found() {
    assert_eq!(doctored(|evidence| evidence.unread[0].2 = 1), ["unread"].into());
    let by_another = |evidence: &mut Evidence| {
        evidence.truth.rooms[0].push(Logged {
            sender: "bob".into(),
            mentions: vec!["ann".into()],
            ..logged(6, "message_created", "z")
        });
        evidence.stands.clear();
    };
    assert_eq!(doctored(by_another), ["unread"].into());
    let counted = doctored(|evidence| {
        by_another(evidence);
        (evidence.unread[0].2, evidence.unread[0].3) = (1, 1);
    });
    assert!(counted.is_empty(), "{counted:?}");
    let back = What::Marked { room: ROOM, seq: 4 };
    assert_eq!(
        doctored(|evidence| reader(evidence, vec![back])),
        ["unread"].into()
    );
}

#[test]
fn a_user_who_is_there_and_offline_is_found() {
    assert_eq!(
        doctored(|evidence| evidence.presence[0].2 = "offline".into()),
        ["presence"].into()
    );
}

#[test]
fn what_a_cluster_at_rest_would_not_hold_is_found() {
    let last = |change: fn(&mut NodeVitals)| {
        doctored(|evidence| {
            let vitals = evidence.vitals.last_mut().expect("samples");
            change(vitals.nodes[0].as_mut().expect("a node"));
        })
    };
    assert_eq!(last(|node| node.outbox_bytes = 1), ["queues"].into());
    assert_eq!(last(|node| node.lane_depth = 1), ["queues"].into());
    assert_eq!(last(|node| node.descriptors = 40), ["connections"].into());
    assert_eq!(last(|node| node.connections = 3), ["connections"].into());
    let down = doctored(|evidence| evidence.vitals.last_mut().expect("samples").nodes[0] = None);
    assert_eq!(down, ["queues"].into());
    let redis = doctored(|evidence| evidence.vitals.last_mut().expect("samples").redis_clients = 6);
    assert_eq!(redis, ["connections"].into());
    let growing = doctored(|evidence| {
        for (n, vitals) in evidence.vitals.iter_mut().enumerate() {
            vitals.nodes[0].as_mut().expect("a node").resident += (n as u64) << 21;
        }
    });
    assert_eq!(growing, ["memory"].into());
}
