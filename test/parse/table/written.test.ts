/** How business programs write numbers and dates beyond digits and marks. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mappingFaults } from "../../../src/domain/column.ts";
import { monthOf } from "../../../src/parse/table/months.ts";
import { type ColumnInput, columnOf, fault, stored, told } from "./column-cases.ts";

const decimal = (change: object): ColumnInput => ({ type: "decimal", decimalMark: ",", groupMark: ".", ...change });
const faultsOf = (change: ColumnInput) => mappingFaults([columnOf(change)], [], undefined).map((f) => f.message);

describe("a sign", () => {
  it.each([
    ["trailing", "1.234,50-", "-1234.5"],
    ["trailing", "12,50+", "12.5"],
    ["trailing", "12,50 -", "-12.5"],
    ["trailing", "12,50", "12.5"],
    ["trailing", "0,00-", "0"],
    ["parentheses", "(12,50)", "-12.5"],
    ["parentheses", "( 12,50 )", "-12.5"],
    ["parentheses", "12,50", "12.5"],
    ["leading", "-12,50", "-12.5"],
    ["leading", "- 12,50", "-12.5"],
    ["leading", "\u221212,50", "-12.5"],
  ])("%s: %s is %s", (sign, raw, text) => {
    expect(stored(decimal({ sign }), raw)).toBe(text);
  });

  it.each([
    ["trailing", "-12,50"],
    ["trailing", "12,50--"],
    ["trailing", "-"],
    ["trailing", "-12,50-"],
    ["parentheses", "(12,50"],
    ["parentheses", "12,50)"],
    ["parentheses", "-12,50"],
    ["parentheses", "(-12,50)"],
    ["parentheses", "()"],
    ["parentheses", "((1))"],
    ["leading", "12,50-"],
    ["leading", "--1"],
    ["leading", "(12,50)"],
  ])("%s: %s is refused", (sign, raw) => {
    expect(stored(decimal({ sign }), raw)).toEqual(fault("not-a-decimal"));
  });

  it("stands before, unless something is said", () => {
    expect(stored(decimal({}), "12,50-")).toEqual(fault("not-a-decimal"));
    expect(stored(decimal({}), "\u22121")).toBe("-1");
    expect(stored({ type: "integer" }, "\u2212007")).toBe(-7);
    expect(stored({ type: "integer" }, "7\u2212")).toEqual(fault("not-an-integer"));
  });

  it("may be of letters, and is needed where both sides have some", () => {
    const bank = decimal({ sign: "letters", letters: { negative: ["CR"] } });
    expect(stored(bank, "12,50 CR")).toBe("-12.5");
    expect(stored(bank, "12,50CR")).toBe("-12.5");
    expect(stored(bank, "12,50")).toBe("12.5");
    expect(stored(bank, "-12,50")).toBe("-12.5");
    expect(stored(bank, "-12,50 CR")).toEqual(fault("not-a-decimal"));
    expect(stored(bank, "12,50 DR")).toEqual(fault("not-a-decimal"));
    const ledger = decimal({ sign: "letters", letters: { negative: ["H", "CH"], positive: ["S"] } });
    expect(stored(ledger, "12,50 S")).toBe("12.5");
    expect(stored(ledger, "12,50 CH")).toBe("-12.5");
    expect(stored(ledger, "12,50")).toEqual(fault("not-a-decimal"));
    expect(stored(ledger, "-12,50")).toEqual(fault("not-a-decimal"));
    expect(stored(ledger, "0,00")).toBe("0");
    expect(stored(ledger, "H")).toEqual(fault("not-a-decimal"));
  });

  it("holds for whole numbers too", () => {
    expect(stored({ type: "integer", sign: "trailing" }, "007-")).toBe(-7);
    expect(stored({ type: "integer", sign: "trailing", min: 0 }, "7-")).toEqual(fault("out-of-range"));
    expect(told({ type: "integer", sign: "trailing" }, "-7").hint).toBe("Write it as 1234 or 1234-.");
  });
});

describe("a unit", () => {
  it.each([
    ["€", "12,50 €", "12.5"],
    ["€", "€12,50", "12.5"],
    ["€", "-€ 12,50", "-12.5"],
    ["€", "€ -12,50", "-12.5"],
    ["€", "-12,50\u00a0€", "-12.5"],
    ["€", "12,50", "12.5"],
    ["%", "19%", "19"],
    ["USD", "USD 1.234,5", "1234.5"],
  ])("%s: %s is %s", (unit, raw, text) => {
    expect(stored(decimal({ unit }), raw)).toBe(text);
  });

  it.each(["12,50 $", "€ 12,50 €", "€", "12 € 50", "€€ 1", "12,50 eur"])("€: %s is refused", (raw) => {
    expect(stored(decimal({ unit: "€" }), raw)).toEqual(fault("not-a-decimal"));
  });

  it("stands inside of the sign or outside", () => {
    for (const raw of ["(12,50 €)", "(12,50) €", "€ (12,50)", "(€12,50)"]) {
      expect(stored(decimal({ unit: "€", sign: "parentheses" }), raw)).toBe("-12.5");
    }
    const letters = decimal({ unit: "USD", sign: "letters", letters: { negative: ["CR"] } });
    for (const raw of ["12,50 USD CR", "12,50 CR USD", "USD 12,50 CR"]) expect(stored(letters, raw)).toBe("-12.5");
    expect(told(letters, "x").hint).toBe("Write it as 1.234,56 USD CR.");
  });
});

it("whatever sign and unit say, the number is the one between them", () => {
  const parts = fc.record({
    digits: fc
      .tuple(fc.nat({ max: 999_999 }), fc.nat({ max: 99 }))
      .map(([a, b]) => [`${a},${b}`, `${a}.${b}`] as const),
    negative: fc.boolean(),
    unit: fc.constantFrom("", "€", "kg"),
    gap: fc.constantFrom("", " ", "\u00a0"),
    before: fc.boolean(),
    sign: fc.constantFrom("leading", "trailing", "parentheses", "letters"),
  });
  fc.assert(
    fc.property(parts, ({ digits, negative, unit, gap, before, sign }) => {
      const [raw, plain] = digits;
      const withUnit = unit === "" ? raw : before ? unit + gap + raw : raw + gap + unit;
      const written = {
        leading: negative ? `-${withUnit}` : withUnit,
        trailing: negative ? `${withUnit}-` : withUnit,
        parentheses: negative ? `(${withUnit})` : withUnit,
        letters: withUnit + gap + (negative ? "CR" : "DR"),
      }[sign];
      const input = decimal({
        sign,
        ...(unit === "" ? {} : { unit }),
        ...(sign === "letters" ? { letters: { negative: ["CR"], positive: ["DR"] } } : {}),
      });
      expect(stored(input, written)).toBe(stored({ type: "decimal" }, negative ? `-${plain}` : plain));
    }),
    { numRuns: 1_000 },
  );
});

describe("what a column cannot say of its numbers", () => {
  it.each([
    [decimal({ sign: "letters" }), "letters go with"],
    [decimal({ letters: { negative: ["CR"] } }), "letters go with"],
    [decimal({ sign: "letters", letters: { negative: ["X"], positive: ["X"] } }), "twice"],
    [decimal({ unit: "-" }), "neither begin nor end"],
    [decimal({ unit: "m2 1" }), "neither begin nor end"],
  ])("%j", (input, message) => {
    expect(faultsOf(input).join()).toContain(message);
  });

  it("is nothing else", () => {
    expect(
      faultsOf(decimal({ sign: "letters", unit: "USD", letters: { negative: ["CR"], positive: ["DR"] } })),
    ).toEqual([]);
  });
});

describe("dates with words", () => {
  it.each([
    ["dd-MMM-yyyy", "05-MAR-2026", "2026-03-05"],
    ["dd. MMM yyyy", "05. März 2026", "2026-03-05"],
    ["d. MMMM yyyy", "5. Dezember 2026", "2026-12-05"],
    ["d MMM yyyy", "5 Mrz 2026", "2026-03-05"],
    ["MMM d, yyyy", "May 5, 2026", "2026-05-05"],
    ["d MMM yyyy", "5 août 2026", "2026-08-05"],
    ["yyyy'T'MM'.'dd", "2026T03.05", "2026-03-05"],
  ])("%s reads %s", (format, raw, iso) => {
    expect(stored({ type: "date", format }, raw)).toBe(iso);
  });

  it.each([
    ["d MMM yyyy", "31 Feb 2026"],
    ["d MMM yyyy", "5 Foo 2026"],
    ["d MMM yyyy", "5 Ma 2026"],
    ["d MMM yyyy", "5 Jui 2026"],
    ["d MMM yyyy", "5 03 2026"],
    ["d MMM yyyy", "5 Mar2026"],
  ])("%s refuses %s", (format, raw) => {
    expect(stored({ type: "date", format }, raw)).toEqual(fault("not-a-date"));
  });

  it("know every month whole and by three letters, in English and German, and mistake none", () => {
    for (const locale of ["en", "de", "fr", "it", "es", "nl", "pt"]) {
      for (let month = 1; month <= 12; month++) {
        const date = new Date(Date.UTC(2026, month - 1, 15));
        const name = (width: "long" | "short") =>
          new Intl.DateTimeFormat(locale, { month: width, timeZone: "UTC" }).format(date).replace(".", "");
        expect([name("long"), monthOf(name("long"))]).toEqual([name("long"), month]);
        expect([name("short"), monthOf(name("short"))]).toEqual([name("short"), month]);
        expect(monthOf(name("long").toUpperCase())).toBe(month);
      }
    }
  });
});

describe("clocks", () => {
  it.each([
    ["H:mm", "7:05", "07:05:00"],
    ["H:mm", "17:05", "17:05:00"],
    ["hh:mm a", "07:05 PM", "19:05:00"],
    ["h:mm a", "7:05 am", "07:05:00"],
    ["h:mm a", "12:05 AM", "00:05:00"],
    ["h:mm a", "12:05 p.m.", "12:05:00"],
    ["h:mm a", "0:05 AM", "00:05:00"],
    ["HH:mm:sszzz", "07:05:09Z", "07:05:09Z"],
    ["HH:mm:ss zzz", "07:05:09 UTC", "07:05:09Z"],
    ["HH:mm:sszzz", "07:05:09+01:00", "07:05:09+01:00"],
    ["HH:mm:ssZ", "07:05:09-0330", "07:05:09-03:30"],
    ["HH:mm:sszzz", "07:05:09+00", "07:05:09Z"],
  ])("%s reads %s", (clock, raw, time) => {
    expect(stored({ type: "datetime", format: `yyyy-MM-dd'T'${clock}` }, `2026-03-05T${raw}`)).toBe(
      `2026-03-05T${time}`,
    );
  });

  it.each([
    ["h:mm a", "13:05 PM"],
    ["h:mm a", "0:05 PM"],
    ["h:mm a", "7:05"],
    ["h:mm a", "7:05 XM"],
    ["H:mm", "24:00"],
    ["HH:mm", "7:05"],
    ["HH:mmzzz", "07:05"],
    ["HH:mmzzz", "07:05+16:00"],
    ["HH:mmzzz", "07:05+01:60"],
    ["HH:mmzzz", "07:05 CET"],
  ])("%s refuses %s", (clock, raw) => {
    const format = `yyyy-MM-dd ${clock}`;
    expect(stored({ type: "datetime", format }, `2026-03-05 ${raw}`)).toEqual(fault("not-a-date"));
  });

  it.each([
    ["yyyy-MM-dd h:mm", "exactly one a"],
    ["yyyy-MM-dd HH:mm a", "a goes with"],
    ["yyyy-MM-dd H:HH", "exactly one HH"],
    ["yyyy-MM-dd HH:mmzzzZ", "exactly one zzz or Z"],
    ["yyyy-MM-dd'T HH:mm", "apostrophe"],
    ["yyyy-MMM-MM HH:mm", "exactly one MMM, MM or M"],
  ])("cannot be written %s", (format, message) => {
    expect(faultsOf({ type: "datetime", format }).join()).toContain(message);
  });

  it("have their zone from the cell or from the adapter, not from both", () => {
    expect(faultsOf({ type: "datetime", format: "yyyy-MM-dd HH:mmzzz", offset: "Z" }).join()).toContain(
      "offset is said",
    );
  });
});
