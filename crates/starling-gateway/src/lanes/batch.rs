//! One batch of a lane, as a pure state machine: what goes into it, when its outcome is known, and what is done then.

use std::{sync::Arc, time::Duration, vec};

use opentelemetry::Context;
use starling_core::{
    Draft, Outcome, Refusal, RoomEvent, RoomId,
    ports::{LogError, Unavailable},
};
use tokio::time::Instant;

use super::{Item, Tell};
use crate::{
    hub::SharedEvent,
    traces::{Hop, MessageTrace, Traces},
};

/// Drafts of one batch at most.
pub(crate) const BATCH_DRAFTS: usize = 500;
/// Bytes of one batch at most.
const BATCH_BYTES: usize = 512 << 10;
/// Between two tries to learn the outcome of a batch.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MOST: Duration = Duration::from_secs(1);

/// Drafts that are committed together, and who is told.
pub(crate) struct Batch<T = Tell> {
    drafts: Vec<Draft>,
    senders: Vec<Sender<T>>,
    /// How long to wait before the next try; `None` before a try whose outcome is unknown.
    wait: Option<Duration>,
}

/// Of an item, all but its draft.
struct Sender<T> {
    tell: T,
    skip: Option<u64>,
    accepted: Instant,
    trace: Option<Box<MessageTrace>>,
}

impl<T> Sender<T> {
    fn event(&self, event: Arc<RoomEvent>) -> Arc<SharedEvent> {
        let hop = self.trace.as_deref().map(Hop::own);
        SharedEvent::own(event, self.skip, self.accepted, hop)
    }
}

/// What a try came to.
pub(crate) enum Tried {
    /// The batch is in the log, or nothing of it is and nothing will be.
    Known(Result<Vec<Outcome>, Unavailable>),
    /// It may be in the log: to be appended again after this time, until it is known.
    Again(Duration, LogError),
}

/// What is done once the outcome is known. It comes in this order: a node's own members first, because the bus is for
/// the others; and nothing before the commit.
pub(crate) enum Step<T = Tell> {
    /// To the hub of this node.
    Deliver(Vec<Arc<SharedEvent>>),
    /// To who sent the draft.
    Answer(Answer<T>),
    /// To the other nodes: one message for each room.
    Publish(RoomId, Vec<Arc<SharedEvent>>),
}

/// What became of a draft.
pub(crate) struct Answer<T = Tell> {
    pub(crate) tell: T,
    pub(crate) outcome: Result<Outcome, Refusal>,
    pub(crate) accepted: Instant,
    pub(crate) trace: Option<Box<MessageTrace>>,
}

impl<T> Batch<T> {
    /// Takes a first item, and then what waits, up to the bounds; `overhang` gets the one that was taken and does not
    /// fit.
    pub(crate) fn gather(
        first: Item<T>,
        mut next: impl FnMut() -> Option<Item<T>>,
        overhang: &mut Option<Item<T>>,
    ) -> Self {
        let mut batch = Self {
            drafts: Vec::new(),
            senders: Vec::new(),
            wait: None,
        };
        let mut bytes = first.draft.weight();
        batch.push(first);
        while batch.drafts.len() < BATCH_DRAFTS {
            let Some(item) = next() else { break };
            bytes += item.draft.weight();
            if bytes > BATCH_BYTES {
                *overhang = Some(item);
                break;
            }
            batch.push(item);
        }
        batch
    }

    fn push(&mut self, item: Item<T>) {
        self.drafts.push(item.draft);
        self.senders.push(Sender {
            tell: item.tell,
            skip: item.skip,
            accepted: item.accepted,
            trace: item.trace,
        });
    }

    /// The batch goes to the log: a span for each draft that is traced.
    pub(crate) fn begin_append(&mut self, traces: &Traces) -> Vec<Context> {
        let drafts = self.drafts.len();
        let traced = self
            .senders
            .iter_mut()
            .filter_map(|sender| sender.trace.as_deref_mut());
        traced.map(|trace| traces.append(trace, drafts)).collect()
    }

    /// What is to be appended.
    pub(crate) fn drafts(&self) -> &[Draft] {
        &self.drafts
    }

    /// The log has answered.
    pub(crate) fn tried(&mut self, answer: Result<Vec<Outcome>, LogError>) -> Tried {
        let error = match answer {
            Ok(outcomes) => return Tried::Known(Ok(outcomes)),
            // After a try whose outcome is unknown, "not stored" is known of this try only.
            Err(LogError::NotStored(error)) if self.wait.is_none() => return Tried::Known(Err(error)),
            Err(error) => error,
        };
        let wait = self.wait.unwrap_or(RETRY_FIRST);
        self.wait = Some((wait * 2).min(RETRY_MOST));
        Tried::Again(wait, error)
    }

