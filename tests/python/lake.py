"""Runs statements in the official DuckDB, with the official ducklake extension, and prints their rows as text.

Reads {"attach": SQL or nothing, "statements": [SQL]} from stdin; writes [[row, …], …], every value cast to text by DuckDB.
"""

import json
import sys
import time

import duckdb
from duckdb_extensions import import_extension

# How long another writer of the same SQLite file may be in the way.
LOCKED_SECONDS = 30

request = json.load(sys.stdin)
connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
if request.get("attach"):
    for extension in ("ducklake", "sqlite_scanner", "postgres_scanner"):
        import_extension(extension, con=connection)
        connection.execute(f"LOAD {extension}")
    connection.execute(request["attach"])
    connection.execute("USE lake")


def text(relation):
    names = relation.columns
    quoted = ", ".join(f'CAST(#{i + 1} AS VARCHAR)' for i in range(len(names)))
    return relation.project(quoted).fetchall()


def run(statement):
    """DuckDB reads the catalog first and writes it later: when the server wrote in between, SQLite refuses at once, nothing
    is changed, and the statement can be run again, as any user of DuckLake on SQLite has to."""
    end = time.monotonic() + LOCKED_SECONDS
    while True:
        try:
            relation = connection.sql(statement)
            return text(relation) if relation is not None else []
        except Exception as error:
            if "database is locked" not in str(error) or time.monotonic() > end:
                sys.exit(f"{statement}\n{type(error).__name__}: {error}")


results = [run(statement) for statement in request["statements"]]
json.dump(results, sys.stdout)
