//! The arrays that the statements of a batch take: one for each column, in the order of the statement's parameters.

use uuid::Uuid;

use crate::postgres::pipeline::Param;

/// Rows, column by column.
pub(super) trait Columns: Sync {
    fn is_empty(&self) -> bool;
    /// The statement's parameters.
    fn params(&self) -> Vec<Param<'_>>;
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident { $first:ident: $first_type:ty, $($column:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Default)]
            pub(super) struct $name<'a> {
                pub(super) $first: Vec<$first_type>,
                $(pub(super) $column: Vec<$type>,)*
            }

            impl Columns for $name<'_> {
                fn is_empty(&self) -> bool {
                    self.$first.is_empty()
                }

                fn params(&self) -> Vec<Param<'_>> {
                    vec![&self.$first, $(&self.$column),*]
                }
            }
        )*
    };
}

columns! {
    /// What a room is like.
    ProfileRows {
        ids: &'a str,
        kinds: &'static str,
        names: String,
        descriptions: String,
        max_members: i64,
        settings: String,
        created_by: &'a str,
        created_at: i64,
        deleted: bool,
    }

    /// Where a room's log stands.
    HeadRows {
        ids: &'a str,
        member_counts: i64,
        last_seqs: i64,
        min_seqs: i64,
        last_events: Option<Uuid>,
        last_at: Option<i64>,
        message_counts: i64,
    }

    MemberRows {
        rooms: &'a str,
        users: &'a str,
        names: Option<String>,
        standings: &'static str,
        banned_until: Option<i64>,
        roles: &'static str,
        joined_at: i64,
        joined_seqs: i64,
        muted: bool,
        muted_until: Option<i64>,
        wrote_at: Option<i64>,
    }

    EventRows {
        rooms: &'a str,
        seqs: i64,
        ids: Uuid,
        kinds: &'static str,
        senders: &'a str,
        sender_names: Option<String>,
        client_ids: &'a str,
        threads: Option<i64>,
        edits: Option<i64>,
        at: i64,
        message_nos: i64,
        bodies: String,
    }

    /// What happened to messages. Adds to what happened before.
    StateRows {
        rooms: &'a str,
        seqs: i64,
        edited: Option<i64>,
        deleted: Option<i64>,
        replies: i64,
    }

    /// What is left in the log of messages that were deleted, and of their edits.
    ErasedRows {
        rooms: &'a str,
        seqs: i64,
        messages: String,
        edits: String,
    }

    RemovedReactions {
        rooms: &'a str,
        seqs: i64,
        emojis: String,
        users: &'a str,
    }

    AddedReactions {
        rooms: &'a str,
        seqs: i64,
        emojis: String,
        users: &'a str,
        at_seqs: i64,
    }

    /// By how much the number of a reaction changes.
    ReactionCounts {
        rooms: &'a str,
        seqs: i64,
        emojis: String,
        changes: i64,
    }

    MentionRows {
        rooms: &'a str,
        users: &'a str,
        seqs: i64,
    }

    /// The rooms of a batch, and the seqs that they have reached.
    BatchRows {
        rooms: &'a str,
        seqs: i64,
    }
}
