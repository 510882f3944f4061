/**
 * Each gate, over real tables: a file that trips it is held and explained, one that just does not is applied; released, it
 * applies exactly as planned.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GATE_CHECKS, type GateCheck, type GatePolicyInput } from "../../src/domain/gate-policy.ts";
import type { TestFeed, TestRow } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import {
  article,
  articles,
  DAY,
  type FileOptions,
  type GateWorld,
  gateWorldOn,
  LARGE_SIZES,
  type Row,
} from "./gate-world.ts";

let fresh: FreshDatabase;
let world: GateWorld;
let large: GateWorld;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = gateWorldOn(fresh.connectionString);
  large = gateWorldOn(fresh.connectionString, LARGE_SIZES);
});
afterAll(() => fresh.drop());

interface Sent extends FileOptions {
  readonly rows: readonly TestRow[];
}

interface Edge {
  /** Checks of the same kind that would speak up, too. */
  readonly policy?: GatePolicyInput;
  /** Files that were applied before, a day apart. */
  readonly before?: number;
  readonly goes: Sent;
  readonly trips: Sent;
  readonly sentence: string;
  readonly large?: true;
}

/** The feed knows 300 articles, each with a stock of 10. */
const KNOWN = 300;
const rejects = (n: number) => Array.from({ length: n }, (_, i) => article(KNOWN - 1 - i).key);

const EDGES: { readonly [C in GateCheck]: Edge } = {
  emptyFile: {
    policy: { retired: "off" },
    goes: { rows: articles(1) },
    trips: { rows: [] },
    sentence: "The file has no rows, while 300 records are known.",
  },
  asOfFuture: {
    goes: { rows: articles(KNOWN, 5, { stock: 9 }), statedAfterHours: 14 },
    trips: { rows: articles(KNOWN, 5, { stock: 9 }), statedAfterHours: 15 },
    sentence: "The file says that it was made on 2026-01-02 15:00 UTC, 15 hours after it arrived here.",
  },
  asOfOld: {
    goes: { rows: articles(KNOWN, 5, { stock: 9 }), statedAfterHours: -96 },
    trips: { rows: articles(KNOWN, 5, { stock: 9 }), statedAfterHours: -97 },
    sentence:
      "The file is of 2025-12-28 23:00 UTC, 3 days older than the last one that was loaded (2026-01-01 00:00 UTC).",
  },
  overlap: {
    policy: { retired: "off" },
    goes: { rows: [...articles(60), ...articles(240, 0, {}, 1_000)] },
    trips: { rows: [...articles(59), ...articles(241, 0, {}, 1_000)] },
    sentence:
      "Only 59 of 300 records in the file (20 %) are known here: it may be a list of something else, as of another warehouse or company.",
  },
  sheetLimit: {
    before: 0,
    goes: { rows: articles(65_534) },
    trips: { rows: articles(65_535) },
    sentence:
      "The file has 65,535 rows (65,536 with its header), exactly as many as a spreadsheet can hold: what came behind them was probably cut off.",
    large: true,
  },
  rowCount: {
    before: 6,
    goes: { rows: articles(450) },
    trips: { rows: articles(451) },
    sentence: "The file has 451 rows. About 300 are usual; more than 450 are not.",
  },
  retired: {
    goes: { rows: articles(270) },
    trips: { rows: articles(269) },
    sentence: "31 of 300 records (10 %) are not in the file any more and would be taken off.",
  },
  setToZero: {
    goes: { rows: articles(KNOWN, 60, { stock: 0 }) },
    trips: { rows: articles(KNOWN, 61, { stock: 0 }) },
    sentence: "“stock” would become 0 in 61 of 300 records (20 %).",
  },
  setToBlank: {
    goes: { rows: articles(KNOWN, 30, { name: null }) },
    trips: { rows: articles(KNOWN, 31, { name: null }) },
    sentence: "“name” would become empty in 31 of 300 records (10 %).",
  },
  total: {
    goes: { rows: articles(KNOWN, 150, { stock: 50 }) },
    trips: { rows: [article(0, { stock: 51 }), ...articles(KNOWN, 150, { stock: 50 }).slice(1)] },
    sentence: "The values of “stock” would add up to 9,001 instead of 3,000: 3 times as much.",
  },
  median: {
    policy: { total: "off", changed: "off" },
    goes: { rows: articles(KNOWN, 200, { stock: 48 }) },
    trips: { rows: articles(KNOWN, 200, { stock: 1_024 }) },
    sentence: "The values of “stock” would typically be ",
  },
  changed: {
    goes: { rows: articles(KNOWN, 150, { stock: 11 }) },
    trips: { rows: articles(KNOWN, 151, { stock: 11 }) },
    sentence: "151 of 300 records (50 %) would change.",
  },
  rejected: {
    goes: { rows: articles(KNOWN - 10, 1, { stock: 9 }), rejected: rejects(10) },
    trips: { rows: articles(KNOWN - 11, 1, { stock: 9 }), rejected: rejects(11) },
    sentence: "11 of 300 rows (3.7 %) could not be read.",
  },
};

