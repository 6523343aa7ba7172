// TypeORM: makes tables out of entities, and compares them with the catalog again.
"use strict";
require("reflect-metadata");
const { DataSource, EntitySchema, Table, TableColumn } = require("typeorm");
const { assert, did, place, LONG, fails, run } = require("./place");

const Cat = new EntitySchema({
  name: "Cat",
  tableName: "to_cat",
  columns: {
    id: { type: "bigint", primary: true },
    name: { type: "varchar", length: 40 },
    weight: { type: "numeric", precision: 6, scale: 2, nullable: true },
    born: { type: "timestamptz", nullable: true },
    tags: { type: "text", array: true, nullable: true },
  },
});

// Keys that the server makes, a relation, an index, a view, a comment.
const Owner = new EntitySchema({
  name: "Owner",
  tableName: "to_owner",
  columns: {
    id: { type: "int", primary: true, generated: "increment" },
    name: { type: "varchar", length: 40, default: "nobody", comment: "who feeds it" },
    made: { type: "timestamptz", createDate: true },
    live: { type: "boolean", default: true },
  },
  relations: { pets: { type: "one-to-many", target: "Pet", inverseSide: "owner" } },
});
const Pet = new EntitySchema({
  name: "Pet",
  tableName: "to_pet",
  columns: {
    id: { type: "bigint", primary: true, generated: "increment" },
    name: { type: "text", unique: true },
    weight: { type: "double precision", default: 0 },
    doc: { type: "jsonb", nullable: true },
  },
  relations: { owner: { type: "many-to-one", target: "Owner", inverseSide: "pets", joinColumn: { name: "owner_id" }, nullable: true } },
  checks: [{ name: "to_pet_weight", expression: '"weight" >= 0' }],
});

async function generated(source) {
  const [owners, pets] = [source.getRepository("Owner"), source.getRepository("Pet")];
  const ann = await owners.save({ name: "Ann" });
  assert.equal(ann.id, 1);
  assert.ok(ann.made instanceof Date && ann.live === true);
  const many = await pets.save(Array.from({ length: 20 }, (_, n) => ({ name: `pet ${n}`, weight: n / 2, owner: ann, doc: { n } })));
  assert.deepEqual(many.map((p) => p.id), Array.from({ length: 20 }, (_, n) => String(n + 1)));
  const found = await owners.findOneOrFail({ where: { id: ann.id }, relations: { pets: true }, order: { pets: { id: "ASC" } } });
  assert.deepEqual([found.pets.length, found.pets[3].name, found.pets[3].doc], [20, "pet 3", { n: 3 }]);
  const [page, all] = await pets.findAndCount({ where: { owner: { id: ann.id } }, order: { weight: "DESC" }, skip: 2, take: 3 });
  assert.deepEqual([page.map((p) => p.weight), all], [[8.5, 8, 7.5], 20]);
  const sum = await pets.createQueryBuilder("p").select("SUM(p.weight)", "sum").where("p.name LIKE :like", { like: "pet 1%" }).getRawOne();
  assert.equal(sum.sum, 73);
  const stream = await pets.createQueryBuilder("p").stream();
  let rows = 0;
  for await (const row of stream) rows += row.p_id ? 1 : 0;
  assert.equal(rows, 20);
}

class First1700000000000 {
  name = "First1700000000000";
  async up(runner) {
    await runner.createTable(new Table({
      name: "to_migrated",
      columns: [
        { name: "id", type: "int", isPrimary: true, isGenerated: true, generationStrategy: "increment" },
        { name: "label", type: "varchar", length: "20", isNullable: false, default: "'new'" },
      ],
      indices: [{ name: "to_migrated_label", columnNames: ["label"] }],
    }));
    await runner.addColumn("to_migrated", new TableColumn({ name: "more", type: "text", isNullable: true }));
  }
  async down(runner) {
    await runner.dropTable("to_migrated");
  }
}

async function migrations() {
  const source = new DataSource({ ...options, entities: [], migrations: [First1700000000000], migrationsTableName: "to_migrations" });
  await source.initialize();
  assert.deepEqual((await source.runMigrations()).map((m) => m.name), ["First1700000000000"]);
  assert.deepEqual(await source.runMigrations(), []);
  const runner = source.createQueryRunner();
  const table = await runner.getTable("to_migrated");
  assert.deepEqual(table.columns.map((c) => [c.name, c.type, c.default ?? null, c.isGenerated]), [
    ["id", "integer", null, true], ["label", "character varying", "'new'", false], ["more", "text", null, false]]);
  await source.query("INSERT INTO to_migrated DEFAULT VALUES");
  assert.deepEqual(await source.query("SELECT id, label FROM to_migrated"), [{ id: 1, label: "new" }]);
  await runner.dropTable("to_migrated");
  await runner.dropTable("to_migrations");
  await runner.release();
  await source.destroy();
}

const options = { type: "postgres", host: place.host, port: place.port, username: place.user, database: place.database, installExtensions: false };

run(async () => {
  const source = new DataSource({ ...options, entities: [Cat, Owner, Pet] });
  await source.initialize();
  await source.synchronize();
  const again = await source.driver.createSchemaBuilder().log();
  assert.deepEqual(again.upQueries.map((q) => q.query), [], "what was made is what the entities say");
  const cats = source.getRepository("Cat");
  await cats.insert({ id: 1, name: "Tom", weight: 4.5, born: new Date("2024-01-01T00:00:00Z"), tags: ["a", "b,c"] });
  await cats.insert(Array.from({ length: 50 }, (_, n) => ({ id: n + 2, name: `cat ${n}` })));
  did("connect", "create", "introspect", "insert", "bulk");
  const tom = await cats.findOneByOrFail({ name: "Tom" });
  assert.deepEqual([tom.id, tom.weight, tom.tags], ["1", "4.50", ["a", "b,c"]]);
  assert.equal(await cats.createQueryBuilder("c").where("c.id > :id", { id: 40 }).getCount(), 11);
  did("parameters");
  await assert.rejects(
    source.transaction(async (manager) => {
      await manager.insert("Cat", { id: 999, name: "gone" });
      assert.equal(await manager.countBy("Cat", { id: 999 }), 1);
      throw new Error("rolled back");
    }),
    /rolled back/,
  );
  assert.equal(await cats.countBy({ id: 999 }), 0);
  did("transaction");
  await fails("42P01", () => source.query("SELECT * FROM nowhere"));
  did("error");
  const slow = fails("57014", () => source.query(LONG));
  const stop = async () => source.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query = $1", [LONG]);
  for (let tries = 0; tries < 100 && (await stop()).length === 0; tries++) await new Promise((done) => setTimeout(done, 100));
  await slow;
  did("cancel");
  await generated(source);
  const same = await source.driver.createSchemaBuilder().log();
  assert.deepEqual(same.upQueries.map((q) => q.query), []);
  await migrations();
  for (const table of ["to_cat", "to_pet", "to_owner"]) await source.query(`DROP TABLE ${table}`);
  await source.destroy();
});
