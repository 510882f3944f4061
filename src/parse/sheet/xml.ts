/**
 * Streaming XML for the parts of a workbook: tags, text and nothing else.
 *
 * It knows what a machine writes (XML 1.0 without a document type). A document type declaration is refused at once, so
 * there are no entities to expand and nothing outside to fetch. It holds one tag at most, checks that tags nest, and
 * refuses a document that ends early.
 */
import type { Failure } from "../../domain/failures.ts";
import type { ByteStream } from "../open/source.ts";
import { XML_MAX_DEPTH, XML_MAX_TAG_CHARS, XML_SLICE_CHARS } from "./limits.ts";

export interface XmlHandler {
  /** Text is only decoded and handed over while this is true. */
  readonly wantsText: boolean;
  /** `name` without its prefix; `attributes` as they stand, for {@link attributesOf}. */
  open(name: string, attributes: string): void;
  close(name: string): void;
  /** In pieces. */
  text(text: string): void;
}

/** Makes the failure that names the part: `reason` completes "the file is damaged: …". */
export type Corrupt = (reason: string) => Failure;

/** Reads a part to its end, yielding after each slice, so that what the handler gathered can be taken away. */
export async function* scanXml(bytes: ByteStream, handler: XmlHandler, corrupt: Corrupt): AsyncGenerator<void> {
  const scanner = new XmlScanner(handler, corrupt);
  for await (const text of xmlText(bytes, corrupt)) {
    for (let at = 0; at < text.length; at += XML_SLICE_CHARS) {
      scanner.push(text.slice(at, at + XML_SLICE_CHARS));
      yield;
    }
  }
  scanner.end();
  yield;
}

/** Reads a small part whole. */
export async function readXml(bytes: ByteStream, handler: XmlHandler, corrupt: Corrupt): Promise<void> {
  for await (const _ of scanXml(bytes, handler, corrupt));
}

/** `<`, name, attributes with their quotes, `>`. Each character has one way to match, so failing is linear as well. */
const TAG = /<([A-Za-z_][^\s/>"'=<]*)([^>"'<]*(?:"[^"<]*"[^>"'<]*|'[^'<]*'[^>"'<]*)*)>/y;
/** `&#x10ffff;` and some leading zeros. */
const MAX_REFERENCE_CHARS = 16;
const CDATA = "<![CDATA[";

export class XmlScanner {
  readonly #handler: XmlHandler;
  readonly #corrupt: Corrupt;
  readonly #open: string[] = [];
  #rest = "";
  /** Inside a comment, an instruction or a CDATA section: what ends it. */
  #until: "-->" | "?>" | "]]>" | undefined;
  #hasRoot = false;

  constructor(handler: XmlHandler, corrupt: Corrupt) {
    this.#handler = handler;
    this.#corrupt = corrupt;
  }

