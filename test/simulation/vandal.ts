/** Somebody who changes records behind the back of their files: edits them, deletes them, retires them, adds one. */
import type { Engine } from "./engine.ts";
import { CHECKED } from "./feeds.ts";
import type { Chance } from "./random.ts";
import { CURSED_KEY, type SentMail } from "./workload.ts";
import type { World } from "./world.ts";

const DEEDS = ["edit", "delete", "retire", "add"] as const;

/** What was done to a record, and when. */
export interface Deed {
  readonly feed: string;
  readonly key: string;
  readonly deed: (typeof DEEDS)[number];
  readonly atMs: number;
}

/** A value that no file says. */
const FOREIGN_QTY = 777;

const SQL: Readonly<Record<Deed["deed"], string>> = {
  edit: `UPDATE records SET data = data || '{"qty": ${FOREIGN_QTY}}' WHERE id = $1::bigint AND $2::text IS NOT NULL`,
  delete: "DELETE FROM records WHERE id = $1::bigint AND $2::text IS NOT NULL",
  retire: "UPDATE records SET status = 'retired' WHERE id = $1::bigint AND $2::text IS NOT NULL",
  add: `INSERT INTO records (customer_id, feed_id, natural_key, row_hash, data, order_key, line, file_id)
    SELECT customer_id, feed_id, $2, md5($2)::uuid, data || jsonb_build_object('sku', $2::text, 'qty', ${FOREIGN_QTY}), order_key, line, file_id
    FROM records WHERE id = $1::bigint`,
};

export class Vandal {
  readonly deeds: Deed[] = [];
  readonly #world: World;
  readonly #engine: Engine;
  readonly #chance: Chance;

  /** Strikes feeds that a snapshot is about, a few times, before the last of them is sent. */
  constructor(world: World, engine: Engine, snapshots: readonly SentMail[]) {
    this.#world = world;
    this.#engine = engine;
    this.#chance = world.chance.fork("vandal");
    const { scheduler } = world;
    for (const { customer, submitMs } of snapshots) {
      for (let times = this.#chance.int(0, 3); times > 0; times--) {
        const at = this.#chance.int(scheduler.nowMs, submitMs);
        scheduler.at(at, () => this.#strike(`${customer}/${CHECKED.slug}`));
      }
    }
  }

  async #strike(feed: string): Promise<void> {
    const records = await this.#engine.rows<{ id: string; key: string }>(
      `SELECT r.id::text, r.natural_key AS key FROM records r JOIN feeds f ON f.id = r.feed_id JOIN customers c ON c.id = r.customer_id
       WHERE c.slug || '/' || f.slug = $1 AND r.status = 'active' AND r.natural_key <> $2 ORDER BY r.natural_key`,
      [feed, CURSED_KEY],
    );
    if (records.length === 0) return;
    const { id, key } = this.#chance.pick(records);
    const deed = this.#chance.pick(DEEDS);
    const name = deed === "add" ? `H${this.deeds.length}` : key;
    const { nowMs, trace } = this.#world.scheduler;
    await this.#engine.rows(SQL[deed], [id, name]);
    this.deeds.push({ feed, key: name, deed, atMs: nowMs });
    trace.line(nowMs, "vandal", `${deed} ${feed} ${name}`);
  }
}
