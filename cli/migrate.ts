/**
 * Applies `migrations/NNNN_name.sql` over Neon's HTTP driver, each file atomically: a file that fails leaves nothing.
 *
 * HTTP knows no session, so a file is one batch: lock, journal row, statements. The journal row is written *first*, under
 * the lock: where two runners meet, the second finds the row of the first, its whole batch is undone by the unique key,
 * and it goes on with the next file. Drizzle's own migrator over HTTP is not atomic and forgets half-applied files.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { NeonDbError, type NeonQueryFunction } from "@neondatabase/serverless";

/** The key of the advisory lock: "MAILFEED" as the bytes of a bigint. Anything else on this database must not use it. */
const LOCK_KEY = 0x4d41494c46454544n;
/** An index on a large table is built within this; a claim older than that belongs to a runner that died. */
const DEFAULT_CLAIM_WAIT_MS = 60_000;
const CLAIM_POLL_MS = 250;

const BREAKPOINT = "--> statement-breakpoint";
const NO_TRANSACTION = /^-- mailfeed: no-transaction\s*$/m;
const FILE_NAME = /^(\d{4})_[a-z0-9_]+\.sql$/;

/** What `neon(connectionString)` answers. */
export type Sql = NeonQueryFunction<false, false>;

export interface MigrateOptions {
  readonly folder: string;
  /** Called after each file that this run applied. */
  readonly onApplied?: (name: string) => void;
  /** How long to wait for another runner's `no-transaction` file, in milliseconds. */
  readonly claimWaitMs?: number;
}

export interface Migration {
  readonly name: string;
  readonly sha256: string;
  readonly statements: readonly string[];
  /** False for a file of one statement that Postgres refuses in a transaction (CREATE INDEX CONCURRENTLY). */
  readonly inTransaction: boolean;
}

interface JournalRow {
  readonly name: string;
  readonly sha256: string;
  /** False while (or after) a `no-transaction` file was begun and not finished. */
  readonly finished: boolean;
}

/** A migration cannot be applied; the message names the file and says what to do. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
  /** The SQLSTATE, where the database refused a statement. */
  readonly code: string | undefined;

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.code = cause instanceof NeonDbError ? cause.code : undefined;
  }
}

/**
 * Brings the database to the state of the folder and answers the names of the files this run applied, in order.
 *
 * Any number of runners may run at once. Throws {@link MigrationError} for a folder that is not in order (a gap, a number
 * twice, an applied file whose text has changed or that is gone) before anything is applied, and for a file that fails;
 * files before it stay applied. Lost connections are thrown as they are: running again is always safe.
 */
export async function migrate(sql: Sql, options: MigrateOptions): Promise<{ applied: string[] }> {
  const migrations = await readMigrations(options.folder);
  await createJournal(sql);
  const journal = await readJournal(sql);
  checkJournal(migrations, journal);
  const finished = new Set(journal.filter((row) => row.finished).map((row) => row.name));
  const applied: string[] = [];
  for (const migration of migrations.filter(({ name }) => !finished.has(name))) {
    const done = migration.inTransaction
      ? await applyFile(sql, migration)
      : await applyStatement(sql, migration, options.claimWaitMs ?? DEFAULT_CLAIM_WAIT_MS);
    if (!done) continue;
    applied.push(migration.name);
    options.onApplied?.(migration.name);
  }
  return { applied };
}

/** The migrations of a folder in order. Throws {@link MigrationError} if the folder is not in order. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".sql")).sort();
  for (const [i, name] of names.entries()) {
    const number = FILE_NAME.exec(name)?.[1];
    if (number === undefined) throw new MigrationError(`${name}: a migration is named NNNN_lower_case_name.sql.`);
    if (number === names[i - 1]?.slice(0, 4)) {
      throw new MigrationError(`${name} and ${names[i - 1]} have the same number: give the newer one the next number.`);
    }
    if (Number(number) !== i + 1) {
      const missing = String(i + 1).padStart(4, "0");
      throw new MigrationError(`${name}: number ${missing} is missing before it. Numbers begin at 0001 without gaps.`);
    }
  }
  return Promise.all(names.map(async (name) => parseMigration(name, await readFile(join(folder, name), "utf8"))));
}

/** Reads one file. Line ends do not count for its hash, so a checkout on Windows is no change. */
export function parseMigration(name: string, content: string): Migration {
  const text = content.replaceAll("\r\n", "\n");
  const statements = text
    .split(BREAKPOINT)
    .map((statement) => statement.trim())
    .filter(hasCommand);
  const inTransaction = !NO_TRANSACTION.test(text);
  if (statements.length === 0) throw new MigrationError(`${name} holds no statement.`);
  if (!inTransaction && statements.length !== 1) {
    throw new MigrationError(
      `${name} is marked no-transaction and holds ${statements.length} statements; it may hold exactly one, since a failure in between could not be undone.`,
    );
  }
  return { name, sha256: createHash("sha256").update(text).digest("hex"), statements, inTransaction };
}

/** Says if anything but comments and white space is there. */
const hasCommand = (statement: string): boolean =>
  statement
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/--.*$/gm, "")
    .trim() !== "";

