/**
 * A mail as a short list of blocks, and its two forms: plain text for every reader, and HTML that needs no pictures, no
 * scripts and no style sheet (mail programs drop them) and fits a desk and a phone. Everything shown is escaped. Pure.
 */

export type Block =
  | { readonly kind: "title" | "heading" | "text" | "note" | "code"; readonly text: string }
  /** Something to press, and what follows from it. */
  | { readonly kind: "link"; readonly label: string; readonly url: string; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly string[] }
  | { readonly kind: "table"; readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };

/** RFC 5322 section 2.1.1 wants lines of 78 characters at most. */
const LINE_MAX_CHARS = 78;

export const textOf = (blocks: readonly Block[]): string => `${blocks.map(blockText).join("\n\n")}\n`;

function blockText(block: Block): string {
  switch (block.kind) {
    case "title":
      return `${block.text}\n${"=".repeat(Math.min(block.text.length, LINE_MAX_CHARS))}`;
    case "heading":
      return `${block.text}\n${"-".repeat(Math.min(block.text.length, LINE_MAX_CHARS))}`;
    case "list":
      return block.items.map((item) => wrapped(item, "- ", "  ")).join("\n");
    case "code":
      return block.text.replace(/^/gm, "  ");
    case "link":
      // The address stays whole, however long: a broken one cannot be pressed.
      return `${wrapped(`${block.label}: ${block.text}`, "", "")}\n  ${block.url}`;
    case "table":
      return tableText(block.head, block.rows);
    default:
      return wrapped(block.text, "", "");
  }
}

function wrapped(text: string, first: string, others: string): string {
  const lines: string[] = [];
  let line = first;
  let isNew = true;
  for (const word of text.split(/\s+/)) {
    if (!isNew && line.length + 1 + word.length > LINE_MAX_CHARS) {
      lines.push(line);
      line = others;
      isNew = true;
    }
    line += isNew ? word : ` ${word}`;
    isNew = false;
  }
  return [...lines, line].join("\n");
}

/** Columns side by side where they fit into a line; else each row as a few lines. */
function tableText(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = head.length > 0 ? [head, ...rows] : rows;
  const columns = Math.max(0, ...all.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...all.map((row) => (row[i] ?? "").length)));
  const total = widths.reduce((sum, width) => sum + width + 2, -2);
  if (total <= LINE_MAX_CHARS) {
    const render = (row: readonly string[]) =>
      widths
        .map((width, i) => (row[i] ?? "").padEnd(width))
        .join("  ")
        .trimEnd();
    const rule = widths.map((width) => "-".repeat(width)).join("  ");
    return [...(head.length > 0 ? [render(head), rule] : []), ...rows.map(render)].join("\n");
  }
  const labels = Math.max(0, ...head.slice(1).map((name) => name.length));
  return rows
    .map(([name = "", ...cells]) =>
      [
        wrapped(head.length > 0 ? name : `${name}: ${cells.join(" ")}`, "", "  "),
        ...(head.length > 0
          ? cells.map((cell, i) => wrapped(cell, `  ${(head[i + 1] ?? "").padEnd(labels)}  `, " ".repeat(labels + 4)))
          : []),
      ].join("\n"),
    )
    .join("\n");
}

export const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const CODE = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px;line-height:1.45";
const BREAK = "overflow-wrap:anywhere;word-break:break-word";

export const htmlOf = (subject: string, blocks: readonly Block[]): string => framed(subject, blocks.map(blockHtml));

/** One column of 640 pixels that narrows with the screen. `parts`: HTML, one below the other. */
export const framed = (title: string, parts: readonly string[]): string =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>${escaped(title)}</title>
</head>
<body style="margin:0;padding:0;background:#f3f4f6;color:#1f2937;${FONT};font-size:15px;line-height:1.55">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse"><tr><td align="center" style="padding:16px 8px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse;max-width:640px;background:#ffffff;border:1px solid #e5e7eb;table-layout:fixed"><tr><td style="padding:20px 20px 24px;text-align:left">
${parts.join("\n")}
</td></tr></table>
</td></tr></table>
</body>
</html>
`;

export function blockHtml(block: Block): string {
  switch (block.kind) {
    case "title":
      return `<h1 style="margin:0 0 12px;font-size:20px;line-height:1.3;${BREAK}">${escaped(block.text)}</h1>`;
    case "heading":
      return `<h2 style="margin:24px 0 8px;font-size:16px;line-height:1.3;${BREAK}">${escaped(block.text)}</h2>`;
    case "note":
      return `<p style="margin:24px 0 0;padding-top:12px;border-top:1px solid #e5e7eb;font-size:13px;color:#6b7280;${BREAK}">${escaped(block.text)}</p>`;
    case "list":
      return `<ul style="margin:0 0 12px;padding-left:20px">${block.items
        .map((item) => `<li style="margin:0 0 6px;${BREAK}">${escaped(item)}</li>`)
        .join("")}</ul>`;
    case "code":
      return `<pre style="margin:0 0 12px;padding:10px 12px;background:#f3f4f6;border:1px solid #e5e7eb;${CODE};white-space:pre-wrap;${BREAK}">${escaped(block.text)}</pre>`;
    case "link":
      return linkHtml(block);
    case "table":
      return tableHtml(block.head, block.rows);
    default:
      return `<p style="margin:0 0 12px;${BREAK}">${escaped(block.text)}</p>`;
  }
}

const BUTTON =
  "display:inline-block;margin:0 0 4px;padding:9px 16px;border:1px solid #1d4ed8;border-radius:6px;color:#1d4ed8;font-weight:600;text-decoration:none";

/** Nothing but an address of the web is made something to press. */
const isWeb = (url: string): boolean => /^https?:\/\/[^\s]+$/.test(url);

function linkHtml({ label, url, text }: Extract<Block, { kind: "link" }>): string {
  const button = isWeb(url)
    ? `<a href="${escaped(url)}" style="${BUTTON}">${escaped(label)}</a>`
    : `<strong>${escaped(label)}</strong> <span style="${BREAK}">${escaped(url)}</span>`;
  return `<p style="margin:0 0 16px">${button}<br><span style="font-size:14px;color:#4b5563;${BREAK}">${escaped(text)}</span></p>`;
}

function tableHtml(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell =
    "padding:6px 8px 6px 0;font-size:14px;border-bottom:1px solid #e5e7eb;vertical-align:top;text-align:left";
  const header =
    head.length === 0
      ? ""
      : `<tr>${head.map((name) => `<th style="${cell};font-size:13px;color:#6b7280;font-weight:600">${escaped(name)}</th>`).join("")}</tr>`;
  const body = rows
    .map(
      (row) =>
        `<tr>${row
          .map((text, i) => `<td style="${cell};${BREAK}${i === 0 ? ";font-weight:600" : ""}">${escaped(text)}</td>`)
          .join("")}</tr>`,
    )
    .join("");
  const widths = head.length === 3 ? ["32%", "30%", "38%"] : ["96px", ""];
  const columns = widths.map((width) => `<col${width === "" ? "" : ` style="width:${width}"`}>`).join("");
  return `<table width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse;table-layout:fixed;margin:0 0 12px"><colgroup>${columns}</colgroup>${header}${body}</table>`;
}
