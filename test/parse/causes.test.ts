/** Why a delivery is read, and what follows: a dry run and a replay ask nobody, teach nothing and stand for no file that came. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import type { DeliveryFacts } from "../../src/domain/delivery.ts";
import { type ApplyFile, parseDeliveryMessage } from "../../src/domain/messages.ts";
import type { FileState } from "../../src/domain/states.ts";
import { composeMessage } from "../../src/notify/compose.ts";
import { parseHandler } from "../../src/parse/handler.ts";
import { bytesSource } from "../../src/parse/open/source.ts";
import type { Replay } from "../../src/parse/reading.ts";
import { parseTables } from "../../src/parse/tables.ts";
import { postgres } from "../../src/platform/postgres.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { force } from "../support/force-state.ts";

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined };

let database: FreshDatabase;
let tables: ReturnType<typeof parseTables>;
let customer: string;
let sent: ApplyFile[];
beforeAll(async () => {
  database = await freshDatabase();
  tables = parseTables(postgres(database.connectionString));
});
afterAll(() => database.drop());
beforeEach(() => {
  customer = `c${randomBytes(6).toString("hex")}`;
  sent = [];
});

type Definition = Parameters<typeof defineFeed>[0];

const feedOf = (change: Partial<Definition> = {}): Adapter =>
  defineFeed({
    customer,
    customerTitle: "Acme",
    feed: "stock",
    title: "Stock",
    mode: "full",
    intake: { policy: "trust-address", senders: ["@acme.example"] },
    file: { charset: "utf-8", delimiter: ";", header: true },
    columns: [
      { name: "sku", source: { header: "Article" }, type: "identifier" },
      { name: "amount", source: { header: "Amount" }, type: "integer" },
    ],
    key: ["sku"],
    limits: { maxRejects: 1, maxRejectShare: 1 },
    ...change,
  });

interface Delivery {
  readonly facts: DeliveryFacts;
  readonly content: string;
}

let minute = 0;
/** A file a minute, so that each has its place. */
function delivery(content: string, more: Partial<DeliveryFacts> = {}): Delivery {
  const receivedAt = new Date(Date.UTC(2026, 10, 20, 6, minute++)).toISOString();
  const facts: DeliveryFacts = {
    v: 1,
    id: randomBytes(16).toString("hex"),
    customer,
    feed: "stock",
    door: "upload",
    sender: "test",
    verdict: { kind: "proven", proof: "token" },
    name: "stock.csv",
    receivedAt,
    bytes: content.length,
    sha256: "0".repeat(64),
    ...more,
  };
  return { facts, content };
}

const reading = ({ facts, content }: Delivery, feeds: readonly Adapter[], replay?: Replay): Promise<void> =>
  parseHandler(
    parseDeliveryMessage({ customer, feed: "stock", correlationId: facts.id, rawKey: `raw/${customer}/${facts.id}` }),
    {
      feeds,
      openRaw: async () => ({ facts, source: bytesSource(new TextEncoder().encode(content)) }),
      archivePassword: () => undefined,
      tables,
      putChunk: async () => undefined,
      enqueueApply: async (message) => void sent.push(message),
      compose: composeMessage,
      log: SILENT,
    },
    replay,
  );

const read = (one: Delivery, change: Partial<Definition> = {}, replay?: Replay) =>
  reading(one, [feedOf(change)], replay);

const replayOf = (replayId: string, more: Partial<Replay> = {}): Replay => ({
  cause: "replay",
  replayId,
  compareOnly: false,
  ...more,
});

interface FileRow {
  readonly cause: string;
  readonly replay: string | null;
  readonly state: FileState;
  readonly code: string | null;
  readonly compare_only: boolean;
  readonly order_key: string;
}

/** Files of a delivery, in the order in which they were made. */
const filesOf = async ({ facts }: Delivery): Promise<FileRow[]> => {
  const rows = await database.sql.query(
    `SELECT cause, replay_id::text AS replay, state, failure->>'code' AS code, compare_only, order_key::text
     FROM files WHERE delivery_id = $1 ORDER BY id`,
    [facts.id],
  );
  return rows as FileRow[];
};

