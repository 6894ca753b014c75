//! What was appended since: the sweep over the batch log.
//!
//! A watermark is the server's own account of a moment (`pg_current_snapshot()`): which transactions had ended, and
//! which were under way. A later sweep asks for exactly those batches that this moment did not see. A single number
//! would do as well, the oldest transaction under way, but then one long transaction, of anybody on that server, would
//! have every sweep read everything since it began.
//!
//! Where an account is missing or no longer holds, the sweep names every room, and leaves none out: after so many later
//! sweeps that it was forgotten, behind what was pruned, and on another history than it was taken from (a failover that
//! lost transactions gives their ids out again; the server's timeline tells).

use std::collections::VecDeque;

use parking_lot::Mutex;
use starling_core::{
    RoomId,
    ports::{Changes, Unavailable, Watermark},
};
use tokio_postgres::Row;

use super::{
    Store,
    error::{Unreadable, unavailable},
    rows::{Cells, uint},
    sql,
    store::readable,
};

/// Accounts remembered. A gateway needs its last one, and the one before while a sweep is under way; older ones are
/// forgotten.
const REMEMBERED: usize = 16;
/// Bits of a watermark that count the sweeps of one store; the others are the store's own number.
const COUNT_BITS: u32 = 40;

/// The moments that this store has given out.
pub(super) struct Sweeps {
    state: Mutex<State>,
}

struct State {
    last: u64,
    moments: VecDeque<(Watermark, Moment)>,
}

/// What had ended by then, and what had not.
#[derive(Clone)]
struct Moment {
    timeline: String,
    /// Everything below had ended.
    oldest: i64,
    /// Nothing from here on had begun.
    next: i64,
    /// Between the two, these were under way.
    under_way: Vec<i64>,
}

impl Sweeps {
    /// `number` is this store's alone, so that no two stores give out the same watermark.
    pub(super) fn new(number: u64) -> Self {
        Self {
            state: Mutex::new(State {
                last: number << COUNT_BITS,
                moments: VecDeque::with_capacity(REMEMBERED),
            }),
        }
    }

    fn find(&self, watermark: Watermark) -> Option<Moment> {
        let state = self.state.lock();
        let found = state.moments.iter().find(|(at, _)| *at == watermark);
        found.map(|(_, moment)| moment.clone())
    }

    fn remember(&self, moment: Moment) -> Watermark {
        let mut state = self.state.lock();
        state.last += 1;
        let watermark = Watermark(state.last);
        if state.moments.len() == REMEMBERED {
            state.moments.pop_front();
        }
        state.moments.push_back((watermark, moment));
        watermark
    }
}

/// An answer: the moment that it was taken from, and the rooms.
struct Sweep {
    moment: Moment,
    horizon: i64,
    rooms: Vec<(RoomId, u64)>,
}

impl Sweep {
    /// There is one row at least, with a room or without.
    fn read(rows: &[Row]) -> Result<Self, Unreadable> {
        let mut sweep: Option<Self> = None;
        for row in rows {
            let mut cells = Cells::of(row);
            let (snapshot, timeline): (&str, &str) = (cells.next()?, cells.next()?);
            let horizon = cells.next()?;
            let sweep = match &mut sweep {
                Some(sweep) => sweep,
                none => none.insert(Self {
                    moment: Moment::parse(snapshot, timeline)?,
                    horizon,
                    rooms: Vec::with_capacity(rows.len()),
                }),
            };
            if let Some(room) = cells.room_id_or_none()? {
                sweep.rooms.push((room, uint(cells.next()?)));
            }
        }
        sweep.ok_or_else(|| Unreadable::Value {
            what: "snapshot",
            value: String::new(),
        })
    }

    /// Whether it holds everything that `since` has not seen.
    fn is_whole(&self, since: &Moment) -> bool {
        self.moment.timeline == since.timeline
            && self.moment.next >= since.next
            && self.horizon <= since.oldest
    }
}

impl Moment {
    /// A snapshot as Postgres writes it: `oldest:next:under,way`.
    fn parse(snapshot: &str, timeline: &str) -> Result<Self, Unreadable> {
        let bad = || Unreadable::Value {
            what: "snapshot",
            value: snapshot.to_owned(),
        };
        let parts: Vec<&str> = snapshot.split(':').collect();
        let [oldest, next, under_way] = parts[..] else {
            return Err(bad());
        };
        let ids = under_way.split(',').filter(|id| !id.is_empty());
        Ok(Self {
            timeline: timeline.to_owned(),
            oldest: oldest.parse().map_err(|_| bad())?,
            next: next.parse().map_err(|_| bad())?,
            under_way: ids
                .map(|id| id.parse().map_err(|_| bad()))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Store {
    pub(super) async fn sweep(&self, since: Option<Watermark>) -> Result<Changes, Unavailable> {
        let known = since.and_then(|since| self.inner.sweeps.find(since));
        if let Some(moment) = &known {
            let rows = self
                .query(sql::CHANGES, &[&moment.next, &moment.under_way])
                .await?;
            let sweep = readable(Sweep::read(&rows))?;
            if sweep.is_whole(moment) {
                return Ok(self.changes_of(sweep));
            }
        }
        let sql = if since.is_some() {
            sql::ALL_ROOMS
        } else {
            sql::PRESENT
        };
        let rows = self.query(sql, &[]).await?;
        let sweep = Sweep::read(&rows).map_err(unavailable)?;
        if since.is_some() {
            tracing::info!(rooms = sweep.rooms.len(), "a sweep went over every room");
        }
        Ok(self.changes_of(sweep))
    }

    fn changes_of(&self, sweep: Sweep) -> Changes {
        Changes {
            next: self.inner.sweeps.remember(sweep.moment),
            rooms: sweep.rooms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(snapshot: &str) -> Moment {
        Moment::parse(snapshot, "00000001").unwrap()
    }

    #[test]
    fn snapshots_are_read() {
        let quiet = moment("770:770:");
        assert_eq!((quiet.oldest, quiet.next, quiet.under_way.len()), (770, 770, 0));
        let busy = moment("770:780:770,775");
        assert_eq!(
            (busy.oldest, busy.next, &busy.under_way[..]),
            (770, 780, &[770, 775][..])
        );
        for bad in ["", "1:2", "1:2:3:4", "a:2:", "1:2:x"] {
            assert!(Moment::parse(bad, "").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn old_moments_are_forgotten_and_no_two_stores_give_out_the_same() {
        let (a, b) = (Sweeps::new(1), Sweeps::new(2));
        let first = a.remember(moment("1:1:"));
        assert!(a.find(first).is_some() && b.find(first).is_none());
        for _ in 0..REMEMBERED {
            assert!(b.remember(moment("1:1:")) > first);
            a.remember(moment("1:1:"));
        }
        assert!(a.find(first).is_none());
    }
}
