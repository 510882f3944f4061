/** How much of everything a workbook may hold: the file format's own bounds, and what an isolate of 128 MB can bear. */

/** Columns of a sheet: Excel's own bound, XFD. */
export const SHEET_MAX_COLUMNS = 16_384;
/** Rows of a sheet: Excel's own bound. */
export const SHEET_MAX_ROWS = 1_048_576;
/** Cells that are read of one sheet: 20 columns of a sheet that is full. More costs over half a minute of CPU. */
export const SHEET_MAX_CELLS = 20_971_520;
/** Text of one row (UTF-16 units). Excel ends a cell at 32,767; shared texts let a row of 100 KB stand for 500 MB. */
export const SHEET_MAX_ROW_CHARS = 1_048_576;
/** Text of one sheet, all rows together: as much as a zip may expand to. */
export const SHEET_MAX_CHARS = 1_073_741_824;
/** The table of shared texts, held in memory as UTF-8 while the sheet is read: a quarter of the isolate. */
export const SHARED_STRINGS_MAX_BYTES = 33_554_432;
/** Different shared texts: 4 bytes of index each. */
export const SHARED_STRINGS_MAX_COUNT = 2_097_152;
/** Sheets of a workbook: Excel has no bound, people stop at some dozens. */
export const WORKBOOK_MAX_SHEETS = 1_000;
/** Cell formats and number formats of a workbook: Excel ends at 65,490. */
export const WORKBOOK_MAX_FORMATS = 65_536;
/** One tag with its attributes (UTF-16 units). Those of a workbook stay below 1,000; only a flood is longer. */
export const XML_MAX_TAG_CHARS = 65_536;
/** Elements inside each other: a sheet needs 8, its extensions some more. */
export const XML_MAX_DEPTH = 100;
/** Text handed to the scanner at once: bounds how many shared texts one step can call up before the rows are taken. */
export const XML_SLICE_CHARS = 8_192;
