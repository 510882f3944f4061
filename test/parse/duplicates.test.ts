/** The same content again: recorded and not applied, unless that would hide what it says. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Feed as FeedDefinition } from "../../src/domain/adapter.ts";
import { type FailureReport, report } from "../../src/domain/failures.ts";
import { orderKeyOf } from "../../src/domain/ids.ts";
import type { FileState } from "../../src/domain/states.ts";
import type { Refusal } from "../../src/parse/deps.ts";
import { parseTables } from "../../src/parse/tables.ts";
import { type Database, postgres } from "../../src/platform/postgres.ts";
import { deliveryId, type Feed, PARSED_BOOKS, seedDelivery, seedFeed, seedFile } from "../api/seed.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { tableFeed } from "./table/support.ts";

const MS_PER_MINUTE = 60_000;
const NOON_MS = Date.parse("2026-11-20T12:00:00Z");
const FAILURE = report("raw-missing", { key: "raw/x" });

const MANY_REJECTS: Refusal = { failure: report("too-many-rejects", { rejected: 1, rows: 2, limit: "5 %" }) };

let fresh: FreshDatabase;
let database: Database;
let tables: ReturnType<typeof parseTables>;
let feedsMade = 0;
beforeAll(async () => {
  fresh = await freshDatabase();
  database = postgres(fresh.connectionString);
  tables = parseTables(database);
});
afterAll(() => fresh.drop());

const newFeed = () => seedFeed(fresh, `c${++feedsMade}`);

interface Arrival {
  readonly content: string;
  /** Minutes after noon: its as-of. */
  readonly at: number;
  /** Minutes after noon; at its as-of, where left out. */
  readonly arrives?: number;
  readonly version?: string;
  readonly sequence?: number;
  readonly refusal?: Refusal;
  /** Why the file was found wanting, also where it goes on all the same. */
  readonly failed?: FailureReport;
  readonly policy?: Partial<FeedDefinition>;
}

const BOOKS = {
  lines: PARSED_BOOKS.lines,
  header: PARSED_BOOKS.header_lines,
  preamble: PARSED_BOOKS.preamble_lines,
  footer: PARSED_BOOKS.footer_lines,
  blank: PARSED_BOOKS.blank_lines,
  continuation: PARSED_BOOKS.continuation_lines,
  accepted: PARSED_BOOKS.accepted,
  rejected: PARSED_BOOKS.rejected,
};

const UNREAD = Object.fromEntries(
  [
    ...Object.keys(PARSED_BOOKS),
    "inserted",
    "changed",
    "unchanged",
    "stale",
    "superseded",
    "apply_started_at",
    "applied_at",
    "parsed_at",
  ].map((name) => [name, null]),
);

/** A file that is being read: what `finish` needs of it. */
async function begun(feed: Feed, arrival: Arrival) {
  const { at, arrives = at, version = "v1", sequence = 0 } = arrival;
  const id = deliveryId();
  const receivedAt = new Date(NOON_MS + arrives * MS_PER_MINUTE);
  const asOfMs = NOON_MS + at * MS_PER_MINUTE;
  const orderKey = orderKeyOf({ asOfMs, sequence, receivedAtMs: receivedAt.getTime(), position: 0, deliveryId: id });
  await seedDelivery(fresh, feed, { id, state: "parsing" });
  const file = await seedFile(fresh, feed, id, {
    ...UNREAD,
    state: "parsing",
    adapter_version: version,
    order_key: orderKey,
    received_at: receivedAt.toISOString(),
  });
  return { file, orderKey, arrival };
}

function finish({ file, orderKey, arrival }: Awaited<ReturnType<typeof begun>>): Promise<FileState> {
  const { content, version = "v1", sequence, refusal, failed = refusal?.failure ?? null, policy = {} } = arrival;
  const parsed = {
    chunks: [],
    bytes: 10,
    preamble: [],
    rows: BOOKS.accepted + BOOKS.rejected,
    rejectsStored: BOOKS.rejected,
    fieldNumbers: {},
    contentSha256: createHash("sha256").update(content).digest("hex"),
    books: BOOKS,
    sequence: sequence ?? null,
    generatedAt: null,
    endsWithNewline: true,
    failure: failed,
    orderKey,
  };
  const judgedBy = { adapterVersion: version, active: "" };
  return tables.finishFile(file, { ...tableFeed(), ...policy, version }, parsed, refusal, judgedBy);
}

