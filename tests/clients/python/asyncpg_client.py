"""asyncpg: binary only, Flush instead of Sync, introspection of types it does not know."""

import asyncio
import io
import json
from datetime import datetime, timezone
from decimal import Decimal

import asyncpg
from place import DATABASE, HOST, LONG, PORT, USER, did, equal


async def fails(state, work):
    try:
        await work
    except asyncpg.PostgresError as error:
        assert error.sqlstate == state, f"found {error.sqlstate}, wanted {state}: {error!r}"
        return
    raise AssertionError(f"should have failed with {state}")


async def introspect(connection):
    rows = await connection.fetch(
        "SELECT c.oid, c.relname, c.relkind, c.relnatts FROM pg_class c WHERE c.oid = ANY($1::oid[])",
        [await connection.fetchval("SELECT 'apg'::regclass::oid")],
    )
    equal([tuple(row)[1:] for row in rows], [("apg", b"r", 4)])
    statement = await connection.prepare("SELECT id, name FROM apg WHERE id = $1 AND name <> $2 LIMIT $3")
    equal([parameter.name for parameter in statement.get_parameters()], ["int8", "text", "int8"])
    equal([(a.name, a.type.name) for a in statement.get_attributes()], [("id", "int8"), ("name", "varchar")])


async def codecs(connection):
    """Types that are looked up by name, then read and written as text or in binary form."""
    await connection.set_type_codec("json", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=float, format="text")
    found = await connection.fetchrow("SELECT $1::json AS j, $2::jsonb AS b, $3::numeric AS n", {"a": [1]}, {"b": None}, 2.5)
    equal(tuple(found), ({"a": [1]}, {"b": None}, 2.5))
    await connection.reset_type_codec("numeric", schema="pg_catalog")
    equal(await connection.fetchval("SELECT $1::numeric", Decimal("2.50")), Decimal("2.50"))
    try:
        await connection.set_type_codec("no_such_type", schema="public", encoder=str, decoder=str)
        raise AssertionError("should have failed")
    except ValueError as error:
        assert "unknown type" in str(error), error


async def unknown(connection):
    """Arrays of a type that the driver does not know: its recursive query over pg_type tells it."""
    await connection.reload_schema_state()
    # A type of the system that has no codec of its own in the driver: the query runs once, and the array is decoded by it.
    equal(await connection.fetchval("SELECT ARRAY['a'::name, NULL]"), ["a", None])
    rows, _ = await connection._introspect_types({1003, 1231, 2951, 1028}, 30)
    shown = {row["oid"]: (row["name"], row["kind"], row["elemtype_name"]) for row in rows}
    for oid, wanted in {1003: ("_name", b"b", "name"), 1231: ("_numeric", b"b", "numeric"), 2951: ("_uuid", b"b", "uuid"),
                        1700: ("numeric", b"b", "-")}.items():
        equal(shown[oid], wanted)


async def pool():
    """At release the pool sends `RESET ALL` and its kin in one simple query."""
    async with asyncpg.create_pool(host=HOST, port=PORT, database=DATABASE, user=USER, min_size=2, max_size=3) as some:
        async def one(n):
            async with some.acquire() as connection:
                await connection.execute("SET application_name = 'pooled'")
                return await connection.fetchval("SELECT $1::int * 2", n)

        equal(await asyncio.gather(*(one(n) for n in range(9))), [n * 2 for n in range(9)])
        async with some.acquire() as connection:
            equal(await connection.fetchval("SHOW application_name"), "")


async def copies(connection, now):
    """Records go in binary form, by the types that the server tells; queries come out as they are asked."""
    await connection.execute("CREATE TABLE apc (id bigint, name text, amount numeric(10,2), at timestamptz, tags text[], blob bytea)")
    records = [(n, f"n{n}", Decimal(n) / 4, now, ["a", None], bytes([n])) for n in range(1, 101)] + [(101, None, None, None, None, None)]
    equal(await connection.copy_records_to_table("apc", records=records), "COPY 101")
    found = await connection.fetch("SELECT * FROM apc ORDER BY id")
    equal([tuple(row) for row in found], records)
    out = io.BytesIO()
    query = "SELECT id, name FROM apc WHERE id > $1 ORDER BY id"
    equal(await connection.copy_from_query(query, 99, output=out, format="csv", header=True), "COPY 2")
    equal(out.getvalue(), b"id,name\n100,n100\n101,\n")
    out = io.BytesIO()
    equal(await connection.copy_from_table("apc", output=out, format="binary"), "COPY 101")
    await connection.execute("TRUNCATE apc")
    out.seek(0)
    equal(await connection.copy_to_table("apc", source=out, format="binary"), "COPY 101")
    equal(await connection.fetchval("SELECT sum(id) FROM apc"), 5151)
    await connection.execute("DROP TABLE apc")


