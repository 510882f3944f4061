/** `mailfeed check FILE --against`: what a file would do to the records of a deployment. It is uploaded as a dry run and followed to its end. */
import { readFileSync } from "node:fs";
import type { Effect, RowEffect } from "../src/domain/effect.ts";
import { type FailureReport, shown } from "../src/domain/failures.ts";
import { grouped } from "../src/domain/words.ts";
import { doorwayOf, feedPath, readApi, tellRefused, uploadTo } from "./api-client.ts";
import { type Arguments, EXIT, type Io, numberOption, textOption, UsageError } from "./command.ts";
import { inputFile } from "./input.ts";
import { type Doorway, describe, follow } from "./local/mailroom.ts";
import { DEV_FOLDER } from "./local/settings.ts";
import { runningStack } from "./local/stack.ts";

/** A large file waits for its customer's other files and is read whole. */
export const AGAINST_TIMEOUT_SECONDS = 300;
/** Rejected rows told to a person. */
const TOLD_REJECTS = 20;
/** Rows that show what would happen, told to a person. */
const TOLD_EXAMPLES = 10;
const TOLD_VALUES = 3;
/** Characters of a key or a value. */
const VALUE_MAX_CHARS = 40;

interface Reject {
  readonly line: number;
  readonly sentence: string;
  readonly hint: string;
}

interface Asked {
  readonly id: string;
  readonly path: string;
  readonly state: string;
  readonly failure: FailureReport | null;
  readonly comparison: Effect | null;
  readonly rejects: readonly Reject[];
}

/** Exit code 0: it would be applied. 1: it would be held, or cannot be read. */
export async function checkAgainst(path: string, against: string, args: Arguments, io: Io): Promise<number> {
  const feed = textOption(args, "feed");
  if (feed === undefined) throw new UsageError("check --against needs --feed CUSTOMER/FEED");
  for (const other of ["to", "mapping", "from"]) {
    if (args.values[other] !== undefined) throw new UsageError(`check --against does not go with --${other}`);
  }
  const input = await inputFile(path);
  if (input.door === "mail") {
    throw new UsageError(
      "a mail is asked about by sending it to the feed's +dryrun address (see mailfeed send); --against takes the file in it",
    );
  }
  const door = doorway(against, args);
  io.progress(`Uploading ${path} (${input.source.size} bytes) as a dry run …`);
  const query = new URLSearchParams({ name: input.name, dry_run: "true" });
  const sent = await uploadTo<{ delivery: { id: string } }>(
    door,
    `${feedPath(feed)}/files?${query}`,
    new Uint8Array(readFileSync(path)),
  );
  if (sent.kind === "refused") return tellRefused(sent.refused, args, io);
  const { id } = sent.value.delivery;
  const status = await follow(door, id, {
    timeoutMs: numberOption(args, "timeout", AGAINST_TIMEOUT_SECONDS) * 1_000,
    onChange: (now) => io.progress(`${id.slice(0, 8)}  ${describe(now)}`),
  });
  const files: Asked[] = [];
  for (const file of status.files) {
    const { comparison } = await readApi<{ comparison: Effect | null }>(door, `/v1/files/${file.id}/comparison`);
    const rejects = await readApi<{ items: Reject[] }>(door, `/v1/files/${file.id}/rejects?limit=${TOLD_REJECTS}`);
    const { path: name, state, failure } = file;
    files.push({
      id: file.id,
      path: name,
      state,
      failure: failure as FailureReport | null,
      comparison,
      rejects: rejects.items,
    });
  }
  const { failure } = status;
  const ok = failure === null && files.length > 0 && files.every(({ comparison }) => comparison?.verdict === "apply");
  if (args.json) {
    io.out(JSON.stringify({ feed, against: door.url, delivery: { id, state: status.state, failure }, files, ok }));
  } else {
    if (failure !== null) io.err(`${failure.sentence} ${failure.hint}`);
    for (const file of files) for (const line of linesOf(file)) io.out(line);
    io.out("Nothing was changed.");
  }
  return ok ? EXIT.ok : EXIT.refused;
}

function doorway(against: string, args: Arguments): Doorway {
  if (against !== "local") return doorwayOf({ ...args, values: { ...args.values, url: against } });
  const running = runningStack(DEV_FOLDER);
  if (running !== undefined) return running;
  throw new UsageError("no local stack is known here; start one with npm start", "no-stack");
}

/** What a person reads of one file. */
export function linesOf({ path, failure, comparison, rejects }: Omit<Asked, "id" | "state">): string[] {
  const told = rejects.map(({ line, sentence, hint }) => `  line ${line}: ${sentence} ${hint}`);
  if (comparison === null) {
    const why = failure === null ? "it came to no end" : `${failure.sentence} ${failure.hint}`;
    return [`${path}: cannot be compared. ${why}`, ...told];
  }
  const more = comparison.rejected - rejects.length;
  return [
    `${path}: would be ${comparison.verdict === "apply" ? "applied" : "held"}`,
    ...comparison.reasons.map(({ sentence }) => `  because: ${sentence}`),
    ...table(comparison),
    ...(comparison.kept === null
      ? []
      : [`  ${grouped(comparison.kept.records)} records that it lacks would stay (${comparison.kept.because})`]),
    ...comparison.examples.slice(0, TOLD_EXAMPLES).map((row) => `  ${exampleText(row)}`),
    ...told,
    ...(more > 0 && told.length > 0 ? [`  … and ${grouped(more)} more rejected rows`] : []),
  ];
}

function table(effect: Effect): string[] {
  const { records, accepted, rejected, inserted, changed, unchanged, stale, superseded, retired, mode, fields } =
    effect;
  const about = fields.exact ? "" : "about ";
  const byField = fields.counts.map(({ field, records: n }) => `${field} ${about}${grouped(n)}`).join(", ");
  const some = (what: string, n: number): [string, number, string][] => (n === 0 ? [] : [[what, n, ""]]);
  const rows: [string, number, string][] = [
    ["records now", records, ""],
    ["rows accepted", accepted, ""],
    ...some("rows rejected", rejected),
    ["new", inserted, ""],
    ["changed", changed, byField],
    ...(mode === "full" ? [["retired", retired, ""] as [string, number, string]] : []),
    ["unchanged", unchanged, ""],
    ...some("older than what is known", stale),
    ...some("repeated further down", superseded),
  ];
  const width = Math.max(...rows.map(([what]) => what.length));
  const digits = Math.max(...rows.map(([, n]) => grouped(n).length));
  return rows.map(([what, n, more]) => `  ${what.padEnd(width)}  ${grouped(n).padStart(digits)}  ${more}`.trimEnd());
}

function exampleText({ kind, key, values, more }: RowEffect): string {
  const said = values.slice(0, TOLD_VALUES).map(({ field, before, after }) => {
    if (kind === "retired") return `${field} ${valueText(before)}`;
    return kind === "inserted" ? `${field} ${valueText(after)}` : `${field} ${valueText(before)} → ${valueText(after)}`;
  });
  const left = more + values.length - said.length;
  const rest = left > 0 ? `, and ${left} more` : "";
  return `${kind.padEnd(8)}  ${shown(key, VALUE_MAX_CHARS).slice(1, -1)}: ${said.join(", ")}${rest}`;
}

const valueText = (value: unknown): string =>
  value === null || value === undefined || value === ""
    ? "empty"
    : shown(typeof value === "string" ? value : String(value), VALUE_MAX_CHARS).slice(1, -1);
