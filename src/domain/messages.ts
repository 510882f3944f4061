/**
 * What the stages say to each other over queues: ids and keys only, never bodies. A message is a wake-up: its consumer
 * reads the present truth, so one that comes twice or late does no harm.
 *
 * Rules of change: new fields are optional; a consumer accepts the current and the previous `v`; an unknown one is
 * parked, never dropped. Every shape that was ever sent stands in test/golden/messages.
 */
import { z } from "zod";
import { failure } from "./failures.ts";
import { CUSTOMER_SLUG, DELIVERY_ID, FEED_SLUG } from "./ids.ts";

/** The version that producers write. */
export const MESSAGE_VERSION = 2;

/** A bigint key of the database as text. */
const ROW_ID = /^[1-9][0-9]{0,18}$/;
/** A message that cannot be read is quoted in its dead letter as far as this. */
const MAX_REASON_CHARS = 500;

const common = {
  customer: z.string().regex(CUSTOMER_SLUG),
  feed: z.string().regex(FEED_SLUG),
  /** The delivery id. */
  correlationId: z.string().regex(DELIVERY_ID),
};

/** How often a message was put off for something outside, and since when (ISO 8601, UTC). Spends no attempt. */
const waited = z.object({ times: z.int().min(1), since: z.iso.datetime() });

const second = {
  v: z.literal(MESSAGE_VERSION),
  ...common,
  waited: waited.optional(),
  /** The dead letter that an operator sent again: a second failure is linked to the first by it. */
  redriveOf: z.string().regex(ROW_ID).optional(),
  /** The replay that reads the delivery again, and is to hear of the end of this step. */
  replay: z.string().regex(ROW_ID).optional(),
};
const first = {
  v: z.literal(1),
  ...common,
  deferrals: z.int().min(0).optional(),
};

/** intake → parse: a delivery lies in the archive. */
const toParse = { type: z.literal("parse-delivery"), rawKey: z.string().min(1).max(512) };
/** parse → plan and apply: the chunks of a file are written. */
const toApply = { type: z.literal("apply-file"), fileId: z.string().regex(ROW_ID) };

export const parseDelivery = z.object({ ...second, ...toParse });
export const applyFile = z.object({
  ...second,
  ...toApply,
  /** Accepted rows of the file, so that admission need not ask the database how much it lets in. */
  rows: z.int().min(0).optional(),
});

const today = z.discriminatedUnion("type", [parseDelivery, applyFile]);
const yesterday = z.discriminatedUnion("type", [
  z.object({ ...first, ...toParse }),
  z.object({ ...first, ...toApply }),
]);

export type ParseDelivery = z.infer<typeof parseDelivery>;
export type ApplyFile = z.infer<typeof applyFile>;
export type StageMessage = ParseDelivery | ApplyFile;

/** What a producer knows; version and type are the maker's, and only the queue's shell says how long a message waited. */
type Told<M extends StageMessage> = Omit<M, "v" | "type" | "waited">;

export const parseDeliveryMessage = (told: Told<ParseDelivery>): ParseDelivery => {
  const { customer, feed, correlationId, rawKey, redriveOf, replay } = told;
  return {
    v: MESSAGE_VERSION,
    type: "parse-delivery",
    customer,
    feed,
    correlationId,
    rawKey,
    ...(redriveOf === undefined ? {} : { redriveOf }),
    ...(replay === undefined ? {} : { replay }),
  };
};

export const applyFileMessage = (told: Told<ApplyFile>): ApplyFile => {
  const { customer, feed, correlationId, fileId, rows, redriveOf, replay } = told;
  return {
    v: MESSAGE_VERSION,
    type: "apply-file",
    customer,
    feed,
    correlationId,
    fileId,
    ...(rows === undefined ? {} : { rows }),
    ...(redriveOf === undefined ? {} : { redriveOf }),
    ...(replay === undefined ? {} : { replay }),
  };
};

/** The copy of a message that is put off once more. The first time is remembered: how long it waited bounds the waiting. */
export const putOff = <M extends StageMessage>(message: M, now: Date): M => ({
  ...message,
  waited: { times: (message.waited?.times ?? 0) + 1, since: message.waited?.since ?? now.toISOString() },
});

/**
 * The message a queue handed over, checked and in the shape of today. Throws `message-unreadable` (park).
 * @param now from when the waiting of a message of version 1 is counted, which did not say since when it waited
 */
export function readMessage(body: unknown, now: Date): StageMessage {
  const version = (body as { v?: unknown } | null | undefined)?.v;
  if (version !== 1) {
    const read = today.safeParse(body);
    if (read.success) return read.data;
    throw unreadable(read.error);
  }
  const read = yesterday.safeParse(body);
  if (!read.success) throw unreadable(read.error);
  const { v: _, deferrals = 0, ...told } = read.data;
  const message = told.type === "parse-delivery" ? parseDeliveryMessage(told) : applyFileMessage(told);
  return deferrals === 0 ? message : { ...message, waited: { times: deferrals, since: now.toISOString() } };
}

const unreadable = (error: z.ZodError) =>
  failure("message-unreadable", { reason: z.prettifyError(error).slice(0, MAX_REASON_CHARS) });
