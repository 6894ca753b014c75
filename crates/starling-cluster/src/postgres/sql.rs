//! Every statement of this backend but the migrations.
//!
//! Lists come in as arrays (`= ANY`, `unnest`), so that there is one statement, and one plan, for every length.
//! `WITH ORDINALITY` says which of the things asked for a row is about.

/// Begins a batch. Each of its statements must see what was committed before it, so nothing stricter will do.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

macro_rules! room_columns {
    () => {
        "r.room_id, r.kind, r.name, r.description, r.max_members, r.settings, r.created_by, r.created_at, \
         r.deleted, r.member_count, r.last_seq, r.min_seq, r.last_event"
    };
}
macro_rules! member_columns {
    () => {
        "m.room_id, m.user_id, m.name, m.standing, m.banned_until, m.role, m.joined_at, m.joined_seq, m.muted, \
         m.muted_until, m.wrote_at"
    };
}
macro_rules! event_columns {
    () => {
        "e.room_id, e.seq, e.event_id, e.sender_id, e.sender_name, e.client_id, e.at, e.kind, e.body"
    };
}

// ---- the batch: what is loaded ------------------------------------------------------------------------------------

/// Locks the rooms that exist, in the order of their ids, whoever asks: nobody waits for somebody who waits for them.
pub(super) const LOCK_ROOMS: &str = concat!(
    "SELECT ",
    room_columns!(),
    ", r.message_count FROM room r WHERE r.room_id = ANY($1) ORDER BY r.room_id FOR NO KEY UPDATE"
);

pub(super) const LOAD_MEMBERS: &str = concat!(
    "SELECT ",
    member_columns!(),
    " FROM unnest($1::text[], $2::text[]) k(room_id, user_id) \
     JOIN member m ON m.room_id = k.room_id AND m.user_id = k.user_id"
);

pub(super) const LOAD_EARLIER: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM unnest($1::text[], $2::text[], $3::text[]) k(room_id, sender_id, client_id) \
     JOIN room_event e ON e.room_id = k.room_id AND e.sender_id = k.sender_id AND e.client_id = k.client_id"
);

/// With the bodies of those that are to be deleted: a tombstone keeps some of it.
pub(super) const LOAD_MESSAGES: &str = "\
    SELECT k.n, e.sender_id, e.thread_seq, s.deleted_at IS NOT NULL, CASE WHEN k.with_body THEN e.body END \
    FROM unnest($1::text[], $2::int8[], $3::bool[]) WITH ORDINALITY k(room_id, seq, with_body, n) \
    JOIN room_event e ON e.room_id = k.room_id AND e.seq = k.seq AND e.kind = 'message_created' \
    LEFT JOIN message_state s ON s.room_id = e.room_id AND s.seq = e.seq";

pub(super) const LOAD_REACTIONS: &str = "\
    SELECT k.n FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[]) WITH ORDINALITY \
        k(room_id, seq, user_id, emoji, n) \
    JOIN reaction a ON a.room_id = k.room_id AND a.seq = k.seq AND a.emoji = k.emoji AND a.user_id = k.user_id";

/// Direct rooms do not count: they are not joined, and cannot be left.
pub(super) const COUNT_JOINED: &str = "\
    SELECT k.n, c.count FROM unnest($1::text[]) WITH ORDINALITY k(user_id, n) \
    CROSS JOIN LATERAL ( \
        SELECT count(*) FROM member m \
        WHERE m.user_id = k.user_id AND m.standing = 'joined' AND m.room_id NOT LIKE '@%') c";

// ---- the batch: what is stored ------------------------------------------------------------------------------------

/// Rooms that nobody had locked, because they did not exist. If another batch makes one of them first, this fails on
/// `room_pkey`, and the batch is decided again.
pub(super) const INSERT_ROOMS: &str = "\
    INSERT INTO room (room_id, kind, name, description, max_members, settings, created_by, created_at, deleted, \
        member_count, last_seq, min_seq, last_event, last_at, message_count) \
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::text[], $7::text[], \
        $8::int8[], $9::bool[], $10::int8[], $11::int8[], $12::int8[], $13::uuid[], $14::int8[], $15::int8[])";

/// The rooms that were created, renamed, closed or opened again.
pub(super) const UPDATE_ROOM_PROFILES: &str = "\
    UPDATE room r SET kind = k.kind, name = k.name, description = k.description, max_members = k.max_members, \
        settings = k.settings, created_by = k.created_by, created_at = k.created_at, deleted = k.deleted \
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::text[], $7::text[], $8::int8[], \
        $9::bool[]) k(room_id, kind, name, description, max_members, settings, created_by, created_at, deleted) \
    WHERE r.room_id = k.room_id";

