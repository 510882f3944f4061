/**
 * CPU time of everything that takes part: this process, the endpoint, and the database's backends. On a busy machine walls
 * tell who got the cores; this tells who needed them. Linux only (/proc); elsewhere it is undefined.
 */
import { existsSync, readFileSync } from "node:fs";
import type pg from "pg";

/** Clock ticks of /proc are hundredths of a second on every Linux that Node runs on. */
const TICK_MS = 10;

function ofProcess(pid: number): number {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return 0;
  // The second field is the command in parentheses and may hold blanks; user and system time are the 14th and 15th.
  const fields = readFileSync(path, "utf8").split(") ").at(-1)!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** CPU time so far in milliseconds: this process, the endpoint, and the database's backends by process. */
interface CpuReading {
  readonly client: number;
  readonly endpoint: number;
  readonly backends: ReadonlyMap<number, number>;
}

/** Milliseconds of CPU time, by who used them. */
export interface CpuUse {
  readonly client: number;
  readonly endpoint: number;
  readonly postgres: number;
}

export async function readCpu(session: pg.Client, endpointPid: number): Promise<CpuReading | undefined> {
  if (!existsSync("/proc/self/stat")) return undefined;
  const { rows } = await session.query<{ pid: number }>(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'",
  );
  return {
    client: ofProcess(process.pid),
    endpoint: ofProcess(endpointPid),
    backends: new Map(rows.map(({ pid }) => [pid, ofProcess(pid)])),
  };
}

/** What was used between two readings; a backend that began in between counts from its beginning. */
export function cpuBetween(before: CpuReading | undefined, after: CpuReading | undefined): CpuUse {
  if (before === undefined || after === undefined)
    return { client: Number.NaN, endpoint: Number.NaN, postgres: Number.NaN };
  let postgres = 0;
  for (const [pid, ms] of after.backends) postgres += ms - (before.backends.get(pid) ?? 0);
  return { client: after.client - before.client, endpoint: after.endpoint - before.endpoint, postgres };
}
