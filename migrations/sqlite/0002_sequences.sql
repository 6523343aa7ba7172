-- Sequences by snapshot, as all objects of a lake; DuckLake has none.
CREATE TABLE @duckmesh_sequence(
    sequence_id BIGINT NOT NULL,
    sequence_uuid TEXT NOT NULL,
    begin_snapshot BIGINT NOT NULL,
    end_snapshot BIGINT,
    schema_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL
);

-- How far the numbers are given; no row: none was. Not of a snapshot: a number that was given is never given again, whatever
-- becomes of the transaction that took it.
CREATE TABLE @duckmesh_sequence_state(
    state_uuid TEXT PRIMARY KEY,
    last_value BIGINT NOT NULL,
    is_called BIGINT NOT NULL
);