/// Where the rooms' logs stand.
pub(super) const UPDATE_ROOM_HEADS: &str = "\
    UPDATE room r SET member_count = k.member_count, last_seq = k.last_seq, min_seq = k.min_seq, \
        last_event = k.last_event, last_at = coalesce(k.last_at, r.last_at), message_count = k.message_count \
    FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::uuid[], $6::int8[], $7::int8[]) \
        k(room_id, member_count, last_seq, min_seq, last_event, last_at, message_count) \
    WHERE r.room_id = k.room_id";

/// Takes every row of rooms that were closed back to a stranger's, as `Member::reset` does to one.
pub(super) const RESET_MEMBERS: &str = "\
    UPDATE member SET standing = 'gone', banned_until = NULL, role = 'member', muted = false, muted_until = NULL, \
        wrote_at = NULL \
    WHERE room_id = ANY($1) AND (standing <> 'gone' OR role <> 'member' OR muted OR wrote_at IS NOT NULL)";

pub(super) const UPSERT_MEMBERS: &str = "\
    INSERT INTO member (room_id, user_id, name, standing, banned_until, role, joined_at, joined_seq, muted, \
        muted_until, wrote_at) \
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::text[], $7::int8[], \
        $8::int8[], $9::bool[], $10::int8[], $11::int8[]) \
    ON CONFLICT (room_id, user_id) DO UPDATE SET name = excluded.name, standing = excluded.standing, \
        banned_until = excluded.banned_until, role = excluded.role, joined_at = excluded.joined_at, \
        joined_seq = excluded.joined_seq, muted = excluded.muted, muted_until = excluded.muted_until, \
        wrote_at = excluded.wrote_at";

pub(super) const INSERT_EVENTS: &str = "\
    INSERT INTO room_event (room_id, seq, event_id, kind, sender_id, sender_name, client_id, thread_seq, edits_seq, \
        at, message_no, body) \
    SELECT * FROM unnest($1::text[], $2::int8[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], \
        $8::int8[], $9::int8[], $10::int8[], $11::int8[], $12::text[])";

/// Takes from the log what messages said that were deleted.
pub(super) const ERASE_MESSAGES: &str = "\
    UPDATE room_event e SET body = k.body FROM unnest($1::text[], $2::int8[], $3::text[]) k(room_id, seq, body) \
    WHERE e.room_id = k.room_id AND e.seq = k.seq";

/// And what they were edited to.
pub(super) const ERASE_EDITS: &str = "\
    UPDATE room_event e SET body = k.body FROM unnest($1::text[], $2::int8[], $3::text[]) k(room_id, seq, body) \
    WHERE e.room_id = k.room_id AND e.edits_seq = k.seq";

pub(super) const UPSERT_MESSAGE_STATES: &str = "\
    INSERT INTO message_state (room_id, seq, edited_seq, deleted_at, reply_count) \
    SELECT * FROM unnest($1::text[], $2::int8[], $3::int8[], $4::int8[], $5::int8[]) \
    ON CONFLICT (room_id, seq) DO UPDATE SET \
        edited_seq = coalesce(excluded.edited_seq, message_state.edited_seq), \
        deleted_at = coalesce(excluded.deleted_at, message_state.deleted_at), \
        reply_count = message_state.reply_count + excluded.reply_count";

pub(super) const DELETE_REACTIONS: &str = "\
    DELETE FROM reaction a USING unnest($1::text[], $2::int8[], $3::text[], $4::text[]) k(room_id, seq, emoji, user_id) \
    WHERE a.room_id = k.room_id AND a.seq = k.seq AND a.emoji = k.emoji AND a.user_id = k.user_id";

pub(super) const INSERT_REACTIONS: &str = "\
    INSERT INTO reaction (room_id, seq, emoji, user_id, at_seq) \
    SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::text[], $5::int8[]) ON CONFLICT DO NOTHING";

pub(super) const COUNT_REACTIONS: &str = "\
    INSERT INTO reaction_count (room_id, seq, emoji, count) \
    SELECT * FROM unnest($1::text[], $2::int8[], $3::text[], $4::int8[]) \
    ON CONFLICT (room_id, seq, emoji) DO UPDATE SET count = reaction_count.count + excluded.count";

pub(super) const INSERT_MENTIONS: &str = "\
    INSERT INTO mention (room_id, user_id, seq) SELECT * FROM unnest($1::text[], $2::text[], $3::int8[])";

