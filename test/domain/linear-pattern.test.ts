/** Patterns in linear time: the same as JavaScript's where both can, and none that can stop a feed. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LinearPattern, PATTERN_MAX_CHARS, patternFault } from "../../src/domain/linear-pattern.ts";

/** Patterns over a small alphabet, so that texts often match. */
const patterns = fc.letrec<{ choice: string; sequence: string; item: string }>((tie) => ({
  choice: fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }).map((of) => of.join("|")),
  sequence: fc.array(tie("item"), { minLength: 1, maxLength: 3 }).map((of) => of.join("")),
  item: fc
    .tuple(
      fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        fc.constantFrom(
          "a",
          "b",
          ".",
          "[ab]",
          "[^a]",
          "\\d",
          "\\s",
          "\\W",
          "[\\d-b]".replace("\\d-", "0-9"),
          "é",
          "\\.",
        ),
        tie("choice").map((inside) => `(${inside})`),
        tie("choice").map((inside) => `(?:${inside})`),
      ),
      fc.constantFrom("", "", "", "?", "*", "+", "{2}", "{0,2}", "{1,}", "{0}"),
    )
    .map(([atom, repeat]) => atom + repeat),
})).choice;
const texts = fc.string({ unit: fc.constantFrom("a", "b", "1", " ", ".", "é", "\n", "😀"), maxLength: 6 });

/** What `replace` promises, said naively: every piece tried, from the left, the longest first (JavaScript takes minutes). */
function replaceNaively(source: string, text: string, replacement: string): string {
  const [toStart, toEnd] = [source.startsWith("^"), source.endsWith("$")];
  const whole = new LinearPattern(source);
  const characters = Array.from(text);
  let out = "";
  for (let at = 0; at < characters.length; ) {
    let end = characters.length;
    const fits = () =>
      (at === 0 || !toStart) &&
      (end === characters.length || !toEnd) &&
      whole.matches(characters.slice(at, end).join(""));
    while (end > at && !fits()) end--;
    out += end > at ? replacement : characters[at];
    at = Math.max(end, at + 1);
  }
  return out;
}

const few = (source: string) => patternFault(source) === undefined;

describe("patterns in linear time", () => {
  it("hold for the same whole texts as JavaScript's", () => {
    fc.assert(
      fc.property(patterns.filter(few), texts, (source, text) => {
        expect(new LinearPattern(source).matches(text)).toBe(new RegExp(`^(?:${source})$`, "u").test(text));
      }),
      { numRuns: 1_000 },
    );
    // JavaScript's own answer to a drawn pattern may take more than a minute: that is why ours is linear.
  }, 300_000);

  it("replace the leftmost and longest, bound to an end or not", () => {
    const bound = fc
      .tuple(fc.constantFrom("", "^"), patterns, fc.constantFrom("", "$"))
      .map(([start, source, end]) => `${start}(${source})${end}`);
    fc.assert(
      fc.property(bound.filter(few), texts, (source, text) => {
        expect(new LinearPattern(source).replace(text, "#")).toBe(replaceNaively(source, text, "#"));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["^0+", "000420", "", "420"],
    ["\\s+$", "x \t ", "", "x"],
    ["[^0-9]", "+49 (0)30-12", "", "4903012"],
    ["a{2,3}", "aaaaa", "-", "--"],
    ["\\u00a0|\\xA0", "1\u00a0000", "", "1000"],
    ["\\$", "$1$", "€", "€1€"],
    ["(AB|AC)\\d", "xAC7", "$1$&", "x$1$&"],
  ])("%s in %s", (source, text, replacement, expected) => {
    expect(new LinearPattern(source).replace(text, replacement)).toBe(expected);
  });

  it.each(["(a+)+b", "(a|a)*b", "(a|ab|abb)*c", "([ab]*)*c", "(a*a*a*a*a*a*)*b", "(.*)*x", "\\s+$", "[01]*1[01]{150}"])(
    "%s takes no more steps for a text it does not fit",
    (source) => {
      const pattern = new LinearPattern(source);
      const evil = `${"a".repeat(10_000)}!`;
      expect(pattern.matches(evil)).toBe(false);
      expect(pattern.replace(evil, "")).toBe(evil);
    },
  );

  it("no beginning is tried in vain: a million characters are one pass, not a million", () => {
    const text = "a".repeat(1_000_000);
    expect(new LinearPattern("a+b").replace(text, "")).toBe(text);
    expect(new LinearPattern("a+$").replace(`${text}b`, "")).toBe(`${text}b`);
  });

  it.each([
    ["(", "is not a regular expression"],
    ["(?=a)", "looks ahead or behind"],
    ["(?<!a)b", "looks ahead or behind"],
    ["(?<n>a)", "names a group"],
    ["(a)\\1", "uses \\1"],
    ["\\bx", "uses \\b"],
    ["\\p{L}", "uses \\p"],
    ["a+?", "lazy"],
    ["a^b", "has ^ elsewhere"],
    ["a$b", "has $ elsewhere"],
    ["^a|b", "put the choice into a group"],
    ["a{201}", "stands for more than 200 characters"],
    ["((a{9}){9}){9}", "stands for more than 200 characters"],
    [`${"(".repeat(30)}a${")".repeat(30)}`, "groups within groups"],
    ["a".repeat(PATTERN_MAX_CHARS + 1), "has more than 500 characters"],
    ["a{99999999999}", "stands for more"],
    ["(){99999999999}", "stands for more"],
    ["((a{0}){99999}){99999}", "stands for more"],
  ])("%s is refused, and why is said", (source, why) => {
    expect(patternFault(source)).toContain(why);
  });
});
