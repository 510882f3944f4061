/** A file whose worker died is found by the sweep, and its message alone brings it to its end. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { faulty } from "../apply/faults.ts";
import { type World as ApplyWorld, rowsOf, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { type SweepWorld, sweepWorldOn } from "./world.ts";

let fresh: FreshDatabase;
let applying: ApplyWorld;
let sweeping: SweepWorld;
beforeAll(async () => {
  fresh = await freshDatabase();
  applying = worldOn(fresh.connectionString);
  sweeping = sweepWorldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

const ROWS = rowsOf([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);

it.each(["dies-before", "dies-after"] as const)(
  "wherever it died, also when all was applied and only closing it was missing (%s)",
  async (fault) => {
    const clean = await applying.feed();
    await applying.send(clean, 0, ROWS);
    const expected = await applying.state(clean);
    let closedLast = false;
    for (let at = 1, reached = true; reached; at++) {
      const feed = await applying.feed();
      const file = await applying.file(feed, 0, ROWS);
      const database = faulty(applying.database, at, fault);
      await applying.apply(file, applying.deps(database)).catch(() => undefined);
      reached = database.calls() >= at;
      const left = await sweeping.fileState(file.id);
      if (left?.state === "applied") continue;
      const [booked] = await applying.database.query<{ rows: number }>(
        "SELECT coalesce(sum(inserted), 0)::int AS rows FROM ledger WHERE file_id = $1",
        [file.id],
      );
      closedLast ||= booked?.rows === ROWS.length;
      await applying.expireLease(feed);

      const late = new Date(Date.now() + 3_600_000);
      const sent: string[] = [];
      await sweeping.sweep(late, {
        token: randomUUID,
        enqueueApply: async (message) => {
          sent.push(message.fileId);
          await applying.apply({ ...file, message });
        },
      });
      expect(sent, `statement ${at}`).toEqual([file.id]);
      expect(await applying.state(feed), `statement ${at}`).toEqual(expected);
    }
    expect(closedLast, "one of them had nothing left to do but to close the file").toBe(true);
  },
);
