"""DuckDB's own `postgres` extension, reading from the server."""

import duckdb
import psycopg
from duckdb_extensions import import_extension
from place import DATABASE, HOST, PORT, USER, did, equal


def main():
    where = f"host={HOST} port={PORT} dbname={DATABASE} user={USER}"
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("CREATE TABLE dk (id bigint PRIMARY KEY, name text, amount numeric(10,2), at timestamptz)")
        connection.execute(
            "INSERT INTO dk SELECT g, 'n' || g, g * 1.5, timestamptz '2024-01-01 00:00:00+00' FROM generate_series(1, 100) AS s(g)"
        )
    engine = duckdb.connect()
    import_extension("postgres_scanner", con=engine)
    engine.load_extension("postgres_scanner")
    # As it comes, the extension reads by COPY in binary form.
    # Another session wrote: a read that sees all that is acknowledged.
    strong = where + " options=''-c duckmesh.consistency=strong''"
    engine.execute(f"ATTACH '{strong}' AS far (TYPE postgres, READ_ONLY)")
    equal([r[0] for r in engine.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'far' AND schema_name = 'public'").fetchall()], ["dk"])
    equal(engine.execute("SELECT count(*), sum(amount) FROM far.dk WHERE id > 50").fetchone()[0], 50)
    did("connect", "introspect")
    # A table of its own, made and filled through the extension, in a transaction that is taken back and one that is not.
    engine.execute(f"ATTACH '{strong}' AS made (TYPE postgres)")
    engine.execute("CREATE TABLE made.dk_made (id BIGINT, name VARCHAR)")
    # Of a table that it made itself the extension does not know that it has no pages to be read by `ctid`.
    engine.execute("SET pg_use_ctid_scan = false")
    did("create")
    engine.execute("BEGIN")
    engine.execute("INSERT INTO made.dk_made VALUES (999, 'gone')")
    engine.execute("ROLLBACK")
    did("transaction")
    engine.execute("INSERT INTO made.dk_made SELECT i, 'n' || i FROM range(1000) AS r(i)")
    equal(engine.execute("SELECT count(*), max(id) FROM made.dk_made WHERE id < ?", [500]).fetchone(), (500, 499))
    did("insert", "bulk", "parameters")
    try:
        engine.execute("SELECT * FROM postgres_query('made', 'SELECT nothing FROM dk_made')")
        raise AssertionError("should have failed")
    except duckdb.Error as error:
        assert "nothing" in str(error), error
    did("error")
    engine.execute("DROP TABLE made.dk_made")
    engine.close()
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("DROP TABLE dk")
    print("ok")


main()
