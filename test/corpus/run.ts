/**
 * Measures the readers on files by others, with their ground truth: `node test/corpus/run.ts [--json] [--write]`. The corpora
 * lie beside the project; where they do not, it says so and ends well. `--write` keeps the result as the golden file.
 */
import { writeFileSync } from "node:fs";
import { corporaPresent } from "../support/corpora.ts";
import { GOLDEN_FILE, goldenText, type Measured, measure, worseThanGolden } from "./measure.ts";

if (corporaPresent) {
  const measured = await measure();
  if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(measured, null, 2)}\n`);
  else print(measured);
  const worse = worseThanGolden(measured);
  for (const fault of worse) process.stderr.write(`worse than before: ${fault}\n`);
  if (process.argv.includes("--write")) writeFileSync(GOLDEN_FILE, goldenText(measured));
  else if (worse.length > 0) process.exitCode = 1;
}

function print(measured: Measured): void {
  const line = (...cells: readonly (string | number)[]) =>
    process.stdout.write(
      `${String(cells[0]).padEnd(34)}${cells
        .slice(1)
        .map((cell) => String(cell).padStart(9))
        .join("")}\n`,
    );
  line("corpus", "cases", "right", "share", "target", "refused", "wrong", "silent");
  for (const { name, cases, right, target, refused, wrong, silentWrong } of measured.corpora) {
    const share = `${((100 * right) / cases).toFixed(1)} %`;
    line(name, cases, right, share, `${100 * target} %`, refused, wrong, silentWrong);
  }
  for (const { name, counting, notRight } of measured.corpora) {
    process.stdout.write(`\n${name}: ${counting}\n`);
    for (const { id, outcome, detail } of notRight) process.stdout.write(`  ${outcome}: ${id}: ${detail ?? ""}\n`);
  }
}
