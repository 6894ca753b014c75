import { Store } from "@starling/client";
import { useStore } from "@starling/react";
import { IconButton } from "./button.js";

interface Toast {
  id: number;
  text: string;
}

/** More at once nobody reads. */
const LIMIT = 3;
const STAYS_MS = 8_000;

class Toasts extends Store<readonly Toast[]> {
  #all: readonly Toast[] = [];
  #lastId = 0;

  say(text: string): void {
    const id = ++this.#lastId;
    this.#all = [...this.#all.filter((toast) => toast.text !== text), { id, text }].slice(-LIMIT);
    this.changed();
    setTimeout(() => this.dismiss(id), STAYS_MS);
  }

  dismiss(id: number): void {
    this.#all = this.#all.filter((toast) => toast.id !== id);
    this.changed();
  }

  protected override build(): readonly Toast[] {
    return this.#all;
  }
}

export const toasts = new Toasts();

/** Says what went wrong with something that the user asked for. */
export function attempt(action: Promise<unknown> | undefined): void {
  action?.catch((error: unknown) => toasts.say(error instanceof Error ? error.message : String(error)));
}

export function ToastArea() {
  const all = useStore(toasts);
  return (
    <div className="toasts" role="alert">
      {all.map(({ id, text }) => (
        <div key={id} className="toast">
          <span>{text}</span>
          <IconButton icon="close" label="Dismiss" onClick={() => toasts.dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
