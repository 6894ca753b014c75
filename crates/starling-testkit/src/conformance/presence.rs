//! Presence: what the live nodes say, leases, and who cleans up after the dead.

use std::{sync::Arc, time::Duration};

use starling_core::{
    Timestamp, UserId,
    ports::{Presence, PresenceChange, Reaped, Renewal},
    presence::{NodePresence, Status, UserPresence},
};

use super::{
    PresenceStage,
    desk::{room_id, user_id},
    suite::suite,
};

fn says(status: Status, custom: Option<&str>, set_at: i64) -> Option<NodePresence> {
    Some(NodePresence {
        status,
        custom: custom.map(Into::into),
        set_at: at(set_at),
    })
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_795_176_000_000 + millis)
}

fn sees(user: &UserId, status: Status, custom: Option<&str>) -> UserPresence {
    UserPresence {
        user_id: user.clone(),
        status,
        custom_status: custom.map(Into::into),
        last_seen_at: None,
    }
}

/// A node that has its lease.
async fn node(stage: &dyn PresenceStage) -> Arc<dyn Presence> {
    let node = stage.presence().await;
    node.renew().await.unwrap();
    node
}

async fn tell(node: &dyn Presence, user: &UserId, said: Option<NodePresence>) -> PresenceChange {
    node.assert(&[(user.clone(), said)]).await.unwrap().remove(0)
}

async fn look(node: &dyn Presence, user: &UserId) -> UserPresence {
    node.lookup(std::slice::from_ref(user)).await.unwrap().remove(0)
}

async fn reap(node: &dyn Presence) -> Vec<PresenceChange> {
    node.reap().await.unwrap().changes
}

/// So long that no test sees the end.
const LONG: Duration = Duration::from_secs(3600);

async fn hand_over(node: &dyn Presence, user: &UserId, left: Duration) {
    node.hand_over(&[(user.clone(), left)]).await.unwrap();
}

/// Lets a lease's time go by in steps, while these nodes keep theirs.
async fn outlive(stage: &dyn PresenceStage, living: &[&Arc<dyn Presence>]) {
    for _ in 0..6 {
        stage.pass(stage.lease() / 4).await;
        for node in living {
            assert_eq!(node.renew().await.unwrap(), Renewal::Kept);
        }
    }
}

async fn nobody_is_online_at_first(stage: &dyn PresenceStage) {
    let node = node(stage).await;
    let users = ["a", "b"].map(user_id);
    let seen = node.lookup(&users).await.unwrap();
    assert_eq!(
        seen,
        users.each_ref().map(|user| sees(user, Status::Offline, None))
    );
    assert_eq!(node.lookup(&[]).await.unwrap(), []);
    assert_eq!(node.assert(&[]).await.unwrap(), []);
}

async fn a_change_is_answered_with_before_and_now(stage: &dyn PresenceStage) {
    let (a, b) = (node(stage).await, node(stage).await);
    let alice = user_id("alice");
    let first = tell(&*a, &alice, says(Status::Online, None, 1)).await;
    assert_eq!(first.before, sees(&alice, Status::Offline, None));
    assert_eq!(first.now, sees(&alice, Status::Online, None));
    // Another node says less: nothing that others see changes.
    let second = tell(&*b, &alice, says(Status::Away, None, 2)).await;
    assert!(!second.is_visible(), "{second:?}");
    let third = tell(&*b, &alice, says(Status::Busy, Some("in a call"), 3)).await;
    assert_eq!(third.before, sees(&alice, Status::Online, None));
    assert_eq!(third.now, sees(&alice, Status::Busy, Some("in a call")));
    assert_eq!(look(&*a, &alice).await, third.now);
    let fourth = tell(&*b, &alice, None).await;
    assert_eq!(fourth.before, third.now);
    assert_eq!(fourth.now, sees(&alice, Status::Online, None));
    let last = tell(&*a, &alice, None).await;
    assert_eq!(last.now, sees(&alice, Status::Offline, None));
    assert!(!tell(&*a, &alice, None).await.is_visible());
}

async fn users_are_answered_in_order(stage: &dyn PresenceStage) {
    let (a, b) = (node(stage).await, node(stage).await);
    let users: Vec<UserId> = (0..300).map(|n| user_id(&format!("user-{n}"))).collect();
    let status = |n: usize| [Status::Online, Status::Away, Status::Busy][n % 3];
    let said: Vec<_> = users
        .iter()
        .enumerate()
        .map(|(n, user)| (user.clone(), says(status(n), Some(&format!("text {n}")), 1)))
        .collect();
    let changes = a.assert(&said).await.unwrap();
    let seen = b.lookup(&users).await.unwrap();
    for (n, user) in users.iter().enumerate() {
        let expected = sees(user, status(n), Some(&format!("text {n}")));
        assert_eq!((&changes[n].now, &seen[n]), (&expected, &expected));
    }
}

