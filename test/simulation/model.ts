/**
 * What must hold in the end, said independently of how the product works: from what the ERPs wrote and what their mail
 * servers were told follows what the tables have to show.
 */

import { againFaults, replayed } from "./again.ts";
import { Drift, healings } from "./drift.ts";
import { chainFaults } from "./events.ts";
import { holdFaults, isStopped, retiresMore } from "./holds.ts";
import { grouped, inOrder, type KnownFile, knownFile, nameOf, text } from "./known.ts";
import { recordFaults } from "./records.ts";
import { isAsked } from "./replayer.ts";
import type { Told } from "./sender.ts";
import type { DeliveryRow, Tables } from "./tables.ts";
import type { Deed } from "./vandal.ts";
import type { Fate, SentMail } from "./workload.ts";

export interface Violation {
  /** The promise that is broken. */
  readonly rule: string;
  /** What it is about, and words by which the trace knows it. */
  readonly subject: string;
  readonly about: readonly string[];
  readonly expected: string;
  readonly found: string;
}

/**
 * `answers`: what the senders were told, by Message-ID. `fixed`: what the database refused was put right, what had died of it
 * was sent again, and what was in quarantine is released. `judgedMs`: what was due then, the timers have done.
 * `deeds`: what was done to records by hand.
 */
export function violationsOf(
  mails: readonly SentMail[],
  answers: ReadonlyMap<string, Told>,
  tables: Tables,
  fixed: boolean,
  judgedMs: number,
  deeds: readonly Deed[],
): Violation[] {
  const model = new Model(tables, fixed);
  const known = mails.flatMap((mail) => model.mail(mail, answers.get(mail.messageId)!));
  const ids = new Set(mails.map((mail) => mail.messageId));
  for (const row of tables.deliveries) {
    if (!ids.has(row.message_id) && !isAsked(row.message_id))
      model.broken("nothing from nowhere", row.message_id, [row.id], "no delivery", row.state);
  }
  model.letters(mails, known);
  model.duplicates(known);
  const all = [...known, ...healings(tables, known), ...replayed(tables, known)];
  const edited = new Set(deeds.map(nameOf));
  model.stale(all);
  model.events(all, edited);
  return [
    ...model.violations,
    ...recordFaults(tables, all, edited),
    ...holdFaults(tables, known, all, judgedMs, deeds),
    ...againFaults(tables, mails, known, new Set(deeds.map(({ feed }) => feed))),
    ...new Drift(tables, mails, all, deeds).faults(),
  ];
}

const STATE_OF: Readonly<Record<Fate, string>> = {
  applied: "parsed",
  refused: "no delivery",
  quarantined: "quarantined",
  ignored: "ignored",
  rejected: "rejected",
  "dead before its row": "no delivery",
  "dead at parse": "dead",
  "dead at apply": "parsed",
};

class Model {
  readonly violations: Violation[] = [];
  readonly #tables: Tables;
  readonly #fixed: boolean;

  constructor(tables: Tables, fixed: boolean) {
    this.#tables = tables;
    this.#fixed = fixed;
  }

  broken(rule: string, subject: string, about: readonly string[], expected: string, found: string): void {
    this.violations.push({ rule, subject, about, expected, found });
  }

  // ── one mail: what its sender was told, its delivery, its files ────────────────────────────────────────────────────

  mail(mail: SentMail, told: Told): KnownFile[] {
    const rows = this.#tables.deliveries.filter((row) => row.message_id === mail.messageId);
    const isDecided = this.#fixed && (mail.fate.startsWith("dead") || mail.fate === "quarantined");
    const wanted = isDecided ? STATE_OF.applied : STATE_OF[mail.fate];
    if (mail.fate === "refused") {
      if (told.accepted) this.broken("a final no is final", mail.messageId, [], "refused", "accepted");
      if (rows.length > 0) this.broken("nothing of what was refused", mail.messageId, [], "no delivery", text(rows));
      return [];
    }
    if (told.refused !== undefined) {
      this.broken("no final no for trouble of ours", mail.messageId, [], "accepted", `refused: ${told.refused}`);
    }
    const about = rows.map(({ id }) => id.slice(0, 8));
    if (rows.length > 1) this.broken("one mail is one delivery", mail.messageId, about, "1", text(rows));
    const [row] = rows;
    const isArchived = this.#tables.archive.some((object) => object.message_id === mail.messageId);
    if (told.accepted && !isArchived) this.broken("accepted is archived", mail.messageId, [], "an object", "none");
    if (row === undefined) {
      const found = "no delivery";
      if (told.accepted && found !== wanted) this.broken("accepted is never lost", mail.messageId, [], wanted, found);
      else if (isArchived && found !== wanted)
        this.broken("what is archived is read", mail.messageId, [], wanted, found);
      return [];
    }
    if (row.state !== wanted) {
      this.broken("every delivery comes to its end", mail.messageId, about, wanted, `${row.state} ${row.code ?? ""}`);
    }
    return row.state === "parsed" ? this.#files(mail, told, row) : [];
  }

