"""asyncpg: binary only, Flush instead of Sync, introspection of types it does not know."""

import asyncio
import io
from datetime import datetime, timezone
from decimal import Decimal

import asyncpg
from place import DATABASE, HOST, LONG, PORT, USER, equal


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


async def main():
    connection = await asyncpg.connect(host=HOST, port=PORT, database=DATABASE, user=USER)
    await connection.execute("CREATE TABLE apg (id bigint PRIMARY KEY, name varchar(20), amount numeric, at timestamptz)")
    await introspect(connection)
    await enums(connection)
    now = datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc)
    found = await connection.fetchrow("INSERT INTO apg VALUES ($1, $2, $3, $4) RETURNING id, at", 1, "é", Decimal("1.5"), now)
    equal(tuple(found), (1, now))
    await connection.executemany("INSERT INTO apg (id, name) VALUES ($1, $2)", [(n, f"n{n}") for n in range(2, 52)])
    text = io.BytesIO(b"".join(b"%d,c\n" % n for n in range(100, 200)))
    await connection.copy_to_table("apg", source=text, columns=["id", "name"], format="csv")
    equal(await connection.fetchval("SELECT count(*) FROM apg WHERE id > $1", 50), 101)
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
    await fails("42P01", connection.fetch("SELECT * FROM nowhere"))
    try:
        await connection.fetch(LONG, timeout=1)
        raise AssertionError("should have been cancelled")
    except asyncio.TimeoutError:
        pass
    equal(await connection.fetchval("SELECT 1"), 1)
    await connection.execute("DROP TABLE apg")
    await connection.close()
    print("ok")


asyncio.run(main())
