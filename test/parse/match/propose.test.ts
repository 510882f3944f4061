/** From a first file to versions that can be pinned: what is proposed, asked and answered. */
import { describe, expect, it } from "vitest";
import { defineFeed } from "../../../src/domain/adapter.ts";
import { DETECT } from "../../../src/domain/column.ts";
import { effectiveFeed, mappingSchema, profileSchema } from "../../../src/domain/feed-version.ts";
import { sampleOf } from "../../../src/parse/detect/sample.ts";
import { type Answer, foundInJson, foundInSheet, foundInText } from "../../../src/parse/match/found.ts";
import { type Proposal, proposeVersions } from "../../../src/parse/match/propose.ts";
import { parse } from "../table/support.ts";
import { bytesOf, demoFiles } from "./support.ts";

type Definition = Parameters<typeof defineFeed>[0];
const unknown = (more: Partial<Definition> = {}) =>
  defineFeed({
    customer: "acme",
    customerTitle: "Acme",
    feed: "things",
    title: "Things",
    mode: "full",
    intake: { policy: "trust-address", senders: ["@acme.example"] },
    ...more,
  });

const proposed = (text: string | Uint8Array, answers: Answer[] = [], more: Partial<Definition> = {}): Proposal => {
  const bytes = typeof text === "string" ? bytesOf(text) : text;
  return proposeVersions(unknown(more), foundInText(sampleOf(bytes), answers), answers);
};
const asked = ({ questions }: Proposal) => questions.map((q) => [q.what, q.column]);
const column = ({ mapping }: Proposal, name: string) => mapping?.columns.find((one) => one.name === name);

const STOCK = `Bestandsliste vom 13.11.2026
Werk 4711

Artikel-Nr.;GTIN;Bezeichnung;Menge;EK-Preis €;Gezählt am;Gesperrt
${Array.from({ length: 40 }, (_, i) => `00${100 + i};${2_000_000_000_000 + i * 7};Öse ${i} mm;${i * 3};1.${200 + i},5${i % 10};${14 + (i % 14)}.11.2026;${i % 4 === 0 ? "ja" : "nein"}`).join("\n")}
Summe;;;4711;;;
`;

describe("a file that nobody has described", () => {
  const proposal = proposed(STOCK);

  it("gets a format whose title lines and footer are those of every day", () => {
    expect(proposal.faults).toEqual([]);
    expect(proposal.profile.format).toMatchObject({
      kind: "delimited",
      charset: "utf-8",
      delimiter: ";",
      header: true,
      preamble: [{ startsWith: "Bestandsliste vom " }, { startsWith: "Werk " }, { startsWith: "" }],
      footer: { startsWith: "Summe" },
    });
    expect(profileSchema.safeParse(proposal.profile).success).toBe(true);
  });

  it("gets a column for each of its own, by type, with names for fields", () => {
    expect(proposal.mapping?.columns.map(({ name, type }) => [name, type])).toEqual([
      ["artikel_nr", "identifier"],
      ["gtin", "identifier"],
      ["bezeichnung", "text"],
      ["menge", "integer"],
      ["ek_preis_eur", "decimal"],
      ["gezaehlt_am", "date"],
      ["gesperrt", "boolean"],
    ]);
    expect(column(proposal, "gesperrt")).toMatchObject({ yes: ["ja"], no: ["nein"] });
    expect(mappingSchema.safeParse(proposal.mapping).success).toBe(true);
  });

  it("has its way of writing in the profile, where the mapping leaves it", () => {
    expect(column(proposal, "ek_preis_eur")).toMatchObject({ decimalMark: DETECT });
    expect(column(proposal, "gezaehlt_am")).toMatchObject({ format: DETECT });
    const readings = proposal.profile.columns.map((one) => one.reading);
    expect(readings[4]).toEqual({ decimalMark: ",", groupMark: "." });
    expect(readings[5]).toEqual({ format: "dd.MM.yyyy" });
    expect(proposal.profile.columns[4]?.shape?.classes).toHaveProperty("decimal ,2");
  });

  it("is always asked for its key", () => {
    expect(proposal.mapping?.key).toEqual(["artikel_nr"]);
    expect(asked(proposal)).toEqual([["key", undefined]]);
    expect(proposal.questions[0]?.options).toContain("artikel_nr");
    const answered = proposed(STOCK, [{ what: "key", answer: "gtin" }]);
    expect([answered.mapping?.key, answered.questions]).toEqual([["gtin"], []]);
    expect(proposed(STOCK, [{ what: "key", answer: "Artikel-Nr., Gezählt am" }]).mapping?.key).toEqual([
      "artikel_nr",
      "gezaehlt_am",
    ]);
    expect(asked(proposed(STOCK, [{ what: "key", answer: "no such column" }]))).toEqual([["key", undefined]]);
  });

  it("is read by what was proposed, row for row", async () => {
    const effective = effectiveFeed(unknown(), { profile: proposal.profile, mapping: proposal.mapping });
    if (effective.kind !== "feed") throw new Error(JSON.stringify(effective));
    const { main, books, rejects } = await parse(effective.feed, STOCK);
    expect(rejects).toEqual([]);
    expect(books).toMatchObject({ preamble: 3, header: 1, accepted: 40, footer: 1 });
    expect(main[1]?.record).toEqual({
      artikel_nr: "00101",
      gtin: "2000000000007",
      bezeichnung: "Öse 1 mm",
      menge: 3,
      ek_preis_eur: "1201.51",
      gezaehlt_am: "2026-11-15",
      gesperrt: false,
    });
  });

  it("proposed twice is the same, and answers are kept", () => {
    expect(proposed(STOCK)).toEqual(proposal);
    expect(proposed(STOCK, [{ what: "key", answer: "gtin" }]).profile.answers).toEqual([
      { what: "key", answer: "gtin" },
    ]);
  });
});

