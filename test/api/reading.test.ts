import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { report } from "../../src/domain/failures.ts";
import { type Answer, type Api, startApi } from "./harness.ts";
import {
  type Feed,
  held,
  insert,
  PARSED_BOOKS,
  RECEIVED_AT,
  seedDelivery,
  seedFile,
  seedReject,
  seedSecondFeed,
  seedToken,
} from "./seed.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.drop();
});

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Walks a list page by page. */
async function walk(path: string, token: string, betweenPages?: () => Promise<unknown>): Promise<Answer["json"][]> {
  const items: Answer["json"][] = [];
  let cursor = "";
  for (;;) {
    const answer = await api.get(`${path}${cursor}`, token);
    expect(answer.status).toBe(200);
    items.push(...answer.json.items);
    if (answer.json.next === null) return items;
    cursor = `&cursor=${answer.json.next}`;
    await betweenPages?.();
  }
}

describe("health", () => {
  it("says up, and nothing about the inside", async () => {
    const answer = await api.get("/v1/health");
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ status: "ok", database: "up", version: "1.2.3" });
  });
});

describe("customers", () => {
  it("shows an operator all of them with their feeds, counts and what is stuck", async () => {
    const answer = await api.get("/v1/customers", api.world.operator);
    expect(answer.json.items.map((item) => item.customer)).toEqual(["alpha", "beta"]);
    const alpha = answer.json.items[0]!;
    expect(alpha.feeds).toEqual([
      {
        feed: "stock",
        title: "alpha stock",
        mode: "full",
        last_file: {
          id: api.world.alpha.heldId,
          path: "export.zip/alpha.csv",
          state: "held",
          received_at: RECEIVED_AT,
          applied_at: null,
        },
        counted_days: 30,
        deliveries: { parsed: 1, quarantined: 1 },
        files: { applied: 1, held: 1 },
      },
    ]);
    expect(alpha.stuck.total).toBe(2);
    expect(alpha.stuck.latest.map(({ what, id, state }) => ({ what, id, state }))).toEqual(
      expect.arrayContaining([
        { what: "delivery", id: api.world.alpha.quarantinedId, state: "quarantined" },
        { what: "file", id: api.world.alpha.heldId, state: "held" },
      ]),
    );
    expect(String(alpha.stuck.latest[0]!.since)).toMatch(ISO);
    expect(alpha.stuck.latest[0]!.feed).toBe("stock");
  });

  it("calls work stuck that has not moved for an hour, and work that just began not", async () => {
    const { beta } = api.world;
    const old = await seedDelivery(api.database, beta, { state: "parsing", updated_at: "2026-11-20T10:59:00Z" });
    const fresh = await seedDelivery(api.database, beta, { state: "parsing", updated_at: "2026-11-20T11:30:00Z" });
    const answer = await api.get("/v1/customers", beta.token);
    const ids = answer.json.items[0]!.stuck.latest.map((item) => item.id);
    expect(ids).toContain(old);
    expect(ids).not.toContain(fresh);
  });

  it("shows a feed that has never had a file", async () => {
    await seedSecondFeed(api.database, api.world.beta, "prices");
    const answer = await api.get("/v1/customers", api.world.beta.token);
    const prices = answer.json.items[0]!.feeds.find((feed) => feed.feed === "prices");
    expect(prices).toMatchObject({ last_file: null, deliveries: {}, files: {} });
  });

  it("shows twenty stuck things at most and says how many there are", async () => {
    const customer = await insert(api.database, "customers", { slug: "many", title: "Many" });
    const feed = await seedSecondFeed(api.database, { customerId: Number(customer), customer: "many" }, "stock");
    const token = await seedToken(api.database, { name: "m", role: "customer", customer_id: feed.customerId });
    const mail = await seedDelivery(api.database, feed);
    for (let position = 0; position < 23; position++) await seedFile(api.database, feed, mail, { position, ...held });
    const answer = await api.get("/v1/customers", token);
    expect(answer.json.items[0]!.stuck.total).toBe(23);
    expect(answer.json.items[0]!.stuck.latest).toHaveLength(20);
  });
});

