"""psqlODBC through pyodbc: catalog functions, parameters, transactions."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

import pyodbc  # noqa: E402 - after the path
from place import DATABASE, HOST, PORT, USER, equal, fails  # noqa: E402

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
    cursor.execute("INSERT INTO od (id, name, amount) VALUES (?, ?, ?)", 1, "it's", "2.50")
    cursor.executemany("INSERT INTO od (id, name) VALUES (?, ?)", [(n, f"n{n}") for n in range(2, 52)])
    connection.commit()
    cursor.execute("SELECT count(*), max(name) FROM od WHERE id > ?", 40)
    equal(tuple(cursor.fetchone()), (11, "n51"))
    cursor.execute("INSERT INTO od (id) VALUES (9999)")
    connection.rollback()
    cursor.execute("SELECT count(*) FROM od WHERE id = 9999")
    equal(cursor.fetchone()[0], 0)
    fails("42P01", lambda error: error.args[0], lambda: cursor.execute("SELECT * FROM nowhere"))
    connection.rollback()
    cursor.execute("DROP TABLE od")
    connection.commit()
    connection.close()
    print("ok")


main()
