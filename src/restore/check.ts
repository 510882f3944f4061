/**
 * The last look before a part of a restore is applied: what the operator has seen must still be so. Between the order and this
 * moment another file may have been applied, and nothing that it said may be undone by somebody who has not seen it.
 */
import { failure, report } from "../domain/failures.ts";
import type { RestoreTables } from "./deps.ts";

/** The check under which such a file is held. */
export const RESTORE_CHECK = "restore-outdated";

/**
 * To be asked under the lease of the file, before anything of it is written. False: it is held. Throws `file-missing`,
 * `lease-lost` and the database's failures.
 */
export async function restoreStands(
  tables: Pick<RestoreTables, "stands" | "hold">,
  fileId: string,
  token: string,
): Promise<boolean> {
  const found = await tables.stands(fileId);
  if (found === undefined) throw failure("file-missing", { file: fileId });
  if (found.stands) return true;
  if (!(await tables.hold(fileId, token, report(RESTORE_CHECK, { to: found.to })))) {
    throw failure("lease-lost", { file: fileId });
  }
  return false;
}
