/** `mailfeed send`: mails a file (or a mail as it is) to the local stack and follows it to its end. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { apiOptions, doorwayOf } from "../api-client.ts";
import { type Command, EXIT, numberOption, textOption, UsageError } from "../command.ts";
import { inputFile } from "../input.ts";
import { type DeliveryStatus, describe, follow, mailIn } from "../local/mailroom.ts";
import { mailOf } from "../samples/mail.ts";

/** A duplicate has landed before; what is only compared has come as far as it is to. */
const LANDED: ReadonlySet<string> = new Set(["applied", "duplicate", "compared"]);
const DEFAULT_FROM = "erp@customer.example";
const DEFAULT_TIMEOUT_SECONDS = 300;

export const send: Command = {
  name: "send",
  summary: "mails a file to the local stack and follows it to its end state",
  usage: "FILE --to ADDRESS [--from ADDRESS]",
  options: {
    to: { type: "string", help: "a feed's address (see mailfeed address)" },
    from: { type: "string", help: `sender, in the envelope and in From (default ${DEFAULT_FROM})` },
    subject: { type: "string", help: "subject of the mail around the file" },
    ...apiOptions,
    timeout: { type: "string", help: `seconds to wait for the end state (default ${DEFAULT_TIMEOUT_SECONDS})` },
  },
  details:
    'An .eml is sent as it is, any other file as the attachment of a new mail.\nWith --json: the delivery as GET /v1/deliveries/:id answers it, or {"accepted": false, "reason"}.',
  async run(args, io) {
    const [path, ...more] = args.positionals;
    const to = textOption(args, "to");
    if (!path || more.length > 0) throw new UsageError("send takes one file (see mailfeed send --help)");
    if (!to) throw new UsageError("send needs --to ADDRESS (see mailfeed address)");
    const from = textOption(args, "from") ?? DEFAULT_FROM;
    const raw = await rawMail(path, to, from, textOption(args, "subject"));
    const door = doorwayOf(args);

    io.progress(`Mailing ${path} (${raw.length} bytes) …`);
    const accepted = await mailIn(door, { from, to, raw });
    if (!accepted.accepted) {
      if (args.json) io.out(JSON.stringify(accepted));
      io.err(`The mail was refused: ${accepted.reason}`);
      return EXIT.refused;
    }
    const status = await follow(door, accepted.deliveryId, {
      timeoutMs: numberOption(args, "timeout", DEFAULT_TIMEOUT_SECONDS) * 1_000,
      onChange: (now) => io.progress(`${accepted.deliveryId.slice(0, 8)}  ${describe(now)}`),
    });
    io.out(args.json ? JSON.stringify(status) : report(status));
    const landed = status.failure === null && status.files.length > 0 && status.files.every((f) => LANDED.has(f.state));
    return landed ? EXIT.ok : EXIT.refused;
  },
};

async function rawMail(
  path: string,
  to: string,
  from: string,
  subject: string | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const input = await inputFile(path);
  const bytes = new Uint8Array(readFileSync(path));
  if (input.door === "mail") return bytes;
  return mailOf({
    from,
    to,
    subject: subject ?? input.name,
    date: new Date(),
    messageId: `<${randomUUID()}@mailfeed-send>`,
    body: `Attached: ${input.name}`,
    attachments: [{ name: input.name, contentType: "application/octet-stream", bytes }],
  }) as Uint8Array<ArrayBuffer>;
}

function report(status: DeliveryStatus): string {
  const lines = [`Delivery ${status.id}: ${describe(status)}`];
  if (status.failure) lines.push(status.failure.hint);
  for (const file of status.files) if (file.failure) lines.push(file.failure.hint);
  return lines.join("\n");
}
