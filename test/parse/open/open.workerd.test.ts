/** The chain in Cloudflare's runtime: its Buffer, zlib, streams and TextDecoder are other code than Node's. */
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { mailHeaders } from "../../../src/parse/open/mail/message.ts";
import { openDelivery } from "../../../src/parse/open/open.ts";
import { bytesSource } from "../../../src/parse/open/source.ts";
import { oneSheet, readSheet } from "../sheet/fixtures.ts";
import {
  buildMail,
  buildTar,
  buildZip,
  drain,
  openAll,
  type PartSpec,
  stockCsv,
  summary,
  watchedSource,
} from "./fixtures.ts";
import { buildTnef } from "./mail-fixtures.ts";

const data = stockCsv(400_000);
const attached = (
  filename: string,
  body: Uint8Array | string,
  encoding: PartSpec["encoding"] = "base64",
): PartSpec => ({
  type: "application/octet-stream",
  encoding: encoding ?? "base64",
  disposition: "attachment",
  filename,
  nameStyle: "rfc2231",
  body,
});

describe("in workerd", () => {
  it("base64 is decoded natively", () => {
    expect(typeof Uint8Array.prototype.setFromBase64).toBe("function");
  });

  it("a mail with every kind of file gives each of them, for blocks of any size", async () => {
    const mail = buildMail({
      parts: [
        { type: "text/plain; charset=utf-8", body: "see attachments" },
        attached(
          "a.zip",
          buildZip({
            entries: [
              { name: "a.csv", data },
              { name: "b.csv", data, method: 0, hasDescriptor: true },
            ],
          }),
        ),
        attached("Größe.csv.gz", Buffer.concat([gzipSync(data), gzipSync(data)])),
        attached("c.csv", data, "quoted-printable"),
        attached("d.csv", data, "8bit"),
        { type: "message/rfc822", body: buildMail({ parts: [attached("e.csv", data)], boundary: "inner" }) },
      ],
    });
    for (const blockBytes of [65_536, 997]) {
      const source = watchedSource(mail, blockBytes);
      const found = await openAll(source);
      const size = data.byteLength;
      expect(summary(found)).toEqual([
        "body.txt text 15",
        `a.zip/a.csv text ${size}`,
        `a.zip/b.csv text ${size}`,
        `Größe.csv.gz/Größe.csv text ${size * 2}`,
        `c.csv text ${size}`,
        `d.csv text ${size}`,
        `part-6.eml/e.csv text ${size}`,
      ]);
      expect(found[1]?.bytes?.equals(data)).toBe(true);
      expect(found[4]?.bytes?.equals(data)).toBe(true);
      expect(source.open()).toBe(0);
    }
    expect((await mailHeaders(bytesSource(mail))).from?.address).toBe("erp@supplier.example");
  });

  it("damaged, cut and trailing data end in named failures, and nothing hangs", async () => {
    const gz = gzipSync(data);
    const zip = buildZip({ entries: [{ name: "a.csv", data }] });
    const hurt = (bytes: Uint8Array, at: number) => {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 0xff;
      return copy;
    };
    const bad: [string, Uint8Array][] = [
      ["a.gz", gz.subarray(0, gz.byteLength - 1)],
      ["a.gz", gz.subarray(0, 9_000)],
      ["a.gz", hurt(gz, gz.byteLength - 6)],
      ["a.gz", Buffer.concat([gz, Buffer.from("junk")])],
      ["a.gz", Buffer.concat([gz, Buffer.from("\u0000\u0000junk")])],
      ["a.zip", hurt(zip, 40_000)],
      ["a.zip", zip.subarray(0, zip.byteLength - 1)],
    ];
    for (const [name, bytes] of bad) {
      for (const blockBytes of [1_000, 65_536]) {
        const found = await openAll(watchedSource(bytes, blockBytes), { door: "upload", name });
        expect(found.map((f) => f.problem?.code)).toEqual(["file-corrupt"]);
      }
    }
    expect(summary(await openAll(Buffer.concat([gz, Buffer.alloc(512)]), { door: "upload", name: "a.gz" }))).toEqual([
      `a.gz/a text ${data.byteLength}`,
    ]);
  });

  it("opens what is locked with a password, wrapped by Outlook, packed as tar, and reads workbooks", async () => {
    for (const kind of ["traditional", 128, 192, 256] as const) {
      const zip = buildZip({ entries: [{ name: "a.csv", data, lock: { secret: "s", kind } }] });
      const [found] = await openAll(zip, { door: "upload", name: "a.zip", secret: "s" });
      expect([found?.problem, found?.bytes?.equals(data)]).toEqual([undefined, true]);
      const [wrong] = await openAll(zip, { door: "upload", name: "a.zip", secret: "x" });
      expect(wrong?.problem?.code).toBe("file-encrypted");
    }
    const tnef = buildTnef({ attachments: [{ longName: "a.csv", data }] });
    expect(summary(await openAll(tnef, { door: "upload", name: "w.dat" }))).toEqual([
      `w.dat/a.csv text ${data.byteLength}`,
    ]);
    const tar = gzipSync(buildTar([{ name: "a.csv", data }]));
    expect(summary(await openAll(tar, { door: "upload", name: "a.tgz" }))).toEqual([
      `a.tgz/a.tar/a.csv text ${data.byteLength}`,
    ]);
    const workbook = oneSheet('<row r="1"><c s="1"><v>46346</v></c><c t="s"><v>0</v></c></row>', {
      strings: ["<t>Größe</t>"],
      formats: ["dd.mm.yyyy"],
    });
    expect((await readSheet(workbook)).rows).toEqual({ 1: ["2026-11-20", "Größe"] });
  });

  it("a bomb is stopped, and a consumer that stops leaves nothing open", async () => {
    const zeros = new Uint8Array(16 * 1_048_576);
    const [bomb] = await openAll(gzipSync(zeros), { door: "upload", name: "zeros.gz" });
    expect(bomb?.problem?.code).toBe("archive-too-large");
    const source = watchedSource(buildZip({ entries: [{ name: "a.csv", data: stockCsv(4_000_000) }] }));
    for await (const found of openDelivery(source, { door: "upload", name: "a.zip" })) {
      if (found.kind !== "file") throw new Error("no file");
      for await (const block of found.file.open()) {
        expect(block.byteLength).toBeGreaterThan(0);
        break;
      }
      expect(source.open()).toBe(0);
      expect((await drain(found.file.open())).failure).toBeUndefined();
    }
  });
});