/// Of messages that were deleted: they are not unread any more.
pub(super) const DELETE_MENTIONS: &str = "\
    DELETE FROM mention x USING unnest($1::text[], $2::text[], $3::int8[]) k(room_id, user_id, seq) \
    WHERE x.room_id = k.room_id AND x.user_id = k.user_id AND x.seq = k.seq";

/// Written by every batch, also by one that appended nothing: its commit is then the proof that what it was told of
/// earlier batches is as durable as itself.
pub(super) const INSERT_BATCH: &str = "INSERT INTO batch_log (room_ids, seqs) VALUES ($1, $2)";

// ---- the log ------------------------------------------------------------------------------------------------------

pub(super) const READ: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM room_event e WHERE e.room_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3"
);

pub(super) const HEADS: &str = "\
    SELECT k.n, r.last_seq, r.last_event, r.min_seq FROM unnest($1::text[]) WITH ORDINALITY k(room_id, n) \
    JOIN room r ON r.room_id = k.room_id";

/// The moment of a statement: what had ended by then, and on which history.
macro_rules! moment {
    () => {
        "pg_current_snapshot()::text, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), h.xid"
    };
}

/// The present.
pub(super) const PRESENT: &str = concat!(
    "SELECT ",
    moment!(),
    ", NULL::text, NULL::int8 FROM batch_log_horizon h"
);

/// The rooms of the batches that an earlier moment did not see, and the moment of this statement. One row at least.
pub(super) const CHANGES: &str = concat!(
    "SELECT ",
    moment!(),
    ", c.room_id, c.seq FROM batch_log_horizon h LEFT JOIN LATERAL ( \
        SELECT b.room_id, max(b.seq) AS seq FROM ( \
            SELECT unnest(room_ids) AS room_id, unnest(seqs) AS seq FROM batch_log \
            WHERE xid >= $1 OR xid = ANY($2)) b \
        GROUP BY b.room_id) c ON true"
);

/// For a sweep that cannot say what it has seen: all rooms.
pub(super) const ALL_ROOMS: &str = concat!(
    "SELECT ",
    moment!(),
    ", r.room_id, r.last_seq FROM batch_log_horizon h LEFT JOIN room r ON true"
);

/// A number for a store that begins to sweep.
pub(super) const SWEEPER: &str = "SELECT nextval('sweeper')";

/// Deletes the oldest rows of the batch log, as far as they are old enough and behind every transaction under way, and
/// raises the horizon over them. One gateway at a time; the others find the lock taken and answer zero.
pub(super) const PRUNE_BATCHES: &str = "\
    WITH mine AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($1) AS locked), \
    oldest AS MATERIALIZED ( \
        SELECT xid, at FROM batch_log WHERE xid < pg_snapshot_xmin(pg_current_snapshot())::text::int8 \
        ORDER BY xid LIMIT $2), \
    gone AS (DELETE FROM batch_log b USING oldest o, mine \
        WHERE mine.locked AND b.xid = o.xid AND o.at < now() - make_interval(secs => $3) RETURNING b.xid), \
    raised AS (UPDATE batch_log_horizon h SET xid = greatest(h.xid, g.top + 1) \
        FROM (SELECT max(xid) AS top FROM gone) g WHERE g.top IS NOT NULL RETURNING h.xid) \
    SELECT count(*) FROM gone";

/// Deletes batches that this cluster has not had yet: of transaction ids that it has still to give out. They came with a
/// logical restore, and would collide with those that come. The horizon comes from there as well: it is set to a moment
/// below which nothing is missing that anybody asks for.
pub(super) const FORGET_FOREIGN_BATCHES: &str = "\
    WITH present AS MATERIALIZED (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::int8 AS oldest, \
        pg_snapshot_xmax(pg_current_snapshot())::text::int8 AS next), \
    gone AS (DELETE FROM batch_log b USING present p WHERE b.xid >= p.next RETURNING b.xid), \
    lowered AS (UPDATE batch_log_horizon h SET xid = p.oldest FROM present p WHERE h.xid > p.next RETURNING h.xid) \
    SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM lowered)";

// ---- rooms and members --------------------------------------------------------------------------------------------

pub(super) const ROOMS: &str = concat!(
    "SELECT k.n, ",
    room_columns!(),
    " FROM unnest($1::text[]) WITH ORDINALITY k(room_id, n) JOIN room r ON r.room_id = k.room_id"
);

pub(super) const STANDINGS: &str = concat!(
    "SELECT k.n, ",
    member_columns!(),
    " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY k(room_id, user_id, n) \
     JOIN member m ON m.room_id = k.room_id AND m.user_id = k.user_id"
);

