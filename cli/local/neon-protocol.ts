/**
 * What goes over the wire between the Neon HTTP driver and its endpoint: pure translation, no socket and no database.
 *
 * The rules are those of Neon's own proxy (`proxy/src/serverless/sql_over_http.rs` and `json.rs`): parameters become
 * text, results are text as Postgres wrote it, a batch is one transaction whose mode stands in headers.
 */

/** For `neonConfig.fetchEndpoint`: the host and port of a local connection string are those of its endpoint. */
export function localFetchEndpoint(host: string, port: number | string): string {
  return `http://${host}:${port}/sql`;
}

/** One statement with its parameters already in Postgres' text format; null is SQL NULL. */
export interface Query {
  readonly text: string;
  readonly params: readonly (string | null)[];
}

/** How a batch is run: `START TRANSACTION` with these modes. */
export interface TransactionModes {
  readonly isolationLevel: IsolationLevel | undefined;
  readonly readOnly: boolean;
  readonly deferrable: boolean;
}

const ISOLATION_LEVELS = {
  ReadUncommitted: "READ UNCOMMITTED",
  ReadCommitted: "READ COMMITTED",
  RepeatableRead: "REPEATABLE READ",
  Serializable: "SERIALIZABLE",
} as const;

export type IsolationLevel = keyof typeof ISOLATION_LEVELS;

/** A column of a result; ids and sizes are 0 or -1 where a backend does not know them. */
export interface Field {
  readonly name: string;
  readonly dataTypeID: number;
  readonly tableID: number;
  readonly columnID: number;
  readonly dataTypeSize: number;
  readonly dataTypeModifier: number;
}

/** The result of one statement: rows of text as Postgres wrote it. `command` is the first word of the command tag. */
export interface QueryOutput {
  readonly fields: readonly Field[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly command: string;
  readonly rowCount: number | null;
}

/** A request as the endpoint runs it. `transaction` is set for a batch, even for one of a single statement. */
export interface SqlRequest {
  readonly queries: readonly (Query & { readonly rowAsArray: boolean })[];
  readonly transaction: TransactionModes | undefined;
  readonly database: string;
}

/** The request itself is wrong: answered 400 without SQLSTATE, as Neon does. */
export class MalformedRequest extends Error {
  override readonly name = "MalformedRequest";
}

/** The fields of a database error that cross the wire; `driver` sets them on its NeonDbError. */
const ERROR_FIELDS = [
  "severity",
  "code",
  "detail",
  "hint",
  "position",
  "internalPosition",
  "internalQuery",
  "where",
  "schema",
  "table",
  "column",
  "dataType",
  "constraint",
  "file",
  "line",
  "routine",
] as const;

export type DatabaseErrorFields = Readonly<Partial<Record<(typeof ERROR_FIELDS)[number], string>>>;

/** The database was reached and said no; answered 400 with every field it gave. */
export class DatabaseRefusal extends Error {
  override readonly name = "DatabaseRefusal";
  readonly fields: DatabaseErrorFields;

  constructor(message: string, fields: DatabaseErrorFields, cause?: unknown) {
    super(message, { cause });
    this.fields = fields;
  }
}

/** The fields of an error that came from Postgres (of `pg` or PGlite alike), or nothing if it did not. */
export function databaseErrorFields(thrown: unknown): DatabaseErrorFields | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const given = thrown as unknown as Record<string, unknown>;
  if (typeof given.severity !== "string" || typeof given.code !== "string") return undefined;
  return Object.fromEntries(ERROR_FIELDS.flatMap((name) => (given[name] == null ? [] : [[name, String(given[name])]])));
}

/** Reads a request. Header names are lower case, as `node:http` gives them. Throws {@link MalformedRequest}. */
export function parseRequest(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: string,
): SqlRequest {
  if (headers["neon-raw-text-output"] !== "true") {
    throw new MalformedRequest("This endpoint answers raw text only: send Neon-Raw-Text-Output: true");
  }
  const database = databaseOf(headers["neon-connection-string"]);
  const defaultArrayMode = headers["neon-array-mode"] === "true";
  const payload = parseJson(body);
  const batch = payload.queries;
  if (batch === undefined)
    return { queries: [parseQuery(payload, defaultArrayMode)], transaction: undefined, database };
  if (!Array.isArray(batch)) throw new MalformedRequest("queries must be an array");
  return {
    queries: batch.map((query: unknown) => parseQuery(asObject(query), defaultArrayMode)),
    transaction: {
      isolationLevel: parseIsolationLevel(headers["neon-batch-isolation-level"]),
      readOnly: headers["neon-batch-read-only"] === "true",
      deferrable: headers["neon-batch-deferrable"] === "true",
    },
    database,
  };
}

