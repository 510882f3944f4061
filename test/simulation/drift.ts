/**
 * Comparisons with the ERP's own list: what differs is found, what does not is left alone, it heals or is shown to a person by
 * the limits, and what was healed is healed.
 */
import { DRIFT_LIMITS } from "./feeds.ts";
import { grouped, inOrder, type KnownFile, nameOf, same, text } from "./known.ts";
import type { Violation } from "./model.ts";
import type { ReportRow, Tables } from "./tables.ts";
import type { Deed } from "./vandal.ts";
import { CURSED_KEY, type SentMail } from "./workload.ts";

/** Of a small feed so many rows heal whatever share they are. */
const ALWAYS_FEW_ROWS = 3;
/** The product's own limits, where a list is held against the records that it was made of. */
const OWN_LIMITS = { maxRows: 500, maxShare: 0.01 };

/** What has come to an end. */
const ENDED: readonly string[] = ["clean", "healed", "rejected", "waiting", "late"];

const RECIPIENTS = ["contact", "operator"];

/** The files that were made to heal, each at the place of the list that it says. */
export function healings({ made, reports, changes }: Tables, known: readonly KnownFile[]): KnownFile[] {
  return reports.flatMap((report): KnownFile[] => {
    const row = made.find(({ id }) => id === report.healing_file_id);
    const list = known.find((file) => file.row.id === report.file_id);
    if (row === undefined || list === undefined) return [];
    const { as_of_ms, received_ms, position } = list.row;
    const place = { as_of_ms, received_ms, position: position + Number(report.id) / 1_000_000 };
    const healed = new Set(changes.filter(({ file_id }) => file_id === row.id).map(({ key }) => key));
    return [{ ...list, row: { ...row, ...place, feed: report.feed }, healed, unread: false, names: new Set() }];
  });
}

/** A comparison that has been made, with the list, all files of its feed in order, and what was done to it by hand. */
interface Compared {
  readonly report: ReportRow;
  readonly list: KnownFile;
  readonly files: readonly KnownFile[];
  readonly deeds: readonly Deed[];
  readonly earlier: readonly Compared[];
}

interface Told {
  readonly expected: string;
  readonly found: unknown;
}

export class Drift {
  readonly #tables: Tables;
  readonly #mails: readonly SentMail[];
  readonly #known: readonly KnownFile[];
  readonly #deeds: readonly Deed[];
  readonly #byFeed: ReadonlyMap<string, readonly Compared[]>;

  /** `mails`: also those that never arrived. */
  constructor(tables: Tables, mails: readonly SentMail[], known: readonly KnownFile[], deeds: readonly Deed[]) {
    this.#tables = tables;
    this.#mails = mails;
    this.#known = known;
    this.#deeds = deeds;
    const files = grouped(inOrder(known), ({ row }) => row.feed);
    const byFeed = new Map<string, Compared[]>();
    for (const report of tables.reports) {
      const list = known.find(({ row }) => row.id === report.file_id);
      if (list === undefined || report.compared_ms === null) continue;
      const earlier = byFeed.get(report.feed) ?? [];
      const one = {
        report,
        list,
        files: files.get(report.feed) ?? [],
        deeds: deeds.filter(({ feed }) => feed === report.feed),
      };
      byFeed.set(report.feed, [...earlier, { ...one, earlier }]);
    }
    this.#byFeed = byFeed;
  }

