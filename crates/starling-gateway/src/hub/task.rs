//! The task of a shard. It decides nothing: it takes what comes in, tells the shard the time, and carries out what the
//! shard asks for.

use std::{sync::Arc, time::Duration};

use starling_core::ports::Unavailable;
use tokio::{sync::mpsc, time::Instant};

use super::{
    ToShard,
    context::{Ask, Settings},
    fanout::Moment,
    opening::PATIENCE,
    shard::Shard,
};
use crate::node::Node;

/// Messages taken at once before what they came to is handed out.
const BURST: usize = 512;

/// Runs until the hub's doors are closed or the node stops.
pub(crate) async fn run_shard(node: Arc<Node>, mut inbox: mpsc::Receiver<ToShard>) {
    let stop = node.stop.clone();
    let mut shard = Shard::new(Settings::of(&node.config), node.metrics.clone(), Instant::now());
    let clock = || Moment {
        instant: Instant::now(),
        at: node.clock.now(),
    };
    let mut burst = Vec::with_capacity(BURST);
    loop {
        let far = Instant::now() + Duration::from_secs(3600);
        let wake_at = shard.wake_at().unwrap_or(far);
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            taken = inbox.recv_many(&mut burst, BURST) => {
                if taken == 0 {
                    return;
                }
                let now = Instant::now();
                for message in burst.drain(..) {
                    shard.take(message, now);
                }
            }
            () = tokio::time::sleep_until(wake_at) => {}
        }
        shard.run_timers(Instant::now());
        for ask in shard.asks() {
            carry_out(&node, ask);
        }
        shard.hand_out(clock).await;
        for ask in shard.asks() {
            carry_out(&node, ask);
        }
    }
}

/// In the background: the answer comes to the inbox of the room's shard.
fn carry_out(node: &Arc<Node>, ask: Ask) {
    let tasks = node.tasks.clone();
    let node = node.clone();
    tasks.spawn(async move {
        let log = &node.backend.log;
        let (room, answer) = match ask {
            Ask::Open { rooms, subscribe } => {
                let subscribed = subscribe && node.subscribe_rooms_within(PATIENCE, &rooms).await;
                let heads = match node.is_watching().await {
                    true => log.heads(&rooms).await,
                    false => Err(Unavailable::new("log", "the sweep has no answer from it")),
                };
                let Some(first) = rooms.first().cloned() else {
                    return;
                };
                let answer = ToShard::Opened {
                    rooms,
                    heads,
                    subscribed,
                };
                (first, answer)
            }
            Ask::Resubscribe(rooms) => {
                let subscribed = node.subscribe_rooms(&rooms).await;
                let heads = log.heads(&rooms).await;
                let Some(first) = rooms.first().cloned() else {
                    return;
                };
                let answer = ToShard::Resubscribed {
                    rooms,
                    heads,
                    subscribed,
                };
                (first, answer)
            }
            Ask::Unsubscribe(room) => {
                node.unsubscribe_room(&room).await;
                (room.clone(), ToShard::Unsubscribed(room))
            }
            Ask::Head(attach) => {
                let room = attach.room.clone();
                let heads = log.heads(std::slice::from_ref(&room)).await;
                (room, ToShard::Looked { attach, heads })
            }
            Ask::Fill { room, after, limit } => {
                // The semaphores are never closed.
                let _turn = node.fills.acquire().await;
                let events = log.read(&room, after, limit).await;
                (room.clone(), ToShard::Filled { room, events })
            }
            Ask::Page { room, after, limit } => {
                let _turn = node.pages.acquire().await;
                let events = log.read(&room, after, limit).await;
                (room.clone(), ToShard::Page { room, after, events })
            }
            Ask::SayCounts(counts) => {
                if let Err(error) = node.backend.presence.set_room_counts(&counts).await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "cannot say room counts");
                }
                return;
            }
        };
        node.hub.tell(&room, answer).await;
    });
}
