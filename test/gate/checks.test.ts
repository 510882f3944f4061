/** Each check: a file that trips it, one that just does not, and small feeds that do not trip over noise. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GATE_CHECKS, type GateCheck, gatePolicy, laterFiles } from "../../src/domain/gate-policy.ts";
import { judge } from "../../src/gate/judge.ts";
import {
  type Case,
  changed,
  DAY_MS,
  daily,
  facts,
  HOUR_MS,
  inserted,
  judged,
  NOW_MS,
  past,
  retired,
  trippedBy,
} from "./feed.ts";

/** A file that just goes, and the next one that does not. */
const EDGES: { readonly [C in GateCheck]: { readonly goes: Case; readonly trips: Case } } = {
  emptyFile: {
    goes: { facts: { rows: 1, accepted: 1, retired: 999 }, policy: { retired: "off", rowCount: "off" } },
    trips: { facts: { rows: 0, accepted: 0, retired: 1_000 }, policy: { retired: "off", rowCount: "off" } },
  },
  asOfFuture: {
    goes: { facts: { statedMs: NOW_MS + 14 * HOUR_MS } },
    trips: { facts: { statedMs: NOW_MS + 14 * HOUR_MS + 1 } },
  },
  asOfOld: {
    goes: { facts: { statedMs: NOW_MS - DAY_MS - 72 * HOUR_MS } },
    trips: { facts: { statedMs: NOW_MS - DAY_MS - 72 * HOUR_MS - 1 } },
  },
  overlap: {
    goes: { facts: { inserted: 800, unchanged: 150 } },
    trips: { facts: { inserted: 801, unchanged: 149 } },
  },
  sheetLimit: {
    goes: { facts: { rows: 65_534, accepted: 65_534 }, policy: { rowCount: "off" } },
    trips: { facts: { rows: 65_535, accepted: 65_535 }, policy: { rowCount: "off" } },
  },
  rowCount: {
    goes: { facts: { rows: 1_500, accepted: 1_500 } },
    trips: { facts: { rows: 1_501, accepted: 1_501 } },
  },
  retired: { goes: { facts: { retired: 100 } }, trips: { facts: { retired: 101 } } },
  setToZero: {
    goes: { facts: { changed: 400 }, samples: changed(400, 200, 0) },
    trips: { facts: { changed: 400 }, samples: changed(400, 201, 0) },
  },
  setToBlank: {
    goes: { facts: { changed: 400 }, samples: changed(400, 100, null) },
    trips: { facts: { changed: 400 }, samples: changed(400, 101, null) },
  },
  total: {
    goes: { facts: { fields: [field({ total: 3_000 })] } },
    trips: { facts: { fields: [field({ total: 3_001 })] } },
  },
  median: {
    goes: { facts: { fields: [field({ median: 50 })] } },
    trips: { facts: { fields: [field({ median: 50.1 })] } },
  },
  changed: { goes: { facts: { changed: 500 } }, trips: { facts: { changed: 501 } } },
  rejected: {
    goes: { facts: { rejected: 20, accepted: 980 } },
    trips: { facts: { rejected: 21, accepted: 979 } },
  },
};

/** A stock of 100 values that adds up to 1,000 with 10 in the middle, and what is other than that afterwards. */
function field(after: { total?: number; median?: number; values?: number }) {
  const before = { values: 100, blanks: 0, zeros: 0, total: 1_000, median: 10 };
  return { field: "stock", before, after: { ...before, ...after } };
}

