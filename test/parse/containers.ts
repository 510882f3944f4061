/** Ways on which a file reaches us: what the property tests put a table into, and take it out of by the door that feeds use. */
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { type OpenOptions, openDelivery, type Payload } from "../../src/parse/open/open.ts";
import { buildMail, buildTar, buildZip, type Encoding, type PartSpec, watchedSource } from "./open/fixtures.ts";
import { buildTnef } from "./open/mail-fixtures.ts";

export interface Delivery {
  readonly door: "mail" | "upload";
  readonly name: string;
  readonly bytes: Uint8Array;
}

const upload = (name: string, bytes: Uint8Array): Delivery => ({ door: "upload", name, bytes });

const part = (filename: string, body: Uint8Array, encoding: Encoding): PartSpec => ({
  type: "application/octet-stream",
  disposition: "attachment",
  nameStyle: "rfc2231",
  encoding,
  filename,
  body,
});

const mail = (...parts: readonly PartSpec[]): Delivery => ({
  door: "mail",
  name: "",
  bytes: buildMail({ parts: [{ type: "text/plain; charset=utf-8", body: "See the file." }, ...parts] }),
});

const forwarded = (filename: string, body: Uint8Array): PartSpec => ({
  type: "message/rfc822",
  body: buildMail({ parts: [part(filename, body, "base64")], boundary: "inner" }),
});

const tnef = (longName: string, data: Uint8Array): Uint8Array => buildTnef({ attachments: [{ longName, data }] });

/** By the name of the container: a file of this name and these bytes, packed. */
export const CONTAINERS: Readonly<Record<string, (name: string, bytes: Uint8Array) => Delivery>> = {
  "the file itself": upload,
  gzip: (name, data) => upload(`${name}.gz`, gzipSync(data, { level: 1 })),
  "gzip of two members": (name, data) => {
    const half = Math.floor(data.length / 2);
    const members = [data.subarray(0, half), data.subarray(half)].map((one) => gzipSync(one, { level: 1 }));
    return upload(`${name}.gz`, Buffer.concat(members));
  },
  "zip, stored": (name, data) => upload("a.zip", buildZip({ entries: [{ name, data, method: 0 }] })),
  "zip, deflated": (name, data) => upload("a.zip", buildZip({ entries: [{ name, data }] })),
  "zip of a streaming writer": (name, data) =>
    upload("a.zip", buildZip({ entries: [{ name, data, hasDescriptor: true, isZip64: true }] })),
  tar: (name, data) => upload("a.tar", buildTar([{ name, data }])),
  "attachment, base64": (name, data) => mail(part(name, data, "base64")),
  "attachment, quoted-printable": (name, data) => mail(part(name, data, "quoted-printable")),
  "attachment, 8bit": (name, data) => mail(part(name, data, "8bit")),
  "zip in a mail": (name, data) => mail(part("a.zip", buildZip({ entries: [{ name, data }] }), "base64")),
  "forwarded mail": (name, data) => mail(forwarded(name, data)),
  "winmail.dat": (name, data) => mail(part("winmail.dat", tnef(name, data), "base64")),
  "winmail.dat in a forwarded mail": (name, data) => mail(forwarded("winmail.dat", tnef(name, data))),
};

export const containerArbitrary = fc.constantFrom(...Object.keys(CONTAINERS));

/** What is packed so, opened again: the one file that is no text of the mail. Throws where it is not there. */
export async function throughContainer(container: string, name: string, bytes: Uint8Array): Promise<Payload> {
  const delivery = CONTAINERS[container]!(name, bytes);
  const options: OpenOptions = { door: delivery.door, name: delivery.name };
  const files: Payload[] = [];
  for await (const one of openDelivery(watchedSource(delivery.bytes, 4_096), options)) {
    if (one.kind === "problem") throw new Error(`${container}: ${one.report.sentence}`);
    if (one.file.role !== "body") files.push(one.file);
  }
  const [file] = files;
  if (file === undefined || files.length > 1) throw new Error(`${container}: ${files.length} files instead of one`);
  return file;
}
