/** The place of a file in order, read back. The way there is `orderKeyOf` in domain/ids.ts. Pure. */

/** Digits of the as-of, which an order key begins with. */
const AS_OF_DIGITS = 12;

/** The as-of of an order key; milliseconds since 1970. */
export const asOfMsIn = (orderKey: string): number =>
  Number.parseInt(orderKey.replaceAll("-", "").slice(0, AS_OF_DIGITS), 16);
