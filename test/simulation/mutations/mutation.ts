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
  /** Seeds that are known to show it, tried before the common ones. */
  readonly seeds?: readonly string[];
}

/** The text with the edit in it. Throws where the code has moved on and the edit must be thought over. */
export function edited(text: string, { file, find, replace }: Edit): string {
  const places = text.split(find).length - 1;
  if (places !== 1) throw new Error(`${file}: this text occurs ${places} times instead of once:\n${find}`);
  if (find === replace) throw new Error(`${file}: the edit changes nothing`);
  return text.replace(find, () => replace);
}

/** The changed files of a mutation, by their names. `read` answers the text of a file. */
export function mutated({ edits }: Mutation, read: (file: string) => string): Map<string, string> {
  const texts = new Map<string, string>();
  for (const edit of edits) texts.set(edit.file, edited(texts.get(edit.file) ?? read(edit.file), edit));
  return texts;
}
