// node-postgres with pg-cursor, pg-query-stream and pg-copy-streams.
"use strict";
const { Readable } = require("node:stream");
const { pipeline } = require("node:stream/promises");
const { Client, Pool } = require("pg");
const Cursor = require("pg-cursor");
const QueryStream = require("pg-query-stream");
const { from, to } = require("pg-copy-streams");
const { assert, did, place, LONG, fails, run } = require("./place");

run(async () => {
  const client = new Client(place);
  await client.connect();
  await client.query("CREATE TABLE np (id int PRIMARY KEY, name varchar(20) NOT NULL, at timestamptz, doc json, list text[])");
  const columns = await client.query(
    "SELECT attname, format_type(atttypid, atttypmod) AS type, a.attrelid FROM pg_attribute a WHERE attrelid = $1::regclass AND attnum > 0 ORDER BY attnum",
    ["np"],
  );
  assert.deepEqual(columns.rows.map((r) => r.type), ["integer", "character varying(20)", "timestamp with time zone", "json", "text[]"]);
  assert.equal(typeof columns.rows[0].attrelid, "number"); // oid: int8 would be a string

  did("connect", "create", "introspect");
  const added = await client.query("INSERT INTO np VALUES ($1, $2, now(), $3, $4) RETURNING id, doc, list", [1, "it's", { a: [1] }, ["x", "y,z"]]);
  assert.deepEqual(added.rows[0], { id: 1, doc: { a: [1] }, list: ["x", "y,z"] });
  for (const name of ["a", "b"]) await client.query({ name: "add", text: "INSERT INTO np (id, name) VALUES ($1, $2)", values: [name === "a" ? 2 : 3, name] });
  const lines = Array.from({ length: 500 }, (_, n) => `${100 + n}\tcopied ${n}\n`);
  await pipeline(Readable.from(lines), client.query(from("COPY np (id, name) FROM STDIN")));
  let out = "";
  for await (const chunk of client.query(to("COPY (SELECT id FROM np WHERE id < 4 ORDER BY id) TO STDOUT WITH (FORMAT csv)"))) out += chunk;
  assert.equal(out, "1\n2\n3\n");

  did("insert", "bulk", "parameters");
  const cursor = client.query(new Cursor("SELECT id FROM np WHERE id >= $1 ORDER BY id", [100]));
  assert.deepEqual((await cursor.read(2)).map((r) => r.id), [100, 101]);
  assert.deepEqual((await cursor.read(1)).map((r) => r.id), [102]);
  await cursor.close();
  let streamed = 0;
  for await (const row of client.query(new QueryStream("SELECT id FROM np", [], { batchSize: 50 }))) streamed += row.id > 0 ? 1 : 0;
  assert.equal(streamed, 503);

  // The COPY out of a table in parts, and one that fails half-way: the connection goes on.
  await assert.rejects(pipeline(Readable.from(["700\tx\n", "no number\ty\n"]), client.query(from("COPY np (id, name) FROM STDIN"))), /invalid input syntax/);
  await assert.rejects(
    pipeline(Readable.from((function* () { yield "701\tx\n"; throw new Error("gave up"); })()), client.query(from("COPY np (id, name) FROM STDIN"))),
    /gave up/,
  );
  assert.equal((await client.query("SELECT count(*)::int AS n FROM np WHERE id >= 700")).rows[0].n, 0);
  const fields = (await client.query("SELECT id, name AS label, at, doc, list FROM np LIMIT 0")).fields;
  assert.deepEqual(fields.map((f) => [f.name, f.dataTypeID, f.columnID, f.dataTypeModifier]),
    [["id", 23, 1, -1], ["label", 1043, 2, 24], ["at", 1184, 3, -1], ["doc", 114, 4, -1], ["list", 1009, 5, -1]]);
  const several = await client.query("SELECT 1 AS a; SELECT 2 AS b, 3 AS c");
  assert.deepEqual(several.map((r) => r.rows), [[{ a: 1 }], [{ b: 2, c: 3 }]]);
  const asArray = await client.query({ text: "SELECT $1::int AS a, $1::int + 1 AS a", values: [1], rowMode: "array" });
  assert.deepEqual(asArray.rows, [[1, 2]]);
  const heard = new Promise((done) => client.once("notification", done));
  await client.query("LISTEN np_channel");
  await client.query("SELECT pg_notify('np_channel', 'hello')");
  assert.equal((await heard).payload, "hello");

  await client.query("BEGIN");
  await client.query("INSERT INTO np (id, name) VALUES (9999, 'gone')");
  assert.equal((await client.query("SELECT count(*)::int AS n FROM np WHERE id = 9999")).rows[0].n, 1);
  await client.query("ROLLBACK");
  assert.equal((await client.query("SELECT count(*)::int AS n FROM np WHERE id = 9999")).rows[0].n, 0);
  did("transaction");
  await fails("42P01", () => client.query("SELECT * FROM nowhere"));
  await fails("22P02", () => client.query("SELECT $1::int", ["x"]));
  did("error");
  await client.query("SET statement_timeout = '1s'");
  await fails("57014", () => client.query(LONG));
  await client.query("RESET statement_timeout");
  // A cancel request on a connection of its own, as the driver makes it.
  const slow = fails("57014", () => client.query(LONG));
  const other = new Client(place);
  await other.connect();
  await new Promise((done) => setTimeout(done, 1000));
  assert.equal((await other.query("SELECT pg_cancel_backend($1) AS done", [client.processID])).rows[0].done, true);
  await slow;
  await other.end();
  const query = new Client(place);
  await query.connect();
  const cancelled = fails("57014", () => query.query(LONG));
  await new Promise((done) => setTimeout(done, 1000));
  const killer = new Client(place);
  killer.connection.on("connect", () => killer.connection.cancel(query.processID, query.secretKey));
  killer.connection.connect(place.port, place.host);
  await cancelled;
  await query.end();
  did("cancel");
  await client.query("DROP TABLE np");
  await client.end();

  const pool = new Pool({ ...place, max: 4, statement_timeout: 30000 });
  const sums = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => pool.query("SELECT $1::int + 1 AS n", [n])));
  assert.deepEqual(sums.map((r) => r.rows[0].n), [2, 3, 4, 5, 6, 7]);
  await pool.end();
});
