import { expect, it } from "vitest";
import { CONTENT } from "../../src/domain/failures/content.ts";
import { MACHINERY } from "../../src/domain/failures/machinery.ts";
import { OPENING } from "../../src/domain/failures/opening.ts";
import { ROWS } from "../../src/domain/failures/rows.ts";
import { FAILURES } from "../../src/domain/failures.ts";

// The parts are put together by name: of two entries with one code, the first would be lost without a word.
it("has each code in one part of the catalogue", () => {
  const codes = [OPENING, CONTENT, ROWS, MACHINERY].flatMap((part) => Object.keys(part));
  expect(codes.filter((code, n) => codes.indexOf(code) !== n)).toEqual([]);
  expect(Object.keys(FAILURES)).toEqual(codes);
});

it("keeps what is wrong with a row, and with us, each in a part of its own", () => {
  const scopes = (part: object) => new Set(Object.values(part).map(({ scope }: { scope: string }) => scope));
  expect(scopes(ROWS)).toEqual(new Set(["row"]));
  for (const part of [OPENING, CONTENT]) expect(scopes(part)).not.toContain("row");
  expect(scopes(MACHINERY)).not.toContain("row");
});
