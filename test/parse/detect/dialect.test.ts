import { describe, expect, it } from "vitest";
import { profileOf, question, read, refusalOf } from "./support.ts";

describe("records with an end of their own", () => {
  it("are read alike where the text is cut between that end and the line end", async () => {
    const file = "1+|a\\+|b+|x&|\r\n2+|c+|y&|\r\n3+|d\\+|e+|z&|\r\n4+|f+|w&|\r\n";
    const whole = await read(file);
    expect(whole.rows).toHaveLength(4);
    for (const size of [1, 2, 3, 5, 7, 11, 13]) expect((await read(file, size)).rows).toEqual(whole.rows);
  });
});

describe("a backslash that escapes", () => {
  it("takes the meaning from a line end too, wherever the text is cut", async () => {
    const file = "1\tone\\\r\nmore\tx\r\n2\ttwo\tx\r\n3\tth\\\tree\tx\r\n4\tfour\tx\r\n";
    const whole = await read(file);
    expect(whole.rows[0]).toEqual(["1", "one\r\nmore", "x"]);
    for (const size of [1, 2, 3, 5, 7, 8, 9]) expect((await read(file, size)).rows).toEqual(whole.rows);
  });

  it("makes a mark text by itself, so the mark behind it closes the cell", async () => {
    const { profile, rows } = await read('id;text\n1;"a \\"b\\""\n2;"\\"c\\";"\n3;"d"\n');
    expect(profile.dialect.escape).toBe("\\");
    expect(rows.map((row) => row[1])).toEqual(['a "b"', '"c";', "d"]);
  });

  it("is read alike where the text is cut inside a delimiter of several characters", async () => {
    const file = '1||"a\\"\nb"||\n2||"c\n\\"d"||\n3||"e\\"\nf"||\n4||"g\n\\"h"||\n';
    const whole = await read(file);
    for (const size of [1, 2, 3, 5, 7]) expect((await read(file, size)).rows).toEqual(whole.rows);
    expect(whole.rows[1]?.[1]).toBe('c\n"d');
  });
});

describe("the delimiter", () => {
  it.each([
    [",", "a,b,c\n1,2,3\n4,5,6\n"],
    [";", "a;b;c\n1,5;2,5;x\n3,5;4,5;y\n"],
    ["\t", "a\tb\n1\tx y\n2\tz w\n"],
    ["|", "a|b|c\n1|x, y|z\n2|v, w|u\n"],
    ["||", "a||b||c\n1||||3\n2||x||4\n"],
    ["+|", "1+|x+|2024-01-02&|\r\n2+|y|z+|2024-01-03&|\r\n"],
    ["|~|", "1|~|x|~|5\n2|~|y|~|6\n3|~|z|~|7\n"],
    ["<|>", "1<|>x<|>5\n2<|><|>6\n3<|>z<|>7\n"],
    ["~", "A1~3,50\nA2~4,25\nA3~5,75\n"],
    ["^", "sku^qty^price\nA1^3^1,50\nA2^4^2,75\nA3^5^3,25\n"],
    ["\u001f", "sku\u001fqty\nA1\u001f3\nA2\u001f4\n"],
    [":", "root:0:12\nbin:1:13\ndaemon:2:14\nadm:3:15\n"],
    [" ", "2024-01-02 17 4.5\n2024-01-03 18 4.6\n2024-01-04 19 4.7\n"],
  ])("%j", (delimiter, text) => {
    expect(profileOf(text).dialect.delimiter).toBe(delimiter);
  });

  it("is what gives whole values, not what gives most cells", () => {
    expect(profileOf("time,at\n20:53:06,2019-09-01T19:28:21\n19:33:15,2005-02-15T19:10:31\n").dialect.delimiter).toBe(
      ",",
    );
    expect(profileOf("1;a|b|c|d;x\n2;e|f|g|h;y\n3;i|j;z\n").dialect.delimiter).toBe(";");
  });

  it("stands around quoted cells, whatever stands in them", () => {
    const text = 'id,note\n1,"a table:\nid|key|value\n1|x|10\n2|y|20\n3|z|30\n4|w|40"\n2,hello\n';
    expect(profileOf(text).dialect).toMatchObject({ delimiter: ",", quote: '"', escape: '"' });
  });

  it("of one quoted column is what its marks protect from", async () => {
    const { profile, rows } = await read('"Dec 8, 2022"\n"Sep 26, 2022"\n"Aug 31, 2022"\n');
    expect(profile.columnCount).toBe(1);
    expect(rows[1]).toEqual(["Sep 26, 2022"]);
  });

  it("is asked where two fit equally well", () => {
    expect(question(profileOf("1,5\n2,5\n3,7\n"), "delimiter")).toMatchObject({ assumed: ",", options: [",", "none"] });
  });

  it("is asked where a mark always stands twice and no header tells whether columns are blank", () => {
    const rows = "-4.94||25.08.2022\n9.85||11.11.2015\n5319.50||02.07.2016\n";
    expect(question(profileOf(rows), "delimiter")).toMatchObject({ assumed: "||", options: ["||", "|"] });
    expect(question(profileOf(`price||day\n${rows}`), "delimiter")).toBeUndefined();
  });

  it("is none in prose, and in one column of codes", () => {
    expect(profileOf("Dear all, this is a note.\nIt has lines.\nSome, have, commas.\n").dialect.delimiter).toBeNull();
    expect(profileOf("sku\nA-1\nA-2\n").dialect.delimiter).toBeNull();
  });

  it("is none in fixed width: columns begin where every line is blank before", async () => {
    const text = "10001  Screw        12\n10002  Nut         130\n10003  Washer M8     7\n";
    const { profile, rows } = await read(text);
    expect(profile.dialect.fixed).toEqual([0, 7, 19]);
    expect(rows[2]).toEqual(["10003", "Washer M8", "7"]);
    expect(question(profile, "columns")).toBeUndefined();
  });

  it("is none in fixed width, where a blank after each first word asks whether a column ends there", async () => {
    const lines = Array.from({ length: 9 }, (_, i) => `00${i} Name ${i} Street   12${i}\n`);
    const { profile } = await read(lines.join(""));
    expect(profile.dialect.fixed?.length).toBeGreaterThan(2);
    expect(question(profile, "columns")).toMatchObject({ what: "columns", assumed: expect.stringContaining("1, 5") });
  });

  it("that stands in every line but gives rows of every width is no table", () => {
    const ragged = Array.from({ length: 60 }, (_, i) =>
      Array.from({ length: 2 + ((i * 7) % 9) }, () => "x").join(","),
    ).join("\n");
    expect(refusalOf(ragged)).toBe("no-table");
  });
});

