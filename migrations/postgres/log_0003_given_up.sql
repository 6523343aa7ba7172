-- Names of files that the sweep deletes: no record and no merge may name them any more, however late it comes.
CREATE TABLE duckmesh.given_up (
    lake_id bigint NOT NULL,
    name text NOT NULL,
    recorded timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lake_id, name)
);
