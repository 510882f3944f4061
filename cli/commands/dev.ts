/** `mailfeed dev` (npm start): the whole system on this machine, with a demo in it, until Ctrl-C. */
import { join } from "node:path";
import { feeds } from "../../adapters/index.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { STUCK_AFTER_MINUTES } from "../../src/sweep/sweep.ts";
import { LONGEST_PAUSE_MINUTES } from "../../src/sweep/wake.ts";
import { type Command, EXIT, type Io, numberOption, textOption } from "../command.ts";
import { deliver, type Landed, table } from "../local/deliver.ts";
import { getJson } from "../local/mailroom.ts";
import { DEV_ADDRESS_SECRET, DEV_FOLDER, DEV_MAIL_DOMAIN, DEV_PORT } from "../local/settings.ts";
import { type Stack, startStack } from "../local/stack.ts";
import { generateSamples } from "../samples/generate.ts";

export const dev: Command = {
  name: "dev",
  summary: "starts everything on this machine with a demo (what npm start runs)",
  usage: "[--port N]",
  options: {
    port: { type: "string", help: `port of the Worker (default ${DEV_PORT})` },
    database: { type: "string", help: "a real Postgres instead of the embedded one (default: DATABASE_URL)" },
    "no-demo": { type: "boolean", help: "deliver no demo mails" },
  },
  details: "Ctrl-C stops all of it. Data stays in .mailfeed; delete that folder to begin anew.",
  async run(args, io) {
    const stopped = untilInterrupted();
    const stack = await startStack({
      port: numberOption(args, "port", DEV_PORT),
      folder: DEV_FOLDER,
      databaseUrl: textOption(args, "database") ?? process.env.DATABASE_URL,
      progress: io.progress,
    });
    try {
      const resumed = await hasData(stack);
      if (resumed) await wakeAll(stack);
      const landed = resumed || args.values["no-demo"] === true ? [] : await demo(stack, io, stopped);
      if (!stopped.aborted)
        io.out(
          args.json ? JSON.stringify({ url: stack.url, token: stack.token, files: landed }) : summary(stack, landed),
        );
      await new Promise<void>((resolve) => {
        if (stopped.aborted) resolve();
        // An abort signal alone does not keep Node alive.
        const awake = setInterval(() => undefined, 60_000);
        stopped.addEventListener("abort", () => {
          clearInterval(awake);
          resolve();
        });
      });
    } finally {
      io.progress("Stopping …");
      await stack.stop();
      io.progress("Stopped. The data is kept.");
    }
    return EXIT.ok;
  },
};

function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => controller.abort());
  return controller.signal;
}

async function hasData(stack: Stack): Promise<boolean> {
  const page = await getJson<{ items: unknown[] }>(stack, "/v1/deliveries?limit=1");
  return (page?.items.length ?? 0) > 0;
}

/** The local queues are lost with the process that held them: the sweep, told that it is later, finds what was in them. */
async function wakeAll(stack: Stack): Promise<void> {
  const later = Date.now() + (LONGEST_PAUSE_MINUTES + STUCK_AFTER_MINUTES + 1) * 60_000;
  const query = new URLSearchParams({ cron: "*/10 * * * *", time: String(later), format: "json" });
  const response = await fetch(`${stack.url}/cdn-cgi/local/scheduled?${query}`);
  await response.body?.cancel();
  if (!response.ok) throw new Error(`the sweep could not be started (${response.status})`);
}

/** Two editions of each sample, hours apart, so that there are changes to look at. */
async function demo(stack: Stack, io: Io, stopped: AbortSignal): Promise<Landed[]> {
  const landed: Landed[] = [];
  const fourHoursAgo = new Date(Date.now() - 4 * 3_600_000);
  for (const edition of [1, 2]) {
    for (const sample of generateSamples({ edition, now: fourHoursAgo })) {
      if (stopped.aborted) return landed;
      landed.push(...(await deliver(stack, { ...sample, sentAt: sample.asOf }, edition, io.progress)));
    }
  }
  return landed;
}

function summary(stack: Stack, landed: readonly Landed[]): string {
  const feed = feeds.find((f) => f.feed === "inventory") ?? feeds[0];
  const call = (path: string) => `curl -s -H "Authorization: Bearer ${stack.token}" "${stack.url}${path}"`;
  const parts =
    landed.length > 0
      ? [`The demo mails have arrived and landed:\n\n${table(landed)}`]
      : ["The data of the last run is here."];
  parts.push(
    [
      `Mailfeed runs at ${stack.url} (database: ${stack.database.kind}, log: ${join(stack.logFile)}).`,
      "",
      "Look around:",
      `  ${call("/v1/customers")}`,
      `  ${call("/v1/deliveries")}`,
      `  ${call("/v1/notifications")}   (mails to people; sent ones lie in ${stack.url}/cdn-cgi/local/explorer/api/local/email/sending)`,
      `  ${call("/v1/records?customer=acme&feed=inventory&key=00000001")}`,
      ...(feed
        ? [
            "",
            "Send a file of your own:",
            `  npx mailfeed send FILE --from erp${feed.intake.senders[0]} --to ${feedAddress(feed, DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN)}`,
          ]
        : []),
      "",
      "Ctrl-C stops it; the data is kept in .mailfeed.",
    ].join("\n"),
  );
  return parts.join("\n\n");
}
