/** Feeds for tests of onboarding and drift: one that says nothing of its files, one that leaves out how they are written, two described. */
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";

const ours = {
  customer: "acme",
  customerTitle: "Acme Tools",
  mode: "delta" as const,
  intake: { policy: "trust-address" as const, senders: ["@acme.example"] },
};

export const testFeeds: readonly Adapter[] = [
  defineFeed({ ...ours, feed: "prices", title: "Prices" }),
  defineFeed({
    ...ours,
    feed: "deals",
    title: "Deals",
    columns: [
      { name: "deal", source: { header: "Deal" }, type: "identifier" },
      { name: "until", source: { header: "Until" }, type: "date", format: "detect" },
      { name: "discount", source: { header: "Discount" }, type: "decimal", decimalMark: "detect", scale: 2 },
    ],
    key: ["deal"],
  }),
  defineFeed({
    ...ours,
    feed: "stock",
    title: "Stock",
    file: { charset: "utf-8", delimiter: ";", header: true },
    columns: [
      { name: "article", source: { header: "Article" }, type: "identifier" },
      { name: "amount", source: { header: "Amount" }, type: "decimal", decimalMark: ",", scale: 3 },
      { name: "place", source: { header: "Place" }, type: "text" },
    ],
    key: ["article"],
  }),
  defineFeed({
    ...ours,
    feed: "batches",
    title: "Batches",
    file: { charset: "utf-8", delimiter: ";", header: true },
    columns: [
      { name: "batch", source: { header: "Batch" }, type: "identifier" },
      { name: "state", source: { header: "State" }, type: "text" },
    ],
    key: ["batch"],
    controls: { sequence: { at: { fileName: "_(\\d+)" } } },
  }),
  defineFeed({
    ...ours,
    feed: "tariff",
    title: "Tariff",
    file: { charset: "utf-8", delimiter: ";", header: true },
    columns: [
      { name: "article", source: { header: "Article" }, type: "identifier" },
      { name: "amount", source: { header: "Amount" }, type: "text" },
      { name: "place", source: { header: "Place" }, type: "text" },
    ],
    key: ["article"],
  }),
];
