/** Four bytes of a text at once must be what each of them is alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPlainWord, TextCodes } from "../../../src/parse/table/byte-texts.ts";

const wordOf = (bytes: readonly number[]): number => new DataView(Uint8Array.from(bytes).buffer).getInt32(0, true);

describe("a word of a text", () => {
  for (const charset of ["utf-8", "windows-1252", "iso-8859-15", "cp437"] as const) {
    const { codes } = new TextCodes(charset);
    const standsForItself = (byte: number): boolean => byte < 0x80 && codes[byte] === byte;

    it(`is plain where each byte of it stands for itself, in ${charset}: every byte at every place`, () => {
      for (let byte = 0; byte < 256; byte++) {
        for (let place = 0; place < 4; place++) {
          for (const other of [0x20, 0x41, 0x7e]) {
            const bytes = [other, other, other, other];
            bytes[place] = byte;
            expect(isPlainWord(wordOf(bytes)), `${byte.toString(16)} at ${place}`).toBe(standsForItself(byte));
          }
        }
      }
    });

    it(`is plain where each byte of it stands for itself, in ${charset}: any four bytes`, () => {
      const byte = fc.oneof(
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom(0x1f, 0x22, 0x3f, 0x5c, 0x7f, 0x80, 0xff),
      );
      fc.assert(
        fc.property(fc.tuple(byte, byte, byte, byte), (bytes) => {
          expect(isPlainWord(wordOf(bytes))).toBe(bytes.every(standsForItself));
        }),
      );
    });
  }
});
