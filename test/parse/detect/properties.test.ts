import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Failure } from "../../../src/domain/failures.ts";
import { detect } from "../../../src/parse/detect/detect.ts";
import type { Profile } from "../../../src/parse/detect/profile.ts";
import { TableReading } from "../../../src/parse/detect/read.ts";
import { SampleTaker } from "../../../src/parse/detect/sample.ts";
import { containerArbitrary, throughContainer } from "../containers.ts";
import { bytesOf, tableArbitrary, textOf, type WrittenTable } from "./tables.ts";

/** Cases of a run, the same each time; more and others with DETECT_CASES=100000 DETECT_SEED=7. */
const CASES = Number(process.env.DETECT_CASES ?? 6_000);
const SEED = Number(process.env.DETECT_SEED ?? 20_261_121);

interface Outcome {
  readonly kind: "exact" | "asked" | "refused";
  readonly detail: string;
}

/** Reads a written table back; throws where something else comes back and no question is open about it. */
async function readBack(table: WrittenTable, container: string): Promise<Outcome> {
  const payload = await throughContainer(container, "stock.csv", bytesOf(table));
  let profile: Profile;
  const read: string[][] = [];
  let header: readonly string[] | null = null;
  let misfits = 0;
  try {
    const taker = new SampleTaker();
    for await (const block of payload.open()) taker.add(block);
    profile = detect(taker.sample());
    const reading = new TableReading(profile);
    for await (const batch of reading.batches(payload.open())) {
      for (const row of batch) {
        if (row.kind === "header") header = row.cells;
        else read.push([...row.cells]);
      }
    }
    misfits = reading.misfits;
  } catch (thrown) {
    if (thrown instanceof Failure && thrown.disposition === "reject") return { kind: "refused", detail: thrown.code };
    throw thrown;
  }
  const same = JSON.stringify([header, read]) === JSON.stringify([table.header, table.rows]);
  if (same) return { kind: "exact", detail: "" };
  const questions = profile.undecided.map((question) => question.what).filter((what) => ABOUT_ROWS.has(what));
  if (questions.length > 0 || misfits > 0) return { kind: "asked", detail: `${questions} ${misfits}` };
  const found = JSON.stringify({ charset: profile.charset, dialect: profile.dialect, header, read: read.slice(0, 3) });
  throw new Error(
    `read otherwise, and nothing says so: ${found} for ${JSON.stringify(textOf(table)).slice(0, 600)} in ${table.charset}`,
  );
}

const ABOUT_ROWS = new Set(["charset", "delimiter", "quote", "header", "columns"]);

describe("a table written in any dialect and charset, in any container", () => {
  it("is read back exactly, or a question or a refusal says why not", async () => {
    const outcomes = { exact: 0, asked: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(tableArbitrary, containerArbitrary, async (table, container) => {
        outcomes[(await readBack(table, container)).kind]++;
      }),
      { numRuns: CASES, seed: SEED },
    );
    // Questions are for the few files that leave something open, not a way out.
    expect(outcomes.refused).toBeLessThan(0.02 * CASES);
    expect(outcomes.exact).toBeGreaterThan(0.75 * CASES);
  }, 600_000);
});
