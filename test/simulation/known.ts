/** Files that were sent, together with their rows, and the order in which their feeds mean them. */
import type { FileRow } from "./tables.ts";
import type { Said, SentFile, SentMail } from "./workload.ts";

/** A file of a mail together with its row. */
export interface KnownFile {
  readonly mail: SentMail;
  readonly sent: SentFile;
  readonly row: FileRow;
  /** What it says of each record: its last line of that key, or all of them over each other where the feed merges. */
  readonly says: ReadonlyMap<string, Said>;
  /** Records that it names in rows that nobody could take. */
  readonly names: ReadonlySet<string>;
  /** It has rows of which nobody knows the record. */
  readonly unread: boolean;
  /** Of a file that heals drift: the records that it has written or retired. It is silent about all others. */
  readonly healed?: ReadonlySet<string>;
}

/** Of a record, among those of all feeds. */
export const nameOf = ({ feed, key }: { readonly feed: string; readonly key: string }): string => `${feed} ${key}`;

/** For people. */
export const text = (value: unknown): string => (value === undefined ? "nothing" : JSON.stringify(value));

/** Equal whatever the order of their keys. */
export const same = (a: Said | null | undefined, b: Said | null | undefined): boolean => canonical(a) === canonical(b);
const canonical = (said: Said | null | undefined): string =>
  said === null || said === undefined
    ? "nothing"
    : JSON.stringify(Object.entries(said).sort(([a], [b]) => (a < b ? -1 : 1)));

/** A file that was sent, with its row. */
export const knownFile = (mail: SentMail, sent: SentFile, row: FileRow): KnownFile => {
  const bad = sent.rows.filter(({ good }) => good === undefined);
  return {
    mail,
    sent,
    row,
    says: sayings(mail, sent),
    names: new Set(bad.flatMap(({ names }) => (names === undefined ? [] : [names]))),
    unread: bad.some(({ names }) => names === undefined),
  };
};

/** What a file says of each record. */
export function sayings({ kind }: SentMail, { rows }: SentFile): Map<string, Said> {
  const says = new Map<string, Said>();
  for (const { good } of rows) {
    if (good !== undefined) says.set(good.key, kind.merges ? { ...says.get(good.key), ...good.said } : good.said);
  }
  return says;
}

/** By feed, and there as the ERP meant it: as-of, then its number, then arrival, then the place in the mail. */
export const inOrder = (files: readonly KnownFile[]): KnownFile[] =>
  files.toSorted(
    ({ row: a, sent: { sequence } }, { row: b, sent }) =>
      (a.feed < b.feed ? -1 : a.feed > b.feed ? 1 : 0) ||
      a.as_of_ms - b.as_of_ms ||
      sequence - sent.sequence ||
      a.received_ms - b.received_ms ||
      a.position - b.position,
  );

export function grouped<T>(list: readonly T[], by: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) {
    const group = groups.get(by(one));
    if (group) group.push(one);
    else groups.set(by(one), [one]);
  }
  return groups;
}
