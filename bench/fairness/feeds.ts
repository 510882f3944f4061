/** The measured inventory as the feed of two customers, who know nothing of each other. */
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import { benchInventory } from "../parse/feed.ts";

const { version: _, ...definition } = benchInventory;

const feedOf = (customer: string, customerTitle: string): Adapter =>
  // Its files say the same again and again, and each is to be applied.
  defineFeed({ ...definition, customer, customerTitle, duplicateWindowHours: 0 });

/** Customers that have queues in wrangler.toml. */
export const noisy = feedOf("acme", "Noisy");
export const quiet = feedOf("kontor", "Quiet");
