/**
 * The answer to a dry run, for whoever sent it: somebody who knows the list and has never seen this system. What the file
 * would do, what could not be read, whether it would be stopped; and first of all that nothing was changed. Pure.
 */
import type { Effect, RowEffect } from "../domain/effect.ts";
import { shown } from "../domain/failures.ts";
import type { DryRunFile, DryRunNotice } from "../domain/notice.ts";
import { grouped, percent } from "../domain/words.ts";
import type { Block } from "./blocks.ts";
import { type Draft, timeText } from "./parts.ts";

/** Files told of one mail; the others are counted. */
const TOLD_FILES = 5;
/** Rows that show what would happen, of each kind and in all. */
const EXAMPLES_PER_KIND = 5;
const EXAMPLES_MAX = 10;
const FIELDS_MAX = 12;
/** Characters of a subject or a path. */
const NAME_MAX_CHARS = 120;

export function dryRun(notice: DryRunNotice): Draft {
  const { feedTitle, files, failure, deliveryId, subject, receivedAt } = notice;
  const told = files.slice(0, TOLD_FILES);
  const more = files.length - told.length;
  return {
    subject: `Dry run for “${feedTitle}”: ${inShort(notice)}`,
    blocks: [
      { kind: "title", text: "What your file would do" },
      {
        kind: "text",
        text: `You sent a mail to the “+dryrun” address of “${feedTitle}”. What came with it was compared with the data that we have, as a trial: nothing was loaded, and nothing was changed.`,
      },
      {
        kind: "table",
        head: [],
        rows: [
          ...(subject === "" ? [] : [["Subject", short(subject, NAME_MAX_CHARS)]]),
          ["Received", timeText(receivedAt)],
        ],
      },
      ...(failure === undefined
        ? []
        : [
            { kind: "heading" as const, text: "It cannot be read" },
            { kind: "text" as const, text: `${failure.sentence} ${failure.hint}` },
          ]),
      ...told.flatMap((file) => fileBlocks(file, feedTitle)),
      ...(more > 0 ? [{ kind: "text" as const, text: `… and ${more} more files, which are not told here.` }] : []),
      { kind: "heading", text: "What to do next" },
      { kind: "text", text: nextStep(notice) },
      {
        kind: "note",
        text: `Delivery ${deliveryId}. This mail answers yours and was written by a machine; nobody reads answers to it.`,
      },
    ],
  };
}

type End = "unreadable" | "compared" | "held" | "loaded";

const endOf = ({ effect }: DryRunFile): End =>
  effect === undefined
    ? "unreadable"
    : effect.mode === "snapshot"
      ? "compared"
      : effect.verdict === "hold"
        ? "held"
        : "loaded";

const IN_SHORT: Readonly<Record<End, string>> = {
  unreadable: "it cannot be loaded",
  compared: "it can be read",
  held: "it would be stopped",
  loaded: "it would be loaded",
};

function inShort({ files, failure }: DryRunNotice): string {
  const [only, second] = files;
  if (only === undefined) return failure === undefined ? "nothing was found in your mail" : "it cannot be read";
  if (second === undefined) return IN_SHORT[endOf(only)];
  const good = files.filter((file) => endOf(file) === "loaded").length;
  return `${good} of ${files.length} files would be loaded`;
}

function nextStep({ files }: DryRunNotice): string {
  const ends = new Set(files.map(endOf));
  const send = "send the same file to the usual address, without “+dryrun”";
  if (ends.has("held")) {
    return `Check what is said above. If the file is wrong, correct the export and ask again. If it is right, ${send}: it is then stopped and asked about, and loaded as soon as somebody says that it is right.`;
  }
  if (ends.has("loaded")) {
    return `If this is what you expect, ${send}. If it is not, correct the export and ask again; nothing has to be undone.`;
  }
  if (ends.has("compared")) return "Nothing. Files of this list go to the usual address, without “+dryrun”.";
  return "Do what is said above, then ask again. Nothing has to be undone.";
}

function fileBlocks(file: DryRunFile, feedTitle: string): Block[] {
  const { path, effect, failure } = file;
  const of = file.feedTitle === feedTitle ? "" : ` (${file.feedTitle})`;
  return [
    { kind: "heading", text: `${short(path, NAME_MAX_CHARS)}${of}` },
    ...(effect === undefined ? [] : effectBlocks(effect)),
    ...(failure === undefined
      ? []
      : [{ kind: "text" as const, text: `This file could not be compared. ${failure.sentence} ${failure.hint}` }]),
    ...rejectBlocks(file),
  ];
}

function effectBlocks(effect: Effect): Block[] {
  if (effect.mode === "snapshot") return [{ kind: "text", text: snapshotText(effect) }];
  return [
    { kind: "text", text: verdictText(effect) },
    ...(effect.reasons.length === 0
      ? []
      : [{ kind: "list" as const, items: effect.reasons.map(({ sentence }) => sentence) }]),
    {
      kind: "text",
      text: "What it would do, in numbers. A record is what one row of your list stands for, such as an article or an order.",
    },
    { kind: "table", head: ["", "How many", "Share"], rows: numbers(effect) },
    ...keptBlocks(effect),
    ...fieldBlocks(effect),
    ...exampleBlocks(effect.examples),
  ];
}

