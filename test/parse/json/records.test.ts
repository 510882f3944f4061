import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Failure, type FailureReport } from "../../../src/domain/failures.ts";
import { listPath } from "../../../src/parse/json/list-path.ts";
import { JSON_MAX_RECORD_CHARS, type JsonOptions, jsonRecords, recordRow } from "../../../src/parse/json/records.ts";
import { jsonFormat } from "../../../src/parse/json/scan.ts";
import { bytesSource } from "../../../src/parse/open/source.ts";
import { watchedSource } from "../open/fixtures.ts";

interface Read {
  readonly records: readonly (Readonly<Record<string, string | null>> | string)[];
  readonly lines: readonly number[];
  readonly failure?: FailureReport;
  readonly open: number;
}

/** Records as objects, broken ones as their reason. */
async function read(text: string | Uint8Array, options: Partial<JsonOptions> = {}, blockBytes = 65_536): Promise<Read> {
  const source = watchedSource(Buffer.from(text), blockBytes);
  const records: (Record<string, string | null> | string)[] = [];
  const lines: number[] = [];
  try {
    for await (const batch of jsonRecords(source.blocks(0, source.size), { format: "json", ...options })) {
      for (const record of batch) {
        records.push(record.cells ? Object.fromEntries(record.cells) : (record.broken ?? ""));
        lines.push(record.line);
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof Failure)) throw thrown;
    return { records, lines, failure: thrown.report, open: source.open() };
  }
  return { records, lines, open: source.open() };
}

const ndjson = { format: "ndjson" } as const;

