-- Names of files that the sweep deletes: no merge may show them any more, however late it comes.
CREATE TABLE @duckmesh_given_up(
    name TEXT PRIMARY KEY,
    given_up_ms BIGINT NOT NULL
);

-- When a snapshot was made, by the database's clock: its snapshot_time is by the clock of the server that made it.
ALTER TABLE @duckmesh_snapshot ADD COLUMN made_ms BIGINT;
