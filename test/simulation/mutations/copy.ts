/**
 * A copy of all that the simulator runs, outside the repository: Node strips no types below `node_modules`, and what others
 * edit meanwhile must not change what is tried. Packages are those of the repository.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Code, type Mutation, mutated } from "./mutation.ts";

export const ROOT = join(import.meta.dirname, "../../..");

/** What the simulator reads and imports. */
const PARTS = ["src", "migrations", "cli", "adapters", "test/simulation", "wrangler.toml", "package.json"];

/** The code below a root. */
export const codeIn = (root: string): Code => ({
  read: (file) => readFileSync(join(root, file), "utf8"),
  migrations: readdirSync(join(root, "migrations"))
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .map((name) => `migrations/${name}`),
});

/** A folder with a copy of `root`, which `remove` takes away again. */
export function copyOf(root: string): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "mailfeed-mutation-"));
  for (const part of PARTS) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"), "dir");
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export function mutateIn(folder: string, mutation: Mutation): void {
  for (const [file, text] of mutated(mutation, codeIn(folder))) writeFileSync(join(folder, file), text);
}
