/** `mailfeed rejects`: a file of this machine with the reason behind each row that cannot land, for whoever has to correct it. */
import { Failure } from "../../src/domain/failures.ts";
import { type Annotation, annotatedCopy } from "../../src/parse/annotate.ts";
import { parsePayload } from "../../src/parse/read-payload.ts";
import type { Reject } from "../../src/parse/table/parse-file.ts";
import { type Command, EXIT, textOption, UsageError } from "../command.ts";
import { firstPayload } from "../detected.ts";
import { feedNamed } from "../input.ts";

export const rejects: Command = {
  name: "rejects",
  summary: "prints the rows of a file that cannot land, as the file has them, each with its reason",
  usage: "FILE --feed C/F [--all]",
  options: {
    feed: { type: "string", help: "the feed whose adapter reads it" },
    all: { type: "boolean", help: "all rows of the file, not only those that cannot land" },
  },
  details: `The output is the file itself with two columns more: same charset, delimiter, quotation marks, title and header lines.
Cells that a spreadsheet would run have an apostrophe before them. With --json: {"rejects": [{line, code, column, value, rule,
sentence, hint}]}. The exit code is 1 where there are any.`,
  async run(args, io) {
    const [path, ...more] = args.positionals;
    const name = textOption(args, "feed");
    if (path === undefined || more.length > 0)
      throw new UsageError("rejects takes one file (see mailfeed rejects --help)");
    if (name === undefined) throw new UsageError("rejects needs --feed CUSTOMER/FEED");
    const feed = feedNamed(name);
    const payload = await firstPayload(path);
    const found: Reject[] = [];
    const { failure } = await parsePayload(feed, payload, {
      chunk: async () => undefined,
      rejects: async (batch) => void found.push(...batch),
    });
    if (args.json) io.out(JSON.stringify({ rejects: found.map(({ raw: _, position: __, ...reject }) => reject) }));
    else {
      const rows = args.values.all === true ? "all" : "rejected";
      for await (const block of annotatedCopy(feed, payload, inOrder(found), { rows })) io.bytes(block);
    }
    if (failure !== null) io.err(new Failure(failure).message);
    return found.length === 0 && failure === null ? EXIT.ok : EXIT.refused;
  },
};

async function* inOrder(found: readonly Reject[]): AsyncGenerator<Annotation> {
  yield* found;
}
