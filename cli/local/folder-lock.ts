/**
 * One process at a time in a folder: a file with the owner's pid. The lock of a process that died is taken over.
 *
 * A pid alone is not enough, since pids are used again; where the system tells, the time the process started is part of
 * the owner's identity.
 */
import { readFileSync } from "node:fs";
import { mkdir, open, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** A previous owner that is just stopping needs about a second to write everything down. */
const DEFAULT_WAIT_MS = 5_000;
const POLL_MS = 100;

interface Owner {
  readonly pid: number;
  /** Opaque; the same pid with another value is another process. Null where it cannot be known. */
  readonly startedAt: string | null;
}

/** Another living process has the folder. */
export class FolderInUse extends Error {
  override readonly name = "FolderInUse";
}

export interface FolderLock {
  release(): Promise<void>;
}

/** Takes `folder` (made if absent), waiting up to `waitMs` for its present owner to go. Throws {@link FolderInUse}. */
export async function lockFolder(folder: string, waitMs = DEFAULT_WAIT_MS): Promise<FolderLock> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, "lock");
  const mine = JSON.stringify({ pid: process.pid, startedAt: startedAt(process.pid) } satisfies Owner);
  const deadline = Date.now() + waitMs;
  while (!(await createExclusively(path, mine))) {
    const held = await readFile(path, "utf8").catch(absent);
    if (held === undefined) continue;
    const owner = parseOwner(held);
    if (owner !== undefined && !isAlive(owner)) {
      if (await takeOver(path, held, mine)) break;
    }
    if (Date.now() >= deadline) throw new FolderInUse(inUse(folder, path, owner));
    await wait(POLL_MS);
  }
  return {
    async release() {
      if ((await readFile(path, "utf8").catch(absent)) === mine) await unlink(path);
    },
  };
}

function inUse(folder: string, path: string, owner: Owner | undefined): string {
  return owner === undefined
    ? `The folder ${folder} has an unreadable lock. If nothing else runs there, remove ${path}.`
    : `The folder ${folder} is in use by another process (pid ${owner.pid}). Stop it, or give this one a folder of its own.`;
}

/**
 * Replaces a dead owner's lock. Of several processes that see the same dead owner only one may: they compete for a
 * claim file, and the winner looks again, since the lock may have been taken over before it won.
 */
export async function takeOver(path: string, dead: string, mine: string): Promise<boolean> {
  const claim = `${path}.claim`;
  if (!(await createExclusively(claim, mine))) {
    const claimant = parseOwner((await readFile(claim, "utf8").catch(absent)) ?? "");
    // A claimant that died in the few instructions between its claim and its lock.
    if (claimant !== undefined && !isAlive(claimant)) await unlink(claim).catch(absent);
    return false;
  }
  try {
    if ((await readFile(path, "utf8").catch(absent)) !== dead) return false;
    const fresh = `${path}.${process.pid}`;
    await createExclusively(fresh, mine);
    await rename(fresh, path);
    return true;
  } finally {
    await unlink(claim);
  }
}

async function createExclusively(path: string, content: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(content);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

function parseOwner(text: string): Owner | undefined {
  const found = /^\{"pid":(\d+),"startedAt":(?:null|"(\d+)")\}$/.exec(text);
  return found === null ? undefined : { pid: Number(found[1]), startedAt: found[2] ?? null };
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = startedAt(owner.pid);
  return owner.startedAt === null || now === null || now === owner.startedAt;
}

/** The start time of a process in clock ticks since boot (field 22 of /proc/PID/stat); null where there is no /proc. */
function startedAt(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}
