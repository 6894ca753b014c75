//! What a node does at every heartbeat: it renews its lease, cleans up after others, and says how it is.

use std::{sync::Arc, time::Duration};

use starling_core::{
    ports::{PresenceChange, Renewal},
    presence::Status,
};

use super::{seen, tell};
use crate::node::Node;

/// Between two looks for what has ended, at least: of a node that stopped the graces end one by one.
const REAP_GAP: Duration = Duration::from_millis(100);

/// Renews the node's lease. Nothing else is done here: a store that answers late must not put the next renewal off
/// until the lease has ended.
pub(crate) async fn run_lease(node: Arc<Node>) {
    let mut was_away = false;
    loop {
        match node.backend.presence.renew().await {
            Ok(Renewal::Kept) if !was_away => {}
            Ok(_) => {
                was_away = false;
                node.presence.assert_again();
                node.hub.recount().await;
            }
            Err(error) => {
                was_away = true;
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "cannot renew the node's lease"
                );
            }
        }
        if !next_heartbeat(&node).await {
            return;
        }
    }
}

/// Cleans up after nodes that died, and where the grace of those has ended whom a node handed over.
pub(crate) async fn run_reaper(node: Arc<Node>) {
    loop {
        let mut next = jittered_heartbeat(&node);
        match node.backend.presence.reap().await {
            Ok(reaped) => {
                next = reaped.next.map_or(next, |end| next.min(end.max(REAP_GAP)));
                tell_gone(&node, reaped.changes).await;
            }
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "cannot reap dead nodes"),
        }
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            () = node.presence.reap.notified() => {}
            () = node.stop.cancelled() => return,
        }
    }
}

/// Tells what changed by a clean-up: who is offline by it was seen until now.
async fn tell_gone(node: &Node, mut changes: Vec<PresenceChange>) {
    let now = node.clock.now();
    let mut gone = Vec::new();
    for user in changes.iter_mut().map(|change| &mut change.now) {
        if user.status == Status::Offline {
            user.last_seen_at = Some(now);
            gone.push((user.user_id.clone(), now));
        }
    }
    seen(node, gone).await;
    tell(node, changes);
}

/// Says how the node is, for operators.
pub(crate) async fn run_report(node: Arc<Node>) {
    loop {
        if let Err(error) = node.backend.registry.report(&node.card()).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "cannot report this node"
            );
        }
        if !next_heartbeat(&node).await {
            return;
        }
    }
}

/// Waits for the next heartbeat; `false` when the node stops.
async fn next_heartbeat(node: &Node) -> bool {
    tokio::select! {
        () = tokio::time::sleep(jittered_heartbeat(node)) => true,
        () = node.stop.cancelled() => false,
    }
}

/// A fifth more or less, so that the nodes do not beat in step.
fn jittered_heartbeat(node: &Node) -> Duration {
    node.config
        .presence
        .heartbeat
        .mul_f64(0.8 + 0.4 * rand::random::<f64>())
}
