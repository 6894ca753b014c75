/** Drawn on a grid of 24, with strokes. */
const PATHS = {
  add: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  bell: "M6 9a6 6 0 0112 0c0 6 2.5 7 2.5 7h-17S6 15 6 9M10 20a2.2 2.2 0 004 0",
  check: "M5 12.5l4.5 4.5L19 7.5",
  clock: "M12 7v5l3 2M12 3a9 9 0 100 18 9 9 0 000-18",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  down: "M12 5v14M6 13l6 6 6-6",
  edit: "M4 20l1-4.5L16.5 4 20 7.5 8.5 19 4 20M14 6.5l3.5 3.5",
  exit: "M10 5H5v14h5M14 8l4 4-4 4M18 12H9",
  gauge: "M4 18a9 9 0 1116 0M12 14l4-5",
  hash: "M9.5 4L7.5 20M16.5 4l-2 16M4.5 9h16M3.5 15h16",
  info: "M12 11v6M12 7.2v.1M12 3a9 9 0 100 18 9 9 0 000-18",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 017 0v3",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  people:
    "M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7M2.5 20a6.5 6.5 0 0113 0M16 4.3a3.5 3.5 0 010 6.4M18 14.3a6.5 6.5 0 013.5 5.7",
  reply: "M9 6l-5 5 5 5M4 11h9a7 7 0 017 7v1",
  retry: "M20 12a8 8 0 11-2.5-5.8M20 4v5h-5",
  search: "M11 4a7 7 0 100 14 7 7 0 000-14M16 16l4.5 4.5",
  send: "M4 12l16-8-5 16-3.5-6.5L4 12M11.5 13.5L20 4",
  smile: "M12 3a9 9 0 100 18 9 9 0 000-18M8.5 14a4 4 0 007 0M9 9.5v.1M15 9.5v.1",
  theme: "M12 3a9 9 0 100 18zM12 3a9 9 0 010 18",
  thread: "M4 5h16v11h-8l-4.5 4v-4H4zM8 9h8M8 12.5h5",
  trash: "M5 7h14M9.5 7V4.5h5V7M7 7l1 13h8l1-13",
  warning: "M12 4L2.5 20h19zM12 10v5M12 17.4v.1",
} as const;

export type IconName = keyof typeof PATHS;

/** For the eye only: what it stands for is said by the control that it is in. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className={`icon icon-${name}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
