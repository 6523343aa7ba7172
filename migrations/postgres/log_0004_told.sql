-- What sessions notify those of other servers of: numbered without a gap, in the order of commits, and kept for some minutes, so
-- that a server which heard nothing for a while reads what it missed.
CREATE TABLE duckmesh.told (
    number bigint PRIMARY KEY,
    writer text NOT NULL,
    seq bigint NOT NULL,
    body text NOT NULL,
    said timestamptz NOT NULL DEFAULT now(),
    UNIQUE (writer, seq)
);

CREATE TABLE duckmesh.told_head (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    head bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO duckmesh.told_head (head) VALUES (0);
