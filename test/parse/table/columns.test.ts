import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type Column, columnSchema } from "../../../src/domain/adapter.ts";
import { report } from "../../../src/domain/failures.ts";
import { CellFault, trimCell } from "../../../src/parse/table/cell.ts";
import { type CellResult, compileColumn } from "../../../src/parse/table/columns.ts";

type Input =
  z.input<typeof columnSchema> extends infer C ? (C extends unknown ? Omit<C, "name" | "source"> : never) : never;

const column = (input: Input): Column => columnSchema.parse({ name: "field", source: { header: "Field" }, ...input });

const parserOf = (input: Input, context: { isKey?: boolean; fiscalYearStart?: string } = {}) =>
  compileColumn(column(input), { label: "Field", isKey: false, ...context });

/** The value as it would stand in the record, or the code of the fault. */
function stored(input: Input, raw: string, context = {}): unknown {
  const { parse, quoted } = parserOf(input, context);
  return jsonValue(parse(raw), quoted);
}

const jsonValue = (result: CellResult, quoted: boolean): unknown => {
  if (result instanceof CellFault) return { fault: result.code };
  return result == null ? result : (JSON.parse(quoted ? `"${result}"` : result) as unknown);
};

const fault = (code: string) => ({ fault: code });

describe("blanks", () => {
  it.each(["", " ", "\t ", "\ufeff", " \ufeff\t"])("make %j null, or a fault where a value must be", (raw) => {
    for (const type of ["text", "identifier", "integer", "decimal"] as const) {
      expect(stored({ type }, raw)).toBeNull();
      expect(stored({ type, blank: "reject" }, raw)).toEqual(fault("value-missing"));
      expect(stored({ type }, raw, { isKey: true })).toEqual(fault("value-missing"));
    }
  });

  it("are removed at both ends: blanks, tabs and byte order marks, nothing else", () => {
    expect(stored({ type: "text" }, " \t\ufeffa b\ufeffc \t")).toBe("a b\ufeffc");
    expect(trimCell("\u00a0a\n")).toBe("\u00a0a\n");
    expect(stored({ type: "decimal" }, "  12.5\t")).toBe("12.5");
  });

  it("are kept where the column says so; then only the empty cell is blank", () => {
    expect(stored({ type: "text", trim: false }, " a ")).toBe(" a ");
    expect(stored({ type: "text", trim: false }, " ")).toBe(" ");
    expect(stored({ type: "text", trim: false }, "")).toBeNull();
    expect(stored({ type: "integer", trim: false }, " 1")).toEqual(fault("not-an-integer"));
  });
});

describe("text", () => {
  it("keeps what JSON must escape", () => {
    expect(stored({ type: "text" }, 'say "hi" \\ 3/4" €𝄞\u2028')).toBe('say "hi" \\ 3/4" €𝄞\u2028');
  });

  it("keeps tabs and line breaks inside, as LF", () => {
    expect(stored({ type: "text" }, "a\tb\nc\r\nd\re")).toBe("a\tb\nc\nd\ne");
  });

  it.each(["a\u0007b", "a\u001eb", "a\u000bb", "a\u007fb", "a\u0085b", "a\ud800b", "a\udc00"])("refuses %j", (raw) => {
    expect(stored({ type: "text" }, raw)).toEqual(fault("control-characters"));
    expect(stored({ type: "identifier" }, raw)).toEqual(fault("control-characters"));
  });

  it("counts characters, not UTF-16 units", () => {
    expect(stored({ type: "text", maxLength: 3 }, "𝄞𝄞𝄞")).toBe("𝄞𝄞𝄞");
    const result = parserOf({ type: "text", maxLength: 3 }).parse("𝄞𝄞𝄞a");
    expect(result).toMatchObject({ code: "text-too-long", evidence: { column: "Field", length: 4, limit: 3 } });
  });
});

