//! Postgres behaves as every backend does.

use std::sync::Arc;

use starling_cluster::postgres::{PostgresConfig, Store, connect};
use starling_testkit::{
    conformance::{self, StoreStage},
    fixtures::postgres::PostgresFixture,
};

/// A database of its own on the shared server.
struct Stage {
    database: String,
    /// Stopped when the last test of this process is done.
    _server: Arc<PostgresFixture>,
}

async fn stage() -> Stage {
    let server = PostgresFixture::shared();
    Stage {
        database: server.database(),
        _server: server,
    }
}

#[async_trait::async_trait]
impl StoreStage for Stage {
    async fn store(&self) -> conformance::Store {
        let store: Store = connect(PostgresConfig::new(&self.database))
            .await
            .expect("a store");
        conformance::Store {
            log: Arc::new(store.clone()),
            rooms: Arc::new(store.clone()),
            history: Arc::new(store.clone()),
            markers: Arc::new(store.clone()),
            retention: Arc::new(store.clone()),
            directory: Arc::new(store),
        }
    }
}

starling_testkit::conformance_store!(super::stage);
