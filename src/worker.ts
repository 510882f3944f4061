/** The deployed Worker: the system with the feeds of all adapters, and the class of its Durable Objects. */
import { feeds } from "../adapters/index.ts";
import { systemOf } from "./system.ts";

export { Admission } from "./admission/object.ts";

export default systemOf(feeds);