async function arrive(feed: Feed, arrival: Arrival): Promise<{ file: string; state: FileState }> {
  const made = await begun(feed, arrival);
  return { file: made.file, state: await finish(made) };
}

const stateOf = async (file: string) => {
  const [row] = await database.query<{ state: FileState; duplicate_of: string | null }>(
    "SELECT state, duplicate_of::text FROM files WHERE id = $1",
    [file],
  );
  return [row!.state, row!.duplicate_of];
};

const move = (file: string, state: FileState) =>
  database.query("UPDATE files SET state = $2, failure = $3::jsonb WHERE id = $1", [
    file,
    state,
    ["held", "rejected", "dead"].includes(state) ? JSON.stringify(FAILURE) : null,
  ]);

describe("the same content again", () => {
  it("is a duplicate of the file before it, keeps what it is and is not to be applied", async () => {
    const feed = await newFeed();
    const first = await arrive(feed, { content: "A", at: 0 });
    const second = await arrive(feed, { content: "A", at: 5 });
    expect([first.state, second.state]).toEqual(["parsed", "duplicate"]);
    expect(await stateOf(second.file)).toEqual(["duplicate", first.file]);
    const waiting = await database.query("SELECT outcome FROM acquire_lease($1, gen_random_uuid(), 60, 0)", [
      second.file,
    ]);
    expect(waiting).toEqual([{ outcome: "not-needed" }]);
  });

  it("is one of the file behind it, where it is read later than that", async () => {
    const feed = await newFeed();
    const newer = await arrive(feed, { content: "A", at: 5 });
    const older = await arrive(feed, { content: "A", at: 0 });
    expect(await stateOf(older.file)).toEqual(["duplicate", newer.file]);
  });

  it("stays one when its message comes again", async () => {
    const feed = await newFeed();
    const { file } = await arrive(feed, { content: "A", at: 0 });
    const made = await begun(feed, { content: "A", at: 1 });
    expect([await finish(made), await finish(made)]).toEqual(["duplicate", "duplicate"]);
    expect(await stateOf(made.file)).toEqual(["duplicate", file]);
  });

  it("is one of the file that goes on, also behind another duplicate; and its time is counted from that", async () => {
    const feed = await newFeed();
    const first = await arrive(feed, { content: "A", at: 0 });
    await arrive(feed, { content: "A", at: 40 });
    const third = await arrive(feed, { content: "A", at: 60 });
    expect(await stateOf(third.file)).toEqual(["duplicate", first.file]);
    expect((await arrive(feed, { content: "A", at: 80 })).state).toBe("parsed");
  });

  it("is none where a duplicate of another content lies between", async () => {
    const feed = await newFeed();
    await arrive(feed, { content: "B", at: 30 });
    await arrive(feed, { content: "B", at: 20 });
    await arrive(feed, { content: "A", at: 10 });
    expect((await arrive(feed, { content: "A", at: 25 })).state).toBe("parsed");
    await expectNothingHidden(feed);
  });

  it("as the third after another ends as a statement: A, B, A is A", async () => {
    const feed = await newFeed();
    const states = [];
    for (const [at, content] of ["A", "B", "A"].entries()) states.push((await arrive(feed, { content, at })).state);
    expect(states).toEqual(["parsed", "parsed", "parsed"]);
  });

  it.each([
    ["one hour later", { arrives: 60 }, "duplicate"],
    ["more than an hour later", { arrives: 60.1 }, "parsed"],
    ["later, where the feed waits longer", { arrives: 600, policy: { duplicateWindowHours: 24 } }, "duplicate"],
    ["at once, where the feed has none", { policy: { duplicateWindowHours: 0 } }, "parsed"],
    ["read by another adapter", { version: "v2" }, "parsed"],
    ["of another feed's customer", { elsewhere: true }, "parsed"],
  ] as const)("%s is %s", async (_what, more, state) => {
    const feed = await newFeed();
    await arrive("elsewhere" in more ? await newFeed() : feed, { content: "A", at: 0 });
    expect((await arrive(feed, { content: "A", at: 1, ...more })).state).toBe(state);
  });

  it.each(["held", "rejected", "dead", "parsing"] as const)("is none of a file that is %s", async (state) => {
    const feed = await newFeed();
    const made = await begun(feed, { content: "A", at: 0 });
    if (state !== "parsing") await move(made.file, state);
    expect((await arrive(feed, { content: "A", at: 1 })).state).toBe("parsed");
  });

  it.each(["restore", "reconcile"])("is none where a %s in between has taken back what it said", async (cause) => {
    const feed = await newFeed();
    await arrive(feed, { content: "A", at: 0 });
    const { file } = await arrive(feed, { content: "S", at: 5 });
    await database.query("UPDATE files SET cause = $2 WHERE id = $1", [file, cause]);
    expect((await arrive(feed, { content: "A", at: 10 })).state).toBe("parsed");
    expect((await arrive(feed, { content: "A", at: 11 })).state).toBe("duplicate");
  });

  it("is held as before, where the whole file is a question", async () => {
    const feed = await newFeed();
    await arrive(feed, { content: "A", at: 0 });
    expect((await arrive(feed, { content: "A", at: 1, refusal: MANY_REJECTS })).state).toBe("held");
  });
});

