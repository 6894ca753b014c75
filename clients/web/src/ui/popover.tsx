import {
  type KeyboardEvent,
  type ReactNode,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useRef,
} from "react";

const GAP = 6;

/** Puts the box under its anchor, or over it where there is no room, and inside the window. */
function place(box: HTMLElement, anchor: HTMLElement): void {
  const at = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const fitsBelow = at.bottom + GAP + height <= innerHeight;
  const top = fitsBelow ? at.bottom + GAP : at.top - GAP - height;
  box.style.top = `${Math.max(GAP, Math.min(top, innerHeight - height - GAP))}px`;
  box.style.left = `${Math.max(GAP, Math.min(at.right - width, innerWidth - width - GAP))}px`;
}

interface PopoverProps {
  anchor: RefObject<HTMLElement | null>;
  label: string;
  onClose: () => void;
  role?: "menu" | "dialog";
  children: ReactNode;
}

/** Something small beside its anchor, over everything else. A click elsewhere or Escape closes it. */
export function Popover({ anchor, label, onClose, role = "dialog", children }: PopoverProps) {
  const ref = useRef<HTMLDivElement>(null);
  const close = useRef(onClose);
  close.current = onClose;
  useLayoutEffect(() => {
    const box = ref.current;
    const from = anchor.current;
    if (!box || !from) return;
    box.showPopover();
    place(box, from);
    box.querySelector<HTMLElement>("[autofocus], button, input, [role^=menuitem]")?.focus();
    const onToggle = (event: Event) => {
      if ((event as ToggleEvent).newState === "closed") close.current();
    };
    box.addEventListener("toggle", onToggle);
    return () => {
      box.removeEventListener("toggle", onToggle);
      // Who used the keyboard goes on where they were, unless they have gone elsewhere already.
      if (box.contains(document.activeElement)) from.focus();
    };
  }, [anchor]);
  useEffect(() => {
    const closeNow = () => close.current();
    addEventListener("resize", closeNow);
    return () => removeEventListener("resize", closeNow);
  }, []);
  return (
    // biome-ignore lint/a11y: the role is a property; keys are for the items inside.
    <div
      ref={ref}
      popover="auto"
      className="popover"
      role={role}
      aria-label={label}
      onKeyDown={role === "menu" ? walkItems : undefined}
    >
      {children}
    </div>
  );
}

/** Arrow keys, Home and End go from item to item. */
function walkItems(event: KeyboardEvent<HTMLElement>): void {
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>("[role^=menuitem]")];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const next = {
    ArrowDown: (at + 1) % items.length,
    ArrowUp: (at - 1 + items.length) % items.length,
    Home: 0,
    End: items.length - 1,
  }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  items[next]?.focus();
}
