/** `kontor/buchungen`: a DATEV booking batch (EXTF, format category 21, version 9). All bookings are invented. */
import { Random } from "./random.ts";
import { plainSample, type Sample } from "./sample.ts";
import { encodeWindows1252, fixed, quoted } from "./text.ts";
import { type Plan, timelineOf } from "./timeline.ts";

const BASE_BOOKINGS = 400;
const MAX_BOOKING_TEXT_CHARS = 60; // Buchungstext, DATEV format description

/** A run of columns `Art n`, `Inhalt n`. */
const pairs = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => [`"${name} – Art ${i + 1}`, `"${name} – Inhalt ${i + 1}`]).flat();

/** The format's 120 columns in order; a `"` before the name marks a text column, whose cells are quoted even when blank. */
const COLUMNS: readonly { readonly name: string; readonly quoted: boolean }[] = [
  'Umsatz (ohne Soll/Haben-Kz)|"Soll/Haben-Kennzeichen|"WKZ Umsatz|Kurs|Basisumsatz|"WKZ Basisumsatz|Konto',
  'Gegenkonto (ohne BU-Schlüssel)|"BU-Schlüssel|Belegdatum|"Belegfeld 1|"Belegfeld 2|Skonto|"Buchungstext',
  'Postensperre|"Diverse Adressnummer|Geschäftspartnerbank|Sachverhalt|Zinssperre|"Beleglink',
  ...pairs("Beleginfo", 8),
  '"KOST1 – Kostenstelle|"KOST2 – Kostenstelle|Kost Menge|"EU-Land u. USt-IdNr.|EU-Steuersatz',
  '"Abw. Versteuerungsart|Sachverhalt L+L|Funktionsergänzung L+L|BU 49 Hauptfunktionstyp',
  "BU 49 Hauptfunktionsnummer|BU 49 Funktionsergänzung",
  ...pairs("Zusatzinformation", 20),
  'Stück|Gewicht|Zahlweise|"Forderungsart|Veranlagungsjahr|Zugeordnete Fälligkeit|Skontotyp|"Auftragsnummer',
  '"Buchungstyp|USt-Schlüssel (Anzahlungen)|"EU-Mitgliedstaat (Anzahlungen)|Sachverhalt L+L (Anzahlungen)',
  'EU-Steuersatz (Anzahlungen)|Erlöskonto (Anzahlungen)|"Herkunft-Kz|"Leerfeld|KOST-Datum|"SEPA-Mandatsreferenz',
  'Skontosperre|"Gesellschaftername|Beteiligtennummer|"Identifikationsnummer|"Zeichnernummer|Postensperre bis',
  '"Bezeichnung|Kennzeichen|Festschreibung|Leistungsdatum|Datum Zuord.|Fälligkeit|"Generalumkehr|Steuersatz|"Land',
]
  .join("|")
  .split("|")
  .map((column) => ({ name: column.replace(/^"/, ""), quoted: column.startsWith('"') }));

export const BUCHUNGSSTAPEL_COLUMNS: readonly string[] = COLUMNS.map((column) => column.name);

interface Kind {
  /** First letters of the voucher number. */
  readonly voucher: string;
  readonly side: "S" | "H";
  /** Lowest and highest account. */
  readonly account: readonly [number, number];
  readonly contra: number;
  readonly taxKey: string;
  readonly texts: readonly string[];
}

const KINDS: readonly Kind[] = [
  {
    voucher: "RE",
    side: "S",
    account: [10_000, 10_240],
    contra: 8400,
    taxKey: "",
    texts: [
      "Rechnung Möbelhaus Gärtner & Söhne",
      'Regal "Öresund", 3 Stück',
      "Lieferung Küchenblock; Aufmaß vor Ort",
      "Anzahlung 50 € für Büroeinrichtung",
    ],
  },
  {
    voucher: "ER",
    side: "H",
    account: [70_000, 70_180],
    contra: 3400,
    taxKey: "9",
    texts: ["Wareneingang Sägewerk Flößer GmbH", "Beschläge und Dübel, Lieferung 2", "Lacke – Großgebinde"],
  },
  {
    voucher: "KA",
    side: "H",
    account: [1_000, 1_000],
    contra: 4930,
    taxKey: "9",
    texts: ["Büromaterial", "Porto für Päckchen", 'Zeitschrift "Die Säge"'],
  },
  {
    voucher: "BK",
    side: "H",
    account: [1_200, 1_210],
    contra: 4210,
    taxKey: "",
    texts: ["Miete Lager Süd; Stellplätze 3–5", "Kontoführungsgebühr", "Leasing Transporter “Bär”"],
  },
];

/** Rates are invented; six decimals, as the format writes them. */
const FOREIGN: readonly { readonly code: string; readonly rate: number }[] = [
  { code: "USD", rate: 1_084_300 },
  { code: "CHF", rate: 947_150 },
];

const two = (n: number) => String(n).padStart(2, "0");

/** The first line: 31 fields, text quoted even when blank. */
function metadataLine(plan: Plan, exportedAt: Date): string {
  const year = plan.now.getUTCFullYear();
  const month = `${year}${two(plan.now.getUTCMonth() + 1)}`;
  const lastDay = new Date(Date.UTC(year, plan.now.getUTCMonth() + 1, 0)).getUTCDate();
  const created = exportedAt.toISOString().replace(/\D/g, "");
  const head = `"EXTF";700;21;"Buchungsstapel";9;${created};;"RE";"Kontor Mühlbach";"";29098;55003`;
  return `${head};${year}0101;4;${month}01;${month}${lastDay};"Buchungen ${month}";"KM";1;;0;"EUR";"";"";"";"";"";;;"";""`;
}

export function buchungenSample(plan: Plan): Sample {
  const label = "kontor/buchungen";
  const timeline = timelineOf(plan, label, BASE_BOOKINGS);
  const year = plan.now.getUTCFullYear();
  const month = two(plan.now.getUTCMonth() + 1);
  const lines = [metadataLine(plan, timeline.asOf), BUCHUNGSSTAPEL_COLUMNS.join(";")];
  for (let i = 0; i < timeline.rows; i++) {
    const draw = new Random(plan.seed, label, i);
    const revision = timeline.revisionOf(i);
    const kind = draw.pick(KINDS);
    const text = draw.pick(kind.texts).slice(0, MAX_BOOKING_TEXT_CHARS);
    // A corrected booking is always dearer than before, so that it differs for sure.
    const correction = (revision - 1) * 5_000 + new Random(plan.seed, "amount", i, revision).between(0, 4_999);
    const cents = draw.between(195, 900_000) + correction;
    const day = two(draw.between(1, 28));
    const foreign = draw.chance(0.04) ? draw.pick(FOREIGN) : undefined;
    const values: Record<string, string> = {
      "Umsatz (ohne Soll/Haben-Kz)": fixed(cents, 2, ","),
      "Soll/Haben-Kennzeichen": kind.side,
      "WKZ Umsatz": foreign?.code ?? "",
      Kurs: foreign ? fixed(foreign.rate, 6, ",") : "",
      Basisumsatz: foreign ? fixed(Math.round((cents * 1_000_000) / foreign.rate), 2, ",") : "",
      "WKZ Basisumsatz": foreign ? "EUR" : "",
      Konto: String(draw.between(...kind.account)),
      "Gegenkonto (ohne BU-Schlüssel)": String(kind.contra),
      "BU-Schlüssel": kind.taxKey,
      Belegdatum: `${day}${month}`,
      "Belegfeld 1": `${kind.voucher}${year}${month}-${String(i + 1).padStart(4, "0")}`,
      "Belegfeld 2":
        kind.voucher === "RE" && draw.chance(0.5) ? `${two(draw.between(1, 28))}${month}${year % 100}` : "",
      Skonto: draw.chance(0.08) ? fixed(Math.round(cents * 0.02), 2, ",") : "",
      Buchungstext: text,
      "KOST1 – Kostenstelle": draw.chance(0.4) ? draw.pick(["0100", "0200", "VERTRIEB"]) : "",
      "EU-Land u. USt-IdNr.": draw.chance(0.03) ? `ATU${draw.filled("99999999")}` : "",
      Festschreibung: "0",
      Leistungsdatum: draw.chance(0.2) ? `${day}${month}${year}` : "",
    };
    lines.push(
      COLUMNS.map((column) => (column.quoted ? quoted(values[column.name] ?? "") : (values[column.name] ?? ""))).join(
        ";",
      ),
    );
  }
  return {
    customer: "kontor",
    feed: "buchungen",
    fileName: "EXTF_Buchungsstapel.csv",
    contentType: "text/csv",
    bytes: encodeWindows1252(`${lines.join("\r\n")}\r\n`),
    ...plainSample(timeline),
    lines: { preamble: 1, header: 1, continuation: 0 },
  };
}
