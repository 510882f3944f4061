/**
 * What of a snapshot can be held against the records of another feed, and by what. Pure.
 *
 * A row hash is the hash of the row's JSON text: names of the columns in their order, values in canonical form. The hash of a
 * record is that of the statement that last changed it. So hashes of the two say "the same" only where both feeds have the
 * same columns in the same order, and no statement may leave fields out. Elsewhere the values of the fields that both have
 * are compared. Another hash never means "different": a record that was written before a column was added has another one.
 */
import { type Column, mergesRecords } from "../domain/column.ts";

/** Of a feed, what its records consist of. */
export interface Described {
  readonly columns: readonly Column[];
  readonly key: readonly string[];
}

export interface Comparison {
  /** Equal hashes mean equal records, so hashes are asked first. */
  readonly hashes: boolean;
  /** Fields that are compared, in the order of the feed. */
  readonly fields: readonly string[];
  /** Of these, the ones in which the platform may differ: told, and never healed. */
  readonly platformFields: readonly string[];
  /** Fields of either feed that are not compared, and why. */
  readonly notCompared: readonly { readonly field: string; readonly why: string }[];
  /** What heals a record that differs: the whole row of the snapshot, or only its fields, over what is stored. */
  readonly heals: "whole" | "fields";
}

/** What makes a comparison impossible; nothing where it is possible. For the check of an adapter, too. */
export function comparisonFaults(snapshot: Described, target: Described): string[] {
  if (snapshot.key.join() !== target.key.join()) {
    return [`the key is ${snapshot.key.join(", ")}, that of the feed it is compared with ${target.key.join(", ")}`];
  }
  const types = new Map(target.columns.map((column) => [column.name, column]));
  return snapshot.columns
    .filter(({ name }) => snapshot.key.includes(name))
    .filter((column) => formOf(column) !== formOf(types.get(column.name)))
    .map(({ name }) => `"${name}" is of the key and of another type there, so no key would be found`);
}

/** `platformFields`: of the target feed. Feeds with faults have no comparison: see `comparisonFaults`. */
export function comparisonOf(
  snapshot: Described,
  target: Described,
  platformFields: readonly string[] = [],
): Comparison {
  const said = new Map(snapshot.columns.map((column) => [column.name, column]));
  const fields: string[] = [];
  const notCompared: { field: string; why: string }[] = [];
  for (const column of target.columns) {
    const there = said.get(column.name);
    said.delete(column.name);
    const why = whyNot(there, column);
    if (why === undefined) fields.push(column.name);
    else notCompared.push({ field: column.name, why });
  }
  for (const field of said.keys()) notCompared.push({ field, why: "the feed has no such field" });
  const owned = platformFields.filter((field) => fields.includes(field));
  const sameColumns =
    notCompared.length === 0 && snapshot.columns.every(({ name }, i) => name === target.columns[i]!.name);
  const hashes = sameColumns && !mergesRecords(target);
  return {
    hashes,
    fields,
    platformFields: owned,
    notCompared,
    heals: hashes && owned.length === 0 ? "whole" : "fields",
  };
}

function whyNot(there: Column | undefined, here: Column): string | undefined {
  if (there === undefined) return "the snapshot has no such field";
  if (mergesRecords({ columns: [there] })) return "the snapshot may leave it out";
  if (formOf(there) !== formOf(here)) return `it is ${there.type} in the snapshot and ${here.type} in the feed`;
  return undefined;
}

/** How values of a type are written: of the same form, equal values are equal JSON. */
function formOf(column: Column | undefined): string | undefined {
  return column?.type === "identifier" || column?.type === "enum" ? "text" : column?.type;
}
