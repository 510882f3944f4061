/** What the ERPs of five small customers mail in thirty days, drawn from a seed. */
import type { Adapter } from "../../src/domain/adapter.ts";
import { type Chance, chanceOf } from "../simulation/random.ts";
import { csv, FEEDS } from "./feeds.ts";
import type { Sent } from "./world.ts";

const DAY = 86_400_000;
const HOUR = 3_600_000;
const KEYS = 30;

type Row = readonly [sku: string, qty: number | string, note?: string];

/** The mails of each day, in the order in which they arrive. */
export function mailsOfDays(seed: string, startMs: number, days: number): readonly (readonly Sent[])[] {
  const chance = chanceOf(seed);
  const feeds = FEEDS.map((feed) => new ErpFeed(feed, chance.fork(`${feed.customer}/${feed.feed}`)));
  return Array.from({ length: days }, (_, day) => feeds.flatMap((feed) => feed.mails(startMs, day)));
}

class ErpFeed {
  readonly #feed: Adapter;
  readonly #chance: Chance;
  readonly #stock = new Map<string, Row>();
  #before: string | undefined;

  constructor(feed: Adapter, chance: Chance) {
    this.#feed = feed;
    this.#chance = chance;
    if (feed.mode === "full") for (let n = 0; n < KEYS; n++) this.#stock.set(`K${n}`, this.#row(`K${n}`));
  }

  mails(startMs: number, day: number): Sent[] {
    const { customer, feed } = this.#feed;
    const at = new Date(startMs + day * DAY + (feed === "orders" ? HOUR : 0));
    const stamp = at.toISOString().slice(0, 10).replaceAll("-", "");
    const carried = this.#feed.intake.carries[0];
    const comesAlong = carried !== undefined && this.#chance.hits(0.3);
    const mail: Sent = {
      customer,
      feed,
      name: `${feed}-${stamp}.csv`,
      text: this.#text(),
      at,
      ...(comesAlong
        ? { also: [{ name: `${carried}-${stamp}-early.csv`, text: csv([this.#row("K1"), this.#row("E1")]) }] }
        : {}),
    };
    const sent = [mail];
    // The sender's server has not heard that it was taken, and sends it once more on the next day.
    if (this.#chance.hits(0.1)) sent.push({ ...mail, arrivedAt: new Date(at.getTime() + 20 * HOUR) });
    if (this.#chance.hits(0.05)) {
      sent.push({
        ...mail,
        name: `${feed}-${stamp}-forged.csv`,
        from: "somebody@else.example",
        at: new Date(at.getTime() + HOUR),
      });
    }
    if (this.#chance.hits(0.05)) {
      sent.push({
        ...mail,
        name: "absence.csv",
        headers: { "Auto-Submitted": "auto-replied" },
        at: new Date(at.getTime() + HOUR),
      });
    }
    return sent;
  }

  /** Its whole state, or what has changed; now and then the very file of the day before. */
  #text(): string {
    if (this.#before !== undefined && this.#chance.hits(0.1)) return this.#before;
    const touched = new Map<string, Row>();
    for (let edits = this.#chance.int(1, 8); edits > 0; edits--) {
      const key = `K${this.#chance.int(0, KEYS - 1)}`;
      touched.set(key, this.#row(key));
      if (this.#feed.mode === "full" && this.#chance.hits(0.2)) this.#stock.delete(key);
      else this.#stock.set(key, touched.get(key)!);
    }
    const rows = this.#feed.mode === "full" ? [...this.#stock.values()] : [...touched.values()];
    // A key that stands twice: its last line counts. A row that nobody can read.
    if (rows.length > 1 && this.#chance.hits(0.3))
      rows.splice(this.#chance.int(0, rows.length), 0, this.#row(rows[0]![0]));
    if (this.#chance.hits(0.2)) rows.splice(this.#chance.int(0, rows.length), 0, ["K1", "many", "bad"]);
    this.#before = csv(rows);
    return this.#before;
  }

  /** Quantities stay of one size: what is proven here is not the gate. */
  #row(sku: string): Row {
    return [
      sku,
      this.#chance.hits(0.1) ? "" : this.#chance.int(10, 19),
      this.#chance.hits(0.2) ? "" : `n${this.#chance.int(0, 3)}`,
    ];
  }
}
