// postgres.js: describes first, and binds by the types the server infers.
"use strict";
const postgres = require("postgres");
const { assert, did, place, LONG, fails, run } = require("./place");

run(async () => {
  // One connection: a session reads its own writes, not at once those of others.
  const sql = postgres({ ...place, username: place.user, max: 1, onnotice: () => {} });
  await sql`CREATE TABLE pj (id bigint PRIMARY KEY, name text, at timestamptz, list int[], doc jsonb)`;
  const described = await sql`SELECT id, name FROM pj WHERE id = ${1} AND name = ${"x"} LIMIT ${5}`.describe();
  assert.deepEqual([...described.types], [20, 25, 20]);
  assert.deepEqual(described.columns.map((c) => c.type), [20, 25]);
  did("connect", "create", "introspect");
  const at = new Date("2024-02-29T12:30:00Z");
  const [row] = await sql`INSERT INTO pj ${sql({ id: 1, name: "é", at, list: [1, 2], doc: sql.json({ a: 1 }) })} RETURNING *`;
  assert.deepEqual([row.id, row.name, row.at, row.list, row.doc], ["1", "é", at, [1, 2], { a: 1 }]);
  await sql`INSERT INTO pj ${sql(Array.from({ length: 100 }, (_, n) => ({ id: 10 + n, name: `n${n}` })))}`;
  const [{ n }] = await sql`SELECT count(*)::int AS n FROM pj WHERE id IN ${sql([1, 10, 11])} OR name LIKE ${"n9%"}`;
  assert.equal(n, 14);
  const writable = await sql`COPY pj (id, name) FROM STDIN`.writable();
  await new Promise((done, failed) => writable.on("finish", done).on("error", failed).end("1000\ta\n1001\tb\n"));
  let rows = 0;
  await sql`SELECT * FROM pj`.cursor(10, (some) => void (rows += some.length));
  assert.equal(rows, 103);
  did("insert", "bulk", "parameters");
  await assert.rejects(
    sql.begin(async (block) => {
      await block`INSERT INTO pj (id) VALUES (9999)`;
      await block.savepoint((inner) => inner`INSERT INTO pj (id) VALUES (9998)`);
      throw new Error("rolled back");
    }),
    /rolled back/,
  );
  assert.equal((await sql`SELECT count(*)::int AS n FROM pj WHERE id > 9000`)[0].n, 0);
  did("transaction");
  await fails("42703", () => sql`SELECT nothing FROM pj`);
  did("error");
  const listed = await sql`SELECT column_name, data_type, udt_name FROM information_schema.columns WHERE table_name = ${"pj"} ORDER BY ordinal_position`;
  assert.deepEqual(listed.map((c) => `${c.column_name} ${c.data_type} ${c.udt_name}`),
    ["id bigint int8", "name text text", "at timestamp with time zone timestamptz", "list ARRAY _int4", "doc jsonb jsonb"]);
  await sql.begin("isolation level repeatable read read only", async (block) => {
    assert.equal((await block`SELECT count(*)::int AS n FROM pj`)[0].n, 103);
  });
  let copied = "";
  for await (const part of await sql`COPY (SELECT id, name FROM pj WHERE id >= 1000 ORDER BY id) TO STDOUT`.readable()) copied += part;
  assert.equal(copied, "1000\ta\n1001\tb\n");
  const [many] = await sql`SELECT ${sql.array([1, 2, 3])}::int[] AS list, ${sql.json({ a: [true] })}::jsonb AS doc, ${new Date(0)}::timestamptz AS at, ${null}::text AS none`;
  assert.deepEqual({ ...many }, { list: [1, 2, 3], doc: { a: [true] }, at: new Date(0), none: null });
  const parts = await sql`SELECT 1 AS a; SELECT 2 AS b`.simple();
  assert.deepEqual(parts.map((p) => ({ ...p[0] })), [{ a: 1 }, { b: 2 }]);
  const heard = new Promise((done) => sql.listen("pj_channel", done).then(() => sql.notify("pj_channel", "hello")));
  assert.equal(await heard, "hello");
  const slow = sql.unsafe(LONG).execute();
  setTimeout(() => slow.cancel(), 1000);
  await fails("57014", () => slow);
  did("cancel");
  await sql`DROP TABLE pj`;
  await sql.end();
});