describe("a list of records", () => {
  it("keeps numbers as they are written, nested values as JSON, and the three states of a cell apart", async () => {
    const text = `[{"sku":"007","ean":4006381333931004006381333931,"price":10.50,"f":1E3,"ok":true,"none":null,"empty":""},
 {"sku":"a\\"\\u00e4\\n","tags":[ 1, {"x": "y"} ],"dim":{"w":1.0}} ]`;
    expect((await read(text)).records).toEqual([
      { sku: "007", ean: "4006381333931004006381333931", price: "10.50", f: "1E3", ok: "true", none: null, empty: "" },
      { sku: 'a"ä\n', tags: '[ 1, {"x": "y"} ]', dim: '{"w":1.0}' },
    ]);
    expect((await read(text)).lines).toEqual([1, 2]);
  });

  it("gives each record its cells in the order of the columns, absent ones apart from null", async () => {
    for await (const [record] of jsonRecords(watchedSource(Buffer.from('[{"a":1,"b":null}]')).blocks(0, 99), {
      format: "json",
    })) {
      expect(recordRow(record!, ["b", "c", "a"])).toEqual([null, undefined, "1"]);
    }
  });

  it("may be empty, and may stand inside a record", async () => {
    expect((await read(" [ ] ")).records).toEqual([]);
    const wrapped = '{"count": 2, "data": {"x": [1], "items": [{"a":1},{"a":2}], "y": {}}, "next": null}';
    const found = await read(wrapped, { at: ["data", "items"] });
    expect([found.records, found.failure]).toEqual([[{ a: "1" }, { a: "2" }], undefined]);
    for (const [at, reason] of [
      [["data", "rows"], "it has no list at data.rows"],
      [["count"], "there is no list where it should be"],
      [["data", "x", "y"], "there is no record around the list"],
      [[], "it is one record, not a list of them"],
    ] as const) {
      expect((await read(wrapped, { at })).failure?.sentence).toContain(reason);
    }
  });

  it("is read the same in UTF-8 and UTF-16, with and without its mark, for blocks of any size", async () => {
    const text = '[\n{"größe":"€ 𝄞","n":-0.5e-3},\n{"größe":"","n":12}\n]\n';
    const expected = [
      { größe: "€ 𝄞", n: "-0.5e-3" },
      { größe: "", n: "12" },
    ];
    for (const bytes of [
      Buffer.from(text),
      Buffer.from(`\ufeff${text}`),
      Buffer.from(`\ufeff${text}`, "utf16le"),
      Buffer.from(`\ufeff${text}`, "utf16le").swap16(),
    ]) {
      for (const size of [1, 2, 7, 65_536]) {
        const found = await read(bytes, {}, size);
        expect([found.records, found.failure, found.lines, found.open]).toEqual([expected, undefined, [2, 3], 0]);
      }
    }
  });

  it("gives back every table of texts and numbers", async () => {
    const cell = fc.oneof(fc.string({ unit: "grapheme" }), fc.constant(null), fc.integer());
    const record = fc.dictionary(fc.string(), cell, { noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(
        fc.array(record),
        fc.constantFrom(0, 2),
        fc.integer({ min: 1, max: 40 }),
        async (rows, indent, size) => {
          const expected = rows.map((row) =>
            Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v === null ? null : String(v)])),
          );
          expect((await read(JSON.stringify(rows, null, indent), {}, size)).records).toEqual(expected);
          const lines = rows.map((row) => `${JSON.stringify(row)}\r\n`).join("\n");
          expect((await read(lines, ndjson, size)).records).toEqual(expected);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("says of what is no record, or has a key twice, that it cannot be used", async () => {
    const { records, failure } = await read('[{"a":1,"a":2},[1],7,null,"x",{"__proto__":"p"}]');
    expect(failure).toBeUndefined();
    expect(records.slice(0, 5)).toEqual([
      'it has the key "a" twice',
      ...Array(4).fill("it is no record (a record stands in braces)"),
    ]);
    expect(Object.keys(records[5]!)).toEqual(["__proto__"]);
  });

  it.each([
    ['[{"a":1}', "in line 1, it ends too early"],
    ['[{"a":1},', "it ends too early"],
    ['[{"a":1}\n,\n{"a":tru}]', "in line 3, something stands there that is no JSON"],
    ['[{"a":1} {"a":2}]', "a comma or a closing bracket is missing"],
    ['[{"a":1},]', "something stands there that is no JSON"],
    ['[{"a":1,}]', "a text in quotation marks is missing"],
    ['[{"a" 1}]', "a colon is missing"],
    ['[{"a":01}]', "a comma or a closing bracket is missing"],
    ['[{"a":"x\ny"}]', "control character that is not escaped"],
    ['[{"a":"\\x"}]', "an escape that is none"],
    ['[{"a":"\\u12g4"}]', "an escape that is none"],
    ["[{'a':1}]", "a text in quotation marks is missing"],
    ['[{"a":NaN}]', "no JSON"],
    ['[{"a":1}] x', "something follows behind its end"],
    ['[{"a":1}]]', "something follows behind its end"],
    ["", "it ends too early"],
    [`[{"a":${"[".repeat(70)}`, "nested too deeply"],
  ])("%j is refused with its place", async (text, reason) => {
    for (const size of [1, 65_536]) expect((await read(text, {}, size)).failure?.sentence).toContain(reason);
  });

  it("cut at any byte is refused, never short", async () => {
    const text = JSON.stringify(Array.from({ length: 9 }, (_, i) => ({ sku: `A${i}`, qty: i * 1.5, x: ["ä", null] })));
    const bytes = Buffer.from(text);
    for (let length = 0; length < bytes.length; length += 1) {
      expect((await read(bytes.subarray(0, length), {}, 7)).failure?.code).toBe("json-unreadable");
    }
  });

  it("that is not UTF-8 is refused", async () => {
    const { failure } = await read(Buffer.from('[{"a":"ä"}]', "latin1"));
    expect(failure?.sentence).toContain("not UTF-8");
  });

  it("with a record beyond the limit is refused, and one of a megabyte is read, in linear time", async () => {
    const big = "x".repeat(1_048_576);
    expect((await read(`[{"a":"${big}"},{"a":"b"}]`, {}, 1_000)).records).toEqual([{ a: big }, { a: "b" }]);
    const endless = await read(`[{"a":"${"x".repeat(JSON_MAX_RECORD_CHARS * 3)}`);
    expect(endless.failure?.sentence).toContain("longer than");
  });
});

describe("records on lines of their own", () => {
  it("are read with any line end, blank lines between them, with and without the last line end", async () => {
    for (const text of ['{"a":1}\n{"a":2}', '{"a":1}\r\n\r\n \t{"a":2} \r\n', '\ufeff{"a":1}\n{"a":2}\n\n']) {
      for (const size of [1, 7, 65_536]) {
        expect((await read(text, ndjson, size)).records).toEqual([{ a: "1" }, { a: "2" }]);
      }
    }
    expect((await read("", ndjson)).records).toEqual([]);
  });

  it("lose nothing but the broken line, which is named in its place", async () => {
    const text = '{"a":1}\n{"a":"x}\n{"a":3} {"a":4}\nnull\n\ufeff{"a":5}\n{"a":6}\n{"a":7';
    const { records, lines } = await read(text, ndjson);
    expect(records).toEqual([
      { a: "1" },
      "it ends too early",
      "something follows behind its end",
      "it is no record (a record stands in braces)",
      "something stands there that is no JSON (character 1)",
      { a: "6" },
      "it ends too early",
    ]);
    expect(lines).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("do not gather a line without end in memory: it is broken, and the next one is read", async () => {
    const text = `{"a":"${"x".repeat(JSON_MAX_RECORD_CHARS * 2)}"}\n{"a":"b"}\n`;
    const { records, lines } = await read(text, ndjson);
    expect(records).toEqual([`it is longer than ${JSON_MAX_RECORD_CHARS} characters`, { a: "b" }]);
    expect(lines).toEqual([1, 2]);
  });

  it("are closed when their reader stops", async () => {
    const source = watchedSource(Buffer.from('{"a":1}\n'.repeat(100_000)));
    for await (const batch of jsonRecords(source.blocks(0, source.size), ndjson)) {
      expect(batch.length).toBeGreaterThan(0);
      break;
    }
    expect(source.open()).toBe(0);
    expect(source.pulled()).toBeLessThan(200_000);
  });
});

describe("the format", () => {
  const long = "x".repeat(40);
  it.each([
    ['[{"a":1},{"a":2}]', true, "json"],
    ["[]", true, "json"],
    ['[["a","b"],[1,2]]', true, "json"],
    [`[{"a":"${long}`, false, "json"],
    ['{\n "data": []\n}', true, "json"],
    [`{"data":[{"a":"${long}`, false, "json"],
    ['{"a":1}\n{"a":2}\n', true, "ndjson"],
    ['{"a":1}\n', true, "ndjson"],
    [`{"a":1}\r\n{"a":"${long}`, false, "ndjson"],
    ['\ufeff [\n{"a":1}]', true, "json"],
    ["[1],2\n[3],4", true, undefined],
    ["[1,2]", true, undefined],
    ["[Artikel];[Menge]\n1;2", true, undefined],
    ['[{"a":1}];x', true, undefined],
    ['[{"a":1}', true, undefined],
    ["{sku};{qty}\n1;2", true, undefined],
    ['{"a":1};{"b":2}\n', true, undefined],
    ['{"a":1}{"b":2}', true, undefined],
    ['"a","b"\n1,2', true, undefined],
    ["", true, undefined],
    ["a;b", true, undefined],
  ])("of %j is said only when its content proves it", (head, isWhole, format) => {
    expect(jsonFormat(head, isWhole)).toBe(format);
  });
});

describe("where the list is in a record around it", () => {
  it.each([
    ['{"data":[{"id":1},{"id":2}]}', ["data"]],
    ['\ufeff {\n "meta": {"n": 2, "tags": ["a"]}, "d": {"e": [ {"id":1}, {"id"', ["d", "e"]],
    ['{"a":[],"b":[{"id":1}],"c":"x"}', ["b"]],
  ])("is found in %j", (head, at) => {
    expect(listPath(head)).toEqual(at);
  });

  it.each([
    ["a list itself", '[{"id":1}]'],
    ["records on lines, with a list in each", '{"id":1,"lines":[{"n":1}]}\n{"id":2,"lines":[]}'],
    ["two lists", '{"a":[{"id":1}],"b":[{"id":2}]}'],
    ["a list of no records", '{"a":[1,2]}'],
    ["broken before it", '{"a":,"b":[{"id":1}]}'],
    ["deeper than services wrap", '{"a":{"b":{"c":{"d":{"e":[{"id":1}]}}}}}'],
  ])("is not said where there is %s", (_what, head) => {
    expect(listPath(head)).toBeUndefined();
  });
});

describe("a text that holds what no database stores", () => {
  it.each(["\\u0000", "a\\ud800b", "\\udc00", "\\\\\\u0000"])(
    "(%s) breaks its record, be it a value, a key or inside",
    async (odd) => {
      for (const record of [`{"a":"${odd}"}`, `{"${odd}":1}`, `{"a":[{"b":"${odd}"}]}`]) {
        const [found] = await recordsOf(`${record}\n{"a":"x"}\n`);
        expect(found?.cells).toBeUndefined();
        expect(found?.broken).toContain("a character that is none");
      }
    },
  );

  it.each([
    ["\\ud83d\\ude00", "😀"],
    ["\\\\u0000", "\\u0000"],
    ["\\u0001", "\u0001"],
  ])("does not mind %s", async (escaped, text) => {
    const [found] = await recordsOf(`{"a":"${escaped}"}\n{"a":"x"}\n`);
    expect(found?.cells?.get("a")).toBe(text);
  });

  async function recordsOf(text: string) {
    const all = [];
    for await (const batch of jsonRecords(bytesSource(Buffer.from(text)).blocks(0, text.length * 4), {
      format: "ndjson",
    }))
      all.push(...batch);
    return all;
  }
});

describe("bytes that are no text", () => {
  it("are told with their line, however the blocks are cut", async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"a":"ü"}\r\n{"a":1}\n{"a":"'),
      Buffer.from([0xff]),
      Buffer.from('"}\n'),
    ]);
    for (const size of [1, 2, 5, 100]) {
      const reading = async () => {
        for await (const _ of jsonRecords(bytesSource(bytes, size).blocks(0, bytes.length), { format: "ndjson" }));
      };
      await expect(reading()).rejects.toMatchObject({ code: "json-unreadable", report: { evidence: { line: 3 } } });
    }
  });
});