async function createJournal(sql: Sql): Promise<void> {
  // IF NOT EXISTS alone is not safe when two runners create at once: both may pass the check.
  await sql.transaction([
    lock(sql),
    sql.query(
      `CREATE TABLE IF NOT EXISTS schema_migrations (
         name text CONSTRAINT schema_migrations_pkey PRIMARY KEY,
         sha256 text NOT NULL,
         applied_at timestamptz
       )`,
    ),
  ]);
}

const lock = (sql: Sql) => sql.query(`SELECT pg_advisory_xact_lock(${LOCK_KEY})`);

async function readJournal(sql: Sql): Promise<JournalRow[]> {
  const text = "SELECT name, sha256, applied_at IS NOT NULL AS finished FROM schema_migrations ORDER BY name";
  return (await sql.query(text)) as JournalRow[];
}

function checkJournal(migrations: readonly Migration[], journal: readonly JournalRow[]): void {
  const byName = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const row of journal) {
    const migration = byName.get(row.name);
    if (migration === undefined) {
      throw new MigrationError(
        `${row.name} is applied to the database but is not in the folder: this code is older than the database, or the file was renamed.`,
      );
    }
    checkUnchanged(migration, row);
  }
  const newest = journal.at(-1)?.name ?? "";
  const applied = new Set(journal.map((row) => row.name));
  const behind = migrations.find(({ name }) => name < newest && !applied.has(name));
  if (behind) throw new MigrationError(`${behind.name} comes before ${newest}, which is already applied. Renumber it.`);
}

function checkUnchanged(migration: Migration, row: JournalRow): void {
  if (row.sha256 === migration.sha256) return;
  throw new MigrationError(
    `${migration.name} was changed after it was applied. Restore its text and put the change into a new file.`,
  );
}

/** Applies a file in one transaction; false if another runner has done it. */
async function applyFile(sql: Sql, migration: Migration): Promise<boolean> {
  try {
    await sql.transaction(
      [
        lock(sql),
        sql.query("INSERT INTO schema_migrations (name, sha256, applied_at) VALUES ($1, $2, now())", [
          migration.name,
          migration.sha256,
        ]),
        ...migration.statements.map((statement) => sql.query(statement)),
      ],
      // Whatever the database's default: the journal row of a runner that was waited for must be seen.
      { isolationLevel: "ReadCommitted" },
    );
    return true;
  } catch (error) {
    if (!isJournalConflict(error)) throw explained(migration, error);
    // Another runner was faster; with another text, that is an error.
    await journalRow(sql, migration);
    return false;
  }
}

/**
 * Applies a file of one statement without a transaction. A claim (the journal row without `applied_at`) keeps other
 * runners away: they wait for it. A runner that dies leaves its claim, and a person must look, because the statement
 * may be half done (an invalid index).
 */
async function applyStatement(sql: Sql, migration: Migration, claimWaitMs: number): Promise<boolean> {
  const { name, sha256, statements } = migration;
  try {
    await sql.query("INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)", [name, sha256]);
  } catch (error) {
    if (!isJournalConflict(error)) throw error;
    return waitForClaim(sql, migration, claimWaitMs);
  }
  try {
    await sql.query(statements[0] ?? "");
  } catch (error) {
    // Only the database's own word is final; after a lost connection the statement may still be running.
    if (error instanceof NeonDbError && error.code !== undefined) {
      await sql.query("DELETE FROM schema_migrations WHERE name = $1 AND applied_at IS NULL", [name]);
    }
    throw explained(migration, error);
  }
  await sql.query("UPDATE schema_migrations SET applied_at = now() WHERE name = $1", [name]);
  return true;
}

/** False when another runner has finished the file; its claim may also vanish, because the statement failed there. */
async function waitForClaim(sql: Sql, migration: Migration, claimWaitMs: number): Promise<boolean> {
  const deadline = Date.now() + claimWaitMs;
  for (;;) {
    const row = await journalRow(sql, migration);
    if (row === undefined) return applyStatement(sql, migration, Math.max(0, deadline - Date.now()));
    if (row.finished) return false;
    if (Date.now() >= deadline) {
      throw new MigrationError(
        `${migration.name} was begun by another run and not finished. If none is running: look for an invalid index and drop it, delete the file's row from schema_migrations, and run again.`,
      );
    }
    await wait(CLAIM_POLL_MS);
  }
}

/** The file's row as it is now. Throws if it was applied with another text. */
async function journalRow(sql: Sql, migration: Migration): Promise<JournalRow | undefined> {
  const row = (await readJournal(sql)).find(({ name }) => name === migration.name);
  if (row !== undefined) checkUnchanged(migration, row);
  return row;
}

const isJournalConflict = (error: unknown): boolean =>
  error instanceof NeonDbError && error.code === "23505" && error.constraint === "schema_migrations_pkey";

function explained(migration: Migration, error: unknown): unknown {
  if (!(error instanceof NeonDbError) || error.code === undefined) return error;
  const { name, inTransaction } = migration;
  const after = inTransaction
    ? "Nothing of it was applied."
    : "It ran outside a transaction: look for an invalid index and drop it before running again.";
  const where = [error.detail, error.hint, error.where].filter(Boolean).join(" ");
  return new MigrationError(
    `${name} failed (SQLSTATE ${error.code}): ${error.message}${where && ` (${where})`}. ${after}`,
    error,
  );
}
