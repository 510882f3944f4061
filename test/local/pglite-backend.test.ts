/** The one session of PGlite under requests that come in the same instant, which HTTP does not let happen on purpose. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Backend } from "../../cli/local/neon-endpoint.ts";
import { pgliteBackend } from "../../cli/local/pglite-backend.ts";

let folder: string;
let backend: Backend;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mailfeed-test-"));
  backend = await pgliteBackend(join(folder, "data"));
});
afterAll(async () => {
  await backend.close();
  await rm(folder, { recursive: true });
});

const signal = new AbortController().signal;
const modes = { isolationLevel: undefined, readOnly: false, deferrable: false };
const single = (text: string) =>
  backend.run([{ text, params: [] }], { database: "any", transaction: undefined, signal });
const batch = (...texts: string[]) =>
  backend.run(
    texts.map((text) => ({ text, params: [] })),
    { database: "any", transaction: modes, signal },
  );

it("runs each batch alone, whatever comes at the same time", async () => {
  await single("CREATE TABLE mixed (n int)");
  const results = await Promise.allSettled([
    batch("INSERT INTO mixed VALUES (1)", "SELECT 1"),
    batch("INSERT INTO mixed VALUES (2)", "SELECT 1/0"),
    single("INSERT INTO mixed VALUES (3)"),
    batch("INSERT INTO mixed VALUES (4)", "SELECT 1/0"),
    single("BEGIN"),
    single("INSERT INTO mixed VALUES (5)"),
  ]);
  expect(results.map((result) => result.status)).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
  ]);
  expect((await single("SELECT n FROM mixed ORDER BY n"))[0]?.rows).toEqual([["1"], ["3"], ["5"]]);
});

it("does not run what nobody waits for any more", async () => {
  await single("CREATE TABLE unwanted (n int)");
  const gone = new AbortController();
  const first = single("SELECT 1");
  const second = backend.run([{ text: "INSERT INTO unwanted VALUES (1)", params: [] }], {
    database: "any",
    transaction: undefined,
    signal: gone.signal,
  });
  gone.abort(new Error("hung up"));
  await first;
  await expect(second).rejects.toThrow("hung up");
  expect((await single("SELECT n FROM unwanted"))[0]?.rows).toEqual([]);
});
