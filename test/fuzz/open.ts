/**
 * Fuzzer for everything that opens a delivery: mail, zip, gzip, tar, winmail.dat, S/MIME, xlsx and JSON.
 *
 * Each case takes a sound input, damages it (bytes, ranges, lengths, splices of two inputs) or makes one of random pieces,
 * and reads all of it in blocks of random size. Allowed are files and Failures that tell the sender what is wrong.
 * A crash is any other error; a hang is a case that pulls more bytes or yields more than its bound; memory is watched by the
 * peak of the process.
 *
 *   node test/fuzz/open.ts --seconds 60 --seed 1
 *
 * A finding is printed with its seed and case number: `--seed S --case N` runs that one alone.
 */
import { Buffer } from "node:buffer";
import { parseArgs } from "node:util";
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

/** Bytes that may come out of a case, all files together: the limits below, and a bomb's grace for each file. */
const MAX_OUT_BYTES = 64 * 1_048_576;
/** Files and rows of a case; the inputs have a few hundred. */
const MAX_STEPS = 200_000;
/** Bytes that a case may pull of its source: each of at most some hundred files is begun once to be sniffed and once to be read. */
const MAX_PULLED_RATIO = 4_000;
/** Peak of the process above its start. */
const MAX_RSS_GROWTH_BYTES = 400 * 1_048_576;

const LIMITS = { maxExpandedBytes: 32 * 1_048_576, maxHeldBytes: 8 * 1_048_576, maxFiles: 300 };

/** Small, fast and the same everywhere (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

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

/** Numbers that lengths, counts and offsets break at. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
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

function damaged(bytes: Uint8Array, random: () => number): Buffer {
  let out = Buffer.from(bytes);
  const place = (span = 0) => Math.floor(random() * Math.max(1, out.length - span));
  for (let times = 1 + Math.floor(random() * 4); times > 0; times -= 1) {
    if (out.length < 8) return out;
    const kind = Math.floor(random() * 8);
    if (kind === 0) out[place()] = Math.floor(random() * 256);
    else if (kind === 1) out[place()]! ^= 1 << Math.floor(random() * 8);
    else if (kind === 2) out.writeUInt32LE(EDGES[Math.floor(random() * EDGES.length)]!, place(4));
    else if (kind === 3) out.writeUInt16BE(EDGES[Math.floor(random() * EDGES.length)]! & 0xffff, place(2));
    else if (kind === 4) out = out.subarray(0, place());
    else if (kind === 5) {
      const at = place();
      const length = Math.floor(random() * 200);
      out = Buffer.concat([out.subarray(0, at), out.subarray(at + length)]);
    } else if (kind === 6) {
      const at = place();
      const from = place();
      out = Buffer.concat([
        out.subarray(0, at),
        out.subarray(from, from + Math.floor(random() * 2_000)),
        out.subarray(at),
      ]);
    } else {
      const at = place();
      const piece = Buffer.from(PIECES[Math.floor(random() * PIECES.length)]!, "latin1");
      out = Buffer.concat([out.subarray(0, at), piece, out.subarray(at)]);
    }
  }
  return out;
}

/** A sound file with its inner parts damaged before they are packed: what a checksum would hide otherwise. */
function damagedInside(random: () => number): Sound {
  const kind = Math.floor(random() * 5);
  const hurt = (bytes: Uint8Array) => damaged(bytes, random);
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
  const pieces = Array.from({ length: length / 10 }, () => PIECES[Math.floor(random() * PIECES.length)]!);
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
  const sound = SOUND[Math.floor(random() * SOUND.length)]!;
  const given = isInside ? damagedInside(random) : { ...sound, bytes: damaged(sound.bytes, random) };
  const sizes = [1, 7, 512, 4_096, 65_536];
  const blockBytes = given.bytes.byteLength > 20_000 ? 65_536 : sizes[Math.floor(random() * sizes.length)]!;
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

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { seconds: { type: "string" }, seed: { type: "string" }, case: { type: "string" } },
  });
  const seed = Number(values.seed ?? 1);
  if (values.case !== undefined) {
    console.log(await runCase(seed, Number(values.case)));
    return;
  }
  const seconds = Number(values.seconds ?? 30);
  const began = performance.now();
  const start = process.memoryUsage().rss;
  const total = { files: 0, problems: 0 };
  let number = 0;
  let slowest = { ms: 0, number: 0 };
  let peak = 0;
  for (; performance.now() - began < seconds * 1_000; number += 1) {
    const before = performance.now();
    try {
      const { files, problems } = await runCase(seed, number);
      total.files += files;
      total.problems += problems;
    } catch (thrown) {
      console.error(`finding: --seed ${seed} --case ${number}`);
      console.error(thrown);
      process.exitCode = 1;
      return;
    }
    const ms = performance.now() - before;
    if (ms > slowest.ms) slowest = { ms, number };
    peak = Math.max(peak, process.memoryUsage().rss - start);
    if (peak > MAX_RSS_GROWTH_BYTES) {
      console.error(
        `finding: memory grew by ${Math.round(peak / 1_048_576)} MiB, --seed ${seed} near --case ${number}`,
      );
      process.exitCode = 1;
      return;
    }
  }
  console.log(
    `${number} cases, ${total.files} files, ${total.problems} problems, no finding; slowest ${Math.round(slowest.ms)} ms (case ${slowest.number}), memory +${Math.round(peak / 1_048_576)} MiB`,
  );
}

if (import.meta.main) await main();
