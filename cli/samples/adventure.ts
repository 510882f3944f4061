/** The three feeds of `adventure`: a SQL Server's bulk exports, without header and without quoting. */
import { Random } from "./random.ts";
import { plainSample, type Sample } from "./sample.ts";
import { encodeUtf8, encodeUtf16le, encodeWindows1252, isoSecond, shortest } from "./text.ts";
import { type Plan, type Timeline, timelineOf } from "./timeline.ts";

const BASE_ADDRESSES = 20_000;
const BASE_PRODUCT_VENDORS = 460;
const BASE_STORES = 700;
/** Share of rows whose time has nine decimals where `mixedTimestamps` asks for them. */
const FRACTION_SHARE = 0.1;
const FRACTION = "2025-03-14 10:09:29.423000000";
const MS_PER_DAY = 86_400_000;
const FIRST_DAY = Date.UTC(2019, 0, 1);

export type StoreVariant = "utf-16le" | "utf-8";

/** Midnight of an untouched row, the export's own time of a touched one. */
function modified(draw: Random, timeline: Timeline, index: number, mixed: boolean): string {
  const day = new Date(FIRST_DAY + draw.between(0, 2_400) * MS_PER_DAY);
  const fraction = draw.chance(FRACTION_SHARE) && mixed;
  const revision = timeline.revisionOf(index);
  if (revision > 1) return isoSecond(timeline.at(revision));
  return fraction ? FRACTION : isoSecond(day);
}

interface Town {
  readonly name: string;
  readonly state: number;
  readonly post: string;
  readonly latitude: number;
  readonly longitude: number;
  readonly street: "english" | "german" | "french" | "other";
}

const town = (
  name: string,
  state: number,
  post: string,
  latitude: number,
  longitude: number,
  street: Town["street"],
): Town => ({ name, state, post, latitude, longitude, street });

/** Names with Š, Ž, œ, Ÿ or ’ stand here on purpose: their bytes (0x80 to 0x9F) tell Windows-1252 from ISO-8859-1. */
const TOWNS: readonly Town[] = [
  town("Duluth", 31, "99999", 46.78, -92.1, "english"),
  town("Savannah", 14, "99999", 32.08, -81.09, "english"),
  town("Tacoma", 79, "99999", 47.25, -122.44, "english"),
  town("Chattanooga", 72, "99999", 35.04, -85.3, "english"),
  town("Ballarat", 77, "9999", -37.56, 143.85, "english"),
  town("Toowoomba", 64, "9999", -27.56, 151.95, "english"),
  town("York", 119, "AA9 9AA", 53.96, -1.08, "english"),
  town("Bath", 119, "AA99", 51.38, -2.36, "english"),
  town("Moncton", 35, "A9A 9A9", 46.09, -64.77, "english"),
  town("Québec", 63, "A9A 9A9", 46.81, -71.21, "french"),
  town("Trois-Rivières", 63, "A9A 9A9", 46.34, -72.54, "french"),
  town("München", 20, "99999", 48.14, 11.58, "german"),
  town("Köln", 53, "99999", 50.94, 6.96, "german"),
  town("Saarbrücken", 70, "99999", 49.24, 7.0, "german"),
  town("Gießen", 19, "99999", 50.58, 8.67, "german"),
  town("Görlitz", 22, "99999", 51.15, 14.99, "german"),
  town("Zürich", 101, "9999", 47.38, 8.54, "german"),
  town("Genève", 102, "9999", 46.2, 6.14, "french"),
  town("Besançon", 103, "99999", 47.24, 6.02, "french"),
  town("Orléans", 121, "99999", 47.9, 1.9, "french"),
  town("Nîmes", 104, "99999", 43.84, 4.36, "french"),
  town("Hœnheim", 105, "99999", 48.62, 7.75, "french"),
  town("L’Haÿ-les-Roses", 106, "99999", 48.78, 2.34, "french"),
  town("La Côte-Saint-André", 107, "99999", 45.39, 5.26, "french"),
  town("A Coruña", 131, "99999", 43.37, -8.4, "other"),
  town("Córdoba", 132, "99999", 37.89, -4.78, "other"),
  town("São João da Madeira", 133, "9999-999", 40.9, -8.49, "other"),
  town("Tromsø", 134, "9999", 69.65, 18.96, "other"),
  town("Malmö", 135, "999 99", 55.6, 13.0, "other"),
  town("Århus", 136, "9999", 56.16, 10.2, "other"),
  town("Jyväskylä", 139, "99999", 62.24, 25.75, "other"),
  town("Škofja Loka", 137, "9999", 46.17, 14.31, "other"),
  town("Žilina", 138, "999 99", 49.22, 18.74, "other"),
];

