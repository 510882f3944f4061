/** Feeds that many register at once, as the first deliveries of a new customer do. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { openSession, type Session } from "./sessions.ts";

let fresh: FreshDatabase;
const sessions: Session[] = [];
beforeAll(async () => {
  fresh = await freshDatabase();
  for (let i = 0; i < 8; i++) sessions.push(await openSession(fresh));
});
afterAll(async () => {
  await Promise.all(sessions.map((session) => session.end()));
  await fresh.drop();
});

const register = (by: Session, customer: string, feed: string, words: string) =>
  by.query<{ customer_id: number; feed_id: number }>("SELECT * FROM register_feed($1, $2, $3, $4, 'delta', $5)", [
    customer,
    words,
    feed,
    words,
    words,
  ]);

describe("a feed registered", () => {
  it("of a customer that nobody knows yet, from many connections at once, is one customer and one feed", async () => {
    for (let round = 0; round < 20; round++) {
      const customer = `c${randomBytes(6).toString("hex")}`;
      const answers = (await Promise.all(sessions.map((one) => register(one, customer, "stock", "v1")))).flat();
      expect(answers).toHaveLength(sessions.length);
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    }
  });

  it("by deployments that call it by other words, and beside other feeds of the customer: nobody is broken off", async () => {
    for (let round = 0; round < 20; round++) {
      const customer = `c${randomBytes(6).toString("hex")}`;
      const answers = await Promise.all(
        sessions.map((one, i) =>
          register(one, customer, i % 3 === 0 ? "prices" : "stock", i % 2 === 0 ? "old" : "new"),
        ),
      );
      expect(new Set(answers.flat().map(({ customer_id }) => customer_id)).size).toBe(1);
      expect(new Set(answers.flat().map(({ feed_id }) => feed_id)).size).toBe(2);
      const kept =
        await fresh.sql`SELECT f.title, f.adapter_version FROM feeds f JOIN customers c ON c.id = f.customer_id
        WHERE c.slug = ${customer} ORDER BY f.slug`;
      for (const { title, adapter_version } of kept)
        expect([
          ["old", "old"],
          ["new", "new"],
        ]).toContainEqual([title, adapter_version]);
    }
  });
});