describe("identifiers", () => {
  it("are kept to the letter", () => {
    expect(stored({ type: "identifier" }, "0012.50")).toBe("0012.50");
    expect(stored({ type: "identifier" }, "1E5")).toBe("1E5");
  });

  it("refuse tabs and line breaks", () => {
    expect(stored({ type: "identifier" }, "a\tb")).toEqual(fault("control-characters"));
    expect(stored({ type: "identifier" }, "a\nb")).toEqual(fault("control-characters"));
  });

  it("must match their pattern as a whole", () => {
    expect(stored({ type: "identifier", pattern: "[0-9]{3}" }, "123")).toBe("123");
    expect(stored({ type: "identifier", pattern: "[0-9]{3}" }, "1234")).toEqual(fault("wrong-pattern"));
    expect(stored({ type: "identifier", pattern: "a|b" }, "xb")).toEqual(fault("wrong-pattern"));
    expect(stored({ type: "identifier", maxLength: 2 }, "123")).toEqual(fault("text-too-long"));
  });
});

describe("integers", () => {
  it.each([
    ["0", 0],
    ["-0", 0],
    ["+7", 7],
    ["007", 7],
    ["-007", -7],
    ["000", 0],
    ["9007199254740991", 9007199254740991],
    ["-9007199254740991", -9007199254740991],
    ["00009007199254740991", 9007199254740991],
  ])("reads %s", (raw, value) => {
    expect(stored({ type: "integer" }, raw)).toBe(value);
    expect(parserOf({ type: "integer" }).parse(raw)).toBe(String(value));
  });

  it.each(["1.0", "1,000", "1 000", "1e3", "0x10", "--1", "-", "+", "１", "1-", "Infinity", "12O"])(
    "refuses %s",
    (raw) => {
      expect(stored({ type: "integer" }, raw)).toEqual(fault("not-an-integer"));
    },
  );

  it("refuses what a JSON reader would get wrong, and what is outside its range", () => {
    expect(stored({ type: "integer" }, "9007199254740992")).toEqual(fault("too-many-digits"));
    expect(stored({ type: "integer" }, "9007199254740993")).toEqual(fault("too-many-digits"));
    expect(stored({ type: "integer" }, "9".repeat(400))).toEqual(fault("too-many-digits"));
    expect(stored({ type: "integer", min: 1 }, "0")).toEqual(fault("out-of-range"));
    expect(stored({ type: "integer", min: 1, max: 5 }, "6")).toEqual(fault("out-of-range"));
    expect(stored({ type: "integer", min: 1, max: 5 }, "5")).toBe(5);
  });
});

describe("decimals", () => {
  it.each([
    ["0", "0"],
    ["-0.00", "0"],
    ["+1.50", "1.5"],
    ["12.50", "12.5"],
    ["12.00", "12"],
    ["007.1", "7.1"],
    [".5", "0.5"],
    ["-.50", "-0.5"],
    ["100", "100"],
    ["999999999999.999999", "999999999999.999999"],
    ["0.1000000000", "0.1"],
  ])("reads %s as %s", (raw, text) => {
    expect(stored({ type: "decimal" }, raw)).toBe(text);
  });

  it.each(["1,5", "5.", ".", "-", "1.2.3", "1e3", "1 000", "12,5O", "12-", "NaN", "1.-5", "١"])("refuses %s", (raw) => {
    expect(stored({ type: "decimal" }, raw)).toEqual(fault("not-a-decimal"));
  });

  it("never goes through a float", () => {
    expect(stored({ type: "decimal", precision: 38, scale: 18 }, "12345678901234567890.123456789012345678")).toBe(
      "12345678901234567890.123456789012345678",
    );
  });

  it("refuses more digits than its numeric(precision, scale) holds, zeros that say nothing aside", () => {
    expect(stored({ type: "decimal", precision: 5, scale: 2 }, "999.99")).toBe("999.99");
    expect(stored({ type: "decimal", precision: 5, scale: 2 }, "1000")).toEqual(fault("too-many-digits"));
    expect(stored({ type: "decimal", precision: 5, scale: 2 }, "1.999")).toEqual(fault("too-many-digits"));
    expect(stored({ type: "decimal", precision: 5, scale: 2 }, "000123.4500")).toBe("123.45");
  });

  it("takes group marks at their places or not at all", () => {
    const german = { type: "decimal", decimalMark: ",", groupMark: "." } as const;
    expect(stored(german, "1.234.567,50")).toBe("1234567.5");
    expect(stored(german, "1234567,5")).toBe("1234567.5");
    expect(stored(german, "-1.234")).toBe("-1234");
    for (const raw of [
      "1.23",
      "12.3456",
      "1234.567",
      ".123",
      "1..234",
      "1.234.",
      "1.2345,0",
      "1.234.56",
      "1,234.5",
      "1.234,",
    ]) {
      expect(stored(german, raw)).toEqual(fault("not-a-decimal"));
    }
    const swiss = { type: "decimal", groupMark: "'" } as const;
    expect(stored(swiss, "1'234'567.05")).toBe("1234567.05");
  });

  it("takes a blank as group mark in all three widths", () => {
    const french = { type: "decimal", decimalMark: ",", groupMark: " " } as const;
    for (const raw of ["1 234,5", "1\u00a0234,5", "1\u202f234,5"]) expect(stored(french, raw)).toBe("1234.5");
    expect(stored({ type: "decimal" }, "1\u00a0234")).toEqual(fault("not-a-decimal"));
  });
});

