/** `mailfeed mapping`: what the columns of a feed mean, as data of a running deployment. */
import type { CaseResult } from "../../src/mapping/cases.ts";
import { checkMapping } from "../../src/mapping/check.ts";
import type { Tried, TriedRow } from "../../src/mapping/try.ts";
import { apiOptions, callApi, doorwayOf, feedPath, readApi, tellRefused } from "../api-client.ts";
import { type Arguments, type Command, EXIT, type Io, textOption, UsageError } from "../command.ts";
import { draftFile, jsonFile } from "../draft-file.ts";
import { adapterNamed } from "../input.ts";

const ACTIONS = {
  show: "C/F",
  draft: "C/F FILE.json",
  try: "C/F --file FILE_ID (--version N | FILE.json)",
  activate: "C/F VERSION",
  rollback: "C/F",
  test: "C/F FILE.json",
} as const;

export const mapping: Command = {
  name: "mapping",
  summary: "shows, drafts, tries, activates and takes back the mapping of a feed",
  usage: "show|draft|try|activate|rollback|test C/F [FILE.json|VERSION]",
  options: {
    file: { type: "string", help: "try: the id of a stored file" },
    version: { type: "string", help: "try: a version of the mapping instead of a file" },
    note: { type: "string", help: "why, for whoever asks later" },
    ...apiOptions,
  },
  details: `${Object.entries(ACTIONS)
    .map(([action, takes]) => `  mapping ${action} ${takes}`)
    .join(
      "\n",
    )}\n\nFILE.json: {"mapping": {"columns": […], "key": […]}, "cases": [{"cells": {"SKU": "a-1"}, "expect": {"record": {"sku": "A-1"}}}]}.\ntest needs no deployment: the adapter of this project reads the cases. A draft changes nothing until it is activated, and\nonly a version whose cases all hold can be. With --json: the answer of the API (see docs/api.md).`,
  async run(args, io) {
    const [action, name, subject, ...more] = args.positionals;
    if (action === undefined || !isAction(action) || name === undefined || more.length > 0) throw usage();
    const path = feedPath(name);
    switch (action) {
      case "show":
        if (subject !== undefined) throw usage();
        return show(args, io, path);
      case "draft":
        if (subject === undefined) throw usage();
        return draft(args, io, path, subject);
      case "try":
        return tryOn(args, io, path, subject);
      case "activate":
        if (subject === undefined || !/^[1-9]\d{0,8}$/.test(subject)) throw usage();
        return decide(args, io, `${path}/mapping/${subject}/activate`);
      case "rollback":
        if (subject !== undefined) throw usage();
        return decide(args, io, `${path}/mapping/rollback`);
      case "test":
        if (subject === undefined) throw usage();
        return test(args, io, name, subject);
    }
  },
};

const isAction = (text: string): text is keyof typeof ACTIONS => Object.hasOwn(ACTIONS, text);

const usage = () =>
  new UsageError(
    `mapping takes ${Object.entries(ACTIONS)
      .map(([a, takes]) => `${a} ${takes}`)
      .join(", or ")}`,
  );

const noteIn = (args: Arguments): { note?: string } => {
  const note = textOption(args, "note");
  return note === undefined ? {} : { note };
};

interface Shown {
  readonly active: { readonly version: number; readonly decided_at: string; readonly decided_by: string } | null;
  readonly mapping: {
    readonly columns: readonly { readonly name: string; readonly type: string }[];
    readonly key: readonly string[];
  } | null;
  readonly cases: readonly unknown[];
  readonly drafts: readonly {
    readonly version: number;
    readonly created_by: string;
    readonly changes: readonly string[];
  }[];
}

async function show(args: Arguments, io: Io, path: string): Promise<number> {
  const shown = await readApi<Shown>(doorwayOf(args), `${path}/mapping`);
  if (args.json) {
    io.out(JSON.stringify(shown));
    return EXIT.ok;
  }
  const { active, mapping: now, cases, drafts } = shown;
  if (now === null) io.out("No mapping yet: it is proposed from the first file.");
  else {
    const which =
      active === null
        ? "The adapter's own mapping"
        : `Version ${active.version} (${active.decided_by}, ${active.decided_at})`;
    io.out(`${which}: ${now.columns.length} columns, key ${now.key.join(" + ")}, ${cases.length} cases`);
    for (const column of now.columns) io.out(`  ${column.name}  ${column.type}`);
  }
  for (const { version, created_by, changes } of drafts) {
    io.out(`Draft ${version} (${created_by}):`);
    for (const change of changes) io.out(`  ${change}`);
  }
  return EXIT.ok;
}

