/** The checks, each a question to the facts. They answer what is wrong, or nothing; `LACKING` where numbers are missing. Pure. */
import { shown } from "../domain/failures.ts";
import type { GateCheck, GatePolicy } from "../domain/gate-policy.ts";
import { grouped, percent } from "../domain/words.ts";
import { type Band, bandOf, shareBandOf } from "./band.ts";
import type { ChangedSample, FeedHistory, FieldFacts, PastFile, PlanFacts, Sample, Tripped } from "./facts.ts";
import { part, roughly, span, times, utc } from "./words.ts";

const MS_PER_HOUR = 3_600_000;
const MS_PER_DAY = 24 * MS_PER_HOUR;

export interface Judged {
  readonly facts: PlanFacts;
  readonly history: FeedHistory;
  readonly samples: readonly Sample[];
  readonly policy: GatePolicy;
}

export const LACKING = "lacking";
type Answer = Tripped[] | typeof LACKING;
type Limits<C extends GateCheck> = Exclude<GatePolicy[C], "off">;

/** One answer for each check, in the shape in which the policy names them. */
export const CHECKS: { readonly [C in GateCheck]: (judged: Judged, limits: Limits<C>) => Answer } = {
  emptyFile({ facts }) {
    if (facts.rows > 0 || facts.mode === "delta" || facts.records === 0) return [];
    return one("emptyFile", 0, null, 1, `The file has no rows, while ${grouped(facts.records)} records are known.`);
  },

  asOfFuture({ facts }, { hours }) {
    if (facts.statedMs === undefined) return [];
    const ahead = facts.statedMs - facts.receivedMs;
    if (!(ahead > hours * MS_PER_HOUR)) return [];
    const sentence = `The file says that it was made on ${utc(facts.statedMs)}, ${span(ahead)} after it arrived here.`;
    return one("asOfFuture", ahead / MS_PER_HOUR, null, hours, sentence);
  },

  asOfOld({ facts, history }, { hours }) {
    if (history.length === 0) return [];
    const last = Math.max(...history.map((file) => file.asOfMs));
    const stated = facts.statedMs ?? facts.asOfMs;
    const behind = last - stated;
    if (!(behind > hours * MS_PER_HOUR)) return [];
    const sentence = `The file is of ${utc(stated)}, ${span(behind)} older than the last one that was loaded (${utc(last)}).`;
    return one("asOfOld", behind / MS_PER_HOUR, null, hours, sentence);
  },

  overlap({ facts, history }, { share, minRecords }) {
    const named = facts.accepted - facts.superseded;
    if (named < minRecords || facts.records < minRecords) return [];
    if (facts.inserted === undefined) return LACKING;
    const known = named - facts.inserted;
    const usual = usualShare(history, (file) => ({ n: file.named - file.inserted, of: file.named }));
    if (usual === undefined && facts.mode === "delta") return [];
    // What is usual can only lower the limit: a feed that brings new records is left alone.
    const limit = Math.min(share, usual?.low ?? 1);
    if (known / named >= limit) return [];
    const sentence = `Only ${part(known, named, "records in the file")} are known here: it may be a list of something else, as of another warehouse or company.`;
    return one("overlap", known / named, usual?.middle ?? null, limit, sentence);
  },

  sheetLimit({ facts }) {
    const { rows, otherLines } = facts;
    const at = SHEET_ROWS.find((limit) => [rows, rows + 1, rows + otherLines].includes(limit));
    if (at === undefined) return [];
    const sentence = `The file has ${grouped(rows)} rows${rows === at ? "" : ` (${grouped(at)} with its header)`}, exactly as many as a spreadsheet can hold: what came behind them was probably cut off.`;
    return one("sheetLimit", rows, null, at, sentence);
  },

  rowCount({ facts, history }, limits) {
    const bands = usualRows(facts, history, limits);
    if (bands.length === 0) return LACKING;
    const { rows } = facts;
    const off = (band: Band) => (rows > band.high ? rows - band.high : facts.mode === "full" ? band.low - rows : 0);
    const [nearest] = bands.toSorted((a, b) => off(a) - off(b));
    if (nearest === undefined || off(nearest) <= 0) return [];
    const few = rows < nearest.low;
    const limit = few ? Math.ceil(nearest.low) : Math.floor(nearest.high);
    const usual = Math.round(nearest.middle);
    const words = few ? ["only ", "fewer"] : ["", "more"];
    const sentence = `The file has ${words[0]}${grouped(rows)} rows. About ${roughly(usual)} are usual; ${words[1]} than ${grouped(limit)} are not.`;
    return one("rowCount", rows, usual, limit, sentence);
  },

  retired({ facts, history }, { share, minRecords }) {
    const { retired, records } = facts;
    const usual = usualShare(history, (file) => ({ n: file.retired, of: file.records }));
    const limit = Math.max(minRecords, Math.max(share, usual?.high ?? 0) * records);
    if (retired <= limit) return [];
    const sentence = `${part(retired, records, "records")} are not in the file any more and would be taken off${usually(usual)}.`;
    return one("retired", retired, expected(usual, records), limit, sentence);
  },

  setToZero: (judged, limits) =>
    emptied(
      judged,
      limits,
      "setToZero",
      judged.facts.numeric,
      isSize,
      (value) => value !== "" && Number(value) === 0,
      (field) => `${field} would become 0`,
    ),

  setToBlank: (judged, limits) =>
    emptied(
      judged,
      limits,
      "setToBlank",
      fieldsIn(judged.samples),
      isThere,
      (value) => !isThere(value),
      (field) => `${field} would become empty`,
    ),

  total({ facts }, limits) {
    if (lacksFields(facts)) return LACKING;
    const ask = (field: FieldFacts) =>
      moved("total", field, limits, field.before.total, field.after.total, "add up to");
    return facts.fields.flatMap(ask);
  },

  median({ facts }, limits) {
    if (lacksFields(facts)) return LACKING;
    const ask = (field: FieldFacts) =>
      moved("median", field, limits, field.before.median, field.after.median, "typically be");
    return facts.fields.flatMap(ask);
  },

  changed({ facts, history }, { share, minRecords }) {
    const { changed, records } = facts;
    if (changed === undefined) return records <= minRecords ? [] : LACKING;
    const usual = usualShare(history, (file) => ({ n: file.changed, of: file.records }));
    const limit = Math.max(minRecords, Math.max(share, usual?.high ?? 0) * records);
    if (changed <= limit) return [];
    return one(
      "changed",
      changed,
      expected(usual, records),
      limit,
      `${part(changed, records, "records")} would change${usually(usual)}.`,
    );
  },

  rejected({ facts, history }, { share, minRows }) {
    const { rejected, rows } = facts;
    const usual = usualShare(history, (file) => ({ n: file.rejected, of: file.rows }));
    const limit = Math.max(minRows, Math.max(share, usual?.high ?? 0) * rows);
    if (rejected <= limit) return [];
    return one(
      "rejected",
      rejected,
      expected(usual, rows),
      limit,
      `${part(rejected, rows, "rows")} could not be read${usually(usual)}.`,
    );
  },
};

