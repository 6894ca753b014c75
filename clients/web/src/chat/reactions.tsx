import type { RoomMessage } from "@starling/client";
import { useSigned } from "../starling.js";
import { EMOJI } from "../text/emoji.js";

const WORDS = new Map(EMOJI);

interface ReactionsProps {
  message: RoomMessage;
  onReact: (message: RoomMessage, emoji: string, isOn: boolean) => void;
}

export function Reactions({ message, onReact }: ReactionsProps) {
  const { account, names } = useSigned();
  const all = Object.entries(message.reactions ?? {});
  if (!all.length) return null;
  return (
    <ul className="reactions" aria-label="Reactions">
      {all.map(([emoji, { count, users }]) => {
        const isOwn = users.includes(account.userId);
        const who = users
          .slice(0, 10)
          .map((userId) => (userId === account.userId ? "you" : names.of(userId)));
        if (count > who.length) who.push(`${count - who.length} more`);
        return (
          <li key={emoji}>
            <button
              type="button"
              className="reaction"
              aria-pressed={isOwn}
              aria-label={`${WORDS.get(emoji) ?? emoji}, ${count}: ${who.join(", ")}`}
              title={who.join(", ")}
              onClick={() => onReact(message, emoji, !isOwn)}
            >
              <span>{emoji}</span> {count}
            </button>
          </li>
        );
      })}
    </ul>
  );
}
