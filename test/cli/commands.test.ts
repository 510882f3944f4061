/** The commands as people and programs call them: help, mistakes, and what they print on the samples. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { feeds } from "../../adapters/index.ts";
import { describedFeed } from "../../cli/input.ts";
import { generateSamples, type Sample } from "../../cli/samples/generate.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { addressOf } from "../support/addresses.ts";
import { goodMail } from "../support/bad-input.ts";
import { isPlainlySaid, jsonOf, mailfeed, mailfeedWith } from "./run.ts";

/** Those that somebody relies on, and whatever else the command itself lists. */
const RELIED_ON = ["dev", "send", "check", "open", "rows", "smoke", "customer", "address", "token", "migrate"];
const overview = await mailfeed("--help");
const COMMANDS = [...overview.stdout.matchAll(/^ {2}([a-z-]+) +\S/gm)].map(([, name]) => name!);

const samples = generateSamples({ scale: 0.05 });
const named = ({ customer, feed }: { customer: string; feed: string }) => `${customer}/${feed}`;
const sampleOf = (feed: string): Sample => samples.find((sample) => sample.feed === feed)!;

let folder: string;
const fileOf = (sample: Sample) => join(folder, sample.fileName);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mailfeed-cli-"));
  for (const sample of samples) writeFileSync(fileOf(sample), sample.bytes);
  writeFileSync(join(folder, "good.eml"), goodMail().raw);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.concurrent("help", () => {
  it("lists every command", () => {
    expect({ code: overview.code, stderr: overview.stderr }).toEqual({ code: 0, stderr: "" });
    expect(COMMANDS).toEqual(expect.arrayContaining(RELIED_ON));
  });

  it("is what a call without a command gets, with the exit code of a mistake", async () => {
    const ran = await mailfeed();
    expect(ran.code).toBe(2);
    expect(ran.stdout).toContain("mailfeed COMMAND");
  });

  it.each(COMMANDS)("of %s tells usage, options and exit codes", async (name) => {
    const ran = await mailfeed(name, "--help");
    expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: "" });
    expect(ran.stdout.startsWith(`mailfeed ${name}`)).toBe(true);
    expect(ran.stdout).toContain("--json");
    expect(ran.stdout).toContain("Exit code 0: all well. 1: something was refused. 2:");
  });
});

describe.concurrent("mistakes", () => {
  it.each([
    ["an unknown command", ["frobnicate"], 'there is no command "frobnicate"', "usage"],
    ["an unknown option", ["open", "--frobnicate"], "Unknown option '--frobnicate'", "usage"],
    ["an option without its value", ["check", "x.csv", "--feed"], "--feed", "usage"],
    ["no file", ["open"], "open needs a file", "usage"],
    ["a file too many", ["check", "a", "b"], "check takes one file", "usage"],
    ["a file that is not there", ["rows", "/nowhere/x.csv"], "there is no file /nowhere/x.csv", "no-such-file"],
    [
      "a file that is not there, to check",
      ["check", "/nowhere/x.csv", "--feed", "acme/inventory"],
      "there is no file /nowhere/x.csv",
      "no-such-file",
    ],
    ["a folder for a file", ["open", "."], ". is not a file", "no-such-file"],
    [
      "a feed that is not there",
      ["rows", "package.json", "--feed", "acme/nothing"],
      "there is no feed acme/nothing; there are acme/inventory, adventure/address, ",
      "no-such-feed",
    ],
    ["a check without a feed", ["check", "package.json"], "check needs --feed CUSTOMER/FEED or --to ADDRESS", "usage"],
    [
      "a charset nobody has",
      ["rows", "package.json", "--charset", "ebcdic"],
      "--charset takes one of utf-8, ",
      "usage",
    ],
    ["a send without an address", ["send", "package.json"], "send needs --to ADDRESS", "usage"],
    ["a port that is no number", ["dev", "--port", "many"], '--port takes a whole number, not "many"', "usage"],
    ["a customer's name with a space", ["customer", "add", "Acme Tools"], '"Acme Tools" is no customer name', "usage"],
    ["a customer that is there", ["customer", "add", "acme"], "adapters/acme is there already", "customer-exists"],
    ["a token for nobody", ["token", "create"], "token takes: create NAME, or revoke TOKEN", "usage"],
    [
      "a database that is no Postgres",
      ["migrate", "--database", "mysql://db/x"],
      "the database URL must begin with postgres://",
      "no-database",
    ],
  ] as const)("%s: exit code 2, one sentence, and JSON for programs", async (_, args, sentence, code) => {
    const ran = await mailfeed(...args, "--json");
    expect(ran.code).toBe(2);
    isPlainlySaid(ran, sentence);
    expect(jsonOf(ran)).toEqual([
      expect.objectContaining({ error: { code, message: expect.stringContaining(sentence) } }),
    ]);
  });

  it("without --json nothing is on the standard output", async () => {
    const ran = await mailfeed("frobnicate");
    expect([ran.code, ran.stdout]).toEqual([2, ""]);
    expect(ran.stderr).toBe('mailfeed: there is no command "frobnicate" (see mailfeed --help)\n');
  });

  it("a database that does not answer: exit code 2 and its place, without the password", async () => {
    const ran = await mailfeed("migrate");
    expect(ran.code).toBe(2);
    isPlainlySaid(
      { ...ran, stderr: ran.stderr.replace("ECONNREFUSED", "refused").trimEnd().concat(".\n") },
      "127.0.0.1:9",
    );
  });
});

