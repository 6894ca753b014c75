import { memo } from "react";
import { isEmojiOnly } from "./emoji.js";
import { piecesOf } from "./links.js";

/** A message's text: links and names are marked, and nothing in it is taken for markup. */
export const Content = memo(function Content({
  text,
  names = "",
}: {
  text: string;
  /** Names of those mentioned, one a line. */
  names?: string;
}) {
  const pieces = piecesOf(text, names ? names.split("\n") : []);
  let at = 0;
  return (
    <div className={isEmojiOnly(text) ? "content is-emoji" : "content"} dir="auto">
      {pieces.map((piece) => {
        const key = at;
        at += piece.text.length;
        if (piece.kind === "link") {
          return (
            <a key={key} href={piece.href} target="_blank" rel="noopener noreferrer nofollow">
              {piece.text}
            </a>
          );
        }
        if (piece.kind === "mention") {
          return (
            <strong key={key} className="mention">
              {piece.text}
            </strong>
          );
        }
        return piece.text;
      })}
    </div>
  );
});
