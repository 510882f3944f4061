/** Numbers as people read them in sentences and tables. Pure. */

/** `12,345`; fractions to two places. */
export function grouped(n: number): string {
  const [whole = "", fraction] = String(Number(n.toFixed(2))).split(".");
  const marked = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? marked : `${marked}.${fraction}`;
}

/** Whole above a tenth, one place below: nobody reads more. */
export function percent(share: number): string {
  const hundredths = share * 100;
  if (hundredths > 0 && hundredths < 0.1) return "under 0.1 %";
  return `${Number(hundredths.toFixed(hundredths < 10 ? 1 : 0))} %`;
}
