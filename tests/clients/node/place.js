// Where the server is, and what every client checks in the same way. Programs print `ok`.
"use strict";
const assert = require("node:assert/strict");

const place = {
  host: process.env.PGHOST ?? "127.0.0.1",
  port: Number(process.env.PGPORT ?? 5432),
  database: process.env.PGDATABASE ?? "duckmesh",
  user: process.env.PGUSER ?? "tester",
};

// Runs for long on every server, and reads no table.
const LONG = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";

async function fails(state, work) {
  try {
    await work();
  } catch (error) {
    assert.equal(error.code ?? error.driverError?.code, state, String(error));
    return;
  }
  assert.fail(`should have failed with ${state}`);
}

function run(main) {
  main().then(
    () => console.log("ok"),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}

// Says what a program has done without a fault: the grid of docs/compatibility.md is made of it.
function did(...what) {
  console.log("did", ...what);
}

module.exports = { did, assert, place, LONG, fails, run };
