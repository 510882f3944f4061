import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Failure, report } from "../../src/domain/failures.ts";
import { raiseAlert } from "../../src/observe/alerts.ts";
import { postgres } from "../../src/platform/postgres.ts";
import { REDRIVEN_PER_CALL } from "../../src/redrive/redrive.ts";
import { type Api, type Json, startApi } from "./harness.ts";
import { type Side, seedDelivery, seedFile, seedLetter } from "./seed.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api?.drop());
beforeEach(async () => {
  await api.database.sql.query("TRUNCATE dead_letters, fixed_causes, alerts, audit_log");
  api.messages.length = 0;
});

const get = (path: string) => api.get(`/v1/dead-letters${path}`, api.world.operator);
const post = (path: string, body: unknown = {}, on: Api = api) =>
  on.send(`/v1/dead-letters${path}`, { method: "POST", body: JSON.stringify(body) }, api.world.operator);
const audits = () => api.database.sql.query("SELECT actor, action, subject FROM audit_log ORDER BY id");

const unforeseen = report("internal-error", { message: "TypeError: boom" });

/** A dead delivery of that side and the letter about it. */
async function dead(side: Side, failure = report("raw-missing", { key: "raw/x" })) {
  const delivery = await seedDelivery(api.database, side, { state: "dead", failure });
  return { delivery, letter: await seedLetter(api.database, side, delivery, { failure }) };
}

describe("GET /v1/dead-letters", () => {
  it("counts the letters of each cause and is narrowed to stage, cause, customer and state", async () => {
    const { alpha, beta } = api.world;
    const one = await dead(alpha);
    const two = await dead(beta);
    const three = await dead(beta, unforeseen);
    const all = await get("");
    expect(all.json.items.map(({ id }) => id)).toEqual([three.letter, two.letter, one.letter]);
    expect(all.json.causes).toMatchObject([
      { cause: "parse.raw-missing", letters: 2, fixed: null },
      { cause: "parse.internal-error", letters: 1, fixed: null },
    ]);
    const ids = async (query: string) => (await get(query)).json.items.map(({ id }) => id);
    expect(await ids("?customer=beta")).toEqual([three.letter, two.letter]);
    expect(await ids("?cause=parse.raw-missing")).toEqual([two.letter, one.letter]);
    expect(await ids("?stage=apply")).toEqual([]);
    expect(await ids("?state=redriven")).toEqual([]);
    expect((await get("?customer=beta")).json.causes).toMatchObject([{ letters: 1 }, { letters: 1 }]);
  });

  it("is walked page by page", async () => {
    for (let n = 0; n < 3; n++) await dead(api.world.alpha);
    const first = await get("?limit=2");
    const second = await get(`?limit=2&cursor=${first.json.next}`);
    expect([first.json.items.length, second.json.items.length, second.json.next]).toEqual([2, 1, null]);
    expect(first.json.causes).toEqual(second.json.causes);
  });

  it.each(["raw-missing", "parse.", "parse.RAW", "emit.raw-missing", "parse.raw-missing'--"])(
    "refuses the cause %s, which there cannot be",
    async (cause) => {
      expect((await get(`?cause=${encodeURIComponent(cause)}`)).status).toBe(400);
    },
  );
});

describe("GET /v1/dead-letters/:id", () => {
  it("shows the failure, the message, what it is about and where its bytes are", async () => {
    const { alpha } = api.world;
    const { delivery, letter } = await dead(alpha);
    const { json } = await get(`/${letter}`);
    expect(json).toMatchObject({
      id: letter,
      stage: "parse",
      cause: "parse.raw-missing",
      state: "open",
      customer: "alpha",
      feed: "stock",
      attempts: 5,
      failure: { code: "raw-missing", evidence: { key: "raw/x" } },
      message: { type: "parse-delivery", correlationId: delivery },
      first_life: null,
      lives: [{ id: letter, state: "open" }],
      redrivable: { possible: true, reason: null },
      delivery: {
        id: delivery,
        state: "dead",
        url: `/v1/deliveries/${delivery}`,
        raw_url: `/v1/deliveries/${delivery}/raw`,
      },
    });
    expect(json.file).toBeUndefined();
    expect((await api.get(`/v1/deliveries/${delivery}/raw`, api.world.operator)).status).toBe(200);
  });

  it("shows all its lives from each of them, and its file", async () => {
    const { alpha } = api.world;
    const delivery = await seedDelivery(api.database, alpha);
    const file = await seedFile(api.database, alpha, delivery, { state: "dead", failure: unforeseen });
    const about = {
      stage: "apply",
      failure: unforeseen,
      message: { v: 2, type: "apply-file", customer: "alpha", feed: "stock", correlationId: delivery, fileId: file },
    };
    const decided = { state: "redriven", decided_at: "2026-11-20T10:00:00Z", decided_by: "ops" };
    const first = await seedLetter(api.database, alpha, delivery, { ...about, ...decided });
    const second = await seedLetter(api.database, alpha, delivery, { ...about, redrive_of: first });
    const { json } = await get(`/${second}`);
    expect(json).toMatchObject({
      redrive_of: first,
      first_life: { id: first, state: "redriven", decided_by: "ops" },
      lives: [{ id: first }, { id: second }],
      file: { id: file, state: "dead", url: `/v1/files/${file}` },
    });
    const before = (await get(`/${first}`)).json;
    expect(before).toMatchObject({ first_life: null, lives: [{ id: first }, { id: second }] });
    expect(before.redrivable).toBeUndefined();
  });

  it("says why one cannot be redriven", async () => {
    const letter = await seedLetter(api.database, api.world.alpha, "f".repeat(32), { message: { v: 99 } });
    const { redrivable } = (await get(`/${letter}`)).json;
    expect(redrivable).toEqual({ possible: false, reason: expect.stringContaining("cannot be read") });
    const refused = await post(`/${letter}/redrive`);
    expect(refused.status).toBe(409);
    expect(refused.json).toMatchObject({ type: "urn:mailfeed:problem:not-redrivable", state: "open" });
    expect((await get(`/${letter}`)).json.state).toBe("open");
  });

  it.each(["999999999", "0", "x", "redrive", "9999999999999999999"])("is 404 for %s", async (id) => {
    expect((await get(`/${id}`)).status).toBe(404);
  });
});

