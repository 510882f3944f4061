/**
 * The mail about drift that is not healed without asking, for two readers: our operator, who decides, and the customer's
 * contact, who knows the list and has never seen this system. Pure.
 */
import { shown } from "../domain/failures.ts";
import type { SnapshotDriftNotice } from "../domain/notice.ts";
import { grouped, percent } from "../domain/words.ts";
import type { Block } from "./blocks.ts";
import { correlation, type Draft, fileFacts, nameOf, timeText } from "./parts.ts";

/** Characters of a key in a table. */
const KEY_MAX_CHARS = 40;

export const snapshotDrift = (notice: SnapshotDriftNotice): Draft => {
  if (notice.expired) return expired(notice);
  return notice.recipient === "operator" ? toOperator(notice) : toContact(notice);
};

function toOperator(notice: SnapshotDriftNotice): Draft {
  const { reportId, ownFile, expiresAt, customerTitle, feedTitle } = notice;
  return {
    subject: `${nameOf(notice)}: ${amount(notice)}, more than heals by itself`,
    blocks: [
      { kind: "title", text: `${customerTitle}, ${feedTitle}: our records are not what the ERP says` },
      {
        kind: "text",
        text: `${
          ownFile
            ? "The records were held against the last full file of the feed, which they were made of."
            : "The records were held against the ERP's own list of what it has now, a snapshot."
        } What differs is more than the feed's limits let heal without a person. Nothing was changed.`,
      },
      listFacts(notice),
      { kind: "heading", text: "Why it waits" },
      { kind: "list", items: notice.reasons.map(asSentence) },
      ...found(notice, "in the list"),
      ...examples(notice, "Records that show it", "In the list"),
      { kind: "heading", text: "What to do" },
      {
        kind: "text",
        text: "If the list is right, release the report: what differs is compared once more, and set to what the list says; records that the list lacks are retired. Each change names this as its cause.",
      },
      { kind: "code", text: `npx mailfeed drift release ${reportId}` },
      { kind: "text", text: "If the list is wrong (cut off, of another company, of a test system), reject it:" },
      { kind: "code", text: `npx mailfeed drift reject ${reportId} --note "the list was cut off"` },
      { kind: "text", text: "All that differs, row by row:" },
      { kind: "code", text: `npx mailfeed drift show ${reportId}` },
      {
        kind: "text",
        text: `If nobody decides until ${timeText(expiresAt)}, or a newer list is compared before, the report is over and the records stay as they are. Why so much differs is worth knowing either way: mails that were lost, records edited by hand, an export that changed.`,
      },
      correlation(notice),
    ],
  };
}

function toContact(notice: SnapshotDriftNotice): Draft {
  const { feedTitle, reportId, ownFile, expiresAt, numbers } = notice;
  const list = ownFile ? "the last file that you sent" : "your list";
  const noun = ownFile ? "file" : "list";
  return {
    subject: `Please check “${feedTitle}”: ${list} and our data do not match`,
    blocks: [
      { kind: "title", text: `${ownFile ? "Your last file" : "Your list"} and our data do not match` },
      {
        kind: "text",
        text: `${
          ownFile
            ? `From time to time we compare our data for “${feedTitle}” with the last complete file that your system sent.`
            : `Your system regularly sends a list of everything it has for “${feedTitle}”, so that we can check that nothing was lost on the way.`
        } This time ${grouped(numbers.drift)} of ${grouped(Math.max(numbers.records, numbers.listed))} entries do not match. A few are corrected by themselves; so many are not, because the ${noun} itself might be wrong. Nothing was changed.`,
      },
      listFacts(notice),
      ...found(
        notice,
        ownFile ? "in your file" : "in your list",
        `An entry is what one row of your ${noun} stands for, such as an article or an order.`,
      ),
      ...examples(notice, "Some examples", ownFile ? "In your file" : "In your list"),
      { kind: "heading", text: "What happens next" },
      {
        kind: "text",
        text: `The people who receive your data have been told, too, and decide whether our data is set to what ${list} says. Until then everything stays as it is, and your normal files are processed as always. If nobody decides until ${timeText(expiresAt)}, nothing is corrected.`,
      },
      { kind: "heading", text: "What you can do" },
      {
        kind: "list",
        items: [
          `If the examples show that ${list} is right, tell them so and name report ${reportId}. They can correct our data at once; nothing need be sent again.`,
          ownFile
            ? "If that file was wrong, send a corrected one as usual. Nothing else is to be done."
            : "If the list is wrong (it stopped too early, or it was made for another warehouse or company), correct the export. The next list is compared anew, and this one is done with.",
        ],
      },
      correlation(notice),
    ],
  };
}

