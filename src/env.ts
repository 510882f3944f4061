/**
 * The Worker's bindings, checked once into a smaller and stricter Config, for every entry point alike. A missing binding
 * or secret is named, all of them at once, and no value is ever part of the message.
 */
import { z } from "zod";
import type { AdmissionDoor } from "./admission/keeper.ts";
import {
  APPLY_DLQ,
  APPLY_LARGE_QUEUE,
  APPLY_QUEUE,
  archivePasswordName,
  PARSE_DLQ,
  parseQueueBinding,
  SMALL_FILE_ROWS,
} from "./domain/keys.ts";
import type { StageMessage } from "./domain/messages.ts";

export interface Config {
  readonly databaseUrl: string;
  /** Set only where the database is not Neon's own: local runs and tests. */
  readonly databaseEndpoint?: string;
  readonly addressSecret: string;
  readonly mailDomain: string;
  readonly store: R2Bucket;
  /** The queue for a file of so many rows; one of unknown size may be small. */
  applyQueue(rows: number | undefined): Queue<StageMessage>;
  /** The schedule of a customer's files. */
  admission(customer: string): AdmissionDoor;
  readonly parseDlq: Queue<unknown>;
  readonly applyDlq: Queue<unknown>;
  /** Undefined where this deployment cannot send: mails to people then wait as rows. */
  readonly mail?: { readonly binding: SendEmail; readonly from: string };
  /** Where our operator reads mail. */
  readonly operatorMail?: string;
  /** Where the web reaches this deployment, without a slash at its end. Undefined: mails then offer no links. */
  readonly publicUrl?: string;
  /** The password of a feed's archives; undefined where none is stored. */
  archivePassword(customer: string, feed: string): string | undefined;
  /** The parse queue of a customer; throws if the deployment has none (a customer was added without its queue). */
  parseQueue(customer: string): Queue<StageMessage>;
}

/** The part of a Durable Object namespace that is used here. */
interface AdmissionObjects {
  getByName(name: string): AdmissionDoor;
}

const secret = (name: string) =>
  z.string({ error: `secret ${name} is missing` }).min(1, { error: `secret ${name} is blank` });

const binding = <T>(name: string, method: string) =>
  z.custom<T>((value) => typeof (value as Record<string, unknown> | undefined)?.[method] === "function", {
    error: `binding ${name} is missing`,
  });

/** A mail's links decide: they go over TLS, or stay on this machine. Nothing but an origin, since the routes stand at its root. */
function originOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, origin, href } = new URL(text);
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(hostname);
  return (protocol === "https:" || (protocol === "http:" && isLocal)) && href === `${origin}/` ? origin : undefined;
}

const publicUrl = z.string().transform((text, context) => {
  const origin = originOf(text);
  if (origin !== undefined) return origin;
  context.addIssue("variable PUBLIC_URL is not https:// and a host, and nothing more");
  return z.NEVER;
});

const schema = z.object({
  DATABASE_URL: secret("DATABASE_URL").regex(/^postgres(ql)?:\/\//, {
    error: "secret DATABASE_URL is not a postgres:// URL",
  }),
  DATABASE_ENDPOINT: z.url({ error: "variable DATABASE_ENDPOINT is not a URL" }).optional(),
  ADDRESS_SECRET: secret("ADDRESS_SECRET").min(16, { error: "secret ADDRESS_SECRET is shorter than 16 characters" }),
  MAIL_DOMAIN: z.string({ error: "variable MAIL_DOMAIN is missing" }).min(1),
  OPERATOR_MAIL: z.email({ error: "variable OPERATOR_MAIL is not a mail address" }).optional(),
  MAIL_FROM: z.email({ error: "variable MAIL_FROM is not a mail address" }).optional(),
  PUBLIC_URL: publicUrl.optional(),
  EMAIL: binding<SendEmail>("EMAIL (send_email)", "send").optional(),
  STORE: binding<R2Bucket>("STORE (R2)", "put"),
  APPLY: binding<Queue<StageMessage>>(`APPLY (queue ${APPLY_QUEUE})`, "send"),
  APPLY_LARGE: binding<Queue<StageMessage>>(`APPLY_LARGE (queue ${APPLY_LARGE_QUEUE})`, "send"),
  ADMISSION: binding<AdmissionObjects>("ADMISSION (Durable Object)", "getByName"),
  PARSE_DLQ: binding<Queue<unknown>>(`PARSE_DLQ (queue ${PARSE_DLQ})`, "send"),
  APPLY_DLQ: binding<Queue<unknown>>(`APPLY_DLQ (queue ${APPLY_DLQ})`, "send"),
});

/** Throws an Error that names everything missing, e.g. `Mailfeed is not configured: secret DATABASE_URL is missing`. */
export function readEnv(env: unknown): Config {
  const read = schema.safeParse(env);
  if (!read.success) {
    throw new Error(`Mailfeed is not configured: ${read.error.issues.map((issue) => issue.message).join("; ")}`);
  }
  const bindings = env as Record<string, unknown>;
  const { ADMISSION, APPLY, APPLY_LARGE, EMAIL, MAIL_FROM, OPERATOR_MAIL, PUBLIC_URL } = read.data;
  return {
    databaseUrl: read.data.DATABASE_URL,
    ...(read.data.DATABASE_ENDPOINT === undefined ? {} : { databaseEndpoint: read.data.DATABASE_ENDPOINT }),
    addressSecret: read.data.ADDRESS_SECRET,
    mailDomain: read.data.MAIL_DOMAIN,
    store: read.data.STORE,
    applyQueue: (rows = 0) => (rows > SMALL_FILE_ROWS ? APPLY_LARGE : APPLY),
    admission: (customer) => ADMISSION.getByName(customer),
    parseDlq: read.data.PARSE_DLQ,
    applyDlq: read.data.APPLY_DLQ,
    ...(EMAIL === undefined || MAIL_FROM === undefined ? {} : { mail: { binding: EMAIL, from: MAIL_FROM } }),
    ...(OPERATOR_MAIL === undefined ? {} : { operatorMail: OPERATOR_MAIL }),
    ...(PUBLIC_URL === undefined ? {} : { publicUrl: PUBLIC_URL }),
    archivePassword(customer, feed) {
      const stored = bindings[archivePasswordName(customer, feed)];
      return typeof stored === "string" && stored !== "" ? stored : undefined;
    },
    parseQueue(customer) {
      const name = parseQueueBinding(customer);
      const queue = bindings[name] as Queue<StageMessage> | undefined;
      if (typeof queue?.send !== "function") throw new Error(`Mailfeed is not configured: binding ${name} is missing`);
      return queue;
    },
  };
}