/** The statement that opens the transaction of a batch. */
export function startTransaction(modes: TransactionModes): string {
  const wanted = [
    modes.isolationLevel && `ISOLATION LEVEL ${ISOLATION_LEVELS[modes.isolationLevel]}`,
    modes.readOnly && "READ ONLY",
    modes.deferrable && "DEFERRABLE",
  ].filter(Boolean);
  return ["START TRANSACTION", wanted.join(", ")].join(" ").trim();
}

/** The body of a successful answer. */
export function renderResults(request: SqlRequest, outputs: readonly QueryOutput[]): string {
  const results = outputs.map((output, i) => renderOutput(output, request.queries[i]?.rowAsArray ?? false));
  return JSON.stringify(request.transaction === undefined ? results[0] : { results });
}

/** The body of an answer that is not 200. */
export function renderError(message: string, fields: DatabaseErrorFields = {}): string {
  return JSON.stringify({ message, ...Object.fromEntries(ERROR_FIELDS.map((name) => [name, fields[name] ?? null])) });
}

function renderOutput(output: QueryOutput, rowAsArray: boolean) {
  const { fields, rows, command, rowCount } = output;
  return {
    fields: fields.map((field) => ({ ...field, format: "text" })),
    rows: rowAsArray ? rows : rows.map((row) => Object.fromEntries(fields.map((field, i) => [field.name, row[i]]))),
    command,
    rowCount,
    rowAsArray,
  };
}

function databaseOf(header: string | string[] | undefined): string {
  if (typeof header !== "string") throw new MalformedRequest("The header Neon-Connection-String is missing");
  // The WHATWG parser keeps host and path apart for http only, so the scheme is swapped before parsing.
  const url = URL.parse(header.replace(/^postgres(ql)?:/, "http:"));
  if (url === null) throw new MalformedRequest("Neon-Connection-String is not a URL");
  const database = decodeURIComponent(url.pathname.slice(1));
  if (database === "") throw new MalformedRequest("Neon-Connection-String names no database");
  return database;
}

function parseJson(body: string): Record<string, unknown> {
  try {
    return asObject(JSON.parse(body));
  } catch (error) {
    if (error instanceof MalformedRequest) throw error;
    throw new MalformedRequest(`The body is not JSON: ${String(error)}`);
  }
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedRequest("Expected {query, params} or {queries: [{query, params}]}");
  }
  return value as Record<string, unknown>;
}

function parseQuery(given: Record<string, unknown>, defaultArrayMode: boolean): Query & { rowAsArray: boolean } {
  const { query, params = [], arrayMode } = given;
  if (typeof query !== "string") throw new MalformedRequest("query must be a string");
  if (!Array.isArray(params)) throw new MalformedRequest("params must be an array");
  return {
    text: query,
    params: params.map(parameterText),
    rowAsArray: typeof arrayMode === "boolean" ? arrayMode : defaultArrayMode,
  };
}

function parseIsolationLevel(header: string | string[] | undefined): IsolationLevel | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== "string" || !Object.hasOwn(ISOLATION_LEVELS, header)) {
    throw new MalformedRequest("invalid isolation level");
  }
  return header as IsolationLevel;
}

/** A JSON parameter in Postgres' text format: arrays become array literals, objects stay JSON (`json_to_pg_text`). */
export function parameterText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  return Array.isArray(value) ? arrayLiteral(value) : JSON.stringify(value);
}

function arrayLiteral(values: readonly unknown[]): string {
  return `{${values.map(arrayElement).join(",")}}`;
}

function arrayElement(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  if (Array.isArray(value)) return arrayLiteral(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return `"${text.replace(/[\\"]/g, (mark) => `\\${mark}`)}"`;
}
