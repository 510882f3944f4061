/** An operator's decisions about formats: what they change, what they refuse, and that doing them twice does no harm. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FormatProfile, OpenQuestion, Proposed } from "../../src/domain/feed-version.ts";
import type { ParseDelivery } from "../../src/domain/messages.ts";
import { type Answer, type Api, startApi } from "./harness.ts";
import { drifted, held, PROFILE, type Side, seedDelivery, seedFile, seedVersion } from "./seed.ts";

let api: Api;
let alpha: Side;
beforeEach(async () => {
  api = await startApi();
  alpha = api.world.alpha;
});
afterEach(() => api.drop());

const post = (path: string, body: unknown = {}, on: Api = api): Promise<Answer> =>
  on.send(path, { method: "POST", body: JSON.stringify(body) }, api.world.operator);
const ACCEPT = "/v1/feeds/alpha/stock/profile/accept";
const REJECT = "/v1/feeds/alpha/stock/profile/reject";
const question: OpenQuestion = {
  what: "decimalMark",
  column: "Price",
  options: [".", ","],
  assumed: null,
  reason: "No value has decimals.",
};

const unconfirmed = { ...drifted("alpha"), drift_report: null, failure: failureOf("format-unconfirmed") };
function failureOf(code: string) {
  return { code, disposition: "hold", actor: "operator", sentence: "It waits.", hint: "", evidence: {} };
}

/** A delivery of its own with one file that is held. */
async function waiting(values: Record<string, unknown>): Promise<{ id: string; delivery: string }> {
  const delivery = await seedDelivery(api.database, alpha);
  return { delivery, id: await seedFile(api.database, alpha, delivery, { position: 0, ...values }) };
}
const stateOf = async (id: string) => (await api.database.sql`SELECT state FROM files WHERE id = ${id}`)[0]!.state;
const audited = () => api.database.sql`SELECT actor, action, subject FROM audit_log ORDER BY id`;
const woken = () => api.messages.map((message) => (message as ParseDelivery).correlationId);

