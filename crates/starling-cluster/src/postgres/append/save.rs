//! The second round trip of a batch: write what was decided, and commit.

use tokio_postgres::{Client, Error, Statement};

use super::{Statements, changes::Changes, columns::Columns};
use crate::postgres::pipeline::{Request, ask, pipelined, tell};

/// Writes everything and commits. Only the reply to COMMIT says that it is stored.
pub(super) async fn save(client: &Client, st: &Statements, changes: &Changes<'_>) -> Result<(), Error> {
    let (profiles, heads) = &changes.new_rooms;
    let mut new_rooms = profiles.params();
    new_rooms.extend(heads.params().into_iter().skip(1));
    let erased = &changes.erased;
    pipelined([
        // First of all: it may fail, and then the rest costs the server nothing.
        ask(client, !profiles.is_empty(), &st.insert_rooms, new_rooms),
        rows(client, &st.update_room_heads, &changes.heads),
        rows(client, &st.update_room_profiles, &changes.profiles),
        // Before the members as they shall be: some of them may be in the room that was opened anew.
        ask(
            client,
            !changes.closed.is_empty(),
            &st.reset_members,
            vec![&changes.closed],
        ),
        rows(client, &st.upsert_members, &changes.members),
        rows(client, &st.insert_events, &changes.events),
        rows(client, &st.upsert_message_states, &changes.states),
        rows(client, &st.delete_reactions, &changes.removed_reactions),
        rows(client, &st.insert_reactions, &changes.added_reactions),
        rows(client, &st.count_reactions, &changes.reaction_counts),
        rows(client, &st.insert_mentions, &changes.mentions),
        // After what the batch itself has written: that may be deleted too.
        ask(
            client,
            !erased.is_empty(),
            &st.erase_messages,
            vec![&erased.rooms, &erased.seqs, &erased.messages],
        ),
        ask(
            client,
            !erased.is_empty(),
            &st.erase_edits,
            vec![&erased.rooms, &erased.seqs, &erased.edits],
        ),
        rows(client, &st.delete_mentions, &changes.dropped_mentions),
        ask(client, true, &st.insert_batch, changes.batch.params()),
        tell(client, "COMMIT"),
    ])
    .await
    .map(|_| ())
}

/// A statement over rows; not sent where there are none.
fn rows<'a>(client: &'a Client, statement: &'a Statement, rows: &'a dyn Columns) -> Request<'a> {
    ask(client, !rows.is_empty(), statement, rows.params())
}
