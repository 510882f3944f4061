/** Real exports of real ERPs through the adapters as they ship, byte for byte, from the mail to the records. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeliveryStatus } from "../../cli/local/mailroom.ts";
import { corporaPresent, corpusBytes, corpusTruth } from "../support/corpora.ts";
import {
  longAgo,
  mailOfFile,
  type StandingRecord,
  standingRecords,
  startTestStack,
  type TestStack,
} from "../support/stack.ts";

const FILES = {
  "adventure/address": "erp/sql-server-samples/oltp-2017/Address.csv",
  "adventure/product-vendor": "erp/sql-server-samples/oltp-2017/ProductVendor.csv",
  "adventure/store": "erp/sql-server-samples/oltp-2023/Store.csv",
  "kontor/buchungen": "erp/datev/EXTF_Buchungsstapel.csv",
} as const;

type FeedName = keyof typeof FILES;

interface TableTruth {
  readonly file: string;
  readonly n_rows: number;
  readonly first_record: string;
  readonly last_record: string;
}

interface TwinTruth {
  readonly legacy: string;
  readonly utf8: string;
  readonly key_column: number;
  readonly text_columns: number[];
  readonly rows_equal: number;
  readonly rows_with_non_ascii: number;
}

/** `2007-12-04 00:00:00.120000000` as it is stored: a T, and no zeros at the end of the fraction. */
const stored = (stamp: string) =>
  stamp
    .replace(" ", "T")
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
const orNull = (cell: string | undefined) => (cell === undefined || cell.trim() === "" ? null : cell.trim());

function addressOf(record: string): Record<string, unknown> {
  const cells = record.split("\t");
  return {
    address_id: Number(cells[0]),
    address_line1: orNull(cells[1]),
    address_line2: orNull(cells[2]),
    city: orNull(cells[3]),
    state_province_id: Number(cells[4]),
    postal_code: orNull(cells[5]),
    spatial_location: orNull(cells[6]),
    rowguid: orNull(cells[7]),
    modified_at: stored(cells[8]!),
  };
}

function productVendorOf(record: string): Record<string, unknown> {
  const cells = record.split("\t");
  const whole = (i: number) => (orNull(cells[i]) === null ? null : Number(cells[i]));
  return {
    product_id: whole(0),
    vendor_id: whole(1),
    average_lead_time_days: whole(2),
    standard_price: cells[3],
    last_receipt_cost: cells[4],
    last_receipt_at: stored(cells[5]!),
    min_order_qty: whole(6),
    max_order_qty: whole(7),
    on_order_qty: whole(8),
    unit_code: orNull(cells[9]),
    modified_at: stored(cells[10]!),
  };
}

