/**
 * The natural key of a record as one text: the canonical texts of the key columns joined by `|`. A `|` or `\` inside a
 * part is written with a `\` before it, so two different keys never join to one text. Control characters are refused:
 * chunks use one of them as their separator, and no ERP means them in a key.
 */
import { type FailureReport, report } from "../../domain/failures.ts";
import { ANY_CONTROL, cutValue } from "./cell.ts";

/** Characters of a natural key at most: the API and the pages show it whole. */
export const KEY_MAX_CHARS = 1_000;
/** UTF-8 bytes of a natural key at most: an index row of a Postgres B-tree must stay under 2,704 bytes. */
export const KEY_MAX_BYTES = 2_000;
/** Below this many characters no text has more than KEY_MAX_BYTES: a UTF-16 unit is three bytes at most. */
export const SURELY_SHORT_CHARS = Math.floor(KEY_MAX_BYTES / 3);

/** A part as it stands in the key. */
export const keyPart = (text: string): string => text.replace(/[\\|]/g, "\\$&");

/**
 * Whether the JSON text of a value is itself a part of a key with nothing to look at: short, without `|`, and without a
 * backslash, so that nothing in it is escaped and it holds no control character.
 */
export function isPlainPart(body: string): boolean {
  if (body.length > SURELY_SHORT_CHARS) return false;
  for (let i = 0; i < body.length; i++) {
    const code = body.charCodeAt(i);
    if (code === 0x5c || code === 0x7c) return false;
  }
  return true;
}

/** The parts of a key again, as texts. */
export function keyParts(key: string): string[] {
  const parts = [""];
  for (const [piece] of key.matchAll(/\\[\\|]|[^\\|]+|\|/g)) {
    if (piece === "|") parts.push("");
    else parts[parts.length - 1] += piece.startsWith("\\") ? piece.slice(1) : piece;
  }
  return parts;
}

/** Why the key cannot be one, or undefined. `column`: what the customer calls its columns. */
export function keyFault(key: string, column: string): FailureReport | undefined {
  if (ANY_CONTROL.test(key)) return report("control-characters", { column, value: cutValue(key) });
  if (key.length <= SURELY_SHORT_CHARS) return undefined;
  const bytes = Buffer.byteLength(key);
  if (key.length <= KEY_MAX_CHARS && bytes <= KEY_MAX_BYTES) return undefined;
  return report("key-too-long", {
    column,
    chars: key.length,
    limitChars: KEY_MAX_CHARS,
    bytes,
    limitBytes: KEY_MAX_BYTES,
  });
}
