import { neonConfig } from "@neondatabase/serverless";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeCursor } from "../../src/api/pages/page.ts";
import { ROUTES } from "../../src/api/routes/table.ts";
import { type Answer, type Api, startApi } from "./harness.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.drop();
});

const expectProblem = (answer: Answer) => {
  expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
  expect(answer.json).toMatchObject({
    type: expect.stringMatching(/^urn:mailfeed:problem:[a-z-]+$/),
    title: expect.any(String),
    status: answer.status,
    detail: expect.stringMatching(/\.$/),
    instance: expect.stringMatching(/^\//),
  });
};

describe("what every answer carries", () => {
  it.each([
    ["a page", "/v1/files", true],
    ["health", "/v1/health", false],
    ["a refusal", "/v1/files", false],
    ["an address that does not exist", "/nothing", false],
    ["a download", "csv", true],
  ])("%s is not to be kept, guessed at or run", async (_, path, authenticated) => {
    const { operator, alpha } = api.world;
    const at = path === "csv" ? `/v1/files/${alpha.fileId}/rejects?format=csv` : path;
    const { headers } = await api.get(at, authenticated ? operator : undefined);
    expect(headers.get("Cache-Control")).toBe("no-store");
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    expect(headers.get("X-Request-Id")).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.get("Access-Control-Allow-Origin")).toBeNull();
  });

  it("HEAD has the status and headers of GET, and no body", async () => {
    const answer = await api.send("/v1/files", { method: "HEAD" }, api.world.operator);
    expect([answer.status, answer.text]).toEqual([200, ""]);
    expect(answer.headers.get("Content-Type")).toContain("application/json");
  });
});

describe("requests that make no sense", () => {
  it.each(["/", "/v1", "/v1/nothing", "/v1/files/", "/v1/files/1/2/3", "/v1/%2e%2e/files", "/v2/health"])(
    "%s is 404",
    async (path) => {
      const answer = await api.get(path, api.world.operator);
      expect(answer.status).toBe(404);
      expectProblem(answer);
    },
  );

  it.each(["9223372036854775808", "99999999999999999999", "0", "01", "-1", "1.0", "0x1"])(
    "there is no file %s, and the database is not asked",
    async (id) => {
      for (const path of [`/v1/files/${id}`, `/v1/files/${id}/rejects`]) {
        expect((await api.get(path, api.world.operator)).status).toBe(404);
      }
    },
  );

  it.each([
    ["DELETE", "/v1/files/1", "GET, HEAD"],
    ["PUT", "/v1/feeds/alpha/stock/files", "POST"],
    ["GET", "/v1/feeds/alpha/stock/files", "POST"],
    ["POST", "/v1/customers", "GET, HEAD"],
    ["OPTIONS", "/v1/health", "GET, HEAD"],
  ])("%s %s is 405 and says what is allowed", async (method, path, allow) => {
    const answer = await api.send(path, { method }, api.world.operator);
    expect(answer.status).toBe(405);
    expect(answer.headers.get("Allow")).toBe(allow);
    expectProblem(answer);
  });

  it.each([
    ["/v1/files?limit=0", "limit"],
    ["/v1/files?limit=201", "limit"],
    ["/v1/files?limit=1e1", "limit"],
    ["/v1/files?limit=-1", "limit"],
    ["/v1/files?limit=", "limit"],
    ["/v1/files?state=lost", "state"],
    ["/v1/files?customer=Alpha", "customer"],
    ["/v1/files?feed=stock", "customer"],
    ["/v1/files?costumer=alpha", "costumer"],
    ["/v1/files?limit=1&limit=2", "limit"],
    ["/v1/files?__proto__=1", "__proto__"],
    ["/v1/files/1?x=1", "x"],
    ["/v1/records?customer=alpha&feed=stock&key=%00", "key"],
    ["/v1/records?customer=alpha&feed=stock&key=", "key"],
    [`/v1/records?customer=alpha&feed=stock&key=${"x".repeat(3_000)}`, "key"],
    ["/v1/files/1/rejects?format=xml", "format"],
    ["/v1/files/1/rejects?format=csv&cursor=x", "cursor"],
    ["/v1/dead-letters?state=closed", "state"],
  ])("%s is 400 and names the parameter", async (path, parameter) => {
    const answer = await api.get(path, api.world.operator);
    expect(answer.status).toBe(400);
    expect(answer.json.parameter).toBe(parameter);
    expect(answer.json.detail).toContain(parameter);
    expectProblem(answer);
  });
});

