/** What upkeep removes of drift, and what a report that is not at its end keeps. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CHUNK_DAYS, DRIFT_ROW_DAYS, HISTORY_DAYS } from "../../src/upkeep/retention.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { forceIn } from "../support/force-state.ts";
import { ago, DAY } from "../sweep/world.ts";
import { type UpkeepWorld, upkeepWorldOn } from "./world.ts";

let own: FreshDatabase;
let world: UpkeepWorld;
beforeEach(async () => {
  own = await freshDatabase();
  world = upkeepWorldOn(own.connectionString);
});
afterEach(() => own.drop());

const HELD = "file_id, run, customer_id, feed_id, snapshot_feed_id, order_key, as_of, limits, fields";

/** A report of a file, that many days old, with one row. */
async function report(file: string, state: string, days: number, run = 1): Promise<string> {
  const [row] = await forceIn<{ id: string }>(
    world.database,
    `WITH made AS (
       INSERT INTO drift_reports (${HELD}, state, created_at, compared_at, decided_at, decided_by, healed_at, seal, snapshot_rows,
         records, missing_here, missing_there, differs, drift)
       SELECT id, $2::int, customer_id, feed_id, feed_id, order_key, as_of, '{}', '{}', $3::text, $4::timestamptz,
         CASE WHEN $3::text <> 'open' THEN $4::timestamptz END, CASE WHEN $3::text IN ('released', 'rejected') THEN $4::timestamptz END,
         CASE WHEN $3::text IN ('released', 'rejected') THEN 'op' END, CASE WHEN $3::text = 'healed' THEN $4::timestamptz END,
         'hash', 1, 1, 0, 0, 1, 1
       FROM files WHERE id = $1::bigint RETURNING id)
     INSERT INTO drift_rows (report_id, n, kind, natural_key, fields, sentence)
       SELECT id, 1, 'differs', 'k', '[]', 's' FROM made RETURNING report_id::text AS id`,
    [file, run, state, ago(days * DAY).toISOString()],
  );
  return row!.id;
}

const left = async () => ({
  reports: (await world.database.query<{ id: string }>("SELECT id::text FROM drift_reports ORDER BY id")).map(
    ({ id }) => id,
  ),
  rows: (await world.database.query<{ id: string }>("SELECT report_id::text AS id FROM drift_rows ORDER BY 1")).map(
    ({ id }) => id,
  ),
});

describe("drift", () => {
  it("loses its rows after a quarter and its reports after the history, if it is at its end", async () => {
    const file = await world.oldFile("applied", 1);
    const young = await report(file, "healed", DRIFT_ROW_DAYS - 1, 1);
    const quarter = await report(file, "clean", DRIFT_ROW_DAYS + 1, 2);
    const old = await report(file, "rejected", HISTORY_DAYS + 1, 3);
    const waiting = await report(file, "waiting", 2 * HISTORY_DAYS, 4);
    const open = await report(file, "open", 2 * HISTORY_DAYS, 5);
    await world.upkeep();
    expect(await left()).toEqual({ reports: [young, quarter, waiting, open], rows: [young, waiting, open] });
    expect(old).not.toBe(open);
  });

  it("that waits or is being healed keeps the chunks it would be healed from; else they go, with what was to be retired", async () => {
    const files = new Map<string, string>();
    for (const state of ["waiting", "released", "healing", "open", "clean", "rejected"]) {
      const file = await world.oldFile("applied", CHUNK_DAYS + 1);
      files.set(state, file);
      await report(file, state, 1);
      await world.database.query(
        "INSERT INTO listed_retirements (file_id, n, natural_key, record_id, version) VALUES ($1, 1, 'k', 1, 1)",
        [file],
      );
    }
    await world.upkeep();
    const kept: string[] = [];
    for (const [state, file] of files) if ((await world.left(file)).chunks > 0) kept.push(state);
    expect(kept).toEqual(["waiting", "released", "healing", "open"]);
    const listed = await world.database.query<{ id: string }>(
      "SELECT file_id::text AS id FROM listed_retirements ORDER BY file_id",
    );
    expect(listed.map(({ id }) => id)).toEqual(kept.map((state) => files.get(state)));
  });
});
