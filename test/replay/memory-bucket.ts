/** R2 in memory, as far as the Worker uses it. */
import { createHash } from "node:crypto";

interface Stored {
  readonly bytes: Uint8Array;
  readonly metadata: Record<string, string>;
  readonly uploaded: Date;
}

const PAGE_NAMES = 50;

export class MemoryBucket {
  readonly objects = new Map<string, Stored>();
  now: () => Date = () => new Date();

  put(key: string, value: Uint8Array, options: R2PutOptions = {}) {
    const condition = options.onlyIf;
    if (condition instanceof Headers && condition.get("If-None-Match") === "*" && this.objects.has(key)) return null;
    if (typeof options.sha256 === "string" && createHash("sha256").update(value).digest("hex") !== options.sha256) {
      throw new Error("put: the checksum does not match (10037)");
    }
    const stored = { bytes: value.slice(), metadata: { ...options.customMetadata }, uploaded: this.now() };
    this.objects.set(key, stored);
    return headOf(key, stored);
  }

  list({ prefix = "", delimiter, startAfter = "", cursor = "" }: R2ListOptions) {
    const after = cursor > startAfter ? cursor : startAfter;
    const names = new Set<string>();
    for (const key of this.objects.keys()) {
      if (!key.startsWith(prefix)) continue;
      const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
      const name = end === -1 ? key : key.slice(0, end + 1);
      if (name > after) names.add(name);
    }
    const sorted = [...names].sort();
    const page = sorted.slice(0, PAGE_NAMES);
    const truncated = sorted.length > PAGE_NAMES;
    return {
      objects: page.filter((name) => this.objects.has(name)).map((key) => headOf(key, this.objects.get(key))),
      delimitedPrefixes: page.filter((name) => !this.objects.has(name)),
      truncated,
      ...(truncated ? { cursor: page.at(-1) } : {}),
    };
  }

  /** The binding; every call goes through `effect`, which may let it die. */
  binding(effect: <T>(perform: () => T) => Promise<T>): R2Bucket {
    const bucket = {
      put: (key: string, value: Uint8Array, options?: R2PutOptions) => effect(() => this.put(key, value, options)),
      head: (key: string) => effect(() => headOf(key, this.objects.get(key))),
      get: (key: string, options: R2GetOptions = {}) => effect(() => this.#get(key, options)),
      list: (options: R2ListOptions = {}) => effect(() => this.list(options)),
      delete: (keys: string | string[]) =>
        effect(() => {
          for (const key of [keys].flat()) this.objects.delete(key);
        }),
    };
    return bucket as unknown as R2Bucket;
  }

  #get(key: string, options: R2GetOptions) {
    const found = this.objects.get(key);
    if (found === undefined) return null;
    const { offset = 0, length } = (options.range ?? {}) as { offset?: number; length?: number };
    const bytes = found.bytes.subarray(offset, length === undefined ? undefined : offset + length);
    return {
      ...headOf(key, found),
      arrayBuffer: async () => bytes.slice().buffer,
      body: { getReader: () => readerOf(bytes) },
    };
  }
}

const headOf = (key: string, found: Stored | undefined) =>
  found === undefined
    ? null
    : { key, size: found.bytes.length, uploaded: found.uploaded, customMetadata: { ...found.metadata } };

/** A reader that fills the caller's buffer, as workerd's does. */
function readerOf(bytes: Uint8Array) {
  let at = 0;
  return {
    async readAtLeast(_least: number, buffer: Uint8Array) {
      const from = at;
      at = Math.min(bytes.length, at + buffer.length);
      if (from === at) return { done: true, value: buffer.subarray(0, 0) };
      buffer.set(bytes.subarray(from, at));
      return { done: false, value: buffer.subarray(0, at - from) };
    },
    cancel: async () => undefined,
  };
}
