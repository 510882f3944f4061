/** What holds for every delivery: any structure comes back whole, in blocks of any size; nothing cut passes for whole. */
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  buildMail,
  buildZip,
  type Encoding,
  type Found,
  type MailSpec,
  openAll,
  type PartSpec,
  stockCsv,
  summary,
  watchedSource,
} from "./fixtures.ts";

interface Expected {
  readonly path: string;
  readonly bytes: Buffer;
}

const name = fc
  .array(fc.constantFrom(..."abcXYZ019 .-_äß€ж世'()[]&=%;,".split("")), { minLength: 1, maxLength: 40 })
  .map((chars) => `${chars.join("").trim()}`)
  .filter((text) => /^[^.\s].*[^.\s]$/.test(text) && !text.includes("=?"));

/** Bytes with everything in them that can be mistaken for structure. */
const content = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          "\r\n",
          "\n",
          "\r",
          "--",
          "--=_bz\r\nx",
          "--=_b-\r\n",
          "=",
          "=3D",
          " ",
          "\t\r\n",
          "a;b;c\r\n",
          "From ",
          ".\r\n",
          "begin 644 x\n",
        )
        .map((s) => Buffer.from(s)),
    ),
    { maxLength: 30 },
  )
  .map((pieces) => Buffer.concat(pieces));

const leaf = fc.record({
  body: content,
  encoding: fc.constantFrom<Encoding>("base64", "quoted-printable", "8bit"),
  filename: name,
  nameStyle: fc.constantFrom("quoted" as const, "rfc2231" as const, "rfc2047" as const),
  type: fc.constantFrom("text/plain", "text/csv", "application/octet-stream", "text/html; charset=utf-8"),
  disposition: fc.constantFrom("attachment", "inline"),
});

/** Between LF boundaries a CR at the end of raw data cannot be told from a line end: no writer can send it so. */
const sendable = leaf.map((part) => (part.body.at(-1) === 0x0d ? { ...part, encoding: "base64" as const } : part));

const { tree } = fc.letrec<{ tree: PartSpec }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    sendable,
    fc.record({
      type: fc.constantFrom("multipart/mixed", "multipart/related", "multipart/alternative", "Multipart/X-Odd"),
      parts: fc.array(tie("tree"), { minLength: 1, maxLength: 4 }),
    }),
  ),
}));

const mails = fc.record({
  parts: fc.array(tree, { minLength: 1, maxLength: 4 }),
  eol: fc.constantFrom("\r\n" as const, "\n" as const),
  preamble: fc.constantFrom("", "This is MIME.\r\n"),
  epilogue: fc.constantFrom("", "bye\n"),
});

/** What must come out: leaves in order; what only looks like a container by its bytes is left to other tests. */
function leavesOf(parts: readonly PartSpec[], found: Expected[] = []): Expected[] {
  for (const part of parts) {
    if (part.parts) leavesOf(part.parts, found);
    else {
      let path = part.filename ?? "";
      for (let n = 2; found.some((other) => other.path === path); n += 1) path = `${part.filename}#${n}`;
      found.push({ path, bytes: Buffer.from(part.body ?? "") });
    }
  }
  return found;
}

describe("a mail of any structure", () => {
  it("gives back every file, in order, with its name and its bytes, for blocks of any size", async () => {
    await fc.assert(
      fc.asyncProperty(mails, fc.constantFrom(1, 5, 64, 65_536), async (spec: MailSpec, blockBytes) => {
        const source = watchedSource(buildMail(spec), blockBytes);
        const found = await openAll(source);
        const expected = leavesOf(spec.parts ?? []);
        expect(found.map((f) => f.path)).toEqual(expected.map((e) => e.path));
        found.forEach((f, i) => {
          expect(f.problem).toBeUndefined();
          expect(f.bytes?.equals(expected[i]!.bytes)).toBe(true);
        });
        expect(source.open()).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it("cut anywhere behind its headers never gives a short file, nor fewer files, without a problem", async () => {
    await fc.assert(
      fc.asyncProperty(mails, fc.double({ min: 0, max: 1, noNaN: true }), async (spec: MailSpec, share) => {
        const raw = buildMail(spec);
        const headersEnd = Buffer.from(raw).indexOf(`--=_b`);
        const length = headersEnd + Math.floor((raw.byteLength - headersEnd) * share);
        notShort(await openAll(raw.subarray(0, length)), leavesOf(spec.parts ?? []));
      }),
      { numRuns: 400 },
    );
  });
});

/** Every file without a problem is whole, and if one is missing there is a problem. */
function notShort(found: readonly Found[], expected: readonly Expected[]): void {
  const whole = found.filter((f) => !f.problem);
  for (const f of whole) {
    const twin = expected.find((e) => e.path === f.path);
    expect(twin?.bytes.equals(f.bytes!), f.path).toBe(true);
  }
  if (whole.length < expected.length) expect(found.some((f) => f.problem)).toBe(true);
}

describe("a mail with an archive in it", () => {
  const data = stockCsv(30_000);
  const packs: [string, string, Uint8Array][] = [
    ["a.zip", "a.zip/a.csv", buildZip({ entries: [{ name: "a.csv", data }] })],
    ["a.csv.gz", "a.csv.gz/a.csv", gzipSync(data)],
    ["a.csv", "a.csv", data],
  ];
  for (const [filename, path, body] of packs) {
    for (const encoding of ["base64", "quoted-printable", "8bit"] as const) {
      const mail = buildMail({
        parts: [
          { type: "text/plain", body: "see attachment" },
          { type: "application/octet-stream", encoding, disposition: "attachment", filename, body },
        ],
      });
      const expected = [
        { path: "body.txt", bytes: Buffer.from("see attachment") },
        { path, bytes: Buffer.from(data) },
      ];

      it(`(${filename}, ${encoding}) gives the same for blocks of any size, and leaves nothing open`, async () => {
        for (const blockBytes of [1, 7, 1000, 65_536]) {
          const source = watchedSource(mail, blockBytes);
          const found = await openAll(source);
          expect(summary(found)).toEqual(["body.txt text 14", `${path} text ${data.byteLength}`]);
          expect(found[1]?.bytes?.equals(data)).toBe(true);
          expect(source.open()).toBe(0);
        }
      });

      it(`(${filename}, ${encoding}) cut at any byte ends, and never with short data`, async () => {
        const headersEnd = Buffer.from(mail).indexOf("--=_b");
        for (let length = headersEnd; length < mail.byteLength; length += 251) {
          notShort(await openAll(mail.subarray(0, length)), expected);
        }
      });

      it(`(${filename}, ${encoding}) with one byte changed is whole, or has a problem, or shows the change as text`, async () => {
        const start = Buffer.from(mail).indexOf(filename) + filename.length + 5;
        for (let at = start; at < mail.byteLength; at += 509) {
          const changed = Buffer.from(mail);
          changed[at]! ^= 0x21;
          const found = await openAll(changed);
          const file = found.find((f) => f.path === path);
          if (filename === "a.csv") continue; // Plain text carries no proof of itself; it only must not crash.
          if (file && !file.problem) expect(file.bytes?.equals(data)).toBe(true);
          else expect(found.some((f) => f.problem || f.file?.format === "binary")).toBe(true);
        }
      });
    }
  }
});
