/** By what a delivery, a file and a change are recognized, as the API shows it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recordIdOf } from "../../src/api/query/record-id.ts";
import { force } from "../support/force-state.ts";
import { type Api, startApi } from "./harness.ts";
import { RECEIVED_AT, seedDelivery, seedFile } from "./seed.ts";

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.drop());

describe("what a thing is recognized by", () => {
  it("of a delivery is shown: customer, recipient without its token, Message-ID and the digest of the body", async () => {
    const { alpha } = api.world;
    const body_sha256 = "c".repeat(64);
    const id = await seedDelivery(api.database, alpha, { recipient: "alpha.stock.…@feeds.example", body_sha256 });
    const { json } = await api.get(`/v1/deliveries/${id}`, alpha.token);
    expect(json.identity).toEqual({
      customer: "alpha",
      recipient: "alpha.stock.…@feeds.example",
      message_id: "<1@alpha.example>",
      body_sha256,
    });
  });

  it("of a delivery that was archived before it was kept is null, not guessed", async () => {
    const { alpha } = api.world;
    const { json } = await api.get(`/v1/deliveries/${alpha.deliveryId}`, alpha.token);
    expect(json.identity).toMatchObject({ recipient: null, body_sha256: null });
  });

  it("of a file is shown: its content and its place in order, with a time that was not believed", async () => {
    const { alpha } = api.world;
    const as_of_disbelieved = { from: "file-name", read: "2016-11-20T00:00:00Z" };
    const id = await seedFile(api.database, alpha, alpha.deliveryId, { position: 9, sequence: 7 });
    await force(api.database.sql, "UPDATE files SET as_of_disbelieved = $1 WHERE id = $2", [
      JSON.stringify(as_of_disbelieved),
      id,
    ]);
    const { json } = await api.get(`/v1/files/${id}`, alpha.token);
    expect(json.identity).toEqual({
      content_sha256: "b".repeat(64),
      as_of: RECEIVED_AT,
      as_of_source: "arrival",
      as_of_disbelieved,
      sequence: "7",
      received_at: RECEIVED_AT,
      position: 9,
      order_key: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  it("of a change is one and the same over the API and in the outbox", async () => {
    const { alpha } = api.world;
    const id = recordIdOf({ customer: "alpha", feed: "stock", key: alpha.key });
    const { json } = await api.get(`/v1/records/${id}/history`, alpha.token);
    const [event] = await api.database.sql`SELECT idempotency_key FROM change_events WHERE natural_key = ${alpha.key}`;
    expect(json.items.map((item) => item.idempotency_key)).toEqual([event!.idempotency_key]);
  });
});

describe("a duplicate", () => {
  it("names the file that it repeats, can be asked for by its state, and cannot be released", async () => {
    const { alpha } = api.world;
    const id = await seedFile(api.database, alpha, alpha.deliveryId, {
      position: 10,
      state: "duplicate",
      duplicate_of: alpha.fileId,
      inserted: null,
      changed: null,
      unchanged: null,
      stale: null,
      superseded: null,
      applied_at: null,
    });
    const { json } = await api.get("/v1/files?state=duplicate", api.world.operator);
    expect(json.items).toMatchObject([{ id, state: "duplicate", duplicate_of: alpha.fileId, failure: null }]);
    const released = await api.send(`/v1/files/${id}/release`, { method: "POST" }, api.world.operator);
    expect([released.status, released.json.state]).toEqual([409, "duplicate"]);
    expect((await api.get(`/v1/files/${id}`, api.world.beta.token)).status).toBe(404);
  });
});
