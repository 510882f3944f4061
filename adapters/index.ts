/** All feeds of all customers. Kept by `mailfeed customer add`. */
import type { Feed } from "../src/domain/adapter.ts";
import { feeds as acme } from "./acme/index.ts";
import { feeds as adventure } from "./adventure/index.ts";
import { feeds as kontor } from "./kontor/index.ts";

export const feeds: readonly Feed[] = [...acme, ...adventure, ...kontor];
