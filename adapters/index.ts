/** All feeds of all customers. Kept by `mailfeed customer add`. */
import type { Adapter } from "../src/domain/adapter.ts";
import { feeds as feedsOf_acme } from "./acme/index.ts";
import { feeds as feedsOf_adventure } from "./adventure/index.ts";
import { feeds as feedsOf_kontor } from "./kontor/index.ts";

export const feeds: readonly Adapter[] = [...feedsOf_acme, ...feedsOf_adventure, ...feedsOf_kontor];
