"""psycopg2: simple protocol only, parameters put in by the client."""

import io

import psycopg2
import psycopg2.extras
from place import DATABASE, HOST, LONG, PORT, USER, did, equal, fails, later


def state(error):
    return error.pgcode


def main():
    connection = psycopg2.connect(host=HOST, port=PORT, dbname=DATABASE, user=USER)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE p2 (id bigint PRIMARY KEY, name varchar(20) NOT NULL, amount numeric(10,2), at timestamptz)")
    connection.commit()
    cursor.execute(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
        " WHERE attrelid = 'p2'::regclass AND attnum > 0 ORDER BY attnum"
    )
    equal(cursor.fetchall()[1], ("name", "character varying(20)", True))

    did("connect", "create", "introspect")
    cursor.execute("INSERT INTO p2 VALUES (%s, %s, %s, now()) RETURNING id, name", (1, "it's", "12.50"))
    equal(cursor.fetchone(), (1, "it's"))
    psycopg2.extras.execute_values(cursor, "INSERT INTO p2 (id, name) VALUES %s", [(n, f"n{n}") for n in range(2, 102)])
    cursor.copy_expert("COPY p2 (id, name) FROM STDIN WITH (FORMAT csv)", io.StringIO("1001,a\n1002,\"b,c\"\n"))
    connection.commit()
    cursor.execute("SELECT count(*), min(name) FILTER (WHERE id = 1002) FROM p2 WHERE id = ANY(%s) OR id > %s", ([1, 2], 100))
    equal(cursor.fetchone(), (5, "b,c"))
    did("insert", "bulk", "parameters")
    out = io.StringIO()
    cursor.copy_expert("COPY (SELECT id FROM p2 WHERE id < 4 ORDER BY id) TO STDOUT", out)
    equal(out.getvalue(), "1\n2\n3\n")

    cursor.execute("INSERT INTO p2 (id, name) VALUES (9999, 'gone')")
    connection.rollback()
    cursor.execute("SELECT count(*) FROM p2 WHERE id = 9999")
    equal(cursor.fetchone(), (0,))

    did("transaction")
    fails("42P01", state, lambda: cursor.execute("SELECT * FROM nowhere"))
    fails("25P02", state, lambda: cursor.execute("SELECT 1"))
    connection.rollback()
    did("error")
    later(connection.cancel)
    fails("57014", state, lambda: cursor.execute(LONG))
    connection.rollback()
    did("cancel")
    cursor.execute("DROP TABLE p2")
    connection.commit()
    connection.close()
    print("ok")


main()
