//! Group commit: while one batch is being committed, the next one gathers. No timer; under load batches grow by
//! themselves, and a lone message waits for nobody.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use starling_core::{
    Draft, Outcome, Refusal, RoomEvent, RoomId,
    ports::{LogError, Topic},
};
use starling_protocol::{CommandId, reply::Sent};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use crate::{
    hub::SharedEvent,
    node::{Node, readers_of},
    notice::Notice,
    session::Session,
};

/// Drafts of one batch at most.
const BATCH_DRAFTS: usize = 500;
/// Bytes of one batch at most.
const BATCH_BYTES: usize = 512 << 10;
/// Drafts that wait for a lane. Each is bounded by the frame limit, and each session by its unacked messages; when a
/// lane is full its senders are told `unavailable` with a hint to come back.
const QUEUE: usize = 8192;
/// Between two tries to learn the outcome of a batch.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MOST: Duration = Duration::from_secs(1);

/// The doors to the lanes.
pub(crate) struct Lanes {
    doors: Vec<mpsc::Sender<Item>>,
}

/// A draft on its way to the log.
pub(crate) struct Item {
    pub(crate) draft: Draft,
    /// Who is told what became of it.
    pub(crate) tell: Tell,
    /// The connection that does not want the event.
    pub(crate) skip: Option<u64>,
    pub(crate) accepted: Instant,
}

/// Who is told.
pub(crate) enum Tell {
    /// The session that sent a message: its reply is written by the lane, so that no task waits for it.
    Sender {
        session: Arc<Session>,
        id: Option<CommandId>,
    },
    /// Whoever waits.
    Waiter(oneshot::Sender<Result<Outcome, Refusal>>),
}

impl Lanes {
    pub(crate) fn new(lanes: usize) -> (Self, Vec<mpsc::Receiver<Item>>) {
        let (doors, inboxes) = (0..lanes.max(1)).map(|_| mpsc::channel(QUEUE)).unzip();
        (Self { doors }, inboxes)
    }

    fn door(&self, room: &RoomId) -> &mpsc::Sender<Item> {
        // Any hash that is the same for a room will do; rooms of one lane are committed in order.
        let hash = room.as_str().bytes().fold(0_usize, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        &self.doors[hash % self.doors.len()]
    }

    /// Gives a draft to its lane; refuses it when the lane is full.
    pub(crate) fn submit(&self, item: Item) -> Result<(), Refusal> {
        self.door(&item.draft.room)
            .try_send(item)
            .map_err(|_| Refusal::unavailable())
    }

    /// How many drafts wait.
    pub(crate) fn depth(&self) -> usize {
        self.doors
            .iter()
            .map(|door| door.max_capacity() - door.capacity())
            .sum()
    }

    /// Gives a draft to its lane and waits for the outcome.
    pub(crate) async fn append(&self, draft: Draft) -> Result<Outcome, Refusal> {
        let (tell, told) = oneshot::channel();
        let item = Item {
            draft,
            tell: Tell::Waiter(tell),
            skip: None,
            accepted: Instant::now(),
        };
        self.submit(item)?;
        told.await.unwrap_or_else(|_| Err(Refusal::unavailable()))
    }
}

/// Runs one lane until its doors are closed and what waited is told.
pub(crate) async fn run_lane(node: Arc<Node>, mut inbox: mpsc::Receiver<Item>) {
    let mut items = Vec::new();
    let mut overhang: Option<Item> = None;
    let stop = node.stop.clone();
    loop {
        let first = match overhang.take() {
            Some(item) => item,
            None => tokio::select! {
                item = inbox.recv() => match item {
                    Some(item) => item,
                    None => return,
                },
                () = stop.cancelled() => {
                    // The node stops: take no more, finish what waits.
                    inbox.close();
                    match inbox.recv().await {
                        Some(item) => item,
                        None => return,
                    }
                }
            },
        };
        let mut bytes = first.draft.weight();
        items.push(first);
        while items.len() < BATCH_DRAFTS {
            let Ok(item) = inbox.try_recv() else { break };
            bytes += item.draft.weight();
            if bytes > BATCH_BYTES {
                overhang = Some(item);
                break;
            }
            items.push(item);
        }
        commit(&node, &mut items).await;
    }
}

async fn commit(node: &Arc<Node>, items: &mut Vec<Item>) {
    let (drafts, rest): (Vec<Draft>, Vec<_>) = items
        .drain(..)
        .map(|item| (item.draft, (item.tell, item.skip, item.accepted)))
        .unzip();
    let begun = Instant::now();
    let outcomes = append_until_known(node, &drafts).await;
    node.metrics.commit.record(begun.elapsed());
    node.metrics.batches.inc();
    node.metrics.batch_drafts.add(drafts.len() as u64);
    let outcomes = match outcomes {
        Ok(outcomes) => outcomes,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                drafts = drafts.len(),
                "a batch was not stored"
            );
            rest.into_iter()
                .for_each(|(tell, _, accepted)| answer(node, tell, Err(Refusal::unavailable()), accepted));
            return;
        }
    };
    let committed: Vec<_> = outcomes
        .iter()
        .zip(&rest)
        .filter_map(|(outcome, (_, skip, accepted))| match outcome {
            Outcome::Committed(event) => Some(SharedEvent::own(event.clone(), *skip, *accepted)),
            _ => None,
        })
        .collect();
    for event in &committed {
        node.attach_readers(&event.event.room, event.seq(), event.skip);
    }
    // To our own members first: the bus is for the others.
    node.hub.events(committed.iter().cloned()).await;
    for (outcome, (tell, _, accepted)) in outcomes.into_iter().zip(rest) {
        answer(node, tell, Ok(outcome), accepted);
    }
    publish(node, &committed);
}

