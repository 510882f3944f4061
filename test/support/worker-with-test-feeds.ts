/** The Worker as it is, with feeds of the tests' own. */
import { systemOf } from "../../src/system.ts";
import { testFeeds } from "./test-feeds.ts";

export { Admission } from "../../src/admission/object.ts";

export default systemOf(testFeeds);
