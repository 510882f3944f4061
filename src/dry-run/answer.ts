/**
 * Who asked by mail is answered by mail, once all files of his delivery are at an end: one mail for all of them. An upload is
 * answered where its status is. The file that ends last writes the answer in the transaction that ends it, so that whoever
 * dies leaves either an open file, which is woken, or the answer.
 */
import type { Effect } from "../domain/effect.ts";
import { type FailureReport, failure } from "../domain/failures.ts";
import type { DryRunFile, DryRunNotice, NoticeFailure } from "../domain/notice.ts";
import { isAtRest } from "../domain/states.ts";
import type { Answer, AnswerDeps, Asked, AskedFile } from "./deps.ts";

/** What was at its end may be opened again between two looks, but not for ever. */
const LOOKS_MAX = 5;

/**
 * Ends a file that was compared, and answers where it was the last of its delivery that was asked about. True where a mail is
 * to be sent. Throws the database's failures; `database-conflict` where files are opened again all the time.
 */
export async function endDryRun(deps: AnswerDeps, fileId: string, effect: Effect): Promise<boolean> {
  for (let looked = 0; looked < LOOKS_MAX; looked++) {
    // Most files of a large archive are not the last one, and need not know what became of the others.
    if (await deps.tables.end(fileId, effect, undefined, true)) return false;
    const asked = await deps.tables.askedBy(fileId);
    if (asked === undefined || !isAnswered(asked, deps)) {
      await deps.tables.end(fileId, effect, undefined, false);
      return false;
    }
    const ended = { ...asked, files: asked.files.map((file) => (file.id === fileId ? compared(file, effect) : file)) };
    if (!isComplete(ended)) continue;
    await deps.tables.end(fileId, effect, answerTo(ended, deps), false);
    return true;
  }
  throw failure("database-conflict", { sqlstate: "40001" });
}

const compared = (file: AskedFile, effect: Effect): AskedFile => ({
  ...file,
  state: "compared",
  failure: null,
  effect,
});

/** After the delivery was read: what could not be read needs an answer, too. True where a mail is to be sent. */
export async function answerDelivery(deps: AnswerDeps, deliveryId: string): Promise<boolean> {
  const asked = await deps.tables.asked(deliveryId);
  if (asked === undefined || !isAnswered(asked, deps) || !isComplete(asked)) return false;
  await deps.tables.answer(deliveryId, answerTo(asked, deps));
  return true;
}

/** States of a delivery that was read. One that is quarantined, ignored or dead is not answered. */
const READ: ReadonlySet<string> = new Set(["parsed", "rejected"]);

const isComplete = ({ state, files }: Asked): boolean =>
  READ.has(state) && files.every((file) => isAtRest("file", file.state) && file.state !== "dead");

/** Signs of a sender that nothing has proven, also where an operator has let the delivery be read. */
const UNPROVEN: ReadonlySet<string> = new Set(["quarantined", "automatic"]);
/** One address, nothing around it. */
const ADDRESS = /^[^\s@,;:<>"()]+@([^\s@,;:<>"()]+)$/;

/** Only a proven sender who is none of our own addresses gets a mail: a forged one would make us write to strangers. */
function isAnswered({ door, sender, senderProof }: Asked, { mailDomain }: Pick<AnswerDeps, "mailDomain">): boolean {
  const domain = ADDRESS.exec(sender)?.[1]?.toLowerCase();
  return door === "mail" && !UNPROVEN.has(senderProof) && domain !== undefined && domain !== mailDomain.toLowerCase();
}

/** The key holds what became of the files: should one be read again later, that is another answer. */
function answerTo(asked: Asked, { compose }: Pick<AnswerDeps, "compose">): Answer {
  const ends = asked.files.map(({ id, state }) => ` ${id}:${state}`).join("");
  return { key: `dry-run of delivery ${asked.id}${ends}`, message: compose(noticeOf(asked)), address: asked.sender };
}

export function noticeOf(asked: Asked): DryRunNotice {
  const { customer, customerTitle, feed, feedTitle, sender, receivedAt, subject } = asked;
  return {
    kind: "dry-run",
    recipient: "contact",
    customer,
    customerTitle,
    feed,
    feedTitle,
    deliveryId: asked.id,
    sender,
    receivedAt,
    subject: subject ?? "",
    ...(asked.failure === null ? {} : { failure: inWords(asked.failure) }),
    files: asked.files.map(fileOf),
  };
}

const fileOf = ({ id, path, feedTitle, failure: why, effect, rejected, rejects }: AskedFile): DryRunFile => ({
  fileId: id,
  path,
  feedTitle,
  ...(effect === null ? {} : { effect }),
  ...(why === null ? {} : { failure: inWords(why) }),
  rejected,
  rejects: rejects.map(({ line, column, value, sentence, hint }) => ({
    line,
    value: value === null ? "" : `${column === null ? "" : `${column}: `}${value}`,
    sentence,
    hint,
  })),
});

/** A failure as the customer reads it: what our own people have to do is not his to do. */
function inWords({ code, actor, sentence, hint }: FailureReport): NoticeFailure {
  if (code === "format-unconfirmed") {
    return {
      sentence: "How the files of this list are written is not agreed yet, so nothing can be said of this one.",
      hint: "Send the first file to the usual address: with it the format is agreed. Then ask again.",
    };
  }
  if (actor === "customer") return { sentence, hint };
  if (actor === "operator") {
    return {
      sentence,
      hint: "If the file is as it should be, tell the people who receive your data before you send it.",
    };
  }
  return {
    sentence: "A fault of ours keeps us from comparing the file.",
    hint: "Nothing for you to do: we have been told.",
  };
}