describe("what a file cannot say", () => {
  const text = "id;on;n\nA1;01/02/2026;1,234\nA2;03/04/2026;2,345\nA3;05/06/2026;4,567\n";

  it("is asked, and the answer becomes the reading", () => {
    const open = proposed(text);
    expect(asked(open)).toEqual([
      ["dateOrder", "on"],
      ["decimalMark", "n"],
      ["key", undefined],
    ]);
    expect(open.profile.columns.map((one) => one.reading)).toEqual([{}, {}, {}]);
    expect(effectiveFeed(unknown(), { profile: open.profile, mapping: open.mapping }).kind).toBe("faulty");
    const said = proposed(text, [
      { what: "dateOrder", column: "on", answer: "MM/dd/yyyy" },
      { what: "decimalMark", column: "n", answer: "." },
    ]);
    expect(said.profile.columns.map((one) => one.reading)).toEqual([
      {},
      { format: "MM/dd/yyyy" },
      { decimalMark: ".", groupMark: "," },
    ]);
    expect(asked(said)).toEqual([["key", undefined]]);
    expect(effectiveFeed(unknown(), { profile: said.profile, mapping: said.mapping }).kind).toBe("feed");
  });

  it("is not asked of columns that the adapter reads otherwise or not at all", () => {
    const columns: Definition["columns"] = [
      { name: "id", source: { header: "id" }, type: "identifier" },
      { name: "day", source: { header: "on" }, type: "date", format: DETECT },
    ];
    const open = proposed(text, [], { columns, key: ["id"] });
    expect(asked(open)).toEqual([["dateOrder", "on"]]);
    expect(open.mapping).toBeUndefined();
    const decided = columns.map((c) => (c.type === "date" ? { ...c, format: "dd/MM/yyyy" } : c));
    expect(asked(proposed(text, [], { columns: decided, key: ["id"] }))).toEqual([]);
  });

  it("is asked of a column that the adapter leaves open and that is blank in the first file", () => {
    const columns: Definition["columns"] = [
      { name: "id", source: { position: 1 }, type: "identifier" },
      { name: "day", source: { header: "on" }, type: "date", format: DETECT },
      { name: "n", source: { header: "n" }, type: "decimal", decimalMark: DETECT },
    ];
    const blank = proposed("id;on;n\nA1;;1\nA2;;2\nA3;;3\n", [], { columns, key: ["id"] });
    expect(asked(blank)).toEqual([
      ["dateOrder", "on"],
      ["decimalMark", "n"],
    ]);
  });

  it("of a year of two digits is the century", () => {
    const years = "id;d\nA1;13.11.45\nA2;14.11.45\nA3;15.11.45\n";
    const open = proposed(years);
    expect(asked(open)).toContainEqual(["century", "d"]);
    expect(open.profile.columns[1]?.reading).toEqual({ format: "dd.MM.yy", century: 2000 });
    const said = proposed(years, [{ what: "century", column: "d", answer: "1900" }]);
    expect(said.profile.columns[1]?.reading.century).toBe(1900);
    expect(asked(said)).not.toContainEqual(["century", "d"]);
  });

  it("of letters behind numbers is which of them are negative", () => {
    const credit = "id;n\nA1;1.50CR\nA2;2.50DR\nA3;7.25DR\n";
    expect(asked(proposed(credit))).toContainEqual(["sign", "n"]);
    const said = proposed(credit, [{ what: "sign", column: "n", answer: "DR" }]);
    expect(column(said, "n")).toMatchObject({ sign: "letters", letters: { negative: ["DR"], positive: ["CR"] } });
  });

  it("of a type can be said to be text, or what most values are", () => {
    const mixed = `id;d\n${Array.from({ length: 20 }, (_, i) => `A${i};${i === 3 ? "unknown" : `${13 + (i % 9)}.11.2026`}`).join("\n")}\n`;
    expect(asked(proposed(mixed))).toContainEqual(["type", "d"]);
    const date = proposed(mixed, [{ what: "type", column: "d", answer: "date" }]);
    expect(column(date, "d")).toMatchObject({ type: "date", format: DETECT });
    expect(date.profile.columns[1]?.reading).toEqual({ format: "dd.MM.yyyy" });
    expect(column(proposed(mixed, [{ what: "type", column: "d", answer: "text" }]), "d")?.type).toBe("text");
  });

  it("of words for nothing is whether they are that", () => {
    const text = "id;n\nA1;5\nA2;n/a\nA3;7\nA4;n/a\n";
    const open = proposed(text);
    expect(asked(open)).toContainEqual(["null", "n"]);
    expect(column(open, "n")).toMatchObject({ type: "integer", nulls: ["n/a"] });
  });
});