/** A feed that knows the articles, and the place of its next file. */
async function feedOf({ before = 1 }: Edge, in_: GateWorld) {
  const feed = await in_.feed("full");
  for (let day = 0; day < before; day++) await in_.send(feed, day * DAY, articles(KNOWN));
  return { feed, next: before * DAY };
}

/** Numbers of a plan are those of the books, wherever it says one. */
function asPlanned({ plan, ...books }: Row): void {
  const { mode, kept: _, ...numbers } = plan!;
  expect(["diff", "whole"]).toContain(mode);
  expect(books).toMatchObject(numbers);
}

const active = (in_: GateWorld, of: TestFeed) =>
  in_.database.query<{ key: string }>(
    "SELECT natural_key AS key FROM records WHERE feed_id = $1 AND status = 'active' ORDER BY natural_key",
    [of.feedId],
  );

describe("each gate", () => {
  it.each(GATE_CHECKS)("%s: a file that just does not trip it is applied as planned", async (check) => {
    const edge = EDGES[check];
    const in_ = edge.large ? large : world;
    const { feed, next } = await feedOf(edge, in_);
    const file = await in_.file(feed, next, edge.goes.rows, edge.goes);
    const { done } = await in_.apply(file, in_.worker({ policy: edge.policy ?? {} }));
    const row = await in_.rowOf(file);
    expect([done, row.failure?.sentence]).toEqual(["applied", undefined]);
    asPlanned(row);
    expect(await in_.holdsOf(file)).toEqual([]);
  });

  it.each(GATE_CHECKS)(
    "%s: one that trips it is held and explained; released, it is applied exactly as it was told",
    async (check) => {
      const edge = EDGES[check];
      const in_ = edge.large ? large : world;
      const { feed, next } = await feedOf(edge, in_);
      const before = await in_.state(feed);
      const file = await in_.file(feed, next, edge.trips.rows, edge.trips);
      const worker = in_.worker({ policy: edge.policy ?? {}, contact: "stock@acme.example" });
      expect(await in_.apply(file, worker)).toEqual({ done: "held" });

      // It is held for this alone, in words, and nothing of it is left anywhere.
      const held = await in_.rowOf(file);
      const [hold, ...more] = await in_.holdsOf(file);
      expect([held.state, held.failure?.code, more]).toEqual(["held", "blast-radius", []]);
      expect(hold?.tripped.map((one) => one.check)).toEqual([check]);
      expect(hold?.tripped[0]?.sentence).toContain(edge.sentence);
      expect(held.failure?.sentence).toContain(edge.sentence);
      expect(await in_.tracesOf(file)).toEqual({ seen: 0, ledger: 0, records: 0, changes: 0 });
      const { records, changes } = await in_.state(feed);
      expect({ records, changes }).toEqual({ records: before.records, changes: before.changes });
      for (const mail of await in_.mailsOf(file)) {
        expect(mail.body_text.replace(/\s+/g, " ")).toContain(edge.sentence);
      }

      expect(await in_.decide(file, "release")).toEqual([file.id]);
      expect(await in_.apply(file, worker)).toEqual({ done: "applied" });
      const applied = await in_.rowOf(file);
      asPlanned(applied);
      const { mode, accepted, superseded, ...told } = held.plan!;
      expect(applied.plan).toEqual({ mode, accepted, superseded, ...told });
      const { inserted, changed, unchanged, stale, retired } = applied;
      expect(hold?.facts).toMatchObject({ inserted, changed, unchanged, stale, retired });
      expect((await active(in_, feed)).map(({ key }) => key)).toEqual(
        [...new Set([...edge.trips.rows.map(({ key }) => key), ...(edge.trips.rejected ?? [])])].toSorted(),
      );
    },
  );
});
