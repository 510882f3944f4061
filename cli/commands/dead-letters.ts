/** `mailfeed dead-letters`: what a running deployment gave up on, and what becomes of it. */
import { apiOptions, callApi, doorwayOf, ofKnown, readApi, readBytes, tellRefused } from "../api-client.ts";
import { type Arguments, type Command, EXIT, type Io, textOption, UsageError } from "../command.ts";

const ACTIONS = {
  list: "[--stage S] [--cause CAUSE] [--customer C] [--state STATE]",
  show: "ID [--raw]",
  redrive: "ID… | --cause CAUSE [--customer C]",
  discard: "ID --reason TEXT",
  fixed: "CAUSE [--note TEXT]",
} as const;

export const deadLetters: Command = {
  name: "dead-letters",
  summary: "lists and shows what got stuck, sends it again, gives it up, marks its cause as fixed",
  usage: "list|show|redrive|discard|fixed [ID…|CAUSE]",
  options: {
    stage: { type: "string", help: "list: parse or apply" },
    cause: { type: "string", help: "list, redrive: stage and code, e.g. parse.raw-missing" },
    customer: { type: "string", help: "list, redrive: of this customer alone" },
    state: { type: "string", help: "list: open (default), redriven or discarded" },
    raw: { type: "boolean", help: "show: the archived mail or upload itself, byte for byte" },
    reason: { type: "string", help: "discard: why; it stands on the delivery or file and in the audit log" },
    note: { type: "string", help: "fixed: what was done, e.g. the release" },
    ...apiOptions,
  },
  details: `${Object.entries(ACTIONS)
    .map(([action, takes]) => `  dead-letters ${action} ${takes}`)
    .join(
      "\n",
    )}\n\nredrive sends all letters of a cause, a hundred a call, until none is left. fixed lets the sweep do that by itself, for\nletters that died before. With --json: the answer of the API (see docs/api.md); redrive answers one object for all its calls.`,
  async run(args, io) {
    const [action, ...subjects] = args.positionals;
    if (action === undefined || !isAction(action)) throw usage();
    const [subject, ...more] = subjects;
    if (action !== "redrive" && more.length > 0) throw usage();
    switch (action) {
      case "list":
        if (subject !== undefined) throw usage();
        return list(args, io);
      case "show":
        return show(args, io, idOf(subject));
      case "redrive":
        return redrive(args, io, [...new Set(subjects.map(idOf))]);
      case "discard":
        return discard(args, io, idOf(subject));
      case "fixed":
        if (subject === undefined) throw usage();
        return fixed(args, io, subject);
    }
  },
};

const isAction = (text: string): text is keyof typeof ACTIONS => Object.hasOwn(ACTIONS, text);

const usage = () =>
  new UsageError(
    `dead-letters takes ${Object.entries(ACTIONS)
      .map(([action, takes]) => `${action} ${takes}`)
      .join(", or ")}`,
  );

function idOf(text: string | undefined): string {
  if (text === undefined) throw usage();
  if (!/^[1-9]\d{0,18}$/.test(text)) throw new UsageError(`${JSON.stringify(text)} is not the id of a dead letter`);
  return text;
}

interface Letter {
  readonly id: string;
  readonly stage: string;
  readonly cause: string;
  readonly state: string;
  readonly customer: string | null;
  readonly feed: string | null;
  readonly attempts: number;
  readonly failure: { readonly sentence: string; readonly hint: string; readonly evidence: unknown };
  readonly message: unknown;
  readonly decided_at: string | null;
  readonly decided_by: string | null;
  readonly reason: string | null;
  readonly first_at: string;
  readonly last_at: string;
}

interface List {
  readonly items: readonly Letter[];
  readonly next: string | null;
  readonly causes: readonly {
    readonly cause: string;
    readonly letters: number;
    readonly oldest_at: string;
    readonly fixed: { readonly marked_at: string; readonly marked_by: string } | null;
  }[];
}

async function list(args: Arguments, io: Io): Promise<number> {
  const query = new URLSearchParams();
  for (const name of ["stage", "cause", "customer", "state"]) {
    const value = textOption(args, name);
    if (value !== undefined) query.set(name, value);
  }
  const { items, next, causes } = await readApi<List>(doorwayOf(args), `/v1/dead-letters?${query}`);
  if (args.json) {
    io.out(JSON.stringify({ items, next, causes }));
    return EXIT.ok;
  }
  if (causes.length === 0) io.out(`No ${textOption(args, "state") ?? "open"} dead letters.`);
  for (const { cause, letters, oldest_at, fixed: mark } of causes) {
    const marked = mark === null ? "" : `, marked as fixed by ${mark.marked_by} at ${mark.marked_at}`;
    io.out(`${cause}: ${letters}, the oldest of ${oldest_at}${marked}`);
  }
  for (const letter of items) {
    io.out(`${letter.id}  ${letter.last_at}  ${about(letter)}  ${letter.cause}  ${letter.failure.sentence}`);
  }
  if (next !== null) io.out("There are more; narrow the list down, or read it over the API.");
  return EXIT.ok;
}

const about = ({ customer, feed }: Letter): string => `${customer ?? "?"}/${feed ?? "?"}`;

interface Shown extends Letter {
  readonly first_life: Letter | null;
  readonly lives: readonly {
    readonly id: string;
    readonly state: string;
    readonly last_at: string;
    readonly sentence: string;
  }[];
  readonly redrivable?: { readonly possible: boolean; readonly reason: string | null };
  readonly delivery?: { readonly id: string; readonly state: string; readonly raw_url: string };
  readonly file?: { readonly id: string; readonly state: string; readonly path: string };
}

