"""pg8000: extended protocol with Flush between messages."""

import io

import pg8000.dbapi
from place import DATABASE, HOST, LONG, PORT, USER, did, equal, fails, later


def state(error):
    return error.args[0]["C"]


def main():
    connection = pg8000.dbapi.connect(host=HOST, port=PORT, database=DATABASE, user=USER)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE p8 (id bigint PRIMARY KEY, name text, amount numeric(10,2))")
    connection.commit()
    cursor.execute("SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_name = %s", ("p8",))
    equal(len(cursor.fetchall()), 3)
    did("connect", "create", "introspect")
    cursor.execute("INSERT INTO p8 VALUES (%s, %s, %s) RETURNING id", (1, "it's", 2.5))
    equal(cursor.fetchone()[0], 1)
    cursor.executemany("INSERT INTO p8 (id, name) VALUES (%s, %s)", [(n, "m") for n in range(2, 12)])
    cursor.execute("COPY p8 (id, name) FROM STDIN", stream=io.BytesIO(b"100\ta\n101\t\\N\n"))
    connection.commit()
    cursor.execute("SELECT count(*), count(name) FROM p8 WHERE id > %s", (1,))
    equal(tuple(cursor.fetchone()), (12, 11))
    did("insert", "bulk", "parameters")
    cursor.execute("INSERT INTO p8 (id) VALUES (9999)")
    connection.rollback()
    cursor.execute("SELECT count(*) FROM p8 WHERE id = 9999")
    equal(cursor.fetchone()[0], 0)
    did("transaction")
    fails("42703", state, lambda: cursor.execute("SELECT nothing FROM p8"))
    connection.rollback()
    did("error")
    # The driver has no cancel: another session stops it.
    cursor.execute("SELECT pg_backend_pid()")
    number = cursor.fetchone()[0]
    other = pg8000.dbapi.connect(host=HOST, port=PORT, database=DATABASE, user=USER)
    later(lambda: other.cursor().execute("SELECT pg_cancel_backend(%s)", (number,)))
    fails("57014", state, lambda: cursor.execute(LONG))
    connection.rollback()
    other.close()
    did("cancel")
    cursor.execute("DROP TABLE p8")
    connection.commit()
    connection.close()
    print("ok")


main()
