//! The log under many writers: from several tasks, and through several nodes.

use starling_core::{Outcome, RoomId};

use super::{
    Desk, StoreStage,
    desk::{committed, room_id},
    log::{Follow, assert_same, read_all, writes},
    suite::suite,
};

async fn changes_never_leave_a_room_out(stage: &dyn StoreStage) {
    const TASKS: usize = 6;
    const ROUNDS: usize = 25;
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    let mut follow = Follow::begin(store.log.clone()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let log = if task % 2 == 0 {
            store.log.clone()
        } else {
            stage.store().await.log
        };
        let desk = desk.at(log);
        tasks.spawn(async move {
            for round in 0..ROUNDS {
                // Some rooms are a task's own, one is everybody's.
                let (own, sender) = (format!("own-{task}-{}", round % 7), format!("user-{task}"));
                let mut batch = writes(&desk, &own, &sender).to_vec();
                batch.extend(writes(&desk, "all", &sender));
                desk.append(&batch).await;
            }
        });
    }
    while !tasks.is_empty() {
        tokio::select! {
            done = tasks.join_next() => done.unwrap().unwrap(),
            () = follow.sweep() => {}
        }
    }
    follow.sweep().await;
    let rooms: Vec<RoomId> = follow.seen.keys().cloned().collect();
    assert_eq!(rooms.len(), TASKS * 7 + 1);
    let heads = store.log.heads(&rooms).await.unwrap();
    for (room, head) in rooms.iter().zip(heads) {
        assert_eq!(follow.seen[room], head.cursor.seq, "{room}");
    }
}

async fn concurrent_appends_share_one_order(stage: &dyn StoreStage) {
    const TASKS: usize = 8;
    const ROUNDS: usize = 20;
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("r", "owner").await;
    for task in 0..TASKS {
        desk.join("r", &format!("user-{task}")).await;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let user = format!("user-{task}");
        let node = if task % 2 == 0 {
            store.clone()
        } else {
            stage.store().await
        };
        let desk = desk.at(node.log);
        tasks.spawn(async move {
            let mut mine = Vec::new();
            for round in 0..ROUNDS {
                let batch: Vec<_> = (0..=round % 3)
                    .map(|n| {
                        desk.message(
                            "r",
                            &user,
                            &format!("{round}.{n}"),
                            &format!("{user} {round} {n}"),
                        )
                    })
                    .collect();
                mine.extend(desk.append(&batch).await.into_iter().map(committed));
            }
            mine
        });
    }
    let mut written = Vec::new();
    while let Some(mine) = tasks.join_next().await {
        let mine = mine.unwrap();
        // One device's messages keep their order.
        assert!(mine.is_sorted_by(|a, b| a.seq < b.seq));
        written.extend(mine);
    }
    written.sort_by_key(|event| event.seq);
    let read = read_all(&*store.log, "r").await;
    assert_same(&read[TASKS + 1..], &written);
    assert!(read.iter().map(|event| event.seq).eq(1..=read.len() as u64));
}

async fn a_reader_never_sees_a_hole(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("r", "alice").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let desk = desk.at(stage.store().await.log);
        tasks.spawn(async move {
            for n in 0..25 {
                desk.say("r", "alice", &n.to_string()).await;
            }
        });
    }
    let mut seen = 0;
    while seen < 101 {
        for event in store.log.read(&room_id("r"), seen, 7).await.unwrap() {
            assert_eq!(event.seq, seen + 1);
            seen = event.seq;
        }
    }
    tasks.join_all().await;
}

async fn the_same_draft_from_many_tasks_is_appended_once(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("r", "alice").await;
    for round in 0..10 {
        let client_id = format!("c{round}");
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..6 {
            let node = if task % 2 == 0 {
                store.clone()
            } else {
                stage.store().await
            };
            let desk = desk.at(node.log);
            let draft = desk.message("r", "alice", &client_id, "hello");
            tasks.spawn(async move { desk.put(&draft).await });
        }
        let outcomes = tasks.join_all().await;
        let committed = outcomes
            .iter()
            .filter(|o| matches!(o, Outcome::Committed(_)))
            .count();
        assert_eq!(committed, 1, "{outcomes:?}");
        assert!(outcomes.iter().all(|o| o.event() == outcomes[0].event()));
    }
    assert_eq!(read_all(&*store.log, "r").await.len(), 11);
}

async fn batches_over_the_same_rooms_in_any_order_do_not_wait_for_each_other(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..6_usize {
        let desk = desk.at(stage.store().await.log);
        tasks.spawn(async move {
            let sender = format!("user-{task}");
            for round in 0..8 {
                let mut rooms: Vec<String> = (0..8).map(|n| format!("r{n}")).collect();
                rooms.rotate_left((task + round) % 8);
                if task % 2 == 0 {
                    rooms.reverse();
                }
                let batch: Vec<_> = rooms
                    .iter()
                    .flat_map(|room| writes(&desk, room, &sender))
                    .collect();
                desk.append(&batch).await;
            }
        });
    }
    tasks.join_all().await;
    for n in 0..8 {
        let read = read_all(&*store.log, &format!("r{n}")).await;
        // Each task joined once and wrote eight times.
        assert!(read.iter().map(|event| event.seq).eq(1..=6 * 9));
    }
}

async fn an_abandoned_batch_is_stored_whole_or_not_at_all(stage: &dyn StoreStage) {
    let store = stage.store().await;
    let desk = Desk::new(store.log.clone());
    desk.create("a", "alice").await;
    desk.create("b", "alice").await;
    for round in 0..20 {
        let batch: Vec<_> = (0..10)
            .map(|n| {
                let room = if n % 2 == 0 { "a" } else { "b" };
                desk.message(room, "alice", &format!("{round}.{n}"), "hello")
            })
            .collect();
        let task = tokio::spawn({
            let (desk, batch) = (desk.clone(), batch.clone());
            async move { desk.append(&batch).await }
        });
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        task.abort();
        let outcomes = desk.append(&batch).await;
        let repeated = outcomes
            .iter()
            .filter(|o| matches!(o, Outcome::Repeated(_)))
            .count();
        let committed = outcomes
            .iter()
            .filter(|o| matches!(o, Outcome::Committed(_)))
            .count();
        assert!(matches!((repeated, committed), (10, 0) | (0, 10)), "{outcomes:?}");
    }
    assert_eq!(read_all(&*store.log, "a").await.len(), 101);
    assert_eq!(read_all(&*store.log, "b").await.len(), 101);
}

suite!($ conformance_contention, contention, StoreStage, [
    changes_never_leave_a_room_out,
    concurrent_appends_share_one_order,
    a_reader_never_sees_a_hole,
    the_same_draft_from_many_tasks_is_appended_once,
    batches_over_the_same_rooms_in_any_order_do_not_wait_for_each_other,
    an_abandoned_batch_is_stored_whole_or_not_at_all,
]);
