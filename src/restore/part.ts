/**
 * A part of a restore as what is stored of it: the raw bytes that the archive keeps (lines of JSON: what it is, each record that it
 * sets, each that it retires), the chunks that apply reads, and the facts of its delivery and its file. Pure.
 */
import { createHash } from "node:crypto";
import { CHUNK_MAX_DATA_BYTES, CHUNK_MAX_ROWS, type ChunkEntry, encodeChunk } from "../domain/chunk.ts";
import type { DeliveryFacts } from "../domain/delivery.ts";
import { deliveryIdOf, orderKeyOf } from "../domain/ids.ts";
import { rawKey } from "../domain/keys.ts";
import type { MadePart, OrderedPart, RowToRestore } from "./deps.ts";

/** Rows of a part: what it retires travels in one request, of some 70 bytes a row. */
export const PART_MAX_ROWS = 20_000;
/** A look at one record asks every day since the moment for what changed: 20,000 took 1.7 s of 100 days, and 4.8 s of 400. */
const FULL_PART_MAX_DAYS = 100;
const MS_PER_DAY = 86_400_000;

/** Rows of a part that goes back to a moment: fewer the longer ago it is, so that no look takes longer than a statement may. */
export const partRows = (to: string, now: Date, maxRows = PART_MAX_ROWS): number => {
  const days = (now.getTime() - Date.parse(to)) / MS_PER_DAY;
  return Math.ceil(maxRows * Math.min(1, FULL_PART_MAX_DAYS / days));
};

/** Texts of a part: it is held in memory three times over, as rows, as raw bytes and as chunks. */
export const PART_MAX_BYTES = 4 * 1_048_576;

/** The lines above the first record. */
const HEADER_LINES = 1;

export interface Part extends MadePart {
  readonly raw: Uint8Array<ArrayBuffer>;
  readonly facts: DeliveryFacts;
  readonly chunks: readonly { readonly entry: ChunkEntry; readonly bytes: Uint8Array<ArrayBuffer> }[];
}

/** A record to be set. */
interface SetRow {
  readonly key: string;
  readonly hash: string;
  readonly text: string;
  /** Its line in the raw bytes. */
  readonly line: number;
}

const encoder = new TextEncoder();

export function partOf(part: OrderedPart, rows: readonly RowToRestore[]): Part {
  const { customer, feed, request, to, saidAt, asOf, n, parts, fileId, adapterVersion, askedBy } = part;
  const retirements = rows.filter(({ text }) => text === null).map(({ key, id, version }) => ({ key, id, version }));
  const set: SetRow[] = [];
  for (const { key, hash, text } of rows) {
    if (hash !== null && text !== null) set.push({ key, hash, text, line: HEADER_LINES + set.length + 1 });
  }
  const header = { restore: { customer, feed, to, request, part: n, parts, ordered_by: askedBy, ordered_at: saidAt } };
  const lines = [
    JSON.stringify(header),
    ...set.map(({ key, hash, text }) => `{"key":${JSON.stringify(key)},"hash":"${hash}","set":${text}}`),
    ...retirements.map(({ key, version }) => JSON.stringify({ key, retire: version })),
  ];
  const raw = new Uint8Array(encoder.encode(`${lines.join("\n")}\n`));
  const sha256 = createHash("sha256").update(raw).digest("hex");
  const recipient = `restore:${customer}/${feed}`;
  const id = deliveryIdOf({ customer, recipient, messageId: `${request}/${n}/${fileId}`, bodySha256: sha256 });
  const path = `${feed}-${to.replaceAll(":", "")}-${n}.ndjson`;
  const subject = `${customer}/${feed} as of ${to}, part ${n} of ${parts}`;
  const chunks = chunksOf(set);
  const saidAtMs = Date.parse(saidAt);
  const orderKey = orderKeyOf({
    asOfMs: Date.parse(asOf),
    sequence: 0,
    receivedAtMs: saidAtMs,
    // They share all else, and go in their order as far as the key can tell them apart.
    position: n,
    deliveryId: id,
  });
  return {
    raw,
    chunks,
    retirements,
    delivery: { id, rawKey: rawKey(customer, new Date(saidAt), id, "restore"), bytes: raw.length, sha256, subject },
    file: { path, orderKey, adapterVersion, accepted: set.length, chunks: chunks.map(({ entry }) => entry) },
    facts: {
      v: 1,
      id,
      customer,
      feed,
      door: "restore",
      sender: askedBy,
      verdict: { kind: "proven", proof: "operator" },
      subject,
      messageId: request,
      recipient,
      bodySha256: sha256,
      name: path,
      contentType: "application/x-ndjson",
      receivedAt: saidAt,
      bytes: raw.length,
      sha256,
    },
  };
}

function chunksOf(set: readonly SetRow[]): Part["chunks"] {
  const lots: SetRow[][] = [];
  let bytes = 0;
  for (const row of set) {
    const more = Buffer.byteLength(row.text) + 1;
    const last = lots.at(-1);
    if (last === undefined || last.length === CHUNK_MAX_ROWS || bytes + more > CHUNK_MAX_DATA_BYTES) {
      lots.push([row]);
      bytes = more;
    } else {
      last.push(row);
      bytes += more;
    }
  }
  return lots.map((lot, n) =>
    encodeChunk(
      n,
      {
        keys: lot.map(({ key }) => key),
        lines: lot.map(({ line }) => line),
        hashes: lot.map(({ hash }) => hash),
        records: lot.map(({ text }) => text),
      },
      false,
    ),
  );
}
