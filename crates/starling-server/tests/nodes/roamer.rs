//! Users who come back through nginx whenever their connection ends, and continue where they stopped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use starling_testkit::client::{DEADLINE, TestClient, number};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::cluster::{Cluster, ROOM, durable, join, message};

/// See the module.
pub(crate) struct Roamer {
    cluster: Arc<Cluster>,
    user: String,
    client: TestClient,
    /// Where it stands in the room, and all that it saw.
    cursor: Value,
    seen: Vec<Value>,
    comebacks: usize,
}

impl Roamer {
    async fn join(cluster: &Arc<Cluster>, user: String) -> Self {
        let (mut client, _) = cluster.client(&user).await;
        let cursor = join(&mut client).await["cursor"].clone();
        Self {
            cluster: cluster.clone(),
            user,
            client,
            cursor,
            seen: Vec::new(),
            comebacks: 0,
        }
    }

    /// Asks until there is an answer, at whichever node.
    async fn ask(&mut self, kind: &str, data: Value) -> Value {
        loop {
            match self.client.try_ask(kind, data.clone()).await {
                Some(Ok(reply)) => return reply,
                // Its node is going away, and did not take it.
                Some(Err(refused)) if refused.code == "unavailable" => {}
                Some(Err(refused)) => panic!("{kind} was refused: {refused:?}"),
                None => self.come_back().await,
            }
        }
    }

    /// Adds what has come to what it saw.
    fn take(&mut self) {
        self.seen.extend(durable(self.client.take_inbox()));
        if let Some(last) = self.seen.last() {
            self.cursor = last["data"]["cursor"].clone();
        }
    }

    async fn come_back(&mut self) {
        self.take();
        self.comebacks += 1;
        loop {
            self.client = self.cluster.client(&self.user).await.0;
            let rooms = json!({ "rooms": [{ "roomId": ROOM, "cursor": self.cursor }] });
            if let Some(reply) = self.client.try_ask("subscribe", rooms).await {
                let reply = reply.expect("a member may");
                assert!(
                    reply["rooms"][0]["limited"].is_null(),
                    "it was away for long: {reply}"
                );
                return;
            }
        }
    }

    /// Writes until it is told to stop, and gives what was acknowledged.
    async fn write(mut self, acked: Arc<AtomicUsize>, stop: watch::Receiver<bool>) -> (Self, Acked) {
        let mut written = Acked::new();
        while !*stop.borrow() {
            let content = format!("{} {}", self.user, written.len());
            let reply = self.ask("send_message", message(&content)).await;
            written.push((number(&reply, "seq"), content));
            acked.fetch_add(1, Ordering::Relaxed);
            self.take();
        }
        (self, written)
    }

    /// Reads until it has seen the event that it is told of.
    async fn read(mut self, end: watch::Receiver<u64>) -> Self {
        while self
            .seen
            .last()
            .is_none_or(|last| number(&last["data"], "seq") < *end.borrow())
        {
            self.ask("ping", json!({})).await;
            self.take();
            sleep(Duration::from_millis(5)).await;
        }
        self
    }

    /// Every event from its first on, once and in order.
    fn assert_missed_nothing(&self) {
        let seqs: Vec<u64> = self
            .seen
            .iter()
            .map(|event| number(&event["data"], "seq"))
            .collect();
        let first = seqs.first().copied().unwrap_or_default();
        let all: Vec<u64> = (first..).take(seqs.len()).collect();
        assert_eq!(seqs, all, "{} saw all of it once", self.user);
    }
}

/// Seq and content of what was acknowledged.
pub(crate) type Acked = Vec<(u64, String)>;

/// Some who write all the time, and some who read.
pub(crate) struct Traffic {
    writers: Vec<JoinHandle<(Roamer, Acked)>>,
    readers: Vec<JoinHandle<Roamer>>,
    acked: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    end: watch::Sender<u64>,
}

impl Traffic {
    /// Begins with so many writers and readers; nginx spreads both.
    pub(crate) async fn start(cluster: &Arc<Cluster>, each: usize) -> Self {
        let (stop, end) = (watch::Sender::new(false), watch::Sender::new(u64::MAX));
        let acked = Arc::new(AtomicUsize::new(0));
        let (mut writers, mut readers) = (Vec::new(), Vec::new());
        for n in 0..each {
            let reader = Roamer::join(cluster, format!("reader-{n}")).await;
            readers.push(tokio::spawn(reader.read(end.subscribe())));
        }
        for n in 0..each {
            let writer = Roamer::join(cluster, format!("writer-{n}")).await;
            writers.push(tokio::spawn(writer.write(acked.clone(), stop.subscribe())));
        }
        Self {
            writers,
            readers,
            acked,
            stop,
            end,
        }
    }

    /// Waits until so many more messages were acknowledged.
    pub(crate) async fn flow(&self, more: usize) {
        let goal = self.acked.load(Ordering::Relaxed) + more;
        let flowing = async {
            while self.acked.load(Ordering::Relaxed) < goal {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, flowing).await.expect("writing goes on");
    }

    /// Ends it: everybody has seen everything once. Gives what was acknowledged, and how often somebody came back.
    pub(crate) async fn stop(self) -> (Acked, Vec<usize>) {
        self.stop.send_replace(true);
        let (mut acked, mut comebacks) = (Acked::new(), Vec::new());
        for writer in self.writers {
            let (writer, written) = timeout(DEADLINE, writer)
                .await
                .expect("it stops")
                .expect("no panic");
            writer.assert_missed_nothing();
            comebacks.push(writer.comebacks);
            acked.extend(written);
        }
        let last = acked.iter().map(|(seq, _)| *seq).max();
        self.end.send_replace(last.expect("something was written"));
        for reader in self.readers {
            let reader = timeout(DEADLINE, reader)
                .await
                .expect("it ends")
                .expect("no panic");
            reader.assert_missed_nothing();
            comebacks.push(reader.comebacks);
        }
        (acked, comebacks)
    }
}
