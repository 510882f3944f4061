/** The feeds of five small customers: every mode, every way of saying when a file is true, one that carries another's files. */
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";

type Mode = "full" | "delta";

interface Kind {
  readonly feed: string;
  readonly mode: Mode;
  readonly merges?: boolean;
  readonly asOf?: "mail-date" | "file-name" | "arrival";
  readonly carries?: readonly string[];
}

const KINDS: Readonly<Record<string, readonly Kind[]>> = {
  alder: [{ feed: "stock", mode: "full" }],
  birch: [{ feed: "orders", mode: "delta", asOf: "file-name" }],
  cedar: [{ feed: "patch", mode: "delta", merges: true }],
  doum: [
    { feed: "stock", mode: "full", carries: ["orders"] },
    { feed: "orders", mode: "delta" },
  ],
  elm: [{ feed: "log", mode: "delta", asOf: "arrival" }],
};

/** `orders-20260601.csv` */
const DAY = "(?<year>\\d{4})(?<month>\\d{2})(?<day>\\d{2})";

function feedOf(customer: string, { feed, mode, merges = false, asOf = "mail-date", carries = [] }: Kind): Adapter {
  const blank = merges ? "keep" : "null";
  return defineFeed({
    customer,
    customerTitle: `Customer ${customer}`,
    feed,
    title: feed,
    mode,
    intake: {
      policy: "trust-address",
      senders: [`erp@${customer}.example`],
      fileName: `^${feed}-.*\\.csv$`,
      carries: [...carries],
    },
    file: { charset: "utf-8", delimiter: ",", header: true },
    columns: [
      { name: "sku", source: { header: "sku" }, type: "identifier", blank: "reject" },
      { name: "qty", source: { header: "qty" }, type: "integer", blank },
      { name: "note", source: { header: "note" }, type: "text", blank },
    ],
    key: ["sku"],
    asOf: asOf === "file-name" ? { from: asOf, pattern: DAY } : { from: asOf },
    limits: { maxRejectShare: 1 },
  });
}

export const FEEDS: readonly Adapter[] = Object.entries(KINDS).flatMap(([customer, kinds]) =>
  kinds.map((kind) => feedOf(customer, kind)),
);

export const feedsOf = (...customers: readonly string[]): readonly Adapter[] =>
  FEEDS.filter(({ customer }) => customers.includes(customer));

export const csv = (rows: readonly (readonly [sku: string, qty: number | string, note?: string])[]): string =>
  ["sku,qty,note", ...rows.map(([sku, qty, note = ""]) => `${sku},${qty},${note}`), ""].join("\r\n");
