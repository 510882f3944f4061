/** DuckDB prints values, not texts: how both are compared. */
import type { ColumnProfile } from "../../../src/parse/detect/profile.ts";
import type { ReadTable } from "../table.ts";

const NULLS = new Set(["", "NULL", "null", "none", "\\N"]);

/** Whether a cell is what DuckDB prints for it. */
export function isSameValue(cell: string, printed: string): boolean {
  const text = cell.trim();
  if (printed === "NULL" || printed === "(empty)") return NULLS.has(text);
  if (cell === printed || text === printed.trim()) return true;
  const number = (value: string): number =>
    /^[-+]?[\d.,]+([eE][-+]?\d+)?$/.test(value) ? Number(value.replaceAll(",", "")) : Number.NaN;
  const [a, b] = [number(text), number(printed)];
  if (!Number.isNaN(a) && Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a))) return true;
  if (printed === "true" || printed === "false") return /^(true|t|yes|y|1)$/i.test(text) === (printed === "true");
  return isSameDate(text, printed);
}

/** The same numbers, whatever their order and separators: which order is right is asked elsewhere. */
function isSameDate(text: string, printed: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}|^\d{2}:\d{2}/.test(printed)) return false;
  const numbers = (value: string): string => {
    const found = (value.match(/\d+/g) ?? []).map((digits) =>
      digits.length === 4 ? Number(digits) % 100 : Number(digits),
    );
    while (found.length > 0 && found.at(-1) === 0) found.pop();
    return found.sort((a, b) => a - b).join(" ");
  };
  return numbers(text) === numbers(printed);
}

const FIELDS = [
  "delimiter",
  "quote",
  "escape",
  "newlinedelimiter",
  "comment",
  "skiprows",
  "hasheader",
  "columns",
  "dateformat",
  "timestampformat",
  "userarguments",
  "prompt",
];

/** What in a sniff is not as DuckDB says, or undefined. */
export function sniffFaults(selected: string, result: readonly string[], table: ReadTable): string | undefined {
  const fields = selected === "*" ? FIELDS : selected.split(",").map((field) => field.trim().toLowerCase());
  const values = (result[0] ?? "").split("\t");
  const faults = fields.flatMap((field, i) => {
    const fault = fieldFault(field, values[i] ?? "", table);
    return fault === undefined ? [] : [`${field}: ${fault}`];
  });
  return faults.length === 0 ? undefined : faults.join("; ");
}

function fieldFault(field: string, value: string, { profile, header }: ReadTable): string | undefined {
  const plain = value === "(empty)" ? "" : value;
  const { dialect } = profile;
  switch (field) {
    case "delimiter":
      return (dialect.delimiter ?? ",") === plain || dialect.delimiter === null
        ? undefined
        : `${dialect.delimiter} for ${plain}`;
    case "quote":
      // A file without quotation marks has the usual one or none: there is no difference in it.
      return (dialect.quote ?? "") === plain || (plain === "" && dialect.escape === null)
        ? undefined
        : `${dialect.quote} for ${plain}`;
    case "escape":
      return (dialect.escape ?? "") === plain ? undefined : `${dialect.escape} for ${plain}`;
    case "newlinedelimiter":
      return profile.recordDelimiter.replaceAll("\n", "\\n").replaceAll("\r", "\\r") === plain
        ? undefined
        : profile.recordDelimiter;
    case "comment":
      return (dialect.comment ?? "") === plain ? undefined : `${dialect.comment} for ${plain}`;
    case "skiprows":
      return undefined;
    case "hasheader":
      return (profile.header ? "1" : "0") === plain || String(profile.header) === plain
        ? undefined
        : `${profile.header} for ${plain}`;
    case "columns":
      return columnsFault(value, profile.types, header !== null);
    case "prompt":
      return promptFault(value, profile.header, dialect.delimiter);
    default:
      return /^columns\[(\d+)\]\.type$/.test(field)
        ? typeFault(value, profile.types[Number(/\d+/.exec(field)) - 1])
        : undefined;
  }
}

function promptFault(value: string, header: boolean, delimiter: string | null): string | undefined {
  const wanted = [/delim='([^']*)'/.exec(value)?.[1], /header=(\w+)/.exec(value)?.[1]];
  const found = [delimiter ?? ",", String(header)];
  return JSON.stringify(found) === JSON.stringify(wanted) ? undefined : `${found} for ${wanted}`;
}

function columnsFault(value: string, types: readonly ColumnProfile[], header: boolean): string | undefined {
  const wanted = [...value.matchAll(/\{'name': (.*?), 'type': ([^}]+)\}/g)];
  if (wanted.length !== types.length) return `${types.length} columns for ${wanted.length}`;
  const faults = wanted.flatMap(([, name = "", type = ""], i) => {
    const found = types[i];
    const plain = name.replace(/^'(.*)'$/, "$1").replaceAll("\\'", "'");
    if (header && found?.name !== plain) return [`${found?.name} for ${plain}`];
    const fault = typeFault(type, found);
    return fault === undefined ? [] : [`${plain}: ${fault}`];
  });
  return faults.length === 0 ? undefined : faults.join(", ");
}

const TYPES: Readonly<Record<string, readonly ColumnProfile["type"][]>> = {
  VARCHAR: ["text", "identifier", "empty"],
  BIGINT: ["integer", "identifier"],
  DOUBLE: ["decimal", "integer"],
  DATE: ["date"],
  TIMESTAMP: ["datetime"],
  TIME: ["time"],
  BOOLEAN: ["boolean"],
};

const typeFault = (wanted: string, found: ColumnProfile | undefined): string | undefined =>
  found !== undefined && TYPES[wanted]?.includes(found.type) ? undefined : `${found?.type} for ${wanted}`;