function verdictText({ verdict, inserted, changed, retired }: Effect): string {
  if (verdict === "hold") {
    return "If you sent it now, it would be stopped before anything of it is loaded, and somebody would be asked, because:";
  }
  if (inserted + changed + retired === 0) return "If you sent it now, nothing would change: all that it says is known.";
  return "If you sent it now, it would be loaded.";
}

const snapshotText = ({ rows, rejected }: Effect): string =>
  `It can be read: ${grouped(rows)} row${rows === 1 ? "" : "s"}${rejected === 0 ? "" : `, of which ${grouped(rejected)} cannot`}. A file of this list is never loaded: it is only held against the data that other files have brought.`;

function numbers(effect: Effect): string[][] {
  const { rows, rejected, records, inserted, changed, unchanged, retired, stale, superseded } = effect;
  const share = (n: number) => (records === 0 ? "" : percent(n / records));
  const some = (what: string, n: number, part = "") => (n === 0 ? [] : [[what, grouped(n), part]]);
  return [
    ["Rows in the file", grouped(rows), ""],
    ...some("Of these not readable", rejected),
    ["Records we have now", grouped(records), ""],
    ["New", grouped(inserted), share(inserted)],
    ["Changed", grouped(changed), share(changed)],
    ...(effect.mode === "full" ? [["Taken off", grouped(retired), share(retired)]] : []),
    ["Unchanged", grouped(unchanged), share(unchanged)],
    ...some("Older than what we have", stale),
    ...some("Repeated further down", superseded),
  ];
}

const KEPT: Readonly<Record<NonNullable<Effect["kept"]>["because"], string>> = {
  "not-full": "the file is not the whole list",
  late: "a newer file is loaded already",
  "newer-file": "a newer file is being loaded",
  "rejects-unread": "rows could not be read, and any of the missing ones may stand there",
};

function keptBlocks({ kept }: Effect): Block[] {
  if (kept === null) return [];
  const one = kept.records === 1;
  const text = `${grouped(kept.records)} record${one ? " is" : "s are"} not in the file and would stay all the same, because ${KEPT[kept.because]}.`;
  return [{ kind: "text", text }];
}

function fieldBlocks({ fields: { exact, counts } }: Effect): Block[] {
  if (counts.length === 0) return [];
  const more = counts.length - FIELDS_MAX;
  return [
    { kind: "text", text: "What would change in the changed records:" },
    {
      kind: "table",
      head: ["Field", "In how many records", ""],
      rows: counts
        .slice(0, FIELDS_MAX)
        .map(({ field, records }) => [cell(field), `${exact ? "" : "about "}${grouped(records)}`, ""]),
    },
    ...(more > 0 ? [{ kind: "text" as const, text: `… and ${more} more field${more === 1 ? "" : "s"}.` }] : []),
  ];
}

/** Characters of a key or a value in a table. */
const CELL_MAX_CHARS = 40;

function exampleBlocks(examples: readonly RowEffect[]): Block[] {
  const kinds = ["changed", "retired", "inserted", "restored"] as const;
  const rows = kinds
    .flatMap((kind) => examples.filter((one) => one.kind === kind).slice(0, EXAMPLES_PER_KIND))
    .slice(0, EXAMPLES_MAX);
  if (rows.length === 0) return [];
  return [
    { kind: "text", text: "For example:" },
    { kind: "table", head: ["Record", "Now", "With the file"], rows: rows.map(exampleOf) },
  ];
}

function exampleOf({ kind, key, values }: RowEffect): string[] {
  const name = cell(key);
  // The key says itself already; of a new record what it says first.
  const telling = kind === "changed" ? values : values.filter((one) => one.before !== key && one.after !== key);
  const first = telling.slice(0, kind === "changed" ? 2 : 1);
  const before = first.map((one) => `${cell(one.field)}: ${cell(one.before)}`).join("; ");
  const after = first.map((one) => `${cell(one.field)}: ${cell(one.after)}`).join("; ");
  switch (kind) {
    case "changed":
      return [name, before, after];
    case "retired":
      return [name, before || "there", "taken off"];
    case "inserted":
      return [name, "not there", after || "new"];
    case "restored":
      return [name, "was taken off", after || "back again"];
  }
}

/** One line, nothing invisible. */
function cell(value: unknown): string {
  if (value === null || value === undefined || value === "") return "empty";
  return short(typeof value === "string" ? value : String(value), CELL_MAX_CHARS);
}

const short = (text: string, maxChars: number): string => shown(text, maxChars).slice(1, -1);

function rejectBlocks({ effect, rejected, rejects }: DryRunFile): Block[] {
  if (rejects.length === 0) return [];
  const more = rejected - rejects.length;
  return [
    { kind: "text", text: `Rows that cannot be read${effect === undefined ? "" : ", and would be left out"}:` },
    {
      kind: "table",
      head: ["Where", "What it says", "What is wrong"],
      rows: rejects.map(({ line, value, sentence, hint }) => [`Line ${line}`, cell(value), `${sentence} ${hint}`]),
    },
    ...(more > 0 ? [{ kind: "text" as const, text: `… and ${grouped(more)} more.` }] : []),
  ];
}
