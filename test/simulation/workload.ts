/** What the customers' ERPs export and mail in a run, drawn from the seed. Knows nothing of the product but its addresses. */
import { mailOf } from "../../cli/samples/mail.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { CHECKED, CUSTOMERS, FEEDS, type FeedKind, KINDS, NIGHTLY, NUMBERED, senderOf } from "./feeds.ts";
import { sayings } from "./known.ts";
import type { Chance } from "./random.ts";
import { ADDRESS_SECRET, MAIL_DOMAIN } from "./world.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A field that a row does not say is absent; null is said. */
export type Said = Readonly<Record<string, string | number | null>>;

/** One physical line behind the header. */
export interface SentRow {
  readonly line: number;
  readonly text: string;
  /** What it says of which record; absent where the row is not readable. */
  readonly good?: { readonly key: string; readonly said: Said };
  /** The record that a row which is not readable is about, where that can be told. */
  readonly names?: string;
}

export interface SentFile {
  readonly name: string;
  readonly rows: readonly SentRow[];
  /** The time in its name. */
  readonly namedMs: number;
  /** Its number, 0 where its feed has none. */
  readonly sequence: number;
}

/** What must come of a mail. */
export type Fate =
  | "applied"
  /** The sender is told a final no. */
  | "refused"
  /** Kept and not read: an unknown sender, an automatic reply. */
  | "quarantined"
  | "ignored"
  /** Nothing in it can be read. */
  | "rejected"
  /** The database refuses the delivery, its file or a row of it, until somebody has put it right. */
  | "dead before its row"
  | "dead at parse"
  | "dead at apply";

/** What is wrong with an export though every line of it can be written: what the gate is there for. */
export type Mishap =
  /** The ERP's list was empty, cut off, or that of another company. */
  | "empty"
  | "cut off"
  | "of another"
  /** Most of its rows are not readable. */
  | "unreadable";

/** One mail, or one upload. */
export interface SentMail {
  /** Of an upload its Idempotency-Key. */
  readonly messageId: string;
  readonly customer: string;
  readonly kind: FeedKind;
  readonly fate: Fate;
  readonly mishap?: Mishap;
  readonly files: readonly SentFile[];
  readonly dateMs: number;
  readonly submitMs: number;
  readonly from: string;
  readonly to: string;
  /** Without the headers that servers put on top on the way. */
  readonly raw: Uint8Array<ArrayBuffer>;
  /** Sent to the API instead of mailed. */
  readonly upload?: { readonly name: string; readonly text: string };
  /** The text that the database does not take. */
  readonly poison?: string;
  /** How long after it was taken the sender's server sends it once more. */
  readonly againMs?: number;
}

export interface WorkloadOptions {
  readonly customers: number;
  /** Files of one feed. */
  readonly files: { readonly least: number; readonly most: number };
  /** When exports are made. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** The share of mails that something is wrong with. */
  readonly poison: number;
  /** Some files are uploaded. */
  readonly uploads: boolean;
  /** The share of exports that the gate should hold. */
  readonly mishaps: number;
  /** Customers who mail what all orders are. */
  readonly snapshots: number;
}

interface Values {
  qty: number | null;
  note: string | null;
  /** What stood there before. */
  before?: Values | undefined;
}

interface Export {
  readonly asOfMs: number;
  readonly files: readonly (readonly SentRow[])[];
}

export function workloadOf(chance: Chance, options: WorkloadOptions): SentMail[] {
  const mails: SentMail[] = [];
  for (const customer of CUSTOMERS.slice(0, options.customers)) {
    const drawn = KINDS.filter(() => chance.hits(0.6));
    const kinds = drawn.length === 0 ? [chance.pick(KINDS)] : drawn;
    if (chance.fork(`${customer} has numbers`).hits(0.15)) kinds.push(NUMBERED);
    const own = kinds.flatMap((kind) => mailsOf(customer, kind, chance.fork(`${customer}/${kind.slug}`), options));
    const night = chance.fork(`${customer} at night`);
    if (kinds.includes(CHECKED) && night.hits(options.snapshots))
      own.push(...snapshotsOf(customer, own, night, options));
    mails.push(...own);
  }
  return mails.sort((a, b) => a.submitMs - b.submitMs || (a.messageId < b.messageId ? -1 : 1));
}

