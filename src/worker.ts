/** The deployed Worker: the system with the feeds of all adapters. */
import { feeds } from "../adapters/index.ts";
import { systemOf } from "./system.ts";

export default systemOf(feeds);
