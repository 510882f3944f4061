/** What a command of `mailfeed` is, and how its options are read. */
import { type ParseArgsOptionDescriptor, parseArgs } from "node:util";

/** Exit codes, the same for every command. */
export const EXIT = { ok: 0, refused: 1, unusable: 2 } as const;

export interface Option extends ParseArgsOptionDescriptor {
  readonly help: string;
}

export interface Io {
  out(text: string): void;
  /** As they are, of whatever charset. */
  bytes(block: Uint8Array): void;
  err(text: string): void;
  /** Overwrites one line on a terminal, prints a line elsewhere, is silent with --json. */
  progress(text: string): void;
}

export interface Arguments {
  readonly positionals: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  readonly json: boolean;
}

export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What follows the name, e.g. `FILE… [--feed C/F]`. */
  readonly usage: string;
  readonly options: Readonly<Record<string, Option>>;
  /** Further help: shapes of the output, examples. */
  readonly details?: string;
  run(args: Arguments, io: Io): Promise<number>;
}

/** The command cannot be carried out as it was called, or its input cannot be used at all: exit code 2, one sentence. */
export class UsageError extends Error {
  readonly code: string;

  constructor(message: string, code = "usage") {
    super(message);
    this.code = code;
  }
}

const COMMON: Readonly<Record<string, Option>> = {
  json: { type: "boolean", help: "print JSON for programs instead of text for people" },
  help: { type: "boolean", short: "h", help: "show this help" },
};

export function readArguments(command: Command, argv: readonly string[]): Arguments {
  try {
    const { positionals, values } = parseArgs({
      args: [...argv],
      options: { ...command.options, ...COMMON },
      allowPositionals: true,
    });
    return { positionals, values: values as Arguments["values"], json: values.json === true };
  } catch (error) {
    // What is wrong is said first; Node goes on with how its own parser wants to be written.
    const [wrong] = (error as Error).message.split(/\.(?:\s|$)/, 1);
    throw new UsageError(`${wrong} (see mailfeed ${command.name} --help)`);
  }
}

export function helpOf(command: Command): string {
  const options = Object.entries({ ...command.options, ...COMMON }).map(([name, option]) => {
    const value = option.type === "string" ? ` ${name.toUpperCase()}` : "";
    return `  ${`--${name}${value}`.padEnd(24)}${option.help}`;
  });
  const parts = [
    `mailfeed ${command.name} ${command.usage}`.trimEnd(),
    command.summary,
    `Options\n${options.join("\n")}`,
  ];
  if (command.details) parts.push(command.details);
  parts.push("Exit code 0: all well. 1: something was refused. 2: the command or its input could not be used.");
  return `${parts.join("\n\n")}\n`;
}

/** A text option, or undefined. */
export function textOption(args: Arguments, name: string): string | undefined {
  const value = args.values[name];
  return typeof value === "string" ? value : undefined;
}

/** A whole number, or the default. */
export function numberOption(args: Arguments, name: string, otherwise: number): number {
  const value = textOption(args, name);
  if (value === undefined) return otherwise;
  if (!/^\d{1,9}$/.test(value)) throw new UsageError(`--${name} takes a whole number, not ${JSON.stringify(value)}`);
  return Number(value);
}
