/** R2 keys and queue names: the only place that knows how they are written. Pure. */

const two = (n: number) => String(n).padStart(2, "0");

/** Where the raw bytes of all customers lie. */
export const RAW_PREFIX = "raw/";

/** Where the raw bytes of a customer's deliveries lie, in the order of their days. */
export const rawCustomerPrefix = (customer: string): string => `${RAW_PREFIX}${customer}/`;

/** Where the raw bytes of a customer's deliveries of one day (UTC) lie. */
export const rawPrefix = (customer: string, day: Date): string =>
  `${rawCustomerPrefix(customer)}${day.getUTCFullYear()}/${two(day.getUTCMonth() + 1)}/${two(day.getUTCDate())}/`;

const ENDINGS = { mail: "eml", upload: "bin", restore: "ndjson" } as const;

/** Where a delivery's raw bytes lie for good. The date is the day of arrival in UTC. */
export const rawKey = (customer: string, receivedAt: Date, deliveryId: string, door: keyof typeof ENDINGS): string =>
  `${rawPrefix(customer, receivedAt)}${deliveryId}.${ENDINGS[door]}`;

/** Whether the raw bytes under this key were made by a restore. */
export const isRestoreKey = (rawKey: string): boolean => rawKey.endsWith(`.${ENDINGS.restore}`);

/**
 * One chunk of a parsed file. The adapter version is part of the key, so that two parses of one file under different
 * adapters never mix their chunks.
 */
export const chunkKey = (fileId: string, adapterVersion: string, n: number): string =>
  `${chunkPrefix(fileId)}${adapterVersion}/${n}`;

/** Where all chunks of a file lie, of every parse of it. */
export const chunkPrefix = (fileId: string): string => `chunks/${fileId}/`;

export const parseQueueName = (customer: string): string => `feed-${customer}`;
/** Files up to this size: nobody's small file waits behind anybody's large one. */
export const APPLY_QUEUE = "apply";
/** Larger files, which hold a consumer for seconds or minutes. */
export const APPLY_LARGE_QUEUE = "apply-large";
/** Applied in about a second where it was measured; most files of most feeds are smaller. */
export const SMALL_FILE_ROWS = 10_000;
export const PARSE_DLQ = "parse-dlq";
export const APPLY_DLQ = "apply-dlq";

/** Name of the queue binding that produces into a customer's parse queue: `feed-acme` → `FEED_ACME`. */
export const parseQueueBinding = (customer: string): string =>
  parseQueueName(customer).toUpperCase().replaceAll("-", "_");

/**
 * Name of the Worker secret that holds the password of a feed's archives: `ARCHIVE_PASSWORD_ACME_INVENTORY`. A hyphen of a
 * slug becomes two underscores, so that no two feeds share a name.
 */
export const archivePasswordName = (customer: string, feed: string): string =>
  `ARCHIVE_PASSWORD_${[customer, feed].map((slug) => slug.toUpperCase().replaceAll("-", "__")).join("_")}`;
