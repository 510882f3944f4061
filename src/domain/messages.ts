/**
 * What the stages say to each other over queues: ids and keys only, never bodies. A message is a wake-up: its consumer
 * reads the present truth, so one that comes twice or late does no harm.
 *
 * Rules of change: new fields are optional; a consumer accepts the current and the previous `v`; an unknown one is
 * parked, never dropped.
 */
import { z } from "zod";
import { failure } from "./failures.ts";
import { CUSTOMER_SLUG, DELIVERY_ID, FEED_SLUG } from "./ids.ts";

const base = {
  v: z.literal(1),
  customer: z.string().regex(CUSTOMER_SLUG),
  feed: z.string().regex(FEED_SLUG),
  /** The delivery id. */
  correlationId: z.string().regex(DELIVERY_ID),
  /** How often the message was put off because something outside was down or busy; spends no attempt. */
  deferrals: z.number().int().min(0).optional(),
};

/** intake → parse: a delivery lies in the archive. */
export const parseDelivery = z.object({
  ...base,
  type: z.literal("parse-delivery"),
  rawKey: z.string().min(1).max(512),
});
/** parse → plan and apply: the chunks of a file are written. */
export const applyFile = z.object({
  ...base,
  type: z.literal("apply-file"),
  fileId: z.string().regex(/^[1-9][0-9]{0,18}$/),
});

export const stageMessage = z.discriminatedUnion("type", [parseDelivery, applyFile]);

export type ParseDelivery = z.infer<typeof parseDelivery>;
export type ApplyFile = z.infer<typeof applyFile>;
export type StageMessage = z.infer<typeof stageMessage>;

/** The message a queue handed over, checked. Throws `message-unreadable` (park). */
export function readMessage(body: unknown): StageMessage {
  const read = stageMessage.safeParse(body);
  if (read.success) return read.data;
  throw failure("message-unreadable", { reason: z.prettifyError(read.error).slice(0, 500) });
}