describe("the same number again", () => {
  const repeated = { failure: report("sequence-repeated", { found: 7 }) };

  it("with the same content is a duplicate, however late", async () => {
    const feed = await newFeed();
    const { file } = await arrive(feed, { content: "A", at: 0, sequence: 7 });
    const again = await arrive(feed, { content: "A", at: 9_000, sequence: 7, refusal: repeated });
    expect(await stateOf(again.file)).toEqual(["duplicate", file]);
  });

  it("with other content is held", async () => {
    const feed = await newFeed();
    await arrive(feed, { content: "A", at: 0, sequence: 7 });
    expect((await arrive(feed, { content: "B", at: 1, sequence: 7, refusal: repeated })).state).toBe("held");
  });

  it("is no other number with the same content: the ERP has counted it", async () => {
    const feed = await newFeed();
    await arrive(feed, { content: "A", at: 0, sequence: 7 });
    expect((await arrive(feed, { content: "A", at: 1, sequence: 8 })).state).toBe("parsed");
    expect((await arrive(feed, { content: "A", at: 2 })).state).toBe("parsed");
  });

  it("leaves the number that comes next as it was", async () => {
    const feed = await newFeed();
    await arrive(feed, { content: "A", at: 0, sequence: 7 });
    await arrive(feed, { content: "A", at: 1, sequence: 7, refusal: repeated });
    const { file } = await begun(feed, { content: "B", at: 2, sequence: 8 });
    expect(await tables.sequenceBefore(file)).toEqual({ previous: 7, beingRead: null });
  });
});

describe("a numbered file that the gate holds", () => {
  const token = "00000000-0000-0000-0000-000000000001";
  const hold = { nonce: "n".repeat(20), facts: {}, tripped: [], telling: [], later: "wait", expiresAt: "2027-01-01" };

  it("has come: neither it nor one that waits behind it makes the next number a gap, whatever is decided", async () => {
    const feed = await newFeed();
    await arrive(feed, { content: "A", at: 0, sequence: 11 });
    const { file } = await arrive(feed, { content: "B", at: 1, sequence: 12 });
    await database.query("SELECT outcome FROM acquire_lease($1, $2, 60, 0)", [file, token]);
    await database.query("SELECT hold_by_gate($1, $2, $3, '{}', $4, '[]')", [
      file,
      token,
      JSON.stringify(FAILURE),
      JSON.stringify(hold),
    ]);
    expect(await stateOf(file)).toEqual(["held", null]);
    const { file: next } = await begun(feed, { content: "C", at: 2, sequence: 13 });
    expect(await tables.sequenceBefore(next)).toMatchObject({ previous: 12 });
    await database.query("SELECT outcome FROM decide_hold($1, NULL, 'reject', 'operator', $2)", [
      file,
      JSON.stringify(FAILURE),
    ]);
    expect(await tables.sequenceBefore(next)).toMatchObject({ previous: 12 });

    const { file: behind } = await arrive(feed, { content: "D", at: 3, sequence: 13 });
    await database.query("SELECT outcome FROM acquire_lease($1, $2, 60, 0)", [behind, token]);
    await move(behind, "held");
    const { file: last } = await begun(feed, { content: "E", at: 4, sequence: 14 });
    expect(await tables.sequenceBefore(last)).toMatchObject({ previous: 13 });
  });

  it("is another thing than one that parse holds: of that nobody knows whether it is right", async () => {
    const feed = await newFeed();
    await arrive(feed, { content: "A", at: 0, sequence: 11 });
    await arrive(feed, { content: "B", at: 1, sequence: 12, refusal: MANY_REJECTS });
    const { file } = await begun(feed, { content: "C", at: 2, sequence: 13 });
    expect(await tables.sequenceBefore(file)).toMatchObject({ previous: 11 });
  });
});

