#!/usr/bin/env node
/** The `mailfeed` command. */
import { Failure } from "../src/domain/failures.ts";
import { type Command, EXIT, helpOf, type Io, readArguments, UsageError } from "./command.ts";
import { address } from "./commands/address.ts";
import { backfill } from "./commands/backfill.ts";
import { check } from "./commands/check.ts";
import { customer } from "./commands/customer.ts";
import { deadLetters } from "./commands/dead-letters.ts";
import { dev } from "./commands/dev.ts";
import { drift } from "./commands/drift.ts";
import { feed } from "./commands/feed.ts";
import { holds } from "./commands/holds.ts";
import { limits } from "./commands/limits.ts";
import { mapping } from "./commands/mapping.ts";
import { migrateCommand } from "./commands/migrate.ts";
import { open } from "./commands/open.ts";
import { records } from "./commands/records.ts";
import { rejects } from "./commands/rejects.ts";
import { replay } from "./commands/replay.ts";
import { restore } from "./commands/restore.ts";
import { rows } from "./commands/rows.ts";
import { send } from "./commands/send.ts";
import { smoke } from "./commands/smoke.ts";
import { sniff } from "./commands/sniff.ts";
import { token } from "./commands/token.ts";

const COMMANDS: readonly Command[] = [
  dev,
  send,
  check,
  open,
  sniff,
  rows,
  rejects,
  smoke,
  feed,
  mapping,
  records,
  restore,
  limits,
  holds,
  deadLetters,
  replay,
  backfill,
  drift,
  customer,
  address,
  token,
  migrateCommand,
];

const overview = () =>
  `mailfeed COMMAND [options]\n\nLands the flat files an ERP mails in Postgres.\n\n${COMMANDS.map(
    (c) => `  ${c.name.padEnd(14)}${c.summary}`,
  ).join("\n")}\n\nmailfeed COMMAND --help tells more.\n`;

function terminal(json: boolean): Io {
  let lineOpen = false;
  const endLine = () => {
    if (lineOpen) process.stderr.write("\n");
    lineOpen = false;
  };
  return {
    bytes(block) {
      endLine();
      process.stdout.write(block);
    },
    out(text) {
      endLine();
      process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    },
    err(text) {
      endLine();
      process.stderr.write(text.endsWith("\n") ? text : `${text}\n`);
    },
    progress(text) {
      if (json) return;
      if (process.stderr.isTTY) {
        process.stderr.write(`\r\u001b[2K${text}`);
        lineOpen = true;
      } else {
        process.stderr.write(`${text}\n`);
      }
    },
  };
}

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(overview());
    return name === undefined ? EXIT.unusable : EXIT.ok;
  }
  const command = COMMANDS.find((c) => c.name === name);
  const json = rest.includes("--json");
  const io = terminal(json);
  try {
    if (!command) throw new UsageError(`there is no command ${JSON.stringify(name)} (see mailfeed --help)`);
    if (rest.includes("--help") || rest.includes("-h")) {
      io.out(helpOf(command));
      return EXIT.ok;
    }
    return await command.run(readArguments(command, rest), io);
  } catch (thrown) {
    const known = thrown instanceof UsageError || thrown instanceof Failure;
    const code = known ? thrown.code : "internal-error";
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (json) io.out(JSON.stringify({ error: { code, message } }));
    io.err(`mailfeed: ${message}`);
    if (!known && thrown instanceof Error && process.env.MAILFEED_DEBUG) io.err(thrown.stack ?? "");
    return EXIT.unusable;
  }
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
