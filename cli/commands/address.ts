/** `mailfeed address`: the mail addresses of the feeds. */
import { feeds } from "../../adapters/index.ts";
import { feedAddress } from "../../src/domain/address.ts";
import { type Command, EXIT, UsageError } from "../command.ts";
import { feedNamed } from "../input.ts";
import { DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN } from "../local/settings.ts";

export const address: Command = {
  name: "address",
  summary: "prints the mail address of each feed, or of those named",
  usage: "[CUSTOMER/FEED…] [--domain DOMAIN]",
  options: { domain: { type: "string", help: `mail domain (default: MAIL_DOMAIN, else ${DEV_MAIL_DOMAIN})` } },
  details:
    "The token in an address is made with ADDRESS_SECRET; where that is not set, with the local stack's own secret.\nWith +dryrun before the @ nothing is applied: whoever sends a file there is told by mail what it would do.",
  async run(args, io) {
    const secret = process.env.ADDRESS_SECRET ?? DEV_ADDRESS_SECRET;
    const domain = (args.values.domain as string | undefined) ?? process.env.MAIL_DOMAIN ?? DEV_MAIL_DOMAIN;
    if (secret.length < 16) throw new UsageError("ADDRESS_SECRET is shorter than 16 characters");
    const chosen = args.positionals.length > 0 ? args.positionals.map(feedNamed) : feeds;
    for (const feed of chosen) {
      const mailbox = feedAddress(feed, secret, domain);
      io.out(args.json ? JSON.stringify({ customer: feed.customer, feed: feed.feed, address: mailbox }) : mailbox);
    }
    return EXIT.ok;
  },
};