async fn nodes_add_up(stage: &dyn PresenceStage) {
    let nodes = [node(stage).await, node(stage).await, node(stage).await];
    let alice = user_id("alice");
    tell(&*nodes[0], &alice, says(Status::Away, Some("old"), 1)).await;
    tell(&*nodes[1], &alice, says(Status::Online, Some("new"), 2)).await;
    let three = tell(&*nodes[2], &alice, says(Status::Away, None, 3)).await;
    assert_eq!(three.now, sees(&alice, Status::Online, Some("new")));
    // Invisible on one node masks all others.
    let masked = tell(&*nodes[2], &alice, says(Status::Invisible, None, 4)).await;
    assert_eq!(masked.now.status, Status::Offline);
    assert_eq!(masked.now.custom_status, None);
    assert_eq!(look(&*nodes[0], &alice).await.status, Status::Offline);
    let shown = tell(&*nodes[2], &alice, None).await;
    assert_eq!(shown.now, sees(&alice, Status::Online, Some("new")));
}

async fn who_is_away_was_last_seen_then(stage: &dyn PresenceStage) {
    let node = node(stage).await;
    let alice = user_id("alice");
    stage
        .directory()
        .await
        .seen(&[(alice.clone(), at(77))])
        .await
        .unwrap();
    assert_eq!(look(&*node, &alice).await.last_seen_at, Some(at(77)));
    let online = tell(&*node, &alice, says(Status::Online, None, 1)).await;
    assert_eq!(online.now.last_seen_at, None);
    assert_eq!(look(&*node, &alice).await.last_seen_at, None);
    let gone = tell(&*node, &alice, None).await;
    assert_eq!(gone.now.last_seen_at, Some(at(77)));
}

async fn exactly_one_node_tells_of_each_change(stage: &dyn PresenceStage) {
    let alice = user_id("alice");
    let nodes = [
        node(stage).await,
        node(stage).await,
        node(stage).await,
        node(stage).await,
    ];
    for round in 0..10 {
        for said in [says(Status::Online, None, round), None] {
            let mut tasks = tokio::task::JoinSet::new();
            for node in &nodes {
                let (node, user, said) = (node.clone(), alice.clone(), said.clone());
                tasks.spawn(async move { tell(&*node, &user, said).await.is_visible() });
            }
            let told = tasks.join_all().await.into_iter().filter(|told| *told).count();
            assert_eq!(told, 1);
        }
    }
}

async fn a_dead_nodes_word_is_void_at_once(stage: &dyn PresenceStage) {
    let (dead, living) = (node(stage).await, node(stage).await);
    let (alice, bob) = (user_id("alice"), user_id("bob"));
    tell(&*dead, &alice, says(Status::Online, None, 1)).await;
    tell(&*dead, &bob, says(Status::Busy, Some("mine"), 2)).await;
    tell(&*living, &bob, says(Status::Away, None, 1)).await;
    dead.set_room_counts(&[(room_id("r"), 5)]).await.unwrap();
    living.set_room_counts(&[(room_id("r"), 2)]).await.unwrap();
    outlive(stage, &[&living]).await;
    // Nobody has cleaned up yet.
    assert_eq!(look(&*living, &alice).await.status, Status::Offline);
    assert_eq!(look(&*living, &bob).await, sees(&bob, Status::Away, None));
    assert_eq!(living.room_counts(&[room_id("r")]).await.unwrap(), [2]);
    // A reap tells what nobody else could: that those who were only there are gone.
    let mut reaped = reap(&*living).await;
    reaped.retain(PresenceChange::is_visible);
    reaped.sort_by(|a, b| a.now.user_id.cmp(&b.now.user_id));
    assert_eq!(reaped.len(), 2, "{reaped:?}");
    assert_eq!(reaped[0].before, sees(&alice, Status::Online, None));
    assert_eq!(reaped[0].now.status, Status::Offline);
    assert_eq!(reaped[1].before, sees(&bob, Status::Busy, Some("mine")));
    assert_eq!(reaped[1].now, sees(&bob, Status::Away, None));
    assert_eq!(living.reap().await.unwrap(), Reaped::default());
}

