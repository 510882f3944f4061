/**
 * R2 as far as the product uses it: put (conditional, with checksum), head, get by range, list, delete. Writes are atomic and seen
 * at once by everybody (strong consistency).
 */
import { createHash } from "node:crypto";
import type { Actor, Scheduler } from "./scheduler.ts";
import type { Weather } from "./weather.ts";

interface Stored {
  readonly bytes: Uint8Array;
  readonly metadata: Record<string, string>;
  readonly uploaded: Date;
}

/** R2 lists 1,000 names a page; a few show paging with the few objects of a run. */
const PAGE_NAMES = 5;

export class FakeStorage {
  readonly objects = new Map<string, Stored>();
  readonly #scheduler: Scheduler;
  readonly #weather: Weather;

  constructor(scheduler: Scheduler, weather: Weather) {
    this.#scheduler = scheduler;
    this.#weather = weather;
  }

  /** The binding as one actor sees it. */
  bindingOf(actor: Actor): R2Bucket {
    const effect = <T>(name: string, perform: () => T): Promise<T> => {
      const fate = this.#weather.fate(
        this.#weather.judge("storage", this.#scheduler.nowMs),
        () => new Error("we encountered an internal error. Please try again. (10001)"),
      );
      return this.#scheduler.effect(actor, name, fate, perform);
    };
    const binding = {
      put: (key: string, value: Uint8Array, options: R2PutOptions = {}) => {
        const bytes = value.slice();
        return effect(`put ${key}`, () => this.#put(key, bytes, options));
      },
      head: (key: string) => effect(`head ${key}`, () => headOf(key, this.objects.get(key))),
      get: async (key: string, options: R2GetOptions = {}) => {
        const found = await effect(`get ${key}`, () => this.objects.get(key));
        if (found === undefined) return null;
        const { offset = 0, length } = (options.range ?? {}) as { offset?: number; length?: number };
        const bytes = found.bytes.subarray(offset, length === undefined ? undefined : offset + length);
        const read = <T>(value: () => T) => effect(`read ${key}`, value);
        return {
          ...headOf(key, found),
          arrayBuffer: () => read(() => bytes.slice().buffer),
          body: { getReader: () => readerOf(bytes, read) },
        };
      },
      list: (options: R2ListOptions = {}) => effect(`list ${options.prefix ?? ""}`, () => this.#list(options)),
      delete: (keys: string | string[]) =>
        effect(`delete ${keys}`, () => {
          for (const key of [keys].flat()) this.objects.delete(key);
        }),
    };
    return binding as unknown as R2Bucket;
  }

  #put(key: string, bytes: Uint8Array, options: R2PutOptions) {
    const condition = options.onlyIf;
    if (condition instanceof Headers && condition.get("If-None-Match") === "*" && this.objects.has(key)) return null;
    if (typeof options.sha256 === "string" && createHash("sha256").update(bytes).digest("hex") !== options.sha256) {
      throw new Error("put: The SHA-256 checksum you specified did not match what we received. (10037)");
    }
    const uploaded = new Date(this.#scheduler.nowMs);
    const stored = { bytes, metadata: { ...options.customMetadata }, uploaded };
    this.objects.set(key, stored);
    return headOf(key, stored);
  }

  /** Objects and folders come in one order, and a page holds so many of both together. */
  #list({ prefix = "", delimiter, startAfter = "", cursor = "" }: R2ListOptions) {
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
}

const headOf = (key: string, found: Stored | undefined) =>
  found === undefined
    ? null
    : { key, size: found.bytes.length, uploaded: found.uploaded, customMetadata: { ...found.metadata } };

/** A reader that fills the caller's buffer, as workerd's does. */
function readerOf(bytes: Uint8Array, read: <T>(value: () => T) => Promise<T>) {
  let at = 0;
  return {
    async readAtLeast(_least: number, buffer: Uint8Array) {
      const end = Math.min(bytes.length, at + buffer.length);
      const from = at;
      at = end;
      if (from === end) return { done: true, value: buffer.subarray(0, 0) };
      return read(() => {
        buffer.set(bytes.subarray(from, end));
        return { done: false, value: buffer.subarray(0, end - from) };
      });
    },
    cancel: async () => undefined,
  };
}
