/**
 * A helper process that lives exactly as long as its parent wants it: it reports once that it is ready (or why not),
 * stops cleanly when asked, on SIGINT and SIGTERM, and by itself when the parent has died.
 *
 * The channel between the two is the leash: it closes with the parent however that ends, SIGKILL included.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Longer than a clean shutdown of a database takes; after it the process is killed. */
const STOP_TIMEOUT_MS = 20_000;

export interface Child<Ready> {
  readonly ready: Ready;
  readonly pid: number;
  /** Resolves when the process is gone. Throws nothing; safe to call twice. */
  stop(): Promise<void>;
}

type Message<Ready> = { readonly ready: Ready } | { readonly failed: string };

/**
 * Starts `entry` (a module that calls {@link runAsChild}) with a configuration that survives JSON.
 *
 * Throws an Error with the child's own sentence if it cannot start. `onLost` hears when it ends without being asked to.
 * The child does not keep the parent alive.
 */
export async function startChild<Ready>(
  entry: URL,
  config: unknown,
  onLost: (how: string) => void = (how) => console.error(`A helper process (${entry.pathname}) ended: ${how}`),
): Promise<Child<Ready>> {
  // Detached: Ctrl-C in a terminal goes to the parent alone, which decides in which order things stop.
  const child = fork(fileURLToPath(entry.href), [JSON.stringify(config)], {
    detached: true,
    execArgv: [],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let stopping = false;
  const exited = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    child.once("error", (error) => resolve(error.message));
  });
  const stop = async () => {
    stopping = true;
    child.ref();
    if (child.connected) child.disconnect();
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  };

  const message = await Promise.race([
    new Promise<Message<Ready>>((resolve) => child.once("message", (said) => resolve(said as Message<Ready>))),
    exited.then((how): Message<Ready> => ({ failed: `The process ended before it was ready (${how})` })),
  ]);
  if ("failed" in message) {
    await stop();
    throw new Error(message.failed);
  }
  void exited.then((how) => {
    if (!stopping) onLost(how);
  });
  child.unref();
  child.channel?.unref();
  return { ready: message.ready, pid: child.pid ?? -1, stop };
}

/** What a child process consists of: it becomes ready, and it can be stopped. */
export interface Running<Ready> {
  readonly ready: Ready;
  stop(): Promise<void>;
  /** Resolves if what it runs ends by itself; the process then ends, too. */
  readonly ended?: Promise<string>;
}

/** The main of a child process. */
export async function runAsChild<Config, Ready>(start: (config: Config) => Promise<Running<Ready>>): Promise<void> {
  const stopAsked = new Promise<void>((resolve) => {
    process.once("disconnect", resolve);
    // Kept for good: a second signal must not cut a clean stop short.
    process.on("SIGINT", resolve);
    process.on("SIGTERM", resolve);
  });
  // With the parent, the reader of stderr may be gone; what is written then is lost, and that is all.
  process.stderr.on("error", () => undefined);
  try {
    const running = await start(JSON.parse(process.argv[2] ?? "null") as Config);
    tell({ ready: running.ready });
    const ended = await Promise.race([stopAsked, running.ended ?? stopAsked]);
    await running.stop();
    process.exit(typeof ended === "string" ? 1 : 0);
  } catch (error) {
    tell({ failed: error instanceof Error ? error.message : String(error) });
    process.exitCode = 1;
    if (process.connected) process.disconnect();
    else process.exit(1);
  }
}

function tell(message: Message<unknown>): void {
  if (process.connected) process.send?.(message);
}