/** The file that came is at an end of apply, or of somebody's decision. */
const ends = ({ facts }: Delivery, state: FileState) =>
  force(
    database.sql,
    `UPDATE files SET state = $2, failure = CASE WHEN $2 IN ('held', 'rejected', 'dead') THEN '{"code": "test"}'::jsonb END, duplicate_of = CASE WHEN $2 = 'duplicate' THEN id END, inserted = accepted,
       changed = 0, unchanged = 0, stale = 0, superseded = 0, applied_at = now() WHERE delivery_id = $1 AND cause = 'delivery'`,
    [facts.id, state],
  );

const count = async (what: string): Promise<number> => {
  const [row] = await database.sql.query(
    `SELECT count(*)::int AS n FROM ${what} x JOIN customers c ON c.id = x.customer_id WHERE c.slug = $1`,
    [customer],
  );
  return Number(row!.n);
};
const versions = async () => {
  const [row] = await database.sql.query(
    `SELECT count(*)::int AS n FROM feed_versions v JOIN feeds f ON f.id = v.feed_id JOIN customers c ON c.id = f.customer_id
     WHERE c.slug = $1`,
    [customer],
  );
  return Number(row!.n);
};

const STOCK = "Article;Amount\nA1;10\nA2;0\n";
/** More faults than the feed lets pass. */
const MANY_REJECTS = "Article;Amount\nA1;1\nA2;many\nA3;more\n";
const OTHER_FORMAT = "Artikel;Menge;Lager\nA1;1;Nord\nA2;2;Nord\n";
const dryRun = { dryRun: true } as const;

describe("a file that came", () => {
  it("brings what the gate and retirement ask for: its numbers, its stated time, whom a refused row means", async () => {
    const one = delivery("Article;Amount\nA1;10\nA2;-4\nA3;many\n", { sentAt: "2026-11-25T06:00:00.000Z" });
    await read(one);
    const [row] = await database.sql.query(
      `SELECT f.field_numbers, f.stated_as_of::text AS stated, f.as_of_source, r.natural_key FROM files f
       JOIN rejects r ON r.file_id = f.id WHERE f.delivery_id = $1`,
      [one.facts.id],
    );
    expect(row).toEqual({
      field_numbers: { amount: { values: 2, blanks: 0, zeros: 0, total: 14, median: expect.closeTo(4, 0) } },
      stated: "2026-11-25 06:00:00+00",
      as_of_source: "arrival",
      natural_key: "A3",
    });
  });

  it.each(["00000101", "20261345"])("states no time where it states %s, which no table holds", async (day) => {
    const one = delivery(STOCK, { name: `stock_${day}.csv` });
    const pattern = "_(?<year>[0-9]{4})(?<month>[0-9]{2})(?<day>[0-9]{2})";
    await read(one, { asOf: { from: "file-name", pattern } });
    const [row] = await database.sql.query("SELECT stated_as_of FROM files WHERE delivery_id = $1", [one.facts.id]);
    expect(row).toEqual({ stated_as_of: null });
  });
});

