/** `mailfeed drift`: where our records are not what the ERP says, and what becomes of it. */
import { apiOptions, callApi, doorwayOf, ofKnown, readApi, tellRefused } from "../api-client.ts";
import { type Arguments, type Command, EXIT, type Io, textOption, UsageError } from "../command.ts";

const ACTIONS = {
  list: "[--customer C [--feed F]] [--state STATE]",
  show: "ID [--explained]",
  release: "ID [--note TEXT]",
  reject: "ID [--note TEXT]",
  check: "CUSTOMER/FEED",
} as const;

export const drift: Command = {
  name: "drift",
  summary: "shows where records differ from the ERP's own list, heals them or leaves them, compares now",
  usage: "list|show|release|reject|check [ID|CUSTOMER/FEED]",
  options: {
    customer: { type: "string", help: "list: of this customer alone" },
    feed: { type: "string", help: "list: of this feed alone" },
    state: { type: "string", help: "list: open, late, clean, healing, healed, waiting, released or rejected" },
    explained: { type: "boolean", help: "show: the differences that are explained, too" },
    note: { type: "string", help: "release, reject: why; it stands on the report and in the audit log" },
    ...apiOptions,
  },
  details: `${Object.entries(ACTIONS)
    .map(([action, takes]) => `  drift ${action} ${takes}`)
    .join(
      "\n",
    )}\n\ncheck holds the records of a full feed against its last full file. Exit code 1 where a comparison waits for a decision.\nWith --json: the answer of the API (see docs/api.md).`,
  async run(args, io) {
    const [action, subject, ...more] = args.positionals;
    if (action === undefined || !isAction(action) || more.length > 0) throw usage();
    switch (action) {
      case "list":
        if (subject !== undefined) throw usage();
        return list(args, io);
      case "show":
        return show(args, io, idOf(subject));
      case "release":
      case "reject":
        return decide(args, io, action, idOf(subject));
      case "check":
        return check(args, io, subject);
    }
  },
};

const isAction = (text: string): text is keyof typeof ACTIONS => Object.hasOwn(ACTIONS, text);

const usage = () =>
  new UsageError(
    `drift takes ${Object.entries(ACTIONS)
      .map(([action, takes]) => `${action} ${takes}`)
      .join(", or ")}`,
  );

function idOf(text: string | undefined): string {
  if (text === undefined) throw usage();
  if (!/^[1-9]\d{0,18}$/.test(text)) throw new UsageError(`${JSON.stringify(text)} is not the id of a drift report`);
  return text;
}

interface Report {
  readonly id: string;
  readonly customer: string;
  readonly feed: string;
  readonly state: string;
  readonly compared_with: { readonly feed: string; readonly own: boolean; readonly as_of: string };
  readonly numbers: {
    readonly snapshot_rows: number;
    readonly records: number;
    readonly missing_here: number;
    readonly missing_there: number;
    readonly differs: number;
    readonly drift: number;
    readonly explained: Readonly<Record<string, number>>;
  } | null;
  readonly reasons: readonly string[];
  readonly healing_file_id: string | null;
  readonly created_at: string;
  readonly decided_by: string | null;
  readonly note: string | null;
}

interface Shown extends Report {
  readonly rows: {
    readonly items: readonly { readonly kind: string; readonly key: string; readonly sentence: string }[];
    readonly next: string | null;
  };
}

async function list(args: Arguments, io: Io): Promise<number> {
  const query = new URLSearchParams();
  for (const name of ["customer", "feed", "state"]) {
    const value = textOption(args, name);
    if (value !== undefined) query.set(name, value);
  }
  const answer = await readApi<{ items: Report[]; next: string | null }>(doorwayOf(args), `/v1/drift?${query}`);
  if (args.json) {
    io.out(JSON.stringify(answer));
    return EXIT.ok;
  }
  if (answer.items.length === 0) io.out("Nothing was compared yet.");
  for (const report of answer.items) io.out(line(report));
  if (answer.next !== null) io.out("There are more; narrow the list down, or read it over the API.");
  return EXIT.ok;
}

