/**
 * Streaming uuencode (POSIX uuencode, historical algorithm), still sent by old ERPs as `Content-Transfer-Encoding:
 * x-uuencode`. It marks its own beginning and end, so a lost end is seen.
 */
import { Buffer } from "node:buffer";
import { failure } from "../../../domain/failures.ts";
import type { ByteStream } from "../source.ts";

/** A line has at most 1 + 84 characters; some writers add a checksum character. */
const MAX_LINE_BYTES = 512;

/** Decodes a stream. @throws `file-corrupt` when a line is damaged or the end mark is missing. */
export async function* decodeUuencode(blocks: ByteStream, name: string | undefined): ByteStream {
  const corrupt = (reason: string) => failure("file-corrupt", { name, reason: `its uuencoded text ${reason}` });
  let state: "before" | "inside" | "after" = "before";
  let carry = "";
  for await (const block of blocks) {
    const text = carry + Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString("latin1");
    const lines = text.split("\n");
    carry = lines.pop() ?? "";
    if (state === "inside" && carry.length > MAX_LINE_BYTES) throw corrupt("holds a line that is too long");
    if (state !== "inside") carry = carry.slice(0, MAX_LINE_BYTES);
    const decoded: Buffer[] = [];
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (state === "before") {
        if (/^begin [0-7]{3,4} /.test(line)) state = "inside";
      } else if (state === "inside") {
        if (line.trimEnd() === "end") state = "after";
        else decoded.push(decodeLine(line) ?? refuse(corrupt("holds a damaged line")));
      }
    }
    if (decoded.length > 0) yield Buffer.concat(decoded);
  }
  if (state === "inside" && carry.trimEnd() === "end") state = "after";
  if (state === "before") throw corrupt("has no beginning");
  if (state === "inside") throw corrupt("has no end: it was cut off");
}

function refuse(reason: Error): never {
  throw reason;
}

/** One line; trailing blanks that a mail server took away count as zeros. Undefined when it is damaged. */
function decodeLine(line: string): Buffer | undefined {
  if (line === "" || line === "`") return Buffer.alloc(0);
  const length = (line.charCodeAt(0) - 32) & 63;
  const needed = Math.ceil(length / 3) * 4;
  if (/[^\x20-\x60]/.test(line) || line.length > needed + 3) return undefined;
  const body = line.slice(1).padEnd(needed, " ");
  const out = Buffer.alloc((needed / 4) * 3);
  for (let i = 0; i < needed / 4; i += 1) {
    let group = 0;
    for (let j = 0; j < 4; j += 1) group = group * 64 + ((body.charCodeAt(i * 4 + j) - 32) & 63);
    out.writeUIntBE(group, i * 3, 3);
  }
  return out.subarray(0, length);
}
