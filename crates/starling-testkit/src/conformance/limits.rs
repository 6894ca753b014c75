//! Limits: budgets and connection counts over all nodes.

use std::time::Duration;

use starling_core::{
    SessionId,
    ports::{Charge, Limits, Rate, Verdict},
};

use super::{LimitsStage, desk::user_id, suite::suite};

/// Fills so slowly that nothing comes back while a case runs.
fn slow(burst: u32) -> Rate {
    Rate { per_minute: 1, burst }
}

fn command(user: &str, rate: Rate) -> Charge {
    Charge::Command(user_id(user), rate)
}

fn message(user: &str, rate: Rate) -> Charge {
    Charge::Message(user_id(user), rate)
}

fn handshake(address: &str, rate: Rate) -> Charge {
    Charge::Handshake(address.parse().unwrap(), rate)
}

fn session(n: u32) -> SessionId {
    SessionId::parse(&format!("s{n}")).unwrap()
}

/// How many times the charge is granted in a row, `most` at most.
async fn granted(limits: &dyn Limits, charge: Charge, most: u32) -> u32 {
    for n in 0..most {
        if limits.take(std::slice::from_ref(&charge)).await != Verdict::Granted {
            return n;
        }
    }
    most
}

async fn a_budget_has_its_burst(stage: &dyn LimitsStage) {
    let limits = stage.limits().await;
    assert_eq!(granted(&*limits, command("alice", slow(5)), 50).await, 5);
    assert_eq!(granted(&*limits, command("bob", slow(1)), 50).await, 1);
    assert_eq!(limits.take(&[]).await, Verdict::Granted);
}

async fn budgets_are_apart(stage: &dyn LimitsStage) {
    let limits = stage.limits().await;
    for charge in [
        command("alice", slow(3)),
        message("alice", slow(3)),
        command("bob", slow(3)),
        handshake("10.0.0.1", slow(3)),
        handshake("10.0.0.2", slow(3)),
        handshake("2001:db8::1", slow(3)),
    ] {
        assert_eq!(granted(&*limits, charge.clone(), 50).await, 3, "{charge:?}");
    }
}

async fn a_budget_holds_over_all_nodes(stage: &dyn LimitsStage) {
    let nodes = [stage.limits().await, stage.limits().await, stage.limits().await];
    let mut total = 0;
    for round in 0..9 {
        total += granted(&*nodes[round % 3], command("alice", slow(10)), 2).await;
    }
    assert_eq!(total, 10);
}

async fn all_budgets_are_taken_or_none(stage: &dyn LimitsStage) {
    let limits = stage.limits().await;
    let both = [command("alice", slow(5)), message("alice", slow(1))];
    assert_eq!(limits.take(&both).await, Verdict::Granted);
    for _ in 0..10 {
        assert!(matches!(limits.take(&both).await, Verdict::RetryAfter(_)));
    }
    // The refused takes left the other budget as it was, wherever the empty one stood.
    let both = [message("alice", slow(1)), command("alice", slow(5))];
    assert!(matches!(limits.take(&both).await, Verdict::RetryAfter(_)));
    assert_eq!(granted(&*limits, command("alice", slow(5)), 50).await, 4);
}

async fn a_try_after_the_given_time_succeeds(stage: &dyn LimitsStage) {
    let limits = stage.limits().await;
    let rate = Rate {
        per_minute: 300,
        burst: 3,
    };
    let charge = [command("alice", rate)];
    granted(&*limits, charge[0].clone(), 3).await;
    for _ in 0..3 {
        let Verdict::RetryAfter(wait) = limits.take(&charge).await else {
            // A slow machine: a fifth of a second went by between two calls.
            continue;
        };
        assert!(
            wait > Duration::ZERO && wait <= Duration::from_millis(201),
            "{wait:?}"
        );
        stage.pass(wait).await;
        assert_eq!(limits.take(&charge).await, Verdict::Granted);
    }
}