pub(super) const MEMBERS: &str = concat!(
    "SELECT ",
    member_columns!(),
    " FROM member m WHERE m.room_id = $1 AND m.standing = 'joined' AND m.user_id > $2 ORDER BY m.user_id LIMIT $3"
);

pub(super) const ROOMS_OF: &str = concat!(
    "SELECT ",
    room_columns!(),
    ", ",
    member_columns!(),
    " FROM member m JOIN room r ON r.room_id = m.room_id AND NOT r.deleted \
     WHERE m.user_id = $1 AND m.standing = 'joined' AND m.room_id > $2 ORDER BY m.room_id LIMIT $3"
);

pub(super) const PUBLIC_ROOMS: &str = concat!(
    "SELECT ",
    room_columns!(),
    " FROM room r WHERE r.kind = 'public' AND NOT r.deleted AND r.room_id > $1 ORDER BY r.room_id LIMIT $2"
);

pub(super) const EMPTY_ROOMS: &str = "\
    SELECT room_id FROM room WHERE member_count = 0 AND NOT deleted AND room_id NOT LIKE '@%' AND last_at < $1 \
    ORDER BY room_id LIMIT $2";

// ---- history ------------------------------------------------------------------------------------------------------

/// Completes a page of seqs `p` to the present state of its messages.
macro_rules! messages_of {
    ($page:expr) => {
        concat!(
            "SELECT ",
            event_columns!(),
            ", u.body, u.at, s.deleted_at, coalesce(s.reply_count, 0), reactions.json FROM (",
            $page,
            ") p JOIN room_event e ON e.room_id = $1 AND e.seq = p.seq \
            LEFT JOIN message_state s ON s.room_id = $1 AND s.seq = p.seq \
            LEFT JOIN room_event u ON u.room_id = $1 AND u.seq = s.edited_seq \
            LEFT JOIN LATERAL ( \
                SELECT json_object_agg(c.emoji, json_build_object('count', c.count, 'users', ( \
                    SELECT json_agg(x.user_id ORDER BY x.at_seq) FROM ( \
                        SELECT a.user_id, a.at_seq FROM reaction a \
                        WHERE a.room_id = $1 AND a.seq = p.seq AND a.emoji = c.emoji \
                        ORDER BY a.at_seq LIMIT 50) x)))::text AS json \
                FROM reaction_count c WHERE c.room_id = $1 AND c.seq = p.seq AND c.count > 0 \
            ) reactions ON s.deleted_at IS NULL \
            ORDER BY p.seq"
        )
    };
}

/// At most `$3` messages before a seq, and `$4` from it on.
pub(super) const HISTORY: &str = messages_of!(
    "(SELECT seq FROM room_event WHERE room_id = $1 AND kind = 'message_created' AND seq < $2 \
        AND seq >= (SELECT min_seq FROM room WHERE room_id = $1) ORDER BY seq DESC LIMIT $3) \
    UNION ALL \
    (SELECT seq FROM room_event WHERE room_id = $1 AND kind = 'message_created' AND seq >= $2 \
        AND seq >= (SELECT min_seq FROM room WHERE room_id = $1) ORDER BY seq LIMIT $4)"
);

/// The messages of a thread from one end of it: its first, and some of its replies.
macro_rules! thread {
    ($bound:literal, $order:literal, $limit:literal) => {
        concat!(
            "(SELECT seq FROM ( \
                (SELECT seq FROM room_event WHERE room_id = $1 AND seq = $5 AND kind = 'message_created' AND ",
            $bound,
            " AND seq >= (SELECT min_seq FROM room WHERE room_id = $1)) \
                UNION ALL \
                (SELECT seq FROM room_event WHERE room_id = $1 AND thread_seq = $5 AND ",
            $bound,
            " AND seq >= (SELECT min_seq FROM room WHERE room_id = $1) ORDER BY ",
            $order,
            " LIMIT ",
            $limit,
            ")) t ORDER BY ",
            $order,
            " LIMIT ",
            $limit,
            ")"
        )
    };
}

/// The same of the thread `$5`.
pub(super) const THREAD: &str = messages_of!(concat!(
    thread!("seq < $2", "seq DESC", "$3"),
    " UNION ALL ",
    thread!("seq >= $2", "seq", "$4")
));

// ---- read markers -------------------------------------------------------------------------------------------------

