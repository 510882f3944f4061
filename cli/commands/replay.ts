/** `mailfeed replay`: deliveries read again from the archive of a running deployment. */
import { CUSTOMER_SLUG } from "../../src/domain/ids.ts";
import { apiOptions, callApi, doorwayOf, feedPath, ofKnown, readApi, tellRefused } from "../api-client.ts";
import { type Arguments, type Command, EXIT, type Io, numberOption, textOption, UsageError } from "../command.ts";
import { exitOf, type ReplayReport, type ReplayShown, reportText, scopeLine, watchReplay } from "../follow-replay.ts";

const ACTIONS = ["list", "show", "pause", "resume", "cancel"] as const;
type Action = (typeof ACTIONS)[number];

export const replay: Command = {
  name: "replay",
  summary: "reads archived deliveries again: for real, or as a shadow that only tells what would change",
  usage:
    "--delivery ID | --feed C/F | --customer C | --all [--since DATE] [--shadow], or list|show|pause|resume|cancel [ID]",
  options: {
    delivery: { type: "string", help: "this delivery" },
    feed: { type: "string", help: "the deliveries of this feed, as CUSTOMER/FEED" },
    customer: { type: "string", help: "the deliveries of this customer" },
    all: { type: "boolean", help: "everything in the archive" },
    since: { type: "string", help: "only what arrived since, e.g. 2026-11-01 or 2026-11-01T08:00:00Z" },
    shadow: { type: "boolean", help: "apply nothing; tell what would be new, changed and retired" },
    profile: { type: "string", help: "read by this version of the feed's format instead of the active one" },
    mapping: { type: "string", help: "read by this version of the feed's mapping instead of the active one" },
    gate: { type: "string", help: "judge (default): files that do too much are held; pass: nothing is held for that" },
    "no-wait": { type: "boolean", help: "begin it and do not wait for its end" },
    ...apiOptions,
  },
  details: `  replay --feed acme/inventory --since 2026-11-01 --shadow
  replay --all
  replay list, replay show ID, replay pause ID, replay resume ID, replay cancel ID

Deliveries of a feed go one after the other in the order of their as-of, feeds side by side, at the pace at which the customer's
files are let in. What is in the database already comes out unchanged; older files never win. A delivery that the database
has lost is read like one that has just arrived. Ctrl-C stops the watching, not the replay.
With --json: the replay as GET /v1/replays/:id answers it.
Exit code 1: it did not come to its end, or a delivery failed or is held.`,
  async run(args, io) {
    const [action, id, ...more] = args.positionals;
    if (action === undefined) return begin(args, io);
    if (more.length > 0 || !isAction(action) || (action === "list") !== (id === undefined)) throw usage();
    const door = doorwayOf(args);
    if (action === "list") return list(args, io);
    if (!/^[1-9]\d{0,18}$/.test(id!)) throw new UsageError(`${JSON.stringify(id)} is not the id of a replay`);
    const path = `/v1/replays/${id}`;
    if (action === "show") {
      const shown = await ofKnown(`replay ${id}`, readApi<ReplayReport>(door, path));
      io.out(args.json ? JSON.stringify(shown) : reportText(shown));
      return EXIT.ok;
    }
    const answer = await ofKnown(`replay ${id}`, callApi<{ replay: ReplayReport }>(door, "POST", `${path}/${action}`));
    if (answer.kind === "refused") return tellRefused(answer.refused, args, io);
    io.out(args.json ? JSON.stringify(answer.value.replay) : `Replay ${id} is ${answer.value.replay.state}.`);
    return EXIT.ok;
  },
};

const isAction = (text: string): text is Action => (ACTIONS as readonly string[]).includes(text);

const usage = () =>
  new UsageError(
    "replay takes --delivery, --feed, --customer or --all, or: list, show ID, pause ID, resume ID, cancel ID",
  );

/** The body of POST /v1/replays. */
function askedFor(args: Arguments): Record<string, unknown> {
  const delivery = textOption(args, "delivery");
  const feed = textOption(args, "feed");
  const customer = textOption(args, "customer");
  const scopes = [delivery, feed, customer, args.values.all === true ? "all" : undefined];
  if (scopes.filter((one) => one !== undefined).length !== 1) throw usage();
  if (customer !== undefined && !CUSTOMER_SLUG.test(customer)) {
    throw new UsageError(`${JSON.stringify(customer)} is no name of a customer`);
  }
  const gate = textOption(args, "gate");
  if (gate !== undefined && gate !== "judge" && gate !== "pass") throw new UsageError("--gate takes judge or pass");
  const named = (name: "profile" | "mapping") =>
    textOption(args, name) === undefined ? {} : { [name]: numberOption(args, name, 0) };
  const since = textOption(args, "since");
  return {
    ...(delivery === undefined ? {} : { delivery }),
    ...(customer === undefined ? {} : { customer }),
    ...(feed === undefined ? {} : namesOf(feed)),
    ...(args.values.all === true ? { all: true } : {}),
    ...(since === undefined ? {} : { since }),
    ...(args.values.shadow === true ? { shadow: true } : {}),
    ...(gate === undefined ? {} : { gate }),
    ...named("profile"),
    ...named("mapping"),
  };
}

/** Throws UsageError for what is no `customer/feed`. */
export function namesOf(feed: string): { readonly customer: string; readonly feed: string } {
  feedPath(feed);
  const [customer = "", slug = ""] = feed.split("/");
  return { customer, feed: slug };
}

async function begin(args: Arguments, io: Io): Promise<number> {
  const asked = askedFor(args);
  const door = doorwayOf(args);
  const what = "delivery, feed or customer of this name";
  const answer = await ofKnown(what, callApi<{ replay: ReplayReport }>(door, "POST", "/v1/replays", asked));
  if (answer.kind === "refused") return tellRefused(answer.refused, args, io);
  const { replay: begun } = answer.value;
  if (args.values["no-wait"] === true) {
    io.out(args.json ? JSON.stringify(begun) : `Replay ${begun.id} (${scopeLine(begun)}) has begun.`);
    return EXIT.ok;
  }
  const ended = await watchReplay(door, begun.id, io);
  if (ended === undefined) return EXIT.ok;
  io.out(args.json ? JSON.stringify(ended) : reportText(ended));
  return exitOf(ended);
}

async function list(args: Arguments, io: Io): Promise<number> {
  const page = await readApi<{ items: readonly ReplayShown[]; next: string | null }>(doorwayOf(args), "/v1/replays");
  if (args.json) {
    io.out(JSON.stringify(page));
    return EXIT.ok;
  }
  if (page.items.length === 0) io.out("No replays.");
  for (const one of page.items) {
    io.out(`${one.id}  ${one.created_at}  ${one.state.padEnd(10)}  ${scopeLine(one)}, by ${one.created_by}`);
  }
  if (page.next !== null) io.out("There are more; read them over the API.");
  return EXIT.ok;
}
