/** `mailfeed holds`: files that would do too much, and what is decided about them. */

import type { GatePolicyInput } from "../../src/domain/gate-policy.ts";
import type { NoticeRow } from "../../src/domain/notice.ts";
import { wideningSentences } from "../../src/gate/widen.ts";
import { toldOf } from "../../src/notify/blast-radius.ts";
import { type Block, textOf } from "../../src/notify/blocks.ts";
import { apiOptions, callApi, doorwayOf, feedPath, ofKnown, readApi, tellRefused } from "../api-client.ts";
import { type Arguments, type Command, EXIT, type Io, textOption, UsageError } from "../command.ts";

const ACTIONS = {
  list: "[--customer C] [--feed F] [--decided]",
  show: "FILE",
  release: "FILE [--widen]",
  reject: "FILE --reason TEXT",
  narrow: "CUSTOMER/FEED",
} as const;

export const holds: Command = {
  name: "holds",
  summary: "lists and shows the files that would change too much; releases or rejects one",
  usage: "[list]|show|release|reject|narrow [FILE|CUSTOMER/FEED]",
  options: {
    customer: { type: "string", help: "list: of this customer alone" },
    feed: { type: "string", help: "list: of this feed of the customer alone" },
    decided: { type: "boolean", help: "list: those that are decided, instead of those that wait" },
    widen: { type: "boolean", help: "release: also widen the limits that it tripped, for files like it" },
    reason: { type: "string", help: "reject: why; it stands on the file and in the audit log" },
    ...apiOptions,
  },
  details: `${Object.entries(ACTIONS)
    .map(([action, takes]) => `  holds ${action} ${takes}`)
    .join(
      "\n",
    )}\n\nFILE is the id of the file, as in the list and the mail. What is decided first counts. narrow takes back what\nreleases with --widen have laid over the limits of a feed. With --json: the answer of the API\n(see docs/api.md).`,
  async run(args, io) {
    const [action = "list", file, ...more] = args.positionals;
    if (!isAction(action) || more.length > 0 || (file === undefined) !== (action === "list")) throw usage();
    if (action === "list") return list(args, io);
    if (action === "narrow") return narrow(args, io, file ?? "");
    const id = idOf(file);
    if (action === "show") return show(args, io, id);
    return action === "release" ? release(args, io, id) : reject(args, io, id);
  },
};

const isAction = (text: string): text is keyof typeof ACTIONS => Object.hasOwn(ACTIONS, text);

const usage = () =>
  new UsageError(
    `holds takes ${Object.entries(ACTIONS)
      .map(([action, takes]) => `${action} ${takes}`)
      .join(", or ")}`,
  );

function idOf(text: string | undefined): string {
  if (text === undefined) throw usage();
  if (!/^[1-9]\d{0,18}$/.test(text)) throw new UsageError(`${JSON.stringify(text)} is not the id of a file`);
  return text;
}

interface Hold {
  readonly file_id: string;
  readonly customer: string;
  readonly feed: string;
  readonly path: string;
  readonly sender: string;
  readonly received_at: string;
  readonly state: string;
  readonly reasons: readonly { readonly sentence: string }[];
  readonly numbers: Readonly<Record<"records" | "rows" | "rejected" | "retired", number>> &
    Readonly<Record<"inserted" | "changed" | "unchanged", number | null>>;
  readonly telling: readonly {
    readonly kind: NoticeRow["kind"];
    readonly key: string;
    readonly field: string | null;
    readonly before: string | null;
    readonly after: string | null;
  }[];
  readonly widening: GatePolicyInput;
  readonly later: "wait" | "supersede";
  readonly behind: number;
  readonly held_at: string;
  readonly expires_at: string;
  readonly over: boolean;
  readonly decision: string | null;
  readonly decided_at: string | null;
  readonly decided_by: string | null;
}

async function list(args: Arguments, io: Io): Promise<number> {
  const decided = args.values.decided === true;
  const query = new URLSearchParams({ state: decided ? "decided" : "open" });
  for (const name of ["customer", "feed"]) {
    const value = textOption(args, name);
    if (value !== undefined) query.set(name, value);
  }
  const page = await readApi<{ items: readonly Hold[]; next: string | null }>(doorwayOf(args), `/v1/holds?${query}`);
  if (args.json) {
    io.out(JSON.stringify(page));
    return EXIT.ok;
  }
  if (page.items.length === 0) io.out(decided ? "No hold is decided yet." : "No file is held for doing too much.");
  for (const hold of page.items) {
    io.out(
      `${hold.file_id}  ${hold.held_at}  ${hold.customer}/${hold.feed}  ${hold.path}\n    ${hold.reasons[0]?.sentence ?? ""}`,
    );
    io.out(`    ${statusOf(hold)}`);
  }
  if (page.next !== null) io.out("There are more; narrow the list down, or read it over the API.");
  return EXIT.ok;
}

