//! The nodes of this process. Time is tokio's, as for presence.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use starling_core::{
    NodeId,
    ports::{NodeCard, Registry, Unavailable},
};
use tokio::time::Instant;

/// See the module. Bounded by the nodes of a process.
pub(crate) struct EmbeddedRegistry {
    lease: Duration,
    cards: Mutex<BTreeMap<NodeId, (Instant, NodeCard)>>,
}

impl EmbeddedRegistry {
    pub(crate) fn new(lease: Duration) -> Self {
        Self {
            lease,
            cards: Mutex::default(),
        }
    }
}

#[async_trait]
impl Registry for EmbeddedRegistry {
    async fn report(&self, card: &NodeCard) -> Result<(), Unavailable> {
        let until = Instant::now() + self.lease;
        self.cards
            .lock()
            .insert(card.node_id.clone(), (until, card.clone()));
        Ok(())
    }

    async fn withdraw(&self, node: &NodeId) -> Result<(), Unavailable> {
        self.cards.lock().remove(node);
        Ok(())
    }

    async fn nodes(&self) -> Result<Vec<NodeCard>, Unavailable> {
        let now = Instant::now();
        let mut cards = self.cards.lock();
        cards.retain(|_, (until, _)| *until > now);
        Ok(cards.values().map(|(_, card)| card.clone()).collect())
    }
}
