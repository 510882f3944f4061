/**
 * Fuzzer for everything that reads what others send: here what opens a delivery (mail, zip, gzip, tar, winmail.dat, S/MIME,
 * xlsx, JSON), in `tables.ts` what reads a table (delimited and fixed width, detected and by a feed's format).
 *
 * Each case takes a sound input, damages it (bytes, ranges, lengths, splices of two inputs) or makes one of random pieces,
 * and reads all of it in blocks of random size. Allowed are files and Failures that tell the sender what is wrong.
 * A crash is any other error; a hang is a case that pulls more bytes or yields more than its bound, or takes longer than 5 s;
 * memory is watched by the peak of the process, and by what is held after a collection.
 *
 *   node test/fuzz/open.ts --seconds 60 --seed 1 [--only deliveries|tables]
 *
 * A finding is printed with its seed and case number: `--seed S --case N` runs that one alone. Even numbers are deliveries,
 * odd ones tables.
 */
import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { Failure } from "../../src/domain/failures.ts";
import { jsonRecords } from "../../src/parse/json/records.ts";
import { bodyTable } from "../../src/parse/open/body-table.ts";
import { type OpenOptions, openDelivery } from "../../src/parse/open/open.ts";
import type { ByteSource } from "../../src/parse/open/source.ts";
import { sheetRows } from "../../src/parse/sheet/rows.ts";
import { buildMail, buildTar, buildZip, stockCsv, watchedSource } from "../parse/open/fixtures.ts";
import { buildSigned, buildTnef } from "../parse/open/mail-fixtures.ts";
import { oneSheet } from "../parse/sheet/fixtures.ts";
import { damaged, oneOf, type Random, randomOf } from "./damage.ts";
import { runTableCase } from "./tables.ts";

/** Bytes that may come out of a case, all files together: the limits below, and a bomb's grace for each file. */
const MAX_OUT_BYTES = 64 * 1_048_576;
/** Files and rows of a case; the inputs have a few hundred. */
const MAX_STEPS = 200_000;
/** Bytes that a case may pull of its source: each of at most some hundred files is begun once to be sniffed and once to be read. */
const MAX_PULLED_RATIO = 4_000;
/** Peak of the process above its start: garbage of thousands of cases, and what zlib holds outside the heap. */
const MAX_RSS_GROWTH_BYTES = 640 * 1_048_576;
/** What is still held after a collection, above the start: nothing outlives its case. */
const MAX_LIVE_GROWTH_BYTES = 32 * 1_048_576;
const COLLECT_EVERY_CASES = 500;
/** A case takes milliseconds; the endless ones of tables some hundred. */
const HANG_MS = 5_000;

const LIMITS = { maxExpandedBytes: 32 * 1_048_576, maxHeldBytes: 8 * 1_048_576, maxFiles: 300 };

interface Sound {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly door: "mail" | "upload";
}

const CSV = stockCsv(3_000);
const SHEET = oneSheet(
  Array.from(
    { length: 30 },
    (_, i) =>
      `<row r="${i + 1}"><c r="A${i + 1}" t="s"><v>${i % 3}</v></c><c r="B${i + 1}" s="1"><v>${45_000 + i}.5</v></c><c r="D${i + 1}" t="inlineStr"><is><r><t xml:space="preserve"> a&amp;b </t></r></is></c><c r="E${i + 1}" t="b"><f>1</f><v>1</v></c></row>`,
  ).join(""),
  { strings: ["<t>Größe</t>", "<r><t>a</t></r>", "<t/>"], formats: ["yyyy-mm-dd"] },
);
const ZIP = buildZip({
  entries: [
    { name: "a.csv", data: CSV },
    { name: "b/Größe.csv", data: CSV, method: 0, hasDescriptor: true },
    { name: "locked.csv", data: CSV, lock: { secret: "s", kind: 128 } },
    { name: "old.csv", data: CSV, lock: { secret: "s", kind: "traditional" } },
    { name: "inner.zip", data: buildZip({ entries: [{ name: "c.csv", data: CSV }], isZip64: true }) },
    { name: "list.xlsx", data: SHEET },
  ],
});
const JSON_TEXT = JSON.stringify(
  Array.from({ length: 40 }, (_, i) => ({ sku: `A${i}`, qty: i / 3, tags: ["ä", null, { x: "\n" }], "": true })),
);
const TNEF = buildTnef({
  attachments: [
    { longName: "Größe.csv", title: "GR.CSV", data: CSV, mimeTag: "text/csv" },
    { longName: "a.zip", data: ZIP },
    { message: buildTnef({ attachments: [{ longName: "i.csv", data: CSV }] }) },
  ],
});
const part = (
  filename: string,
  body: Uint8Array | string,
  encoding: "base64" | "quoted-printable" | "8bit" = "base64",
) => ({
  type: "application/octet-stream",
  disposition: "attachment",
  nameStyle: "rfc2231" as const,
  encoding,
  filename,
  body,
});
const MAIL = buildMail({
  parts: [
    { type: "text/plain; charset=utf-8", body: "Hello,\n\nsku;qty\nA;1\n\n-- \nERP" },
    part("a.zip", ZIP),
    part("b.csv", CSV, "quoted-printable"),
    part("c.csv.gz", gzipSync(CSV)),
    part("winmail.dat", TNEF),
    { type: "message/rfc822", body: buildMail({ parts: [part("d.csv", CSV, "8bit")], boundary: "inner" }) },
  ],
});