describe("quotation marks", () => {
  it("are escaped by doubling or by a backslash, as the rows show", async () => {
    const doubled = await read('a;b\n1;"say ""hi"" now"\n2;"x;y"\n');
    expect([doubled.profile.dialect.escape, doubled.rows[0]![1]]).toEqual(['"', 'say "hi" now']);
    const slashed = await read('a;b\n1;"say \\"hi\\" now"\n2;"C:\\\\x;y"\n');
    expect([slashed.profile.dialect.escape, slashed.rows.map((row) => row[1])]).toEqual([
      "\\",
      ['say "hi" now', "C:\\x;y"],
    ]);
  });

  it("may be apostrophes where cells need them, and apostrophes in words are none", () => {
    expect(profileOf("1;'a;b';x\n2;'c;d';y\n").dialect.quote).toBe("'");
    expect(profileOf("id;name\n1;O'Neil\n2;D'Arcy\n").dialect.quote).not.toBe("'");
  });

  it("that are inches are text", async () => {
    const { rows } = await read('no;part\n1;3/4" pipe\n2;1" pipe\n3;2" tube\n');
    expect(rows[0]).toEqual(["1", '3/4" pipe']);
  });

  it("behind blanks are read over where the file pads its cells", async () => {
    const { profile, rows } = await read('"Year", "Score", "Title"\n1968, 86, "Greetings"\n1970, 73, "Hi, Mom!"\n');
    expect(profile.dialect.padded).toBe(true);
    expect(rows[1]).toEqual(["1970", " 73", "Hi, Mom!"]);
  });

  it("take nothing from a backslash outside of quotes where that is how the file escapes", async () => {
    const { profile, rows } = await read("0\ta\\\tb\tx\n1\tc\ty\n2\td\\\\\tz\n3\te\tw\n");
    expect(profile.dialect).toMatchObject({ delimiter: "\t", quote: null, escape: "\\" });
    expect(rows[0]).toEqual(["0", "a\tb", "x"]);
  });

  it("that are never closed refuse the file", () => {
    expect(refusalOf('a,b\n1,"open\n2,x\n3,y\n')).toBe("unclosed-quote");
    expect(refusalOf('"hello\n\n world\n')).toBe("unclosed-quote");
  });

  it("that were not doubled inside a cell cost that row, and are asked about", async () => {
    const good = Array.from({ length: 30 }, (_, i) => `"s${i}","Stop ${i}"`).join("\n");
    const { profile, rows, reading } = await read(`id,name\n${good}\n"x","Stop "A" east"\n"y","Stop Z"\n`);
    expect(question(profile, "quote")).toBeDefined();
    expect(reading.misfits).toBe(1);
    expect(rows.slice(-2)).toEqual([
      ["x", 'Stop "A" east'],
      ["y", "Stop Z"],
    ]);
  });
});

describe("ends of records", () => {
  it.each([
    ["\n", "a,b\n1,2\n"],
    ["\r\n", "a,b\r\n1,2\r\n"],
    ["\r", "a,b\r1,2\r"],
    ["&|\r\n", "1+|a&|\r\n2+|b&|\r\n3+|c&|\r\n"],
  ])("%j", (end, text) => {
    expect(profileOf(text).recordDelimiter).toBe(end);
  });

  it("that are mixed are all read, and asked about", async () => {
    const { profile, rows } = await read("1,2,3\n4,5,6\r\n7,8,9\n");
    expect(profile.recordDelimiter).toBe("mixed");
    expect(question(profile, "recordDelimiter")?.reason).toContain("2 with LF, 1 with CRLF");
    expect(rows).toHaveLength(3);
  });

  it("inside quotation marks are text", async () => {
    const { profile, rows } = await read('a,b\n1,"x\r\ny"\n2,z\n');
    expect(profile.recordDelimiter).toBe("\n");
    expect(rows[0]![1]).toBe("x\r\ny");
  });
});

describe("a mark before the delimiter in several columns", () => {
  it("may belong to it: it is asked", () => {
    const rows = Array.from({ length: 20 }, (_, i) => `${i}+|Name ${i}+|a|b, c&|\r\n`).join("");
    expect(question(profileOf(rows), "delimiter")?.options).toEqual(["|", "+|"]);
  });

  it.each([
    ["in one column only", "1+|a|x\n2+|b|y\n3+|c|z\n"],
    ["in some rows only", "1+|a+|x\n2+|b|y\n3+|c+|z\n"],
  ])("%s is text", (_, text) => {
    expect(question(profileOf(text), "delimiter")).toBeUndefined();
  });
});