    /// What is done now that the outcome is known.
    pub(crate) fn settle(self, known: Result<Vec<Outcome>, Unavailable>) -> Settled<T> {
        let Ok(outcomes) = known else {
            return Settled {
                own: None,
                outcomes: vec::IntoIter::default(),
                senders: self.senders.into_iter(),
                publish: Vec::new().into_iter(),
            };
        };
        let committed: Vec<_> = outcomes
            .iter()
            .zip(&self.senders)
            .filter_map(|(outcome, sender)| match outcome {
                Outcome::Committed(event) => Some(sender.event(event.clone())),
                _ => None,
            })
            .collect();
        Settled {
            publish: by_room(&committed).into_iter(),
            own: (!committed.is_empty()).then_some(committed),
            outcomes: outcomes.into_iter(),
            senders: self.senders.into_iter(),
        }
    }
}

/// The steps that are left.
pub(crate) struct Settled<T = Tell> {
    own: Option<Vec<Arc<SharedEvent>>>,
    /// None are left for who sent a draft that was not stored.
    outcomes: vec::IntoIter<Outcome>,
    senders: vec::IntoIter<Sender<T>>,
    publish: vec::IntoIter<(RoomId, Vec<Arc<SharedEvent>>)>,
}

impl<T> Iterator for Settled<T> {
    type Item = Step<T>;

    fn next(&mut self) -> Option<Step<T>> {
        if let Some(events) = self.own.take() {
            return Some(Step::Deliver(events));
        }
        if let Some(sender) = self.senders.next() {
            return Some(Step::Answer(Answer {
                tell: sender.tell,
                outcome: self.outcomes.next().ok_or_else(Refusal::unavailable),
                accepted: sender.accepted,
                trace: sender.trace,
            }));
        }
        let (room, events) = self.publish.next()?;
        Some(Step::Publish(room, events))
    }
}

/// Events of a room together, in their order.
fn by_room(committed: &[Arc<SharedEvent>]) -> Vec<(RoomId, Vec<Arc<SharedEvent>>)> {
    let mut by_room: Vec<(RoomId, Vec<Arc<SharedEvent>>)> = Vec::new();
    for event in committed {
        let room = &event.event.room;
        match by_room.iter_mut().rev().take(8).find(|(id, _)| id == room) {
            Some((_, events)) => events.push(event.clone()),
            None => by_room.push((room.clone(), vec![event.clone()])),
        }
    }
    by_room
}

#[cfg(test)]
mod tests {
    use starling_core::{Action, Authority, ClientId, EventId, Timestamp, UserId, event::MessageCreated};

    use super::*;

    fn item(n: usize, bytes: usize) -> Item<usize> {
        let at = Timestamp::from_millis(1);
        let event_id = EventId::new(at, [0; 10]);
        let content = "x".repeat(bytes);
        Item {
            draft: Draft {
                room: RoomId::parse("r").unwrap(),
                sender: UserId::parse("u").unwrap(),
                sender_name: None,
                authority: Authority::Member,
                client_id: ClientId::of_event(event_id),
                event_id,
                at,
                action: Action::Send(MessageCreated {
                    content,
                    content_type: "text/plain".into(),
                    reply_to: None,
                    thread: None,
                    attachments: Vec::new(),
                    mentions: Vec::new(),
                    metadata: None,
                }),
            },
            tell: n,
            skip: None,
            accepted: Instant::now(),
            trace: None,
        }
    }

    fn gather(bytes: usize, waiting: usize) -> (usize, Option<usize>) {
        let mut items = (1..=waiting).map(|n| item(n, bytes));
        let mut overhang = None;
        let batch = Batch::gather(item(0, bytes), || items.next(), &mut overhang);
        (batch.drafts().len(), overhang.map(|item| item.tell))
    }

    #[test]
    fn a_batch_is_bounded_by_drafts_and_by_bytes() {
        assert_eq!(gather(1, 3), (4, None), "it waits for nobody");
        assert_eq!(gather(1, 1000), (BATCH_DRAFTS, None), "the rest is not taken yet");
        assert_eq!(
            gather(100_000, 1000),
            (5, Some(5)),
            "the one too many is not forgotten"
        );
        assert_eq!(gather(2 * BATCH_BYTES, 1), (1, Some(1)), "a large one goes alone");
    }

    #[test]
    fn after_an_unknown_outcome_nothing_but_an_outcome_is_known() {
        let not_stored = || Err(LogError::NotStored(Unavailable::new("log", "away")));
        let unknown = || Err(LogError::Unknown("cut".into()));
        let batch = || Batch::gather(item(0, 1), || None, &mut None);
        assert!(matches!(batch().tried(not_stored()), Tried::Known(Err(_))));
        let mut batch = batch();
        let mut waits = Vec::new();
        for answer in [unknown(), not_stored(), unknown(), not_stored()] {
            match batch.tried(answer) {
                Tried::Again(wait, _) => waits.push(wait.as_millis()),
                Tried::Known(_) => panic!("it may be in the log"),
            }
        }
        assert_eq!(waits, [20, 40, 80, 160]);
        let Tried::Known(Ok(outcomes)) = batch.tried(Ok(vec![Outcome::Unchanged])) else {
            panic!("now it is known");
        };
        let steps: Vec<_> = batch.settle(Ok(outcomes)).collect();
        assert!(matches!(
            steps[..],
            [Step::Answer(Answer {
                tell: 0,
                outcome: Ok(Outcome::Unchanged),
                ..
            })]
        ));
    }
}
