/**
 * `mailfeed check`: what would become of a file or a mail. Without any server, by its adapter alone; or, with --against, by the
 * records of a deployment. Nothing is applied.
 */
import { readFileSync } from "node:fs";
import { feeds } from "../../adapters/index.ts";
import { type Feed, feedName } from "../../src/domain/adapter.ts";
import { feedAt } from "../../src/domain/address.ts";
import { asFailure, type FailureReport, report } from "../../src/domain/failures.ts";
import type { Mapping } from "../../src/domain/feed-version.ts";
import { MAX_DELIVERY_BYTES, mailFacts } from "../../src/intake/handler.ts";
import { readHeaders } from "../../src/intake/headers.ts";
import { chooseFiles, noPayload } from "../../src/parse/choose.ts";
import { refusalOf } from "../../src/parse/handler.ts";
import { type Opened, openDelivery } from "../../src/parse/open/open.ts";
import { parsePayload } from "../../src/parse/read-payload.ts";
import type { Books } from "../../src/parse/table/books.ts";
import type { Reject } from "../../src/parse/table/parse-file.ts";
import { pairFaults } from "../../src/reconcile/pairs.ts";
import { AGAINST_TIMEOUT_SECONDS, checkAgainst } from "../check-against.ts";
import { type Arguments, type Command, EXIT, type Io, textOption, UsageError } from "../command.ts";
import { draftFile } from "../draft-file.ts";
import { adapterNamed, describedFeed, type InputFile, inputFile } from "../input.ts";
import { DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN } from "../local/settings.ts";

/** Rejects shown to a person; --json shows all. */
const SHOWN_REJECTS = 20;

interface CheckedFile {
  path: string;
  /** What would become of it: parsed (apply follows), held (a snapshot, too, that cannot be compared) or rejected. */
  state: "parsed" | "held" | "rejected";
  failure: FailureReport | null;
  books: Books | null;
  rejects: Reject[];
}

export const check: Command = {
  name: "check",
  summary: "says what would become of a file or mail, and what it would change",
  usage: "FILE (--feed C/F | --to ADDRESS) [--mapping DRAFT.json] | FILE --feed C/F --against URL",
  options: {
    feed: { type: "string", help: "the feed whose adapter reads it" },
    to: { type: "string", help: "the feed by its mail address, as the mail server would find it" },
    mapping: {
      type: "string",
      help: "a draft to read by instead of the adapter's mapping (JSON, see mailfeed mapping)",
    },
    from: { type: "string", help: "envelope sender of a mail (default: its From address); <> is a bounce" },
    against: {
      type: "string",
      help: "URL of a deployment whose records it is compared with, or local; changes nothing there",
    },
    token: { type: "string", help: "with --against: a token that may upload to the feed (default: MAILFEED_TOKEN)" },
    timeout: { type: "string", help: `with --against: seconds to wait (default ${AGAINST_TIMEOUT_SECONDS})` },
  },
  details:
    'With --json: {"feed", "delivery": {state, failure}, "files": [{path, state, failure, books, rejects}], "ok"}.\nRows that are rejected within the feed\'s limits do not make a file fail: they are listed.\n\nWith --against it is uploaded as a dry run, and told: what would be new, changed (by field), retired, unchanged; what is rejected;\nwhether it would be held, and why. Exit code 0: it would be applied. 1: it would be held, or cannot be read.\nWith --json: {"feed", "against", "delivery": {id, state, failure}, "files": [{id, path, state, failure, comparison, rejects}], "ok"}.',
  async run(args, io) {
    const [path, ...more] = args.positionals;
    if (!path || more.length > 0) throw new UsageError("check takes one file (see mailfeed check --help)");
    const against = textOption(args, "against");
    if (against !== undefined) return checkAgainst(path, against, args, io);
    const input = await inputFile(path);
    const draftPath = textOption(args, "mapping");
    const draft = draftPath === undefined ? undefined : draftFile(draftPath).mapping;
    const feed = chosenFeed(args, draft);
    const files: CheckedFile[] = [];
    let refused = doorVerdict(input, feed, args);
    if (!refused) {
      try {
        const opened: Opened[] = [];
        for await (const one of openDelivery(input.source, { door: input.door, name: input.name })) opened.push(one);
        for (const chosen of chooseFiles(feed, feeds, opened)) {
          if (!chosen) continue;
          const isOwn = feedName(chosen.feed) === feedName(feed);
          files.push(await checkOne(isOwn ? feed : describedFeed(chosen.feed), chosen.opened));
        }
        if (files.length === 0) refused = noPayload(feed, opened);
      } catch (thrown) {
        refused = asFailure(thrown).report;
      }
    }
    const ok = !refused && files.every((f) => f.state === "parsed");
    if (args.json) {
      const delivery = {
        state: refused ? (refused.disposition === "hold" ? "quarantined" : "rejected") : "parsed",
        failure: refused ?? null,
      };
      io.out(JSON.stringify({ feed: `${feed.customer}/${feed.feed}`, delivery, files, ok }));
    } else {
      if (refused) io.err(`${refused.sentence} ${refused.hint}`);
      for (const file of files) print(file, io);
    }
    return ok ? EXIT.ok : EXIT.refused;
  },
};

