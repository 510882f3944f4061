import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failure } from "../../src/domain/failures.ts";
import { applyFileMessage, parseDeliveryMessage } from "../../src/domain/messages.ts";
import { type Database, postgres } from "../../src/platform/postgres.ts";
import { troubleOn } from "../../src/queues/trouble.ts";
import { type Api, startApi } from "../api/harness.ts";
import { PARSED_BOOKS, seedDelivery, seedFile } from "../api/seed.ts";

let api: Api;
let database: Database;
beforeAll(async () => {
  api = await startApi();
  database = postgres(api.database.connectionString);
});
afterAll(() => api?.drop());

const nothing = { last_failure: null, next_attempt_at: null };
const at = new Date("2026-11-20T12:00:07.000Z");
const busy = failure("feed-busy", { file: "7", activeFile: "6" }).report;
const lost = failure("lease-lost", { file: "7" }).report;

async function waiting() {
  const feed = api.world.alpha;
  const delivery = await seedDelivery(api.database, feed, { state: "parsing" });
  const unapplied = { inserted: null, changed: null, unchanged: null, stale: null, superseded: null, applied_at: null };
  const file = await seedFile(api.database, feed, delivery, { state: "parsed", ...PARSED_BOOKS, ...unapplied });
  const names = { customer: feed.customer, feed: feed.feed, correlationId: delivery };
  return {
    delivery,
    file,
    toParse: parseDeliveryMessage({ ...names, rawKey: "raw/x" }),
    toApply: applyFileMessage({ ...names, fileId: file }),
  };
}

const shown = async (path: string, token = api.world.operator) => {
  const { json } = await api.get(path, token);
  return { last_failure: json.last_failure, next_attempt_at: json.next_attempt_at };
};

describe("a row whose message comes again", () => {
  it("says why and when, for the delivery and for the file, and the API shows both", async () => {
    const { delivery, file, toParse, toApply } = await waiting();
    expect(await shown(`/v1/deliveries/${delivery}`)).toEqual(nothing);
    await troubleOn(database)(toParse, lost, at);
    await troubleOn(database)(toApply, busy, at);
    expect(await shown(`/v1/deliveries/${delivery}`)).toEqual({
      last_failure: lost,
      next_attempt_at: at.toISOString(),
    });
    expect(await shown(`/v1/files/${file}`)).toEqual({ last_failure: busy, next_attempt_at: at.toISOString() });
  });

  it("tells a customer that there is trouble, and not how we are built", async () => {
    const { file, toApply } = await waiting();
    await troubleOn(database)(toApply, busy, at);
    const { last_failure } = await shown(`/v1/files/${file}`, api.world.alpha.token);
    expect(last_failure).toMatchObject({ code: "feed-busy", sentence: "The last attempt did not come to its end." });
    expect(last_failure).not.toHaveProperty("evidence");
  });

  it("says the latest only", async () => {
    const { file, toApply } = await waiting();
    await troubleOn(database)(toApply, busy, at);
    const later = new Date(at.getTime() + 60_000);
    await troubleOn(database)(toApply, lost, later);
    expect(await shown(`/v1/files/${file}`)).toEqual({ last_failure: lost, next_attempt_at: later.toISOString() });
  });

  it("forgets it when it moves on, whoever moves it", async () => {
    const { delivery, file, toParse, toApply } = await waiting();
    await troubleOn(database)(toParse, lost, at);
    await troubleOn(database)(toApply, busy, at);
    await database.query("UPDATE deliveries SET state = 'parsed' WHERE id = $1", [delivery]);
    await database.query("UPDATE files SET state = 'applying' WHERE id = $1", [file]);
    expect(await shown(`/v1/deliveries/${delivery}`)).toEqual(nothing);
    expect(await shown(`/v1/files/${file}`)).toEqual(nothing);
  });

  it("keeps it while the next attempt is under way and the row stays where it is", async () => {
    const { delivery, toParse } = await waiting();
    await troubleOn(database)(toParse, lost, at);
    await database.query("UPDATE deliveries SET attempts = attempts + 1, state = 'parsing' WHERE id = $1", [delivery]);
    expect(await shown(`/v1/deliveries/${delivery}`)).toMatchObject({ last_failure: lost });
  });

  it("is left alone once it is at an end: a message that came late says nothing on it", async () => {
    const feed = api.world.alpha;
    const delivery = await seedDelivery(api.database, feed);
    const file = await seedFile(api.database, feed, delivery);
    const names = { customer: feed.customer, feed: feed.feed, correlationId: delivery };
    await troubleOn(database)(parseDeliveryMessage({ ...names, rawKey: "raw/x" }), lost, at);
    await troubleOn(database)(applyFileMessage({ ...names, fileId: file }), busy, at);
    expect(await shown(`/v1/deliveries/${delivery}`)).toEqual(nothing);
    expect(await shown(`/v1/files/${file}`)).toEqual(nothing);
  });

  it("never says half of it: the table refuses a failure without a time", async () => {
    const { file } = await waiting();
    await expect(database.query(`UPDATE files SET last_failure = '{}' WHERE id = $1`, [file])).rejects.toMatchObject({
      code: "database-refused",
      message: expect.stringContaining("files_retry"),
    });
  });

  it("takes what no column holds", async () => {
    const { delivery, toParse } = await waiting();
    await troubleOn(database)(toParse, failure("storage-unavailable", { reason: "a\0b\ud800" }).report, at);
    expect(await shown(`/v1/deliveries/${delivery}`)).toMatchObject({ last_failure: { code: "storage-unavailable" } });
  });
});
