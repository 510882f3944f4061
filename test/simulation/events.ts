/**
 * The events of one record: exactly one for each real change, each made by a file that says so, none by an older file than
 * the one before. A full file may retire a record that it does not name, and a later one restore it.
 */
import { type KnownFile, same, text } from "./known.ts";
import type { ChangeRow, RecordRow } from "./tables.ts";

export interface Fault {
  readonly rule: string;
  readonly expected: string;
  readonly found: string;
}

/** `places`: of the files, by their ids, in the order of the feed. */
export function chainFaults(
  chain: readonly ChangeRow[],
  record: RecordRow | undefined,
  byFile: ReadonlyMap<string, KnownFile>,
  places: ReadonlyMap<string, number>,
): Fault[] {
  const faults: Fault[] = [];
  const broken = (rule: string, expected: unknown, found: unknown) => {
    faults.push({ rule, expected: text(expected), found: text(found) });
  };
  let last: ChangeRow | undefined;
  for (const [i, change] of chain.entries()) {
    if (change.version !== i + 1) broken("versions count without gaps", i + 1, change.version);
    const kinds = kindsAfter(last);
    if (!kinds.includes(change.kind)) broken("the kind of the event", kinds, change.kind);
    // What a retired record was stays with it.
    const stored = last?.kind === "retired" ? last.before : last?.after;
    if (!same(change.before, stored)) broken("before is the after of the last", stored, change.before);
    if (change.kind === "changed" && same(change.before, change.after))
      broken("an event is a change", "another", change);
    const file = byFile.get(change.file_id);
    if (file === undefined) broken("an event comes from a file that was accepted", "a file", change);
    else faults.push(...sayingFaults(change, file));
    const before = last === undefined ? -1 : (places.get(last.file_id) ?? -1);
    const place = places.get(change.file_id);
    if (place !== undefined && place <= before) broken("older never wins", `a file behind ${last?.file_id}`, change);
    last = change;
  }
  const isRetired = last?.kind === "retired";
  if (record?.version !== chain.length) broken("as many events as versions", record?.version, chain.length);
  if (!same(record?.data, isRetired ? last?.before : last?.after)) broken("the last event is the record", last, record);
  if (record !== undefined && (record.status === "retired") !== isRetired) {
    broken("the last event is the record's status", last?.kind, record.status);
  }
  return faults;
}

function kindsAfter(last: ChangeRow | undefined): readonly string[] {
  if (last === undefined) return ["inserted"];
  return last.kind === "retired" ? ["restored"] : ["changed", "retired"];
}

function sayingFaults(change: ChangeRow, { mail, says, names, unread, healed }: KnownFile): Fault[] {
  const said = says.get(change.key);
  if (change.kind === "retired") {
    const may = healed !== undefined || (mail.kind.mode === "full" && !unread && !names.has(change.key));
    const lacks = said === undefined && may;
    if (lacks && change.after === null) return [];
    return [
      { rule: "a full file retires what it lacks", expected: text(said ?? "not to be retired"), found: text(change) },
    ];
  }
  const after = mail.kind.merges ? { ...change.before, ...said } : said;
  if (said !== undefined && same(after, change.after)) return [];
  return [{ rule: "after is what the file says", expected: text(after), found: text(change.after) }];
}
