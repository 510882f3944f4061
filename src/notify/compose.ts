/** The words and the picture of a mail about a held file. Pure: the same notice gives the same message. */
import type { OpenQuestion } from "../domain/feed-version.ts";
import type { FormatDriftNotice, FormatUnconfirmedNotice, Message, Notice } from "../domain/notice.ts";
import { blastRadius } from "./blast-radius.ts";
import { type Block, htmlOf, textOf } from "./blocks.ts";
import { dryRun } from "./dry-run.ts";
import { correlation, type Draft, fileFacts, nameOf } from "./parts.ts";
import { snapshotDrift } from "./snapshot-drift.ts";

export function composeMessage(notice: Notice): Message {
  const { subject, blocks } = draftOf(notice);
  return { recipient: notice.recipient, subject, text: textOf(blocks), html: htmlOf(subject, blocks) };
}

function draftOf(notice: Notice): Draft {
  switch (notice.kind) {
    case "format-unconfirmed":
      return unconfirmed(notice);
    case "format-drift":
      return drift(notice);
    case "blast-radius":
      return blastRadius(notice);
    case "dry-run":
      return dryRun(notice);
    case "snapshot-drift":
      return snapshotDrift(notice);
  }
}

/** More columns than this are counted, not listed: the mail is to be read. */
const LISTED_COLUMNS_MAX = 40;
/** Differences told; a file of another feed differs in everything. */
const LISTED_DIFFERENCES_MAX = 20;

function unconfirmed(notice: FormatUnconfirmedNotice): Draft {
  const { columns, questions, faults, evidence, key } = notice;
  const listed = columns.slice(0, LISTED_COLUMNS_MAX);
  const more = columns.length - listed.length;
  return {
    subject: `${nameOf(notice)}: is this how its files are written?`,
    blocks: [
      { kind: "title", text: `The first file of ${notice.customerTitle}, ${notice.feedTitle}` },
      {
        kind: "text",
        text: `The feed ${nameOf(notice)} has no agreed format yet. This is what we read in its first file. Nothing was stored: the file, and those that follow, wait until you accept the format.`,
      },
      fileFacts(notice),
      ...questionsOf(questions),
      { kind: "heading", text: "The columns" },
      {
        kind: "table",
        head: ["Column", "Read as", "For example"],
        rows: listed.map(({ name, type, examples }) => [name, type, examples.join(" · ")]),
      },
      ...(more > 0 ? [{ kind: "text" as const, text: `… and ${more} more columns.` }] : []),
      ...(key.length > 0
        ? [{ kind: "text" as const, text: `A record would be known by ${key.map((name) => `“${name}”`).join(", ")}.` }]
        : []),
      { kind: "heading", text: "How we read it" },
      { kind: "list", items: evidence.map(asSentence) },
      ...faultsOf(faults),
      { kind: "heading", text: "What to do" },
      { kind: "text", text: acceptHint(questions, faults) },
      { kind: "code", text: commandLine(`accept ${nameOf(notice)}`, questions) },
      { kind: "text", text: "The same over the API:" },
      { kind: "code", text: acceptCall(`/v1/feeds/${nameOf(notice)}/profile/accept`, questions) },
      { kind: "text", text: "If this is the wrong file, refuse it with all that wait:" },
      { kind: "code", text: commandLine(`reject ${nameOf(notice)} --note "wrong file"`, []) },
      correlation(notice),
    ],
  };
}

