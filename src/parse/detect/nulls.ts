/** Words that stand for no value. They are told, and asked about: a blank cell and a word may mean different things. */

/** In any column. */
const ALWAYS = new Set(["\\N", "NULL", "null", "(null)", "<null>", "#N/A", "#NULL!", "nan", "NaN"]);
/** Only in columns whose other cells are numbers or dates: in texts they may be words. */
const AMONG_VALUES = new Set(["-", "--", "n/a", "N/A", "NA", "na", "None", "none", "nil", "k.A.", "?", "."]);

export const isNullWord = (cell: string): boolean => ALWAYS.has(cell) || AMONG_VALUES.has(cell);
export const isNullWordInTexts = (cell: string): boolean => ALWAYS.has(cell);
