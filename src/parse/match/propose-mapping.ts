/** A mapping for a table that nobody has described: every column by its type, and what may be the key. */
import { type Column, columnSchema, DETECT } from "../../domain/column.ts";
import { shown } from "../../domain/failures.ts";
import { type Mapping, mappingSchema } from "../../domain/feed-version.ts";
import type { ColumnProfile } from "../detect/profile.ts";
import { type Answer, type Fault, type FoundTable, labelAt, type Question } from "./found.ts";
import { keyCandidates } from "./key.ts";
import { fieldNames } from "./names.ts";
import { answerTo, typesOf } from "./readings.ts";

export interface MappingProposal {
  readonly mapping?: Mapping;
  readonly questions: readonly Question[];
  readonly faults: readonly Fault[];
}

/** Characters that a text or identifier may have, unless the sample has longer ones: then twice as many as the longest. */
const TEXT_MAX_CHARS = 4_000;
const IDENTIFIER_MAX_CHARS = 100;
const NULLS_MAX = 20;
/** Digits from which on a whole number counts nothing: no stock is that large, article and account numbers are. */
const NAME_DIGITS = 10;

/** Writing that is known once the profile is: the mapping leaves it there, so that an accepted drift needs no new mapping. */
export function proposeMapping(found: FoundTable, answers: readonly Answer[]): MappingProposal {
  const types = typesOf(found, answers).map(({ type }) => type);
  const names = fieldNames(types.map((type) => type.name));
  const signs = types.flatMap((type, i) => signQuestion(type, i, found, answers));
  const columns = types.map((type, i) => columnFor(type, i, names[i]!, found, answers));
  const candidates = keyCandidates(types, found.rows).map((places) => places.map((i) => names[i]!));
  const { key, questions: asked } = keyOf(candidates, names, types, answers);
  const checked = mappingSchema.safeParse({ columns, key });
  const questions = [...signs, ...asked];
  if (checked.success) return { mapping: checked.data, questions, faults: [] };
  const faults = checked.error.issues.map(({ path, message }) => ({
    path: ["mapping", ...path.map((part) => (typeof part === "number" ? part : String(part)))],
    message,
  }));
  return { questions, faults };
}

function columnFor(
  type: ColumnProfile,
  place: number,
  name: string,
  found: FoundTable,
  answers: readonly Answer[],
): Column {
  const label = labelAt(found.types, place);
  const isOnce = type.name !== null && type.name !== "" && found.types.filter((t) => t.name === type.name).length === 1;
  const nulls = answerTo(answers, "null", label) === "text" ? [] : type.nulls.slice(0, NULLS_MAX);
  const base = {
    name,
    source: isOnce && type.name !== null ? { header: type.name } : { position: place + 1 },
    ...(nulls.length === 0 ? {} : { nulls }),
  };
  const made = columnSchema.safeParse({ ...base, ...typed(type, place, found, answers, nulls) });
  // A way of writing that no column can say yet: the text is kept to the letter.
  return made.success ? made.data : columnSchema.parse({ ...base, type: "text", maxLength: textLength(type) });
}

function typed(
  type: ColumnProfile,
  place: number,
  found: FoundTable,
  answers: readonly Answer[],
  nulls: readonly string[],
): object {
  const { sign, unit } = type;
  const writing = {
    ...(sign === undefined || sign === "leading" ? {} : { sign }),
    ...(sign === "letters" ? { letters: lettersOf(place, found, answers) } : {}),
    ...(unit === undefined ? {} : { unit }),
  };
  // Exponents are no way of writing that a column can say; what a spreadsheet has rounded is not to be read as exact.
  const isExponential = found.rows.some((row) => /\d[eE][-+]?\d/.test(row[place] ?? ""));
  switch (isExponential && type.type === "decimal" ? "text" : type.type) {
    case "identifier":
      return { type: "identifier", maxLength: lengthOf(type, IDENTIFIER_MAX_CHARS) };
    case "integer":
      // Marks between thousands are a decimal's.
      if (type.groupMark === undefined) {
        const isName = sign === undefined && unit === undefined && type.maxLength >= NAME_DIGITS;
        return isName ? { type: "identifier", maxLength: IDENTIFIER_MAX_CHARS } : { type: "integer", ...writing };
      }
      return { type: "decimal", decimalMark: DETECT, scale: 0, ...writing };
    case "decimal":
      return { type: "decimal", decimalMark: DETECT, ...sizeOf(place, found), ...writing };
    case "date":
    case "datetime":
      return { type: type.type, format: DETECT };
    case "boolean":
      return { type: "boolean", ...booleansOf(place, found, nulls) };
    default:
      return { type: "text", maxLength: textLength(type) };
  }
}

const lengthOf = ({ maxLength }: ColumnProfile, usual: number): number => Math.max(usual, 2 * maxLength);
const textLength = (type: ColumnProfile): number => lengthOf(type, TEXT_MAX_CHARS);

