import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordIdOf } from "../../src/api/query/record-id.ts";
import { ROUTES, type Route } from "../../src/api/routes/table.ts";
import { newToken } from "../../src/api/tokens.ts";
import { report } from "../../src/domain/failures.ts";
import { force } from "../support/force-state.ts";
import { type Answer, type Api, startApi } from "./harness.ts";
import { type Side, seedDrift, seedDryRun, seedFormats, seedLetter } from "./seed.ts";

let api: Api;
const ours = report("internal-error", { message: "boom" });
const hopeless = new Map<string, string>();
const asked = new Map<string, string>();
const drift = new Map<string, { readonly waiting: string; readonly other: string }>();
const formats = new Map<string, Awaited<ReturnType<typeof seedFormats>>>();
/** A replay that runs, one that is paused, and one that is to be stopped. */
const replays: string[] = [];
beforeAll(async () => {
  api = await startApi();
  for (const state of ["running", "paused", "running"]) {
    const rows = await force(
      api.database.sql,
      "INSERT INTO replays (state, customer, shadow, gate, created_by) VALUES ($1, 'alpha', false, 'judge', 'ops') RETURNING id::text AS id",
      [state],
    );
    replays.push(String(rows[0]!.id));
  }
  for (const side of [api.world.alpha, api.world.beta]) {
    const other = await seedDrift(api.database, side);
    // The same place in order, so the older one is over; who rejects it again does no harm.
    drift.set(side.customer, { other, waiting: await seedDrift(api.database, side) });
    asked.set(side.customer, await seedDryRun(api.database, side));
    formats.set(side.customer, await seedFormats(api.database, side));
    hopeless.set(side.customer, await seedLetter(api.database, side, side.deliveryId, { failure: ours }));
  }
});
afterAll(async () => {
  await api.drop();
});

const recordId = (side: Side) => recordIdOf({ customer: side.customer, feed: side.feed, key: side.key });

