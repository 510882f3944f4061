import { describe, expect, it } from "vitest";
import { asFailure, FAILURES, failure, report, shown } from "../../src/domain/failures.ts";

describe("the failure catalogue", () => {
  it("gives what is unforeseen the code internal-error, to be parked, with the cause kept", () => {
    const cause = new TypeError("x is undefined");
    const failed = asFailure(cause);
    expect([failed.code, failed.disposition, failed.cause]).toEqual(["internal-error", "park", cause]);
  });

  it("leaves a failure as it is", () => {
    const failed = failure("file-empty", {});
    expect(asFailure(failed)).toBe(failed);
  });

  it("puts the evidence into the sentence", () => {
    const made = report("not-a-date", { column: "Datum", value: "31.02.2026", expected: "dd.MM.yyyy" });
    expect(made.sentence).toBe("“31.02.2026” in column “Datum” is not a date written as dd.MM.yyyy.");
  });

  it("has a customer act only on what a customer can put right", () => {
    for (const [code, entry] of Object.entries(FAILURES)) {
      if (entry.actor === "customer") expect(["reject", "hold"], code).toContain(entry.disposition);
      if (entry.disposition === "retry" || entry.disposition === "park") expect(entry.actor, code).not.toBe("customer");
    }
  });

  it("shows hostile values on one line, cut, with what is invisible made visible", () => {
    expect(shown("a\r\nb\u0000\u202ec")).toBe("“a\\u000d\\u000ab\\u0000\\u202ec”");
    expect(shown("x".repeat(1_000)).length).toBeLessThan(70);
  });
});
