/** Files that the gate holds, over the API: who sees them, who decides, once. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { report } from "../../src/domain/failures.ts";
import { force } from "../support/force-state.ts";
import { type Api, startApi } from "./harness.ts";
import { held, seedBehind, seedDelivery, seedFile, seedHold, TELLING, WIDENING } from "./seed.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.drop();
});
beforeEach(async () => {
  await api.database.sql.query("TRUNCATE holds, audit_log");
  await api.database.sql.query("UPDATE feeds SET gate_widening = '{}'");
  await force(api.database.sql, "UPDATE files SET state = 'rejected' WHERE state = 'held'", []);
  api.messages.length = 0;
});

const { alpha, operator } = { alpha: () => api.world.alpha, operator: () => api.world.operator };
const post = (path: string, body?: unknown, token = operator()) =>
  api.send(path, { method: "POST", ...(body === undefined ? {} : { body: JSON.stringify(body) }) }, token);
const release = (id: string, query = "") => post(`/v1/files/${id}/release${query}`);
const reject = (id: string) => post(`/v1/files/${id}/reject`, { reason: "wrong warehouse" });
const rowOf = async (id: string) =>
  (
    await api.database.sql.query(
      `SELECT x.state, x.released_by, x.failure->>'code' AS code, f.gate_widening AS widening
       FROM files x JOIN feeds f ON f.id = x.feed_id WHERE x.id = $1`,
      [id],
    )
  )[0];
const audits = (id: string) =>
  api.database.sql.query("SELECT actor, action FROM audit_log WHERE subject = $1", [`file ${id}`]);
const woken = () => api.messages.map((message) => ("fileId" in message ? message.fileId : message.type));

describe("the list of holds", () => {
  it("shows what waits with reasons, numbers, telling rows and its time, and never what its links are made of", async () => {
    const { fileId, holdId, nonce } = await seedHold(api.database, alpha());
    await seedBehind(api.database, alpha(), fileId);
    const answer = await api.get("/v1/holds", operator());
    expect(answer.status).toBe(200);
    expect(answer.json.items).toMatchObject([
      {
        id: holdId,
        file_id: fileId,
        customer: "alpha",
        feed: "stock",
        state: "held",
        reasons: [{ check: "retired", field: null, found: 5_764, limit: 0.1 }],
        numbers: { records: 12_412, inserted: 4, changed: 391, retired: 5_764 },
        widening: WIDENING,
        behind: 1,
        over: false,
        expires_at: "2026-11-27T06:00:00.000Z",
        decision: null,
        decided_by: null,
      },
    ]);
    expect(answer.json.items[0]!.telling).toHaveLength(TELLING.length);
    expect(answer.text).not.toContain(nonce);
  });

  it("is of a customer or feed where that is asked, in pages, and of those that are decided", async () => {
    const first = await seedHold(api.database, alpha());
    const second = await seedHold(api.database, alpha());
    await seedHold(api.database, api.world.beta);
    await reject(first.fileId);
    const page = await api.get("/v1/holds?customer=alpha&feed=stock&limit=1", operator());
    expect([page.json.items.map((one) => one.file_id), page.json.next]).toEqual([[second.fileId], null]);
    const all = await api.get("/v1/holds?limit=1", operator());
    const rest = await api.get(`/v1/holds?limit=1&cursor=${all.json.next}`, operator());
    expect(rest.json.items.map((one) => one.file_id)).toEqual([second.fileId]);
    const decided = await api.get("/v1/holds?state=decided", operator());
    expect(decided.json.items).toMatchObject([{ file_id: first.fileId, decision: "reject", decided_by: "ops" }]);
    expect((await api.get("/v1/holds?customer=nobody", operator())).status).toBe(404);
  });

  it("does not show a file that went on by another way", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    await force(api.database.sql, "UPDATE files SET state = 'parsed', failure = NULL WHERE id = $1", [fileId]);
    expect((await api.get("/v1/holds", operator())).json.items).toEqual([]);
    const answer = await release(fileId);
    expect([answer.status, answer.json.state]).toEqual([409, "parsed"]);
  });
});

describe("a file that is held", () => {
  it("shows its hold to its customer, without who decided, and to no other customer", async () => {
    const { fileId, nonce } = await seedHold(api.database, alpha());
    const own = await api.get(`/v1/files/${fileId}`, alpha().token);
    expect(own.json.hold).toMatchObject({ file_id: fileId, decision: null, reasons: [{ check: "retired" }] });
    expect(own.text).not.toContain(nonce);
    await reject(fileId);
    const after = await api.get(`/v1/files/${fileId}`, alpha().token);
    expect(after.json.hold).toMatchObject({ decision: "reject" });
    expect(after.json.hold).not.toHaveProperty("decided_by");
    expect((await api.get(`/v1/files/${fileId}`, api.world.beta.token)).status).toBe(404);
    expect((await api.get(`/v1/files/${alpha().fileId}`, alpha().token)).json.hold).toBeNull();
  });

  it("is decided about by operators alone", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    for (const path of [`/v1/files/${fileId}/release`, `/v1/files/${fileId}/reject`, "/v1/holds"]) {
      const method = path === "/v1/holds" ? "GET" : "POST";
      expect((await api.send(path, { method }, alpha().token)).status).toBe(403);
      expect((await api.send(path, { method })).status).toBe(401);
    }
    expect(await rowOf(fileId)).toMatchObject({ state: "held" });
  });
});

describe("deciding about it", () => {
  it("released, it is applied, and those that waited behind it go on in their order", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    const behind = await seedBehind(api.database, alpha(), fileId);
    const answer = await release(fileId);
    expect(answer.status).toBe(202);
    expect(answer.json).toMatchObject({
      file: { id: fileId, state: "parsed" },
      hold: { decision: "release", decided_by: "ops" },
      sent: true,
      status_url: `/v1/files/${fileId}`,
    });
    expect(woken()).toEqual([fileId, behind]);
    expect(api.messages[0]).toMatchObject({ type: "apply-file", customer: "alpha", feed: "stock", rows: 9 });
    expect(await rowOf(fileId)).toEqual({ state: "parsed", released_by: "ops", code: null, widening: {} });
    expect(await rowOf(behind)).toMatchObject({ state: "parsed", code: null });
    expect(await audits(fileId)).toEqual([{ actor: "ops", action: "release" }]);
  });

  it("released and widened, the feed's limits follow", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    expect((await release(fileId, "?widen=true")).status).toBe(202);
    expect(await rowOf(fileId)).toMatchObject({ state: "parsed", widening: WIDENING });
    expect(await audits(fileId)).toEqual([{ actor: "ops", action: "widen" }]);
  });

  it("released and widened, the limits are shown with the feed and can be taken back, which is written down once", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    await release(fileId, "?widen=true");
    const feed = async () => (await api.get("/v1/feeds/alpha/stock", operator())).json.gate_widening;
    expect(await feed()).toEqual(WIDENING);
    const narrow = () => post("/v1/feeds/alpha/stock/gate/narrow");
    expect((await narrow()).json).toEqual({ customer: "alpha", feed: "stock", gate_widening: {}, was: WIDENING });
    expect((await narrow()).json).toMatchObject({ was: {} });
    expect(await feed()).toEqual({});
    const lines = await api.database.sql.query("SELECT actor, detail FROM audit_log WHERE action = 'narrow'");
    expect(lines).toEqual([{ actor: "ops", detail: { was: WIDENING } }]);
    expect((await post("/v1/feeds/alpha/stock/gate/narrow", {}, alpha().token)).status).toBe(403);
  });

  it("rejected, it says who refused it and why, and those behind it go on", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    const behind = await seedBehind(api.database, alpha(), fileId);
    const answer = await reject(fileId);
    expect([answer.status, answer.json.file]).toEqual([200, { id: fileId, state: "rejected" }]);
    expect(await rowOf(fileId)).toMatchObject({ state: "rejected", code: "refused-by-operator" });
    expect(woken()).toEqual([behind]);
  });

  it("counts once: the same again does no harm, and who decides otherwise is told what was decided and by whom", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    await release(fileId);
    expect((await release(fileId)).status).toBe(202);
    expect(woken(), "its message is sent again while it has not moved").toEqual([fileId, fileId]);
    for (const other of [await reject(fileId), await release(fileId, "?widen=true")]) {
      expect(other.status).toBe(409);
      expect(other.json).toMatchObject({
        type: "urn:mailfeed:problem:wrong-state",
        decision: "release",
        decided_by: "ops",
        detail: expect.stringContaining("“release”, by ops at 2"),
      });
    }
    expect(await rowOf(fileId)).toMatchObject({ state: "parsed", widening: {} });
    expect(await audits(fileId)).toHaveLength(1);
  });

  it("counts once for ten at the same moment", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? release(fileId) : reject(fileId))),
    );
    const won = answers
      .filter(({ status }) => status < 300)
      .map(({ json }) => (json.hold as { decision: string }).decision);
    expect([won.length, new Set(won).size]).toEqual([5, 1]);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(5);
    expect(await audits(fileId)).toHaveLength(1);
  });

  it("after its time it is not released any more, only rejected", async () => {
    const { fileId } = await seedHold(api.database, alpha(), { expires_at: "2026-11-20T12:00:00.000Z" });
    for (const query of ["", "?widen=true"]) {
      const answer = await release(fileId, query);
      expect([answer.status, answer.json.type]).toEqual([409, "urn:mailfeed:problem:not-releasable"]);
    }
    expect((await api.get("/v1/holds", operator())).json.items).toMatchObject([{ over: true }]);
    expect(await rowOf(fileId)).toMatchObject({ state: "held" });
    expect((await reject(fileId)).status).toBe(200);
  });

  it("stands although the queue is away: it is said that its message is still to be sent", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    const away = api.with({
      holds: { ...api.holds, enqueueApply: () => Promise.reject(new Error("queue away")) },
    });
    const answer = await away.send(`/v1/files/${fileId}/release`, { method: "POST" }, operator());
    expect([answer.status, answer.json.sent]).toEqual([202, false]);
    expect(answer.text).not.toContain("queue away");
    expect(await rowOf(fileId)).toMatchObject({ state: "parsed" });
    expect((await release(fileId)).json.sent).toBe(true);
    expect(woken()).toEqual([fileId]);
  });

  it("is of one question only: a file that is held for something else since is released as such", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    await release(fileId);
    await force(api.database.sql, "UPDATE files SET state = 'held', failure = $2 WHERE id = $1", [
      fileId,
      JSON.stringify(held.failure),
    ]);
    expect((await release(fileId)).json).toEqual({
      file: { id: fileId, state: "parsed" },
      status_url: `/v1/files/${fileId}`,
    });
  });

  it("is by its hold alone: a file that the gate holds while it is being refused for something else is not refused past it", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    await force(api.database.sql, "UPDATE files SET state = 'parsed', failure = NULL WHERE id = $1", [fileId]);
    const failure = report("blast-radius", { sentences: [], tripped: [] });
    // Looked at while it is on its way; held by the gate before it is refused.
    const late = api.with({
      holds: {
        ...api.holds,
        tables: {
          ...api.holds.tables,
          async of() {
            await force(api.database.sql, "UPDATE files SET state = 'held', failure = $2 WHERE id = $1", [
              fileId,
              JSON.stringify(failure),
            ]);
            return undefined;
          },
        },
      },
    });
    const answer = await late.send(
      `/v1/files/${fileId}/reject`,
      { method: "POST", body: JSON.stringify({ reason: "wrong warehouse" }) },
      operator(),
    );
    expect([answer.status, answer.json.detail]).toEqual([409, expect.stringContaining("held for something else")]);
    expect(await rowOf(fileId)).toMatchObject({ state: "held", code: "blast-radius" });
    expect((await reject(fileId)).json.hold).toMatchObject({ decision: "reject" });
  });

  it("of what was loaded before the file was held it does not say that nothing was", async () => {
    const failure = report("retires-more-than-planned", { planned: 5, missing: 15 });
    const id = await seedFile(api.database, alpha(), await seedDelivery(api.database, alpha()), { ...held, failure });
    expect((await reject(id)).status).toBe(200);
    const { failure: refused } = (await api.get(`/v1/files/${id}`, operator())).json;
    expect([refused.code, refused.hint]).toEqual([
      "refused-by-operator",
      expect.stringMatching(/^What had been loaded/),
    ]);
  });

  it("widens nothing of a file that is held for something else, and releases none that waits behind another", async () => {
    const { fileId } = await seedHold(api.database, alpha());
    const other = await seedFile(api.database, alpha(), await seedDelivery(api.database, alpha()), held);
    const behind = await seedBehind(api.database, alpha(), fileId);
    for (const [id, query] of [
      [other, "?widen=true"],
      [behind, ""],
    ] as const) {
      expect((await release(id, query)).json.type).toBe("urn:mailfeed:problem:not-releasable");
      expect(await rowOf(id)).toMatchObject({ state: "held" });
    }
    expect((await release(fileId, "?widen=yes")).status).toBe(400);
  });
});
