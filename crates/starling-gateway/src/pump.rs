//! The node's ear: takes from the bus and hands on, and sweeps the log for what the bus has lost.

use std::{sync::Arc, time::Duration};

use starling_core::{
    RoomId, UserId,
    ports::{BusEvent, BusReceiver, Topic, Watermark},
};
use starling_protocol::{
    CloseCode,
    event::{ReadUpdated, SignalEvent},
};
use tokio::time::Instant;

use crate::{
    conn::Class,
    hub::{SharedEvent, SharedFrame, ToShard},
    node::Node,
    notice::Notice,
    traces::Hop,
};

/// Takes from the bus until it closes or the node stops.
pub(crate) async fn run_pump(node: Arc<Node>, mut receiver: Box<dyn BusReceiver>) {
    loop {
        let event = tokio::select! {
            event = receiver.recv() => event,
            () = node.stop.cancelled() => None,
        };
        match event {
            None => return,
            Some(BusEvent::Delivered { topic, payload }) => match Notice::decode(&payload, node.tag) {
                Ok(None) => {}
                Ok(Some(notice)) => {
                    node.metrics.received.inc();
                    hear(&node, &topic, notice).await;
                }
                // Another version of ourselves may say what we do not know; whatever is durable comes by the log.
                Err(error) => tracing::debug!(%error, ?topic, "a bus message is not understood"),
            },
            Some(BusEvent::Gap(topics)) => {
                tracing::info!(
                    topics = topics.len(),
                    "the bus has lost messages; sweeping the log"
                );
                node.sweep_now.notify_one();
            }
            Some(BusEvent::Disconnected) => {
                tracing::warn!("the bus is away; following the log until it is back");
                node.set_bus_up(false);
                node.sweep_now.notify_one();
            }
            Some(BusEvent::Reconnected) => {
                tracing::info!("the bus is back");
                node.set_bus_up(true);
                node.sweep_now.notify_one();
                node.presence.assert_again();
                node.hub.recount().await;
            }
        }
    }
}

async fn hear(node: &Arc<Node>, topic: &Topic, notice: Notice) {
    match notice {
        Notice::Events { events, traces } => {
            let now = node.clock.now();
            for event in &events {
                node.metrics.event_lag.record(now.since(event.at));
                node.attach_readers(&event.room, event.seq, None);
            }
            let heard = events.into_iter().map(|event| {
                let link = traces.iter().find(|link| link.seq == event.seq);
                SharedEvent::heard(event, link.and_then(Hop::foreign))
            });
            node.hub.events(heard).await;
        }
        Notice::Typing {
            room,
            user,
            is_typing,
        } => {
            let typing = ToShard::Typing {
                room: room.clone(),
                user,
                is_typing,
                skip: None,
            };
            node.hub.tell(&room, typing).await;
        }
        Notice::Signal {
            room,
            sender,
            name,
            payload,
        } => {
            let event = SignalEvent {
                room_id: room.clone(),
                sender_id: sender,
                name,
                payload,
            };
            let frame = SharedFrame::new("signal", event, None);
            node.hub.ephemeral(vec![(room, frame)]).await;
        }
        Notice::Presence(users) => node.presence.heard(users),
        Notice::Read {
            room,
            user,
            seq,
            left,
        } => read_moved(node, topic, (room, user, seq), left).await,
        Notice::Disconnect { user, code } => disconnect(node, &user, code),
        Notice::HandedOver => node.presence.reap_now(),
    }
}

/// A read marker moved: the user's own devices learn the counts, the members of a small room learn the seq.
pub(crate) async fn read_moved(
    node: &Node,
    topic: &Topic,
    (room, user, seq): (RoomId, UserId, u64),
    left: Option<(u64, u64)>,
) {
    let (unread, mentions) = left.unzip();
    let event = ReadUpdated {
        room_id: room.clone(),
        user_id: user.clone(),
        seq,
        unread,
        mentions,
    };
    if let Topic::Room(_) = topic {
        let frame = SharedFrame::new("read_updated", event, None);
        node.hub.ephemeral(vec![(room, frame)]).await;
    } else {
        for session in node.users.sessions(&user) {
            session.conn.send_event("read_updated", &event, Class::Ephemeral);
        }
    }
}

/// Closes every session of a user on this node.
pub(crate) fn disconnect(node: &Node, user: &UserId, code: u16) {
    let code = CloseCode::ALL
        .into_iter()
        .find(|known| known.code() == code)
        .unwrap_or(CloseCode::Banned);
    for session in node.users.sessions(user) {
        session.conn.close(code);
    }
}

/// Looks for lost tails: every couple of seconds while the bus is healthy, several times a second while it is not heard,
/// and at once after a gap. A process that was paused finds its timer long over, and sweeps first thing.
pub(crate) async fn run_sweep(node: Arc<Node>) {
    let mut watermark: Option<Watermark> = None;
    loop {
        let interval = if node.is_heard() {
            jittered(node.config.sweep)
        } else {
            node.config.sweep_degraded
        };
        let wait = if watermark.is_none() {
            Duration::ZERO
        } else {
            interval
        };
        tokio::select! {
            () = tokio::time::sleep_until(Instant::now() + wait) => {}
            () = node.sweep_now.notified() => {}
            () = node.stop.cancelled() => return,
        }
        match node.backend.log.changes(watermark).await {
            Ok(changes) => {
                watermark = Some(changes.next);
                node.watching.send_replace(Some(true));
                for (room, seq) in &changes.rooms {
                    node.attach_readers(room, *seq, None);
                }
                node.hub.known(changes.rooms).await;
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "cannot sweep the log");
                if watermark.is_none() {
                    node.watching.send_replace(Some(false));
                }
                tokio::time::sleep(node.config.sweep_degraded).await;
            }
        }
        crate::lanes::note_depth(&node);
    }
}

/// A fifth more or less, so that the nodes do not sweep in step.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(0.8 + 0.4 * rand::random::<f64>())
}
