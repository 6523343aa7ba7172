-- The log of one lake: its lane (position), its records, and the idempotency keys of its writes.
CREATE TABLE lane (
    lake_id INTEGER PRIMARY KEY,
    head INTEGER NOT NULL CHECK (head >= 0),
    ddl_offset INTEGER NOT NULL CHECK (ddl_offset >= 0 AND ddl_offset <= head)
);

-- A record covers the offsets first_offset..=last_offset; the next record begins right behind it.
CREATE TABLE frame (
    last_offset INTEGER PRIMARY KEY,
    first_offset INTEGER NOT NULL CHECK (first_offset <= last_offset),
    ddl INTEGER NOT NULL,
    body BLOB NOT NULL
);

CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    payload_sha256 BLOB NOT NULL,
    first_offset INTEGER NOT NULL,
    recorded_unix_s INTEGER NOT NULL DEFAULT (unixepoch())
) WITHOUT ROWID;

CREATE INDEX idempotency_age ON idempotency (recorded_unix_s);