async fn append_until_known(node: &Node, drafts: &[Draft]) -> Result<Vec<Outcome>, LogError> {
    let mut wait = RETRY_FIRST;
    loop {
        match node.backend.log.append(drafts).await {
            Err(LogError::Unknown(source)) => {
                tracing::warn!(
                    error = &*source as &dyn std::error::Error,
                    "the outcome of a batch is not known; asking again"
                );
            }
            // After a try whose outcome is unknown, "not stored" is known of this try only.
            Err(LogError::NotStored(error)) if wait > RETRY_FIRST => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the log is away; asking again for the outcome"
                );
            }
            known => return known,
        }
        node.metrics.batch_retries.inc();
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MOST);
    }
}

fn answer(node: &Node, tell: Tell, outcome: Result<Outcome, Refusal>, accepted: Instant) {
    let (session, id) = match tell {
        Tell::Waiter(waiter) => {
            // Whoever waited may have gone; the outcome stands.
            drop(waiter.send(outcome));
            return;
        }
        Tell::Sender { session, id } => (session, id),
    };
    session.acked();
    let told = match outcome {
        Ok(Outcome::Committed(event)) => Ok(sent(&event, false)),
        Ok(Outcome::Repeated(event)) => Ok(sent(&event, true)),
        // A message is a new event or a refusal.
        Ok(Outcome::Unchanged) => Err(Refusal::Internal),
        Ok(Outcome::Refused(refusal)) | Err(refusal) => Err(refusal),
    };
    match told {
        Ok(sent) => {
            node.metrics.send_to_ack.record(accepted.elapsed());
            session.conn.reply(id.as_ref(), &sent);
        }
        Err(refusal) => session.conn.refuse(id.as_ref(), &refusal),
    }
}

pub(crate) fn sent(event: &RoomEvent, duplicate: bool) -> Sent {
    Sent {
        room_id: event.room.clone(),
        seq: event.seq,
        message_id: event.id,
        created_at: event.at,
        duplicate,
    }
}

/// One bus message for each room of the batch.
fn publish(node: &Node, committed: &[Arc<SharedEvent>]) {
    let mut rest = committed;
    let mut by_room: Vec<(RoomId, Vec<&SharedEvent>)> = Vec::new();
    while let Some((event, behind)) = rest.split_first() {
        rest = behind;
        match by_room
            .iter_mut()
            .rev()
            .take(8)
            .find(|(room, _)| *room == event.event.room)
        {
            Some((_, events)) => events.push(event),
            None => by_room.push((event.event.room.clone(), vec![event])),
        }
    }
    for (room, events) in by_room {
        let notice = Notice::Events(events.iter().map(|event| (*event.event).clone()).collect());
        let topics = match readers_of(&room) {
            None => vec![Topic::Room(room)],
            Some(topics) => topics,
        };
        node.publish(topics, &notice);
    }
}

/// Keeps the gauge of the lanes' depth.
pub(crate) fn note_depth(node: &Node) {
    node.metrics.lane_depth.store(node.lanes.depth() as u64, Relaxed);
}
