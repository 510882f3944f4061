/** Parse: a file's place in order, its end, its rejects, its duplicates. */
import type { Mutation } from "./mutation.ts";

export const PARSE: readonly Mutation[] = [
  {
    name: "order-by-arrival",
    breaks: "What arrives last has the last word, also where it is older.",
    edits: [
      {
        file: "src/parse/handler.ts",
        find: "const order = { asOfMs: asOf.at.getTime(), receivedAtMs, position, deliveryId: facts.id };",
        replace: "const order = { asOfMs: receivedAtMs, receivedAtMs, position, deliveryId: facts.id };",
      },
    ],
  },
  {
    name: "position-not-in-order",
    breaks: "Two files of one mail have the same place in the order of their feed.",
    edits: [{ file: "src/domain/ids.ts", find: "[order.position, POSITION_BITS],", replace: "[0, POSITION_BITS]," }],
  },
  {
    name: "rejects-written-twice",
    breaks: "A file that is read again writes its rejects again.",
    edits: [
      {
        file: "src/parse/tables.ts",
        find: "sentence text, hint text, raw text, natural_key text)\n         ON CONFLICT DO NOTHING`,",
        replace: "sentence text, hint text, raw text, natural_key text)`,",
      },
    ],
  },
  {
    name: "parsed-twice",
    breaks: "Two consumers of one delivery each write the end of its file, also of one that has gone on.",
    edits: [
      {
        file: "src/parse/tables.ts",
        find: "FROM twin t WHERE f.id = $1::bigint AND f.state = 'parsing' AND f.adapter_version = $2",
        replace: "FROM twin t WHERE f.id = $1::bigint AND f.adapter_version = $2",
      },
    ],
  },
  {
    name: "apply-told-once",
    breaks: "A file that was read by a consumer that died is never said to apply.",
    edits: [
      {
        file: "src/parse/handler.ts",
        find: 'if (read.state === "parsed" || read.state === "applying") {',
        replace: 'if (state === "parsing" && read.state === "parsed") {',
      },
    ],
  },
  {
    name: "duplicate-across-other-content",
    breaks: "A, B, A: the second A counts as a duplicate of the first, and B has the last word.",
    edits: [
      {
        file: "migrations/0014_causes.sql",
        find: "AND x.order_key <= p_order\n       AND x.state IN",
        replace: "AND x.order_key <= p_order\n       AND x.content_sha256 = p_content AND x.state IN",
      },
    ],
  },
  {
    name: "duplicate-of-the-dead",
    breaks: "A duplicate of a file that came to nothing stays a duplicate.",
    edits: [
      {
        file: "migrations/0011_identities.sql",
        find: "FOR EACH ROW\n  WHEN (OLD.state IS DISTINCT FROM NEW.state\n    AND (",
        replace: "FOR EACH ROW\n  WHEN (false AND OLD.state IS DISTINCT FROM NEW.state\n    AND (",
      },
    ],
  },
];