describe("cursors", () => {
  const good = writeCursor("files", ["1795154400000000", "5"]);
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

  it("of ours are taken", async () => {
    expect((await api.get(`/v1/files?cursor=${good}`, api.world.operator)).status).toBe(200);
  });

  it.each([
    ["garbage", "%25%25%25"],
    ["nothing", ""],
    ["cut short", good.slice(0, -3)],
    ["padded", `${good}==`],
    ["no JSON", Buffer.from("[").toString("base64url")],
    ["no list", encode({ a: 1 })],
    ["null", encode(null)],
    ["of another list", writeCursor("deliveries", ["1795154400000000", "5"])],
    ["with a key missing", writeCursor("files", ["1795154400000000"])],
    ["with a key too many", writeCursor("files", ["1", "2", "3"])],
    ["with a number for a text", encode(["files", 1, 2])],
    ["with a time that is none", writeCursor("files", ["-1", "5"])],
    ["with SQL in it", writeCursor("files", ["1); DROP TABLE files; --", "5"])],
    ["with an id beyond bigint", writeCursor("files", ["1", "9".repeat(40)])],
    ["too long", writeCursor("files", ["1".repeat(10_000), "5"])],
    ["not in our spelling", Buffer.from('[ "files","1795154400000000","5"]').toString("base64url")],
  ])("that are forged are 400: %s", async (_, cursor) => {
    const answer = await api.get(`/v1/files?cursor=${cursor}`, api.world.operator);
    expect([answer.status, answer.json.type]).toEqual([400, "urn:mailfeed:problem:invalid-cursor"]);
  });

  it.each([["\u0000"], ["\ud800"], [""]])("of records are 400 with the key %j", async (key) => {
    const path = `/v1/records?customer=alpha&feed=stock&cursor=${writeCursor("records", [key])}`;
    expect((await api.get(path, api.world.operator)).status).toBe(400);
  });

  it("with the largest time there can be lead to an answer", async () => {
    const cursor = writeCursor("files", ["9".repeat(16), "9".repeat(18)]);
    expect((await api.get(`/v1/files?cursor=${cursor}`, api.world.operator)).status).toBe(200);
  });
});

const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  "/v1/customers": ["cursor", "limit"],
  "/v1/feeds/:customer/:feed/files": ["name"],
  "/v1/deliveries": ["customer", "feed", "state", "cursor", "limit"],
  "/v1/files": ["customer", "feed", "state", "cursor", "limit"],
  "/v1/files/:id/rejects": ["format", "cursor", "limit"],
  "/v1/records": ["customer", "feed", "key", "cursor", "limit"],
  "/v1/records/:id/history": ["cursor", "limit"],
  "/v1/dead-letters": ["stage", "cause", "customer", "state", "cursor", "limit"],
  "/v1/alerts": ["kind", "state", "cursor", "limit"],
};

