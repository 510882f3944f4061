/** Values that came damaged are refused with what happened to them; values that only look odd are not. */
import { describe, expect, it } from "vitest";
import { mayBeMojibake, mojibakeIn } from "../../../src/parse/table/mojibake.ts";
import { corporaPresent, corpusBytes, corpusTruth } from "../../support/corpora.ts";
import { type ColumnInput, fault, stored, told } from "./column-cases.ts";

const identifier = (change: object = {}): ColumnInput => ({ type: "identifier", ...change });

describe("identifiers that a spreadsheet changed", () => {
  it.each(["4.00638E+12", "4,00638E+12", "1E+05", "1e+05", "-1.5E-07", "9.99E+100"])("%s lost digits", (raw) => {
    expect(stored(identifier(), raw)).toEqual(fault("scientific-notation"));
    expect(stored(identifier({ spreadsheet: "allow" }), raw)).toBe(raw);
  });

  it.each(["Mar-05", "05-Mar", "5-Mar", "Mrz 05", "05. Mrz", "05. Mär", "Dez 99", "Mai-12"])("%s is a date", (raw) => {
    expect(stored(identifier(), raw)).toEqual(fault("spreadsheet-date"));
    expect(stored(identifier({ spreadsheet: "allow" }), raw)).toBe(raw);
  });

  it.each([
    "1E5",
    "12E04",
    "E+12",
    "4.00638E12",
    "MAR-05",
    "Foo-05",
    "Mar-5",
    "Mar-2005",
    "AB-12",
    "X-ABC",
    "05.03",
    "05.03.2024",
    "2024-03-05",
    "00123",
    "4006381333931",
    "Typ E-12",
    "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}",
  ])("%s may be one", (raw) => {
    expect(stored(identifier(), raw)).toBe(raw);
  });

  it.each(["05.03.2024", "5.3.2024", "3/15/2024", "2024-03-05", "05.03.2024 00:00:00"])(
    "%s is a date where it is strict",
    (raw) => {
      expect(stored(identifier({ spreadsheet: "strict" }), raw)).toEqual(fault("spreadsheet-date"));
    },
  );

  it.each(["32.13.2024", "05.03.1824", "12.345.6789", "10.20.3000"])("%s is none even then", (raw) => {
    expect(stored(identifier({ spreadsheet: "strict" }), raw)).toBe(raw);
  });

  it("are wanted where they fit the pattern, and told apart where they do not", () => {
    expect(stored(identifier({ pattern: "[A-Z][a-z]{2}-\\d\\d" }), "Mar-05")).toBe("Mar-05");
    expect(stored(identifier({ pattern: "\\d{13}" }), "4.00638E+12")).toEqual(fault("scientific-notation"));
    expect(stored(identifier({ pattern: "\\d{13}" }), "x")).toEqual(fault("wrong-pattern"));
  });
});

describe("leading zeros", () => {
  it("are missed where the length is fixed", () => {
    const sku = identifier({ length: 8 });
    expect(stored(sku, "00012345")).toBe("00012345");
    expect(stored(sku, "12345")).toEqual(fault("leading-zeros-lost"));
    expect(stored(sku, "A2345")).toEqual(fault("wrong-pattern"));
    expect(stored(sku, "000123456")).toEqual(fault("wrong-pattern"));
    expect(stored(identifier({ length: 2 }), "𝄞𝄞")).toBe("𝄞𝄞");
    expect(told(sku, "12345").sentence).toBe(
      "“12345” in column “Field” has 5 digits instead of 8: its leading zeros are probably lost.",
    );
  });

  it("are missed in a date of digits, where its first part can have one", () => {
    expect(stored({ type: "date", format: "ddMMyyyy" }, "1022026")).toEqual(fault("leading-zeros-lost"));
    expect(stored({ type: "date", format: "yyyyMMdd" }, "2026021")).toEqual(fault("not-a-date"));
  });
});

