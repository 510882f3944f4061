/** The statements of reconcile. Those that are more than a lookup are functions; their migration says why they are as they are. */
import { attempt, oneRow } from "../domain/attempt.ts";
import type { ChunkEntry } from "../domain/chunk.ts";
import { failure } from "../domain/failures.ts";
import type { OpenFile, OurRecord, Values } from "./compare.ts";
import type { ReconcileDeps, SnapshotFile } from "./deps.ts";
import { Buckets, bucketMask, type Seal } from "./digest.ts";
import type { RawReject } from "./evidence.ts";

/** By what rows are compared: the values of these fields, or, without any, the row hash. */
export type SealedBy = readonly string[] | undefined;

export const sealOf = (by: SealedBy): Seal => (by === undefined ? "hash" : "fields");

/** A text array for Postgres; names of fields are lower_snake_case, so nothing is to be escaped. */
const fieldArray = (fields: SealedBy): string | null => (fields === undefined ? null : `{${fields.join(",")}}`);

export type ReportState = "open" | "late" | "clean" | "healing" | "healed" | "waiting" | "released" | "rejected";

export interface OpenReport {
  readonly id: string;
  readonly state: ReportState;
  /** Active records of the feed. */
  readonly records: number;
}

/** Begins the report of a run, or finds it. Throws `file-missing` where the feed is not one of the file's customer. */
export async function openReport(deps: ReconcileDeps, file: SnapshotFile, limits: unknown, fields: readonly string[]) {
  const rows = await attempt(deps, () =>
    deps.database.query<{ report: string; state: ReportState; records: number }>(
      "SELECT report::text, state, records FROM open_drift_report($1, $2, $3, $4, $5)",
      [file.id, file.feedId, JSON.stringify(limits), fieldArray(fields), file.run ?? 1],
    ),
  );
  const row = rows[0];
  if (row === undefined) throw failure("file-missing", { file: file.id });
  return { id: row.report, state: row.state, records: row.records } satisfies OpenReport;
}

/** Writes what was found, once. Answers the state of the report, also where somebody else was faster. */
export async function closeReport(
  deps: ReconcileDeps,
  id: string,
  state: ReportState,
  numbers: unknown,
  rows: readonly unknown[],
): Promise<{ readonly closed: boolean; readonly state: ReportState }> {
  return attempt(deps, async () =>
    oneRow(
      await deps.database.query<{ closed: boolean; state: ReportState }>(
        "SELECT closed, state FROM close_drift_report($1, $2, $3, $4)",
        [id, state, JSON.stringify(numbers), JSON.stringify(rows)],
      ),
    ),
  );
}

export async function recordBuckets(
  deps: ReconcileDeps,
  file: SnapshotFile,
  bits: number,
  by: SealedBy,
): Promise<Buckets> {
  const { buckets } = await attempt(deps, async () =>
    oneRow(
      await deps.database.query<{ buckets: string }>("SELECT record_buckets($1, $2, $3, $4) AS buckets", [
        file.customerId,
        file.feedId,
        bits,
        fieldArray(by),
      ]),
    ),
  );
  return Buckets.read(bits, sealOf(by), buckets);
}

/** The active records in some buckets: key → digest of the row, as `rowDigest` makes it. */
export async function bucketRows(
  deps: ReconcileDeps,
  file: SnapshotFile,
  bits: number,
  by: SealedBy,
  buckets: Iterable<number>,
): Promise<Map<string, string>> {
  const row = await attempt(deps, async () =>
    oneRow(
      await deps.database.query<{ keys: string; digests: string }>("SELECT * FROM bucket_rows($1, $2, $3, $4, $5)", [
        file.customerId,
        file.feedId,
        bits,
        fieldArray(by),
        bucketMask(bits, buckets),
      ]),
    ),
  );
  const keys = JSON.parse(row.keys) as string[];
  const digests = row.digests.split(",");
  return new Map(keys.map((key, i) => [key, digests[i]!]));
}