async def enums(connection):
    await connection.execute("CREATE TYPE apg_mood AS ENUM ('sad', 'ok', 'happy')")
    await connection.execute("CREATE DOMAIN apg_small AS int CHECK (VALUE < 100)")
    await connection.execute("CREATE TABLE apg_people (id int, mood apg_mood, moods apg_mood[], small apg_small)")
    row = (1, "happy", ["sad", None, "ok"], 5)
    await connection.execute("INSERT INTO apg_people VALUES ($1, $2, $3, $4)", *row)
    equal(tuple(await connection.fetchrow("SELECT * FROM apg_people WHERE mood = $1", "happy")), row)
    statement = await connection.prepare("SELECT mood FROM apg_people WHERE mood > $1 AND moods @> $2")
    equal([(p.name, p.kind) for p in statement.get_parameters()], [("apg_mood", "scalar"), ("apg_mood[]", "array")])
    equal(await statement.fetchval("sad", ["ok"]), "happy")
    await connection.copy_records_to_table("apg_people", records=[(2, "sad", [], None)])
    equal([r[0] for r in await connection.fetch("SELECT mood FROM apg_people ORDER BY mood DESC")], ["happy", "sad"])
    await fails("22P02", connection.execute("INSERT INTO apg_people VALUES ($1, $2)", 1, "none"))
    await fails("23514", connection.execute("INSERT INTO apg_people (small) VALUES ($1)", 100))
    await connection.execute("DROP TABLE apg_people")
    await connection.execute("DROP TYPE apg_mood")
    await connection.execute("DROP DOMAIN apg_small")


async def rows_in_columns(connection, now):
    """Columns of a composite type: their fields are known by introspection, and go both ways in binary form."""
    await connection.execute("CREATE TYPE apg_addr AS (street text, no int, since timestamptz)")
    await connection.execute("CREATE TABLE apg_homes (id int, home apg_addr, homes apg_addr[])")
    try:
        insert = "INSERT INTO apg_homes VALUES ($1, $2, $3)"
        await connection.execute(insert, 1, ('x, "y"', 7, now), [("a", 1, None), None])
        await connection.executemany(insert, [(2, None, []), (3, (None, None, None), None)])
        await connection.copy_records_to_table("apg_homes", records=[(4, ("c", 4, now), [("d", 5, now)])])
        found = await connection.fetch("SELECT home, homes, (home).no FROM apg_homes ORDER BY id")
        plain = [(row[0] and tuple(row[0]), row[1] and [home and tuple(home) for home in row[1]], row[2]) for row in found]
        equal(plain, [(('x, "y"', 7, now), [("a", 1, None), None], 7), (None, [], None), ((None, None, None), None, None),
                      (("c", 4, now), [("d", 5, now)], 4)])
        equal(await connection.fetchval("SELECT id FROM apg_homes WHERE home = $1::apg_addr", ("c", 4, now)), 4)
    finally:
        await connection.execute("DROP TABLE apg_homes")
        await connection.execute("DROP TYPE apg_addr")


async def main():
    connection = await asyncpg.connect(host=HOST, port=PORT, database=DATABASE, user=USER)
    await connection.execute("CREATE TABLE apg (id bigint PRIMARY KEY, name varchar(20), amount numeric, at timestamptz)")
    did("connect", "create")
    await introspect(connection)
    did("introspect")
    await enums(connection)
    await codecs(connection)
    await unknown(connection)
    await pool()
    now = datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc)
    found = await connection.fetchrow("INSERT INTO apg VALUES ($1, $2, $3, $4) RETURNING id, at", 1, "é", Decimal("1.5"), now)
    equal(tuple(found), (1, now))
    await connection.executemany("INSERT INTO apg (id, name) VALUES ($1, $2)", [(n, f"n{n}") for n in range(2, 52)])
    did("insert")
    text = io.BytesIO(b"".join(b"%d,c\n" % n for n in range(100, 200)))
    await connection.copy_to_table("apg", source=text, columns=["id", "name"], format="csv")
    equal(await connection.fetchval("SELECT count(*) FROM apg WHERE id > $1", 50), 101)
    await copies(connection, now)
    await rows_in_columns(connection, now)
    did("bulk", "parameters")
    async with connection.transaction():
        ids = [row["id"] async for row in connection.cursor("SELECT id FROM apg WHERE id >= $1 ORDER BY id", 100, prefetch=7)]
    equal(ids, list(range(100, 200)))
    block = connection.transaction()
    await block.start()
    await connection.execute("INSERT INTO apg (id) VALUES (9999)")
    async with connection.transaction():
        equal(await connection.fetchval("SELECT count(*) FROM apg WHERE id = 9999"), 1)
    await block.rollback()
    equal(await connection.fetchval("SELECT count(*) FROM apg WHERE id = 9999"), 0)
    did("transaction")
    for sql, value, result in [
        ("SELECT $1::numeric * 1.5", Decimal("2.5"), "3.75"),
        ("SELECT abs($1::numeric)", Decimal("-2.5"), "2.5"),
        ("SELECT $1::int * 1.5", 3, "4.5"),
    ]:
        equal(str(await connection.fetchval(sql, value)), result)
        equal(await connection.fetchval(sql, None), None)
    await fails("42P01", connection.fetch("SELECT * FROM nowhere"))
    did("error")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await fails("25006", connection.execute("INSERT INTO apg (id) VALUES (9999)"))
    heard = asyncio.get_running_loop().create_future()
    await connection.add_listener("apg_channel", lambda _c, _pid, channel, payload: heard.done() or heard.set_result((channel, payload)))
    await connection.execute("NOTIFY apg_channel, 'hello'")
    equal(await asyncio.wait_for(heard, 10), ("apg_channel", "hello"))
    try:
        await connection.fetch(LONG, timeout=1)
        raise AssertionError("should have been cancelled")
    except asyncio.TimeoutError:
        pass
    equal(await connection.fetchval("SELECT 1"), 1)
    did("cancel")
    await connection.execute("DROP TABLE apg")
    await connection.close()
    print("ok")


asyncio.run(main())