  #files(mail: SentMail, told: Told, delivery: DeliveryRow): KnownFile[] {
    const rows = this.#tables.files.filter((file) => file.delivery_id === delivery.id);
    const about = [delivery.id.slice(0, 8)];
    const paths = (files: readonly string[]) => files.toSorted().join(", ");
    const wanted = paths(mail.files.map(({ name }) => name));
    const found = paths(rows.map(({ path }) => path));
    if (wanted !== found) this.broken("every file is there once", mail.messageId, about, wanted, found);
    return mail.files.flatMap((sent, i) => {
      const row = rows.find(({ path }) => path === sent.name);
      if (row === undefined) return [];
      const file = knownFile(mail, sent, row);
      this.#file(file, mail.fate === "dead at apply" && i === 0, told);
      return [file];
    });
  }

  #file({ mail, sent, row, says }: KnownFile, isCursed: boolean, told: Told): void {
    const about = [mail.messageId, row.delivery_id.slice(0, 8), `"${row.id}"`];
    const subject = `${row.feed} file ${row.id} ${row.path}`;
    const broken = (rule: string, expected: unknown, found: unknown) => {
      if (text(expected) !== text(found)) this.broken(rule, subject, about, text(expected), text(found));
    };
    // Behind a newer full file nothing of this one is written, and so nothing is refused.
    const mayPass = this.#fixed || (mail.kind.mode === "full" && row.state === "applied");
    if (row.state !== "duplicate" && !isStopped(row) && !retiresMore(row)) {
      const end = mail.kind.mode === "snapshot" ? "compared" : "applied";
      broken("every file comes to its end", isCursed && !mayPass ? "dead" : end, row.state);
    }
    const good = sent.rows.filter((one) => one.good !== undefined);
    const bad = sent.rows.filter((one) => one.good === undefined).map(({ line }) => line);
    broken("every line is in the books", sent.rows.length + 1, row.lines);
    broken("good rows are accepted", good.length, row.accepted);
    broken("bad rows are rejected", bad.length, row.rejected);
    broken("each reject is told with its line", bad, row.reject_lines);
    // An upload has no Date header.
    const asOf = mail.upload !== undefined && mail.kind.asOf === "mail-date" ? "arrival" : mail.kind.asOf;
    if (asOf === "mail-date") broken("the file is of the mail's date", mail.dateMs, row.as_of_ms);
    if (asOf === "file-name") broken("the file is of the time in its name", sent.namedMs, row.as_of_ms);
    if (asOf === "arrival") broken("the file is of its arrival", row.received_ms, row.as_of_ms);
    const arrived = told.sessionsMs.some((ms) => ms <= row.received_ms && row.received_ms <= ms + SESSION_MS);
    if (!arrived) broken("it arrived when its sender sent it", told.sessionsMs, row.received_ms);
    if (row.state !== "applied") return;
    broken("lines whose key comes again are superseded", good.length - says.size, row.superseded);
    const events = this.#tables.changes.filter((change) => change.file_id === row.id);
    const count = (...kinds: string[]) => events.filter(({ kind }) => kinds.includes(kind)).length;
    const [inserted, changed] = [count("inserted"), count("changed", "restored")];
    broken("inserted in the books are the events", inserted, row.inserted);
    broken("changed in the books are the events", changed, row.changed);
    broken("retired in the books are the events", count("retired"), row.retired ?? 0);
    broken("the books balance", says.size - inserted - changed, (row.unchanged ?? 0) + (row.stale ?? 0));
  }

  // ── duplicates: the same content as the file next to it, soon after it ─────────────────────────────────────────────

  duplicates(known: readonly KnownFile[]): void {
    for (const [feed, files] of grouped(inOrder(known), (file) => file.row.feed)) {
      const goOn = files.filter(({ row }) => ENDS.includes(row.state) || row.state === "duplicate");
      for (const [place, file] of goOn.entries()) {
        if (file.row.state !== "duplicate") continue;
        const sides = [goOn.slice(0, place).reverse(), goOn.slice(place + 1)];
        if (sides.some((side) => repeats(file, side))) continue;
        const subject = `${feed} file ${file.row.id}`;
        this.broken("a duplicate says what its neighbour says", subject, [`"${file.row.id}"`], "applied", "duplicate");
      }
    }
  }

  // ── stale rows: only what a newer file says, too ───────────────────────────────────────────────────────────────────

  stale(known: readonly KnownFile[]): void {
    for (const [feed, files] of grouped(inOrder(known), (file) => file.row.feed)) {
      for (const [place, file] of files.entries()) {
        const { row, says, mail } = file;
        const newer = files.slice(place + 1);
        const said = [...says.keys()].filter((key) =>
          newer.some((other) => other.healed !== undefined || other.says.has(key)),
        ).length;
        // A newer full file leaves nothing of an older one.
        const most = mail.kind.mode === "full" && newer.length > 0 ? says.size : said;
        if (row.state !== "applied" || (row.stale ?? 0) <= most) continue;
        const found = `${row.stale}`;
        this.broken(
          "stale is what a newer file says",
          `${feed} file ${row.id}`,
          [`"${row.id}"`],
          `${most} at most`,
          found,
        );
      }
    }
  }

  // ── dead letters ───────────────────────────────────────────────────────────────────────────────────────────────────

  letters(mails: readonly SentMail[], known: readonly KnownFile[]): void {
    const { archive, letters } = this.#tables;
    const cursed = new Map<string, { stage: string; letters: number; least: number }>();
    for (const { fate, messageId } of mails) {
      if (!fate.startsWith("dead")) continue;
      const id = archive.find((object) => object.message_id === messageId)?.id;
      const rows = known.filter((file) => file.mail.messageId === messageId).map(({ row }) => row);
      const isApplied = rows.every(({ state }) => state === "applied");
      if (id === undefined || (fate === "dead at apply" && isApplied && !this.#fixed)) continue;
      // It may come for the first time when its cause is fixed already, and what is stopped before never.
      const least = this.#fixed || rows.some(isStopped) ? 0 : 1;
      cursed.set(id, { stage: fate === "dead at apply" ? "apply" : "parse", letters: 0, least });
    }
    for (const letter of letters) {
      const id = letter.correlation_id ?? "";
      const wanted = cursed.get(id);
      if (wanted?.stage === letter.stage) {
        wanted.letters++;
        const state = this.#fixed ? "redriven" : "open";
        if (letter.state !== state)
          this.broken("letters are decided", `letter ${letter.id}`, [id.slice(0, 8)], state, letter.state);
      } else {
        const found = `${letter.stage}: ${letter.code}: ${letter.sentence}`;
        this.broken("no dead letter for what passes by itself", `letter ${letter.id}`, [id.slice(0, 8)], "none", found);
      }
    }
    for (const [id, { stage, letters: found, least }] of cursed) {
      if (found >= least && found <= MAX_LETTERS) continue;
      const expected = `${least} to ${MAX_LETTERS} letters of ${stage}`;
      this.broken("what cannot go on is a dead letter", id, [id.slice(0, 8)], expected, `${found}`);
    }
  }

  // ── events: exactly one for each real change ───────────────────────────────────────────────────────────────────────

  events(known: readonly KnownFile[], edited: ReadonlySet<string>): void {
    const byFile = new Map(known.map((file) => [file.row.id, file]));
    const places = new Map(inOrder(known).map((file, place) => [file.row.id, place]));
    const records = new Map(this.#tables.records.map((record) => [`${record.feed} ${record.key}`, record]));
    for (const [name, chain] of grouped(this.#tables.changes, (change) => `${change.feed} ${change.key}`)) {
      const about = chain.map(({ file_id }) => `"${file_id}"`);
      if (edited.has(name)) continue;
      for (const { rule, expected, found } of chainFaults(chain, records.get(name), byFile, places)) {
        this.broken(rule, name, about, expected, found);
      }
      records.delete(name);
    }
    for (const [name, record] of records) {
      if (edited.has(name)) continue;
      this.broken("every record has its events", name, [], "an event", `none, and version ${record.version}`);
    }
  }
}

/** Of one delivery or file: a message that came twice may be parked twice, but nothing makes new ones for ever. */
const MAX_LETTERS = 5;

/** Ends of a file that came, and that goes on. */
const ENDS: readonly string[] = ["applied", "compared"];

/** The feeds' default for how soon. */
const DUPLICATE_MS = 3_600_000;

/** The files of one side, from near to far: among those that say the same is an applied one, and one that came soon enough. */
function repeats(file: KnownFile, side: readonly KnownFile[]): boolean {
  const content = ({ sent }: KnownFile) => [sent.sequence, ...sent.rows.map((row) => row.text)].join("\n");
  const end = side.findIndex((other) => content(other) !== content(file));
  const same = end < 0 ? side : side.slice(0, end);
  const isSoon = ({ row }: KnownFile) => Math.abs(row.received_ms - file.row.received_ms) <= DUPLICATE_MS;
  return same.some(isSoon) && same.some(({ row }) => ENDS.includes(row.state));
}

/** From the beginning of a session to the moment at which the message counts as received. */
const SESSION_MS = 60_000;
