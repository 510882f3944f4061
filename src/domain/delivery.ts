/**
 * What is known of a delivery when it is archived. The facts travel with the raw object as its metadata, so that the
 * archive alone is enough to go on from: no database row is needed, and none is written at the doors.
 */
import { z } from "zod";
import { CUSTOMER_SLUG, DELIVERY_ID, FEED_SLUG } from "./ids.ts";

export const verdictSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("proven"), proof: z.string() }),
  z.object({ kind: z.literal("quarantined"), policy: z.string(), reason: z.string() }),
  z.object({ kind: z.literal("automatic"), sign: z.string() }),
]);

export const factsSchema = z.object({
  v: z.literal(1),
  id: z.string().regex(DELIVERY_ID),
  customer: z.string().regex(CUSTOMER_SLUG),
  feed: z.string().regex(FEED_SLUG),
  /** `restore`: we made it ourselves, to bring records back to what they were. It is told by the archive and never read. */
  door: z.enum(["mail", "upload", "restore"]),
  /** It only asks what its files would do: they are compared and told of, and never applied, however often it is read again. */
  dryRun: z.literal(true).optional(),
  /** The From address of a mail, the name of the token of an upload. */
  sender: z.string(),
  verdict: verdictSchema,
  subject: z.string().optional(),
  messageId: z.string().optional(),
  /** With customer and Message-ID what the id is made of: the envelope recipient (shown without its token) or the upload door, and a digest. */
  recipient: z.string().optional(),
  bodySha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** Name of an uploaded file. */
  name: z.string().optional(),
  contentType: z.string().optional(),
  /** The mail's Date header, ISO; absent if there is none that can be read. */
  sentAt: z.iso.datetime().optional(),
  receivedAt: z.iso.datetime(),
  bytes: z.number().int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

export type DeliveryFacts = z.infer<typeof factsSchema>;
export type Verdict = z.infer<typeof verdictSchema>;

/** Object metadata is limited to 8,192 bytes in R2 and travels in HTTP headers: ASCII, and texts are cut. */
export const MAX_FACT_CHARS = 300;

export const factsToMetadata = (facts: DeliveryFacts): Record<string, string> => ({
  facts: JSON.stringify(facts).replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`),
});

/** Throws a ZodError or SyntaxError when the object was not archived by us. */
export const factsFromMetadata = (metadata: Record<string, string> | undefined): DeliveryFacts =>
  factsSchema.parse(JSON.parse(metadata?.facts ?? "null"));
