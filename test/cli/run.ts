/** Runs the real `mailfeed` command in a process of its own. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect } from "vitest";
import { DEV_ADDRESS_SECRET, PROJECT_ROOT } from "../../cli/local/settings.ts";

/** Stands in the environment of every run and must never be printed. */
export const PASSWORD = "hunter2-never-shown";

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, as in a shell that is no terminal. */
export const mailfeed = (...args: readonly string[]): Promise<Ran> => mailfeedWith({}, ...args);

/** The same with further variables in its environment. */
export async function mailfeedWith(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ran> {
  const { PATH = "", HOME = "", TMPDIR } = process.env;
  const child = spawn(process.execPath, [join(PROJECT_ROOT, "cli/mailfeed.ts"), ...args], {
    env: {
      PATH,
      HOME,
      ...(TMPDIR === undefined ? {} : { TMPDIR }),
      // A database that is named and never needed here.
      DATABASE_URL: `postgres://somebody:${PASSWORD}@127.0.0.1:9/nowhere`,
      NODE_NO_WARNINGS: "1",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const collect = (stream: typeof child.stdout) => {
    let text = "";
    stream.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    return () => text;
  };
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const ran = { code, stdout: stdout(), stderr: stderr() };
  expect(`${ran.stdout}${ran.stderr}`).not.toContain(PASSWORD);
  expect(`${ran.stdout}${ran.stderr}`).not.toContain(DEV_ADDRESS_SECRET);
  return ran;
}

/** Every line of what was printed, as JSON. */
export const jsonOf = <T>({ stdout }: Ran): T[] =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as T);

/** What a command says when it cannot go on: plain sentences, no stack, nothing of how it is built. */
export function isPlainlySaid({ stderr }: Ran, sentence: string): void {
  expect(stderr).toContain(sentence);
  expect(stderr).not.toMatch(/^\s+at |node:internal|\.ts:\d|Error:|undefined|\[object/m);
  const lines = stderr.trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(3);
  for (const line of lines) expect(line).toMatch(/^(mailfeed: \S.*|[\w“].*[.)])$/u);
}