/** For every route, the request that asks for something of this customer. A route that is missing here fails the walk. */
const ASKS: Readonly<Record<string, (side: Side) => string>> = {
  "GET /v1/health": () => "/v1/health",
  "GET /v1/customers": () => "/v1/customers",
  "GET /v1/customers/:customer/limits": (s) => `/v1/customers/${s.customer}/limits`,
  "PUT /v1/customers/:customer/limits": (s) => `/v1/customers/${s.customer}/limits`,
  "POST /v1/customers/:customer/restore": (s) => `/v1/customers/${s.customer}/restore`,
  "GET /v1/customers/:customer/restores": (s) => `/v1/customers/${s.customer}/restores`,
  "GET /v1/feeds/:customer/:feed": (s) => `/v1/feeds/${s.customer}/${s.feed}`,
  "POST /v1/feeds/:customer/:feed/files": (s) => `/v1/feeds/${s.customer}/${s.feed}/files`,
  "GET /v1/feeds/:customer/:feed/versions": (s) => `/v1/feeds/${s.customer}/${s.feed}/versions`,
  "GET /v1/feeds/:customer/:feed/versions/:kind/:version": (s) =>
    `/v1/feeds/${s.customer}/${s.feed}/versions/profile/1`,
  "POST /v1/feeds/:customer/:feed/profile/accept": (s) => `/v1/feeds/${s.customer}/${s.feed}/profile/accept`,
  "POST /v1/feeds/:customer/:feed/profile/reject": (s) => `/v1/feeds/${s.customer}/${s.feed}/profile/reject`,
  "GET /v1/feeds/:customer/:feed/mapping": (s) => `/v1/feeds/${s.customer}/${s.feed}/mapping`,
  "POST /v1/feeds/:customer/:feed/mapping/drafts": (s) => `/v1/feeds/${s.customer}/${s.feed}/mapping/drafts`,
  "POST /v1/feeds/:customer/:feed/mapping/try": (s) => `/v1/feeds/${s.customer}/${s.feed}/mapping/try`,
  "POST /v1/feeds/:customer/:feed/mapping/:version/activate": (s) =>
    `/v1/feeds/${s.customer}/${s.feed}/mapping/2/activate`,
  "POST /v1/feeds/:customer/:feed/mapping/rollback": (s) => `/v1/feeds/${s.customer}/${s.feed}/mapping/rollback`,
  "GET /v1/deliveries": (s) => `/v1/deliveries?customer=${s.customer}`,
  "GET /v1/deliveries/:id": (s) => `/v1/deliveries/${s.deliveryId}`,
  "GET /v1/deliveries/:id/raw": (s) => `/v1/deliveries/${s.deliveryId}/raw`,
  "POST /v1/deliveries/:id/release": (s) => `/v1/deliveries/${s.quarantinedId}/release`,
  "GET /v1/files": (s) => `/v1/files?customer=${s.customer}&feed=${s.feed}`,
  "GET /v1/files/:id": (s) => `/v1/files/${s.fileId}`,
  "GET /v1/files/:id/comparison": (s) => `/v1/files/${asked.get(s.customer) ?? "999999992"}/comparison`,
  "GET /v1/files/:id/rejects": (s) => `/v1/files/${s.fileId}/rejects`,
  "GET /v1/files/:id/rejects.csv": (s) => `/v1/files/${s.fileId}/rejects.csv`,
  "POST /v1/files/:id/release": (s) => `/v1/files/${s.heldId}/release`,
  "POST /v1/files/:id/accept-drift": (s) =>
    `/v1/files/${formats.get(s.customer)?.driftedId ?? "999999997"}/accept-drift`,
  "POST /v1/files/:id/reject": (s) => `/v1/files/${formats.get(s.customer)?.strangeId ?? "999999996"}/reject`,
  "POST /v1/feeds/:customer/:feed/gate/narrow": (s) => `/v1/feeds/${s.customer}/${s.feed}/gate/narrow`,
  "GET /v1/holds": (s) => `/v1/holds?customer=${s.customer}`,
  "GET /v1/records": (s) => `/v1/records?customer=${s.customer}&feed=${s.feed}`,
  "GET /v1/records/:id": (s) => `/v1/records/${recordId(s)}`,
  "GET /v1/records/:id/history": (s) => `/v1/records/${recordId(s)}/history`,
  "GET /v1/notifications": (s) => `/v1/notifications?customer=${s.customer}`,
  "GET /v1/dead-letters": (s) => `/v1/dead-letters?customer=${s.customer}`,
  "GET /v1/dead-letters/:id": (s) => `/v1/dead-letters/${s.letterId}`,
  "POST /v1/dead-letters/:id/redrive": (s) => `/v1/dead-letters/${s.letterId}/redrive`,
  "POST /v1/dead-letters/redrive": () => "/v1/dead-letters/redrive",
  "POST /v1/dead-letters/:id/discard": (s) => `/v1/dead-letters/${hopeless.get(s.customer) ?? "999999994"}/discard`,
  "POST /v1/dead-letters/causes/:cause/fixed": () => "/v1/dead-letters/causes/parse.raw-missing/fixed",
  "POST /v1/feeds/:customer/:feed/backfill": (s) => `/v1/feeds/${s.customer}/${s.feed}/backfill?name=old.csv`,
  "POST /v1/replays": () => "/v1/replays",
  "GET /v1/replays": () => "/v1/replays",
  "GET /v1/replays/:id": () => `/v1/replays/${replays[0]}`,
  "POST /v1/replays/:id/pause": () => `/v1/replays/${replays[0]}/pause`,
  "POST /v1/replays/:id/resume": () => `/v1/replays/${replays[1]}/resume`,
  "POST /v1/replays/:id/cancel": () => `/v1/replays/${replays[2]}/cancel`,
  "GET /v1/drift": (s) => `/v1/drift?customer=${s.customer}`,
  "GET /v1/drift/:id": (s) => `/v1/drift/${drift.get(s.customer)?.waiting ?? "999999990"}`,
  "POST /v1/drift/:id/release": (s) => `/v1/drift/${drift.get(s.customer)?.waiting ?? "999999990"}/release`,
  "POST /v1/drift/:id/reject": (s) => `/v1/drift/${drift.get(s.customer)?.other ?? "999999990"}/reject`,
  "POST /v1/feeds/:customer/:feed/reconcile": (s) => `/v1/feeds/${s.customer}/${s.feed}/reconcile`,
  "GET /v1/alerts": () => "/v1/alerts",
  "GET /v1/jobs": () => "/v1/jobs",
};

