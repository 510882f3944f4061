/**
 * The chain that one writes first, each step with the usual tool and all of the file at once: postal-mime on the whole
 * mail, the whole entry inflated, decoded into one string, papaparse to objects, zod on each row, SHA-256 of each record.
 * It is no straw man: inflate is native, the schema is built once, and what it makes is what the apply stage takes.
 */
import { createHash } from "node:crypto";
import Papa from "papaparse";
import PostalMime from "postal-mime";
import { z } from "zod";
import { CHUNK_MAX_ROWS, encodeChunk } from "../../src/domain/chunk.ts";
import type { ChunkTaker, Outcome } from "./chain.ts";

const decimal = z
  .string()
  .regex(/^-?\d{1,12}(,\d{1,6})?$/)
  .transform((text) => {
    const number = text.replace(",", ".");
    return number.includes(".") ? number.replace(/\.?0+$/, "") : number;
  });

const day = z
  .string()
  .regex(/^\d{2}\.\d{2}\.\d{4}$/)
  .transform((text) => `${text.slice(6)}-${text.slice(3, 5)}-${text.slice(0, 2)}`)
  .refine((iso) => {
    const date = new Date(`${iso}T00:00:00Z`);
    return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(iso);
  });

const text = z
  .string()
  .trim()
  .max(4_000)
  .transform((value) => (value === "" ? null : value));

const row = z
  .object({
    Artikelnummer: z.string().trim().min(1).max(100),
    EAN: z.string().trim().max(13),
    Bezeichnung: text,
    Lager: text,
    Einheit: z.enum(["ST", "PAK"]),
    Bestand: decimal,
    Preis: decimal,
    Status: text,
    "Gezählt am": day,
    Gesperrt: z.enum(["ja", "nein"]),
  })
  .transform((cells) => ({
    sku: cells.Artikelnummer,
    ean: cells.EAN,
    description: cells.Bezeichnung,
    store: cells.Lager,
    unit: cells.Einheit === "ST" ? "piece" : "pack",
    stock: cells.Bestand,
    price: cells.Preis,
    status: cells.Status,
    counted_on: cells["Gezählt am"],
    blocked: cells.Gesperrt === "ja",
  }));

/**
 * The only entry of a zip that `zipOf` wrote: sizes and name stand in its local header (APPNOTE 4.3.7). Not
 * `inflateRawSync`: in workerd it ends at 128 MiB.
 */
async function unzipped(zip: Buffer<ArrayBuffer>): Promise<ArrayBuffer> {
  const start = 30 + zip.readUInt16LE(26) + zip.readUInt16LE(28);
  const packed = new Blob([zip.subarray(start, start + zip.readUInt32LE(18))]);
  return new Response(packed.stream().pipeThrough(new DecompressionStream("deflate-raw"))).arrayBuffer();
}

/** `rowHashes: false` leaves SHA-256 out, to show what it alone costs. */
export async function parseNaively(raw: ArrayBuffer, take: ChunkTaker, rowHashes: boolean): Promise<Outcome> {
  const mail = await PostalMime.parse(raw);
  const attachment = mail.attachments[0]?.content;
  if (!(attachment instanceof ArrayBuffer)) throw new Error("the mail has no attachment");
  const bytes = Buffer.from(attachment);
  const csv = bytes.readUInt16LE(0) === 0x4b50 ? await unzipped(bytes) : bytes;
  const parsed = Papa.parse<Record<string, string>>(new TextDecoder("windows-1252").decode(csv), {
    header: true,
    delimiter: ";",
    skipEmptyLines: true,
  });

  const records: { key: string; line: number; hash: string; json: string }[] = [];
  let rejected = 0;
  for (const [index, cells] of parsed.data.entries()) {
    const checked = row.safeParse(cells);
    if (!checked.success) {
      rejected += 1;
      continue;
    }
    const json = JSON.stringify(checked.data);
    const hash = rowHashes ? createHash("sha256").update(json).digest("hex") : "";
    records.push({ key: checked.data.sku, line: index + 2, hash, json });
  }

  let chunks = 0;
  let chunkBytes = 0;
  for (let from = 0; from < records.length; from += CHUNK_MAX_ROWS) {
    const part = records.slice(from, from + CHUNK_MAX_ROWS);
    const chunk = {
      keys: part.map((record) => record.key),
      lines: part.map((record) => record.line),
      hashes: part.map((record) => record.hash),
      records: part.map((record) => record.json),
    };
    chunkBytes += encodeChunk(chunks, chunk, false).bytes.byteLength;
    await take(chunks);
    chunks += 1;
  }
  return { accepted: records.length, rejected, chunks, chunkBytes };
}
