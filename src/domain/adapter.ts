/**
 * The adapter contract: what the files of one feed look like, what their columns mean and which policies hold. An
 * adapter is data; `defineFeed` checks it once, at load, and names every fault in it.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { columnSchema, mappingFaults, pattern } from "./column.ts";
import { controlFaults, controlsSchema } from "./controls.ts";
import { formatSchema } from "./format.ts";
import { GATE_CHECKS, gatePolicySchema } from "./gate-policy.ts";
import { CUSTOMER_SLUG, FEED_SLUG } from "./ids.ts";

export { type Column, columnSchema } from "./column.ts";
export { CHARSETS, type FileFormat } from "./format.ts";

export const SENDER_POLICIES = ["require-dkim", "require-spf-or-dkim", "trust-address"] as const;

/**
 * Half a year: longer than any backlog that is mailed file by file, and shorter than the year that somebody mistypes or that
 * a clock without a battery tells. Outside of it a stated time is disbelieved.
 */
const MAX_STATED_AGE_HOURS = 4_380;

/** A week: a duplicate may have to be applied after all, and the chunks of a file are kept for two. */
const MAX_DUPLICATE_WINDOW_HOURS = 168;

/** A pattern that every name fits. */
const ANY_NAME = ".";

/**
 * Drift that heals without a person: rows that are lost here and there are fewer; more than that is a lost file, which
 * somebody should know of. The share is of the records of the feed.
 */
const DEFAULT_MAX_DRIFT_ROWS = 500;
const DEFAULT_MAX_DRIFT_SHARE = 0.01;

/** A quarter: what comes more seldom is missed by people before any clock says so. */
const MAX_CADENCE_HOURS = 2_208;

export const adapterSchema = z
  .object({
    customer: z.string().regex(CUSTOMER_SLUG),
    customerTitle: z.string().min(1),
    feed: z.string().regex(FEED_SLUG),
    title: z.string().min(1),
    /** Who at the customer is told of what is wrong with the feed's files, and may answer. Left out: only the operator is. */
    contact: z.email({ error: "is not a mail address" }).optional(),
    /** What a file says: `full` the whole state, `delta` changes, `snapshot` only for reconciling. */
    mode: z.enum(["full", "delta", "snapshot"]),

    intake: z
      .object({
        /** Changing it changes the feed's address: for when an address has leaked. */
        addressEdition: z.number().int().min(1).default(1),
        policy: z.enum(SENDER_POLICIES),
        /** Allowed senders: whole addresses or `@domain`. Matched on the header From, whose domain the proof must cover. */
        senders: z.array(z.string().regex(/^[^@\s]*@[^@\s]+$/)).min(1),
        /** Which payloads of a delivery belong to the feed, by name (without path). Others are left alone and listed. */
        fileName: pattern.default(ANY_NAME),
        /** Read the text of a mail that has no attachment as the file. */
        inlineBody: z.boolean().default(false),
        /** Other feeds of the customer whose files may come along in a delivery of this one, told by their own `fileName`. */
        carries: z.array(z.string().regex(FEED_SLUG)).default([]),
      })
      .strict(),

    /** How files are written. Left out: detected from the first file, held, and pinned when an operator accepts it. */
    file: formatSchema.optional(),

    /** What the columns mean: version 1 of the feed's mapping. Left out (with `key`): proposed from the first file. */
    columns: z.array(columnSchema).min(1).optional(),
    /** Names of the columns that identify a record. */
    key: z.array(z.string()).min(1).optional(),

    /** What the file says of itself and must keep. */
    controls: controlsSchema.optional(),

    drift: z
      .object({
        /** Columns behind the last pinned one that nobody reads. */
        trailingColumns: z.enum(["hold", "allow"]).default("hold"),
      })
      .strict()
      .prefault({}),

    asOf: z
      .union([
        /** The mail's Date header within `maxAgeHours` before and ten minutes after arrival, else arrival. */
        z.object({ from: z.literal("mail-date"), maxAgeHours: z.number().min(0).default(168) }).strict(),
        z.object({ from: z.literal("arrival") }).strict(),
        /**
         * A time in the file's name: `pattern` with groups year, month, day and optional hour, minute, second (UTC). Believed
         * within `maxAgeHours` before and ten minutes after arrival, else arrival.
         */
        z
          .object({
            from: z.literal("file-name"),
            pattern,
            maxAgeHours: z.number().min(0).default(MAX_STATED_AGE_HOURS),
          })
          .strict(),
        /** What the file states in its `controls.generatedAt`, within the same bounds. */
        z
          .object({ from: z.literal("generated-at"), maxAgeHours: z.number().min(0).default(MAX_STATED_AGE_HOURS) })
          .strict(),
      ])
      .default({ from: "mail-date", maxAgeHours: 168 }),

    /**
     * The same content again, so soon after the file next to it and with no other file of the feed in between, is recorded as
     * a duplicate and not applied: a cron job that ran twice, a mail sent twice. Later it is a statement of its own: all is
     * as it was. 0 for never. A file that has a number is a duplicate only of one with the same number, however old.
     */
    duplicateWindowHours: z.number().min(0).max(MAX_DUPLICATE_WINDOW_HOURS).default(1),

    /** How often files come: none for longer than this, counted in hours, is an alarm. Left out: nobody waits for them. */
    cadence: z
      .object({ everyHours: z.number().positive().max(MAX_CADENCE_HOURS) })
      .strict()
      .optional(),

    /** How much one file may do before a person is asked. */
    gate: gatePolicySchema,

    /** Of a snapshot: the customer's feed that it is compared with, and how much drift heals without a person. */
    reconciles: z
      .object({
        feed: z.string().regex(FEED_SLUG),
        /** Above either, healing waits for a release. */
        maxRows: z.number().int().min(0).default(DEFAULT_MAX_DRIFT_ROWS),
        maxShare: z.number().min(0).max(1).default(DEFAULT_MAX_DRIFT_SHARE),
      })
      .strict()
      .optional(),

    /** Columns in which the platform may differ from the ERP: a snapshot's difference there is told, and never healed. */
    platformFields: z.array(z.string()).default([]),

    limits: z
      .object({
        maxRows: z.number().int().min(1).default(5_000_000),
        /** Above either, the whole file is held. */
        maxRejects: z.number().int().min(0).default(1_000),
        maxRejectShare: z.number().min(0).max(1).default(0.05),
      })
      .strict()
      .prefault({}),
  })
  .strict()
  .superRefine((feed, context) => {
    const fault = (path: (string | number)[], message: string) => context.addIssue({ code: "custom", path, message });
    if ((feed.columns === undefined) !== (feed.key === undefined))
      fault(["key"], "goes with columns: give both or none");
    const { carries, fileName } = feed.intake;
    for (const [i, slug] of carries.entries()) {
      if (slug === feed.feed) fault(["intake", "carries", i], "names the feed itself");
      if (carries.indexOf(slug) !== i) fault(["intake", "carries", i], `"${slug}" stands twice`);
    }
    if (carries.length > 0 && fileName === ANY_NAME) {
      fault(["intake", "fileName"], "must tell the feed's own files from those that it carries");
    }
    if (feed.asOf.from === "generated-at" && feed.controls?.generatedAt === undefined) {
      fault(["asOf"], "needs controls.generatedAt");
    }
    if (feed.mode === "snapshot" && feed.reconciles === undefined) {
      fault(["reconciles"], "a snapshot is only for reconciling: name the feed that it is compared with");
    }
    if (feed.mode !== "snapshot" && feed.reconciles !== undefined) fault(["reconciles"], "is only of a snapshot");
    if (feed.reconciles?.feed === feed.feed) fault(["reconciles", "feed"], "names the feed itself");
    for (const { path, message } of fieldFaults(feed)) fault(path, message);
    for (const { path, message } of mappingFaults(feed.columns ?? [], feed.key ?? [], feed.file)) fault(path, message);
    for (const { path, message } of controlFaults(feed.controls, feed.columns, feed.file)) fault(path, message);
  });

