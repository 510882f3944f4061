import { Buffer } from "node:buffer";
import { deflateRawSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { safePath } from "../../../src/parse/open/archive/names.ts";
import { DEFAULT_LIMITS, type OpenLimits } from "../../../src/parse/open/limits.ts";
import { openDelivery } from "../../../src/parse/open/open.ts";
import type { ByteSource } from "../../../src/parse/open/source.ts";
import {
  buildMail,
  buildTar,
  buildZip,
  drain,
  openAll,
  stockCsv,
  summary,
  type TarEntrySpec,
  watchedSource,
  type ZipEntrySpec,
  type ZipSpec,
} from "./fixtures.ts";

const upload = (name = "export.zip", limits: Partial<OpenLimits> = {}) => ({ door: "upload" as const, name, limits });
const csv: ZipEntrySpec = { name: "stock.csv", data: "sku;qty\r\nA1;5\r\n" };
const opened = async (spec: ZipSpec, limits?: Partial<OpenLimits>) =>
  openAll(buildZip(spec), upload("export.zip", limits));
const codes = async (spec: ZipSpec, limits?: Partial<OpenLimits>) => summary(await opened(spec, limits));

describe("a zip", () => {
  it("becomes its files, in its order, with their folders", async () => {
    const entries = [csv, { ...csv, name: "2026/prices.csv", method: 0 }, { name: "empty.csv" }];
    expect(await codes({ entries })).toEqual([
      "export.zip/stock.csv text 15",
      "export.zip/2026/prices.csv text 15",
      "export.zip/empty.csv text 0",
    ]);
    const [, prices] = await opened({ entries });
    expect(prices?.file).toMatchObject({ name: "prices.csv", role: "upload", sizeBytes: 15 });
  });

  it("is read as zip64, with sizes behind the data, with a comment", async () => {
    for (const spec of [
      { entries: [{ ...csv, isZip64: true }], isZip64: true },
      { entries: [{ ...csv, hasDescriptor: true }] },
      { entries: [{ ...csv, method: 0, hasDescriptor: true }] },
      { entries: [csv], comment: "PK\u0005\u0006 made by an ERP" },
    ]) {
      expect(await codes(spec)).toEqual(["export.zip/stock.csv text 15"]);
    }
  });

  it("is opened where it lies: in a mail as base64, as raw bytes, inside another zip and in a gzip", async () => {
    const zip = buildZip({ entries: [csv] });
    const attached = (encoding: "base64" | "binary") =>
      openAll(
        buildMail({
          parts: [{ type: "application/zip", encoding, disposition: "attachment", filename: "a.zip", body: zip }],
        }),
      );
    for (const encoding of ["base64", "binary"] as const) {
      const [found] = await attached(encoding);
      expect(found).toMatchObject({ path: "a.zip/stock.csv", role: "attachment" });
      expect(found?.bytes?.toString()).toBe(csv.data);
    }
    expect(await codes({ entries: [{ name: "inner.zip", data: zip }] })).toEqual([
      "export.zip/inner.zip/stock.csv text 15",
    ]);
    expect(summary(await openAll(gzipSync(zip), upload("a.zip.gz")))).toEqual(["a.zip.gz/a.zip/stock.csv text 15"]);
  });

  it("leaves out folders and what operating systems put beside the files, and nothing else", async () => {
    const names = ["a/", "__MACOSX/._stock.csv", "a/.DS_Store", "Thumbs.db", "a/stock.csv", ".hidden"];
    const entries = names.map((name) => ({ name, data: name.endsWith("/") ? "" : "x" }));
    expect(await codes({ entries })).toEqual(["export.zip/a/stock.csv text 1", "export.zip/.hidden text 1"]);
    expect(await codes({ entries: [{ name: "odd/", data: "data" }] })).toEqual(["export.zip/odd text 4"]);
  });

  it("without a file is named so", async () => {
    expect(await codes({ entries: [] })).toEqual(["export.zip !archive-empty"]);
    expect(await codes({ entries: [{ name: "a/" }] })).toEqual(["export.zip !archive-empty"]);
  });

  it("that is a workbook stays one file", async () => {
    const entries = [
      { name: "[Content_Types].xml", data: "<Types/>" },
      { name: "xl/workbook.xml", data: "<workbook/>" },
    ];
    const zip = buildZip({ entries });
    expect(summary(await openAll(zip, upload("liste.csv")))).toEqual([`liste.csv xlsx ${zip.byteLength}`]);
  });

  it("has names in code page 437, UTF-8 with and without the flag, and in the unicode extra field", async () => {
    const raw = Buffer.from([0x47, 0x72, 0x94, 0xe1, 0x65]); // "Größe" in 437
    const extra = Buffer.alloc(9 + 7);
    extra.writeUInt16LE(0x7075, 0);
    extra.writeUInt16LE(12, 2);
    extra.writeUInt8(1, 4);
    extra.writeUInt32LE(0xffff_ffff, 5);
    expect(await codes({ entries: [{ name: "", rawName: raw, data: "x" }] })).toEqual(["export.zip/Größe text 1"]);
    expect(await codes({ entries: [{ name: "Größe", data: "x" }] })).toEqual(["export.zip/Größe text 1"]);
    expect(await codes({ entries: [{ name: "", rawName: Buffer.from("Größe"), data: "x" }] })).toEqual([
      "export.zip/Größe text 1",
    ]);
    // A unicode name that belongs to another name is not used.
    expect(await codes({ entries: [{ name: "plain", data: "x", extra }] })).toEqual(["export.zip/plain text 1"]);
  });

  it("cannot name a place outside of itself", async () => {
    const names = [
      "../../etc/passwd",
      "/etc/passwd",
      "C:\\Windows\\x.csv",
      "a/../../b.csv",
      "..",
      "\u0000evil\r\n.csv",
    ];
    const found = await opened({ entries: names.map((name) => ({ name, data: "x" })) });
    expect(found.map((f) => f.path)).toEqual([
      "export.zip/etc/passwd",
      "export.zip/etc/passwd#2",
      "export.zip/Windows/x.csv",
      "export.zip/a/b.csv",
      "export.zip/entry-5",
      "export.zip/evil.csv",
    ]);
    expect(safePath("\ud800x/ / ./y", "?")).toBe("\ufffdx/y");
  });
});

describe("a zip that is damaged or lies", () => {
  it("is refused entry by entry where the directory is sound", async () => {
    const good = { ...csv, name: "good.csv" };
    for (const lie of [{ crc: 1 }, { expandedBytes: 14 }, { expandedBytes: 16 }]) {
      for (const isLieConsistent of [true, false]) {
        const found = await opened({ entries: [{ ...csv, lie, isLieConsistent }, good] });
        expect(summary(found)).toEqual(["export.zip/stock.csv !file-corrupt", "export.zip/good.csv text 15"]);
      }
    }
    const late = { ...csv, hasDescriptor: true, lie: { crc: 1 } };
    expect((await opened({ entries: [late] }))[0]?.problem?.sentence).toContain("its checksum is wrong");
  });

  it("is refused where a field of its extra area reaches beyond it, in the directory and before the data", async () => {
    const extra = Buffer.from("5554050003cd9e964f", "hex");
    const zip = Buffer.from(buildZip({ entries: [{ name: "a.csv", data: "a;b\n", extra }] }));
    expect((await openAll(zip, upload()))[0]?.problem).toBeUndefined();
    for (const at of [zip.indexOf(extra), zip.lastIndexOf(extra)]) {
      const damaged = Buffer.from(zip);
      damaged.writeUInt16LE(200, at + 2);
      expect((await openAll(damaged, upload()))[0]?.problem?.code).toBe("file-corrupt");
    }
  });

  it("is refused where the sizes behind the data contradict the directory", async () => {
    const zip = Buffer.from(buildZip({ entries: [{ ...csv, hasDescriptor: true }] }));
    zip[zip.indexOf("PK\u0007\b", 0, "latin1") + 12]! ^= 1;
    expect((await openAll(zip, upload()))[0]?.problem?.sentence).toContain("contradicts itself");
  });

  it("is refused where the two headers of an entry give different times", async () => {
    const zip = Buffer.from(buildZip({ entries: [csv] }));
    zip[10]! ^= 1;
    expect((await openAll(zip, upload()))[0]?.problem?.sentence).toContain("contradicts itself");
  });

  it("breaks a long entry at the place of the damage, never silently", async () => {
    const data = stockCsv(300_000);
    const zip = Buffer.from(buildZip({ entries: [{ name: "stock.csv", data }] }));
    zip[60_000]! ^= 0xff;
    const [found] = await openAll(zip, upload());
    expect(found?.problem?.code).toBe("file-corrupt");
    expect(data.byteLength).toBeGreaterThan(found?.bytes?.byteLength ?? 0);
  });

  it("is refused whole where the directory is not sound", async () => {
    const cases: ZipSpec[] = [
      { entries: [{ ...csv, lie: { offset: 5_000 } }] },
      { entries: [{ ...csv, method: 0, lie: { compressedBytes: 14 } }] },
      { entries: [csv, { ...csv, name: "twin.csv", lie: { offset: 0 } }] },
    ];
    for (const spec of cases) expect(await codes(spec)).toEqual(["export.zip !file-corrupt"]);
    const zip = buildZip({ entries: [csv] });
    expect(summary(await openAll(Buffer.concat([zip, Buffer.from("!")]), upload()))).toEqual([
      "export.zip !file-corrupt",
    ]);
  });

  it("is refused for bytes left over behind the compressed data", async () => {
    const packed = Buffer.concat([deflateRawSync(Buffer.from(csv.data as string)), Buffer.from("hidden")]);
    const zip = Buffer.from(buildZip({ entries: [{ ...csv, data: packed, method: 0 }] }));
    zip.writeUInt16LE(8, 8);
    const at = zip.indexOf("PK\u0001\u0002", 0, "latin1");
    zip.writeUInt16LE(8, at + 10);
    const [found] = await openAll(zip, upload());
    expect(found?.problem?.sentence).toContain("there is other data behind");
  });

  it("cut at any byte is refused, and nothing short comes out of it", async () => {
    const data = stockCsv(2_000);
    const zip = buildZip({ entries: [{ name: "a.csv", data }, csv] });
    for (let length = 4; length < zip.byteLength; length += 37) {
      const found = await openAll(zip.subarray(0, length), upload());
      expect(found.map((f) => f.problem?.code ?? "!")).toEqual(["file-corrupt"]);
    }
  });
});

describe("a zip that cannot be opened", () => {
  it("because of a password is told so: once when all of it is locked, else for each file", async () => {
    const locked = { ...csv, name: "locked.csv", flags: 1 };
    expect(await codes({ entries: [locked, locked] })).toEqual(["export.zip !file-encrypted"]);
    expect(await codes({ entries: [locked, csv] })).toEqual([
      "export.zip/locked.csv !file-encrypted",
      "export.zip/stock.csv text 15",
    ]);
    for (const [entry, method] of [
      [{ ...csv, flags: 1 }, "ZipCrypto"],
      [{ ...csv, flags: 1, method: 99 }, "AES"],
      [{ ...csv, flags: 0x41 }, "strong encryption"],
    ] as const) {
      const [found] = await opened({ entries: [entry] });
      expect(found?.problem?.sentence).toContain(`(${method})`);
      expect(found?.problem?.hint).toContain("Send it without a password");
    }
  });

  it("because of a password is opened with the feed's own, whatever the encryption", async () => {
    const kinds = ["traditional", 128, 192, 256] as const;
    for (const kind of kinds) {
      for (const method of [0, 8]) {
        for (const version of [1, 2] as const) {
          const lock = { secret: "geheim-ü", kind, version };
          const data = stockCsv(100_000);
          const zip = buildZip({ entries: [{ name: "stock.csv", data, method, lock }, csv] });
          for (const size of [997, 65_536]) {
            const source = watchedSource(zip, size);
            const [found] = await openAll(source, { ...upload(), secret: "geheim-ü" });
            expect([found?.problem, found?.bytes?.equals(data)]).toEqual([undefined, true]);
            expect(source.open()).toBe(0);
          }
          const small = buildZip({ entries: [{ ...csv, method, lock }] });
          const tiny = await openAll(watchedSource(small, 1), { ...upload(), secret: "geheim-ü" });
          expect(tiny[0]?.bytes?.toString()).toBe(csv.data);
        }
      }
    }
  });

  it("because its password is missing or another one says which, and tells no password", async () => {
    for (const kind of ["traditional", 256] as const) {
      const zip = buildZip({ entries: [{ ...csv, lock: { secret: "right-one", kind } }] });
      const [missing] = await openAll(zip, upload());
      expect(missing?.problem?.sentence).toContain("by a password, and none is stored for this feed");
      const [wrong] = await openAll(zip, { ...upload(), secret: "wrong-one" });
      expect(wrong?.problem?.sentence).toContain("the one stored for this feed is another one");
      expect(JSON.stringify(wrong?.problem)).not.toContain("wrong-one");
    }
  });

  it("under a password and damaged is refused at its end, never silently other", async () => {
    const data = stockCsv(2_000);
    for (const kind of ["traditional", 128] as const) {
      for (const method of [0, 8]) {
        const zip = Buffer.from(buildZip({ entries: [{ name: "a.csv", data, method, lock: { secret: "s", kind } }] }));
        const end = zip.indexOf("PK\u0001\u0002", 0, "latin1");
        for (let at = 36; at < end; at += 13) {
          const hurt = Buffer.from(zip);
          hurt[at]! ^= 0x40;
          const [found] = await openAll(hurt, { ...upload(), secret: "s" });
          // Most of the 12 bytes that the traditional encryption puts first are noise, as is a field that is written twice.
          const isSame = found?.problem === undefined && found?.bytes?.equals(data);
          if (!isSame) expect(["file-corrupt", "file-encrypted"]).toContain(found?.problem?.code);
        }
      }
    }
  });

  it("because of its method names the method", async () => {
    for (const [method, name] of [
      [9, "Deflate64"],
      [12, "BZip2"],
      [14, "LZMA"],
      [93, "Zstandard"],
      [77, "method 77"],
    ] as const) {
      const [found] = await opened({ entries: [{ ...csv, method }] });
      expect(found?.problem?.sentence).toContain(`compressed with ${name}`);
    }
  });

  it("because it is one volume of several is told so", async () => {
    const zip = Buffer.from(buildZip({ entries: [csv] }));
    zip.writeUInt16LE(2, zip.byteLength - 22 + 4);
    expect((await openAll(zip, upload()))[0]?.problem?.sentence).toContain("one volume of a split zip");
  });
});

describe("a bomb", () => {
  const zeros = Buffer.alloc(8 * 1_048_576);

  it("is stopped at the limits of size, ratio, count, depth and memory", async () => {
    const big = { name: "zeros.csv", data: zeros };
    const [ratio] = await opened({ entries: [big] });
    expect(ratio?.problem?.sentence).toContain("expands to more than 200 times");
    expect(ratio?.bytes?.byteLength).toBeLessThan(5 * 1_048_576);
    expect(await codes({ entries: [big] }, { maxExpandedBytes: 1_048_576 })).toEqual([
      "export.zip/zeros.csv !archive-too-large",
    ]);
    const many = { entries: Array.from({ length: 3 }, (_, i) => ({ ...csv, name: `${i}.csv` })) };
    expect(await codes(many, { maxArchiveEntries: 2 })).toEqual(["export.zip !archive-too-large"]);
    expect(await codes(many, { maxExpandedBytes: 40 })).toEqual(["export.zip !archive-too-large"]);
    expect((await codes(many, { maxFiles: 3 })).at(-1)).toBe("export.zip !mail-too-complex");
    let nested = buildZip({ entries: [csv] });
    for (let i = 0; i < 4; i += 1) nested = buildZip({ entries: [{ name: `${i}.zip`, data: nested }] });
    const [deep] = await openAll(nested, upload());
    expect(deep?.problem?.sentence).toContain("archives packed inside each other (limit 3 levels)");
    const held = {
      entries: [{ name: "inner.zip", data: buildZip({ entries: [{ ...csv, data: stockCsv(50_000), method: 0 }] }) }],
    };
    expect(await codes(held, { maxHeldBytes: 20_000 })).toEqual(["export.zip/inner.zip !archive-too-large"]);
    const twice = { entries: [...held.entries, { ...held.entries[0]!, name: "second.zip" }] };
    expect(await codes(twice, { maxHeldBytes: 80_000 })).toEqual([
      "export.zip/inner.zip/stock.csv text 50055",
      "export.zip/second.zip !archive-too-large",
    ]);
  });

  it("does not hide behind a lie about its size", async () => {
    const lie = { expandedBytes: 1_000 };
    const [found] = await opened({ entries: [{ name: "zeros.csv", data: zeros, lie, isLieConsistent: true }] });
    expect(found?.problem?.code).toBe("file-corrupt");
    expect(found?.bytes?.byteLength ?? 0).toBeLessThan(200_000);
  });

  it("of gzip is stopped as well", async () => {
    const found = await openAll(gzipSync(zeros), upload("zeros.csv.gz"));
    expect(summary(found)).toEqual(["zeros.csv.gz/zeros.csv !archive-too-large"]);
    expect(found[0]?.bytes?.byteLength).toBeLessThan(5 * 1_048_576);
  });
});

describe("a gzip file", () => {
  const name = "stock.csv.gz";
  const text = stockCsv(200_000);

  it("becomes its content, of one member or many, padded or not, for blocks of any size", async () => {
    const members = Buffer.concat([
      gzipSync(text.subarray(0, 70_000)),
      gzipSync(Buffer.alloc(0)),
      gzipSync(text.subarray(70_000)),
    ]);
    for (const packed of [gzipSync(text), members, Buffer.concat([members, Buffer.alloc(700)])]) {
      for (const size of [997, 16_384, 65_536]) {
        const [found] = await openAll(watchedSource(packed, size), upload(name));
        expect(found).toMatchObject({ path: "stock.csv.gz/stock.csv" });
        expect(found?.problem).toBeUndefined();
        expect(found?.bytes?.equals(text)).toBe(true);
      }
    }
    const small = Buffer.concat([gzipSync("a;b\n"), gzipSync("1;2\n")]);
    expect((await openAll(watchedSource(small, 1), upload(name)))[0]?.bytes?.toString()).toBe("a;b\n1;2\n");
  });

  it("cut off, damaged or followed by something else is refused", async () => {
    const packed = gzipSync(text);
    const damaged = Buffer.from(packed);
    damaged[packed.byteLength - 6]! ^= 1;
    const bad = [
      packed.subarray(0, packed.byteLength - 1),
      packed.subarray(0, 5_000),
      damaged,
      Buffer.concat([packed, Buffer.from("junk")]),
      Buffer.concat([packed, Buffer.from("\u0000\u0000junk")]),
    ];
    for (const bytes of bad) {
      for (const size of [1_000, 65_536]) {
        const [found] = await openAll(watchedSource(bytes, size), upload(name));
        expect(found?.problem?.code).toBe("file-corrupt");
      }
    }
  });
});

describe("a tar archive", () => {
  const tgz = (entries: readonly TarEntrySpec[]) => gzipSync(buildTar(entries));
  const list = async (bytes: Uint8Array, name = "a.tar") => summary(await openAll(bytes, upload(name)));

  it("becomes its files, packed or not, with long names; links and folders are left out", async () => {
    const long = `${"ordner/".repeat(20)}stock.csv`;
    const entries: TarEntrySpec[] = [
      { name: "2026/", kind: "5" },
      { name: "stock.csv", data: csv.data ?? "", prefix: "2026" },
      { name: "link.csv", kind: "2" },
      { name: "././@LongLink", kind: "L", data: `${long}\0` },
      { name: "ordner/", data: "x" },
      { name: "pax", kind: "x", data: "20 path=Größe.csv\n" },
      { name: "gr", data: "xy" },
      { name: "__MACOSX/._a", data: "x" },
    ];
    const inside = [`2026/stock.csv text 15`, `${long.split("/").slice(-16).join("/")} text 1`, "Größe.csv text 2"];
    expect(await list(buildTar(entries))).toEqual(inside.map((line) => `a.tar/${line}`));
    expect(await list(tgz(entries), "a.tgz")).toEqual(inside.map((line) => `a.tgz/a.tar/${line}`));
    const found = await openAll(watchedSource(buildTar(entries), 7), upload("a.tar"));
    expect(found[0]?.bytes?.toString()).toBe(csv.data);
  });

  it("cut anywhere, damaged or hostile is refused", async () => {
    const tar = buildTar([{ name: "a.csv", data: stockCsv(1_500) }]);
    for (let length = 300; length <= 512 + 2_048; length += 97)
      expect(await list(tar.subarray(0, length))).toEqual(["a.tar !file-corrupt"]);
    const damaged = Buffer.from(tar);
    damaged[3]! ^= 1;
    expect(await list(damaged)).toEqual(["a.tar !file-corrupt"]);
    expect(await list(buildTar([]).fill("ustar", 257, 262))).toEqual(["a.tar !file-corrupt"]);
    expect(await list(buildTar([{ name: "s", kind: "S" }]))).toEqual(["a.tar !file-unsupported"]);
    expect(await list(buildTar([{ name: "d/", kind: "5" }]))).toEqual(["a.tar !archive-empty"]);
    const many = Array.from({ length: 1_001 }, (_, i) => ({ name: `${i}` }));
    expect(await list(buildTar(many))).toEqual(["a.tar !archive-too-large"]);
    expect(await list(buildTar([{ name: "../../etc/passwd", data: "x" }]))).toEqual(["a.tar/etc/passwd text 1"]);
  });
});

describe("pulling", () => {
  it("stops everything when the consumer stops, and reads no further than it was asked to", async () => {
    const data = stockCsv(3_000_000);
    const packs: [Uint8Array, string][] = [
      [buildZip({ entries: [{ name: "a.csv", data }] }), "a.zip"],
      [gzipSync(data), "a.csv.gz"],
      [data, "a.csv"],
    ];
    for (const [bytes, name] of packs) {
      const source = watchedSource(bytes);
      for await (const found of openDelivery(source, upload(name))) {
        if (found.kind !== "file") throw new Error("no file");
        const before = source.pulled();
        for await (const block of found.file.open()) {
          expect(block.byteLength).toBeGreaterThan(0);
          break;
        }
        expect(source.open()).toBe(0);
        expect(source.pulled() - before).toBeLessThan(300_000);
      }
    }
  });

  it("throws what is no fault of the sender, so that the delivery is tried again", async () => {
    const bytes = buildMail({
      parts: [{ type: "text/csv", filename: "a.csv", disposition: "attachment", body: stockCsv(200_000) }],
    });
    const short: ByteSource = { size: bytes.byteLength + 1, blocks: watchedSource(bytes).blocks };
    await expect(openAll(short)).rejects.toMatchObject({ code: "storage-unavailable", disposition: "retry" });
    const failing = (error: Error): ByteSource => ({
      size: 100,
      async *blocks() {
        yield new Uint8Array(10);
        throw error;
      },
    });
    for (const door of ["mail", "upload"] as const) {
      await expect(openAll(failing(new Error("boom")), { door })).rejects.toThrow("boom");
    }
  });

  it("gives a file as often as it is opened", async () => {
    for (const [bytes, name] of [
      [buildZip({ entries: [csv] }), "a.zip"],
      [gzipSync("x"), "x.gz"],
    ] as const) {
      const [found] = await openAll(bytes, upload(name));
      expect((await drain(found!.file!.open())).bytes).toEqual(found?.bytes);
    }
  });

  it("has limits that fit each other", () => {
    expect(DEFAULT_LIMITS.maxHeldBytes).toBeGreaterThan((25 * 1_048_576 * 3) / 4);
  });
});