describe("redriving over the API", () => {
  it("sends one, twice asked for once", async () => {
    const { delivery, letter } = await dead(api.world.alpha);
    const answers = [await post(`/${letter}/redrive`), await post(`/${letter}/redrive`)];
    for (const { status, json } of answers) {
      expect([status, json]).toEqual([
        202,
        { dead_letter: { id: letter, state: "redriven", sent: true }, status_url: `/v1/dead-letters/${letter}` },
      ]);
    }
    expect(api.messages).toMatchObject([{ correlationId: delivery, redriveOf: letter }]);
    expect(await audits()).toEqual([{ actor: "ops", action: "redrive", subject: `dead letter ${letter}` }]);
  });

  it("says that the queue did not take it, which mends itself", async () => {
    const { letter } = await dead(api.world.alpha);
    const away = api.with({
      redrive: { ...api.redrive, enqueue: () => Promise.reject(new Error("queue away")) },
    });
    const { status, json, text } = await post(`/${letter}/redrive`, {}, away);
    expect([status, json.dead_letter]).toEqual([202, { id: letter, state: "redriven", sent: false }]);
    expect(text).not.toContain("queue away");
  });

  it("sends those chosen, and all of a cause of one customer", async () => {
    const { alpha, beta } = api.world;
    const made = [await dead(alpha), await dead(alpha), await dead(beta), await dead(alpha)];
    const [one, two, three, four] = made.map(({ letter }) => letter);
    const chosen = await post("/redrive", { ids: [one, "999999999"] });
    expect([chosen.status, chosen.json]).toEqual([
      202,
      {
        redriven: [{ id: one, sent: true }],
        stays: [{ id: "999999999", reason: "There is no dead letter with this id." }],
        left: 0,
      },
    ]);
    const ofCause = await post("/redrive", { cause: "parse.raw-missing", customer: "alpha" });
    expect(ofCause.json.redriven).toEqual([
      { id: two, sent: true },
      { id: four, sent: true },
    ]);
    expect((await get("")).json.items.map(({ id }) => id)).toEqual([three]);
  });

  it("answers what is left where more is asked for than one call does", async () => {
    const ids = Array.from({ length: REDRIVEN_PER_CALL + 5 }, (_, n) => String(900_000 + n));
    const { json } = await post("/redrive", { ids });
    expect([(json.stays as Json[]).length, json.left]).toEqual([REDRIVEN_PER_CALL, 5]);
  });

  it.each<[string, unknown]>([
    ["nothing", {}],
    ["no ids", { ids: [] }],
    ["ids that are none", { ids: ["x"] }],
    ["an id beyond the largest", { ids: ["9999999999999999999"] }],
    ["ids and a cause", { ids: ["1"], cause: "parse.raw-missing" }],
    ["a cause that is none", { cause: "raw-missing" }],
    ["a customer alone", { customer: "alpha" }],
    ["something else beside", { cause: "parse.raw-missing", force: true }],
  ])("refuses %s", async (_, body) => {
    expect((await post("/redrive", body)).status).toBe(400);
  });

  it("says what there is to choose from to whoever names nothing, or both", async () => {
    for (const body of [{}, { customer: "alpha" }, { ids: ["1"], cause: "parse.raw-missing" }]) {
      const { json } = await post("/redrive", body);
      expect(json.faults).toEqual([{ path: "", message: "must be either {ids: […]} or {cause, customer?}" }]);
    }
  });

  it("is 404 for a customer that there is not", async () => {
    expect((await post("/redrive", { cause: "parse.raw-missing", customer: "gamma" })).status).toBe(404);
  });
});

