import { NeonDbError } from "@neondatabase/serverless";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classify, jsonText, storable } from "../../src/platform/postgres.ts";
import { freshDatabase } from "../support/database.ts";

/** An answer of the proxy with HTTP 400; it writes "" where it has no SQLSTATE. */
const answered = (code: string | undefined, message = "no") => Object.assign(new NeonDbError(message), { code });
/** Any other answer, as the driver puts it. */
const status = (status: number, text: string) => new NeonDbError(`Server error (HTTP status ${status}): ${text}`);
/** A request that the driver could not send or that nobody answered. */
const unsent = (thrown: Error) =>
  Object.assign(new NeonDbError(`Error connecting to database: ${thrown}`), { sourceError: thrown });
/** The proxy's JSON for what is not Postgres' own error. */
const proxy = (message: string) => JSON.stringify({ message, code: "", severity: "" });
const unserializable = (): Error => {
  try {
    throw new Error(JSON.stringify({ n: 1n }));
  } catch (thrown) {
    return thrown as Error;
  }
};

const AWAY: [string, unknown][] = [
  ["a compute that is starting", answered("57P03", "the database system is starting up")],
  ["a compute that is being stopped", answered("57P01", "terminating connection due to administrator command")],
  [
    "a crash of another backend",
    answered("57P02", "terminating connection because of crash of another server process"),
  ],
  ["too many connections", answered("53300", "sorry, too many clients already")],
  [
    "no connection left for us",
    answered("53300", "remaining connection slots are reserved for roles with the SUPERUSER attribute"),
  ],
  ["a full disk", answered("53100", "could not extend file: No space left on device")],
  ["no memory", answered("53200", "out of memory")],
  ["a broken connection", answered("08006", "connection failure")],
  ["a pageserver that is away", answered("08001", "[NEON_SMGR] could not establish connection to pageserver")],
  ["a statement that the proxy cancelled", answered("08P01", "Query cancelled, connection was terminated")],
  ["an I/O error of the storage", answered("58030", "could not read block 7 in file")],
  [
    "a compute that is being replaced and only reads",
    answered("25006", "cannot execute UPDATE in a read-only transaction"),
  ],
  ["a password that is being changed", answered("28P01", "password authentication failed for user 'mailfeed'")],
  ["a branch that is being restored", answered("3D000", 'database "mailfeed" does not exist')],
  ["a connection that closed in mid-statement", answered("", "connection closed")],
  ["an endpoint that is disabled", answered("", "The endpoint has been disabled. Enable it using Neon API and retry.")],
  [
    "an endpoint that is gone",
    answered("", "The requested endpoint could not be found, or you don't have access to it."),
  ],
  ["an answer without anything in it", answered(undefined)],
  ["a control plane that is away", status(500, proxy("Control plane request failed"))],
  ["a compute that cannot be reached", status(500, proxy("Couldn't connect to compute node"))],
  [
    "too many connections while the proxy connects",
    status(500, JSON.stringify({ message: "sorry, too many clients already", code: "53300" })),
  ],
  ["a quota that is used up", status(500, proxy("Your account or project has exceeded the compute time quota."))],
  [
    "connection attempts beyond the proxy's own limit",
    status(
      500,
      proxy(
        "Failed to acquire permit to connect to the database. Too many database connection attempts are currently ongoing.",
      ),
    ),
  ],
  ["a rate limit", status(429, "Too Many Requests")],
  ["a gateway without anybody behind it", status(502, "<html>Bad Gateway</html>")],
  ["a service that is being deployed", status(503, "no healthy upstream")],
  ["a gateway that gave up waiting", status(504, "upstream request timeout")],
  ["a network that is down in Node", unsent(new TypeError("fetch failed"))],
  ["a network that is down in workerd", unsent(new Error("Network connection lost."))],
  ["no answer in time", unsent(new DOMException("The operation was aborted due to timeout", "TimeoutError"))],
  ["a name that does not resolve", unsent(new Error("getaddrinfo ENOTFOUND ep-x.neon.tech"))],
  ["an answer that broke off in Node", new TypeError("terminated")],
  ["an answer that broke off in workerd", new Error("Network connection lost.")],
  [
    "an answer that took too long to read",
    new DOMException("The operation was aborted due to timeout", "TimeoutError"),
  ],
  ["half an answer", new SyntaxError("Unexpected end of JSON input")],
  ["an answer of somebody else", new NeonDbError("Neon internal error: unexpected result format")],
  ["something that is no error", "boom"],
];

const AGAIN: [string, unknown][] = [
  ["two transactions that cannot be put in order", answered("40001", "could not serialize access")],
  ["a deadlock", answered("40P01", "deadlock detected")],
  ["a lock that is not to be had", answered("55P03", "canceling statement due to lock timeout")],
  ["an object in use", answered("55006", "database is being accessed by other users")],
  ["a cancelled statement", answered("57014", "canceling statement due to statement timeout")],
  ["a transaction that took too long", answered("25P04", "terminating connection due to transaction timeout")],
  ["a race for the same key", answered("23505", "duplicate key value violates unique constraint")],
  ["a plan of before a migration", answered("0A000", "cached plan must not change result type")],
  ["a prepared statement that a pooler forgot", answered("26000", "prepared statement s1 does not exist")],
  ["a fault of the server's own", answered("XX000", "cache lookup failed for relation 16412")],
];

