/**
 * What people are told of by mail, as plain data: the stage that holds a file says what it saw, `src/notify` makes words
 * and pictures of it.
 */
import type { Effect } from "./effect.ts";
import type { FailureReport } from "./failures.ts";
import type { OpenQuestion } from "./feed-version.ts";

/** Who is told: our operator, or the customer's contact. */
export type Recipient = "operator" | "contact";

interface OfFile {
  readonly recipient: Recipient;
  readonly customer: string;
  readonly customerTitle: string;
  readonly feed: string;
  readonly feedTitle: string;
  readonly fileId: string;
  /** Of the payload in its delivery. */
  readonly path: string;
  readonly deliveryId: string;
  readonly sender: string;
  /** ISO. */
  readonly receivedAt: string;
}

/** A column as it was read. */
export interface NoticeColumn {
  readonly name: string;
  readonly type: string;
  /** A few values as they stand. */
  readonly examples: readonly string[];
}

/** The first file of a feed: this is what was read, these columns need an answer. */
export interface FormatUnconfirmedNotice extends OfFile {
  readonly kind: "format-unconfirmed";
  /** One plain sentence per decision of detection. */
  readonly evidence: readonly string[];
  readonly columns: readonly NoticeColumn[];
  /** Names of the columns that would identify a record; empty where the adapter says them. */
  readonly key: readonly string[];
  readonly questions: readonly OpenQuestion[];
  /** What stands against accepting it as it is. */
  readonly faults: readonly string[];
}

/** A file that does not look as pinned: both side by side. */
export interface FormatDriftNotice extends OfFile {
  readonly kind: "format-drift";
  readonly cause: string;
  /** The likely cause in one plain sentence. */
  readonly sentence: string;
  /** What reading it by the pinned format came to. */
  readonly original?: Pick<FailureReport, "code" | "sentence" | "hint">;
  readonly differences: readonly {
    readonly what: string;
    readonly column?: string;
    readonly pinned: string;
    readonly found: string;
  }[];
  readonly examples: readonly { readonly line: number; readonly pinned?: string; readonly found: string }[];
  readonly questions: readonly OpenQuestion[];
  readonly faults: readonly string[];
}

/** A record that shows what a held file would do. Values are short texts. */
export interface NoticeRow {
  readonly kind: "changed" | "inserted" | "retired";
  readonly key: string;
  readonly field?: string;
  readonly before?: string;
  readonly after?: string;
}

/** A file without fault that would do far more than its feed's files usually do. Both are told, each in their own words. */
export interface BlastRadiusNotice extends OfFile {
  readonly kind: "blast-radius";
  /** One plain sentence for each check that it tripped. */
  readonly reasons: readonly string[];
  readonly numbers: {
    /** Known records before the file. */
    readonly records: number;
    readonly rows: number;
    readonly rejected: number;
    readonly retired: number;
    /** Left out where the plan does not know. */
    readonly inserted?: number;
    readonly changed?: number;
    readonly unchanged?: number;
  };
  readonly telling: readonly NoticeRow[];
  /** Where a decision is made. What is left out is not offered. */
  readonly links: { readonly release?: string; readonly widen?: string; readonly reject?: string };
  /** ISO: when it is rejected by itself. */
  readonly expiresAt: string;
  /** What later files of the feed do meanwhile. */
  readonly later: "wait" | "supersede";
  /** It was told before, and nobody has decided. */
  readonly reminder: boolean;
}

/** A record that differs between the ERP's list and here, both sides in words. */
export interface DriftNoticeRow {
  readonly key: string;
  readonly here: string;
  readonly there: string;
}

/** More differs between the ERP's list and the records here than is healed without asking. Both are told, each in their own words. */
export interface SnapshotDriftNotice extends OfFile {
  readonly kind: "snapshot-drift";
  readonly reportId: string;
  /** No list was sent for it: the last full file of the feed is held against the records. */
  readonly ownFile: boolean;
  /** ISO: when the list was true. */
  readonly asOf: string;
  /** Why it is not healed without asking; parts of sentences. */
  readonly reasons: readonly string[];
  readonly numbers: {
    /** Records here, and rows of the list that count. */
    readonly records: number;
    readonly listed: number;
    /** What was found, explained or not. */
    readonly missingHere: number;
    readonly missingThere: number;
    readonly differs: number;
    /** Of these, what nothing explains. */
    readonly drift: number;
    /** The others by reason. */
    readonly explained: Readonly<Record<string, number>>;
  };
  readonly telling: readonly DriftNoticeRow[];
  /** ISO: when it is over without a decision. */
  readonly expiresAt: string;
  /** That is now. */
  readonly expired: boolean;
}

/** What a dry run came to, told to whoever sent it: one mail for all files of the delivery. */
export interface DryRunNotice extends Omit<OfFile, "fileId" | "path"> {
  readonly kind: "dry-run";
  /** Of the mail that asked; empty where it had none. */
  readonly subject: string;
  /** Why nothing in it could be read. */
  readonly failure?: NoticeFailure;
  readonly files: readonly DryRunFile[];
}

/** What is wrong and what to do, in words for the customer. */
export interface NoticeFailure {
  readonly sentence: string;
  readonly hint: string;
}

export interface DryRunFile {
  readonly fileId: string;
  readonly path: string;
  readonly feedTitle: string;
  /** What it would do; left out where it could not be compared. */
  readonly effect?: Effect;
  readonly failure?: NoticeFailure;
  /** Rows that could not be read, as far as it was read. */
  readonly rejected: number;
  /** The first of them. */
  readonly rejects: readonly {
    readonly line: number;
    readonly value: string;
    readonly sentence: string;
    readonly hint: string;
  }[];
}

export type Notice =
  | FormatUnconfirmedNotice
  | FormatDriftNotice
  | BlastRadiusNotice
  | DryRunNotice
  | SnapshotDriftNotice;

/** A mail to a person, composed. */
export interface Message {
  readonly recipient: Recipient;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** Stands in every mail that we send: one that comes back to a feed is known by it and never read as data. */
export const OWN_MAIL_HEADER = "X-Mailfeed-Notification";

/** A mail on its way out. */
export interface OutgoingMail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Throws where the mail did not go out. `permanent`: no later try will do better. */
export class NotSent extends Error {
  readonly permanent: boolean;
  constructor(message: string, permanent: boolean) {
    super(message);
    this.name = "NotSent";
    this.permanent = permanent;
  }
}
