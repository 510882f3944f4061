/** The feed of the measured inventory: `cli/samples/bench.ts` says what its file looks like. */
import { defineFeed } from "../../src/domain/adapter.ts";

export const benchInventory = defineFeed({
  customer: "bench",
  customerTitle: "Bench",
  feed: "inventory",
  title: "Inventory",
  mode: "full",
  intake: { policy: "trust-address", senders: ["@bench.example"] },
  file: { charset: "windows-1252", delimiter: ";", header: true },
  columns: [
    { name: "sku", source: { header: "Artikelnummer" }, type: "identifier" },
    { name: "ean", source: { header: "EAN" }, type: "identifier", maxLength: 13 },
    { name: "description", source: { header: "Bezeichnung" }, type: "text" },
    { name: "store", source: { header: "Lager" }, type: "text" },
    { name: "unit", source: { header: "Einheit" }, type: "enum", values: { ST: "piece", PAK: "pack" } },
    { name: "stock", source: { header: "Bestand" }, type: "decimal", decimalMark: "," },
    { name: "price", source: { header: "Preis" }, type: "decimal", decimalMark: "," },
    { name: "status", source: { header: "Status" }, type: "text" },
    { name: "counted_on", source: { header: "Gezählt am" }, type: "date", format: "dd.MM.yyyy" },
    { name: "blocked", source: { header: "Gesperrt" }, type: "boolean", yes: ["ja"], no: ["nein"] },
  ],
  key: ["sku"],
  limits: { maxRejects: 100_000, maxRejectShare: 0.05 },
});
