"""Times queries in the official DuckDB on an attached lake: reads {"attach", "queries", "runs", "threads", "memory"} from stdin.

Prints the best time of each query in seconds, and its number of rows."""

import json
import sys
import time

import duckdb
from duckdb_extensions import import_extension

request = json.load(sys.stdin)
connection = duckdb.connect()
for extension in ("ducklake", "sqlite_scanner"):
    import_extension(extension, con=connection)
    connection.execute(f"LOAD {extension}")
connection.execute(f"SET threads = {request['threads']}")
connection.execute(f"SET memory_limit = '{request['memory']}'")
connection.execute(request["attach"])
connection.execute("USE lake")
times = []
for query in request["queries"]:
    best, rows = None, 0
    for _ in range(request["runs"]):
        start = time.perf_counter()
        rows = len(connection.execute(query).fetchall())
        took = time.perf_counter() - start
        best = took if best is None else min(best, took)
    times.append([best, rows])
json.dump(times, sys.stdout)
