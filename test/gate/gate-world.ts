/** Feeds with files in a real database, and a worker whose gate is the real one, wired as in the Worker. */
import type { ApplyDeps } from "../../src/apply/deps.ts";
import { defineFeed } from "../../src/domain/adapter.ts";
import type { FailureReport } from "../../src/domain/failures.ts";
import { report } from "../../src/domain/failures.ts";
import { FieldTally } from "../../src/domain/field-numbers.ts";
import type { GatePolicyInput } from "../../src/domain/gate-policy.ts";
import type { Tripped } from "../../src/gate/facts.ts";
import { gateFile } from "../../src/gate/handler.ts";
import { gateDeps } from "../../src/gating.ts";
import { type TestFeed, type TestFile, type TestRow, worldOn } from "../apply/world.ts";
import { forceIn } from "../support/force-state.ts";

export const HOUR_MS = 3_600_000;
export const DAY = 1_440;
/** Of place 0. */
export const FIRST_MS = Date.UTC(2026, 0, 1);
/** When the gate looks: only what it writes down depends on it. */
export const NOW_MS = Date.UTC(2026, 5, 1);

export const PUBLIC_URL = "https://feeds.example";
export const SECRET = "tests-only-address-secret";

/** Chunks of 100 rows: of a file of some hundred rows only some are looked at. */
const SIZES = { chunkRows: 100, statementRows: 10_000 };
export const LARGE_SIZES = { chunkRows: 5_000, statementRows: 10_000 };

export interface Article {
  readonly stock: number | null;
  readonly name: string | null;
}

export const article = (i: number, change: Partial<Article> = {}): TestRow => {
  const key = `A-${String(i).padStart(5, "0")}`;
  return { key, value: 0, record: { article: key, stock: 10, name: `Hammer ${i}`, ...change } };
};

/** Articles 0 to n - 1; the first `hit` of them are changed. */
export const articles = (n: number, hit = 0, change: Partial<Article> = {}, from = 0): TestRow[] =>
  Array.from({ length: n }, (_, i) => article(from + i, i < hit ? change : {}));

export interface FileOptions {
  /** Its stated time lies so many hours behind its place in order. */
  readonly statedAfterHours?: number;
  /** It arrived so many minutes after the time that is its place; at once where absent. */
  readonly arrivedAfter?: number;
  /** Rows that could not be read: as many keys, null where it is not known. */
  readonly rejected?: readonly (string | null)[];
}

export interface Hold {
  readonly nonce: string;
  readonly facts: Record<string, unknown>;
  readonly tripped: readonly Tripped[];
  readonly telling: readonly { kind: string; key: string }[];
  readonly widening: unknown;
  readonly later: string;
  readonly remind_at: Date;
  readonly expires_at: Date;
  readonly decision: string | null;
}

export interface Row {
  readonly state: string;
  readonly failure: FailureReport | null;
  readonly plan: Record<string, number | string> | null;
  readonly accepted: number;
  readonly inserted: number | null;
  readonly changed: number | null;
  readonly unchanged: number | null;
  readonly stale: number | null;
  readonly superseded: number | null;
  readonly retired: number | null;
  readonly gate: unknown;
  readonly records_before: number | null;
}

export type GateWorld = ReturnType<typeof gateWorldOn>;

