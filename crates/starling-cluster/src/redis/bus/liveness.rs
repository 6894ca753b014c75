//! Whether a silent connection is alive.

use std::{collections::HashMap, sync::Arc, time::Duration};

use fred::{
    error::{Error, ErrorKind},
    types::config::Server,
};
use futures_util::future::try_join_all;
use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::wire::Wire;
use crate::redis::{dial::ANSWER, metrics::RedisMetrics};

/// How long a server may be silent before it is asked. With [`ANSWER`] and [`LOOK`] a dead link is noticed within 5 s.
const SILENCE: Duration = Duration::from_secs(2);
/// How often the silence is measured.
const LOOK: Duration = Duration::from_millis(500);

/// When each server was last heard.
#[derive(Default)]
pub(super) struct Heard {
    last: Mutex<HashMap<Server, Instant>>,
    probed: Notify,
}

impl Heard {
    /// A message came from this server. `is_probe` wakes who waits for an answer.
    pub(super) fn note(&self, server: &Server, is_probe: bool) {
        let now = Instant::now();
        let mut last = self.last.lock();
        match last.get_mut(server) {
            Some(at) => *at = now,
            None => {
                last.insert(server.clone(), now);
            }
        }
        drop(last);
        if is_probe {
            self.probed.notify_one();
        }
    }

    fn since(&self, server: Option<&Server>, then: Instant) -> bool {
        let last = self.last.lock();
        match server {
            Some(server) => last.get(server).is_some_and(|at| *at >= then),
            None => last.values().any(|at| *at >= then),
        }
    }
}

/// A channel of ours on one server.
pub(super) struct Probe {
    /// Which, in a cluster.
    pub(super) server: Option<Server>,
    pub(super) channel: String,
}

/// Watches over one connection: publishes to itself on every server that is silent, on the connection itself, so that
/// an answer proves both ways, the server, and that it still knows our subscriptions.
pub(super) struct Liveness<'a> {
    wire: &'a Wire,
    heard: Arc<Heard>,
    probes: Vec<Probe>,
}

impl<'a> Liveness<'a> {
    pub(super) fn new(wire: &'a Wire, heard: Arc<Heard>, probes: Vec<Probe>) -> Self {
        Self { wire, heard, probes }
    }

    /// Returns when a server is lost.
    pub(super) async fn lost(self, metrics: &RedisMetrics) -> Error {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = Instant::now();
        loop {
            look.tick().await;
            let now = Instant::now();
            // Servers that were not heard at all count from the beginning, and from the last question.
            let quiet_since = now.checked_sub(SILENCE).filter(|then| *then >= asked);
            let Some(quiet_since) = quiet_since else {
                continue;
            };
            let silent = |probe: &&Probe| !self.heard.since(probe.server.as_ref(), quiet_since);
            let silent: Vec<&Probe> = self.probes.iter().filter(silent).collect();
            if silent.is_empty() {
                continue;
            }
            asked = now;
            if let Err(error) = try_join_all(silent.into_iter().map(|probe| self.ask(probe, now))).await {
                metrics.probes_unanswered.add(1);
                return error;
            }
        }
    }

    async fn ask(&self, probe: &Probe, began: Instant) -> Result<(), Error> {
        let answered = timeout(ANSWER, async {
            if self.wire.probe(&probe.channel).await? == 0 {
                return Err(Error::new(
                    ErrorKind::Unknown,
                    "the server has lost our subscriptions",
                ));
            }
            while !self.heard.since(probe.server.as_ref(), began) {
                self.heard.probed.notified().await;
            }
            Ok(())
        });
        match answered.await {
            Ok(answered) => answered,
            // On a busy connection the answer is behind much else, and all of that is a sign of life.
            Err(_) if self.heard.since(probe.server.as_ref(), began) => Ok(()),
            Err(_) => Err(Error::new(ErrorKind::Timeout, "no answer to a probe within 2 s")),
        }
    }
}
