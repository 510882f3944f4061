/** One suite that every reader and every adapter passes, in Node and in Cloudflare's runtime alike. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePayload } from "../../src/parse/read-payload.ts";
import { type Outcome, outcomeOf, payloadOf } from "./payload.ts";
import type { Subject } from "./subjects.ts";

/** Blanks, faults and a duplicate between good rows. */
const mixed = ({ rows, bad }: Subject): string[] => [...rows.slice(0, 20), bad, ...rows.slice(20, 40), bad, rows[3]!];

const read = (subject: Subject, bytes: Uint8Array, blockSize = 65_536): Promise<Outcome> =>
  outcomeOf(subject.feed, payloadOf(bytes, { ...subject.payload, ...(bytes.length === 0 ? EMPTY : {}), blockSize }));

/** What a file without a byte looks like at the door. */
const EMPTY = { format: "text" } as const;

const records = ({ main }: Outcome): string[] => main.map((row) => row.json);
const sumOf = (outcome: Outcome): number => {
  const { lines, ...kinds } = outcome.parsed!.books;
  return lines - Object.values(kinds).reduce((sum, n) => sum + n, 0);
};
const isKeyed = ({ feed }: Subject): boolean =>
  !feed.key.some((name) => "ordinal" in feed.columns.find((column) => column.name === name)!.source);

const utf8 = new TextEncoder();
const bytesPlus = (bytes: Uint8Array, more: Uint8Array): Uint8Array => Buffer.concat([bytes, more]);

