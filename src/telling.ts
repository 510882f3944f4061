/** Telling people: the part of the composition root that sends the mails that wait. */
import type { Adapter } from "./domain/adapter.ts";
import { asFailure } from "./domain/failures.ts";
import { sendWaiting } from "./notify/send.ts";
import { notifyTables } from "./notify/tables.ts";
import { sendMail } from "./platform/mail.ts";
import type { Database } from "./platform/postgres.ts";
import { contactOf, type System } from "./surroundings.ts";

/**
 * Sends what waits to be told, unless the database is known to be away: what is sent has to be noted. Trouble with it is
 * logged and never undoes the work that it tells of.
 */
export async function tellPeople(
  config: System,
  database: Database,
  feeds: readonly Adapter[],
  customers: readonly string[],
): Promise<void> {
  const { mail, log } = config;
  try {
    const looks = await Promise.all(customers.map((customer) => config.admission(customer).look()));
    if (looks.some((look) => look.database.is === "away")) return log.info("mails-wait", { reason: "database away" });
    await sendWaiting({
      tables: notifyTables(database),
      addressOf: (recipient, customer, feed) =>
        recipient === "operator" ? config.operatorMail : contactOf(feeds, customer, feed),
      send: mail && ((one) => sendMail(mail.binding, mail.from, one)),
      mailDomain: config.mailDomain,
      log,
    });
  } catch (thrown) {
    log.error("mails-not-sent", { message: asFailure(thrown).message });
  }
}
