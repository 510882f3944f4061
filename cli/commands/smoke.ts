/** `mailfeed smoke`: the whole way on a stack of its own, with the samples and, where they are, the real files. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { feeds } from "../../adapters/index.ts";
import { neonSql } from "../../src/platform/postgres.ts";
import { type Command, EXIT, textOption, UsageError } from "../command.ts";
import { deliver, type Landed, type Mailing, table } from "../local/deliver.ts";
import { PROJECT_ROOT } from "../local/settings.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { generateSamples } from "../samples/generate.ts";

/** Real ERP exports, beside the project where somebody has them; never part of it. */
const REAL_FOLDER = join(PROJECT_ROOT, "../shared/corpora/erp");
const REAL_FILES = [
  ["adventure", "address", "sql-server-samples/oltp-2017/Address.csv"],
  ["adventure", "product-vendor", "sql-server-samples/oltp-2017/ProductVendor.csv"],
  ["adventure", "store", "sql-server-samples/oltp-2023/Store.csv"],
  ["kontor", "buchungen", "datev/EXTF_Buchungsstapel.csv"],
] as const;

export const smoke: Command = {
  name: "smoke",
  summary: "starts a stack of its own, mails files through it twice, and says what landed",
  usage: "[--real]",
  options: {
    real: { type: "boolean", help: "mail the real ERP files from ../shared/corpora, and the samples behind them" },
    database: { type: "string", help: "a real Postgres instead of the embedded one (default: DATABASE_URL)" },
  },
  details:
    'With --json: {"files": [{customer, feed, file, state, rows, accepted, rejected, inserted, changed, unchanged, balanced, seconds}],\n"again": the same files in new mails, "versions" and "events" added by them, "ok"}.\n\nBehind a real file the sample of the same full feed is the list of another company: it must be held.',
  async run(args, io) {
    // The real files go first and are older, so that each meets a feed that holds nothing yet.
    const real = args.values.real === true ? realFiles() : [];
    const mailings = [
      ...real,
      ...samples().map((sample) => ({ ...sample, isForeign: real.some(isFullFeedOf(sample)) })),
    ];
    const folder = mkdtempSync(join(tmpdir(), "mailfeed-smoke-"));
    let stack: Stack | undefined;
    try {
      stack = await startStack({
        port: 0,
        folder,
        databaseUrl: textOption(args, "database") ?? process.env.DATABASE_URL,
        progress: io.progress,
      });
      const first = await deliverAll(stack, mailings, 1, io.progress);
      const before = await totals(stack);
      const again = await deliverAll(stack, mailings.toReversed(), 2, io.progress);
      const after = await totals(stack);
      const versions = after.versions - before.versions;
      const events = after.events - before.events;
      const ended = (f: Smoked) => (f.isForeign ? f.state === "held" : f.state === "applied" && f.balanced);
      const ok =
        first.every(ended) && again.every((f) => f.state === "duplicate" || ended(f)) && versions === 0 && events === 0;
      if (args.json) {
        const told = (files: readonly Smoked[]) => files.map(({ isForeign: _, ...file }) => file);
        io.out(JSON.stringify({ files: told(first), again: told(again), versions, events, ok }));
      } else {
        io.out(`${table(first)}\n\nThe same files once more:\n${table(again)}\n`);
        io.out(`The second round added ${versions} versions and ${events} change events.`);
        const held = first.filter(({ isForeign }) => isForeign).length;
        const rest = held === 0 ? "" : `; ${held} lists of another company are held, as they must be`;
        io.out(ok ? `All files landed and their books balance${rest}.` : "Something did not land as it should.");
      }
      return ok ? EXIT.ok : EXIT.refused;
    } finally {
      await stack?.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

function samples(): Mailing[] {
  return generateSamples({ now: new Date() }).map(({ customer, feed, fileName, contentType, bytes, asOf }) => ({
    customer,
    feed,
    fileName,
    contentType,
    bytes,
    sentAt: asOf,
  }));
}

function realFiles(): Mailing[] {
  if (!existsSync(REAL_FOLDER)) throw new UsageError(`--real needs the real files in ${REAL_FOLDER}`, "no-corpora");
  return REAL_FILES.map(([customer, feed, file]) => ({
    customer,
    feed,
    fileName: file.slice(file.lastIndexOf("/") + 1),
    contentType: "text/csv",
    bytes: new Uint8Array(readFileSync(join(REAL_FOLDER, file))),
    sentAt: new Date(Date.now() - 120_000),
  }));
}

/** Whether a mailing goes to the same feed, each file of which is the whole state. */
const isFullFeedOf = (one: Mailing) => (other: Mailing) =>
  feeds.some(
    ({ customer, feed, mode }) =>
      [one, other].every((m) => m.customer === customer && m.feed === feed) && mode === "full",
  );

interface Smoked extends Landed {
  /** It is not what the feed's files are, and must not land. */
  readonly isForeign: boolean;
}

async function deliverAll(
  stack: Stack,
  mailings: readonly (Mailing & { readonly isForeign?: boolean })[],
  round: number,
  progress: (text: string) => void,
): Promise<Smoked[]> {
  const landed: Smoked[] = [];
  for (const mailing of mailings) {
    for (const file of await deliver(stack, mailing, round, progress)) {
      landed.push({ ...file, isForeign: mailing.isForeign === true });
    }
  }
  return landed;
}

/** All versions and change events in the database. */
async function totals(stack: Stack): Promise<{ versions: number; events: number }> {
  const sql = neonSql(stack.database.connectionString, { fetchEndpoint: stack.database.endpointUrl });
  const [row] = await sql.query(
    "SELECT (SELECT coalesce(sum(version), 0) FROM records)::int AS versions, (SELECT count(*) FROM changes)::int AS events",
  );
  return { versions: Number(row!.versions), events: Number(row!.events) };
}
