//! From fred's channel into the queue: nothing else is done on the way.

use std::sync::Arc;

use fred::types::{Message, Value};
use starling_core::ports::Topic;
use tokio::{
    sync::broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
    task::{JoinHandle, yield_now},
};
use tokio_util::sync::CancellationToken;

use super::{Shared, TopicSet, liveness::Heard};

/// Messages handed on before other tasks get their turn: less than a millisecond. tokio's own budget for a turn is 128
/// receives, and with that a busy node falls behind what fred brings in, and fred's channel overflows.
const TURN: usize = 1024;

/// The task that hands on what one connection brings.
pub(super) struct Pump {
    finish: CancellationToken,
    task: JoinHandle<()>,
}

impl Pump {
    pub(super) fn start(
        mut messages: Receiver<Message>,
        shared: Arc<Shared>,
        topics: TopicSet,
        heard: Arc<Heard>,
    ) -> Self {
        let finish = CancellationToken::new();
        let finished = finish.clone();
        let task = tokio::spawn(async move {
            let hand = Hand {
                shared,
                topics,
                heard,
            };
            loop {
                let first = tokio::select! {
                    biased;
                    message = messages.recv() => message,
                    () = finished.cancelled() => break,
                };
                match first {
                    Ok(message) => hand.on(message),
                    Err(RecvError::Lagged(lost)) => hand.lagged(lost),
                    Err(RecvError::Closed) => return,
                }
                if !hand.drain(&mut messages, TURN - 1) {
                    yield_now().await;
                }
            }
            hand.drain(&mut messages, usize::MAX);
        });
        Self { finish, task }
    }

    /// Hands on what has come in, and ends.
    pub(super) async fn finish(self) {
        self.finish.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the pump of the bus ended by itself");
        }
    }
}

struct Hand {
    shared: Arc<Shared>,
    topics: TopicSet,
    heard: Arc<Heard>,
}

impl Hand {
    /// Hands on at most so many messages of those that are there; `false` when there may be more.
    fn drain(&self, messages: &mut Receiver<Message>, most: usize) -> bool {
        for _ in 0..most {
            match messages.try_recv() {
                Ok(message) => self.on(message),
                Err(TryRecvError::Lagged(lost)) => self.lagged(lost),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return true,
            }
        }
        false
    }

    fn on(&self, message: Message) {
        let topic = self.shared.names.topic(&message.channel);
        self.heard.note(&message.server, topic.is_none());
        let Some(topic) = topic else {
            return;
        };
        let payload = match message.value {
            Value::String(text) => text.into_inner(),
            Value::Bytes(bytes) => bytes,
            // A payload is a blob; fred has no other form for one.
            other => {
                tracing::warn!(kind = ?other.kind(), "a payload that is no blob");
                return;
            }
        };
        self.shared.metrics.received.add(1);
        self.shared.queue.deliver(topic, payload);
    }

    /// fred has dropped messages, of whatever topics of this connection.
    fn lagged(&self, lost: u64) {
        let topics: Vec<Topic> = self.topics.lock().iter().cloned().collect();
        tracing::warn!(lost, "messages were lost before they could be queued");
        self.shared.metrics.dropped.add(lost);
        self.shared.queue.gap(topics.into_iter());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use fred::types::{MessageKind, config::Server};
    use starling_core::{
        RoomId,
        ports::{BusEvent, BusReceiver},
    };
    use tokio::sync::broadcast;

    use crate::redis::bus::queue::Receiver;

    fn room(name: &str) -> Topic {
        Topic::Room(RoomId::parse(name).unwrap())
    }

    fn message(shared: &Shared, n: usize) -> Message {
        Message {
            channel: shared.names.channel(&room("r")).into(),
            value: Value::Bytes(Bytes::from(n.to_string())),
            kind: MessageKind::Message,
            server: Server::new("host", 1),
        }
    }

    /// fred's channel need not hold what comes in during several turns of other tasks.
    #[tokio::test]
    async fn a_turn_hands_on_what_has_come_in_and_ends() {
        let shared = Arc::new(Shared::for_tests(4 * TURN));
        let (messages, kept) = broadcast::channel(4 * TURN);
        let pump = Pump::start(kept, shared.clone(), TopicSet::default(), Arc::default());
        for n in 0..TURN + 1 {
            messages.send(message(&shared, n)).unwrap();
        }
        yield_now().await;
        assert_eq!(shared.metrics.queued.get(), TURN as u64, "one turn");
        yield_now().await;
        assert_eq!(shared.metrics.queued.get(), TURN as u64 + 1, "two turns");
        pump.finish().await;
    }

    /// fred keeps so many messages and drops the oldest beyond. Whoever listens by its own means hears nothing more
    /// from then on.
    #[tokio::test]
    async fn what_fred_drops_is_told_and_the_rest_goes_on() {
        let shared = Arc::new(Shared::for_tests(100));
        let mut receiver = Receiver(shared.queue.clone());
        let (messages, kept) = broadcast::channel(4);
        for n in 0..10 {
            messages.send(message(&shared, n)).unwrap();
        }
        let topics = TopicSet::default();
        topics.lock().extend([room("r"), room("s")]);
        let heard = Arc::new(Heard::default());
        let pump = Pump::start(kept, shared.clone(), topics, heard);
        let Some(BusEvent::Gap(mut topics)) = receiver.recv().await else {
            panic!("a gap")
        };
        topics.sort();
        assert_eq!(topics, [room("r"), room("s")], "it may have been any of them");
        messages.send(message(&shared, 10)).unwrap();
        pump.finish().await;
        shared.queue.close();
        let mut payloads = Vec::new();
        while let Some(event) = receiver.recv().await {
            match event {
                BusEvent::Delivered { payload, .. } => payloads.push(payload),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(payloads, ["6", "7", "8", "9", "10"]);
        assert_eq!(shared.metrics.dropped.get(), 6);
    }
}
