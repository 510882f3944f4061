/** The commands about how files are read: `mapping` and `feed` against a running stack, `mapping test` and `check` without. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answersTo } from "../../cli/commands/feed.ts";
import { startTestStack, type TestStack } from "../support/stack.ts";
import { isPlainlySaid, jsonOf, mailfeed, mailfeedWith } from "./run.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mailfeed-mapping-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fileWith = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};

const KEPT = { name: "sku", source: { header: "SKU" }, type: "identifier" };
const draftOf = (columns: readonly object[], cases: readonly object[] = []) => ({
  mapping: { columns, key: ["sku"] },
  cases,
});

describe.concurrent("without a deployment", () => {
  const padded = { ...KEPT, transforms: [{ do: "pad", length: 8 }] };
  const good = { name: "a short number", cells: { SKU: "42" }, expect: { record: { sku: "00000042" } } };

  it("mapping test reads the cases by the adapter of the project", async () => {
    const path = fileWith("good.json", draftOf([padded], [good]));
    const said = await mailfeed("mapping", "test", "acme/inventory", path);
    expect([said.code, said.stdout, said.stderr]).toEqual([0, "1 of 1 cases hold.\n", ""]);
    const json = await mailfeed("mapping", "test", "acme/inventory", path, "--json");
    expect(jsonOf(json)).toEqual([
      { ok: true, faults: [], cases: [{ name: "a short number", passed: true, differences: [] }] },
    ]);
  });

  it("mapping test names what differs, with exit code 1", async () => {
    const path = fileWith("failing.json", draftOf([KEPT], [good]));
    const said = await mailfeed("mapping", "test", "acme/inventory", path);
    expect(said.code).toBe(1);
    expect(said.stderr).toContain('a short number: The field sku is "42", expected "00000042".');
  });

  it("check reads a file by a draft", async () => {
    const path = fileWith("short.csv", "SKU\n42\n43\n");
    const draft = fileWith(
      "padded.json",
      draftOf([padded, { name: "plant", source: { constant: "HH" }, type: "text" }]),
    );
    const by = await mailfeed("check", path, "--feed", "acme/inventory", "--mapping", draft, "--json");
    expect(by.code, by.stderr).toBe(0);
    expect(jsonOf(by)).toMatchObject([{ ok: true, files: [{ state: "parsed", books: { accepted: 2 } }] }]);
    const without = await mailfeed("check", path, "--feed", "acme/inventory", "--json");
    expect(without.code).toBe(1);
    expect(jsonOf(without)).toMatchObject([{ files: [{ failure: { code: "missing-column" } }] }]);
  });

  it.each<[string, readonly string[], string, string]>([
    ["no action", ["mapping"], "mapping takes show C/F, or draft C/F FILE.json", "usage"],
    ["an unknown action", ["mapping", "edit", "a/b"], "mapping takes show C/F", "usage"],
    ["a name that is no feed", ["mapping", "show", "acme"], '"acme" is no feed: write CUSTOMER/FEED', "usage"],
    ["no file", ["mapping", "test", "acme/inventory"], "mapping takes", "usage"],
    [
      "a file that is not there",
      ["mapping", "test", "acme/inventory", "/nowhere.json"],
      "there is no file /nowhere.json",
      "no-such-file",
    ],
    ["a version that is no number", ["mapping", "activate", "acme/inventory", "newest"], "mapping takes", "usage"],
    ["try without a file", ["mapping", "try", "acme/inventory", "--version", "1"], "mapping takes", "usage"],
    [
      "an API that is not there",
      ["mapping", "show", "acme/inventory", "--url", "http://127.0.0.1:9", "--token", "x"],
      "the API at http://127.0.0.1:9 cannot be reached",
      "unreachable",
    ],
    [
      "no URL at all",
      ["mapping", "show", "acme/inventory", "--url", "", "--token", "x"],
      "--url and --token",
      "no-stack",
    ],
    ["an unknown feed action", ["feed", "edit", "acme/inventory"], "feed takes versions C/F, or accept C/F", "usage"],
    [
      "refusing a file without a reason",
      ["feed", "drift", "acme/inventory", "--reject", "1", "--url", "http://127.0.0.1:9", "--token", "x"],
      "say with --note why the file is refused",
      "usage",
    ],
  ])("%s is one plain sentence and exit code 2", async (_, args, sentence, code) => {
    const said = await mailfeed(...args);
    expect([said.code, said.stdout]).toEqual([2, ""]);
    isPlainlySaid(said, sentence);
    const json = await mailfeed(...args, "--json");
    expect(jsonOf<{ error: { code: string } }>(json)[0]?.error.code).toBe(code);
  });

  it.each<[string, unknown, string]>([
    ["no JSON", "{", "is not JSON"],
    ["another shape", { columns: [] }, "mapping: is missing"],
    [
      "an evil pattern",
      draftOf([{ ...KEPT, pattern: "(?=(a+)+)b" }]),
      "mapping.columns.0.pattern: looks ahead or behind",
    ],
    ["an unknown transform", draftOf([{ ...KEPT, transforms: [{ do: "eval" }] }]), "mapping.columns.0.transforms.0.do"],
  ])("a draft that is %s is named with its path", async (name, content, sentence) => {
    const path = fileWith(`${name}.json`, content);
    const said = await mailfeed(
      "check",
      fileWith("any.csv", "SKU\n1\n"),
      "--feed",
      "acme/inventory",
      "--mapping",
      path,
    );
    expect(said.code).toBe(2);
    isPlainlySaid(said, sentence);
  });
});

describe("answers", () => {
  const date = {
    what: "dateOrder",
    column: "Valid from",
    options: ["dd/MM/yyyy", "MM/dd/yyyy"],
    assumed: null,
    reason: "",
  };
  const century = { what: "century", column: "Valid from", options: ["1900", "2000"], assumed: null, reason: "" };
  const key = { what: "key", options: ["Article"], assumed: "Article", reason: "" };

  it("name a column, and the order of a date in three letters", () => {
    expect(answersTo(["Valid from=mdy", "key=Article"], [date, key])).toEqual([
      { what: "dateOrder", column: "Valid from", answer: "MM/dd/yyyy" },
      { what: "key", answer: "Article" },
    ]);
  });

  it("say which question where a column has two", () => {
    expect(answersTo(["century:Valid from=2000"], [date, century])).toMatchObject([
      { what: "century", answer: "2000" },
    ]);
    expect(() => answersTo(["Valid from=2000"], [date, century])).toThrow("dateOrder:Valid from or century:Valid from");
  });

  it("are refused where nobody asked, or where there is no such option", () => {
    expect(() => answersTo(["Price=."], [date])).toThrow('nothing is asked about "Price"; open: Valid from');
    expect(() => answersTo(["Valid from=ymd"], [date])).toThrow("takes one of dd/MM/yyyy, MM/dd/yyyy, not ymd");
    expect(() => answersTo(["Valid from"], [date])).toThrow("--answer takes COLUMN=VALUE");
  });
});

describe("against a deployment", () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({ testFeeds: true });
  });
  afterAll(() => stack?.stop());

  const run = (...args: string[]) => mailfeed(...args, "--url", stack.url, "--token", stack.operator);
  const land = async (feed: string, text: string) => {
    const { body } = await stack.post<{ delivery: { id: string } }>(`/v1/feeds/acme/${feed}/files?name=${feed}.csv`, {
      body: text,
    });
    const { files } = await stack.follow(body.delivery.id);
    const { body: file } = await stack.api<{ adapter_version: string; failure: { code: string } | null }>(
      `/v1/files/${files[0]!.id}`,
    );
    return { ...file, id: files[0]!.id, state: files[0]!.state };
  };
  const placeOf = async (article: string) => {
    const [row] = await stack.sql`SELECT data->>'place' AS place, version FROM records WHERE natural_key = ${article}`;
    return row;
  };
  const columns = [
    { name: "article", source: { header: "Article" }, type: "identifier" },
    { name: "amount", source: { header: "Amount" }, type: "decimal", decimalMark: ",", scale: 3 },
    {
      name: "place",
      source: { header: "Place" },
      type: "text",
      transforms: [{ do: "lookup", table: { HH: "Hamburg", B: "Berlin" }, otherwise: "reject" }],
    },
  ];
  const words = (place: string) => ({
    mapping: { columns, key: ["article"] },
    cases: [{ name: "a place", cells: { Article: "A", Place: "HH" }, expect: { record: { place } } }],
  });

  it("a mapping is drafted, tried, activated, read by and taken back; both versions stay in the history", async () => {
    const first = await land("stock", "Article;Amount;Place\nA1;1,5;HH\nA2;2;XX\n");
    expect(first.state).toBe("applied");
    expect(await placeOf("A1")).toMatchObject({ place: "HH" });
    const shown = await run("mapping", "show", "acme/stock");
    expect(shown.stdout).toContain("Version 1 (adapter, ");

    const wrong = await run("mapping", "draft", "acme/stock", fileWith("wrong.json", words("Hanover")), "--json");
    expect([wrong.code, jsonOf(wrong)]).toMatchObject([1, [{ version: 2, check: { ok: false } }]]);
    const blocked = await run("mapping", "activate", "acme/stock", "2");
    expect([blocked.code, blocked.stdout]).toEqual([1, ""]);
    expect(blocked.stderr).toContain('a place: The field place is "Hamburg", expected "Hanover".');

    const drafted = await run(
      "mapping",
      "draft",
      "acme/stock",
      fileWith("right.json", words("Hamburg")),
      "--note",
      "words",
    );
    expect(drafted.code, drafted.stderr).toBe(0);
    expect(drafted.stdout).toContain("Draft 3:");
    const tried = await run("mapping", "try", "acme/stock", "--file", first.id, "--version", "3");
    expect(tried.code, tried.stderr).toBe(0);
    expect(tried.stdout).toContain("2 of 2 rows compared: 0 the same, 1 changed, 1 refused now");
    expect(tried.stdout).toContain('after  {"article":"A1","amount":"1.5","place":"Hamburg"}');

    const active = await run("mapping", "activate", "acme/stock", "3", "--json");
    expect([active.code, jsonOf(active)]).toMatchObject([0, [{ version: 3, before: 1 }]]);
    const second = await land("stock", "Article;Amount;Place\nA1;1,5;HH\nA3;3;B\n");
    expect(second.state).toBe("applied");
    expect(second.adapter_version).not.toBe(first.adapter_version);
    expect(await placeOf("A1")).toMatchObject({ place: "Hamburg", version: 2 });

    const back = await run("mapping", "rollback", "acme/stock");
    expect([back.code, back.stdout]).toEqual([0, expect.stringContaining("Version 1 is active, after version 3.")]);
    const third = await land("stock", "Article;Amount;Place\nA1;1,5;HH\n");
    expect(third.adapter_version).toBe(first.adapter_version);
    expect(await placeOf("A1")).toMatchObject({ place: "HH", version: 3 });
    const again = await run("mapping", "rollback", "acme/stock");
    expect(again.code).toBe(1);
    isPlainlySaid(again, "There is no earlier mapping that was active.");

    const history = await run("feed", "versions", "acme/stock", "--kind", "mapping", "--json");
    const items = jsonOf<{ items: { version: number; state: string }[] }>(history)[0]!.items;
    expect(items.map(({ version, state }) => `${version} ${state}`)).toEqual(["3 retired", "2 proposed", "1 active"]);
  });

  it("a draft with faults is refused with every path", async () => {
    const path = fileWith("faulty.json", { mapping: { columns: [{ ...columns[0], name: "Article" }], key: [] } });
    const said = await run("mapping", "draft", "acme/stock", path);
    expect(said.code).toBe(1);
    expect(said.stderr).toContain("  mapping.columns.0.name: is not lower_snake_case");
    expect(said.stderr).toContain("  mapping.key: ");
  });

  it("a customer's token is not let in; URL and token may stand in the environment", async () => {
    await land("stock", "Article;Amount;Place\nA9;1;HH\n");
    const token = await stack.customerToken("acme");
    const refused = await mailfeedWith(
      { MAILFEED_URL: stack.url, MAILFEED_TOKEN: token },
      "mapping",
      "show",
      "acme/stock",
    );
    expect([refused.code, refused.stdout]).toEqual([2, ""]);
    isPlainlySaid(refused, "Ask an operator to do this; a customer's token cannot.");
    const operator = { MAILFEED_URL: `${stack.url}/`, MAILFEED_TOKEN: stack.operator };
    expect((await mailfeedWith(operator, "mapping", "show", "acme/stock")).code).toBe(0);
    expect((await run("mapping", "show", "acme/nothing")).code).toBe(2);
  });

  it("a feed that nobody has described is accepted with an answer", async () => {
    const held = await land("deals", "Deal,Until,Discount\nD-1,03/04/2024,5.75\nD-2,05/06/2024,7.90\n");
    expect([held.state, held.failure?.code]).toEqual(["held", "format-unconfirmed"]);
    const versions = await run("feed", "versions", "acme/deals");
    expect(versions.stdout).toContain("profile 1  proposed  detection");
    expect(versions.stdout).toContain("open: Until (dateOrder)");
    const unanswered = await run("feed", "accept", "acme/deals");
    expect(unanswered.code, unanswered.stderr).toBe(1);
    expect(unanswered.stderr).toContain("Until (dateOrder)");
    const nobodyAsked = await run("feed", "accept", "acme/deals", "--answer", "Discount=.");
    expect(nobodyAsked.code).toBe(2);
    const accepted = await run("feed", "accept", "acme/deals", "--answer", "Until=dmy", "--note", "asked Acme");
    expect([accepted.code, accepted.stderr]).toEqual([0, ""]);
    const next = await land("deals", "Deal,Until,Discount\nD-3,24/12/2024,1.00\n");
    expect(next.state).toBe("applied");

    const drifted = await land("deals", "Deal;Until;Discount\nD-4;25/12/2024;1.00\n");
    expect(drifted.failure?.code).toBe("format-drift");
    const listed = await run("feed", "drift", "acme/deals");
    expect(listed.stdout).toContain(`file ${drifted.id}  deals.csv`);
    const rejected = await run("feed", "drift", "acme/deals", "--reject", drifted.id, "--note", "sent by mistake");
    expect([rejected.code, rejected.stdout]).toEqual([0, "The file is refused.\n"]);
    expect((await run("feed", "drift", "acme/deals")).stdout).toBe("No file of this feed is held for its format.\n");
    const nothing = await run("feed", "drift", "acme/deals", "--accept", drifted.id);
    expect(nothing.code).toBe(1);

    const other = await land("deals", "Deal;Until;Discount\nD-5;26/12/2024;1.00\n");
    const taken = await run("feed", "drift", "acme/deals", "--accept", other.id, "--json");
    expect([taken.code, jsonOf(taken)]).toMatchObject([0, [{ file: { id: other.id } }]]);
  });

  it("a proposal is rejected", async () => {
    await land("prices", "Article;Price\nA-1;12,50\nA-2;1,20\n");
    const rejected = await run("feed", "reject", "acme/prices", "--note", "another export");
    expect([rejected.code, rejected.stdout]).toEqual([0, "The proposal is rejected.\n"]);
  });
});
