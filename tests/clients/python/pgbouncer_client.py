"""Through PgBouncer in transaction mode: many clients on two server connections, none of which may see another's state.

Runs against PostgreSQL and DuckMesh alike, but for what tokens are about (`DUCKMESH=1`)."""

import asyncio
import os
import sys
import threading

import asyncpg
import psycopg
from place import DATABASE, HOST, LONG, PORT, USER, equal, fails, later

WHERE = f"host={HOST} port={PORT} dbname={DATABASE} user={USER}"
DUCKMESH = os.environ.get("DUCKMESH") == "1"
CLIENTS = 20
ROUNDS = 15


def state(error):
    return error.sqlstate


def connect(**more):
    # A pooled connection has nobody's prepared statements.
    return psycopg.connect(WHERE, autocommit=True, prepare_threshold=None, **more)


def many_clients():
    """More clients than server connections: transactions are whole, and settings stay in them."""
    with connect() as connection:
        connection.execute("CREATE TABLE moves (client int, round int, amount int)")
    errors = []

    def client(number):
        try:
            with connect() as connection:
                for turn in range(ROUNDS):
                    with connection.transaction():
                        connection.execute(f"SET LOCAL application_name = 'client {number}'")
                        connection.execute("SET LOCAL statement_timeout = '30s'")
                        connection.execute("INSERT INTO moves VALUES (%s, %s, 1)", (number, turn))
                        connection.execute("INSERT INTO moves VALUES (%s, %s, -1)", (number, turn))
                        own = connection.execute("SELECT count(*) FROM moves WHERE client = %s", (number,)).fetchone()
                        equal(own, (2 * (turn + 1),))
                        name = connection.execute("SHOW application_name").fetchone()
                        equal(name, (f"client {number}",))
                    whole = connection.execute("SELECT sum(amount), count(*) % 2 FROM moves").fetchone()
                    equal(whole, (0, 0))
        except Exception as error:  # noqa: BLE001 - told by the main thread
            errors.append(error)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(errors, [])
    with connect() as connection:
        equal(connection.execute("SELECT count(*) FROM moves").fetchone(), (2 * CLIENTS * ROUNDS,))


def nothing_stays():
    """The reset query takes everything of a client with it."""
    with connect() as connection:
        connection.execute("SET work_mem = '1MB'")
        with connection.transaction():
            connection.execute("CREATE TEMP TABLE mine (id int)")
            connection.execute("INSERT INTO mine VALUES (1)")
            equal(connection.execute("SELECT count(*) FROM mine").fetchone(), (1,))
            connection.execute("SELECT pg_advisory_lock(4711)")
            connection.execute("DECLARE held CURSOR WITH HOLD FOR SELECT 1")
            connection.execute("PREPARE kept AS SELECT 1")
    for _ in range(8):
        with connect() as connection:
            equal(connection.execute("SELECT count(*) FROM pg_class WHERE relname = 'mine'").fetchone(), (0,))
            equal(connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone(), (0,))
            equal(connection.execute("SELECT count(*) FROM pg_cursors").fetchone(), (0,))
            equal(connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone(), (0,))
            fails("42P01", state, lambda: connection.execute("SELECT * FROM mine"))


def errors_and_cancel():
    with connect() as connection:
        fails("22012", state, lambda: connection.execute("SELECT 1 / 0"))
        equal(connection.execute("SELECT 1").fetchone(), (1,))

        def broken():
            with connection.transaction():
                connection.execute("INSERT INTO moves VALUES (1, 1, 100)")
                connection.execute("SELECT * FROM nowhere")

        fails("42P01", state, broken)
        equal(connection.execute("SELECT count(*) FROM moves WHERE amount = 100").fetchone(), (0,))
        later(connection.cancel)
        fails("57014", state, lambda: connection.execute(LONG))
        equal(connection.execute("SELECT 2").fetchone(), (2,))
    # A client that goes in its transaction leaves nothing.
    connection = connect()
    connection.execute("BEGIN")
    connection.execute("INSERT INTO moves VALUES (1, 1, 200)")
    connection.pgconn.finish()
    with connect() as connection:
        equal(connection.execute("SELECT count(*) FROM moves WHERE amount = 200").fetchone(), (0,))


def copies():
    with connect() as connection:
        connection.execute("CREATE TABLE copied (n int, s text)")
        with connection.cursor() as cursor:
            with cursor.copy("COPY copied FROM STDIN") as copy:
                for n in range(5000):
                    copy.write_row((n, f"text {n}"))
            with cursor.copy("COPY (SELECT n FROM copied ORDER BY n LIMIT 3) TO STDOUT") as copy:
                equal([row for row in copy.rows()], [("0",), ("1",), ("2",)])

        def garbage():
            with connection.cursor() as cursor, cursor.copy("COPY copied FROM STDIN") as copy:
                copy.write("x\ty\n")

        fails("22P02", state, garbage)
        equal(connection.execute("SELECT count(*), sum(n) FROM copied").fetchone(), (5000, 12497500))


async def asynchronous():
    """asyncpg as its manual says for poolers: without its statement cache."""

    async def client(number):
        connection = await asyncpg.connect(
            host=HOST, port=PORT, database=DATABASE, user=USER, statement_cache_size=0
        )
        try:
            for turn in range(ROUNDS):
                async with connection.transaction():
                    await connection.execute("INSERT INTO moves VALUES ($1, $2, 0)", 1000 + number, turn)
                    found = await connection.fetchval("SELECT count(*) FROM moves WHERE client = $1", 1000 + number)
                    equal(found, turn + 1)
        finally:
            await connection.close()

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))


def tokens():
    """A token carries what one client wrote to another's transaction: SET LOCAL is how, in transaction mode."""
    with connect() as writer, connect() as reader:
        for n in range(10):
            seen = []
            writer.add_notice_handler(lambda diagnostic: seen.append(diagnostic.message_primary))
            writer.execute("INSERT INTO moves VALUES (2000, %s, 0)", (n,))
            text = [m for m in seen if m and m.startswith("token ")][-1].removeprefix("token ")
            with reader.transaction():
                reader.execute("SET LOCAL duckmesh.consistency = 'eventual'")
                reader.execute(f"SET LOCAL duckmesh.min_token = '{text}'")
                found = reader.execute("SELECT count(*) FROM moves WHERE client = 2000").fetchone()
                equal(found, (n + 1,))
            # The next on that server connection depends on nothing.
            equal(reader.execute("SHOW duckmesh.min_token").fetchone(), ("",))
            # What PgBouncer 1.20 and newer say for a client that they follow by this parameter.
            with reader.transaction():
                reader.execute("SET LOCAL duckmesh.consistency = 'session'")
                reader.execute(f"SET duckmesh.last_token = '{text}'")
                found = reader.execute("SELECT count(*) FROM moves WHERE client = 2000").fetchone()
                equal(found, (n + 1,))


if sys.argv[1] == "reset":
    nothing_stays()
else:
    many_clients()
    errors_and_cancel()
    copies()
    asyncio.run(asynchronous())
    if DUCKMESH:
        tokens()
print("ok")
