import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { outcomeOf } from "../conformance/payload.ts";
import { containerArbitrary, throughContainer } from "./containers.ts";
import { type Written, writtenArbitrary } from "./written.ts";

/** Cases of a run, the same each time; more and others with READ_CASES=100000 READ_SEED=7. */
const CASES = Number(process.env.READ_CASES ?? 5_000);
const SEED = Number(process.env.READ_SEED ?? 20_261_121);

async function readBack({ feed, name, bytes, rows }: Written, container: string): Promise<void> {
  const { parsed, refusal, main, rejects } = await outcomeOf(feed, await throughContainer(container, name, bytes));
  expect(refusal?.sentence).toBeUndefined();
  expect(rejects).toEqual([]);
  const columns = rows[0]!.map((_, i) => `c${i}`);
  const records = main.map((one) => JSON.parse(one.json) as Record<string, string | null>);
  expect(records.map((record) => columns.map((column) => record[column]))).toEqual(rows);
  expect(parsed?.rows).toBe(rows.length);
}

describe("a table of a format that is known, in any container", () => {
  it("becomes the records that were written, whatever stands in its cells", async () => {
    await fc.assert(fc.asyncProperty(writtenArbitrary, containerArbitrary, readBack), { numRuns: CASES, seed: SEED });
  }, 600_000);
});
