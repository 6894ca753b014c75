import { Store } from "@starling/client";

interface Person {
  userId: string;
  name?: string | undefined;
}

/** What users are called, as far as messages and lists of members have told. */
export class Names extends Store<ReadonlyMap<string, string>> {
  readonly #all = new Map<string, string>();

  learn(people: Iterable<Person>): void {
    let isNews = false;
    for (const { userId, name } of people) {
      if (!name || this.#all.get(userId) === name) continue;
      this.#all.set(userId, name);
      isNews = true;
    }
    if (isNews) this.changed();
  }

  /** The name, or the id of somebody who has none. */
  of(userId: string): string {
    return this.#all.get(userId) ?? userId;
  }

  protected override build(): ReadonlyMap<string, string> {
    return new Map(this.#all);
  }
}
