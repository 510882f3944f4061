/** `mailfeed backfill`: a folder of old mails and files, brought into a running deployment in the order of then. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { apiOptions, callApi, doorwayOf, feedPath, ofKnown, tellRefused, uploadTo } from "../api-client.ts";
import { type Arguments, type Command, EXIT, type Io, textOption, UsageError } from "../command.ts";
import { exitOf, type ReplayReport, reportText, watchReplay } from "../follow-replay.ts";
import type { Doorway } from "../local/mailroom.ts";
import { namesOf } from "./replay.ts";

/** Objects of one replay: as many as the API takes. */
const MAX_FILES = 20_000;

interface Brought {
  readonly delivery: { readonly id: string; readonly state: string | null };
  readonly raw_key: string;
  readonly received_at: string;
}

export const backfill: Command = {
  name: "backfill",
  summary: "brings a folder of old mails and files of a feed in, in the order of then",
  usage: "FOLDER --feed CUSTOMER/FEED",
  options: {
    feed: { type: "string", help: "the feed whose mails and files they are, as CUSTOMER/FEED" },
    gate: { type: "string", help: "pass (default): nothing is held for what it does; judge: as with files of today" },
    ...apiOptions,
  },
  details: `Every .eml in the folder and below it counts as of the time at which it was received (its Received header, else its Date),
any other file as of the time in its name where the feed goes by that, else as of its last change. All are archived first, then
replayed. Files are known by what is in them: the same command again brings what is new alone, and changes nothing else.
Names that begin with a dot are left out. Ctrl-C stops the watching, not the replay.
With --json: {"brought", "known", "replay"}, the replay as GET /v1/replays/:id answers it, or null where nothing was new.`,
  async run(args, io) {
    const [folder, ...more] = args.positionals;
    const feed = textOption(args, "feed");
    const gate = textOption(args, "gate") ?? "pass";
    if (folder === undefined || more.length > 0) throw new UsageError("backfill takes one folder");
    if (feed === undefined) throw new UsageError("backfill needs --feed CUSTOMER/FEED");
    if (gate !== "judge" && gate !== "pass") throw new UsageError("--gate takes judge or pass");
    const files = filesIn(folder);
    return bringAll(args, io, doorwayOf(args), feed, files, gate);
  },
};

function filesIn(folder: string): readonly string[] {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) throw new UsageError(`${JSON.stringify(folder)} is no folder`, "no-folder");
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (path) =>
        !path
          .slice(folder.length)
          .split("/")
          .some((part) => part.startsWith(".")),
    )
    .sort();
  if (files.length === 0) throw new UsageError(`there is no file in ${JSON.stringify(folder)}`, "no-files");
  if (files.length > MAX_FILES) {
    throw new UsageError(
      `there are ${files.length} files in ${JSON.stringify(folder)}; bring at most ${MAX_FILES} at a time`,
    );
  }
  return files;
}

async function bringAll(
  args: Arguments,
  io: Io,
  door: Doorway,
  feed: string,
  files: readonly string[],
  gate: string,
): Promise<number> {
  const path = `${feedPath(feed)}/backfill`;
  const fresh: Brought[] = [];
  let known = 0;
  for (const [i, file] of files.entries()) {
    const modified = statSync(file).mtime.toISOString();
    const query = new URLSearchParams({ name: basename(file), modified_at: modified });
    const answer = await ofKnown(
      `feed ${feed}`,
      uploadTo<Brought>(door, `${path}?${query}`, new Uint8Array(readFileSync(file))),
    );
    if (answer.kind === "refused") {
      io.err(`mailfeed: ${file} was not taken`);
      return tellRefused(answer.refused, args, io);
    }
    if (answer.value.delivery.state === null) fresh.push(answer.value);
    else known++;
    io.progress(`${i + 1} of ${files.length} files archived, ${known} of them known already`);
  }
  if (fresh.length === 0) {
    io.out(
      args.json
        ? JSON.stringify({ brought: 0, known, replay: null })
        : `All ${known} are known already: nothing to do.`,
    );
    return EXIT.ok;
  }
  const asked = { ...namesOf(feed), raw_keys: fresh.map(({ raw_key }) => raw_key), gate };
  const begun = await callApi<{ replay: ReplayReport }>(door, "POST", "/v1/replays", asked);
  if (begun.kind === "refused") return tellRefused(begun.refused, args, io);
  if (!args.json) io.err(`${fresh.length} archived, ${known} known already. Reading them …`);
  const ended = await watchReplay(door, begun.value.replay.id, io);
  if (ended === undefined) return EXIT.ok;
  io.out(args.json ? JSON.stringify({ brought: fresh.length, known, replay: ended }) : reportText(ended));
  return exitOf(ended);
}
