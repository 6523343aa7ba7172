"""Makes TPC-H data as CSV in a folder, and the text of its queries: tpch.py FOLDER SCALE."""

import json
import pathlib
import sys

import duckdb
from duckdb_extensions import import_extension

folder, scale = pathlib.Path(sys.argv[1]), float(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
connection = duckdb.connect()
import_extension("tpch", con=connection)
connection.execute("LOAD tpch")
connection.execute(f"CALL dbgen(sf = {scale})")
tables = {}
for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY 1").fetchall():
    columns = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", [name]
    ).fetchall()
    tables[name] = ", ".join(f"{column} {kind}" for column, kind in columns)
    connection.execute(f"COPY {name} TO '{folder}/{name}.csv' (HEADER false)")
queries = [text for _, text in connection.execute("SELECT query_nr, query FROM tpch_queries() ORDER BY 1").fetchall()]
(folder / "tpch.json").write_text(json.dumps({"tables": tables, "queries": queries}))
