//! The batch: one transaction, in two round trips.
//!
//! ```text
//! 1  BEGIN; lock the rooms in the order of their ids; load members, earlier client ids, messages, reactions
//!    -- the rules decide, in this process --
//! 2  rooms, members, events, states of messages, a row of the batch log; COMMIT
//! ```
//!
//! **Order.** Postgres makes a transaction visible before it releases its locks, so whoever gets a room's lock sees all
//! that was appended to it, and event n+1 becomes visible only after event n. Each statement takes a snapshot of its
//! own (READ COMMITTED), later than the locks.
//!
//! **No deadlock.** Rooms that exist are locked in the order of their ids; only then rooms are created, also in that
//! order, and nobody who waits for a lock holds a room that he created. All other rows belong to a room.
//!
//! **Two at once create the same room.** The second fails on the primary key, as a whole, and is decided again: now it
//! finds the room.
//!
//! **What an error means.** Until COMMIT is sent, nothing was stored. After that, an error that the server itself
//! reports says the same; a link that was lost, or no answer in time, says nothing: [`LogError::Unknown`]. So does a
//! warning at COMMIT: the server gives one when it was told not to wait any longer for its synchronous standby.

mod changes;
mod columns;
mod load;
mod save;

use std::time::Duration;

use opentelemetry::{KeyValue, trace::get_active_span};
use starling_core::{
    Draft, Outcome,
    ports::{LogError, Source},
    rules::{self, Needs},
};
use tokio::time::timeout;
use tokio_postgres::{Client, Error, Statement, error::SqlState};

use self::changes::Changes;
use super::{
    error::{TooSlow, Unreadable, is_of_link, is_of_statement, unavailable},
    metrics::{self, Counters},
    sql,
    writers::{Writer, Writers},
};

/// How often a batch is decided anew. Each time, another node has created a room in between; the next attempt finds it.
const ATTEMPTS: usize = 10;

macro_rules! statements {
    ($($name:ident = $sql:ident),* $(,)?) => {
        /// The statements of a batch, prepared on one connection.
        pub(super) struct Statements {
            $($name: Statement,)*
        }

        impl Statements {
            /// Prepares them, all in one round trip.
            pub(super) async fn prepare(client: &Client) -> Result<Self, Error> {
                let ($($name,)*) = futures_util::try_join!($(client.prepare(sql::$sql)),*)?;
                Ok(Self { $($name),* })
            }
        }
    };
}

statements! {
    lock_rooms = LOCK_ROOMS,
    load_members = LOAD_MEMBERS,
    load_earlier = LOAD_EARLIER,
    load_messages = LOAD_MESSAGES,
    load_reactions = LOAD_REACTIONS,
    count_joined = COUNT_JOINED,
    insert_rooms = INSERT_ROOMS,
    update_room_heads = UPDATE_ROOM_HEADS,
    update_room_profiles = UPDATE_ROOM_PROFILES,
    reset_members = RESET_MEMBERS,
    upsert_members = UPSERT_MEMBERS,
    insert_events = INSERT_EVENTS,
    erase_messages = ERASE_MESSAGES,
    erase_edits = ERASE_EDITS,
    upsert_message_states = UPSERT_MESSAGE_STATES,
    delete_reactions = DELETE_REACTIONS,
    insert_reactions = INSERT_REACTIONS,
    count_reactions = COUNT_REACTIONS,
    insert_mentions = INSERT_MENTIONS,
    delete_mentions = DELETE_MENTIONS,
    insert_batch = INSERT_BATCH,
}

/// What went wrong in one of the steps.
#[derive(Debug)]
enum Step {
    Driver(Error),
    Unreadable(Unreadable),
    TooSlow(TooSlow),
}

impl Step {
    fn leaves_connection_sound(&self) -> bool {
        match self {
            Self::Driver(error) => is_of_statement(error),
            Self::Unreadable(_) => true,
            Self::TooSlow(_) => false,
        }
    }
}

impl From<Step> for Source {
    fn from(step: Step) -> Self {
        match step {
            Step::Driver(error) => error.into(),
            Step::Unreadable(error) => error.into(),
            Step::TooSlow(error) => error.into(),
        }
    }
}

/// How one attempt ended.
enum Attempt {
    Stored(Vec<Outcome>),
    /// Another batch created one of the rooms at the same time.
    Raced,
    NotStored(Source),
    Unknown(Source),
}

