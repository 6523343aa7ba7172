-- Rows that COPY … ON_ERROR ignore left out. Written with the rows that it stored, once.
CREATE TABLE @duckmesh_rejected_row(
    log_offset BIGINT NOT NULL,
    place BIGINT NOT NULL,
    rejected_at TIMESTAMPTZ NOT NULL,
    relation TEXT NOT NULL,
    line BIGINT,
    column_name TEXT,
    reason TEXT NOT NULL,
    content TEXT,
    PRIMARY KEY (log_offset, place)
);