describe("a number that is brought in behind newer ones", () => {
  it("is held against what had come before it, not against the last one", async () => {
    const feed = await newFeed();
    await arrive(feed, { content: "A", at: 0, sequence: 6 });
    await arrive(feed, { content: "B", at: 900, sequence: 500 });
    const { file } = await begun(feed, { content: "C", at: 1, sequence: 7 });
    expect(await tables.sequenceBefore(file)).toEqual({ previous: 6, beingRead: null });
  });
});

describe("a file whose end may be missing", () => {
  const isComplete = async (feed: Feed, arrival: Arrival) => {
    const { file } = await arrive(feed, arrival);
    return (await database.query<{ complete: boolean }>("SELECT complete FROM files WHERE id = $1", [file]))[0]!
      .complete;
  };
  const fewer = report("row-count-differs", { stated: 10, counted: 7, rejected: 0 });

  it("is not the whole state, whoever lets it go: nothing is retired for what it lacks", async () => {
    const feed = await newFeed();
    expect(await isComplete(feed, { content: "A", at: 0, refusal: { failure: fewer } })).toBe(false);
    expect(await isComplete(feed, { content: "B", at: 1, failed: fewer })).toBe(false);
  });

  it("is the whole state where only some of its rows could not be read, and where nothing is wrong", async () => {
    const feed = await newFeed();
    expect(await isComplete(feed, { content: "A", at: 0, refusal: MANY_REJECTS })).toBe(true);
    expect(await isComplete(feed, { content: "B", at: 1 })).toBe(true);
  });
});

describe("a duplicate opens again", () => {
  const audits = async (file: string) =>
    (
      await database.query<{ detail: { because: string } }>("SELECT detail FROM audit_log WHERE subject = $1", [
        `file ${file}`,
      ])
    ).map(({ detail }) => detail.because);

  it.each([
    ["is held on its way", ["applying", "held"]],
    ["dies", ["dead"]],
    ["dies while it is applied", ["applying", "dead"]],
  ] as const)("when what it repeats %s: it must not hide with it", async (_what, ways) => {
    const feed = await newFeed();
    const first = await arrive(feed, { content: "A", at: 0 });
    const second = await arrive(feed, { content: "A", at: 1 });
    for (const state of ways) await move(first.file, state);
    expect(await stateOf(second.file)).toEqual(["parsed", null]);
    expect(await audits(second.file)).toEqual([`file ${first.file} is ${ways.at(-1)}`]);
  });

  it("when a file with other content takes its place in between, also by a release or a redrive", async () => {
    for (const way of ["parsing", "held", "dead"] as const) {
      const feed = await newFeed();
      const first = await arrive(feed, { content: "A", at: 0 });
      const between = await begun(feed, { content: "B", at: 1, ...(way === "held" ? { refusal: MANY_REJECTS } : {}) });
      if (way !== "parsing") await finish(between);
      if (way === "dead") await move(between.file, "dead");
      const second = await arrive(feed, { content: "A", at: 2 });
      expect(await stateOf(second.file)).toEqual(["duplicate", first.file]);
      if (way === "parsing") await finish(between);
      else await move(between.file, "parsed");
      expect(await stateOf(second.file), way).toEqual(["parsed", null]);
    }
  });

  it("but not for a file elsewhere in the order, nor for one that says the same", async () => {
    const feed = await newFeed();
    const policy = { duplicateWindowHours: 0 };
    const first = await arrive(feed, { content: "A", at: 10 });
    const second = await arrive(feed, { content: "A", at: 20 });
    await arrive(feed, { content: "B", at: 5 });
    await arrive(feed, { content: "B", at: 25 });
    expect((await arrive(feed, { content: "A", at: 15, policy })).state).toBe("parsed");
    expect(await stateOf(second.file)).toEqual(["duplicate", first.file]);
  });

  it("and is then found by the sweep like any file that waits", async () => {
    const feed = await newFeed();
    const first = await arrive(feed, { content: "A", at: 0 });
    const second = await arrive(feed, { content: "A", at: 1 });
    await move(first.file, "dead");
    const [lease] = await database.query("SELECT outcome FROM acquire_lease($1, gen_random_uuid(), 60, 0)", [
      second.file,
    ]);
    expect(lease).toEqual({ outcome: "acquired" });
  });
});