function mailsOf(customer: string, kind: FeedKind, chance: Chance, options: WorkloadOptions): SentMail[] {
  const count = chance.int(options.files.least, options.files.most);
  const keys = Array.from({ length: chance.pick([3, 8, 8, 30]) }, (_, i) => `K${String(i).padStart(2, "0")}`);
  const state = new Map<string, Values>();
  const exports: Export[] = [];
  const mails: SentMail[] = [];
  const luck = chance.fork("mishaps");
  const step = (options.untilMs - options.fromMs) / count;
  for (let i = 0; i < count; i++) {
    const asOfMs = Math.floor((options.fromMs + i * step + chance.next() * step) / SECOND) * SECOND;
    const said = exportOf(kind, chance, keys, state, exports);
    const mishap = luck.hits(options.mishaps) ? luck.pick(MISHAPS[kind.mode]) : undefined;
    const made = mishap === undefined ? said : [mishapTo(mishap, kind, luck, said[0]!)];
    exports.push({ asOfMs, files: made });
    mails.push({
      ...mailFor(customer, kind, chance, i, asOfMs, made, options),
      ...(mishap === undefined ? {} : { mishap }),
    });
  }
  return mails;
}

/** What the ERP believes to have said of its orders by then, whatever of it was lost on the way. */
function snapshotsOf(
  customer: string,
  mails: readonly SentMail[],
  chance: Chance,
  options: WorkloadOptions,
): SentMail[] {
  const said = mails.filter(({ kind }) => kind === CHECKED).toSorted((a, b) => a.dateMs - b.dateMs);
  const times = Array.from({ length: chance.int(1, 3) }, () => chance.int(options.fromMs, options.untilMs + HOUR))
    .map((ms) => Math.floor(ms / SECOND) * SECOND)
    .filter((ms) => said.every(({ dateMs }) => dateMs !== ms))
    .sort((a, b) => a - b);
  return times.map((asOfMs, i) => {
    const truth = new Map<string, Said>();
    for (const mail of said.filter(({ dateMs }) => dateMs < asOfMs)) {
      for (const file of mail.files) for (const [key, values] of sayings(mail, file)) truth.set(key, values);
    }
    truth.delete(CURSED_KEY);
    const rows = [...truth].map(([key, { qty, note }], n) =>
      rowOf(NIGHTLY, n, { key, values: { qty: qty as number | null, note: note as string | null } }),
    );
    return mailFor(customer, NIGHTLY, chance, i, asOfMs, [rows], { ...options, poison: 0, uploads: false });
  });
}

/** What the ERP writes at that moment: its whole state, or what has changed; now and then what it has said before. */
function exportOf(
  kind: FeedKind,
  chance: Chance,
  keys: readonly string[],
  state: Map<string, Values>,
  before: readonly Export[],
): SentRow[][] {
  if (before.length > 0 && chance.hits(0.15)) return before[chance.int(0, before.length - 1)]!.files.map((f) => [...f]);
  const touched = new Set<string>();
  for (let edits = chance.int(0, Math.ceil(keys.length / 2)); edits > 0; edits--) {
    const key = chance.pick(keys);
    touched.add(key);
    if (kind.mode === "full" && state.has(key) && chance.hits(0.3)) state.delete(key);
    else state.set(key, editOf(chance, state.get(key)));
  }
  if (kind.mode === "full") {
    // What stands in one export alone must not come in behind a newer one.
    const passing: [string, Values][] = chance.hits(0.4) ? [[`T${before.length}`, valuesOf(chance)]] : [];
    return [linesOf(chance, kind, [...state, ...passing])];
  }
  const changed = [...touched].flatMap((key): [string, Values][] => {
    const values = state.get(key);
    return values === undefined ? [] : [[key, values]];
  });
  // Two files in one mail: their places in it order them.
  return chance.hits(0.15)
    ? [
        linesOf(chance, kind, changed),
        linesOf(
          chance,
          kind,
          keys.slice(0, 2).map((key) => [key, valuesOf(chance)]),
        ),
      ]
    : [linesOf(chance, kind, changed)];
}

