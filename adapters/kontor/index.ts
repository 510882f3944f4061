/** What Kontor's bookkeeping sends: DATEV booking batches (EXTF format 700, category 21). */
import { defineFeed, type Feed } from "../../src/domain/adapter.ts";

/** Fields of the metadata line, by their place in DATEV's description of the format. */
const metadata = (field: number) => ({ preamble: 1, field });

const buchungen = defineFeed({
  customer: "kontor",
  customerTitle: "Kontor Nord",
  feed: "buchungen",
  title: "Buchungsstapel",
  contact: "buchhaltung@kontor.example",
  mode: "delta",
  intake: { policy: "trust-address", senders: ["@kontor.example"], fileName: "^EXTF_Buchungsstapel.*\\.csv$" },
  file: {
    charset: "windows-1252",
    delimiter: ";",
    preamble: [{ startsWith: '"EXTF";700;21;' }],
    header: true,
  },
  columns: [
    // A booking has no number of its own: it is known by its batch and its place in it.
    { name: "consultant_no", source: metadata(11), type: "identifier" },
    { name: "client_no", source: metadata(12), type: "identifier" },
    { name: "fiscal_year_start", source: metadata(13), type: "date", format: "yyyyMMdd" },
    { name: "batch_from", source: metadata(15), type: "date", format: "yyyyMMdd" },
    { name: "batch_to", source: metadata(16), type: "date", format: "yyyyMMdd" },
    { name: "batch_title", source: metadata(17), type: "text", maxLength: 30 },
    { name: "line_no", source: { ordinal: true }, type: "integer" },
    {
      name: "amount",
      source: { header: "Umsatz (ohne Soll/Haben-Kz)" },
      type: "decimal",
      decimalMark: ",",
      scale: 2,
      blank: "reject",
    },
    {
      name: "side",
      source: { header: "Soll/Haben-Kennzeichen" },
      type: "enum",
      values: { S: "debit", H: "credit" },
      blank: "reject",
    },
    { name: "currency", source: { header: "WKZ Umsatz" }, type: "identifier", pattern: "^[A-Z]{3}$" },
    { name: "account", source: { header: "Konto" }, type: "identifier", maxLength: 9, blank: "reject" },
    {
      name: "contra_account",
      source: { header: "Gegenkonto (ohne BU-Schlüssel)" },
      type: "identifier",
      maxLength: 9,
      blank: "reject",
    },
    { name: "tax_key", source: { header: "BU-Schlüssel" }, type: "identifier", maxLength: 4 },
    {
      name: "voucher_on",
      source: { header: "Belegdatum" },
      type: "date",
      format: "ddMM",
      fiscalYearStart: metadata(13),
      blank: "reject",
    },
    { name: "voucher_no", source: { header: "Belegfeld 1" }, type: "identifier", maxLength: 36 },
    { name: "voucher_no2", source: { header: "Belegfeld 2" }, type: "identifier", maxLength: 12 },
    { name: "text", source: { header: "Buchungstext" }, type: "text", maxLength: 60 },
    { name: "cost_center1", source: { header: "KOST1 – Kostenstelle" }, type: "identifier", maxLength: 36 },
    { name: "cost_center2", source: { header: "KOST2 – Kostenstelle" }, type: "identifier", maxLength: 36 },
    { name: "fixed", source: { header: "Festschreibung" }, type: "boolean", yes: ["1"], no: ["0"] },
    { name: "delivered_on", source: { header: "Leistungsdatum" }, type: "date", format: "ddMMyyyy" },
  ],
  key: ["consultant_no", "client_no", "fiscal_year_start", "batch_from", "batch_to", "batch_title", "line_no"],
});

export const feeds: readonly Feed[] = [buchungen];
