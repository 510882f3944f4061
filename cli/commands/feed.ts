/** `mailfeed feed`: how the files of a feed are written, and an operator's decisions about it. */
import {
  apiOptions,
  callApi,
  doorwayOf,
  feedPath,
  type OpenQuestion,
  questionText,
  readApi,
  tellRefused,
} from "../api-client.ts";
import { type Arguments, type Command, EXIT, type Io, textOption, UsageError } from "../command.ts";
import { jsonFile } from "../draft-file.ts";
import type { Doorway } from "../local/mailroom.ts";

const ACTIONS = {
  versions: "C/F",
  accept: "C/F [--answer COLUMN=VALUE …] [--profile FILE] [--mapping FILE]",
  reject: "C/F",
  drift: "C/F [--accept FILE_ID | --reject FILE_ID --note TEXT]",
} as const;

export const feed: Command = {
  name: "feed",
  summary: "shows and decides how the files of a feed are read: versions, proposals, drift",
  usage: "versions|accept|reject|drift C/F",
  options: {
    answer: {
      type: "string",
      multiple: true,
      help: "accept: COLUMN=VALUE, or WHAT:COLUMN=VALUE where a column has two questions",
    },
    profile: { type: "string", help: "accept: an edited format profile instead of the proposed one (JSON file)" },
    mapping: { type: "string", help: "accept: an edited mapping instead of the proposed one (JSON file)" },
    accept: { type: "string", help: "drift: pin the format of this held file" },
    reject: { type: "string", help: "drift: refuse this held file for good" },
    kind: { type: "string", help: "versions: profile or mapping only" },
    note: { type: "string", help: "why, for whoever asks later" },
    ...apiOptions,
  },
  details: `${Object.entries(ACTIONS)
    .map(([action, takes]) => `  feed ${action} ${takes}`)
    .join("\n")}\n\nWith --json: the answer of the API (see docs/api.md).`,
  async run(args, io) {
    const [action, name, ...more] = args.positionals;
    if (name === undefined || more.length > 0) throw usage();
    const path = feedPath(name);
    const door = () => doorwayOf(args);
    switch (action) {
      case "versions":
        return versions(args, io, door(), path);
      case "accept":
        return accept(args, io, door(), path);
      case "reject":
        return decide(args, io, door(), `${path}/profile/reject`, noteIn(args), "The proposal is rejected.");
      case "drift":
        return drift(args, io, door(), name);
      default:
        throw usage();
    }
  },
};

const usage = () =>
  new UsageError(
    `feed takes ${Object.entries(ACTIONS)
      .map(([a, takes]) => `${a} ${takes}`)
      .join(", or ")}`,
  );

const noteIn = (args: Arguments): { note?: string } => {
  const note = textOption(args, "note");
  return note === undefined ? {} : { note };
};

interface VersionFacts {
  readonly kind: string;
  readonly version: number;
  readonly state: string;
  readonly created_by: string;
  readonly created_at: string;
  readonly note: string | null;
}

interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

async function versions(args: Arguments, io: Io, door: Doorway, path: string): Promise<number> {
  const kind = textOption(args, "kind");
  const page = await readApi<Page<VersionFacts>>(
    door,
    `${path}/versions?limit=200${kind === undefined ? "" : `&kind=${encodeURIComponent(kind)}`}`,
  );
  const open = await openQuestions(door, path, page.items);
  if (args.json) {
    io.out(JSON.stringify({ ...page, questions: open }));
    return EXIT.ok;
  }
  for (const one of page.items) {
    const note = one.note === null ? "" : `  “${one.note}”`;
    io.out(`${one.kind} ${one.version}  ${one.state}  ${one.created_by}, ${one.created_at}${note}`);
  }
  if (page.items.length === 0) io.out("No versions yet: they come with the first file.");
  for (const question of open) io.out(`open: ${questionText(question)}`);
  return EXIT.ok;
}

/** What detection asks in the profile that it proposes. */
async function openQuestions(
  door: Doorway,
  path: string,
  listed: readonly VersionFacts[],
): Promise<readonly OpenQuestion[]> {
  const proposed = listed.find((one) => one.kind === "profile" && one.state === "proposed");
  if (proposed === undefined) return [];
  const { evidence } = await readApi<{ evidence: { questions?: readonly OpenQuestion[] } | null }>(
    door,
    `${path}/versions/profile/${proposed.version}`,
  );
  return evidence?.questions ?? [];
}

interface AnswerTo {
  readonly what: string;
  readonly column?: string;
  readonly answer: string;
}

/** `COLUMN=VALUE` or `WHAT=VALUE` or `WHAT:COLUMN=VALUE`, each as the answer to the one question that it names. */
export function answersTo(given: readonly string[], questions: readonly OpenQuestion[]): AnswerTo[] {
  return given.map((text) => {
    const cut = text.lastIndexOf("=");
    if (cut < 1 || cut === text.length - 1)
      throw new UsageError(`--answer takes COLUMN=VALUE, not ${JSON.stringify(text)}`);
    const [name, said] = [text.slice(0, cut), text.slice(cut + 1)];
    const named = questions.filter(
      ({ what, column }) => column === name || (column === undefined && what === name) || `${what}:${column}` === name,
    );
    const [question] = named;
    if (question === undefined) {
      const open = questions.map(({ what, column }) => column ?? what).join(", ") || "nothing";
      throw new UsageError(`nothing is asked about ${JSON.stringify(name)}; open: ${open}`, "no-such-question");
    }
    if (named.length > 1) {
      const ways = named.map(({ what, column }) => `${what}:${column}`).join(" or ");
      throw new UsageError(`${name} has more than one question; say ${ways}`, "which-question");
    }
    const { what, column } = question;
    const answer = optionMeant(said, question);
    return column === undefined ? { what, answer } : { what, column, answer };
  });
}

