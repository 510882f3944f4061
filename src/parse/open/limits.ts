/**
 * How much of everything a delivery may hold. A hostile mail meets one of these before it meets the platform's limits
 * (128 MB of memory for an isolate, 5 minutes of CPU).
 */
export interface OpenLimits {
  /** Leaf parts of one message. postal-mime has no bound; a feed has one or two. */
  readonly maxParts: number;
  /** Multiparts inside each other within one message: each open boundary is compared with each candidate line. */
  readonly maxMultipartDepth: number;
  /** Messages inside messages (forwarded mails): each level is read once more. */
  readonly maxMessageDepth: number;
  /** All headers of one message together. Real ones stay below 64 KiB even with long chains of ARC and DKIM seals. */
  readonly maxHeaderBytes: number;
  /**
   * Parts and entries that are looked into, in all messages and archives of one delivery: each costs up to 0.3 ms, and a
   * mail of 25 MiB has room for hundreds of archives of small entries.
   */
  readonly maxFiles: number;
  /** Archives inside archives. */
  readonly maxArchiveDepth: number;
  /** Entries of one archive, folders included. */
  readonly maxArchiveEntries: number;
  /** Expanded size of all zip entries of a delivery together, and of any gzip file. 1 GiB costs about 12 s of CPU. */
  readonly maxExpandedBytes: number;
  /** Expanded bytes per compressed byte. Tables reach 10 to 40, very repetitive ones 100; Deflate ends at 1,032. */
  readonly maxExpansionRatio: number;
  /**
   * Archives need random access. One that arrives encoded (base64 in a mail, deflated in another archive) is decoded into
   * memory: the only big buffer there is, and this is the sum of them in one delivery. A mail of 25 MiB holds at most
   * 18.4 MiB of base64; the rest is for archives inside archives.
   */
  readonly maxHeldBytes: number;
}

export const DEFAULT_LIMITS: OpenLimits = {
  maxParts: 500,
  maxMultipartDepth: 20,
  maxMessageDepth: 5,
  maxHeaderBytes: 1_048_576,
  maxFiles: 2_000,
  maxArchiveDepth: 3,
  maxArchiveEntries: 1_000,
  maxExpandedBytes: 1_073_741_824,
  maxExpansionRatio: 200,
  maxHeldBytes: 33_554_432,
};

/** Below this expanded size the ratio does not count: small repetitive files compress to almost nothing. */
export const RATIO_GRACE_BYTES = 4_194_304;