describe("GTINs", () => {
  const gtin = identifier({ checkDigit: "gtin" });

  it.each(["96385074", "036000291452", "4006381333931", "10614141000415", "00012345600012"])("%s is one", (raw) => {
    expect(stored(gtin, raw)).toBe(raw);
  });

  it("have a check digit that says if a digit is wrong", () => {
    for (let digit = 0; digit <= 9; digit++) {
      const raw = `400638133393${digit}`;
      expect(stored(gtin, raw)).toEqual(digit === 1 ? raw : fault("wrong-check-digit"));
    }
    expect(stored(gtin, "4006381339331")).toEqual(fault("wrong-check-digit"));
    expect(told(gtin, "4006381333932").sentence).toBe(
      "“4006381333932” in column “Field” is not a GTIN-13: its last digit, the check digit, would have to be 1.",
    );
  });

  it("have 8, 12, 13 or 14 digits; fewer have lost their zeros if the check digit says so", () => {
    expect(stored(gtin, "36000291452")).toEqual(fault("leading-zeros-lost"));
    expect(stored(gtin, "36000291453")).toEqual(fault("wrong-pattern"));
    expect(stored(gtin, "123456789012345")).toEqual(fault("wrong-pattern"));
    expect(stored(gtin, "400638133393X")).toEqual(fault("wrong-pattern"));
    expect(stored(gtin, "4.00638E+12")).toEqual(fault("scientific-notation"));
  });
});

describe("dates that a spreadsheet counts", () => {
  it("are told with the day that they would be", () => {
    const date: ColumnInput = { type: "date", format: "dd.MM.yyyy" };
    expect(told(date, "45231").sentence).toBe(
      "“45231” in column “Field” is how a spreadsheet counts the days (it would be 2023-11-01), not a date written as dd.MM.yyyy, such as 31.12.2026.",
    );
    expect(stored({ type: "datetime", format: "dd.MM.yyyy HH:mm" }, "45231,75")).toEqual(fault("date-serial-number"));
    for (const raw of ["12345", "99999", "4523", "452310"]) expect(stored(date, raw)).toEqual(fault("not-a-date"));
    expect(stored({ type: "date", format: "ddMMyy", century: 2000 }, "51223")).toEqual(fault("leading-zeros-lost"));
  });
});

it("a pattern may be said in words, for those who read why a value was refused", () => {
  expect(told(identifier({ pattern: "\\d{8}", rule: "eight digits" }), "x").sentence).toBe(
    "“x” in column “Field” does not look as agreed: eight digits.",
  );
});

// ── mojibake ───────────────────────────────────────────────────────────────────────────────────────────────────────

const found = (text: string) => (mayBeMojibake(text) ? mojibakeIn(text) : undefined);
const misread = (text: string, charset: string) => new TextDecoder(charset).decode(new TextEncoder().encode(text));

/** Words of the languages that our customers write, all letters beyond ASCII among them. */
const NORMAL = [
  "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich – „Übergröße“ … Öl, Ärger",
  "GRÖSSE, STRAẞE, MÜLLER & SÖHNE; „Ä“, „ß“, Spaß…, weiß®",
  "Portez ce vieux whisky au juge blond qui fume : « Été, où, naïf, garçon, œuvre, ÂGE, ÎLE, À\u00a0propos, É\u00a0» L’Haÿ",
  "Zażółć gęślą jaźń; ZAŻÓŁĆ GĘŚLĄ JAŹŃ „Łódź” – są",
  "Pijamalı hasta yağız şoföre çabucak güvendi; IĞDIR, İSTANBUL, ŞİŞLİ, Âşık, kâr",
  "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία «Αθήνα» ΆΈΉΊΌΎΏ ϊΐ",
  "SÃO PAULO, IRMÃ, “IRMÔ, MAÇÃ…, AVIÕES, não, ações, À, Ê, PERÒ",
  "Flygande bäckasiner söka hwila på mjuka tuvor; BLÅ”, Å, 10 Å–20 Å, 5 Å±1, ØL, ÆBLE, ÞÓRÐUR, GOTT ORÐ”",
  "”MÄÄRÄ” HELSINKIÄ… Žluťoučký kůň úpěl ďábelské ódy; PÄŤ, DEVÄŤ, DĹŽKA, VĹČA",
  "BĂŞICĂ, CASĂ”, România, ÎNTÂLNIRE, âîă; Árvíztűrő tükörfúrógép ÁRVÍZTŰRŐ",
  "¿Qué tal? ¡Señor Ñandú! ESPAÑA®, pingüino, L’ÀPAT·",
  "Съешь ещё этих мягких французских булок, РОССИЯ, СЪЁМКА, Київ, їжак",
  "Ja? Nein! Wirklich???? Lieferzeit ??? ¿? (?) 5?6 A? B ?x http://x.de/a?b=c siehe a.b/c?d x@y?z",
  "5 °C, 20 µm, 3 m², £5, ½″, 100 €, §5, ©®™, 中文字符, 日本語テキスト, 😀, ├── Baum",
];