async fn after_a_rest_the_burst_is_back_and_no_more(stage: &dyn LimitsStage) {
    let limits = stage.limits().await;
    let rate = Rate {
        per_minute: 600,
        burst: 4,
    };
    assert!(granted(&*limits, command("alice", rate), 20).await >= 4);
    stage.pass(Duration::from_millis(1500)).await;
    // Fifteen would have come in that time; four fit. A slow machine may see one or two more drip in.
    let count = granted(&*limits, command("alice", rate), 20).await;
    assert!((4..8).contains(&count), "{count}");
}

async fn zero_a_minute_is_no_limit(stage: &dyn LimitsStage) {
    let limits = stage.limits().await;
    let free = Rate {
        per_minute: 0,
        burst: 1,
    };
    assert_eq!(granted(&*limits, command("alice", free), 200).await, 200);
    let charges = [command("alice", free), message("alice", slow(1))];
    assert_eq!(limits.take(&charges).await, Verdict::Granted);
    assert!(matches!(limits.take(&charges).await, Verdict::RetryAfter(_)));
}

async fn takes_at_the_same_time_do_not_exceed_the_burst(stage: &dyn LimitsStage) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let limits = stage.limits().await;
        tasks.spawn(async move { granted(&*limits, command("alice", slow(20)), 10).await });
    }
    assert_eq!(tasks.join_all().await.iter().sum::<u32>(), 20);
}

async fn connections_are_counted_over_all_nodes(stage: &dyn LimitsStage) {
    let (a, b) = (stage.limits().await, stage.limits().await);
    let alice = user_id("alice");
    assert!(a.connect(&alice, &session(1), 2).await.unwrap());
    assert!(b.connect(&alice, &session(2), 2).await.unwrap());
    assert!(!a.connect(&alice, &session(3), 2).await.unwrap());
    assert!(!b.connect(&alice, &session(3), 2).await.unwrap());
    assert!(b.connect(&user_id("bob"), &session(4), 2).await.unwrap());
    // A refused session holds no place, and one that never came gives none back.
    b.disconnect(&alice, &session(3)).await;
    assert!(!a.connect(&alice, &session(3), 2).await.unwrap());
    b.disconnect(&alice, &session(2)).await;
    assert!(a.connect(&alice, &session(3), 2).await.unwrap());
    assert!(!a.connect(&alice, &session(5), 2).await.unwrap());
    // A larger limit lets more in.
    assert!(a.connect(&alice, &session(5), 3).await.unwrap());
}

async fn a_session_counts_once(stage: &dyn LimitsStage) {
    let limits = stage.limits().await;
    let (alice, session) = (user_id("alice"), SessionId::parse("s1").unwrap());
    assert!(limits.connect(&alice, &session, 1).await.unwrap());
    assert!(limits.connect(&alice, &session, 1).await.unwrap());
    limits.disconnect(&alice, &session).await;
    assert!(
        limits
            .connect(&alice, &SessionId::parse("s2").unwrap(), 1)
            .await
            .unwrap()
    );
}

async fn what_a_node_lets_go_counts_no_more(stage: &dyn LimitsStage) {
    let (old, new) = (stage.limits().await, stage.limits().await);
    let (alice, bob) = (user_id("alice"), user_id("bob"));
    assert!(old.connect(&alice, &session(1), 1).await.unwrap());
    assert!(old.connect(&bob, &session(2), 1).await.unwrap());
    assert!(!new.connect(&alice, &session(3), 1).await.unwrap());
    old.let_go().await;
    assert!(new.connect(&alice, &session(3), 1).await.unwrap());
    // The old connection ends when its client has moved, and takes nothing along.
    old.disconnect(&alice, &session(1)).await;
    assert!(!new.connect(&alice, &session(4), 1).await.unwrap());
    assert!(new.connect(&bob, &session(5), 1).await.unwrap());
}

suite!($ conformance_limits, limits, LimitsStage, [
    a_budget_has_its_burst,
    budgets_are_apart,
    a_budget_holds_over_all_nodes,
    all_budgets_are_taken_or_none,
    a_try_after_the_given_time_succeeds,
    after_a_rest_the_burst_is_back_and_no_more,
    zero_a_minute_is_no_limit,
    takes_at_the_same_time_do_not_exceed_the_burst,
    connections_are_counted_over_all_nodes,
    a_session_counts_once,
    what_a_node_lets_go_counts_no_more,
]);
