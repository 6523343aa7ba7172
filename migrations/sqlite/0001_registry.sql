-- The lakes of the server. AUTOINCREMENT: an id is never given twice.
CREATE TABLE @lake(
    lake_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    place TEXT NOT NULL,
    data_path TEXT NOT NULL,
    created_at TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('making', 'ready', 'dropping'))
);
