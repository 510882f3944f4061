import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FolderInUse, lockFolder, takeOver } from "../../cli/local/folder-lock.ts";
import { startOwner } from "./owner.ts";

let folder: string;
const lockFile = () => join(folder, "lock");
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "mailfeed-test-")), "made/on/demand");
});
afterEach(() => rm(join(folder, "../../.."), { recursive: true }));

/** The lock of a process that was killed. */
const leaveDeadLock = async () => {
  const owner = await startOwner("lock", folder);
  await owner.kill("SIGKILL");
  expect(existsSync(lockFile())).toBe(true);
};

it("keeps others out until it is released", async () => {
  const lock = await lockFolder(folder);
  await expect(lockFolder(folder, 0)).rejects.toBeInstanceOf(FolderInUse);
  await lock.release();
  expect(await readdir(folder)).toEqual([]);
  await (await lockFolder(folder, 0)).release();
});

it("lets those who wait in as soon as it is released", async () => {
  const lock = await lockFolder(folder);
  const waiting = lockFolder(folder, 20_000);
  await lock.release();
  await (await waiting).release();
});

it("takes over from the dead", async () => {
  await leaveDeadLock();
  await (await lockFolder(folder, 0)).release();
  expect(await readdir(folder)).toEqual([]);
});

it("lets one only take over from the dead", async () => {
  for (let round = 0; round < 5; round++) {
    await leaveDeadLock();
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder, 0)));
    const winners = results.filter((result) => result.status === "fulfilled");
    expect(winners).toHaveLength(1);
    await winners[0]?.value.release();
  }
});

it("does not replace a lock that was taken over since it was looked at", async () => {
  const lock = await lockFolder(folder);
  const living = await readFile(lockFile(), "utf8");
  expect(await takeOver(lockFile(), "the dead owner seen before", "mine")).toBe(false);
  expect(await readFile(lockFile(), "utf8")).toBe(living);
  expect(await readdir(folder)).toEqual(["lock"]);
  await lock.release();
});

it("takes over when a claimant died half way", async () => {
  await leaveDeadLock();
  await writeFile(`${lockFile()}.claim`, await readFile(lockFile()));
  await (await lockFolder(folder, 5_000)).release();
  expect(await readdir(folder)).toEqual([]);
});

it("knows a pid that was given to another process", { skip: !existsSync("/proc/self/stat") }, async () => {
  await (await lockFolder(folder)).release();
  await writeFile(lockFile(), JSON.stringify({ pid: process.pid, startedAt: "1" }));
  await (await lockFolder(folder, 0)).release();
});

it("does not guess about a lock it cannot read", async () => {
  await (await lockFolder(folder)).release();
  await writeFile(lockFile(), "?");
  await expect(lockFolder(folder, 0)).rejects.toThrow(`If nothing else runs there, remove ${lockFile()}.`);
});

it("does not remove a lock that has become another's", async () => {
  const lock = await lockFolder(folder);
  await writeFile(lockFile(), JSON.stringify({ pid: 1, startedAt: "1" }));
  await lock.release();
  expect(existsSync(lockFile())).toBe(true);
});