const MAPPING = { columns: [{ name: "sku", source: { header: "SKU" }, type: "identifier" }], key: ["sku"] };

/** What must be sent. */
const BODIES: Readonly<Record<string, string | ((side: Side) => string)>> = {
  "POST /v1/feeds/:customer/:feed/mapping/drafts": JSON.stringify({ mapping: MAPPING }),
  "POST /v1/feeds/:customer/:feed/mapping/try": (s) => JSON.stringify({ file_id: s.fileId, mapping: MAPPING }),
  "POST /v1/feeds/:customer/:feed/files": "a;b",
  "PUT /v1/customers/:customer/limits": '{"files_at_once": 4, "rows_per_second": 1000, "burst_rows": 0}',
  "POST /v1/customers/:customer/restore": () => JSON.stringify({ to: new Date().toISOString(), preview: true }),
  "POST /v1/files/:id/reject": '{"reason": "wrong file"}',
  "POST /v1/dead-letters/redrive": (s) => JSON.stringify({ cause: "parse.raw-missing", customer: s.customer }),
  "POST /v1/dead-letters/:id/discard": '{"reason": "of no use"}',
  "POST /v1/feeds/:customer/:feed/backfill": "sku;qty",
  "POST /v1/replays": '{"customer": "alpha"}',
};

/** The same for things that nobody has. */
const NOBODY: Side = {
  customer: "gamma",
  feed: "stock",
  customerId: 0,
  feedId: 0,
  token: "",
  deliveryId: "f".repeat(32),
  quarantinedId: "e".repeat(32),
  fileId: "999999999",
  heldId: "999999998",
  key: "gamma-1",
  letterId: "999999995",
};

const nameOf = (route: Route) => `${route.method} ${route.path}`;
const guarded = ROUTES.filter((route) => route.access !== "anyone").map((route) => [nameOf(route), route] as const);
const forTokens = guarded.filter(([, route]) => route.access === "token");
const forOperators = guarded.filter(([, route]) => route.access === "operator");

const ask = (route: Route, side: Side, token?: string): Promise<Answer> => {
  const path = ASKS[nameOf(route)];
  if (path === undefined) throw new Error(`The walk does not know ${nameOf(route)}: add it`);
  const given = BODIES[nameOf(route)] ?? "{}";
  const body = typeof given === "string" ? given : given(side);
  return api.send(path(side), { method: route.method, ...(route.method === "GET" ? {} : { body }) }, token);
};

const withoutInstance = (answer: Answer) => ({ ...Object(answer.json), instance: null });

describe("every route but health", () => {
  it.each(guarded)("%s refuses a request without a token and says how to send one", async (_, route) => {
    const answer = await ask(route, api.world.alpha);
    expect(answer.status).toBe(401);
    expect(answer.headers.get("WWW-Authenticate")).toBe('Bearer realm="mailfeed"');
    expect(answer.json.type).toBe("urn:mailfeed:problem:not-authenticated");
  });

  it.each(guarded)("%s refuses tokens that are unknown, malformed or revoked", async (_, route) => {
    for (const token of [newToken().token, "mf_short", "x".repeat(46), api.world.revoked]) {
      const answer = await ask(route, api.world.alpha, token);
      expect(answer.status).toBe(401);
      expect(answer.headers.get("WWW-Authenticate")).toContain('error="invalid_token"');
      expect(answer.text).not.toContain(token);
    }
  });

  it.each(guarded)("%s shows an operator what is alpha's", async (_, route) => {
    const answer = await ask(route, api.world.alpha, api.world.operator);
    expect(answer.status).toBeLessThan(300);
  });
});

describe("a customer and its own", () => {
  it.each(forTokens)("%s answers the customer itself", async (_, route) => {
    const answer = await ask(route, api.world.beta, api.world.beta.token);
    expect(answer.status).toBeLessThan(300);
    if (route.method === "GET") expect(answer.text).toContain("beta");
  });
});

