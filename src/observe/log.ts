/**
 * Structured logs: one JSON object a line, which Workers Logs indexes by field. A line that belongs to a delivery carries
 * its correlation id. Never log values of records, tokens or whole addresses.
 */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export function jsonLog(
  now: () => Date,
  write: (level: "info" | "warn" | "error", line: string) => void = toConsole,
): Log {
  const at =
    (level: "info" | "warn" | "error") =>
    (event: string, fields: LogFields = {}) =>
      write(level, JSON.stringify({ at: now().toISOString(), level, event, ...fields }));
  return { info: at("info"), warn: at("warn"), error: at("error") };
}

function toConsole(level: "info" | "warn" | "error", line: string): void {
  console[level](line);
}
