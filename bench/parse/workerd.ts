/** A fresh workerd for each measurement: what one request costs its process, in CPU time and in memory. */
import { startChild } from "../../cli/local/child-process.ts";
import type { Outcome } from "./chain.ts";
import { childrenNamed, cpuMs, resetPeak, residentBytes } from "./proc.ts";
import type { WorkerdConfig, WorkerdReady } from "./workerd-process.ts";

/** `naive-unhashed` is the naive chain without its SHA-256 per row. */
export type Chain = "ours" | "naive" | "naive-unhashed";

export interface Workerd {
  readonly url: string;
  readonly inspector: string | null;
  readonly pids: readonly number[];
}

export interface Measured {
  readonly outcome: Outcome;
  readonly cpuMs: number;
  /** Peak of resident memory above what the idle process had. */
  readonly residentGrowthBytes: number;
}

/** Starts a workerd over the objects in `stateFolder`, lends it to `use` and ends it. */
export async function withWorkerd<T>(
  stateFolder: string,
  use: (workerd: Workerd) => Promise<T>,
  { inspect = false, v8Flags = "" } = {},
): Promise<T> {
  const config: WorkerdConfig = { stateFolder, inspect, v8Flags };
  const child = await startChild<WorkerdReady>(new URL("./workerd-process.ts", import.meta.url), config);
  try {
    await ask(`${child.ready.url}/idle`);
    const pids = childrenNamed(child.pid, "workerd");
    if (pids.length === 0) throw new Error("wrangler has started no workerd");
    return await use({ ...child.ready, pids });
  } finally {
    await child.stop();
  }
}

/** One request to one chain. Of wrangler's processes (one is a proxy) the one that worked most is the one measured. */
export async function measure(workerd: Workerd, chain: Chain, key: string, stallMs = 0): Promise<Measured> {
  const before = workerd.pids.map((pid) => {
    resetPeak(pid);
    return { pid, cpu: cpuMs(pid), resident: residentBytes(pid).now };
  });
  const response = await ask(`${workerd.url}/${chain}?key=${encodeURIComponent(key)}&stall=${stallMs}`);
  const outcome = (await response.json()) as Outcome;
  const [most] = before
    .map(({ pid, cpu, resident }) => ({
      cpuMs: cpuMs(pid) - cpu,
      residentGrowthBytes: residentBytes(pid).peak - resident,
    }))
    .sort((a, b) => b.cpuMs - a.cpuMs);
  return { outcome, ...most! };
}

export async function storeMail(stateFolder: string, key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  await withWorkerd(stateFolder, (workerd) =>
    ask(`${workerd.url}/put?key=${encodeURIComponent(key)}`, { method: "PUT", body: bytes }),
  );
}

async function ask(url: string, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
  return response;
}
