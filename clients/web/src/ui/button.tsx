import type { ComponentProps } from "react";
import { Icon, type IconName } from "./icon.js";

/** A button that shows an icon and says its label to those who do not see it. */
export function IconButton({
  icon,
  label,
  className = "",
  ...props
}: { icon: IconName; label: string } & Omit<ComponentProps<"button">, "children">) {
  return (
    <button type="button" className={`icon-button ${className}`} aria-label={label} title={label} {...props}>
      <Icon name={icon} />
    </button>
  );
}
