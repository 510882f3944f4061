/** The feeds of the simulated customers: every kind of file order and of saying that the product knows. */
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";
import type { GatePolicyInput } from "../../src/domain/gate-policy.ts";

/** What the model has to know of a feed. */
export interface FeedKind {
  readonly slug: string;
  readonly mode: "full" | "delta" | "snapshot";
  /** A blank cell leaves the stored value as it is. */
  readonly merges: boolean;
  readonly asOf: "mail-date" | "file-name" | "arrival";
  /** Its files of one day are told apart by a number alone. */
  readonly numbered?: true;
}

export const KINDS: readonly FeedKind[] = [
  { slug: "stock", mode: "full", merges: false, asOf: "mail-date" },
  { slug: "orders", mode: "delta", merges: false, asOf: "file-name" },
  { slug: "patch", mode: "delta", merges: true, asOf: "mail-date" },
  { slug: "log", mode: "delta", merges: false, asOf: "arrival" },
];

/** In some runs only. */
export const NUMBERED: FeedKind = { slug: "batch", mode: "delta", merges: false, asOf: "file-name", numbered: true };

/** What all orders are at that moment, as the ERP has them. In some runs only. */
export const NIGHTLY: FeedKind = { slug: "nightly", mode: "snapshot", merges: false, asOf: "file-name" };
/** The feed that it is about. */
export const CHECKED: FeedKind = KINDS.find(({ slug }) => slug === "orders")!;
/** How much drift heals without a person. */
export const DRIFT_LIMITS = { maxRows: 4, maxShare: 0.5 };

export const CUSTOMERS: readonly string[] = Array.from({ length: 10 }, (_, i) => `c${i + 1}`);

export const senderOf = (customer: string): string => `erp@${customer}.example`;

/** `orders-20260601T101500-0.csv` */
const DAY_PATTERN = "(?<year>\\d{4})(?<month>\\d{2})(?<day>\\d{2})";
const TIME_PATTERN = `${DAY_PATTERN}T(?<hour>\\d{2})(?<minute>\\d{2})(?<second>\\d{2})`;
/** `batch-20260601-n0012.csv` */
const NUMBER = { at: { fileName: "-n(\\d{4})" }, gap: "warn", repeat: "warn", reset: "warn" } as const;

/** What the gate holds: lists that lack or do not know most records, and files most of which cannot be read. */
export const GATE = {
  retired: { share: 0.4, minRecords: 3 },
  overlap: { share: 0.2, minRecords: 3 },
  rejected: { share: 0.4, minRows: 5 },
  remindAfterHours: 6,
  expireAfterDays: 1,
} as const satisfies GatePolicyInput;

function feedOf(customer: string, { slug, mode, merges, asOf, numbered }: FeedKind): Adapter {
  const blank = merges ? "keep" : "null";
  return defineFeed({
    customer,
    customerTitle: `Customer ${customer}`,
    feed: slug,
    title: `${slug} of ${customer}`,
    mode,
    intake: { policy: "trust-address", senders: [senderOf(customer)], fileName: "\\.csv$" },
    file: { charset: "utf-8", delimiter: ",", header: true },
    columns: [
      { name: "sku", source: { header: "sku" }, type: "identifier", blank: "reject" },
      { name: "qty", source: { header: "qty" }, type: "integer", blank },
      { name: "note", source: { header: "note" }, type: "text", blank },
    ],
    key: ["sku"],
    asOf: asOf === "file-name" ? { from: asOf, pattern: numbered ? DAY_PATTERN : TIME_PATTERN } : { from: asOf },
    ...(numbered ? { controls: { sequence: NUMBER } } : {}),
    contact: `it@${customer}.example`,
    gate: GATE,
    ...(mode === "snapshot" ? { reconciles: { feed: CHECKED.slug, ...DRIFT_LIMITS } } : {}),
    limits: { maxRejectShare: 1 },
  });
}

export const FEEDS: readonly Adapter[] = CUSTOMERS.flatMap((customer) =>
  [...KINDS, NUMBERED, NIGHTLY].map((kind) => feedOf(customer, kind)),
);
