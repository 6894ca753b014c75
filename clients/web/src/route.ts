import { useSyncExternalStore } from "react";

/** What the address names. */
export type Route =
  | { page: "home" }
  | { page: "room"; roomId: string }
  | { page: "direct"; userId: string }
  | { page: "admin" };

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Reads a hash such as `#/r/general`; what it does not know is home. */
export function parseRoute(hash: string): Route {
  const [page, ...rest] = hash.replace(/^#\/?/, "").split("/");
  const name = decoded(rest.join("/"));
  if (page === "r" && name) return { page: "room", roomId: name };
  if (page === "dm" && name) return { page: "direct", userId: name };
  if (page === "admin") return { page: "admin" };
  return { page: "home" };
}

export function hrefOf(route: Route): string {
  switch (route.page) {
    case "room":
      return `#/r/${encodeURIComponent(route.roomId)}`;
    case "direct":
      return `#/dm/${encodeURIComponent(route.userId)}`;
    case "admin":
      return "#/admin";
    case "home":
      return "#/";
  }
}

export function go(route: Route): void {
  location.hash = hrefOf(route);
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

export function useRoute(): Route {
  return parseRoute(useSyncExternalStore(subscribe, () => location.hash));
}