describe("texts from a wrong character set", () => {
  it("are not found in what people write", () => {
    for (const text of NORMAL) {
      expect([text, found(text)]).toEqual([text, undefined]);
      for (const word of text.split(/[\s,;]+/)) expect([word, found(word)]).toEqual([word, undefined]);
    }
  });

  it.each(["windows-1252", "windows-1250", "windows-1254"])("are found when UTF-8 was read as %s", (charset) => {
    const words =
      "Müller Österreich Straße Größe KÖLN Łódź Ząb są Şahin Erdoğan naïve garçon Žižek 5 °C São – “x” 12 €";
    for (const word of words.split(" ").filter((w) => /[^\0-\x7f]/.test(w))) {
      const damaged = misread(word, charset);
      expect([damaged, found(damaged)]).toEqual([damaged, expect.objectContaining({ found: expect.any(String) })]);
    }
    for (const text of ["Ελλάδα", "Привет"]) {
      if (charset !== "windows-1250") expect(found(misread(text, charset))).toBeDefined();
    }
  });

  it.each([
    "M\ufffdller",
    "ü\ufffd",
    "ö├Â",
    "M?ller",
    "Stra?e",
    "STRA?E",
    "Stra??e",
    "?????",
    "????? ????",
    "Hr. M?ller GmbH",
    "M├╝ller",
    "ï»¿Id",
  ])("are found in %s", (text) => {
    expect(found(text)).toBeDefined();
    expect(stored({ type: "text" }, text)).toEqual(fault("mojibake"));
    expect(stored({ type: "text", mojibake: "allow" }, text)).toBe(text);
  });

  it("are shown with what they probably were", () => {
    expect(told({ type: "text" }, "MÃ¼ller").sentence).toBe(
      "The text “MÃ¼ller” in column “Field” holds “Ã¼”, left behind by a wrong character set (it was probably “Müller”).",
    );
    expect(told({ type: "text" }, "M?ller").sentence).toBe(
      "The text “M?ller” in column “Field” holds “?”, left behind by a wrong character set.",
    );
  });

  it.runIf(corporaPresent)("are not found in the places of real files, and in all that are misread", () => {
    const [pair] = corpusTruth<{ legacy: string; utf8: string; rows_with_non_ascii: number }>("charset_pairs");
    const cellsOf = (file: string, charset: string) =>
      new TextDecoder(charset)
        .decode(corpusBytes(file))
        .split(/\r?\n/)
        .map((line) => line.split("\t").slice(1, 6));
    const damaged = (rows: string[][]) => rows.filter((cells) => cells.some((cell) => found(cell) !== undefined));
    expect(damaged(cellsOf(pair!.legacy, "windows-1252"))).toEqual([]);
    expect(damaged(cellsOf(pair!.utf8, "utf-8"))).toEqual([]);
    expect(damaged(cellsOf(pair!.utf8, "windows-1252"))).toHaveLength(pair!.rows_with_non_ascii);
  });
});
