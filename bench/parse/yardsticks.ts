/** What other programs need for the same file. Each answers its CPU time in milliseconds, or why it cannot. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const BENCH = join(import.meta.dirname, "..");

/** DuckDB and nothing else. Without it (no network, no build for this machine) the other figures stand. */
export function installed(): boolean {
  if (existsSync(join(BENCH, "node_modules/@duckdb/node-api/package.json"))) return true;
  console.error("installing the yardsticks (npm --prefix bench ci)");
  const npm = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: BENCH, stdio: ["ignore", 2, 2] });
  if (npm.status === 0) return true;
  console.error("DuckDB cannot be installed here: its figures are left out");
  return false;
}

/** @throws Error where DuckDB has not read as many rows as it should. */
export function duckdb(utf8Csv: string, rows: number): number {
  const said = execFileSync(process.execPath, [join(import.meta.dirname, "duckdb-process.ts"), utf8Csv], {
    encoding: "utf8",
  });
  const measured = JSON.parse(said) as { cpuMs: number; rows: number };
  if (measured.rows !== rows) throw new Error(`DuckDB has read ${measured.rows} rows instead of ${rows}`);
  return measured.cpuMs;
}

/** Undefined where there is no bash. */
export function wordCount(csv: string): number | undefined {
  const timed = spawnSync("bash", ["-c", "TIMEFORMAT='%3U %3S'; time wc -l < \"$1\"", "bash", csv], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  if (timed.status !== 0) return undefined;
  const [user, system] = timed.stderr.trim().split(" ").map(Number);
  return (user! + system!) * 1_000;
}

const PYTHON = `
import csv, sys, time
start = time.process_time()
rows = 0
with open(sys.argv[1], encoding="cp1252", newline="") as file:
    for row in csv.reader(file, delimiter=";"):
        rows += 1
print((time.process_time() - start) * 1000)
`;

/** Python's csv module, which is written in C: rows split, nothing typed. Undefined where there is no python3. */
export function python(csv: string): number | undefined {
  const timed = spawnSync("python3", ["-c", PYTHON, csv], { encoding: "utf8" });
  return timed.status === 0 ? Number(timed.stdout) : undefined;
}