function statusOf({ decision, decided_at, decided_by, over, expires_at, behind }: Hold): string {
  if (decision !== null) return `${decision} by ${decided_by} at ${decided_at}`;
  if (over) return `its time was over at ${expires_at}; it is rejected within minutes`;
  const waiting = behind === 0 ? "" : `, ${behind} file${behind === 1 ? " waits" : "s wait"} behind it`;
  return `to be decided until ${expires_at}${waiting}`;
}

/** The hold of a file. Throws UsageError where there is no such file, or the gate did not hold it. */
async function holdOf(args: Arguments, id: string): Promise<Hold> {
  const { hold } = await ofKnown(`file ${id}`, readApi<{ hold: Hold | null }>(doorwayOf(args), `/v1/files/${id}`));
  if (hold === null) throw new UsageError(`file ${id} was never held for doing too much`, "not-held");
  return hold;
}

async function show(args: Arguments, io: Io, id: string): Promise<number> {
  const hold = await holdOf(args, id);
  io.out(args.json ? JSON.stringify(hold) : textOf(blocksOf(hold)).trimEnd());
  return EXIT.ok;
}

function blocksOf(hold: Hold): Block[] {
  const { file_id: id, telling } = hold;
  const { records, rows, rejected, retired, inserted, changed, unchanged } = hold.numbers;
  const widening = wideningSentences(hold.widening);
  return [
    { kind: "title", text: `File ${id} of ${hold.customer}/${hold.feed} is ${hold.state}` },
    { kind: "text", text: `${hold.path} from ${hold.sender}, received ${hold.received_at}: ${statusOf(hold)}.` },
    ...toldOf({
      recipient: "operator",
      reasons: hold.reasons.map(({ sentence }) => sentence),
      numbers: { records, rows, rejected, retired, ...known({ inserted, changed, unchanged }) },
      telling: telling.map(({ kind, key, field, before, after }) => ({
        kind,
        key,
        ...known({ field, before, after }),
      })),
    }),
    ...(hold.decision !== null
      ? []
      : ([
          { kind: "heading", text: "What to do" },
          {
            kind: "code",
            text: `npx mailfeed holds release ${id}\nnpx mailfeed holds release ${id} --widen\nnpx mailfeed holds reject ${id} --reason "wrong file"`,
          },
          ...(widening.length === 0
            ? []
            : ([
                { kind: "text", text: "With --widen, in files like it:" },
                { kind: "list", items: widening },
              ] as const)),
        ] as const)),
  ];
}

/** Without what is null. */
function known<T extends Readonly<Record<string, unknown>>>(
  values: T,
): { readonly [K in keyof T]?: NonNullable<T[K]> } {
  const said = Object.entries(values).filter(([, value]) => value !== null);
  return Object.fromEntries(said) as { readonly [K in keyof T]?: NonNullable<T[K]> };
}

interface Decided {
  readonly file: { readonly state: string };
  readonly hold?: Hold;
  readonly sent?: boolean;
}

async function release(args: Arguments, io: Io, id: string): Promise<number> {
  const widen = args.values.widen === true;
  await holdOf(args, id);
  const path = `/v1/files/${id}/release${widen ? "?widen=true" : ""}`;
  return answer(args, io, await callApi<Decided>(doorwayOf(args), "POST", path), ({ file, sent }) => {
    const wider = widen ? " The limits of its feed are wider now." : "";
    return `File ${id} is released (${file.state}).${wider}${sent === false ? " The sweep sends it on its way within minutes." : ""}`;
  });
}

async function reject(args: Arguments, io: Io, id: string): Promise<number> {
  const reason = textOption(args, "reason");
  if (reason === undefined) throw new UsageError("reject needs --reason TEXT: it is final, and the reason stays");
  await holdOf(args, id);
  const done = await callApi<Decided>(doorwayOf(args), "POST", `/v1/files/${id}/reject`, { reason });
  return answer(args, io, done, () => `File ${id} is rejected. Nothing of it was applied.`);
}

async function narrow(args: Arguments, io: Io, feed: string): Promise<number> {
  const path = `${feedPath(feed)}/gate/narrow`;
  const done = await ofKnown(`feed ${feed}`, callApi<{ readonly was: GatePolicyInput }>(doorwayOf(args), "POST", path));
  if (done.kind === "refused") return tellRefused(done.refused, args, io);
  const was = wideningSentences(done.value.was);
  if (args.json) io.out(JSON.stringify(done.value));
  else if (was.length === 0) io.out(`The limits of ${feed} are those of its adapter; nothing lay over them.`);
  else
    io.out(
      `The limits of ${feed} are those of its adapter again. Taken back:\n${was.map((one) => `  ${one}`).join("\n")}`,
    );
  return EXIT.ok;
}

function answer(
  args: Arguments,
  io: Io,
  done: Awaited<ReturnType<typeof callApi<Decided>>>,
  words: (decided: Decided) => string,
): number {
  if (done.kind === "refused") return tellRefused(done.refused, args, io);
  io.out(args.json ? JSON.stringify(done.value) : words(done.value));
  return EXIT.ok;
}
