/** What the local stack uses where nothing else is said. None of it is secret: it never leaves this machine. */
import { join } from "node:path";

export const PROJECT_ROOT = join(import.meta.dirname, "../..");
export const DEV_PORT = 8787;
export const DEV_ADDRESS_SECRET = "local-stack-only-address-secret";
export const DEV_MAIL_DOMAIN = "feeds.mailfeed.example";
/** Everything the local stack keeps; git-ignored. */
export const DEV_FOLDER = join(PROJECT_ROOT, ".mailfeed");
