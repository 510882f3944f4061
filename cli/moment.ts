/** A moment as people type it. */
import { UsageError } from "./command.ts";

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

/** ISO, in UTC. A day is its beginning in UTC. Throws UsageError for what is no moment or says no time zone. */
export function momentOf(option: string, text: string): string {
  const at = DAY.test(text) || TIME.test(text) ? new Date(text) : new Date(Number.NaN);
  if (!Number.isNaN(at.getTime())) return at.toISOString();
  throw new UsageError(
    `--${option} takes a time such as 2026-11-20T08:00:00Z, or a day such as 2026-11-20, not ${JSON.stringify(text)}`,
  );
}
