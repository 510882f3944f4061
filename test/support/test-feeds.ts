/** Feeds for tests of onboarding and drift: one that says nothing of its files, one that leaves out how they are written, the others described. */
import { type Adapter, defineFeed } from "../../src/domain/adapter.ts";

const ours = {
  customer: "acme",
  customerTitle: "Acme Tools",
  mode: "delta" as const,
  intake: { policy: "trust-address" as const, senders: ["@acme.example"] },
};

const goods = {
  file: { charset: "utf-8" as const, delimiter: ";", header: true },
  columns: [
    { name: "article", source: { header: "Article" }, type: "identifier" as const },
    { name: "amount", source: { header: "Amount" }, type: "integer" as const },
    { name: "place", source: { header: "Place" }, type: "text" as const },
    { name: "shelf", source: { header: "Shelf" }, type: "text" as const },
  ],
  key: ["article"],
  // The same words again are a statement of their own.
  duplicateWindowHours: 0,
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
  // A delta, and the list of all there is that is mailed to check it.
  defineFeed({
    ...ours,
    ...goods,
    feed: "goods",
    title: "Goods",
    contact: "stock@acme.example",
    platformFields: ["shelf"],
  }),
  defineFeed({
    ...ours,
    ...goods,
    feed: "goods-now",
    title: "Goods, all of them",
    mode: "snapshot",
    reconciles: { feed: "goods", maxRows: 6, maxShare: 0.5 },
    cadence: { everyHours: 48 },
  }),
  // A snapshot of what has another key.
  defineFeed({
    ...ours,
    feed: "goods-odd",
    title: "Goods by place",
    mode: "snapshot",
    reconciles: { feed: "goods" },
    file: { charset: "utf-8", delimiter: ";", header: true },
    columns: goods.columns,
    key: ["place"],
  }),
  // A full feed that nobody sends a snapshot of.
  defineFeed({ ...ours, ...goods, feed: "shelves", title: "Shelves", mode: "full" }),
  defineFeed({
    ...ours,
    mode: "full",
    feed: "catalogue",
    title: "Catalogue",
    file: { charset: "utf-8", delimiter: ";", header: true },
    columns: [
      { name: "article", source: { header: "Article" }, type: "identifier" },
      { name: "price", source: { header: "Price" }, type: "decimal", decimalMark: ",", scale: 2 },
      { name: "place", source: { header: "Place" }, type: "text" },
    ],
    key: ["article"],
  }),
];
