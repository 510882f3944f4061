/** Records as of a moment, and the order to bring them back to it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordIdOf } from "../../src/api/query/record-id.ts";
import { type Answer, type Api, startApi } from "./harness.ts";
import { type Feed, seedChange, seedRecord, seedSecondFeed } from "./seed.ts";

let api: Api;
let shelf: Feed;
beforeAll(async () => {
  api = await startApi();
  shelf = await seedSecondFeed(api.database, api.world.alpha, "shelf");
  await api.database.sql.query("UPDATE feeds SET created_at = now() - interval '9 days' WHERE id = $1", [shelf.feedId]);
  // A: changed five days ago. B: came three days ago. C: has been gone for a day. D: as ever.
  await past("A", { sku: "A", qty: 2 }, [
    { version: 1, days: 8, after: { sku: "A", qty: 1 } },
    { version: 2, days: 5, kind: "changed", before: { sku: "A", qty: 1 }, after: { sku: "A", qty: 2 } },
  ]);
  await past("B", { sku: "B" }, [{ version: 1, days: 3, after: { sku: "B" } }]);
  await past("C", { sku: "C" }, [
    { version: 1, days: 8, after: { sku: "C" } },
    { version: 2, days: 1, kind: "retired", before: { sku: "C" }, after: null },
  ]);
  await past("D", { sku: "D" }, [{ version: 1, days: 8, after: { sku: "D" } }]);
});
afterAll(async () => {
  await api.drop();
});

const BEGUN_MS = Date.now();
const daysAgo = (days: number): string => new Date(BEGUN_MS - days * 86_400_000).toISOString();

interface Version {
  readonly version: number;
  readonly days: number;
  readonly kind?: "changed" | "retired" | "restored";
  readonly before?: object;
  readonly after: object | null;
}

async function past(key: string, data: object, versions: readonly Version[]): Promise<void> {
  const { fileId } = api.world.alpha;
  const id = await seedRecord(api.database, shelf, fileId, key, { ...data });
  await api.database.sql.query("DELETE FROM changes WHERE record_id = $1", [id]);
  for (const { days, ...version } of versions) {
    await seedChange(api.database, shelf, fileId, {
      record_id: id,
      natural_key: key,
      created_at: daysAgo(days),
      row_hash: `${String(version.version).repeat(8)}-0000-0000-0000-000000000000`,
      ...version,
    });
  }
  const last = versions.at(-1)!;
  await api.database.sql.query(
    "UPDATE records SET version = $2, status = $3, first_seen_at = $4, updated_at = $5, row_hash = $6 WHERE id = $1",
    [
      id,
      last.version,
      last.after === null ? "retired" : "active",
      daysAgo(versions[0]!.days),
      daysAgo(last.days),
      last.after === null
        ? "00000000-0000-0000-0000-000000000000"
        : `${String(last.version).repeat(8)}-0000-0000-0000-000000000000`,
    ],
  );
}

const listed = (answer: Answer) =>
  answer.json.items.map(({ key, status, version, data }) => ({ key, status, version, data }));
const asOf = (days: number) => `/v1/records?customer=alpha&feed=shelf&as_of=${daysAgo(days)}`;
const previewed = async () => {
  const answer = await order({ to: daysAgo(6), feed: "shelf", preview: true });
  return answer.json.preview as { readonly to: string; readonly digest: string };
};
const order = (body: object, token = api.world.operator, customer = "alpha"): Promise<Answer> =>
  api.send(`/v1/customers/${customer}/restore`, { method: "POST", body: JSON.stringify(body) }, token);

describe("records as of a moment", () => {
  it("are those that were there, as they were, with the place that said so", async () => {
    const answer = await api.get(asOf(6), api.world.alpha.token);
    expect(listed(answer)).toEqual([
      { key: "A", status: "active", version: 1, data: { sku: "A", qty: 1 } },
      { key: "C", status: "active", version: 1, data: { sku: "C" } },
      { key: "D", status: "active", version: 1, data: { sku: "D" } },
    ]);
    expect(answer.json.items[0]).toMatchObject({ file: { id: api.world.alpha.fileId, line: 3 } });
    expect(listed(await api.get(asOf(0), api.world.alpha.token))).toEqual(
      listed(await api.get("/v1/records?customer=alpha&feed=shelf", api.world.alpha.token)),
    );
  });

  it("are found one by one, or not at all before they came", async () => {
    const id = (key: string) => recordIdOf({ customer: "alpha", feed: "shelf", key });
    const one = await api.get(`/v1/records/${id("A")}?as_of=${daysAgo(6)}`, api.world.alpha.token);
    expect(one.json).toMatchObject({ key: "A", version: 1, data: { sku: "A", qty: 1 } });
    expect((await api.get(`/v1/records/${id("B")}?as_of=${daysAgo(6)}`, api.world.alpha.token)).status).toBe(404);
    expect(listed(await api.get(`${asOf(6)}&key=C`, api.world.alpha.token))).toHaveLength(1);
    expect(listed(await api.get(`${asOf(6)}&key=B`, api.world.alpha.token))).toEqual([]);
  });

  it("come page by page, and a cursor leads through one moment alone", async () => {
    const path = asOf(2);
    const keys: unknown[] = [];
    let cursor = "";
    do {
      const page = await api.get(`${path}&limit=1${cursor}`, api.world.alpha.token);
      keys.push(...page.json.items.map((item) => item.key));
      cursor = page.json.next === null ? "" : `&cursor=${page.json.next}`;
    } while (cursor !== "");
    expect(keys).toEqual(["A", "B", "C", "D"]);
    const { next } = (await api.get(`${path}&limit=1`, api.world.alpha.token)).json;
    const other = await api.get(`${asOf(1.5)}&cursor=${next}`, api.world.alpha.token);
    expect([other.status, other.json.type]).toEqual([400, "urn:mailfeed:problem:invalid-cursor"]);
  });

  it("cannot be asked of the future, of a time before the history, or in other words", async () => {
    const ahead = await api.get(asOf(-1), api.world.alpha.token);
    expect([ahead.status, ahead.json.parameter]).toEqual([400, "as_of"]);
    const early = await api.get(asOf(10), api.world.alpha.token);
    expect([early.status, early.json.code]).toEqual([422, "history-too-short"]);
    expect(String(early.json.detail)).toContain("(alpha/shelf)");
    for (const moment of ["yesterday", "2026-11-20", "2026-11-20T12:00:00", "", "2026-11-20T12:00:00Z' OR '1'='1"]) {
      const path = `/v1/records?customer=alpha&feed=shelf&as_of=${encodeURIComponent(moment)}`;
      expect((await api.get(path, api.world.alpha.token)).status).toBe(400);
    }
  });

  it("are not shown to another customer, nor is how far its history goes back", async () => {
    for (const path of [asOf(6), asOf(10), asOf(-1)]) {
      expect((await api.get(path, api.world.beta.token)).status).toBe(404);
    }
  });

  it("that were forgotten are not made up: behind a day that was dropped nothing is answered", async () => {
    const upto = daysAgo(7);
    await api.database.sql.query("INSERT INTO forgotten VALUES ('changes', $1)", [upto]);
    const early = await api.get(asOf(8), api.world.alpha.token);
    expect([early.status, early.json.history_from]).toEqual([422, upto]);
    expect((await api.get(asOf(6), api.world.alpha.token)).status).toBe(200);
    await api.database.sql.query("DELETE FROM forgotten");
  });
});

describe("a restore over the API", () => {
  it("shows what it would do and writes nothing", async () => {
    const answer = await order({ to: daysAgo(6), feed: "shelf", preview: true });
    expect(answer.status).toBe(200);
    expect(answer.json.preview).toMatchObject({
      customer: "alpha",
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      feeds: [
        {
          feed: "shelf",
          changes: 1,
          restores: 1,
          retirements: 1,
          fields: { qty: 1 },
          samples: [
            { key: "A", does: "change", fields: ["qty"], now: { qty: 2 }, was: { qty: 1 } },
            { key: "C", does: "restore", fields: ["sku"], now: null, was: { sku: "C" } },
            { key: "B", does: "retire", fields: ["sku"], now: { sku: "B" }, was: null },
          ],
        },
      ],
      left: [],
    });
    expect(await api.database.sql.query("SELECT FROM restores")).toEqual([]);
    expect(api.archived).toEqual([]);
  });

  it("of a customer leaves the feeds alone whose history does not go back so far, and says which", async () => {
    const answer = await order({ to: daysAgo(6), preview: true });
    expect(answer.json.preview).toMatchObject({
      feeds: [{ feed: "shelf" }],
      left: [{ feed: "stock", history_from: expect.any(String) }],
    });
  });

  it("needs a preview or its digest, a moment that has been, and a history that goes back to it", async () => {
    const digest = "0".repeat(64);
    for (const body of [
      { to: daysAgo(6) },
      { to: daysAgo(6), preview: true, digest },
      { to: daysAgo(6), digest: "x" },
      { to: daysAgo(6), preview: false },
      { to: "yesterday", preview: true },
      { preview: true },
      { to: daysAgo(-1), preview: true },
      { to: daysAgo(6), preview: true, feed: "../x" },
    ]) {
      expect((await order(body)).status).toBe(400);
    }
    const early = await order({ to: daysAgo(6), feed: "stock", preview: true });
    expect([early.status, early.json.code]).toEqual([422, "history-too-short"]);
    expect((await order({ to: daysAgo(6), feed: "nothing", preview: true })).status).toBe(404);
    expect((await order({ to: daysAgo(6), preview: true }, api.world.operator, "nobody")).status).toBe(404);
  });

  it("is refused where its digest is not that of what there is, and nothing is written", async () => {
    const preview = await previewed();
    for (const [to, digest] of [
      [preview.to, "0".repeat(64)],
      [daysAgo(5.5), preview.digest],
    ]) {
      const answer = await order({ to, feed: "shelf", digest });
      expect([answer.status, answer.json.type]).toEqual([409, "urn:mailfeed:problem:wrong-state"]);
    }
    expect(await api.database.sql.query("SELECT FROM restores")).toEqual([]);
  });

  it("is an operator's alone, is written down with his name, and ordered twice it is one", async () => {
    const preview = await previewed();
    const { to, digest } = preview;
    expect((await order({ to, digest }, api.world.alpha.token)).status).toBe(403);
    const first = await order({ to, feed: "shelf", digest });
    const second = await order({ to, feed: "shelf", digest });
    expect(first.status).toBe(202);
    expect(first.json.restore).toMatchObject({
      files: [{ feed: "shelf", part: 1, of: 1, records: 3, state: "parsed" }],
    });
    expect(second.json).toEqual(first.json);
    expect(api.archived).toEqual([expect.stringMatching(/^raw\/alpha\/.*\.ndjson$/)]);
    const [log, ...more] = await api.database.sql.query(
      "SELECT actor, subject, detail FROM audit_log WHERE action = 'restore'",
    );
    expect(log).toMatchObject({ actor: "ops", subject: "feed alpha/shelf", detail: { to, digest } });
    expect(more).toEqual([]);
    expect(JSON.stringify(log!.detail)).not.toContain("sku");

    const list = await api.get("/v1/customers/alpha/restores", api.world.operator);
    expect(list.json.items).toMatchObject([
      {
        customer: "alpha",
        feed: "shelf",
        to,
        digest,
        ordered_by: "ops",
        records: { planned: 3, applied: 0 },
        parts: { planned: 1, made: 1 },
      },
    ]);
    expect((await api.get(`/v1/customers/beta/restores?digest=${digest}`, api.world.operator)).json.items).toEqual([]);
    const { files } = first.json.restore as { files: { id: string }[] };
    const file = await api.get(`/v1/files/${files[0]!.id}`, api.world.alpha.token);
    expect(file.json).toMatchObject({ state: "parsed", cause: "restore", complete: false });
    const annotated = await api.get(`/v1/files/${files[0]!.id}/rejects.csv`, api.world.operator);
    expect([annotated.status, annotated.json.type]).toEqual([409, "urn:mailfeed:problem:wrong-state"]);
  });
});