pub(super) const MARK_READ: &str = "\
    UPDATE member m SET read_seq = least($3, r.last_seq) FROM room r \
    WHERE r.room_id = $1 AND m.room_id = $1 AND m.user_id = $2 AND m.read_seq < least($3, r.last_seq) \
    RETURNING m.read_seq";

/// Exact, and not by counting what is unread: from the messages of the room since the marker (the difference of two
/// numbers), the user's own and those deleted since are taken off. `seq + 0` and `OFFSET 0` keep the planner from walking
/// everybody's events: the unique index holds the user's own together, with their seqs, and each is then looked up.
pub(super) const UNREAD: &str = "\
    SELECT k.n, m.read_seq, c.total - c.own - c.deleted, c.mentions \
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY k(room_id, user_id, n) \
    JOIN member m ON m.room_id = k.room_id AND m.user_id = k.user_id \
    JOIN room r ON r.room_id = m.room_id \
    CROSS JOIN LATERAL (SELECT greatest(m.read_seq, m.joined_seq, r.min_seq - 1) AS seq) since \
    LEFT JOIN LATERAL ( \
        SELECT r.message_count - coalesce((SELECT e.message_no - (e.kind = 'message_created')::int \
                    FROM room_event e WHERE e.room_id = m.room_id AND e.seq > since.seq ORDER BY e.seq LIMIT 1), \
                r.message_count) AS total, \
            (SELECT count(*) FROM ( \
                    SELECT e.seq FROM room_event e \
                    WHERE e.room_id = m.room_id AND e.sender_id = m.user_id AND e.seq + 0 > since.seq OFFSET 0) o \
                CROSS JOIN LATERAL (SELECT FROM room_event e \
                    WHERE e.room_id = m.room_id AND e.seq = o.seq AND e.kind = 'message_created' OFFSET 0) said) AS own, \
            (SELECT count(*) FROM message_state s \
                JOIN room_event e ON e.room_id = s.room_id AND e.seq = s.seq AND e.sender_id <> m.user_id \
                WHERE s.room_id = m.room_id AND s.deleted_at IS NOT NULL AND s.seq > since.seq) AS deleted, \
            (SELECT count(*) FROM mention x \
                WHERE x.room_id = m.room_id AND x.user_id = m.user_id AND x.seq > since.seq) AS mentions \
    ) c ON m.standing = 'joined' AND r.last_seq > since.seq";

// ---- retention ----------------------------------------------------------------------------------------------------

/// Under the room's lock. The beginning is hidden by `min_seq`, and gone with the same commit.
pub(super) const TRIM: &str = "\
    WITH r AS (SELECT least($2, last_seq) AS below FROM room WHERE room_id = $1 FOR UPDATE), \
    old AS (SELECT max(o.seq) + 1 AS below, count(*) AS count FROM ( \
        SELECT e.seq FROM room_event e WHERE e.room_id = $1 AND e.seq < (SELECT below FROM r) ORDER BY e.seq LIMIT $3) o), \
    raised AS (UPDATE room SET min_seq = greatest(min_seq, (SELECT below FROM old)) \
        WHERE room_id = $1 AND (SELECT count FROM old) > 0), \
    states AS (DELETE FROM message_state WHERE room_id = $1 AND seq < (SELECT below FROM old)), \
    reactions AS (DELETE FROM reaction WHERE room_id = $1 AND seq < (SELECT below FROM old)), \
    counts AS (DELETE FROM reaction_count WHERE room_id = $1 AND seq < (SELECT below FROM old)), \
    mentions AS (DELETE FROM mention WHERE room_id = $1 AND seq < (SELECT below FROM old)), \
    events AS (DELETE FROM room_event WHERE room_id = $1 AND seq < (SELECT below FROM old)) \
    SELECT count FROM old";

// ---- users --------------------------------------------------------------------------------------------------------

/// In the order of the ids: two nodes that name the same users do not wait for each other.
pub(super) const SEEN: &str = "\
    INSERT INTO user_seen (user_id, at) \
    SELECT k.user_id, max(k.at) FROM unnest($1::text[], $2::int8[]) k(user_id, at) \
    GROUP BY k.user_id ORDER BY k.user_id COLLATE \"C\" \
    ON CONFLICT (user_id) DO UPDATE SET at = excluded.at WHERE user_seen.at < excluded.at";

pub(super) const LAST_SEEN: &str = "\
    SELECT k.n, u.at FROM unnest($1::text[]) WITH ORDINALITY k(user_id, n) \
    JOIN user_seen u ON u.user_id = k.user_id";

/// For the health check: whether this server takes writes.
pub(super) const IS_STANDBY: &str = "SELECT pg_is_in_recovery()";
