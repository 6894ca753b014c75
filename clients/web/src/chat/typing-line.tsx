import { useStore } from "@starling/react";
import { useSigned } from "../starling.js";

function sentence(who: readonly string[]): string {
  const [first, second] = who;
  if (who.length === 1) return `${first} is typing…`;
  if (who.length === 2) return `${first} and ${second} are typing…`;
  return "Several people are typing…";
}

/** Who is typing. Its height is always there, so that nothing moves. */
export function TypingLine({ typing }: { typing: readonly string[] }) {
  const { names } = useSigned();
  useStore(names);
  return (
    <p className="typing-line" aria-live="polite">
      {typing.length > 0 && (
        <>
          <span className="typing-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {sentence(typing.map((userId) => names.of(userId)))}
        </>
      )}
    </p>
  );
}