describe("an adapter that says the format", () => {
  it("is proposed with it, and asked nothing about it", () => {
    const file = { charset: "windows-1252" as const, delimiter: ";", header: true };
    const { profile, questions } = proposed("a;b\nx;y\nz;w\n", [], { file });
    expect(profile.format).toMatchObject(file);
    expect(questions.filter((q) => q.column === undefined && q.what !== "key")).toEqual([]);
  });

  it("and the columns needs no answer at all: every demo feed", () => {
    for (const { feed, bytes } of demoFiles()) {
      const { questions, faults, mapping, profile } = proposeVersions(feed, foundInText(sampleOf(bytes)));
      expect({ feed: feed.feed, questions, faults, mapping }).toEqual({
        feed: feed.feed,
        questions: [],
        faults: [],
        mapping: undefined,
      });
      expect(profile.format).toEqual(feed.file);
    }
  });

  it("left out, is found as it is written by hand: every demo feed", () => {
    for (const { feed, bytes, of } of demoFiles()) {
      const { file: said, ...rest } = feed;
      const { profile, faults } = proposeVersions(rest, foundInText(sampleOf(bytes)));
      const { preamble, charset, quote, ...found } = profile.format;
      expect([of, faults]).toEqual([of, []]);
      expect({
        of,
        delimiter: found.delimiter,
        end: found.recordDelimiter,
        header: found.header,
        count: found.columnCount,
        lines: preamble.length,
      }).toEqual({
        of,
        delimiter: said.delimiter,
        end: said.recordDelimiter,
        header: said.header,
        count: said.columnCount,
        lines: said.preamble.length,
      });
      // ASCII alone is utf-8 too, and a file without a quotation mark has the usual one.
      expect([said.charset, "utf-8"]).toContain(charset);
      expect([said.quote, '"']).toContain(quote);
    }
  });
});

describe("names and keys", () => {
  it("are unique even where the header's are not, and such columns are read by their place", () => {
    const { mapping } = proposed("Nr;Betrag;Betrag;;日付\nA1;1,50;2,50;x;q\nA2;1,75;2,75;y;q\nA3;1,25;2,25;z;q\n");
    expect(mapping?.columns.map(({ name, source }) => [name, source])).toEqual([
      ["nr", { header: "Nr" }],
      ["betrag", { position: 2 }],
      ["betrag_2", { position: 3 }],
      ["column_4", { position: 4 }],
      ["column_5", { header: "日付" }],
    ]);
  });

  it("may be a pair where no column is enough", () => {
    const rows = Array.from({ length: 60 }, (_, i) => `${1_000 + Math.floor(i / 3)};${(i % 3) + 1};${i % 7}`).join(
      "\n",
    );
    expect(proposed(`Order;Line;Qty\n${rows}\n`).mapping?.key).toEqual(["order", "line"]);
  });

  it("are found in spite of a few faults in a long file, and asked for where rows repeat", () => {
    const rows = Array.from({ length: 400 }, (_, i) => (i === 7 ? ";x" : `A${i};x`)).join("\n");
    expect(proposed(`sku;t\n${rows}\n`).mapping?.key).toEqual(["sku"]);
    const repeating = proposed("a;b\nx;y\nx;y\nx;y\nx;y\n", [{ what: "header", answer: "header" }]);
    expect(repeating.questions.find((q) => q.what === "key")).toMatchObject({ assumed: null, options: ["a", "b"] });
  });
});

