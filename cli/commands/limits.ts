/** `mailfeed limits`: how much of the common database a customer may use, and what it uses now. */
import { CUSTOMER_SLUG } from "../../src/domain/ids.ts";
import { apiOptions, callApi, doorwayOf, ofKnown, readApi, tellRefused } from "../api-client.ts";
import { type Arguments, type Command, EXIT, type Io, textOption, UsageError } from "../command.ts";

const usage = () =>
  new UsageError("limits takes: show CUSTOMER, or set CUSTOMER with one of the limits (see mailfeed limits --help)");

/** Option → member of the API's body. */
const SETTABLE = { files: "files_at_once", rate: "rows_per_second", burst: "burst_rows" } as const;

interface Shown {
  readonly customer: string;
  readonly limits: Readonly<Record<(typeof SETTABLE)[keyof typeof SETTABLE], number>>;
  readonly slots: { readonly of: number; readonly files: readonly { readonly id: string; readonly since: string }[] };
  readonly waiting: { readonly files: number; readonly rows: number; readonly since: string | null };
  readonly rows_left: number;
  readonly database: { readonly state: string; readonly since: string | null; readonly until: string | null };
}

export const limits: Command = {
  name: "limits",
  summary: "shows and sets how much of the database a customer may use at a time",
  usage: "show|set CUSTOMER [--files N] [--rate N] [--burst N]",
  options: {
    files: { type: "string", help: "set: files applied at the same time" },
    rate: { type: "string", help: "set: rows let in per second, on average" },
    burst: { type: "string", help: "set: rows let in at once after a quiet time" },
    ...apiOptions,
  },
  details: "What is not set stays as it is. New limits hold from now on, for files that wait too.",
  async run(args, io) {
    const [action, customer, ...more] = args.positionals;
    if (customer === undefined || more.length > 0 || (action !== "show" && action !== "set")) throw usage();
    if (!CUSTOMER_SLUG.test(customer)) throw new UsageError(`${JSON.stringify(customer)} is no name of a customer`);
    const changes = changesIn(args);
    if ((action === "set") !== Object.keys(changes).length > 0) throw usage();
    const door = doorwayOf(args);
    const path = `/v1/customers/${customer}/limits`;
    const shown = await ofKnown(`customer ${JSON.stringify(customer)}`, readApi<Shown>(door, path));
    if (action === "show") return tell(shown, args, io);
    const answer = await callApi<Shown>(door, "PUT", path, { ...shown.limits, ...changes });
    return answer.kind === "refused" ? tellRefused(answer.refused, args, io) : tell(answer.value, args, io);
  },
};

function changesIn(args: Arguments): Partial<Shown["limits"]> {
  const given = Object.entries(SETTABLE).flatMap(([option, member]) => {
    const text = textOption(args, option);
    if (text === undefined) return [];
    if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${option} is a whole number`);
    return [[member, Number(text)] as const];
  });
  return Object.fromEntries(given);
}

function tell(shown: Shown, args: Arguments, io: Io): number {
  if (args.json) {
    io.out(JSON.stringify(shown));
    return EXIT.ok;
  }
  const { limits: may, slots, waiting, database } = shown;
  const n = (value: number) => value.toLocaleString("en");
  const lines = [
    `files at once     ${slots.files.length} of ${slots.of} under way${slots.of < may.files_at_once ? ` (limit ${may.files_at_once}, halved while the database is slow)` : ""}`,
    ...slots.files.map(({ id, since }) => `  file ${id} since ${since}`),
    `waiting           ${n(waiting.files)} files, ${n(waiting.rows)} rows${waiting.since === null ? "" : `, the first since ${waiting.since}`}`,
    `rows per second   ${n(may.rows_per_second)}`,
    `rows at once      ${n(may.burst_rows)}, of which ${n(Math.max(0, shown.rows_left))} are left`,
    `database          ${database.state}${database.since === null ? "" : ` since ${database.since}, asked again after ${database.until}`}`,
  ];
  io.out(lines.join("\n"));
  return EXIT.ok;
}