const SOUND: readonly Sound[] = [
  { name: "a.eml", bytes: MAIL, door: "mail" },
  { name: "a.zip", bytes: ZIP, door: "upload" },
  { name: "a.xlsx", bytes: SHEET, door: "upload" },
  { name: "winmail.dat", bytes: TNEF, door: "upload" },
  { name: "a.json", bytes: Buffer.from(JSON_TEXT), door: "upload" },
  { name: "a.ndjson", bytes: Buffer.from(`${JSON_TEXT.slice(1, -1).replaceAll("},{", "}\n{")}\n`), door: "upload" },
  { name: "smime.p7m", bytes: buildSigned(MAIL.subarray(0), 900), door: "upload" },
  {
    name: "a.tgz",
    bytes: gzipSync(
      buildTar([
        { name: "a.csv", data: CSV },
        { name: "pax", kind: "x", data: "20 path=Größe.csv\n" },
        { name: "b.xlsx", data: SHEET },
      ]),
    ),
    door: "upload",
  },
  { name: "b.tar", bytes: buildTar([{ name: "a.csv", data: CSV }]), door: "upload" },
];

/** What the formats are made of. */
const PIECES = [
  "PK\u0001\u0002",
  "PK\u0003\u0004",
  "PK\u0005\u0006",
  "PK\u0006\u0006",
  "--=_b",
  "--=_b--",
  "\r\n\r\n",
  "Content-Type: multipart/mixed; boundary=x\r\n",
  "Content-Transfer-Encoding: base64\r\n",
  "<row>",
  "</row>",
  '<c r="A1" t="s">',
  "<v>",
  "</v>",
  "<!DOCTYPE",
  "<![CDATA[",
  "]]>",
  "&#x",
  "&amp;",
  "{",
  "}",
  "[",
  "]",
  '"',
  "\\u00",
  "e+99",
  "\u0000\u0000\u0000\u0000",
  "\u00ff\u00ff\u00ff\u00ff",
  "0\u0080",
];

/** A sound file with its inner parts damaged before they are packed: what a checksum would hide otherwise. */
function damagedInside(random: Random): Sound {
  const kind = Math.floor(random() * 5);
  const hurt = (bytes: Uint8Array) => damaged(bytes, random, PIECES);
  if (kind === 0) {
    const data = hurt(
      Buffer.from('<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" s="1"><v>45000.5</v></c></row>'.repeat(3)),
    );
    return {
      name: "a.xlsx",
      bytes: oneSheet(data.toString("latin1"), { strings: [hurt(Buffer.from("<t>a&amp;b</t>")).toString("latin1")] }),
      door: "upload",
    };
  }
  if (kind === 1) return { name: "a.gz", bytes: gzipSync(hurt(ZIP)), door: "upload" };
  if (kind === 2)
    return {
      name: "m",
      bytes: buildMail({ parts: [part("winmail.dat", hurt(TNEF)), part("a.zip", hurt(ZIP))] }),
      door: "mail",
    };
  if (kind === 3)
    return { name: "p7m", bytes: buildSigned(hurt(MAIL), 1 + Math.floor(random() * 3_000)), door: "upload" };
  const length = Math.floor(random() * 4_000);
  const pieces = Array.from({ length: length / 10 }, () => oneOf(random, PIECES));
  return { name: "x", bytes: Buffer.from(pieces.join(""), "latin1"), door: random() < 0.5 ? "mail" : "upload" };
}

export interface CaseResult {
  readonly files: number;
  readonly problems: number;
}

