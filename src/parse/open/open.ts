/**
 * Raw bytes of a delivery → the files inside it.
 *
 * Pulled from end to end: asking for the next item looks at the first bytes of one more file; the bytes of a file are read
 * when its stream is. One damaged file does not stop the others. Order is the order in the mail and in the archive.
 */
import { Failure, type FailureReport, failure } from "../../domain/failures.ts";
import { gunzip } from "./archive/expand.ts";
import { baseName, safePath } from "./archive/names.ts";
import { openZipEntry, readZipDirectory, refusalOf, type ZipEntry } from "./archive/zip.ts";
import { DEFAULT_LIMITS, type OpenLimits } from "./limits.ts";
import { readMessage } from "./mail/message.ts";
import { type Container, type FileFormat, SNIFF_BYTES, sniff, zipFormat } from "./sniff.ts";
import { type ByteSource, type ByteStream, bytesSource, collect, exactBlocks, windowOf } from "./source.ts";

export type { FileFormat } from "./sniff.ts";

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
}

export type Opened =
  | { readonly kind: "file"; readonly file: Payload }
  | { readonly kind: "problem"; readonly path: string; readonly role: PayloadRole; readonly report: FailureReport };

export interface OpenOptions {
  readonly door: "mail" | "upload";
  /** Name of an uploaded file. */
  readonly name?: string;
  /** Declared type of an uploaded file. */
  readonly contentType?: string;
  /** This sender never writes the closing boundary: the end of its messages is then taken for the end of the last file. */
  readonly mayLackClosingBoundary?: boolean;
  readonly limits?: Partial<OpenLimits>;
}

