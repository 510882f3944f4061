/** The mapping of a feed over the API: drafted, tried, activated, taken back; and everything that is refused on the way. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import { payloadOf } from "../support/payload.ts";
import { type Api, type Json, startApi } from "./harness.ts";

const SKU = { name: "sku", source: { header: "SKU" }, type: "identifier" } as const;
const QTY = { name: "qty", source: { header: "Qty" }, type: "integer" } as const;
const QTY_WORD = { ...QTY, transforms: [{ do: "lookup", table: { none: "0" }, otherwise: "keep" }] };

/** An adapter that says all of the feed. */
const adapter: Adapter = defineFeed({
  customer: "alpha",
  customerTitle: "Alpha",
  feed: "stock",
  title: "Stock",
  mode: "full",
  intake: { policy: "trust-address", senders: ["@alpha.example"] },
  file: { header: true, delimiter: ";" },
  columns: [SKU, QTY],
  key: ["sku"],
});

const FILE = "SKU;Qty;Note\nA-1;5;x\nA-2;none;y\nA-3;7;z\n";
const GOOD = {
  mapping: { columns: [SKU, QTY_WORD], key: ["sku"] },
  cases: [{ name: "a word", cells: { SKU: "A", Qty: "none" }, expect: { record: { qty: 0 } } }],
};

let started: Api;
let api: Api;
const opened: unknown[] = [];
beforeAll(async () => {
  started = await startApi();
  api = started.with({
    adapterOf: (customer, feed) => (customer === "alpha" && feed === "stock" ? adapter : undefined),
    openPayload: (place) => {
      opened.push(place);
      return payloadOf(FILE);
    },
  });
});
afterAll(() => started.drop());
beforeEach(async () => {
  opened.length = 0;
  await started.database.sql.query("DELETE FROM feed_versions");
  await started.database.sql.query("DELETE FROM audit_log");
});

const at = (path: string) => `/v1/feeds/alpha/stock/mapping${path}`;
const post = (path: string, body: unknown = {}, token = api.world.operator, on: Api = api) =>
  on.send(at(path), { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) }, token);
const draft = async (body: unknown = GOOD): Promise<number> => {
  const answer = await post("/drafts", body);
  expect(answer.status, answer.text).toBe(201);
  return Number(answer.json.version);
};
const show = async (): Promise<Json> => (await api.get(at(""), api.world.operator)).json;
const states = async () =>
  (
    await started.database.sql.query("SELECT version, state FROM feed_versions WHERE kind = 'mapping' ORDER BY version")
  ).map((row) => `${row.version} ${row.state}`);
const audits = () => started.database.sql.query("SELECT actor, action, subject FROM audit_log ORDER BY id");

describe("looking", () => {
  it("shows the adapter's own mapping until a version is pinned", async () => {
    expect(await show()).toMatchObject({ active: null, mapping: { key: ["sku"] }, cases: [], drafts: [] });
  });

  it("shows the active version with its cases, and drafts with what they would change", async () => {
    await post(`/${await draft()}/activate`);
    await draft({ mapping: { columns: [SKU], key: ["sku"] } });
    expect(await show()).toMatchObject({
      active: { version: 1, state: "active", created_by: "ops", decided_by: "ops" },
      mapping: { columns: [{ name: "sku" }, { name: "qty", transforms: [{ do: "lookup" }] }] },
      cases: [{ name: "a word" }],
      drafts: [{ version: 2, changes: ["qty is no longer read (it came from column “Qty”)."] }],
    });
  });

  it("makes the row of a feed to which no file has come yet", async () => {
    const fresh = { ...adapter, customer: "alpha", feed: "returns" };
    const other = api.with({ adapterOf: (_, feed) => (feed === "returns" ? fresh : undefined) });
    const answer = await other.get("/v1/feeds/alpha/returns/mapping", api.world.operator);
    expect(answer.status).toBe(200);
    expect(answer.json.mapping).toMatchObject({ key: ["sku"] });
  });
});