/** Runs one case. Throws what is no Failure for the sender, and an Error above a bound. */
export async function runCase(seed: number, number: number): Promise<CaseResult> {
  const random = randomOf(seed * 1_000_003 + number);
  const isInside = random() < 0.4;
  const sound = oneOf(random, SOUND);
  const given = isInside ? damagedInside(random) : { ...sound, bytes: damaged(sound.bytes, random, PIECES) };
  const sizes = [1, 7, 512, 4_096, 65_536];
  const blockBytes = given.bytes.byteLength > 20_000 ? 65_536 : oneOf(random, sizes);
  const source = watchedSource(given.bytes, blockBytes);
  const result = await readAllOf(source, {
    door: given.door,
    name: given.name,
    limits: LIMITS,
    ...(random() < 0.5 ? { secret: "s" } : {}),
  });
  if (source.open() !== 0) throw new Error(`${source.open()} streams were left open`);
  const pulled = source.pulled() / Math.max(1_000, given.bytes.byteLength);
  if (pulled > MAX_PULLED_RATIO) throw new Error(`the source was read ${Math.round(pulled)} times`);
  return result;
}

async function readAllOf(source: ByteSource, options: OpenOptions): Promise<CaseResult> {
  let files = 0;
  let problems = 0;
  let bytes = 0;
  let steps = 0;
  const step = (more = 0) => {
    steps += 1;
    bytes += more;
    if (steps > MAX_STEPS || bytes > MAX_OUT_BYTES) throw new Error(`no end after ${steps} steps and ${bytes} bytes`);
  };
  for await (const opened of openDelivery(source, options)) {
    step();
    if (opened.kind === "problem") {
      problems += 1;
      continue;
    }
    files += 1;
    const { file } = opened;
    try {
      if (file.format === "xlsx") {
        for await (const batch of sheetRows(await file.source(), { name: file.name })) step(batch.rows.length);
      } else if (file.format === "json" || file.format === "ndjson") {
        for await (const batch of jsonRecords(file.open(), { format: file.format, name: file.name }))
          step(batch.length);
      } else {
        const head: Buffer[] = [];
        for await (const block of file.open()) {
          step(block.byteLength);
          if (head.length < 2) head.push(Buffer.from(block));
        }
        if (file.role === "body") bodyTable(Buffer.concat(head).toString("utf8"));
      }
    } catch (thrown) {
      if (!(thrown instanceof Failure) || thrown.disposition !== "reject") throw thrown;
      problems += 1;
    }
  }
  return { files, problems };
}

/** A case by its number. */
const runAny = (seed: number, number: number): Promise<CaseResult> =>
  number % 2 === 0 ? runCase(seed, number / 2) : runTableCase(seed, (number - 1) / 2);

/** Heap and buffers after collections: what zlib holds is given back a turn later. */
async function liveBytes(): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let turn = 0; turn < 3; turn += 1) {
    collect();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ options: { seconds: text, seed: text, case: text, only: text } });
  const seed = Number(values.seed ?? 1);
  if (values.case !== undefined) {
    console.log(await runAny(seed, Number(values.case)));
    return;
  }
  const finding = (what: unknown, number: number) => {
    console.error(`finding: --seed ${seed} --case ${number}`);
    console.error(what);
    process.exitCode = 1;
  };
  const first = values.only === "tables" ? 1 : 0;
  const step = values.only === undefined ? 1 : 2;
  const seconds = Number(values.seconds ?? 30);
  const began = performance.now();
  const start = process.memoryUsage().rss;
  const liveAtStart = await liveBytes();
  const total = { cases: 0, files: 0, problems: 0 };
  let slowest = { ms: 0, number: 0 };
  let peak = 0;
  let live = 0;
  for (let number = first; performance.now() - began < seconds * 1_000; number += step) {
    const before = performance.now();
    try {
      const { files, problems } = await runAny(seed, number);
      total.cases += 1;
      total.files += files;
      total.problems += problems;
    } catch (thrown) {
      return finding(thrown, number);
    }
    const ms = performance.now() - before;
    if (ms > HANG_MS) return finding(`the case took ${Math.round(ms)} ms`, number);
    if (ms > slowest.ms) slowest = { ms, number };
    peak = Math.max(peak, process.memoryUsage().rss - start);
    if (total.cases % COLLECT_EVERY_CASES === 0) {
      live = Math.max(live, (await liveBytes()) - liveAtStart);
      if (live > MAX_LIVE_GROWTH_BYTES) return finding(`${Math.round(live / 1_048_576)} MiB are held`, number);
    }
    if (peak > MAX_RSS_GROWTH_BYTES) return finding(`memory grew by ${Math.round(peak / 1_048_576)} MiB`, number);
  }
  const { cases, files, problems } = total;
  console.log(
    `seed ${seed}: ${cases} cases, ${files} files, ${problems} problems, no finding; slowest ${Math.round(slowest.ms)} ms (case ${slowest.number}), RSS +${Math.round(peak / 1_048_576)} MiB (at most ${MAX_RSS_GROWTH_BYTES / 1_048_576}), held +${Math.round(live / 1_048_576)} MiB (at most ${MAX_LIVE_GROWTH_BYTES / 1_048_576})`,
  );
}

if (import.meta.main) await main();