describe("dates", () => {
  it.each([
    ["yyyy-MM-dd", "2026-02-28", "2026-02-28"],
    ["yyyyMMdd", "20240229", "2024-02-29"],
    ["dd.MM.yyyy", "31.12.1999", "1999-12-31"],
    ["d.M.yyyy", "1.2.2026", "2026-02-01"],
    ["d.M.yyyy", "01.12.2026", "2026-12-01"],
    ["M/d/yyyy", "12/1/2026", "2026-12-01"],
    ["yyyy-MM-dd", "0001-01-01", "0001-01-01"],
  ])("%s reads %s", (format, raw, iso) => {
    expect(stored({ type: "date", format }, raw)).toBe(iso);
  });

  it("adds the century to two digits of a year", () => {
    expect(stored({ type: "date", format: "ddMMyy", century: 2000 }, "290224")).toBe("2024-02-29");
    expect(stored({ type: "date", format: "ddMMyy", century: 1900 }, "290200")).toEqual(fault("not-a-date"));
  });

  it.each([
    ["dd.MM.yyyy", "31.02.2026"],
    ["dd.MM.yyyy", "29.02.2025"],
    ["dd.MM.yyyy", "29.02.1900"],
    ["dd.MM.yyyy", "31.04.2026"],
    ["dd.MM.yyyy", "00.01.2026"],
    ["dd.MM.yyyy", "01.13.2026"],
    ["dd.MM.yyyy", "01.00.2026"],
    ["dd.MM.yyyy", "1.1.2026"],
    ["dd.MM.yyyy", "01.01.26"],
    ["dd.MM.yyyy", "01-01-2026"],
    ["dd.MM.yyyy", "01.01.20266"],
    ["yyyyMMdd", "00000000"],
    ["yyyyMMdd", "2026010"],
    ["yyyy-MM-dd", "2026-01-01T00:00"],
    ["d.M.yyyy", "001.1.2026"],
    ["yyyy-MM-dd", "0000-01-01"],
    ["dd.MM.yyyy", "0١.01.2026"],
  ])("%s refuses %s", (format, raw) => {
    expect(stored({ type: "date", format }, raw)).toEqual(fault("not-a-date"));
  });

  it("takes 29 February 2000, for the year is divisible by 400", () => {
    expect(stored({ type: "date", format: "yyyyMMdd" }, "20000229")).toBe("2000-02-29");
  });
});

describe("days of a fiscal year", () => {
  const inYear = (start: string, raw: string) =>
    stored({ type: "date", format: "ddMM", fiscalYearStart: { preamble: 1, field: 1 } }, raw, {
      fiscalYearStart: start,
    });

  it("lie in the twelve months that begin with it", () => {
    expect(inYear("2018-01-01", "2102")).toBe("2018-02-21");
    expect(inYear("2018-01-01", "102")).toBe("2018-02-01");
    expect(inYear("2018-04-01", "0104")).toBe("2018-04-01");
    expect(inYear("2018-04-01", "3103")).toBe("2019-03-31");
    expect(inYear("2018-04-15", "1404")).toBe("2019-04-14");
  });

  it("take 29 February only where the year that follows has one", () => {
    expect(inYear("2019-04-01", "2902")).toBe("2020-02-29");
    expect(inYear("2018-04-01", "2902")).toEqual(fault("not-a-date"));
    expect(inYear("2020-04-01", "2902")).toEqual(fault("not-a-date"));
  });

  it.each(["", "12", "0", "3113", "3102", "0001", "12.1", "21022"])("refuse %j", (raw) => {
    if (raw !== "") expect(inYear("2018-01-01", raw)).toEqual(fault("not-a-date"));
  });
});

