/** The commands that talk to a running stack or a database: send, token, migrate. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateSamples } from "../../cli/samples/generate.ts";
import { dryRunAddress } from "../../src/domain/address.ts";
import { goodMail, missingColumn, spoofedSender, wrongToken } from "../support/bad-input.ts";
import { emptyDatabase, type FreshDatabase } from "../support/database.ts";
import { addressOf, startTestStack, type TestStack } from "../support/stack.ts";
import { isPlainlySaid, jsonOf, mailfeed } from "./run.ts";

let stack: TestStack;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mailfeed-send-"));
  stack = await startTestStack();
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await stack?.stop();
});

const fileWith = (name: string, bytes: Uint8Array) => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const here = () => ["--url", stack.url, "--token", stack.operator];

describe("send", () => {
  const sample = generateSamples({ scale: 0.05 }).find(({ feed }) => feed === "inventory")!;
  const to = addressOf("acme/inventory");

  it("mails a file and follows it to its end", async () => {
    const args = ["send", fileWith("inventory.zip", sample.bytes), "--to", to, "--from", "erp@acme.example", ...here()];
    const said = await mailfeed(...args);
    expect(said.code).toBe(0);
    expect(said.stdout).toContain(
      `inventory.zip/inventory.csv applied: ${sample.rows} new, 0 changed, 0 unchanged, ${sample.rejects} rows rejected`,
    );
    const json = await mailfeed(...args, "--subject", "Once more", "--json");
    expect([json.code, json.stderr]).toEqual([0, ""]);
    expect(jsonOf(json)).toMatchObject([
      {
        state: "parsed",
        subject: "Once more",
        files: [{ state: "duplicate", books: { lines: { accepted: sample.rows }, records: null, balanced: true } }],
      },
    ]);
  });

  it("mails a file that only asks, and takes it for well that nothing was applied", async () => {
    const args = ["--to", dryRunAddress(to), "--from", "erp@acme.example", "--json", ...here()];
    const asked = await mailfeed("send", fileWith("asked.zip", sample.bytes), ...args);
    expect(asked.code).toBe(0);
    expect(jsonOf(asked)).toMatchObject([{ files: [{ state: "compared", cause: "dry-run", compare_only: true }] }]);
  });

  it("mails a mail as it is", async () => {
    const ran = await mailfeed(
      "send",
      fileWith("good.eml", goodMail().raw),
      "--to",
      to,
      "--from",
      "erp@acme.example",
      ...here(),
      "--json",
    );
    expect(ran.code).toBe(0);
    expect(jsonOf(ran)).toMatchObject([
      { sender: "erp@acme.example", files: [{ path: "inventory.csv", state: "applied" }] },
    ]);
  });

  it("says what the mail server would be told, with exit code 1", async () => {
    const bad = wrongToken();
    const args = ["send", fileWith("lost.eml", bad.mail.raw), "--to", bad.mail.to, ...here()];
    const said = await mailfeed(...args);
    expect([said.code, said.stdout]).toEqual([1, ""]);
    expect(said.stderr).toContain(`The mail was refused: ${bad.end.sentence}`);
    const json = await mailfeed(...args, "--json");
    expect(json.code).toBe(1);
    expect(jsonOf(json)).toEqual([{ accepted: false, reason: expect.stringContaining(bad.end.sentence) }]);
  });

  it.each([
    ["is quarantined", spoofedSender],
    ["cannot be read", missingColumn],
  ])("of a mail that %s ends with exit code 1 and the sentence", async (_, make) => {
    const { mail, end } = make();
    const ran = await mailfeed("send", fileWith("bad.eml", mail.raw), "--to", mail.to, ...here());
    expect(ran.code).toBe(1);
    expect(ran.stdout).toContain(end.sentence);
  });

  it("with a token that is not valid says so", async () => {
    const { mail } = { mail: goodMail() };
    const ran = await mailfeed(
      "send",
      fileWith("again.eml", mail.raw),
      "--to",
      mail.to,
      "--url",
      stack.url,
      "--token",
      "mf_nobody",
    );
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain("answered 401");
  });
});

describe("token and migrate", () => {
  let database: FreshDatabase;
  beforeAll(async () => {
    database = await emptyDatabase();
  });
  afterAll(() => database?.drop());

  it("migrate applies everything once and registers the feeds", async () => {
    const [first, second] = [
      await mailfeed("migrate", "--database", database.directUrl, "--json"),
      await mailfeed("migrate", "--database", database.directUrl),
    ];
    expect(first.code).toBe(0);
    const [{ applied }] = jsonOf<{ applied: string[] }>(first) as [{ applied: string[] }];
    expect(applied.length).toBeGreaterThan(0);
    expect(second).toMatchObject({ code: 0, stdout: "Nothing to apply.\n" });
    expect(await database.sql`SELECT count(*)::int AS n FROM feeds`).not.toEqual([{ n: 0 }]);
  });

  it("a token works until it is revoked, and only its digest is kept", async () => {
    const url = stack.databaseUrl;
    const made = await mailfeed("token", "create", "the shop", "--customer", "acme", "--database", url, "--json");
    expect([made.code, made.stderr]).toEqual([0, ""]);
    const [{ token, ...rest }] = jsonOf<{ token: string }>(made) as [{ token: string }];
    expect(rest).toEqual({ name: "the shop", role: "customer", customer: "acme" });
    expect((await stack.api("/v1/customers", token)).status).toBe(200);
    const rows = await stack.sql`SELECT * FROM api_tokens`;
    expect(JSON.stringify(rows)).not.toContain(token);

    expect(await mailfeed("token", "revoke", token, "--database", url)).toMatchObject({
      code: 0,
      stdout: "Revoked.\n",
    });
    expect((await stack.api("/v1/customers", token)).status).toBe(401);
    const again = await mailfeed("token", "revoke", token, "--database", url);
    expect(again.code).toBe(2);
    expect(again.stderr).toBe("mailfeed: there is no such token that is still valid\n");
  });

  it("no token is made for a customer that is not there", async () => {
    const ran = await mailfeed("token", "create", "x", "--customer", "nobody", "--database", stack.databaseUrl);
    expect([ran.code, ran.stdout]).toEqual([2, ""]);
    isPlainlySaid(ran, "mailfeed: there is no customer nobody");
  });
});
