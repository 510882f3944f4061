/** Plan and apply: what a file says is in the records once, in its place, and in the books. */
import type { Mutation } from "./mutation.ts";

const CHUNKS = "migrations/0006_dense_chunks.sql";
const PLAN = "migrations/0015_retire.sql";
const CLOSE = "migrations/0016_gate.sql";

/** Of keys that the walk met, and of those that it missed. */
const OPEN_MET = "array_agg((c.order_key, c.line) <= (v_order, p_lines[c.o])) FILTER (WHERE NOT c.same)";
const OPEN_MISSED = "array_agg((c.order_key, c.line) <= (v_order, p_lines[c.o])) FILTER (WHERE c.same IS NOT TRUE)";
const OPEN_IN_APPLY = "r.row_hash, (r.order_key, r.line) <= (v_order, i.n) AS open";
const OPEN_OF_LATEST = "AND x.row_hash <> d.h AND (x.order_key, x.line) <= (v_order, d.n) LIMIT 1";

const SEEN_IN_PLAN = "WHERE s.feed_id = v_feed AND s.order_key > v_order AND u.id IN (SELECT d.id FROM differ d)";
const SEEN_IN_APPLY =
  "WHERE s.feed_id = v_feed AND s.order_key > v_order AND u.id IN (SELECT c.id FROM cur c WHERE c.h <> c.row_hash)";

const GIVEN_UP = {
  file: "src/apply/apply-file.ts",
  find: "const { outcome } = await attempt(deps, async () =>",
  replace:
    'const passedOver = () => ({ outcome: "applied" as const });\n  const once = <T>(work: () => Promise<T>) => work().catch(passedOver);\n  const { outcome } = await once(async () =>',
};

