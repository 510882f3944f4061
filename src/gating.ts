/**
 * The gate's part of the composition root: what a file would do is judged by the feed's policy, its history and the rows that
 * apply would write.
 */
import { neededBatches } from "./apply/batches.ts";
import { forecastRetirement } from "./apply/retire.ts";
import type { Adapter } from "./domain/adapter.ts";
import { attempt, type Waiting } from "./domain/attempt.ts";
import type { ChunkEntry } from "./domain/chunk.ts";
import type { Recipient } from "./domain/notice.ts";
import type { FileToApply } from "./domain/plan.ts";
import type { GateDeps, JudgeDeps, SampledRow } from "./gate/deps.ts";
import { holdLinks } from "./gate/links.ts";
import { gateTables } from "./gate/tables.ts";
import { composeMessage } from "./notify/compose.ts";
import type { Log } from "./observe/log.ts";
import type { Database } from "./platform/postgres.ts";

export interface Gating extends Waiting {
  readonly database: Pick<Database, "query">;
  /** All bytes of a chunk. Throws `chunk-missing` or `storage-unavailable`. */
  whole(file: FileToApply, entry: ChunkEntry): Promise<Uint8Array>;
  /** Throws `unknown-feed`. */
  adapterOf(customer: string, feed: string): Adapter;
}

const tablesOf = ({ database, ...waiting }: Gating) =>
  gateTables({ query: (text, params) => attempt(waiting, () => database.query(text, params)) });

export const judgeDeps = (gating: Gating): JudgeDeps => ({
  tables: tablesOf(gating),
  policy: (customer, feed) => gating.adapterOf(customer, feed).gate,
  async *rows(file, plan, need) {
    for await (const batch of neededBatches(file.chunks, { ...plan, need }, (entry) => gating.whole(file, entry))) {
      const records = batch.records.split("\n");
      yield batch.keys.split("\n").map((key, i) => ({ key, data: recordOf(records[i]!) }));
    }
  },
});

/** What several rows of a merging file say together stands as an array of theirs, later over earlier. */
function recordOf(text: string): SampledRow["data"] {
  const said = JSON.parse(text) as SampledRow["data"] | readonly SampledRow["data"][];
  return Array.isArray(said) ? Object.assign({}, ...said) : (said as SampledRow["data"]);
}

export interface Holding extends Gating {
  readonly publicUrl?: string;
  readonly addressSecret: string;
  uuid(): string;
  readonly log: Log;
}

export const gateDeps = (holding: Holding): GateDeps => ({
  ...judgeDeps(holding),
  tables: tablesOf(holding),
  forecast: (fileId) => forecastRetirement(holding, fileId),
  recipients(customer, feed) {
    const contact: Recipient[] = holding.adapterOf(customer, feed).contact === undefined ? [] : ["contact"];
    return ["operator", ...contact];
  },
  compose: composeMessage,
  links: (hold, recipient) => holdLinks(holding.publicUrl, holding.addressSecret, hold, recipient),
  nonce: () => holding.uuid().replaceAll("-", ""),
  log: holding.log,
});
