import { describe, expect, test } from "vitest";
import { piecesOf, safeHref } from "../src/text/links.js";

const linksIn = (text: string) =>
  piecesOf(text).flatMap((piece) => (piece.kind === "link" ? [piece.href] : []));

describe("links", () => {
  test.each([
    ["see https://example.org.", ["https://example.org/"]],
    ["(https://example.org/a_(b))", ["https://example.org/a_(b)"]],
    [
      "http://a.example/?q=1&r=2, and https://b.example!",
      ["http://a.example/?q=1&r=2", "https://b.example/"],
    ],
    ["https://exämple.org/ü", ["https://xn--exmple-cua.org/%C3%BC"]],
    ["javascript:alert(1) data:text/html,x file:///etc/passwd ftp://a.example", []],
    ["https://bank.example@evil.example/", []],
    ["https://", []],
    ["xhttps://example.org", []],
  ])("%s", (text, links) => {
    expect(linksIn(text)).toEqual(links);
  });

  test("the pieces are the text, whatever it is", () => {
    for (const text of [
      "",
      "a",
      "<b>https://a.example</b>\n@Ada",
      "@Ada@Ada Lovelace https://a.example/@Ada",
    ]) {
      const pieces = piecesOf(text, ["Ada", "Ada Lovelace"]);
      expect(pieces.map((piece) => piece.text).join("")).toBe(text);
    }
  });

  test("the longest name is the one that is meant", () => {
    const pieces = piecesOf("hi @Ada Lovelace and @Ada", ["Ada", "Ada Lovelace"]);
    expect(pieces.filter(({ kind }) => kind === "mention").map(({ text }) => text)).toEqual([
      "@Ada Lovelace",
      "@Ada",
    ]);
  });

  test("an attachment elsewhere than on the web is no link", () => {
    expect(safeHref("javascript:alert(1)")).toBeUndefined();
    expect(safeHref("/relative")).toBeUndefined();
    expect(safeHref("https://example.org/file.pdf")).toBe("https://example.org/file.pdf");
  });
});
