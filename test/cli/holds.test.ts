/** `mailfeed holds` against the real API on a real database, over HTTP. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Api, startApi } from "../api/harness.ts";
import { seedBehind, seedHold } from "../api/seed.ts";
import { force } from "../support/force-state.ts";
import { isPlainlySaid, jsonOf, mailfeed } from "./run.ts";

let api: Api;
let server: Server;
beforeAll(async () => {
  api = await startApi();
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const { method = "GET", headers } = request;
      const body = method === "POST" ? { body: Buffer.concat(pieces).toString() } : {};
      api.send(request.url ?? "", { method, headers: { Authorization: headers.authorization ?? "" }, ...body }).then(
        (answer) => {
          for (const [name, value] of answer.headers) response.setHeader(name, value);
          response.writeHead(answer.status).end(answer.text);
        },
        (error: unknown) => response.destroy(error as Error),
      );
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
});
afterAll(async () => {
  server?.close();
  await api?.drop();
});

let file: string;
beforeEach(async () => {
  await api.database.sql.query("TRUNCATE holds, audit_log");
  await api.database.sql.query("UPDATE feeds SET gate_widening = '{}'");
  await force(api.database.sql, "UPDATE files SET state = 'rejected' WHERE state = 'held'", []);
  ({ fileId: file } = await seedHold(api.database, api.world.alpha));
});

const as = (token: string, ...args: readonly string[]) => {
  const { port } = server.address() as AddressInfo;
  return mailfeed("holds", ...args, "--url", `http://127.0.0.1:${port}`, "--token", token);
};
const holds = (...args: readonly string[]) => as(api.world.operator, ...args);

describe("mailfeed holds", () => {
  it("lists what waits, with the first reason, until when, and what waits behind it", async () => {
    await seedBehind(api.database, api.world.alpha, file);
    for (const said of [await holds(), await holds("list", "--customer", "alpha", "--feed", "stock")]) {
      expect([said.code, said.stderr]).toEqual([0, ""]);
      expect(said.stdout).toMatch(new RegExp(`^${file}  \\S+  alpha/stock  export.zip/alpha.csv\\n    5,764 of`));
      expect(said.stdout).toContain("to be decided until 2026-11-27T06:00:00.000Z, 1 file waits behind it");
    }
    const [json] = jsonOf<{ items: { file_id: string }[] }>(await holds("--json"));
    expect(json!.items.map((one) => one.file_id)).toEqual([file]);
    expect((await holds("list", "--customer", "beta")).stdout).toBe("No file is held for doing too much.\n");
  });

  it("shows why, what would happen, the rows, what to do, and what widening comes to", async () => {
    const { code, stdout } = await holds("show", file);
    expect(code).toBe(0);
    for (const said of [
      `File ${file} of alpha/stock is held`,
      "5,764 of 12,412 records (46 %)",
      "A-1",
      "stock: 888",
      `npx mailfeed holds release ${file} --widen`,
      "- Up to 58 % of the records may be taken off.",
    ]) {
      expect(stdout).toContain(said);
    }
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(jsonOf<{ file_id: string }>(await holds("show", file, "--json"))[0]!.file_id).toBe(file);
  });

  it("releases, widens and rejects, and what is decided first counts", async () => {
    const widened = await holds("release", file, "--widen");
    expect([widened.code, widened.stdout]).toEqual([
      0,
      `File ${file} is released (parsed). The limits of its feed are wider now.\n`,
    ]);
    expect((await holds("release", file, "--widen")).code).toBe(0);
    const late = await holds("reject", file, "--reason", "wrong warehouse");
    expect(late.code).toBe(1);
    isPlainlySaid(late, "It was decided before: “widen”, by ops at 2");
    const shown = (await holds("show", file)).stdout;
    expect(shown).toContain("widen by ops at 2");
    expect(shown).not.toContain("What to do");

    const { fileId } = await seedHold(api.database, api.world.alpha);
    const rejected = await holds("reject", fileId, "--reason", "wrong warehouse");
    expect([rejected.code, rejected.stdout]).toEqual([0, `File ${fileId} is rejected. Nothing of it was applied.\n`]);
    const decided = await holds("list", "--decided");
    expect(decided.stdout).toContain("reject by ops at ");
    expect(decided.stdout).toContain("widen by ops at ");
  });

  it("takes back what was widened", async () => {
    await holds("release", file, "--widen");
    const done = await holds("narrow", "alpha/stock");
    expect([done.code, done.stdout]).toEqual([
      0,
      "The limits of alpha/stock are those of its adapter again. Taken back:\n  Up to 58 % of the records may be taken off.\n",
    ]);
    expect((await holds("narrow", "alpha/stock")).stdout).toContain("nothing lay over them");
    expect((await holds("narrow", "alpha/none")).stderr).toContain("there is no feed alpha/none");
    expect((await holds("narrow", "alpha")).stderr).toContain("is no feed: write CUSTOMER/FEED");
  });

  it("says plainly what is missing or wrong, and touches nothing", async () => {
    const wrong: [readonly string[], string][] = [
      [["show"], "holds takes list"],
      [["drop", file], "holds takes list"],
      [["release", file, file], "holds takes list"],
      [["release", "one"], '"one" is not the id of a file'],
      [["reject", file], "reject needs --reason TEXT"],
      [["release", "999999999"], "there is no file 999999999"],
      [["release", api.world.alpha.fileId], "was never held for doing too much"],
    ];
    for (const [args, sentence] of wrong) {
      const said = await holds(...args);
      expect(said.code, args.join(" ")).toBe(2);
      expect(said.stderr).toContain(sentence);
    }
    expect((await holds()).stdout).toContain(file);
  });

  it("shows a customer its own hold and lets it decide nothing", async () => {
    const { token } = api.world.alpha;
    expect((await as(token, "show", file)).stdout).toContain(`File ${file} of alpha/stock is held`);
    for (const args of [["release", file], ["reject", file, "--reason", "x"], ["list"]]) {
      const said = await as(token, ...args);
      expect(said.code).toBe(2);
      isPlainlySaid(said, "a customer's token cannot");
    }
    expect((await as(api.world.beta.token, "show", file)).code).toBe(2);
    expect((await holds()).stdout).toContain(file);
  });
});
