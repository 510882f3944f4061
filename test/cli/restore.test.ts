/** `mailfeed records` and `mailfeed restore` against the real API on a real database, over HTTP. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { momentOf } from "../../cli/moment.ts";
import { type Api, startApi } from "../api/harness.ts";
import { type Feed, seedChange, seedRecord, seedSecondFeed } from "../api/seed.ts";
import { isPlainlySaid, jsonOf, mailfeed } from "./run.ts";

let api: Api;
let server: Server;
let shelf: Feed;
const BEGUN_MS = Date.now();
const hoursAgo = (hours: number): string => new Date(BEGUN_MS - hours * 3_600_000).toISOString();

beforeAll(async () => {
  api = await startApi();
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const { method = "GET", headers } = request;
      const body = method === "POST" ? { body: Buffer.concat(pieces).toString() } : {};
      const init = { method, headers: { Authorization: headers.authorization ?? "" }, ...body };
      api.send(request.url ?? "", init).then(
        (answer) => {
          for (const [name, value] of answer.headers) response.setHeader(name, value);
          response.writeHead(answer.status).end(answer.text);
        },
        (error: unknown) => response.destroy(error as Error),
      );
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { alpha } = api.world;
  shelf = await seedSecondFeed(api.database, alpha, "shelf");
  const { sql } = api.database;
  await sql.query("UPDATE feeds SET created_at = $2 WHERE id = $1", [shelf.feedId, hoursAgo(9)]);
  const was = { sku: "A-1", note: "=SUM(A1)", qty: "-1.50" };
  const now = { ...was, qty: "2.00" };
  const id = await seedRecord(api.database, shelf, alpha.fileId, "A-1", now);
  await sql.query("UPDATE changes SET created_at = $2, after = $3 WHERE record_id = $1", [
    id,
    hoursAgo(8),
    JSON.stringify(was),
  ]);
  const changed = { version: 2, kind: "changed", before: was, after: now, created_at: hoursAgo(2) };
  await seedChange(api.database, shelf, alpha.fileId, { record_id: id, natural_key: "A-1", ...changed });
  await sql.query("UPDATE records SET version = 2, first_seen_at = $2, updated_at = $3 WHERE id = $1", [
    id,
    hoursAgo(8),
    hoursAgo(2),
  ]);
});
afterAll(async () => {
  server?.close();
  await api?.drop();
});

const run = (...args: readonly string[]) => {
  const { port } = server.address() as AddressInfo;
  return mailfeed(...args, "--url", `http://127.0.0.1:${port}`, "--token", api.world.operator);
};

describe("mailfeed records", () => {
  it("prints what is, and what was, as lines of JSON or as CSV that no spreadsheet runs", async () => {
    const [now] = jsonOf<{ key: string; data: { qty: string } }>(await run("records", "alpha/shelf"));
    expect([now!.key, now!.data.qty]).toEqual(["A-1", "2.00"]);
    const [was] = jsonOf<{ version: number; data: { qty: string } }>(
      await run("records", "alpha/shelf", "--as-of", hoursAgo(4)),
    );
    expect([was!.version, was!.data.qty]).toEqual([1, "-1.50"]);
    const csv = await run("records", "alpha/shelf", "--as-of", hoursAgo(4), "--csv");
    expect(csv.stdout).toBe("key,status,version,qty,sku,note\nA-1,active,1,-1.50,A-1,'=SUM(A1)\n");
  });

  it("says plainly what cannot be printed", async () => {
    isPlainlySaid(await run("records", "alpha/nothing"), "there is no feed alpha/nothing that this token may see");
    isPlainlySaid(await run("records", "alpha/shelf", "--as-of", "yesterday"), "--as-of takes a time such as");
    isPlainlySaid(await run("records", "alpha/shelf", "--as-of", hoursAgo(10)), "The history that is kept begins at ");
    isPlainlySaid(await run("records", "alpha"), "is no feed: write CUSTOMER/FEED");
  });
});

describe("mailfeed restore", () => {
  it("shows what would be done, how it is ordered, and changes nothing", async () => {
    const said = await run("restore", "alpha/shelf", "--to", hoursAgo(4));
    expect(said.code).toBe(0);
    expect(said.stdout).toContain('  change   1 record: qty of 1\n    A-1: qty "2.00" → "-1.50"\n');
    expect(said.stdout).toMatch(/mailfeed restore alpha\/shelf --to \S+Z --yes [0-9a-f]{12}\n$/);
    expect((await run("restore", "alpha/shelf", "--to", hoursAgo(1))).stdout).toBe(
      "alpha/shelf: nothing to do, its records are what they were.\n",
    );
    expect((await run("restore", "alpha", "--to", hoursAgo(4))).stdout).toContain("alpha/stock: left as it is");
    const [json] = jsonOf<{ preview: { feeds: { changes: number }[] } }>(
      await run("restore", "alpha/shelf", "--to", hoursAgo(4), "--json"),
    );
    expect(json!.preview.feeds[0]!.changes).toBe(1);
    expect(api.archived).toEqual([]);
  });

  it("does nothing that was not shown", async () => {
    const blind = await run("restore", "alpha/shelf", "--to", hoursAgo(4), "--yes", "0123456789ab");
    expect(blind.code).toBe(2);
    isPlainlySaid(blind, "the records have moved since that was shown");
    for (const yes of ["", "0123"]) {
      expect((await run("restore", "alpha/shelf", "--to", hoursAgo(4), `--yes=${yes}`)).code).toBe(2);
    }
    expect(await api.database.sql.query("SELECT FROM restores")).toEqual([]);
  });

  it("says plainly what it needs", async () => {
    isPlainlySaid(await run("restore", "alpha/shelf"), "restore needs --to TIME");
    isPlainlySaid(await run("restore", "--to", hoursAgo(4)), "restore takes one customer, or one feed");
    isPlainlySaid(await run("restore", "alpha/shelf/x", "--to", hoursAgo(4)), "restore takes one customer");
    isPlainlySaid(
      await run("restore", "gamma", "--to", hoursAgo(4)),
      "there is no customer gamma that this token may see",
    );
    expect((await run("restore", "alpha/shelf", "--to", hoursAgo(-1))).stderr).toContain("to: lies in the future");
    isPlainlySaid(await run("restore", "alpha/shelf", "--to", "2026-11-20T08:00"), "--to takes a time such as");
  });
});

describe("a moment as people type it", () => {
  it.each([
    ["2026-11-20", "2026-11-20T00:00:00.000Z"],
    ["2026-11-20T08:00Z", "2026-11-20T08:00:00.000Z"],
    ["2026-11-20T08:00:00+02:00", "2026-11-20T06:00:00.000Z"],
  ])("%s is %s", (typed, moment) => {
    expect(momentOf("to", typed)).toBe(moment);
  });

  it.each(["", "now", "2026-13-01", "2026-11-20T08:00", "20.11.2026", "2026-11-20 08:00Z"])("%j is none", (typed) => {
    expect(() => momentOf("to", typed)).toThrow("--to takes");
  });
});
