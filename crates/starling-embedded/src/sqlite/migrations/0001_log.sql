-- Two orders. Events lie in the order of their commits, so that a commit appends to the end of one tree, however many
-- rooms it touches. A narrow row for each lies in the order of rooms and seqs: it is what is walked and counted.
--
-- A *place* is one integer: the number of a room shifted left by 40 bits, plus a seq. It names an event, and with it a
-- message, in every table.

-- What the program keeps for itself.
CREATE TABLE store (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    opened INTEGER NOT NULL, -- how many times; part of every watermark
    probes INTEGER NOT NULL, -- written by the health check
    once   INTEGER NOT NULL  -- events up to this number are in the table `once`
) STRICT;

INSERT INTO store (only, opened, probes, once) VALUES (1, 0, 0, 0);

CREATE TABLE room (
    number       INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 8388607),
    id           TEXT    NOT NULL UNIQUE,
    kind         TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    max_members  INTEGER NOT NULL,
    settings     TEXT    NOT NULL, -- JSON
    created_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    deleted      INTEGER NOT NULL,
    member_count INTEGER NOT NULL,
    min_seq      INTEGER NOT NULL,
    last_seq     INTEGER NOT NULL CHECK (last_seq < 1099511627776),
    last_event   BLOB,
    last_at      INTEGER NOT NULL  -- time of the last event
) STRICT;

CREATE INDEX room_public ON room (id) WHERE kind = 'public' AND deleted = 0;
CREATE INDEX room_empty ON room (last_at) WHERE member_count = 0 AND deleted = 0 AND id NOT GLOB '@*';

CREATE TABLE member (
    room         INTEGER NOT NULL REFERENCES room (number),
    user         TEXT    NOT NULL,
    reserved     INTEGER NOT NULL, -- whether it is a reserved room, which does not count against a user's limit
    name         TEXT,
    standing     TEXT    NOT NULL,
    banned_until INTEGER,
    role         TEXT    NOT NULL,
    joined_at    INTEGER NOT NULL,
    joined_seq   INTEGER NOT NULL,
    muted        INTEGER NOT NULL,
    muted_until  INTEGER,
    wrote_at     INTEGER,
    read_seq     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX member_joined ON member (user, reserved, room) WHERE standing = 'joined';

CREATE TABLE event (
    number      INTEGER PRIMARY KEY, -- in the order of commits
    place       INTEGER NOT NULL,
    id          BLOB    NOT NULL,
    at          INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    sender      TEXT    NOT NULL,
    sender_name TEXT,
    client_id   TEXT,                -- absent where it was made from the event id
    body        TEXT    NOT NULL     -- JSON
) STRICT;

-- One row for each event. Of a message, also its present state where it differs from its event.
CREATE TABLE entry (
    place      INTEGER PRIMARY KEY,
    event      INTEGER NOT NULL,
    sender     TEXT,    -- of a message
    thread     INTEGER, -- of a message: place of the first message of its thread
    edits      INTEGER, -- of an edit: place of the message
    replies    INTEGER NOT NULL DEFAULT 0,
    content    TEXT,    -- where it was edited
    edited_at  INTEGER,
    deleted_at INTEGER
) STRICT;

CREATE INDEX entry_thread ON entry (thread) WHERE thread IS NOT NULL;
CREATE INDEX entry_edits ON entry (edits) WHERE edits IS NOT NULL;

-- Finds a repeated client id: digests of sender and client id under the number of their room. Filled in portions, for
-- digests fall on random pages; the latest are found in memory (`once.rs`).
CREATE TABLE once (
    digest INTEGER NOT NULL,
    place  INTEGER NOT NULL,
    PRIMARY KEY (digest, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE mention (
    user  TEXT    NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (user, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE reaction (
    place INTEGER NOT NULL REFERENCES entry (place),
    user  TEXT    NOT NULL,
    emoji TEXT    NOT NULL,
    seq   INTEGER NOT NULL,
    PRIMARY KEY (place, user, emoji)
) STRICT, WITHOUT ROWID;

CREATE INDEX reaction_order ON reaction (place, emoji, seq);

-- How many users reacted, so that a page of history never walks a hundred thousand reactions.
CREATE TABLE reaction_count (
    place INTEGER NOT NULL,
    emoji TEXT    NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (place, emoji)
) STRICT, WITHOUT ROWID;

CREATE TABLE last_seen (
    user TEXT    NOT NULL PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
