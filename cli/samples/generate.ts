/**
 * The project's own sample files: invented content in the shape of real ERP exports. Pure and seeded: no clock, no
 * randomness from outside, no time zone; the whole set takes well under a second.
 *
 * | feed                     | file                    | natural key               | shape                                        |
 * |--------------------------|-------------------------|---------------------------|----------------------------------------------|
 * | adventure/address        | Address.csv             | AddressID                 | Windows-1252, TAB, LF, no header, 9 columns  |
 * | adventure/product-vendor | ProductVendor.csv       | ProductID + BusinessEntityID | ASCII, TAB, LF, no header, 11 columns     |
 * | adventure/store          | Store.csv               | BusinessEntityID          | UTF-16LE with BOM, `+|`, `&|` CRLF, 6 columns |
 * | kontor/buchungen         | EXTF_Buchungsstapel.csv | Belegfeld 1               | Windows-1252, `;`, CRLF, 1 line of metadata, 120 columns |
 * | acme/inventory           | inventory.zip → inventory.csv | SKU                 | UTF-8 with BOM, `,`, CRLF, quoting, 12 columns, 6 bad rows |
 *
 * Columns, in order (`?` may be blank):
 * - address: AddressID int · AddressLine1 · AddressLine2? · City · StateProvinceID int · PostalCode (text) · SpatialLocation
 *   (44 hex digits) · rowguid `{GUID}` · ModifiedDate `yyyy-MM-dd HH:mm:ss`
 * - product-vendor: ProductID · BusinessEntityID · AverageLeadTime int · StandardPrice (0 to 2 decimals) · LastReceiptCost (0 to
 *   4) · LastReceiptDate `yyyy-MM-dd HH:mm:ss` · MinOrderQty · MaxOrderQty · OnOrderQty? int · UnitMeasureCode padded to 3
 *   (`EA `) · ModifiedDate
 * - store: BusinessEntityID · Name (some end in a blank) · SalesPersonID · Demographics (XML; after U+FEFF in UTF-16) · rowguid
 *   without braces · ModifiedDate `yyyy-MM-dd HH:mm:ss.SSS000000` (utf-8 variant: `.SSS`)
 * - buchungen: `BUCHUNGSSTAPEL_COLUMNS`; text cells quoted even when blank, decimal comma, Belegdatum ddMM of the year in
 *   metadata field 13, Leistungsdatum? ddMMyyyy
 * - inventory: `INVENTORY_COLUMNS`; GTIN?, Last Counted? and Remark? may be blank; Quantity 3 decimals, Unit Price 4, ISO
 *   dates, Status active/blocked/discontinued, Lot Tracked yes/no
 *
 * Editions: `generateSamples({ edition: 2 })` is the same state four hours after edition 1: about one row in twenty changed,
 * a few new at the end, none gone; untouched rows are the same to the byte. Give every edition the same `now`.
 */
import { inventorySample } from "./acme.ts";
import { addressSample, productVendorSample, type StoreVariant, storeSample } from "./adventure.ts";
import { buchungenSample } from "./kontor.ts";
import type { Sample } from "./sample.ts";
import type { Plan } from "./timeline.ts";

export { INVENTORY_COLUMNS, INVENTORY_MAX_DESCRIPTION_CHARS } from "./acme.ts";
export type { StoreVariant } from "./adventure.ts";
export { BENCH_COLUMNS, benchInventoryBytes, benchRejects, inventoryRows } from "./bench.ts";
export { BUCHUNGSSTAPEL_COLUMNS } from "./kontor.ts";
export type { RejectedRow, Sample } from "./sample.ts";
export { type ZipEntry, zipOf } from "./zip.ts";

export interface SampleOptions {
  readonly seed?: number;
  /** 1: the usual sizes. No feed has fewer than 20 rows. */
  readonly scale?: number;
  /** When edition 1 is exported. Default: a fixed Monday morning. */
  readonly now?: Date;
  /** From 1. */
  readonly edition?: number;
  /** Share of rows that change from one edition to the next, 0 to 1. */
  readonly changedShare?: number;
  /** `utf-8`: the store file as another version of the ERP writes it; its format differs, its stores do not. */
  readonly storeVariant?: StoreVariant;
  /** One ModifiedDate in ten of address and product-vendor with nine decimals, as such exports have where imports mixed. */
  readonly mixedTimestamps?: boolean;
}

const DEFAULT_SEED = 20_261_102;
const DEFAULT_NOW = new Date("2026-11-02T05:30:00Z");
const DEFAULT_CHANGED_SHARE = 0.05;

/** @throws RangeError for an edition below 1 or a share outside 0 to 1. */
export function generateSamples(options: SampleOptions = {}): Sample[] {
  const plan: Plan = {
    seed: options.seed ?? DEFAULT_SEED,
    scale: options.scale ?? 1,
    now: options.now ?? DEFAULT_NOW,
    edition: options.edition ?? 1,
    changedShare: options.changedShare ?? DEFAULT_CHANGED_SHARE,
  };
  if (!Number.isInteger(plan.edition) || plan.edition < 1)
    throw new RangeError("The edition is a whole number from 1.");
  if (!(plan.changedShare >= 0 && plan.changedShare <= 1)) throw new RangeError("The changed share lies from 0 to 1.");
  if (!(plan.scale > 0)) throw new RangeError("The scale is above 0.");
  const mixed = options.mixedTimestamps ?? false;
  return [
    addressSample(plan, mixed),
    productVendorSample(plan, mixed),
    storeSample(plan, options.storeVariant ?? "utf-16le"),
    buchungenSample(plan),
    inventorySample(plan),
  ];
}
