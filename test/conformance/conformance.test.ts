import { adapterSubjects, readers } from "./subjects.ts";
import { conformance } from "./suite.ts";

conformance([...readers, ...(await adapterSubjects())]);
