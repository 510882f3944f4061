import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordIdOf } from "../../src/api/query/record-id.ts";
import { changedFields } from "../../src/api/routes/records.ts";
import { type Api, startApi } from "./harness.ts";
import { RECEIVED_AT, seedChange, seedDelivery, seedFile, seedRecord, seedSecondFeed } from "./seed.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.drop();
});

describe("records", () => {
  it("are found by their exact key", async () => {
    const { alpha } = api.world;
    const answer = await api.get("/v1/records?feed=stock&key=alpha-1", alpha.token);
    expect(answer.json.next).toBeNull();
    expect(answer.json.items).toHaveLength(1);
    expect(answer.json.items[0]).toMatchObject({
      customer: "alpha",
      feed: "stock",
      key: "alpha-1",
      status: "active",
      version: 1,
      data: { sku: "alpha-1", qty: 5 },
      file: { id: alpha.fileId, line: 3 },
    });
    expect((await api.get("/v1/records?feed=stock&key=alpha-", alpha.token)).json.items).toEqual([]);
  });

  it("lead to themselves by their id, whatever stands in the key", async () => {
    const { alpha } = api.world;
    const feed = await seedSecondFeed(api.database, alpha, "odd");
    for (const key of ["a/b/c", "100 % ?&#=+", "Ümlaut ✓ 😀", "'; DROP TABLE records; --", " "]) {
      await seedRecord(api.database, feed, alpha.fileId, key, { key });
      const listed = await api.get(`/v1/records?feed=odd&key=${encodeURIComponent(key)}`, alpha.token);
      const id = String(listed.json.items[0]!.id);
      expect(encodeURIComponent(id)).toBe(id);
      expect((await api.get(`/v1/records/${id}`, alpha.token)).json.data).toEqual({ key });
    }
  });

  it("come in the byte order of their keys, page by page", async () => {
    const { beta } = api.world;
    const feed = await seedSecondFeed(api.database, beta, "keys");
    for (const key of ["b", "B", "a", "ä", "10", "9"]) await seedRecord(api.database, feed, beta.fileId, key, {});
    const keys: unknown[] = [];
    let cursor = "";
    do {
      const page = await api.get(`/v1/records?feed=keys&limit=2${cursor}`, beta.token);
      keys.push(...page.json.items.map((item) => item.key));
      cursor = page.json.next === null ? "" : `&cursor=${page.json.next}`;
    } while (cursor !== "");
    expect(keys).toEqual(["10", "9", "B", "a", "b", "ä"]);
  });

  it("need a feed, and a customer where the caller is not one", async () => {
    const { operator, alpha } = api.world;
    const noFeed = await api.get("/v1/records?customer=alpha", operator);
    expect([noFeed.status, noFeed.json.parameter]).toEqual([400, "feed"]);
    const noCustomer = await api.get("/v1/records?feed=stock", operator);
    expect([noCustomer.status, noCustomer.json.parameter]).toEqual([400, "customer"]);
    expect((await api.get("/v1/records?feed=nothing", alpha.token)).status).toBe(404);
  });

  it.each(["", "x", "%00", "YWxwaGE", "!!!!", `${recordIdOf({ customer: "alpha", feed: "stock", key: "alpha-1" })}=`])(
    "have no id like “%s”",
    async (id) => {
      expect((await api.get(`/v1/records/${id}`, api.world.operator)).status).toBe(404);
    },
  );

  it("are the same under one id only: a record of alpha's is not found through beta's name", async () => {
    const id = recordIdOf({ customer: "beta", feed: "stock", key: "alpha-1" });
    expect((await api.get(`/v1/records/${id}`, api.world.operator)).status).toBe(404);
  });
});

describe("the history of a record", () => {
  it("shows every version, the newest first, with what changed and where it came from", async () => {
    const { alpha } = api.world;
    const first = { sku: "H-1", qty: 5, name: "Nut" };
    const second = { sku: "H-1", qty: 6, unit: "pc" };
    const rowId = await seedRecord(api.database, alpha, alpha.fileId, "H-1", first);
    const mail = await seedDelivery(api.database, alpha, { subject: "Second", received_at: "2026-11-20T07:00:00Z" });
    const file = await seedFile(api.database, alpha, mail, { path: "second.csv" });
    const common = { record_id: rowId, natural_key: "H-1", created_at: "2026-11-20T07:00:01Z" };
    await seedChange(api.database, alpha, file, {
      ...common,
      version: 2,
      kind: "changed",
      line: 44,
      before: first,
      after: second,
    });
    await seedChange(api.database, alpha, file, {
      ...common,
      version: 3,
      kind: "retired",
      before: second,
      after: null,
    });
    await seedChange(api.database, alpha, "999999", {
      ...common,
      version: 4,
      kind: "restored",
      before: second,
      after: second,
    });

    const id = recordIdOf({ customer: "alpha", feed: "stock", key: "H-1" });
    const { json } = await api.get(`/v1/records/${id}/history`, alpha.token);
    expect(json.items.map(({ version, kind, changed_fields }) => ({ version, kind, changed_fields }))).toEqual([
      { version: 4, kind: "restored", changed_fields: [] },
      { version: 3, kind: "retired", changed_fields: ["qty", "sku", "unit"] },
      { version: 2, kind: "changed", changed_fields: ["name", "qty", "unit"] },
      { version: 1, kind: "inserted", changed_fields: ["name", "qty", "sku"] },
    ]);
    const [event] = await api.database.sql.query(
      "SELECT idempotency_key FROM change_events WHERE natural_key = 'H-1' AND version = 2",
    );
    expect(json.items[2]).toEqual({
      version: 2,
      kind: "changed",
      cause: "delivery",
      at: "2026-11-20T07:00:01.000Z",
      idempotency_key: event!.idempotency_key,
      changed_fields: ["name", "qty", "unit"],
      before: first,
      after: second,
      file: { id: file, path: "second.csv", line: 44 },
      delivery: { id: mail, subject: "Second", sender: "erp@alpha.example", received_at: "2026-11-20T07:00:00.000Z" },
    });
    expect(json.items[3]).toMatchObject({ delivery: { id: alpha.deliveryId, received_at: RECEIVED_AT } });
    // A file whose row is gone: the version stays told.
    expect(json.items[0]).toMatchObject({ file: { id: "999999", path: null }, delivery: null });
  });

  it("is walked by cursor", async () => {
    const id = recordIdOf({ customer: "alpha", feed: "stock", key: "H-1" });
    const first = await api.get(`/v1/records/${id}/history?limit=3`, api.world.alpha.token);
    const rest = await api.get(`/v1/records/${id}/history?limit=3&cursor=${first.json.next}`, api.world.alpha.token);
    expect(rest.json.items.map((item) => item.version)).toEqual([1]);
    expect(rest.json.next).toBeNull();
  });
});

describe("changed fields", () => {
  it.each([
    [{ a: 1 }, { a: 1 }, []],
    [{ a: 1 }, { a: 2 }, ["a"]],
    [{ a: null }, {}, ["a"]],
    [{ a: { x: [1] } }, { a: { x: [1] } }, []],
    [{ a: "1" }, { a: 1 }, ["a"]],
    [null, { b: 1, a: 1 }, ["a", "b"]],
    [{ toString: 1, constructor: 1 }, { constructor: 2 }, ["constructor", "toString"]],
  ])("between %j and %j are %j", (before, after, fields) => {
    expect(changedFields(before, after)).toEqual(fields);
  });
});
