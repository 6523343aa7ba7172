-- Which server's history this deployment's tokens belong to; the highest number is the one that is.
CREATE TABLE @incarnation(
    number BIGINT PRIMARY KEY,
    system_identifier TEXT NOT NULL,
    timeline TEXT NOT NULL,
    synchronous BOOLEAN NOT NULL,
    lost BOOLEAN NOT NULL DEFAULT false,
    made TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Where each lake stood when an incarnation after the first began: above that, tokens of earlier ones are lost.
CREATE TABLE @incarnation_head(
    number BIGINT NOT NULL,
    lake_id BIGINT NOT NULL,
    head BIGINT NOT NULL,
    PRIMARY KEY (number, lake_id)
);