const REFUSED: [string, unknown][] = [
  ["a value that is no number", answered("22P02", "invalid input syntax for type integer")],
  ["a broken rule", answered("23514", "new row violates check constraint")],
  ["a missing row that it points to", answered("23503", "violates foreign key constraint")],
  ["a text with NUL", answered("22021", "invalid byte sequence for encoding")],
  ["a typing error in SQL", answered("42601", "syntax error")],
  ["a migration that did not run", answered("42P01", 'relation "alerts" does not exist')],
  ["a right that is missing", answered("42501", "permission denied for table records")],
  [
    "too few parameters, though it has the SQLSTATE of a broken connection",
    answered("08P01", 'bind message supplies 1 parameters, but prepared statement "" requires 2'),
  ],
  ["something Postgres cannot do at all", answered("0A000", "cannot execute COPY in this way")],
  ["damaged data", answered("XX001", "invalid page in block 7")],
  ["more than a request may hold", status(413, proxy("request is too large (max is 67108864 bytes)"))],
  ["more than an answer may hold", status(507, proxy("response is too large (max is 67108864 bytes)"))],
  ["a request that is not understood", answered("", "could not parse the HTTP request body: missing field `query`")],
];

const OURS: [string, unknown][] = [
  ["a value that JSON does not know", unsent(unserializable())],
  ["a value that JSON does not know, before it was sent", unserializable()],
  ["a statement longer than a string can be", new RangeError("Invalid string length")],
  ["a typing error in the program", new TypeError("Cannot read properties of undefined (reading 'map')")],
  ["a name that does not exist", new ReferenceError("rows is not defined")],
];

describe("trouble with the database", () => {
  it.each(AWAY)("waits: %s", (_, thrown) => {
    expect(classify(thrown)).toMatchObject({ code: "database-unavailable", disposition: "retry", cause: thrown });
  });

  it.each(AGAIN)("is tried again: %s", (_, thrown) => {
    expect(classify(thrown)).toMatchObject({ code: "database-conflict", disposition: "retry", cause: thrown });
  });

  it.each(REFUSED)("is parked: %s", (_, thrown) => {
    expect(classify(thrown)).toMatchObject({ code: "database-refused", disposition: "park", cause: thrown });
  });

  it.each(OURS)("is a fault of ours: %s", (_, thrown) => {
    expect(classify(thrown)).toMatchObject({ code: "internal-error", disposition: "park" });
  });

  it("is told apart by what a real Postgres says", async () => {
    const { sql, drop } = await freshDatabase();
    const codeOf = (text: string, params: unknown[]) =>
      sql.query(text, params).then(
        () => "none",
        (thrown) => classify(thrown).code,
      );
    try {
      expect(await codeOf("SELECT $1::int + $2::int", [1])).toBe("database-refused");
      expect(await codeOf("SELECT $1::int", ["x"])).toBe("database-refused");
      expect(await codeOf("DO $$ BEGIN RAISE 'x' USING ERRCODE = '40001'; END $$", [])).toBe("database-conflict");
      expect(await codeOf("DO $$ BEGIN RAISE 'x' USING ERRCODE = '57P03'; END $$", [])).toBe("database-unavailable");
    } finally {
      await drop();
    }
  });

  it.each([
    ["nobody answers", unsent(new TypeError("fetch failed for postgres://user:secret@host/db"))],
    ["an answer has no SQLSTATE", status(413, "request for postgres://user:secret@host/db is too large")],
    ["the connection string is refused", answered("28P01", "no: postgresql://user:secret@host/db")],
    ["a statement is refused", answered("22P02", 'invalid input: "postgres://user:secret@host/db"')],
  ])("never shows the connection string where %s", (_, thrown) => {
    expect(JSON.stringify(classify(thrown).report)).not.toContain("secret");
  });
});

describe("what people wrote, stored", () => {
  it("is kept as it is where Postgres can hold it", () => {
    expect(storable("Größe\tM\n🙂")).toBe("Größe\tM\n🙂");
  });

  it("is accepted by text and jsonb whatever it is, NUL and lone surrogates too", async () => {
    const { sql, drop } = await freshDatabase();
    try {
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: "binary" }), async (text) => {
          const [row] = await sql.query("SELECT $1::text AS a, $2::jsonb->>'x' AS b", [
            storable(text),
            jsonText({ x: text }),
          ]);
          expect(row!.a).toBe(row!.b);
        }),
        { numRuns: 50 },
      );
      const [row] = await sql.query("SELECT $1::text AS a, $2::jsonb AS b", [
        storable("a\0b"),
        jsonText(["\ud800", "a\0"]),
      ]);
      expect(row!.a).toBe("“a\\u0000b”");
    } finally {
      await drop();
    }
  });
});