describe("accepting a proposal", () => {
  it("pins it and wakes all that waited for it, in the order of the files; again it changes nothing", async () => {
    await seedVersion(api.database, alpha);
    const files: Awaited<ReturnType<typeof waiting>>[] = [];
    for (const place of [4, 2, 6, 1, 5, 3]) {
      files[place - 1] = await waiting({ ...unconfirmed, order_key: `00000000-0000-0000-0000-00000000000${place}` });
    }
    const other = await waiting({ ...held, order_key: "00000000-0000-0000-0000-000000000007" });
    expect((await post(ACCEPT, { note: "looks right" })).status).toBe(202);
    expect(woken()).toEqual(files.map(({ delivery }) => delivery));
    expect(await Promise.all(files.map(({ id }) => stateOf(id)))).toEqual(files.map(() => "parsing"));
    expect(await stateOf(other.id)).toBe("held");
    const after = await audited();
    expect(after).toEqual([{ actor: "ops", action: "activate", subject: "profile 1 of feed alpha/stock" }]);
    expect((await post(ACCEPT)).status).toBe(202);
    expect(await audited()).toEqual(after);
  });

  it("tells that the queue was away, keeps the decision, and wakes when called again", async () => {
    await seedVersion(api.database, alpha);
    const { delivery } = await waiting(unconfirmed);
    const down = api.with({
      enqueueParse: async () => {
        throw new Error("the queue is away");
      },
    });
    const answer = await post(ACCEPT, {}, down);
    expect([answer.status, answer.headers.get("Retry-After")]).toEqual([503, "5"]);
    expect((await post(ACCEPT)).status).toBe(202);
    expect(woken()).toEqual([delivery]);
  });

  it("is refused while a question is open, with all of them", async () => {
    await seedVersion(api.database, alpha, { evidence: { questions: [question], faults: [] } });
    const answer = await post(ACCEPT);
    expect(answer.status).toBe(422);
    expect(answer.json).toMatchObject({ type: "urn:mailfeed:problem:not-acceptable-yet", questions: [question] });
  });

  it("takes no answer that is none of the options: nobody's guess, and not the command of the mail as it stands", async () => {
    await seedVersion(api.database, alpha, { evidence: { questions: [question], faults: [] } });
    for (const given of [". | ,", "", "point"]) {
      const answers = [{ what: "decimalMark", column: "Price", answer: given }];
      const answer = await post(ACCEPT, { answers });
      expect(answer.status).toBe(400);
      expect(answer.json.faults).toEqual([{ path: "answers.0.answer", message: "is none of ., ," }]);
    }
  });

  it("proposes again with the answers, and pins what comes of it", async () => {
    const first = await waiting(unconfirmed);
    await seedVersion(api.database, alpha, { file_id: first.id, evidence: { questions: [question], faults: [] } });
    const answers = [{ what: "decimalMark", column: "Price", answer: "," }];
    const asked: unknown[] = [];
    const on = api.with({
      propose: async (file, given): Promise<Proposed> => {
        asked.push([file.position, given]);
        const profile = { ...PROFILE, answers: given } as FormatProfile;
        return { profile, mapping: null, questions: [], faults: [] };
      },
    });
    expect((await post(ACCEPT, { answers }, on)).status).toBe(202);
    expect(asked).toEqual([[0, answers]]);
    const [row] = await api.database.sql`SELECT data FROM feed_versions WHERE state = 'active'`;
    expect(row!.data).toMatchObject({ answers });
  });

  it("names every fault of a profile that was edited, by its path", async () => {
    await seedVersion(api.database, alpha);
    const columns = [{ name: "Something else", reading: {} }];
    const answer = await post(ACCEPT, { profile: { ...PROFILE, columns } });
    expect(answer.status).toBe(422);
    expect(answer.json.faults).toEqual([
      { path: "mapping.columns.0.source", message: "“SKU” is no column of the file" },
    ]);
    const wrong = await post(ACCEPT, { profile: { format: { header: true, quote: "`", colour: "red" } }, notes: 1 });
    expect(wrong.status).toBe(400);
    expect((wrong.json.faults as { path: string }[]).map(({ path }) => path).sort()).toEqual(
      ["", "profile.format", "profile.format.quote"].sort(),
    );
  });

  it("says that there is nothing to accept, and takes no body that is no JSON", async () => {
    expect((await post(ACCEPT)).json.type).toBe("urn:mailfeed:problem:wrong-state");
    const broken = await api.send(ACCEPT, { method: "POST", body: "{" }, api.world.operator);
    expect([broken.status, broken.json.type]).toEqual([400, "urn:mailfeed:problem:invalid-body"]);
  });
});

describe("refusing", () => {
  it("a proposal ends the files that wait for it and no others, once", async () => {
    await seedVersion(api.database, alpha);
    const { id } = await waiting(unconfirmed);
    const drift = await waiting(drifted("alpha"));
    expect((await post(REJECT, { note: "test data" })).status).toBe(200);
    expect((await post(REJECT, { note: "again" })).status).toBe(200);
    expect([await stateOf(id), await stateOf(drift.id)]).toEqual(["rejected", "held"]);
    expect(await audited()).toHaveLength(1);
    const [row] = await api.database.sql`SELECT state, note, decided_by FROM feed_versions`;
    expect(row).toEqual({ state: "rejected", note: "test data", decided_by: "ops" });
  });

  it("a held file needs a reason, keeps it, and cannot be accepted or released any more", async () => {
    const { id } = await waiting(drifted("alpha"));
    expect((await post(`/v1/files/${id}/reject`)).status).toBe(400);
    for (const _ of [1, 2]) expect((await post(`/v1/files/${id}/reject`, { reason: "wrong file" })).status).toBe(200);
    expect(await audited()).toHaveLength(1);
    expect((await post(`/v1/files/${id}/accept-drift`)).status).toBe(409);
    expect((await api.get(`/v1/files/${id}`, alpha.token)).json.failure).toMatchObject({
      code: "refused-by-operator",
      sentence: "ops has refused the file: wrong file.",
    });
  });

  it("a file that is not held cannot be refused", async () => {
    expect((await post(`/v1/files/${alpha.fileId}/reject`, { reason: "x" })).status).toBe(409);
    expect((await post("/v1/files/999999/reject", { reason: "x" })).status).toBe(404);
  });
});

