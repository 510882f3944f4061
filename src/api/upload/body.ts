/** Reading an uploaded file: bounded bytes first, then what they are. */
import { problem } from "../problem/problem.ts";

/** The same as a mail may weigh (Cloudflare Email Routing), so that both doors let the same files in. */
export const UPLOAD_MAX_BYTES = 25 * 1_048_576;
/** Longest name of a file on the usual file systems. */
const NAME_MAX_CHARS = 255;
const NAME_DEFAULT = "upload";
const CONTENT_TYPE_DEFAULT = "application/octet-stream";
/** RFC 6838 limits both halves of a media type to 127 characters; the rest is for parameters. */
const CONTENT_TYPE_MAX_CHARS = 300;

const tooLarge = () =>
  problem("too-large", "The body is larger than 25 MiB. Send the file zipped, or split it.", {
    members: { limit_bytes: UPLOAD_MAX_BYTES },
  });

const empty = () => problem("empty-body", "The file has no bytes. Check that the export ran, then send it again.");

/** The body, counted while it comes: Content-Length is only what the client says. Throws `too-large`. */
export async function boundedBody(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  if (Number(request.headers.get("Content-Length") ?? 0) > UPLOAD_MAX_BYTES) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early cancels the stream.
  for await (const part of request.body as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength;
    if (bytes > UPLOAD_MAX_BYTES) throw tooLarge();
    parts.push(part);
  }
  const whole = new Uint8Array(bytes);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.byteLength;
  }
  return whole;
}

export interface UploadedFile {
  readonly name: string;
  readonly contentType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The one file of a body: the body itself, or the one part of a form. `named` (the query parameter) goes before the name
 * that the client's headers give. Throws `empty-body` or `invalid-multipart`.
 */
export async function fileOfBody(
  headers: Headers,
  body: Uint8Array<ArrayBuffer>,
  named: string | undefined,
): Promise<UploadedFile> {
  if (body.byteLength === 0) throw empty();
  const contentType = headers.get("Content-Type") ?? CONTENT_TYPE_DEFAULT;
  if (!/^multipart\/form-data\b/i.test(contentType)) {
    const name = named ?? dispositionName(headers.get("Content-Disposition") ?? "");
    return { name: bareName(name), contentType: contentType.slice(0, CONTENT_TYPE_MAX_CHARS), bytes: body };
  }
  const file = await onlyPart(contentType, body);
  if (file.size === 0) throw empty();
  return {
    name: bareName(named ?? file.name),
    contentType: (file.type || CONTENT_TYPE_DEFAULT).slice(0, CONTENT_TYPE_MAX_CHARS),
    bytes: new Uint8Array(await file.arrayBuffer()),
  };
}

async function onlyPart(contentType: string, body: Uint8Array<ArrayBuffer>): Promise<File> {
  const badForm = (what: string) =>
    problem(
      "invalid-multipart",
      `${what}. Send a form with exactly one part, the file, or the file itself as the body.`,
    );
  let form: FormData;
  try {
    form = await new Response(body, { headers: { "Content-Type": contentType } }).formData();
  } catch (error) {
    // Runtimes differ in the error they throw; all of them mean that these bytes are no form.
    if (error instanceof Error) throw badForm("The form is damaged or its boundary is wrong");
    throw error;
  }
  const parts = [...form.values()];
  const [only] = parts;
  if (parts.length !== 1 || only === undefined) throw badForm(`The form has ${parts.length} parts`);
  if (typeof only === "string") throw badForm("The part of the form is a text without a file name");
  return only;
}

/** File name of a Content-Disposition header (RFC 6266): `filename*` in UTF-8 goes before `filename`. */
export function dispositionName(header: string): string {
  const extended = /;\s*filename\*\s*=\s*utf-8'[^']*'([^\s;]+)/i.exec(header)?.[1];
  if (extended !== undefined && /^(?:[^%]|%[0-9a-f]{2})*$/i.test(extended)) {
    const latin = extended.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return Buffer.from(latin, "latin1").toString("utf8");
  }
  const plain = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(header);
  return plain?.[1]?.replace(/\\(.)/g, "$1") ?? plain?.[2] ?? "";
}

/** A name without folders and control characters; `upload` if nothing is left of it. */
export function bareName(name: string): string {
  const bare = name
    .toWellFormed()
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "")
    .replace(/^.*[/\\]/s, "")
    .trim();
  const short = [...bare].slice(0, NAME_MAX_CHARS).join("");
  return short === "" || short === "." || short === ".." ? NAME_DEFAULT : short;
}
