/** A short run of the fuzzer of tables, the same each time; `npm run fuzz` goes on for as long as it is told to. */
import { describe, expect, it } from "vitest";
import { runTableCase } from "./tables.ts";

describe("damaged and hostile tables", () => {
  it("end in rows or refusals, the same for blocks of any size, with balanced books", async () => {
    const total = { files: 0, problems: 0 };
    for (let number = 0; number < 400; number += 1) {
      const { files, problems } = await runTableCase(20_261_121, number);
      total.files += files;
      total.problems += problems;
    }
    expect(total.files).toBeGreaterThan(200);
    expect(total.problems).toBeGreaterThan(200);
  });

  it("give the same result again for the same seed and number", async () => {
    for (const number of [3, 17, 42]) expect(await runTableCase(7, number)).toEqual(await runTableCase(7, number));
  });
});
