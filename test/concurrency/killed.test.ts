/** A worker process killed with SIGKILL in the middle of a statement, before and after its commit. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestFeed, type TestFile, type World, worldOn } from "../apply/world.ts";
import { type FreshDatabase, freshDatabase } from "../support/database.ts";
import type { ChildSays, ChildTask } from "./child-worker.ts";
import { type Exact, exactState } from "./exact.ts";
import { cleanRun, FIRST, SECOND, secondToCome, standInTheWay } from "./scenes.ts";
import { blockedBy, openSession, type Session, until } from "./sessions.ts";

let fresh: FreshDatabase;
let world: World;
let holder: Session;
let expected: Exact;
beforeAll(async () => {
  fresh = await freshDatabase();
  world = worldOn(fresh.connectionString);
  holder = await openSession(fresh);
  expected = await cleanRun(world, [FIRST, SECOND]);
});
afterAll(async () => {
  await holder.end();
  await fresh.drop();
});

interface Child {
  readonly process: ChildProcess;
  /** What it says next. */
  next(): Promise<ChildSays>;
  allow(): void;
  kill(): Promise<void>;
}

function start(over: ChildTask["over"], file: TestFile): Child {
  const { connectionString, directUrl } = fresh;
  const task: ChildTask = { database: { connectionString, directUrl }, over, file, rows: SECOND };
  const child = fork(join(import.meta.dirname, "child-worker.ts"), [JSON.stringify(task)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  const said: ChildSays[] = [];
  let hear: () => void = () => undefined;
  child.on("message", (word) => {
    said.push(word as ChildSays);
    hear();
  });
  return {
    process: child,
    async next() {
      while (said.length === 0) {
        await new Promise<void>((resolve, reject) => {
          hear = resolve;
          child.once("exit", (code) => reject(new Error(`the worker ended (${code}) without a word`)));
        });
      }
      return said.shift()!;
    },
    allow: () => child.send("go"),
    async kill() {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}

const outOfTheWay = () => holder.query("ROLLBACK");

const backendGone = (pid: number) =>
  until(`the end of backend ${pid}`, async () => {
    const rows = await world.database.query("SELECT FROM pg_stat_activity WHERE pid = $1", [pid]);
    return rows.length === 0 || undefined;
  });

const statementOver = (pid: number) =>
  until(`the end of the statement of backend ${pid}`, async () => {
    const rows = await world.database.query("SELECT FROM pg_stat_activity WHERE pid = $1 AND state = 'active'", [pid]);
    return rows.length === 0 || undefined;
  });

interface Death {
  readonly name: string;
  readonly over: ChildTask["over"];
  /** What happens while the statement stands in backend `pid`; afterwards the process is dead and nobody is in the way. */
  happen(child: Child, pid: number): Promise<unknown>;
}

const DEATHS: readonly Death[] = [
  {
    name: "the endpoint cancels what nobody waits for",
    over: "http",
    async happen(child, pid) {
      await child.kill();
      await statementOver(pid);
      await outOfTheWay();
    },
  },
  {
    name: "the server does not notice: the statement ends and commits",
    over: "socket",
    async happen(child, pid) {
      await child.kill();
      await outOfTheWay();
      await backendGone(pid);
    },
  },
  {
    name: "its backend is ended, too: nothing is committed",
    over: "socket",
    async happen(child, pid) {
      await child.kill();
      await holder.query("SELECT pg_terminate_backend($1)", [pid]);
      await backendGone(pid);
      await outOfTheWay();
    },
  },
  {
    name: "after the commit, before it has read the answer",
    over: "socket",
    async happen(child, pid) {
      child.process.kill("SIGSTOP");
      await outOfTheWay();
      await statementOver(pid);
      await child.kill();
    },
  },
];

/** Runs the file in a process that dies in its `at`-th statement. What statement that was; undefined if it has fewer. */
async function dieAt(at: number, death: Death, file: TestFile): Promise<string | undefined> {
  const child = start(death.over, file);
  for (;;) {
    const word = await child.next();
    if ("ended" in word) {
      expect(word.ended).toBe("applied");
      return undefined;
    }
    if (word.asks < at) {
      child.allow();
      continue;
    }
    await standInTheWay(holder, file, expected.ledger);
    child.allow();
    const [pid] = await blockedBy(world.database, holder);
    await death.happen(child, pid!);
    return /(\w+)\(\$1/.exec(word.text)?.[1];
  }
}

async function finishes(feed: TestFeed, file: TestFile, when: string): Promise<void> {
  await world.expireLease(feed);
  expect(["applied", "already"], when).toContain((await world.apply(file)).done);
  expect(await exactState(world, feed), when).toEqual(expected);
}

describe("a worker killed in the middle of a statement", () => {
  it.each(DEATHS.map((death) => [death.name, death] as const))(
    "%s: the next one finishes the file, exactly",
    async (_, death) => {
      const died: string[] = [];
      for (let at = 1; ; at++) {
        const { feed, file } = await secondToCome(world);
        const statement = await dieAt(at, death, file);
        if (statement === undefined) break;
        died.push(statement);
        await finishes(feed, file, `statement ${at}, ${statement}`);
      }
      expect(new Set(died)).toEqual(new Set(["acquire_lease", "plan_chunk", "apply_chunk", "close_file"]));
    },
  );
});
