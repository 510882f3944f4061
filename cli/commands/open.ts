/** `mailfeed open`: what is inside a mail, an archive or a file, as the parse stage sees it. */
import { createHash } from "node:crypto";
import { asFailure } from "../../src/domain/failures.ts";
import { type Opened, openDelivery } from "../../src/parse/open/open.ts";
import { type Command, EXIT, type Io, textOption, UsageError } from "../command.ts";
import { type InputFile, inputFile } from "../input.ts";

interface OpenedFile {
  path: string;
  name: string;
  contentType: string;
  format: string;
  role: string;
  bytes: number;
  sha256: string;
}

interface Contents {
  file: string;
  kind: "mail" | "upload";
  files: OpenedFile[];
  problems: { code: string; message: string; path: string }[];
}

interface Unusable {
  file: string;
  error: { code: string; message: string };
}

export const open: Command = {
  name: "open",
  summary: "shows which files are inside a mail, an archive or a file",
  usage: "FILE… [--secret PASSWORD]",
  options: { secret: { type: "string", help: "password of locked archives" } },
  details: `With --json one line per file:
  {"file", "kind", "files": [{path, name, contentType, format, role, bytes, sha256}], "problems": [{code, message, path}]}
and with {"error": {code, message}} beside them where no file in it can be read (the first problem), or in their place where
there is nothing to look at. "kind" is mail, or upload for any other file. Of a mail whose last boundary line is missing, the
files are shown as far as they came, with the problem mail-cut-off: feeds take nothing of it. So is an attachment whose
encoding is damaged, with the problem file-corrupt.`,
  async run(args, io) {
    if (args.positionals.length === 0) throw new UsageError("open needs a file (see mailfeed open --help)");
    const secret = textOption(args, "secret");
    let exit: number = EXIT.ok;
    for (const path of args.positionals) {
      const isOneOfMany = args.positionals.length > 1;
      const contents = await contentsOrError(path, secret, isOneOfMany);
      exit = Math.max(exit, exitOf(contents));
      if (args.json) io.out(JSON.stringify(contents));
      else show(contents, isOneOfMany, io);
    }
    return exit;
  },
};

function exitOf(contents: (Contents & Partial<Unusable>) | Unusable): number {
  if (contents.error) return EXIT.unusable;
  return "problems" in contents && contents.problems.length > 0 ? EXIT.refused : EXIT.ok;
}

function show(contents: Contents | Unusable, isOneOfMany: boolean, io: Io): void {
  if (isOneOfMany) io.out(`${contents.file}:`);
  if (!("files" in contents)) {
    io.err(contents.error.message);
    return;
  }
  for (const f of contents.files)
    io.out(`${f.path}  ${f.bytes} bytes  ${f.contentType}  ${f.format}  ${f.role}  sha256 ${f.sha256.slice(0, 12)}…`);
  for (const p of contents.problems) io.err(p.path === "" ? p.message : `${p.path}: ${p.message}`);
  if (contents.files.length === 0 && contents.problems.length === 0) io.out("nothing inside");
}

/** One file that is not there does not stop the others. */
async function contentsOrError(
  path: string,
  secret: string | undefined,
  isOneOfMany: boolean,
): Promise<(Contents & Partial<Unusable>) | Unusable> {
  try {
    const contents = await contentsOf(await inputFile(path), secret);
    const [first] = contents.problems;
    if (!first || contents.files.some((f) => f.role !== "body")) return contents;
    return { ...contents, error: { code: first.code, message: first.message } };
  } catch (thrown) {
    if (!(thrown instanceof UsageError) || !isOneOfMany) throw thrown;
    return { file: path, error: { code: thrown.code, message: thrown.message } };
  }
}

async function contentsOf(input: InputFile, secret: string | undefined): Promise<Contents> {
  const contents: Contents = { file: input.path, kind: input.door, files: [], problems: [] };
  try {
    const options = { door: input.door, name: input.name, ...(secret === undefined ? {} : { secret }) };
    for await (const one of openDelivery(input.source, { ...options, mayLackClosingBoundary: true }))
      await list(one, contents);
    if (input.door === "mail") await listCutOff(openDelivery(input.source, options), contents);
  } catch (thrown) {
    const failed = asFailure(thrown);
    contents.problems.push({ code: failed.code, message: `${failed.message} ${failed.report.hint}`, path: input.name });
  }
  return contents;
}

/** What feeds are told of a mail that was cut off. */
async function listCutOff(found: AsyncIterable<Opened>, contents: Contents): Promise<void> {
  for await (const one of found)
    if (one.kind === "problem" && one.report.code === "mail-cut-off") await list(one, contents);
}

async function list(one: Opened, contents: Contents): Promise<void> {
  if (one.kind === "problem") {
    const { code, sentence, hint } = one.report;
    contents.problems.push({ code, message: `${sentence} ${hint}`, path: one.path });
    return;
  }
  const { path, name, contentType, format, role } = one.file;
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const block of one.file.open()) {
      hash.update(block);
      bytes += block.length;
    }
  } catch (thrown) {
    const failed = asFailure(thrown);
    contents.problems.push({ code: failed.code, message: `${failed.message} ${failed.report.hint}`, path });
    if (contents.kind === "upload" || path.includes("/") || bytes === 0) return;
  }
  contents.files.push({ path, name, contentType, format, role, bytes, sha256: hash.digest("hex") });
}
