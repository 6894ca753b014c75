import { useSyncExternalStore } from "react";
import { kept } from "./kept.js";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const setting = kept("starling.theme", (value): Theme => THEMES.find((theme) => theme === value) ?? "system");

/** What the user chose, told to the style sheet; it follows the system by itself where nothing is set. */
export function applyTheme(): void {
  const theme = setting.get();
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function useTheme(): [Theme, (theme: Theme) => void] {
  const theme = useSyncExternalStore(setting.subscribe, setting.get);
  return [
    theme,
    (next) => {
      setting.set(next);
      applyTheme();
    },
  ];
}