export const APPLY: readonly Mutation[] = [
  {
    name: "ledger-not-written",
    breaks: "What was written of a file is not booked, so a second attempt does not know it.",
    edits: [
      {
        file: CHUNKS,
        find: "FROM total t\n    RETURNING inserted, changed, unchanged, stale)",
        replace: "FROM total t WHERE false\n    RETURNING inserted, changed, unchanged, stale)",
      },
      {
        file: CHUNKS,
        find: "SELECT 'applied', b.inserted, b.changed, b.unchanged, b.stale FROM booked b;",
        replace: "SELECT 'applied', t.inserted, t.changed, t.unchanged, t.stale FROM total t;",
      },
    ],
  },
  {
    name: "ledger-not-asked",
    breaks: "A batch whose answer was lost is carried out again as if it were new.",
    edits: [
      {
        file: CHUNKS,
        find: "FROM ledger l WHERE l.file_id = p_file AND l.chunk_key = v_chunk;\n  IF FOUND THEN RETURN; END IF;",
        replace:
          "FROM ledger l WHERE l.file_id = p_file AND l.chunk_key = v_chunk AND false;\n  IF FOUND THEN RETURN; END IF;",
      },
    ],
  },
  {
    name: "plan-not-kept",
    breaks: "A question that was answered before is answered and booked again.",
    edits: [
      {
        file: PLAN,
        find: "FROM ledger l WHERE l.file_id = p_file AND l.chunk_key = v_chunk;\n    IF FOUND THEN RETURN; END IF;",
        replace:
          "FROM ledger l WHERE l.file_id = p_file AND l.chunk_key = v_chunk AND false;\n    IF FOUND THEN RETURN; END IF;",
      },
    ],
  },
  {
    name: "as-of-not-checked",
    breaks: "An older file overwrites what a newer one has written.",
    edits: [
      { file: PLAN, find: OPEN_MET, replace: "array_agg(c.order_key IS NOT NULL) FILTER (WHERE NOT c.same)" },
      {
        file: PLAN,
        find: OPEN_MISSED,
        replace: "array_agg(c.order_key IS NOT NULL) FILTER (WHERE c.same IS NOT TRUE)",
      },
      { file: CHUNKS, find: OPEN_IN_APPLY, replace: "r.row_hash, r.order_key IS NOT NULL AS open" },
      { file: CHUNKS, find: OPEN_OF_LATEST, replace: "AND x.row_hash <> d.h LIMIT 1" },
      // Who has written a record has seen it, too: that alone keeps older files out for as long as `seen` is kept.
      { file: CHUNKS, find: "WHERE t.ids <> '{}'),\n  booked", replace: "WHERE false),\n  booked" },
    ],
  },
  {
    name: "as-of-the-wrong-way-round",
    breaks: "A newer file is kept out by an older one.",
    edits: [
      { file: PLAN, find: OPEN_MET, replace: OPEN_MET.replace("<=", ">=") },
      { file: PLAN, find: OPEN_MISSED, replace: OPEN_MISSED.replace("<=", ">=") },
      { file: CHUNKS, find: OPEN_IN_APPLY, replace: OPEN_IN_APPLY.replace("<=", ">=") },
      { file: CHUNKS, find: OPEN_OF_LATEST, replace: OPEN_OF_LATEST.replace("<= (", ">= (") },
    ],
  },
  {
    name: "seen-not-looked-at",
    breaks: "An older file overwrites what a newer one has confirmed without writing it.",
    edits: [
      { file: PLAN, find: SEEN_IN_PLAN, replace: `${SEEN_IN_PLAN} AND false` },
      { file: CHUNKS, find: SEEN_IN_APPLY, replace: `${SEEN_IN_APPLY} AND false` },
    ],
  },
  {
    name: "seen-not-written",
    breaks: "Nobody can tell later that a newer file has confirmed a record.",
    edits: [{ file: PLAN, find: "IF NOT v_alone AND unchanged + stale > 0 THEN", replace: "IF false THEN" }],
  },
  {
    name: "version-not-counted",
    breaks: "A changed record keeps its version.",
    edits: [{ file: CHUNKS, find: "version = r.version + 1", replace: "version = r.version" }],
  },
  {
    name: "merged-the-wrong-way-round",
    breaks: "What a merging file says of a field stands behind what was stored before.",
    edits: [
      {
        file: CHUNKS,
        find: "CASE WHEN v_merges THEN b.data || statement_of(d.d::jsonb) ELSE",
        replace: "CASE WHEN v_merges THEN statement_of(d.d::jsonb) || b.data ELSE",
      },
    ],
  },
  {
    name: "first-line-counts",
    breaks: "Of a key that stands twice in a file the first line has the last word.",
    edits: [
      {
        file: "src/domain/plan.ts",
        find: "last <= head.lines[i]!) positions.push(i);",
        replace: "last > head.lines[i]!) positions.push(i);",
      },
    ],
  },
  {
    name: "batch-given-up",
    breaks: "A batch that the database did not take is passed over as if it had.",
    edits: [GIVEN_UP],
  },
  {
    name: "books-not-balanced",
    breaks: "A file is closed though some of its rows were never written: neither sum nor table asks.",
    edits: [
      GIVEN_UP,
      {
        file: CLOSE,
        find: "    IF v_file.accepted = v_file.inserted + v_file.changed + v_file.unchanged + v_file.stale + v_file.superseded THEN\n      outcome := 'applied';",
        replace: "    IF true THEN\n      outcome := 'applied';",
      },
      {
        file: "migrations/0001_house.sql",
        find: "CONSTRAINT files_records_balance CHECK (state <> 'applied' OR coalesce(",
        replace: "CONSTRAINT files_records_balance CHECK (true OR coalesce(",
      },
    ],
  },
  {
    name: "late-file-not-late",
    breaks: "A full file that a newer one has made old is applied all the same.",
    edits: [
      {
        file: "migrations/0014_causes.sql",
        find: "(f.mode <> 'delta' AND EXISTS (",
        replace: "(false AND EXISTS (",
      },
    ],
  },
];
