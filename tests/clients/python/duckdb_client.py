"""DuckDB's own `postgres` extension, reading from the server."""

import duckdb
import psycopg
from place import DATABASE, HOST, PORT, USER, equal


def main():
    where = f"host={HOST} port={PORT} dbname={DATABASE} user={USER}"
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("CREATE TABLE dk (id bigint PRIMARY KEY, name text, amount numeric(10,2), at timestamptz)")
        connection.execute(
            "INSERT INTO dk SELECT g, 'n' || g, g * 1.5, timestamptz '2024-01-01 00:00:00+00' FROM generate_series(1, 100) AS s(g)"
        )
    engine = duckdb.connect()
    engine.load_extension("postgres_scanner")
    # As it comes, the extension reads by COPY in binary form.
    # Another session wrote: a read that sees all that is acknowledged.
    strong = where + " options=''-c duckmesh.consistency=strong''"
    engine.execute(f"ATTACH '{strong}' AS far (TYPE postgres, READ_ONLY)")
    equal([r[0] for r in engine.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'far' AND schema_name = 'public'").fetchall()], ["dk"])
    equal(engine.execute("SELECT count(*), sum(amount) FROM far.dk WHERE id > 50").fetchone()[0], 50)
    engine.close()
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("DROP TABLE dk")
    print("ok")


main()
