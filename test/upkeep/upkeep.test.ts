import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { failure } from "../../src/domain/failures.ts";
import { CHUNK_DAYS, HISTORY_DAYS, JOBS, PARTITION_DAYS_AHEAD, RAW_DAYS } from "../../src/upkeep/retention.ts";
import { BATCH_FILES, LATE_HOURS, MAX_BATCHES } from "../../src/upkeep/upkeep.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { openPool } from "../support/database-pool.ts";
import { forceIn } from "../support/force-state.ts";
import { ago, DAY, HOUR, idOf, NOW } from "../sweep/world.ts";
import { type UpkeepWorld, upkeepWorldOn } from "./world.ts";

let database: FreshDatabase;
let world: UpkeepWorld;
beforeEach(async () => {
  database = await freshDatabase();
  world = upkeepWorldOn(database.connectionString);
});
afterEach(() => database.drop());

const later = (ms: number) => new Date(NOW.getTime() + ms);
const all = { rejects: 1, ledger: 1, seen: 1, drift: true, chunks: 2 };
const nothing = { rejects: 0, ledger: 0, seen: 0, drift: false, chunks: 0 };

describe("what is due goes, what is needed stays", () => {
  it.each(["applied", "rejected"])(
    "an old file that is %s loses its chunks, rejects, ledger and seen",
    async (state) => {
      const old = await world.oldFile(state, HISTORY_DAYS + 1);
      await world.upkeep();
      expect(await world.left(old)).toEqual(nothing);
    },
  );

  it.each(["parsing", "parsed", "applying", "held", "dead"])("an old file that is %s loses nothing", async (state) => {
    const old = await world.oldFile(state, 3 * HISTORY_DAYS);
    await world.upkeep();
    expect(await world.left(old)).toEqual(all);
  });

  it("a file that was given up for good is at its end", async () => {
    const old = await world.oldFile("dead", HISTORY_DAYS + 1);
    await world.database.query(`UPDATE files SET failure = '{"code":"discarded-by-operator"}'`);
    await world.upkeep();
    expect(await world.left(old)).toEqual(nothing);
  });

  it("a day too young loses nothing", async () => {
    const young = await world.oldFile("applied", HISTORY_DAYS - 1);
    await world.database.query("UPDATE files SET updated_at = $1", [ago((CHUNK_DAYS - 1) * DAY).toISOString()]);
    await world.upkeep();
    expect(await world.left(young)).toEqual(all);
  });

  it("chunks go two weeks after the end, everything else stays", async () => {
    const ended = await world.oldFile("applied", CHUNK_DAYS + 1);
    await world.upkeep();
    expect(await world.left(ended)).toEqual({ ...all, chunks: 0 });
  });

  it("the raw mail goes after ten years", async () => {
    await world.oldFile("applied", RAW_DAYS + 1);
    await world.oldFile("applied", RAW_DAYS - 1);
    await world.upkeep();
    expect(await world.database.query("SELECT id FROM deliveries WHERE raw_removed_at IS NOT NULL")).toEqual([
      { id: idOf(1) },
    ]);
    expect([...world.objects].filter((key) => key.startsWith("raw/"))).toHaveLength(1);
  });

  it.each([
    ["a file of it is held", () => world.oldFile("held", RAW_DAYS + 1)],
    ["a file of it waits", () => world.oldFile("parsed", RAW_DAYS + 1)],
    [
      "a dead letter of it is open",
      async () => {
        await world.oldFile("applied", RAW_DAYS + 1);
        await world.database.query(
          `INSERT INTO dead_letters (stage, message_id, message, failure, correlation_id, attempts)
           VALUES ('parse', 'm', '{}', '{"code":"internal-error"}', $1, 1)`,
          [idOf(1)],
        );
      },
    ],
    ["nobody has released it from quarantine", () => world.delivery(1, "quarantined", ago((RAW_DAYS + 1) * DAY))],
  ])("the raw mail stays while %s", async (_, make) => {
    await make();
    world.objects.add("raw/acme/x");
    const before = [...world.objects].filter((key) => key.startsWith("raw/"));
    await world.upkeep();
    expect([...world.objects].filter((key) => key.startsWith("raw/"))).toEqual(before);
    expect(await world.database.query("SELECT id FROM deliveries WHERE raw_removed_at IS NOT NULL")).toEqual([]);
  });

  it("decided letters, told mails, cleared alerts and what ended replays did go when they are old; open and waiting ones stay for ever", async () => {
    const held = await world.oldFile("held", 2 * HISTORY_DAYS);
    const old = ago((HISTORY_DAYS + 1) * DAY).toISOString();
    const young = ago((HISTORY_DAYS - 1) * DAY).toISOString();
    await forceIn(
      world.database,
      `INSERT INTO dead_letters (stage, message_id, message, failure, attempts, state, last_at, decided_at, decided_by, reason)
       VALUES ('parse', 'open', '{}', '{}', 1, 'open', $1, NULL, NULL, NULL), ('parse', 'old', '{}', '{}', 1, 'discarded', $1, $1, 'op', 'x'),
         ('parse', 'young', '{}', '{}', 1, 'discarded', $1, $2, 'op', 'x'), ('parse', 'first', '{}', '{}', 1, 'redriven', $1, $1, 'op', NULL)`,
      [old, young],
    );
    await world.database.query(
      "UPDATE dead_letters SET redrive_of = (SELECT id FROM dead_letters WHERE message_id = 'first') WHERE message_id = 'open'",
    );
    await forceIn(
      world.database,
      `INSERT INTO notifications (key, recipient, customer_id, feed_id, file_id, subject, body_text, body_html, state, created_at, sent_at)
       SELECT k.key, 'operator', f.customer_id, f.id, CASE WHEN k.key = 'held' THEN $2::bigint END, 's', 't', 'h', k.state, $1::timestamptz,
         CASE WHEN k.state = 'sent' THEN $1::timestamptz END
       FROM feeds f, (VALUES ('sent', 'sent'), ('failed', 'failed'), ('waiting', 'waiting'), ('held', 'sent')) AS k(key, state)`,
      [old, held],
    );
    await world.database.query(
      `INSERT INTO alerts (kind, subject, severity, detail, first_at, last_at, cleared_at)
       VALUES ('a', 'cleared', 'warning', 'd', $1, $1, $1), ('a', 'open', 'warning', 'd', $1, $1, NULL)`,
      [old],
    );
    await forceIn(
      world.database,
      `WITH r AS (INSERT INTO replays (state, shadow, gate, created_by, ended_at)
         SELECT CASE WHEN e.at IS NULL THEN 'running' ELSE 'done' END, false, 'judge', 'op', e.at
         FROM unnest(ARRAY[$1, $2, NULL]::timestamptz[]) AS e(at) RETURNING id, ended_at)
       INSERT INTO replay_items (replay_id, delivery_id, customer, feed, lane, as_of, received_at, raw_key, raw_bytes, state)
       SELECT r.id, repeat('a', 32), 'acme', CASE r.ended_at WHEN $1::timestamptz THEN 'old' WHEN $2::timestamptz THEN 'young' ELSE 'open' END,
         'l', now(), now(), 'raw/x', 1, 'waiting' FROM r`,
      [old, young],
    );
    await world.database.query(
      `INSERT INTO holds (file_id, nonce, facts, tripped, telling, later, held_at, expires_at, decision, decided_at, decided_by)
       SELECT $1::bigint, k.nonce, '{"records": 5}', '[]', '[{"key": "A-1"}]', 'wait', $2, $2, CASE WHEN k.at IS NULL THEN NULL ELSE 'reject' END,
         k.at, CASE WHEN k.at IS NULL THEN NULL ELSE 'op' END
       FROM (VALUES ('anOldOneOfLongAgo', $2::timestamptz), ('oneThatIsYoungYet', $3::timestamptz), ('oneThatIsOpenYet0', NULL)) AS k(nonce, at)`,
      [held, old, young],
    );
    await world.upkeep();
    expect(
      await world.database.query("SELECT nonce, telling, facts, decision FROM holds ORDER BY nonce"),
      "of an old hold the rows go, and what was decided stays",
    ).toEqual([
      { nonce: "anOldOneOfLongAgo", telling: [], facts: { records: 5 }, decision: "reject" },
      { nonce: "oneThatIsOpenYet0", telling: [{ key: "A-1" }], facts: { records: 5 }, decision: null },
      { nonce: "oneThatIsYoungYet", telling: [{ key: "A-1" }], facts: { records: 5 }, decision: "reject" },
    ]);
    const names = async (table: string, column: string) =>
      (await world.database.query<{ name: string }>(`SELECT ${column} AS name FROM ${table} ORDER BY 1`)).map(
        ({ name }) => name,
      );
    expect(await names("dead_letters", "message_id")).toEqual(["first", "open", "young"]);
    expect(await names("notifications", "key")).toEqual(["held", "waiting"]);
    expect(await names("alerts", "subject")).toEqual(["open"]);
    expect(await names("replay_items", "feed")).toEqual(["open", "young"]);
  });
});

