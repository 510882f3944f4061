/** The header block of a message or part: raw lines to a list of fields (RFC 5322 section 2.2). */

/** `[name as written, value unfolded]`, in the order of the block, duplicates kept. */
export type HeaderField = readonly [name: string, value: string];

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const windows1252 = new TextDecoder("windows-1252");

/** Raw 8-bit header text is UTF-8 (RFC 6532) or, where it cannot be, Windows-1252: what old writers put there. */
export function headerText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (notUtf8) {
    if (notUtf8 instanceof TypeError) return windows1252.decode(bytes);
    throw notUtf8;
  }
}

/** Is this line the beginning of a header field? A line that is not, at the top of a part, belongs to its body. */
export function looksLikeField(line: Uint8Array): boolean {
  for (let i = 0; i < line.byteLength; i += 1) {
    const byte = line[i]!;
    if (byte === 0x3a) return i > 0;
    if (byte <= 0x20) {
      // White space before the colon is obsolete (RFC 5322 section 4.5) but seen.
      return i > 0 && /^[ \t]+:/.test(headerText(line.subarray(i, i + 64)));
    }
    if (byte === 0x7f) return false;
  }
  return false;
}

/**
 * Fields of a block given as its lines without their ends. A bare CR in a value becomes a space: passed through, it would
 * hand a line of its own to whoever writes the value out again.
 */
export function headerFields(lines: readonly Uint8Array[]): HeaderField[] {
  const folded: string[][] = [];
  for (const line of lines) {
    const text = headerText(line);
    const first = line[0];
    if ((first === 0x20 || first === 0x09) && folded.length > 0) folded.at(-1)!.push(text);
    else folded.push([text]);
  }
  return folded.map((pieces) => {
    const text = pieces.join("").replace(/[\r\n]+/g, " ");
    const colon = text.indexOf(":");
    return colon === -1 ? [trimmed(text), ""] : [trimmed(text.slice(0, colon)), trimmed(text.slice(colon + 1))];
  });
}

/**
 * Without SP and HTAB at both ends. Not `trim()`, which takes every Unicode space and would turn a line that a strict
 * reader skips into a field; not a regular expression, which is quadratic on a long run of spaces.
 */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && (text[start] === " " || text[start] === "\t")) start += 1;
  while (end > start && (text[end - 1] === " " || text[end - 1] === "\t")) end -= 1;
  return text.slice(start, end);
}

/** The first value of a field: a header that decides how a body is read must resolve the same way for everybody. */
export function firstValue(fields: readonly HeaderField[], name: string): string {
  const wanted = name.toLowerCase();
  return fields.find(([key]) => key.toLowerCase() === wanted)?.[1] ?? "";
}
