import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalDatabase, startDatabase } from "../../cli/local/database.ts";
import { localFetchEndpoint } from "../../cli/local/neon-protocol.ts";
import { migrate } from "../../cli/migrate.ts";
import { books, row, rowsOf, valuesOf, type World, worldOn } from "./world.ts";

let folder: string;
let local: LocalDatabase;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mailfeed-apply-"));
  local = await startDatabase({ dataDir: join(folder, "data") });
  neonConfig.fetchEndpoint = localFetchEndpoint;
  await migrate(neon(local.connectionString), { folder: join(import.meta.dirname, "../../migrations") });
  world = worldOn(local.connectionString);
});
afterAll(async () => {
  await local.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("on PGlite, the database of local runs with its one connection", () => {
  it("a first file, a changed one, a late one and a replay come to what they come to on a server", async () => {
    const feed = await world.feed("delta");
    await world.send(feed, 1, rowsOf([1, 2, 3, 4, 5, 6, 7]));
    const second = await world.send(feed, 3, [...rowsOf([1, 20, 3, 40, 5]), row("new", 1), row("new", 2)]);
    const late = await world.send(feed, 2, rowsOf([9, 9]));
    expect(await world.apply(second)).toEqual({ done: "already" });
    expect(valuesOf(await world.state(feed))).toEqual({ k0: 1, k1: 20, k2: 3, k3: 40, k4: 5, k5: 6, k6: 7, new: 2 });
    expect(await world.books(second)).toEqual(books(7, { inserted: 1, changed: 2, unchanged: 3, superseded: 1 }));
    expect(await world.books(late)).toEqual(books(2, { stale: 2 }));
  });

  it("two workers at once write a file once", async () => {
    const feed = await world.feed("full");
    const file = await world.file(feed, 1, rowsOf([1, 2, 3, 4]));
    await Promise.allSettled([world.apply(file), world.apply(file)]);
    expect((await world.state(feed)).files).toEqual([books(4, { inserted: 4 })]);
  });
});
