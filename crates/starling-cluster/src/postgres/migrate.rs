//! Brings the database to this version's schema, and to this cluster's transaction ids.
//!
//! To change the schema: a new numbered file, added to [`FILES`]. Never edit one that was released: gateways compare
//! checksums. While a deploy rolls, old gateways run on the new schema, so a migration only adds.

use std::time::Duration;

use refinery::{Migration, Runner};
use starling_core::ports::Source;
use tokio::time::timeout;
use tokio_postgres::Client;

use super::{ConnectError, error::TooSlow, session::Connector, sql};

const FILES: &[(&str, &str)] = &[
    ("V1__log", include_str!("migrations/V1__log.sql")),
    ("V2__batch_log", include_str!("migrations/V2__batch_log.sql")),
];

/// Starling's own advisory lock: "starling" in ASCII. Several gateways start at once; one migrates, the others wait and
/// find it done.
const LOCK: i64 = 0x7374_6172_6c69_6e67;
/// How long another gateway's migration is waited for, and our own may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// The oldest server: `client_connection_check_interval` came with it.
const OLDEST: i32 = 140_000;

/// Checks the server, runs the migrations that are missing, and mends what a logical restore leaves.
pub(super) async fn migrate(connector: &Connector) -> Result<(), ConnectError> {
    let mut session = connector
        .open_unbounded()
        .await
        .map_err(ConnectError::Unreachable)?;
    let too_slow = TooSlow {
        what: "the migration",
        limit: PATIENCE,
    };
    check(&session.client).await?;
    let bringing_up_to_date = async {
        run(&mut session.client).await?;
        forget_foreign_batches(&session.client).await
    };
    match timeout(PATIENCE, bringing_up_to_date).await {
        Ok(done) => done.map_err(ConnectError::Migration),
        Err(_) => Err(ConnectError::Migration(too_slow.into())),
    }
}

async fn check(client: &Client) -> Result<(), ConnectError> {
    let sql = "SELECT current_setting('server_version_num')::int4, current_setting('server_version'), \
               current_setting('server_encoding')";
    let facts = async {
        let row = client.query_one(sql, &[]).await?;
        Ok((
            row.try_get::<_, i32>(0)?,
            row.try_get::<_, String>(1)?,
            row.try_get::<_, String>(2)?,
        ))
    };
    let (number, version, encoding) = facts
        .await
        .map_err(|e: tokio_postgres::Error| ConnectError::Unreachable(e.into()))?;
    if number < OLDEST {
        return Err(ConnectError::Unsuitable(format!(
            "its version is {version}; version 14 is the oldest that is supported"
        )));
    }
    if encoding != "UTF8" {
        return Err(ConnectError::Unsuitable(format!(
            "the database's encoding is {encoding}; create it with ENCODING 'UTF8'"
        )));
    }
    Ok(())
}

async fn run(client: &mut Client) -> Result<(), Source> {
    let migrations = FILES.iter().map(|(name, sql)| Migration::unapplied(name, sql));
    let migrations: Vec<_> = migrations.collect::<Result<_, _>>()?;
    // Held by the session: let go when it is closed, at the latest.
    client.execute("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    // A newer version's migrations are not missed: an old gateway may be started again during a deploy.
    let runner = Runner::new(&migrations).set_abort_missing(false);
    let report = runner.run_async(client).await?;
    client.execute("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
    for migration in report.applied_migrations() {
        tracing::info!(migration = %migration, "the database was migrated");
    }
    Ok(())
}

/// The batch log is ordered by transaction ids, which mean nothing in the cluster that a dump was restored into. Nobody
/// asks for the batches of another cluster, so they are no loss.
async fn forget_foreign_batches(client: &Client) -> Result<(), Source> {
    let row = client.query_one(sql::FORGET_FOREIGN_BATCHES, &[]).await?;
    let (batches, horizons): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if batches + horizons > 0 {
        tracing::warn!(
            batches,
            "this database was restored from another cluster; its batch log begins anew"
        );
    }
    Ok(())
}
