//! Clients that use the cluster while it breaks, and write down what they saw.
//!
//! | module | what it holds |
//! |---|---|
//! | [`device`] | one device of a user: connects, resumes, retries, and acts by its own seeded dice |
//! | [`acts`] | what a device does |
//! | [`follow`] | where a device stands in its rooms: cursors, gaps, pages |
//! | [`history`] | what it writes down |
//! | [`model`] | the messages of a room as built up from events |
//! | [`digest`] | what two copies of an event have in common |
//! | [`socket`] | a WebSocket that may break at any time |

mod acts;
mod device;
pub(crate) mod digest;
mod follow;
pub(crate) mod history;
pub(crate) mod model;
pub(crate) mod socket;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64},
    },
};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Duration, Instant},
};

use self::{device::Device, follow::Standing, history::History};

/// What the clients are asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Act.
    Work,
    /// Do nothing new; bring what is under way to its end.
    Settle,
    /// The same; the rooms have come so far.
    Reach(Arc<[u64]>),
    /// Close and come home.
    End,
}

/// A way in: its name, and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) name: String,
    pub(crate) addr: SocketAddr,
}

/// What all devices share.
pub(crate) struct Cast {
    pub(crate) seed: u64,
    pub(crate) started: Instant,
    pub(crate) rooms: Vec<String>,
    pub(crate) users: Vec<String>,
    pub(crate) doors: Vec<Door>,
    /// Between two acts of a device, on average.
    pub(crate) pace: Duration,
    pub(crate) phase: watch::Sender<Phase>,
    /// Messages that another device of the same user shall send as well, by user.
    twins: Vec<Mutex<VecDeque<Twin>>>,
    pub(crate) counts: Counts,
}

/// What was done so far, for the line that says how it goes.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: AtomicU64,
    pub(crate) acked: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) connected: AtomicU64,
}

/// A message that two devices send.
struct Twin {
    room: usize,
    client_id: String,
    content: String,
}

/// Twins of a user that wait at most: beyond it, one is not doubled.
const MOST_TWINS: usize = 16;

impl Cast {
    pub(crate) fn new(seed: u64, doors: Vec<Door>, size: Size) -> Self {
        Self {
            seed,
            started: Instant::now(),
            rooms: (0..size.rooms).map(|n| format!("room-{n}")).collect(),
            users: (0..size.users).map(|n| format!("user-{n}")).collect(),
            doors,
            pace: size.pace,
            phase: watch::Sender::new(Phase::Work),
            twins: (0..size.users).map(|_| Mutex::default()).collect(),
            counts: Counts::default(),
        }
    }

    /// Whether a user is a member of a room. The first user is of all, and owns them.
    pub(crate) fn belongs(&self, user: usize, room: usize) -> bool {
        user == 0 || !(user + room).is_multiple_of(3)
    }

    fn offer_twin(&self, user: usize, twin: Twin) {
        let mut waiting = self.twins[user].lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_TWINS {
            waiting.push_back(twin);
        }
    }

    fn take_twin(&self, user: usize) -> Option<Twin> {
        self.twins[user]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}

/// How many take part, and how busy they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) users: usize,
    pub(crate) rooms: usize,
    pub(crate) pace: Duration,
}

/// Devices of each user.
pub(crate) const DEVICES: usize = 2;

/// A device's state at a look, in between.
#[derive(Debug, Default)]
pub(crate) struct Status {
    /// Nothing is under way, and all its rooms are followed.
    pub(crate) idle: AtomicBool,
    /// It is idle, and stands where the rooms end.
    pub(crate) there: AtomicBool,
}

/// What a device brings home.
pub(crate) struct Home {
    pub(crate) history: History,
    pub(crate) user: usize,
    pub(crate) rooms: Vec<Standing>,
}

/// The running clients.
pub(crate) struct Clients {
    pub(crate) cast: Arc<Cast>,
    statuses: Vec<Arc<Status>>,
    /// What each knows at a moment of rest: a copy, made when asked.
    asks: Vec<tokio::sync::mpsc::Sender<tokio::sync::oneshot::Sender<Home>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Starts all devices.
    pub(crate) fn start(cast: &Arc<Cast>) -> Self {
        let (mut statuses, mut asks, mut tasks) = (Vec::new(), Vec::new(), Vec::new());
        for user in 0..cast.users.len() {
            for n in 0..DEVICES {
                let status = Arc::<Status>::default();
                // One who asks at a time.
                let (ask, asked) = tokio::sync::mpsc::channel(1);
                let device = Device::new(cast.clone(), user, n, status.clone());
                tasks.push(tokio::spawn(device.run(asked)));
                statuses.push(status);
                asks.push(ask);
            }
        }
        Self {
            cast: cast.clone(),
            statuses,
            asks,
            tasks,
        }
    }

    /// Nobody.
    pub(crate) fn none(cast: &Arc<Cast>) -> Self {
        Self {
            cast: cast.clone(),
            statuses: Vec::new(),
            asks: Vec::new(),
            tasks: Vec::new(),
        }
    }

    /// How many devices are not such.
    pub(crate) fn missing(&self, such: impl Fn(&Status) -> bool) -> usize {
        self.statuses.iter().filter(|status| !such(status)).count()
    }

    /// What every device knows now.
    pub(crate) async fn look(&self) -> anyhow::Result<Vec<Home>> {
        let mut homes = Vec::with_capacity(self.asks.len());
        for ask in &self.asks {
            let (tell, told) = tokio::sync::oneshot::channel();
            ask.send(tell).await?;
            homes.push(told.await?);
        }
        Ok(homes)
    }

    /// Waits until all have gone.
    pub(crate) async fn ended(self) -> anyhow::Result<()> {
        self.cast.phase.send_replace(Phase::End);
        for task in self.tasks {
            task.await?;
        }
        Ok(())
    }

    /// Whether a device's task has ended by accident.
    pub(crate) fn has_lost_one(&self) -> bool {
        self.tasks.iter().any(JoinHandle::is_finished)
    }
}
