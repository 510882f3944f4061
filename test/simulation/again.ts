/** What is read again, or only asked about: nothing of it is anywhere, and what is read again for real says nothing new. */
import { isStopped } from "./holds.ts";
import { type KnownFile, text } from "./known.ts";
import type { Violation } from "./model.ts";
import type { HoldRow, MadeRow, Tables } from "./tables.ts";
import type { SentMail } from "./workload.ts";

/** Ends of a replay; one that is paused waits for somebody. */
const ENDED: readonly string[] = ["done", "cancelled", "paused"];
/** Of a delivery in it. */
const SETTLED: readonly string[] = ["done", "skipped", "failed"];

/** The files of replays for real, each right behind the one that is read again. */
export function replayed({ made }: Tables, known: readonly KnownFile[]): KnownFile[] {
  return made.flatMap((row): KnownFile[] => {
    const original = originalOf(row, known);
    if (row.cause !== "replay" || row.compare_only || original === undefined) return [];
    const { as_of_ms, received_ms, position } = original.row;
    return [{ ...original, row: { ...row, as_of_ms, received_ms, position: position + Number(row.id) / 1_000_000 } }];
  });
}

const originalOf = ({ delivery_id, path, feed }: MadeRow, known: readonly KnownFile[]): KnownFile | undefined =>
  known.find(({ row }) => row.delivery_id === delivery_id && row.path === path && row.feed === feed);

/** The hold of the file that came, where that was refused, or still waited, when it was read again for real. */
function stoppedBefore(row: MadeRow, { holds }: Tables, known: readonly KnownFile[]): HoldRow | undefined {
  const original = originalOf(row, known)?.row;
  if (row.started_ms === null || original === undefined || !isStopped(original)) return undefined;
  const last = holds.filter(({ file_id }) => file_id === original.id).at(-1);
  return last !== undefined && last.held_ms < row.started_ms ? last : undefined;
}

/**
 * `edited`: feeds whose records somebody has changed by hand; reading them again puts that right. `mails`: what the database
 * refuses dies when it is read again, too.
 */
export function againFaults(
  tables: Tables,
  mails: readonly SentMail[],
  known: readonly KnownFile[],
  edited: ReadonlySet<string>,
): Violation[] {
  const { archive, made, changes, traces, replays, items } = tables;
  const refused = new Set(mails.flatMap(({ messageId, poison }) => (poison === undefined ? [] : [messageId])));
  const cursed = new Set(archive.filter((object) => refused.has(object.message_id)).map(({ id }) => id));
  const ofFile = (row: MadeRow, rule: string, expected: string, found: unknown): Violation => ({
    rule,
    subject: `${row.feed} file ${row.id}, ${row.cause}`,
    about: [`"${row.id}"`, row.delivery_id.slice(0, 8)],
    expected,
    found: text(found),
  });
  const faults = made.flatMap((row): Violation[] => {
    const events = changes.filter(({ file_id }) => file_id === row.id);
    if (row.compare_only) {
      const trace = traces.find(({ file_id }) => file_id === row.id);
      const found = events[0] ?? trace;
      return found === undefined ? [] : [ofFile(row, "what only asks changes nothing", "nothing", found)];
    }
    const stopped = row.cause === "replay" ? stoppedBefore(row, tables, known) : undefined;
    if (stopped !== undefined) return [ofFile(row, "what is refused is not read again", "no file", stopped)];
    if (row.cause !== "replay" || events.length === 0 || edited.has(row.feed)) return [];
    const original = originalOf(row, known);
    const isSaid = original?.row.state === "applied" && original.row.applied_ms! < row.started_ms!;
    return isSaid ? [ofFile(row, "reading again changes nothing", "no event", { events, row })] : [];
  });
  const ofReplay = (id: string, rule: string, expected: string, found: unknown): Violation => ({
    rule,
    subject: `replay ${id}`,
    about: [`/v1/replays/${id}`, `"replay":"${id}"`],
    expected,
    found: text(found),
  });
  for (const replay of replays) {
    const { id, state } = replay;
    if (!ENDED.includes(state)) faults.push(ofReplay(id, "a replay comes to its end", ENDED.join(" or "), replay));
    const open = items.find((item) => item.replay_id === id && state === "done" && !SETTLED.includes(item.state));
    const failed = items.find(
      (item) => item.replay_id === id && item.state === "failed" && !cursed.has(item.delivery_id),
    );
    if (failed !== undefined) faults.push(ofReplay(id, "no replay fails by itself", "none failed", failed));
    if (open !== undefined) faults.push(ofReplay(id, "a replay that is done has done all", SETTLED.join(" or "), open));
  }
  return faults;
}
