"""Runs statements in the official DuckDB, with the official ducklake extension, and prints their rows as text.

Reads {"attach": SQL or nothing, "statements": [SQL]} from stdin; writes [[row, …], …], every value cast to text by DuckDB.
"""

import json
import sys

import duckdb
from duckdb_extensions import import_extension

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


results = []
for statement in request["statements"]:
    try:
        relation = connection.sql(statement)
        results.append(text(relation) if relation is not None else [])
    except Exception as error:
        sys.exit(f"{statement}\n{type(error).__name__}: {error}")
json.dump(results, sys.stdout)
