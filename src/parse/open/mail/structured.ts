/**
 * Structured header values (`Content-Type`, `Content-Disposition`): RFC 2045 section 5.1 and RFC 2231, read leniently.
 *
 * Only what decides how bytes are read comes from here (type, boundary, charset, encoding). Names of files are left to
 * postal-mime, which has met more of them. Every step is linear: these values are written by strangers.
 */

export interface StructuredHeader {
  /** `text/csv`, `attachment`: lower case, `""` when absent. */
  readonly value: string;
  /** The text of the parameters as it stands, for a second reader. */
  readonly parameterText: string;
  /** By lower-case name. The first mention of a name wins, as with repeated headers. */
  readonly parameters: ReadonlyMap<string, string>;
}

const GAP = /[;\s]*/y;
/** Name, `=`, then a quoted string (what follows it up to the `;` is junk) or anything up to the `;`. */
const PARAMETER = /([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:\\[\s\S]|[^"\\])*)"?[^;]*|([^;]*))/y;

/** Reads one header value. Never throws: what cannot be understood is left out. */
export function parseStructured(text: string): StructuredHeader {
  const clean = withoutComments(text).trimStart();
  // "multipart/mixed boundary=x": some writers forget the semicolon, so the value ends at white space too.
  const value = /^[^;\s"=]*/.exec(clean)?.[0] ?? "";
  const parameterText = clean.slice(value.length);
  const found = new Map<string, string>();
  let at = 0;
  for (;;) {
    GAP.lastIndex = at;
    at += GAP.exec(parameterText)?.[0].length ?? 0;
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(parameterText);
    if (match) {
      at = PARAMETER.lastIndex;
      const name = match[1]!.toLowerCase();
      const read = match[2] === undefined ? match[3]!.trim() : match[2].replace(/\\([\s\S])/g, "$1");
      if (!found.has(name)) found.set(name, read);
    } else {
      // Something that is no parameter: go on behind the next semicolon.
      const next = parameterText.indexOf(";", at);
      if (next === -1) break;
      at = next + 1;
    }
  }
  return { value: value.toLowerCase(), parameterText, parameters: joinContinuations(found) };
}

/**
 * Takes comments (RFC 822, in parentheses) out where they may stand: outside quoted strings, after white space or at the
 * start. `filename=Invoice(1).pdf` is a name and stays. A comment that is never closed is no comment.
 */
export function withoutComments(text: string): string {
  if (!text.includes("(")) return text;
  let kept = "";
  let keptUpTo = 0;
  let depth = 0;
  let opened = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (char === "\\" && (quoted || depth > 0)) i += 1;
    else if (char === '"' && depth === 0) quoted = !quoted;
    else if (quoted) continue;
    else if (char === "(" && (depth > 0 || i === 0 || text[i - 1] === " " || text[i - 1] === "\t")) {
      if (depth === 0) opened = i;
      depth += 1;
    } else if (char === ")" && depth > 0) {
      depth -= 1;
      if (depth === 0) {
        kept += text.slice(keptUpTo, opened);
        keptUpTo = i + 1;
      }
    }
  }
  return kept + text.slice(keptUpTo);
}

/** RFC 2231: `name*0*=utf-8''a%20; name*1=b` and `name*=utf-8''a%20b` become `name`. Bytes above 127 stay as they are. */
function joinContinuations(found: Map<string, string>): Map<string, string> {
  const joined = new Map<string, string>();
  const pieces = new Map<string, { index: number; text: string }[]>();
  for (const [key, value] of found) {
    const match = /^([^*]+)\*(\d{1,3})?(\*)?$/.exec(key);
    if (!match) {
      joined.set(key, value);
      continue;
    }
    const index = Number(match[2] ?? 0);
    const encoded = match[3] !== undefined || match[2] === undefined;
    const bare = encoded && index === 0 ? value.replace(/^[^']*'[^']*'/, "") : value;
    const toByte = (_all: string, hex: string) => String.fromCharCode(Number.parseInt(hex, 16));
    const list = pieces.get(match[1]!) ?? [];
    list.push({ index, text: encoded ? bare.replace(/%([0-9a-f]{2})/gi, toByte) : bare });
    pieces.set(match[1]!, list);
  }
  for (const [name, list] of pieces) {
    list.sort((a, b) => a.index - b.index);
    if (!joined.has(name)) joined.set(name, list.map((piece) => piece.text).join(""));
  }
  return joined;
}
