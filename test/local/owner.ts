/** Starts the fixture program that owns a database, to be killed by the test. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export interface Owner<T> {
  readonly said: T;
  readonly pid: number;
  /** Resolves when the program itself is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

export async function startOwner<T>(kind: "pglite" | "postgres" | "lock", folder: string): Promise<Owner<T>> {
  const child: ChildProcess = fork(join(import.meta.dirname, "fixtures/owner.ts"), [kind, folder], {
    execArgv: [],
  });
  const [said] = await once(child, "message");
  return {
    said,
    pid: child.pid ?? -1,
    async kill(signal) {
      const gone = once(child, "exit");
      child.kill(signal);
      await gone;
    },
  };
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