describe.concurrent("rows", () => {
  it.each(samples.map((sample) => [named(sample), sample] as const))(
    "of %s are all there, headers included",
    async (name, sample) => {
      const ran = await mailfeed("rows", fileOf(sample), "--feed", name);
      expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: "" });
      const rows = jsonOf<string[]>(ran);
      expect(rows).toHaveLength(sample.lines.preamble + sample.lines.header + sample.rows + sample.rejects);
      const { file } = describedFeed(feeds.find((f) => named(f) === name)!);
      const width = file.columnCount ?? rows[file.preamble.length]!.length;
      const others = rows.slice(file.preamble.length).filter((cells) => cells.length !== width);
      // One of the inventory's bad rows has a comma that is not quoted.
      expect(others.length).toBe(sample.rejected.filter(({ column }) => column === null).length);
    },
  );

  it("are the cells of the file, to the letter, however the layout is said", async () => {
    const sample = sampleOf("address");
    const byHand = new TextDecoder("windows-1252")
      .decode(sample.bytes)
      .split("\n")
      .slice(0, -1)
      .map((line) => line.split("\t"));
    const layout = ["--charset", "windows-1252", "--delimiter", "\\t", "--quote", "none"];
    const [byFeed, byOptions] = await Promise.all([
      mailfeed("rows", fileOf(sample), "--feed", named(sample)),
      mailfeed("rows", fileOf(sample), ...layout, "--ndjson"),
    ]);
    expect(jsonOf(byFeed)).toEqual(byHand);
    expect(byOptions.stdout).toBe(byFeed.stdout);
  });

  it("are refused where there is no text", async () => {
    const path = join(folder, "picture.csv");
    writeFileSync(path, Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"));
    const ran = await mailfeed("rows", path, "--json");
    expect(ran.code).toBe(2);
    expect(jsonOf(ran)).toEqual([
      { error: { code: "file-unsupported", message: expect.stringContaining("is a picture") } },
    ]);
  });
});

