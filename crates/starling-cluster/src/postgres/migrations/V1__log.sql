-- The log and what follows from it.
--
-- Ids compare byte by byte (COLLATE "C"), as they do in the gateways: rooms are locked in one order everywhere.
-- Times are milliseconds since 1970 in UTC. JSON is kept as text: the database never looks into it, and text keeps
-- every string that JSON can write (jsonb refuses \u0000).

-- One row for each room. Its lock is the room's lock: whoever holds it appends, decides and counts alone.
-- Every batch rewrites the row, so pages keep room for new versions and no index covers what a batch changes (HOT).
CREATE TABLE room (
    room_id       text COLLATE "C" PRIMARY KEY,
    kind          text    NOT NULL,
    name          text    NOT NULL,
    description   text    NOT NULL,
    max_members   bigint  NOT NULL,
    settings      text    NOT NULL,
    created_by    text    NOT NULL,
    created_at    bigint  NOT NULL,
    deleted       boolean NOT NULL,
    member_count  bigint  NOT NULL,
    last_seq      bigint  NOT NULL,
    min_seq       bigint  NOT NULL,
    last_event    uuid,
    last_at       bigint  NOT NULL,
    -- Messages ever written: the number of the last one.
    message_count bigint  NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX room_public ON room (room_id) WHERE kind = 'public' AND NOT deleted;
CREATE INDEX room_empty ON room (room_id) WHERE member_count = 0 AND NOT deleted AND room_id NOT LIKE '@%';

-- Every event of every room, by room, so that vacuum and indexes come in pieces.
CREATE TABLE room_event (
    room_id     text COLLATE "C" NOT NULL,
    seq         bigint NOT NULL,
    event_id    uuid   NOT NULL,
    kind        text   NOT NULL,
    sender_id   text COLLATE "C" NOT NULL,
    sender_name text,
    client_id   text COLLATE "C" NOT NULL,
    -- The first message of the thread that a message belongs to.
    thread_seq  bigint,
    -- The message that an edit is of: where it is deleted, its edits lose their content too.
    edits_seq   bigint,
    at          bigint NOT NULL,
    -- Messages of the room up to this event, itself included: how many lie between two seqs is a subtraction.
    message_no  bigint NOT NULL,
    body        text   NOT NULL,
    PRIMARY KEY (room_id, seq),
    -- With the seq: a user's own events of a room are counted without their rows.
    UNIQUE (room_id, sender_id, client_id) INCLUDE (seq)
) PARTITION BY HASH (room_id);

DO $$
BEGIN
    FOR n IN 0..7 LOOP
        EXECUTE format('CREATE TABLE room_event_%s PARTITION OF room_event FOR VALUES WITH (MODULUS 8, REMAINDER %s)', n, n);
    END LOOP;
END $$;

CREATE INDEX room_event_message ON room_event (room_id, seq) WHERE kind = 'message_created';
CREATE INDEX room_event_thread ON room_event (room_id, thread_seq, seq) WHERE thread_seq IS NOT NULL;
CREATE INDEX room_event_edit ON room_event (room_id, edits_seq) WHERE edits_seq IS NOT NULL;

-- What happened to a message since it was written. A message that nothing happened to has no row: its event says all.
CREATE TABLE message_state (
    room_id     text COLLATE "C" NOT NULL,
    seq         bigint NOT NULL,
    -- The event that holds its present content, where it was edited.
    edited_seq  bigint,
    deleted_at  bigint,
    reply_count bigint NOT NULL,
    PRIMARY KEY (room_id, seq)
) WITH (fillfactor = 80);

CREATE INDEX message_deleted ON message_state (room_id, seq) WHERE deleted_at IS NOT NULL;

CREATE TABLE reaction (
    room_id text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    emoji   text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    -- The event by which it was added: the order in which users are named.
    at_seq  bigint NOT NULL,
    PRIMARY KEY (room_id, seq, emoji, user_id)
);

CREATE INDEX reaction_order ON reaction (room_id, seq, emoji, at_seq);

CREATE TABLE reaction_count (
    room_id text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    emoji   text COLLATE "C" NOT NULL,
    count   bigint NOT NULL,
    PRIMARY KEY (room_id, seq, emoji)
) WITH (fillfactor = 80);

-- Who is mentioned where, by others, in messages that were not deleted: counted for unread mentions.
CREATE TABLE mention (
    room_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (room_id, user_id, seq)
);

CREATE TABLE member (
    room_id      text COLLATE "C" NOT NULL,
    user_id      text COLLATE "C" NOT NULL,
    name         text,
    standing     text    NOT NULL,
    banned_until bigint,
    role         text    NOT NULL,
    joined_at    bigint  NOT NULL,
    joined_seq   bigint  NOT NULL,
    muted        boolean NOT NULL,
    muted_until  bigint,
    wrote_at     bigint,
    -- Moved by the read marker alone, without the room's lock.
    read_seq     bigint  NOT NULL DEFAULT 0,
    PRIMARY KEY (room_id, user_id)
) WITH (fillfactor = 80);

CREATE INDEX member_of_room ON member (room_id, user_id) WHERE standing = 'joined';
CREATE INDEX member_of_user ON member (user_id, room_id) WHERE standing = 'joined';

CREATE TABLE user_seen (
    user_id text COLLATE "C" PRIMARY KEY,
    at      bigint NOT NULL
) WITH (fillfactor = 80);
