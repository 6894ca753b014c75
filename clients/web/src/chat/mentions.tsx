import type { MemberView, Room } from "@starling/client";
import { useStore } from "@starling/react";
import { type KeyboardEvent, type RefObject, useEffect, useId, useRef, useState } from "react";
import { Avatar } from "../ui/avatar.js";

const SHOWN = 6;
/** What is being written after an `@`, right before the cursor. */
const OPEN = /(?:^|\s)@([\p{L}\p{N}_.-]{0,32})$/u;

const nameOf = ({ name, userId }: MemberView): string => name ?? userId;

interface Mentions {
  /** Attributes of the text field. */
  field: Record<string, unknown>;
  list: MentionListProps;
  /** Whether the key was for the list. */
  onKeyDown(event: KeyboardEvent): boolean;
  /** Ids of those whom a text mentions. */
  in(content: string): string[];
}

/** Completes names of members after an `@`, and knows whom a text mentions. */
export function useMentions(
  room: Room,
  field: RefObject<HTMLTextAreaElement | null>,
  text: string,
  setText: (text: string) => void,
): Mentions {
  const { members } = useStore(room);
  const [active, setActive] = useState(0);
  const [dismissed, setDismissed] = useState<string>();
  /** By the name that was put in: two people may have the same one. */
  const picked = useRef(new Map<string, string>());
  const listId = useId();
  const cursor = Math.min(field.current?.selectionStart ?? text.length, text.length);
  const query = OPEN.exec(text.slice(0, cursor))?.[1];
  const isOpen = query !== undefined && dismissed !== text;
  const isUnknown = isOpen && members.length === 0;
  useEffect(() => {
    // Without them nothing is completed, and writing goes on.
    if (isUnknown) room.loadMembers().catch(() => {});
  }, [room, isUnknown]);
  const wanted = query?.toLowerCase() ?? "";
  const found = isOpen
    ? members
        .filter((m) => nameOf(m).toLowerCase().includes(wanted) || m.userId.includes(wanted))
        .slice(0, SHOWN)
    : [];
  const current = Math.min(active, found.length - 1);

  const pick = (member: MemberView | undefined) => {
    if (!member) return;
    const name = nameOf(member);
    picked.current.set(name, member.userId);
    const before = text.slice(0, cursor - (query?.length ?? 0));
    const next = `${before}${name} ${text.slice(cursor)}`;
    setText(next);
    setDismissed(next);
    setActive(0);
    field.current?.focus();
  };

  return {
    field: {
      "aria-autocomplete": "list",
      ...(found.length && { "aria-controls": listId, "aria-activedescendant": `${listId}-${current}` }),
    },
    list: { id: listId, members: found, active: current, onPick: pick },
    onKeyDown(event) {
      if (!found.length) return false;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) setActive((current + step + found.length) % found.length);
      else if (event.key === "Enter" || event.key === "Tab") pick(found[current]);
      else if (event.key === "Escape") setDismissed(text);
      else return false;
      event.preventDefault();
      return true;
    },
    in(content) {
      const users = new Set<string>();
      for (const [name, userId] of picked.current) if (content.includes(`@${name}`)) users.add(userId);
      // Whoever types a name as it is means it.
      for (const member of members) if (content.includes(`@${nameOf(member)}`)) users.add(member.userId);
      return [...users];
    },
  };
}

interface MentionListProps {
  id: string;
  members: readonly MemberView[];
  active: number;
  onPick: (member: MemberView) => void;
}

export function MentionList({ id, members, active, onPick }: MentionListProps) {
  if (!members.length) return null;
  return (
    <div id={id} className="options mention-list" role="listbox" aria-label="Members">
      {members.map((member, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the text field.
        <div
          key={member.userId}
          id={`${id}-${index}`}
          className="option"
          role="option"
          tabIndex={-1}
          aria-selected={index === active}
          onClick={() => onPick(member)}
        >
          <Avatar id={member.userId} name={nameOf(member)} size="s" />
          <span className="option-label">{nameOf(member)}</span>
        </div>
      ))}
    </div>
  );
}
