/** `mailfeed migrate`: brings a database's schema, and the feeds in it, in line with this checkout. */
import { bringUp } from "../bring-up.ts";
import { type Command, EXIT } from "../command.ts";
import { databaseOption, withDatabase } from "../local/target.ts";

export const migrateCommand: Command = {
  name: "migrate",
  summary: "applies the migrations to a database and registers the feeds",
  usage: "[--database URL]",
  options: databaseOption,
  details: "Each migration is applied whole or not at all; several runs at once do no harm.",
  async run(args, io) {
    return withDatabase(args, async (sql) => {
      const applied = await bringUp(sql, (name) => io.progress(`applied ${name}`));
      io.out(
        args.json
          ? JSON.stringify({ applied })
          : applied.length === 0
            ? "Nothing to apply."
            : `Applied ${applied.length} migrations.`,
      );
      return EXIT.ok;
    });
  },
};