  push(chunk: string): void {
    const text = this.#rest === "" ? chunk : this.#rest + chunk;
    let at = 0;
    for (;;) {
      const next: number = this.#until === undefined ? this.#content(text, at) : this.#section(text, at);
      if (next === -1 || next === at) break;
      at = next;
    }
    this.#rest = text.slice(at);
    if (this.#rest.length > XML_MAX_TAG_CHARS + XML_SLICE_CHARS) throw this.#corrupt("one of its XML tags never ends");
  }

  /** @throws when the document is not complete. */
  end(): void {
    if (this.#rest !== "" && this.#open.length === 0 && this.#until === undefined && this.#rest.trim() === "") {
      this.#rest = "";
    }
    if (this.#rest !== "" || this.#until !== undefined || this.#open.length > 0 || !this.#hasRoot)
      throw this.#corrupt("its XML ends too early");
  }

  /** Text up to the next tag, and the tag. Returns where it stopped; the same place when it needs more. */
  #content(text: string, from: number): number {
    const lt = text.indexOf("<", from);
    if (lt !== -1) {
      if (lt > from) this.#text(text.slice(from, lt));
      const next = this.#markup(text, lt);
      return next === -1 ? lt : next;
    }
    // A reference or a line end may go on in the next chunk.
    let end = text.length;
    const reference = text.lastIndexOf("&");
    if (reference >= from && text.indexOf(";", reference) === -1 && end - reference <= MAX_REFERENCE_CHARS)
      end = reference;
    if (end > from && text.charCodeAt(end - 1) === 0x0d) end -= 1;
    if (end > from) this.#text(text.slice(from, end));
    return end;
  }

  /** The tag at `at`: returns where it ends, or -1 when it needs more. */
  #markup(text: string, at: number): number {
    const kind = text.charCodeAt(at + 1);
    if (kind === 0x2f) return this.#closing(text, at);
    if (kind === 0x21) return this.#special(text, at);
    if (kind === 0x3f) {
      this.#until = "?>";
      return at + 2;
    }
    TAG.lastIndex = at;
    const match = TAG.exec(text);
    if (!match) {
      if (text.indexOf("<", at + 1) !== -1) throw this.#corrupt("its XML is not well formed");
      return -1;
    }
    const attributes = match[2]!;
    const name = localName(match[1]!);
    const isEmpty = attributes.endsWith("/");
    if (this.#open.length === 0) {
      if (this.#hasRoot) throw this.#corrupt("its XML has two roots");
      this.#hasRoot = true;
    }
    if (this.#open.length >= XML_MAX_DEPTH) throw this.#corrupt("its XML is nested too deeply");
    this.#handler.open(name, attributes);
    if (isEmpty) this.#handler.close(name);
    else this.#open.push(match[1]!);
    return TAG.lastIndex;
  }

  #closing(text: string, at: number): number {
    const gt = text.indexOf(">", at);
    if (gt === -1) return -1;
    const raw = text.slice(at + 2, gt).trimEnd();
    if (this.#open.pop() !== raw) throw this.#corrupt("the tags of its XML do not match");
    this.#handler.close(localName(raw));
    return gt + 1;
  }

  #special(text: string, at: number): number {
    if (text.startsWith("<!--", at)) {
      this.#until = "-->";
      return at + 4;
    }
    if (text.startsWith(CDATA, at)) {
      this.#until = "]]>";
      return at + CDATA.length;
    }
    const start = text.slice(at, at + CDATA.length);
    if ("<!--".startsWith(start) || CDATA.startsWith(start)) return -1;
    throw this.#corrupt("its XML declares a document type, which no workbook has and which can be an attack");
  }

  /** Comments and instructions are dropped as they come, CDATA is handed over as it stands. */
  #section(text: string, from: number): number {
    const until = this.#until!;
    const found = text.indexOf(until, from);
    const end = found === -1 ? Math.max(from, text.length - until.length + 1) : found;
    if (until === "]]>" && end > from) {
      if (this.#open.length === 0) throw this.#corrupt("its XML has text outside of its root");
      if (this.#handler.wantsText) this.#handler.text(text.slice(from, end));
    }
    if (found === -1) return end;
    this.#until = undefined;
    return found + until.length;
  }

  #text(raw: string): void {
    if (this.#open.length === 0) {
      if (raw.trim() !== "") throw this.#corrupt("its XML has text outside of its root");
      return;
    }
    if (this.#handler.wantsText) this.#handler.text(this.decode(raw));
  }

  /** Line ends and references of a text (XML 1.0 sections 2.11 and 4.1). */
  decode(raw: string): string {
    const text = raw.includes("\r") ? raw.replace(/\r\n?/g, "\n") : raw;
    return text.includes("&") ? decodeReferences(text, this.#corrupt) : text;
  }
}

const NAMED: Readonly<Record<string, string | undefined>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** The five named references and those by number; any other would need a document type. */
function decodeReferences(text: string, corrupt: Corrupt): string {
  return text.replace(/&([^;&]{0,16};)?/g, (_all, body: string | undefined) => {
    const name = body?.slice(0, -1) ?? "";
    const named = NAMED[name];
    if (named !== undefined) return named;
    const number = /^#(?:x([0-9a-fA-F]{1,10})|([0-9]{1,10}))$/.exec(name);
    const code = number ? Number.parseInt(number[1] ?? number[2]!, number[1] === undefined ? 10 : 16) : Number.NaN;
    const isCharacter = code > 0 && code <= 0x10_ffff && !(code >= 0xd800 && code <= 0xdfff);
    if (!isCharacter) throw corrupt("its XML refers to something that it does not define");
    return String.fromCodePoint(code);
  });
}

const localName = (name: string): string => {
  const colon = name.indexOf(":");
  return colon === -1 ? name : name.slice(colon + 1);
};

/** The attributes of a tag in order, values decoded, names with their prefix. */
export function attributesOf(raw: string, corrupt: Corrupt): Map<string, string> {
  const found = new Map<string, string>();
  eachAttribute(raw, corrupt, (name, value) => found.set(name, value));
  return found;
}

/** As {@link attributesOf}, without the map: for the one tag that comes millions of times. The scanner has paired the quotes. */
export function eachAttribute(raw: string, corrupt: Corrupt, take: (name: string, value: string) => void): void {
  for (let at = 0; ; ) {
    const equals = raw.indexOf("=", at);
    if (equals === -1) return;
    let open = equals + 1;
    while (open < raw.length && raw.charCodeAt(open) <= 0x20) open += 1;
    const quote = raw[open];
    const close = quote === '"' || quote === "'" ? raw.indexOf(quote, open + 1) : -1;
    if (close === -1) throw corrupt("its XML is not well formed");
    const value = raw.slice(open + 1, close);
    take(raw.slice(at, equals).trim(), value.includes("&") ? decodeReferences(value, corrupt) : value);
    at = close + 1;
  }
}

/** Longest declaration that is waited for: `<?xml version="1.0" encoding="…" standalone="yes"?>`. */
const MAX_DECLARATION_BYTES = 256;

/** The text of a part. Its first bytes decide the charset (XML 1.0 appendix F), then its declaration, else UTF-8. */
async function* xmlText(bytes: ByteStream, corrupt: Corrupt): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  let head = new Uint8Array();
  const decode = (block?: Uint8Array): string => {
    try {
      return block ? decoder!.decode(block, { stream: true }) : decoder!.decode();
    } catch (thrown) {
      if (thrown instanceof TypeError) throw corrupt("its XML is not text in the charset that it declares");
      throw thrown;
    }
  };
  for await (const block of bytes) {
    if (decoder) {
      yield decode(block);
      continue;
    }
    const grown = new Uint8Array(head.byteLength + block.byteLength);
    grown.set(head);
    grown.set(block, head.byteLength);
    head = grown;
    if (head.byteLength < MAX_DECLARATION_BYTES && !head.includes(0x3e)) continue;
    decoder = decoderFor(head, corrupt);
    yield decode(head);
  }
  if (!decoder) {
    decoder = decoderFor(head, corrupt);
    yield decode(head);
  }
  yield decode();
}

function decoderFor(head: Uint8Array, corrupt: Corrupt): TextDecoder {
  const [a, b] = head;
  let label = "utf-8";
  if ((a === 0xff && b === 0xfe) || (a === 0x3c && b === 0)) label = "utf-16le";
  else if ((a === 0xfe && b === 0xff) || (a === 0 && b === 0x3c)) label = "utf-16be";
  else if (a !== 0xef) {
    const start = String.fromCharCode(...head.subarray(0, MAX_DECLARATION_BYTES));
    const declared = /^<\?xml[^>]*?\bencoding\s*=\s*["']([\w.:-]{1,40})["']/.exec(start)?.[1]?.toLowerCase() ?? label;
    // Bytes decide: this is no UTF-16, whatever it says.
    label = declared.startsWith("utf-16") ? "utf-8" : declared;
  }
  try {
    return new TextDecoder(label, { fatal: true, ignoreBOM: false });
  } catch (thrown) {
    if (thrown instanceof RangeError) throw corrupt("its XML is in a charset that is not known");
    throw thrown;
  }
}