const MISHAPS: Readonly<Record<FeedKind["mode"], readonly Mishap[]>> = {
  full: ["empty", "cut off", "of another"],
  delta: ["unreadable"],
  snapshot: [],
};

function mishapTo(mishap: Mishap, kind: FeedKind, chance: Chance, said: readonly SentRow[]): SentRow[] {
  const rows = (records: readonly (readonly [string, Values])[]) =>
    records.map(([key, values], i) => rowOf(kind, i, { key, values }));
  const values = () => valuesOf(chance);
  switch (mishap) {
    case "empty":
      return [];
    case "cut off":
      return said.slice(0, 1);
    case "of another":
      return rows(Array.from({ length: 5 }, (_, i) => [`X${i}`, values()]));
    case "unreadable":
      return [
        ...rows([["K00", values()]]),
        ...Array.from({ length: 7 }, (_, i) => ({ line: i + 3, ...chance.pick(BAD_ROWS) })),
      ];
  }
}

/** Many an edit is taken back: a newer file then confirms what an older one, still on its way, has changed. */
const editOf = (chance: Chance, now: Values | undefined): Values =>
  now?.before !== undefined && chance.hits(0.4)
    ? { ...now.before, before: now }
    : { ...valuesOf(chance), before: now && { ...now, before: undefined } };

const valuesOf = (chance: Chance): Values => ({
  qty: chance.hits(0.1) ? null : chance.int(0, 3),
  note: chance.hits(0.2) ? null : `n${chance.int(0, 2)}`,
});

/** Rows in an order of no meaning, some twice with other values, some that nobody can read. */
function linesOf(chance: Chance, kind: FeedKind, records: readonly (readonly [string, Values])[]): SentRow[] {
  const rows: Row[] = records.map(([key, values]) => ({ key, values }));
  if (chance.hits(0.3)) rows.sort(() => (chance.hits(0.5) ? 1 : -1));
  if (rows.length > 0 && chance.hits(0.35)) {
    for (let more = chance.int(1, 6); more > 0; more--) {
      const { key } = chance.pick(rows);
      rows.splice(chance.int(0, rows.length), 0, { key, values: valuesOf(chance) });
    }
  }
  if (chance.hits(0.2)) {
    for (let bad = chance.int(1, 3); bad > 0; bad--) {
      const row = chance.pick(BAD_ROWS);
      rows.splice(chance.int(0, rows.length), 0, { key: "", values: { qty: null, note: null }, bad: row });
    }
  }
  return rows.map((row, i) => rowOf(kind, i, row));
}

interface Row {
  readonly key: string;
  readonly values: Values;
  readonly bad?: Bad;
}

/** The row at a place below the header. */
function rowOf(kind: FeedKind, i: number, { key, values, bad }: Row): SentRow {
  const line = i + 2;
  if (bad !== undefined) return { line, ...bad };
  const text = `${key},${values.qty ?? ""},${values.note ?? ""}`;
  return { line, text, good: { key, said: saidBy(kind, key, values) } };
}

type Bad = Pick<SentRow, "text" | "names">;
const BAD_ROWS: readonly Bad[] = [
  { text: "K01,many,n1", names: "K01" },
  { text: ",1,n1" },
  { text: "K02,1.5,n0", names: "K02" },
];

function saidBy({ merges }: FeedKind, sku: string, { qty, note }: Values): Said {
  if (!merges) return { sku, qty, note };
  return { sku, ...(qty === null ? {} : { qty }), ...(note === null ? {} : { note }) };
}

const stamp = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, "");

