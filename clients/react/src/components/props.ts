import type { ComponentPropsWithRef, ElementType } from "react";

/** Props of a component, and beside them those of its outermost element. */
export type Props<Tag extends ElementType, Own> = Own &
  Omit<ComponentPropsWithRef<Tag>, keyof Own | "children">;

/** Texts of a component, each of which can be replaced. */
export type Labels<Texts> = { readonly labels?: { readonly [K in keyof Texts]?: Texts[K] } };

/** The component's own class, and those given. */
export const classes = (own: string, given: string | undefined) => (given ? `${own} ${given}` : own);

/** Links of others lead to the web and nowhere else: no `javascript:`, no `data:`. */
export function webLink(url: string): string | undefined {
  if (!URL.canParse(url, globalThis.location?.href)) return undefined;
  const { protocol, href } = new URL(url, globalThis.location?.href);
  return protocol === "https:" || protocol === "http:" ? href : undefined;
}