function chosenFeed(args: Arguments, draft: Mapping | undefined): Feed {
  const name = textOption(args, "feed");
  if (name) return describedFeed(adapterNamed(name), draft);
  const to = textOption(args, "to");
  if (!to) throw new UsageError("check needs --feed CUSTOMER/FEED or --to ADDRESS");
  const found = feedAt(
    to,
    feeds,
    process.env.ADDRESS_SECRET ?? DEV_ADDRESS_SECRET,
    process.env.MAIL_DOMAIN ?? DEV_MAIL_DOMAIN,
  );
  if (found) return describedFeed(found, draft);
  const { sentence, hint } = report("unknown-address", { recipient: to });
  throw new UsageError(`${sentence} ${hint}`, "unknown-address");
}

/** What the mail door would say of the sender. The policy is checked only where the mail was really received. */
function doorVerdict(input: InputFile, feed: Feed, args: Arguments): FailureReport | undefined {
  if (input.source.size > MAX_DELIVERY_BYTES) {
    return report("mail-too-large", { bytes: input.source.size, limitBytes: MAX_DELIVERY_BYTES });
  }
  if (input.door !== "mail") return undefined;
  const raw = new Uint8Array(readFileSync(input.path));
  const envelope = {
    envelopeFrom: textOption(args, "from") ?? "unknown@unknown",
    envelopeTo: textOption(args, "to") ?? "",
  };
  return refusalOf(mailFacts(envelope, feed, raw, readHeaders(raw), new Date()))?.failure;
}

async function checkOne(feed: Feed, one: Opened): Promise<CheckedFile> {
  const path = one.kind === "file" ? one.file.path : one.path;
  const refuse = (why: FailureReport): CheckedFile => ({
    path,
    state: why.disposition === "hold" ? "held" : "rejected",
    failure: why,
    books: null,
    rejects: [],
  });
  if (one.kind === "problem") return refuse(one.report);
  const rejects: Reject[] = [];
  try {
    const parsed = await parsePayload(feed, one.file, {
      chunk: async () => undefined,
      rejects: async (batch) => {
        rejects.push(...batch);
      },
    });
    const faults = pairFaults(feed, feeds);
    const failure = parsed.failure ?? (faults.length > 0 ? report("snapshot-incomparable", { faults }) : null);
    return {
      path,
      state: failure ? "held" : "parsed",
      failure,
      books: parsed.books,
      rejects,
    };
  } catch (thrown) {
    return { ...refuse(asFailure(thrown).report), rejects };
  }
}

/** What concerns the mail itself has no path. */
const of = (path: string): string => (path === "" ? "" : `${path}: `);

function print(file: CheckedFile, io: Io): void {
  const { books } = file;
  if (books) {
    io.out(
      `${file.path}: ${books.accepted} records, ${books.rejected} rows rejected; ${books.lines} lines = ${books.header} header + ${books.preamble} preamble + ${books.footer} footer + ${books.blank} blank + ${books.continuation} continuation + ${books.accepted} accepted + ${books.rejected} rejected`,
    );
  }
  for (const r of file.rejects.slice(0, SHOWN_REJECTS)) io.out(`  line ${r.line}: ${r.sentence} ${r.hint}`);
  if (file.rejects.length > SHOWN_REJECTS)
    io.out(`  … and ${file.rejects.length - SHOWN_REJECTS} more (--json shows all)`);
  if (file.failure) io.err(`${of(file.path)}${file.failure.sentence} ${file.failure.hint}`);
}
