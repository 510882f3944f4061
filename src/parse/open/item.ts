/** What opening a delivery is made of: things that may be files or hold some, and what all of them share. */
import { Failure, type FailureReport, failure } from "../../domain/failures.ts";
import type { OpenLimits } from "./limits.ts";
import type { FileFormat } from "./sniff.ts";
import { type ByteSource, type ByteStream, bytesSource, collect } from "./source.ts";

/** Where a payload stood: attached, as the text of the mail, or uploaded. */
export type PayloadRole = "attachment" | "body" | "upload";

export interface Payload {
  /** Containers and folders, joined by `/`: `export.zip/2026/stock.csv`. Unique in the delivery, safe to show and to store. */
  readonly path: string;
  /** The file's own name, without folders. */
  readonly name: string;
  /** As declared by the mail; `application/octet-stream` inside archives. */
  readonly contentType: string;
  readonly role: PayloadRole;
  /** As declared by the mail: evidence, not truth. */
  readonly declaredCharset?: string;
  /** From the content, not from the name. */
  readonly format: FileFormat;
  /** Decoded size, where it is known without reading. */
  readonly sizeBytes?: number;
  /**
   * The bytes, decoded and expanded, each time from the start. A block is valid until the next one is asked for.
   * @throws Failure from the stream when it breaks half-way: what came before must then not be used.
   */
  open(): ByteStream;
  /**
   * The bytes for reading in any order, as a workbook needs it: where they lie as they are at no cost, else decoded into
   * memory (at most `maxHeldBytes`), anew by each call.
   * @throws Failure `archive-too-large`, and what {@link Payload.open} throws
   */
  source(): Promise<ByteSource>;
}

export type Opened =
  | { readonly kind: "file"; readonly file: Payload }
  | { readonly kind: "problem"; readonly path: string; readonly role: PayloadRole; readonly report: FailureReport };

/** Something that may be a file or hold some. */
export interface Item {
  readonly path: string;
  readonly name: string;
  readonly contentType: string;
  readonly role: PayloadRole;
  readonly declaredCharset?: string | undefined;
  readonly sizeBytes?: number | undefined;
  /** Room to reserve when it has to be held. */
  readonly atMostBytes?: number | undefined;
  readonly isCutOff?: boolean;
  open(): ByteStream;
  /** Random access without memory, where the bytes lie as they are. */
  readonly source?: ByteSource | undefined;
}

export interface Context {
  readonly limits: OpenLimits;
  readonly mayLackBoundary: boolean;
  /** Password of the feed's archives. */
  readonly secret: string | undefined;
  readonly archiveDepth: number;
  readonly messageDepth: number;
  /** Shared by the whole delivery. */
  readonly shared: { heldBytes: number; expandedBytes: number; files: number; readonly paths: Set<string> };
}

/** A failure that the sender can put right becomes a problem; others go up. */
export async function* orProblem(
  path: string,
  role: PayloadRole,
  open: () => AsyncGenerator<Opened>,
): AsyncGenerator<Opened> {
  try {
    yield* open();
  } catch (thrown) {
    if (!(thrown instanceof Failure) || thrown.disposition !== "reject") throw thrown;
    yield { kind: "problem", path, role, report: thrown.report };
  }
}

export function asFile(item: Item, format: FileFormat, context: Context): Opened {
  const isStillText = format === "text" || format === "html" || format === "json" || format === "ndjson";
  const file: Payload = {
    path: item.path,
    name: item.name,
    contentType: item.contentType,
    // A mail whose text is no text carries a file.
    role: item.role === "body" && !isStillText ? "attachment" : item.role,
    format,
    open: item.open,
    source: async () => item.source ?? bytesSource(await held(item, context.limits.maxHeldBytes, context)),
    ...(item.declaredCharset === undefined ? {} : { declaredCharset: item.declaredCharset }),
    ...(item.sizeBytes === undefined ? {} : { sizeBytes: item.sizeBytes }),
  };
  return { kind: "file", file };
}

/** One archive deeper. @throws `archive-too-large` */
export function deeper(item: Item, context: Context): Context {
  if (context.archiveDepth >= context.limits.maxArchiveDepth) {
    const limit = `${context.limits.maxArchiveDepth} levels`;
    throw failure("archive-too-large", { name: item.name, what: "archives packed inside each other", limit });
  }
  return { ...context, archiveDepth: context.archiveDepth + 1 };
}

/** One message deeper. @throws `mail-too-complex` */
export function deeperMessage(context: Context): Context {
  const limit = context.limits.maxMessageDepth;
  if (context.messageDepth >= limit) {
    throw failure("mail-too-complex", { what: "messages attached inside each other", count: limit + 1, limit });
  }
  return { ...context, messageDepth: context.messageDepth + 1 };
}

/** The item's bytes for reading in any order: where they lie, or decoded into memory within the budget of the delivery. */
export async function randomAccess(
  item: Item,
  context: Context,
): Promise<{ readonly source: ByteSource; readonly heldBytes: number }> {
  if (item.source) return { source: item.source, heldBytes: 0 };
  const bytes = await held(item, context.limits.maxHeldBytes - context.shared.heldBytes, context);
  context.shared.heldBytes += bytes.byteLength;
  return { source: bytesSource(bytes), heldBytes: bytes.byteLength };
}

async function held(item: Item, budget: number, context: Context): Promise<Uint8Array> {
  const room = Math.min(budget, item.sizeBytes ?? item.atMostBytes ?? 0);
  const { bytes, complete } = await collect(item.open(), budget, room);
  if (complete) return bytes;
  const limit = `${Math.floor(context.limits.maxHeldBytes / 1_048_576)} MiB`;
  throw failure("archive-too-large", { name: item.name, what: "more packed data than one delivery may hold", limit });
}

/** What lies inside an archive or a wrapped message takes the role of an attachment, never of a text. */
export const innerRole = (item: Item): PayloadRole => (item.role === "body" ? "attachment" : item.role);

export const join = (prefix: string, name: string): string => (prefix === "" ? name : `${prefix}/${name}`);

/** Two attachments may have one name: the second becomes `name#2`. */
export function uniquePath(path: string, taken: Set<string>): string {
  let unique = path;
  for (let n = 2; taken.has(unique); n += 1) unique = `${path}#${n}`;
  taken.add(unique);
  return unique;
}