describe("what a dry run has shown", () => {
  it("goes with the chunks, and its numbers stay; another kind of comparison stays as it is", async () => {
    const told = { inserted: 3, examples: [{ kind: "inserted", key: "A-1" }] };
    const compared = (id: string, comparison: unknown) =>
      world.database.query("UPDATE files SET comparison = $2 WHERE id = $1", [id, JSON.stringify(comparison)]);
    const [old, young, snapshot, applied] = [
      await world.oldFile("compared", CHUNK_DAYS + 1),
      await world.oldFile("compared", CHUNK_DAYS - 1),
      await world.oldFile("compared", CHUNK_DAYS + 1),
      await world.oldFile("applied", CHUNK_DAYS + 1),
    ];
    await compared(old, told);
    await compared(young, told);
    await compared(snapshot, { report: "7" });
    await world.upkeep();
    const left = async (id: string) =>
      (await world.one<{ comparison: unknown }>("SELECT comparison FROM files WHERE id = $1", [id])).comparison;
    expect(await left(old)).toEqual({ ...told, examples: [] });
    expect(await left(young)).toEqual(told);
    expect(await left(snapshot)).toEqual({ report: "7" });
    expect(await left(applied)).toBeNull();
  });
});

describe("changes, by partition", () => {
  const partitions = async () =>
    (
      await world.database.query<{ name: string }>(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'changes'::regclass ORDER BY 1",
      )
    ).map(({ name }) => name);
  const dayBefore = (days: number) =>
    ago(days * DAY)
      .toISOString()
      .slice(0, 10);
  const nameOf = (days: number) => `changes_${dayBefore(days).replaceAll("-", "")}`;
  const change = (at: Date) =>
    world.database.query(
      `INSERT INTO changes (created_at, record_id, file_id, row_hash, customer_id, feed_id, line, version, kind, natural_key, after)
       VALUES ($1, 1, 1, gen_random_uuid(), 1, 1, 1, 1, 'inserted', 'k', '{}')`,
      [at.toISOString()],
    );

  it("drops whole days that are older, and never the day into which the bound falls", async () => {
    await world.deps.tables.makePartitions(dayBefore(HISTORY_DAYS + 2), 4);
    for (const days of [HISTORY_DAYS + 2, HISTORY_DAYS + 1, HISTORY_DAYS]) await change(ago(days * DAY));
    await world.upkeep();
    const left = await partitions();
    expect(left).not.toContain(nameOf(HISTORY_DAYS + 2));
    expect(left).not.toContain(nameOf(HISTORY_DAYS + 1));
    expect(left).toEqual(expect.arrayContaining([nameOf(HISTORY_DAYS), nameOf(HISTORY_DAYS - 1), "changes_default"]));
    expect(await world.one("SELECT count(*)::int AS n FROM changes")).toEqual({ n: 1 });
  });

  it("makes the days to come", async () => {
    await world.upkeep();
    expect((await partitions()).filter((name) => name !== "changes_default")).toHaveLength(PARTITION_DAYS_AHEAD);
    expect(await partitions()).toContain(nameOf(0));
  });

  it("looks after the default partition: young rows get the day they belong to, old ones go", async () => {
    await change(ago((HISTORY_DAYS + 5) * DAY));
    await change(ago(20 * DAY));
    await world.upkeep();
    expect(await world.one("SELECT count(*)::int AS n FROM changes_default")).toEqual({ n: 0 });
    expect(await world.database.query(`SELECT 1 FROM ${nameOf(20)}`)).toHaveLength(1);
    expect(await world.one("SELECT count(*)::int AS n FROM changes")).toEqual({ n: 1 });
    expect(world.logged).toContain("changes-without-partition");
  });

  it("gives way after two seconds where somebody reads for long, and the next run drops it", async () => {
    await world.deps.tables.makePartitions(dayBefore(HISTORY_DAYS + 1), 1);
    await world.deps.tables.makePartitions(dayBefore(0), PARTITION_DAYS_AHEAD);
    const pool = openPool(database);
    const reader = await pool.connect();
    await reader.query("BEGIN");
    await reader.query("SELECT count(*) FROM changes");
    expect((await world.upkeep()).changes).toBeUndefined();
    expect((await world.jobRow("changes")).error).toContain("55P03");
    await reader.query("COMMIT");
    reader.release();
    await pool.end();
    await world.upkeep({}, later(10 * 60_000), false);
    expect(await partitions()).not.toContain(nameOf(HISTORY_DAYS + 1));
  });
});