describe("discarding over the API", () => {
  it("needs a reason, is final, and is seen on the delivery, by the customer too", async () => {
    const { alpha } = api.world;
    const { delivery, letter } = await dead(alpha);
    for (const body of [{}, { reason: "" }, { reason: 7 }, { reason: "x\u0000" }]) {
      expect((await post(`/${letter}/discard`, body)).status).toBe(400);
    }
    const { status, json } = await post(`/${letter}/discard`, { reason: "sent again" });
    expect([status, json.dead_letter]).toEqual([200, { id: letter, state: "discarded" }]);
    expect((await get(`/${letter}`)).json).toMatchObject({
      decided_by: "ops",
      reason: "sent again",
      state: "discarded",
    });
    const seen = (await api.get(`/v1/deliveries/${delivery}`, alpha.token)).json;
    expect(seen).toMatchObject({ state: "dead", failure: { code: "discarded-by-operator" } });
    const refused = await post(`/${letter}/redrive`);
    expect([refused.status, refused.json.state]).toEqual([409, "discarded"]);
    expect(api.messages).toEqual([]);
    expect(await audits()).toEqual([{ actor: "ops", action: "discard", subject: `dead letter ${letter}` }]);
  });

  it("is refused for one that is redriven", async () => {
    const { letter } = await dead(api.world.alpha);
    await post(`/${letter}/redrive`);
    const { status, json } = await post(`/${letter}/discard`, { reason: "x" });
    expect([status, json.type]).toEqual([409, "urn:mailfeed:problem:wrong-state"]);
  });
});

describe("marking a cause as fixed over the API", () => {
  it("says how many letters the sweep will redrive, and the list shows the mark", async () => {
    await dead(api.world.alpha);
    await dead(api.world.beta);
    const { status, json } = await post("/causes/parse.raw-missing/fixed", { note: "bucket restored" });
    expect(status).toBe(202);
    expect(json).toMatchObject({ cause: "parse.raw-missing", marked_by: "ops", waiting: 2 });
    expect((await get("")).json.causes).toMatchObject([
      { cause: "parse.raw-missing", fixed: { marked_by: "ops", note: "bucket restored" } },
    ]);
    expect(api.messages).toEqual([]);
  });

  it.each(["parse.of-nobody", "raw-missing", "x"])("is 404 for %s", async (cause) => {
    expect((await post(`/causes/${cause}/fixed`)).status).toBe(404);
  });
});

describe("GET /v1/deliveries/:id/raw", () => {
  const raw = (id: string, token = api.world.operator, on: Api = api) => on.get(`/v1/deliveries/${id}/raw`, token);

  it("is a download of no type, to the byte, and is written down", async () => {
    const { deliveryId } = api.world.alpha;
    const answer = await raw(deliveryId);
    expect([answer.status, answer.text]).toEqual([200, "raw/alpha/2026/11/20/x.eml"]);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename="${deliveryId}.eml"`,
      "content-length": "26",
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    });
    expect(await audits()).toEqual([{ actor: "ops", action: "read-raw", subject: `delivery ${deliveryId}` }]);
  });

  it("is not for customers, not even for their own", async () => {
    expect((await raw(api.world.alpha.deliveryId, api.world.alpha.token)).status).toBe(403);
    expect(await audits()).toEqual([]);
  });

  it("says that the archive does not have it, and passes other trouble on", async () => {
    const key = "raw/x";
    const without = api.with({ openRaw: () => Promise.reject(new Failure(report("raw-missing", { key }))) });
    const gone = await raw(api.world.alpha.deliveryId, api.world.operator, without);
    expect([gone.status, gone.text.includes(key)]).toEqual([404, false]);
    const down = api.with({
      openRaw: () => Promise.reject(new Failure(report("storage-unavailable", { reason: "down" }))),
    });
    expect((await raw(api.world.alpha.deliveryId, api.world.operator, down)).status).toBe(503);
  });
});

describe("GET /v1/alerts", () => {
  it("shows what is open, the latest first, and what is cleared", async () => {
    const deps = { database: postgres(api.database.connectionString), log: api.redrive.log };
    for (const subject of ["parse", "apply", "parse"]) {
      await raiseAlert(deps, { kind: "dead-letters-growing", subject, severity: "critical", detail: "Many." });
    }
    const ask = (query: string) => api.get(`/v1/alerts${query}`, api.world.operator);
    const open = await ask("");
    expect(open.json.items).toMatchObject([
      {
        kind: "dead-letters-growing",
        subject: "parse",
        times: 2,
        severity: "critical",
        detail: "Many.",
        cleared_at: null,
      },
      { subject: "apply", times: 1 },
    ]);
    const first = await ask("?limit=1");
    expect((await ask(`?limit=1&cursor=${first.json.next}`)).json.items).toMatchObject([{ subject: "apply" }]);
    expect((await ask("?state=cleared")).json.items).toEqual([]);
    expect((await ask("?kind=other")).json.items).toEqual([]);
  });
});
