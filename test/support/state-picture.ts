/**
 * The state machines as a page for people: `node test/support/state-picture.ts` writes `docs/states.md` from
 * `src/domain/states.ts`, and a test holds the two equal.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FAILURES } from "../../src/domain/failures.ts";
import { MACHINES, type Machine, NEW } from "../../src/domain/states.ts";

export const STATES_PAGE = join(import.meta.dirname, "../../docs/states.md");

const MOVERS: Readonly<Record<string, string>> = {
  parse: "parse",
  apply: "apply",
  notify: "notify",
  sweep: "the sweep, where a message was lost",
  replay: "the replay itself",
  operator: "the operator",
  nobody: "nobody: it is at its end",
};

export function statePage(): string {
  const machines: readonly Machine[] = Object.values(MACHINES);
  return `${[HEAD, ...machines.map(section), holds()].join("\n\n")}\n`;
}

const HEAD = `# States

Which states a thing can be in, what each means, who moves it on, and which moves there are. This page is made from
\`src/domain/states.ts\`; a trigger on each table refuses every other move, whoever asks for it, as \`illegal-transition\`
(SQLSTATE \`MF001\`), and changes nothing. \`node test/support/state-picture.ts\` writes it again.`;

function section({ table, title, states, moves }: Machine): string {
  const rows = Object.entries(states).map(
    ([name, { means, movedBy, operator }]) =>
      `| \`${name}\` | ${means} | ${movedBy.map((mover) => MOVERS[mover]).join("; ")} | ${operator} |`,
  );
  const arrows = moves.map(([from, to, by]) => `  ${from === NEW ? "[*]" : from} --> ${to}: ${by}`);
  return [
    `## ${title}`,
    `Table \`${table}\`.`,
    ["```mermaid", "stateDiagram-v2", ...arrows, "```"].join("\n"),
    ["| State | What it means | Who moves it on | What the operator can do |", "|---|---|---|---|", ...rows].join("\n"),
  ].join("\n\n");
}

/** A hold is no thing of its own: it is a state with a question beside it. */
function holds(): string {
  const codes = Object.entries(FAILURES).filter(([, { disposition }]) => disposition === "hold");
  const rows = codes.map(([code, { scope, actor }]) => {
    const state = scope === "delivery" ? "quarantined" : "held";
    return `| \`${code}\` | ${scope} | \`${state}\` | ${actor === "us" ? "us: a fault of ours" : `the ${actor}`} |`;
  });
  return [
    "## Holds",
    "A hold is the state `held` of a file or `quarantined` of a delivery, and its failure is the question:",
    ["| Question | Of what | State | Who can answer |", "|---|---|---|---|", ...rows].join("\n"),
  ].join("\n\n");
}

if (process.argv[1] === import.meta.filename) writeFileSync(STATES_PAGE, statePage());