describe("customer beta never sees what is alpha's", () => {
  it.each(forTokens)("%s answers exactly as if it did not exist", async (name, route) => {
    const answer = await ask(route, api.world.alpha, api.world.beta.token);
    if (name === "GET /v1/customers") {
      expect(answer.json.items.map((item) => item.customer)).toEqual(["beta"]);
      expect(answer.text).not.toContain("alpha");
      return;
    }
    const missing = await ask(route, NOBODY, api.world.beta.token);
    expect(answer.status).toBe(404);
    expect(missing.status).toBe(404);
    expect(withoutInstance(answer)).toEqual(withoutInstance(missing));
    expect([...answer.headers.keys()]).toEqual([...missing.headers.keys()]);
  });

  it.each(forOperators)("%s is for operators, whether the thing exists or not", async (_, route) => {
    const answer = await ask(route, api.world.alpha, api.world.beta.token);
    const missing = await ask(route, NOBODY, api.world.beta.token);
    expect(answer.status).toBe(403);
    expect(withoutInstance(answer)).toEqual(withoutInstance(missing));
  });

  it.each(["/v1/deliveries", "/v1/files", "/v1/records?feed=stock", "/v1/customers"])(
    "%s without a filter holds nothing of alpha's",
    async (path) => {
      const answer = await api.get(path, api.world.beta.token);
      expect(answer.status).toBe(200);
      expect(answer.json.items.length).toBeGreaterThan(0);
      expect(answer.text).not.toContain("alpha");
    },
  );

  it.each(["/v1/deliveries?limit=1", "/v1/files?limit=1"])(
    "%s: a cursor of alpha's leads beta through nothing but its own",
    async (path) => {
      const ofAlpha = await api.get(path, api.world.alpha.token);
      const cursor = String(ofAlpha.json.next);
      const answer = await api.get(`${path.replace("limit=1", "limit=200")}&cursor=${cursor}`, api.world.beta.token);
      expect(answer.status).toBe(200);
      expect(answer.text).not.toContain("alpha");
    },
  );

  it("does not tell beta how a fault of ours looks from inside", async () => {
    const failure = {
      code: "database-refused",
      disposition: "park",
      actor: "us",
      sentence: "column x",
      hint: "",
      evidence: { sqlstate: "42703" },
    };
    await force(api.database.sql, "UPDATE deliveries SET state = 'dead', failure = $1 WHERE id = $2", [
      JSON.stringify(failure),
      api.world.beta.deliveryId,
    ]);
    const seenByBeta = await api.get(`/v1/deliveries/${api.world.beta.deliveryId}`, api.world.beta.token);
    const seenByOperator = await api.get(`/v1/deliveries/${api.world.beta.deliveryId}`, api.world.operator);
    expect(seenByBeta.json.failure.code).toBe("database-refused");
    expect(seenByBeta.text).not.toContain("42703");
    expect(seenByBeta.text).not.toContain("column x");
    expect(seenByOperator.text).toContain("42703");
  });
});

describe("tokens", () => {
  it("are refused at once when they are revoked", async () => {
    const { token, sha256 } = newToken();
    await api.database.sql.query("INSERT INTO api_tokens (name, sha256, role) VALUES ('short', $1, 'operator')", [
      sha256,
    ]);
    expect((await api.get("/v1/customers", token)).status).toBe(200);
    await api.database.sql.query("UPDATE api_tokens SET revoked_at = now() WHERE sha256 = $1", [sha256]);
    expect((await api.get("/v1/customers", token)).status).toBe(401);
  });

  it("are read whatever the case of the scheme (RFC 9110 section 11.1)", async () => {
    const headers = { Authorization: `bearer ${api.world.operator}` };
    expect((await api.send("/v1/customers", { headers })).status).toBe(200);
  });

  it("never stand in a log line or a problem, even where a caller puts them into the address", async () => {
    const { token } = newToken();
    const answer = await api.get(`/v1/${token}/x?${token}=1`, token);
    const unknown = await api.get(`/v1/files?${token}=${token}`, api.world.operator);
    expect(answer.status).toBe(404);
    expect(unknown.status).toBe(400);
    const written = answer.text + unknown.text + api.logLines.join("\n");
    expect(written.includes(token)).toBe(false);
    expect(written.includes(api.world.operator)).toBe(false);
  });
});
