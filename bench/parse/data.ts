/** The measured files. Making the large ones takes longer than reading them, so they are kept between runs. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { benchInventoryBytes, benchRejects, zipOf } from "../../cli/samples/generate.ts";
import { mailOf } from "../../cli/samples/mail.ts";

const ROOT = join(import.meta.dirname, "../..");
const SAMPLES = join(ROOT, "cli/samples");
const CACHE = join(ROOT, "node_modules/.cache/mailfeed-bench");

/** Largest message that Email Routing takes in. */
export const MAX_MAIL_BYTES = 26_214_400;
/** Header, body and boundaries of our mail, generously. */
const MAIL_OVERHEAD_BYTES = 4_096;
/** Base64 in lines of 76 characters and CRLF: 57 bytes become 78. */
const BASE64_BYTES_PER_LINE = 57;
const MAIL_BYTES_PER_LINE = 78;

export interface BenchMail {
  readonly path: string;
  readonly mailBytes: number;
  readonly csvBytes: number;
  readonly rows: number;
  readonly accepted: number;
  readonly rejected: number;
}

/** A generator that was changed makes other files: they get other names. */
const generation = (): string => {
  const hash = createHash("sha256");
  for (const name of readdirSync(SAMPLES).sort()) hash.update(readFileSync(join(SAMPLES, name)));
  return hash.digest("hex").slice(0, 12);
};

function kept(name: string, make: () => Uint8Array): string {
  mkdirSync(CACHE, { recursive: true });
  const path = join(CACHE, `${generation()}-${name}`);
  if (!existsSync(path)) {
    console.error(`  making ${name}`);
    writeFileSync(`${path}.part`, make());
    renameSync(`${path}.part`, path);
  }
  return path;
}

const mailWith = (name: string, contentType: string, bytes: Uint8Array): Uint8Array =>
  mailOf({
    from: "ERP <erp@bench.example>",
    to: "bench-inventory@feeds.mailfeed.example",
    subject: "Inventory",
    date: new Date("2026-11-02T05:30:00Z"),
    messageId: "<inventory@bench.example>",
    body: "Automatic export.",
    attachments: [{ name, contentType, bytes }],
  });

const described = (path: string, rows: number, csvBytes: number): BenchMail => ({
  path,
  mailBytes: readFileSync(path).byteLength,
  csvBytes,
  rows,
  accepted: rows - benchRejects(rows),
  rejected: benchRejects(rows),
});

/** The file itself, in Windows-1252, or in UTF-8 for tools that read nothing else. */
export function csvFile(rows: number, charset: "windows-1252" | "utf-8"): string {
  return kept(`${rows}-${charset}.csv`, () => {
    const bytes = benchInventoryBytes(rows);
    return charset === "utf-8" ? Buffer.from(new TextDecoder("windows-1252").decode(bytes)) : bytes;
  });
}

/** A mail with the zipped file. 1,500,000 rows (179 MB) just fit into what a mail may have. */
export function zippedMail(rows: number): BenchMail {
  const csv = csvFile(rows, "windows-1252");
  const path = kept(`${rows}-zip.eml`, () =>
    mailWith("inventory.zip", "application/zip", zipOf([{ name: "inventory.csv", bytes: readFileSync(csv) }])),
  );
  return described(path, rows, readFileSync(csv).byteLength);
}

/** A mail with the plain file in base64, as many rows as a mail holds, or `atMostRows`. */
export function plainMail(atMostRows = Number.POSITIVE_INFINITY): BenchMail {
  const probe = 10_000;
  const bytesPerRow = benchInventoryBytes(probe).byteLength / probe;
  const room = ((MAX_MAIL_BYTES - MAIL_OVERHEAD_BYTES) / MAIL_BYTES_PER_LINE) * BASE64_BYTES_PER_LINE;
  // Half a percent less: the rows differ in length.
  const rows = Math.min(atMostRows, Math.floor((room / bytesPerRow) * 0.995));
  const csv = csvFile(rows, "windows-1252");
  const path = kept(`${rows}-plain.eml`, () => mailWith("inventory.csv", "text/csv", readFileSync(csv)));
  return described(path, rows, readFileSync(csv).byteLength);
}
