-- The lakes of the server. An identity never gives an id twice.
CREATE TABLE @lake(
    lake_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    place TEXT NOT NULL,
    data_path TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('making', 'ready', 'dropping'))
);
