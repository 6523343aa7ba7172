// TypeORM: makes tables out of entities, and compares them with the catalog again.
"use strict";
require("reflect-metadata");
const { DataSource, EntitySchema } = require("typeorm");
const { assert, place, fails, run } = require("./place");

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

run(async () => {
  const source = new DataSource({
    type: "postgres", host: place.host, port: place.port, username: place.user, database: place.database,
    entities: [Cat], installExtensions: false,
  });
  await source.initialize();
  await source.synchronize();
  const again = await source.driver.createSchemaBuilder().log();
  assert.deepEqual(again.upQueries.map((q) => q.query), [], "what was made is what the entities say");
  const cats = source.getRepository("Cat");
  await cats.insert({ id: 1, name: "Tom", weight: 4.5, born: new Date("2024-01-01T00:00:00Z"), tags: ["a", "b,c"] });
  await cats.insert(Array.from({ length: 50 }, (_, n) => ({ id: n + 2, name: `cat ${n}` })));
  const tom = await cats.findOneByOrFail({ name: "Tom" });
  assert.deepEqual([tom.id, tom.weight, tom.tags], ["1", "4.50", ["a", "b,c"]]);
  assert.equal(await cats.createQueryBuilder("c").where("c.id > :id", { id: 40 }).getCount(), 11);
  await assert.rejects(
    source.transaction(async (manager) => {
      await manager.insert("Cat", { id: 999, name: "gone" });
      assert.equal(await manager.countBy("Cat", { id: 999 }), 1);
      throw new Error("rolled back");
    }),
    /rolled back/,
  );
  assert.equal(await cats.countBy({ id: 999 }), 0);
  await fails("42P01", () => source.query("SELECT * FROM nowhere"));
  await source.query("DROP TABLE to_cat");
  await source.destroy();
});