describe("drafting", () => {
  it("keeps a version that changes nothing, says what it would change and whether its cases hold", async () => {
    const answer = await post("/drafts", { ...GOOD, note: "words for zero" });
    expect(answer.status).toBe(201);
    expect(answer.json).toEqual({
      version: 1,
      changes: ["qty is looked up in a table of 1 (else keep); before, it was taken as it is."],
      check: { ok: true, faults: [], cases: [{ name: "a word", passed: true, differences: [] }] },
    });
    expect(await states()).toEqual(["1 proposed"]);
    expect(await audits()).toEqual([]);
  });

  it("keeps one whose cases do not hold yet, and says which", async () => {
    const cases = [{ cells: { Qty: "none" }, expect: { record: {} } }];
    const answer = await post("/drafts", { ...GOOD, cases });
    expect(answer.status).toBe(201);
    expect(answer.json.check).toMatchObject({ ok: false, cases: [{ name: "case 1", passed: false }] });
  });

  it("names every fault with its path", async () => {
    const columns = [
      { ...SKU, transforms: [{ do: "replace", pattern: "(?=a)", with: "" }] },
      { ...QTY, name: "Qty" },
      SKU,
    ];
    const answer = await post("/drafts", { mapping: { columns, key: ["sku"], more: 1 }, cases: [{}] });
    expect(answer.status).toBe(400);
    expect(answer.json.type).toBe("urn:mailfeed:problem:invalid-body");
    const paths = (answer.json.faults as { path: string }[]).map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        "mapping.columns.0.transforms.0.pattern",
        "mapping.columns.1.name",
        "mapping",
        "cases.0.cells",
      ]),
    );
    expect(await states()).toEqual([]);
  });

  it.each<[string, unknown]>([
    ["no JSON", "{"],
    ["a list", []],
    ["nothing", ""],
    ["an unknown member", { ...GOOD, adapter: "x" }],
    ["a key that is no column", { mapping: { columns: [SKU], key: ["qty"] } }],
    ["a column twice", { mapping: { columns: [SKU, SKU], key: ["sku"] } }],
    ["an evil pattern", { mapping: { columns: [{ ...SKU, pattern: "(?<=(a+)+)b" }], key: ["sku"] } }],
    ["a pattern too large", { mapping: { columns: [{ ...SKU, pattern: "(a{50}){50}" }], key: ["sku"] } }],
    [
      "a table too large",
      {
        mapping: {
          columns: [
            {
              ...SKU,
              transforms: [
                {
                  do: "lookup",
                  otherwise: "keep",
                  table: Object.fromEntries(Array.from({ length: 5_001 }, (_, i) => [`k${i}`, "v"])),
                },
              ],
            },
          ],
          key: ["sku"],
        },
      },
    ],
    [
      "NUL in a table",
      {
        mapping: {
          columns: [{ ...SKU, transforms: [{ do: "lookup", otherwise: "keep", table: { "a\u0000": "b" } }] }],
          key: ["sku"],
        },
      },
    ],
    [
      "half a character in a header",
      { mapping: { columns: [{ ...SKU, source: { header: "\ud800" } }], key: ["sku"] } },
    ],
    ["a number for a mapping", { mapping: 7 }],
    [
      "columns without end",
      { mapping: { columns: Array.from({ length: 2_001 }, (_, i) => ({ ...SKU, name: `c${i}` })), key: ["c1"] } },
    ],
  ])("refuses %s", async (_, body) => {
    const answer = await post("/drafts", body);
    expect(answer.status).toBe(400);
    expect(answer.json.type).toBe("urn:mailfeed:problem:invalid-body");
    expect(await states()).toEqual([]);
  });

  it("refuses a body that is too large before it is read as JSON", async () => {
    expect((await post("/drafts", `{"note": "${"x".repeat(2 * 1_048_576)}"}`)).status).toBe(413);
  });

  it("keeps names that mean something to JavaScript as names", async () => {
    const body = `{"mapping": {"columns": [{"name": "sku", "source": {"header": "__proto__"}, "type": "identifier",
      "transforms": [{"do": "lookup", "table": {"constructor": "c", "toString": "t"}, "otherwise": "keep"}]}], "key": ["sku"]},
      "cases": [{"cells": {"constructor": "x"}, "expect": {"record": {}}}]}`;
    const answer = await post("/drafts", body);
    expect(answer.status).toBe(201);
    expect(answer.json.check).toMatchObject({ ok: false });
    expect(answer.text).toContain("No column reads “constructor”.");
  });
});

describe("trying", () => {
  it("reads a stored file by both mappings and writes nothing", async () => {
    const fileId = api.world.alpha.fileId;
    const answer = await post("/try", { file_id: fileId, version: await draft() });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      file_id: fileId,
      rows: 3,
      compared: 3,
      same: 2,
      changed: 0,
      rejected: 0,
      accepted: 1,
      still_rejected: 0,
      before_failure: null,
      examples: [
        {
          row: 2,
          before: { rejected: [{ code: "not-an-integer", column: "Qty" }] },
          after: { key: "A-2", record: { sku: "A-2", qty: 0 } },
        },
      ],
    });
    expect(opened).toEqual([{ rawKey: "raw/alpha/2026/11/20/x.eml", position: 0 }]);
    expect(await states()).toEqual(["1 proposed"]);
  });

  it("takes a mapping that is not even drafted", async () => {
    const mapping = { columns: [SKU], key: ["sku"] };
    expect((await post("/try", { file_id: api.world.alpha.fileId, mapping })).json).toMatchObject({
      changed: 2,
      accepted: 1,
    });
  });

  it("says plainly where the file has not what the mapping reads", async () => {
    const mapping = { columns: [SKU, { ...QTY, source: { header: "Stock" } }], key: ["sku"] };
    const answer = await post("/try", { file_id: api.world.alpha.fileId, mapping });
    expect(answer.status).toBe(422);
    expect(answer.json).toMatchObject({ type: "urn:mailfeed:problem:refused", code: "missing-column" });
    expect(answer.json.detail).toContain("lacks “Stock”");
  });

  it("does not open the file of another feed", async () => {
    const mapping = GOOD.mapping;
    for (const file_id of [api.world.beta.fileId, "999999999"]) {
      expect((await post("/try", { file_id, mapping })).status).toBe(404);
    }
    expect(opened).toEqual([]);
  });

  it.each([
    ["neither version nor mapping", { file_id: "1" }],
    ["both", { file_id: "1", version: 1, mapping: GOOD.mapping }],
    ["a file that is no id", { file_id: "../1", version: 1 }],
    ["a number for an id", { file_id: 1, version: 1 }],
  ])("refuses %s", async (_, body) => {
    expect((await post("/try", body)).status).toBe(400);
  });
});