/** One of the options, or the only one with that order of day, month and year. Throws UsageError that lists them. */
function optionMeant(said: string, { what, column, options }: OpenQuestion): string {
  if (options.length === 0 || options.includes(said)) return said;
  const ordered = options.filter((option) => /^[dmy]{3}$/.test(said) && orderOf(option) === said);
  if (ordered.length === 1) return ordered[0]!;
  throw new UsageError(`${column ?? what} takes one of ${options.join(", ")}, not ${said}`, "no-such-option");
}

/** Of day, month and year in a date format: `dd/MM/yyyy` is `dmy`. */
const orderOf = (format: string): string =>
  [
    ...new Set(
      format
        .replace(/HH|mm|ss/g, "")
        .toLowerCase()
        .replace(/[^dmy]/g, ""),
    ),
  ].join("");

const answerOptions = (args: Arguments): string[] => {
  const given = args.values.answer;
  return Array.isArray(given) ? given.filter((one): one is string => typeof one === "string") : [];
};

async function accept(args: Arguments, io: Io, door: Doorway, path: string): Promise<number> {
  const given = answerOptions(args);
  const questions =
    given.length === 0
      ? []
      : await openQuestions(
          door,
          path,
          (await readApi<Page<VersionFacts>>(door, `${path}/versions?kind=profile&limit=200`)).items,
        );
  const body = { answers: answersTo(given, questions), ...edits(args), ...noteIn(args) };
  return decide(args, io, door, `${path}/profile/accept`, body, "Accepted: files that waited are read now.");
}

function edits(args: Arguments): Record<string, unknown> {
  const files = { profile: textOption(args, "profile"), mapping: textOption(args, "mapping") };
  return Object.fromEntries(
    Object.entries(files).flatMap(([what, file]) => (file === undefined ? [] : [[what, jsonFile(file)]])),
  );
}

interface HeldFile {
  readonly id: string;
  readonly path: string;
  readonly received_at: string;
  readonly failure: { readonly code: string; readonly sentence: string; readonly hint: string } | null;
}

async function drift(args: Arguments, io: Io, door: Doorway, name: string): Promise<number> {
  const [accepted, rejected] = [textOption(args, "accept"), textOption(args, "reject")];
  if (accepted !== undefined && rejected !== undefined) throw usage();
  if (accepted !== undefined) {
    const given = answerOptions(args).map(wholeAnswer);
    const body = { answers: given, ...edits(args), ...noteIn(args) };
    return decide(
      args,
      io,
      door,
      filePath(accepted, "accept-drift"),
      body,
      "Accepted: the file is read by its own format now.",
    );
  }
  if (rejected !== undefined) {
    const reason = textOption(args, "note");
    if (reason === undefined) throw new UsageError("say with --note why the file is refused");
    return decide(args, io, door, filePath(rejected, "reject"), { reason }, "The file is refused.");
  }
  const [customer = "", slug = ""] = name.split("/");
  const { items } = await readApi<Page<HeldFile>>(
    door,
    `/v1/files?customer=${customer}&feed=${slug}&state=held&limit=200`,
  );
  const drifted = items.filter((file) => file.failure?.code === "format-drift");
  const reports = await Promise.all(drifted.map((file) => readApi<HeldFile>(door, `/v1/files/${file.id}`)));
  if (args.json) io.out(JSON.stringify({ items: reports }));
  else {
    if (reports.length === 0) io.out("No file of this feed is held for its format.");
    for (const { id, path, received_at, failure } of reports) {
      io.out(`file ${id}  ${path}  ${received_at}\n  ${failure?.sentence}\n  ${failure?.hint}`);
    }
  }
  return EXIT.ok;
}

/** Of a file that drifted the questions stand in its report: the answer must name what is asked. */
function wholeAnswer(text: string): AnswerTo {
  const parts = /^([a-zA-Z]+)(?::([^=]+))?=(.+)$/.exec(text);
  if (parts === null) throw new UsageError(`--answer takes WHAT:COLUMN=VALUE here, not ${JSON.stringify(text)}`);
  const [, what = "", column, answer = ""] = parts;
  return column === undefined ? { what, answer } : { what, column, answer };
}

function filePath(id: string, action: string): string {
  if (!/^[1-9]\d{0,18}$/.test(id)) throw new UsageError(`${JSON.stringify(id)} is no id of a file`);
  return `/v1/files/${id}/${action}`;
}

async function decide(
  args: Arguments,
  io: Io,
  door: Doorway,
  path: string,
  body: unknown,
  said: string,
): Promise<number> {
  const answer = await callApi<unknown>(door, "POST", path, body);
  if (answer.kind === "refused") return tellRefused(answer.refused, args, io);
  io.out(args.json ? JSON.stringify(answer.value) : said);
  return EXIT.ok;
}
