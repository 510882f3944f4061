/**
 * One record on both sides: what kind of drift it is, field by field, and what explains it. What nothing explains is drift.
 * Pure.
 */
import { asOfMsIn } from "./order.ts";

export const DRIFT_KINDS = ["missing-here", "missing-there", "differs"] as const;
export type DriftKind = (typeof DRIFT_KINDS)[number];

/** Fields of a record by name. */
export type Values = Readonly<Record<string, unknown>>;

/** A row of the snapshot. */
export interface TheirRow {
  readonly key: string;
  /** Physical line in the snapshot. */
  readonly line: number;
  /** 32 hex digits. */
  readonly hash: string;
  /** The record as JSON text, as it stands in the chunk. */
  readonly text: string;
  readonly record: Values;
}

/** A record of ours, retired ones too. */
export interface OurRecord {
  readonly key: string;
  /** `records.id`; a bigint, so text. */
  readonly id: string;
  readonly version: number;
  readonly status: "active" | "retired";
  /** Place of the file that last changed it. */
  readonly orderKey: string;
  readonly fileId: string;
  /** 32 hex digits. */
  readonly hash: string;
  readonly record: Values;
  /** A file behind the snapshot has said it as it is. */
  readonly confirmed: boolean;
  /** The file that retired it, where that is on record. */
  readonly retiredBy: string | undefined;
}

/** A field on both sides; absent where there is no such record or field. */
export interface FieldDrift {
  readonly field: string;
  readonly ours?: unknown;
  readonly theirs?: unknown;
  /** The platform may differ here. */
  readonly platform?: true;
}

/** A file of the feed that is not applied. */
export interface OpenFile {
  readonly fileId: string;
  readonly state: "held" | "parsed" | "applying";
}

export interface RejectedRow {
  readonly fileId: string;
  readonly orderKey: string;
  readonly line: number;
  readonly sentence: string;
}

export type Explanation =
  /** A file whose place is behind the snapshot's has changed the record, or said it as it stands (`confirmed`). */
  | { readonly reason: "newer-file"; readonly asOfMs: number; readonly fileId?: string; readonly confirmed?: true }
  /** A file behind the snapshot has retired it. A retirement before it explains nothing: the snapshot knows better. */
  | { readonly reason: "retired-here"; readonly asOfMs: number; readonly fileId: string }
  /** It was changed so shortly before the snapshot's as-of that the snapshot may not know it yet. */
  | { readonly reason: "too-close"; readonly asOfMs: number; readonly fileId: string }
  | { readonly reason: "held-file"; readonly fileId: string }
  /** A file that holds the key is parsed and not applied yet. */
  | { readonly reason: "file-under-way"; readonly fileId: string }
  | { readonly reason: "rejected-row"; readonly fileId: string; readonly line: number; readonly sentence: string }
  /** It may be one of the rows that are cut off or could not be read, and nobody knows which these are. */
  | { readonly reason: "unread-rows" }
  | { readonly reason: "platform-field"; readonly fields: readonly string[] };

export interface Drift {
  readonly kind: DriftKind;
  readonly key: string;
  readonly fields: readonly FieldDrift[];
  readonly ours: OurRecord | undefined;
  readonly theirs: TheirRow | undefined;
  /** Undefined: this is drift. */
  readonly explanation: Explanation | undefined;
}

/** What may explain a difference besides the record itself. */
export interface Evidence {
  /** A file that holds the key and is not applied. */
  openFile(key: string): OpenFile | undefined;
  /** The newest rejected row that names the key. */
  rejectedRow(key: string): RejectedRow | undefined;
}

/** What is known besides the two sides. */
export interface Context {
  readonly fields: readonly string[];
  readonly platformFields: readonly string[];
  /** The snapshot's place among the files of the feed. */
  readonly orderKey: string;
  /** See `Reconciliation.marginMs`. */
  readonly marginMs: number;
  /** See `Reconciliation.keepsMissing`. */
  readonly keepsMissing?: boolean | undefined;
  /** Undefined: not looked for. */
  readonly evidence: Evidence | undefined;
}

/** The drift of one key; undefined where both sides say the same. One of the two must be there. */
export function compare(
  ours: OurRecord | undefined,
  theirs: TheirRow | undefined,
  context: Context,
): Drift | undefined {
  const active = ours?.status === "active" ? ours : undefined;
  const key = theirs?.key ?? ours?.key;
  if (key === undefined || (active === undefined && theirs === undefined)) return undefined;
  const fields = differingFields(active?.record, theirs?.record, context);
  if (active !== undefined && theirs !== undefined && fields.length === 0) return undefined;
  const kind = active === undefined ? "missing-here" : theirs === undefined ? "missing-there" : "differs";
  const found = { kind, key, fields, ours, theirs } as const;
  return { ...found, explanation: explain(found, context) };
}

function differingFields(ours: Values | undefined, theirs: Values | undefined, context: Context): FieldDrift[] {
  const found: FieldDrift[] = [];
  for (const field of context.fields) {
    const here = ours?.[field] ?? null;
    const there = theirs?.[field] ?? null;
    if (sameValue(here, there)) continue;
    found.push({
      field,
      ...(ours !== undefined && field in ours ? { ours: ours[field] } : {}),
      ...(theirs !== undefined && field in theirs ? { theirs: theirs[field] } : {}),
      ...(context.platformFields.includes(field) ? { platform: true as const } : {}),
    });
  }
  return found;
}

/** A field that is not there is null: records written before a column was added lack it. Types count: 5 is not "5". */
const sameValue = (a: unknown, b: unknown): boolean =>
  a === b || (typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b));

function explain(found: Omit<Drift, "explanation">, context: Context): Explanation | undefined {
  const { ours, key, kind, fields } = found;
  if (kind === "differs" && fields.every(({ platform }) => platform)) {
    return { reason: "platform-field", fields: fields.map(({ field }) => field) };
  }
  if (ours !== undefined) {
    const asOfMs = asOfMsIn(ours.orderKey);
    if (ours.orderKey > context.orderKey) {
      return { reason: ours.retiredBy === undefined ? "newer-file" : "retired-here", asOfMs, fileId: ours.fileId };
    }
    if (ours.confirmed) return { reason: "newer-file", asOfMs, confirmed: true };
    if (context.marginMs > 0 && asOfMs > asOfMsIn(context.orderKey) - context.marginMs) {
      return { reason: "too-close", asOfMs, fileId: ours.fileId };
    }
  }
  if (kind === "missing-there" && context.keepsMissing) return { reason: "unread-rows" };
  const open = context.evidence?.openFile(key);
  if (open !== undefined) {
    return { reason: open.state === "held" ? "held-file" : "file-under-way", fileId: open.fileId };
  }
  const reject = context.evidence?.rejectedRow(key);
  // A reject explains why something did not arrive; what has changed here since has arrived.
  if (reject !== undefined && (ours === undefined || reject.orderKey > ours.orderKey)) {
    return { reason: "rejected-row", fileId: reject.fileId, line: reject.line, sentence: reject.sentence };
  }
  return undefined;
}
