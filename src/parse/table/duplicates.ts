/**
 * Which natural keys stood in the file already: a set of key hashes, four bytes a slot. Of a hash 42 bits are looked at: ten
 * choose one of 1,024 small tables, 32 stand in it. So among 1.5 million keys about one file in four has one row that is
 * taken for a duplicate and is none (among 5 million about three rows a file): harmless, for such a row only goes into a
 * tail chunk, where whole keys are compared.
 *
 * Each table doubles by itself when three quarters full: growing one needs memory for that one twice, a thousandth of the
 * set, so that the peak is hardly above what stays. 1.5 million keys take 8 MiB.
 */

const TABLES = 1_024;
/** The top ten bits of a word number the tables. */
const TABLE_SHIFT = 22;
const FIRST_SLOTS = 16;
const MAX_LOAD = 0.75;

interface Table {
  slots: Int32Array;
  used: number;
}

export class KeyHashSet {
  readonly #tables: Table[] = Array.from({ length: TABLES }, () => ({ slots: new Int32Array(FIRST_SLOTS), used: 0 }));

  /** Adds the hash; false if it was there. Both words must be well mixed: `low` chooses the table, `high` the slot. */
  add(high: number, low: number): boolean {
    const table = this.#tables[low >>> TABLE_SHIFT]!;
    // An empty slot is a zero; the one word that is so too shares the place of another.
    if (!put(table.slots, high === 0 ? 1 : high)) return false;
    if (++table.used > table.slots.length * MAX_LOAD) grow(table);
    return true;
  }

  get size(): number {
    return this.#tables.reduce((sum, table) => sum + table.used, 0);
  }

  /** Memory of the tables. */
  get bytes(): number {
    return this.#tables.reduce((sum, table) => sum + table.slots.byteLength, 0);
  }
}

function put(slots: Int32Array, word: number): boolean {
  const mask = slots.length - 1;
  for (let slot = word & mask; ; slot = (slot + 1) & mask) {
    const there = slots[slot]!;
    if (there === word) return false;
    if (there !== 0) continue;
    slots[slot] = word;
    return true;
  }
}

function grow(table: Table): void {
  const larger = new Int32Array(table.slots.length * 2);
  for (const word of table.slots) if (word !== 0) put(larger, word);
  table.slots = larger;
}
