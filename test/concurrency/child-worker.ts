/**
 * A worker in a process of its own, which its parent may kill at any moment. It applies one file and asks before every
 * statement; statements go one at a time. Over `http` it is the Worker's own driver, over `socket` a plain connection.
 */
import { neonConfig } from "@neondatabase/serverless";
import { localFetchEndpoint } from "../../cli/local/neon-protocol.ts";
import { asFailure } from "../../src/domain/failures.ts";
import { type TestFile, type TestRow, worldOn } from "../apply/world.ts";
import type { FreshDatabase } from "../support/database.ts";
import { openSession, type Queries } from "./sessions.ts";

export interface ChildTask {
  readonly database: Pick<FreshDatabase, "connectionString" | "directUrl">;
  readonly over: "http" | "socket";
  readonly file: TestFile;
  readonly rows: readonly TestRow[];
}

export type ChildSays =
  | { readonly asks: number; readonly pid: number | undefined; readonly text: string }
  | { readonly ended: string };

const say = (word: ChildSays) => process.send?.(word);
const told = () => new Promise<void>((resolve) => process.once("message", () => resolve()));

async function work({ database, over, file, rows }: ChildTask): Promise<string> {
  neonConfig.fetchEndpoint = localFetchEndpoint;
  const world = worldOn(database.connectionString);
  world.store(file.id, "v1", rows);
  const session = over === "socket" ? await openSession(database) : undefined;
  const way: Queries = session ?? world.database;
  let asked = 0;
  let last: Promise<unknown> = Promise.resolve();
  const asking: Queries = {
    query<T>(text: string, params?: readonly unknown[]): Promise<T[]> {
      const mine = last.then(async () => {
        asked++;
        const allowed = told();
        say({ asks: asked, pid: session?.pid, text });
        await allowed;
        return way.query<T>(text, params);
      });
      last = mine.catch(() => undefined);
      return mine;
    },
  };
  try {
    return (await world.apply(file, world.deps(asking))).done;
  } catch (thrown) {
    return asFailure(thrown).code;
  } finally {
    await session?.end();
  }
}

// A worker whose parent has gone has nobody left to ask.
process.once("disconnect", () => process.exit(1));
say({ ended: await work(JSON.parse(process.argv[2] ?? "") as ChildTask) });
process.disconnect();
