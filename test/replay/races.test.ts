/** Many workers drive replays at the same moment: real sessions of a real database, queues that only count. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ParseDelivery } from "../../src/domain/messages.ts";
import { patient, postgres } from "../../src/platform/postgres.ts";
import { advance, goOn } from "../../src/replay/advance.ts";
import type { ArchivedObject, ReplayDeps } from "../../src/replay/deps.ts";
import { replayTables } from "../../src/replay/tables.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { FEEDS } from "./feeds.ts";

const DAY = 86_400_000;
const START = Date.UTC(2026, 5, 1);
const PER_FEED = 6;
const PAGE = 4;

let fresh: FreshDatabase;
let deps: ReplayDeps;
let sent: ParseDelivery[];
beforeEach(async () => {
  fresh = await freshDatabase();
  sent = [];
  const waiting = { sleep: async () => undefined, random: () => 0.5 };
  const database = patient(postgres(fresh.connectionString), waiting);
  const archive = FEEDS.flatMap(({ customer, feed }, f) =>
    Array.from({ length: PER_FEED }, (_, n) => objectOf(customer, feed, f * 100 + n, START + n * DAY)),
  ).sort((a, b) => (a.key < b.key ? -1 : 1));
  deps = {
    feeds: FEEDS,
    tables: replayTables(database),
    async listRaw(prefix, after) {
      const keys = archive.filter(({ key }) => key.startsWith(prefix) && key > after);
      return { objects: keys.slice(0, PAGE), more: keys.length > PAGE };
    },
    headRaw: async (key) => archive.find((one) => one.key === key),
    asOf: (facts) => new Date(facts.receivedAt),
    enqueueParse: async (message) => void sent.push(message),
    now: () => new Date(START + 100 * DAY),
    log: { info: () => undefined, warn: () => undefined, error: (event) => expect(event).toBe("never") },
  };
});
afterEach(() => fresh.drop());

function objectOf(customer: string, feed: string, n: number, atMs: number): ArchivedObject {
  const id = n.toString(16).padStart(32, "0");
  const receivedAt = new Date(atMs).toISOString();
  const key = `raw/${customer}/${receivedAt.slice(0, 10).replaceAll("-", "/")}/${id}.eml`;
  const verdict = { kind: "proven", proof: "dkim=pass" } as const;
  const facts = {
    v: 1,
    id,
    customer,
    feed,
    door: "mail",
    sender: "x",
    verdict,
    receivedAt,
    bytes: 1,
    sha256: "0".repeat(64),
  } as const;
  return { key, bytes: 1, facts };
}

const scope = { shadow: false, gate: "judge" } as const;
const atOnce = (workers: number, work: () => Promise<void>) => Promise.all(Array.from({ length: workers }, work));
const lanes = new Set(FEEDS.map(({ customer }) => customer)).size;
/** What is under way comes to its end, as if it had been read and applied. */
const endSent = () =>
  fresh.sql.query("UPDATE replay_items SET state = 'done', fresh = true, read_at = now() WHERE state = 'sent'");

describe("workers at the same moment", () => {
  it("collect each delivery once, and send each once: the next of a lane when the one before has ended", async () => {
    const id = await deps.tables.create(scope, "ops");
    for (let round = 0; round <= 2 * PER_FEED; round++) {
      await atOnce(6, () => advance(id, deps));
      const [{ n } = { n: 0 }] = await fresh.sql.query(
        "SELECT count(*)::int AS n FROM replay_items WHERE state = 'sent'",
      );
      expect(Number(n)).toBeLessThanOrEqual(lanes);
      await endSent();
    }
    const ids = sent.map(({ correlationId }) => correlationId);
    expect([new Set(ids).size, ids.length]).toEqual([FEEDS.length * PER_FEED, FEEDS.length * PER_FEED]);
    expect((await deps.tables.replay(id))?.state).toBe("done");
    // Of each lane in the order of its days.
    for (const { customer } of FEEDS) {
      const days = sent.filter((one) => one.customer === customer).map(({ rawKey }) => rawKey.slice(0, -36));
      expect(days).toEqual([...days].sort());
    }
  });

  it("of several replays over the same feeds leave one delivery of a lane under way, whichever it is of", async () => {
    const ids = await Promise.all([1, 2, 3].map(() => deps.tables.create(scope, "ops")));
    for (let round = 0; round < 60 && (await deps.tables.open()).length > 0; round++) {
      await Promise.all(ids.map((id) => goOn(id, deps)));
      const rows = await fresh.sql.query("SELECT lane FROM replay_items WHERE state = 'sent'");
      expect(new Set(rows.map(({ lane }) => lane)).size).toBe(rows.length);
      await endSent();
    }
    expect(await deps.tables.open()).toEqual([]);
    expect(sent.length).toBe(3 * FEEDS.length * PER_FEED);
  });

  it("cancel and go on: nothing is begun after the end", async () => {
    const id = await deps.tables.create(scope, "ops");
    await advance(id, deps);
    await Promise.all([atOnce(4, () => advance(id, deps)), deps.tables.decide(id, "cancel", "ops", deps.now())]);
    const before = sent.length;
    await atOnce(4, () => advance(id, deps));
    expect(sent.length).toBe(before);
    const rows = await fresh.sql.query("SELECT DISTINCT state, reason FROM replay_items ORDER BY 1");
    expect(rows).toEqual([{ state: "skipped", reason: "cancelled" }]);
  });
});
