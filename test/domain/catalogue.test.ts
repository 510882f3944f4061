import { describe, expect, it } from "vitest";
import { asFailure, FAILURES, failure, report, shown } from "../../src/domain/failures.ts";
import { readMessage } from "../../src/domain/messages.ts";

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

describe("a queue message", () => {
  const message = {
    v: 1,
    type: "parse-delivery",
    customer: "acme",
    feed: "inventory",
    correlationId: "0".repeat(32),
    rawKey: "raw/acme/2026/01/01/x.eml",
  };

  it("is read", () => {
    expect(readMessage(message)).toEqual(message);
  });

  it.each([
    ["of a version to come", { ...message, v: 2 }],
    ["of an unknown type", { ...message, type: "dance" }],
    ["without a correlation id", { ...message, correlationId: undefined }],
    ["with a customer that is no name", { ...message, customer: "../x" }],
    ["that is no object", "hello"],
    ["that is null", null],
  ])("%s is parked, not dropped", (_, body) => {
    expect(() => readMessage(body)).toThrow(
      expect.objectContaining({ code: "message-unreadable", disposition: "park" }),
    );
  });
});