describe.concurrent("open", () => {
  it("shows the files inside, each with its size and digest", async () => {
    const inventory = sampleOf("inventory");
    const address = sampleOf("address");
    const ran = await mailfeed("open", fileOf(inventory), fileOf(address), join(folder, "good.eml"), "--json");
    expect(ran.code).toBe(0);
    const sha256 = createHash("sha256").update(address.bytes).digest("hex");
    const digest = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(jsonOf(ran)).toMatchObject([
      {
        file: fileOf(inventory),
        kind: "upload",
        files: [
          {
            path: "inventory.zip/inventory.csv",
            name: "inventory.csv",
            format: "text",
            role: "upload",
            sha256: digest,
          },
        ],
        problems: [],
      },
      {
        kind: "upload",
        files: [{ path: "Address.csv", format: "text", bytes: address.bytes.length, sha256 }],
        problems: [],
      },
      {
        kind: "mail",
        files: [
          { path: "body.txt", role: "body" },
          { path: "inventory.csv", role: "attachment", contentType: "text/csv" },
        ],
        problems: [],
      },
    ]);
  });

  it("shows a mail without its last boundary as far as it came, with the problem that feeds refuse it for", async () => {
    const mail = Buffer.from(goodMail().raw);
    const cut = join(folder, "cut.mail");
    const headers = "Received: from a.example\r\n\tby b.example; Sat, 21 Nov 2026 06:00:00 +0100\r\n";
    writeFileSync(cut, Buffer.concat([Buffer.from(headers), mail.subarray(0, mail.lastIndexOf("\r\n--"))]));
    const ran = await mailfeed("open", cut, "--json");
    expect(ran.code).toBe(1);
    expect(jsonOf(ran)).toMatchObject([
      { kind: "mail", files: [{ role: "body" }, { name: "inventory.csv" }], problems: [{ code: "mail-cut-off" }] },
    ]);
  });

  it("shows an attachment with a damaged encoding as far as it can be decoded, with the problem", async () => {
    const damaged = join(folder, "damaged.mail");
    const part = 'Content-Type: text/csv; name="a.csv"\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj?ZGVm\r\n';
    writeFileSync(damaged, `Subject: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n${part}--b--\r\n`);
    const ran = await mailfeed("open", damaged, "--json");
    expect(ran.code).toBe(1);
    expect(jsonOf(ran)).toMatchObject([
      { files: [{ name: "a.csv", bytes: 6 }], problems: [{ code: "file-corrupt", path: "a.csv" }] },
    ]);
  });
});

describe.concurrent("check", () => {
  it.each(samples.map((sample) => [named(sample), sample] as const))(
    "of %s tells the books and the bad rows",
    async (name, sample) => {
      const [json, said] = await Promise.all([
        mailfeed("check", fileOf(sample), "--feed", name, "--json"),
        mailfeed("check", fileOf(sample), "--feed", name),
      ]);
      expect([json.code, json.stderr, said.code, said.stderr]).toEqual([0, "", 0, ""]);
      const { rows, rejects, rejected, lines } = sample;
      const [checked] = jsonOf<{ files: { books: Record<string, number>; rejects: { line: number }[] }[] }>(json);
      expect(checked).toMatchObject({ feed: name, delivery: { state: "parsed", failure: null }, ok: true });
      expect(checked!.files).toMatchObject([
        { state: "parsed", failure: null, books: { ...lines, accepted: rows, rejected: rejects, blank: 0, footer: 0 } },
      ]);
      expect(checked!.files[0]!.rejects.map(({ line }) => line)).toEqual(rejected.map(({ line }) => line));
      expect(said.stdout).toContain(`${rows} records, ${rejects} rows rejected`);
      for (const { line } of rejected) expect(said.stdout).toContain(`  line ${line}: `);
    },
  );
});

describe.concurrent("address", () => {
  it("prints the address of every feed, or of those named", async () => {
    const [all, one, json] = await Promise.all([
      mailfeed("address"),
      mailfeed("address", "acme/inventory"),
      mailfeed("address", "acme/inventory", "adventure/store", "--json"),
    ]);
    expect(all.stdout.trimEnd().split("\n")).toEqual(feeds.map((feed) => addressOf(named(feed))));
    expect(one.stdout).toBe(`${addressOf("acme/inventory")}\n`);
    expect(jsonOf(json)).toEqual([
      { customer: "acme", feed: "inventory", address: addressOf("acme/inventory") },
      { customer: "adventure", feed: "store", address: addressOf("adventure/store") },
    ]);
  });

  it("is made with the deployment's secret and domain, where they are set, and refuses a short secret", async () => {
    const env = { ADDRESS_SECRET: "a-secret-of-this-test", MAIL_DOMAIN: "in.example" };
    const feed = feeds.find((f) => named(f) === "acme/inventory")!;
    const ran = await mailfeedWith(env, "address", "acme/inventory");
    expect(ran.stdout.trim()).toBe(feedAddress(feed, env.ADDRESS_SECRET, env.MAIL_DOMAIN));
    const short = await mailfeedWith({ ADDRESS_SECRET: "too-short" }, "address");
    expect([short.code, short.stdout]).toEqual([2, ""]);
    expect(short.stderr).toBe("mailfeed: ADDRESS_SECRET is shorter than 16 characters\n");
  });
});
