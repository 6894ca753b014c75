const HUES = 10;

/** The same for the same user, everywhere. */
function hueOf(id: string): number {
  let hash = 7;
  for (const char of id) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return hash % HUES;
}

function initialsOf(name: string): string {
  const words = name.split(/[\s._:-]+/).filter(Boolean);
  const [first = "?", second] = words;
  const letters = second ? [first, second].map((word) => [...word][0]) : [...first].slice(0, 2);
  return letters.join("").toUpperCase();
}

export function Avatar({ id, name, size = "m" }: { id: string; name: string; size?: "s" | "m" | "l" }) {
  return (
    <span className={`avatar avatar-${size} hue-${hueOf(id)}`} aria-hidden="true">
      {initialsOf(name)}
    </span>
  );
}
