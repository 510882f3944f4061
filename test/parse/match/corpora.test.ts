/** Real tables by others: a table's second half must not drift from its first, and its own proposal must read it. */
import { describe, expect, it } from "vitest";
import { defineFeed } from "../../../src/domain/adapter.ts";
import { Failure } from "../../../src/domain/failures.ts";
import { effectiveFeed } from "../../../src/domain/feed-version.ts";
import { compareWithPinned, learnt } from "../../../src/parse/match/drift.ts";
import type { FoundTable } from "../../../src/parse/match/found.ts";
import { proposeVersions } from "../../../src/parse/match/propose.ts";
import { observedIn } from "../../../src/parse/match/shape.ts";
import { corporaPresent, corpusBytes, corpusManifest } from "../../support/corpora.ts";
import { foundIn, outcomeOf } from "./support.ts";

const adapter = defineFeed({
  customer: "acme",
  customerTitle: "Acme",
  feed: "things",
  title: "Things",
  mode: "full",
  intake: { policy: "trust-address", senders: ["@acme.example"] },
  limits: { maxRejectShare: 1, maxRejects: 1_000_000 },
});

interface Table {
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly found: FoundTable;
}

const tables: Table[] = corporaPresent
  ? corpusManifest()
      .filter(({ file }) => /^(csv|erp)\/.*\.(csv|tsv|txt)$/.test(file))
      .flatMap(({ file }) => {
        const bytes = corpusBytes(file);
        try {
          return [{ file, bytes, found: foundIn(bytes) }];
        } catch (thrown) {
          if (thrown instanceof Failure) return [];
          throw thrown;
        }
      })
  : [];

/** Made to change in the middle: a column of whole numbers that goes on with decimals. */
const CHANGING = /table-infer-increase-limit\.csv$/;

describe.skipIf(!corporaPresent)("real tables", () => {
  it("have a second half that fits the first", () => {
    const drifted: string[] = [];
    let halves = 0;
    for (const { file, found } of tables) {
      const rows = found.rows.filter((row) => row.length === found.types.length);
      if (rows.length < 80 || CHANGING.test(file)) continue;
      halves++;
      const header = found.format.header ? found.types.map((type) => type.name ?? "") : null;
      const half = rows.length >> 1;
      const pinned = learnt(
        { format: found.format, columns: [], answers: [] },
        observedIn(header, rows.slice(0, half)),
      );
      const drift = compareWithPinned(pinned, observedIn(header, rows.slice(half)), adapter);
      if (drift !== null) drifted.push(`${file}: ${drift.sentence}`);
    }
    expect(drifted).toEqual([]);
    expect(halves).toBeGreaterThanOrEqual(40);
  });

  it("are read by what is proposed of them, once it is answered, and fit it", async () => {
    const odd: string[] = [];
    let read = 0;
    for (const { file, bytes, found } of tables) {
      const { profile, mapping, faults, questions } = proposeVersions(adapter, found);
      // What is asked of a file as a whole may be read in two ways, and answered otherwise than assumed.
      if (faults.length > 0 || questions.some((q) => q.column === undefined && q.what !== "key")) continue;
      const answers = questions.map(({ what, column, options, assumed }) => ({
        what,
        ...(column === undefined ? {} : { column }),
        answer: assumed ?? options[0] ?? "",
      }));
      const again = proposeVersions(adapter, found, answers);
      const effective = effectiveFeed(adapter, { profile: again.profile, mapping: again.mapping ?? mapping });
      if (effective.kind !== "feed") {
        odd.push(`${file}: ${JSON.stringify(effective)}`);
        continue;
      }
      const { failure, observed } = await outcomeOf(effective.feed, bytes);
      const drift = compareWithPinned(again.profile, observed, effective.feed);
      // What is held for its content (a cut, faults of rows) was read.
      if (failure?.disposition === "reject") odd.push(`${file}: ${failure.sentence}`);
      else if (drift !== null) odd.push(`${file}: ${drift.sentence}`);
      else read++;
      expect(profile.columns).toHaveLength(found.types.length);
    }
    // Quotation marks around a word of the header that is not quoted as a whole: refused, not misread.
    expect(odd.filter((line) => !/^csv\/duckdb\/(escape|unescaped_quotes\/end_quote)\.csv: /.test(line))).toEqual([]);
    expect(read).toBeGreaterThanOrEqual(250);
  });
});