const STREETS: Record<Town["street"], (draw: Random) => string> = {
  english: (draw) =>
    `${draw.between(1, 9_990)} ${draw.pick(["Alder", "Quarry", "Lantern", "Juniper", "St. Clement’s", "Ferry", "Orchard"])} ${draw.pick(["Road", "Ct.", "Blv.", "Lane", "Hill", "Row"])}`,
  german: (draw) =>
    `${draw.pick(["Ahornstraße", "Mühlgasse", "Am Güterbahnhof", "Königsplatz", "Färberweg", "Schloßallee"])} ${draw.between(1, 240)}${draw.pick(["", "", "", "a", "b"])}`,
  french: (draw) =>
    `${draw.between(1, 180)}, ${draw.pick(["rue de l´Étang", "avenue Molière", "place du Château", "quai François", "boul. des Érables"])}`,
  other: (draw) =>
    `${draw.pick(["Rúa da Peña", "Søndergade", "Avenida João II", "Våghållaregatan", "Trubarjeva cesta"])} ${draw.between(1, 300)}`,
};

const SECOND_LINES = ["# 12", "# 204", "Unit C", "Suite 310", "Étage 2", "Hinterhaus", "Verwaltung"];

/** SQL Server's geography as hex: SRID 4326, version 1, a single valid point, then two little-endian doubles. */
function pointHex(latitude: number, longitude: number): string {
  const point = Buffer.from("E6100000010C00000000000000000000000000000000", "hex");
  point.writeDoubleLE(latitude, 6);
  point.writeDoubleLE(longitude, 14);
  return point.toString("hex").toUpperCase();
}

export function addressSample(plan: Plan, mixedTimestamps: boolean): Sample {
  const label = "adventure/address";
  const timeline = timelineOf(plan, label, BASE_ADDRESSES);
  const lines: string[] = [];
  for (let i = 0; i < timeline.rows; i++) {
    const draw = new Random(plan.seed, label, i);
    const place = draw.pick(TOWNS);
    const second = draw.chance(0.02) ? draw.pick(SECOND_LINES) : "";
    const post = draw.filled(place.post);
    const point = pointHex(place.latitude + draw.unit() / 10, place.longitude + draw.unit() / 10);
    const guid = draw.guid();
    const time = modified(draw, timeline, i, mixedTimestamps);
    // Who moves within a town keeps the rest of the row.
    const street = STREETS[place.street](new Random(plan.seed, "street", i, timeline.revisionOf(i)));
    const id = 101 + i + Math.floor(i / 9) * 2;
    lines.push(`${id}\t${street}\t${second}\t${place.name}\t${place.state}\t${post}\t${point}\t{${guid}}\t${time}\n`);
  }
  return {
    customer: "adventure",
    feed: "address",
    fileName: "Address.csv",
    contentType: "text/csv",
    bytes: encodeWindows1252(lines.join("")),
    ...plainSample(timeline),
  };
}

/** `char(3)` in the database: shorter codes are padded, and the export keeps the padding. */
const UNITS = ["CTN", "CTN", "CTN", "CTN", "EA ", "EA ", "EA ", "CAN", "CAN", "CS ", "GAL", "DZ ", "PAK"];

