/** A replay as it goes, and as it ended: for the commands that begin one. */
import { setTimeout as pause } from "node:timers/promises";
import { readApi } from "./api-client.ts";
import { EXIT, type Io } from "./command.ts";
import type { Doorway } from "./local/mailroom.ts";

/** How often the server is asked how far it is. */
const POLL_MS = 1_000;
const BAR_CHARS = 24;

interface Numbers {
  readonly files: number;
  readonly held: number;
  readonly rejected: number;
  readonly dead: number;
  readonly accepted: number;
  readonly inserted: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly stale: number;
  readonly retired: number;
}

interface Deliveries {
  readonly total: number;
  readonly waiting: number;
  readonly sent: number;
  readonly done: number;
  readonly skipped: number;
  readonly failed: number;
}

export interface ReplayShown {
  readonly id: string;
  readonly state: "collecting" | "running" | "paused" | "done" | "cancelled" | "failed";
  readonly scope: {
    readonly customer: string | null;
    readonly feed: string | null;
    readonly since: string | null;
    readonly objects: number | null;
  };
  readonly shadow: boolean;
  readonly profile: number | null;
  readonly mapping: number | null;
  readonly failure: { readonly sentence: string; readonly hint: string } | null;
  readonly created_at: string;
  readonly created_by: string;
}

export interface ReplayReport extends ReplayShown {
  readonly progress: {
    readonly deliveries: Deliveries;
    readonly bytes: { readonly total: number; readonly done: number };
    readonly rows: number;
    readonly remaining_seconds: number | null;
  };
  readonly totals: Numbers;
  readonly feeds: readonly (Numbers & { readonly feed: string; readonly deliveries: Deliveries })[];
  readonly left_out: readonly {
    readonly state: "skipped" | "failed";
    readonly sentence: string;
    readonly deliveries: number;
    readonly examples: readonly string[];
  }[];
}

const n = (value: number) => value.toLocaleString("en");
const of = (count: number, one: string, many = `${one}s`) => `${n(count)} ${count === 1 ? one : many}`;

/** One line: how far it is, and how long it will still take. */
export function progressLine({ id, state, progress }: ReplayReport): string {
  const { deliveries, bytes, rows, remaining_seconds: left } = progress;
  if (state === "collecting")
    return `replay ${id}: looking through the archive, ${of(deliveries.total, "delivery", "deliveries")} so far`;
  const ended = deliveries.done + deliveries.failed;
  const share = bytes.total === 0 ? 1 : bytes.done / bytes.total;
  const filled = Math.floor(share * BAR_CHARS);
  const bar = `${"█".repeat(filled)}${"░".repeat(BAR_CHARS - filled)}`;
  const time = state !== "running" ? `, ${state}` : left === null ? "" : `, ${duration(left)} left`;
  const all = deliveries.total - deliveries.skipped;
  return `replay ${id} ${bar} ${Math.floor(share * 100)} %  ${n(ended)} of ${of(all, "delivery", "deliveries")}, ${of(rows, "row")}${time}`;
}

/** @param seconds whole ones */
export function duration(seconds: number): string {
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

/** What it is about and how, in a few words. */
export function scopeLine({ scope, shadow, profile, mapping }: ReplayShown): string {
  const { customer, feed, since, objects } = scope;
  const about = customer === null ? "everything" : feed === null ? `customer ${customer}` : `${customer}/${feed}`;
  const parts = [
    ...(objects === null ? [] : [of(objects, "delivery", "deliveries")]),
    ...(since === null ? [] : [`since ${since.slice(0, 16).replace("T", " ")}`]),
    ...(profile === null ? [] : [`format ${profile}`]),
    ...(mapping === null ? [] : [`mapping ${mapping}`]),
    ...(shadow ? ["shadow: nothing is applied"] : []),
  ];
  return [about, ...parts].join(", ");
}

/** All of it for people. */
export function reportText(report: ReplayReport): string {
  const { state, shadow, feeds, left_out: leftOut, failure } = report;
  const lines = [`Replay ${report.id} (${scopeLine(report)}) is ${state}.`];
  if (failure !== null) lines.push(`  ${failure.sentence} ${failure.hint}`);
  if (state === "running" || state === "collecting" || state === "paused") lines.push(progressLine(report));
  if (feeds.length > 0) lines.push(table(report));
  const { inserted, changed, retired, held } = report.totals;
  const would = (count: number) => (shadow ? "would be" : count === 1 ? "was" : "were");
  if (inserted + changed + retired > 0) {
    lines.push(`${of(inserted, "record")} ${would(inserted)} new, ${n(changed)} changed, ${n(retired)} retired.`);
  } else if (state === "done") lines.push(shadow ? "Nothing would change." : "Nothing changed.");
  if (held > 0)
    lines.push(
      `${of(held, "file")} ${would(held)} held for what ${held === 1 ? "it does" : "they do"}${shadow ? "" : ": see mailfeed holds"}.`,
    );
  for (const { state: how, sentence, deliveries, examples } of leftOut) {
    const shown = examples.length < deliveries ? `${examples.join(" ")} …` : examples.join(" ");
    lines.push(
      `${of(deliveries, "delivery", "deliveries")} ${how === "failed" ? "failed" : "left out"}: ${sentence} ${shown}`,
    );
  }
  return lines.join("\n");
}

function table({ feeds }: ReplayReport): string {
  const head = [
    "feed",
    "deliveries",
    "files",
    "rows",
    "new",
    "changed",
    "unchanged",
    "stale",
    "retired",
    "held",
    "refused",
  ];
  const rows = feeds.map((one) => [
    one.feed,
    ...[
      one.deliveries.done,
      one.files,
      one.accepted,
      one.inserted,
      one.changed,
      one.unchanged,
      one.stale,
      one.retired,
      one.held,
      one.rejected + one.dead,
    ].map(n),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [head, ...rows].map(line).join("\n");
}

const ENDED: ReadonlySet<string> = new Set(["done", "cancelled", "failed", "paused"]);

/** Exit code of a replay that has come to its end: all of it, and nothing of it failed or is held. */
export const exitOf = ({ state, progress, totals }: ReplayReport): number =>
  state === "done" && progress.deliveries.failed + totals.held + totals.dead === 0 ? EXIT.ok : EXIT.refused;

/** Follows a replay to its end. Undefined after Ctrl-C, which leaves it to the server, and says so. */
export async function watchReplay(door: Doorway, id: string, io: Io): Promise<ReplayReport | undefined> {
  const interrupted = new AbortController();
  const stop = () => interrupted.abort();
  process.once("SIGINT", stop);
  try {
    for (let said = ""; ; ) {
      const report = await readApi<ReplayReport>(door, `/v1/replays/${id}`);
      if (ENDED.has(report.state)) return report;
      const line = progressLine(report);
      if (line !== said) io.progress(line);
      said = line;
      await pause(POLL_MS, undefined, { signal: interrupted.signal }).catch((error: Error) => {
        if (error.name !== "AbortError") throw error;
      });
      if (interrupted.signal.aborted) {
        io.err(`The replay goes on without you. Look again with: mailfeed replay show ${id}`);
        return undefined;
      }
    }
  } finally {
    process.removeListener("SIGINT", stop);
  }
}
