/**
 * Those who decide about files that the gate holds: an operator over the API, and whoever has the mail, by its link. They decide
 * more than once, one against the other, or never.
 */
import type { Engine } from "./engine.ts";
import type { Chance } from "./random.ts";
import type { HttpAnswer, World } from "./world.ts";

const MINUTE = 60_000;
/** From one look at what is held to the next. */
const LOOKS_EVERY_MS = 13 * MINUTE;

const DECISIONS = ["release", "widen", "reject"] as const;
type Decision = (typeof DECISIONS)[number];

/** A decision that was answered as having been made. */
export interface ToldDecision {
  readonly hold: string;
  readonly decision: Decision;
}

const JSON_BODY = { "Content-Type": "application/json" };

/** A file, or a report of drift. */
interface Waiting {
  readonly id: string;
  readonly failure?: { readonly code: string } | null;
}

interface Listed {
  readonly id: string;
  readonly file_id: string;
}

export class Deciders {
  /** What the API has said yes to. */
  readonly told: ToldDecision[] = [];
  readonly #world: World;
  readonly #engine: Engine;
  readonly #chance: Chance;
  /** How much of what is held they get to. */
  readonly #diligence: number;

  /** They look from now on until `untilMs`. */
  constructor(world: World, engine: Engine, untilMs: number) {
    this.#world = world;
    this.#engine = engine;
    this.#chance = world.chance.fork("deciders");
    this.#diligence = this.#chance.pick([0.2, 0.7, 1]);
    const { scheduler } = world;
    for (let at = scheduler.nowMs; at <= untilMs; at += LOOKS_EVERY_MS) scheduler.at(at, () => this.#look());
  }

  #look(): void {
    if (this.#chance.hits(0.5)) this.#lookAround();
    this.#world.http({ method: "GET", path: "/v1/holds" }, ({ status, body }) => {
      if (status !== 200) return;
      const holds: readonly Listed[] = JSON.parse(body).items;
      for (const hold of holds) if (this.#chance.hits(this.#diligence)) this.#soon(hold);
    });
  }

  /** What waits for a yes or a no of another kind. */
  #lookAround(): void {
    this.#list("/v1/files?state=held", ({ id, failure }) => {
      if (failure?.code === "retires-more-than-planned") this.#post(`/v1/files/${id}/release`);
    });
    this.#list("/v1/drift?state=waiting", ({ id }) =>
      this.#post(`/v1/drift/${id}/${this.#chance.hits(0.7) ? "release" : "reject"}`),
    );
  }

  #list(path: string, decide: (one: Waiting) => void): void {
    this.#world.http({ method: "GET", path }, ({ status, body }) => {
      const items: readonly Waiting[] = status === 200 ? JSON.parse(body).items : [];
      for (const one of items) if (this.#chance.hits(this.#diligence)) decide(one);
    });
  }

  #post(path: string): void {
    this.#world.http({ method: "POST", path, headers: JSON_BODY, body: "{}" }, () => undefined);
  }

  /** Now and then two who do not know of each other. */
  #soon(hold: Listed): void {
    for (let times = this.#chance.hits(0.2) ? 2 : 1; times > 0; times--) {
      this.#world.scheduler.after(this.#chance.spread(MINUTE / 60, 5 * MINUTE), () =>
        this.#chance.hits(0.3) ? this.#byLink(hold) : this.#byApi(hold, this.#chance.pick(DECISIONS)),
      );
    }
  }

  #byApi({ id, file_id }: Listed, decision: Decision): void {
    const path = `/v1/files/${file_id}/${decision === "reject" ? "reject" : "release"}`;
    const body = decision === "reject" ? JSON.stringify({ reason: "it is wrong" }) : "{}";
    const request = {
      method: "POST",
      path: decision === "widen" ? `${path}?widen=true` : path,
      headers: JSON_BODY,
      body,
    } as const;
    this.#world.http(request, (answer) => this.#heard(id, decision, answer));
  }

  #heard(asked: string, decision: Decision, { status, body }: HttpAnswer): void {
    if (status !== 200 && status !== 202) return;
    // The file may have been held once more since they looked.
    const { hold } = JSON.parse(body);
    this.told.push({ hold: hold?.id ?? asked, decision });
  }

  /** Opens the page of a link, as mail programs do, and presses its button. */
  async #byLink({ file_id }: Listed): Promise<void> {
    const mails = await this.#engine.rows<{ text: string }>(
      "SELECT body_text AS text FROM notifications WHERE file_id = $1 AND key LIKE 'blast-radius%' ORDER BY id",
      [file_id],
    );
    const links = mails.flatMap(({ text }) => text.match(/\/hold\/[\w.-]+/g) ?? []);
    if (links.length === 0) return;
    const path = this.#chance.pick(links);
    this.#world.http({ method: "GET", path }, ({ status }) => {
      if (status === 200) this.#world.http({ method: "POST", path }, () => undefined);
    });
  }
}