describe("a dry run", () => {
  it("is read like a file that came, only to be compared, and its format is not pinned by it", async () => {
    const one = delivery(STOCK, dryRun);
    await read(one);
    expect(await filesOf(one)).toMatchObject([{ cause: "dry-run", compare_only: true, state: "parsed", replay: null }]);
    expect(sent).toHaveLength(1);
    expect(await versions()).toBe(0);
  });

  it("is no duplicate, and the same file that comes after it is none of it", async () => {
    const [before, asked, again] = [delivery(STOCK), delivery(STOCK, dryRun), delivery(STOCK)];
    await read(before);
    await read(asked);
    expect(await filesOf(asked)).toMatchObject([{ state: "parsed" }]);
    await read(again);
    expect(await filesOf(again)).toMatchObject([{ state: "duplicate" }]);

    customer = `${customer}x`;
    const [first, came] = [delivery(STOCK, dryRun), delivery(STOCK)];
    await read(first);
    await read(came);
    expect(await filesOf(came)).toMatchObject([{ state: "parsed", cause: "delivery" }]);
  });

  it("asks nobody: what would be held is rejected with its reason, without a mail and without a proposal", async () => {
    const unknown = { file: undefined, columns: undefined, key: undefined };
    const [first, many] = [delivery(STOCK, dryRun), delivery(MANY_REJECTS, dryRun)];
    await read(first, unknown);
    await read(many);
    expect(await filesOf(first)).toMatchObject([{ state: "rejected", code: "format-unconfirmed" }]);
    expect(await filesOf(many)).toMatchObject([{ state: "rejected", code: "too-many-rejects" }]);
    await read(delivery(STOCK));
    const drifted = delivery(OTHER_FORMAT, dryRun);
    await read(drifted);
    expect(await filesOf(drifted)).toMatchObject([{ state: "rejected", code: "format-drift" }]);
    expect(await count("notifications")).toBe(0);
  });

  it("leaves no number behind that a later file would repeat, and is judged by those of the files that came", async () => {
    const numbered = { controls: { sequence: { at: { fileName: "_([0-9]+)\\." } } } };
    const of = (n: number, more = {}) => delivery(`${STOCK}B${n};1\n`, { name: `stock_${n}.csv`, ...more });
    const [asked, came, wide] = [of(1, dryRun), of(1), of(9, dryRun)];
    for (const one of [asked, came, wide]) await read(one, numbered);
    expect(await filesOf(came)).toMatchObject([{ state: "parsed" }]);
    expect(await filesOf(wide)).toMatchObject([{ state: "rejected", code: "sequence-gap" }]);
  });
});

