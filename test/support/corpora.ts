/** The corpora of real files lie beside the project, not in it. Tests that read them skip, saying so, where they are absent. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "../../../shared/corpora");

export const corporaPresent = existsSync(join(root, "MANIFEST.tsv"));

if (!corporaPresent) console.warn("The corpora are not beside the project: the tests on real files are skipped.");

export const corpusPath = (file: string): string => join(root, file);

export const corpusBytes = (file: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(corpusPath(file)));

/** The lines of `truth/<name>.jsonl`. */
export function corpusTruth<T>(name: string): T[] {
  return readFileSync(corpusPath(`truth/${name}.jsonl`), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}

/** The lines of the list of all files: where each comes from, what it shows, what is expected of it. */
export function corpusManifest(): { readonly file: string; readonly shows: string; readonly expected: string }[] {
  const [header = "", ...lines] = readFileSync(corpusPath("MANIFEST.tsv"), "utf8").split("\n");
  const names = header.split("\t");
  const at = (cells: readonly string[], name: string): string => cells[names.indexOf(name)] ?? "";
  return lines
    .filter((line) => line !== "")
    .map((line) => line.split("\t"))
    .map((cells) => ({ file: at(cells, "file"), shows: at(cells, "shows"), expected: at(cells, "expected") }));
}
