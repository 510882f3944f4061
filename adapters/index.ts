import type { Feed } from "../src/domain/adapter.ts";
export const feeds: readonly Feed[] = [];
