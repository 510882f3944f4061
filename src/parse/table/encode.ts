/** Text → bytes of a charset, for what is given back to the customer. What the charset has not is written as near as it can. */
import { Buffer } from "node:buffer";
import { type Charset, decoderFor } from "./charsets.ts";

/** Typographic marks of our own sentences, as a charset writes them that has only those of a typewriter. */
const NEAR: Readonly<Record<string, string>> = { "“": '"', "”": '"', "’": "'", "…": "...", "×": "x", "–": "-" };

/** A byte order mark at the beginning of the text is written where the charset has one. */
export function encoderFor(charset: Charset): (text: string) => Uint8Array {
  if (charset === "utf-8") return (text) => new TextEncoder().encode(text);
  if (charset === "utf-16le") return (text) => Buffer.from(text, "utf16le");
  if (charset === "utf-16be") return (text) => Buffer.from(text, "utf16le").swap16();
  const bytes = bytesOf(charset);
  return (text) => {
    const codes: number[] = [];
    for (const character of text.replaceAll("\ufeff", "")) {
      const code = bytes.get(character);
      if (code !== undefined) codes.push(code);
      else for (const near of NEAR[character] ?? "?") codes.push(bytes.get(near) ?? 0x3f);
    }
    return Uint8Array.from(codes);
  };
}

/** What each byte of a charset of single bytes stands for, the other way round. */
function bytesOf(charset: Charset): ReadonlyMap<string, number> {
  const decoder = decoderFor(charset);
  const bytes = new Map<string, number>();
  for (let code = 0; code < 256; code++) {
    const character = decoder.decode(Uint8Array.of(code));
    if (character !== undefined && character !== "" && !bytes.has(character)) bytes.set(character, code);
  }
  return bytes;
}