describe("every check", () => {
  it("lets a usual file go, with nothing left unjudged", () => {
    expect(judged()).toEqual({ verdict: "go", tripped: [], telling: [], unjudged: [] });
  });

  it.each(GATE_CHECKS)("%s: at the edge a file goes, one step beyond it is held for that alone", (check) => {
    expect(trippedBy(EDGES[check].goes)).toEqual([]);
    expect(trippedBy(EDGES[check].trips)).toEqual([check]);
  });

  it.each(GATE_CHECKS)(
    "%s: says what was found, what is usual and the limit, in one sentence with the numbers",
    (check) => {
      const [tripped] = judged(EDGES[check].trips).tripped;
      expect(tripped?.sentence).toMatch(/^[A-Z“\d].*\.$/);
      expect(JSON.parse(JSON.stringify(tripped?.evidence))).toEqual(tripped?.evidence);
      expect(Object.values(tripped?.evidence ?? {}).every((n) => n === null || Number.isFinite(n))).toBe(true);
    },
  );

  it.each(GATE_CHECKS)("%s: turned off for the feed, it holds nothing", (check) => {
    const { trips } = EDGES[check];
    expect(trippedBy({ ...trips, policy: { ...trips.policy, [check]: "off" } })).toEqual([]);
  });

  it.each(GATE_CHECKS)("%s: a file that somebody released from it is not held for it again", (check) => {
    const { trips } = EDGES[check];
    const answered = judged(trips).tripped;
    expect(trippedBy({ ...trips, facts: { ...trips.facts, answered } })).toEqual([]);
    expect(trippedBy({ ...trips, facts: { ...trips.facts, answered: [{ check }] } })).toEqual([]);
  });

  it("a release answers what was told: for much more than that, somebody is asked again", () => {
    const answered = judged({ facts: { retired: 200 } }).tripped;
    expect(trippedBy({ facts: { retired: 250, answered } })).toEqual([]);
    expect(trippedBy({ facts: { retired: 251, answered } })).toEqual(["retired"]);
    const strange = { inserted: 900, unchanged: 50 };
    const other = judged({ facts: strange }).tripped;
    expect(trippedBy({ facts: { ...strange, inserted: 920, answered: other } })).toEqual([]);
    expect(trippedBy({ facts: { ...strange, inserted: 921, answered: other } })).toEqual(["overlap"]);
  });

  it("a release for one field says nothing of another", () => {
    const price = { ...field({ total: 9_000 }), field: "price" };
    const answered = judged({ facts: { fields: [field({ total: 9_000 })] } }).tripped;
    expect(judged({ facts: { fields: [field({ total: 9_000 }), price], answered } }).tripped).toMatchObject([
      { check: "total", field: "price" },
    ]);
  });

  it("an empty file that was released is not held for its number of rows instead", () => {
    const empty = { rows: 0, accepted: 0, inserted: 0, changed: 0, unchanged: 0, retired: 1_000 };
    const answered = judged({ facts: empty }).tripped;
    expect(answered.map((one) => one.check)).toEqual(["emptyFile", "retired"]);
    expect(trippedBy({ facts: { ...empty, answered } })).toEqual([]);
  });

  it("a file that would change nothing is let go, however odd it looks", () => {
    const nothing = {
      inserted: 0,
      changed: 0,
      retired: 0,
      rows: 65_536,
      rejected: 9_000,
      statedMs: NOW_MS - 90 * DAY_MS,
    };
    expect(trippedBy({ facts: nothing })).toEqual([]);
  });

  it("but not one of a day to come: its time would keep out all that follows", () => {
    const nothing = { inserted: 0, changed: 0, retired: 0 };
    expect(trippedBy({ facts: { ...nothing, statedMs: NOW_MS + 2 * DAY_MS } })).toEqual(["asOfFuture"]);
  });

  it("tells of everything that is wrong, what says most of the cause first", () => {
    const wrongFile = { inserted: 990, changed: 0, unchanged: 10, retired: 990 };
    expect(trippedBy({ facts: wrongFile, samples: [...inserted(50), ...retired(50)] })).toEqual(["overlap", "retired"]);
  });
});

describe("shares", () => {
  const share = fc.record({ records: fc.integer({ min: 0, max: 500_000 }), n: fc.integer({ min: 0, max: 500_000 }) });

  it("retired: held exactly where it is more than a tenth and more than ten records", () => {
    fc.assert(
      fc.property(share, ({ records, n }) => {
        const gone = Math.min(n, records);
        const held = trippedBy({ facts: { records, retired: gone }, policy: { overlap: "off" }, history: [] }).includes(
          "retired",
        );
        expect(held).toBe(gone > 10 && gone > records * 0.1);
      }),
    );
  });

  it("changed: held exactly where it is more than half and more than fifty records", () => {
    fc.assert(
      fc.property(share, ({ records, n }) => {
        const moved = Math.min(n, records);
        const held = trippedBy({ facts: { records, changed: moved }, history: [] }).includes("changed");
        expect(held).toBe(moved > 50 && moved > records * 0.5);
      }),
    );
  });

  it("what a feed always does is no accident: its last files raise the limit", () => {
    const every = daily(14, () => ({ changed: 900, retired: 300, rejected: 60 }));
    const usual = { changed: 900, retired: 310, rejected: 65, accepted: 935 };
    expect(trippedBy({ facts: usual })).toEqual(["retired", "changed", "rejected"]);
    expect(trippedBy({ facts: usual, history: every })).toEqual([]);
    expect(trippedBy({ facts: { ...usual, retired: 451 }, history: every })).toEqual(["retired"]);
  });

  it("a feed that does now much and now little has its limit four times its spread above the middle", () => {
    const restless = daily(9, (daysAgo) => ({ retired: [200, 300, 400][daysAgo % 3]! }));
    const limit = 300 + 4 * 1.4826 * 100;
    expect(trippedBy({ facts: { retired: Math.floor(limit) }, history: restless })).toEqual([]);
    expect(trippedBy({ facts: { retired: Math.ceil(limit) }, history: restless })).toEqual(["retired"]);
  });

  it("one disaster that was let through makes no habit", () => {
    const once = daily(14, (daysAgo) => (daysAgo === 3 ? { retired: 1_000 } : {}));
    expect(trippedBy({ facts: { retired: 101 }, history: once })).toEqual(["retired"]);
  });

  it("a small feed does not trip over noise", () => {
    const small = daily(28, () => ({ rows: 12, named: 12, records: 12, changed: 2, inserted: 0, retired: 0 }));
    const half = { records: 12, rows: 6, accepted: 6, inserted: 3, changed: 3, unchanged: 0, retired: 6, rejected: 3 };
    expect(trippedBy({ facts: half, history: small, samples: changed(3, 3, 0) })).toEqual([]);
  });
});

