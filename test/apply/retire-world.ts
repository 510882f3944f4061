/** The world of the apply tests with what retires: files are planned, forecast, applied, retired and closed. */
import { applyFile } from "../../src/apply/apply-file.ts";
import type { ApplyDeps } from "../../src/apply/deps.ts";
import { acquireLease, giveBack, heldLease } from "../../src/apply/lease.ts";
import { forecastRetirement, type Retirement, retireMissing } from "../../src/apply/retire.ts";
import { failure } from "../../src/domain/failures.ts";
import { type Forecast, retirements } from "../../src/domain/retirement.ts";
import type { TestFile, World } from "./world.ts";

export interface Retiring {
  /** Records that the gate lets go; as many as the forecast says where absent. */
  readonly allowed?: number;
}

export interface Retired {
  readonly forecast: Forecast;
  readonly retirement: Retirement;
}

/** As the apply handler will: what is missing is known before anything is applied, and retired after all of it is. */
export async function applyAndRetire(
  world: World,
  file: TestFile,
  { allowed }: Retiring = {},
  deps: ApplyDeps = world.deps(),
): Promise<Retired | undefined> {
  const token = deps.token();
  const acquired = await acquireLease(deps, file.id, token);
  if (acquired.is !== "acquired") return undefined;
  const taken = acquired.file;
  try {
    const lease = heldLease(deps, file.id, token);
    // A first load is planned whole; where the feed has records a full file is compared.
    const plan = await deps.plan({ ...taken, planMode: "diff" }, lease);
    const forecast = await forecastRetirement(deps, file.id);
    await applyFile(deps, taken, plan, lease);
    const judged = allowed ?? retirements(forecast);
    const retirement = await retireMissing(deps, taken, plan, { allowed: judged }, lease);
    const [closed] = await deps.database.query<{ outcome: string }>(
      "SELECT outcome FROM close_file($1, $2, $3, '{}', NULL)",
      [file.id, token, plan.superseded],
    );
    if (closed?.outcome === "lease-lost") throw failure("lease-lost", { file: file.id });
    if (closed?.outcome !== "applied") throw new Error(`The file is ${closed?.outcome}`);
    return { forecast, retirement };
  } catch (thrown) {
    await giveBack(deps, file.id, token);
    throw thrown;
  }
}

/** Active records: key → value. */
export async function activeOf(world: World, feedId: number): Promise<Record<string, number>> {
  const rows = await world.database.query<{ key: string; value: number }>(
    `SELECT natural_key AS key, (data->>'value')::int AS value FROM records WHERE feed_id = $1 AND status = 'active' ORDER BY natural_key`,
    [feedId],
  );
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

export interface Event {
  readonly key: string;
  readonly kind: "inserted" | "changed" | "retired" | "restored";
  readonly version: number;
  readonly line: number;
  readonly before: unknown;
  readonly after: unknown;
  /** The record's own. */
  readonly version_now: number;
  readonly status_now: "active" | "retired";
  readonly data_now: unknown;
}

/** The history of each record of a feed, from its first version on. */
export async function historyOf(world: World, feedId: number): Promise<Map<string, Event[]>> {
  const events = await world.database.query<Event>(
    `SELECT r.natural_key AS key, c.kind::text, c.version, c.line, c.before, c.after, r.version AS version_now,
       r.status AS status_now, r.data AS data_now
     FROM records r LEFT JOIN changes c ON c.record_id = r.id WHERE r.feed_id = $1 ORDER BY r.natural_key, c.version`,
    [feedId],
  );
  return Map.groupBy(events, ({ key }) => key);
}

/** What is wrong with the histories of a feed: one event a version, each from where the last one ended. */
export function flawsOf(history: ReadonlyMap<string, readonly Event[]>): string[] {
  const flaws: string[] = [];
  for (const [key, events] of history) {
    let image: unknown = null;
    let active = false;
    for (const [i, event] of events.entries()) {
      const say = (what: string): unknown => flaws.push(`${key} version ${event.version} (${event.kind}): ${what}`);
      if (event.version !== i + 1) say(`is the event ${i + 1}`);
      const expected: readonly Event["kind"][] =
        i === 0 ? ["inserted"] : active ? ["changed", "retired"] : ["restored"];
      if (!expected.includes(event.kind)) say(`instead of ${expected}`);
      if (JSON.stringify(event.before) !== JSON.stringify(image)) say("another before image");
      active = event.kind !== "retired";
      if (active !== (event.after !== null)) say("another after image");
      image = event.after ?? event.before;
    }
    const last = events.at(-1)!;
    if (last.version !== last.version_now)
      flaws.push(`${key} is version ${last.version_now} after ${last.version} events`);
    if (active !== (last.status_now === "active")) flaws.push(`${key} is ${last.status_now} after ${last.kind}`);
    if (JSON.stringify(image) !== JSON.stringify(last.data_now)) flaws.push(`${key} holds what no event says`);
  }
  return flaws;
}
