/** A column that is not there, a cell that is blank, and one that says it is to be emptied: three things, never mixed. */
import { describe, expect, it } from "vitest";
import { mappingFaults, mergesRecords } from "../../../src/domain/column.ts";
import { type ColumnInput, columnOf, fault, stored } from "./column-cases.ts";
import { codeOf, failureOf, parse, tableFeed } from "./support.ts";

describe("a blank cell", () => {
  it("is null, a fault, or nothing said", () => {
    for (const type of ["text", "identifier", "integer", "decimal"] as const) {
      expect(stored({ type }, " ")).toBeNull();
      expect(stored({ type, blank: "reject" }, " ")).toEqual(fault("value-missing"));
      expect(stored({ type, blank: "keep" }, " ")).toBeUndefined();
      expect(stored({ type, blank: "keep" }, "7")).not.toBeUndefined();
    }
    expect(stored({ type: "enum", values: { A: "a" }, blank: "keep" }, "")).toBeUndefined();
    expect(stored({ type: "boolean", yes: ["1"], no: ["0"], blank: "keep" }, "")).toBeUndefined();
  });

  it("may be written as a word", () => {
    const column = (blank: "null" | "reject" | "keep"): ColumnInput => ({
      type: "integer",
      nulls: ["NULL", "-"],
      blank,
    });
    expect(stored(column("null"), " NULL ")).toBeNull();
    expect(stored(column("reject"), "-")).toEqual(fault("value-missing"));
    expect(stored(column("keep"), "-")).toBeUndefined();
    expect(stored(column("null"), "null")).toEqual(fault("not-an-integer"));
    expect(stored(column("null"), "-5")).toBe(-5);
    expect(stored(column("null"), "-", true)).toEqual(fault("value-missing"));
  });

  it("is known by its word before anything is done to the text", () => {
    const upper: ColumnInput = { type: "text", transforms: [{ do: "upper" }], nulls: ["none"] };
    expect(stored(upper, "none")).toBeNull();
    expect(stored(upper, "NONE")).toBe("NONE");
    expect(stored({ type: "text", transforms: [{ do: "default", value: "x" }], clear: "!" }, "!")).toBeNull();
  });
});

describe("the word that empties", () => {
  it("is null whatever a blank is, and no key", () => {
    for (const blank of ["null", "reject", "keep"] as const) {
      expect(stored({ type: "text", blank, clear: "(leer)" }, " (leer) ")).toBeNull();
      expect(stored({ type: "decimal", blank, clear: "#" }, "#")).toBeNull();
    }
    expect(stored({ type: "text", clear: "#" }, "#", true)).toEqual(fault("value-missing"));
    expect(stored({ type: "text", clear: "#" }, "##")).toBe("##");
  });
});

const feed = (change: object) =>
  tableFeed({
    columns: [
      { name: "first", source: { header: "First" }, type: "text", ...change },
      { name: "id", source: { header: "Id" }, type: "identifier" },
      { name: "second", source: { header: "Second" }, type: "text", ...change },
      { name: "count", source: { header: "Count" }, type: "integer", ...change },
    ],
  });

describe("a record", () => {
  it.each([false, true])(
    "is written without the fields that are left out, the first one too (as text: %s)",
    async (asText) => {
      const text = "First;Id;Second;Count\na;A;b;1\n;B;;\n;C;x;\ny;D;;2\n";
      const { main } = await parse(feed({ blank: "keep" }), text, { asText });
      expect(main.map(({ json }) => json)).toEqual([
        '{"first":"a","id":"A","second":"b","count":1}',
        '{"id":"B"}',
        '{"id":"C","second":"x"}',
        '{"first":"y","id":"D","count":2}',
      ]);
      expect(new Set(main.map(({ hash }) => hash)).size).toBe(4);
    },
  );

  it("tells what is left out from what is emptied", async () => {
    const { main } = await parse(feed({ blank: "keep", nulls: ["-"], clear: "!" }), "First;Id;Second;Count\n!;A;-;!\n");
    expect(main[0]!.json).toBe('{"first":null,"id":"A","count":null}');
  });
});

describe("a column that the file has not", () => {
  const text = "Id;Count\nA;1\n";

  it("is refused, all that are missing at once", async () => {
    expect(await failureOf(parse(feed({}), text))).toMatchObject({
      code: "missing-column",
      evidence: { missing: ["First", "Second"] },
    });
    expect(await codeOf(parse(feed({ absent: "refuse" }), text))).toBe("missing-column");
  });

  it.each([false, true])("is null or left out where it may be missing (as text: %s)", async (asText) => {
    const json = async (change: object) => (await parse(feed(change), text, { asText })).main[0]!.json;
    expect(await json({ absent: "null" })).toBe('{"first":null,"id":"A","second":null,"count":1}');
    expect(await json({ absent: "keep" })).toBe('{"id":"A","count":1}');
    expect(await json({ absent: "null", blank: "reject" })).toContain('"first":null');
  });

  it("is read as always where it is there", async () => {
    const { main } = await parse(feed({ absent: "keep" }), "Id;Second;Count;First\nA;x;;y\n");
    expect(main[0]!.json).toBe('{"first":"y","id":"A","second":"x","count":null}');
    expect(await codeOf(parse(feed({ absent: "keep" }), "First;Id;First;Second;Count\n"))).toBe("duplicate-column");
  });
});

describe("feeds that merge", () => {
  it("are those of which a field may be left out", () => {
    expect(mergesRecords(feed({}))).toBe(false);
    expect(mergesRecords(feed({ absent: "null", nulls: ["-"], clear: "!" }))).toBe(false);
    expect(mergesRecords(feed({ blank: "keep" }))).toBe(true);
    expect(mergesRecords(feed({ absent: "keep" }))).toBe(true);
  });

  it.each([
    ["a key that is left out", { type: "text", blank: "keep" }, ["field"], "of the key"],
    ["a key that may be missing", { type: "text", absent: "keep" }, ["field"], "of the key"],
    ["a key that may be null", { type: "text", absent: "null" }, ["field"], "of the key"],
    ["a value that is none", { type: "enum", values: { "-": "x" }, nulls: ["-"] }, [], "a value and a word"],
    ["a word for two things", { type: "text", nulls: ["-"], clear: "-" }, [], "clear is one of the nulls"],
  ] as const)("cannot have %s", (_name, input, key, message) => {
    const faults = mappingFaults([columnOf(structuredClone(input) as ColumnInput)], [...key], undefined);
    expect(faults.map((f) => f.message).join()).toContain(message);
  });

  it("leave out only cells, and only columns of a header", () => {
    const faults = (source: object, change: object) =>
      mappingFaults([{ ...columnOf({ type: "text", ...change }), source } as never], [], undefined).map(
        (f) => f.message,
      );
    expect(faults({ constant: "x" }, { blank: "keep" })).toEqual(["keep goes with a cell of the row"]);
    expect(faults({ position: 1 }, { blank: "keep" })).toEqual([]);
    expect(faults({ position: 1 }, { absent: "keep" })).toEqual(["absent goes with a column of the header"]);
  });
});
