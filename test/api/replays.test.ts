/** What may be asked of replays over the API, and what is refused before anything is done. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Answer, type Api, startApi } from "./harness.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.drop());
beforeEach(async () => {
  await api.database.sql.query("TRUNCATE replays, replay_items, audit_log");
});

const post = (path: string, body: unknown = {}) =>
  api.send(path, { method: "POST", body: JSON.stringify(body) }, api.world.operator);
/** The replay in an answer. */
const begun = ({ json }: Answer) => json.replay as Readonly<Record<"id", string>> & { readonly scope: object };
const key = (customer: string) => `raw/${customer}/2026/11/20/${"a".repeat(32)}.eml`;

describe("POST /v1/replays", () => {
  it.each<[string, unknown, string, RegExp]>([
    ["nothing", {}, "", /must say what/],
    ["two scopes", { all: true, customer: "alpha" }, "", /must say what/],
    ["all: false", { all: false }, "all", /true/],
    ["a feed without its customer", { all: true, feed: "stock" }, "feed", /needs customer/],
    ["a name that is none", { customer: "../alpha" }, "customer", /is not the name of a customer/],
    ["a delivery that is no id", { delivery: "x' OR 1=1" }, "delivery", /is not the id of a delivery/],
    ["a day that is none", { customer: "alpha", since: "2026-02-30" }, "since", /is no date/],
    ["since of one delivery", { delivery: "a".repeat(32), since: "2026-11-01" }, "since", /goes with customer/],
    ["version 0", { customer: "alpha", feed: "stock", mapping: 0 }, "mapping", /is not the number of a version/],
    ["a version of many feeds", { customer: "alpha", profile: 1 }, "profile", /name the feed/],
    ["a gate that is none", { all: true, gate: "open" }, "gate", /judge/],
    ["keys without a feed", { customer: "alpha", raw_keys: [key("alpha")] }, "raw_keys", /needs customer and feed/],
    ["another's key", { customer: "alpha", feed: "stock", raw_keys: [key("alpha"), key("beta")] }, "raw_keys", /key 2/],
    ["a key that climbs", { customer: "alpha", feed: "stock", raw_keys: ["chunks/1/v/0"] }, "raw_keys", /key 1/],
    ["no keys", { customer: "alpha", feed: "stock", raw_keys: [] }, "raw_keys", /is empty/],
    ["what it does not know", { all: true, force: true }, "", /force/],
  ])("refuses %s and says where the fault is", async (_, body, path, said) => {
    const answer = await post("/v1/replays", body);
    expect(answer.status).toBe(400);
    expect(answer.json.faults).toContainEqual({ path, message: expect.stringMatching(said) });
    expect(await api.database.sql.query("SELECT id FROM replays")).toEqual([]);
  });

  it.each<[string, object, number]>([
    ["a delivery", { delivery: "b".repeat(32) }, 404],
    ["a customer", { customer: "gamma" }, 404],
    ["a feed", { customer: "alpha", feed: "nothing" }, 404],
    ["a version", { customer: "alpha", feed: "stock", mapping: 99 }, 422],
  ])("knows no %s that is not there", async (_, body, status) => {
    expect((await post("/v1/replays", body)).status).toBe(status);
    expect(await api.database.sql.query("SELECT id FROM replays")).toEqual([]);
  });

  it("writes down who asked for what, and answers how far it is", async () => {
    const answer = await post("/v1/replays", { customer: "alpha", feed: "stock", since: "2026-11-01", shadow: true });
    expect(answer.status).toBe(202);
    expect(begun(answer)).toMatchObject({
      state: "done",
      scope: { customer: "alpha", feed: "stock", since: "2026-11-01T00:00:00.000Z", objects: null },
      shadow: true,
      gate: "judge",
      created_by: "ops",
      progress: { deliveries: { total: 0 }, remaining_seconds: null },
    });
    const [written] = await api.database.sql.query("SELECT actor, action, subject, detail FROM audit_log");
    expect(written).toMatchObject({
      actor: "ops",
      action: "replay",
      subject: `replay ${begun(answer).id}`,
      detail: { customer: "alpha", feed: "stock", shadow: true, gate: "judge" },
    });
  });

  it("of one delivery is of exactly its object, and names no keys in its answers", async () => {
    const answer = await post("/v1/replays", { delivery: api.world.alpha.deliveryId });
    expect(begun(answer).scope).toEqual({ customer: "alpha", feed: "stock", since: null, objects: 1 });
    const page = await api.get("/v1/replays", api.world.operator);
    expect(page.text).not.toContain("raw/");
  });
});

describe("GET /v1/replays", () => {
  it("pages, the newest first", async () => {
    for (let n = 0; n < 3; n++) await post("/v1/replays", { customer: "alpha" });
    const ids = (json: Answer["json"]) => json.items.map(({ id }) => Number(id));
    const first = await api.get("/v1/replays?limit=2", api.world.operator);
    const second = await api.get(`/v1/replays?limit=2&cursor=${first.json.next}`, api.world.operator);
    expect([ids(first.json).length, ids(second.json).length, second.json.next]).toEqual([2, 1, null]);
    const all = [...ids(first.json), ...ids(second.json)];
    expect(all).toEqual(all.toSorted((a, b) => b - a));
  });

  it.each(["/v1/replays/999", "/v1/replays/999999999999999999999", "/v1/replays/x"])("%s is nothing", async (path) => {
    expect((await api.get(path, api.world.operator)).status).toBe(404);
    expect((await post(`${path}/cancel`)).status).toBe(404);
  });
});

describe("a replay that has ended", () => {
  it.each(["pause", "resume", "cancel"])("cannot %s any more, and says in which state it is", async (decision) => {
    const { id } = begun(await post("/v1/replays", { customer: "alpha" }));
    const answer = await post(`/v1/replays/${id}/${decision}`);
    expect([answer.status, answer.json.state]).toEqual([409, "done"]);
  });
});
