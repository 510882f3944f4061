/** The server's side of a bad day: a backend is ended in mid-statement, or the whole server falls over and comes back. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { neon } from "@neondatabase/serverless";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalDatabase, startDatabase } from "../../cli/local/database.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../cli/local/embedded-postgres.ts";
import { migrate } from "../../cli/migrate.ts";
import { type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { exactState } from "./exact.ts";
import { applyOver, cleanRun, ended, FIRST, SECOND, secondToCome, standInTheWay, stopsBefore } from "./scenes.ts";
import { blockedBy, openSession, type Session, until } from "./sessions.ts";

const MIGRATIONS = join(import.meta.dirname, "../../migrations");

describe("the backend of a statement is ended in its middle", () => {
  let fresh: FreshDatabase;
  let world: World;
  let holder: Session;
  beforeAll(async () => {
    fresh = await freshDatabase();
    world = worldOn(fresh.connectionString);
    holder = await openSession(fresh);
  });
  afterAll(async () => {
    await holder.end();
    await fresh.drop();
  });

  it("the same worker sends it again, at whatever statement, and the file is exact", async () => {
    const expected = await cleanRun(world, [FIRST, SECOND]);
    let stood = 0;
    for (let at = 1; ; at++) {
      const { feed, file } = await secondToCome(world);
      const way = stopsBefore(world.database, at);
      const working = ended(applyOver(world, file, way));
      if ((await Promise.race([way.reached, working])) !== "reached") break;
      stood++;
      await standInTheWay(holder, file, expected.ledger);
      way.letGo();
      const [pid] = await blockedBy(world.database, holder);
      await holder.query("SELECT pg_terminate_backend($1)", [pid]);
      await until("the end of the backend", async () => {
        const rows = await world.database.query("SELECT FROM pg_stat_activity WHERE pid = $1", [pid]);
        return rows.length === 0 || undefined;
      });
      await holder.query("ROLLBACK");
      expect(await working, `statement ${at}`).toEqual({ value: { done: "applied" } });
      expect(await exactState(world, feed), `statement ${at}`).toEqual(expected);
    }
    expect(stood).toBeGreaterThanOrEqual(6);
  });
});

// A server that somebody else runs is not ours to stop.
describe.skipIf(process.env.TEST_DATABASE_URL)("the server falls over in the middle of a file", () => {
  const folder = mkdtempSync(join(tmpdir(), "mailfeed-restart-"));
  let server: EmbeddedPostgres;
  let endpoint: LocalDatabase;
  let world: World;
  const address = () => ({ directUrl: server.url });
  beforeAll(async () => {
    server = await startEmbeddedPostgres({ dataDir: folder });
    endpoint = await startDatabase({ url: server.url });
    await freshDatabase().then((fresh) => fresh.drop()); // points the driver at local endpoints
    await migrate(neon(endpoint.connectionString), { folder: MIGRATIONS });
    world = worldOn(endpoint.connectionString);
  });
  afterAll(async () => {
    await endpoint.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Immediate shutdown, without a word to anybody, and a start with recovery from the log. */
  async function fallOver(): Promise<void> {
    const port = Number(new URL(server.url).port);
    process.kill(server.pid!, "SIGQUIT");
    await server.stop();
    server = await startEmbeddedPostgres({ dataDir: folder, port });
  }

  it("and comes back: the worker goes on where it was, and nothing is lost or doubled", async () => {
    const expected = await cleanRun(world, [FIRST, SECOND]);
    let fell = 0;
    for (let at = 1; ; at++) {
      const { feed, file } = await secondToCome(world);
      let back: Promise<void> | undefined;
      const way = stopsBefore(world.database, at);
      // What has failed waits until the server is back, as long as that takes.
      const working = ended(applyOver(world, file, way, { sleep: async () => back }));
      if ((await Promise.race([way.reached, working])) !== "reached") break;
      fell++;
      const holder = await openSession(address());
      await standInTheWay(holder, file, expected.ledger);
      way.letGo();
      await blockedBy(world.database, holder);
      back = fallOver();
      await back;
      expect(await working, `statement ${at}`).toEqual({ value: { done: "applied" } });
      expect(await exactState(world, feed), `statement ${at}`).toEqual(expected);
    }
    expect(fell).toBeGreaterThanOrEqual(6);
  });
});
