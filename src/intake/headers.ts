/**
 * The header block of a raw mail as an ordered list. Duplicates and their order matter here (only the topmost
 * Authentication-Results counts), which `Headers` objects lose by joining.
 */

/** More header than this is no mail of an ERP; real ones stay far below 100 KB. */
export const MAX_HEADER_BYTES = 1_048_576;

export type MailHeader = readonly [name: string, value: string];

export interface HeaderBlock {
  /** Names in lower case; values unfolded (RFC 5322 section 2.2.3) and trimmed; bytes above 127 as Latin-1. */
  readonly headers: readonly MailHeader[];
  /** Where the body begins. */
  readonly bodyOffset: number;
}

const latin1 = new TextDecoder("latin1");

/** Reads the header block. A message without an empty line is all header; lines that are no header are passed over. */
export function readHeaders(raw: Uint8Array): HeaderBlock {
  const limit = Math.min(raw.length, MAX_HEADER_BYTES);
  const headers: [string, string][] = [];
  let at = 0;
  while (at < limit) {
    let end = raw.indexOf(10, at);
    if (end === -1 || end > limit) end = limit;
    const line = latin1.decode(raw.subarray(at, end > at && raw[end - 1] === 13 ? end - 1 : end));
    at = end + 1;
    if (line === "") break;
    const last = headers.at(-1);
    if ((line.startsWith(" ") || line.startsWith("\t")) && last) {
      last[1] = `${last[1]} ${line.trim()}`.trim();
      continue;
    }
    const colon = line.indexOf(":");
    if (colon > 0) headers.push([line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]);
  }
  return { headers, bodyOffset: Math.min(at, raw.length) };
}

/** All values of a header, topmost first. */
export const valuesOf = (headers: readonly MailHeader[], name: string): string[] =>
  headers.filter(([n]) => n === name).map(([, value]) => value);

/** The one address in a From value, in lower case: what stands in `<…>`, else the bare word; undefined if there are several. */
export function addressIn(value: string): string | undefined {
  const unquoted = value.replace(/"(?:[^"\\]|\\.)*"/g, "").replace(/\((?:[^()\\]|\\.)*\)/g, "");
  const bracketed = /^[^<>,;]*<([^<>]*)>\s*$/.exec(unquoted)?.[1];
  const address = (bracketed ?? unquoted).trim().toLowerCase();
  return /^[^\s@,;<>]+@[^\s@,;<>]+$/.test(address) ? address : undefined;
}
