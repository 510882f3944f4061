/** The API on a database of the test's own, through the real driver, with all its effects written down. */
import { drizzle } from "drizzle-orm/neon-http";
import type { AdmissionDoor } from "../../src/admission/keeper.ts";
import { createApi } from "../../src/api/app.ts";
import type { ApiDeps, Upload } from "../../src/api/deps.ts";
import type { StageMessage } from "../../src/domain/messages.ts";
import { readLink } from "../../src/gate/link.ts";
import { holdTables } from "../../src/holds/tables.ts";
import { backfillFacts } from "../../src/intake/backfill.ts";
import { jsonLog } from "../../src/observe/log.ts";
import { postgres } from "../../src/platform/postgres.ts";
import { watchGrowth } from "../../src/queues/growth.ts";
import { decideDrift } from "../../src/reconcile/reports.ts";
import { redriveTables } from "../../src/redrive/tables.ts";
import { replayTables } from "../../src/replay/tables.ts";
import { restoreTables } from "../../src/restore/tables.ts";
import { memoryAdmission } from "../support/admission.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { payloadOf } from "../support/payload.ts";
import { adapterFor, seed, type World } from "./seed.ts";

/** Signs the links of hold mails. */
export const LINK_SECRET = "tests-only-address-secret";
export const NOW = new Date("2026-11-20T12:00:00.000Z");

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed body; tests assert its shape. */
  readonly json: Json;
}
/** An answer's body: the parts that tests walk into; all others are compared whole. */
export interface Json {
  readonly items: readonly Json[];
  readonly feeds: readonly Json[];
  readonly latest: readonly Json[];
  readonly stuck: Json;
  readonly failure: Json;
  readonly books: Json;
  readonly delivery: Json;
  readonly [name: string]: unknown;
}

export interface Api {
  readonly database: FreshDatabase;
  readonly world: World;
  readonly messages: StageMessage[];
  readonly uploads: Upload[];
  /** Keys of what a restore has put into the archive. */
  readonly archived: string[];
  readonly logLines: string[];
  readonly redrive: ApiDeps["redrive"];
  readonly holds: ApiDeps["holds"];
  get(path: string, token?: string): Promise<Answer>;
  send(path: string, init: RequestInit, token?: string): Promise<Answer>;
  /** The same with other effects. */
  with(changed: Partial<ApiDeps>): Api;
  drop(): Promise<void>;
}

export async function startApi(): Promise<Api> {
  const database = await freshDatabase();
  const world = await seed(database);
  const messages: StageMessage[] = [];
  const uploads: Upload[] = [];
  const archived: string[] = [];
  const logLines: string[] = [];
  const log = jsonLog(
    () => NOW,
    (_level, line) => logLines.push(line),
  );
  const queries = postgres(database.connectionString);
  const known = (customer: string, feed: string) =>
    ["alpha", "beta"].includes(customer) && ["stock", "prices"].includes(feed);
  const doors = new Map<string, AdmissionDoor>();
  const deps: ApiDeps = {
    db: drizzle(database.sql),
    now: () => NOW,
    log,
    enqueueParse: async (message) => void messages.push(message),
    admission(customer) {
      const made = doors.get(customer) ?? memoryAdmission(() => NOW.getTime()).door;
      doors.set(customer, made);
      return made;
    },
    enqueueApply: async (message) => void messages.push(message),
    adapterOf: (customer, feed) => (known(customer, feed) ? adapterFor(customer, feed) : undefined),
    async openRaw(key) {
      const bytes = new TextEncoder().encode(key);
      return { bytes: bytes.length, blocks: inBlocksOf(5, bytes) };
    },
    replay: {
      feeds: ["alpha", "beta"].map((customer) => adapterFor(customer, "stock")),
      tables: replayTables(queries),
      listRaw: async () => ({ objects: [], more: false }),
      headRaw: async () => undefined,
      asOf: (facts) => new Date(facts.receivedAt),
      enqueueParse: async (message) => void messages.push(message),
      now: () => NOW,
      log,
    },
    restore: {
      tables: restoreTables(queries),
      archive: async (key) => void archived.push(key),
      putChunk: async () => undefined,
      enqueueApply: async (message) => void messages.push(message),
      now: () => new Date(),
      log,
    },
    backfill: {
      facts: (old) =>
        backfillFacts({ ...old, namedAt: undefined }, { addressSecret: "s", mailDomain: "d.example" }, NOW),
      archive: async ({ id }) => `raw/${id}`,
    },
    redrive: {
      tables: redriveTables(queries),
      knows: (customer, feed = "stock") => known(customer, feed),
      enqueue: async (message) => void messages.push(message),
      async decided() {
        for (const stage of ["parse", "apply"] as const) await watchGrowth({ database: queries, log }, stage);
      },
      log,
    },
    drift: {
      decide: (report, to, by, note) =>
        decideDrift({ database: queries, sleep: async () => undefined, random: () => 0 }, report, to, by, note),
      check: async () => ({
        kind: "compared",
        outcome: { report: "1", state: "clean", numbers: undefined, reasons: [] },
      }),
    },
    holds: {
      tables: holdTables(queries),
      enqueueApply: async (message) => void messages.push(message),
      now: () => NOW,
      log,
    },
    readHoldLink: (token) => readLink(token, LINK_SECRET, NOW.getTime()),
    propose: async () => {
      throw new Error("nobody is asked to propose again here");
    },
    openPayload: ({ rawKey }) => payloadOf(`SKU\n${`${rawKey}\n`.repeat(12)}`),
    intakeUpload: async (upload) => {
      uploads.push(upload);
      return { deliveryId: "0".repeat(32), duplicate: false };
    },
    version: "1.2.3",
  };
  const on = (effects: ApiDeps): Api => {
    const app = createApi(effects);
    const send = async (path: string, init: RequestInit, token?: string): Promise<Answer> => {
      const headers = new Headers(init.headers);
      if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
      const response = await app.request(`https://api.example${path}`, { ...init, headers });
      const text = await response.text();
      const isJson = /json/.test(response.headers.get("Content-Type") ?? "") && text !== "";
      return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : null };
    };
    return {
      database,
      world,
      messages,
      uploads,
      archived,
      logLines,
      redrive: effects.redrive,
      holds: effects.holds,
      send,
      get: (path, token) => send(path, {}, token),
      with: (changed) => on({ ...effects, ...changed }),
      drop: () => database.drop(),
    };
  };
  return on(deps);
}

async function* inBlocksOf(size: number, bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
