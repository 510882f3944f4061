/** The mails that wait to be sent. SQL and nothing else. */
import type { Recipient } from "../domain/notice.ts";
import type { Database } from "../platform/postgres.ts";

export interface WaitingMail {
  readonly id: string;
  readonly key: string;
  readonly recipient: Recipient;
  readonly customer: string;
  readonly feed: string;
  /** Whom it answers, where that is neither of the two; null: whoever has the role. */
  readonly address: string | null;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface NotifyTables {
  /** Takes up to `limit` mails that nobody else is sending, the oldest first. */
  claim(limit: number): Promise<WaitingMail[]>;
  sent(id: string, to: string): Promise<void>;
  /** It waits for another try, or is given up. */
  notSent(id: string, error: string, givenUp: boolean): Promise<void>;
}

/** A sender that died leaves its mails to the next one after this long. */
const CLAIM_MINUTES = 10;

export function notifyTables(database: Database): NotifyTables {
  return {
    claim: (limit) =>
      database.query<WaitingMail>(
        `UPDATE notifications n SET claimed_at = now(), attempts = n.attempts + 1
         FROM feeds f JOIN customers c ON c.id = f.customer_id
         WHERE f.id = n.feed_id AND n.id IN (
           SELECT w.id FROM notifications w
           WHERE w.state = 'waiting' AND (w.claimed_at IS NULL OR w.claimed_at < now() - make_interval(mins => $2::int))
           ORDER BY w.created_at LIMIT $1::int FOR UPDATE SKIP LOCKED)
         RETURNING n.id::text AS id, n.key, n.recipient, c.slug AS customer, f.slug AS feed, n.address, n.subject, n.body_text AS text, n.body_html AS html`,
        [limit, CLAIM_MINUTES],
      ),
    async sent(id, to) {
      await database.query(
        `UPDATE notifications SET state = 'sent', sent_at = now(), sent_to = $2, error = NULL WHERE id = $1::bigint AND state <> 'sent'`,
        [id, to],
      );
    },
    async notSent(id, error, givenUp) {
      await database.query(
        `UPDATE notifications SET state = $3, error = $2 WHERE id = $1::bigint AND state = 'waiting'`,
        [id, error.slice(0, 500), givenUp ? "failed" : "waiting"],
      );
    },
  };
}
