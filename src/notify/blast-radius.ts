/**
 * The mail about a file that would do too much, for two readers: our operator, who decides, and the customer's contact, who
 * knows the list and has never seen this system. Both get the same numbers and rows. Pure.
 */
import { shown } from "../domain/failures.ts";
import type { BlastRadiusNotice, NoticeRow, Recipient } from "../domain/notice.ts";
import { grouped, percent } from "../domain/words.ts";
import type { Block } from "./blocks.ts";
import { correlation, type Draft, fileFacts, nameOf, timeText } from "./parts.ts";

export const blastRadius = (notice: BlastRadiusNotice): Draft =>
  notice.recipient === "operator" ? toOperator(notice) : toContact(notice);

function toOperator(notice: BlastRadiusNotice): Draft {
  const { links, reminder } = notice;
  return {
    subject: `${reminder ? "Reminder: " : ""}${nameOf(notice)}: a file is held, it would change too much`,
    blocks: [
      { kind: "title", text: `A file of ${notice.customerTitle}, ${notice.feedTitle} is held` },
      {
        kind: "text",
        text: `${reminder ? "Nobody has decided yet. " : ""}It can be read, but it would do far more than the files of this feed usually do. Nothing of it was applied.`,
      },
      fileFacts(notice),
      ...toldOf(notice),
      { kind: "heading", text: "What to do" },
      ...linksOf([
        [links.release, "Apply the file", "It is right. It is applied, and the limits stay as they are."],
        [
          links.widen,
          "Apply it and widen the limits",
          "It is right, and files like it will come again: the limits that it tripped are widened so far that such a file passes, with a little room.",
        ],
        [links.reject, "Reject the file", "It is wrong. Nothing of it is stored."],
      ]),
      {
        kind: "text",
        text: `${hasLinks(notice) ? "Each link opens a page that asks once more, and the first decision counts. " : ""}${
          notice.later === "wait"
            ? "Newer files of the feed wait behind it."
            : "Newer files of the feed are judged for themselves; as soon as one of them is applied, this one is done with."
        } If nobody decides until ${timeText(notice.expiresAt)}, the file is rejected.`,
      },
      correlation(notice),
    ],
  };
}

function toContact(notice: BlastRadiusNotice): Draft {
  const { links, reminder, fileId, feedTitle } = notice;
  const mayRelease = links.release !== undefined;
  const again = "correct the export and send the file again as usual.";
  return {
    subject: `${reminder ? "Reminder: please" : "Please"} check your file for “${feedTitle}”: it is not loaded yet`,
    blocks: [
      { kind: "title", text: "Your file is not loaded yet" },
      {
        kind: "text",
        text: `${reminder ? "This is a reminder. " : ""}Your file for “${feedTitle}” has arrived and can be read. But it would change far more than your files usually do, so it was stopped before anything was loaded. Your data is as it was before this file.`,
      },
      fileFacts(notice),
      ...toldOf(notice),
      { kind: "heading", text: "Is the file wrong?" },
      {
        kind: "text",
        text: `For example: the export stopped too early, or it was made for another warehouse or company. Then ${again} ${
          notice.later === "supersede"
            ? "The new file takes the place of this one. Nothing else is to be done."
            : "Please also have this one thrown away, since later files wait behind it."
        }`,
      },
      ...linksOf([[links.reject, "The file is wrong", "It is thrown away. Nothing of it is loaded."]]),
      { kind: "heading", text: "Is the file right?" },
      ...(mayRelease
        ? []
        : [
            {
              kind: "text" as const,
              text: `Then tell the people who receive your data that file ${fileId} is right. They can load it at once; it need not be sent again.`,
            },
          ]),
      ...linksOf([[links.release, "The file is right", "It is loaded as it is, with all that is said above."]]),
      {
        kind: "text",
        text: `${hasLinks(notice) ? "Pressing a button opens a page that asks you once more. " : ""}If nobody decides until ${timeText(notice.expiresAt)}, the file is not loaded.`,
      },
      correlation(notice),
    ],
  };
}

const hasLinks = ({ links }: BlastRadiusNotice): boolean => Object.values(links).some((url) => url !== undefined);

const linksOf = (links: readonly (readonly [url: string | undefined, label: string, text: string])[]): Block[] =>
  links.flatMap(([url, label, text]) => (url === undefined ? [] : [{ kind: "link", label, url, text }]));

interface Words {
  readonly why: string;
  readonly effect: string;
  /** What the numbers count, for whom it has to be said. */
  readonly what?: string;
  readonly here: string;
  readonly gone: string;
  readonly after: string;
  readonly examples: string;
}

const WORDS: Readonly<Record<Recipient, Words>> = {
  operator: {
    why: "Why it is held",
    effect: "What it would do",
    here: "Records before",
    gone: "Missing from the file: taken off (retired)",
    after: "Records afterwards",
    examples: "Rows that show it",
  },
  contact: {
    why: "Why it was stopped",
    effect: "What it would have done",
    what: "A record is what one row of your list stands for, such as an article or an order.",
    here: "Records so far",
    gone: "Missing from the file: taken off",
    after: "Records afterwards",
    examples: "Some examples",
  },
};

/** What of a hold is told in all places. */
export type Told = Pick<BlastRadiusNotice, "recipient" | "reasons" | "numbers" | "telling">;

/** Why a file is held, what it would do, and the rows that show it, in the words of its reader: for the mail and for pages. */
export function toldOf(notice: Told): Block[] {
  const words = WORDS[notice.recipient];
  return [
    { kind: "heading", text: words.why },
    { kind: "list", items: notice.reasons },
    ...effect(notice, words),
    ...examples(notice, words.examples),
  ];
}

/** What the file would do, in numbers. What the plan does not know is left out. */
function effect({ numbers }: Told, words: Words): Block[] {
  const { records, rows, rejected, inserted, changed, unchanged, retired } = numbers;
  const share = (n: number) => (records === 0 ? "" : percent(n / records));
  const line = (what: string, n: number | undefined) => (n === undefined ? [] : [[what, grouped(n), share(n)]]);
  return [
    { kind: "heading", text: words.effect },
    ...(words.what === undefined ? [] : [{ kind: "text" as const, text: words.what }]),
    {
      kind: "table",
      head: ["", "How many", "Of the records"],
      rows: [
        ["Rows in the file", grouped(rows), ""],
        ...(rejected === 0 ? [] : [["Of these not readable", grouped(rejected), ""]]),
        [words.here, grouped(records), ""],
        ...line("New", inserted),
        ...line("Changed", changed),
        ...line(words.gone, retired),
        ...line("Unchanged", unchanged),
        ...(inserted === undefined ? [] : [[words.after, grouped(records + inserted - retired), ""]]),
      ],
    },
  ];
}

function examples({ telling }: Told, title: string): Block[] {
  if (telling.length === 0) return [];
  return [
    { kind: "heading", text: title },
    { kind: "table", head: ["Record", "Now", "With the file"], rows: telling.map(exampleOf) },
  ];
}

/** Characters of a key in a table. */
const KEY_MAX_CHARS = 40;

function exampleOf({ kind, key, field, before, after }: NoticeRow): string[] {
  const said = (value: string | undefined) => (field === undefined || value === undefined ? "" : `${field}: ${value}`);
  const name = shown(key, KEY_MAX_CHARS).slice(1, -1);
  if (kind === "retired") return [name, said(before) || "there", "taken off"];
  if (kind === "inserted") return [name, "not there", said(after) || "new"];
  return [name, said(before), said(after)];
}
