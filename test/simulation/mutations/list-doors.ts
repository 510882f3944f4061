/** The doors and the archive: who was told yes is not lost, who was told no is told it once and rightly. */
import type { Mutation } from "./mutation.ts";

export const DOORS: readonly Mutation[] = [
  {
    name: "archive-not-awaited",
    breaks: "A mail is accepted before its bytes are archived, and whether they ever are.",
    edits: [
      {
        file: "src/intake/take.ts",
        find: 'const duplicate = (await deps.archive(key, bytes, facts)) === "exists";',
        replace: "const duplicate = false;\n  deps.archive(key, bytes, facts).catch(() => undefined);",
      },
    ],
  },
  {
    name: "accepted-though-not-archived",
    breaks: "A mail is accepted although the archive has refused its bytes.",
    edits: [
      {
        file: "src/intake/take.ts",
        find: "await deps.archive(key, bytes, facts)",
        replace: 'await deps.archive(key, bytes, facts).catch(() => "stored")',
      },
    ],
  },
  {
    name: "queued-before-archived",
    breaks: "A message tells of bytes that are not in the archive yet.",
    edits: [
      {
        file: "src/intake/take.ts",
        find: 'const duplicate = (await deps.archive(key, bytes, facts)) === "exists";\n  await deps.enqueueParse(\n    parseDeliveryMessage({ customer: facts.customer, feed: facts.feed, correlationId: facts.id, rawKey: key }),\n  );',
        replace:
          'await deps.enqueueParse(\n    parseDeliveryMessage({ customer: facts.customer, feed: facts.feed, correlationId: facts.id, rawKey: key }),\n  );\n  const duplicate = (await deps.archive(key, bytes, facts)) === "exists";',
      },
    ],
  },
  {
    name: "retry-refused",
    breaks: "A sender who tries again, since our answer was lost, is told a final no.",
    edits: [
      {
        file: "src/intake/handler.ts",
        find: "return { accepted: true, ...taken };",
        replace:
          'return taken.duplicate\n    ? { accepted: false, reject: report("unknown-address", { recipient: mail.envelopeTo }) }\n    : { accepted: true, ...taken };',
      },
    ],
  },
  {
    name: "trouble-told-as-refusal",
    breaks: "Trouble of ours is answered with a final no, and the sender gives up.",
    edits: [
      {
        file: "src/system.ts",
        find: "const outcome = await receiveMail(mail, { feeds, ...config }, intakeDeps(config));",
        replace:
          "const outcome = await receiveMail(mail, { feeds, ...config }, intakeDeps(config)).catch((thrown: unknown) => ({\n        accepted: false as const,\n        reject: (thrown as { readonly report: { sentence: string; hint: string } }).report,\n      }));",
      },
    ],
  },
  {
    name: "id-of-transport-headers",
    breaks: "A mail that comes again over another server is another delivery.",
    edits: [
      {
        file: "src/intake/handler.ts",
        find: "/^(from|to|cc|subject|date|message-id|mime-version|content-.*)$/",
        replace: "/./",
      },
    ],
  },
  {
    name: "upload-key-ignored",
    breaks: "An upload that is sent again with its Idempotency-Key is another delivery.",
    edits: [
      {
        file: "src/system.ts",
        find: "const key = upload.idempotencyKey ?? surroundings.uuid();",
        replace: "const key = surroundings.uuid();",
      },
    ],
  },
];
