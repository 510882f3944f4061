/** Expectations of frictionless-py's own tests about what it reads from a file without being told how. */
import { corpusTruth } from "../../support/corpora.ts";
import type { CaseResult, Corpus } from "../case.ts";
import { isFlagged, isRefused, type ReadTable, tableOf } from "../table.ts";

interface Truth {
  readonly file: string;
  readonly test: string;
  readonly setup: readonly unknown[];
  readonly expect: readonly (readonly [string, unknown])[];
}

/** What a reading without help can be asked: texts, names, numbers of rows, rows that do not fit. */
const READABLE = [
  "resource.header",
  "resource.labels",
  "resource.read_rows",
  "resource.read_cells",
  "len resource.read_rows",
  "len resource.read_cells",
  "resource.encoding",
  "analysis rows",
  "report.task.stats.get rows",
  "report.flatten rowNumber , fieldNumber , type",
] as const;
type Readable = (typeof READABLE)[number];
const isReadable = (key: string): key is Readable => (READABLE as readonly string[]).includes(key);

/** Settings that tell nothing about the format. */
const HARMLESS =
  /^\[(\{"(TableResource|Resource)": \{"(format|basepath|name|encoding)": "[^"]*"(, "encoding": "[^"]*")?\}\}|\{"Detector": \{"sample_size": \d+\}\})?\]$/;
/** Tests that write, index, patch a schema or read through an adapter: they are not about the file. */
const OTHER =
  /write|sql|schema|detector_field|multipart|provided|type_custom|index|respect_layout|header_case|dialect_(?:header|csv)_|excel|gsheets|reopen|patch|_sync|fields_match/;

export const frictionless: Corpus = {
  name: "frictionless",
  target: 0.95,
  counting:
    "expectations about a delimited file, plain or packed, without settings that tell its format, of tests that neither write nor change a schema, each once: header, labels, rows, cells, numbers of rows, encoding, lines with missing or extra cells; values are compared as texts, null as blank; where frictionless counts blank lines as rows, they are added",
  async run() {
    const results: CaseResult[] = [];
    const seen = new Set<string>();
    for (const truth of corpusTruth<Truth>("frictionless_expectations")) {
      const name = truth.test.split("::")[1] ?? "";
      if (!/^(csv|zip)\//.test(truth.file) || OTHER.test(name) || !HARMLESS.test(JSON.stringify(truth.setup))) continue;
      for (const [key, value] of truth.expect) {
        const id = `${truth.file} ${key} ${JSON.stringify(value).slice(0, 60)}`;
        if (!isReadable(key) || seen.has(id) || isAboutSchema(value)) continue;
        seen.add(id);
        results.push(await caseOf(id, truth.file, key, value));
      }
    }
    return results;
  },
};

async function caseOf(id: string, file: string, key: Readable, value: unknown): Promise<CaseResult> {
  const table = await tableOf(file);
  if (isRefused(table)) return { id, outcome: "refused", detail: table.refused };
  if (key === "report.flatten rowNumber , fieldNumber , type") return misfitCase(id, value, table);
  const found = foundOf(key, table);
  const wanted = JSON.stringify(plain(value));
  if (JSON.stringify(found) === wanted) return { id, outcome: "right" };
  const detail = `${JSON.stringify(found).slice(0, 120)} for ${wanted.slice(0, 120)}`;
  if (table.misfits > 0) return { id, outcome: "refused", detail: `${table.misfits} rows do not fit; ${detail}` };
  return { id, outcome: isFlagged(table) ? "wrong" : "silent-wrong", detail };
}

/** Whether cells are missing only beside a schema that has more columns than the file, or fewer. */
const isAboutSchema = (value: unknown): boolean => /"(missing|extra)-label"/.test(JSON.stringify(value));

/** Rows with missing or extra cells, by their line; other checks of frictionless are about values. */
function misfitCase(id: string, value: unknown, table: ReadTable): CaseResult {
  const errors = value as readonly (readonly [number | null, number | null, string])[];
  const wanted = new Set(
    errors.filter(([, , type]) => type === "missing-cell" || type === "extra-cell").map(([row]) => row),
  );
  const found = new Set(table.profile.misfits.map((misfit) => misfit.line));
  if ([...wanted].every((line) => line !== null && found.has(line)) && found.size === wanted.size)
    return { id, outcome: "right" };
  return { id, outcome: "silent-wrong", detail: `lines ${[...found]} for ${[...wanted]}` };
}

function foundOf(key: Readable, { profile, header, rows, blankLines }: ReadTable): unknown {
  const names = header?.map((name) => name.trim()) ?? [];
  switch (key) {
    case "resource.header":
    case "resource.labels":
      return names;
    case "resource.read_cells":
      return header === null ? rows : [header, ...rows];
    case "resource.read_rows":
      return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] ?? ""])));
    case "resource.encoding":
      return profile.charset;
    case "analysis rows":
      return rows.length + blankLines;
    case "len resource.read_cells":
      return rows.length + (header === null ? 0 : 1);
    default:
      return rows.length;
  }
}

/** Values as the texts that stand in the file. */
function plain(value: unknown, inside = false): unknown {
  if (value === null) return "";
  if (Array.isArray(value)) return value.map((one) => (typeof one === "object" ? plain(one) : String(one)));
  if (typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v, true)]));
  return typeof value === "number" && !inside ? value : String(value);
}
