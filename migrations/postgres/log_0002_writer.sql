-- What each process appended last to a lake: whether an append is in the log is read here when its answer was lost.
-- A higher seq fences an append that is still on its way.
CREATE TABLE duckmesh.writer (
    lake_id bigint NOT NULL,
    writer text NOT NULL,
    seq bigint NOT NULL DEFAULT 0,
    appended bigint NOT NULL DEFAULT 0,
    base bigint NOT NULL DEFAULT 0,
    touched timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lake_id, writer)
) WITH (fillfactor = 50);

-- How long something waits for its publication.
ALTER TABLE duckmesh.frame ADD COLUMN recorded timestamptz NOT NULL DEFAULT now();
