/** Archives from the tests of libzip and yauzl. */
import { createHash } from "node:crypto";
import { asFailure, type FailureReport } from "../../../src/domain/failures.ts";
import { openDelivery } from "../../../src/parse/open/open.ts";
import { bytesSource } from "../../../src/parse/open/source.ts";
import { corpusBytes, corpusTruth } from "../../support/corpora.ts";
import type { CaseResult, Corpus } from "../case.ts";

interface Found {
  /** Path inside the archive; empty for the archive itself. */
  readonly path: string;
  readonly sha256: string | undefined;
  readonly problem: FailureReport | undefined;
}

const NAME = "a.zip";

async function entriesOf(file: string): Promise<Found[]> {
  const found: Found[] = [];
  const inside = (path: string) => path.slice(NAME.length + 1);
  for await (const one of openDelivery(bytesSource(corpusBytes(file)), { door: "upload", name: NAME })) {
    if (one.kind === "problem") {
      found.push({ path: inside(one.path), sha256: undefined, problem: one.report });
      continue;
    }
    const hash = createHash("sha256");
    let problem: FailureReport | undefined;
    try {
      for await (const block of one.file.open()) hash.update(block);
    } catch (thrown) {
      const failed = asFailure(thrown);
      if (failed.code === "internal-error") throw thrown;
      problem = failed.report;
    }
    found.push({ path: inside(one.file.path), sha256: hash.digest("hex"), problem });
  }
  return found;
}

interface OutcomeTruth {
  readonly file: string;
  readonly outcome: "ok" | "error";
  readonly message: string;
}

export const zipOutcome: Corpus = {
  name: "zip outcome",
  target: 1,
  counting:
    "right: what must fail has a problem; what libzip finds consistent is opened and has as many entries. libzip compares headers and reads no data: where an entry's data is damaged too (incons-data.zip), a problem in the place of that entry is right",
  async run() {
    const results: CaseResult[] = [];
    for (const truth of corpusTruth<OutcomeTruth>("zip_outcome")) results.push(await outcomeCase(truth));
    return results;
  },
};

async function outcomeCase({ file, outcome, message }: OutcomeTruth): Promise<CaseResult> {
  const found = await entriesOf(file);
  const problems = found.flatMap(({ path, problem }) => (problem ? [{ path, problem }] : []));
  if (outcome === "error") {
    if (problems.length > 0) return { id: file, outcome: "right" };
    return { id: file, outcome: "silent-wrong", detail: `opened, although: ${message}` };
  }
  const entries = Number(/(\d+) entries/.exec(message)?.[1]);
  const refused = problems.find(({ path, problem }) => path === "" || !isDamagedData(problem));
  if (refused) return { id: file, outcome: "refused", detail: refused.problem.sentence };
  if (found.length === entries) return { id: file, outcome: "right" };
  return { id: file, outcome: "silent-wrong", detail: `${found.length} entries, ${entries} expected` };
}

const isDamagedData = ({ code, sentence }: FailureReport): boolean =>
  code === "file-corrupt" && sentence.includes("its checksum is wrong");

interface EntriesTruth {
  readonly file: string;
  readonly entries: Readonly<Record<string, { readonly sha256: string }>>;
}

export const zipEntries: Corpus = {
  name: "zip entries",
  target: 1,
  counting:
    "right: the entries that yauzl lists, byte for byte, by name (without accents, which the list lacks; a name in another script, which the list spells in Latin letters, counts by its bytes). Of an empty archive: none, and it is said. Of a locked archive the list holds the hash of the cipher text: right is to refuse it as locked",
  async run() {
    const results: CaseResult[] = [];
    for (const truth of corpusTruth<EntriesTruth>("zip_entries")) results.push(await entriesCase(truth));
    return results;
  },
};

async function entriesCase({ file, entries }: EntriesTruth): Promise<CaseResult> {
  const found = await entriesOf(file);
  const problem = found.find((one) => one.problem)?.problem;
  const wanted = Object.entries(entries).map(([name, { sha256 }]) => [name, sha256]);
  if (problem) {
    const isSaid = wanted.length === 0 ? problem.code === "archive-empty" : problem.code === "file-encrypted";
    return isSaid && found.length === 1
      ? { id: file, outcome: "right" }
      : { id: file, outcome: "refused", detail: problem.sentence };
  }
  const names = new Map(wanted.map(([name, sha256]) => [sha256, name]));
  const read = found.map(({ path, sha256 }) => [spelled(path) ?? names.get(sha256), sha256]);
  if (JSON.stringify(read.sort()) === JSON.stringify(wanted.sort())) return { id: file, outcome: "right" };
  return { id: file, outcome: "silent-wrong", detail: `${JSON.stringify(read)} for ${JSON.stringify(wanted)}` };
}

/** A name without accents; undefined where it is in another script. */
function spelled(name: string): string | undefined {
  const plain = name.normalize("NFD").replace(/[\u0300-\u036f]/g, "");
  return /^[ -~]*$/.test(plain) ? plain : undefined;
}
