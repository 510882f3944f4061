/**
 * The mail servers of the customers: a temporary error is tried again with the very same message under other transport
 * headers, a final no never; some messages are sent twice.
 * Uploads are sent by a program that does the same with its Idempotency-Key.
 */
import type { Chance } from "./random.ts";
import type { SentMail } from "./workload.ts";
import type { HttpAnswer, SmtpAnswer, World } from "./world.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Chance that a temporary error is the last that its sender wants to hear. */
const GIVES_UP = 0.1;

/** What the sender of a mail knows of it. */
export interface Told {
  accepted: boolean;
  refused?: string;
  /** When a session began. */
  readonly sessionsMs: number[];
}

export class Senders {
  readonly told = new Map<string, Told>();
  readonly #world: World;
  readonly #chance: Chance;
  #open = 0;

  constructor(world: World, mails: readonly SentMail[]) {
    this.#world = world;
    this.#chance = world.chance.fork("senders");
    for (const mail of mails) {
      this.told.set(mail.messageId, { accepted: false, sessionsMs: [] });
      this.#later(mail.submitMs, mail, 1);
    }
  }

  /** Messages that still have to be delivered, or sent again. */
  get open(): number {
    return this.#open;
  }

  #later(atMs: number, mail: SentMail, attempt: number): void {
    this.#open++;
    this.#world.scheduler.at(atMs, () => this.#send(mail, attempt));
  }

  #send(mail: SentMail, attempt: number): void {
    const { scheduler } = this.#world;
    const told = this.told.get(mail.messageId)!;
    told.sessionsMs.push(scheduler.nowMs);
    this.#deliver(mail, attempt, (answer) => {
      this.#open--;
      if (answer.kind === "refused") {
        told.refused = answer.why;
      } else if (answer.kind === "temporary") {
        // Some give up, whatever had been archived by then.
        if (this.#chance.hits(GIVES_UP)) return;
        this.#later(scheduler.nowMs + this.#chance.spread(30 * SECOND, 30 * MINUTE), mail, attempt + 1);
      } else if (!told.accepted) {
        told.accepted = true;
        if (mail.againMs !== undefined) this.#later(scheduler.nowMs + mail.againMs, mail, attempt + 1);
      }
    });
  }

  #deliver(mail: SentMail, attempt: number, answered: (answer: SmtpAnswer) => void): void {
    const { customer, kind, from, to, messageId, upload } = mail;
    if (upload === undefined) {
      this.#world.smtp(
        { from, to, raw: withTransportHeaders(mail.raw, this.#world.scheduler.nowMs, attempt) },
        answered,
      );
      return;
    }
    const path = `/v1/feeds/${customer}/${kind.slug}/files?name=${encodeURIComponent(upload.name)}`;
    const headers = { "Content-Type": "text/csv", "Idempotency-Key": messageId };
    this.#world.http({ method: "POST", path, headers, body: upload.text }, (answer) => answered(smtpOf(answer)));
  }
}

/** The status says what SMTP says in its way. */
function smtpOf({ status, body }: HttpAnswer): SmtpAnswer {
  if (status === 202) return { kind: "accepted" };
  const why = `${status} ${body}`;
  return status === 0 || status >= 500 ? { kind: "temporary", why } : { kind: "refused", why };
}

/** What servers put on top on the way: other words at every attempt. */
function withTransportHeaders(raw: Uint8Array, nowMs: number, attempt: number): Uint8Array<ArrayBuffer> {
  const head = `Received: from relay${attempt}.example by mx.example; ${new Date(nowMs).toUTCString()}\r\n`;
  return new Uint8Array(Buffer.concat([Buffer.from(head), raw]));
}