/** The schema's own sizes unless the sample has more digits. */
const SCALE = 6;
const PRECISION = 18;
const SCALE_MAX = 18;
const PRECISION_MAX = 38;

function sizeOf(place: number, found: FoundTable): { scale: number; precision: number } {
  let scale = SCALE;
  let whole = PRECISION - SCALE;
  for (const row of found.rows) {
    const [, before = "", behind = ""] = /^(.*?)(?:[.,](\d+))?\D*$/.exec(row[place] ?? "") ?? [];
    scale = Math.max(scale, behind.length);
    whole = Math.max(whole, before.replace(/\D/g, "").length);
  }
  const bounded = Math.min(scale, SCALE_MAX);
  return { scale: bounded, precision: Math.min(bounded + whole, PRECISION_MAX) };
}

/** Letters behind numbers, those of credit (CR, Haben) first: which are negative depends on whose account it is. */
const LETTERS = ["CR", "Cr", "H", "DR", "Dr", "S"];

const lettersIn = (place: number, found: FoundTable): string[] => {
  const seen = new Set(found.rows.map((row) => /(?:DR|CR|Dr|Cr|S|H)$/.exec((row[place] ?? "").trim())?.[0] ?? ""));
  return LETTERS.filter((letters) => seen.has(letters));
};

function lettersOf(
  place: number,
  found: FoundTable,
  answers: readonly Answer[],
): { negative: string[]; positive: string[] } {
  const seen = lettersIn(place, found);
  const said = answerTo(answers, "sign", labelAt(found.types, place));
  const negative = said !== undefined && seen.includes(said) ? said : seen[0]!;
  return { negative: [negative], positive: seen.filter((letters) => letters !== negative) };
}

function signQuestion(type: ColumnProfile, place: number, found: FoundTable, answers: readonly Answer[]): Question[] {
  const column = labelAt(found.types, place);
  if (type.sign !== "letters" || answerTo(answers, "sign", column) !== undefined) return [];
  const options = lettersIn(place, found);
  const reason = `Numbers are followed by ${options.join(" or ")}: which of them makes a number negative?`;
  return [{ what: "sign", column, options, assumed: null, reason }];
}

const YES = new Set(["true", "yes", "ja", "oui", "sí", "si", "wahr", "vrai", "on", "y", "j", "t"]);
/** For a column of which the sample has one of the two words only. */
const OPPOSITES: Readonly<Record<string, string>> = {
  true: "false",
  yes: "no",
  ja: "nein",
  oui: "non",
  sí: "no",
  si: "no",
  wahr: "falsch",
  vrai: "faux",
  on: "off",
  y: "n",
  j: "n",
  t: "f",
};

function booleansOf(place: number, found: FoundTable, nulls: readonly string[]): { yes: string[]; no: string[] } {
  const words = new Set(found.rows.map((row) => (row[place] ?? "").trim()));
  const yes: string[] = [];
  const no: string[] = [];
  for (const word of words) {
    if (word !== "" && !nulls.includes(word)) (YES.has(word.toLowerCase()) ? yes : no).push(word);
  }
  if (yes.length > 0 && no.length > 0) return { yes, no };
  const [word = ""] = yes.length > 0 ? yes : no;
  const like = (text: string): string =>
    word === word.toUpperCase()
      ? text.toUpperCase()
      : /^\p{Lu}/u.test(word)
        ? text[0]!.toUpperCase() + text.slice(1)
        : text;
  const [positive = "yes", negative = "no"] =
    Object.entries(OPPOSITES).find((pair) => pair.includes(word.toLowerCase())) ?? [];
  return { yes: yes.length > 0 ? yes : [like(positive)], no: no.length > 0 ? no : [like(negative)] };
}

const joined = (names: readonly string[]): string => names.join(", ");

/** The answered key, else the best candidate with a question. */
function keyOf(
  candidates: readonly (readonly string[])[],
  names: readonly string[],
  types: readonly ColumnProfile[],
  answers: readonly Answer[],
): { key: readonly string[]; questions: readonly Question[] } {
  const said = answers.findLast((answer) => answer.what === "key")?.answer.split(",");
  const key = said?.map((one) => fieldOf(one.trim(), names, types));
  if (key?.every((name) => name !== undefined)) return { key, questions: [] };
  const [best] = candidates;
  const options = (candidates.length > 0 ? candidates : names.map((name) => [name])).map(joined);
  const reason =
    best === undefined
      ? "No column, and no two of the first ones, tell all rows of the sample apart: which columns identify a record?"
      : `All sampled rows differ in ${best.map((name) => shown(name, 40)).join(" and ")}: does that identify a record?`;
  return {
    key: best ?? names.slice(0, 1),
    questions: [{ what: "key", options, assumed: best === undefined ? null : joined(best), reason }],
  };
}

/** A field by its own name, or by what the file calls it. */
const fieldOf = (said: string, names: readonly string[], types: readonly ColumnProfile[]): string | undefined =>
  names.includes(said) ? said : names[types.findIndex((type) => type.name === said)];
