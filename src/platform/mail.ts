/** Sending mail by Cloudflare's send_email binding: a thin driver. */
import { NotSent, type OutgoingMail } from "../domain/notice.ts";

/** Codes with which no later try does better (Cloudflare Email Sending). All others may pass. */
const PERMANENT = new Set(["E_RECIPIENT_SUPPRESSED", "E_RECIPIENT_NOT_ALLOWED", "E_SENDER_NOT_VERIFIED"]);

/** Throws NotSent. */
export async function sendMail(binding: SendEmail, from: string, mail: OutgoingMail): Promise<void> {
  try {
    await binding.send({ ...mail, from, headers: { ...mail.headers } });
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new NotSent(`${code === "" ? "" : `${code}: `}${message}`, PERMANENT.has(code));
  }
}
