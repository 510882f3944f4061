/**
 * R2: a thin driver for the archive and the chunks. It decides nothing but the kind of trouble: `storage-unavailable`
 * (waits), `storage-refused` (park), or a fault of ours.
 */
import { type DeliveryFacts, factsToMetadata } from "../domain/delivery.ts";
import { asFailure, Failure, failure, wordsOf } from "../domain/failures.ts";
import { isFault } from "./faults.ts";

/** Blocks of this size cost a seventh of the CPU of the 4 KB that a default reader hands out. */
const BLOCK_BYTES = 65_536;

/**
 * Codes at the end of R2's messages (developers.cloudflare.com/r2/api/error-codes) that are about this very object or range:
 * no later try does better. All others are about the service, the bucket or our access to it, and pass when that is mended.
 */
const REFUSED: ReadonlySet<string> = new Set([
  "10012", // MetadataTooLarge
  "10014", // InvalidDigest: written wrongly; a checksum that does not match (10037) may be bytes lost on the way
  "10020", // InvalidObjectName
  "10033", // MissingContentLength
  "10039", // InvalidRange
  "10069", // ObjectLockedByBucketPolicy
  "100100", // EntityTooLarge
]);

/** What kind of trouble a thrown value of R2 is. Pure. */
export function classifyStorage(what: string, thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  const said = thrown instanceof Error ? thrown.message : wordsOf(thrown);
  const reason = `${what}: ${said.slice(0, 200)}`;
  const code = /\((\d{5,6})\)\s*$/.exec(said)?.[1];
  if (code !== undefined && REFUSED.has(code)) return failure("storage-refused", { reason }, thrown);
  if (code === undefined && isFault(thrown)) return asFailure(thrown);
  return failure("storage-unavailable", { reason }, thrown);
}

async function guarded<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (thrown) {
    throw classifyStorage(what, thrown);
  }
}

/** Puts the raw bytes of a delivery under a key that is written once. R2 checks the SHA-256 of what arrives. */
export function archiveRaw(
  bucket: R2Bucket,
  key: string,
  bytes: Uint8Array<ArrayBuffer>,
  facts: DeliveryFacts,
): Promise<"stored" | "exists"> {
  return guarded("archive", async () => {
    const stored = await bucket.put(key, bytes, {
      onlyIf: new Headers({ "If-None-Match": "*" }),
      sha256: facts.sha256,
      customMetadata: factsToMetadata(facts),
      httpMetadata: { contentType: facts.door === "mail" ? "message/rfc822" : "application/octet-stream" },
    });
    return stored === null ? "exists" : "stored";
  });
}

/** Size and metadata of an object, or undefined if there is none. */
export function headOf(
  bucket: R2Bucket,
  key: string,
): Promise<{ bytes: number; metadata: Record<string, string> | undefined } | undefined> {
  return guarded("head", async () => {
    const object = await bucket.head(key);
    return object === null ? undefined : { bytes: object.size, metadata: object.customMetadata };
  });
}

export async function putBytes(bucket: R2Bucket, key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  await guarded("put", () => bucket.put(key, bytes));
}

/** A whole object or its first `length` bytes; undefined if there is none. */
export function getBytes(bucket: R2Bucket, key: string, length?: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return guarded("get", async () => {
    const object = await bucket.get(key, length === undefined ? {} : { range: { offset: 0, length } });
    return object === null ? undefined : new Uint8Array(await object.arrayBuffer());
  });
}

/** Objects under a prefix whose keys come after `after`, in the order of their keys; up to 1,000. */
export async function listAfter(
  bucket: R2Bucket,
  prefix: string,
  after: string,
): Promise<{ objects: { key: string; uploadedAt: Date }[]; more: boolean }> {
  const page: R2Objects = await guarded("list", () => bucket.list({ prefix, startAfter: after }));
  return {
    objects: page.objects.map(({ key, uploaded }) => ({ key, uploadedAt: uploaded })),
    more: page.truncated,
  };
}

/** The same with what stands beside each object; fewer of them may come at once. */
export async function listMetadataAfter(
  bucket: R2Bucket,
  prefix: string,
  after: string,
): Promise<{ objects: { key: string; bytes: number; metadata: Record<string, string> | undefined }[]; more: boolean }> {
  const page: R2Objects = await guarded("list", () =>
    bucket.list({ prefix, startAfter: after, include: ["customMetadata"] }),
  );
  return {
    objects: page.objects.map(({ key, size, customMetadata }) => ({ key, bytes: size, metadata: customMetadata })),
    more: page.truncated,
  };
}

/** The names of the folders right under a prefix, e.g. `acme` for `raw/acme/…` under `raw/`. */
export async function foldersUnder(bucket: R2Bucket, prefix: string): Promise<string[]> {
  const names: string[] = [];
  let cursor: string | undefined;
  do {
    const page: R2Objects = await guarded("list", () =>
      bucket.list({ prefix, delimiter: "/", ...(cursor === undefined ? {} : { cursor }) }),
    );
    names.push(...page.delimitedPrefixes.map((folder) => folder.slice(prefix.length, -1)));
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
  return names;
}

/** Removes objects, 1,000 at most: R2 takes no more with one call. One that is gone does no harm. */
export async function removeObjects(bucket: R2Bucket, keys: readonly string[]): Promise<void> {
  if (keys.length > 0) await guarded("delete", () => bucket.delete([...keys]));
}

/** Removes everything under a prefix. */
export async function removeUnder(bucket: R2Bucket, prefix: string): Promise<void> {
  for (;;) {
    const { objects, more } = await listAfter(bucket, prefix, prefix);
    await removeObjects(
      bucket,
      objects.map(({ key }) => key),
    );
    if (!more) return;
  }
}

/**
 * An object read by ranges, one block at a time as the consumer asks for it. A block is valid until the next turn only.
 * The connection is given back when the consumer stops early.
 */
export function objectSource(bucket: R2Bucket, key: string, size: number) {
  return {
    size,
    async *blocks(offset: number, length: number): AsyncGenerator<Uint8Array> {
      if (length <= 0) return;
      const object = await guarded("read", () => bucket.get(key, { range: { offset, length } }));
      if (object === null) throw failure("raw-missing", { key });
      const reader = object.body.getReader({ mode: "byob" });
      let buffer = new Uint8Array(BLOCK_BYTES);
      let finished = false;
      try {
        for (;;) {
          const { done, value } = await guarded("read", () => reader.readAtLeast(BLOCK_BYTES, buffer));
          if (value && value.byteLength > 0) yield value;
          if (done) break;
          buffer = new Uint8Array(value.buffer as ArrayBuffer, 0, BLOCK_BYTES);
        }
        finished = true;
      } finally {
        if (!finished) await reader.cancel();
      }
    },
  };
}
