/**
 * Which natural keys stood in the file already: a set of 64-bit key hashes in typed arrays, eight bytes a slot. A hash
 * seen twice may, once in some ten million files, be two different keys: harmless, for a row that is taken for a
 * duplicate only goes into a tail chunk, where whole keys are compared.
 *
 * The set is 64 small tables, each doubling by itself when three quarters full: growing one table needs memory for that one
 * twice, not for all. 1.5 million keys take 16 MiB.
 */

const TABLES = 64;
const FIRST_SLOTS = 256;
const MAX_LOAD = 0.75;

interface Table {
  slots: Int32Array;
  mask: number;
  used: number;
}

export class KeyHashSet {
  readonly #tables: Table[] = Array.from({ length: TABLES }, () => emptyTable(FIRST_SLOTS));

  /** Adds the hash; false if it was there. The words must be well mixed: they choose the table and the slot. */
  add(high: number, low: number): boolean {
    const table = this.#tables[high >>> 26]!;
    // An empty slot is two zeros; the one hash that is so too shares its place with its neighbour.
    if (!put(table, high, high === 0 && low === 0 ? 1 : low)) return false;
    if (table.used > (table.mask + 1) * MAX_LOAD) grow(table);
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

const emptyTable = (slots: number): Table => ({ slots: new Int32Array(slots * 2), mask: slots - 1, used: 0 });

function put(table: Table, high: number, low: number): boolean {
  const { slots, mask } = table;
  for (let slot = low & mask; ; slot = (slot + 1) & mask) {
    const h = slots[slot * 2]!;
    const l = slots[slot * 2 + 1]!;
    if (h === high && l === low) return false;
    if (h === 0 && l === 0) {
      slots[slot * 2] = high;
      slots[slot * 2 + 1] = low;
      table.used++;
      return true;
    }
  }
}

function grow(table: Table): void {
  const larger = emptyTable((table.mask + 1) * 2);
  const { slots } = table;
  for (let i = 0; i < slots.length; i += 2) {
    const high = slots[i]!;
    const low = slots[i + 1]!;
    if (high !== 0 || low !== 0) put(larger, high, low);
  }
  table.slots = larger.slots;
  table.mask = larger.mask;
}