async function show(args: Arguments, io: Io, id: string): Promise<number> {
  const door = doorwayOf(args);
  const shown = await ofKnown(`dead letter ${id}`, readApi<Shown>(door, `/v1/dead-letters/${id}`));
  if (args.values.raw === true) {
    if (shown.delivery === undefined) throw new UsageError(`letter ${id} names no delivery that there is`, "no-raw");
    io.bytes(await readBytes(door, shown.delivery.raw_url));
    return EXIT.ok;
  }
  if (args.json) {
    io.out(JSON.stringify(shown));
    return EXIT.ok;
  }
  io.out(`Dead letter ${id} (${shown.state}) of ${about(shown)}, ${shown.cause}`);
  io.out(`  ${shown.failure.sentence}\n  ${shown.failure.hint}`);
  io.out(`  ${shown.attempts} attempts, first ${shown.first_at}, last ${shown.last_at}`);
  if (shown.decided_by !== null) {
    io.out(
      `  ${shown.state} by ${shown.decided_by} at ${shown.decided_at}${shown.reason === null ? "" : `: ${shown.reason}`}`,
    );
  }
  if (shown.delivery !== undefined) io.out(`  delivery ${shown.delivery.id} is ${shown.delivery.state}`);
  if (shown.file !== undefined) io.out(`  file ${shown.file.id} (${shown.file.path}) is ${shown.file.state}`);
  io.out(`  evidence ${JSON.stringify(shown.failure.evidence)}\n  message ${JSON.stringify(shown.message)}`);
  if (shown.redrivable?.possible === false) io.out(`  cannot be redriven: ${shown.redrivable.reason}`);
  if (shown.lives.length > 1) {
    io.out("Its lives:");
    for (const life of shown.lives) io.out(`  ${life.id} (${life.state}) ${life.last_at} ${life.sentence}`);
  }
  return EXIT.ok;
}

interface Redriven {
  readonly redriven: readonly { readonly id: string; readonly sent: boolean }[];
  readonly stays: readonly { readonly id: string; readonly reason: string }[];
  readonly left: number;
}

/** Calls until nothing is left, or a call sends nothing more. Exit code 1 where any letter stays. */
async function redrive(args: Arguments, io: Io, ids: readonly string[]): Promise<number> {
  const cause = textOption(args, "cause");
  const customer = textOption(args, "customer");
  if ((cause === undefined) === (ids.length === 0) || (cause === undefined && customer !== undefined)) throw usage();
  const door = doorwayOf(args);
  const redriven: Redriven["redriven"][number][] = [];
  const stays = new Map<string, string>();
  let left = ids.length;
  for (let done: number; ; ) {
    const wanted = ids.slice(ids.length - left);
    const asked = cause === undefined ? { ids: wanted } : { cause, ...(customer === undefined ? {} : { customer }) };
    const answer = await callApi<Redriven>(door, "POST", "/v1/dead-letters/redrive", asked);
    if (answer.kind === "refused") return tellRefused(answer.refused, args, io);
    done = answer.value.redriven.length;
    redriven.push(...answer.value.redriven);
    for (const { id, reason } of answer.value.stays) stays.set(id, reason);
    left = answer.value.left;
    io.progress(`${redriven.length} redriven, ${left} left`);
    if (left === 0 || (cause !== undefined && done === 0)) break;
  }
  if (args.json) {
    io.out(JSON.stringify({ redriven, stays: [...stays].map(([id, reason]) => ({ id, reason })), left }));
  } else {
    const later = redriven.filter(({ sent }) => !sent).length;
    io.out(`${redriven.length} redriven${later === 0 ? "" : `, ${later} of them with the next sweep`}.`);
    for (const [id, reason] of stays) io.err(`  ${id} stays: ${reason}`);
    if (left > 0) io.err(`  ${left} were not looked at`);
  }
  return stays.size === 0 && left === 0 ? EXIT.ok : EXIT.refused;
}

async function discard(args: Arguments, io: Io, id: string): Promise<number> {
  const reason = textOption(args, "reason");
  if (reason === undefined) throw new UsageError("discard needs --reason TEXT: it is final, and the reason stays");
  const door = doorwayOf(args);
  const answer = await ofKnown(
    `dead letter ${id}`,
    callApi<unknown>(door, "POST", `/v1/dead-letters/${id}/discard`, { reason }),
  );
  if (answer.kind === "refused") return tellRefused(answer.refused, args, io);
  io.out(args.json ? JSON.stringify(answer.value) : `Dead letter ${id} is discarded.`);
  return EXIT.ok;
}

async function fixed(args: Arguments, io: Io, cause: string): Promise<number> {
  const note = textOption(args, "note");
  const path = `/v1/dead-letters/causes/${encodeURIComponent(cause)}/fixed`;
  const answer = await ofKnown(
    `dead letter of the cause ${JSON.stringify(cause)}`,
    callApi<{ waiting: number }>(doorwayOf(args), "POST", path, note === undefined ? {} : { note }),
  );
  if (answer.kind === "refused") return tellRefused(answer.refused, args, io);
  const { waiting } = answer.value;
  io.out(
    args.json
      ? JSON.stringify(answer.value)
      : `${cause} is marked as fixed. The sweep redrives what waits (${waiting}), up to a hundred every ten minutes.`,
  );
  return EXIT.ok;
}
