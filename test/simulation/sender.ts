/**
 * The mail servers of the customers: a temporary error is tried again with the very same message under other transport
 * headers, a final no never; some messages are sent twice.
 */
import type { Chance } from "./random.ts";
import type { SentMail } from "./workload.ts";
import type { World } from "./world.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

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
    const raw = withTransportHeaders(mail.raw, scheduler.nowMs, attempt);
    this.#world.smtp({ from: mail.from, to: mail.to, raw }, (answer) => {
      this.#open--;
      if (answer.kind === "refused") {
        told.refused = answer.why;
      } else if (answer.kind === "temporary") {
        this.#later(scheduler.nowMs + this.#chance.spread(30 * SECOND, 30 * MINUTE), mail, attempt + 1);
      } else if (!told.accepted) {
        told.accepted = true;
        if (mail.againMs !== undefined) this.#later(scheduler.nowMs + mail.againMs, mail, attempt + 1);
      }
    });
  }
}

/** What servers put on top on the way: other words at every attempt. */
function withTransportHeaders(raw: Uint8Array, nowMs: number, attempt: number): Uint8Array<ArrayBuffer> {
  const head = `Received: from relay${attempt}.example by mx.example; ${new Date(nowMs).toUTCString()}\r\n`;
  return new Uint8Array(Buffer.concat([Buffer.from(head), raw]));
}
