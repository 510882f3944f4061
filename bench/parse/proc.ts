/** CPU time and memory of another process, as Linux counts them (proc(5)). There is no portable way to ask for these. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

/** `USER_HZ`: 100 on every architecture that Node runs on. A CPU time is therefore exact to 10 ms. */
const TICKS_PER_SECOND = 100;

export const hasProc = (): boolean => existsSync("/proc/self/stat");

/** The fields of `/proc/pid/stat` after the name, which may hold blanks and brackets itself. */
const statFields = (pid: number): string[] => {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
};

/** User and system time of all threads so far. */
export function cpuMs(pid: number): number {
  const fields = statFields(pid);
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}

/** Resident memory now, and its peak since {@link resetPeak}. */
export function residentBytes(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1_024;
  return { now: field("VmRSS"), peak: field("VmHWM") };
}

export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Processes of that name whose parent is `parent`. */
export function childrenNamed(parent: number, name: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      const path = `/proc/${pid}`;
      if (!existsSync(`${path}/stat`)) return false;
      try {
        return readFileSync(`${path}/comm`, "latin1").trim() === name && statFields(pid)[1] === String(parent);
      } catch (error) {
        // It ended while we looked.
        if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))
          return false;
        throw error;
      }
    });
}
