"""psycopg 3: extended protocol, sync and async, pipelines, binary results, COPY."""

import asyncio
import uuid
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum

import psycopg
from place import DATABASE, HOST, LONG, PORT, USER, did, equal, fails, later
from psycopg.rows import dict_row
from psycopg.types import TypeInfo
from psycopg.types.enum import EnumInfo, register_enum

WHERE = f"host={HOST} port={PORT} dbname={DATABASE} user={USER}"


def state(error):
    return error.sqlstate


def introspect(connection):
    info = TypeInfo.fetch(connection, "int4")
    equal((info.oid, info.array_oid), (23, 1007))
    equal(TypeInfo.fetch(connection, "nothing"), None)
    cursor = connection.execute("SELECT oid, relname, relkind, relnamespace::regnamespace FROM pg_class WHERE oid = 'p3'::regclass")
    equal([c.type_code for c in cursor.description], [26, 19, 18, 4089])
    row = cursor.fetchone()
    equal(row[1:], ("p3", "r" if isinstance(row[2], str) else b"r", "public"))
    cursor = connection.execute("SELECT relname FROM pg_class WHERE oid = %s", (row[0],))
    equal(cursor.fetchone(), ("p3",))
    cursor = connection.execute("SELECT %s::regclass::oid", ("p3",))
    equal(cursor.fetchone(), (row[0],))


def values(connection):
    wanted = (7, "é", Decimal("12.50"), True, date(2024, 2, 29), datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc),
              uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), [1, None, 3], b"\x00\xff")
    connection.execute("INSERT INTO p3 VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)", wanted)
    for binary in (False, True):
        found = connection.execute("SELECT * FROM p3 WHERE id = %s", (7,), binary=binary).fetchone()
        equal(found, wanted)


def enums(connection):
    connection.execute("CREATE TYPE p3_mood AS ENUM ('sad', 'ok', 'very happy')")
    connection.execute("CREATE DOMAIN p3_small AS int CHECK (VALUE < 100)")
    connection.execute("CREATE TABLE p3_people (id int, mood p3_mood, all_moods p3_mood[], small p3_small)")
    info = EnumInfo.fetch(connection, "p3_mood")
    equal(info.labels, ["sad", "ok", "very happy"])
    wanted = Enum("Mood", {label.upper(): label for label in info.labels})
    register_enum(info, connection, wanted, mapping=[(m, m.value) for m in wanted])
    moods = list(wanted)
    row = (1, moods[2], [moods[0], None, moods[1]], 7)
    connection.execute("INSERT INTO p3_people VALUES (%s, %s, %s, %s)", row)
    connection.execute("INSERT INTO p3_people VALUES (%b, %b, %b, %b)", (2, *row[1:]))
    for binary in (False, True):
        found = connection.execute("SELECT * FROM p3_people ORDER BY id", binary=binary).fetchall()
        equal(found, [row, (2, *row[1:])])
        found = connection.execute("SELECT id FROM p3_people WHERE mood = %s AND mood = ANY(%s) ORDER BY id", (moods[2], moods)).fetchall()
        equal(found, [(1,), (2,)])
    equal(connection.execute("SELECT max(mood), small FROM p3_people GROUP BY small").fetchall(), [(moods[2], 7)])
    fails("22P02", state, lambda: connection.execute("INSERT INTO p3_people VALUES (1, 'x')"))
    fails("23514", state, lambda: connection.execute("INSERT INTO p3_people (small) VALUES (%s)", (100,)))
    for how, options in (("text", ""), ("csv", ""), ("binary", "")):
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY (SELECT * FROM p3_people WHERE id = 1) TO STDOUT (FORMAT {how})") as out:
                data = b"".join(out)
            with cursor.copy(f"COPY p3_people FROM STDIN (FORMAT {how})") as into:
                into.write(data)
    equal(connection.execute("SELECT count(*) FROM p3_people WHERE all_moods[1] = 'sad' AND id = 1").fetchone(), (8,))
    copy = lambda data: lambda: copied(connection, "COPY p3_people FROM STDIN", data)
    fails("22P02", state, copy(b"1\tnone\t{}\t1\n"))
    fails("23514", state, copy(b"1\tok\t{}\t100\n"))
    connection.execute("DROP TABLE p3_people")
    connection.execute("DROP DOMAIN p3_small")
    connection.execute("DROP TYPE p3_mood")


def copied(connection, command, data):
    with connection.cursor() as cursor, cursor.copy(command) as into:
        into.write(data)


def pipeline(connection):
    with connection.pipeline():
        one = connection.execute("INSERT INTO p3 (id, name) VALUES (%s, %s) RETURNING id", (20, "a"))
        two = connection.execute("SELECT name FROM p3 WHERE id = %s", (20,))
        equal((one.fetchone(), two.fetchone()), ((20,), ("a",)))


