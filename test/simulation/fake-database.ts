/** The way to the database: the driver's requests, carried out by the engine when the scheduler says so, or not. */
import { renderError } from "../../cli/local/neon-protocol.ts";
import { type Answer, type Engine, responseOf } from "./engine.ts";
import type { Chance } from "./random.ts";
import type { Actor, Scheduler } from "./scheduler.ts";
import type { Judgement, Weather } from "./weather.ts";

/** SQLSTATEs after which the same statement may succeed. */
const CONFLICTS = ["40001", "40P01", "55P03"] as const;
/** SQLSTATEs of a server that is going or not yet there. */
const AWAY = ["57P01", "57P03", "53300"] as const;

/** What brings the words of a mail or of a row to the database; letters and failures may quote them. */
const WRITES_SENT = /INSERT INTO (deliveries|files)|apply_chunk\(/;

const HOST = "database.invalid";

/** The actor's name is in its connection string, and so in each of its requests. */
export const databaseUrlOf = (actor: Actor): string => `postgresql://simulation:simulation@${HOST}/${actor.name}`;

const actorIn = (connectionString: string): string =>
  /[^/?]+(?=\?|$)/.exec(connectionString.slice(connectionString.indexOf(HOST) + HOST.length))?.[0] ?? "";

export class FakeDatabase {
  /** Deliveries and rows that hold one of these texts are refused for good: a fault that somebody has to fix. */
  readonly refused = new Set<string>();
  readonly #engine: Engine;
  readonly #scheduler: Scheduler;
  readonly #weather: Weather;
  readonly #chance: Chance;
  readonly #actors: ReadonlyMap<string, Actor>;

  constructor(
    engine: Engine,
    scheduler: Scheduler,
    weather: Weather,
    chance: Chance,
    actors: ReadonlyMap<string, Actor>,
  ) {
    this.#engine = engine;
    this.#scheduler = scheduler;
    this.#weather = weather;
    this.#chance = chance;
    this.#actors = actors;
  }

  /** What the product's driver sends its requests through. */
  readonly fetch = (async (_url: string, init: { headers: Record<string, string>; body: string }) => {
    const { headers, body } = init;
    const actor = this.#actors.get(actorIn(headers["Neon-Connection-String"] ?? ""));
    if (actor === undefined) throw new Error("a request of nobody came to the database");
    const judgement = this.#weather.judge("database", this.#scheduler.nowMs);
    const answered = this.#answeredError(judgement);
    const fate = this.#weather.fate(judgement, () => this.#thrownError(judgement));
    const perform = async (): Promise<Answer> => {
      const poison = WRITES_SENT.test(body) && [...this.refused].find((text) => body.includes(text));
      if (typeof poison === "string") return refusal("22P02", `invalid input syntax: "${poison}"`);
      return this.#engine.answer(headers, body);
    };
    if (answered === undefined) {
      return responseOf(await this.#scheduler.effect(actor, nameOf(body), fate, perform));
    }
    const { doneAfterMs: _, error: __, ...refused } = fate;
    return responseOf(
      await this.#scheduler.effect(actor, nameOf(body), { ...refused, doneAfterMs: 0 }, () => answered),
    );
  }) as unknown as typeof fetch;

  /** Trouble that comes as an answer of the server. */
  #answeredError({ trouble }: Judgement): Answer | undefined {
    if (trouble === "conflict") return refusal(this.#chance.pick(CONFLICTS), "could not serialize access");
    if (trouble !== "away" || this.#chance.hits(0.4)) return undefined;
    if (this.#chance.hits(0.5)) return refusal(this.#chance.pick(AWAY), "the database system is shutting down");
    return { status: this.#chance.pick([500, 502, 503, 504]), body: "upstream connect error" };
  }

  /** Trouble of the way there or back. */
  #thrownError({ trouble, answerAfterMs }: Judgement): Error {
    if (trouble === "timeout" || answerAfterMs > 1_000) {
      return new DOMException("The operation was aborted due to timeout", "TimeoutError");
    }
    return new TypeError("fetch failed");
  }
}

const refusal = (code: string, message: string): Answer => ({
  status: 400,
  body: renderError(message, { code, severity: "ERROR" }),
});

/** A few words of a request for the trace: what is called, or what is written. */
function nameOf(body: string): string {
  const called = [
    ...body.matchAll(
      /\b(\w+_(?:lease|file|chunk|version|partitions))\(|\b(INSERT INTO|UPDATE|DELETE FROM|FROM) (\w+)/g,
    ),
  ];
  const [first] = called;
  const name = first === undefined ? body.slice(0, 40) : (first[1] ?? `${first[2]} ${first[3]}`);
  return `db ${name}${body.startsWith('{"queries"') ? " …" : ""}`;
}
