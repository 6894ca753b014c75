import { type KeyboardEvent, type RefObject, useState } from "react";
import { EMOJI } from "../text/emoji.js";
import { Popover } from "./popover.js";

interface EmojiPickerProps {
  anchor: RefObject<HTMLElement | null>;
  onPick: (emoji: string) => void;
  onClose: () => void;
}

/** Arrow keys go through the grid; its columns are those of the style sheet. */
const COLUMNS = 7;

function walkGrid(event: KeyboardEvent<HTMLElement>): void {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
  if (!step) return;
  const buttons = [...event.currentTarget.querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
  event.preventDefault();
  buttons[at + step]?.focus();
}

export function EmojiPicker({ anchor, onPick, onClose }: EmojiPickerProps) {
  const [query, setQuery] = useState("");
  const found = EMOJI.filter(([, words]) => words.includes(query.trim().toLowerCase()));
  return (
    <Popover anchor={anchor} label="Choose an emoji" onClose={onClose}>
      <input
        className="emoji-search"
        aria-label="Search"
        placeholder="Search"
        value={query}
        onChange={(event) => setQuery(event.target.value)}
        onKeyDown={(event) => {
          const first = found[0];
          if (event.key === "Enter" && first) onPick(first[0]);
        }}
      />
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the keys are for the buttons inside. */}
      <div className="emoji-grid" onKeyDown={walkGrid}>
        {found.map(([emoji, words]) => (
          <button key={emoji} type="button" aria-label={words} title={words} onClick={() => onPick(emoji)}>
            {emoji}
          </button>
        ))}
      </div>
    </Popover>
  );
}
