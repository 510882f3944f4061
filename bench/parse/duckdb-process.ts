/**
 * DuckDB's CSV reader over the plain file, one thread, the columns typed as ours are. In a process of its own, so that
 * its CPU is known; only the statement counts, not the start. Prints `{cpuMs, rows}`.
 *
 *   node bench/parse/duckdb-process.ts file.csv
 */

import process from "node:process";

/** What is used of @duckdb/node-api, which is installed for the bench alone and therefore not known to the type check. */
interface DuckDb {
  readonly DuckDBInstance: { create(path: string): Promise<{ connect(): Promise<Connection> }> };
}
interface Connection {
  run(sql: string): Promise<unknown>;
  runAndReadAll(sql: string): Promise<{ getRows(): unknown[][] }>;
}

const PACKAGE: string = "@duckdb/node-api";
const { DuckDBInstance } = (await import(PACKAGE)) as DuckDb;

const file = process.argv[2]!.replaceAll("'", "''");
const READ = `
  SELECT "Artikelnummer" AS sku, "EAN" AS ean, "Bezeichnung" AS description, "Lager" AS store,
    CASE "Einheit" WHEN 'ST' THEN 'piece' WHEN 'PAK' THEN 'pack' END AS unit, "Bestand" AS stock, "Preis" AS price,
    "Status" AS status, "Gezählt am" AS counted_on, "Gesperrt" = 'ja' AS blocked
  FROM read_csv('${file}', auto_detect = false, header = true, delim = ';', quote = '"', escape = '"', new_line = '\\r\\n',
    decimal_separator = ',', dateformat = '%d.%m.%Y', ignore_errors = true, columns = {
      'Artikelnummer': 'VARCHAR', 'EAN': 'VARCHAR', 'Bezeichnung': 'VARCHAR', 'Lager': 'VARCHAR', 'Einheit': 'VARCHAR',
      'Bestand': 'DECIMAL(18,6)', 'Preis': 'DECIMAL(18,6)', 'Status': 'VARCHAR', 'Gezählt am': 'DATE', 'Gesperrt': 'VARCHAR'})`;

const connection = await (await DuckDBInstance.create(":memory:")).connect();
await connection.run("SET threads = 1");
const before = process.cpuUsage();
await connection.run(`CREATE TEMP TABLE inventory AS ${READ}`);
const used = process.cpuUsage(before);
const [[rows]] = (await connection.runAndReadAll("SELECT count(*)::int FROM inventory")).getRows() as [[number]];
console.log(JSON.stringify({ cpuMs: (used.user + used.system) / 1_000, rows }));
