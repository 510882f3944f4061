/** Two files that agree in as-of, number, arrival and position: which one is newer does not depend on who works first. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import { row, type TestFeed, type TestFile, valuesOf, type World, worldOn } from "./world.ts";

let fresh: FreshDatabase;
let world: World;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
});
afterAll(() => fresh.drop());

const orderOf = async (file: TestFile): Promise<string> => {
  const [found] = await world.database.query<{ order_key: string }>("SELECT order_key FROM files WHERE id = $1", [
    file.id,
  ]);
  return found!.order_key;
};

/** Two files of one place and different deliveries, in the order of their keys. 1 of 64 pairs has none; then another. */
async function pairOf(feed: TestFeed): Promise<{ older: TestFile; newer: TestFile; saysNewer: number }> {
  for (let place = 0; ; place++) {
    const files = [await world.file(feed, place, [row("a", 1)]), await world.file(feed, place, [row("a", 2)])] as const;
    const [one, two] = [await orderOf(files[0]), await orderOf(files[1])];
    if (one < two) return { older: files[0], newer: files[1], saysNewer: 2 };
    if (two < one) return { older: files[1], newer: files[0], saysNewer: 1 };
  }
}

it.each(["older first", "newer first"])("the same one has the last word (%s)", async (first) => {
  for (let round = 0; round < 4; round++) {
    const feed = await world.feed("delta");
    const { older, newer, saysNewer } = await pairOf(feed);
    for (const file of first === "older first" ? [older, newer] : [newer, older]) await world.apply(file);
    expect(valuesOf(await world.state(feed))).toEqual({ a: saysNewer });
  }
});
