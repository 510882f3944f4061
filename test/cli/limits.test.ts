/** `mailfeed limits` against an API that answers as the real one does. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isPlainlySaid, jsonOf, mailfeed } from "./run.ts";

const shown = {
  customer: "acme",
  limits: { files_at_once: 4, rows_per_second: 20_000, burst_rows: 600_000 },
  slots: { of: 2, files: [{ id: "17", since: "2026-11-21T12:00:00.000Z" }] },
  waiting: { files: 1_200, rows: 36_000, since: "2026-11-21T11:59:00.000Z" },
  rows_left: -5,
  database: { state: "slow", since: null, until: null },
};
let server: Server;
const sent: unknown[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
      if (request.method === "PUT") sent.push(JSON.parse(body));
      const limits = request.method === "PUT" ? JSON.parse(body) : shown.limits;
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({ ...shown, limits }));
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterAll(() => server.close());

const limits = (...args: readonly string[]) =>
  mailfeed("limits", ...args, "--url", `http://127.0.0.1:${(server.address() as AddressInfo).port}`, "--token", "mf_x");

describe("mailfeed limits", () => {
  it("shows what may be used and what is in use", async () => {
    const ran = await limits("show", "acme");
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain("1 of 2 under way (limit 4, halved while the database is slow)");
    expect(ran.stdout).toContain("1,200 files, 36,000 rows, the first since 2026-11-21T11:59:00.000Z");
    expect(ran.stdout).toContain("600,000, of which 0 are left");
  });

  it("sets one limit and leaves the others as they are", async () => {
    const ran = await limits("set", "acme", "--files", "8", "--json");
    expect(sent.at(-1)).toEqual({ ...shown.limits, files_at_once: 8 });
    expect(jsonOf<typeof shown>(ran)[0]!.limits.files_at_once).toBe(8);
  });

  it.each([
    ["nothing to set", ["set", "acme"], "limits takes"],
    ["a limit beside show", ["show", "acme", "--rate", "5"], "limits takes"],
    ["no customer", ["show"], "limits takes"],
    ["a word for a number", ["set", "acme", "--files", "many"], "--files is a whole number"],
    ["a name that is none", ["show", "../acme"], "is no name of a customer"],
  ])("refuses %s", async (_, args, sentence) => {
    const ran = await limits(...args);
    expect(ran.code).toBe(2);
    isPlainlySaid(ran, sentence);
  });
});