export function gateWorldOn(connectionString: string, sizes = SIZES) {
  const world = worldOn(connectionString, sizes);
  const { database } = world;

  const adapter = (mode: "full" | "delta", gate: GatePolicyInput, contact?: string) =>
    defineFeed({
      customer: "acme",
      customerTitle: "Acme Tools",
      feed: "stock",
      title: "Stock",
      mode,
      gate,
      ...(contact === undefined ? {} : { contact }),
      intake: { policy: "trust-address", senders: ["@acme.example"] },
    });

  const told: number[] = [];

  /** A worker of a feed with this policy. */
  function worker(
    {
      policy = {},
      contact,
      mode = "full",
    }: { policy?: GatePolicyInput; contact?: string; mode?: "full" | "delta" } = {},
    over: Parameters<typeof world.deps>[0] = database,
  ): ApplyDeps {
    const feed = adapter(mode, policy, contact);
    const plain = world.deps(over);
    const gate = gateDeps({
      sleep: async () => undefined,
      random: () => 0,
      database: over ?? database,
      whole: world.chunks.whole,
      adapterOf: () => feed,
      publicUrl: PUBLIC_URL,
      addressSecret: SECRET,
      uuid: () => crypto.randomUUID(),
      log: plain.log,
    });
    return {
      ...plain,
      gate: (plan, file, lease) => gateFile(gate, file, plan, lease, NOW_MS),
      async kept(_, records) {
        told.push(records);
      },
    };
  }

  /** A parsed file as parse leaves it, with what it counts. */
  async function file(of: TestFeed, place: number, rows: readonly TestRow[], options: FileOptions = {}) {
    const made = await world.file(of, place, rows);
    const tally = new FieldTally();
    for (const { record, said } of rows) {
      const data = record ?? said ?? {};
      if ("stock" in data) tally.add(data.stock);
    }
    const { statedAfterHours, arrivedAfter = 0, rejected = [] } = options;
    const atMs = FIRST_MS + (place + arrivedAfter) * 60_000;
    await forceIn(
      database,
      `UPDATE files SET field_numbers = $2::jsonb, received_at = $3::timestamptz, stated_as_of = $4::timestamptz, rejected = $5::int,
         lines = lines + $5::int WHERE id = $1`,
      [
        made.id,
        JSON.stringify({ stock: tally.numbers }),
        new Date(atMs).toISOString(),
        statedAfterHours === undefined ? null : new Date(atMs + statedAfterHours * HOUR_MS).toISOString(),
        rejected.length,
      ],
    );
    await database.query(
      `INSERT INTO rejects (file_id, line, position, code, sentence, hint, raw, natural_key)
       SELECT $1, 1000000 + n, 0, 'x', 'It is wrong.', 'Mend it.', 'x', k
       FROM jsonb_array_elements_text($2::jsonb) WITH ORDINALITY AS r(k, n)`,
      [made.id, JSON.stringify(rejected)],
    );
    return made;
  }

  const rowOf = (f: TestFile) =>
    world.one<Row>(
      `SELECT state, failure, plan, accepted, inserted, changed, unchanged, stale, superseded, retired, gate, records_before
       FROM files WHERE id = $1`,
      [f.id],
    );

  const holdsOf = (f: TestFile) => database.query<Hold>("SELECT * FROM holds WHERE file_id = $1 ORDER BY id", [f.id]);

  return {
    ...world,
    worker,
    told,
    file,
    rowOf,
    holdsOf,
    async send(of: TestFeed, place: number, rows: readonly TestRow[], deps = worker()): Promise<TestFile> {
      const made = await file(of, place, rows);
      const { done } = await world.apply(made, deps);
      if (done !== "applied") throw new Error(`The file is ${done}: ${(await rowOf(made)).failure?.sentence}`);
      return made;
    },
    mailsOf: (f: TestFile) =>
      database.query<{ key: string; recipient: string; subject: string; body_text: string; body_html: string }>(
        "SELECT key, recipient, subject, body_text, body_html FROM notifications WHERE file_id = $1 ORDER BY recipient DESC",
        [f.id],
      ),
    /** As by the link of the newest hold; answers the files that go on. */
    async decide(f: TestFile, decision: "release" | "widen" | "reject"): Promise<readonly string[]> {
      const nonce = (await holdsOf(f)).at(-1)!.nonce;
      const refused = JSON.stringify(report("refused-by-operator", { by: "eve", reason: "wrong file" }));
      const { outcome, wake } = await world.one<{ outcome: string; wake: readonly string[] }>(
        "SELECT outcome, to_jsonb(wake::text[]) AS wake FROM decide_hold($1, $2, $3, 'eve', $4)",
        [f.id, nonce, decision, decision === "reject" ? refused : null],
      );
      if (outcome !== "decided") throw new Error(outcome);
      return wake;
    },
    /** What a file has left in the database beside its own row. */
    tracesOf: (f: TestFile) =>
      world.one<{ seen: number; ledger: number; records: number; changes: number }>(
        `SELECT (SELECT count(*)::int FROM seen WHERE file_id = $1) AS seen, (SELECT count(*)::int FROM ledger WHERE file_id = $1) AS ledger,
           (SELECT count(*)::int FROM records WHERE file_id = $1) AS records, (SELECT count(*)::int FROM changes WHERE file_id = $1) AS changes`,
        [f.id],
      ),
  };
}
