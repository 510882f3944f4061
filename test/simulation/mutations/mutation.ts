/** A fault put into the product's own code on purpose: what the simulator must see. Pure. */

export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** The exact text, which occurs once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutation {
  /** Kebab case; what the command line asks for. */
  readonly name: string;
  /** What does not hold any more, in one sentence. */
  readonly breaks: string;
  /** One change. More than one where a second guard holds what the first lets go: then both are taken away. */
  readonly edits: readonly Edit[];
}

/** The text with the edit in it. Throws where the code has moved on and the edit must be thought over. */
export function edited(text: string, { file, find, replace }: Edit): string {
  const places = text.split(find).length - 1;
  if (places !== 1) throw new Error(`${file}: this text occurs ${places} times instead of once:\n${find}`);
  if (find === replace) throw new Error(`${file}: the edit changes nothing`);
  return text.replace(find, () => replace);
}

/** All that is read of the code. */
export interface Code {
  /** The text of a file. */
  read(file: string): string;
  /** Names of the migrations, in their order. */
  readonly migrations: readonly string[];
}

/** The changed files of a mutation, by their names. Throws where an edit does not fit, or changes what is not in force. */
export function mutated({ edits }: Mutation, code: Code): Map<string, string> {
  const texts = new Map<string, string>();
  for (const edit of edits) {
    const text = texts.get(edit.file) ?? code.read(edit.file);
    texts.set(edit.file, edited(text, edit));
    const newer = replacedIn(edit, text, code);
    if (newer !== undefined) throw new Error(`${edit.file}: ${newer} writes this function anew`);
  }
  return texts;
}

/** A later migration that replaces the function in which an edit stands: the edit would break nothing. */
function replacedIn({ file, find }: Edit, text: string, { read, migrations }: Code): string | undefined {
  const head = text.slice(0, text.indexOf(find) + find.length);
  const statement = head.slice(head.lastIndexOf("--> statement-breakpoint") + 1);
  const name = /^CREATE (?:OR REPLACE )?FUNCTION (\w+)\(/m.exec(statement)?.[1];
  if (name === undefined) return undefined;
  return migrations.find((other) => other > file && read(other).includes(` FUNCTION ${name}(`));
}
