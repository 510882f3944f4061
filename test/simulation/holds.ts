/**
 * Files that the gate holds: nothing of them is anywhere until they are released, each hold is decided once, people are told
 * once, and what comes later waits or overtakes, as the policy of the feed says.
 */
import type { ToldDecision } from "./deciders.ts";
import { GATE } from "./feeds.ts";
import { grouped, inOrder, type KnownFile, text } from "./known.ts";
import type { Violation } from "./model.ts";
import type { FileRow, HoldRow, Tables } from "./tables.ts";
import type { Deed } from "./vandal.ts";

/** What a held file is in the end, by the decision about it. One that goes on may be held again for something else. */
const STATES_AFTER: Readonly<Record<string, readonly string[]>> = {
  open: ["held"],
  release: ["applied", "held", "dead"],
  widen: ["applied", "held", "dead"],
  reject: ["rejected"],
  expire: ["rejected"],
  supersede: ["rejected"],
};

/** Who is told. */
const RECIPIENTS = ["contact", "operator"];

/** The gate judges a file by what is usual from so many files of its feed on, and lets more go where more is usual. */
const USUAL_FILES = 5;

const isHeldByGate = ({ state, code }: FileRow): boolean => state === "held" && code === "blast-radius";
const waitsBehind = ({ state, code }: FileRow): boolean => state === "held" && code === "behind-held-file";
const letsGo = ({ decision }: HoldRow): boolean => decision === "release" || decision === "widen";

/** It waits for somebody, or was refused by somebody, and nothing of it is written. */
export const isStopped = (row: FileRow): boolean => isHeldByGate(row) || waitsBehind(row) || row.state === "rejected";

/** It is written, and lacks more records than it was let go with: another file came between its attempts. */
export const retiresMore = ({ state, code }: FileRow): boolean =>
  state === "held" && code === "retires-more-than-planned";

/** A hold at its place in the order of its feed. */
interface Placed {
  readonly hold: HoldRow;
  readonly place: number;
}

interface Judged {
  readonly row: FileRow;
  readonly file: KnownFile;
  /** All files of the feed, in order, and the place of this one. */
  readonly files: readonly KnownFile[];
  readonly place: number;
  /** All holds of the feed, and those of this file, the last one last. */
  readonly holds: readonly Placed[];
  readonly own: readonly HoldRow[];
  /** Files of the feed that have come, and those that were made here. */
  readonly all: readonly KnownFile[];
  /** Somebody has changed records of the feed by hand. */
  readonly isEdited: boolean;
}

interface Told {
  readonly expected: string;
  readonly found: unknown;
}

/** A sentence, and what speaks against it. */
type Rule = (judged: Judged, tables: Tables, judgedMs: number) => Told | undefined;