describe("accepting a drift", () => {
  it("pins the format of the file as the next version and sends all that drifted back to be read", async () => {
    const decided = {
      state: "active",
      created_by: "adapter",
      decided_by: "adapter",
      decided_at: "2026-11-20T06:00:00Z",
    };
    await seedVersion(api.database, alpha, { ...decided, data: { ...PROFILE, columns: [] } });
    const one = await waiting(drifted("alpha"));
    const two = await waiting(drifted("alpha"));
    expect((await post(`/v1/files/${one.id}/accept-drift`, { note: "new release" })).status).toBe(202);
    expect([await stateOf(one.id), await stateOf(two.id)]).toEqual(["parsing", "parsing"]);
    const rows = await api.database.sql`SELECT version, state, created_by FROM feed_versions ORDER BY version`;
    expect(rows).toEqual([
      { version: 1, state: "retired", created_by: "adapter" },
      { version: 2, state: "active", created_by: "ops" },
    ]);
    expect((await post(`/v1/files/${one.id}/accept-drift`)).status).toBe(202);
    expect(await api.database.sql`SELECT 1 FROM feed_versions`).toHaveLength(2);
  });

  it("is refused where nothing was found that could be pinned, until a profile is sent", async () => {
    const { id } = await waiting({ ...drifted("alpha"), drift_report: { drift: {}, profile: null } });
    const answer = await post(`/v1/files/${id}/accept-drift`);
    expect([answer.status, (answer.json.faults as { path: string }[])[0]!.path]).toEqual([422, "profile"]);
    expect((await post(`/v1/files/${id}/accept-drift`, { profile: PROFILE })).status).toBe(202);
  });

  it("a file held for another reason is no drift, and a drift is not released but accepted", async () => {
    expect((await post(`/v1/files/${alpha.heldId}/accept-drift`)).status).toBe(409);
    const { id } = await waiting(drifted("alpha"));
    const answer = await post(`/v1/files/${id}/release`);
    expect([answer.status, answer.json.detail]).toEqual([
      409,
      "A file held for “format-drift” cannot be released. Accept the drift, or reject the file.",
    ]);
  });
});

describe("the versions of a feed", () => {
  it("are walked by cursor, the newest of each kind first, without their data", async () => {
    const decided = { decided_at: "2026-11-20T06:00:00Z", decided_by: "ops" };
    for (const version of [1, 2, 3]) {
      await seedVersion(api.database, alpha, { version, state: "retired", ...decided });
      await seedVersion(api.database, alpha, { version, kind: "mapping", state: "retired", data: {}, ...decided });
    }
    const seen: string[] = [];
    let cursor = "";
    do {
      const page = await api.get(`/v1/feeds/alpha/stock/versions?limit=2${cursor}`, alpha.token);
      seen.push(...page.json.items.map((item) => `${item.kind} ${item.version}`));
      expect(page.json.items[0]).not.toHaveProperty("data");
      cursor = page.json.next === null ? "" : `&cursor=${page.json.next}`;
    } while (cursor !== "");
    expect(seen).toEqual(["profile 3", "profile 2", "profile 1", "mapping 3", "mapping 2", "mapping 1"]);
    expect((await api.get("/v1/feeds/alpha/stock/versions/profile/2", alpha.token)).json.data).toEqual(PROFILE);
    expect((await api.get("/v1/feeds/alpha/stock/versions/profile/9", alpha.token)).status).toBe(404);
    expect((await api.get("/v1/feeds/alpha/stock/versions/colour/1", alpha.token)).status).toBe(404);
  });
});
