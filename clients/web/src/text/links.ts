/** A piece of a message: plain text, a link, or somebody's name. */
export type Piece =
  | { kind: "text"; text: string }
  | { kind: "link"; text: string; href: string }
  | { kind: "mention"; text: string };

// Up to white space or what can be no part of an address; what ends a sentence is cut off below.
const URL_LIKE = /\bhttps?:\/\/[^\s<>"`]+/giu;
const TRAILING = /[.,;:!?'*_~\]]+$/u;

/** The address without what belongs to the sentence around it: `(see https://a.org/b_(c)).` */
function trimmed(url: string): string {
  let text = url.replace(TRAILING, "");
  const count = (char: string) => text.split(char).length - 1;
  while (text.endsWith(")") && count(")") > count("(")) text = text.slice(0, -1).replace(TRAILING, "");
  return text;
}

/** The address to open, when it is one of the web; anything else is no link. */
export function safeHref(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  // A name before the host is there to look like another host.
  const isWeb = url.protocol === "http:" || url.protocol === "https:";
  return isWeb && !url.username && !url.password ? url.href : undefined;
}

function withMentions(text: string, names: readonly string[]): Piece[] {
  const pieces: Piece[] = [];
  let rest = text;
  // The longest first: `@Ada Lovelace` before `@Ada`.
  const marks = names.map((name) => `@${name}`).sort((a, b) => b.length - a.length);
  while (rest) {
    const hits = marks.map((mark) => ({ mark, at: rest.indexOf(mark) })).filter(({ at }) => at >= 0);
    const first = hits.reduce<(typeof hits)[number] | undefined>(
      (best, hit) => (best && best.at <= hit.at ? best : hit),
      undefined,
    );
    if (!first) break;
    if (first.at > 0) pieces.push({ kind: "text", text: rest.slice(0, first.at) });
    pieces.push({ kind: "mention", text: first.mark });
    rest = rest.slice(first.at + first.mark.length);
  }
  if (rest) pieces.push({ kind: "text", text: rest });
  return pieces;
}

/** Cuts a message into pieces; joined, their texts are the message. */
export function piecesOf(content: string, names: readonly string[] = []): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const { 0: match, index } of content.matchAll(URL_LIKE)) {
    const text = trimmed(match);
    const href = safeHref(text);
    if (href === undefined) continue;
    if (index > from) pieces.push(...withMentions(content.slice(from, index), names));
    pieces.push({ kind: "link", text, href });
    from = index + text.length;
  }
  if (from < content.length) pieces.push(...withMentions(content.slice(from), names));
  return pieces;
}
