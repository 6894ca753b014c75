//! The port of what is known about users.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction, params};
use starling_core::{
    Timestamp, UserId,
    ports::{Directory, Unavailable},
};

use super::{Sqlite, rows, unavailable, writer::Job};

#[async_trait]
impl Directory for Sqlite {
    async fn seen(&self, users: &[(UserId, Timestamp)]) -> Result<(), Unavailable> {
        if users.is_empty() {
            return Ok(());
        }
        let users = users.to_vec();
        self.write(|reply| Job::Seen { users, reply })
            .await
            .map_err(unavailable)
    }

    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<Option<Timestamp>>, Unavailable> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let users = users.to_vec();
        self.query(move |tx| {
            let mut find = tx.prepare_cached("SELECT at FROM last_seen WHERE user = ?1")?;
            let mut at = |user: &UserId| {
                find.query_row([user.as_str()], |row| rows::time(row, 0))
                    .optional()
            };
            users.iter().map(&mut at).collect()
        })
        .await
    }
}

/// Keeps the latest time of each user, in the writer's transaction.
pub(super) fn store(tx: &Transaction<'_>, users: &[(UserId, Timestamp)]) -> rusqlite::Result<()> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO last_seen (user, at) VALUES (?1, ?2) ON CONFLICT (user) DO UPDATE SET at = max(at, ?2)",
    )?;
    for (user, at) in users {
        upsert.execute(params![user.as_str(), at.as_millis()])?;
    }
    Ok(())
}