/** Rows of a sheet: Excel 97 to 2003 and others of its time; Excel since 2007. */
const SHEET_ROWS = [65_536, 1_048_576];

const one = (check: GateCheck, found: number, expected: number | null, limit: number, sentence: string): Tripped[] => [
  { check, sentence, evidence: { found, expected, limit } },
];

/** Fewer files say nothing of what is usual. */
const MIN_SAMPLES = 5;
/** Of the newest so many files: a habit of last year is none. */
const USUAL_FILES = 30;

/** Where a share lies in the feed's last files; undefined where there are too few of them. */
function usualShare(history: FeedHistory, of: (file: PastFile) => { n: number; of: number }): Band | undefined {
  const shares = history
    .toSorted((a, b) => b.asOfMs - a.asOfMs)
    .map(of)
    .filter((share) => share.of > 0)
    .slice(0, USUAL_FILES)
    .map((share) => share.n / share.of);
  return shares.length < MIN_SAMPLES ? undefined : shareBandOf(shares);
}

const expected = (usual: Band | undefined, of: number) => (usual === undefined ? null : Math.round(usual.middle * of));
const usually = (usual: Band | undefined) => (usual === undefined ? "" : `; usually ${percent(usual.middle)}`);

/** That far apart it is the same time of day: a nightly list is not made to the minute, and hourly ones stay apart. */
const SAME_TIME_HOURS = 0.5;

