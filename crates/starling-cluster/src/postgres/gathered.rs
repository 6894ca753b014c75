//! What every client asks for when it comes: gathered, because clients come in crowds.

use std::sync::Arc;

use futures_util::FutureExt;
use starling_core::{
    Member, Room, RoomId, UserId,
    ports::{Unavailable, Unread},
};

use super::{
    PostgresConfig,
    error::Unreadable,
    gather::Gather,
    metrics::Counters,
    pipeline::Param,
    readers::Readers,
    rows::{Cells, in_places, uint},
    sql,
    store::readable,
};

type Standing = (RoomId, UserId);

/// What is not there is `None`. A row that cannot be read is an error to those who asked for it, and not to all that its
/// statement answers.
type Found<T> = Result<Option<T>, Unavailable>;

/// One kind of read each, by its key.
pub(super) struct Gathered {
    pub(super) rooms: Gather<RoomId, Found<Room>>,
    pub(super) members: Gather<Standing, Found<Member>>,
    pub(super) unread: Gather<Standing, Found<Unread>>,
}

impl Gathered {
    pub(super) fn new(readers: &Arc<Readers>, counters: &Arc<Counters>, config: &PostgresConfig) -> Self {
        let pool = Pool {
            readers: readers.clone(),
            counters: counters.clone(),
        };
        // For its turn, and for the statement.
        let patience = 2 * config.patience();
        let (rooms, members, unreads) = (pool.clone(), pool.clone(), pool);
        Self {
            rooms: Gather::new(patience, move |keys: Vec<RoomId>| {
                let pool = rooms.clone();
                async move {
                    let ids: Vec<&str> = keys.iter().map(RoomId::as_str).collect();
                    pool.read(sql::ROOMS, &[&ids], keys.len(), |cells| cells.room())
                        .await
                }
                .boxed()
            }),
            members: Gather::new(patience, move |keys| {
                let pool = members.clone();
                async move {
                    pool.of_standings(sql::STANDINGS, &keys, |cells| cells.member())
                        .await
                }
                .boxed()
            }),
            unread: Gather::new(patience, move |keys| {
                let pool = unreads.clone();
                async move { pool.of_standings(sql::UNREAD, &keys, unread).await }.boxed()
            }),
        }
    }
}

#[derive(Clone)]
struct Pool {
    readers: Arc<Readers>,
    counters: Arc<Counters>,
}

impl Pool {
    async fn of_standings<T>(
        &self,
        sql: &str,
        keys: &[Standing],
        cells: fn(&mut Cells<'_>) -> Result<T, Unreadable>,
    ) -> Result<Vec<Found<T>>, Unavailable> {
        let (rooms, users): (Vec<&str>, Vec<&str>) = keys
            .iter()
            .map(|(room, user)| (room.as_str(), user.as_str()))
            .unzip();
        self.read(sql, &[&rooms, &users], keys.len(), cells).await
    }

    async fn read<T>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        count: usize,
        cells: fn(&mut Cells<'_>) -> Result<T, Unreadable>,
    ) -> Result<Vec<Found<T>>, Unavailable> {
        let rows = self.readers.query(&self.counters, sql, params).await?;
        let nothing = (0..count).map(|_| Ok(None)).collect();
        readable(in_places(
            nothing,
            &rows,
            |row| Ok(readable(cells(row)).map(Some)),
        ))
    }
}

/// All zeros but the marker where the user is no member, or nothing came since.
fn unread(cells: &mut Cells<'_>) -> Result<Unread, Unreadable> {
    Ok(Unread {
        read_seq: cells.uint()?,
        unread: uint(cells.next::<Option<i64>>()?.unwrap_or(0)),
        mentions: uint(cells.next::<Option<i64>>()?.unwrap_or(0)),
    })
}
