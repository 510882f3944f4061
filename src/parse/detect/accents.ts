/** Bytes beyond ASCII, which are few in most files: ASCII is passed over four bytes at a time. */

/** Index of the first byte from 80 on at or behind `from`, or -1. ASCII is passed over four bytes at a time. */
export function nextAccent(bytes: Uint8Array, from: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = from;
  for (; at + 4 <= bytes.length; at += 4) if ((view.getInt32(at, true) & 0x80808080) !== 0) break;
  for (; at < bytes.length; at++) if (bytes[at]! >= 0x80) return at;
  return -1;
}

/** The places of all bytes from 80 on. */
export function accentsOf(bytes: Uint8Array): number[] {
  const places: number[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length - (bytes.length % 4);
  for (let at = 0; at < whole; at += 4) {
    if ((view.getInt32(at, true) & 0x80808080) === 0) continue;
    for (let i = at; i < at + 4; i++) if (bytes[i]! >= 0x80) places.push(i);
  }
  for (let i = whole; i < bytes.length; i++) if (bytes[i]! >= 0x80) places.push(i);
  return places;
}

/** Well-formed sequences of several bytes, and bytes from 80 on that belong to none. */
export function utf8Sequences(bytes: Uint8Array, accents: readonly number[]): { good: number; bad: number } {
  let good = 0;
  let bad = 0;
  let behind = 0;
  for (const at of accents) {
    if (at < behind) continue;
    const lead = bytes[at]!;
    const length = lead < 0xc2 || lead > 0xf4 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    let whole = length > 0;
    for (let i = 1; whole && i < length; i++) whole = (bytes[at + i]! & 0xc0) === 0x80;
    if (whole) good++;
    else bad++;
    behind = at + (whole ? length : 1);
  }
  return { good, bad };
}

/** The one byte beyond ASCII of a file, where it stands in nearly every line: not a letter of words, but a delimiter. */
export function dividingByte(bytes: Uint8Array): number | undefined {
  let only: number | undefined;
  let lines = 1;
  let lineWithout = true;
  let without = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0x0a && bytes[at - 1] === 0x0d) continue;
    if (byte === 0x0a || byte === 0x0d) {
      if (lineWithout) without++;
      lines++;
      lineWithout = true;
    } else if (byte >= 0x80) {
      if (only !== undefined && byte !== only) return undefined;
      only = byte;
      lineWithout = false;
    }
  }
  return without <= 0.5 * lines ? only : undefined;
}