  faults(): Violation[] {
    const compared = [...this.#byFeed.values()].flat();
    return [
      ...this.#unseen(),
      ...this.#tables.reports.flatMap((report) => told("a comparison comes to its end", report, isEnded(report))),
      ...compared.flatMap((one) => [
        ...told("drift heals or is shown, by its limits", one.report, byLimits(one)),
        ...told("people are told of a report once", one.report, this.#mailed(one)),
        ...told("no drift from nowhere", one.report, this.#groundless(one)),
        ...told("what was done by hand is found", one.report, this.#notFound(one)),
        ...told("what was found is healed", one.report, this.#notHealed(one)),
      ]),
      ...this.#edited(),
    ];
  }

  /** Each list is compared, unless it says again what the one before it says. */
  #unseen(): Violation[] {
    return this.#known.flatMap(({ mail, row, healed }) => {
      if (mail.kind.mode !== "snapshot" || healed !== undefined || row.state !== "compared") return [];
      const reports = this.#tables.reports.filter(({ file_id }) => file_id === row.id);
      if (reports.length === 1) return [];
      const about = [`"${row.id}"`, row.delivery_id.slice(0, 8)];
      const subject = `${row.feed} file ${row.id}`;
      return [{ rule: "a list is compared once", subject, about, expected: "one report", found: text(reports) }];
    });
  }

  #mailed({ report }: Compared): Told | undefined {
    const mails = this.#tables.mails.filter(({ key }) => key.startsWith(`drift report ${report.id}, `));
    const found = mails.map(({ recipient }) => recipient).toSorted();
    const hasWaited = report.state === "waiting" || report.decided_by !== null;
    if (found.length === 0 ? report.state !== "waiting" : hasWaited && text(found) === text(RECIPIENTS))
      return undefined;
    return { expected: hasWaited ? text(RECIPIENTS) : "nobody", found };
  }

  /** Drift has a cause: a deed, or something that the ERP has said and that was not applied by then, neither healed since. */
  #groundless(one: Compared): Told | undefined {
    const { report, list } = one;
    const groundless = unexplained(report).find(({ key }) => {
      if (key === CURSED_KEY) return false;
      if (report.own) return !this.#mayKeep(one, key);
      const healedSince = (ms: number, asOfMs: number) =>
        one.earlier.some(
          (other) =>
            isHealed(other.report) &&
            other.report.created_ms >= ms &&
            other.list.row.as_of_ms >= asOfMs &&
            endedMs(other.report) <= report.created_ms &&
            !isExplained(other.report, key),
        );
      const deeds = one.deeds.filter((deed) => deed.key === key && deed.atMs <= report.compared_ms!);
      if (deeds.some(({ atMs }) => !healedSince(atMs, Number.NEGATIVE_INFINITY))) return false;
      return !this.#lost(report, list, key).some((asOfMs) => !healedSince(Number.NEGATIVE_INFINITY, asOfMs));
    });
    return groundless && { expected: "a deed, or a statement that was not applied", found: groundless };
  }

  /** When the ERP said something of the record that was not applied when the comparison began. */
  #lost({ feed, created_ms }: ReportRow, list: KnownFile, key: string): number[] {
    const sent = this.#mails.filter(
      ({ customer, kind, dateMs }) => `${customer}/${kind.slug}` === feed && dateMs <= list.row.as_of_ms,
    );
    return sent.flatMap((mail) =>
      mail.files.flatMap((file) => {
        if (file.rows.every(({ good }) => good?.key !== key)) return [];
        const row = this.#known.find((one) => one.mail === mail && one.sent === file)?.row;
        return row?.applied_ms !== null && row !== undefined && row.applied_ms <= created_ms ? [] : [mail.dateMs];
      }),
    );
  }

  /** Records that a full file lacks may have been kept, where rows of it were unread or a newer one had begun. */
  #mayKeep({ list, files }: Compared, key: string): boolean {
    if (list.says.has(key)) return false;
    const newer = files.slice(files.indexOf(list) + 1);
    return list.unread || newer.some(({ row }) => row.started_ms !== null && row.started_ms <= list.row.applied_ms!);
  }

  #notFound({ report, list, earlier, deeds }: Compared): Told | undefined {
    const last = new Map(deeds.filter(({ atMs }) => atMs <= report.compared_ms!).map((deed) => [deed.key, deed]));
    const missed = [...last.values()].find(({ key, deed, atMs }) => {
      if (atMs >= report.created_ms || earlier.some((other) => other.report.created_ms > atMs)) return false;
      // What is gone here, and not in the list either, is right.
      if ((deed === "delete" || deed === "retire") && !list.says.has(key)) return false;
      const isWritten = this.#eventsOn(report.feed, key).some(
        ({ created_ms }) => created_ms >= atMs && created_ms <= report.compared_ms!,
      );
      return !isWritten && report.rows.every((row) => row.key !== key);
    });
    return missed && { expected: "a row about it", found: missed };
  }

  /** Where the file that heals has not written a record, another one had done it before, or a newer one has spoken. */
  #notHealed({ report, list, files }: Compared): Told | undefined {
    if (report.state !== "healed") return undefined;
    const left = unexplained(report).find(({ key }) => {
      const events = this.#eventsOn(report.feed, key).filter(({ created_ms }) => created_ms >= report.created_ms);
      const newer = files.slice(files.findIndex(({ row }) => row.as_of_ms > list.row.as_of_ms));
      return events.length === 0 && !newer.some(({ says }) => says.has(key)) && !this.#isDone(report, key);
    });
    return left && { expected: "an event of the file that heals, or another one since", found: left };
  }

  /** It was put right, or done, by hand since. */
  #isDone = ({ feed, created_ms }: ReportRow, key: string): boolean =>
    this.#deeds.some((deed) => deed.feed === feed && deed.key === key && deed.atMs >= created_ms);

  #eventsOn = (feed: string, key: string) =>
    this.#tables.changes.filter((change) => change.feed === feed && change.key === key);

  /** What was edited by hand is, after a comparison that ended well, what the list says, or what was written since. */
  #edited(): Violation[] {
    const last = new Map(this.#deeds.map((deed) => [nameOf(deed), deed]));
    return [...last].flatMap(([name, { feed, key, atMs }]): Violation[] => {
      const seen = (this.#byFeed.get(feed) ?? []).filter(({ report }) => report.created_ms > atMs).at(-1);
      if (seen === undefined || !isHealed(seen.report) || isExplained(seen.report, key)) return [];
      const event = this.#eventsOn(feed, key)
        .filter(({ created_ms }) => created_ms > atMs)
        .at(-1);
      const newest = newestAfter(seen, key);
      const since = event === undefined ? seen.list.says.get(key) : (event.after ?? undefined);
      const wanted = newest === undefined ? since : newest.says.get(key);
      const record = this.#tables.records.find(
        (one) => one.feed === feed && one.key === key && one.status === "active",
      );
      if (same(record?.data, wanted)) return [];
      const about = [`report ${seen.report.id}`, ` ${key}`];
      const rule = "after healing the state is the ERP's";
      return [{ rule, subject: name, about, expected: text(wanted), found: text(record) }];
    });
  }
}

