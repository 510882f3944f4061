/** The chain as the parse stage runs it (src/parse/handler.ts), without its tables: a mail → chunks for a sink. */
import type { Opened } from "../../src/parse/open/open.ts";
import { openDelivery } from "../../src/parse/open/open.ts";
import type { ByteSource } from "../../src/parse/open/source.ts";
import { parseFile } from "../../src/parse/table/parse-file.ts";
import { benchInventory } from "./feed.ts";

/** What came out, to prove that every contender has read the same file to its end. */
export interface Outcome {
  readonly accepted: number;
  readonly rejected: number;
  readonly chunks: number;
  readonly chunkBytes: number;
}

/** Called with each chunk that is made; reading goes on when it is done. */
export type ChunkTaker = (n: number) => Promise<void>;

/** @throws Error where the mail does not hold exactly one file: the figures would be those of another mail. */
export async function parseMail(source: ByteSource, take: ChunkTaker): Promise<Outcome> {
  const opened: Opened[] = [];
  for await (const one of openDelivery(source, { door: "mail" })) opened.push(one);
  const files = opened.flatMap((one) => (one.kind === "file" && one.file.role === "attachment" ? [one.file] : []));
  const [file] = files;
  if (file === undefined || files.length > 1) throw new Error(`the mail holds ${files.length} files`);

  let chunkBytes = 0;
  const parsed = await parseFile(benchInventory, file.open(), {
    async chunk(entry, bytes) {
      chunkBytes += bytes.byteLength;
      await take(entry.n);
    },
    async rejects() {
      await take(-1);
    },
  });
  const { accepted, rejected } = parsed.books;
  return { accepted, rejected, chunks: parsed.chunks.length, chunkBytes };
}
