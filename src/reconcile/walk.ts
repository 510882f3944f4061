/**
 * From digests to drift: which buckets differ, which rows in them, what the two sides say of these, and why. Everything is
 * done in pages of bounded size, however much differs.
 */
import { type Context, compare, type Drift, type Evidence, type TheirRow } from "./compare.ts";
import type { ReconcileDeps, Reconciliation, SnapshotFile } from "./deps.ts";
import { Buckets, bucketBits, bucketOf, rowDigest, type Seal } from "./digest.ts";
import { readEvidence } from "./evidence.ts";
import { eachRow, ownText, type PlacedRow, type RowInChunk, readLastLines, readRows } from "./rows.ts";
import { bucketRows, recordBuckets, recordDetails, type SealedBy, sealOf } from "./tables.ts";

/** Rows of the database in memory at once, with key and seal: some 10 MB. */
const GROUP_MAX_ROWS = 40_000;
/** Records asked for at once: at 2 kB each the answer has 2 MB. */
const PAGE_ROWS = 1_000;
/**
 * Where so many rows stand in buckets that differ, and more than half of all, the hashes are of another time (a column was
 * added) or the platform has its fields everywhere: then values are compared, and the platform's left out of the seals.
 */
const HASHES_IN_VAIN_ROWS = 10_000;

/** What digests say, and the differences one page after the other. */
export interface Walk {
  readonly seal: Seal;
  /** Rows of the snapshot that count. */
  readonly snapshotRows: number;
  /** Active records of the feed. */
  readonly records: number;
  /** Buckets that differ. */
  readonly differing: number;
  pages(): AsyncGenerator<Drift[]>;
}

interface Sides {
  readonly by: SealedBy;
  readonly ours: Buckets;
  readonly theirs: Buckets;
  readonly differing: readonly number[];
}

/**
 * Compares a snapshot with the records of its feed. `records`: about how many there are, for the number of buckets. Throws
 * `chunk-missing`, `storage-unavailable` and the database's failures.
 */
export async function walk(
  deps: ReconcileDeps,
  file: SnapshotFile,
  how: Reconciliation,
  records: number,
): Promise<Walk> {
  const { hashes, fields, platformFields } = how.comparison;
  const bits = bucketBits(Math.max(file.accepted, records));
  const lastLines = await readLastLines(deps, file);
  let sides = await digests(deps, file, bits, hashes ? undefined : fields, lastLines);
  if (inVain(sides)) {
    const erps = fields.filter((field) => !platformFields.includes(field));
    deps.log.info("reconcile-by-fields", { fileId: file.id, differing: sides.differing.length });
    sides = await digests(deps, file, bits, erps, lastLines);
  }
  const { by, ours, theirs, differing } = sides;
  return {
    seal: sealOf(by),
    snapshotRows: theirs.rows,
    records: ours.rows,
    differing: differing.length,
    pages: () => pages(deps, file, how, sides, lastLines),
  };
}

async function digests(
  deps: ReconcileDeps,
  file: SnapshotFile,
  bits: number,
  by: SealedBy,
  lastLines: ReadonlyMap<string, number>,
): Promise<Sides> {
  const theirs = new Buckets(bits, sealOf(by));
  const [ours] = await Promise.all([
    recordBuckets(deps, file, bits, by),
    eachRow(deps, file, by, lastLines, ({ key, content }) => theirs.add(key, content)),
  ]);
  return { by, ours, theirs, differing: ours.differing(theirs) };
}

/** Rows to look at in a bucket, of the side that has more. */
const rowsIn = ({ ours, theirs }: Sides, bucket: number): number =>
  Math.max(ours.rowsIn(bucket), theirs.rowsIn(bucket));

function inVain(sides: Sides): boolean {
  if (sides.by !== undefined) return false;
  const rows = sides.differing.reduce((sum, bucket) => sum + rowsIn(sides, bucket), 0);
  return rows >= HASHES_IN_VAIN_ROWS && rows * 2 > Math.max(sides.ours.rows, sides.theirs.rows);
}

/** Buckets of together at most `maxRows` rows; one that has more stands alone. */
function* groups(sides: Sides, maxRows: number): Generator<number[]> {
  let group: number[] = [];
  let rows = 0;
  for (const bucket of sides.differing) {
    const more = rowsIn(sides, bucket);
    if (group.length > 0 && rows + more > maxRows) {
      yield group;
      group = [];
      rows = 0;
    }
    group.push(bucket);
    rows += more;
  }
  if (group.length > 0) yield group;
}

async function* pages(
  deps: ReconcileDeps,
  file: SnapshotFile,
  how: Reconciliation,
  sides: Sides,
  lastLines: ReadonlyMap<string, number>,
): AsyncGenerator<Drift[]> {
  const judge = judgeOf(deps, file, how);
  const { bits } = sides.theirs;
  const seal = sealOf(sides.by);
  for (const group of groups(sides, deps.groupRows ?? GROUP_MAX_ROWS)) {
    const wanted = new Set(group);
    const left = await bucketRows(deps, file, bits, sides.by, group);
    const differing: PlacedRow[] = [];
    const take = ({ key, content, n, at }: RowInChunk) => {
      if (left.get(key) !== rowDigest(seal, key, content)) differing.push({ key: ownText(key), n, at });
      left.delete(key);
    };
    await eachRow(deps, file, sides.by, lastLines, take, (key) => wanted.has(bucketOf(key, bits)));
    for await (const rows of inPages(readRows(deps, file, differing))) {
      yield await judge(
        rows.map(({ key }) => key),
        new Map(rows.map((row) => [row.key, row])),
      );
    }
    const onlyHere = [...left.keys()];
    for (let from = 0; from < onlyHere.length; from += PAGE_ROWS) {
      yield await judge(onlyHere.slice(from, from + PAGE_ROWS), new Map());
    }
  }
}

async function* inPages(lots: AsyncIterable<TheirRow[]>): AsyncGenerator<TheirRow[]> {
  let page: TheirRow[] = [];
  for await (const lot of lots) {
    for (const row of lot) {
      page.push(row);
      if (page.length < PAGE_ROWS) continue;
      yield page;
      page = [];
    }
  }
  if (page.length > 0) yield page;
}

/** Compares the records of some keys with what the snapshot says of them; looks for evidence only where it is needed. */
function judgeOf(deps: ReconcileDeps, file: SnapshotFile, { comparison, marginMs, keepsMissing }: Reconciliation) {
  const { fields, platformFields } = comparison;
  const bare: Context = {
    fields,
    platformFields,
    orderKey: file.orderKey,
    marginMs,
    keepsMissing,
    evidence: undefined,
  };
  let reading: Promise<Evidence> | undefined;
  return async (keys: readonly string[], theirs: ReadonlyMap<string, TheirRow>): Promise<Drift[]> => {
    const ours = await recordDetails(deps, file, keys);
    const judged = (context: Context) =>
      keys.map((key) => compare(ours.get(key), theirs.get(key), context)).filter((drift) => drift !== undefined);
    const drifts = judged(bare);
    if (drifts.every(({ explanation }) => explanation !== undefined)) return drifts;
    reading ??= readEvidence(deps, file);
    return judged({ ...bare, evidence: await reading });
  };
}
