import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { neon, neonConfig } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalDatabase, startDatabase } from "../../cli/local/database.ts";
import { localFetchEndpoint } from "../../cli/local/neon-protocol.ts";
import { migrate } from "../../cli/migrate.ts";
import { comparisonOf } from "../../src/reconcile/comparison.ts";
import { reconcileFile } from "../../src/reconcile/handler.ts";
import { howOf, STOCK, stock, stocks, type World, worldOn } from "./world.ts";

let folder: string;
let local: LocalDatabase;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mailfeed-reconcile-"));
  local = await startDatabase({ dataDir: join(folder, "data") });
  neonConfig.fetchEndpoint = localFetchEndpoint;
  await migrate(neon(local.connectionString), { folder: join(import.meta.dirname, "../../migrations") });
  world = worldOn(local.connectionString);
});
afterAll(async () => {
  await local.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("on PGlite, which is another Postgres than that of the other tests", () => {
  it.each([true, false])("drift is found and healed, compared by hashes: %s", async (hashes) => {
    const how = howOf({ comparison: { ...comparisonOf(STOCK, STOCK), hashes } });
    const feeds = await world.feeds();
    const rows = [...stocks(40), stock("é|\\", { name: "\u007f\u2028😀" })];
    await world.send(feeds, 1, rows);
    await world.database.query("DELETE FROM records WHERE feed_id = $1 AND natural_key = 'k3'", [feeds.feedId]);
    await world.database.query(
      `UPDATE records SET data = data || '{"price": "1"}' WHERE feed_id = $1 AND natural_key = 'k4'`,
      [feeds.feedId],
    );
    const snapshot = await world.snapshot(feeds, 2, rows.slice(1));
    expect(await reconcileFile(world.deps(), snapshot, how)).toMatchObject({
      state: "healing",
      numbers: { records: 40, missingHere: 1, missingThere: 1, differs: 1, drift: 3 },
    });
    expect(await world.heal(feeds, snapshot, how)).toMatchObject({ accepted: 2, retired: 1 });
    const again = await world.snapshot(feeds, 3, rows.slice(1));
    let statements = 0;
    const counting = {
      query: <Row>(text: string, params: readonly unknown[]) => {
        statements++;
        return world.database.query<Row>(text, params);
      },
    };
    expect(await reconcileFile(world.deps(counting), again, how)).toMatchObject({ state: "clean" });
    // Its digests are those made here: rows were asked for in no bucket.
    expect(statements).toBe(3);
  });
});