const cases: readonly [sentence: string, applies: (s: Subject) => boolean, check: (s: Subject) => Promise<void>][] = [
  [
    "gives every row that its file holds, and balanced books",
    () => true,
    async (subject) => {
      const outcome = await read(subject, subject.build(subject.rows));
      expect(outcome.refusal).toBeNull();
      expect(outcome.rejects).toEqual([]);
      expect(outcome.main).toHaveLength(subject.rows.length);
      expect(outcome.parsed).toMatchObject({ rows: subject.rows.length, failure: null });
      expect(sumOf(outcome)).toBe(0);
      expect(new Set(outcome.main.map((row) => row.line)).size).toBe(subject.rows.length);
    },
  ],
  [
    "gives the same chunks, rejects and books when its bytes come one or seven at a time",
    () => true,
    async (subject) => {
      const bytes = subject.build(mixed(subject), subject.hasLines ? "\r\n" : undefined);
      const whole = await read(subject, bytes);
      expect(whole.parsed?.books).toMatchObject({ rejected: 2 });
      for (const blockSize of [1, 7]) expect(await read(subject, bytes, blockSize)).toEqual(whole);
    },
  ],
  [
    "is closed when the sink fails: its stream is free, and the fault is the sink's own",
    () => true,
    async (subject) => {
      const bytes = subject.build(Array.from({ length: 400 }, () => subject.bad));
      const payload = payloadOf(bytes, { ...subject.payload, blockSize: 512 });
      const broken = new Error("the store is down");
      const sink = { chunk: () => Promise.reject(broken), rejects: () => Promise.reject(broken) };
      await expect(parsePayload(subject.feed, payload, sink)).rejects.toBe(broken);
      expect(payload.seen.open).toBe(0);
    },
  ],
  [
    "says of a file without a byte that it is empty",
    () => true,
    async (subject) => {
      const empty = payloadOf(new Uint8Array(), { ...subject.payload, ...EMPTY });
      expect((await outcomeOf(subject.feed, empty)).refusal?.code).toBe("file-empty");
    },
  ],
  [
    "takes a file with nothing but its header for one without rows, or says by name why not",
    () => true,
    async (subject) => {
      const bytes = subject.build([]);
      // An NDJSON file without records is a file without bytes.
      const expected = bytes.length === 0 ? "file-empty" : (subject.headerOnly ?? null);
      const outcome = await read(subject, bytes);
      expect(outcome.refusal?.code ?? null).toBe(expected);
      if (outcome.parsed) expect([outcome.parsed.rows, sumOf(outcome)]).toEqual([0, 0]);
    },
  ],
  [
    "rejects every row of a file of rejects, each with its line",
    () => true,
    async (subject) => {
      const outcome = await read(subject, subject.build(Array.from({ length: 30 }, () => subject.bad)));
      expect(outcome.parsed?.books).toMatchObject({ accepted: 0, rejected: 30 });
      expect(sumOf(outcome)).toBe(0);
      expect(new Set(outcome.rejects.map((reject) => reject.line)).size).toBe(30);
    },
  ],
  [
    "reads the same rows whatever ends its lines: LF, CRLF, CR, mixed, and none at the end",
    ({ hasLines }) => hasLines,
    async (subject) => {
      const rows = mixed(subject);
      const usual = await read(subject, subject.build(rows, "\n"));
      expect(usual.parsed?.books.rejected).toBe(2);
      for (const eol of ["\r\n", "\r", ["\n", "\r\n", "\r"]]) {
        const outcome = await read(subject, subject.build(rows, eol));
        expect(outcome.refusal).toBeNull();
        expect(records(outcome)).toEqual(records(usual));
        expect(outcome.parsed?.books).toEqual(usual.parsed?.books);
        expect(outcome.rejects.map((reject) => reject.line)).toEqual(usual.rejects.map((reject) => reject.line));
      }
      const bytes = subject.build(rows, "\n");
      const cut = await read(subject, bytes.subarray(0, bytes.length - subject.encode!("\n").length));
      expect(records(cut)).toEqual(records(usual));
      expect(cut.parsed?.books).toEqual(usual.parsed?.books);
    },
  ],
  [
    "is not thrown off by a byte order mark before a row: that row alone may be refused, or the file by name",
    ({ feed }) => feed.file.charset.startsWith("utf"),
    async (subject) => {
      const rows = subject.rows.slice(0, 30);
      const usual = await read(subject, subject.build(rows));
      const outcome = await read(subject, subject.build(rows.map((row, i) => (i === 10 ? `\ufeff${row}` : row))));
      expect(outcome.refusal?.code).toBe(subject.markRefusal);
      if (!outcome.parsed) return;
      const others = records(usual).filter((_, i) => i !== 10);
      const read10 = records(outcome).length === records(usual).length ? [records(usual)[10]!] : [];
      expect(records(outcome)).toEqual([...others.slice(0, 10), ...read10, ...others.slice(10)]);
      expect(outcome.parsed.books.accepted + outcome.parsed.books.rejected).toBe(rows.length);
    },
  ],
  [
    "never takes a file that ends inside quotation marks for a whole one",
    ({ openQuote }) => openQuote !== undefined,
    async (subject) => {
      const { text, refusal, reject } = subject.openQuote!;
      const rows = subject.rows.slice(0, 5);
      const outcome = await read(subject, bytesPlus(subject.build(rows), subject.encode!(text)));
      expect(outcome.refusal?.code).toBe(refusal);
      if (reject !== undefined) expect(outcome.rejects).toMatchObject([{ code: reject }]);
    },
  ],
  [
    "never takes a file that is cut anywhere for a whole one of more rows",
    () => true,
    async (subject) => {
      const bytes = subject.build(subject.rows.slice(0, 12));
      const whole = records(await read(subject, bytes));
      for (let end = 1; end < bytes.length; end += Math.max(1, Math.floor(bytes.length / 97))) {
        const { parsed, main } = await read(subject, bytes.subarray(0, end));
        if (parsed === null) continue;
        expect(sumOf({ parsed } as Outcome)).toBe(0);
        // The last row may be cut where nobody can see it; the rows before it are those of the file.
        expect(main.slice(0, -1).map((row) => row.json)).toEqual(whole.slice(0, Math.max(0, main.length - 1)));
      }
    },
  ],
  [
    "refuses by name whatever bytes come, or balances its books, the same however they come",
    () => true,
    async (subject) => {
      const good = subject.build(mixed(subject).slice(15, 28));
      const edit = fc.record({
        at: fc.nat(good.length - 1),
        gone: fc.nat({ max: 12 }),
        come: fc.oneof(
          fc.uint8Array({ maxLength: 6 }),
          fc
            .constantFrom('"', '\n"', "\r", ";;", "\\", "{", "]", "\ufeff", "\t", "\0", "&|")
            .map((text) => utf8.encode(text)),
        ),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
          let bytes: Uint8Array = good;
          for (const { at, gone, come } of edits) {
            bytes = Buffer.concat([bytes.subarray(0, at), come, bytes.subarray(at + gone)]);
          }
          const outcome = await read(subject, bytes);
          if (outcome.refusal) expect(outcome.refusal.disposition).toMatch(/reject|hold/);
          expect(outcome.refusal?.code).not.toBe("books-unbalanced");
          if (outcome.parsed) expect(sumOf(outcome)).toBe(0);
          const again = await read(subject, bytes, 3);
          // Of several faults in a file, the one that is met first depends on how far it is looked ahead.
          if (outcome.refusal) expect(again.refusal).not.toBeNull();
          else expect(again).toEqual(outcome);
        }),
        { numRuns: 60 },
      );
    },
  ],
  [
    "refuses by name a field of 1 MB, or the row that has it",
    () => true,
    async (subject) => {
      const rows = [...subject.rows.slice(0, 3), subject.long(1_048_576), ...subject.rows.slice(4, 8)];
      const outcome = await read(subject, subject.build(rows));
      const { refusal, reject } = subject.longEnds;
      if (subject.payload.role === "body") expect(outcome.refusal?.code).toBe("body-undecided");
      else expect(outcome.refusal?.code).toBe(refusal);
      if (reject === undefined) return;
      expect(outcome.rejects).toMatchObject([{ code: reject }]);
      expect(outcome.main).toHaveLength(7);
    },
  ],
  [
    "refuses a field that never ends before 8 MiB of it are read",
    ({ encode, payload }) => encode !== undefined && payload.format !== "ndjson",
    async (subject) => {
      const start = subject.openQuote?.text ?? "";
      const payload = payloadOf(function* () {
        yield subject.build(subject.rows.slice(0, 3)).subarray(0, -subject.encode!("]\n").length);
        yield subject.encode!(subject.payload.format === "json" ? `,${start}` : start);
        for (;;) yield subject.encode!("x".repeat(65_536));
      }, subject.payload);
      const outcome = await outcomeOf(subject.feed, payload);
      expect(outcome.refusal?.disposition).toMatch(/reject|hold/);
      expect(payload.seen.pulled).toBeLessThan(8 * 1_048_576);
      expect(payload.seen.open).toBe(0);
    },
  ],
  [
    "reads, or refuses by name, rows with 10,000 more columns than it knows",
    ({ wide }) => wide !== undefined,
    async (subject) => {
      const { bytes, refusal } = subject.wide!(10_000);
      const outcome = await read(subject, bytes);
      if (refusal === undefined) expect(outcome.main.map((row) => row.key)).toEqual(["W1"]);
      else expect(outcome.refusal?.code ?? outcome.rejects[0]?.code).toBe(refusal);
    },
  ],
  [
    "puts a row that repeats a key into the tail, behind all others",
    isKeyed,
    async (subject) => {
      const outcome = await read(subject, subject.build([...subject.rows, subject.rows[2]!, subject.rows[2]!]));
      expect(outcome.tail.map((row) => row.key)).toEqual([outcome.main[2]!.key, outcome.main[2]!.key]);
      expect(outcome.main).toHaveLength(subject.rows.length);
      expect(outcome.parsed?.chunks.map((chunk) => chunk.tail === true)).toEqual([false, true]);
    },
  ],
];

export function conformance(subjects: readonly Subject[]): void {
  describe.each(subjects.map((subject) => [subject.name, subject] as const))("%s", (_name, subject) => {
    for (const [sentence, applies, check] of cases) {
      if (applies(subject)) it(sentence, () => check(subject));
    }
  });
}
