/** More rooms than anybody writes to at once. */
const LIMIT = 50;

/** What was written and not sent, by room; as long as the page lives. */
export class Drafts {
  readonly #all = new Map<string, string>();

  get(key: string): string {
    return this.#all.get(key) ?? "";
  }

  set(key: string, text: string): void {
    this.#all.delete(key);
    if (!text) return;
    this.#all.set(key, text);
    const [oldest] = this.#all.keys();
    if (this.#all.size > LIMIT && oldest !== undefined) this.#all.delete(oldest);
  }
}
