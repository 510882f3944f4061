/**
 * Large inventories for measurements: about 120 bytes a row, ten columns, `;`, Windows-1252, decimal comma, CRLF, 30 % of
 * the descriptions quoted, 0.15 % bad rows, no newline inside a cell (so `wc -l` counts rows). A million and a half rows
 * deflate far enough to fit, zipped and in base64, under the 25 MiB of one mail.
 */
import { Random } from "./random.ts";
import { encodeWindows1252, fixed, withCheckDigit } from "./text.ts";

export const BENCH_COLUMNS = [
  "Artikelnummer",
  "EAN",
  "Bezeichnung",
  "Lager",
  "Einheit",
  "Bestand",
  "Preis",
  "Status",
  "Gezählt am",
  "Gesperrt",
] as const;

/** Places of the bad rows in every 2,000: three, so 0.15 %. */
const BAD_PERIOD = 2_000;
const BAD_PLACES = { number: 499, date: 1_166, width: 1_833 } as const;
/** Rows encoded at a time: some hundred kilobytes of text. */
const ROWS_PER_SLICE = 4_096;
const QUOTED_SHARE = 0.3;

const PLAIN = [
  "Sechskantschraube M8x40 verzinkt, Güte 8.8",
  "Unterlegscheibe für Holzbau 24 mm breit",
  "Dübel Größe 10 für Beton und Ziegelmauerwerk",
  "Gewindestange 1000 mm, Stahl blank geölt",
  "Rillenkugellager zweireihig abgedichtet",
];
const QUOTED = [
  '"Rohrschelle 3/4""; mit Gummieinlage, schwarz"',
  '"Schlauch 1/2""; Meterware; ölbeständig bis 90 °C"',
  '"Türband links; Stärke 3 mm – gebürstet"',
  '"Set ""Montage groß""; 48 Teile im Koffer"',
];
const STORES = ["Hauptlager Köln", "Außenlager Süd", "Lager Görlitz 2"];
const STOCKS = ["0,000", "12,000", "125,500", "1250,000", "40,250", "7,000", "960,000", "3,125"];
const PRICES = ["0,0845", "1,2900", "12,4900", "149,0000", "3,7550", "27,9000"];
const DAYS = ["02.11.2026", "29.10.2026", "15.09.2026", "31.03.2026"];

export interface InventoryRowsOptions {
  readonly rows: number;
  readonly seed?: number;
  readonly style?: "bench";
}

/** Data rows, each with its CRLF; no header. The row at place n has the article number n + 1. */
export function* inventoryRows({ rows, seed = 1 }: InventoryRowsOptions): Generator<string, void, undefined> {
  const draw = new Random(seed, "bench/inventory");
  for (let i = 0; i < rows; i++) {
    const article = `A${String(i + 1).padStart(7, "0")}`;
    const ean = withCheckDigit(`20${String(i + 1).padStart(10, "0")}`);
    const description = draw.chance(QUOTED_SHARE) ? draw.pick(QUOTED) : draw.pick(PLAIN);
    const place = i % BAD_PERIOD;
    const stock = place === BAD_PLACES.number ? "12,5O" : draw.pick(STOCKS);
    const day = place === BAD_PLACES.date ? "31.02.2026" : draw.pick(DAYS);
    const price = draw.chance(0.02) ? fixed(draw.between(1, 9_999_999), 4, ",") : draw.pick(PRICES);
    const status = draw.chance(0.9) ? "aktiv" : "ausgelaufen";
    const rest = place === BAD_PLACES.width ? "" : `;${draw.chance(0.05) ? "ja" : "nein"}`;
    yield `${article};${ean};${description};${draw.pick(STORES)};${draw.chance(0.8) ? "ST" : "PAK"};${stock};${price};${status};${day}${rest}\r\n`;
  }
}

/** How many of the first `rows` rows must be refused. */
export const benchRejects = (rows: number): number =>
  Object.values(BAD_PLACES).reduce((sum, place) => sum + Math.floor((rows + BAD_PERIOD - 1 - place) / BAD_PERIOD), 0);

/** Header and rows as one file in Windows-1252. About 120 bytes a row; holds the file twice while it is made. */
export function benchInventoryBytes(rows: number, seed = 1): Uint8Array<ArrayBuffer> {
  const slices: Uint8Array[] = [encodeWindows1252(`${BENCH_COLUMNS.join(";")}\r\n`)];
  let slice: string[] = [];
  const flush = () => {
    slices.push(encodeWindows1252(slice.join("")));
    slice = [];
  };
  for (const row of inventoryRows({ rows, seed })) {
    slice.push(row);
    if (slice.length === ROWS_PER_SLICE) flush();
  }
  flush();
  const bytes = new Uint8Array(slices.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of slices) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}
