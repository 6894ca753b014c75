//! What the subscription manager says to Redis.

use std::sync::atomic::{AtomicU64, Ordering};

use fred::{
    clients::Client,
    error::{Error, ErrorKind},
    interfaces::{ClientLike, ClusterInterface, PubsubInterface},
    prelude::Options,
    util::redis_keyslot,
};
use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};
use starling_core::ports::Topic;

use crate::redis::keys::Names;

/// Channels in one SUBSCRIBE.
const CHUNK: usize = 512;
/// Chunks between two barriers: what a server takes in a few milliseconds.
const CHUNKS: usize = 16;
/// SSUBSCRIBEs on their way at once, each of one channel and with a reply of its own.
const IN_FLIGHT: usize = 128;

/// One connection, with the commands that mean something on it.
///
/// fred answers SUBSCRIBE and UNSUBSCRIBE before the server has them, and takes an error that they get for the reply to
/// the next command. So each batch ends with a barrier, and whatever looks odd there ends the connection. SSUBSCRIBE has
/// a reply of its own, as long as it names one channel.
pub(super) struct Wire {
    client: Client,
    names: Names,
    barriers: AtomicU64,
}

impl Wire {
    pub(super) fn new(client: Client, names: Names) -> Self {
        Self {
            client,
            names,
            barriers: AtomicU64::new(0),
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn slot(&self, topic: &Topic) -> u16 {
        redis_keyslot(self.names.channel(topic).as_bytes())
    }

    pub(super) async fn subscribe(&self, topics: &[Topic]) -> Result<(), Error> {
        self.subscribe_channels(topics.iter().map(|topic| self.names.channel(topic)).collect())
            .await
    }

    pub(super) async fn subscribe_channels(&self, channels: Vec<String>) -> Result<(), Error> {
        if self.client.is_clustered() {
            let sent = channels
                .into_iter()
                .map(|channel| self.client.ssubscribe(channel));
            return stream::iter(sent).buffer_unordered(IN_FLIGHT).try_collect().await;
        }
        for chunks in channels.chunks(CHUNK * CHUNKS) {
            for chunk in chunks.chunks(CHUNK) {
                self.client.subscribe(chunk.to_vec()).await?;
            }
            self.barrier().await?;
        }
        Ok(())
    }

    pub(super) async fn unsubscribe(&self, topics: &[Topic]) -> Result<(), Error> {
        let channels: Vec<String> = topics.iter().map(|topic| self.names.channel(topic)).collect();
        for chunks in channels.chunks(CHUNK * CHUNKS) {
            if self.client.is_clustered() {
                for channel in chunks {
                    self.client.sunsubscribe(channel.as_str()).await?;
                }
            } else {
                for chunk in chunks.chunks(CHUNK) {
                    self.client.unsubscribe(chunk.to_vec()).await?;
                }
            }
            self.barrier().await?;
        }
        Ok(())
    }

    /// Waits until every server behind the connection has carried out what was sent before.
    async fn barrier(&self) -> Result<(), Error> {
        let servers = match self.client.cached_cluster_state() {
            Some(cluster) => cluster.unique_primary_nodes().into_iter().map(Some).collect(),
            None => vec![None],
        };
        let pings = servers.into_iter().map(|cluster_node| async move {
            let word = format!("barrier-{}", self.barriers.fetch_add(1, Ordering::Relaxed));
            let options = Options {
                cluster_node,
                ..Options::default()
            };
            let client = self.client.with_options(&options);
            let echo: String = client.ping(Some(word.clone())).await?;
            if echo == word {
                Ok(())
            } else {
                Err(Error::new(ErrorKind::Protocol, "replies are out of step"))
            }
        });
        try_join_all(pings).await.map(drop)
    }

    /// Publishes to ourselves, and answers how many connections of that server heard it.
    pub(super) async fn probe(&self, channel: &str) -> Result<i64, Error> {
        if self.client.is_clustered() {
            self.client.spublish(channel, "?").await
        } else {
            self.client.publish(channel, "?").await
        }
    }
}
