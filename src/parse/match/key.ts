/** Which columns may identify a record: those whose sampled values are all there and all different. */
import type { ColumnProfile } from "../detect/profile.ts";

/** Columns that pairs are made of: keys stand in front. */
const PAIRED_MAX = 8;
/** Candidates that are named. */
const CANDIDATES_MAX = 5;
/** In this many rows and more a few without the value, or with one that came before, are faults of the file. */
const ENOUGH_ROWS = 100;
const FAULTY_SHARE = 0.01;
/** Longer texts name nothing. */
const KEY_MAX_CHARS = 64;

/** Candidates as places of columns, the best first. Empty where rows repeat in all of them. */
export function keyCandidates(types: readonly ColumnProfile[], rows: readonly (readonly string[])[]): number[][] {
  const whole = rows.filter((row) => row.length === types.length);
  if (whole.length === 0) return [];
  const naming = types.flatMap((type, i) => (isNaming(type) ? [i] : []));
  const strict = naming.filter((i) => isUnique([i], whole, 0));
  const allowed = whole.length >= ENOUGH_ROWS ? FAULTY_SHARE * whole.length : 0;
  const nearly = naming.filter((i) => !strict.includes(i) && isUnique([i], whole, allowed));
  const singles = [...strict, ...nearly].map((i) => [i]);
  // In few rows much is unique by chance: what is called a key goes first, then numbers and codes before texts.
  singles.sort(([a = 0], [b = 0]) => rankOf(types[a]) - rankOf(types[b]));
  if (singles.length > 0) return singles.slice(0, CANDIDATES_MAX);
  const front = naming.slice(0, PAIRED_MAX);
  const pairs = front.flatMap((a, i) => front.slice(i + 1).map((b) => [a, b]));
  return pairs.filter((pair) => isUnique(pair, whole, allowed)).slice(0, CANDIDATES_MAX);
}

const isNaming = ({ type, maxLength }: ColumnProfile): boolean =>
  type === "identifier" || type === "integer" || (type === "text" && maxLength <= KEY_MAX_CHARS) || type === "date";

function rankOf(type: ColumnProfile | undefined): number {
  if (type?.type === "identifier") return 0;
  return type?.type === "integer" ? 1 : type?.type === "text" ? 2 : 3;
}

/** `allowed`: rows that may lack a value or repeat one. */
function isUnique(places: readonly number[], rows: readonly (readonly string[])[], allowed: number): boolean {
  const seen = new Set<string>();
  let faulty = 0;
  for (const row of rows) {
    const values = places.map((i) => (row[i] ?? "").trim());
    const value = JSON.stringify(values);
    if (values.includes("") || seen.has(value)) faulty++;
    else seen.add(value);
    if (faulty > allowed) return false;
  }
  return true;
}