async fn one_node_at_a_time_reaps(stage: &dyn PresenceStage) {
    let dead = node(stage).await;
    let living = [node(stage).await, node(stage).await, node(stage).await];
    let users: Vec<UserId> = (0..50).map(|n| user_id(&format!("user-{n}"))).collect();
    let said: Vec<_> = users
        .iter()
        .map(|user| (user.clone(), says(Status::Online, None, 1)))
        .collect();
    dead.assert(&said).await.unwrap();
    let handed_over: Vec<_> = users[..20]
        .iter()
        .map(|user| (user.clone(), stage.lease() / 8))
        .collect();
    dead.hand_over(&handed_over).await.unwrap();
    outlive(stage, &living.each_ref()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for node in &living {
        let node = node.clone();
        tasks.spawn(async move { reap(&*node).await });
    }
    let mut told: Vec<PresenceChange> = tasks.join_all().await.into_iter().flatten().collect();
    // A reaper may take its work in portions, and may have to wait for its turn.
    for _ in 0..100 {
        if told.len() >= users.len() {
            break;
        }
        outlive(stage, &living.each_ref()).await;
        told.extend(reap(&*living[0]).await);
    }
    let mut named: Vec<&UserId> = told.iter().map(|change| &change.now.user_id).collect();
    named.sort();
    let mut users: Vec<&UserId> = users.iter().collect();
    users.sort();
    assert_eq!(named, users, "each of them once");
}

async fn living_nodes_are_not_reaped(stage: &dyn PresenceStage) {
    let (a, b) = (node(stage).await, node(stage).await);
    let alice = user_id("alice");
    tell(&*a, &alice, says(Status::Online, None, 1)).await;
    outlive(stage, &[&a, &b]).await;
    assert_eq!(reap(&*b).await, []);
    assert_eq!(look(&*b, &alice).await.status, Status::Online);
}

async fn a_node_that_lost_its_lease_asserts_again(stage: &dyn PresenceStage) {
    let (a, b) = (node(stage).await, node(stage).await);
    let alice = user_id("alice");
    tell(&*a, &alice, says(Status::Online, None, 1)).await;
    a.set_room_counts(&[(room_id("r"), 3)]).await.unwrap();
    assert_eq!(a.renew().await.unwrap(), Renewal::Kept);
    outlive(stage, &[&b]).await;
    assert_eq!(a.renew().await.unwrap(), Renewal::Lost);
    assert_eq!(a.renew().await.unwrap(), Renewal::Kept);
    // What it said under the old lease stays void.
    assert_eq!(look(&*b, &alice).await.status, Status::Offline);
    assert_eq!(b.room_counts(&[room_id("r")]).await.unwrap(), [0]);
    tell(&*a, &alice, says(Status::Online, None, 1)).await;
    a.set_room_counts(&[(room_id("r"), 3)]).await.unwrap();
    assert_eq!(look(&*b, &alice).await.status, Status::Online);
    assert_eq!(b.room_counts(&[room_id("r")]).await.unwrap(), [3]);
    // Cleaning up after the old lease leaves alone what was said under the new one.
    for _ in 0..3 {
        outlive(stage, &[&a, &b]).await;
        b.reap().await.unwrap();
    }
    assert_eq!(look(&*b, &alice).await.status, Status::Online);
    assert_eq!(b.room_counts(&[room_id("r")]).await.unwrap(), [3]);
}

async fn what_was_handed_over_holds_until_its_end(stage: &dyn PresenceStage) {
    let (gone, living) = (node(stage).await, node(stage).await);
    let (alice, bob, carol) = (user_id("alice"), user_id("bob"), user_id("carol"));
    tell(&*gone, &alice, says(Status::Busy, Some("mine"), 1)).await;
    tell(&*gone, &bob, says(Status::Online, None, 1)).await;
    hand_over(&*gone, &alice, LONG).await;
    hand_over(&*gone, &bob, stage.lease() / 8).await;
    // Of whom it said nothing, nothing is kept.
    hand_over(&*gone, &carol, LONG).await;
    gone.hand_over(&[]).await.unwrap();
    outlive(stage, &[&living]).await;
    // Its lease has ended long ago, and nobody has cleaned up yet.
    assert_eq!(
        look(&*living, &alice).await,
        sees(&alice, Status::Busy, Some("mine"))
    );
    assert_eq!(look(&*living, &bob).await.status, Status::Offline);
    assert_eq!(look(&*living, &carol).await.status, Status::Offline);
    let reaped = living.reap().await.unwrap();
    assert_eq!(reaped.changes.len(), 1, "{reaped:?}");
    assert_eq!(reaped.changes[0].before, sees(&bob, Status::Online, None));
    assert_eq!(reaped.changes[0].now, sees(&bob, Status::Offline, None));
    assert!(reaped.next.is_some_and(|next| next <= LONG), "{reaped:?}");
    assert_eq!(reap(&*living).await, []);
    assert_eq!(look(&*living, &alice).await.status, Status::Busy);
}

async fn who_comes_back_was_never_away(stage: &dyn PresenceStage) {
    let (gone, living) = (node(stage).await, node(stage).await);
    let alice = user_id("alice");
    tell(&*gone, &alice, says(Status::Online, Some("old"), 1)).await;
    hand_over(&*gone, &alice, LONG).await;
    outlive(stage, &[&living]).await;
    // Another node that has nothing to say of her changes nothing.
    let nothing = tell(&*living, &alice, None).await;
    assert_eq!(nothing.now, sees(&alice, Status::Online, Some("old")));
    assert!(!nothing.is_visible(), "{nothing:?}");
    // One that has says all there is to say.
    let back = tell(&*living, &alice, says(Status::Away, None, 2)).await;
    assert_eq!(back.before, sees(&alice, Status::Online, Some("old")));
    assert_eq!(back.now, sees(&alice, Status::Away, None));
    assert_eq!(look(&*living, &alice).await, back.now);
    let left = tell(&*living, &alice, None).await;
    assert_eq!(left.now.status, Status::Offline);
    assert_eq!(reap(&*living).await, []);
}

async fn several_nodes_hand_a_user_over(stage: &dyn PresenceStage) {
    let (first, second, living) = (node(stage).await, node(stage).await, node(stage).await);
    let alice = user_id("alice");
    tell(&*first, &alice, says(Status::Busy, None, 1)).await;
    tell(&*second, &alice, says(Status::Away, None, 2)).await;
    hand_over(&*second, &alice, LONG).await;
    hand_over(&*first, &alice, stage.lease() / 8).await;
    outlive(stage, &[&living]).await;
    assert_eq!(look(&*living, &alice).await.status, Status::Away);
    let reaped = living.reap().await.unwrap();
    assert_eq!(reaped.changes.len(), 1, "{reaped:?}");
    assert_eq!(reaped.changes[0].before.status, Status::Busy);
    assert_eq!(reaped.changes[0].now.status, Status::Away);
    assert!(reaped.next.is_some(), "the other end is still to come");
}

async fn room_counts_add_up(stage: &dyn PresenceStage) {
    let (a, b) = (node(stage).await, node(stage).await);
    let rooms = ["r", "s", "none"].map(room_id);
    a.set_room_counts(&[(rooms[0].clone(), 3), (rooms[1].clone(), 1)])
        .await
        .unwrap();
    b.set_room_counts(&[(rooms[0].clone(), 2)]).await.unwrap();
    assert_eq!(a.room_counts(&rooms).await.unwrap(), [5, 1, 0]);
    a.set_room_counts(&[(rooms[0].clone(), 0), (rooms[1].clone(), 9)])
        .await
        .unwrap();
    a.set_room_counts(&[]).await.unwrap();
    let order = [&rooms[1], &rooms[0], &rooms[1]].map(Clone::clone);
    assert_eq!(b.room_counts(&order).await.unwrap(), [9, 2, 9]);
    assert!(b.room_counts(&[]).await.unwrap().is_empty());
}

async fn a_lease_is_kept_by_renewing(stage: &dyn PresenceStage) {
    let node = node(stage).await;
    assert!(stage.lease() > Duration::ZERO);
    for _ in 0..3 {
        stage.pass(stage.lease() / 2).await;
        assert_eq!(node.renew().await.unwrap(), Renewal::Kept);
    }
    stage.pass(stage.lease() * 2).await;
    assert_eq!(node.renew().await.unwrap(), Renewal::Lost);
}

suite!($ conformance_presence, presence, PresenceStage, [
    nobody_is_online_at_first,
    a_change_is_answered_with_before_and_now,
    users_are_answered_in_order,
    nodes_add_up,
    who_is_away_was_last_seen_then,
    exactly_one_node_tells_of_each_change,
    a_dead_nodes_word_is_void_at_once,
    one_node_at_a_time_reaps,
    living_nodes_are_not_reaped,
    a_node_that_lost_its_lease_asserts_again,
    what_was_handed_over_holds_until_its_end,
    who_comes_back_was_never_away,
    several_nodes_hand_a_user_over,
    room_counts_add_up,
    a_lease_is_kept_by_renewing,
]);
