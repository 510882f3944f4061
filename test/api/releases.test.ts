import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { report } from "../../src/domain/failures.ts";
import { type Api, startApi } from "./harness.ts";
import { held, quarantined, seedDelivery, seedFile } from "./seed.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.drop();
});
beforeEach(() => {
  api.messages.length = 0;
});

const release = (what: "deliveries" | "files", id: string, on: Api = api) =>
  on.send(`/v1/${what}/${id}/release`, { method: "POST" }, api.world.operator);
const audits = (subject: string) =>
  api.database.sql.query("SELECT actor, action, detail->'failure'->>'code' AS code FROM audit_log WHERE subject = $1", [
    subject,
  ]);
const rowOf = async (table: "deliveries" | "files", id: string) =>
  (await api.database.sql.query(`SELECT state, failure, released_by FROM ${table} WHERE id = $1`, [id]))[0];

describe("releasing a quarantined delivery", () => {
  it("sends it to be parsed and writes down who did it and what was set aside", async () => {
    const id = await seedDelivery(api.database, api.world.alpha, quarantined);
    const answer = await release("deliveries", id);
    expect(answer.status).toBe(202);
    expect(answer.json).toEqual({ delivery: { id, state: "parsing" }, status_url: `/v1/deliveries/${id}` });
    expect(api.messages).toEqual([
      {
        v: 2,
        type: "parse-delivery",
        customer: "alpha",
        feed: "stock",
        correlationId: id,
        rawKey: "raw/alpha/2026/11/20/x.eml",
      },
    ]);
    expect(await rowOf("deliveries", id)).toEqual({ state: "parsing", failure: null, released_by: "ops" });
    expect(await audits(`delivery ${id}`)).toEqual([{ actor: "ops", action: "release", code: "sender-not-proven" }]);
  });

  it("does no harm again: one audit line, and the wake-up only as long as nothing has moved", async () => {
    const id = await seedDelivery(api.database, api.world.alpha, quarantined);
    const answers = await Promise.all([
      release("deliveries", id),
      release("deliveries", id),
      release("deliveries", id),
    ]);
    expect(answers.map((a) => a.status)).toEqual([202, 202, 202]);
    expect(await audits(`delivery ${id}`)).toHaveLength(1);
    await api.database.sql.query("UPDATE deliveries SET state = 'parsed' WHERE id = $1", [id]);
    const before = api.messages.length;
    const late = await release("deliveries", id);
    expect(late.json.delivery).toEqual({ id, state: "parsed" });
    expect(api.messages).toHaveLength(before);
  });

  it("is asked for again when the queue did not take the message, and the message goes out then", async () => {
    const id = await seedDelivery(api.database, api.world.alpha, quarantined);
    const broken = api.with({ enqueueParse: () => Promise.reject(new Error("queue away")) });
    const refused = await release("deliveries", id, broken);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("Retry-After")).toBe("5");
    expect(refused.text).not.toContain("queue away");
    expect((await release("deliveries", id)).status).toBe(202);
    expect(api.messages).toHaveLength(1);
    expect(await audits(`delivery ${id}`)).toHaveLength(1);
  });

  it.each([
    ["parsing", null],
    ["parsed", null],
    ["rejected", report("no-payload", { found: "nothing" })],
    ["ignored", report("automatic-mail", { sign: "x" })],
    ["dead", report("raw-missing", { key: "k" })],
  ])("is refused for one that is %s", async (state, failure) => {
    const id = await seedDelivery(api.database, api.world.alpha, { state, failure });
    const answer = await release("deliveries", id);
    expect(answer.status).toBe(409);
    expect(answer.json).toMatchObject({ type: "urn:mailfeed:problem:wrong-state", state });
    expect(api.messages).toEqual([]);
    expect(await audits(`delivery ${id}`)).toEqual([]);
    expect(await rowOf("deliveries", id)).toMatchObject({ state, released_by: null });
  });

  it.each(["f".repeat(32), "x", "1"])("is 404 for %s, which is not there", async (id) => {
    expect((await release("deliveries", id)).status).toBe(404);
  });
});

describe("releasing a held file", () => {
  const seedHeld = async (values = {}) =>
    seedFile(api.database, api.world.alpha, await seedDelivery(api.database, api.world.alpha), { ...held, ...values });

  it("sends it to be applied and writes down who did it", async () => {
    const id = await seedHeld();
    const answer = await release("files", id);
    expect(answer.status).toBe(202);
    expect(answer.json).toEqual({ file: { id, state: "parsed" }, status_url: `/v1/files/${id}` });
    expect(api.messages).toMatchObject([{ v: 2, type: "apply-file", customer: "alpha", feed: "stock", fileId: id }]);
    expect(await rowOf("files", id)).toEqual({ state: "parsed", failure: null, released_by: "ops" });
    expect(await audits(`file ${id}`)).toEqual([{ actor: "ops", action: "release", code: "too-many-rejects" }]);
  });

  it("does no harm again, also while and after it is applied", async () => {
    const id = await seedHeld();
    await Promise.all([release("files", id), release("files", id)]);
    expect(await audits(`file ${id}`)).toHaveLength(1);
    const before = api.messages.length;
    await api.database.sql.query("UPDATE files SET state = 'applying' WHERE id = $1", [id]);
    expect((await release("files", id)).json.file).toEqual({ id, state: "applying" });
    expect(api.messages).toHaveLength(before);
  });

  it("is refused for a failure that nobody's decision mends, and for books that do not balance", async () => {
    const unbalanced = report("books-unbalanced", { side: "lines", expected: 2, counted: 1 });
    const ids = [await seedHeld({ failure: unbalanced }), await seedHeld({ footer_lines: 0 })];
    for (const id of ids) {
      const answer = await release("files", id);
      expect(answer.status).toBe(409);
      expect(answer.json.type).toBe("urn:mailfeed:problem:not-releasable");
      expect(await rowOf("files", id)).toMatchObject({ state: "held", released_by: null });
      expect(await audits(`file ${id}`)).toEqual([]);
    }
    expect(api.messages).toEqual([]);
  });

  it("is refused for a file in another state", async () => {
    const answer = await release("files", api.world.alpha.fileId);
    expect(answer.status).toBe(409);
    expect(answer.json).toMatchObject({ type: "urn:mailfeed:problem:wrong-state", state: "applied" });
  });
});
