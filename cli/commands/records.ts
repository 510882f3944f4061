/** `mailfeed records`: the records of a feed as a file, as they are or as they were at a moment. */
import { isFormula, isPlainNumber } from "../../src/domain/spreadsheet.ts";
import { apiOptions, doorwayOf, feedPath, ofKnown, readApi } from "../api-client.ts";
import { type Command, EXIT, textOption, UsageError } from "../command.ts";
import { momentOf } from "../moment.ts";

/** The largest page of the API. */
const PAGE_ITEMS = 200;

interface Item {
  readonly key: string;
  readonly status: string;
  readonly version: number;
  readonly data: Readonly<Record<string, unknown>>;
}

export const records: Command = {
  name: "records",
  summary: "prints the records of a feed, as they are or as they were at a moment",
  usage: "CUSTOMER/FEED [--as-of TIME] [--csv] [--all]",
  options: {
    "as-of": { type: "string", help: "as they were then, e.g. 2026-11-20T08:00:00Z" },
    csv: { type: "boolean", help: "as CSV with a column for each field, instead of a line of JSON for each record" },
    all: { type: "boolean", help: "retired records too" },
    ...apiOptions,
  },
  details: `Lines of JSON: {"key", "status", "version", "data"}, in the order of the keys. Decimals are text, to the digit. In CSV, a cell that
a spreadsheet would run as a formula has an apostrophe before it; numbers have none.`,
  async run(args, io) {
    const [name, ...more] = args.positionals;
    if (name === undefined || more.length > 0)
      throw new UsageError("records takes one feed (see mailfeed records --help)");
    const [, , , customer, feed] = feedPath(name).split("/") as [string, string, string, string, string];
    const at = textOption(args, "as-of");
    const moment = at === undefined ? {} : { as_of: momentOf("as-of", at) };
    const query = new URLSearchParams({ customer, feed, limit: String(PAGE_ITEMS), ...moment });
    const door = doorwayOf(args);
    const csv: Item[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      if (cursor !== "") query.set("cursor", cursor);
      const page: { items: Item[]; next: string | null } = await ofKnown(
        `feed ${name}`,
        readApi<{ items: Item[]; next: string | null }>(door, `/v1/records?${query}`),
      );
      const items = page.items.filter(({ status }) => args.values.all === true || status === "active");
      if (args.values.csv === true) csv.push(...items);
      else for (const { key, status, version, data } of items) io.out(JSON.stringify({ key, status, version, data }));
      cursor = page.next;
    }
    if (args.values.csv === true) for (const line of csvOf(csv)) io.out(line);
    return EXIT.ok;
  },
};

/** All fields that any record has, in the order in which they come. */
function* csvOf(items: readonly Item[]): Generator<string> {
  const fields = [...new Set(items.flatMap(({ data }) => Object.keys(data)))];
  yield line(["key", "status", "version", ...fields]);
  for (const { key, status, version, data } of items) {
    yield line([key, status, String(version), ...fields.map((field) => cellOf(data[field]))]);
  }
}

const cellOf = (value: unknown): string => {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
};

const line = (cells: readonly string[]): string =>
  cells
    .map((cell) => (isFormula(cell) && !isPlainNumber(cell) ? `'${cell}` : cell))
    .map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell))
    .join(",");
