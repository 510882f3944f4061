import { describe, expect, it } from "vitest";
import { corporaPresent } from "../support/corpora.ts";
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
});