interface Check {
  readonly ok: boolean;
  readonly faults: readonly { readonly path: string; readonly message: string }[];
  readonly cases: readonly CaseResult[];
}

/** Exit code 1 where the draft is kept but could not become active. */
async function draft(args: Arguments, io: Io, path: string, file: string): Promise<number> {
  const body = jsonFile(file);
  const noted = typeof body === "object" && body !== null && !Array.isArray(body) ? { ...body, ...noteIn(args) } : body;
  const answer = await callApi<{ version: number; changes: string[]; check: Check }>(
    doorwayOf(args),
    "POST",
    `${path}/mapping/drafts`,
    noted,
  );
  if (answer.kind === "refused") return tellRefused(answer.refused, args, io);
  const { version, changes, check } = answer.value;
  if (args.json) io.out(JSON.stringify(answer.value));
  else {
    io.out(`Draft ${version}:`);
    for (const change of changes) io.out(`  ${change}`);
    tellCheck(check, io);
  }
  return check.ok ? EXIT.ok : EXIT.refused;
}

function tellCheck({ faults, cases }: Check, io: Io): void {
  for (const { path, message } of faults) io.err(`  ${path || "the whole"}: ${message}`);
  for (const { name, differences } of cases) for (const line of differences) io.err(`  ${name}: ${line}`);
  if (faults.length === 0) io.out(`${cases.filter((one) => one.passed).length} of ${cases.length} cases hold.`);
}

async function decide(args: Arguments, io: Io, path: string): Promise<number> {
  const answer = await callApi<{ version: number; before: number | null; changes: string[] }>(
    doorwayOf(args),
    "POST",
    path,
    noteIn(args),
  );
  if (answer.kind === "refused") return tellRefused(answer.refused, args, io);
  const { version, before, changes } = answer.value;
  if (args.json) io.out(JSON.stringify(answer.value));
  else {
    io.out(`Version ${version} is active${before === null || before === version ? "" : `, after version ${before}`}.`);
    for (const change of changes) io.out(`  ${change}`);
  }
  return EXIT.ok;
}

type TriedAnswer = Omit<Tried, "stillRejected" | "beforeFailure"> & {
  readonly changes: readonly string[];
  readonly still_rejected: number;
};

async function tryOn(args: Arguments, io: Io, path: string, draftPath: string | undefined): Promise<number> {
  const fileId = textOption(args, "file");
  const version = textOption(args, "version");
  if (fileId === undefined || (version === undefined) === (draftPath === undefined)) throw usage();
  if (version !== undefined && !/^[1-9]\d{0,8}$/.test(version)) throw usage();
  const what = draftPath === undefined ? { version: Number(version) } : { mapping: draftFile(draftPath).mapping };
  const body = { file_id: fileId, ...what };
  const answer = await callApi<TriedAnswer>(doorwayOf(args), "POST", `${path}/mapping/try`, body);
  if (answer.kind === "refused") return tellRefused(answer.refused, args, io);
  const tried = answer.value;
  if (args.json) {
    io.out(JSON.stringify(tried));
    return EXIT.ok;
  }
  for (const change of tried.changes) io.out(change);
  io.out(
    `${tried.compared} of ${tried.rows} rows compared: ${tried.same} the same, ${tried.changed} changed, ${tried.rejected} refused now, ${tried.accepted} no longer refused, ${tried.still_rejected} refused on both sides`,
  );
  for (const { row, before, after } of tried.examples) {
    io.out(`row ${row}\n  before ${before === null ? "-" : rowText(before)}\n  after  ${rowText(after)}`);
  }
  return EXIT.ok;
}

const rowText = (row: TriedRow): string =>
  "record" in row ? JSON.stringify(row.record) : row.rejected.map(({ sentence }) => sentence).join(" ");

/** Without a deployment: the adapter of this project and the cases of a file. */
function test(args: Arguments, io: Io, name: string, path: string): number {
  const adapter = adapterNamed(name);
  const { mapping: drafted, cases } = draftFile(path);
  const checked = checkMapping(adapter, undefined, drafted, cases);
  const faults = checked.faults.map(({ path: at, message }) => ({ path: at.join("."), message }));
  const check: Check = { ok: checked.ok, faults, cases: checked.cases };
  if (args.json) io.out(JSON.stringify(check));
  else tellCheck(check, io);
  return checked.ok ? EXIT.ok : EXIT.refused;
}
