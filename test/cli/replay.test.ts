/** `mailfeed replay` and `mailfeed backfill` against the whole Worker on a real database, over HTTP. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { PROJECT_ROOT } from "../../cli/local/settings.ts";
import { mailOf } from "../../cli/samples/mail.ts";
import { csv, feedsOf } from "../replay/feeds.ts";
import { day, dump, START, threeDays } from "../replay/scene.ts";
import { World } from "../replay/world.ts";
import { isPlainlySaid, jsonOf, mailfeed } from "./run.ts";

let world: World;
let server: Server;
/** Queues stand still while this is set. */
let isHalted = false;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mailfeed-backfill-"));
  world = await World.open(feedsOf("alder", "birch"), START);
  await threeDays(world);
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", async () => {
      const { method = "GET", headers, url } = request;
      const answer = await world.fetch(
        new Request(`http://localhost${url}`, {
          method,
          headers: { Authorization: headers.authorization ?? "" },
          ...(method === "GET" ? {} : { body: Buffer.concat(pieces) }),
        }),
      );
      response.writeHead(answer.status).end(await answer.text());
      if (!isHalted) await world.drain();
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterEach(() => {
  isHalted = false;
});
afterAll(async () => {
  server?.close();
  rmSync(folder, { recursive: true, force: true });
  await world?.close();
});

const at = () => ["--url", `http://127.0.0.1:${(server.address() as AddressInfo).port}`, "--token", world.operator];
const replay = (...args: readonly string[]) => mailfeed("replay", ...args, ...at());
const backfill = (...args: readonly string[]) => mailfeed("backfill", ...args, ...at());

describe("mailfeed replay", () => {
  it("reads everything again, shows how far it is, and says that nothing changed", async () => {
    const before = await dump(world);
    const said = await replay("--all");
    expect([said.code, said.stdout]).toEqual([0, expect.stringMatching(/^Replay 1 \(everything\) is done\.$/m)]);
    expect(said.stdout).toMatch(/^alder\/stock +3 +3 +8 +0 +0/m);
    expect(said.stdout).toContain("Nothing changed.");
    expect(await dump(world)).toEqual(before);
  });

  it("as a shadow says what would change, for people and for programs", async () => {
    await world.rows("DELETE FROM records WHERE natural_key = 'y1'");
    const said = await replay("--feed", "birch/orders", "--since", "2026-06-02", "--shadow");
    expect([said.code, said.stderr.trim()]).toEqual([0, expect.anything()]);
    expect(said.stdout).toContain("1 record would be new, 0 changed, 0 retired.");
    const [json] = jsonOf<{ shadow: boolean; totals: object }>(
      await replay("--customer", "birch", "--shadow", "--json"),
    );
    expect(json).toMatchObject({ shadow: true, totals: { inserted: 1 } });
    expect(await replay("--customer", "birch")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("1 record was new"),
    });
  });

  it("can be begun and left, listed, looked at, paused, resumed and cancelled", async () => {
    isHalted = true;
    const begun = await replay("--customer", "alder", "--no-wait", "--json");
    const [{ id } = { id: "" }] = jsonOf<{ id: string }>(begun);
    expect((await replay("list")).stdout).toMatch(new RegExp(`^${id}  \\S+  running +customer alder, by ops$`, "m"));
    expect((await replay("pause", id)).stdout).toBe(`Replay ${id} is paused.\n`);
    expect((await replay("show", id)).stdout).toMatch(/░ 0 % {2}0 of 3 deliveries, 0 rows, paused$/m);
    const again = await replay("pause", id);
    expect(again.code).toBe(0);
    expect((await replay("resume", id)).stdout).toBe(`Replay ${id} is running.\n`);
    expect((await replay("cancel", id)).stdout).toBe(`Replay ${id} is cancelled.\n`);
    const late = await replay("resume", id);
    expect(late.code).toBe(1);
    isPlainlySaid(late, "Only one that is paused can be resumed.");
  });

  it("Ctrl-C stops the watching and says how to look again", async () => {
    isHalted = true;
    const child = spawn(
      process.execPath,
      [join(PROJECT_ROOT, "cli/mailfeed.ts"), "replay", "--customer", "alder", ...at()],
      {
        env: { ...process.env, NODE_NO_WARNINGS: "1" },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (piece: string) => {
      said += piece;
      if (piece.includes("of 3 deliveries")) child.kill("SIGINT");
    });
    const code = await new Promise((resolve) => child.once("close", resolve));
    const [{ id, state } = { id: "", state: "" }] = await world.rows<{ id: string; state: string }>(
      "SELECT id::text AS id, state FROM replays ORDER BY replays.id DESC LIMIT 1",
    );
    expect([code, state]).toEqual([0, "running"]);
    expect(said).toContain(`The replay goes on without you. Look again with: mailfeed replay show ${id}`);
    await world.http("POST", `/v1/replays/${id}/cancel`);
    world.queue = [];
  });

  it.each<[string, readonly string[], number, string]>([
    ["nothing", [], 2, "replay takes --delivery, --feed, --customer or --all"],
    ["two scopes", ["--all", "--customer", "alder"], 2, "replay takes --delivery, --feed, --customer or --all"],
    ["a feed without its customer", ["--feed", "stock"], 2, '"stock" is no feed: write CUSTOMER/FEED'],
    ["a customer that is none", ["--customer", "nobody"], 2, "there is no delivery, feed or customer of this name"],
    ["a day that is none", ["--all", "--since", "yesterday"], 1, "Some of the body is not as it must be"],
    ["a version without a feed", ["--all", "--mapping", "2"], 1, "Some of the body is not as it must be"],
    [
      "a version that is not there",
      ["--feed", "birch/orders", "--mapping", "9"],
      1,
      "The feed birch/orders has no version 9 of its mapping.",
    ],
    ["a gate that is none", ["--all", "--gate", "open"], 2, "--gate takes judge or pass"],
    ["a replay that is none", ["show", "999"], 2, "there is no replay 999 that this token may see"],
    ["no id", ["show"], 2, "replay takes --delivery, --feed, --customer or --all"],
  ])("says what is wrong with %s", async (_, args, code, sentence) => {
    const said = await replay(...args);
    expect(said.code).toBe(code);
    expect(said.stderr).toContain(sentence);
  });
});

