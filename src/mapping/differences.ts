/** What changes from one mapping to another, in plain sentences. Pure. */
import type { Column, ColumnSource } from "../domain/column.ts";
import { shown } from "../domain/failures.ts";
import type { Mapping } from "../domain/feed-version.ts";
import type { Transform } from "../domain/transforms.ts";

/** What changes from `before` to `after`; nothing where they mean the same. */
export function diffMappings(before: Mapping, after: Mapping): string[] {
  const sentences: string[] = [];
  const [had, has] = [byName(before), byName(after)];
  for (const [name, column] of had) {
    if (!has.has(name)) sentences.push(`${name} is no longer read (it came from ${sourceText(column.source)}).`);
  }
  for (const [name, column] of has) {
    const earlier = had.get(name);
    if (earlier === undefined) sentences.push(`${name} is new: ${column.type} from ${sourceText(column.source)}.`);
    else sentences.push(...columnDifferences(earlier, column));
  }
  const kept = [...had.keys()].filter((name) => has.has(name));
  const order = [...has.keys()].filter((name) => had.has(name));
  if (kept.join() !== order.join())
    sentences.push("The fields stand in another order, so every record gets a new version.");
  if (before.key.join() !== after.key.join()) {
    sentences.push(
      `A record is known by ${after.key.join(" + ")} instead of ${before.key.join(" + ")}: records of the old key are retired or stay as they are.`,
    );
  }
  return sentences;
}

const byName = (mapping: Mapping): Map<string, Column> =>
  new Map(mapping.columns.map((column) => [column.name, column]));

function columnDifferences(before: Column, after: Column): string[] {
  const { name } = after;
  const sentences: string[] = [];
  if (textOf(before.source) !== textOf(after.source)) {
    sentences.push(`${name} comes from ${sourceText(after.source)} instead of ${sourceText(before.source)}.`);
  }
  sentences.push(...transformDifferences(name, before.transforms, after.transforms));
  if (before.type !== after.type) return [...sentences, `${name} is read as ${after.type} instead of ${before.type}.`];
  const told = new Set(["name", "type", "source", "transforms"]);
  const [had, has]: Readonly<Record<string, unknown>>[] = [before, after];
  const properties = new Set([...Object.keys(before), ...Object.keys(after)].filter((property) => !told.has(property)));
  for (const property of properties) {
    const [was, is] = [had![property], has![property]];
    if (textOf(was) !== textOf(is)) sentences.push(`${name}: ${property} is ${said(is)} instead of ${said(was)}.`);
  }
  return sentences;
}

function transformDifferences(
  name: string,
  before: readonly Transform[] | undefined,
  after: readonly Transform[] | undefined,
): string[] {
  if (textOf(before) === textOf(after)) return [];
  const tables = after?.map((transform, i) => tableDifference(before?.[i], transform)) ?? [];
  const onlyTables = before?.length === after?.length && !tables.includes(undefined);
  if (onlyTables) return tables.flatMap((text) => (text === undefined || text === "" ? [] : [`${name}: ${text}.`]));
  return [`${name} is ${transformsText(after)}; before, it was ${transformsText(before)}.`];
}

/** Entries of a lookup table named in a sentence. */
const SHOWN_ENTRIES = 5;

/** What changes in the table of a lookup; nothing where the transforms are the same, undefined where more is otherwise. */
function tableDifference(before: Transform | undefined, after: Transform): string | undefined {
  if (textOf(before) === textOf(after)) return "";
  if (before?.do !== "lookup" || after.do !== "lookup") return undefined;
  if (textOf(before.otherwise) !== textOf(after.otherwise)) return undefined;
  const [was, is] = [new Map(Object.entries(before.table)), new Map(Object.entries(after.table))];
  const differing = [...new Set([...was.keys(), ...is.keys()])].filter((entry) => was.get(entry) !== is.get(entry));
  const named = differing.slice(0, SHOWN_ENTRIES).map((entry) => {
    const [old, now] = [was.get(entry), is.get(entry)];
    if (now === undefined) return `${shown(entry)} is no longer in the table`;
    return old === undefined
      ? `${shown(entry)} is ${shown(now)}, new in the table`
      : `${shown(entry)} is ${shown(now)} instead of ${shown(old)}`;
  });
  const more = differing.length - named.length;
  return named.join("; ") + (more > 0 ? `; and ${more} more entries of the table` : "");
}

/** The same text for the same value, whatever the order of its members. */
const textOf = (value: unknown): string | undefined =>
  JSON.stringify(value, (_, member: unknown) =>
    typeof member === "object" && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );

const SAID_MAX_CHARS = 120;

function said(value: unknown): string {
  const text = textOf(value) ?? "not said";
  return text.length > SAID_MAX_CHARS ? `${text.slice(0, SAID_MAX_CHARS)}…` : text;
}

const placeText = (place: string | number): string =>
  typeof place === "number" ? `column ${place}` : `column ${shown(place)}`;

/** Where a column's text comes from, for people. */
export function sourceText(source: ColumnSource): string {
  if ("header" in source) return placeText(source.header);
  if ("position" in source) return placeText(source.position);
  if ("preamble" in source) return `field ${source.field} of line ${source.preamble}`;
  if ("constant" in source) return `the constant ${shown(source.constant)}`;
  if ("join" in source) return `${source.join.map(placeText).join(" and ")}, joined with ${shown(source.with)}`;
  return "the number of the row";
}

const transformsText = (transforms: readonly Transform[] | undefined): string =>
  transforms === undefined ? "taken as it is" : transforms.map(transformText).join(", then ");

/** What a transform does, as the end of a sentence that begins with the field. */
function transformText(transform: Transform): string {
  switch (transform.do) {
    case "trim":
      return "trimmed";
    case "upper":
      return "put in upper case";
    case "lower":
      return "put in lower case";
    case "replace": {
      const found =
        transform.text === undefined ? `what fits ${shown(transform.pattern ?? "")}` : shown(transform.text);
      return `rid of ${found}${transform.with === "" ? "" : ` for ${shown(transform.with)}`}`;
    }
    case "lookup": {
      const { otherwise, table } = transform;
      const rest = typeof otherwise === "string" ? otherwise : `take ${shown(otherwise.default)}`;
      return `looked up in a table of ${Object.keys(table).length} (else ${rest})`;
    }
    case "split":
      return `cut at ${shown(transform.by)} to part ${transform.part}`;
    case "default":
      return `${shown(transform.value)} where it is blank`;
    case "pad":
      return `filled up with ${shown(transform.with)} to ${transform.length} characters`;
  }
}
