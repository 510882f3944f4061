/** The rows of parse when several workers write them at once. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asFailure, report } from "../../src/domain/failures.ts";
import type { NewVersion, Refusal } from "../../src/parse/deps.ts";
import { parseTables } from "../../src/parse/tables.ts";
import { postgres } from "../../src/platform/postgres.ts";
import { seedDelivery, seedFeed, seedFile } from "../api/seed.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";

let database: FreshDatabase;
let tables: ReturnType<typeof parseTables>;
beforeAll(async () => {
  database = await freshDatabase();
  tables = parseTables(postgres(database.connectionString));
});
afterAll(() => database.drop());

const PARSING = {
  state: "parsing",
  lines: null,
  header_lines: null,
  preamble_lines: null,
  footer_lines: null,
  blank_lines: null,
  continuation_lines: null,
  accepted: null,
  rejected: null,
  inserted: null,
  changed: null,
  unchanged: null,
  stale: null,
  superseded: null,
};
/** No version of the feed was active when these files were read. */
const JUDGED = { adapterVersion: "v1", active: "" };
const profile = (note: number): NewVersion => ({ kind: "profile", base: "nothing", data: { note } });
const asking = (note: number): Refusal => ({
  failure: report("format-unconfirmed", { questions: 0 }),
  proposals: [profile(note)],
  message: { recipient: "operator", subject: `first file ${note}`, text: "text", html: "html" },
});

/** As the queue does it: what may pass is tried again. */
async function persistently(write: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await write();
      return;
    } catch (thrown) {
      if (asFailure(thrown).disposition !== "retry") throw thrown;
    }
  }
}

describe("files of one feed that come at the same time", () => {
  it("ask one question in one mail, whichever was first, and each is held", async () => {
    const feed = await seedFeed(database, "gamma", "prices");
    const delivery = await seedDelivery(database, feed, { state: "parsing" });
    const ids = await Promise.all(
      [0, 1, 2, 3, 4].map((position) => seedFile(database, feed, delivery, { position, ...PARSING })),
    );
    await Promise.all(ids.map((id, i) => persistently(() => tables.refuseFile(id, asking(i), JUDGED))));
    await persistently(() => tables.refuseFile(ids[0]!, asking(9), JUDGED));
    const held = await database.sql`SELECT DISTINCT state FROM files WHERE feed_id = ${feed.feedId}`;
    const asked = await database.sql`SELECT version, state FROM feed_versions WHERE feed_id = ${feed.feedId}`;
    expect([held, asked]).toEqual([[{ state: "held" }], [{ version: 1, state: "proposed" }]]);
    const mails =
      await database.sql`SELECT n.file_id = v.file_id AS same FROM notifications n JOIN feed_versions v USING (feed_id)`;
    expect(mails).toEqual([{ same: true }]);
    expect(await tables.versions({ customer: "gamma", feed: "prices" })).toMatchObject({ active: [], asked: true });
  });

  it("pin what the adapter's folder says once; what detection had asked is settled by it", async () => {
    const feed = await seedFeed(database, "delta", "prices");
    const delivery = await seedDelivery(database, feed, { state: "parsing" });
    const ids = await Promise.all(
      [0, 1, 2, 3].map((position) => seedFile(database, feed, delivery, { position, ...PARSING })),
    );
    await tables.refuseFile(ids[0]!, asking(0), JUDGED);
    const folder: NewVersion = { kind: "profile", base: "folder", data: { from: "folder" } };
    await Promise.all(ids.slice(1).map((id) => persistently(() => tables.pin(id, [folder]))));
    const rows = await database.sql`SELECT version, state, created_by FROM feed_versions WHERE feed_id = ${feed.feedId}
      ORDER BY version`;
    expect(rows).toEqual([
      { version: 1, state: "rejected", created_by: "detection" },
      { version: 2, state: "active", created_by: "adapter" },
    ]);
    expect(await database.sql`SELECT actor FROM audit_log WHERE subject LIKE '%delta/prices'`).toHaveLength(1);
  });
});
