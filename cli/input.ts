/** Files of this machine as sources for the parse stage. */
import { existsSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { feeds } from "../adapters/index.ts";
import type { Adapter, Feed } from "../src/domain/adapter.ts";
import { effectiveFeed, type Mapping } from "../src/domain/feed-version.ts";
import type { ByteSource } from "../src/parse/open/source.ts";
import { UsageError } from "./command.ts";

const BLOCK_BYTES = 65_536;

export interface InputFile {
  readonly path: string;
  readonly name: string;
  readonly source: ByteSource;
  readonly door: "mail" | "upload";
}

/** A file by its path. Throws UsageError if there is none. */
export async function inputFile(path: string): Promise<InputFile> {
  if (!existsSync(path)) throw new UsageError(`there is no file ${path}`, "no-such-file");
  const stat = statSync(path);
  if (!stat.isFile()) throw new UsageError(`${path} is not a file`, "no-such-file");
  const source = fileSource(path, stat.size);
  return { path, name: basename(path), source, door: (await looksLikeMail(source, path)) ? "mail" : "upload" };
}

function fileSource(path: string, size: number): ByteSource {
  return {
    size,
    async *blocks(offset, length) {
      const handle = await open(path, "r");
      try {
        const end = Math.min(size, offset + length);
        for (let at = offset; at < end; ) {
          const block = new Uint8Array(Math.min(BLOCK_BYTES, end - at));
          const { bytesRead } = await handle.read(block, 0, block.length, at);
          if (bytesRead === 0) return;
          at += bytesRead;
          yield block.subarray(0, bytesRead);
        }
      } finally {
        await handle.close();
      }
    },
  };
}

/** A header line that only a mail begins with, or the name says so. */
const MAIL_START =
  /^(from|received|return-path|delivered-to|date|message-id|mime-version|subject|to|x-[\w-]+|content-type|dkim-signature|authentication-results|arc-[\w-]+|reply-to|sender|cc):[ \t]/i;

/** One of these alone is enough: nobody gives a table such a title. */
const ALONE = /^(received|return-path|message-id|mime-version|content-type):[ \t]/i;

async function looksLikeMail(source: ByteSource, path: string): Promise<boolean> {
  if (/\.(eml|msg|mbox)$/i.test(path)) return true;
  for await (const block of source.blocks(0, Math.min(4_096, source.size))) {
    const start = new TextDecoder("latin1").decode(block);
    const unfolded = start.replace(/^From [^\n]*\n/, "").replace(/\r?\n[ \t]+/g, " ");
    const [first = "", second = ""] = unfolded.split(/\r?\n/, 2);
    return MAIL_START.test(first) && (second === "" ? ALONE.test(first) : MAIL_START.test(second));
  }
  return false;
}

/** The feed `customer/feed` as its adapter's folder describes it. Throws UsageError that lists those there are. */
export const feedNamed = (name: string): Feed => describedFeed(adapterNamed(name));

/** The adapter of `customer/feed`. Throws UsageError that lists those there are. */
export function adapterNamed(name: string): Adapter {
  const found = feeds.find((f) => `${f.customer}/${f.feed}` === name);
  if (found) return found;
  throw new UsageError(
    `there is no feed ${name}; there are ${feeds.map((f) => `${f.customer}/${f.feed}`).join(", ")}`,
    "no-such-feed",
  );
}

/** The feed of an adapter that says all of it. Throws UsageError where it leaves something to detection. */
export function describedFeed(adapter: Adapter, mapping?: Mapping): Feed {
  const effective = effectiveFeed(adapter, { mapping });
  if (effective.kind === "feed") return effective.feed;
  if (effective.kind === "faulty") {
    const faults = effective.faults.map(({ path, message }) => `${path.join(".")} ${message}`).join("; ");
    throw new UsageError(
      `${adapter.customer}/${adapter.feed} cannot be read by this mapping: ${faults}`,
      "invalid-draft",
    );
  }
  throw new UsageError(
    `the adapter of ${adapter.customer}/${adapter.feed} leaves the format of its files to detection; see mailfeed sniff`,
    "format-unconfirmed",
  );
}