describe("activating", () => {
  it("makes the version the one that files are read by, and writes down who did it", async () => {
    const version = await draft();
    const answer = await post(`/${version}/activate`, { note: "words for zero" });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ version: 1, before: null, check: { ok: true } });
    expect(answer.json.adapter_version).not.toBe(adapter.version);
    expect(await states()).toEqual(["1 active"]);
    expect(await audits()).toEqual([{ actor: "ops", action: "activate", subject: "mapping 1 of feed alpha/stock" }]);
  });

  it("again changes nothing", async () => {
    const version = await draft();
    await Promise.all([post(`/${version}/activate`), post(`/${version}/activate`), post(`/${version}/activate`)]);
    expect((await post(`/${version}/activate`)).status).toBe(200);
    expect(await audits()).toHaveLength(1);
  });

  it("is blocked by one case that does not hold, and the case is named", async () => {
    const failing = { name: "a wish", cells: { SKU: "A", Qty: "many" }, expect: { record: { qty: 9 } } };
    const version = await draft({ ...GOOD, cases: [...GOOD.cases, failing] });
    const answer = await post(`/${version}/activate`);
    expect(answer.status).toBe(422);
    expect(answer.json).toMatchObject({
      type: "urn:mailfeed:problem:not-acceptable-yet",
      detail: "1 of 2 cases do not hold: see “cases”.",
      cases: [{ name: "a wish", passed: false }],
    });
    expect(await states()).toEqual(["1 proposed"]);
    expect(await audits()).toEqual([]);
  });

  it("is blocked where the feed could not be read by it", async () => {
    const undecided = { name: "on", source: { header: "On" }, type: "date", format: "detect" };
    const version = await draft({ mapping: { columns: [SKU, undecided], key: ["sku"] } });
    const answer = await post(`/${version}/activate`);
    expect(answer.status).toBe(422);
    expect(answer.json.faults).toMatchObject([{ path: "columns.1.format" }]);
  });

  it("is blocked while nobody knows how the files are written", async () => {
    const { file: _, ...open } = adapter;
    const on = api.with({ adapterOf: () => open });
    const version = await draft();
    const answer = await post(`/${version}/activate`, {}, api.world.operator, on);
    expect(answer.status).toBe(422);
    expect(answer.text).toContain("accept a format profile first");
  });

  it.each(["/99/activate", "/0/activate", "/x/activate", "/1e3/activate"])("answers 404 to %s", async (path) => {
    expect((await post(path)).status).toBe(404);
  });

  it("refuses a version that was rejected", async () => {
    const version = await draft();
    await started.database.sql.query(
      "UPDATE feed_versions SET state = 'rejected', decided_at = now(), decided_by = 'x' WHERE version = $1",
      [version],
    );
    expect((await post(`/${version}/activate`)).status).toBe(409);
  });
});

describe("taking back", () => {
  const activeAfter = async (path: string) => {
    const answer = await post(path);
    expect(answer.status, answer.text).toBe(200);
    return states();
  };

  it("goes from version to version backwards, and every step is written down", async () => {
    for (const max of [5, 6, 7]) {
      const version = await draft({ mapping: { columns: [SKU, { ...QTY, max }], key: ["sku"] } });
      await post(`/${version}/activate`);
    }
    expect(await activeAfter("/rollback")).toEqual(["1 retired", "2 active", "3 retired"]);
    expect(await activeAfter("/rollback")).toEqual(["1 active", "2 retired", "3 retired"]);
    const answer = await post("/rollback");
    expect(answer.status).toBe(409);
    expect(answer.json.type).toBe("urn:mailfeed:problem:wrong-state");
    expect(await activeAfter("/3/activate")).toEqual(["1 retired", "2 retired", "3 active"]);
    expect(await audits()).toHaveLength(6);
  });

  it("never goes to a draft", async () => {
    await draft();
    await post(`/${await draft()}/activate`);
    expect((await post("/rollback")).status).toBe(409);
  });
});

describe("a customer's token", () => {
  it("neither looks nor changes anything", async () => {
    const version = await draft();
    const { token } = api.world.alpha;
    const answers = [
      await api.get(at(""), token),
      await post("/drafts", GOOD, token),
      await post("/try", { file_id: api.world.alpha.fileId, version }, token),
      await post(`/${version}/activate`, {}, token),
      await post("/rollback", {}, token),
    ];
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403, 403]);
    expect(await states()).toEqual(["1 proposed"]);
  });
});
