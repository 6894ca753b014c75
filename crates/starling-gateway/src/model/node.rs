//! One gateway of the model: the real shard, lanes, sessions and outboxes, with everything that is a task in a real node
//! taken one step at a time.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use starling_core::{
    Outcome, Refusal, RoomEvent, RoomId, Timestamp,
    ports::{Changes, LogError, Watermark},
};
use starling_protocol::CommandId;
use tokio::time::Instant;

use super::{
    log::{Log, away},
    pipe::Pipe,
    plan::{Fate, Heard, Works},
    session::{OUTBOX, ServerSession},
};
use crate::{
    config::RingLimits,
    hub::{Ask, Moment, RoomBounds, Settings, Shard, SharedEvent, ToShard},
    lanes::{
        Item,
        batch::{Batch, Settled, Step, Tried},
        sent,
    },
    metrics::Metrics,
};

pub(super) const BOUNDS: RoomBounds = RoomBounds {
    waiting: 3,
    early: 2,
    fill: 2,
    page: 2,
};
pub(super) const RING: RingLimits = RingLimits {
    events: 4,
    bytes: 100_000,
    total_bytes: 4_000,
};
pub(super) const HOLD: Duration = Duration::from_millis(40);
pub(super) const LINGER: Duration = Duration::from_millis(500);

/// Who is told what became of a draft: a command of a connection, or nobody.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    pub(super) key: u64,
    pub(super) command: i64,
}

pub(super) struct Node {
    pub(super) metrics: Arc<Metrics>,
    pub(super) shard: Shard<Pipe>,
    inbox: VecDeque<ToShard<Pipe>>,
    pub(super) lanes: Vec<Lane>,
    tasks: Vec<Task>,
    watermark: Option<Watermark>,
    swept: Option<Changes>,
    /// What the bus knows that this node wants.
    pub(super) subscribed: HashSet<RoomId>,
    /// On its way from the bus.
    pub(super) heard: Vec<Vec<RoomEvent>>,
    pub(super) sessions: Vec<ServerSession>,
}

#[derive(Default)]
pub(super) struct Lane {
    pub(super) waiting: VecDeque<Item<Ticket>>,
    overhang: Option<Item<Ticket>>,
    stage: Stage,
}

#[derive(Default)]
enum Stage {
    #[default]
    Idle,
    /// The log is being asked.
    Asked(Batch<Ticket>),
    /// Its answer is on the way.
    Answered(Batch<Ticket>, Result<Vec<Outcome>, LogError>),
    /// The outcome is not known.
    Unsure(Batch<Ticket>),
    Settled(Settled<Ticket>),
}

/// What a node does in the background, each step of it on its own.
enum Task {
    Begun(Ask<Pipe>),
    /// A room is opening, or being subscribed to again: the bus has answered.
    Subscribed {
        rooms: Vec<RoomId>,
        subscribed: bool,
        is_new: bool,
    },
    Tell(ToShard<Pipe>),
}

/// What of a step concerns more than the node.
#[must_use]
pub(super) enum Said {
    Nothing,
    Publish(RoomId, Vec<RoomEvent>),
}