interface DetailRow {
  readonly key: string;
  readonly id: string;
  readonly version: number;
  readonly status: OurRecord["status"];
  readonly order_key: string;
  readonly row_hash: string;
  readonly file_id: string;
  readonly data: string;
  readonly confirmed: boolean;
  readonly retired_by: string | null;
}

/** What is known of the records of these keys, by key. */
export async function recordDetails(
  deps: ReconcileDeps,
  file: SnapshotFile,
  keys: readonly string[],
): Promise<Map<string, OurRecord>> {
  const rows = await attempt(deps, () =>
    deps.database.query<DetailRow>(
      `SELECT key, id::text, version, status, order_key, row_hash, file_id::text, data, confirmed, retired_by::text
       FROM record_details($1, $2, $3, $4)`,
      [file.customerId, file.feedId, file.orderKey, JSON.stringify(keys)],
    ),
  );
  return new Map(
    rows.map((row) => [
      row.key,
      {
        key: row.key,
        id: row.id,
        version: row.version,
        status: row.status,
        orderKey: row.order_key,
        fileId: row.file_id,
        hash: row.row_hash,
        record: objectOf(JSON.parse(row.data)),
        confirmed: row.confirmed,
        retiredBy: row.retired_by ?? undefined,
      },
    ]),
  );
}

/** Whatever somebody wrote into `data`: what is no object has no fields. */
const objectOf = (value: unknown): Values => (typeof value === "object" && value !== null ? (value as Values) : {});

interface RejectRow {
  readonly file_id: string;
  readonly order_key: string;
  readonly line: number;
  readonly raw: string;
  readonly sentence: string;
  readonly natural_key: string | null;
}

/** Characters of a rejected row that are looked at: keys stand at the beginning. */
const RAW_LOOKED_AT_CHARS = 300;

/** Rejected rows of the snapshot itself, and of the files of the feed since some time, the newest first. */
export async function rejectedRows(
  deps: ReconcileDeps,
  file: SnapshotFile,
  sinceMs: number,
  maxRows: number,
): Promise<RawReject[]> {
  const rows = await attempt(deps, () =>
    deps.database.query<RejectRow>(
      `SELECT x.file_id::text, f.order_key, x.line, left(x.raw, $5) AS raw, x.sentence, x.natural_key
       FROM files f JOIN rejects x ON x.file_id = f.id
       WHERE (f.id = $1 OR f.customer_id = $2 AND f.feed_id = $3 AND f.received_at >= $4 AND NOT f.compare_only) AND x.position = 0
       ORDER BY f.id = $1 DESC, f.order_key DESC, x.line LIMIT $6`,
      [file.id, file.customerId, file.feedId, new Date(sinceMs).toISOString(), RAW_LOOKED_AT_CHARS, maxRows],
    ),
  );
  return rows.map((row) => ({
    fileId: row.file_id,
    orderKey: row.order_key,
    line: row.line,
    raw: row.raw,
    sentence: row.sentence,
    key: row.natural_key ?? undefined,
  }));
}

export interface OpenFileRow {
  readonly id: string;
  readonly adapterVersion: string;
  readonly state: OpenFile["state"];
  readonly chunks: readonly ChunkEntry[];
}

/** Files of the feed that are read and not applied, the newest first. */
export const openFiles = (deps: ReconcileDeps, file: SnapshotFile, max: number): Promise<OpenFileRow[]> =>
  attempt(deps, () =>
    deps.database.query<OpenFileRow>(
      `SELECT id::text, adapter_version AS "adapterVersion", state, chunks FROM files
       WHERE customer_id = $1 AND feed_id = $2 AND state IN ('held', 'parsed', 'applying') AND chunks <> '[]' AND NOT compare_only
       ORDER BY order_key DESC LIMIT $3`,
      [file.customerId, file.feedId, max],
    ),
  );
