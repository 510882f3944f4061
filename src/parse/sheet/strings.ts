/** Texts of a workbook: the table of shared ones, kept as UTF-8 in one block, and what they have in common with inline ones. */
import { Buffer } from "node:buffer";
import { type Failure, failure } from "../../domain/failures.ts";
import type { ByteStream } from "../open/source.ts";
import { SHARED_STRINGS_MAX_BYTES, SHARED_STRINGS_MAX_COUNT, SHEET_MAX_ROW_CHARS } from "./limits.ts";
import { type Corrupt, scanXml, type XmlHandler } from "./xml.ts";

/**
 * `_x000D_`: how a workbook writes characters that XML has not (ECMA-376 part 1, 22.9.2.19). NUL and halves of characters are
 * none, and stay as they are written.
 */
export function unescapeText(text: string): string {
  if (!text.includes("_x")) return text;
  const read = text.replace(/_x([0-9A-Fa-f]{4})_/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return read.includes("\0") || /\p{Cs}/u.test(read) ? text : read;
}

/**
 * Gathers the text of one `si` or `is`: its own `t` or those of its runs (`r`), without what is only reading help (`rPh`).
 * White space at the ends of a `t` counts only where it says `xml:space="preserve"`, as for Excel.
 */
export class TextGatherer {
  text = "";
  collecting = false;
  #piece = "";
  #preserve = false;
  #phonetic = 0;

  reset(): void {
    this.text = "";
    this.#phonetic = 0;
  }

  open(name: string, attributes: string): void {
    if (name === "rPh") this.#phonetic += 1;
    else if (name === "t" && this.#phonetic === 0) {
      this.collecting = true;
      this.#piece = "";
      this.#preserve = /xml:space\s*=\s*["']preserve["']/.test(attributes);
    }
  }

  add(text: string): void {
    this.#piece += text;
    if (this.#piece.length + this.text.length > SHEET_MAX_ROW_CHARS) throw tooLong();
  }

  close(name: string): void {
    if (name === "rPh") this.#phonetic -= 1;
    else if (name === "t" && this.collecting) {
      this.collecting = false;
      this.text += this.#preserve ? this.#piece : this.#piece.replace(/^[ \t\r\n]+/, "").replace(TRAILING, "");
    }
  }
}

/** Anchored from behind: a plain `[ \t\r\n]+$` is quadratic on long runs of spaces inside a text. */
const TRAILING = /(?<![ \t\r\n])[ \t\r\n]+$/;

export const tooLong = (): Failure =>
  failure("sheet-too-large", { what: "more text in one row", limit: `${SHEET_MAX_ROW_CHARS} characters` });

export class SharedStrings {
  #bytes: Buffer = Buffer.alloc(0);
  #used = 0;
  #ends = new Uint32Array(1_024);
  count = 0;

  add(text: string): void {
    if (this.count === SHARED_STRINGS_MAX_COUNT) {
      throw failure("sheet-too-large", { what: "more different texts", limit: String(SHARED_STRINGS_MAX_COUNT) });
    }
    const length = Buffer.byteLength(text);
    if (this.#used + length > SHARED_STRINGS_MAX_BYTES) {
      const limit = `${SHARED_STRINGS_MAX_BYTES / 1_048_576} MiB`;
      throw failure("sheet-too-large", { what: "more different texts", limit });
    }
    if (this.#used + length > this.#bytes.length) {
      const room = Math.min(SHARED_STRINGS_MAX_BYTES, Math.max(65_536, this.#bytes.length * 2, this.#used + length));
      const grown = Buffer.alloc(room);
      grown.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = grown;
    }
    if (this.count === this.#ends.length) {
      const grown = new Uint32Array(this.#ends.length * 2);
      grown.set(this.#ends);
      this.#ends = grown;
    }
    this.#bytes.write(text, this.#used);
    this.#used += length;
    this.#ends[this.count] = this.#used;
    this.count += 1;
  }

  /** The text of an index, or undefined where the table has none. */
  get(index: number): string | undefined {
    if (index >= this.count) return undefined;
    return this.#bytes.toString("utf8", index === 0 ? 0 : this.#ends[index - 1], this.#ends[index]);
  }
}

/** Reads `sharedStrings.xml`. @throws `sheet-too-large`, `file-corrupt` */
export async function readSharedStrings(bytes: ByteStream, corrupt: Corrupt): Promise<SharedStrings> {
  const strings = new SharedStrings();
  const gatherer = new TextGatherer();
  let inString = false;
  const handler: XmlHandler = {
    get wantsText() {
      return gatherer.collecting;
    },
    text: (text) => gatherer.add(text),
    open(name, attributes) {
      if (name === "si") {
        inString = true;
        gatherer.reset();
      } else if (inString) gatherer.open(name, attributes);
    },
    close(name) {
      if (name === "si") {
        inString = false;
        strings.add(unescapeText(gatherer.text));
      } else if (inString) gatherer.close(name);
    },
  };
  for await (const _ of scanXml(bytes, handler, corrupt));
  return strings;
}
