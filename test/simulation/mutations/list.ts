/** All mutations, stage by stage. */
import { APPLY } from "./list-apply.ts";
import { DOORS } from "./list-doors.ts";
import { PARSE } from "./list-parse.ts";
import { QUEUES } from "./list-queues.ts";
import { STATE } from "./list-state.ts";
import type { Mutation } from "./mutation.ts";

export const MUTATIONS: readonly Mutation[] = [...DOORS, ...PARSE, ...APPLY, ...STATE, ...QUEUES];
