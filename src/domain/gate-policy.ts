/**
 * How much one file of a feed may do before a person is asked: the checks of the blast-radius gate, part of the adapter
 * contract. Every check may be tuned, or turned off with "off". Defaults are for a list of some hundred to some hundred
 * thousand records; where a feed usually does more than a limit, its last files raise it by themselves.
 *
 * A share is never judged alone: beside it stands a number below which nothing is held, so that a small feed does not trip
 * over two articles that were sold out.
 */
import { z } from "zod";

/** A share of a whole, 0 to 1. */
const share = z.number().min(0).max(1);
const count = z.number().int().min(0);
const hours = z.number().min(0);

/** Fields that a check leaves alone. */
const except = z.array(z.string()).default([]);

const check = <Shape extends z.ZodRawShape>(shape: Shape) => z.union([z.literal("off"), z.object(shape).strict()]);

/** Two weeks: what a file says is no news any more then, and deltas behind it wait as long. */
const MAX_EXPIRE_DAYS = 14;

export const gatePolicySchema = z
  .object({
    /** A full file without rows: the export ran on an empty table. A delta without rows says that nothing happened. */
    emptyFile: check({}).prefault({}),

    /**
     * Rows outside of what is usual: the median of the last `days`, or that of the same weekday in the last `weeks`, each as
     * wide as `spreads` times its spread, at least by `factor` up and down. Either is enough to go, so that small files of
     * weekends pass and a late full one does, too. A delta with few rows passes: it only says that little happened.
     */
    rowCount: check({
      days: z.number().int().min(1).max(90).default(7),
      /** Fewer files say nothing of what is usual: of a daily feed it is judged after the first working week. */
      minSamples: z.number().int().min(2).default(5),
      weeks: z.number().int().min(1).max(26).default(8),
      /** Of the same weekday: what was the same twice is a habit. */
      minWeekdaySamples: z.number().int().min(1).default(2),
      /** Four robust standard deviations: about one file in fifteen thousand is beyond them by chance. */
      spreads: z.number().min(1).default(4),
      /** Files that always have the same number of rows have no spread; half as much again is still no accident. */
      factor: z.number().min(1).default(1.5),
      /** Rows more or less than usual that are never held. */
      minRows: count.default(20),
    }).prefault({}),

    /** Exactly as many rows as a sheet can hold, 65,536 or 1,048,576, with or without its header: the rest was cut off. */
    sheetLimit: check({}).prefault({}),

    /** Rows that could not be read. Parse holds a file above `limits.maxRejectShare`; this is for what creeps in below. */
    rejected: check({ share: share.default(0.02), minRows: count.default(10) }).prefault({}),

    /** Records of the feed that would change. More than half at once is a new price list, or a shifted column. */
    changed: check({ share: share.default(0.5), minRecords: count.default(50) }).prefault({}),

    /** Records of the feed that would be retired: a tenth of a catalogue does not end in one day. */
    retired: check({ share: share.default(0.1), minRecords: count.default(10) }).prefault({}),

    /** Records of the feed whose number in one field would become 0. A fifth of a stock is not sold out between two files. */
    setToZero: check({ share: share.default(0.2), minRecords: count.default(20), except }).prefault({}),

    /** Records of the feed whose value in one field would become empty. Texts are seldom emptied at all. */
    setToBlank: check({ share: share.default(0.1), minRecords: count.default(20), except }).prefault({}),

    /** What the values of a field add up to. Less than three times as much is a season; a wrong decimal mark is ten or more. */
    total: check({ factor: z.number().gt(1).default(3), minValues: count.default(30), except }).prefault({}),

    /** The value in the middle of a field. Of numbers as small as 1, 2, 3 it moves in big steps, hence wider than the total. */
    median: check({ factor: z.number().gt(1).default(5), minValues: count.default(30), except }).prefault({}),

    /**
     * Share of a file's records that the feed knows: nearly none are known of a file of another warehouse or company. Held
     * below. Of a delta it is judged only where its last files did name known records: some feeds bring nothing but new ones.
     */
    overlap: check({ share: share.default(0.2), minRecords: count.default(10) }).prefault({}),

    /**
     * Hours that the file's stated time may lie behind its arrival. 14: as much as a wrong time zone can make of it; that
     * does no harm, since arrival counts instead.
     */
    asOfFuture: check({ hours: hours.default(14) }).prefault({}),

    /** Hours that the file's stated time may lie before that of the last applied one. Three days: a backlog after a weekend. */
    asOfOld: check({ hours: hours.default(72) }).prefault({}),

    /**
     * What the feed's later files do while one is held. `supersede`: they are judged for themselves, and one that is applied
     * ends the held one. `wait`: in order, behind it. `by-mode`: a full file says all again and supersedes, a delta waits.
     */
    whileHeld: z.enum(["by-mode", "wait", "supersede"]).default("by-mode"),
    /** A held file is told again after this long: the first mail came on an evening or got lost. */
    remindAfterHours: z.number().min(1).default(24),
    /** A held file is rejected after this long: nobody applies a week-old stock any more. */
    expireAfterDays: z.number().min(1).max(MAX_EXPIRE_DAYS).default(7),
  })
  .strict()
  .prefault({});

export type GatePolicy = z.output<typeof gatePolicySchema>;
/** What an adapter says of it, and what an operator's widening lays over that. */
export type GatePolicyInput = NonNullable<z.input<typeof gatePolicySchema>>;

/** The checks, in the order in which they are told: what says most of the cause comes first. */
export const GATE_CHECKS = [
  "emptyFile",
  "asOfFuture",
  "asOfOld",
  "overlap",
  "sheetLimit",
  "rowCount",
  "retired",
  "setToZero",
  "setToBlank",
  "total",
  "median",
  "changed",
  "rejected",
] as const satisfies readonly (keyof GatePolicy)[];

export type GateCheck = (typeof GATE_CHECKS)[number];

/** A policy with everything that is left out said. Throws ZodError. */
export const gatePolicy = (said: GatePolicyInput = {}): GatePolicy => gatePolicySchema.parse(said);

/** What a later file of the feed does while one is held. */
export function laterFiles(policy: GatePolicy, mode: "full" | "delta"): "wait" | "supersede" {
  if (policy.whileHeld !== "by-mode") return policy.whileHeld;
  return mode === "full" ? "supersede" : "wait";
}
