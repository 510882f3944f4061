import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { books, row, rowsOf, valuesOf, type World, worldOn } from "./world.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

describe("inside Cloudflare's runtime", () => {
  it("a first file and a changed one with repeated keys come to what they come to in Node", async () => {
    const feed = await world.feed("full");
    await world.send(feed, 1, rowsOf([1, 2, 3, 4, 5, 6, 7]));
    const second = await world.send(feed, 2, [...rowsOf([1, 20, 3, 40, 5]), row("Öl €", 1), row("Öl €", 2)]);
    expect(valuesOf(await world.state(feed))).toEqual({ k0: 1, k1: 20, k2: 3, k3: 40, k4: 5, k5: 6, k6: 7, "Öl €": 2 });
    expect(await world.books(second)).toEqual(books(7, { inserted: 1, changed: 2, unchanged: 3, superseded: 1 }));
  });
});
