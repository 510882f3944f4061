/** What Acme's ERP sends. */
import { defineFeed, type Feed } from "../../src/domain/adapter.ts";

const inventory = defineFeed({
  customer: "acme",
  customerTitle: "Acme Tools",
  feed: "inventory",
  title: "Inventory",
  contact: "stock@acme.example",
  mode: "full",
  intake: { policy: "trust-address", senders: ["@acme.example"], fileName: "\\.csv$" },
  file: { charset: "utf-8", delimiter: ",", header: true },
  columns: [
    { name: "sku", source: { header: "SKU" }, type: "identifier", pattern: "^[0-9]{8}$" },
    { name: "gtin", source: { header: "GTIN" }, type: "identifier", pattern: "^([0-9]{8}|[0-9]{13})$" },
    { name: "description", source: { header: "Description" }, type: "text", maxLength: 200, blank: "reject" },
    { name: "category", source: { header: "Category" }, type: "text", maxLength: 60 },
    {
      name: "unit",
      source: { header: "Unit" },
      type: "enum",
      values: { EA: "EA", BX: "BX", KG: "KG", M: "M" },
      blank: "reject",
    },
    { name: "quantity", source: { header: "Quantity" }, type: "decimal", scale: 3, blank: "reject" },
    { name: "unit_price", source: { header: "Unit Price" }, type: "decimal", scale: 4, blank: "reject" },
    { name: "currency", source: { header: "Currency" }, type: "identifier", pattern: "^[A-Z]{3}$", blank: "reject" },
    {
      name: "status",
      source: { header: "Status" },
      type: "enum",
      values: { active: "active", blocked: "blocked", discontinued: "discontinued" },
      blank: "reject",
    },
    {
      name: "lot_tracked",
      source: { header: "Lot Tracked" },
      type: "boolean",
      yes: ["yes"],
      no: ["no"],
      blank: "reject",
    },
    { name: "last_counted", source: { header: "Last Counted" }, type: "date", format: "yyyy-MM-dd" },
    { name: "remark", source: { header: "Remark" }, type: "text" },
  ],
  key: ["sku"],
});

export const feeds: readonly Feed[] = [inventory];
