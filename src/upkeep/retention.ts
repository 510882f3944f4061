/**
 * How long everything is kept, why, and what removes it: the one place where that is said. `docs/retention.md` is this table
 * (a test compares them, and that no table of the database is missing here).
 *
 * Nothing is removed that a retry could still need: of files and deliveries only what has come to its end loses anything.
 */

/** More than a year, so that the same day of last year can still be compared, with a month to notice that it is needed. */
export const HISTORY_DAYS = 400;
/** An ended file's chunks are asked for by nobody; two weeks are for people who look into a fault. */
export const CHUNK_DAYS = 14;
/** Rows of drift hold values, and a quarter is time enough to find out why they differed; the numbers stay in the report. */
export const DRIFT_ROW_DAYS = 90;
/** Ten years: the longest time for which what a ledger was made of has to be kept (HGB §257, AO §147). */
export const RAW_DAYS = 3_652;
/** How many days ahead `changes` has its partitions: a cron that fails for a week does no harm. */
export const PARTITION_DAYS_AHEAD = 14;

/** The jobs of upkeep, in the order in which they run. */
export const JOBS = [
  "changes",
  "chunks",
  "rejects",
  "ledger",
  "seen",
  "notifications",
  "dead-letters",
  "alerts",
  "holds",
  "replay-items",
  "drift-rows",
  "drift-reports",
  "raw",
] as const;
export type JobName = (typeof JOBS)[number];

export interface Kept {
  /** Tables, or prefixes in the bucket. */
  readonly what: readonly string[];
  /** Days; undefined: for ever. */
  readonly days: number | undefined;
  /** From when the days are counted, and what stays in any case. */
  readonly from: string;
  readonly why: string;
  /** The job that removes it; undefined where nothing does. */
  readonly job: JobName | undefined;
}

const forEver = (what: readonly string[], why: string): Kept => ({
  what,
  days: undefined,
  from: "for ever",
  why,
  job: undefined,
});

export const RETENTION: readonly Kept[] = [
  {
    what: ["raw/"],
    days: RAW_DAYS,
    from: "after arrival; not while the delivery or a file of it is not at its end, or a dead letter of it is open",
    why: "Everything can be made again from it. Ten years are the longest legal duty to keep what books were made of.",
    job: "raw",
  },
  {
    what: ["chunks/", "listed_retirements"],
    days: CHUNK_DAYS,
    from: `after the file was applied or rejected (a duplicate: ${HISTORY_DAYS} days, it may open again); held, dead and waiting files keep theirs, and those whose drift report is not at its end`,
    why: "Apply reads them, and parse makes them again from the raw bytes. The records that a dry run has shown go with them; its numbers stay.",
    job: "chunks",
  },
  {
    what: ["changes"],
    days: HISTORY_DAYS,
    from: "whole days (UTC), by dropping the partition",
    why: "The history of records; whoever receives changes has had more than a year to fetch them.",
    job: "changes",
  },
  {
    what: ["ledger"],
    days: HISTORY_DAYS,
    from: "after the statement; all of a file that is not at its end stays",
    why: "A file under way goes on from it. Afterwards its sums stand in the file.",
    job: "ledger",
  },
  {
    what: ["seen"],
    days: HISTORY_DAYS,
    from: "after the statement; all of a file that is not at its end stays, and of a feed in which a file is being applied",
    why: "It keeps an older file from undoing what a newer one has confirmed. Files from before the first row that is left are held as too old.",
    job: "seen",
  },
  {
    what: ["rejects"],
    days: HISTORY_DAYS,
    from: "after the file was read, with its report of drift; not while the file is not at its end",
    why: "People ask for them while they mend what was wrong. The counts stay in the file.",
    job: "rejects",
  },
  {
    what: ["notifications"],
    days: HISTORY_DAYS,
    from: "after they were written; not while they wait, or their file is held",
    why: "Who was told of what.",
    job: "notifications",
  },
  {
    what: ["dead_letters"],
    days: HISTORY_DAYS,
    from: "after they were decided; open ones, and the first life of one that is not old, stay",
    why: "What failed, why, and who decided.",
    job: "dead-letters",
  },
  {
    what: ["alerts"],
    days: HISTORY_DAYS,
    from: "after they were cleared",
    why: "What went wrong, when and for how long.",
    job: "alerts",
  },
  {
    what: ["holds"],
    days: HISTORY_DAYS,
    from: "after the decision, the records that were shown with it; who decided what, and on which numbers, stays",
    why: "Whoever asks why a file was let go or refused sees what was seen then.",
    job: "holds",
  },
  {
    what: ["drift_rows"],
    days: DRIFT_ROW_DAYS,
    from: "after the report; not while it is open, waits or is being healed",
    why: "Which records differed from the ERP's list, and how.",
    job: "drift-rows",
  },
  {
    what: ["drift_reports"],
    days: HISTORY_DAYS,
    from: "after the report was begun; not while it is open, waits or is being healed",
    why: "How much differed each night, and what became of it.",
    job: "drift-reports",
  },
  forEver(
    ["customers", "feeds", "feed_versions", "api_tokens"],
    "Who sends, how their files are read, and who may look.",
  ),
  {
    what: ["replay_items"],
    days: HISTORY_DAYS,
    from: "after their replay has ended",
    why: "What a replay did with each delivery. Its own row stays.",
    job: "replay-items",
  },
  forEver(["records"], "They are the product."),
  forEver(["deliveries", "files"], "A kilobyte each, and what records, rejects and the audit log point to."),
  forEver(["audit_log"], "Who did what is never forgotten."),
  forEver(["fixed_causes", "jobs"], "One row a cause, one row a job: they do not grow."),
  forEver(["replays"], "One row for each that somebody asked for."),
  forEver(["restores", "restore_parts"], "One row for each that was ordered, and for each of its files."),
  forEver(["forgotten"], "One row: up to where the history is gone."),
  forEver(["strays"], "Until the delivery has its row, which is minutes; the sweep removes them."),
];
