/**
 * The pages behind the links of a hold mail, for a person who sees this system for the first time: what happened, what would
 * happen, and one button; afterwards what is the case now. No scripts, nothing loaded, everything escaped. Pure.
 */

import type { HoldAction, HoldLink } from "../../gate/link.ts";
import { wideningSentences } from "../../gate/widen.ts";
import { holderName, isOver } from "../../holds/decide.ts";
import type { Hold } from "../../holds/deps.ts";
import { noticeOf } from "../../holds/notice.ts";
import { toldOf } from "../../notify/blast-radius.ts";
import { type Block, blockHtml, escaped, framed } from "../../notify/blocks.ts";
import { fileFacts, timeText } from "../../notify/parts.ts";

export interface Page {
  readonly status: 200 | 404 | 409 | 410 | 500 | 503;
  readonly html: string;
}

type Recipient = HoldLink["recipient"];

interface Button {
  readonly kind: "button";
  readonly label: string;
  readonly action: HoldAction;
}

const text = (said: string): Block => ({ kind: "text", text: said });

function page(status: Page["status"], title: string, blocks: readonly (Block | Button)[]): Page {
  const parts = [{ kind: "title" as const, text: title }, ...blocks].map((block) =>
    block.kind === "button" ? buttonHtml(block) : blockHtml(block),
  );
  return { status, html: framed(title, parts) };
}

/** It posts to the page's own address: the token stands in no second place. */
function buttonHtml({ label, action }: Button): string {
  const colour = action === "reject" ? "#b91c1c" : "#1d4ed8";
  const style = `padding:11px 20px;border:0;border-radius:6px;background:${colour};color:#ffffff;font:inherit;font-weight:600;cursor:pointer`;
  return `<form method="post" style="margin:16px 0"><button type="submit" style="${style}">${escaped(label)}</button></form>`;
}

interface Ask {
  readonly title: string;
  readonly button: string;
  readonly does: string;
}

const ASK: Readonly<Record<HoldAction, Ask>> = {
  release: {
    title: "Apply this file?",
    button: "Apply the file",
    does: "The file is applied, with all that is said above. The limits of the feed stay as they are.",
  },
  widen: {
    title: "Apply this file and widen the limits?",
    button: "Apply it and widen the limits",
    does: "The file is applied, with all that is said above, and files like it pass from then on. In them:",
  },
  reject: {
    title: "Reject this file?",
    button: "Reject the file",
    does: "Nothing of the file is applied, now or later. The records stay as they are.",
  },
};

const ASK_CONTACT: Ask = {
  title: "Throw this file away?",
  button: "Throw the file away",
  does: "The file is thrown away. Nothing of it is loaded, and your data stays as it was before this file. You can correct the export and send the file again as usual.",
};

/** Shows what the link decides. Mail programs and scanners open it, too: nothing is changed by that, and the page says so. */
export function askPage(hold: Hold, { action, recipient }: Pick<HoldLink, "action" | "recipient">): Page {
  const notice = noticeOf(hold, recipient, {}, false);
  const toContact = recipient === "contact";
  const ask = toContact ? ASK_CONTACT : ASK[action];
  return page(200, ask.title, [
    text(
      toContact
        ? `Your file for “${hold.feedTitle}” has arrived and can be read. But it would change far more than your files usually do, so it was stopped before anything was loaded.`
        : `A file of ${hold.customerTitle}, ${hold.feedTitle} is held: it would do far more than the files of this feed usually do. Nothing of it was applied.`,
    ),
    fileFacts(notice),
    ...toldOf(notice),
    { kind: "heading", text: "What happens when you press the button" },
    text(ask.does),
    ...(action === "widen" ? [widened(hold)] : []),
    ...(hold.behind === 0 ? [] : [text(waiting(hold.behind, toContact))]),
    { kind: "button", label: ask.button, action },
    ...(toContact
      ? [
          text(
            `Is the file right? Then do not press the button. Tell the people who receive your data that file ${hold.fileId} is right: they can load it at once.`,
          ),
        ]
      : []),
    {
      kind: "note",
      text: `Opening this page has changed nothing. If nobody decides until ${timeText(hold.expiresAt)}, the file is ${toContact ? "not loaded" : "rejected"}.`,
    },
  ]);
}

function widened({ widening }: Hold): Block {
  const sentences = wideningSentences(widening);
  if (sentences.length > 0) return { kind: "list", items: sentences };
  return text("Of what it tripped nothing can be widened: this is the same as applying it.");
}

function waiting(behind: number, toContact: boolean): string {
  const one = behind === 1;
  const files = one
    ? "The newer file that waits behind it goes on"
    : `The ${behind} newer files that wait behind it go on`;
  return `${files}${toContact ? `, and ${one ? "is" : "are"} checked in the same way` : ""}.`;
}

/** What was pressed, and whether it was that which decided. */
export interface Pressed {
  readonly action: HoldAction;
  readonly decided: boolean;
}