describe("hostile strings", () => {
  const classics = fc.constantFrom(
    "'; DROP TABLE files; --",
    "1 OR 1=1",
    "\\'",
    "#{7*7}",
    "../../../etc/passwd",
    "\u0000",
    "%00",
    "%",
    "\ud800",
    "９",
    "9".repeat(19),
    "9223372036854775808",
    "1e3",
    "-0",
    "NaN",
    "alpha",
    "__proto__",
    "constructor",
    "<script>",
    "\r\nX-Evil: 1",
  );
  const hostile = fc.oneof(
    classics,
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.base64String(),
    // Shaped like a cursor or a record id.
    fc.array(fc.oneof(classics, fc.nat().map(String)), { maxLength: 4 }).map((keys) => writeCursor("records", keys)),
    fc.tuple(classics, classics, classics).map((parts) => Buffer.from(parts.join("/")).toString("base64url")),
  );
  const encoded = hostile.map((text) => encodeURIComponent(text.toWellFormed()));

  it.each(ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const))(
    "in any place of %s are answered, never with 500",
    async (_, route) => {
      const parameters = PARAMETERS[route.path] ?? ["any"];
      const query = fc.subarray([...parameters, "other"]).chain((names) =>
        fc.tuple(
          ...names.map((name) =>
            fc
              .oneof(
                encoded,
                hostile.map((t) => t.toWellFormed().replace(/[#&]/g, "")),
              )
              .map((value) => `${name}=${value}`),
          ),
        ),
      );
      // One value for all places of the path; half of the time a good one, so that the query is read too.
      const place = fc.oneof(
        encoded,
        fc.constantFrom("alpha", "stock", api.world.alpha.fileId, api.world.alpha.deliveryId),
      );
      await fc.assert(
        fc.asyncProperty(place, query, fc.boolean(), async (value, pairs, asOperator) => {
          const path = route.path.replace(/:[a-z]+/g, () => value);
          const search = pairs.length === 0 ? "" : `?${pairs.join("&")}`;
          const init = route.method === "GET" ? {} : { method: route.method, body: "x" };
          const token = asOperator ? api.world.operator : api.world.beta.token;
          const answer = await api.send(path + search, init, token);
          expect(answer.status).toBeLessThan(500);
          // What a person opens out of a mail answers with a page, whatever it is.
          const isPage = route.path.startsWith("/hold/") && answer.headers.get("X-Robots-Tag") !== null;
          if (answer.status >= 400 && !isPage) expectProblem(answer);
          if (!asOperator) expect(answer.text).not.toContain("alpha-1");
        }),
        { numRuns: 60 },
      );
    },
  );

  it("as an Authorization header are 401", async () => {
    const header = fc.string({ unit: "grapheme-ascii", maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(header, async (text) => {
        const answer = await api.send("/v1/files", { headers: { Authorization: `Bearer ${text}` } });
        expect(answer.status).toBe(401);
      }),
      { numRuns: 50 },
    );
  });
});

describe("when the database is away", () => {
  const away = async (ask: () => Promise<Answer>): Promise<Answer> => {
    const endpoint = neonConfig.fetchEndpoint;
    // Port 1 is never listened on.
    neonConfig.fetchEndpoint = () => "http://127.0.0.1:1/sql";
    try {
      return await ask();
    } finally {
      neonConfig.fetchEndpoint = endpoint;
    }
  };

  it("health says so with 503, and nothing of the reason", async () => {
    const answer = await away(() => api.get("/v1/health"));
    expect(answer.status).toBe(503);
    expect(answer.json).toEqual({ status: "degraded", database: "down", version: "1.2.3" });
  });

  it.each(["/v1/files", "/v1/customers", "/v1/feeds/alpha/stock"])("%s asks to try again", async (path) => {
    const answer = await away(() => api.get(path, api.world.operator));
    expect([answer.status, answer.headers.get("Retry-After")]).toEqual([503, "5"]);
    expectProblem(answer);
    expect(answer.text).not.toMatch(/127\.0\.0\.1|fetch|select/i);
  });

  it("and refuses a statement, it is 500 with a correlation id that the log knows, and no internals", async () => {
    await api.database.sql.query("ALTER TABLE dead_letters RENAME COLUMN stage TO gone");
    const answer = await api.get("/v1/dead-letters", api.world.operator);
    await api.database.sql.query("ALTER TABLE dead_letters RENAME COLUMN gone TO stage");
    expect(answer.status).toBe(500);
    expectProblem(answer);
    expect(answer.text).not.toMatch(/stage|column|dead_letters"/);
    const line = api.logLines.find((l) => l.includes(String(answer.json.correlation_id)) && l.includes("api.trouble"));
    expect(JSON.parse(String(line))).toMatchObject({ level: "error", failure: "database-refused", sqlstate: "42703" });
    expect(api.logLines.join("\n").includes(api.world.operator)).toBe(false);
  });
});
