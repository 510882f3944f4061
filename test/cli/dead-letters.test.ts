/** `mailfeed dead-letters` against the real API on a real database, over HTTP. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { report } from "../../src/domain/failures.ts";
import { REDRIVEN_PER_CALL } from "../../src/redrive/redrive.ts";
import { type Api, startApi } from "../api/harness.ts";
import { seedDelivery, seedLetter } from "../api/seed.ts";
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
});
afterAll(async () => {
  server?.close();
  await api?.drop();
});
beforeEach(async () => {
  await api.database.sql.query("TRUNCATE dead_letters, fixed_causes, audit_log");
  api.messages.length = 0;
});

const deadLetters = (...args: readonly string[]) => {
  const { port } = server.address() as AddressInfo;
  return mailfeed("dead-letters", ...args, "--url", `http://127.0.0.1:${port}`, "--token", api.world.operator);
};

const failure = report("raw-missing", { key: "raw/x" });

async function dead(values = {}): Promise<{ delivery: string; letter: string }> {
  const delivery = await seedDelivery(api.database, api.world.alpha, { state: "dead", failure });
  return { delivery, letter: await seedLetter(api.database, api.world.alpha, delivery, values) };
}

describe("mailfeed dead-letters list", () => {
  it("says what is stuck and why, and that nothing is", async () => {
    expect((await deadLetters("list")).stdout).toBe("No open dead letters.\n");
    const { letter } = await dead();
    const said = await deadLetters("list", "--customer", "alpha");
    expect([said.code, said.stderr]).toEqual([0, ""]);
    expect(said.stdout).toContain("parse.raw-missing: 1, the oldest of ");
    expect(said.stdout).toMatch(
      new RegExp(`^${letter}  \\S+  alpha/stock  parse.raw-missing  The archived message`, "m"),
    );
    const [json] = jsonOf<{ items: { id: string }[]; causes: unknown[] }>(await deadLetters("list", "--json"));
    expect([json!.items.map(({ id }) => id), json!.causes.length]).toEqual([[letter], 1]);
    expect((await deadLetters("list", "--stage", "apply")).stdout).toBe("No open dead letters.\n");
  });
});

describe("mailfeed dead-letters show", () => {
  it("tells all there is to know, and how it ended", async () => {
    const { delivery, letter } = await dead();
    const said = await deadLetters("show", letter);
    expect(said.code).toBe(0);
    for (const part of [
      `Dead letter ${letter} (open) of alpha/stock, parse.raw-missing`,
      failure.sentence,
      failure.hint,
      `delivery ${delivery} is dead`,
      'evidence {"key":"raw/x"}',
      '"type":"parse-delivery"',
    ])
      expect(said.stdout).toContain(part.replace("raw/x is", "raw/alpha is").replace('"raw/x"', '"raw/alpha"'));
    await deadLetters("discard", letter, "--reason", "sent again");
    expect((await deadLetters("show", letter)).stdout).toContain("discarded by ops at ");
  });

  it("prints the archived bytes themselves", async () => {
    const { letter } = await dead();
    expect((await deadLetters("show", letter, "--raw")).stdout).toBe("raw/alpha/2026/11/20/x.eml");
  });

  it("says why one cannot be redriven", async () => {
    const { letter } = await dead({ message: { v: 99 } });
    expect((await deadLetters("show", letter)).stdout).toContain("cannot be redriven: A queue message cannot be read");
  });
});

describe("mailfeed dead-letters redrive", () => {
  it("sends those that are named; one that cannot go makes the exit code 1", async () => {
    const { letter } = await dead();
    const hopeless = await dead({ message: { v: 99 } });
    const said = await deadLetters("redrive", letter, hopeless.letter, letter);
    expect([said.code, said.stdout.trimEnd()]).toEqual([1, "1 redriven."]);
    expect(said.stderr).toContain(`${hopeless.letter} stays: A queue message cannot be read`);
    expect(api.messages).toMatchObject([{ redriveOf: letter }]);
  });

  it("sends a whole cause, however many calls it takes", async () => {
    const count = REDRIVEN_PER_CALL + 3;
    for (let n = 0; n < count; n++) await seedLetter(api.database, api.world.alpha, n.toString(16).padStart(32, "0"));
    const said = await deadLetters("redrive", "--cause", "parse.raw-missing", "--customer", "alpha", "--json");
    const [json] = jsonOf<{ redriven: unknown[]; stays: unknown[]; left: number }>(said);
    expect([said.code, json!.redriven.length, json!.stays, json!.left]).toEqual([0, count, [], 0]);
    expect(api.messages).toHaveLength(count);
  });

  it("sends more ids than one call takes", async () => {
    const ids: string[] = [];
    for (let n = 0; n <= REDRIVEN_PER_CALL; n++) {
      ids.push(await seedLetter(api.database, api.world.alpha, n.toString(16).padStart(32, "0")));
    }
    expect((await deadLetters("redrive", ...ids)).stdout).toBe(`${ids.length} redriven.\n`);
  });
});

describe("mailfeed dead-letters discard and fixed", () => {
  it("discards with a reason, and says where it is too late", async () => {
    const { letter } = await dead();
    const said = await deadLetters("discard", letter, "--reason", "sent again");
    expect([said.code, said.stdout]).toEqual([0, `Dead letter ${letter} is discarded.\n`]);
    const other = await dead();
    await deadLetters("redrive", other.letter);
    const refused = await deadLetters("discard", other.letter, "--reason", "x");
    expect(refused.code).toBe(1);
    isPlainlySaid(refused, "It is redriven already");
  });

  it("marks a cause as fixed and says how many letters that means", async () => {
    await dead();
    const said = await deadLetters("fixed", "parse.raw-missing", "--note", "bucket restored");
    expect([said.code, said.stdout]).toEqual([
      0,
      "parse.raw-missing is marked as fixed. The sweep redrives what waits (1), up to a hundred every ten minutes.\n",
    ]);
    expect((await deadLetters("list")).stdout).toContain("marked as fixed by ops at ");
  });
});

describe("mistakes", () => {
  it.each<[string, readonly string[], string]>([
    ["no action", [], "dead-letters takes list"],
    ["an unknown action", ["drop", "1"], "dead-letters takes list"],
    ["show without an id", ["show"], "dead-letters takes list"],
    ["an id that is none", ["show", "seventeen"], '"seventeen" is not the id of a dead letter'],
    ["a letter that is not there", ["show", "999999"], "there is no dead letter 999999"],
    ["redrive of nothing", ["redrive"], "dead-letters takes list"],
    ["redrive of ids and a cause", ["redrive", "1", "--cause", "parse.raw-missing"], "dead-letters takes list"],
    ["redrive of a customer alone", ["redrive", "--customer", "alpha"], "dead-letters takes list"],
    ["discard of a letter that is not there", ["discard", "999999", "--reason", "x"], "there is no dead letter 999999"],
    ["discard without a reason", ["discard", "1"], "discard needs --reason"],
    ["fixed without a cause", ["fixed"], "dead-letters takes list"],
    ["fixed of a cause that nothing died of", ["fixed", "parse.of-nobody"], "there is no dead letter of the cause"],
    ["a filter that is none", ["list", "--stage", "emit"], "is none of parse, apply"],
  ])("%s is a mistake of the call: exit code 2", async (_, args, sentence) => {
    const said = await deadLetters(...args);
    expect(said.code).toBe(2);
    isPlainlySaid(said, sentence);
  });
});
