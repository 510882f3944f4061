/** What the tests of this folder have in common: two files that take many statements, and what one clean run makes of them. */
import type { ApplyDeps } from "../../src/apply/deps.ts";
import { asFailure } from "../../src/domain/failures.ts";
import { row, rowsOf, type TestFeed, type TestFile, type TestRow, type World } from "../apply/world.ts";
import { type Exact, exactState } from "./exact.ts";
import type { Queries } from "./sessions.ts";

/** A first load with a key that stands twice. */
export const FIRST: readonly TestRow[] = [...rowsOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), row("k3", 33)];
/** New, changed, unchanged and repeated rows. */
export const SECOND: readonly TestRow[] = [
  ...rowsOf([0, 100, 2, 33, 4, 500, 6, 700, 8, 9]),
  ...["n1", "n2", "n3", "n4"].map((key) => row(key, 1)),
  row("k4", 44),
  row("n2", 2),
  row("k4", 4),
];

/** What one worker makes of the files, one after the other in their order, undisturbed. */
export async function cleanRun(world: World, files: readonly (readonly TestRow[])[]): Promise<Exact> {
  const feed = await world.feed();
  for (const [place, rows] of files.entries()) await world.send(feed, place, rows);
  return exactState(world, feed);
}

/** A feed that has applied FIRST and has SECOND before it. */
export async function secondToCome(world: World): Promise<{ feed: TestFeed; file: TestFile }> {
  const feed = await world.feed();
  await world.send(feed, 0, FIRST);
  return { feed, file: await world.file(feed, 1, SECOND) };
}

/** How a piece of work ended: what it answered, or the code of its failure. */
export type Ended<T> = { readonly value: T } | { readonly code: string };

export const ended = <T>(work: Promise<T>): Promise<Ended<T>> =>
  work.then(
    (value) => ({ value }),
    (thrown: unknown) => ({ code: asFailure(thrown).code }),
  );

/** A worker of its own for each call, over another way to the database. */
export const applyOver = (world: World, file: TestFile, database: Queries, more: Partial<ApplyDeps> = {}) =>
  world.apply(file, world.deps(database, more));

/**
 * A worker stops before its `at`-th statement, from 1, until it is let go; the later ones wait with it. It has `reached`
 * that place when those before it, which other lanes may have sent, are done.
 */
export function stopsBefore(database: Queries, at: number) {
  let calls = 0;
  const passed: Promise<unknown>[] = [];
  let open: () => void = () => undefined;
  let arrive: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const reached = new Promise<"reached">((resolve) => {
    arrive = () => void Promise.allSettled(passed).then(() => resolve("reached"));
  });
  return {
    reached,
    letGo: () => open(),
    async query<T>(text: string, params?: readonly unknown[]): Promise<T[]> {
      calls++;
      if (calls >= at) {
        arrive();
        await gate;
        return database.query<T>(text, params);
      }
      const answer = database.query<T>(text, params);
      passed.push(answer);
      return answer;
    },
  };
}

/**
 * Makes every statement of the file wait in its middle until the holder's transaction ends: those of chunks when records
 * are written and the ledger is to be, those that begin and end the file at its row. `ledger`: that of a clean run, whose
 * chunks have the same names.
 */
export async function standInTheWay(holder: Queries, file: TestFile, ledger: readonly object[]): Promise<void> {
  const names = ledger.map((line) => String(Reflect.get(line, "chunk_key")));
  await holder.query("BEGIN");
  await holder.query("SELECT FROM files WHERE id = $1 FOR UPDATE", [file.id]);
  await holder.query(
    `INSERT INTO ledger (file_id, chunk_key, rows, inserted, changed, unchanged, stale)
     SELECT $1, k, 0, 0, 0, 0, 0 FROM unnest($2::uuid[]) AS k ON CONFLICT DO NOTHING`,
    [file.id, `{${names.join(",")}}`],
  );
}
