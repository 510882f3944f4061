/** `mailfeed restore`: what bringing records back to a moment would do; and, once that was looked at, do it. */
import { setTimeout as wait } from "node:timers/promises";
import { CUSTOMER_SLUG, FEED_SLUG } from "../../src/domain/ids.ts";
import { apiOptions, callApi, doorwayOf, ofKnown, readApi, tellRefused } from "../api-client.ts";
import { type Arguments, type Command, EXIT, type Io, textOption, UsageError } from "../command.ts";
import type { Doorway } from "../local/mailroom.ts";
import { momentOf } from "../moment.ts";

/** Digits of the digest that `--yes` takes: more than nobody hits by chance. */
const DIGEST_CHARS = 12;
const POLL_MS = 500;
/** A restore of a million records takes some minutes; it goes on by itself all the same. */
const FOLLOW_MS = 15 * 60_000;
/** Fields that are named of a feed, those of most records first. */
const FIELDS_SHOWN = 8;

interface Preview {
  readonly digest: string;
  readonly feeds: readonly {
    readonly feed: string;
    readonly changes: number;
    readonly restores: number;
    readonly retirements: number;
    readonly fields: Readonly<Record<string, number>>;
    readonly samples: readonly {
      readonly key: string;
      readonly does: "change" | "restore" | "retire";
      readonly fields: readonly string[];
      readonly now: Readonly<Record<string, unknown>> | null;
      readonly was: Readonly<Record<string, unknown>> | null;
    }[];
    readonly files_under_way: number;
  }[];
  readonly left: readonly { readonly feed: string; readonly history_from: string }[];
}

interface Progress {
  readonly feed: string;
  readonly records: { readonly planned: number; readonly applied: number };
  readonly parts: Readonly<Record<"planned" | "made" | "applied" | "held" | "rejected" | "dead", number>>;
}

export const restore: Command = {
  name: "restore",
  summary: "brings the records of a customer or feed back to what they were at a moment",
  usage: "CUSTOMER[/FEED] --to TIME [--yes DIGEST]",
  options: {
    to: { type: "string", help: "the moment, e.g. 2026-11-20T08:00:00Z" },
    yes: { type: "string", help: "do it: the digest that the same command without --yes has shown" },
    ...apiOptions,
  },
  details: `Without --yes it shows what would be done and changes nothing. It is done only while the records are what was shown; what the ERP
sends next goes over it. With --json: the preview, or {"restore", "progress"} when all of it is done.`,
  async run(args, io) {
    const [name = "", ...more] = args.positionals;
    const [customer = "", feed, ...rest] = name.split("/");
    const isNamed = CUSTOMER_SLUG.test(customer) && (feed === undefined || FEED_SLUG.test(feed));
    if (!isNamed || more.length > 0 || rest.length > 0) {
      throw new UsageError("restore takes one customer, or one feed as CUSTOMER/FEED (see mailfeed restore --help)");
    }
    const given = textOption(args, "to");
    if (given === undefined) throw new UsageError("restore needs --to TIME");
    const to = momentOf("to", given);
    const yes = textOption(args, "yes");
    if (yes !== undefined && !(yes.length >= DIGEST_CHARS && /^[0-9a-f]+$/.test(yes))) {
      throw new UsageError("--yes takes the digest that the same command without --yes has shown");
    }
    const door = doorwayOf(args);
    const path = `/v1/customers/${customer}/restore`;
    const asked = { to, ...(feed === undefined ? {} : { feed }) };
    const what = feed === undefined ? `customer ${customer}` : `feed ${customer}/${feed}`;

    const looked = await ofKnown(what, callApi<{ preview: Preview }>(door, "POST", path, { ...asked, preview: true }));
    if (looked.kind === "refused") return tellRefused(looked.refused, args, io);
    const { preview } = looked.value;
    if (yes === undefined) return tellPreview(preview, customer, to, `restore ${name} --to ${to}`, args, io);
    if (!preview.digest.startsWith(yes)) {
      throw new UsageError("the records have moved since that was shown; look at it again without --yes", "moved");
    }
    const ordered = await callApi<{ restore: { files: readonly unknown[] } }>(door, "POST", path, {
      ...asked,
      digest: preview.digest,
    });
    if (ordered.kind === "refused") return tellRefused(ordered.refused, args, io);
    const progress = ordered.value.restore.files.length === 0 ? [] : await follow(door, customer, preview.digest, io);
    if (args.json) io.out(JSON.stringify({ ...ordered.value, progress }));
    else tellDone(progress, to, io);
    return progress.every(({ parts }) => parts.applied === parts.planned) ? EXIT.ok : EXIT.refused;
  },
};

