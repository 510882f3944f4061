import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  BUCHUNGSSTAPEL_COLUMNS,
  generateSamples,
  INVENTORY_COLUMNS,
  INVENTORY_MAX_DESCRIPTION_CHARS,
} from "../../cli/samples/generate.ts";
import { gtinCheckDigit } from "../../cli/samples/text.ts";
import { csvRows, decoded, gtinHolds, rowsOf, sampleOf, sha256, unzipped } from "./read.ts";

const DATETIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/;
const NINE_DECIMALS = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}$/;
const GUID = /^[0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$/;

const samples = generateSamples();
const feeds = samples.map((sample) => `${sample.customer}/${sample.feed}`);
const column = (rows: string[][], index: number) => rows.map((row) => row[index] ?? "");
const widths = (rows: string[][]) => [...new Set(rows.map((row) => row.length))];
const unlike = (values: string[], pattern: RegExp) => values.filter((value) => !pattern.test(value));

describe("all samples", () => {
  it("come from their options alone", () => {
    const again = generateSamples().map((sample) => sha256(sample.bytes));
    expect(again).toEqual(samples.map((sample) => sha256(sample.bytes)));
  });

  it("are the same in another process and another time zone", () => {
    const module = join(import.meta.dirname, "../../cli/samples/generate.ts");
    const program = `const { createHash } = await import("node:crypto");
      const { generateSamples } = await import(${JSON.stringify(module)});
      for (const s of generateSamples()) console.log(createHash("sha256").update(s.bytes).digest("hex"));`;
    const out = execFileSync(process.execPath, ["--input-type=module", "-e", program], {
      env: { ...process.env, TZ: "Pacific/Auckland", LC_ALL: "tr_TR.UTF-8" },
      encoding: "utf8",
    });
    expect(out.trim().split("\n")).toEqual(samples.map((sample) => sha256(sample.bytes)));
  });

  it.each(feeds)("%s differs with another seed", (feed) => {
    expect(sha256(sampleOf(feed, { seed: 7 }).bytes)).not.toBe(sha256(sampleOf(feed).bytes));
  });

  it.each(feeds)("%s holds as many rows as it says", (feed) => {
    const sample = sampleOf(feed);
    expect(rowsOf(sample)).toHaveLength(sample.rows + sample.rejects);
    expect(sample.rejected).toHaveLength(sample.rejects);
  });

  it("have the usual sizes", () => {
    expect(samples.map((sample) => [sample.rows, sample.rejects])).toEqual([
      [20_000, 0],
      [460, 0],
      [700, 0],
      [400, 0],
      [5_000, 6],
    ]);
  });

  it("grow and shrink with the scale, and keep their bad rows", () => {
    const small = generateSamples({ scale: 0.001 });
    expect(small.map((sample) => sample.rows)).toEqual([20, 20, 20, 20, 20]);
    expect(small.at(-1)?.rejects).toBe(6);
    expect(sampleOf("adventure/store", { scale: 2 }).rows).toBe(1_400);
  });

  it.each([{ edition: 0 }, { edition: 1.5 }, { changedShare: 1.1 }, { changedShare: Number.NaN }, { scale: 0 }])(
    "refuse %j",
    (options) => {
      expect(() => generateSamples(options)).toThrow(RangeError);
    },
  );
});

describe("editions", () => {
  const KEYS: Record<string, number[]> = {
    "adventure/address": [0],
    "adventure/product-vendor": [0, 1],
    "adventure/store": [0],
    "kontor/buchungen": [10],
    "acme/inventory": [0],
  };
  const byKey = (feed: string, edition: number, changedShare = 0.05) => {
    const rows = rowsOf(sampleOf(feed, { edition, changedShare }));
    return new Map(rows.map((row) => [(KEYS[feed] ?? []).map((i) => row[i]).join("|"), row.join("\u001f")]));
  };

  it.each(feeds)("%s has a natural key that names each row once", (feed) => {
    const sample = sampleOf(feed, { edition: 3 });
    expect(byKey(feed, 3).size).toBe(sample.rows + sample.rejects);
  });

  it.each(feeds)("%s changes a twentieth, gains a few and loses none, as its metadata says", (feed) => {
    for (const edition of [2, 3]) {
      const before = byKey(feed, edition - 1);
      const after = byKey(feed, edition);
      const sample = sampleOf(feed, { edition });
      const changed = [...before].filter(([key, row]) => after.get(key) !== row);
      expect([...before.keys()].filter((key) => !after.has(key))).toEqual([]);
      expect(changed).toHaveLength(sample.changed);
      expect(after.size - before.size).toBe(sample.inserted);
      expect(Math.abs(sample.changed - 0.05 * before.size)).toBeLessThan(3);
      expect(sample.inserted).toBeGreaterThanOrEqual(3);
    }
  });

  it("change nothing at a share of 0, and everything at 1", () => {
    expect(sampleOf("adventure/store", { edition: 2, changedShare: 0 }).changed).toBe(0);
    expect(sampleOf("adventure/store", { edition: 2, changedShare: 1 }).changed).toBe(700);
  });

  it("lie four hours apart from the given time", () => {
    const now = new Date("2027-03-28T23:00:00Z");
    expect(sampleOf("kontor/buchungen", { now }).asOf.toISOString()).toBe("2027-03-28T23:00:00.000Z");
    expect(sampleOf("kontor/buchungen", { now, edition: 2 }).asOf.toISOString()).toBe("2027-03-29T03:00:00.000Z");
  });
});

describe("adventure/address", () => {
  const sample = sampleOf("adventure/address");
  const rows = rowsOf(sample);

  it("has nine tab-delimited columns, LF and no quotation mark", () => {
    expect(widths(rows)).toEqual([9]);
    const text = decoded(sample.bytes, "windows-1252");
    expect(text).not.toMatch(/["\r]/);
    expect(sample.fileName).toBe("Address.csv");
  });

  it("is not UTF-8, and tells Windows-1252 from ISO-8859-1", () => {
    expect(() => decoded(sample.bytes, "utf-8")).toThrow(TypeError);
    expect(sample.bytes.some((byte) => byte >= 0x80 && byte <= 0x9f)).toBe(true);
    const towns = column(rows, 3).join("");
    expect([..."äöüßéèçñôîãøÅŠŽœÿ’"].filter((letter) => !towns.includes(letter))).toEqual([]);
  });

  it("has typed cells in the shapes of the real export", () => {
    expect(unlike(column(rows, 0), /^\d{3,6}$/)).toEqual([]);
    expect(unlike(column(rows, 4), /^\d{1,3}$/)).toEqual([]);
    expect(unlike(column(rows, 6), /^E6100000010C[0-9A-F]{32}$/)).toEqual([]);
    expect(unlike(column(rows, 7), /^\{.{36}\}$/)).toEqual([]);
    expect(
      unlike(
        column(rows, 7).map((cell) => cell.slice(1, -1)),
        GUID,
      ),
    ).toEqual([]);
    expect(unlike(column(rows, 8), DATETIME)).toEqual([]);
    expect(new Set(column(rows, 7)).size).toBe(rows.length);
    expect(column(rows, 5)).toContainEqual(expect.stringMatching(/^0/));
    for (const must of [1, 3, 5]) expect(column(rows, must)).not.toContain("");
    const blank = column(rows, 2).filter((cell) => cell === "").length;
    expect(blank / rows.length).toBeGreaterThan(0.95);
    expect(blank).toBeLessThan(rows.length);
  });

  it("mixes in nine decimals only when asked to", () => {
    const mixed = column(rowsOf(sampleOf("adventure/address", { mixedTimestamps: true })), 8);
    const fractions = mixed.filter((cell) => NINE_DECIMALS.test(cell)).length;
    expect(fractions / mixed.length).toBeCloseTo(0.1, 1);
    expect(mixed.filter((cell) => DATETIME.test(cell))).toHaveLength(mixed.length - fractions);
  });
});

describe("adventure/product-vendor", () => {
  const sample = sampleOf("adventure/product-vendor");
  const rows = rowsOf(sample);

  it("has eleven ASCII columns", () => {
    expect(widths(rows)).toEqual([11]);
    expect(sample.bytes.every((byte) => byte === 9 || byte === 10 || (byte >= 32 && byte < 127))).toBe(true);
    expect(decoded(sample.bytes, "utf-8")).not.toContain('"');
  });

  it("pads its units, leaves OnOrderQty blank at times and writes money without zeros at the end", () => {
    expect(unlike(column(rows, 9), /^[A-Z]{2}[A-Z ]$/)).toEqual([]);
    expect(column(rows, 9)).toContain("EA ");
    expect(unlike(column(rows, 8), /^\d*$/)).toEqual([]);
    expect(column(rows, 8)).toContain("");
    expect(unlike(column(rows, 3), /^\d+(\.\d?[1-9])?$/)).toEqual([]);
    expect(unlike(column(rows, 4), /^\d+(\.\d{0,3}[1-9])?$/)).toEqual([]);
    expect(column(rows, 4)).toContainEqual(expect.stringMatching(/\.\d{4}$/));
    for (const whole of [0, 1, 2, 6, 7]) expect(unlike(column(rows, whole), /^[1-9]\d*$/)).toEqual([]);
    for (const time of [5, 10]) expect(unlike(column(rows, time), DATETIME)).toEqual([]);
  });
});

describe("adventure/store", () => {
  const wide = sampleOf("adventure/store");
  const narrow = sampleOf("adventure/store", { storeVariant: "utf-8" });

  it("has six columns between two-character marks in both variants", () => {
    expect(widths(rowsOf(wide))).toEqual([6]);
    expect(widths(rowsOf(narrow))).toEqual([6]);
    expect([...wide.bytes.subarray(0, 2)]).toEqual([0xff, 0xfe]);
    expect(decoded(narrow.bytes, "utf-8")).not.toMatch(/[\r\ufeff]/);
  });

  it("begins each survey with U+FEFF in UTF-16 alone", () => {
    expect(unlike(column(rowsOf(wide), 3), /^\ufeff<StoreSurvey xmlns="[^"]+">.*<\/StoreSurvey>$/)).toEqual([]);
    expect(decoded(wide.bytes, "utf-16le").split("\ufeff")).toHaveLength(1 + 1 + wide.rows);
    expect(unlike(column(rowsOf(narrow), 3), /^<StoreSurvey /)).toEqual([]);
  });

  it("holds the same stores in both variants, but for decimals and the mark", () => {
    const plain = rowsOf(wide).map((row) => row.map((cell) => cell.replace("\ufeff", "").replace(/0{6}$/, "")).join());
    expect(rowsOf(narrow).map((row) => row.join())).toEqual(plain);
    expect(unlike(column(rowsOf(wide), 5), NINE_DECIMALS)).toEqual([]);
    expect(unlike(column(rowsOf(narrow), 5), /\d\.\d{3}$/)).toEqual([]);
  });

  it("has names with a blank at the end, an ampersand and a plus", () => {
    const names = column(rowsOf(wide), 1);
    for (const oddity of [/ $/, /&/, /\+/, /[^\x00-\x7f]/]) expect(names).toContainEqual(expect.stringMatching(oddity));
  });
});

describe("kontor/buchungen", () => {
  const sample = sampleOf("kontor/buchungen");
  const text = decoded(sample.bytes, "windows-1252");
  const lines = text.split("\r\n");
  const rows = rowsOf(sample);
  const field = (name: string) => column(rows, BUCHUNGSSTAPEL_COLUMNS.indexOf(name));

  it("has a metadata line of 31 fields, then 120 columns in every line", () => {
    expect(csvRows(lines[0] ?? "", ";")[0]).toHaveLength(31);
    expect(lines[0]).toMatch(/^"EXTF";700;21;"Buchungsstapel";9;20261102053000000;;/);
    expect(lines[0]?.split(";")[12]).toBe("20260101");
    expect(lines[0]?.split(";").slice(14, 16)).toEqual(["20261101", "20261130"]);
    expect(lines[1]?.split(";")).toEqual(BUCHUNGSSTAPEL_COLUMNS);
    expect(new Set(BUCHUNGSSTAPEL_COLUMNS).size).toBe(120);
    expect(widths(rows)).toEqual([120]);
    expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    expect(sample.lines).toEqual({ preamble: 1, header: 1, continuation: 0 });
  });

  it("has decimal commas, ddMM dates and vouchers that stand once", () => {
    expect(unlike(field("Umsatz (ohne Soll/Haben-Kz)"), /^\d+,\d\d$/)).toEqual([]);
    expect(unlike(field("Belegdatum"), /^(0[1-9]|1\d|2[0-8])11$/)).toEqual([]);
    expect(unlike(field("Soll/Haben-Kennzeichen"), /^[SH]$/)).toEqual([]);
    expect(unlike(field("Kurs"), /^(|\d,\d{6})$/)).toEqual([]);
    expect(unlike(field("Leistungsdatum"), /^(|\d{4}2026)$/)).toEqual([]);
    expect(unlike(field("Konto"), /^\d{4,5}$/)).toEqual([]);
    expect(unlike(field("EU-Land u. USt-IdNr."), /^(|ATU\d{8})$/)).toEqual([]);
    expect(new Set(field("Belegfeld 1")).size).toBe(400);
    expect(field("Kurs").filter((cell) => cell !== "").length).toBeGreaterThan(0);
  });

  it("has texts with umlauts, doubled quotation marks, semicolons and Windows-1252's own characters", () => {
    for (const oddity of [/ö/, /"/, /;/, /€/, /–/]) {
      expect(field("Buchungstext")).toContainEqual(expect.stringMatching(oddity));
    }
    expect(Math.max(...field("Buchungstext").map((cell) => cell.length))).toBeLessThanOrEqual(60);
    expect(lines[2]).toMatch(/;"";/); // text columns are quoted even when blank
  });
});

describe("acme/inventory", () => {
  const sample = sampleOf("acme/inventory");
  const entries = unzipped(sample.bytes);
  const text = decoded(entries[0]?.bytes ?? new Uint8Array(), "utf-8");
  const rows = rowsOf(sample);
  const bad = new Set(sample.rejected.map((reject) => reject.row));
  const good = rows.filter((_, i) => !bad.has(i + 1));
  const field = (name: (typeof INVENTORY_COLUMNS)[number]) => column(good, INVENTORY_COLUMNS.indexOf(name));

  it("is a zip of one CSV with a BOM and CRLF", () => {
    expect(entries.map((entry) => [entry.name, entry.method])).toEqual([["inventory.csv", 8]]);
    expect(text.startsWith(`\ufeff${INVENTORY_COLUMNS.join(",")}\r\n`)).toBe(true);
    expect(text.endsWith("\r\n")).toBe(true);
  });

  it("has good rows that read as what they are", () => {
    expect(widths(good)).toEqual([12]);
    expect(unlike(field("SKU"), /^0\d{7}$/)).toEqual([]);
    expect(unlike(field("Quantity"), /^\d+\.\d{3}$/)).toEqual([]);
    expect(unlike(field("Unit Price"), /^\d+\.\d{4}$/)).toEqual([]);
    expect(unlike(field("Last Counted"), /^(|2026-\d\d-\d\d)$/)).toEqual([]);
    expect([...new Set(field("Status"))].sort()).toEqual(["active", "blocked", "discontinued"]);
    expect([...new Set(field("Lot Tracked"))].sort()).toEqual(["no", "yes"]);
    for (const optional of ["GTIN", "Last Counted", "Remark"] as const) expect(field(optional)).toContain("");
  });

  it("has GTINs whose check digits hold, some with a zero in front", () => {
    const gtins = field("GTIN").filter((gtin) => gtin !== "");
    expect(unlike(gtins, /^(\d{8}|\d{13})$/)).toEqual([]);
    expect(gtins.filter((gtin) => !gtinHolds(gtin))).toEqual([]);
    expect(gtins).toContainEqual(expect.stringMatching(/^0\d{12}$/));
    // Made by others: GS1's worked example, a printed book, an eight-digit example. A wrong weight fails at least one.
    for (const gtin of ["6291041500213", "9780306406157", "73513537"]) {
      expect(gtinHolds(gtin)).toBe(true);
      expect(gtinCheckDigit(gtin.slice(0, -1))).toBe(Number(gtin.at(-1)));
    }
  });

  it("has commas, doubled quotation marks and both kinds of newline inside quotes", () => {
    for (const oddity of [/,/, /"/]) expect(field("Description")).toContainEqual(expect.stringMatching(oddity));
    for (const newline of ["Moved to annex\nask Zoë", "Line one\r\nline two"])
      expect(field("Remark")).toContain(newline);
  });

  it("documents its six bad rows where they stand, each wrong in its own way", () => {
    const physical = text.split("\n");
    const found = sample.rejected.map((reject) => {
      const row = rows[reject.row - 1] ?? [];
      const cells = csvRows(`${physical[reject.line - 1]}\n`, ",")[0];
      expect(cells).toEqual(row);
      if (reject.column !== null) expect(row[INVENTORY_COLUMNS.indexOf(reject.column as "SKU")]).toBe(reject.value);
      return [reject.column, row.length];
    });
    expect(found).toEqual([
      ["Last Counted", 12],
      ["Quantity", 12],
      ["SKU", 12],
      ["Status", 12],
      [null, 13],
      ["Description", 12],
    ]);
    expect(sample.rejected[5]?.value.length).toBeGreaterThan(INVENTORY_MAX_DESCRIPTION_CHARS);
    expect(Math.max(...field("Description").map((cell) => cell.length))).toBeLessThan(INVENTORY_MAX_DESCRIPTION_CHARS);
  });

  it("accounts for every physical line", () => {
    const lines = text.split("\n").length - 1;
    expect(sample.lines.header + sample.lines.continuation + sample.rows + sample.rejects).toBe(lines);
    expect(sample.lines.continuation).toBeGreaterThan(100);
  });
});