function drift(notice: FormatDriftNotice): Draft {
  const { differences, examples, original, questions, faults, fileId } = notice;
  const listed = differences.slice(0, LISTED_DIFFERENCES_MAX);
  const more = differences.length - listed.length;
  return {
    subject: `${nameOf(notice)}: a file does not look as agreed`,
    blocks: [
      { kind: "title", text: `A file of ${notice.customerTitle}, ${notice.feedTitle} is held` },
      { kind: "text", text: `${notice.sentence} Nothing of the file was stored.` },
      ...(original === undefined
        ? []
        : [{ kind: "text" as const, text: `Reading it as agreed: ${original.sentence}` }]),
      fileFacts(notice),
      { kind: "heading", text: "Side by side" },
      {
        kind: "table",
        head: ["What", "As agreed", "In this file"],
        rows: listed.map(({ what, column, pinned, found }) => [
          column === undefined ? what : `${what} of ${column}`,
          pinned || "nothing",
          found || "nothing",
        ]),
      },
      ...(more > 0 ? [{ kind: "text" as const, text: `… and ${more} more differences.` }] : []),
      ...(examples.length > 0 ? ([{ kind: "heading", text: "From the file" }, examplesOf(notice)] as const) : []),
      ...questionsOf(questions),
      ...faultsOf(faults),
      { kind: "heading", text: "What to do" },
      {
        kind: "text",
        text: `If the change is meant, accept it: the new format holds from now on. ${acceptHint(questions, faults)}`,
      },
      { kind: "code", text: commandLine(`drift ${nameOf(notice)} --accept ${fileId}`, questions) },
      { kind: "text", text: "The same over the API:" },
      { kind: "code", text: acceptCall(`/v1/files/${fileId}/accept-drift`, questions) },
      { kind: "text", text: "If it is not, refuse the file and tell the customer:" },
      { kind: "code", text: commandLine(`drift ${nameOf(notice)} --reject ${fileId} --note "wrong file"`, []) },
      correlation(notice),
    ],
  };
}

const examplesOf = ({ examples }: FormatDriftNotice): Block => ({
  kind: "code",
  text: examples
    .flatMap(({ line, pinned, found }) => [
      ...(pinned === undefined ? [] : [`agreed   ${pinned}`]),
      `line ${String(line).padEnd(4)}${found}`,
    ])
    .join("\n"),
});

/** What the questions of detection are called by people. */
const ASKED: Readonly<Record<string, string>> = {
  charset: "Which characters?",
  delimiter: "What divides the columns?",
  quote: "Which quotation mark?",
  recordDelimiter: "What ends a row?",
  header: "Is the first row a header?",
  type: "What is it?",
  dateOrder: "Which date is it?",
  decimalMark: "Which mark is the decimal one?",
  century: "Which century?",
  null: "What stands for nothing?",
  columns: "Which columns?",
  key: "What identifies a record?",
};

function questionsOf(questions: readonly OpenQuestion[]): Block[] {
  if (questions.length === 0) return [];
  return [
    { kind: "heading", text: questions.length === 1 ? "One question" : `${questions.length} questions` },
    {
      kind: "list",
      items: questions.map(
        ({ what, column, options, assumed, reason }) =>
          `${column === undefined ? "" : `${column}: `}${ASKED[what] ?? what} ${reason} Answers: ${options.join(", ")}${
            assumed === null ? "" : ` (we would take ${assumed})`
          }.`,
      ),
    },
  ];
}

const asSentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const faultsOf = (faults: readonly string[]): Block[] =>
  faults.length === 0
    ? []
    : [
        { kind: "heading", text: "What cannot be accepted as it is" },
        { kind: "list", items: faults },
      ];

function acceptHint(questions: readonly OpenQuestion[], faults: readonly string[]): string {
  if (faults.length > 0) return "It needs an edited profile or mapping with it (--profile, --mapping), see above:";
  if (questions.length > 0) return "Put your answers in; they are kept, and nobody is asked again:";
  return "There is nothing to answer:";
}

/** What nobody may guess is no answer until somebody has chosen: sent as it stands it is refused. */
const answerTo = ({ assumed, options }: OpenQuestion): string => assumed ?? options.join(" | ");

const commandLine = (action: string, questions: readonly OpenQuestion[]): string =>
  [
    `npx mailfeed feed ${action}`,
    ...questions.map((question) => {
      const { what, column } = question;
      return `  --answer ${quoted(`${column === undefined ? what : `${what}:${column}`}=${answerTo(question)}`)}`;
    }),
  ].join(" \\\n");

/** The token is never part of it. */
function acceptCall(path: string, questions: readonly OpenQuestion[]): string {
  const answers = questions.map((question) => {
    const { what, column } = question;
    return { what, ...(column === undefined ? {} : { column }), answer: answerTo(question) };
  });
  return [
    `curl -X POST -H "Authorization: Bearer $OPERATOR" \\`,
    `  "$API${path}" \\`,
    `  -d ${quoted(answers.length === 0 ? "{}" : JSON.stringify({ answers }, null, 1))}`,
  ].join("\n");
}

/** For a shell: names of columns come from files of strangers. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