/// Appends batches over a set of connections of their own.
pub(super) struct Appender {
    pub(super) writers: Writers,
    /// How long one round trip may take.
    pub(super) patience: Duration,
}

impl Appender {
    /// Decides and stores a batch. If the caller goes away in the middle, so does the connection: the batch is then
    /// stored whole or not at all.
    pub(super) async fn append(
        &self,
        batch: &[Draft],
        counters: &Counters,
    ) -> Result<Vec<Outcome>, LogError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let stored = self.decide_and_store(batch, counters).await;
        match &stored {
            Ok(_) => {
                metrics::count(&counters.batches);
                metrics::add(&counters.drafts, batch.len());
            }
            Err(LogError::NotStored(_)) => metrics::count(&counters.batches_not_stored),
            Err(LogError::Unknown(_)) => metrics::count(&counters.batches_unknown),
        }
        stored
    }

    async fn decide_and_store(&self, batch: &[Draft], counters: &Counters) -> Result<Vec<Outcome>, LogError> {
        let needs = Needs::of(batch);
        let not_stored = |source: Source| LogError::NotStored(unavailable(source));
        for _ in 0..ATTEMPTS {
            let writer = self.writers.take(counters).await.map_err(not_stored)?;
            match self.attempt(writer, batch, &needs).await {
                Attempt::Stored(outcomes) => return Ok(outcomes),
                Attempt::Raced => metrics::count(&counters.batch_retries),
                Attempt::NotStored(source) => return Err(not_stored(source)),
                Attempt::Unknown(source) => return Err(LogError::Unknown(source)),
            }
        }
        Err(not_stored(
            "its rooms were created by others at the same time, again and again".into(),
        ))
    }

    /// One transaction. The connection is kept only if it is known to be between two of them.
    async fn attempt(&self, writer: Writer<'_>, batch: &[Draft], needs: &Needs) -> Attempt {
        // Only the batch of a traced message has a span.
        get_active_span(|span| span.set_attribute(KeyValue::new("db.system.name", "postgresql")));
        let (client, statements) = writer.parts();
        let loaded = match self
            .bounded("loading a batch", load::load(client, statements, batch, needs))
            .await
        {
            Ok(loaded) => loaded,
            Err(step) => {
                if step.leaves_connection_sound() {
                    self.roll_back(writer).await;
                }
                return Attempt::NotStored(step.into());
            }
        };
        get_active_span(|span| span.add_event("rooms locked", Vec::new()));
        let plan = rules::plan(batch, loaded.facts);
        let changes = match Changes::of(&plan, &loaded.before) {
            Ok(changes) => changes,
            Err(error) => {
                self.roll_back(writer).await;
                return Attempt::NotStored(error.into());
            }
        };
        let warnings = writer.warnings();
        let (client, statements) = writer.parts();
        let saving = async {
            save::save(client, statements, &changes)
                .await
                .map_err(Step::Driver)
        };
        match self.bounded("committing a batch", saving).await {
            Ok(()) if writer.warnings() != warnings => {
                writer.keep();
                Attempt::Unknown("the server warned at the commit: a standby may not have it".into())
            }
            Ok(()) => {
                writer.keep();
                Attempt::Stored(plan.outcomes)
            }
            // The server refused a statement; the COMMIT behind it has ended the transaction by a rollback.
            Err(Step::Driver(error)) if !is_of_link(&error) => {
                if is_of_statement(&error) {
                    writer.keep();
                }
                if is_room_race(&error) {
                    return Attempt::Raced;
                }
                Attempt::NotStored(error.into())
            }
            Err(step) => Attempt::Unknown(step.into()),
        }
    }

    async fn bounded<T>(
        &self,
        what: &'static str,
        step: impl Future<Output = Result<T, Step>>,
    ) -> Result<T, Step> {
        let limit = self.patience;
        timeout(limit, step)
            .await
            .unwrap_or(Err(Step::TooSlow(TooSlow { what, limit })))
    }

    /// Ends the transaction and keeps the connection, if that succeeds.
    async fn roll_back(&self, writer: Writer<'_>) {
        let (client, _) = writer.parts();
        let rolling_back = async { client.batch_execute("ROLLBACK").await.map_err(Step::Driver) };
        if self.bounded("rolling back", rolling_back).await.is_ok() {
            writer.keep();
        }
    }
}

fn is_room_race(error: &Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        *error.code() == SqlState::UNIQUE_VIOLATION && error.constraint() == Some("room_pkey")
    })
}