describe("datetimes", () => {
  it.each([
    ["yyyy-MM-dd HH:mm:ss", "2026-02-28 23:59:59", "2026-02-28T23:59:59"],
    ["yyyyMMddHHmm", "202602281405", "2026-02-28T14:05:00"],
    ["yyyy-MM-dd HH:mm:ss.SSS", "2014-09-12 11:15:07.497", "2014-09-12T11:15:07.497"],
    ["yyyy-MM-dd HH:mm:ss.SSS", "2014-09-12 11:15:07.000", "2014-09-12T11:15:07"],
    ["yyyy-MM-dd HH:mm:ss.SSS000000", "2014-09-12 11:15:07.497000000", "2014-09-12T11:15:07.497"],
    ["yyyy-MM-dd HH:mm:ss[.f]", "2014-09-12 11:15:07", "2014-09-12T11:15:07"],
    ["yyyy-MM-dd HH:mm:ss[.f]", "2014-09-12 11:15:07.497000000", "2014-09-12T11:15:07.497"],
    ["yyyy-MM-dd HH:mm:ss[.f]", "2014-09-12 11:15:07.000000001", "2014-09-12T11:15:07.000000001"],
    ["yyyy-MM-ddTHH:mm:ss", "2014-09-12T11:15:07", "2014-09-12T11:15:07"],
  ])("%s reads %s", (format, raw, iso) => {
    expect(stored({ type: "datetime", format }, raw)).toBe(iso);
  });

  it("put the ERP's offset behind", () => {
    expect(stored({ type: "datetime", format: "yyyyMMddHHmmss", offset: "+01:00" }, "20260228140500")).toBe(
      "2026-02-28T14:05:00+01:00",
    );
  });

  it.each([
    "2026-02-28 24:00:00",
    "2026-02-28 23:60:00",
    "2026-02-28 23:59:60",
    "2026-02-30 00:00:00",
    "2026-02-28",
    "2026-02-28 23:59:59.",
    "2026-02-28 23:59:59.1234567890",
  ])("refuse %s", (raw) => {
    expect(stored({ type: "datetime", format: "yyyy-MM-dd HH:mm:ss[.f]" }, raw)).toEqual(fault("not-a-date"));
  });
});

describe("lists", () => {
  const values = { ST: "piece", "": "none", Q: 'a "b"' };

  it("map what is written to what is stored", () => {
    expect(stored({ type: "enum", values }, " ST ")).toBe("piece");
    expect(stored({ type: "enum", values }, "Q")).toBe('a "b"');
    expect(stored({ type: "enum", values }, "st")).toEqual(fault("not-in-list"));
    expect(stored({ type: "enum", values: { A: "" } }, "A")).toBe("");
    expect(stored({ type: "enum", values }, "constructor")).toEqual(fault("not-in-list"));
  });

  it("decide what a blank is, where they list it", () => {
    expect(stored({ type: "enum", values, blank: "reject" }, "  ")).toBe("none");
    expect(stored({ type: "enum", values: { A: "a" } }, "")).toBeNull();
    expect(stored({ type: "boolean", yes: ["X"], no: [""] }, " ")).toBe(false);
    expect(stored({ type: "boolean", yes: ["X"], no: ["-"] }, "")).toBeNull();
  });

  it("make booleans JSON literals", () => {
    expect(stored({ type: "boolean", yes: ["ja", "1"], no: ["nein", "0"] }, "1")).toBe(true);
    expect(stored({ type: "boolean", yes: ["ja"], no: ["nein"] }, "nein")).toBe(false);
    expect(stored({ type: "boolean", yes: ["ja"], no: ["nein"] }, "JA")).toEqual(fault("not-in-list"));
  });
});