describe("a run", () => {
  it("twice is as once", async () => {
    for (const state of ["applied", "held", "rejected"]) await world.oldFile(state, HISTORY_DAYS + 1);
    await world.upkeep();
    const once = { rows: await everything(), objects: [...world.objects] };
    const again = await world.upkeep({}, later(HOUR));
    expect({ rows: await everything(), objects: [...world.objects] }).toEqual(once);
    expect(Object.values(again).every((result) => result?.removed === 0)).toBe(true);
  });

  it("that dies between storage and database is finished by the next one", async () => {
    const old = await world.oldFile("applied", RAW_DAYS + 1);
    const dies = async () => {
      throw failure("database-unavailable", { reason: "test" });
    };
    await world.upkeep({
      tables: { ...world.deps.tables, chunksRemoved: dies, rawRemoved: dies, rejectsRemoved: dies },
    });
    expect(await world.left(old)).toMatchObject({ chunks: 0, rejects: 0 });
    expect(await world.one("SELECT chunks_removed_at FROM files")).toEqual({ chunks_removed_at: null });
    await world.upkeep({}, later(10 * 60_000), false);
    const row = await world.one<Record<string, unknown>>(
      `SELECT chunks_removed_at IS NULL AS c, rejects_removed_at IS NULL AS r, d.raw_removed_at IS NULL AS w
       FROM files f JOIN deliveries d ON d.id = f.delivery_id`,
    );
    expect(row).toEqual({ c: false, r: false, w: false });
  });

  it("whose storage is away marks nothing as removed", async () => {
    await world.oldFile("applied", RAW_DAYS + 1);
    const away = async () => {
      throw failure("storage-unavailable", { reason: "test" });
    };
    const results = await world.upkeep({ removeChunks: away, removeRaw: away });
    expect([results.chunks, results.raw]).toEqual([undefined, undefined]);
    expect(await world.one("SELECT chunks_removed_at FROM files")).toEqual({ chunks_removed_at: null });
    expect(await world.one("SELECT raw_removed_at FROM deliveries")).toEqual({ raw_removed_at: null });
  });

  it("of a job that fails does not stop the others, and says why in its row", async () => {
    const old = await world.oldFile("applied", HISTORY_DAYS + 1);
    const removeLedger = async () => {
      throw failure("database-unavailable", { reason: "test" });
    };
    await world.upkeep({ tables: { ...world.deps.tables, removeLedger } });
    expect(await world.left(old)).toEqual({ ...nothing, ledger: 1 });
    expect(await world.jobRow("ledger")).toMatchObject({ ok: false, error: expect.stringContaining("database") });
    expect(await world.jobRow("seen")).toMatchObject({ ok: true, error: null, result: { removed: 1, more: false } });
  });

  it("stops at its bound, and the next ten minutes go on with what is left, and with nothing else", async () => {
    const files = BATCH_FILES * MAX_BATCHES;
    await world.oldFile("applied", CHUNK_DAYS + 1);
    await forceIn(
      world.database,
      `INSERT INTO files (delivery_id, position, customer_id, feed_id, path, content_type, state, adapter_version, as_of, as_of_source,
         order_key, received_at, failure, updated_at, parsed_at)
       SELECT delivery_id, n, customer_id, feed_id, path, content_type, 'rejected', 'v1', as_of, as_of_source, order_key, received_at,
         '{"code":"file-empty"}', updated_at, parsed_at FROM files, generate_series(1, $1::int) n`,
      [files],
    );
    expect((await world.upkeep()).chunks).toEqual({ removed: files, more: true });
    expect(await world.upkeep({}, later(10 * 60_000), false)).toEqual({ chunks: { removed: 1, more: false } });
    expect(await world.upkeep({}, later(20 * 60_000), false)).toEqual({});
  });

  it("is not waited for by a job that came to no end for a day", async () => {
    await world.upkeep({}, ago((LATE_HOURS + 1) * HOUR));
    expect(Object.keys(await world.upkeep({}, NOW, false))).toEqual([...JOBS]);
    expect(await world.upkeep({}, later(HOUR), false)).toEqual({});
  });

  it("beside another one does not do its jobs", async () => {
    await world.oldFile("applied", HISTORY_DAYS + 1);
    let beside: unknown;
    await world.upkeep({
      async removeChunks() {
        beside = (await world.upkeep()).chunks;
      },
    });
    expect(beside).toBeUndefined();
  });
});

/** Every row of what upkeep may touch, as text. */
async function everything(): Promise<string> {
  const tables = [
    "files",
    "deliveries",
    "rejects",
    "ledger",
    "seen",
    "notifications",
    "dead_letters",
    "alerts",
    "holds",
    "replay_items",
    "feeds",
  ];
  const rows = await Promise.all(tables.map((table) => world.database.query(`SELECT * FROM ${table} ORDER BY 1, 2`)));
  return JSON.stringify(rows);
}
