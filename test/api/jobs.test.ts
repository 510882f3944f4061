import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, NOW, startApi } from "./harness.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.drop());

describe("GET /v1/jobs", () => {
  it("shows what runs, how the last run went, and why one came to no end", async () => {
    await api.database.sql.query(
      `INSERT INTO jobs (name, lease_token, lease_until, last_started_at, last_ok_at, result, error)
       VALUES ('sweep', gen_random_uuid(), $1::timestamptz + interval '1 minute', $1, $1, '{"strays": 2}', NULL),
         ('upkeep-seen', NULL, NULL, $1, NULL, '{}', 'The database cannot be reached: test.')`,
      [NOW.toISOString()],
    );
    const { status, json } = await api.get("/v1/jobs", api.world.operator);
    expect(status).toBe(200);
    expect(json.items).toEqual([
      {
        name: "sweep",
        running: true,
        last_started_at: NOW.toISOString(),
        last_ok_at: NOW.toISOString(),
        error: null,
        result: { strays: 2 },
      },
      {
        name: "upkeep-seen",
        running: false,
        last_started_at: NOW.toISOString(),
        last_ok_at: null,
        error: "The database cannot be reached: test.",
        result: {},
      },
    ]);
  });
});
