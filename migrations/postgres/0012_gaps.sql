-- The newest offset below the watermark whose acknowledged write could not be applied: readers see it with the snapshot.
ALTER TABLE @duckmesh_snapshot ADD COLUMN gap BIGINT;

-- Whose readers are to be told: uuids of tables, joined by commas, or * for all; NULL, nobody's (any more).
ALTER TABLE @duckmesh_dead_letter ADD COLUMN missing_from TEXT;