/** The bands in one of which a file must be: that of the last days, of the same weekday, of the same time of day. */
function usualRows({ asOfMs }: PlanFacts, history: FeedHistory, limits: Limits<"rowCount">): Band[] {
  const before = (days: number) =>
    history.filter((file) => file.asOfMs <= asOfMs && file.asOfMs > asOfMs - days * MS_PER_DAY);
  const recent = before(limits.days);
  const weekdays = before(limits.weeks * 7).filter((file) => weekdayOf(file.asOfMs) === weekdayOf(asOfMs));
  const sameTime = before(limits.days).filter((file) => hoursApart(file.asOfMs, asOfMs) < SAME_TIME_HOURS);
  return [
    ...(recent.length >= limits.minSamples ? [recent] : []),
    ...(weekdays.length >= limits.minWeekdaySamples ? [weekdays] : []),
    ...(sameTime.length >= limits.minSamples ? [sameTime] : []),
  ].map((files) => {
    const counts = files.map((file) => file.rows);
    const band = bandOf(counts, limits.spreads, limits.factor);
    return {
      low: Math.min(band.low, band.middle - limits.minRows),
      middle: band.middle,
      high: Math.max(band.high, band.middle + limits.minRows),
    };
  });
}

const weekdayOf = (ms: number): number => new Date(ms).getUTCDay();

/** Of the time of day, around midnight too. */
function hoursApart(a: number, b: number): number {
  const apart = Math.abs(a - b) % MS_PER_DAY;
  return Math.min(apart, MS_PER_DAY - apart) / MS_PER_HOUR;
}

const isThere = (value: unknown): boolean => value !== null && value !== undefined && value !== "";
const isSize = (value: unknown): boolean => isThere(value) && Number(value) !== 0;

const changedIn = (samples: readonly Sample[]): ChangedSample[] =>
  samples.filter((sample) => sample.kind === "changed");

const fieldsIn = (samples: readonly Sample[]): string[] => [
  ...new Set(changedIn(samples).flatMap((sample) => Object.keys(sample.before))),
];

/** Fields told of one check; the others only repeat it. */
const FIELDS_TOLD_MAX = 3;

/** How many of the feed's records would lose their value, from the looked-at ones among those that change. */
function emptied(
  { facts, samples }: Judged,
  { share, minRecords, except }: Limits<"setToZero">,
  check: "setToZero" | "setToBlank",
  fields: readonly string[],
  had: (value: unknown) => boolean,
  lost: (value: unknown) => boolean,
  words: (field: string) => string,
): Answer {
  const { changed, records } = facts;
  if (changed === undefined) return LACKING;
  const limit = Math.max(minRecords, share * records);
  // Not even all of them would be too many.
  if (changed <= limit) return [];
  const looked = changedIn(samples);
  if (looked.length === 0) return LACKING;
  return fields
    .filter((field) => !except.includes(field))
    .map((field) => {
      const hits = looked.filter(({ before, after }) => had(before[field]) && lost(after[field])).length;
      return { field, found: Math.round((hits / looked.length) * changed) };
    })
    .filter(({ found }) => found > limit)
    .sort((a, b) => b.found - a.found)
    .slice(0, FIELDS_TOLD_MAX)
    .map(({ field, found }) => ({
      check,
      field,
      sentence: `${words(shown(field))} in ${looked.length < changed ? "about " : ""}${part(found, records, "records")}.`,
      evidence: { found, expected: null, limit },
    }));
}

/** There are numbers before and after, and nobody has counted them. */
const lacksFields = ({ numeric, fields, records }: PlanFacts): boolean =>
  numeric.length > 0 && fields.length === 0 && records > 0;

/** More is all the same, and a number that JSON can say. */
const MAX_FACTOR = 1_000_000;

/** A field whose numbers moved by more than a factor, up or down. */
function moved(
  check: "total" | "median",
  { field, before, after }: FieldFacts,
  { factor, minValues, except }: Limits<"total">,
  from: number | undefined,
  to: number | undefined,
  words: string,
): Tripped[] {
  if (except.includes(field) || before.values < minValues || after.values < minValues) return [];
  if (from === undefined || to === undefined || from === 0) return [];
  const found = Math.min(to > from ? to / from : from / to, MAX_FACTOR);
  if (!(found > factor)) return [];
  return [
    {
      check,
      field,
      sentence: `The values of ${shown(field)} would ${words} ${grouped(to)} instead of ${grouped(from)}: ${times(from, to)}.`,
      evidence: { found, expected: 1, limit: factor },
    },
  ];
}
