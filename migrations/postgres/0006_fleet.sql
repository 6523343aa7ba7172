-- The servers of this catalog. One that lives says so before alive_until_ms, by the database's clock; what is of a server
-- that does not any more (duties, pins, locks) counts for nothing, and goes with its row.
CREATE TABLE @node(
    node_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    slot BIGINT NOT NULL UNIQUE CHECK (slot BETWEEN 1 AND 2047),
    address TEXT,
    gateway BOOLEAN NOT NULL,
    coordinator BOOLEAN NOT NULL,
    maintenance BOOLEAN NOT NULL,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    alive_until_ms BIGINT NOT NULL
) WITH (fillfactor = 50);

-- Who publishes a lake, and who tidies it up. What may be published is decided by the epoch in the lake's own tables.
CREATE TABLE @lease(
    lake_id BIGINT NOT NULL REFERENCES @lake(lake_id) ON DELETE CASCADE,
    duty TEXT NOT NULL CHECK (duty IN ('publish', 'maintain')),
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (lake_id, duty)
);

-- What a server's readers may still read: one row for each server and lake that has readers.
CREATE TABLE @pin(
    node_id BIGINT NOT NULL REFERENCES @node(node_id) ON DELETE CASCADE,
    lake_id BIGINT NOT NULL REFERENCES @lake(lake_id) ON DELETE CASCADE,
    oldest_ms BIGINT NOT NULL,
    snapshots TEXT NOT NULL,
    PRIMARY KEY (node_id, lake_id)
) WITH (fillfactor = 50);

-- Advisory locks, and those who wait for them.
CREATE TABLE @advisory_lock(
    lake_id BIGINT NOT NULL REFERENCES @lake(lake_id) ON DELETE CASCADE,
    kind BIGINT NOT NULL,
    class_key BIGINT NOT NULL,
    object_key BIGINT NOT NULL,
    node_id BIGINT NOT NULL REFERENCES @node(node_id) ON DELETE CASCADE,
    owner BIGINT NOT NULL,
    shared BOOLEAN NOT NULL,
    granted BOOLEAN NOT NULL,
    PRIMARY KEY (lake_id, kind, class_key, object_key, node_id, owner, shared, granted)
);
CREATE INDEX advisory_lock_of_node ON @advisory_lock(node_id, owner);
