/** The queues of `wrangler.toml`: the simulation runs with the settings that are deployed. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseQueueBinding, parseQueueName } from "../../src/domain/keys.ts";
import type { QueueSettings } from "./fake-queues.ts";

const FILE = join(import.meta.dirname, "../../wrangler.toml");

export interface Deployment {
  /** Names of producing bindings with the queue that each sends to. */
  readonly producers: ReadonlyMap<string, string>;
  readonly consumers: Readonly<Record<string, QueueSettings>>;
}

type Block = Readonly<Record<string, string | number>>;

/** The `[[name]]` blocks of a TOML text whose values are strings and whole numbers, which is all that queues have. */
function blocksOf(text: string, name: string): Block[] {
  return text.split(/^(?=\[)/m).flatMap((part) => {
    if (!part.startsWith(`[[${name}]]`)) return [];
    const values = [...part.matchAll(/^(\w+) *= *(?:"([^"]*)"|(\d+)) *$/gm)];
    return [Object.fromEntries(values.map(([, key, string, number]) => [key!, string ?? Number(number)]))];
  });
}

function settingsOf(block: Block): QueueSettings {
  const number = (name: string): number => {
    const value = block[name];
    if (typeof value !== "number") throw new Error(`wrangler.toml says no ${name} for queue ${block.queue}`);
    return value;
  };
  const deadLetters = block.dead_letter_queue;
  return {
    maxBatch: number("max_batch_size"),
    maxRetries: number("max_retries"),
    maxConcurrency: number("max_concurrency"),
    ...(typeof deadLetters === "string" ? { deadLetters } : {}),
  };
}

/** The deployment with these customers in the place of the real ones: their queues have the settings of a real one's. */
export function deploymentOf(customers: readonly string[]): Deployment {
  const text = readFileSync(FILE, "utf8");
  const producers = new Map<string, string>();
  for (const { binding, queue } of blocksOf(text, "queues.producers")) producers.set(String(binding), String(queue));
  const consumers = Object.fromEntries(
    blocksOf(text, "queues.consumers").map((block) => [String(block.queue), settingsOf(block)]),
  );
  const parse = Object.entries(consumers).find(([queue]) => queue.startsWith(parseQueueName("")))?.[1];
  if (parse === undefined) throw new Error("wrangler.toml has no parse queue");
  for (const customer of customers) {
    producers.set(parseQueueBinding(customer), parseQueueName(customer));
    consumers[parseQueueName(customer)] = parse;
  }
  return { producers, consumers };
}