describe("a replay", () => {
  it("makes a file beside the one that came, at its place, and leaves the delivery as it is", async () => {
    const one = delivery(STOCK);
    await read(one);
    await ends(one, "applied");
    const before = await database.sql.query("SELECT * FROM deliveries WHERE id = $1", [one.facts.id]);
    await read(one, {}, replayOf("1"));
    await read(one, {}, replayOf("1"));
    await read(one, {}, replayOf("2", { compareOnly: true }));
    const files = await filesOf(one);
    expect(files).toMatchObject([
      { cause: "delivery", replay: null, state: "applied" },
      { cause: "replay", replay: "1", state: "parsed", compare_only: false },
      { cause: "replay", replay: "2", state: "parsed", compare_only: true },
    ]);
    expect(new Set(files.map(({ order_key }) => order_key)).size).toBe(1);
    expect(await database.sql.query("SELECT * FROM deliveries WHERE id = $1", [one.facts.id])).toEqual(before);
  });

  it.each(["rejected", "held", "dead", "parsed", "applying"] as const)(
    "skips what is %s: nobody took it",
    async (state) => {
      const one = delivery(STOCK);
      await read(one);
      await ends(one, state);
      sent = [];
      await read(one, {}, replayOf("1"));
      expect(await filesOf(one)).toHaveLength(1);
      expect(sent).toEqual([]);
    },
  );

  it("skips what only asked, and a delivery that was not read or has no row", async () => {
    const [asked, unproven, unknown] = [
      delivery(STOCK, dryRun),
      delivery(STOCK, { verdict: { kind: "quarantined", policy: "require-dkim", reason: "none" } }),
      delivery(STOCK),
    ];
    await read(asked);
    await read(unproven);
    for (const one of [asked, unproven, unknown]) await read(one, {}, replayOf("1"));
    expect(await filesOf(asked)).toHaveLength(1);
    expect([...(await filesOf(unproven)), ...(await filesOf(unknown))]).toEqual([]);
  });

  it.each(["applied", "duplicate", "compared"] as const)(
    "takes what was taken: %s, with too many rejects",
    async (state) => {
      const one = delivery(MANY_REJECTS);
      await read(one);
      expect(await filesOf(one)).toMatchObject([{ state: "held", code: "too-many-rejects" }]);
      await ends(one, state);
      await read(one, {}, replayOf("1"));
      expect((await filesOf(one))[1]).toMatchObject({ cause: "replay", state: "parsed" });
    },
  );

  it("does not mind an old number, nor that its content stands beside it", async () => {
    const numbered = { controls: { sequence: { at: { fileName: "_([0-9]+)\\." } } } };
    const numbers = [1, 2, 3].map((n) => delivery(`${STOCK}B${n};1\n`, { name: `stock_${n}.csv` }));
    for (const one of numbers) {
      await read(one, numbered);
      await ends(one, "applied");
    }
    await read(numbers[0]!, numbered, replayOf("1"));
    expect((await filesOf(numbers[0]!))[1]).toMatchObject({ state: "parsed" });
    // Of a payload that another adapter left alone there is no file that came.
    await force(database.sql, "DELETE FROM files WHERE delivery_id = $1", [numbers[1]!.facts.id]);
    await read(numbers[1]!, numbered, replayOf("1"));
    expect(await filesOf(numbers[1]!)).toMatchObject([{ cause: "replay", state: "parsed" }]);
  });

  it("goes on with what it began, though the file that came opens again meanwhile", async () => {
    const one = delivery(STOCK);
    await read(one);
    await ends(one, "duplicate");
    await read(one, {}, replayOf("1"));
    await force(database.sql, `UPDATE files SET state = 'parsing' WHERE delivery_id = $1 AND cause = 'replay'`, [
      one.facts.id,
    ]);
    await ends(one, "parsed");
    await read(one, {}, replayOf("1"));
    expect((await filesOf(one))[1]).toMatchObject({ cause: "replay", state: "parsed" });
  });

  it("rejects what does not fit the format of today, without asking and without pinning", async () => {
    const one = delivery(STOCK);
    await read(one);
    await ends(one, "applied");
    const before = await versions();
    const renamed = [
      { name: "sku", source: { header: "Artikel" }, type: "identifier" },
      { name: "amount", source: { header: "Menge" }, type: "integer" },
    ] as const;
    await read(one, { columns: [...renamed] }, replayOf("1"));
    expect((await filesOf(one))[1]).toMatchObject({ cause: "replay", state: "rejected" });
    expect([await versions(), await count("notifications")]).toEqual([before, 0]);
  });

  it("reads by a version that is named, whatever its state, and refuses a number that there is not", async () => {
    const one = delivery(STOCK);
    await read(one);
    await ends(one, "applied");
    const named = {
      columns: [
        { name: "sku", source: { header: "Article" }, type: "identifier" },
        { name: "amount", source: { header: "Amount" }, type: "text" },
      ],
      key: ["sku"],
    };
    await database.sql.query(
      `SELECT add_feed_version(f.feed_id, 'mapping', 'nothing', $2::jsonb, '{}', '[]', f.id, 'detection', NULL) FROM files f WHERE f.delivery_id = $1`,
      [one.facts.id, JSON.stringify(named)],
    );
    await read(one, {}, replayOf("1", { feed: "stock", versions: { mapping: 2 } }));
    await read(one, {}, replayOf("2", { feed: "stock" }));
    const numbers = await database.sql.query("SELECT field_numbers FROM files WHERE delivery_id = $1 ORDER BY id", [
      one.facts.id,
    ]);
    expect(numbers.map(({ field_numbers }) => Object.keys(field_numbers as object))).toEqual([
      ["amount"],
      [],
      ["amount"],
    ]);
    const missing = replayOf("3", { feed: "stock", versions: { mapping: 9 } });
    await expect(read(one, {}, missing)).rejects.toThrow("9");
  });

  it("of one feed leaves files of other feeds in the same delivery alone", async () => {
    const one = delivery(STOCK);
    await read(one);
    await ends(one, "applied");
    await read(one, {}, replayOf("1", { feed: "prices" }));
    expect(await filesOf(one)).toHaveLength(1);
  });
});
