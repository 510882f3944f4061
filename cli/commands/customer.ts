/** `mailfeed customer add`: the folder, the queue entries and the commands that a new customer needs. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CUSTOMER_SLUG } from "../../src/domain/ids.ts";
import { parseQueueBinding, parseQueueName } from "../../src/domain/keys.ts";
import { type Command, EXIT, textOption, UsageError } from "../command.ts";
import { PROJECT_ROOT } from "../local/settings.ts";

export const customer: Command = {
  name: "customer",
  summary: "adds a customer: adapter folder, queue entries, and the commands to run",
  usage: "add NAME [--title TEXT]",
  options: {
    title: { type: "string", help: "the company's name for people (default: NAME)" },
    root: { type: "string", help: "the project to change (default: this one)" },
  },
  async run(args, io) {
    const [action, name, ...more] = args.positionals;
    if (action !== "add" || !name || more.length > 0)
      throw new UsageError("customer takes: add NAME (see mailfeed customer --help)");
    if (!CUSTOMER_SLUG.test(name))
      throw new UsageError(`${JSON.stringify(name)} is no customer name: up to 20 of a-z, 0-9 and -, a letter first`);
    const root = textOption(args, "root") ?? PROJECT_ROOT;
    const folder = join(root, "adapters", name);
    if (existsSync(folder)) throw new UsageError(`adapters/${name} is there already`, "customer-exists");

    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "index.ts"), adapterText(name, textOption(args, "title") ?? name));
    writeFileSync(join(folder, "README.md"), `# ${name}\n\nWhat this ERP sends, and its quirks.\n`);
    writeFileSync(join(root, "adapters", "index.ts"), registryText(join(root, "adapters")));
    const wrangler = join(root, "wrangler.toml");
    writeFileSync(wrangler, `${readFileSync(wrangler, "utf8").trimEnd()}\n\n${queueEntries(name)}`);

    const commands = [
      `npx wrangler queues create ${parseQueueName(name)}`,
      "npx mailfeed migrate",
      "npx wrangler deploy",
      `npx mailfeed address ${name}/orders`,
    ];
    const written = [`adapters/${name}/index.ts`, `adapters/${name}/README.md`, "adapters/index.ts", "wrangler.toml"];
    if (args.json) io.out(JSON.stringify({ customer: name, written, commands }));
    else
      io.out(
        `Written: ${written.join(", ")}\n\nDescribe the feed in adapters/${name}/index.ts, try it with\n  npx mailfeed check --feed ${name}/orders FILE\nthen run\n${commands.map((c) => `  ${c}`).join("\n")}`,
      );
    return EXIT.ok;
  },
};

/** No word of the language and the same for no two names: names hold no underscore, and `feedsOf…` is never a keyword. */
const identifier = (slug: string) => `feedsOf_${slug.replaceAll("-", "_")}`;

/** `adapters/index.ts` for the folders that are there. */
export function registryText(adapters: string): string {
  const names = readdirSync(adapters, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && CUSTOMER_SLUG.test(entry.name))
    .map((entry) => entry.name)
    .sort();
  const imports = names.map((n) => `import { feeds as ${identifier(n)} } from "./${n}/index.ts";`);
  return `/** All feeds of all customers. Kept by \`mailfeed customer add\`. */
import type { Adapter } from "../src/domain/adapter.ts";
${imports.join("\n")}

export const feeds: readonly Adapter[] = [${names.map((n) => `...${identifier(n)}`).join(", ")}];
`;
}

/** The producer and the consumer of a customer's parse queue, every value set. */
export function queueEntries(name: string): string {
  const queue = parseQueueName(name);
  return `# ── customer ${name} ──
[[queues.producers]]
binding = "${parseQueueBinding(name)}"
queue = "${queue}"

[[queues.consumers]]
queue = "${queue}"
max_batch_size = 1
max_batch_timeout = 0
max_retries = 40
max_concurrency = 2
dead_letter_queue = "parse-dlq"
`;
}

/** A title as it may stand in a comment of one line. */
const inComment = (title: string) => title.replaceAll("*/", "* /").replace(/\s+/g, " ");

const adapterText = (name: string, title: string) => `/** What ${inComment(title)}'s ERP sends. */
import { defineFeed, type Feed } from "../../src/domain/adapter.ts";

const orders = defineFeed({
  customer: "${name}",
  customerTitle: ${JSON.stringify(title)},
  feed: "orders",
  title: "Orders",
  // Who there is told of what is wrong with a file: contact: "somebody@…",
  mode: "delta",
  intake: { policy: "require-spf-or-dkim", senders: ["@${name}.example"], fileName: "\\\\.(csv|txt)$" },
  file: { charset: "utf-8", delimiter: ";", header: true },
  columns: [
    { name: "order_no", source: { header: "OrderNo" }, type: "identifier" },
    { name: "ordered_on", source: { header: "Date" }, type: "date", format: "yyyy-MM-dd", blank: "reject" },
    { name: "amount", source: { header: "Amount" }, type: "decimal", scale: 2 },
  ],
  key: ["order_no"],
});

export const feeds: readonly Feed[] = [orders];
`;