describe("set to zero and to blank", () => {
  it("counts what the looked-at rows stand for, and says that it is about so many", () => {
    const { tripped } = judged({ facts: { records: 10_000, changed: 4_500 }, samples: changed(1_000, 900, 0) });
    expect(tripped.map((one) => one.check)).toEqual(["setToZero"]);
    expect(tripped[0]?.evidence.found).toBe(4_050);
    expect(tripped[0]?.sentence).toBe("“stock” would become 0 in about 4,050 of 10,000 records (41 %).");
  });

  it("what was 0 or empty before is not counted", () => {
    const samples = changed(400, 400, 0).map((one) => ({ ...one, before: { stock: 0, text: null } }));
    expect(trippedBy({ facts: { changed: 400 }, samples })).toEqual([]);
  });

  it("0 as a text is 0, but an identifier never is", () => {
    const samples = changed(400, 0, 0).map((one) => ({
      ...one,
      before: { stock: "12.5", text: "7" },
      after: { stock: "0", text: "0" },
    }));
    expect(judged({ facts: { changed: 400 }, samples }).tripped.map((one) => one.field)).toEqual(["stock"]);
  });

  it("leaves the fields alone that the feed excepts", () => {
    const of = { facts: { changed: 400 }, samples: changed(400, 400, 0) };
    expect(trippedBy(of)).toEqual(["setToZero"]);
    expect(trippedBy({ ...of, policy: { setToZero: { except: ["stock"] } } })).toEqual([]);
  });

  it("says that it could not look where no row is at hand", () => {
    expect(judged({ facts: { changed: 400 }, samples: [] }).unjudged).toEqual(["setToZero", "setToBlank"]);
  });
});

describe("totals and medians", () => {
  it("trips alike up and down, and where all becomes nothing", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.001, max: 1_000, noNaN: true }), (factor) => {
        const total = 1_000 * factor;
        const held = trippedBy({ facts: { fields: [field({ total })] } }).length > 0;
        expect(held).toBe(Math.max(total / 1_000, 1_000 / total) > 3);
      }),
    );
    expect(trippedBy({ facts: { fields: [field({ total: 0 })] } })).toEqual(["total"]);
  });

  it("says that it could not judge where nobody has counted, but for a feed without numbers or records", () => {
    expect(judged({ facts: { fields: [] } }).unjudged).toEqual(["total", "median"]);
    expect(judged({ facts: { fields: [], numeric: [] } }).unjudged).toEqual([]);
    expect(judged({ facts: { fields: [], records: 0, changed: 0 } }).unjudged).toEqual([]);
  });

  it("says nothing of a column with few values", () => {
    const fields = [
      { ...field({ total: 90_000 }), after: { values: 29, blanks: 0, zeros: 0, total: 90_000, median: 900 } },
    ];
    expect(trippedBy({ facts: { fields } })).toEqual([]);
  });
});

