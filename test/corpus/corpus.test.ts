import { describe, expect, it } from "vitest";
import { corporaPresent, corpusManifest } from "../support/corpora.ts";
import { readEverything } from "./everything.ts";
import { type Measured, measure, worseThanGolden } from "./measure.ts";

describe.skipIf(!corporaPresent)("the files of others, with their ground truth", () => {
  let measured: Promise<Measured> | undefined;
  const once = () => {
    measured ??= measure();
    return measured;
  };

  it("no case is worse than in the golden file", async () => {
    expect(worseThanGolden(await once())).toEqual([]);
  }, 120_000);

  it("nothing is silently wrong", async () => {
    const silent = (await once()).corpora.flatMap((corpus) =>
      corpus.notRight
        .filter((result) => result.outcome === "silent-wrong")
        .map((result) => `${corpus.name}: ${result.id}`),
    );
    expect(silent).toEqual([]);
  }, 120_000);

  it("every corpus reaches its target", async () => {
    const short = (await once()).corpora.filter(({ right, cases, target }) => right < target * cases);
    expect(short.map(({ name, notRight }) => [name, notRight.map(({ id }) => id)])).toEqual([]);
  }, 120_000);

  it("every file there is, with or without a truth, is opened and read, or refused by a code of the catalogue", async () => {
    const files = corpusManifest();
    expect(files.length).toBeGreaterThan(800);
    const ends = { read: 0, refused: 0 };
    for (const { file } of files) ends[await readEverything(file)]++;
    expect(ends.read).toBeGreaterThan(650);
  }, 120_000);
});