/** Something that may be a file or hold some. */
interface Item {
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

interface Context {
  readonly limits: OpenLimits;
  readonly mayLackBoundary: boolean;
  readonly archiveDepth: number;
  readonly messageDepth: number;
  /** Shared by the whole delivery. */
  readonly shared: { heldBytes: number; expandedBytes: number; files: number; readonly paths: Set<string> };
}

/**
 * Opens a delivery.
 *
 * What the sender has to put right comes as a problem, in its place among the files. Everything else (storage that fails, a
 * fault of ours) is thrown, so that the delivery is tried again or parked as a whole.
 */
export async function* openDelivery(source: ByteSource, options: OpenOptions): AsyncGenerator<Opened> {
  const context: Context = {
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    mayLackBoundary: options.mayLackClosingBoundary ?? false,
    archiveDepth: 0,
    messageDepth: 0,
    shared: { heldBytes: 0, expandedBytes: 0, files: 0, paths: new Set() },
  };
  if (options.door === "mail") {
    yield* orProblem("", "attachment", () => openMessage(source, "", "attachment", context, false));
    return;
  }
  const path = safePath(options.name ?? "", "upload");
  yield* openItem(
    {
      path: baseName(path),
      name: baseName(path),
      contentType: options.contentType?.split(";", 1)[0]?.trim().toLowerCase() || "application/octet-stream",
      role: "upload",
      sizeBytes: source.size,
      open: () => exactBlocks(source, 0, source.size),
      source,
    },
    context,
  );
}

/** A failure that the sender can put right becomes a problem; others go up. */
async function* orProblem(path: string, role: PayloadRole, open: () => AsyncGenerator<Opened>): AsyncGenerator<Opened> {
  try {
    yield* open();
  } catch (thrown) {
    if (!(thrown instanceof Failure) || thrown.disposition !== "reject") throw thrown;
    yield { kind: "problem", path, role, report: thrown.report };
  }
}

async function* openMessage(
  source: ByteSource,
  prefix: string,
  role: PayloadRole,
  context: Context,
  isCutOff: boolean,
): AsyncGenerator<Opened> {
  const message = await readMessage(source, context.limits, { isCutOff, mayLackBoundary: context.mayLackBoundary });
  if (message.undivided) {
    const reason = "it says that it has several parts, but the boundary between them never appears";
    yield { kind: "problem", path: prefix, role, report: failure("mail-unreadable", { reason }).report };
  }
  let number = 0;
  for (const part of message.parts) {
    number += 1;
    if (part.isOtherForm) continue;
    const otherwise =
      part.role === "body"
        ? `body.${extensionOf(part.contentType)}`
        : `part-${number}.${extensionOf(part.contentType)}`;
    const name = baseName(safePath(part.name ?? "", otherwise));
    const isWhole = part.isPlainRange && part.ending !== "cut-off";
    const size = part.end - part.start;
    yield* openItem(
      {
        path: join(prefix, name),
        name,
        contentType: part.contentType,
        role: part.role,
        declaredCharset: part.charset,
        sizeBytes: isWhole ? size : undefined,
        atMostBytes: part.atMostBytes,
        isCutOff: part.isPlainRange && part.ending === "cut-off",
        open: part.open,
        source: part.isPlainRange ? windowOf(source, part.start, size) : undefined,
      },
      context,
    );
  }
  if (message.unclosed) yield { kind: "problem", path: prefix, role, report: failure("mail-cut-off", {}).report };
}

/** Looks at the beginning of an item and yields it as a file, what it holds, or what is wrong with it. */
async function* openItem(given: Item, context: Context): AsyncGenerator<Opened> {
  const limit = context.limits.maxFiles;
  context.shared.files += 1;
  // Thrown past this item: the message or archive that holds it is the problem.
  if (context.shared.files > limit) throw failure("mail-too-complex", { what: "files", count: limit + 1, limit });
  const item = { ...given, path: uniquePath(given.path, context.shared.paths) };
  yield* orProblem(item.path, item.role, async function* () {
    const { bytes: head } = await collect(item.open(), SNIFF_BYTES, SNIFF_BYTES);
    const format = sniff(head, item);
    if (format === "mail") yield* openInnerMessage(item, context);
    else if (format === "zip") yield* openZip(item, context);
    else if (format === "gzip") yield* openGzip(item, context);
    else if (isContainer(format)) throw refusal(format, item.name);
    else yield asFile(item, format);
  });
}

function asFile(item: Item, format: FileFormat): Opened {
  const file: Payload = {
    path: item.path,
    name: item.name,
    contentType: item.contentType,
    // A mail whose text is no text carries a file.
    role: item.role === "body" && format !== "text" && format !== "html" ? "attachment" : item.role,
    format,
    open: item.open,
    ...(item.declaredCharset === undefined ? {} : { declaredCharset: item.declaredCharset }),
    ...(item.sizeBytes === undefined ? {} : { sizeBytes: item.sizeBytes }),
  };
  return { kind: "file", file };
}

async function* openInnerMessage(item: Item, context: Context): AsyncGenerator<Opened> {
  const limit = context.limits.maxMessageDepth;
  if (context.messageDepth >= limit) {
    throw failure("mail-too-complex", { what: "messages attached inside each other", count: limit + 1, limit });
  }
  const { source } = await randomAccess(item, context);
  const inside = { ...context, messageDepth: context.messageDepth + 1 };
  yield* openMessage(source, item.path, item.role, inside, item.isCutOff ?? false);
}

async function* openGzip(item: Item, context: Context): AsyncGenerator<Opened> {
  const inside = deeper(item, context);
  const name = item.name.replace(/\.tgz$/i, ".tar").replace(/\.(gz|gzip|z)$/i, "") || item.name;
  const { maxExpandedBytes: maxBytes, maxExpansionRatio: maxRatio } = context.limits;
  yield* openItem(
    {
      path: join(item.path, name),
      name,
      contentType: "application/octet-stream",
      role: item.role === "body" ? "attachment" : item.role,
      declaredCharset: item.declaredCharset,
      open: () => gunzip(item.open(), { name: item.name, maxBytes, maxRatio }),
    },
    inside,
  );
}

async function* openZip(item: Item, context: Context): AsyncGenerator<Opened> {
  const inside = deeper(item, context);
  const { source, heldBytes } = await randomAccess(item, context);
  const { entries } = await readZipDirectory(source, item.name, context.limits);
  const isWorkbook = zipFormat(entries.map((entry) => entry.name));
  if (isWorkbook) {
    context.shared.heldBytes -= heldBytes;
    yield asFile(item, isWorkbook);
    return;
  }
  const files = entries.filter((entry) => !entry.isFolder && !isLitter(entry.name));
  if (files.length === 0) throw failure("archive-empty", { name: item.name });
  const encryption = files[0]!.encryption;
  if (encryption !== undefined && files.every((entry) => entry.encryption !== undefined)) {
    throw failure("file-encrypted", { name: item.name, method: encryption });
  }
  refuseTooMuch(item.name, files, context);
  for (const [index, entry] of files.entries()) {
    const path = safePath(entry.name, `entry-${index + 1}`);
    const name = baseName(path);
    yield* openItem(
      {
        path: join(item.path, path),
        name,
        contentType: "application/octet-stream",
        role: item.role === "body" ? "attachment" : item.role,
        sizeBytes: entry.expandedBytes,
        open: () => openZipEntry(source, entry, name, context.limits),
      },
      inside,
    );
  }
}

/** The declared sizes together; an entry that lies about its own is stopped when it is read. */
function refuseTooMuch(name: string, files: readonly ZipEntry[], { limits, shared }: Context): void {
  const expanded = files.reduce((sum, entry) => sum + (refusalOf(entry, name, limits) ? 0 : entry.expandedBytes), 0);
  if (shared.expandedBytes + expanded <= limits.maxExpandedBytes) {
    shared.expandedBytes += expanded;
    return;
  }
  const limit = `${Math.floor(limits.maxExpandedBytes / 1_048_576)} MiB`;
  throw failure("archive-too-large", { name, what: `${expanded} bytes`, limit });
}

/** What operating systems put beside the files. */
const isLitter = (name: string): boolean =>
  /^__MACOSX[/\\]/.test(name) || /(^|[/\\])(\.DS_Store|Thumbs\.db|desktop\.ini)$/i.test(name);

function deeper(item: Item, context: Context): Context {
  if (context.archiveDepth >= context.limits.maxArchiveDepth) {
    const limit = `${context.limits.maxArchiveDepth} levels`;
    throw failure("archive-too-large", { name: item.name, what: "archives packed inside each other", limit });
  }
  return { ...context, archiveDepth: context.archiveDepth + 1 };
}

/** The item's bytes for reading in any order: where they lie, or decoded into memory within the budget of the delivery. */
async function randomAccess(item: Item, context: Context): Promise<{ source: ByteSource; heldBytes: number }> {
  if (item.source) return { source: item.source, heldBytes: 0 };
  const budget = context.limits.maxHeldBytes - context.shared.heldBytes;
  const { bytes, complete } = await collect(
    item.open(),
    budget,
    Math.min(budget, item.sizeBytes ?? item.atMostBytes ?? 0),
  );
  if (!complete) {
    const limit = `${Math.floor(context.limits.maxHeldBytes / 1_048_576)} MiB`;
    throw failure("archive-too-large", {
      name: item.name,
      what: "more packed data than one delivery may hold",
      limit,
    });
  }
  context.shared.heldBytes += bytes.byteLength;
  return { source: bytesSource(bytes), heldBytes: bytes.byteLength };
}

const isContainer = (format: FileFormat | Container): format is keyof typeof REFUSALS => format in REFUSALS;

const ANY_ARCHIVE = "a plain file, a zip or a gzip file";

/** Containers that stay closed, and what the sender reads about it. */
const REFUSALS = {
  tnef: (name: string) =>
    failure("file-wrapped", { name, wrapping: "Outlook's own format (winmail.dat)", instead: "as HTML or plain text" }),
  "signed-smime": (name: string) =>
    failure("file-wrapped", {
      name,
      wrapping: "an S/MIME signature",
      instead: "unsigned or with a detached signature",
    }),
  "mail-fragment": (name: string) =>
    failure("file-wrapped", { name, wrapping: "one fragment of a split message", instead: "in one message" }),
  "encrypted-office": (name: string) => failure("file-encrypted", { name, method: "Office password" }),
  "encrypted-pgp": (name: string) => failure("file-encrypted", { name, method: "OpenPGP" }),
  "encrypted-smime": (name: string) => failure("file-encrypted", { name, method: "S/MIME" }),
  rar: (name: string) => failure("file-unsupported", { name, found: "a RAR archive", expected: ANY_ARCHIVE }),
  "7z": (name: string) => failure("file-unsupported", { name, found: "a 7-Zip archive", expected: ANY_ARCHIVE }),
  bzip2: (name: string) => failure("file-unsupported", { name, found: "compressed with bzip2", expected: ANY_ARCHIVE }),
  xz: (name: string) => failure("file-unsupported", { name, found: "compressed with xz", expected: ANY_ARCHIVE }),
  zstd: (name: string) =>
    failure("file-unsupported", { name, found: "compressed with Zstandard", expected: ANY_ARCHIVE }),
  compress: (name: string) =>
    failure("file-unsupported", { name, found: "compressed with compress", expected: ANY_ARCHIVE }),
  cab: (name: string) => failure("file-unsupported", { name, found: "a Windows cabinet", expected: ANY_ARCHIVE }),
  tar: (name: string) => failure("file-unsupported", { name, found: "a tar archive", expected: ANY_ARCHIVE }),
} as const;

const refusal = (format: keyof typeof REFUSALS, name: string): Failure => REFUSALS[format](name);

const join = (prefix: string, name: string): string => (prefix === "" ? name : `${prefix}/${name}`);

/** Two attachments may have one name: the second becomes `name#2`. */
function uniquePath(path: string, taken: Set<string>): string {
  let unique = path;
  for (let n = 2; taken.has(unique); n += 1) unique = `${path}#${n}`;
  taken.add(unique);
  return unique;
}

const EXTENSIONS: Readonly<Record<string, string | undefined>> = {
  "text/plain": "txt",
  "text/html": "html",
  "text/csv": "csv",
  "text/tab-separated-values": "tsv",
  "text/xml": "xml",
  "application/xml": "xml",
  "application/json": "json",
  "application/pdf": "pdf",
  "application/zip": "zip",
  "application/x-zip-compressed": "zip",
  "application/gzip": "gz",
  "application/vnd.ms-excel": "xls",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
  "application/ms-tnef": "dat",
  "message/rfc822": "eml",
  "image/png": "png",
  "image/jpeg": "jpg",
  "image/gif": "gif",
};

const extensionOf = (contentType: string): string => EXTENSIONS[contentType] ?? "bin";