type Fault = { readonly path: (string | number)[]; readonly message: string };

/** Fields that policies name and the feed has not: a mistyped name would switch nothing. Not known before the columns are. */
function fieldFaults(feed: Pick<AdapterDefinition, "mode" | "columns" | "key" | "gate" | "platformFields">): Fault[] {
  const faults: Fault[] = [];
  const { columns, key = [], gate, platformFields } = feed;
  const look = (fields: readonly string[], path: readonly string[]) => {
    for (const [i, field] of fields.entries()) {
      const said = (message: string) => faults.push({ path: [...path, i], message });
      if (columns?.every(({ name }) => name !== field)) said(`"${field}" is no column`);
      if (fields.indexOf(field) !== i) said(`"${field}" stands twice`);
    }
  };
  for (const check of GATE_CHECKS) {
    const policy = gate[check];
    if (policy !== "off" && "except" in policy) look(policy.except, ["gate", check, "except"]);
  }
  if (feed.mode === "snapshot" && platformFields.length > 0) {
    faults.push({ path: ["platformFields"], message: "are of the feed that the snapshot is compared with" });
  }
  look(platformFields, ["platformFields"]);
  for (const [i, field] of platformFields.entries()) {
    if (key.includes(field)) faults.push({ path: ["platformFields", i], message: `"${field}" is of the key` });
  }
  return faults;
}

/** What an adapter's folder says of a feed. */
export type AdapterDefinition = z.output<typeof adapterSchema>;

/**
 * A checked adapter. `version` is a digest of all that decides how a file is read. Where it leaves out `file` or `columns`,
 * the versions pinned for the feed say them.
 */
export type Adapter = AdapterDefinition & { readonly version: string };

/** A feed whose files can be read: parse is a function of (bytes, version). */
export type Feed = Complete<Adapter>;

type Complete<A extends Partial<Record<ReadBy, unknown>>> = Omit<A, ReadBy> & {
  readonly [K in ReadBy]: Exclude<A[K], undefined>;
};
type ReadBy = "file" | "columns" | "key";

type AdapterInput = z.input<typeof adapterSchema>;
type FeedInput = Complete<AdapterInput>;

/**
 * Checks an adapter's feed. Throws an Error that lists every fault with its path.
 * @example export const inventory = defineFeed({ customer: "acme", feed: "inventory", … })
 */
export function defineFeed(definition: FeedInput): Feed;
export function defineFeed(definition: AdapterInput): Adapter;
export function defineFeed(definition: AdapterInput): Adapter {
  const checked = adapterSchema.safeParse(definition);
  if (!checked.success) {
    throw new Error(`Feed ${definition.customer}/${definition.feed} is not valid:\n${z.prettifyError(checked.error)}`);
  }
  return withVersion(checked.data);
}

/** A digest of all that decides how a file is read, and of nothing else: a policy may change without reading anew. */
export function withVersion<A extends AdapterDefinition>(adapter: A): A & { readonly version: string } {
  const { file, columns, key, controls, limits, mode } = adapter;
  const version = createHash("sha256")
    .update(JSON.stringify({ file, columns, key, controls, limits, mode }, inOrder))
    .digest("hex")
    .slice(0, 12);
  return { ...adapter, version };
}

/** Keys by name: what comes back from the database has them in another order and is the same. */
const inOrder = (_: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;

export const feedName = (feed: { customer: string; feed: string }): string => `${feed.customer}/${feed.feed}`;