// ── the oracle ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** The same column said in zod: written for clearness, regular expressions and Date instead of loops. */
function oracle(input: Column): z.ZodType<unknown, string> {
  const text = z.string().transform((raw) => (input.trim ? raw.replace(/^[ \t\ufeff]+|[ \t\ufeff]+$/g, "") : raw));
  const value = (schema: z.ZodType<unknown, string>) =>
    text.pipe(
      z.union([
        input.blank === "reject" ? z.never() : z.literal("").transform(() => null),
        z.string().min(1).pipe(schema),
      ]),
    );
  const digits = (n: number) => `\\d{${n}}`;
  switch (input.type) {
    case "text":
      return value(
        z
          .string()
          .refine((s) => s.isWellFormed() && !/\p{Cc}/u.test(s.replace(/[\t\r\n]/g, "")))
          .transform((s) => s.replace(/\r\n/g, "\n").replace(/\r/g, "\n"))
          .refine((s) => [...s].length <= input.maxLength),
      );
    case "identifier":
      return value(
        z.string().refine((s) => s.isWellFormed() && !/\p{Cc}/u.test(s) && [...s].length <= input.maxLength),
      );
    case "integer":
      return value(
        z
          .string()
          .regex(/^[+-]?\d+$/)
          .transform((s) => BigInt(s.replace("+", "")))
          .refine(
            (n) =>
              n >= BigInt(input.min ?? Number.MIN_SAFE_INTEGER) && n <= BigInt(input.max ?? Number.MAX_SAFE_INTEGER),
          )
          .transform(Number),
      );
    case "decimal": {
      const mark = input.decimalMark === "." ? "\\." : ",";
      const group =
        input.groupMark === undefined
          ? undefined
          : input.groupMark === " "
            ? "[ \\u00a0\\u202f]"
            : `\\${input.groupMark}`;
      const whole = group === undefined ? "\\d*" : `(?:\\d{1,3}(?:${group}\\d{3})+|\\d*)`;
      return value(
        z
          .string()
          .regex(new RegExp(`^[+-]?(?=[\\d${input.decimalMark}])${whole}(?:${mark}\\d+)?$`))
          .transform((s) => {
            const [before = "", after = ""] = s.replace(/^[+-]/, "").split(input.decimalMark);
            const plainWhole = before.replace(/\D/g, "").replace(/^0+/, "");
            const fraction = after.replace(/0+$/, "");
            return { negative: s.startsWith("-"), plainWhole, fraction };
          })
          .refine(
            ({ plainWhole, fraction }) =>
              plainWhole.length <= input.precision - input.scale && fraction.length <= input.scale,
          )
          .transform(({ negative, plainWhole, fraction }) => {
            const unsigned = (plainWhole || "0") + (fraction === "" ? "" : `.${fraction}`);
            return negative && unsigned !== "0" ? `-${unsigned}` : unsigned;
          }),
      );
    }
    case "date": {
      const order = input.format.match(/yyyy|MM|dd|d|M/g) ?? [];
      const source = input.format.replace(/yyyy|MM|dd|d|M|[.]/g, (t) =>
        t === "." ? "\\." : t.length === 1 ? "(\\d{1,2})" : `(${digits(t.length)})`,
      );
      return value(
        z
          .string()
          .regex(new RegExp(`^${source}$`))
          .transform((s) => {
            const groups = new RegExp(`^${source}$`).exec(s)!.slice(1);
            const part = (token: string) => groups[order.findIndex((t) => t[0] === token)]!.padStart(2, "0");
            return `${part("y")}-${part("M")}-${part("d")}`;
          })
          .refine((iso) => {
            const date = new Date(`${iso}T00:00:00Z`);
            return !iso.startsWith("0000") && !Number.isNaN(date.getTime()) && date.toISOString().startsWith(iso);
          }),
      );
    }
    default:
      throw new Error(`no oracle for ${input.type}`);
  }
}

