/**
 * The Worker in a process of its own: wrangler's development server without its file watcher. A rebuild while files are on
 * their way would throw away the local queues, which live in memory.
 */
import { createWriteStream } from "node:fs";
import { unstable_startWorker } from "wrangler";
import { type Running, runAsChild } from "./child-process.ts";

export interface WorkerProcessConfig {
  readonly configFile: string;
  readonly port: number;
  /** Where R2 keeps its objects between starts. */
  readonly stateFolder: string;
  readonly logFile: string;
  /** Secrets and variables; they never stand on a command line. */
  readonly bindings: Readonly<Record<string, string>>;
}

export interface WorkerProcessReady {
  readonly url: string;
}

async function start(config: WorkerProcessConfig): Promise<Running<WorkerProcessReady>> {
  logTo(config.logFile);
  const worker = await unstable_startWorker({
    config: config.configFile,
    envFiles: [],
    bindings: Object.fromEntries(
      Object.entries(config.bindings).map(([name, value]) => [name, { type: "secret_text" as const, value }]),
    ),
    dev: {
      server: { hostname: "127.0.0.1", port: config.port },
      inspector: false,
      persist: config.stateFolder,
      watch: false,
      liveReload: false,
      remote: false,
    },
  });
  await worker.ready;
  const url = await worker.url;
  return { ready: { url: url.href.replace(/\/$/, "") }, stop: () => worker.dispose() };
}

/** wrangler and the Worker write to this process's standard streams: all of it goes to the log. */
function logTo(file: string): void {
  const log = createWriteStream(file, { flags: "w", mode: 0o600 });
  for (const stream of [process.stdout, process.stderr]) {
    stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
      const done = rest.find((value) => typeof value === "function") as (() => void) | undefined;
      return log.write(chunk, () => done?.());
    }) as typeof stream.write;
  }
}

if (process.argv[1] === import.meta.filename) {
  process.env.WRANGLER_SEND_METRICS = "false";
  process.env.WRANGLER_HIDE_BANNER = "true";
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.NO_COLOR = "1";
  await runAsChild(start);
}
