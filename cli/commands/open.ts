/** `mailfeed open`: what is inside a mail, an archive or a file, as the parse stage sees it. */
import { createHash } from "node:crypto";
import { asFailure } from "../../src/domain/failures.ts";
import { type Opened, openDelivery } from "../../src/parse/open/open.ts";
import { type Command, EXIT, UsageError } from "../command.ts";
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

export const open: Command = {
  name: "open",
  summary: "shows which files are inside a mail, an archive or a file",
  usage: "FILE…",
  options: {},
  details:
    'With --json one line per file: {"file", "kind", "files": [{path, name, contentType, format, role, bytes, sha256}],\n"problems": [{code, message, path}]}, or {"file", "error": {code, message}} where nothing can be read.',
  async run(args, io) {
    if (args.positionals.length === 0) throw new UsageError("open needs a file (see mailfeed open --help)");
    let exit: number = EXIT.ok;
    for (const path of args.positionals) {
      const contents = await contentsOf(await inputFile(path));
      const empty = contents.files.every((f) => f.role === "body");
      const [first] = contents.problems;
      if (empty && first) {
        exit = EXIT.unusable;
        if (args.json) io.out(JSON.stringify({ ...contents, error: { code: first.code, message: first.message } }));
      } else {
        if (contents.problems.length > 0) exit = Math.max(exit, EXIT.refused);
        if (args.json) io.out(JSON.stringify(contents));
      }
      if (args.json) continue;
      if (args.positionals.length > 1) io.out(`${path}:`);
      for (const f of contents.files)
        io.out(
          `${f.path}  ${f.bytes} bytes  ${f.contentType}  ${f.format}  ${f.role}  sha256 ${f.sha256.slice(0, 12)}…`,
        );
      for (const p of contents.problems) io.err(p.path === "" ? p.message : `${p.path}: ${p.message}`);
      if (contents.files.length === 0 && contents.problems.length === 0) io.out("nothing inside");
    }
    return exit;
  },
};

async function contentsOf(input: InputFile): Promise<Contents> {
  const contents: Contents = { file: input.path, kind: input.door, files: [], problems: [] };
  try {
    for await (const one of openDelivery(input.source, { door: input.door, name: input.name }))
      await list(one, contents);
  } catch (thrown) {
    const failed = asFailure(thrown);
    contents.problems.push({ code: failed.code, message: `${failed.message} ${failed.report.hint}`, path: input.name });
  }
  return contents;
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
    contents.files.push({ path, name, contentType, format, role, bytes, sha256: hash.digest("hex") });
  } catch (thrown) {
    const failed = asFailure(thrown);
    contents.problems.push({ code: failed.code, message: `${failed.message} ${failed.report.hint}`, path });
  }
}
