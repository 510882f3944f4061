import { describe, expect, it } from "vitest";
import { codeIn, ROOT } from "./copy.ts";
import { MUTATIONS } from "./list.ts";
import { edited, mutated } from "./mutation.ts";
import { verdictOf } from "./verdict.ts";

const code = codeIn(ROOT);

describe("the mutations", () => {
  it.each(MUTATIONS.map((mutation) => [mutation.name, mutation] as const))(
    "%s applies to the code of today",
    (_, mutation) => {
      expect(mutation.edits.length).toBeGreaterThan(0);
      for (const [file, text] of mutated(mutation, code)) expect(text).not.toBe(code.read(file));
    },
  );

  it("are at least 18, have names of their own and say what they break in one sentence", () => {
    const names = MUTATIONS.map(({ name }) => name);
    expect(names.length).toBeGreaterThanOrEqual(18);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, breaks } of MUTATIONS) {
      expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(breaks).toMatch(/^[A-Z].*\.$/);
    }
  });
});

describe("an edit", () => {
  const edit = { file: "a.ts", find: "x = 1", replace: "x = 2" };

  it("replaces the text, with nothing in it read as a pattern", () => {
    expect(edited("let x = 1;", { ...edit, replace: "x = $&" })).toBe("let x = $&;");
  });

  it("is refused where the code has moved on", () => {
    expect(() => edited("let y = 1;", edit)).toThrow(/a\.ts: this text occurs 0 times/);
  });

  it("is refused where it could mean two places", () => {
    expect(() => edited("x = 1; x = 1;", edit)).toThrow(/occurs 2 times/);
  });

  it("is refused where it changes nothing", () => {
    expect(() => edited("x = 1", { ...edit, replace: edit.find })).toThrow(/changes nothing/);
  });
});

describe("a function that a later migration writes anew", () => {
  const texts = new Map([
    ["migrations/1.sql", "CREATE FUNCTION a() AS 'x';\n--> statement-breakpoint\nCREATE FUNCTION b() AS 'y';"],
    ["migrations/2.sql", "CREATE OR REPLACE FUNCTION a() AS 'x';"],
  ]);
  const of = (file: string, find: string) =>
    mutated(
      { name: "m", breaks: "It.", edits: [{ file, find, replace: "z" }] },
      { read: (name) => texts.get(name)!, migrations: [...texts.keys()] },
    );

  it("is not edited where it is not in force: nothing would be broken", () => {
    expect(() => of("migrations/1.sql", "'x'")).toThrow("migrations/2.sql writes this function anew");
  });

  it("is edited in its last version, and its neighbours where they stand", () => {
    expect(of("migrations/2.sql", "'x'").get("migrations/2.sql")).toContain("AS z");
    expect(of("migrations/1.sql", "'y'").get("migrations/1.sql")).toContain("AS z");
  });
});

describe("a mutation is caught", () => {
  const violation = { rule: "older never wins", expected: "a file behind 3", found: "file 2" };
  const runs = [{ seed: "1" }, { seed: "2", violation }];

  it("where a promise of the model was broken: seed, run and sentence are told", () => {
    expect(verdictOf({ runs, crash: undefined })).toEqual({
      caught: true,
      words: "caught by seed 2 in run 2: “older never wins”, expected a file behind 3, found file 2",
    });
  });

  it("not where nothing was broken", () => {
    expect(verdictOf({ runs: [{ seed: "1" }], crash: undefined })).toEqual({ caught: false, words: "SURVIVED 1 runs" });
  });

  it("not by code that does not run: that would be seen without a simulator", () => {
    const crash = "ended by code 1\nSyntaxError: Unexpected token";
    expect(verdictOf({ runs, crash })).toEqual({ caught: false, words: `DOES NOT RUN: ${crash}` });
    const nonsense = "error ReferenceError: rows is not defined";
    const crashed = [{ seed: "1", violation, nonsense }];
    expect(verdictOf({ runs: crashed, crash: undefined })).toEqual({
      caught: false,
      words: `IS NONSENSE: ${nonsense}`,
    });
  });
});
