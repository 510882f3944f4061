/**
 * Makes src/parse/detect/letter-pairs.ts: how often two letters stand together in each language, counted in the names of
 * countries, languages, currencies and months of the Unicode CLDR that Node carries.
 * Run by hand: `node test/parse/detect/make-letter-pairs.ts > src/parse/detect/letter-pairs.ts`.
 */
const LANGUAGES = [
  ..."de fr es pt it nl da sv nb fi is ca pl cs sk hu sl hr ro et lt lv tr ru uk bg sr mk be el he ar fa th vi".split(
    " ",
  ),
];
/** Pairs kept of a language: rarer ones count as unseen. */
const PAIRS_MAX = 420;
/** Pairs as rare as this share (a power of two) share the last group. */
const GROUPS = 13;

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
const TWO = LETTERS.flatMap((a) => LETTERS.map((b) => a + b));
const THREE = TWO.flatMap((ab) => LETTERS.map((c) => ab + c));

/** Everyday words, for the forms that lists of names lack: endings, verbs, goods. Each counts as often as WORD_WEIGHT names. */
const WORDS: Readonly<Record<string, string>> = {
  de: "für über größe groß straße weiß maß gewöhnlich schlüssel müller köln münchen zürich öl tür gerät stück höhe länge wäre können müssen dürfen außen schließen fuß süß heiß grün blau rückgabe verfügbar menge währung löschen ändern prüfen gemäß äußere überweisung zuständig schäden kühl möbel",
  fr: "à été où très après près déjà même être français société numéro réf qualité quantité désignation pièce câble clé modèle février août décembre hôtel forêt noël garçon reçu ça élève père mère frère problème système règle créé livré payé unité état",
  es: "señor año niño españa número código artículo teléfono dirección población también después más está según camión avión electrónico válvula tubería mañana pequeño algún aquí así descripción versión último día período",
  pt: "não são então coração ação descrição código número endereço também até você três pão mãe irmão português água será está à às últimos preço razão serviço condição função peça março avô avó pé café",
  it: "è perché più già città qualità quantità università può così però lunedì società attività unità",
  nl: "één financiële coördinatie België reëel ideeën geïnd zeeën café",
  da: "på også når får går år får små større største før efter køb pris mængde vægt længde højde bredde æble øl å første gør bør tør læs skæg håndværk",
  nb: "på også når får går år små større største før kjøp mengde lengde høyde bredde øl å første gjør bør vær være særlig håndverk",
  sv: "på också när får går år små större största före efter köp mängd längd höjd bredd äpple öl ö första gör bör är även många två både själv hjälp",
  fi: "että tämä mitä myös päivä määrä yhtiö työ ääni käyttö sähkö pääoma hyvä älä mikään lähtö jäsen tietää",
  pl: "się są będzie może był także więc już też bądź gdyż ilość wartość część śruba nakrętka łożysko wałek drogą wodę książkę piękną kobietę ziemię zimną kawę pieniądze miesiąc dzień tydzień tysiąc długość szerokość wysokość żółty czerwień błąd ręka noga głowa źródło góra dół",
  cs: "není také když může být již před při více než nový starý malý velký číslo množství délka šířka výška řada část město ulice říká včera dnes zítra příští týden měsíc člověk věc otázka",
  sk: "nie je tiež keď môže byť už pred pri viac než nový starý malý veľký číslo množstvo dĺžka šírka výška časť mesto ulica včera zajtra týždeň mesiac človek vec otázka kôň stôl",
  hu: "és egy nem hogy már még csak több mint új régi kis nagy szám mennyiség hosszúság szélesség magasság város utca tegnap holnap hét hónap ember kérdés ő őt nő győr fő idő kő bőr gépjármű műszer erős hűtő tűz fűtés",
  ro: "și în să că fără până după acum când această aceeași mâine sâmbătă luni marți țară oraș preț cantitate sută bătrân pământ început înainte român românia șapte opt nouă",
  sl: "še že če več manj količina cena država mesto želja življenje človek češnja šola žena",
  hr: "još već više manje količina cijena država grad želja život čovjek češnja škola žena riječ kuća noć pomoć",
  et: "või ühe päev täna öö töö õhtu hommik söö jää külm võti mõõt kõrgus pikkus laius tööle sõna küsimus põld mägi",
  lt: "yra ir iš už per prieš dėl kaip šis ši žmogus diena metų mėnuo savaitė pradžia gėlė miškas žalią naują pirmąjį kiekis kaina gatvė miestas žąsis ąžuolas ėmė įmonė ūkis žemė",
  lv: "ir un par pēc pirms kā šis šī cilvēks diena gadā mēnesis nedēļa mežs daudzums cena iela pilsēta māja ēka ūdens zāle ķēde ģimene ļoti ņemt",
  tr: "için çok daha değil gibi kadar sonra önce şimdi bugün yarın gün ay yıl kişi şehir sokak ürün miktar fiyat ağırlık uzunluk genişlik yükseklik büyük küçük güzel doğru yanlış çelik dişli yağ sıkma ölçü",
};
const WORD_WEIGHT = 3;

function namesOf(language: string): string[] {
  const names = new Set<string>();
  const kinds: [Intl.DisplayNamesType, string[]][] = [
    ["region", TWO],
    ["language", [...TWO, ...THREE].map((code) => code.toLowerCase())],
    ["currency", THREE],
  ];
  for (const [type, codes] of kinds) {
    const display = new Intl.DisplayNames([language], { type, fallback: "none" });
    for (const code of codes) {
      const name = display.of(code);
      if (name !== undefined && name !== code) names.add(name);
    }
  }
  for (const options of [{ month: "long" }, { weekday: "long" }, { month: "long", day: "numeric" }] as const) {
    const format = new Intl.DateTimeFormat(language, options);
    for (let day = 1; day <= 366; day++) names.add(format.format(new Date(2024, 0, day)));
  }
  const words = (WORDS[language] ?? "").split(" ");
  return [...names, ...Array.from({ length: WORD_WEIGHT }, () => words).flat()];
}

function groupsOf(language: string): string {
  const counts = new Map<string, number>();
  let total = 0;
  for (const name of namesOf(language)) {
    const word = ` ${name
      .toLowerCase()
      .normalize("NFC")
      .replace(/[^\p{L}\p{M}]+/gu, " ")} `;
    for (let i = 0; i + 1 < word.length; i++) {
      const pair = word.slice(i, i + 2);
      if (!/[^\u0000-\u007f]/.test(pair)) continue;
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
      total++;
    }
  }
  const groups: string[] = Array.from({ length: GROUPS }, () => "");
  for (const [pair, count] of [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, PAIRS_MAX)) {
    if (count < 2) break;
    groups[Math.min(GROUPS - 1, Math.floor(-Math.log2(count / total)))] += pair;
  }
  return groups.join("|");
}

const lines = LANGUAGES.map((language) => `  ${language}: ${JSON.stringify(groupsOf(language))},`);
process.stdout.write(`/**
 * Pairs of letters of which one is no ASCII, by language: what words with such letters look like. Groups are divided by
 * "|"; a pair of the group n (from 0) is one in 2^n to 2^(n+1) of all such pairs. Counted in the Unicode CLDR's names of
 * countries, languages, currencies and months. Generated by test/parse/detect/make-letter-pairs.ts.
 */
export const LETTER_PAIRS: Readonly<Record<string, string>> = {
${lines.join("\n")}
};
`);
