/** How much of the common database one customer may use at a time. */
export interface Limits {
  /** Files that are applied at the same time. */
  readonly filesAtOnce: number;
  /** Accepted rows that are let in per second, on average. */
  readonly rowsPerSecond: number;
  /** Rows that are let in at once after a quiet time, before the average counts. */
  readonly burstRows: number;
}

/** Of the ten consumers of the apply queue, so that two busy customers leave some to all others. */
export const DEFAULT_FILES_AT_ONCE = 4;
/** About half of what one file reaches where it was measured: a customer who sends without end leaves the other half. */
export const DEFAULT_ROWS_PER_SECOND = 25_000;
/** Two or three seconds of the database: files of usual size never feel the rate, and large ones leave room beside them. */
export const DEFAULT_BURST_ROWS = 100_000;

export const DEFAULT_LIMITS: Limits = {
  filesAtOnce: DEFAULT_FILES_AT_ONCE,
  rowsPerSecond: DEFAULT_ROWS_PER_SECOND,
  burstRows: DEFAULT_BURST_ROWS,
};

/** More than ten times the consumers there are: beyond it the number means nothing. */
export const MAX_FILES_AT_ONCE = 100;
/** A file of 300,000 rows then keeps the next one waiting for eight hours, well within the days that queues keep a message. */
export const MIN_ROWS_PER_SECOND = 10;
/** More than any database takes. */
export const MAX_ROWS_PER_SECOND = 10_000_000;
export const MAX_BURST_ROWS = 100_000_000;
