/** The parse stage in the composition root: a delivery that came, or one of a replay. */
import type { Adapter } from "./domain/adapter.ts";
import { chunkKey } from "./domain/keys.ts";
import type { ParseDelivery } from "./domain/messages.ts";
import { answerDelivery } from "./dry-run/answer.ts";
import { answerDeps } from "./dry-running.ts";
import { composeMessage } from "./notify/compose.ts";
import type { ParseDeps } from "./parse/deps.ts";
import { parseHandler } from "./parse/handler.ts";
import type { Replay } from "./parse/reading.ts";
import { parseTables } from "./parse/tables.ts";
import { type Database, patient } from "./platform/postgres.ts";
import { objectSource, putBytes } from "./platform/r2.ts";
import type { ReplayDeps } from "./replay/deps.ts";
import { readingOf, replayDeps } from "./replaying.ts";
import { archived, enqueueApply, enqueueParse, type System } from "./surroundings.ts";
import { tellPeople } from "./telling.ts";

export const parseDeps = (feeds: readonly Adapter[], config: System, database: Database): ParseDeps => ({
  feeds,
  async openRaw(key) {
    const { facts, bytes } = await archived(config, key);
    return { facts, source: objectSource(config.store, key, bytes) };
  },
  archivePassword: config.archivePassword,
  compose: composeMessage,
  tables: parseTables(patient(database, config)),
  async putChunk(fileId, version, entry, bytes) {
    await putBytes(config.store, chunkKey(fileId, version, entry.n), bytes);
    // An isolate is shared, and what waits for bytes that are there already goes on before anybody else has a turn.
    await config.sleep(0);
  },
  enqueueApply: enqueueApply(config),
  log: config.log,
});

export async function parse(
  message: ParseDelivery,
  feeds: readonly Adapter[],
  config: System,
  database: Database,
  reading?: Replay,
): Promise<void> {
  let told = false;
  let asked: string | undefined;
  const deps = parseDeps(feeds, config, database);
  const { replay } = message;
  const reads: ParseDeps = {
    ...deps,
    async openRaw(key) {
      const opened = await deps.openRaw(key);
      asked = opened.facts.dryRun && opened.facts.id;
      return opened;
    },
    compose(notice) {
      told = true;
      return composeMessage(notice);
    },
    async enqueueApply(next) {
      await deps.enqueueApply(replay === undefined ? next : { ...next, replay });
    },
  };
  await parseHandler(message, reads, reading);
  // What could be read of it answers when it was compared; this is for a mail in which nothing could.
  const answering = { ...config, postgres: database };
  if (asked !== undefined && (await answerDelivery(answerDeps(answering), asked))) told = true;
  if (told) await tellPeople(config, database, feeds, [message.customer]);
}

export const replayDepsOf = (feeds: readonly Adapter[], config: System, database: Database): ReplayDeps =>
  replayDeps({ ...config, feeds, database, enqueueParse: enqueueParse(config) });

/** A delivery of a replay, as that wants it read. */
export async function parseAgain(
  message: ParseDelivery & { readonly replay: string },
  feeds: readonly Adapter[],
  config: System,
  database: Database,
): Promise<void> {
  const { replay, feed, correlationId } = message;
  const deps = replayDepsOf(feeds, config, database);
  const order = await deps.tables.orderOf(replay, correlationId);
  if (order === undefined) return config.log.info("replay-over", { replay, correlationId });
  await parse(message, feeds, config, database, readingOf(replay, feed, order));
  await deps.tables.read(replay, correlationId, config.now());
}
