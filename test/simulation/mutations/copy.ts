/**
 * A copy of all that the simulator runs, outside the repository: Node strips no types below `node_modules`, and what others
 * edit meanwhile must not change what is tried. Packages are those of the repository.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Mutation, mutated } from "./mutation.ts";

export const ROOT = join(import.meta.dirname, "../../..");

/** What the simulator reads and imports. */
const PARTS = ["src", "migrations", "cli", "adapters", "test/simulation", "wrangler.toml", "package.json"];

export const readIn =
  (root: string) =>
  (file: string): string =>
    readFileSync(join(root, file), "utf8");

/** A folder with a copy of `root`, which `remove` takes away again. */
export function copyOf(root: string): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "mailfeed-mutation-"));
  for (const part of PARTS) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"), "dir");
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export function mutateIn(folder: string, mutation: Mutation): void {
  for (const [file, text] of mutated(mutation, readIn(folder))) writeFileSync(join(folder, file), text);
}
