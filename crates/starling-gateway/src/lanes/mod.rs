//! Group commit: while one batch is being committed, the next one gathers. No timer; under load batches grow by
//! themselves, and a lone message waits for nobody. What a lane decides is in [`batch`]; here is the task that carries it
//! out.

pub(crate) mod batch;

use std::sync::{Arc, atomic::Ordering::Relaxed};

use opentelemetry::context::FutureExt;
use opentelemetry_sdk::trace::Span;
use starling_core::{
    Draft, Outcome, Refusal, RoomEvent, RoomId,
    ports::{Topic, Unavailable},
};
use starling_protocol::{CommandId, reply::Sent};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use self::batch::{Answer, Batch, Step, Tried};
use crate::{
    conn::Cork,
    hub::SharedEvent,
    node::Node,
    notice::Notice,
    reserved::readers_of,
    session::Session,
    traces::{Link, MessageTrace},
};

/// Drafts that wait for a lane. Each is bounded by the frame limit, and each session by its unacked messages; when a
/// lane is full its senders are told `unavailable` with a hint to come back.
const QUEUE: usize = 8192;
/// The doors to the lanes.
pub(crate) struct Lanes {
    doors: Vec<mpsc::Sender<Item>>,
}

/// A draft on its way to the log.
pub(crate) struct Item<T = Tell> {
    pub(crate) draft: Draft,
    /// Who is told what became of it.
    pub(crate) tell: T,
    /// The connection that does not want the event.
    pub(crate) skip: Option<u64>,
    pub(crate) accepted: Instant,
    pub(crate) trace: Option<Box<MessageTrace>>,
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
        self.append_traced(draft, None).await
    }

    /// The same, for a message that may be traced.
    pub(crate) async fn append_traced(
        &self,
        draft: Draft,
        trace: Option<Box<MessageTrace>>,
    ) -> Result<Outcome, Refusal> {
        let (tell, told) = oneshot::channel();
        let item = Item {
            draft,
            tell: Tell::Waiter(tell),
            skip: None,
            accepted: Instant::now(),
            trace,
        };
        self.submit(item)?;
        told.await.unwrap_or_else(|_| Err(Refusal::unavailable()))
    }
}

/// Runs one lane until its doors are closed and what waited is told.
pub(crate) async fn run_lane(node: Arc<Node>, mut inbox: mpsc::Receiver<Item>) {
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
        let batch = Batch::gather(first, || inbox.try_recv().ok(), &mut overhang);
        commit(&node, batch).await;
    }
}

async fn commit(node: &Arc<Node>, mut batch: Batch) {
    let begun = Instant::now();
    let known = append_traced(node, &mut batch).await;
    node.metrics.commit.record(begun.elapsed());
    node.metrics.batches.inc();
    node.metrics.batch_drafts.add(batch.drafts().len() as u64);
    if let Err(error) = &known {
        tracing::warn!(
            error = error as &dyn std::error::Error,
            drafts = batch.drafts().len(),
            "a batch was not stored"
        );
    }
    let mut answers = Vec::with_capacity(batch.drafts().len());
    for step in batch.settle(known) {
        match step {
            Step::Deliver(events) => {
                for event in &events {
                    node.attach_readers(&event.event.room, event.seq(), event.skip);
                }
                node.hub.events(events).await;
            }
            Step::Answer(answer) => answers.push(answer),
            Step::Publish(room, events) => {
                tell(node, &mut answers);
                publish(node, room, &events);
            }
        }
    }
    tell(node, &mut answers);
}

/// Those of one connection go out together, in their order.
fn tell(node: &Node, answers: &mut Vec<Answer>) {
    answers.sort_by_key(|answer| match &answer.tell {
        Tell::Sender { session, .. } => session.conn.key,
        Tell::Waiter(_) => 0,
    });
    let mut cork: Option<Cork> = None;
    for answer in answers.drain(..) {
        if let Tell::Sender { session, .. } = &answer.tell
            && !cork.as_ref().is_some_and(|cork| cork.is_of(&session.conn))
        {
            cork = Some(Cork::new(&session.conn));
        }
        // Ends with the answer.
        let _trace = answer.trace.map(|trace| trace.decided(&answer.outcome));
        tell_one(node, answer.tell, answer.outcome, answer.accepted);
    }
}

/// Appends; of the traced drafts of the batch, each gets its span, and the first one's is current meanwhile, so that the
/// backend can say more.
async fn append_traced(node: &Node, batch: &mut Batch) -> Result<Vec<Outcome>, Unavailable> {
    let Some(traces) = &node.config.traces else {
        return append_until_known(node, batch).await;
    };
    // They end with the last of their contexts.
    let spans = batch.begin_append(traces);
    let Some(first) = spans.first() else {
        return append_until_known(node, batch).await;
    };
    append_until_known(node, batch).with_context(first.clone()).await
}

async fn append_until_known(node: &Node, batch: &mut Batch) -> Result<Vec<Outcome>, Unavailable> {
    loop {
        let answer = node.backend.log.append(batch.drafts()).await;
        match batch.tried(answer) {
            Tried::Known(known) => return known,
            Tried::Again(wait, error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the outcome of a batch is not known; asking again"
                );
                node.metrics.batch_retries.inc();
                tokio::time::sleep(wait).await;
            }
        }
    }
}

fn tell_one(node: &Node, tell: Tell, outcome: Result<Outcome, Refusal>, accepted: Instant) {
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

/// Tells the other nodes of events of one room.
fn publish(node: &Node, room: RoomId, events: &[Arc<SharedEvent>]) {
    let (traces, spans) = events
        .iter()
        .filter_map(|event| publish_span(node, event))
        .unzip();
    let notice = Notice::Events {
        events: events.iter().map(|event| (*event.event).clone()).collect(),
        traces,
    };
    let topics = readers_of(&room).unwrap_or_else(|| vec![Topic::Room(room)]);
    node.publish_traced(topics, &notice, spans);
}

fn publish_span(node: &Node, event: &SharedEvent) -> Option<(Link, Span)> {
    let span = node.config.traces.as_ref()?.publish(event.hop.as_ref()?.parent());
    Some((Link::new(event.seq(), &span), span))
}

/// Keeps the gauge of the lanes' depth.
pub(crate) fn note_depth(node: &Node) {
    node.metrics.lane_depth.store(node.lanes.depth() as u64, Relaxed);
}
