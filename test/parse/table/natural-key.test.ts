import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KEY_MAX_BYTES, KEY_MAX_CHARS, keyFault, keyPart, keyParts } from "../../../src/parse/table/natural-key.ts";

describe("natural keys", () => {
  it("give their parts back, whatever is in them, so no two keys are the same text", () => {
    const part = fc.string({ unit: fc.constantFrom("a", "|", "\\", "ü"), maxLength: 8 });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        expect(keyParts(parts.map(keyPart).join("|"))).toEqual(parts);
      }),
    );
  });

  it("are as written where nothing is to escape", () => {
    expect(["0012", "A-7"].map(keyPart).join("|")).toBe("0012|A-7");
    expect(["a|b", "c\\"].map(keyPart).join("|")).toBe("a\\|b|c\\\\");
  });

  it("are refused with control characters", () => {
    expect(keyFault("a\nb", "Id")).toMatchObject({ code: "control-characters" });
    expect(keyFault("a\u001eb", "Id")).toMatchObject({ code: "control-characters" });
  });

  it("are refused when an index row could not hold them", () => {
    expect(keyFault("x".repeat(KEY_MAX_CHARS), "Id")).toBeUndefined();
    expect(keyFault("x".repeat(KEY_MAX_CHARS + 1), "Id")).toMatchObject({ code: "key-too-long" });
    expect(keyFault("ü".repeat(KEY_MAX_BYTES / 2), "Id")).toBeUndefined();
    expect(keyFault("€".repeat(667), "Id")).toMatchObject({
      code: "key-too-long",
      evidence: { chars: 667, bytes: 2_001 },
    });
    expect(keyFault("€".repeat(666), "Id")).toBeUndefined();
  });
});
