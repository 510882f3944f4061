/** How samples become bytes: charsets, quoting, dates, check digits. Pure. */

/** The 27 characters in which Windows-1252 differs from ISO-8859-1, at 0x80 and after; a space marks an unused place. */
const HIGH_CONTROLS = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

const byteOf = new Map([...HIGH_CONTROLS].flatMap((c, i) => (c === " " ? [] : [[c, String.fromCharCode(0x80 + i)]])));

/** Throws a RangeError that names the first character the charset has not: a sample must never hold a “?” by accident. */
export function encodeWindows1252(text: string): Uint8Array<ArrayBuffer> {
  const bytes = text.replace(/[^\x00-\x7f\xa0-\xff]/gu, (c) => {
    const byte = byteOf.get(c);
    if (byte === undefined) throw new RangeError(`Windows-1252 has no “${c}” (U+${c.codePointAt(0)?.toString(16)}).`);
    return byte;
  });
  return new Uint8Array(Buffer.from(bytes, "latin1"));
}

export const encodeUtf8 = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text, "utf8"));

export const encodeUtf16le = (text: string): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(text, "utf16le"));

/** `"` around the text, `"` within it doubled (RFC 4180 section 2.7). */
export const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

/** Quotes only what needs it (RFC 4180 section 2.6), as most exports do. */
export const minimallyQuoted = (text: string, delimiter: string): string =>
  text.includes(delimiter) || /["\r\n]|^\s|\s$/.test(text) ? quoted(text) : text;

/** `2026-11-02` in UTC. */
export const isoDay = (at: Date): string => at.toISOString().slice(0, 10);

/** `2026-11-02 05:30:00` in UTC. */
export const isoSecond = (at: Date): string => at.toISOString().slice(0, 19).replace("T", " ");

/** Cents, tenths of cents … as a decimal: `fixed(1234, 2)` is `12.34`. Exact, since nothing is ever a float. */
export function fixed(units: number, scale: number, mark: "." | "," = "."): string {
  const digits = String(Math.abs(units)).padStart(scale + 1, "0");
  const sign = units < 0 ? "-" : "";
  return scale === 0
    ? `${sign}${digits}`
    : `${sign}${digits.slice(0, digits.length - scale)}${mark}${digits.slice(digits.length - scale)}`;
}

/** As `fixed`, without zeros at the end: `50`, `41.9`, `50.2635`, the way SQL Server writes money out. */
export const shortest = (units: number, scale: number): string =>
  fixed(units, scale)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");

/** The check digit of a GTIN of any length (GS1 General Specifications 7.9: weights 3, 1, 3 … from the right). */
export function gtinCheckDigit(digits: string): number {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const weight = (digits.length - i) % 2 === 1 ? 3 : 1;
    sum += weight * (digits.charCodeAt(i) - 48);
  }
  return (10 - (sum % 10)) % 10;
}

export const withCheckDigit = (digits: string): string => `${digits}${gtinCheckDigit(digits)}`;