impl Node {
    pub(super) fn new(replay: u64, lanes: u8, now: Instant) -> Self {
        let metrics = Arc::new(Metrics::default());
        let settings = Settings {
            hold: HOLD,
            linger: LINGER,
            typing_ttl: Duration::from_secs(3),
            replay_events_per_room: replay,
            rings: RING,
            outbox: OUTBOX,
            bounds: BOUNDS,
            traces: None,
        };
        Self {
            shard: Shard::new(settings, metrics.clone(), now),
            metrics,
            inbox: VecDeque::new(),
            lanes: (0..lanes).map(|_| Lane::default()).collect(),
            tasks: Vec::new(),
            watermark: None,
            swept: None,
            subscribed: HashSet::new(),
            heard: Vec::new(),
            sessions: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, message: ToShard<Pipe>) {
        self.inbox.push_back(message);
    }

    pub(super) fn tell_later(&mut self, message: ToShard<Pipe>) {
        self.tasks.push(Task::Tell(message));
    }

    /// Nothing is under way.
    pub(super) fn is_quiet(&self) -> bool {
        let lane_is_idle = |lane: &Lane| {
            lane.waiting.is_empty() && lane.overhang.is_none() && matches!(lane.stage, Stage::Idle)
        };
        self.inbox.is_empty()
            && self.tasks.is_empty()
            && self.lanes.iter().all(lane_is_idle)
            && self.sessions.iter().all(ServerSession::is_quiet)
    }

    // ---- the shard --------------------------------------------------------------------------------------------

    /// As its task does it: takes a burst, looks at the timers, hands out.
    pub(super) fn run_shard(&mut self, most: usize, now: Instant) {
        for message in self.inbox.drain(..most.min(self.inbox.len())) {
            self.shard.take(message, now);
        }
        self.shard.run_timers(now);
        self.tasks.extend(self.shard.asks().into_iter().map(Task::Begun));
        let moment = Moment {
            instant: now,
            at: Timestamp::from_millis(1),
        };
        // It only gives way to other tasks, and that after more members than the model has.
        self.shard
            .hand_out(|| moment)
            .now_or_never()
            .expect("handing out waits for nothing");
        self.tasks.extend(self.shard.asks().into_iter().map(Task::Begun));
    }

    // ---- background tasks -------------------------------------------------------------------------------------

    pub(super) fn run_task(&mut self, pick: usize, works: Works, log: &Log) -> bool {
        if self.tasks.is_empty() {
            return false;
        }
        let task = self.tasks.remove(pick % self.tasks.len());
        if let Task::Subscribed { is_new: true, .. } = &task
            && works == Works::Well
            && self.watermark.is_none()
        {
            // It waits for the sweep.
            self.tasks.push(task);
            return true;
        }
        let next = self.next_of(task, works == Works::Fails, log);
        self.tasks.extend(next);
        true
    }

    pub(super) fn run_all_tasks(&mut self, log: &Log) {
        // A task has a few steps at most.
        for _ in 0..4 * self.tasks.len() {
            self.run_task(0, Works::Well, log);
        }
    }

    fn next_of(&mut self, task: Task, fails: bool, log: &Log) -> Option<Task> {
        let read = |room: &RoomId, after, limit| {
            if fails {
                Err(away())
            } else {
                Ok(log.read(room, after, limit))
            }
        };
        let heads = |rooms: &[RoomId]| {
            if fails {
                Err(away())
            } else {
                Ok(rooms.iter().map(|room| log.head(room)).collect())
            }
        };
        let next = match task {
            Task::Tell(message) => {
                self.tell(message);
                return None;
            }
            Task::Begun(Ask::Open { rooms, subscribe }) => self.subscribe(rooms, subscribe && !fails, true),
            Task::Begun(Ask::Resubscribe(rooms)) => self.subscribe(rooms, !fails, false),
            Task::Subscribed {
                rooms,
                subscribed,
                is_new,
            } => Task::Tell({
                let heads = heads(&rooms);
                if is_new {
                    ToShard::Opened {
                        rooms,
                        heads,
                        subscribed,
                    }
                } else {
                    ToShard::Resubscribed {
                        rooms,
                        heads,
                        subscribed,
                    }
                }
            }),
            Task::Begun(Ask::Unsubscribe(room)) => {
                self.subscribed.remove(&room);
                Task::Tell(ToShard::Unsubscribed(room))
            }
            Task::Begun(Ask::Head(attach)) => {
                let heads = heads(std::slice::from_ref(&attach.room));
                Task::Tell(ToShard::Looked { attach, heads })
            }
            Task::Begun(Ask::Fill { room, after, limit }) => {
                let events = read(&room, after, limit);
                Task::Tell(ToShard::Filled { room, events })
            }
            Task::Begun(Ask::Page { room, after, limit }) => {
                let events = read(&room, after, limit);
                Task::Tell(ToShard::Page { room, after, events })
            }
            Task::Begun(Ask::SayCounts(_)) => return None,
        };
        Some(next)
    }

    fn subscribe(&mut self, rooms: Vec<RoomId>, subscribed: bool, is_new: bool) -> Task {
        if subscribed {
            self.subscribed.extend(rooms.iter().cloned());
        }
        Task::Subscribed {
            rooms,
            subscribed,
            is_new,
        }
    }

    /// A sweep asks the log, or its answer arrives.
    pub(super) fn sweep(&mut self, works: Works, log: &Log) {
        if let Some(changes) = self.swept.take() {
            self.watermark = Some(changes.next);
            self.tell(ToShard::Known(changes.rooms));
        } else if works == Works::Well {
            self.swept = Some(log.changes(self.watermark));
        }
    }

    /// The bus hands on a message, if there is one.
    pub(super) fn hear(&mut self, pick: usize, heard: Heard) -> bool {
        if self.heard.is_empty() {
            return false;
        }
        let at = pick % self.heard.len();
        let events = match heard {
            Heard::Again => self.heard[at].clone(),
            Heard::Once | Heard::Never => self.heard.swap_remove(at),
        };
        if let Heard::Once | Heard::Again = heard {
            let events = events.into_iter().map(SharedEvent::foreign).collect();
            self.tell(ToShard::Events(events));
        }
        true
    }

    // ---- lanes ------------------------------------------------------------------------------------------------

    pub(super) fn run_lane(&mut self, lane: usize, fate: Fate, log: &mut Log) -> Said {
        let lane = &mut self.lanes[lane];
        lane.stage = match std::mem::take(&mut lane.stage) {
            Stage::Idle => match lane.overhang.take().or_else(|| lane.waiting.pop_front()) {
                Some(first) => {
                    let next = || lane.waiting.pop_front();
                    Stage::Asked(Batch::gather(first, next, &mut lane.overhang))
                }
                None => Stage::Idle,
            },
            Stage::Asked(batch) => {
                let answer = match fate {
                    Fate::Stored => Ok(log.append(batch.drafts())),
                    Fate::StoredUnknown => {
                        log.append(batch.drafts());
                        Err(LogError::Unknown("cut".into()))
                    }
                    Fate::NotStored => Err(LogError::NotStored(away())),
                    Fate::NotStoredUnknown => Err(LogError::Unknown("cut".into())),
                };
                Stage::Answered(batch, answer)
            }
            Stage::Answered(mut batch, answer) => match batch.tried(answer) {
                Tried::Known(known) => Stage::Settled(batch.settle(known)),
                Tried::Again(..) => Stage::Unsure(batch),
            },
            Stage::Unsure(batch) => Stage::Asked(batch),
            Stage::Settled(mut settled) => match settled.next() {
                Some(step) => {
                    lane.stage = Stage::Settled(settled);
                    return self.settle(step);
                }
                None => Stage::Idle,
            },
        };
        Said::Nothing
    }

    fn settle(&mut self, step: Step<Ticket>) -> Said {
        match step {
            Step::Deliver(events) => self.tell(ToShard::Events(events)),
            Step::Answer(answer) => self.answer(answer.tell, answer.outcome),
            Step::Publish(room, events) => {
                let events = events.iter().map(|event| (*event.event).clone()).collect();
                return Said::Publish(room, events);
            }
        }
        Said::Nothing
    }

    fn answer(&self, ticket: Ticket, outcome: Result<Outcome, Refusal>) {
        let Some(session) = self.sessions.iter().find(|session| session.key() == ticket.key) else {
            return;
        };
        let conn = &session.session.conn;
        let id = CommandId::Number(ticket.command);
        match outcome {
            Ok(Outcome::Committed(event)) => conn.reply(Some(&id), &sent(&event, false)),
            Ok(Outcome::Repeated(event)) => conn.reply(Some(&id), &sent(&event, true)),
            Ok(Outcome::Unchanged) => conn.refuse(Some(&id), &Refusal::Internal),
            Ok(Outcome::Refused(refusal)) | Err(refusal) => conn.refuse(Some(&id), &refusal),
        }
    }

    /// The batches that were being appended when the node died.
    pub(super) fn orphans(&mut self) -> Vec<Batch<Ticket>> {
        let stages = self.lanes.iter_mut().map(|lane| std::mem::take(&mut lane.stage));
        stages
            .filter_map(|stage| match stage {
                Stage::Asked(batch) => Some(batch),
                _ => None,
            })
            .collect()
    }
}
