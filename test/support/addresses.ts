/** Addresses of this project's feeds in the local stack, and what is mailed there. */
import { feeds } from "../../adapters/index.ts";
import { DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN } from "../../cli/local/settings.ts";
import { feedAddress } from "../../src/domain/address.ts";

export interface Mail {
  /** Of the envelope. */
  readonly from: string;
  readonly to: string;
  readonly raw: Uint8Array<ArrayBuffer>;
}

export function addressOf(name: string): string {
  const feed = feeds.find((f) => `${f.customer}/${f.feed}` === name);
  if (!feed) throw new Error(`there is no feed ${name}`);
  return feedAddress(feed, DEV_ADDRESS_SECRET, DEV_MAIL_DOMAIN);
}