describe("mailfeed backfill", () => {
  it("brings a folder of mails and files in the order of then, once", async () => {
    mkdirSync(join(folder, "2025"));
    const mail = mailOf({
      from: "erp@birch.example",
      to: "old@feeds.example",
      subject: "Orders",
      date: new Date("2025-03-05T06:00:00Z"),
      messageId: "<old@birch.example>",
      attachments: [
        { name: "orders-20250305.csv", contentType: "text/csv", bytes: new TextEncoder().encode(csv([["old", 2]])) },
      ],
    });
    writeFileSync(join(folder, "b.eml"), mail);
    writeFileSync(
      join(folder, "2025", "orders-20250304.csv"),
      csv([
        ["old", 1],
        ["older", 1],
      ]),
    );
    writeFileSync(join(folder, "orders-20250306.csv"), csv([["old", 3]]));
    writeFileSync(join(folder, ".DS_Store"), "x");
    utimesSync(join(folder, "b.eml"), day(0), day(0));
    const said = await backfill(folder, "--feed", "birch/orders");
    expect([said.code, said.stderr]).toEqual([0, expect.stringContaining("3 archived, 0 known already")]);
    expect(said.stdout).toContain("2 records were new, 2 changed, 0 retired.");
    expect(await world.rows("SELECT version, data->'qty' AS qty FROM records WHERE natural_key = 'old'")).toEqual([
      { version: 3, qty: 3 },
    ]);
    const before = await dump(world);
    const again = await backfill(folder, "--feed", "birch/orders");
    expect([again.code, again.stdout]).toEqual([0, "All 3 are known already: nothing to do.\n"]);
    expect(await dump(world)).toEqual(before);
  });

  it("says what is wrong with a folder, a feed, and a file that cannot be taken", async () => {
    isPlainlySaid(await backfill(join(folder, "none"), "--feed", "birch/orders"), "is no folder");
    isPlainlySaid(await backfill(folder), "backfill needs --feed CUSTOMER/FEED");
    const empty = join(folder, "empty");
    mkdirSync(empty);
    isPlainlySaid(await backfill(empty, "--feed", "birch/orders"), "there is no file in");
    isPlainlySaid(
      await backfill(folder, "--feed", "birch/none"),
      "there is no feed birch/none that this token may see",
    );
    writeFileSync(join(empty, "nothing.csv"), "");
    const said = await backfill(empty, "--feed", "birch/orders");
    expect(said.code).toBe(1);
    expect(said.stderr).toContain("nothing.csv was not taken");
  });
});