describe("a feed", () => {
  it("shows its facts, its last applied file, the work at hand, its records and what is open", async () => {
    const { alpha, operator } = api.world;
    const mail = await seedDelivery(api.database, alpha);
    const working = await seedFile(api.database, alpha, mail, { ...held, state: "parsed", failure: null });
    await api.database.sql.query(
      "UPDATE feeds SET active_file_id = $1, lease_token = gen_random_uuid(), lease_until = '2026-11-20T12:01:00Z' WHERE id = $2",
      [working, alpha.feedId],
    );
    const answer = await api.get("/v1/feeds/alpha/stock", operator);
    expect(answer.json).toMatchObject({
      customer: "alpha",
      feed: "stock",
      title: "alpha stock",
      mode: "full",
      adapter_version: "v1",
      writing: { file_id: working, until: "2026-11-20T12:01:00.000Z" },
      last_applied: { id: alpha.fileId, state: "applied" },
      in_work: [{ id: working, state: "parsed" }],
      records: { active: 1, retired: 0, exact: true },
      open: { held: 1, dead: 0, quarantined: 1 },
    });
    expect(answer.text).not.toContain("lease_token");
  });
});

describe("deliveries", () => {
  it("come the latest first, page by page, none twice and none left out, while new ones arrive", async () => {
    const feed: Feed = await seedSecondFeed(api.database, api.world.alpha, "many");
    const made: string[] = [];
    // Two of them in one microsecond, all of them within one millisecond: only the full resolution keeps the order.
    for (const micros of ["000001", "000002", "000002", "000003", "000004"]) {
      made.push(await seedDelivery(api.database, feed, { received_at: `2026-11-20T07:00:00.${micros}Z` }));
    }
    const arrive = () => seedDelivery(api.database, feed, { received_at: "2026-11-20T08:00:00Z" });
    const items = await walk("/v1/deliveries?customer=alpha&feed=many&limit=1", api.world.operator, arrive);
    const [a, b, c, d, e] = made;
    const pair = [b!, c!].sort().reverse();
    expect(items.map((item) => item.id)).toEqual([e, d, ...pair, a]);
  });

  it("can be narrowed to a state", async () => {
    const answer = await api.get("/v1/deliveries?state=quarantined", api.world.alpha.token);
    expect(answer.json.items.map((item) => item.id)).toEqual([api.world.alpha.quarantinedId]);
    expect(answer.json.items[0]!.failure).toMatchObject({ code: "sender-not-proven", actor: "operator" });
  });

  it("show one with its files in their places", async () => {
    const { alpha } = api.world;
    const answer = await api.get(`/v1/deliveries/${alpha.deliveryId}`, alpha.token);
    expect(answer.json).toMatchObject({
      id: alpha.deliveryId,
      customer: "alpha",
      feed: "stock",
      state: "parsed",
      sender: "erp@alpha.example",
      subject: "Stock of alpha",
      received_at: RECEIVED_AT,
      failure: null,
      files: [{ id: alpha.fileId }, { id: alpha.heldId }],
    });
  });
});

