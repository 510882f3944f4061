import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, startApi } from "./harness.ts";
import { seedDrift } from "./seed.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.drop());

const decide = (id: string, what: "release" | "reject", body: unknown = {}) =>
  api.send(`/v1/drift/${id}/${what}`, { method: "POST", body: JSON.stringify(body) }, api.world.operator);

describe("GET /v1/drift", () => {
  it("lists what was compared, the latest first, with its numbers and what became of it", async () => {
    const id = await seedDrift(api.database, api.world.alpha);
    const { json } = await api.get("/v1/drift?customer=alpha&feed=stock", api.world.operator);
    expect(json.items[0]).toEqual({
      id,
      customer: "alpha",
      feed: "stock",
      compared_with: {
        feed: "stock",
        file: { id: expect.any(String), path: "export.zip/alpha.csv" },
        own: true,
        run: 1,
        as_of: "2026-11-20T06:00:00.000Z",
      },
      state: "waiting",
      numbers: {
        snapshot_rows: 3,
        records: 1,
        missing_here: 2,
        missing_there: 0,
        differs: 0,
        drift: 1,
        explained: { "held-file": 1 },
      },
      limits: { maxRows: 0, maxShare: 1 },
      reasons: ["1 rows, more than 0"],
      compared_by: "hash",
      fields: ["sku"],
      healing_file_id: null,
      created_at: expect.any(String),
      compared_at: expect.any(String),
      decided_at: null,
      decided_by: null,
      note: null,
      healed_at: null,
    });
  });

  it("is walked by cursor, and kept to a state", async () => {
    await seedDrift(api.database, api.world.alpha);
    const first = await api.get("/v1/drift?customer=alpha&limit=1", api.world.operator);
    const second = await api.get(
      `/v1/drift?customer=alpha&limit=1&cursor=${String(first.json.next)}`,
      api.world.operator,
    );
    expect(second.json.items[0]?.id).not.toBe(first.json.items[0]?.id);
    const waiting = await api.get("/v1/drift?customer=alpha&state=waiting", api.world.operator);
    expect(waiting.json.items.map(({ state }) => state)).toEqual(["waiting"]);
    expect((await api.get("/v1/drift?state=odd", api.world.operator)).status).toBe(400);
  });
});

describe("GET /v1/feeds/:customer/:feed", () => {
  it("says what the last comparison came to, and that there was none", async () => {
    const none = await api.get("/v1/feeds/beta/stock", api.world.operator);
    expect(none.json.last_comparison).toBeNull();
    const id = await seedDrift(api.database, api.world.alpha);
    const { json } = await api.get("/v1/feeds/alpha/stock", api.world.alpha.token);
    expect(json.last_comparison).toEqual({
      drift_report: id,
      state: "waiting",
      as_of: "2026-11-20T06:00:00.000Z",
      compared_at: expect.any(String),
      drift: 1,
    });
  });
});

describe("GET /v1/drift/:id", () => {
  it("shows its rows, paged, those that nothing explains first, or one sort alone", async () => {
    const id = await seedDrift(api.database, api.world.alpha);
    const rowsOf = async (query: string) => {
      const { json } = await api.get(`/v1/drift/${id}${query}`, api.world.alpha.token);
      return json.rows as { items: { key: string }[]; next: string | null };
    };
    expect((await rowsOf("")).items.map(({ key }) => key)).toEqual(["alpha-lost", "alpha-lost-2"]);
    expect((await rowsOf("?rows=drift")).items.map(({ key }) => key)).toEqual(["alpha-lost"]);
    const { next, items } = await rowsOf("?limit=1");
    expect(items).toEqual([
      {
        n: 1,
        kind: "missing-here",
        key: "alpha-lost",
        sentence: "“alpha-lost” is in the ERP's list and not here.",
        fields: [],
        explanation: null,
        line: 2,
        version: null,
        file_id: null,
      },
    ]);
    expect((await rowsOf(`?limit=1&cursor=${next}`)).items.map(({ key }) => key)).toEqual(["alpha-lost-2"]);
  });
});

describe("a decision about drift", () => {
  it("stands with who made it and why, for the operator; the customer learns that it was decided", async () => {
    const id = await seedDrift(api.database, api.world.alpha);
    expect(await decide(id, "reject", { note: "a test system" })).toMatchObject({
      status: 202,
      json: { drift: { id, state: "rejected" } },
    });
    const ours = await api.get(`/v1/drift/${id}`, api.world.operator);
    const theirs = await api.get(`/v1/drift/${id}`, api.world.alpha.token);
    expect(ours.json).toMatchObject({ decided_by: expect.any(String), note: "a test system" });
    expect(theirs.json).toMatchObject({ decided_by: null, note: null });
    const audited = await api.database.sql.query("SELECT action, detail FROM audit_log WHERE subject = $1", [
      `drift report ${id}`,
    ]);
    expect(audited).toEqual([{ action: "drift-rejected", detail: { note: "a test system" } }]);
  });

  it("is the first one: again it changes nothing, another is refused, and both leave one line in the audit log", async () => {
    const id = await seedDrift(api.database, api.world.alpha);
    expect((await decide(id, "release")).status).toBe(202);
    expect((await decide(id, "release")).status).toBe(202);
    expect(await decide(id, "reject")).toMatchObject({ status: 409, json: { state: "released" } });
    const audited = await api.database.sql.query("SELECT action FROM audit_log WHERE subject = $1", [
      `drift report ${id}`,
    ]);
    expect(audited).toHaveLength(1);
  });

  it("about nothing is not found, and leaves no line", async () => {
    expect((await decide("999999990", "release")).status).toBe(404);
    const audited = await api.database.sql.query("SELECT 1 FROM audit_log WHERE subject = 'drift report 999999990'");
    expect(audited).toEqual([]);
  });
});
