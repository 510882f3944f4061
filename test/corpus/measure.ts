/** All corpora measured, and compared with the golden file. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CaseResult, Corpus } from "./case.ts";
import { adventureworks } from "./corpora/adventureworks.ts";
import { charsetPairs, charsets } from "./corpora/charset.ts";
import { csvSpectrum } from "./corpora/csv-spectrum.ts";
import { dialects } from "./corpora/dialects.ts";
import { duckdb, duckdbMustFail } from "./corpora/duckdb.ts";
import { erpExports } from "./corpora/erp.ts";
import { frictionless } from "./corpora/frictionless.ts";
import { mailAttachments, mailStructure } from "./corpora/mail.ts";
import { workbooks } from "./corpora/workbooks.ts";
import { zipEntries, zipOutcome } from "./corpora/zip.ts";

export const CORPORA: readonly Corpus[] = [
  adventureworks,
  charsetPairs,
  charsets,
  csvSpectrum,
  dialects,
  duckdb,
  duckdbMustFail,
  frictionless,
  erpExports,
  workbooks,
  mailAttachments,
  mailStructure,
  zipOutcome,
  zipEntries,
];

export const GOLDEN_FILE = join(import.meta.dirname, "../golden/corpus.json");

export interface MeasuredCorpus {
  readonly name: string;
  readonly counting: string;
  readonly target: number;
  readonly cases: number;
  readonly right: number;
  readonly refused: number;
  readonly wrong: number;
  readonly silentWrong: number;
  readonly notRight: readonly CaseResult[];
}

export interface Measured {
  readonly corpora: readonly MeasuredCorpus[];
}

export async function measure(): Promise<Measured> {
  const corpora: MeasuredCorpus[] = [];
  for (const corpus of CORPORA) {
    const results = await corpus.run();
    const count = (outcome: CaseResult["outcome"]) => results.filter((result) => result.outcome === outcome).length;
    corpora.push({
      name: corpus.name,
      counting: corpus.counting,
      target: corpus.target,
      cases: results.length,
      right: count("right"),
      refused: count("refused"),
      wrong: count("wrong"),
      silentWrong: count("silent-wrong"),
      notRight: results.filter((result) => result.outcome !== "right"),
    });
  }
  return { corpora };
}

/** The golden file names cases and outcomes; what stands in the files of others stays with them. */
export function goldenText({ corpora }: Measured): string {
  const kept = corpora.map((corpus) => ({
    ...corpus,
    notRight: corpus.notRight.map(({ id, outcome }) => ({ id, outcome })),
  }));
  return `${JSON.stringify({ corpora: kept }, null, 2)}\n`;
}

const RANK: Readonly<Record<CaseResult["outcome"], number>> = { right: 3, refused: 2, wrong: 1, "silent-wrong": 0 };

/** Cases whose outcome is worse than in the golden file, and corpora that lack cases. */
export function worseThanGolden(measured: Measured): string[] {
  if (!existsSync(GOLDEN_FILE)) return [];
  const golden = JSON.parse(readFileSync(GOLDEN_FILE, "utf8")) as Measured;
  return golden.corpora.flatMap((before) => {
    const now = measured.corpora.find((corpus) => corpus.name === before.name);
    if (now === undefined) return [`${before.name} is not measured any more`];
    const fewer = now.cases < before.cases ? [`${before.name} has ${now.cases} cases, had ${before.cases}`] : [];
    const fallen = now.notRight.flatMap((result) => {
      const was = before.notRight.find((one) => one.id === result.id)?.outcome ?? "right";
      return RANK[result.outcome] < RANK[was] ? [`${before.name}: ${result.id} was ${was}, is ${result.outcome}`] : [];
    });
    return [...fewer, ...fallen];
  });
}
