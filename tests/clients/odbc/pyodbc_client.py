"""psqlODBC through pyodbc: catalog functions, parameters, transactions."""

import os
import sys
from decimal import Decimal

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

import pyodbc  # noqa: E402 - after the path
from place import DATABASE, HOST, LONG, PORT, USER, did, equal, fails, later  # noqa: E402

DRIVER = os.environ.get("ODBC_DRIVER", "PostgreSQL Unicode")


def main():
    where = f"DRIVER={{{DRIVER}}};SERVER={HOST};PORT={PORT};DATABASE={DATABASE};UID={USER};PWD=x;SSLmode=disable"
    connection = pyodbc.connect(where)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE od (id bigint PRIMARY KEY, name varchar(20), amount numeric(10,2), at timestamp)")
    connection.commit()
    equal([row.table_name for row in cursor.tables(table="od")], ["od"])
    columns = [(row.column_name, row.type_name, row.column_size) for row in cursor.columns(table="od")]
    equal(columns[:3], [("id", "int8", 19), ("name", "varchar", 20), ("amount", "numeric", 10)])
    equal([row.column_name for row in cursor.primaryKeys(table="od", schema="public")], ["id"])
    cursor.execute("CREATE TABLE od_child (n int PRIMARY KEY, od_id bigint REFERENCES od (id), label varchar(5) NOT NULL DEFAULT 'x', UNIQUE (label, n))")
    cursor.execute("CREATE VIEW od_view AS SELECT id, name FROM od")
    connection.commit()
    equal(sorted((row.table_name, row.table_type) for row in cursor.tables(schema="public", table="od%")),
          [("od", "TABLE"), ("od_child", "TABLE"), ("od_view", "VIEW")])
    keys = [(row.pktable_name, row.pkcolumn_name, row.fktable_name, row.fkcolumn_name) for row in cursor.foreignKeys(table="od", foreignTable="od_child")]
    equal(keys, [("od", "id", "od_child", "od_id")])
    statistics = [(row.index_name, row.column_name, row.ordinal_position) for row in cursor.statistics("od_child", schema="public", unique=True) if row.index_name]
    equal(sorted(statistics), [("od_child_label_n_key", "label", 1), ("od_child_label_n_key", "n", 2), ("od_child_pkey", "n", 1)])
    described = {row.column_name: (row.nullable, row.column_def) for row in cursor.columns(table="od_child", schema="public")}
    equal((described["label"][0], described["n"][0], described["od_id"]), (0, 0, (1, None)))
    equal({"int8", "varchar", "numeric", "date"} - {row.type_name for row in cursor.getTypeInfo()}, set())
    equal([row.procedure_name for row in cursor.procedures(schema="public")], [])
    equal(connection.getinfo(pyodbc.SQL_DBMS_NAME), "PostgreSQL")
    did("connect", "create", "introspect")
    cursor.execute("INSERT INTO od (id, name, amount) VALUES (?, ?, ?)", 1, "it's", "2.50")
    cursor.executemany("INSERT INTO od (id, name) VALUES (?, ?)", [(n, f"n{n}") for n in range(2, 52)])
    connection.commit()
    cursor.execute("SELECT count(*), max(name) FROM od WHERE id > ?", 40)
    equal(tuple(cursor.fetchone()), (11, "n51"))
    did("insert", "bulk", "parameters")
    cursor.execute("INSERT INTO od (id) VALUES (9999)")
    connection.rollback()
    cursor.execute("SELECT count(*) FROM od WHERE id = 9999")
    equal(cursor.fetchone()[0], 0)
    did("transaction")
    fails("42P01", lambda error: error.args[0], lambda: cursor.execute("SELECT * FROM nowhere"))
    connection.rollback()
    rows = cursor.execute("SELECT id, name, amount, at FROM od ORDER BY id").fetchmany(2)
    equal([c[1] for c in cursor.description][1], str)
    equal([(r.id, r.name, r.amount) for r in rows], [(1, "it's", Decimal("2.50")), (2, "n2", None)])
    did("error")
    later(cursor.cancel)
    fails("HY008", lambda error: "HY008" if error.args[0] in ("HY008", "57014", "HYT00") else error.args[0], lambda: cursor.execute(LONG))
    connection.rollback()
    did("cancel")
    for table in ("VIEW od_view", "TABLE od_child"):
        cursor.execute(f"DROP {table}")
    cursor.execute("DROP TABLE od")
    connection.commit()
    connection.close()
    print("ok")


main()
