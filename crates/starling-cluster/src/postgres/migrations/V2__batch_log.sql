-- One row for each batch, in the order of transaction ids: what a sweep reads to find what it missed.
--
-- A plain table from which old rows are deleted by range, not partitions by time: there is one row for a batch, not
-- for a message; pages of a range that was deleted are used again; and no append ever depends on a partition that
-- somebody should have created in time, nor waits for the lock that creating or dropping one takes.
CREATE TABLE batch_log (
    xid      bigint PRIMARY KEY DEFAULT (pg_current_xact_id()::text::bigint),
    room_ids text[] COLLATE "C" NOT NULL,
    seqs     bigint[] NOT NULL,
    at       timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000);

-- Rows below this transaction id may be gone: a sweep from before it names every room.
CREATE TABLE batch_log_horizon (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    xid      bigint NOT NULL
);

INSERT INTO batch_log_horizon (xid) VALUES (0);

-- Numbers the stores that sweep, so that none mistakes another's watermark for its own.
CREATE SEQUENCE sweeper;
