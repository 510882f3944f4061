/**
 * Raw bytes of a delivery → the files inside it.
 *
 * Pulled from end to end: asking for the next item looks at the first bytes of one more file; the bytes of a file are read
 * when its stream is. One damaged file does not stop the others. Order is the order in the mail and in the archive.
 */
import { asFailure, type Failure, failure } from "../../domain/failures.ts";
import { gunzip } from "./archive/expand.ts";
import { baseName, safePath } from "./archive/names.ts";
import { readTar } from "./archive/tar.ts";
import { lockedOut, openZipEntry, readZipDirectory, refusalOf, type ZipEntry } from "./archive/zip.ts";
import {
  asFile,
  type Context,
  deeper,
  deeperMessage,
  type Item,
  innerRole,
  join,
  type Opened,
  orProblem,
  type PayloadRole,
  randomAccess,
  uniquePath,
} from "./item.ts";
import { DEFAULT_LIMITS, type OpenLimits } from "./limits.ts";
import { signedContent } from "./mail/cms.ts";
import { readMessage } from "./mail/message.ts";
import { readTnef } from "./mail/tnef.ts";
import { refusal, staysClosed } from "./refusals.ts";
import { SNIFF_BYTES, sniff, zipFormat } from "./sniff.ts";
import { type ByteSource, type ByteStream, collect, exactBlocks, windowOf } from "./source.ts";

export type { Opened, Payload, PayloadRole } from "./item.ts";
export { formatTitle } from "./refusals.ts";
export type { FileFormat } from "./sniff.ts";

export interface OpenOptions {
  readonly door: "mail" | "upload";
  /** Name of an uploaded file. */
  readonly name?: string;
  /** Declared type of an uploaded file. */
  readonly contentType?: string;
  /** This sender never writes the closing boundary: the end of its messages is then taken for the end of the last file. */
  readonly mayLackClosingBoundary?: boolean;
  /** Password that this feed's archives are locked with. It appears in no failure. */
  readonly secret?: string;
  readonly limits?: Partial<OpenLimits>;
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
    secret: options.secret,
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
    const head = await headOf(item);
    const format = sniff(head, item);
    if (format === "mail") yield* openInnerMessage(item, context);
    else if (format === "zip") yield* openZip(item, context);
    else if (format === "gzip") yield* openGzip(item, context);
    else if (format === "tar") yield* openTar(item, context);
    else if (format === "tnef") yield* openTnef(item, context);
    else if (format === "signed-smime") yield* openSigned(item, context);
    else if (staysClosed(format)) throw refusal(format, item.name);
    else yield asFile(item, format, context);
  });
}

/** The first bytes. A file that breaks within them is known by what there is of it; whoever reads it meets the damage. */
async function headOf(item: Item): Promise<Uint8Array> {
  let damage: Failure | undefined;
  async function* untilDamage(): ByteStream {
    try {
      yield* item.open();
    } catch (thrown) {
      damage = asFailure(thrown);
      if (damage.code !== "file-corrupt") throw damage;
    }
  }
  const { bytes } = await collect(untilDamage(), SNIFF_BYTES, SNIFF_BYTES);
  if (damage !== undefined && bytes.length === 0) throw damage;
  return bytes;
}

async function* openInnerMessage(item: Item, context: Context): AsyncGenerator<Opened> {
  const inside = deeperMessage(context);
  const { source } = await randomAccess(item, context);
  yield* openMessage(source, item.path, item.role, inside, item.isCutOff ?? false);
}

/** A mail wrapped in its signature is opened like one that is attached. */
async function* openSigned(item: Item, context: Context): AsyncGenerator<Opened> {
  const inside = deeperMessage(context);
  const { source } = await randomAccess(item, context);
  const content = await signedContent(source, item.name);
  yield* openMessage(content, item.path, item.role, inside, false);
}

async function* openTnef(item: Item, context: Context): AsyncGenerator<Opened> {
  const inside = deeperMessage(context);
  const { source } = await randomAccess(item, context);
  for (const [index, attachment] of (await readTnef(source, item.name)).entries()) {
    const otherwise = attachment.isMessage ? `message-${index + 1}.dat` : `attachment-${index + 1}.bin`;
    const name = baseName(safePath(attachment.name ?? "", otherwise));
    yield* openItem(
      {
        path: join(item.path, name),
        name,
        contentType: /^[\w.+-]+\/[\w.+-]+$/.exec(attachment.contentType ?? "")?.[0] ?? "application/octet-stream",
        role: innerRole(item),
        sizeBytes: attachment.source.size,
        open: attachment.open,
        // Passes the sum by; what is read by range (a zip) has checks of its own.
        source: attachment.source,
      },
      inside,
    );
  }
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
      role: innerRole(item),
      declaredCharset: item.declaredCharset,
      open: () => gunzip(item.open(), { name: item.name, maxBytes, maxRatio }),
    },
    inside,
  );
}

async function* openTar(item: Item, context: Context): AsyncGenerator<Opened> {
  const inside = deeper(item, context);
  const { source } = await randomAccess(item, context);
  const files = (await readTar(source, item.name, context.limits)).filter((entry) => !isLitter(entry.name));
  if (files.length === 0) throw failure("archive-empty", { name: item.name });
  for (const [index, entry] of files.entries()) {
    const path = safePath(entry.name, `entry-${index + 1}`);
    const part = windowOf(source, entry.start, entry.bytes);
    yield* openItem(
      {
        path: join(item.path, path),
        name: baseName(path),
        contentType: "application/octet-stream",
        role: innerRole(item),
        sizeBytes: entry.bytes,
        open: () => exactBlocks(part, 0, entry.bytes),
        source: part,
      },
      inside,
    );
  }
}

async function* openZip(item: Item, context: Context): AsyncGenerator<Opened> {
  const inside = deeper(item, context);
  const { source, heldBytes } = await randomAccess(item, context);
  const { entries } = await readZipDirectory(source, item.name, context.limits);
  const isWorkbook = zipFormat(entries.map((entry) => entry.name));
  if (isWorkbook) {
    context.shared.heldBytes -= heldBytes;
    yield asFile(item, isWorkbook, context);
    return;
  }
  const files = entries.filter((entry) => !entry.isFolder && !isLitter(entry.name));
  if (files.length === 0) throw failure("archive-empty", { name: item.name });
  const locked = files.map((entry) => lockedOut(entry, item.name, context.secret));
  if (locked[0] && locked.every((refused) => refused !== undefined)) throw locked[0];
  refuseTooMuch(item.name, files, context);
  for (const [index, entry] of files.entries()) {
    const path = safePath(entry.name, `entry-${index + 1}`);
    const name = baseName(path);
    yield* openItem(
      {
        path: join(item.path, path),
        name,
        contentType: "application/octet-stream",
        role: innerRole(item),
        sizeBytes: entry.expandedBytes,
        open: () => openZipEntry(source, entry, name, context),
      },
      inside,
    );
  }
}

/** The declared sizes together; an entry that lies about its own is stopped when it is read. */
function refuseTooMuch(name: string, files: readonly ZipEntry[], context: Context): void {
  const { limits, shared } = context;
  const expanded = files.reduce((sum, entry) => sum + (refusalOf(entry, name, context) ? 0 : entry.expandedBytes), 0);
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