const isEnded = ({ state }: ReportRow): Told | undefined =>
  ENDED.includes(state) ? undefined : { expected: ENDED.join(" or "), found: state };

/** The newest file that speaks of the record, where it is newer than the list and was begun when that had healed. */
function newestAfter({ report, list, files }: Compared, key: string): KnownFile | undefined {
  const newest = files.findLast(
    ({ row, says, healed }) => healed === undefined && row.applied_ms !== null && says.has(key),
  );
  if (newest === undefined || newest.row.as_of_ms <= list.row.as_of_ms) return undefined;
  return newest.row.started_ms! > endedMs(report) ? newest : undefined;
}

const isHealed = ({ state }: ReportRow): boolean => state === "healed" || state === "clean";
const endedMs = ({ healed_ms, compared_ms }: ReportRow): number => healed_ms ?? compared_ms!;
const unexplained = ({ rows }: ReportRow) => rows.filter(({ reason }) => reason === null);
const isExplained = ({ rows }: ReportRow, key: string): boolean =>
  rows.some((row) => row.key === key && row.reason !== null);

function byLimits({ report, list }: Compared): Told | undefined {
  const { drift, records, snapshot_rows: listed, state, own } = report;
  const open = unexplained(report);
  if (drift !== open.length) return { expected: `${open.length} of drift`, found: report };
  const { maxRows, maxShare } = own ? OWN_LIMITS : DRIFT_LIMITS;
  const isMuch =
    drift > maxRows ||
    (drift > ALWAYS_FEW_ROWS && drift > maxShare * Math.max(records!, listed!)) ||
    listed === 0 ||
    (open.some(({ kind }) => kind === "missing-there") && list.unread);
  const wanted =
    drift === 0 ? ["clean"] : isMuch ? ["waiting", "rejected", "released", "healed"] : ["healing", "healed"];
  const isDecided = report.decided_by !== null;
  if (wanted.includes(state) && (drift === 0 || state === "waiting" || state === "healing" || isDecided === isMuch))
    return undefined;
  return { expected: wanted.join(" or "), found: report };
}

function told(rule: string, report: ReportRow, fault: Told | undefined): Violation[] {
  if (fault === undefined) return [];
  const about = [`"${report.file_id}"`, `"report":"${report.id}"`];
  return [
    { rule, subject: `${report.feed} report ${report.id}`, about, expected: fault.expected, found: text(fault.found) },
  ];
}