const records = (count: number): string => `${count.toLocaleString("en")} record${count === 1 ? "" : "s"}`;

function tellPreview(preview: Preview, customer: string, to: string, command: string, args: Arguments, io: Io): number {
  if (args.json) {
    io.out(JSON.stringify({ preview }));
    return EXIT.ok;
  }
  let total = 0;
  for (const one of preview.feeds) {
    const count = one.changes + one.restores + one.retirements;
    total += count;
    if (count === 0) {
      io.out(`${customer}/${one.feed}: nothing to do, its records are what they were.`);
      continue;
    }
    const fields = Object.entries(one.fields).sort(([, a], [, b]) => b - a);
    io.out(`${customer}/${one.feed}, back to ${to}:`);
    if (one.changes > 0) {
      const named = fields.slice(0, FIELDS_SHOWN).map(([field, n]) => `${field} of ${n.toLocaleString("en")}`);
      io.out(`  change   ${records(one.changes)}: ${named.join(", ")}${fields.length > FIELDS_SHOWN ? ", …" : ""}`);
    }
    if (one.restores > 0)
      io.out(`  restore  ${records(one.restores)} that ${one.restores === 1 ? "is" : "are"} retired now`);
    if (one.retirements > 0)
      io.out(`  retire   ${records(one.retirements)} that ${one.retirements === 1 ? "was" : "were"} not there`);
    for (const sample of one.samples) io.out(`    ${sample.key}: ${sampleText(sample)}`);
    if (one.files_under_way > 0) {
      io.out(
        `  Files of the feed are under way (${one.files_under_way}); should they change a record, look at this again.`,
      );
    }
  }
  for (const { feed, history_from } of preview.left) {
    io.out(`${customer}/${feed}: left as it is, since its history begins at ${history_from}.`);
  }
  if (total > 0)
    io.out(`Nothing is changed yet. To do it: mailfeed ${command} --yes ${preview.digest.slice(0, DIGEST_CHARS)}`);
  return EXIT.ok;
}

function sampleText({ does, fields, now, was }: Preview["feeds"][number]["samples"][number]): string {
  if (does !== "change") return does === "retire" ? "is retired" : "is there again";
  return fields.map((field) => `${field} ${JSON.stringify(now?.[field])} → ${JSON.stringify(was?.[field])}`).join(", ");
}

/** Until nothing of it moves any more, or for as long as is bearable. */
async function follow(door: Doorway, customer: string, digest: string, io: Io): Promise<readonly Progress[]> {
  const deadline = Date.now() + FOLLOW_MS;
  for (;;) {
    const path = `/v1/customers/${customer}/restores?digest=${digest}&limit=200`;
    const { items } = await readApi<{ items: readonly Progress[] }>(door, path);
    const sum = (count: (one: Progress) => number) => items.reduce((total, one) => total + count(one), 0);
    const applied = sum(({ records: { applied } }) => applied);
    io.progress(
      `${applied.toLocaleString("en")} of ${records(sum(({ records: { planned } }) => planned))} are restored`,
    );
    const moves = ({ parts: { planned, applied, held, rejected, dead } }: Progress) =>
      planned > applied + held + rejected + dead;
    if (!items.some(moves) || Date.now() > deadline) return items;
    await wait(POLL_MS);
  }
}

function tellDone(progress: readonly Progress[], to: string, io: Io): void {
  if (progress.length === 0) io.out("Nothing to do: the records are what they were.");
  for (const { feed, records: rows, parts } of progress) {
    io.out(`${feed}: ${rows.applied.toLocaleString("en")} of ${records(rows.planned)} restored to ${to}.`);
    if (parts.held > 0)
      io.err(
        `  ${parts.held} of ${parts.planned} parts are held: the records moved meanwhile. Reject them, and look again.`,
      );
    if (parts.dead + parts.rejected > 0)
      io.err(`  ${parts.dead + parts.rejected} of ${parts.planned} parts failed (see mailfeed dead-letters)`);
    const open = parts.planned - parts.applied - parts.held - parts.rejected - parts.dead;
    if (open > 0) io.err(`  ${open} of ${parts.planned} parts are still under way`);
  }
}