def copy(connection):
    with connection.cursor() as cursor:
        with cursor.copy("COPY p3 (id, name) FROM STDIN") as into:
            for n in range(1000, 2000):
                into.write_row((n, f"row {n}"))
        with cursor.copy("COPY (SELECT id, name FROM p3 WHERE id >= 1998 ORDER BY id) TO STDOUT") as out:
            equal(list(out.rows()), [("1998", "row 1998"), ("1999", "row 1999")])
        with cursor.copy("COPY p3 (id, name) FROM STDIN (FORMAT binary)") as into:
            into.set_types(["int4", "text"])
            for n in range(2500, 2600):
                into.write_row((n, None if n == 2500 else f"binary {n}"))
        with cursor.copy("COPY (SELECT id, name FROM p3 WHERE id IN (2500, 2599) ORDER BY id) TO STDOUT (FORMAT binary)") as out:
            out.set_types(["int4", "text"])
            equal(list(out.rows()), [(2500, None), (2599, "binary 2599")])
        cursor.execute("SELECT count(*) FROM p3 WHERE id BETWEEN 2500 AND 2599")
        equal(cursor.fetchone(), (100,))


def transactions(connection):
    try:
        with connection.transaction():
            connection.execute("INSERT INTO p3 (id) VALUES (3000)")
            with connection.transaction(force_rollback=True):
                connection.execute("INSERT INTO p3 (id) VALUES (3001)")
            equal(connection.execute("SELECT count(*) FROM p3 WHERE id >= 3000").fetchone(), (1,))
            raise psycopg.Rollback()
    except psycopg.Rollback:
        pass
    equal(connection.execute("SELECT count(*) FROM p3 WHERE id >= 3000").fetchone(), (0,))


async def asynchronous():
    async with await psycopg.AsyncConnection.connect(WHERE, autocommit=True) as connection:
        cursor = await connection.execute("SELECT count(*) FROM p3 WHERE name LIKE %s", ("row %",))
        equal(await cursor.fetchone(), (1000,))


def computed(connection):
    """What is computed with a parameter is described as what it is, before the parameter has a value, and with NULL."""
    connection.execute("CREATE TABLE p3_computed (p numeric(8,2))")
    connection.execute("INSERT INTO p3_computed VALUES (1.5)")
    moment = datetime(2024, 1, 1, tzinfo=timezone.utc)
    for sql, value, result in [
        ("SELECT p * %s FROM p3_computed", Decimal("2.5"), Decimal("3.750")),
        ("SELECT sum(p) * %s FROM p3_computed", Decimal("2.5"), Decimal("3.750")),
        ("SELECT round(p * %s, 2) FROM p3_computed", Decimal("2.5"), Decimal("3.75")),
        ("SELECT -%s::numeric", Decimal("2.5"), Decimal("-2.5")),
        ("SELECT %s::int * 1.5", 3, Decimal("4.5")),
        ("SELECT extract(epoch FROM %s::timestamptz)", moment, Decimal("1704067200.000000")),
    ]:
        equal(str(connection.execute(sql, (value,)).fetchone()[0]), str(result))
        equal(connection.execute(sql, (None,)).fetchone()[0], None)
    connection.execute("DROP TABLE p3_computed")


def main():
    with psycopg.connect(WHERE, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE p3 (id int PRIMARY KEY, name text, amount numeric(10,2), flag boolean, day date, at timestamptz,"
            " u uuid, list int[], raw bytea)"
        )
        did("connect", "create")
        introspect(connection)
        did("introspect")
        values(connection)
        did("insert", "parameters")
        enums(connection)
        enums(connection)
        pipeline(connection)
        copy(connection)
        did("bulk")
        transactions(connection)
        did("transaction")
        with connection.cursor(row_factory=dict_row) as cursor:
            equal(cursor.execute("SELECT id AS \"The Id\" FROM p3 WHERE id = 7").fetchone(), {"The Id": 7})
        connection.cursor().executemany("INSERT INTO p3 (id, name) VALUES (%s, %s)", [(n, "m") for n in range(50, 60)])
        for _ in range(8):  # From the sixth on as a named statement.
            equal(connection.execute("SELECT name FROM p3 WHERE id = %s", (20,)).fetchone(), ("a",))
        computed(connection)
        asyncio.run(asynchronous())
        fails("42703", state, lambda: connection.execute("SELECT nothing FROM p3"))
        fails("22P02", state, lambda: connection.execute("SELECT %s::int", ("x",)))
        did("error")
        later(connection.cancel_safe)
        fails("57014", state, lambda: connection.execute(LONG))
        did("cancel")
        connection.execute("DROP TABLE p3")
    print("ok")


main()
