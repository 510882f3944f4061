/** `mailfeed token`: makes and revokes bearer tokens of the API. */
import { hashToken, newToken } from "../../src/api/tokens.ts";
import { type Command, EXIT, textOption, UsageError } from "../command.ts";
import { databaseOption, withDatabase } from "../local/target.ts";

export const token: Command = {
  name: "token",
  summary: "creates or revokes a bearer token of the API",
  usage: "create NAME [--customer C] | revoke TOKEN",
  options: {
    customer: { type: "string", help: "the token sees only this customer (default: an operator's, which sees all)" },
    ...databaseOption,
  },
  details: "The token is printed once; the database keeps only its SHA-256.",
  async run(args, io) {
    const [action, subject, ...more] = args.positionals;
    if (!subject || more.length > 0 || (action !== "create" && action !== "revoke")) {
      throw new UsageError("token takes: create NAME, or revoke TOKEN (see mailfeed token --help)");
    }
    return withDatabase(args, async (sql) => {
      if (action === "revoke") {
        const gone = await sql.query(
          "UPDATE api_tokens SET revoked_at = now() WHERE sha256 = $1 AND revoked_at IS NULL RETURNING name",
          [hashToken(subject)],
        );
        if (gone.length === 0) throw new UsageError("there is no such token that is still valid", "no-such-token");
        io.out(args.json ? JSON.stringify({ revoked: true }) : "Revoked.");
        return EXIT.ok;
      }
      const made = newToken();
      const customer = textOption(args, "customer") ?? null;
      const rows = await sql.query(
        `INSERT INTO api_tokens (name, sha256, role, customer_id)
         SELECT $1, $2, CASE WHEN $3::text IS NULL THEN 'operator' ELSE 'customer' END, c.id
         FROM (SELECT 1) one LEFT JOIN customers c ON c.slug = $3::text
         WHERE $3::text IS NULL OR c.id IS NOT NULL RETURNING role`,
        [subject, made.sha256, customer],
      );
      if (rows.length === 0) throw new UsageError(`there is no customer ${customer}`, "no-such-customer");
      io.out(
        args.json ? JSON.stringify({ name: subject, role: rows[0]!.role, customer, token: made.token }) : made.token,
      );
      return EXIT.ok;
    });
  },
};