const line = (report: Report): string =>
  `${report.id}  ${report.created_at}  ${report.customer}/${report.feed}  ${report.state}  ${found(report)}`;

function found({ numbers, compared_with: { own, feed } }: Report): string {
  const against = own ? "its last full file" : feed;
  if (numbers === null) return `against ${against}`;
  const explained = Object.values(numbers.explained).reduce((sum, n) => sum + n, 0);
  return `${numbers.drift} of ${numbers.records} records differ from ${against}${
    explained === 0 ? "" : `, ${explained} more ${explained === 1 ? "is" : "are"} explained`
  }`;
}

async function show(args: Arguments, io: Io, id: string): Promise<number> {
  const rows = args.values.explained === true ? "all" : "drift";
  const report = await ofKnown(
    `drift report ${id}`,
    readApi<Shown>(doorwayOf(args), `/v1/drift/${id}?rows=${rows}&limit=200`),
  );
  if (args.json) {
    io.out(JSON.stringify(report));
    return EXIT.ok;
  }
  io.out(`Drift report ${id} of ${report.customer}/${report.feed} (${report.state}): ${found(report)}`);
  const { numbers, compared_with } = report;
  io.out(`  the list is true as of ${compared_with.as_of}`);
  if (numbers !== null) {
    io.out(
      `  missing here ${numbers.missing_here}, missing there ${numbers.missing_there}, different ${numbers.differs}`,
    );
    for (const [reason, n] of Object.entries(numbers.explained)) io.out(`  explained by ${reason}: ${n}`);
  }
  for (const reason of report.reasons) io.out(`  above the limits: ${reason}`);
  if (report.decided_by !== null) {
    io.out(`  decided by ${report.decided_by}${report.note === null ? "" : `: ${report.note}`}`);
  }
  if (report.healing_file_id !== null) io.out(`  healed by file ${report.healing_file_id}`);
  for (const { sentence } of report.rows.items) io.out(sentence);
  if (report.rows.next !== null) io.out("There are more; read them over the API.");
  return EXIT.ok;
}

interface Decided {
  readonly drift: { readonly id: string; readonly state: string };
}

async function decide(args: Arguments, io: Io, action: "release" | "reject", id: string): Promise<number> {
  const note = textOption(args, "note");
  const answer = await ofKnown(
    `drift report ${id}`,
    callApi<Decided>(doorwayOf(args), "POST", `/v1/drift/${id}/${action}`, note === undefined ? {} : { note }),
  );
  if (answer.kind === "refused") return tellRefused(answer.refused, args, io);
  io.out(
    args.json
      ? JSON.stringify(answer.value)
      : action === "release"
        ? `Drift report ${id} is ${answer.value.drift.state}: what differs is being set to what the list says.`
        : `Drift report ${id} is rejected: the records stay as they are.`,
  );
  return EXIT.ok;
}

/** Compares now, and says what was found. */
async function check(args: Arguments, io: Io, subject: string | undefined): Promise<number> {
  if (subject === undefined || !/^[a-z][a-z0-9-]*\/[a-z][a-z0-9-]*$/.test(subject)) throw usage();
  const door = doorwayOf(args);
  const answer = await ofKnown(`feed ${subject}`, callApi<Decided>(door, "POST", `/v1/feeds/${subject}/reconcile`, {}));
  if (answer.kind === "refused") return tellRefused(answer.refused, args, io);
  const report = await readApi<Shown>(door, `/v1/drift/${answer.value.drift.id}?rows=drift&limit=20`);
  if (args.json) io.out(JSON.stringify(report));
  else {
    io.out(`Drift report ${report.id} (${report.state}): ${found(report)}`);
    for (const { sentence } of report.rows.items) io.out(`  ${sentence}`);
  }
  return report.state === "waiting" ? EXIT.refused : EXIT.ok;
}
