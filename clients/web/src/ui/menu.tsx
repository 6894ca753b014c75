import { type ReactNode, useRef, useState } from "react";
import { IconButton } from "./button.js";
import { Icon, type IconName } from "./icon.js";
import { Popover } from "./popover.js";

export interface MenuItem {
  label: string;
  icon?: IconName;
  isDangerous?: boolean;
  run: () => void;
}

/** The items of a menu, inside a {@link Popover} with the role `menu`. */
export function MenuItems({ items, onDone }: { items: readonly MenuItem[]; onDone: () => void }) {
  return items.map(({ label, icon, isDangerous, run }) => (
    <button
      key={label}
      type="button"
      className={isDangerous ? "menu-item is-dangerous" : "menu-item"}
      role="menuitem"
      tabIndex={-1}
      onClick={() => {
        onDone();
        run();
      }}
    >
      {icon && <Icon name={icon} />}
      <span>{label}</span>
    </button>
  ));
}

/** A button that opens a menu. */
export function MenuButton({
  icon,
  label,
  items,
  children,
}: {
  icon: IconName;
  label: string;
  items: readonly MenuItem[];
  /** Above the items. */
  children?: ReactNode;
}) {
  const [isOpen, setIsOpen] = useState(false);
  const ref = useRef<HTMLSpanElement>(null);
  const close = () => setIsOpen(false);
  return (
    <span ref={ref} className="menu-anchor">
      <IconButton
        icon={icon}
        label={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        onClick={() => setIsOpen(true)}
      />
      {isOpen && (
        <Popover anchor={ref} label={label} role="menu" onClose={close}>
          {children}
          <MenuItems items={items} onDone={close} />
        </Popover>
      )}
    </span>
  );
}