function expired(notice: SnapshotDriftNotice): Draft {
  const { feedTitle, customerTitle, recipient, reportId, numbers } = notice;
  const ours = recipient === "operator";
  return {
    subject: `${ours ? `${nameOf(notice)}: ` : `“${feedTitle}”: `}nobody decided, nothing was corrected`,
    blocks: [
      { kind: "title", text: "Nobody decided, nothing was corrected" },
      {
        kind: "text",
        text: `${ours ? `${customerTitle}, ${feedTitle}: ` : ""}${grouped(numbers.drift)} entries that do not match between ${
          ours ? "the ERP's list" : "your list"
        } and our data waited for a decision until now (report ${reportId}). Nobody has decided, so the report is over and the data stays as it is.`,
      },
      listFacts(notice),
      { kind: "heading", text: "What to do" },
      {
        kind: "text",
        text: ours
          ? "The next list is compared anew, and drift that is still there is told again. If no list comes any more, that is the thing to look after."
          : "Nothing for now. The next list is compared anew, and if it still does not match you will hear of it.",
      },
      correlation(notice),
    ],
  };
}

const amount = ({ numbers: { drift } }: SnapshotDriftNotice): string =>
  `${grouped(drift)} ${drift === 1 ? "record differs" : "records differ"} from the ERP's list`;

const asSentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

const listFacts = (notice: SnapshotDriftNotice): Block => {
  const facts = fileFacts(notice);
  return facts.kind === "table" ? { ...facts, rows: [...facts.rows, ["True as of", timeText(notice.asOf)]] } : facts;
};

/** What stands behind a reason that explains a difference. */
const EXPLAINED: Readonly<Record<string, string>> = {
  "newer-file": "a newer file has said something else since",
  "retired-here": "a newer file has taken it off since",
  "too-close": "it changed here so shortly before the list that the list may not know it",
  "held-file": "a file with the same entry waits for a decision",
  "file-under-way": "a file with the same entry is being loaded",
  "rejected-row": "the row for it could not be read",
  "unread-rows": "they may be among the rows of the list that could not be read",
  "platform-field": "only in fields that may differ here",
};

/** `what`: what the numbers count, for whom it has to be said. */
function found({ numbers }: SnapshotDriftNotice, where: string, what?: string): Block[] {
  const { records, listed, missingHere, missingThere, differs, drift, explained } = numbers;
  const whole = Math.max(records, listed);
  const share = (n: number) => (whole === 0 || n === 0 ? "" : percent(n / whole));
  const line = (what: string, n: number) => (n === 0 ? [] : [[what, grouped(n), share(n)]]);
  const reasons = Object.entries(explained).filter(([, n]) => n > 0);
  return [
    { kind: "heading", text: "What is different" },
    ...(what === undefined ? [] : [{ kind: "text" as const, text: what }]),
    {
      kind: "table",
      head: ["", "How many", "Share"],
      rows: [
        [`Entries ${where}`, grouped(listed), ""],
        ["Entries in our data", grouped(records), ""],
        ...line(`Only ${where}, not in our data`, missingHere),
        ...line(`Only in our data, not ${where}`, missingThere),
        ...line("In both, but not the same", differs),
        ...(reasons.length === 0 ? [] : line("Of all these, not explained", drift)),
      ],
    },
    ...(reasons.length === 0
      ? []
      : [
          { kind: "text" as const, text: "The others are explained, and stay as they are:" },
          {
            kind: "list" as const,
            items: reasons.map(([reason, n]) => `${grouped(n)}: ${EXPLAINED[reason] ?? reason}`),
          },
        ]),
  ];
}

function examples({ telling }: SnapshotDriftNotice, title: string, there: string): Block[] {
  if (telling.length === 0) return [];
  return [
    { kind: "heading", text: title },
    {
      kind: "table",
      head: ["Entry", "In our data", there],
      rows: telling.map((row) => [shown(row.key, KEY_MAX_CHARS).slice(1, -1), row.here, row.there]),
    },
  ];
}
