//! The live nodes.

use starling_core::{
    NodeId, Timestamp,
    ports::{LatencySummary, NodeCard, Registry},
};

use super::{RegistryStage, suite::suite};

fn card(node: &str, connections: u64) -> NodeCard {
    NodeCard {
        node_id: NodeId::parse(node).unwrap(),
        address: "127.0.0.1:8080".into(),
        version: "1.2.3".into(),
        started_at: Timestamp::from_millis(1_700_000_000_000),
        reported_at: Timestamp::from_millis(1_700_000_000_000),
        connections,
        users: 2,
        rooms: 3,
        messages_in: 4,
        messages_out: 5,
        latency_ms: LatencySummary {
            average: 0.25,
            p95: 0.5,
            p99: 1.0,
        },
        memory_bytes: Some(6),
        draining: false,
    }
}

async fn report(registry: &dyn Registry, card: &NodeCard) {
    registry.report(card).await.expect("reported");
}

async fn every_node_sees_all_nodes(stage: &dyn RegistryStage) {
    let (a, b) = (stage.registry().await, stage.registry().await);
    assert_eq!(a.nodes().await.expect("a list"), []);
    report(&*b, &card("b", 1)).await;
    report(&*a, &card("a", 2)).await;
    report(&*b, &card("b", 9)).await;
    let all = [card("a", 2), card("b", 9)];
    assert_eq!(a.nodes().await.expect("a list"), all);
    assert_eq!(b.nodes().await.expect("a list"), all);
}

async fn who_withdraws_is_gone(stage: &dyn RegistryStage) {
    let registry = stage.registry().await;
    report(&*registry, &card("a", 1)).await;
    report(&*registry, &card("b", 1)).await;
    let id = |node| NodeId::parse(node).unwrap();
    registry.withdraw(&id("a")).await.expect("withdrawn");
    registry.withdraw(&id("stranger")).await.expect("nothing to do");
    assert_eq!(registry.nodes().await.expect("a list"), [card("b", 1)]);
}

async fn who_says_nothing_is_forgotten(stage: &dyn RegistryStage) {
    let registry = stage.registry().await;
    let half = stage.lease().mul_f64(0.6);
    report(&*registry, &card("dies", 1)).await;
    report(&*registry, &card("lives", 1)).await;
    stage.pass(half).await;
    report(&*registry, &card("lives", 2)).await;
    stage.pass(half).await;
    assert_eq!(registry.nodes().await.expect("a list"), [card("lives", 2)]);
    stage.pass(stage.lease()).await;
    assert_eq!(registry.nodes().await.expect("a list"), []);
}

suite!($ conformance_registry, registry, RegistryStage, [
    every_node_sees_all_nodes,
    who_withdraws_is_gone,
    who_says_nothing_is_forgotten,
]);
