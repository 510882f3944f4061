/**
 * Somebody who has the archive read again, for real or as a shadow, pauses and cancels that; and who asks now and then what a
 * file would do.
 */
import type { Chance } from "./random.ts";
import { type SentMail, textOf } from "./workload.ts";
import type { World } from "./world.ts";

const MINUTE = 60_000;
const JSON_BODY = { "Content-Type": "application/json" };

/** What only asks is known by its key. */
const ASKED = "asked-";
export const isAsked = (messageId: string): boolean => messageId.startsWith(ASKED);

export class Replayer {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #mails: readonly SentMail[];

  /** Until then all is begun, and what is paused goes on. */
  constructor(world: World, mails: readonly SentMail[], untilMs: number) {
    this.#world = world;
    this.#mails = mails;
    this.#chance = world.chance.fork("replayer");
    const { scheduler } = world;
    const sometime = () => this.#chance.int(scheduler.nowMs, untilMs);
    for (let times = this.#chance.int(0, 2); times > 0; times--) scheduler.at(sometime(), () => this.#replay(untilMs));
    for (let times = this.#chance.int(0, 3); times > 0; times--) {
      const key = `${ASKED}${times}`;
      scheduler.at(sometime(), () => this.#ask(key));
    }
  }

  #replay(untilMs: number): void {
    const { customer, kind } = this.#chance.pick(this.#mails);
    const scope = this.#chance.pick([{ all: true }, { customer }, { customer, feed: kind.slug }]);
    const asked = { ...scope, shadow: this.#chance.hits(0.4), gate: this.#chance.pick(["judge", "pass"]) };
    this.#post("/v1/replays", asked, (body) => {
      const { id } = JSON.parse(body).replay;
      const { scheduler } = this.#world;
      if (!this.#chance.hits(0.4)) return;
      scheduler.after(this.#chance.spread(1_000, 30 * MINUTE), () => {
        if (this.#chance.hits(0.3)) return this.#post(`/v1/replays/${id}/cancel`, {});
        this.#post(`/v1/replays/${id}/pause`, {});
        scheduler.at(Math.max(scheduler.nowMs + MINUTE, untilMs), () => this.#post(`/v1/replays/${id}/resume`, {}));
      });
    });
  }

  /** A file of a mail, or of one that will be sent, as an upload that only asks. */
  #ask(key: string): void {
    const { customer, kind, files, fate } = this.#chance.pick(this.#mails);
    const [file] = files;
    if (file === undefined || fate !== "applied" || kind.mode === "snapshot") return;
    const path = `/v1/feeds/${customer}/${kind.slug}/files?name=${encodeURIComponent(file.name)}&dry_run=true`;
    const headers = { "Content-Type": "text/csv", "Idempotency-Key": key };
    this.#world.http({ method: "POST", path, headers, body: textOf(file) }, () => undefined);
  }

  #post(path: string, body: unknown, then: (body: string) => void = () => undefined): void {
    this.#world.http({ method: "POST", path, headers: JSON_BODY, body: JSON.stringify(body) }, (answer) => {
      if (answer.status === 202) then(answer.body);
    });
  }
}
