/**
 * Thirty days of five customers land one after the other. Then the archive alone, every delivery in it twice and every
 * message coming twice and in any order, makes the same of an empty database; and over the live one it changes nothing.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { factsFromMetadata, factsToMetadata } from "../../src/domain/delivery.ts";
import { rawKey } from "../../src/domain/keys.ts";
import { chanceOf } from "../simulation/random.ts";
import { mailsOfDays } from "./days.ts";
import { FEEDS } from "./feeds.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { World } from "./world.ts";

const DAYS = 30;
const DAY = 86_400_000;
const START = Date.UTC(2026, 5, 1, 8);
const TIMEOUT_MS = 600_000;

let live: World;
let records: string;
let changes: string;
beforeAll(async () => {
  live = await World.open(FEEDS, START);
  for (const mails of mailsOfDays("thirty days", START, DAYS)) {
    // Of one day each customer's first mail, then its second …; a day's mails of one customer land one after the other.
    for (let n = 0; mails.some((_, i) => nth(mails, i) === n); n++) {
      for (const mail of mails.filter((_, i) => nth(mails, i) === n)) await live.mail(mail);
      await live.drainSideBySide();
    }
  }
  records = await live.records();
  changes = await live.changes();
}, TIMEOUT_MS);
afterAll(() => live?.close());

/** The place of a mail among those of its customer. */
const nth = (mails: readonly { customer: string }[], at: number): number =>
  mails.slice(0, at).filter(({ customer }) => customer === mails[at]!.customer).length;

/** The same archive in another order, every object in it once more under the next day: as its sender would have sent it again. */
function doubled(bucket: MemoryBucket): MemoryBucket {
  const copy = new MemoryBucket();
  const objects = [...bucket.objects].filter(([key]) => key.startsWith("raw/"));
  const again = objects.map(([, object]): [string, typeof object] => {
    const facts = factsFromMetadata(object.metadata);
    const later = { ...facts, receivedAt: new Date(Date.parse(facts.receivedAt) + DAY).toISOString() };
    const key = rawKey(facts.customer, new Date(later.receivedAt), facts.id, facts.door);
    return [key, { ...object, metadata: factsToMetadata(later) }];
  });
  const chance = chanceOf("shuffled");
  const all = [...objects, ...again].map((entry) => ({ entry, place: chance.next() }));
  for (const { entry } of all.sort((a, b) => a.place - b.place))
    if (!copy.objects.has(entry[0])) copy.objects.set(...entry);
  return copy;
}

async function replayAll(world: World) {
  const chance = chanceOf("any order");
  world.pick = (count) => chance.int(0, count - 1);
  world.doubles = true;
  const { body } = await world.http<{ replay: { id: string } }>("POST", "/v1/replays", { all: true });
  await world.drainSideBySide();
  for (let n = 0; n < 5; n++) await world.cron();
  await world.drainSideBySide();
  world.doubles = false;
  const { body: report } = await world.http<{
    state: string;
    totals: Record<string, number>;
    progress: { deliveries: Record<string, number> };
    left_out: { reason: string; deliveries: number }[];
  }>("GET", `/v1/replays/${body.replay.id}`);
  return report;
}

describe("thirty days of five customers", () => {
  it("have landed: the proof is about something", async () => {
    const [counted] = await live.rows<Record<string, number>>(
      `SELECT (SELECT count(*)::int FROM files WHERE state = 'applied') AS applied,
         (SELECT count(*)::int FROM files WHERE state NOT IN ('applied', 'duplicate')) AS others,
         (SELECT count(*)::int FROM changes WHERE kind = 'retired') AS retired,
         (SELECT count(*)::int FROM changes WHERE kind = 'restored') AS restored,
         (SELECT count(*)::int FROM changes WHERE kind = 'changed') AS changed,
         (SELECT count(*)::int FROM files WHERE rejected > 0) AS with_rejects,
         (SELECT count(*)::int FROM files WHERE superseded > 0) AS with_repeats,
         (SELECT count(*)::int FROM deliveries WHERE state = 'quarantined') AS quarantined,
         (SELECT count(*)::int FROM deliveries WHERE state = 'ignored') AS ignored`,
    );
    expect(counted).toMatchObject({ others: 0 });
    for (const [what, count] of Object.entries(counted!))
      if (what !== "others") expect([what, count > 0]).toEqual([what, true]);
    expect(counted!.applied).toBeGreaterThan(DAYS * 5);
  });

  it(
    "are the same again from a doubled and shuffled archive in an empty database: records byte for byte, changes alike",
    async () => {
      const empty = await World.open(FEEDS, live.nowMs + DAY, doubled(live.bucket));
      const report = await replayAll(empty);
      expect(report).toMatchObject({ state: "done", progress: { deliveries: { failed: 0 } } });
      expect(report.left_out.map(({ reason }) => reason).sort()).toEqual(["automatic", "not-proven"]);
      expect(await empty.records()).toBe(records);
      expect(await empty.changes()).toBe(changes);
      await empty.close();
    },
    TIMEOUT_MS,
  );

  it(
    "replayed over what they made, change nothing",
    async () => {
      live.nowMs += DAY;
      const report = await replayAll(live);
      expect(report).toMatchObject({ state: "done", progress: { deliveries: { failed: 0 } } });
      expect(report.totals).toMatchObject({ inserted: 0, changed: 0, retired: 0, held: 0, rejected: 0, dead: 0 });
      expect(report.totals.files).toBeGreaterThan(DAYS * 5);
      expect(await live.records()).toBe(records);
      expect(await live.changes()).toBe(changes);
    },
    TIMEOUT_MS,
  );
});
