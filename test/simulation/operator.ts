/**
 * Somebody of ours who looks after what waits: dead letters, which are sent again in one way or another when their cause is
 * fixed, and deliveries in quarantine, which are released.
 */
import type { Chance } from "./random.ts";
import type { HttpRequest, World } from "./world.ts";

const MINUTE = 60_000;
/** From one look at the letters to the next. */
const LOOKS_EVERY_MS = 20 * MINUTE;

interface Listed {
  readonly id: string;
  readonly cause: string;
}

export class Operator {
  readonly #world: World;
  readonly #chance: Chance;

  /** Fixes what the database refuses at `fixMs`, and looks from then on until `untilMs`. */
  constructor(world: World, fixMs: number, untilMs: number) {
    this.#world = world;
    this.#chance = world.chance.fork("operator");
    world.scheduler.at(fixMs, () => world.database.refused.clear());
    for (let at = fixMs + MINUTE; at <= untilMs; at += LOOKS_EVERY_MS) world.scheduler.at(at, () => this.#look());
  }

  #look(): void {
    this.#release();
    this.#world.http({ method: "GET", path: "/v1/dead-letters?state=open" }, ({ status, body }) => {
      if (status !== 200) return;
      const letters: readonly Listed[] = JSON.parse(body).items;
      if (letters.length > 0) this.#world.scheduler.after(MINUTE, () => this.#decide(letters));
    });
  }

  #release(): void {
    this.#world.http({ method: "GET", path: "/v1/deliveries?state=quarantined" }, ({ status, body }) => {
      if (status !== 200) return;
      for (const { id } of JSON.parse(body).items) this.#post(`/v1/deliveries/${id}/release`, {});
    });
  }

  #decide(letters: readonly Listed[]): void {
    const causes = [...new Set(letters.map(({ cause }) => cause))];
    const redrive = "/v1/dead-letters/redrive";
    const way = this.#chance.pick(["one by one", "some", "all of a cause", "the cause is fixed"] as const);
    switch (way) {
      case "one by one":
        for (const { id } of letters) this.#post(`/v1/dead-letters/${id}/redrive`, {});
        return;
      case "some":
        this.#post(redrive, { ids: letters.map(({ id }) => id) });
        return;
      case "all of a cause":
        for (const cause of causes) this.#post(redrive, { cause });
        return;
      case "the cause is fixed":
        for (const cause of causes) this.#post(`/v1/dead-letters/causes/${encodeURIComponent(cause)}/fixed`, {});
    }
  }

  /** Sent once: what gets lost is decided again at the next look. */
  #post(path: string, body: unknown): void {
    const request: HttpRequest = {
      method: "POST",
      path,
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    };
    this.#world.http(request, () => undefined);
  }
}
