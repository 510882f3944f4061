import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { memoryAdmission } from "../support/admission.ts";
import { type Api, startApi } from "./harness.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.drop();
});

const PATH = "/v1/customers/alpha/limits";
const given = { files_at_once: 2, rows_per_second: 500, burst_rows: 10_000 };
const put = (body: unknown, path = PATH, on = api) =>
  on.send(path, { method: "PUT", body: JSON.stringify(body) }, api.world.operator);

describe("the limits of a customer", () => {
  it("are set and read back, and the audit log says by whom and from what to what", async () => {
    const before = await api.get(PATH, api.world.operator);
    expect((await put(given)).json).toMatchObject({ customer: "alpha", limits: given });
    expect((await api.get(PATH, api.world.operator)).json).toMatchObject({ limits: given });
    const [row] = await api.database.sql`SELECT actor, action, subject, detail FROM audit_log ORDER BY id DESC LIMIT 1`;
    expect(row).toEqual({
      actor: "ops",
      action: "set-limits",
      subject: "customer alpha",
      detail: { before: Object(before.json).limits, after: given },
    });
  });

  it("leave another customer's as they are", async () => {
    const beta = "/v1/customers/beta/limits";
    const before = await api.get(beta, api.world.operator);
    await put(given);
    expect((await api.get(beta, api.world.operator)).json).toEqual(before.json);
  });

  it("are shown with what is in use: files, who waits, rows that are left, the database", async () => {
    const nowMs = Date.UTC(2026, 10, 21, 12);
    const { door } = memoryAdmission(() => nowMs);
    await door.configure({ filesAtOnce: 1, rowsPerSecond: 500, burstRows: 10_000 });
    await door.reserve({ id: "7", rows: 400 });
    await door.reserve({ id: "8", rows: 50 });
    const answer = await api.with({ admission: () => door }).get(PATH, api.world.operator);
    const since = "2026-11-21T12:00:00.000Z";
    expect(answer.json).toEqual({
      customer: "alpha",
      limits: { files_at_once: 1, rows_per_second: 500, burst_rows: 10_000 },
      slots: { of: 1, files: [{ id: "7", since }] },
      waiting: { files: 1, rows: 50, since },
      rows_left: 9_600,
      database: { state: "well", since: null, until: null },
    });
  });

  it.each([
    ["no slot at all", { ...given, files_at_once: 0 }, "files_at_once"],
    ["half a slot", { ...given, files_at_once: 1.5 }, "files_at_once"],
    ["a rate that never ends", { ...given, rows_per_second: 1 }, "rows_per_second"],
    ["a limit that is missing", { files_at_once: 1, rows_per_second: 100 }, "burst_rows"],
    ["text", { ...given, burst_rows: "many" }, "burst_rows"],
  ])("with %s are refused, and nothing changes", async (_, body, path) => {
    await put(given);
    const answer = await put(body);
    expect(answer.status).toBe(400);
    expect(Object(answer.json).faults).toMatchObject([{ path }]);
    expect((await api.get(PATH, api.world.operator)).json).toMatchObject({ limits: given });
  });

  it("do not take a word that they do not know", async () => {
    expect((await put({ ...given, files: 3 })).status).toBe(400);
  });

  it("of nobody are not found", async () => {
    expect((await put(given, "/v1/customers/gamma/limits")).status).toBe(404);
  });

  it("cannot be asked while the schedule does not answer: try again", async () => {
    const away = api.with({
      admission: () => ({
        ...memoryAdmission(() => 0).door,
        look: () => Promise.reject(new Error("Durable Object reset because its code was updated")),
      }),
    });
    const answer = await away.get(PATH, api.world.operator);
    expect(answer.status).toBe(503);
    expect(answer.text).not.toContain("Durable");
  });
});
