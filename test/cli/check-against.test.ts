/** `mailfeed check --against`: what a file would do to the records of a deployment. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linesOf } from "../../cli/check-against.ts";
import { generateSamples } from "../../cli/samples/generate.ts";
import type { Effect } from "../../src/domain/effect.ts";
import { report } from "../../src/domain/failures.ts";
import { goodMail } from "../support/bad-input.ts";
import { mailOfSample, startTestStack, type TestStack, written } from "../support/stack.ts";
import { isPlainlySaid, jsonOf, mailfeed, mailfeedWith } from "./run.ts";

let stack: TestStack;
let folder: string;
const sample = generateSamples({ scale: 0.05 }).find(({ feed }) => feed === "inventory")!;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mailfeed-check-"));
  stack = await startTestStack();
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await stack?.stop();
});

const fileWith = (name: string, bytes: Uint8Array | string) => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const inventory = () => fileWith("inventory.zip", sample.bytes);
const check = (path: string, ...more: readonly string[]) =>
  mailfeed("check", path, "--feed", "acme/inventory", "--against", stack.url, "--token", stack.operator, ...more);

describe("check --against", () => {
  it("tells what a file would do, and does nothing of it; the same file sent for real does just that", async () => {
    const ran = await check(inventory());
    expect([ran.code, ran.stderr.includes("dry run")]).toEqual([0, true]);
    expect(ran.stdout).toContain("inventory.csv: would be applied");
    expect(ran.stdout).toMatch(new RegExp(`^ {2}new +${sample.rows}$`, "m"));
    expect(ran.stdout).toContain("Nothing was changed.");
    expect(await written(stack)).toEqual({ versions: 0, events: 0 });

    const landed = await stack.deliver(mailOfSample(sample));
    expect(landed.files[0]!.books.records).toMatchObject({ inserted: sample.rows });
    const again = await check(inventory());
    expect(again.code).toBe(0);
    expect(again.stdout).toMatch(new RegExp(`^ {2}unchanged +${sample.rows}$`, "m"));
  });

  it("answers programs with all of it", async () => {
    const ran = await check(inventory(), "--json");
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    expect(jsonOf(ran)).toMatchObject([
      {
        feed: "acme/inventory",
        against: stack.url,
        delivery: { state: "parsed", failure: null },
        files: [{ state: "compared", failure: null, comparison: { verdict: "apply", accepted: sample.rows } }],
        ok: true,
      },
    ]);
  });

  it("fails with the reason where the file cannot be read", async () => {
    const ran = await check(fileWith("empty.csv", "SKU\r\n"), "--json");
    expect(ran.code).toBe(1);
    const [told] = jsonOf<{ ok: boolean; files: { failure: { code: string } | null; comparison: unknown }[] }>(ran);
    expect(told).toMatchObject({ ok: false, files: [{ comparison: null }] });
    expect(told!.files[0]!.failure).not.toBeNull();
    const empty = await check(fileWith("nothing.csv", ""));
    expect(empty.code).toBe(1);
    isPlainlySaid({ ...empty, stderr: empty.stderr.replace(/^(Uploading|[0-9a-f]{8} ).*\n/gm, "") }, "no bytes");
  });

  it("does not open a feed to the token of another customer", async () => {
    const token = await stack.customerToken("acme");
    const path = fileWith("b.csv", "a;b\r\n");
    const ran = await mailfeedWith(
      { MAILFEED_TOKEN: token },
      "check",
      path,
      "--feed",
      "kontor/buchungen",
      "--against",
      stack.url,
    );
    expect(ran.code).toBe(2);
    expect(ran.stderr).not.toContain(token);
  });

  it.each([
    ["no feed", ["--to", "x@y"], "needs --feed CUSTOMER/FEED"],
    ["a draft", ["--feed", "acme/inventory", "--mapping", "m.json"], "does not go with --mapping"],
    ["no address of a deployment", ["--feed", "acme/inventory", "--token", "x"], "is not a URL"],
    ["a feed that is no name", ["--feed", "acme", "--token", "x"], "is no feed"],
  ])("says what is missing of a call with %s", async (what, args, sentence) => {
    const against = what === "no address of a deployment" ? "nowhere" : stack.url;
    const ran = await mailfeed("check", inventory(), "--against", against, ...args);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain(sentence);
  });

  it("says how a mail is asked about", async () => {
    const ran = await check(fileWith("good.eml", goodMail().raw));
    expect(ran.code).toBe(2);
    isPlainlySaid(ran, "+dryrun");
  });
});

describe("what is said of one file", () => {
  const effect: Effect = {
    at: "2026-11-20T12:00:00.000Z",
    mode: "full",
    records: 12_400,
    rows: 6_655,
    accepted: 6_654,
    rejected: 1,
    inserted: 12,
    changed: 240,
    unchanged: 6_402,
    stale: 0,
    superseded: 0,
    retired: 5_764,
    kept: null,
    fields: { exact: true, counts: [{ field: "stock", records: 238 }] },
    examples: [
      { kind: "changed", key: "A-1", line: 2, values: [{ field: "stock", before: 4, after: 400 }], more: 1 },
      { kind: "retired", key: "A-2", values: [{ field: "name", before: "Hinge", after: null }], more: 0 },
    ],
    verdict: "hold",
    reasons: [{ check: "retired", sentence: "5,764 of 12,400 records (46 %) are not in the file any more." }],
    unjudged: [],
  };

  it("is the verdict, the reasons, the numbers, rows that show it, and what is rejected", () => {
    const rejects = [{ line: 7, sentence: "The value “x” of “stock” is no number.", hint: "Write a number." }];
    expect(linesOf({ path: "a.csv", failure: null, comparison: effect, rejects })).toEqual([
      "a.csv: would be held",
      "  because: 5,764 of 12,400 records (46 %) are not in the file any more.",
      "  records now    12,400",
      "  rows accepted   6,654",
      "  rows rejected       1",
      "  new                12",
      "  changed           240  stock 238",
      "  retired         5,764",
      "  unchanged       6,402",
      "  changed   A-1: stock 4 → 400, and 1 more",
      "  retired   A-2: name Hinge",
      "  line 7: The value “x” of “stock” is no number. Write a number.",
    ]);
  });

  it("calls estimates estimates, and shows nothing that moves a terminal", () => {
    const key = "\u001b[2J\u202e";
    const examples = [{ kind: "inserted" as const, key, values: [{ field: "n", before: null, after: key }], more: 0 }];
    const fields = { exact: false, counts: [{ field: "stock", records: 238 }] };
    const said = linesOf({
      path: "a.csv",
      failure: null,
      comparison: { ...effect, fields, examples },
      rejects: [],
    }).join("\n");
    expect(said).toContain("stock about 238");
    expect(said).not.toMatch(/[\u001b\u202e]/);
  });

  it("is the reason where there is nothing to tell", () => {
    const failure = report("file-empty", { name: "a.csv" });
    expect(linesOf({ path: "a.csv", failure, comparison: null, rejects: [] })).toEqual([
      "a.csv: cannot be compared. The file “a.csv” is empty. Check that the export ran, then send it again.",
    ]);
  });
});