const RULES: Readonly<Record<string, Rule>> = {
  "a held file does what was decided"({ row, own }) {
    const last = own.at(-1);
    const states = STATES_AFTER[last?.decision ?? "open"]!;
    return last === undefined || states.includes(row.state) ? undefined : { expected: states.join(" or "), found: row };
  },

  "nobody is asked the same twice"({ own }) {
    const trips = (hold: HoldRow) =>
      hold.tripped.map(({ check, field, evidence }) => text([check, field, evidence.found]));
    const twice = own.find((hold, i) =>
      own.slice(0, i).some((other) => letsGo(other) && trips(other).some((trip) => trips(hold).includes(trip))),
    );
    return twice && { expected: "another question", found: own };
  },

  "a file is held for a question"({ row, own }) {
    if (!isHeldByGate(row) || own.at(-1)?.decision === null) return undefined;
    return { expected: "an open hold", found: own };
  },

  "a file is rejected by a decision"({ row, own }) {
    const last = own.at(-1);
    if (row.state !== "rejected" || (last !== undefined && last.decision !== null && !letsGo(last))) return undefined;
    return { expected: "a hold that was decided so", found: own };
  },

  "a file that retires more than it was let go with had another one in between"({ row, file, all }) {
    const isAlone = all.every(
      (other) => other === file || !isBusyDuring(other.row, row.started_ms!, Number.POSITIVE_INFINITY),
    );
    return retiresMore(row) && isAlone ? { expected: "a file that was applied meanwhile", found: row } : undefined;
  },

  "nobody waits for nothing"({ row, place, holds }) {
    if (!waitsBehind(row)) return undefined;
    if (holds.some((one) => one.place < place && one.hold.later === "wait" && one.hold.decision === null))
      return undefined;
    return { expected: "an open hold of an earlier file", found: holds };
  },

  "later files wait for the decision"({ row, place, holds }) {
    const passed = holds.find(
      (one) =>
        one.place < place &&
        one.hold.later === "wait" &&
        one.hold.held_ms < (row.started_ms ?? 0) &&
        isAppliedBefore(row, one.hold),
    );
    return passed && { expected: "begun after the decision", found: { passed, row } };
  },

  "a newer file overtakes what is held"({ place, files, own }) {
    const newer = files.slice(place + 1).flatMap(({ row }) => row.applied_ms ?? []);
    // With its end a file overtakes in one statement, and so at the same time.
    const wrong = own.find(({ decision, later, held_ms, decided_ms }) => {
      const untilMs = decided_ms ?? Number.POSITIVE_INFINITY;
      const [before, at] = [newer.some((ms) => ms >= held_ms && ms < untilMs), newer.includes(untilMs)];
      return decision === "supersede" ? !at : later === "supersede" && before;
    });
    return wrong && { expected: "overtaken when a newer file is applied, and then only", found: { wrong, newer } };
  },

  "nobody decides for ever"({ own }, _, judgedMs) {
    const late = own.find(({ decision, expires_ms, decided_ms }) =>
      decision === null ? expires_ms < judgedMs : decision === "expire" && decided_ms! < expires_ms,
    );
    return late && { expected: "rejected when its time is over, and not before", found: late };
  },

  "a held file leaves no trace"({ row }, { traces }) {
    const trace = isStopped(row) ? traces.find(({ file_id }) => file_id === row.id) : undefined;
    return trace && { expected: "nothing", found: trace };
  },

  "what is out of proportion is asked about"({ file, row, place, files, own, holds }) {
    const { records_before: records, retired } = row;
    if (records === null || retired === null || retired === 0 || own.some(letsGo)) return undefined;
    // Whoever widens lets later ones go, and so does what is usual.
    if (holds.some(({ hold }) => hold.decision === "widen")) return undefined;
    if (files.filter((other, i) => i !== place && other.row.state === "applied").length >= USUAL_FILES)
      return undefined;
    const limit = file.sent.rows.length === 0 ? 0 : Math.max(GATE.retired.minRecords, GATE.retired.share * records);
    return retired <= limit ? undefined : { expected: `${limit} retired at most, or a release`, found: row };
  },

  "what was released is applied as planned"({ file, row, all, own, isEdited }) {
    const last = own.at(-1);
    if (isEdited || row.state !== "applied" || last === undefined) return undefined;
    const isAlone = all.every((other) => other === file || !isBusyDuring(other.row, last.held_ms, row.applied_ms!));
    const { inserted, changed, retired } = last.facts;
    if (!isAlone || inserted === undefined) return undefined;
    // Whether a statement changes anything is known of a merging file only when it is laid over the record.
    const merged = file.mail.kind.merges && (row.changed ?? 0) < (changed ?? 0);
    const done = { inserted: row.inserted, changed: merged ? changed : row.changed, retired: row.retired };
    const planned = { inserted, changed, retired };
    return text(done) === text(planned) ? undefined : { expected: text(planned), found: done };
  },

  "people are told of a hold once"({ row, own }, { mails }) {
    const found = mails
      .filter(({ file_id, key }) => file_id === row.id && key.startsWith("blast-radius"))
      .map(({ recipient }) => recipient);
    const expected = own.flatMap(() => RECIPIENTS).toSorted();
    const isRight = text(found.toSorted()) === text(expected);
    return isRight ? undefined : { expected: text(expected), found };
  },

  "people are reminded once, in time"({ own }, { mails }) {
    const reminders = (hold: HoldRow) =>
      mails
        .filter(({ key }) => key.startsWith(`reminder of hold ${hold.id} `))
        .map(({ recipient, created_ms }) => ({ recipient, created_ms }));
    const wrong = own.find((hold) => {
      const told = reminders(hold);
      const dueMs = hold.held_ms + GATE.remindAfterHours * 3_600_000;
      const isTwice = new Set(told.map(({ recipient }) => recipient)).size < told.length;
      return isTwice || told.some(({ created_ms }) => created_ms < dueMs);
    });
    return wrong && { expected: "one mail to each, when it is due", found: { hold: wrong, told: reminders(wrong) } };
  },
};

/** Before the decision about a hold, or while there is none. */
const isAppliedBefore = ({ applied_ms }: FileRow, { decided_ms }: HoldRow): boolean =>
  applied_ms !== null && applied_ms < (decided_ms ?? Number.POSITIVE_INFINITY);

const isBusyDuring = ({ started_ms, applied_ms }: FileRow, fromMs: number, untilMs: number): boolean =>
  started_ms !== null && started_ms <= untilMs && (applied_ms === null || applied_ms >= fromMs);

/** Whoever was told that he has decided has decided so. */
export function decisionFaults({ holds }: Tables, told: readonly ToldDecision[]): Violation[] {
  return told.flatMap(({ hold: id, decision }) => {
    const hold = holds.find((one) => one.id === id);
    if (hold?.decision === decision) return [];
    const about = hold === undefined ? [] : [`/v1/files/${hold.file_id}/`, `"${hold.file_id}"`];
    return [{ rule: "a decision counts once", subject: `hold ${id}`, about, expected: decision, found: text(hold) }];
  });
}

/** `judgedMs`: what was due then, the timers have done. `deeds`: what was done to records by hand. */
export function holdFaults(
  tables: Tables,
  known: readonly KnownFile[],
  all: readonly KnownFile[],
  judgedMs: number,
  deeds: readonly Deed[],
): Violation[] {
  const holdsOf = grouped(tables.holds, ({ file_id }) => file_id);
  const made = grouped(all, ({ row }) => row.feed);
  return [...grouped(inOrder(known), ({ row }) => row.feed).values()].flatMap((files) => {
    const holds = files.flatMap(({ row }, place) => (holdsOf.get(row.id) ?? []).map((hold) => ({ hold, place })));
    return files.flatMap((file, place) => {
      const { row } = file;
      const judged = {
        row,
        file,
        files,
        place,
        holds,
        own: holdsOf.get(row.id) ?? [],
        all: made.get(row.feed) ?? [],
        isEdited: deeds.some(({ feed }) => feed === row.feed),
      };
      return Object.entries(RULES).flatMap(([rule, ask]): Violation[] => {
        const told = ask(judged, tables, judgedMs);
        if (told === undefined) return [];
        const about = [`"${row.id}"`, row.delivery_id.slice(0, 8)];
        return [
          { rule, subject: `${row.feed} file ${row.id}`, about, expected: told.expected, found: text(told.found) },
        ];
      });
    });
  });
}
