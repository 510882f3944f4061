/** Full feeds, the gate, drift and replays: what retires, holds, heals or is read again keeps to what the files say. */
import type { Mutation } from "./mutation.ts";

const RETIRE = "migrations/0015_retire.sql";
const GATE = "migrations/0016_gate.sql";
const HANDLER = "src/apply/handler.ts";

export const STATE: readonly Mutation[] = [
  // ── full feeds ──
  {
    name: "nothing-is-retired",
    breaks: "What a full file no longer names stays as if it were there.",
    edits: [
      {
        file: HANDLER,
        find: 'if (file.feedMode !== "full" || plan.mode === "late") return undefined;',
        replace: "if (!Number.isNaN(allowance.allowed)) return undefined;",
      },
    ],
  },
  {
    name: "retired-before-applied",
    breaks: "What a file lacks is looked for before its own rows are settled.",
    edits: [
      {
        file: HANDLER,
        find: "  await applyFile(deps, file, plan, lease);\n  const numbers",
        replace: "  const numbers",
      },
      {
        file: HANDLER,
        find: "  if (more !== undefined) return await holdFile(deps, facts, more, lease, numbers);\n  return await closeFile",
        replace:
          "  if (more !== undefined) return await holdFile(deps, facts, more, lease, numbers);\n  await applyFile(deps, file, plan, lease);\n  return await closeFile",
      },
    ],
  },
  {
    name: "old-allowance-believed",
    breaks: "A second attempt believes the first that nothing is missing, whatever was applied in between.",
    edits: [
      { file: "src/apply/retire.ts", find: "if (allowed === 0 && isFresh)", replace: "if (allowed === 0 || !isFresh)" },
    ],
  },
  {
    name: "retired-though-a-reject-names-it",
    breaks: "A record is retired that the file names in a row nobody could take.",
    edits: [
      {
        file: RETIRE,
        find: "WHERE j.file_id = p_file AND j.position = 0) said WHERE said.id = x.id)",
        replace: "WHERE j.file_id = p_file AND j.position = 0 AND false) said WHERE said.id = x.id)",
      },
    ],
  },
  {
    name: "retired-though-rows-are-unread",
    breaks: "A record is retired though rows of the file were refused whose records nobody knows.",
    edits: [
      {
        file: RETIRE,
        find: "WHEN x.rejected > 0 AND x.rejected > (SELECT",
        replace: "WHEN false AND x.rejected > (SELECT",
      },
    ],
  },
  {
    name: "unchanged-records-are-missing",
    breaks: "A record that the file confirms without a change counts as missing.",
    edits: [
      {
        file: RETIRE,
        find: "SELECT unnest(s.record_ids) AS id FROM seen s WHERE s.feed_id = v_file.feed_id\n          AND s.order_key",
        replace:
          "SELECT unnest(s.record_ids) AS id FROM seen s WHERE s.feed_id = v_file.feed_id AND false\n          AND s.order_key",
      },
    ],
  },
  // ── the gate ──
  {
    name: "gate-lets-all-go",
    breaks: "A list without rows, or half a list, takes the records away and nobody is asked.",
    edits: [
      {
        file: "src/gate/judge.ts",
        find: "if (tripped.length === 0) return",
        replace: "if (tripped.length >= 0) return",
      },
    ],
  },
  {
    name: "hold-leaves-seen",
    breaks: "A file that is held has confirmed records all the same.",
    edits: [
      {
        file: GATE,
        find: "      DELETE FROM seen s WHERE s.feed_id = v_file.feed_id AND s.file_id = p_file;\n      INSERT INTO holds",
        replace: "      INSERT INTO holds",
      },
    ],
  },
  {
    name: "held-for-the-same-again",
    breaks: "A released file is held again for what it was released from.",
    edits: [
      {
        file: "src/gate/judge.ts",
        find: "facts.answered?.some((answered) => answers(answered, one))",
        replace: "facts.answered?.some((answered) => answers(answered, one) && false)",
      },
    ],
  },
  {
    name: "decided-by-whoever-comes-last",
    breaks: "A hold that is decided is decided again.",
    edits: [
      {
        file: GATE,
        find: "  IF NOT FOUND OR (v_hold.decision IS NULL AND v_file.state <> 'held') THEN",
        replace: "  IF NOT FOUND THEN",
      },
      {
        file: GATE,
        find: "  ELSIF v_hold.decision IS NOT NULL THEN\n    SELECT 'already'",
        replace:
          "  ELSIF v_hold.decision IS NOT NULL AND v_file.state NOT IN ('parsed', 'held', 'rejected') THEN\n    SELECT 'already'",
      },
      {
        file: "migrations/0014_causes.sql",
        find: "'held>parsing', 'held>parsed', 'held>rejected',",
        replace: "'held>parsing', 'held>parsed', 'held>rejected', 'rejected>parsed', 'parsed>rejected',",
      },
    ],
  },
  {
    name: "later-files-do-not-wait",
    breaks: "A later file of a feed passes one that is held, though it was to wait.",
    edits: [
      {
        file: GATE,
        find: "WHERE h.decision IS NULL AND h.later = 'wait' AND x.feed_id = v_feed.id AND x.state = 'held'",
        replace: "WHERE false AND h.later = 'wait' AND x.feed_id = v_feed.id AND x.state = 'held'",
      },
    ],
  },
  {
    name: "who-waited-is-forgotten",
    breaks: "What waited behind a held file waits on when that is decided.",
    edits: [
      {
        file: GATE,
        find: "    wake := wake || free_waiting(v_file.feed_id);\n",
        replace: "",
      },
    ],
  },
  {
    name: "newer-holds-overtaken",
    breaks: "An older file that is applied ends a newer one that is held.",
    edits: [
      {
        file: GATE,
        find: "o.feed_id = n.feed_id AND o.order_key < n.order_key AND o.state = 'held'",
        replace: "o.feed_id = n.feed_id AND o.order_key <> n.order_key AND o.state = 'held'",
      },
    ],
  },
  {
    name: "holds-not-overtaken",
    breaks: "A held list still waits for its release when a newer one is applied.",
    edits: [
      {
        file: GATE,
        find: "IF v_file.cause = 'delivery' AND p_overtaken IS NOT NULL THEN",
        replace: "IF false AND p_overtaken IS NOT NULL THEN",
      },
    ],
  },
  {
    name: "holds-never-expire",
    breaks: "A file about which nobody decides waits for ever.",
    edits: [
      {
        file: "src/holds/due.ts",
        find: "await each(await deps.tables.expired(now, DUE_PER_RUN), trouble, (hold) => expire(deps, hold));",
        replace: "await each(await deps.tables.expired(now, DUE_PER_RUN), trouble, async () => false);",
      },
    ],
  },
  // ── drift ──
  {
    name: "edits-by-hand-keep-their-seal",
    breaks: "A record that was edited by hand has the hash of what it was, and nobody sees it.",
    edits: [
      {
        file: "migrations/0017_reconcile.sql",
        find: "WHEN (NEW.row_hash = OLD.row_hash AND (NEW.data",
        replace: "WHEN (false AND NEW.row_hash = OLD.row_hash AND (NEW.data",
      },
    ],
  },
  {
    name: "drift-limits-not-asked",
    breaks: "However much differs, it heals and nobody is asked.",
    edits: [
      {
        file: "src/reconcile/verdict.ts",
        find: 'return reasons.length === 0 ? { state: "healing"',
        replace: 'return reasons.length >= 0 ? { state: "healing"',
      },
    ],
  },
  {
    name: "healing-retires-nothing",
    breaks: "What the ERP's list lacks is found and told, and stays when the rest is healed.",
    edits: [
      {
        file: "src/reconcile/follow.ts",
        find: "await listRetirements(deps, begun, report.id, listed, records);",
        replace: "if (Number.isNaN(listed)) await listRetirements(deps, begun, report.id, listed, records);",
      },
    ],
  },
  // ── replays and dry runs ──
  {
    name: "shadows-are-applied",
    breaks: "What was only to be compared is applied.",
    edits: [
      {
        file: GATE,
        find: "  ELSIF v_file.compare_only OR v_feed.mode = 'snapshot' THEN",
        replace: "  ELSIF v_feed.mode = 'snapshot' THEN",
      },
    ],
  },
  {
    name: "dry-runs-are-deliveries",
    breaks: "What only asks is noted among what was planned, and stays there.",
    edits: [
      {
        file: "migrations/0014_causes.sql",
        find: "DELETE FROM ledger l USING files x WHERE x.id = p_file AND x.compare_only AND",
        replace: "DELETE FROM ledger l USING files x WHERE x.id = p_file AND false AND",
      },
    ],
  },
  {
    name: "refused-files-read-again",
    breaks: "A replay brings back what somebody has refused.",
    edits: [
      {
        file: "src/parse/reading.ts",
        find: '= ["applied", "compared", "duplicate"];',
        replace: '= ["applied", "compared", "duplicate", "held", "rejected"];',
      },
    ],
  },
  {
    name: "replayed-in-the-order-of-today",
    breaks: "What is read again counts as of now, and older lists undo newer ones.",
    edits: [
      {
        file: "src/parse/handler.ts",
        find: "const order = { asOfMs: asOf.at.getTime(), receivedAtMs, position, deliveryId: facts.id };",
        replace:
          'const order = { asOfMs: asOf.at.getTime() + (reading.cause === "replay" ? 1e9 : 0), receivedAtMs, position, deliveryId: facts.id };',
      },
    ],
  },
  {
    name: "lost-replays-stay-lost",
    breaks: "A replay whose message was lost never goes on.",
    edits: [
      {
        file: "src/cron.ts",
        find: "replays: () => deps.goOnWithReplays(),",
        replace: "replays: async () => undefined,",
      },
    ],
  },
];