describe("files", () => {
  it("show books that balance, times in UTC, durations per stage and the latency", async () => {
    const { alpha } = api.world;
    const answer = await api.get(`/v1/files/${alpha.fileId}`, alpha.token);
    expect(answer.json).toMatchObject({
      id: alpha.fileId,
      customer: "alpha",
      feed: "stock",
      delivery_id: alpha.deliveryId,
      state: "applied",
      failure: null,
      bytes: 5_000,
      received_at: RECEIVED_AT,
      books: {
        lines: { total: 12, header: 1, preamble: 0, footer: 1, blank: 0, continuation: 0, accepted: 9, rejected: 1 },
        records: { accepted: 9, inserted: 4, changed: 2, unchanged: 2, stale: 1, superseded: 0 },
        balanced: true,
      },
      timings_ms: { parse_wait: 100, parse: 250, apply_wait: 50, apply: 1_100 },
      latency_ms: 1_500,
    });
  });

  it("say that books do not balance, and nothing before the lines are counted", async () => {
    const { beta } = api.world;
    const mail = await seedDelivery(api.database, beta);
    const failure = report("books-unbalanced", { side: "lines", expected: 12, counted: 11 });
    const wrong = await seedFile(api.database, beta, mail, { ...held, failure, footer_lines: 0 });
    const uncounted = Object.fromEntries(Object.keys(PARSED_BOOKS).map((name) => [name, null]));
    const early = await seedFile(api.database, beta, mail, {
      ...held,
      ...uncounted,
      position: 1,
      state: "parsing",
      failure: null,
      parsed_at: null,
    });
    expect((await api.get(`/v1/files/${wrong}`, beta.token)).json.books.balanced).toBe(false);
    const unread = await api.get(`/v1/files/${early}`, beta.token);
    expect(unread.json.books).toEqual({ lines: null, records: null, balanced: null });
    expect(unread.json.timings_ms).toEqual({ parse_wait: 100, parse: null, apply_wait: null, apply: null });
    expect(unread.json.latency_ms).toBeNull();
  });

  it("keep ids beyond 2^53 to the digit", async () => {
    const { alpha } = api.world;
    const mail = await seedDelivery(api.database, alpha);
    await api.database.sql.query("ALTER SEQUENCE files_id_seq RESTART WITH 9007199254740993");
    const id = await seedFile(api.database, alpha, mail);
    expect(id).toBe("9007199254740993");
    expect((await api.get(`/v1/files/${id}`, alpha.token)).json.id).toBe("9007199254740993");
    await api.database.sql.query("ALTER SEQUENCE files_id_seq RESTART WITH 1000");
  });

  it("can be narrowed to feed and state, and are walked by cursor", async () => {
    const { alpha, operator } = api.world;
    const one = await api.get("/v1/files?customer=alpha&feed=stock&state=held", operator);
    expect(one.json.items.map((item) => item.id)).toEqual([alpha.heldId]);
    const all = await walk("/v1/files?customer=alpha&feed=stock&limit=1", operator);
    const ids = all.map((item) => item.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(expect.arrayContaining([alpha.fileId, alpha.heldId]));
  });
});

describe("rejects", () => {
  it("come in the order of the file, several of one row in theirs", async () => {
    const { alpha } = api.world;
    const file = await seedFile(api.database, alpha, await seedDelivery(api.database, alpha));
    for (const [line, position] of [
      [10, 0],
      [9, 1],
      [9, 0],
      [100, 0],
    ])
      await seedReject(api.database, file, { line, position });
    const items = await walk(`/v1/files/${file}/rejects?limit=2`, alpha.token);
    expect(items.map(({ line, position }) => [line, position])).toEqual([
      [9, 0],
      [9, 1],
      [10, 0],
      [100, 0],
    ]);
    expect(items[0]).toEqual({
      line: 9,
      position: 0,
      code: "not-an-integer",
      column: "qty",
      value: "many",
      rule: null,
      sentence: "“many” in column “qty” is not a whole number.",
      hint: "Write digits only.",
      raw: "A-7;many",
    });
  });

  it("come as CSV that a spreadsheet opens and cannot run", async () => {
    const { alpha } = api.world;
    const file = await seedFile(api.database, alpha, await seedDelivery(api.database, alpha));
    await seedReject(api.database, file, { value: '=HYPERLINK("http://evil")', raw: '+1;a"b\n-2', column_name: null });
    const answer = await api.get(`/v1/files/${file}/rejects?format=csv`, alpha.token);
    expect(answer.headers.get("Content-Type")).toBe("text/csv; charset=utf-8; header=present");
    expect(answer.headers.get("Content-Disposition")).toBe(`attachment; filename="rejects-${file}.csv"`);
    expect(answer.text.replace(/^\ufeff/, "")).toBe(
      '"line","code","column","value","rule","reason","what to do","row as it stood"\r\n' +
        `7,"not-an-integer",,"'=HYPERLINK(""http://evil"")",,"“many” in column “qty” is not a whole number.","Write digits only.","'+1;a""b\n-2"\r\n`,
    );
  });

  it("come as CSV whole, however many there are", async () => {
    const { alpha } = api.world;
    const file = await seedFile(api.database, alpha, await seedDelivery(api.database, alpha));
    await api.database.sql.query(
      `INSERT INTO rejects (file_id, line, position, code, sentence, hint, raw)
       SELECT $1::bigint, n, 0, 'row-width', 's', 'h', 'r' FROM generate_series(1, 2000) n`,
      [file],
    );
    const answer = await api.get(`/v1/files/${file}/rejects?format=csv`, alpha.token);
    const lines = answer.text.trimEnd().split("\r\n");
    expect(lines).toHaveLength(2_001);
    expect(lines.slice(1).map((line) => Number(line.split(",")[0]))).toEqual(
      Array.from({ length: 2_000 }, (_, i) => i + 1),
    );
  });
});

describe("dead letters", () => {
  it("are shown to operators, open ones unless asked otherwise", async () => {
    const answer = await api.get("/v1/dead-letters", api.world.operator);
    expect(answer.json.items.map((item) => item.customer)).toEqual(["beta", "alpha"]);
    expect(answer.json.items[0]).toMatchObject({
      stage: "parse",
      state: "open",
      attempts: 5,
      failure: { code: "raw-missing" },
    });
    expect((await api.get("/v1/dead-letters?state=discarded", api.world.operator)).json.items).toEqual([]);
    expect((await walk("/v1/dead-letters?limit=1", api.world.operator)).map((i) => i.customer)).toEqual([
      "beta",
      "alpha",
    ]);
  });
});