describe("what a format cannot say", () => {
  it("is told: a charset that feeds do not read, rows behind the table that begin like rows", () => {
    const bytes = Buffer.from([
      ...bytesOf("id;name\n"),
      ...Array.from({ length: 60 }, (_, i) => [...bytesOf(`${i};`), 0xa7, 0xda, 0xad, 0xcc, 0xa4, 0x40, 0x0a]).flat(),
    ]);
    const { faults } = proposed(new Uint8Array(bytes), [{ what: "header", answer: "header" }]);
    expect(faults[0]?.path).toEqual(["format", "charset"]);
  });

  it("of one column is nothing: its delimiter stands in no text", () => {
    const { profile, mapping } = proposed("Name\nMiller, John\nSmith, Jane\nBrown\n", [
      { what: "delimiter", answer: "none" },
    ]);
    expect(profile.format.delimiter).toBe("\u001f");
    expect(mapping?.columns).toHaveLength(1);
  });

  it("of fixed width is where columns begin", () => {
    const lines = Array.from({ length: 30 }, (_, i) => `A${100 + i}  ${String(i * 7).padStart(5)}  Bolt   `);
    const { profile } = proposed(`${lines.join("\n")}\n`);
    expect(profile.format).toMatchObject({
      kind: "fixed",
      header: false,
      columnCount: profile.format.columnStarts?.length,
    });
    expect(profile.format.columnStarts?.[0]).toBe(1);
  });
});

describe("a sheet", () => {
  const rows = [
    ["Stock of 13 November"],
    [],
    ["SKU", "Name", "Qty", "Counted"],
    ...Array.from({ length: 30 }, (_, i) => [`0${100 + i}`, `Bolt ${i}`, String(i), `2026-11-${14 + (i % 9)}`]),
    ["0999", "Nut"],
  ];

  it("is proposed from its rows, titles and short rows among them", () => {
    const { profile, mapping, faults } = proposeVersions(unknown(), foundInSheet(rows, { sheet: "Stock" }));
    expect(faults).toEqual([]);
    expect(profile.format).toMatchObject({ kind: "sheet", sheet: "Stock", header: true });
    expect(profile.format.preamble).toEqual([{ startsWith: "Stock of " }, { startsWith: "" }]);
    expect(mapping?.columns.map(({ name, type }) => [name, type])).toEqual([
      ["sku", "identifier"],
      ["name", "text"],
      ["qty", "integer"],
      ["counted", "date"],
    ]);
  });

  it("has no column to the right of its header", () => {
    const noted = rows.map((row, i) => (i === 10 ? [...row, "", "ask Zoë"] : row));
    expect(foundInSheet(noted).types.map((type) => type.name)).toEqual(["SKU", "Name", "Qty", "Counted"]);
  });

  it("of nothing is an empty file", () => {
    expect(() => foundInSheet([[], ["", " "]])).toThrow(/empty/);
  });
});

describe("JSON", () => {
  it("is proposed from its records, whose keys are the header", () => {
    const record = (i: number) =>
      new Map([["sku", `A-${i}`], ["price", `${i}.50`], ...(i === 2 ? [["note", null] as const] : [])]) as Map<
        string,
        string | null
      >;
    const { profile, mapping } = proposeVersions(
      unknown(),
      foundInJson([record(1), record(2), record(3)], { at: ["items"] }),
    );
    expect(profile.format).toMatchObject({ kind: "json", header: true, at: ["items"] });
    expect(profile.columns.map((one) => one.name)).toEqual(["sku", "price", "note"]);
    expect(mapping?.key).toEqual(["sku"]);
    expect(() => foundInJson([])).toThrow(/empty/);
  });
});
