import type { Clock } from "./options.js";
import type { DurableEnvelope } from "./protocol/events.js";
import type { MemberView, UserPresence } from "./protocol/model.js";

/** Members of a room, as far as they were loaded, kept up to date by events from then on. */
export class Members {
  readonly #all = new Map<string, MemberView>();
  /** While a page is under way: users whom an event told more about. */
  readonly #touched = new Set<string>();
  #isTracking = false;
  #next: string | undefined;
  hasMore = true;

  list(): readonly MemberView[] {
    return [...this.#all.values()];
  }

  /** Loads the next page. */
  async load(
    fetch: (after?: string) => Promise<{ members: readonly MemberView[]; hasMore: boolean; next?: string }>,
  ): Promise<readonly MemberView[]> {
    this.#isTracking = true;
    this.#touched.clear();
    const page = await fetch(this.#next);
    for (const member of page.members) {
      if (!this.#touched.has(member.userId)) this.#all.set(member.userId, member);
    }
    this.#next = page.next;
    this.hasMore = page.hasMore;
    return page.members;
  }

  apply({ type, data }: DurableEnvelope): void {
    if (!this.#isTracking || !("userId" in data)) return;
    const { userId } = data;
    this.#touched.add(userId);
    switch (type) {
      case "member_joined": {
        const { role, name, createdAt } = data;
        this.#all.set(userId, { userId, role, joinedAt: createdAt, ...(name !== undefined && { name }) });
        break;
      }
      case "member_left":
      case "member_kicked":
      case "member_banned":
        this.#all.delete(userId);
        break;
      case "member_role_changed":
        this.#change(userId, { role: data.role });
        break;
      case "member_muted":
      case "member_unmuted":
        this.#change(userId, { muted: type === "member_muted" });
    }
  }

  /** Whether it is about somebody here. */
  see({ userId, status }: UserPresence): boolean {
    return this.#change(userId, { status });
  }

  clear(): void {
    this.#all.clear();
    this.#isTracking = false;
    this.#next = undefined;
    this.hasMore = true;
  }

  #change(userId: string, change: Partial<MemberView>): boolean {
    const member = this.#all.get(userId);
    if (member) this.#all.set(userId, { ...member, ...change });
    return member !== undefined;
  }
}

/** The server ends typing after 3 s without renewal and says so; this is for when its word was lost. */
const LOST_MS = 30_000;

/** Who is typing in a room. */
export class Typing {
  readonly #timers = new Map<string, unknown>();
  readonly #clock: Clock;
  readonly #changed: () => void;

  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  list(): readonly string[] {
    return [...this.#timers.keys()];
  }

  set(userId: string, isTyping: boolean): void {
    const was = this.#timers.has(userId);
    this.#clock.clearTimeout(this.#timers.get(userId));
    if (isTyping)
      this.#timers.set(
        userId,
        this.#clock.setTimeout(() => this.set(userId, false), LOST_MS),
      );
    else this.#timers.delete(userId);
    if (was !== isTyping) this.#changed();
  }

  clear(): void {
    for (const userId of this.list()) this.set(userId, false);
  }
}