describe("time", () => {
  it("judges what a file says, also where its time was disbelieved and arrival counts", () => {
    expect(trippedBy({ facts: { asOfMs: NOW_MS, statedMs: NOW_MS - 364 * DAY_MS } })).toEqual(["asOfOld"]);
  });

  it("a file without a time of its own is as old as its place in order", () => {
    const { statedMs: _, ...silent } = facts({ asOfMs: NOW_MS - 5 * DAY_MS });
    const { tripped } = judge(silent, daily(28), changed(50, 0, 0), gatePolicy({ rowCount: "off" }));
    expect(tripped.map((one) => one.check)).toEqual(["asOfOld"]);
  });

  it("a first file is not older than anything", () => {
    expect(trippedBy({ facts: { statedMs: NOW_MS - 364 * DAY_MS }, history: [] })).toEqual([]);
  });
});

describe("the limit of a sheet", () => {
  const rows = (n: number, otherLines = 1): string[] =>
    trippedBy({ facts: { rows: n, accepted: n, otherLines }, policy: { rowCount: "off" } });

  it.each([65_536, 1_048_576])(
    "%d rows, with and without a header and with lines above it, and nothing near it",
    (limit) => {
      expect([rows(limit), rows(limit - 1), rows(limit - 4, 4)]).toEqual(Array(3).fill(["sheetLimit"]));
      expect([rows(limit - 2), rows(limit + 1), rows(limit - 4, 3)]).toEqual(Array(3).fill([]));
    },
  );
});

describe("overlap", () => {
  it("a delta feed that brings nothing but new records is left alone, with and without a history", () => {
    const orders = daily(28, () => ({ rows: 200, named: 200, inserted: 200, changed: 0, retired: 0 }));
    const file = {
      mode: "delta",
      rows: 210,
      accepted: 210,
      inserted: 210,
      changed: 0,
      unchanged: 0,
      retired: 0,
    } as const;
    expect(trippedBy({ facts: file, history: orders })).toEqual([]);
    expect(trippedBy({ facts: file, history: [] })).toEqual([]);
  });

  it("a delta feed that names known records is held when one names none", () => {
    const file = { mode: "delta", inserted: 990, changed: 10, unchanged: 0, retired: 0 } as const;
    expect(trippedBy({ facts: file, samples: changed(10, 0, 0) })).toEqual(["overlap"]);
  });
});

describe("a plan that sends every row", () => {
  it("says which checks lacked their numbers, and judges the others", () => {
    const { inserted: _, changed: __, unchanged: ___, ...whole } = facts({ retired: 500 });
    const { tripped, unjudged } = judge(whole, daily(28), [], gatePolicy());
    expect(tripped.map((one) => one.check)).toEqual(["retired"]);
    expect(unjudged).toEqual(["overlap", "setToZero", "setToBlank", "changed"]);
  });
});

describe("the first file of a feed", () => {
  const first = (change: Partial<ReturnType<typeof facts>>) =>
    judged({
      facts: { records: 0, inserted: 1_000, changed: 0, unchanged: 0, retired: 0, ...change },
      history: [],
      samples: inserted(100),
    });

  it("goes, and says that its number of rows could not be judged", () => {
    expect(first({})).toEqual({ verdict: "go", tripped: [], telling: [], unjudged: ["rowCount"] });
  });

  it("is held for what needs no history: cut off by a sheet, many rows unreadable, made tomorrow", () => {
    const cases = [
      first({ rows: 65_536 }),
      first({ rejected: 21 }),
      first({ statedMs: NOW_MS + DAY_MS }),
      first({ rows: 1_048_575, rejected: 200_000 }),
    ];
    expect(cases.map(({ tripped }) => tripped.map((one) => one.check))).toEqual([
      ["sheetLimit"],
      ["rejected"],
      ["asOfFuture"],
      ["sheetLimit", "rejected"],
    ]);
  });

  it("the second file is judged by the records of the first", () => {
    const second = { retired: 600, inserted: 0, changed: 0, unchanged: 400, rows: 400, accepted: 400 };
    expect(trippedBy({ facts: second, history: [past({ asOfMs: NOW_MS - DAY_MS })] })).toEqual(["retired"]);
  });
});

describe("the policy", () => {
  it("has later files of a full feed go on and those of a delta wait, unless it says something else", () => {
    expect([laterFiles(gatePolicy(), "full"), laterFiles(gatePolicy(), "delta")]).toEqual(["supersede", "wait"]);
    expect(laterFiles(gatePolicy({ whileHeld: "wait" }), "full")).toBe("wait");
  });

  it("refuses what it does not know, a share above 1, and a hold of more than two weeks", () => {
    const faulty = [{ retierd: "off" }, { retired: { share: 1.5 } }, { expireAfterDays: 15 }, { retired: "on" }];
    for (const said of faulty) expect(() => gatePolicy(said as never)).toThrow();
  });
});
