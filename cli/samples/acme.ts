/** `acme/inventory`: a tidy-looking export with every trap of quoting in it, mailed as a zip. */
import { Random } from "./random.ts";
import type { RejectedRow, Sample } from "./sample.ts";
import { encodeUtf8, fixed, isoDay, minimallyQuoted, withCheckDigit } from "./text.ts";
import { type Plan, type Timeline, timelineOf } from "./timeline.ts";
import { zipOf } from "./zip.ts";

const BASE_ITEMS = 5_000;
/** The longest description the feed allows; one row goes beyond it. */
export const INVENTORY_MAX_DESCRIPTION_CHARS = 200;
/** Bad rows have these places in the catalogue, far above the good ones, so that no edition's new item meets one. */
const FIRST_BAD_INDEX = 9_990_000;
const MS_PER_DAY = 86_400_000;

export const INVENTORY_COLUMNS = [
  "SKU",
  "GTIN",
  "Description",
  "Category",
  "Unit",
  "Quantity",
  "Unit Price",
  "Currency",
  "Status",
  "Lot Tracked",
  "Last Counted",
  "Remark",
] as const;

type Item = Record<(typeof INVENTORY_COLUMNS)[number], string>;

const THINGS = ["Hex bolt", "Washer", "Ball bearing", "Cable gland", "Façade anchor", "O-ring", "Gear oil 5 °C"];
const SIZES = ["M8 x 40", "M10, zinc plated", 'Ø 12.5 mm, 1/2" thread', '3/4" NPT', "25 kg", "grade 8.8, 100 pcs"];
const REMARKS = [
  "Counted twice",
  "See bin 4, aisle 7",
  'Label reads "OLD"',
  "Moved to annex\nask Zoë",
  "Line one\r\nline two",
];
const STATUSES = ["active", "active", "active", "active", "active", "active", "active", "blocked", "discontinued"];

/**
 * A number out of the ranges GS1 keeps for use inside one company (prefixes 04 and 2), so that none is anybody's product.
 * Thirteen digits mostly, some of them with a zero in front; a few of eight; some items have none.
 */
function gtin(draw: Random): string {
  const kind = draw.between(0, 19);
  if (kind === 0) return "";
  if (kind === 1) return withCheckDigit(draw.filled("2999999"));
  return withCheckDigit(draw.filled(kind < 6 ? "049999999999" : "299999999999"));
}

function itemOf(plan: Plan, timeline: Timeline, index: number, revision: number): Item {
  const draw = new Random(plan.seed, "acme/inventory", index);
  const revised = new Random(plan.seed, "stock", index, revision);
  // A later count is always higher than the one before, so that a changed row differs for sure.
  const quantity = draw.between(0, 90_000) * 5 + (revision - 1) * 1_000 + revised.between(0, 999);
  const counted = new Date(Date.UTC(2026, 0, 5) + draw.between(0, 240) * MS_PER_DAY);
  const neverCounted = draw.chance(0.1);
  return {
    SKU: String(index + 1).padStart(8, "0"),
    GTIN: gtin(draw),
    Description: `${draw.pick(THINGS)} ${draw.pick(SIZES)}`,
    Category: draw.pick(["Fasteners", "Bearings", "Electrical", "Lubricants"]),
    Unit: draw.pick(["EA", "BX", "KG", "M"]),
    Quantity: fixed(quantity, 3),
    "Unit Price": fixed(draw.between(5, 2_500_000), 4),
    Currency: draw.chance(0.9) ? "EUR" : "USD",
    Status: draw.pick(STATUSES),
    "Lot Tracked": draw.chance(0.3) ? "yes" : "no",
    "Last Counted": revision > 1 ? isoDay(timeline.at(revision)) : neverCounted ? "" : isoDay(counted),
    Remark: draw.chance(0.12) ? draw.pick(REMARKS) : "",
  };
}

const cellsOf = (item: Item) => INVENTORY_COLUMNS.map((column) => minimallyQuoted(item[column], ","));

interface Fault {
  readonly column: keyof Item | null;
  readonly value: string;
  readonly reason: string;
  /** The row's cells as they stand in the file. */
  readonly spoil: (item: Item) => string[];
}

const wrongCell = (column: keyof Item, value: string, reason: string): Fault => ({
  column,
  value,
  reason,
  spoil: (item) => cellsOf({ ...item, [column]: value }),
});

const OVERLONG = "Spare part kit ".repeat(17).trim();

const FAULTS: readonly Fault[] = [
  wrongCell("Last Counted", "2026-02-30", "There is no such day."),
  wrongCell("Quantity", "12O.500", "The letter O stands where a zero should."),
  wrongCell("SKU", "", "The key is missing."),
  wrongCell("Status", "archived", "The status is none of active, blocked and discontinued."),
  {
    column: null,
    value: "Hex bolt M8, zinc plated",
    reason: "The comma in the description is not quoted, so the row has 13 cells instead of 12.",
    spoil: (item) => cellsOf(item).with(INVENTORY_COLUMNS.indexOf("Description"), "Hex bolt M8, zinc plated"),
  },
  wrongCell(
    "Description",
    OVERLONG,
    `The description has ${OVERLONG.length} characters, more than ${INVENTORY_MAX_DESCRIPTION_CHARS}.`,
  ),
];

export function inventorySample(plan: Plan): Sample {
  const timeline = timelineOf(plan, "acme/inventory", BASE_ITEMS);
  const firstEdition = timelineOf({ ...plan, edition: 1 }, "acme/inventory", BASE_ITEMS).rows;
  const spacing = firstEdition / (FAULTS.length + 1);
  const rejected: RejectedRow[] = [];
  let text = `\ufeff${INVENTORY_COLUMNS.join(",")}\r\n`;
  let line = 2;
  let row = 1;
  const write = (cells: string[]) => {
    const record = `${cells.join(",")}\r\n`;
    text += record;
    line += record.split("\n").length - 1;
    row++;
  };
  for (let i = 0; i < timeline.rows; i++) {
    const fault = FAULTS[rejected.length];
    if (fault && i >= spacing * (rejected.length + 1)) {
      const item = itemOf(plan, timeline, FIRST_BAD_INDEX + rejected.length, 1);
      rejected.push({ row, line, column: fault.column, value: fault.value, reason: fault.reason });
      // Their remarks stay empty: a bad row is one line, whatever the seed.
      write(fault.spoil({ ...item, Remark: "" }));
    }
    write(cellsOf(itemOf(plan, timeline, i, timeline.revisionOf(i))));
  }
  const rows = timeline.rows;
  return {
    customer: "acme",
    feed: "inventory",
    fileName: "inventory.zip",
    contentType: "application/zip",
    bytes: zipOf([{ name: "inventory.csv", bytes: encodeUtf8(text), modified: timeline.asOf }]),
    rows,
    rejects: rejected.length,
    rejected,
    inserted: timeline.inserted,
    changed: timeline.changed,
    asOf: timeline.asOf,
    lines: { preamble: 0, header: 1, continuation: line - 2 - (row - 1) },
  };
}
