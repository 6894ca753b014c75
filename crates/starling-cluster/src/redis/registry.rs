//! The live nodes: a card for each, forgotten when it is not said again.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use starling_core::{
    NodeId,
    ports::{NodeCard, Registry, Unavailable},
};

use super::{
    SERVICE,
    link::LinkError,
    script::{Script, script},
    shards::{Shard, Shards},
};

/// All cards lie in one shard: there are as many as nodes.
const SHARD: usize = 0;

pub(super) struct RedisRegistry {
    shards: Arc<Shards>,
    lease: Duration,
    report: Script,
    list: Script,
}

impl RedisRegistry {
    pub(super) fn new(shards: Arc<Shards>, lease: Duration) -> Self {
        Self {
            shards,
            lease,
            report: script!("report_node"),
            list: script!("list_nodes"),
        }
    }

    fn shard(&self) -> &Shard {
        self.shards.get(SHARD)
    }

    fn keys(&self) -> Vec<String> {
        let names = &self.shard().names;
        vec![names.cards(), names.cards_by_end()]
    }

    /// Keeps a card for the time of a lease; an empty one is taken away.
    async fn put(&self, node: &NodeId, card: String) -> Result<(), LinkError> {
        let args = vec![
            node.as_str().into(),
            self.lease.as_millis().to_string().into(),
            card.into(),
        ];
        self.report
            .integer(self.shard().link(), self.keys(), args)
            .await?;
        Ok(())
    }
}

#[async_trait]
impl Registry for RedisRegistry {
    async fn report(&self, card: &NodeCard) -> Result<(), Unavailable> {
        let text = serde_json::to_string(card).map_err(|error| Unavailable::new(SERVICE, error))?;
        Ok(self.put(&card.node_id, text).await?)
    }

    async fn withdraw(&self, node: &NodeId) -> Result<(), Unavailable> {
        Ok(self.put(node, String::new()).await?)
    }

    async fn nodes(&self) -> Result<Vec<NodeCard>, Unavailable> {
        let listing = self.list.array(self.shard().link(), self.keys(), Vec::new());
        let (_, cards) = listing.await?;
        let cards = cards.texts()?;
        // A newer version may say its card in a way that this one does not read: that node is left out.
        let mut cards: Vec<NodeCard> = cards
            .iter()
            .filter_map(|card| serde_json::from_str(card).ok())
            .collect();
        cards.sort_by(|a, b| a.node_id.cmp(&b.node_id));
        Ok(cards)
    }
}
