import { NeonDbError } from "@neondatabase/serverless";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { classify, jsonText, storable } from "../../src/platform/postgres.ts";
import { freshDatabase } from "../support/database.ts";

const refused = (code: string | undefined) => {
  const error = new NeonDbError("no");
  error.code = code;
  return error;
};

describe("trouble with the database", () => {
  it.each(["57P01", "57P03", "53300", "08006", "58030"])("is the server's absence with SQLSTATE %s", (code) => {
    expect(classify(refused(code))).toMatchObject({ code: "database-unavailable", disposition: "retry" });
  });

  it.each(["40001", "40P01", "23505", "57014", "55P03"])("passes with SQLSTATE %s", (code) => {
    expect(classify(refused(code))).toMatchObject({ code: "database-conflict", disposition: "retry" });
  });

  it.each(["22P02", "23514", "42601", "42P01"])("stays with SQLSTATE %s, and is parked", (code) => {
    expect(classify(refused(code))).toMatchObject({ code: "database-refused", disposition: "park" });
  });

  it("is an absence without a SQLSTATE, and never shows the connection string", () => {
    const failed = classify(refused(undefined));
    expect(failed.code).toBe("database-unavailable");
    const network = classify(new TypeError("fetch failed for postgres://user:secret@host/db"));
    expect(network.code).toBe("database-unavailable");
    expect(network.message).not.toContain("secret");
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