/** What the files say one after another, each saying told once. */
const sayings = (files: readonly { content: string }[]): string =>
  files
    .map(({ content }) => content)
    .join("")
    .replace(/(.)\1+/g, "$1");

async function filesOf(feed: Feed): Promise<{ id: string; state: FileState; content: string }[]> {
  const names = new Map(
    ["A", "B", "C"].map((content) => [createHash("sha256").update(content).digest("hex"), content]),
  );
  const rows = await database.query<{ id: string; state: FileState; content_sha256: string }>(
    "SELECT id::text, state, content_sha256 FROM files WHERE feed_id = $1 ORDER BY order_key",
    [feed.feedId],
  );
  return rows.map(({ content_sha256, ...row }) => ({ ...row, content: names.get(content_sha256) ?? "-" }));
}

const GOES_ON: readonly FileState[] = ["parsed", "applying", "applied"];

/** Leaving the duplicates out changes nothing of what the feed says. */
async function expectNothingHidden(feed: Feed): Promise<void> {
  const files = await filesOf(feed);
  const applied = files.filter(({ state }) => GOES_ON.includes(state));
  const told = files.filter(({ state }) => state === "duplicate" || GOES_ON.includes(state));
  expect(sayings(applied), JSON.stringify(files)).toBe(sayings(told));
}

describe("whatever happens", () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant("arrive" as const),
        content: fc.constantFrom("A", "B"),
        at: fc.nat({ max: 40 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        what: fc.constantFrom("fail" as const, "return" as const, "apply" as const),
        pick: fc.nat(),
      }),
    },
  );
  const WAYS: Readonly<Record<string, readonly [from: readonly FileState[], to: FileState]>> = {
    apply: [["parsed"], "applying"],
    fail: [["applying"], "held"],
    return: [["held"], "parsed"],
  };

  it("to its files and in what order they come, no duplicate hides what its feed says", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
        const feed = await newFeed();
        for (const one of steps) {
          if (one.what === "arrive") await arrive(feed, one);
          else {
            const [from, to] = WAYS[one.what]!;
            const fitting = (await filesOf(feed)).filter(({ state }) => from.includes(state));
            if (fitting.length > 0) await move(fitting[one.pick % fitting.length]!.id, to);
          }
          await expectNothingHidden(feed);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("of equal files that are read at once exactly one goes on", async () => {
    for (let round = 0; round < 10; round++) {
      const feed = await newFeed();
      const made = await Promise.all([0, 1, 2, 3].map((at) => begun(feed, { content: "A", at })));
      const states = await Promise.all(made.map(finish));
      expect(states.filter((state) => state === "parsed")).toHaveLength(1);
      await expectNothingHidden(feed);
    }
  });

  it("at once to a file, the one before and the one in between, nothing is hidden", async () => {
    for (let round = 0; round < 15; round++) {
      const feed = await newFeed();
      const first = await arrive(feed, { content: "A", at: 0 });
      const [between, last] = [await begun(feed, { content: "B", at: 1 }), await begun(feed, { content: "A", at: 2 })];
      await finish({ ...between, arrival: { ...between.arrival, refusal: MANY_REJECTS } });
      const ends = [finish(last), move(between.file, "parsed"), ...(round % 2 === 0 ? [move(first.file, "dead")] : [])];
      await Promise.all(ends);
      await expectNothingHidden(feed);
      expect((await stateOf(last.file))[0]).toBe("parsed");
    }
  });
});
