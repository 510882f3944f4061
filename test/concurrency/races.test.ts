/** docs/races.md against the code: what it names is there, and what it promises to list is listed. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

interface Race {
  readonly number: number;
  readonly title: string;
  readonly wonBy: readonly (readonly [path: string, identifier: string])[];
  readonly shownBy: readonly (readonly [path: string, title: string])[];
}

const races: Race[] = read("docs/races.md")
  .split(/^### /m)
  .slice(1)
  .map((text) => {
    const [, number = "", title = ""] = /^(\d+)\. (.*)$/m.exec(text) ?? [];
    const lines = (begin: string) => text.split("\n").filter((line) => line.startsWith(begin));
    return {
      number: Number(number),
      title,
      wonBy: lines("- Won by:").flatMap((line) =>
        [...line.matchAll(/`([^`]+)` `([^`]+)`/g)].map(([, path = "", identifier = ""]) => [path, identifier] as const),
      ),
      shownBy: lines("- Shown by:").flatMap((line) =>
        [...line.matchAll(/`([^`]+)` “([^”]+)”/g)].map(([, path = "", said = ""]) => [path, said] as const),
      ),
    };
  });

/** The titles of the tests of a file, as they stand in its text. */
const titles = (path: string): string[] =>
  [...read(path).matchAll(/\(\s*(["'`])((?:\\.|(?!\1)[^\\])*)\1,\s*(?:\{[^}]*\},\s*)?(?:async )?\(/g)].map(
    ([, , title = ""]) => title.replaceAll("\\", ""),
  );

describe("docs/races.md", () => {
  it("numbers its races without a gap, and says of each who wins it and where that is seen", () => {
    expect(races.map(({ number }) => number)).toEqual(races.map((_, i) => i + 1));
    for (const { number, title, wonBy, shownBy } of races) {
      expect([title !== "", wonBy.length > 0, shownBy.length > 0], `race ${number}`).toEqual([true, true, true]);
    }
    expect(races.length).toBeGreaterThanOrEqual(22);
  });

  it.each(races.map((race) => [race.number, race.title, race] as const))(
    "%i, %s: the code and the tests that it names are there",
    (_number, _title, { wonBy, shownBy }) => {
      for (const [path, identifier] of wonBy) {
        expect(existsSync(join(ROOT, path)), path).toBe(true);
        expect(read(path), path).toMatch(new RegExp(`\\b${identifier}\\b`));
      }
      for (const [path, title] of shownBy) {
        expect(existsSync(join(ROOT, path)), path).toBe(true);
        expect(titles(path), path).toContain(title);
      }
    },
  );
});