function mailFor(
  customer: string,
  kind: FeedKind,
  chance: Chance,
  i: number,
  asOfMs: number,
  made: readonly (readonly SentRow[])[],
  options: WorkloadOptions,
): SentMail {
  const name = `${customer}.${kind.slug}.${i}`;
  const fate = chance.hits(options.poison) ? chance.pick(BAD_FATES) : "applied";
  const poison = fate.startsWith("dead") ? `cursed-${name}` : undefined;
  const files = made.map((rows, n): SentFile => {
    const cursed = fate === "dead at apply" && n === 0 ? [...rows, cursedRow(rows.length + 2, kind, poison!)] : rows;
    const curse = fate === "dead at parse" ? `-${poison}` : "";
    if (!kind.numbered) {
      return { name: `${kind.slug}-${stamp(asOfMs)}-${n}${curse}.csv`, rows: cursed, namedMs: asOfMs, sequence: 0 };
    }
    const sequence = 10 * i + n + 1;
    const day = stamp(asOfMs).slice(0, 8);
    const name = `${kind.slug}-${day}-n${String(sequence).padStart(4, "0")}${curse}.csv`;
    return { name, rows: cursed, namedMs: asOfMs - (asOfMs % DAY), sequence };
  });
  const feed = FEEDS.find((f) => f.customer === customer && f.feed === kind.slug)!;
  const address = feedAddress(feed, ADDRESS_SECRET, MAIL_DOMAIN);
  const from = fate === "quarantined" ? "somebody@else.example" : senderOf(customer);
  const to = fate === "refused" ? address.replace(/\.[^.@]+@/, ".aaaaaaaaaaaaaaaa@") : address;
  const delayMs = chance.hits(0.25) ? chance.spread(MINUTE, 3 * HOUR) : chance.spread(SECOND, MINUTE);
  const isUpload = options.uploads && files.length === 1 && MAY_BE_UPLOADED.includes(fate) && chance.hits(0.15);
  const upload = isUpload ? { name: `${name}-${files[0]!.name}`, text: textOf(files[0]!) } : undefined;
  const messageId = isUpload ? `key-${name}` : `<${name}@${customer}.example>`;
  const raw = mailOf({
    from,
    to,
    subject: `Export ${name} ${fate === "dead before its row" ? poison : ""}`.trim(),
    date: new Date(asOfMs),
    messageId,
    body: "Automatic export.",
    headers: fate === "ignored" ? { "Auto-Submitted": "auto-replied" } : {},
    attachments:
      fate === "rejected"
        ? []
        : files.map((file) => ({
            name: file.name,
            contentType: "text/csv",
            bytes: bytesOf(file),
            encoding: "8bit" as const,
          })),
  });
  return {
    messageId,
    customer,
    kind,
    fate,
    files: upload === undefined ? files : files.map((file) => ({ ...file, name: upload.name })),
    ...(upload === undefined ? {} : { upload }),
    dateMs: asOfMs,
    submitMs: asOfMs + delayMs,
    from,
    to,
    raw,
    ...(poison === undefined ? {} : { poison }),
    ...(chance.hits(0.12) ? { againMs: chance.spread(SECOND, 3 * HOUR) } : {}),
  };
}

const BAD_FATES: readonly Fate[] = [
  "refused",
  "quarantined",
  "ignored",
  "rejected",
  "dead before its row",
  "dead at parse",
  "dead at apply",
];

const MAY_BE_UPLOADED: readonly Fate[] = ["applied", "dead at parse", "dead at apply"];

/** No export says it but in that row. */
export const CURSED_KEY = "K99";

const cursedRow = (line: number, { merges }: FeedKind, note: string): SentRow => ({
  line,
  text: `${CURSED_KEY},${merges ? "" : "1"},${note}`,
  good: { key: CURSED_KEY, said: merges ? { sku: CURSED_KEY, note } : { sku: CURSED_KEY, qty: 1, note } },
});

/** A file as it is written. */
export const textOf = ({ rows }: SentFile): string => ["sku,qty,note", ...rows.map((row) => row.text), ""].join("\r\n");
const bytesOf = (file: SentFile): Uint8Array => new Uint8Array(Buffer.from(textOf(file)));