describe.skipIf(!corporaPresent)("real files", () => {
  let stack: TestStack;
  const ends = new Map<FeedName, DeliveryStatus>();
  let records: StandingRecord[] = [];
  const of = (feed: FeedName) => records.filter((record) => record.feed === feed);
  const truthOf = (file: string) => corpusTruth<TableTruth>("adventureworks").find((truth) => truth.file === file)!;

  const mailOf = (name: FeedName, round: number) => {
    const [customer = "", feed = ""] = name.split("/");
    const path = FILES[name];
    const fileName = path.slice(path.lastIndexOf("/") + 1);
    const sentAt = new Date(Date.now() - 60_000);
    return mailOfFile({ customer, feed, fileName, contentType: "text/csv", bytes: corpusBytes(path), sentAt }, round);
  };

  beforeAll(async () => {
    stack = await startTestStack();
    const names = Object.keys(FILES) as FeedName[];
    await Promise.all(names.map(async (name) => ends.set(name, await stack.deliver(mailOf(name, 1)))));
    records = await standingRecords(stack);
  });
  afterAll(() => stack?.stop());

  it.each([
    ["adventure/address", 19_614],
    ["adventure/product-vendor", 460],
    ["adventure/store", 701],
    ["kontor/buchungen", 2],
  ] as const)("%s lands with all of its %i records and no reject", (name, rows) => {
    const { state, failure, files } = ends.get(name)!;
    expect({ state, failure, files: files.length }).toEqual({ state: "parsed", failure: null, files: 1 });
    const { lines, records: applied, balanced } = files[0]!.books;
    expect({ state: files[0]!.state, failure: files[0]!.failure, balanced }).toEqual({
      state: "applied",
      failure: null,
      balanced: true,
    });
    expect(lines).toMatchObject({ accepted: rows, rejected: 0 });
    expect(applied).toMatchObject({ accepted: rows, inserted: rows, superseded: 0 });
    expect(of(name)).toHaveLength(rows);
  });

  it("the first and the last address are those of the file", () => {
    const truth = truthOf(FILES["adventure/address"]);
    const byKey = new Map(of("adventure/address").map(({ key, data }) => [key, data]));
    expect(byKey.size).toBe(truth.n_rows);
    for (const record of [truth.first_record, truth.last_record]) {
      const expected = addressOf(record);
      expect(byKey.get(String(expected.address_id))).toEqual(expected);
    }
  });

  it("every address is, cell by cell, what the file says", () => {
    const lines = new TextDecoder("windows-1252").decode(corpusBytes(FILES["adventure/address"])).split("\n");
    const expected = lines.filter((line) => line !== "").map(addressOf);
    const byKey = new Map(of("adventure/address").map(({ key, data }) => [key, data]));
    const wrong = expected.filter(
      (row) => JSON.stringify(sorted(byKey.get(String(row.address_id)))) !== JSON.stringify(sorted(row)),
    );
    expect(wrong.slice(0, 3)).toEqual([]);
  });

  it.each([
    ["adventure/address", ["address_line1", "address_line2", "city", "postal_code"]],
    ["adventure/store", ["name"]],
  ] as const)("the texts of %s are those of its twin in UTF-8, in every row", (name, fields) => {
    const twin = corpusTruth<TwinTruth>("charset_pairs").find(({ legacy }) => legacy === FILES[name])!;
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(corpusBytes(twin.utf8));
    const [cell, row] = twin.utf8.endsWith("Store.csv") ? ["+|", "&|"] : ["\t", "\n"];
    const byKey = new Map(of(name).map(({ key, data }) => [key, data]));
    let equal = 0;
    let beyondAscii = 0;
    for (const line of text.split(row)) {
      if (line.trim() === "") continue;
      const cells = line.split(cell);
      const texts = twin.text_columns.map((i) => orNull(cells[i]));
      const data = byKey.get(cells[twin.key_column]!.trim())!;
      if (texts.every((value, i) => value === data[fields[i]!])) equal++;
      if (texts.some((value) => value !== null && /[^\u0000-\u007f]/.test(value))) beyondAscii++;
    }
    expect({ equal, beyondAscii }).toEqual({ equal: twin.rows_equal, beyondAscii: twin.rows_with_non_ascii });
  });

  it("the first and the last product of a vendor are those of the file, decimals to the digit", () => {
    const truth = truthOf(FILES["adventure/product-vendor"]);
    const all = of("adventure/product-vendor").map(({ data }) => data);
    expect(all).toHaveLength(truth.n_rows);
    for (const record of [truth.first_record, truth.last_record]) {
      const expected = productVendorOf(record);
      const found = all.filter((d) => d.product_id === expected.product_id && d.vendor_id === expected.vendor_id);
      expect(found).toEqual([expected]);
    }
  });

  it("a store's survey comes through whole, without the mark before it", () => {
    const truth = truthOf(FILES["adventure/store"]);
    for (const record of [truth.first_record, truth.last_record]) {
      const [id, name, person, survey] = record.split("+|");
      const data = of("adventure/store").find(({ key }) => key === id)!.data;
      expect(data).toMatchObject({ store_id: Number(id), name, sales_person_id: Number(person) });
      // The truth holds the beginning of the record only.
      const begins = survey!.replace("\ufeff", "");
      expect(String(data.demographics).slice(0, begins.length)).toBe(begins);
      expect(String(data.demographics).endsWith("</StoreSurvey>")).toBe(true);
    }
  });

  it("a booking has its batch, its amount and a date with the batch's year", () => {
    const [metadata, header, ...rows] = new TextDecoder("windows-1252")
      .decode(corpusBytes(FILES["kontor/buchungen"]))
      .split("\r\n")
      .filter((line) => line !== "")
      .map((line) => line.split(";").map((cell) => cell.replace(/^"|"$/g, "")));
    const bookings = of("kontor/buchungen").map(({ data }) => data);
    const place = (name: string) => header!.indexOf(name);
    const isoDay = (digits: string) => digits.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3");
    for (const [i, row] of rows.entries()) {
      const [day, month] = [
        row[place("Belegdatum")]!.padStart(4, "0").slice(0, 2),
        row[place("Belegdatum")]!.slice(-2),
      ];
      const found = bookings.find(({ line_no }) => line_no === i + 1);
      expect(found).toMatchObject({
        consultant_no: metadata![10],
        client_no: metadata![11],
        batch_from: isoDay(metadata![14]!),
        batch_to: isoDay(metadata![15]!),
        voucher_on: `${metadata![12]!.slice(0, 4)}-${month}-${day}`,
        account: row[place("Konto")],
        contra_account: row[place("Gegenkonto (ohne BU-Schlüssel)")],
        text: orNull(row[place("Buchungstext")]),
      });
      expect(Number(found!.amount)).toBe(Number(row[place("Umsatz (ohne Soll/Haben-Kz)")]!.replace(",", ".")));
    }
  });

  it("the same address file in a new mail changes nothing", async () => {
    await longAgo(stack.sql);
    const { files } = await stack.deliver(mailOf("adventure/address", 2));
    expect(files[0]!.books.records).toMatchObject({ unchanged: 19_614, inserted: 0, changed: 0 });
  });
});

const sorted = (data: Readonly<Record<string, unknown>> | undefined) =>
  data === undefined ? undefined : Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1));
