/** What Adventure's ERP sends: bulk exports of SQL Server tables, without headers and without quoting. */
import { defineFeed, type Feed } from "../../src/domain/adapter.ts";

const customer = { customer: "adventure", customerTitle: "Adventure Bicycles", contact: "erp@adventure.example" };
const intake = { policy: "trust-address" as const, senders: ["@adventure.example"] };
/** As many digits after the second as the server cares to write, nine or none. */
const STAMP = "yyyy-MM-dd HH:mm:ss[.f]";
const GUID = "^(\\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\\}|[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12})$";

const address = defineFeed({
  ...customer,
  feed: "address",
  title: "Addresses",
  mode: "full",
  intake: { ...intake, fileName: "^Address\\.csv$" },
  file: { charset: "windows-1252", delimiter: "\t", quote: "none", header: false, columnCount: 9 },
  columns: [
    { name: "address_id", source: { position: 1 }, type: "integer", min: 1 },
    { name: "address_line1", source: { position: 2 }, type: "text", maxLength: 60, blank: "reject" },
    { name: "address_line2", source: { position: 3 }, type: "text", maxLength: 60 },
    { name: "city", source: { position: 4 }, type: "text", maxLength: 30, blank: "reject" },
    { name: "state_province_id", source: { position: 5 }, type: "integer", min: 1, blank: "reject" },
    { name: "postal_code", source: { position: 6 }, type: "identifier", maxLength: 15, blank: "reject" },
    { name: "spatial_location", source: { position: 7 }, type: "identifier", pattern: "^[0-9A-F]{44}$" },
    { name: "rowguid", source: { position: 8 }, type: "identifier", pattern: GUID, blank: "reject" },
    { name: "modified_at", source: { position: 9 }, type: "datetime", format: STAMP, blank: "reject" },
  ],
  key: ["address_id"],
});

const productVendor = defineFeed({
  ...customer,
  feed: "product-vendor",
  title: "Products by vendor",
  mode: "full",
  intake: { ...intake, fileName: "^ProductVendor\\.csv$" },
  file: { charset: "windows-1252", delimiter: "\t", quote: "none", header: false, columnCount: 11 },
  columns: [
    { name: "product_id", source: { position: 1 }, type: "integer", min: 1 },
    { name: "vendor_id", source: { position: 2 }, type: "integer", min: 1 },
    { name: "average_lead_time_days", source: { position: 3 }, type: "integer", min: 0, blank: "reject" },
    { name: "standard_price", source: { position: 4 }, type: "decimal", scale: 4, blank: "reject" },
    { name: "last_receipt_cost", source: { position: 5 }, type: "decimal", scale: 4 },
    { name: "last_receipt_at", source: { position: 6 }, type: "datetime", format: STAMP },
    { name: "min_order_qty", source: { position: 7 }, type: "integer", min: 0, blank: "reject" },
    { name: "max_order_qty", source: { position: 8 }, type: "integer", min: 0, blank: "reject" },
    { name: "on_order_qty", source: { position: 9 }, type: "integer", min: 0 },
    { name: "unit_code", source: { position: 10 }, type: "identifier", maxLength: 3, blank: "reject" },
    { name: "modified_at", source: { position: 11 }, type: "datetime", format: STAMP, blank: "reject" },
  ],
  key: ["product_id", "vendor_id"],
});

const store = defineFeed({
  ...customer,
  feed: "store",
  title: "Stores",
  mode: "full",
  intake: { ...intake, fileName: "^Store\\.csv$" },
  file: { charset: "utf-16le", delimiter: "+|", recordDelimiter: "&|", quote: "none", header: false, columnCount: 6 },
  columns: [
    { name: "store_id", source: { position: 1 }, type: "integer", min: 1 },
    { name: "name", source: { position: 2 }, type: "text", maxLength: 100, blank: "reject" },
    { name: "sales_person_id", source: { position: 3 }, type: "integer", min: 1 },
    { name: "demographics", source: { position: 4 }, type: "text" },
    { name: "rowguid", source: { position: 5 }, type: "identifier", pattern: GUID, blank: "reject" },
    { name: "modified_at", source: { position: 6 }, type: "datetime", format: STAMP, blank: "reject" },
  ],
  key: ["store_id"],
});

export const feeds: readonly Feed[] = [address, productVendor, store];
