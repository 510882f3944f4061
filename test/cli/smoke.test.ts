/** `mailfeed smoke`: the whole system once, by the command that proves it. */
import { expect, it } from "vitest";
import { generateSamples } from "../../cli/samples/generate.ts";
import { emptyDatabase } from "../support/database.ts";
import { jsonOf, mailfeed } from "./run.ts";

/** It mails the samples in their full size, twice. */
const TIMEOUT_MS = 180_000;

interface Landed {
  readonly customer: string;
  readonly feed: string;
  readonly state: string;
  readonly rows: number;
  readonly inserted: number;
  readonly unchanged: number;
  readonly balanced: boolean;
  readonly seconds: number;
}

it(
  "lands every sample, then nothing new, and says so in JSON",
  async () => {
    const database = await emptyDatabase();
    try {
      const ran = await mailfeed("smoke", "--json", "--database", database.directUrl);
      expect([ran.code, ran.stderr]).toEqual([0, ""]);
      const [answer] = jsonOf<{ files: Landed[]; again: Landed[]; versions: number; events: number; ok: boolean }>(ran);
      expect(answer).toMatchObject({ versions: 0, events: 0, ok: true });
      const samples = generateSamples();
      const numbers = (landed: readonly Landed[]) =>
        landed.map(({ customer, feed, state, rows, inserted, unchanged, balanced }) => [
          `${customer}/${feed}`,
          state,
          rows,
          inserted,
          unchanged,
          balanced,
        ]);
      const name = ({ customer, feed }: { customer: string; feed: string }) => `${customer}/${feed}`;
      expect(numbers(answer!.files)).toEqual(
        samples.map((s) => [name(s), "applied", s.rows + s.rejects, s.rows, 0, true]),
      );
      expect(numbers(answer!.again)).toEqual(
        samples.toReversed().map((s) => [name(s), "duplicate", s.rows + s.rejects, 0, 0, true]),
      );
      for (const { seconds } of [...answer!.files, ...answer!.again]) expect(seconds).toBeGreaterThan(0);
    } finally {
      await database.drop();
    }
  },
  TIMEOUT_MS,
);
