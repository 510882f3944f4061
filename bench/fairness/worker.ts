/** The Worker as it is, with the feeds of the measurement. */
import { systemOf } from "../../src/system.ts";
import { noisy, quiet } from "./feeds.ts";

export { Admission } from "../../src/admission/object.ts";

export default systemOf([noisy, quiet]);
