-- The logs of all lakes: their lanes (positions), their records, and the idempotency keys of their writes.
CREATE TABLE duckmesh.lane (
    lake_id bigint PRIMARY KEY,
    head bigint NOT NULL CHECK (head >= 0),
    ddl_offset bigint NOT NULL CHECK (ddl_offset >= 0 AND ddl_offset <= head)
) WITH (fillfactor = 50);

-- A record covers the offsets first_offset..=last_offset; the next record begins right behind it.
CREATE TABLE duckmesh.frame (
    lake_id bigint NOT NULL,
    last_offset bigint NOT NULL,
    first_offset bigint NOT NULL CHECK (first_offset <= last_offset),
    ddl boolean NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (lake_id, last_offset)
);

-- Bodies are compressed already where that pays.
ALTER TABLE duckmesh.frame ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE duckmesh.idempotency (
    lake_id bigint NOT NULL,
    key text NOT NULL,
    payload_sha256 bytea NOT NULL,
    first_offset bigint NOT NULL,
    recorded timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lake_id, key)
);

CREATE INDEX idempotency_age ON duckmesh.idempotency (lake_id, recorded);
