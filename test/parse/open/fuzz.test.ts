/** A short run of the fuzzer, the same each time. */
import { describe, expect, it } from "vitest";
import { runCase } from "../../fuzz/open.ts";

describe("damaged and hostile deliveries", () => {
  it("end in files and named problems, in bounded steps, with nothing left open", async () => {
    const total = { files: 0, problems: 0 };
    for (let number = 0; number < 300; number += 1) {
      const { files, problems } = await runCase(20_261_120, number);
      total.files += files;
      total.problems += problems;
    }
    expect(total.files).toBeGreaterThan(200);
    expect(total.problems).toBeGreaterThan(150);
  });

  it("give the same result again for the same seed and number", async () => {
    for (const number of [3, 17, 42]) expect(await runCase(7, number)).toEqual(await runCase(7, number));
  });
});