/** What is the case now: after the button was pressed, or because a link comes too late. */
export function nowPage(hold: Hold, recipient: Recipient, now: Date, pressed?: Pressed): Page {
  const { title, said } = (recipient === "contact" ? toContactNow : toOperatorNow)(hold, now);
  const other = pressed !== undefined && !pressed.decided && pressed.action !== hold.decision;
  return page(statusOf(hold, other), title, [
    ...said.map(text),
    ...(other ? [text("Pressing the button has changed nothing: what was decided first counts.")] : []),
    ...(other && recipient === "contact" && isReleased(hold) ? [text(SEND_AGAIN_IF_WRONG)] : []),
    ...decidedText(hold, recipient),
    fileFacts(noticeOf(hold, recipient, {}, false)),
    { kind: "note", text: `File ${hold.fileId} of delivery ${hold.deliveryId}. You can close this page.` },
  ]);
}

const isReleased = ({ decision }: Hold): boolean => decision === "release" || decision === "widen";
const SEND_AGAIN_IF_WRONG = "If the file is wrong all the same, correct the export and send it again as usual.";
const SEND_AGAIN_IF_NEEDED = "If its data is still needed, please send the file again as usual.";

function statusOf({ decision }: Hold, other: boolean): Page["status"] {
  if (decision === null) return 410;
  return other ? 409 : 200;
}

/** When, and by whom as far as the reader knows them; nothing where nobody decided. */
function decidedText({ decision, decidedAt, decidedBy }: Hold, recipient: Recipient): Block[] {
  if (decision === null || decision === "expire" || decision === "supersede") return [];
  const at = `This was decided on ${timeText(decidedAt ?? "")}`;
  const byLink = (["contact", "operator"] as const).find((who) => decidedBy === holderName(who));
  if (recipient === "operator") {
    return [text(`${at} by ${byLink === undefined ? decidedBy : `the ${byLink}, through the link in the mail`}.`)];
  }
  return [
    text(`${at} ${byLink === "contact" ? "through the link in your mail" : "by the people who receive your data"}.`),
  ];
}

interface Now {
  readonly title: string;
  readonly said: readonly string[];
}

function toContactNow(hold: Hold, now: Date): Now {
  const { decision, state, expiresAt } = hold;
  switch (decision) {
    case "release":
    case "widen":
      if (state === "applied")
        return { title: "The file is loaded", said: ["It was found to be right and is loaded."] };
      return { title: "The file is let through", said: ["It was found to be right and is on its way into your data."] };
    case "reject":
      return {
        title: "The file is thrown away",
        said: [
          "Nothing of it is loaded. Your data is as it was before this file.",
          "Please correct the export and send the file again as usual, if you have not done so yet.",
        ],
      };
    case "expire":
      return {
        title: "The file was not loaded",
        said: [
          `Nobody had decided about it until ${timeText(expiresAt)}, so it was thrown away by itself. Your data is as it was before this file.`,
          SEND_AGAIN_IF_NEEDED,
        ],
      };
    case "supersede":
      return {
        title: "A newer file has taken its place",
        said: [
          "Your newer file says all again and is loaded, so this one is done with. There is nothing for you to do.",
        ],
      };
    case null:
      return isOver(hold, now) ? over(expiresAt, "loaded", SEND_AGAIN_IF_NEEDED) : MOVED;
  }
}

function toOperatorNow(hold: Hold, now: Date): Now {
  const { decision, state, expiresAt } = hold;
  switch (decision) {
    case "release":
    case "widen": {
      const wider = decision === "widen" ? ["Files like it pass from now on."] : [];
      if (state === "applied") return { title: "The file is applied", said: wider };
      if (state === "parsed" || state === "applying") {
        return { title: "The file is being applied", said: ["It was released.", ...wider] };
      }
      return { title: "The file was released", said: [`It is “${state}” now.`, ...wider] };
    }
    case "reject":
      return { title: "The file is rejected", said: ["Nothing of it was applied, and nothing will be."] };
    case "expire":
      return {
        title: "The file was rejected",
        said: [`Nobody had decided about it until ${timeText(expiresAt)}. Nothing of it was applied.`],
      };
    case "supersede":
      return {
        title: "A newer file has taken its place",
        said: ["A newer file of the feed, which says all again, was applied. Nothing of this one was."],
      };
    case null:
      return isOver(hold, now) ? over(expiresAt, "applied") : MOVED;
  }
}

const over = (expiresAt: string, done: string, ...more: readonly string[]): Now => ({
  title: "The time to decide is over",
  said: [`It ended on ${timeText(expiresAt)}. Nothing of the file was ${done}, and nothing will be.`, ...more],
});

const MOVED: Now = {
  title: "There is nothing to decide any more",
  said: ["The file has gone on by another way since the mail was written."],
};

/** A token that is not ours, or of which nothing is known any more. Both say the same. */
export const brokenPage: Page = page(404, "This link cannot be used", [
  text(
    "It is not whole, or it is not from us. Some mail programs break long links in two: please copy the whole link out of the mail, from “https” to its last letter, into the address line of your browser.",
  ),
  text(
    "Nothing was changed. If it still does not work, tell the people who look after these files; the number of the file stands at the end of the mail.",
  ),
]);

/** Trouble of ours. Whether the decision was made is not known, and to press again does no harm. */
export const troublePage = (status: 500 | 503, requestId: string): Page =>
  page(status, "This does not work at the moment", [
    text(
      "The fault is ours. Please open the link in the mail again in a few minutes: it shows what is the case then, and nothing can be decided twice.",
    ),
    { kind: "note", text: `If it stays like this, tell the people who receive your data this number: ${requestId}` },
  ]);
