/** wrangler's development server with the measured Worker, in a process of its own: it writes to its standard streams. */
import { join } from "node:path";
import { unstable_startWorker } from "wrangler";
import { type Running, runAsChild } from "../../cli/local/child-process.ts";

export interface WorkerdConfig {
  /** Where R2 keeps its objects between starts. */
  readonly stateFolder: string;
  readonly inspect: boolean;
  /** Flags for V8, separated by blanks; they hold for all isolates of the process. */
  readonly v8Flags: string;
}

export interface WorkerdReady {
  readonly url: string;
  /** `ws://…` where the process was asked for it. */
  readonly inspector: string | null;
}

async function start(config: WorkerdConfig): Promise<Running<WorkerdReady>> {
  process.env.MINIFLARE_WORKERD_V8_FLAGS = config.v8Flags;
  const worker = await unstable_startWorker({
    config: join(import.meta.dirname, "wrangler.toml"),
    envFiles: [],
    dev: {
      server: { hostname: "127.0.0.1", port: 0 },
      inspector: config.inspect ? { hostname: "127.0.0.1", port: 0 } : false,
      persist: config.stateFolder,
      watch: false,
      liveReload: false,
      remote: false,
    },
  });
  await worker.ready;
  const inspector = config.inspect ? await worker.inspectorUrl : undefined;
  return {
    ready: {
      url: (await worker.url).href.replace(/\/$/, ""),
      inspector: inspector === undefined ? null : `ws://${inspector.host}/ws`,
    },
    stop: () => worker.dispose(),
  };
}

if (process.argv[1] === import.meta.filename) {
  process.env.WRANGLER_SEND_METRICS = "false";
  process.env.WRANGLER_HIDE_BANNER = "true";
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.WRANGLER_LOG = "error";
  await runAsChild(start);
}
