/** Base64 in Cloudflare's runtime, whose own decoder reads what is usual: what it refuses must end as it does without it. */
import { Buffer } from "node:buffer";
import { describe, expect, it } from "vitest";
import { Failure } from "../../../src/domain/failures.ts";
import { decodeBase64 } from "../../../src/parse/open/mail/base64.ts";

async function* cut(text: string, blockBytes: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length; at += blockBytes) yield bytes.subarray(at, at + blockBytes);
}

/** The decoded text, or why there is none. */
async function decoded(text: string, blockBytes: number): Promise<string> {
  let found = "";
  try {
    for await (const block of decodeBase64(cut(text, blockBytes), { name: "a.csv", ending: "boundary" })) {
      found += Buffer.from(block).toString("latin1");
    }
  } catch (thrown) {
    if (thrown instanceof Failure) return thrown.message;
    throw thrown;
  }
  return found;
}

const lines = (data: string, width: number, end: string): string =>
  (
    Buffer.from(data, "latin1")
      .toString("base64")
      .match(new RegExp(`.{1,${width}}`, "g")) ?? []
  ).join(end);

const data = Array.from({ length: 300 }, (_, n) => `A${n};Dübel Größe ${n % 7};${n * 3},50`).join("\r\n");
const BLOCKS = [1, 2, 3, 5, 64, 997, 65_536];

describe("base64 in workerd", () => {
  it("is read whatever its lines, its blanks and the blocks it comes in", async () => {
    for (const blockBytes of BLOCKS) {
      for (const [width, end] of [
        [76, "\r\n"],
        [61, "\n"],
        [4, " \t"],
        [10, "\v"],
        [76, "\f\r\n"],
      ] as const) {
        expect(await decoded(lines(data, width, end), blockBytes)).toBe(data);
      }
    }
  });

  it("is refused at the character that does not belong there, also behind blocks that were read natively", async () => {
    const text = lines(data, 76, "\r\n");
    for (const blockBytes of BLOCKS) {
      for (const at of [0, 77, 1_000, text.length - 6]) {
        const damaged = `${text.slice(0, at)}*${text.slice(at + 1)}`;
        expect(await decoded(damaged, blockBytes)).toContain(`does not belong there (byte ${at})`);
      }
    }
  });

  it("is refused where it goes on after its end mark, or ends in the middle of a group", async () => {
    for (const blockBytes of BLOCKS) {
      expect(await decoded("YWI=\r\nYWI=", blockBytes)).toContain("goes on after its end mark");
      expect(await decoded(`${lines(data.slice(0, 300), 76, "\r\n")}Z`, blockBytes)).toContain("the end is missing");
    }
  });
});