describe("the compiled parsers and zod agree", () => {
  const columns: Input[] = [
    { type: "text", maxLength: 5, mojibake: "allow" },
    { type: "text", trim: false, blank: "reject", mojibake: "allow" },
    { type: "identifier", maxLength: 4 },
    { type: "integer" },
    { type: "integer", min: -5, max: 20, blank: "reject" },
    { type: "decimal" },
    { type: "decimal", decimalMark: ",", groupMark: ".", precision: 6, scale: 2 },
    { type: "decimal", groupMark: " ", precision: 9, scale: 3 },
    { type: "decimal", groupMark: "'", trim: false },
    { type: "date", format: "yyyy-MM-dd" },
    { type: "date", format: "dd.MM.yyyy" },
    { type: "date", format: "d.M.yyyy" },
    { type: "date", format: "yyyyMMdd" },
  ];
  const piece = fc.constantFrom(
    "0",
    "1",
    "9",
    "12",
    "00",
    "-",
    "+",
    ".",
    ",",
    " ",
    "'",
    "\u00a0",
    "\t",
    "\ufeff",
    "e",
    "a",
    '"',
    "\\",
    "\r",
    "\n",
    "\u0001",
    "\u0085",
    "𝄞",
    "\ud800",
    "2024",
    "02",
    "29",
    "30",
  );
  const number = fc
    .tuple(
      fc.constantFrom("", "-", "+"),
      fc.nat({ max: 99_999_999 }),
      fc.constantFrom(".", ",", ""),
      fc.stringMatching(/^\d{0,4}$/),
    )
    .map((parts) => parts.join(""));
  const grouped = fc
    .tuple(fc.nat({ max: 1_999_999 }), fc.constantFrom(".", " ", "'"), fc.constantFrom(".5", ",50", ""))
    .map(([n, mark, end]) => n.toString().replace(/\B(?=(\d{3})+$)/g, mark) + end);
  const date = fc
    .tuple(
      fc.constantFrom(1, 9, 1900, 2000, 2023, 2024),
      fc.nat({ max: 14 }),
      fc.nat({ max: 32 }),
      fc.constantFrom("yyyy-MM-dd", "dd.MM.yyyy", "d.M.yyyy", "yyyyMMdd"),
    )
    .map(([y, m, d, format]) =>
      format
        .replace("yyyy", String(y).padStart(4, "0"))
        .replace("MM", String(m).padStart(2, "0"))
        .replace("M", String(m))
        .replace("dd", String(d).padStart(2, "0"))
        .replace("d", String(d)),
    );
  const cell = fc.oneof(
    fc.array(piece, { maxLength: 7 }).map((parts) => parts.join("")),
    number,
    grouped,
    date,
    fc.string(),
  );

  it.each(columns.map((input) => [JSON.stringify(input), input] as const))("on %s", (_name, input) => {
    const checked = column(input);
    const zod = oracle(checked);
    const { parse, quoted } = compileColumn(checked, { label: "Field", isKey: false });
    let accepted = 0;
    fc.assert(
      fc.property(cell, (raw) => {
        const ours = parse(raw);
        const theirs = zod.safeParse(raw);
        if (!(ours instanceof CellFault)) accepted++;
        expect(ours instanceof CellFault ? "refused" : jsonValue(ours, quoted)).toEqual(
          theirs.success ? theirs.data : "refused",
        );
      }),
      { numRuns: 3_000 },
    );
    expect(accepted).toBeGreaterThan(20);
  });
});

it("writes a sentence for every fault, with what was found cut to size", () => {
  const long = "x".repeat(100_000);
  const faults = [
    parserOf({ type: "integer" }).parse(long),
    parserOf({ type: "decimal" }).parse(long),
    parserOf({ type: "date", format: "yyyyMMdd" }).parse(long),
    parserOf({ type: "enum", values: { A: "a" } }).parse(long),
    parserOf({ type: "identifier", pattern: "a", maxLength: 200_000 }).parse(long),
    parserOf({ type: "text" }).parse(long),
    parserOf({ type: "text" }).parse(`\u0001${long}`),
    parserOf({ type: "integer", max: 5 }).parse("6"),
    parserOf({ type: "text", blank: "reject" }).parse(""),
  ];
  for (const found of faults) {
    expect(found).toBeInstanceOf(CellFault);
    const { code, evidence } = found as CellFault;
    expect(report(code, evidence).sentence).toContain("“Field”");
    expect(JSON.stringify(evidence).length).toBeLessThan(2_000);
  }
});