export function productVendorSample(plan: Plan, mixedTimestamps: boolean): Sample {
  const label = "adventure/product-vendor";
  const timeline = timelineOf(plan, label, BASE_PRODUCT_VENDORS);
  let text = "";
  for (let i = 0; i < timeline.rows; i++) {
    const draw = new Random(plan.seed, label, i);
    const revised = new Random(plan.seed, "price", i, timeline.revisionOf(i));
    const product = 320 + Math.floor((i * 4) / 7); // one or two vendors a product
    const vendor = 1_500 + 2 * ((i * 37) % 91);
    const leadTime = draw.chance(0.01) ? 120 : draw.between(10, 45);
    const priceCents = draw.between(15, 8_000) + revised.between(0, 200);
    const minimum = draw.pick([1, 1, 1, 5, 20, 100, 500, 1_000]);
    const cells = [
      product,
      vendor,
      leadTime,
      shortest(priceCents, 2),
      shortest(priceCents * 105, 4), // five per cent dearer, in ten-thousandths
      isoSecond(new Date(FIRST_DAY + draw.between(0, 2_400) * MS_PER_DAY)),
      minimum,
      minimum * draw.pick([5, 10]),
      draw.chance(0.66) ? "" : minimum * draw.between(1, 4),
      draw.pick(UNITS),
      modified(draw, timeline, i, mixedTimestamps),
    ];
    text += `${cells.join("\t")}\n`;
  }
  return {
    customer: "adventure",
    feed: "product-vendor",
    fileName: "ProductVendor.csv",
    contentType: "text/csv",
    bytes: encodeUtf8(text),
    ...plainSample(timeline),
  };
}

const STORE_FIRST = ["Pedal", "Summit", "Family’s", "Two-Lane", "Véloce", "Riverside", "Gear+", "Kettenöl", "Northern"];
const STORE_SECOND = ["Cycle Barn", "Bikes & Parts", "Outfitters", "Wheel Works", "Radhaus", "Rental, Sales & Repair"];
const STORE_LAST = ["", "", " Co.", " Ltd.", " Mfg.", " of the Valley"];
const BANKS = ["Harbour Trust", "First Meadow Bank", "Savings &amp; Loan of Alder", "Union Provident"];

function storeSurvey(draw: Random, revised: Random): string {
  const sales = draw.pick([300_000, 800_000, 1_500_000, 3_000_000]);
  const elements = {
    AnnualSales: sales,
    AnnualRevenue: sales / 10,
    BankName: draw.pick(BANKS),
    BusinessType: draw.pick(["BM", "BS", "OS"]),
    YearOpened: draw.between(1970, 2015),
    Specialty: draw.pick(["Road", "Mountain", "Touring"]),
    SquareFeet: draw.between(6, 80) * 1_000,
    Brands: draw.pick(["2", "3", "4+", "AW"]),
    Internet: draw.pick(["DSL", "T1", "T2", "T3", "ISDN"]),
    NumberEmployees: revised.between(2, 99),
  };
  const body = Object.entries(elements).map(([name, value]) => `<${name}>${value}</${name}>`);
  return `<StoreSurvey xmlns="http://schemas.adventure.example/2026/StoreSurvey">${body.join("")}</StoreSurvey>`;
}

/**
 * The two ways this table was exported over the years. `utf-16le`: a BOM, U+FEFF again before every survey, nine decimals,
 * CRLF after the record mark. `utf-8`: no BOM at all, three decimals, LF.
 */
const STORE_DIALECTS = {
  "utf-16le": { bom: "\ufeff", survey: "\ufeff", zeros: "000000", end: "&|\r\n", encode: encodeUtf16le },
  "utf-8": { bom: "", survey: "", zeros: "", end: "&|\n", encode: encodeUtf8 },
} as const;

export function storeSample(plan: Plan, variant: StoreVariant): Sample {
  const label = "adventure/store";
  const timeline = timelineOf(plan, label, BASE_STORES);
  const dialect = STORE_DIALECTS[variant];
  let text: string = dialect.bom;
  for (let i = 0; i < timeline.rows; i++) {
    const draw = new Random(plan.seed, label, i);
    const revision = timeline.revisionOf(i);
    const revised = new Random(plan.seed, "survey", i, revision);
    const padding = i % 175 === 3 ? " " : ""; // a name typed with a blank after it
    const name = `${draw.pick(STORE_FIRST)} ${draw.pick(STORE_SECOND)}${draw.pick(STORE_LAST)}${padding}`;
    const time = revision > 1 ? isoSecond(timeline.at(revision)) : "2025-09-12 11:15:07";
    const cells = [
      2_500 + 2 * i,
      name,
      draw.between(275, 290),
      `${dialect.survey}${storeSurvey(draw, revised)}`,
      draw.guid(),
      `${time}.497${dialect.zeros}`,
    ];
    text += cells.join("+|") + dialect.end;
  }
  return {
    customer: "adventure",
    feed: "store",
    fileName: "Store.csv",
    contentType: "text/csv",
    bytes: dialect.encode(text),
    ...plainSample(timeline),
  };
}
